//! `longwire show`: what it prints, draws and writes, for scenarios that are right and for those that are not.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Small enough for a debug build.
const FRAMES: &str = "5000";

/// Uniform jitter, whose draws are integers on every machine, and loss: something of everything.
const SMALL: &str = "\
longwire: 1
name: Something of everything
seed: 7
params: { loss: 2% }
nodes: { alice: host, bob: host }
links:
  radio:
    ends: [alice, bob]
    delay: { mean: 20ms, jitter: 5ms }
    rate: 8Mbit
    loss: $loss
    toward: { alice: { delay: { jitter: 0ms }, duplicate: 1%, corrupt: 1% } }
  wire: { ends: [alice, bob], delay: 1ms }
";

fn longwire(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longwire"));
    command.args(arguments).current_dir(folder).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command.output().expect("started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Standard output of a command that succeeds and complains about nothing.
fn shown(folder: &Path, arguments: &[&str]) -> String {
    let output = longwire(folder, &[&["show"], arguments].concat());
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{arguments:?}: {:?}\n{err}\n{out}", output.status.code());
    out
}

/// A folder with the small scenario in it.
fn small() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("small.yaml"), SMALL).expect("written");
    folder
}

fn scenarios(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("can be read").path();
        if path.is_dir() {
            scenarios(&path, found);
        } else if path.extension().is_some_and(|end| end == "yaml") {
            found.push(path.display().to_string());
        }
    }
}

#[test]
fn every_scenario_of_the_repository_can_be_shown() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    scenarios(&root.join("scenarios"), &mut files);
    assert!(files.len() >= 8, "{files:?}");
    for file in files {
        // some name tables or parts that are no scenarios by themselves
        if !longwire(root, &["check", "--quiet", &file]).status.success() {
            continue;
        }
        let json: Value = serde_json::from_str(&shown(root, &[&file, "--frames", "500", "--json", "-"])).expect("JSON");
        let text = shown(root, &[&file, "--frames", "500"]);
        let directions = json["directions"].as_array().expect("a list");
        assert!(!directions.is_empty(), "{file}");
        for direction in directions {
            let title = ["link", "from", "to"].map(|key| direction[key].as_str().expect("a name").to_owned());
            let title = format!("\n{} {} → {}", title[0], title[1], title[2]);
            assert!(text.contains(&title), "{file}: no{title} in\n{text}");
            check_sums(direction);
        }
        assert!(text.lines().all(|line| line.chars().count() <= 100), "{file}: wider than 100 columns:\n{text}");
        assert!(!text.contains('\x1b'), "no colour outside a terminal");
    }
}

/// Frames leave by one door each, and every delay stands in a bin.
fn check_sums(direction: &Value) {
    let number = |path: &str| direction.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("{path}"));
    let dropped: u64 = direction["dropped"].as_object().expect("a map").values().filter_map(Value::as_u64).sum();
    let (offered, delivered) = (number("/offered/frames"), number("/delivered/frames"));
    assert_eq!(offered + number("/duplicated"), delivered + dropped + number("/inside"), "{direction}");
    let runs = direction["lost"]["runs"].as_array().expect("a list");
    let lost: u64 = runs.iter().map(|r| r["length"].as_u64().unwrap_or(0) * r["count"].as_u64().unwrap_or(0)).sum();
    assert!(lost <= dropped && (dropped == 0) == (lost == 0), "{direction}");
    if let Some(histogram) = direction["delay_histogram"].as_object() {
        for (side, all) in [("drawn", offered), ("delivered", delivered)] {
            let binned = &histogram[side];
            let inside: u64 = binned["bins"].as_array().expect("a list").iter().filter_map(Value::as_u64).sum();
            let beyond = ["below", "above"].iter().filter_map(|key| binned[key].as_u64()).sum::<u64>();
            assert_eq!(inside + beyond, all, "{side}: {direction}");
        }
    }
}

#[test]
fn the_text_says_what_was_asked_and_what_was_met() {
    let folder = small();
    insta::assert_snapshot!(shown(folder.path(), &["small.yaml", "--frames", "2000"]));
}

#[test]
fn the_same_seed_shows_the_same_and_another_another() {
    let folder = small();
    let show =
        |more: &[&str]| shown(folder.path(), &[&["small.yaml", "--frames", "1000", "--json", "-"], more].concat());
    let first = show(&[]);
    assert_eq!(first, show(&[]));
    assert_eq!(first, show(&["--seed", "7"]));
    let other = show(&["--seed", "8"]);
    let lost = |json: &str| serde_json::from_str::<Value>(json).expect("JSON")["directions"][0]["lost"].clone();
    assert_ne!(lost(&first), lost(&other));
    let more: Value = serde_json::from_str(&show(&["--param", "loss=50%"])).expect("JSON");
    assert_eq!(more["directions"][0]["lost"]["asked"], 0.5);
    assert!(more["directions"][0]["lost"]["share"].as_f64().expect("a number") > 0.4);
}

#[test]
fn links_and_sizes_can_be_chosen() {
    let folder = small();
    let wire = shown(folder.path(), &["small.yaml", "--frames", "100", "--link", "wire", "--size", "200B"]);
    assert!(wire.contains("wire alice.eth1 → bob.eth1  both ways alike") && !wire.contains("radio"), "{wire}");
    assert!(wire.contains("100 frames of 214 bytes"), "{wire}");
    let wrong = longwire(folder.path(), &["show", "small.yaml", "--link", "wir"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(text(&wrong.stderr).contains("no link `wir`: did you mean `wire`?"), "{}", text(&wrong.stderr));
    for arguments in [&["--frames", "0"][..], &["--size", "27"], &["--size", "70000"], &["--fast"]] {
        assert_eq!(longwire(folder.path(), &[&["show", "small.yaml"], arguments].concat()).status.code(), Some(2));
    }
}

#[test]
fn mistakes_are_told_as_check_tells_them() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("bad.yaml"), SMALL.replace("delay: 1ms", "dealy: 1ms")).expect("written");
    let of = |command: &str| longwire(folder.path(), &[command, "bad.yaml"]);
    let (show, check) = (of("show"), of("check"));
    assert_eq!((show.status.code(), text(&show.stdout).as_str()), (Some(2), ""));
    assert_eq!(text(&show.stderr), text(&check.stderr));
    assert!(text(&show.stderr).contains("did you mean `delay`?"));
    assert_eq!(longwire(folder.path(), &["show", "missing.yaml"]).status.code(), Some(2));
}

/// One element after another: the text between tags, and shapes inside the picture.
#[test]
fn pictures_are_whole_and_stand_by_themselves() {
    let folder = small();
    let draw = || shown(folder.path(), &["small.yaml", "--frames", FRAMES, "--svg", "a/pictures"]);
    let told = draw();
    let names = ["radio-toward-bob.eth0.svg", "radio-toward-alice.eth0.svg", "wire-toward-bob.eth1.svg"];
    for name in names {
        assert!(told.contains(&format!("wrote a/pictures/{name}\n")), "{told}");
        let svg = fs::read_to_string(folder.path().join("a/pictures").join(name)).expect("written");
        let document = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        let root = document.root_element();
        assert_eq!((root.tag_name().name(), root.tag_name().namespace()), ("svg", Some("http://www.w3.org/2000/svg")));
        let size =
            ["width", "height"].map(|key| root.attribute(key).and_then(|v| v.parse::<f64>().ok()).expect("a size"));
        let words: Vec<&str> = root.descendants().filter_map(|node| node.text()).map(str::trim).collect();
        assert!(
            words.iter().any(|text| text.contains("Delay")) && words.iter().any(|text| text.contains("Rate of what"))
        );
        // nothing is loaded from elsewhere, and nothing stands outside
        for node in root.descendants().filter(roxmltree::Node::is_element) {
            assert!(!["image", "style", "script", "use"].contains(&node.tag_name().name()), "{name}");
            for (key, most) in [("x", size[0]), ("y", size[1])] {
                let at = node.attribute(key).and_then(|v| v.parse::<f64>().ok()).unwrap_or(0.0);
                assert!((0.0..=most).contains(&at), "{name}: {key} = {at} in {node:?}");
            }
        }
        assert!(
            root.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "rect"))).count() > 10
        );
    }
    let read = |name: &str| fs::read(folder.path().join("a/pictures").join(name)).expect("written");
    let before = names.map(read);
    let again = draw();
    assert!(names.iter().all(|name| again.contains(&format!("replaced a/pictures/{name}\n"))), "{again}");
    assert_eq!(before, names.map(read));
}

#[test]
fn what_cannot_be_written_is_told() {
    let folder = small();
    fs::write(folder.path().join("file"), "").expect("written");
    for arguments in [["--svg", "file"], ["--svg", "file/below"], ["--json", "no/such/folder"]] {
        let output = longwire(folder.path(), &[&["show", "small.yaml", "--frames", "50"], &arguments[..]].concat());
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(told.contains("cannot") && told.contains(arguments[1]), "{arguments:?}: {told}");
    }
    shown(folder.path(), &["small.yaml", "--frames", "50", "--json", "out.json"]);
    let json: Value =
        serde_json::from_slice(&fs::read(folder.path().join("out.json")).expect("written")).expect("JSON");
    assert_eq!(json["directions"].as_array().map(Vec::len), Some(3));
}

#[test]
fn a_thousand_links_are_shown_in_short() {
    let nodes: String = (0..=1000).map(|n| format!("  s{n}: switch\n")).collect();
    let link = |n: u32| format!("  l{n}: {{ ends: [s{n}, s{}], delay: {}ms }}\n", n + 1, n % 30 + 1);
    let links: String = (0..1000).map(link).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = format!("longwire: 1\nnodes:\n{nodes}links:\n{links}");
    fs::write(folder.path().join("many.yaml"), scenario).expect("written");
    let told = shown(folder.path(), &["many.yaml", "--frames", "100"]);
    assert_eq!(told.matches("both ways alike").count(), 20, "{told}");
    assert!(told.contains("more directions") && told.contains("left out"), "{told}");
}

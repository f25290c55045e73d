//! `longwire show --topology`: what it prints and writes, and how it ends.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const SMALL: &str = "\
longwire: 1
name: Two ways to a server
addressing: { ipv6: none }
nodes: { phone: host, ap: switch, server: host, vm: { external: { tap: lw0 } } }
links:
  wifi: { ends: [phone.wlan0, ap], delay: 5ms, loss: 1%, toward: { ap: { rate: 20Mbit } } }
  lan: { ends: [ap, server], delay: 100us, rate: 1Gbit }
  cell: { ends: [phone.lte0, server.wan], delay: { mean: 40ms, jitter: 10ms } }
  tap: { ends: [vm, ap] }
";

fn longwire(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longwire"));
    command.args(arguments).current_dir(folder).env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
    command.output().expect("started")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

fn shown(folder: &Path, arguments: &[&str]) -> String {
    let output = longwire(folder, &[&["show", "--topology"], arguments].concat());
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && err.is_empty(), "{arguments:?}: {:?}\n{err}\n{out}", output.status.code());
    out
}

fn small() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::write(folder.path().join("small.yaml"), SMALL).expect("written");
    folder
}

#[test]
fn the_network_is_drawn_and_written() {
    let folder = small();
    insta::assert_snapshot!(shown(folder.path(), &["small.yaml"]));
    let files = ["--svg", "net.svg", "--dot", "net.dot", "--json", "net.json"];
    let out = shown(folder.path(), &[&["small.yaml"], &files[..]].concat());
    assert_eq!(out, shown(folder.path(), &["small.yaml"]));
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("written");
    let svg = read("net.svg");
    assert!(roxmltree::Document::parse(&svg).is_ok() && svg.contains("wlan0 10.0.0.1/24"), "{svg}");
    assert!(
        read("net.dot").contains("\"phone\" -- \"ap\" [label=\"wifi\\n→ ap: 5ms · loss 1% · 20Mbit\\n→ phone: 5ms")
    );
    let json: Value = serde_json::from_str(&read("net.json")).expect("JSON");
    assert_eq!((&json["scenario"], json["links"].as_array().map(Vec::len)), (&"Two ways to a server".into(), Some(4)));
    assert_eq!(json["links"][0]["ends"][0]["interface"], "wlan0");
    let printed: Value = serde_json::from_str(&shown(folder.path(), &["small.yaml", "--json", "-"])).expect("JSON");
    assert_eq!(printed, json);
}

#[test]
fn every_scenario_of_the_repository_has_a_drawing() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(root.join("scenarios")).expect("a folder of the repository");
    let mut count = 0;
    for path in files.map(|entry| entry.expect("can be read").path()) {
        let file = path.display().to_string();
        if path.extension().is_some_and(|end| end == "yaml") && longwire(root, &["check", "-q", &file]).status.success()
        {
            let drawn = shown(root, &[&file]);
            assert!(drawn.lines().count() > 5, "{drawn}");
            count += 1;
        }
    }
    assert!(count >= 8);
}

#[test]
fn what_makes_no_sense_is_refused_and_what_cannot_be_written_is_told() {
    let folder = small();
    let network = ["--topology", "--link", "lan", "--frames", "10", "--size", "100"];
    for arguments in [&network[..3], &[network[0], network[3], network[4]], &[network[0], network[5], network[6]]] {
        let output = longwire(folder.path(), &[&["show", "small.yaml"], arguments].concat());
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("cannot be used with"), "{}", text(&output.stderr));
    }
    let output = longwire(folder.path(), &["show", "small.yaml", "--dot", "x"]);
    assert_eq!(output.status.code(), Some(2));
    for option in ["--svg", "--dot", "--json"] {
        let output = longwire(folder.path(), &["show", "small.yaml", "--topology", option, "no/such/folder"]);
        assert_eq!(output.status.code(), Some(2));
        assert!(text(&output.stderr).contains("cannot write to no/such/folder: "), "{}", text(&output.stderr));
    }
    fs::write(folder.path().join("bad.yaml"), SMALL.replace("rate", "rat")).expect("written");
    assert_eq!(longwire(folder.path(), &["show", "bad.yaml", "--topology"]).status.code(), Some(2));
}

#[test]
fn a_thousand_nodes_are_an_outline_and_a_picture() {
    let hosts: String = (1..=1000).map(|n| format!("  pc-{n}: host\n")).collect();
    let links: String =
        (1..=1000).map(|n| format!("  l-{n}: {{ ends: [pc-{n}, s{}], delay: 1ms }}\n", n % 40)).collect();
    let switches: String = (0..=40).map(|n| format!("  s{n}: switch\n")).collect();
    let trunks: String = (0..40).map(|n| format!("  t{n}: {{ ends: [s{n}, s40], delay: {n}ms }}\n")).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let scenario = format!("longwire: 1\nnodes:\n{hosts}{switches}links:\n{links}{trunks}");
    fs::write(folder.path().join("many.yaml"), scenario).expect("written");
    let told = shown(folder.path(), &["many.yaml", "--svg", "many.svg"]);
    assert!(told.contains("└─ s39  switch  — t39  39ms\n"), "{told}");
    assert!((1..=1000).all(|n| told.contains(&format!("pc-{n}  host  — l-{n}  1ms"))), "{told}");
    let svg = fs::read_to_string(folder.path().join("many.svg")).expect("written");
    assert!(roxmltree::Document::parse(&svg).is_ok() && svg.contains(">pc-777<"));
}

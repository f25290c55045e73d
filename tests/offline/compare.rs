//! `longwire compare` and `longwire plot`, on reports that are there already: what they print, and their exit codes.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::has;

const REPORT: &str = include_str!("../fixtures/report/report.json");

/// Exit code, standard output, standard error.
fn longwire(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_longwire"));
    let output = command.args(arguments).current_dir(folder).output().expect("started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A folder with runs of these seeds in folders of their own, as `longwire test --out` leaves them. `lost`: frames of the
/// first direction.
fn runs(folder: &Path, name: &str, seeds: std::ops::Range<u64>, lost: u64) {
    for seed in seeds {
        let mut report: Value = serde_json::from_str(REPORT).expect("a report");
        report["seed"] = seed.into();
        report["directions"][0]["dropped"] = json!({ "loss": lost + seed * 7 % 5 });
        let place = folder.join(name).join(format!("run-{seed}"));
        fs::create_dir_all(&place).expect("made");
        fs::write(place.join("report.json"), report.to_string()).expect("written");
    }
}

#[test]
fn groups_of_runs_are_compared_and_the_exit_code_says_whether_they_differ() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    runs(folder, "before", 1..6, 40);
    runs(folder, "alike", 6..11, 40);
    runs(folder, "worse", 6..11, 90);
    let (code, out, err) = longwire(folder, &["compare", "before", "--to", "alike"]);
    assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
    assert!(out.contains("The plans do not differ") && out.contains("No difference beyond chance"), "{out}");
    let (code, out, err) = longwire(folder, &["compare", "before", "--to", "worse", "--json", "c.json"]);
    assert_eq!((code, err.as_str()), (Some(1), ""), "{out}");
    assert!(out.contains("wifi.toward.lan.loss") && out.contains("points"), "{out}");
    assert!(out.lines().all(|line| line.chars().count() <= 80), "{out}");
    let json: Value = serde_json::from_str(&fs::read_to_string(folder.join("c.json")).expect("written")).expect("JSON");
    assert_eq!((&json["differs"], &json["method"]["method"]), (&json!(true), &json!("permutation")));
    let one = |n: u64| format!("before/run-{n}/report.json");
    let (code, out, _) = longwire(folder, &["compare", &one(1), "--to", "worse/run-6"]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("One run a side"), "{out}");
}

#[test]
fn what_cannot_be_compared_is_wrong_input() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    runs(folder, "a", 1..4, 40);
    runs(folder, "b", 4..7, 90);
    fs::write(folder.join("x.json"), "{}").expect("written");
    for (arguments, told) in [
        (&["compare", "a", "--to", "b"][..], "too few to tell"),
        (&["compare", "a", "a/run-1", "--to", "b"], "found seed 1 as in"),
        (&["compare", "a", "--to", "x.json"], "expected a report as"),
        (&["compare", "a", "--to", "nowhere"], "cannot read nowhere"),
        (&["compare", "a"], "--to"),
        (&["plot", "a/run-1", "--chart", "wifi.colour", "--svg", "x.svg"], "no chart `wifi.colour`"),
        (&["plot", "a/run-1", "--chart", "wifi.delay"], "--svg"),
    ] {
        let (code, out, err) = longwire(folder, arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {out}{err}");
        assert!(out.contains(told) || err.contains(told), "{arguments:?}: {out}{err}");
    }
}

#[test]
fn every_chart_that_plot_lists_it_draws() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder = folder.path();
    runs(folder, "a", 1..2, 40);
    let (code, names, _) = longwire(folder, &["plot", "a/run-1"]);
    assert_eq!(code, Some(0));
    for expected in ["wifi.throughput", "call.delay", "rtt.delay", "load.throughput", "rtt.histogram"] {
        assert!(names.lines().any(|name| name == expected), "{expected}: {names}");
    }
    let without = Command::new(env!("CARGO_BIN_EXE_longwire"))
        .args(["plot", "a/run-1", "--chart", "rtt.delay", "--png", "x.png"])
        .current_dir(folder)
        .env("PATH", "")
        .output()
        .expect("started");
    let told = String::from_utf8_lossy(&without.stderr);
    assert_eq!(without.status.code(), Some(4), "{told}");
    assert!(told.contains("rsvg-convert") && told.contains("librsvg2-bin") && told.contains("--svg"), "{told}");
    for name in names.lines() {
        let (code, _, err) = longwire(folder, &["plot", "a/run-1", "--chart", name, "--svg", "x.svg"]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{name}");
        let svg = fs::read_to_string(folder.join("x.svg")).expect("written");
        let svg = roxmltree::Document::parse(&svg).unwrap_or_else(|error| panic!("{name}: {error}: {svg}"));
        if !has("rsvg-convert") {
            continue;
        }
        let (code, _, err) = longwire(folder, &["plot", "a/run-1", "--chart", name, "--png", "x.png"]);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{name}");
        let png = fs::read(folder.join("x.png")).expect("written");
        assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "{name}: {:?}", &png[..8]);
        // IHDR comes first: width and height in network order
        let size = [16, 20].map(|at| u32::from_be_bytes(png[at..at + 4].try_into().expect("four")));
        let of_svg = ["width", "height"].map(|side| svg.root_element().attribute(side).expect("a size"));
        assert_eq!(size, of_svg.map(|side| 2 * side.parse::<u32>().expect("a number")), "{name}");
    }
}

//! Holds the floor plan: arrows run downwards only, in tests too, and the engine's side knows no clock, no operating system and no
//! order of a hash map. A program of its own, because it needs nothing of longwire: it reads sources.

mod hash_maps;
mod paths;
mod planted;
mod rules;
mod tree;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rules::violations;

/// From the bottom up; what stands on one line may use each other.
const LAYERS: &[&[&str]] = &[
    &["units", "diag", "rng", "stats"],
    &["frame", "wire"],
    &["model", "queue", "node"],
    &["engine"],
    &["measured"],
    &["profile", "language"],
    &["topology"],
    &["addressing"],
    &["tasks"],
    &["scenario"],
    &["port", "host", "report"],
    &["workload", "capture", "draw", "judge"],
    &["page", "compare"],
    &["run"],
    &["sim"],
    &["suite"],
    &["api", "cli"],
    &["lib", "main", "fuzzing"],
];

/// Layers from the bottom to this module's are the engine's side.
const TOP_OF_THE_ENGINE_SIDE: &str = "scenario";

/// What the engine's side must not name, by the beginning of its path, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("std::time", "time comes in as an argument; core::time has Duration"),
    ("std::net", "core::net has the addresses, nothing here has sockets"),
    ("std::fs", "files come in through a trait"),
    ("std::io", "nothing here reads or writes"),
    ("std::os", "nothing here knows the operating system"),
    ("std::thread", "the engine has one thread, its caller's"),
    ("std::process", "nothing here starts or ends programs"),
    ("std::env", "the environment is the command line's business"),
    ("libc", "nothing here knows the operating system"),
    ("nix", "nothing here knows the operating system"),
    ("rand::rng", "a draw belongs to a frame and a model"),
    ("rand::random", "a draw belongs to a frame and a model"),
    ("tracing", "no logging in the engine"),
    ("log", "no logging in the engine"),
    ("print!", "only cli prints"),
    ("println!", "only cli prints"),
    ("eprint!", "only cli prints"),
    ("eprintln!", "only cli prints"),
    ("dbg!", "only cli prints"),
];

/// Arrows that run up in test code alone: from, to, why. [`FORBIDDEN`] does not hold in test code: it is not what runs.
const UPWARDS_IN_TESTS: &[(&str, &str, &str)] = &[
    ("language", "topology", WHOLE),
    ("language", "tasks", WHOLE),
    ("language", "scenario", WHOLE),
    ("topology", "tasks", WHOLE),
    ("topology", "scenario", WHOLE),
    ("addressing", "scenario", WHOLE),
    ("tasks", "scenario", WHOLE),
];
const WHOLE: &str = "what a part of the language does shows in a whole scenario, read from its text";

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn arrows_run_downwards_and_the_engine_knows_no_world() {
    let program = tree::read(&source());
    assert!(program.files.len() > 100, "{} files", program.files.len());
    let found = violations(&program);
    assert!(found.is_empty(), "{}", found.join("\n"));
    // an exception that nothing needs any more would let the next arrow through
    let used = rules::upwards_in_tests(&program);
    for (from, to, _) in UPWARDS_IN_TESTS {
        assert!(used.contains(&((*from).to_owned(), (*to).to_owned())), "no test of `{from}` uses `{to}`");
    }
}

/// What no module declares is not compiled, and nothing else would say so.
#[test]
fn every_file_is_part_of_a_program() {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().expect("the package");
    let mut program = tree::read(&package.join("src"));
    let mut there = BTreeSet::new();
    tree::rust_files(&package.join("src"), &mut there);
    for folder in ["tests", "benches"] {
        tree::rust_files(&package.join(folder), &mut there);
        for entry in fs::read_dir(package.join(folder)).expect("a folder") {
            let path = entry.expect("readable").path();
            // as cargo finds them
            let roots = [path.clone(), path.join("main.rs")];
            let root = roots.into_iter().find(|root| root.is_file() && root.extension().is_some_and(|end| end == "rs"));
            root.into_iter().for_each(|root| program.add_root(root));
        }
    }
    let read: BTreeSet<PathBuf> = program.files.into_iter().map(|file| file.path).collect();
    let lost: Vec<_> = there.difference(&read).collect();
    assert!(lost.is_empty(), "no module declares {lost:?}");
}

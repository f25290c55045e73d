//! Holds the floor plan: `use` arrows run downwards only, and the engine's side knows no clock, no OS and no order of a
//! hash map.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::path::{Path, PathBuf};

/// From the bottom up; what stands on one line may use each other.
const LAYERS: &[&[&str]] = &[
    &["units", "diag", "rng"],
    &["frame", "wire"],
    &["model", "queue", "node"],
    &["engine"],
    &["profile", "language"],
    &["topology"],
    &["addressing"],
    &["tasks"],
    &["scenario"],
    &["port", "host", "report"],
    &["workload", "capture", "draw", "judge"],
    &["page"],
    &["run"],
    &["sim"],
    &["suite"],
    &["api", "cli"],
    &["lib", "main"],
];

/// Layers up to this one are the engine's side.
const ENGINE_SIDE: usize = 8;

/// What the engine's side must not name, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("std::time", "time comes in as an argument"),
    ("Instant::now", "time comes in as an argument"),
    ("SystemTime", "time comes in as an argument"),
    ("std::net", "core::net has the addresses, nothing here has sockets"),
    ("std::fs", "files come in through a trait"),
    ("std::thread", "the engine has one thread, its caller's"),
    ("std::process", "nothing here starts or ends programs"),
    ("std::env", "the environment is the command line's business"),
    ("tracing::", "no logging in the engine"),
    ("println!", "only cli prints"),
    ("eprintln!", "only cli prints"),
];

fn layer_of(module: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&module)).unwrap_or_else(|| {
        panic!("module `{module}` has no layer: give it one in tests/layering.rs and in lib.rs's map")
    })
}

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// The file's code without comments, and without the tests at its bottom.
fn code_of(text: &str) -> String {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or(text);
    text.lines().map(|line| line.split("//").next().unwrap_or(line)).collect::<Vec<_>>().join("\n")
}

/// What is wrong with a file of this top-level module, one sentence each.
fn violations(module: &str, text: &str) -> Vec<String> {
    let code = code_of(text);
    let layer = layer_of(module);
    let mut found = Vec::new();
    for used in modules_used(&code) {
        if LAYERS.iter().any(|l| l.contains(&used.as_str())) && layer_of(&used) > layer {
            found.push(format!("`{module}` uses `{used}`, which stands above it"));
        }
    }
    if layer <= ENGINE_SIDE {
        for (word, why) in FORBIDDEN {
            if code.contains(word) {
                found.push(format!("`{word}` on the engine's side: {why}"));
            }
        }
        for name in hash_maps(&code) {
            for walk in [".iter()", ".iter_mut()", ".keys()", ".values()", ".values_mut()", ".drain()", ".into_iter()"]
            {
                if code.contains(&format!("{name}{walk}")) {
                    found.push(format!("`{name}{walk}` walks a hash map, whose order is not defined"));
                }
            }
            if code.contains(&format!("in &{name}")) || code.contains(&format!("in &self.{name}")) {
                found.push(format!("a loop over `{name}` walks a hash map, whose order is not defined"));
            }
        }
    }
    found
}

/// First names behind `crate::`, those in braces included.
fn modules_used(code: &str) -> Vec<String> {
    let word = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            None => used.push(word(rest)),
            Some(list) => {
                let mut depth = 0;
                let mut start = true;
                for (i, c) in list.char_indices() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => start = true,
                        c if start && (c.is_alphabetic() || c == '_') => {
                            used.push(word(&list[i..]));
                            start = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    used
}

/// Names of fields and variables that are hash maps or sets.
fn hash_maps(code: &str) -> Vec<String> {
    ["HashMap", "HashSet"]
        .iter()
        .flat_map(|kind| code.match_indices(kind))
        .filter_map(|(at, _)| {
            let line = code[..at].rsplit('\n').next()?;
            let name = line.trim_end().trim_end_matches([':', '=']).trim_end();
            let name: String = name.chars().rev().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let name: String = name.chars().rev().collect();
            (!name.is_empty() && line.trim_end().ends_with([':', '='])).then_some(name)
        })
        .collect()
}

#[test]
fn arrows_run_downwards_and_the_engine_knows_no_world() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    rust_files(&root, &mut files);
    assert!(files.len() > 10);
    let mut found = Vec::new();
    for file in files {
        let relative = file.strip_prefix(&root).unwrap();
        let first = relative.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
        let module = first.trim_end_matches(".rs");
        if relative.to_string_lossy().contains("tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        found.extend(violations(module, &text).into_iter().map(|v| format!("{}: {v}", relative.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What no module declares is not compiled, and nothing else would say so.
#[test]
fn every_file_is_part_of_the_program() {
    let mut files = Vec::new();
    rust_files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &mut files);
    let all: String = files.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let declared = |path: &Path| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let name = match stem {
            "lib" | "main" => return true,
            "mod" => path.parent().unwrap().file_name().unwrap().to_str().unwrap(),
            stem => stem,
        };
        let parent = if stem == "mod" { path.parent().unwrap() } else { path }.parent().unwrap();
        let declarers = [parent.join("mod.rs"), parent.join("lib.rs"), parent.with_extension("rs")];
        let declares = |text: String| text.contains(&format!("mod {name};"));
        declarers.iter().filter_map(|file| fs::read_to_string(file).ok()).any(declares)
            || all.contains(&format!("#[path = \"{name}.rs\"]"))
    };
    let lost: Vec<_> = files.iter().filter(|path| !declared(path)).collect();
    assert!(lost.is_empty(), "no module declares {lost:?}");
}

#[test]
fn what_it_is_there_to_find_it_finds() {
    let clock = "fn draw() { let now = std::time::Instant::now(); }";
    assert!(!violations("model", clock).is_empty());
    assert!(!violations("model", "use std::time::Instant;\nfn f() { Instant::now(); }").is_empty());
    assert!(violations("run", clock).is_empty());
    assert!(violations("model", "// std::time is not used here").is_empty());
    assert_eq!(violations("engine", "use crate::run::live;").len(), 1);
    assert_eq!(violations("model", "use crate::{units::{Rate, Instant}, engine::Plan};").len(), 1);
    assert!(violations("run", "use crate::{engine::Plan, port};").is_empty());
    assert_eq!(violations("node", "struct S { table: HashMap<u8, u8> }\nfn f(s: S) { s.table.iter(); }").len(), 1);
    assert_eq!(violations("node", "let seen = HashSet::new();\nfor s in &seen {}").len(), 1);
    assert!(violations("node", "struct S { table: HashMap<u8, u8> }\nfn f(s: S) { s.table.get(&1); }").is_empty());
}

//! What may stand where.

use std::collections::{BTreeMap, BTreeSet};

use crate::paths::{self, Named};
use crate::tree::{Program, SourceFile};
use crate::{FORBIDDEN, LAYERS, TOP_OF_THE_ENGINE_SIDE, UPWARDS_IN_TESTS, hash_maps};

fn layer_of(room: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&room)).unwrap_or_else(|| {
        panic!("module `{room}` has no layer: give it one in tests/layering/main.rs and in lib.rs's map")
    })
}

/// The top-level module that a file is in.
fn room(file: &SourceFile) -> &str {
    file.module.first().map_or("lib", String::as_str)
}

fn is_of_the_engine_side(room: &str) -> bool {
    layer_of(room) <= layer_of(TOP_OF_THE_ENGINE_SIDE)
}

/// What stands at the root of the crate and is not a module: re-exports and macros, with the module that they come from.
fn root_names(program: &Program) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for file in &program.files {
        names.extend(paths::exported_macros(file).into_iter().map(|name| (name, room(file).to_owned())));
        if file.module.is_empty() {
            let reexported = paths::reexported(file);
            names.extend(reexported.into_iter().map(|(name, mut path)| {
                path.retain(|word| !["crate", "self"].contains(&word.as_str()));
                (name, path.swap_remove(0))
            }));
        }
    }
    names
}

/// An arrow from a file to another top-level module.
struct Arrow<'a> {
    from: &'a str,
    /// `None` where the path hides it.
    to: Option<String>,
    named: Named,
}

fn arrows<'a>(file: &'a SourceFile, root: &BTreeMap<String, String>) -> Vec<Arrow<'a>> {
    let all = paths::named(file).into_iter().filter(|named| named.path[0] == "crate");
    all.map(|named| {
        let to = named.path.get(1).and_then(|first| {
            let first = first.as_str();
            if LAYERS.iter().any(|layer| layer.contains(&first)) {
                Some(first.to_owned())
            } else {
                root.get(first).cloned()
            }
        });
        Arrow { from: room(file), to, named }
    })
    .collect()
}

/// Arrows that run up in test code.
pub(crate) fn upwards_in_tests(program: &Program) -> BTreeSet<(String, String)> {
    let root = root_names(program);
    let all = program.files.iter().flat_map(|file| arrows(file, &root));
    all.filter(|arrow| arrow.named.is_test)
        .filter_map(|arrow| Some((arrow.from.to_owned(), arrow.to?)))
        .filter(|(from, to)| layer_of(to) > layer_of(from))
        .collect()
}

/// What is wrong with a program, one line each.
pub(crate) fn violations(program: &Program) -> Vec<String> {
    let root = root_names(program);
    let mut found = Vec::new();
    for file in &program.files {
        let room = room(file);
        let place = |line: usize| format!("{}:{line}", file.path.display());
        for arrow in arrows(file, &root) {
            let Named { line, is_test, .. } = arrow.named;
            let Some(to) = arrow.to else {
                // at the top everything is at hand
                if layer_of(room) < LAYERS.len() - 1 {
                    found.push(format!("{}: `{}` hides which module is used", place(line), arrow.named.text()));
                }
                continue;
            };
            let is_excepted = is_test && UPWARDS_IN_TESTS.iter().any(|(from, above, _)| *from == room && *above == to);
            if layer_of(&to) > layer_of(room) && !is_excepted {
                let whose = if is_test { "a test of " } else { "" };
                found.push(format!("{}: {whose}`{room}` uses `{to}`, which stands above it", place(line)));
            }
        }
        if is_of_the_engine_side(room) {
            for (named, why) in paths::named(file).iter().filter_map(|named| Some((named, forbidden(named)?))) {
                found.push(format!("{}: `{}` on the engine's side: {why}", place(named.line), named.text()));
            }
        }
    }
    let engine_side = program.files.iter().filter(|file| is_of_the_engine_side(room(file)) && !file.is_test);
    found.extend(hash_maps::walks(engine_side));
    found.dedup();
    found
}

/// Why a path must not stand on the engine's side.
fn forbidden(named: &Named) -> Option<&'static str> {
    let text = named.text();
    let is = |word: &str| match word.strip_suffix('!') {
        Some(_) => named.path.last().is_some_and(|last| last == word),
        // a single word may be a variable
        None => named.path.len() > 1 && (text == word || text.starts_with(&format!("{word}::"))),
    };
    FORBIDDEN.iter().filter(|_| !named.is_test).find(|(word, _)| is(word)).map(|(_, why)| *why)
}

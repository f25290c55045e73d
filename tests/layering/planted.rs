//! Violations of each kind, planted, are found; what is allowed is not.

use std::path::PathBuf;

use crate::rules::violations;
use crate::tree::{Program, SourceFile};

fn file(module: &str, text: &str) -> SourceFile {
    let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    let module = module.split("::").filter(|word| !word.is_empty()).map(String::from).collect();
    SourceFile { path: PathBuf::from("planted.rs"), module, is_test: false, syntax }
}

/// What is found in a module of this text, in a crate with a re-export and a macro at its root.
fn found(module: &str, text: &str) -> Vec<String> {
    let root = "pub mod api; pub use api::{Network, inner::Setup as Start};";
    let skip = "#[macro_export] macro_rules! skip { () => { $crate::api::skip() } }";
    violations(&Program { files: vec![file("", root), file("api::skip", skip), file(module, text)] })
}

#[track_caller]
fn assert_found(module: &str, text: &str, parts: &[&str]) {
    let found = found(module, text);
    assert_eq!(found.len(), 1, "{text}\n{found:#?}");
    assert!(parts.iter().all(|part| found[0].contains(part)), "{parts:?} in {}", found[0]);
}

#[track_caller]
fn assert_up(text: &str) {
    assert_found("engine::part", text, &["`engine` uses `run`, which stands above it"]);
}

#[track_caller]
fn assert_allowed(module: &str, text: &str) {
    assert_eq!(found(module, text), Vec::<String>::new(), "{text}");
}

#[test]
fn in_use() {
    assert_up("use crate::run::live;");
    assert_up("use crate::run;");
    assert_up("use crate::run::*;");
    assert_up("use crate::run::live as other;");
    assert_up("fn f() { use crate::run::live; }");
    assert_found("engine", "\n\nuse crate::run;", &["planted.rs:3: "]);
    assert_allowed("run", "use crate::{engine::Plan, port};");
}

#[test]
fn in_a_nested_use() {
    assert_up("use crate::{units::{Rate, Instant}, run::{live::Clock}};");
    assert_up("use crate::{units::Rate, run::{self}};");
    assert_up("use {crate::units::Rate, crate::run::live};");
    assert_allowed("engine", "use crate::{units::{Rate, Instant}, model::DelaySpec};");
}

#[test]
fn through_self_and_super() {
    assert_up("use super::super::run::live;");
    assert_up("fn f() { super::super::run::live(); }");
    assert_up("mod inner { use super::super::super::run::live; }");
    assert_up("use self::super::super::run::live;");
    assert_allowed("engine::part", "use super::run; use self::run::live; mod inner { use super::super::run; }");
}

#[test]
fn in_a_reexport() {
    assert_up("pub use crate::run::live::Clock;");
    assert_up("pub(crate) use crate::{run::live::Clock, units::Rate};");
    let through_the_root = |text| assert_found("run", text, &["`run` uses `api`"]);
    through_the_root("use crate::Network;");
    through_the_root("use crate::Start;");
    through_the_root("fn f() { crate::skip!(); }");
    assert_found("run", "use crate::*;", &["hides which module"]);
    assert_found("run", "use crate as all;", &["hides which module"]);
    assert_found("run", "use crate::Unheard;", &["hides which module"]);
}

#[test]
fn by_a_full_path_in_an_expression() {
    assert_up("fn f() { crate::run::live::start(1); }");
    assert_up("const N: u8 = crate::run::N;");
    assert_up("fn f(x: X) { match x { crate::run::X::A => {} _ => {} } }");
    assert_up("fn f() { let all = [1].map(crate::run::one); }");
    assert_up("fn f() { longwire::run::live(); }");
}

#[test]
fn by_a_full_path_in_a_type() {
    assert_up("struct S { clock: Option<crate::run::Clock> }");
    assert_up("fn f(clock: &dyn crate::run::Clock) {}");
    assert_up("fn f() -> <crate::run::Clock as Iterator>::Item { todo() }");
    assert_up("impl crate::run::Clock for S {}");
    assert_up("fn f<C: crate::run::Clock>() {}");
}

#[test]
fn by_a_full_path_in_a_macro() {
    assert_up("fn f() { assert!(1 < crate::run::LIMIT); }");
    assert_up("fn f() { vec![vec![crate::run::one()]] }");
    assert_up("macro_rules! one { ($x:ident) => { $crate::run::one($x) } }");
    assert_up("macro_rules! one { ($x:ident) => { crate::run::$x() } }");
    assert_up("macro_rules! one { () => { use crate::{units::Rate, run::live}; } }");
    assert_up("crate::run::declare!();");
    assert_allowed(
        "engine::part",
        "fn f() { assert!(self.run, crate::units::ONE, super::run::x); pub_crate!(pub(crate) x); }",
    );
}

#[test]
fn in_an_attribute() {
    assert_up("struct S { #[serde(with = \"crate::run::text\")] x: u8 }");
    assert_up("#[derive(crate::run::Derived)] struct S;");
    assert_allowed("engine", "/// As crate::run::live does it.\nstruct S;");
}

#[test]
fn in_test_code() {
    let of_a_test = |text| assert_found("engine", text, &["a test of `engine` uses `run`"]);
    of_a_test("#[cfg(test)]\nmod tests { use crate::run::live; }");
    of_a_test("#[cfg(test)]\nfn helper() { crate::run::live(); }");
    of_a_test("#[cfg(test)]\nuse crate::run::live;");
    of_a_test("mod tests { #[test] fn one() { crate::run::live(); } }");
    assert_allowed(
        "engine",
        "#[cfg(test)]\nmod tests { use std::time::Instant; fn f() { println!(\"{:?}\", std::fs::read(x)); } }",
    );
}

#[test]
fn the_world_on_the_engines_side() {
    for text in [
        "fn draw() { let now = std::time::Instant::now(); }",
        "use std::time::Instant;",
        "use std::{time, collections::BTreeMap};",
        "use std::time::Duration as D;",
        "use ::std::fs;",
        "fn f(file: std::fs::File) {}",
        "fn f() { assert!(std::env::args().next().is_none()); }",
        "fn f() { println!(\"here\"); }",
        "fn f() { std::eprintln!(\"here\"); }",
        "fn f() { nix::unistd::getpid(); }",
        "fn f() { rand::random::<u8>(); }",
        "fn f() { log::warn!(\"here\"); }",
    ] {
        assert_found("model::loss", text, &["on the engine's side"]);
        assert_allowed("run", text);
    }
    assert_allowed(
        "model",
        "// std::time is not used here\nfn f(log: u8, nix: u8) { log + nix; core::time::Duration::ZERO; rng(); }",
    );
    assert_allowed("cli", "fn f() { println!(\"here\"); }");
}

#[test]
fn walks_over_hash_maps_on_the_engines_side() {
    for text in [
        "struct S { table: HashMap<u8, u8> }\nfn f(s: S) { s.table.iter(); }",
        "struct S { table: std::collections::HashMap<u8, u8> }\nfn f(s: S) { for (a, b) in &s.table {} }",
        "type Table = HashMap<u8, u8>; struct S { table: Table }\nfn f(s: S) { s.table.values(); }",
        "use std::collections::HashMap as Table; fn f(table: &mut Table<u8, u8>) { table.drain(); }",
        "fn f() { let seen = HashSet::new(); for s in &seen {} }",
        "fn f() { let seen: HashSet<u8> = make(); for s in seen {} }",
        "fn f() { let seen = all.collect::<HashSet<_>>(); seen.into_iter().next(); }",
        "fn f(seen: &HashSet<u8>) { assert_eq!(1, seen.iter().count()); }",
    ] {
        assert_found("node::part", text, &["whose order is not defined"]);
        assert_allowed("run", text);
    }
    // methods stand in another file than their type
    let walked_in = |module, visible| {
        let holder = format!("pub(crate) struct S {{ {visible} table: HashMap<u8, u8> }}");
        violations(&Program {
            files: vec![file("node::part", &holder), file(module, "fn f(s: S) { s.table.keys(); }")],
        })
        .len()
    };
    assert_eq!(walked_in("node::part::more", ""), 1);
    assert_eq!(walked_in("node::other", ""), 0, "another field of that name: this one is not visible here");
    assert_eq!(walked_in("node::other", "pub(super)"), 1);
    assert_eq!(walked_in("queue::other", "pub(crate)"), 1);
    assert_allowed(
        "node",
        "struct S { table: HashMap<u8, u8> }\nfn f(s: S) { s.table.get(&1); s.table.insert(1, 2); }",
    );
    assert_allowed("node", "struct S { table: HashMap<u8, u8>, list: Vec<u8> }\nfn f(s: S) { for x in &s.list {} }");
}

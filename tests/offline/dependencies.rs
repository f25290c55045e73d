//! Dependencies are what deny.toml allows: their licences, and where they come from. `cargo deny`, every night, knows more.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The licences that deny.toml allows.
fn allowed() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deny.toml");
    let text = std::fs::read_to_string(path).expect("deny.toml is part of the repository");
    let list = text.split("allow = [").nth(1).and_then(|rest| rest.split(']').next()).expect("a list");
    list.split(',').map(|entry| entry.trim().trim_matches('"').to_owned()).filter(|entry| !entry.is_empty()).collect()
}

/// Whether an SPDX expression is met by licences that are allowed; the old form has `/` for OR.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ");
    // the outermost operator that stands outside of parentheses decides; AND binds closer
    for operator in [" OR ", " AND "] {
        let mut depth = 0;
        let mut begin = 0;
        let mut parts = Vec::new();
        for (at, c) in expression.char_indices() {
            depth += i32::from(c == '(') - i32::from(c == ')');
            if depth == 0 && expression[at..].starts_with(operator) {
                parts.push(&expression[begin..at]);
                begin = at + operator.len();
            }
        }
        if !parts.is_empty() {
            parts.push(&expression[begin..]);
            let mut met = parts.iter().map(|part| is_met(part.trim(), allowed));
            return if operator == " OR " { met.any(|met| met) } else { met.all(|met| met) };
        }
    }
    match expression.strip_prefix('(').and_then(|inner| inner.strip_suffix(')')) {
        Some(inner) => is_met(inner.trim(), allowed),
        None => allowed.contains(expression.trim()),
    }
}

#[test]
fn licences_and_sources_are_those_of_deny_toml() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--locked", "--offline"]);
    command.args(["--filter-platform", "x86_64-unknown-linux-gnu"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().expect("cargo is there");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    assert!(packages.len() > 50, "{} packages", packages.len());
    let allowed = allowed();
    let wrong: Vec<_> = packages
        .iter()
        .filter(|package| {
            let is_met = package["license"].as_str().is_some_and(|license| is_met(license, &allowed));
            // a null is this package
            let source = package["source"].as_str().unwrap_or("registry+");
            !is_met || !source.starts_with("registry+")
        })
        .map(|package| {
            format!("{} {}: {}, {}", package["name"], package["version"], package["license"], package["source"])
        })
        .collect();
    assert!(wrong.is_empty(), "not allowed by deny.toml:\n{}", wrong.join("\n"));
}

#[test]
fn expressions_of_licences_are_read() {
    let allowed = ["MIT", "Zlib", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for met in [
        "MIT",
        "MIT/GPL-3.0",
        "GPL-3.0 OR MIT",
        "MIT AND Zlib",
        "(GPL-3.0 OR MIT) AND Zlib",
        "(MIT)",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
    ] {
        assert!(is_met(met, &allowed), "{met}");
    }
    for unmet in
        ["GPL-3.0", "", "MIT AND GPL-3.0", "(MIT OR Zlib) AND GPL-3.0", "GPL-3.0 OR MIT AND GPL-2.0", "Apache-2.0"]
    {
        assert!(!is_met(unmet, &allowed), "{unmet}");
    }
}

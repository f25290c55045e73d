//! The version that `longwire --version` prints: in release builds with the commit that they are of.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Names the commit, where there is no repository to ask (a container image is built without one).
const VARIABLE: &str = "LONGWIRE_COMMIT";
/// In packages from a registry: what cargo noted of the repository that they were made in.
const PACKAGED: &str = ".cargo_vcs_info.json";
/// As many digits as git shows of a large repository.
const DIGITS: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let number = env::var("CARGO_PKG_VERSION").expect("cargo sets it");
    // otherwise each commit would build a debug crate anew
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let commit = if release { named().or_else(packaged).or_else(checked_out) } else { None };
    let version = commit.map_or_else(|| number.clone(), |commit| format!("{number} ({commit})"));
    println!("cargo::rustc-env=LONGWIRE_VERSION={version}");
}

fn named() -> Option<String> {
    hash(&env::var(VARIABLE).ok()?)
}

fn packaged() -> Option<String> {
    let text = fs::read_to_string(PACKAGED).ok()?;
    let commit = hash(text.split_once("\"sha1\": \"")?.1)?;
    Some(if text.contains("\"dirty\": true") { format!("{commit}, changed") } else { commit })
}

/// Of a repository whose top is this folder, and not one around it that this crate is a stranger in.
fn checked_out() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    // this file grows with every commit and checkout
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    for watched in
        [log.trim(), "src", "scenarios", "Cargo.toml", "Cargo.lock"].iter().filter(|path| Path::new(path).exists())
    {
        println!("cargo::rerun-if-changed={watched}");
    }
    let commit = hash(&git(&["rev-parse", "HEAD"])?)?;
    let changes = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changes.is_empty() { commit } else { format!("{commit}, changed") })
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first digits of what begins with a commit's hash.
fn hash(text: &str) -> Option<String> {
    let digits: String = text.chars().take_while(char::is_ascii_hexdigit).collect();
    (digits.len() >= DIGITS).then(|| digits[..DIGITS].to_owned())
}

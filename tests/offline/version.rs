//! `longwire --version`, and what build.rs puts into it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::has;

#[test]
fn a_debug_build_does_not_depend_on_the_commit() {
    let told = Command::new(env!("CARGO_BIN_EXE_longwire")).arg("--version").output().expect("longwire");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let number = concat!("longwire ", env!("CARGO_PKG_VERSION"));
    if cfg!(debug_assertions) {
        assert_eq!(told, format!("{number}\n"));
    } else {
        assert!(told.starts_with(number), "{told}");
    }
}

/// Compiles build.rs alone, and runs it in folders with and without a commit.
#[test]
fn a_release_names_its_commit_where_it_has_one() {
    if !has("rustc") || !has("git") {
        return;
    }
    let place = tempfile::tempdir().expect("a folder");
    let script = place.path().join("script");
    let mut rustc = Command::new("rustc");
    rustc.args(["--edition", "2024", "-o"]).arg(&script).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/build.rs"));
    assert!(rustc.current_dir(place.path()).status().expect("rustc").success());
    let version = |folder: &Path, profile: &str, commit: Option<&str>| {
        let mut command = Command::new(&script);
        command
            .current_dir(folder)
            .env("PROFILE", profile)
            .env("CARGO_PKG_VERSION", "1.2.3")
            .env_remove("LONGWIRE_COMMIT");
        let output = command.envs(commit.map(|commit| ("LONGWIRE_COMMIT", commit))).output().expect("it runs");
        assert!(output.status.success(), "{output:?}");
        let told = String::from_utf8(output.stdout).expect("text");
        let line = told.lines().find_map(|line| line.strip_prefix("cargo::rustc-env=LONGWIRE_VERSION="));
        line.expect("a version").to_owned()
    };
    let folder = |name: &str| {
        let path = place.path().join(name);
        fs::create_dir(&path).expect("a folder");
        path
    };
    let commit = "0123456789abcdef0123456789abcdef01234567";

    let bare = folder("bare");
    assert_eq!(version(&bare, "release", None), "1.2.3");
    assert_eq!(version(&bare, "release", Some("")), "1.2.3");
    assert_eq!(version(&bare, "release", Some(commit)), "1.2.3 (0123456789ab)");
    assert_eq!(version(&bare, "debug", Some(commit)), "1.2.3");

    let package = folder("package");
    for (dirty, named) in [("", "1.2.3 (0123456789ab)"), (",\n    \"dirty\": true", "1.2.3 (0123456789ab, changed)")] {
        let info = format!("{{\n  \"git\": {{\n    \"sha1\": \"{commit}\"{dirty}\n  }},\n  \"path_in_vcs\": \"\"\n}}");
        fs::write(package.join(".cargo_vcs_info.json"), info).expect("written");
        assert_eq!(version(&package, "release", None), named);
    }

    let repository = folder("repository");
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "core.hooksPath=/dev/null"])
            .args(arguments);
        let output = git.current_dir(&repository).output().expect("git");
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).expect("text")
    };
    git(&["init", "--quiet"]);
    fs::write(repository.join("file"), "one").expect("written");
    git(&["add", "file"]);
    git(&["commit", "--quiet", "--no-gpg-sign", "--message", "one"]);
    let head = git(&["rev-parse", "HEAD"])[..12].to_owned();
    assert_eq!(version(&repository, "release", None), format!("1.2.3 ({head})"));
    // a stranger's repository around it is not its own
    fs::create_dir(repository.join("inner")).expect("a folder");
    assert_eq!(version(&repository.join("inner"), "release", None), "1.2.3");
    fs::write(repository.join("file"), "two").expect("written");
    assert_eq!(version(&repository, "release", None), format!("1.2.3 ({head}, changed)"));
}

//! What Debian packages and the crate hold. `packaging/try-deb` installs, runs and removes the packages; it takes root and minutes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).current_dir(ROOT).output().expect("cargo is there");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// The sources and destinations of a package's files.
fn assets(package: &Value) -> Vec<(&str, &str)> {
    let all = package["assets"].as_array().expect("assets").iter();
    all.map(|asset| (asset[0].as_str().expect("a source"), asset[1].as_str().expect("a destination"))).collect()
}

#[test]
fn packages_are_made_of_what_is_there_and_carry_their_licences() {
    let metadata = cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("JSON");
    let longwire = &metadata["packages"][0]["metadata"]["deb"];
    let kernel = &longwire["variants"]["kernel"];
    let script = fs::read_to_string(Path::new(ROOT).join("packaging/deb")).expect("it is there");
    assert!(script.contains("parts=target/parts\n"));
    for (source, _) in assets(longwire).into_iter().chain(assets(kernel)) {
        // what packaging/deb makes, and the program
        if !source.starts_with("target/") {
            let found = glob::glob(&format!("{ROOT}/{source}")).expect("a pattern").count();
            assert!(found > 0, "{source}: no such file");
        }
    }
    let places = |package| assets(package).into_iter().map(|(_, to)| to).collect::<BTreeSet<_>>();
    assert!(places(longwire).contains("usr/share/doc/longwire/copyright"));
    // where src/sim/kernel.rs looks
    assert!(assets(kernel).contains(&("target/parts/kernel", "usr/lib/longwire/")));
    assert!(places(kernel).contains("usr/share/doc/longwire-kernel/copyright"));
    // all that kernel/README.md says must go with it, but for the tarball
    assert!(assets(kernel).contains(&("target/parts/kernel.*", "usr/lib/longwire/")));
    for file in fs::read_dir(Path::new(ROOT).join("kernel")).expect("kernel").flatten() {
        let name = format!("kernel/{}", file.file_name().display());
        let matches = |pattern: &str| glob::Pattern::new(pattern).expect("a pattern").matches(&name);
        assert!(assets(kernel).iter().any(|(source, _)| matches(source)), "{name} is not in the kernel's package");
    }
    let copyright = fs::read_to_string(Path::new(ROOT).join("packaging/kernel.copyright")).expect("it is there");
    for part in
        ["written offer", "three years", "longwire-kernel-source.tar", "kernel.licence", "kernel.config", "GPL-2"]
    {
        assert!(copyright.contains(part), "packaging/kernel.copyright says nothing of {part}");
    }
}

#[test]
fn the_crate_holds_what_builds_it_and_nothing_else() {
    let listed = cargo(&["package", "--list", "--allow-dirty", "--offline"]);
    let files: BTreeSet<&str> = listed.lines().collect();
    for file in ["build.rs", "Cargo.lock", "README.md", "LICENSE-MIT", "LICENSE-APACHE", "src/main.rs", "kernel/build"]
    {
        assert!(files.contains(file), "{file} is not in the crate");
    }
    let tops = ["src", "kernel", "scenarios", "docs", "examples"];
    for file in files {
        let inside = file.split_once('/').is_none_or(|(top, _)| tops.contains(&top));
        assert!(inside && !file.contains("target/"), "{file} is in the crate");
    }
}

#[test]
fn each_subcommand_has_a_manual_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let longwire =
        |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_longwire")).args(arguments).output().expect("longwire");
    let written = longwire(&["man", folder.path().to_str().expect("UTF-8")]);
    assert!(written.status.success() && written.stdout.is_empty(), "{written:?}");
    let help = longwire(&["--help"]);
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let commands = help.split("Commands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).expect("a list");
    let names =
        commands.lines().filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let mut expected: BTreeSet<String> =
        names.filter(|name| *name != "help").map(|name| format!("longwire-{name}.1")).collect();
    assert!(expected.len() > 10, "{help}");
    expected.insert("longwire.1".into());
    let entries = fs::read_dir(folder.path()).expect("a folder").flatten();
    let found: BTreeSet<String> = entries.map(|entry| entry.file_name().into_string().expect("UTF-8")).collect();
    assert_eq!(found, expected);
    let page = fs::read_to_string(folder.path().join("longwire-sim.1")).expect("it is there");
    assert!(page.contains(".SH OPTIONS") && page.contains("virtual time"), "{page}");

    let nowhere = longwire(&["man", "/no/such/folder"]);
    let told = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(nowhere.status.code() == Some(2) && told.contains("cannot write to /no/such/folder"), "{told}");
}

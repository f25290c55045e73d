//! What people copy into their CI is well-formed, and does what it says.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::has;
use serde_json::Value;

fn repository(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn yaml(name: &str) -> Value {
    serde_saphyr::from_str(&repository(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn list<'a>(value: &'a Value, what: &str) -> &'a [Value] {
    value.as_array().unwrap_or_else(|| panic!("{what} is no list: {value}"))
}

fn names(value: &Value) -> BTreeSet<String> {
    value.as_object().unwrap_or_else(|| panic!("no map: {value}")).keys().cloned().collect()
}

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value.as_str().unwrap_or_else(|| panic!("{what} is no text: {value}"))
}

/// What stands behind `prefix` in a text.
fn mentioned(text: &str, prefix: &str) -> BTreeSet<String> {
    let name =
        |rest: &str| rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect::<String>();
    text.match_indices(prefix).map(|(at, _)| name(&text[at + prefix.len()..])).filter(|name| !name.is_empty()).collect()
}

/// Options of `longwire test` that a text uses, of those that it builds itself.
fn options(text: &str) -> BTreeSet<String> {
    let known = [
        "--junit",
        "--json",
        "--html",
        "--out",
        "--shard",
        "--retry-invalid",
        "--param",
        "--filter",
        "--sim",
        "--repeat",
        "--identical",
    ];
    known.into_iter().filter(|option| text.contains(option)).map(str::to_owned).collect()
}

#[test]
fn the_action_has_what_a_composite_action_needs() {
    let action = yaml("action.yml");
    text(&action["name"], "name");
    text(&action["description"], "description");
    assert_eq!(action["runs"]["using"], "composite");
    let written = repository("action.yml");
    assert_eq!(mentioned(&written, "inputs."), names(&action["inputs"]), "declared and used");
    for input in action["inputs"].as_object().expect("a map").values() {
        text(&input["description"], "an input's description");
        text(&input["default"], "an input's default: none is required");
    }
    let steps = list(&action["runs"]["steps"], "steps");
    let ids: BTreeSet<String> = steps.iter().filter_map(|step| step["id"].as_str()).map(str::to_owned).collect();
    assert_eq!(mentioned(&written, "steps."), ids);
    for step in steps {
        let name = text(&step["name"], "a step's name");
        match (&step["run"], &step["uses"]) {
            (Value::String(run), Value::Null) => {
                assert_eq!(step["shell"], "bash", "{name}");
                // What a workflow says reaches a shell through variables, and never as part of its text.
                assert!(!run.contains("${{"), "{name}");
                let parsed = Command::new("bash").args(["-n", "-c", run]).output().expect("bash");
                assert!(parsed.status.success(), "{name}: {}", String::from_utf8_lossy(&parsed.stderr));
            }
            (Value::Null, Value::String(uses)) => assert!(uses.contains('@'), "{name}: without a version"),
            other => panic!("{name}: {other:?}"),
        }
    }
    for output in action["outputs"].as_object().expect("a map").values() {
        let name = mentioned(text(&output["value"], "an output"), "outputs.").into_iter().next().expect("an output");
        assert!(written.contains(&format!("echo \"{name}=")), "nothing sets {name}");
    }
}

/// A program of the shell.
fn write_program(path: &Path, code: &str) {
    fs::write(path, format!("#!/bin/sh\n{code}\n")).expect("written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("ours");
}

/// A step of the action as GitHub starts it in a folder, and what it has put into its outputs.
fn step(id: &str, folder: &Path, variables: &[(&str, &str)]) -> (Output, String) {
    let action = yaml("action.yml");
    let steps = list(&action["runs"]["steps"], "steps");
    let step = steps.iter().find(|step| step["id"] == id).expect("the step");
    let outputs = folder.join("outputs");
    let mut command = Command::new("bash");
    command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", text(&step["run"], "run")]);
    command.current_dir(folder).env("RUNNER_TEMP", folder).env("GITHUB_OUTPUT", &outputs);
    command.env("GITHUB_ACTION_PATH", env!("CARGO_MANIFEST_DIR")).env("GITHUB_SERVER_URL", "https://server");
    if let Some(all) = step["env"].as_object() {
        command.envs(all.keys().map(|name| (name, "")));
    }
    command.envs(variables.iter().copied());
    let ended = command.output().expect("bash");
    (ended, fs::read_to_string(outputs).unwrap_or_default())
}

/// Runs the step that runs the scenarios, with a `longwire` that says what it was given and exits with `code`.
fn run_step(variables: &[(&str, &str)], code: i32) -> (Output, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("longwire");
    write_program(&program, &format!("printf '%s\\n' \"$@\" > \"$0.told\"\nexit {code}"));
    let longwire = [("LONGWIRE", program.to_str().expect("UTF-8"))];
    let (ended, outputs) = step("test", folder.path(), &[variables, &longwire].concat());
    (ended, fs::read_to_string(folder.path().join("longwire.told")).unwrap_or_default(), outputs)
}

/// With a release of this version that was made of commit 0123456789ab…, or with none.
#[test]
fn the_action_takes_the_released_program_where_there_is_one() {
    let run = |reference: &str, is_there: bool| {
        let folder = tempfile::tempdir().expect("a folder");
        let bin = folder.path().join("release/bin");
        fs::create_dir_all(&bin).expect("a folder");
        write_program(&bin.join("longwire"), "echo 'longwire 1.2.3 (0123456789ab)'");
        let serve = if is_there { "tar --create --gzip --directory release ." } else { "exit 22" };
        write_program(&folder.path().join("curl"), &format!("echo \"$@\" > asked\n{serve}"));
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a PATH"));
        let variables = [("REF", reference), ("REPOSITORY", "someone/longwire"), ("PATH", path.as_str())];
        let (ended, outputs) = step("released", folder.path(), &variables);
        assert!(ended.status.success(), "{reference}: {ended:?}");
        let unpacked = folder.path().join("longwire/bin/longwire").exists();
        assert_eq!(
            unpacked,
            !outputs.is_empty(),
            "{reference}: what is not taken is not left where the build installs"
        );
        (outputs, fs::read_to_string(folder.path().join("asked")).unwrap_or_default())
    };
    let commit = "0123456789abcdef0123456789abcdef01234567";
    for reference in ["v1", "v1.2.3", commit] {
        let (outputs, asked) = run(reference, true);
        assert_eq!(outputs, "found=yes\n", "{reference}");
        let url =
            concat!("https://server/someone/longwire/releases/download/v", env!("CARGO_PKG_VERSION"), "/longwire-");
        assert!(asked.contains(url), "{asked}");
        assert_eq!(run(reference, false).0, "", "{reference}: it is built then");
    }
    assert_eq!(run(&commit.replace('0', "f"), true).0, "", "a commit that was not released");
    for branch in ["main", "vnext", "", "0123456789ab"] {
        assert_eq!(run(branch, true), (String::new(), String::new()), "{branch}: nothing is asked for");
    }
}

/// Otherwise each job builds anew, or runs what another commit had.
#[test]
fn the_action_caches_by_what_is_built() {
    let folder = tempfile::tempdir().expect("a folder");
    let (ended, outputs) = step("sources", folder.path(), &[("ImageOS", "ubuntu24")]);
    assert!(ended.status.success() && ended.stderr.is_empty(), "{ended:?}");
    let values: Vec<&str> = outputs.lines().filter_map(|line| line.split_once('=')).map(|(_, value)| value).collect();
    let [program, kernel] = values[..] else { panic!("two keys: {outputs}") };
    assert!(program.starts_with("longwire-ubuntu24-") && kernel.starts_with("longwire-kernel-"), "{outputs}");
    assert!(values.iter().all(|key| key.rsplit('-').next().is_some_and(|sum| sum.len() == 16)), "{outputs}");
    let again = tempfile::tempdir().expect("a folder");
    assert_eq!(step("sources", again.path(), &[("ImageOS", "ubuntu24")]).1, outputs);
}

/// A key of the cache follows the sources of what is cached, and nothing else.
#[test]
fn the_keys_of_the_cache_follow_the_sources() {
    let sources = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(sources.path().join(name), text).expect("written");
    ["src", "kernel"].iter().for_each(|name| fs::create_dir(sources.path().join(name)).expect("a folder"));
    for name in ["src/x.rs", "kernel/x", "build.rs", "Cargo.toml", "Cargo.lock", "README.md"] {
        write(name, "one");
    }
    let keys = || {
        let folder = tempfile::tempdir().expect("a folder");
        let place = sources.path().to_str().expect("UTF-8");
        let (ended, outputs) = step("sources", folder.path(), &[("GITHUB_ACTION_PATH", place)]);
        assert!(ended.status.success(), "{ended:?}");
        outputs.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let first = keys();
    write("README.md", "two");
    assert_eq!(keys(), first);
    write("src/x.rs", "two");
    let second = keys();
    assert!(second[0] != first[0] && second[1] == first[1], "{first:?} {second:?}");
    write("kernel/x", "two");
    let third = keys();
    assert!(third[0] == second[0] && third[1] != second[1], "{second:?} {third:?}");
}

#[test]
fn the_action_passes_on_what_it_is_given_and_ends_as_longwire_does() {
    if !has("bash") {
        return;
    }
    let given = [
        ("SCENARIOS", "ci/*.yaml\nmore"),
        ("ARGS", "--param loss=5%"),
        ("SHARD", "2/3"),
        ("CLOCK", "live"),
        ("RETRY_INVALID", "1"),
    ];
    let (ended, told, outputs) = run_step(&given, 0);
    assert!(ended.status.success(), "{ended:?}");
    let words: Vec<&str> = told.lines().collect();
    assert_eq!(words[0], "test");
    assert_eq!(
        &words[words.len() - 8..],
        ["--param", "loss=5%", "--shard", "2/3", "--retry-invalid", "1", "ci/*.yaml", "more"]
    );
    let after = |option: &str| words[words.iter().position(|word| *word == option).expect(option) + 1];
    assert!(after("--junit").ends_with("/longwire-results/junit.xml"));
    assert!(outputs.contains("code=0\n") && outputs.contains("results="), "{outputs}");

    let (ended, told, outputs) =
        run_step(&[("SCENARIOS", "scenarios"), ("CLOCK", "virtual"), ("RETRY_INVALID", "2")], 3);
    assert_eq!(ended.status.code(), Some(3), "{ended:?}");
    assert!(told.ends_with("runs\n--sim\nscenarios\n"), "no empty words: {told}");
    assert!(!told.contains("--retry-invalid"), "nothing is INVALID there: {told}");
    assert!(outputs.contains("code=3\n"), "{outputs}");

    let (ended, told, outputs) = run_step(&[("SCENARIOS", "scenarios"), ("CLOCK", "vritual")], 0);
    assert_eq!((ended.status.code(), told.as_str()), (Some(2), ""), "{ended:?}");
    assert!(outputs.contains("code=2\n"), "{outputs}");
}

#[test]
fn options_that_the_kit_uses_are_there() {
    let help = Command::new(env!("CARGO_BIN_EXE_longwire")).args(["test", "--help"]).output().expect("longwire");
    if !help.status.success() {
        return crate::support::skip("this longwire has no `test`");
    }
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for name in ["action.yml", "ci/gitlab-ci.example.yml", "docs/ci.md"] {
        for option in options(&repository(name)) {
            assert!(help.contains(&option), "{name} uses {option}, which `longwire test` does not know");
        }
    }
}

#[test]
fn the_gitlab_example_is_a_pipeline() {
    let pipeline = yaml("ci/gitlab-ci.example.yml");
    let jobs = pipeline.as_object().expect("jobs");
    assert_eq!(jobs.len(), 1);
    for (name, job) in jobs {
        let script = list(&job["script"], "script");
        assert!(script.iter().any(|line| text(line, name).starts_with("longwire test --sim ")), "{name}");
        assert_eq!(job["artifacts"]["when"], "always", "{name}: reports of failed runs are kept too");
        let junit = text(&job["artifacts"]["reports"]["junit"], "junit");
        assert!(script.iter().any(|line| text(line, name).contains(&format!("--junit {junit}"))), "{name}");
        for path in list(&job["artifacts"]["paths"], "paths") {
            let path = text(path, "a path");
            assert!(script.iter().any(|line| text(line, name).contains(path)), "{name}: nothing writes {path}");
        }
    }
}

/// Files of the repository that a script names, each as it stands there.
fn scripts(run: &str) -> impl Iterator<Item = &str> {
    let words = run.split(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ';'));
    words.filter(|word| ["packaging/", "kernel/", "fuzz/", ".ci/"].iter().any(|folder| word.starts_with(folder)))
}

#[test]
fn the_workflows_run_what_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // so CI fails for what needs a newer one, and releases are built with what CI passed with
    let toolchain = format!("rustup default {}\n", env!("CARGO_PKG_RUST_VERSION"));
    for name in ["ci", "nightly", "release"] {
        let name = format!(".github/workflows/{name}.yml");
        let workflow = yaml(&name);
        assert!(repository(&name).contains(&toolchain), "{name} builds with the `rust-version` of Cargo.toml");
        for job in workflow["jobs"].as_object().expect("jobs").values() {
            text(&job["runs-on"], "runs-on");
            assert!(job["timeout-minutes"].is_u64(), "{name}: {job}");
            for step in list(&job["steps"], "steps") {
                assert_ne!(step["run"].is_string(), step["uses"].is_string(), "{name}: {step}");
                let run = step["run"].as_str().unwrap_or_default();
                let parsed = Command::new("bash").args(["-n", "-c", run]).output().expect("bash");
                assert!(parsed.status.success(), "{name}: {run}: {}", String::from_utf8_lossy(&parsed.stderr));
                for script in scripts(run) {
                    let mode = fs::metadata(root.join(script)).unwrap_or_else(|e| panic!("{name}: {script}: {e}"));
                    assert!(mode.permissions().mode() & 0o111 != 0, "{name}: {script} cannot be run");
                }
            }
        }
    }
    let workflow = yaml(".github/workflows/ci.yml");
    assert!(repository(".github/workflows/ci.yml").contains(".ci/run"));
    let action = &workflow["jobs"]["action"]["steps"][1];
    assert_eq!(action["uses"], "./");
    for input in names(&action["with"]) {
        assert!(names(&yaml("action.yml")["inputs"]).contains(&input), "the action knows no {input}");
    }
    let scenario = text(&action["with"]["scenarios"], "scenarios");
    assert!(root.join(scenario).exists(), "{scenario}");
}

/// What a workflow writes is published by jobs alone that may, and only for a tag.
#[test]
fn a_release_is_published_for_a_tag_alone() {
    let workflow = yaml(".github/workflows/release.yml");
    assert_eq!(workflow["permissions"], serde_json::json!({ "contents": "read" }));
    let jobs = workflow["jobs"].as_object().expect("jobs");
    for (name, job) in jobs {
        let publishes = name == "publish";
        assert_eq!(job["permissions"].is_object(), publishes, "{name}: more rights than it needs");
        assert_eq!(job["if"].as_str() == Some("github.ref_type == 'tag'"), publishes, "{name}");
        let runs: String = list(&job["steps"], name).iter().filter_map(|step| step["run"].as_str()).collect();
        assert_eq!(runs.contains("gh release") || runs.contains("docker push"), publishes, "{name}");
    }
}

/// Instructions of a Dockerfile, lines that go on joined.
fn instructions(dockerfile: &str) -> Vec<(String, String)> {
    let code: String =
        dockerfile.lines().filter(|line| !line.trim_start().starts_with('#')).fold(String::new(), |mut all, line| {
            match line.trim_end().strip_suffix('\\') {
                Some(begun) => all.push_str(begun),
                None => {
                    all.push_str(line);
                    all.push('\n');
                }
            }
            all
        });
    let split = |line: &str| line.split_once(' ').map(|(a, b)| (a.to_owned(), b.trim().to_owned()));
    code.lines().filter(|line| !line.trim().is_empty()).map(|line| split(line).expect("a word and more")).collect()
}

#[test]
fn the_dockerfile_copies_what_is_there_and_builds_with_the_right_rust() {
    let all = instructions(&repository("Dockerfile"));
    let known = ["FROM", "WORKDIR", "ARG", "COPY", "RUN", "ENTRYPOINT", "CMD"];
    assert!(all.iter().all(|(word, _)| known.contains(&word.as_str())), "{all:?}");
    let stages: Vec<&str> = all.iter().filter(|(word, _)| word == "FROM").map(|(_, rest)| rest.as_str()).collect();
    let [build, program, kernel, source, runtime] = stages[..] else { panic!("five stages: {stages:?}") };
    assert!(kernel.ends_with(" AS kernel") && source == "scratch AS kernel-source", "{stages:?}");
    assert_eq!(program, "scratch AS program");
    let version = env!("CARGO_PKG_RUST_VERSION");
    assert!(build.starts_with(&format!("rust:{version}-")) && build.ends_with(" AS build"), "{build}");
    // The program is linked with the build stage's C library: the other must not be older.
    assert!(runtime.contains("bookworm") && build.contains("bookworm"));
    for (word, rest) in &all {
        match word.as_str() {
            "RUN" => {
                let parsed = Command::new("sh").args(["-n", "-c", rest]).output().expect("sh");
                assert!(parsed.status.success(), "{rest}: {}", String::from_utf8_lossy(&parsed.stderr));
            }
            "COPY" => {
                let from = rest.split_whitespace().next().expect("a source");
                let there = Path::new(env!("CARGO_MANIFEST_DIR")).join(from).exists();
                assert!(["--from=build", "--from=kernel"].contains(&from) || there, "COPY {rest}");
            }
            "ENTRYPOINT" | "CMD" => drop(serde_json::from_str::<Vec<String>>(rest).expect("a list of words")),
            _ => {}
        }
    }
    assert!(repository(".dockerignore").lines().any(|line| line == "**/target"), "or the build is sent along");
}

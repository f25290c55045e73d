//! The command line: mistakes before anything runs, a machine that lacks something, and commands that need no network.

use std::process::Stdio;
use std::time::Duration;

use crate::support::{Lab, has, is_root};

const FIVE_MISTAKES: &str = "\
longwire: 1
nodes: { alice: host, bob: host }
links:
  wifi: { ends: [alice, bbo], dealy: 5ms, loss: 0.5, mtu: 40 }
workloads:
  fetch: { in: alcie, shell: \"touch it-ran\" }
";

#[test]
fn five_mistakes_are_told_with_their_places_and_nothing_runs() {
    let lab = Lab::without_hosts();
    lab.write("wrong.yaml", FIVE_MISTAKES);
    for command in ["run", "check"] {
        let ended = lab.run(&[command, "wrong.yaml"]);
        assert_eq!(ended.code, 2, "{}", ended.told());
        for place in ["4:25", "4:31", "4:49", "4:59", "6:16"] {
            assert!(ended.stderr.contains(&format!("wrong.yaml:{place}")), "{place} in:\n{}", ended.stderr);
        }
        // each with the line that it stands in
        assert!(ended.stderr.matches("  wifi: { ends: [alice, bbo], dealy: 5ms, loss: 0.5, mtu: 40 }").count() == 4);
        for words in ["did you mean `delay`", "did you mean `bob`", "did you mean `alice`", "5 errors"] {
            assert!(ended.stderr.contains(words), "{words} in:\n{}", ended.stderr);
        }
        assert!(ended.stdout.is_empty() && !ended.stderr.contains('\x1b'));
    }
    assert!(!lab.path("it-ran").exists());
}

#[test]
fn nothing_is_made_of_a_wrong_scenario() {
    if !has("strace") {
        return;
    }
    let lab = Lab::without_hosts();
    lab.write("wrong.yaml", FIVE_MISTAKES);
    let calls = "trace=unshare,setns,clone,clone3,fork,vfork,mount";
    let traced =
        lab.other("strace", &["-f", "-o", "calls", "-e", calls, env!("CARGO_BIN_EXE_longwire"), "run", "wrong.yaml"]);
    assert_eq!(lab.start(traced).wait().code, 2);
    let calls = lab.read("calls");
    assert!(calls.contains("exited with 2"), "{calls}");
    assert!(!calls.contains('('), "{calls}");
}

#[test]
fn a_descriptor_hears_when_a_run_is_up_and_is_closed_then() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b] } }
services: { slow: { in: b, shell: \"sleep 0.2; touch ready; echo up; exec sleep 100\", ready: { log: up } } }
workloads: { here: { in: a, shell: \"until test -e closed; do sleep 0.02; done\", timeout: 20s } }
",
    ) else {
        return;
    };
    // The workload ends when nobody has the descriptor any more, in hosts neither.
    let script = "\"$0\" run scenario.yaml --json report.json --ready-fd 3 3>&1 >/dev/null | \
                  { IFS= read -r line; test -e ready && printf %s \"$line\" > line; cat > rest; touch closed; }";
    let shell = lab.other("sh", &["-c", script, env!("CARGO_BIN_EXE_longwire")]);
    let ended = lab.start(shell).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    let report: serde_json::Value = serde_json::from_str(&lab.read("report.json")).expect("a report");
    assert_eq!(report["workloads"]["here"]["ok"], true, "{:#}", report["workloads"]);
    let line: serde_json::Value = serde_json::from_str(&lab.read("line")).expect("one line of JSON");
    assert_eq!((&line["event"], &line["hosts"]), (&"up".into(), &serde_json::json!(["a", "b"])));
    assert_eq!(line["run"], format!("scenario-{}", line["pid"]));
    assert_eq!(lab.read("rest"), "");
}

#[test]
fn a_descriptor_that_cannot_be_written_to_is_an_input_error() {
    let lab = Lab::without_hosts();
    lab.write(
        "scenario.yaml",
        "longwire: 1\nnodes: { a: host }\nworkloads: { w: { in: a, shell: \"touch it-ran\" } }\n",
    );
    for (redirection, fd, words) in [
        ("", "9", "descriptor 9 is not open"),
        ("9<scenario.yaml", "9", "for reading only"),
        ("", "1", "from 3 on"),
        ("", "-1", "from 3 on"),
    ] {
        let script = format!("exec \"$0\" run scenario.yaml --ready-fd={fd} 9<&- {redirection}");
        let ended = lab.start(lab.other("sh", &["-c", &script, env!("CARGO_BIN_EXE_longwire")])).wait();
        assert_eq!(ended.code, 2, "{}", ended.told());
        assert!(ended.stderr.contains(words) && ended.stdout.is_empty(), "{}", ended.told());
    }
    // In virtual time there is nobody to tell.
    assert_eq!(lab.run(&["sim", "scenario.yaml", "--ready-fd", "3"]).code, 2);
    assert!(!lab.path("it-ran").exists());
}

#[test]
fn wrong_arguments_and_files_are_input_errors() {
    let lab = Lab::without_hosts();
    let missing = lab.run(&["run", "missing.yaml"]);
    assert_eq!(missing.code, 2);
    assert!(missing.stderr.contains("missing.yaml") && missing.stderr.contains("No such file"), "{}", missing.stderr);
    for arguments in [
        &["fly"][..],
        &["run"],
        &["run", "--fast", "x"],
        &["check"],
        &["set"],
        &["set", "x"],
        &["exec"],
        &["completions", "x"],
    ] {
        assert_eq!(lab.run(arguments).code, 2, "{arguments:?}");
    }
    for (name, help) in [("wifi-por", "did you mean `wifi-poor`?"), ("pigeon", "`longwire profiles` lists them")] {
        let ended = lab.run(&["profiles", name]);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{}", ended.told());
        assert!(ended.stderr.contains(help), "{}", ended.stderr);
    }
    lab.write("empty.yaml", "");
    lab.write("tab.yaml", "longwire: 1\nnodes:\n\ta: host\n");
    std::fs::write(lab.path("bytes.yaml"), b"longwire: 1\n\xff\xfe").expect("written");
    for file in ["empty.yaml", "tab.yaml", "bytes.yaml", "."] {
        let ended = lab.run(&["check", file]);
        assert_eq!(ended.code, 2, "{file}: {}", ended.told());
        assert!(ended.stderr.contains(file) && ended.stderr.contains("1 error"), "{file}: {}", ended.stderr);
    }
}

#[test]
fn what_needs_no_network_prints_something_of_use() {
    let lab = Lab::without_hosts();
    let prints = |arguments: &[&str], parts: &[&str]| {
        let ended = lab.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.told());
        assert!(parts.iter().all(|part| ended.stdout.contains(part)), "{arguments:?}: {}", ended.stdout);
        ended.stdout
    };
    prints(&["--help"], &["run", "check", "exec", "set", "doctor", "Exit codes"]);
    let first = prints(&[], &["longwire demo", "longwire with lte", "longwire doctor"]);
    assert!(first.lines().all(|line| line.chars().count() <= 120), "{first}");
    prints(&["--version"], &[env!("CARGO_PKG_VERSION")]);
    prints(&["completions", "bash"], &["_longwire", "doctor"]);
    let profiles = prints(&["profiles"], &["wifi-poor", "dsl"]);
    let first = profiles.split_whitespace().next().expect("a profile");
    let scenario = prints(&["profiles", first], &["delay", "longwire: 1"]);
    lab.write("profile.yaml", &scenario);
    prints(&["check", "profile.yaml"], &["access"]);
    let schema: serde_json::Value = serde_json::from_str(&prints(&["schema"], &["{"])).expect("JSON");
    assert!(schema["properties"]["links"].is_object() && schema["properties"]["nodes"].is_object());

    lab.write(
        "good.yaml",
        "longwire: 1\nparams: { loss: 1% }\nnodes: { a: host, b: host }\n\
         links: { wire: { ends: [a, b], loss: $loss, rate: 5Mbit } }\nworkloads: { w: { in: a, command: [\"true\"] } }\n",
    );
    prints(&["check", "--plan", "good.yaml", "good.yaml"], &["wire", "1%", "5Mbit", "default"]);
    let short = prints(
        &["check", "good.yaml", "--param", "loss=7%"],
        &["hosts", "10.0.0.1", "loss 7%", "5Mbit", "`wire` has a `rate`"],
    );
    assert!(short.lines().count() < 12, "{short}");
    let both = prints(&["check", "--json", "good.yaml", "good.yaml"], &[]);
    let objects: Vec<serde_json::Value> = both.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(objects.len(), 2, "{both}");
    assert_eq!(
        (&objects[0]["ok"], objects[1]["links"][0]["asked"][0][0].as_str()),
        (&true.into(), Some("5Mbit")),
        "{both}"
    );
    lab.write("bad.yaml", "longwire: 1\nnodes: { a: host }\nlinks: { w: { ends: [a, bop] } }\n");
    let bad = lab.run(&["check", "--json", "bad.yaml"]);
    let told: serde_json::Value = serde_json::from_str(&bad.stdout).expect("JSON");
    assert_eq!((bad.code, bad.stderr.as_str(), &told["ok"]), (2, "", &false.into()));
    let error = &told["errors"][0];
    assert_eq!((error["file"].as_str(), error["line"].as_u64()), (Some("bad.yaml"), Some(3)), "{told}");
    assert_eq!(lab.run(&["check", "--json", "--plan", "good.yaml"]).code, 2, "one form at a time");
    assert_eq!(prints(&["check", "--quiet", "good.yaml"], &[]), "");
    assert_eq!(lab.run(&["check", "good.yaml", "--param", "los=7%"]).code, 2);
}

#[test]
fn doctor_says_what_is_there() {
    let lab = Lab::without_hosts();
    let ended = lab.run(&["doctor"]);
    assert!(matches!(ended.code, 0 | 4), "{}", ended.told());
    assert!(ended.stdout.contains("timer") && ended.stdout.contains("TAP"), "{}", ended.stdout);
    assert_eq!(ended.code == 4, ended.stdout.contains("FAIL"), "{}", ended.stdout);
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let lab = Lab::without_hosts();
    for arguments in [&["schema"][..], &["profiles"], &["completions", "zsh"], &["--help"]] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut command = lab.longwire(arguments);
        let output = command.stdout(Stdio::from(writer)).output().expect("run");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), told.as_ref()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_report_that_nobody_reads_is_no_error_either() {
    let Some(lab) = Lab::new(
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\n\
         workloads: { w: { in: a, command: [\"true\"] } }\n",
    ) else {
        return;
    };
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = lab.longwire(&["run", "scenario.yaml"]);
    let output = command.stdout(Stdio::from(writer)).output().expect("run");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 3)) && !told.contains("panicked"), "{told}");
}

const TWO_HOSTS: &str = "longwire: 1\nuse: [lib.yaml]\nnodes: { a: host, b: host }\n";

#[test]
fn what_cannot_be_written_is_told_before_anything_runs() {
    let lab = Lab::without_hosts();
    lab.write("lib.yaml", "links: { w: { ends: [a, b] } }\nworkloads: { x: { in: a, shell: \"touch it-ran\" } }\n");
    lab.write("scenario.yaml", TWO_HOSTS);
    lab.write("file", "");
    let refused = |arguments: &[&str], told: &str| {
        let ended = lab.run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{}", ended.told());
        assert!(ended.stderr.contains(told), "{told} in {}", ended.stderr);
        assert!(!lab.path("it-ran").exists());
    };
    for option in ["--json", "--html", "--series"] {
        let told = format!(
            "cannot write to none/x: No such file or directory; make none first, or name another path with {option}\n"
        );
        refused(&["run", "scenario.yaml", option, "none/x"], &told);
        refused(&["run", "scenario.yaml", option, "."], "cannot write to .: Is a directory; name another path with");
    }
    refused(&["run", "scenario.yaml", "--out", "file/out"], "cannot write to file/out: Not a directory");
    std::fs::create_dir_all(lab.path("old/report.txt")).expect("a folder");
    refused(&["run", "scenario.yaml", "--out", "old", "--force"], "report.txt: Is a directory");
    // a directory of somebody else's, and that of an older longwire
    lab.write("old/mine.txt", "mine");
    for command in ["run", "sim"] {
        refused(&[command, "scenario.yaml", "--out", "old"], "there are files in it, and no list of those");
    }
    refused(&["run", "scenario.yaml", "--out", "old"], "or add --force");
    std::fs::create_dir_all(lab.path("runs/scenario")).expect("a folder");
    lab.write("runs/scenario/mine.txt", "mine");
    refused(&["test", "scenario.yaml", "--out", "runs"], "cannot write to runs/scenario: there are files in it");
    assert_eq!((lab.read("old/mine.txt"), lab.read("runs/scenario/mine.txt")), ("mine".into(), "mine".into()));
    for (option, path) in [("--junit", "file/x"), ("--json", "file/x"), ("--html", "file/d"), ("--out", "file/d")] {
        refused(&["test", "scenario.yaml", option, path], "cannot write to file");
    }
    for (option, path) in [("--json", "none/x"), ("--svg", "none/x"), ("--dot", "none/x")] {
        refused(&["show", "--topology", "scenario.yaml", option, path], "cannot write to none/x");
    }
    refused(&["show", "scenario.yaml", "--svg", "file/d"], "cannot write to file/d");
}

#[test]
fn a_scenario_comes_from_standard_input_or_a_pipe() {
    let lab = Lab::without_hosts();
    lab.write("lib.yaml", "links: { w: { ends: [a, b] } }\n");
    lab.write("scenario.yaml", TWO_HOSTS);
    let piped = |line: &str| lab.start(lab.other("sh", &["-c", line])).wait();
    let longwire = env!("CARGO_BIN_EXE_longwire");
    let plan = lab.run(&["check", "--plan", "scenario.yaml"]).stdout;
    for file in ["-", "/dev/stdin", "/dev/fd/0"] {
        let ended = piped(&format!("cat scenario.yaml | {longwire} check --plan {file}"));
        assert_eq!(
            (ended.code, ended.stdout.replace("'<stdin>'", "scenario").replace("<stdin>", "scenario")),
            (0, plan.clone()),
            "{}",
            ended.told()
        );
    }
    // from another descriptor, and from a FIFO, to whose folder paths are relative
    for line in [
        "{ cat scenario.yaml | LONGWIRE check /dev/fd/3 3<&0; }",
        "mkdir -p deep; cp lib.yaml deep; mkfifo deep/fifo; cat scenario.yaml > deep/fifo & LONGWIRE check deep/fifo",
        "LONGWIRE show --topology - < scenario.yaml",
    ] {
        let ended = piped(&line.replace("LONGWIRE", longwire));
        assert_eq!(ended.code, 0, "{}", ended.told());
    }
    let wrong = piped(&format!("echo 'longwire: 2' | {longwire} check -"));
    assert!(wrong.code == 2 && wrong.stderr.contains("<stdin>:1:11"), "{}", wrong.told());
    for (line, told) in [
        ("LONGWIRE test - < scenario.yaml", "found `-`: each run of a suite reads its scenario again"),
        ("LONGWIRE run --retry-invalid 1 - < scenario.yaml", "a pipe is read once"),
        ("LONGWIRE check /dev/zero", "cannot read /dev/zero: expected at most 16MiB, found more"),
        ("LONGWIRE check - < /dev/zero", "cannot read <stdin>: expected at most 16MiB, found more"),
        ("printf 'longwire: 1\\nname: caf\\351' | LONGWIRE check -", "cannot read <stdin>: line 2, column 10"),
    ] {
        let ended = piped(&line.replace("LONGWIRE", longwire));
        assert_eq!(ended.code, 2, "{line}: {}", ended.told());
        assert!(ended.stderr.contains(told), "{told} in {}", ended.stderr);
    }
}

#[test]
fn a_scenario_that_never_comes_can_be_interrupted() {
    let lab = Lab::without_hosts();
    nix::unistd::mkfifo(&lab.path("fifo"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    for file in ["fifo", "-"] {
        let mut command = lab.longwire(&["run", file]);
        let mut child = command.stdin(Stdio::piped()).spawn().expect("longwire");
        let id = nix::unistd::Pid::from_raw(child.id() as i32);
        std::thread::sleep(Duration::from_millis(200));
        assert!(child.try_wait().expect("our child").is_none(), "it waits for {file}");
        nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGTERM).expect("it is there");
        let ended = (0..100).find_map(|_| {
            std::thread::sleep(Duration::from_millis(100));
            child.try_wait().expect("our child")
        });
        assert!(ended.is_some_and(|status| !status.success()), "SIGTERM ends it");
    }
}

#[test]
fn paths_inside_scenarios_lead_to_regular_files() {
    let lab = Lab::without_hosts();
    nix::unistd::mkfifo(&lab.path("fifo"), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let base = "longwire: 1\nnodes: { a: host, b: host }\nlinks: { w: { ends: [a, b], LINK } }\n";
    for path in ["fifo", "/dev/zero"] {
        for text in [
            format!("{base}use: [{path}]\n").replace(", LINK", ""),
            base.replace("LINK", &format!("loss: {{ trace: {path} }}")),
            base.replace("LINK", &format!("delay: {{ samples: {path} }}")),
            base.replace("LINK", &format!("rate: {{ trace: {path} }}")),
            format!("{base}import: {{ graph: {path}, format: gml }}\n").replace(", LINK", ""),
        ] {
            lab.write("scenario.yaml", &text);
            let ended = lab.run(&["check", "scenario.yaml"]);
            let found = if path == "fifo" { "a FIFO" } else { "a device" };
            assert_eq!(ended.code, 2, "{}", ended.told());
            let told = format!("cannot read {path}: expected a regular file, found {found}");
            assert!(ended.stderr.contains(&told), "{told} in {}", ended.stderr);
        }
    }
}

#[test]
fn without_tun_the_cure_is_told() {
    if !is_root() || !["unshare", "mount"].into_iter().all(has) {
        return;
    }
    let Some(lab) = Lab::new(
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\n\
         workloads: { w: { in: a, shell: \"touch it-ran\" } }\n",
    ) else {
        return;
    };
    let without = |arguments: &str| {
        let script = format!("mount -t tmpfs none /dev/net && exec {} {arguments}", env!("CARGO_BIN_EXE_longwire"));
        lab.start(lab.other("unshare", &["-m", "sh", "-c", &script])).wait()
    };
    let ended = without("run scenario.yaml --out out");
    assert_eq!(ended.code, 4, "{}", ended.told());
    assert!(ended.stderr.contains("/dev/net/tun") && ended.stderr.contains("modprobe tun"), "{}", ended.stderr);
    assert!(ended.took < Duration::from_secs(60) && !lab.path("it-ran").exists());
    assert!(lab.read("out/report.txt").contains("/dev/net/tun"));
    let doctor = without("doctor");
    assert_eq!(doctor.code, 4, "{}", doctor.told());
    assert!(doctor.stdout.contains("FAIL") && doctor.stdout.contains("modprobe tun"), "{}", doctor.stdout);
}

#[test]
fn a_parameter_has_one_value_in_a_run() {
    let lab = Lab::without_hosts();
    let text =
        "longwire: 1\nparams: { d: 1ms }\nnodes: { a: host, b: host }\nlinks: { w: { ends: [a, b], delay: $d } }\n";
    lab.write("scenario.yaml", &format!("{text}duration: 1s\n"));
    for command in ["run", "check", "sim", "show"] {
        let ended = lab.run(&[command, "scenario.yaml", "--param", "d=2ms", "--param", "d=3ms"]);
        assert_eq!(ended.code, 2, "{}", ended.told());
        assert!(ended.stderr.contains("expected --param d once, found `2ms` and `3ms`"), "{}", ended.stderr);
    }
    // for a suite they are two runs
    let listed = lab.run(&["test", "--list", "scenario.yaml", "--param", "d=2ms", "--param", "d=3ms"]);
    assert!(listed.code == 0 && listed.stdout.matches("--param d=").count() == 2, "{}", listed.told());
}

#[test]
fn whoever_called_sudo_must_be_somebody() {
    if !is_root() {
        return;
    }
    let lab = Lab::without_hosts();
    lab.write("lib.yaml", "links: { w: { ends: [a, b] } }\nworkloads: { x: { in: a, shell: \"id -u > it-ran\" } }\n");
    lab.write("scenario.yaml", TWO_HOSTS);
    for id in ["4294967295", "99999999999", "-1", "nobody"] {
        let mut command = lab.longwire(&["run", "scenario.yaml"]);
        command.env("SUDO_UID", id).env("SUDO_GID", "0");
        let ended = lab.start(command).wait();
        assert_eq!(ended.code, 2, "{}", ended.told());
        let told = format!("expected an id from 0 to 4294967294 in SUDO_UID, found `{id}`");
        assert!(ended.stderr.contains(&told) && !lab.path("it-ran").exists(), "{}", ended.stderr);
    }
}

#[test]
fn a_low_limit_of_open_files_is_named() {
    let Some(lab) = Lab::new(TWO_HOSTS) else { return };
    lab.write("lib.yaml", "links: { w: { ends: [a, b] } }\nworkloads: { x: { in: a, shell: \"true\" } }\n");
    let longwire = env!("CARGO_BIN_EXE_longwire");
    let mut met = 0;
    for limit in 6..32 {
        let line = format!("ulimit -n {limit}; exec {longwire} run scenario.yaml");
        let ended = lab.start(lab.other("bash", &["-c", &line])).wait();
        if ended.passed_or_was_late() {
            continue;
        }
        met += 1;
        assert!(ended.told().contains("ulimit -n"), "with {limit}: {}", ended.told());
    }
    assert!(met > 5, "{met} limits were too low");
}

/// /dev/full refuses every byte, as a full disk does.
#[test]
fn what_could_not_be_written_is_no_success() {
    let lab = Lab::without_hosts();
    lab.write("lib.yaml", "links: { w: { ends: [a, b] } }\n");
    lab.write("scenario.yaml", TWO_HOSTS);
    lab.write("suite.yaml", &format!("{TWO_HOSTS}duration: 1s\n"));
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("a device");
    let lines = [
        "check scenario.yaml",
        "show scenario.yaml",
        "show --topology scenario.yaml",
        "show scenario.yaml --json -",
        "test suite.yaml --list",
        "profiles",
        "profiles lte",
        "schema",
        "completions bash",
    ];
    for line in lines {
        let mut command = lab.longwire(&line.split(' ').collect::<Vec<_>>());
        let output = command.stdout(Stdio::from(full())).output().expect("longwire");
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{line}: {told}");
        assert!(told.contains("cannot write to standard output: No space left"), "{line}: {told}");
        assert_eq!(told.lines().count(), 1, "{told}");
    }
    for line in ["show scenario.yaml --json /dev/full", "show --topology scenario.yaml --svg /dev/full"] {
        let ended = lab.run(&line.split(' ').collect::<Vec<_>>());
        assert!(ended.code != 0 && ended.stderr.contains("cannot write to /dev/full"), "{}", ended.told());
    }
}

#[test]
fn a_run_whose_report_could_not_be_written_is_no_success() {
    let Some(lab) = Lab::new(
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { w: { ends: [a, b] } }\n\
         workloads: { x: { in: a, shell: \"echo said\" } }\n",
    ) else {
        return;
    };
    for option in ["--json", "--html", "--series"] {
        let ended = lab.run(&["run", "scenario.yaml", option, "/dev/full"]);
        assert_eq!(ended.code, 4, "{}", ended.told());
        assert!(ended.stderr.contains("cannot write to /dev/full: No space left"), "{}", ended.told());
    }
    for arguments in [&["run", "scenario.yaml"][..], &["run", "scenario.yaml", "--json", "-"]] {
        let full = std::fs::File::options().write(true).open("/dev/full").expect("a device");
        let output = lab.longwire(arguments).stdout(Stdio::from(full)).output().expect("longwire");
        // 3 where this machine was late: that is told in any case
        assert!(matches!(output.status.code(), Some(3 | 4)), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to standard output"), "{output:?}");
    }
}

#[test]
fn what_a_command_line_or_a_file_holds_is_shown_with_escapes() {
    let lab = Lab::without_hosts();
    let name = "a\x1b[2J\nerror: forged\u{202e}.yaml";
    lab.write(name, "longwire: 1\nname: [\u{9b}]\nnodes: { a: host }\nlinks: { \"x\\u202ey\": { ends: [a, b] } }\r\n");
    let plain = |text: &str| text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}');
    for arguments in [&["check", name][..], &["run", name], &["run", "scenario.yaml", "--param", name], &["set", name]]
    {
        let ended = lab.run(arguments);
        assert!(ended.code != 0 && plain(&ended.stderr) && plain(&ended.stdout), "{:?}", ended.told());
        assert!(!ended.stderr.lines().any(|line| line.starts_with("error: forged")), "{}", ended.told());
    }
    let ended = lab.run(&["check", name]);
    assert!(ended.stderr.contains("a\\x1b[2J\\nerror: forged\\u{202e}.yaml"), "{}", ended.told());
}

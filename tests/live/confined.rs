//! What the process of a live run may do once it is set up: nothing but run. And what is done by the processes beside it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt as _;

use crate::support::report::reasons;
use crate::support::{Lab, Started, has, is_root, open_copy, skip, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Every kind of thread: the engine's at a real-time priority, captures, the event log.
const BUSY: &str = "\
longwire: 1
duration: 100s
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], delay: 1ms, rate: 50Mbit, loss: 1% } }
capture: { links: [wire], keep: always }
timing: { priority: 10, spin: 20us }
services: { stay: { in: b, shell: \"echo up; exec sleep 100\", ready: { log: up } } }
workloads:
  here: { in: a, shell: \"grep NoNewPrivs /proc/self/status > gained; touch up; exec sleep 100\" }
  rtt:  { ping: { from: a, to: b, every: 20ms } }
timeline:
  - { at: 100ms, set: { wire: { loss: 2% } }, mark: worse }
  - { at: 200ms, run: { in: b, shell: \"true\" } }
";

/// `/proc/PID/status` of a process or thread, by the names of its lines.
fn status(path: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(format!("{path}/status")).unwrap_or_default();
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// Asserts that no thread of a process has any right; their names.
fn assert_confined(pid: u32, bounding: bool) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    let mut names = Vec::new();
    for task in tasks {
        let task = task.expect("listed").path();
        let status = status(&task.display().to_string());
        let told = format!("{status:#?}");
        for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
            assert_eq!(status[set], "0000000000000000", "{set}: {told}");
        }
        if bounding {
            assert_eq!(status["CapBnd"], "0000000000000000", "{told}");
        }
        assert_eq!(status["NoNewPrivs"], "1", "{told}");
        assert_eq!(status["Seccomp"], "2", "{told}");
        names.push(status["Name"].clone());
    }
    names
}

/// The processes that a process has forked, by their effective capabilities.
fn children(pid: u32) -> Vec<(Pid, u64)> {
    let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    let paths = entries.map(|entry| entry.path().display().to_string());
    let mut found = Vec::new();
    for path in paths {
        let status = status(&path);
        if status.get("PPid").is_some_and(|parent| *parent == pid.to_string()) {
            let child = Pid::from_raw(status["Pid"].parse().expect("a number"));
            found.push((child, u64::from_str_radix(&status["CapEff"], 16).expect("hexadecimal")));
        }
    }
    found
}

#[test]
fn no_thread_of_a_run_has_any_right_as_root_and_as_a_normal_user() {
    let Some(lab) = Lab::new(BUSY) else { return };
    let copy = open_copy(&lab);
    let root = nix::unistd::geteuid().is_root();
    for nobody in if root { &[false, true][..] } else { &[false] } {
        let _ = (fs::remove_file(lab.path("up")), fs::remove_file(lab.path("gained")));
        let out = format!("out-{nobody}");
        let mut command = lab.other(&copy, &["run", "scenario.yaml", "--json", "-", "--out", &out]);
        if *nobody {
            command.uid(65_534).gid(65_534);
            if lab
                .start({
                    let mut doctor = lab.other(&copy, &["doctor"]);
                    doctor.uid(65_534).gid(65_534);
                    doctor
                })
                .wait()
                .code
                != 0
            {
                skip("a normal user can make no hosts here");
                continue;
            }
        }
        let run = lab.start(command);
        lab.until_file("up");
        let privileged = root && !nobody;
        // programs of a normal user may gain what ping and sudo need
        assert_eq!(lab.read("gained").trim().ends_with('1'), privileged);
        let names = assert_confined(run.pid(), privileged);
        assert!(names.iter().any(|name| name == "longwire-engine"), "{names:?}");
        assert!(names.iter().any(|name| name == "longwire-captur"), "{names:?}");
        for task in fs::read_dir(format!("/proc/{}/task", run.pid())).expect("it runs") {
            let stat = fs::read_to_string(task.expect("listed").path().join("stat")).expect("a thread");
            // proc_pid_stat(5): `policy` is the 41st field, the 39th behind the name
            let policy = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(38)).expect("a field");
            let engine = stat.contains("(longwire-engine)");
            assert_eq!(policy == "1", engine && privileged, "SCHED_FIFO: {stat}");
        }
        // who opens files has the right to do so as root, and nobody has more than init
        assert!(children(run.pid()).iter().any(|(_, rights)| *rights == if privileged { 0b1010 } else { 0 }));
        run.signal(Signal::SIGINT);
        let ended = run.wait();
        assert_eq!(ended.code, 130, "{}", ended.told());
        let report = ended.json();
        let confinement = &report["confinement"];
        assert_eq!((&confinement["no_new_privs"], &confinement["seccomp"]), (&true.into(), &true.into()));
        assert_eq!(confinement["capabilities"], serde_json::json!([]));
        assert_eq!(confinement["refused_calls"], serde_json::Value::Null, "{confinement}");
        // what it reads about itself it can still read
        let delay = &report["validity"]["measured"]["run_delay"];
        assert_eq!(delay.is_number(), fs::exists("/proc/self/schedstat").expect("/proc"), "{}", report["validity"]);
        let refused = report["timing"]["refused"].as_array().map_or(0, Vec::len);
        assert!(!privileged || refused == 0, "{}", report["timing"]);
        assert!(lab.read(&format!("{out}/report.txt")).contains("confinement: no capabilities, no_new_privs, seccomp"));
        assert!(lab.path(&format!("{out}/captures/wire.pcapng")).is_file());
        let doctor = lab.run(&["doctor"]).stdout;
        assert!(doctor.contains("confinement"), "{doctor}");
        assert_eq!(confinement["landlock"] == "none", doctor.contains("no Landlock"), "{doctor}");
    }
}

#[test]
fn a_run_makes_no_call_that_is_refused() {
    if !has("strace") {
        return;
    }
    let Some(lab) = Lab::new(BUSY) else { return };
    let longwire = env!("CARGO_BIN_EXE_longwire");
    let words =
        ["-f", "-qq", "-e", "trace=none", "-o", "calls", longwire, "run", "scenario.yaml", "--json", "report.json"];
    let more = ["--out", "out", "--html", "page.html", "--series", "series.csv", "--verbose"];
    let run = lab.start(lab.other("strace", &words.into_iter().chain(more).collect::<Vec<_>>()));
    lab.until_file("up");
    lab.write("table.csv", "time,delay\n0s,2ms\n1s,3ms\n");
    let elsewhere = tempfile::tempdir().expect("a folder");
    let name = names_of_runs(&lab).pop().expect("a run");
    for words in [
        &["ps"][..],
        &["status", &name],
        &["set", &name, "wire.loss=3%", "wire.delay.jitter=100us"],
        &["set", &name, "wire.delay={ trace: table.csv }"],
        &["set", &name, "wire=down"],
        &["set", &name, "wire=up"],
    ] {
        // the client reads what the change names; where it stands does not matter
        let output = lab.longwire(words).current_dir(elsewhere.path()).output().expect("run");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let unread = lab.longwire(&["set", &name, "wire.delay={ trace: none.csv }"]).output().expect("run");
    assert_eq!(unread.status.code(), Some(2));
    let told = String::from_utf8_lossy(&unread.stderr).into_owned();
    assert!(told.contains("none.csv") && told.contains("No such file"), "{told}");
    assert!(lab.longwire(&["exec", &format!("{name}/a"), "--", "true"]).status().expect("run").success());
    // strace passes it on
    let traced: Vec<Pid> = children(run.pid()).into_iter().map(|(pid, _)| pid).collect();
    kill(traced[0], Signal::SIGINT).expect("our grandchild");
    let ended = run.wait();
    assert_eq!(ended.code, 130, "{}", ended.told());
    let calls = lab.read("calls");
    let refused: Vec<&str> = calls.lines().filter(|line| line.contains("--- SIGSYS")).collect();
    assert!(refused.is_empty(), "{refused:#?}");
    let report: serde_json::Value = serde_json::from_str(&lab.read("report.json")).expect("a report");
    assert_eq!(report["confinement"]["seccomp"], true);
    assert_eq!(report["confinement"]["refused_calls"], serde_json::Value::Null, "{}", report["confinement"]);
    assert!(lab.read("series.csv").lines().count() > 1 && lab.read("page.html").contains("<html"));
}

/// The runs that `longwire ps` lists.
fn names_of_runs(lab: &Lab) -> Vec<String> {
    let output = lab.longwire(&["ps", "--json"]).output().expect("run");
    let runs: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let runs = runs["runs"].as_array().or(runs.as_array()).expect("a list").clone();
    runs.iter().filter_map(|run| run["name"].as_str().map(str::to_owned)).collect()
}

#[test]
fn root_without_rights_still_writes_where_another_user_wants_its_output() {
    if !is_root() {
        return;
    }
    let scenario = "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], loss: 100% } }
capture: { links: [wire], keep: on-fail }
workloads:
  say: { in: a, shell: \"echo hello\" }
  rtt: { ping: { from: a, to: b, count: 2, every: 10ms, timeout: 50ms } }
expect: [ rtt.received == 2 ]
";
    let Some(lab) = Lab::new(scenario) else { return };
    for mode in [0o755, 0o700] {
        let home = format!("home-{mode:o}");
        fs::create_dir(lab.path(&home)).expect("made");
        chown(lab.path(&home), Some(65_534), Some(65_534)).expect("root may");
        fs::set_permissions(lab.path(&home), fs::Permissions::from_mode(mode)).expect("root may");
        let file = |name: &str| format!("{home}/{name}");
        // a directory that is there, and files in one that is
        let out = file("out");
        fs::create_dir(lab.path(&out)).expect("made");
        chown(lab.path(&out), Some(65_534), Some(65_534)).expect("root may");
        fs::set_permissions(lab.path(&out), fs::Permissions::from_mode(mode)).expect("root may");
        let (json, html, series) = (file("r.json"), file("r.html"), file("r.csv"));
        let ended =
            lab.run(&["run", "scenario.yaml", "--out", &out, "--json", &json, "--html", &html, "--series", &series]);
        assert_eq!(ended.code, 1, "{}", ended.told());
        assert_eq!(ended.stderr, "", "{}", ended.told());
        let report: serde_json::Value = serde_json::from_str(&lab.read(&json)).expect("a report");
        assert!(reasons(&report).contains("rtt"), "{}", reasons(&report));
        for name in ["report.json", "report.txt", "report.html", "events.jsonl", "captures/wire.pcapng"] {
            assert!(fs::metadata(lab.path(&file(&format!("out/{name}")))).is_ok_and(|f| f.len() > 0), "{name}");
        }
        assert_eq!(lab.read(&file("out/programs/say.log")), "hello\n");
        assert!(lab.read(&file("out/report.html")).contains("hello"), "the page has what programs said");
        assert!(!lab.path(&file("out/captures/wire.pcapng.part")).exists());
        assert!(lab.read(&html).contains("<html") && lab.read(&series).lines().count() >= 1);
    }
}

/// A run at an external machine, which is a TAP that somebody has made.
fn at_a_tap(lab: &Lab) -> (Started, u32) {
    let words = [
        "-n",
        "sh",
        "-c",
        "ip link set lo up; ip tuntap add lw0 mode tap; ip link set lw0 txqueuelen 77; \
         \"$0\" run scenario.yaml --json report.json --out out; code=$?; ip -o link show lw0 > after; exit $code",
    ];
    let run =
        lab.start(lab.other("unshare", &words.into_iter().chain([env!("CARGO_BIN_EXE_longwire")]).collect::<Vec<_>>()));
    lab.until_file("up");
    let longwire = children(run.pid()).first().expect("unshare becomes a shell, which starts longwire").0;
    (run, longwire.as_raw() as u32)
}

const AT_A_TAP: &str = "\
longwire: 1
nodes: { a: { host: { addresses: [10.0.0.1/24] } }, b: host, box: { external: { tap: lw0, addresses: [10.0.0.9/24] } }, sw: switch }
links: { x: { ends: [a, sw] }, y: { ends: [b, sw] }, z: { ends: [box, sw] } }
workloads:
  here: { in: a, shell: \"touch up; exec sleep 2\" }
  rtt:  { ping: { from: a, to: b, every: 20ms, count: 50 } }
expect: [ rtt.received > 0 ]
";

/// Rights by which the processes beside a run of root's are told from each other: CAP_NET_ADMIN; CAP_DAC_OVERRIDE and CAP_FOWNER.
const KEEPER: u64 = 1 << 12;
const OPENER: u64 = 0b1010;

#[test]
fn the_keeper_has_one_right_for_a_tap_and_gives_the_tap_back() {
    if !is_root() || !has("unshare") || !has("ip") {
        return;
    }
    let Some(lab) = Lab::new(AT_A_TAP) else { return };
    let (run, longwire) = at_a_tap(&lab);
    assert_confined(longwire, true);
    let keeper = children(longwire).into_iter().find(|(_, rights)| *rights == KEEPER).expect("a keeper").0;
    let of_keeper = status(&format!("/proc/{keeper}"));
    assert_eq!((of_keeper["NoNewPrivs"].as_str(), of_keeper["CapBnd"].as_str()), ("1", "0000000000001000"));
    let ended = run.wait();
    ended.assert_passed_or_late();
    let report: serde_json::Value = serde_json::from_str(&lab.read("report.json")).expect("a report");
    assert!(report["workloads"]["rtt"]["received"].as_u64() > Some(0));
    let after = lab.read("after");
    assert!(after.contains("qlen 77") && after.contains("state DOWN"), "as its owner had it: {after}");
}

#[test]
fn a_run_whose_helpers_are_killed_goes_on_or_says_why_not_and_leaves_nothing() {
    if !is_root() || !has("unshare") || !has("ip") {
        return;
    }
    let Some(lab) = Lab::new(AT_A_TAP) else { return };
    for (victim, code) in [(KEEPER, None), (OPENER, Some(4))] {
        let _ = fs::remove_file(lab.path("up"));
        let _ = fs::remove_dir_all(lab.path("out"));
        let (run, longwire) = at_a_tap(&lab);
        let found =
            children(longwire).into_iter().find(|(_, rights)| *rights == victim).expect("a process beside it").0;
        kill(found, Signal::SIGKILL).expect("our grandchild");
        // nothing of it is left, asserts the lab
        let ended = run.wait();
        let report: serde_json::Value = serde_json::from_str(&lab.read("report.json")).expect("a report");
        assert!(report["workloads"]["rtt"]["received"].as_u64() > Some(0), "{}", ended.told());
        match code {
            Some(code) => {
                assert_eq!(ended.code, code, "{}", ended.told());
                assert!(ended.stderr.contains("the process for it has ended"), "{}", ended.told());
            }
            None => ended.assert_passed_or_late(),
        }
    }
}

#[test]
fn a_signal_to_whoever_waits_for_attempts_ends_the_attempt() {
    let Some(lab) = Lab::new(&BUSY.replace("timing: { priority: 10, spin: 20us }\n", "")) else { return };
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let _ = fs::remove_file(lab.path("up"));
        let run = lab.start_run(&["--json", "-", "--retry-invalid", "3"]);
        lab.until_file("up");
        let attempt = children(run.pid()).first().expect("an attempt").0;
        assert_confined(attempt.as_raw() as u32, nix::unistd::geteuid().is_root());
        // twice at once, as timeout(1) does, is once
        run.signal(signal);
        run.signal(signal);
        let ended = run.wait();
        assert_eq!(ended.code, 130, "{}", ended.told());
        assert_eq!(ended.json()["verdict"], "interrupted");
    }
    // and with whoever waits the attempt is gone
    let _ = fs::remove_file(lab.path("up"));
    let run = lab.start_run(&["--retry-invalid", "3"]);
    lab.until_file("up");
    run.signal(Signal::SIGKILL);
    until("the attempt is gone", || lab.traces().processes.is_empty());
    assert_eq!(run.wait().code, 128 + 9);
}

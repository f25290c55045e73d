//! Suites: verdicts of many runs, their exit codes, what is left for CI, and that no run is lost or outlives its suite.

use std::fs;
use std::time::Duration;

use crate::support::{Ended, Lab, Started, has, is_root, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

fn scenario(head: &str, workload: &str) -> String {
    format!(
        "longwire: 1\n{head}nodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], delay: 1ms }} }}\n\
         workloads:\n  w: {workload}\n"
    )
}

fn pass() -> String {
    scenario("name: Good\n", "{ in: a, command: [\"true\"] }")
}

/// A program that cannot be started fails on any machine, however slow.
fn fail() -> String {
    scenario("name: Bad\n", "{ in: a, command: [no-such-program-anywhere] }")
}

/// No machine is never late by a nanosecond.
fn invalid() -> String {
    scenario("name: Slow\nvalidity: { lateness_p99: 1ns }\n", "{ ping: { from: a, to: b, every: 10ms, count: 10 } }")
}

/// A folder `ci` with these files, or nothing where there can be no hosts.
fn suite(files: &[(&str, &str)]) -> Option<Lab> {
    let lab = Lab::new(&pass())?;
    folder(&lab, files);
    Some(lab)
}

fn folder(lab: &Lab, files: &[(&str, &str)]) {
    fs::create_dir(lab.path("ci")).expect("made");
    for (name, text) in files {
        lab.write(&format!("ci/{name}"), text);
    }
    // programs of a scenario start in its folder, as whoever runs it
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(lab.path("ci"), fs::Permissions::from_mode(0o777)).expect("ours");
}

fn json(lab: &Lab, name: &str) -> Value {
    serde_json::from_str(&lab.read(name)).expect("JSON")
}

fn verdicts(summary: &Value) -> Vec<(String, String)> {
    let text = |run: &Value, key: &str| run[key].as_str().expect("text").to_owned();
    let runs = summary["runs"].as_array().expect("runs");
    runs.iter().map(|run| (text(run, "file"), text(run, "verdict"))).collect()
}

/// The first child of a suite: the run.
fn run_of(suite: &Started) -> Pid {
    let pid = suite.pid();
    // it has others too, which clean up after it
    let run = || {
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        let is_run = |pid: &&str| {
            fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains("--parent="))
        };
        children.split_whitespace().find(is_run).and_then(|pid| pid.parse().ok())
    };
    until("the suite has started a run", || run().is_some());
    Pid::from_raw(run().expect("it runs for long"))
}

/// Runs the suite, in virtual time where there is a kernel for it; then all of it must pass.
fn passes(lab: &Lab, options: &[&str]) {
    let simulates = longwire::sim::kernel::find().is_ok();
    let clock = if simulates { &["--sim"][..] } else { &[] };
    let ended = lab.run(&[&["test", "ci"], clock, options].concat());
    assert!(ended.code == 0 || (!simulates && ended.passed_or_was_late()), "{}", ended.told());
}

fn ends_with(ended: &Ended, code: i32) {
    assert_eq!(ended.code, code, "{}", ended.told());
}

#[test]
fn each_run_has_its_verdict_and_the_worst_is_the_exit_code() {
    let endless = pass().split("workloads").next().map(str::to_owned).expect("a beginning");
    let files = [("pass.yaml", &pass()), ("fail.yaml", &fail()), ("invalid.yaml", &invalid()), ("up.yaml", &endless)];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let Some(lab) = suite(&files) else { return };
    lab.write("ci/lib.yaml", "nodes: { c: host }\n");
    let files = ["--junit", "out/junit.xml", "--json", "out/suite.json", "--out", "out", "--html", "pages"];
    let ended = lab.run(&[&["test", "ci"], &files[..]].concat());
    ends_with(&ended, 1);
    let summary = json(&lab, "out/suite.json");
    let verdicts = verdicts(&summary);
    let of = |file: &str| verdicts.iter().find(|(f, _)| f == file).map(|(_, verdict)| verdict.as_str());
    assert_eq!((of("ci/fail.yaml"), of("ci/invalid.yaml")), (Some("fail"), Some("invalid")), "{}", ended.told());
    assert!(matches!(of("ci/pass.yaml"), Some("pass" | "invalid")), "{}", ended.told());
    assert_eq!(summary["exit"], 1);
    assert_eq!(summary["skipped"][0]["file"], "ci/up.yaml");

    // for people: a line a run, then what is not good with the failure first and the command of each
    for words in ["3 runs", "1 YAML file without `longwire:`", "SKIPPED  ci/up.yaml", "FAIL     Bad", "INVALID  Slow"] {
        assert!(ended.stdout.contains(words), "{words} in:\n{}", ended.stdout);
    }
    let (_, end) = ended.stdout.split_once("\n\n").expect("a summary");
    assert!(end.starts_with("FAIL     Bad"), "{end}");
    assert!(end.contains("no-such-program-anywhere") && end.contains("longwire run ci/fail.yaml --seed 1"), "{end}");
    assert!(!ended.stdout.contains('\x1b') && ended.stderr.is_empty(), "{}", ended.told());

    // for CI servers
    let xml = lab.read("out/junit.xml");
    assert_eq!(crate::support::junit::violations(&xml), [""; 0], "{xml}");
    let document = roxmltree::Document::parse(&xml).expect("XML");
    let in_suite = |file: &str, element: &str| {
        let suite = document.descendants().find(|n| n.has_tag_name("testsuite") && n.attribute("file") == Some(file));
        suite.expect("a suite").descendants().find(|n| n.has_tag_name(element)).map(|n| n.attribute("message"))
    };
    let told = in_suite("ci/fail.yaml", "failure").flatten().expect("a message");
    assert!(told.contains("no-such-program-anywhere"), "{told}");
    assert!(in_suite("ci/invalid.yaml", "error").is_some() && in_suite("ci/invalid.yaml", "failure").is_none());
    assert!(in_suite("ci/fail.yaml", "system-out").is_some() && in_suite("ci/up.yaml", "skipped").is_some());

    // what explains a run, and the command that repeats it
    let report = summary["runs"][0]["report"].as_str().expect("its report");
    assert_eq!(json(&lab, report)["verdict"], "fail");
    assert!(lab.read("out/ci-fail/command.txt").contains("--seed 1"));
    assert_eq!(summary["runs"][0]["html"], "pages/ci-fail.html");
    let index = lab.read("pages/index.html");
    for page in ["ci-fail.html", "ci-invalid.html", "ci-pass.html"] {
        assert!(
            index.contains(&format!("href=\"./{page}\"")) && lab.path(&format!("pages/{page}")).is_file(),
            "{page}"
        );
    }
    assert!(lab.read("pages/ci-fail.html").contains("no-such-program-anywhere"));
    let command = summary["runs"][0]["command"].as_str().expect("a command");
    let words: Vec<&str> = command.split(' ').skip(1).collect();
    ends_with(&lab.run(&words), 1);

    // fewer of them
    ends_with(&lab.run(&["test", "ci/inv*.yaml"]), 3);
    ends_with(&lab.run(&["test", "ci", "--filter", "Slow"]), 3);
    lab.run(&["test", "ci/pass.yaml"]).assert_passed_or_late();
    let fast = lab.run(&["test", "ci", "--fail-fast", "--json", "-"]);
    ends_with(&fast, 1);
    let fast: Value = serde_json::from_str(&fast.stdout).expect("nothing but JSON");
    assert_eq!(fast["counts"]["not_run"], 2);
}

#[test]
fn nothing_runs_while_anything_is_wrong() {
    let lab = Lab::without_hosts();
    let ran = scenario("", "{ in: a, shell: \"touch it-ran\" }");
    let matrix =
        ran.replace("nodes", "params: { d: 1ms }\nmatrix: { d: [1ms, 2] }\nnodes").replace("delay: 1ms", "delay: $d");
    folder(
        &lab,
        &[
            ("a.yaml", &ran),
            ("b.yaml", &ran.replace("delay", "dealy")),
            ("c.yaml", &matrix),
            ("d.yaml", "longwire: [\n"),
        ],
    );
    let ended = lab.run(&["test", "ci", "--junit", "junit.xml"]);
    ends_with(&ended, 2);
    for words in ["ci/b.yaml:3:", "did you mean `delay`", "ci/c.yaml:3:20", "`2` has no unit", "ci/d.yaml", "not YAML"]
    {
        assert!(ended.stderr.contains(words), "{words} in:\n{}", ended.stderr);
    }
    assert!(ended.stdout.is_empty() && !lab.path("ci/it-ran").exists() && !lab.path("junit.xml").exists());
    let check = lab.run(&["check", "--quiet", "ci/c.yaml"]);
    ends_with(&check, 2);
    assert!(check.stderr.contains("ci/c.yaml:3:20"), "{}", check.stderr);

    for (arguments, words) in [
        (&["test"][..], "there is no scenarios"),
        (&["test", "none"], "there is no none"),
        (&["test", "ci/a.yaml", "--filter", "zzz"], "--filter leaves nothing of 1 runs"),
        (&["test", "ci/a.yaml", "--param", "x=1"], "no scenario has a parameter `x`"),
        (&["test", "ci/a.yaml", "--shard", "3/2"], "there is no share 3 of 2"),
        (&["test", "ci/a.yaml", "--jobs", "0"], "--jobs"),
        (&["test", "ci/a.yaml", "--json", "ci/a.yaml/x.json"], "cannot write to ci/a.yaml/x.json: "),
    ] {
        let ended = lab.run(arguments);
        self::ends_with(&ended, 2);
        assert!(ended.stderr.contains(words), "{arguments:?}: {}", ended.told());
    }
    assert!(!lab.path("ci/it-ran").exists());
}

#[test]
fn a_matrix_of_twelve_over_two_shards_runs_each_combination_once() {
    let twelve = scenario(
        "name: Twelve\nparams: { delay: 9ms, loss: 9%, n: 9 }\nmatrix: { delay: [1ms, 2ms, 3ms], loss: [0%, 1%], n: [4, 5] }\n",
        // a file each: two guests that append to one at the same time overwrite each other's lines
        "{ in: a, shell: 'touch \"ran $LONGWIRE_PARAM_delay $LONGWIRE_PARAM_loss $LONGWIRE_PARAM_n\"' }",
    );
    let twelve = twelve.replace("delay: 1ms }", "delay: $delay, loss: $loss }");
    let Some(lab) = suite(&[("twelve.yaml", &twelve)]) else { return };
    let listed = lab.run(&["test", "ci", "--list"]);
    ends_with(&listed, 0);
    assert_eq!(listed.stdout.matches("longwire run ci/twelve.yaml --param delay=").count(), 12, "{}", listed.stdout);
    let mut shares = Vec::new();
    for shard in ["1/2", "2/2"] {
        let name = format!("{}.json", shard.replace('/', "-"));
        passes(&lab, &["--shard", shard, "--json", &name, "--jobs", "2"]);
        shares.push(json(&lab, &name)["runs"].as_array().expect("runs").len());
    }
    assert_eq!(shares, [6, 6]);
    let entries = fs::read_dir(lab.path("ci")).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let names = entries.map(|name| name.into_string().expect("text"));
    let mut ran: Vec<String> = names.filter(|name| name.starts_with("ran ")).collect();
    ran.sort();
    let each = |delay: &str| ["0% 4", "0% 5", "1% 4", "1% 5"].map(|rest| format!("ran {delay} {rest}"));
    assert_eq!(ran, ["1ms", "2ms", "3ms"].map(each).concat(), "12 runs, and 12 combinations");
    // `run` takes the values of `params`, and says so
    let one = lab.run(&["run", "ci/twelve.yaml"]);
    assert!(one.stderr.contains("all 12 combinations"), "{}", one.told());
    assert!(lab.path("ci/ran 9ms 9% 9").exists());
}

#[test]
fn repetitions_have_seeds_of_their_own_and_parameters_can_be_given() {
    let text = scenario("params: { x: 1 }\n", "{ in: a, shell: 'echo $LONGWIRE_PARAM_x >> ran' }");
    let Some(lab) = suite(&[("a.yaml", &text), ("b.yaml", &pass())]) else { return };
    // one after the other: two guests that append to one file do so each at the end that it knows
    let more = ["--jobs", "1", "--repeat", "2", "--seed", "40", "--param", "x=7", "--param", "x=8", "--json", "s.json"];
    passes(&lab, &more);
    let summary = json(&lab, "s.json");
    let seeds: Vec<_> = summary["runs"].as_array().expect("runs").iter().map(|run| run["seed"].as_u64()).collect();
    assert_eq!(seeds, [40, 41, 40, 41, 40, 41].map(Some));
    assert_eq!(lab.read("ci/ran"), "7\n7\n8\n8\n");
}

#[test]
fn an_interrupted_suite_ends_its_run_cleanly_and_writes_what_there_is() {
    let long = scenario("", "{ in: a, shell: \"touch started; sleep 50\" }");
    let Some(lab) = suite(&[("a.yaml", &long), ("b.yaml", &pass())]) else { return };
    let suite = lab.start(lab.longwire(&["test", "ci", "--junit", "junit.xml", "--json", "s.json", "--out", "out"]));
    lab.until_file("ci/started");
    suite.signal(Signal::SIGINT);
    let ended = suite.wait();
    ends_with(&ended, 130);
    let of = verdicts(&json(&lab, "s.json"));
    assert_eq!(of, [("ci/a.yaml".into(), "interrupted".into()), ("ci/b.yaml".into(), "not_run".into())]);
    assert_eq!(json(&lab, "out/ci-a/report.json")["verdict"], "interrupted");
    let xml = lab.read("junit.xml");
    assert_eq!(crate::support::junit::violations(&xml), [""; 0], "{xml}");
    assert!(xml.contains("<error ") && xml.contains("<skipped "), "{xml}");
}

#[test]
fn a_run_that_is_killed_is_an_error_and_the_others_run() {
    let long = scenario("", "{ in: a, shell: \"touch started; sleep 50\" }");
    let Some(lab) = suite(&[("a.yaml", &long), ("b.yaml", &pass())]) else { return };
    let suite = lab.start(lab.longwire(&["test", "ci", "--json", "s.json"]));
    lab.until_file("ci/started");
    kill(run_of(&suite), Signal::SIGKILL).expect("a run of ours");
    let ended = suite.wait();
    ends_with(&ended, 4);
    let of = verdicts(&json(&lab, "s.json"));
    assert_eq!(of[0].1, "error");
    assert!(matches!(of[1].1.as_str(), "pass" | "invalid"), "{of:?}");
    assert!(ended.stdout.contains("killed by signal 9 SIGKILL"), "{}", ended.stdout);
}

#[test]
fn a_suite_that_is_killed_leaves_no_files() {
    let long = scenario("", "{ in: a, shell: \"touch started; sleep 50\" }");
    let Some(lab) = suite(&[("a.yaml", &long)]) else { return };
    let temporary = lab.path("tmp");
    fs::create_dir(&temporary).expect("a folder");
    let mut command = lab.longwire(&["test", "ci"]);
    command.env("TMPDIR", &temporary);
    let suite = lab.start(command);
    lab.until_file("ci/started");
    let left = || fs::read_dir(&temporary).expect("it is there").count();
    assert!(left() > 0, "what runs leave is there while they run");
    suite.signal(Signal::SIGKILL);
    until("nothing is left", || left() == 0);
}

#[test]
fn a_run_does_not_outlive_its_suite() {
    let long = scenario("", "{ in: a, shell: \"touch started; sleep 50\" }");
    let Some(lab) = suite(&[("a.yaml", &long)]) else { return };
    let suite = lab.start(lab.longwire(&["test", "ci"]));
    lab.until_file("ci/started");
    let run = run_of(&suite);
    suite.signal(Signal::SIGKILL);
    // it takes its network down by itself; a zombie is nothing any more
    let status = format!("/proc/{run}/stat");
    until("the run is gone", || !fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z")));
    assert_eq!(suite.wait().code, 137);
}

#[test]
fn a_run_that_was_stopped_is_invalid_and_never_a_failure() {
    // the ping would be answered late, and the program would fail: neither is claimed
    let late = scenario("", "{ in: a, shell: \"touch started; sleep 1; exit 7\" }")
        + "  rtt: { ping: { from: a, to: b, every: 10ms, for: 1s } }\n";
    let Some(lab) = suite(&[("a.yaml", &late)]) else { return };
    let suite = lab.start(lab.longwire(&["test", "ci", "--json", "s.json"]));
    lab.until_file("ci/started");
    let run = run_of(&suite);
    kill(run, Signal::SIGSTOP).expect("a run of ours");
    std::thread::sleep(Duration::from_millis(300));
    kill(run, Signal::SIGCONT).expect("a run of ours");
    let ended = suite.wait();
    ends_with(&ended, 3);
    let reasons = json(&lab, "s.json")["runs"][0]["reasons"].to_string();
    assert!(reasons.contains("did not run for"), "{reasons}");
}

/// Keeps processors busy until it is dropped.
struct Busy(std::sync::Arc<std::sync::atomic::AtomicBool>, Vec<std::thread::JoinHandle<()>>);

impl Busy {
    fn with(threads: usize) -> Busy {
        use std::sync::atomic::{AtomicBool, Ordering};
        let stop = std::sync::Arc::new(AtomicBool::new(false));
        let spin = |_| {
            let stop = stop.clone();
            std::thread::spawn(move || while !stop.load(Ordering::Relaxed) {})
        };
        let threads = (0..threads).map(spin).collect();
        Busy(stop, threads)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
        self.1.drain(..).for_each(|thread| thread.join().expect("it only spins"));
    }
}

#[test]
fn beside_busy_processors_runs_pass_or_are_invalid_and_never_fail() {
    let text = scenario("", "{ tcp: { from: a, to: b, bytes: 200kB } }")
        + "  call: { udp: { from: a, to: b, rate: 1Mbit, size: 500B, for: 500ms } }\n  rtt: { ping: { from: a, to: b, every: 10ms, for: 500ms } }\n";
    let Some(lab) = suite(&[("a.yaml", &text)]) else { return };
    let busy = Busy::with(2 * std::thread::available_parallelism().map_or(1, usize::from));
    let ended = lab.run(&["test", "ci", "--repeat", "4", "--json", "s.json"]);
    drop(busy);
    ended.assert_passed_or_late();
    let verdicts = verdicts(&json(&lab, "s.json"));
    assert!(verdicts.len() == 4 && verdicts.iter().all(|(_, v)| v == "pass" || v == "invalid"), "{verdicts:?}");
}

#[test]
fn what_is_invalid_is_run_again_so_often_and_the_attempts_are_counted() {
    let Some(lab) = suite(&[("a.yaml", &invalid()), ("b.yaml", &fail())]) else { return };
    let ended = lab.run(&["run", "ci/a.yaml", "--retry-invalid", "2", "--json", "-"]);
    ends_with(&ended, 3);
    assert_eq!(ended.json()["attempts"], 3);
    assert_eq!(ended.stderr.matches("running again").count(), 2, "{}", ended.stderr);
    assert!(lab.run(&["run", "ci/a.yaml", "--retry-invalid", "1"]).stdout.contains(" · attempt 2"));
    let ended = lab.run(&["test", "ci", "--retry-invalid", "1", "--json", "s.json"]);
    ends_with(&ended, 1);
    let summary = json(&lab, "s.json");
    assert_eq!((&summary["runs"][0]["attempts"], &summary["runs"][1]["attempts"]), (&Value::from(2), &Value::from(1)));
    assert!(ended.stdout.contains("attempt 2"), "{}", ended.stdout);
    let seeds = [&summary["runs"][0]["seed"], &summary["runs"][1]["seed"]];
    assert_eq!(seeds, [1, 1], "the same seed again");
}

#[test]
fn github_gets_annotations_and_a_summary_of_the_job() {
    let Some(lab) = suite(&[("bad.yaml", &fail()), ("good.yaml", &pass())]) else { return };
    lab.write("job.md", "before\n");
    let mut command = lab.longwire(&["test", "ci"]);
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", lab.path("job.md"));
    let ended = lab.start(command).wait();
    ends_with(&ended, 1);
    let annotation =
        ended.stdout.lines().find(|line| line.starts_with("::error file=ci/bad.yaml,line=1,title=FAIL Bad::"));
    assert!(annotation.is_some_and(|line| line.contains("%0Alongwire run ci/bad.yaml --seed 1")), "{}", ended.stdout);
    let summary = lab.read("job.md");
    assert!(summary.starts_with("before\n### longwire: 1 fail, ") && summary.contains("FAIL | Bad |"), "{summary}");
    let help = lab.run(&["run", "--help"]).stdout;
    assert!(help.contains("--retry-invalid") && !help.contains("--parent") && !help.contains("--attempt"), "{help}");
    let plain = lab.run(&["test", "ci"]);
    assert!(!plain.stdout.contains("::error"), "{}", plain.stdout);
}

#[test]
fn without_tun_every_run_says_what_is_missing() {
    if !is_root() || !["unshare", "mount"].into_iter().all(has) {
        return;
    }
    let Some(lab) = suite(&[("a.yaml", &pass()), ("b.yaml", &invalid())]) else { return };
    let without = |arguments: &str| {
        let script = format!("mount -t tmpfs none /dev/net && exec {} {arguments}", env!("CARGO_BIN_EXE_longwire"));
        lab.start(lab.other("unshare", &["-m", "sh", "-c", &script])).wait()
    };
    let ended = without("test ci");
    ends_with(&ended, 4);
    assert_eq!(ended.stdout.matches("modprobe tun").count(), 2, "{}", ended.stdout);
    let doctor = without("doctor --calibrate");
    ends_with(&doctor, 4);
    assert!(doctor.stdout.contains("modprobe tun") && !doctor.stdout.contains("\nvalidity:"), "{}", doctor.told());
}

/// The block that `doctor --calibrate` proposes, put into a scenario and run.
fn calibrates(lab: &Lab, run: impl Fn(&[&str]) -> Ended) {
    let doctor = run(&["doctor", "--calibrate"]);
    ends_with(&doctor, 0);
    for words in ["as it is", "beside a busy processor", "lateness_p99: ", "Beside one busy processor"] {
        assert!(doctor.stdout.contains(words), "{words} in:\n{}", doctor.stdout);
    }
    let block = doctor.stdout.split_once("\nvalidity:").map(|(_, rest)| rest.split("\n\n").next().unwrap_or_default());
    let text = format!("{}validity:{}\n", pass(), block.expect("a block"));
    lab.write("calibrated.yaml", &text);
    ends_with(&run(&["check", "--quiet", "calibrated.yaml"]), 0);
}

#[test]
fn doctor_proposes_limits_that_can_be_pasted() {
    let Some(lab) = Lab::new(&pass()) else { return };
    calibrates(&lab, |arguments| lab.run(arguments));
}

#[test]
fn a_normal_user_can_run_a_suite_and_calibrate() {
    if !is_root() {
        return;
    }
    let Some(lab) = suite(&[("a.yaml", &pass())]) else { return };
    let Some(as_nobody) = crate::support::as_nobody(&lab) else { return };
    as_nobody(&["test", "ci"]).assert_passed_or_late();
    calibrates(&lab, as_nobody);
}

//! Suites in virtual time: the same command line, runs beside each other, and that they come out identical.

use crate::support::{Ended, Lab, has_kernel};
use serde_json::Value;

/// A scenario whose program says this.
fn scenario(head: &str, shell: &str) -> String {
    format!(
        "longwire: 1\n{head}nodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], delay: 10ms, loss: 5% }} }}\n\
         workloads:\n  rtt: {{ ping: {{ from: a, to: b, every: 100ms, count: 20 }} }}\n  \
         w: {{ in: a, shell: \"{shell}\" }}\nexpect: [rtt.min >= 20ms]\n"
    )
}

fn ends_with(ended: &Ended, code: i32) {
    assert_eq!(ended.code, code, "{}", ended.told());
}

#[test]
fn what_does_not_go_together_says_what_to_write() {
    let lab = Lab::without_hosts();
    lab.write("scenario.yaml", &scenario("", "true"));
    for (options, words) in [
        (&["--identical"][..], "`--sim --repeat 2 --identical`"),
        (&["--identical", "--repeat", "2"], "`--sim --repeat 2 --identical`"),
        (&["--identical", "--sim"], "`--sim --repeat 2 --identical`"),
        (&["--sim", "--retry-invalid", "1"], "--retry-invalid is for live runs"),
    ] {
        let ended = lab.run(&[&["test", "scenario.yaml"], options].concat());
        ends_with(&ended, 2);
        assert!(ended.stderr.contains(words), "{options:?}: {}", ended.told());
    }
}

#[test]
fn what_cannot_be_in_virtual_time_is_told_before_anything_runs() {
    let lab = Lab::without_hosts();
    lab.write("ok.yaml", &scenario("", "touch it-ran"));
    let external = "longwire: 1\nnodes: { a: host, b: { external: { tap: lw0 } } }\nlinks: { wire: { ends: [a, b] } }\nduration: 1s\n";
    lab.write("tap.yaml", external);
    let ended = lab.run(&["test", "--sim", "ok.yaml", "tap.yaml"]);
    ends_with(&ended, 2);
    assert!(ended.stderr.contains("tap.yaml:2:"), "{}", ended.told());
    assert!(!lab.path("it-ran").exists());

    let list = lab.run(&["test", "--sim", "--repeat", "2", "--identical", "--list", "ok.yaml"]);
    ends_with(&list, 0);
    assert_eq!(list.stdout.matches("longwire sim ok.yaml --seed 1\n").count(), 2, "{}", list.stdout);
    assert!(list.stdout.contains("ok [run 2]"), "{}", list.stdout);
}

#[test]
fn without_a_kernel_it_is_said_once_and_nothing_runs() {
    let lab = Lab::without_hosts();
    lab.write("a.yaml", &scenario("", "true"));
    lab.write("b.yaml", &scenario("", "true"));
    let mut command = lab.longwire(&["test", "--sim", "a.yaml", "b.yaml"]);
    command.env("LONGWIRE_KERNEL", "/no/such/kernel");
    let ended = lab.start(command).wait();
    ends_with(&ended, 4);
    assert_eq!(ended.stderr.matches("LONGWIRE_KERNEL=/no/such/kernel").count(), 1, "{}", ended.told());
    assert!(ended.stdout.is_empty(), "{}", ended.told());

    let mut doctor = lab.longwire(&["doctor"]);
    doctor.env("LONGWIRE_KERNEL", "/no/such/kernel");
    let doctor = lab.start(doctor).wait();
    let line = doctor.stdout.lines().find(|line| line.contains("virtual time")).unwrap_or_default();
    assert!(line.starts_with("none") && line.contains("/no/such/kernel is not a file"), "{}", doctor.told());
    assert!(line.contains("a run works without it"), "{line}");
}

#[test]
fn runs_come_out_identical_beside_each_other_or_the_suite_fails_and_shows_where() {
    if !has_kernel() {
        return;
    }
    let lab = Lab::without_hosts();
    lab.write("same.yaml", &scenario("name: Same\nseed: 7\n", "hostname; head -c 16 /dev/urandom | od -x"));
    // what a run leaves in the scenario's folder is there for the next one
    lab.write("odd.yaml", &scenario("name: Odd\n", "echo first; mkdir taken 2>/dev/null && echo one || echo two"));
    let files = ["--repeat", "2", "--identical", "--jobs", "2", "--junit", "junit.xml", "--json", "suite.json"];
    let ended = lab.run(&[&["test", "--sim", "same.yaml", "odd.yaml"], &files[..]].concat());
    ends_with(&ended, 1);
    assert!(ended.stdout.contains("4 runs in virtual time, 2 at a time"), "{}", ended.told());
    for words in ["PASS     Same [run 1]", "PASS     Same [run 2]", "longwire sim odd.yaml --seed 1"] {
        assert!(ended.stdout.contains(words), "{words} in:\n{}", ended.told());
    }
    let summary: Value = serde_json::from_str(&lab.read("suite.json")).expect("JSON");
    assert_eq!((&summary["mode"], &summary["runs"][0]["mode"]), (&"virtual".into(), &"virtual".into()));
    assert_eq!((&summary["counts"]["pass"], &summary["counts"]["fail"]), (&3.into(), &1.into()), "{}", ended.told());
    let runs = summary["runs"].as_array().expect("runs");
    let seeds: Vec<_> = runs.iter().filter(|run| run["scenario"] == "Same").map(|run| &run["seed"]).collect();
    assert_eq!(seeds, [7, 7]);
    let failed = runs.iter().find(|run| run["verdict"] == "fail").expect("one of Odd's");
    let reason = failed["reasons"][0].as_str().expect("a reason");
    // either may have been first
    assert!(reason.starts_with("not identical to run "), "{reason}");
    assert!(reason.contains("programs/w.log, line 2: "), "{reason}");
    assert!(reason.ends_with("`one` / `two`") || reason.ends_with("`two` / `one`"), "both texts: {reason}");
    assert_eq!(failed["out"], Value::Null, "nobody asked for folders");
    let xml = lab.read("junit.xml");
    assert_eq!(crate::support::junit::violations(&xml), [""; 0], "{xml}");
    assert_eq!(xml.matches("<property name=\"mode\" value=\"virtual\"").count(), 4, "{xml}");
    // each run, and the expectation of each
    assert_eq!(xml.matches("<testcase ").count(), 8, "{xml}");
    assert!(xml.contains("name=\"Same [run 1]: rtt.min &gt;= 20ms\""), "{xml}");
}

#[test]
fn doctor_boots_the_kernel_twice_and_compares() {
    if !has_kernel() {
        return;
    }
    let lab = Lab::without_hosts();
    let doctor = lab.run(&["doctor"]);
    let line = doctor.stdout.lines().find(|line| line.contains("virtual time")).unwrap_or_default();
    assert!(line.starts_with("ok ") && line.contains(" boots, runs and ends in "), "{}", doctor.told());
    assert!(line.ends_with(" s, twice the same"), "{line}");
}

//! Expectations of live runs: they make the verdict, and what fails says why.

use crate::support::Lab;
use crate::support::report::{assert_failed, assert_passed, reasons};
use serde_json::Value;

/// Expectations by their text.
fn expectation<'a>(report: &'a Value, text: &str) -> &'a Value {
    let all = report["expectations"].as_array().expect("expectations");
    all.iter().find(|one| one["text"] == text).unwrap_or_else(|| panic!("no `{text}` in {all:#?}"))
}

const NETWORK: &str = "\
longwire: 1
duration: 4s
nodes: { a: host, b: host, sw: switch }
links:
  wire: { ends: [a, sw], delay: 10ms, rate: 20Mbit }
  lan: { ends: [sw, b] }
workloads:
  rtt: { ping: { from: a, to: b, every: 20ms, timeout: 500ms } }
  call: { udp: { from: a, to: b, every: 5ms, size: 200B } }
  fetch:
    in: a
    shell: 'echo \"{\\\"freeze\\\": 12}\"; echo took 48 ms; exit 3'
    exit: 3
    values: { freeze: { json: .freeze, unit: ms }, took: { regex: 'took (\\d+) ms', unit: ms }, absent: { json: .absent } }
timeline:
  - { at: 1s, mark: cut, down: wire }
  - { at: 2s, mark: heal, up: wire }
expect:
";

#[test]
fn a_run_in_which_all_holds_passes() {
    let Some(lab) = Lab::on_any_clock(&format!(
        "{NETWORK}  - fetch.exit == 3
  - fetch.freeze == 12ms
  - fetch.took < 50ms
  - rtt.min >= 20ms
  - rtt.loss before cut == 0%
  - rtt.loss from cut to heal > 90%
  - rtt.received after heal + 500ms > 10
  - call.loss within 10% of 25%
  - call.loss from cut to heal > 90%
  - call.delay.min from 0s to cut >= 10ms
  - call.throughput after heal + 200ms > 200kbit
  - never call.interval.loss before cut > 0%
  - always wire.queue < 50 packets
  - wire.toward.sw.dropped.link_down > 100
  - wire.delay.min within 1ms of 10ms
  - sw.received > 100
  - rtt.max > call.delay.p50
  - a reaches b within 1s
  - a reaches b within 1500ms after heal
  - a does not reach b from cut to heal
  - {{ name: the link comes back, that: rtt.received after heal > 0 }}
"
    )) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    if code == 3 {
        return;
    }
    assert_eq!(report["expectations"].as_array().map(Vec::len), Some(21));
    assert_eq!(report["workloads"]["fetch"]["values"]["took"], 48.0);
    assert_eq!(expectation(&report, "fetch.freeze == 12ms")["value"], 12e6);
    assert!(report["workloads"]["reach.3"]["samples"].as_array().is_some_and(|samples| samples.len() > 10));
    assert!(report["workloads"]["rtt"]["began_ns"].as_i64().is_some_and(|at| (0..1_000_000_000).contains(&at)));
}

#[test]
fn one_that_fails_fails_the_run_and_says_what_was_measured_and_what_came_before() {
    let Some(lab) = Lab::on_any_clock(&format!(
        "{NETWORK}  - rtt.loss < 1%
  - a reaches b from cut to heal
  - a does not reach b after heal
  - {{ name: no freeze, that: fetch.absent < 5 }}
  - fetch.exit == 3
"
    )) else {
        return;
    };
    let ended = lab.run_scenario(&["--json", "-", "--out", "out"]);
    let report = ended.json();
    assert_failed(ended.code, &report);
    if ended.code == 3 {
        return;
    }
    let passes: Vec<_> =
        report["expectations"].as_array().expect("a list").iter().map(|one| one["pass"] == true).collect();
    // an exit code may depend on time: where the machine was late, it is not claimed
    let late = expectation(&report, "fetch.exit == 3")["invalid"].is_string();
    assert_eq!(passes, [false, false, false, false, !late]);
    let loss = expectation(&report, "rtt.loss < 1%");
    assert_eq!(loss["near"]["what"], "wire=down", "{loss:#}");
    let absent = expectation(&report, "fetch.absent < 5");
    assert_eq!(absent["reason"], "no samples: nothing in its output is `absent`");
    let text = lab.read("out/report.txt");
    let (at_failed, at_held) = (text.find("FAIL rtt.loss < 1%"), text.find("ok   fetch.exit == 3"));
    assert!(at_failed.is_some() && (late || at_failed < at_held), "{text}");
    for words in ["FAIL no freeze", "no samples: nothing in its output is `absent`"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn expectations_alone_make_a_verdict() {
    let network = "\
longwire: 1
duration: 1s
nodes: { a: host, b: host, one: switch, two: switch }
links: { wire: { ends: [a, b] }, idle: { ends: [one, two] } }
expect:
";
    let Some(lab) = Lab::on_any_clock(&format!("{network}  - idle.dropped.queue_full == 0\n")) else { return };
    // between two switches without hosts nothing goes, so there is nothing of which it could hold
    let (code, report) = lab.report();
    assert_failed(code, &report);
    assert!(code == 3 || reasons(&report).contains("no samples: nothing was sent this way"), "{}", reasons(&report));
    for holds in ["idle.offered == 0", "a reaches b within 500ms"] {
        let (code, report) = lab.report_of(&format!("{network}  - {holds}\n"));
        assert_passed(code, &report);
        assert!(code == 3 || report["verdict"] == "pass");
    }
}

#[test]
fn what_comes_too_late_for_a_run_fails_in_time() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b] } }
workloads: { rtt: { ping: { from: a, to: b, every: 20ms, count: 10 } } }
timeline: [{ at: 9s, mark: late }]
expect:
  - rtt.loss after late < 1%
  - rtt.p99 < 1s
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_failed(code, &report);
    let late = expectation(&report, "rtt.loss after late < 1%");
    assert_eq!(
        (&late["pass"], &late["reason"]),
        (&Value::from(false), &Value::from("no samples: the run ended before `late`"))
    );
    assert_eq!(expectation(&report, "rtt.p99 < 1s")["pass"], true);
}

#[test]
fn a_mistake_in_an_expectation_is_told_before_anything_runs() {
    let lab = Lab::without_hosts();
    lab.write("scenario.yaml", &format!("{NETWORK}  - rtt.p99 < 60\n  - rrt.p99 < 60ms\n  - fetch.exit == #3\n"));
    let ended = lab.run(&["check", "scenario.yaml"]);
    assert_eq!(ended.code, 2, "{}", ended.told());
    for part in ["`60` has no unit", "did you mean `rtt`?", "for a comment", "3 errors"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.told());
    }
}

//! How workloads come to their end: on paths that are broken, and on paths that are slow.

use crate::support::report::number;
use crate::support::{Lab, has};
use serde_json::Value;

/// Far more than the second that an end may take, far less than the 15 seconds that it once took.
const SOON: f64 = 6.0;

fn seconds(value: &Value) -> f64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no time")) as f64 / 1e9
}

/// Whether each expectation holds, in their order; `None` where nothing is claimed.
fn held(report: &Value) -> Vec<bool> {
    report["expectations"].as_array().expect("expectations").iter().map(|one| one["pass"] == true).collect()
}

#[test]
fn a_transfer_over_a_cut_wire_ends_with_the_run_and_with_what_both_sides_had() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
duration: 2s
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], delay: 5ms, rate: 20Mbit } }
workloads:
  t: { tcp: { from: a, to: b, for: 1500ms } }                   # cut by `duration`
  u: { tcp: { from: a, to: b, for: 9s }, timeout: 1s }          # by its own timeout
  v: { tcp: { from: b, to: a } }                                # ends as planned
timeline: [ { at: 500ms, set: { wire: { loss: 100% } }, mark: cut } ]
expect: [ t.bytes > 10kB, u.bytes > 10kB, v.bytes > 10kB, t.goodput before cut > 100kbit ]
",
    ) else {
        return;
    };
    let (_, report) = lab.report();
    assert!(seconds(&report["duration_ns"].as_u64().unwrap_or(0).into()) < 2.0 + SOON, "{}", report["duration_ns"]);
    for (name, deadline) in [("t", 2.0), ("u", 1.0), ("v", 2.0)] {
        let work = &report["workloads"][name];
        assert!(seconds(&work["ended_ns"]) < deadline + SOON, "{name}: {work:#}");
        assert!(number(&work["receiver"]["bytes"]) > 10_000, "{name}: {work:#}");
        assert_eq!(work["receiver"]["ended"], "stopped", "{name}");
        assert_eq!(work["sender"]["complete"], false, "{name}");
    }
    assert_eq!(report["workloads"]["t"]["reason"], "it had not ended when the scenario's duration was over");
    assert_eq!(report["workloads"]["u"]["reason"], "it timed out after 1s");
    assert_eq!(report["workloads"]["v"]["ok"], true, "{:#}", report["workloads"]["v"]);
    assert_eq!(held(&report), [true; 4], "{:#}", report["expectations"]);
}

#[test]
fn an_interrupted_transfer_over_a_cut_wire_ends_at_once_and_has_its_numbers() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], rate: 20Mbit } }
workloads:
  t: { tcp: { from: a, to: b, for: 50s } }
  w: { in: a, shell: \"sleep 1; touch cut; exec sleep 50\" }
timeline: [ { at: 500ms, down: wire } ]
",
    ) else {
        return;
    };
    let run = lab.start_run(&["--json", "-"]);
    lab.until_file("cut");
    run.signal(nix::sys::signal::Signal::SIGINT);
    let report = run.wait().json();
    let work = &report["workloads"]["t"];
    assert!(seconds(&work["ended_ns"]) < 20.0, "{work:#}");
    assert!(number(&work["receiver"]["bytes"]) > 10_000, "{work:#}");
}

#[test]
fn what_a_slow_link_still_holds_is_waited_for_or_said_to_be_inside() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], delay: 1500ms } }
workloads:
  whole: { udp: { from: a, to: b, every: 20ms, count: 15 } }
  cut:   { udp: { from: a, to: b, every: 20ms, count: 15, linger: 100ms } }
  p:     { ping: { from: a, to: b, count: 2, every: 20ms } }
expect: [ whole.loss == 0%, cut.lost == 0 ]
",
    ) else {
        return;
    };
    let (_, report) = lab.report();
    let whole = &report["workloads"]["whole"]["receiver"];
    assert_eq!((number(&whole["unique"]), number(&whole["lost"]), number(&whole["inside"])), (15, 0, 0), "{whole:#}");
    let cut = &report["workloads"]["cut"]["receiver"];
    assert_eq!((number(&cut["unique"]), number(&cut["lost"]), number(&cut["inside"])), (0, 0, 15), "{cut:#}");
    assert_eq!(report["workloads"]["p"]["received"], 2);
    let texts: Vec<&Value> = report["expectations"].as_array().expect("some").iter().collect();
    assert_eq!(texts[0]["pass"], true, "{texts:#?}");
    assert_eq!(texts[1]["pass"], false, "nobody knows yet: {texts:#?}");
}

#[test]
fn a_full_disk_takes_no_report_with_it() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], loss: 50% } }
capture: { links: [wire], keep: on-fail }
workloads: { rtt: { ping: { from: a, to: b, every: 10ms, count: 80, timeout: 100ms } } }
expect: [wire.toward.b.dropped.loss > 0]
",
    ) else {
        return;
    };
    if !has("unshare") || !has("mount") {
        return;
    }
    // one page for captures; the rest of the directory is not full
    let script = "mkdir -p out/captures; mount -t tmpfs -o size=4k none out/captures; \
                  exec \"$0\" run scenario.yaml --json - --out out --force";
    let own = if nix::unistd::geteuid().is_root() { "-m" } else { "-rm" };
    let longwire = env!("CARGO_BIN_EXE_longwire");
    let ended = lab.start(lab.other("unshare", &[own, "sh", "-ec", script, longwire])).wait();
    let report: Value = serde_json::from_str(&ended.stdout).expect("a report");
    assert!(matches!(ended.code, 3 | 4), "{}", ended.told());
    assert!(report["workloads"]["rtt"]["received"].as_u64() > Some(0), "{:#}", report["workloads"]);
    let reason = report["captures"][0]["reason"].as_str().expect("a reason");
    assert!(reason.contains("could not be written: No space left"), "{reason}");
    let unwritten = report["unwritten"].to_string();
    assert!(unwritten.contains("the capture of `wire`: it could not be written"), "{unwritten}");
    assert!(lab.read("out/report.txt").contains("could not be written"));
}

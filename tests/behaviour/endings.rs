//! How workloads come to their end: on paths that are broken, and on paths that are slow.

use crate::support::Lab;
use crate::support::report::{assert_failed, number};
use serde_json::Value;

/// Far more than the second that an end may take, far less than the 15 seconds that it once took.
const SOON: f64 = 6.0;

fn seconds(value: &Value) -> f64 {
    value.as_i64().unwrap_or_else(|| panic!("{value} is no time")) as f64 / 1e9
}

/// Whether each expectation holds, in their order.
fn held(report: &Value) -> Vec<bool> {
    report["expectations"].as_array().expect("expectations").iter().map(|one| one["pass"] == true).collect()
}

#[test]
fn a_transfer_over_a_cut_wire_ends_with_the_run_and_with_what_both_sides_had() {
    let Some(lab) = Lab::on_any_clock(
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
    let (code, report) = lab.report();
    assert_failed(code, &report);
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
fn what_a_slow_link_still_holds_is_waited_for_or_said_to_be_inside() {
    let Some(lab) = Lab::on_any_clock(
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
    let (code, report) = lab.report();
    assert_failed(code, &report);
    let whole = &report["workloads"]["whole"]["receiver"];
    assert_eq!((number(&whole["unique"]), number(&whole["lost"]), number(&whole["inside"])), (15, 0, 0), "{whole:#}");
    let cut = &report["workloads"]["cut"]["receiver"];
    assert_eq!((number(&cut["unique"]), number(&cut["lost"]), number(&cut["inside"])), (0, 0, 15), "{cut:#}");
    assert_eq!(report["workloads"]["p"]["received"], 2);
    let texts: Vec<&Value> = report["expectations"].as_array().expect("some").iter().collect();
    assert_eq!(texts[0]["pass"], true, "{texts:#?}");
    assert_eq!(texts[1]["pass"], false, "nobody knows yet: {texts:#?}");
}

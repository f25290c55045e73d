//! Routes with the real stack at both ends: pings across routers, and what a link that goes down does to them.

use crate::support::Lab;
use crate::support::report::{assert_passed, direction, dropped, number};
use serde_json::Value;

/// A short way of 5 ms and a long one of 20 ms between `a` and `b`.
const TWO_WAYS: &str = "\
longwire: 1
convergence: 200ms
nodes: { a: host, west: router, south: router, east: router, b: host }
links:
  office-a: { ends: [a, west] }
  short:    { ends: [west, east], delay: 5ms }
  long-1:   { ends: [west, south], delay: 10ms }
  long-2:   { ends: [south, east], delay: 10ms }
  office-b: { ends: [east, b] }
";

fn frames(report: &Value, link: &str, to: &str) -> u64 {
    number(&direction(report, link, to)["delivered"]["frames"])
}

fn no_circle(report: &Value) {
    let nodes = report["nodes"].as_array().expect("nodes");
    assert!(nodes.iter().all(|node| dropped(node, "ttl_exceeded") == 0), "{nodes:#?}");
}

#[test]
fn pings_cross_routers_in_both_families_and_find_routers_by_name() {
    let Some(lab) = Lab::on_any_clock(&format!(
        "{TWO_WAYS}\
workloads:
  v4: {{ ping: {{ from: a, to: b, count: 20, every: 20ms, family: ipv4 }} }}
  v6: {{ ping: {{ from: b, to: a, count: 20, every: 20ms, family: ipv6 }} }}
  router: {{ ping: {{ from: a, to: south, count: 5, every: 20ms }} }}
  name: {{ in: b, shell: 'getent hosts west | grep -q . && getent hosts west.eth0' }}
  one-way: {{ in: a, shell: 'test $(ip -4 route show default | wc -l) = 1 && test $(ip -6 route show default | wc -l) = 1' }}
"
    )) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    for (name, count) in [("v4", 20), ("v6", 20), ("router", 5)] {
        assert_eq!(report["workloads"][name]["received"], count, "{name}: {:#}", report["workloads"][name]);
    }
    let least = number(&report["workloads"]["v4"]["rtt_ns"]["min"]);
    assert!((10_000_000..100_000_000).contains(&least), "the short way, there and back: {least} ns");
    for name in ["name", "one-way"] {
        assert_eq!(report["workloads"][name]["ok"], true, "{:#}", report["workloads"][name]);
    }
    assert_eq!(frames(&report, "long-2", "east"), 0, "nothing takes the long way");
    no_circle(&report);
}

#[test]
fn traffic_moves_when_a_link_goes_down_and_comes_back() {
    let Some(lab) = Lab::on_any_clock(&format!(
        "{TWO_WAYS}\
workloads:
  rtt: {{ ping: {{ from: a, to: b, every: 10ms, timeout: 1s }} }}
duration: 8s
timeline:
  - {{ at: 500ms, down: short }}
  - {{ at: 2s, up: short }}
"
    )) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    let rtt = &report["workloads"]["rtt"];
    let ways = ["east", "west"].map(|to| dropped(direction(&report, "short", to), "link_down"));
    let lost: u64 = ways.iter().sum();
    // those of the 200 ms in which routers did not know, and what was under way, as far as it was not late
    let events = report["events"].as_array().expect("events");
    let down = events.iter().find(|event| event["what"] == "short=down").expect("it went down");
    let down = down["at_ns"].as_i64().expect("a time");
    let gaps = report["validity"]["gaps"]["list"].as_array().expect("a list").iter();
    let late = gaps.filter_map(|gap| Some(gap[1].as_i64()? - gap[0].as_i64()?)).max().unwrap_or(0);
    let asked = (down - 50_000_000 - late)..(down + 250_000_000 + late);
    let began = rtt["began_ns"].as_i64().expect("a time");
    let samples = rtt["samples"].as_array().expect("samples").iter();
    let asked = samples.filter(|sample| sample[0].as_i64().is_some_and(|at| asked.contains(&(began + at)))).count();
    assert!(lost >= 1 && lost <= asked as u64, "{ways:?} lost on the link of {asked}");
    let (sent, received) = (number(&rtt["sent"]), number(&rtt["received"]));
    assert!(received + lost + 3 >= sent, "lost elsewhere: {sent} sent, {received} received, {lost} lost on the link");
    let there = frames(&report, "long-2", "east");
    assert!(there > 50, "{there} frames took the long way");
    let times = &rtt["rtt_ns"];
    assert!(number(&times["min"]) < 30_000_000 && number(&times["max"]) >= 40_000_000, "{times:#}");
    no_circle(&report);
}

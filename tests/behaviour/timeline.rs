//! Changes over time: inside the network at their model time, in hosts by the clock; and what the report shows of it.

use crate::support::report::{assert_passed, between, direction, dropped, number};
use crate::support::scenarios::PHONE;
use crate::support::{Lab, has};
use serde_json::Value;

const MS: u64 = 1_000_000;

/// Events of the timeline: at, planned, what.
fn timeline(report: &Value) -> Vec<(u64, u64, &str)> {
    let events = report["events"].as_array().expect("events").iter().filter(|event| event["kind"] == "timeline");
    events.map(|e| (number(&e["at_ns"]), number(&e["planned_ns"]), e["what"].as_str().expect("words"))).collect()
}

#[test]
fn what_changes_inside_the_network_changes_at_its_time_exactly() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
duration: 3s
series: 50ms
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], delay: 1ms } }
workloads:
  rtt: { ping: { from: a, to: b, every: 10ms, timeout: 200ms } }
timeline:
  - { at: 2s, set: { wire: { loss: none, delay: 9ms } }, mark: far }
  - { at: 500ms, down: wire, mark: out }
  - { at: out + 500ms, up: [wire] }
  - { at: 1500ms, set: { wire: { toward: { b: { loss: 100% } } } } }
  - { at: 1500ms, mark: dead }
",
    ) else {
        return;
    };
    let ended = lab.run_scenario(&["--json", "-", "--out", "out", "--series", "series.csv"]);
    let report = ended.json();
    assert_passed(ended.code, &report);
    let planned = [
        (500, "wire=down"),
        (500, "mark out"),
        (1000, "wire=up"),
        (1500, "wire.toward.b.loss=100%"),
        (1500, "mark dead"),
        (2000, "wire.loss=none"),
        (2000, "wire.delay=9ms"),
        (2000, "mark far"),
    ];
    assert_eq!(timeline(&report), planned.map(|(ms, what)| (ms * MS, ms * MS, what)));
    let marks = report["events"].as_array().expect("events").iter().filter_map(|event| event["mark"].as_str());
    assert_eq!(marks.collect::<Vec<_>>(), ["out", "dead", "far"]);
    let log = lab.read("out/events.jsonl");
    let logged = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let logged: Vec<(u64, String)> = logged
        .filter(|line| line["event"] == "command")
        .map(|line| (number(&line["t_ns"]) / MS, line["what"].as_str().expect("words").to_owned()))
        .collect();
    assert_eq!(logged, planned.map(|(ms, what)| (ms, what.to_owned())));

    let there = direction(&report, "wire", "b");
    assert!(dropped(there, "link_down") > 5 && dropped(there, "loss") > 5, "{there:#}");
    assert_eq!((&there["delay_ns"]["min"], &there["delay_ns"]["max"]), (&Value::from(MS), &Value::from(9 * MS)));
    // What was on its way when the link went down still arrives, within a millisecond.
    let delivered = |from, to| between(&report, ("wire", "b"), "delivered_frames", from, to);
    assert!(delivered(0, 500) > 5 && delivered(1000, 1500) > 5 && delivered(2050, 3000) > 5);
    assert_eq!((delivered(550, 1000), delivered(1550, 2000)), (0, 0), "{:#}", report["series"]);
    assert!(between(&report, ("wire", "b"), "dropped", 500, 1000) > 5);
    let all = delivered(0, u64::MAX / MS);
    assert!(all <= number(&there["delivered"]["frames"]) && all > 50, "{all}");

    let csv = lab.read("series.csv");
    assert!(
        csv.starts_with("from_s,to_s,link,from,to,delivered_frames,delivered_bytes,dropped,waiting,delay_mean_ns\n"),
        "{csv}"
    );
    let in_csv = csv.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>()).filter(|line| line[4] == "b.eth0");
    let in_csv: u64 = in_csv.map(|line| line[5].parse::<u64>().expect("a number")).sum();
    let series = report["series"]["directions"].as_array().expect("directions");
    let to_b = series.iter().find(|d| d["to"] == "b.eth0").expect("it carried something");
    let in_json: u64 = to_b["delivered_frames"].as_array().expect("numbers").iter().map(number).sum();
    assert_eq!(in_csv, in_json);
    let text = lab.read("out/report.txt");
    assert!(text.contains("over time") && text.contains("1.500 s  wire.toward.b.loss=100%"), "{text}");
}

#[test]
fn a_default_route_moves_and_packets_leave_by_the_other_link() {
    if !has("ip") {
        return;
    }
    let Some(lab) = Lab::on_any_clock(&format!(
        "{PHONE}\
duration: 5s
workloads:
  four-before: {{ ping: {{ from: phone, to: 198.51.100.1, every: 20ms, count: 20 }} }}
  six-before:  {{ ping: {{ from: phone, to: \"fd09::1\", every: 20ms, count: 20 }} }}
  four-after:  {{ at: 3s, ping: {{ from: phone, to: 198.51.100.1, every: 20ms, count: 20 }} }}
  six-after:   {{ at: 3s, ping: {{ from: phone, to: \"fd09::1\", every: 20ms, count: 20 }} }}
  routes:      {{ at: 3s, in: phone, shell: \"ip -4 route show default; ip -6 route show default\" }}
timeline:
  - {{ at: 2s, route: {{ phone: wwan0 }}, mark: handover }}
"
    )) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    for name in ["four-before", "six-before", "four-after", "six-after"] {
        assert_eq!(report["workloads"][name]["received"], 20, "{name}: {:#}", report["workloads"][name]);
    }
    let routes: Vec<&str> =
        report["workloads"]["routes"]["output"].as_array().expect("lines").iter().filter_map(Value::as_str).collect();
    assert_eq!(routes.len(), 2, "{routes:?}");
    assert!(routes[0].starts_with("default via 10.64.0.1 dev wwan0"), "{routes:?}");
    assert!(routes[1].starts_with("default via fd02::1 dev wwan0"), "{routes:?}");
    let [(marked, ..), (moved, planned, what)] = timeline(&report)[..] else { panic!("{:#}", report["events"]) };
    assert_eq!((marked, planned, what), (2_000 * MS, 2_000 * MS, "phone.route=wwan0"));
    assert!(moved >= planned && moved < planned + 900 * MS, "{moved}");
    // Forty requests each; the kernel says a word of its own now and then (multicast listeners).
    let carried = |link, from, to| between(&report, (link, "server"), "delivered_frames", from, to);
    assert!(carried("wifi", 0, 2_000) >= 40 && carried("cell", 3_000, 5_000) >= 40, "{:#}", report["series"]);
    assert!(carried("cell", 0, 2_000) < 20 && carried("wifi", 3_000, 5_000) < 20, "{:#}", report["series"]);
}

#[test]
fn a_series_can_be_left_out() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
series: none
nodes: { a: host, b: host }
links: { wire: { ends: [a, b] } }
workloads:
  rtt: { ping: { from: a, to: b, every: 10ms, count: 3 } }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    assert!(report["series"].is_null() && report.get("not_reached").is_none(), "{report:#}");
    let refused = lab.run_scenario(&["--series", "series.csv"]);
    assert!(refused.code == 2 && refused.stderr.contains("series: none"), "{}", refused.told());
}

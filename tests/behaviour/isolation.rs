//! Hosts that are cut off from each other, nodes that go down, carriers, and steps that come after what a workload does:
//! with real hosts.

use serde_json::Value;

use crate::support::report::{assert_failed, assert_passed, between, direction, dropped, number};
use crate::support::{Lab, has};

const MS: u64 = 1_000_000;

fn events(report: &Value) -> Vec<(u64, &str)> {
    let events = report["events"].as_array().expect("events").iter().filter(|event| event["kind"] == "timeline");
    events.map(|event| (number(&event["at_ns"]) / MS, event["what"].as_str().expect("words"))).collect()
}

#[test]
fn sides_of_a_partition_share_a_switch_and_hear_nothing_of_each_other() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
duration: 7s
series: 50ms
nodes: { a: host, b: host, c: host, s: switch }
links:
  la: { ends: [a, s], delay: 1ms }
  lb: { ends: [b, s], delay: 1ms }
  lc: { ends: [c, s], delay: 1ms }
workloads:
  ab: { ping: { from: a, to: b, every: 20ms, timeout: 200ms } }
  ac: { ping: { from: a, to: c, every: 20ms, timeout: 200ms } }
timeline:
  - { at: 1s, partition: [[a, b], [c]], mark: cut }
  - { at: 2s, heal: all }
  - { at: 3s, block: [b -> a] }
  - { at: 4s, unblock: [b -> a] }
  - { at: 5s, down: c }
  - { at: 6s, up: c }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    let told = [
        (1_000, "partition=a,b|c"),
        (1_000, "mark cut"),
        (2_000, "heal=all"),
        (3_000, "block=b->a"),
        (4_000, "unblock=b->a"),
        (5_000, "c=down"),
        (6_000, "c=up"),
    ];
    assert_eq!(events(&report), told);
    let (to_a, to_b, to_c) = (("la", "a"), ("lb", "b"), ("lc", "c"));
    let delivered = |to, from, until| between(&report, to, "delivered_frames", from, until);
    // the partition: nothing comes to `c` from the other side; its own side goes on
    assert_eq!(delivered(to_c, 1_050, 2_000), 0, "{:#}", report["series"]);
    assert!(delivered(to_b, 1_050, 2_000) > 20 && delivered(to_a, 1_050, 2_000) > 20, "{:#}", report["series"]);
    assert!(delivered(to_c, 2_200, 3_000) > 10 && delivered(to_c, 100, 1_000) > 10);
    // the block is one way: what `a` asks comes to `b`, what `b` says does not come back, what `c` says does
    assert!(delivered(to_b, 3_050, 4_000) > 20 && between(&report, to_a, "dropped", 3_050, 4_000) > 20);
    assert!(delivered(to_a, 3_050, 4_000) > 20);
    // a node that is down hears and says nothing
    assert_eq!(delivered(to_c, 5_050, 6_000), 0);
    assert!(delivered(to_c, 6_200, 7_000) > 10, "and it is there again");
    let toward = |link, end| direction(&report, link, end);
    assert!(dropped(toward("lc", "c"), "partition") > 20 && dropped(toward("la", "a"), "partition") > 20);
    assert!(dropped(toward("lc", "c"), "link_down") > 20);
    assert_eq!(dropped(toward("lb", "b"), "partition"), 0, "nobody was kept from `b`");
    let lost = |name: &str| {
        let ping = &report["workloads"][name];
        number(&ping["sent"]) - number(&ping["received"])
    };
    assert!(lost("ab") > 20 && lost("ac") > 40, "{:#}", report["workloads"]);
}

#[test]
fn what_comes_after_a_workload_happens_then_and_hosts_see_their_carrier_go() {
    if !has("ip") {
        return;
    }
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
duration: 6s
nodes: { a: host, b: host }
links: { l: { ends: [a, b] } }
workloads:
  boot: { in: a, shell: \"sleep 0.5\" }
  rtt: { ping: { from: a, to: b, every: 50ms, timeout: 200ms } }
timeline:
  - { at: boot.ended + 200ms, mark: gone, down: { links: l, carrier: off } }
  - { at: gone + 400ms, run: { name: look, in: a, shell: \"ip link show eth0\" } }
  - { at: gone + 1s, up: l }
  - { at: gone + 1500ms, run: { name: back, in: a, shell: \"ip link show eth0; ip address show eth0\" } }
  - { from: 3s, to: 4s, flap: { link: l, every: 500ms, for: 200ms } }
  - { at: rtt.ended + 1s, reset: l }
",
    ) else {
        return;
    };
    let ended = lab.run_scenario(&["--json", "-", "--out", "out"]);
    let report = ended.json();
    assert_passed(ended.code, &report);
    let output = |name: &str| report["runs"][name]["output"].to_string();
    assert!(output("look").contains("NO-CARRIER"), "{:#}", report["runs"]);
    assert!(!output("back").contains("NO-CARRIER") && output("back").contains("inet "), "{:#}", report["runs"]);
    assert!(lab.read("out/programs/timeline.look.log").contains("NO-CARRIER"));
    let told: Vec<&str> = events(&report).into_iter().map(|(_, what)| what).collect();
    let flap = ["l=down", "l=up", "l=down", "l=up"];
    let first = ["l=no-carrier", "mark gone", "run look in a", "l=up", "run back in a"];
    assert_eq!(told, [&first[..], &flap[..]].concat());
    let times = report["events"].as_array().expect("events");
    assert!(times.windows(2).all(|pair| pair[0]["at_ns"].as_i64() <= pair[1]["at_ns"].as_i64()), "{times:#?}");
    let at = |what: &str| times.iter().find(|event| event["what"] == what).and_then(|event| event["at_ns"].as_i64());
    let (boot, gone, up) = (at("boot ended"), at("mark gone"), at("l=up"));
    assert!(boot.zip(gone).is_some_and(|(boot, gone)| gone == boot + 200 * MS as i64), "{boot:?} {gone:?}");
    assert!(gone.zip(up).is_some_and(|(gone, up)| up == gone + 1_000 * MS as i64), "{gone:?} {up:?}");
    assert!(dropped(direction(&report, "l", "b"), "link_down") > 0);
    // its time is known when the end of `rtt` was still seen, and else it is not
    let left = &report["not_reached"][0];
    let planned = left["planned_ns"].as_u64().is_some_and(|at| at > 6_500 * MS);
    assert!(left["what"] == "l=reset" && (planned || left["after"] == "rtt.ended + 1s"), "{left:#}");
    assert!(lab.read("out/report.txt").contains(": l=reset"));
}

#[test]
fn a_program_of_the_timeline_fails_the_run() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { l: { ends: [a, b] } }
workloads:
  rtt: { ping: { from: a, to: b, every: 50ms, count: 10 } }
timeline:
  - { at: 100ms, run: { in: b, shell: \"echo no good; exit 3\" } }
  - { at: 200ms, run: { name: slow, in: b, shell: \"sleep 1; echo done\" } }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_failed(code, &report);
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains("program: it exited with 3"), "{reasons}");
    assert_eq!(report["runs"]["program"]["output"][0], "no good");
    // what has begun is waited for
    assert_eq!((&report["runs"]["slow"]["ok"], &report["runs"]["slow"]["output"][0]), (&true.into(), &"done".into()));
}

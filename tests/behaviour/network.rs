//! The network as its hosts see it: MTU and switches.

use crate::support::report::{assert_works, direction, dropped, number};
use crate::support::{Lab, has};

#[test]
fn a_links_mtu_is_its_hosts_and_larger_packets_are_fragments() {
    if !["ip", "ping"].into_iter().all(has) {
        return;
    }
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes: { a: host, b: host, c: { host: { mtu: 1500 } }, d: host }
links:
  small: { ends: [a, b], mtu: 1400 }
  other: { ends: [c, d], mtu: 1400 }
workloads:
  show:   { in: a, command: [ip, link, show, eth0] }
  fits:   { in: a, command: [ping, -4, -M, do, -c, \"1\", -W, \"5\", -s, \"1372\", b] }
  parts:  { ping: { from: a, to: b, count: 3, every: 10ms, size: 3000B } }
  large:  { udp: { from: a, to: b, count: 20, every: 5ms, size: 3000B } }
  toobig: { in: a, command: [ping, -4, -M, do, -c, \"1\", -W, \"1\", -s, \"1373\", b], exit: 1 }
  lost:   { in: c, command: [ping, -4, -M, do, -c, \"1\", -W, \"1\", -s, \"1373\", d], exit: 1 }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_works(code, &report);
    let shown = report["workloads"]["show"]["output"].to_string();
    assert!(shown.contains("mtu 1400"), "{shown}");
    assert_eq!(report["workloads"]["parts"]["received"], 3);
    assert_eq!(report["workloads"]["large"]["receiver"]["unique"], 20);
    // A host that says otherwise may send what its link does not carry.
    assert_eq!(dropped(direction(&report, "small", "b"), "mtu"), 0);
    assert_eq!(dropped(direction(&report, "other", "d"), "mtu"), 1, "{:#}", direction(&report, "other", "d"));
}

#[test]
fn hosts_at_a_switch_reach_each_other_and_floods_are_counted() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes:
  a: { host: { neighbours: dynamic } }
  b: { host: { neighbours: dynamic } }
  c: { host: { neighbours: dynamic } }
  sw: switch
links:
  la: { ends: [a, sw] }
  lb: { ends: [b, sw] }
  lc: { ends: [c, sw] }
workloads:
  ab: { ping: { from: a, to: b, count: 5, every: 10ms } }
  bc: { ping: { from: b, to: c, count: 5, every: 10ms } }
  ca: { ping: { from: c, to: a, count: 5, every: 10ms } }
  ac: { ping: { from: a, to: c, count: 5, every: 10ms, family: ipv6 } }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_works(code, &report);
    for name in ["ab", "bc", "ca", "ac"] {
        assert_eq!(report["workloads"][name]["received"], 5, "{name}: {:#}", report["workloads"][name]);
    }
    // Their questions for each other's addresses went to everybody.
    let switch = &report["nodes"][0];
    assert!(number(&switch["replicated"]) >= 3, "{switch:#}");
    let into: u64 =
        ["la", "lb", "lc"].iter().map(|link| number(&direction(&report, link, "sw")["delivered"]["frames"])).sum();
    assert_eq!(number(&switch["received"]), into);
}

#[test]
fn the_event_log_has_every_lost_frame_of_a_run_with_thousands() {
    // one at a time: more instants than entries can wait for their writer
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], toward: { b: { loss: 100% } } } }
workloads: { rtt: { ping: { from: a, to: b, every: 1ms, count: 6000, timeout: 100ms } } }
",
    ) else {
        return;
    };
    let ended = lab.run_scenario(&["--json", "-", "--out", "out"]);
    let report = ended.json();
    let lost = dropped(direction(&report, "wire", "b"), "loss");
    let log = lab.read("out/events.jsonl");
    let logged = log.lines().filter(|line| line.contains("\"cause\":\"loss\"")).count() as u64;
    assert!(lost >= 6000, "{}", ended.told());
    assert_eq!((logged, number(&report["timing"]["log_lost"])), (lost, 0));
}

//! A host that deletes or moves its own interface, in virtual time: the port is down meanwhile, and the run goes on.

use crate::support::has;
use crate::support::report::{direction, dropped, number};
use crate::support::sim::Sim;
use serde_json::Value;

/// 40 pings at 0, 100 ms, …; what `b` does at 1.05 s and at 2.05 s goes between two of them, with their 10 ms on the way.
fn scenario(away: &str, back: &str) -> String {
    format!(
        "\
longwire: 1
nodes: {{ a: host, b: host }}
links: {{ wire: {{ ends: [a, b], delay: 10ms }} }}
workloads:
  rtt:  {{ ping: {{ from: a, to: b, every: 100ms, count: 40, timeout: 500ms }} }}
  away: {{ in: b, root: true, shell: \"{away}\", at: 1050ms }}
  back: {{ in: b, root: true, shell: \"{back}\", at: 2050ms }}
expect:
  - rtt.loss from 1060ms to 2000ms == 100%
  - rtt.loss from 0s to 1s == 0%
  - rtt.loss from 2200ms to 3800ms == 0%
  - wire.toward.b.dropped.port_down > 8
"
    )
}

fn passes(scenario: &str) -> Option<Value> {
    if !has("ip") {
        return None;
    }
    let sim = Sim::new(scenario)?;
    let ended = sim.lab.start(sim.command(&["--json", "-"])).wait();
    let report = ended.json();
    assert_eq!(ended.code, 0, "{}", ended.told());
    Some(report)
}

/// The outages of a host's only port.
fn outages<'a>(report: &'a Value, host: &str) -> &'a [Value] {
    let ports = report["ports"].as_array().expect("ports");
    let port = ports.iter().find(|port| port["host"] == host).expect("its port");
    port["outages"].as_array().map_or(&[], Vec::as_slice)
}

/// One outage, from what `b` did first to what it did then, and all that goes with it.
fn assert_one_outage(report: &Value, reason: &str) {
    let [outage] = outages(report, "b") else { panic!("{:#}", report["ports"]) };
    let ms = |at: &str| number(&outage[at]) / 1_000_000;
    assert_eq!(ms("from_ns"), 1050);
    // it is looked for ten times a second
    assert!((2050..2300).contains(&ms("to_ns")), "{outage:#}");
    assert_eq!((outage["reason"].as_str(), &outage["refused"]), (Some(reason), &Value::Null));
    assert!(outages(report, "a").is_empty());
    let events: Vec<&str> = report["events"]
        .as_array()
        .expect("events")
        .iter()
        .filter(|event| event["kind"] == "port")
        .map(|event| event["what"].as_str().expect("words"))
        .collect();
    assert!(matches!(events[..], [down, "b.eth0 is back"] if down.starts_with("b.eth0 is down: ")), "{events:?}");
    // What was sent meanwhile was dropped, and nothing else.
    let toward = direction(report, "wire", "b");
    let lost = 40 - number(&report["workloads"]["rtt"]["received"]);
    assert!((10..=12).contains(&lost), "{lost}");
    assert!(dropped(toward, "port_down") >= lost, "{toward:#}");
    assert_eq!(toward["dropped"].as_object().expect("causes").len(), 1, "{toward:#}");
}

#[test]
fn an_interface_that_its_host_deletes_comes_back_with_its_name() {
    let Some(report) = passes(&scenario("ip link del eth0", "ip tuntap add eth0 mode tap")) else { return };
    assert_one_outage(&report, "`eth0` was deleted");
}

#[test]
fn an_interface_that_its_host_moves_away_comes_back_as_it_was() {
    let away = "ip netns add inner && ip link set eth0 netns inner";
    let back = "host=$$; ip netns exec inner ip link set eth0 netns $host";
    let Some(report) = passes(&scenario(away, back)) else { return };
    assert_one_outage(&report, "`eth0` is no longer in its host");
}

#[test]
fn routes_come_back_with_an_interface_that_was_deleted() {
    let scenario = "\
longwire: 1
nodes: { a: host, r: router, b: host }
links: { left: { ends: [a, r], delay: 5ms }, right: { ends: [r, b], delay: 5ms } }
workloads:
  cut:  { in: b, root: true, shell: \"ip link del eth0; ip tuntap add eth0 mode tap; ip link set eth0 up\" }
  rtt:  { ping: { from: a, to: b, every: 100ms, count: 10 }, at: 500ms }
  six:  { in: b, shell: \"ip -6 address show dev eth0 && ip route && test $(ip -6 route | grep -c default) = 1\", at: 500ms }
expect: [rtt.loss == 0%]
";
    let Some(report) = passes(scenario) else { return };
    let output = report["workloads"]["six"]["output"].to_string();
    assert!(output.contains("scope global") && output.contains("scope link"), "{output}");
    assert_eq!(outages(&report, "b").len(), 1, "{:#}", report["ports"]);
}

#[test]
fn an_interface_that_never_comes_back_is_down_to_the_end() {
    let Some(report) = passes(
        "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], delay: 10ms } }
workloads:
  rtt:   { ping: { from: a, to: b, every: 100ms, count: 20, timeout: 300ms } }
  gone:  { in: b, root: true, shell: \"ip link del eth0; ip link add eth0 type dummy\", at: 1050ms }
expect:
  - rtt.loss == 45%
",
    ) else {
        return;
    };
    let [outage] = outages(&report, "b") else { panic!("{:#}", report["ports"]) };
    assert_eq!(outage["to_ns"], Value::Null);
    // an interface of that name is no TAP
    assert!(outage["refused"].as_str().is_some_and(|why| why.contains("not a TAP")), "{outage:#}");
}

#[test]
fn however_often_an_interface_goes_it_is_there_in_the_end() {
    let Some(report) = passes(
        "\
longwire: 1
nodes: { a: host, b: host, c: host, s: switch }
links:
  la: { ends: [a, s], delay: 1ms }
  lb: { ends: [b, s], delay: 1ms, rate: 50Mbit }
  lc: { ends: [c, s], delay: 1ms }
workloads:
  rtb:  { ping: { from: a, to: b, every: 10ms, timeout: 300ms } }
  rtc:  { ping: { from: a, to: c, every: 10ms, timeout: 300ms } }
  del:  { in: b, root: true, shell: \"for i in $(seq 40); do ip link del eth0; ip tuntap add eth0 mode tap; sleep 0.07; done\" }
  flap:
    in: c
    root: true
    shell: >
      ip netns add x; h=$$; for i in $(seq 40); do
      ip link set eth0 netns x; ip netns exec x ip link set eth0 netns $h; sleep 0.07; done
duration: 5s
expect:
  - rtb.loss from 3500ms to 4500ms == 0%
  - rtc.loss from 3500ms to 4500ms == 0%
",
    ) else {
        return;
    };
    for host in ["b", "c"] {
        let all = outages(&report, host);
        assert!(all.len() >= 5 && all.iter().all(|outage| outage["to_ns"].is_i64()), "{all:#?}");
    }
    assert!(outages(&report, "b").iter().all(|outage| outage["reason"] == "`eth0` was deleted"));
}

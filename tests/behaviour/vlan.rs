//! VLANs and the spanning tree with the real stack at both ends.

use crate::support::report::{assert_passed, direction, dropped, number};
use crate::support::{Lab, has};
use serde_json::Value;

fn frames(report: &Value, link: &str, to: &str) -> u64 {
    number(&direction(report, link, to)["delivered"]["frames"])
}

#[test]
fn a_trunk_carries_two_vlans_that_do_not_hear_each_other() {
    if !has("ping") {
        return;
    }
    // Neighbours are asked for, so that there are broadcasts; IPv6 is off, so that nothing else is sent.
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
addressing: { ipv6: none }
nodes:
  a: { host: { neighbours: dynamic } }
  b: { host: { neighbours: dynamic } }
  c: { host: { neighbours: dynamic, addresses: [10.0.0.1/24] } }
  d: { host: { neighbours: dynamic, addresses: [10.0.0.3/24] } }
  s1: { switch: { vlans: { 10: [a], 20: [c] }, trunks: [s2] } }
  s2: { switch: { vlans: { 10: [b], 20: [d] }, trunks: { trunk: { allowed: [10, 20], native: none } } } }
links:
  la: { ends: [a, s1] }
  lb: { ends: [b, s2] }
  lc: { ends: [c, s1] }
  ld: { ends: [d, s2] }
  trunk: { ends: [s1, s2] }
workloads:
  ten:    { ping: { from: a, to: b, count: 5, every: 10ms } }
  nobody: { in: c, shell: \"ping -c 3 -i 0.2 -W 1 10.0.0.77\", exit: 1, after: ten }
  twenty: { ping: { from: c, to: 10.0.0.3, count: 5, every: 10ms }, after: nobody }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    for name in ["ten", "twenty"] {
        assert_eq!(report["workloads"][name]["received"], 5, "{name}: {:#}", report["workloads"][name]);
    }
    // each heard what the other one in its VLAN sent, the questions for nobody included, and nothing else
    for (link, host, from, other) in
        [("la", "a", "lb", "s2"), ("lb", "b", "la", "s1"), ("lc", "c", "ld", "s2"), ("ld", "d", "lc", "s1")]
    {
        let (heard, sent) = (frames(&report, link, host), frames(&report, from, other));
        assert_eq!(heard, sent, "{host} heard {heard} frames, and {sent} came from the other one");
    }
    // 42 bytes of ARP and 98 of ping have 4 more where they are tagged
    let bytes = |link, to| number(&direction(&report, link, to)["delivered"]["bytes"]);
    let (tagged, plain) = (bytes("trunk", "s2"), bytes("la", "s1") + bytes("lc", "s1"));
    assert_eq!(tagged, plain + 4 * frames(&report, "trunk", "s2"), "every frame is tagged once");
    assert!(report["nodes"].as_array().expect("nodes").iter().all(|node| node["dropped"]["vlan"].is_null()));
}

/// Asks for the address of `a` in VLAN 10, by a tagged frame, until it is told in VLAN 10.
const ASK: &str = "\
import socket, struct, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(('eth0', 0))
s.setsockopt(263, 8, 1)  # SOL_PACKET, PACKET_AUXDATA: the kernel takes tags off
s.settimeout(0.5)
mac = s.getsockname()[4]
arp = struct.pack('!HHBBH', 1, 0x800, 6, 4, 1) + mac + socket.inet_aton('10.1.0.9') + bytes(6) + socket.inet_aton('10.1.0.1')
def answer():
    while True:
        frame, aux, _, _ = s.recvmsg(2048, 100)
        tags = [struct.unpack('IIIHHHH', d[:20])[5] for _, kind, d in aux if kind == 8]
        if frame[12:14] == b'\\x81\\x00':
            tags, frame = [struct.unpack('!H', frame[14:16])[0]], frame[:12] + frame[16:]
        if frame[12:14] == b'\\x08\\x06' and frame[20:22] == b'\\x00\\x02' and frame[:6] == mac:
            return tags[0] & 0xfff
for _ in range(10):
    s.send(b'\\xff' * 6 + mac + struct.pack('!HH', 0x8100, 10) + b'\\x08\\x06' + arp)
    try:
        vlan = answer()
        print('told in VLAN', vlan)
        sys.exit(vlan != 10)
    except TimeoutError:
        pass
sys.exit(1)
";

#[test]
fn super_frames_pass_a_trunk_whole_and_a_host_may_be_at_one() {
    if !has("python3") {
        return;
    }
    // `deep` is at a trunk of a switch that forgets at once: it gets a copy of all that VLAN 10 carries, with tags.
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes:
  a: { host: { addresses: [10.1.0.1/24, \"fd00:1::1/64\"] } }
  b: { host: { addresses: [10.1.0.2/24, \"fd00:1::2/64\"] } }
  deep: host
  s1: { switch: { vlans: { 10: [a] }, trunks: [s2] } }
  s2: { switch: { vlans: { 10: [b] }, trunks: [s1, deep], ageing: 1ns, storm_control: off } }
links:
  la: { ends: [a, s1] }
  lb: { ends: [b, s2] }
  ld: { ends: [deep, s2] }
  trunk: { ends: [s1, s2], delay: 100us }
workloads:
  ask:  { in: deep, root: true, command: [python3, ask.py] }
  four: { tcp: { from: a, to: b, bytes: 60MB }, timeout: 40s, after: ask }
  six:  { tcp: { from: a, to: b, bytes: 30MB, family: ipv6 }, timeout: 40s, after: four }
  seen: { in: deep, command: [cat, /proc/net/dev], after: six }
",
    ) else {
        return;
    };
    lab.write("ask.py", ASK);
    let (code, report) = lab.report();
    assert_passed(code, &report);
    for name in ["four", "six"] {
        let work = &report["workloads"][name];
        assert!(work["receiver"]["first_difference"].is_null(), "{work:#}");
        assert_eq!(work["sender"]["hash"], work["receiver"]["hash"]);
    }
    // on the wire each frame is one of 1,514 bytes at most, and its tag
    let of = |link, to| {
        let delivered = &direction(&report, link, to)["delivered"];
        (number(&delivered["frames"]), number(&delivered["bytes"]))
    };
    let (frames, bytes) = of("trunk", "s2");
    assert!(frames >= 90_000_000 / 1448 && bytes <= frames * 1518, "{frames} frames of {bytes} bytes");
    let (frames, bytes) = of("lb", "b");
    assert!(bytes <= frames * 1514, "{frames} frames of {bytes} bytes");
    // its kernel took them, trains among them: fewer than came on the wire
    let (frames, bytes) = of("ld", "deep");
    let seen = report["workloads"]["seen"]["output"].to_string();
    let line = seen.split("eth0:").nth(1).expect("eth0");
    let words: Vec<u64> = line.split_whitespace().map_while(|word| word.parse().ok()).collect();
    assert!(bytes > 90_000_000 && words[0] > 90_000_000, "{seen}");
    let whole = report["ports"][0]["offloads"].as_array().is_some_and(|offloads| !offloads.is_empty());
    assert!(!whole || words[1] < frames / 2, "{} frames in {} pieces", frames, words[1]);
    assert!(
        report["ports"].as_array().expect("ports").iter().all(|port| port["refused"] == 0),
        "{:#}",
        report["ports"]
    );
    println!("{} bit/s", report["workloads"]["four"]["receiver"]["goodput_bps"]);
}

#[test]
fn when_a_link_of_a_ring_goes_down_traffic_comes_back_by_the_other_way() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
convergence: 500ms
nodes: { a: host, b: host, s1: switch, s2: switch, s3: switch }
links:
  la: { ends: [a, s1] }
  lb: { ends: [b, s2] }
  near: { ends: [s1, s2], delay: 1ms }
  far1: { ends: [s1, s3], delay: 5ms }
  far2: { ends: [s3, s2], delay: 5ms }
workloads:
  rtt:  { ping: { from: a, to: b, every: 10ms, timeout: 200ms } }
duration: 3s
timeline:
  - { at: 400ms, down: near }
  - { at: 1600ms, up: near }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    let samples = report["workloads"]["rtt"]["samples"].as_array().expect("samples");
    let rtts: Vec<Option<u64>> = samples.iter().map(|sample| sample[1].as_u64()).collect();
    let is_long = |rtt: &&Option<u64>| rtt.is_some_and(|ns| ns >= 20_000_000);
    let is_short = |rtt: &&Option<u64>| rtt.is_some_and(|ns| (2_000_000..20_000_000).contains(&ns));
    let first_lost = rtts.iter().position(Option::is_none).expect("some are lost");
    let first_long = rtts.iter().position(|rtt| is_long(&rtt)).expect("some take the other way");
    let last_long = rtts.iter().rposition(|rtt| is_long(&rtt)).expect("some take the other way");
    assert!(first_lost < first_long && rtts[..first_lost].iter().filter(is_short).count() > 5, "{rtts:?}");
    // half a second in which nobody had noticed, at one ping in 10 ms; a stalled sender skips some
    let lost = rtts[first_lost..first_long].iter().filter(|rtt| rtt.is_none()).count();
    assert!((10..=60).contains(&lost), "{lost} lost: {rtts:?}");
    assert!(rtts[first_long..=last_long].iter().filter(is_long).count() > 10, "{rtts:?}");
    assert!(rtts[last_long..].iter().filter(is_short).count() > 5, "the short way again: {rtts:?}");
    let near = |to| dropped(direction(&report, "near", to), "link_down");
    assert!(near("s1") + near("s2") >= 10);
    // nothing goes round: no more frames than hosts sent, twice for what was flooded
    let sent = frames(&report, "la", "s1") + frames(&report, "lb", "s2");
    assert!(frames(&report, "far1", "s3") + frames(&report, "far1", "s1") <= 2 * sent);
}

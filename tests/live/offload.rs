//! Super-frames change nothing that can be seen: rates, losses and contents are those of single wire frames.

use crate::support::report::{assert_passed, direction, dropped, number};
use crate::support::{Lab, has};
use serde_json::Value;

/// Payload bits of one full segment over the bits of its frame: TCP with timestamps (RFC 7323) over an MTU of 1,500.
const V4: (u64, u64) = (1448, 1514);
const V6: (u64, u64) = (1428, 1514);

/// Bits that the receiver of a transfer got between two of its intervals, and how long that took in ns.
fn bits_between(receiver: &Value, from_ns: u64, to_ns: u64) -> (u64, u64) {
    let width = number(&receiver["intervals"]["width_ns"]);
    let list = receiver["intervals"]["list"].as_array().expect("intervals");
    let (first, last) = ((from_ns / width) as usize, (to_ns / width) as usize);
    assert!(last <= list.len(), "the transfer was shorter than {to_ns} ns: {receiver:#}");
    let bytes: u64 = list[first..last].iter().map(|interval| number(&interval["bytes"])).sum();
    (bytes * 8, (last - first) as u64 * width)
}

#[test]
fn tcp_gets_the_rate_of_its_wire_less_its_headers() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, b: host, c: host, d: host }
links:
  slow: { ends: [a, b], delay: 1ms, rate: 10Mbit, queue: { fifo: { time: 100ms } } }
  fast: { ends: [c, d], delay: 1ms, rate: 100Mbit, queue: { fifo: { time: 50ms } } }
workloads:
  four: { tcp: { from: a, to: b, for: 4s, congestion: reno } }
  six:  { tcp: { from: c, to: d, for: 4s, congestion: reno, family: ipv6 } }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    for (work, link, to, rate, (payload, frame), port) in
        [("four", "slow", "b", 10_000_000u64, V4, 1), ("six", "fast", "d", 100_000_000, V6, 3)]
    {
        let wire = direction(&report, link, to);
        assert_eq!(
            number(&wire["offered"]["frames"]),
            number(&wire["delivered"]["frames"]) + dropped(wire, "queue_full") + number(&wire["inside"])
        );
        let receiver = &report["workloads"][work]["receiver"];
        assert!(receiver["first_difference"].is_null(), "{receiver:#}");
        if code == 0 {
            let (bits, ns) = bits_between(receiver, 1_000_000_000, 3_500_000_000);
            let right = rate * ns / 1_000_000_000 * payload / frame;
            // ± 0.5 %, and what the ends of the interval may have moved by
            let late = number(&report["ports"][port]["lateness_ns"]["max"]) + 10_000_000;
            let allowed = right / 200 + rate * late / 1_000_000_000;
            assert!(
                bits.abs_diff(right) <= allowed,
                "{link}: {bits} bits where {right} should come ({allowed} allowed)"
            );
        }
    }
}

#[test]
fn losses_are_those_of_single_frames_and_the_contents_arrive() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
seed: 3
nodes: { a: host, b: host }
links:
  wire: { ends: [a, b], delay: 1ms, toward: { b: { loss: 1% } } }
workloads:
  bulk: { tcp: { from: a, to: b, bytes: 30MB, congestion: cubic }, timeout: 200s }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    let wire = direction(&report, "wire", "b");
    let (offered, lost) = (number(&wire["offered"]["frames"]), dropped(wire, "loss"));
    // 30 MB are 20,718 segments of 1,448 bytes, whatever they travelled in
    assert!(offered >= 30_000_000 / 1448, "{wire:#}");
    let (mean, sigma) = (offered as f64 * 0.01, (offered as f64 * 0.01 * 0.99).sqrt());
    assert!((lost as f64 - mean).abs() < 5.0 * sigma, "{lost} of {offered} lost");
    let work = &report["workloads"]["bulk"];
    assert!(work["receiver"]["first_difference"].is_null());
    assert_eq!(work["sender"]["hash"], work["receiver"]["hash"]);
    let offloads = report["ports"][0]["offloads"].as_array().expect("a list");
    println!("offloads: {offloads:?}; {lost} of {offered} frames lost");
}

#[test]
fn contents_survive_corruption_duplication_reordering_and_loss() {
    // What arrives damaged is noticed by the receiver's checksums and sent again: a checksum that the sender had left to be
    // finished must have been finished before the bit flipped.
    let Some(lab) = Lab::new(
        "\
longwire: 1
seed: 5
nodes: { a: host, b: host }
links:
  wire:
    ends: [a, b]
    delay: 2ms
    toward: { b: { loss: 0.2%, corrupt: 0.5%, duplicate: 0.5%, reorder: 0.5% } }
services:
  errors:
    in: b
    shell: \"cat /proc/net/snmp; trap 'cat /proc/net/snmp; exit' TERM; while :; do sleep 0.1; done\"
workloads:
  bulk: { tcp: { from: a, to: b, bytes: 20MB, congestion: cubic }, timeout: 200s }
",
    ) else {
        return;
    };
    let ended = lab.run(&["run", "scenario.yaml", "--json", "-", "--out", "out"]);
    let report = ended.json();
    assert_passed(ended.code, &report);
    let wire = direction(&report, "wire", "b");
    let (corrupted, duplicated) = (number(&wire["corrupted"]), number(&wire["duplicated"]));
    assert!(corrupted > 20 && duplicated > 20 && number(&wire["reordered"]) > 20, "{wire:#}");
    assert_eq!(
        number(&wire["offered"]["frames"]) + duplicated,
        number(&wire["delivered"]["frames"]) + dropped(wire, "loss") + number(&wire["inside"])
    );
    let work = &report["workloads"]["bulk"];
    assert!(work["receiver"]["first_difference"].is_null());
    assert_eq!(work["sender"]["hash"], work["receiver"]["hash"]);

    // Each corrupted TCP frame that was delivered was noticed. A bit in the header's length field is noticed before the sum
    // is looked at, and counts among the errors all the same.
    let output = lab.read("out/programs/errors.log");
    let counters: Vec<(u64, u64)> = output
        .lines()
        .filter(|line| line.starts_with("Tcp: ") && !line.contains("RtoAlgorithm"))
        .map(|line| {
            let fields: Vec<u64> = line.split_whitespace().skip(1).filter_map(|f| f.parse().ok()).collect();
            // … InErrs OutRsts InCsumErrors
            (fields[fields.len() - 3], fields[fields.len() - 1])
        })
        .collect();
    let [before, after] = counters[..] else { panic!("{output}") };
    let events = lab.read("out/events.jsonl");
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    let of = |event: &str, to: &str| {
        let is = |e: &&Value| {
            e["event"] == event && e["to"] == to && e["frame"].as_str().is_some_and(|f| f.starts_with("TCP "))
        };
        events.iter().filter(is).map(|e| number(&e["number"])).collect::<Vec<_>>()
    };
    let damaged = of("corrupted", "b.eth0");
    // a corrupted frame that was duplicated is noticed twice
    let twice = of("duplicated", "b.eth0").iter().filter(|n| damaged.contains(n)).count() as u64;
    let noticed = after.0 - before.0;
    assert_eq!(noticed, damaged.len() as u64 + twice, "InErrs; InCsumErrors went from {} to {}", before.1, after.1);
    println!("{} corrupted TCP frames, {} found by their checksum", damaged.len(), after.1 - before.1);
}

#[test]
fn a_host_without_offloads_gets_single_frames_that_verify() {
    // Both ways: cut and summed for the one, taken plain from it.
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, plain: { host: { offloads: off } } }
links:
  wire: { ends: [a, plain], delay: 1ms, rate: 200Mbit }
services:
  errors:
    in: plain
    shell: \"trap 'cat /proc/net/snmp; exit' TERM; echo up; while :; do sleep 0.1; done\"
    ready: { log: up }
workloads:
  to:    { tcp: { from: a, to: plain, bytes: 10MB }, timeout: 200s }
  six:   { tcp: { from: a, to: plain, bytes: 10MB, family: ipv6 }, timeout: 200s, after: to }
  from:  { tcp: { from: plain, to: a, bytes: 10MB }, timeout: 200s, after: six }
  call:  { udp: { from: a, to: plain, rate: 10Mbit, size: 1000B, for: 500ms }, after: from }
",
    ) else {
        return;
    };
    let ended = lab.run(&["run", "scenario.yaml", "--json", "-", "--out", "out"]);
    let report = ended.json();
    assert_passed(ended.code, &report);
    for name in ["to", "six", "from"] {
        let work = &report["workloads"][name];
        assert_eq!(number(&work["receiver"]["bytes"]), 10_000_000, "{work:#}");
        assert_eq!(work["sender"]["hash"], work["receiver"]["hash"]);
    }
    let call = &report["workloads"]["call"];
    assert_eq!(call["receiver"]["lost"], 0, "{call:#}");
    assert_eq!(report["ports"][1]["offloads"], serde_json::json!([]));
    // InCsumErrors stands last in the lines of TCP, and third from the end in those of UDP
    let output = lab.read("out/programs/errors.log");
    let last = |name: &str, from_end: usize| {
        let line = output.lines().filter(|line| line.starts_with(name)).nth(1).expect("a line of counters");
        line.split_whitespace().rev().nth(from_end).map(str::to_owned)
    };
    assert_eq!((last("Tcp:", 0).as_deref(), last("Udp:", 2).as_deref()), (Some("0"), Some("0")), "{output}");
}

#[test]
fn a_host_that_sends_segments_of_one_byte_keeps_no_other_from_its_turn() {
    if !has("python3") {
        return crate::support::skip("there is no python3 here");
    }
    // the loss makes the link look at each segment by itself
    let Some(lab) = Lab::new(
        "\
longwire: 1
duration: 4s
nodes: { a: host, b: host, c: host, sw: switch }
links:
  evil: { ends: [a, sw], loss: 0.001% }
  good: { ends: [b, sw] }
  far:  { ends: [c, sw] }
workloads:
  rtt:   { ping: { from: b, to: c, every: 50ms, timeout: 10s } }
  flood: { in: a, root: true, command: [python3, tiny_segments.py, c, '3'] }
",
    ) else {
        return;
    };
    lab.write("tiny_segments.py", include_str!("../support/programs/tiny_segments.py"));
    let (code, report) = lab.report();
    crate::support::report::check(&report, code);
    let evil = direction(&report, "evil", "sw");
    let rtt = &report["workloads"]["rtt"];
    let frames = number(&evil["offered"]["frames"]);
    assert!(frames > 100_000, "{frames} segments are no flood");
    // 4.4 s with turns of 64 super-frames of 60,000 segments, 6 ms with turns of 4,096 segments
    assert!(number(&rtt["rtt_ns"]["p50"]) < 500_000_000, "{frames} segments: {rtt:#}");
}

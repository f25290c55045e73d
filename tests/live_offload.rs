//! Super-frames change nothing that can be seen: rates, losses and contents are those of single wire frames.

mod support;

use serde_json::Value;
use support::Lab;
use support::report::{direction, dropped, number};

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
    assert!(matches!(code, 0 | 3), "{report:#}");
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
  bulk: { tcp: { from: a, to: b, bytes: 30MB, congestion: cubic }, timeout: 40s }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert!(matches!(code, 0 | 3), "{report:#}");
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

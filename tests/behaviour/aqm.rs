//! Queues with a control law hold the wait near their target beside TCP as the kernel speaks it, and keep the wire busy.

use crate::support::Lab;
use crate::support::report::{assert_passed, direction, dropped, number};
use serde_json::Value;

const MS: u64 = 1_000_000;

/// What the receiver of a transfer over 10 Mbit/s got between two instants, in percent of what TCP with timestamps can get
/// there over an MTU of 1,500.
fn goodput_percent(receiver: &Value, from_ns: u64, to_ns: u64) -> u64 {
    let width = number(&receiver["intervals"]["width_ns"]);
    let list = receiver["intervals"]["list"].as_array().expect("intervals");
    let (first, last) = ((from_ns / width) as usize, (to_ns / width) as usize);
    assert!(last <= list.len(), "the transfer was shorter than {to_ns} ns: {receiver:#}");
    let bits: u64 = list[first..last].iter().map(|interval| number(&interval["bytes"]) * 8).sum();
    let could = 10_000_000 * ((last - first) as u64 * width / 1_000_000) / 1000 * 1448 / 1514;
    bits * 100 / could
}

/// What half of the frames at most waited in the queue before a wire of 10 ms: without the time on the wire, 1.2 ms.
fn median_wait(wire: &Value) -> u64 {
    number(&wire["delay_ns"]["p50"]).saturating_sub(11_200_000)
}

#[test]
fn the_standing_queue_falls_to_the_target_and_the_wire_stays_busy() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes: { fa: host, fb: host, ca: host, cb: host, qa: host, qb: host, pa: host, pb: host }
links:
  fifo:  { ends: [fa, fb], rtt: 20ms, toward: { fb: { rate: 10Mbit, queue: { fifo: { time: 200ms } } } } }
  codel: { ends: [ca, cb], rtt: 20ms, toward: { cb: { rate: 10Mbit, queue: codel } } }
  fq:    { ends: [qa, qb], rtt: 20ms, toward: { qb: { rate: 10Mbit, queue: fq_codel } } }
  pie:   { ends: [pa, pb], rtt: 20ms, toward: { pb: { rate: 10Mbit, queue: pie } } }
workloads:
  fifo-bulk:  { tcp: { from: fa, to: fb, for: 10s, congestion: cubic } }
  codel-bulk: { tcp: { from: ca, to: cb, for: 10s, congestion: cubic } }
  fq-bulk:    { tcp: { from: qa, to: qb, for: 10s, congestion: cubic } }
  pie-bulk:   { tcp: { from: pa, to: pb, for: 10s, congestion: cubic } }
  fifo-ping:  { at: 4s, ping: { from: fa, to: fb, every: 50ms, for: 5s } }
  fq-ping:    { at: 4s, ping: { from: qa, to: qb, every: 50ms, for: 5s } }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    let fifo = median_wait(direction(&report, "fifo", "fb"));
    println!("fifo: half of the frames wait at most {} µs", fifo / 1000);
    assert!(fifo > 60 * MS, "TCP fills a fifo: {fifo} ns");
    // CoDel lets a queue stand above its target for an interval of 100 ms before it drops, and meanwhile TCP adds a segment
    // of 1.2 ms in each round trip of 20 ms. PIE looks at its queue each 15 ms, and drops by a probability that it learns: no
    // such bound is known, and half of the fifo's wait is far more than it may take.
    let codel = 5 * MS + 100 / 20 * 1_211_200 + 1_211_200;
    for (link, to, most) in [("codel", "cb", codel), ("fq", "qb", codel), ("pie", "pb", fifo / 2)] {
        let wire = direction(&report, link, to);
        let wait = median_wait(wire);
        let goodput = goodput_percent(&report["workloads"][format!("{link}-bulk")]["receiver"], 3_000 * MS, 9_500 * MS);
        println!(
            "{link}: half wait at most {} µs, goodput {goodput} % of the wire, {} dropped by the law",
            wait / 1000,
            dropped(wire, "aqm")
        );
        // a late machine delivers acknowledgements in bursts, and TCP answers in bursts
        assert!(code == 3 || wait < most, "{link}: {wait} ns stand, {fifo} in the fifo");
        assert!(dropped(wire, "aqm") > 0 && dropped(wire, "queue_full") == 0, "{wire:#}");
        assert_eq!((number(&wire["marked"]), number(&wire["reordered"])), (0, 0), "{wire:#}");
        assert!(code == 3 || goodput >= 90, "{link}: {goodput} %");
    }
    let rtt = |work: &str, key: &str| number(&report["workloads"][work]["rtt_ns"][key]);
    println!(
        "ping beside the bulk flow: fifo p50 {} µs, fq_codel p50 {} µs, p90 {} µs",
        rtt("fifo-ping", "p50") / 1000,
        rtt("fq-ping", "p50") / 1000,
        rtt("fq-ping", "p90") / 1000
    );
    assert!(rtt("fifo-ping", "p50") > 80 * MS);
    // 20 ms there and back, and less than twice the target beside a flow that stands
    let late = number(&report["ports"][4]["lateness_ns"]["p99"]) + number(&report["ports"][5]["lateness_ns"]["p99"]);
    for key in ["p50", "p90"] {
        assert!(rtt("fq-ping", key) < 30 * MS + late, "{key}: {} ns", rtt("fq-ping", key));
    }
}

#[test]
fn with_ecn_the_kernels_tcp_is_told_by_marks_alone() {
    let ecn = |host: &str| {
        format!(
            "  on-{host}: {{ in: {host}, root: true, shell: \"echo 1 >/proc/sys/net/ipv4/tcp_ecn && echo set && exec sleep 1000\", ready: {{ log: set }} }}\n"
        )
    };
    let Some(lab) = Lab::on_any_clock(&format!(
        "\
longwire: 1
nodes: {{ ca: host, cb: host, qa: host, qb: host, pa: host, pb: host, ra: host, rb: host }}
links:
  codel: {{ ends: [ca, cb], rtt: 20ms, toward: {{ cb: {{ rate: 10Mbit, queue: {{ codel: {{ ecn: true }} }} }} }} }}
  fq:    {{ ends: [qa, qb], rtt: 20ms, toward: {{ qb: {{ rate: 10Mbit, queue: fq_codel }} }} }}
  pie:   {{ ends: [pa, pb], rtt: 20ms, toward: {{ pb: {{ rate: 10Mbit, queue: {{ pie: {{ ecn: true }} }} }} }} }}
  red:   {{ ends: [ra, rb], rtt: 20ms, toward: {{ rb: {{ rate: 10Mbit, queue: {{ red: {{ limit: 400kB, min: 15kB, max: 60kB, probability: 10%, ecn: true }} }} }} }} }}
services:
{}{}{}{}workloads:
  codel-bulk: {{ tcp: {{ from: ca, to: cb, for: 8s, congestion: cubic }} }}
  fq-bulk:    {{ tcp: {{ from: qa, to: qb, for: 8s, congestion: cubic, family: ipv6 }} }}
  pie-bulk:   {{ tcp: {{ from: pa, to: pb, for: 8s, congestion: cubic }} }}
  red-bulk:   {{ tcp: {{ from: ra, to: rb, for: 8s, congestion: cubic }} }}
",
        ecn("ca"),
        ecn("qa"),
        ecn("pa"),
        ecn("ra")
    )) else {
        return;
    };
    let ended = lab.run_scenario(&["--json", "-", "--out", "out"]);
    let report = ended.json();
    assert_passed(ended.code, &report);
    let log = lab.read("out/events.jsonl");
    for (link, to) in [("codel", "cb"), ("fq", "qb"), ("pie", "pb"), ("red", "rb")] {
        let wire = direction(&report, link, to);
        let work = &report["workloads"][format!("{link}-bulk")];
        let marked = number(&wire["marked"]);
        println!("{link}: {marked} marked, half wait at most {} µs", median_wait(wire) / 1000);
        assert!(marked > 5, "{wire:#}");
        assert_eq!((dropped(wire, "aqm"), dropped(wire, "queue_full")), (0, 0), "{link}: {:#}", wire["dropped"]);
        // nothing was lost, so nothing was sent again; and the receiver's checksums found nothing
        assert_eq!(number(&work["sender"]["tcp"]["retransmits"]), 0, "{work:#}");
        assert!(work["receiver"]["first_difference"].is_null());
        let told = log
            .lines()
            .filter(|line| line.contains("\"event\":\"marked\"") && line.contains(&format!("\"link\":\"{link}\"")));
        assert_eq!(told.count() as u64, marked, "each mark has a line in the event log");
        if ended.code == 0 {
            let goodput = goodput_percent(&work["receiver"], 3_000 * MS, 7_500 * MS);
            println!("{link}: goodput {goodput} % of the wire");
            assert!(goodput >= 88, "{link}: {goodput} %");
        }
    }
}

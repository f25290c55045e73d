//! What built-in workloads measure is what the scenario asked for: delays, losses, rates.

use crate::support::Lab;
use crate::support::report::{assert_passed, direction, dropped, number};
use serde_json::Value;

#[test]
fn a_ping_takes_both_delays_and_never_less() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes: { a: host, b: host }
links:
  wire: { ends: [a, b], delay: 10ms }
workloads:
  four: { ping: { from: a, to: b, every: 20ms, count: 50 } }
  six:  { ping: { from: a, to: b, every: 20ms, count: 50, family: ipv6 } }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    for name in ["four", "six"] {
        let ping = &report["workloads"][name];
        // the first included: no request waits for a neighbour
        let samples = ping["samples"].as_array().expect("samples");
        assert_eq!(samples.len(), 50);
        for sample in samples {
            assert!(sample[1].as_u64().is_some_and(|rtt| rtt >= 20_000_000), "{name}: {sample} of {samples:?}");
        }
        assert!(number(&ping["rtt_ns"]["min"]) >= 20_000_000);
        // where the machine was too slow, an upper bound makes no claim
        assert!(code == 3 || number(&ping["rtt_ns"]["p50"]) <= 20_600_000, "{:#}", ping["rtt_ns"]);
    }
    for to in ["a", "b"] {
        let delay = &direction(&report, "wire", to)["delay_ns"];
        assert_eq!((number(&delay["min"]), number(&delay["max"])), (10_000_000, 10_000_000));
    }
}

/// How often 1 − `tail` of all binomial draws fall within: the quantiles at `tail` / 2 on each side.
fn binomial_bounds(n: u64, p: f64, tail: f64) -> (u64, u64) {
    let (n_f, odds) = (n as f64, p / (1.0 - p));
    let mut mass = ((1.0 - p).ln() * n_f).exp();
    let (mut below, mut low, mut k) = (mass, None, 0);
    loop {
        if low.is_none() && below > tail / 2.0 {
            low = Some(k);
        }
        if below >= 1.0 - tail / 2.0 {
            return (low.expect("the lower bound comes first"), k);
        }
        mass *= (n - k) as f64 / (k + 1) as f64 * odds;
        below += mass;
        k += 1;
    }
}

#[test]
fn bounds_of_a_binomial_are_those_of_the_closed_form() {
    // 5 fair coins: 1/32 for none and for all
    assert_eq!(binomial_bounds(5, 0.5, 0.05), (0, 5));
    assert_eq!(binomial_bounds(5, 0.5, 0.07), (1, 4));
    let (low, high) = binomial_bounds(10_000, 0.01, 1e-6);
    // 4.9 standard deviations of 9.95 around 100, skewed to the right
    assert!((52..60).contains(&low) && (148..160).contains(&high), "{low} {high}");
}

#[test]
fn what_a_receiver_misses_is_what_the_log_says_was_lost() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
seed: 42
nodes: { a: host, b: host }
links:
  wifi: { ends: [a, b], delay: 2ms, loss: 1% }
workloads:
  call: { udp: { from: a, to: b, every: 200us, size: 200B, count: 10000, port: 5000 } }
",
    ) else {
        return;
    };
    let ended = lab.run_scenario(&["--json", "-", "--out", "out"]);
    let report = ended.json();
    assert_passed(ended.code, &report);
    let call = &report["workloads"]["call"];
    let receiver = &call["receiver"];
    let sent = number(&call["sender"]["sent"]);
    let unsent = number(&call["sender"]["unsent"]);
    assert_eq!((sent + number(&call["sender"]["skipped"]), unsent), (10_000, 0), "{call:#}");
    let missing: Vec<u64> = receiver["missing"]
        .as_array()
        .expect("ranges")
        .iter()
        .flat_map(|range| number(&range[0])..=number(&range[1]))
        .collect();
    assert_eq!(missing.len() as u64, number(&receiver["lost"]));
    assert_eq!(number(&receiver["unique"]) + number(&receiver["lost"]), sent);

    let events = lab.read("out/events.jsonl");
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let lost: Vec<Value> = events
        .filter(|event| event["cause"] == "loss" && event["link"] == "wifi" && event["to"] == "b.eth0")
        .filter(|event| {
            event["frame"].as_str().is_some_and(|frame| frame.starts_with("UDP ") && frame.contains(":5000 (242 B)"))
        })
        .collect();
    assert!(lost.iter().all(|event| event["frames"] == 1), "{lost:?}");

    // Lost elsewhere: in the receiver's socket, or in the ring of the sender's TAP.
    let elsewhere = number(&receiver["socket_dropped"]) + number(&report["ports"][0]["ring_drops"]);
    assert_eq!(missing.len() as u64, lost.len() as u64 + elsewhere, "{receiver:#}");
    let (low, high) = binomial_bounds(sent, 0.01, 1e-6);
    assert!((low..=high).contains(&(lost.len() as u64)), "{} of {sent} lost, not {low}…{high}", lost.len());

    if elsewhere == 0 {
        // Not only as many: the same ones. Frames of the direction that are not of this flow shift the numbers.
        let wire = direction(&report, "wifi", "b");
        let others = number(&wire["offered"]["frames"]) - sent;
        let shifts = lost.iter().zip(&missing).map(|(event, missing)| number(&event["number"]).checked_sub(*missing));
        let shifts: Vec<u64> = shifts.map(|shift| shift.expect("no frame stands before its own flow")).collect();
        assert!(shifts.is_sorted() && shifts.iter().all(|shift| *shift <= others), "{shifts:?}, {others} others");
    }
}

#[test]
fn an_overloaded_link_delivers_its_rate_and_counts_the_rest() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
nodes: { a: host, b: host, c: host, d: host }
links:
  bare:   { ends: [a, b], rate: 10Mbit, framing: none, queue: { fifo: { time: 500ms } } }
  framed: { ends: [c, d], rate: 10Mbit, framing: ethernet, queue: { fifo: { time: 500ms } } }
workloads:
  one: { udp: { from: a, to: b, rate: 20Mbit, size: 1200B, for: 3s, port: 5000 } }
  two: { udp: { from: c, to: d, rate: 20Mbit, size: 1200B, for: 3s, port: 5000 } }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_passed(code, &report);
    for (work, link, to, port, frame) in [("one", "bare", "b", 1, 1242), ("two", "framed", "d", 3, 1266)] {
        let wire = direction(&report, link, to);
        let (sender, receiver) = (&report["workloads"][work]["sender"], &report["workloads"][work]["receiver"]);
        let full = dropped(wire, "queue_full");
        assert_eq!(
            number(&wire["offered"]["frames"]),
            number(&wire["delivered"]["frames"]) + full + number(&wire["inside"]),
            "lost by its queue alone: {wire:#}"
        );
        // Half of what was sent, but for what the queue still holds at the end: 500 ms of 3 s.
        let sent = number(&sender["sent"]);
        assert!(full > sent / 4 && full < sent / 2, "{full} of {sent} dropped");
        let accounted = number(&receiver["unique"])
            + full
            + number(&receiver["socket_dropped"])
            + number(&report["ports"][port - 1]["ring_drops"]);
        assert_eq!(sent, accounted, "{receiver:#}");

        // While it waits for its turn the wire is never idle: one frame follows the other at once. The sender may be slow to
        // start, so the queue counts as filled after 1.2 s; what has arrived by then and what came before the end are read
        // from the receiver's own intervals.
        if code == 0 {
            let late = number(&report["ports"][port]["lateness_ns"]["max"]);
            let width = number(&receiver["intervals"]["width_ns"]);
            let list = receiver["intervals"]["list"].as_array().expect("intervals");
            let (first, last) = ((1_200_000_000 / width) as usize, (2_900_000_000 / width) as usize);
            let frames: u64 = list[first..last].iter().map(|interval| number(&interval["frames"])).sum();
            let bits = frames * frame * 8;
            let right = (last - first) as u64 * width / 100; // 10 Mbit/s: a bit each 100 ns
            // Arrivals at either end may have moved by the lateness of the port, and a frame does not split.
            let allowed = right / 200 + late / 100 + frame * 8;
            assert!(bits.abs_diff(right) <= allowed, "{bits} bits came where {right} should ({allowed} allowed)");
        }
    }
}

#[test]
fn a_model_meets_the_frames_that_only_names_and_one_that_met_none_is_reported() {
    let Some(lab) = Lab::on_any_clock(
        "\
longwire: 1
seed: 5
nodes: { a: host, b: host }
links:
  wire:
    ends: [a, b]
    delay: { mean: 50ms, only: icmp }
    toward:
      b: { loss: [{ random: 30%, only: { udp: 5300 } }, { random: 100%, only: lldp }] }
workloads:
  rtt:   { ping: { from: a, to: b, every: 20ms, count: 20, family: ipv4 } }
  dns:   { udp: { from: a, to: b, every: 1ms, size: 100B, for: 1s, port: 5300 } }
  other: { udp: { from: a, to: b, every: 1ms, size: 100B, for: 1s, port: 5301 } }
",
    ) else {
        return;
    };
    let ended = lab.run_scenario(&["--json", "-", "--out", "out"]);
    let report = ended.json();
    assert_passed(ended.code, &report);
    let lost = |name: &str| number(&report["workloads"][name]["receiver"]["lost"]);
    let (low, high) = binomial_bounds(1000, 0.3, 1e-9);
    assert!((low..=high).contains(&lost("dns")), "{} of 1,000", lost("dns"));
    let wire = direction(&report, "wire", "b");
    assert_eq!(dropped(wire, "loss"), lost("dns"), "{wire:#}");
    assert!(number(&report["workloads"]["rtt"]["rtt_ns"]["min"]) >= 100_000_000);
    assert!(number(&wire["delay_ns"]["min"]) == 0 && number(&wire["delay_ns"]["max"]) == 50_000_000);
    assert_eq!(wire["unmatched"], serde_json::json!(["loss with only: lldp"]));
    assert!(direction(&report, "wire", "a")["unmatched"].is_null());
    assert!(lab.read("out/report.txt").contains("no frame matched loss with only: lldp"));
}

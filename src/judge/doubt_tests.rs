//! Expectations against runs whose ports were not read all the time: what lateness can have decided is INVALID, what it
//! cannot have decided stands.

use indexmap::IndexMap;
use serde_json::json;

use super::tests::{MS, judged, report, set};
use crate::measured::Measured;
use crate::report::gaps::Gaps;
use crate::report::json::Report;

/// What becomes of an expectation.
#[derive(Debug, PartialEq)]
enum Fate {
    Holds,
    Fails,
    Invalid,
}
use Fate::{Fails, Holds, Invalid};

fn fate(text: &str, report: &Report) -> Fate {
    let judged = judged(text, report).judged;
    match (judged.pass, &judged.invalid) {
        (true, None) => Holds,
        (false, None) => Fails,
        (false, Some(_)) => Invalid,
        (true, Some(why)) => panic!("{text} holds, and is invalid: {why}"),
    }
}

fn assert_fates(report: &Report, fates: &[(&str, Fate)]) {
    for (text, expected) in fates {
        assert_eq!(fate(text, report), *expected, "{text}: {:?}", judged(text, report).judged);
    }
}

/// A report with gaps at these times in ms, and a share of them beyond the limit where that is said.
fn with_gaps(gaps: &[(i64, i64)], beyond: bool) -> Report {
    let mut report = report();
    report.events.clear();
    let list = gaps.iter().map(|(from, to)| (from * MS as i64, to * MS as i64)).collect();
    report.validity.gaps = Gaps { least_ns: 2 * MS, list };
    report.validity.measured.gap_share = if beyond { 0.3 } else { 0.001 };
    assert_eq!(report.validity.is_late(), beyond);
    report
}

/// Ten gaps of 50 ms a second.
fn half_of_the_time() -> Report {
    let gaps: Vec<(i64, i64)> = (0..100).map(|n| (n * 100 + 20, n * 100 + 70)).collect();
    with_gaps(&gaps, true)
}

/// The same without anybody who reacts to what arrives, and without drops of queues.
fn open_loop(mut report: Report) -> Report {
    report.workloads.retain(|_, work| !work.measured.reacts());
    set(&mut report, "rtt", &["late"], json!(0));
    report
}

#[test]
fn a_round_trip_is_judged_with_and_without_its_own_lateness() {
    // sent at 1.001 s, read at 1.045 s at the latest
    let mut report = with_gaps(&[(990, 1_045)], false);
    set(&mut report, "rtt", &["samples"], json!([[1_000 * MS, 65 * MS], [2_000 * MS, 20 * MS]]));
    set(&mut report, "rtt", &["rtt_ns", "max"], json!(65 * MS));
    assert_fates(
        &report,
        &[
            ("rtt.max < 30ms", Invalid),
            ("rtt.max < 70ms", Holds),
            ("rtt.max < 20ms", Fails),
            ("rtt.max > 30ms", Invalid),
            ("rtt.max from 500ms to 1500ms < 30ms", Invalid),
            ("rtt.max from 1500ms to 3s < 30ms", Holds),
            ("never rtt.each > 30ms", Invalid),
            ("never rtt.each > 10ms", Fails),
        ],
    );
    let why = judged("rtt.max < 30ms", &report).judged.invalid.expect("a reason");
    // 21 ms are left of it, and 4 ms of those can be of a burst in the queue: the other is longer
    assert!(why.contains("from 20 ms to 65 ms"), "{why}");
}

#[test]
fn a_run_without_gaps_is_judged_as_it_was_measured() {
    let report = with_gaps(&[], false);
    assert_fates(&report, &[("rtt.p99 < 30ms", Fails), ("rtt.p99 < 60ms", Holds), ("fast.goodput > 7Mbit", Holds)]);
}

#[test]
fn one_way_delays_are_judged_by_what_was_corrected() {
    let mut report = open_loop(with_gaps(&[(990, 1_045)], false));
    let corrected = json!({ "delay_ns": { "p99": 12 * MS, "min": 0, "stddev": MS }, "jitter_ns": { "mean": MS / 2 }, "omitted": 0,
        "intervals": { "width_ns": 100 * MS, "list": (0..100).map(|_| json!({ "frames": 1, "bytes": 0, "max_ns": 12 * MS, "delays": [[12 * MS, 1]] })).collect::<Vec<_>>() } });
    set(&mut report, "call", &["receiver", "corrected"], corrected);
    assert_fates(
        &report,
        &[
            ("call.delay.p99 < 20ms", Invalid),
            ("call.delay.p99 < 40ms", Holds),
            ("call.delay.p99 < 11ms", Fails),
            // no frame got through the model in less than 5 ms
            ("call.delay.min >= 5ms", Holds),
            ("call.delay.min >= 6ms", Invalid),
            ("call.delay.p50 from 6s to 7s < 20ms", Invalid),
            ("call.delay.p50 from 6s to 7s < 11ms", Fails),
            ("call.jitter.mean < 700us", Invalid),
            ("call.jitter.mean < 2ms", Holds),
        ],
    );
}

#[test]
fn what_was_drawn_frame_by_frame_stands_however_late_they_came() {
    let report = open_loop(half_of_the_time());
    assert_fates(
        &report,
        &[
            ("call.loss == 15%", Holds),
            ("call.loss < 1%", Fails),
            ("call.received == 850", Holds),
            ("wifi.toward.gw.dropped.loss == 30", Holds),
            ("wifi.toward.gw.loss < 4%", Holds),
            ("wifi.toward.gw.dropped.queue_full == 0", Holds),
            ("rtt.loss == 10%", Holds),
            ("gw.firewall.web == 7", Holds),
        ],
    );
}

#[test]
fn a_burst_after_a_gap_can_be_why_a_queue_dropped() {
    let mut report = open_loop(half_of_the_time());
    report.directions[0].dropped = IndexMap::from([("queue_full".into(), 400)]);
    report.directions[0].offered.frames = 1_000;
    assert_fates(
        &report,
        &[
            ("wifi.toward.gw.dropped.queue_full == 0", Invalid),
            ("wifi.toward.gw.dropped.queue_full < 1000", Holds),
            ("call.loss < 1%", Invalid),
            ("call.loss < 20%", Holds),
        ],
    );
    // a twentieth of the time cannot explain half of the frames
    report.validity.gaps.list.truncate(10);
    report.directions[0].dropped = IndexMap::from([("queue_full".into(), 500)]);
    assert_fates(
        &report,
        &[("wifi.toward.gw.dropped.queue_full == 0", Fails), ("wifi.toward.gw.dropped.queue_full > 450", Invalid)],
    );
}

#[test]
fn senders_that_react_can_have_been_faster_or_slower_by_a_factor() {
    let report = half_of_the_time();
    assert_fates(
        &report,
        &[
            ("fast.goodput > 7Mbit", Invalid),
            ("fast.goodput > 100Mbit", Fails),
            ("fast.goodput > 500kbit", Holds),
            ("fast.retransmits < 5", Invalid),
            ("fast.complete == true", Holds),
            ("rtt.p99 > 10ms", Holds),
            // without the gaps its queue could have been longer
            ("rtt.p99 < 60ms", Invalid),
        ],
    );
    let few = with_gaps(&[(3_000, 3_004)], false);
    assert_fates(&few, &[("fast.goodput > 7Mbit", Holds), ("rtt.p99 < 60ms", Holds), ("fetch.exit == 0", Holds)]);
}

#[test]
fn exit_codes_mind_the_time_in_ways_that_nobody_can_bound() {
    let mut report = half_of_the_time();
    assert_fates(&report, &[("fetch.exit == 0", Invalid), ("fetch.freeze < 20ms", Invalid)]);
    // it was over before the first gap
    report.validity.gaps.list.retain(|gap| gap.0 > 3_000 * MS as i64);
    assert_fates(&report, &[("fetch.exit == 0", Holds)]);
}

#[test]
fn frames_beside_a_change_may_have_met_another_network() {
    let changed = |gaps: &[(i64, i64)]| {
        let mut changed = open_loop(with_gaps(gaps, true));
        changed.events = super::tests::report().events;
        changed.nodes.clear();
        changed
    };
    let beside = changed(&[(4_950, 5_050), (7_950, 8_040)]);
    assert_fates(
        &beside,
        &[
            ("call.lost before worse == 0", Invalid),
            ("call.lost before worse < 20", Holds),
            ("call.loss from worse to heal within 1% of 50%", Invalid),
            ("call.loss from worse to heal > 5%", Holds),
        ],
    );
    let elsewhere = changed(&[(6_000, 6_090)]);
    assert_fates(&elsewhere, &[("call.loss from worse to heal within 1% of 50%", Holds)]);
}

#[test]
fn of_a_workload_that_was_kept_from_its_work_only_draws_stand() {
    let mut report = open_loop(with_gaps(&[], false));
    report.validity.measured.workload_lateness_p99_ns = Some(1_000 * MS);
    assert!(report.validity.is_starved());
    assert_fates(
        &report,
        &[
            ("call.loss == 15%", Holds),
            ("call.loss < 1%", Fails),
            ("wifi.toward.gw.dropped.queue_full == 0", Holds),
            ("rtt.p99 < 30ms", Invalid),
            ("call.throughput > 1kbit", Invalid),
        ],
    );
    report.directions[0].dropped = IndexMap::from([("queue_full".into(), 400)]);
    assert_fates(&report, &[("call.loss == 15%", Invalid), ("wifi.toward.gw.dropped.queue_full == 0", Invalid)]);
}

#[test]
fn without_samples_a_late_machine_can_be_why() {
    let mut report = half_of_the_time();
    report.workloads["rtt"].measured = Measured::Ping(None);
    assert_fates(&report, &[("rtt.p99 < 60ms", Invalid)]);
    report.validity.measured.gap_share = 0.0;
    assert_fates(&report, &[("rtt.p99 < 60ms", Fails)]);
}

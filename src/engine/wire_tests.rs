//! Wires of every kind in a direction: known answers, and live changes from each kind to each.

use super::*;
use crate::frame::{Cut, FrameView};
use crate::model::{Framing, RateSpec};
use crate::queue::{FifoSpec, QueueSpec};
use crate::units::{Duration, Instant};
use serde_json::{Value, json};

/// When each wire frame was delivered, in µs; and how many were dropped.
#[derive(Default)]
struct Out {
    at: Vec<u64>,
    dropped: u64,
}

impl FrameSink for Out {
    fn deliver(&mut self, _: NodeId, frame: FrameView<'_>, at: Instant) {
        self.at.extend((0..frame.count).map(|_| at.as_nanos() / 1000));
    }
    fn fate(&mut self, fate: Fate<'_>) {
        if let FateKind::Dropped(_) = fate.kind {
            self.dropped += fate.frames;
        }
    }
}

const THERE: DirectionId = DirectionId(0);

fn us(us: u64) -> Instant {
    Instant::from_nanos(us * 1_000)
}

/// A rate as a scenario writes it; of the files that it may name, `1` has an opportunity each millisecond, `2` one in two.
fn rate(form: Value) -> RateSpec {
    let mut rate: RateSpec = serde_json::from_value(form).unwrap();
    rate.files(&mut |file| file.load(&format!("{}\n", file.path())).unwrap());
    rate
}

fn engine(rate: RateSpec, packets: u32) -> Engine {
    let queue = Some(QueueSpec::Fifo(FifoSpec { packets: Some(packets), ..FifoSpec::UNLIMITED }));
    let spec = DirectionSpec { rate, queue, ..DirectionSpec::default() };
    let port = |name: &str| NodePlan { name: name.into(), kind: NodeKind::Port };
    Engine::new(&Plan {
        seed: 1,
        coalesce: Duration::ZERO,
        convergence: Duration::ZERO,
        nodes: vec![port("a"), port("b")],
        links: vec![LinkPlan { name: "link".into(), ends: [0, 1], directions: [spec, DirectionSpec::default()] }],
    })
}

fn inject(engine: &mut Engine, at: Instant, bytes: usize) {
    let frame = engine.pool().store(&vec![0; bytes]).unwrap();
    engine.inject(at, NodeId(0), frame);
}

/// Wire frames of 1,000 bytes.
fn inject_train(engine: &mut Engine, at: Instant, frames: usize) {
    let frame = engine.pool().store_train(&vec![0; 50 + frames * 950], Cut { header: 50, segment: 950 }).unwrap();
    engine.inject(at, NodeId(0), frame);
}

fn run(engine: &mut Engine) -> Out {
    let mut out = Out::default();
    engine.advance(Instant::from_nanos(u64::MAX - 1), &mut out);
    assert_eq!(engine.pool().live(), 0, "every frame left by a door");
    out
}

fn set(rate: RateSpec) -> Command {
    Command::Set(THERE, Change { rate: Some(rate), ..Change::default() })
}

#[test]
fn a_train_meets_each_kind_as_single_frames_would() {
    for (form, expected) in [
        (json!("8Mbit"), [1001, 2001, 3001, 4001, 5001]),
        (json!({"token_bucket": {"rate": "8Mbit", "burst": "3kB"}}), [1, 1, 1, 1001, 2001]),
        (json!({"token_bucket": {"rate": "8Mbit", "burst": "3kB", "peak": "80Mbit"}}), [101, 201, 301, 1001, 2001]),
        (json!({"trace": "1"}), [1000, 2000, 2000, 3000, 4000]),
        (json!({"schedule": [{"for": "1501us", "rate": "8Mbit"}, {"rate": "16Mbit"}]}), [1001, 1751, 2251, 2751, 3251]),
        (json!({"slots": {"min": "10ms", "packets": 2}}), [10_001, 10_001, 20_001, 20_001, 30_001]),
    ] {
        let mut train = engine(rate(form.clone()), 100);
        inject_train(&mut train, us(1), 5);
        assert_eq!(run(&mut train).at, expected, "{form}");
        let mut single = engine(rate(form.clone()), 100);
        for _ in 0..5 {
            inject(&mut single, us(1), 1000);
        }
        assert_eq!(run(&mut single).at, expected, "{form}");
    }
}

#[test]
fn what_passes_in_no_time_needs_no_room_in_the_queue() {
    let bucket = json!({"token_bucket": {"rate": "8Mbit", "burst": "10kB"}});
    for train in [true, false] {
        let mut engine = engine(rate(bucket.clone()), 2);
        if train {
            inject_train(&mut engine, us(0), 14);
        } else {
            (0..14).for_each(|_| inject(&mut engine, us(0), 1000));
        }
        let out = run(&mut engine);
        // ten at once, one on the wire, two wait
        assert_eq!((out.at, out.dropped), ([vec![0; 10], vec![1000, 2000, 3000]].concat(), 1));
    }
}

#[test]
fn a_queue_in_time_follows_the_nominal_rate() {
    for (form, waiting) in [
        (json!({"token_bucket": {"rate": "8Mbit", "burst": "1kB", "peak": "80Mbit"}}), 10),
        (json!({"trace": "1"}), 15),
        (
            json!({"schedule": {"steps": [{"for": "1s", "rate": "16Mbit"}, {"for": "1s", "rate": 0}], "repeat": true}}),
            10,
        ),
        (json!({"slots": {"min": "2ms", "bytes": "2000B"}}), 10),
    ] {
        let mut engine = engine(rate(form.clone()), 0);
        let queue = QueueSpec::Fifo(FifoSpec { time: Some(Duration::from_millis(10)), ..FifoSpec::UNLIMITED });
        engine.apply(us(0), Command::Set(THERE, Change { queue: Some(queue), ..Change::default() })).unwrap();
        let mut out = Out::default();
        for n in 0..100 {
            inject(&mut engine, us(1 + n / 50), 1000);
            engine.advance(us(1 + n / 50), &mut out);
        }
        assert_eq!(engine.waiting(THERE), waiting, "{form}");
    }
}

#[test]
fn the_bits_left_meet_the_new_rate_whatever_kinds_both_are() {
    // A frame of 4,000 bytes, a byte a microsecond at 8 Mbit/s, offered at 1 µs; the rate changes a millisecond later.
    let old = [
        (json!("8Mbit"), 3000),
        (json!({"token_bucket": {"rate": "8Mbit", "burst": "1kB"}}), 2000), // a full bucket and what came in a millisecond
        (json!({"trace": "1"}), 4000 - 1504),
        (json!({"schedule": [{"for": "501us", "rate": "8Mbit"}, {"rate": "16Mbit"}]}), 4000 - 500 - 1000),
        (json!({"slots": {"min": "10ms"}}), 4000), // it waits for its slot at 10,001 µs
    ];
    type Answer = fn(u64) -> u64;
    let new: [(Value, Answer); 6] = [
        (json!("none"), |_| 1001),
        (json!("4Mbit"), |left| 1001 + 2 * left),
        (json!({"token_bucket": {"rate": "4Mbit", "burst": "500B"}}), |left| 1001 + 2 * (left - 500)), // a full bucket
        (json!({"trace": "2"}), |left| left.div_ceil(1504) * 2000),
        (json!({"schedule": [{"for": "2ms", "rate": 0}, {"rate": "4Mbit"}]}), |left| 2000 + 2 * left),
        (json!({"slots": {"min": "5ms"}}), |_| 1001), // a slot opens when slots begin
    ];
    for (before, left) in &old {
        for (after, expected) in &new {
            let both = [before, after].map(|form| form.as_object().and_then(|map| map.keys().next().cloned()));
            let expected = match (both[0].as_deref(), both[1].as_deref()) {
                (Some("token_bucket"), Some("token_bucket")) => 1001 + 2 * left, // the tokens are spent
                (Some("slots"), Some("slots")) => 10_001,                        // and the slot opens when it was to
                _ => expected(*left),
            };
            let mut engine = engine(rate(before.clone()), 100);
            inject(&mut engine, us(1), 4000);
            engine.apply(us(1001), set(rate(after.clone()))).unwrap();
            assert_eq!(run(&mut engine).at, [expected], "{before} → {after}");
            assert_eq!(engine.spec(THERE).rate, rate(after.clone()));
        }
    }
}

#[test]
fn the_same_rate_again_changes_nothing() {
    for form in [json!("7Mbit"), json!({"trace": "3"}), json!({"slots": {"min": "1ms", "max": "2ms", "packets": 1}})] {
        let times = |again: bool| {
            let mut engine = engine(rate(form.clone()), 100);
            inject_train(&mut engine, us(1), 9);
            for at in [500, 1500, 2500] {
                if again {
                    engine.apply(us(at), set(rate(form.clone()))).unwrap();
                }
            }
            run(&mut engine).at
        };
        assert_eq!(times(true), times(false), "{form}");
    }
}

#[test]
fn down_leaves_the_opportunities_to_what_comes_after() {
    let mut engine = engine(rate(json!({"trace": "1"})), 100);
    inject(&mut engine, us(1), 9000);
    engine.apply(us(1500), Command::Down(LinkId(0))).unwrap();
    engine.apply(us(1600), Command::Up(LinkId(0))).unwrap();
    inject(&mut engine, us(1700), 1000);
    let out = run(&mut engine);
    assert_eq!((out.at, out.dropped), (vec![2000], 1));
}

#[test]
fn every_kind_counts_framing() {
    for (form, expected) in [
        (json!("8Mbit"), 1060),
        (json!({"token_bucket": {"rate": "8Mbit", "burst": "60B"}}), 1000),
        (json!({"trace": "1"}), 1000),
        (json!({"schedule": [{"rate": "8Mbit"}]}), 1060),
    ] {
        let mut engine = engine(rate(form.clone()), 100);
        let framing = Some(Framing::Overhead(60));
        engine.apply(us(0), Command::Set(THERE, Change { framing, ..Change::default() })).unwrap();
        inject(&mut engine, us(0), 1000);
        assert_eq!(run(&mut engine).at, [expected], "{form}");
    }
}

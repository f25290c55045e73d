//! What holds of every discipline: frames are conserved, a live change moves what waits over in order, `down` clears.

use super::testing::{Out, key, ms, udp, wire};
use super::*;
use crate::frame::Cut;
use crate::model::form::from_json;
use proptest::prelude::*;
use serde_json::json;

fn specs() -> Vec<QueueSpec> {
    [
        json!({"fifo": {"packets": 20}}),
        json!({"fifo": {"time": "20ms", "min_packets": 2}}),
        json!({"drop_head": {"bytes": "9kB"}}),
        json!({"red": {"limit": "20kB", "probability": "50%", "weight": "20%"}}),
        json!({"red": {"limit": "20kB", "adaptive": true, "weight": "50%", "ecn": true}}),
        json!({"codel": {"target": "1ms", "interval": "5ms", "limit": 30}}),
        json!({"codel": {"target": "1ms", "interval": "5ms", "limit": 10, "ecn": true}}),
        json!({"fq_codel": {"flows": 4, "limit": 25, "target": "1ms", "interval": "5ms"}}),
        json!({"fq_codel": {"flows": 1024, "limit": 12, "quantum": "300B", "ecn": false}}),
        json!({"pie": {"target": "1ms", "tupdate": "1ms", "burst": "0ms", "alpha": 32, "beta": 32, "limit": 30}}),
        json!({"pie": {"target": "1ms", "tupdate": "3ms", "burst": "5ms", "alpha": 32, "derandomize": false,
            "ecn": true, "ecn_threshold": "90%"}}),
    ]
    .into_iter()
    .map(|value| from_json(value).unwrap())
    .collect()
}

fn spec() -> impl Strategy<Value = QueueSpec> {
    prop::sample::select(specs())
}

#[derive(Clone, Debug)]
enum Step {
    Offer { flow: u16, frames: usize, len: usize },
    Take,
    Set(QueueSpec),
    Rewire(&'static str),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0u16..5, 1usize..6, 60usize..1514).prop_map(|(flow, frames, len)| Step::Offer { flow, frames, len }),
        8 => Just(Step::Take),
        1 => spec().prop_map(Step::Set),
        1 => prop::sample::select(vec!["1Mbit", "8Mbit", "20Mbit"]).prop_map(Step::Rewire),
        1 => Just(Step::Clear),
    ]
}

fn train(pool: &mut FramePool, flow: u16, frames: usize, len: usize, number: u64, at: Instant) -> Frame {
    let bytes = udp(flow, 2, 42 + (len - 42) * frames);
    let mut train = pool.store_train(&bytes, Cut { header: 42, segment: (len - 42) as u16 }).unwrap();
    (train.number, train.offered) = (number, at);
    train
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_frame_leaves_by_one_door(first in spec(), steps in prop::collection::vec((0u64..30, step()), 1..150)) {
        let (mut pool, mut out) = (FramePool::default(), Out::default());
        let mut behind = wire("8Mbit");
        let mut queue = Queue::new(first, &behind, key(), Instant::ZERO);
        let (mut number, mut taken, mut now) = (0, 0, Instant::ZERO);
        for (wait, step) in steps {
            now += crate::units::Duration::from_micros(wait * 100);
            match step {
                Step::Offer { flow, frames, len } => {
                    let train = train(&mut pool, flow, frames, len, number, now);
                    number += train.count();
                    queue.offer(train, &behind, &mut pool, &mut out);
                }
                Step::Take => {
                    let some = queue.frames() > 0;
                    let frame = queue.take(now, &behind, &mut pool, &mut out);
                    prop_assert_eq!(frame.is_some(), some, "no law lets the wire run dry while frames wait");
                    if let Some(frame) = frame {
                        prop_assert_eq!(frame.count(), 1);
                        taken += 1;
                        pool.release(frame);
                    }
                }
                Step::Set(spec) => {
                    queue.set(spec, now, &behind, key(), &mut pool, &mut out);
                    prop_assert_eq!(queue.spec(), spec);
                }
                Step::Rewire(rate) => {
                    queue.rewire(&behind, &wire(rate), now, &mut pool, &mut out);
                    behind = wire(rate);
                }
                Step::Clear => {
                    queue.clear(DropCause::LinkDown, now, &mut pool, &mut out);
                    prop_assert_eq!(queue.frames(), 0);
                }
            }
            prop_assert_eq!(number, taken + out.dropped.len() as u64 + queue.frames());
        }
        queue.clear(DropCause::LinkDown, now, &mut pool, &mut out);
        prop_assert_eq!((number, pool.live()), (taken + out.dropped.len() as u64, 0));
        let mut gone: Vec<u64> = out.dropped.iter().map(|(n, _)| *n).collect();
        gone.sort_unstable();
        prop_assert!(gone.windows(2).all(|w| w[0] < w[1]), "no frame drops twice");
    }

    #[test]
    fn another_discipline_takes_over_in_order(from in spec(), to in spec(), flows in prop::collection::vec(0u16..5, 1..40)) {
        let (mut pool, mut out) = (FramePool::default(), Out::default());
        let behind = wire("8Mbit");
        let mut queue = Queue::new(from, &behind, key(), Instant::ZERO);
        let mut number = 0;
        for flow in flows {
            let train = train(&mut pool, flow, 2, 400, number, Instant::ZERO);
            number += 2;
            queue.offer(train, &behind, &mut pool, &mut out);
        }
        // some have left a flow's front
        let served = (0..3).filter_map(|_| queue.take(ms(1), &behind, &mut pool, &mut out)).count();
        // a discipline between that keeps the order of arrival and has room for all
        let fifo = from_json(json!({"fifo": "unlimited"})).unwrap();
        let (waiting, dropped) = (queue.frames(), out.dropped.len());
        queue.set(fifo, ms(1), &behind, key(), &mut pool, &mut out);
        prop_assert_eq!((queue.frames(), out.dropped.len()), (waiting, dropped));
        queue.set(to, ms(1), &behind, key(), &mut pool, &mut out);
        prop_assert!(out.dropped[dropped..].iter().all(|(_, cause)| *cause == DropCause::QueueResized));
        queue.set(fifo, ms(1), &behind, key(), &mut pool, &mut out);
        let mut last = None;
        let mut left = 0;
        while let Some(frame) = queue.take(ms(1), &behind, &mut pool, &mut out) {
            prop_assert!(last < Some(frame.number()), "{} after {:?}", frame.number(), last);
            last = Some(frame.number());
            left += 1;
        }
        prop_assert_eq!(number, served as u64 + left + out.dropped.len() as u64);
    }
}

#[test]
fn parameters_change_in_place() {
    let (mut pool, mut out) = (FramePool::default(), Out::default());
    let behind = wire("8Mbit");
    for spec in specs() {
        let mut queue = Queue::new(spec, &behind, key(), Instant::ZERO);
        for n in 0..8 {
            let frame = train(&mut pool, 1, 1, 500, n, Instant::ZERO);
            queue.offer(frame, &behind, &mut pool, &mut out);
        }
        let before = format!("{queue:?}");
        queue.set(spec, Instant::ZERO, &behind, key(), &mut pool, &mut out);
        assert_eq!(format!("{queue:?}"), before, "the same parameters change nothing");
        queue.clear(DropCause::LinkDown, Instant::ZERO, &mut pool, &mut out);
    }
}

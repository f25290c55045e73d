//! RED: the curve of its probability, the spread of its drops, the average, and adaptation.

use super::*;
use crate::queue::testing::{Out, frame, key, ms, udp, wire};
use proptest::prelude::*;

fn spec() -> RedSpec {
    let bytes = ByteSize::from_bytes;
    RedSpec { min: Some(bytes(30_000)), max: Some(bytes(90_000)), ..RedSpec::within(bytes(400_000)) }
}

fn percent(p: u64) -> Probability {
    Probability::from_parts(p * 10_000_000_000).unwrap()
}

struct Bench {
    pool: FramePool,
    out: Out,
    red: Red,
    wire: Wire,
    number: u64,
    ecn: u8,
}

impl Bench {
    fn new(spec: RedSpec) -> Bench {
        let red = Red::new(spec, key(), Instant::ZERO);
        Bench { pool: FramePool::default(), out: Out::default(), red, wire: wire("8Mbit"), number: 0, ecn: 0 }
    }

    fn offer(&mut self, len: usize, at: Instant) {
        let frame = frame(&mut self.pool, &udp(1, self.ecn, len), self.number, at);
        self.number += 1;
        self.red.offer(frame, &self.wire, &mut self.pool, &mut self.out);
    }

    fn take(&mut self, at: Instant) {
        let frame = self.red.take(at, &self.wire, &mut self.pool).expect("a frame waits");
        self.pool.release(frame);
    }

    /// Which of `frames` are told of congestion at an average that stands still.
    fn told_at(&mut self, average: f64, frames: u64) -> Vec<u64> {
        self.red.average = average;
        (0..frames).filter(|n| self.red.tells(self.number + n)).collect()
    }
}

#[test]
fn the_average_decides_whether_none_some_or_all_are_told() {
    for (average, told) in [(0.0, 0), (29_999.9, 0), (30_000.0, 0), (90_000.0, 5000), (1e9, 5000)] {
        assert_eq!(Bench::new(spec()).told_at(average, 5000).len(), told, "{average}");
    }
    let some = Bench::new(spec()).told_at(89_999.9, 5000).len();
    assert!((50..200).contains(&some), "{some}: between 1/p and 1/2p apart");
}

#[test]
fn drops_follow_the_curve_and_are_uniformly_apart() {
    // Gaps are uniform from 1 to 1/p, and their mean, (1/p + 1)/2, is the curve. Their σ over their mean is below 1/√3, so
    // (6.4/0.05)² / 3 = 5,500 gaps tell 5 % with power 0.999; bounds of α = 0.001.
    for (average, probability, p) in [
        (60_000.0, percent(10), 0.05),
        (45_000.0, percent(40), 0.1),
        (75_000.0, percent(4), 0.03 * 4.0 / 4.0),
        (60_000.0, percent(100), 0.5),
    ] {
        let most = (1.0f64 / p).round();
        let mut bench = Bench::new(RedSpec { probability, ..spec() });
        let told = bench.told_at(average, (5500.0 * (most + 1.0) / 2.0 * 1.05) as u64);
        let gaps: Vec<u64> = told.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(gaps.len() >= 5500, "{}", gaps.len());
        // where 1/p is no whole number, the last gap is up to one longer, and as much less likely
        assert!(gaps.iter().all(|gap| (1..=most as u64 + 1).contains(gap)));
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<u64>() as f64 / n;
        let (expected, sigma) = exact_gap(p);
        assert!((mean - expected).abs() < 3.29 * sigma / n.sqrt(), "{mean} where {expected} is right for {p}");
        if (1.0 / p).fract() < 1e-9 {
            let mut hits = vec![0f64; most as usize];
            gaps.iter().for_each(|gap| hits[(*gap as usize).min(most as usize) - 1] += 1.0);
            let each = n / most;
            let chi2: f64 = hits.iter().map(|h| (h - each).powi(2) / each).sum();
            // Wilson and Hilferty's approximation of the quantile at α = 0.001
            let df = most - 1.0;
            let limit = df * (1.0 - 2.0 / (9.0 * df) + 3.09 * (2.0 / (9.0 * df)).sqrt()).powi(3);
            assert!(chi2 < limit, "χ² {chi2}, limit {limit}, for {p}");
        }
    }
}

/// Mean and σ of the gap: P(n) = p for each n while n·p ≤ 1, the rest with the next n.
fn exact_gap(p: f64) -> (f64, f64) {
    let (mut left, mut mean, mut square) = (1.0f64, 0.0, 0.0);
    for n in 1.. {
        let now = left.min(p);
        let n = f64::from(n);
        (mean, square) = (mean + n * now, square + n * n * now);
        left -= now;
        if left < 1e-9 {
            return (mean, (square - mean * mean).sqrt());
        }
    }
    unreachable!()
}

#[test]
fn the_average_moves_by_its_weight_and_decays_while_nothing_waits() {
    let mut bench = Bench::new(RedSpec { weight: percent(10), ..spec() });
    bench.offer(1000, ms(0));
    assert_eq!(bench.red.average, 0.0, "the queue as the first one found it");
    bench.offer(1000, ms(0));
    assert!((bench.red.average - 100.0).abs() < 1e-9, "a tenth of 1,000 bytes");
    bench.offer(1000, ms(0));
    assert!((bench.red.average - (90.0 + 200.0)).abs() < 1e-9);
    for t in [1, 2, 3] {
        bench.take(ms(t));
    }
    bench.red.average = 50_000.0;
    // 8 Mbit/s carry a frame of 1,000 bytes in a millisecond: 20 of them from 3 to 23 ms, then a half of one
    bench.red.average_at(ms(23), &bench.wire);
    let expected = 50_000.0 * 0.9f64.powi(20);
    assert!((bench.red.average / expected - 1.0).abs() < 1e-12);
    bench.red.average_at(ms(23) + Duration::from_micros(500), &bench.wire);
    assert!((bench.red.average / (expected * 0.95) - 1.0).abs() < 1e-12);
    // a burst waits for the average: what is told depends on it, not on what waits now
    assert!(bench.out.dropped.is_empty());
    // a wire that takes no time has sent everything at once
    let free = Wire { rate: None, ..bench.wire };
    bench.red.average_at(ms(24), &free);
    assert_eq!(bench.red.average, 0.0);
}

#[test]
fn the_limit_holds_to_the_byte_and_marks_do_not_pass_it() {
    let bytes = ByteSize::from_bytes;
    let small = RedSpec { min: Some(bytes(1)), max: Some(bytes(2)), ecn: true, ..RedSpec::within(bytes(3000)) };
    let mut bench = Bench::new(RedSpec { weight: percent(100), ..small });
    bench.ecn = 2;
    for _ in 0..4 {
        bench.offer(1000, ms(0));
    }
    assert_eq!((bench.red.frames(), bench.out.dropped.len()), (3, 1));
    assert_eq!(bench.out.dropped, [(3, DropCause::QueueFull)]);
    assert_eq!(bench.out.marked, [1, 2, 3], "the average is above `max` from the second on");
    // what is not ECN-capable drops by the law
    bench.ecn = 0;
    bench.take(ms(1));
    bench.offer(1000, ms(1));
    assert_eq!(bench.out.dropped.last(), Some(&(4, DropCause::Aqm)));
    let smaller = RedSpec { limit: bytes(1500), ..small };
    bench.red.set(smaller, ms(2), &bench.wire, &mut bench.pool, &mut bench.out);
    assert_eq!((bench.red.frames(), bench.out.count(DropCause::QueueResized)), (1, 1));
}

#[test]
fn defaults_are_those_of_tc() {
    let red = RedSpec::within(ByteSize::from_bytes(400_000));
    assert_eq!((red.max_bytes(), red.min_bytes()), (100_000, 33_333));
    assert_eq!((red.probability.as_f64(), red.avpkt.as_bytes(), red.weight.as_f64()), (0.02, 1000, 0.002));
    assert!(red.check().is_ok());
    assert!(RedSpec::within(ByteSize::from_bytes(3)).check().is_err(), "min and max are both 0 bytes");
}

#[test]
fn adaptation_holds_the_average_in_the_middle() {
    let adaptive = RedSpec { adaptive: true, ..spec() };
    // above 66,000 bytes it grows by a hundredth or a quarter of itself, below 54,000 it shrinks to nine tenths
    for (average, steps, expected) in [
        (70_000.0, 1, 0.02 + 0.005),
        (70_000.0, 2, 0.025 + 0.00625),
        (50_000.0, 1, 0.018),
        (60_000.0, 50, 0.02),
        (54_000.1, 3, 0.02),
        (65_999.9, 3, 0.02),
    ] {
        let mut bench = Bench::new(adaptive);
        bench.offer(1000, ms(0));
        bench.red.average = average;
        bench.red.catch_up(ms(500 * steps), &bench.wire);
        assert!((bench.red.max_p - expected).abs() < 1e-12, "{average}: {}", bench.red.max_p);
        assert_eq!(bench.red.next_adjustment, ms(500 * (steps + 1)));
    }
    // from 1 to 50 %, however long
    for (average, least, most) in [(70_000.0, 0.5, 0.51), (50_000.0, 0.009, 0.01)] {
        let mut bench = Bench::new(adaptive);
        bench.offer(1000, ms(0));
        bench.red.average = average;
        bench.red.catch_up(Instant::from_nanos(u64::MAX - 1), &bench.wire);
        assert!((least..=most).contains(&bench.red.max_p), "{average}: {}", bench.red.max_p);
    }
    // and not at all unless asked
    let mut fixed = Bench::new(spec());
    fixed.red.average = 70_000.0;
    fixed.red.catch_up(ms(100_000), &fixed.wire);
    assert_eq!(fixed.red.max_p, 0.02);
}

proptest! {
    #[test]
    fn looking_at_it_in_between_changes_no_adjustment(
        steps in prop::collection::vec((0u64..3_000, any::<bool>(), prop::collection::vec(0u64..3_000, 0..4)), 1..100),
    ) {
        let spec = RedSpec { adaptive: true, weight: percent(30), ..RedSpec::within(ByteSize::from_bytes(20_000)) };
        let (mut lazy, mut eager) = (Bench::new(spec), Bench::new(spec));
        let mut now = Instant::ZERO;
        for (wait, take, looks) in steps {
            let next = now + Duration::from_millis(wait);
            let mut looks: Vec<_> = looks.into_iter().map(|ms| now + Duration::from_millis(ms)).collect();
            looks.sort_unstable();
            for look in looks.into_iter().filter(|at| *at < next) {
                eager.red.catch_up(look, &eager.wire);
            }
            now = next;
            if take && lazy.red.frames() == 0 {
                continue; // nothing looks at it
            }
            for bench in [&mut lazy, &mut eager] {
                match take {
                    true => bench.take(now),
                    false => (0..4).for_each(|_| bench.offer(1000, now)),
                }
            }
            prop_assert_eq!((lazy.red.max_p, lazy.red.average), (eager.red.max_p, eager.red.average));
            prop_assert_eq!(&lazy.out.dropped, &eager.out.dropped);
        }
    }
}

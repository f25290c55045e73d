//! PIE: the adjustment of its probability by hand, the guards around it, and that its periods need no timer.

use super::*;
use crate::queue::testing::{Out, frame, key, ms, udp};
use proptest::prelude::*;

const MS15: Duration = Duration::from_millis(15);

fn control(drop_prob: f64, old: Duration) -> Control {
    Control { drop_prob, old, burst: Duration::ZERO, left: None }
}

/// How much an update changes the probability.
fn step(drop_prob: f64, old_ms: u64, now_ms: u64) -> f64 {
    let mut c = control(drop_prob, Duration::from_millis(old_ms));
    c.update(&PieSpec::default(), Duration::from_millis(now_ms), now_ms > 0);
    c.drop_prob - drop_prob
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12
}

#[test]
fn the_probability_moves_by_distance_and_trend_in_finer_steps_the_smaller_it_is() {
    // 20 ms above a target of 15 ms, grown by 20 ms: 0.125 · 0.02 + 1.25 · 0.02
    let whole = 0.0275;
    for (drop_prob, divisor) in [
        (0.0, 2048.0),
        (0.000_000_9, 2048.0),
        (0.000_001, 512.0),
        (0.000_009, 512.0),
        (0.000_01, 128.0),
        (0.000_09, 128.0),
        (0.000_1, 32.0),
        (0.000_9, 32.0),
        (0.001, 8.0),
        (0.009, 8.0),
        (0.01, 2.0),
        (0.099, 2.0),
    ] {
        assert!(near(step(drop_prob, 15, 35), whole / divisor), "at {drop_prob}");
    }
    // from 10 % up whole steps, but never more than 2 % up
    assert!(near(step(0.1, 15, 35), 0.02));
    assert!(near(step(0.5, 20, 25), 0.125 * 0.01 + 1.25 * 0.005));
    // standing still at the target changes nothing; below it and falling it goes down, whole
    assert_eq!(step(0.3, 15, 15), 0.0);
    assert!(near(step(0.3, 35, 15), -1.25 * 0.02));
    assert!(near(step(0.3, 10, 5), -0.125 * 0.01 - 1.25 * 0.005));
    // bounds
    assert_eq!(step(0.001, 1000, 0), -0.001);
    assert!(near(step(0.995, 15, 500), 0.005));
}

#[test]
fn without_any_wait_it_decays() {
    let expected = (0.5 - 0.125 * 0.015) * 0.98;
    assert!(near(step(0.5, 0, 0), expected - 0.5));
    // a wait in either period, and it does not
    assert!(near(step(0.5, 1, 0), -0.125 * 0.015 - 1.25 * 0.001));
}

#[test]
fn bursts_are_let_through_and_allowed_anew_after_quiet() {
    let spec = PieSpec::default();
    let mut c = Control::new(&spec);
    for n in 1..=10 {
        c.update(&spec, Duration::from_millis(40), false);
        assert_eq!(c.burst, Duration::from_millis(150 - 15 * n), "after {n} periods");
    }
    c.update(&spec, Duration::from_millis(40), false);
    assert_eq!(c.burst, Duration::ZERO);
    // not before two quiet periods and a probability of nothing
    while c.drop_prob > 0.0 {
        assert_eq!(c.burst, Duration::ZERO);
        c.update(&spec, Duration::ZERO, false);
    }
    assert_eq!(c.burst, Duration::ZERO, "the period before was not quiet");
    c.update(&spec, Duration::ZERO, false);
    assert_eq!(c.burst, spec.burst);
    c.old = Duration::from_micros(7_499);
    c.update(&spec, Duration::from_micros(7_499), false);
    assert_eq!((c.drop_prob, c.burst), (0.0, spec.burst), "half the target is quiet enough");
    c.update(&spec, Duration::from_micros(7_500), false);
    assert_eq!(c.burst, Duration::from_millis(135));
}

/// A queue whose probability and wait a test sets by hand.
struct Bench {
    pool: FramePool,
    out: Out,
    pie: Pie,
    number: u64,
    ecn: u8,
}

impl Bench {
    fn new(spec: PieSpec) -> Bench {
        let pie = Pie::new(spec, key(), Instant::ZERO);
        Bench { pool: FramePool::default(), out: Out::default(), pie, number: 0, ecn: 0 }
    }

    /// With this probability, and a wait that does not change it.
    fn at(mut spec: PieSpec, drop_prob: f64) -> Bench {
        spec.limit = 1_000_000;
        let mut bench = Bench::new(spec);
        for _ in 0..10 {
            bench.offer(Instant::ZERO);
        }
        bench.pie.control = control(drop_prob, MS15);
        bench
    }

    fn offer(&mut self, at: Instant) {
        let frame = frame(&mut self.pool, &udp(1, self.ecn, 1000), self.number, at);
        self.number += 1;
        self.pie.offer(frame, &mut self.pool, &mut self.out);
    }

    fn told(&mut self, frames: u64) -> Vec<u64> {
        let from = self.number;
        for _ in 0..frames {
            self.offer(Instant::ZERO);
        }
        let told = self.out.dropped.iter().map(|(n, _)| *n).chain(self.out.marked.iter().copied());
        let mut told: Vec<u64> = told.filter(|n| *n >= from).map(|n| n - from).collect();
        told.sort_unstable();
        told
    }
}

#[test]
fn drops_are_as_often_as_asked() {
    // n ≥ (6.4 / 0.05)² (1 − p) / p draws tell 5 % with power 0.999; bounds of α = 0.001
    let spec = PieSpec { derandomize: false, ..PieSpec::default() };
    for (p, n) in [(0.2, 66_000u64), (0.5, 17_000)] {
        let told = Bench::at(spec, p).told(n).len() as f64;
        let (mean, sigma) = (n as f64 * p, (n as f64 * p * (1.0 - p)).sqrt());
        assert!((told - mean).abs() < 3.29 * sigma, "{told} of {n} at {p}");
    }
    assert!(Bench::at(spec, 0.0).told(10_000).is_empty());
    assert_eq!(Bench::at(spec, 1.0).told(1000).len(), 1000);
}

#[test]
fn without_chance_drops_are_neither_crowded_nor_rare() {
    let p = 0.02;
    let told = Bench::at(PieSpec::default(), p).told(100_000);
    let gaps: Vec<u64> = told.windows(2).map(|w| w[1] - w[0]).collect();
    // the sum of probabilities is at 0.85 after 43 frames, and at 8.5 after 425 (RFC 8033 §5.4)
    assert!(gaps.iter().all(|gap| (43..=425).contains(gap)), "{:?}", (gaps.iter().min(), gaps.iter().max()));
    // 42 for sure, then geometric: 42 + 1/p
    let mean = gaps.iter().sum::<u64>() as f64 / gaps.len() as f64;
    let sigma = (1.0 - p).sqrt() / p / (gaps.len() as f64).sqrt();
    assert!((mean - 92.0).abs() < 3.29 * sigma, "{mean} ± {sigma}");
    // at hand a run of bad luck: the drop is certain
    let mut bench = Bench::at(PieSpec::default(), 1e-9);
    bench.pie.accumulated = 8.5;
    assert_eq!(bench.told(1), [0]);
    assert_eq!(bench.pie.accumulated, 0.0);
}

#[test]
fn guards_keep_the_wire_busy() {
    let certain = PieSpec { derandomize: false, ..PieSpec::default() };
    // two full frames may wait in any case
    let mut bench = Bench::new(certain);
    bench.pie.control = control(1.0, MS15);
    let told = bench.told(10);
    assert_eq!(told, (4..10).collect::<Vec<_>>(), "3 · 1000 bytes are below 2 · 1514, 4 · 1000 are not");
    // below half the target, probabilities below 20 % do nothing
    for (drop_prob, old_us, drops) in [(0.199, 7_499, false), (0.2, 7_499, true), (0.199, 7_500, true)] {
        let mut bench = Bench::at(certain, drop_prob);
        bench.pie.control.old = Duration::from_micros(old_us);
        assert_eq!(!bench.told(200).is_empty(), drops, "{drop_prob} {old_us}");
    }
    // nor do any while a burst is allowed
    let mut bench = Bench::at(certain, 1.0);
    bench.pie.control.burst = Duration::from_nanos(1);
    assert!(bench.told(100).is_empty());
}

#[test]
fn marks_take_the_place_of_drops_below_the_threshold() {
    let spec = PieSpec { ecn: true, derandomize: false, ..PieSpec::default() };
    for (drop_prob, ecn, marks) in [(0.0999, 2, true), (0.0999, 1, true), (0.0999, 0, false), (0.1, 2, false)] {
        let mut bench = Bench::at(spec, drop_prob);
        bench.ecn = ecn;
        assert!(bench.told(1000).len() > 20);
        let (marked, dropped) = (bench.out.marked.len(), bench.out.count(DropCause::Aqm));
        assert_eq!((marked > 0, dropped > 0), (marks, !marks), "{drop_prob} {ecn}");
    }
}

#[test]
fn the_limit_holds_whatever_the_law_says() {
    let mut bench = Bench::new(PieSpec { limit: 3, ..PieSpec::default() });
    let told = bench.told(5);
    assert_eq!((told.len(), bench.out.count(DropCause::QueueFull), bench.pie.frames()), (2, 2, 3));
    bench.pie.set(PieSpec { limit: 1, ..PieSpec::default() }, ms(1), &mut bench.pool, &mut bench.out);
    assert_eq!((bench.pie.frames(), bench.out.count(DropCause::QueueResized)), (1, 2));
}

#[test]
fn the_wait_is_that_of_the_frame_that_left_last_and_nothing_once_none_waits() {
    let mut bench = Bench::new(PieSpec::default());
    for t in [0, 1, 2] {
        bench.offer(ms(t));
    }
    for (at, wait) in [(10, 10), (13, 12), (20, 0), (21, 0)] {
        if let Some(frame) = bench.pie.take(ms(at), &mut bench.pool) {
            bench.pool.release(frame);
        }
        assert_eq!(bench.pie.wait, Duration::from_millis(wait), "at {at} ms");
    }
}

#[test]
fn hours_of_rest_cost_no_time_and_leave_the_periods_in_place() {
    let mut bench = Bench::at(PieSpec::default(), 0.7);
    while let Some(frame) = bench.pie.take(ms(100), &mut bench.pool) {
        bench.pool.release(frame);
    }
    bench.offer(Instant::from_nanos(u64::MAX - 1));
    let mut quiet = Control::new(&PieSpec::default());
    quiet.update(&PieSpec::default(), Duration::ZERO, false);
    assert_eq!(bench.pie.control, quiet);
    let period = bench.pie.spec.tupdate.as_nanos();
    let mut other = Bench::at(PieSpec::default(), 0.0);
    other.offer(Instant::from_nanos(1_000_000_000_000));
    assert_eq!(other.pie.next_update.as_nanos() % period, 0);
    assert!(other.pie.next_update > Instant::from_nanos(1_000_000_000_000));
}

fn law() -> impl Strategy<Value = PieLaw> {
    prop_oneof![Just(PieLaw::Rfc8033), Just(PieLaw::Linux)]
}

#[test]
fn linux_lets_the_probability_grow_beyond_one_and_forgets_more_slowly() {
    let spec = PieSpec { law: PieLaw::Linux, ..PieSpec::default() };
    let step = |drop_prob: f64, old: u64, now: u64, busy: bool| {
        let mut c = control(drop_prob, Duration::from_millis(old));
        c.update(&spec, Duration::from_millis(now), busy);
        c.drop_prob - drop_prob
    };
    assert!(near(step(0.995, 15, 200, true), 0.02));
    // 2 % more beyond 250 ms, whatever else the law adds
    assert!(near(step(5.0, 15, 250, true), 0.02) && near(step(5.0, 15, 251, true), 0.04));
    // what overflows is 1 (`vars->prob = MAX_PROB`)
    assert_eq!(256.0 - 0.01 + step(256.0 - 0.01, 15, 200, true), 1.0);
    // 1/64 of what is left without any wait, but not while frames wait
    let less = -0.125 * 0.015;
    assert!(near(step(0.5, 0, 0, false), less - (0.5 + less) / 64.0) && near(step(0.5, 0, 0, true), less));
}

proptest! {
    #[test]
    fn looking_at_it_in_between_changes_nothing(
        steps in prop::collection::vec((0u64..40_000, any::<bool>(), prop::collection::vec(0u64..40_000, 0..4)), 1..150),
        law in law(),
    ) {
        // the same frames come and leave, once with every update at its own time, once caught up with
        let spec = PieSpec { burst: Duration::ZERO, alpha: Gain(32_000_000), law, ..PieSpec::default() };
        let mut lazy = Bench::new(spec);
        let mut eager = Bench::new(spec);
        let mut now = Instant::ZERO;
        for (wait, take, looks) in steps {
            let next = now + Duration::from_micros(wait);
            let mut looks: Vec<_> = looks.into_iter().map(|us| now + Duration::from_micros(us)).collect();
            looks.sort_unstable();
            for look in looks.into_iter().filter(|at| *at < next) {
                eager.pie.catch_up(look);
            }
            now = next;
            for bench in [&mut lazy, &mut eager] {
                if take {
                    if let Some(frame) = bench.pie.take(now, &mut bench.pool) {
                        bench.pool.release(frame);
                    }
                } else {
                    for _ in 0..3 {
                        bench.offer(now);
                    }
                }
            }
            prop_assert_eq!(lazy.pie.control, eager.pie.control);
            prop_assert_eq!(&lazy.out.dropped, &eager.out.dropped);
        }
    }

    #[test]
    fn passing_over_updates_at_rest_is_as_good_as_doing_them(
        drop_prob in 0.0f64..1.0, old in 0u64..50, periods in 1u64..3000, law in law(),
    ) {
        let spec = PieSpec { law, ..PieSpec::default() };
        let mut bench = Bench::new(spec);
        bench.pie.control = control(drop_prob, Duration::from_millis(old));
        let mut one_by_one = bench.pie.control;
        for _ in 0..periods {
            one_by_one.update(&spec, Duration::ZERO, false);
        }
        bench.pie.catch_up(ms(15 * periods));
        prop_assert_eq!(bench.pie.control, one_by_one);
        prop_assert_eq!(bench.pie.next_update, ms(15 * (periods + 1)));
    }
}

//! CoDel's law, step by step: scripted waits against the sequence that RFC 8289 describes in words.

use super::*;
use crate::queue::testing::{Out, frame, ms, udp};

/// A queue in which at any time as many frames wait as a test wants, each of which came at a time of the test's choice.
struct Script {
    pool: FramePool,
    out: Out,
    queue: Codel,
    next: u64,
    ecn: u8,
}

impl Script {
    fn new(spec: CodelSpec) -> Script {
        Script { pool: FramePool::default(), out: Out::default(), queue: Codel::new(spec), next: 0, ecn: 0 }
    }

    fn offer(&mut self, at: Instant, len: usize) {
        let frame = frame(&mut self.pool, &udp(1, self.ecn, len), self.next, at);
        self.next += 1;
        self.queue.offer(frame, &mut self.pool, &mut self.out);
    }

    /// The number of the frame that leaves at `now`, and how many were dropped and marked before it.
    fn take(&mut self, now: Instant) -> (Option<u64>, usize, usize) {
        let before = (self.out.count(DropCause::Aqm), self.out.marked.len());
        let taken = self.queue.take(now, &mut self.pool, &mut self.out);
        let number = taken.as_ref().map(Frame::number);
        if let Some(frame) = taken {
            self.pool.release(frame);
        }
        (number, self.out.count(DropCause::Aqm) - before.0, self.out.marked.len() - before.1)
    }

    /// Takes a frame a millisecond from `from` to before `to`, all having waited `wait`; the instants with drops or marks.
    fn told_between(&mut self, from: u64, to: u64, wait: Duration) -> Vec<u64> {
        let mut told = Vec::new();
        for t in from..to {
            let came = Instant::from_nanos(ms(t).as_nanos().saturating_sub(wait.as_nanos()));
            self.refill(came);
            let (_, dropped, marked) = self.take(ms(t));
            assert!(dropped + marked <= 1, "one at a time at this pace");
            if dropped + marked > 0 {
                told.push(t);
            }
        }
        told
    }

    /// Four frames that came at `came`, whatever waited before.
    fn refill(&mut self, came: Instant) {
        let mut silent = Out::default();
        self.queue.backlog.clear(DropCause::LinkDown, &mut self.pool, &mut silent);
        for _ in 0..4 {
            self.offer(came, 1000);
        }
    }
}

/// The first whole millisecond at or after each of start + interval · (1/√1 + 1/√2 + …), which begins with `start` itself.
fn square_roots(start: u64, interval_ms: f64, from_count: u32, until: u64) -> Vec<u64> {
    let (mut at, mut drops) = (start as f64, vec![start]);
    for count in from_count.. {
        at += interval_ms / f64::from(count).sqrt();
        // the law works in whole nanoseconds, rounded down
        let due = (at - 1e-4).ceil() as u64;
        if due >= until {
            return drops;
        }
        drops.push(due);
    }
    unreachable!("the sum has no bound")
}

#[test]
fn a_standing_queue_is_told_after_an_interval_and_then_ever_more_often() {
    let mut script = Script::new(CodelSpec::default());
    // the first wait above the target is seen at 200 ms, so the first drop comes at 300 ms
    let told = script.told_between(200, 2000, Duration::from_millis(20));
    assert_eq!(told, square_roots(300, 100.0, 1, 2000));
    assert_eq!(told[..5], [300, 400, 471, 529, 579], "100/√1, 100/√2, 100/√3, 100/√4");
}

#[test]
fn marks_take_the_place_of_drops_at_the_same_instants() {
    let mut script = Script::new(CodelSpec { ecn: true, ..CodelSpec::default() });
    script.ecn = 2;
    let told = script.told_between(200, 2000, Duration::from_millis(20));
    assert_eq!(told, square_roots(300, 100.0, 1, 2000));
    assert_eq!((script.out.count(DropCause::Aqm), script.out.marked.len()), (0, told.len()));
    // what is not ECN-capable is dropped also then
    let mut script = Script::new(CodelSpec { ecn: true, ..CodelSpec::default() });
    let dropped = script.told_between(200, 2000, Duration::from_millis(20));
    assert_eq!((script.out.count(DropCause::Aqm), script.out.marked.len()), (dropped.len(), 0));
    // and without `ecn` nothing is marked
    let mut script = Script::new(CodelSpec::default());
    script.ecn = 2;
    script.told_between(200, 2000, Duration::from_millis(20));
    assert!(script.out.marked.is_empty() && script.out.count(DropCause::Aqm) > 10);
}

#[test]
fn target_and_interval_hold_to_the_nanosecond() {
    let spec = CodelSpec::default();
    for (wait_ns, above) in [(4_999_999, false), (5_000_000, true)] {
        let mut script = Script::new(spec);
        let told = script.told_between(100, 300, Duration::from_nanos(wait_ns));
        assert_eq!(!told.is_empty(), above, "a wait of {wait_ns} ns");
    }
    for (ns, dropped) in [(99_999_999, 0), (100_000_000, 1)] {
        let mut script = Script::new(spec);
        let start = ms(50);
        script.refill(ms(10));
        assert_eq!(script.take(start).1, 0, "the first above the target only starts the interval");
        script.refill(ms(10));
        assert_eq!(script.take(start + Duration::from_nanos(ns)).1, dropped, "after {ns} ns");
    }
}

#[test]
fn one_short_wait_within_an_interval_is_enough() {
    let mut script = Script::new(CodelSpec::default());
    let long = Duration::from_millis(20);
    assert!(script.told_between(100, 199, long).is_empty());
    assert!(script.told_between(199, 200, Duration::from_millis(4)).is_empty());
    assert!(script.told_between(200, 300, long).is_empty(), "the interval began anew at 200 ms");
    assert_eq!(script.told_between(300, 301, long), [300]);
}

#[test]
fn no_more_than_one_frame_waiting_is_no_standing_queue() {
    let mut script = Script::new(CodelSpec::default());
    for t in (100..1000).step_by(10) {
        // one that leaves and one behind it, both of the greatest length seen
        script.offer(ms(t - 50), 1000);
        script.offer(ms(t - 50), 1000);
        assert_eq!(script.take(ms(t)).1, 0);
        assert_eq!(script.take(ms(t + 1)).1, 0);
    }
}

#[test]
fn an_empty_queue_ends_dropping() {
    let mut script = Script::new(CodelSpec::default());
    let long = Duration::from_millis(20);
    assert_eq!(script.told_between(100, 301, long), [200, 300]);
    let mut silent = Out::default();
    script.queue.backlog.clear(DropCause::LinkDown, &mut script.pool, &mut silent);
    assert_eq!(script.take(ms(301)).0, None);
    assert!(!script.queue.control.dropping);
    assert!(script.told_between(302, 402, long).is_empty(), "a whole interval passes first");
}

#[test]
fn dropping_that_begins_again_soon_goes_on_at_its_rate() {
    let long = Duration::from_millis(20);
    let after_pause = |pause: u64| {
        let mut script = Script::new(CodelSpec::default());
        let told = script.told_between(0, 1000, long);
        // the first drop has a count of 1, so it ended with as many as there were drops
        let count = script.queue.control.count;
        assert_eq!(count as usize, told.len());
        assert!(script.told_between(1000, 1000 + pause, Duration::ZERO).is_empty());
        (count, script.told_between(1000 + pause, 1400 + pause, long), 1100 + pause)
    };
    // within 16 intervals: the next frames are dropped at the rate of count − last count
    let (count, told, start) = after_pause(200);
    assert_eq!(told, square_roots(start, 100.0, count - 1, 1600));
    // after more than 16 intervals: from the beginning
    let (_, told, start) = after_pause(1700);
    assert_eq!(told, square_roots(start, 100.0, 1, 3100));
}

#[test]
fn a_slow_wire_drops_several_at_once_and_what_comes_next_leaves() {
    let mut script = Script::new(CodelSpec::default());
    for _ in 0..40 {
        script.offer(Instant::ZERO, 1000);
    }
    assert_eq!(script.take(ms(100)), (Some(0), 0, 0));
    assert_eq!(script.take(ms(200)), (Some(2), 1, 0));
    // due at 300, 370.7, 428.4, 478.4 ms
    assert_eq!(script.take(ms(450)), (Some(6), 3, 0));
    assert_eq!(script.take(ms(478)), (Some(7), 0, 0));
    assert_eq!(script.take(ms(479)), (Some(9), 1, 0));
}

#[test]
fn the_limit_drops_from_the_tail() {
    let mut script = Script::new(CodelSpec { limit: 3, ..CodelSpec::default() });
    for _ in 0..5 {
        script.offer(Instant::ZERO, 1000);
    }
    assert_eq!(script.out.dropped, [(3, DropCause::QueueFull), (4, DropCause::QueueFull)]);
    let train = script.pool.store_train(&[0; 50 + 4 * 100], crate::frame::Cut { header: 50, segment: 100 }).unwrap();
    assert_eq!(script.take(ms(1)).0, Some(0));
    script.queue.offer(train, &mut script.pool, &mut script.out);
    assert_eq!((script.queue.frames(), script.out.dropped.len()), (3, 5), "one of the train's four fits");
    let smaller = CodelSpec { limit: 1, ..CodelSpec::default() };
    script.queue.set(smaller, &mut script.pool, &mut script.out);
    assert_eq!((script.queue.frames(), script.out.count(DropCause::QueueResized)), (1, 2));
    script.queue.clear(DropCause::LinkDown, &mut script.pool, &mut script.out);
    assert_eq!((script.queue.frames(), script.pool.live()), (0, 0));
}

#[test]
fn extreme_times_neither_panic_nor_wrap() {
    let spec = CodelSpec { target: Duration::from_nanos(1), interval: Duration::MAX, ..CodelSpec::default() };
    let mut script = Script::new(spec);
    for t in [0, 1, u64::MAX - 1] {
        script.refill(Instant::ZERO);
        assert_eq!(script.take(Instant::from_nanos(t)).1, 0);
    }
}

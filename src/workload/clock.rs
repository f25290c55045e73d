//! Clocks of a workload: monotonic time, and kernel receive timestamps turned into it.
//!
//! The kernel stamps what it receives with the wall clock, which steps when it is set. Both clocks run at one rate, so
//! their distance is a constant between two steps. [`ReceiveClock`] narrows it down from every pair of readings and
//! always errs to the late side, so that no delay ever reads shorter than it was.

use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};

fn nanos(time: TimeSpec) -> i64 {
    time.tv_sec() * 1_000_000_000 + time.tv_nsec()
}

/// `CLOCK_MONOTONIC` in ns. All workloads of a machine share it, so one-way delays can be told.
pub(super) fn now() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |t| nanos(t) as u64)
}

/// What a kernel receive timestamp (`CLOCK_REALTIME`) says, in ns.
pub(super) fn timestamp(time: TimeSpec) -> i64 {
    nanos(time)
}

/// One look at both clocks: the wall clock was `real` at some moment from `before` to `after`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    before: u64,
    real: i64,
    after: u64,
}

impl Reading {
    /// Looks at both clocks now.
    pub(super) fn take() -> Reading {
        let before = now();
        let real = clock_gettime(ClockId::CLOCK_REALTIME).map_or(0, nanos);
        Reading { before, real, after: now() }
    }

    /// The monotonic time at the end of the look.
    pub(super) fn after(self) -> u64 {
        self.after
    }
}

/// What wall clock − monotonic clock is known to be: from `low` to `high`.
#[derive(Clone, Copy, Debug)]
struct Distance {
    low: i64,
    high: i64,
}

/// Turns kernel receive timestamps into monotonic time.
#[derive(Debug)]
pub(super) struct ReceiveClock {
    distance: Distance,
    // The distance before the last step of the wall clock, and when the step was noticed.
    stepped: Option<(Distance, u64)>,
}

impl ReceiveClock {
    /// A clock that knows the distance of now.
    pub(super) fn new(reading: Reading) -> ReceiveClock {
        ReceiveClock { distance: ReceiveClock::distance(reading), stepped: None }
    }

    fn distance(reading: Reading) -> Distance {
        Distance { low: reading.real - reading.after as i64, high: reading.real - reading.before as i64 }
    }

    /// Takes in a look at both clocks.
    pub(super) fn observe(&mut self, reading: Reading) {
        let seen = ReceiveClock::distance(reading);
        let both = Distance { low: self.distance.low.max(seen.low), high: self.distance.high.min(seen.high) };
        if both.low <= both.high {
            self.distance = both;
        } else {
            self.stepped = Some((self.distance, reading.after));
            self.distance = seen;
        }
    }

    /// The monotonic time of a kernel timestamp that was just read, not before the truth. `sent` is when the datagram
    /// was sent at the earliest, `reading` a look at both clocks after it was received.
    pub(super) fn received(&mut self, timestamp: i64, sent: u64, reading: Reading) -> u64 {
        self.observe(reading);
        // The lowest possible distance gives the latest possible time.
        let now_at = timestamp.saturating_sub(self.distance.low);
        let before_step = self.stepped.map(|(distance, noticed)| (timestamp.saturating_sub(distance.low), noticed));
        let possible = |at: i64, until: u64| u64::try_from(at).ok().filter(|at| (sent..=until).contains(at));
        let stamped_after = possible(now_at, reading.after);
        let stamped_before = before_step.and_then(|(at, noticed)| possible(at, noticed.min(reading.after)));
        stamped_after.max(stamped_before).unwrap_or(reading.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wall clock = monotonic + `distance`; the look takes 40 ns with the wall clock read 10 ns in.
    fn look(at: u64, distance: i64) -> Reading {
        Reading { before: at, real: at as i64 + 10 + distance, after: at + 40 }
    }

    const WALL: i64 = 1_700_000_000_000_000_000;

    #[test]
    fn the_wake_up_delay_does_not_count() {
        let mut clock = ReceiveClock::new(look(0, WALL));
        // Arrived at 5,000, read at 900,000.
        let at = clock.received(5_000 + WALL, 1_000, look(900_000, WALL));
        assert!((5_000..=5_040).contains(&at), "{at}");
    }

    #[test]
    fn a_time_is_never_early_and_the_error_shrinks_with_more_looks() {
        let mut clock = ReceiveClock::new(Reading { before: 0, real: WALL + 1, after: 5_000 });
        let first = clock.received(10_000 + WALL, 0, Reading { before: 20_000, real: WALL + 20_900, after: 21_000 });
        assert_eq!(first, 10_100);
        let second = clock.received(30_000 + WALL, 0, Reading { before: 40_000, real: WALL + 40_999, after: 41_000 });
        assert_eq!(second, 30_001);
        let third = clock.received(50_000 + WALL, 0, Reading { before: 60_000, real: WALL + 60_001, after: 99_000 });
        assert_eq!(third, 50_001, "a worse look takes nothing away");
    }

    #[test]
    fn steps_of_the_wall_clock_in_either_direction_move_nothing() {
        for step in [-3_600_000_000_000, -5_000_000, 5_000_000, 3_600_000_000_000] {
            let mut clock = ReceiveClock::new(look(0, WALL));
            // Stamped before the step, read after it.
            let queued = clock.received(1_000_000 + WALL, 900_000, look(2_000_000, WALL + step));
            assert!((1_000_000..=2_000_040).contains(&queued), "{step}: {queued}");
            // Stamped and read after the step.
            let fresh = clock.received(90_000_000 + WALL + step, 80_000_000, look(99_000_000, WALL + step));
            assert!((90_000_000..=90_000_040).contains(&fresh), "{step}: {fresh}");
        }
    }

    #[test]
    fn an_impossible_timestamp_counts_as_now() {
        let mut clock = ReceiveClock::new(look(0, WALL));
        assert_eq!(clock.received(5, 0, look(1_000, WALL)), 1_040);
        assert_eq!(clock.received(i64::MAX, 0, look(1_000, WALL)), 1_040);
        assert_eq!(clock.received(i64::MIN, 0, look(1_000, WALL)), 1_040);
    }

    #[test]
    fn the_machines_clocks_agree_with_themselves() {
        let first = Reading::take();
        let mut clock = ReceiveClock::new(first);
        let at = clock.received(first.real, first.before, Reading::take());
        assert!(at >= first.before && at <= now());
    }
}

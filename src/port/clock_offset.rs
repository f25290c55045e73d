//! How far another machine's clock is ahead of this one, by datagrams that say when they were sent.
//!
//! No path takes negative time. So a datagram that was sent at `s` of their clock and came at `r` of ours says that theirs is at least
//! `s - r` ahead, and one of ours that was sent at `s` and came at `r` of theirs, that it is at most `r - s` ahead. The largest of the
//! former and the smallest of the latter bound the offset. The estimate is the middle, as that of a single exchange in RFC 5905 §8; the
//! error is half of what lies between: half of the least one-way delays of both directions together. It holds however a path divides its
//! round trip between both directions. Nobody can know the offset better who knows nothing about that.
//!
//! Clocks drift, so each bound moves outwards from the instant at which it was true, by `DRIFT`. Where one is contradicted all the
//! same, a clock was set or stopped: what was known before is forgotten.

/// How fast two clocks drift apart at most: 200 ppm, as one part in so many. Each may be wrong by 100 ppm, which Ethernet allows its
/// transmitters (IEEE 802.3 §22.2.2.1); crystals of computers are better.
const DRIFT: u64 = 5_000;
/// Bounds from the first exchanges are wide, by ARP and the like: from an estimate so much later drift is counted, in ns.
const SETTLED: u64 = 1_000_000_000;
/// Drift is not told over shorter times.
const LEAST: u64 = 10_000_000_000;

/// What is known of an offset: it is `offset` ± `error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Their clock less ours, in ns.
    pub offset: i64,
    /// In ns.
    pub error: u64,
}

/// A bound that was true at an instant of our clock.
#[derive(Clone, Copy, Debug)]
struct Bound {
    value: i64,
    at: u64,
}

impl Bound {
    /// By how much it may be wrong by now.
    fn slack(self, now: u64) -> i64 {
        drift(now.saturating_sub(self.at))
    }
}

/// The most that two clocks drift apart in `elapsed`.
fn drift(elapsed: u64) -> i64 {
    elapsed.div_ceil(DRIFT) as i64
}

/// `a - b` of readings of two clocks.
fn difference(a: u64, b: u64) -> i64 {
    a.wrapping_sub(b) as i64
}

/// What has been heard so far. All times are in ns; `now` and times of our clock never go back.
#[derive(Clone, Debug, Default)]
pub(super) struct ClockOffset {
    lower: Option<Bound>,
    upper: Option<Bound>,
    contradicted: u64,
    /// When both bounds were first known.
    known: Option<u64>,
    /// When they had settled, and the estimate then.
    settled: Option<(u64, i64)>,
}

impl ClockOffset {
    /// A datagram of theirs that was `sent` by their clock has come, `now` by ours.
    pub(super) fn came(&mut self, sent: u64, now: u64) {
        let least = difference(sent, now);
        let before = self.lower_at(now).unwrap_or(i64::MIN);
        if self.upper_at(now).is_some_and(|most| most < least) {
            self.forget();
        }
        self.lower = Some(Bound { value: least.max(before), at: now });
        self.settle(now);
    }

    /// A datagram of ours that was `sent` by our clock had come `received` by theirs, which we hear `now`.
    pub(super) fn answered(&mut self, sent: u64, received: u64, now: u64) {
        // of the future: it is no stamp of ours
        let Some(elapsed) = now.checked_sub(sent) else { return };
        // it came there at some instant since
        let most = difference(received, sent).saturating_add(drift(elapsed));
        let before = self.upper_at(now).unwrap_or(i64::MAX);
        if self.lower_at(now).is_some_and(|least| most < least) {
            self.forget();
        }
        self.upper = Some(Bound { value: most.min(before), at: now });
        self.settle(now);
    }

    fn lower_at(&self, now: u64) -> Option<i64> {
        self.lower.map(|bound| bound.value.saturating_sub(bound.slack(now)))
    }

    fn upper_at(&self, now: u64) -> Option<i64> {
        self.upper.map(|bound| bound.value.saturating_add(bound.slack(now)))
    }

    fn forget(&mut self) {
        *self = ClockOffset { contradicted: self.contradicted + 1, ..ClockOffset::default() };
    }

    fn settle(&mut self, now: u64) {
        let Some(estimate) = self.estimate(now) else { return };
        let known = *self.known.get_or_insert(now);
        if self.settled.is_none() && now.saturating_sub(known) >= SETTLED {
            self.settled = Some((now, estimate.offset));
        }
    }

    /// What is known `now`; `None` before a datagram has crossed in each direction.
    pub(super) fn estimate(&self, now: u64) -> Option<Estimate> {
        let (lower, upper) = (self.lower_at(now)?, self.upper_at(now)?);
        let between = upper.abs_diff(lower);
        Some(Estimate { offset: lower.saturating_add_unsigned(between / 2), error: between.div_ceil(2) })
    }

    /// How much faster their clock runs than ours, in parts per billion; `None` where that has not been watched for ten seconds.
    pub(super) fn drift_ppb(&self, now: u64) -> Option<i64> {
        let (from, offset) = self.settled?;
        let elapsed = now.checked_sub(from).filter(|elapsed| *elapsed >= LEAST)?;
        let moved = i128::from(self.estimate(now)?.offset) - i128::from(offset);
        i64::try_from(moved * 1_000_000_000 / i128::from(elapsed)).ok()
    }

    /// How often a clock was found to have been set or stopped.
    pub(super) fn contradicted(&self) -> u64 {
        self.contradicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;
    const SECOND: u64 = 1_000 * MS;

    /// Their clock, which began `shift` ahead and gains `ppb`.
    #[derive(Clone, Copy, Debug)]
    struct Theirs {
        shift: i64,
        ppb: i64,
    }

    impl Theirs {
        fn at(self, ours: u64) -> u64 {
            let gained = i128::from(ours) * i128::from(self.ppb) / 1_000_000_000;
            (i128::from(ours) + gained) as u64
        }

        fn read(self, ours: u64) -> u64 {
            self.at(ours).wrapping_add_signed(self.shift)
        }

        fn ahead(self, ours: u64) -> i64 {
            difference(self.read(ours), ours)
        }
    }

    /// One exchange that begins at `at`: there in `out`, held, and `back`. Returns when it is over.
    fn exchange(clock: &mut ClockOffset, theirs: Theirs, at: u64, [out, held, back]: [u64; 3]) -> u64 {
        let now = at + out + held + back;
        clock.answered(at, theirs.read(at + out), now);
        clock.came(theirs.read(at + out + held), now);
        now
    }

    #[test]
    fn five_milliseconds_out_and_fifteen_back_are_ten_each_within_ten() {
        let theirs = Theirs { shift: 3 * SECOND as i64, ppb: 0 };
        let mut clock = ClockOffset::default();
        assert_eq!(clock.estimate(0), None);
        let now = exchange(&mut clock, theirs, SECOND, [5 * MS, 0, 15 * MS]);
        let Estimate { offset, error } = clock.estimate(now).unwrap();
        // 20 ms of drift are 4 µs
        assert_eq!((offset, error), (2_995_002_000, 10_002_000));
        assert!(offset.abs_diff(theirs.ahead(now)) <= error);
    }

    #[test]
    fn the_least_delays_of_both_directions_count_even_of_different_exchanges() {
        let theirs = Theirs { shift: -7, ppb: 0 };
        let mut clock = ClockOffset::default();
        exchange(&mut clock, theirs, SECOND, [2 * MS, 0, 90 * MS]);
        let now = exchange(&mut clock, theirs, SECOND + 200 * MS, [90 * MS, 0, 4 * MS]);
        let estimate = clock.estimate(now).unwrap();
        // since the first of them: less than 300 ms, and 60 µs
        assert!((3 * MS..3 * MS + 60_000).contains(&estimate.error), "{estimate:?}");
    }

    #[test]
    fn what_is_known_is_worth_less_as_time_goes_by() {
        let mut clock = ClockOffset::default();
        let now = exchange(&mut clock, Theirs { shift: 0, ppb: 0 }, SECOND, [0; 3]);
        assert_eq!(clock.estimate(now), Some(Estimate { offset: 0, error: 0 }));
        assert_eq!(clock.estimate(now + 10 * SECOND), Some(Estimate { offset: 0, error: 2 * MS }));
    }

    #[test]
    fn a_clock_that_was_set_is_found_out() {
        for jump in [50 * MS as i64, -50 * MS as i64] {
            let mut clock = ClockOffset::default();
            exchange(&mut clock, Theirs { shift: 0, ppb: 0 }, SECOND, [MS, 0, MS]);
            let after = Theirs { shift: jump, ppb: 0 };
            let now = exchange(&mut clock, after, 2 * SECOND, [MS, 0, MS]);
            assert_eq!(clock.contradicted(), 1);
            let now = exchange(&mut clock, after, now, [MS, 0, MS]);
            let estimate = clock.estimate(now).unwrap();
            assert!(estimate.offset.abs_diff(jump) <= estimate.error && estimate.error < 2 * MS, "{estimate:?}");
        }
    }

    proptest! {
        #[test]
        fn the_offset_is_always_within_the_error(
            shift in -10_000_000_000_000..10_000_000_000_000_i64,
            ppb in -200_000..=200_000_i64,
            base in [0..50 * MS, 0..50 * MS],
            exchanges in proptest::collection::vec((0..SECOND, [0..40 * MS, 0..100 * MS, 0..40 * MS]), 1..200),
        ) {
            let theirs = Theirs { shift, ppb };
            let (mut clock, mut at) = (ClockOffset::default(), 100 * SECOND);
            for (pause, [out, held, back]) in exchanges {
                let now = exchange(&mut clock, theirs, at, [base[0] + out, held, base[1] + back]);
                // until the next one comes, too
                for now in [now, now + pause] {
                    let Estimate { offset, error } = clock.estimate(now).unwrap();
                    prop_assert!(offset.abs_diff(theirs.ahead(now)) <= error, "{offset} ± {error}, {}", theirs.ahead(now));
                }
                at = now + pause;
            }
            prop_assert_eq!(clock.contradicted(), 0);
        }

        #[test]
        fn a_minute_tells_the_drift_and_costs_little_of_the_error(ppb in -100_000..=100_000_i64, shift in any::<i32>()) {
            let theirs = Theirs { shift: shift.into(), ppb };
            let (mut clock, mut now) = (ClockOffset::default(), 5 * SECOND);
            for n in 0..600 {
                // the first exchange waits for ARP
                let slow = if n == 0 { 50 * MS } else { n * 7_919 % 1_000 * 100 };
                now = exchange(&mut clock, theirs, now + 80 * MS, [5 * MS + slow, 0, 15 * MS]);
            }
            let Estimate { offset, error } = clock.estimate(now).unwrap();
            prop_assert!(offset.abs_diff(theirs.ahead(now)) <= error && error <= 10 * MS + 200_000, "{error}");
            let told = clock.drift_ppb(now).unwrap();
            prop_assert!(told.abs_diff(ppb) <= 5_000, "{told} of {ppb}");
        }

        #[test]
        fn nonsense_does_no_more_than_be_forgotten(stamps in proptest::collection::vec(any::<[u64; 3]>(), 0..50)) {
            let (mut clock, mut now) = (ClockOffset::default(), SECOND);
            for [sent, received, pause] in stamps {
                clock.came(sent, now);
                clock.answered(sent, received, now);
                clock.answered(received % now, sent, now);
                let _ = (clock.estimate(now), clock.drift_ppb(now));
                now = now.saturating_add(pause >> 20);
            }
        }
    }
}

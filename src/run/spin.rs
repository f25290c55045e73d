//! How long before a deadline the loop wakes up to spin. A sleep that ends early costs processor time, one that ends late
//! costs accuracy; so it depends on whether anybody else wants the processor, which shows in how long this thread waits
//! for one.
//!
//! - Nobody does: the whole bound. A loop that spins also sees at once what comes from a host; one that sleeps needs about
//!   ten microseconds to wake up, and that frame is late by them for the rest of its way.
//! - Somebody does: as long as this machine's sleepers tend to be late. The margin follows the 95th percentile of that, by
//!   a stochastic quantile tracker (Robbins and Monro 1951): up by 19 steps when a sleep was later than the margin, down by
//!   one when it was not.
//! - Processors are short: not at all, for a second.

use crate::units::Duration;

/// How often the wait for a processor is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(100);
/// A thread that waits for a processor for more than this share of the time takes it from others by spinning.
const STARVED: f64 = 0.10;
/// One that waits for less than this share of the time has its processor for itself.
const CALM: f64 = 0.02;
/// For how many looks spinning stays off then.
const REST: u32 = 10;
/// How far one sleep moves the margin at least.
const STEP: u64 = 50;

/// The margin, and what it learns from.
#[derive(Debug)]
pub(super) struct Spin {
    longest: u64,
    /// What sleeps tend to be late by.
    margin: u64,
    calm: bool,
    resting: u32,
    /// Looks at which the machine was found short of processor time.
    pub(super) rests: u64,
}

impl Spin {
    /// Spins for `longest` at most before a deadline; zero never spins.
    pub(super) fn new(longest: Duration) -> Spin {
        let longest = longest.as_nanos();
        Spin { longest, margin: longest / 2, calm: true, resting: 0, rests: 0 }
    }

    /// How long before a deadline to wake up.
    pub(super) fn margin(&self) -> Duration {
        Duration::from_nanos(match (self.resting > 0, self.calm) {
            (true, _) => 0,
            (false, true) => self.longest,
            (false, false) => self.margin,
        })
    }

    /// A sleep ended `late` after the instant that it was meant to end at.
    pub(super) fn slept(&mut self, late: Duration) {
        let step = STEP.max(self.margin / 256);
        self.margin = if late.as_nanos() > self.margin {
            (self.margin + 19 * step).min(self.longest)
        } else {
            self.margin.saturating_sub(step)
        };
    }

    /// The share of the time since the last look for which the thread waited for a processor.
    pub(super) fn looked(&mut self, waited: f64) {
        self.calm = waited < CALM;
        if waited > STARVED {
            self.resting = REST;
            self.rests += 1;
        } else {
            self.resting = self.resting.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_others_want_the_processor_the_margin_follows_the_95th_percentile_within_its_bound() {
        let mut spin = Spin::new(Duration::from_micros(50));
        assert_eq!(spin.margin(), Duration::from_micros(50), "on a calm machine the whole bound");
        spin.looked(0.05);
        // late by 0…20 µs, evenly
        for n in 0..20_000u64 {
            spin.slept(Duration::from_nanos(n * 7919 % 20_000));
        }
        let margin = spin.margin().as_nanos();
        // 19 µs, give or take what the last few steps of 50 ns and 950 ns leave
        assert!((16_000..=20_500).contains(&margin), "{margin}");
        for _ in 0..10_000 {
            spin.slept(Duration::from_millis(5));
        }
        assert_eq!(spin.margin(), Duration::from_micros(50), "never longer than asked");
        for _ in 0..10_000 {
            spin.slept(Duration::ZERO);
        }
        assert!(spin.margin() < Duration::from_micros(2), "a machine that is never late is not spun on");
        spin.looked(0.01);
        assert_eq!(spin.margin(), Duration::from_micros(50));
    }

    #[test]
    fn zero_never_spins() {
        let mut spin = Spin::new(Duration::ZERO);
        for _ in 0..100 {
            spin.slept(Duration::from_millis(1));
        }
        assert_eq!(spin.margin(), Duration::ZERO);
    }

    #[test]
    fn a_starved_machine_is_left_alone_for_a_second() {
        let mut spin = Spin::new(Duration::from_micros(50));
        spin.looked(0.09);
        assert!(spin.margin() > Duration::ZERO);
        spin.looked(0.11);
        for _ in 0..REST {
            assert_eq!(spin.margin(), Duration::ZERO);
            spin.looked(0.0);
        }
        assert!(spin.margin() > Duration::ZERO);
        assert_eq!(spin.rests, 1);
    }
}

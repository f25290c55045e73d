//! When each frame of a paced stream is due: an absolute schedule, caught up in bounded bursts. No clock: time comes in.

use core::num::NonZeroU64;

use crate::units::{Duration, NANOS_PER_SEC, Rate};

/// Work that a late sender may send back to back: 4 ms of the schedule, which lets it keep its rate on a machine that
/// wakes it up to 2 ms late, and is far from a second's worth in one go.
const BURST: u64 = 4_000_000;
/// … and never more frames than this, which a transmit ring of ordinary size takes.
const BURST_MOST: u64 = 1024;
/// … but at least this many.
const BURST_FRAMES: u64 = 16;

/// The distance of frames: exact, without drift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Spacing {
    /// Every frame carries `bits`; the sum over all frames keeps to `rate`.
    Rate { rate: Rate, bits: u64 },
    /// One frame every so many ns.
    Every(NonZeroU64),
}

impl Spacing {
    /// How many frames are due before `time` ns have passed; the first is due at 0.
    pub(super) fn frames_before(self, time: u64) -> u64 {
        match self {
            Spacing::Every(step) => time.div_ceil(step.get()),
            Spacing::Rate { rate, bits } => {
                let work = u128::from(time) * u128::from(rate.as_bps());
                let frame = u128::from(bits) * u128::from(NANOS_PER_SEC);
                u64::try_from(work.div_ceil(frame)).unwrap_or(u64::MAX)
            }
        }
    }
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send the frame that was due at this time.
    Send { due: u64 },
    /// Wait until this time.
    Wait(u64),
}

/// The schedule of one stream.
#[derive(Debug)]
pub(super) struct Pacer {
    spacing: Spacing,
    due: u64,
    carry: u64,
    burst: u64,
    burst_time: u64,
    in_burst: u64,
    burst_start: u64,
}

impl Pacer {
    /// A schedule whose first frame is due at `start`.
    pub(super) fn new(spacing: Spacing, start: u64) -> Pacer {
        let burst = spacing.frames_before(BURST).clamp(BURST_FRAMES, BURST_MOST);
        // Half of the time that the burst's frames span on the schedule: catching up runs at twice the rate.
        let mut pacer = Pacer { spacing, due: 0, carry: 0, burst, burst_time: 0, in_burst: 0, burst_start: 0 };
        for _ in 0..burst {
            pacer.step();
        }
        Pacer { due: start, carry: 0, burst_time: pacer.due / 2, ..pacer }
    }

    fn step(&mut self) {
        let step = match self.spacing {
            Spacing::Every(step) => step.get(),
            Spacing::Rate { rate, bits } => {
                let time: Duration = rate.serialize(bits, &mut self.carry);
                time.as_nanos()
            }
        };
        self.due = self.due.saturating_add(step);
    }

    /// What to do at `now`.
    pub(super) fn next(&mut self, now: u64) -> Step {
        if now < self.due {
            // The backlog is empty: what comes next is on time and starts a new count.
            self.in_burst = 0;
            return Step::Wait(self.due);
        }
        if self.in_burst >= self.burst {
            let resume = self.burst_start.saturating_add(self.burst_time);
            if now < resume {
                return Step::Wait(resume);
            }
            self.in_burst = 0;
        }
        if self.in_burst == 0 {
            self.burst_start = now;
        }
        Step::Send { due: self.due }
    }

    /// The frame that [`Pacer::next`] offered has been sent, or given up.
    pub(super) fn sent(&mut self) {
        self.in_burst += 1;
        self.step();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every(ns: u64) -> Spacing {
        Spacing::Every(NonZeroU64::new(ns).unwrap())
    }

    fn rate(bps: u64, bytes: u64) -> Spacing {
        Spacing::Rate { rate: Rate::from_bps(bps).unwrap(), bits: bytes * 8 }
    }

    /// Sends all that the pacer allows from `from` on, with a clock that only moves to where it says; up to `until`.
    fn play(pacer: &mut Pacer, from: u64, until: u64) -> Vec<u64> {
        let (mut now, mut sent) = (from, Vec::new());
        while now < until {
            match pacer.next(now) {
                Step::Send { .. } => {
                    sent.push(now);
                    pacer.sent();
                }
                Step::Wait(t) => now = t,
            }
        }
        sent
    }

    #[test]
    fn the_schedule_is_exact_over_a_second_of_odd_rates() {
        for (bps, bytes) in [(2_000_000, 1200), (999_999_937, 1472), (7, 24), (64_000, 160)] {
            let spacing = rate(bps, bytes);
            let sent = play(&mut Pacer::new(spacing, 0), 0, 1_000_000_000);
            assert_eq!(sent.len() as u64, spacing.frames_before(1_000_000_000), "{bps}");
            for (n, at) in sent.iter().enumerate() {
                let exact = n as u128 * u128::from(bytes) * 8 * 1_000_000_000 / u128::from(bps);
                assert_eq!(u128::from(*at), exact, "frame {n} at {bps} bit/s");
            }
        }
    }

    #[test]
    fn the_number_of_frames_turns_at_the_due_time() {
        assert_eq!(every(10).frames_before(0), 0);
        assert_eq!(every(10).frames_before(1), 1);
        assert_eq!(every(10).frames_before(10), 1);
        assert_eq!(every(10).frames_before(11), 2);
        // 3 bytes at 24 bit/s: one a second
        assert_eq!(rate(24, 3).frames_before(1_000_000_000), 1);
        assert_eq!(rate(24, 3).frames_before(1_000_000_001), 2);
    }

    #[test]
    fn after_a_stall_it_catches_up_in_bounded_bursts() {
        let step = 1_000_000;
        let mut pacer = Pacer::new(every(step), 0);
        // Asleep for 100 ms: 101 frames are due at once.
        let sent = play(&mut pacer, 100 * step, 300 * step);
        assert_eq!(sent.len(), 300, "none is left out");
        let at = |t: u64| sent.iter().filter(|s| **s == t).count() as u64;
        assert_eq!(at(100 * step), BURST_FRAMES, "no more than a burst at once");
        assert!(sent.iter().all(|t| at(*t) <= BURST_FRAMES));
        let first_on_time = sent.iter().enumerate().find(|(n, t)| *n as u64 * step == **t).unwrap().1;
        assert!((180 * step..=220 * step).contains(first_on_time), "caught up at {first_on_time}");
    }

    #[test]
    fn fast_streams_burst_by_time() {
        let mut pacer = Pacer::new(every(10_000), 0);
        let sent = play(&mut pacer, 50_000_000, 50_000_001);
        assert_eq!(sent.len(), 400, "4 ms of frames 10 µs apart");
        assert_eq!(pacer.next(50_000_000), Step::Wait(52_000_000));
    }
}

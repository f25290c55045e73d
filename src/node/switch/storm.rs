//! Storm control: what a port may take in of frames that go to many ports. Without it one host that sends nothing but
//! broadcasts would make a switch send as many times more as it has ports.

use crate::units::Instant;

/// Frames to groups and to unknown addresses that each port of a switch takes in: so many a second, and in a burst a tenth
/// of that, 1 at least. Those beyond are dropped. Wire frames, whatever they travel in.
#[derive(Debug)]
pub(super) struct StormControl {
    rate: u64,
    ports: Vec<Bucket>,
}

/// Tokens, in units of a frame's 10⁻⁹: what 1 frame a second brings in a nanosecond.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: u64,
    at: Instant,
}

const FRAME: u64 = 1_000_000_000;

impl StormControl {
    /// `rate` frames a second at each of so many ports.
    pub(super) fn new(rate: u32, ports: u32) -> StormControl {
        let full = Bucket { tokens: most(rate.into()), at: Instant::ZERO };
        StormControl { rate: rate.into(), ports: vec![full; ports as usize] }
    }

    /// How many frames a port may take in now.
    #[inline]
    pub(super) fn allows(&mut self, now: Instant, port: u32) -> u64 {
        let bucket = &mut self.ports[port as usize];
        let came = (now - bucket.at).as_nanos().saturating_mul(self.rate);
        *bucket = Bucket { tokens: bucket.tokens.saturating_add(came).min(most(self.rate)), at: now };
        bucket.tokens / FRAME
    }

    /// A port takes in so many, of those that it may.
    #[inline]
    pub(super) fn take(&mut self, port: u32, frames: u64) {
        self.ports[port as usize].tokens -= frames * FRAME;
    }
}

/// A full bucket.
fn most(rate: u64) -> u64 {
    (rate / 10).max(1) * FRAME
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offers a frame each `every` ns for `frames` frames; how many passed.
    fn pass(rate: u32, every: u64, frames: u64) -> u64 {
        let mut control = StormControl::new(rate, 2);
        let mut passed = 0;
        for n in 0..frames {
            if control.allows(Instant::from_nanos(n * every), 1) > 0 {
                control.take(1, 1);
                passed += 1;
            }
        }
        passed
    }

    #[test]
    fn the_rate_passes_and_what_is_beyond_does_not() {
        // a second of twice the rate: the burst, and what comes in that second
        assert_eq!(pass(1000, 500_000, 2000), 100 + 999);
        assert_eq!(pass(1000, 1_000_000, 5000), 5000, "at its rate nothing is lost");
        assert_eq!(pass(3, 333_333_334, 30), 30);
        // of one frame a second, the one in hand and one for each second since
        assert_eq!(pass(1, 250_000_000, 17), 5);
    }

    #[test]
    fn a_bucket_never_holds_more_than_its_burst_and_ports_have_their_own() {
        let mut control = StormControl::new(1000, 2);
        let late = Instant::from_nanos(u64::MAX - 1);
        assert_eq!((control.allows(late, 0), control.allows(late, 1)), (100, 100));
        control.take(0, 100);
        assert_eq!((control.allows(late, 0), control.allows(late, 1)), (0, 100));
    }

    #[test]
    fn a_token_is_there_to_the_nanosecond() {
        let mut control = StormControl::new(10, 1);
        control.take(0, 1);
        assert_eq!(control.allows(Instant::from_nanos(99_999_999), 0), 0);
        assert_eq!(control.allows(Instant::from_nanos(100_000_000), 0), 1);
    }
}

//! A constant rate, and the unit in which all kinds of wires reckon what is left to send.

use crate::units::{Duration, NANOS_PER_SEC, Rate};

/// What is to be sent, in bits · 10⁻⁹: what a wire of 1 bit/s sends in a nanosecond. Exact for every rate, so that
/// nothing is lost when a frame meets several.
pub type Work = u128;

/// Bits as work.
#[inline]
pub const fn work(bits: u64) -> Work {
    bits as Work * NANOS_PER_SEC as Work
}

/// What is left to send of a frame that would be done in `time`. `carry` is what whole nanoseconds cannot express.
pub fn left(rate: Rate, time: Duration, carry: u64) -> Work {
    Work::from(time.as_nanos()) * Work::from(rate.as_bps()) + Work::from(carry)
}

/// How long a wire takes for what is left of a frame, in whole nanoseconds, and what they cannot express.
pub fn resume(rate: Rate, left: Work) -> (Duration, u64) {
    let bps = Work::from(rate.as_bps());
    (Duration::from_nanos(u64::try_from(left / bps).unwrap_or(u64::MAX)), (left % bps) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn however_often_the_rate_changes_no_bit_is_lost(
            bits in 1u64..600_000, rates in prop::collection::vec(1u64..100_000_000_000, 1..8), share in 0u64..100,
        ) {
            let mut todo = work(bits);
            let mut sent = 0;
            for bps in &rates {
                let rate = Rate::from_bps(*bps).unwrap();
                let (time, carry) = resume(rate, todo);
                prop_assert_eq!(left(rate, time, carry), todo);
                // some of it passes, then the rate changes
                let passed = time.as_nanos() / 100 * share;
                sent += Work::from(passed) * Work::from(*bps);
                todo = left(rate, Duration::from_nanos(time.as_nanos() - passed), carry);
            }
            prop_assert_eq!(sent + todo, work(bits));
        }
    }

    #[test]
    fn a_fresh_frame_takes_what_the_rate_says() {
        for (text, bits) in [("3bit", 1), ("8Mbit", 12_112), ("7Gbit", 512)] {
            let rate: Rate = text.parse().unwrap();
            let mut carry = 0;
            let time = rate.serialize(bits, &mut carry);
            assert_eq!(resume(rate, work(bits)), (time, carry), "{text}");
        }
    }
}

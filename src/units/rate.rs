//! Bit rates.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::grammar::{Dimension, ParseError, write_decimal};
use super::text::quantity_in_files;
use super::{ByteSize, Duration, NANOS_PER_SEC};

/// A bit rate in bits per second, 1 bit/s or more. Text: `bit kbit Mbit Gbit`, decimal, as in `20Mbit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rate(NonZeroU64);

impl Rate {
    /// `bps` bits per second; `None` for 0, which no wire has.
    pub const fn from_bps(bps: u64) -> Option<Rate> {
        match NonZeroU64::new(bps) {
            Some(bps) => Some(Rate(bps)),
            None => None,
        }
    }

    /// Bits per second.
    pub const fn as_bps(self) -> u64 {
        self.0.get()
    }

    /// The time that `size` occupies a wire of this rate, rounded down to a nanosecond. A serializer that must not
    /// drift carries the remainder from frame to frame instead: [`Rate::serialize`].
    pub fn time_for(self, size: ByteSize) -> Duration {
        self.serialize(size.as_bytes() * 8, &mut 0)
    }

    /// The time that `bits` occupy a wire of this rate. `carry` holds what earlier calls could not express in whole
    /// nanoseconds (in units of 1/rate ns, below `rate`), so that the sum over a backlog is exact.
    pub fn serialize(self, bits: u64, carry: &mut u64) -> Duration {
        let work = u128::from(bits) * u128::from(NANOS_PER_SEC) + u128::from(*carry);
        // u64 division is several times cheaper; 2^64 ns·bit is a frame of 2.3 GB.
        if let Ok(work) = u64::try_from(work) {
            *carry = work % self.0;
            return Duration::from_nanos(work / self.0);
        }
        let bps = u128::from(self.as_bps());
        *carry = (work % bps) as u64;
        Duration::from_nanos(u64::try_from(work / bps).unwrap_or(u64::MAX))
    }

    /// The bytes that pass in `time`, rounded down.
    pub fn bytes_in(self, time: Duration) -> ByteSize {
        let bits = u128::from(self.as_bps()) * u128::from(time.as_nanos()) / u128::from(NANOS_PER_SEC);
        ByteSize::from_bytes(u64::try_from(bits / 8).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_bps() {
            bps if bps >= 1_000_000_000 => write_decimal(f, bps, 1_000_000_000, "Gbit"),
            bps if bps >= 1_000_000 => write_decimal(f, bps, 1_000_000, "Mbit"),
            bps if bps >= 1_000 => write_decimal(f, bps, 1_000, "kbit"),
            bps => write_decimal(f, bps, 1, "bit"),
        }
    }
}

impl FromStr for Rate {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Rate, ParseError> {
        Rate::from_bps(Dimension::Rate.exact(text)?).ok_or_else(|| {
            ParseError::new(
                "a rate of 0 passes nothing: take the link `down`, or leave `rate` out for an unlimited one",
            )
        })
    }
}

quantity_in_files!(Rate, Dimension::Rate);

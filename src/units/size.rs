//! Numbers of bytes.

use std::fmt;
use std::ops::Add;
use std::str::FromStr;

use super::grammar::{Dimension, ParseError};
use super::text::quantity_in_files;

/// A number of bytes. Text: `B kB MB GB KiB MiB GiB`, as in `1500B` or `64KiB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// `n` bytes.
    pub const fn from_bytes(n: u64) -> ByteSize {
        ByteSize(n)
    }

    /// The number of bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl Add for ByteSize {
    type Output = ByteSize;
    fn add(self, rhs: ByteSize) -> ByteSize {
        ByteSize(self.0.saturating_add(rhs.0))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // whole multiples only, so that 1500B stays 1500B
        let whole = |factor: u64| self.0 != 0 && self.0.is_multiple_of(factor);
        let largest = Dimension::Size.units().filter(|unit| whole(unit.factor())).last();
        let (factor, name) = largest.map_or((1, "B"), |unit| (unit.factor(), unit.name()));
        f.pad(&format!("{}{name}", self.0 / factor))
    }
}

impl FromStr for ByteSize {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<ByteSize, ParseError> {
        Dimension::Size.exact(text).map(ByteSize)
    }
}

quantity_in_files!(ByteSize, Dimension::Size);

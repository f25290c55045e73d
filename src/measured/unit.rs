//! What measures are measured in.

use crate::units::{Dimension, Probability};

/// What a measure is measured in. Two can be compared if they are measured in the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A length of time, or an instant from t = 0; inside in ns.
    Time,
    /// Bits per second.
    Rate,
    /// A share of a whole; inside as a fraction of one.
    Share,
    /// Bytes.
    Size,
    /// How many of something.
    Count,
    /// A number without a unit.
    Number,
    /// `true` or `false`; inside 1 or 0.
    Truth,
}

impl Unit {
    /// That of a quantity with a unit of its own.
    pub const fn of(dimension: Dimension) -> Unit {
        match dimension {
            Dimension::Time => Unit::Time,
            Dimension::Rate => Unit::Rate,
            Dimension::Size => Unit::Size,
            Dimension::Share => Unit::Share,
        }
    }

    /// So many of the smallest parts of a quantity, as measures of its unit have it: ns, bit/s, a fraction of one, bytes.
    pub fn scale(self, parts: u64) -> f64 {
        match self {
            Unit::Share => parts as f64 / Probability::ALWAYS.as_parts() as f64,
            _ => parts as f64,
        }
    }

    /// What it is called in messages.
    pub const fn word(self) -> &'static str {
        match self {
            Unit::Time => "a time",
            Unit::Rate => "a rate",
            Unit::Share => "a share",
            Unit::Size => "a size",
            Unit::Count => "a count",
            Unit::Number => "a number",
            Unit::Truth => "`true` or `false`",
        }
    }

    /// What a value of it looks like.
    pub const fn example(self) -> &'static str {
        match self {
            Unit::Time => "60ms",
            Unit::Rate => "5Mbit",
            Unit::Share => "2%",
            Unit::Size => "64KiB",
            Unit::Count => "100",
            Unit::Number => "0",
            Unit::Truth => "true",
        }
    }

    /// Its name in the JSON report.
    pub const fn name(self) -> &'static str {
        match self {
            Unit::Time => "ns",
            Unit::Rate => "bit/s",
            Unit::Share => "share",
            Unit::Size => "bytes",
            Unit::Count => "count",
            Unit::Number => "number",
            Unit::Truth => "truth",
        }
    }

    /// Whether values of the two can be compared.
    pub fn fits(self, other: Unit) -> bool {
        let plain = |unit| matches!(unit, Unit::Count | Unit::Number);
        self == other || (plain(self) && plain(other))
    }
}

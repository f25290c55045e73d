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

    /// What it is called in messages, what a value of it looks like, its name in the JSON report.
    const fn texts(self) -> [&'static str; 3] {
        match self {
            Unit::Time => ["a time", "60ms", "ns"],
            Unit::Rate => ["a rate", "5Mbit", "bit/s"],
            Unit::Share => ["a share", "2%", "share"],
            Unit::Size => ["a size", "64KiB", "bytes"],
            Unit::Count => ["a count", "100", "count"],
            Unit::Number => ["a number", "0", "number"],
            Unit::Truth => ["`true` or `false`", "true", "truth"],
        }
    }

    /// What it is called in messages.
    pub const fn word(self) -> &'static str {
        self.texts()[0]
    }

    /// What a value of it looks like.
    pub const fn example(self) -> &'static str {
        self.texts()[1]
    }

    /// Its name in the JSON report.
    pub const fn name(self) -> &'static str {
        self.texts()[2]
    }

    /// The one that a report calls so.
    pub fn named(name: &str) -> Option<Unit> {
        use Unit::{Count, Number, Rate, Share, Size, Time, Truth};
        [Time, Rate, Share, Size, Count, Number, Truth].into_iter().find(|unit| unit.name() == name)
    }

    /// Whether values of the two can be compared.
    pub fn fits(self, other: Unit) -> bool {
        let plain = |unit| matches!(unit, Unit::Count | Unit::Number);
        self == other || (plain(self) && plain(other))
    }
}

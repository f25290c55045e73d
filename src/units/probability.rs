//! Probabilities and shares.

use std::fmt;
use std::str::FromStr;

use super::grammar::{Dimension, ParseError, write_decimal};
use super::text::quantity_in_files;

/// A probability from 0 to 1, exact to 10⁻¹². Text: `%` or `ppm`, as in `1.5%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Probability(u64);

/// Certainty.
pub(super) const PARTS: u64 = 1_000_000_000_000;

impl Probability {
    /// It never happens.
    pub const NEVER: Probability = Probability(0);
    /// It always happens.
    pub const ALWAYS: Probability = Probability(PARTS);

    /// `parts` of 10¹²; `None` above 10¹².
    pub const fn from_parts(parts: u64) -> Option<Probability> {
        if parts > PARTS { None } else { Some(Probability(parts)) }
    }

    /// Parts of 10¹².
    pub const fn as_parts(self) -> u64 {
        self.0
    }

    /// As a fraction of one, for statistics and display only.
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / PARTS as f64
    }

    /// Whether a uniformly drawn 64-bit word falls on the side of "it happens". 0 never does, 1 always.
    pub const fn happens(self, draw: u64) -> bool {
        // draw / 2^64 < parts / 10^12, without division
        (draw as u128 * PARTS as u128) >> 64 < self.0 as u128
    }
}

impl fmt::Display for Probability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // 1 ppm is 10^6 parts; below 0.01 % people count in ppm
        if self.0 != 0 && self.0 < PARTS / 10_000 {
            write_decimal(f, self.0, PARTS / 1_000_000, "ppm")
        } else {
            write_decimal(f, self.0, PARTS / 100, "%")
        }
    }
}

impl FromStr for Probability {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Probability, ParseError> {
        Dimension::Share.exact(text).map(Probability)
    }
}

quantity_in_files!(Probability, Dimension::Share);

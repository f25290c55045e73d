//! Measured one-way delays, of which each frame meets one.

use super::csv;
use crate::model::data::{BadLine, Table};
use crate::units::Duration;

/// One-way delays in ascending order; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples(Box<[Duration]>);

impl Samples {
    /// The shortest.
    pub fn least(&self) -> Duration {
        self.0[0]
    }

    /// In ascending order.
    pub fn sorted(&self) -> &[Duration] {
        &self.0
    }

    /// The one that a uniformly drawn word picks.
    pub(super) fn pick(&self, word: u64) -> Duration {
        // word / 2^64 of all; the bias is below n / 2^64
        self.0[((u128::from(word) * self.0.len() as u128) >> 64) as usize]
    }

    /// The one at a share from 0 to 1 of all.
    pub(super) fn at(&self, share: f64) -> Duration {
        self.0[((share * self.0.len() as f64) as usize).min(self.0.len() - 1)]
    }
}

impl Table for Samples {
    /// A column of times, in any order; if there are several, the one that is called `delay`.
    fn parse(text: &str) -> Result<Samples, BadLine> {
        let mut all: Vec<Duration> = csv::columns(text, ["delay"])?.iter().map(|row| row.times[0]).collect();
        if all.is_empty() {
            return Err(BadLine::whole("it holds no delay: one a line, as in `12.5ms`"));
        }
        all.sort_unstable();
        Ok(Samples(all.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_is_picked_alike() {
        let samples = Samples::parse("ms\n30\n10\n20\n10").unwrap();
        let ms: Vec<u64> = (0..8u64).map(|n| samples.pick(n << 61).as_nanos() / 1_000_000).collect();
        assert_eq!(ms, [10, 10, 10, 10, 20, 20, 30, 30]);
        assert_eq!(samples.pick(u64::MAX), Duration::from_millis(30));
        assert_eq!((samples.at(0.0), samples.at(0.6), samples.at(1.0)), {
            let ms = Duration::from_millis;
            (ms(10), ms(20), ms(30))
        });
        assert_eq!(samples.least(), Duration::from_millis(10));
    }

    #[test]
    fn an_empty_file_is_a_mistake() {
        assert!(Samples::parse("# nothing\n\n").unwrap_err().to_string().contains("no delay"));
        assert!(Samples::parse("delay_ms\n").unwrap_err().to_string().contains("no delay"));
        assert_eq!(Samples::parse("ms\n1\n-1").unwrap_err().line, 3);
    }
}

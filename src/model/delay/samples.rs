//! Measured one-way delays, of which each frame meets one.

use crate::model::table::{BadTable, Table, TableSpec, Wanted};
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
    const KEYS: &'static [&'static str] = &["format", "columns", "units"];

    fn parse(text: &str, spec: &TableSpec) -> Result<Samples, BadTable> {
        let mut all: Vec<Duration> = spec.values(text, Wanted::Delay)?.into_iter().map(Duration::from_nanos).collect();
        if all.is_empty() {
            return Err(BadTable::whole("it holds no delay: one a line, as in `12.5ms`"));
        }
        all.sort_unstable();
        Ok(Samples(all.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::table::{FileOf, NamedFile as _};
    use serde_json::json;

    #[test]
    fn every_sample_is_picked_alike() {
        let samples = Samples::plain("ms\n30\n10\n20\n10").unwrap();
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
        assert!(Samples::plain("# nothing\n\n").unwrap_err().to_string().contains("no delay"));
        assert!(Samples::plain("delay_ms\n").unwrap_err().to_string().contains("no delay"));
        assert_eq!(Samples::plain("ms\n1\n-1").unwrap_err().line, 3);
    }

    #[test]
    fn a_map_says_which_column_is_meant() {
        let form = json!({"file": "a.csv", "columns": ["p50"], "units": ["us"]});
        let mut spec = from_json::<FileOf<Samples>>(form.clone()).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), form);
        spec.load("time,p50\n1,30\n2,10\n").unwrap();
        assert_eq!(spec.table().unwrap().sorted(), [10, 30].map(Duration::from_micros));
        let mut lens = from_json::<FileOf<Samples>>(json!({"file": "a.csv", "format": "lens"})).unwrap();
        lens.load("timestamp,rtt\n1700000000.5,61\n1700000000.6,20\n").unwrap();
        assert_eq!(lens.table().unwrap().sorted(), [10_000, 30_500].map(Duration::from_micros));
        assert!(
            from_json::<FileOf<Samples>>(json!({"file": "a", "repeat": true})).unwrap_err().contains("found `repeat`")
        );
    }
}

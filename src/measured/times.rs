//! A distribution of times, by its parts.

use std::fmt;

use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::percentile::Percentile;
use crate::engine::TimeStatistics;
use crate::stats::histogram::at_share;

/// A part of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// The smallest value.
    Min,
    /// The value that a share is not above.
    Percentile(Percentile),
    /// The largest value.
    Max,
    /// The arithmetic mean.
    Mean,
    /// The standard deviation of the population.
    Stddev,
    /// How many values there are.
    Count,
    /// Of what is estimated over time: the last estimate.
    Last,
}

impl Part {
    /// The median.
    pub const P50: Part = Part::Percentile(Percentile::P50);
    /// What 90 % are not above.
    pub const P90: Part = Part::Percentile(Percentile::P90);
    /// What 95 % are not above.
    pub const P95: Part = Part::Percentile(Percentile::P95);
    /// What 99 % are not above.
    pub const P99: Part = Part::Percentile(Percentile::P99);
    /// What 99.9 % are not above.
    pub const P999: Part = Part::Percentile(Percentile::P999);

    /// Reads the name of one.
    pub fn parse(text: &str) -> Option<Part> {
        Some(match text {
            "min" => Part::Min,
            "max" => Part::Max,
            "mean" => Part::Mean,
            "stddev" => Part::Stddev,
            "count" => Part::Count,
            "last" => Part::Last,
            _ => Part::Percentile(Percentile::parse(text)?),
        })
    }

    /// This part of values with how often each occurred, the smallest first. `None` of no values.
    pub fn of(self, values: &[(u64, u64)]) -> Option<f64> {
        let count: u64 = values.iter().map(|(_, times)| times).sum();
        let sum = |of: &dyn Fn(f64) -> f64| {
            values.iter().map(|(value, times)| of(*value as f64) * *times as f64).sum::<f64>() / count as f64
        };
        let (first, last) = (values.first()?, values.last()?);
        Some(match self {
            Part::Min => first.0 as f64,
            Part::Max | Part::Last => last.0 as f64,
            Part::Mean => sum(&|value| value),
            Part::Stddev => {
                let mean = sum(&|value| value);
                sum(&|value| (value - mean).powi(2)).sqrt()
            }
            Part::Count => count as f64,
            Part::Percentile(percentile) => at_share(values.iter().copied(), count, percentile.share())? as f64,
        })
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Min => "min",
            Part::Max => "max",
            Part::Mean => "mean",
            Part::Stddev => "stddev",
            Part::Count => "count",
            Part::Last => "last",
            Part::Percentile(percentile) => return percentile.fmt(f),
        })
    }
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Part, D::Error> {
        let text = String::deserialize(deserializer)?;
        Part::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no part of a distribution")))
    }
}

/// What a distribution of times comes to, in ns. Extremes and mean are exact; percentiles are never rounded down, and right
/// to four digits where a workload measured them, to three on links and at ports.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Times(IndexMap<Part, u64>);

impl Times {
    /// Of times that an engine recorded; `None` where it recorded none.
    pub fn of(times: &TimeStatistics) -> Option<Times> {
        let percentiles = Times::percentiles(times, &Percentile::KEPT).0;
        let ends = [(Part::Max, times.max()?.as_nanos()), (Part::Mean, times.mean()?.as_nanos())];
        Some([(Part::Min, times.min()?.as_nanos())].into_iter().chain(percentiles).chain(ends).collect())
    }

    /// Some percentiles alone; none of them where nothing was recorded.
    pub fn percentiles(times: &TimeStatistics, which: &[Percentile]) -> Times {
        let at = |one: &Percentile| Some((Part::Percentile(*one), times.quantile(one.share())?.as_nanos()));
        which.iter().filter_map(at).collect()
    }

    /// A part; `None` where it was not kept.
    pub fn get(&self, part: Part) -> Option<u64> {
        self.0.get(&part).copied()
    }

    /// The smallest; 0 where it is not known.
    pub fn min(&self) -> u64 {
        self.get(Part::Min).unwrap_or(0)
    }

    /// The largest; 0 where it is not known.
    pub fn max(&self) -> u64 {
        self.get(Part::Max).unwrap_or(0)
    }

    /// Whether nothing was kept.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Percentiles beside those that are always kept.
    pub fn asked(&self) -> Vec<Percentile> {
        let percentile = |part: &Part| if let Part::Percentile(one) = part { Some(*one) } else { None };
        self.0.keys().filter_map(percentile).filter(|one| !Percentile::KEPT.contains(one)).collect()
    }
}

impl FromIterator<(Part, u64)> for Times {
    fn from_iter<I: IntoIterator<Item = (Part, u64)>>(parts: I) -> Times {
        Times(parts.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Duration;

    #[test]
    fn parts_read_back_by_their_names_in_their_order() {
        let mut recorded = TimeStatistics::default();
        assert_eq!(Times::of(&recorded), None);
        (1..=1000).for_each(|us| recorded.record(Duration::from_micros(us), 1));
        let times = Times::of(&recorded).expect("times");
        let json = serde_json::to_string(&times).expect("plain data");
        let names: Vec<&str> = json.split('"').skip(1).step_by(2).collect();
        assert_eq!(names, ["min", "p50", "p90", "p99", "p999", "max", "mean"]);
        assert_eq!(serde_json::from_str::<Times>(&json).expect("reads back"), times);
        assert_eq!((times.min(), times.max(), times.get(Part::Mean)), (1_000, 1_000_000, Some(500_500)));
        assert!(serde_json::from_str::<Times>(r#"{ "p101": 5 }"#).is_err());
    }

    #[test]
    fn only_what_was_asked_for_stands_beside_what_is_kept() {
        let times: Times = serde_json::from_str(r#"{ "min": 1, "p50": 2, "p95": 3, "p99.5": 4 }"#).expect("parts");
        assert_eq!(times.asked().iter().map(ToString::to_string).collect::<Vec<_>>(), ["p95", "p99.5"]);
    }

    #[test]
    fn parts_of_values_are_those_of_all_their_occurrences() {
        let values: Vec<(u64, u64)> = (1..=1000).map(|value| (value, 1)).collect();
        for (part, value) in [
            ("min", 1.0),
            ("p50", 500.0),
            ("p95", 950.0),
            ("p99", 990.0),
            ("p999", 999.0),
            ("p0.1", 1.0),
            ("max", 1000.0),
            ("mean", 500.5),
            ("count", 1000.0),
        ] {
            let part = Part::parse(part).expect("a part");
            assert_eq!(part.of(&values), Some(value), "{part}");
            assert_eq!(part.of(&[]), None, "{part}");
        }
        let often = |part: Part| part.of(&[(10, 9), (20, 1)]);
        assert_eq!([Part::P90, Part::P99, Part::Mean].map(often), [10.0, 20.0, 11.0].map(Some));
        assert_eq!(Part::Stddev.of(&[(4, 1), (8, 1)]), Some(2.0));
    }
}

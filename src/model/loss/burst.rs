//! Loss in bursts, by what people can measure: the share that is lost, and how many frames in a row.
//!
//! The simple Gilbert model (Gilbert 1960, with every frame of the bad state lost): bursts are geometric with mean L, so
//! r = 1 / L; for the rate q to come out, p = q / ((1 − q) L). Between two bursts at least one frame arrives, so q is at
//! most L / (L + 1).

use std::fmt;

use schemars::JsonSchema;
use serde::de;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::LongRun;
use crate::model::chain::{Law, Odds};
use crate::model::form::forms;
use crate::units::Probability;

/// So much loss, in bursts of this mean length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BurstSpec {
    /// The share of the frames that is lost.
    pub rate: Probability,
    /// How many frames in a row are lost, on average.
    pub mean_length: MeanLength,
}

/// The map as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Long {
    /// The share of the frames that is lost, at most `mean_length` / (`mean_length` + 1).
    rate: Probability,
    /// How many frames in a row are lost, on average: 1 or more.
    mean_length: MeanLength,
}

impl<'de> Deserialize<'de> for BurstSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<BurstSpec, D::Error> {
        let Long { rate, mean_length } = Long::deserialize(deserializer)?;
        BurstSpec::new(rate, mean_length).map_err(de::Error::custom)
    }
}

impl JsonSchema for BurstSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "BurstLoss".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Long::json_schema(generator)
    }
}

impl BurstSpec {
    /// Loss of `rate` in bursts of `mean_length`.
    ///
    /// # Errors
    /// Bursts of this length cannot lose so much, because at least one frame arrives between two of them.
    pub fn new(rate: Probability, mean_length: MeanLength) -> Result<BurstSpec, String> {
        let (lost, kept, length) = parts(rate, mean_length);
        if lost * u128::from(MILLION) > kept * length {
            let cure = match kept {
                0 => "for certain loss write `random: 100%`".to_owned(),
                _ => {
                    let enough = (lost * u128::from(MILLION)).div_ceil(kept);
                    let most = u64::try_from(u128::from(PARTS) * length / (length + u128::from(MILLION)))
                        .ok()
                        .and_then(Probability::from_parts)
                        .unwrap_or_default();
                    let longer = u64::try_from(enough).ok().and_then(MeanLength::from_millionths);
                    match longer {
                        Some(longer) => {
                            format!("write a `rate` of {most} or less, or a `mean_length` of {longer} or more")
                        }
                        None => format!("write a `rate` of {most} or less"),
                    }
                }
            };
            return Err(format!(
                "bursts of mean length {mean_length} cannot lose {rate}, because a frame arrives between two bursts: {cure}"
            ));
        }
        Ok(BurstSpec { rate, mean_length })
    }

    /// The chain that has rate and length: inside is lost.
    pub fn law(&self) -> Law {
        let (lost, kept, length) = parts(self.rate, self.mean_length);
        // lost · 10⁶ is below 2⁶⁰, kept · length below 2⁸⁰
        let enter = Odds::ratio((lost * u128::from(MILLION)) as u64, kept * length);
        Law { enter, stay: Odds::ratio(MILLION, length).complement(), start: Odds::of(self.rate) }
    }

    pub(super) fn long_run(&self) -> LongRun {
        LongRun { loss: Some(self.rate.as_f64()), mean_burst: Some(self.mean_length.0 as f64 / MILLION as f64) }
    }
}

fn parts(rate: Probability, mean_length: MeanLength) -> (u128, u128, u128) {
    (u128::from(rate.as_parts()), u128::from(PARTS - rate.as_parts()), u128::from(mean_length.0))
}

const PARTS: u64 = Probability::ALWAYS.as_parts();
const MILLION: u64 = 1_000_000;

/// A mean number of frames, from 1 to a million, in millionths. Text: a bare number, as in `4` or `2.5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MeanLength(u64);

impl MeanLength {
    /// So many millionths of a frame; `None` below one frame and above a million.
    pub fn from_millionths(millionths: u64) -> Option<MeanLength> {
        (MILLION..=MILLION * MILLION).contains(&millionths).then_some(MeanLength(millionths))
    }
}

impl fmt::Display for MeanLength {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / MILLION, self.0 % MILLION) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, rest) => f.write_str(format!("{whole}.{rest:06}").trim_end_matches('0')),
        }
    }
}

impl Serialize for MeanLength {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.0 / MILLION, self.0 % MILLION) {
            (whole, 0) => serializer.serialize_u64(whole),
            _ => serializer.serialize_f64(self.0 as f64 / MILLION as f64),
        }
    }
}

forms! {
    MeanLength, "MeanLength": "A mean number of frames, as in `4` or `2.5`.", "a mean number of frames, as in `4` or `2.5`,";
    text { "type": "number", "minimum": 1, "maximum": MILLION } => |text| {
        let frames = text.parse::<f64>().map_err(|_| format!("expected a mean number of frames, found `{text}`"))?;
        // a cast of a float saturates, and NaN becomes 0
        MeanLength::from_millionths((frames * MILLION as f64).round() as u64)
            .ok_or_else(|| format!("a mean length of {text} is out of range: 1 to 1000000 frames"))
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::loss::tests::lost;
    use crate::model::statistics::{assert_geometric, assert_share, lag1, runs};
    use serde_json::json;

    fn burst(rate: &str, length: f64) -> Result<BurstSpec, String> {
        from_json(json!({"rate": rate, "mean_length": length}))
    }

    #[test]
    fn rate_and_mean_length_are_as_asked() {
        let all = lost(json!({"burst": {"rate": "5%", "mean_length": 4}}), 2_200_000);
        // p = 0.05 / (0.95 · 4), r = 0.25: neighbours have the correlation 1 − p − r
        let rho = 1.0 - 0.05 / 3.8 - 0.25;
        assert_share(&all, 0.05, (1.0 + rho) / (1.0 - rho));
        let bursts = runs(&all);
        assert_geometric(&bursts, 4.0);
        assert!((lag1(&all) - rho).abs() < 0.02 * rho, "{} where {rho} is expected", lag1(&all));
    }

    #[test]
    fn a_length_of_one_never_loses_two_in_a_row() {
        let all = lost(json!({"burst": {"rate": "30%", "mean_length": 1}}), 60_000);
        assert!(runs(&all).iter().all(|length| *length == 1));
        let all = lost(json!({"burst": {"rate": "50%", "mean_length": 1}}), 1000);
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "every second frame is all that it can be");
        assert!(lost(json!({"burst": {"rate": "0%", "mean_length": 7}}), 10_000).iter().all(|lost| !lost));
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        assert_eq!(burst("80%", 4.0).map(|b| b.law().enter), Ok(Odds::ALWAYS));
        let told = burst("90%", 4.0).unwrap_err();
        assert!(told.contains("a `rate` of 80% or less, or a `mean_length` of 9 or more"), "{told}");
        assert!(burst("90%", 9.0).is_ok());
        assert!(burst("80.0000000001%", 4.0).is_err());
        assert!(burst("100%", 4.0).unwrap_err().contains("write `random: 100%`"));
        assert!(burst("1%", 0.999).unwrap_err().contains("1 to 1000000 frames"));
        assert!(burst("1%", 1e9).unwrap_err().contains("out of range"));
        assert!(burst("1%", f64::from(1_000_000)).is_ok());
        let negative = json!({"rate": "1%", "mean_length": -4});
        assert!(from_json::<BurstSpec>(negative).unwrap_err().contains("-4 is out of range"));
        assert!(from_json::<BurstSpec>(json!({"rate": "1%"})).unwrap_err().contains("missing field `mean_length`"));
        let text = json!({"rate": "1%", "mean_length": "4ms"});
        assert!(from_json::<BurstSpec>(text).unwrap_err().contains("a mean number of frames"));
    }

    #[test]
    fn what_is_written_reads_back() {
        for spec in [burst("1%", 4.0).unwrap(), burst("7ppm", 2.125).unwrap()] {
            assert_eq!(from_json(serde_json::to_value(spec).unwrap()), Ok(spec));
        }
        assert_eq!(burst("1%", 2.5).unwrap().mean_length.to_string(), "2.5");
        assert_eq!(burst("1%", 4.0).unwrap().mean_length.to_string(), "4");
    }
}

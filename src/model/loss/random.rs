//! Random loss: each frame by itself, or with a correlation between neighbours.
//!
//! netem's `loss random P CORR` promises the second and does not keep it: its correlated generator averages uniform
//! numbers, which leaves them no longer uniform, so that a small P is hardly ever reached. Here a two-state chain
//! ([`crate::model::chain`]) keeps both the rate and the correlation.

use schemars::JsonSchema;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::LongRun;
use crate::model::chain::{Correlation, Law};
use crate::model::form::forms;
use crate::units::{ParseError, Probability};

/// Each frame with the same probability. Short form: the rate alone, as in `random: 1%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomSpec {
    /// The probability of loss for each frame.
    pub rate: Probability,
    /// How much the loss of a frame says of the next.
    pub correlation: Correlation,
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Long {
    /// The share of the frames that is lost.
    rate: Probability,
    /// The correlation between a frame and the next, below 100 %. By default none: each frame by itself.
    #[serde(default)]
    correlation: Correlation,
}

impl From<Long> for RandomSpec {
    fn from(Long { rate, correlation }: Long) -> RandomSpec {
        RandomSpec { rate, correlation }
    }
}

forms! {
    RandomSpec, "RandomLoss": "Each frame with the same probability: `1%`, or a map.",
    "a loss probability, as in `1%`, or a map with `rate` and `correlation`";
    text { "$ref": "#/$defs/Probability" } => |text| text.parse().map(RandomSpec::independent).map_err(ParseError::into);
    map Long => |long| Ok(RandomSpec::from(long));
}

impl Serialize for RandomSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.correlation.is_none() {
            return self.rate.serialize(serializer);
        }
        let mut map = serializer.serialize_struct("RandomSpec", 2)?;
        map.serialize_field("rate", &self.rate)?;
        map.serialize_field("correlation", &self.correlation)?;
        map.end()
    }
}

impl RandomSpec {
    /// Each frame by itself.
    pub fn independent(rate: Probability) -> RandomSpec {
        RandomSpec { rate, correlation: Correlation::NONE }
    }

    /// The chain that has rate and correlation.
    pub fn law(&self) -> Law {
        Law::correlated(self.rate, self.correlation)
    }

    pub(super) fn long_run(&self) -> LongRun {
        LongRun { loss: Some(self.rate.as_f64()), mean_burst: Some(self.law().mean_run()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::loss::tests::{lost, model};
    use crate::model::statistics::{assert_geometric, assert_share, runs};
    use serde_json::json;

    #[test]
    fn edges_are_certain() {
        assert!(lost(json!({"random": "0%"}), 10_000).iter().all(|lost| !lost));
        assert!(lost(json!({"random": "100%"}), 10_000).iter().all(|lost| *lost));
        assert!(lost(json!({"random": {"rate": "100%", "correlation": "90%"}}), 10_000).iter().all(|lost| *lost));
    }

    #[test]
    fn independent_loss_is_binomial_in_geometric_bursts() {
        let all = lost(json!({"random": "20%"}), 700_000);
        assert_share(&all, 0.2, 1.0);
        assert_geometric(&runs(&all), 1.0 / 0.8);
    }

    #[test]
    fn correlated_loss_keeps_the_rate_and_comes_in_longer_bursts() {
        let value = json!({"random": {"rate": "5%", "correlation": "50%"}});
        let all = lost(value.clone(), 1_000_000);
        assert_share(&all, 0.05, 3.0);
        let bursts = runs(&all);
        let mean = model(value).long_run(0).mean_burst.unwrap();
        assert!((mean - 1.0 / (0.95 * 0.5)).abs() < 1e-12);
        assert_geometric(&bursts, mean);
    }

    #[test]
    fn a_higher_rate_loses_the_same_frames_and_more() {
        for rho in ["0%", "40%"] {
            let at = |rate: &str| lost(json!({"random": {"rate": rate, "correlation": rho}}), 20_000);
            let (few, many) = (at("1%"), at("2%"));
            assert!(few != many && few.iter().zip(&many).all(|(few, many)| !few || *many));
        }
    }

    #[test]
    fn scenario_forms() {
        let one = RandomSpec::independent("1%".parse().unwrap());
        assert_eq!(from_json(json!("1%")), Ok(one));
        assert_eq!(from_json(json!({"rate": "1%"})), Ok(one));
        assert_eq!(serde_json::to_value(one).unwrap(), json!("1%"));
        let both: RandomSpec = from_json(json!({"rate": "1%", "correlation": "25%"})).unwrap();
        assert_eq!(from_json(serde_json::to_value(both).unwrap()), Ok(both));
        assert!(from_json::<RandomSpec>(json!(0.5)).unwrap_err().contains("could mean"));
        assert!(from_json::<RandomSpec>(json!({"correlation": "1%"})).unwrap_err().contains("missing field `rate`"));
        let all = json!({"rate": "1%", "correlation": "100%"});
        assert!(from_json::<RandomSpec>(all).unwrap_err().contains("less than 100%"));
    }
}

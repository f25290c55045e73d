//! The Gilbert–Elliott model: two states, each with a loss probability of its own.
//!
//! E. N. Gilbert, "Capacity of a burst-noise channel", 1960; E. O. Elliott, "Estimates of error rates for codes on
//! burst-noise channels", 1963. The state turns bad with probability p and good with r before each frame; it is bad for a
//! share π = p / (p + r) of the frames, for 1 / r frames in a row. Loss is π · bad_loss + (1 − π) · good_loss. netem calls
//! it `gemodel P R 1-H 1-K`, with bad_loss = 1-H and good_loss = 1-K.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::LongRun;
use crate::model::chain::Law;
use crate::units::Probability;

/// Two states that frames meet in turn, each with a loss of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GilbertElliottLoss")]
pub struct GilbertElliottSpec {
    /// The probability that the good state turns bad, for each frame.
    pub p: Probability,
    /// The probability that the bad state turns good, for each frame: above 0.
    #[serde(deserialize_with = "leaving")]
    pub r: Probability,
    /// The probability of loss in the bad state.
    #[serde(default = "always")]
    pub bad_loss: Probability,
    /// The probability of loss in the good state.
    #[serde(default)]
    pub good_loss: Probability,
}

fn always() -> Probability {
    Probability::ALWAYS
}

fn leaving<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Probability, D::Error> {
    match Probability::deserialize(deserializer)? {
        Probability::NEVER => Err(serde::de::Error::custom(
            "with an `r` of 0% the bad state never ends: write more, or use `random` for a loss that stays as it is",
        )),
        r => Ok(r),
    }
}

impl GilbertElliottSpec {
    /// The chain of its states: inside is bad.
    pub fn law(&self) -> Law {
        Law::transitions(self.p, self.r)
    }

    /// The loss of a state.
    #[inline]
    pub fn loss_in(&self, bad: bool) -> Probability {
        if bad { self.bad_loss } else { self.good_loss }
    }

    /// Whether no frame is ever lost.
    pub fn is_none(&self) -> bool {
        self.good_loss == Probability::NEVER && (self.bad_loss == Probability::NEVER || self.p == Probability::NEVER)
    }

    /// The mean burst is P(lost) / P(lost, and the next is not).
    pub(super) fn long_run(&self) -> LongRun {
        let (p, r) = (self.p.as_f64(), self.r.as_f64());
        let (bad, good) = (self.bad_loss.as_f64(), self.good_loss.as_f64());
        let pi = p / (p + r);
        let loss = pi * bad + (1.0 - pi) * good;
        let two = pi * bad * ((1.0 - r) * bad + r * good) + (1.0 - pi) * good * (p * bad + (1.0 - p) * good);
        LongRun { loss: Some(loss), mean_burst: (loss > 0.0).then(|| loss / (loss - two)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::loss::tests::{lost, lost_and_marks, model};
    use crate::model::statistics::{Powerful, assert_geometric, assert_share, runs};
    use serde_json::json;

    /// A Markov chain repeats itself: its frames are worth (1 − ρ) / (1 + ρ) independent ones, ρ = 1 − p − r.
    const INFLATION: f64 = (1.0 + 0.78) / (1.0 - 0.78);

    #[test]
    fn two_and_twenty_percent_lose_nine_in_bursts_of_five() {
        let value = json!({"gilbert_elliott": {"p": "2%", "r": "20%"}});
        let expected = model(value.clone()).long_run(0);
        assert!((expected.loss.unwrap() - 0.0909).abs() < 5e-5 && (expected.mean_burst.unwrap() - 5.0).abs() < 1e-9);
        let all = lost(value, 1_500_000);
        assert_share(&all, 1.0 / 11.0, INFLATION);
        assert_geometric(&runs(&all), 5.0);
        let after = |before: bool| -> Vec<bool> {
            all.windows(2).filter(|pair| pair[0] == before).map(|pair| !pair[1]).collect()
        };
        assert_share(&after(true), 0.2, 1.0);
        let turned: Vec<bool> = after(false).iter().map(|good| !good).collect();
        assert_share(&turned, 0.02, 1.0);
    }

    #[test]
    fn losses_of_both_states_are_as_asked() {
        let value = json!({"gilbert_elliott": {"p": "2%", "r": "20%", "bad_loss": "90%", "good_loss": "1%"}});
        let expected = model(value.clone()).long_run(0);
        assert!((expected.loss.unwrap() - 0.0909).abs() < 5e-5);
        let all = lost_and_marks(value, 2_000_000);
        let lost: Vec<bool> = all.iter().map(|(lost, _)| *lost).collect();
        let in_state =
            |bad: bool| -> Vec<bool> { all.iter().filter(|(_, mark)| *mark == bad).map(|(lost, _)| *lost).collect() };
        assert_share(&in_state(true), 0.9, 1.0);
        assert_share(&in_state(false), 0.01, 1.0);
        // less than a chain that loses all of its bad state repeats itself
        assert_share(&lost, expected.loss.unwrap(), INFLATION);
        let bursts = runs(&lost);
        let mean = bursts.iter().sum::<u64>() as f64 / bursts.len() as f64;
        let variance = bursts.iter().map(|n| (*n as f64 - mean).powi(2)).sum::<f64>() / bursts.len() as f64;
        let sigma = (variance / bursts.len() as f64).sqrt();
        Powerful { expected: expected.mean_burst.unwrap(), sigma }.assert(mean);
    }

    #[test]
    fn edges_are_certain() {
        let count = |value| lost(value, 10_000).iter().filter(|lost| **lost).count();
        assert_eq!(count(json!({"gilbert_elliott": {"p": "0%", "r": "1%"}})), 0);
        assert_eq!(count(json!({"gilbert_elliott": {"p": "9%", "r": "9%", "bad_loss": "0%"}})), 0);
        assert_eq!(count(json!({"gilbert_elliott": {"p": "9%", "r": "9%", "good_loss": "100%"}})), 10_000);
        // both turn at every frame
        assert_eq!(count(json!({"gilbert_elliott": {"p": "100%", "r": "100%"}})), 5_000);
        assert!(model(json!({"gilbert_elliott": {"p": "0%", "r": "1%"}})).is_none());
        assert!(!model(json!({"gilbert_elliott": {"p": "0%", "r": "1%", "good_loss": "1ppm"}})).is_none());
    }

    #[test]
    fn scenario_forms() {
        let told = |value| from_json::<GilbertElliottSpec>(value).unwrap_err();
        assert!(told(json!({"p": "2%", "r": "0%"})).contains("never ends"));
        assert!(told(json!({"p": "2%"})).contains("missing field `r`"));
        assert!(told(json!({"p": "2%", "r": "2%", "h": "1%"})).contains("unknown field `h`"));
        let spec: GilbertElliottSpec = from_json(json!({"p": "2%", "r": "20%"})).unwrap();
        assert_eq!((spec.bad_loss, spec.good_loss), (Probability::ALWAYS, Probability::NEVER));
        assert_eq!(from_json(serde_json::to_value(spec).unwrap()), Ok(spec));
    }
}

//! The four-state Markov model that netem calls `loss state`.
//!
//! S. Salsano, F. Ludovici, A. Ordine, D. Giannuzzi, "Definition of a general and intuitive loss model for packet networks
//! and its implementation in the Netem module in the Linux kernel", 2012, §4.1. States: 1 received within a gap,
//! 2 received within a burst, 3 lost within a burst, 4 lost alone within a gap. From 1 it goes to 3 with p13 and to 4
//! with p14, from 3 to 1 with p31 and to 2 with p32, from 2 to 3 with p23, and from 4 back to 1 always. What flows between
//! gap and burst is equal both ways, p13 π₁ = p31 π₃, so π₃ = π₁ p13 / p31, π₂ = π₃ p32 / p23, π₄ = π₁ p14.

use rand_xoshiro::rand_core::Rng;
use schemars::JsonSchema;
use serde::de;
use serde::{Deserialize, Deserializer, Serialize};

use super::LongRun;
use crate::model::chain::Odds;
use crate::rng::FrameRng;
use crate::units::Probability;

/// Bursts with frames that arrive within them, and single losses between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Markov4Spec {
    /// From a gap into a burst.
    pub p13: Probability,
    /// From a loss in a burst into a gap.
    pub p31: Probability,
    /// From a loss in a burst to a frame that arrives within it.
    pub p32: Probability,
    /// From a frame that arrives within a burst to a loss.
    pub p23: Probability,
    /// From a gap to a single loss.
    pub p14: Probability,
}

/// The map as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Long {
    /// The probability that a burst begins, for each frame of a gap.
    p13: Probability,
    /// The probability that the burst ends, for each frame lost in it: above 0.
    #[serde(deserialize_with = "ending")]
    p31: Probability,
    /// The probability that the next frame arrives and the burst goes on, for each frame lost in it. By default 0 %.
    #[serde(default)]
    p32: Probability,
    /// The probability that the next frame is lost, for each that arrives within a burst. By default 100 %.
    #[serde(default = "always")]
    p23: Probability,
    /// The probability of a single loss, for each frame of a gap. By default 0 %.
    #[serde(default)]
    p14: Probability,
}

fn always() -> Probability {
    Probability::ALWAYS
}

fn ending<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Probability, D::Error> {
    match Probability::deserialize(deserializer)? {
        Probability::NEVER => Err(de::Error::custom("with a `p31` of 0% a burst never ends: write more")),
        p31 => Ok(p31),
    }
}

impl<'de> Deserialize<'de> for Markov4Spec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Markov4Spec, D::Error> {
        let Long { p13, p31, p32, p23, p14 } = Long::deserialize(deserializer)?;
        for (a, b, names) in [(p13, p14, "`p13` and `p14`"), (p31, p32, "`p31` and `p32`")] {
            if sum(a, b).is_none() {
                let message =
                    format!("{names} leave one state, so together they are at most 100%: {a} and {b} are more");
                return Err(de::Error::custom(message));
            }
        }
        if p32 != Probability::NEVER && p23 == Probability::NEVER {
            let message = "with a `p23` of 0% nothing leaves the state that `p32` leads to: write more";
            return Err(de::Error::custom(message));
        }
        Ok(Markov4Spec { p13, p31, p32, p23, p14 })
    }
}

impl JsonSchema for Markov4Spec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Markov4Loss".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Long::json_schema(generator)
    }
}

fn sum(a: Probability, b: Probability) -> Option<Probability> {
    Probability::from_parts(a.as_parts() + b.as_parts())
}

impl Markov4Spec {
    /// Whether no frame is ever lost.
    pub fn is_none(&self) -> bool {
        self.p13 == Probability::NEVER && self.p14 == Probability::NEVER
    }

    /// The shares of the states 1 to 4. Sums, products and quotients only, which are the same on every machine.
    pub fn stationary(&self) -> [f64; 4] {
        let [p13, p31, p32, p23, p14] = [self.p13, self.p31, self.p32, self.p23, self.p14].map(Probability::as_f64);
        let three = p13 / p31;
        let two = if self.p32 == Probability::NEVER { 0.0 } else { three * p32 / p23 };
        let all = 1.0 + two + three + p14;
        [1.0, two, three, p14].map(|weight| weight / all)
    }

    /// Two losses follow each other only within a burst: state 4 leads to 1.
    pub(super) fn long_run(&self) -> LongRun {
        let [_, _, three, four] = self.stationary();
        let loss = three + four;
        let two = three * (1.0 - self.p31.as_f64() - self.p32.as_f64());
        LongRun { loss: Some(loss), mean_burst: (loss > 0.0).then(|| loss / (loss - two)) }
    }
}

/// The chain at work.
#[derive(Clone, Debug)]
pub struct Markov4 {
    state: Option<State>,
    /// Cumulated, so that one word decides: to 4, to 4 or 3.
    from_1: [Odds; 2],
    /// To 2, to 2 or 1.
    from_3: [Odds; 2],
    /// To 3.
    from_2: Odds,
    /// The first frame is in state 4, in 4 or 3, in 4 or 3 or 2.
    start: [Odds; 3],
}

/// Received or lost, within a gap or a burst; numbered as in the paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    ReceivedInGap = 1,
    ReceivedInBurst = 2,
    LostInBurst = 3,
    LostInGap = 4,
}

impl Markov4 {
    /// A chain before its first frame.
    pub fn new(spec: &Markov4Spec) -> Markov4 {
        let [_, two, three, four] = spec.stationary();
        let both = |a, b| Odds::of(sum(a, b).unwrap_or(Probability::ALWAYS));
        Markov4 {
            state: None,
            from_1: [Odds::of(spec.p14), both(spec.p14, spec.p13)],
            from_3: [Odds::of(spec.p32), both(spec.p32, spec.p31)],
            from_2: Odds::of(spec.p23),
            start: [four, four + three, four + three + two].map(Odds::from_f64),
        }
    }

    /// Changes the probabilities; the state goes on.
    pub fn set(&mut self, spec: &Markov4Spec) {
        *self = Markov4 { state: self.state, ..Markov4::new(spec) };
    }

    /// Whether the next frame, whose generator this is, is lost.
    pub fn step(&mut self, rng: impl FnOnce() -> FrameRng) -> bool {
        let word = rng().next_u64();
        let next = match self.state {
            None if self.start[0].happens(word) => State::LostInGap,
            None if self.start[1].happens(word) => State::LostInBurst,
            None if self.start[2].happens(word) => State::ReceivedInBurst,
            None => State::ReceivedInGap,
            Some(State::ReceivedInGap) if self.from_1[0].happens(word) => State::LostInGap,
            Some(State::ReceivedInGap) if self.from_1[1].happens(word) => State::LostInBurst,
            Some(State::ReceivedInBurst) if self.from_2.happens(word) => State::LostInBurst,
            Some(State::LostInBurst) if self.from_3[0].happens(word) => State::ReceivedInBurst,
            Some(State::LostInBurst) if self.from_3[1].happens(word) => State::ReceivedInGap,
            Some(State::LostInGap) => State::ReceivedInGap,
            Some(same) => same,
        };
        self.state = Some(next);
        matches!(next, State::LostInBurst | State::LostInGap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::loss::tests::{lost, model};
    use crate::model::statistics::{Powerful, assert_share, runs};
    use crate::rng::{StreamKey, Way};
    use serde_json::json;

    const FULL: &str = r#"{"p13": "2%", "p31": "20%", "p32": "5%", "p23": "50%", "p14": "1%"}"#;

    fn full() -> Markov4Spec {
        serde_json::from_str(FULL).unwrap()
    }

    #[test]
    fn all_transitions_and_shares_are_as_asked() {
        let n = 3_600_000;
        let spec = full();
        let mut chain = Markov4::new(&spec);
        let key = StreamKey::new(1, "link", Way::Forward, "loss");
        let states: Vec<u8> = (0..n)
            .map(|i| {
                chain.step(|| key.frame(i, 0));
                chain.state.map(|state| state as u8).unwrap()
            })
            .collect();
        for (from, to, p) in [(1, 3, 0.02), (1, 4, 0.01), (3, 1, 0.2), (3, 2, 0.05), (2, 3, 0.5)] {
            let moves: Vec<bool> = states.windows(2).filter(|w| w[0] == from).map(|w| w[1] == to).collect();
            assert_share(&moves, p, 1.0);
        }
        assert!(states.windows(2).all(|w| w[0] != 4 || w[1] == 1));
        for (name, share) in (1..).zip(spec.stationary()) {
            let there = states.iter().filter(|state| **state == name).count() as f64 / n as f64;
            assert!((there - share).abs() < 0.05 * share, "{there} where {share} is expected");
        }
    }

    #[test]
    fn the_known_example_loses_nine_point_eight_two_percent() {
        let value = json!({ "markov4": full() });
        let expected = model(value.clone()).long_run(0);
        assert!((expected.loss.unwrap() - 0.0982).abs() < 5e-5, "{expected:?}");
        let all = lost(value, 2_500_000);
        // second eigenvalue of the chain: frames are worth (1 − λ) / (1 + λ) independent ones, at most
        assert_share(&all, expected.loss.unwrap(), 9.0);
        let bursts = runs(&all);
        let mean = bursts.iter().sum::<u64>() as f64 / bursts.len() as f64;
        let variance = bursts.iter().map(|n| (*n as f64 - mean).powi(2)).sum::<f64>() / bursts.len() as f64;
        let sigma = (variance / bursts.len() as f64).sqrt();
        Powerful { expected: expected.mean_burst.unwrap(), sigma }.assert(mean);
    }

    #[test]
    fn without_its_other_states_it_is_the_simple_gilbert_model() {
        let four = lost(json!({"markov4": {"p13": "2%", "p31": "20%"}}), 50_000);
        assert!(runs(&four).iter().any(|length| *length > 10));
        let long_run = model(json!({"markov4": {"p13": "2%", "p31": "20%"}})).long_run(0);
        assert!((long_run.loss.unwrap() - 1.0 / 11.0).abs() < 1e-12);
        assert!((long_run.mean_burst.unwrap() - 5.0).abs() < 1e-9);
    }

    #[test]
    fn edges_are_certain() {
        let count = |value| lost(json!({ "markov4": value }), 10_000).iter().filter(|lost| **lost).count();
        assert_eq!(count(json!({"p13": "0%", "p31": "100%"})), 0);
        // 1 → 4 → 1 → 4, and 1 → 3 → 1 → 3
        assert_eq!(count(json!({"p13": "0%", "p31": "100%", "p14": "100%"})), 5_000);
        assert_eq!(count(json!({"p13": "100%", "p31": "100%"})), 5_000);
        // once in a burst, 3 → 2 → 3
        let inside = json!({"p13": "100%", "p31": "0.0000000001%", "p32": "99.9999999999%", "p23": "100%"});
        assert_eq!(count(inside), 5_000);
        assert!(model(json!({"markov4": {"p13": "0%", "p31": "1%"}})).is_none());
    }

    #[test]
    fn a_change_goes_on_in_its_state() {
        let mut chain = Markov4::new(&from_json(json!({"p13": "100%", "p31": "0.0001%"})).unwrap());
        let key = StreamKey::new(1, "link", Way::Forward, "loss");
        assert!((0..100).map(|i| chain.step(|| key.frame(i, 0))).last().unwrap());
        chain.set(&from_json(json!({"p13": "0%", "p31": "0.0001%"})).unwrap());
        assert!((100..200).all(|i| chain.step(|| key.frame(i, 0))), "the burst goes on");
    }

    #[test]
    fn scenario_forms() {
        let told = |value| from_json::<Markov4Spec>(value).unwrap_err();
        assert!(told(json!({"p13": "60%", "p31": "1%", "p14": "41%"})).contains("`p13` and `p14`"));
        assert!(told(json!({"p13": "6%", "p31": "60%", "p32": "41%"})).contains("at most 100%"));
        assert!(told(json!({"p13": "6%", "p31": "0%"})).contains("never ends"));
        assert!(told(json!({"p13": "6%", "p31": "1%", "p32": "1%", "p23": "0%"})).contains("write more"));
        assert!(told(json!({"p31": "1%"})).contains("missing field `p13`"));
        assert_eq!(from_json(serde_json::to_value(full()).unwrap()), Ok(full()));
    }
}

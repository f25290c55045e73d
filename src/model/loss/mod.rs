//! Loss on the wire: one model a file, alone or several together. A lost frame has used its share of the wire, as on a
//! real link.
//!
//! A direction has a list of rules; a frame that any of them loses is lost. Each rule counts its own frames and draws from
//! a stream of its own, so that a rule that is added changes nothing for those before it.

pub mod bit_error_rate;
pub mod burst;
pub mod every;
pub mod frames;
pub mod gilbert_elliott;
pub mod markov4;
pub mod outage;
pub mod random;
mod rule;
mod spec;
pub mod trace;

pub use bit_error_rate::BitErrorRate;
pub use burst::{BurstSpec, MeanLength};
pub use every::EverySpec;
pub use frames::FramesSpec;
pub use gilbert_elliott::GilbertElliottSpec;
pub use markov4::Markov4Spec;
pub use outage::OutageSpec;
pub use random::RandomSpec;
pub use rule::Rule;
pub use spec::{LossModel, LossRule, LossSpec};
pub use trace::TraceFile;

/// What a model comes to in the long run, by its closed form.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LongRun {
    /// The share of the frames that is lost; of those at random times where it depends on time. `None` where there is no
    /// such share: single frames are a share of nothing in the long run.
    pub loss: Option<f64>,
    /// How many frames in a row are lost, on average; infinite where all are. `None` where it depends on the traffic, or
    /// nothing is lost.
    pub mean_burst: Option<f64>,
}

/// The name of the random stream of the rule at this position: `loss`, `loss.2`, `loss.3`, … A single rule draws what it
/// always drew.
pub fn stream(position: usize) -> String {
    match position {
        0 => "loss".into(),
        _ => format!("loss.{}", position + 1),
    }
}

/// The name of the random stream of the outages of the rule at this position, whose draws belong to times.
pub fn outage_stream(position: usize) -> String {
    format!("{}.outage", stream(position))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::rng::{StreamKey, Way};
    use crate::units::Instant;
    use serde_json::{Value, json};

    pub(crate) fn key(model: &str) -> StreamKey {
        StreamKey::new(1, "link", Way::Forward, model)
    }

    pub(crate) fn model(value: Value) -> LossModel {
        from_json::<LossRule>(value).unwrap().model
    }

    fn rule(value: Value) -> Rule {
        Rule::new(&from_json(value).unwrap(), key("loss.outage"))
    }

    fn fates(mut rule: Rule, n: u64, bits: u64, at: Instant) -> Vec<(bool, bool)> {
        let key = key("loss");
        (0..n)
            .map(|i| {
                let mark = rule.admit(|| key.frame(i, 0));
                (rule.is_lost(i, mark, bits, at, || key.frame(i, 0)), mark)
            })
            .collect()
    }

    fn losses(fates: Vec<(bool, bool)>) -> Vec<bool> {
        fates.into_iter().map(|(lost, _)| lost).collect()
    }

    /// Which of `n` frames are lost, and which are marked.
    pub(crate) fn lost_and_marks(value: Value, n: u64) -> Vec<(bool, bool)> {
        fates(rule(value), n, 12_112, Instant::ZERO)
    }

    /// Which of `n` frames are lost.
    pub(crate) fn lost(value: Value, n: u64) -> Vec<bool> {
        losses(lost_and_marks(value, n))
    }

    pub(crate) fn lost_of_size(value: Value, n: u64, bits: u64) -> Vec<bool> {
        losses(fates(rule(value), n, bits, Instant::ZERO))
    }

    pub(crate) fn lost_at(rule: Rule, n: u64, at: Instant) -> Vec<bool> {
        losses(fates(rule, n, 12_112, at))
    }

    #[test]
    fn a_single_rule_draws_from_the_stream_that_loss_always_had() {
        assert_eq!([0, 1, 2].map(stream), ["loss", "loss.2", "loss.3"]);
        assert_eq!([0, 1].map(outage_stream), ["loss.outage", "loss.2.outage"]);
        let rate: crate::units::Probability = "1%".parse().unwrap();
        let expected: Vec<bool> = (0..5000)
            .map(|i| {
                use rand_xoshiro::rand_core::Rng;
                rate.happens(key("loss").frame(i, 0).next_u64())
            })
            .collect();
        assert_eq!(lost(json!({"random": "1%"}), 5000), expected);
    }
}

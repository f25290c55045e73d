//! A rule at work: what it keeps from frame to frame, and which frames it loses.

use rand_xoshiro::rand_core::Rng;

use super::bit_error_rate::BitErrors;
use super::markov4::Markov4;
use super::outage::Outage;
use super::trace::Trace;
use super::{LossModel, LossRule};
use crate::model::chain::{Chain, Odds};
use crate::rng::{FrameRng, StreamKey};
use crate::units::{Instant, Probability};

/// One rule of a direction's loss, at work.
///
/// A stateful rule is told of each of its frames by [`Rule::admit`], in the order of their numbers and whatever becomes of
/// them, and gives back a mark. [`Rule::is_lost`] decides with that mark when the frame goes onto the wire. The frame's
/// generator is the same for both: the first word is the chain's, the second decides.
#[derive(Clone, Debug)]
pub struct Rule {
    spec: LossRule,
    work: Work,
}

#[derive(Clone, Debug)]
enum Work {
    /// By a frame's own generator alone.
    Random(Probability),
    /// Lost in one state of a chain.
    Chain(Chain),
    /// Perhaps lost, by the state of a chain.
    GilbertElliott(Chain),
    Markov4(Markov4),
    BitErrors(BitErrors),
    /// By number alone.
    Numbers,
    Outage(Box<Outage>),
    Trace(Box<Trace>),
}

impl Rule {
    /// A rule before its first frame. `outages` is the stream of random outages, which belong to times and not to frames.
    pub fn new(spec: &LossRule, outages: StreamKey) -> Rule {
        let work = match &spec.model {
            LossModel::Random(random) if random.correlation.is_none() => Work::Random(random.rate),
            LossModel::Random(random) => Work::Chain(Chain::new(random.law())),
            LossModel::Burst(burst) => Work::Chain(Chain::new(burst.law())),
            LossModel::GilbertElliott(model) => Work::GilbertElliott(Chain::new(model.law())),
            LossModel::Markov4(model) => Work::Markov4(Markov4::new(model)),
            LossModel::BitErrorRate(rate) => Work::BitErrors(BitErrors::new(*rate)),
            LossModel::Every(_) | LossModel::Frames(_) => Work::Numbers,
            LossModel::Outage(outage) => Work::Outage(Box::new(Outage::new(*outage, outages))),
            LossModel::Trace(trace) => Work::Trace(Box::new(Trace::new(trace))),
        };
        Rule { spec: spec.clone(), work }
    }

    /// Changes the parameters in place: where the kind stays the same, its state goes on.
    pub fn set(&mut self, spec: &LossRule, outages: StreamKey) {
        let mut new = Rule::new(spec, outages);
        let same = std::mem::discriminant(&self.spec.model) == std::mem::discriminant(&spec.model);
        match (&self.work, &mut new.work) {
            (Work::Chain(old), Work::Chain(new)) | (Work::GilbertElliott(old), Work::GilbertElliott(new)) if same => {
                let law = *new.law();
                *new = *old;
                new.set(law);
            }
            (Work::Markov4(old), Work::Markov4(chain)) => {
                if let LossModel::Markov4(model) = &spec.model {
                    *chain = old.clone();
                    chain.set(model);
                }
            }
            _ => {}
        }
        *self = new;
    }

    /// What it was made from.
    pub fn spec(&self) -> &LossRule {
        &self.spec
    }

    /// Whether it loses no frame at all.
    pub fn is_none(&self) -> bool {
        self.spec.model.is_none()
    }

    /// Whether a frame's fate depends on the frames before it, so that it needs [`Rule::admit`].
    pub fn is_stateful(&self) -> bool {
        matches!(self.work, Work::Chain(_) | Work::GilbertElliott(_) | Work::Markov4(_))
    }

    /// Takes the next frame in, and returns its mark; `false` without a draw where nothing is kept from frame to frame.
    #[inline]
    pub fn admit(&mut self, rng: impl FnOnce() -> FrameRng) -> bool {
        match &mut self.work {
            Work::Chain(chain) | Work::GilbertElliott(chain) => chain.step(rng),
            Work::Markov4(chain) => chain.step(rng),
            Work::Random(_) | Work::BitErrors(_) | Work::Numbers | Work::Outage(_) | Work::Trace(_) => false,
        }
    }

    /// Whether a frame is lost.
    ///
    /// `number` counts the rule's frames from 0, `mark` is what [`Rule::admit`] returned for it, `bits` are the frame's own
    /// (the Ethernet frame without FCS), and `at` is when it goes onto the wire. `rng` makes the frame's generator, from
    /// its beginning.
    #[inline]
    pub fn is_lost(&mut self, number: u64, mark: bool, bits: u64, at: Instant, rng: impl FnOnce() -> FrameRng) -> bool {
        match &mut self.work {
            Work::Random(rate) => happens(*rate, rng, 0),
            Work::Chain(_) | Work::Markov4(_) => mark,
            Work::GilbertElliott(_) => match &self.spec.model {
                LossModel::GilbertElliott(model) => happens(model.loss_in(mark), rng, 1),
                _ => false,
            },
            Work::BitErrors(errors) => match errors.odds(bits) {
                Odds::NEVER => false,
                odds => odds.happens(rng().next_u64()),
            },
            Work::Numbers => match &self.spec.model {
                LossModel::Every(every) => every.is_lost(number),
                LossModel::Frames(frames) => frames.is_lost(number),
                _ => false,
            },
            Work::Outage(outage) => outage.is_down(at),
            Work::Trace(trace) => happens(trace.loss(at), rng, 0),
        }
    }
}

/// Whether a word of a frame's generator, behind those that are already spoken for, says that it happens.
#[inline]
fn happens(probability: Probability, rng: impl FnOnce() -> FrameRng, taken: u32) -> bool {
    match probability {
        Probability::NEVER => false,
        Probability::ALWAYS => true,
        probability => {
            let mut rng = rng();
            for _ in 0..taken {
                rng.next_u64();
            }
            probability.happens(rng.next_u64())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::loss::tests::key;
    use serde_json::json;

    fn rule(value: serde_json::Value) -> Rule {
        Rule::new(&from_json(value).unwrap(), key("loss.outage"))
    }

    #[test]
    fn certain_losses_and_marks_need_no_generator() {
        let none = || panic!("nothing is to be drawn");
        for (value, mark, lost) in [
            (json!({"random": "0%"}), false, false),
            (json!({"random": "100%"}), false, true),
            (json!({"burst": {"rate": "5%", "mean_length": 3}}), true, true),
            (json!({"burst": {"rate": "5%", "mean_length": 3}}), false, false),
            (json!({"gilbert_elliott": {"p": "5%", "r": "5%"}}), true, true),
            (json!({"gilbert_elliott": {"p": "5%", "r": "5%"}}), false, false),
            (json!({"markov4": {"p13": "5%", "p31": "5%"}}), true, true),
            (json!({"bit_error_rate": "0%"}), false, false),
            (json!({"every": 1}), false, true),
            (json!({"frames": [2]}), false, false),
            (json!({"outage": {"up": "1s", "down": "1s"}}), false, false),
        ] {
            let mut rule = rule(value.clone());
            assert_eq!(rule.is_lost(0, mark, 12_000, Instant::ZERO, none), lost, "{value}");
            assert!(rule.is_stateful() || !rule.admit(none));
        }
    }

    #[test]
    fn transition_and_decision_are_independent_draws() {
        let mut model = rule(json!({"gilbert_elliott":
            {"p": "50%", "r": "50%", "bad_loss": "50%", "good_loss": "50%"}}));
        let mut counts = [[0u32; 2]; 2];
        for n in 0..40_000 {
            let mark = model.admit(|| key("loss").frame(n, 0));
            let lost = model.is_lost(n, mark, 0, Instant::ZERO, || key("loss").frame(n, 0));
            counts[usize::from(mark)][usize::from(lost)] += 1;
        }
        // χ² with 3 degrees of freedom: 16.3 at α = 0.001
        let chi2: f64 = counts.iter().flatten().map(|n| (f64::from(*n) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi2 < 16.3, "{counts:?}");
    }

    #[test]
    fn a_change_of_parameters_keeps_the_state_and_one_of_kind_does_not() {
        let sure = json!({"gilbert_elliott": {"p": "100%", "r": "0.0000000001%"}});
        let stay = json!({"gilbert_elliott": {"p": "0%", "r": "0.0000000001%"}});
        let frame = |n| move || key("loss").frame(n, 0);
        let mut model = rule(sure.clone());
        assert!(model.admit(frame(0)));
        model.set(&from_json(stay.clone()).unwrap(), key("loss.outage"));
        assert!(model.admit(frame(1)), "it was bad, and does not turn good");
        model.set(&from_json(json!({"random": "5%"})).unwrap(), key("loss.outage"));
        model.set(&from_json(stay).unwrap(), key("loss.outage"));
        assert!(!model.admit(frame(2)), "a new chain that never turns bad");

        let mut burst = rule(json!({"random": {"rate": "100%", "correlation": "50%"}}));
        assert!(burst.admit(frame(0)));
        burst.set(&from_json(json!({"burst": {"rate": "0%", "mean_length": 1_000_000}})).unwrap(), key("loss.outage"));
        assert!(!burst.admit(frame(1)), "another kind begins anew");
    }
}

//! The loss of a direction: its rules at work, each with its stream and its frames.

use super::Streams;
use super::admissions::{Admission, Numbers};
use super::stage::{Decided, Need, Stage};
use crate::model::Only;
use crate::model::loss::{self, LossModel, LossRule, LossSpec, RandomSpec, Rule};
use crate::rng::StreamKey;
use crate::units::{Instant, Probability};
use crate::wire::summary::FrameSummary;
use rand_xoshiro::rand_core::Rng;

/// Most directions lose nothing, or each frame by itself: these two are small and quick.
#[derive(Debug)]
pub(crate) enum Losses {
    None,
    Random(Probability),
    Rules(Box<Rules>),
}

/// Boxed twice, so that a direction without any keeps no room for their number.
#[derive(Debug)]
pub(crate) struct Rules(Vec<AtWork>);

/// A rule at work.
#[derive(Debug)]
pub(crate) struct AtWork {
    rule: Rule,
    stage: Stage,
}

/// A frame that is about to go onto the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnWire {
    /// Its number in the direction.
    pub(crate) number: u64,
    /// Its own bits: the Ethernet frame without FCS.
    pub(crate) bits: u64,
    /// When its first bit is sent.
    pub(crate) at: Instant,
}

impl Losses {
    pub(crate) fn new(spec: &LossSpec, streams: Streams<'_>) -> Losses {
        match &spec.0[..] {
            [] => Losses::None,
            [LossRule { model: LossModel::Random(RandomSpec { rate, correlation }), only: None }]
                if correlation.is_none() =>
            {
                Losses::Random(*rate)
            }
            rules => {
                let rules = rules.iter().enumerate().map(|(at, rule)| AtWork::new(at, rule, streams));
                Losses::Rules(Box::new(Rules(rules.collect())))
            }
        }
    }

    /// Changes the rules in place: where one of the same kind stands in the same position, its state goes on.
    pub(crate) fn set(&mut self, spec: &LossSpec, streams: Streams<'_>) {
        let mut new = Losses::new(spec, streams);
        if let (Losses::Rules(old), Losses::Rules(new)) = (&mut *self, &mut new) {
            for (at, (old, new)) in old.0.iter_mut().zip(&mut new.0).enumerate() {
                let rule = new.rule.spec();
                old.rule.set(rule, streams.key(&loss::outage_stream(at)));
                old.stage.set(rule.only.as_ref(), old.rule.is_stateful());
                std::mem::swap(old, new);
            }
        }
        *self = new;
    }

    pub(crate) fn spec(&self) -> LossSpec {
        match self {
            Losses::None => LossSpec::default(),
            Losses::Random(rate) => LossSpec(vec![LossModel::Random(RandomSpec::independent(*rate)).into()]),
            Losses::Rules(rules) => LossSpec(rules.0.iter().map(|at_work| at_work.rule.spec().clone()).collect()),
        }
    }

    /// Whether no frame is ever lost, so that a train may pass whole.
    #[inline]
    pub(crate) fn is_none(&self) -> bool {
        match self {
            Losses::None | Losses::Random(Probability::NEVER) => true,
            Losses::Random(_) => false,
            Losses::Rules(rules) => rules.0.iter().all(|at_work| at_work.rule.is_none()),
        }
    }

    pub(crate) fn need(&self, need: &mut Need) {
        if let Losses::Rules(rules) = self {
            rules.0.iter().for_each(|at_work| at_work.stage.need(need));
        }
    }

    /// Which rules apply to a frame, one bit each.
    pub(crate) fn applies(&self, frame: &FrameSummary) -> u32 {
        match self {
            Losses::None | Losses::Random(_) => 0,
            Losses::Rules(rules) => rules.0.iter().map(|at_work| at_work.stage.applies(frame)).sum(),
        }
    }

    /// The frames of rules that are to apply to some, and none of these has come so far.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = &Only> {
        let rules = match self {
            Losses::None | Losses::Random(_) => &[][..],
            Losses::Rules(rules) => &rules.0,
        };
        rules.iter().filter_map(|at_work| at_work.stage.unmatched())
    }

    /// Takes the next wire frame in.
    pub(crate) fn admit(&mut self, number: u64, admission: &mut Admission, own: &mut Numbers) {
        let Losses::Rules(rules) = self else { return };
        for AtWork { rule, stage } in &mut rules.0 {
            stage.admit(number, admission, own, |met| rule.admit(|| met.rng()));
        }
    }

    /// Whether the frame of this number is lost. `key` is the stream of a direction's only rule. What only rules need to
    /// know is looked up for them alone: each look is a place in memory.
    #[inline]
    pub(crate) fn is_lost<'a>(
        &mut self,
        number: u64,
        key: StreamKey,
        on_wire: impl FnOnce() -> OnWire,
        decided: impl FnOnce() -> Decided<'a>,
    ) -> bool {
        match self {
            Losses::None | Losses::Random(Probability::NEVER) => false,
            Losses::Random(rate) => rate.happens(key.frame(number, 0).next_u64()),
            Losses::Rules(rules) => any_loses(&mut rules.0, on_wire(), decided()),
        }
    }
}

fn any_loses(rules: &mut [AtWork], frame: OnWire, decided: Decided<'_>) -> bool {
    rules.iter_mut().any(|AtWork { rule, stage }| {
        let met = stage.find(frame.number, decided);
        met.is_some_and(|met| rule.is_lost(met.number, met.mark, frame.bits, frame.at, || met.rng()))
    })
}

impl AtWork {
    fn new(at: usize, spec: &LossRule, streams: Streams<'_>) -> AtWork {
        let rule = Rule::new(spec, streams.key(&loss::outage_stream(at)));
        let key = streams.key(&loss::stream(at));
        AtWork { stage: Stage::new(at as u32, key, spec.only.as_ref(), rule.is_stateful()), rule }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::rng::Way;
    use serde_json::{Value, json};

    const STREAMS: Streams<'static> = Streams { seed: 1, link: "link", way: Way::Forward };

    fn losses(value: Value) -> Losses {
        Losses::new(&from_json(value).unwrap(), STREAMS)
    }

    /// Which of the numbers are lost, each admitted and then sent.
    fn lost(losses: &mut Losses, numbers: std::ops::Range<u64>) -> Vec<u64> {
        let mut need = Need::default();
        losses.need(&mut need);
        let mut admissions = need.make();
        let mut head = [0; 60];
        head[12..14].copy_from_slice(&[0x88, 0xcc]);
        let frame = FrameSummary::new(&head, 60);
        numbers
            .filter(|number| {
                let (mut admission, mut own) = (Admission::default(), Numbers::default());
                admission.applies = losses.applies(&frame);
                losses.admit(*number, &mut admission, &mut own);
                if let Some(admissions) = &mut admissions {
                    admissions.admit(*number, admission, need.columns(&mut own));
                }
                let on_wire = OnWire { number: *number, bits: 12_000, at: Instant::ZERO };
                let decided = || Decided { admissions: admissions.as_ref(), need };
                losses.is_lost(*number, STREAMS.key("loss"), || on_wire, decided)
            })
            .collect()
    }

    #[test]
    fn a_frame_is_lost_that_any_rule_loses_and_rules_do_not_shift_each_other() {
        let alone = lost(&mut losses(json!("1%")), 0..10_000);
        let with = lost(&mut losses(json!(["1%", {"every": 100}])), 0..10_000);
        let expected: Vec<u64> = (0..10_000).filter(|n| alone.contains(n) || n % 100 == 99).collect();
        assert_eq!(with, expected);
        // two that are alike draw from streams of their own
        let twice = lost(&mut losses(json!(["1%", "1%"])), 0..10_000);
        assert!(twice.len() > alone.len() * 3 / 2 && alone.iter().all(|n| twice.contains(n)));
    }

    #[test]
    fn a_rule_that_applies_to_no_frame_loses_none_and_numbers_none() {
        let mut none = losses(json!({"frames": ["1-1000"], "only": "arp"}));
        assert!(lost(&mut none, 0..1000).is_empty());
        let mut all = losses(json!({"frames": [1], "only": "lldp"}));
        assert_eq!(lost(&mut all, 500..1000), [500], "its first frame, whatever the direction's number");
    }

    #[test]
    fn a_change_in_place_goes_on() {
        let mut burst = losses(json!([{"frames": [3]}, {"gilbert_elliott": {"p": "100%", "r": "0.0000000001%"}}]));
        assert_eq!(lost(&mut burst, 0..5).len(), 5);
        let stay = json!([{"frames": [8]}, {"gilbert_elliott": {"p": "0%", "r": "0.0000000001%"}}]);
        burst.set(&from_json(stay.clone()).unwrap(), STREAMS);
        assert_eq!(lost(&mut burst, 5..10).len(), 5, "the bad state goes on");
        assert_eq!(burst.spec(), from_json(stay).unwrap());
        burst.set(&LossSpec::default(), STREAMS);
        assert!(burst.is_none() && lost(&mut burst, 10..20).is_empty());
        assert_eq!(std::mem::size_of::<Losses>(), 16);
    }
}

//! Which models a frame meets in a direction, in which order, by which number, and with which random stream.
//!
//! | where | what | file |
//! |---|---|---|
//! | admission | each model numbers its frames; one with a memory steps, and what it says is kept | [`stage`], [`admissions`] |
//! | onto the wire | the rules of loss, in their order | [`loss`] |
//! | behind the wire | impairments of a share of the frames, in the order of [`Impairments`] | here |
//! | on its way | the delay | here |
//!
//! Most directions lose nothing or each frame by itself, and delay all frames alike: they have no [`Pipeline`].

pub(super) mod admissions;
pub(super) mod loss;
pub(super) mod stage;

use self::admissions::{Admission, Admissions, Numbers};
use self::loss::Losses;
use self::stage::{Decided, Need, Stage, bit};
use super::DirectionSpec;
use crate::frame::{Frame, FramePool};
use crate::model::chain::Picker;
use crate::model::{Delay, Impairments, Only, Passing};
use crate::rng::{StreamKey, Way};
use crate::wire::summary::FrameSummary;

/// What the random streams of a direction are named after. Not kept in the direction: most never have any of these models.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streams<'a> {
    pub(crate) seed: u64,
    pub(crate) link: &'a str,
    pub(crate) way: Way,
}

impl Streams<'_> {
    /// The random stream of a model.
    pub(crate) fn key(&self, model: &str) -> StreamKey {
        StreamKey::new(self.seed, self.link, self.way, model)
    }
}

/// The models of one direction that look at frames one by one.
#[derive(Debug)]
pub(crate) struct Pipeline {
    asked: Impairments,
    impairments: [AtWork; Impairments::NAMES.len()],
    delay: Stage,
    need: Need,
    admissions: Option<Admissions>,
    /// Segments, by their numbers, whose senders the other direction of the link is to take a reset to.
    resets: Vec<(u64, Box<[u8]>)>,
}

/// An impairment at work.
#[derive(Debug)]
struct AtWork {
    picker: Picker,
    stage: Stage,
}

/// A frame that the delay applies to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delayed {
    /// Its number among those.
    pub(crate) number: u64,
    /// Its place in the chain of correlated delays, if there is one.
    pub(crate) stray: Option<f64>,
}

impl Pipeline {
    /// `None` where a spec asks for nothing that needs one.
    pub(crate) fn new(
        spec: &DirectionSpec,
        loss: &Losses,
        delay: &Delay,
        streams: Streams<'_>,
    ) -> Option<Box<Pipeline>> {
        let mut needed = Need::default();
        loss.need(&mut needed);
        let some = spec.impairments.active().next().is_some();
        let some = some || needed.admissions || delay.is_correlated() || delay.only().is_some();
        some.then(|| {
            let asked = spec.impairments.clone();
            let each = asked.each();
            let impairments = std::array::from_fn(|at| {
                let (impairment, key) = (each[at], streams.key(Impairments::NAMES[at]));
                let picker = impairment.picker();
                let bit = bit::IMPAIRMENTS + at as u32;
                AtWork { stage: Stage::new(bit, key, impairment.share().only, picker.is_stateful()), picker }
            });
            let mut pipeline = Box::new(Pipeline {
                asked,
                impairments,
                delay: Stage::new(bit::DELAY, streams.key("delay"), delay.only(), false),
                need: Need::default(),
                admissions: None,
                resets: Vec::new(),
            });
            pipeline.make_admissions(loss, delay);
            pipeline
        })
    }

    /// Admissions as the models need them. Where they need others than before, frames that are inside by now meet no model
    /// that would have had to know of them at admission.
    fn make_admissions(&mut self, loss: &Losses, delay: &Delay) {
        let mut need = Need::default();
        loss.need(&mut need);
        self.stages().for_each(|(_, stage)| stage.need(&mut need));
        need.admissions |= delay.is_correlated();
        if self.need != need {
            (self.need, self.admissions) = (need, need.make());
        }
    }

    /// Changes the parameters in place; what frames have left behind goes on.
    pub(crate) fn set(
        pipeline: &mut Option<Box<Pipeline>>,
        spec: &DirectionSpec,
        loss: &Losses,
        delay: &Delay,
        streams: Streams<'_>,
    ) {
        match (pipeline.as_mut(), Pipeline::new(spec, loss, delay, streams)) {
            (Some(old), Some(new)) => {
                old.asked = new.asked;
                for (impairment, AtWork { picker, stage }) in old.asked.each().into_iter().zip(&mut old.impairments) {
                    picker.set(impairment.picker());
                    stage.set(impairment.share().only, picker.is_stateful());
                }
                old.delay.set(delay.only(), false);
                old.make_admissions(loss, delay);
            }
            (_, new) => *pipeline = new,
        }
    }

    /// What impairments are asked for now.
    pub(crate) fn asked(&self) -> &Impairments {
        &self.asked
    }

    /// Admits the wire frames of a stretch that has its numbers, if any model needs that.
    #[inline]
    pub(crate) fn admit(&mut self, frame: &Frame, loss: &mut Losses, delay: &mut Delay, pool: &FramePool) {
        if self.need.admissions {
            self.admit_each(frame, loss, delay, pool);
        }
    }

    fn admit_each(&mut self, frame: &Frame, loss: &mut Losses, delay: &mut Delay, pool: &FramePool) {
        let view = pool.view(frame);
        let mut summary = FrameSummary::new(view.head, view.total());
        let (mut applies, mut flags) = (0, None);
        for number in frame.number..frame.number + frame.count() {
            view.wire_flags(number - frame.number, &mut summary);
            // nothing else that rules look at differs between the wire frames of a train
            if flags != Some(summary.tcp_flags()) {
                flags = Some(summary.tcp_flags());
                let stages = self.stages().map(|(_, stage)| stage.applies(&summary));
                applies = loss.applies(&summary) | stages.sum::<u32>();
            }
            let (mut admission, mut own) = (Admission::default(), Numbers::default());
            admission.applies = applies;
            loss.admit(number, &mut admission, &mut own);
            for AtWork { picker, stage } in &mut self.impairments {
                stage.admit(number, &mut admission, &mut own, |met| picker.admit(|| met.rng()));
            }
            self.delay.admit(number, &mut admission, &mut own, |_| false);
            if let Some(met) = self.delay.first(number, &admission, &own) {
                admission.stray = delay.admit(|| met.rng());
            }
            if let Some(admissions) = &mut self.admissions {
                admissions.admit(number, admission, self.need.columns(&mut own));
            }
        }
    }

    /// What was decided at admission.
    #[inline]
    pub(crate) fn decided(&self) -> Decided<'_> {
        Decided { admissions: self.admissions.as_ref(), need: self.need }
    }

    /// What the delay knows a frame by; `None` if it does not apply to it. It does to one that was admitted before there
    /// were admissions.
    #[inline]
    pub(crate) fn delayed(&self, number: u64) -> Option<Delayed> {
        let Some(admission) = self.admissions.as_ref().and_then(|admissions| admissions.of(number)) else {
            return Some(Delayed { number, stray: None });
        };
        let met = self.delay.find(number, self.decided())?;
        Some(Delayed { number: met.number, stray: admission.stray })
    }

    /// Every stage behind loss, by the name of its model.
    fn stages(&self) -> impl Iterator<Item = (&'static str, &Stage)> {
        let impairments = self.impairments.iter().map(|at_work| &at_work.stage);
        Impairments::NAMES.into_iter().zip(impairments).chain([("delay", &self.delay)])
    }

    /// Models that are to apply to some frames, and none of these has come so far.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = (&'static str, &Only)> {
        self.stages().filter_map(|(name, stage)| Some((name, stage.unmatched()?)))
    }

    /// These frames draw no more: they are on their way, or dropped.
    #[inline]
    pub(crate) fn settle(&mut self, number: u64, count: u64) {
        if let Some(admissions) = &mut self.admissions {
            admissions.settle(number, count);
        }
    }

    /// Frames whose admission is kept.
    #[cfg(test)]
    pub(crate) fn admitted(&self) -> usize {
        self.admissions.as_ref().map_or(0, Admissions::len)
    }

    /// Lets a single wire frame pass the impairments.
    pub(crate) fn pass(&self, frame: Frame, pool: &mut FramePool) -> Passing {
        let (number, decided) = (frame.number, self.decided());
        let mut passing = Passing::new(frame);
        for (at, AtWork { picker, stage }) in self.impairments.iter().enumerate() {
            let Some(met) = stage.find(number, decided) else { continue };
            if let Some(rng) = picker.pick(met.mark, || met.rng()) {
                self.asked.each()[at].apply(rng, &mut passing, pool);
            }
            if passing.reset.is_some() {
                break;
            }
        }
        passing
    }

    /// Notes a segment whose sender is to get a reset.
    pub(crate) fn note_reset(&mut self, number: u64, segment: Box<[u8]>) {
        self.resets.push((number, segment));
    }

    /// The segments whose senders are still to get a reset.
    pub(crate) fn take_resets(&mut self) -> Vec<(u64, Box<[u8]>)> {
        std::mem::take(&mut self.resets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Chance, CorruptSpec, DelaySpec, ReorderSpec};
    use crate::units::Probability;

    const STREAMS: Streams<'static> = Streams { seed: 1, link: "link", way: Way::Forward };

    /// IPv4 and UDP with 20 bytes of payload.
    fn udp() -> Vec<u8> {
        let mut bytes = vec![0u8; 62];
        bytes[12..14].copy_from_slice(&[0x08, 0x00]);
        bytes[14] = 0x45;
        bytes[16..18].copy_from_slice(&48u16.to_be_bytes());
        bytes[23] = 17;
        bytes[38..40].copy_from_slice(&28u16.to_be_bytes());
        bytes
    }

    #[test]
    fn corruption_flips_one_bit_behind_the_network_header_and_leaves_the_original_alone() {
        let always = Chance(Probability::ALWAYS);
        let corrupt = CorruptSpec::independent(always, 1);
        let impairments = Impairments { corrupt, ..Impairments::default() };
        let spec = DirectionSpec { impairments, ..DirectionSpec::default() };
        let pipeline = Pipeline::new(&spec, &Losses::None, &Delay::new(DelaySpec::default()), STREAMS).unwrap();
        let mut pool = FramePool::default();
        for number in 0..500 {
            let mut frame = pool.store(&udp()).unwrap();
            frame.number = number;
            let shared = pool.share(&frame);
            let sent = pipeline.pass(frame, &mut pool);
            assert!(sent.corrupted && sent.is_alone());
            let (now, before) = (pool.view(&sent.frame).to_vec(), pool.view(&shared).to_vec());
            assert_eq!(before, udp());
            let flipped: Vec<_> = (0..62).filter(|at| now[*at] != before[*at]).collect();
            assert_eq!(flipped.len(), 1);
            assert!(flipped[0] >= 34 && (now[flipped[0]] ^ before[flipped[0]]).count_ones() == 1);
            pool.release(sent.frame);
            pool.release(shared);
        }
        assert_eq!(pool.live(), 0);
    }

    #[test]
    fn a_direction_without_any_has_none_and_may_get_them_later() {
        let mut spec = DirectionSpec::default();
        let mut pipeline = Pipeline::new(&spec, &Losses::None, &Delay::new(DelaySpec::default()), STREAMS);
        assert!(pipeline.is_none());
        spec.impairments.reorder = ReorderSpec::independent(Chance(Probability::ALWAYS), 3);
        Pipeline::set(&mut pipeline, &spec, &Losses::None, &Delay::new(DelaySpec::default()), STREAMS);
        assert!(pipeline.is_some());
        spec.impairments.reorder = ReorderSpec::default();
        Pipeline::set(&mut pipeline, &spec, &Losses::None, &Delay::new(DelaySpec::default()), STREAMS);
        assert!(pipeline.is_none());
    }
}

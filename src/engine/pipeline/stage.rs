//! One model's place in the pipeline of a direction: which frames it meets, by which number it knows them, and with which
//! random stream.
//!
//! A model with `only` numbers the frames that match; one with a memory steps with each of its frames. Either is done when
//! a frame is admitted, in the order of admission, and stands in the direction's [`Admissions`] until the frame draws on it.

use super::admissions::{Admission, Admissions, Numbers};
use crate::model::{Impairments, LossSpec, Only};
use crate::rng::{FrameRng, StreamKey};
use crate::wire::summary::FrameSummary;

/// The bits of a direction's models in its admissions, in the order in which a frame meets them. Rules of loss come first.
pub(crate) mod bit {
    use super::{Impairments, LossSpec};

    /// Of the first impairment in the list.
    pub(crate) const IMPAIRMENTS: u32 = LossSpec::MOST as u32;
    pub(crate) const DELAY: u32 = IMPAIRMENTS + Impairments::NAMES.len() as u32;
    /// One more than the last.
    pub(crate) const END: u32 = DELAY + 1;
}

/// The place of one model.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    bit: u32,
    key: StreamKey,
    only: Option<Only>,
    /// Whether the model has a memory.
    stateful: bool,
    /// The number of its next frame, where it numbers for itself.
    next: u64,
}

/// A frame as one model knows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Met {
    /// Its number in the model.
    pub(crate) number: u64,
    /// What the model's chain said at admission.
    pub(crate) mark: bool,
    key: StreamKey,
}

impl Met {
    /// The frame's own generator in the model, from its beginning.
    #[inline]
    pub(crate) fn rng(self) -> FrameRng {
        self.key.frame(self.number, 0)
    }
}

impl Stage {
    pub(crate) fn new(bit: u32, key: StreamKey, only: Option<&Only>, stateful: bool) -> Stage {
        Stage { bit, key, only: only.cloned(), stateful, next: 0 }
    }

    /// Other frames from now on; numbers go on.
    pub(crate) fn set(&mut self, only: Option<&Only>, stateful: bool) {
        *self = Stage { next: self.next, ..Stage::new(self.bit, self.key, only, stateful) };
    }

    /// Adds what the model needs of admissions.
    pub(crate) fn need(&self, need: &mut Need) {
        need.admissions |= self.only.is_some() || self.stateful;
        need.columns |= u32::from(self.only.is_some()) << self.bit;
    }

    /// Whether the model applies to a frame, as its bit.
    pub(crate) fn applies(&self, frame: &FrameSummary) -> u32 {
        u32::from(self.only.as_ref().is_none_or(|only| only.matches(frame))) << self.bit
    }

    /// Takes the next wire frame in: numbers it, and lets a model with a memory step.
    pub(crate) fn admit(
        &mut self,
        number: u64,
        admission: &mut Admission,
        own: &mut Numbers,
        step: impl FnOnce(Met) -> bool,
    ) {
        if !admission.applies(self.bit) {
            return;
        }
        let mut number = number;
        if self.only.is_some() {
            number = self.next;
            own[self.bit as usize] = number;
            self.next += 1;
        }
        if self.stateful {
            let mark = step(Met { number, mark: false, key: self.key });
            admission.marks |= u32::from(mark) << self.bit;
        }
    }

    /// A frame as this model knows it, at its admission.
    pub(crate) fn first(&self, number: u64, admission: &Admission, own: &Numbers) -> Option<Met> {
        let number = if self.only.is_some() { own[self.bit as usize] } else { number };
        admission.applies(self.bit).then_some(Met { number, mark: false, key: self.key })
    }

    /// The frames that it is to apply to, if none of them has come so far.
    pub(crate) fn unmatched(&self) -> Option<&Only> {
        self.only.as_ref().filter(|_| self.next == 0)
    }

    /// A frame as this model knows it; `None` if the model does not apply to it. A model that needs admission does not apply
    /// to a frame that was admitted before it was there.
    #[inline]
    pub(crate) fn find(&self, number: u64, decided: Decided<'_>) -> Option<Met> {
        let met = Met { number, mark: false, key: self.key };
        if self.only.is_none() && !self.stateful {
            return Some(met);
        }
        let admissions = decided.admissions?;
        let admission = admissions.of(number).filter(|admission| admission.applies(self.bit))?;
        let number = match self.only {
            None => number,
            Some(_) => admissions.own_number(number, decided.need.column(self.bit))?,
        };
        Some(Met { number, mark: admission.mark(self.bit), ..met })
    }
}

/// What was decided about a direction's frames.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Decided<'a> {
    /// `None` where no model needs them.
    pub(crate) admissions: Option<&'a Admissions>,
    /// What they were made for.
    pub(crate) need: Need,
}

/// What the models of a direction need of admissions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    /// There are to be some.
    pub(crate) admissions: bool,
    /// One bit for each model that numbers for itself.
    columns: u32,
}

impl Need {
    /// Admissions with room for it, if they are needed.
    pub(crate) fn make(self) -> Option<Admissions> {
        self.admissions.then(|| Admissions::new(self.columns.count_ones() as usize))
    }

    /// The numbers of a frame, one a column: in order, those of the models that number for themselves come first.
    pub(crate) fn columns(self, own: &mut Numbers) -> &[u64] {
        let mut count = 0;
        for bit in (0..bit::END).filter(|bit| self.columns >> bit & 1 == 1) {
            own[count] = own[bit as usize];
            count += 1;
        }
        &own[..count]
    }

    /// The column of a model that numbers for itself.
    fn column(self, bit: u32) -> usize {
        (self.columns & ((1 << bit) - 1)).count_ones() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Way;

    fn only(text: &str) -> Option<Only> {
        Some(serde_json::from_str(text).unwrap())
    }

    fn frame(bytes: [u8; 2]) -> FrameSummary {
        let mut head = [0u8; 60];
        head[12..14].copy_from_slice(&bytes);
        FrameSummary::new(&head, head.len())
    }

    #[test]
    fn each_model_numbers_its_own_frames_and_steps_with_them() {
        let key = StreamKey::new(1, "link", Way::Forward, "model");
        let mut stages = [
            Stage::new(0, key, only(r#""arp""#).as_ref(), true),
            Stage::new(3, key, None, true),
            Stage::new(bit::DELAY, key, only(r#""lldp""#).as_ref(), false),
            Stage::new(5, key, None, false),
        ];
        let mut need = Need::default();
        stages.iter().for_each(|stage| stage.need(&mut need));
        assert!(need.admissions);
        let mut admissions = need.make().unwrap();
        // ARP, LLDP, ARP, ARP
        let frames = [[8, 6], [0x88, 0xcc], [8, 6], [8, 6]];
        for (number, bytes) in (100..).zip(frames) {
            let (mut admission, mut own) = (Admission::default(), Numbers::default());
            admission.applies = stages.iter().map(|stage| stage.applies(&frame(bytes))).sum();
            for stage in &mut stages {
                stage.admit(number, &mut admission, &mut own, |met| met.number % 2 == 1);
            }
            admissions.admit(number, admission, need.columns(&mut own));
        }
        let decided = Decided { admissions: Some(&admissions), need };
        let find = |stage: &Stage, number| stage.find(number, decided).map(|met| (met.number, met.mark));
        let found = |stage: &Stage| [100, 101, 102, 103].map(|number| find(stage, number));
        assert_eq!(found(&stages[0]), [Some((0, false)), None, Some((1, true)), Some((2, false))]);
        assert_eq!(found(&stages[1]), [Some((100, false)), Some((101, true)), Some((102, false)), Some((103, true))]);
        assert_eq!(found(&stages[2]), [None, Some((0, false)), None, None]);
        assert_eq!(found(&stages[3])[0], Some((100, false)), "it needs no admission");
        assert_eq!(find(&stages[0], 104), None, "not admitted while the model was there");
        assert_eq!(stages[0].find(100, Decided::default()), None);
    }
}

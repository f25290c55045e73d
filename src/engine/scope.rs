//! Which frames a model of a direction counts as its own, and what it decided about them at admission.
//!
//! A model with `only` numbers the frames that match; one with a memory steps with each of its frames. Either is done when
//! a frame is admitted, in the order of admission, and stands in the direction's [`Book`] until the frame draws on it.

use super::book::{Book, Entry};
use crate::model::Only;
use crate::wire::summary::FrameSummary;

/// The bits of a direction's models in its book. Rules of loss come first.
pub(crate) mod bit {
    use crate::model::LossSpec;

    pub(crate) const CORRUPT: u32 = LossSpec::MOST as u32;
    pub(crate) const DUPLICATE: u32 = CORRUPT + 1;
    pub(crate) const REORDER: u32 = CORRUPT + 2;
    pub(crate) const DELAY: u32 = CORRUPT + 3;
    /// One more than the last.
    pub(crate) const END: u32 = CORRUPT + 4;
}

/// The numbers of one frame in the models that number for themselves; a model's bit is its place.
pub(crate) type OwnNumbers = [u64; bit::END as usize];

/// The frames of one model.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    bit: u32,
    only: Option<Only>,
    /// Whether the model has a memory.
    stateful: bool,
    /// The number of its next frame, where it numbers for itself.
    next: u64,
}

impl Scope {
    pub(crate) fn new(bit: u32, only: Option<&Only>, stateful: bool) -> Scope {
        Scope { bit, only: only.cloned(), stateful, next: 0 }
    }

    /// Other frames from now on; numbers go on.
    pub(crate) fn set(&mut self, only: Option<&Only>, stateful: bool) {
        *self = Scope { next: self.next, ..Scope::new(self.bit, only, stateful) };
    }

    /// Adds what the model needs of a book.
    pub(crate) fn need(&self, need: &mut Need) {
        need.book |= self.only.is_some() || self.stateful;
        need.columns |= u32::from(self.only.is_some()) << self.bit;
    }

    /// Whether the model applies to a frame, as its bit.
    pub(crate) fn applies(&self, frame: &FrameSummary) -> u32 {
        u32::from(self.only.as_ref().is_none_or(|only| only.matches(frame))) << self.bit
    }

    /// Takes the next wire frame in: numbers it, and lets the model step with its number.
    pub(crate) fn admit(
        &mut self,
        number: u64,
        entry: &mut Entry,
        own: &mut OwnNumbers,
        step: impl FnOnce(u64) -> bool,
    ) {
        if !entry.applies(self.bit) {
            return;
        }
        let mut number = number;
        if self.only.is_some() {
            number = self.next;
            own[self.bit as usize] = number;
            self.next += 1;
        }
        if self.stateful {
            entry.marks |= u32::from(step(number)) << self.bit;
        }
    }

    /// The frames that it is to apply to, if none of them has come so far.
    pub(crate) fn unmatched(&self) -> Option<&Only> {
        self.only.as_ref().filter(|_| self.next == 0)
    }

    /// The number that a frame has in this model, and its mark; `None` if the model does not apply to it. A model that
    /// needs admission does not apply to a frame that was admitted before it was there.
    #[inline]
    pub(crate) fn find(&self, number: u64, decided: Decided<'_>) -> Option<(u64, bool)> {
        if self.only.is_none() && !self.stateful {
            return Some((number, false));
        }
        let book = decided.book?;
        let entry = book.entry(number).filter(|entry| entry.applies(self.bit))?;
        let own = match self.only {
            None => number,
            Some(_) => book.own_number(number, decided.need.column(self.bit))?,
        };
        Some((own, entry.mark(self.bit)))
    }
}

/// What was decided about a direction's frames.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Decided<'a> {
    /// None where no model needs one.
    pub(crate) book: Option<&'a Book>,
    /// What it was made for.
    pub(crate) need: Need,
}

/// What the models of a direction need of a book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Need {
    /// There is to be one.
    pub(crate) book: bool,
    /// One bit for each model that numbers for itself.
    columns: u32,
}

impl Need {
    /// A book with room for it, if one is needed.
    pub(crate) fn make(self) -> Option<Book> {
        self.book.then(|| Book::new(self.columns.count_ones() as usize))
    }

    /// The numbers of a frame, one a column: in order, those of the models that number for themselves come first.
    pub(crate) fn columns(self, own: &mut OwnNumbers) -> &[u64] {
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
        let mut scopes = [
            Scope::new(0, only(r#""arp""#).as_ref(), true),
            Scope::new(3, None, true),
            Scope::new(bit::REORDER, only(r#""lldp""#).as_ref(), false),
            Scope::new(5, None, false),
        ];
        let mut need = Need::default();
        scopes.iter().for_each(|scope| scope.need(&mut need));
        assert!(need.book);
        let mut book = need.make().unwrap();
        // ARP, LLDP, ARP, ARP
        let frames = [[8, 6], [0x88, 0xcc], [8, 6], [8, 6]];
        for (number, bytes) in (100..).zip(frames) {
            let (mut entry, mut own) = (Entry::default(), OwnNumbers::default());
            entry.applies = scopes.iter().map(|scope| scope.applies(&frame(bytes))).sum();
            for scope in &mut scopes {
                scope.admit(number, &mut entry, &mut own, |own| own % 2 == 1);
            }
            book.admit(number, entry, need.columns(&mut own));
        }
        let decided = Decided { book: Some(&book), need };
        let found = |scope: &Scope| [100, 101, 102, 103].map(|number| scope.find(number, decided));
        assert_eq!(found(&scopes[0]), [Some((0, false)), None, Some((1, true)), Some((2, false))]);
        assert_eq!(found(&scopes[1]), [Some((100, false)), Some((101, true)), Some((102, false)), Some((103, true))]);
        assert_eq!(found(&scopes[2]), [None, Some((0, false)), None, None]);
        assert_eq!(found(&scopes[3])[0], Some((100, false)), "it needs no book");
        assert_eq!(scopes[0].find(104, decided), None, "not admitted while the model was there");
        assert_eq!(scopes[0].find(100, Decided::default()), None);
    }
}

//! What models decided about frames at admission, until the frames draw on it.
//!
//! A model that applies to some frames only numbers them for itself; one with a memory (a chain, a correlation) steps
//! with each frame that it applies to, in the order of admission, whatever becomes of the frame. Both are done with
//! before the queue, which may drop frames or let them go in another order. Directions without such models keep none.

use std::collections::VecDeque;

use super::stage::bit;

/// The numbers of one frame in the models that number for themselves; a model's bit is its place.
pub(crate) type Numbers = [u64; bit::END as usize];

/// What was decided about one wire frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Admission {
    /// One bit a model: it applies to the frame.
    pub(crate) applies: u32,
    /// One bit a model: what its chain said.
    pub(crate) marks: u32,
    /// The standard normal deviate of a correlated delay.
    pub(crate) stray: Option<f64>,
    /// The frame is still to draw.
    open: bool,
}

impl Admission {
    /// Whether a model applies to the frame.
    pub(crate) fn applies(&self, bit: u32) -> bool {
        self.applies >> bit & 1 == 1
    }

    /// What a model's chain said.
    pub(crate) fn mark(&self, bit: u32) -> bool {
        self.marks >> bit & 1 == 1
    }
}

/// Admissions by the frames' numbers in the direction.
#[derive(Debug, Default)]
pub(crate) struct Admissions {
    first: u64,
    frames: VecDeque<Admission>,
    /// How many models number frames for themselves.
    columns: usize,
    /// Their numbers, `columns` of them for each frame.
    numbers: VecDeque<u64>,
}

impl Admissions {
    /// With room for the numbers of `columns` models.
    pub(crate) fn new(columns: usize) -> Admissions {
        Admissions { columns, ..Admissions::default() }
    }

    /// Admits the next wire frame; frames come in the order of their numbers. `own` are its numbers in the models that
    /// number for themselves, one a column, whatever where they do not apply.
    pub(crate) fn admit(&mut self, number: u64, admission: Admission, own: &[u64]) {
        debug_assert_eq!(own.len(), self.columns);
        if self.frames.is_empty() {
            self.first = number;
        }
        debug_assert_eq!(number, self.first + self.frames.len() as u64, "frames come in order");
        self.frames.push_back(Admission { open: true, ..admission });
        self.numbers.extend(own);
    }

    /// What was decided about a frame; `None` if it was admitted before there were any, or has been settled.
    pub(crate) fn of(&self, number: u64) -> Option<&Admission> {
        self.frames.get(self.place(number)?).filter(|admission| admission.open)
    }

    /// The number of a frame in the model of a column.
    pub(crate) fn own_number(&self, number: u64, column: usize) -> Option<u64> {
        debug_assert!(column < self.columns);
        self.numbers.get(self.place(number)? * self.columns + column).copied()
    }

    /// These frames draw no more: they are on their way, or dropped.
    pub(crate) fn settle(&mut self, number: u64, count: u64) {
        for number in number..number + count {
            if let Some(place) = self.place(number)
                && let Some(admission) = self.frames.get_mut(place)
            {
                admission.open = false;
            }
        }
        while self.frames.front().is_some_and(|admission| !admission.open) {
            self.frames.pop_front();
            self.numbers.drain(..self.columns);
            self.first += 1;
        }
    }

    /// Frames that are kept, those among them that are settled but stand behind one that is not included.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn admission(number: u64) -> Admission {
        Admission { applies: number as u32, marks: !number as u32, stray: Some(number as f64), open: false }
    }

    #[test]
    fn an_admission_stays_until_it_is_settled() {
        let mut admissions = Admissions::new(2);
        for number in 5..10 {
            admissions.admit(number, admission(number), &[number * 10, number * 100]);
        }
        assert!(admissions.of(4).is_none() && admissions.of(10).is_none());
        assert_eq!((admissions.of(7).unwrap().applies, admissions.own_number(7, 1)), (7, Some(700)));
        assert!(admissions.of(6).unwrap().applies(1) && !admissions.of(6).unwrap().applies(0));
        assert!(admissions.of(6).unwrap().mark(0) && !admissions.of(6).unwrap().mark(2));
        admissions.settle(6, 2);
        assert_eq!((admissions.len(), admissions.of(6), admissions.own_number(8, 0)), (5, None, Some(80)));
        admissions.settle(5, 1);
        assert_eq!((admissions.len(), admissions.own_number(8, 0)), (2, Some(80)));
        admissions.settle(8, 2);
        assert_eq!(admissions.len(), 0);
        // frames that were numbered while none were kept leave a gap
        admissions.admit(40, admission(40), &[1, 2]);
        assert_eq!(admissions.own_number(40, 1), Some(2));
    }

    proptest! {
        #[test]
        fn in_whatever_order_frames_are_settled_nothing_is_left(order in Just((0u64..50).collect::<Vec<_>>()).prop_shuffle()) {
            let mut admissions = Admissions::new(1);
            (0..50).for_each(|number| admissions.admit(number, admission(number), &[number + 7]));
            let mut open: Vec<u64> = (0..50).collect();
            for number in order {
                for still in &open {
                    prop_assert_eq!(admissions.of(*still).map(|e| e.applies), Some(*still as u32));
                    prop_assert_eq!(admissions.own_number(*still, 0), Some(still + 7));
                }
                admissions.settle(number, 1);
                open.retain(|n| *n != number);
            }
            prop_assert_eq!((admissions.len(), admissions.numbers.len()), (0, 0));
        }
    }
}

//! What models decided about frames at admission, until the frames draw on it.
//!
//! A model that applies to some frames only numbers them for itself; one with a memory (a chain, a correlation) steps
//! with each frame that it applies to, in the order of admission, whatever becomes of the frame. Both are done with
//! before the queue, which may drop frames or let them go in another order. Directions without such models have no book.

use std::collections::VecDeque;

/// What was decided about one wire frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Entry {
    /// One bit a model: it applies to the frame.
    pub(crate) applies: u32,
    /// One bit a model: what its chain said.
    pub(crate) marks: u32,
    /// The standard normal deviate of a correlated delay.
    pub(crate) stray: Option<f64>,
    /// The frame is still to draw.
    open: bool,
}

impl Entry {
    /// Whether a model applies to the frame.
    pub(crate) fn applies(&self, bit: u32) -> bool {
        self.applies >> bit & 1 == 1
    }

    /// What a model's chain said.
    pub(crate) fn mark(&self, bit: u32) -> bool {
        self.marks >> bit & 1 == 1
    }
}

/// Entries by the frames' numbers in the direction.
#[derive(Debug, Default)]
pub(crate) struct Book {
    first: u64,
    entries: VecDeque<Entry>,
    /// How many models number frames for themselves.
    columns: usize,
    /// Their numbers, `columns` of them for each entry.
    numbers: VecDeque<u64>,
}

impl Book {
    /// A book with room for the numbers of `columns` models.
    pub(crate) fn new(columns: usize) -> Book {
        Book { columns, ..Book::default() }
    }

    /// Enters the next wire frame; frames come in the order of their numbers. `own` are its numbers in the models that
    /// number for themselves, one a column, whatever where they do not apply.
    pub(crate) fn admit(&mut self, number: u64, entry: Entry, own: &[u64]) {
        debug_assert_eq!(own.len(), self.columns);
        if self.entries.is_empty() {
            self.first = number;
        }
        debug_assert_eq!(number, self.first + self.entries.len() as u64, "frames come in order");
        self.entries.push_back(Entry { open: true, ..entry });
        self.numbers.extend(own);
    }

    /// What was decided about a frame; `None` if it was admitted before there was a book, or has been settled.
    pub(crate) fn entry(&self, number: u64) -> Option<&Entry> {
        self.entries.get(self.place(number)?).filter(|entry| entry.open)
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
                && let Some(entry) = self.entries.get_mut(place)
            {
                entry.open = false;
            }
        }
        while self.entries.front().is_some_and(|entry| !entry.open) {
            self.entries.pop_front();
            self.numbers.drain(..self.columns);
            self.first += 1;
        }
    }

    /// Frames that are entered, those among them that are settled but stand behind one that is not included.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    fn place(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.first)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(number: u64) -> Entry {
        Entry { applies: number as u32, marks: !number as u32, stray: Some(number as f64), open: false }
    }

    #[test]
    fn an_entry_stays_until_it_is_settled() {
        let mut book = Book::new(2);
        for number in 5..10 {
            book.admit(number, entry(number), &[number * 10, number * 100]);
        }
        assert!(book.entry(4).is_none() && book.entry(10).is_none());
        assert_eq!((book.entry(7).unwrap().applies, book.own_number(7, 1)), (7, Some(700)));
        assert!(book.entry(6).unwrap().applies(1) && !book.entry(6).unwrap().applies(0));
        assert!(book.entry(6).unwrap().mark(0) && !book.entry(6).unwrap().mark(2));
        book.settle(6, 2);
        assert_eq!((book.len(), book.entry(6), book.own_number(8, 0)), (5, None, Some(80)));
        book.settle(5, 1);
        assert_eq!((book.len(), book.own_number(8, 0)), (2, Some(80)));
        book.settle(8, 2);
        assert_eq!(book.len(), 0);
        // frames that were numbered while nobody kept a book leave a gap
        book.admit(40, entry(40), &[1, 2]);
        assert_eq!(book.own_number(40, 1), Some(2));
    }

    proptest! {
        #[test]
        fn in_whatever_order_frames_are_settled_nothing_is_left(order in Just((0u64..50).collect::<Vec<_>>()).prop_shuffle()) {
            let mut book = Book::new(1);
            (0..50).for_each(|number| book.admit(number, entry(number), &[number + 7]));
            let mut open: Vec<u64> = (0..50).collect();
            for number in order {
                for still in &open {
                    prop_assert_eq!(book.entry(*still).map(|e| e.applies), Some(*still as u32));
                    prop_assert_eq!(book.own_number(*still, 0), Some(still + 7));
                }
                book.settle(number, 1);
                open.retain(|n| *n != number);
            }
            prop_assert_eq!((book.len(), book.numbers.len()), (0, 0));
        }
    }
}

//! Loss, duplication and reordering from the sequence numbers of what arrives.

use std::collections::BTreeMap;

/// Gaps that are kept apart. With more, the oldest is closed: its numbers stay lost, and what still comes of it counts
/// as a duplicate. A million gaps take some 50 MB.
const GAPS: usize = 1 << 20;
/// A number this far beyond the highest is no number of this stream, but a damaged head.
const FARTHEST: u64 = 1 << 40;

/// What an arrival is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The first copy, not overtaken by any other.
    InOrder,
    /// The first copy, after one with a higher number (RFC 4737 §3.3), with its extent (§4.2.1).
    Reordered { extent: u64 },
    /// A further copy.
    Duplicate,
    /// Not of this stream.
    Impossible,
}

/// Numbers that have not come, up to `last`, and which arrival passed over them.
#[derive(Clone, Copy, Debug)]
struct Gap {
    last: u64,
    opened_by: u64,
}

/// All numbers so far.
#[derive(Debug, Default)]
pub(super) struct Sequence {
    /// RFC 4737's NextExp.
    next: u64,
    unique: u64,
    gaps: BTreeMap<u64, Gap>,
    /// Gaps that were closed to stay in bounds; the oldest.
    closed: Vec<(u64, u64)>,
}

impl Sequence {
    /// Takes in the next arrival.
    ///
    /// The first arrival that overtook a late number is the one that opened the gap around it: all before it had lower
    /// numbers. So a gap remembers the position of that arrival, and no list of arrivals is needed for the extent.
    pub(super) fn arrived(&mut self, number: u64) -> Arrival {
        if number >= self.next {
            if number - self.next >= FARTHEST {
                return Arrival::Impossible;
            }
            if number > self.next {
                self.gaps.insert(self.next, Gap { last: number - 1, opened_by: self.unique });
                if self.gaps.len() > GAPS
                    && let Some((first, gap)) = self.gaps.pop_first()
                {
                    self.closed.push((first, gap.last));
                }
            }
            self.next = number + 1;
            self.unique += 1;
            return Arrival::InOrder;
        }
        let Some((&first, &gap)) = self.gaps.range(..=number).next_back().filter(|(_, gap)| number <= gap.last) else {
            return Arrival::Duplicate;
        };
        self.gaps.remove(&first);
        if first < number {
            self.gaps.insert(first, Gap { last: number - 1, ..gap });
        }
        if number < gap.last {
            self.gaps.insert(number + 1, gap);
        }
        let extent = self.unique - gap.opened_by;
        self.unique += 1;
        Arrival::Reordered { extent }
    }

    /// Different numbers that have come.
    pub(super) fn unique(&self) -> u64 {
        self.unique
    }

    /// Numbers that have not come: of the first `sent`, if that is known, else of those below the highest that has.
    pub(super) fn lost(&self, sent: Option<u64>) -> u64 {
        sent.unwrap_or(self.next).saturating_sub(self.unique)
    }

    /// Those numbers as ranges, both ends included: the first `most`, and how many there are beyond.
    pub(super) fn missing(&self, sent: Option<u64>, most: usize) -> (Vec<(u64, u64)>, u64) {
        let tail = sent.filter(|sent| *sent > self.next).map(|sent| (self.next, sent - 1));
        let all =
            self.closed.iter().copied().chain(self.gaps.iter().map(|(first, gap)| (*first, gap.last))).chain(tail);
        let mut kept = Vec::new();
        let mut beyond = 0;
        for range in all {
            if kept.len() < most {
                kept.push(range);
            } else {
                beyond += 1;
            }
        }
        (kept, beyond)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn over(numbers: &[u64]) -> (Vec<Arrival>, Sequence) {
        let mut all = Sequence::default();
        (numbers.iter().map(|n| all.arrived(*n)).collect(), all)
    }

    use Arrival::{Duplicate, InOrder, Reordered};

    #[test]
    fn the_example_of_rfc_4737() {
        // Table 1 of §5.2 sends 1–10 and 4 arrives after 5, 6, 7 and 8; here from 0.
        let (arrivals, all) = over(&[0, 1, 2, 4, 5, 6, 7, 3, 8, 9]);
        assert_eq!(arrivals[7], Reordered { extent: 4 });
        assert!(arrivals.iter().enumerate().all(|(i, a)| i == 7 || *a == InOrder));
        assert_eq!((all.unique(), all.lost(Some(10)), all.lost(None)), (10, 0, 0));
    }

    #[test]
    fn duplicates_of_any_kind_are_told_from_late_ones() {
        let (arrivals, all) = over(&[0, 0, 3, 1, 1, 3, 2, 2]);
        let late = |extent| Reordered { extent };
        assert_eq!(arrivals, [InOrder, Duplicate, InOrder, late(1), Duplicate, Duplicate, late(2), Duplicate]);
        assert_eq!((all.unique(), all.lost(None)), (4, 0));
    }

    #[test]
    fn missing_numbers_are_ranges_the_tail_included() {
        let (_, all) = over(&[1, 2, 5, 9, 7]);
        assert_eq!(all.missing(Some(12), 10), (vec![(0, 0), (3, 4), (6, 6), (8, 8), (10, 11)], 0));
        assert_eq!(all.missing(None, 2), (vec![(0, 0), (3, 4)], 2));
        assert_eq!((all.lost(Some(12)), all.lost(None)), (7, 5));
        assert_eq!(Sequence::default().missing(Some(3), 10), (vec![(0, 2)], 0));
        assert_eq!(Sequence::default().missing(Some(0), 10), (vec![], 0));
    }

    #[test]
    fn a_damaged_number_does_not_count() {
        let (arrivals, all) = over(&[0, FARTHEST + 1, u64::MAX, 1]);
        assert_eq!(arrivals, [InOrder, Arrival::Impossible, Arrival::Impossible, InOrder]);
        assert_eq!(all.lost(None), 0);
    }

    #[test]
    fn closed_gaps_stay_lost() {
        let mut all = Sequence::default();
        for i in 0..=GAPS as u64 {
            all.arrived(2 * i + 1);
        }
        assert_eq!(all.arrived(0), Duplicate, "the oldest gap is closed");
        assert_eq!(all.arrived(2), Reordered { extent: GAPS as u64 });
        assert_eq!(all.lost(None), GAPS as u64);
        assert_eq!(all.missing(None, 2).0, [(0, 0), (4, 4)]);
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_definitions(numbers in proptest::collection::vec(0u64..40, 0..80)) {
            let (arrivals, all) = over(&numbers);
            let mut firsts: Vec<u64> = Vec::new();
            for (number, arrival) in numbers.iter().zip(arrivals) {
                let expected = if firsts.contains(number) {
                    Duplicate
                } else if let Some(earliest) = firsts.iter().position(|n| n > number) {
                    Reordered { extent: (firsts.len() - earliest) as u64 }
                } else {
                    InOrder
                };
                prop_assert_eq!(arrival, expected);
                if expected != Duplicate {
                    firsts.push(*number);
                }
            }
            let missing: Vec<u64> = all.missing(Some(50), 1000).0.iter().flat_map(|(a, b)| *a..=*b).collect();
            let expected: Vec<u64> = (0..50).filter(|n| !firsts.contains(n)).collect();
            prop_assert_eq!(all.lost(Some(50)), expected.len() as u64);
            prop_assert_eq!(missing, expected);
        }
    }
}

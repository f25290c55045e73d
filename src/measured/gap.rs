//! The longest time without an arrival: no clock, time comes in.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

/// So many of the longest are remembered: those after the sender's end do not count, and only later it is known when that was.
const REMEMBERED: usize = 1_000;

/// Times without an arrival, of which only the longest are remembered.
#[derive(Debug, Default)]
pub(crate) struct Silences {
    last: Option<u64>,
    /// By length; the shortest comes first.
    longest: BinaryHeap<Reverse<(u64, u64)>>,
    seen: Heard,
}

/// What a receiver remembers of its arrivals, in ns of the clock that all processes share.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// When the first came.
    pub first: Option<u64>,
    /// When the last came.
    pub last: Option<u64>,
    /// The longest times between two arrivals: from, to. In order of time.
    pub silences: Vec<(u64, u64)>,
}

/// The longest silence of a workload, by the clock that all processes share; in a run's report from t = 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gap {
    /// When it began: the sender's beginning, or an arrival.
    pub from_ns: i64,
    /// How long.
    pub max_ns: u64,
    /// When it ended: an arrival, or the sender's end.
    pub to_ns: i64,
}

impl Silences {
    /// Something arrived.
    pub(crate) fn arrived(&mut self, at: u64) {
        // what was read later may have come before
        if let Some(last) = self.last.replace(self.last.map_or(at, |last| last.max(at))) {
            let silence = (at.saturating_sub(last), last);
            if self.longest.len() < REMEMBERED {
                self.longest.push(Reverse(silence));
            } else if self.longest.peek().is_some_and(|Reverse(shortest)| *shortest < silence) {
                self.longest.pop();
                self.longest.push(Reverse(silence));
            }
        }
        self.seen.first.get_or_insert(at);
    }

    /// What there was.
    pub(crate) fn heard(self) -> Heard {
        let mut silences: Vec<(u64, u64)> =
            self.longest.into_iter().map(|Reverse((length, from))| (from, from + length)).collect();
        silences.sort_unstable();
        Heard { last: self.last, silences, ..self.seen }
    }
}

impl Heard {
    /// Of arrivals in the order in which they came.
    pub(crate) fn of(arrivals: impl Iterator<Item = u64>) -> Heard {
        let mut silences = Silences::default();
        arrivals.for_each(|at| silences.arrived(at));
        silences.heard()
    }

    /// From then on in the run's own time; nothing is heard before t = 0.
    pub(crate) fn tell_own_times(&mut self, own: impl Fn(u64) -> i64) {
        let own = |at: &mut u64| *at = u64::try_from(own(*at)).unwrap_or(0);
        self.first.iter_mut().chain(&mut self.last).for_each(own);
        self.silences.iter_mut().for_each(|(from, to)| [from, to].into_iter().for_each(own));
    }

    /// The longest silence from `from` to `to`, in which the sender was active: before the first arrival, between two, or after
    /// the last. The first of several that are equally long.
    pub(crate) fn longest(&self, from: u64, to: u64) -> Gap {
        let to = to.max(from);
        let before = [(from, self.first.unwrap_or(to))];
        let after = self.last.map(|last| (last, to));
        let all = before.into_iter().chain(self.silences.iter().copied()).chain(after);
        let within = all.map(|(begin, end)| (begin.clamp(from, to), end.clamp(from, to)));
        let (begin, end) =
            within.max_by_key(|(begin, end)| (end.saturating_sub(*begin), Reverse(*begin))).unwrap_or((from, to));
        Gap { from_ns: begin as i64, max_ns: end.saturating_sub(begin), to_ns: end as i64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(times: &[u64]) -> Heard {
        let mut silences = Silences::default();
        times.iter().for_each(|at| silences.arrived(*at));
        silences.heard()
    }

    fn longest(times: &[u64], from: u64, to: u64) -> (i64, i64) {
        let gap = heard(times).longest(from, to);
        assert_eq!(gap.max_ns as i64, gap.to_ns - gap.from_ns);
        (gap.from_ns, gap.to_ns)
    }

    #[test]
    fn before_the_first_between_two_and_after_the_last() {
        assert_eq!(longest(&[110, 120, 150, 160], 100, 170), (120, 150));
        assert_eq!(longest(&[140, 150, 160], 100, 170), (100, 140), "the first was late");
        assert_eq!(longest(&[110, 120], 100, 170), (120, 170), "the rest did not come");
        assert_eq!(longest(&[], 100, 170), (100, 170), "none came");
        assert_eq!(longest(&[100], 100, 100), (100, 100));
    }

    #[test]
    fn only_the_senders_time_counts() {
        // the queue empties long after the sender has ended
        assert_eq!(longest(&[110, 120, 300, 900], 100, 125), (100, 110));
        assert_eq!(longest(&[110, 120, 300], 100, 140), (120, 140), "it lasts beyond the end");
        assert_eq!(longest(&[10, 90, 110], 100, 120), (100, 110), "it began before");
    }

    #[test]
    fn the_first_of_equals_and_no_harm_from_disorder() {
        assert_eq!(longest(&[110, 120, 130], 100, 140), (100, 110));
        assert_eq!(longest(&[100, 130, 125, 140], 100, 140), (100, 130));
    }

    #[test]
    fn the_longest_of_very_many_are_remembered() {
        let mut times: Vec<u64> = (0..5_000).map(|n| n * 10).collect();
        times.iter_mut().skip(1_234).for_each(|at| *at += 500);
        times.iter_mut().skip(4_321).for_each(|at| *at += 400);
        let heard = heard(&times);
        assert_eq!(heard.silences.len(), REMEMBERED);
        assert_eq!(heard.longest(0, 60_000).max_ns, 60_000 - times[4_999]);
        assert_eq!(heard.longest(0, 50_000).max_ns, 510);
        assert_eq!(heard.longest(20_000, 50_000).max_ns, 410);
    }
}

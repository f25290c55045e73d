//! What happened per interval of time, in a bounded number of intervals.

use std::collections::BTreeMap;

use crate::measured::{Interval, Intervals};
use crate::stats::histogram::{TWO_DIGITS, rounded};
use crate::stats::pairs;

/// Width of an interval at first, 100 ms in ns.
const WIDTH: u64 = 100_000_000;
/// More intervals than this are merged two by two: 100 ms holds for ten minutes.
const MOST: usize = 6000;

#[derive(Clone, Debug, Default)]
struct Cell {
    frames: u64,
    bytes: u64,
    delays: u64,
    sum: u128,
    max: u64,
    /// If they are kept: how many delays there were of each rounded length. So an interval has a few hundred different ones at
    /// the most.
    by_length: BTreeMap<u64, u64>,
}

impl Cell {
    fn join(&self, next: &Cell) -> Cell {
        let mut by_length = self.by_length.clone();
        next.by_length.iter().for_each(|(delay, count)| *by_length.entry(*delay).or_default() += count);
        Cell {
            frames: self.frames + next.frames,
            bytes: self.bytes + next.bytes,
            delays: self.delays + next.delays,
            sum: self.sum + next.sum,
            max: self.max.max(next.max),
            by_length,
        }
    }

    fn interval(&self) -> Interval {
        Interval {
            bytes: self.bytes,
            delays: self.by_length.iter().map(|(delay, count)| (*delay, *count)).collect(),
            frames: self.frames,
            max_ns: (self.delays > 0).then_some(self.max),
            mean_ns: (self.delays > 0).then(|| (self.sum / u128::from(self.delays)) as u64),
        }
    }
}

/// Intervals in the making.
#[derive(Debug)]
pub(super) struct Series {
    width: u64,
    cells: Vec<Cell>,
    keeps_delays: bool,
}

impl Series {
    /// No intervals yet. `keeps_delays`: delays are kept by interval, to two digits.
    pub(super) fn new(keeps_delays: bool) -> Series {
        Series { width: WIDTH, cells: Vec::new(), keeps_delays }
    }

    /// Counts `frames` datagrams with `bytes` of payload at `at` ns after the start, and their delay.
    pub(super) fn add(&mut self, at: u64, frames: u64, bytes: u64, delay: Option<u64>) {
        while at / self.width >= MOST as u64 {
            self.width *= 2;
            self.cells = pairs(&self.cells, Cell::join);
        }
        let index = (at / self.width) as usize;
        if index >= self.cells.len() {
            self.cells.resize(index + 1, Cell::default());
        }
        let cell = &mut self.cells[index];
        cell.frames += frames;
        cell.bytes += bytes;
        if let Some(delay) = delay {
            cell.delays += 1;
            cell.sum += u128::from(delay);
            cell.max = cell.max.max(delay);
            if self.keeps_delays {
                *cell.by_length.entry(rounded(delay, TWO_DIGITS)).or_default() += 1;
            }
        }
    }

    /// The intervals so far.
    pub(super) fn intervals(&self) -> Intervals {
        Intervals { list: self.cells.iter().map(Cell::interval).collect(), width_ns: self.width }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_the_boundary_opens_the_next_interval() {
        let mut series = Series::new(false);
        series.add(WIDTH - 1, 1, 100, Some(10));
        series.add(WIDTH, 1, 200, Some(20));
        series.add(3 * WIDTH, 1, 300, None);
        let all = series.intervals();
        assert_eq!(all.list.iter().map(|i| i.bytes).collect::<Vec<_>>(), [100, 200, 0, 300]);
        assert_eq!(
            (all.list[0].mean_ns, all.list[1].max_ns, all.list[2].mean_ns, all.list[3].mean_ns),
            (Some(10), Some(20), None, None)
        );
    }

    #[test]
    fn delays_are_kept_by_interval_where_that_is_asked_for() {
        let mut series = Series::new(true);
        for (at, delay) in [(0, 100), (1, 100), (2, 1_000_003), (2 * WIDTH, 7)] {
            series.add(at, 1, 1, Some(delay));
        }
        let all = series.intervals();
        assert_eq!(all.list[0].delays, [(100, 2), (1_003_519, 1)]);
        assert_eq!((all.list[1].delays.len(), &all.list[2].delays[..]), (0, &[(7, 1)][..]));
        series.add(MOST as u64 * WIDTH, 1, 2, Some(100));
        let all = series.intervals();
        assert_eq!((all.list[0].delays.len(), &all.list[1].delays[..]), (2, &[(7, 1)][..]));
        for time in [0, 1, 255, 256, 257, 1_000_003, u64::MAX] {
            assert!(
                rounded(time, TWO_DIGITS) >= time && rounded(time, TWO_DIGITS) - time <= time / 100,
                "{time}: {}",
                rounded(time, TWO_DIGITS)
            );
        }
    }

    #[test]
    fn intervals_stay_bounded_and_lose_nothing() {
        let mut series = Series::new(false);
        for i in 0..MOST as u64 {
            series.add(i * WIDTH, 1, 2, Some(i));
        }
        assert_eq!((series.intervals().width_ns, series.intervals().list.len()), (WIDTH, MOST));
        series.add(MOST as u64 * WIDTH, 1, 2, None);
        let all = series.intervals();
        assert_eq!((all.width_ns, all.list.len()), (2 * WIDTH, MOST / 2 + 1));
        assert_eq!(all.list.iter().map(|i| i.frames).sum::<u64>(), MOST as u64 + 1);
        assert_eq!((all.list[1].frames, all.list[1].mean_ns, all.list[1].max_ns), (2, Some(2), Some(3)));
        series.add(1_000_000 * WIDTH, 1, 2, None);
        assert!(series.intervals().list.len() <= MOST);
    }
}

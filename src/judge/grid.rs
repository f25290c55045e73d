//! Intervals of a workload, laid beside the run's own time. Windows are whole intervals: those that lie within.

use super::reading::Reading;
use super::workload::why;
use super::{Readings, Stretch};
use crate::measured::{Interval, Intervals};
use crate::report::json::WorkloadReport;

/// One interval.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    /// Its number.
    pub(super) n: usize,
    /// When it begins, from t = 0.
    pub(super) at: i64,
    /// What was measured in it.
    pub(super) of: Interval,
}

/// More intervals than two days have at a tenth of a second each: a report may come from a file, whose times might say anything.
const MOST: usize = 2_000_000;

/// The intervals of a sender or a receiver.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    width: i64,
    pub(super) all: Vec<Cell>,
}

impl Grid {
    /// Those of a part of a workload's report that count from `begin`. Intervals in which nothing happened any more are made up
    /// to the workload's end.
    pub(super) fn of(work: &WorkloadReport, begin: Option<i64>, intervals: &Intervals) -> Result<Grid, String> {
        let width = i64::try_from(intervals.width_ns).ok().filter(|width| *width > 0).ok_or_else(|| why(work))?;
        let begin = begin.ok_or_else(|| why(work))?;
        // at most the length of a run in intervals, unless it is no run's report
        let whole = work.ended_ns.map_or(0, |end| end.saturating_sub(begin) / width);
        let count = intervals.list.len().max(usize::try_from(whole).unwrap_or(0));
        if count > MOST {
            return Err(why(work));
        }
        let of = |n: usize| intervals.list.get(n).cloned().unwrap_or_default();
        Ok(Grid { width, all: (0..count).map(|n| Cell { n, at: begin + n as i64 * width, of: of(n) }).collect() })
    }

    /// Leaves only intervals that lie within a stretch, if there is one: while the sender was active.
    pub(super) fn keep(&mut self, stretch: Option<Stretch>) {
        let width = self.width;
        self.all.retain(|cell| lies_within(cell, width, stretch));
    }

    /// The intervals that lie within a stretch; all without one.
    pub(super) fn within(&self, stretch: Option<Stretch>) -> Result<Vec<&Cell>, String> {
        let found: Vec<&Cell> = self.all.iter().filter(|cell| lies_within(cell, self.width, stretch)).collect();
        if found.is_empty() {
            let width = super::words::time(self.width as f64);
            return Err(format!("it had no whole interval of {width} then"));
        }
        Ok(found)
    }

    /// Bits per second of some intervals together.
    pub(super) fn rate(&self, cells: &[&Cell]) -> f64 {
        sum(cells, |one| one.bytes) * 8e9 / (self.width as f64 * cells.len() as f64)
    }

    /// Bits per second of each interval within a stretch.
    pub(super) fn rates(&self, stretch: Option<Stretch>) -> Readings {
        let rate = |cell: &&Cell| Reading::at(self.rate(&[*cell]), Some(cell.at));
        Ok(self.within(stretch)?.iter().map(rate).collect())
    }
}

fn lies_within(cell: &Cell, width: i64, stretch: Option<Stretch>) -> bool {
    stretch.is_none_or(|(from, to)| cell.at >= from && cell.at.saturating_add(width) <= to)
}

/// A count of some intervals together.
pub(super) fn sum(cells: &[&Cell], of: impl Fn(&Interval) -> u64) -> f64 {
    cells.iter().map(|cell| of(&cell.of)).sum::<u64>() as f64
}

/// When the fewest bytes came.
pub(super) fn slowest(cells: &[&Cell]) -> Option<i64> {
    cells.iter().min_by_key(|cell| cell.of.bytes).map(|cell| cell.at)
}

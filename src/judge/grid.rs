//! Intervals of a workload, laid beside the run's own time. Windows are whole intervals: those that lie within.

use serde_json::Value;

use super::Stretch;
use super::work::{at, why};
use crate::report::json::Work;

/// One interval.
#[derive(Clone, Debug, Default)]
pub(super) struct Interval {
    /// When it begins, from t = 0.
    pub(super) at: i64,
    pub(super) frames: u64,
    pub(super) bytes: u64,
    pub(super) mean: Option<u64>,
    pub(super) max: Option<u64>,
    /// Delays and how many of each.
    pub(super) delays: Vec<(u64, u64)>,
}

/// The intervals of a sender or a receiver.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    pub(super) width: i64,
    pub(super) all: Vec<Interval>,
}

impl Grid {
    /// Those of a part of a workload's report. `origin`: what they count from, in the clock of its first part; by default
    /// that part's beginning. Intervals in which nothing happened any more are made up to the workload's end.
    pub(super) fn of(work: &Work, path: &[&str], origin: Option<&str>) -> Result<Grid, String> {
        let number = |name: &str| at(work, &[path[0], name]).and_then(Value::as_i64);
        let began = number("began_ns").ok_or_else(|| why(work))?;
        let late = match origin {
            None => 0,
            Some(name) => {
                number(name).zip(number("started_ns")).map(|(at, started)| at - started).ok_or_else(|| why(work))?
            }
        };
        let intervals = at(work, &[path, &["intervals"]].concat()).ok_or_else(|| why(work))?;
        let width =
            intervals.get("width_ns").and_then(Value::as_i64).filter(|width| *width > 0).ok_or_else(|| why(work))?;
        let list = intervals.get("list").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let begin = began + late;
        let mut all: Vec<Interval> =
            list.iter().enumerate().map(|(n, value)| interval(value, begin + n as i64 * width)).collect();
        let end = work.ended_ns.unwrap_or(i64::MIN);
        // at most the length of a run in intervals
        while let next = begin + all.len() as i64 * width
            && next + width <= end
        {
            all.push(Interval { at: next, ..Interval::default() });
        }
        Ok(Grid { width, all })
    }

    /// Leaves only intervals that lie within a stretch, if there is one: while the sender was active.
    pub(super) fn keep(&mut self, stretch: Option<Stretch>) {
        if let Some((from, to)) = stretch {
            self.all.retain(|one| one.at >= from && one.at.saturating_add(self.width) <= to);
        }
    }

    /// The intervals that lie within a stretch, with their numbers; all without one.
    pub(super) fn within(
        &self,
        stretch: Option<Stretch>,
    ) -> Result<impl Iterator<Item = (usize, &Interval)> + Clone, String> {
        let (from, to) = stretch.unwrap_or((i64::MIN, i64::MAX));
        let inside = move |(_, one): &(usize, &Interval)| one.at >= from && one.at.saturating_add(self.width) <= to;
        let found = self.all.iter().enumerate().filter(inside);
        if found.clone().next().is_none() {
            let width = super::words::time(self.width as f64);
            return Err(format!("it had no whole interval of {width} then"));
        }
        Ok(found)
    }
}

fn interval(value: &Value, at: i64) -> Interval {
    let number = |name: &str| value.get(name).and_then(Value::as_u64);
    let delays = value.get("delays").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Interval {
        at,
        frames: number("frames").unwrap_or(0),
        bytes: number("bytes").unwrap_or(0),
        mean: number("mean_ns"),
        max: number("max_ns"),
        delays: delays.iter().filter_map(|pair| Some((pair.get(0)?.as_u64()?, pair.get(1)?.as_u64()?))).collect(),
    }
}

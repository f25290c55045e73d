//! What happened per interval of time, in a bounded number of intervals.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Width of an interval at first, 100 ms in ns.
const WIDTH: u64 = 100_000_000;
/// More intervals than this are merged two by two: 100 ms holds for ten minutes.
const MOST: usize = 6000;

/// Counts per interval, all intervals of one width, from the start on and without gaps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intervals {
    /// Width of every interval in ns: 100 ms, doubled each time there would be more than 6,000.
    pub width_ns: u64,
    /// The intervals; number i begins at `started_ns + i · width_ns`.
    pub list: Vec<Interval>,
}

/// One interval.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// Datagrams. For a sender the sum up to an interval is the first sequence number of it. 0 for TCP.
    pub frames: u64,
    /// Bytes of payload.
    pub bytes: u64,
    /// Mean delay of the datagrams in ns, where delays are measured and any arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean_ns: Option<u64>,
    /// Largest delay of the datagrams in ns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ns: Option<u64>,
    /// Where it was asked for: delays, each rounded up by less than one in a hundred, and how many there were of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub delays: Vec<(u64, u64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    frames: u64,
    bytes: u64,
    delays: u64,
    sum: u128,
    max: u64,
}

/// Intervals in the making.
#[derive(Debug)]
pub(super) struct Series {
    width: u64,
    cells: Vec<Cell>,
    /// By cell, if they are kept: how many delays there were of each rounded length.
    delays: Option<Vec<BTreeMap<u64, u64>>>,
}

impl Default for Series {
    fn default() -> Series {
        Series { width: WIDTH, cells: Vec::new(), delays: None }
    }
}

/// A time rounded up to eight binary digits: by less than one in a hundred, so that an interval has a few hundred
/// different ones at the most.
fn rounded(time: u64) -> u64 {
    let shift = (u64::BITS - time.leading_zeros()).saturating_sub(8);
    time | ((1 << shift) - 1)
}

impl Series {
    /// One that keeps delays by interval.
    pub(super) fn with_delays() -> Series {
        Series { delays: Some(Vec::new()), ..Series::default() }
    }

    /// Counts `frames` datagrams with `bytes` of payload at `at` ns after the start, and their delay.
    pub(super) fn add(&mut self, at: u64, frames: u64, bytes: u64, delay: Option<u64>) {
        while at / self.width >= MOST as u64 {
            self.merge();
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
        }
        if let (Some(delays), Some(delay)) = (&mut self.delays, delay) {
            if index >= delays.len() {
                delays.resize(index + 1, BTreeMap::new());
            }
            *delays[index].entry(rounded(delay)).or_default() += 1;
        }
    }

    fn merge(&mut self) {
        self.width *= 2;
        self.cells = self
            .cells
            .chunks(2)
            .map(|pair| {
                pair.iter().fold(Cell::default(), |a, b| Cell {
                    frames: a.frames + b.frames,
                    bytes: a.bytes + b.bytes,
                    delays: a.delays + b.delays,
                    sum: a.sum + b.sum,
                    max: a.max.max(b.max),
                })
            })
            .collect();
        if let Some(delays) = &mut self.delays {
            let mut merged: Vec<BTreeMap<u64, u64>> = Vec::with_capacity(delays.len().div_ceil(2));
            for (n, one) in std::mem::take(delays).into_iter().enumerate() {
                match merged.get_mut(n / 2) {
                    None => merged.push(one),
                    Some(first) => one.into_iter().for_each(|(delay, count)| *first.entry(delay).or_default() += count),
                }
            }
            *delays = merged;
        }
    }

    /// The intervals so far.
    pub(super) fn intervals(&self) -> Intervals {
        let delays = |n: usize| self.delays.as_ref().and_then(|delays| delays.get(n));
        let list = self
            .cells
            .iter()
            .enumerate()
            .map(|(n, cell)| Interval {
                frames: cell.frames,
                bytes: cell.bytes,
                mean_ns: (cell.delays > 0).then(|| (cell.sum / u128::from(cell.delays)) as u64),
                max_ns: (cell.delays > 0).then_some(cell.max),
                delays: delays(n)
                    .map(|all| all.iter().map(|(delay, count)| (*delay, *count)).collect())
                    .unwrap_or_default(),
            })
            .collect();
        Intervals { width_ns: self.width, list }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_the_boundary_opens_the_next_interval() {
        let mut series = Series::default();
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
        let mut series = Series::with_delays();
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
            assert!(rounded(time) >= time && rounded(time) - time <= time / 100, "{time}: {}", rounded(time));
        }
    }

    #[test]
    fn intervals_stay_bounded_and_lose_nothing() {
        let mut series = Series::default();
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

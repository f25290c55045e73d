//! What `longwire show` has to tell: for each direction of a link, what frames meet in it. Version 1 of its JSON form.
//! Frames and bytes are Ethernet frames without FCS; times are in nanoseconds, of the model's clock.

pub mod svg;
pub mod text;

use indexmap::IndexMap;
use serde::Serialize;

use crate::measured::Times;
use crate::report::json::Direction;

/// All that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Show {
    /// Version of this form.
    pub longwire: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The file it came from, as it was given.
    pub file: String,
    /// The seed that repeats it.
    pub seed: u64,
    /// Parameters as they were used.
    pub params: IndexMap<String, String>,
    /// Directions that ask for something different from all before them, in file order.
    pub directions: Vec<Shown>,
    /// Directions that were left out, because there are so many different ones.
    pub left_out: Vec<Name>,
}

/// Names one direction of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Name {
    /// The link.
    pub link: String,
    /// Where frames come from: a node, with the interface where it has several.
    pub from: String,
    /// Where they go.
    pub to: String,
}

/// What frames meet in one direction of a link.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    /// What an engine counted of evenly offered frames: the same fields as in the report of a run.
    #[serde(flatten)]
    pub met: Direction,
    /// Directions of which the same is asked. They meet the same, by other draws.
    pub alike: Vec<Name>,
    /// What was offered.
    pub traffic: Traffic,
    /// The delay model's own draws, before order is kept, without queue and wire. What was delivered is `met.delay_ns`.
    pub drawn_ns: Option<Times>,
    /// Both delays in bins; `None` where neither differs from frame to frame.
    pub delay_histogram: Option<Histogram>,
    /// Frames that do not arrive.
    pub lost: Lost,
    /// What arrives over time.
    pub rate: RateOverTime,
}

/// Evenly offered frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// How many.
    pub frames: u64,
    /// Bytes of each: Ethernet header and packet.
    pub frame_bytes: u64,
    /// Time from one to the next.
    pub every_ns: u64,
    /// Time from the first to the one that would come behind the last.
    pub span_ns: u64,
    /// Bits of frames offered in a second.
    pub offered_bps: u64,
    /// Bits of such frames that the wire carries in a second; `None` where it takes no time.
    pub wire_bps: Option<u64>,
}

/// Delays in bins of one width, the same for what was drawn and for what was delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Histogram {
    /// Where the first bin begins.
    pub from_ns: u64,
    /// The width of each.
    pub width_ns: u64,
    /// The model's own draws.
    pub drawn: Binned,
    /// From offered to delivered.
    pub delivered: Binned,
}

/// How many frames fell into each bin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Binned {
    /// Shorter than the first bin.
    pub below: u64,
    /// In each bin, its lower edge included.
    pub bins: Vec<u64>,
    /// Longer than the last bin.
    pub above: u64,
}

impl Binned {
    /// All frames.
    pub fn total(&self) -> u64 {
        self.below + self.bins.iter().sum::<u64>() + self.above
    }
}

/// Frames that do not arrive.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lost {
    /// The share that the loss model comes to in the long run, where it has a closed form: 0 to 1.
    pub asked: Option<f64>,
    /// The share of frames that the loss model took, of those that reached it: 0 to 1.
    pub share: f64,
    /// Bounds of that share at 95 %, with regard to how losses hang together.
    pub bounds: [f64; 2],
    /// Frames in a row that do not arrive, whatever the cause: how often each length came, from the shortest.
    pub runs: Vec<Runs>,
}

/// How often frames were lost in rows of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Runs {
    /// Frames in a row.
    pub length: u64,
    /// How often.
    pub count: u64,
}

impl Lost {
    /// Frames that did not arrive.
    pub fn frames(&self) -> u64 {
        self.runs.iter().map(|run| run.length * run.count).sum()
    }

    /// The mean length of a run; `None` where no frame was lost.
    pub fn mean_run(&self) -> Option<f64> {
        let runs: u64 = self.runs.iter().map(|run| run.count).sum();
        (runs > 0).then(|| self.frames() as f64 / runs as f64)
    }

    /// The runs in at most about a dozen groups: each length up to 4 alone, then up to 8, 16, 32 … where there are many.
    pub fn grouped_runs(&self) -> Vec<RunGroup> {
        const ALONE: u64 = 12;
        let longest = self.runs.last().map_or(0, |run| run.length);
        let mut groups: Vec<RunGroup> = Vec::new();
        for run in &self.runs {
            let [from, to] = match run.length {
                length if length <= 4 || longest <= ALONE => [length; 2],
                length => {
                    let to = length.next_power_of_two();
                    [to / 2 + 1, to]
                }
            };
            match groups.last_mut() {
                Some(last) if last.lengths == [from, to] => last.count += run.count,
                _ => groups.push(RunGroup { lengths: [from, to], count: run.count }),
            }
        }
        groups
    }
}

/// How often frames were lost in rows of a few lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunGroup {
    /// From and to, both included.
    pub lengths: [u64; 2],
    /// How often.
    pub count: u64,
}

/// What arrives over time, counted when it would have arrived without the shortest delay, so that time begins at 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RateOverTime {
    /// Whether frames always wait for the wire; otherwise it is the evenly offered ones that arrive.
    pub greedy: bool,
    /// The length of each slice of time.
    pub slice_ns: u64,
    /// Bits of frames that arrive in a second, slice by slice.
    pub bps: Vec<u64>,
    /// The same over all slices.
    pub mean_bps: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(runs: &[(u64, u64)]) -> Lost {
        let runs = runs.iter().map(|(length, count)| Runs { length: *length, count: *count }).collect();
        Lost { asked: None, share: 0.0, bounds: [0.0, 0.0], runs }
    }

    #[test]
    fn runs_are_grouped_only_where_they_are_many() {
        let groups =
            |runs: &[(u64, u64)]| lost(runs).grouped_runs().iter().map(|g| (g.lengths, g.count)).collect::<Vec<_>>();
        assert_eq!(groups(&[]), []);
        assert_eq!(groups(&[(1, 9), (12, 1)]), [([1, 1], 9), ([12, 12], 1)]);
        let many = groups(&[(1, 9), (4, 5), (5, 3), (8, 2), (9, 1), (16, 1), (1000, 1)]);
        assert_eq!(many, [([1, 1], 9), ([4, 4], 5), ([5, 8], 5), ([9, 16], 2), ([513, 1024], 1)]);
    }

    #[test]
    fn the_mean_run_is_frames_by_runs() {
        assert_eq!(lost(&[]).mean_run(), None);
        assert_eq!((lost(&[(1, 2), (4, 1)]).frames(), lost(&[(1, 2), (4, 1)]).mean_run()), (6, Some(2.0)));
    }
}

//! What went through every direction over time: looked at at even intervals of model time, kept as one number an interval
//! and column.
//!
//! Memory is bounded: when there are too many intervals, each two become one, and the series says so.

use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use crate::engine::{DirectionId, Engine};
use crate::measured::histogram::one_line;
use crate::stats::pairs;
use crate::units::{Duration, Instant};

/// So many intervals are kept at most.
const MOST: usize = 3_000;
/// So many are kept however many directions there are.
const LEAST: usize = 128;
/// So many are kept of all directions together: an interval of a direction takes 28 bytes.
const MOST_OF_ALL: usize = 2_000_000;

/// Looks at an engine's counters, and keeps what changed from one look to the next.
#[derive(Debug)]
pub struct Recorder {
    begin: Instant,
    asked: Duration,
    every: Duration,
    /// Whole intervals so far.
    kept: usize,
    last: Vec<Totals>,
    /// By direction; `None` where nothing has happened yet.
    tracks: Vec<Option<Box<DirectionSeries>>>,
    active: usize,
}

/// What a direction had counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    frames: u64,
    bytes: u64,
    dropped: u64,
    /// The delays of all delivered frames together, in ns.
    delay: u128,
}

impl Totals {
    fn of(engine: &Engine, direction: DirectionId) -> Totals {
        let counters = engine.counters(direction);
        Totals {
            frames: counters.delivered.frames,
            bytes: counters.delivered.bytes,
            dropped: counters.dropped.frames(),
            delay: counters.delay.sum_ns(),
        }
    }
}

impl DirectionSeries {
    fn push(&mut self, change: Totals, waiting: u64) {
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        self.delivered_frames.push(narrow(change.frames));
        self.delivered_bytes.push(change.bytes);
        self.dropped.push(narrow(change.dropped));
        self.waiting.push(narrow(waiting));
        self.delay_mean_ns.push((change.delay / u128::from(change.frames.max(1))) as u64);
    }

    /// Has as many intervals as `length` in each column, those that were not there of zeros.
    fn resize(&mut self, length: usize) {
        self.delivered_frames.resize(length, 0);
        self.delivered_bytes.resize(length, 0);
        self.dropped.resize(length, 0);
        self.waiting.resize(length, 0);
        self.delay_mean_ns.resize(length, 0);
    }

    /// Makes one interval of each two.
    fn coarsen(&mut self) {
        // the mean of both is weighed by their frames, so it comes before these are added up
        self.delay_mean_ns = weighed(&self.delay_mean_ns, &self.delivered_frames);
        let sums = |column: &mut Vec<u32>| *column = pairs(column, |a, b| a.saturating_add(*b));
        sums(&mut self.delivered_frames);
        sums(&mut self.dropped);
        self.delivered_bytes = pairs(&self.delivered_bytes, |a, b| a.saturating_add(*b));
        self.waiting = pairs(&self.waiting, |a, b| *a.max(b));
    }
}

/// Means of each two intervals together.
fn weighed(means: &[u64], frames: &[u32]) -> Vec<u64> {
    let joined = |(means, frames): (&[u64], &[u32])| {
        let sum: u128 = means.iter().zip(frames).map(|(mean, n)| u128::from(*mean) * u128::from(*n)).sum();
        let all: u64 = frames.iter().map(|n| u64::from(*n)).sum();
        (sum / u128::from(all.max(1))) as u64
    };
    means.chunks(2).zip(frames.chunks(2)).map(joined).collect()
}

/// What a [`Recorder`] has kept.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// The interval that was asked for.
    pub asked: Duration,
    /// The interval that was kept: longer where there were too many.
    pub every: Duration,
    /// From the beginning to the last look: the last interval may be shorter than the others.
    pub length: Duration,
    /// By direction: those in which anything happened, without their names.
    pub tracks: Vec<(DirectionId, DirectionSeries)>,
}

impl Recorder {
    /// Begins at `begin`, which is now in model time.
    pub fn new(engine: &Engine, begin: Instant, every: Duration) -> Recorder {
        let last: Vec<Totals> = engine.directions().map(|direction| Totals::of(engine, direction)).collect();
        let tracks = last.iter().map(|_| None).collect();
        Recorder { begin, asked: every, every, kept: 0, last, tracks, active: 0 }
    }

    /// When to look next.
    pub fn next(&self) -> Instant {
        self.begin + self.every * (self.kept as u64 + 1)
    }

    /// Looks. The engine must have come to [`Recorder::next`], and no further.
    pub fn look(&mut self, engine: &Engine) {
        self.take(engine);
        let most = (MOST_OF_ALL / self.active.max(1)).clamp(LEAST, MOST);
        if self.kept >= most && self.kept.is_multiple_of(2) {
            self.tracks.iter_mut().flatten().for_each(|track| track.coarsen());
            self.kept /= 2;
            self.every = self.every * 2;
        }
    }

    fn take(&mut self, engine: &Engine) {
        for (at, direction) in engine.directions().enumerate() {
            let now = Totals::of(engine, direction);
            let waiting = engine.waiting(direction);
            let before = std::mem::replace(&mut self.last[at], now);
            let track = &mut self.tracks[at];
            if track.is_none() {
                if now == before && waiting == 0 {
                    continue;
                }
                self.active += 1;
                track.insert(Box::default()).resize(self.kept);
            }
            let change = Totals {
                frames: now.frames - before.frames,
                bytes: now.bytes - before.bytes,
                dropped: now.dropped - before.dropped,
                delay: now.delay - before.delay,
            };
            track.as_mut().expect("it was just made").push(change, waiting);
        }
        self.kept += 1;
    }

    /// Ends at `now`, to which the engine has come; what is over of an interval is one more.
    pub fn finish(mut self, engine: &Engine, now: Instant) -> Recorded {
        if now > self.begin + self.every * self.kept as u64 {
            self.take(engine);
        }
        let tracks = engine.directions().zip(self.tracks).filter_map(|(d, track)| Some((d, *track?))).collect();
        Recorded { asked: self.asked, every: self.every, length: now.saturating_since(self.begin), tracks }
    }
}

/// Every direction over time, as the report has it: from t = 0, one number an interval.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "SeriesText")]
pub struct Series {
    /// The length of an interval; the last one may be shorter.
    pub every_ns: u64,
    /// What the scenario asked for: shorter, where a run was so long that intervals were joined.
    pub asked_ns: u64,
    /// The end of the last interval, from t = 0.
    pub end_ns: u64,
    /// Directions in which anything happened, in file order.
    pub directions: Vec<DirectionSeries>,
}

/// One direction over time. A column of zeros is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirectionSeries {
    /// The link's name.
    pub link: String,
    /// Where frames come from.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// Wire frames that arrived in each interval.
    #[serde(default, serialize_with = "one_line", skip_serializing_if = "all_zero")]
    pub delivered_frames: Vec<u32>,
    /// Their bytes.
    #[serde(default, serialize_with = "one_line", skip_serializing_if = "all_zero")]
    pub delivered_bytes: Vec<u64>,
    /// Wire frames dropped in each interval.
    #[serde(default, serialize_with = "one_line", skip_serializing_if = "all_zero")]
    pub dropped: Vec<u32>,
    /// Wire frames that waited in the queue, at the end of each interval; where intervals were joined, the most of them.
    #[serde(default, serialize_with = "one_line", skip_serializing_if = "all_zero")]
    pub waiting: Vec<u32>,
    /// The mean delay of the frames that arrived in each interval, from offered to delivered in model time; 0 where none did.
    #[serde(default, serialize_with = "one_line", skip_serializing_if = "all_zero")]
    pub delay_mean_ns: Vec<u64>,
}

fn all_zero<T: PartialEq + Default>(column: &[T]) -> bool {
    column.iter().all(|n| *n == T::default())
}

/// As it is written: columns of zeros are not there.
#[derive(Deserialize)]
struct SeriesText {
    every_ns: u64,
    asked_ns: u64,
    end_ns: u64,
    directions: Vec<DirectionSeries>,
}

impl From<SeriesText> for Series {
    fn from(text: SeriesText) -> Series {
        let SeriesText { every_ns, asked_ns, end_ns, directions } = text;
        let mut series = Series { every_ns, asked_ns, end_ns, directions };
        // the numbers that are there say how many there are: a file's times might say anything
        let longest = |d: &DirectionSeries| {
            d.delivered_frames.len().max(d.delivered_bytes.len()).max(d.dropped.len()).max(d.waiting.len())
        };
        let length = series.directions.iter().map(longest).max().unwrap_or(0);
        series.directions.iter_mut().for_each(|direction| direction.resize(length));
        series
    }
}

impl Series {
    /// Gives what was recorded its names: by direction, link, from and to.
    pub fn new(recorded: Recorded, names: &[[String; 3]]) -> Series {
        let direction = |(id, track): (DirectionId, DirectionSeries)| {
            let [link, from, to] = names[id.0 as usize].clone();
            DirectionSeries { link, from, to, ..track }
        };
        Series {
            every_ns: recorded.every.as_nanos(),
            asked_ns: recorded.asked.as_nanos(),
            end_ns: recorded.length.as_nanos(),
            directions: recorded.tracks.into_iter().map(direction).collect(),
        }
    }

    /// How many intervals there are.
    pub fn len(&self) -> usize {
        usize::try_from(self.end_ns.div_ceil(self.every_ns.max(1))).unwrap_or(usize::MAX)
    }

    /// Whether there is none: the run ended at once.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes it as CSV (RFC 4180, without the need for quotes): a line an interval and direction, times in seconds from
    /// t = 0.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "from_s,to_s,link,from,to,delivered_frames,delivered_bytes,dropped,waiting,delay_mean_ns")?;
        let seconds = |ns: u64| format!("{}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000);
        for n in 0..self.len() {
            let start = self.every_ns * n as u64;
            let (start, end) = (seconds(start), seconds((start + self.every_ns).min(self.end_ns)));
            for d in &self.directions {
                let DirectionSeries { link, from, to, .. } = d;
                writeln!(
                    out,
                    "{start},{end},{link},{from},{to},{},{},{},{},{}",
                    d.delivered_frames[n], d.delivered_bytes[n], d.dropped[n], d.waiting[n], d.delay_mean_ns[n],
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Command, DirectionSpec, FrameSink, LinkId, LinkPlan, NodeId, NodeKind, NodePlan, Plan};
    use crate::frame::FrameView;
    use crate::model::DelaySpec;

    struct Nowhere;
    impl FrameSink for Nowhere {
        fn deliver(&mut self, _: NodeId, _: FrameView<'_>, _: Instant) {}
    }

    fn engine() -> Engine {
        let port = |name: &str| NodePlan { name: name.into(), kind: NodeKind::Port };
        let delay = DelaySpec { mean: Duration::from_millis(1), ..DelaySpec::default() };
        let direction = DirectionSpec { delay, ..DirectionSpec::default() };
        let link =
            |name: &str, ends| LinkPlan { name: name.into(), ends, directions: [direction.clone(), direction.clone()] };
        Engine::new(&Plan {
            seed: 1,
            coalesce: Duration::ZERO,
            convergence: Duration::ZERO,
            nodes: vec![port("a"), port("b"), port("c"), port("d")],
            links: vec![link("one", [0, 1]), link("two", [2, 3])],
        })
    }

    fn at(ms: u64) -> Instant {
        Instant::from_nanos(ms * 1_000_000)
    }

    fn send(engine: &mut Engine, ms: u64) {
        let frame = engine.pool().store(&[0; 60]).unwrap();
        engine.inject(at(ms), NodeId(0), frame);
    }

    fn names() -> Vec<[String; 3]> {
        let name = |link: &str, from: &str, to: &str| [link.to_owned(), from.to_owned(), to.to_owned()];
        vec![name("one", "a", "b"), name("one", "b", "a"), name("two", "c", "d"), name("two", "d", "c")]
    }

    /// Runs up to `end`, looking at every due time.
    fn run(engine: &mut Engine, recorder: &mut Recorder, end: u64) {
        while recorder.next() <= at(end) {
            engine.advance(recorder.next(), &mut Nowhere);
            recorder.look(engine);
        }
        engine.advance(at(end), &mut Nowhere);
    }

    #[test]
    fn each_frame_is_in_the_interval_in_which_it_arrived_and_idle_directions_are_left_out() {
        let mut engine = engine();
        send(&mut engine, 0);
        engine.advance(at(5), &mut Nowhere);
        // what was before the beginning is not in it
        let mut recorder = Recorder::new(&engine, at(5), Duration::from_millis(10));
        for ms in [13, 14, 15, 34] {
            send(&mut engine, ms);
        }
        run(&mut engine, &mut recorder, 37);
        engine.apply(at(37), Command::Down(LinkId(0))).unwrap();
        send(&mut engine, 38);
        engine.advance(at(39), &mut Nowhere);
        let series = Series::new(recorder.finish(&engine, at(39)), &names());
        assert_eq!((series.len(), series.every_ns, series.end_ns), (4, 10_000_000, 34_000_000));
        // 13 + 1 lies in the first interval, 14 + 1 at its end: what arrives at a look is in what was before it
        let [direction] = &series.directions[..] else { panic!("{series:?}") };
        assert_eq!((direction.link.as_str(), direction.to.as_str()), ("one", "b"));
        assert_eq!(direction.delivered_frames, [2, 1, 1, 0]);
        assert_eq!(direction.delivered_bytes, [120, 60, 60, 0]);
        assert_eq!(direction.dropped, [0, 0, 0, 1]);
        assert_eq!(direction.delay_mean_ns, [1_000_000, 1_000_000, 1_000_000, 0]);
        let json = serde_json::to_string_pretty(&series).unwrap();
        assert!(json.contains(r#""delivered_frames": [2,1,1,0]"#) && !json.contains("waiting"), "{json}");
        let read: Series = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string_pretty(&read).unwrap(), json);
        assert_eq!(read.directions[0].waiting, [0, 0, 0, 0], "what was left out are zeros");
        let mut csv = Vec::new();
        series.write_csv(&mut csv).unwrap();
        let csv = String::from_utf8(csv).unwrap();
        assert_eq!(csv.lines().count(), 1 + 4);
        assert_eq!(csv.lines().nth(4), Some("0.030000000,0.034000000,one,a,b,0,0,1,0,0"));
    }

    #[test]
    fn a_direction_in_which_nothing_arrived_reads_back() {
        let mut engine = engine();
        let mut recorder = Recorder::new(&engine, at(0), Duration::from_millis(10));
        engine.apply(at(0), Command::Down(LinkId(0))).unwrap();
        send(&mut engine, 3);
        run(&mut engine, &mut recorder, 20);
        let series = Series::new(recorder.finish(&engine, at(20)), &names());
        let read: Series = serde_json::from_str(&serde_json::to_string(&series).unwrap()).unwrap();
        assert_eq!(
            (&read.directions[0].dropped[..], &read.directions[0].delay_mean_ns[..]),
            (&[1, 0][..], &[0, 0][..])
        );
    }

    #[test]
    fn a_long_run_has_longer_intervals_and_the_same_sums() {
        let mut engine = engine();
        let mut recorder = Recorder::new(&engine, at(0), Duration::from_millis(1));
        for ms in 0..7_000 {
            send(&mut engine, ms);
        }
        run(&mut engine, &mut recorder, 7_000);
        let recorded = recorder.finish(&engine, at(7_000));
        assert_eq!((recorded.asked, recorded.every), (Duration::from_millis(1), Duration::from_millis(4)));
        let track = &recorded.tracks[0].1;
        assert_eq!(track.delivered_frames.len(), 1_750);
        // frames arrive 1 ms after they were sent, and so at the end of the interval in which they were
        assert!(track.delivered_frames.iter().all(|n| *n == 4), "{:?}", track.delivered_frames);
        assert_eq!(track.delivered_bytes.iter().sum::<u64>(), 7_000 * 60);
    }

    #[test]
    fn joined_intervals_add_up_and_keep_the_longest_queue() {
        let mut track = DirectionSeries {
            delivered_frames: vec![1, 2, 3],
            delivered_bytes: vec![9, 9, 9],
            dropped: vec![0, 5, 1],
            waiting: vec![7, 2, 4],
            delay_mean_ns: vec![10, 40, 5],
            ..DirectionSeries::default()
        };
        track.coarsen();
        let expected = DirectionSeries {
            delivered_frames: vec![3, 3],
            delivered_bytes: vec![18, 9],
            dropped: vec![5, 1],
            waiting: vec![7, 4],
            delay_mean_ns: vec![30, 5],
            ..DirectionSeries::default()
        };
        assert_eq!(track, expected);
    }
}

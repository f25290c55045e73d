//! A value that changes over time, from a file: delays, loss.
//!
//! Times count from the engine's start. Before the first row its value holds, of loss 0 %; after the last row the last one,
//! unless the rows repeat.

use super::table::{BadTable, Interpolate, Table, TableSpec, Wanted};
use crate::units::{Duration, Instant, Probability};

/// What a table holds over time.
pub trait Level: Copy + Ord {
    /// Its column.
    const WANTED: Wanted;
    /// [`Table::KEYS`] of its file.
    const KEYS: &'static [&'static str];
    /// [`Table::SHORT`] of its file.
    const SHORT: bool;
    /// What holds before the first row, where that is not the first row's.
    const BEFORE: Option<Self>;
    /// From the smallest parts of its dimension.
    fn of(parts: u64) -> Self;
    /// In the smallest parts of its dimension.
    fn parts(self) -> u64;
}

impl Level for Duration {
    const WANTED: Wanted = Wanted::Delay;
    const KEYS: &'static [&'static str] = &["format", "columns", "units", "start", "speed", "repeat", "interpolate"];
    const SHORT: bool = false;
    const BEFORE: Option<Duration> = None;
    fn of(parts: u64) -> Duration {
        Duration::from_nanos(parts)
    }
    fn parts(self) -> u64 {
        self.as_nanos()
    }
}

impl Level for Probability {
    const WANTED: Wanted = Wanted::Loss;
    const KEYS: &'static [&'static str] = &["format", "columns", "units", "start", "speed", "repeat"];
    const SHORT: bool = true;
    const BEFORE: Option<Probability> = Some(Probability::NEVER);
    fn of(parts: u64) -> Probability {
        Probability::from_parts(parts).expect("the grammar knows the largest share")
    }
    fn parts(self) -> u64 {
        self.as_parts()
    }
}

/// Values at ascending times; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course<T> {
    pub(super) rows: Box<[(Instant, T)]>,
    round: Option<Duration>,
    interpolate: Interpolate,
}

impl<T: Level> Table for Course<T> {
    const KEYS: &'static [&'static str] = T::KEYS;
    const SHORT: bool = T::SHORT;

    fn parse(text: &str, spec: &TableSpec) -> Result<Course<T>, BadTable> {
        let series = spec.series(text, T::WANTED)?;
        let mut rows: Vec<_> =
            series.rows.iter().map(|(time, value)| (Instant::from_nanos(*time), T::of(*value))).collect();
        if let Some(before) = T::BEFORE.filter(|_| rows[0].0 > Instant::ZERO) {
            rows.insert(0, (Instant::ZERO, before));
        }
        let last = rows[rows.len() - 1].0.as_nanos();
        let round = spec.repeat.round(last, series.end).map_err(BadTable::whole)?;
        Ok(Course { rows: rows.into(), round: round.map(Duration::from_nanos), interpolate: spec.interpolate })
    }
}

impl<T: Level> Course<T> {
    /// After how long the rows begin anew.
    pub fn round(&self) -> Option<Duration> {
        self.round
    }

    /// All values, in order of time.
    pub fn values(&self) -> impl Iterator<Item = T> {
        self.rows.iter().map(|(_, value)| *value)
    }

    /// The least value.
    pub fn least(&self) -> T {
        self.values().min().expect("there is a row")
    }

    /// The largest value.
    pub fn largest(&self) -> T {
        self.values().max().expect("there is a row")
    }

    /// An instant within a round.
    pub(super) fn within(&self, at: Instant) -> Instant {
        self.round.map_or(at, |round| Instant::from_nanos(at.as_nanos() % round.as_nanos()))
    }

    /// The value at an instant. Before the first row the first one holds, after the last row the last one; if the rows
    /// repeat, the last one holds until the first one of the next round.
    pub fn at(&self, at: Instant) -> T {
        let (first, last) = (self.rows[0], self.rows[self.rows.len() - 1]);
        let at = self.within(at);
        let next = self.rows.partition_point(|(time, _)| *time <= at);
        let (from, to, at) = match (next, self.round) {
            (0, None) => return first.1,
            (next, None) if next == self.rows.len() => return last.1,
            (0, Some(round)) => (last, (first.0 + round, first.1), at + round),
            (next, Some(round)) if next == self.rows.len() => (last, (first.0 + round, first.1), at),
            (next, _) => (self.rows[next - 1], self.rows[next], at),
        };
        match self.interpolate {
            Interpolate::Step => from.1,
            Interpolate::Linear => between(from, to, at),
        }
    }
}

/// The straight line, rounded down.
fn between<T: Level>(from: (Instant, T), to: (Instant, T), at: Instant) -> T {
    let (run, done) = ((to.0 - from.0).as_nanos(), (at - from.0).as_nanos());
    let (a, b) = (u128::from(from.1.parts()), u128::from(to.1.parts()));
    // a weighted mean of two 64-bit numbers, with weights below 2^64 that add up to `run`
    let sum = (a * u128::from(run - done)).saturating_add(b * u128::from(done));
    T::of((sum / u128::from(run)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::table::{FileOf, NamedFile as _};
    use serde_json::json;

    type Spec = FileOf<Course<Duration>>;

    const TEXT: &str = "time_s,delay_ms\n1,10\n2,30\n4,20\n";

    fn course(text: &str, keys: serde_json::Value) -> Course<Duration> {
        let mut map = json!({ "file": "a.csv" });
        map.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
        Course::parse(text, &from_json(map).unwrap()).unwrap()
    }

    fn at(course: &Course<Duration>, seconds: f64) -> f64 {
        course.at(Instant::from_nanos((seconds * 1e9) as u64)).as_millis_f64()
    }

    #[test]
    fn steps_hold_until_the_next_row() {
        let course = course(TEXT, json!({}));
        let step = |seconds| at(&course, seconds);
        assert_eq!([0.0, 0.999, 1.0, 1.999, 2.0, 3.999, 4.0, 1e6].map(step), [10., 10., 10., 10., 30., 30., 20., 20.]);
        let step = |nanos| course.at(Instant::from_nanos(nanos)).as_millis_f64();
        assert_eq!([1_999_999_999, 2_000_000_000].map(step), [10., 30.]);
        assert_eq!((course.least(), course.largest()), (Duration::from_millis(10), Duration::from_millis(30)));
    }

    #[test]
    fn lines_go_from_row_to_row() {
        let linear = course(TEXT, json!({ "interpolate": "linear" }));
        let line = |seconds| at(&linear, seconds);
        assert_eq!([0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 9.0].map(line), [10., 10., 20., 30., 25., 20., 20.]);
        let huge = course("0h,5000000h\n5000000h,0h", json!({ "interpolate": "linear" }));
        let middle = huge.at(Instant::ZERO + Duration::from_secs(9_000_000_000));
        assert_eq!(middle, Duration::from_secs(9_000_000_000));
    }

    #[test]
    fn rounds_repeat_without_a_seam() {
        let steps = course(TEXT, json!({ "repeat": "5s" }));
        let round = |seconds| at(&steps, seconds);
        assert_eq!([0.0, 1.0, 2.0, 4.0, 4.999, 5.0, 6.0, 502.5].map(round), [20., 10., 30., 20., 20., 20., 10., 30.]);
        // from 20 ms at 4 s to 10 ms at 6 s
        let lines = course(TEXT, json!({ "repeat": "5s", "interpolate": "linear" }));
        let line = |seconds| at(&lines, seconds);
        assert_eq!([4.0, 4.5, 5.0, 5.5, 6.0, 0.5].map(line), [20., 17.5, 15., 12.5, 10., 12.5]);
        let one = course("0s,7ms", json!({ "repeat": "1ns", "interpolate": "linear" }));
        let at = |nanos| one.at(Instant::from_nanos(nanos));
        assert_eq!([0, 1, u64::MAX].map(at), [Duration::from_millis(7); 3]);
    }

    #[test]
    fn a_round_is_longer_than_the_last_time() {
        let spec = |repeat: &str| from_json::<Spec>(json!({"file": "a.csv", "repeat": repeat})).unwrap();
        let mut long = spec("4.000000001s");
        long.load(TEXT).unwrap();
        assert_eq!(long.table().unwrap().round(), Some(Duration::from_nanos(4_000_000_001)));
        for short in ["4s", "0s"] {
            let mut spec = spec(short);
            let wrong = spec.load(TEXT).unwrap_err().to_string();
            assert!(wrong.contains("is not after the last") && wrong.ends_with("at 4s"), "{wrong}");
            assert!(spec.table().is_none());
        }
        assert!(spec("1s").load("0s,-1ms").unwrap_err().to_string().contains("negative"));
        assert!(spec("true").load(TEXT).unwrap_err().to_string().contains("`repeat: 20s`"));
    }

    #[test]
    fn a_file_is_played_from_a_start_at_a_speed() {
        let read = |more: serde_json::Value| {
            let mut map = json!({"file": "a.csv"});
            map.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let mut spec = from_json::<Spec>(map.clone()).unwrap();
            assert_eq!(serde_json::to_value(&spec).unwrap(), map);
            spec.load(TEXT).map_err(|e| e.to_string())?;
            let rows = spec.table().unwrap().rows.iter();
            Ok::<_, String>(
                rows.map(|(at, delay)| (at.as_nanos() / 1_000_000, delay.as_millis_f64())).collect::<Vec<_>>(),
            )
        };
        assert_eq!(read(json!({"start": "1.5s"})), Ok(vec![(0, 10.0), (500, 30.0), (2500, 20.0)]));
        assert_eq!(read(json!({"start": "2s", "speed": 2.0})), Ok(vec![(0, 30.0), (1000, 20.0)]));
        assert_eq!(read(json!({"speed": 0.5})), Ok(vec![(2000, 10.0), (4000, 30.0), (8000, 20.0)]));
        assert_eq!(read(json!({"start": "4s"})), Ok(vec![(0, 20.0)]));
        assert!(read(json!({"start": "5s"})).unwrap_err().contains("nothing is left from `start: 5s` on"));
        for wrong in [json!(0), json!(-1), json!(1001)] {
            let error = from_json::<Spec>(json!({"file": "a.csv", "speed": wrong})).unwrap_err();
            assert!(error.contains("from 0.001 to 1000"), "{error}");
        }
        let mut fast = from_json::<Spec>(json!({"file": "a.csv", "speed": 1000})).unwrap();
        assert!(fast.load("0s,1ms\n1ns,2ms").unwrap_err().to_string().contains("within a nanosecond"));
    }

    #[test]
    fn a_public_format_may_say_where_it_ends() {
        let mut spec = from_json::<Spec>(json!({"file": "a", "format": "netem_trace", "repeat": true})).unwrap();
        spec.load(r#"{"StaticDelayConfig":{"delay":"20ms","duration":"3s"}}"#).unwrap();
        let course = spec.table().unwrap();
        assert_eq!(
            (course.round(), course.at(Instant::MAX)),
            (Some(Duration::from_secs(3)), Duration::from_millis(20))
        );
        let both = from_json::<Spec>(json!({"file": "a", "format": "lens", "units": ["s", "ms"]}));
        assert!(both.unwrap_err().contains("leave `units` out"));
        let mut short = from_json::<Spec>(json!({"file": "a", "format": "netem_trace", "speed": 1000})).unwrap();
        let wrong = short.load(r#"{"StaticDelayConfig":{"delay":"20ms","duration":"1ns"}}"#).unwrap_err();
        assert!(wrong.to_string().contains("within a nanosecond"));
    }

    #[test]
    fn mistakes_name_the_place() {
        let wrong = |text: &str| Course::<Duration>::plain(text).unwrap_err().to_string();
        assert!(
            wrong("0s,1ms\n2s,1ms\n1s,1ms").starts_with("line 3, column 1: the table goes back in time, from 2s to 1s")
        );
        assert!(wrong("0s,1ms\n0s,2ms").starts_with("line 2, column 1: 0ms stands twice"));
        assert!(wrong("").contains("the file has no rows"));
        assert!(wrong("0s,-1ms").contains("negative"));
        assert!(wrong("-1s,1ms").contains("negative"));
    }

    #[test]
    fn scenario_forms() {
        let short = from_json::<Spec>(json!("a.csv")).unwrap();
        assert_eq!(from_json(json!({"file": "a.csv"})), Ok(short.clone()));
        assert_eq!(from_json(serde_json::to_value(&short).unwrap()), Ok(short));
        let long = json!({"file": "a.csv", "columns": [1, "p50"], "units": ["s", "ms"], "repeat": "9s", "interpolate": "linear"});
        let spec = from_json::<Spec>(long.clone()).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), long);
        assert!(from_json::<Spec>(json!({"repeat": "9s"})).unwrap_err().contains("missing field `file`"));
        assert!(from_json::<Spec>(json!({"file": "a", "loop": true})).unwrap_err().contains("unknown field"));
        assert!(
            from_json::<Spec>(json!({"file": "a", "units": ["Mbps", "ms"]})).unwrap_err().contains("is not a unit")
        );
    }
}

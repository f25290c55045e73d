//! A mean delay that changes over time, as it was recorded or made up.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::csv;
use crate::model::data::{BadLine, FileOf, NamedFile, Table};
use crate::model::form::{Short, short_or_long};
use crate::units::{Duration, Instant};

/// A delay over time, from a CSV file with the columns `time` and `delay`. Short form: the file's name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TraceSpec {
    /// The file.
    pub file: FileOf<Trace>,
    /// After how long the rows begin anew: more than the last row's time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<Duration>,
    /// What holds between two rows.
    #[serde(skip_serializing_if = "Interpolate::is_step")]
    pub interpolate: Interpolate,
}

/// What holds between two rows of a trace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interpolate {
    /// A row's delay, until the next row.
    #[default]
    Step,
    /// The straight line from row to row.
    Linear,
}

impl Interpolate {
    fn is_step(&self) -> bool {
        *self == Interpolate::Step
    }
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Long {
    /// A CSV file with the columns `time` and `delay`.
    file: FileOf<Trace>,
    /// After how long the rows begin anew: more than the last row's time. By default the last row holds for good.
    #[serde(default)]
    repeat: Option<Duration>,
    /// `step`: a row's delay holds until the next row. `linear`: the straight line between rows.
    #[serde(default)]
    interpolate: Interpolate,
}

impl From<Long> for TraceSpec {
    fn from(Long { file, repeat, interpolate }: Long) -> TraceSpec {
        TraceSpec { file, repeat, interpolate }
    }
}

impl Short for TraceSpec {
    type Long = Long;
    const EXPECTED: &'static str = "a CSV file, as in `delay.csv`, or a map with `file`, `repeat`, `interpolate`";
    fn from_text(text: &str) -> Result<TraceSpec, String> {
        Ok(TraceSpec { file: FileOf::new(text), repeat: None, interpolate: Interpolate::Step })
    }
}

impl<'de> Deserialize<'de> for TraceSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TraceSpec, D::Error> {
        short_or_long(deserializer)
    }
}

impl JsonSchema for TraceSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DelayTrace".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let long = Long::json_schema(generator);
        schemars::json_schema!({
            "description": "A delay over time: a CSV file, or a map.",
            "anyOf": [generator.subschema_for::<FileOf<Trace>>(), long],
        })
    }
}

/// Delays at ascending times; at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace(Box<[(Instant, Duration)]>);

impl Trace {
    /// The shortest delay.
    pub fn least(&self) -> Duration {
        self.0.iter().map(|(_, delay)| *delay).min().unwrap_or_default()
    }

    /// The longest delay.
    pub fn longest(&self) -> Duration {
        self.0.iter().map(|(_, delay)| *delay).max().unwrap_or_default()
    }

    /// The delay at an instant. Before the first row the first one holds, after the last row the last one; if the rows
    /// repeat, the last one holds until the first one of the next round.
    pub fn at(&self, at: Instant, repeat: Option<Duration>, interpolate: Interpolate) -> Duration {
        let (first, last) = (self.0[0], self.0[self.0.len() - 1]);
        let round = repeat.map(|round| round.as_nanos().max(1));
        let at = round.map_or(at, |round| Instant::from_nanos(at.as_nanos() % round));
        let next = self.0.partition_point(|(time, _)| *time <= at);
        let (from, to, at) = match (next, round.map(Duration::from_nanos)) {
            (0, None) => return first.1,
            (next, None) if next == self.0.len() => return last.1,
            (0, Some(round)) => (last, (first.0 + round, first.1), at + round),
            (next, Some(round)) if next == self.0.len() => (last, (first.0 + round, first.1), at),
            (next, _) => (self.0[next - 1], self.0[next], at),
        };
        match interpolate {
            Interpolate::Step => from.1,
            Interpolate::Linear => between(from, to, at),
        }
    }
}

impl NamedFile for TraceSpec {
    fn path(&self) -> &str {
        self.file.path()
    }

    fn load(&mut self, text: &str) -> Result<(), BadLine> {
        let mut file = self.file.clone();
        file.load(text)?;
        let last = file.table().map_or(Instant::ZERO, |trace| trace.0[trace.0.len() - 1].0);
        if let Some(repeat) = self.repeat.filter(|repeat| Instant::ZERO + *repeat <= last) {
            return Err(BadLine::whole(format!(
                "the last row, at {last}, would never come with a `repeat` of {repeat}: it must be more"
            )));
        }
        self.file = file;
        Ok(())
    }
}

/// The straight line, rounded down to a nanosecond.
fn between(from: (Instant, Duration), to: (Instant, Duration), at: Instant) -> Duration {
    let (run, done) = ((to.0 - from.0).as_nanos(), (at - from.0).as_nanos());
    let (a, b) = (u128::from(from.1.as_nanos()), u128::from(to.1.as_nanos()));
    // a weighted mean of two 64-bit numbers, with weights below 2^64 that add up to `run`
    let sum = (a * u128::from(run - done)).saturating_add(b * u128::from(done));
    Duration::from_nanos((sum / u128::from(run)) as u64)
}

impl Table for Trace {
    /// Columns `time` and `delay`, each time later than the one before.
    fn parse(text: &str) -> Result<Trace, BadLine> {
        let mut all: Vec<(Instant, Duration)> = Vec::new();
        for csv::Row { line, times: [time, delay] } in csv::columns(text, ["time", "delay"])? {
            let at = Instant::ZERO + time;
            if let Some((before, _)) = all.last().filter(|(before, _)| *before >= at) {
                let message = match *before == at {
                    true => format!("{at} has two delays: each time may stand once"),
                    false => format!("the trace goes back in time, from {before} to {at}: sort it by time"),
                };
                return Err(BadLine::at(line, message));
            }
            all.push((at, delay));
        }
        if all.is_empty() {
            return Err(BadLine::whole("it holds no row: a time and a delay a line, as in `1.5s,20ms`"));
        }
        Ok(Trace(all.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use serde_json::json;

    const TEXT: &str = "time_s,delay_ms\n1,10\n2,30\n4,20\n";

    fn at(seconds: f64, repeat: Option<Duration>, interpolate: Interpolate) -> f64 {
        let trace = Trace::parse(TEXT).unwrap();
        trace.at(Instant::from_nanos((seconds * 1e9) as u64), repeat, interpolate).as_millis_f64()
    }

    #[test]
    fn steps_hold_until_the_next_row() {
        let step = |seconds| at(seconds, None, Interpolate::Step);
        assert_eq!([0.0, 0.999, 1.0, 1.999, 2.0, 3.999, 4.0, 1e6].map(step), [10., 10., 10., 10., 30., 30., 20., 20.]);
        let trace = Trace::parse(TEXT).unwrap();
        let step = |nanos| trace.at(Instant::from_nanos(nanos), None, Interpolate::Step).as_millis_f64();
        assert_eq!([1_999_999_999, 2_000_000_000].map(step), [10., 30.]);
        assert_eq!(trace.least(), Duration::from_millis(10));
    }

    #[test]
    fn lines_go_from_row_to_row() {
        let line = |seconds| at(seconds, None, Interpolate::Linear);
        assert_eq!([0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 9.0].map(line), [10., 10., 20., 30., 25., 20., 20.]);
        let huge = Trace::parse("0h,5000000h\n5000000h,0h").unwrap();
        let middle = huge.at(Instant::ZERO + Duration::from_secs(9_000_000_000), None, Interpolate::Linear);
        assert_eq!(middle, Duration::from_secs(9_000_000_000));
    }

    #[test]
    fn rounds_repeat_without_a_seam() {
        let five = Some(Duration::from_secs(5));
        let round = |seconds| at(seconds, five, Interpolate::Step);
        assert_eq!([0.0, 1.0, 2.0, 4.0, 4.999, 5.0, 6.0, 502.5].map(round), [20., 10., 30., 20., 20., 20., 10., 30.]);
        // from 20 ms at 4 s to 10 ms at 6 s
        let line = |seconds| at(seconds, five, Interpolate::Linear);
        assert_eq!([4.0, 4.5, 5.0, 5.5, 6.0, 0.5].map(line), [20., 17.5, 15., 12.5, 10., 12.5]);
        let one = Trace::parse("0s,7ms").unwrap();
        let at = |nanos| one.at(Instant::from_nanos(nanos), Some(Duration::from_nanos(1)), Interpolate::Linear);
        assert_eq!([0, 1, u64::MAX].map(at), [Duration::from_millis(7); 3]);
    }

    #[test]
    fn a_round_is_longer_than_the_last_time() {
        let spec = |repeat: &str| from_json::<TraceSpec>(json!({"file": "a.csv", "repeat": repeat})).unwrap();
        assert!(spec("4.000000001s").load(TEXT).is_ok());
        for short in ["4s", "0s"] {
            let wrong = spec(short).load(TEXT).unwrap_err().to_string();
            assert!(wrong.contains("the last row, at 4s, would never come"), "{wrong}");
        }
        assert!(spec("1s").load("0s,-1ms").unwrap_err().to_string().contains("negative"));
    }

    #[test]
    fn mistakes_name_the_line() {
        let wrong = |text: &str| Trace::parse(text).unwrap_err().to_string();
        assert!(wrong("0s,1ms\n2s,1ms\n1s,1ms").starts_with("line 3: the trace goes back in time, from 2s to 1s"));
        assert!(wrong("0s,1ms\n0s,2ms").starts_with("line 2: 0ms has two delays"));
        assert!(wrong("").contains("it holds no row"));
        assert!(wrong("0s,-1ms").contains("negative"));
        assert!(wrong("-1s,1ms").contains("negative"));
    }

    #[test]
    fn scenario_forms() {
        let short = from_json::<TraceSpec>(json!("a.csv")).unwrap();
        assert_eq!(from_json(json!({"file": "a.csv"})), Ok(short.clone()));
        assert_eq!(from_json(serde_json::to_value(&short).unwrap()), Ok(short));
        let long = from_json::<TraceSpec>(json!({"file": "a.csv", "repeat": "9s", "interpolate": "linear"})).unwrap();
        assert_eq!((long.repeat, long.interpolate), (Some(Duration::from_secs(9)), Interpolate::Linear));
        assert_eq!(from_json(serde_json::to_value(&long).unwrap()), Ok(long));
        assert!(from_json::<TraceSpec>(json!({"repeat": "9s"})).unwrap_err().contains("missing field `file`"));
        assert!(from_json::<TraceSpec>(json!({"file": "a", "loop": true})).unwrap_err().contains("unknown field"));
    }
}

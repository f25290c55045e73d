//! Loss over time, from a file: a measurement, or a course that is wanted.
//!
//! The file has a row for each change: a time, counted from the engine's start, and the probability of loss from then on,
//! separated by a comma and with their units. Rows are in order of time. Empty lines and what follows `#` do not count; a
//! first row that begins with a letter is taken for a heading. Before the first row nothing is lost; after the last, its
//! probability stays, unless `repeat` says after how long the rows begin anew.
//!
//! ```text
//! time,  loss
//! 0s,    0%
//! 12.5s, 30%
//! 13s,   100%
//! 14s,   0.1%
//! ```

use schemars::JsonSchema;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::LongRun;
use crate::model::data::{BadLine, FileOf, NamedFile, Table};
use crate::model::form::{Short, short_or_long};
use crate::units::{Duration, Instant, Probability};

/// A course of loss. Short form: the file alone, as in `trace: loss.csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceSpec {
    /// Where the rows are.
    pub file: FileOf<Course>,
    /// After how long the rows begin anew: more than the last row's time.
    pub repeat: Option<Duration>,
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Long {
    /// A file with a row for each change: a time, and the probability of loss from then on.
    file: FileOf<Course>,
    /// After how long the rows begin anew: more than the last row's time. By default the last row holds for good.
    #[serde(default)]
    repeat: Option<Duration>,
}

impl From<Long> for TraceSpec {
    fn from(Long { file, repeat }: Long) -> TraceSpec {
        TraceSpec { file, repeat }
    }
}

impl Short for TraceSpec {
    type Long = Long;
    const EXPECTED: &'static str = "a file of times and loss, as in `loss.csv`, or a map with `file` and `repeat`";
    fn from_text(text: &str) -> Result<TraceSpec, String> {
        Ok(TraceSpec { file: FileOf::new(text), repeat: None })
    }
}

impl<'de> Deserialize<'de> for TraceSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<TraceSpec, D::Error> {
        short_or_long(deserializer)
    }
}

impl Serialize for TraceSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(repeat) = self.repeat else { return self.file.serialize(serializer) };
        let mut map = serializer.serialize_struct("TraceSpec", 2)?;
        map.serialize_field("file", &self.file)?;
        map.serialize_field("repeat", &repeat)?;
        map.end()
    }
}

impl JsonSchema for TraceSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LossTrace".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let long = Long::json_schema(generator);
        schemars::json_schema!({
            "description": "Loss over time: a file, or a map.",
            "anyOf": [generator.subschema_for::<FileOf<Course>>(), long],
        })
    }
}

impl NamedFile for TraceSpec {
    fn path(&self) -> &str {
        self.file.path()
    }

    fn load(&mut self, text: &str) -> Result<(), BadLine> {
        let mut file = self.file.clone();
        file.load(text)?;
        let last = file.table().and_then(|course| course.0.last());
        if let (Some(repeat), Some(last)) = (self.repeat, last)
            && repeat <= last.from
        {
            let message = format!(
                "the last row, at {}, would never come with a `repeat` of {repeat}: it must be more",
                last.from
            );
            return Err(BadLine::at(last.line, message));
        }
        self.file = file;
        Ok(())
    }
}

impl TraceSpec {
    fn rows(&self) -> &[Row] {
        &self.file.table().expect("a scenario's files are read before anything is built from it").0
    }

    /// Whether no frame is ever lost.
    pub fn is_none(&self) -> bool {
        self.rows().iter().all(|row| row.loss == Probability::NEVER)
    }

    /// Over time: of one repetition, or what the last row says for good.
    pub(super) fn long_run(&self) -> LongRun {
        let rows = self.rows();
        let Some(repeat) = self.repeat else {
            return LongRun { loss: rows.last().map(|row| row.loss.as_f64()), mean_burst: None };
        };
        let ends = rows.iter().skip(1).map(|row| row.from).chain([repeat]);
        let lost: f64 = rows
            .iter()
            .zip(ends)
            .map(|(row, end)| row.loss.as_f64() * end.saturating_sub(row.from).as_secs_f64())
            .sum();
        LongRun { loss: Some(lost / repeat.as_secs_f64()), mean_burst: None }
    }
}

/// The rows of a file, in order of time. There is at least one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Course(Vec<Row>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    from: Duration,
    loss: Probability,
    line: usize,
}

impl Table for Course {
    fn parse(text: &str) -> Result<Course, BadLine> {
        let mut rows: Vec<Row> = Vec::new();
        let content = text.trim_start_matches('\u{feff}').lines().enumerate().map(|(at, line)| {
            let line = line.split_once('#').map_or(line, |(before, _)| before);
            (at + 1, line.trim())
        });
        for (nth, (line, content)) in content.filter(|(_, content)| !content.is_empty()).enumerate() {
            if nth == 0 && content.starts_with(char::is_alphabetic) {
                continue;
            }
            let fields: Vec<&str> = content.split(',').map(str::trim).collect();
            let [from, loss] = fields[..] else {
                let count = fields.len();
                let message = format!("{count} columns where a time and a loss are expected, as in `12.5s, 1%`");
                return Err(BadLine::at(line, message));
            };
            let from: Duration =
                from.parse().map_err(|e: crate::units::ParseError| BadLine::at(line, e.to_string()))?;
            let loss = loss.parse().map_err(|e: crate::units::ParseError| BadLine::at(line, e.to_string()))?;
            if let Some(last) = rows.last()
                && from <= last.from
            {
                let message =
                    format!("{from} does not come after {} on line {}: time goes forward", last.from, last.line);
                return Err(BadLine::at(line, message));
            }
            rows.push(Row { from, loss, line });
        }
        if rows.is_empty() {
            return Err(BadLine::whole("the file has no rows: write at least one, as in `0s, 1%`"));
        }
        Ok(Course(rows))
    }
}

/// A course at work.
#[derive(Clone, Debug)]
pub struct Trace {
    spec: TraceSpec,
    /// The last answer: from the first time within a repetition on and before the second.
    known: (Duration, Duration, Probability),
}

impl Trace {
    /// A course whose file is read.
    pub fn new(spec: TraceSpec) -> Trace {
        Trace { spec, known: (Duration::ZERO, Duration::ZERO, Probability::NEVER) }
    }

    /// The probability of loss at an instant.
    #[inline]
    pub fn loss(&mut self, at: Instant) -> Probability {
        let mut at = at.as_nanos();
        if let Some(repeat) = self.spec.repeat {
            at %= repeat.as_nanos().max(1);
        }
        let at = Duration::from_nanos(at);
        let (from, until, loss) = self.known;
        if from <= at && at < until {
            return loss;
        }
        let rows = self.spec.rows();
        let next = rows.partition_point(|row| row.from <= at);
        let until = rows.get(next).map_or(Duration::MAX, |row| row.from);
        let current = next.checked_sub(1).and_then(|row| rows.get(row));
        self.known = current.map_or((Duration::ZERO, until, Probability::NEVER), |row| (row.from, until, row.loss));
        self.known.2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::loss::tests::{key, lost_at};
    use crate::model::loss::{LossModel, LossRule, Rule};
    use crate::model::statistics::assert_share;
    use serde_json::json;

    const ROWS: &str = "time, loss  # a heading\n\n1s, 0%\n2s,30%\r\n 2.5s , 100% # dead\n3s, 0.1%\n";

    fn trace(value: serde_json::Value, rows: &str) -> Trace {
        let mut spec: TraceSpec = from_json(value).unwrap();
        spec.load(rows).unwrap();
        Trace::new(spec)
    }

    fn at(text: &str) -> Instant {
        Instant::ZERO + text.parse::<Duration>().unwrap()
    }

    #[test]
    fn rows_hold_from_their_time_on_to_the_nanosecond() {
        let mut course = trace(json!("loss.csv"), ROWS);
        let percent = |text: &str| text.parse::<Probability>().unwrap();
        for (time, loss) in [
            ("0ns", "0%"),
            ("1.999999999s", "0%"),
            ("2s", "30%"),
            ("2.499999999s", "30%"),
            ("2.5s", "100%"),
            ("2.999999999s", "100%"),
            ("3s", "0.1%"),
            ("500000h", "0.1%"),
            ("2.2s", "30%"),
        ] {
            assert_eq!(course.loss(at(time)), percent(loss), "{time}");
        }
        assert_eq!(course.loss(Instant::MAX), percent("0.1%"));
        // before the first row
        let mut late = trace(json!("loss.csv"), "5s, 100%");
        assert_eq!((late.loss(at("4.999999999s")), late.loss(at("5s"))), (percent("0%"), percent("100%")));
    }

    #[test]
    fn rows_repeat() {
        let mut course = trace(json!({"file": "loss.csv", "repeat": "10s"}), ROWS);
        for start in [0u64, 10, 20, 1_000_000, 30] {
            let at = |ms: u64| Instant::from_nanos(start * 1_000_000_000 + ms * 1_000_000);
            let losses = [0, 1999, 2000, 2500, 3000, 9999].map(|ms| course.loss(at(ms)).as_f64());
            assert_eq!(losses, [0.0, 0.0, 0.3, 1.0, 0.001, 0.001]);
        }
        let loss = course.spec.long_run().loss.unwrap();
        assert!((loss - (0.5 * 0.3 + 0.5 + 7.0 * 0.001) / 10.0).abs() < 1e-12);
        assert!((trace(json!("loss.csv"), ROWS).spec.long_run().loss.unwrap() - 0.001).abs() < 1e-12);
    }

    #[test]
    fn frames_are_lost_as_often_as_the_row_says() {
        let course = trace(json!("loss.csv"), ROWS);
        let rule = || Rule::new(&LossRule::from(LossModel::Trace(course.spec.clone())), key("loss.outage"));
        assert_share(&lost_at(rule(), 60_000, at("2.1s")), 0.3, 1.0);
        assert!(lost_at(rule(), 1000, at("1s")).iter().all(|lost| !lost));
        assert!(lost_at(rule(), 1000, at("2.5s")).iter().all(|lost| *lost));
    }

    #[test]
    fn mistakes_are_told_with_their_lines() {
        let told = |text: &str| Course::parse(text).unwrap_err().to_string();
        assert_eq!(told("time,loss\n1s,0%\n1s,1%"), "line 3: 1s does not come after 1s on line 2: time goes forward");
        assert!(told("2s,0%\n\n1s,1%").starts_with("line 3: 1s does not come after 2s on line 1"));
        assert!(told("0s,0%\n1s").starts_with("line 2: 1 columns"));
        assert!(told("0s,0%,5").starts_with("line 1: 3 columns"));
        assert!(told("0s,0%\n1,1%").contains("line 2: `1` has no unit: write `1ms`"));
        assert!(told("0s,0.5").contains("line 1: `0.5` has no unit"));
        assert!(told("0s,101%").contains("line 1: `101%` is too large"));
        assert!(told("a,b\nc,d").starts_with("line 2: `c` is not a duration"));
        for empty in ["", "\n\n", "# nothing\n", "time,loss\n"] {
            assert!(told(empty).contains("has no rows"));
        }
        let mut spec: TraceSpec = from_json(json!({"file": "loss.csv", "repeat": "3s"})).unwrap();
        assert!(spec.load(ROWS).unwrap_err().to_string().starts_with("line 6: the last row, at 3s, would never come"));
        assert!(spec.file.table().is_none());
    }

    #[test]
    fn scenario_forms() {
        for value in [json!("loss.csv"), json!({"file": "loss.csv", "repeat": "3.5s"})] {
            let spec: TraceSpec = from_json(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&spec).unwrap(), value);
            assert_eq!(spec.path(), "loss.csv");
        }
        assert!(from_json::<TraceSpec>(json!({"repeat": "1s"})).unwrap_err().contains("missing field `file`"));
    }
}

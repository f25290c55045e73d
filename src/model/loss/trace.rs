//! Loss over time, from a file: a measurement, or a course that is wanted. Before the first row nothing is lost.
//!
//! ```text
//! time,  loss
//! 0s,    0%
//! 12.5s, 30%
//! 13s,   100%
//! 14s,   0.1%
//! ```

use std::sync::Arc;

use super::LongRun;
use crate::model::over_time::Course;
use crate::model::table::FileOf;
use crate::units::{Instant, Probability};

/// A file of loss over time.
pub type TraceFile = FileOf<Course<Probability>>;

impl TraceFile {
    fn course(&self) -> &Arc<Course<Probability>> {
        self.table().expect("the files of a scenario are read before its plan is made")
    }

    /// Whether no frame is ever lost.
    pub(super) fn is_none(&self) -> bool {
        self.course().largest() == Probability::NEVER
    }

    /// Over time: of one round, or what the last row says for good.
    pub(super) fn long_run(&self) -> LongRun {
        let course = self.course();
        let loss = match course.round() {
            None => course.values().last().map(Probability::as_f64),
            Some(round) => {
                let ends = course.rows.iter().skip(1).map(|(time, _)| *time).chain([Instant::ZERO + round]);
                let lost =
                    course.rows.iter().zip(ends).map(|((from, loss), end)| loss.as_f64() * (end - *from).as_secs_f64());
                Some(lost.sum::<f64>() / round.as_secs_f64())
            }
        };
        LongRun { loss, mean_burst: None }
    }
}

/// A course at work.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    course: Arc<Course<Probability>>,
    /// The row of the last answer.
    row: usize,
}

impl Trace {
    /// A course whose file is read.
    pub(super) fn new(file: &TraceFile) -> Trace {
        Trace { course: file.course().clone(), row: 0 }
    }

    /// The probability of loss at an instant.
    #[inline]
    pub(super) fn loss(&mut self, at: Instant) -> Probability {
        let (rows, at) = (&self.course.rows, self.course.within(at));
        if at < rows[self.row].0 || rows.get(self.row + 1).is_some_and(|(next, _)| *next <= at) {
            // the first row is at 0
            self.row = rows.partition_point(|(time, _)| *time <= at) - 1;
        }
        rows[self.row].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::form::from_json;
    use crate::model::loss::tests::{key, lost_at};
    use crate::model::loss::{LossModel, LossRule, Rule};
    use crate::model::statistics::assert_share;
    use crate::model::table::{NamedFile as _, Table as _};
    use crate::units::Duration;
    use serde_json::json;

    const ROWS: &str = "time, loss  # a heading\n\n1s, 0%\n2s,30%\r\n 2.5s , 100% # dead\n3s, 0.1%\n";

    fn trace(value: serde_json::Value, rows: &str) -> TraceFile {
        let mut spec: TraceFile = from_json(value).unwrap();
        spec.load(rows).unwrap();
        spec
    }

    fn at(text: &str) -> Instant {
        Instant::ZERO + text.parse::<Duration>().unwrap()
    }

    #[test]
    fn rows_hold_from_their_time_on_to_the_nanosecond() {
        let mut course = Trace::new(&trace(json!("loss.csv"), ROWS));
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
        let mut late = Trace::new(&trace(json!("loss.csv"), "5s, 100%"));
        assert_eq!((late.loss(at("4.999999999s")), late.loss(at("5s"))), (percent("0%"), percent("100%")));
    }

    #[test]
    fn rows_repeat() {
        let file = trace(json!({"file": "loss.csv", "repeat": "10s"}), ROWS);
        let mut course = Trace::new(&file);
        for start in [0u64, 10, 20, 1_000_000, 30] {
            let at = |ms: u64| Instant::from_nanos(start * 1_000_000_000 + ms * 1_000_000);
            let losses = [0, 1999, 2000, 2500, 3000, 9999].map(|ms| course.loss(at(ms)).as_f64());
            assert_eq!(losses, [0.0, 0.0, 0.3, 1.0, 0.001, 0.001]);
        }
        let loss = file.long_run().loss.unwrap();
        assert!((loss - (0.5 * 0.3 + 0.5 + 7.0 * 0.001) / 10.0).abs() < 1e-12);
        assert!((trace(json!("loss.csv"), ROWS).long_run().loss.unwrap() - 0.001).abs() < 1e-12);
    }

    #[test]
    fn frames_are_lost_as_often_as_the_row_says() {
        let course = trace(json!("loss.csv"), ROWS);
        let rule = || Rule::new(&LossRule::from(LossModel::Trace(course.clone())), key("loss.outage"));
        assert_share(&lost_at(rule(), 60_000, at("2.1s")), 0.3, 1.0);
        assert!(lost_at(rule(), 1000, at("1s")).iter().all(|lost| !lost));
        assert!(lost_at(rule(), 1000, at("2.5s")).iter().all(|lost| *lost));
    }

    #[test]
    fn mistakes_are_told_with_their_lines() {
        let told = |text: &str| Course::<Probability>::plain(text).unwrap_err().to_string();
        assert!(told("time,loss\n1s,0%\n1s,1%").starts_with("line 3, column 1: 1s stands twice"));
        assert!(told("2s,0%\n\n1s,1%").starts_with("line 3, column 1: the table goes back in time, from 2s to 1s"));
        assert!(told("0s,0%\n1s").starts_with("line 2, column 2: a value is missing"));
        assert!(told("0s,0%,5").starts_with("line 1: expected 2 columns, found 3"));
        assert!(told("0s,0%\n1,1%").contains("line 2, column 1: `1` has no unit: write `1ms`"));
        assert!(told("0s,0.5").contains("line 1, column 2: `0.5` has no unit"));
        assert!(told("0s,101%").contains("line 1, column 2: `101%` is too large"));
        assert!(told("a,b\nc,d").starts_with("line 1: no column is called `time`"));
        for empty in ["", "\n\n", "# nothing\n", "time,loss\n"] {
            assert!(told(empty).contains("has no rows"));
        }
        let mut spec: TraceFile = from_json(json!({"file": "loss.csv", "repeat": "3s"})).unwrap();
        assert!(spec.load(ROWS).unwrap_err().to_string().contains("is not after the last one, which starts at 3s"));
        assert!(spec.table().is_none());
    }

    #[test]
    fn scenario_forms() {
        for value in [json!("loss.csv"), json!({"file": "loss.csv", "repeat": "3.5s"})] {
            let spec: TraceFile = from_json(value.clone()).unwrap();
            assert_eq!(serde_json::to_value(&spec).unwrap(), value);
            assert_eq!(spec.path(), "loss.csv");
        }
        assert!(from_json::<TraceFile>(json!({"repeat": "1s"})).unwrap_err().contains("missing field `file`"));
        let linear = json!({"file": "loss.csv", "interpolate": "linear"});
        assert!(from_json::<TraceFile>(linear).unwrap_err().contains("found `interpolate`, which says nothing here"));
    }
}

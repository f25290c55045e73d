//! What is taken straight from a workload's report.

use serde_json::Value;

use super::Readings;
use super::reading::Reading;
use crate::report::json::Work;
use crate::tasks::expect::catalogue::Source;

/// A value below what a workload measured.
pub(super) fn at<'a>(work: &'a Work, path: &[&str]) -> Option<&'a Value> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(work.results.get(*first)?, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// A number there.
pub(super) fn number(work: &Work, path: &[&str]) -> Option<f64> {
    match at(work, path)? {
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        value => value.as_f64(),
    }
}

/// A whole number there.
pub(super) fn whole(work: &Work, path: &[&str]) -> Option<u64> {
    at(work, path)?.as_u64()
}

/// Why a workload has no such measure.
pub(super) fn why(work: &Work) -> String {
    match (&work.reason, work.started_ns, work.ended_ns) {
        (Some(reason), ..) => reason.clone(),
        (None, None, _) => "it never started".into(),
        (None, _, None) => "it had not ended".into(),
        _ => "it measured none".into(),
    }
}

/// Measures that have no times of their own.
pub(super) fn field(source: Source, part: &str, work: &Work) -> Readings {
    let (started, ended) = (work.started_ns, work.ended_ns);
    let value = match source {
        Source::Exit => work.exit.map(f64::from),
        Source::Ok => return Ok(vec![Reading::at(f64::from(u8::from(work.ok)), ended)]),
        Source::Started => started.map(|at| at as f64),
        Source::Ended => ended.map(|at| at as f64),
        Source::Took => started.zip(ended).map(|(from, to)| (to - from) as f64),
        Source::Field(path) => number(work, path),
        Source::Spread(path, _) => number(work, &[path, &[part]].concat()),
        Source::Sum(path) => {
            at(work, path).and_then(Value::as_object).map(|all| all.values().filter_map(Value::as_f64).sum())
        }
        Source::Value => match number(work, &["values", part]) {
            None if ended.is_some() => return Err(format!("nothing in its output is `{part}`")),
            found => found,
        },
        _ => None,
    };
    Ok(vec![Reading::at(value.ok_or_else(|| why(work))?, ended)])
}

//! Whether expectations hold: a pure function of a finished report. Nothing here can be a mistake of the scenario, which
//! was checked; what a run has no samples of fails, and says why.

mod compare;
mod grid;
mod link;
mod near;
mod node;
mod ping;
mod stream;
mod tcp;
#[cfg(test)]
mod tests;
mod when;
mod words;
mod work;

use super::expectation::{Expectation, Judged, Member};
use super::report::Report;
use crate::scenario::expect::catalogue::Source;
use crate::scenario::expect::{self, Check, Measure, Reach, Subject};

/// A stretch of time in ns from t = 0: from, and up to.
type Stretch = (i64, i64);

/// One value of a measure.
#[derive(Clone, Debug, PartialEq)]
struct Reading {
    /// In the measure's unit.
    value: f64,
    /// When, or when it was worst, as far as there is such an instant.
    at: Option<i64>,
    /// Of which direction.
    label: Option<String>,
}

impl Reading {
    fn of(value: f64) -> Reading {
        Reading { value, at: None, label: None }
    }

    fn at(value: f64, at: Option<i64>) -> Reading {
        Reading { value, at, label: None }
    }
}

/// The values of a measure: one, one for each direction, or one for each instant. Else why there is none.
type Readings = Result<Vec<Reading>, String>;

/// Judges expectations by what a run has reported.
pub fn judge(expectations: &[expect::Expectation], report: &Report) -> Vec<Expectation> {
    expectations.iter().map(|expectation| one(expectation, report)).collect()
}

fn one(expectation: &expect::Expectation, report: &Report) -> Expectation {
    let mut all: Vec<(Option<String>, Judged)> =
        expectation.claims.iter().map(|claim| (claim.member.clone(), claimed(&claim.check, report))).collect();
    let shown = all.iter().position(|(_, judged)| !judged.pass).unwrap_or(0);
    let judged = match all.get(shown) {
        Some((_, judged)) => judged.clone(),
        None => lack("", "nothing was claimed".into(), ""),
    };
    let members = if all.iter().all(|(member, _)| member.is_none()) {
        Vec::new()
    } else {
        all.drain(..).filter_map(|(name, judged)| Some(Member { name: name?, judged })).collect()
    };
    let expect::Expectation { name, text, span, .. } = expectation;
    Expectation { name: name.clone(), text: text.clone(), line: span.line, column: span.column, judged, members }
}

fn claimed(check: &Check, report: &Report) -> Judged {
    let mut judged = match check {
        Check::Compare(compare) => compare::compare(compare, report),
        Check::Reach(reach) => reached(reach, report),
    };
    if judged.pass {
        judged.at_ns = None;
    } else {
        judged.near = judged.at_ns.and_then(|at| near::before(&report.events, at));
    }
    judged
}

/// Without samples nothing holds.
fn lack(expected: &str, why: String, unit: &'static str) -> Judged {
    Judged {
        pass: false,
        measured: None,
        value: None,
        unit: unit.into(),
        expected: expected.to_owned(),
        reason: Some(format!("no samples: {why}")),
        at_ns: None,
        near: None,
    }
}

/// The values of a measure, over the whole run or within a stretch of it.
fn readings(measure: &Measure, stretch: Option<Stretch>, report: &Report) -> Readings {
    let part = measure.part.as_deref().unwrap_or_default();
    let mut readings = match &measure.subject {
        Subject::Workload(name) => {
            let work = report.workloads.get(name).ok_or_else(|| "it was not run".to_owned())?;
            match measure.source {
                Source::Requests(of) => ping::requests(of, work, stretch),
                Source::Spread(["rtt_ns"], _) if stretch.is_some() => ping::round_trips(part, work, stretch),
                Source::Spread(["rtt_ns"], _) => ping::whole_times(part, work),
                Source::Stream(of) => stream::stream(of, work, stretch),
                Source::Spread(at @ ["receiver", "delay_ns"], _) => stream::delays(at, part, work, stretch),
                Source::Arrived(of) => tcp::arrived(of, work, stretch),
                source => work::field(source, part, work),
            }
        }
        Subject::Link { name, to } => link::directions(measure.source, part, (name, to.as_deref()), stretch, report),
        Subject::Node(name) => node::node(measure.source, part, name, report),
    }?;
    for reading in &mut readings {
        // a hundredth is no binary fraction: what is divided by a hundred is rounded once
        let scale = measure.scale;
        reading.value = if scale < 1.0 { reading.value / (1.0 / scale).round() } else { reading.value * scale };
    }
    if readings.is_empty() { Err("there is nothing of it in the report".into()) } else { Ok(readings) }
}

fn reached(reach: &Reach, report: &Report) -> Judged {
    let expected = if reach.not { "no answer" } else { "an answer" };
    let times = when::instant(&reach.from, report).and_then(|from| Ok((from, when::instant(&reach.to, report)?)));
    let found = times.and_then(|stretch| {
        let work = report.workloads.get(&reach.probe).ok_or_else(|| "it was not asked".to_owned())?;
        Ok((stretch, ping::answered(work, stretch)?))
    });
    let ((from, _), (asked, answer)) = match found {
        Ok(found) => found,
        Err(why) => return lack(expected, why, "ns"),
    };
    let took = answer.map(|at| at - from);
    let measured = match took {
        Some(took) => format!("an answer after {}", words::time(took as f64)),
        None => format!("no answer to {asked} requests"),
    };
    Judged {
        pass: answer.is_some() != reach.not,
        measured: Some(measured),
        value: took.map(|took| took as f64),
        unit: "ns".into(),
        expected: expected.to_owned(),
        reason: None,
        at_ns: Some(answer.unwrap_or(from)),
        near: None,
    }
}

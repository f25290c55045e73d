//! Whether expectations hold: a pure function of a finished report. Nothing here can be a mistake of the scenario, which
//! was checked; what a run has no samples of fails, and says why. What lateness of the machine can have decided is neither
//! held nor failed: see `doubt`.

mod compare;
mod distance;
mod doubt;
#[cfg(test)]
mod doubt_tests;
mod floor;
mod grid;
mod link;
mod near;
mod node;
mod phases;
mod ping;
mod reading;
mod stream;
mod tcp;
#[cfg(test)]
mod tests;
mod when;
pub(crate) mod words;
mod workload;

use doubt::Doubt;
pub use doubt::queueing;
pub use phases::measure as measure_phases;
use reading::Reading;

use crate::measured::catalogue::Source;
use crate::report::expectation::{Expectation, Judged, Member};
use crate::report::json::Report;
use crate::tasks::expect;
use crate::tasks::expect::{Check, Measure, Reach, Subject};

/// A stretch of time in ns from t = 0: from, and up to.
type Stretch = (i64, i64);

/// The values of a measure: one, one for each direction, or one for each instant. Else why there is none.
type Readings = Result<Vec<Reading>, String>;

/// Judges expectations by what a run has reported.
pub fn judge(expectations: &[expect::Expectation], report: &Report) -> Vec<Expectation> {
    let doubt = Doubt::of(report);
    expectations.iter().map(|expectation| one(expectation, &doubt, report)).collect()
}

/// The values of measures over the whole run, each in its unit; `None` where a run has none.
pub fn values(measures: &[Measure], report: &Report) -> Vec<Option<f64>> {
    let doubt = Doubt::of(report);
    let first = |measure| readings(measure, None, &doubt, report).ok()?.first().map(|reading| reading.value);
    measures.iter().map(first).collect()
}

fn one(expectation: &expect::Expectation, doubt: &Doubt<'_>, report: &Report) -> Expectation {
    let mut all: Vec<(Option<String>, Judged)> =
        expectation.claims.iter().map(|claim| (claim.member.clone(), claimed(&claim.check, doubt, report))).collect();
    let first = |which: fn(&Judged) -> bool| all.iter().position(|(_, judged)| which(judged));
    let shown = first(Judged::fails).or_else(|| first(|judged| !judged.pass)).unwrap_or(0);
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

fn claimed(check: &Check, doubt: &Doubt<'_>, report: &Report) -> Judged {
    let mut judged = match check {
        Check::Compare(compare) => compare::compare(compare, doubt, report),
        Check::Reach(reach) => reached(reach, doubt, report),
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
        invalid: None,
        compared: None,
    }
}

/// The same, of a run whose machine can be why there are none.
fn lacking(expected: &str, why: String, unit: &'static str, doubt: &Doubt<'_>) -> Judged {
    let invalid = doubt.beyond.then(|| "longwire was late beyond its limits, which can be why".to_owned());
    Judged { invalid, ..lack(expected, why, unit) }
}

/// The values of a measure, over the whole run or within a stretch of it, each with the range that it may have in truth.
fn readings(measure: &Measure, stretch: Option<Stretch>, doubt: &Doubt<'_>, report: &Report) -> Readings {
    let mut readings = match &measure.subject {
        Subject::Workload(name) => {
            let work = report.workloads.get(name).ok_or_else(|| "it was not run".to_owned())?;
            match measure.source {
                Source::Requests(of) => ping::requests(of, work, stretch, doubt),
                Source::RoundTrips => ping::round_trips(measure.part(), work, stretch, doubt),
                Source::Stream(of) => stream::stream(of, work, stretch),
                Source::OneWay => stream::delays(measure.part(), work, stretch, doubt),
                Source::Arrived(of) => tcp::arrived(of, work, stretch),
                _ => workload::field(measure, work),
            }
        }
        Subject::Link { name, to } => link::directions(measure, (name, to.as_deref()), stretch, report),
        Subject::Node(name) => node::node(measure, name, report),
    }?;
    doubt.widen(measure, stretch, &mut readings);
    readings.iter_mut().for_each(|reading| reading.convert(measure.scale));
    if readings.is_empty() { Err("there is nothing of it in the report".into()) } else { Ok(readings) }
}

fn reached(reach: &Reach, doubt: &Doubt<'_>, report: &Report) -> Judged {
    let expected = if reach.not { "no answer" } else { "an answer" };
    let times = when::instant(&reach.from, report).and_then(|from| Ok((from, when::instant(&reach.to, report)?)));
    let found = times.and_then(|stretch| {
        let work = report.workloads.get(&reach.probe).ok_or_else(|| "it was not asked".to_owned())?;
        Ok((stretch, ping::answered(work, stretch, doubt)?))
    });
    let ((from, to), (asked, answer)) = match found {
        Ok(found) => found,
        Err(why) => return lacking(expected, why, "ns", doubt),
    };
    let took = answer.map(|at| at - from);
    let measured = match took {
        Some(took) => format!("an answer after {}", words::time(took as f64)),
        None => format!("no answer to {asked} requests"),
    };
    // An answer that came would have come without gaps too; one that did not come may have been kept up by one.
    let met = doubt.exposure((from, to));
    let kept_up = answer.is_none() && !reach.not && met.count > 0;
    Judged {
        pass: answer.is_some() != reach.not,
        invalid: kept_up.then(|| format!("longwire did not read its ports {} times meanwhile", met.count)),
        measured: Some(measured),
        value: took.map(|took| took as f64),
        unit: "ns".into(),
        expected: expected.to_owned(),
        compared: None,
        reason: None,
        at_ns: Some(answer.unwrap_or(from)),
        near: None,
    }
}

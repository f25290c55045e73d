//! What is taken straight from a workload's report.

use super::Readings;
use super::reading::Reading;
use crate::measured::Times;
use crate::measured::catalogue::Source;
use crate::report::json::WorkloadReport;
use crate::tasks::expect::Measure;

/// Why a workload has no such measure.
pub(super) fn why(work: &WorkloadReport) -> String {
    match (&work.reason, work.started_ns, work.ended_ns) {
        (Some(reason), ..) => reason.clone(),
        (None, None, _) => "it never started".into(),
        (None, _, None) => "it had not ended".into(),
        _ => "it measured none".into(),
    }
}

/// Measures that have no times of their own.
pub(super) fn field(measure: &Measure, work: &WorkloadReport) -> Readings {
    let (started, ended) = (work.started_ns, work.ended_ns);
    let part = |times: Option<&Times>| Some(times?.get(measure.part()?)? as f64);
    let value = match measure.source {
        Source::Exit => work.exit.map(f64::from),
        Source::Ok => return Ok(vec![Reading::at(f64::from(u8::from(work.ok)), ended)]),
        Source::Started => started.map(|at| at as f64),
        Source::Ended => ended.map(|at| at as f64),
        Source::Took => started.zip(ended).map(|(from, to)| (to - from) as f64),
        Source::Number(get, _) => get(&work.measured),
        Source::Times(get) => part(get(&work.measured)),
        Source::Jitter => part(work.measured.udp_receiver().and_then(|receiver| receiver.jitter_ns.as_ref())),
        Source::Value => {
            let values = work.measured.values().and_then(|program| program.values.as_ref());
            let name = measure.name();
            match values.and_then(|values| values.get(name)).copied() {
                None if ended.is_some() => return Err(format!("nothing in its output is `{name}`")),
                found => found,
            }
        }
        _ => None,
    };
    Ok(vec![Reading::at(value.ok_or_else(|| why(work))?, ended)])
}

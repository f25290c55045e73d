//! Instants that expectations name, as the run had them.

use super::Stretch;
use crate::report::json::Report;
use crate::tasks::expect::{Base, Time, Window};

/// When an instant was, in ns from t = 0.
pub(super) fn instant(time: &Time, report: &Report) -> Result<i64, String> {
    let end = i64::try_from(report.duration_ns).unwrap_or(i64::MAX);
    let base = match &time.base {
        Base::Zero => 0,
        Base::End => end,
        Base::Mark(name) => {
            let mark = report.events.iter().find(|event| event.mark.as_ref() == Some(name));
            mark.map(|event| event.at_ns).ok_or_else(|| format!("the run ended before `{name}`"))?
        }
        Base::Started(name) => {
            let work = report.workloads.get(name);
            work.and_then(|work| work.started_ns).ok_or_else(|| format!("`{name}` never started"))?
        }
        Base::Ended(name) => {
            let work = report.workloads.get(name);
            work.and_then(|work| work.ended_ns).ok_or_else(|| format!("`{name}` never ended"))?
        }
    };
    Ok(base.saturating_add(i64::try_from(time.offset.as_nanos()).unwrap_or(i64::MAX)))
}

/// When a window began and ended.
pub(super) fn stretch(window: &Window, report: &Report) -> Result<Stretch, String> {
    let end = i64::try_from(report.duration_ns).unwrap_or(i64::MAX);
    let (from, to) = match window {
        Window::FromTo(from, to) => (instant(from, report)?, instant(to, report)?),
        Window::After(time) => (instant(time, report)?, end),
        Window::Before(time) => (0, instant(time, report)?),
    };
    if from >= end {
        return Err(format!("the run ended before `{window}`"));
    }
    if from >= to {
        let [from, to] = [from, to].map(|ns| super::words::time(ns as f64));
        return Err(format!("`{window}` had no length: it began at {from}, and ended at {to}"));
    }
    Ok((from, to))
}

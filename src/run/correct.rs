//! Takes the lateness that gaps made out of what udp workloads measured: the second opinion that delays are judged by.

use serde_json::Value;

use crate::judge::queueing;
use crate::report::gaps::Gaps;
use crate::report::json::{Report, Work};
use crate::tasks::expect::Percentile;
use crate::workload;

/// Puts what receivers would have measured at the least beside what they measured, and takes their samples away.
pub(super) fn correct(report: &mut Report) {
    let rated = report.directions.iter().filter(|direction| !direction.requested.json()["rate"].is_null());
    let queued = queueing(&rated.cloned().collect::<Vec<_>>());
    let gaps = report.validity.gaps.clone();
    report.workloads.values_mut().filter(|work| work.kind == "udp").for_each(|work| stream(work, &gaps, queued));
}

/// `queued`: the longest that a frame may have stood in queues.
fn stream(work: &mut Work, gaps: &Gaps, queued: u64) {
    let Some(Value::Object(receiver)) = work.results.get_mut("receiver") else { return };
    let Some(samples) = receiver.remove("samples") else { return };
    let Some(began) = receiver.get("began_ns").and_then(Value::as_i64) else { return };
    if gaps.list.is_empty() {
        return;
    }
    // what this program's own receiver has written
    let samples: Vec<(u64, u64)> = serde_json::from_value(samples).unwrap_or_default();
    let unique = receiver.get("unique").and_then(Value::as_u64).unwrap_or(0);
    let late = |at: u64, delay: u64| {
        let arrived = began + at as i64;
        let sent = arrived - delay as i64;
        let behind_bursts = gaps.aftermath(sent).max(gaps.aftermath(arrived)).min(queued);
        gaps.one_way(sent, arrived) + behind_bursts
    };
    // those that were asked for stand beside those that are always there
    let delays = receiver.get("delay_ns").and_then(Value::as_object);
    let percentiles: Vec<Percentile> =
        delays.iter().flat_map(|delays| delays.keys()).filter_map(|name| Percentile::parse(name)).collect();
    let more: Vec<Percentile> = percentiles.into_iter().filter(|one| !Percentile::KEPT.contains(one)).collect();
    if let Some(corrected) = workload::corrected(&samples, unique, &more, late) {
        receiver.insert("corrected".into(), serde_json::to_value(corrected).unwrap_or(Value::Null));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn samples_go_and_what_they_were_late_by_stays() {
        let with = |receiver: Value| Work {
            kind: "udp".into(),
            place: "a → b".into(),
            ok: true,
            reason: None,
            started_ns: Some(0),
            ended_ns: Some(1_000_000_000),
            exit: None,
            output: Vec::new(),
            results: [("receiver".to_owned(), receiver)].into_iter().collect(),
        };
        let receiver = json!({ "began_ns": 1_000_000, "unique": 2, "samples": [[9_000_000, 1_000_000], [99_000_000, 60_000_000]] });
        let mut on_time = with(receiver.clone());
        stream(&mut on_time, &Gaps::default(), 0);
        assert_eq!(on_time.results["receiver"], json!({ "began_ns": 1_000_000, "unique": 2 }));
        let mut late = with(receiver);
        stream(&mut late, &Gaps { least_ns: 0, list: vec![(30_000_000, 95_000_000)] }, 0);
        let receiver = &late.results["receiver"];
        assert!(receiver.get("samples").is_none());
        // sent at 40 ms, read at 95 ms at the latest
        assert_eq!(receiver["corrected"]["delay_ns"]["max"], 5_000_000);
        assert_eq!(receiver["corrected"]["delay_ns"]["min"], 1_000_000);
    }
}

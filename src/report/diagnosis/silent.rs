//! Silences of workloads that begin with a change of the network.

use indexmap::IndexMap;

use super::lost;
use crate::measured::{Gap, Measured, Times};
use crate::report::happened::changes;
use crate::report::json::{Event, Report, WorkloadReport};
use crate::report::terminal::{seconds, time};

/// Shorter silences are told by nobody.
const SHORTEST: u64 = 200_000_000;
/// So much longer than what is usual between two arrivals.
const UNUSUAL: u64 = 5;
/// Changes so close to each other were asked for at one instant.
const INSTANT: i64 = 1_000_000;

/// So many workloads with the same silence are named.
const NAMED: usize = 3;

pub(super) fn sentences(report: &Report) -> Vec<String> {
    // where its datagrams ended has been said with the time of its silence
    let told = lost::of_one_workload(report);
    let others = report.workloads.iter().filter(|(name, _)| told.as_ref() != Some(*name));
    let mut silences: IndexMap<String, Vec<&str>> = IndexMap::new();
    for (when, name) in others.filter_map(|(name, work)| Some((when(work, report)?, name))) {
        silences.entry(when).or_default().push(name);
    }
    silences.into_iter().map(|(when, names)| format!("nothing of {} arrived {when}", listed(&names))).collect()
}

/// `a`; `a` and `b`; `a`, `b`, `c` and 4 others.
fn listed(names: &[&str]) -> String {
    let (named, others) = names.split_at(names.len().min(NAMED));
    let mut words: Vec<String> = named.iter().map(|name| format!("`{name}`")).collect();
    match others {
        [] => {}
        [other] => words.push(format!("`{other}`")),
        others => words.push(format!("{} others", others.len())),
    }
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, first)) => format!("{} and {last}", first.join(", ")),
        None => String::new(),
    }
}

/// `for 550 ms: from `short=down` at 2 s until …`, where the longest silence of a workload begins with a change.
pub(super) fn when(work: &WorkloadReport, report: &Report) -> Option<String> {
    let gap = work.measured.gap()?;
    let (usual, slowest) = pace(&work.measured)?;
    if gap.max_ns < SHORTEST.max(UNUSUAL * usual) {
        return None;
    }
    // what was under way arrives after the change, and the last arrival may have been a whole pause before it
    let slack = i64::try_from(usual + slowest).ok()?;
    // of changes after `past`, the nearest; of several at one instant, that of the same thing
    let near = |at: i64, past: i64, thing: &str| {
        let apart = |change: &Event| (change.at_ns - at).abs();
        let close = changes(report).filter(|change| change.at_ns > past && apart(change) <= slack);
        let nearest = close.min_by_key(|change| (apart(change) / INSTANT, subject(&change.what) != thing));
        nearest.map(|change| (&change.what, change.at_ns))
    };
    let Gap { from_ns, max_ns, to_ns } = gap;
    let (begin, at) = near(from_ns, i64::MIN, "")?;
    let until = near(to_ns, at, subject(begin));
    let until = until.map(|(what, until)| format!(", until `{what}` at {}", seconds(until))).unwrap_or_default();
    Some(format!("for {} from `{begin}` at {} on{until}", time(max_ns), seconds(at)))
}

/// What a change is about: `wifi` of `wifi=down`.
fn subject(change: &str) -> &str {
    change.split('=').next().unwrap_or(change)
}

/// What is usual between two arrivals, and the slowest transit; `None` where that is not known.
fn pace(measured: &Measured) -> Option<(u64, u64)> {
    let between = |duration: u64, sent: u64| duration / sent.saturating_sub(1).max(1);
    let slowest = |times: &Option<Times>| times.as_ref().map_or(0, Times::max);
    match measured {
        Measured::Program(_) | Measured::Tcp(_) | Measured::Ping(None) => None,
        Measured::Ping(Some(ping)) => {
            let last = ping.samples.last()?.0;
            Some((between(last, ping.samples.len() as u64), slowest(&ping.rtt_ns)))
        }
        Measured::Udp(udp) => {
            let (sender, receiver) = (udp.sender.as_ref()?, udp.receiver.as_ref()?);
            Some((between(sender.duration_ns, sender.sent), slowest(&receiver.delay_ns)))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::diagnosis::testing::with;
    use crate::report::testing::{event, work};

    const MS: u64 = 1_000_000;

    fn said(from_ms: u64, length_ms: u64) -> Vec<String> {
        told(from_ms, length_ms, &[event(2_500, "routers and switches follow short=down")])
    }

    fn told(from_ms: u64, length_ms: u64, later: &[Event]) -> Vec<String> {
        let gap = json!({ "from_ns": from_ms * MS, "max_ns": length_ms * MS, "to_ns": (from_ms + length_ms) * MS });
        let stream = json!({ "sender": { "sent": 501, "duration_ns": 10_000 * MS },
            "receiver": { "delay_ns": { "max": 30 * MS } }, "gap": gap });
        let mut report = with("call", work("udp", "a → b", stream));
        report.events = [&[event(2_000, "short=down")], later].concat();
        sentences(&report)
    }

    #[test]
    fn workloads_with_the_same_silence_share_a_sentence() {
        let names = ["a", "b", "c", "d", "e"];
        let told = [1, 2, 3, 4, 5].map(|count| listed(&names[..count]));
        assert_eq!(
            told,
            ["`a`", "`a` and `b`", "`a`, `b` and `c`", "`a`, `b`, `c` and `d`", "`a`, `b`, `c` and 2 others"]
        );
        let gap = json!({ "from_ns": 2_000 * MS, "max_ns": 550 * MS, "to_ns": 2_550 * MS });
        let stream = json!({ "sender": { "sent": 501, "duration_ns": 10_000 * MS },
            "receiver": { "delay_ns": { "max": 30 * MS } }, "gap": gap });
        let mut report = with("call", work("udp", "a → b", stream.clone()));
        report.workloads.insert("talk".into(), work("udp", "b → a", stream));
        report.events = vec![event(2_000, "short=down")];
        assert_eq!(sentences(&report), ["nothing of `call` and `talk` arrived for 550 ms from `short=down` at 2 s on"]);
    }

    #[test]
    fn a_silence_is_put_beside_the_change_that_it_begins_with() {
        assert_eq!(
            said(1_997, 550),
            [
                "nothing of `call` arrived for 550 ms from `short=down` at 2 s on, until `routers and switches follow short=down` \
                 at 2.5 s"
            ]
        );
        assert_eq!(said(2_020, 900), ["nothing of `call` arrived for 900 ms from `short=down` at 2 s on"]);
        let up = ["short.loss=none", "short=up", "other=up"].map(|what| event(2_500, what));
        assert!(told(1_997, 550, &up)[0].ends_with("until `short=up` at 2.5 s"));
        assert_eq!(said(1_200, 900), [""; 0], "it began before anything was changed");
        assert_eq!(said(1_997, 150), [""; 0], "too short to tell");
    }
}

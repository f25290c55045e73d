//! Workloads of a group that did what was asked, as one.

use indexmap::{IndexMap, IndexSet};

use super::alike::{FEWEST_WORKLOADS, from_to, stem};
use super::json::WorkloadReport;
use super::terminal::{exact_percent, rate, time};
use crate::measured::{Measured, Part};
use crate::stats::median;

/// Many alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The first and the last.
    pub(crate) name: String,
    /// `12 × ping`.
    pub(crate) kind: String,
    /// Where they ran.
    pub(crate) places: String,
    /// What each measured: least, median, most.
    pub(crate) results: Vec<String>,
}

type Named<'a> = (&'a String, &'a WorkloadReport);

/// Groups, and what is to be told by itself: those that failed among it, in their order.
pub(crate) fn of(works: Vec<Named<'_>>) -> (Vec<Group>, Vec<Named<'_>>) {
    let mut like: IndexMap<(String, &str), Vec<Named<'_>>> = IndexMap::new();
    for (name, work) in &works {
        if work.ok && stem(name) != **name {
            like.entry((stem(name), &work.kind)).or_default().push((name, work));
        }
    }
    like.retain(|_, members| members.len() >= FEWEST_WORKLOADS);
    let grouped: IndexSet<&String> = like.values().flatten().map(|(name, _)| *name).collect();
    let alone = works.iter().filter(|(name, _)| !grouped.contains(name)).copied().collect();
    (like.values().map(|members| group(members)).collect(), alone)
}

fn group(members: &[Named<'_>]) -> Group {
    let spread = |of: &dyn Fn(&Measured) -> Option<f64>, words: &dyn Fn(f64) -> String| {
        let mut all: Vec<f64> = members.iter().filter_map(|(_, work)| of(&work.measured)).collect();
        all.sort_by(f64::total_cmp);
        let (first, last) = (all.first()?, all.last()?);
        Some(format!("{} … {} … {}", words(*first), words(median(&all)?), words(*last)))
    };
    let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
    let ns = |ns: f64| time(ns as u64);
    let bps = |bps: f64| rate(bps as u64);
    let results = [
        ("round trip p50", spread(&|m| Some(m.ping()?.rtt_ns.as_ref()?.get(Part::P50)? as f64), &ns)),
        ("lost", spread(&|m| m.ping().and_then(|ping| share(ping.lost, ping.sent)), &exact_percent)),
        ("one way p50", spread(&|m| Some(m.udp_receiver()?.delay_ns.as_ref()?.get(Part::P50)? as f64), &ns)),
        ("lost", spread(&|m| share(m.udp_receiver()?.lost, m.udp_sender()?.sent), &exact_percent)),
        ("goodput", spread(&|m| Some(m.tcp_receiver()?.goodput_bps? as f64), &bps)),
    ];
    let told: Vec<String> =
        results.into_iter().filter_map(|(what, words)| Some(format!("{what} {}", words?))).collect();
    let places = members.iter().map(|(_, work)| work.place.split(" → ").map(stem).collect::<Vec<_>>().join(" → "));
    let places: IndexSet<String> = places.collect();
    Group {
        name: from_to(members.iter().map(|(name, _)| name.as_str())),
        kind: format!("{} × {}", members.len(), members[0].1.kind),
        places: places.into_iter().collect::<Vec<_>>().join(", "),
        results: if told.is_empty() { told } else { vec![format!("each {}", told.join(", "))] },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::testing::work;

    #[test]
    fn those_that_failed_are_told_by_themselves() {
        let ping = |n: u64| {
            let fields = json!({ "sent": 100, "lost": n, "rtt_ns": { "p50": n * 1_000_000 } });
            work("ping", &format!("pc-{n} → server"), fields)
        };
        let mut works: IndexMap<String, WorkloadReport> = (1..=7).map(|n| (format!("rtt-{n}"), ping(n))).collect();
        works["rtt-3"].ok = false;
        works.insert("alone".into(), ping(9));
        let (groups, alone) = of(works.iter().collect());
        assert_eq!(alone.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["rtt-3", "alone"]);
        let [group] = &groups[..] else { panic!("one") };
        assert_eq!((group.name.as_str(), group.kind.as_str()), ("rtt-1 … rtt-7", "6 × ping"));
        assert_eq!(group.places, "pc-* → server");
        assert_eq!(group.results, ["each round trip p50 1 ms … 4.5 ms … 7 ms, lost 1 % … 4.5 % … 7 %"]);
    }
}

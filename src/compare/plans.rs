//! What runs were asked to do, as their reports have it: one map of words, so that two of them can be laid side by side.

use std::collections::BTreeSet;

use indexmap::{IndexMap, IndexSet};
use serde::Serialize;
use serde_json::Value;

use crate::judge::words;
use crate::measured::Unit;
use crate::report::Report;
use crate::report::json::{EventKind, Mode};

/// Something that two plans have differently.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlanDifference {
    /// What: `wifi.toward.home: loss.1.rate`.
    pub what: String,
    /// As the first group has it; `None` where it does not have it.
    pub a: Option<String>,
    /// As the second group has it.
    pub b: Option<String>,
}

/// A value as it is, and as people read it: rounded, two values may read the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    exact: String,
    words: String,
}

impl From<String> for Asked {
    fn from(text: String) -> Asked {
        Asked { exact: text.clone(), words: text }
    }
}

impl From<&str> for Asked {
    fn from(text: &str) -> Asked {
        text.to_owned().into()
    }
}

type Words = IndexMap<String, Asked>;

/// What all runs of a plan have alike.
fn fixed(report: &Report) -> Words {
    let mut all = Words::new();
    let clock = match report.mode {
        Mode::Live => "live",
        Mode::Virtual => "virtual",
    };
    all.insert("scenario".into(), report.scenario.clone().into());
    all.insert("clock".into(), clock.into());
    for (name, value) in &report.params {
        all.insert(format!("parameter {name}"), value.clone().into());
    }
    for node in &report.nodes {
        all.insert(format!("node {}", node.name), node.kind.to_string().into());
    }
    for port in &report.ports {
        all.insert(format!("interface {} of {}", port.interface, port.host), "there".into());
    }
    for direction in &report.directions {
        let whose = direction.path();
        all.insert(whose.clone(), format!("{} → {}", direction.from, direction.to).into());
        flatten(&whose, &direction.parameters, &mut all);
    }
    let works = [("workload", &report.workloads), ("service", &report.services)];
    for (word, (name, work)) in works.into_iter().flat_map(|(word, works)| works.iter().map(move |one| (word, one))) {
        all.insert(format!("{word} {name}"), format!("{}, {}", work.kind, work.place).into());
    }
    for expectation in &report.expectations {
        all.insert(format!("expectation {}", expectation.title()), expectation.text.clone().into());
    }
    all
}

/// The timeline, reached or not; when a step comes may depend on how a run went.
fn timeline(report: &Report) -> Words {
    let at = |ns: Option<i64>| match ns {
        Some(ns) => Asked { exact: ns.to_string(), words: words::time(ns as f64) },
        None => "after what it waits for".into(),
    };
    let reached = report.events.iter().filter(|event| event.kind == EventKind::Timeline);
    let reached = reached.map(|event| (&event.what, at(event.planned_ns)));
    let rest =
        report.not_reached.iter().map(|left| (&left.what, at(left.planned_ns.and_then(|ns| i64::try_from(ns).ok()))));
    let mut all = Words::new();
    for (what, at) in reached.chain(rest) {
        let times = all.entry(format!("timeline {what}")).or_default();
        for (times, at) in [(&mut times.exact, at.exact), (&mut times.words, at.words)] {
            times.push_str(if times.is_empty() { "" } else { ", " });
            times.push_str(&at);
        }
    }
    all
}

fn machine(report: &Report) -> Words {
    let machine = &report.machine;
    [
        ("kernel", machine.kernel.clone()),
        ("processors", machine.cores.to_string()),
        ("longwire", machine.version.to_string()),
    ]
    .map(|(what, value)| (format!("machine {what}"), value.into()))
    .into_iter()
    .collect()
}

/// A value and all within it: `loss.1.rate` is `2 %`.
fn flatten(name: &str, value: &Value, all: &mut Words) {
    let deeper = |part: &str| if name.contains(": ") { format!("{name}.{part}") } else { format!("{name}: {part}") };
    match value {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(part, value)| flatten(&deeper(part), value, all)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(n, value)| flatten(&deeper(&(n + 1).to_string()), value, all));
        }
        value => {
            let (what, words) = in_unit(name, value);
            all.insert(what, Asked { exact: value.to_string(), words });
        }
    }
}

/// `delay.mean_ns` and 20000000 as `delay.mean` and `20 ms`.
fn in_unit(name: &str, value: &Value) -> (String, String) {
    const SHARES: [&str; 9] =
        ["rate", "correlation", "probability", "p", "r", "bad_loss", "good_loss", "weight", "ecn_threshold"];
    let plain = || value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let last = name.rsplit(['.', ' ']).next().unwrap_or(name);
    let suffix = [("_ns", Unit::Time), ("_bps", Unit::Rate), ("_bytes", Unit::Size)]
        .into_iter()
        .find_map(|(suffix, unit)| Some((name.strip_suffix(suffix)?, unit)));
    match (value.as_f64(), suffix) {
        (Some(number), Some((stem, unit))) => (stem.to_owned(), words::value(number, unit)),
        (Some(number), None) if SHARES.contains(&last) => (name.to_owned(), words::value(number, Unit::Share)),
        _ => (name.to_owned(), plain()),
    }
}

/// The first thing that runs of one group have differently, though all should be of one plan: what, and in which runs.
pub(super) fn mixed(reports: &[&Report]) -> Option<(String, [usize; 2])> {
    let first = fixed(reports.first()?);
    reports.iter().enumerate().skip(1).find_map(|(n, report)| {
        let what = differing(&first, &fixed(report)).into_iter().next()?;
        let word = |value: Option<String>| value.unwrap_or_else(|| "nothing".into());
        Some((format!("`{}`: {} and {}", what.what, word(what.a), word(what.b)), [0, n]))
    })
}

/// What two groups, each of one plan, were asked to do differently.
pub(super) fn differences(a: &[&Report], b: &[&Report]) -> Vec<PlanDifference> {
    let whole = |reports: &[&Report]| {
        let mut all = reports.first().map(|report| fixed(report)).unwrap_or_default();
        for varying in [timeline, machine] {
            let runs: Vec<Words> = reports.iter().map(|report| varying(report)).collect();
            let names: IndexSet<&String> = runs.iter().flat_map(Words::keys).collect();
            for name in names {
                // in an order of their own: that of the runs says nothing
                let values: BTreeSet<&Asked> = runs.iter().filter_map(|run| run.get(name)).collect();
                let varies = values.len() > 1 && name.starts_with("timeline");
                let joined = |of: fn(&Asked) -> &str| values.iter().map(|one| of(one)).collect::<Vec<_>>().join(", ");
                let all_of = Asked { exact: joined(|one| &one.exact), words: joined(|one| &one.words) };
                all.insert(name.clone(), if varies { "at different times".into() } else { all_of });
            }
        }
        all
    };
    differing(&whole(a), &whole(b))
}

fn differing(a: &Words, b: &Words) -> Vec<PlanDifference> {
    let names: IndexSet<&String> = a.keys().chain(b.keys()).collect();
    let differences = names.into_iter().filter_map(|name| {
        let (a, b) = (a.get(name), b.get(name));
        if a.map(|one| &one.exact) == b.map(|one| &one.exact) {
            return None;
        }
        let rounded = a.map(|one| &one.words) == b.map(|one| &one.words);
        let shown = |one: Option<&Asked>| one.map(|one| if rounded { one.exact.clone() } else { one.words.clone() });
        Some(PlanDifference { what: name.clone(), a: shown(a), b: shown(b) })
    });
    differences.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn equal_plans_do_not_differ_and_what_differs_is_named_in_its_unit() {
        let a = testing::report();
        let mut b = testing::report();
        b.seed = 8;
        b.directions[0].offered.frames += 7;
        assert_eq!(differences(&[&a], &[&b]), []);
        b.directions[0].parameters["delay"]["mean_ns"] = 30_000_000.into();
        b.directions[0].parameters["loss"][0]["rate"] = 0.07.into();
        b.params.insert("loss".into(), "7%".into());
        b.services.clear();
        let lines: Vec<String> = differences(&[&a], &[&b])
            .into_iter()
            .map(|d| format!("{} | {} | {}", d.what, d.a.unwrap_or_default(), d.b.unwrap_or_default()))
            .collect();
        assert_eq!(
            lines,
            [
                "parameter loss | 5% | 7%",
                "wifi.toward.home: delay.mean | 20 ms | 30 ms",
                "wifi.toward.home: loss.1.rate | 5 % | 7 %",
                "service web | shell, server | ",
            ]
        );
    }

    #[test]
    fn values_that_read_the_same_when_rounded_differ() {
        let with = |rate: f64| {
            let mut report = testing::report();
            report.directions[0].parameters["loss"][0]["rate"] = rate.into();
            report
        };
        let (a, b) = (with(1e-6), with(2e-6));
        let found = differences(&[&a], &[&b]);
        assert_eq!((found[0].a.as_deref(), found[0].b.as_deref()), (Some("1e-6"), Some("2e-6")), "{found:?}");
        assert!(mixed(&[&a, &b]).is_some());
    }

    #[test]
    fn the_order_of_runs_is_no_difference() {
        let (mut old, mut new) = (testing::report(), testing::report());
        (old.machine.kernel, new.machine.kernel) = ("6.1".into(), "6.12".into());
        assert_eq!(differences(&[&old, &new], &[&new, &old]), []);
    }

    #[test]
    fn runs_of_two_plans_are_no_group() {
        let a = testing::report();
        let mut b = testing::report();
        assert_eq!(mixed(&[&a, &b]), None);
        b.params.insert("loss".into(), "7%".into());
        let (what, runs) = mixed(&[&a, &a, &b]).expect("a difference");
        assert_eq!((what.as_str(), runs), ("`parameter loss`: 5% and 7%", [0, 2]));
    }

    #[test]
    fn the_timeline_counts_whether_reached_or_not() {
        let a = testing::report();
        let mut b = testing::report();
        let left = b.not_reached.pop().expect("one");
        b.events.push(testing::event(left.planned_ns.expect("a time") as i64 / 1_000_000, &left.what));
        assert_eq!(differences(&[&a], &[&b]), []);
        b.events[0].planned_ns = Some(3_000_000_000);
        let found = differences(&[&a], &[&b]);
        assert_eq!((found.len(), found[0].what.as_str()), (1, "timeline wifi.loss=40%"), "{found:?}");
        assert_eq!(differences(&[&a, &b], &[&b, &a]), [], "it varies in both");
    }
}

//! Workloads that wait for others, and would wait for ever.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::spec::{Amount, Workload, WorkloadKind};
use super::workload::WorkloadSpec;
use crate::diag::Diagnostics;
use crate::language::section::Named;
use crate::language::spanned::{Names, Spanned};

/// A workload that starts after one that runs to the end, or after itself by way of others, would never start.
pub(crate) fn forbid_waiting_for_ever(
    all: &[Named<WorkloadSpec>],
    done: &IndexMap<String, Workload>,
    diagnostics: &mut Diagnostics,
) {
    let by_name: BTreeMap<&str, &Spanned<Names>> =
        all.iter().filter_map(|w| Some((w.name.as_str(), w.spec.as_ref()?.after.as_ref()?))).collect();
    let after = |name: &str| by_name.get(name).copied();
    for workload in all {
        let Some(list) = after(&workload.name) else { continue };
        for Spanned { value: name, span } in list.each() {
            let amount = match done.get(name).map(|w| &w.kind) {
                Some(WorkloadKind::Ping(ping)) => ping.amount,
                Some(WorkloadKind::Udp(udp)) => udp.amount,
                Some(WorkloadKind::Tcp(tcp)) => tcp.amount,
                Some(WorkloadKind::Program { .. }) | None => continue,
            };
            if amount == Amount::Whole {
                let message = format!("`{}` waits for `{name}`, which runs to the end", workload.name);
                diagnostics.error(span, message).help(format!("give `{name}` a `for` or `count`"));
            }
        }
    }
    // Each cycle is told once, at its member that stands first in the file.
    let mut finished: BTreeSet<&str> = BTreeSet::new();
    for workload in all {
        if let Some(cycle) = cycle_from(&workload.name, &mut finished, &after) {
            let first = all.iter().position(|w| cycle.contains(&w.name.as_str())).unwrap_or_default();
            let start = cycle.iter().position(|name| *name == all[first].name).unwrap_or_default();
            let round = cycle.iter().cycle().skip(start).take(cycle.len() + 1);
            let span = after(&all[first].name).map_or(all[first].span, |after| after.span);
            let names: Vec<_> = round.map(|name| format!("`{name}`")).collect();
            let message = format!("workloads wait for each other: {}", names.join(" after "));
            diagnostics.error(span, message).help("one of them must start by itself");
        }
    }
}

/// A cycle that a depth-first walk from `start` meets. It goes no further than `finished`, from where there is none that
/// was not told, and adds what it has seen.
fn cycle_from<'a>(
    start: &'a str,
    finished: &mut BTreeSet<&'a str>,
    after: &impl Fn(&str) -> Option<&'a Spanned<Names>>,
) -> Option<Vec<&'a str>> {
    let next = |name: &str| after(name).map_or(&[][..], |list| &list.value.0).iter();
    let mut way = vec![(start, next(start))];
    let mut on_way = BTreeSet::from([start]);
    let mut found = None;
    if finished.contains(start) {
        return None;
    }
    while let Some((at, others)) = way.last_mut() {
        match others.next() {
            Some(name) if on_way.contains(name.value.as_str()) => {
                let from = way.iter().position(|(on, _)| *on == name.value).unwrap_or_default();
                found.get_or_insert_with(|| way[from..].iter().map(|(on, _)| *on).collect());
            }
            Some(name) if finished.contains(name.value.as_str()) => {}
            Some(name) => {
                on_way.insert(&name.value);
                way.push((&name.value, next(&name.value)));
            }
            None => {
                finished.insert(at);
                on_way.remove(at);
                way.pop();
            }
        }
    }
    found
}

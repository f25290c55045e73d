//! Workloads that wait for others, and would wait for ever.

use indexmap::IndexMap;

use super::spanned::Spanned;
use super::spec::{Amount, Workload, WorkloadKind};
use super::tasks::Named;
use super::workload::WorkloadSpec;
use crate::diag::{Diagnostic, Diagnostics};

/// A workload that starts after one that runs to the end, or after itself by way of others, would never start.
pub(super) fn forbid_waiting_for_ever(
    all: &[Named<WorkloadSpec>],
    done: &IndexMap<String, Workload>,
    told: &mut Diagnostics,
) {
    let after = |name: &str| {
        let spec = all.iter().find(|w| w.name == name).and_then(|w| w.spec.as_ref());
        spec.and_then(|spec| spec.after.as_ref())
    };
    for workload in all {
        let Some(list) = after(&workload.name) else { continue };
        for name in &list.value.0 {
            let span = if name.span.line > 0 { name.span } else { list.span };
            let amount = match done.get(&name.value).map(|w| &w.kind) {
                Some(WorkloadKind::Ping(ping)) => ping.amount,
                Some(WorkloadKind::Udp(udp)) => udp.amount,
                Some(WorkloadKind::Tcp(tcp)) => tcp.amount,
                Some(WorkloadKind::Program { .. }) | None => continue,
            };
            if amount == Amount::Whole {
                let message = format!("`{}` waits for `{}`, which runs to the end", workload.name, name.value);
                told.push(Diagnostic::error(span, message).help(format!("give `{}` a `for` or `count`", name.value)));
            }
        }
    }
    // Each cycle is told once, at its member that stands first in the file.
    let mut seen: Vec<&str> = Vec::new();
    for workload in all {
        let mut way: Vec<&str> = vec![&workload.name];
        if seen.contains(&workload.name.as_str()) {
            continue;
        }
        if let Some(cycle) = cycle_from(&workload.name, &mut way, &mut Vec::new(), &after) {
            let span = after(&workload.name).map_or(workload.span, |after| after.span);
            let names: Vec<_> = cycle.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("workloads wait for each other: {}", names.join(" after "));
            told.push(Diagnostic::error(span, message).help("one of them must start by itself"));
            seen.extend(cycle);
        }
    }
}

fn cycle_from<'a>(
    start: &str,
    way: &mut Vec<&'a str>,
    visited: &mut Vec<&'a str>,
    after: &impl Fn(&str) -> Option<&'a Spanned<super::workload::After>>,
) -> Option<Vec<&'a str>> {
    let at = *way.last()?;
    for name in after(at).into_iter().flat_map(|list| &list.value.0) {
        if name.value == start {
            let mut cycle = way.clone();
            cycle.push(&name.value);
            return Some(cycle);
        }
        if visited.contains(&name.value.as_str()) {
            continue;
        }
        visited.push(&name.value);
        way.push(&name.value);
        if let Some(cycle) = cycle_from(start, way, visited, after) {
            return Some(cycle);
        }
        way.pop();
    }
    None
}

//! Steps that no traffic can meet: behind the end of all that sends, or on links that nothing goes over. Told only where
//! it can be known: where all that sends is built in.

use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;

use super::{Action, Phase, Step, Target};
use crate::addressing::network::PortPlan;
use crate::diag::{Diagnostics, Span};
use crate::engine::{LinkId, NodeKind, Plan};
use crate::tasks::set::LiveLinks;
use crate::tasks::spec::{Amount, Pace, Path, Start, Workload, WorkloadKind};
use crate::units::Duration;

/// Beyond this many links times workloads nobody waits for the answer.
const MOST: usize = 10_000_000;

/// Who sends.
pub(crate) struct Traffic<'a> {
    /// Workloads.
    pub workloads: &'a IndexMap<String, Workload>,
    /// Something else may send whatever it likes: a service, a machine that longwire does not make.
    pub others: bool,
    /// How long the run lasts, if the scenario says.
    pub duration: Option<Duration>,
    /// Which port of the plan is which host's.
    pub ports: &'a [PortPlan],
}

/// Warns of steps that change links when or where nothing is sent.
pub(super) fn warn(
    steps: &[(Step, Span)],
    traffic: &Traffic<'_>,
    links: &LiveLinks,
    plan: &Plan,
    diagnostics: &mut Diagnostics,
) {
    // by hand, anything may be sent at any time
    if traffic.workloads.is_empty() {
        return;
    }
    let programs = steps.iter().flat_map(|(step, _)| &step.actions).any(|action| matches!(action, Action::Run(_)));
    let others = traffic.others || programs;
    after_the_end(steps, traffic, others, diagnostics);
    if !others && steps.iter().flat_map(|(step, _)| &step.actions).any(|action| link_of(action).is_some()) {
        beside_the_way(steps, traffic, links, plan, diagnostics);
    }
}

fn after_the_end(steps: &[(Step, Span)], traffic: &Traffic<'_>, others: bool, diagnostics: &mut Diagnostics) {
    let end = latest_end(traffic.workloads);
    let mut places = BTreeSet::new();
    for (step, span) in steps.iter().filter(|(step, _)| step.actions.iter().any(is_change)) {
        let message = match (&step.after, end, traffic.duration) {
            (None, Some(end), None) if step.at > end => {
                format!("at {} the run is over: its workloads have ended by {end} at the latest", step.at)
            }
            (None, Some(end), Some(_)) if step.at > end && !others => {
                format!("at {} nothing is sent any more: all workloads have ended by {end} at the latest", step.at)
            }
            (Some(after), _, None) if after.phase == Phase::Ended && traffic.workloads.len() == 1 => {
                format!("the run is over when `{}` has ended: it is the only workload", after.workload)
            }
            _ => continue,
        };
        if places.insert((span.source, span.start)) {
            diagnostics.warning(*span, message).help("let it come earlier, or the run last longer");
        }
    }
}

fn is_change(action: &Action) -> bool {
    !matches!(action, Action::Mark(_) | Action::Run(_) | Action::Route(_))
}

/// When the last workload has ended at the latest, if that can be known.
fn latest_end(workloads: &IndexMap<String, Workload>) -> Option<Duration> {
    let mut ends: BTreeMap<&str, Duration> = BTreeMap::new();
    // `after` may name workloads further down; those that wait for each other have been told
    for _ in 0..workloads.len() {
        for (name, workload) in
            workloads.iter().filter(|(name, _)| !ends.contains_key(name.as_str())).collect::<Vec<_>>()
        {
            let start = match &workload.start {
                Start::At(at) => Some(*at),
                Start::After(others) => {
                    others.iter().try_fold(Duration::ZERO, |last, other| Some(last.max(*ends.get(other.as_str())?)))
                }
            };
            if let Some(start) = start {
                ends.insert(name, plus(start, longest(workload)?)?);
            }
        }
        if ends.len() == workloads.len() {
            return ends.into_values().max();
        }
    }
    None
}

/// How long a workload takes at the most, with a second for what starting programs takes.
fn longest(workload: &Workload) -> Option<Duration> {
    let own = match &workload.kind {
        WorkloadKind::Ping(ping) => match ping.amount {
            Amount::Count(count) => plus(times(ping.every, count)?, ping.timeout),
            Amount::For(time) => plus(time, ping.timeout),
            Amount::Bytes(_) | Amount::Whole => None,
        },
        WorkloadKind::Udp(udp) => match (udp.amount, udp.pace) {
            (Amount::Count(count), Pace::Every(every)) => plus(times(every, count)?, udp.linger),
            (Amount::For(time), _) => plus(time, udp.linger),
            _ => None,
        },
        // a connection takes what it takes
        WorkloadKind::Tcp(_) | WorkloadKind::Program { .. } => None,
    };
    let longest = own.into_iter().chain(workload.timeout).min()?;
    plus(longest, Duration::from_secs(1))
}

fn plus(a: Duration, b: Duration) -> Option<Duration> {
    a.as_nanos().checked_add(b.as_nanos()).map(Duration::from_nanos)
}

fn times(a: Duration, n: u64) -> Option<Duration> {
    a.as_nanos().checked_mul(n).map(Duration::from_nanos)
}

/// The links that an action changes, if it names links.
fn link_of(action: &Action) -> Option<&[LinkId]> {
    match action {
        Action::Set { links, .. } | Action::Reset { links, .. } => Some(links),
        Action::Ramp { ramp, part: 0 } => Some(&ramp.links),
        Action::Down { target: Target::Links(links), .. } | Action::Up { target: Target::Links(links), .. } => {
            Some(links)
        }
        _ => None,
    }
}

fn beside_the_way(
    steps: &[(Step, Span)],
    traffic: &Traffic<'_>,
    links: &LiveLinks,
    plan: &Plan,
    diagnostics: &mut Diagnostics,
) {
    let mut paths = Vec::new();
    for workload in traffic.workloads.values() {
        let Some(path) = workload.path() else { return };
        paths.push(path);
    }
    let ends: BTreeSet<(usize, Option<usize>)> = paths.iter().map(|path| (path.from, path.to)).collect();
    if ends.len() * plan.links.len() > MOST {
        return;
    }
    let mut used = vec![false; plan.links.len()];
    for path in &paths {
        mark_ways(plan, traffic.ports, path, &mut used);
    }
    let mut done = BTreeSet::new();
    for (step, span) in steps {
        for those in step.actions.iter().filter_map(link_of) {
            let unused = those.iter().all(|link| used.get(link.0 as usize) == Some(&false));
            if unused && !those.is_empty() && done.insert(those) {
                let name = those.first().and_then(|link| links.names().nth(link.0 as usize)).unwrap_or_default();
                let more = if those.len() > 1 { " and others of its group" } else { "" };
                let message =
                    format!("no workload's way goes over `{name}`{more}: nothing of what it sends meets this");
                diagnostics.warning(*span, message).help("name a link between the workload's ends");
            }
        }
    }
}

/// Marks the links that may be on the way from one host to another: what is left when dead ends have been cut off.
fn mark_ways(plan: &Plan, ports: &[PortPlan], path: &Path, used: &mut [bool]) {
    let is_end = |node: usize| {
        let host = ports.iter().find(|port| port.node == node).map(|port| port.host);
        match path.to {
            _ if host == Some(path.from) => true,
            Some(to) => host == Some(to),
            // an address that is no host's: any router may have it
            None => plan.nodes[node].kind != NodeKind::Port,
        }
    };
    let keep: Vec<bool> = (0..plan.nodes.len()).map(is_end).collect();
    let mut degree = vec![0usize; plan.nodes.len()];
    let mut at: Vec<Vec<usize>> = vec![Vec::new(); plan.nodes.len()];
    for (number, link) in plan.links.iter().enumerate() {
        for end in link.ends {
            degree[end] += 1;
            at[end].push(number);
        }
    }
    let mut cut = vec![false; plan.links.len()];
    let mut leaves: Vec<usize> = (0..plan.nodes.len()).filter(|node| degree[*node] == 1 && !keep[*node]).collect();
    while let Some(leaf) = leaves.pop() {
        let Some(link) = at[leaf].iter().copied().find(|link| !cut[*link]) else { continue };
        cut[link] = true;
        for end in plan.links[link].ends {
            degree[end] -= 1;
            if degree[end] == 1 && !keep[end] {
                leaves.push(end);
            }
        }
    }
    // what hangs together with the sender
    let mut seen = vec![false; plan.nodes.len()];
    let mut next: Vec<usize> = ports.iter().filter(|port| port.host == path.from).map(|port| port.node).collect();
    while let Some(node) = next.pop() {
        if std::mem::replace(&mut seen[node], true) {
            continue;
        }
        for link in at[node].iter().copied().filter(|link| !cut[*link]) {
            used[link] = true;
            next.extend(plan.links[link].ends);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};

    const NETWORK: &str = "longwire: 1\nnodes: { a: host, b: host, c: host, r: router, sw: switch }\nlinks:\n  \
        l: { ends: [a, r] }\n  m: { ends: [r, sw] }\n  n: { ends: [sw, b] }\n  o: { ends: [sw, c] }\n";

    fn warnings(rest: &str) -> Vec<String> {
        let files = MemoryFiles::one("t", &format!("{NETWORK}{rest}"));
        let resolved = load(std::path::Path::new("t"), &files, &Overrides::default())
            .unwrap_or_else(|(told, _)| panic!("{:?}", told.iter().map(ToString::to_string).collect::<Vec<_>>()));
        resolved.warnings.iter().map(|told| told.message.clone()).collect()
    }

    #[test]
    fn a_link_that_no_workload_goes_over() {
        let ping = "duration: 9s\nworkloads: { p: { ping: { from: a, to: b } } }\n";
        assert_eq!(
            warnings(&format!("{ping}timeline: [{{ at: 1s, down: o }}, {{ at: 2s, up: [o, m] }}]\n")),
            ["no workload's way goes over `o`: nothing of what it sends meets this"]
        );
        assert_eq!(
            warnings(&format!("{ping}timeline: [{{ at: 1s, down: [l, n], set: {{ m: {{ loss: 1% }} }} }}]\n")),
            [""; 0]
        );
        // a program may talk to anybody
        let more = "timeline: [{ at: 1s, down: o }]\nservices: { s: { in: c, shell: x } }\n";
        assert_eq!(warnings(&format!("{ping}{more}")), [""; 0]);
        let run = "timeline: [{ at: 1s, down: o }, { at: 1s, run: { in: c, shell: x } }]\n";
        assert_eq!(warnings(&format!("{ping}{run}")), [""; 0]);
    }

    #[test]
    fn a_step_behind_the_end_of_everything() {
        let ping = "workloads:\n  p: { ping: { from: a, to: b, every: 10ms, count: 100, timeout: 1s } }\n  \
                    q: { after: p, ping: { from: a, to: b, for: 1s, timeout: 1s } }\n";
        // 1 + 1 + 1 s, and as long again
        let at = |at: &str, more: &str| warnings(&format!("{more}{ping}timeline: [{{ at: {at}, down: m }}]\n"));
        assert_eq!(at("6s", ""), [""; 0]);
        assert_eq!(at("7s", ""), ["at 7s the run is over: its workloads have ended by 6s at the latest"]);
        assert_eq!(
            at("7s", "duration: 9s\n"),
            ["at 7s nothing is sent any more: all workloads have ended by 6s at the latest"]
        );
        assert_eq!(warnings(&format!("{ping}timeline: [{{ at: 8s, mark: late }}]\n")), [""; 0]);
        let open = "workloads: { p: { in: a, shell: x } }\n";
        assert_eq!(warnings(&format!("{open}timeline: [{{ at: 8h, down: m }}]\n")), [""; 0]);
        assert_eq!(
            warnings(&format!("{open}timeline: [{{ at: p.ended, down: m }}]\n")),
            ["the run is over when `p` has ended: it is the only workload"]
        );
    }
}

//! What a run comes to: verdict and report, from all that was counted.

use super::agenda::Kept;
use super::clock::Clock;
use super::correct::correct;
use super::gate::Gate;
use super::happened::Happened;
use super::live::{Outcome, PortOutcome};
use super::memory;
use super::service::Service;
use super::supervisor::Statistics;
use super::timeline::Timeline;
use super::tunnel::tunnel;
use super::validity;
use super::workload::{Failure, RunningWorkload};
use crate::addressing::network::{Place, PortPlan};
use crate::engine::{DirectionId, NodeKind};
use crate::frame::DropCause;
use crate::judge;
use crate::measured::{Percentile, Times};
use crate::report::confinement::Confinement;
use crate::report::json::{Direction, EventKind, Machine, Mode, Node, Outage, Port, Report, Timing, Verdict};
use crate::report::phases::Phase;
use crate::report::series::Series;
use crate::report::{diagnosis, expected, paths, warnings};
use crate::tasks::expect::{Expectation, Subject, percentiles};
use crate::tasks::resolved::Resolved;
use crate::topology::link::ResolvedLink;
use crate::units::{Duration, Instant};

/// A run that is over, but for what the engine has counted.
pub(super) struct Ended<'a> {
    pub(super) zero: Instant,
    /// What tells the engine's time.
    pub(super) clock: Clock,
    pub(super) duration: Duration,
    pub(super) interrupted: bool,
    /// Machines that t = 0 waited for.
    pub(super) gates: Vec<Gate>,
    pub(super) services: Vec<Service>,
    pub(super) work: Vec<RunningWorkload>,
    /// Programs that the timeline started, or was to start.
    pub(super) runs: Vec<(String, RunningWorkload)>,
    pub(super) events: Vec<Happened>,
    pub(super) events_omitted: u64,
    pub(super) timeline: Timeline<'a>,
    /// Over time, and from mark to mark.
    pub(super) kept: Kept,
    pub(super) statistics: Statistics,
    /// By port.
    pub(super) offloads: Vec<Vec<&'static str>>,
    /// By port.
    pub(super) outages: Vec<Vec<Outage>>,
    pub(super) machine: Machine,
    pub(super) confinement: Option<Confinement>,
}

/// Percentiles of a direction's delays that expectations ask for.
fn asked_of(expectations: &[Expectation], [link, _, to]: &[String; 3]) -> Vec<Percentile> {
    let asked = percentiles(expectations).filter(|(measure, _)| match &measure.subject {
        Subject::Link { name, to: toward } => name == link && toward.as_ref().is_none_or(|toward| toward == to),
        _ => false,
    });
    asked.map(|(_, percentile)| percentile).collect()
}

/// Link, from, to: of both directions of a link.
pub(super) fn direction_names(link: &ResolvedLink) -> [[String; 3]; 2] {
    let [a, b] = &link.ends;
    [[a, b], [b, a]].map(|[from, to]| [link.name.clone(), from.clone(), to.clone()])
}

pub(super) fn report(resolved: &Resolved, file: &str, mode: Mode, outcome: &Outcome, mut ended: Ended<'_>) -> Report {
    let ports = ports(resolved, outcome, &ended);
    let kept = validity::Machine {
        gaps: outcome.gaps.clone().counted_from(ended.zero.as_nanos() as i64),
        duration: ended.duration,
        ring_drops: ring_drops(resolved, outcome, &ended),
        efforts: ended.work.iter().filter_map(RunningWorkload::effort).collect(),
        path_doubts: paths::doubts(&ports),
    };
    let validity = validity::judge(outcome, kept, resolved.scenario.validity, mode);
    let hosts: Vec<String> = resolved.network.hosts.iter().map(|host| host.name.clone()).collect();
    let directions = directions(resolved, outcome, &ended);
    let zero = ended.zero;
    let (end, converged) = (zero + ended.duration, outcome.converged.iter());
    let during = converged.filter(|(at, _)| (zero..=end).contains(at));
    ended.events.extend(during.map(|(at, what)| Happened::new(*at, EventKind::Network, what)));
    // what took effect inside the network was heard of a little later
    ended.events.sort_by_key(|event| event.at);
    let names: Vec<[String; 3]> = resolved.links.iter().flat_map(direction_names).collect();
    let clock = ended.clock;
    let ends = Ends::of(&ended, outcome);
    let mut report = Report {
        longwire: 1,
        scenario: resolved.scenario.name.clone(),
        file: file.into(),
        seed: resolved.scenario.seed,
        params: resolved.scenario.params.clone(),
        mode,
        duration_ns: ended.duration.as_nanos(),
        verdict: Verdict::None,
        reasons: Vec::new(),
        directions,
        nodes: nodes(resolved, outcome),
        ports,
        workloads: ended.work.iter().map(|work| (work.name.clone(), work.report(zero, clock, &hosts))).collect(),
        services: ended
            .services
            .iter()
            .map(|s| (s.name.clone(), s.report(zero, &hosts)))
            .chain(ended.gates.iter().map(|gate| (gate.name.clone(), gate.report(zero, &hosts))))
            .collect(),
        expectations: Vec::new(),
        events: ended.events.into_iter().map(|event| event.event(zero)).collect(),
        events_omitted: ended.events_omitted,
        not_reached: ended.timeline.not_reached(),
        series: ended.kept.series.map(|recorded| Series::new(recorded, &names)),
        phases: ended.kept.phases.into_iter().map(|phase| Phase::new(phase, zero, &names)).collect(),
        warnings: Vec::new(),
        diagnosis: Vec::new(),
        unwritten: Vec::new(),
        privileged: resolved
            .network
            .hosts
            .iter()
            .filter(|host| host.privileged)
            .map(|host| host.name.clone())
            .collect(),
        validity,
        timing: Timing {
            requested: resolved.scenario.timing,
            refused: outcome.refused.clone(),
            spin_rests: outcome.spin_rests,
            log_lost: outcome.log_lost,
        },
        machine: ended.machine,
        confinement: ended.confinement,
        captures: Vec::new(),
        attempts: 1,
        runs: ended
            .runs
            .iter()
            .filter(|(_, run)| run.started.is_some() || run.is_done())
            .map(|(name, run)| (name.clone(), run.report(zero, clock, &hosts)))
            .collect(),
    };
    judge::measure_phases(&mut report);
    correct(&mut report);
    report.expectations = judge::judge(&resolved.expectations, &report);
    (report.verdict, report.reasons) = match broken(&report) {
        Some(reasons) => (Verdict::Error, reasons),
        None => ends.verdict(&report),
    };
    warned(resolved, report)
}

/// Both directions of each link, with what was asked of them and what they counted.
fn directions(resolved: &Resolved, outcome: &Outcome, ended: &Ended<'_>) -> Vec<Direction> {
    let specs = resolved.plan.links.iter().flat_map(|link| link.directions.clone());
    resolved
        .links
        .iter()
        .flat_map(direction_names)
        .zip(&outcome.directions)
        .zip(specs)
        .zip(&outcome.unmatched)
        .enumerate()
        .map(|(id, (((names, (counters, inside)), spec), unmatched))| {
            let asked = asked_of(&resolved.expectations, &names);
            let (changes, changes_omitted) = ended.timeline.course.of(DirectionId(id as u32), &spec, ended.zero);
            Direction {
                unmatched: unmatched.clone(),
                changes,
                changes_omitted,
                delay_percentiles_ns: Times::percentiles(&counters.delay, &asked),
                ..Direction::new(names, counters, *inside, spec)
            }
        })
        .collect()
}

/// What is inside of the network.
fn nodes(resolved: &Resolved, outcome: &Outcome) -> Vec<Node> {
    resolved
        .plan
        .nodes
        .iter()
        .zip(outcome.nodes.iter().zip(&outcome.nats).zip(&outcome.firewalls).zip(&outcome.dhcps))
        .filter(|(node, _)| node.kind != NodeKind::Port)
        .map(|(node, ((((counters, held), nat), firewall), dhcp))| Node {
            kind: kind(&node.kind).into(),
            nat: *nat,
            firewall: firewall.clone(),
            dhcp: dhcp.clone(),
            ..Node::new(node.name.clone(), counters, *held)
        })
        .collect()
}

/// Interfaces of hosts.
fn ports(resolved: &Resolved, outcome: &Outcome, ended: &Ended<'_>) -> Vec<Port> {
    let known = ended.offloads.iter().zip(&ended.outages);
    let ports = resolved.ports.iter().zip(&outcome.ports).zip(known).map(|((plan, counted), (offloads, outages))| {
        let host = &resolved.network.hosts[plan.host];
        Port {
            host: host.name.clone(),
            interface: host.interfaces[plan.interface].name.clone(),
            received: counted.received,
            sent: counted.sent,
            malformed: counted.malformed,
            refused: counted.refused,
            ring_drops: dropped_by_ring(&ended.statistics, resolved, plan, counted),
            tunnel: tunnel(&host.place, counted, || leaving(resolved, plan.node).map_or(0, |d| outcome.of(d).clamped)),
            offloads: offloads.iter().copied().map(Into::into).collect(),
            outages: outages.clone(),
            lateness_ns: Times::of(&counted.lateness),
            unread_ns: Times::of(&counted.unread),
        }
    });
    ports.collect()
}

/// The direction that leads away from a port.
fn leaving(resolved: &Resolved, node: usize) -> Option<DirectionId> {
    resolved.plan.links.iter().enumerate().find_map(|(n, link)| {
        let end = link.ends.iter().position(|end| *end == node)?;
        Some(DirectionId((n * 2 + end) as u32))
    })
}

/// Of a run in virtual time in which something else than the network lost frames or ended programs: what. It claims nothing.
fn broken(report: &Report) -> Option<Vec<String>> {
    if report.mode != Mode::Virtual {
        return None;
    }
    let reasons: Vec<String> = report.validity.reasons.iter().cloned().chain(memory::look()).collect();
    (!reasons.is_empty()).then_some(reasons)
}

/// Warns of what was there for nothing.
fn warned(resolved: &Resolved, mut report: Report) -> Report {
    report.warnings = warnings::of(&resolved.detours, &report);
    report.warnings.extend(report.confinement.as_ref().and_then(Confinement::warning));
    report.diagnosis = diagnosis::of(&report);
    let unused = warnings::unused_nats(&resolved.plan, &report);
    if !unused.is_empty() && matches!(report.verdict, Verdict::Pass | Verdict::None | Verdict::Fail) {
        report.verdict = Verdict::Fail;
        report.reasons.extend(unused);
    }
    report
}

fn kind(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::Port => "port",
        NodeKind::Switch(_) => "switch",
        NodeKind::Hub => "hub",
        NodeKind::Router(_) => "router",
        NodeKind::Edge(_) => "region",
    }
}

/// How what ran in a run ended.
struct Ends {
    interrupted: bool,
    /// Why workloads, services and steps failed, one sentence each.
    failures: Vec<String>,
    /// One of them would have failed on any machine.
    certain: bool,
    /// There were workloads.
    work: bool,
    /// Some of what ran were programs, which mind the time in ways of their own.
    programs: bool,
}

impl Ends {
    fn of(ended: &Ended<'_>, outcome: &Outcome) -> Ends {
        let named = |name: &str, failure: &Failure| format!("{name}: {}", failure.reason);
        let services = ended.services.iter().filter_map(|s| s.failure().map(|f| (named(&s.name, f), f.certain)));
        let gates = ended.gates.iter().filter_map(|g| g.failure().map(|f| (named(&g.name, f), f.certain)));
        let work = ended.work.iter().filter_map(|w| w.failure().map(|f| (named(&w.name, f), f.certain)));
        let steps = ended.timeline.failures.iter().map(|failure| (failure.clone(), true));
        let runs = ended.runs.iter().filter_map(|(name, run)| run.failure().map(|f| (named(name, f), f.certain)));
        let carriers = outcome.ports.iter().filter_map(|port| port.carrier_refused.clone()).map(|why| (why, true));
        let failures: Vec<(String, bool)> =
            services.chain(gates).chain(work).chain(runs).chain(steps).chain(carriers).collect();
        Ends {
            interrupted: ended.interrupted,
            certain: failures.iter().any(|(_, certain)| *certain),
            failures: failures.into_iter().map(|(reason, _)| reason).collect(),
            work: !ended.work.is_empty(),
            programs: !ended.runs.is_empty() || ended.work.iter().any(RunningWorkload::is_program),
        }
    }

    /// What a run says, of which everything else is reported.
    ///
    /// INVALID comes before what a slow machine could have caused, and after what it could not. What was expected is judged
    /// one by one: of a run that was late, those expectations claim something that lateness cannot have decided.
    fn verdict(self, report: &Report) -> (Verdict, Vec<String>) {
        let Ends { interrupted, failures, certain, work, programs } = self;
        let (failed, doubtful) = (expected::reasons(&report.expectations), expected::doubts(&report.expectations));
        let validity = &report.validity;
        let all = |parts: [Vec<String>; 3]| parts.concat();
        if interrupted {
            return (Verdict::Interrupted, failures);
        }
        if certain {
            return (Verdict::Fail, all([failed, failures, Vec::new()]));
        }
        if validity.is_broken() {
            return (Verdict::Invalid, all([validity.reasons.clone(), doubtful, failures]));
        }
        // what was expected comes first: it says more than that a program ended badly
        if !failed.is_empty() {
            return (Verdict::Fail, all([failed, failures, Vec::new()]));
        }
        let late = validity.is_late() || validity.is_starved();
        // what did not ask for anything has nothing to show for itself either
        let unjudged = !failures.is_empty() || programs || report.expectations.is_empty();
        if !doubtful.is_empty() || (late && unjudged) {
            return (Verdict::Invalid, all([doubtful, validity.reasons.clone(), failures]));
        }
        match (failures.is_empty(), work || !report.expectations.is_empty()) {
            (false, _) => (Verdict::Fail, failures),
            (true, true) => (Verdict::Pass, failures),
            (true, false) => (Verdict::None, failures),
        }
    }
}

/// Frames of a host that were dropped before they were read. What a TAP's ring drops, its interface counts as not sent; of a network
/// interface that counter is about the other way, and its socket counts.
fn dropped_by_ring(
    statistics: &Statistics,
    resolved: &Resolved,
    port: &PortPlan,
    counted: &PortOutcome,
) -> Option<u64> {
    match resolved.network.hosts[port.host].place {
        Place::ExternalInterface { .. } | Place::ExternalUdp { .. } => Some(counted.overflowed),
        _ => Some(statistics.get(port.host)?.get(port.interface)?.as_ref()?.tx_dropped),
    }
}

/// Frames that rings dropped where the model would have taken them. Where the link behind a port dropped frames itself
/// because its queue was full, the sender sent more than the link carries, and some of it may as well end in the ring. Where the
/// carrier or the interface was away, the host's kernel drops what is sent.
fn ring_drops(resolved: &Resolved, outcome: &Outcome, ended: &Ended<'_>) -> u64 {
    let overloaded = |node: usize| {
        let away = leaving(resolved, node);
        away.is_some_and(|d| outcome.of(d).dropped.by(DropCause::QueueFull).frames > 0)
    };
    resolved
        .ports
        .iter()
        .zip(outcome.ports.iter().zip(&ended.outages))
        .filter(|(port, (counted, outages))| !overloaded(port.node) && !counted.lost_carrier && outages.is_empty())
        .filter_map(|(port, (counted, _))| dropped_by_ring(&ended.statistics, resolved, port, counted))
        .sum()
}

/// Where it runs. A run that has given up its rights may not look any more.
pub(super) fn machine() -> Machine {
    Machine {
        kernel: nix::sys::utsname::uname()
            .map_or_else(|_| String::new(), |u| u.release().to_string_lossy().into_owned()),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        version: env!("CARGO_PKG_VERSION").into(),
    }
}

//! The report of a run, version 1 of its JSON form, which is stable. Frames and bytes are wire frames and wire bytes,
//! whatever travelled as super-frames; times are in nanoseconds.

use core::net::Ipv4Addr;
use std::borrow::Cow;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::asked::spec_words;
use super::confinement::Confinement;
use super::expectation::Expectation;
use super::gaps::Gaps;
use super::parameters::parameters;
use super::phases::Phase;
use super::requested::Requested;
use super::series::Series;
use crate::engine::{Amount, DirectionCounters, DirectionSpec, Dropped, NodeCounters};
use crate::frame::DropCause;
use crate::measured::{Histogram, Measured, Part, Times};
use crate::node::router::firewall::{Counted, Policy, RuleCount};
use crate::node::{DhcpCounters, NatCounters};
use crate::tasks::timing::TimingSpec;
use crate::tasks::validity::ValiditySpec;

/// All that a run has to tell.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Version of this form.
    pub longwire: u32,
    /// The scenario's name.
    pub scenario: String,
    /// The file it came from, as it was given.
    pub file: String,
    /// The seed that repeats it.
    pub seed: u64,
    /// Parameters as they were used.
    pub params: IndexMap<String, String>,
    /// Against which clock it ran.
    pub mode: Mode,
    /// From t = 0 to the end.
    pub duration_ns: u64,
    /// What the run says about the scenario.
    pub verdict: Verdict,
    /// Why, where it is not a pass: one sentence each.
    pub reasons: Vec<String>,
    /// Each direction of each link, in file order.
    pub directions: Vec<Direction>,
    /// Nodes inside the network, in file order.
    pub nodes: Vec<Node>,
    /// Each interface of each host.
    pub ports: Vec<Port>,
    /// Workloads by name, in file order.
    pub workloads: IndexMap<String, WorkloadReport>,
    /// Services by name, in file order.
    pub services: IndexMap<String, WorkloadReport>,
    /// What was expected, in file order, and what became of it.
    pub expectations: Vec<Expectation>,
    /// What was changed, started and ended, in order of time.
    pub events: Vec<Event>,
    /// Live changes beyond those in `events`, which has the first 2,000.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub events_omitted: u64,
    /// What each direction counted from one mark of the timeline to the next.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub phases: Vec<Phase>,
    /// What the run ended too early for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_reached: Vec<NotReached>,
    /// Every direction over time; `None` with `series: none`, and where the run never came to t = 0.
    pub series: Option<Series>,
    /// What is worth knowing, one sentence each: a NAT that was passed by, rules that matched nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What explains the results, one sentence each, where counters prove it: see [`super::diagnosis`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnosis: Vec<String>,
    /// Files of the run's directory that could not be written, or not whole: a sentence each. Such a run does not exit with 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unwritten: Vec<String>,
    /// Hosts whose programs kept root's rights on the machine (`privileged: true`), in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub privileged: Vec<String>,
    /// Whether the machine kept up.
    pub validity: Validity,
    /// How time was kept.
    pub timing: Timing,
    /// Where it ran.
    pub machine: Machine,
    /// What the process of a live run had given up; in virtual time all of the guest is confined by whoever started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confinement: Option<Confinement>,
    /// Files of what went through links, in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub captures: Vec<Capture>,
    /// How often it was run: once, and again for each time that it was INVALID and a retry was asked for.
    pub attempts: u32,
    /// Programs that the timeline started, by name, in the order of their steps.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub runs: IndexMap<String, WorkloadReport>,
}

/// Against which clock a run ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The machine's.
    Live,
    /// The engine's own.
    Virtual,
}

/// What a run says about its scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All that was expected holds.
    Pass,
    /// A workload, service or expectation failed.
    Fail,
    /// The machine could not keep up, so neither pass nor fail is claimed.
    Invalid,
    /// The run could not be carried out.
    Error,
    /// It was interrupted, and torn down cleanly.
    Interrupted,
    /// Nothing was expected and nothing failed.
    None,
}

impl Verdict {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Pass => "PASS",
            Verdict::Fail => "FAIL",
            Verdict::Invalid => "INVALID",
            Verdict::Error => "ERROR",
            Verdict::Interrupted => "INTERRUPTED",
            Verdict::None => "NONE",
        }
    }
}

/// Frames and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Wire frames.
    pub frames: u64,
    /// Wire bytes, Ethernet frames without FCS.
    pub bytes: u64,
}

impl From<Amount> for Count {
    fn from(Amount { frames, bytes }: Amount) -> Count {
        Count { frames, bytes }
    }
}

/// What happened in one direction of a link.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Direction {
    /// The link's name.
    pub link: String,
    /// Where frames come from: a node, with the interface where it has several.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// What the near end sent into it.
    pub offered: Count,
    /// What arrived at the far end.
    pub delivered: Count,
    /// Frames of the direction's own: resets of TCP connections.
    #[serde(default)]
    pub originated: u64,
    /// Copies that a duplication model made.
    pub duplicated: u64,
    /// Frames whose bits were changed.
    pub corrupted: u64,
    /// Frames that the queue marked: congestion experienced.
    pub marked: u64,
    /// Delivered frames that a later one had overtaken.
    pub reordered: u64,
    /// Delays that were drawn negative, or shorter than the path that they include, and became zero.
    pub clamped: u64,
    /// Still inside at the end.
    pub inside: u64,
    /// How long frames had the wire, in ns: 0 where there is no `rate`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub busy_ns: u64,
    /// Dropped frames by cause, those that happened.
    pub dropped: IndexMap<Cow<'static, str>, u64>,
    /// From offered to delivered, in model time.
    pub delay_ns: Option<Times>,
    /// Percentiles of the same beside those, in ns by name, that expectations asked for.
    #[serde(default, skip_serializing_if = "Times::is_empty")]
    pub delay_percentiles_ns: Times,
    /// The same in bins; `None` where no two frames took different times.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_histogram: Option<Histogram>,
    /// What the scenario asked of this direction at first, as it would write it.
    pub requested: Requested,
    /// The same in one form: see [`super::parameters`].
    #[serde(default)]
    pub parameters: serde_json::Value,
    /// What was asked of it later, in order of time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Changed>,
    /// Changes beyond those in `changes`, which has the first 1,000.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub changes_omitted: u64,
    /// Models with an `only` that no frame matched, as people write them: they have done nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmatched: Vec<String>,
}

impl Direction {
    /// Puts together what an engine counted.
    pub fn new(names: [String; 3], counters: &DirectionCounters, inside: u64, requested: DirectionSpec) -> Direction {
        let [link, from, to] = names;
        Direction {
            link,
            from,
            to,
            offered: counters.offered.into(),
            delivered: counters.delivered.into(),
            originated: counters.originated,
            duplicated: counters.duplicated,
            corrupted: counters.corrupted,
            marked: counters.marked,
            reordered: counters.reordered,
            clamped: counters.clamped,
            inside,
            busy_ns: counters.busy_ns,
            dropped: by_cause(&counters.dropped),
            delay_ns: Times::of(&counters.delay),
            delay_percentiles_ns: Times::default(),
            delay_histogram: Histogram::of(&counters.delay.lengths()),
            parameters: parameters(&requested),
            changes: Vec::new(),
            changes_omitted: 0,
            requested: requested.into(),
            unmatched: Vec::new(),
        }
    }

    /// As expectations name it: `wifi.toward.home`, with the interface only where both ends are of one node.
    pub fn path(&self) -> String {
        let node = |end: &str| end.split('.').next().unwrap_or_default().to_owned();
        let to = node(&self.to);
        let end = if to == node(&self.from) { &self.to } else { &to };
        format!("{}.toward.{end}", self.link)
    }

    /// A part of its delays in ns; `None` where nothing arrived, or nobody asked for it.
    pub fn delay(&self, part: Part) -> Option<u64> {
        self.delay_ns.as_ref()?.get(part).or_else(|| self.delay_percentiles_ns.get(part))
    }
}

/// What a direction was asked to do from some instant on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    /// When, from t = 0.
    pub at_ns: i64,
    /// All that was asked from then on, in a few words.
    pub words: String,
    /// The same in one form.
    pub parameters: serde_json::Value,
}

impl Changed {
    /// So much was asked from `at_ns` on.
    pub fn new(at_ns: i64, spec: &DirectionSpec) -> Changed {
        Changed { at_ns, words: spec_words(spec), parameters: parameters(spec) }
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

pub(crate) fn by_cause(dropped: &Dropped) -> IndexMap<Cow<'static, str>, u64> {
    DropCause::ALL
        .into_iter()
        .map(|cause| (cause.name().into(), dropped.by(cause).frames))
        .filter(|(_, frames)| *frames > 0)
        .collect()
}

/// What happened in a node inside the network: `received + originated + replicated = sent + consumed + dropped + held`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// `router`, `switch`, `hub`, or `region` of a cloud.
    #[serde(default)]
    pub kind: Cow<'static, str>,
    /// Frames that links delivered to it.
    pub received: u64,
    /// Frames of its own: answers, errors, questions for addresses, fragments.
    pub originated: u64,
    /// Copies that it made for flooding.
    pub replicated: u64,
    /// Frames that it offered to links.
    pub sent: u64,
    /// Frames that were meant for it.
    pub consumed: u64,
    /// Frames that still waited there for a neighbour's address.
    pub held: u64,
    /// Dropped frames by cause, those that happened.
    pub dropped: IndexMap<Cow<'static, str>, u64>,
    /// What a router's address translation did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nat: Option<NatCounters>,
    /// Of a router with a firewall: its rules in their order, then `replies` and `default`, which no rule matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub firewall: Vec<Rule>,
    /// What a router's DHCP servers did, interface by interface.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dhcp: Vec<Dhcp>,
}

/// What a router's DHCP server at one interface did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dhcp {
    /// The router's interface.
    pub interface: String,
    /// Leases in force at the end.
    pub leases: u64,
    /// Offers made.
    pub offers: u64,
    /// Leases given or renewed.
    pub acks: u64,
    /// Requests refused.
    pub naks: u64,
    /// Times that a machine asked and no address was free.
    pub exhausted: u64,
    /// The other server that answered there, if one did: this one stands back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub other_server: Option<Ipv4Addr>,
}

impl From<(&str, DhcpCounters)> for Dhcp {
    fn from((interface, counters): (&str, DhcpCounters)) -> Dhcp {
        let DhcpCounters { leases, offers, acks, naks, exhausted, other_server } = counters;
        Dhcp { interface: interface.to_owned(), leases, offers, acks, naks, exhausted, other_server }
    }
}

/// A rule of a firewall, and what it decided about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its name, or the rule as it is written.
    pub rule: String,
    /// `allow`, `drop` or `reject`.
    pub action: Policy,
    /// How much.
    #[serde(flatten)]
    pub decided: Count,
}

impl From<RuleCount<'_>> for Rule {
    fn from(RuleCount { rule, action, counted }: RuleCount<'_>) -> Rule {
        let Counted { frames, bytes } = counted;
        Rule { rule: rule.to_owned(), action, decided: Count { frames, bytes } }
    }
}

impl Node {
    /// Puts together what an engine counted.
    pub fn new(name: String, counters: &NodeCounters, held: u64) -> Node {
        let NodeCounters { received, originated, replicated, sent, consumed, ref dropped } = *counters;
        Node {
            name,
            kind: Cow::default(),
            received,
            originated,
            replicated,
            sent,
            consumed,
            held,
            dropped: by_cause(dropped),
            nat: None,
            firewall: Vec::new(),
            dhcp: Vec::new(),
        }
    }
}

/// One interface of a host: a TAP.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Port {
    /// The host's name.
    pub host: String,
    /// The interface's name inside the host.
    pub interface: String,
    /// Frames read from the host.
    pub received: u64,
    /// Frames written to the host.
    pub sent: u64,
    /// Frames from the host whose offload header did not fit them, and datagrams of another site that are not of its encapsulation; they
    /// went no further.
    pub malformed: u64,
    /// Frames that the host's kernel refused (its interface was down or just gone, or the frame too short).
    pub refused: u64,
    /// Frames of the host that the TAP's ring dropped before longwire could read them; `None` where the kernel of an
    /// external machine was not asked.
    pub ring_drops: Option<u64>,
    /// What a port to another site counted beside frames; `None` of others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Tunnel>,
    /// Offloads that the TAP granted.
    pub offloads: Vec<Cow<'static, str>>,
    /// When its interface was gone, and the port down: in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outages: Vec<Outage>,
    /// Delivered by the clock − delivered by the model.
    pub lateness_ns: Option<Times>,
    /// How long frames from the host may have waited before longwire read them: zero where it read its ports all the time.
    #[serde(default)]
    pub unread_ns: Option<Times>,
}

/// A tunnel to another site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tunnel {
    /// What stands before each frame: `vxlan` or `longwire`.
    #[serde(default)]
    pub encapsulation: Cow<'static, str>,
    /// The other site's address and UDP port.
    pub peer: String,
    /// The network's identifier.
    pub vni: u32,
    /// Datagrams that came from another address, and were dropped.
    pub wrong_peer: u64,
    /// Datagrams of the peer for another network, which were dropped.
    pub wrong_vni: u64,
    /// Frames that the path does not carry, with what stands before them: not sent, or dropped on the way by a router that said so.
    pub too_long: u64,
    /// Frames that were not sent since nothing leads to the peer, or of which the network said that nobody took them there.
    pub unreachable: u64,
    /// The last reason for that, in the kernel's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Cow<'static, str>>,
    /// What was measured of the path, where the encapsulation does that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<SitePath>,
}

/// The path to another site, and the clock there. Offset and one-way delays are right to ± `error_ns`, the round trip is measured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SitePath {
    /// Whether the delay of the link that frames enter by includes the path's.
    pub included: bool,
    /// The largest error of the clock that was asked for.
    pub clock_error_limit_ns: Option<u64>,
    /// Frames that came.
    pub frames: u64,
    /// How long they were on the path to here, as far as the clocks are known; `None` where none came while they were.
    pub delay_ns: Option<Times>,
    /// The shortest round trip.
    pub round_trip_ns: Option<u64>,
    /// The other site's clock less this one, as of its last datagram; `None` where nothing came back.
    pub offset_ns: Option<i64>,
    /// The error of that.
    pub error_ns: Option<u64>,
    /// How much faster the other site's clock runs, in parts per billion; `None` until measured for about 11 seconds.
    pub drift_ppb: Option<i64>,
    /// How often a clock was found to have been set or stopped.
    pub steps: u64,
    /// Frames that came before anything was known of the clock.
    pub unknown: u64,
    /// Frames that came while the error was beyond the limit.
    pub uncertain: u64,
    /// Frames that were on the path for longer than the delay of their link, where that includes it.
    pub late: u64,
    /// Datagrams that the path lost, probes among them.
    pub lost: u64,
    /// Datagrams that came after one that was sent later.
    pub reordered: u64,
}

/// A stretch of time in which a port was down since its interface was gone. What came to the port was dropped there, by the
/// cause `port_down`, and so was what still came out of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outage {
    /// When it began, from t = 0, in model time.
    pub from_ns: i64,
    /// When the interface was back, from t = 0. `None`: never.
    pub to_ns: Option<i64>,
    /// What had happened, in words.
    pub reason: String,
    /// Why it could not be attached again although it was there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// How a workload or service fared.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "WorkloadText")]
pub struct WorkloadReport {
    /// `command`, `shell`, `ping`, `udp` or `tcp`.
    pub kind: Cow<'static, str>,
    /// The host it ran in, or `from → to`.
    pub place: String,
    /// Whether it did what was asked.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was started, from t = 0; negative for services. `None`: never.
    pub started_ns: Option<i64>,
    /// When it ended, from t = 0. `None`: never.
    pub ended_ns: Option<i64>,
    /// The program's exit code, 128 + n for signal n.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<i32>,
    /// Its last lines of output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
    /// What it measured.
    #[serde(flatten)]
    pub measured: Measured,
}

/// As it is written: its kind says what the other fields are.
#[derive(Deserialize)]
struct WorkloadText {
    kind: String,
    place: String,
    ok: bool,
    reason: Option<String>,
    started_ns: Option<i64>,
    ended_ns: Option<i64>,
    exit: Option<i32>,
    #[serde(default)]
    output: Vec<String>,
    #[serde(flatten)]
    measured: serde_json::Map<String, serde_json::Value>,
}

impl TryFrom<WorkloadText> for WorkloadReport {
    type Error = serde_json::Error;

    fn try_from(text: WorkloadText) -> Result<WorkloadReport, serde_json::Error> {
        let measured = Measured::read(&text.kind, text.measured)?;
        let WorkloadText { kind, place, ok, reason, started_ns, ended_ns, exit, output, .. } = text;
        Ok(WorkloadReport { kind: kind.into(), place, ok, reason, started_ns, ended_ns, exit, output, measured })
    }
}

/// Something that happened during the run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// When, from t = 0: a change inside the network in model time, everything else by the clock.
    pub at_ns: i64,
    /// When the timeline wanted it, from t = 0. Inside the network it is never late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_ns: Option<i64>,
    /// Who wanted it.
    pub kind: EventKind,
    /// What, in words: `wifi.loss=100%`, `phone.route=wwan0`, `mark worse`, `fetch started`.
    pub what: String,
    /// The name that the timeline gave to this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<String>,
}

/// Who wanted what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The scenario's timeline.
    Timeline,
    /// `longwire set`.
    Set,
    /// A workload: it started or ended.
    Work,
    /// The interface behind a port went away, or came back.
    Port,
    /// Somebody ended the run.
    Signal,
    /// Routers and switches: they follow a change one convergence time later.
    Network,
}

/// Something on the timeline that the run ended too early for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NotReached {
    /// When it was to happen, from t = 0, if that was ever known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planned_ns: Option<u64>,
    /// What it was to come after, if that never happened: `fetch.ended + 2s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// What.
    pub what: String,
}

/// Whether the machine kept up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Validity {
    /// Within all limits.
    pub ok: bool,
    /// Which were exceeded: one sentence each.
    pub reasons: Vec<String>,
    /// What was measured.
    pub measured: Timeliness,
    /// The limits.
    pub limits: ValiditySpec,
    /// When the ports were not read.
    #[serde(default)]
    pub gaps: Gaps,
}

impl Validity {
    /// Whether longwire was late beyond a limit: what depends on time is in doubt.
    pub fn is_late(&self) -> bool {
        let (measured, limits) = (&self.measured, &self.limits);
        measured.lateness_p99_ns.is_some_and(|late| late > limits.lateness_p99.as_nanos())
            || measured.stall_ns > limits.stall.as_nanos()
            || measured.gap_share > limits.gaps.as_f64()
            || measured.run_delay.is_some_and(|share| share > limits.run_delay.as_f64())
    }

    /// Whether frames were lost on their way into the network, or did not meet the delays that were asked on their way from another site:
    /// everything is in doubt.
    pub fn is_broken(&self) -> bool {
        self.measured.ring_drops > self.limits.ring_drops || self.measured.path_doubts > 0
    }

    /// Whether a workload was kept from its work: it sent in bursts, and took what arrived late.
    pub fn is_starved(&self) -> bool {
        let (measured, limits) = (&self.measured, &self.limits);
        measured.workload_run_delay.is_some_and(|share| share > limits.workload_run_delay.as_f64())
            || measured.workload_lateness_p99_ns.is_some_and(|late| late > limits.workload_lateness_p99.as_nanos())
    }
}

/// How well the machine kept up.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Timeliness {
    /// The 99th percentile of lateness, at the port where it was worst: of the time that frames from the host may have
    /// waited unread, or of the time by which frames to it left late.
    pub lateness_p99_ns: Option<u64>,
    /// The longest time between two drains of the ports.
    pub stall_ns: u64,
    /// Share of the run in gaps, in which the ports were not read.
    #[serde(default)]
    pub gap_share: f64,
    /// Share of the run that the engine's thread was ready to run and waited for a processor; `None` where the kernel
    /// does not tell.
    pub run_delay: Option<f64>,
    /// Frames that the rings dropped while the links' own queues had room.
    pub ring_drops: u64,
    /// The largest share of its time that a workload's main thread was ready to run and waited for a processor.
    pub workload_run_delay: Option<f64>,
    /// The 99th percentile of how late built-in workloads sent their datagrams, where it was worst.
    pub workload_lateness_p99_ns: Option<u64>,
    /// How many things about paths to other sites, and clocks there, were not as asked.
    #[serde(default)]
    pub path_doubts: u64,
}

/// How the engine's thread kept time.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Timing {
    /// What the scenario asked for.
    pub requested: TimingSpec,
    /// What the machine refused of it: one sentence each.
    pub refused: Vec<String>,
    /// How often the machine was found so short of processor time that spinning was left off for a second.
    pub spin_rests: u64,
    /// Entries of the event log that were lost because writing them fell behind, or because it was full.
    pub log_lost: u64,
}

/// Where a run ran.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The kernel's release.
    pub kernel: String,
    /// Processors that this process may use.
    pub cores: usize,
    /// longwire's version.
    pub version: Cow<'static, str>,
}

/// The file of what went through a link, for Wireshark.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capture {
    /// The link's name.
    pub link: String,
    /// Where it is, from the run's directory; `None` where there is none.
    pub file: Option<String>,
    /// Why there is none, or why it breaks off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Wire frames in it, those included that were dropped, and copies that the link made.
    pub frames: u64,
    /// Its length.
    pub bytes: u64,
    /// Frames that are not in it because writing fell behind.
    pub missed: u64,
    /// Frames that are not in it because there was no room.
    pub beyond: u64,
    /// Whether every frame is in it, and says what became of it.
    pub complete: bool,
}

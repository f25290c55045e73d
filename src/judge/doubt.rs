//! What the machine can have changed of what was measured: for each value, the least and the most that it may be in a run
//! whose ports were read all the time. An expectation stands only if it comes out alike for all values between.
//!
//! Gaps make frames late (see [`Gaps`]). By model, that changes
//!
//! | what | how |
//! |---|---|
//! | delays and round-trip times | each by its own lateness, known sample by sample, and by what a burst after a gap does to queues |
//! | draws (loss, corruption, …), MTU, firewalls | nothing, as long as no sender reacts to what arrives |
//! | drops of queues | frames sent in gaps arrive in a burst: at most as many more drops |
//! | drops by what a timeline does | frames sent in a gap beside a change meet the network as it is after it |
//! | goodput and all that a reacting sender does | by a factor that grows with the share of time in gaps |
//! | exit codes and values of programs | in ways that nobody can bound |
//!
//! A workload that was kept from its work sends in bursts that no gap tells of. Then only what is drawn stands.

use super::Stretch;
use super::floor::Floor;
use super::reading::Reading;
use crate::frame::DropCause;
use crate::measured::Unit;
use crate::measured::catalogue::{Arrived, Direction as Of, Late, Node, Requests, Source, Stream};
use crate::report::gaps::Gaps;
use crate::report::json::{Direction, EventKind, Report, WorkloadReport};
use crate::tasks::expect::{Measure, Subject};

/// A frame reaches what a change concerns within this time of being read, in ns.
const REACH: i64 = 1_500_000_000;
/// What a reacting sender does depends on its last seconds.
const MEMORY: i64 = 1_000_000_000;
/// An interval over time is at most so long for this purpose, in ns.
const INTERVAL: i64 = 200_000_000;

/// What can have changed the values of a report.
pub(super) struct Doubt<'a> {
    report: &'a Report,
    pub(super) gaps: &'a Gaps,
    /// Limits were exceeded: what cannot be bounded is not claimed.
    pub(super) beyond: bool,
    /// A workload was kept from its work.
    starved: bool,
    /// Some sender reacts to what arrives.
    closed: bool,
    /// Some direction has a rate, and so a queue.
    rated: bool,
    /// Queues dropped frames.
    queues: bool,
    /// When the network was changed, and when routers and switches followed.
    changes: Vec<i64>,
    /// Within what time after a gap such an instant is beside it, in ns.
    reach: i64,
    floor: Floor<'a>,
}

/// Gaps that a stretch met.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Exposure {
    /// How many.
    pub(super) count: usize,
    /// Their whole lengths as a share of the stretch, at most 95 %.
    share: f64,
}

impl<'a> Doubt<'a> {
    pub(super) fn of(report: &'a Report) -> Doubt<'a> {
        let rated = |direction: &Direction| !direction.requested.json()["rate"].is_null();
        let is_change =
            |kind| matches!(kind, EventKind::Timeline | EventKind::Set | EventKind::Network | EventKind::Port);
        let changes = report.events.iter().filter(|event| is_change(event.kind));
        let dropped = report.directions.iter().flat_map(|direction| direction.dropped.keys());
        let by_nodes = report.nodes.iter().flat_map(|node| node.dropped.keys());
        let transit: u64 = report.directions.iter().filter_map(|d| d.delay_ns.as_ref()).map(|delay| delay.max()).sum();
        Doubt {
            reach: i64::try_from(transit).unwrap_or(REACH).min(REACH),
            floor: Floor::of(report),
            report,
            gaps: &report.validity.gaps,
            beyond: report.validity.is_late() || report.validity.is_starved(),
            starved: report.validity.is_starved(),
            closed: report.workloads.values().chain(report.runs.values()).any(|work| work.measured.reacts()),
            rated: report.directions.iter().any(rated),
            queues: dropped.chain(by_nodes).any(|cause| nature(known(cause)) == Nature::Queue),
            changes: changes.map(|event| event.at_ns).collect(),
        }
    }

    /// All gaps that a stretch met.
    pub(super) fn exposure(&self, stretch: Stretch) -> Exposure {
        self.met(stretch, |_| true)
    }

    /// Of those, the ones beside a change of the network.
    fn at_changes(&self, stretch: Stretch) -> Exposure {
        self.met(stretch, |(from, to)| self.changed(*from, *to))
    }

    /// Whether frames sent from then until then can have met a change too early or too late.
    fn changed(&self, from: i64, to: i64) -> bool {
        self.changes.iter().any(|at| (from..=to + self.reach).contains(at))
    }

    fn met(&self, (from, to): Stretch, which: impl Fn(&(i64, i64)) -> bool) -> Exposure {
        let gaps = self.gaps.touching(from, to).iter().filter(|gap| which(gap));
        let (count, total) = gaps.fold((0, 0), |(count, total), gap| (count + 1, total + gap.1 - gap.0));
        Exposure { count, share: (total as f64 / (to.saturating_sub(from)).max(1) as f64).min(0.95) }
    }

    /// The longest that a frame may have stood in queues behind a burst that a gap made.
    pub(super) fn queueing(&self, sent: i64, arrived: i64) -> u64 {
        if !self.rated || self.gaps.list.is_empty() {
            return 0;
        }
        self.gaps.aftermath(sent).max(self.gaps.aftermath(arrived)).min(queueing(&self.report.directions))
    }

    /// Whether a round trip or a delay may in truth have been longer: reacting senders kept queues shorter than they would
    /// have been.
    pub(super) fn may_be_longer(&self) -> bool {
        self.beyond && self.closed && self.rated
    }

    /// Whether a request that was sent then, and answered or over then, can have met another fate.
    pub(super) fn unsure(&self, sent: i64, over: i64, answered: bool) -> bool {
        let queues = self.queues && (!answered || (self.closed && self.beyond));
        !self.gaps.touching(sent, over).is_empty() && (queues || self.changed(sent, over))
    }

    /// The least that a delay between two hosts can be in ns, one way: see [`Floor`].
    pub(super) fn floor(&self, from: &str, to: &str, stretch: Stretch) -> u64 {
        self.floor.between(from, to, stretch)
    }

    /// When frames of a stretch, or all, were on their way.
    pub(super) fn on_their_way(&self, stretch: Option<Stretch>) -> Stretch {
        stretch.map_or((0, i64::MAX), |(from, to)| (from.saturating_sub(self.reach), to.saturating_add(self.reach)))
    }

    /// Gives readings the range that they may have in truth, where they do not have it from their samples.
    pub(super) fn widen(&self, measure: &Measure, stretch: Option<Stretch>, readings: &mut [Reading]) {
        if self.starved {
            readings.iter_mut().filter(|reading| !self.is_drawn(measure, reading)).for_each(Reading::unknown);
            return;
        }
        if self.gaps.list.is_empty() {
            return;
        }
        let end = i64::try_from(self.report.duration_ns).unwrap_or(i64::MAX);
        let work = match &measure.subject {
            Subject::Workload(name) => self.report.workloads.get(name),
            _ => None,
        };
        let life = work.map_or((0, end), |work| (work.started_ns.unwrap_or(0), work.ended_ns.unwrap_or(end)));
        for reading in readings {
            let window = match reading.at {
                Some(at) if measure.over_time => (at - INTERVAL, at + INTERVAL),
                _ => stretch.map_or(life, |(from, to)| (from.max(life.0), to.min(life.1))),
            };
            match (&measure.subject, work) {
                (Subject::Workload(_), Some(work)) => self.of_workload(measure, (stretch, window), work, reading),
                (Subject::Link { name, to }, _) => {
                    let label = reading.label.clone();
                    let meant = |d: &&Direction| {
                        let this = || label.as_ref().is_none_or(|label| *label == format!("{} → {}", d.from, d.to));
                        d.link == *name && to.as_ref().is_none_or(|to| d.to == *to) && this()
                    };
                    if let Some(direction) = self.report.directions.iter().find(meant) {
                        self.of_direction(measure, (stretch, window), direction, reading);
                    }
                }
                _ => self.of_node(measure, window, reading),
            }
        }
    }

    /// Whether nothing of it depends on when frames were sent.
    fn is_drawn(&self, measure: &Measure, reading: &Reading) -> bool {
        let quiet = !self.queues && self.changes.is_empty();
        match measure.source {
            Source::Requests(Requests::Each) => false,
            Source::Requests(_) => quiet && reading.low == reading.high,
            Source::Stream(Stream::Sent) => true,
            Source::Delay => quiet && !self.rated,
            Source::Stream(Stream::Lost | Stream::Loss | Stream::LossOverTime | Stream::Received | Stream::Bytes) => {
                quiet
            }
            Source::Number(_, Late::Frames) => quiet,
            Source::Direction(Of::DroppedBy) => match nature(measure.cause()) {
                // bursts do not keep queues from dropping
                Nature::Queue => reading.value == 0.0 && !self.closed,
                Nature::Fixed => !self.closed,
                Nature::Change => quiet && !self.closed,
            },
            Source::Direction(
                Of::Offered
                | Of::Delivered
                | Of::Dropped
                | Of::Loss
                | Of::Originated
                | Of::Duplicated
                | Of::Corrupted
                | Of::Clamped,
            )
            | Source::Node(_) => quiet && !self.closed,
            _ => false,
        }
    }

    fn of_workload(
        &self,
        measure: &Measure,
        (stretch, window): (Option<Stretch>, Stretch),
        work: &WorkloadReport,
        reading: &mut Reading,
    ) {
        let met = self.exposure(window);
        let remembered = self.exposure((window.0 - MEMORY, window.1));
        let value = reading.value;
        let program = work.measured.values().is_some();
        match measure.source {
            Source::Exit | Source::Value if self.beyond && met.count > 0 => reading.unknown(),
            Source::Ok if self.beyond && met.count > 0 && (value == 0.0 || program) => reading.unknown(),
            Source::Took => reading.scale(met.reacting(), measure.unit),
            Source::Ended | Source::Started if value > 0.0 => {
                reading.low = value / self.exposure((0, value as i64)).reacting();
            }
            Source::Stream(of) => self.of_stream(of, (stretch, window), work, reading),
            Source::Arrived(Arrived::Bytes)
                if stretch.is_none()
                    && measure.fixed
                    && work.measured.tcp_sender().is_some_and(|sender| sender.complete) => {}
            Source::Arrived(Arrived::GoodputOverTime) if remembered.count > 0 => reading.unknown(),
            Source::Arrived(_) => reading.scale(remembered.reacting(), measure.unit),
            Source::Jitter => {
                let corrected =
                    || work.measured.udp_receiver()?.corrected.as_ref()?.jitter_ns.as_ref()?.get(measure.part()?);
                if let Some(other) = corrected() {
                    (reading.low, reading.high) = (value.min(other as f64), value.max(other as f64));
                }
            }
            Source::Number(_, late) => self.of_number(late, window, work, (reading, measure.unit)),
            _ => {}
        }
    }

    fn of_number(&self, late: Late, window: Stretch, work: &WorkloadReport, (reading, unit): (&mut Reading, Unit)) {
        let met = self.exposure(window);
        let value = reading.value;
        match late {
            Late::Errors if self.beyond && met.count > 0 => reading.unknown(),
            Late::Gap if met.count > 0 => {
                // each of the two arrivals may have been kept up
                reading.spread(self.gaps.longest().as_nanos() as f64);
                if self.beyond && self.closed {
                    reading.unknown();
                }
            }
            Late::Complete if value == 1.0 => {}
            Late::Reacts | Late::Complete => {
                if value == 0.0 && met.count > 0 && self.beyond {
                    reading.unknown();
                } else {
                    reading.scale(met.reacting(), unit);
                }
            }
            Late::Reordered => {
                let frames = self.frames(work, &met);
                reading.low = (value - frames).max(0.0);
                reading.high = if self.beyond { value + frames } else { value };
            }
            Late::Frames => reading.spread(self.frames(work, &self.timed(window))),
            Late::Fewer if met.count > 0 => reading.low = 0.0,
            _ => {}
        }
    }

    /// Gaps that can have decided which frames were dropped.
    fn timed(&self, window: Stretch) -> Exposure {
        if self.queues { self.exposure(window) } else { self.at_changes(window) }
    }

    /// How many datagrams a stream sent in gaps at most.
    fn frames(&self, work: &WorkloadReport, met: &Exposure) -> f64 {
        (sent(work) * met.share).ceil() + met.count as f64
    }

    fn of_stream(
        &self,
        of: Stream,
        (stretch, window): (Option<Stretch>, Stretch),
        work: &WorkloadReport,
        reading: &mut Reading,
    ) {
        let value = reading.value;
        let met = self.exposure(window);
        let timed = self.timed(window);
        // of frames in a part of the life of the stream
        let life = (work.ended_ns.unwrap_or(window.1) - work.started_ns.unwrap_or(0)).max(1) as f64;
        let part = ((window.1 - window.0).max(1) as f64 / life).min(1.0);
        let scaled = |met: &Exposure| Exposure { share: met.share * part, ..*met };
        // A queue drops the more, the later frames come; a change, or a sender that reacts, can work either way.
        let either = self.at_changes(window).count > 0 || (self.closed && self.beyond && self.queues);
        let moved = stretch.is_some();
        match of {
            Stream::Sent => {}
            Stream::Lost => {
                let frames = self.frames(work, &scaled(&timed));
                reading.low = (value - frames).max(0.0);
                reading.high = if either { value + frames } else { value };
            }
            Stream::Loss => {
                let share =
                    if timed.count > 0 { timed.share + timed.count as f64 / (sent(work) * part).max(1.0) } else { 0.0 };
                reading.low = (value - share).max(0.0);
                reading.high = if either { (value + share).min(1.0) } else { value };
            }
            Stream::LossOverTime if timed.count > 0 => {
                reading.low = 0.0;
                reading.high = if either { 1.0 } else { value };
            }
            Stream::LossOverTime => {}
            Stream::Received | Stream::Bytes => {
                let each = if of == Stream::Bytes { size(work) } else { 1.0 };
                reading.spread(self.frames(work, &scaled(if moved { &met } else { &timed })) * each);
            }
            Stream::Throughput => {
                let edge = self.gaps.longest().as_nanos() as f64 / (window.1 - window.0).max(1) as f64;
                let share = if moved { met.share } else { timed.share + if met.count > 0 { edge } else { 0.0 } };
                reading.scale(1.0 / (1.0 - share.min(0.95)), Unit::Rate);
            }
            Stream::ThroughputOverTime if met.count > 0 => reading.unknown(),
            Stream::ThroughputOverTime => {}
            Stream::MeanDelayOverTime | Stream::MaxDelayOverTime => {
                let late = self.gaps.touching(window.0, window.1).iter().map(|gap| gap.1 - gap.0).sum::<i64>();
                let queued = self.queueing(window.0, window.1);
                reading.low = (value - late as f64 - queued as f64).max(0.0);
                if self.may_be_longer() {
                    reading.high = f64::INFINITY;
                }
            }
        }
    }

    fn of_direction(
        &self,
        measure: &Measure,
        (stretch, window): (Option<Stretch>, Stretch),
        direction: &Direction,
        reading: &mut Reading,
    ) {
        let value = reading.value;
        let all = self.exposure(window);
        let part = ((window.1 - window.0) as f64 / self.report.duration_ns.max(1) as f64).min(1.0);
        let offered = direction.offered.frames as f64 * part;
        let frames = |met: &Exposure| (offered * met.share).ceil() + met.count as f64;
        let reacting = self.closed && self.beyond && all.count > 0;
        let timed = self.timed(window);
        match measure.source {
            Source::Delay if all.count > 0 => {
                let Some(delay) = &direction.delay_ns else { return };
                if self.changed(window.0, window.1) && self.beyond {
                    (reading.low, reading.high) = (delay.min() as f64, delay.max() as f64);
                } else if self.rated {
                    let queued = queueing(std::slice::from_ref(direction)).min(self.gaps.longest().as_nanos());
                    reading.low = (value - queued as f64).max(delay.min() as f64);
                }
                if self.may_be_longer() {
                    reading.high = f64::INFINITY;
                }
            }
            Source::Direction(of) => match of {
                Of::Offered | Of::OfferedBytes | Of::Originated | Of::Duplicated | Of::Corrupted | Of::Clamped
                    if !self.closed => {}
                Of::Rate | Of::Delivered | Of::DeliveredBytes if !self.closed => {
                    let met = if stretch.is_some() || of == Of::Rate { &all } else { &timed };
                    reading.scale(1.0 / (1.0 - met.share), measure.unit);
                }
                Of::RateOverTime | Of::DeliveredOverTime if all.count > 0 => reading.unknown(),
                Of::DroppedBy | Of::Dropped | Of::Loss | Of::Marked | Of::DroppedOverTime | Of::LossOverTime => {
                    self.of_drops(of, measure, window, offered, reading);
                }
                Of::Reordered => {
                    reading.low = (value - frames(&all)).max(0.0);
                    reading.high = if self.beyond { value + frames(&all) } else { value };
                }
                Of::QueueMax | Of::QueueMean | Of::Queue if all.count > 0 => {
                    reading.low = 0.0;
                    if reacting {
                        reading.high = f64::INFINITY;
                    }
                }
                Of::Inside if self.beyond => reading.unknown(),
                _ if self.closed => reading.scale(all.reacting(), measure.unit),
                _ => {}
            },
            _ => {}
        }
    }

    /// `offered`: frames in the window.
    fn of_drops(&self, of: Of, measure: &Measure, window: Stretch, offered: f64, reading: &mut Reading) {
        let value = reading.value;
        let all = self.exposure(window);
        let cause = match of {
            Of::DroppedBy => nature(measure.cause()),
            Of::Marked => Nature::Queue,
            _ if self.queues => Nature::Queue,
            _ => Nature::Change,
        };
        let reacting = self.closed && self.beyond && all.count > 0;
        let (met, either) = match cause {
            Nature::Fixed if self.closed => return reading.scale(all.reacting(), measure.unit),
            Nature::Fixed => return,
            Nature::Queue => (all, reacting || self.at_changes(window).count > 0 && self.beyond),
            Nature::Change => (self.at_changes(window), true),
        };
        let frames = (offered * met.share).ceil() + met.count as f64;
        let by = match of {
            _ if met.count == 0 => 0.0,
            Of::LossOverTime => 1.0,
            Of::DroppedOverTime => value + frames,
            Of::Loss => met.share + met.count as f64 / offered.max(1.0),
            _ => frames,
        };
        reading.low = (value - by).max(0.0);
        if either {
            reading.high = if measure.unit == Unit::Share { (value + by).min(1.0) } else { value + by };
        }
    }

    /// Nodes count what passes them: what is exact there was exact on the links before.
    fn of_node(&self, measure: &Measure, window: Stretch, reading: &mut Reading) {
        let met = self.exposure(window);
        if met.count == 0 || !self.beyond {
            return;
        }
        match measure.source {
            Source::Nat(_, Late::Unknown) => reading.unknown(),
            Source::Node(Node::DroppedBy) if nature(measure.cause()) != Nature::Fixed => {
                reading.unknown();
            }
            _ if self.closed => reading.scale(met.reacting(), measure.unit),
            _ => {
                let timed = self.timed(window);
                if timed.count > 0 {
                    reading.scale(1.0 / (1.0 - timed.share), measure.unit);
                }
            }
        }
    }
}

impl Exposure {
    /// The factor by which senders that react can have been faster or slower. Our own choice: a sender that stands still for
    /// a share *s* of the time loses that time, and as much again to come back to its rate, in both directions of an error.
    fn reacting(&self) -> f64 {
        ((1.0 + self.share) / (1.0 - self.share)).powi(2)
    }
}

/// How many datagrams a stream sent.
fn sent(work: &WorkloadReport) -> f64 {
    work.measured.udp_sender().map_or(0.0, |sender| sender.sent as f64)
}

/// Bytes of payload of each.
fn size(work: &WorkloadReport) -> f64 {
    work.measured.udp_sender().map_or(0.0, |sender| sender.bytes as f64) / sent(work).max(1.0)
}

/// What frames are dropped by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nature {
    /// A draw, or a rule: whenever the frame comes.
    Fixed,
    /// What came shortly before.
    Queue,
    /// What the network was like at that time.
    Change,
}

fn known(cause: &str) -> Option<DropCause> {
    DropCause::ALL.into_iter().find(|known| known.name() == cause)
}

fn nature(cause: Option<DropCause>) -> Nature {
    match cause {
        Some(
            DropCause::QueueFull
            | DropCause::Aqm
            | DropCause::QueueResized
            | DropCause::Storm
            | DropCause::Unreachable
            | DropCause::NatNoMapping
            | DropCause::NatFiltered
            | DropCause::NatFull
            | DropCause::NatFragment,
        ) => Nature::Queue,
        Some(
            DropCause::LinkDown
            | DropCause::NodeDown
            | DropCause::PortDown
            | DropCause::Partition
            | DropCause::Blocked
            | DropCause::NoRoute
            | DropCause::TtlExceeded,
        ) => Nature::Change,
        _ => Nature::Fixed,
    }
}

/// The longest that frames stood in the queues of some directions, all in all.
pub fn queueing(directions: &[Direction]) -> u64 {
    directions.iter().filter_map(|direction| direction.delay_ns.as_ref()).map(|delay| delay.max() - delay.min()).sum()
}

//! One direction of a link: admission → queue → serializer → wire → propagation, the order of physics.
//!
//! Frames are numbered at admission; a number names the same random draws whatever happens to other frames. Loss is
//! decided when a frame goes onto the wire, and takes effect when it has used its share of it.

mod change;
mod impair;
mod mtus;
mod wire;

use self::mtus::Mtus;
use super::counters::DirectionCounters;
use super::isolation::Isolation;
use super::line::{Leaving, Line};
use super::medium::Medium;
use super::pipeline::loss::{Losses, OnWire};
use super::pipeline::{Delayed, Pipeline, Streams};
use super::sink::{Fate, FateKind, FrameSink, Place};
use super::times::FineLeft;
use super::{DirectionId, DirectionSpec, NodeId};
use crate::frame::{DropCause, Frame, FramePool};
use crate::model::delay::Drawn;
use crate::model::rate::Server;
use crate::model::{Delay, Only, Order, RateSpec};
use crate::queue::{Doors, Fifo, FifoSpec, Queue, QueueSpec, Wire};
use crate::rng::{StreamKey, Way};
use crate::units::{Duration, Instant};

/// Ethernet header; MTU counts what is behind it.
const ETHERNET_HEADER: u64 = 14;
/// An 802.1Q or 802.1ad tag, which MTU does not count either (as Linux does not).
const VLAN_TAG: u64 = 4;

/// What each frame touches stands first and close together: with 10,000 links at work, most of a frame's cost is fetching
/// its direction from memory.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Direction {
    id: DirectionId,
    mtus: Mtus,
    up: bool,
    watch: Watch,
    /// The frame on the wire is lost, and drops when it has used its share of it.
    loses: bool,
    /// Whose wire it is.
    pub(super) medium: Medium,
    /// Number of the next frame to be admitted.
    number: u64,
    in_service: Option<InService>,
    /// What whole nanoseconds could not express of the backlog so far, in units of 1/rate ns.
    carry: u64,
    wire: Wire,
    /// What serves the wire if its rate is not constant.
    server: Option<Box<Server>>,
    queue: Queueing,
    loss: Losses,
    loss_key: StreamKey,
    delay: Delay,
    /// The latest departure so far, for `order: keep`.
    latest: Instant,
    line: Line,
    /// Where the direction leads: a node, and its port there.
    pub(crate) far_end: (NodeId, u32),
    pub(crate) counters: DirectionCounters,
    delay_key: StreamKey,
    /// Models that look at frames one by one: most directions have none.
    pipeline: Option<Box<Pipeline>>,
    /// Every time the wire becomes free is an event: the plain form that the short one is held against.
    #[cfg(test)]
    pub(crate) every_event: bool,
}

/// What is looked at when frames leave the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Watch {
    /// Runs of frames, whenever that is convenient.
    Runs,
    /// Each frame at once: models look at it, or it may overtake, or its delay may have been drawn negative.
    Frames,
    /// Each frame at once: its delay includes the path that it took to the port at the near end.
    Paths,
}

/// The queue in front of the wire. Most links of a large network never have a frame waiting.
#[derive(Debug)]
enum Queueing {
    /// No rate and no queue.
    None,
    /// The fifo that it will be when the first frame waits. Other disciplines are rare, and made at once.
    Planned(FifoSpec),
    /// At work.
    Made(Box<Queue>),
}

/// The frame on the wire.
#[derive(Debug)]
struct InService {
    frame: Frame,
    /// When its last bit is sent.
    done: Instant,
}

/// What a direction needs from around it at one event.
pub(crate) struct Around<'a, S> {
    pub(crate) now: Instant,
    /// The rank of the event that runs now: those of the same instant and a lower rank have happened. Inputs come last.
    pub(crate) turn: u32,
    /// An input of this instant has taken effect: what was due at it before has happened, whatever its rank.
    pub(crate) after_input: bool,
    /// How long a run of frames may span.
    pub(crate) coalesce: Duration,
    pub(crate) fine: &'a mut FineLeft,
    /// What is cut off from what, if anything is.
    pub(super) isolation: Option<&'a Isolation>,
    pub(crate) pool: &'a mut FramePool,
    pub(crate) sink: &'a mut S,
}

impl Direction {
    pub(crate) fn new(
        id: DirectionId,
        far_end: (NodeId, u32),
        spec: &DirectionSpec,
        seed: u64,
        link: &str,
        way: Way,
    ) -> Self {
        let streams = Streams { seed, link, way };
        let wire = Wire { rate: spec.rate.nominal(), framing: spec.framing };
        let loss = Losses::new(&spec.loss, streams);
        let delay = Delay::new(spec.delay.clone());
        let pipeline = Pipeline::new(spec, &loss, &delay, streams);
        let mut direction = Direction {
            id,
            mtus: Mtus::of(spec),
            up: true,
            watch: Watch::Runs,
            loses: false,
            medium: Medium::OWN,
            number: 0,
            in_service: None,
            carry: 0,
            wire,
            server: Server::new(&spec.rate, Instant::ZERO, || streams.key("slots")),
            queue: queueing(spec, &wire, streams, Instant::ZERO),
            loss,
            loss_key: StreamKey::new(seed, link, way, "loss"),
            delay,
            latest: Instant::ZERO,
            line: Line::default(),
            far_end,
            counters: DirectionCounters::default(),
            delay_key: StreamKey::new(seed, link, way, "delay"),
            pipeline,
            #[cfg(test)]
            every_event: false,
        };
        direction.note_models();
        direction
    }

    /// To be called when models have changed.
    fn note_models(&mut self) {
        let one_by_one = self.pipeline.is_some() || self.delay.order() == Order::Free || self.delay.may_clamp();
        self.watch = match self.watch {
            Watch::Paths => Watch::Paths,
            _ if one_by_one => Watch::Frames,
            _ => Watch::Runs,
        };
    }

    /// From here on delays include the path that frames took to the port at the near end: what is left of them is waited.
    pub(crate) fn include_path(&mut self) {
        self.watch = Watch::Paths;
    }

    #[cfg(test)]
    pub(crate) fn assert_no_admission_is_left(&self) {
        assert_eq!(self.pipeline.as_ref().map_or(0, |pipeline| pipeline.admitted()), 0);
    }

    pub(crate) fn spec(&self) -> DirectionSpec {
        DirectionSpec {
            mtu: self.mtus.link(),
            port_mtu: self.mtus.port(),
            queue: match &self.queue {
                Queueing::None => None,
                Queueing::Planned(spec) => Some(QueueSpec::Fifo(*spec)),
                Queueing::Made(queue) => Some(queue.spec()),
            },
            half_duplex: self.medium.is_shared(),
            rate: self.rate_spec(),
            framing: self.wire.framing,
            loss: self.loss.spec(),
            impairments: self.pipeline.as_ref().map(|pipeline| pipeline.asked().clone()).unwrap_or_default(),
            delay: self.delay.spec(),
        }
    }

    /// Models that are to apply to some frames only, and none of these has come so far: by name.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = (&'static str, &Only)> {
        let pipeline = self.pipeline.iter().flat_map(|pipeline| pipeline.unmatched());
        self.loss.unmatched().map(|only| ("loss", only)).chain(pipeline)
    }

    /// MTU of a router's interface at the near end.
    pub(crate) fn mtu(&self) -> Option<u32> {
        self.mtus.link().or(self.mtus.port())
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    /// Wire frames inside: waiting, on the wire, on their way.
    pub(crate) fn inside(&self) -> u64 {
        self.waiting() + u64::from(self.in_service.is_some()) + self.line.frames()
    }

    #[inline]
    pub(crate) fn waiting(&self) -> u64 {
        match &self.queue {
            Queueing::Made(queue) => queue.frames(),
            Queueing::None | Queueing::Planned(_) => 0,
        }
    }

    /// Numbers what is offered, and counts it.
    #[inline]
    fn count_in<S: FrameSink>(&mut self, frame: &mut Frame, around: &mut Around<'_, S>) {
        self.catch_up(around);
        let count = frame.count();
        self.counters.offered.add(count, around.pool.bytes(frame));
        frame.number = self.number;
        frame.offered = around.now;
        self.number += count;
        if around.sink.watches(self.id) {
            self.tell(frame, FateKind::Offered, around.now, around);
        }
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.admit(frame, &mut self.loss, &mut self.delay, around.pool);
        }
    }

    /// Admission.
    #[inline]
    pub(crate) fn offer<S: FrameSink>(&mut self, mut frame: Frame, around: &mut Around<'_, S>) {
        self.count_in(&mut frame, around);
        if !self.up {
            return self.drop(frame, DropCause::LinkDown, around);
        }
        if let Some(mtu) = self.mtus.largest() {
            match self.within_mtu(frame, u64::from(mtu), around) {
                Some(rest) => frame = rest,
                None => return,
            }
        }
        if self.in_service.is_none() && (self.medium.is_own() || self.may_start()) {
            // the wire is free, so nothing waits: what comes passes the queue by
            if self.is_unlimited() {
                return self.onto_free_wire(frame, around);
            }
            return self.onto_wire(frame, around);
        }
        self.enqueue(frame, around);
    }

    /// What is offered and goes no further, since the port that it comes from is closed.
    #[cold]
    pub(crate) fn turn_back<S: FrameSink>(&mut self, mut frame: Frame, cause: DropCause, around: &mut Around<'_, S>) {
        self.count_in(&mut frame, around);
        self.drop(frame, cause, around);
    }

    fn enqueue<S: FrameSink>(&mut self, frame: Frame, around: &mut Around<'_, S>) {
        let mut doors = DirectionDoors::new(self.id, &mut self.counters, &mut self.pipeline, around.now, around.sink);
        if let Queueing::Planned(spec) = self.queue {
            self.queue = Queueing::Made(Box::new(Queue::Fifo(Fifo::new(spec, &self.wire))));
        }
        let Queueing::Made(queue) = &mut self.queue else { panic!("a direction whose wire can be busy has a queue") };
        queue.offer(frame, &self.wire, around.pool, &mut doors);
    }

    /// Drops the frames of a stretch that are larger than the MTU: all but perhaps the last of a train, or none.
    fn within_mtu<S: FrameSink>(&mut self, mut frame: Frame, mtu: u64, around: &mut Around<'_, S>) -> Option<Frame> {
        let header = l2_header(around.pool.view(&frame).head);
        let too_large = |pool: &FramePool, frame: &Frame, i| pool.wire_len(frame, i) > header + mtu;
        if !too_large(around.pool, &frame, 0) {
            return Some(frame);
        }
        let last = frame.count() - 1;
        if last == 0 || too_large(around.pool, &frame, last) {
            self.drop(frame, DropCause::Mtu, around);
            return None;
        }
        let front = around.pool.split_front(&mut frame, last);
        self.drop(front, DropCause::Mtu, around);
        Some(frame)
    }

    /// A wire that takes no time: a train passes whole where nothing tells its frames apart.
    fn onto_free_wire<S: FrameSink>(&mut self, mut frame: Frame, around: &mut Around<'_, S>) {
        if self.loss.is_none() && self.delay.is_constant() && self.pipeline.is_none() {
            return self.propagate(frame, around.now, around);
        }
        while frame.count() > 1 {
            let front = around.pool.split_front(&mut frame, 1);
            self.leave_wire(front, around);
        }
        self.leave_wire(frame, around);
    }

    fn leave_wire<S: FrameSink>(&mut self, frame: Frame, around: &mut Around<'_, S>) {
        if self.is_lost(&frame, around.now, around.pool) {
            self.drop(frame, DropCause::Loss, around);
        } else {
            self.survive(frame, around.now, around);
        }
    }

    #[inline]
    fn is_lost(&mut self, frame: &Frame, at: Instant, pool: &FramePool) -> bool {
        let on_wire = || OnWire { number: frame.number, bits: pool.wire_len(frame, 0) * 8, at };
        let decided = || self.pipeline.as_ref().map(|pipeline| pipeline.decided()).unwrap_or_default();
        self.loss.is_lost(frame.number, self.loss_key, on_wire, decided)
    }

    /// A wire frame that was not lost.
    #[inline]
    fn survive<S: FrameSink>(&mut self, frame: Frame, sent: Instant, around: &mut Around<'_, S>) {
        if self.pipeline.is_none() {
            return self.propagate(frame, sent, around);
        }
        self.impair(frame, sent, around);
    }

    fn tell<S: FrameSink>(&self, frame: &Frame, kind: FateKind, at: Instant, around: &mut Around<'_, S>) {
        let (place, number, frames) = (Place::Direction(self.id), frame.number(), frame.count());
        around.sink.fate(Fate { at, place, number, frames, kind, pool: around.pool, frame });
    }

    #[inline]
    fn tell_departing<S: FrameSink>(
        &self,
        frame: &Frame,
        ahead: bool,
        sent: Instant,
        (arrival, drawn): (Instant, Duration),
        around: &mut Around<'_, S>,
    ) {
        if around.sink.watches(self.id) {
            self.tell(frame, FateKind::Departing { arrival, drawn, copy: frame.is_copy(), ahead }, sent, around);
        }
    }

    /// Sends frames that meet the same delay, and whose last bit was sent at `sent`, on their way.
    #[inline]
    fn propagate<S: FrameSink>(&mut self, frame: Frame, sent: Instant, around: &mut Around<'_, S>) {
        let drawn = self.delay.draw(sent, || self.delay_key.frame(frame.number(), 0));
        let departure = self.departure(&frame, drawn, sent, around.pool);
        self.tell_departing(&frame, false, sent, (departure, drawn.delay), around);
        self.line.push(departure, frame, around.coalesce, around.pool);
    }

    /// Sends a frame that models have looked at on its way. `copy` is 0 for a frame itself, and counts what is made of it, each with a
    /// delay of its own.
    fn depart<S: FrameSink>(
        &mut self,
        frame: Frame,
        Delayed { number, stray }: Delayed,
        copy: u32,
        sent: Instant,
        alone: bool,
        around: &mut Around<'_, S>,
    ) {
        let rng = || self.delay_key.frame(number, copy);
        let drawn = match stray {
            None => self.delay.draw(sent, rng),
            Some(z) => self.delay.draw_correlated(sent, z, copy, rng),
        };
        let departure = self.departure(&frame, drawn, sent, around.pool);
        self.tell_departing(&frame, false, sent, (departure, drawn.delay), around);
        match alone {
            true => self.line.push_alone(departure, frame),
            false => self.line.push(departure, frame, around.coalesce, around.pool),
        }
    }

    /// When frames with this delay arrive.
    #[inline]
    fn departure(&mut self, frame: &Frame, drawn: Drawn, sent: Instant, pool: &FramePool) -> Instant {
        let path = if self.watch == Watch::Paths { pool.path(frame) } else { Duration::ZERO };
        if path > drawn.delay {
            self.counters.clamped += frame.count();
        } else if drawn.clamped {
            self.counters.clamped += 1;
        }
        let own = sent + drawn.delay.saturating_sub(path);
        let departure = match self.delay.order() {
            Order::Keep => own.max(self.latest),
            Order::Free => own,
        };
        self.latest = self.latest.max(departure);
        departure
    }

    /// The next event: the wire becomes free, or a run leaves. It may come early, when nothing is due yet, but never late.
    #[inline]
    pub(crate) fn next_event(&self, coalesce: Duration) -> Option<Instant> {
        let Some(served) = &self.in_service else { return self.line.next(|| None, coalesce) };
        let departure = self.line.next(|| self.coming(), coalesce);
        if self.is_seen_at_once() {
            return Some(departure.map_or(served.done, |at| at.min(served.done)));
        }
        departure.or_else(|| {
            Some(match self.delay.is_constant() {
                true => (served.done + self.delay.mean_at(served.done)).max(self.latest),
                false => served.done,
            })
        })
    }

    /// The frame on the wire with the instant at which it is done, where it may join the run that leaves next.
    #[inline]
    fn coming(&self) -> Option<(&Frame, Instant)> {
        let served = self.in_service.as_ref().filter(|_| !self.loses && self.pipeline.is_none())?;
        Some((&served.frame, served.done))
    }

    /// Whether somebody sees that the wire becomes free at the very instant at which it does: the frames that wait for
    /// it, or, if the frame on it is lost, or may overtake, or meets a delay that is to be counted, the outside. If not, it
    /// is no event of its own, and the direction catches up at its next.
    #[inline]
    fn is_seen_at_once(&self) -> bool {
        #[cfg(test)]
        if self.every_event {
            return true;
        }
        self.loses || self.watch != Watch::Runs || self.medium.is_shared() || self.waiting() > 0
    }

    /// Runs the event that is due at `around.now`, and returns what leaves by it. At the same instant the wire becomes
    /// free first, so that a frame without delay leaves when its last bit is sent.
    #[inline]
    pub(crate) fn step<S: FrameSink>(&mut self, around: &mut Around<'_, S>) -> Option<Frame> {
        self.catch_up(around);
        if self.line.next(|| self.coming(), around.coalesce)? > around.now {
            return None;
        }
        let Leaving { frame, at, overtaken } = self.line.pop()?;
        debug_assert!(at <= around.now);
        if let Some(isolation) = around.isolation
            && let Some(cause) = isolation.stops(around.pool.origin(&frame), self.far_end.0)
        {
            self.turn_away(frame, cause, around);
            return None;
        }
        self.deliver(&frame, overtaken, around);
        Some(frame)
    }

    fn deliver<S: FrameSink>(&mut self, frame: &Frame, overtaken: bool, around: &mut Around<'_, S>) {
        let count = frame.count();
        self.counters.delivered.add(count, around.pool.bytes(frame));
        let mut delay = around.now - frame.offered;
        if self.watch == Watch::Paths {
            delay = delay + around.pool.path(frame);
        }
        self.counters.delay.record_among(delay, count, around.fine);
        if overtaken && !frame.is_copy() {
            // a copy comes behind its original by nature
            self.counters.reordered += count;
        }
        let kind = FateKind::Delivered { offered: frame.offered, copy: frame.is_copy(), overtaken };
        self.tell(frame, kind, around.now, around);
    }

    /// Drops what has come to the far end. Models are through with it.
    #[cold]
    fn turn_away<S: FrameSink>(&mut self, frame: Frame, cause: DropCause, around: &mut Around<'_, S>) {
        let doors = DirectionDoors::new(self.id, &mut self.counters, &mut self.pipeline, around.now, around.sink);
        DirectionDoors { pipeline: None, ..doors }.dropped(frame, cause, around.pool);
    }

    fn drop<S: FrameSink>(&mut self, frame: Frame, cause: DropCause, around: &mut Around<'_, S>) {
        DirectionDoors::new(self.id, &mut self.counters, &mut self.pipeline, around.now, around.sink).dropped(
            frame,
            cause,
            around.pool,
        );
    }
}

fn queueing(spec: &DirectionSpec, wire: &Wire, streams: Streams<'_>, now: Instant) -> Queueing {
    match (spec.queue, &spec.rate) {
        (None, RateSpec::Unlimited) => Queueing::None,
        (queue, _) => match queue.unwrap_or(QueueSpec::DEFAULT) {
            QueueSpec::Fifo(spec) => Queueing::Planned(spec),
            other => Queueing::Made(Box::new(Queue::new(other, wire, streams.key("queue"), now))),
        },
    }
}

/// Bytes before the L3 header: Ethernet, and up to two VLAN tags.
fn l2_header(head: &[u8]) -> u64 {
    let tagged = |at: usize| matches!(head.get(at..at + 2), Some([0x81, 0x00] | [0x88, 0xa8]));
    match (tagged(12), tagged(16)) {
        (false, _) => ETHERNET_HEADER,
        (true, false) => ETHERNET_HEADER + VLAN_TAG,
        (true, true) => ETHERNET_HEADER + 2 * VLAN_TAG,
    }
}

/// The way out for frames that are not delivered.
struct DirectionDoors<'a, S> {
    id: DirectionId,
    counters: &'a mut DirectionCounters,
    pipeline: Option<&'a mut Pipeline>,
    now: Instant,
    sink: &'a mut S,
}

impl<'a, S> DirectionDoors<'a, S> {
    fn new(
        id: DirectionId,
        counters: &'a mut DirectionCounters,
        pipeline: &'a mut Option<Box<Pipeline>>,
        now: Instant,
        sink: &'a mut S,
    ) -> Self {
        DirectionDoors { id, counters, pipeline: pipeline.as_deref_mut(), now, sink }
    }
}

impl<S: FrameSink> Doors for DirectionDoors<'_, S> {
    fn dropped(&mut self, frame: Frame, cause: DropCause, pool: &mut FramePool) {
        self.counters.dropped.add(cause, frame.count(), pool.bytes(&frame));
        if let Some(pipeline) = &mut self.pipeline {
            pipeline.settle(frame.number, frame.count());
        }
        self.sink.fate(Fate {
            at: self.now,
            place: Place::Direction(self.id),
            number: frame.number,
            frames: frame.count(),
            kind: FateKind::Dropped(cause),
            pool,
            frame: &frame,
        });
        pool.release(frame);
    }

    fn marked(&mut self, frame: &Frame, pool: &FramePool) {
        self.counters.marked += frame.count();
        self.sink.fate(Fate {
            at: self.now,
            place: Place::Direction(self.id),
            number: frame.number,
            frames: frame.count(),
            kind: FateKind::Marked,
            pool,
            frame,
        });
    }
}

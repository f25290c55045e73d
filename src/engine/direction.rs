//! One direction of a link: admission → queue → serializer → wire → propagation, the order of physics.
//!
//! Frames are numbered at admission; a number names the same random draws whatever happens to other frames. Loss is
//! decided when a frame goes onto the wire, and takes effect when it has used its share of it.

use super::counters::DirectionCounters;
use super::line::{Departing, Line};
use super::sink::{Fate, FateKind, FrameSink, Place};
use super::{Change, DirectionId, DirectionSpec};
use crate::frame::{DropCause, Frame, FramePool};
use crate::model::{Delay, Loss, Order, RateSpec};
use crate::queue::{Doors, Queue, QueueSpec, Wire};
use crate::rng::{StreamKey, Way};
use crate::units::{Duration, Instant};

/// Ethernet header; MTU counts what is behind it.
const ETHERNET_HEADER: u64 = 14;
/// An 802.1Q or 802.1ad tag, which MTU does not count either (as Linux does not).
const VLAN_TAG: u64 = 4;

#[derive(Debug)]
pub(crate) struct Direction {
    id: DirectionId,
    spec: DirectionSpec,
    wire: Wire,
    loss: Loss,
    delay: Delay,
    loss_key: StreamKey,
    delay_key: StreamKey,
    up: bool,
    /// Number of the next frame to be admitted.
    number: u64,
    queue: Option<Queue>,
    in_service: Option<InService>,
    /// What whole nanoseconds could not express of the backlog so far, in units of 1/rate ns.
    carry: u64,
    line: Line,
    /// The latest departure so far, for `order: keep`.
    latest: Instant,
    coalesce: Duration,
    pub(crate) counters: DirectionCounters,
}

/// The frame on the wire.
#[derive(Debug)]
struct InService {
    frame: Frame,
    /// When its last bit is sent.
    done: Instant,
    lost: bool,
}

/// What a direction needs from around it at one event.
pub(crate) struct Around<'a, S> {
    pub(crate) now: Instant,
    pub(crate) pool: &'a mut FramePool,
    pub(crate) sink: &'a mut S,
}

impl Direction {
    pub(crate) fn new(
        id: DirectionId,
        spec: DirectionSpec,
        seed: u64,
        link: &str,
        way: Way,
        coalesce: Duration,
    ) -> Self {
        let wire = Wire { rate: spec.rate, framing: spec.framing };
        Direction {
            id,
            wire,
            loss: Loss::new(spec.loss),
            delay: Delay::new(spec.delay),
            loss_key: StreamKey::new(seed, link, way, "loss"),
            delay_key: StreamKey::new(seed, link, way, "delay"),
            up: true,
            number: 0,
            queue: queue_for(&spec, &wire),
            in_service: None,
            carry: 0,
            line: Line::default(),
            latest: Instant::ZERO,
            coalesce,
            counters: DirectionCounters::default(),
            spec,
        }
    }

    pub(crate) fn spec(&self) -> &DirectionSpec {
        &self.spec
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    /// Wire frames inside: waiting, on the wire, on their way.
    pub(crate) fn inside(&self) -> u64 {
        self.waiting() + u64::from(self.in_service.is_some()) + self.line.frames()
    }

    pub(crate) fn waiting(&self) -> u64 {
        self.queue.as_ref().map_or(0, Queue::frames)
    }

    /// Admission.
    pub(crate) fn offer<S: FrameSink>(&mut self, mut frame: Frame, around: &mut Around<'_, S>) {
        let count = frame.count();
        self.counters.offered.add(count, around.pool.bytes(&frame));
        frame.number = self.number;
        frame.offered = around.now;
        self.number += count;
        if !self.up {
            return self.drop(frame, DropCause::LinkDown, around);
        }
        if let Some(mtu) = self.spec.mtu {
            match self.within_mtu(frame, u64::from(mtu), around) {
                Some(rest) => frame = rest,
                None => return,
            }
        }
        if self.wire.rate == RateSpec::Unlimited && self.in_service.is_none() {
            return self.onto_free_wire(frame, around);
        }
        if self.in_service.is_none() {
            // the wire is free, so nothing waits: the first frame passes the queue by
            let first = if frame.count() > 1 {
                let first = around.pool.split_front(&mut frame, 1);
                self.serve(first, around);
                frame
            } else {
                return self.serve(frame, around);
            };
            return self.enqueue(first, around);
        }
        self.enqueue(frame, around);
    }

    fn enqueue<S: FrameSink>(&mut self, frame: Frame, around: &mut Around<'_, S>) {
        let mut doors =
            DirectionDoors { id: self.id, counters: &mut self.counters, now: around.now, sink: around.sink };
        let queue = self.queue.as_mut().expect("a direction whose wire can be busy has a queue");
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

    /// Puts one wire frame onto the wire, which takes its time.
    fn serve<S: FrameSink>(&mut self, frame: Frame, around: &mut Around<'_, S>) {
        let lost = self.is_lost(frame.number);
        let time = match self.wire.rate {
            RateSpec::Unlimited => Duration::ZERO,
            RateSpec::Constant(rate) => rate.serialize(self.wire.on_wire(&frame, around.pool) * 8, &mut self.carry),
        };
        self.in_service = Some(InService { frame, done: around.now + time, lost });
    }

    /// A wire that takes no time: a train passes whole where nothing tells its frames apart.
    fn onto_free_wire<S: FrameSink>(&mut self, mut frame: Frame, around: &mut Around<'_, S>) {
        if self.loss.is_none() && self.delay.spec().is_constant() {
            return self.propagate(frame, around);
        }
        while frame.count() > 1 {
            let front = around.pool.split_front(&mut frame, 1);
            self.leave_wire(front, around);
        }
        self.leave_wire(frame, around);
    }

    fn leave_wire<S: FrameSink>(&mut self, frame: Frame, around: &mut Around<'_, S>) {
        if self.is_lost(frame.number) {
            self.drop(frame, DropCause::Loss, around);
        } else {
            self.propagate(frame, around);
        }
    }

    fn is_lost(&self, number: u64) -> bool {
        self.loss.draw(|| self.loss_key.frame(number, 0))
    }

    /// Sends frames that meet the same delay on their way.
    fn propagate<S: FrameSink>(&mut self, frame: Frame, around: &mut Around<'_, S>) {
        let drawn = self.delay.draw(|| self.delay_key.frame(frame.number, 0));
        self.counters.clamped += u64::from(drawn.clamped);
        let own = around.now + drawn.delay;
        let departure = match self.spec.delay.order {
            Order::Keep => own.max(self.latest),
            Order::Free => own,
        };
        self.latest = self.latest.max(departure);
        self.line.push(departure, frame, self.coalesce, around.pool);
    }

    /// The next event: the wire becomes free, or a run leaves.
    pub(crate) fn next_event(&self) -> Option<Instant> {
        match (self.wire_free(), self.next_departure()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn wire_free(&self) -> Option<Instant> {
        self.in_service.as_ref().map(|s| s.done)
    }

    fn next_departure(&self) -> Option<Instant> {
        let coming = self.in_service.as_ref().filter(|s| !s.lost).map(|s| (&s.frame, s.done));
        self.line.next(coming, self.coalesce)
    }

    /// Runs the event that is due at `around.now`, and returns what leaves by it. At the same instant the wire becomes
    /// free first, so that a frame without delay leaves when its last bit is sent.
    pub(crate) fn step<S: FrameSink>(&mut self, around: &mut Around<'_, S>) -> Option<Frame> {
        if self.wire_free() == Some(around.now) {
            let served = self.in_service.take().expect("a wire that becomes free had a frame on it");
            if served.lost {
                self.drop(served.frame, DropCause::Loss, around);
            } else {
                self.propagate(served.frame, around);
            }
            self.serve_next(around);
            return None;
        }
        let Departing { frame, at, .. } = self.line.pop()?;
        debug_assert!(at <= around.now);
        self.deliver(&frame, around);
        Some(frame)
    }

    fn serve_next<S: FrameSink>(&mut self, around: &mut Around<'_, S>) {
        match self.queue.as_mut().and_then(|queue| queue.take(&self.wire, around.pool)) {
            Some(frame) => self.serve(frame, around),
            None => self.carry = 0, // the next frame starts on a whole nanosecond
        }
    }

    fn deliver<S: FrameSink>(&mut self, frame: &Frame, around: &mut Around<'_, S>) {
        let count = frame.count();
        self.counters.delivered.add(count, around.pool.bytes(frame));
        self.counters.delay.record(around.now - frame.offered, count);
        let end = frame.number + count;
        if end <= self.counters.next_number {
            self.counters.reordered += count;
        } else {
            self.counters.next_number = end;
        }
        around.sink.fate(Fate {
            at: around.now,
            place: Place::Direction(self.id),
            number: frame.number,
            frames: count,
            kind: FateKind::Delivered { offered: frame.offered },
            view: around.pool.view(frame),
        });
    }

    fn drop<S: FrameSink>(&mut self, frame: Frame, cause: DropCause, around: &mut Around<'_, S>) {
        DirectionDoors { id: self.id, counters: &mut self.counters, now: around.now, sink: around.sink }.dropped(
            frame,
            cause,
            around.pool,
        );
    }

    /// Changes parameters in place.
    pub(crate) fn set<S: FrameSink>(&mut self, change: &Change, around: &mut Around<'_, S>) {
        let old = self.wire;
        change.apply_to(&mut self.spec);
        (self.loss, self.delay) = (Loss::new(self.spec.loss), Delay::new(self.spec.delay));
        self.wire = Wire { rate: self.spec.rate, framing: self.spec.framing };
        self.reserve_wire(old, around);
        let mut doors =
            DirectionDoors { id: self.id, counters: &mut self.counters, now: around.now, sink: around.sink };
        match &mut self.queue {
            None => self.queue = queue_for(&self.spec, &self.wire),
            Some(queue) => {
                if self.wire != old {
                    queue.rewire(&old, &self.wire, around.pool, &mut doors);
                }
                if let Some(new) = change.queue {
                    queue.set(new, &self.wire, around.pool, &mut doors);
                }
            }
        }
    }

    /// A new rate applies to the bits not yet sent of the frame on the wire. Its framing was paid for when it started.
    fn reserve_wire<S: FrameSink>(&mut self, old: Wire, around: &mut Around<'_, S>) {
        let Some(served) = &mut self.in_service else { return };
        if old.rate == self.wire.rate {
            return;
        }
        let RateSpec::Constant(old) = old.rate else { return };
        let left = (served.done - around.now).as_nanos();
        // what is left to send, in bits · 10⁻⁹: exact, because the carry is part of it
        let work = u128::from(left) * u128::from(old.as_bps()) + u128::from(self.carry);
        (served.done, self.carry) = match self.wire.rate {
            RateSpec::Unlimited => (around.now, 0),
            RateSpec::Constant(new) => {
                let new = u128::from(new.as_bps());
                let time = u64::try_from(work / new).unwrap_or(u64::MAX);
                (around.now + Duration::from_nanos(time), (work % new) as u64)
            }
        };
    }

    /// Takes the direction down: what waits or is on the wire drops, what is on its way arrives.
    pub(crate) fn down<S: FrameSink>(&mut self, around: &mut Around<'_, S>) {
        self.up = false;
        self.carry = 0;
        if let Some(served) = self.in_service.take() {
            self.drop(served.frame, DropCause::LinkDown, around);
        }
        if let Some(queue) = &mut self.queue {
            let mut doors =
                DirectionDoors { id: self.id, counters: &mut self.counters, now: around.now, sink: around.sink };
            queue.clear(DropCause::LinkDown, around.pool, &mut doors);
        }
    }

    pub(crate) fn up(&mut self) {
        self.up = true;
    }
}

fn queue_for(spec: &DirectionSpec, wire: &Wire) -> Option<Queue> {
    match (spec.queue, spec.rate) {
        (Some(queue), _) => Some(Queue::new(queue, wire)),
        (None, RateSpec::Constant(_)) => Some(Queue::new(QueueSpec::DEFAULT, wire)),
        (None, RateSpec::Unlimited) => None,
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
    now: Instant,
    sink: &'a mut S,
}

impl<S: FrameSink> Doors for DirectionDoors<'_, S> {
    fn dropped(&mut self, frame: Frame, cause: DropCause, pool: &mut FramePool) {
        self.counters.dropped.add(cause, frame.count(), pool.bytes(&frame));
        self.sink.fate(Fate {
            at: self.now,
            place: Place::Direction(self.id),
            number: frame.number,
            frames: frame.count(),
            kind: FateKind::Dropped(cause),
            view: pool.view(&frame),
        });
        pool.release(frame);
    }
}

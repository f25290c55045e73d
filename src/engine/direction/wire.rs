//! The serializer: how frames take the wire, one after the other.

use super::{Around, Direction, DirectionDoors, InService, Queueing};
use crate::engine::sink::{FateKind, FrameSink};
use crate::frame::{DropCause, Frame, FramePool};
use crate::model::RateSpec;
use crate::model::rate::constant::work;
use crate::units::Instant;

impl Direction {
    /// How fast the wire is, as it was asked for.
    pub(super) fn rate_spec(&self) -> RateSpec {
        match (&self.server, self.wire.rate) {
            (Some(server), _) => server.spec(),
            (None, Some(rate)) => RateSpec::Constant(rate),
            (None, None) => RateSpec::Unlimited,
        }
    }

    /// Whether frames take no time on the wire.
    #[inline]
    pub(super) fn is_unlimited(&self) -> bool {
        self.wire.rate.is_none() && self.server.is_none()
    }

    /// Whether a frame that comes to a shared medium may have it at once. What takes no time does not need it.
    pub(super) fn may_start(&self) -> bool {
        self.waiting() == 0 && (self.is_unlimited() || !self.medium.is_taken())
    }

    /// Puts frames onto the free wire, one after the other as long as they take no time on it. Behind the first that does,
    /// the rest waits.
    #[inline]
    pub(super) fn onto_wire<S: FrameSink>(&mut self, mut frame: Frame, around: &mut Around<'_, S>) {
        while frame.count() > 1 {
            let first = around.pool.split_front(&mut frame, 1);
            if !self.starts_and_ends(first, around) {
                return self.enqueue(frame, around);
            }
        }
        if self.starts_and_ends(frame, around) {
            self.rest();
        }
    }

    /// Puts one wire frame onto the free wire. Whether the wire is free again.
    #[inline]
    fn starts_and_ends<S: FrameSink>(&mut self, frame: Frame, around: &mut Around<'_, S>) -> bool {
        let done = self.done(&frame, around.now, around.pool);
        if done == around.now {
            self.leave_wire(frame, around);
            return true;
        }
        self.serve(frame, around.now, done, around);
        false
    }

    /// When the last bit of a frame is sent that has the wire from `start` on.
    #[inline]
    fn done(&mut self, frame: &Frame, start: Instant, pool: &FramePool) -> Instant {
        let bits = self.wire.on_wire(frame, pool) * 8;
        match (&mut self.server, self.wire.rate) {
            (None, Some(rate)) => start + rate.serialize(bits, &mut self.carry),
            (None, None) => start,
            (Some(server), _) => server.serve(work(bits), frame.offered, start),
        }
    }

    #[inline]
    fn serve<S: FrameSink>(&mut self, frame: Frame, start: Instant, done: Instant, around: &mut Around<'_, S>) {
        if around.sink.watches(self.id) {
            self.tell(&frame, FateKind::Serializing { done }, start, around);
        }
        self.loses = self.is_lost(&frame, start, around.pool);
        self.counters.busy_ns += (done - start).as_nanos();
        self.in_service = Some(InService { frame, done });
    }

    /// Lets the wire become free as often as it has by now, each time at its own instant.
    #[inline]
    pub(super) fn catch_up<S: FrameSink>(&mut self, around: &mut Around<'_, S>) {
        if around.turn != self.id.0 && self.is_always_seen() {
            return; // nothing to catch up with: each time was an event
        }
        // what takes time began before this instant, so it was done before an input of this instant
        let turn = if around.after_input { u32::MAX } else { around.turn };
        if self.in_service.as_ref().is_some_and(|served| (served.done, self.id.0) <= (around.now, turn)) {
            self.free_wire(turn, around);
        }
    }

    /// Whether each time that the wire becomes free is an event.
    #[inline]
    fn is_always_seen(&self) -> bool {
        #[cfg(test)]
        if self.every_event {
            return true;
        }
        self.medium.is_shared()
    }

    /// Lets the wire become free as often as it has in the turns up to `turn` of now.
    #[inline]
    pub(super) fn free_wire<S: FrameSink>(&mut self, turn: u32, around: &mut Around<'_, S>) {
        while let Some(served) = self.in_service.take_if(|s| (s.done, self.id.0) <= (around.now, turn)) {
            if std::mem::take(&mut self.loses) {
                debug_assert_eq!(served.done, around.now);
                self.drop(served.frame, DropCause::Loss, around);
            } else {
                self.survive(served.frame, served.done, around);
            }
            if self.medium.is_shared() {
                // who has it next is not for one direction to say
                if self.waiting() == 0 {
                    self.rest();
                }
                return;
            }
            self.serve_next(served.done, around);
        }
    }

    /// Gives the wire to the next frame that waits, from `start` on.
    #[inline]
    pub(super) fn serve_next<S: FrameSink>(&mut self, start: Instant, around: &mut Around<'_, S>) {
        let next = match &mut self.queue {
            Queueing::Made(queue) => {
                let mut doors =
                    DirectionDoors::new(self.id, &mut self.counters, &mut self.pipeline, start, around.sink);
                queue.take(start, &self.wire, around.pool, &mut doors)
            }
            Queueing::None | Queueing::Planned(_) => None,
        };
        match next {
            Some(frame) => {
                let done = self.done(&frame, start, around.pool);
                self.serve(frame, start, done, around);
            }
            None => self.rest(),
        }
    }

    /// Gives a shared medium to the next frame that waits. Whether one did.
    pub(in crate::engine) fn take_medium<S: FrameSink>(&mut self, around: &mut Around<'_, S>) -> bool {
        self.serve_next(around.now, around);
        self.is_sending()
    }

    /// Whether a frame is on the wire.
    pub(in crate::engine) fn is_sending(&self) -> bool {
        self.in_service.is_some()
    }

    /// Nothing is left to send: the next frame starts on a whole nanosecond.
    #[inline]
    pub(super) fn rest(&mut self) {
        self.carry = 0;
        if let Some(server) = &mut self.server {
            server.rest();
        }
    }
}

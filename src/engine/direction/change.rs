//! What a live change does to a direction at work.

use super::mtus::Mtus;
use super::{Around, Direction, DirectionDoors, Queueing, queueing};
use crate::engine::Change;
use crate::engine::pipeline::{Pipeline, Streams};
use crate::engine::sink::FrameSink;
use crate::frame::DropCause;
use crate::model::RateSpec;
use crate::model::rate::Server;
use crate::model::rate::constant::{self, Work};
use crate::units::Instant;

impl Direction {
    /// Changes parameters in place.
    pub(crate) fn set<S: FrameSink>(&mut self, change: &Change, streams: Streams<'_>, around: &mut Around<'_, S>) {
        self.catch_up(around);
        let old = self.wire;
        let mut spec = self.spec();
        change.apply_to(&mut spec);
        self.loss.set(&spec.loss, streams);
        self.delay.set(std::mem::take(&mut spec.delay));
        Pipeline::set(&mut self.pipeline, &spec, &self.loss, &self.delay, streams);
        self.note_models();
        self.mtus = Mtus::of(&spec);
        if change.rate.is_some() {
            self.set_rate(&spec.rate, streams, around.now);
        }
        self.wire.framing = spec.framing;
        let planned = match &self.queue {
            Queueing::Made(_) => None,
            Queueing::None | Queueing::Planned(_) => Some(queueing(&spec, &self.wire, streams, around.now)),
        };
        let mut doors = DirectionDoors::new(self.id, &mut self.counters, &mut self.pipeline, around.now, around.sink);
        if let Queueing::Made(queue) = &mut self.queue {
            if self.wire != old {
                queue.rewire(&old, &self.wire, around.now, around.pool, &mut doors);
            }
            if let Some(new) = change.queue {
                queue.set(new, around.now, &self.wire, streams.key("queue"), around.pool, &mut doors);
            }
        } else if let Some(planned) = planned {
            self.queue = planned;
        }
        // the new wire may need no time for what is left
        self.free_wire(around.turn, around);
    }

    /// A new rate applies to the bits not yet sent of the frame on the wire, of whatever kind it and the old one are. The
    /// frame's framing was paid for when it started.
    fn set_rate(&mut self, new: &RateSpec, streams: Streams<'_>, now: Instant) {
        if *new == self.rate_spec() {
            return;
        }
        let left = self.interrupt(now);
        self.carry = 0;
        if !self.server.as_mut().is_some_and(|server| server.set(new, now)) {
            self.server = Server::new(new, now, || streams.key("slots"));
        }
        self.wire.rate = new.nominal();
        if let (Some(left), Some(served)) = (left, &mut self.in_service) {
            let planned = served.done;
            served.done = match (&mut self.server, self.wire.rate) {
                (Some(server), _) => server.serve(left, now, now),
                (None, Some(rate)) => {
                    let (time, carry) = constant::resume(rate, left);
                    self.carry = carry;
                    now + time
                }
                (None, None) => now,
            };
            // in this order: a rate of 0 lasts to the end of all time
            self.counters.busy_ns -= (planned - now).as_nanos();
            self.counters.busy_ns += (served.done - now).as_nanos();
        }
    }

    /// Takes the frame in service off the wire: what is left of it to send.
    fn interrupt(&mut self, now: Instant) -> Option<Work> {
        let served = self.in_service.as_ref()?;
        Some(match (&mut self.server, self.wire.rate) {
            (Some(server), _) => server.interrupt(now),
            (None, Some(rate)) => constant::left(rate, served.done - now, self.carry),
            (None, None) => 0,
        })
    }

    /// Takes the direction down: what waits or is on the wire drops, what is on its way arrives.
    pub(crate) fn down<S: FrameSink>(&mut self, around: &mut Around<'_, S>) {
        self.catch_up(around);
        self.up = false;
        self.interrupt(around.now);
        self.rest();
        if let Some(served) = self.in_service.take() {
            self.counters.busy_ns -= served.done.saturating_since(around.now).as_nanos();
            self.drop(served.frame, DropCause::LinkDown, around);
        }
        if let Queueing::Made(queue) = &mut self.queue {
            let mut doors =
                DirectionDoors::new(self.id, &mut self.counters, &mut self.pipeline, around.now, around.sink);
            queue.clear(DropCause::LinkDown, around.now, around.pool, &mut doors);
        }
    }

    pub(crate) fn up(&mut self) {
        self.up = true;
    }
}

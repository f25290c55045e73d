//! What a live change does to a direction at work.

use super::{Around, Direction, DirectionDoors, Queueing, queueing};
use crate::engine::Change;
use crate::engine::extras::{Extras, Streams};
use crate::engine::sink::FrameSink;
use crate::frame::DropCause;
use crate::model::{Delay, RateSpec};
use crate::queue::Wire;
use crate::units::Duration;

impl Direction {
    /// Changes parameters in place.
    pub(crate) fn set<S: FrameSink>(&mut self, change: &Change, streams: Streams<'_>, around: &mut Around<'_, S>) {
        self.catch_up(around);
        let old = self.wire;
        let mut spec = self.spec();
        change.apply_to(&mut spec);
        self.loss.set(&spec.loss, streams);
        Extras::set(&mut self.extras, &spec, &self.loss, streams);
        self.mtu = spec.mtu;
        self.wire = Wire { rate: spec.rate, framing: spec.framing };
        self.reserve_wire(old, around);
        let planned = spec.queue;
        self.delay = Delay::new(spec.delay);
        let mut doors = DirectionDoors::new(self.id, &mut self.counters, &mut self.extras, around.now, around.sink);
        let Queueing::Made(queue) = &mut self.queue else {
            self.queue = queueing(planned, &self.wire, streams, around.now);
            return;
        };
        if self.wire != old {
            queue.rewire(&old, &self.wire, around.now, around.pool, &mut doors);
        }
        if let Some(new) = change.queue {
            queue.set(new, around.now, &self.wire, streams.key("queue"), around.pool, &mut doors);
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
        self.catch_up(around);
        self.up = false;
        self.carry = 0;
        if let Some(served) = self.in_service.take() {
            self.drop(served.frame, DropCause::LinkDown, around);
        }
        if let Queueing::Made(queue) = &mut self.queue {
            let mut doors = DirectionDoors::new(self.id, &mut self.counters, &mut self.extras, around.now, around.sink);
            queue.clear(DropCause::LinkDown, around.now, around.pool, &mut doors);
        }
    }

    pub(crate) fn up(&mut self) {
        self.up = true;
    }
}

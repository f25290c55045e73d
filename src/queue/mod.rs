//! Queue disciplines: one a file. A discipline holds frames while the wire is busy, and decides which it takes, keeps,
//! marks and gives.
//!
//! | file | discipline | source |
//! |---|---|---|
//! | [`fifo`] | first in, first out; what does not fit is dropped | |
//! | [`drop_head`] | the same, but what does not fit pushes out the oldest | |
//! | [`red`] | random early detection | Floyd and Jacobson 1993 |
//! | [`codel`] | controlled delay | RFC 8289 |
//! | [`fq_codel`] | a CoDel for each flow, served in turns | RFC 8290 |
//! | [`pie`] | proportional integral controller, enhanced | RFC 8033 |
//!
//! Admission, marks, deficits and control laws act per wire frame; what waits are stretches of trains. A frame's enqueue
//! time is the instant at which it was offered to its direction. The first frame for a free wire passes the queue by: it
//! does not wait.

mod backlog;
pub mod codel;
pub mod drop_head;
pub mod fifo;
pub mod fq_codel;
mod mark;
pub mod pie;
pub mod red;
mod spec;
#[cfg(test)]
pub(crate) mod testing;

use crate::frame::{DropCause, Frame, FramePool};
use crate::model::Framing;
use crate::rng::StreamKey;
use crate::units::{Instant, Rate};
pub use codel::{Codel, CodelSpec};
pub use drop_head::DropHead;
pub use fifo::{Fifo, FifoSpec};
pub use fq_codel::{FqCodel, FqCodelSpec};
pub use pie::{Gain, Pie, PieLaw, PieSpec};
pub use red::{Red, RedSpec};
pub use spec::QueueSpec;

/// The wire behind a queue, as far as a discipline needs to know it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wire {
    /// Its nominal rate: what time a byte takes on it where one number must do. `None` if it takes none.
    pub rate: Option<Rate>,
    /// What a frame costs on it beyond its own bytes.
    pub framing: Framing,
}

impl Wire {
    /// The bytes that a stretch of frames occupies on the wire, framing included.
    #[inline]
    pub fn on_wire(&self, frame: &Frame, pool: &FramePool) -> u64 {
        let last = frame.count() - 1;
        if last == 0 {
            return self.framing.on_wire(pool.wire_len(frame, 0));
        }
        self.framing.on_wire(pool.wire_len(frame, 0)) * last + self.framing.on_wire(pool.wire_len(frame, last))
    }
}

/// Where frames go that a discipline does not keep, and who is told of marks.
pub trait Doors {
    /// Counts a dropped frame and gives it back to the pool.
    fn dropped(&mut self, frame: Frame, cause: DropCause, pool: &mut FramePool);

    /// Counts a wire frame that was marked; it stays where it is.
    fn marked(&mut self, frame: &Frame, pool: &FramePool);
}

/// A queue of any discipline.
#[derive(Debug)]
pub enum Queue {
    /// First in, first out.
    Fifo(Fifo),
    /// First in, first out; the oldest drops.
    DropHead(DropHead),
    /// Random early detection.
    Red(Box<Red>),
    /// Controlled delay.
    Codel(Codel),
    /// A CoDel for each flow.
    FqCodel(Box<FqCodel>),
    /// Proportional integral controller, enhanced.
    Pie(Box<Pie>),
}

/// The same expression for a queue of any discipline.
macro_rules! each {
    ($queue:expr, $of:ident => $do:expr) => {
        match $queue {
            Queue::Fifo($of) => $do,
            Queue::DropHead($of) => $do,
            Queue::Red($of) => $do,
            Queue::Codel($of) => $do,
            Queue::FqCodel($of) => $do,
            Queue::Pie($of) => $do,
        }
    };
}

impl Queue {
    /// An empty queue in front of `wire`, from `now` on. `key` names its random draws.
    pub fn new(spec: QueueSpec, wire: &Wire, key: StreamKey, now: Instant) -> Queue {
        match spec {
            QueueSpec::Fifo(spec) => Queue::Fifo(Fifo::new(spec, wire)),
            QueueSpec::DropHead(spec) => Queue::DropHead(DropHead::new(spec, wire)),
            QueueSpec::Red(spec) => Queue::Red(Box::new(Red::new(spec, key, now))),
            QueueSpec::Codel(spec) => Queue::Codel(Codel::new(spec)),
            QueueSpec::FqCodel(spec) => Queue::FqCodel(Box::new(FqCodel::new(spec, key))),
            QueueSpec::Pie(spec) => Queue::Pie(Box::new(Pie::new(spec, key, now))),
        }
    }

    /// What it was made from, live changes included.
    pub fn spec(&self) -> QueueSpec {
        match self {
            Queue::Fifo(queue) => QueueSpec::Fifo(queue.spec()),
            Queue::DropHead(queue) => QueueSpec::DropHead(queue.spec()),
            Queue::Red(queue) => QueueSpec::Red(queue.spec()),
            Queue::Codel(queue) => QueueSpec::Codel(queue.spec()),
            Queue::FqCodel(queue) => QueueSpec::FqCodel(queue.spec()),
            Queue::Pie(queue) => QueueSpec::Pie(queue.spec()),
        }
    }

    /// Waiting wire frames.
    pub fn frames(&self) -> u64 {
        each!(self, queue => queue.frames())
    }

    /// Takes what the discipline admits of a stretch of frames that came now, and drops the rest.
    pub fn offer(&mut self, frame: Frame, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        match self {
            Queue::Fifo(queue) => queue.offer(frame, wire, pool, doors),
            Queue::DropHead(queue) => queue.offer(frame, wire, pool, doors),
            Queue::Red(queue) => queue.offer(frame, wire, pool, doors),
            Queue::Codel(queue) => queue.offer(frame, pool, doors),
            Queue::FqCodel(queue) => queue.offer(frame, pool, doors),
            Queue::Pie(queue) => queue.offer(frame, pool, doors),
        }
    }

    /// Gives the next wire frame to the wire, which is free at `now`.
    pub fn take(&mut self, now: Instant, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) -> Option<Frame> {
        match self {
            Queue::Fifo(queue) => queue.take(wire, pool),
            Queue::DropHead(queue) => queue.take(wire, pool),
            Queue::Red(queue) => queue.take(now, wire, pool),
            Queue::Codel(queue) => queue.take(now, pool, doors),
            Queue::FqCodel(queue) => queue.take(now, pool, doors),
            Queue::Pie(queue) => queue.take(now, pool),
        }
    }

    /// Changes the discipline's parameters in place: averages, probabilities and counts go on. Another discipline takes
    /// over what waits in the order in which it came, and drops what does not fit as [`DropCause::QueueResized`].
    pub fn set(
        &mut self,
        spec: QueueSpec,
        now: Instant,
        wire: &Wire,
        key: StreamKey,
        pool: &mut FramePool,
        doors: &mut impl Doors,
    ) {
        match (&mut *self, spec) {
            (Queue::Fifo(queue), QueueSpec::Fifo(spec)) => queue.set(spec, wire, pool, doors),
            (Queue::DropHead(queue), QueueSpec::DropHead(spec)) => queue.set(spec, wire, pool, doors),
            (Queue::Red(queue), QueueSpec::Red(spec)) => queue.set(spec, now, wire, pool, doors),
            (Queue::Codel(queue), QueueSpec::Codel(spec)) => queue.set(spec, pool, doors),
            (Queue::FqCodel(queue), QueueSpec::FqCodel(spec)) if queue.keeps_flows(&spec) => {
                queue.set(spec, pool, doors);
            }
            (Queue::Pie(queue), QueueSpec::Pie(spec)) => queue.set(spec, now, pool, doors),
            _ => {
                let mut old = std::mem::replace(self, Queue::new(spec, wire, key, now));
                while let Some(frame) = old.pop_oldest(wire, pool) {
                    self.move_in(frame, wire, pool, doors);
                }
            }
        }
    }

    /// The frames that came first of all that wait.
    fn pop_oldest(&mut self, wire: &Wire, pool: &mut FramePool) -> Option<Frame> {
        match self {
            Queue::Fifo(queue) => queue.pop_stretch(wire, pool),
            Queue::DropHead(queue) => queue.pop_stretch(wire, pool),
            Queue::Red(queue) => queue.pop_stretch(pool),
            Queue::Codel(queue) => queue.pop_stretch(pool),
            Queue::FqCodel(queue) => queue.pop_oldest(pool),
            Queue::Pie(queue) => queue.pop_stretch(pool),
        }
    }

    /// Takes over what another discipline held: nothing but the limits decides.
    fn move_in(&mut self, frame: Frame, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        match self {
            Queue::Fifo(queue) => queue.move_in(frame, wire, pool, doors),
            Queue::DropHead(queue) => queue.move_in(frame, wire, pool, doors),
            Queue::Red(queue) => queue.move_in(frame, pool, doors),
            Queue::Codel(queue) => queue.move_in(frame, pool, doors),
            Queue::FqCodel(queue) => queue.move_in(frame, pool, doors),
            Queue::Pie(queue) => queue.move_in(frame, pool, doors),
        }
    }

    /// Puts another wire behind the queue.
    pub fn rewire(&mut self, old: &Wire, new: &Wire, now: Instant, pool: &mut FramePool, doors: &mut impl Doors) {
        match self {
            Queue::Fifo(queue) => queue.rewire(old, new, pool, doors),
            Queue::DropHead(queue) => queue.rewire(old, new, pool, doors),
            Queue::Red(queue) => queue.rewire(old, now),
            Queue::Codel(_) | Queue::FqCodel(_) | Queue::Pie(_) => {}
        }
    }

    /// Drops all that waits; a control law starts anew.
    pub fn clear(&mut self, cause: DropCause, now: Instant, pool: &mut FramePool, doors: &mut impl Doors) {
        match self {
            Queue::Fifo(queue) => queue.clear(cause, pool, doors),
            Queue::DropHead(queue) => queue.clear(cause, pool, doors),
            Queue::Red(queue) => queue.clear(cause, now, pool, doors),
            Queue::Codel(queue) => queue.clear(cause, pool, doors),
            Queue::FqCodel(queue) => queue.clear(cause, pool, doors),
            Queue::Pie(queue) => queue.clear(cause, now, pool, doors),
        }
    }
}

#[cfg(test)]
mod tests;

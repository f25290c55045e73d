//! Queue disciplines: one a file. A discipline holds frames while the wire is busy, and decides which it takes, keeps and
//! gives.

pub mod fifo;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::frame::{DropCause, Frame, FramePool};
use crate::model::Framing;
use crate::model::form::{Short, short_or_long};
use crate::units::Rate;
pub use fifo::{Fifo, FifoSpec};

/// The queue in front of a wire. Externally tagged: `queue: { fifo: { packets: 100 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueSpec {
    /// First in, first out; what does not fit is dropped.
    Fifo(FifoSpec),
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Long {
    /// First in, first out; what does not fit is dropped.
    Fifo(FifoSpec),
}

impl From<Long> for QueueSpec {
    fn from(long: Long) -> QueueSpec {
        match long {
            Long::Fifo(spec) => QueueSpec::Fifo(spec),
        }
    }
}

impl Short for QueueSpec {
    type Long = Long;
    const EXPECTED: &'static str = "a queue, as in `{ fifo: { packets: 100 } }`";
    fn from_text(text: &str) -> Result<QueueSpec, String> {
        match text {
            "fifo" => Err("a fifo needs a limit: write `{ fifo: { packets: 100 } }`, or `bytes` or `time`, or `{ fifo: unlimited }`".into()),
            _ => Err(format!("`{text}` is not a queue: write `{{ fifo: {{ packets: 100 }} }}`, or `bytes` or `time`")),
        }
    }
}

impl<'de> Deserialize<'de> for QueueSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<QueueSpec, D::Error> {
        short_or_long(deserializer)
    }
}

impl JsonSchema for QueueSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Queue".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Long::json_schema(generator)
    }
}

impl QueueSpec {
    /// What stands in front of a wire whose scenario names a rate and no queue: 200 ms of it, and at least 10 frames.
    pub const DEFAULT: QueueSpec = QueueSpec::Fifo(FifoSpec::DEFAULT);
}

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

/// Where frames go that a discipline does not keep.
pub trait Doors {
    /// Counts a dropped frame and gives it back to the pool.
    fn dropped(&mut self, frame: Frame, cause: DropCause, pool: &mut FramePool);
}

/// A queue of any discipline.
#[derive(Debug)]
pub enum Queue {
    /// First in, first out.
    Fifo(Fifo),
}

impl Queue {
    /// An empty queue in front of `wire`.
    pub fn new(spec: QueueSpec, wire: &Wire) -> Queue {
        match spec {
            QueueSpec::Fifo(spec) => Queue::Fifo(Fifo::new(spec, wire)),
        }
    }

    /// What it was made from, live changes included.
    pub fn spec(&self) -> QueueSpec {
        match self {
            Queue::Fifo(fifo) => QueueSpec::Fifo(fifo.spec()),
        }
    }

    /// Waiting wire frames.
    pub fn frames(&self) -> u64 {
        match self {
            Queue::Fifo(fifo) => fifo.frames(),
        }
    }

    /// Takes what the discipline admits of a stretch of frames, and drops the rest.
    pub fn offer(&mut self, frame: Frame, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        match self {
            Queue::Fifo(fifo) => fifo.offer(frame, wire, pool, doors),
        }
    }

    /// Gives the next wire frame to the wire.
    pub fn take(&mut self, wire: &Wire, pool: &mut FramePool) -> Option<Frame> {
        match self {
            Queue::Fifo(fifo) => fifo.take(wire, pool),
        }
    }

    /// Changes the discipline's parameters in place.
    pub fn set(&mut self, spec: QueueSpec, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        match (self, spec) {
            (Queue::Fifo(fifo), QueueSpec::Fifo(spec)) => fifo.set(spec, wire, pool, doors),
        }
    }

    /// Puts another wire behind the queue.
    pub fn rewire(&mut self, old: &Wire, new: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        match self {
            Queue::Fifo(fifo) => fifo.rewire(old, new, pool, doors),
        }
    }

    /// Drops all that waits.
    pub fn clear(&mut self, cause: DropCause, pool: &mut FramePool, doors: &mut impl Doors) {
        match self {
            Queue::Fifo(fifo) => fifo.clear(cause, pool, doors),
        }
    }
}

//! First in, first out, limited by packets, bytes or time; what does not fit is dropped from the tail.
//!
//! In tc's words `pfifo` and `bfifo`, in Mahimahi's `droptail`.

use std::collections::VecDeque;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::{Doors, Wire};
use crate::frame::{DropCause, Frame, FramePool};
use crate::model::form::forms;
use crate::units::{ByteSize, Duration};

/// The limits of a fifo or a drop_head, at least one of them; all that are given hold. They count waiting frames, not the one on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FifoSpec {
    /// At most so many wire frames wait.
    pub packets: Option<u32>,
    /// At most so many bytes wait (Ethernet frames without FCS).
    pub bytes: Option<ByteSize>,
    /// At most so much time on the wire waits, at the wire's nominal rate, framing included.
    pub time: Option<Duration>,
    /// With `time`: so many frames may wait in any case. A slow wire would hold none otherwise.
    pub min_packets: u32,
}

/// The map form, as it stands in a file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct Long {
    /// At most so many wire frames wait.
    packets: Option<u32>,
    /// At most so many bytes wait.
    bytes: Option<ByteSize>,
    /// At most so much time on the wire waits.
    time: Option<Duration>,
    /// With `time`: so many frames may wait in any case.
    #[serde(default)]
    min_packets: u32,
}

impl FifoSpec {
    /// 200 ms, and at least 10 frames.
    pub const DEFAULT: FifoSpec =
        FifoSpec { packets: None, bytes: None, time: Some(Duration::from_millis(200)), min_packets: 10 };
    /// No limit; spelled `fifo: unlimited`.
    pub const UNLIMITED: FifoSpec = FifoSpec { packets: None, bytes: None, time: None, min_packets: 0 };

    /// Why these limits cannot stand together, if so.
    fn check(&self) -> Result<(), String> {
        if self.min_packets > 0 && self.time.is_none() {
            return Err("`min_packets` goes with `time`: it lets some frames wait however slow the wire".into());
        }
        Ok(())
    }
}

forms! {
    FifoSpec, "Fifo",
    "the limits of a queue, as in `{ packets: 100 }`, `{ bytes: 64kB }` or `{ time: 50ms }`, or `unlimited`";
    words { "unlimited" => FifoSpec::UNLIMITED }
    not text => |text| format!(
        "`{text}` is not a limit: write `{{ packets: 100 }}`, `{{ bytes: 64kB }}` or `{{ time: 50ms }}`, or `unlimited`"
    );
    map Long => |Long { packets, bytes, time, min_packets }| {
        let spec = FifoSpec { packets, bytes, time, min_packets };
        if spec == FifoSpec::UNLIMITED {
            return Err("the queue needs a limit: `packets`, `bytes` or `time`, or write `unlimited`".into());
        }
        spec.check()?;
        Ok(spec)
    };
}

impl Serialize for FifoSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == FifoSpec::UNLIMITED {
            return serializer.serialize_str("unlimited");
        }
        #[derive(Serialize)]
        struct Given {
            #[serde(skip_serializing_if = "Option::is_none")]
            packets: Option<u32>,
            #[serde(skip_serializing_if = "Option::is_none")]
            bytes: Option<ByteSize>,
            #[serde(skip_serializing_if = "Option::is_none")]
            time: Option<Duration>,
            #[serde(skip_serializing_if = "Option::is_none")]
            min_packets: Option<u32>,
        }
        let FifoSpec { packets, bytes, time, min_packets } = *self;
        Given { packets, bytes, time, min_packets: (min_packets > 0).then_some(min_packets) }.serialize(serializer)
    }
}

/// Frames waiting in the order in which they came.
#[derive(Debug)]
pub struct Fifo {
    spec: FifoSpec,
    waiting: VecDeque<Frame>,
    frames: u64,
    bytes: u64,
    /// Bytes as the wire counts them, framing included: the measure of `time`.
    on_wire: u64,
    /// `time` as bytes on the wire at the present rate; `None` without that limit, or without a rate.
    time_bytes: Option<u64>,
}

impl Fifo {
    /// An empty fifo in front of `wire`.
    pub fn new(spec: FifoSpec, wire: &Wire) -> Fifo {
        let mut fifo = Fifo { spec, waiting: VecDeque::new(), frames: 0, bytes: 0, on_wire: 0, time_bytes: None };
        fifo.measure(wire);
        fifo
    }

    /// Its limits.
    pub fn spec(&self) -> FifoSpec {
        self.spec
    }

    /// Waiting wire frames.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Takes what fits of a stretch of frames; what does not is dropped as [`DropCause::QueueFull`]. Each wire frame is
    /// tried on its own, so a short one may still fit where a long one did not.
    pub fn offer(&mut self, frame: Frame, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        self.admit(frame, DropCause::QueueFull, wire, pool, doors);
    }

    /// Takes over what another queue held; what does not fit is dropped as [`DropCause::QueueResized`].
    pub(super) fn move_in(&mut self, frame: Frame, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        self.admit(frame, DropCause::QueueResized, wire, pool, doors);
    }

    fn admit(&mut self, mut frame: Frame, cause: DropCause, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        if self.fits(&frame, wire, pool) {
            return self.push(frame, wire, pool);
        }
        while frame.count() > 1 {
            let front = pool.split_front(&mut frame, 1);
            self.admit_one(front, cause, wire, pool, doors);
        }
        self.admit_one(frame, cause, wire, pool, doors);
    }

    fn admit_one(&mut self, frame: Frame, cause: DropCause, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        if self.fits(&frame, wire, pool) {
            self.push(frame, wire, pool);
        } else {
            doors.dropped(frame, cause, pool);
        }
    }

    /// Whether a wire frame could wait if nothing else did.
    pub(super) fn could_fit(&self, frame: &Frame, wire: &Wire, pool: &FramePool) -> bool {
        self.spec.packets.is_none_or(|limit| limit > 0)
            && self.spec.bytes.is_none_or(|limit| pool.bytes(frame) <= limit.as_bytes())
            && self.time_bytes.is_none_or(|limit| self.spec.min_packets > 0 || wire.on_wire(frame, pool) <= limit)
    }

    /// Whether all of `frame` may wait besides what waits already.
    pub(super) fn fits(&self, frame: &Frame, wire: &Wire, pool: &FramePool) -> bool {
        let frames = self.frames + frame.count();
        self.spec.packets.is_none_or(|limit| frames <= u64::from(limit))
            && self.spec.bytes.is_none_or(|limit| self.bytes + pool.bytes(frame) <= limit.as_bytes())
            && self.time_bytes.is_none_or(|limit| {
                frames <= u64::from(self.spec.min_packets) || self.on_wire + wire.on_wire(frame, pool) <= limit
            })
    }

    pub(super) fn push(&mut self, frame: Frame, wire: &Wire, pool: &mut FramePool) {
        self.frames += frame.count();
        self.bytes += pool.bytes(&frame);
        self.on_wire += wire.on_wire(&frame, pool);
        match self.waiting.back_mut() {
            Some(last) if last.is_followed_by(&frame) => pool.append(last, frame),
            _ => self.waiting.push_back(frame),
        }
    }

    /// Gives the next wire frame to the wire.
    pub fn take(&mut self, wire: &Wire, pool: &mut FramePool) -> Option<Frame> {
        let first = self.waiting.front_mut()?;
        let frame = if first.count() > 1 { pool.split_front(first, 1) } else { self.waiting.pop_front()? };
        self.forget(&frame, wire, pool);
        Some(frame)
    }

    /// Takes a whole stretch from the front: for moving to another queue.
    pub(super) fn pop_stretch(&mut self, wire: &Wire, pool: &FramePool) -> Option<Frame> {
        let frame = self.waiting.pop_front()?;
        self.forget(&frame, wire, pool);
        Some(frame)
    }

    fn forget(&mut self, frame: &Frame, wire: &Wire, pool: &FramePool) {
        self.frames -= frame.count();
        self.bytes -= pool.bytes(frame);
        self.on_wire -= wire.on_wire(frame, pool);
    }

    /// Changes the limits; frames beyond the new ones drop from the tail as [`DropCause::QueueResized`].
    pub fn set(&mut self, spec: FifoSpec, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        self.spec = spec;
        self.rewire(wire, wire, pool, doors);
    }

    /// Puts another wire behind the queue. A limit in time is a shorter queue on a slower wire.
    pub fn rewire(&mut self, old: &Wire, new: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        debug_assert_eq!(self.on_wire, self.waiting.iter().map(|f| old.on_wire(f, pool)).sum::<u64>());
        self.on_wire = self.waiting.iter().map(|f| new.on_wire(f, pool)).sum();
        self.measure(new);
        while self.is_over() {
            let Some(last) = self.waiting.back_mut() else { return };
            let keep = last.count() - 1;
            let tail = if keep > 0 {
                let front = pool.split_front(last, keep);
                std::mem::replace(last, front)
            } else {
                self.waiting.pop_back().expect("the queue has a back")
            };
            self.forget(&tail, new, pool);
            doors.dropped(tail, DropCause::QueueResized, pool);
        }
    }

    fn is_over(&self) -> bool {
        self.spec.packets.is_some_and(|limit| self.frames > u64::from(limit))
            || self.spec.bytes.is_some_and(|limit| self.bytes > limit.as_bytes())
            || (self.time_bytes.is_some_and(|limit| self.on_wire > limit)
                && self.frames > u64::from(self.spec.min_packets))
    }

    fn measure(&mut self, wire: &Wire) {
        self.time_bytes = match (self.spec.time, wire.rate) {
            (Some(time), Some(rate)) => Some(rate.bytes_in(time).as_bytes()),
            _ => None,
        };
    }

    /// Drops all that waits.
    pub fn clear(&mut self, cause: DropCause, pool: &mut FramePool, doors: &mut impl Doors) {
        (self.frames, self.bytes, self.on_wire) = (0, 0, 0);
        for frame in self.waiting.drain(..) {
            doors.dropped(frame, cause, pool);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Cut;
    use crate::model::Framing;
    use crate::model::form::from_json;
    use serde_json::json;

    #[derive(Default)]
    struct Dropped(Vec<(u64, DropCause)>);

    impl Doors for Dropped {
        fn dropped(&mut self, frame: Frame, cause: DropCause, pool: &mut FramePool) {
            self.0.push((pool.bytes(&frame), cause));
            pool.release(frame);
        }
        fn marked(&mut self, _: &Frame, _: &FramePool) {
            unreachable!("a fifo marks nothing");
        }
    }

    fn wire(rate: &str) -> Wire {
        Wire { rate: Some(rate.parse().unwrap()), framing: Framing::None }
    }

    fn offer(fifo: &mut Fifo, pool: &mut FramePool, bytes: usize, wire: &Wire) -> Dropped {
        let frame = pool.store(&vec![0; bytes]).unwrap();
        let mut dropped = Dropped::default();
        fifo.offer(frame, wire, pool, &mut dropped);
        dropped
    }

    #[test]
    fn each_limit_holds_to_the_frame_and_byte() {
        let wire = wire("8Mbit"); // a byte a microsecond
        for (limits, fits) in [
            (json!({"packets": 3}), 3),
            (json!({"bytes": "3000B"}), 3),
            (json!({"bytes": "2999B"}), 2),
            (json!({"time": "3ms"}), 3),
            (json!({"time": "2999us"}), 2),
            (json!({"time": "1us", "min_packets": 4}), 4),
            (json!({"packets": 5, "bytes": "1000B"}), 1),
            (json!({"packets": 0}), 0),
            (json!("unlimited"), 100),
        ] {
            let mut pool = FramePool::default();
            let mut fifo = Fifo::new(from_json(limits.clone()).unwrap(), &wire);
            let dropped: usize = (0..100).map(|_| offer(&mut fifo, &mut pool, 1000, &wire).0.len()).sum();
            assert_eq!((fifo.frames(), dropped), (fits, 100 - fits as usize), "{limits}");
        }
    }

    #[test]
    fn what_fits_of_a_train_is_taken_and_leaves_in_order() {
        let wire = wire("8Mbit");
        let mut pool = FramePool::default();
        let mut fifo = Fifo::new(from_json(json!({"bytes": "2100B"})).unwrap(), &wire);
        let cut = Cut { header: 50, segment: 950 };
        let train = pool.store_train(&vec![0; 50 + 3 * 950 + 20], cut).unwrap();
        let mut dropped = Dropped::default();
        fifo.offer(train, &wire, &mut pool, &mut dropped);
        // two of 1,000 fit, the third does not, the short last one does
        assert_eq!(dropped.0, [(1000, DropCause::QueueFull)]);
        let lengths: Vec<_> = std::iter::from_fn(|| {
            let frame = fifo.take(&wire, &mut pool)?;
            let taken = (frame.first_for_tests(), pool.bytes(&frame));
            pool.release(frame);
            Some(taken)
        })
        .collect();
        assert_eq!(lengths, [(0, 1000), (1, 1000), (3, 70)]);
        assert_eq!((fifo.frames(), fifo.bytes, fifo.on_wire, pool.live()), (0, 0, 0, 0));
    }

    #[test]
    fn a_queue_that_shrinks_drops_from_its_tail() {
        let fast = wire("80Mbit");
        let mut pool = FramePool::default();
        let mut fifo = Fifo::new(from_json(json!({"time": "10ms"})).unwrap(), &fast);
        for _ in 0..100 {
            assert!(offer(&mut fifo, &mut pool, 1000, &fast).0.is_empty());
        }
        let mut dropped = Dropped::default();
        fifo.rewire(&fast, &wire("8Mbit"), &mut pool, &mut dropped);
        assert_eq!((fifo.frames(), dropped.0.len()), (10, 90), "10 ms of 8 Mbit/s are 10 frames of 1,000 bytes");
        fifo.set(from_json(json!({"packets": 4})).unwrap(), &wire("8Mbit"), &mut pool, &mut dropped);
        assert_eq!(fifo.frames(), 4);
        assert!(dropped.0.iter().all(|(_, cause)| *cause == DropCause::QueueResized));
        fifo.clear(DropCause::LinkDown, &mut pool, &mut dropped);
        assert_eq!((fifo.frames(), pool.live()), (0, 0));
    }

    #[test]
    fn framing_counts_towards_time_and_not_towards_bytes() {
        let wire = Wire { rate: Some("8Mbit".parse().unwrap()), framing: Framing::Ethernet };
        let mut pool = FramePool::default();
        let mut by_time = Fifo::new(from_json(json!({"time": "2047us"})).unwrap(), &wire);
        let mut by_bytes = Fifo::new(from_json(json!({"bytes": "2000B"})).unwrap(), &wire);
        for _ in 0..3 {
            let _ = offer(&mut by_time, &mut pool, 1000, &wire);
            let _ = offer(&mut by_bytes, &mut pool, 1000, &wire);
        }
        assert_eq!((by_time.frames(), by_bytes.frames()), (1, 2));
    }

    #[test]
    fn scenario_forms() {
        assert_eq!(from_json::<FifoSpec>(json!("unlimited")), Ok(FifoSpec::UNLIMITED));
        assert!(from_json::<FifoSpec>(json!({})).unwrap_err().contains("needs a limit"));
        assert!(
            from_json::<FifoSpec>(json!({"packets": 1, "min_packets": 2})).unwrap_err().contains("goes with `time`")
        );
        assert!(from_json::<FifoSpec>(json!(100)).unwrap_err().contains("write `{ packets: 100 }`"));
        let spec = from_json::<FifoSpec>(json!({"time": "50ms", "min_packets": 2})).unwrap();
        assert_eq!(from_json::<FifoSpec>(serde_json::to_value(spec).unwrap()), Ok(spec));
    }
}

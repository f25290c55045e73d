//! First in, first out, where a frame that does not fit pushes out the oldest: what waits is always the newest.
//!
//! In tc's words `pfifo_head_drop`, in Mahimahi's `drophead`. Live media gain from it, since old frames are worth least.

use super::fifo::{Fifo, FifoSpec};
use super::{Doors, Wire};
use crate::frame::{DropCause, Frame, FramePool};

/// Frames waiting in the order in which they came; the oldest make room for new ones.
#[derive(Debug)]
pub struct DropHead(Fifo);

impl DropHead {
    /// An empty queue in front of `wire`. The limits are those of a fifo.
    pub fn new(spec: FifoSpec, wire: &Wire) -> DropHead {
        DropHead(Fifo::new(spec, wire))
    }

    /// Its limits.
    pub fn spec(&self) -> FifoSpec {
        self.0.spec()
    }

    /// Waiting wire frames.
    pub fn frames(&self) -> u64 {
        self.0.frames()
    }

    /// Takes a stretch of frames, one after the other. For each, the oldest that wait are dropped as
    /// [`DropCause::QueueFull`] until it fits. One that would not even fit alone is dropped itself.
    pub fn offer(&mut self, mut frame: Frame, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        if self.0.fits(&frame, wire, pool) {
            return self.0.push(frame, wire, pool);
        }
        while frame.count() > 1 {
            let front = pool.split_front(&mut frame, 1);
            self.offer_one(front, wire, pool, doors);
        }
        self.offer_one(frame, wire, pool, doors);
    }

    fn offer_one(&mut self, frame: Frame, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        if !self.0.could_fit(&frame, wire, pool) {
            return doors.dropped(frame, DropCause::QueueFull, pool);
        }
        while !self.0.fits(&frame, wire, pool) {
            let oldest = self.0.take(wire, pool).expect("what could fit alone fits into an empty queue");
            doors.dropped(oldest, DropCause::QueueFull, pool);
        }
        self.0.push(frame, wire, pool);
    }

    /// Gives the next wire frame to the wire.
    pub fn take(&mut self, wire: &Wire, pool: &mut FramePool) -> Option<Frame> {
        self.0.take(wire, pool)
    }

    /// Changes the limits; frames beyond the new ones drop from the tail, as in every queue that shrinks.
    pub fn set(&mut self, spec: FifoSpec, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        self.0.set(spec, wire, pool, doors);
    }

    /// Puts another wire behind the queue.
    pub fn rewire(&mut self, old: &Wire, new: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        self.0.rewire(old, new, pool, doors);
    }

    pub(super) fn pop_stretch(&mut self, wire: &Wire, pool: &FramePool) -> Option<Frame> {
        self.0.pop_stretch(wire, pool)
    }

    pub(super) fn move_in(&mut self, frame: Frame, wire: &Wire, pool: &mut FramePool, doors: &mut impl Doors) {
        self.0.move_in(frame, wire, pool, doors);
    }

    /// Drops all that waits.
    pub fn clear(&mut self, cause: DropCause, pool: &mut FramePool, doors: &mut impl Doors) {
        self.0.clear(cause, pool, doors);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Cut;
    use crate::model::form::from_json;
    use crate::queue::testing::{Out, frame, udp, wire};
    use crate::units::Instant;
    use serde_json::json;

    fn queue(limits: serde_json::Value) -> DropHead {
        DropHead::new(from_json(limits).unwrap(), &wire("8Mbit"))
    }

    fn numbers(queue: &mut DropHead, pool: &mut FramePool) -> Vec<u64> {
        std::iter::from_fn(|| {
            let frame = queue.take(&wire("8Mbit"), pool)?;
            let number = frame.number();
            pool.release(frame);
            Some(number)
        })
        .collect()
    }

    #[test]
    fn the_newest_stay() {
        for (limits, stay) in [
            (json!({"packets": 3}), 3),
            (json!({"bytes": "3999B"}), 3),
            (json!({"time": "5ms"}), 5),
            (json!({"time": "1us", "min_packets": 2}), 2),
            (json!({"packets": 1}), 1),
            (json!("unlimited"), 20),
        ] {
            let (mut pool, mut out) = (FramePool::default(), Out::default());
            let mut queue = queue(limits.clone());
            for n in 0..20 {
                let frame = frame(&mut pool, &udp(1, 0, 1000), n, Instant::ZERO);
                queue.offer(frame, &wire("8Mbit"), &mut pool, &mut out);
            }
            let gone: Vec<_> = (0..20 - stay).map(|n| (n, DropCause::QueueFull)).collect();
            assert_eq!(out.dropped, gone, "{limits}: the oldest went, in order");
            assert_eq!(numbers(&mut queue, &mut pool), (20 - stay..20).collect::<Vec<_>>());
            assert_eq!(pool.live(), 0);
        }
    }

    #[test]
    fn what_can_never_fit_pushes_nobody_out() {
        let (mut pool, mut out) = (FramePool::default(), Out::default());
        let mut small = queue(json!({"bytes": "2000B"}));
        for (n, len) in [(0, 900), (1, 900), (2, 2001)] {
            let frame = frame(&mut pool, &udp(1, 0, len), n, Instant::ZERO);
            small.offer(frame, &wire("8Mbit"), &mut pool, &mut out);
        }
        assert_eq!(out.dropped, [(2, DropCause::QueueFull)]);
        assert_eq!(numbers(&mut small, &mut pool), [0, 1]);
        let mut none = queue(json!({"packets": 0}));
        let frame = frame(&mut pool, &udp(1, 0, 100), 3, Instant::ZERO);
        none.offer(frame, &wire("8Mbit"), &mut pool, &mut out);
        assert_eq!((none.frames(), out.dropped.len(), pool.live()), (0, 2, 0));
    }

    #[test]
    fn a_train_pushes_out_frame_by_frame_even_its_own() {
        let (mut pool, mut out) = (FramePool::default(), Out::default());
        let mut queue = queue(json!({"packets": 3}));
        let train = pool.store_train(&vec![0; 50 + 5 * 950], Cut { header: 50, segment: 950 }).unwrap();
        queue.offer(train, &wire("8Mbit"), &mut pool, &mut out);
        assert_eq!(out.dropped, [(0, DropCause::QueueFull), (1, DropCause::QueueFull)]);
        assert_eq!(numbers(&mut queue, &mut pool), [2, 3, 4]);
        assert_eq!(pool.live(), 0);
    }
}

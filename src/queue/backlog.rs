//! Waiting frames in the order in which they came, counted: what the disciplines with a control law are built on.

use std::collections::VecDeque;

use super::Doors;
use crate::frame::{DropCause, Frame, FramePool};

/// Waiting frames. An entry is a stretch of a train; what comes out is one wire frame.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    waiting: VecDeque<Frame>,
    frames: u64,
    bytes: u64,
}

impl Backlog {
    /// Waiting wire frames.
    pub(super) fn frames(&self) -> u64 {
        self.frames
    }

    /// Their bytes (Ethernet frames without FCS).
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The number of the frame that came first.
    pub(super) fn first_number(&self) -> Option<u64> {
        self.waiting.front().map(Frame::number)
    }

    /// Puts a stretch behind all others.
    pub(super) fn push(&mut self, frame: Frame, pool: &mut FramePool) {
        self.frames += frame.count();
        self.bytes += pool.bytes(&frame);
        match self.waiting.back_mut() {
            Some(last) if last.is_followed_by(&frame) => pool.append(last, frame),
            _ => self.waiting.push_back(frame),
        }
    }

    /// Takes the wire frame that came first.
    pub(super) fn pop(&mut self, pool: &mut FramePool) -> Option<Frame> {
        let first = self.waiting.front_mut()?;
        let frame = if first.count() > 1 { pool.split_front(first, 1) } else { self.waiting.pop_front()? };
        self.forget(&frame, pool);
        Some(frame)
    }

    /// Takes the wire frame that came last.
    pub(super) fn pop_last(&mut self, pool: &mut FramePool) -> Option<Frame> {
        let last = self.waiting.back_mut()?;
        let keep = last.count() - 1;
        let frame = if keep > 0 {
            let front = pool.split_front(last, keep);
            std::mem::replace(last, front)
        } else {
            self.waiting.pop_back()?
        };
        self.forget(&frame, pool);
        Some(frame)
    }

    fn forget(&mut self, frame: &Frame, pool: &FramePool) {
        self.frames -= frame.count();
        self.bytes -= pool.bytes(frame);
    }

    /// Takes a whole stretch from the front: for moving to another queue.
    pub(super) fn pop_stretch(&mut self, pool: &FramePool) -> Option<Frame> {
        let frame = self.waiting.pop_front()?;
        self.forget(&frame, pool);
        Some(frame)
    }

    /// Drops all of them.
    pub(super) fn clear(&mut self, cause: DropCause, pool: &mut FramePool, doors: &mut impl Doors) {
        (self.frames, self.bytes) = (0, 0);
        for frame in self.waiting.drain(..) {
            doors.dropped(frame, cause, pool);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Cut;

    #[test]
    fn single_frames_come_out_of_trains_at_both_ends() {
        let mut pool = FramePool::default();
        let mut backlog = Backlog::default();
        let mut train = pool.store_train(&vec![0; 50 + 4 * 950 + 20], Cut { header: 50, segment: 950 }).unwrap();
        train.number = 10;
        // split and put back: one entry again
        let front = pool.split_front(&mut train, 2);
        backlog.push(front, &mut pool);
        backlog.push(train, &mut pool);
        assert_eq!((backlog.waiting.len(), backlog.frames(), backlog.bytes()), (1, 5, 4 * 1000 + 70));
        assert_eq!(backlog.first_number(), Some(10));
        let first = backlog.pop(&mut pool).unwrap();
        let last = backlog.pop_last(&mut pool).unwrap();
        assert_eq!((first.number(), pool.bytes(&first), last.number(), pool.bytes(&last)), (10, 1000, 14, 70));
        let rest = backlog.pop_stretch(&pool).unwrap();
        assert_eq!((rest.count(), backlog.frames(), backlog.bytes()), (3, 0, 0));
        assert!(backlog.pop(&mut pool).is_none() && backlog.pop_last(&mut pool).is_none());
        for frame in [first, last, rest] {
            pool.release(frame);
        }
        assert_eq!(pool.live(), 0);
    }
}

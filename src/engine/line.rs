//! The stretch of wire behind the serializer: frames on their way, each with the instant of its departure.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};

use crate::frame::{Frame, FramePool};
use crate::units::{Duration, Instant};

/// A run of frames on its way.
#[derive(Debug)]
pub(crate) struct Departing {
    /// When it leaves: the departure of its last frame.
    pub(crate) at: Instant,
    /// The departure of its first frame.
    first: Instant,
    /// Breaks ties: frames of the same instant leave in the order in which they came.
    sequence: u64,
    pub(crate) frame: Frame,
}

/// Frames on their way, in the order of their departures. Frames that keep their order cost a push and a pop; those that
/// are overtaken go through a heap.
#[derive(Debug, Default)]
pub(crate) struct Line {
    ordered: VecDeque<Departing>,
    overtaking: BinaryHeap<Departing>,
    sequence: u64,
    /// Whether the frame that came last stands at the back of `ordered`: only that one can grow.
    last_is_back: bool,
    frames: u64,
}

impl Line {
    /// Wire frames on their way.
    pub(crate) fn frames(&self) -> u64 {
        self.frames
    }

    /// Sends a frame on its way. Consecutive frames of one train join as long as their departures do not go back and
    /// span at most `coalesce`.
    pub(crate) fn push(&mut self, at: Instant, frame: Frame, coalesce: Duration, pool: &mut FramePool) {
        self.frames += frame.count();
        if self.last_is_back
            && let Some(back) = self.ordered.back_mut()
            && back.at <= at
            && at - back.first <= coalesce
            && back.frame.is_followed_by(&frame)
        {
            back.at = at;
            pool.append(&mut back.frame, frame);
            return;
        }
        let departing = Departing { at, first: at, sequence: self.sequence, frame };
        self.sequence += 1;
        self.last_is_back = self.ordered.back().is_none_or(|back| back.at <= at);
        if self.last_is_back {
            self.ordered.push_back(departing);
        } else {
            self.overtaking.push(departing);
        }
    }

    /// When the next frame leaves. `coming` is what the serializer has in hand, with the instant at which it is done: if
    /// that will join the run that is next to leave, the run waits for it.
    pub(crate) fn next(&self, coming: Option<(&Frame, Instant)>, coalesce: Duration) -> Option<Instant> {
        match (self.ordered.front(), self.overtaking.peek()) {
            (None, None) => None,
            (Some(front), other) if other.is_none_or(|o| front.leaves_before(o)) => {
                let joins = |(frame, done): &(&Frame, Instant)| {
                    self.ordered.len() == 1
                        && self.last_is_back
                        && *done - front.first <= coalesce
                        && front.frame.is_followed_by(frame)
                };
                Some(coming.filter(joins).map_or(front.at, |(_, done)| front.at.max(done)))
            }
            (_, other) => other.map(|o| o.at),
        }
    }

    /// Takes the next frame off.
    pub(crate) fn pop(&mut self) -> Option<Departing> {
        let from_ordered = match (self.ordered.front(), self.overtaking.peek()) {
            (Some(front), Some(other)) => front.leaves_before(other),
            (front, _) => front.is_some(),
        };
        let departing = if from_ordered { self.ordered.pop_front() } else { self.overtaking.pop() }?;
        self.frames -= departing.frame.count();
        Some(departing)
    }
}

impl Departing {
    fn leaves_before(&self, other: &Departing) -> bool {
        (self.at, self.sequence) < (other.at, other.sequence)
    }
}

// Reversed, so that the earliest stands on top of std's max-heap.
impl Ord for Departing {
    fn cmp(&self, other: &Departing) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

impl PartialOrd for Departing {
    fn partial_cmp(&self, other: &Departing) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Departing {
    fn eq(&self, other: &Departing) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Departing {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_a_stable_sort(departures in prop::collection::vec(0u64..100, 1..100)) {
            let mut pool = FramePool::default();
            let mut line = Line::default();
            for (n, at) in departures.iter().enumerate() {
                let frame = pool.store(&[n as u8; 20]).unwrap();
                line.push(Instant::from_nanos(*at), frame, Duration::ZERO, &mut pool);
            }
            prop_assert_eq!(line.frames(), departures.len() as u64);
            let mut expected: Vec<_> = departures.iter().copied().enumerate().map(|(n, at)| (at, n as u8)).collect();
            expected.sort_by_key(|(at, _)| *at);
            for (at, n) in expected {
                prop_assert_eq!(line.next(None, Duration::ZERO), Some(Instant::from_nanos(at)));
                let departing = line.pop().unwrap();
                prop_assert_eq!((departing.at.as_nanos(), pool.view(&departing.frame).head[0]), (at, n));
                pool.release(departing.frame);
            }
            prop_assert_eq!((line.frames(), pool.live()), (0, 0));
        }
    }
}

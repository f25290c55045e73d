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
    pub(crate) frame: Frame,
    /// The place of its first frame among all that were sent on their way.
    place: u64,
}

/// A run of frames that leaves.
#[derive(Debug)]
pub(crate) struct Leaving {
    pub(crate) at: Instant,
    pub(crate) frame: Frame,
    /// A frame that was sent on its way later left before it.
    pub(crate) overtaken: bool,
}

/// Frames on their way, in the order of their departures. Frames that keep their order cost a push and a pop; those that
/// overtake go through a heap.
#[derive(Debug, Default)]
pub(crate) struct Line {
    ordered: VecDeque<Departing>,
    /// Made for the first frame that overtakes.
    overtaking: Option<Box<Overtaking>>,
    /// The departure of the first frame of the run at the back of `ordered`.
    back_first: Instant,
    /// Whether the frame that came last stands at the back of `ordered`: only that one can grow.
    last_is_back: bool,
    /// Wire frames that were sent on their way so far: the place of the next.
    sent: u64,
    /// Wire frames that have left.
    left: u64,
}

/// Frames that leave before one that was sent earlier.
#[derive(Debug)]
struct Overtaking {
    heap: BinaryHeap<Overtaker>,
    /// One more than the latest place that left so far.
    next_place: u64,
}

/// Frames of the same instant leave in the order in which they came, that of their places.
#[derive(Debug)]
struct Overtaker(Departing);

impl Line {
    /// Wire frames on their way.
    pub(crate) fn frames(&self) -> u64 {
        self.sent - self.left
    }

    /// The frames on their way, in no order.
    pub(crate) fn frames_on_their_way(&self) -> impl Iterator<Item = &Frame> {
        let overtaking = self.overtaking.iter().flat_map(|overtaking| overtaking.heap.iter().map(|one| &one.0));
        self.ordered.iter().chain(overtaking).map(|departing| &departing.frame)
    }

    /// Sends a frame on its way. Consecutive frames of one train join as long as their departures do not go back and
    /// span at most `coalesce`.
    #[inline]
    pub(crate) fn push(&mut self, at: Instant, frame: Frame, coalesce: Duration, pool: &mut FramePool) {
        match self.ordered.back_mut() {
            Some(back) if back.at > at => return self.overtake(Departing { at, frame, place: self.sent }),
            Some(back)
                if self.last_is_back && at - self.back_first <= coalesce && back.frame.is_followed_by(&frame) =>
            {
                back.at = at;
                self.sent += frame.count();
                return pool.append(&mut back.frame, frame);
            }
            _ => {}
        }
        self.sent += frame.count();
        self.last_is_back = true;
        self.back_first = at;
        self.ordered.push_back(Departing { at, frame, place: self.sent });
    }

    /// Sends a frame on its way that joins no run, and that none joins.
    pub(crate) fn push_alone(&mut self, at: Instant, frame: Frame) {
        if self.ordered.back().is_some_and(|back| back.at > at) {
            return self.overtake(Departing { at, frame, place: self.sent });
        }
        self.sent += frame.count();
        self.last_is_back = false;
        self.ordered.push_back(Departing { at, frame, place: self.sent });
    }

    fn overtake(&mut self, departing: Departing) {
        self.last_is_back = false;
        // up to now all left in order: those before the frames that are still on their way
        let next_place = self.left;
        self.sent += departing.frame.count();
        let overtaking =
            self.overtaking.get_or_insert_with(|| Box::new(Overtaking { heap: BinaryHeap::new(), next_place }));
        overtaking.heap.push(Overtaker(departing));
    }

    /// When the next frame leaves. `coming` is what the serializer has in hand, with the instant at which it is done: if
    /// that will join the run that is next to leave, the run waits for it.
    #[inline]
    pub(crate) fn next<'a>(
        &self,
        coming: impl FnOnce() -> Option<(&'a Frame, Instant)>,
        coalesce: Duration,
    ) -> Option<Instant> {
        let overtaker = self.first_overtaker();
        match self.ordered.front() {
            Some(front) if overtaker.is_none_or(|at| front.at <= at) => {
                if self.ordered.len() == 1
                    && self.last_is_back
                    && let Some((frame, done)) = coming()
                    && done - self.back_first <= coalesce
                    && front.frame.is_followed_by(frame)
                {
                    return Some(front.at.max(done));
                }
                Some(front.at)
            }
            _ => overtaker,
        }
    }

    /// Takes the next frame off.
    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Leaving> {
        if self.overtaking.is_none() {
            let Departing { at, frame, .. } = self.ordered.pop_front()?;
            self.left += frame.count();
            return Some(Leaving { at, frame, overtaken: false });
        }
        self.pop_of_both()
    }

    fn pop_of_both(&mut self) -> Option<Leaving> {
        // at the same instant the ordered one leaves first: it was sent first, for what overtakes never leaves at the
        // same instant as one that came later and did not overtake
        let Departing { at, frame, place } = match (self.ordered.front(), self.first_overtaker()) {
            (Some(front), Some(at)) if at < front.at => self.overtaking.as_mut()?.heap.pop()?.0,
            (None, Some(_)) => self.overtaking.as_mut()?.heap.pop()?.0,
            _ => self.ordered.pop_front()?,
        };
        self.left += frame.count();
        let overtaken = self.overtaking.as_mut().is_some_and(|overtaking| {
            let end = place + frame.count();
            let overtaken = end <= overtaking.next_place;
            overtaking.next_place = overtaking.next_place.max(end);
            overtaken
        });
        Some(Leaving { at, frame, overtaken })
    }

    #[inline]
    fn first_overtaker(&self) -> Option<Instant> {
        self.overtaking.as_ref()?.heap.peek().map(|first| first.0.at)
    }
}

// Reversed, so that the earliest stands on top of std's max-heap.
impl Ord for Overtaker {
    fn cmp(&self, other: &Overtaker) -> Ordering {
        (other.0.at, other.0.place).cmp(&(self.0.at, self.0.place))
    }
}

impl PartialOrd for Overtaker {
    fn partial_cmp(&self, other: &Overtaker) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Overtaker {
    fn eq(&self, other: &Overtaker) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Overtaker {}

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
            let mut latest = None;
            for (at, n) in expected {
                prop_assert_eq!(line.next(|| None, Duration::ZERO), Some(Instant::from_nanos(at)));
                let leaving = line.pop().unwrap();
                prop_assert_eq!((leaving.at.as_nanos(), pool.view(&leaving.frame).head[0]), (at, n));
                prop_assert_eq!(leaving.overtaken, latest > Some(n));
                latest = latest.max(Some(n));
                pool.release(leaving.frame);
            }
            prop_assert_eq!((line.frames(), pool.live()), (0, 0));
        }
    }
}

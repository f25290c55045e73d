//! Captured frames whose end is not known yet, in the order in which they will stand in the file: that of the times at which
//! they were offered, or copied.
//!
//! A frame is written when its end is known and nothing before it is open. Readers of a capture take the order of a file for
//! the order of events, so it has to be right; what is held meanwhile is what is inside the link, and what came since.

use std::collections::{HashMap, VecDeque};

use super::words::Story;
use crate::frame::FIRST_ORIGINATED;
use crate::units::Instant;

/// A captured wire frame.
#[derive(Debug, Default)]
pub(super) struct Captured {
    /// Its number in its direction; a copy has that of its original.
    pub(super) number: u64,
    /// When it was offered, or copied.
    pub(super) at: Instant,
    /// As many of its bytes as are kept.
    pub(super) bytes: Vec<u8>,
    /// How many it has.
    pub(super) original: u32,
    /// What happened to it.
    pub(super) story: Story,
    /// Its place among all that came.
    place: u64,
}

impl Captured {
    /// A frame that nothing has happened to.
    pub(super) fn new(number: u64, at: Instant, bytes: Vec<u8>, original: u32) -> Captured {
        Captured { number, at, bytes, original, ..Captured::default() }
    }
}

/// Frames of one direction, or the copies made there: in the order of their times.
#[derive(Debug, Default)]
struct Lane {
    frames: VecDeque<Captured>,
    /// How many have left it at the front.
    left: u64,
}

/// All frames of a link whose end, or that of one before them, is not known yet.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Of both directions: frames, then copies.
    lanes: [Lane; 4],
    /// Copies are made in the order in which frames are sent, not in that of numbers: their places, by direction and number.
    copies: HashMap<(usize, u64), u64>,
    came: u64,
}

/// The lane of a direction's copies.
const COPIES: usize = 2;

impl Ledger {
    /// Enters a frame. Numbers of a direction come in order, perhaps with gaps; times too.
    pub(super) fn enter(&mut self, way: usize, frame: Captured) {
        self.push(way, frame);
    }

    /// Enters a copy of a frame of this number, which may have one, or a frame that was not offered.
    pub(super) fn enter_beside(&mut self, way: usize, frame: Captured) {
        let lane = &self.lanes[COPIES + way];
        self.copies.insert((way, frame.number), lane.left + lane.frames.len() as u64);
        self.push(COPIES + way, frame);
    }

    fn push(&mut self, lane: usize, frame: Captured) {
        let place = self.came;
        self.came += 1;
        self.lanes[lane].frames.push_back(Captured { place, ..frame });
    }

    /// A frame, or its copy, that has been entered and not taken out.
    pub(super) fn find(&mut self, way: usize, number: u64, copy: bool) -> Option<&mut Captured> {
        if copy || number >= FIRST_ORIGINATED {
            let place = *self.copies.get(&(way, number))?;
            let lane = &mut self.lanes[COPIES + way];
            return lane.frames.get_mut(usize::try_from(place.checked_sub(lane.left)?).ok()?);
        }
        let frames = &mut self.lanes[way].frames;
        let at = frames.binary_search_by_key(&number, |frame| frame.number).ok()?;
        frames.get_mut(at)
    }

    /// Takes out the frame that is next in the file, if its end is known; at the end of a capture, `whatever` is known of it.
    pub(super) fn next(&mut self, whatever: bool) -> Option<(usize, Captured)> {
        let heads = self.lanes.iter().enumerate().filter_map(|(n, lane)| Some((n, lane.frames.front()?)));
        let (lane, first) = heads.min_by_key(|(_, frame)| (frame.at, frame.place))?;
        if first.story.end.is_none() && !whatever {
            return None;
        }
        let frame = self.lanes[lane].frames.pop_front()?;
        self.lanes[lane].left += 1;
        if lane >= COPIES {
            self.copies.remove(&(lane - COPIES, frame.number));
        }
        Some((lane % COPIES, frame))
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::End;
    use super::*;

    fn frame(number: u64, at: u64) -> Captured {
        Captured { number, at: Instant::from_nanos(at), ..Captured::default() }
    }

    fn end(ledger: &mut Ledger, way: usize, number: u64, copy: bool) {
        ledger.find(way, number, copy).unwrap().story.end = Some(End::Inside);
    }

    fn out(ledger: &mut Ledger, whatever: bool) -> Vec<(usize, u64, u64)> {
        std::iter::from_fn(|| ledger.next(whatever)).map(|(way, f)| (way, f.number, f.at.as_nanos())).collect()
    }

    #[test]
    fn frames_leave_in_the_order_of_their_times_once_nothing_before_them_is_open() {
        let mut ledger = Ledger::default();
        ledger.enter(0, frame(5, 10));
        ledger.enter(1, frame(0, 10));
        ledger.enter(0, frame(8, 20)); // two were missed
        ledger.enter_beside(0, frame(8, 25));
        ledger.enter(0, frame(9, 25));
        ledger.enter_beside(0, frame(5, 30));
        end(&mut ledger, 1, 0, false);
        end(&mut ledger, 0, 8, true);
        end(&mut ledger, 0, 5, true);
        assert_eq!(out(&mut ledger, false), []);
        end(&mut ledger, 0, 5, false);
        assert_eq!(out(&mut ledger, false), [(0, 5, 10), (1, 0, 10)]);
        end(&mut ledger, 0, 8, false);
        assert_eq!(out(&mut ledger, false), [(0, 8, 20), (0, 8, 25)], "of one instant what came first");
        assert!(ledger.find(0, 6, false).is_none() && ledger.find(0, 8, true).is_none());
        assert!(ledger.find(0, 5, true).is_some(), "places count from what has left");
        assert_eq!(out(&mut ledger, true), [(0, 9, 25), (0, 5, 30)]);
        assert!(ledger.copies.is_empty());
    }
}

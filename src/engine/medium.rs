//! What a direction has to settle with the other of its link.
//!
//! A medium that both share: half-duplex Ethernet, a radio channel. One frame at a time is on it; when it becomes free and
//! both directions have frames, the one that did not have it last has it next. And resets, of which one goes back to the
//! sender of a segment.

use super::direction::{Around, Direction};
use super::sink::FrameSink;

/// What a direction knows of its wire. In a byte, because each direction has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Medium(u8);

impl Medium {
    /// A wire of its own, and nothing to settle.
    pub(crate) const OWN: Medium = Medium(0);
    /// A medium that the other direction uses too.
    pub(crate) const SHARED: Medium = Medium(SHARED);

    /// Whether there is nothing to settle with the other direction.
    #[inline]
    pub(crate) fn is_own(self) -> bool {
        self == Medium::OWN
    }

    #[inline]
    pub(crate) fn is_shared(self) -> bool {
        self.0 & SHARED != 0
    }

    /// The other direction has a frame on it.
    pub(crate) fn is_taken(self) -> bool {
        self.0 & TAKEN != 0
    }

    /// The other direction has frames of this one's to send.
    pub(crate) fn is_owing(self) -> bool {
        self.0 & OWING != 0
    }

    pub(crate) fn set_owing(&mut self, owing: bool) {
        self.set(OWING, owing);
    }

    /// This direction had it last.
    fn was_last(self) -> bool {
        self.0 & LAST != 0
    }

    fn set(&mut self, flag: u8, on: bool) {
        self.0 = if on { self.0 | flag } else { self.0 & !flag };
    }
}

const SHARED: u8 = 1;
const TAKEN: u8 = 2;
const LAST: u8 = 4;
const OWING: u8 = 8;

/// Gives the medium of two directions to whose turn it is, if it is free. To be called whenever either has done something:
/// while it is free, neither has a frame that waits.
pub(crate) fn share<S: FrameSink>(pair: [&mut Direction; 2], around: &mut Around<'_, S>) {
    let [first, second] = pair;
    // the turn is that of the direction that did not have it last
    let (next, other) = if first.medium.was_last() { (second, first) } else { (first, second) };
    if !next.is_sending() && !other.is_sending() && !next.take_medium(around) {
        other.take_medium(around);
    }
    let sending = [next.is_sending(), other.is_sending()];
    next.medium.set(TAKEN, sending[1]);
    other.medium.set(TAKEN, sending[0]);
    if sending[0] != sending[1] {
        next.medium.set(LAST, sending[0]);
        other.medium.set(LAST, sending[1]);
    }
}

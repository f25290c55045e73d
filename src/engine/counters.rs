//! What happened, counted in wire frames and wire bytes, whatever travelled as super-frames.

use super::times::TimeStatistics;
use crate::frame::DropCause;

/// Frames and their bytes (Ethernet frames without FCS).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Wire frames.
    pub frames: u64,
    /// Wire bytes.
    pub bytes: u64,
}

impl Amount {
    pub(crate) fn add(&mut self, frames: u64, bytes: u64) {
        self.frames += frames;
        self.bytes += bytes;
    }

    /// What has come since `earlier`, which must have been counted by the same counter.
    pub fn since(self, earlier: Amount) -> Amount {
        Amount { frames: self.frames - earlier.frames, bytes: self.bytes - earlier.bytes }
    }
}

/// Dropped frames by cause. Most directions and nodes never drop one: the table is made for the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dropped(Option<Box<[Amount; DropCause::ALL.len()]>>);

impl Dropped {
    /// What was dropped for one cause.
    pub fn by(&self, cause: DropCause) -> Amount {
        self.0.as_ref().map_or(Amount::default(), |by_cause| by_cause[cause as usize])
    }

    /// Wire frames dropped, whatever the cause.
    pub fn frames(&self) -> u64 {
        self.0.iter().flat_map(|by_cause| by_cause.iter()).map(|amount| amount.frames).sum()
    }

    /// What has come since `earlier`, which must have been counted by the same counter.
    pub fn since(&self, earlier: &Dropped) -> Dropped {
        let mut since = self.clone();
        if let (Some(now), Some(before)) = (&mut since.0, &earlier.0) {
            now.iter_mut().zip(before.iter()).for_each(|(now, before)| *now = now.since(*before));
        }
        since
    }

    pub(crate) fn add(&mut self, cause: DropCause, frames: u64, bytes: u64) {
        self.0.get_or_insert_default()[cause as usize].add(frames, bytes);
    }
}

/// What happened in one direction of a link. At every moment
/// `offered + originated + duplicated = delivered + dropped + inside`, in wire frames.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DirectionCounters {
    /// What the node at the near end sent into this direction.
    pub offered: Amount,
    /// What arrived at the far end.
    pub delivered: Amount,
    /// Frames of the direction's own: resets.
    pub originated: u64,
    /// Copies that a duplication model made.
    pub duplicated: u64,
    /// Frames whose bits a corruption model changed.
    pub corrupted: u64,
    /// Frames that a queue marked: congestion experienced.
    pub marked: u64,
    /// Delivered frames that one had overtaken which went onto the wire later.
    pub reordered: u64,
    /// Delays that were drawn negative, or were to include a path to their port that took longer, and became zero.
    pub clamped: u64,
    /// Dropped frames by cause.
    pub dropped: Dropped,
    /// From offered to delivered, in model time.
    pub delay: TimeStatistics,
    /// How long frames had the wire, in ns of model time. The frame on the wire counts to its end.
    pub busy_ns: u64,
}

/// What happened in one node. At every moment
/// `received + originated + replicated = sent + consumed + dropped + held`, in wire frames, where only routers hold some:
/// until a neighbour has told its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeCounters {
    /// What links delivered here.
    pub received: u64,
    /// What entered the network here, or the node itself made: answers, errors, fragments.
    pub originated: u64,
    /// Copies made for flooding.
    pub replicated: u64,
    /// What was offered to links.
    pub sent: u64,
    /// What left the network here, or the node itself was meant by.
    pub consumed: u64,
    /// Dropped frames by cause.
    pub dropped: Dropped,
}

//! What a node can do with frames beyond saying where they go: send some of its own, hold them, end them.
//!
//! Each door counts, so that `received + originated + replicated = sent + consumed + dropped + held` holds in every node
//! without its doing.

use super::routing::Routes;
use crate::frame::{DropCause, Frame, FramePool};
use crate::units::Instant;

/// One turn of a node.
pub struct Work<'a> {
    /// When it is.
    pub now: Instant,
    /// Where frames' bytes are.
    pub pool: &'a mut FramePool,
    /// Where the network's routers send packets.
    pub routes: &'a mut Routes,
    pub(crate) deeds: &'a mut Vec<Deed>,
    pub(crate) tally: Tally,
}

/// What a node has done, for the engine to carry out in this order.
#[derive(Debug)]
pub enum Deed {
    /// It leaves by this port of the node.
    Send(u32, Frame),
    /// It leaves by every port of the node but this one, and those that the spanning tree blocks.
    Flood(u32, Frame),
    /// It ends here.
    Drop(DropCause, Frame),
}

/// Wire frames that began or ended in the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) originated: u64,
    pub(crate) replicated: u64,
    pub(crate) consumed: u64,
}

impl Work<'_> {
    /// A frame leaves by a port: one that was received, held, [made here](Work::originate) or [copied](Work::copy).
    #[inline]
    pub fn send(&mut self, port: u32, frame: Frame) {
        self.deeds.push(Deed::Send(port, frame));
    }

    /// A frame leaves by every port but the one that it came from, as with [`super::Verdict::Flood`].
    pub fn flood(&mut self, from: u32, frame: Frame) {
        self.deeds.push(Deed::Flood(from, frame));
    }

    /// A frame ends here.
    pub fn drop(&mut self, frame: Frame, cause: DropCause) {
        self.deeds.push(Deed::Drop(cause, frame));
    }

    /// A frame was for the node itself, which has read it.
    pub fn consume(&mut self, frame: Frame) {
        self.tally.consumed += frame.count();
        self.pool.release(frame);
    }

    /// A frame of the node's own, to be [sent](Work::send) or held. `None` if the bytes are longer than any frame.
    pub fn originate(&mut self, bytes: &[u8]) -> Option<Frame> {
        let frame = self.pool.store(bytes).ok()?;
        self.tally.originated += frame.count();
        Some(frame)
    }

    /// The same wire frames once more.
    pub fn copy(&mut self, frame: &Frame) -> Frame {
        let copy = self.pool.share(frame);
        self.tally.replicated += copy.count();
        copy
    }
}

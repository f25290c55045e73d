//! What the outside sees of an engine at work.

use super::{Command, DirectionId, NodeId};
use crate::frame::{DropCause, Frame, FramePool, FrameView};
use crate::units::{Duration, Instant};

/// Takes what leaves the engine. Everything is told at its model time, in the total order of events.
pub trait FrameSink {
    /// A run of frames leaves the network at a port.
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, at: Instant);

    /// Something happened to frames inside. Most sinks do not care.
    fn fate(&mut self, _fate: Fate<'_>) {}

    /// Whether it wants to see every frame of a direction on its way: [`FateKind::Offered`], [`FateKind::Serializing`] and
    /// [`FateKind::Departing`] are told of such directions only. Asked for each frame, so it must be quick.
    #[inline]
    fn watches(&self, _direction: DirectionId) -> bool {
        false
    }

    /// A command took effect.
    fn applied(&mut self, _command: &Command, _at: Instant) {}

    /// Switches and routers follow a link, by name, that went down or came up beside another way.
    fn converged(&mut self, _link: &str, _up: bool, _at: Instant) {}
}

/// What happened to consecutive wire frames of one train.
#[derive(Clone, Copy)]
pub struct Fate<'a> {
    /// When, in model time.
    pub at: Instant,
    /// Where.
    pub place: Place,
    /// Number of the first of these frames at the direction, from 0; 0 at a node. Of frames that the direction made, a number
    /// that no offered frame has.
    pub number: u64,
    /// How many wire frames.
    pub frames: u64,
    /// What.
    pub kind: FateKind,
    pub(crate) pool: &'a FramePool,
    pub(crate) frame: &'a Frame,
}

impl<'a> Fate<'a> {
    /// Of frames that the direction made, the number of the one that they are for, where that was offered: here or, of what
    /// goes back to its sender, in the other direction of the link.
    pub fn answered(&self) -> Option<u64> {
        self.frame.answered()
    }

    /// Their bytes. Nobody pays for them who does not look.
    #[inline]
    pub fn view(&self) -> FrameView<'a> {
        self.pool.view(self.frame)
    }
}

/// Where something happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In one direction of a link.
    Direction(DirectionId),
    /// In a node.
    Node(NodeId),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FateKind {
    /// They arrived at the far end of a direction.
    Delivered {
        /// When they were offered at the near end.
        offered: Instant,
        /// It is a copy that the direction made; the frame that it was made of has the same number.
        copy: bool,
        /// A frame that went onto the wire later has arrived before.
        overtaken: bool,
    },
    /// They were dropped.
    Dropped(DropCause),
    /// A queue marked it: congestion experienced. It goes on, as the view shows it.
    Marked,
    /// Bits of it flipped; it goes on, as the view shows it.
    Corrupted,
    /// It arrives once more.
    Duplicated,
    /// The direction made it, and it is on its way, as the view shows it: a reset. Its number is not one of those that were
    /// offered; [`Fate::answered`] has that of the segment that it is for.
    Originated,
    /// Only where watched. They are offered at the near end, as the view shows them; their numbers follow those that were
    /// offered before.
    Offered,
    /// Only where watched, and where frames take time on the wire. The first bit of it is sent. Told when the direction is
    /// next looked at, so that it may come behind what happened elsewhere later.
    Serializing {
        /// When the last one will be, if nothing is changed meanwhile.
        done: Instant,
    },
    /// Only where watched. The last bit of them was sent, and they are on their way. Told late, as
    /// [`FateKind::Serializing`] is.
    Departing {
        /// When they will arrive, unless they wait a little for the rest of their run.
        arrival: Instant,
        /// What the delay model drew. What lies between it and `arrival` keeps them behind earlier frames.
        drawn: Duration,
        /// It is a copy that the direction made.
        copy: bool,
        /// It runs ahead of the delay.
        ahead: bool,
    },
}

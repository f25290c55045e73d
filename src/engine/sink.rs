//! What the outside sees of an engine at work.

use super::{Command, DirectionId, NodeId};
use crate::frame::{DropCause, FrameView};
use crate::units::Instant;

/// Takes what leaves the engine. Everything is told at its model time, in the total order of events.
pub trait FrameSink {
    /// A run of frames leaves the network at a port.
    fn deliver(&mut self, port: NodeId, frame: FrameView<'_>, at: Instant);

    /// Something happened to frames inside. Most sinks do not care.
    fn fate(&mut self, _fate: Fate<'_>) {}

    /// A command took effect.
    fn applied(&mut self, _command: &Command, _at: Instant) {}
}

/// What happened to consecutive wire frames of one train.
#[derive(Clone, Copy, Debug)]
pub struct Fate<'a> {
    /// When, in model time.
    pub at: Instant,
    /// Where.
    pub place: Place,
    /// Number of the first of these frames at the direction, from 0; 0 at a node.
    pub number: u64,
    /// How many wire frames.
    pub frames: u64,
    /// What.
    pub kind: FateKind,
    /// Their bytes.
    pub view: FrameView<'a>,
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
    },
    /// They were dropped.
    Dropped(DropCause),
    /// A queue marked it: congestion experienced. It goes on, as the view shows it.
    Marked,
    /// Bits of it flipped; it goes on, as the view shows it.
    Corrupted,
    /// It arrives once more.
    Duplicated,
}

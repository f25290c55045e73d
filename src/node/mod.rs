//! Nodes: one kind a file. A node says where a frame goes; the engine carries it there and counts.

pub mod switch;

pub use switch::{Switch, SwitchSpec};

use crate::frame::DropCause;
use crate::units::Instant;

/// What a node does with a frame that it received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It leaves the engine here.
    Consume,
    /// It leaves by this port of the node.
    Forward(u32),
    /// It leaves by every port of the node but the one it came from.
    Flood,
    /// It ends here.
    Drop(DropCause),
}

/// A node of any kind, at work.
#[derive(Debug)]
pub enum Node {
    /// A host's side of one link.
    Port,
    /// An Ethernet switch.
    Switch(Box<Switch>),
}

impl Node {
    /// Where the frame with this head goes that came in at `port`, the node's ports being numbered in the order of its
    /// links.
    #[inline]
    pub fn receive(&mut self, now: Instant, port: u32, head: &[u8]) -> Verdict {
        match self {
            Node::Port => Verdict::Consume,
            Node::Switch(switch) => switch.receive(now, port, head),
        }
    }
}

//! Nodes: one kind a file. A node says where a frame goes; the engine carries it there and counts.
//!
//! Most frames need no more than a [`Verdict`] on their head. Where a node changes frames, answers them, holds them or
//! sends some of its own, its verdict is [`Verdict::Handle`]: it gets the frame itself, and a [`Work`] to do all that with.

pub mod edge;
pub(crate) mod expiring;
pub mod router;
pub mod routing;
pub mod switch;
mod work;

pub use edge::{Edge, EdgePlan};
pub use router::nat::{NatCounters, NatSpec};
pub use router::{NatPlan, Router, RouterInterface, RouterPlan, RouterRoute};
pub use switch::{LearningTable, PortVlans, Switch, SwitchSpec, VlanId, VlanSet};
pub(crate) use work::Tally;
pub use work::{Deed, Work};

use serde::Serialize;

use crate::frame::{DropCause, Frame};
use crate::units::Instant;

/// What a node does with a frame that it received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It leaves the engine here.
    Consume,
    /// It leaves by this port of the node.
    Forward(u32),
    /// It leaves by every port of the node but the one it came from, and those that the spanning tree blocks.
    Flood,
    /// It ends here.
    Drop(DropCause),
    /// The node wants the frame itself: [`Node::handle`].
    Handle,
}

/// A live change of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeCommand {
    /// A router with NAT forgets its mappings: every flow gets a new one, as after a reboot or a new address.
    Rebind,
}

/// A node of any kind, at work.
#[derive(Debug)]
pub enum Node {
    /// A host's side of one link.
    Port,
    /// An Ethernet switch.
    Switch(Box<Switch>),
    /// A repeater.
    Hub,
    /// One region of a cloud.
    Edge(Box<Edge>),
    /// An IP router.
    Router(Box<Router>),
}

impl Node {
    /// Where the frame with this head goes that came in at `port`, the node's ports being numbered in the order of its
    /// links: `count` wire frames of one train.
    #[inline]
    pub fn receive(&mut self, now: Instant, port: u32, head: &[u8], count: u64) -> Verdict {
        match self {
            Node::Port => Verdict::Consume,
            Node::Switch(switch) => switch.receive(now, port, head, count),
            Node::Hub => Verdict::Flood,
            Node::Edge(edge) => edge.receive(now, port, head, count),
            Node::Router(_) => Verdict::Handle,
        }
    }

    /// Deals with a frame whose verdict was [`Verdict::Handle`].
    pub fn handle(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) {
        match self {
            Node::Router(router) => router.receive(work, port, frame),
            Node::Switch(switch) => switch.handle(work, port, frame),
            Node::Edge(edge) => edge.handle(work, frame),
            Node::Port | Node::Hub => work.drop(frame, DropCause::Unsupported),
        }
    }

    /// When the node next wants [`Node::wake`].
    #[inline]
    pub fn deadline(&self) -> Option<Instant> {
        match self {
            Node::Router(router) => router.deadline(),
            Node::Port | Node::Switch(_) | Node::Hub | Node::Edge(_) => None,
        }
    }

    /// The deadline has come.
    pub fn wake(&mut self, work: &mut Work<'_>) {
        match self {
            Node::Router(router) => router.wake(work),
            Node::Port | Node::Switch(_) | Node::Hub | Node::Edge(_) => {}
        }
    }

    /// The largest L3 packet that the link at a port carries away from the node has changed; `None` has no limit.
    pub fn set_mtu(&mut self, port: u32, mtu: Option<u32>) {
        match self {
            Node::Router(router) => router.set_mtu(port, mtu),
            Node::Port | Node::Switch(_) | Node::Hub | Node::Edge(_) => {}
        }
    }

    /// The spanning tree blocks a port, or does so no longer.
    pub fn set_blocked(&mut self, port: u32, blocked: bool) {
        if let Node::Switch(switch) = self {
            switch.set_blocked(port, blocked);
        }
    }

    /// Whether it learns from what it receives next, or does not. False if that is not its choice: it learns nothing, or
    /// others learn from what it passes on.
    pub fn set_learning(&mut self, learns: bool) -> bool {
        match self {
            Node::Switch(switch) => switch.set_learning(learns),
            _ => false,
        }
    }

    /// The topology has changed: what was learned behind the ports for which `stale` says so may be elsewhere.
    pub fn forget(&mut self, stale: &[bool]) {
        match self {
            Node::Switch(switch) => switch.forget(stale),
            Node::Edge(edge) => edge.forget(),
            Node::Port | Node::Hub | Node::Router(_) => {}
        }
    }

    /// Whether a command makes sense for this node: it depends on the plan alone.
    pub fn takes(&self, command: NodeCommand) -> bool {
        match self {
            Node::Router(router) => router.takes(command),
            Node::Port | Node::Switch(_) | Node::Hub | Node::Edge(_) => false,
        }
    }

    /// A live change.
    pub fn command(&mut self, command: NodeCommand) {
        match self {
            Node::Router(router) => router.command(command),
            Node::Port | Node::Switch(_) | Node::Hub | Node::Edge(_) => {}
        }
    }

    /// What a router's address translation has done, if it has one.
    pub fn nat_counters(&self, now: Instant) -> Option<NatCounters> {
        match self {
            Node::Router(router) => router.nat_counters(now),
            Node::Port | Node::Switch(_) | Node::Hub | Node::Edge(_) => None,
        }
    }

    /// Wire frames that the node holds until it knows where to send them.
    pub fn held(&self) -> u64 {
        match self {
            Node::Router(router) => router.held(),
            Node::Port | Node::Switch(_) | Node::Hub | Node::Edge(_) => 0,
        }
    }

    /// The node's firewall, if it has one.
    pub fn firewall(&self) -> Option<&router::firewall::Firewall> {
        match self {
            Node::Router(router) => router.firewall(),
            Node::Port | Node::Switch(_) | Node::Hub | Node::Edge(_) => None,
        }
    }
}

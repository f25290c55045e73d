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
pub use router::{
    AdvertPlan, DhcpCounters, DhcpOptions, DhcpPlan, DhcpReservation, NatPlan, Router, RouterInterface, RouterPlan,
    RouterRoute,
};
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

/// A node at work. One word: most nodes of a large network are ports.
#[derive(Debug)]
pub enum Node {
    /// A host's side of one link.
    Port,
    /// A node inside the network.
    Inner(Box<Inner>),
}

/// A node inside the network, of any kind.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "each is in a box of its own")]
pub enum Inner {
    /// An Ethernet switch.
    Switch(Switch),
    /// A repeater.
    Hub,
    /// One region of a cloud.
    Edge(Edge),
    /// An IP router.
    Router(Router),
}

impl From<Inner> for Node {
    fn from(inner: Inner) -> Node {
        Node::Inner(Box::new(inner))
    }
}

impl Node {
    #[inline]
    fn inner(&self) -> Option<&Inner> {
        match self {
            Node::Port => None,
            Node::Inner(inner) => Some(inner),
        }
    }

    #[inline]
    fn inner_mut(&mut self) -> Option<&mut Inner> {
        match self {
            Node::Port => None,
            Node::Inner(inner) => Some(inner),
        }
    }

    /// Whether it is where a host is attached, and takes whatever comes.
    #[inline]
    pub const fn is_port(&self) -> bool {
        matches!(self, Node::Port)
    }

    /// Whether the node has deadlines of its own: [`Node::deadline`].
    pub fn is_timed(&self) -> bool {
        matches!(self.inner(), Some(Inner::Router(_)))
    }

    /// Where the frame with this head goes that came in at `port`, the node's ports being numbered in the order of its
    /// links: `count` wire frames of one train.
    #[inline]
    pub fn receive(&mut self, now: Instant, port: u32, head: &[u8], count: u64) -> Verdict {
        match self.inner_mut() {
            None => Verdict::Consume,
            Some(Inner::Switch(switch)) => switch.receive(now, port, head, count),
            Some(Inner::Hub) => Verdict::Flood,
            Some(Inner::Edge(edge)) => edge.receive(now, port, head, count),
            Some(Inner::Router(_)) => Verdict::Handle,
        }
    }

    /// Deals with a frame whose verdict was [`Verdict::Handle`].
    pub fn handle(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) {
        match self.inner_mut() {
            Some(Inner::Router(router)) => router.receive(work, port, frame),
            Some(Inner::Switch(switch)) => switch.handle(work, port, frame),
            Some(Inner::Edge(edge)) => edge.handle(work, frame),
            None | Some(Inner::Hub) => work.drop(frame, DropCause::Unsupported),
        }
    }

    /// When the node next wants [`Node::wake`].
    #[inline]
    pub fn deadline(&self) -> Option<Instant> {
        match self.inner() {
            Some(Inner::Router(router)) => router.deadline(),
            None | Some(Inner::Switch(_) | Inner::Hub | Inner::Edge(_)) => None,
        }
    }

    /// The deadline has come.
    pub fn wake(&mut self, work: &mut Work<'_>) {
        match self.inner_mut() {
            Some(Inner::Router(router)) => router.wake(work),
            None | Some(Inner::Switch(_) | Inner::Hub | Inner::Edge(_)) => {}
        }
    }

    /// The largest L3 packet that the link at a port carries away from the node has changed; `None` has no limit.
    pub fn set_mtu(&mut self, port: u32, mtu: Option<u32>) {
        match self.inner_mut() {
            Some(Inner::Router(router)) => router.set_mtu(port, mtu),
            None | Some(Inner::Switch(_) | Inner::Hub | Inner::Edge(_)) => {}
        }
    }

    /// The spanning tree blocks a port, or does so no longer.
    pub fn set_blocked(&mut self, port: u32, blocked: bool) {
        if let Some(Inner::Switch(switch)) = self.inner_mut() {
            switch.set_blocked(port, blocked);
        }
    }

    /// Whether it learns from what it receives next, or does not. False if that is not its choice: it learns nothing, or
    /// others learn from what it passes on.
    pub fn set_learning(&mut self, learns: bool) -> bool {
        match self.inner_mut() {
            Some(Inner::Switch(switch)) => switch.set_learning(learns),
            _ => false,
        }
    }

    /// The topology has changed: what was learned behind the ports for which `stale` says so may be elsewhere.
    pub fn forget(&mut self, stale: &[bool]) {
        match self.inner_mut() {
            Some(Inner::Switch(switch)) => switch.forget(stale),
            Some(Inner::Edge(edge)) => edge.forget(),
            None | Some(Inner::Hub | Inner::Router(_)) => {}
        }
    }

    /// Whether a command makes sense for this node: it depends on the plan alone.
    pub fn takes(&self, command: NodeCommand) -> bool {
        match self.inner() {
            Some(Inner::Router(router)) => router.takes(command),
            None | Some(Inner::Switch(_) | Inner::Hub | Inner::Edge(_)) => false,
        }
    }

    /// A live change.
    pub fn command(&mut self, command: NodeCommand) {
        match self.inner_mut() {
            Some(Inner::Router(router)) => router.command(command),
            None | Some(Inner::Switch(_) | Inner::Hub | Inner::Edge(_)) => {}
        }
    }

    /// What a router's address translation has done, if it has one.
    pub fn nat_counters(&self, now: Instant) -> Option<NatCounters> {
        match self.inner() {
            Some(Inner::Router(router)) => router.nat_counters(now),
            None | Some(Inner::Switch(_) | Inner::Hub | Inner::Edge(_)) => None,
        }
    }

    /// What a router's DHCP servers have done, with the names of their interfaces.
    pub fn dhcp(&self, now: Instant) -> impl Iterator<Item = (&str, DhcpCounters)> {
        let router = match self.inner() {
            Some(Inner::Router(router)) => Some(router),
            None | Some(Inner::Switch(_) | Inner::Hub | Inner::Edge(_)) => None,
        };
        router.into_iter().flat_map(move |router| router.dhcp(now))
    }

    /// Wire frames that the node holds until it knows where to send them.
    pub fn held(&self) -> u64 {
        match self.inner() {
            Some(Inner::Router(router)) => router.held(),
            None | Some(Inner::Switch(_) | Inner::Hub | Inner::Edge(_)) => 0,
        }
    }

    /// The node's firewall, if it has one.
    pub fn firewall(&self) -> Option<&router::firewall::Firewall> {
        match self.inner() {
            Some(Inner::Router(router)) => router.firewall(),
            None | Some(Inner::Switch(_) | Inner::Hub | Inner::Edge(_)) => None,
        }
    }
}

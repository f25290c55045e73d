//! Live changes: what a timeline step and a control call both are.

use super::{Change, DirectionId, LinkId, NodeId};
use crate::node::NodeCommand;

/// A change of the running network, an event at a model time.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "commands are few, and nearly all of them are changes")]
pub enum Command {
    /// Parameters of one direction change in place: frame numbers go on, a frame already propagating keeps its departure,
    /// a new rate applies to the bits not yet sent.
    Set(DirectionId, Change),
    /// The link goes down: waiting and in-service frames drop, propagating ones arrive.
    Down(LinkId),
    /// The link comes up again.
    Up(LinkId),
    /// A change of a node.
    Node(NodeId, NodeCommand),
    /// A node goes down: all of its links do, and what propagates toward it is dropped when it gets there.
    NodeDown(NodeId),
    /// The node comes up again, and its links with it: those that are not down by themselves, and whose other end is up.
    NodeUp(NodeId),
    /// The interface behind a port is gone: what comes to the port is dropped there, and so is what still comes out of it.
    /// Its link is as it was.
    PortDown(NodeId),
    /// It is there again.
    PortUp(NodeId),
    /// Ports on different sides receive nothing from each other; those on none are reached by all. In place of the
    /// partition before it.
    Partition(Vec<Vec<NodeId>>),
    /// The second port receives nothing from the first.
    Block(NodeId, NodeId),
    /// It does again.
    Unblock(NodeId, NodeId),
    /// No partition and no block any more.
    Heal,
    /// Whoever is attached to a port is shown a carrier, or none. Nothing changes in the network itself; the sink hears of
    /// it at its instant.
    Carrier(NodeId, bool),
}

/// Why a command was refused. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// No such link or direction.
    #[error("the network has no such link")]
    NoSuchLink,
    /// No such node, or one that this makes no sense for.
    #[error("the network has no node that does this")]
    NoSuchNode,
}

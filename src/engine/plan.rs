//! What an engine is built from. Plain data: the scenario layer computes it, tests write it by hand.

use super::DirectionId;
use super::fields::DirectionSpec;
use crate::node::{EdgePlan, RouterPlan, SwitchSpec};
use crate::units::Duration;

/// A network: nodes, and links between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Every random draw belongs to this seed.
    pub seed: u64,
    /// The longest that a run of frames of one train may span from first to last departure. 0 lets only those travel
    /// together that leave at the same instant.
    pub coalesce: Duration,
    /// How long after a link went down or came up switches and routers still go on as before.
    pub convergence: Duration,
    /// Nodes; links name them by their position here.
    pub nodes: Vec<NodePlan>,
    /// Links in file order, which is also the order in which events of the same instant happen.
    pub links: Vec<LinkPlan>,
}

impl Plan {
    /// What one direction of a link does.
    pub fn direction(&self, direction: DirectionId) -> &DirectionSpec {
        &self.links[direction.link().0 as usize].directions[direction.way() as usize]
    }
}

/// One node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePlan {
    /// Its name: that of the scenario's node, and of the interface where a host has several (`phone.wlan0`).
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
}

impl NodePlan {
    /// The router's plan, if this is one.
    pub fn router(&self) -> Option<&RouterPlan> {
        match &self.kind {
            NodeKind::Router(plan) => Some(plan),
            _ => None,
        }
    }
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a plan has few nodes beside its links, and is read once")]
pub enum NodeKind {
    /// A host's side of one link: frames enter and leave the engine here. It has exactly one link.
    Port,
    /// An Ethernet switch.
    Switch(SwitchSpec),
    /// A repeater: what comes in at a port goes out at all others.
    Hub,
    /// An IP router, with one interface for each of its links, in their order.
    Router(RouterPlan),
    /// One region of a cloud; links to other regions come after those of what is attached.
    Edge(EdgePlan),
}

/// One link: two nodes, two independent directions.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPlan {
    /// Its name; random streams depend on it.
    pub name: String,
    /// The nodes that it joins, as positions in [`Plan::nodes`].
    pub ends: [usize; 2],
    /// What each direction does: from `ends[0]` to `ends[1]`, and back.
    pub directions: [DirectionSpec; 2],
}

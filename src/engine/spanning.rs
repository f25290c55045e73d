//! The spanning tree of a plan: which links between switches and hubs carry frames, at first and after each convergence.
//!
//! No frame goes round for ever, and none goes round at one instant: frames move between switches and hubs only along links
//! of which no end is blocked, and [`Tree`] leaves no loop of those, whatever the plan. That holds at every moment, also
//! between a change and the convergence that follows it, because the tree is always that of links that the network takes
//! for up, and a link that it does not take for up is blocked at both ends: one that comes up carries nothing before the
//! tree that has a place for it is in force.

use std::collections::BTreeMap;

use super::{Engine, LinkId, NodeKind, Plan};
use crate::model::RateSpec;
use crate::node::switch::{Graph, GraphLink, Tree, path_cost};

/// No place in the graph.
const NONE: u32 = u32::MAX;

/// The switches and hubs of a plan, and the tree that spans them.
#[derive(Debug, Default)]
pub struct Spanning {
    graph: Graph,
    tree: Tree,
    /// Whether the network takes each link of the graph for up.
    up: Vec<bool>,
    /// The node of the plan that each node of the graph is.
    nodes: Vec<usize>,
    /// The link of the plan that each link of the graph is.
    links: Vec<usize>,
    /// The other way round: the places in the graph of the plan's nodes and links, or [`NONE`]. Empty where no link joins
    /// two nodes of the graph.
    node_at: Vec<u32>,
    link_at: Vec<u32>,
}

impl Plan {
    /// The spanning tree as it is when all links are up.
    pub fn spanning(&self) -> Spanning {
        // What passes frames on without a look at who routes them. Its priority, if it takes part in the tree.
        let bridging = |node: &NodeKind| match node {
            NodeKind::Switch(spec) => Some(spec.priority),
            NodeKind::Hub => Some(None),
            // whose regions are one node here: see below
            NodeKind::Edge(_) => Some(None),
            NodeKind::Port | NodeKind::Router(_) => None,
        };
        // a large network without any needs no tables about all of its links
        if self.nodes.iter().all(|node| bridging(&node.kind).is_none()) {
            return Spanning::default();
        }
        let mut spanning = Spanning { node_at: vec![NONE; self.nodes.len()], ..Spanning::default() };
        spanning.link_at = vec![NONE; self.links.len()];
        // A cloud has no loops inside, by split horizon, and takes no part: to the tree all of it is one shared segment.
        let cloud_of = |node: &NodeKind| if let NodeKind::Edge(plan) = node { Some(plan.cloud) } else { None };
        let mut clouds: BTreeMap<u32, u32> = BTreeMap::new();
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(there) = cloud_of(&node.kind).and_then(|cloud| clouds.get(&cloud)) {
                spanning.node_at[at] = *there;
                continue;
            }
            if let Some(priority) = bridging(&node.kind) {
                let place = spanning.nodes.len() as u32;
                clouds.extend(cloud_of(&node.kind).map(|cloud| (cloud, place)));
                spanning.node_at[at] = place;
                spanning.nodes.push(at);
                spanning.graph.nodes.push(priority);
            }
        }
        for (at, link) in self.links.iter().enumerate() {
            let ends = link.ends.map(|end| spanning.node_at[end]);
            let inside_cloud = ends[0] == ends[1] && link.ends[0] != link.ends[1];
            if ends.contains(&NONE) || inside_cloud {
                continue;
            }
            spanning.link_at[at] = spanning.links.len() as u32;
            spanning.links.push(at);
            // of two directions the slower one
            let costs = link.directions.each_ref().map(|direction| cost(&direction.rate));
            spanning.graph.links.push(GraphLink { ends: ends.map(|end| end as usize), cost: costs[0].max(costs[1]) });
        }
        if spanning.links.is_empty() {
            return Spanning::default();
        }
        spanning.up = vec![true; spanning.links.len()];
        spanning.tree = spanning.graph.span(&spanning.up);
        spanning
    }
}

fn cost(rate: &RateSpec) -> u32 {
    path_cost(rate.nominal())
}

impl Spanning {
    /// Whether the tree blocks the port at each end of a link of the plan.
    pub fn blocked(&self, link: usize) -> [bool; 2] {
        self.place_of_link(link).map(|at| self.tree.blocked[at]).unwrap_or_default()
    }

    /// The node of the plan that is the root of the tree that a node is in; `None` where it is in no tree.
    pub fn root(&self, node: usize) -> Option<usize> {
        self.tree.root[self.place_of_node(node)?].map(|root| self.nodes[root])
    }

    fn place_of_link(&self, link: usize) -> Option<usize> {
        self.link_at.get(link).filter(|at| **at != NONE).map(|at| *at as usize)
    }

    fn place_of_node(&self, node: usize) -> Option<usize> {
        self.node_at.get(node).filter(|at| **at != NONE).map(|at| *at as usize)
    }

    /// Whether a node has a link to another that passes frames on, so that a tree says something of it.
    pub fn has_neighbours(&self, node: usize) -> bool {
        self.place_of_node(node).is_some_and(|at| self.graph.links.iter().any(|link| link.ends.contains(&at)))
    }

    /// The network has found a link up or down.
    pub(super) fn note(&mut self, link: LinkId, up: bool) {
        if let Some(at) = self.place_of_link(link.0 as usize) {
            self.up[at] = up;
        }
    }
}

impl Engine {
    /// Which ports lead to other nodes that pass frames on: those behind which stations may move.
    pub(super) fn inner_ports(plan: &Plan, spanning: &Spanning, port_of: impl Fn(usize, usize) -> usize) -> Vec<bool> {
        if spanning.nodes.is_empty() {
            return Vec::new();
        }
        let mut inner = vec![false; plan.links.len() * 2];
        for link in &spanning.links {
            (0..2).for_each(|end| inner[port_of(*link, end)] = true);
        }
        inner
    }

    /// Puts the tree of the links that are now taken for up in force. Where it is another one, stations behind other
    /// switches and hubs are forgotten.
    ///
    /// Frames that are still on their way between them then say nothing of where their senders are now: a switch passes
    /// them on and learns nothing of them. Who cannot tell them from others on what it passes on, a hub or a switch outside
    /// of the tree, drops them (`blocked`).
    pub(super) fn span(&mut self) {
        if self.spanning.links.is_empty() {
            return;
        }
        let at_first = self.spanned.is_none() && self.last_input.is_none();
        self.spanning.tree = self.spanning.graph.span(&self.spanning.up);
        let mut changed = vec![false; self.spanning.nodes.len()];
        for at in 0..self.spanning.links.len() {
            let link = LinkId(self.spanning.links[at] as u32);
            for (end, id) in link.directions().into_iter().enumerate() {
                let (node, port) = self.near_end(id);
                let blocked = self.spanning.tree.blocked[at][end];
                let place = self.nodes[node.0 as usize].ports().start + port as usize;
                if self.blocked[place] != blocked {
                    self.blocked[place] = blocked;
                    self.nodes[node.0 as usize].node.set_blocked(port, blocked);
                    changed[self.spanning.tree.part[self.spanning.graph.links[at].ends[end]]] = true;
                }
            }
        }
        self.any_blocked = self.blocked.contains(&true);
        if changed.contains(&true) && !at_first {
            self.spanned = Some(self.now);
        }
        for (site, at) in self.nodes.iter_mut().zip(&self.spanning.node_at).filter(|(_, at)| **at != NONE) {
            let ports = site.ports();
            if changed[self.spanning.tree.part[*at as usize]] {
                site.node.forget(&self.inner[ports]);
            }
        }
    }
}

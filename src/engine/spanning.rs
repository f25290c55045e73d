//! The spanning tree of a plan: which links between switches and hubs carry frames, at first and after each convergence.
//!
//! No frame goes round for ever, and none goes round at one instant: frames move between switches and hubs only along links
//! of which no end is blocked, and [`Tree`] leaves no loop of those, whatever the plan. That holds at every moment, also
//! between a change and the convergence that follows it, because the tree is always that of links that the network takes
//! for up, and a link that it does not take for up is blocked at both ends: one that comes up carries nothing before the
//! tree that has a place for it is in force.

use super::{Engine, LinkId, NodeKind, Plan};
use crate::model::RateSpec;
use crate::node::switch::{Graph, GraphLink, Tree, path_cost};

/// No place in the graph.
const NONE: usize = usize::MAX;

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
    /// The other way round: the places in the graph of the plan's nodes and links, or [`NONE`].
    node_at: Vec<usize>,
    link_at: Vec<usize>,
}

impl Plan {
    /// The spanning tree as it is when all links are up.
    pub fn spanning(&self) -> Spanning {
        // What passes frames on without a look at who routes them. Its priority, if it takes part in the tree.
        let bridging = |node: &NodeKind| match node {
            NodeKind::Switch(spec) => Some(spec.priority),
            NodeKind::Hub => Some(None),
            NodeKind::Port | NodeKind::Router(_) => None,
        };
        let mut spanning = Spanning { node_at: vec![NONE; self.nodes.len()], ..Spanning::default() };
        spanning.link_at = vec![NONE; self.links.len()];
        for (at, node) in self.nodes.iter().enumerate() {
            if let Some(priority) = bridging(&node.kind) {
                spanning.node_at[at] = spanning.nodes.len();
                spanning.nodes.push(at);
                spanning.graph.nodes.push(priority);
            }
        }
        for (at, link) in self.links.iter().enumerate() {
            let ends = link.ends.map(|end| spanning.node_at[end]);
            if ends.contains(&NONE) {
                continue;
            }
            spanning.link_at[at] = spanning.links.len();
            spanning.links.push(at);
            // of two directions the slower one
            let costs = link.directions.each_ref().map(|direction| cost(&direction.rate));
            spanning.graph.links.push(GraphLink { ends, cost: costs[0].max(costs[1]) });
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
        self.tree.blocked.get(self.link_at[link]).copied().unwrap_or_default()
    }

    /// The node of the plan that is the root of the tree that a node is in; `None` where it is in no tree.
    pub fn root(&self, node: usize) -> Option<usize> {
        let root = self.tree.root.get(self.node_at[node])?;
        root.map(|root| self.nodes[root])
    }

    /// Whether a node has a link to another that passes frames on, so that a tree says something of it.
    pub fn has_neighbours(&self, node: usize) -> bool {
        let at = self.node_at[node];
        at != NONE && self.graph.links.iter().any(|link| link.ends.contains(&at))
    }

    /// The network has found a link up or down.
    pub(super) fn note(&mut self, link: LinkId, up: bool) {
        if let Some(known) = self.up.get_mut(self.link_at[link.0 as usize]) {
            *known = up;
        }
    }
}

impl Engine {
    /// Which ports lead to other nodes that pass frames on: those behind which stations may move.
    pub(super) fn inner_ports(plan: &Plan, spanning: &Spanning, port_of: impl Fn(usize, usize) -> usize) -> Vec<bool> {
        let mut inner = vec![false; plan.links.len() * 2];
        for link in &spanning.links {
            (0..2).for_each(|end| inner[port_of(*link, end)] = true);
        }
        inner
    }

    /// Puts the tree of the links that are now taken for up in force. Where it is another one, stations behind other
    /// switches and hubs are forgotten.
    pub(super) fn span(&mut self) {
        if self.spanning.links.is_empty() {
            return;
        }
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
        for (at, node) in self.spanning.nodes.iter().enumerate() {
            let site = &mut self.nodes[*node];
            let ports = site.ports();
            site.any_blocked = self.blocked[ports.clone()].contains(&true);
            if changed[self.spanning.tree.part[at]] {
                site.node.forget(&self.inner[ports]);
            }
        }
    }
}

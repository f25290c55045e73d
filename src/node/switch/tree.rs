//! The spanning tree: which ends of links are blocked so that no loop is left and every station still reaches every other.
//!
//! The result of IEEE 802.1D-2004 §17 (rapid spanning tree), computed at once from the whole graph instead of being agreed
//! on by messages. The root is the bridge with the lowest identifier: priority, and in place of the MAC address the order
//! of the nodes. A bridge's root port is the one with the best vector of (cost of the way to the root, designated bridge,
//! its port, own port); of the bridges on a segment the one with the best (cost, identifier, port) is designated. All other
//! ports are blocked. Ports are told apart by the order of their links.
//!
//! Who takes no part (a hub; a switch that was told so) passes everything on: those that are joined are one shared segment,
//! as a hub is for real bridges. A loop among them alone nobody could break; the link that closes it is shut, so that
//! nothing built from this can carry a frame for ever. There is one tree for all VLANs (the CIST of a single region).

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::units::Rate;

/// The cost of a link without a rate: that of 10 Gbit/s.
const UNLIMITED_COST: u32 = 2_000;
/// IEEE 802.1D-2004 §17.14: costs are 1 to 200,000,000.
const MOST_COST: u64 = 200_000_000;

/// What a link costs on the way to the root: 20 Tbit/s ÷ its rate (IEEE 802.1D-2004 Table 17-3), so 20,000 for 1 Gbit/s. A
/// link without a rate costs as one of 10 Gbit/s.
pub fn path_cost(rate: Option<Rate>) -> u32 {
    const SCALE: u64 = 20_000_000_000_000;
    rate.map_or(UNLIMITED_COST, |rate| (SCALE / rate.as_bps()).clamp(1, MOST_COST) as u32)
}

/// Nodes that pass frames on from link to link, and the links between them. Links to anybody else are no part of loops.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// The priority of each that takes part in the tree; `None` of those that do not.
    pub nodes: Vec<Option<u16>>,
    /// Links between two nodes of these, in their order.
    pub links: Vec<GraphLink>,
}

/// A link between two nodes of a [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphLink {
    /// Positions in [`Graph::nodes`].
    pub ends: [usize; 2],
    /// Its [`path_cost`], 1 or more.
    pub cost: u32,
}

/// The tree of a graph: a forest, where the graph is not connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// Whether the port at each end of each link is blocked: it passes nothing on, and is sent nothing. Both are at a link
    /// that is down.
    pub blocked: Vec<[bool; 2]>,
    /// The root of the tree that each node is in; `None` where nobody takes part.
    pub root: Vec<Option<usize>>,
    /// Nodes that frames can get to from each other have the same number here.
    pub part: Vec<usize>,
}

/// One port of one bridge.
#[derive(Clone, Copy)]
struct Port {
    bridge: usize,
    link: usize,
    end: usize,
    segment: usize,
}

impl Graph {
    /// The tree over the links that are up.
    ///
    /// # Panics
    /// If `up` does not have an entry for each link, or a link names a node that is not there.
    pub fn span(&self, up: &[bool]) -> Tree {
        assert_eq!(up.len(), self.links.len(), "each link is up or down");
        let mut blocked: Vec<[bool; 2]> = up.iter().map(|up| [!up; 2]).collect();
        let mut parts = Sets::new(self.nodes.len());
        let mut shared = Sets::new(self.nodes.len());
        for (at, link) in self.links.iter().enumerate().filter(|(at, _)| up[*at]) {
            let [a, b] = link.ends;
            parts.join(a, b);
            if self.nodes[a].is_none() && self.nodes[b].is_none() && !shared.join(a, b) {
                blocked[at] = [true; 2];
            }
        }
        let part: Vec<usize> = (0..self.nodes.len()).map(|node| parts.of(node)).collect();

        // Segments: the nodes' numbers stand for what the shared ones make up, those behind them for links of their own.
        let mut ports: Vec<Port> = Vec::new();
        for (at, link) in self.links.iter().enumerate().filter(|(at, _)| up[*at]) {
            let segment = match link.ends.map(|node| self.nodes[node]) {
                [Some(_), Some(_)] => self.nodes.len() + at,
                [None, Some(_)] => shared.of(link.ends[0]),
                [Some(_), None] => shared.of(link.ends[1]),
                [None, None] => continue,
            };
            let own = (0..2).filter(|end| self.nodes[link.ends[*end]].is_some());
            ports.extend(own.map(|end| Port { bridge: link.ends[end], link: at, end, segment }));
        }

        let id = |bridge: usize| (self.nodes[bridge], bridge);
        let mut root_of_part: Vec<Option<usize>> = vec![None; self.nodes.len()];
        for bridge in (0..self.nodes.len()).filter(|node| self.nodes[*node].is_some()) {
            let root = &mut root_of_part[part[bridge]];
            *root = Some(root.map_or(bridge, |best| if id(bridge) < id(best) { bridge } else { best }));
        }
        let root: Vec<Option<usize>> = part.iter().map(|part| root_of_part[*part]).collect();
        let cost = self.costs(&ports, &root);

        // of each segment, the designated port: links come in order, and so the first of equals is the lowest port
        let mut designated: Vec<Option<usize>> = vec![None; self.nodes.len() + self.links.len()];
        let offer = |port: &Port| (cost[port.bridge], id(port.bridge), port.link);
        for (at, port) in ports.iter().enumerate() {
            let best = &mut designated[port.segment];
            if best.is_none_or(|best| offer(port) < offer(&ports[best])) {
                *best = Some(at);
            }
        }
        // of each bridge but the root, the root port
        let mut towards: Vec<Option<(Vector, usize)>> = vec![None; self.nodes.len()];
        for (at, port) in ports.iter().enumerate().filter(|(_, port)| root[port.bridge] != Some(port.bridge)) {
            let Some(sender) = designated[port.segment].map(|at| &ports[at]) else { continue };
            if sender.bridge == port.bridge {
                continue; // its own offer
            }
            let way = cost[sender.bridge] + u64::from(self.links[port.link].cost);
            let vector = (way, id(sender.bridge), sender.link, port.link);
            let best = &mut towards[port.bridge];
            if best.is_none_or(|(best, _)| vector < best) {
                *best = Some((vector, at));
            }
        }
        for (at, port) in ports.iter().enumerate() {
            let forwards =
                designated[port.segment] == Some(at) || towards[port.bridge].is_some_and(|(_, way)| way == at);
            blocked[port.link][port.end] = !forwards;
        }
        Tree { blocked, root, part }
    }

    /// What the way to the root costs from each bridge: the sum of the costs of the ports by which it comes in (Dijkstra).
    fn costs(&self, ports: &[Port], root: &[Option<usize>]) -> Vec<u64> {
        let mut at_bridge: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        let mut on_segment: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len() + self.links.len()];
        for (at, port) in ports.iter().enumerate() {
            at_bridge[port.bridge].push(at);
            on_segment[port.segment].push(at);
        }
        let mut cost = vec![u64::MAX; self.nodes.len()];
        let mut next = BinaryHeap::new();
        for bridge in (0..self.nodes.len()).filter(|node| root[*node] == Some(*node)) {
            cost[bridge] = 0;
            next.push(Reverse((0, bridge)));
        }
        while let Some(Reverse((way, bridge))) = next.pop() {
            if way > cost[bridge] {
                continue;
            }
            for at in &at_bridge[bridge] {
                // the first bridge that is reached on a segment has the best way, and no other can better it
                for there in std::mem::take(&mut on_segment[ports[*at].segment]) {
                    let port = &ports[there];
                    let way = way + u64::from(self.links[port.link].cost);
                    if way < cost[port.bridge] {
                        cost[port.bridge] = way;
                        next.push(Reverse((way, port.bridge)));
                    }
                }
            }
        }
        cost
    }
}

/// A bridge's identifier: the lower, the better.
type Bridge = (Option<u16>, usize);

/// What makes one port a better root port than another: the cost of the way to the root, the designated bridge, its port,
/// the port itself.
type Vector = (u64, Bridge, usize, usize);

/// Disjoint sets of numbers.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Sets {
        Sets((0..count).collect())
    }

    /// What stands for the set that a number is in.
    fn of(&mut self, mut at: usize) -> usize {
        while self.0[at] != at {
            self.0[at] = self.0[self.0[at]];
            at = self.0[at];
        }
        at
    }

    /// Makes one of two sets; false if they were one.
    fn join(&mut self, a: usize, b: usize) -> bool {
        let (a, b) = (self.of(a), self.of(b));
        self.0[a.max(b)] = a.min(b);
        a != b
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(nodes: &[Option<u16>], links: &[(usize, usize, u32)]) -> Graph {
        let links = links.iter().map(|(a, b, cost)| GraphLink { ends: [*a, *b], cost: *cost }).collect();
        Graph { nodes: nodes.to_vec(), links }
    }

    fn all_up(graph: &Graph) -> Tree {
        graph.span(&vec![true; graph.links.len()])
    }

    const BRIDGE: Option<u16> = Some(32_768);
    const HUB: Option<u16> = None;

    #[test]
    fn costs_are_those_of_table_17_3() {
        let cost = |text: &str| path_cost(Some(text.parse().unwrap()));
        for (rate, expected) in [
            ("100kbit", 200_000_000),
            ("1Mbit", 20_000_000),
            ("10Mbit", 2_000_000),
            ("100Mbit", 200_000),
            ("1Gbit", 20_000),
            ("10Gbit", 2_000),
            ("100Gbit", 200),
            ("1000Gbit", 20),
            ("10000Gbit", 2),
        ] {
            assert_eq!(cost(rate), expected, "{rate}");
        }
        assert_eq!((cost("1kbit"), cost("90000Gbit"), path_cost(None)), (200_000_000, 1, 2_000));
    }

    #[test]
    fn a_triangle_blocks_the_link_that_is_farthest_from_the_root() {
        // the second is the root by its priority; the way 0–2–1 is cheaper than 0–1
        let ring = graph(&[BRIDGE, Some(4096), BRIDGE], &[(0, 1, 100), (1, 2, 10), (2, 0, 20)]);
        let tree = all_up(&ring);
        assert_eq!(tree.root, [Some(1); 3]);
        assert_eq!(tree.blocked, [[true, false], [false, false], [false, false]]);
        // without the cheap way, the other
        let tree = ring.span(&[true, true, false]);
        assert_eq!(tree.blocked, [[false, false], [false, false], [true, true]]);
    }

    #[test]
    fn ties_go_to_the_lower_bridge_and_then_to_the_lower_port() {
        // a square: from 3 both ways to 0 cost the same, and 1 comes before 2
        let square = graph(&[BRIDGE; 4], &[(0, 2, 5), (2, 3, 5), (0, 1, 5), (1, 3, 5)]);
        assert_eq!(all_up(&square).blocked, [[false, false], [false, true], [false, false], [false, false]]);
        // two links between the same two: the first one carries
        let double = graph(&[BRIDGE; 2], &[(1, 0, 5), (0, 1, 5)]);
        assert_eq!(all_up(&double).blocked, [[false, false], [false, true]]);
    }

    #[test]
    fn hubs_are_a_shared_segment_and_their_own_loops_are_shut() {
        // a bridge with two links to one hub keeps the first
        let twice = graph(&[BRIDGE, HUB], &[(0, 1, 5), (1, 0, 5)]);
        assert_eq!(all_up(&twice).blocked, [[false, false], [false, true]]);
        // three bridges on two hubs that are joined: 0 is the root, and 1 is designated nowhere
        let two = graph(&[BRIDGE, BRIDGE, HUB, HUB], &[(0, 2, 5), (2, 3, 5), (1, 3, 5), (1, 2, 5)]);
        assert_eq!(all_up(&two).blocked, [[false, false], [false, false], [false, false], [true, false]]);
        // hubs alone
        let hubs = graph(&[HUB; 3], &[(0, 1, 5), (1, 2, 5), (2, 0, 5)]);
        let tree = all_up(&hubs);
        assert_eq!((tree.blocked, tree.root), (vec![[false; 2], [false; 2], [true; 2]], vec![None; 3]));
    }

    #[test]
    fn a_graph_in_two_parts_has_two_roots() {
        let two = graph(&[BRIDGE, BRIDGE, Some(0), BRIDGE], &[(0, 1, 5), (2, 3, 5)]);
        let tree = all_up(&two);
        assert_eq!(tree.root, [Some(0), Some(0), Some(2), Some(2)]);
        assert_eq!((tree.part[0] == tree.part[1], tree.part[1] == tree.part[2]), (true, false));
        assert_eq!(Graph::default().span(&[]), Tree::default());
    }

    /// A vector of 802.1D §17.5: root, cost, designated bridge, designated port.
    type Told = (Bridge, u64, Bridge, usize);

    /// The protocol itself, message by message: each bridge begins as its own root and tells its segments what it knows,
    /// until nothing changes. Returns the blocked ends of links that are up and have a bridge at that end.
    fn protocol(graph: &Graph, up: &[bool]) -> Vec<(usize, usize)> {
        let id = |bridge: usize| (graph.nodes[bridge], bridge);
        // segments by flooding through those that take no part
        let reach = |from: usize| {
            let mut seen = vec![from];
            let mut at = 0;
            while at < seen.len() {
                for (link, _) in graph.links.iter().zip(up).filter(|(_, up)| **up) {
                    for end in 0..2 {
                        let [here, there] = [link.ends[end], link.ends[1 - end]];
                        if here == seen[at] && graph.nodes[there].is_none() && !seen.contains(&there) {
                            seen.push(there);
                        }
                    }
                }
                at += 1;
            }
            *seen.iter().min().unwrap()
        };
        let mut ports: Vec<(usize, usize, usize, usize)> = Vec::new(); // bridge, link, end, segment
        for (n, link) in graph.links.iter().enumerate().filter(|(n, _)| up[*n]) {
            for end in 0..2 {
                let [here, there] = [link.ends[end], link.ends[1 - end]];
                if graph.nodes[here].is_some() {
                    let own = 1_000 + n;
                    ports.push((here, n, end, if graph.nodes[there].is_some() { own } else { reach(there) }));
                }
            }
        }
        let mut known: Vec<(Bridge, u64)> = (0..graph.nodes.len()).map(|node| (id(node), 0)).collect();
        let says = |known: &[(Bridge, u64)], (bridge, link, ..): (usize, usize, usize, usize)| -> Told {
            (known[bridge].0, known[bridge].1, id(bridge), link)
        };
        let best_way = |known: &[(Bridge, u64)], bridge: usize| {
            let own = ports.iter().filter(|port| port.0 == bridge);
            own.flat_map(|port| {
                let heard = ports.iter().filter(|other| other.3 == port.3 && other.0 != bridge);
                heard.map(|other| {
                    let (root, cost, sender, sent_by) = says(known, *other);
                    (root, cost + u64::from(graph.links[port.1].cost), sender, sent_by, port.1)
                })
            })
            .min()
        };
        for _ in 0..=graph.nodes.len() {
            let before = known.clone();
            for bridge in (0..graph.nodes.len()).filter(|node| graph.nodes[*node].is_some()) {
                known[bridge] = match best_way(&before, bridge) {
                    Some((root, cost, ..)) if root < id(bridge) => (root, cost),
                    _ => (id(bridge), 0),
                };
            }
        }
        let mut blocked = Vec::new();
        for port in &ports {
            let designated = ports.iter().filter(|other| other.3 == port.3).map(|other| says(&known, *other)).min();
            let is_designated = designated == Some(says(&known, *port));
            let is_root_port =
                known[port.0].0 != id(port.0) && best_way(&known, port.0).is_some_and(|way| way.4 == port.1);
            if !is_designated && !is_root_port {
                blocked.push((port.1, port.2));
            }
        }
        blocked
    }

    fn any_graph() -> impl Strategy<Value = (Graph, Vec<bool>)> {
        (2usize..9).prop_flat_map(|nodes| {
            let priority = prop_oneof![1 => Just(None), 4 => (0u16..3).prop_map(|p| Some(p * 4096))];
            let link = (0..nodes, 1..nodes, 1u32..4, prop::bool::weighted(0.8));
            (prop::collection::vec(priority, nodes), prop::collection::vec(link, 0..16)).prop_map(
                move |(kinds, links)| {
                    let up = links.iter().map(|link| link.3).collect();
                    let links: Vec<_> =
                        links.into_iter().map(|(a, step, cost, _)| (a, (a + step) % nodes, cost)).collect();
                    (graph(&kinds, &links), up)
                },
            )
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn the_tree_is_what_the_protocol_comes_to((graph, up) in any_graph()) {
            let tree = graph.span(&up);
            let mine: Vec<_> = (0..graph.links.len())
                .flat_map(|link| [(link, 0), (link, 1)])
                .filter(|(link, end)| up[*link] && graph.nodes[graph.links[*link].ends[*end]].is_some())
                .filter(|(link, end)| tree.blocked[*link][*end])
                .collect();
            prop_assert_eq!(mine, protocol(&graph, &up));
        }

        #[test]
        fn no_loop_is_left_and_nobody_is_cut_off((graph, up) in any_graph()) {
            let tree = graph.span(&up);
            let (mut whole, mut active) = (Sets::new(graph.nodes.len()), Sets::new(graph.nodes.len()));
            for (at, link) in graph.links.iter().enumerate() {
                let [a, b] = link.ends;
                if up[at] {
                    whole.join(a, b);
                } else {
                    prop_assert_eq!(tree.blocked[at], [true; 2]);
                }
                if tree.blocked[at] == [false; 2] {
                    prop_assert!(active.join(a, b), "link {} closes a loop", at);
                }
            }
            for node in 0..graph.nodes.len() {
                prop_assert_eq!(whole.of(node), active.of(node), "node {} is cut off", node);
                let part = (0..graph.nodes.len()).filter(|other| whole.of(*other) == whole.of(node));
                let best = part.filter_map(|other| graph.nodes[other].map(|priority| (priority, other))).min();
                prop_assert_eq!(tree.root[node], best.map(|(_, bridge)| bridge));
            }
        }
    }
}

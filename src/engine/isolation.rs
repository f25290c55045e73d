//! What is cut off from what: nodes that are down, hosts that a partition or a one-way block keeps apart.
//!
//! A node that is down is one whose links are all down. What propagates toward it still comes to it, and is dropped there
//! as [`DropCause::NodeDown`]; it keeps what it knows, as a machine behind a cut cable does.
//!
//! A port whose interface is gone is the door without a machine behind it: its link is up, and what comes to the port, or still
//! out of it, is dropped there as [`DropCause::PortDown`].
//!
//! A partition and a block act where a frame comes to a host, on where it entered the network: see
//! [`crate::frame::FramePool`]. So they hold whatever way a frame took, through switches, routers and NAT, for groups and
//! broadcasts too, and whoever knows whose address; and what a router itself says reaches everybody.

use std::collections::BTreeSet;

use super::sink::FrameSink;
use super::{Command, DirectionId, Engine, LinkId, NodeId};
use crate::frame::DropCause;

/// Made when something is cut off, and gone when nothing is any more.
#[derive(Debug, Default)]
pub(super) struct Isolation {
    /// Nodes that are down.
    dead: BTreeSet<NodeId>,
    /// Links at these that are down by themselves too.
    down_anyway: BTreeSet<LinkId>,
    /// Ports whose interface is gone.
    unplugged: BTreeSet<NodeId>,
    /// The side of each node of the plan, from 1 on; 0 of those that are on none. Empty without a partition.
    sides: Vec<u32>,
    /// Pairs of (from, to) that a block keeps apart.
    blocks: BTreeSet<(NodeId, NodeId)>,
}

impl Isolation {
    fn is_empty(&self) -> bool {
        self.dead.is_empty() && self.unplugged.is_empty() && self.sides.is_empty() && self.blocks.is_empty()
    }

    /// Why a frame that entered the network at `origin` goes no further than to the door of `to`, if it does not.
    pub(super) fn stops(&self, origin: Option<u32>, to: NodeId) -> Option<DropCause> {
        if self.dead.contains(&to) {
            return Some(DropCause::NodeDown);
        }
        if self.unplugged.contains(&to) {
            return Some(DropCause::PortDown);
        }
        let origin = origin?;
        let side = |node: u32| self.sides.get(node as usize).copied().unwrap_or(0);
        let (from, at) = (side(origin), side(to.0));
        let apart = from != at && from != 0 && at != 0;
        (apart || self.blocks.contains(&(NodeId(origin), to))).then_some(DropCause::Partition)
    }
}

impl Engine {
    /// Whether a link that is told to go down or to come up stays down in any case, because a node at one of its ends is.
    /// It is noted for when the node comes up.
    pub(super) fn is_held_down(&mut self, link: LinkId, up: bool) -> bool {
        let ends = self.ends(link);
        let Some(isolation) = &mut self.isolation else { return false };
        if !ends.iter().any(|end| isolation.dead.contains(end)) {
            return false;
        }
        if up {
            isolation.down_anyway.remove(&link);
        } else {
            isolation.down_anyway.insert(link);
        }
        true
    }

    /// Commands about who is cut off from whom.
    pub(super) fn isolate(&mut self, command: &Command, out: &mut impl FrameSink) {
        match command {
            Command::NodeDown(node) => self.node_down(*node, out),
            Command::NodeUp(node) => self.node_up(*node, out),
            Command::PortDown(port) => drop(self.isolation.get_or_insert_default().unplugged.insert(*port)),
            Command::PortUp(port) => {
                if let Some(isolation) = &mut self.isolation {
                    isolation.unplugged.remove(port);
                }
            }
            Command::Partition(sides) => {
                let nodes = self.nodes.len();
                let isolation = self.isolation.get_or_insert_default();
                isolation.sides = vec![0; nodes];
                for (side, members) in (1..).zip(sides) {
                    members.iter().for_each(|node| isolation.sides[node.0 as usize] = side);
                }
            }
            Command::Block(from, to) => drop(self.isolation.get_or_insert_default().blocks.insert((*from, *to))),
            Command::Unblock(from, to) => {
                if let Some(isolation) = &mut self.isolation {
                    isolation.blocks.remove(&(*from, *to));
                }
            }
            Command::Heal => {
                if let Some(isolation) = &mut self.isolation {
                    isolation.sides = Vec::new();
                    isolation.blocks.clear();
                }
            }
            Command::Set(..) | Command::Down(_) | Command::Up(_) | Command::Node(..) | Command::Carrier(..) => {}
        }
        if self.isolation.as_ref().is_some_and(|isolation| isolation.is_empty()) {
            self.isolation = None;
        }
    }

    fn node_down(&mut self, node: NodeId, out: &mut impl FrameSink) {
        if self.is_dead(node) {
            return;
        }
        let mut down_anyway = Vec::new();
        for link in self.links_at(node) {
            if self.is_up(link) {
                self.command(&Command::Down(link), out);
            } else if !self.ends(link).iter().any(|end| self.is_dead(*end)) {
                down_anyway.push(link);
            }
        }
        let isolation = self.isolation.get_or_insert_default();
        isolation.dead.insert(node);
        isolation.down_anyway.extend(down_anyway);
    }

    fn node_up(&mut self, node: NodeId, out: &mut impl FrameSink) {
        let Some(isolation) = &mut self.isolation else { return };
        if !isolation.dead.remove(&node) {
            return;
        }
        for link in self.links_at(node) {
            let held = self.ends(link).iter().any(|end| self.is_dead(*end));
            let anyway = |isolation: &mut Box<Isolation>| isolation.down_anyway.remove(&link);
            if !held && !self.isolation.as_mut().is_some_and(anyway) {
                self.command(&Command::Up(link), out);
            }
        }
    }

    /// Whether a node is down.
    pub fn is_dead(&self, node: NodeId) -> bool {
        self.isolation.as_ref().is_some_and(|isolation| isolation.dead.contains(&node))
    }

    /// Whether the interface behind a port is gone.
    pub(super) fn is_unplugged(&self, port: NodeId) -> bool {
        self.isolation.as_ref().is_some_and(|isolation| isolation.unplugged.contains(&port))
    }

    pub(super) fn ends(&self, link: LinkId) -> [NodeId; 2] {
        link.directions().map(|id| self.near_end(id).0)
    }

    /// The links of a node, each once.
    pub(super) fn links_at(&self, node: NodeId) -> BTreeSet<LinkId> {
        self.ports[self.nodes[node.0 as usize].ports()].iter().copied().map(DirectionId::link).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{DirectionSpec, Fate, FateKind, LinkPlan, NodeKind, NodePlan, Place, Plan, Rejected};
    use crate::frame::FrameView;
    use crate::model::DelaySpec;
    use crate::node::SwitchSpec;
    use crate::units::{Duration, Instant};

    const MS: u64 = 1_000_000;

    /// Who received what, and what was dropped where.
    #[derive(Default)]
    struct Seen {
        delivered: Vec<(u32, u64)>,
        dropped: Vec<(Place, DropCause, u64)>,
    }

    impl FrameSink for Seen {
        fn deliver(&mut self, port: NodeId, _: FrameView<'_>, at: Instant) {
            self.delivered.push((port.0, at.as_nanos() / MS));
        }
        fn fate(&mut self, fate: Fate<'_>) {
            if let FateKind::Dropped(cause) = fate.kind {
                self.dropped.push((fate.place, cause, fate.at.as_nanos() / MS));
            }
        }
    }

    /// Ports 0 to 3, each 10 ms from one switch, which is node 4: link n leads to port n.
    struct Bench {
        engine: Engine,
        seen: Seen,
    }

    impl Bench {
        fn new() -> Bench {
            let port = |n: usize| NodePlan { name: format!("p{n}"), kind: NodeKind::Port };
            let mut nodes: Vec<_> = (0..4).map(port).collect();
            nodes.push(NodePlan { name: "s".into(), kind: NodeKind::Switch(SwitchSpec::default()) });
            let delay = DelaySpec::constant(Duration::from_millis(10));
            let direction = DirectionSpec { delay, ..DirectionSpec::default() };
            let link = |n: usize| LinkPlan {
                name: format!("l{n}"),
                ends: [n, 4],
                directions: [direction.clone(), direction.clone()],
            };
            let engine = Engine::new(&Plan {
                seed: 1,
                coalesce: Duration::ZERO,
                convergence: Duration::ZERO,
                nodes,
                links: (0..4).map(link).collect(),
            });
            Bench { engine, seen: Seen::default() }
        }

        fn send(&mut self, ms: u64, from: u32, to: u8) {
            let mut bytes = [0; 60];
            bytes[..6].copy_from_slice(&if to == 0xff { [0xff; 6] } else { [2, 0, 0, 0, 0, to] });
            bytes[6..12].copy_from_slice(&[2, 0, 0, 0, 0, from as u8]);
            let frame = self.engine.pool().store(&bytes).unwrap();
            self.engine.inject(Instant::from_nanos(ms * MS), NodeId(from), frame);
        }

        fn tell(&mut self, ms: u64, command: Command) {
            self.engine.apply(Instant::from_nanos(ms * MS), command).unwrap();
        }

        /// What happened, after both equations have been held against it.
        fn end(mut self) -> Seen {
            self.engine.advance(Instant::from_nanos(10_000 * MS), &mut self.seen);
            for id in self.engine.directions() {
                let c = self.engine.counters(id);
                assert_eq!(c.offered.frames, c.delivered.frames + c.dropped.frames(), "{id:?}");
            }
            for id in self.engine.nodes() {
                let c = self.engine.node_counters(id);
                let out = c.sent + c.consumed + c.dropped.frames();
                assert_eq!(c.received + c.originated + c.replicated, out, "{id:?}");
            }
            assert_eq!(self.engine.pool().live(), 0);
            self.seen
        }
    }

    fn sides(sides: &[&[u32]]) -> Command {
        Command::Partition(sides.iter().map(|side| side.iter().copied().map(NodeId).collect()).collect())
    }

    #[test]
    fn a_partition_keeps_sides_apart_and_nobody_else() {
        let mut bench = Bench::new();
        bench.tell(0, sides(&[&[0, 1], &[2]]));
        // to all: the other side does not hear it, one's own and who is on no side do
        bench.send(0, 0, 0xff);
        bench.send(100, 3, 0xff);
        // to one: learnt by then
        bench.send(200, 2, 0);
        bench.send(200, 2, 3);
        bench.send(200, 1, 0);
        bench.tell(300, Command::Heal);
        bench.send(300, 2, 0);
        assert!(bench.engine.isolation.is_none(), "nothing has taken effect yet");
        let seen = bench.end();
        assert_eq!(seen.delivered, [(1, 20), (3, 20), (0, 120), (1, 120), (2, 120), (0, 220), (3, 220), (0, 320)]);
        let place = |link: u32| Place::Direction(LinkId(link).directions()[1]);
        let cause = DropCause::Partition;
        assert_eq!(seen.dropped, [(place(2), cause, 20), (place(0), cause, 220)]);
    }

    #[test]
    fn a_block_is_one_way() {
        let mut bench = Bench::new();
        bench.tell(0, Command::Block(NodeId(0), NodeId(1)));
        bench.send(0, 0, 0xff);
        bench.send(100, 1, 0);
        bench.send(150, 0, 1);
        bench.tell(200, Command::Unblock(NodeId(0), NodeId(1)));
        bench.send(200, 0, 1);
        let seen = bench.end();
        // before port 1 has said anything, what is sent to it goes to all
        assert_eq!(seen.delivered, [(2, 20), (3, 20), (0, 120), (1, 220)]);
        assert_eq!(seen.dropped.len(), 2);
    }

    #[test]
    fn what_comes_to_a_node_that_is_down_ends_there() {
        let mut bench = Bench::new();
        bench.send(0, 0, 0xff);
        bench.tell(5, Command::NodeDown(NodeId(4)));
        bench.send(6, 1, 0xff);
        bench.tell(50, Command::NodeUp(NodeId(4)));
        bench.send(50, 2, 0xff);
        let seen = bench.end();
        assert_eq!(seen.delivered, [(0, 70), (1, 70), (3, 70)]);
        let away = |link: u32| Place::Direction(LinkId(link).directions()[0]);
        assert_eq!(seen.dropped, [(away(1), DropCause::LinkDown, 6), (away(0), DropCause::NodeDown, 10)]);
    }

    #[test]
    fn what_comes_to_a_port_without_an_interface_or_out_of_it_ends_there() {
        let mut bench = Bench::new();
        bench.send(0, 0, 0xff);
        bench.tell(5, Command::PortDown(NodeId(1)));
        bench.tell(5, Command::PortDown(NodeId(1)));
        bench.send(6, 1, 0xff);
        bench.tell(15, Command::Heal);
        bench.send(30, 2, 1);
        bench.tell(60, Command::PortUp(NodeId(1)));
        bench.send(60, 2, 0);
        bench.send(60, 1, 0);
        assert_eq!(bench.engine.apply(Instant::ZERO, Command::PortDown(NodeId(4))), Err(Rejected::NoSuchNode));
        let seen = bench.end();
        assert_eq!(seen.delivered, [(2, 20), (3, 20), (0, 50), (3, 50), (0, 80), (0, 80)]);
        let ways = LinkId(1).directions().map(Place::Direction);
        let cause = DropCause::PortDown;
        assert_eq!(seen.dropped, [(ways[0], cause, 6), (ways[1], cause, 20), (ways[1], cause, 50)]);
    }

    #[test]
    fn a_link_between_nodes_is_up_when_both_are_and_it_is_itself() {
        let mut bench = Bench::new();
        let (node, switch, link) = (NodeId(0), NodeId(4), LinkId(0));
        let mut is_up = |command: Command| {
            bench.tell(0, command);
            bench.engine.advance(Instant::ZERO, &mut bench.seen);
            bench.engine.is_up(link)
        };
        assert!(!is_up(Command::NodeDown(node)));
        assert!(!is_up(Command::NodeDown(switch)));
        assert!(!is_up(Command::NodeUp(node)), "the switch is still down");
        assert!(!is_up(Command::Down(link)));
        assert!(!is_up(Command::NodeUp(switch)), "the link is down by itself");
        assert!(is_up(Command::Up(link)));
        assert!(!is_up(Command::Down(link)));
        assert!(!is_up(Command::NodeDown(node)));
        assert!(!is_up(Command::Up(link)), "noted for later");
        assert!(is_up(Command::NodeUp(node)));
        assert!(is_up(Command::NodeUp(node)), "said again");
        assert!(bench.engine.isolation.is_none());
    }
}

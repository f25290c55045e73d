//! The simulated network: plan, event order, directions, commands, counters. It knows no clock, no OS and no I/O: time
//! comes in as an argument.
//!
//! Inputs (frames and commands) carry their time. Events run at their own model time, in the total order of (time, rank
//! of the direction, sequence within it); at the same instant everything inside the engine happens before the next
//! input. So results depend only on the timed inputs, never on how calls of [`Engine::advance`] slice time, and an engine
//! that is called late is late only towards the outside.

mod command;
mod convergence;
mod counters;
mod direction;
mod events;
mod fields;
mod isolation;
mod line;
mod medium;
mod pipeline;
mod plan;
mod routing;
mod sink;
mod site;
mod spanning;
mod times;

use std::collections::VecDeque;

pub use command::{Command, Rejected};
pub use counters::{Amount, DirectionCounters, Dropped, NodeCounters};
pub use fields::{Change, DirectionSpec, FIELDS};
pub use plan::{LinkPlan, NodeKind, NodePlan, Plan};
pub use routing::routes;
pub use sink::{Fate, FateKind, FrameSink, Place};
pub use spanning::Spanning;
pub use times::TimeStatistics;

use crate::frame::{DropCause, Frame, FramePool};
use crate::model::Only;
use crate::node::router::firewall::{Firewall, RuleCount};
use crate::node::routing::Routes;
use crate::node::{Deed, DhcpCounters, NatCounters, Node};
use crate::rng::Way;
use crate::units::{Duration, Instant};
use convergence::Convergence;
use direction::{Around, Direction};
use events::EventQueue;
use isolation::Isolation;
use medium::Medium;
use pipeline::Streams;
use site::{Site, node_for};
use times::FineLeft;

/// A node, by its position in [`Plan::nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub u32);

/// A link, by its position in [`Plan::links`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u32);

/// One direction of a link. Its rank orders events of the same instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DirectionId(pub u32);

impl LinkId {
    /// The link's directions: from its first end to its second, and back.
    pub const fn directions(self) -> [DirectionId; 2] {
        [DirectionId(self.0 * 2), DirectionId(self.0 * 2 + 1)]
    }
}

impl DirectionId {
    /// One direction of a link.
    pub const fn of(link: LinkId, way: Way) -> DirectionId {
        let [forward, backward] = link.directions();
        match way {
            Way::Forward => forward,
            Way::Backward => backward,
        }
    }

    /// Which way along its link.
    pub const fn way(self) -> Way {
        if self.0.is_multiple_of(2) { Way::Forward } else { Way::Backward }
    }

    /// The other direction of its link.
    pub const fn reverse(self) -> DirectionId {
        DirectionId(self.0 ^ 1)
    }

    /// The link whose direction this is.
    pub const fn link(self) -> LinkId {
        LinkId(self.0 / 2)
    }
}

/// A network at work.
pub struct Engine {
    now: Instant,
    coalesce: Duration,
    pool: FramePool,
    nodes: Vec<Site>,
    /// The directions that lead away from each node, by its ports, node after node.
    ports: Vec<DirectionId>,
    directions: Vec<Direction>,
    events: EventQueue,
    /// Nodes with deadlines of their own, in the order of the plan: the ranks of these follow those of the directions.
    timed: Vec<NodeId>,
    inputs: VecDeque<(Instant, Input)>,
    routes: Routes,
    /// What went down or came up, and switches and routers do not know yet.
    convergence: Convergence,
    /// The tree of the links that switches and hubs take for up.
    spanning: Spanning,
    /// What it blocks, by the ports of [`Engine::ports`].
    blocked: Vec<bool>,
    /// Whether it blocks any.
    any_blocked: bool,
    /// Ports that lead from one switch or hub to another.
    inner: Vec<bool>,
    /// When another tree came into force: what such a port was sent before came by the way of an old one.
    spanned: Option<Instant>,
    /// What is cut off from what, if anything is.
    isolation: Option<Box<Isolation>>,
    /// What a node does in its turn; empty between turns.
    deeds: Vec<Deed>,
    fine: FineLeft,
    /// When the latest input took effect: what was due by then has happened, whatever its rank.
    last_input: Option<Instant>,
    seed: u64,
    /// Names of links, which random streams are named after.
    names: Vec<Box<str>>,
}

/// Comes after every direction, node and convergence at its instant.
const INPUT_TURN: u32 = u32::MAX;

enum Input {
    Frame(NodeId, Frame),
    Commands(Vec<Command>),
}

impl Engine {
    /// Builds the network of a plan.
    ///
    /// # Panics
    /// When a link names a node that is not there, or a port does not have exactly one link: the scenario's checks have
    /// excluded both.
    pub fn new(plan: &Plan) -> Engine {
        let (ports_of, port_ids) = number_ports(plan);
        let mut nodes = nodes_of(plan, ports_of);
        let (ports, directions) = directions_of(plan, &port_ids, &mut nodes);
        // after the directions come the deadlines of nodes that have some, and then convergence
        let timed: Vec<NodeId> =
            (0..).zip(&nodes).filter(|(_, site)| site.node.is_timed()).map(|(id, _)| NodeId(id)).collect();
        let events = EventQueue::new(directions.len() + timed.len() + 1);
        let spanning = plan.spanning();
        let inner = Engine::inner_ports(plan, &spanning, |link, end| {
            nodes[plan.links[link].ends[end]].ports().start + port_ids[link][end] as usize
        });
        let mut engine = Engine {
            now: Instant::ZERO,
            coalesce: plan.coalesce,
            pool: FramePool::default(),
            nodes,
            ports,
            directions,
            events,
            timed,
            inputs: VecDeque::new(),
            routes: routes(plan),
            convergence: Convergence::new(plan.convergence),
            spanning,
            blocked: vec![false; inner.len()],
            any_blocked: false,
            inner,
            spanned: None,
            isolation: None,
            deeds: Vec::new(),
            fine: FineLeft::LIMIT,
            last_input: None,
            seed: plan.seed,
            names: plan.links.iter().map(|link| link.name.as_str().into()).collect(),
        };
        engine.span();
        for (place, id) in engine.timed.iter().enumerate() {
            let deadline = engine.nodes[id.0 as usize].node.deadline();
            engine.events.set((engine.directions.len() + place) as u32, deadline);
        }
        engine
    }

    /// The delay of the link at a port includes the path that its frames took to there ([`FramePool::set_path`]): they wait for what is
    /// left of it, and those with none left are counted as clamped.
    ///
    /// # Panics
    /// When the node is no port.
    pub fn include_path(&mut self, port: NodeId) {
        let site = &self.nodes[port.0 as usize];
        assert!(site.node.is_port(), "frames enter at ports");
        let direction = self.ports[site.ports.0 as usize];
        self.directions[direction.0 as usize].include_path();
    }

    /// Where frames are made: fill one here, then [`Engine::inject`] it.
    pub fn pool(&mut self) -> &mut FramePool {
        &mut self.pool
    }

    /// A frame enters the network at a port. It is carried by the next [`Engine::advance`]. A time before the latest input
    /// or event counts as that one.
    pub fn inject(&mut self, at: Instant, port: NodeId, frame: Frame) {
        self.input(at, Input::Frame(port, frame));
    }

    /// A live change, in order with the frames.
    pub fn apply(&mut self, at: Instant, command: Command) -> Result<(), Rejected> {
        self.apply_all(at, vec![command])
    }

    /// Several live changes at one instant: no frame sees one without the others. On error none takes effect.
    pub fn apply_all(&mut self, at: Instant, commands: Vec<Command>) -> Result<(), Rejected> {
        for command in &commands {
            self.check(command)?;
        }
        self.input(at, Input::Commands(commands));
        Ok(())
    }

    /// Depends on the plan alone, so that a command is refused or not whatever has happened so far.
    fn check(&self, command: &Command) -> Result<(), Rejected> {
        let direction = match command {
            Command::Down(link) | Command::Up(link) => link.directions()[0],
            Command::Set(direction, _) => *direction,
            Command::Node(node, command) => {
                let site = self.nodes.get(node.0 as usize).filter(|site| site.node.takes(*command));
                return site.map(|_| ()).ok_or(Rejected::NoSuchNode);
            }
            Command::NodeDown(node) | Command::NodeUp(node) => {
                return self.nodes.get(node.0 as usize).map(|_| ()).ok_or(Rejected::NoSuchNode);
            }
            Command::Partition(sides) => return self.are_ports(sides.iter().flatten()),
            Command::Block(from, to) | Command::Unblock(from, to) => return self.are_ports([from, to]),
            Command::Carrier(port, _) | Command::PortDown(port) | Command::PortUp(port) => {
                return self.are_ports([port]);
            }
            Command::Heal => return Ok(()),
        };
        self.directions.get(direction.0 as usize).map(|_| ()).ok_or(Rejected::NoSuchLink)
    }

    fn are_ports<'a>(&self, nodes: impl IntoIterator<Item = &'a NodeId>) -> Result<(), Rejected> {
        let is_port = |id: &NodeId| self.nodes.get(id.0 as usize).is_some_and(|site| site.node.is_port());
        if nodes.into_iter().all(is_port) { Ok(()) } else { Err(Rejected::NoSuchNode) }
    }

    fn input(&mut self, at: Instant, input: Input) {
        let at = at.max(self.now).max(self.inputs.back().map_or(Instant::ZERO, |(at, _)| *at));
        self.inputs.push_back((at, input));
    }

    /// When [`Engine::advance`] next has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        let event = self.events.first().map(|(at, _)| at);
        match (event, self.inputs.front()) {
            (Some(event), Some((input, _))) => Some(event.min(*input)),
            (event, input) => event.or(input.map(|(at, _)| *at)),
        }
    }

    /// Runs everything that is due up to and including `now`, each at its own time.
    pub fn advance(&mut self, now: Instant, out: &mut impl FrameSink) {
        loop {
            let (event, rank) = self.events.earliest();
            let input = self.inputs.front().map_or(Instant::MAX, |(at, _)| *at);
            if event <= input && event < Instant::MAX {
                if event > now {
                    break;
                }
                self.step(event, rank, out);
                continue;
            }
            let Some((at, input)) = self.inputs.pop_front_if(|(at, _)| *at <= now) else { break };
            self.now = at;
            self.last_input = Some(at);
            self.take_in(input, out);
        }
        self.now = self.now.max(now);
    }

    #[inline]
    fn step<S: FrameSink>(&mut self, at: Instant, rank: u32, out: &mut S) {
        self.now = at;
        if rank as usize >= self.directions.len() {
            return self.late_step(rank, out);
        }
        let (direction, mut around) = self.direction(DirectionId(rank), rank, out);
        let leaving = direction.step(&mut around);
        let (next, (node, port)) = (direction.next_event(around.coalesce), direction.far_end);
        let own = direction.medium.is_own();
        self.schedule(DirectionId(rank), next);
        if !own {
            self.settle(DirectionId(rank).link(), rank, out);
        }
        if let Some(frame) = leaving {
            self.arrive(node, port, frame, rank, out);
        }
    }

    /// The turn of a node's deadline, or of convergence.
    #[cold]
    fn late_step<S: FrameSink>(&mut self, rank: u32, out: &mut S) {
        match rank as usize - self.directions.len() {
            place if place < self.timed.len() => self.work(self.timed[place], rank, out, Node::wake),
            _ => self.converge(out),
        }
    }

    /// Sets the next event of a direction. A run may have waited for a frame that a change took off the wire: it leaves now.
    #[inline]
    fn schedule(&mut self, id: DirectionId, next: Option<Instant>) {
        self.events.set(id.0, next.map(|at| at.max(self.now)));
    }

    /// A direction, and what it needs from around it in the turn of `turn`.
    #[inline]
    fn direction<'a, S>(
        &'a mut self,
        id: DirectionId,
        turn: u32,
        sink: &'a mut S,
    ) -> (&'a mut Direction, Around<'a, S>) {
        let around = Around {
            now: self.now,
            turn,
            after_input: self.last_input == Some(self.now),
            coalesce: self.coalesce,
            fine: &mut self.fine,
            isolation: self.isolation.as_deref(),
            pool: &mut self.pool,
            sink,
        };
        (&mut self.directions[id.0 as usize], around)
    }

    #[inline]
    fn take_in<S: FrameSink>(&mut self, input: Input, out: &mut S) {
        match input {
            Input::Frame(port, frame) => {
                let site = &mut self.nodes[port.0 as usize];
                assert!(site.node.is_port(), "frames enter at ports");
                site.counters.originated += frame.count();
                self.pool.set_origin(&frame, port.0);
                let direction = self.ports[site.ports.0 as usize];
                self.send(port, direction, frame, INPUT_TURN, out);
            }
            Input::Commands(commands) => {
                for command in commands {
                    self.command(&command, out);
                    out.applied(&command, self.now);
                }
            }
        }
    }

    fn command<S: FrameSink>(&mut self, command: &Command, out: &mut S) {
        let (first, second) = match command {
            Command::Set(id, _) => (*id, None),
            Command::Down(link) | Command::Up(link) => {
                if self.is_held_down(*link, matches!(command, Command::Up(_))) {
                    return;
                }
                self.notice(*link, matches!(command, Command::Up(_)));
                (link.directions()[0], Some(link.directions()[1]))
            }
            Command::Node(id, command) => return self.nodes[id.0 as usize].node.command(*command),
            _ => return self.isolate(command, out),
        };
        for id in [Some(first), second].into_iter().flatten() {
            let (seed, position) = (self.seed, id.link().0 as usize);
            let name = std::mem::take(&mut self.names[position]);
            let streams = Streams { seed, link: &name, way: id.way() };
            let (direction, mut around) = self.direction(id, INPUT_TURN, out);
            match command {
                Command::Set(_, change) => direction.set(change, streams, &mut around),
                Command::Down(_) => direction.down(&mut around),
                Command::Up(_) => direction.up(),
                _ => {}
            }
            let (next, mtu) = (direction.next_event(around.coalesce), direction.mtu());
            self.schedule(id, next);
            self.names[position] = name;
            let (node, port) = self.near_end(id);
            self.nodes[node.0 as usize].node.set_mtu(port, mtu);
        }
        if !self.directions[first.0 as usize].medium.is_own() {
            self.settle(first.link(), INPUT_TURN, out);
        }
    }

    #[inline]
    fn send<S: FrameSink>(&mut self, from: NodeId, id: DirectionId, frame: Frame, turn: u32, out: &mut S) {
        self.nodes[from.0 as usize].counters.sent += frame.count();
        let unplugged = self.isolation.is_some() && self.is_unplugged(from);
        let (direction, mut around) = self.direction(id, turn, out);
        if unplugged {
            direction.turn_back(frame, DropCause::PortDown, &mut around);
        } else {
            direction.offer(frame, &mut around);
        }
        let (next, own) = (direction.next_event(around.coalesce), direction.medium.is_own());
        self.schedule(id, next);
        if !own {
            self.settle(id.link(), turn, out);
        }
    }

    /// A direction has done something that concerns the other of its link.
    #[cold]
    fn settle<S: FrameSink>(&mut self, link: LinkId, turn: u32, out: &mut S) {
        let ids = link.directions();
        let [first, second] =
            self.directions.get_disjoint_mut(ids.map(|id| id.0 as usize)).expect("a link has two directions");
        let mut around = Around {
            now: self.now,
            turn,
            after_input: self.last_input == Some(self.now),
            coalesce: self.coalesce,
            fine: &mut self.fine,
            isolation: self.isolation.as_deref(),
            pool: &mut self.pool,
            sink: out,
        };
        first.answer(second, &mut around);
        second.answer(first, &mut around);
        if first.medium.is_shared() {
            medium::share([first, second], &mut around);
        }
        for id in ids {
            let next = self.directions[id.0 as usize].next_event(self.coalesce);
            self.schedule(id, next);
        }
    }

    /// What happened in a direction so far.
    pub fn counters(&self, direction: DirectionId) -> &DirectionCounters {
        &self.directions[direction.0 as usize].counters
    }

    /// What a direction does now.
    pub fn spec(&self, direction: DirectionId) -> DirectionSpec {
        self.directions[direction.0 as usize].spec()
    }

    /// Models of a direction with an `only` that no frame has matched so far: the model's name and the frames it is for.
    pub fn unmatched(&self, direction: DirectionId) -> impl Iterator<Item = (&'static str, &Only)> {
        self.directions[direction.0 as usize].unmatched()
    }

    /// Whether the spanning tree blocks the port at the beginning of a direction now.
    pub fn is_blocked(&self, direction: DirectionId) -> bool {
        let (node, port) = self.near_end(direction);
        self.blocked.get(self.nodes[node.0 as usize].ports().start + port as usize) == Some(&true)
    }

    /// Whether a link is up.
    pub fn is_up(&self, link: LinkId) -> bool {
        self.directions[link.directions()[0].0 as usize].is_up()
    }

    /// Wire frames inside a direction: waiting, on the wire, on their way.
    pub fn inside(&self, direction: DirectionId) -> u64 {
        self.directions[direction.0 as usize].inside()
    }

    /// Wire frames waiting in a direction's queue.
    pub fn waiting(&self, direction: DirectionId) -> u64 {
        self.directions[direction.0 as usize].waiting()
    }

    /// What happened in a node so far.
    pub fn node_counters(&self, node: NodeId) -> &NodeCounters {
        &self.nodes[node.0 as usize].counters
    }

    /// Wire frames that a node holds until it knows where to send them.
    pub fn held(&self, node: NodeId) -> u64 {
        self.nodes[node.0 as usize].node.held()
    }

    /// What a router's address translation has done so far, if it has one.
    pub fn nat_counters(&self, node: NodeId) -> Option<NatCounters> {
        self.nodes[node.0 as usize].node.nat_counters(self.now)
    }

    /// What a router's DHCP servers have done so far, with the names of their interfaces.
    pub fn dhcp(&self, node: NodeId) -> impl Iterator<Item = (&str, DhcpCounters)> {
        self.nodes[node.0 as usize].node.dhcp(self.now)
    }

    /// What a node's firewall decided about, rule by rule; nothing where there is no firewall.
    pub fn firewall(&self, node: NodeId) -> impl Iterator<Item = RuleCount<'_>> {
        self.nodes[node.0 as usize].node.firewall().into_iter().flat_map(Firewall::counts)
    }

    /// All nodes, in the order of the plan.
    pub fn nodes(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// All directions, link by link in the order of the plan.
    pub fn directions(&self) -> impl Iterator<Item = DirectionId> + use<> {
        (0..self.directions.len() as u32).map(DirectionId)
    }
}

/// How many ports each node has, and which of them each link takes at its ends: one by one, in the order of the plan.
fn number_ports(plan: &Plan) -> (Vec<u32>, Vec<[u32; 2]>) {
    let mut ports_of = vec![0u32; plan.nodes.len()];
    let mut take = |end: usize| {
        ports_of[end] += 1;
        ports_of[end] - 1
    };
    let port_ids = plan.links.iter().map(|link| link.ends.map(&mut take)).collect();
    (ports_of, port_ids)
}

/// The nodes of a plan, each with so many ports.
fn nodes_of(plan: &Plan, ports_of: Vec<u32>) -> Vec<Site> {
    let mut first = 0;
    let node = |(id, (plan, ports)): (u32, (&NodePlan, u32))| {
        let one = !matches!(plan.kind, NodeKind::Port) || ports == 1;
        assert!(one, "port {} has {ports} links instead of one", plan.name);
        let site =
            Site { node: node_for(id, &plan.kind, ports), ports: (first, ports), counters: NodeCounters::default() };
        first += ports;
        site
    };
    (0..).zip(plan.nodes.iter().zip(ports_of)).map(node).collect()
}

/// The directions that lead away from each node, by its ports, node after node; and all directions, link by link.
fn directions_of(plan: &Plan, port_ids: &[[u32; 2]], nodes: &mut [Site]) -> (Vec<DirectionId>, Vec<Direction>) {
    let mut ports = vec![DirectionId(u32::MAX); plan.links.len() * 2];
    let mut directions = Vec::with_capacity(plan.links.len() * 2);
    for (n, (link, port)) in plan.links.iter().zip(port_ids).enumerate() {
        let ids = LinkId(u32::try_from(n).expect("fewer than 2^31 links")).directions();
        for (end, way) in [(0, Way::Forward), (1, Way::Backward)] {
            ports[nodes[link.ends[end]].ports().start + port[end] as usize] = ids[end];
            let far_end = (NodeId(link.ends[1 - end] as u32), port[1 - end]);
            let direction = Direction::new(ids[end], far_end, &link.directions[end], plan.seed, &link.name, way);
            nodes[link.ends[end]].node.set_mtu(port[end], direction.mtu());
            directions.push(direction);
        }
        if link.directions.iter().any(|direction| direction.half_duplex) {
            directions.iter_mut().rev().take(2).for_each(|direction| direction.medium = Medium::SHARED);
        }
    }
    (ports, directions)
}

#[cfg(test)]
mod every_event_tests;
#[cfg(test)]
mod medium_tests;
#[cfg(test)]
mod pipeline_tests;
#[cfg(test)]
mod queue_tests;
#[cfg(test)]
mod switch_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod wire_tests;

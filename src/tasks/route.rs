//! Which links a workload's packets cross, by the routes of hosts and routers and by the spanning tree, while all links are up.

use core::net::IpAddr;
use std::collections::VecDeque;

use super::reach::Hosts;
use super::spec::Path;
use crate::addressing::network::PortPlan;
use crate::engine::{DirectionId, LinkId, NodeKind, Plan, Spanning};
use crate::units::{Duration, Rate};

/// When so many nodes and links have been looked at, the rest of the workloads have no route.
const MOST: usize = 30_000_000;

/// The way of a workload's packets and of the answers to them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Directions in the order in which packets cross them.
    pub there: Vec<DirectionId>,
    /// The same for answers.
    pub back: Vec<DirectionId>,
    /// Routers that translate addresses on the way there, as positions in [`Plan::nodes`].
    pub nats: Vec<usize>,
}

/// What a router does to a packet that passes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Passage {
    /// Its position in [`Plan::nodes`].
    pub node: usize,
    /// The interface by which the packet leaves; `None` where it is for the router itself.
    pub out: Option<u32>,
    /// Its source address is another from here on.
    pub translated: bool,
}

impl Route {
    /// The mean delays of a series of directions, added up. Queues and the time on the wire are not in it.
    pub fn delay(directions: &[DirectionId], plan: &Plan) -> Duration {
        directions.iter().fold(Duration::ZERO, |sum, direction| sum + plan.direction(*direction).delay.mean)
    }

    /// The slowest of a series of directions, and its rate; `None` where none has a rate.
    pub fn bottleneck(directions: &[DirectionId], plan: &Plan) -> Option<(DirectionId, Rate)> {
        let rates = directions.iter().filter_map(|at| Some((*at, plan.direction(*at).rate.nominal()?)));
        rates.min_by_key(|(_, rate)| *rate)
    }
}

/// Looks for routes.
pub(crate) struct Finder<'a> {
    hosts: &'a Hosts<'a>,
    plan: &'a Plan,
    ports: &'a [PortPlan],
    spanning: Spanning,
    /// The links of each node, in their order.
    links: Vec<Vec<usize>>,
    /// Of [`MOST`].
    left: usize,
}

impl<'a> Finder<'a> {
    /// Of a plan whose links are all up.
    pub(crate) fn new(hosts: &'a Hosts<'a>, plan: &'a Plan, ports: &'a [PortPlan]) -> Finder<'a> {
        let mut links = vec![Vec::new(); plan.nodes.len()];
        for (at, link) in plan.links.iter().enumerate() {
            link.ends.iter().for_each(|end| links[*end].push(at));
        }
        Finder { hosts, plan, ports, spanning: plan.spanning(), links, left: MOST }
    }

    /// The route of a workload; `None` where it leads to what longwire does not know.
    pub(crate) fn route(&mut self, path: &Path) -> Option<Route> {
        let (there, nats) = self.one_way(path.from, self.hosts.interface_of(path), path.destination)?;
        let back = match (path.to, self.hosts.source_of(path)) {
            (Some(to), Some(source)) if nats.is_empty() && !self.hosts.is_guarded(to, source) => {
                self.one_way(to, None, source)?.0
            }
            // answers through a NAT, and past one that lets in nothing else, come back as the packets went
            _ => there.iter().rev().map(|direction| direction.reverse()).collect(),
        };
        Some(Route { there, back, nats })
    }

    fn one_way(&mut self, host: usize, by: Option<usize>, to: IpAddr) -> Option<(Vec<DirectionId>, Vec<usize>)> {
        let (interface, passages) = self.hosts.passages(host, by, to)?;
        let start = self.ports.iter().find(|port| port.host == host && port.interface == interface)?.node;
        let mut way = Vec::new();
        let (mut node, mut link) = (start, *self.links[start].first()?);
        let mut at_router = false;
        for passage in &passages {
            self.cross(node, link, passage.node, &mut way)?;
            node = passage.node;
            match passage.out {
                Some(out) => link = *self.links[node].get(out as usize)?,
                None => at_router = true,
            }
        }
        if !at_router {
            self.cross(node, link, self.port_of(to)?, &mut way)?;
        }
        let nats = passages.iter().filter(|passage| passage.translated).map(|passage| passage.node).collect();
        Some((way, nats))
    }

    /// The node of the host's interface that has an address.
    fn port_of(&self, address: IpAddr) -> Option<usize> {
        let has = |port: &&PortPlan| {
            let interface = &self.hosts.plans[port.host].interfaces[port.interface];
            interface.addresses.iter().any(|net| net.addr() == address)
        };
        self.ports.iter().find(has).map(|port| port.node)
    }

    /// Adds the directions from a node over one of its links to another node, with only switches, hubs and clouds between.
    fn cross(&mut self, from: usize, link: usize, to: usize, way: &mut Vec<DirectionId>) -> Option<()> {
        self.left = self.left.checked_sub(self.plan.nodes.len() + self.plan.links.len())?;
        let step = |node: usize, link: usize| {
            let end = self.plan.links[link].ends.iter().position(|end| *end == node)?;
            Some((LinkId(link as u32).directions()[end], self.plan.links[link].ends[1 - end]))
        };
        let (first, node) = step(from, link)?;
        let mut came: Vec<Option<(DirectionId, usize)>> = vec![None; self.plan.nodes.len()];
        came[node] = Some((first, from));
        let mut next = VecDeque::from([node]);
        while let Some(node) = next.pop_front() {
            if node == to {
                break;
            }
            if matches!(self.plan.nodes[node].kind, NodeKind::Port | NodeKind::Router(_)) {
                continue;
            }
            for link in self.links[node].iter().filter(|link| !self.spanning.blocked(**link).contains(&true)) {
                let Some((direction, other)) = step(node, *link) else { continue };
                if came[other].is_none() {
                    came[other] = Some((direction, node));
                    next.push_back(other);
                }
            }
        }
        let begun = way.len();
        let mut node = to;
        loop {
            let (direction, before) = came[node]?;
            way.push(direction);
            if direction == first {
                break;
            }
            node = before;
        }
        way[begun..].reverse();
        Some(())
    }
}

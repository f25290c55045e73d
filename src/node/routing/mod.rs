//! Where the network's routers send packets: shortest paths over the links, as of the last convergence.
//!
//! One table of prefixes serves all routers. For each prefix that somebody asks for there is a tree of shortest paths, from
//! all routers towards those that are on its segment. It is computed when it is first asked for, from the state that links
//! had at the last convergence, and so what it says does not depend on when that was. All routers turn to the new trees at
//! one instant, and costs are positive: each hop is closer to the destination than the one before, so no packet goes in a
//! circle, ever.
//!
//! | file | what |
//! |---|---|
//! | [`network`] | what routes are computed from |
//! | `graph` | routers and bridges of one address family, and the ways between them |
//! | `prefixes` | the longest prefix that holds an address, in each part of the network |
//! | `tree` | the shortest paths towards one prefix |

mod graph;
pub mod network;
mod prefixes;
mod tree;

#[cfg(test)]
mod tests;

use core::net::IpAddr;

use ipnet::IpNet;

use graph::{Family, Graph};
pub use network::Network;
use prefixes::{Origin, Prefixes, Source};
use tree::{Next, Trees};

/// Where a router sends a packet next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hop {
    /// The router's port that it leaves by.
    pub port: u32,
    /// The neighbour that takes it on; `None` if the destination itself is on that port's segment.
    pub via: Option<IpAddr>,
}

/// The routes of all routers of a network.
#[derive(Debug, Default)]
pub struct Routes {
    /// The place among [`Network::sites`] of each node that is a router.
    site_of: Vec<Option<u32>>,
    /// The link at each port of each site.
    ports: Vec<Vec<u32>>,
    /// Whether each link was up at the last convergence.
    up: Vec<bool>,
    v4: Table,
    v6: Table,
}

/// The routes of one address family.
#[derive(Debug, Default)]
struct Table {
    graph: Graph,
    prefixes: Prefixes,
    trees: Trees,
}

impl Routes {
    /// The routes of a network whose links are all up.
    pub fn new(network: &Network<'_>) -> Routes {
        let table = |family| {
            let graph = Graph::new(network, family);
            let prefixes = Prefixes::new(network, &graph, family);
            let trees = Trees::new(prefixes.len(), graph.len());
            Table { graph, prefixes, trees }
        };
        Routes {
            site_of: network.sites_of_nodes(),
            ports: network.links_at_ports(),
            up: vec![true; network.links],
            v4: table(Family::V4),
            v6: table(Family::V6),
        }
    }

    /// Where `router` (its node) sends packets to `destination`, with the length of the prefix that says so. `None` if it
    /// has no route, or only its own given one.
    pub fn lookup(&mut self, router: u32, destination: IpAddr) -> Option<(u8, Hop)> {
        let site = (*self.site_of.get(router as usize)?)?;
        match destination {
            IpAddr::V4(address) => self.v4.lookup(site, u128::from(address.to_bits()), &self.up),
            IpAddr::V6(address) => self.v6.lookup(site, address.to_bits(), &self.up),
        }
    }

    /// Whether the link at a router's port carries packets, as far as the network knows: what a router is told of a port
    /// whose link is down, its addresses and given routes, does not count.
    pub fn carries(&self, router: u32, port: u32) -> bool {
        let site = self.site_of.get(router as usize).copied().flatten();
        let link = site.and_then(|site| self.ports[site as usize].get(port as usize));
        link.is_none_or(|link| self.up[*link as usize])
    }

    /// Whether routers take a link for up.
    pub fn is_up(&self, link: u32) -> bool {
        self.up.get(link as usize).copied().unwrap_or(false)
    }

    /// Links went down (`false`) or came up: all routers know.
    pub fn converge(&mut self, changes: impl IntoIterator<Item = (u32, bool)>) {
        let mut changed = false;
        for (link, up) in changes {
            if let Some(there) = self.up.get_mut(link as usize) {
                changed |= std::mem::replace(there, up) != up;
            }
        }
        if changed {
            self.v4.trees.forget();
            self.v6.trees.forget();
        }
    }

    /// Everything that a router knows, in the order in which the plan names prefixes: for people to read, not for packets.
    pub fn of(&mut self, router: u32) -> Vec<(IpNet, Hop)> {
        let Some(site) = self.site_of.get(router as usize).copied().flatten() else { return Vec::new() };
        let mut all = Vec::new();
        for table in [&mut self.v4, &mut self.v6] {
            for prefix in 0..table.prefixes.len() as u32 {
                let (net, area) = table.prefixes.at(prefix);
                let vertices = table.graph.vertices(site);
                let here = vertices.into_iter().flatten().find(|vertex| table.graph.area(*vertex) == area);
                let hop = here.and_then(|vertex| table.hop(prefix, vertex, &self.up));
                all.extend(hop.map(|hop| (net, hop)));
            }
        }
        all
    }
}

impl Table {
    /// A router that translates addresses is in two parts of the network. What it knows inside comes first, then what it
    /// knows outside, and then where either part sends what it does not know.
    fn lookup(&mut self, site: u32, address: u128, up: &[bool]) -> Option<(u8, Hop)> {
        let mut default = None;
        for vertex in self.graph.vertices(site).into_iter().flatten() {
            let area = self.graph.area(vertex);
            for level in 0..self.prefixes.levels() {
                let Some((prefix, length)) = self.prefixes.find(area, level, address) else { continue };
                let Some(hop) = self.hop(prefix, vertex, up) else { continue };
                if length > 0 {
                    return Some((length, hop));
                }
                default = default.or(Some((0, hop)));
            }
        }
        default
    }

    fn hop(&mut self, prefix: u32, vertex: u32, up: &[bool]) -> Option<Hop> {
        let sources = self.prefixes.sources(prefix);
        let tree = self.trees.get(prefix, &self.graph, sources, up);
        match tree.next(vertex) {
            Next::None => None,
            Next::Here => {
                let first = sources.partition_point(|source| source.vertex < vertex);
                let own = sources[first..].iter().take_while(|source| source.vertex == vertex);
                own.filter(|source| source.is_up(up)).find_map(Source::hop)
            }
            Next::Edge(edge) => {
                let port = self.graph.edge(edge).port;
                let mut edge = self.graph.edge(edge);
                // bridges only pass it on
                while edge.via.is_none() {
                    let Next::Edge(next) = tree.next(edge.to) else { return None };
                    edge = self.graph.edge(next);
                }
                Some(Hop { port, via: edge.via })
            }
        }
    }
}

impl Source {
    /// Where the router itself sends packets, if that is this table's to say.
    fn hop(&self) -> Option<Hop> {
        match self.origin {
            Origin::Attached { port } => Some(Hop { port, via: None }),
            Origin::Given | Origin::Border => None,
        }
    }
}

//! Routers and bridges of one address family, and the ways between them.

use core::net::IpAddr;

use super::network::{Network, Site, Wire};
use crate::node::router::RouterInterface;

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn has(self, address: IpAddr) -> bool {
        address.is_ipv4() == (self == Family::V4)
    }

    pub(super) const fn bits(self) -> u8 {
        match self {
            Family::V4 => 32,
            Family::V6 => 128,
        }
    }
}

/// A way from one vertex to the next, over one link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    pub(super) from: u32,
    pub(super) to: u32,
    /// At least 1.
    pub(super) cost: u64,
    pub(super) link: u32,
    /// The port at `from`.
    pub(super) port: u32,
    /// The address at `to`, if that is a router.
    pub(super) via: Option<IpAddr>,
}

/// Vertices are routers and bridges. A router that translates IPv4 addresses is two of them, its inside and its outside,
/// without a way between. A region of a cloud is two as well: what came from outside of the cloud, and what came from
/// another region, for which there is no way to a further one.
#[derive(Debug, Default)]
pub(super) struct Graph {
    /// The vertices of each site.
    of_sites: Vec<[Option<u32>; 2]>,
    /// Vertices between which there are ways have the same number.
    areas: Vec<u32>,
    /// In the order of wires, so that the lower of two is preferred.
    edges: Vec<Edge>,
    /// The edges that lead to each vertex: where they begin in `incoming`.
    first_incoming: Vec<u32>,
    incoming: Vec<u32>,
}

impl Graph {
    pub(super) fn new(network: &Network<'_>, family: Family) -> Graph {
        let mut of_sites = Vec::with_capacity(network.sites.len());
        let mut count = 0;
        let mut vertex = || {
            count += 1;
            Some(count - 1)
        };
        for site in &network.sites {
            of_sites.push(match site {
                Site::Router { plan, .. } if plan.border.is_some() && family == Family::V4 => [vertex(), vertex()],
                Site::Region { .. } => [vertex(), vertex()],
                Site::Router { .. } | Site::Bridge => [vertex(), None],
                Site::Host => [None, None],
            });
        }
        let mut graph = Graph { of_sites, areas: (0..count).collect(), ..Graph::default() };
        graph.add_edges(network, family);
        graph.index();
        graph
    }

    fn add_edges(&mut self, network: &Network<'_>, family: Family) {
        let address = |interface: &RouterInterface| {
            let usable = |address: &IpAddr| family.has(*address) && !is_link_local(*address);
            interface.addresses.iter().map(ipnet::IpNet::addr).find(usable)
        };
        for wire in &network.wires {
            // the vertex at each end, and its address there
            let ends = wire.ends.map(|(site, port)| match network.sites[site as usize] {
                Site::Host => None,
                Site::Bridge | Site::Region { .. } => Some((self.of_sites[site as usize][0]?, None)),
                Site::Router { plan, .. } => {
                    Some((self.vertex(network, site, port)?, Some(address(plan.interfaces.get(port as usize)?)?)))
                }
            });
            let [Some(a), Some(b)] = ends else { continue };
            let sites = wire.ends.map(|(site, _)| &network.sites[site as usize]);
            if let [Site::Region { cloud }, Site::Region { cloud: other }] = sites
                && cloud == other
            {
                self.add_path(wire, [a.0, b.0]);
                continue;
            }
            for (from, to, port, cost) in [(a, b, wire.ends[0].1, wire.costs[0]), (b, a, wire.ends[1].1, wire.costs[1])]
            {
                let cost = cost.max(1);
                self.edges.push(Edge { from: from.0, to: to.0, cost, link: wire.link, port, via: to.1 });
            }
            self.join(a.0, b.0);
            for ((site, port), region, (to, via), cost) in
                [(wire.ends[0], a.0, b, wire.costs[0]), (wire.ends[1], b.0, a, wire.costs[1])]
            {
                // what came from another region leaves the cloud here too
                if let (Site::Region { .. }, [_, Some(from)]) =
                    (&network.sites[site as usize], self.of_sites[site as usize])
                {
                    self.edges.push(Edge { from, to, cost: cost.max(1), link: wire.link, port, via });
                    self.join(from, region);
                }
            }
        }
    }

    /// The path between two regions of a cloud, which only what came from outside may take; given as the vertices for that.
    fn add_path(&mut self, wire: &Wire, outside: [u32; 2]) {
        for (from, to) in [(0, 1), (1, 0)] {
            let (cost, port) = (wire.costs[from].max(1), wire.ends[from].1);
            // the vertex for what came from a region stands next to the other
            let edge = Edge { from: outside[from], to: outside[to] + 1, cost, link: wire.link, port, via: None };
            self.edges.push(edge);
        }
        self.join(outside[0], outside[1]);
    }

    fn root(&mut self, mut at: u32) -> u32 {
        while self.areas[at as usize] != at {
            self.areas[at as usize] = self.areas[self.areas[at as usize] as usize];
            at = self.areas[at as usize];
        }
        at
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.areas[a.max(b) as usize] = a.min(b);
    }

    fn index(&mut self) {
        for vertex in 0..self.areas.len() as u32 {
            self.areas[vertex as usize] = self.root(vertex);
        }
        self.incoming = (0..self.edges.len() as u32).collect();
        let edges = &self.edges;
        self.incoming.sort_by_key(|edge| edges[*edge as usize].to); // stable: the order of wires remains
        self.first_incoming = vec![0; self.areas.len() + 1];
        for edge in &self.edges {
            self.first_incoming[edge.to as usize + 1] += 1;
        }
        for vertex in 0..self.areas.len() {
            self.first_incoming[vertex + 1] += self.first_incoming[vertex];
        }
    }

    /// The vertex of a router at one of its ports.
    pub(super) fn vertex(&self, network: &Network<'_>, site: u32, port: u32) -> Option<u32> {
        let [inside, outside] = self.of_sites[site as usize];
        match network.sites[site as usize] {
            Site::Router { plan, .. } if plan.border == Some(port) => outside.or(inside),
            _ => inside,
        }
    }

    /// How many vertices there are.
    pub(super) fn len(&self) -> usize {
        self.areas.len()
    }

    /// The vertices of a site; of a router that translates addresses its inside first.
    pub(super) fn vertices(&self, site: u32) -> [Option<u32>; 2] {
        self.of_sites[site as usize]
    }

    /// The part of the network that a vertex is in.
    pub(super) fn area(&self, vertex: u32) -> u32 {
        self.areas[vertex as usize]
    }

    pub(super) fn edge(&self, edge: u32) -> &Edge {
        &self.edges[edge as usize]
    }

    /// The edges that lead to a vertex.
    pub(super) fn incoming(&self, vertex: u32) -> &[u32] {
        let [first, end] = [0, 1].map(|next| self.first_incoming[vertex as usize + next] as usize);
        &self.incoming[first..end]
    }
}

/// Good on its own segment only (fe80::/10, 169.254.0.0/16).
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

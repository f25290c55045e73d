//! The longest prefix that holds an address, in each part of the network.

use core::net::IpAddr;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use ipnet::IpNet;
use xxhash_rust::xxh3::Xxh3Default;

use super::graph::{Family, Graph, is_link_local};
use super::network::{Network, Site};

/// A router that packets for a prefix are brought to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    /// The router's vertex.
    pub(super) vertex: u32,
    /// The link that it needs for that.
    link: u32,
    pub(super) origin: Origin,
}

/// What a router does with packets for a prefix that are brought to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// The prefix is that of a segment at this port of it.
    Attached { port: u32 },
    /// It was given a route that leaves the network.
    Given,
    /// It translates addresses, and sends everything else outside.
    Border,
}

impl Source {
    /// Whether the link that it needs is up.
    pub(super) fn is_up(&self, up: &[bool]) -> bool {
        up[self.link as usize]
    }
}

/// All prefixes of all parts of the network, numbered in the order in which the network names them.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    all: Vec<Prefix>,
    /// The lengths that there are, longest first.
    lengths: Vec<u8>,
    bits: u8,
    /// Looked up only, never walked: its order is not defined.
    found: HashMap<(u32, u8, u128), u32, BuildHasherDefault<Xxh3Default>>,
}

#[derive(Debug)]
struct Prefix {
    net: IpNet,
    area: u32,
    /// By vertex.
    sources: Vec<Source>,
}

impl Prefixes {
    pub(super) fn new(network: &Network<'_>, graph: &Graph, family: Family) -> Prefixes {
        let mut prefixes = Prefixes { bits: family.bits(), ..Prefixes::default() };
        let links = network.links_at_ports();
        let wires_at = network.wires_at_sites();
        for (at, site) in network.sites.iter().enumerate() {
            let Site::Router { plan, .. } = site else { continue };
            let site = at as u32;
            for (port, interface) in plan.interfaces.iter().enumerate() {
                let Some(vertex) = graph.vertex(network, site, port as u32) else { continue };
                let nets =
                    interface.addresses.iter().filter(|net| family.has(net.addr()) && !is_link_local(net.addr()));
                let link = links[at][port];
                for net in nets {
                    prefixes.add(graph, *net, Source { vertex, link, origin: Origin::Attached { port: port as u32 } });
                }
            }
            for route in plan.routes.iter().filter(|route| family.has(route.to.addr())) {
                let leaves = route.via.is_none_or(|via| !network.is_router(&wires_at, site, route.port, via));
                let vertex = graph.vertex(network, site, route.port);
                if let (true, Some(vertex), Some(link)) = (leaves, vertex, links[at].get(route.port as usize)) {
                    prefixes.add(graph, route.to, Source { vertex, link: *link, origin: Origin::Given });
                }
            }
            if let ([Some(inside), Some(_)], Some(border)) = (graph.vertices(site), plan.border)
                && let Some(link) = links[at].get(border as usize)
            {
                let any = IpNet::new(IpAddr::V4([0; 4].into()), 0).expect("0 is a prefix");
                prefixes.add(graph, any, Source { vertex: inside, link: *link, origin: Origin::Border });
            }
        }
        for prefix in &mut prefixes.all {
            prefix.sources.sort_by_key(|source| source.vertex); // stable: ports stay in their order
        }
        prefixes.lengths.sort_unstable_by(|a, b| b.cmp(a));
        prefixes
    }

    fn add(&mut self, graph: &Graph, net: IpNet, source: Source) {
        let (net, area) = (net.trunc(), graph.area(source.vertex));
        let length = net.prefix_len();
        let number = *self.found.entry((area, length, number(net.network()))).or_insert(self.all.len() as u32);
        if number as usize == self.all.len() {
            self.all.push(Prefix { net, area, sources: Vec::new() });
        }
        self.all[number as usize].sources.push(source);
        if !self.lengths.contains(&length) {
            self.lengths.push(length);
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// How many lengths there are.
    pub(super) fn levels(&self) -> usize {
        self.lengths.len()
    }

    /// The prefix of a part of the network that holds an address and has the `level`-th longest length, with that length.
    pub(super) fn find(&self, area: u32, level: usize, address: u128) -> Option<(u32, u8)> {
        let length = self.lengths[level];
        let host = u32::from(self.bits - length);
        let network = address.checked_shr(host).map_or(0, |high| high << host);
        self.found.get(&(area, length, network)).map(|prefix| (*prefix, length))
    }

    /// A prefix, and the part of the network that it is in.
    pub(super) fn at(&self, prefix: u32) -> (IpNet, u32) {
        let Prefix { net, area, .. } = &self.all[prefix as usize];
        (*net, *area)
    }

    /// The routers that packets for a prefix are brought to, by vertex.
    pub(super) fn sources(&self, prefix: u32) -> &[Source] {
        &self.all[prefix as usize].sources
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    }
}

//! What routes are computed from: routers, the switches and hubs between them, and the cost of each link.

use core::net::IpAddr;

use crate::node::router::RouterPlan;
use crate::units::Duration;

/// A network as far as routers see it: hosts are not part of it.
#[derive(Clone, Debug, Default)]
pub struct Network<'a> {
    /// Routers and bridges.
    pub sites: Vec<Site<'a>>,
    /// What joins them, in the order in which equal ways are preferred.
    pub wires: Vec<Wire>,
    /// How many links there are; wires name them from 0.
    pub links: usize,
}

/// A node of the network.
#[derive(Clone, Copy, Debug)]
pub enum Site<'a> {
    /// A router.
    Router {
        /// Its node, under which it asks for routes.
        node: u32,
        /// What it is built from.
        plan: &'a RouterPlan,
    },
    /// What joins its wires into one segment: a switch, or the part of it that is one VLAN, or a hub.
    Bridge,
    /// A region of a cloud. What came from another region of the same cloud goes to no further one.
    Region {
        /// Which cloud.
        cloud: u32,
    },
    /// A host: no way leads through it.
    Host,
}

/// A link, or one VLAN of it, between two sites.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    /// The link.
    pub link: u32,
    /// The sites that it joins, as positions in [`Network::sites`], with the ports there.
    pub ends: [(u32, u32); 2],
    /// What it costs from the first end to the second, and back: [`cost`].
    pub costs: [u64; 2],
}

/// The longest delay that counts: longer ones cost as much. Sums over a million links stay below 2⁶⁴.
const MOST: u64 = 1 << 42;

/// What a link costs whose delay is `delay` on average: nanoseconds, and one more, so that of ways with the same delay the
/// one with fewer links is shorter. Delays above 73 minutes count as 73 minutes.
pub fn cost(delay: Duration) -> u64 {
    delay.as_nanos().min(MOST) + 1
}

impl Network<'_> {
    /// The site of each node that is a router.
    pub(super) fn sites_of_nodes(&self) -> Vec<Option<u32>> {
        let mut sites = Vec::new();
        for (at, site) in self.sites.iter().enumerate() {
            if let Site::Router { node, .. } = site {
                sites.resize(sites.len().max(*node as usize + 1), None);
                sites[*node as usize] = Some(at as u32);
            }
        }
        sites
    }

    /// The link at each port of each router.
    pub(super) fn links_at_ports(&self) -> Vec<Vec<u32>> {
        let ports = |site: &Site<'_>| match site {
            Site::Router { plan, .. } => vec![0; plan.interfaces.len()],
            Site::Bridge | Site::Region { .. } | Site::Host => Vec::new(),
        };
        let mut links: Vec<Vec<u32>> = self.sites.iter().map(ports).collect();
        for wire in &self.wires {
            for (site, port) in wire.ends {
                if let Some(there) = links[site as usize].get_mut(port as usize) {
                    *there = wire.link;
                }
            }
        }
        links
    }

    /// Whether a gateway that a router was given is a router too: then the way goes on from there, and not out of the
    /// network.
    pub(super) fn is_router(&self, wires_at: &[Vec<u32>], site: u32, port: u32, via: IpAddr) -> bool {
        let is_own = |site: u32, port: u32| match self.sites[site as usize] {
            Site::Router { plan, .. } => plan.interfaces.get(port as usize).is_some_and(|interface| {
                interface.mac.link_local() == via || interface.addresses.iter().any(|net| net.addr() == via)
            }),
            Site::Bridge | Site::Region { .. } | Site::Host => false,
        };
        let mut seen = vec![site];
        let mut at = 0;
        while let Some(&here) = seen.get(at) {
            at += 1;
            for wire in wires_at[here as usize].iter().map(|wire| &self.wires[*wire as usize]) {
                let [mine, other] = if wire.ends[0].0 == here { wire.ends } else { [wire.ends[1], wire.ends[0]] };
                if here == site && mine.1 != port {
                    continue;
                }
                if is_own(other.0, other.1) {
                    return true;
                }
                if matches!(self.sites[other.0 as usize], Site::Bridge | Site::Region { .. })
                    && !seen.contains(&other.0)
                {
                    seen.push(other.0);
                }
            }
        }
        false
    }

    /// The wires at each site, by their positions.
    pub(super) fn wires_at_sites(&self) -> Vec<Vec<u32>> {
        let mut wires = vec![Vec::new(); self.sites.len()];
        for (at, wire) in self.wires.iter().enumerate() {
            for (site, _) in wire.ends {
                wires[site as usize].push(at as u32);
            }
        }
        wires
    }
}

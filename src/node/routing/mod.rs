//! Where the network's routers send packets: shortest paths over the links, as of the last convergence.

use core::net::IpAddr;

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
pub struct Routes {}

impl Routes {
    /// Where `router` (its node) sends packets to `destination`, with the length of the prefix that says so.
    pub fn lookup(&mut self, router: u32, destination: IpAddr) -> Option<(u8, Hop)> {
        let _ = (router, destination);
        None
    }
}

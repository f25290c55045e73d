//! What a router gives to machines that longwire does not make, interface by interface.

use super::advertise::Advertiser;
use super::dhcp::{DhcpCounters, Server};
use super::plan::RouterPlan;
use crate::units::Instant;

/// All that a router serves. Empty in most.
#[derive(Debug, Default)]
pub(super) struct Serving {
    /// In the order of their ports.
    pub(super) servers: Vec<Server>,
    /// In the order of their ports.
    pub(super) advertisers: Vec<Advertiser>,
    /// When one of them next wants to be woken.
    next: Option<Instant>,
}

impl Serving {
    pub(super) fn new(plan: &RouterPlan) -> Serving {
        let mut servers: Vec<Server> = plan.dhcp.iter().map(Server::new).collect();
        servers.sort_by_key(Server::port);
        let mut advertisers: Vec<Advertiser> = plan.advertises.iter().map(Advertiser::new).collect();
        advertisers.sort_by_key(Advertiser::port);
        let mut serving = Serving { servers, advertisers, next: None };
        serving.settle();
        serving
    }

    /// The position of the server at a port.
    pub(super) fn server_at(&self, port: u32) -> Option<usize> {
        self.servers.binary_search_by_key(&port, Server::port).ok()
    }

    /// A machine at a port asks for an advertisement. False if there is none.
    pub(super) fn solicited(&mut self, now: Instant, port: u32) -> bool {
        let Ok(at) = self.advertisers.binary_search_by_key(&port, Advertiser::port) else { return false };
        self.advertisers[at].solicited(now);
        self.settle();
        true
    }

    /// Something has changed: finds the next deadline.
    pub(super) fn settle(&mut self) {
        let servers = self.servers.iter().filter_map(Server::deadline);
        self.next = servers.chain(self.advertisers.iter().map(Advertiser::deadline)).min();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// What each server has done, with the name of its interface.
    pub(super) fn dhcp(&self, now: Instant) -> impl Iterator<Item = (&str, DhcpCounters)> {
        self.servers.iter().map(move |server| (server.interface(), server.counters(now)))
    }
}

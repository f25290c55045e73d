//! What a router is built from.

use core::net::IpAddr;

use ipnet::IpNet;

use super::advertise::AdvertPlan;
use super::dhcp::DhcpPlan;
use super::firewall::FirewallPlan;
use super::nat::NatSpec;
use crate::rng::StreamKey;
use crate::wire::ethernet::MacAddr;

/// A router: its interfaces, in the order of its links, and the routes that it was given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RouterPlan {
    /// One for each link.
    pub interfaces: Vec<RouterInterface>,
    /// Routes beside those that its addresses imply and those that are computed.
    pub routes: Vec<RouterRoute>,
    /// Its firewall, if it has one.
    pub firewall: Option<FirewallPlan>,
    /// The port where the network's IPv4 addresses begin to be others, if the router translates them: what lies behind its
    /// other ports is not known out there, and they send what they do not know to it.
    pub border: Option<u32>,
    /// The translation at that port.
    pub nat: Option<NatPlan>,
    /// What it leases by DHCP, at most once an interface.
    pub dhcp: Vec<DhcpPlan>,
    /// What it advertises, at most once an interface.
    pub advertises: Vec<AdvertPlan>,
}

/// A router's address translation.
#[derive(Clone, Debug, PartialEq)]
pub struct NatPlan {
    /// What it does.
    pub spec: NatSpec,
    /// The port toward the outside: a position in [`RouterPlan::interfaces`]. The IPv4 addresses there are the outside ones.
    pub port: u32,
    /// What random ports are drawn from.
    pub random: StreamKey,
}

/// One interface of a router.
#[derive(Clone, Debug, PartialEq)]
pub struct RouterInterface {
    /// Its name, which rules and messages use.
    pub name: String,
    /// Its MAC address.
    pub mac: MacAddr,
    /// Its addresses with their prefix lengths. The IPv6 link-local one follows from the MAC address and is not among them.
    pub addresses: Vec<IpNet>,
    /// Neighbours on its segment whose MAC addresses are known for good. Others it asks for by ARP and ND.
    pub neighbours: Vec<(IpAddr, MacAddr)>,
}

/// A route that a router was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouterRoute {
    /// The destination; `0.0.0.0/0` and `::/0` are default routes.
    pub to: IpNet,
    /// The gateway, a neighbour; `None` for a network straight on the interface.
    pub via: Option<IpAddr>,
    /// The port that it leaves by: a position in [`RouterPlan::interfaces`].
    pub port: u32,
}

//! What a host's kernel is told over netlink: MAC, MTU, ring, addresses, routes, rules, neighbours.

use core::net::{IpAddr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope};
use netlink_packet_route::link::{AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, LinkFlags, LinkMessage};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};
use netlink_packet_route::neighbour_table::{NeighbourTableAttribute, NeighbourTableMessage, NeighbourTableParameter};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteProtocol, RouteScope, RouteType};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::sys::socket::{self, SockFlag, SockType, socket};
use serde::{Deserialize, Serialize};

use super::error::HostError;
use super::netlink::{Batch, Netlink};
use crate::addressing::neighbour_table::Neighbour;
use crate::addressing::network::{HostPlan, InterfacePlan, RoutePlan};
use crate::port::tap::QUEUE_LENGTH;

/// Smallest MTU over which Linux speaks IPv6 (RFC 8200 §5).
pub(crate) const IPV6_MIN_MTU: u32 = 1_280;

/// First priority of the source rules: after `local` (0), before `main` (32,766).
const RULE_PRIORITY: u32 = 1_000;

/// What an interface has counted, as `ip -s link` shows it inside the host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceStatistics {
    /// Frames that the host received from the engine; a super-frame counts once.
    pub rx_packets: u64,
    /// Bytes that the host received.
    pub rx_bytes: u64,
    /// Frames that the host sent and the ring took; a super-frame counts once.
    pub tx_packets: u64,
    /// Bytes that the host sent.
    pub tx_bytes: u64,
    /// Frames that the host sent and the TAP's ring dropped, since it was full.
    pub tx_dropped: u64,
}

impl InterfaceStatistics {
    /// What has been counted since then. An interface that existed has counted before, and a persistent TAP that nobody
    /// reads drops all that its host sends.
    pub fn since(self, before: InterfaceStatistics) -> InterfaceStatistics {
        InterfaceStatistics {
            rx_packets: self.rx_packets.saturating_sub(before.rx_packets),
            rx_bytes: self.rx_bytes.saturating_sub(before.rx_bytes),
            tx_packets: self.tx_packets.saturating_sub(before.tx_packets),
            tx_bytes: self.tx_bytes.saturating_sub(before.tx_bytes),
            tx_dropped: self.tx_dropped.saturating_sub(before.tx_dropped),
        }
    }
}

/// Index of an interface in the network namespace that this thread is in; `None` where it has none of that name.
pub(crate) fn interface_index(name: &str) -> Result<Option<u32>, HostError> {
    if let Ok(index) = nix::net::if_::if_nametoindex(name) {
        return Ok(Some(index));
    }
    // The C library asks through a socket, and hides why it got none.
    let socket = socket(socket::AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None);
    socket.map(|_| None).map_err(|error| HostError::os(format!("look for the interface `{name}`"), error))
}

/// Sets up a whole host in the network namespace that this thread is in. The TAPs exist; returns their indices.
pub(crate) fn host(netlink: &mut Netlink, plan: &HostPlan, ipv6: bool) -> Result<Vec<u32>, HostError> {
    let mut indices = Vec::with_capacity(plan.interfaces.len());
    let mut batch = Batch::default();
    batch.push(up(1), 0, "bring `lo` up");
    for interface in &plan.interfaces {
        let index = interface_index(&interface.name)?
            .ok_or_else(|| HostError::lacking(format!("find `{}`", interface.name), "it vanished as soon as made"))?;
        indices.push(index);
        link(&mut batch, interface, index, ipv6, true);
    }
    for interface in plan.interfaces.iter().zip(&indices) {
        addresses(&mut batch, interface.0, *interface.1, ipv6, true)?;
    }
    for route in &plan.routes {
        let index = match &route.interface {
            None => None,
            Some(name) => {
                let at = plan.interfaces.iter().position(|interface| interface.name == *name);
                Some(at.map(|at| indices[at]).ok_or_else(|| {
                    HostError::input(
                        format!("add the route to {}", route.to),
                        format!("there is no interface `{name}`"),
                    )
                })?)
            }
        };
        add_route(&mut batch, route, index);
    }
    for (at, (address, table)) in plan.rules.iter().enumerate() {
        add_rule(&mut batch, *address, *table, RULE_PRIORITY.saturating_add(at as u32));
    }
    netlink.execute(batch)?;
    Ok(indices)
}

/// In what kind of namespace an interface is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Family {
    /// Its kernel speaks IPv6.
    pub(crate) ipv6: bool,
    /// longwire made it; in others it sets up what the plan names, nothing more.
    pub(crate) own: bool,
}

/// Sets up one interface. What is refused keeps nothing else away; the first refusal is the error.
pub(crate) fn interface(
    netlink: &mut Netlink,
    plan: &InterfacePlan,
    routes: &[RoutePlan],
    index: u32,
    Family { ipv6, own }: Family,
) -> Result<(), HostError> {
    let mut batch = Batch::default();
    link(&mut batch, plan, index, ipv6, own);
    addresses(&mut batch, plan, index, ipv6, own)?;
    for route in routes {
        add_route(&mut batch, route, Some(index));
    }
    netlink.execute(batch)
}

/// Sets routes over an interface, whether they are there already or not.
pub(crate) fn replace_routes(netlink: &mut Netlink, routes: &[RoutePlan], index: u32) -> Result<(), HostError> {
    let mut batch = Batch::default();
    for route in routes {
        let flags = NLM_F_CREATE | NLM_F_REPLACE;
        batch.push(route_message(route, Some(index)), flags, format!("set the route to {}", route.to));
    }
    netlink.execute(batch)
}

/// The MAC address of an interface.
pub(crate) fn mac(netlink: &mut Netlink, index: u32) -> Result<Option<Vec<u8>>, HostError> {
    let link = netlink.link(index)?;
    Ok(link.attributes.into_iter().find_map(|a| if let LinkAttribute::Address(mac) = a { Some(mac) } else { None }))
}

/// The kernel's main routing table (RT_TABLE_MAIN).
pub(crate) const MAIN_TABLE: u32 = 254;

/// The metric of an IPv6 route that was given none (IP6_RT_PRIO_USER).
const IPV6_METRIC: u32 = 1_024;

/// Replaces the default route of the main table, in the family of this gateway, by one over an interface. There is no moment
/// without one: the kernel swaps the route in place (`ip route replace`). Returns the request that puts the old one back, or
/// takes the new one away if there was none.
pub(crate) fn move_default(netlink: &mut Netlink, index: u32, via: IpAddr) -> Result<Vec<u8>, HostError> {
    let route = default_route(via);
    let routes = netlink.routes(family(via))?;
    let back = match routes.into_iter().find(is_replaced) {
        Some(old) => netlink.request(RouteNetlinkMessage::NewRoute(old), NLM_F_CREATE | NLM_F_REPLACE),
        None => {
            let RouteNetlinkMessage::NewRoute(new) = route_message(&route, Some(index)) else { return Ok(Vec::new()) };
            netlink.request(RouteNetlinkMessage::DelRoute(new), 0)
        }
    };
    let mut batch = Batch::default();
    let flags = NLM_F_CREATE | NLM_F_REPLACE;
    batch.push(route_message(&route, Some(index)), flags, format!("route everything by {via}"));
    netlink.execute(batch)?;
    Ok(back)
}

/// Whether a default route is the one that a new one without a metric replaces.
fn is_replaced(route: &RouteMessage) -> bool {
    let (mut table, mut metric) = (u32::from(route.header.table), 0);
    for attribute in &route.attributes {
        match attribute {
            RouteAttribute::Table(number) => table = *number,
            RouteAttribute::Priority(number) => metric = *number,
            _ => {}
        }
    }
    let usual = if route.header.address_family == AddressFamily::Inet6 { IPV6_METRIC } else { 0 };
    let default = route.header.destination_prefix_length == 0 && route.header.kind == RouteType::Unicast;
    default && table == MAIN_TABLE && metric == usual
}

/// The default route of the main table by a gateway.
pub(crate) fn default_route(via: IpAddr) -> RoutePlan {
    let to = if via.is_ipv4() { IpNet::V4(Ipv4Net::default()) } else { IpNet::V6(Ipv6Net::default()) };
    RoutePlan { to, via: Some(via), interface: None, table: MAIN_TABLE }
}

/// The route that the kernel tells of, and the interface that it leaves by, if it is of a kind that plans have.
pub(crate) fn told_route(message: &RouteMessage) -> Option<(RoutePlan, u32)> {
    let v4 = message.header.address_family == AddressFamily::Inet;
    let mut to = if v4 { IpAddr::V4([0; 4].into()) } else { IpAddr::V6([0; 16].into()) };
    let (mut via, mut index, mut table) = (None, None, u32::from(message.header.table));
    let address = |address: &RouteAddress| match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    };
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(destination) => to = address(destination)?,
            RouteAttribute::Gateway(gateway) => via = address(gateway),
            RouteAttribute::Oif(oif) => index = Some(*oif),
            RouteAttribute::Table(number) => table = *number,
            _ => {}
        }
    }
    let to = IpNet::new(to, message.header.destination_prefix_length).ok()?;
    Some((RoutePlan { to, via, interface: None, table }, index?))
}

/// Reads an interface's counters.
pub(crate) fn statistics(netlink: &mut Netlink, index: u32) -> Result<InterfaceStatistics, HostError> {
    let link = netlink.link(index)?;
    let stats = link.attributes.iter().find_map(|a| if let LinkAttribute::Stats64(s) = a { Some(s) } else { None });
    let stats =
        stats.ok_or_else(|| HostError::lacking("read an interface's counters", "the kernel did not send any"))?;
    Ok(InterfaceStatistics {
        rx_packets: stats.rx_packets,
        rx_bytes: stats.rx_bytes,
        tx_packets: stats.tx_packets,
        tx_bytes: stats.tx_bytes,
        tx_dropped: stats.tx_dropped,
    })
}

/// The link-local address that goes with a MAC address (RFC 4291 §2.5.6 and appendix A: modified EUI-64).
pub fn link_local(mac: [u8; 6]) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac;
    let word = |high: u8, low: u8| u16::from_be_bytes([high, low]);
    Ipv6Addr::new(0xfe80, 0, 0, 0, word(a ^ 2, b), word(c, 0xff), word(0xfe, d), word(e, f))
}

fn up(index: u32) -> RouteNetlinkMessage {
    state(index, LinkFlags::Up)
}

/// Sets whether an interface is up, by its flags.
fn state(index: u32, flags: LinkFlags) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = flags;
    message.header.change_mask = LinkFlags::Up;
    RouteNetlinkMessage::SetLink(message)
}

/// Brings an interface up.
pub(crate) fn bring_up(netlink: &mut Netlink, index: u32, name: &str) -> Result<(), HostError> {
    let mut batch = Batch::default();
    batch.push(up(index), 0, format!("bring `{name}` up"));
    netlink.execute(batch)
}

/// Takes an interface down.
pub(crate) fn take_down(netlink: &mut Netlink, index: u32, name: &str) -> Result<(), HostError> {
    let mut batch = Batch::default();
    batch.push(state(index, LinkFlags::empty()), 0, format!("take `{name}` down"));
    netlink.execute(batch)
}

/// Whether its kernel answers ARP and ND on an interface.
pub(crate) fn has_arp(netlink: &mut Netlink, index: u32) -> Result<bool, HostError> {
    Ok(!netlink.link(index)?.header.flags.contains(LinkFlags::Noarp))
}

/// Lets its kernel answer ARP and ND on an interface, or keeps it from that (`ip link set dev NAME arp on|off`).
pub(crate) fn set_arp(netlink: &mut Netlink, index: u32, name: &str, on: bool) -> Result<(), HostError> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.header.flags = if on { LinkFlags::empty() } else { LinkFlags::Noarp };
    message.header.change_mask = LinkFlags::Noarp;
    let mut batch = Batch::default();
    let doing = format!("switch ARP {} on `{name}`", if on { "on" } else { "off" });
    batch.push(RouteNetlinkMessage::SetLink(message), 0, doing);
    netlink.execute(batch)
}

/// Sets an interface's MTU.
pub(crate) fn set_mtu(netlink: &mut Netlink, index: u32, name: &str, mtu: u32) -> Result<(), HostError> {
    let mut batch = Batch::default();
    batch.push(set(index, vec![LinkAttribute::Mtu(mtu)]), 0, format!("set the MTU of `{name}` to {mtu}"));
    netlink.execute(batch)
}

/// Sizes a TAP's ring: by its queue length, with which it is resized (tun.c, tun_queue_resize).
pub(crate) fn size_ring(netlink: &mut Netlink, index: u32, name: &str, length: u32) -> Result<(), HostError> {
    let mut batch = Batch::default();
    batch.push(set(index, vec![LinkAttribute::TxQueueLen(length)]), 0, format!("size the ring of `{name}`"));
    netlink.execute(batch)
}

/// Keeps the kernel from giving an interface a link-local address, and with it from all that it would send there.
pub(crate) fn no_automatic_address(netlink: &mut Netlink, index: u32, name: &str) -> Result<(), HostError> {
    let mut batch = Batch::default();
    batch.push(set(index, vec![no_generated_address()]), 0, format!("keep automatic addresses off `{name}`"));
    netlink.execute(batch)
}

fn no_generated_address() -> LinkAttribute {
    let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])])
}

/// What an interface is set to.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// The length of its queue, which is the size of a TAP's ring.
    pub(crate) queue_length: Option<u32>,
    /// Whether it is up.
    pub(crate) up: bool,
}

/// Reads what an interface is set to.
pub(crate) fn settings(netlink: &mut Netlink, index: u32) -> Result<Settings, HostError> {
    let link = netlink.link(index)?;
    let length = |a: &LinkAttribute| if let LinkAttribute::TxQueueLen(length) = a { Some(*length) } else { None };
    let queue_length = link.attributes.iter().find_map(length);
    Ok(Settings { queue_length, up: link.header.flags.contains(LinkFlags::Up) })
}

fn set(index: u32, attributes: Vec<LinkAttribute>) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes = attributes;
    RouteNetlinkMessage::SetLink(message)
}

fn link(batch: &mut Batch, plan: &InterfacePlan, index: u32, ipv6: bool, own: bool) {
    let name = &plan.name;
    let set = |attribute| set(index, vec![attribute]);
    // A ring is resized when the queue length changes (tun.c, tun_queue_resize).
    batch.push(set(LinkAttribute::TxQueueLen(QUEUE_LENGTH)), 0, format!("size the ring of `{name}`"));
    if plan.mac != [0; 6] {
        batch.push(set(LinkAttribute::Address(plan.mac.to_vec())), 0, format!("set the MAC address of `{name}`"));
    }
    batch.push(set(LinkAttribute::Mtu(plan.mtu)), 0, format!("set the MTU of `{name}` to {}", plan.mtu));
    if own && ipv6 && plan.mtu >= IPV6_MIN_MTU {
        // The kernel would make the link-local address itself, and check it for duplicates.
        batch.push(set(no_generated_address()), 0, format!("keep automatic addresses off `{name}`"));
    }
    batch.push(up(index), 0, format!("bring `{name}` up"));
}

fn addresses(batch: &mut Batch, plan: &InterfacePlan, index: u32, ipv6: bool, own: bool) -> Result<(), HostError> {
    let ipv6_here = ipv6 && plan.mtu >= IPV6_MIN_MTU;
    let name = &plan.name;
    for address in &plan.addresses {
        if address.addr().is_ipv6() && !ipv6_here {
            let doing = format!("give `{name}` the address {address}");
            return Err(if ipv6 {
                HostError::input(doing, format!("IPv6 needs an MTU of {IPV6_MIN_MTU} or more, and it has {}", plan.mtu))
            } else {
                HostError::lacking(doing, "this kernel has IPv6 switched off")
                    .cure("start it without `ipv6.disable=1`, or take the IPv6 addresses out of the scenario")
            });
        }
        let message = address_message(address.addr(), address.prefix_len(), index);
        // whoever makes an interface of an external machine anew may have given it its address
        let there = if own { NLM_F_EXCL } else { NLM_F_REPLACE };
        batch.push(message, NLM_F_CREATE | there, format!("give `{name}` the address {address}"));
    }
    if own && ipv6_here {
        add_link_local(batch, plan, index);
    }
    neighbours(batch, plan, index, ipv6_here);
    Ok(())
}

fn add_link_local(batch: &mut Batch, plan: &InterfacePlan, index: u32) {
    let address = link_local(plan.mac);
    let message = address_message(address.into(), 64, index);
    batch.push(message, NLM_F_CREATE | NLM_F_EXCL, format!("give `{}` the address {address}/64", plan.name));
}

fn neighbours(batch: &mut Batch, plan: &InterfacePlan, index: u32, ipv6_here: bool) {
    if plan.neighbours.is_on_demand() {
        return ask_for_neighbours(batch, plan, index, ipv6_here);
    }
    for entry in plan.neighbours.iter().filter(|(address, _)| address.is_ipv4() || ipv6_here) {
        add_neighbour(batch, plan, index, entry);
    }
}

fn add_neighbour(batch: &mut Batch, plan: &InterfacePlan, index: u32, (address, mac): Neighbour) {
    let mut message = NeighbourMessage::default();
    message.header.family = family(address);
    message.header.ifindex = index;
    message.header.state = NeighbourState::Permanent;
    message.header.kind = RouteType::Unicast;
    let destination = match address {
        IpAddr::V4(address) => NeighbourAddress::Inet(address),
        IpAddr::V6(address) => NeighbourAddress::Inet6(address),
    };
    message.attributes =
        vec![NeighbourAttribute::Destination(destination), NeighbourAttribute::LinkLayerAddress(mac.to_vec())];
    let flags = NLM_F_CREATE | NLM_F_REPLACE;
    let doing = format!("tell `{}` its neighbour {address}", plan.name);
    batch.push(RouteNetlinkMessage::NewNeighbour(message), flags, doing);
}

/// Makes the kernel ask a program for a neighbour before it asks the network: `app_probes`, arp(7). It then tells everybody
/// on the group of neighbours which one it looks for.
fn ask_for_neighbours(batch: &mut Batch, plan: &InterfacePlan, index: u32, ipv6_here: bool) {
    for (table, wanted) in [("arp_cache", true), ("ndisc_cache", ipv6_here)] {
        if wanted {
            let mut message = NeighbourTableMessage::default();
            let parameters = vec![NeighbourTableParameter::Ifindex(index), NeighbourTableParameter::AppProbes(1)];
            message.attributes =
                vec![NeighbourTableAttribute::Name(table.into()), NeighbourTableAttribute::Parms(parameters)];
            let doing = format!("make `{}` ask for neighbours", plan.name);
            batch.push(RouteNetlinkMessage::SetNeighbourTable(message), 0, doing);
        }
    }
}

/// The neighbour that the kernel asks a program for: the interface, and the address.
pub(crate) fn asked_neighbour(message: &NeighbourMessage) -> Option<(u32, IpAddr)> {
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some((*address).into()),
        NeighbourAttribute::Destination(NeighbourAddress::Inet6(address)) => Some((*address).into()),
        _ => None,
    });
    Some((message.header.ifindex, address?))
}

/// Tells the kernel the neighbours that it asked for, as far as the plan has them. Of the others it asks the network.
pub(crate) fn answer(netlink: &mut Netlink, plan: &InterfacePlan, index: u32, asked: impl Iterator<Item = IpAddr>) {
    let mut batch = Batch::default();
    for address in asked {
        if let Some(mac) = plan.neighbours.find(address) {
            add_neighbour(&mut batch, plan, index, (address, mac));
        }
    }
    // What is refused, since the interface is down again, is asked for again.
    let _ = netlink.execute(batch);
}

/// Gives back what the kernel took from an interface when it went down: its link-local address (of the other addresses
/// `keep_addr_on_down` takes care), its neighbours, and these routes. What has come back by other means stays.
pub(crate) fn restore(netlink: &mut Netlink, plan: &InterfacePlan, routes: &[RoutePlan], index: u32, ipv6: bool) {
    let ipv6_here = ipv6 && plan.mtu >= IPV6_MIN_MTU;
    let mut batch = Batch::default();
    if ipv6_here {
        add_link_local(&mut batch, plan, index);
    }
    // Each for itself: what is refused, since it is there or the interface is down again, keeps nothing else away.
    let _ = netlink.execute(batch);
    for route in routes {
        let mut batch = Batch::default();
        add_route(&mut batch, route, Some(index));
        let _ = netlink.execute(batch);
    }
    let mut batch = Batch::default();
    neighbours(&mut batch, plan, index, ipv6_here);
    let _ = netlink.execute(batch);
}

fn address_message(address: IpAddr, prefix_len: u8, index: u32) -> RouteNetlinkMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(address);
    message.header.prefix_len = prefix_len;
    message.header.index = index;
    message.attributes = vec![AddressAttribute::Address(address)];
    match address {
        IpAddr::V4(v4) => {
            message.attributes.push(AddressAttribute::Local(address));
            // RFC 3021: a /31 has no broadcast address, and a /32 has nobody to hear one.
            if prefix_len < 31 {
                let broadcast = u32::from(v4) | u32::MAX.checked_shr(u32::from(prefix_len)).unwrap_or(0);
                message.attributes.push(AddressAttribute::Broadcast(broadcast.into()));
            }
        }
        IpAddr::V6(v6) => {
            if v6.is_unicast_link_local() {
                message.header.scope = AddressScope::Link;
            }
            message.header.flags = AddressHeaderFlags::Nodad;
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
    }
    RouteNetlinkMessage::NewAddress(message)
}

fn add_route(batch: &mut Batch, route: &RoutePlan, index: Option<u32>) {
    let via = route.via.map_or(String::new(), |via| format!(" via {via}"));
    let doing = format!("add the route to {}{via} (table {})", route.to, route.table);
    batch.push(route_message(route, index), NLM_F_CREATE | NLM_F_EXCL, doing);
}

fn route_message(route: &RoutePlan, index: Option<u32>) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(route.to.addr());
    message.header.destination_prefix_length = route.to.prefix_len();
    message.header.protocol = RouteProtocol::Static;
    message.header.kind = RouteType::Unicast;
    message.header.scope = match (route.to.addr(), route.via) {
        (IpAddr::V4(_), None) => RouteScope::Link,
        _ => RouteScope::Universe,
    };
    // The header's field is too small for tables above 255: the attribute counts where the field is 0 (unspecified).
    message.header.table = u8::try_from(route.table).unwrap_or(0);
    message.attributes.push(RouteAttribute::Table(route.table));
    if route.to.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(route_address(route.to.network())));
    }
    if let Some(via) = route.via {
        message.attributes.push(RouteAttribute::Gateway(route_address(via)));
    }
    if let Some(index) = index {
        message.attributes.push(RouteAttribute::Oif(index));
    }
    RouteNetlinkMessage::NewRoute(message)
}

fn add_rule(batch: &mut Batch, from: IpAddr, table: u32, priority: u32) {
    let mut message = RuleMessage::default();
    message.header.family = family(from);
    message.header.src_len = if from.is_ipv4() { 32 } else { 128 };
    message.header.table = u8::try_from(table).unwrap_or(0);
    message.header.action = RuleAction::ToTable;
    message.attributes =
        vec![RuleAttribute::Source(from), RuleAttribute::Table(table), RuleAttribute::Priority(priority)];
    let doing = format!("add the rule from {from} lookup {table}");
    batch.push(RouteNetlinkMessage::NewRule(message), NLM_F_CREATE | NLM_F_EXCL, doing);
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn route_address(address: IpAddr) -> RouteAddress {
    match address {
        IpAddr::V4(address) => RouteAddress::Inet(address),
        IpAddr::V6(address) => RouteAddress::Inet6(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_are_modified_eui_64() {
        // RFC 4291 appendix A inverts the universal/local bit and puts ff:fe in the middle.
        assert_eq!(link_local([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]).to_string(), "fe80::3656:78ff:fe9a:bcde");
        assert_eq!(link_local([0x02, 0, 0, 0, 0, 1]).to_string(), "fe80::ff:fe00:1");
    }

    #[test]
    fn broadcast_addresses_fill_the_host_part_and_tiny_networks_have_none() {
        let broadcast = |text: &str, prefix| {
            let address = text.parse().expect("an address");
            let RouteNetlinkMessage::NewAddress(message) = address_message(address, prefix, 1) else { panic!() };
            message.attributes.iter().find_map(|a| match a {
                AddressAttribute::Broadcast(b) => Some(b.to_string()),
                _ => None,
            })
        };
        assert_eq!(broadcast("10.1.2.3", 24).as_deref(), Some("10.1.2.255"));
        assert_eq!(broadcast("10.1.2.3", 30).as_deref(), Some("10.1.2.3"));
        assert_eq!(broadcast("10.1.2.3", 31), None);
        assert_eq!(broadcast("10.1.2.3", 32), None);
        assert_eq!(broadcast("fd00::1", 64), None);
    }
}

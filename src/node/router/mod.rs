//! An IP router (RFC 1812 for IPv4, RFC 8200 for IPv6).
//!
//! The way of a packet: Ethernet (is it for us?) → ARP, or IP header checks → NAT inbound (outside interface) → our own
//! address? answer → TTL → route (given and connected ones, then the network's: [`super::routing::Routes`]; the longest prefix
//! wins, given ones at a tie) → firewall → MTU (ICMP error) → NAT outbound → fragments → neighbour → a new Ethernet header.
//!
//! Errors about a packet's size come before NAT outbound, so that they quote the packet as its sender knows it; its size does
//! not change by NAT.
//!
//! | file | what |
//! |---|---|
//! | `plan` | what a router is built from |
//! | `interface` | addresses, and what an interface listens to |
//! | `table` | routes of its own by longest prefix |
//! | `neighbours` | MAC addresses, and frames that wait for them |
//! | `arp` `discovery` | ARP; neighbour discovery |
//! | `ipv4` `ipv6` | header checks, forwarding, fragments |
//! | `local` | what is for the router itself: ping, resets, unreachable ports |
//! | `errors` | ICMP errors, their sources and their rate |
//!
//! docs/topology/router.md says what it does as a user sees it.

mod arp;
mod discovery;
mod errors;
mod interface;
mod ipv4;
mod ipv6;
mod local;
mod neighbours;
mod plan;
mod table;

use core::net::IpAddr;

pub use plan::{RouterInterface, RouterPlan, RouterRoute};

use super::routing::Hop;
use super::{NodeCommand, Work};
use crate::frame::{DropCause, Frame};
use crate::units::Instant;
use crate::wire::ethernet::{self, EtherType, MacAddr};
use errors::{Limit, Problem};
use interface::{Interface, Roles};
use neighbours::{Due, Found, Held, Neighbours, Waiting};
use table::Table;

/// The shortest frame on a wire, less its FCS (IEEE 802.3 §3.2.8). What is behind a packet up to here is padding.
const MIN_FRAME: usize = 60;

/// A router at work.
#[derive(Debug)]
pub struct Router {
    /// Its place among the network's nodes.
    node: u32,
    interfaces: Vec<Interface>,
    roles: Roles,
    table: Table,
    neighbours: Neighbours,
    limit: Limit,
    /// The id of the next IPv4 packet of its own.
    id: u16,
    /// A wire frame that is read as a whole, and one that is made.
    read: Vec<u8>,
    made: Vec<u8>,
}

impl Router {
    /// A router that has heard nothing yet; `node` is its place among the network's nodes, under which it looks up routes.
    pub fn new(node: u32, plan: &RouterPlan) -> Router {
        let interfaces: Vec<Interface> = plan.interfaces.iter().map(Interface::new).collect();
        let mut table = Table::default();
        for route in &plan.routes {
            table.add(route.to, Hop { port: route.port, via: route.via });
        }
        let mut neighbours = Neighbours::default();
        for (port, interface) in plan.interfaces.iter().enumerate() {
            for net in &interface.addresses {
                table.add(net.trunc(), Hop { port: port as u32, via: None });
            }
            for (address, mac) in &interface.neighbours {
                neighbours.install(port as u32, *address, *mac);
            }
        }
        Router {
            node,
            roles: Roles::new(&interfaces),
            interfaces,
            table,
            neighbours,
            limit: Limit::default(),
            id: 0,
            read: Vec::new(),
            made: Vec::new(),
        }
    }

    /// A frame came in at a port.
    pub fn receive(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) {
        let Ok(header) = ethernet::Frame::new_checked(work.pool.view(&frame).head) else {
            return work.drop(frame, DropCause::Malformed);
        };
        if !self.interfaces[port as usize].hears(header.dst()) {
            return work.drop(frame, DropCause::OtherHost);
        }
        match header.ethertype() {
            EtherType::IPV4 => self.receive_v4(work, port, frame),
            EtherType::IPV6 => self.receive_v6(work, port, frame),
            EtherType::ARP => self.receive_arp(work, port, frame),
            // frames with VLAN tags too: a router has no ports in VLANs, a switch in front of it has
            _ => work.drop(frame, DropCause::Unsupported),
        }
    }

    /// Where packets to an address go next.
    #[inline]
    fn route(&self, work: &mut Work<'_>, to: IpAddr) -> Option<Hop> {
        let own = self.table.lookup(to);
        match (own, work.routes.lookup(self.node, to)) {
            (Some((own, hop)), Some((computed, _))) if own >= computed => Some(hop),
            (_, Some((_, hop))) | (Some((_, hop)), None) => Some(hop),
            (None, None) => None,
        }
    }

    /// The MTU of a port's link, if the first wire frame of the stretch is larger. Those behind it are no larger than it.
    #[inline]
    fn exceeded_mtu(&self, work: &Work<'_>, port: u32, frame: &Frame) -> Option<u32> {
        let mtu = self.interfaces[port as usize].mtu?;
        (work.pool.wire_len(frame, 0) > ethernet::HEADER_LEN as u64 + u64::from(mtu)).then_some(mtu)
    }

    /// Splits what is larger than the MTU from what is not: only the last wire frame of a train can be shorter than others.
    fn split_too_large(&self, work: &mut Work<'_>, mtu: u32, mut frame: Frame) -> (Frame, Option<Frame>) {
        let last = frame.count() - 1;
        if last == 0 || work.pool.wire_len(&frame, last) > ethernet::HEADER_LEN as u64 + u64::from(mtu) {
            return (frame, None);
        }
        let large = work.pool.split_front(&mut frame, last);
        (large, Some(frame))
    }

    /// Cuts off what follows a packet in a plain frame: more than padding would cost its way through smaller links.
    fn trim(&mut self, work: &mut Work<'_>, frame: Frame, packet: usize) -> Frame {
        let view = work.pool.view(&frame);
        let len = (ethernet::HEADER_LEN + packet).max(MIN_FRAME);
        if view.cut.is_some() || view.total() <= len {
            return frame;
        }
        self.read.clear();
        view.write_wire_frame(&mut self.read);
        match work.pool.store(&self.read[..len]) {
            Ok(short) => {
                work.pool.release(frame);
                short
            }
            Err(_) => frame,
        }
    }

    /// The last step: a finished packet goes to a neighbour on a port's segment, or waits for its MAC address. `from` is where it
    /// came in; `None` for one of the router's own.
    #[inline]
    fn transmit(&mut self, work: &mut Work<'_>, from: Option<u32>, port: u32, next: IpAddr, frame: Frame) {
        match self.neighbours.find(work.now, port, next) {
            Found::Known(mac) => self.send_to(work, port, mac, frame),
            Found::Old(mac) => {
                self.ask(work, port, next, Some(mac));
                self.send_to(work, port, mac, frame);
            }
            Found::Unknown => self.wait(work, from, port, next, frame),
        }
    }

    #[inline]
    fn send_to(&mut self, work: &mut Work<'_>, port: u32, mac: MacAddr, frame: Frame) {
        let frame = work.pool.own_head(frame);
        // every frame that comes here has had its Ethernet header looked at, or was made with one
        if let Ok(mut header) = ethernet::Frame::new_checked(work.pool.head_mut(&frame)) {
            header.set_dst(mac);
            header.set_src(self.interfaces[port as usize].mac);
        }
        work.send(port, frame);
    }

    #[cold]
    fn wait(&mut self, work: &mut Work<'_>, from: Option<u32>, port: u32, next: IpAddr, frame: Frame) {
        let held = self.neighbours.hold(work.now, (port, next), Waiting { frame, from }, |gone| {
            work.drop(gone.frame, DropCause::Unreachable);
        });
        if held == Held::First {
            self.ask(work, port, next, None);
        }
    }

    /// Asks for a neighbour's MAC address: all of the segment, or the one that had it.
    fn ask(&mut self, work: &mut Work<'_>, port: u32, next: IpAddr, mac: Option<MacAddr>) {
        match next {
            IpAddr::V4(next) => self.ask_by_arp(work, port, next, mac),
            IpAddr::V6(next) => self.solicit(work, port, next, mac),
        }
    }

    /// Somebody said its MAC address.
    fn learn(&mut self, work: &mut Work<'_>, port: u32, address: IpAddr, mac: MacAddr, source: neighbours::Source) {
        if !mac.is_unicast() || self.roles.of(address).is_some() {
            return;
        }
        for waiting in self.neighbours.learn(work.now, (port, address), mac, source) {
            self.send_to(work, port, mac, waiting.frame);
        }
    }

    /// When the router next wants [`Router::wake`]: an answer that was not given in time.
    pub fn deadline(&self) -> Option<Instant> {
        self.neighbours.deadline()
    }

    /// The deadline has come.
    pub fn wake(&mut self, work: &mut Work<'_>) {
        while let Some(due) = self.neighbours.due(work.now) {
            match due {
                Due::Ask(port, next) => self.ask(work, port, next, None),
                Due::Failed(frames) => {
                    for Waiting { frame, from } in frames {
                        if let Some(from) = from {
                            self.report(work, from, &frame, Problem::NoNeighbour);
                        }
                        work.drop(frame, DropCause::Unreachable);
                    }
                }
            }
        }
    }

    /// The link at a port carries packets of so many bytes away; `None` has no limit.
    pub fn set_mtu(&mut self, port: u32, mtu: Option<u32>) {
        self.interfaces[port as usize].mtu = mtu;
    }

    /// Wire frames that wait for a neighbour's MAC address.
    pub fn held(&self) -> u64 {
        self.neighbours.waiting()
    }

    /// Whether a command makes sense here: it depends on the plan alone.
    pub fn takes(&self, command: NodeCommand) -> bool {
        match command {
            NodeCommand::Rebind => false,
        }
    }

    /// A live change.
    pub fn command(&mut self, command: NodeCommand) {
        match command {
            NodeCommand::Rebind => {}
        }
    }
}

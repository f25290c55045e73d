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
//! | `dhcp` `advertise` `serving` | addresses for machines that longwire does not make |
//! | `ipv4` `ipv6` | header checks, forwarding, fragments |
//! | `connection` | how far a TCP connection is, for those that remember it |
//! | `firewall` `filter` | which packets pass; what becomes of those that do not |
//! | `local` | what is for the router itself: ping, resets, unreachable ports |
//! | `errors` | ICMP errors, their sources and their rate |
//! | `guard` | IPv6 from outside at a router with NAT |
//! | `translate` `nat` | where packets pass address translation; the translation itself |
//!
//! docs/topology/router.md says what it does as a user sees it.

mod advertise;
mod arp;
mod connection;
pub mod dhcp;
mod discovery;
mod errors;
mod filter;
pub mod firewall;
mod guard;
mod interface;
mod ipv4;
mod ipv6;
mod local;
pub mod nat;
mod neighbours;
mod plan;
mod serving;
mod table;
#[cfg(test)]
mod testing;
mod translate;

use core::net::IpAddr;

pub use advertise::AdvertPlan;
pub use dhcp::{DhcpCounters, DhcpOptions, DhcpPlan, DhcpReservation};
pub use plan::{NatPlan, RouterInterface, RouterPlan, RouterRoute};

use super::routing::Hop;
use super::{NodeCommand, Work};
use crate::frame::{DropCause, Frame};
use crate::units::Instant;
use crate::wire::ethernet::{self, EtherType, MacAddr};
use errors::{Limit, Problem};
use firewall::Firewall;
use interface::{Interface, Roles};
use nat::NatCounters;
use neighbours::{Due, Found, Held, Neighbours, Waiting};
use serving::Serving;
use table::Table;
use translate::Translator;

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
    translator: Option<Translator>,
    firewall: Option<Box<Firewall>>,
    serving: Serving,
    /// The id of the next IPv4 packet of its own.
    id: u16,
    /// A wire frame that is read as a whole, and one that is made.
    read: Vec<u8>,
    made: Vec<u8>,
    /// A message for a frame that is made.
    message: Vec<u8>,
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
            translator: Translator::new(plan),
            firewall: plan.firewall.as_ref().map(|plan| Box::new(Firewall::new(plan))),
            serving: Serving::new(plan),
            id: 0,
            read: Vec::new(),
            made: Vec::new(),
            message: Vec::new(),
        }
    }

    /// A frame came in at a port.
    pub fn receive(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) {
        let view = work.pool.view(&frame);
        // of a train each wire frame has to have the header: the rest of the router takes it for granted
        let whole = view.cut.is_none_or(|cut| usize::from(cut.header) >= ethernet::HEADER_LEN);
        let (Ok(header), true) = (ethernet::Frame::new_checked(view.head), whole) else {
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
        // what it knows of a port whose link is down is worth nothing any more
        let own = self.table.lookup(to).filter(|(_, hop)| work.routes.carries(self.node, hop.port));
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
                work.pool.inherit_origin(&frame, &short);
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
        [self.neighbours.deadline(), self.serving.deadline()].into_iter().flatten().min()
    }

    /// The deadline has come.
    pub fn wake(&mut self, work: &mut Work<'_>) {
        if self.serving.deadline().is_some_and(|at| at <= work.now) {
            self.wake_dhcp(work);
            self.wake_advertisers(work);
            self.serving.settle();
        }
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

    /// Its firewall, if it has one.
    pub fn firewall(&self) -> Option<&Firewall> {
        self.firewall.as_deref()
    }

    /// Whether a command makes sense here: it depends on the plan alone.
    pub fn takes(&self, command: NodeCommand) -> bool {
        match command {
            NodeCommand::Rebind => self.translator.is_some(),
        }
    }

    /// A live change.
    pub fn command(&mut self, command: NodeCommand) {
        match command {
            NodeCommand::Rebind => self.translator.iter_mut().for_each(Translator::rebind),
        }
    }

    /// What its DHCP servers have done, with the names of their interfaces.
    pub fn dhcp(&self, now: Instant) -> impl Iterator<Item = (&str, DhcpCounters)> {
        self.serving.dhcp(now)
    }

    /// What its address translation has done, if it has one.
    pub fn nat_counters(&self, now: Instant) -> Option<NatCounters> {
        self.translator.as_ref().map(|translator| translator.counters(now))
    }
}

#[cfg(test)]
mod tests {
    use super::testing::*;
    use super::*;
    use crate::wire::testing::real_frames;

    #[test]
    fn what_is_for_others_is_told_from_what_nobody_knows() {
        let mut bench = Bench::new();
        let mut to_another = udp("10.0.0.9", "10.0.1.9", 53, b"x");
        to_another[5] = 77;
        assert_eq!(bench.receive(0, &to_another), [Out::Dropped(DropCause::OtherHost)]);
        let for_us = |ethertype, packet: &[u8]| ethernet(router_mac(0), host_mac(9), ethertype, packet);
        let tagged = [&[0, 7, 8, 0][..], &udp("10.0.0.9", "10.0.1.9", 53, b"x")[14..]].concat();
        assert_eq!(bench.receive(0, &for_us(EtherType::VLAN, &tagged)), [Out::Dropped(DropCause::Unsupported)]);
        assert_eq!(bench.receive(0, &for_us(EtherType::LLDP, &[0; 46])), [Out::Dropped(DropCause::Unsupported)]);
        assert_eq!(bench.receive(0, &[2; 13]), [Out::Dropped(DropCause::Malformed)]);
        // a train whose wire frames do not have all of it
        let cut = crate::frame::Cut { header: 7, segment: 5 };
        let frame = bench.pool.store_train(&udp("10.0.0.9", "10.0.0.1", 53, b"x"), cut).unwrap();
        let count = frame.count() as usize;
        assert_eq!(bench.receive_frame(0, frame), vec![Out::Dropped(DropCause::Malformed); count]);
        for frame in &real_frames()[9..] {
            assert_eq!(bench.receive(0, frame), [Out::Dropped(DropCause::OtherHost)], "LLDP and STP go to bridges");
        }
    }

    #[test]
    fn given_routes_win_where_they_are_as_long() {
        let mut plan = Bench::plan();
        plan.interfaces[2].neighbours = vec![("10.0.2.9".parse().unwrap(), host_mac(29))];
        for (to, via) in [("0.0.0.0/0", "10.0.2.9"), ("10.0.1.0/24", "10.0.2.9"), ("10.0.1.9/32", "10.0.1.9")] {
            let port = u32::from(via.starts_with("10.0.2")) + 1;
            plan.routes.push(RouterRoute { to: to.parse().unwrap(), via: Some(via.parse().unwrap()), port });
        }
        let mut bench = Bench::with(&plan);
        let mut way = |to: &str| {
            let (port, frame) = the_frame(&bench.receive(0, &udp("10.0.0.9", to, 53, b"x")));
            (port, frame[5])
        };
        assert_eq!(way("192.0.2.1"), (2, 29));
        assert_eq!(way("10.0.1.8"), (2, 29), "given, though the network is connected");
        assert_eq!(way("10.0.1.9"), (1, 19), "longer");
    }

    #[test]
    fn a_packet_may_leave_where_it_came_in() {
        let mut bench = Bench::new();
        let (port, frame) = the_frame(&bench.receive(0, &udp("10.0.0.7", "10.0.0.9", 53, b"x")));
        assert_eq!((port, &frame[..6]), (0, &host_mac(9).0[..]));
    }

    #[test]
    fn frames_wait_for_a_neighbour_and_their_sender_is_told() {
        let mut bench = Bench::new();
        let packet = udp("10.0.0.9", "10.0.2.7", 53, b"x");
        let question = bench.receive(0, &packet);
        let (port, asked) = the_frame(&question);
        assert_eq!((port, &asked[..6], &asked[38..42]), (2, &[0xff; 6][..], &[10, 0, 2, 7][..]));
        assert_eq!((bench.receive(0, &packet), bench.router.held()), (vec![], 2));
        assert_eq!((bench.wake(), bench.wake()), (question.clone(), question));
        let out = bench.wake();
        assert_eq!(out.iter().filter(|out| **out == Out::Dropped(DropCause::Unreachable)).count(), 2);
        let (_, _, rest, quote) = the_error(&out[..1], "10.0.0.1", "10.0.0.9");
        assert_eq!((out[0].code(), rest, &quote[16..20]), ((3, 1), 0, &[10, 0, 2, 7][..]));
        assert_eq!((bench.router.deadline(), bench.router.held(), bench.pool.live()), (None, 0, 0));
        // and IPv6
        let packet = udp("fd00::9", "fd00:0:0:2::7", 53, b"x");
        let (port, asked) = the_frame(&bench.receive(0, &packet));
        assert_eq!((port, &asked[..6], asked[21], asked[54]), (2, &[0x33, 0x33, 0xff, 0, 0, 7][..], 255, 135));
        let _ = (bench.wake(), bench.wake());
        let out = bench.wake();
        let _ = the_error(&out[..1], "fd00::1", "fd00::9");
        assert_eq!(out[0].code(), (1, 3));
    }

    #[test]
    fn an_answer_lets_what_waits_go() {
        let mut bench = Bench::new();
        let _ = bench.receive(0, &udp("10.0.0.9", "10.0.2.7", 53, b"x"));
        let answer = crate::wire::arp::packet(
            crate::wire::arp::REPLY,
            crate::wire::arp::Party { mac: host_mac(27), ip: [10, 0, 2, 7].into() },
            crate::wire::arp::Party { mac: router_mac(2), ip: [10, 0, 2, 1].into() },
        );
        let out = bench.receive(2, &ethernet(router_mac(2), host_mac(27), EtherType::ARP, &answer));
        let (port, frame) = the_frame(&out);
        assert_eq!((port, &frame[..6], &frame[6..12], frame[22]), (2, &host_mac(27).0[..], &router_mac(2).0[..], 63));
        assert_eq!((bench.router.held(), bench.router.deadline()), (0, None));
    }

    #[test]
    fn what_follows_a_packet_is_cut_off_but_for_padding() {
        let mut bench = Bench::new();
        let frame = udp("10.0.0.9", "10.0.1.9", 53, b"x");
        let padded = [&frame[..], &[0; 17]].concat();
        assert_eq!((padded.len(), the_frame(&bench.receive(0, &padded)).1.len()), (60, 60));
        let long = [&frame[..], &[7; 500]].concat();
        assert_eq!(the_frame(&bench.receive(0, &long)).1.len(), 60);
        let frame = udp("fd00::9", "fd00:0:0:1::9", 53, &[1; 100]);
        let long = [&frame[..], &[7; 500]].concat();
        assert_eq!(the_frame(&bench.receive(0, &long)).1.len(), frame.len());
    }
}

//! A router's ARP (RFC 826; RFC 1812 §3.3.2; probes and announcements of RFC 5227).
//!
//! Requests are answered for the addresses of the interface that they came in at, and for no others: there is no proxy ARP.

use core::net::Ipv4Addr;

use super::neighbours::Source;
use super::{Router, Work};
use crate::frame::{DropCause, Frame};
use crate::wire::arp::{self, PACKET_LEN, Party};
use crate::wire::ethernet::{self, EtherType, HEADER_LEN, MacAddr};
use crate::wire::icmp_error::is_host_v4;

impl Router {
    pub(super) fn receive_arp(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) {
        let head = work.pool.view(&frame).head;
        let Ok(packet) = arp::Packet::new_checked(&head[HEADER_LEN..]) else {
            return work.drop(frame, DropCause::Malformed);
        };
        let sender = Party { mac: packet.sender_mac(), ip: packet.sender() };
        let (operation, target) = (packet.operation(), packet.target());
        let for_us = self.interfaces[port as usize].has(target.into());
        // a probe has no sender (RFC 5227 §2.1.1)
        if is_host_v4(sender.ip) {
            // who asks us will be spoken to; an answer, or an announcement, only changes what is known or was asked for
            let source = match operation {
                arp::REQUEST if for_us => Source::Question,
                _ => Source::Answer { over_ride: true },
            };
            self.learn(work, port, sender.ip.into(), sender.mac, source);
        }
        if operation == arp::REQUEST && for_us && sender.mac.is_unicast() {
            let own = Party { mac: self.interfaces[port as usize].mac, ip: target };
            self.send_arp(work, port, sender.mac, arp::packet(arp::REPLY, own, sender));
        }
        work.consume(frame);
    }

    /// Asks for an IPv4 neighbour: everybody, or the one who had the address (RFC 1122 §2.3.2.1).
    pub(super) fn ask_by_arp(&mut self, work: &mut Work<'_>, port: u32, target: Ipv4Addr, mac: Option<MacAddr>) {
        let interface = &self.interfaces[port as usize];
        // without an address of its own it can only probe (RFC 5227): its neighbours answer that too
        let ip = interface.source_v4(target).unwrap_or(Ipv4Addr::UNSPECIFIED);
        let question =
            arp::packet(arp::REQUEST, Party { mac: interface.mac, ip }, Party { mac: MacAddr::ZERO, ip: target });
        self.send_arp(work, port, mac.unwrap_or(MacAddr::BROADCAST), question);
    }

    fn send_arp(&mut self, work: &mut Work<'_>, port: u32, to: MacAddr, packet: [u8; PACKET_LEN]) {
        let mut bytes = [0; HEADER_LEN + PACKET_LEN];
        bytes[HEADER_LEN..].copy_from_slice(&packet);
        if let Ok(mut header) = ethernet::Frame::new_checked(&mut bytes[..]) {
            header.set_dst(to);
            header.set_src(self.interfaces[port as usize].mac);
            header.set_ethertype(EtherType::ARP);
        }
        if let Some(frame) = work.originate(&bytes) {
            work.send(port, frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    fn question(operation: u16, to: MacAddr, sender: (u8, [u8; 4]), target: [u8; 4]) -> Vec<u8> {
        let sender = Party { mac: host_mac(sender.0), ip: sender.1.into() };
        let packet = arp::packet(operation, sender, Party { mac: MacAddr::ZERO, ip: target.into() });
        ethernet(to, sender.mac, EtherType::ARP, &packet)
    }

    #[test]
    fn requests_for_the_own_address_are_answered() {
        let mut bench = Bench::new();
        for to in [MacAddr::BROADCAST, router_mac(0)] {
            let out = bench.receive(0, &question(arp::REQUEST, to, (7, [10, 0, 0, 7]), [10, 0, 0, 1]));
            let own = Party { mac: router_mac(0), ip: [10, 0, 0, 1].into() };
            let asker = Party { mac: host_mac(7), ip: [10, 0, 0, 7].into() };
            let answer = arp::packet(arp::REPLY, own, asker);
            let frame = ethernet(host_mac(7), router_mac(0), EtherType::ARP, &answer);
            assert_eq!((out, bench.consumed()), (vec![Out::Sent(0, frame)], 1));
        }
        // and who asked is known
        let (_, frame) = the_frame(&bench.receive(1, &{
            let mut frame = udp("10.0.1.9", "10.0.0.7", 53, b"x");
            frame[..6].copy_from_slice(&router_mac(1).0);
            frame
        }));
        assert_eq!(frame[..6], host_mac(7).0);
    }

    #[test]
    fn a_probe_is_answered_and_teaches_nothing() {
        let mut bench = Bench::new();
        let out = bench.receive(0, &question(arp::REQUEST, MacAddr::BROADCAST, (7, [0; 4]), [10, 0, 0, 1]));
        let (_, frame) = the_frame(&out);
        assert_eq!((&frame[..6], frame[21], &frame[38..42]), (&host_mac(7).0[..], 2, &[0; 4][..]));
    }

    #[test]
    fn addresses_of_other_interfaces_and_hosts_are_not_answered() {
        let mut bench = Bench::new();
        for target in [[10, 0, 1, 1], [10, 0, 0, 2], [10, 0, 0, 255], [0; 4]] {
            let out = bench.receive(0, &question(arp::REQUEST, MacAddr::BROADCAST, (7, [10, 0, 0, 7]), target));
            assert_eq!((out, bench.consumed()), (vec![], 1), "{target:?}");
        }
        let mut bad = question(arp::REQUEST, MacAddr::BROADCAST, (7, [10, 0, 0, 7]), [10, 0, 0, 1]);
        bad[15] = 6;
        assert_eq!(bench.receive(0, &bad), [Out::Dropped(DropCause::Malformed)]);
    }

    #[test]
    fn nobody_takes_the_routers_own_address_or_a_known_neighbours() {
        let mut bench = Bench::new();
        for sender in [[10, 0, 0, 1], [10, 0, 0, 9]] {
            let _ = bench.receive(0, &question(arp::REQUEST, MacAddr::BROADCAST, (66, sender), [10, 0, 0, 1]));
            let _ = bench.receive(0, &question(arp::REPLY, router_mac(0), (66, sender), [10, 0, 0, 1]));
        }
        let (_, frame) = the_frame(&bench.receive(0, &udp("10.0.0.7", "10.0.0.9", 53, b"x")));
        assert_eq!(frame[..6], host_mac(9).0);
    }
}

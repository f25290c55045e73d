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

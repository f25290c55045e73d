//! A router's neighbour discovery (RFC 4861).
//!
//! Solicitations are answered for the addresses of the interface that they came in at. There are no router advertisements:
//! hosts have the routes that the scenario gives them, so a router solicitation is dropped as unsupported. Redirects are
//! neither sent nor heeded.

use core::net::Ipv6Addr;

use super::neighbours::Source;
use super::{Router, Work};
use crate::frame::DropCause;
use crate::wire::ethernet::{EtherType, MacAddr};
use crate::wire::icmp::{self, v6};
use crate::wire::icmp_error::{PROTOCOL_V6, V6, is_host_v6};
use crate::wire::ipv6;
use crate::wire::nd::{self, Flags};

use super::errors::start;

/// What an own ICMPv6 message looks like around.
struct Around {
    mac: MacAddr,
    src: Ipv6Addr,
    dst: Ipv6Addr,
}

impl Router {
    /// A neighbour discovery message whose checksum is right: `source_mac` sent it.
    pub(super) fn receive_discovery(
        &mut self,
        work: &mut Work<'_>,
        port: u32,
        ip: &ipv6::Packet<&[u8]>,
        message: &[u8],
        source_mac: MacAddr,
    ) -> Result<(), DropCause> {
        // RFC 4861 §6.1, §7.1, §8.1: what a router has passed on is not from this link
        if ip.hop_limit() != nd::HOP_LIMIT || message.get(1) != Some(&0) {
            return Err(DropCause::Malformed);
        }
        match message.first() {
            Some(&v6::NEIGHBOR_SOLICITATION) => self.solicited(work, port, ip, message, source_mac),
            Some(&v6::NEIGHBOR_ADVERTISEMENT) => self.advertised(work, port, ip, message),
            Some(&v6::ROUTER_SOLICITATION) => Err(DropCause::Unsupported),
            // other routers' advertisements and redirects, which tell a router nothing
            _ => Ok(()),
        }
    }

    fn solicited(
        &mut self,
        work: &mut Work<'_>,
        port: u32,
        ip: &ipv6::Packet<&[u8]>,
        message: &[u8],
        source_mac: MacAddr,
    ) -> Result<(), DropCause> {
        let (asker, target, option) = target_and_option(message, nd::SOURCE_LINK_LAYER)
            .map(|(target, option)| (ip.src(), target, option))
            .ok_or(DropCause::Malformed)?;
        // RFC 4861 §7.1.1: a probe goes to the target's group, and does not say where its sender is
        let probe = asker.is_unspecified();
        if probe && (option.is_some() || ip.dst() != nd::solicited_node(target)) {
            return Err(DropCause::Malformed);
        }
        if !self.interfaces[port as usize].has(target.into()) {
            return Ok(());
        }
        if let Some(mac) = option {
            self.learn(work, port, asker.into(), mac, Source::Question);
        }
        // RFC 4861 §7.2.4: to a probe all hear the answer, and it answers nobody
        let flags = Flags { router: true, solicited: !probe, over_ride: true };
        let dst = if probe { nd::ALL_NODES } else { asker };
        let mac = if probe { nd::group_mac(nd::ALL_NODES) } else { option.unwrap_or(source_mac) };
        let answer = nd::advertisement(target, self.interfaces[port as usize].mac, flags);
        if mac.is_unicast() || probe {
            self.send_message(work, port, Around { mac, src: target, dst }, &answer);
        }
        Ok(())
    }

    fn advertised(
        &mut self,
        work: &mut Work<'_>,
        port: u32,
        ip: &ipv6::Packet<&[u8]>,
        message: &[u8],
    ) -> Result<(), DropCause> {
        let (target, option) = target_and_option(message, nd::TARGET_LINK_LAYER).ok_or(DropCause::Malformed)?;
        let flags = icmp::Packet::new_checked(message).map_or(Flags::default(), |message| Flags::of(message.rest()));
        if ip.dst().is_multicast() && flags.solicited {
            return Err(DropCause::Malformed);
        }
        if let Some(mac) = option {
            self.learn(work, port, target.into(), mac, Source::Answer { over_ride: flags.over_ride });
        }
        Ok(())
    }

    /// Asks for an IPv6 neighbour: its group, or the one who had the address (RFC 4861 §7.2.2).
    pub(super) fn solicit(&mut self, work: &mut Work<'_>, port: u32, target: Ipv6Addr, mac: Option<MacAddr>) {
        let interface = &self.interfaces[port as usize];
        let src = interface.link_local;
        let dst = if mac.is_some() { target } else { nd::solicited_node(target) };
        let mac = mac.unwrap_or(nd::group_mac(dst));
        let question = nd::solicitation(target, interface.mac);
        self.send_message(work, port, Around { mac, src, dst }, &question);
    }

    fn send_message(&mut self, work: &mut Work<'_>, port: u32, around: Around, message: &[u8]) {
        let Around { mac, src, dst } = around;
        let mut made = std::mem::take(&mut self.made);
        start(&mut made, EtherType::IPV6);
        let header = V6 { src, dst, hop_limit: nd::HOP_LIMIT, traffic_class: 0, protocol: PROTOCOL_V6 };
        if let Ok(at) = header.write(&mut made, message.len()) {
            made.extend_from_slice(message);
            if let Ok(mut message) = icmp::Packet::new_checked(&mut made[at..]) {
                message.fill_checksum_v6(src, dst);
            }
            if let Some(frame) = work.originate(&made) {
                self.send_to(work, port, mac, frame);
            }
        }
        self.made = made;
    }
}

/// The target of a solicitation or advertisement, which is one host, and a link-layer address option of it. `None` where the message is
/// not valid (RFC 4861 §7.1).
fn target_and_option(message: &[u8], kind: u8) -> Option<(Ipv6Addr, Option<MacAddr>)> {
    let target = icmp::Packet::new_checked(message).ok()?.neighbor_target().filter(|target| is_host_v6(*target))?;
    let option = nd::link_layer_option(message, nd::MIN_LEN, kind).ok()?;
    Some((target, option))
}

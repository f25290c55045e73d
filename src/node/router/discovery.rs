//! A router's neighbour discovery (RFC 4861).
//!
//! Solicitations are answered for the addresses of the interface that they came in at. Hosts have the routes that the scenario
//! gives them; where there are only those nothing is advertised, and a router solicitation is dropped as unsupported.
//! Redirects are neither sent nor heeded.

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
pub(super) struct Around {
    pub(super) mac: MacAddr,
    pub(super) src: Ipv6Addr,
    pub(super) dst: Ipv6Addr,
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
            Some(&v6::ROUTER_SOLICITATION) => self.router_solicited(work, port, ip, message),
            // other routers' advertisements and redirects, which tell a router nothing
            _ => Ok(()),
        }
    }

    fn router_solicited(
        &mut self,
        work: &Work<'_>,
        port: u32,
        ip: &ipv6::Packet<&[u8]>,
        message: &[u8],
    ) -> Result<(), DropCause> {
        let option = nd::link_layer_option(message, icmp::HEADER_LEN, nd::SOURCE_LINK_LAYER);
        // RFC 4861 §6.1.1: who has no address yet does not say where it is
        match option {
            Ok(option) if option.is_none() || !ip.src().is_unspecified() => {}
            _ => return Err(DropCause::Malformed),
        }
        if self.serving.solicited(work.now, port) { Ok(()) } else { Err(DropCause::Unsupported) }
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

    pub(super) fn send_message(&mut self, work: &mut Work<'_>, port: u32, around: Around, message: &[u8]) {
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

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::wire::ethernet::EtherType;

    const HOST: &str = "fe80::ff:fe00:207";

    /// A discovery message from host 7 at port 0, its checksum filled in.
    fn discovery(src: &str, dst: &str, hop_limit: u8, message: &[u8]) -> Vec<u8> {
        let mut frame = with_ttl(ip_summed(src, dst, 58, message, 2), hop_limit);
        let dst: Ipv6Addr = dst.parse().unwrap();
        if dst.is_multicast() {
            frame[..6].copy_from_slice(&nd::group_mac(dst).0);
        }
        frame[6..12].copy_from_slice(&host_mac(7).0);
        frame
    }

    fn ask(target: &str) -> [u8; 32] {
        nd::solicitation(target.parse().unwrap(), host_mac(7))
    }

    #[test]
    fn solicitations_to_the_group_and_to_the_address_are_answered() {
        let mut bench = Bench::new();
        for (target, dst) in [
            ("fd00::1", "ff02::1:ff00:1"),
            ("fd00::1", "fd00::1"),
            ("fe80::ff:fe00:100", "ff02::1:ff00:100"),
            ("fe80::ff:fe00:100", "fe80::ff:fe00:100"),
        ] {
            let out = bench.receive(0, &discovery(HOST, dst, 255, &ask(target)));
            let (port, frame) = the_frame(&out);
            let target: Ipv6Addr = target.parse().unwrap();
            assert_eq!((port, &frame[..6], frame[21], transport_sum(&frame)), (0, &host_mac(7).0[..], 255, 0xffff));
            assert_eq!(frame[22..38], target.octets());
            assert_eq!(frame[38..54], HOST.parse::<Ipv6Addr>().unwrap().octets());
            // router, solicited, override; the option with our address
            let flags = Flags { router: true, solicited: true, over_ride: true };
            let mut answer = nd::advertisement(target, router_mac(0), flags);
            answer[2..4].copy_from_slice(&frame[56..58]);
            assert_eq!(frame[54..], answer);
        }
    }

    #[test]
    fn who_asks_is_known_from_then_on() {
        let mut bench = Bench::new();
        let _ = bench.receive(0, &discovery("fd00::7", "ff02::1:ff00:1", 255, &ask("fd00::1")));
        let (_, frame) = the_frame(&bench.receive(0, &udp("fd00::8", "fd00::7", 53, b"x")));
        assert_eq!(frame[..6], host_mac(7).0);
    }

    #[test]
    fn a_probe_is_answered_to_all() {
        let mut bench = Bench::new();
        let out = bench.receive(0, &discovery("::", "ff02::1:ff00:1", 255, &ask("fd00::1")[..24]));
        let (_, frame) = the_frame(&out);
        assert_eq!(&frame[..6], &[0x33, 0x33, 0, 0, 0, 1]);
        assert_eq!(frame[38..54], nd::ALL_NODES.octets());
        assert_eq!(frame[58], 0xa0, "router and override, not solicited");
    }

    #[test]
    fn what_is_not_valid_is_dropped_and_for_others_read_only() {
        let mut bench = Bench::new();
        let whole = ask("fd00::1");
        let mut empty = whole;
        empty[25] = 0;
        let mut code = whole;
        code[1] = 1;
        for (what, frame) in [
            ("a router has passed it on", discovery(HOST, "ff02::1:ff00:1", 254, &whole)),
            ("too short", discovery(HOST, "ff02::1:ff00:1", 255, &whole[..23])),
            ("an option without length", discovery(HOST, "ff02::1:ff00:1", 255, &empty)),
            ("a code", discovery(HOST, "ff02::1:ff00:1", 255, &code)),
            ("a group as target", discovery(HOST, "ff02::1", 255, &ask("ff02::1"))),
            ("a probe with an option", discovery("::", "ff02::1:ff00:1", 255, &whole)),
            ("a probe to all", discovery("::", "ff02::1", 255, &whole[..24])),
            ("a wrong checksum", {
                let mut frame = discovery(HOST, "ff02::1:ff00:1", 255, &whole);
                frame[56] ^= 1;
                frame
            }),
        ] {
            assert_eq!(bench.receive(0, &frame), [Out::Dropped(DropCause::Malformed)], "{what}");
        }
        for target in ["fd00:0:0:1::1", "fd00::2"] {
            let out = bench.receive(0, &discovery(HOST, "ff02::1", 255, &ask(target)));
            assert_eq!((out, bench.consumed()), (vec![], 1), "{target}");
        }
        let solicitation = discovery(HOST, "ff02::2", 255, &[133, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bench.receive(0, &solicitation), [Out::Dropped(DropCause::Unsupported)]);
        // a membership report, as every Linux host sends
        let report = discovery(HOST, "ff02::16", 1, &[143, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!((bench.receive(0, &report), bench.consumed()), (vec![], 1));
    }

    #[test]
    fn an_advertisement_ends_the_wait() {
        let mut bench = Bench::new();
        let _ = bench.receive(0, &udp("fd00::9", "fd00:0:0:2::7", 53, b"x"));
        let says = |target: &str, flags| nd::advertisement(target.parse().unwrap(), host_mac(7), flags);
        let solicited = Flags { solicited: true, ..Flags::default() };
        let to_us = |message: &[u8]| {
            let mut frame = discovery("fd00:0:0:2::7", "fe80::ff:fe00:102", 255, message);
            frame[..6].copy_from_slice(&router_mac(2).0);
            frame
        };
        assert_eq!(bench.receive(2, &to_us(&says("fd00:0:0:2::8", solicited))), [], "of somebody else");
        assert_eq!(bench.router.held(), 1);
        let (port, frame) = the_frame(&bench.receive(2, &to_us(&says("fd00:0:0:2::7", solicited))));
        assert_eq!((port, &frame[..6], frame[21]), (2, &host_mac(7).0[..], 63));
        assert_eq!(frame[12..14], EtherType::IPV6.0.to_be_bytes());
        let to_all = discovery("fd00::7", "ff02::1", 255, &says("fd00::7", solicited));
        assert_eq!(bench.receive(0, &to_all), [Out::Dropped(DropCause::Malformed)], "to all and solicited");
    }
}

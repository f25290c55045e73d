//! What is for the router itself: it answers ping, and tells who speaks to its ports that nobody listens (RFC 1122 §3.2.2,
//! RFC 1812 §4.3.3.6, RFC 4443 §3, §4, RFC 9293 §3.10.7.1). So traceroute ends properly whatever it sends.
//!
//! Fragments are not put together again: those for the router are dropped as unsupported.

use super::errors::{Problem, start};
use super::{Router, Work};
use crate::frame::{DropCause, Frame};
use crate::wire::checksum::{Sum, pseudo_v4, pseudo_v6};
use crate::wire::ethernet::{self, EtherType, HEADER_LEN, MacAddr};
use crate::wire::icmp::{self, v4, v6};
use crate::wire::icmp_error::{PROTOCOL_V4, PROTOCOL_V6, V4, V6, udp_checksum_ok};
use crate::wire::reset;
use crate::wire::{ipv4, ipv6, put, tcp, udp};

/// Protocol number of IGMP (RFC 3376).
const IGMP: u8 = 2;

impl Router {
    /// An IPv4 packet for the router alone, or for all.
    #[cold]
    pub(super) fn deliver_v4(&mut self, work: &mut Work<'_>, port: u32, frame: Frame, to_all: bool) {
        let Some(frame) = self.filter(work, port, None, frame) else { return };
        let read = self.read_whole(work, &frame);
        let outcome = match ipv4::Packet::new_checked(&read[HEADER_LEN..]) {
            Ok(ip) if to_all => self.broadcast_v4(work, port, &ip),
            Ok(ip) => self.answer_v4(work, port, &read, &ip),
            Err(_) => Err(DropCause::Malformed),
        };
        self.read = read;
        end(work, frame, outcome);
    }

    /// An IPv6 packet for the router alone, or for a group that it is in.
    #[cold]
    pub(super) fn deliver_v6(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) {
        let Some(frame) = self.filter(work, port, None, frame) else { return };
        let read = self.read_whole(work, &frame);
        let outcome = match ipv6::Packet::new_checked(&read[HEADER_LEN..]) {
            Ok(ip) => self.answer_v6(work, port, &read, &ip),
            Err(_) => Err(DropCause::Malformed),
        };
        self.read = read;
        end(work, frame, outcome);
    }

    /// The first wire frame of a stretch: a train for the router gets one answer.
    pub(super) fn read_whole(&mut self, work: &Work<'_>, frame: &Frame) -> Vec<u8> {
        let mut read = std::mem::take(&mut self.read);
        read.clear();
        work.pool.view(frame).write_wire_frame(&mut read);
        read
    }

    fn answer_v4(
        &mut self,
        work: &mut Work<'_>,
        port: u32,
        frame: &[u8],
        ip: &ipv4::Packet<&[u8]>,
    ) -> Result<(), DropCause> {
        if ip.is_fragment() {
            return Err(DropCause::Unsupported);
        }
        let payload = ip.payload();
        let pseudo = || pseudo_v4(ip.src(), ip.dst(), ip.protocol(), payload.len() as u32);
        match ip.protocol() {
            PROTOCOL_V4 => {
                let message = icmp::Packet::new_checked(payload).map_err(|_| DropCause::Malformed)?;
                check(Sum::of(payload).checksum() == 0)?;
                if message.kind() == v4::ECHO_REQUEST {
                    self.echo_v4(work, ip);
                }
            }
            tcp::PROTOCOL => {
                check((pseudo() + Sum::of(payload)).checksum() == 0)?;
                if let Some(answer) = reset::answer(payload) {
                    self.reset_v4(work, ip, answer);
                }
            }
            udp::PROTOCOL => {
                check(udp_checksum_ok(payload, pseudo(), true))?;
                if let Some(outcome) = self.receive_dhcp(work, port, ip) {
                    return outcome;
                }
                self.report_bytes(work, port, frame, Problem::NoPort);
            }
            IGMP => {}
            _ => self.report_bytes(work, port, frame, Problem::NoProtocol(0)),
        }
        Ok(())
    }

    /// A packet for all: membership reports are heard, and clients of a DHCP server; nothing else is answered (RFC 1122 §3.2.2.6
    /// leaves ping open).
    fn broadcast_v4(&mut self, work: &mut Work<'_>, port: u32, ip: &ipv4::Packet<&[u8]>) -> Result<(), DropCause> {
        match ip.protocol() {
            IGMP => Ok(()),
            udp::PROTOCOL if !ip.is_fragment() && self.serving.server_at(port).is_some() => {
                let payload = ip.payload();
                let pseudo = pseudo_v4(ip.src(), ip.dst(), ip.protocol(), payload.len() as u32);
                check(udp_checksum_ok(payload, pseudo, true))?;
                self.receive_dhcp(work, port, ip).unwrap_or(Err(DropCause::Unsupported))
            }
            _ => Err(DropCause::Unsupported),
        }
    }

    /// RFC 1122 §3.2.2.6: the data come back, from the address that was asked.
    fn echo_v4(&mut self, work: &mut Work<'_>, ip: &ipv4::Packet<&[u8]>) {
        let mut made = std::mem::take(&mut self.made);
        start(&mut made, EtherType::IPV4);
        // the DSCP of the request, without its ECN codepoint
        let (tos, id) = (ip.tos() & !3, self.next_id());
        let header = V4 { src: ip.dst(), dst: ip.src(), tos, id, protocol: PROTOCOL_V4 };
        if let Ok(at) = header.write(&mut made, ip.payload().len()) {
            made.extend_from_slice(ip.payload());
            if let Ok(mut message) = icmp::Packet::new_checked(&mut made[at..]) {
                message.set_kind(v4::ECHO_REPLY, 0);
                message.fill_checksum_v4();
            }
            self.send_own_v4(work, &made, ip.src());
        }
        self.made = made;
    }

    pub(super) fn reset_v4(
        &mut self,
        work: &mut Work<'_>,
        ip: &ipv4::Packet<&[u8]>,
        mut answer: [u8; tcp::MIN_HEADER_LEN],
    ) {
        let mut made = std::mem::take(&mut self.made);
        start(&mut made, EtherType::IPV4);
        let (src, dst, id) = (ip.dst(), ip.src(), self.next_id());
        let sum = pseudo_v4(src, dst, tcp::PROTOCOL, answer.len() as u32) + Sum::of(&answer);
        put(&mut answer, tcp::CHECKSUM_OFFSET, sum.checksum().to_be_bytes());
        let header = V4 { src, dst, tos: ip.tos() & !3, id, protocol: tcp::PROTOCOL };
        if header.write(&mut made, answer.len()).is_ok() {
            made.extend_from_slice(&answer);
            self.send_own_v4(work, &made, dst);
        }
        self.made = made;
    }

    fn answer_v6(
        &mut self,
        work: &mut Work<'_>,
        port: u32,
        frame: &[u8],
        ip: &ipv6::Packet<&[u8]>,
    ) -> Result<(), DropCause> {
        let transport = ip.transport();
        if transport.fragment.is_some_and(ipv6::Fragment::is_partial) {
            return Err(DropCause::Unsupported);
        }
        check(!transport.cut)?;
        let walk = headers(ip);
        if let Some(at) = walk.segments_left {
            // RFC 8200 §4.4: this is no way point of anybody's route
            self.report_bytes(work, port, frame, Problem::BadField(at));
            return Ok(());
        }
        let payload = ip.payload().get(transport.offset..).unwrap_or(&[]);
        let pseudo = || pseudo_v6(ip.src(), ip.dst(), transport.protocol, payload.len() as u32);
        let to_group = ip.dst().is_multicast();
        match transport.protocol {
            PROTOCOL_V6 => {
                let message = icmp::Packet::new_checked(payload).map_err(|_| DropCause::Malformed)?;
                check((pseudo() + Sum::of(payload)).checksum() == 0)?;
                match message.kind() {
                    v6::ECHO_REQUEST => self.echo_v6(work, port, ip, payload),
                    v6::ROUTER_SOLICITATION..=v6::REDIRECT => {
                        let source_mac = ethernet::Frame::new_checked(frame).map_or(MacAddr::ZERO, |f| f.src());
                        return self.receive_discovery(work, port, ip, payload, source_mac);
                    }
                    _ => {}
                }
            }
            tcp::PROTOCOL if !to_group => {
                check((pseudo() + Sum::of(payload)).checksum() == 0)?;
                if let Some(answer) = reset::answer(payload) {
                    self.reset_v6(work, port, ip, answer);
                }
            }
            udp::PROTOCOL if !to_group => {
                check(udp_checksum_ok(payload, pseudo(), false))?;
                self.report_bytes(work, port, frame, Problem::NoPort);
            }
            tcp::PROTOCOL | udp::PROTOCOL => return Err(DropCause::Unsupported),
            ipv6::NO_NEXT => {}
            _ => self.report_bytes(work, port, frame, Problem::NoProtocol(walk.next_header)),
        }
        Ok(())
    }

    /// RFC 4443 §4.2: the data come back, from the address that was asked, or to a group's member from one of its own.
    fn echo_v6(&mut self, work: &mut Work<'_>, port: u32, ip: &ipv6::Packet<&[u8]>, message: &[u8]) {
        let dst = ip.src();
        let src = if ip.dst().is_multicast() { self.source(port, dst.into()) } else { Some(ip.dst().into()) };
        let (Some(core::net::IpAddr::V6(src)), false) = (src, dst.is_unspecified()) else { return };
        let mut made = std::mem::take(&mut self.made);
        start(&mut made, EtherType::IPV6);
        let traffic_class = ip.traffic_class() & !3;
        let header = V6 { src, dst, hop_limit: 64, traffic_class, protocol: PROTOCOL_V6 };
        if let Ok(at) = header.write(&mut made, message.len()) {
            made.extend_from_slice(message);
            if let Ok(mut message) = icmp::Packet::new_checked(&mut made[at..]) {
                message.set_kind(v6::ECHO_REPLY, 0);
                message.fill_checksum_v6(src, dst);
            }
            self.send_own_v6(work, port, &made, dst);
        }
        self.made = made;
    }

    pub(super) fn reset_v6(
        &mut self,
        work: &mut Work<'_>,
        port: u32,
        ip: &ipv6::Packet<&[u8]>,
        mut answer: [u8; tcp::MIN_HEADER_LEN],
    ) {
        let mut made = std::mem::take(&mut self.made);
        start(&mut made, EtherType::IPV6);
        let (src, dst) = (ip.dst(), ip.src());
        let sum = pseudo_v6(src, dst, tcp::PROTOCOL, answer.len() as u32) + Sum::of(&answer);
        put(&mut answer, tcp::CHECKSUM_OFFSET, sum.checksum().to_be_bytes());
        let traffic_class = ip.traffic_class() & !3;
        let header = V6 { src, dst, hop_limit: 64, traffic_class, protocol: tcp::PROTOCOL };
        if header.write(&mut made, answer.len()).is_ok() {
            made.extend_from_slice(&answer);
            self.send_own_v6(work, port, &made, dst);
        }
        self.made = made;
    }
}

fn check(right: bool) -> Result<(), DropCause> {
    if right { Ok(()) } else { Err(DropCause::Malformed) }
}

fn end(work: &mut Work<'_>, frame: Frame, outcome: Result<(), DropCause>) {
    match outcome {
        Ok(()) => work.consume(frame),
        Err(cause) => work.drop(frame, cause),
    }
}

/// What a walk over a packet's extension headers tells besides where the transport is.
struct Headers {
    /// Where the field is that names the transport, from the packet's start.
    next_header: u32,
    /// Where the type of a routing header is that has segments left.
    segments_left: Option<u32>,
}

fn headers(ip: &ipv6::Packet<&[u8]>) -> Headers {
    let payload = ip.payload();
    let (mut kind, mut at, mut next_header) = (ip.next_header(), 0usize, 6u32);
    let end = ip.transport().offset;
    let mut segments_left = None;
    // every header that the walk to the transport passed is whole, so each of these steps moves on
    while at < end {
        let Some([next, len, _, left, ..]) = payload.get(at..) else { break };
        if kind == ipv6::ROUTING && *left > 0 && segments_left.is_none() {
            segments_left = Some((ipv6::HEADER_LEN + at + 2) as u32);
        }
        next_header = (ipv6::HEADER_LEN + at) as u32;
        at += match kind {
            ipv6::FRAGMENT => 8,
            ipv6::AUTHENTICATION => (usize::from(*len) + 2) * 4,
            _ => usize::from(*len) * 8 + 8,
        };
        kind = *next;
    }
    Headers { next_header, segments_left }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;

    #[test]
    fn ping_is_answered_by_every_own_address() {
        let mut bench = Bench::new();
        for len in [0, 56, 1472, 8000] {
            let data = vec![0x5a; len];
            for (src, dst) in [("10.0.0.9", "10.0.0.1"), ("10.0.0.9", "10.0.2.1"), ("fd00::9", "fd00:0:0:2::1")] {
                let out = bench.receive(0, &ping(src, dst, &data));
                let kind = if src.starts_with('1') { 0 } else { 129 };
                assert_eq!(the_error(&out, dst, src), (kind, 0, 0x1234_0001, data.clone()));
                assert_eq!((bench.consumed(), &the_frame(&out).1[..6]), (1, &host_mac(9).0[..]));
            }
        }
    }

    #[test]
    fn ping_to_a_group_is_answered_from_an_own_address() {
        let mut bench = Bench::new();
        for (src, dst, from) in [("fd00::9", "ff02::1", "fd00::1"), ("fd00::9", "ff02::2", "fd00::1")] {
            let mut frame = ping(src, dst, b"x");
            frame[..6].copy_from_slice(&[0x33, 0x33, 0, 0, 0, if dst.ends_with('1') { 1 } else { 2 }]);
            let out = bench.receive(0, &frame);
            assert_eq!(the_error(&out, from, src).0, 129);
        }
        // from a link-local address by the link-local one; it is asked for first
        let out = bench.receive(0, &ping("fe80::7", "ff02::1", b"x"));
        assert_eq!(the_frame(&out).1[54], 135);
    }

    #[test]
    fn a_long_answer_fits_the_way_back_in_fragments() {
        let mut bench = Bench::new();
        bench.router.set_mtu(0, Some(1500));
        let out = bench.receive(0, &ping("10.0.0.9", "10.0.0.1", &[1; 3000]));
        assert_eq!(out.len(), 3);
    }

    #[test]
    fn closed_ports_say_so() {
        let mut bench = Bench::new();
        for (src, dst, kind) in [("10.0.0.9", "10.0.1.1", (3, 3)), ("fd00::9", "fd00:0:0:1::1", (1, 4))] {
            let frame = udp(src, dst, 33434, b"traceroute");
            let out = bench.receive(0, &frame);
            let from = if src.starts_with('1') { "10.0.0.1" } else { "fd00::1" };
            assert_eq!(the_error(&out, from, src), (kind.0, kind.1, 0, frame[14..].to_vec()));
            let mut damaged = frame.clone();
            *damaged.last_mut().unwrap() ^= 1;
            assert_eq!(bench.receive(0, &damaged), [Out::Dropped(DropCause::Malformed)]);
        }
    }

    #[test]
    fn connections_are_reset() {
        let mut bench = Bench::new();
        let mut syn = [0; 20];
        syn[..4].copy_from_slice(&[0x9c, 0x40, 0, 80]);
        syn[4..8].copy_from_slice(&[0, 0, 0, 9]);
        syn[12..14].copy_from_slice(&[0x50, 0x02]);
        for (src, dst) in [("10.0.0.9", "10.0.1.1"), ("fd00::9", "fd00:0:0:1::1")] {
            let frame = ip_summed(src, dst, 6, &syn, 16);
            let (_, answer) = the_frame(&bench.receive(0, &frame));
            let l4 = answer.len() - 20;
            assert_eq!(transport_sum(&answer), 0xffff);
            assert_eq!(answer[l4..l4 + 14], [0, 80, 0x9c, 0x40, 0, 0, 0, 0, 0, 0, 0, 10, 0x50, 0x14]);
            let mut reset = syn;
            reset[13] = 0x04;
            let out = bench.receive(0, &ip_summed(src, dst, 6, &reset, 16));
            assert_eq!((out, bench.consumed()), (vec![], 1));
        }
    }

    #[test]
    fn unknown_protocols_are_named() {
        let mut bench = Bench::new();
        assert_eq!(bench.receive(0, &ip("10.0.0.9", "10.0.0.1", 132, &[0; 8]))[0].code(), (3, 2));
        let out = bench.receive(0, &ip("fd00::9", "fd00::1", 132, &[0; 8]));
        assert_eq!(the_error(&out, "fd00::1", "fd00::9").2, 6);
        // behind destination options of 16 bytes
        let options = [&[60, 0, 1, 4, 0, 0, 0, 0, 132, 1, 1, 12][..], &[0; 20]].concat();
        let out = bench.receive(0, &ip("fd00::9", "fd00::1", 60, &options));
        let (kind, code, at, _) = the_error(&out, "fd00::1", "fd00::9");
        assert_eq!((kind, code, at), (4, 1, 48));
    }

    #[test]
    fn a_route_over_the_router_is_refused() {
        let mut bench = Bench::new();
        let routing = [&[17, 2, 0, 1, 0, 0, 0, 0][..], &[0; 16], &[0; 8]].concat();
        let out = bench.receive(0, &ip("fd00::9", "fd00::1", 43, &routing));
        let (kind, code, at, _) = the_error(&out, "fd00::1", "fd00::9");
        assert_eq!((kind, code, at), (4, 0, 42));
    }

    #[test]
    fn fragments_and_damage_are_not_answered() {
        let mut bench = Bench::new();
        let first = with_flags(ping("10.0.0.9", "10.0.0.1", &[1; 64]), 0x2000);
        assert_eq!(bench.receive(0, &first), [Out::Dropped(DropCause::Unsupported)]);
        let fragment = ip("fd00::9", "fd00::1", 44, &[&[58, 0, 0, 1, 0, 0, 0, 7][..], &[0; 64]].concat());
        assert_eq!(bench.receive(0, &fragment), [Out::Dropped(DropCause::Unsupported)]);
        for mut frame in [ping("10.0.0.9", "10.0.0.1", b"x"), ping("fd00::9", "fd00::1", b"x")] {
            *frame.last_mut().unwrap() ^= 4;
            assert_eq!(bench.receive(0, &frame), [Out::Dropped(DropCause::Malformed)]);
        }
        // answers and errors are read, and that is all
        for kind in [0u8, 3, 11, 30] {
            let frame = ip_summed("10.0.0.9", "10.0.0.1", 1, &[kind, 0, 0, 0, 0, 0, 0, 0], 2);
            assert_eq!((bench.receive(0, &frame), bench.consumed()), (vec![], 1));
        }
        let igmp = ip("10.0.0.9", "224.0.0.22", IGMP, &[0x22; 8]);
        assert_eq!((bench.receive(0, &igmp), bench.consumed()), (vec![], 1));
    }

    #[test]
    fn no_error_is_sent_about_an_error() {
        let mut bench = Bench::new();
        let error = |kind| with_ttl(ip_summed("10.0.0.9", "10.0.1.9", 1, &[kind, 0, 0, 0, 0, 0, 0, 0], 2), 1);
        for kind in [3, 11, 12] {
            assert_eq!(bench.receive(0, &error(kind)), [Out::Dropped(DropCause::TtlExceeded)]);
        }
        assert_eq!(bench.receive(0, &error(8)).len(), 2, "about a question there is");
        let later = with_flags(with_ttl(udp("10.0.0.9", "10.0.1.9", 53, &[1; 64]), 1), 1);
        assert_eq!(bench.receive(0, &later), [Out::Dropped(DropCause::TtlExceeded)]);
    }
}

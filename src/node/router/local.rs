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
use crate::wire::icmp_error::{PROTOCOL_V4, PROTOCOL_V6, V4, V6, reset, udp_checksum_ok};
use crate::wire::{ipv4, ipv6, put, tcp, udp};

/// Protocol number of IGMP (RFC 3376).
const IGMP: u8 = 2;

impl Router {
    /// An IPv4 packet for the router alone, or for all.
    #[cold]
    pub(super) fn deliver_v4(&mut self, work: &mut Work<'_>, port: u32, frame: Frame, to_all: bool) {
        let read = self.read_whole(work, &frame);
        let outcome = match ipv4::Packet::new_checked(&read[HEADER_LEN..]) {
            Ok(ip) if to_all => broadcast_v4(&ip),
            Ok(ip) => self.answer_v4(work, port, &read, &ip),
            Err(_) => Err(DropCause::Malformed),
        };
        self.read = read;
        end(work, frame, outcome);
    }

    /// An IPv6 packet for the router alone, or for a group that it is in.
    #[cold]
    pub(super) fn deliver_v6(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) {
        let read = self.read_whole(work, &frame);
        let outcome = match ipv6::Packet::new_checked(&read[HEADER_LEN..]) {
            Ok(ip) => self.answer_v6(work, port, &read, &ip),
            Err(_) => Err(DropCause::Malformed),
        };
        self.read = read;
        end(work, frame, outcome);
    }

    /// The first wire frame of a stretch: a train for the router gets one answer.
    fn read_whole(&mut self, work: &Work<'_>, frame: &Frame) -> Vec<u8> {
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
                if let Some(answer) = reset(payload) {
                    self.reset_v4(work, ip, answer);
                }
            }
            udp::PROTOCOL => {
                check(udp_checksum_ok(payload, pseudo(), true))?;
                self.report_bytes(work, port, frame, Problem::NoPort);
            }
            IGMP => {}
            _ => self.report_bytes(work, port, frame, Problem::NoProtocol(0)),
        }
        Ok(())
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

    fn reset_v4(&mut self, work: &mut Work<'_>, ip: &ipv4::Packet<&[u8]>, mut answer: [u8; tcp::MIN_HEADER_LEN]) {
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
                if let Some(answer) = reset(payload) {
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

    fn reset_v6(
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

/// A packet for all: membership reports are heard; nothing is answered (RFC 1122 §3.2.2.6 leaves ping open).
fn broadcast_v4(ip: &ipv4::Packet<&[u8]>) -> Result<(), DropCause> {
    if ip.protocol() == IGMP { Ok(()) } else { Err(DropCause::Unsupported) }
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

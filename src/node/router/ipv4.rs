//! Forwarding of IPv4 (RFC 1812 §5).

use core::net::Ipv4Addr;

use super::errors::Problem;
use super::interface::Role;
use super::{Hop, Router, Work};
use crate::frame::{DropCause, Frame};
use crate::wire::ethernet::HEADER_LEN;
use crate::wire::fragment::Fragments;
use crate::wire::icmp_error::is_host_v4;
use crate::wire::ipv4;

impl Router {
    pub(super) fn receive_v4(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) {
        let view = work.pool.view(&frame);
        let to_group = view.head[0] & 1 != 0;
        // RFC 1812 §5.2.2. The total length of a super-frame is that of the whole train.
        let ip = match ipv4::Packet::new_checked(&view.head[HEADER_LEN..]) {
            Ok(ip) if ip.checksum_ok() && usize::from(ip.total_len()) <= view.total() - HEADER_LEN => ip,
            _ => return work.drop(frame, DropCause::Malformed),
        };
        let (src, dst) = (ip.src(), ip.dst());
        let packet = usize::from(ip.total_len());
        if view.cut.is_none() && view.total() > HEADER_LEN + packet {
            let frame = self.trim(work, frame, packet);
            return self.checked_v4(work, port, frame, src, dst, to_group);
        }
        self.checked_v4(work, port, frame, src, dst, to_group);
    }

    #[inline]
    fn checked_v4(
        &mut self,
        work: &mut Work<'_>,
        port: u32,
        frame: Frame,
        src: Ipv4Addr,
        dst: Ipv4Addr,
        to_group: bool,
    ) {
        // Martians (RFC 1812 §5.3.7, RFC 1122 §3.2.1.3): no host has such an address, or it is ours. Only a host that has
        // none yet speaks from 0.0.0.0, and only to all.
        let no_address_yet = src.is_unspecified() && dst.is_broadcast();
        if !(no_address_yet || is_host_v4(src) && self.roles.of(src.into()).is_none()) {
            return work.drop(frame, DropCause::Malformed);
        }
        match self.roles.of(dst.into()) {
            Some(Role::Own | Role::LinkLocal(_)) if !to_group => return self.deliver_v4(work, port, frame, false),
            // directed broadcasts are not forwarded (RFC 2644)
            Some(_) => return self.deliver_v4(work, port, frame, true),
            None if dst.is_multicast() || dst.is_broadcast() => return self.deliver_v4(work, port, frame, true),
            None if !is_host_v4(dst) => return work.drop(frame, DropCause::Malformed),
            // a broadcast of the link is for nobody else (RFC 1812 §5.3.4)
            None if to_group => return work.drop(frame, DropCause::Unsupported),
            // RFC 3927 §2.6.2
            None if src.is_link_local() || dst.is_link_local() => return work.drop(frame, DropCause::NoRoute),
            None => {}
        }
        self.forward_v4(work, port, frame, dst);
    }

    #[inline]
    fn forward_v4(&mut self, work: &mut Work<'_>, port: u32, frame: Frame, dst: Ipv4Addr) {
        let head = work.pool.view(&frame).head;
        let (ttl, dont_fragment) = (head[HEADER_LEN + 8], head[HEADER_LEN + 6] & 0x40 != 0);
        if ttl <= 1 {
            self.report(work, port, &frame, Problem::TtlExceeded);
            return work.drop(frame, DropCause::TtlExceeded);
        }
        let Some(hop) = self.route(work, dst.into()) else {
            self.report(work, port, &frame, Problem::NoRoute);
            return work.drop(frame, DropCause::NoRoute);
        };
        if let Some(mtu) = self.exceeded_mtu(work, hop.port, &frame) {
            return self.forward_large_v4(work, port, hop, dst, frame, mtu, dont_fragment);
        }
        self.leave_v4(work, port, hop, dst, frame);
    }

    /// A packet that fits leaves.
    #[inline]
    fn leave_v4(&mut self, work: &mut Work<'_>, port: u32, hop: Hop, dst: Ipv4Addr, frame: Frame) {
        let frame = work.pool.own_head(frame);
        take_hop(work.pool.head_mut(&frame));
        self.transmit(work, Some(port), hop.port, hop.via.unwrap_or(dst.into()), frame);
    }

    /// A packet, or a train with some, larger than the next link's MTU: an error where it must not be fragmented, else fragments
    /// (RFC 1812 §4.2.2.7, RFC 1191 §4). One error tells a whole train.
    #[cold]
    #[expect(clippy::too_many_arguments, reason = "all that is known of the packet, on one cold path")]
    fn forward_large_v4(
        &mut self,
        work: &mut Work<'_>,
        port: u32,
        hop: Hop,
        dst: Ipv4Addr,
        frame: Frame,
        mtu: u32,
        dont_fragment: bool,
    ) {
        let (large, rest) = self.split_too_large(work, mtu, frame);
        if dont_fragment {
            self.report(work, port, &large, Problem::TooLarge(mtu));
            work.drop(large, DropCause::Mtu);
        } else {
            self.fragment(work, Some(port), hop, dst, large, mtu, true);
        }
        if let Some(rest) = rest {
            self.leave_v4(work, port, hop, dst, rest);
        }
    }

    /// Sends each wire frame as fragments, which are frames of the router's own.
    #[expect(clippy::too_many_arguments, reason = "all that is known of the packet, on one cold path")]
    pub(super) fn fragment(
        &mut self,
        work: &mut Work<'_>,
        from: Option<u32>,
        hop: Hop,
        dst: Ipv4Addr,
        mut frame: Frame,
        mtu: u32,
        forwarded: bool,
    ) {
        while frame.count() > 1 {
            let first = work.pool.split_front(&mut frame, 1);
            self.fragment_one(work, from, hop, dst, first, mtu, forwarded);
        }
        self.fragment_one(work, from, hop, dst, frame, mtu, forwarded);
    }

    #[expect(clippy::too_many_arguments, reason = "all that is known of the packet, on one cold path")]
    fn fragment_one(
        &mut self,
        work: &mut Work<'_>,
        from: Option<u32>,
        hop: Hop,
        dst: Ipv4Addr,
        frame: Frame,
        mtu: u32,
        forwarded: bool,
    ) {
        let (mut read, mut made) = (std::mem::take(&mut self.read), std::mem::take(&mut self.made));
        read.clear();
        work.pool.view(&frame).write_wire_frame(&mut read);
        if forwarded {
            take_hop(&mut read);
        }
        match Fragments::new(&read[HEADER_LEN..], mtu as usize) {
            Err(_) => work.drop(frame, DropCause::Mtu),
            Ok(mut fragments) => {
                loop {
                    made.clear();
                    made.extend_from_slice(&read[..HEADER_LEN]);
                    if !fragments.write_next(&mut made) {
                        break;
                    }
                    if let Some(piece) = work.originate(&made) {
                        self.transmit(work, from, hop.port, hop.via.unwrap_or(dst.into()), piece);
                    }
                }
                work.consume(frame);
            }
        }
        (self.read, self.made) = (read, made);
    }

    /// Sends an IPv4 packet of the router's own: `made`, with an Ethernet header in front that has its type alone.
    pub(super) fn send_own_v4(&mut self, work: &mut Work<'_>, made: &[u8], dst: Ipv4Addr) {
        let Some(hop) = self.route(work, dst.into()) else { return };
        let Some(frame) = work.originate(made) else { return };
        match self.exceeded_mtu(work, hop.port, &frame) {
            Some(mtu) => self.fragment(work, None, hop, dst, frame, mtu, false),
            None => self.transmit(work, None, hop.port, hop.via.unwrap_or(dst.into()), frame),
        }
    }

    /// An id for a packet of the router's own.
    pub(super) fn next_id(&mut self) -> u16 {
        self.id = self.id.wrapping_add(1);
        self.id
    }
}

/// TTL − 1, and the checksum with it (RFC 1624). The caller knows that the header is there, and the TTL above 1.
#[inline]
fn take_hop(head: &mut [u8]) {
    if let Ok(mut ip) = ipv4::Packet::new_checked(&mut head[HEADER_LEN..]) {
        let ttl = ip.ttl();
        ip.set_ttl(ttl.saturating_sub(1));
    }
}

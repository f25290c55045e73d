//! Forwarding of IPv6 (RFC 8200, RFC 4291 §2.5.6, RFC 4443).

use core::net::Ipv6Addr;

use super::errors::Problem;
use super::interface::Role;
use super::{Hop, Router, Work};
use crate::frame::{DropCause, Frame};
use crate::wire::ethernet::HEADER_LEN;
use crate::wire::icmp_error::is_host_v6;
use crate::wire::ipv6;

impl Router {
    pub(super) fn receive_v6(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) {
        let view = work.pool.view(&frame);
        let to_group = view.head[0] & 1 != 0;
        let (ip, packet) = match ipv6::Packet::new_checked(&view.head[HEADER_LEN..]) {
            Ok(ip) => (ip, ipv6::HEADER_LEN + usize::from(ip.payload_len())),
            Err(_) => return work.drop(frame, DropCause::Malformed),
        };
        // the payload length of a super-frame is that of the whole train
        if packet > view.total() - HEADER_LEN {
            return work.drop(frame, DropCause::Malformed);
        }
        let (src, dst) = (ip.src(), ip.dst());
        if view.cut.is_none() && view.total() > HEADER_LEN + packet {
            let frame = self.trim(work, frame, packet);
            return self.checked_v6(work, port, frame, src, dst, to_group);
        }
        self.checked_v6(work, port, frame, src, dst, to_group);
    }

    #[inline]
    fn checked_v6(
        &mut self,
        work: &mut Work<'_>,
        port: u32,
        frame: Frame,
        src: Ipv6Addr,
        dst: Ipv6Addr,
        to_group: bool,
    ) {
        // who has no address yet speaks to groups (RFC 4862 §5.4.2); what comes from us cannot come in
        let no_address_yet = src.is_unspecified() && dst.is_multicast();
        if !(no_address_yet || is_host_v6(src) && self.roles.of(src.into()).is_none()) {
            return work.drop(frame, DropCause::Malformed);
        }
        if dst.is_multicast() {
            if self.interfaces[port as usize].is_member(dst) {
                return self.deliver_v6(work, port, frame);
            }
            // another group with the same Ethernet address, or one that would have to be routed
            return work.drop(frame, DropCause::OtherHost);
        }
        if !is_host_v6(dst) {
            return work.drop(frame, DropCause::Malformed);
        }
        match self.roles.of(dst.into()) {
            Some(Role::Own) => return self.deliver_v6(work, port, frame),
            Some(Role::LinkLocal(own)) if own == port => return self.deliver_v6(work, port, frame),
            _ => {}
        }
        if to_group {
            return work.drop(frame, DropCause::Unsupported);
        }
        self.forward_v6(work, port, frame, src, dst);
    }

    #[inline]
    fn forward_v6(&mut self, work: &mut Work<'_>, port: u32, frame: Frame, src: Ipv6Addr, dst: Ipv6Addr) {
        // link-local packets stay on their link (RFC 4291 §2.5.6)
        if dst.is_unicast_link_local() {
            self.report(work, port, &frame, Problem::NoRoute);
            return work.drop(frame, DropCause::NoRoute);
        }
        if src.is_unicast_link_local() {
            self.report(work, port, &frame, Problem::BeyondScope);
            return work.drop(frame, DropCause::NoRoute);
        }
        if work.pool.view(&frame).head[HEADER_LEN + 7] <= 1 {
            self.report(work, port, &frame, Problem::TtlExceeded);
            return work.drop(frame, DropCause::TtlExceeded);
        }
        let Some(hop) = self.route(work, dst.into()) else {
            self.report(work, port, &frame, Problem::NoRoute);
            return work.drop(frame, DropCause::NoRoute);
        };
        if let Some(mtu) = self.exceeded_mtu(work, hop.port, &frame) {
            return self.refuse_large_v6(work, port, hop, dst, frame, mtu);
        }
        self.leave_v6(work, port, hop, dst, frame);
    }

    /// A packet that fits leaves.
    #[inline]
    fn leave_v6(&mut self, work: &mut Work<'_>, port: u32, hop: Hop, dst: Ipv6Addr, frame: Frame) {
        let frame = work.pool.own_head(frame);
        if let Ok(mut ip) = ipv6::Packet::new_checked(&mut work.pool.head_mut(&frame)[HEADER_LEN..]) {
            let hops = ip.hop_limit();
            ip.set_hop_limit(hops.saturating_sub(1));
        }
        self.transmit(work, Some(port), hop.port, hop.via.unwrap_or(dst.into()), frame);
    }

    /// Routers do not fragment IPv6: the sender is told (RFC 8200 §4.5, RFC 4443 §3.2). One error tells a whole train.
    #[cold]
    fn refuse_large_v6(&mut self, work: &mut Work<'_>, port: u32, hop: Hop, dst: Ipv6Addr, frame: Frame, mtu: u32) {
        let (large, rest) = self.split_too_large(work, mtu, frame);
        self.report(work, port, &large, Problem::TooLarge(mtu));
        work.drop(large, DropCause::Mtu);
        if let Some(rest) = rest {
            self.leave_v6(work, port, hop, dst, rest);
        }
    }

    /// Sends an IPv6 packet of the router's own: `made`, with an Ethernet header in front that has its type alone. To a link-local
    /// address it goes to the link of `port`.
    pub(super) fn send_own_v6(&mut self, work: &mut Work<'_>, port: u32, made: &[u8], dst: Ipv6Addr) {
        let hop =
            if dst.is_unicast_link_local() { Some(Hop { port, via: None }) } else { self.route(work, dst.into()) };
        let Some(hop) = hop else { return };
        let Some(frame) = work.originate(made) else { return };
        match self.exceeded_mtu(work, hop.port, &frame) {
            Some(_) => work.drop(frame, DropCause::Mtu),
            None => self.transmit(work, None, hop.port, hop.via.unwrap_or(dst.into()), frame),
        }
    }
}

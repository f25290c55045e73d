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
        let Some(frame) = self.filter(work, port, Some(hop.port), frame) else { return };
        let frame = match &mut self.translator {
            None => frame,
            Some(translator) => match translator.passing(work, port, hop.port, frame) {
                Some(frame) => frame,
                None => return,
            },
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

#[cfg(test)]
mod tests {
    use super::super::testing::*;
    use super::*;
    use crate::wire::gso::GsoKind;
    use crate::wire::testing::Train;

    #[test]
    fn a_packet_is_passed_on_with_one_hop_less() {
        let mut bench = Bench::new();
        let frame = with_ttl(udp("fd00::9", "fd00:0:0:1::9", 53, &[7; 1000]), 2);
        let (port, sent) = the_frame(&bench.receive(0, &frame));
        assert_eq!((port, &sent[..6], &sent[6..12]), (1, &host_mac(19).0[..], &router_mac(1).0[..]));
        let mut expected = with_ttl(frame, 1);
        expected[..12].copy_from_slice(&sent[..12]);
        assert_eq!(sent, expected);
    }

    #[test]
    fn a_hop_by_hop_header_is_passed_as_it_is() {
        let mut bench = Bench::new();
        let message = [&[17, 0, 5, 2, 0, 0, 0, 0][..], &[0x0f, 0xa0, 0, 53, 0, 8, 1, 1]].concat();
        let frame = ip("fd00::9", "fd00:0:0:1::9", 0, &message);
        assert_eq!(the_frame(&bench.receive(0, &frame)).1[54..], message);
    }

    #[test]
    fn senders_are_told_why_a_packet_ends() {
        let mut bench = Bench::new();
        let to = |dst: &str, ttl| with_ttl(udp("fd00::9", dst, 53, b"hello"), ttl);
        for (frame, cause, kind, code) in [
            (to("fd00:0:0:1::9", 1), DropCause::TtlExceeded, 3, 0),
            (to("2001:db8::1", 64), DropCause::NoRoute, 1, 0),
            (to("fe80::99", 64), DropCause::NoRoute, 1, 0),
        ] {
            let out = bench.receive(0, &frame);
            assert_eq!(out[1..], [Out::Dropped(cause)]);
            assert_eq!(the_error(&out, "fd00::1", "fd00::9"), (kind, code, 0, frame[14..].to_vec()));
        }
    }

    #[test]
    fn a_link_local_source_stays_on_its_link() {
        let mut bench = Bench::new();
        let out = bench.receive(0, &udp("fe80::9", "fd00:0:0:1::9", 53, b"hello"));
        // the answer waits for the neighbour
        let (_, question) = the_frame(&out);
        assert_eq!((out[1].clone(), bench.router.held(), question[54]), (Out::Dropped(DropCause::NoRoute), 1, 135));
        let answer = crate::wire::nd::advertisement("fe80::9".parse().unwrap(), host_mac(5), Default::default());
        let frame = with_ttl(ip_summed("fe80::9", "fe80::ff:fe00:100", 58, &answer, 2), 255);
        let out = bench.receive(0, &frame);
        assert_eq!(out[0].code(), (1, 2));
        let _ = the_error(&out, "fe80::ff:fe00:100", "fe80::9");
    }

    #[test]
    fn impossible_addresses_are_malformed_and_groups_not_passed_on() {
        let mut bench = Bench::new();
        for (src, dst) in [
            ("::", "fd00:0:0:1::9"),
            ("::1", "fd00:0:0:1::9"),
            ("ff02::1", "fd00:0:0:1::9"),
            ("::ffff:10.0.0.9", "fd00:0:0:1::9"),
            ("fd00:0:0:1::1", "fd00:0:0:1::9"),
            ("fd00::9", "::1"),
            ("fd00::9", "::ffff:10.0.1.9"),
        ] {
            let out = bench.receive(0, &udp(src, dst, 53, b"x"));
            assert_eq!(out, [Out::Dropped(DropCause::Malformed)], "{src} to {dst}");
        }
        assert_eq!(bench.receive(0, &udp("fd00::9", "ff05::1", 53, b"x")), [Out::Dropped(DropCause::OtherHost)]);
        let mut longer = udp("fd00::9", "fd00:0:0:1::9", 53, b"x");
        longer[19] += 1;
        assert_eq!(bench.receive(0, &longer), [Out::Dropped(DropCause::Malformed)]);
    }

    #[test]
    fn what_is_too_big_is_refused_with_the_mtu() {
        let mut bench = Bench::new();
        bench.router.set_mtu(1, Some(1280));
        let of = |len: usize| udp("fd00::9", "fd00:0:0:1::9", 53, &vec![7; len]);
        assert_eq!(the_frame(&bench.receive(0, &of(1232))).0, 1);
        let frame = of(1233);
        let out = bench.receive(0, &frame);
        assert_eq!(out[1..], [Out::Dropped(DropCause::Mtu)]);
        assert_eq!(the_error(&out, "fd00::1", "fd00::9"), (2, 0, 1280, frame[14..14 + 1232].to_vec()));
    }

    #[test]
    fn of_a_train_that_is_too_big_one_error_tells_and_the_short_end_passes() {
        let mut bench = Bench::new();
        let mut train = Train::plain(GsoKind::Tcp6, 1428, 2 * 1428 + 50);
        train.frame[..6].copy_from_slice(&router_mac(0).0);
        let addresses: [Ipv6Addr; 2] = ["fd00::9".parse().unwrap(), "fd00:0:0:1::9".parse().unwrap()];
        train.frame[22..38].copy_from_slice(&addresses[0].octets());
        train.frame[38..54].copy_from_slice(&addresses[1].octets());
        assert_eq!(bench.receive_train(0, &train).len(), 3);
        bench.router.set_mtu(1, Some(1400));
        let out = bench.receive_train(0, &train);
        assert_eq!((out.len(), out[0].code()), (4, (2, 0)));
        assert!(matches!(&out[3], Out::Sent(1, last) if last.len() == 74 + 50 && last[21] == 62));
    }
}

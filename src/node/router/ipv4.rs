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
        let (frame, dst) = match self.translator.as_mut().filter(|_| !to_group) {
            Some(translator) => match translator.arriving(work, port, frame, dst) {
                Some(translated) => translated,
                None => return,
            },
            None => (frame, dst),
        };
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
        let Some(frame) = self.filter(work, port, Some(hop.port), frame) else { return };
        if let Some(mtu) = self.exceeded_mtu(work, hop.port, &frame) {
            return self.forward_large_v4(work, port, hop, dst, frame, mtu, dont_fragment);
        }
        self.leave_v4(work, port, hop, dst, frame);
    }

    /// Behind the route: a packet gets its outside endpoint where it leaves by the outside. `None` where it was dropped.
    #[inline]
    fn translate(&mut self, work: &mut Work<'_>, port: u32, frame: Frame) -> Option<Frame> {
        match &mut self.translator {
            Some(translator) => translator.leaving(work, port, frame),
            None => Some(frame),
        }
    }

    /// A packet that fits leaves.
    #[inline]
    fn leave_v4(&mut self, work: &mut Work<'_>, port: u32, hop: Hop, dst: Ipv4Addr, frame: Frame) {
        let frame = work.pool.own_head(frame);
        take_hop(work.pool.head_mut(&frame));
        let Some(frame) = self.translate(work, hop.port, frame) else { return };
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
        } else if let Some(large) = self.translate(work, hop.port, large) {
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
                        work.pool.inherit_origin(&frame, &piece);
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
        let Some(frame) = self.translate(work, hop.port, frame) else { return };
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::*;
    use super::*;
    use crate::wire::ethernet::MacAddr;
    use crate::wire::gso::GsoKind;
    use crate::wire::testing::Train;

    const DF: u16 = 0x4000;

    #[test]
    fn a_packet_is_passed_on_with_one_hop_less() {
        let mut bench = Bench::new();
        let frame = with_ttl(udp("10.0.0.9", "10.0.1.9", 53, &[7; 1000]), 2);
        let (port, sent) = the_frame(&bench.receive(0, &frame));
        assert_eq!((port, &sent[..6], &sent[6..12]), (1, &host_mac(19).0[..], &router_mac(1).0[..]));
        let mut expected = with_ttl(frame, 1);
        expected[..12].copy_from_slice(&sent[..12]);
        assert_eq!(sent, expected, "nothing else changes");
    }

    #[test]
    fn options_are_passed_as_they_are() {
        let mut bench = Bench::new();
        let mut frame = udp("10.0.0.9", "10.0.1.9", 53, b"abcd");
        // router alert
        frame.splice(34..34, [0x94, 4, 0, 0]);
        frame[14] = 0x46;
        frame[17] += 4;
        refill(&mut frame);
        let (_, sent) = the_frame(&bench.receive(0, &frame));
        assert_eq!(sent[34..], frame[34..]);
    }

    #[test]
    fn the_last_hop_is_told_and_the_error_quotes_the_packet() {
        let mut bench = Bench::new();
        for ttl in [0, 1] {
            let frame = with_ttl(udp("10.0.0.9", "10.0.1.9", 53, b"hello"), ttl);
            let out = bench.receive(0, &frame);
            assert_eq!(out[1..], [Out::Dropped(DropCause::TtlExceeded)]);
            assert_eq!(the_error(&out, "10.0.0.1", "10.0.0.9"), (11, 0, 0, frame[14..].to_vec()));
        }
    }

    #[test]
    fn without_a_route_the_network_is_unreachable() {
        let mut bench = Bench::new();
        let frame = udp("10.0.0.9", "192.0.2.1", 53, b"hello");
        let out = bench.receive(0, &frame);
        assert_eq!(out[1..], [Out::Dropped(DropCause::NoRoute)]);
        assert_eq!(the_error(&out, "10.0.0.1", "10.0.0.9"), (3, 0, 0, frame[14..].to_vec()));
    }

    #[test]
    fn impossible_headers_and_martians_are_malformed() {
        let mut bench = Bench::new();
        let good = udp("10.0.0.9", "10.0.1.9", 53, b"hello");
        for (what, at, to) in [("version", 14, 0x65), ("header length", 14, 0x44), ("total length", 17, 200)] {
            let mut bad = good.clone();
            bad[at] = to;
            refill(&mut bad);
            assert_eq!(bench.receive(0, &bad), [Out::Dropped(DropCause::Malformed)], "{what}");
        }
        let mut bad = good.clone();
        bad[24] ^= 1;
        assert_eq!(bench.receive(0, &bad), [Out::Dropped(DropCause::Malformed)], "checksum");
        for (src, dst) in [
            ("127.0.0.1", "10.0.1.9"),
            ("0.0.0.0", "10.0.1.9"),
            ("224.0.0.1", "10.0.1.9"),
            ("255.255.255.255", "10.0.1.9"),
            ("10.0.1.1", "10.0.1.9"),
            ("10.0.0.255", "10.0.1.9"),
            ("10.0.0.9", "127.0.0.1"),
            ("10.0.0.9", "0.0.0.0"),
            ("10.0.0.9", "240.0.0.1"),
        ] {
            let out = bench.receive(0, &udp(src, dst, 53, b"x"));
            assert_eq!(out, [Out::Dropped(DropCause::Malformed)], "{src} to {dst}");
        }
        let link_local = udp("169.254.1.1", "10.0.1.9", 53, b"x");
        assert_eq!(bench.receive(0, &link_local), [Out::Dropped(DropCause::NoRoute)]);
    }

    #[test]
    fn broadcasts_are_not_passed_on() {
        let mut bench = Bench::new();
        for dst in ["10.0.1.255", "10.0.1.0", "255.255.255.255", "224.0.0.251"] {
            let out = bench.receive(0, &udp("10.0.0.9", dst, 53, b"x"));
            assert_eq!(out, [Out::Dropped(DropCause::Unsupported)], "{dst}");
        }
        let mut of_the_link = udp("10.0.0.9", "10.0.1.9", 53, b"x");
        of_the_link[..6].copy_from_slice(&MacAddr::BROADCAST.0);
        assert_eq!(bench.receive(0, &of_the_link), [Out::Dropped(DropCause::Unsupported)]);
        // nor answered, even to an own address
        let mut of_the_link = udp("10.0.0.9", "10.0.0.1", 53, b"x");
        of_the_link[..6].copy_from_slice(&MacAddr::BROADCAST.0);
        assert_eq!(bench.receive(0, &of_the_link), [Out::Dropped(DropCause::Unsupported)]);
        let mut dhcp = udp("0.0.0.0", "255.255.255.255", 67, b"x");
        dhcp[..6].copy_from_slice(&MacAddr::BROADCAST.0);
        assert_eq!(bench.receive(0, &dhcp), [Out::Dropped(DropCause::Unsupported)]);
    }

    #[test]
    fn what_must_not_be_fragmented_is_refused_with_the_mtu() {
        let mut bench = Bench::new();
        bench.router.set_mtu(1, Some(1000));
        let fits = with_flags(udp("10.0.0.9", "10.0.1.9", 53, &[7; 972]), DF);
        assert_eq!(the_frame(&bench.receive(0, &fits)).0, 1);
        let frame = with_flags(udp("10.0.0.9", "10.0.1.9", 53, &[7; 973]), DF);
        let out = bench.receive(0, &frame);
        assert_eq!(out[1..], [Out::Dropped(DropCause::Mtu)]);
        assert_eq!(the_error(&out, "10.0.0.1", "10.0.0.9"), (3, 4, 1000, frame[14..14 + 548].to_vec()));
        bench.router.set_mtu(1, None);
        assert_eq!(the_frame(&bench.receive(0, &frame)).0, 1);
    }

    #[test]
    fn of_a_train_that_is_too_large_one_error_tells_and_the_short_end_passes() {
        let mut bench = Bench::new();
        let mut train = Train::plain(GsoKind::Tcp4, 1448, 3 * 1448 + 100);
        train.frame[..6].copy_from_slice(&router_mac(0).0);
        train.frame[26..34].copy_from_slice(&[10, 0, 0, 9, 10, 0, 1, 9]);
        refill(&mut train.frame);
        // the pseudo header's sum is of other addresses, which does not matter here
        assert_eq!(bench.receive_train(0, &train).len(), 4, "a super-frame's length is no packet's");
        bench.router.set_mtu(1, Some(1487));
        let out = bench.receive_train(0, &train);
        let dropped = out.iter().filter(|out| **out == Out::Dropped(DropCause::Mtu)).count();
        assert_eq!((out.len(), dropped, out[0].code()), (5, 3, (3, 4)));
        let Some(Out::Sent(1, last)) = out.last() else { panic!("the last fits: {out:?}") };
        assert_eq!((last.len(), last[22]), (54 + 100, 62));
        bench.router.set_mtu(1, Some(1488));
        assert_eq!(bench.receive_train(0, &train).len(), 4);
    }

    #[test]
    fn trains_without_df_are_fragmented_frame_by_frame() {
        let mut bench = Bench::new();
        let mut train = Train::plain(GsoKind::Udp4, 1200, 3000);
        train.frame[..6].copy_from_slice(&router_mac(0).0);
        train.frame[26..34].copy_from_slice(&[10, 0, 0, 9, 10, 0, 1, 9]);
        train.frame[20] = 0;
        refill(&mut train.frame);
        let sum = crate::wire::testing::naive_sum(&Train::pseudo(GsoKind::Udp4, &train.frame, 14, 3008));
        train.frame[40..42].copy_from_slice(&sum.to_be_bytes());
        let whole: Vec<_> = bench.receive_train(0, &train);
        bench.router.set_mtu(1, Some(1000));
        let out = bench.receive_train(0, &train);
        assert_eq!((out.len(), bench.consumed()), (5, 2), "two of two fragments, and one that fits");
        // the fragments make the datagrams that would have passed whole
        for (n, whole) in whole.iter().enumerate() {
            let Out::Sent(1, whole) = whole else { panic!("it passes") };
            assert_eq!(transport_sum(whole), 0xffff);
            let mut payload: Vec<u8> = Vec::new();
            for out in &out {
                let Out::Sent(1, piece) = out else { panic!("all fit") };
                assert!(piece.len() <= 1014);
                assert_eq!(piece[22], 62);
                if piece[18..20] == whole[18..20] {
                    let at = usize::from(u16::from_be_bytes([piece[20], piece[21]]) & 0x1fff) * 8;
                    assert_eq!(at, payload.len(), "frame {n}");
                    payload.extend(&piece[34..]);
                }
            }
            assert_eq!(payload, whole[34..]);
        }
    }

    proptest! {
        #[test]
        fn fragments_make_the_packet_again_behind_two_routers(len in 0usize..4000, first in 68u32..1500, second in 68u32..1500) {
            let frame = udp("10.0.0.9", "10.0.1.9", 53, &(0..len).map(|i| (i % 251) as u8).collect::<Vec<_>>());
            let mut bench = Bench::new();
            bench.router.set_mtu(1, Some(first));
            let mut payload = vec![None; len + 8];
            for out in bench.receive(0, &frame) {
                let Out::Sent(1, piece) = out else { panic!("it is sent") };
                let mut next = Bench::new();
                next.router.set_mtu(1, Some(second));
                let piece = [&router_mac(0).0[..], &piece[6..]].concat();
                for out in next.receive(0, &piece) {
                    let (_, piece) = the_frame(&[out]);
                    prop_assert!(piece.len() <= 14 + second as usize);
                    prop_assert_eq!((piece[22], &piece[18..20]), (62, &frame[18..20]));
                    let at = usize::from(u16::from_be_bytes([piece[20], piece[21]]) & 0x1fff) * 8;
                    for (i, byte) in piece[34..].iter().enumerate() {
                        prop_assert_eq!(payload[at + i].replace(*byte), None);
                    }
                }
            }
            let payload: Option<Vec<u8>> = payload.into_iter().collect();
            prop_assert_eq!(payload.as_deref(), Some(&frame[34..]));
        }
    }
}

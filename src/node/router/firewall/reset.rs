//! The answer to a rejected TCP segment: what its destination would say if nobody listened there.

use super::Packet;
use crate::wire::checksum::{Sum, pseudo_v4, pseudo_v6};
use crate::wire::summary::{Addresses, Detail};
use crate::wire::tcp::{self, Flags};
use crate::wire::{ipv4, ipv6};

/// TTL and hop limit of an answer (RFC 1700's default, as Linux).
const TTL: u8 = 64;

/// A reset: an IP packet without Ethernet header, from the rejected segment's destination to its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    bytes: [u8; ipv6::HEADER_LEN + tcp::MIN_HEADER_LEN],
    len: usize,
}

impl AsRef<[u8]> for Reset {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Answers a segment by the rules for a closed port (RFC 9293 §3.10.7.1): a reset is not answered; one with ACK gets
/// `<SEQ=SEG.ACK><CTL=RST>`, any other `<SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>`. A train gets one answer, as all of
/// its segments acknowledge the same.
pub(super) fn reset(packet: &Packet<'_>, flags: Flags) -> Option<Reset> {
    let Detail::Tcp { src_port, dst_port, seq, ack, .. } = packet.summary.detail else { return None };
    if flags.contains(Flags::RST) {
        return None;
    }
    let (seq, ack, flags) = match flags.contains(Flags::ACK) {
        true => (ack, 0, Flags::RST),
        false => (0, seq.wrapping_add(segment_len(packet, flags)?), Flags::RST | Flags::ACK),
    };
    let mut segment = [0; tcp::MIN_HEADER_LEN];
    segment[..2].copy_from_slice(&dst_port.to_be_bytes());
    segment[2..4].copy_from_slice(&src_port.to_be_bytes());
    segment[4..8].copy_from_slice(&seq.to_be_bytes());
    segment[8..12].copy_from_slice(&ack.to_be_bytes());
    (segment[12], segment[13]) = ((tcp::MIN_HEADER_LEN as u8 / 4) << 4, flags.0);
    let len = tcp::MIN_HEADER_LEN as u32;
    let mut bytes = [0; ipv6::HEADER_LEN + tcp::MIN_HEADER_LEN];
    let (pseudo, header) = match packet.summary.addresses? {
        Addresses::V4(src, dst) => {
            let mut ip = ipv4::Packet::init(&mut bytes[..ipv4::MIN_HEADER_LEN]).ok()?;
            ip.set_total_len((ipv4::MIN_HEADER_LEN + tcp::MIN_HEADER_LEN) as u16);
            ip.set_fragment(true, false, 0);
            ip.set_ttl(TTL);
            ip.set_protocol(tcp::PROTOCOL);
            ip.set_src(dst);
            ip.set_dst(src);
            ip.fill_checksum();
            (pseudo_v4(dst, src, tcp::PROTOCOL, len), ipv4::MIN_HEADER_LEN)
        }
        Addresses::V6(src, dst) => {
            let mut ip = ipv6::Packet::init(&mut bytes[..ipv6::HEADER_LEN]).ok()?;
            ip.set_payload_len(tcp::MIN_HEADER_LEN as u16);
            ip.set_next_header(tcp::PROTOCOL);
            ip.set_hop_limit(TTL);
            ip.set_src(dst);
            ip.set_dst(src);
            (pseudo_v6(dst, src, tcp::PROTOCOL, len), ipv6::HEADER_LEN)
        }
    };
    let checksum = (pseudo + Sum::of(&segment)).checksum();
    segment[tcp::CHECKSUM_OFFSET..tcp::CHECKSUM_OFFSET + 2].copy_from_slice(&checksum.to_be_bytes());
    let len = header + tcp::MIN_HEADER_LEN;
    bytes[header..len].copy_from_slice(&segment);
    Some(Reset { bytes, len })
}

/// SEG.LEN: bytes of payload, by the lengths that the headers name, and one each for SYN and FIN (RFC 9293 §3.4).
fn segment_len(packet: &Packet<'_>, flags: Flags) -> Option<u32> {
    let (l3, l4) = (usize::from(packet.summary.l3_offset), usize::from(packet.summary.l4_offset?));
    let head = packet.view.head.get(l3..)?;
    let end = match packet.summary.addresses? {
        Addresses::V4(..) => usize::from(ipv4::Packet::new_checked(head).ok()?.total_len()),
        Addresses::V6(..) => ipv6::HEADER_LEN + usize::from(ipv6::Packet::new_checked(head).ok()?.payload_len()),
    };
    let header = l4 - l3 + usize::from(head.get(l4 - l3 + 12)? >> 4) * 4;
    let marks = u32::from(flags.contains(Flags::SYN)) + u32::from(flags.contains(Flags::FIN));
    Some(end.saturating_sub(header) as u32 + marks)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{tcp_with, with_packet};
    use super::*;
    use crate::wire::gso::GsoKind;
    use crate::wire::summary::FrameSummary;
    use crate::wire::testing::{Train, naive_sum};

    const A: [u8; 4] = [10, 0, 0, 1];
    const B: [u8; 4] = [10, 0, 1, 1];

    fn answer(frame: &[u8]) -> Option<Reset> {
        let Detail::Tcp { flags, .. } = FrameSummary::new(frame, frame.len()).detail else { return None };
        with_packet(frame, |packet| reset(packet, flags))
    }

    /// What an answer says: ports, numbers, flags.
    fn told(reset: &Reset, header: usize) -> (u16, u16, u32, u32, Flags) {
        let tcp = tcp::Packet::new_checked(&reset.as_ref()[header..]).unwrap();
        (tcp.src_port(), tcp.dst_port(), tcp.seq(), tcp.ack(), tcp.flags())
    }

    #[test]
    fn by_the_rules_for_a_closed_port() {
        let rst_ack = Flags::RST | Flags::ACK;
        for (flags, payload, expected) in [
            (Flags::SYN, 0, Some((0, 1001, rst_ack))),
            (Flags::SYN, 10, Some((0, 1011, rst_ack))),
            (Flags(0), 10, Some((0, 1010, rst_ack))),
            (Flags::FIN, 0, Some((0, 1001, rst_ack))),
            (Flags::ACK, 10, Some((77, 0, Flags::RST))),
            (Flags::SYN | Flags::ACK, 0, Some((77, 0, Flags::RST))),
            (Flags::RST, 0, None),
            (rst_ack, 0, None),
        ] {
            let mut frame = tcp_with(A, 4000, B, 80, flags, (1000, 77), payload);
            frame.resize(frame.len().max(60), 0); // padding of a short frame is no payload
            let reset = answer(&frame);
            let expected = expected.map(|(seq, ack, flags)| (80, 4000, seq, ack, flags));
            assert_eq!(reset.map(|reset| told(&reset, 20)), expected, "{flags} with {payload} bytes");
        }
    }

    #[test]
    fn sequence_numbers_wrap() {
        let frame = tcp_with(A, 4000, B, 80, Flags::SYN, (u32::MAX, 0), 0);
        assert_eq!(told(&answer(&frame).unwrap(), 20).3, 0);
    }

    #[test]
    fn it_comes_from_where_the_segment_went_and_its_checksums_are_right() {
        let four = answer(&tcp_with(A, 4000, B, 80, Flags::SYN, (1, 0), 0)).unwrap();
        let ip = ipv4::Packet::new_checked(four.as_ref()).unwrap();
        assert_eq!((ip.src(), ip.dst(), ip.total_len(), ip.ttl()), (B.into(), A.into(), 40, 64));
        assert!(ip.checksum_ok() && ip.dont_fragment());
        let mut frame = vec![0; 14];
        frame.extend(four.as_ref());
        let pseudo = Train::pseudo(GsoKind::Tcp4, &frame, 14, 20);
        assert_eq!(naive_sum(&[&pseudo, &frame[34..]].concat()), 0xffff);

        let segment = Train::plain(GsoKind::Tcp6, 1448, 100);
        let six = answer(&segment.frame).unwrap();
        let ip = ipv6::Packet::new_checked(six.as_ref()).unwrap();
        let was = ipv6::Packet::new_checked(&segment.frame[14..]).unwrap();
        assert_eq!((ip.src(), ip.dst(), ip.payload_len(), ip.hop_limit()), (was.dst(), was.src(), 20, 64));
        let mut frame = vec![0; 14];
        frame.extend(six.as_ref());
        let pseudo = Train::pseudo(GsoKind::Tcp6, &frame, 14, 20);
        assert_eq!(naive_sum(&[&pseudo, &frame[54..]].concat()), 0xffff);
    }
}

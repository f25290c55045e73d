//! Resets of TCP connections that their receivers believe.
//!
//! | receiver | believes a reset whose | source |
//! |---|---|---|
//! | is opening (SYN-SENT) | acknowledgement number is that of its SYN | RFC 9293 §3.10.7.3 |
//! | is in any state behind that | sequence number is exactly the next that it awaits | RFC 5961 §3.2, RFC 9293 §3.10.7.4 |
//! | listens | none | RFC 9293 §3.10.7.2 |
//!
//! Of a number elsewhere in its window a receiver only asks whether it was meant (a challenge ACK); others it discards. So
//! the reset to the receiver of a segment has the segment's own sequence number, which it awaits once all before has
//! arrived, and the one to its sender has the number that the segment acknowledges, or what lies beyond on its way to it.

use super::checksum::{Sum, pseudo_v4, pseudo_v6};
use super::icmp_error::{V4, V6};
use super::summary::{Addresses, Detail, FrameSummary};
use super::tcp::{self, Flags};
use super::{be16, ipv6, put};

/// A TCP segment in its frame, of which the headers are there. No fragment.
#[derive(Clone, Copy, Debug)]
pub struct Segment<'a> {
    frame: &'a [u8],
    l3: usize,
    addresses: Addresses,
    tcp: tcp::Packet<&'a [u8]>,
    /// Bytes of payload, by the lengths in the headers.
    payload: usize,
}

impl<'a> Segment<'a> {
    /// The segment that a frame begins; `None` for a reset, which nobody answers, and for all else.
    pub fn new(frame: &'a [u8]) -> Option<Segment<'a>> {
        let summary = FrameSummary::new(frame, frame.len());
        let (Detail::Tcp { flags, .. }, Some(l4), false) = (summary.detail, summary.l4_offset, summary.fragment) else {
            return None;
        };
        let (l3, l4) = (usize::from(summary.l3_offset), usize::from(l4));
        let tcp = tcp::Packet::new_checked(&frame[l4..]).ok()?;
        let addresses = summary.addresses?;
        let packet = match addresses {
            Addresses::V4(..) => usize::from(be16(frame, l3 + 2)),
            Addresses::V6(..) => ipv6::HEADER_LEN + usize::from(be16(frame, l3 + 4)),
        };
        let payload = packet.checked_sub(l4 - l3 + tcp.header_len())?;
        (!flags.contains(Flags::RST)).then_some(Segment { frame, l3, addresses, tcp, payload })
    }

    /// The number of its first byte.
    pub fn seq(&self) -> u32 {
        self.tcp.seq()
    }

    /// The number behind its last byte; SYN and FIN take one each.
    pub fn end(&self) -> u32 {
        next(&self.tcp, self.payload)
    }

    /// Whether it goes the other way of the same connection.
    pub fn answers(&self, other: &Segment<'_>) -> bool {
        let back = match self.addresses {
            Addresses::V4(src, dst) => Addresses::V4(dst, src),
            Addresses::V6(src, dst) => Addresses::V6(dst, src),
        };
        back == other.addresses
            && (self.tcp.src_port(), self.tcp.dst_port()) == (other.tcp.dst_port(), other.tcp.src_port())
    }

    /// A frame with a reset that takes its place: to its receiver, in its sender's name.
    pub fn reset_onward(&self) -> Vec<u8> {
        let flags = self.tcp.flags();
        // who has the SYN awaits what is behind it; who is opening looks at the acknowledgement alone
        let seq = self.tcp.seq().wrapping_add(u32::from(flags.contains(Flags::SYN)));
        let ack = flags.contains(Flags::ACK).then(|| self.tcp.ack());
        self.write(false, header((self.tcp.src_port(), self.tcp.dst_port()), seq, ack))
    }

    /// A frame with a reset that answers it: to its sender, in its receiver's name. `sent` is the end of what is on its way
    /// there and will arrive before.
    pub fn reset_back(&self, sent: Option<u32>) -> Vec<u8> {
        self.write(true, answer_to(&self.tcp, self.payload, sent))
    }

    /// Ethernet header and tags as they are, and packet headers of a host's own.
    fn write(&self, back: bool, mut tcp: [u8; tcp::MIN_HEADER_LEN]) -> Vec<u8> {
        const LEN: usize = tcp::MIN_HEADER_LEN;
        let mut out = Vec::with_capacity(self.l3 + ipv6::HEADER_LEN + LEN);
        out.extend_from_slice(&self.frame[..self.l3]);
        if back {
            let (dst, src) = out[..12].split_at_mut(6);
            dst.swap_with_slice(src);
        }
        let (written, pseudo) = match self.addresses {
            Addresses::V4(src, dst) => {
                let (src, dst) = if back { (dst, src) } else { (src, dst) };
                let ip = V4 { src, dst, tos: 0, id: 0, protocol: tcp::PROTOCOL };
                (ip.write(&mut out, LEN), pseudo_v4(src, dst, tcp::PROTOCOL, LEN as u32))
            }
            Addresses::V6(src, dst) => {
                let (src, dst) = if back { (dst, src) } else { (src, dst) };
                let ip = V6 { src, dst, hop_limit: 64, traffic_class: 0, protocol: tcp::PROTOCOL };
                (ip.write(&mut out, LEN), pseudo_v6(src, dst, tcp::PROTOCOL, LEN as u32))
            }
        };
        written.expect("a header without payload is short enough");
        let sum = pseudo + Sum::of(&tcp);
        put(&mut tcp, tcp::CHECKSUM_OFFSET, sum.checksum().to_be_bytes());
        out.extend_from_slice(&tcp);
        out
    }
}

/// A reset in answer to a TCP segment (header and payload), as from a host where nobody listens (RFC 9293 §3.10.7.1), without its
/// checksum. `None` for a reset, which nobody answers, and for what is no segment.
pub fn answer(segment: &[u8]) -> Option<[u8; tcp::MIN_HEADER_LEN]> {
    let asked = tcp::Packet::new_checked(segment).ok()?;
    (!asked.flags().contains(Flags::RST)).then(|| answer_to(&asked, asked.payload().len(), None))
}

fn answer_to<T: AsRef<[u8]>>(asked: &tcp::Packet<T>, payload: usize, sent: Option<u32>) -> [u8; tcp::MIN_HEADER_LEN] {
    let ports = (asked.dst_port(), asked.src_port());
    if !asked.flags().contains(Flags::ACK) {
        return header(ports, 0, Some(next(asked, payload)));
    }
    let acknowledged = asked.ack();
    // RFC 9293 §3.4: numbers are compared modulo 2³²
    let later = sent.filter(|sent| sent.wrapping_sub(acknowledged) as i32 > 0);
    header(ports, later.unwrap_or(acknowledged), None)
}

/// The number behind a segment with so much payload.
fn next<T: AsRef<[u8]>>(tcp: &tcp::Packet<T>, payload: usize) -> u32 {
    let marks = u32::from(tcp.flags().contains(Flags::SYN)) + u32::from(tcp.flags().contains(Flags::FIN));
    tcp.seq().wrapping_add(payload as u32).wrapping_add(marks)
}

/// The header of a reset, without its checksum.
fn header((src, dst): (u16, u16), seq: u32, ack: Option<u32>) -> [u8; tcp::MIN_HEADER_LEN] {
    let flags = if ack.is_some() { Flags::RST | Flags::ACK } else { Flags::RST };
    let mut out = [0; tcp::MIN_HEADER_LEN];
    put(&mut out, 0, src.to_be_bytes());
    put(&mut out, 2, dst.to_be_bytes());
    put(&mut out, 4, seq.to_be_bytes());
    put(&mut out, 8, ack.unwrap_or_default().to_be_bytes());
    put(&mut out, 12, [0x50, flags.0]);
    out
}

#[cfg(test)]
mod tests {
    use super::super::gso::GsoKind;
    use super::super::testing::{Spec, naive_sum, real_frames};
    use super::*;

    #[test]
    fn a_reset_names_what_the_other_side_awaits() {
        let syn = &real_frames()[2][34..];
        let reset = answer(syn).unwrap();
        let view = tcp::Packet::new_checked(&reset).unwrap();
        assert_eq!((view.src_port(), view.dst_port(), view.seq(), view.ack()), (80, 40_000, 0, 2));
        assert_eq!(view.flags(), Flags::RST | Flags::ACK);
        let mut data = [syn, b"abc"].concat();
        data[13] = 0x11;
        data[8..12].copy_from_slice(&[0, 0, 1, 0]);
        let reset = answer(&data).unwrap();
        let view = tcp::Packet::new_checked(&reset).unwrap();
        assert_eq!((view.seq(), view.ack(), view.flags()), (256, 0, Flags::RST));
        data[13] = 0x01;
        assert_eq!(tcp::Packet::new_checked(&answer(&data).unwrap()).unwrap().ack(), 1 + 3 + 1);
        data[13] = 0x14;
        assert_eq!(answer(&data), None);
        assert_eq!(answer(&data[..19]), None);
    }

    /// A segment from port 40000 to 5201 with 10 bytes, sequence number 1000, acknowledging 12345.
    fn frame(kind: GsoKind, tags: usize, flags: u8) -> Vec<u8> {
        Spec { tags, flags, network_options: 1, tcp_options: 3, partial: false, ..Spec::of(kind, 1000, 10) }
            .build()
            .frame
    }

    #[test]
    fn both_resets_are_whole_frames_with_right_checksums() {
        for (kind, tags) in [(GsoKind::Tcp4, 0), (GsoKind::Tcp4, 1), (GsoKind::Tcp6, 0), (GsoKind::Tcp6, 2)] {
            let frame = frame(kind, tags, 0x18);
            let segment = Segment::new(&frame).unwrap();
            assert_eq!(segment.end(), 1010);
            let l3 = 14 + 4 * tags;
            let (onward, back) = (segment.reset_onward(), segment.reset_back(None));
            for (reset, told) in [(&onward, "40000 > 5201 R. seq 1000 ack 12345"), (&back, "5201 > 40000 R seq 12345")]
            {
                assert_eq!(reset[12..l3], frame[12..l3], "tags and type");
                let summary = FrameSummary::new(reset, reset.len());
                let l4 = usize::from(summary.l4_offset.unwrap());
                let Detail::Tcp { src_port, dst_port, flags, seq, ack } = summary.detail else { panic!("{summary}") };
                let ack = if ack == 0 { String::new() } else { format!(" ack {ack}") };
                assert_eq!(format!("{src_port} > {dst_port} {flags} seq {seq}{ack}"), told);
                let addresses = if kind.is_v4() { &reset[l3 + 12..l3 + 20] } else { &reset[l3 + 8..l3 + 40] };
                assert_eq!(naive_sum(&[addresses, &[0, 6, 0, 20], &reset[l4..]].concat()), 0xffff);
                if kind.is_v4() {
                    assert_eq!(naive_sum(&reset[l3..l4]), 0xffff);
                    assert_eq!(usize::from(be16(reset, l3 + 2)), reset.len() - l3);
                } else {
                    assert_eq!(usize::from(be16(reset, l3 + 4)), reset.len() - l4);
                }
            }
            assert_eq!(onward[..12], frame[..12]);
            assert_eq!((&back[..6], &back[6..12]), (&frame[6..12], &frame[..6]));
            assert!(!segment.answers(&segment) && Segment::new(&back).is_none());
        }
    }

    #[test]
    fn the_known_bytes_of_a_reset() {
        let frame = &real_frames()[2];
        let segment = Segment::new(frame).unwrap();
        // 10.0.0.1:40000 > 10.0.0.2:80, SYN, sequence number 1
        let ip = |from: u8, to: u8, sum: [u8; 2]| {
            [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, sum[0], sum[1], 10, 0, 0, from, 10, 0, 0, to]
        };
        let ip_sum = [0x66, 0xce];
        let onward = [0x9c, 0x40, 0, 80, 0, 0, 0, 2, 0, 0, 0, 0, 0x50, 4, 0, 0, 0xff, 0x4b, 0, 0];
        let back = [0, 80, 0x9c, 0x40, 0, 0, 0, 0, 0, 0, 0, 2, 0x50, 0x14, 0, 0, 0xff, 0x3b, 0, 0];
        assert_eq!(segment.reset_onward()[14..], [ip(1, 2, ip_sum), onward].concat());
        assert_eq!(segment.reset_back(Some(7))[14..], [ip(2, 1, ip_sum), back].concat());
    }

    #[test]
    fn each_state_gets_the_number_that_it_believes() {
        let told = |flags: u8, sent: Option<u32>| {
            let frame = frame(GsoKind::Tcp4, 0, flags);
            let segment = Segment::new(&frame)?;
            let line = |bytes: Vec<u8>| {
                let line = FrameSummary::new(&bytes, bytes.len()).to_string();
                line.split_once("5201 > 10.0.0.1:40000 ").or(line.split_once("5201 ")).unwrap().1.to_owned()
            };
            Some([line(segment.reset_onward()), line(segment.reset_back(sent))])
        };
        let both = |onward: &str, back: &str| Some([format!("{onward} (54 B)"), format!("{back} (54 B)")]);
        // SYN: who listens has no connection, and who has one already awaits 1001; the sender awaits a SYN for its own
        assert_eq!(told(0x02, None), both("R seq 1001", "R. seq 0 ack 1011"));
        // SYN-ACK: the opener looks at the acknowledgement
        assert_eq!(told(0x12, None), both("R. seq 1001 ack 12345", "R seq 12345"));
        assert_eq!(told(0x10, None), both("R. seq 1000 ack 12345", "R seq 12345"));
        assert_eq!(told(0x11, Some(12_300)), both("R. seq 1000 ack 12345", "R seq 12345"));
        assert_eq!(told(0x18, Some(13_000)), both("R. seq 1000 ack 12345", "R seq 13000"));
        assert_eq!(told(0x18, Some(12_345u32.wrapping_sub(1 << 31))), both("R. seq 1000 ack 12345", "R seq 12345"));
        assert_eq!((told(0x04, None), told(0x14, None)), (None, None));
    }

    #[test]
    fn only_whole_segments_are_reset() {
        let mut fragment = frame(GsoKind::Tcp4, 0, 0x18);
        fragment[20] = 0x20;
        assert!(Segment::new(&fragment).is_none());
        let whole = frame(GsoKind::Tcp6, 1, 0x18);
        let mut short = whole.clone();
        short[18 + 4..18 + 6].copy_from_slice(&[0, 20]);
        assert!(Segment::new(&short).is_none(), "a length that leaves no room for the headers");
        assert!(Segment::new(&whole[..whole.len() - 10 - 1]).is_none(), "its options are cut off");
        assert_eq!(Segment::new(&whole[..whole.len() - 10]).unwrap().end(), 1010, "its payload need not be there");
        assert_eq!(real_frames().iter().filter(|frame| Segment::new(frame).is_some()).count(), 1);
    }
}

//! One pass over a frame's head: what `only:` rules match, what an MTU counts, and what event logs print.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ethernet::{self, EtherType};
use super::ipv4::{self, Ecn};
use super::tcp::Flags;
use super::vlan::TAG_LEN;
use super::{arp, be16, be32, icmp, ipv6, octets};

/// How much of a frame's start is looked at.
pub const HEAD_LEN: usize = 192;

/// Protocol number of ICMP for IPv4.
pub const ICMP: u8 = 1;
/// Protocol number of ICMP for IPv6.
pub const ICMPV6: u8 = 58;

/// What a frame is, as far as its head tells. A super-frame's are those of its first wire frame, but for the lengths.
///
/// Made of any bytes: what cannot be read is absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameSummary {
    /// Bytes of the frame, Ethernet header included, without FCS.
    pub frame_len: u32,
    /// Bytes as an MTU counts them: without Ethernet header and VLAN tags.
    pub l3_len: u32,
    /// Offset of what follows Ethernet header and VLAN tags.
    pub l3_offset: u8,
    /// Offset of the transport header, where there is one to read.
    pub l4_offset: Option<u8>,
    /// The type behind all VLAN tags; 0 in a frame that is shorter than its header.
    pub ethertype: EtherType,
    /// The outermost VLAN's id.
    pub vlan: Option<u16>,
    /// Source and destination of IPv4, IPv6 or ARP.
    pub addresses: Option<Addresses>,
    /// The transport's protocol number, behind IPv6 extension headers; `None` if not IP, or cut short.
    pub protocol: Option<u8>,
    /// The differentiated-services codepoint, 0 to 63; 0 if not IP.
    pub dscp: u8,
    /// The ECN codepoint.
    pub ecn: Ecn,
    /// A fragment of an IP packet, first or later.
    pub fragment: bool,
    /// What the transport header says.
    pub detail: Detail,
}

/// Both addresses of a frame; always of one family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Addresses {
    /// IPv4.
    V4(Ipv4Addr, Ipv4Addr),
    /// IPv6.
    V6(Ipv6Addr, Ipv6Addr),
}

/// What the innermost header that was read says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Nothing that is known here.
    None,
    /// ARP of IPv4 over Ethernet.
    Arp {
        /// [`arp::REQUEST`] or [`arp::REPLY`].
        operation: u16,
    },
    /// TCP.
    Tcp {
        /// Source port.
        src_port: u16,
        /// Destination port.
        dst_port: u16,
        /// The flags.
        flags: Flags,
        /// Sequence number.
        seq: u32,
        /// Acknowledgement number.
        ack: u32,
    },
    /// Another transport with ports: UDP, UDP-Lite, SCTP, DCCP.
    Ports {
        /// Source port.
        src_port: u16,
        /// Destination port.
        dst_port: u16,
    },
    /// ICMP for IPv4 or IPv6.
    Icmp {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
        /// The four bytes behind the checksum: of an echo, identifier and sequence number.
        rest: u32,
        /// What a neighbour solicitation or advertisement is about.
        target: Option<Ipv6Addr>,
    },
}

impl FrameSummary {
    /// Reads the first [`HEAD_LEN`] bytes at most of a frame of `frame_len` bytes, of which `head` holds the first.
    pub fn new(head: &[u8], frame_len: usize) -> FrameSummary {
        let head = &head[..head.len().min(frame_len).min(HEAD_LEN)];
        let mut s = FrameSummary {
            frame_len: u32::try_from(frame_len).unwrap_or(u32::MAX),
            l3_len: 0,
            l3_offset: head.len().min(ethernet::HEADER_LEN) as u8,
            l4_offset: None,
            ethertype: EtherType(0),
            vlan: None,
            addresses: None,
            protocol: None,
            dscp: 0,
            ecn: Ecn::NotEct,
            fragment: false,
            detail: Detail::None,
        };
        if head.len() >= ethernet::HEADER_LEN {
            let mut l3 = ethernet::HEADER_LEN;
            s.ethertype = EtherType(be16(head, 12));
            // A tag that is cut off stays the type.
            while s.ethertype.is_vlan() && head.len() >= l3 + TAG_LEN {
                s.vlan = s.vlan.or(Some(be16(head, l3) & 0x0fff));
                s.ethertype = EtherType(be16(head, l3 + 2));
                l3 += TAG_LEN;
            }
            s.l3_offset = l3 as u8;
            s.l3_len = s.frame_len - l3 as u32;
            match s.ethertype {
                EtherType::IPV4 => s.read_ipv4(&head[l3..]),
                EtherType::IPV6 => s.read_ipv6(&head[l3..]),
                EtherType::ARP => s.read_arp(&head[l3..]),
                _ => {}
            }
        }
        s
    }

    fn read_ipv4(&mut self, b: &[u8]) {
        let Ok(ip) = ipv4::Packet::new_checked(b) else { return };
        self.addresses = Some(Addresses::V4(ip.src(), ip.dst()));
        self.protocol = Some(ip.protocol());
        self.dscp = ip.dscp();
        self.ecn = ip.ecn();
        self.fragment = ip.is_fragment();
        if ip.fragment_offset() == 0 {
            self.read_transport(ip.protocol(), ip.header_len(), ip.payload());
        }
    }

    fn read_ipv6(&mut self, b: &[u8]) {
        let Ok(ip) = ipv6::Packet::new_checked(b) else { return };
        self.addresses = Some(Addresses::V6(ip.src(), ip.dst()));
        self.dscp = ip.dscp();
        self.ecn = ip.ecn();
        let transport = ip.transport();
        self.fragment = transport.fragment.is_some_and(ipv6::Fragment::is_partial);
        if transport.cut {
            return;
        }
        self.protocol = Some(transport.protocol);
        if transport.fragment.is_none_or(|f| f.offset == 0) {
            let rest = ip.payload().get(transport.offset..).unwrap_or(&[]);
            self.read_transport(transport.protocol, ipv6::HEADER_LEN + transport.offset, rest);
        }
    }

    fn read_arp(&mut self, b: &[u8]) {
        let Ok(packet) = arp::Packet::new_checked(b) else { return };
        self.addresses = Some(Addresses::V4(packet.sender(), packet.target()));
        self.detail = Detail::Arp { operation: packet.operation() };
    }

    /// `offset` is that of `b` from the IP header.
    fn read_transport(&mut self, protocol: u8, offset: usize, b: &[u8]) {
        let ports = |b: &[u8]| (be16(b, 0), be16(b, 2));
        self.detail = match protocol {
            6 if b.len() >= 20 => {
                let (src_port, dst_port) = ports(b);
                Detail::Tcp { src_port, dst_port, flags: Flags(b[13]), seq: be32(b, 4), ack: be32(b, 8) }
            }
            // the ports stand first in all of them; of TCP at least those may be there
            6 | 17 | 33 | 132 | 136 if b.len() >= 8 => {
                let (src_port, dst_port) = ports(b);
                Detail::Ports { src_port, dst_port }
            }
            ICMP if b.len() >= icmp::HEADER_LEN && matches!(self.addresses, Some(Addresses::V4(..))) => {
                Detail::Icmp { kind: b[0], code: b[1], rest: be32(b, 4), target: None }
            }
            ICMPV6 if b.len() >= icmp::HEADER_LEN && matches!(self.addresses, Some(Addresses::V6(..))) => {
                let about_one = matches!(b[0], icmp::v6::NEIGHBOR_SOLICITATION | icmp::v6::NEIGHBOR_ADVERTISEMENT);
                let target = (about_one && b.len() >= 24).then(|| octets::<16>(b, 8).into());
                Detail::Icmp { kind: b[0], code: b[1], rest: be32(b, 4), target }
            }
            _ if b.is_empty() => return,
            _ => Detail::None,
        };
        self.l4_offset = Some(self.l3_offset + offset as u8);
    }

    /// 4 or 6; `None` if not IP.
    pub const fn ip_version(&self) -> Option<u8> {
        match (self.ethertype, self.addresses) {
            (EtherType::IPV4, Some(_)) => Some(4),
            (EtherType::IPV6, Some(_)) => Some(6),
            _ => None,
        }
    }

    /// Source address; of ARP, the sender's.
    pub const fn src(&self) -> Option<IpAddr> {
        match self.addresses {
            Some(Addresses::V4(src, _)) => Some(IpAddr::V4(src)),
            Some(Addresses::V6(src, _)) => Some(IpAddr::V6(src)),
            None => None,
        }
    }

    /// Destination address; of ARP, the target's.
    pub const fn dst(&self) -> Option<IpAddr> {
        match self.addresses {
            Some(Addresses::V4(_, dst)) => Some(IpAddr::V4(dst)),
            Some(Addresses::V6(_, dst)) => Some(IpAddr::V6(dst)),
            None => None,
        }
    }

    /// The flags of a TCP segment; `None` if not TCP, and in later fragments.
    pub const fn tcp_flags(&self) -> Option<Flags> {
        match self.detail {
            Detail::Tcp { flags, .. } => Some(flags),
            _ => None,
        }
    }

    /// Source port; `None` without ports, and in later fragments.
    pub const fn src_port(&self) -> Option<u16> {
        match self.detail {
            Detail::Tcp { src_port, .. } | Detail::Ports { src_port, .. } => Some(src_port),
            _ => None,
        }
    }

    /// Destination port; `None` without ports, and in later fragments.
    pub const fn dst_port(&self) -> Option<u16> {
        match self.detail {
            Detail::Tcp { dst_port, .. } | Detail::Ports { dst_port, .. } => Some(dst_port),
            _ => None,
        }
    }
}

/// Writes `ADDRESS:PORT`, or the address alone.
struct Endpoint(IpAddr, Option<u16>);

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint(IpAddr::V4(a), Some(port)) => write!(f, "{a}:{port}"),
            Endpoint(IpAddr::V6(a), Some(port)) => write!(f, "[{a}]:{port}"),
            Endpoint(a, None) => write!(f, "{a}"),
        }
    }
}

impl fmt::Display for FrameSummary {
    /// One line: `UDP 10.0.0.1:5000 > 10.0.0.2:53 (1242 B)`, the bytes those of the frame.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = self.vlan {
            write!(f, "vlan {id} ")?;
        }
        match self.addresses {
            None if usize::from(self.l3_offset) < ethernet::HEADER_LEN => f.write_str("runt")?,
            None => write!(f, "{}", self.ethertype)?,
            Some(Addresses::V4(sender, target)) if self.ethertype == EtherType::ARP => match self.detail {
                Detail::Arp { operation: arp::REQUEST } if sender == target => write!(f, "ARP announces {target}")?,
                Detail::Arp { operation: arp::REQUEST } => write!(f, "ARP who-has {target} tell {sender}")?,
                Detail::Arp { operation: arp::REPLY } => write!(f, "ARP reply {sender} to {target}")?,
                _ => write!(f, "ARP {sender} {target}")?,
            },
            Some(_) => self.write_ip(f)?,
        }
        write!(f, " ({} B)", self.frame_len)
    }
}

impl FrameSummary {
    fn write_ip(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.protocol, self.detail) {
            (_, Detail::Tcp { .. }) | (Some(6), _) => f.write_str("TCP")?,
            (Some(17), _) => f.write_str("UDP")?,
            (Some(ICMP), _) => f.write_str("ICMP")?,
            (Some(ICMPV6), _) => f.write_str("ICMPv6")?,
            (Some(132), _) => f.write_str("SCTP")?,
            (Some(protocol), _) => write!(f, "{} protocol {protocol}", self.ethertype)?,
            (None, _) => write!(f, "{}", self.ethertype)?,
        }
        if let Detail::Icmp { kind, code, .. } = self.detail {
            let name = if self.protocol == Some(ICMP) { icmp::name_v4(kind, code) } else { icmp::name_v6(kind, code) };
            match name {
                Some(name) => write!(f, " {name}")?,
                None => write!(f, " type {kind} code {code}")?,
            }
        }
        if let (Some(src), Some(dst)) = (self.src(), self.dst()) {
            write!(f, " {} > {}", Endpoint(src, self.src_port()), Endpoint(dst, self.dst_port()))?;
        }
        match self.detail {
            Detail::Tcp { flags, seq, ack, .. } => {
                write!(f, " {flags} seq {seq}")?;
                if flags.contains(Flags::ACK) {
                    write!(f, " ack {ack}")?;
                }
            }
            Detail::Icmp { target: Some(target), .. } => write!(f, " about {target}")?,
            Detail::Icmp { kind, rest, .. } if self.is_echo(kind) => {
                write!(f, " id {} seq {}", rest >> 16, rest & 0xffff)?;
            }
            _ => {}
        }
        if self.fragment { f.write_str(" fragment") } else { Ok(()) }
    }

    fn is_echo(&self, kind: u8) -> bool {
        let (request, reply) = match self.protocol {
            Some(ICMP) => (icmp::v4::ECHO_REQUEST, icmp::v4::ECHO_REPLY),
            _ => (icmp::v6::ECHO_REQUEST, icmp::v6::ECHO_REPLY),
        };
        kind == request || kind == reply
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::gso::GsoKind;
    use super::super::testing::{Train, real_frames, train};
    use super::*;

    fn line(frame: &[u8]) -> String {
        FrameSummary::new(frame, frame.len()).to_string()
    }

    #[test]
    fn real_frames_print_as_lines_of_an_event_log() {
        let lines: Vec<String> = real_frames().iter().map(|f| line(f)).collect();
        assert_eq!(
            lines,
            [
                "ARP who-has 10.0.0.2 tell 10.0.0.1 (42 B)",
                "ARP reply 10.0.0.2 to 10.0.0.1 (42 B)",
                "TCP 10.0.0.1:40000 > 10.0.0.2:80 S seq 1 (58 B)",
                "UDP 10.0.0.1:5000 > 10.0.0.2:53 (45 B)",
                "ICMP echo request 10.0.0.1 > 10.0.0.2 id 4660 seq 1 (46 B)",
                "ICMPv6 neighbor solicitation fd00::1 > ff02::1:ff00:2 about fd00::2 (86 B)",
                "ICMPv6 echo request fd00::1 > fd00::2 id 1 seq 2 (70 B)",
                "vlan 100 UDP [fd00::1]:5000 > [fd00::2]:53 (68 B)",
                "UDP 10.0.0.1 > 10.0.0.2 fragment (54 B)",
                "LLDP (60 B)",
                "802.3 LLC (60 B)",
            ]
        );
    }

    #[test]
    fn fields_are_those_that_rules_match() {
        let mut t = Train::plain(GsoKind::Tcp4, 1448, 4000);
        t.frame[t.l3 + 1] = 46 << 2 | 3;
        t.frame[t.l4 + 13] = 0x12;
        let s = FrameSummary::new(&t.frame[..100], t.frame.len());
        assert_eq!((s.frame_len, s.l3_len, s.l3_offset, s.l4_offset), (4054, 4040, 14, Some(34)));
        assert_eq!((s.ip_version(), s.protocol, s.dscp, s.ecn, s.fragment), (Some(4), Some(6), 46, Ecn::Ce, false));
        assert_eq!((s.src_port(), s.dst_port(), s.vlan), (Some(40_000), Some(5201), None));
        assert_eq!((s.src(), s.dst()), (Some([10, 0, 0, 1].into()), Some([10, 9, 8, 7].into())));
        assert_eq!(s.to_string(), "TCP 10.0.0.1:40000 > 10.9.8.7:5201 S. seq 1000 ack 12345 (4054 B)");
    }

    #[test]
    fn what_is_cut_off_is_absent() {
        let t = Train::plain(GsoKind::Tcp6, 1448, 2000);
        let at = |len: usize| FrameSummary::new(&t.frame[..len], 2000);
        assert_eq!((at(13).ethertype, at(13).l3_len), (EtherType(0), 0));
        assert_eq!((at(53).addresses, at(53).ethertype), (None, EtherType::IPV6));
        assert_eq!((at(54).protocol, at(54).l4_offset, at(54).detail), (Some(6), None, Detail::None));
        assert_eq!(at(62).src_port(), Some(40_000));
        assert!(matches!(at(74).detail, Detail::Tcp { .. }));
        assert_eq!(FrameSummary::new(&[], 0).to_string(), "runt (0 B)");
    }

    #[test]
    fn later_fragments_have_no_ports() {
        let mut t = Train::plain(GsoKind::Udp4, 100, 200);
        t.frame[t.l3 + 6..t.l3 + 8].copy_from_slice(&[0x20, 0]);
        let first = FrameSummary::new(&t.frame, t.frame.len());
        assert_eq!((first.fragment, first.dst_port()), (true, Some(5201)));
        t.frame[t.l3 + 7] = 1;
        let later = FrameSummary::new(&t.frame, t.frame.len());
        assert_eq!((later.fragment, later.dst_port(), later.protocol), (true, None, Some(17)));
    }

    proptest! {
        #[test]
        fn every_train_is_read_as_it_was_made(t in train()) {
            let s = FrameSummary::new(&t.frame, t.frame.len());
            prop_assert_eq!((usize::from(s.l3_offset), s.l4_offset.map(usize::from)), (t.l3, Some(t.l4)));
            prop_assert_eq!(s.l3_len as usize, t.frame.len() - t.l3);
            prop_assert_eq!(s.protocol, Some(if t.gso.kind.is_tcp() { 6 } else { 17 }));
            prop_assert_eq!(s.ip_version(), Some(if t.gso.kind.is_v4() { 4 } else { 6 }));
            prop_assert_eq!((s.src_port(), s.dst_port()), (Some(40_000), Some(5201)));
            let tos = if t.gso.kind.is_v4() { t.frame[t.l3 + 1] } else { t.frame[t.l3] << 4 | t.frame[t.l3 + 1] >> 4 };
            prop_assert_eq!((s.dscp, s.ecn), (tos >> 2, Ecn::of_tos(tos)));
            prop_assert_eq!(s.vlan, match t.l3 { 14 => None, 18 => Some(20), _ => Some(10) });
        }
    }
}

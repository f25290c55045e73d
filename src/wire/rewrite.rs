//! Addresses and ports of an IPv4 packet, read and rewritten in place with every checksum that covers them (RFC 1624):
//! what network address translation does to a frame (RFC 3022 §4).
//!
//! Only a frame's head is looked at. What was wrong in a checksum stays wrong, what was right stays right:
//!
//! - IPv4 header: follows the address
//! - TCP, UDP, DCCP, UDP-Lite: address and port; a UDP checksum of 0 says that there is none and stays 0, no other becomes 0
//! - a *partial* checksum holds the sum of the pseudo header alone: it follows the address, not the port
//! - ICMP queries: the identifier stands for the port; their checksum covers no address
//! - the packet that an ICMP error quotes: its own checksums as far as they are quoted, and the error's around all that

use core::net::Ipv4Addr;

use super::gso::PartialChecksum;
use super::tcp::Flags;
use super::{be16, checksum, icmp, ipv4, put, tcp, udp};

/// The protocol number of ICMP for IPv4.
const ICMP: u8 = 1;
/// The protocol number of DCCP (RFC 4340).
const DCCP: u8 = 33;
/// The protocol number of UDP-Lite (RFC 3828).
const UDP_LITE: u8 = 136;
/// Offset of the checksum in the header of an ICMP message, and of the identifier of a query.
const ICMP_CHECKSUM: usize = 2;
const ICMP_IDENTIFIER: usize = 4;
/// What an ICMP error quotes of a transport header at least (RFC 792).
const QUOTED: usize = 8;

/// An address and the port at it. Of an ICMP query, the identifier stands for the port at the end that asked, and 0 at
/// the other; of protocols without ports both are 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address.
    pub address: Ipv4Addr,
    /// The port.
    pub port: u16,
}

/// Who talks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// The transport's protocol number.
    pub protocol: u8,
    /// Who sent the packet.
    pub src: Endpoint,
    /// Who it is for.
    pub dst: Endpoint,
}

/// One end of a [`Flow`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who sent it.
    Source,
    /// Who it is for.
    Destination,
}

/// What a packet is to a translator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// TCP, with its flags.
    Tcp(Flags),
    /// UDP, UDP-Lite or DCCP.
    Ports,
    /// An ICMP query that asks: echo, timestamp, information, address mask.
    Request,
    /// An ICMP query that answers.
    Reply,
    /// An ICMP error: see [`Packet::quoted`].
    Error,
    /// ICMP that is neither.
    Icmp,
    /// A fragment behind the first: it has no ports.
    LaterFragment,
    /// A transport header that ends early.
    Short,
    /// A protocol without ports, or with some whose checksum cannot be updated (SCTP has a CRC over the whole packet).
    Other,
}

/// How a transport checksum follows what changes under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    /// There is none, or it covers nothing that changes, or whoever completes it sums all.
    None,
    /// It covers pseudo header and ports.
    Complete(usize),
    /// The same; 0 says that there is none.
    Optional(usize),
    /// It holds the sum of the pseudo header, to be completed.
    Partial(usize),
    /// It covers the message, not the addresses.
    Message(usize),
}

/// An IPv4 packet in a frame's head: what it is, and where its fields are. It stays right while nothing moves.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Who talks to whom, as read.
    pub flow: Flow,
    /// What it is.
    pub kind: Kind,
    /// The IPv4 id, of a fragment.
    pub fragment: Option<u16>,
    /// Offset of the IPv4 header.
    ip: usize,
    /// Offset of what stands behind it.
    transport: usize,
    /// Where its bytes end, in the head at least.
    end: usize,
    /// Offsets of the ports, by [`Side`].
    ports: [Option<usize>; 2],
    check: Check,
    /// The checksum of the ICMP error that quotes it.
    around: Option<usize>,
}

impl Packet {
    /// The packet whose IPv4 header is at `l3` in `head`; `None` if there is none. `partial` is the checksum that is left to
    /// be completed, if there is one.
    pub fn in_frame(head: &[u8], l3: usize, partial: Option<PartialChecksum>) -> Option<Packet> {
        Packet::read(head, l3, head.len(), partial, None)
    }

    /// The packet that this ICMP error is about, as far as it is quoted (RFC 792, RFC 1812 §4.3.2.3). It flows the other way.
    pub fn quoted(&self, head: &[u8]) -> Option<Packet> {
        let around = match self.check {
            Check::Message(field) => Some(field),
            _ => None,
        };
        match self.kind {
            Kind::Error => {
                Packet::read(head, self.transport + icmp::HEADER_LEN, self.end, None, Some((around, QUOTED)))
            }
            _ => None,
        }
    }

    /// `quoted`: the checksum around it, and how much of a transport header is enough.
    fn read(
        head: &[u8],
        ip: usize,
        end: usize,
        partial: Option<PartialChecksum>,
        quoted: Option<(Option<usize>, usize)>,
    ) -> Option<Packet> {
        let header = ipv4::Packet::new_checked(head.get(ip..end)?).ok()?;
        let protocol = header.protocol();
        let transport = ip + header.header_len();
        let at = |address| Endpoint { address, port: 0 };
        let mut packet = Packet {
            flow: Flow { protocol, src: at(header.src()), dst: at(header.dst()) },
            kind: Kind::Other,
            fragment: header.is_fragment().then(|| header.id()),
            ip,
            transport,
            end: transport + header.payload().len(),
            ports: [None; 2],
            check: Check::None,
            around: quoted.and_then(|(around, _)| around),
        };
        packet.kind = if header.fragment_offset() > 0 {
            Kind::LaterFragment
        } else {
            packet.read_transport(header.payload(), quoted.map(|(_, enough)| enough))
        };
        if let Some(partial) = partial {
            packet.check = match packet.check {
                Check::Complete(field) | Check::Optional(field) if is_of(partial, transport, field) => {
                    Check::Partial(field)
                }
                Check::Message(field) if is_of(partial, transport, field) => Check::None,
                check => check,
            };
        }
        for (side, end) in [&mut packet.flow.src, &mut packet.flow.dst].into_iter().enumerate() {
            end.port = packet.ports[side].map_or(0, |at| be16(head, at));
        }
        Some(packet)
    }

    /// Finds ports and checksum in the transport header `b`, of which `enough` bytes have to be there, or all.
    fn read_transport(&mut self, b: &[u8], enough: Option<usize>) -> Kind {
        let at = self.transport;
        let (len, checksum) = match self.flow.protocol {
            tcp::PROTOCOL => (tcp::MIN_HEADER_LEN, tcp::CHECKSUM_OFFSET),
            udp::PROTOCOL | UDP_LITE => (udp::HEADER_LEN, udp::CHECKSUM_OFFSET),
            DCCP => (12, 6),
            ICMP => (icmp::HEADER_LEN, ICMP_CHECKSUM),
            _ => return Kind::Other,
        };
        if b.len() < enough.unwrap_or(len).min(len) {
            return Kind::Short;
        }
        // of what is quoted, the checksum may be missing
        let checksum = (b.len() >= checksum + 2).then_some(at + checksum);
        let check = |kind: fn(usize) -> Check| checksum.map_or(Check::None, kind);
        if self.flow.protocol == ICMP {
            self.check = check(Check::Message);
            return match b[0] {
                kind if icmp::is_error_v4(kind) => Kind::Error,
                // echo (RFC 792), timestamp, information, address mask (RFC 950)
                8 | 13 | 15 | 17 => {
                    self.ports[Side::Source as usize] = Some(at + ICMP_IDENTIFIER);
                    Kind::Request
                }
                0 | 14 | 16 | 18 => {
                    self.ports[Side::Destination as usize] = Some(at + ICMP_IDENTIFIER);
                    Kind::Reply
                }
                _ => Kind::Icmp,
            };
        }
        self.ports = [Some(at), Some(at + 2)];
        match self.flow.protocol {
            tcp::PROTOCOL => {
                self.check = check(Check::Complete);
                Kind::Tcp(Flags(b.get(13).copied().unwrap_or(0)))
            }
            DCCP => {
                self.check = check(Check::Complete);
                Kind::Ports
            }
            _ => {
                self.check = check(Check::Optional);
                Kind::Ports
            }
        }
    }

    /// Puts another endpoint at one side, in the bytes that this was read from. Where there is no port, the address alone.
    pub fn set(&self, head: &mut [u8], side: Side, to: Endpoint) {
        self.set_address(head, side, to.address);
        if let Some(at) = self.ports[side as usize] {
            self.set_word(head, at, to.port, false);
        }
    }

    /// Puts another address at one side.
    pub fn set_address(&self, head: &mut [u8], side: Side, address: Ipv4Addr) {
        let at = self.ip + if side == Side::Source { 12 } else { 16 };
        let [a, b, c, d] = address.octets();
        self.set_word(head, at, u16::from_be_bytes([a, b]), true);
        self.set_word(head, at + 2, u16::from_be_bytes([c, d]), true);
    }

    fn set_word(&self, head: &mut [u8], at: usize, new: u16, address: bool) {
        let old = be16(head, at);
        if old == new {
            return;
        }
        self.put(head, at, new);
        if address {
            let field = self.ip + 10;
            self.put(head, field, checksum::update(be16(head, field), old, new));
        }
        let followed = match self.check {
            Check::Complete(field) => Some((field, checksum::update(be16(head, field), old, new))),
            Check::Optional(field) => Some((field, checksum::update_udp(be16(head, field), old, new))),
            Check::Partial(field) if address => Some((field, checksum::update_sum(be16(head, field), old, new))),
            Check::Message(field) if !address => Some((field, checksum::update(be16(head, field), old, new))),
            _ => None,
        };
        if let Some((field, value)) = followed {
            self.put(head, field, value);
        }
    }

    /// Writes a word, and the checksum around all follows.
    fn put(&self, head: &mut [u8], at: usize, new: u16) {
        let old = be16(head, at);
        put(head, at, new.to_be_bytes());
        if let Some(field) = self.around {
            let updated = checksum::update(be16(head, field), old, new);
            put(head, field, updated.to_be_bytes());
        }
    }
}

/// Whether a partial checksum is that of the transport header at `transport`, whose field is at `field`.
fn is_of(partial: PartialChecksum, transport: usize, field: usize) -> bool {
    usize::from(partial.start) == transport && partial.field() == field
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::gso::GsoKind;
    use super::super::testing::{Train, naive_sum, real_frames, train};
    use super::*;

    const TO: Endpoint = Endpoint { address: Ipv4Addr::new(203, 0, 113, 7), port: 61_001 };

    /// The sum over IPv4 header, and over pseudo header and transport: 0xffff each where they are right.
    fn sums(frame: &[u8], l3: usize) -> (u16, u16) {
        let header = usize::from(frame[l3] & 15) * 4;
        let end = l3 + usize::from(be16(frame, l3 + 2));
        let transport = &frame[l3 + header..end];
        let pseudo =
            [&frame[l3 + 12..l3 + 20], &[0, frame[l3 + 9]], &(transport.len() as u16).to_be_bytes(), transport]
                .concat();
        let covered = if frame[l3 + 9] == ICMP { transport } else { &pseudo };
        (naive_sum(&frame[l3..l3 + header]), naive_sum(covered))
    }

    /// A real frame of TCP (2), UDP (3) or ICMP (4), its checksum made right.
    fn right(position: usize) -> Vec<u8> {
        let mut frame = real_frames()[position].clone();
        let at = 34 + [16, 6, 2][position - 2];
        frame[at..at + 2].fill(0);
        let sum = !sums(&frame, 14).1;
        frame[at..at + 2].copy_from_slice(&sum.to_be_bytes());
        assert_eq!(sums(&frame, 14), (0xffff, 0xffff));
        frame
    }

    #[test]
    fn every_right_checksum_stays_right_and_what_is_set_is_read() {
        for (position, original) in [(2, Kind::Tcp(Flags::SYN)), (3, Kind::Ports), (4, Kind::Request)] {
            let mut frame = right(position);
            let packet = Packet::in_frame(&frame, 14, None).unwrap();
            assert_eq!(packet.kind, original);
            for side in [Side::Source, Side::Destination] {
                packet.set(&mut frame, side, TO);
                assert_eq!(sums(&frame, 14), (0xffff, 0xffff));
            }
            let again = Packet::in_frame(&frame, 14, None).unwrap().flow;
            assert_eq!(again.src, TO);
            assert_eq!(again.dst.address, TO.address);
            assert_eq!(again.dst.port, if original == Kind::Request { 0 } else { TO.port });
        }
    }

    #[test]
    fn a_udp_checksum_of_0_stays_and_no_other_becomes_0() {
        let original = real_frames()[3].clone();
        let mut frame = original.clone();
        Packet::in_frame(&frame, 14, None).unwrap().set(&mut frame, Side::Source, TO);
        assert_eq!(frame[40..42], [0, 0]);
        for port in 0..=u16::MAX {
            let mut frame = right(3);
            let packet = Packet::in_frame(&frame, 14, None).unwrap();
            packet.set(&mut frame, Side::Source, Endpoint { port, ..packet.flow.src });
            assert_ne!(frame[40..42], [0, 0]);
            assert_eq!(sums(&frame, 14).1, 0xffff);
        }
    }

    #[test]
    fn a_partial_checksum_follows_the_address_alone() {
        for kind in [GsoKind::Tcp4, GsoKind::Udp4] {
            let mut t = Train::plain(kind, 1448, 4000);
            let packet = Packet::in_frame(&t.frame[..160], t.l3, t.partial).unwrap();
            packet.set(&mut t.frame, Side::Source, TO);
            packet.set(&mut t.frame, Side::Destination, Endpoint { port: 53, ..TO });
            let pseudo = Train::pseudo(kind, &t.frame, t.l3, t.frame.len() - t.l4);
            let field = t.l4 + usize::from(kind.checksum_offset());
            assert_eq!(be16(&t.frame, field), naive_sum(&pseudo));
            assert_eq!(be16(&t.frame, t.l4), TO.port);
        }
        // one that belongs to something further in leaves this one complete
        let mut frame = right(2);
        let elsewhere = PartialChecksum { start: 40, offset: 6 };
        let packet = Packet::in_frame(&frame, 14, Some(elsewhere)).unwrap();
        packet.set(&mut frame, Side::Source, TO);
        assert_eq!(sums(&frame, 14).1, 0xffff);
    }

    /// An ICMP error about `frame`, which quotes `bytes` of its packet.
    fn error_about(frame: &[u8], bytes: usize) -> Vec<u8> {
        let quoted = &frame[14..14 + bytes.min(frame.len() - 14)];
        let mut error = frame[..14].to_vec();
        error.extend([0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 192, 0, 2, 1, 10, 0, 0, 1]);
        error.extend([3, 3, 0, 0, 0, 0, 0, 0]);
        error.extend(quoted);
        let len = (error.len() - 14) as u16;
        error[16..18].copy_from_slice(&len.to_be_bytes());
        ipv4::Packet::new_checked(&mut error[14..]).unwrap().fill_checksum();
        icmp::Packet::new_checked(&mut error[34..]).unwrap().fill_checksum_v4();
        error
    }

    #[test]
    fn the_packet_in_an_error_changes_with_its_checksums_and_those_around() {
        for position in [2, 3, 4] {
            for bytes in [28, 60] {
                let mut frame = right(position);
                let mut error = error_about(&frame, bytes);
                let packet = Packet::in_frame(&error, 14, None).unwrap();
                assert_eq!(packet.kind, Kind::Error);
                let quoted = packet.quoted(&error).unwrap();
                let original = Packet::in_frame(&frame, 14, None).unwrap();
                assert_eq!(quoted.flow, original.flow);
                quoted.set(&mut error, Side::Source, TO);
                packet.set_address(&mut error, Side::Destination, TO.address);
                assert_eq!(sums(&error, 14), (0xffff, 0xffff), "{position} {bytes}");
                original.set(&mut frame, Side::Source, TO);
                assert_eq!(error[42..], error_about(&frame, bytes)[42..], "as if the error had been about that");
            }
        }
    }

    #[test]
    fn what_has_no_ports_is_told_apart() {
        let later = real_frames()[8].clone();
        let packet = Packet::in_frame(&later, 14, None).unwrap();
        assert_eq!((packet.kind, packet.fragment), (Kind::LaterFragment, Some(7)));
        let mut frame = real_frames()[2].clone();
        frame[23] = 132;
        assert_eq!(Packet::in_frame(&frame, 14, None).unwrap().kind, Kind::Other);
        frame[23] = 6;
        frame[17] = 39;
        assert_eq!(Packet::in_frame(&frame, 14, None).unwrap().kind, Kind::Short);
        assert!(Packet::in_frame(&real_frames()[5], 14, None).is_none(), "IPv6");
        assert!(Packet::in_frame(&real_frames()[0], 14, None).is_none(), "ARP");
    }

    proptest! {
        #[test]
        fn there_and_back_leaves_every_byte(t in train(), to: ([u8; 4], u16), side: bool) {
            let head = t.frame[..t.header].to_vec();
            let mut changed = head.clone();
            let side = if side { Side::Source } else { Side::Destination };
            if let Some(packet) = Packet::in_frame(&head, t.l3, t.partial) {
                prop_assert!(t.gso.kind.is_v4());
                packet.set(&mut changed, side, Endpoint { address: to.0.into(), port: to.1 });
                let old = if side == Side::Source { packet.flow.src } else { packet.flow.dst };
                let back = Packet::in_frame(&changed, t.l3, t.partial).unwrap();
                back.set(&mut changed, side, old);
            }
            // a wrong TCP checksum that nobody looks at may be −0
            let field = t.l4 + usize::from(t.gso.kind.checksum_offset());
            if t.partial.is_some() || be16(&head, field) != 0xffff {
                prop_assert_eq!(changed, head);
            }
        }

        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..200), l3 in 0usize..60, icmp: bool, start: u8) {
            if let Some(first) = bytes.get_mut(l3) {
                *first = 0x45;
            }
            if icmp && bytes.len() > l3 + 30 {
                bytes[l3 + 6] = 0;
                bytes[l3 + 7] = 0;
                bytes[l3 + 9] = 1;
                bytes[l3 + 20] = 11;
                bytes[l3 + 28] = 0x45;
            }
            let partial = PartialChecksum { start: start.into(), offset: 6 };
            for partial in [None, Some(partial)] {
                if let Some(packet) = Packet::in_frame(&bytes, l3, partial) {
                    packet.set(&mut bytes, Side::Source, TO);
                    packet.set(&mut bytes, Side::Destination, TO);
                    if let Some(quoted) = packet.quoted(&bytes) {
                        quoted.set(&mut bytes, Side::Source, TO);
                        quoted.set(&mut bytes, Side::Destination, TO);
                    }
                }
            }
        }
    }
}

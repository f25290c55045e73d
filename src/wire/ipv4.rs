//! IPv4: the header with its options, fragments, and DSCP and ECN in the old ToS byte (RFC 791, RFC 2474, RFC 3168).

use core::net::Ipv4Addr;

use super::{Malformed, be16, checksum, need, octets, put};

/// Bytes of a header without options.
pub const MIN_HEADER_LEN: usize = 20;
/// Bytes of the longest header: 40 of options.
pub const MAX_HEADER_LEN: usize = 60;

/// Explicit congestion notification: the low two bits of the ToS byte (RFC 3168 §5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Ecn {
    /// Not ECN-capable: congestion can only drop it.
    #[default]
    NotEct = 0,
    /// ECN-capable, the codepoint of L4S (RFC 9331).
    Ect1 = 1,
    /// ECN-capable.
    Ect0 = 2,
    /// Congestion experienced.
    Ce = 3,
}

impl Ecn {
    /// The codepoint in the low two bits of `tos`.
    pub const fn of_tos(tos: u8) -> Ecn {
        match tos & 3 {
            0 => Ecn::NotEct,
            1 => Ecn::Ect1,
            2 => Ecn::Ect0,
            _ => Ecn::Ce,
        }
    }

    /// May be marked instead of dropped. What is marked already stays so.
    pub const fn is_capable(self) -> bool {
        !matches!(self, Ecn::NotEct)
    }
}

/// The IPv4 header and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T>(T);

impl<T: AsRef<[u8]>> Packet<T> {
    /// A view of `bytes`, which must hold the whole header with options, of version 4. The payload may be cut short:
    /// see [`Packet::is_complete`]. The header checksum is not looked at: [`Packet::checksum_ok`].
    pub fn new_checked(bytes: T) -> Result<Packet<T>, Malformed> {
        let b = bytes.as_ref();
        need("IPv4", MIN_HEADER_LEN, b.len())?;
        let field = |field, value| Err(Malformed::Field { header: "IPv4", field, value });
        if b[0] >> 4 != 4 {
            return field("version", u32::from(b[0] >> 4));
        }
        let header = usize::from(b[0] & 0x0f) * 4;
        if header < MIN_HEADER_LEN {
            return field("header length", header as u32);
        }
        need("IPv4", header, b.len())?;
        if usize::from(be16(b, 2)) < header {
            return field("total length", u32::from(be16(b, 2)));
        }
        Ok(Packet(bytes))
    }

    fn b(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// Bytes of the header with its options, 20 to 60.
    pub fn header_len(&self) -> usize {
        usize::from(self.b()[0] & 0x0f) * 4
    }

    /// DSCP and ECN together: the old ToS byte.
    pub fn tos(&self) -> u8 {
        self.b()[1]
    }

    /// The differentiated-services codepoint, 0 to 63.
    pub fn dscp(&self) -> u8 {
        self.tos() >> 2
    }

    /// The ECN codepoint.
    pub fn ecn(&self) -> Ecn {
        Ecn::of_tos(self.tos())
    }

    /// Bytes of header and payload.
    pub fn total_len(&self) -> u16 {
        be16(self.b(), 2)
    }

    /// The number that fragments of one packet share.
    pub fn id(&self) -> u16 {
        be16(self.b(), 4)
    }

    /// Must not be fragmented on the way.
    pub fn dont_fragment(&self) -> bool {
        self.b()[6] & 0x40 != 0
    }

    /// A later fragment follows.
    pub fn more_fragments(&self) -> bool {
        self.b()[6] & 0x20 != 0
    }

    /// Where in the packet this fragment's payload starts, in bytes.
    pub fn fragment_offset(&self) -> u16 {
        (be16(self.b(), 6) & 0x1fff) * 8
    }

    /// Part of a packet only.
    pub fn is_fragment(&self) -> bool {
        be16(self.b(), 6) & 0x3fff != 0
    }

    /// Routers that it may still pass.
    pub fn ttl(&self) -> u8 {
        self.b()[8]
    }

    /// What the payload is: 1 ICMP, 6 TCP, 17 UDP, …
    pub fn protocol(&self) -> u8 {
        self.b()[9]
    }

    /// The header checksum as it stands.
    pub fn checksum(&self) -> u16 {
        be16(self.b(), 10)
    }

    /// Whether the header checksum is right.
    pub fn checksum_ok(&self) -> bool {
        checksum::checksum(&self.b()[..self.header_len()]) == 0
    }

    /// Who sent it.
    pub fn src(&self) -> Ipv4Addr {
        octets(self.b(), 12).into()
    }

    /// Who it is for.
    pub fn dst(&self) -> Ipv4Addr {
        octets(self.b(), 16).into()
    }

    /// The options as bytes.
    pub fn options(&self) -> &[u8] {
        &self.b()[MIN_HEADER_LEN..self.header_len()]
    }

    /// What of the payload the slice holds, without Ethernet padding behind the total length.
    pub fn payload(&self) -> &[u8] {
        let end = usize::from(self.total_len()).min(self.b().len());
        &self.b()[self.header_len()..end]
    }

    /// Whether the slice holds the packet to its end.
    pub fn is_complete(&self) -> bool {
        self.b().len() >= usize::from(self.total_len())
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// Starts a header without options in the first 20 of `bytes`: version 4, TTL 64, total length 20, all else 0. End
    /// with [`Packet::fill_checksum`].
    pub fn init(mut bytes: T) -> Result<Packet<T>, Malformed> {
        let b = bytes.as_mut();
        need("IPv4", MIN_HEADER_LEN, b.len())?;
        put(b, 0, [0x45, 0, 0, 20, 0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        Ok(Packet(bytes))
    }

    fn m(&mut self) -> &mut [u8] {
        self.0.as_mut()
    }

    /// Changes one 16-bit word and the checksum with it (RFC 1624), so that what was wrong stays wrong.
    fn set_word(&mut self, at: usize, new: u16) {
        let updated = checksum::update(self.checksum(), be16(self.b(), at), new);
        put(self.m(), at, new.to_be_bytes());
        put(self.m(), 10, updated.to_be_bytes());
    }

    /// Sets the ToS byte; the checksum follows.
    pub fn set_tos(&mut self, tos: u8) {
        let first = self.b()[0];
        self.set_word(0, u16::from_be_bytes([first, tos]));
    }

    /// Sets the ECN codepoint; the checksum follows.
    pub fn set_ecn(&mut self, ecn: Ecn) {
        self.set_tos(self.tos() & !3 | ecn as u8);
    }

    /// Sets the TTL; the checksum follows.
    pub fn set_ttl(&mut self, ttl: u8) {
        let protocol = self.protocol();
        self.set_word(8, u16::from_be_bytes([ttl, protocol]));
    }

    /// Sets the protocol; the checksum follows.
    pub fn set_protocol(&mut self, protocol: u8) {
        let ttl = self.ttl();
        self.set_word(8, u16::from_be_bytes([ttl, protocol]));
    }

    /// Sets the length of header and payload; the checksum follows. Below the header's length it is taken as that.
    pub fn set_total_len(&mut self, len: u16) {
        let len = len.max(self.header_len() as u16);
        self.set_word(2, len);
    }

    /// Sets the id; the checksum follows.
    pub fn set_id(&mut self, id: u16) {
        self.set_word(4, id);
    }

    /// Sets flags and offset: `offset` in bytes, of which multiples of 8 up to 65,528 exist. The checksum follows.
    pub fn set_fragment(&mut self, dont_fragment: bool, more_fragments: bool, offset: u16) {
        self.set_word(6, (u16::from(dont_fragment) << 14) | (u16::from(more_fragments) << 13) | (offset / 8));
    }

    /// Sets who sent it; the header checksum follows, that of TCP or UDP does not.
    pub fn set_src(&mut self, address: Ipv4Addr) {
        let [a, b, c, d] = address.octets();
        self.set_word(12, u16::from_be_bytes([a, b]));
        self.set_word(14, u16::from_be_bytes([c, d]));
    }

    /// Sets who it is for; the header checksum follows, that of TCP or UDP does not.
    pub fn set_dst(&mut self, address: Ipv4Addr) {
        let [a, b, c, d] = address.octets();
        self.set_word(16, u16::from_be_bytes([a, b]));
        self.set_word(18, u16::from_be_bytes([c, d]));
    }

    /// Computes the header checksum anew.
    pub fn fill_checksum(&mut self) {
        let header = self.header_len();
        put(self.m(), 10, [0, 0]);
        let sum = checksum::checksum(&self.b()[..header]);
        put(self.m(), 10, sum.to_be_bytes());
    }

    /// What of the payload the slice holds.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let (start, end) = (self.header_len(), usize::from(self.total_len()).min(self.b().len()));
        &mut self.m()[start..end]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header() -> [u8; 28] {
        let mut bytes = [0; 28];
        let mut packet = Packet::init(&mut bytes[..]).unwrap();
        packet.set_total_len(28);
        packet.set_protocol(17);
        packet.set_src(Ipv4Addr::new(10, 0, 0, 1));
        packet.set_dst(Ipv4Addr::new(10, 0, 0, 2));
        packet.set_tos(46 << 2 | 2);
        packet.set_id(0xbeef);
        packet.set_fragment(true, false, 0);
        packet.fill_checksum();
        bytes
    }

    #[test]
    fn what_is_set_is_read() {
        let bytes = header();
        assert_eq!(bytes[..10], [0x45, 0xba, 0, 28, 0xbe, 0xef, 0x40, 0, 64, 17]);
        let p = Packet::new_checked(&bytes).unwrap();
        assert_eq!((p.header_len(), p.total_len(), p.payload().len()), (20, 28, 8));
        assert_eq!((p.dscp(), p.ecn(), p.id(), p.ttl(), p.protocol()), (46, Ecn::Ect0, 0xbeef, 64, 17));
        assert_eq!((p.src(), p.dst()), (Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)));
        assert!(p.dont_fragment() && !p.is_fragment() && p.checksum_ok() && p.is_complete());
    }

    #[test]
    fn fragments_are_seen() {
        let mut bytes = header();
        let mut p = Packet::new_checked(&mut bytes[..]).unwrap();
        p.set_fragment(false, true, 1480);
        assert!(p.is_fragment() && p.more_fragments() && !p.dont_fragment());
        assert_eq!(p.fragment_offset(), 1480);
        p.set_fragment(false, false, 65_528);
        assert!(p.is_fragment() && !p.more_fragments());
        assert_eq!(p.fragment_offset(), 65_528);
        assert!(p.checksum_ok());
    }

    #[test]
    fn impossible_headers_are_refused_with_the_field() {
        let good = header();
        let refused = |at: usize, to: u8| {
            let mut bad = good;
            bad[at] = to;
            match Packet::new_checked(&bad[..]).unwrap_err() {
                Malformed::Field { field, .. } => field,
                Malformed::Truncated { .. } => "truncated",
            }
        };
        assert_eq!(refused(0, 0x65), "version");
        assert_eq!(refused(0, 0x44), "header length");
        assert_eq!(refused(0, 0x48), "truncated");
        assert_eq!(refused(3, 19), "total length");
        assert!(Packet::new_checked(&good[..19]).is_err());
    }

    #[test]
    fn padding_is_not_payload_and_a_head_is_enough() {
        let mut bytes = [0; 60];
        bytes[..28].copy_from_slice(&header());
        assert_eq!(Packet::new_checked(&bytes[..]).unwrap().payload().len(), 8);
        let head = Packet::new_checked(&bytes[..24]).unwrap();
        assert_eq!(head.payload().len(), 4);
        assert!(!head.is_complete());
    }

    proptest! {
        #[test]
        fn every_setter_keeps_the_checksum_right(tos: u8, ttl: u8, id: u16, len: u16, src: [u8; 4], dst: [u8; 4]) {
            let mut bytes = header();
            let mut p = Packet::new_checked(&mut bytes[..]).unwrap();
            p.set_tos(tos);
            p.set_ttl(ttl);
            p.set_id(id);
            p.set_total_len(len);
            p.set_src(src.into());
            p.set_dst(dst.into());
            p.set_ecn(Ecn::Ce);
            prop_assert!(p.checksum_ok());
            prop_assert_eq!((p.dscp(), p.ecn()), (tos >> 2, Ecn::Ce));
            prop_assert_eq!((p.ttl(), p.id(), p.src().octets(), p.dst().octets()), (ttl, id, src, dst));
        }

        #[test]
        fn a_wrong_checksum_stays_wrong(ttl: u8, flip in 1u16..0xffff) {
            let mut bytes = header();
            let wrong = be16(&bytes, 10) ^ flip;
            put(&mut bytes, 10, wrong.to_be_bytes());
            let mut p = Packet::new_checked(&mut bytes[..]).unwrap();
            let was_wrong = !p.checksum_ok();
            p.set_ttl(ttl);
            prop_assert_eq!(!p.checksum_ok(), was_wrong);
        }
    }
}

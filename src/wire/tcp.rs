//! TCP: the header with its options and flags (RFC 9293, RFC 3168).

use core::fmt;
use core::ops::{BitAnd, BitOr, Not};

use super::{Malformed, be16, be32, need, put};

/// The protocol number.
pub const PROTOCOL: u8 = 6;
/// Bytes of a header without options.
pub const MIN_HEADER_LEN: usize = 20;
/// Bytes of the longest header: 40 of options.
pub const MAX_HEADER_LEN: usize = 60;
/// Offset of the flags in the header.
pub const FLAGS_OFFSET: usize = 13;
/// Offset of the checksum in the header.
pub const CHECKSUM_OFFSET: usize = 16;

/// The eight flags of the header. Text as tcpdump writes it: `S`, `S.`, `P.`, `FP.`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u8);

impl Flags {
    /// No more data.
    pub const FIN: Flags = Flags(0x01);
    /// The first of a connection.
    pub const SYN: Flags = Flags(0x02);
    /// Away with the connection.
    pub const RST: Flags = Flags(0x04);
    /// Do not wait for more.
    pub const PSH: Flags = Flags(0x08);
    /// The acknowledgement number counts.
    pub const ACK: Flags = Flags(0x10);
    /// The urgent pointer counts.
    pub const URG: Flags = Flags(0x20);
    /// ECN echo: a mark of congestion arrived (RFC 3168).
    pub const ECE: Flags = Flags(0x40);
    /// Congestion window reduced (RFC 3168).
    pub const CWR: Flags = Flags(0x80);

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for Flags {
    type Output = Flags;
    fn bitor(self, rhs: Flags) -> Flags {
        Flags(self.0 | rhs.0)
    }
}

impl BitAnd for Flags {
    type Output = Flags;
    fn bitand(self, rhs: Flags) -> Flags {
        Flags(self.0 & rhs.0)
    }
}

impl Not for Flags {
    type Output = Flags;
    fn not(self) -> Flags {
        Flags(!self.0)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        let letters = [
            (Flags::FIN, "F"),
            (Flags::SYN, "S"),
            (Flags::RST, "R"),
            (Flags::PSH, "P"),
            (Flags::ACK, "."),
            (Flags::URG, "U"),
            (Flags::ECE, "E"),
            (Flags::CWR, "W"),
        ];
        letters.iter().filter(|(flag, _)| self.contains(*flag)).try_for_each(|(_, letter)| f.write_str(letter))
    }
}

/// A TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T>(T);

impl<T: AsRef<[u8]>> Packet<T> {
    /// A view of `bytes`, which must hold the whole header with options.
    pub fn new_checked(bytes: T) -> Result<Packet<T>, Malformed> {
        let b = bytes.as_ref();
        need("TCP", MIN_HEADER_LEN, b.len())?;
        let header = usize::from(b[12] >> 4) * 4;
        if header < MIN_HEADER_LEN {
            return Err(Malformed::Field { header: "TCP", field: "data offset", value: header as u32 });
        }
        need("TCP", header, b.len())?;
        Ok(Packet(bytes))
    }

    fn b(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// The sender's port.
    pub fn src_port(&self) -> u16 {
        be16(self.b(), 0)
    }

    /// The receiver's port.
    pub fn dst_port(&self) -> u16 {
        be16(self.b(), 2)
    }

    /// The sequence number of the first byte.
    pub fn seq(&self) -> u32 {
        be32(self.b(), 4)
    }

    /// The next byte that the sender awaits, with [`Flags::ACK`].
    pub fn ack(&self) -> u32 {
        be32(self.b(), 8)
    }

    /// Bytes of the header with its options, 20 to 60.
    pub fn header_len(&self) -> usize {
        usize::from(self.b()[12] >> 4) * 4
    }

    /// The flags.
    pub fn flags(&self) -> Flags {
        Flags(self.b()[13])
    }

    /// The receive window as it stands, not scaled.
    pub fn window(&self) -> u16 {
        be16(self.b(), 14)
    }

    /// The checksum as it stands.
    pub fn checksum(&self) -> u16 {
        be16(self.b(), CHECKSUM_OFFSET)
    }

    /// The options as bytes.
    pub fn options(&self) -> &[u8] {
        &self.b()[MIN_HEADER_LEN..self.header_len()]
    }

    /// What follows the header in the slice.
    pub fn payload(&self) -> &[u8] {
        &self.b()[self.header_len()..]
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// Sets the sender's port; the checksum does not follow.
    pub fn set_src_port(&mut self, port: u16) {
        put(self.0.as_mut(), 0, port.to_be_bytes());
    }

    /// Sets the receiver's port; the checksum does not follow.
    pub fn set_dst_port(&mut self, port: u16) {
        put(self.0.as_mut(), 2, port.to_be_bytes());
    }

    /// Sets the sequence number; the checksum does not follow.
    pub fn set_seq(&mut self, seq: u32) {
        put(self.0.as_mut(), 4, seq.to_be_bytes());
    }

    /// Sets the flags; the checksum does not follow.
    pub fn set_flags(&mut self, flags: Flags) {
        self.0.as_mut()[13] = flags.0;
    }

    /// Sets the checksum.
    pub fn set_checksum(&mut self, checksum: u16) {
        put(self.0.as_mut(), CHECKSUM_OFFSET, checksum.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: [u8; 26] =
        [0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x60, 0x02, 0xfa, 0xf0, 0xab, 0xcd, 0, 0, 2, 4, 5, 0xb4, 7, 8];

    #[test]
    fn a_header_is_read() {
        let p = Packet::new_checked(&SYN).unwrap();
        assert_eq!((p.src_port(), p.dst_port(), p.seq(), p.ack()), (40_000, 80, 1, 2));
        assert_eq!((p.header_len(), p.flags(), p.window(), p.checksum()), (24, Flags::SYN, 64_240, 0xabcd));
        assert_eq!((p.options(), p.payload()), (&[2, 4, 5, 0xb4][..], &[7, 8][..]));
    }

    #[test]
    fn impossible_headers_are_refused() {
        assert!(Packet::new_checked(&SYN[..19]).is_err());
        assert!(Packet::new_checked(&SYN[..23]).is_err());
        let mut bad = SYN;
        bad[12] = 0x4f;
        assert!(matches!(Packet::new_checked(&bad), Err(Malformed::Field { field: "data offset", value: 16, .. })));
    }

    #[test]
    fn what_is_set_is_read() {
        let mut bytes = SYN;
        let mut p = Packet::new_checked(&mut bytes).unwrap();
        p.set_src_port(1);
        p.set_dst_port(2);
        p.set_seq(3);
        p.set_flags(Flags::FIN | Flags::ACK);
        p.set_checksum(4);
        assert_eq!((p.src_port(), p.dst_port(), p.seq(), p.checksum()), (1, 2, 3, 4));
        assert!(p.flags().contains(Flags::FIN) && !p.flags().contains(Flags::FIN | Flags::SYN));
    }

    #[test]
    fn flags_print_as_in_tcpdump() {
        assert_eq!(Flags::SYN.to_string(), "S");
        assert_eq!((Flags::SYN | Flags::ACK).to_string(), "S.");
        assert_eq!((Flags::FIN | Flags::PSH | Flags::ACK).to_string(), "FP.");
        assert_eq!((Flags::SYN | Flags::ECE | Flags::CWR).to_string(), "SEW");
        assert_eq!(Flags::default().to_string(), "none");
    }
}

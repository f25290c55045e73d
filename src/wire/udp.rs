//! UDP: the 8-byte header (RFC 768).

use super::{Malformed, be16, need, put};

/// The protocol number.
pub const PROTOCOL: u8 = 17;
/// Bytes of the header.
pub const HEADER_LEN: usize = 8;
/// Offset of the checksum in the header.
pub const CHECKSUM_OFFSET: usize = 6;

/// A UDP datagram.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T>(T);

impl<T: AsRef<[u8]>> Packet<T> {
    /// A view of `bytes`, which must hold the header. The payload may be cut short.
    pub fn new_checked(bytes: T) -> Result<Packet<T>, Malformed> {
        let b = bytes.as_ref();
        need("UDP", HEADER_LEN, b.len())?;
        match be16(b, 4) {
            len if usize::from(len) < HEADER_LEN => {
                Err(Malformed::Field { header: "UDP", field: "length", value: len.into() })
            }
            _ => Ok(Packet(bytes)),
        }
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

    /// Bytes of header and payload.
    pub fn length(&self) -> u16 {
        be16(self.b(), 4)
    }

    /// The checksum as it stands; over IPv4, 0 says that there is none.
    pub fn checksum(&self) -> u16 {
        be16(self.b(), CHECKSUM_OFFSET)
    }

    /// What of the payload the slice holds.
    pub fn payload(&self) -> &[u8] {
        let end = usize::from(self.length()).min(self.b().len());
        &self.b()[HEADER_LEN..end]
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// Starts a datagram that fills `bytes`, of 8 to 65,535 bytes, without a checksum.
    pub fn init(mut bytes: T, src_port: u16, dst_port: u16) -> Result<Packet<T>, Malformed> {
        let b = bytes.as_mut();
        need("UDP", HEADER_LEN, b.len())?;
        let len = u16::try_from(b.len()).map_err(|_| Malformed::Field {
            header: "UDP",
            field: "length",
            value: u32::try_from(b.len()).unwrap_or(u32::MAX),
        })?;
        put(b, 0, src_port.to_be_bytes());
        put(b, 2, dst_port.to_be_bytes());
        put(b, 4, len.to_be_bytes());
        put(b, 6, [0, 0]);
        Ok(Packet(bytes))
    }

    /// Sets the sender's port; the checksum does not follow.
    pub fn set_src_port(&mut self, port: u16) {
        put(self.0.as_mut(), 0, port.to_be_bytes());
    }

    /// Sets the receiver's port; the checksum does not follow.
    pub fn set_dst_port(&mut self, port: u16) {
        put(self.0.as_mut(), 2, port.to_be_bytes());
    }

    /// Sets the checksum.
    pub fn set_checksum(&mut self, checksum: u16) {
        put(self.0.as_mut(), CHECKSUM_OFFSET, checksum.to_be_bytes());
    }

    /// What of the payload the slice holds.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let end = usize::from(self.length()).min(self.b().len());
        &mut self.0.as_mut()[HEADER_LEN..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut bytes = [9; 12];
        let mut p = Packet::init(&mut bytes[..], 5000, 53).unwrap();
        p.payload_mut()[0] = 1;
        p.set_checksum(0xffff);
        assert_eq!(bytes, [0x13, 0x88, 0, 53, 0, 12, 0xff, 0xff, 1, 9, 9, 9]);
        let mut p = Packet::new_checked(&mut bytes[..]).unwrap();
        assert_eq!((p.src_port(), p.dst_port(), p.length(), p.checksum()), (5000, 53, 12, 0xffff));
        p.set_src_port(1);
        p.set_dst_port(2);
        assert_eq!((p.src_port(), p.dst_port()), (1, 2));
    }

    #[test]
    fn a_head_is_enough_and_padding_is_not_payload() {
        let head = [0, 1, 0, 2, 0x04, 0xba, 0, 0, 1, 2];
        assert_eq!(Packet::new_checked(&head).unwrap().payload(), [1, 2]);
        let padded = [0, 1, 0, 2, 0, 9, 0, 0, 1, 2];
        assert_eq!(Packet::new_checked(&padded).unwrap().payload(), [1]);
    }

    #[test]
    fn impossible_headers_are_refused() {
        assert!(Packet::new_checked([0; 7]).is_err());
        assert!(matches!(Packet::new_checked([0; 8]), Err(Malformed::Field { field: "length", .. })));
        assert!(Packet::init(vec![0; 65_536], 1, 2).is_err());
    }
}

//! longwire's own encapsulation: the 40-byte header between a UDP header and an Ethernet frame that goes to another longwire.
//!
//! It carries what a two-way time transfer needs (the four time stamps of RFC 5905 §8; RFC 8762 has them beside a sequence number, too).
//! A datagram without a frame is a probe. As VXLAN, it neither authenticates nor encrypts anything.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! |                         magic: "LWIR"                         |
//! |    version    |               network (VNI)                   |
//! |                            session                            |
//! |                           sequence                            |
//! |                     sent, ns (64 bits)                        |
//! |          echo: when a datagram of yours was sent (64)         |
//! |          echo: when it was received (64)                      |
//! +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
//! ```
//!
//! Numbers are big-endian. `sent` and the second part of the echo are read from the sender's clock, the first part of the echo is the
//! receiver's own `sent`. An echo of two zeros is none.

use super::{Malformed, be32, need, octets, put};

/// Bytes of the header.
pub const HEADER_LEN: usize = 40;
/// The UDP port that is used unless another is named. IANA has assigned it to nobody.
pub const PORT: u16 = 4793;
const MAGIC: u32 = u32::from_be_bytes(*b"LWIR");
const VERSION: u8 = 1;

/// What the header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The network's identifier, of which 24 bits count.
    pub vni: u32,
    /// Another one whenever the sender starts anew: its sequence numbers begin again, and its clock may be another.
    pub session: u32,
    /// One more than that of the datagram before, modulo 2^32.
    pub sequence: u32,
    /// When it was sent, in ns of the sender's clock.
    pub sent: u64,
    /// When a datagram of the receiver was sent and came.
    pub echo: Option<Echo>,
}

/// A datagram that crossed in the other direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Echo {
    /// When it was sent, in ns of the clock of who sent it.
    pub sent: u64,
    /// When it came, in ns of the clock of who received it.
    pub received: u64,
}

impl Header {
    /// Its bytes.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let Echo { sent, received } = self.echo.unwrap_or(Echo { sent: 0, received: 0 });
        put(&mut bytes, 0, MAGIC.to_be_bytes());
        put(&mut bytes, 4, self.vni.to_be_bytes());
        bytes[4] = VERSION;
        put(&mut bytes, 8, self.session.to_be_bytes());
        put(&mut bytes, 12, self.sequence.to_be_bytes());
        put(&mut bytes, 16, self.sent.to_be_bytes());
        put(&mut bytes, 24, sent.to_be_bytes());
        put(&mut bytes, 32, received.to_be_bytes());
        bytes
    }

    /// Reads one.
    ///
    /// # Errors
    /// It is cut short, begins with something else, or is of another version.
    pub fn decode(bytes: &[u8]) -> Result<Header, Malformed> {
        need("longwire", HEADER_LEN, bytes.len())?;
        let magic = be32(bytes, 0);
        if magic != MAGIC {
            return Err(Malformed::Field { header: "longwire", field: "magic", value: magic });
        }
        if bytes[4] != VERSION {
            return Err(Malformed::Field { header: "longwire", field: "version", value: bytes[4].into() });
        }
        let be64 = |at| u64::from_be_bytes(octets(bytes, at));
        let echo = Echo { sent: be64(24), received: be64(32) };
        Ok(Header {
            vni: u32::from_be_bytes([0, bytes[5], bytes[6], bytes[7]]),
            session: be32(bytes, 8),
            sequence: be32(bytes, 12),
            sent: be64(16),
            echo: Some(echo).filter(|echo| (echo.sent, echo.received) != (0, 0)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        let echo = Some(Echo { sent: 0x0102_0304_0506_0708, received: 9 });
        Header { vni: 42, session: 0xdead_beef, sequence: 7, sent: 3_000_000_000, echo }
    }

    #[test]
    fn the_header_is_as_drawn() {
        let bytes = header().encode();
        assert_eq!(bytes[..8], *b"LWIR\x01\0\0\x2a");
        assert_eq!(bytes[8..16], [0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 7]);
        assert_eq!(bytes[16..24], [0, 0, 0, 0, 0xb2, 0xd0, 0x5e, 0]);
        assert_eq!(bytes[24..40], [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9]);
        let silent = Header { echo: None, ..header() };
        assert_eq!(silent.encode()[24..], [0; 16]);
    }

    #[test]
    fn what_is_short_of_another_version_or_something_else_is_malformed() {
        let bytes = header().encode();
        for len in 0..HEADER_LEN {
            assert!(Header::decode(&bytes[..len]).is_err(), "{len}");
        }
        for at in 0..5 {
            let mut other = bytes;
            other[at] ^= 2;
            assert!(Header::decode(&other).is_err(), "{at}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            (vni, session, sequence) in (0..1_u32 << 24, any::<u32>(), any::<u32>()),
            (sent, echo) in (any::<u64>(), proptest::option::of((1..=u64::MAX, any::<u64>()))),
            payload in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let echo = echo.map(|(sent, received)| Echo { sent, received });
            let header = Header { vni, session, sequence, sent, echo };
            prop_assert_eq!(Header::decode(&[&header.encode()[..], &payload].concat()), Ok(header));
        }

        #[test]
        fn no_bytes_are_read_as_what_they_do_not_say(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut bytes = bytes;
            if bytes.len() > 4 {
                bytes[..5].copy_from_slice(b"LWIR\x01");
            }
            if let Ok(header) = Header::decode(&bytes) {
                prop_assert_eq!(&header.encode()[..], &bytes[..HEADER_LEN]);
            }
        }
    }
}

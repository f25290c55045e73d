//! ICMP echo messages of `ping`: RFC 792 and RFC 4443 §4, with a token in the payload that tells our replies from others'.

/// Bytes of the ICMP header.
pub(super) const HEADER: usize = 8;
/// Bytes of payload that tell a reply: the token and the request's number.
pub(super) const MARK: usize = 16;

/// What a request carries and its reply must carry too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Echo {
    /// Identifier; with an ICMP datagram socket the kernel writes its own.
    pub(super) id: u16,
    /// The run's token.
    pub(super) token: u64,
    /// The request's number, from 0; the sequence field holds its low 16 bits.
    pub(super) number: u64,
}

/// The Internet checksum (RFC 1071).
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u64 = 0;
    for pair in bytes.chunks(2) {
        sum += u64::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

impl Echo {
    /// Writes the request into `message`, header and payload, of which all beyond the mark stays as it is. For IPv6 the
    /// kernel writes the checksum, which covers addresses that only it knows.
    pub(super) fn write(self, v6: bool, message: &mut [u8]) {
        message[0] = if v6 { 128 } else { 8 };
        message[1] = 0;
        message[2..4].fill(0);
        message[4..6].copy_from_slice(&self.id.to_be_bytes());
        message[6..8].copy_from_slice(&(self.number as u16).to_be_bytes());
        message[8..16].copy_from_slice(&self.token.to_be_bytes());
        message[16..24].copy_from_slice(&self.number.to_be_bytes());
        if !v6 {
            let sum = checksum(message);
            message[2..4].copy_from_slice(&sum.to_be_bytes());
        }
    }

    /// Reads an echo reply, `ip_header` says whether the IPv4 header stands before it. `None` for anything else.
    pub(super) fn read(v6: bool, ip_header: bool, packet: &[u8]) -> Option<Echo> {
        let message = if ip_header {
            let length = usize::from(packet.first()? & 0x0f) * 4;
            packet.get(length..)?
        } else {
            packet
        };
        let head: &[u8; HEADER + MARK] = message.first_chunk()?;
        if head[0] != if v6 { 129 } else { 0 } || head[1] != 0 {
            return None;
        }
        let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| head[at + i]));
        let number = word(16);
        let sequence = u16::from_be_bytes([head[6], head[7]]);
        (sequence == number as u16).then_some(Echo {
            id: u16::from_be_bytes([head[4], head[5]]),
            token: word(8),
            number,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: Echo = Echo { id: 0x1234, token: 0xfeed_0000_0000_beef, number: 0x1_0002 };

    #[test]
    fn a_message_with_its_checksum_sums_to_zero() {
        for size in [24, 25, 64] {
            let mut message = vec![0x5a; size];
            ECHO.write(false, &mut message);
            assert_eq!(checksum(&message), 0, "{size} bytes");
            assert_eq!(&message[..2], [8, 0]);
            assert_eq!(&message[6..8], [0, 2], "low 16 bits of the number");
        }
        // RFC 1071 §3
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }

    #[test]
    fn replies_read_back_with_and_without_an_ip_header() {
        for v6 in [false, true] {
            let mut message = vec![0; 40];
            ECHO.write(v6, &mut message);
            assert_eq!(Echo::read(v6, false, &message), None, "our own request is no reply");
            message[0] = if v6 { 129 } else { 0 };
            assert_eq!(Echo::read(v6, false, &message), Some(ECHO));
            let mut packet = vec![0; 24];
            packet[0] = 0x46;
            packet.extend_from_slice(&message);
            assert_eq!(Echo::read(v6, true, &packet), Some(ECHO));
        }
    }

    #[test]
    fn what_is_cut_off_or_foreign_is_no_reply() {
        let mut message = vec![0; 40];
        ECHO.write(false, &mut message);
        message[0] = 0;
        assert_eq!(Echo::read(false, false, &message[..23]), None);
        assert_eq!(Echo::read(false, true, &message[..3]), None);
        assert_eq!(Echo::read(false, true, &[]), None);
        message[7] ^= 1;
        assert_eq!(Echo::read(false, false, &message), None, "sequence and number differ");
    }
}

//! The head of every datagram of a stream: 24 bytes, big-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 0–3 | `LWu1` |
//! | 4–7 | the stream's number |
//! | 8–15 | sequence number, from 0 |
//! | 16–23 | when it was given to the kernel, `CLOCK_MONOTONIC` in ns |

/// Bytes of the head.
pub(super) const HEAD: usize = 24;
/// The largest UDP payload over IPv4 (65,535 − 20 − 8).
pub(super) const LARGEST: u32 = 65_507;

const MAGIC: [u8; 4] = *b"LWu1";

/// What a datagram says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) stream: u32,
    pub(super) number: u64,
    pub(super) sent_at: u64,
}

impl Head {
    /// Writes the head into a datagram of at least [`HEAD`] bytes.
    pub(super) fn write(self, datagram: &mut [u8]) {
        datagram[..4].copy_from_slice(&MAGIC);
        datagram[4..8].copy_from_slice(&self.stream.to_be_bytes());
        datagram[8..16].copy_from_slice(&self.number.to_be_bytes());
        datagram[16..24].copy_from_slice(&self.sent_at.to_be_bytes());
    }

    /// Reads the head; `None` for what is none.
    pub(super) fn read(datagram: &[u8]) -> Option<Head> {
        let head: &[u8; HEAD] = datagram.first_chunk()?;
        if head[..4] != MAGIC {
            return None;
        }
        let word = |at: usize| u64::from_be_bytes(std::array::from_fn(|i| head[at + i]));
        Some(Head { stream: (word(0) & 0xffff_ffff) as u32, number: word(8), sent_at: word(16) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_read_back_and_nothing_else_does() {
        let head = Head { stream: 0xfeed_beef, number: u64::MAX - 1, sent_at: 12_345 };
        let mut datagram = [0x77; 30];
        head.write(&mut datagram);
        assert_eq!(Head::read(&datagram), Some(head));
        assert_eq!(Head::read(&datagram[..HEAD]), Some(head));
        assert_eq!(Head::read(&datagram[..HEAD - 1]), None);
        datagram[0] ^= 1;
        assert_eq!(Head::read(&datagram), None);
    }
}

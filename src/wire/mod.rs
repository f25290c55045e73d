//! The formats on the wire: checked views over byte slices. No I/O, no allocation.
//!
//! A view is made with `new_checked`, which looks at the *header* alone: a frame's head is enough, its payload may be
//! elsewhere. After that no accessor can run out of the slice. Bytes come from anywhere, so nothing in here panics on
//! any of them; what is impossible is [`Malformed`], with the field that says so.
//!
//! | file | what |
//! |---|---|
//! | [`ethernet`] [`vlan`] [`arp`] | layer 2, and the tags between |
//! | [`ipv4`] [`ipv6`] [`icmp`] | layer 3; the walk over IPv6 extension headers |
//! | [`tcp`] [`udp`] | layer 4 |
//! | [`checksum`] | the Internet checksum: whole, in pieces, and updated in place |
//! | [`gso`] [`segmentation`] | a super-frame as a train of wire frames, and how it is cut |
//! | [`vnet`] | the virtio-net header, which says that a frame is a super-frame |

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod gso;
pub mod icmp;
pub mod ipv4;
pub mod ipv6;
pub mod segmentation;
pub mod tcp;
#[cfg(test)]
mod testing;
pub mod udp;
pub mod vlan;
pub mod vnet;

/// Why bytes are not what they were taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes end before the header does.
    #[error("the {header} header needs {needed} bytes, and there are {present}")]
    Truncated {
        /// Which header.
        header: &'static str,
        /// Bytes from the header's start to its end.
        needed: usize,
        /// Bytes that are there.
        present: usize,
    },
    /// A field holds what the format does not allow.
    #[error("the {header} header says {field} = {value}, which cannot be")]
    Field {
        /// Which header.
        header: &'static str,
        /// Which field of it.
        field: &'static str,
        /// What it holds.
        value: u32,
    },
}

/// Fails unless `needed` bytes are `present`.
fn need(header: &'static str, needed: usize, present: usize) -> Result<(), Malformed> {
    if present < needed { Err(Malformed::Truncated { header, needed, present }) } else { Ok(()) }
}

/// The big-endian 16 bits at `at`, which the caller has checked to be inside.
fn be16(bytes: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([bytes[at], bytes[at + 1]])
}

/// The big-endian 32 bits at `at`, which the caller has checked to be inside.
fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// The `N` bytes at `at`, which the caller has checked to be inside.
fn octets<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&bytes[at..at + N]);
    out
}

/// Writes `value` over the bytes at `at`.
fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

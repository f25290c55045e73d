//! Cutting a super-frame into its wire frames, or into shorter super-frames, as the Linux kernel does
//! (`tcp_gso_segment`, `__udp_gso_segment`, `inet_gso_segment`, `ipv6_gso_segment`).
//!
//! Only headers are written; payload is named by its place and copied by nobody. For wire frames `i` to before `j` of `n`:
//!
//! - IPv4: total length; id + `i`, DF or not; header checksum. IPv6: payload length
//! - TCP: sequence number + `i` · size; FIN and PSH only with the last; CWR only with the first (RFC 3168 §6.1.2: one CWR a
//!   window reduction, not one a segment)
//! - UDP: length. A checksum of 0 becomes 0xffff
//! - TCP and UDP checksums: the pseudo header's length changes by the rules of RFC 1624, and what was wrong in it stays wrong.
//!   Completed where asked for, else left partial
//!
//! All else is copied: Ethernet, VLAN tags, IP options, extension headers, TCP options, urgent pointer.

use core::ops::Range;

use super::checksum::{Sum, never_zero, pseudo_v4, pseudo_v6};
use super::gso::{GsoKind, Layout, NotATrain};
use super::tcp::{self, Flags};
use super::{Malformed, be16, be32, ipv4, ipv6, need, put, udp};

pub use super::gso::{Gso, MAX_HEADER_LEN, PartialChecksum, wire_frames};

/// Whether the checksum of what is cut out is completed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It stays partial, for whoever takes the frame with its [`PartialChecksum`].
    Partial,
    /// It is computed over the payload, for a plain frame.
    Complete,
}

/// What was cut out: `header_len` bytes of header, then the bytes `payload` of the super-frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Bytes of the buffer that hold the header.
    pub header_len: usize,
    /// The payload, as offsets into the super-frame (head and payload, one behind the other).
    pub payload: Range<usize>,
    /// How to cut on; `None` for a single wire frame.
    pub gso: Option<Gso>,
    /// The checksum to complete; `None` where it is complete.
    pub partial: Option<PartialChecksum>,
}

impl Cut {
    /// Bytes of header and payload.
    pub fn frame_len(&self) -> usize {
        self.header_len + self.payload.len()
    }
}

/// What follows a frame's head, however it lies in memory.
pub trait Payload: Copy {
    /// How many bytes it has.
    fn size(&self) -> usize;

    /// The sum of a range of it, as if it began at an even offset.
    fn sum(&self, range: Range<usize>) -> Sum;
}

impl Payload for &[u8] {
    fn size(&self) -> usize {
        self.len()
    }

    fn sum(&self, range: Range<usize>) -> Sum {
        Sum::of(&self[range])
    }
}

/// A super-frame that is cut: its layout, and its bytes in two parts.
#[derive(Clone, Copy, Debug)]
pub struct Segmenter<'a, P> {
    layout: Layout,
    head: &'a [u8],
    payload: P,
}

impl<'a, P: Payload> Segmenter<'a, P> {
    /// The super-frame `head` ++ `payload`, of which `layout` was made. `head` holds all headers, and perhaps the first bytes of
    /// payload. Fails where the lengths are not those of `layout`.
    pub fn new(layout: Layout, head: &'a [u8], payload: P) -> Result<Segmenter<'a, P>, NotATrain> {
        if head.len() < layout.header_len() {
            return Err(NotATrain::HeaderTooLong { needed: layout.header_len(), room: head.len() });
        }
        let present = head.len() + payload.size();
        if present != layout.frame_len() {
            return Err(NotATrain::Length { header: "super-frame's", said: layout.frame_len(), present });
        }
        Ok(Segmenter { layout, head, payload })
    }

    /// Where things are.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Cuts out wire frame `index` as a plain frame.
    ///
    /// # Panics
    /// If there is no such frame: `index` must be below [`Layout::frames`].
    pub fn segment(&self, index: u32, checksum: Checksum, out: &mut [u8; MAX_HEADER_LEN]) -> Cut {
        self.run(index..index + 1, checksum, out)
    }

    /// Cuts out the wire frames of `range` as one frame: a plain one for a single, else a shorter super-frame. Cutting that gives
    /// the same wire frames.
    ///
    /// # Panics
    /// If `range` is empty or reaches beyond [`Layout::frames`].
    pub fn run(&self, range: Range<u32>, checksum: Checksum, out: &mut [u8; MAX_HEADER_LEN]) -> Cut {
        let layout = &self.layout;
        let frames = layout.frames();
        assert!(range.start < range.end && range.end <= frames, "frames {range:?} of a train of {frames}");
        let (kind, header, l3, l4) = (layout.gso().kind, layout.header_len(), layout.l3_offset(), layout.l4_offset());
        let (from, to) = (layout.payload_start(range.start), layout.payload_start(range.end));
        let payload = header + from..header + to;

        out[..header].copy_from_slice(&self.head[..header]);
        write_network(&mut out[l3..l4], kind, range.start, header - l3 + payload.len());
        let transport = &mut out[l4..header];
        if kind.is_tcp() {
            let seq = be32(transport, 4).wrapping_add(from as u32);
            put(transport, 4, seq.to_be_bytes());
            transport[13] = layout.flags_of(range.clone(), Flags(transport[13])).0;
        } else {
            put(transport, 4, ((udp::HEADER_LEN + payload.len()) as u16).to_be_bytes());
        }

        let field = usize::from(kind.checksum_offset());
        let old_len = (layout.frame_len() - l4) as u16;
        let new_len = (header - l4 + payload.len()) as u16;
        let sum = self.pseudo_sum(field, old_len).less(old_len).word(new_len).fold();
        put(transport, field, sum.to_be_bytes());
        let partial = match checksum {
            Checksum::Partial => Some(PartialChecksum { start: l4 as u16, offset: field as u16 }),
            Checksum::Complete => {
                // Both transport headers are of even length, so the payload starts at an even offset.
                let whole = (Sum::of(transport) + self.payload_sum(&payload)).checksum();
                let whole = if kind.is_tcp() { whole } else { never_zero(whole) };
                put(transport, field, whole.to_be_bytes());
                None
            }
        };
        let gso = Gso { ecn: layout.gso().ecn && range.start == 0, ..layout.gso() };
        Cut { header_len: header, payload, gso: (range.len() > 1).then_some(gso), partial }
    }

    /// The sum of the whole train's pseudo header: as the kernel left it, or anew where it left none.
    fn pseudo_sum(&self, field: usize, len: u16) -> Sum {
        let (l3, l4, kind) = (self.layout.l3_offset(), self.layout.l4_offset(), self.layout.gso().kind);
        if self.layout.has_partial_checksum() {
            return Sum::ZERO.word(be16(self.head, l4 + field));
        }
        let protocol = if kind.is_tcp() { tcp::PROTOCOL } else { udp::PROTOCOL };
        let ip = &self.head[l3..l4];
        match kind {
            GsoKind::Tcp4 | GsoKind::Udp4 => {
                let (src, dst) = (super::octets::<4>(ip, 12), super::octets::<4>(ip, 16));
                pseudo_v4(src.into(), dst.into(), protocol, len.into())
            }
            GsoKind::Tcp6 | GsoKind::Udp6 => {
                let (src, dst) = (super::octets::<16>(ip, 8), super::octets::<16>(ip, 24));
                pseudo_v6(src.into(), dst.into(), protocol, len.into())
            }
        }
    }

    /// The sum of a range of the super-frame.
    fn payload_sum(&self, range: &Range<usize>) -> Sum {
        let split = self.head.len();
        let in_head = &self.head[range.start.min(split)..range.end.min(split)];
        let behind = self.payload.sum(range.start.max(split) - split..range.end.max(split) - split);
        Sum::of(in_head) + behind.at(in_head.len())
    }
}

/// Writes lengths, IPv4 id and header checksum into an IP header (with options or extension headers) for a packet of `l3_len` bytes.
fn write_network(ip: &mut [u8], kind: GsoKind, index: u32, l3_len: usize) {
    if kind.is_v4() {
        put(ip, 2, (l3_len as u16).to_be_bytes());
        let id = be16(ip, 4).wrapping_add(index as u16);
        put(ip, 4, id.to_be_bytes());
        put(ip, 10, [0, 0]);
        debug_assert!(ip.len() >= ipv4::MIN_HEADER_LEN, "checked by Layout");
        let sum = Sum::of(ip).checksum();
        put(ip, 10, sum.to_be_bytes());
    } else {
        put(ip, 4, ((l3_len - ipv6::HEADER_LEN) as u16).to_be_bytes());
    }
}

/// Completes the checksum of the plain frame `head` ++ `payload`, as the kernel's `skb_checksum_help`: sums from `start` to
/// the frame's end over the pseudo header's sum in the field. A result of 0 goes out as 0xffff, whatever the transport.
///
/// Fails where `head` does not hold the field.
pub fn complete_checksum(head: &mut [u8], payload: impl Payload, partial: PartialChecksum) -> Result<(), Malformed> {
    let field = partial.field();
    need("transport", field + 2, head.len())?;
    let summed = &head[usize::from(partial.start)..];
    let sum = Sum::of(summed) + payload.sum(0..payload.size()).at(summed.len());
    put(head, field, never_zero(sum.checksum()).to_be_bytes());
    Ok(())
}

#[cfg(test)]
#[path = "segmentation_tests.rs"]
mod tests;

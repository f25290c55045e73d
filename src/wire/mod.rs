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
//! | [`fragment`] [`icmp_error`] [`nd`] | what routers make: fragments, errors about packets, answers of neighbour discovery |
//! | [`dhcp`] | addresses and settings for hosts |
//! | [`vxlan`] [`site`] | what stands before a frame that travels in a UDP datagram |
//! | [`tcp`] [`udp`] [`reset`] | layer 4; resets that both ends of a connection believe |
//! | [`ecn`] | congestion marks of a whole frame |
//! | [`checksum`] | the Internet checksum: whole, in pieces, and updated in place |
//! | [`rewrite`] | addresses and ports changed in place, with every checksum over them |
//! | [`summary`] | one pass over a head: what rules match and what event logs print |
//! | [`gso`] [`segmentation`] | a super-frame as a train of wire frames, and how it is cut |
//! | [`vnet`] | the virtio-net header, which says that a frame is a super-frame |

pub mod arp;
pub mod checksum;
pub mod dhcp;
pub mod ecn;
pub mod ethernet;
pub mod fragment;
pub mod gso;
pub mod icmp;
pub mod icmp_error;
pub mod ipv4;
pub mod ipv6;
pub mod nd;
pub mod reset;
pub mod rewrite;
pub mod segmentation;
pub mod site;
pub mod summary;
pub mod tcp;
#[cfg(any(test, fuzzing))]
pub(crate) mod testing;
pub mod udp;
pub mod vlan;
pub mod vnet;
pub mod vxlan;

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
pub(crate) fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    bytes[at..at + N].copy_from_slice(&value);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::gso::{Gso, GsoKind, Layout, MAX_HEADER_LEN, PartialChecksum};
    use super::segmentation::{Checksum, Segmenter, complete_checksum};
    use super::vnet::{Endian, VnetHeader};
    use super::*;

    /// Takes `bytes` for everything that they could be, and reads and writes all of it.
    fn look_everywhere(bytes: &[u8], noise: u64) {
        for view in [bytes, bytes.get(14..).unwrap_or(&[]), bytes.get(34..).unwrap_or(&[])] {
            look_at(view, noise);
        }
        let head = &bytes[..bytes.len().min(MAX_HEADER_LEN)];
        for len in [bytes.len(), 0, noise as usize % 70_000] {
            let _ = summary::FrameSummary::new(head, len).to_string();
            let _ = (ecn::codepoint(head), ecn::mark(&mut head.to_vec()));
            let header = VnetHeader::decode(&noise.to_le_bytes().repeat(2), Endian::Native).unwrap();
            let _ = header.check(head, len).map_err(|e| e.to_string());
            for gso_type in [1, 4, 5] {
                let _ = VnetHeader { gso_type, ..header }.check(bytes, len).map_err(|e| e.to_string());
            }
        }
        let _ = vlan::untag(bytes).map_err(|e| e.to_string());
        let _ = vxlan::vni(bytes).map_err(|e| e.to_string());
        let (start, offset) = (noise as u16 % 256, (noise >> 16) as u16 % 32);
        let _ = complete_checksum(&mut bytes.to_vec(), bytes, PartialChecksum { start, offset });
        let size = ((noise >> 32) as u16 % 200).max(1);
        for kind in [GsoKind::Tcp4, GsoKind::Tcp6, GsoKind::Udp4, GsoKind::Udp6] {
            let l4 = summary::FrameSummary::new(head, bytes.len()).l4_offset.unwrap_or(0);
            let place = PartialChecksum { start: l4.into(), offset: kind.checksum_offset() };
            for partial in [None, Some(place), Some(PartialChecksum { start, offset })] {
                let Ok(layout) = Layout::new(head, bytes.len(), Gso { kind, size, ecn: true }, partial) else {
                    continue;
                };
                let segmenter = Segmenter::new(layout, head, &bytes[head.len()..]).unwrap();
                let mut out = [0; MAX_HEADER_LEN];
                for k in 0..layout.frames() {
                    let cut = segmenter.segment(k, Checksum::Complete, &mut out);
                    assert!(cut.payload.end <= bytes.len() && cut.header_len <= MAX_HEADER_LEN);
                    segmenter.run(k..layout.frames(), Checksum::Partial, &mut out);
                }
            }
        }
    }

    fn look_at(bytes: &[u8], noise: u64) {
        let mut own = bytes.to_vec();
        let [a, b, c, d, ..] = noise.to_le_bytes();
        if let Ok(mut p) = ethernet::Frame::new_checked(&mut own[..]) {
            let _ = (p.dst().to_string(), p.src(), p.ethertype().to_string(), p.payload().len(), p.payload_mut().len());
        }
        if let Ok(p) = arp::Packet::new_checked(bytes) {
            let _ = (p.operation(), p.sender_mac(), p.sender(), p.target_mac(), p.target(), p.is_gratuitous());
        }
        if let Ok(mut p) = ipv4::Packet::new_checked(&mut own[..]) {
            let _ = (p.tos(), p.id(), p.more_fragments(), p.fragment_offset(), p.is_fragment(), p.checksum_ok());
            let _ = (p.options().len(), p.payload().len(), p.payload_mut().len(), p.is_complete());
            p.set_ttl(a);
            p.set_ecn(ipv4::Ecn::Ce);
            p.set_total_len(noise as u16);
            p.set_src([a, b, c, d].into());
            p.fill_checksum();
            let _ = (p.payload().len(), p.payload_mut().len());
        }
        if let Ok(mut p) = ipv6::Packet::new_checked(&mut own[..]) {
            p.set_traffic_class(a);
            p.set_payload_len(noise as u16);
            let _ = (p.transport(), p.flow_label(), p.src(), p.dst(), p.payload().len(), p.payload_mut().len());
        }
        if let Ok(mut p) = icmp::Packet::new_checked(&mut own[..]) {
            let _ = (p.kind(), p.code(), p.rest(), p.ident(), p.sequence(), p.neighbor_target(), p.payload().len());
            p.fill_checksum_v4();
            p.fill_checksum_v6([0; 16].into(), [1; 16].into());
        }
        if let Ok(p) = tcp::Packet::new_checked(bytes) {
            let _ = (p.seq(), p.ack(), p.flags().to_string(), p.window(), p.options().len(), p.payload().len());
        }
        if let Ok(mut p) = udp::Packet::new_checked(&mut own[..]) {
            let _ = (p.src_port(), p.dst_port(), p.length(), p.payload().len(), p.payload_mut().len());
        }
    }

    /// Real frames and trains.
    fn frame() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![prop::sample::select(testing::real_frames()), testing::train().prop_map(|t| t.frame)]
    }

    #[test]
    fn errors_name_the_header_and_the_field() {
        let error = udp::Packet::new_checked([0; 5]).unwrap_err();
        assert_eq!(error.to_string(), "the UDP header needs 8 bytes, and there are 5");
        let error = ipv6::Packet::new_checked([0x45; 40]).unwrap_err();
        assert_eq!(error.to_string(), "the IPv6 header says version = 4, which cannot be");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), noise: u64) {
            look_everywhere(&bytes, noise);
        }

        #[test]
        fn no_mutated_frame_panics(
            mut frame in frame(),
            flips in proptest::collection::vec((0usize..160, any::<u8>()), 0..6),
            cut in 0usize..700,
            noise: u64,
        ) {
            for (at, to) in flips {
                if let Some(byte) = frame.get_mut(at) {
                    *byte = to;
                }
            }
            // half of them keep their length, which trains are checked against
            if noise & 1 == 0 {
                frame.truncate(cut);
            }
            look_everywhere(&frame, noise);
        }
    }
}

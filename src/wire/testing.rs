//! Frames for the tests of this layer, put together byte by byte, with nothing from the code under test but the names of
//! what they are. Fuzz targets build trains with them, too.
#![allow(missing_docs, unreachable_pub, reason = "tests and fuzz targets see it")]

#[cfg(test)]
use proptest::prelude::*;

use super::gso::{Gso, GsoKind, PartialChecksum};

/// The ones' complement sum, word by word as RFC 1071 defines it.
pub fn naive_sum(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
        if sum > 0xffff {
            sum -= 0xffff;
        }
    }
    sum as u16
}

/// A super-frame, and what was put into it.
#[derive(Clone, Debug)]
pub struct Train {
    pub frame: Vec<u8>,
    pub l3: usize,
    pub l4: usize,
    pub header: usize,
    pub gso: Gso,
    pub partial: Option<PartialChecksum>,
}

/// What varies between trains.
#[derive(Clone, Debug)]
pub struct Spec {
    pub kind: GsoKind,
    pub tags: usize,
    /// Words of IPv4 options; or one extension header for each: hop-by-hop, routing, destination.
    pub network_options: usize,
    /// Words of TCP options.
    pub tcp_options: usize,
    pub flags: u8,
    pub seq: u32,
    pub id: u16,
    pub dont_fragment: bool,
    pub tos: u8,
    pub size: u16,
    pub payload: Vec<u8>,
    pub partial: bool,
}

impl Train {
    /// A train without tags and options.
    pub fn plain(kind: GsoKind, size: u16, payload_len: usize) -> Train {
        Spec::of(kind, size, payload_len).build()
    }

    /// The sum of the pseudo header for `len` bytes of transport, of the addresses in `frame`.
    pub fn pseudo(kind: GsoKind, frame: &[u8], l3: usize, len: usize) -> Vec<u8> {
        let protocol = if kind.is_tcp() { 6 } else { 17 };
        let addresses = if kind.is_v4() { &frame[l3 + 12..l3 + 20] } else { &frame[l3 + 8..l3 + 40] };
        [addresses, &(len as u32).to_be_bytes(), &[0, 0, 0, protocol]].concat()
    }
}

impl Spec {
    /// That of a train without tags and options.
    pub fn of(kind: GsoKind, size: u16, payload_len: usize) -> Spec {
        Spec {
            kind,
            tags: 0,
            network_options: 0,
            tcp_options: 0,
            flags: 0x18,
            seq: 1000,
            id: 7,
            dont_fragment: true,
            tos: 0,
            size,
            payload: (0..payload_len).map(|i| (i * 7 + i / 256) as u8).collect(),
            partial: true,
        }
    }

    pub fn build(self) -> Train {
        let (v4, is_tcp) = (self.kind.is_v4(), self.kind.is_tcp());
        let protocol = if is_tcp { 6 } else { 17 };
        let mut f = vec![2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];
        for tag in 0..self.tags {
            // the outer of two is 802.1ad
            f.extend(if tag == 0 && self.tags > 1 { [0x88, 0xa8, 0x20, 10] } else { [0x81, 0, 0x40, 20] });
        }
        f.extend(if v4 { [0x08, 0x00] } else { [0x86, 0xdd] });
        let l3 = f.len();
        let transport_len = if is_tcp { 20 + self.tcp_options * 4 } else { 8 };
        let rest = transport_len + self.payload.len();
        if v4 {
            let header = 20 + self.network_options * 4;
            f.extend([0x40 | (header / 4) as u8, self.tos]);
            f.extend(((header + rest) as u16).to_be_bytes());
            f.extend(self.id.to_be_bytes());
            f.extend([if self.dont_fragment { 0x40 } else { 0 }, 0, 63, protocol, 0, 0, 10, 0, 0, 1, 10, 9, 8, 7]);
            f.extend(core::iter::repeat_n(1, self.network_options * 4));
            let sum = !naive_sum(&f[l3..]);
            f[l3 + 10..l3 + 12].copy_from_slice(&sum.to_be_bytes());
        } else {
            let chain: &[(u8, usize)] = &[(0, 8), (43, 24), (60, 16)];
            let chain = &chain[..self.network_options.min(3)];
            let extensions: usize = chain.iter().map(|(_, len)| len).sum();
            f.extend([0x60 | self.tos >> 4, self.tos << 4 | 0x0a, 0xbc, 0xde]);
            f.extend(((extensions + rest) as u16).to_be_bytes());
            f.extend([chain.first().map_or(protocol, |(next, _)| *next), 63]);
            f.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            f.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe]);
            for (i, (kind, len)) in chain.iter().enumerate() {
                let next = chain.get(i + 1).map_or(protocol, |(next, _)| *next);
                f.extend([next, (len / 8 - 1) as u8]);
                // a spent routing header of type 4; else options that pad
                let body = if *kind == 43 { vec![4, 0] } else { vec![1, (len - 4) as u8] };
                f.extend(&body);
                f.extend(core::iter::repeat_n(0, len - 4));
            }
        }
        let l4 = f.len();
        f.extend([0x9c, 0x40, 0x14, 0x51]);
        if is_tcp {
            f.extend(self.seq.to_be_bytes());
            f.extend([0, 0, 0x30, 0x39, ((5 + self.tcp_options) << 4) as u8, self.flags, 0xfa, 0xf0, 0, 0, 0, 5]);
            f.extend(core::iter::repeat_n(1, self.tcp_options * 4));
        } else {
            f.extend((rest as u16).to_be_bytes());
            f.extend([0, 0]);
        }
        let header = f.len();
        let offset = if is_tcp { 16 } else { 6 };
        if self.partial || !is_tcp {
            let sum = naive_sum(&Train::pseudo(self.kind, &f, l3, rest));
            f[l4 + offset..l4 + offset + 2].copy_from_slice(&sum.to_be_bytes());
        } else {
            // to be overwritten, whatever it is
            f[l4 + offset] = 0x5a;
        }
        f.extend(&self.payload);
        let partial = (self.partial || !is_tcp).then_some(PartialChecksum { start: l4 as u16, offset: offset as u16 });
        let gso = Gso { kind: self.kind, size: self.size, ecn: is_tcp && self.flags & 0x80 != 0 };
        Train { frame: f, l3, l4, header, gso, partial }
    }
}

/// Bytes of payload at most. Miri takes a second for a thousand of them.
#[cfg(test)]
const PAYLOAD: usize = if cfg!(miri) { 300 } else { 6000 };

/// Any train of up to 6,000 bytes of payload and about 60 frames.
#[cfg(test)]
pub(crate) fn train() -> impl Strategy<Value = Train> {
    let kind = prop_oneof![Just(GsoKind::Tcp4), Just(GsoKind::Tcp6), Just(GsoKind::Udp4), Just(GsoKind::Udp6)];
    let shape = (kind, 0usize..3, 0usize..11, 0usize..11);
    let fields = (any::<u8>(), any::<u32>(), any::<u16>(), any::<bool>(), any::<u8>(), any::<bool>());
    let payload = proptest::collection::vec(prop_oneof![3 => any::<u8>(), 1 => Just(0xff), 1 => Just(0)], 0..PAYLOAD);
    (shape, fields, payload, 1u16..1600).prop_map(|(shape, fields, payload, size)| {
        let (kind, tags, network_options, tcp_options) = shape;
        let (flags, seq, id, dont_fragment, tos, partial) = fields;
        let size = size.max((payload.len() / 60) as u16).max(1);
        // from three extension headers up all are there
        Spec { kind, tags, network_options, tcp_options, flags, seq, id, dont_fragment, tos, size, payload, partial }
            .build()
    })
}

/// Frames of the kinds that hosts send, one of each.
#[cfg(test)]
pub(crate) fn real_frames() -> Vec<Vec<u8>> {
    let hex = |text: &str| -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|d| u8::from_str_radix(core::str::from_utf8(d).unwrap(), 16).unwrap()).collect()
    };
    let fd00 = |last: &str| format!("fd00 0000 0000 0000 0000 0000 0000 00{last}");
    let mut frames = vec![
        hex("ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 0a000001 000000000000 0a000002"),
        hex("020000000001 020000000002 0806 0001 0800 06 04 0002 020000000002 0a000002 020000000001 0a000001"),
        hex("020000000002 020000000001 0800 4500002c 00004000 400626ca 0a000001 0a000002 \
             9c400050 00000001 00000000 6002faf0 d6a70000 020405b4"),
        hex("020000000002 020000000001 0800 4500001f 00004000 401126cc 0a000001 0a000002 13880035 000b0000 010203"),
        hex("020000000002 020000000001 0800 45000020 00004000 400126db 0a000001 0a000002 08004e2f 12340001 61626364"),
        hex(&format!(
            "3333ff000002 020000000001 86dd 60000000 0020 3a ff {} ff02 0000 0000 0000 0000 0001 ff00 0002 \
             87000000 00000000 {} 0101 020000000001",
            fd00("01"),
            fd00("02")
        )),
        hex(&format!(
            "020000000002 020000000001 86dd 60000000 0010 00 40 {} {} 3a00 0104 00000000 80000000 00010002",
            fd00("01"),
            fd00("02")
        )),
        hex(&format!(
            "020000000002 020000000001 8100 0064 86dd 60000000 000a 11 40 {} {} 13880035 000a0000 6869",
            fd00("01"),
            fd00("02")
        )),
        hex("020000000002 020000000001 0800 45000028 000700b9 401166ac 0a000001 0a000002 \
             0102030405060708090a0b0c0d0e0f1011121314"),
        hex("0180c200000e 020000000001 88cc 0207 04 020000000001"),
        hex("0180c2000000 020000000001 0026 424203 0000000000"),
    ];
    for frame in frames.iter_mut().rev().take(2) {
        // the shortest frame on a real wire, less its FCS
        frame.resize(60, 0);
    }
    frames
}

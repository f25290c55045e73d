//! IPv6: the fixed header, and the walk over extension headers to the transport (RFC 8200).

use core::net::Ipv6Addr;

use super::ipv4::Ecn;
use super::{Malformed, be16, be32, need, octets, put};

/// Bytes of the fixed header.
pub const HEADER_LEN: usize = 40;

/// Next header: hop-by-hop options.
pub const HOP_BY_HOP: u8 = 0;
/// Next header: routing.
pub const ROUTING: u8 = 43;
/// Next header: fragment.
pub const FRAGMENT: u8 = 44;
/// Next header: authentication (RFC 4302).
pub const AUTHENTICATION: u8 = 51;
/// Next header: nothing follows.
pub const NO_NEXT: u8 = 59;
/// Next header: destination options.
pub const DESTINATION: u8 = 60;

/// The fixed header and what follows it.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T>(T);

impl<T: AsRef<[u8]>> Packet<T> {
    /// A view of `bytes`, which must hold the fixed header, of version 6. The payload may be cut short.
    pub fn new_checked(bytes: T) -> Result<Packet<T>, Malformed> {
        let b = bytes.as_ref();
        need("IPv6", HEADER_LEN, b.len())?;
        match b[0] >> 4 {
            6 => Ok(Packet(bytes)),
            other => Err(Malformed::Field { header: "IPv6", field: "version", value: other.into() }),
        }
    }

    fn b(&self) -> &[u8] {
        self.0.as_ref()
    }

    /// DSCP and ECN together.
    pub fn traffic_class(&self) -> u8 {
        (be16(self.b(), 0) >> 4) as u8
    }

    /// The differentiated-services codepoint, 0 to 63.
    pub fn dscp(&self) -> u8 {
        self.traffic_class() >> 2
    }

    /// The ECN codepoint.
    pub fn ecn(&self) -> Ecn {
        Ecn::of_tos(self.traffic_class())
    }

    /// The flow label, 20 bits.
    pub fn flow_label(&self) -> u32 {
        be32(self.b(), 0) & 0x000f_ffff
    }

    /// Bytes behind the fixed header, extension headers included. 0 with a jumbo payload option (RFC 2675).
    pub fn payload_len(&self) -> u16 {
        be16(self.b(), 4)
    }

    /// The protocol of what follows the fixed header.
    pub fn next_header(&self) -> u8 {
        self.b()[6]
    }

    /// Routers that it may still pass.
    pub fn hop_limit(&self) -> u8 {
        self.b()[7]
    }

    /// Who sent it.
    pub fn src(&self) -> Ipv6Addr {
        octets(self.b(), 8).into()
    }

    /// Who it is for, next: with a routing header the final destination is in there.
    pub fn dst(&self) -> Ipv6Addr {
        octets(self.b(), 24).into()
    }

    /// What of the payload the slice holds, without Ethernet padding behind the payload length.
    pub fn payload(&self) -> &[u8] {
        let end = (HEADER_LEN + usize::from(self.payload_len())).min(self.b().len());
        &self.b()[HEADER_LEN..end]
    }

    /// Walks over the extension headers.
    pub fn transport(&self) -> Transport {
        transport(self.next_header(), self.payload())
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Packet<T> {
    /// Starts a header in the first 40 of `bytes`: version 6, hop limit 64, no next header, all else 0.
    pub fn init(mut bytes: T) -> Result<Packet<T>, Malformed> {
        let b = bytes.as_mut();
        need("IPv6", HEADER_LEN, b.len())?;
        b[..HEADER_LEN].fill(0);
        put(b, 0, [0x60]);
        put(b, 6, [NO_NEXT, 64]);
        Ok(Packet(bytes))
    }

    fn m(&mut self) -> &mut [u8] {
        self.0.as_mut()
    }

    /// Sets DSCP and ECN.
    pub fn set_traffic_class(&mut self, class: u8) {
        let word = be16(self.b(), 0) & 0xf00f | u16::from(class) << 4;
        put(self.m(), 0, word.to_be_bytes());
    }

    /// Sets the ECN codepoint.
    pub fn set_ecn(&mut self, ecn: Ecn) {
        self.set_traffic_class(self.traffic_class() & !3 | ecn as u8);
    }

    /// Sets the length of what follows the fixed header.
    pub fn set_payload_len(&mut self, len: u16) {
        put(self.m(), 4, len.to_be_bytes());
    }

    /// Sets the protocol of what follows the fixed header.
    pub fn set_next_header(&mut self, protocol: u8) {
        self.m()[6] = protocol;
    }

    /// Sets the hop limit.
    pub fn set_hop_limit(&mut self, hops: u8) {
        self.m()[7] = hops;
    }

    /// Sets who sent it; the checksum of the transport does not follow.
    pub fn set_src(&mut self, address: Ipv6Addr) {
        put(self.m(), 8, address.octets());
    }

    /// Sets who it is for; the checksum of the transport does not follow.
    pub fn set_dst(&mut self, address: Ipv6Addr) {
        put(self.m(), 24, address.octets());
    }

    /// What of the payload the slice holds.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let end = (HEADER_LEN + usize::from(self.payload_len())).min(self.b().len());
        &mut self.m()[HEADER_LEN..end]
    }
}

/// Where a walk over extension headers ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transport {
    /// The transport's protocol; of an extension header where `cut`.
    pub protocol: u8,
    /// Offset of the transport header from the end of the fixed header.
    pub offset: usize,
    /// The fragment header, if one was passed.
    pub fragment: Option<Fragment>,
    /// The bytes ended within the extension headers: `protocol` is that of the one which is not there.
    pub cut: bool,
}

/// What a fragment header says (RFC 8200 §4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Where in the packet's fragmentable part this starts, in bytes. Above 0 there is no transport header here.
    pub offset: u16,
    /// A later fragment follows.
    pub more: bool,
    /// The number that the fragments share.
    pub id: u32,
}

impl Fragment {
    /// Part of a packet only. An atomic fragment (RFC 6946) is whole.
    pub const fn is_partial(self) -> bool {
        self.offset != 0 || self.more
    }
}

/// Walks from a next-header value over the extension headers in `bytes`, which follow the fixed header. Ends at what is no
/// extension header, at encrypted payload (ESP), behind the header of a later fragment, or where the bytes end.
pub fn transport(next_header: u8, bytes: &[u8]) -> Transport {
    let mut at = Transport { protocol: next_header, offset: 0, fragment: None, cut: false };
    // Every round moves on by 8 bytes or more, so the slice bounds the walk.
    loop {
        let rest = bytes.get(at.offset..).unwrap_or(&[]);
        let len = match (at.protocol, rest) {
            (HOP_BY_HOP | ROUTING | DESTINATION, [_, len, ..]) => usize::from(*len) * 8 + 8,
            // in 32-bit words, less 2 (RFC 4302 §2.2)
            (AUTHENTICATION, [_, len, ..]) => (usize::from(*len) + 2) * 4,
            (FRAGMENT, _) => 8,
            (HOP_BY_HOP | ROUTING | DESTINATION | AUTHENTICATION, _) => usize::MAX,
            _ => return at,
        };
        if rest.len() < len {
            at.cut = true;
            return at;
        }
        if at.protocol == FRAGMENT {
            let word = be16(rest, 2);
            let fragment = Fragment { offset: word & 0xfff8, more: word & 1 != 0, id: be32(rest, 4) };
            at.fragment = Some(fragment);
            if fragment.offset != 0 {
                at.protocol = rest[0];
                at.offset += len;
                return at;
            }
        }
        at.protocol = rest[0];
        at.offset += len;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_set_is_read() {
        let mut bytes = [0xaa; 44];
        let (a, b): (Ipv6Addr, Ipv6Addr) = ("fd00::1".parse().unwrap(), "fd00::2".parse().unwrap());
        let mut p = Packet::init(&mut bytes[..]).unwrap();
        p.set_traffic_class(46 << 2);
        p.set_ecn(Ecn::Ce);
        p.set_payload_len(4);
        p.set_next_header(58);
        p.set_hop_limit(255);
        p.set_src(a);
        p.set_dst(b);
        assert_eq!(bytes[..8], [0x6b, 0xb0, 0, 0, 0, 4, 58, 255]);
        let p = Packet::new_checked(&bytes[..]).unwrap();
        assert_eq!((p.dscp(), p.ecn(), p.flow_label()), (46, Ecn::Ce, 0));
        assert_eq!((p.payload_len(), p.next_header(), p.hop_limit()), (4, 58, 255));
        assert_eq!((p.src(), p.dst(), p.payload()), (a, b, &[0xaa; 4][..]));
        assert!(Packet::new_checked(&bytes[..39]).is_err());
        bytes[0] = 0x4b;
        assert!(matches!(Packet::new_checked(&bytes[..]), Err(Malformed::Field { field: "version", value: 4, .. })));
    }

    #[test]
    fn a_flow_label_survives_the_traffic_class() {
        let mut bytes = [0; 40];
        put(&mut bytes, 0, [0x6f, 0xfa, 0xbc, 0xde]);
        let mut p = Packet::new_checked(&mut bytes[..]).unwrap();
        p.set_traffic_class(0);
        assert_eq!((p.flow_label(), p.traffic_class()), (0xabcde, 0));
        assert!(Packet::new_checked(&bytes[..]).is_ok());
    }

    #[test]
    fn extension_headers_are_walked() {
        let chain = [
            &[ROUTING, 0, 0, 0, 0, 0, 0, 0][..],                            // hop-by-hop, 8 bytes
            &[AUTHENTICATION, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // routing, 16
            &[DESTINATION, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],                // authentication, 12
            &[6, 0, 0, 0, 0, 0, 0, 0],                                      // destination, 8
            &[1, 2, 3, 4],
        ]
        .concat();
        let found = transport(HOP_BY_HOP, &chain);
        assert_eq!(found, Transport { protocol: 6, offset: 44, fragment: None, cut: false });
        for end in 0..44 {
            assert!(transport(HOP_BY_HOP, &chain[..end]).cut, "{end}");
        }
        assert_eq!(transport(17, &[]), Transport { protocol: 17, offset: 0, fragment: None, cut: false });
    }

    #[test]
    fn a_later_fragment_has_no_transport_header() {
        // its payload would read as a hop-by-hop header
        let later = [HOP_BY_HOP, 0, 0x05, 0xa9, 0, 0, 0, 7, 6, 200];
        let found = transport(FRAGMENT, &later);
        assert_eq!(found.fragment, Some(Fragment { offset: 1448, more: true, id: 7 }));
        assert_eq!((found.protocol, found.offset, found.cut), (HOP_BY_HOP, 8, false));
        let atomic = [17, 0, 0, 0, 0, 0, 0, 9];
        let found = transport(FRAGMENT, &atomic);
        assert_eq!((found.protocol, found.fragment.map(Fragment::is_partial)), (17, Some(false)));
    }

    proptest! {
        #[test]
        fn no_chain_runs_out_of_the_slice(next: u8, bytes in proptest::collection::vec(prop_oneof![Just(0u8), Just(43), Just(44), Just(51), Just(60), any::<u8>()], 0..200)) {
            let found = transport(next, &bytes);
            prop_assert!(found.offset <= bytes.len());
        }
    }
}

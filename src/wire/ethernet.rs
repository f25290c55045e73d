//! Ethernet II: addresses, EtherTypes and the 14-byte header (IEEE 802.3, RFC 894). Without preamble and FCS, which no
//! TAP shows.

use core::fmt;
use core::net::Ipv6Addr;
use core::str::FromStr;

use super::{Malformed, be16, need, octets, put};

/// Bytes of the header: destination, source, EtherType.
pub const HEADER_LEN: usize = 14;

/// A 48-bit MAC address. Text: `02:00:5e:10:00:01`.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddr(pub [u8; 6]);

impl MacAddr {
    /// All stations.
    pub const BROADCAST: MacAddr = MacAddr([0xff; 6]);
    /// No address at all.
    pub const ZERO: MacAddr = MacAddr([0; 6]);

    /// The address as bytes, in the order of the wire.
    pub const fn octets(self) -> [u8; 6] {
        self.0
    }

    /// All ones.
    pub fn is_broadcast(self) -> bool {
        self == MacAddr::BROADCAST
    }

    /// The group bit is set. The broadcast address is a group address too.
    pub const fn is_multicast(self) -> bool {
        self.0[0] & 0x01 != 0
    }

    /// One station's address: neither group nor zero.
    pub fn is_unicast(self) -> bool {
        !self.is_multicast() && self != MacAddr::ZERO
    }

    /// Locally administered, as made-up addresses have to be.
    pub const fn is_local(self) -> bool {
        self.0[0] & 0x02 != 0
    }

    /// A group that bridges must not forward: `01:80:c2:00:00:00` to `…:0f` (IEEE 802.1D §7.12.6).
    pub const fn is_bridge_reserved(self) -> bool {
        matches!(self.0, [0x01, 0x80, 0xc2, 0, 0, 0..=0x0f])
    }

    /// The link-local address that a kernel derives from this one: fe80::/64 and the modified EUI-64 (RFC 4291, appendix A).
    pub const fn link_local(self) -> Ipv6Addr {
        let m = self.0;
        let id = [m[0] ^ 0x02, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]];
        let [a, b, c, d, e, f, g, h] = id;
        Ipv6Addr::from_octets([0xfe, 0x80, 0, 0, 0, 0, 0, 0, a, b, c, d, e, f, g, h])
    }
}

impl From<[u8; 6]> for MacAddr {
    fn from(octets: [u8; 6]) -> MacAddr {
        MacAddr(octets)
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a MAC address: write six pairs of hexadecimal digits, as in `02:00:5e:10:00:01`")]
pub struct MacAddrError;

impl FromStr for MacAddr {
    type Err = MacAddrError;

    /// Six pairs of hexadecimal digits, between colons.
    fn from_str(text: &str) -> Result<MacAddr, MacAddrError> {
        let mut octets = [0; 6];
        let mut parts = text.split(':');
        for octet in &mut octets {
            let part = parts.next().ok_or(MacAddrError)?;
            // from_str_radix alone would take `+1`
            if part.len() != 2 || !part.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(MacAddrError);
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| MacAddrError)?;
        }
        if parts.next().is_some() { Err(MacAddrError) } else { Ok(MacAddr(octets)) }
    }
}

/// What an Ethernet frame carries. Below 0x600 it is not a type but the length of an 802.3 frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: EtherType = EtherType(0x0800);
    /// ARP.
    pub const ARP: EtherType = EtherType(0x0806);
    /// An 802.1Q tag follows.
    pub const VLAN: EtherType = EtherType(0x8100);
    /// IPv6.
    pub const IPV6: EtherType = EtherType(0x86dd);
    /// An 802.1ad service tag follows.
    pub const QINQ: EtherType = EtherType(0x88a8);
    /// LLDP.
    pub const LLDP: EtherType = EtherType(0x88cc);

    /// It is the length of an 802.3 frame (STP and other LLC traffic).
    pub const fn is_length(self) -> bool {
        self.0 < 0x0600
    }

    /// A VLAN tag follows, so that the real type comes later.
    pub const fn is_vlan(self) -> bool {
        matches!(self, EtherType::VLAN | EtherType::QINQ)
    }
}

impl fmt::Display for EtherType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            EtherType::IPV4 => f.write_str("IPv4"),
            EtherType::ARP => f.write_str("ARP"),
            EtherType::VLAN => f.write_str("802.1Q"),
            EtherType::IPV6 => f.write_str("IPv6"),
            EtherType::QINQ => f.write_str("802.1ad"),
            EtherType::LLDP => f.write_str("LLDP"),
            t if t.is_length() => f.write_str("802.3 LLC"),
            EtherType(other) => write!(f, "EtherType 0x{other:04x}"),
        }
    }
}

/// The Ethernet header in front of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Frame<T>(T);

impl<T: AsRef<[u8]>> Frame<T> {
    /// A view of `bytes`, which must hold the 14-byte header.
    pub fn new_checked(bytes: T) -> Result<Frame<T>, Malformed> {
        need("Ethernet", HEADER_LEN, bytes.as_ref().len())?;
        Ok(Frame(bytes))
    }

    /// Who it is for.
    pub fn dst(&self) -> MacAddr {
        MacAddr(octets(self.0.as_ref(), 0))
    }

    /// Who sent it.
    pub fn src(&self) -> MacAddr {
        MacAddr(octets(self.0.as_ref(), 6))
    }

    /// The type field as it stands; behind VLAN tags see [`super::vlan::untag`].
    pub fn ethertype(&self) -> EtherType {
        EtherType(be16(self.0.as_ref(), 12))
    }

    /// What follows the header, tags included.
    pub fn payload(&self) -> &[u8] {
        &self.0.as_ref()[HEADER_LEN..]
    }
}

impl<T: AsRef<[u8]> + AsMut<[u8]>> Frame<T> {
    /// Sets who it is for.
    pub fn set_dst(&mut self, address: MacAddr) {
        put(self.0.as_mut(), 0, address.0);
    }

    /// Sets who sent it.
    pub fn set_src(&mut self, address: MacAddr) {
        put(self.0.as_mut(), 6, address.0);
    }

    /// Sets the type field.
    pub fn set_ethertype(&mut self, ethertype: EtherType) {
        put(self.0.as_mut(), 12, ethertype.0.to_be_bytes());
    }

    /// What follows the header.
    pub fn payload_mut(&mut self) -> &mut [u8] {
        &mut self.0.as_mut()[HEADER_LEN..]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_read_and_print() {
        let mac: MacAddr = "02:00:5e:10:00:Ff".parse().unwrap();
        assert_eq!(mac, MacAddr([2, 0, 0x5e, 0x10, 0, 0xff]));
        assert_eq!(mac.to_string(), "02:00:5e:10:00:ff");
        for wrong in
            ["", "02:00:5e:10:00", "02:00:5e:10:00:01:02", "2:0:5e:10:0:1", "02:00:5e:10:00:+1", "02:00:5e:10:00:é"]
        {
            assert_eq!(wrong.parse::<MacAddr>(), Err(MacAddrError), "{wrong}");
        }
    }

    #[test]
    fn groups_are_told_from_stations() {
        assert!(MacAddr::BROADCAST.is_broadcast() && MacAddr::BROADCAST.is_multicast());
        let group = MacAddr([0x33, 0x33, 0, 0, 0, 1]);
        assert!(group.is_multicast() && !group.is_broadcast() && !group.is_unicast());
        let station = MacAddr([2, 0, 0, 0, 0, 1]);
        assert!(station.is_unicast() && station.is_local());
        assert!(!MacAddr::ZERO.is_unicast());
        assert!(MacAddr([1, 0x80, 0xc2, 0, 0, 0x0e]).is_bridge_reserved());
        assert!(!MacAddr([1, 0x80, 0xc2, 0, 0, 0x10]).is_bridge_reserved());
    }

    #[test]
    fn link_local_is_the_modified_eui_64() {
        // RFC 4291, appendix A: the universal/local bit is inverted
        let mac = MacAddr([0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde]);
        assert_eq!(mac.link_local().to_string(), "fe80::3656:78ff:fe9a:bcde");
    }

    #[test]
    fn what_is_set_is_read() {
        let mut bytes = [0u8; 16];
        let mut frame = Frame::new_checked(&mut bytes).unwrap();
        frame.set_dst(MacAddr::BROADCAST);
        frame.set_src(MacAddr([2, 0, 0, 0, 0, 9]));
        frame.set_ethertype(EtherType::ARP);
        frame.payload_mut()[1] = 7;
        assert_eq!(bytes, [255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 9, 8, 6, 0, 7]);
        let frame = Frame::new_checked(&bytes).unwrap();
        assert_eq!((frame.dst(), frame.src()), (MacAddr::BROADCAST, MacAddr([2, 0, 0, 0, 0, 9])));
        assert_eq!((frame.ethertype(), frame.payload()), (EtherType::ARP, &[0, 7][..]));
        assert!(Frame::new_checked(&bytes[..13]).is_err());
    }

    proptest! {
        #[test]
        fn printed_addresses_read_back(octets: [u8; 6]) {
            prop_assert_eq!(MacAddr(octets).to_string().parse(), Ok(MacAddr(octets)));
        }
    }
}

//! ARP for IPv4 over Ethernet (RFC 826), the only one in use.

use core::net::Ipv4Addr;

use super::ethernet::MacAddr;
use super::{Malformed, be16, need, octets, put};

/// Bytes of a packet.
pub const PACKET_LEN: usize = 28;
/// The operation of a question: who has the target address?
pub const REQUEST: u16 = 1;
/// The operation of an answer.
pub const REPLY: u16 = 2;

/// The packet behind the Ethernet header.
#[derive(Clone, Copy, Debug)]
pub struct Packet<T>(T);

impl<T: AsRef<[u8]>> Packet<T> {
    /// A view of `bytes`, which must hold an ARP packet of IPv4 over Ethernet. Padding may follow.
    pub fn new_checked(bytes: T) -> Result<Packet<T>, Malformed> {
        let b = bytes.as_ref();
        need("ARP", PACKET_LEN, b.len())?;
        let field = |field, value| Err(Malformed::Field { header: "ARP", field, value });
        match (be16(b, 0), be16(b, 2), b[4], b[5]) {
            (1, 0x0800, 6, 4) => Ok(Packet(bytes)),
            (1, 0x0800, 6, len) => field("protocol address length", len.into()),
            (1, 0x0800, len, _) => field("hardware address length", len.into()),
            (1, protocol, ..) => field("protocol type", protocol.into()),
            (hardware, ..) => field("hardware type", hardware.into()),
        }
    }

    /// [`REQUEST`], [`REPLY`], or another.
    pub fn operation(&self) -> u16 {
        be16(self.0.as_ref(), 6)
    }

    /// The MAC address of whoever sends it.
    pub fn sender_mac(&self) -> MacAddr {
        MacAddr(octets(self.0.as_ref(), 8))
    }

    /// The IPv4 address of whoever sends it; 0.0.0.0 in a probe (RFC 5227).
    pub fn sender(&self) -> Ipv4Addr {
        octets(self.0.as_ref(), 14).into()
    }

    /// The MAC address of whoever it is about; zero in a request.
    pub fn target_mac(&self) -> MacAddr {
        MacAddr(octets(self.0.as_ref(), 18))
    }

    /// The IPv4 address it is about.
    pub fn target(&self) -> Ipv4Addr {
        octets(self.0.as_ref(), 24).into()
    }

    /// Sender and target are the same: an announcement, not a question.
    pub fn is_gratuitous(&self) -> bool {
        self.sender() == self.target()
    }
}

/// One side of an ARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    /// Its MAC address; [`MacAddr::ZERO`] for the target of a request.
    pub mac: MacAddr,
    /// Its IPv4 address.
    pub ip: Ipv4Addr,
}

/// A packet of operation [`REQUEST`] or [`REPLY`], ready to follow an Ethernet header.
pub fn packet(operation: u16, sender: Party, target: Party) -> [u8; PACKET_LEN] {
    let mut out = [0; PACKET_LEN];
    put(&mut out, 0, [0, 1, 0x08, 0x00, 6, 4]);
    put(&mut out, 6, operation.to_be_bytes());
    put(&mut out, 8, sender.mac.0);
    put(&mut out, 14, sender.ip.octets());
    put(&mut out, 18, target.mac.0);
    put(&mut out, 24, target.ip.octets());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_read_as_it_was_written() {
        let sender = Party { mac: MacAddr([2, 0, 0, 0, 0, 1]), ip: Ipv4Addr::new(10, 0, 0, 1) };
        let target = Party { mac: MacAddr::ZERO, ip: Ipv4Addr::new(10, 0, 0, 2) };
        let bytes = packet(REQUEST, sender, target);
        assert_eq!(bytes[..8], [0, 1, 8, 0, 6, 4, 0, 1]);
        let view = Packet::new_checked(&bytes).unwrap();
        assert_eq!(view.operation(), REQUEST);
        assert_eq!(Party { mac: view.sender_mac(), ip: view.sender() }, sender);
        assert_eq!(Party { mac: view.target_mac(), ip: view.target() }, target);
        assert!(!view.is_gratuitous());
    }

    #[test]
    fn other_kinds_of_arp_are_refused_with_the_field() {
        let party = Party { mac: MacAddr::ZERO, ip: Ipv4Addr::UNSPECIFIED };
        let good = packet(REPLY, party, party);
        assert!(Packet::new_checked(&good[..27]).is_err());
        for (at, field) in
            [(1, "hardware type"), (3, "protocol type"), (4, "hardware address length"), (5, "protocol address length")]
        {
            let mut bad = good;
            bad[at] ^= 0x40;
            let error = Packet::new_checked(&bad).unwrap_err();
            assert!(matches!(error, Malformed::Field { field: f, .. } if f == field), "{error}");
        }
    }
}

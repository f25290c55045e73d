//! Neighbour discovery for IPv6: solicitations, advertisements and their link-layer address options (RFC 4861 §4.3, §4.4,
//! §4.6.1), router advertisements (§4.2, RFC 8106 §5.1), and the groups that they go to (RFC 4291 §2.7.1, RFC 2464 §7).

use core::net::Ipv6Addr;

use ipnet::Ipv6Net;

use super::ethernet::MacAddr;
use super::{Malformed, icmp, need, octets, put};

/// Bytes of a message with one link-layer address option.
pub const MESSAGE_LEN: usize = 32;
/// Bytes of a solicitation or advertisement without options.
pub const MIN_LEN: usize = 24;
/// Every message has this hop limit: no router has passed it on (RFC 4861 §7.1).
pub const HOP_LIMIT: u8 = 255;

/// Option: the link-layer address of the sender.
pub const SOURCE_LINK_LAYER: u8 = 1;
/// Option: the link-layer address of the target.
pub const TARGET_LINK_LAYER: u8 = 2;

/// All nodes of a link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
/// All routers of a link.
pub const ALL_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
/// All routers of a link that listen for MLDv2 reports (RFC 3810 §5.2.14).
pub const ALL_MLDV2_ROUTERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);

/// The flags of an advertisement, in the four bytes behind the checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The sender is a router.
    pub router: bool,
    /// It answers a solicitation.
    pub solicited: bool,
    /// It counts more than what is known already.
    pub over_ride: bool,
}

impl Flags {
    /// Those in the four bytes behind the checksum.
    pub const fn of(rest: u32) -> Flags {
        Flags { router: rest >> 31 & 1 != 0, solicited: rest >> 30 & 1 != 0, over_ride: rest >> 29 & 1 != 0 }
    }

    const fn bits(self) -> u32 {
        (self.router as u32) << 31 | (self.solicited as u32) << 30 | (self.over_ride as u32) << 29
    }
}

/// A solicitation for `target` from `sender`; its checksum is still to be filled in.
pub fn solicitation(target: Ipv6Addr, sender: MacAddr) -> [u8; MESSAGE_LEN] {
    message(icmp::v6::NEIGHBOR_SOLICITATION, 0, target, SOURCE_LINK_LAYER, sender)
}

/// An advertisement that `target` is at `mac`; its checksum is still to be filled in.
pub fn advertisement(target: Ipv6Addr, mac: MacAddr, flags: Flags) -> [u8; MESSAGE_LEN] {
    message(icmp::v6::NEIGHBOR_ADVERTISEMENT, flags.bits(), target, TARGET_LINK_LAYER, mac)
}

fn message(kind: u8, rest: u32, target: Ipv6Addr, option: u8, mac: MacAddr) -> [u8; MESSAGE_LEN] {
    let mut out = [0; MESSAGE_LEN];
    put(&mut out, 0, [kind]);
    put(&mut out, 4, rest.to_be_bytes());
    put(&mut out, 8, target.octets());
    put(&mut out, 24, [option, 1]);
    put(&mut out, 26, mac.0);
    out
}

/// What a router tells all nodes of a link (RFC 4861 §4.2).
#[derive(Clone, Copy, Debug)]
pub struct RouterAdvertisement<'a> {
    /// The router's MAC address.
    pub mac: MacAddr,
    /// Largest packet of the link. Below 1,280 bytes, which no link that carries IPv6 has, it is not told.
    pub mtu: u32,
    /// Networks on the link. Out of those of 64 bits nodes make addresses of their own (RFC 4862 §5.5.3).
    pub prefixes: &'a [Ipv6Net],
    /// Name servers, at most 127 (RFC 8106 §5.1).
    pub dns: &'a [Ipv6Addr],
}

impl RouterAdvertisement<'_> {
    /// For how long it is a router, and name servers are: three times the longest interval between two of them, in seconds.
    const ROUTER: u16 = 1800;
    /// For how long a prefix is valid and preferred: a day, and four hours, in seconds.
    const PREFIX: [u32; 2] = [86_400, 14_400];

    /// Appends the message; its checksum is still to be filled in.
    pub fn write(&self, out: &mut Vec<u8>) {
        let [high, low] = Self::ROUTER.to_be_bytes();
        // hop limit 64; no DHCPv6; times for neighbour discovery are not told
        out.extend([icmp::v6::ROUTER_ADVERTISEMENT, 0, 0, 0, 64, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 0]);
        out.extend([SOURCE_LINK_LAYER, 1]);
        out.extend(self.mac.0);
        if (1280..=65_535).contains(&self.mtu) {
            out.extend([5, 1, 0, 0]);
            out.extend(self.mtu.to_be_bytes());
        }
        for prefix in self.prefixes {
            // on this link, and for addresses of nodes' own
            let flags = if prefix.prefix_len() == 64 { 0xc0 } else { 0x80 };
            out.extend([3, 4, prefix.prefix_len(), flags]);
            Self::PREFIX.into_iter().for_each(|seconds| out.extend(seconds.to_be_bytes()));
            out.extend([0; 4]);
            out.extend(prefix.network().octets());
        }
        let servers = &self.dns[..self.dns.len().min(127)];
        if !servers.is_empty() {
            out.extend([25, 1 + 2 * servers.len() as u8, 0, 0]);
            out.extend(u32::from(Self::ROUTER).to_be_bytes());
            servers.iter().for_each(|server| out.extend(server.octets()));
        }
    }
}

/// The Ethernet address in the first option of a kind, among the options from `at` in a message. An option of length 0, or one that
/// reaches beyond the end, spoils them all (RFC 4861 §4.6, §7.1).
pub fn link_layer_option(message: &[u8], at: usize, kind: u8) -> Result<Option<MacAddr>, Malformed> {
    let mut options = message.get(at..).unwrap_or(&[]);
    let mut found = None;
    while !options.is_empty() {
        need("ND option", 8, options.len())?;
        let len = usize::from(options[1]) * 8;
        if len == 0 {
            return Err(Malformed::Field { header: "ND option", field: "length", value: 0 });
        }
        need("ND option", len, options.len())?;
        if options[0] == kind && len == 8 && found.is_none() {
            found = Some(MacAddr(octets(options, 2)));
        }
        options = &options[len..];
    }
    Ok(found)
}

/// The group to which solicitations for an address go (RFC 4291 §2.7.1).
pub const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::from_octets([0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, a, b, c])
}

/// The Ethernet address of an IPv6 group (RFC 2464 §7).
pub const fn group_mac(group: Ipv6Addr) -> MacAddr {
    let [.., a, b, c, d] = group.octets();
    MacAddr([0x33, 0x33, a, b, c, d])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_those_of_the_specification() {
        let (target, mac): (Ipv6Addr, _) = ("fd00::2".parse().unwrap(), MacAddr([2, 0, 0, 0, 0, 1]));
        let bytes = solicitation(target, mac);
        assert_eq!(
            (bytes[..8].to_vec(), &bytes[24..]),
            (vec![135, 0, 0, 0, 0, 0, 0, 0], &[1, 1, 2, 0, 0, 0, 0, 1][..])
        );
        assert_eq!(bytes[8..24], target.octets());
        let flags = Flags { router: true, solicited: true, over_ride: true };
        let bytes = advertisement(target, mac, flags);
        assert_eq!((bytes[..8].to_vec(), bytes[24]), (vec![136, 0, 0, 0, 0xe0, 0, 0, 0], 2));
        assert_eq!(Flags::of(0xe000_0000), flags);
        assert_eq!(Flags::of(0x4000_0000), Flags { solicited: true, ..Flags::default() });
        assert_eq!(link_layer_option(&bytes, 24, TARGET_LINK_LAYER), Ok(Some(mac)));
        assert_eq!(link_layer_option(&bytes, 24, SOURCE_LINK_LAYER), Ok(None));
    }

    #[test]
    fn options_are_walked_to_their_end() {
        let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
        let mtu = [5, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let source = [1, 1, 2, 0, 0, 0, 0, 9];
        let all = [&nonce[..], &mtu, &source].concat();
        assert_eq!(link_layer_option(&all, 0, SOURCE_LINK_LAYER), Ok(Some(MacAddr([2, 0, 0, 0, 0, 9]))));
        assert_eq!(link_layer_option(&all, 40, SOURCE_LINK_LAYER), Ok(None));
        for end in [1, 7, 9, 23, 31] {
            assert!(link_layer_option(&all[..end], 0, SOURCE_LINK_LAYER).is_err(), "{end}");
        }
        let mut empty = all.clone();
        empty[9] = 0;
        assert!(matches!(link_layer_option(&empty, 0, 1), Err(Malformed::Field { field: "length", .. })));
    }

    #[test]
    fn groups_are_mapped_to_ethernet() {
        let address: Ipv6Addr = "fe80::aabb:ccdd:ee12:3456".parse().unwrap();
        assert_eq!(solicited_node(address).to_string(), "ff02::1:ff12:3456");
        assert_eq!(group_mac(solicited_node(address)).to_string(), "33:33:ff:12:34:56");
        assert_eq!(group_mac(ALL_ROUTERS).to_string(), "33:33:00:00:00:02");
    }
}

//! A router's interfaces: their addresses, and what each of them listens to.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::plan::RouterInterface;
use crate::wire::ethernet::MacAddr;
use crate::wire::nd;

/// One interface.
#[derive(Debug)]
pub(super) struct Interface {
    pub(super) mac: MacAddr,
    pub(super) link_local: Ipv6Addr,
    pub(super) v4: Vec<Ipv4Net>,
    /// Without the link-local one.
    pub(super) v6: Vec<Ipv6Net>,
    /// Largest L3 packet that its link carries away.
    pub(super) mtu: Option<u32>,
}

impl Interface {
    pub(super) fn new(plan: &RouterInterface) -> Interface {
        let mut interface =
            Interface { mac: plan.mac, link_local: plan.mac.link_local(), v4: Vec::new(), v6: Vec::new(), mtu: None };
        for address in &plan.addresses {
            match address {
                IpNet::V4(net) => interface.v4.push(*net),
                IpNet::V6(net) => interface.v6.push(*net),
            }
        }
        interface
    }

    /// Whether a frame to this address is for the router: its own, all stations, and the groups that it is in. Those are all hosts,
    /// all routers, and whoever hears membership reports (RFC 1812 §5.3.6 and RFC 3376 §4.2.14; RFC 4291 §2.8, RFC 3810
    /// §5.2.14), and the solicited-node groups of its addresses.
    #[inline]
    pub(super) fn hears(&self, to: MacAddr) -> bool {
        to == self.mac || (to.is_multicast() && self.hears_group(to))
    }

    fn hears_group(&self, to: MacAddr) -> bool {
        match to.octets() {
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => true,
            [0x01, 0x00, 0x5e, 0, 0, 1 | 2 | 22] => true,
            [0x33, 0x33, 0, 0, 0, 1 | 2 | 0x16] => true,
            [0x33, 0x33, 0xff, ..] => self.all_v6().any(|own| nd::group_mac(nd::solicited_node(own)) == to),
            _ => false,
        }
    }

    /// Whether an IPv6 group is one of those.
    pub(super) fn is_member(&self, group: Ipv6Addr) -> bool {
        [nd::ALL_NODES, nd::ALL_ROUTERS, nd::ALL_MLDV2_ROUTERS].contains(&group)
            || self.all_v6().any(|own| nd::solicited_node(own) == group)
    }

    fn all_v6(&self) -> impl Iterator<Item = Ipv6Addr> {
        self.v6.iter().map(|net| net.addr()).chain([self.link_local])
    }

    /// Whether an address is this interface's.
    pub(super) fn has(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.iter().any(|net| net.addr() == address),
            IpAddr::V6(address) => self.all_v6().any(|own| own == address),
        }
    }

    /// The address to speak from to a host: one of its subnet before any other.
    pub(super) fn source_v4(&self, to: Ipv4Addr) -> Option<Ipv4Addr> {
        let best = self.v4.iter().find(|net| net.contains(&to)).or(self.v4.first());
        best.map(Ipv4Net::addr)
    }

    /// The address to speak from to a host: the link-local one to such a host, else one of its subnet before any other. `None`
    /// where only the link-local one is there, which no other link knows.
    pub(super) fn source_v6(&self, to: Ipv6Addr) -> Option<Ipv6Addr> {
        if to.is_unicast_link_local() {
            return Some(self.link_local);
        }
        let best = self.v6.iter().find(|net| net.contains(&to)).or(self.v6.first());
        best.map(Ipv6Net::addr)
    }
}

/// What an address is to the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// An address of its own, whatever interface packets for it come in at.
    Own,
    /// Its own link-local address on this port alone.
    LinkLocal(u32),
    /// All hosts of one of its subnets (RFC 1812 §5.3.5): the last address and, as in old networks, the first.
    Broadcast,
}

/// Addresses that mean something to the router.
#[derive(Debug, Default)]
pub(super) struct Roles(Vec<(IpAddr, Role)>);

impl Roles {
    pub(super) fn new(interfaces: &[Interface]) -> Roles {
        let mut all = Vec::new();
        // an own address that is also a broadcast address of another subnet is an own address
        for interface in interfaces {
            all.extend(interface.v4.iter().map(|net| (net.addr().into(), Role::Own)));
            all.extend(interface.v6.iter().map(|net| (net.addr().into(), Role::Own)));
        }
        for (port, interface) in interfaces.iter().enumerate() {
            all.push((interface.link_local.into(), Role::LinkLocal(port as u32)));
            // RFC 3021: a subnet of two addresses has none
            for net in interface.v4.iter().filter(|net| net.prefix_len() <= 30) {
                all.push((net.broadcast().into(), Role::Broadcast));
                all.push((net.network().into(), Role::Broadcast));
            }
        }
        all.sort_by_key(|(address, _)| *address);
        all.dedup_by_key(|(address, _)| *address);
        Roles(all)
    }

    #[inline]
    pub(super) fn of(&self, address: IpAddr) -> Option<Role> {
        let at = self.0.binary_search_by_key(&address, |(address, _)| *address).ok()?;
        Some(self.0[at].1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(mac: u8, addresses: &[&str]) -> Interface {
        Interface::new(&RouterInterface {
            name: "eth0".into(),
            mac: MacAddr([2, 0, 0, 0, 0, mac]),
            addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
            neighbours: Vec::new(),
        })
    }

    #[test]
    fn an_interface_hears_itself_and_its_groups() {
        let interface = interface(1, &["10.0.0.1/24", "fd00::ab:cdef/64"]);
        for (mac, heard) in [
            ("02:00:00:00:00:01", true),
            ("02:00:00:00:00:02", false),
            ("ff:ff:ff:ff:ff:ff", true),
            ("33:33:00:00:00:01", true),
            ("33:33:00:00:00:02", true),
            ("33:33:00:00:00:fb", false),
            ("33:33:ff:ab:cd:ef", true),
            ("33:33:ff:00:00:01", true),
            ("33:33:ff:00:00:02", false),
            ("01:00:5e:00:00:01", true),
            ("01:00:5e:00:00:fb", false),
            ("01:80:c2:00:00:00", false),
        ] {
            assert_eq!(interface.hears(mac.parse().unwrap()), heard, "{mac}");
        }
    }

    #[test]
    fn the_source_is_of_the_subnet_of_whom_it_speaks_to() {
        let interface = interface(1, &["10.0.0.1/24", "10.0.1.1/24", "fd00::1/64", "fd01::1/64"]);
        let v4 = |to: &str| interface.source_v4(to.parse().unwrap()).unwrap().to_string();
        assert_eq!((v4("10.0.1.7"), v4("192.0.2.1")), ("10.0.1.1".into(), "10.0.0.1".into()));
        let v6 = |to: &str| interface.source_v6(to.parse().unwrap()).unwrap().to_string();
        assert_eq!((v6("fd01::9"), v6("fd09::9")), ("fd01::1".into(), "fd00::1".into()));
        assert_eq!(v6("fe80::9"), "fe80::ff:fe00:1");
    }

    #[test]
    fn addresses_have_roles() {
        let all = [interface(1, &["10.0.0.1/24", "10.0.1.0/31", "fd00::1/64"]), interface(2, &["10.0.2.255/22"])];
        let roles = Roles::new(&all);
        let of = |address: &str| roles.of(address.parse().unwrap());
        assert_eq!(
            (of("10.0.0.1"), of("fd00::1"), of("10.0.1.0")),
            (Some(Role::Own), Some(Role::Own), Some(Role::Own))
        );
        assert_eq!((of("10.0.0.255"), of("10.0.0.0")), (Some(Role::Broadcast), Some(Role::Broadcast)));
        assert_eq!((of("10.0.1.1"), of("10.0.0.2")), (None, None));
        assert_eq!((of("10.0.2.255"), of("10.0.3.255")), (Some(Role::Own), Some(Role::Broadcast)));
        assert_eq!(of("fe80::ff:fe00:2"), Some(Role::LinkLocal(1)));
    }
}

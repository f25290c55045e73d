//! A router's own routes, given and connected, by longest prefix (RFC 1812 §5.2.4.3).

use core::net::IpAddr;

use ipnet::IpNet;

use crate::node::routing::Hop;

/// Routes of both families.
#[derive(Debug, Default)]
pub(super) struct Table {
    v4: Vec<Level>,
    v6: Vec<Level>,
}

/// All routes of one prefix length. There are few lengths and, mostly, few routes of each.
#[derive(Debug)]
struct Level {
    length: u8,
    mask: u128,
    /// By network, ascending.
    routes: Vec<(u128, Hop)>,
}

/// An address from the top bit on, whatever its family.
#[inline]
fn aligned(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl Table {
    /// Adds a route. Of several to one network the first counts.
    pub(super) fn add(&mut self, to: IpNet, hop: Hop) {
        let levels = if matches!(to, IpNet::V4(_)) { &mut self.v4 } else { &mut self.v6 };
        let length = to.prefix_len();
        let place = levels.partition_point(|level| level.length > length);
        if levels.get(place).is_none_or(|level| level.length != length) {
            let mask = u128::MAX.checked_shl(128 - u32::from(length)).unwrap_or(0);
            levels.insert(place, Level { length, mask, routes: Vec::new() });
        }
        let (level, network) = (&mut levels[place], aligned(to.network()));
        if let Err(at) = level.routes.binary_search_by_key(&network, |(network, _)| *network) {
            level.routes.insert(at, (network, hop));
        }
    }

    /// The route to an address, with its prefix length.
    #[inline]
    pub(super) fn lookup(&self, to: IpAddr) -> Option<(u8, Hop)> {
        let levels = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        let to = aligned(to);
        levels.iter().find_map(|level| {
            let network = to & level.mask;
            let at = level.routes.binary_search_by_key(&network, |(network, _)| *network).ok()?;
            Some((level.length, level.routes[at].1))
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hop(port: u32) -> Hop {
        Hop { port, via: None }
    }

    fn table(routes: &[&str]) -> Table {
        let mut table = Table::default();
        for (port, to) in routes.iter().enumerate() {
            table.add(to.parse().unwrap(), hop(port as u32));
        }
        table
    }

    #[test]
    fn the_longest_prefix_wins_and_of_equals_the_first() {
        let table =
            table(&["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3/32", "10.0.0.0/8", "::/0", "fd00::/64"]);
        let to = |address: &str| table.lookup(address.parse().unwrap()).map(|(length, hop)| (length, hop.port));
        assert_eq!(to("192.0.2.1"), Some((0, 0)));
        assert_eq!(to("10.9.9.9"), Some((8, 1)));
        assert_eq!(to("10.1.2.4"), Some((16, 2)));
        assert_eq!(to("10.1.2.3"), Some((32, 3)));
        assert_eq!(to("fd00::9"), Some((64, 6)));
        assert_eq!(to("fd00:0:0:1::9"), Some((0, 5)));
    }

    #[test]
    fn families_are_apart() {
        let table = table(&["::/0", "::ffff:0.0.0.0/96"]);
        assert_eq!(table.lookup("10.0.0.1".parse().unwrap()), None);
        assert!(table.lookup("::1".parse().unwrap()).is_some());
    }

    proptest! {
        #[test]
        fn it_finds_what_a_search_of_all_finds(
            routes in proptest::collection::vec((any::<u32>(), 0u8..=32), 0..40),
            to: u32,
            near in any::<prop::sample::Index>(),
        ) {
            let mut table = Table::default();
            let nets: Vec<ipnet::Ipv4Net> =
                routes.iter().map(|(address, len)| ipnet::Ipv4Net::new((*address).into(), *len).unwrap().trunc()).collect();
            for (port, net) in nets.iter().enumerate() {
                table.add((*net).into(), hop(port as u32));
            }
            let near = if nets.is_empty() { to } else { nets[near.index(nets.len())].addr().to_bits() ^ (to & 0xff) };
            for to in [to, near] {
                let to = core::net::Ipv4Addr::from_bits(to);
                let best = nets.iter().filter(|net| net.contains(&to)).map(|net| net.prefix_len()).max();
                let first = best.and_then(|len| nets.iter().position(|net| net.contains(&to) && net.prefix_len() == len));
                let found = table.lookup(to.into());
                prop_assert_eq!(found.map(|(len, hop)| (len, hop.port)), best.zip(first.map(|at| at as u32)));
            }
        }
    }
}

//! A set of addresses, asked for each packet.

use core::net::IpAddr;

use ipnet::IpNet;

/// Networks, none of which holds another: sorted, so that even hundreds of hosts cost a few comparisons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

impl FromIterator<IpNet> for Networks {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Networks {
        let mut networks = IpNet::aggregate(&networks.into_iter().map(|net| net.trunc()).collect());
        networks.sort_unstable_by_key(IpNet::network);
        Networks(networks)
    }
}

impl Networks {
    /// Whether an address is in one of them.
    pub fn contains(&self, address: IpAddr) -> bool {
        // IPv4 sorts before IPv6
        let behind = self.0.partition_point(|net| net.network() <= address);
        behind.checked_sub(1).is_some_and(|at| self.0[at].contains(&address))
    }

    /// These and more.
    pub fn with(&self, more: impl IntoIterator<Item = IpNet>) -> Networks {
        self.0.iter().copied().chain(more).collect()
    }

    /// Whether all addresses of `other` are in these.
    pub fn includes(&self, other: &Networks) -> bool {
        other.0.iter().all(|net| self.0.iter().any(|own| own.contains(net)))
    }

    /// Whether any is of IPv4, and any of IPv6.
    pub fn families(&self) -> [bool; 2] {
        let is_v4 = |net: &IpNet| net.addr().is_ipv4();
        [self.0.iter().any(is_v4), !self.0.iter().all(is_v4)]
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        texts.iter().map(|text| text.parse::<IpNet>().unwrap()).collect()
    }

    #[test]
    fn both_families_and_edges() {
        let some = networks(&["10.0.1.0/24", "fd00::/64", "10.0.3.7/32", "10.0.1.128/25", "192.168.1.9/24"]);
        let holds = |text: &str| some.contains(text.parse().unwrap());
        assert!(
            holds("10.0.1.0") && holds("10.0.1.255") && holds("10.0.3.7") && holds("fd00::1") && holds("192.168.1.1")
        );
        assert!(
            !holds("10.0.0.255") && !holds("10.0.2.0") && !holds("10.0.3.8") && !holds("fd00:0:0:1::") && !holds("::")
        );
        assert!(!networks(&[]).contains([10, 0, 0, 1].into()));
        assert_eq!((some.families(), networks(&["::/0"]).families()), ([true, true], [false, true]));
        assert!(
            some.includes(&networks(&["10.0.1.4/30", "10.0.3.7/32"])) && !some.includes(&networks(&["10.0.0.0/23"]))
        );
    }

    proptest! {
        #[test]
        fn as_if_each_were_asked(nets in proptest::collection::vec((0u32..64, 24u8..=32), 0..20), address in 0u32..64) {
            let net = |(bits, len): &(u32, u8)| IpNet::new((bits << 4).to_be_bytes().into(), *len).unwrap().trunc();
            let all: Vec<IpNet> = nets.iter().map(net).collect();
            let address = IpAddr::from((address << 4).to_be_bytes());
            let set: Networks = all.iter().copied().collect();
            prop_assert_eq!(set.contains(address), all.iter().any(|net| net.contains(&address)));
        }
    }
}

//! A host's /etc/hosts: every name of the scenario, the address that is best reached from this host first.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::network::HostPlan;

/// The texts for all hosts, in order. `segments[host][interface]` says who shares a segment.
///
/// A resolver takes the first line that has the name and the family (nsswitch's `files`), so the order within a host is
/// what matters: addresses on a segment shared with the reader come before the others, IPv4 before IPv6. Only hosts with
/// several interfaces read differently from place to place, so most hosts share one text: a text for each would take
/// memory by the square of their number.
pub(super) fn texts(hosts: &[HostPlan], segments: &[Vec<usize>]) -> Vec<Arc<str>> {
    let several = segments.iter().filter(|segments| segments.len() > 1);
    let matter: BTreeSet<usize> = several.flatten().copied().collect();
    let mut made: BTreeMap<BTreeSet<usize>, Arc<str>> = BTreeMap::new();
    let near = |own: &Vec<usize>| own.iter().copied().filter(|segment| matter.contains(segment)).collect();
    let of =
        |near: BTreeSet<usize>| made.entry(near).or_insert_with_key(|near| text(near, hosts, segments).into()).clone();
    segments.iter().map(near).map(of).collect()
}

/// The text for a host on these segments.
fn text(near: &BTreeSet<usize>, hosts: &[HostPlan], segments: &[Vec<usize>]) -> String {
    let mut lines = vec![
        ("127.0.0.1".to_owned(), "localhost".to_owned()),
        ("::1".to_owned(), "localhost ip6-localhost ip6-loopback".to_owned()),
    ];
    for (host, segments) in hosts.iter().zip(segments) {
        let mut addresses: Vec<(bool, bool, IpAddr, &str)> = Vec::new();
        for (interface, segment) in host.interfaces.iter().zip(segments) {
            let apart = !near.contains(segment);
            for net in &interface.addresses {
                // A link-local address means nothing without its interface.
                if !super::address::is_link_local(net.addr()) {
                    addresses.push((apart, net.addr().is_ipv6(), net.addr(), &interface.name));
                }
            }
        }
        addresses.sort_by_key(|(apart, v6, ..)| (*apart, *v6));
        let name = &host.name;
        lines
            .extend(addresses.iter().map(|(_, _, a, interface)| (a.to_string(), format!("{name} {name}.{interface}"))));
    }
    let width = lines.iter().map(|(address, _)| address.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (address, names) in lines {
        writeln!(text, "{address:width$} {names}").expect("writing to a String does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::network::{InterfacePlan, Place};

    fn host(name: &str, addresses: &[&str]) -> HostPlan {
        let interface = |(at, address): (usize, &&str)| InterfacePlan {
            name: format!("eth{at}"),
            link: String::new(),
            mac: [0; 6],
            mtu: 1500,
            addresses: vec![address.parse().unwrap()],
            gateways: Vec::new(),
            neighbours: Vec::new(),
        };
        HostPlan {
            name: name.into(),
            place: Place::Namespace,
            offloads: true,
            interfaces: addresses.iter().enumerate().map(interface).collect(),
            routes: Vec::new(),
            rules: Vec::new(),
            hosts_file: "".into(),
        }
    }

    #[test]
    fn hosts_share_a_text_unless_they_are_near_another_interface() {
        let hosts = [
            host("a", &["10.0.0.1/24"]),
            host("b", &["10.0.1.1/24"]),
            host("c", &["10.0.2.1/24"]),
            host("d", &["10.0.3.1/24"]),
            host("two", &["10.0.0.9/24", "10.0.1.9/24"]),
        ];
        let texts = texts(&hosts, &[vec![0], vec![1], vec![2], vec![3], vec![0, 1]]);
        assert!(Arc::ptr_eq(&texts[2], &texts[3]));
        let two = |text: &str| text.lines().filter(|line| line.contains("two")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(two(&texts[0])[0], "10.0.0.9  two two.eth0");
        assert_eq!(two(&texts[1])[0], "10.0.1.9  two two.eth1");
        assert!(texts.iter().all(|text| text.lines().count() == 8));
    }
}

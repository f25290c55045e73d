//! A host's /etc/hosts: every name of the scenario, the address that is best reached from this host first.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use super::hosts::Attached;
use super::network::HostPlan;
use super::realm::Realms;
use crate::node::RouterPlan;

/// Routers with what they are attached to.
type Routers<'a> = [(&'a Attached<'a>, &'a RouterPlan)];

/// The texts for all hosts, in order. `segments[host][interface]` says who shares a segment.
///
/// A resolver takes the first line that has the name and the family (nsswitch's `files`), so the order within a name is
/// what matters: addresses on a segment shared with the reader come before the others, IPv4 before IPv6. IPv4 addresses
/// that mean nothing to the reader, or another machine, since a router translates them on the way, are left out. Only names
/// with several interfaces read differently from place to place, so most hosts of a realm share one text: a text for
/// each would take memory by the square of their number.
pub(super) fn texts(
    hosts: &[HostPlan],
    segments: &[Vec<usize>],
    routers: &Routers<'_>,
    realms: &Realms,
) -> Vec<Arc<str>> {
    let of_routers = routers.iter().map(|(router, _)| router.segments());
    let several = segments.iter().cloned().chain(of_routers).filter(|segments| segments.len() > 1);
    let matter: BTreeSet<usize> = several.flatten().collect();
    let mut made: BTreeMap<(BTreeSet<usize>, BTreeSet<usize>), Arc<str>> = BTreeMap::new();
    let of = |own: &Vec<usize>| {
        let near = own.iter().copied().filter(|segment| matter.contains(segment)).collect();
        let from: BTreeSet<usize> = own.iter().map(|segment| realms.realms[*segment]).collect();
        let text = |_: &_| text(&near, own, hosts, segments, routers, realms).into();
        made.entry((near.clone(), from)).or_insert_with_key(text).clone()
    };
    segments.iter().map(of).collect()
}

/// The text for a host on the segments `own`, of which those `near` matter.
fn text(
    near: &BTreeSet<usize>,
    own: &[usize],
    hosts: &[HostPlan],
    segments: &[Vec<usize>],
    routers: &Routers<'_>,
    realms: &Realms,
) -> String {
    let mut lines = vec![
        ("127.0.0.1".to_owned(), "localhost".to_owned()),
        ("::1".to_owned(), "localhost ip6-localhost ip6-loopback".to_owned()),
    ];
    let mut add = |name: &str, mut addresses: Vec<(IpAddr, &str, usize)>| {
        // A link-local address means nothing without its interface.
        addresses.retain(|(address, _, segment)| {
            !super::address::is_link_local(*address) && (address.is_ipv6() || realms.reaches(own, *segment))
        });
        addresses.sort_by_key(|(address, _, segment)| (!near.contains(segment), address.is_ipv6()));
        lines.extend(
            addresses.iter().map(|(address, interface, _)| (address.to_string(), format!("{name} {name}.{interface}"))),
        );
    };
    for (host, segments) in hosts.iter().zip(segments) {
        let interfaces = host.interfaces.iter().zip(segments);
        let addresses = interfaces.flat_map(|(interface, segment)| {
            interface.addresses.iter().map(move |net| (net.addr(), interface.name.as_str(), *segment))
        });
        add(&host.name, addresses.collect());
    }
    for (router, plan) in routers {
        let interfaces = plan.interfaces.iter().zip(&router.attachments);
        let addresses = interfaces.flat_map(|(interface, attachment)| {
            interface.addresses.iter().map(move |net| (net.addr(), interface.name.as_str(), attachment.segment))
        });
        add(router.name, addresses.collect());
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
        let realms = crate::scenario::realm::realms(4, &[]);
        let texts = texts(&hosts, &[vec![0], vec![1], vec![2], vec![3], vec![0, 1]], &[], &realms);
        assert!(Arc::ptr_eq(&texts[2], &texts[3]));
        let two = |text: &str| text.lines().filter(|line| line.contains("two")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(two(&texts[0])[0], "10.0.0.9  two two.eth0");
        assert_eq!(two(&texts[1])[0], "10.0.1.9  two two.eth1");
        assert!(texts.iter().all(|text| text.lines().count() == 8));
    }
}

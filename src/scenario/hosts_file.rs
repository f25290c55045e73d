//! A host's /etc/hosts: every name of the scenario, the address that is best reached from this host first.

use core::net::IpAddr;
use std::fmt::Write as _;

use super::network::HostPlan;

/// The text for the host at position `own`. `segments[host][interface]` says who shares a segment.
///
/// A resolver takes the first line that has the name and the family (nsswitch's `files`), so the order is what matters:
/// addresses on a segment shared with this host come before the others, IPv4 before IPv6.
pub(super) fn text(own: usize, hosts: &[HostPlan], segments: &[Vec<usize>]) -> String {
    let mut lines = vec![
        ("127.0.0.1".to_owned(), "localhost".to_owned()),
        ("::1".to_owned(), "localhost ip6-localhost ip6-loopback".to_owned()),
    ];
    let order = std::iter::once(own).chain((0..hosts.len()).filter(|host| *host != own));
    for host in order {
        let mut addresses: Vec<(bool, bool, IpAddr, &str)> = Vec::new();
        for (interface, segment) in hosts[host].interfaces.iter().zip(&segments[host]) {
            let apart = host != own && !segments[own].contains(segment);
            for net in &interface.addresses {
                // A link-local address means nothing without its interface.
                if !super::address::is_link_local(net.addr()) {
                    addresses.push((apart, net.addr().is_ipv6(), net.addr(), &interface.name));
                }
            }
        }
        addresses.sort_by_key(|(apart, v6, ..)| (*apart, *v6));
        let name = &hosts[host].name;
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

//! A host's /etc/hosts: every name of the scenario, the address that is best reached from this host first.

use core::net::IpAddr;
use std::fmt::Write as _;

use super::hosts::Attached;
use super::network::HostPlan;
use super::realm::Realms;
use crate::node::RouterPlan;

/// The text for the host at position `own`. `segments[host][interface]` says who shares a segment.
///
/// A resolver takes the first line that has the name and the family (nsswitch's `files`), so the order is what matters:
/// addresses on a segment shared with this host come before the others, IPv4 before IPv6. IPv4 addresses that mean
/// nothing here, or another machine, since a router translates them on the way, are left out.
pub(super) fn text(
    own: usize,
    hosts: &[HostPlan],
    segments: &[Vec<usize>],
    routers: &[(&Attached<'_>, &RouterPlan)],
    realms: &Realms,
) -> String {
    let mut lines = vec![
        ("127.0.0.1".to_owned(), "localhost".to_owned()),
        ("::1".to_owned(), "localhost ip6-localhost ip6-loopback".to_owned()),
    ];
    let mut add = |name: &str, own_name: bool, mut addresses: Vec<(IpAddr, &str, usize)>| {
        let apart = |segment: usize| !own_name && !segments[own].contains(&segment);
        // A link-local address means nothing without its interface.
        addresses.retain(|(address, _, segment)| {
            !super::address::is_link_local(*address)
                && (address.is_ipv6() || own_name || realms.reaches(&segments[own], *segment))
        });
        addresses.sort_by_key(|(address, _, segment)| (apart(*segment), address.is_ipv6()));
        lines.extend(
            addresses.iter().map(|(address, interface, _)| (address.to_string(), format!("{name} {name}.{interface}"))),
        );
    };
    let order = std::iter::once(own).chain((0..hosts.len()).filter(|host| *host != own));
    for host in order {
        let interfaces = hosts[host].interfaces.iter().zip(&segments[host]);
        let addresses = interfaces.flat_map(|(interface, segment)| {
            interface.addresses.iter().map(move |net| (net.addr(), interface.name.as_str(), *segment))
        });
        add(&hosts[host].name, host == own, addresses.collect());
    }
    for (router, plan) in routers {
        let interfaces = plan.interfaces.iter().zip(&router.attachments);
        let addresses = interfaces.flat_map(|(interface, attachment)| {
            interface.addresses.iter().map(move |net| (net.addr(), interface.name.as_str(), attachment.segment))
        });
        add(router.name, false, addresses.collect());
    }
    let width = lines.iter().map(|(address, _)| address.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (address, names) in lines {
        writeln!(text, "{address:width$} {names}").expect("writing to a String does not fail");
    }
    text
}

//! What interfaces send and take in at the most, and segments on which that differs.

use std::collections::BTreeMap;

use super::hosts::USUAL_MTU;
use super::network::HostPlan;
use crate::diag::{Diagnostics, Span};
use crate::topology::members::{Attached, Attachment, Members};
use crate::topology::node::{HostSpec, NodeSpec};

/// An interface, with what it sends and takes in at the most, and where the file says so.
struct Port {
    name: String,
    sends: Option<u32>,
    takes: Option<u32>,
    span: Option<Span>,
}

/// What a host's interface takes in: as much as the host says, else as its link says for that direction, else what is
/// usual, or what it sends where that is more.
pub(crate) fn of_port(host: &Attached<'_>, attachment: &Attachment<'_>, sends: u32) -> Option<u32> {
    // how much an interface takes that longwire does not set up, its kernel knows
    if matches!(host.spec, NodeSpec::External(external) if external.is_interface()) {
        return None;
    }
    match (own(host), attachment.takes) {
        (Some((own, _)), _) => Some(own),
        (None, Some(_)) => None,
        (None, None) => Some(sends.max(USUAL_MTU)),
    }
}

/// Warns of each segment once. A router whose link says no `mtu` sends nothing that is too large, and takes any.
pub(crate) fn warn(members: &Members<'_>, plans: &[HostPlan], diagnostics: &mut Diagnostics) {
    let mut on: BTreeMap<usize, Vec<Port>> = BTreeMap::new();
    for (host, plan) in members.hosts.iter().zip(plans) {
        for (attachment, interface) in host.attachments.iter().zip(&plan.interfaces) {
            let takes = attachment.takes.into_iter().chain(of_port(host, attachment, interface.mtu)).min();
            let link = attachment.mtu.and_then(|(_, span)| span);
            let port = Port {
                name: format!("{}.{}", host.name, interface.name),
                sends: Some(interface.mtu),
                takes,
                span: own(host).map(|(_, span)| span).or(link),
            };
            on.entry(attachment.segment).or_default().push(port);
        }
    }
    for router in &members.routers {
        for attachment in &router.attachments {
            let (sends, span) = attachment.mtu.map_or((None, None), |(mtu, span)| (Some(mtu), span));
            let name = format!("{}.{}", router.name, attachment.interface);
            on.entry(attachment.segment).or_default().push(Port { name, sends, takes: attachment.takes, span });
        }
    }
    for (most, sends, least, takes) in on.values().filter_map(|ports| unequal(ports)) {
        let message = format!(
            "`{}` sends packets of up to {sends} bytes, and `{}`, on the same network, takes {takes}: larger ones are dropped",
            most.name, least.name
        );
        diagnostics.warning(most.span.or(least.span), message).help("give both the same `mtu`");
    }
}

/// The first of those that send most, with one that does not take that.
fn unequal(ports: &[Port]) -> Option<(&Port, u32, &Port, u32)> {
    let most = |but: Option<usize>| {
        let others = ports.iter().enumerate().filter(|(at, _)| Some(*at) != but);
        others.filter_map(|(at, port)| Some((at, port.sends?))).rev().max_by_key(|(_, sends)| *sends)
    };
    let least = |but: Option<usize>| {
        let others = ports.iter().enumerate().filter(|(at, _)| Some(*at) != but);
        others.filter_map(|(at, port)| Some((at, port.takes?))).min_by_key(|(_, takes)| *takes)
    };
    // Either the one that sends most and the one that takes least, or, if they are one, the next of either.
    let first = most(None).and_then(|from| Some((from, least(Some(from.0))?)));
    let second = least(None).and_then(|to| Some((most(Some(to.0))?, to)));
    let mut found = [first, second].into_iter().flatten().filter(|((_, sends), (_, takes))| sends > takes);
    let ((from, sends), (to, takes)) = found.next()?;
    Some((&ports[from], sends, &ports[to], takes))
}

/// The MTU that a host says for all its interfaces, and where.
fn own(host: &Attached<'_>) -> Option<(u32, Span)> {
    match host.spec {
        NodeSpec::Host(HostSpec { mtu: Some(mtu), .. }) => Some((mtu.0, mtu.span)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::scenario::tests::{good, warnings};

    fn network(nodes: &str, links: &str) -> String {
        format!("longwire: 1\naddressing: {{ ipv6: none }}\nnodes: {{ {nodes} }}\nlinks: {{ {links} }}\n")
    }

    #[test]
    fn unequal_mtus_on_one_segment_are_told_once_where_the_file_says_one() {
        let told = |nodes: &str, links: &str| warnings(&good(&network(nodes, links)));
        let nodes = "a: host, b: host, c: host, s: switch";
        let links = |a, b| format!("la: {{ ends: [a, s]{a} }}, lb: {{ ends: [b, s]{b} }}, lc: {{ ends: [c, s] }}");
        assert_eq!(told(nodes, &links("", "")), [""; 0]);
        let wrong = told(nodes, &links(", mtu: 9000", ", mtu: 9000"));
        let text = "`a.eth0` sends packets of up to 9000 bytes, and `c.eth0`, on the same network, takes 1500: larger ones \
                    are dropped (give both the same `mtu`)";
        assert_eq!(wrong, [format!("4:35: {text}")]);
        let small = told(nodes, &links("", ", mtu: 1400"));
        assert!(small.len() == 1 && small[0].starts_with("4:57: ") && small[0].contains("`b.eth0`"), "{small:?}");
        // a host's own word counts, and each segment is for itself
        let own = "a: { host: { mtu: 1400 } }, b: host, c: host, s: router";
        assert_eq!(told(own, &links("", "")), [""; 0]);
        assert_eq!(told(&own.replace("router", "switch"), &links("", "")).len(), 1);
        // a router's port has its link's
        assert_eq!(told("a: { host: { mtu: 1500 } }, r: router", "l: { ends: [a, r], mtu: 9000 }").len(), 1);
        // a link that is narrower one way is its ends' business
        assert_eq!(told("a: host, b: host", "l: { ends: [a, b], mtu: 9000, toward: { b: { mtu: 1300 } } }"), [""; 0]);
    }

    #[test]
    fn a_port_has_its_links_mtu_and_a_link_between_switches_none() {
        let nodes = "a: host, c: { host: { mtu: 1300 } }, s: switch, t: switch";
        let links = "la: { ends: [a, s], mtu: 9000 }, st: { ends: [s, t] }, lc: { ends: [t, c] }";
        let plan = good(&network(nodes, links)).plan;
        let largest: Vec<_> = plan.links.iter().map(|l| [0, 1].map(|way| l.directions[way].largest())).collect();
        assert_eq!(largest, [[Some(9000), Some(9000)], [None, None], [Some(1300), None]]);
    }
}

//! The hosts' side of the plan: interfaces, addresses, neighbours, routes and rules.

use core::net::IpAddr;

use ipnet::IpNet;

use super::address::{self, AddressingSpec, Family, Interface};
use super::address_text::{Address, RouteTo};
use super::network::{HostPlan, InterfacePlan, NetworkPlan, Place, RoutePlan};
use super::node::{Addresses, HostSpec, Neighbours, NodeSpec, Offloads};
use super::spanned::Spanned;
use super::{hosts_file, mac};
use crate::diag::{Diagnostic, Diagnostics, Span, suggestion};

/// The kernel's main routing table (rt_tables).
const MAIN: u32 = 254;
/// The table of a host's first interface, where it has several.
const FIRST_TABLE: u32 = 101;
/// What a link without `mtu` carries.
const USUAL_MTU: u32 = 1500;
/// What a TAP can be set to: 65,535 less its Ethernet header (tun.c, MAX_MTU).
const TAP_MTU: u32 = 65_521;
/// What every link that carries IPv6 must carry.
pub(super) const IPV6_MTU: u32 = 1280;

/// A host, external ones included, with its links.
pub(super) struct Host<'a> {
    /// Its name.
    pub name: &'a str,
    /// What the file says of it.
    pub spec: &'a NodeSpec,
    /// Its interfaces in the order of their links.
    pub attachments: Vec<Attachment<'a>>,
}

/// One interface's link.
pub(super) struct Attachment<'a> {
    /// The interface's name.
    pub interface: String,
    /// The link's name.
    pub link: &'a str,
    /// The `mtu` of the direction away from the host, if the link says one, and where.
    pub mtu: Option<(u32, Option<Span>)>,
    /// The segment that it is on.
    pub segment: usize,
}

/// Plans all hosts.
pub(super) fn plan(
    seed: u64,
    hosts: &[Host<'_>],
    pools: &AddressingSpec,
    diagnostics: &mut Diagnostics,
) -> NetworkPlan {
    let interfaces: Vec<Interface> = hosts
        .iter()
        .flat_map(|host| {
            let explicit = explicit(host, diagnostics);
            host.attachments.iter().zip(explicit).map(|(attachment, explicit)| Interface {
                name: format!("{}.{}", host.name, attachment.interface),
                segment: attachment.segment,
                explicit,
                automatic: host.spec.is_host(),
            })
        })
        .collect();
    let addresses = address::assign(&interfaces, pools, diagnostics);
    let names = hosts.iter().flat_map(|host| host.attachments.iter().map(|a| (host.name, a.interface.as_str())));
    let mut given = addresses.into_iter().zip(mac::assign(seed, names));

    let mut plans: Vec<HostPlan> = Vec::with_capacity(hosts.len());
    for host in hosts {
        let mut interfaces = Vec::new();
        for attachment in &host.attachments {
            let (addresses, mac) = given.next().expect("one for each interface");
            let mtu = mtu(host, attachment, &addresses, diagnostics);
            let (name, link) = (attachment.interface.clone(), attachment.link.to_owned());
            interfaces.push(InterfacePlan {
                name,
                link,
                mac,
                mtu,
                addresses,
                gateways: Vec::new(),
                neighbours: Vec::new(),
            });
        }
        let (routes, rules) = match host.spec {
            NodeSpec::Host(spec) => routes(host.name, spec, &interfaces, diagnostics),
            _ => (Vec::new(), Vec::new()),
        };
        plans.push(HostPlan {
            name: host.name.to_owned(),
            place: place(host.spec),
            offloads: !matches!(host.spec, NodeSpec::Host(spec) if spec.offloads == Offloads::Off),
            interfaces,
            routes,
            rules,
            hosts_file: String::new(),
        });
    }
    let segments: Vec<Vec<usize>> =
        hosts.iter().map(|host| host.attachments.iter().map(|a| a.segment).collect()).collect();
    fill_neighbours(hosts, &mut plans, &segments);
    for own in 0..plans.len() {
        plans[own].hosts_file = hosts_file::text(own, &plans, &segments);
    }
    NetworkPlan { hosts: plans }
}

fn place(spec: &NodeSpec) -> Place {
    match spec {
        NodeSpec::Host(_) | NodeSpec::Switch(_) | NodeSpec::Hub(_) | NodeSpec::Cloud(_) => Place::Namespace,
        NodeSpec::External(external) => match (&external.tap, &external.netns) {
            (None, Some(netns)) => Place::ExternalNetns { netns: netns.value.clone() },
            (tap, _) => Place::ExternalTap { tap: tap.as_ref().map(|tap| tap.value.clone()).unwrap_or_default() },
        },
    }
}

/// The addresses that the file names, for each interface.
fn explicit(host: &Host<'_>, diagnostics: &mut Diagnostics) -> Vec<Vec<Spanned<Address>>> {
    let mut lists = vec![Vec::new(); host.attachments.len()];
    let addresses = match host.spec {
        NodeSpec::External(external) => {
            if let Some(first) = lists.first_mut() {
                *first = external.addresses.clone();
            }
            return lists;
        }
        NodeSpec::Host(HostSpec { addresses: Some(addresses), .. }) => addresses,
        _ => return lists,
    };
    let interfaces: Vec<&str> = host.attachments.iter().map(|a| a.interface.as_str()).collect();
    match (&addresses.value, &mut lists[..]) {
        (Addresses::List(list), [only]) => only.clone_from(list),
        (Addresses::List(_), []) => {}
        (Addresses::List(_), _) => {
            let map: Vec<_> = interfaces.iter().map(|name| format!("{name}: […]")).collect();
            diagnostics.push(
                Diagnostic::error(
                    addresses.span,
                    format!("`{}` has {} interfaces: say which one has which addresses", host.name, interfaces.len()),
                )
                .help(format!("write `addresses: {{ {} }}`", map.join(", "))),
            );
        }
        (Addresses::PerInterface(map), lists) => {
            for (name, list) in map {
                match interfaces.iter().position(|interface| *interface == name.as_str()) {
                    Some(at) => lists[at].clone_from(list),
                    None => diagnostics.push(
                        Diagnostic::error(name.span, format!("`{}` has no interface `{}`", host.name, name.value))
                            .help(suggestion(name, interfaces.iter().copied())),
                    ),
                }
            }
        }
    }
    lists
}

fn mtu(host: &Host<'_>, attachment: &Attachment<'_>, addresses: &[IpNet], diagnostics: &mut Diagnostics) -> u32 {
    let own = match host.spec {
        NodeSpec::Host(HostSpec { mtu: Some(mtu), .. }) => Some((mtu.0, Some(mtu.span))),
        _ => None,
    };
    let (mtu, span) = own.or(attachment.mtu).unwrap_or((USUAL_MTU, None));
    if mtu < IPV6_MTU && addresses.iter().any(|net| Family::of(net.addr()) == Family::V6) {
        diagnostics.push(too_small_for_ipv6(mtu, span));
    }
    mtu.min(TAP_MTU)
}

/// RFC 8200 §5: links that carry IPv6 carry packets of 1280 bytes.
pub(super) fn too_small_for_ipv6(mtu: u32, span: Option<Span>) -> Diagnostic {
    Diagnostic::error(span, format!("an mtu of {mtu} is too small for IPv6, which hosts use here"))
        .help("write 1280 or more, or turn IPv6 off with `addressing: { ipv6: none }`")
}

type Rules = Vec<(IpAddr, u32)>;

fn routes(
    name: &str,
    spec: &HostSpec,
    interfaces: &[InterfacePlan],
    diagnostics: &mut Diagnostics,
) -> (Vec<RoutePlan>, Rules) {
    let several = interfaces.len() > 1;
    let table = |interface: usize| FIRST_TABLE + interface as u32;
    let (mut routes, mut rules) = (Vec::new(), Vec::new());
    if several {
        for (at, interface) in interfaces.iter().enumerate() {
            let mut nets: Vec<IpNet> = interface.addresses.iter().map(IpNet::trunc).collect();
            nets.dedup();
            routes.extend(nets.into_iter().map(|to| RoutePlan {
                to,
                via: None,
                interface: Some(interface.name.clone()),
                table: table(at),
            }));
            rules.extend(interface.addresses.iter().map(|net| (net.addr(), table(at))));
        }
    }
    for route in &spec.routes {
        let via = route.via.value;
        let own = interfaces.iter().any(|i| i.addresses.iter().any(|net| net.addr() == via));
        let on_link: Vec<usize> =
            (0..interfaces.len()).filter(|i| interfaces[*i].addresses.iter().any(|net| net.contains(&via))).collect();
        if own || on_link.is_empty() {
            let nets: Vec<_> =
                interfaces.iter().flat_map(|i| &i.addresses).map(|net| format!("`{}`", net.trunc())).collect();
            let message = if own {
                format!("the gateway {via} is `{name}` itself")
            } else {
                format!("`{name}` cannot reach the gateway {via} directly")
            };
            let help = format!("a gateway is a neighbour, in one of the host's own networks: {}", nets.join(", "));
            diagnostics.push(Diagnostic::error(route.via.span, message).help(help));
            continue;
        }
        let to = match route.to.value {
            RouteTo::Net(net) => net,
            RouteTo::Default if via.is_ipv4() => IpNet::new(IpAddr::V4([0; 4].into()), 0).expect("0 is a prefix"),
            RouteTo::Default => IpNet::new(IpAddr::V6([0u8; 16].into()), 0).expect("0 is a prefix"),
        };
        if to.addr().is_ipv4() != via.is_ipv4() {
            let message = format!("a route to {to} cannot have the gateway {via}: they are of two families");
            diagnostics.push(Diagnostic::error(route.via.span, message));
            continue;
        }
        let by =
            |at: usize, table| RoutePlan { to, via: Some(via), interface: Some(interfaces[at].name.clone()), table };
        routes.push(by(on_link[0], MAIN));
        if several {
            routes.extend(on_link.iter().map(|at| by(*at, table(*at))));
        }
    }
    (routes, rules)
}

fn fill_neighbours(hosts: &[Host<'_>], plans: &mut [HostPlan], segments: &[Vec<usize>]) {
    // What is known of each interface: its addresses, and the link-local one that the kernel makes of its MAC.
    type Known = (usize, usize, Vec<IpAddr>, [u8; 6]);
    let mut known: Vec<Known> = Vec::new();
    for (host, plan) in plans.iter().enumerate() {
        let made = plan.place == Place::Namespace;
        for (interface, segment) in plan.interfaces.iter().zip(&segments[host]) {
            let mut addresses: Vec<IpAddr> = interface.addresses.iter().map(IpNet::addr).collect();
            // The MAC of a machine behind a TAP is its own affair.
            if matches!(plan.place, Place::ExternalTap { .. }) || addresses.is_empty() {
                continue;
            }
            let own = IpAddr::V6(mac::link_local(interface.mac));
            if made && addresses.iter().any(IpAddr::is_ipv6) && !addresses.contains(&own) {
                addresses.push(own);
            }
            known.push((host, *segment, addresses, interface.mac));
        }
    }
    for (own, plan) in plans.iter_mut().enumerate() {
        let permanent = matches!(hosts[own].spec, NodeSpec::Host(spec) if spec.neighbours == Neighbours::Permanent);
        if !permanent {
            continue;
        }
        for (interface, segment) in plan.interfaces.iter_mut().zip(&segments[own]) {
            let families: Vec<Family> = interface.addresses.iter().map(|net| Family::of(net.addr())).collect();
            let others = known.iter().filter(|(host, there, ..)| *host != own && there == segment);
            interface.neighbours = others
                .flat_map(|(_, _, addresses, mac)| addresses.iter().map(|address| (*address, *mac)))
                .filter(|(address, _)| families.contains(&Family::of(*address)))
                .collect();
        }
    }
}

//! The hosts' side of the plan: interfaces, addresses, neighbours, routes and rules.

use core::net::IpAddr;
use std::collections::BTreeMap;

use ipnet::IpNet;

use super::address::{self, AddressingSpec, Family, Interface};
use super::gateways::Directory;
use super::neighbour_table::NeighbourTable;
use super::network::{HostPlan, InterfacePlan, NetworkPlan, Place, RoutePlan, netns_path};
use super::realm::{self, Realms};
use super::serving::Served;
use super::{hosts_file, names, neighbours, own, sites};
use crate::diag::{Diagnostic, Diagnostics, Span, suggestion};
use crate::language::address_text::Address;
use crate::language::spanned::Spanned;
use crate::node::RouterPlan;
use crate::topology::external::ExternalSpec;
use crate::topology::mac;
use crate::topology::members::{Attached, Attachment, Members};
use crate::topology::node::{Addresses, HostSpec, NodeSpec, Offloads};
use crate::topology::router;
use crate::topology::router::{RouterSpec, checked_route};
use crate::topology::uplink;

/// The kernel's main routing table (rt_tables).
pub(crate) const MAIN: u32 = 254;
/// The table of a host's first interface, where it has several.
const FIRST_TABLE: u32 = 101;
/// The table of one of a host's interfaces, where it has several.
pub(crate) fn table(interface: usize) -> u32 {
    FIRST_TABLE + interface as u32
}

/// What a link without `mtu` carries.
pub(crate) const USUAL_MTU: u32 = 1500;
/// What a TAP can be set to: 65,535 less its Ethernet header (tun.c, MAX_MTU).
const TAP_MTU: u32 = 65_521;
/// What every link that carries IPv6 must carry.
pub(crate) const IPV6_MTU: u32 = 1280;

/// Plans all hosts, and the routers.
pub(crate) fn plan(
    (seed, site): (u64, Option<&str>),
    members: &Members<'_>,
    pools: &AddressingSpec,
    diagnostics: &mut Diagnostics,
) -> (NetworkPlan, Vec<RouterPlan>) {
    let Members { hosts, routers, segments } = members;
    forbid_shared(hosts, diagnostics);
    let borders: Vec<_> = routers.iter().map(|router| (router, router::outside(router))).collect();
    let realms = realm::realms(*segments, &borders);
    // Routers come first, so that gateways have the first address of a segment.
    let all = || routers.iter().chain(hosts);
    let named = all().flat_map(|member| member.attachments.iter().map(|a| (member.name, a.interface.as_str())));
    let macs = mac::assign(seed, &sites::salt(site, hosts), named);
    let served = Served::new(members, diagnostics);
    let interfaces = interfaces(members, &served, &macs, diagnostics);
    let addresses = address::assign(&interfaces, &realms, &lines(members), pools, diagnostics);
    sites::warn(members, &interfaces, &addresses, pools, diagnostics);
    let mut given = addresses.into_iter().zip(macs);
    let mut router_plans: Vec<RouterPlan> = Vec::with_capacity(routers.len());
    for member in routers {
        let given = given.by_ref().take(member.attachments.len()).collect();
        if let NodeSpec::Router(spec) = member.spec {
            router_plans.push(router::plan(member, spec, seed, given, diagnostics));
        }
    }
    let mut plans: Vec<HostPlan> = hosts.iter().map(|host| host_plan(host, &mut given, diagnostics)).collect();
    let directory = Directory::new(members, &plans, &router_plans);
    check_routes(members, &plans, &router_plans, &directory, diagnostics);
    directory.give(members, &mut plans, &realms, diagnostics);
    neighbours::fill(&mut plans, hosts, &mut router_plans, routers, diagnostics);
    names::give(members, &mut plans, diagnostics);
    give_hosts_files(members, &mut plans, &router_plans, &realms, diagnostics);
    let leads_out = hosts.iter().any(|host| uplink::is_machine(host.spec));
    for (plan, host) in plans.iter_mut().zip(hosts) {
        match host.spec {
            NodeSpec::Host(spec) => {
                own::fill(plan, spec, diagnostics);
                let is_default = |route: &RoutePlan| route.to.prefix_len() == 0 && route.to.addr().is_ipv4();
                if leads_out && plan.dns.is_empty() && plan.routes.iter().any(is_default) {
                    plan.dns.push(uplink::RESOLVER);
                }
            }
            NodeSpec::External(spec) => own::name_servers(plan, &spec.dns, diagnostics),
            _ => {}
        }
    }
    served.fill(seed, members, &plans, &mut router_plans, diagnostics);
    (NetworkPlan { hosts: plans }, router_plans)
}

/// Which segments are a line between two routers: one link whose two ends are all of it.
fn lines(members: &Members<'_>) -> Vec<bool> {
    let mut first_on: Vec<Option<(&str, bool)>> = vec![None; members.segments];
    let mut lines: Vec<bool> = vec![false; members.segments];
    let all = members.routers.iter().chain(&members.hosts);
    for (member, attachment) in all.flat_map(|member| member.attachments.iter().map(move |a| (member, a))) {
        let router = matches!(member.spec, NodeSpec::Router(_));
        if let Some((link, first)) = first_on[attachment.segment].replace((attachment.link, router)) {
            lines[attachment.segment] = router && first && link == attachment.link;
        }
    }
    lines
}

/// The interfaces of routers and hosts, as addresses are given out to them. `macs`: theirs, in the same order.
fn interfaces(
    members: &Members<'_>,
    served: &Served,
    macs: &[[u8; 6]],
    diagnostics: &mut Diagnostics,
) -> Vec<Interface> {
    let mut all = Vec::with_capacity(macs.len());
    let routers = members.routers.iter().map(|router| (router, false, false));
    let hosts = members.hosts.iter().enumerate();
    let hosts = hosts.map(|(at, host)| (host, served.leases_to(at, host.spec), served.advertises_to(host)));
    for (member, leased, advertised) in routers.chain(hosts) {
        let in_container = matches!(member.spec, NodeSpec::External(external) if external.container.is_some());
        let made = member.spec.has_interfaces() || in_container;
        let explicit = explicit(member, diagnostics);
        for (attachment, explicit) in member.attachments.iter().zip(explicit) {
            all.push(Interface {
                name: format!("{}.{}", member.name, attachment.interface),
                segment: attachment.segment,
                explicit,
                automatic: [made || leased, made || advertised],
                station: macs.get(all.len()).copied().filter(|_| advertised),
            });
        }
    }
    all
}

/// A host with what was given to its interfaces, one after the other.
fn host_plan(
    host: &Attached<'_>,
    given: &mut impl Iterator<Item = (Vec<IpNet>, [u8; 6])>,
    diagnostics: &mut Diagnostics,
) -> HostPlan {
    let mut interfaces = Vec::new();
    for (attachment, (addresses, mac)) in host.attachments.iter().zip(given) {
        interfaces.push(InterfacePlan {
            name: attachment.interface.clone(),
            link: attachment.link.to_owned(),
            mac,
            mtu: mtu(host, attachment, &addresses, diagnostics),
            addresses,
            gateways: Vec::new(),
            neighbours: NeighbourTable::default(),
        });
    }
    let (routes, rules) = match host.spec {
        NodeSpec::Host(spec) => routes(host.name, spec, &interfaces, diagnostics),
        _ => (Vec::new(), Vec::new()),
    };
    HostPlan {
        name: host.name.to_owned(),
        place: place(host.spec),
        offloads: !matches!(host.spec, NodeSpec::Host(spec) if spec.offloads == Offloads::Off),
        interfaces,
        routes,
        rules,
        ..HostPlan::default()
    }
}

/// Routes that the file names lead to gateways that are there.
fn check_routes(
    members: &Members<'_>,
    plans: &[HostPlan],
    router_plans: &[RouterPlan],
    directory: &Directory<'_>,
    diagnostics: &mut Diagnostics,
) {
    for (router, plan) in members.routers.iter().zip(router_plans) {
        let nets: Vec<&[IpNet]> = plan.interfaces.iter().map(|interface| &interface.addresses[..]).collect();
        if let NodeSpec::Router(spec) = router.spec {
            spec.routes.iter().for_each(|route| directory.check(route, router, &nets, diagnostics));
        }
    }
    for (host, plan) in members.hosts.iter().zip(plans) {
        let nets: Vec<&[IpNet]> = plan.interfaces.iter().map(|interface| &interface.addresses[..]).collect();
        if let NodeSpec::Host(spec) = host.spec {
            spec.routes.list.iter().for_each(|route| directory.check(route, host, &nets, diagnostics));
        }
    }
}

fn give_hosts_files(
    members: &Members<'_>,
    plans: &mut [HostPlan],
    router_plans: &[RouterPlan],
    realms: &Realms,
    diagnostics: &mut Diagnostics,
) {
    let Members { hosts, routers, .. } = members;
    let named: Vec<_> = routers.iter().zip(router_plans).collect();
    let segments: Vec<Vec<usize>> = hosts.iter().map(Attached::segments).collect();
    match hosts_file::texts(plans, &segments, &named, realms) {
        Ok(texts) => plans.iter_mut().zip(texts).for_each(|(plan, text)| plan.hosts_file = text),
        Err(hosts_file::TooLong { host, bytes }) => {
            let message = format!("the /etc/hosts of {} hosts would take more than {bytes}", hosts.len());
            let help = "their own parts name all hosts nearby with several interfaces: give fewer hosts several, or use smaller segments";
            diagnostics.error(hosts[host].span, message).help(help);
        }
    }
}

/// Two machines cannot be at one interface.
fn forbid_shared(hosts: &[Attached<'_>], diagnostics: &mut Diagnostics) {
    let mut taken: BTreeMap<(Option<String>, String), (&str, Span)> = BTreeMap::new();
    for host in hosts {
        let NodeSpec::External(external) = host.spec else { continue };
        let ExternalSpec { tap, qemu, udp, netns, interface, .. } = &external.value;
        let own_path = "a socket is one machine's: give one of them another path";
        let own_address = "a socket is one site's: give one of them another `listen`";
        let own_interface = "an interface is one machine's: name another interface, or put both machines on a bridge behind \
                             one external machine";
        let path = qemu.as_ref().map(|qemu| (qemu.path.display().to_string(), qemu.span, own_path));
        let socket = path.or(udp.as_ref().map(|udp| (udp.listen().to_string(), udp.span, own_address)));
        let container = external.container();
        let name = tap.as_ref().or(interface.as_ref()).map(|name| (name.value.clone(), name.span));
        let name = container.map(|(container, interface)| (interface.to_owned(), container.span)).or(name);
        let name = name.map(|(name, span)| (name, span, own_interface));
        let Some((name, span, help)) = socket.or(name) else { continue };
        let of_container = container.map(|(container, _)| format!("container {}", container.value));
        let netns = of_container.or_else(|| netns.as_ref().map(|netns| netns_path(&netns.value)));
        if let Some((other, first)) = taken.insert((netns, name.clone()), (host.name, span)) {
            diagnostics
                .error(span, format!("`{}` and `{other}` are both at `{name}`", host.name))
                .related(first, "the first")
                .help(help);
        }
    }
}

fn place(spec: &NodeSpec) -> Place {
    match spec {
        NodeSpec::Host(_)
        | NodeSpec::Switch(_)
        | NodeSpec::Hub(_)
        | NodeSpec::Router(_)
        | NodeSpec::Cloud(_)
        | NodeSpec::Uplink(_) => Place::Namespace,
        NodeSpec::External(external) => match &external.value {
            ExternalSpec { passt: Some(_), .. } => Place::Uplink,
            ExternalSpec { qemu: Some(qemu), .. } => Place::ExternalQemu { path: qemu.path.clone(), dgram: qemu.dgram },
            ExternalSpec { udp: Some(udp), .. } => Place::ExternalUdp {
                listen: udp.listen(),
                peer: udp.peer(),
                vni: *udp.vni,
                encapsulation: udp.encapsulation,
            },
            ExternalSpec { tap: Some(tap), .. } => Place::ExternalTap { tap: tap.value.clone() },
            ExternalSpec { container: Some(container), .. } => {
                Place::ExternalContainer { container: container.value.clone(), closed: external.is_closed() }
            }
            ExternalSpec { netns: Some(netns), .. } => Place::ExternalNetns { netns: netns.value.clone() },
            ExternalSpec { interface, .. } => Place::ExternalInterface {
                interface: interface.as_ref().map(|name| name.value.clone()).unwrap_or_default(),
            },
        },
    }
}

/// The addresses that the file names, for each interface.
fn explicit(host: &Attached<'_>, diagnostics: &mut Diagnostics) -> Vec<Vec<Spanned<Address>>> {
    let mut lists = vec![Vec::new(); host.attachments.len()];
    let addresses = match host.spec {
        NodeSpec::External(external) => {
            if let Some(first) = lists.first_mut() {
                *first = external.addresses.iter().chain(external.names.values().flatten()).cloned().collect();
            }
            return lists;
        }
        NodeSpec::Host(HostSpec { addresses: Some(addresses), .. })
        | NodeSpec::Router(RouterSpec { addresses: Some(addresses), .. }) => addresses,
        _ => return lists,
    };
    let interfaces: Vec<&str> = host.attachments.iter().map(|a| a.interface.as_str()).collect();
    match (&addresses.value, &mut lists[..]) {
        (Addresses::List(list), [only]) => only.clone_from(list),
        (Addresses::List(_), []) => {}
        (Addresses::List(_), _) => {
            let map: Vec<_> = interfaces.iter().map(|name| format!("{name}: […]")).collect();
            diagnostics
                .error(
                    addresses.span,
                    format!("`{}` has {} interfaces: say which one has which addresses", host.name, interfaces.len()),
                )
                .help(format!("write `addresses: {{ {} }}`", map.join(", ")));
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

fn mtu(host: &Attached<'_>, attachment: &Attachment<'_>, addresses: &[IpNet], diagnostics: &mut Diagnostics) -> u32 {
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
pub(crate) fn too_small_for_ipv6(mtu: u32, span: Option<Span>) -> Diagnostic {
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
    let nets: Vec<&[IpNet]> = interfaces.iter().map(|interface| &interface.addresses[..]).collect();
    for route in &spec.routes.list {
        let Some((to, on_link)) = checked_route(name, route, &nets, diagnostics) else { continue };
        let via = route.via.value;
        let by =
            |at: usize, table| RoutePlan { to, via: Some(via), interface: Some(interfaces[at].name.clone()), table };
        // Of several default routes of one family the first is in force; the others wait in the tables of their
        // interfaces, for a timeline to move it there.
        let taken = routes.iter().find(|other: &&RoutePlan| other.table == MAIN && other.to == to);
        match taken {
            None => routes.push(by(on_link[0], MAIN)),
            Some(first) if to.prefix_len() == 0 && first.interface != Some(interfaces[on_link[0]].name.clone()) => {}
            Some(first) => {
                let other = first.via.map(|via| via.to_string()).unwrap_or_default();
                let message = format!("`{name}` has a route to {to} already, by {other}");
                diagnostics.error(route.via.span, message).help("take one of them away");
                continue;
            }
        }
        if several {
            routes.extend(on_link.iter().map(|at| by(*at, table(*at))));
        }
    }
    (routes, rules)
}

//! Gateways and default routes of hosts, and whether a gateway that somebody names forwards anything.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::address::{Family, is_link_local};
use super::hosts::{MAIN, table};
use super::network::{HostPlan, Place, RoutePlan};
use super::realm::Realms;
use crate::diag::{Diagnostic, Diagnostics, suggestion};
use crate::language::spanned::Spanned;
use crate::node::RouterPlan;
use crate::topology::members::{Attached, Members};
use crate::topology::node::{HostSpec, NodeSpec, RouteSpec};
use crate::topology::router::default_route;

/// Who is on each segment, as far as gateways go.
pub(crate) struct Directory<'a> {
    /// Whose an address on a segment is, and whether packets go on from there.
    holders: BTreeMap<(usize, IpAddr), (&'a str, bool)>,
    /// Segments with machines whose addresses nobody knows.
    strangers: BTreeSet<usize>,
    /// The networks of the routers on each segment, in file order.
    routers: BTreeMap<usize, Vec<IpNet>>,
}

impl<'a> Directory<'a> {
    /// From all addresses that have been given out.
    pub(crate) fn new(members: &'a Members<'_>, hosts: &[HostPlan], routers: &[RouterPlan]) -> Directory<'a> {
        let (mut holders, mut strangers) = (BTreeMap::new(), BTreeSet::new());
        let mut on: BTreeMap<usize, Vec<IpNet>> = BTreeMap::new();
        for (router, plan) in members.routers.iter().zip(routers) {
            for (interface, attachment) in plan.interfaces.iter().zip(&router.attachments) {
                let nets = interface.addresses.iter().filter(|net| !is_link_local(net.addr()));
                on.entry(attachment.segment).or_default().extend(nets);
                let addresses = interface.addresses.iter().map(IpNet::addr);
                holders.extend(addresses.map(|address| ((attachment.segment, address), (router.name, true))));
            }
        }
        for (host, plan) in members.hosts.iter().zip(hosts) {
            let made = plan.place == Place::Namespace;
            for (interface, attachment) in plan.interfaces.iter().zip(&host.attachments) {
                if !made && interface.addresses.is_empty() {
                    strangers.insert(attachment.segment);
                }
                let addresses = interface.addresses.iter().map(IpNet::addr);
                holders.extend(addresses.map(|address| ((attachment.segment, address), (host.name, !made))));
            }
        }
        Directory { holders, strangers, routers: on }
    }

    /// Tells a gateway that is not there, or that forwards nothing.
    pub(crate) fn check(
        &self,
        route: &RouteSpec,
        owner: &Attached<'_>,
        nets: &[&[IpNet]],
        diagnostics: &mut Diagnostics,
    ) {
        let via = route.via.value;
        let on_link = owner.attachments.iter().zip(nets).find(|(_, nets)| nets.iter().any(|net| net.contains(&via)));
        let Some(segment) = on_link.map(|(attachment, _)| attachment.segment) else { return }; // told before
        match self.holders.get(&(segment, via)) {
            Some((_, true)) => {}
            Some((name, false)) if *name == owner.name => {} // told before
            // it takes what is for itself, at whichever of its addresses
            Some((name, false)) => diagnostics.push(
                Diagnostic::warning(
                    route.via.span,
                    format!("the gateway {via} is `{name}`, a host: what is for others ends there"),
                )
                .help(format!("make `{name}` a `router`, or name the address of one")),
            ),
            None if self.strangers.contains(&segment) => {}
            None => {
                let known: Vec<_> = self.on(segment, Family::of(via)).map(|net| format!("`{}`", net.addr())).collect();
                let help = match &known[..] {
                    [] => "a gateway is a router, or an external machine, on the same segment".to_owned(),
                    known => format!("the routers on its segment: {}", known.join(", ")),
                };
                diagnostics.error(route.via.span, format!("nobody has the gateway's address {via}")).help(help);
            }
        }
    }

    /// The networks of the routers on a segment.
    fn on(&self, segment: usize, family: Family) -> impl Iterator<Item = &IpNet> {
        let all = self.routers.get(&segment).into_iter().flatten();
        all.filter(move |net| Family::of(net.addr()) == family)
    }

    /// Gives the interfaces of hosts their gateways, and hosts the routes that follow.
    pub(crate) fn give(
        &self,
        members: &Members<'_>,
        hosts: &mut [HostPlan],
        realms: &Realms,
        diagnostics: &mut Diagnostics,
    ) {
        for (plan, host) in hosts.iter_mut().zip(&members.hosts) {
            self.find(plan, host);
            match host.spec {
                NodeSpec::Host(spec) => default_routes(plan, spec, diagnostics),
                NodeSpec::External(spec) if plan.place.is_entered() => {
                    self.network_routes(plan, host, realms);
                    if let Some(asked) = spec.default_route.as_ref().filter(|asked| asked.value) {
                        route_everything(plan, asked, diagnostics);
                    }
                }
                _ => {}
            }
        }
    }

    /// The gateways of each interface: those of the host's own default routes, else the first router on the segment.
    fn find(&self, plan: &mut HostPlan, host: &Attached<'_>) {
        for (interface, attachment) in plan.interfaces.iter_mut().zip(&host.attachments) {
            for family in [Family::V4, Family::V6] {
                let given = plan.routes.iter().filter(|route| is_default(route, family));
                let given = given.filter(|route| route.interface.as_ref() == Some(&interface.name));
                let stranger = plan.place.is_beyond_a_wire();
                let near = |net: &&IpNet| stranger || interface.addresses.iter().any(|own| own.contains(&net.addr()));
                let router = || self.on(attachment.segment, family).find(near).map(IpNet::addr);
                interface.gateways.extend(given.filter_map(|route| route.via).next().or_else(router));
            }
        }
    }

    /// A machine that longwire does not make keeps its own default route; it gets routes to the scenario's networks.
    fn network_routes(&self, plan: &mut HostPlan, host: &Attached<'_>, realms: &Realms) {
        let Some((interface, attachment)) = plan.interfaces.first().zip(host.attachments.first()) else { return };
        for via in &interface.gateways {
            let reached = self.routers.iter().filter(|(segment, _)| {
                if via.is_ipv4() {
                    realms.reaches(&[attachment.segment], **segment)
                } else {
                    realms.areas[attachment.segment] == realms.areas[**segment]
                }
            });
            let nets = reached.flat_map(|(_, nets)| nets).filter(|net| net.addr().is_ipv4() == via.is_ipv4());
            let own = |net: &IpNet| interface.addresses.iter().any(|own| own.trunc() == *net);
            let nets: Vec<IpNet> = nets.map(IpNet::trunc).filter(|net| !own(net)).collect();
            plan.routes.extend(IpNet::aggregate(&nets).into_iter().map(|to| RoutePlan {
                to,
                via: Some(*via),
                interface: Some(interface.name.clone()),
                table: MAIN,
            }));
        }
    }
}

/// Routes everything of a container by the network: in halves, each of which is nearer than its own default route. So that stays
/// as it is, and is in force again when the interface goes, whatever took it away.
fn route_everything(plan: &mut HostPlan, asked: &Spanned<bool>, diagnostics: &mut Diagnostics) {
    let Some(interface) = plan.interfaces.first() else { return };
    if interface.gateways.is_empty() {
        let message = format!("there is no gateway behind `{}.{}`", plan.name, interface.name);
        diagnostics.error(asked.span, message).help("join a router to its segment, or take `default_route` away");
    }
    let by = |via: &IpAddr| {
        let whole = default_route(*via);
        let halves = whole.subnets(1).expect("a default route has two halves");
        let (via, interface) = (Some(*via), Some(interface.name.clone()));
        halves.map(move |to| RoutePlan { to, via, interface: interface.clone(), table: MAIN })
    };
    let routes: Vec<RoutePlan> = interface.gateways.iter().flat_map(by).collect();
    plan.routes.extend(routes);
}

fn is_default(route: &RoutePlan, family: Family) -> bool {
    route.to.prefix_len() == 0 && Family::of(route.to.addr()) == family
}

/// Default routes: in the main table over the interface that `default_route` names, else the first that has a gateway; in
/// the table of each interface over that one.
fn default_routes(plan: &mut HostPlan, spec: &HostSpec, diagnostics: &mut Diagnostics) {
    let chosen = match &spec.default_route {
        None => None,
        Some(name) if name.value == "none" => {
            let given = plan.routes.iter().any(|route| route.to.prefix_len() == 0);
            if given {
                diagnostics
                    .error(name.span, "`default_route: none` beside a default route")
                    .help("take one of them away");
            }
            return;
        }
        Some(name) => match chosen(plan, name, diagnostics) {
            None => return,
            chosen => chosen,
        },
    };
    let several = plan.interfaces.len() > 1;
    for family in [Family::V4, Family::V6] {
        let gateway = |at: usize| plan.interfaces[at].gateways.iter().find(|via| Family::of(**via) == family).copied();
        let first = chosen.into_iter().chain(0..plan.interfaces.len()).find_map(|at| Some((at, gateway(at)?)));
        let mains = first.map(|(at, via)| (at, via, MAIN));
        let own = (0..plan.interfaces.len()).filter(|_| several).filter_map(|at| Some((at, gateway(at)?, table(at))));
        let wanted: Vec<_> = mains.into_iter().chain(own).collect();
        for (at, via, table) in wanted {
            if plan.routes.iter().all(|route| !is_default(route, family) || route.table != table) {
                let interface = Some(plan.interfaces[at].name.clone());
                plan.routes.push(RoutePlan { to: default_route(via), via: Some(via), interface, table });
            }
        }
    }
}

/// The interface that `default_route` names, if that can be.
fn chosen(plan: &HostPlan, name: &Spanned<String>, diagnostics: &mut Diagnostics) -> Option<usize> {
    let names = plan.interfaces.iter().map(|interface| interface.name.as_str());
    let Some(at) = names.clone().position(|interface| interface == name.value) else {
        diagnostics
            .error(name.span, format!("`{}` has no interface `{}`", plan.name, name.value))
            .help(suggestion(name, names));
        return None;
    };
    let given = plan.routes.iter().find(|route| route.to.prefix_len() == 0 && route.table == MAIN);
    if let Some(other) = given.filter(|route| route.interface.as_ref() != Some(&name.value)) {
        let via = other.via.map(|via| via.to_string()).unwrap_or_default();
        let message = format!("`default_route` is `{}`, and `routes` have a default route by {via}", name.value);
        diagnostics.error(name.span, message).help("take one of them away");
        return None;
    }
    if plan.interfaces[at].gateways.is_empty() {
        let message = format!("there is no gateway behind `{}.{}`", plan.name, name.value);
        let help = "join a router to its segment, or name a gateway by `routes`";
        diagnostics.error(name.span, message).help(help);
        return None;
    }
    Some(at)
}

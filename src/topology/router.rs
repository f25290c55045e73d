//! Routers as they stand in a file, and what the engine gets of them.

use core::net::IpAddr;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use super::firewall::FirewallSpec;
use super::node::{Addresses, Neighbours, NodeSpec, RouteSpec};
use crate::diag::{Diagnostics, suggestion};
use crate::language::address_text::RouteTo;
use crate::language::spanned::Spanned;
use crate::node::{NatPlan, NatSpec, RouterInterface, RouterPlan, RouterRoute};
use crate::rng::{StreamKey, Way};
use crate::topology::members::Attached;

/// An IP router: it joins segments, and sends packets between them on the shortest way.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RouterSpec {
    /// Its addresses: a list, or a map from interface to list. Of families that it does not name, addresses are given out.
    pub addresses: Option<Spanned<Addresses>>,
    /// Routes beyond those that are computed; of the same length they win over those.
    pub routes: Vec<RouteSpec>,
    /// Whether its neighbours' addresses are known from the start, or asked for (ARP, ND).
    pub neighbours: Neighbours,
    /// Translation of IPv4 addresses and ports between one interface, the outside, and the others. By default none.
    pub nat: Option<Spanned<NatSpec>>,
    /// Which packets pass it. Without one, all do.
    pub firewall: Option<FirewallSpec>,
}

/// What the engine gets: interfaces without neighbours, which follow when all of the segment is known.
pub(crate) fn plan(
    router: &Attached<'_>,
    spec: &RouterSpec,
    seed: u64,
    given: Vec<(Vec<IpNet>, [u8; 6])>,
    diagnostics: &mut Diagnostics,
) -> RouterPlan {
    let interfaces: Vec<RouterInterface> = router
        .attachments
        .iter()
        .zip(given)
        .map(|(attachment, (addresses, mac))| RouterInterface {
            name: attachment.interface.clone(),
            mac: mac.into(),
            addresses,
            neighbours: Vec::new(),
        })
        .collect();
    let nets: Vec<&[IpNet]> = interfaces.iter().map(|interface| &interface.addresses[..]).collect();
    let routes = spec.routes.iter().filter_map(|route| {
        let (to, on_link) = checked_route(router.name, route, &nets, diagnostics)?;
        Some(RouterRoute { to, via: Some(route.via.value), port: *on_link.first()? as u32 })
    });
    let routes = routes.collect();
    let nat = nat(router, spec, seed, &interfaces, diagnostics);
    RouterPlan { routes, interfaces, border: nat.as_ref().map(|nat| nat.port), nat, ..RouterPlan::default() }
}

/// The position of the attachment that is a router's outside, if it translates addresses there.
pub(crate) fn outside(router: &Attached<'_>) -> Option<usize> {
    let NodeSpec::Router(RouterSpec { nat: Some(nat), .. }) = router.spec else { return None };
    router.attachments.iter().position(|attachment| attachment.interface == nat.value.outside)
}

fn nat(
    router: &Attached<'_>,
    spec: &RouterSpec,
    seed: u64,
    interfaces: &[RouterInterface],
    diagnostics: &mut Diagnostics,
) -> Option<NatPlan> {
    let Spanned { value: spec, span } = spec.nat.as_ref()?;
    let Some(port) = outside(router) else {
        let message = format!("`{}` has no interface `{}`, which is to be its outside", router.name, spec.outside);
        let known = interfaces.iter().map(|interface| interface.name.as_str());
        diagnostics.error(*span, message).help(suggestion(&spec.outside, known));
        return None;
    };
    if !interfaces[port].addresses.iter().any(|net| net.addr().is_ipv4()) {
        let message = format!("`{}.{}` has no IPv4 address to translate to", router.name, spec.outside);
        diagnostics.error(*span, message).help("give it one in `addresses`, or leave `nat` out");
        return None;
    }
    if interfaces.len() == 1 {
        let message = format!("`{}` has nothing inside: `{}` is its only interface", router.name, spec.outside);
        diagnostics.error(*span, message).help("link it to an inside too, or leave `nat` out");
        return None;
    }
    // nodes and links share one name space, so no other stream has this name
    let random = StreamKey::new(seed, router.name, Way::Forward, "nat");
    Some(NatPlan { spec: spec.clone(), port: port as u32, random })
}

/// The destination of a route that stands in the file, and the interfaces, one at least, from which its gateway is
/// reached. `None` where it cannot be, which has been told.
pub(crate) fn checked_route(
    name: &str,
    route: &RouteSpec,
    interfaces: &[&[IpNet]],
    diagnostics: &mut Diagnostics,
) -> Option<(IpNet, Vec<usize>)> {
    let via = route.via.value;
    let own = interfaces.iter().any(|nets| nets.iter().any(|net| net.addr() == via));
    let on_link: Vec<usize> =
        (0..interfaces.len()).filter(|i| interfaces[*i].iter().any(|net| net.contains(&via))).collect();
    if own || on_link.is_empty() {
        let nets: Vec<_> = interfaces.iter().copied().flatten().map(|net| format!("`{}`", net.trunc())).collect();
        let message = if own {
            format!("the gateway {via} is `{name}` itself")
        } else {
            format!("`{name}` cannot reach the gateway {via} directly")
        };
        let help = format!("a gateway is a neighbour, in one of its own networks: {}", nets.join(", "));
        diagnostics.error(route.via.span, message).help(help);
        return None;
    }
    let to = match route.to.value {
        RouteTo::Net(net) => net,
        RouteTo::Default => default_route(via),
    };
    if to.addr().is_ipv4() != via.is_ipv4() {
        let message = format!("a route to {to} cannot have the gateway {via}: they are of two families");
        diagnostics.error(route.via.span, message);
        return None;
    }
    Some((to, on_link))
}

/// The default route in the family of its gateway.
pub(crate) fn default_route(via: IpAddr) -> IpNet {
    let any = if via.is_ipv4() { IpAddr::V4([0; 4].into()) } else { IpAddr::V6([0; 16].into()) };
    IpNet::new(any, 0).expect("0 is a prefix")
}

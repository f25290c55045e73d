//! `route: { phone: wwan0 }`: a host's default routes move to one of its interfaces.

use core::net::IpAddr;

use crate::addressing::network::{NetworkPlan, Place};
use crate::diag::suggestion;

/// A host's default routes move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteMove {
    /// The host: position in `NetworkPlan::hosts`.
    pub host: usize,
    /// The interface that they move to: position in `HostPlan::interfaces`.
    pub interface: usize,
    /// That interface's gateways: one, or one a family.
    pub gateways: Vec<IpAddr>,
    /// As people write it: `phone.route=wwan0`.
    pub words: String,
}

/// Which of the two names a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// The host's.
    Host,
    /// The interface's.
    Interface,
}

/// What is wrong with a move: the name that it is about, what, and what to write instead.
pub(crate) type Wrong = (Name, String, String);

/// Finds what a move names.
pub(crate) fn find(network: &NetworkPlan, host: &str, interface: &str) -> Result<RouteMove, Wrong> {
    let made = || network.hosts.iter().filter(|host| host.place == Place::Namespace).map(|host| host.name.as_str());
    let Some((position, plan)) = network.hosts.iter().enumerate().find(|(_, plan)| plan.name == host) else {
        return Err((Name::Host, format!("unknown host `{host}`"), suggestion(host, made().collect::<Vec<_>>())));
    };
    if plan.place != Place::Namespace {
        let message = format!("`{host}` is an external machine: its routes are its own");
        return Err((Name::Host, message, "name a `host`".into()));
    }
    let names: Vec<&str> = plan.interfaces.iter().map(|interface| interface.name.as_str()).collect();
    let Some(at) = names.iter().position(|name| *name == interface) else {
        let message = format!("`{host}` has no interface `{interface}`");
        return Err((Name::Interface, message, suggestion(interface, names)));
    };
    let gateways = plan.gateways(at);
    if gateways.is_empty() {
        let message = format!("`{host}` has no gateway on `{interface}`: a default route cannot move there");
        let help = format!("give `{host}` one, as in `routes: [{{ to: default, via: ADDRESS }}]`");
        return Err((Name::Interface, message, help));
    }
    Ok(RouteMove { host: position, interface: at, gateways, words: format!("{host}.route={interface}") })
}

/// Families in which a host has a default route that a move leaves where it is: the interface has no gateway there.
pub(crate) fn left_behind(network: &NetworkPlan, to: &RouteMove) -> Vec<&'static str> {
    let host = &network.hosts[to.host];
    [("IPv4", true), ("IPv6", false)]
        .into_iter()
        .filter(|(_, v4)| {
            let has = (0..host.interfaces.len()).any(|at| host.gateways(at).iter().any(|via| via.is_ipv4() == *v4));
            has && !to.gateways.iter().any(|via| via.is_ipv4() == *v4)
        })
        .map(|(name, _)| name)
        .collect()
}

/// A live change `HOST.route=INTERFACE`; `None` for a text that is something else.
///
/// # Errors
/// What is wrong with it, and what to write instead.
pub fn parse(network: &NetworkPlan, text: &str) -> Option<Result<RouteMove, String>> {
    let (host, interface) = text.split_once('=')?;
    let host = host.trim().strip_suffix(".route")?;
    Some(find(network, host, interface.trim()).map_err(|(_, message, help)| format!("`{text}`: {message} ({help})")))
}

//! From where to where: `HOST`, `HOST.INTERFACE` or an address in the mouth of a workload.

use core::net::IpAddr;
use std::collections::BTreeMap;

use ipnet::IpNet;

use super::address::{Family, is_link_local};
use super::network::{HostPlan, Place};
use super::spanned::Spanned;
use super::spec::Path;
use super::workload::FamilySpec;
use crate::diag::{Diagnostic, Diagnostics, suggestion};

/// What the nodes of the file are, for those who name them.
pub(super) struct Hosts<'a> {
    /// Hosts of the plan, external ones included.
    pub plans: &'a [HostPlan],
    /// Their positions by name.
    pub by_name: BTreeMap<&'a str, usize>,
    /// Who shares a segment: `segments[host][interface]`.
    pub segments: &'a [Vec<usize>],
    /// Nodes that could not be read, or whose links could not: nothing more is told of them.
    pub silent: Vec<&'a str>,
    /// Switches.
    pub switches: Vec<&'a str>,
}

/// One end of a path: a host, and one of its interfaces if that was named.
#[derive(Clone, Copy, Debug)]
struct Spot {
    host: usize,
    interface: Option<usize>,
}

impl Hosts<'_> {
    /// The host that a program runs in.
    pub(super) fn program_host(&self, name: &Spanned<String>, diagnostics: &mut Diagnostics) -> Option<usize> {
        let host = self.find(name, name, diagnostics)?;
        if self.plans[host].place != Place::Namespace {
            diagnostics.push(
                Diagnostic::error(
                    name.span,
                    format!("`{}` is an external machine: longwire cannot run programs in it", name.value),
                )
                .help("start it there yourself, or name a `host`"),
            );
            return None;
        }
        Some(host)
    }

    fn find(&self, name: &str, text: &Spanned<String>, diagnostics: &mut Diagnostics) -> Option<usize> {
        if let Some(host) = self.by_name.get(name) {
            return Some(*host);
        }
        if self.silent.contains(&name) {
            return None;
        }
        let hosts = self.plans.iter().map(|host| host.name.as_str());
        let error = if self.switches.contains(&name) {
            Diagnostic::error(text.span, format!("`{name}` is a switch: it has no address and runs no programs"))
                .help(format!("name a host: {}", list(hosts)))
        } else {
            Diagnostic::error(text.span, format!("unknown host `{name}`")).help(suggestion(name, hosts))
        };
        diagnostics.push(error);
        None
    }

    fn place(&self, text: &Spanned<String>, diagnostics: &mut Diagnostics) -> Option<Spot> {
        let Some((name, interface)) = text.split_once('.') else {
            return Some(Spot { host: self.find(text, text, diagnostics)?, interface: None });
        };
        let host = self.find(name, text, diagnostics)?;
        let plan = &self.plans[host];
        let position = plan.interfaces.iter().position(|i| i.name == interface);
        if position.is_none() && !self.silent.contains(&name) {
            let known = plan.interfaces.iter().map(|i| i.name.as_str());
            let error = Diagnostic::error(text.span, format!("`{name}` has no interface `{interface}`"));
            diagnostics.push(error.help(suggestion(interface, known)));
        }
        Some(Spot { host, interface: Some(position?) })
    }

    /// The way that a workload's packets go. `needs_receiver`: longwire itself receives them.
    pub(super) fn path(
        &self,
        from: &Spanned<String>,
        to: &Spanned<String>,
        family: Option<&Spanned<FamilySpec>>,
        needs_receiver: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<Path> {
        let sender = self.place(from, diagnostics);
        let sender = sender.filter(|sender| {
            let made = self.plans[sender.host].place == Place::Namespace;
            if !made {
                let message =
                    format!("`{}` is an external machine: longwire cannot send from it", self.plans[sender.host].name);
                diagnostics.push(Diagnostic::error(from.span, message).help("name a `host`"));
            }
            made
        });
        let wanted = family.map(|family| match family.value {
            FamilySpec::Ipv4 => Family::V4,
            FamilySpec::Ipv6 => Family::V6,
        });
        if let Ok(address) = to.parse::<IpAddr>() {
            return self.to_address(sender?, address, to, wanted.zip(family), needs_receiver, diagnostics);
        }
        let receiver = self.place(to, diagnostics)?;
        let sender = sender?;
        if sender.host == receiver.host {
            let message =
                format!("from `{}` to itself: nothing of it would cross a link", self.plans[sender.host].name);
            diagnostics.push(Diagnostic::error(to.span, message).help("name another host"));
            return None;
        }
        if needs_receiver && self.plans[receiver.host].place != Place::Namespace {
            let message =
                format!("`{}` is an external machine: longwire cannot receive in it", self.plans[receiver.host].name);
            diagnostics.push(Diagnostic::error(to.span, message).help("name a `host`, or use `ping`"));
            return None;
        }
        self.to_host(sender, receiver, to, wanted, diagnostics)
    }

    fn to_host(
        &self,
        sender: Spot,
        receiver: Spot,
        to: &Spanned<String>,
        wanted: Option<Family>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Path> {
        let near: Vec<usize> = match sender.interface {
            Some(interface) => vec![self.segments[sender.host][interface]],
            None => self.segments[sender.host].clone(),
        };
        let mut candidates: Vec<(bool, Family, IpAddr)> = Vec::new();
        for (at, interface) in self.plans[receiver.host].interfaces.iter().enumerate() {
            if receiver.interface.is_some_and(|only| only != at) {
                continue;
            }
            let apart = !near.contains(&self.segments[receiver.host][at]);
            candidates.extend(interface.addresses.iter().map(|net| (apart, Family::of(net.addr()), net.addr())));
        }
        candidates.retain(|(.., family, address)| !is_link_local(*address) && wanted.is_none_or(|w| w == *family));
        candidates.sort_by_key(|(apart, family, _)| (*apart, *family));
        if candidates.is_empty() {
            // Then the addresses themselves may be what is wrong, and that has been told.
            if !diagnostics.has_errors() {
                let family = wanted.map(|family| format!("{family} ")).unwrap_or_default();
                diagnostics.push(Diagnostic::error(to.span, format!("`{}` has no {family}address", to.value)));
            }
            return None;
        }
        let own = |family: Family| self.source(sender, family);
        let usable = candidates.iter().find(|(_, family, _)| own(*family).is_some());
        let Some((apart, family, destination)) = usable.copied() else {
            let name = &self.plans[sender.host].name;
            let message = format!("`{name}` and `{}` have no address family in common", to.value);
            diagnostics.push(Diagnostic::error(to.span, message));
            return None;
        };
        if apart {
            self.routed(sender, destination, to, diagnostics)?;
        }
        let source = sender.interface.and_then(|_| own(family));
        Some(Path { from: sender.host, source, to: Some(receiver.host), destination })
    }

    fn to_address(
        &self,
        sender: Spot,
        destination: IpAddr,
        to: &Spanned<String>,
        wanted: Option<(Family, &Spanned<FamilySpec>)>,
        needs_receiver: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<Path> {
        if let Some((family, spec)) = wanted.filter(|(family, _)| *family != Family::of(destination)) {
            let message = format!("{destination} is not an {family} address");
            diagnostics.push(Diagnostic::error(to.span, message).related(spec.span, "asked for here"));
            return None;
        }
        let has =
            |plan: &HostPlan| plan.interfaces.iter().any(|i| i.addresses.iter().any(|net| net.addr() == destination));
        let receiver = self.plans.iter().position(has);
        let made = receiver.is_some_and(|host| self.plans[host].place == Place::Namespace);
        if needs_receiver && !made {
            let message = format!("{destination} is not an address of a host: nothing would receive there");
            diagnostics.push(Diagnostic::error(to.span, message).help("name a `host`, or use `ping`"));
            return None;
        }
        self.routed(sender, destination, to, diagnostics)?;
        let source = sender.interface.and_then(|_| self.source(sender, Family::of(destination)));
        Some(Path { from: sender.host, source, to: receiver, destination })
    }

    /// The sender's first address of a family, on its interface if one was named.
    fn source(&self, sender: Spot, family: Family) -> Option<IpAddr> {
        let interfaces = self.plans[sender.host].interfaces.iter().enumerate();
        let mut addresses = interfaces
            .filter(|(at, _)| sender.interface.is_none_or(|only| only == *at))
            .flat_map(|(_, interface)| interface.addresses.iter().map(IpNet::addr));
        addresses.find(|address| Family::of(*address) == family && !is_link_local(*address))
    }

    fn routed(
        &self,
        sender: Spot,
        destination: IpAddr,
        to: &Spanned<String>,
        diagnostics: &mut Diagnostics,
    ) -> Option<()> {
        let plan = &self.plans[sender.host];
        let on_link = plan.interfaces.iter().any(|i| i.addresses.iter().any(|net| net.contains(&destination)));
        if on_link || plan.routes.iter().any(|route| route.to.contains(&destination)) {
            return Some(());
        }
        if !diagnostics.has_errors() {
            let message = format!("`{}` has no route to {destination}", plan.name);
            let help = "join them by a link or a switch, or give the host `routes`";
            diagnostics.push(Diagnostic::error(to.span, message).help(help));
        }
        None
    }
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

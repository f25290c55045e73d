//! From where to where: `HOST`, `HOST.INTERFACE` or an address in the mouth of a workload.

use core::net::IpAddr;
use std::collections::BTreeMap;

use ipnet::IpNet;

use super::route::Passage;
use super::spec::Path;
use super::ways::{Arrives, Ways};
use super::workload::FamilySpec;
use crate::addressing::address::{Family, is_link_local};
use crate::addressing::hosts::{MAIN, table};
use crate::addressing::network::{HostPlan, InterfacePlan, Place};
use crate::diag::{Diagnostic, Diagnostics, suggestion};
use crate::language::spanned::Spanned;

/// What the nodes of the file are, for those who name them.
pub(crate) struct Hosts<'a> {
    /// Hosts of the plan, external ones included.
    pub plans: &'a [HostPlan],
    /// Their positions by name.
    pub by_name: BTreeMap<&'a str, usize>,
    /// Who shares a segment: `segments[host][interface]`.
    pub segments: &'a [Vec<usize>],
    /// Where routers send packets.
    pub ways: Ways<'a>,
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
    pub(crate) fn program_host(&self, name: &Spanned<String>, diagnostics: &mut Diagnostics) -> Option<usize> {
        let host = self.find(name, name, diagnostics)?;
        if !self.plans[host].place.runs_programs() {
            let message = format!("`{}` is an external machine: longwire cannot run programs in it", name.value);
            diagnostics.error(name.span, message).help("start it there yourself, or name a `host` or a container");
            return None;
        }
        Some(host)
    }

    /// The host of that name, one that longwire does not make included.
    pub(super) fn find(&self, name: &str, text: &Spanned<String>, diagnostics: &mut Diagnostics) -> Option<usize> {
        if let Some(host) = self.by_name.get(name) {
            return Some(*host);
        }
        if self.silent.contains(&name) {
            return None;
        }
        let hosts = self.plans.iter().map(|host| host.name.as_str());
        let error = if self.ways.routers.iter().any(|router| router.name == name) {
            Diagnostic::error(text.span, format!("`{name}` is a router: it runs no programs"))
                .help(format!("name a host: {}", list(hosts)))
        } else if self.switches.contains(&name) {
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
            diagnostics
                .error(text.span, format!("`{name}` has no interface `{interface}`"))
                .help(suggestion(interface, known));
        }
        Some(Spot { host, interface: Some(position?) })
    }

    /// The address of a machine behind an external one, by its name: of the family that is wanted, if it has one.
    fn behind(&self, name: &str, wanted: Option<Family>) -> Option<IpAddr> {
        let (_, addresses) = self.plans.iter().flat_map(|plan| &plan.names).find(|(known, _)| known == name)?;
        let is_wanted = |address: &&IpAddr| wanted.is_none_or(|family| Family::of(**address) == family);
        addresses.iter().find(is_wanted).or(addresses.first()).copied()
    }

    /// The way that a workload's packets go. `needs_receiver`: longwire itself receives them.
    pub(crate) fn path(
        &self,
        from: &Spanned<String>,
        to: &Spanned<String>,
        family: Option<&Spanned<FamilySpec>>,
        needs_receiver: bool,
        diagnostics: &mut Diagnostics,
    ) -> Option<Path> {
        let sender = self.place(from, diagnostics);
        let sender = sender.filter(|sender| {
            let sends = self.plans[sender.host].place.runs_programs();
            if !sends {
                let message =
                    format!("`{}` is an external machine: longwire cannot send from it", self.plans[sender.host].name);
                diagnostics.error(from.span, message).help("name a `host` or a container");
            }
            sends
        });
        let wanted = family.map(|family| match family.value {
            FamilySpec::Ipv4 => Family::V4,
            FamilySpec::Ipv6 => Family::V6,
        });
        if let Some(address) = to.parse().ok().or_else(|| self.behind(to, wanted)) {
            return self.to_address(sender?, address, to, wanted.zip(family), needs_receiver, diagnostics);
        }
        if let Some(router) =
            self.ways.routers.iter().find(|router| router.name == node_of(to)).filter(|_| !needs_receiver)
        {
            let only = match to.split_once('.') {
                None => None,
                Some((name, interface)) => {
                    let names = || router.plan.interfaces.iter().map(|i| i.name.as_str());
                    let at = names().position(|known| known == interface);
                    if at.is_none() && !self.silent.contains(&name) {
                        diagnostics
                            .error(to.span, format!("`{name}` has no interface `{interface}`"))
                            .help(suggestion(interface, names()));
                    }
                    Some(at?)
                }
            };
            let addresses = router.plan.interfaces.iter().map(|i| &i.addresses[..]);
            return self.to_node(sender?, None, addresses.zip(router.segments), only, to, wanted, diagnostics);
        }
        let receiver = self.place(to, diagnostics)?;
        let sender = sender?;
        if sender.host == receiver.host {
            let message =
                format!("from `{}` to itself: nothing of it would cross a link", self.plans[sender.host].name);
            diagnostics.error(to.span, message).help("name another host");
            return None;
        }
        if needs_receiver && !self.plans[receiver.host].place.runs_programs() {
            let message =
                format!("`{}` is an external machine: longwire cannot receive in it", self.plans[receiver.host].name);
            diagnostics.error(to.span, message).help("name a `host` or a container, or use `ping`");
            return None;
        }
        let addresses = self.plans[receiver.host].interfaces.iter().map(|i| &i.addresses[..]);
        let interfaces = addresses.zip(&self.segments[receiver.host]);
        self.to_node(sender, Some(receiver.host), interfaces, receiver.interface, to, wanted, diagnostics)
    }

    /// The way to a host, or to a router, with these addresses on these segments.
    #[expect(clippy::too_many_arguments, reason = "a step of `path`, which has all of it at hand")]
    fn to_node<'n>(
        &self,
        sender: Spot,
        receiver: Option<usize>,
        interfaces: impl Iterator<Item = (&'n [IpNet], &'n usize)>,
        only: Option<usize>,
        to: &Spanned<String>,
        wanted: Option<Family>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Path> {
        let near: Vec<usize> = match sender.interface {
            Some(interface) => vec![self.segments[sender.host][interface]],
            None => self.segments[sender.host].clone(),
        };
        let mut candidates: Vec<(bool, Family, IpAddr)> = Vec::new();
        for (at, (addresses, segment)) in interfaces.enumerate() {
            if only.is_some_and(|only| only != at) {
                continue;
            }
            let apart = !near.contains(segment);
            candidates.extend(addresses.iter().map(|net| (apart, Family::of(net.addr()), net.addr())));
        }
        candidates.retain(|(.., family, address)| !is_link_local(*address) && wanted.is_none_or(|w| w == *family));
        candidates.sort_by_key(|(apart, family, _)| (*apart, *family));
        if candidates.is_empty() {
            // Then the addresses themselves may be what is wrong, and that has been told.
            if !diagnostics.has_errors() {
                let family = wanted.map(|family| format!("{family} ")).unwrap_or_default();
                diagnostics.error(to.span, format!("`{}` has no {family}address", to.value));
            }
            return None;
        }
        candidates.retain(|(_, family, _)| self.source(sender, *family).is_some());
        let Some(first) = candidates.first() else {
            let name = &self.plans[sender.host].name;
            let message = format!("`{name}` and `{}` have no address family in common", to.value);
            diagnostics.error(to.span, message);
            return None;
        };
        // the first that is reached; if none is, the first says why
        let reached = candidates.iter().find(|(apart, _, address)| {
            !apart || self.routed(sender, receiver, *address, to, &mut Diagnostics::default()).is_some()
        });
        let (apart, family, destination) = *reached.unwrap_or(first);
        if apart {
            self.routed(sender, receiver, destination, to, diagnostics)?;
        }
        let source = sender.interface.and_then(|_| self.source(sender, family));
        Some(Path { from: sender.host, source, to: receiver, destination })
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
            diagnostics.error(to.span, message).related(spec.span, "asked for here");
            return None;
        }
        let has =
            |plan: &HostPlan| plan.interfaces.iter().any(|i| i.addresses.iter().any(|net| net.addr() == destination));
        let receiver = self.plans.iter().position(has);
        let receives = receiver.is_some_and(|host| self.plans[host].place.runs_programs());
        if needs_receiver && !receives {
            let message = format!("{destination} is not an address of a host: nothing would receive there");
            diagnostics.error(to.span, message).help("name a `host` or a container, or use `ping`");
            return None;
        }
        self.routed(sender, receiver, destination, to, diagnostics)?;
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

    /// Whether packets from the sender come to an address, and answers could come back.
    fn routed(
        &self,
        sender: Spot,
        receiver: Option<usize>,
        destination: IpAddr,
        to: &Spanned<String>,
        diagnostics: &mut Diagnostics,
    ) -> Option<()> {
        let problem: (String, String) = match self.leads(sender.host, sender.interface, destination) {
            Ok(Arrives::Yes { translated, .. }) => {
                let back = receiver.filter(|_| !translated).zip(self.source(sender, Family::of(destination)));
                match back.filter(|(host, _)| self.plans[*host].place == Place::Namespace) {
                    Some((host, source)) if self.leads(host, None, source).is_err() => {
                        let name = &self.plans[host].name;
                        (
                            format!("`{name}` has no route back to {source}"),
                            "join it to a router, or give it `routes`".into(),
                        )
                    }
                    _ => return Some(()),
                }
            }
            Ok(Arrives::Guarded(router)) => {
                let name = self.ways.routers[router].name;
                (
                    format!(
                        "{destination} is behind the NAT of `{name}`, which lets in no IPv6 that nobody inside asked for"
                    ),
                    format!("let the inside begin, or write `ipv6: routed` in the `nat` of `{name}`"),
                )
            }
            Ok(Arrives::NoRoute(_)) | Err(())
                if let Some(name) = self.hidden_by(sender.host, receiver, destination) =>
            {
                (
                    format!("{destination} is behind the NAT of `{name}`: nobody outside reaches it"),
                    format!(
                        "let the inside begin; or forward a port to it, as in `forward: [{{ port: 8080, to: \"{destination}:80\" }}]` \
                     in the `nat` of `{name}`, and send to an outside address of `{name}`"
                    ),
                )
            }
            Ok(Arrives::NoRoute(router)) => {
                let name = self.ways.routers[router].name;
                let help = "join the networks by a link between their routers, or give the router `routes`";
                (format!("`{name}`, on the way, has no route to {destination}"), help.into())
            }
            Ok(Arrives::AtHost(host)) => {
                let name = &self.plans[host].name;
                let message =
                    format!("the gateway on the way to {destination} is `{name}`, a host: it forwards nothing");
                (message, "make it a `router`, or take the route by it away".into())
            }
            Ok(Arrives::Circle(router)) => {
                let name = self.ways.routers[router].name;
                let message = format!("packets to {destination} go in a circle, by way of `{name}`");
                (message, "the `routes` of routers on the way contradict each other: take one away".into())
            }
            Err(()) => {
                let message = format!("`{}` has no route to {destination}", self.plans[sender.host].name);
                (message, "join them by a link, a switch or a router, or give the host `routes`".into())
            }
        };
        if !diagnostics.has_errors() {
            diagnostics.error(to.span, problem.0).help(problem.1);
        }
        None
    }

    /// The router whose NAT a host is behind, as an IPv4 packet from another sees it.
    fn hidden_by(&self, from: usize, to: Option<usize>, destination: IpAddr) -> Option<&str> {
        let segments = &self.segments[to.filter(|_| destination.is_ipv4())?];
        let hides = self.ways.routers.iter().find(|router| {
            let Some(nat) = &router.plan.nat else { return false };
            let inside =
                |segment: &&usize| router.segments.iter().position(|own| own == *segment) != Some(nat.port as usize);
            let joins =
                |segments: &[usize]| segments.iter().filter(inside).any(|segment| router.segments.contains(segment));
            joins(segments) && !joins(&self.segments[from])
        });
        hides.map(|router| router.name)
    }

    /// The router with NAT that a path passes by IPv6, and whether all is to pass its NAT.
    pub(crate) fn around_nat(&self, path: &Path) -> Option<(&str, bool)> {
        match self.leads(path.from, self.interface_of(path), path.destination) {
            Ok(Arrives::Yes { around: Some(router), .. }) => {
                let router = &self.ways.routers[router];
                Some((router.name, router.plan.nat.as_ref().is_some_and(|nat| nat.spec.required)))
            }
            _ => None,
        }
    }

    /// The interface that a path's sender binds to.
    pub(crate) fn interface_of(&self, path: &Path) -> Option<usize> {
        let source = path.source?;
        let interfaces = &self.plans[path.from].interfaces;
        interfaces.iter().position(|interface| interface.addresses.iter().any(|net| net.addr() == source))
    }

    /// The address that a path's packets come from.
    pub(crate) fn source_of(&self, path: &Path) -> Option<IpAddr> {
        let any = Spot { host: path.from, interface: None };
        path.source.or_else(|| self.source(any, Family::of(path.destination)))
    }

    /// Whether a path crosses no router, so that its sender asks for the MAC address of the destination itself.
    pub(super) fn is_on_link(&self, path: &Path) -> bool {
        matches!(self.first_hop(path.from, self.interface_of(path), path.destination), Ok((Some(_), None)))
    }

    /// Whether a router's NAT lets in no packet of a host to an address that nobody inside asked for.
    pub(crate) fn is_guarded(&self, host: usize, destination: IpAddr) -> bool {
        matches!(self.leads(host, None, destination), Ok(Arrives::Guarded(_)))
    }

    /// The interface by which a packet of a host leaves, and the routers that it passes; `None` where it does not arrive.
    pub(crate) fn passages(
        &self,
        host: usize,
        by: Option<usize>,
        destination: IpAddr,
    ) -> Option<(usize, Vec<Passage>)> {
        let (interface, via) = self.first_hop(host, by, destination).ok()?;
        let interface = interface?;
        let mut passages = Vec::new();
        if let Some(via) = via {
            match self.ways.follow(self.segments[host][interface], via, destination, &mut passages) {
                // by a gateway that is no router of the scenario
                Arrives::Yes { .. } if !passages.is_empty() => {}
                _ => return None,
            }
        }
        Some((interface, passages))
    }

    /// The interface by which a packet of a host leaves, and the gateway that it goes to; an error if the host has no route.
    /// `by`: over this interface.
    fn first_hop(
        &self,
        host: usize,
        by: Option<usize>,
        destination: IpAddr,
    ) -> Result<(Option<usize>, Option<IpAddr>), ()> {
        let plan = &self.plans[host];
        let holds = |i: &InterfacePlan| i.addresses.iter().any(|net| net.contains(&destination));
        if let Some(at) = plan.interfaces.iter().position(holds) {
            return Ok((Some(at), None));
        }
        // what binds to an interface's address has that interface's routes
        let wanted = by.filter(|_| plan.interfaces.len() > 1).map_or(MAIN, table);
        let routes = plan.routes.iter().filter(|route| route.table == wanted && route.to.contains(&destination));
        // of two of the same length the first one counts
        let route = routes.rev().max_by_key(|route| route.to.prefix_len()).ok_or(())?;
        let at = plan.interfaces.iter().position(|i| route.interface.as_ref().is_none_or(|name| *name == i.name));
        Ok((at, route.via))
    }

    /// Where a packet of a host comes to; an error if the host itself has no route. `by`: over this interface.
    fn leads(&self, host: usize, by: Option<usize>, destination: IpAddr) -> Result<Arrives, ()> {
        match self.first_hop(host, by, destination)? {
            (Some(at), Some(via)) => {
                let segment = self.segments[host][at];
                let has = |host: usize, address: IpAddr| {
                    let nets = self.plans[host].interfaces.iter().zip(&self.segments[host]);
                    let near = nets.filter(|(_, there)| address != via || **there == segment);
                    near.flat_map(|(interface, _)| &interface.addresses).any(|net| net.addr() == address)
                };
                let made = |host: &usize| self.plans[*host].place == Place::Namespace;
                match (0..self.plans.len()).filter(made).find(|host| has(*host, via)) {
                    Some(host) if !has(host, destination) => Ok(Arrives::AtHost(host)),
                    Some(_) => Ok(Arrives::STRAIGHT),
                    None => Ok(self.ways.follow(segment, via, destination, &mut Vec::new())),
                }
            }
            _ => Ok(Arrives::STRAIGHT),
        }
    }
}

/// The node's name in `NODE` or `NODE.INTERFACE`.
fn node_of(text: &str) -> &str {
    text.split_once('.').map_or(text, |(name, _)| name)
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

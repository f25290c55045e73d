//! What the names in a firewall's rules stand for.

use core::net::IpAddr;
use std::collections::{BTreeMap, BTreeSet};

use indexmap::IndexMap;
use ipnet::IpNet;

use crate::addressing::network::HostPlan;
use crate::diag::{Diagnostic, Diagnostics, suggestion};
use crate::language::spanned::Spanned;
use crate::node::RouterPlan;
use crate::topology::ends::NodeEntry;
use crate::topology::expand::{GroupKind, Groups};
use crate::topology::link::Draft;
use crate::topology::members::{Attached, Members};
use crate::topology::node::NodeSpec;

/// All names of a scenario that stand for addresses.
#[derive(Debug, Default)]
pub(super) struct Directory<'a> {
    /// Hosts, external machines and routers.
    pub stations: IndexMap<&'a str, Station<'a>>,
    /// Switches, hubs and links: the networks of their segments.
    pub segments: IndexMap<&'a str, Vec<IpNet>>,
    /// Names that stand for several nodes.
    pub groups: IndexMap<&'a str, &'a [String]>,
    /// Nodes of which nothing more is told, because they or a link that may be theirs could not be read.
    pub silent: Vec<&'a str>,
}

/// Names of interfaces, and their addresses.
type Interfaces<'a> = Vec<(&'a str, &'a [IpNet])>;

/// A node with addresses.
#[derive(Debug)]
pub(super) struct Station<'a> {
    /// The names of its interfaces, and their addresses.
    pub interfaces: Interfaces<'a>,
}

impl<'a> Directory<'a> {
    /// All names of a scenario. Members and plans of hosts, and of routers, are in the same order.
    pub(super) fn new(
        nodes: &'a IndexMap<String, NodeEntry>,
        groups: &'a Groups,
        links: &'a [Draft],
        members: &'a Members<'a>,
        hosts: &'a [HostPlan],
        routers: &'a [RouterPlan],
    ) -> Directory<'a> {
        let of_hosts = hosts
            .iter()
            .map(|host| host.interfaces.iter().map(|i| (i.name.as_str(), &i.addresses[..])).collect::<Vec<_>>());
        let of_routers = routers
            .iter()
            .map(|router| router.interfaces.iter().map(|i| (i.name.as_str(), &i.addresses[..])).collect::<Vec<_>>());
        let all: Vec<(&Attached<'_>, Interfaces<'_>)> =
            members.hosts.iter().zip(of_hosts).chain(members.routers.iter().zip(of_routers)).collect();
        let mut networks: Vec<Vec<IpNet>> = vec![Vec::new(); members.segments];
        let mut by_link: IndexMap<&str, usize> = IndexMap::new();
        for (node, interfaces) in &all {
            for (attachment, (_, addresses)) in node.attachments.iter().zip(interfaces) {
                networks[attachment.segment].extend(addresses.iter().map(IpNet::trunc));
                by_link.insert(attachment.link, attachment.segment);
            }
        }
        let bridged = through_bridges(nodes, links, &by_link);
        let of_links = by_link.into_iter().map(|(name, segment)| (name, vec![segment]));
        let segments = of_links.chain(bridged).map(|(name, segments)| {
            (name, segments.into_iter().flat_map(|segment| networks[segment].iter().copied()).collect())
        });
        let unsure = links.iter().any(|link| link.ends.is_none());
        Directory {
            stations: all.into_iter().map(|(node, interfaces)| (node.name, Station { interfaces })).collect(),
            segments: segments.collect(),
            groups: groups
                .iter()
                .filter(|(_, g)| g.kind == GroupKind::Nodes)
                .map(|(n, g)| (n, &g.members[..]))
                .collect(),
            silent: nodes.iter().filter(|(_, n)| unsure || n.spec.is_none()).map(|(name, _)| name.as_str()).collect(),
        }
    }
}

/// Which segments switches and hubs are in, and the links between them: all that are joined without a host or a router
/// between, whatever their VLANs.
fn through_bridges<'a>(
    nodes: &'a IndexMap<String, NodeEntry>,
    links: &'a [Draft],
    by_link: &IndexMap<&str, usize>,
) -> Vec<(&'a str, Vec<usize>)> {
    let is_bridge = |node: usize| nodes[node].spec.as_ref().is_some_and(NodeSpec::is_bridge);
    let bridges = |link: &'a Draft| {
        let ends = link.ends.iter().flatten().map(|end| end.node);
        ends.filter(|node| is_bridge(*node)).collect::<Vec<_>>()
    };
    let mut at: BTreeMap<usize, Vec<&'a Draft>> = BTreeMap::new();
    for link in links {
        bridges(link).into_iter().for_each(|node| at.entry(node).or_default().push(link));
    }
    let mut all = Vec::new();
    let mut seen = BTreeSet::new();
    for first in at.keys() {
        let (mut names, mut segments, mut open) = (BTreeSet::new(), BTreeSet::new(), vec![*first]);
        while let Some(node) = open.pop() {
            if !seen.insert(node) {
                continue;
            }
            names.extend(nodes.get_index(node).map(|(name, _)| name.as_str()));
            for link in &at[&node] {
                match by_link.get(link.name.as_str()) {
                    Some(segment) => segments.insert(*segment),
                    None => names.insert(&link.name),
                };
                open.extend(bridges(link));
            }
        }
        let segments: Vec<usize> = segments.into_iter().collect();
        all.extend(names.into_iter().map(|name| (name, segments.clone())));
    }
    all
}

impl Directory<'_> {
    /// The networks that a text stands for: an address, a network or a name. `None` if it stands for none, which is told or
    /// need not be.
    pub(super) fn networks(&self, text: Spanned<&str>, diagnostics: &mut Diagnostics) -> Option<Vec<IpNet>> {
        if let Ok(address) = text.parse::<IpAddr>() {
            return Some(vec![address.into()]);
        }
        if text.contains(['/', ':']) {
            return match text.parse::<IpNet>() {
                Ok(net) if net == net.trunc() => Some(vec![net]),
                Ok(net) => {
                    let message = format!("`{net}` names a host and its network");
                    let help =
                        format!("write `{}` for the host alone, `{}` for all of the network", net.addr(), net.trunc());
                    diagnostics.error(text.span, message).help(help);
                    None
                }
                Err(_) => {
                    diagnostics
                        .error(text.span, format!("`{}` is no address and no network", text.value))
                        .help("write one as in `10.0.0.2`, `10.0.0.0/24` or `fd00::/64`");
                    None
                }
            };
        }
        if let Some(members) = self.groups.get(text.value) {
            let each = members.iter().map(|name| self.name(Spanned { value: name, span: text.span }, diagnostics));
            return each.collect::<Option<Vec<_>>>().map(|all| all.concat());
        }
        self.name(text, diagnostics)
    }

    fn name(&self, text: Spanned<&str>, diagnostics: &mut Diagnostics) -> Option<Vec<IpNet>> {
        if let Some(networks) = self.segments.get(text.value) {
            return self.unless_empty(networks.clone(), text, diagnostics);
        }
        let (name, interface) = match text.split_once('.') {
            Some((name, interface)) => (name, Some(interface)),
            None => (text.value, None),
        };
        if self.silent.contains(&name) {
            return None;
        }
        let Some(station) = self.stations.get(name) else {
            let known = self.stations.keys().chain(self.segments.keys()).chain(self.groups.keys()).copied();
            let help = format!("{}; or write an address or a network", suggestion(name, known));
            diagnostics.error(text.span, format!("nothing here is called `{name}`")).help(help);
            return None;
        };
        let known = || station.interfaces.iter().map(|(name, _)| *name);
        if let Some(interface) = interface.filter(|interface| !known().any(|name| name == *interface)) {
            let error = Diagnostic::error(text.span, format!("`{name}` has no interface `{interface}`"));
            let known: Vec<&str> = known().collect();
            diagnostics.push(error.help(suggestion(interface, known)));
            return None;
        }
        let meant = station.interfaces.iter().filter(|(name, _)| interface.is_none_or(|interface| interface == *name));
        let addresses = meant.flat_map(|(_, addresses)| addresses.iter().map(|net| IpNet::from(net.addr()))).collect();
        self.unless_empty(addresses, text, diagnostics)
    }

    fn unless_empty(
        &self,
        found: Vec<IpNet>,
        text: Spanned<&str>,
        diagnostics: &mut Diagnostics,
    ) -> Option<Vec<IpNet>> {
        if found.is_empty() {
            // then an address that was wrong may be what is missing, and that has been told
            if !diagnostics.has_errors() {
                let message = format!("`{}` has no address that the scenario knows", text.value);
                diagnostics.error(text.span, message).help("write its address or network");
            }
            return None;
        }
        Some(found)
    }
}

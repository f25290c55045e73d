//! What a name on the timeline stands for: links, nodes, ports of hosts.

use std::collections::BTreeSet;

use crate::addressing::network::NetworkPlan;
use crate::addressing::network::PortPlan;
use crate::diag::suggestion;
use crate::engine::{LinkId, NodeId, NodeKind, Plan};
use crate::tasks::resolved::Resolved;
use crate::tasks::set::LiveLinks;
use crate::topology::expand::{GroupKind, Groups};

/// Who is who in a run.
#[derive(Clone, Copy, Debug)]
pub struct Directory<'a> {
    /// The links.
    pub links: &'a LiveLinks,
    /// The network inside.
    pub plan: &'a Plan,
    /// The hosts.
    pub network: &'a NetworkPlan,
    /// Which port of the plan is which interface of a host.
    pub ports: &'a [PortPlan],
    /// Names that stand for several.
    pub groups: &'a Groups,
}

/// What goes down and comes up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// Links: one, or those of a group.
    Links(Vec<LinkId>),
    /// Nodes of the plan: one, the ports of a host, the regions of a cloud, or those of a group.
    Nodes(Vec<NodeId>),
}

/// What is wrong with a name, and what to write instead.
pub(super) type Wrong = (String, String);

impl<'a> Directory<'a> {
    /// That of a scenario, whose links stand as `links` has them.
    pub fn new(resolved: &'a Resolved, links: &'a LiveLinks) -> Directory<'a> {
        let Resolved { plan, network, ports, scenario, .. } = resolved;
        Directory { links, plan, network, ports, groups: &scenario.groups }
    }

    /// What goes down by this name.
    pub(super) fn target(&self, name: &str) -> Result<Target, Wrong> {
        if let Some(links) = self.links.links_of(name) {
            return Ok(Target::Links(links));
        }
        let nodes = match self.groups.members(GroupKind::Nodes, name) {
            Some(members) => members.iter().flat_map(|member| self.nodes(member)).collect(),
            None => self.nodes(name),
        };
        if nodes.is_empty() {
            let known: BTreeSet<&str> = self.links.known().chain(self.node_names()).collect();
            return Err((format!("unknown link or node `{name}`"), suggestion(name, known)));
        }
        Ok(Target::Nodes(nodes))
    }

    /// The nodes of the plan that a node of the file is.
    fn nodes(&self, name: &str) -> Vec<NodeId> {
        if let Some(host) = self.network.hosts.iter().position(|host| host.name == name) {
            return self.ports_of(host, None);
        }
        let is_it = |node: &str| node == name || node.split_once('.').is_some_and(|(cloud, _)| cloud == name);
        let inside = self.plan.nodes.iter().enumerate().filter(|(_, node)| node.kind != NodeKind::Port);
        inside.filter(|(_, node)| is_it(&node.name)).map(|(at, _)| NodeId(at as u32)).collect()
    }

    fn node_names(&self) -> impl Iterator<Item = &'a str> {
        let inside = self.plan.nodes.iter().filter(|node| node.kind != NodeKind::Port).map(|node| node.name.as_str());
        self.network.hosts.iter().map(|host| host.name.as_str()).chain(inside)
    }

    fn ports_of(&self, host: usize, interface: Option<usize>) -> Vec<NodeId> {
        let is_it = |port: &&PortPlan| port.host == host && interface.is_none_or(|at| at == port.interface);
        self.ports.iter().filter(is_it).map(|port| NodeId(port.node as u32)).collect()
    }

    /// The ports of `HOST`, of `HOST.INTERFACE`, or of the hosts of a group.
    pub(super) fn host_ports(&self, text: &str) -> Result<Vec<NodeId>, Wrong> {
        if let Some(members) = self.groups.members(GroupKind::Nodes, text) {
            let ports: Result<Vec<_>, Wrong> = members.iter().map(|member| self.host_ports(member)).collect();
            return ports.map(|ports| ports.concat());
        }
        let (name, interface) = text.split_once('.').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let Some(host) = self.network.hosts.iter().position(|host| host.name == name) else {
            let hosts: Vec<&str> = self.network.hosts.iter().map(|host| host.name.as_str()).collect();
            if !self.nodes(name).is_empty() {
                let message = format!("`{name}` is no host: only hosts send and receive");
                return Err((message, suggestion(name, hosts)));
            }
            return Err((format!("unknown host `{name}`"), suggestion(name, hosts)));
        };
        let interfaces = &self.network.hosts[host].interfaces;
        let interface = match interface {
            None => None,
            Some(wanted) => match interfaces.iter().position(|interface| interface.name == wanted) {
                Some(at) => Some(at),
                None => {
                    let known: Vec<&str> = interfaces.iter().map(|interface| interface.name.as_str()).collect();
                    return Err((format!("`{name}` has no interface `{wanted}`"), suggestion(wanted, known)));
                }
            },
        };
        let ports = self.ports_of(host, interface);
        if ports.is_empty() {
            return Err((
                format!("`{name}` has no link: nothing reaches it anyway"),
                "join it, or leave it out".into(),
            ));
        }
        Ok(ports)
    }

    /// The hosts' ports at links, or at the links of nodes.
    pub(super) fn ports_at(&self, target: &Target) -> Vec<NodeId> {
        let touches = |at: usize, ends: &[usize; 2]| match target {
            Target::Links(links) => links.contains(&LinkId(at as u32)),
            Target::Nodes(nodes) => ends.iter().any(|end| nodes.contains(&NodeId(*end as u32))),
        };
        let links = self.plan.links.iter().enumerate().filter(|(at, link)| touches(*at, &link.ends));
        let ends = links.flat_map(|(_, link)| link.ends).filter(|end| self.plan.nodes[*end].kind == NodeKind::Port);
        let ends: BTreeSet<NodeId> = ends.map(|end| NodeId(end as u32)).collect();
        ends.into_iter().collect()
    }
}

impl Target {
    /// Whether two name some of the same.
    pub(super) fn overlaps(&self, other: &Target) -> bool {
        match (self, other) {
            (Target::Links(a), Target::Links(b)) => a.iter().any(|link| b.contains(link)),
            (Target::Nodes(a), Target::Nodes(b)) => a.iter().any(|node| b.contains(node)),
            _ => false,
        }
    }
}

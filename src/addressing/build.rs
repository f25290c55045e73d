//! Checked nodes and links → the engine's plan, the hosts' side of it, and how the two belong together.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::address::AddressingSpec;
use super::firewall;
use super::hosts;
use super::mtus;
use super::network::{NetworkPlan, PortPlan};
use crate::diag::Diagnostics;
use crate::engine::{LinkPlan, NodeKind, NodePlan, Plan};
use crate::node::{EdgePlan, RouterPlan};
use crate::topology::ends::{End, NodeEntry};
use crate::topology::expand::Groups;
use crate::topology::link::Draft;
use crate::topology::link::lookup;
use crate::topology::members::{Attached, Attachment, Members};
use crate::topology::node::NodeSpec;
use crate::topology::segments::{Vlans, segments};
use crate::topology::switch::Port;
use crate::units::Duration;

/// Both plans.
pub(crate) struct Built {
    /// The engine's.
    pub(crate) plan: Plan,
    /// The engine's ports and the hosts' interfaces.
    pub(crate) ports: Vec<PortPlan>,
    /// The hosts'.
    pub(crate) network: NetworkPlan,
    /// The segment of each interface: `segments[host][interface]`.
    pub(crate) segments: Vec<Vec<usize>>,
    /// The segment of each interface of routers: `router_segments[router][interface]`.
    pub(crate) router_segments: Vec<Vec<usize>>,
}

/// Builds both plans of what could be read; links without ends, and nodes that could not be read, are left out.
#[expect(clippy::too_many_arguments, reason = "all that a plan is made of")]
pub(crate) fn build(
    seed: u64,
    coalesce: Duration,
    convergence: Duration,
    nodes: &IndexMap<String, NodeEntry>,
    groups: &Groups,
    links: &[Draft],
    pools: &AddressingSpec,
    told: &mut Diagnostics,
) -> Built {
    let drafts: Vec<(&Draft, &[End; 2])> =
        links.iter().filter_map(|link| link.ends.as_ref().map(|ends| (link, ends))).collect();
    let is_bridge = |node: usize| nodes[node].spec.as_ref().is_some_and(NodeSpec::is_bridge);

    // Nodes of the plan, in file order; where each (link, end) goes.
    let mut plan = Plan { seed, coalesce, convergence, nodes: Vec::new(), links: Vec::new() };
    let mut position: IndexMap<(usize, usize), usize> = IndexMap::new();
    let mut own_ports: Vec<(usize, usize)> = Vec::new();
    let mut hosts: Vec<(usize, Vec<(usize, usize)>)> = Vec::new();
    let mut attached_to: Vec<Vec<(usize, usize)>> = vec![Vec::new(); nodes.len()];
    for (link, (_, ends)) in drafts.iter().enumerate() {
        for (end, at) in ends.iter().enumerate() {
            attached_to[at.node].push((link, end));
        }
    }
    let mut routers: Vec<(usize, Vec<(usize, usize)>)> = Vec::new();
    let mut vlans = Vlans::new();
    for (at, (name, node)) in nodes.iter().enumerate() {
        let attached = std::mem::take(&mut attached_to[at]);
        match &node.spec {
            None => {}
            Some(NodeSpec::Switch(spec)) => {
                position.extend(attached.iter().map(|key| (*key, plan.nodes.len())));
                let port = |(link, end): &(usize, usize)| (drafts[*link].0.name.as_str(), &drafts[*link].1[1 - end]);
                let ports: Vec<Port<'_>> = attached.iter().map(port).map(|(link, far)| Port { link, far }).collect();
                let spec = spec.plan(name, &ports, drafts.len() < links.len(), told);
                vlans.extend(attached.iter().copied().zip(spec.vlans.iter().flatten().cloned()));
                plan.nodes.push(NodePlan { name: name.clone(), kind: NodeKind::Switch(spec) });
            }
            Some(NodeSpec::Hub(_)) => {
                position.extend(attached.iter().map(|key| (*key, plan.nodes.len())));
                plan.nodes.push(NodePlan { name: name.clone(), kind: NodeKind::Hub });
            }
            Some(NodeSpec::Cloud(cloud)) => {
                for region in cloud.regions() {
                    let here = attached.iter().filter(|(link, end)| drafts[*link].1[*end].region() == region);
                    let mesh = |(link, _): &&(usize, usize)| drafts[*link].1.iter().all(|end| end.node == at);
                    let attachments = here.clone().filter(|key| !mesh(key)).count() as u32;
                    position.extend(here.map(|key| (*key, plan.nodes.len())));
                    let name = format!("{name}.{region}");
                    plan.nodes
                        .push(NodePlan { name, kind: NodeKind::Edge(EdgePlan { attachments, cloud: at as u32 }) });
                }
            }
            Some(NodeSpec::Router(_)) => {
                position.extend(attached.iter().map(|key| (*key, plan.nodes.len())));
                // its plan follows when all of its segments are known
                plan.nodes.push(NodePlan { name: name.clone(), kind: NodeKind::Router(RouterPlan::default()) });
                own_ports.extend(&attached);
                routers.push((at, attached));
            }
            Some(NodeSpec::Host(_) | NodeSpec::External(_)) => {
                for key in &attached {
                    position.insert(*key, plan.nodes.len());
                    let name = drafts[key.0].1[key.1].to_string();
                    plan.nodes.push(NodePlan { name, kind: NodeKind::Port });
                }
                own_ports.extend(&attached);
                hosts.push((at, attached));
            }
        }
    }
    let mut planned: BTreeMap<usize, usize> = BTreeMap::new();
    for (link, (draft, _)) in drafts.iter().enumerate() {
        if let (Some(a), Some(b)) = (position.get(&(link, 0)), position.get(&(link, 1))) {
            let directions = [0, 1].map(|way| draft.directions[way].spec.clone());
            planned.insert(link, plan.links.len());
            plan.links.push(LinkPlan { name: draft.name.clone(), ends: [*a, *b], directions });
        }
    }

    let all_ends: Vec<&[End; 2]> = drafts.iter().map(|(_, ends)| *ends).collect();
    let segments = segments(&own_ports, &all_ends, is_bridge, &vlans);
    let segment_of: BTreeMap<(usize, usize), usize> =
        segments.iter().enumerate().flat_map(|(segment, ports)| ports.iter().map(move |key| (*key, segment))).collect();
    let attached = |(at, keys): &(usize, Vec<(usize, usize)>)| {
        let (name, node) = nodes.get_index(*at).expect("positions come from this map");
        let attachments = keys.iter().map(|key| {
            let (draft, ends) = &drafts[key.0];
            // from end 0 frames leave forward, from end 1 backward
            let direction = &draft.directions[key.1];
            let place = lookup(&direction.tree, &["mtu"]).map(|node| node.span);
            Attachment {
                interface: ends[key.1].interface.clone().unwrap_or_default(),
                link: &draft.name,
                mtu: direction.spec.mtu.map(|mtu| (mtu, place)),
                takes: draft.directions[1 - key.1].spec.mtu,
                segment: segment_of[key],
            }
        });
        Some(Attached { name, span: node.span, spec: node.spec.as_ref()?, attachments: attachments.collect() })
    };
    let members = Members {
        hosts: hosts.iter().filter_map(attached).collect(),
        routers: routers.iter().filter_map(attached).collect(),
        segments: segments.len(),
    };
    let mut ports = Vec::new();
    for (host, (_, attached)) in hosts.iter().enumerate() {
        ports.extend(attached.iter().enumerate().map(|(interface, key)| PortPlan {
            node: position[key],
            host,
            interface,
        }));
    }
    let (network, mut router_plans) = hosts::plan(seed, &members, pools, told);
    for (((_, keys), host), plan_of) in hosts.iter().zip(&members.hosts).zip(&network.hosts) {
        for ((key, attachment), interface) in keys.iter().zip(&host.attachments).zip(&plan_of.interfaces) {
            if let Some(link) = planned.get(&key.0) {
                // the direction toward the host begins at the other end
                plan.links[*link].directions[1 - key.1].port_mtu = mtus::of_port(host, attachment, interface.mtu);
            }
        }
    }
    mtus::warn(&members, &network.hosts, told);
    firewall::plan_all(nodes, groups, links, &members, &network.hosts, &mut router_plans, told);
    let mut router_plans = router_plans.into_iter();
    for node in &mut plan.nodes {
        if let NodeKind::Router(router) = &mut node.kind {
            *router = router_plans.next().expect("one for each router");
        }
    }
    forbid_small_mtus(&drafts, &network, &plan, told);
    let segments = members.hosts.iter().map(Attached::segments).collect();
    let router_segments = members.routers.iter().map(Attached::segments).collect();
    Built { plan, ports, network, segments, router_segments }
}

/// Also of links between switches, and of directions toward a host, which set no interface's MTU.
fn forbid_small_mtus(links: &[(&Draft, &[End; 2])], network: &NetworkPlan, plan: &Plan, told: &mut Diagnostics) {
    let of_hosts = network.hosts.iter().flat_map(|host| &host.interfaces).flat_map(|i| &i.addresses);
    let routers = plan.nodes.iter().filter_map(NodePlan::router);
    let of_routers = routers.flat_map(|router| &router.interfaces).flat_map(|i| &i.addresses);
    if !of_hosts.chain(of_routers).any(|net| net.addr().is_ipv6()) {
        return;
    }
    for direction in links.iter().flat_map(|(link, _)| &link.directions) {
        if let Some(mtu) = direction.spec.mtu.filter(|mtu| *mtu < hosts::IPV6_MTU) {
            let place = lookup(&direction.tree, &["mtu"]).map(|node| node.span);
            told.push(hosts::too_small_for_ipv6(mtu, place));
        }
    }
}

//! Checked nodes and links → the engine's plan, the hosts' side of it, and how the two belong together.

use std::collections::BTreeMap;
use std::path::Path;

use indexmap::IndexMap;

use super::address::AddressingSpec;
use super::firewall;
use super::hosts;
use super::mtus;
use super::network::{NetworkPlan, Place, PortPlan, machines_socket};
use crate::diag::Diagnostics;
use crate::engine::{LinkPlan, NodeKind, NodePlan, Plan};
use crate::node::{EdgePlan, RouterPlan};
use crate::topology::declared::Declared;
use crate::topology::ends::{End, NodeEntry};
use crate::topology::expand::Groups;
use crate::topology::link::Draft;
use crate::topology::link::lookup;
use crate::topology::members::{Attached, Attachment, Members};
use crate::topology::node::NodeSpec;
use crate::topology::segments::{Vlans, segments};
use crate::topology::switch::Port;
use crate::units::Duration;

/// The longest path of a Unix socket (unix(7), `sun_path` less its terminating zero).
const LONGEST_SOCKET_PATH: usize = 107;

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

/// What a plan needs beside nodes and links.
pub(crate) struct Settings<'a> {
    /// Every random draw belongs to it.
    pub(crate) seed: u64,
    /// What tells the MAC addresses here from those of a network that is joined to this one.
    pub(crate) site: Option<&'a str>,
    /// As [`Plan::coalesce`].
    pub(crate) coalesce: Duration,
    /// As [`Plan::convergence`].
    pub(crate) convergence: Duration,
    /// Pools that addresses are given out of.
    pub(crate) pools: &'a AddressingSpec,
    /// Names that stand for several nodes or links.
    pub(crate) groups: &'a Groups,
    /// The scenario's folder.
    pub(crate) folder: &'a Path,
}

/// One end of a link: the link's position among those that have ends, and which end.
type Key = (usize, usize);

/// Builds both plans of what could be read; links without ends, and nodes that could not be read, are left out.
pub(crate) fn build(settings: &Settings<'_>, declared: &Declared, diagnostics: &mut Diagnostics) -> Built {
    let Declared { nodes, links, .. } = declared;
    let links: Vec<(&Draft, &[End; 2])> =
        links.iter().filter_map(|link| link.ends.as_ref().map(|ends| (link, ends))).collect();
    let mut draft = Nodes::new(nodes, &links);
    draft.place(declared.links.len() > links.len(), diagnostics);
    let (plan_links, planned) = draft.plan_links();
    let members = draft.members();
    let (mut network, mut router_plans) =
        hosts::plan((settings.seed, settings.site), &members, settings.pools, diagnostics);
    mtus::warn(&members, &network.hosts, diagnostics);
    firewall::plan_all(
        nodes,
        settings.groups,
        &declared.links,
        &members,
        &network.hosts,
        &mut router_plans,
        diagnostics,
    );
    let mut plan = Plan {
        seed: settings.seed,
        coalesce: settings.coalesce,
        convergence: settings.convergence,
        nodes: std::mem::take(&mut draft.plans),
        links: plan_links,
    };
    draft.set_port_mtus(&members, &network, &planned, &mut plan);
    let mut router_plans = router_plans.into_iter();
    for node in &mut plan.nodes {
        if let NodeKind::Router(router) = &mut node.kind {
            *router = router_plans.next().expect("one for each router");
        }
    }
    forbid_small_mtus(&links, &network, &plan, diagnostics);
    place_sockets(&mut network, nodes, settings.folder, diagnostics);
    let ports = draft.ports();
    let segments = members.hosts.iter().map(Attached::segments).collect();
    let router_segments = members.routers.iter().map(Attached::segments).collect();
    Built { plan, ports, network, segments, router_segments }
}

/// The nodes of the plan, and which end of which link is at which.
struct Nodes<'a> {
    nodes: &'a IndexMap<String, NodeEntry>,
    links: &'a [(&'a Draft, &'a [End; 2])],
    /// In file order.
    plans: Vec<NodePlan>,
    /// Where each end of a link is in `plans`.
    position: IndexMap<Key, usize>,
    /// Hosts by their positions in the file, each with its ends of links.
    hosts: Vec<(usize, Vec<Key>)>,
    /// The same of routers.
    routers: Vec<(usize, Vec<Key>)>,
    vlans: Vlans,
}

impl<'a> Nodes<'a> {
    fn new(nodes: &'a IndexMap<String, NodeEntry>, links: &'a [(&'a Draft, &'a [End; 2])]) -> Nodes<'a> {
        let (plans, position, vlans) = (Vec::new(), IndexMap::new(), Vlans::new());
        Nodes { nodes, links, plans, position, hosts: Vec::new(), routers: Vec::new(), vlans }
    }

    /// Puts all nodes into the plan. `incomplete`: some links could not be read.
    fn place(&mut self, incomplete: bool, diagnostics: &mut Diagnostics) {
        let mut attached_to: Vec<Vec<Key>> = vec![Vec::new(); self.nodes.len()];
        for (link, (_, ends)) in self.links.iter().enumerate() {
            for (end, at) in ends.iter().enumerate() {
                attached_to[at.node].push((link, end));
            }
        }
        for ((at, (name, node)), attached) in self.nodes.iter().enumerate().zip(attached_to) {
            match &node.spec {
                // an uplink has been spelled out as a router, unless it could not be read
                None | Some(NodeSpec::Uplink(_)) => {}
                Some(NodeSpec::Switch(spec)) => {
                    let port = |(link, end): &Key| (self.links[*link].0.name.as_str(), &self.links[*link].1[1 - end]);
                    let ports: Vec<Port<'_>> =
                        attached.iter().map(port).map(|(link, far)| Port { link, far }).collect();
                    let spec = spec.plan(name, &ports, incomplete, diagnostics);
                    self.vlans.extend(attached.iter().copied().zip(spec.vlans.iter().flatten().cloned()));
                    self.push(name.clone(), NodeKind::Switch(spec), &attached);
                }
                Some(NodeSpec::Hub(_)) => self.push(name.clone(), NodeKind::Hub, &attached),
                Some(NodeSpec::Cloud(cloud)) => {
                    cloud.regions().for_each(|region| self.push_region(at, name, region, &attached));
                }
                Some(NodeSpec::Router(_)) => {
                    // its plan follows when all of its segments are known
                    self.push(name.clone(), NodeKind::Router(RouterPlan::default()), &attached);
                    self.routers.push((at, attached));
                }
                Some(NodeSpec::Host(_) | NodeSpec::External(_)) => {
                    for key in &attached {
                        self.push(self.links[key.0].1[key.1].to_string(), NodeKind::Port, &[*key]);
                    }
                    self.hosts.push((at, attached));
                }
            }
        }
    }

    fn push(&mut self, name: String, kind: NodeKind, attached: &[Key]) {
        self.position.extend(attached.iter().map(|key| (*key, self.plans.len())));
        self.plans.push(NodePlan { name, kind });
    }

    fn push_region(&mut self, cloud: usize, name: &str, region: &str, attached: &[Key]) {
        let is_here = |(link, end): &&Key| self.links[*link].1[*end].region() == region;
        let here: Vec<Key> = attached.iter().filter(is_here).copied().collect();
        let is_path = |(link, _): &&Key| self.links[*link].1.iter().all(|end| end.node == cloud);
        let attachments = here.iter().filter(|key| !is_path(key)).count() as u32;
        let kind = NodeKind::Edge(EdgePlan { attachments, cloud: cloud as u32 });
        self.push(format!("{name}.{region}"), kind, &here);
    }

    /// The links whose nodes could both be read, and where each is among them.
    fn plan_links(&self) -> (Vec<LinkPlan>, BTreeMap<usize, usize>) {
        let (mut plans, mut planned) = (Vec::new(), BTreeMap::new());
        for (link, (draft, _)) in self.links.iter().enumerate() {
            if let (Some(a), Some(b)) = (self.position.get(&(link, 0)), self.position.get(&(link, 1))) {
                planned.insert(link, plans.len());
                plans.push(LinkPlan { name: draft.name.clone(), ends: [*a, *b], directions: draft.specs() });
            }
        }
        (plans, planned)
    }

    /// Hosts and routers with their interfaces, each on its segment.
    fn members(&self) -> Members<'a> {
        // in the order of the file, which is that of segments
        let mut own: Vec<&(usize, Vec<Key>)> = self.hosts.iter().chain(&self.routers).collect();
        own.sort_by_key(|(node, _)| *node);
        let own: Vec<Key> = own.into_iter().flat_map(|(_, keys)| keys).copied().collect();
        let is_bridge = |node: usize| self.nodes[node].spec.as_ref().is_some_and(NodeSpec::is_bridge);
        let ends: Vec<&[End; 2]> = self.links.iter().map(|(_, ends)| *ends).collect();
        let segments = segments(&own, &ends, is_bridge, &self.vlans);
        let segment_of: BTreeMap<Key, usize> = segments
            .iter()
            .enumerate()
            .flat_map(|(segment, ports)| ports.iter().map(move |key| (*key, segment)))
            .collect();
        let attached = |(at, keys): &(usize, Vec<Key>)| {
            let (name, node) = self.nodes.get_index(*at).expect("positions come from this map");
            let attachments = keys.iter().map(|key| self.attachment(*key, segment_of[key])).collect();
            Some(Attached { name, span: node.span, spec: node.spec.as_ref()?, attachments })
        };
        Members {
            hosts: self.hosts.iter().filter_map(attached).collect(),
            routers: self.routers.iter().filter_map(attached).collect(),
            segments: segments.len(),
        }
    }

    fn attachment(&self, (link, end): Key, segment: usize) -> Attachment<'a> {
        let (draft, ends) = self.links[link];
        // from end 0 frames leave forward, from end 1 backward
        let direction = &draft.directions[end];
        let place = lookup(&direction.tree, &["mtu"]).map(|node| node.span);
        Attachment {
            interface: ends[end].interface.clone().unwrap_or_default(),
            link: &draft.name,
            mtu: direction.spec.mtu.map(|mtu| (mtu, place)),
            takes: draft.directions[1 - end].spec.mtu,
            segment,
        }
    }

    /// The interfaces that frames enter and leave the engine by.
    fn ports(&self) -> Vec<PortPlan> {
        let ports = |(host, (_, attached)): (usize, &(usize, Vec<Key>))| {
            let port = |(interface, key)| PortPlan { node: self.position[key], host, interface };
            attached.iter().enumerate().map(port).collect::<Vec<_>>()
        };
        self.hosts.iter().enumerate().flat_map(ports).collect()
    }

    /// Tells the directions toward hosts what these take in.
    fn set_port_mtus(
        &self,
        members: &Members<'_>,
        network: &NetworkPlan,
        planned: &BTreeMap<usize, usize>,
        plan: &mut Plan,
    ) {
        for (((_, keys), host), plan_of) in self.hosts.iter().zip(&members.hosts).zip(&network.hosts) {
            for (((link, end), attachment), interface) in keys.iter().zip(&host.attachments).zip(&plan_of.interfaces) {
                if let Some(link) = planned.get(link) {
                    // the direction toward the host begins at the other end
                    plan.links[*link].directions[1 - end].port_mtu = mtus::of_port(host, attachment, interface.mtu);
                }
            }
        }
    }
}

/// Sockets of virtual machines are named from the scenario's folder, as all files are.
fn place_sockets(
    network: &mut NetworkPlan,
    nodes: &IndexMap<String, NodeEntry>,
    folder: &Path,
    diagnostics: &mut Diagnostics,
) {
    for host in &mut network.hosts {
        let Place::ExternalQemu { path, dgram } = &mut host.place else { continue };
        *path = folder.join(&*path);
        let longest = if *dgram { machines_socket(path) } else { path.clone() };
        if longest.as_os_str().len() > LONGEST_SOCKET_PATH {
            let message =
                format!("{} is too long for a socket: at most {LONGEST_SOCKET_PATH} bytes", longest.display());
            let place = nodes.get(&host.name).map(|node| node.span);
            diagnostics.error(place, message).help("name a shorter path, as in `/tmp/vm.sock`");
        }
    }
}

/// Also of links between switches, and of directions toward a host, which set no interface's MTU.
fn forbid_small_mtus(links: &[(&Draft, &[End; 2])], network: &NetworkPlan, plan: &Plan, diagnostics: &mut Diagnostics) {
    let of_hosts = network.hosts.iter().flat_map(|host| &host.interfaces).flat_map(|i| &i.addresses);
    let routers = plan.nodes.iter().filter_map(NodePlan::router);
    let of_routers = routers.flat_map(|router| &router.interfaces).flat_map(|i| &i.addresses);
    if !of_hosts.chain(of_routers).any(|net| net.addr().is_ipv6()) {
        return;
    }
    for direction in links.iter().flat_map(|(link, _)| &link.directions) {
        if let Some(mtu) = direction.spec.mtu.filter(|mtu| *mtu < hosts::IPV6_MTU) {
            let place = lookup(&direction.tree, &["mtu"]).map(|node| node.span);
            diagnostics.push(hosts::too_small_for_ipv6(mtu, place));
        }
    }
}

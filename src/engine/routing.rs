//! A plan as routers see it: which of them are neighbours, by way of which links, and what those cost.

use std::collections::{BTreeMap, BTreeSet};

use super::{LinkPlan, NodeKind, Plan};
use crate::node::routing::network::{Site, Wire, cost};
use crate::node::routing::{Network, Routes};
use crate::node::{PortVlans, VlanId};

/// What frames without a tag have in place of a VLAN's number.
const UNTAGGED: u16 = 0;

/// The routes of a plan's routers while all links are up.
pub fn routes(plan: &Plan) -> Routes {
    if plan.nodes.iter().all(|node| node.router().is_none()) {
        return Routes::default();
    }
    let mut cells = Cells::new(plan);
    let mut wires = Vec::with_capacity(plan.links.len());
    let mut ports_of = vec![0u32; plan.nodes.len()];
    for (link, of_plan) in plan.links.iter().enumerate() {
        let ports = of_plan.ends.map(|node| {
            ports_of[node] += 1;
            ports_of[node] - 1
        });
        let costs = of_plan.directions.each_ref().map(|direction| cost(direction.delay.average()));
        for at in 0..cells.tags.len() {
            let tag = cells.tags[at];
            let ends = [0, 1].map(|end| Some((cells.site(of_plan, end, ports[end], tag)?, ports[end])));
            if let [Some(a), Some(b)] = ends {
                wires.push(Wire { link: link as u32, ends: [a, b], costs });
            }
        }
    }
    Routes::new(&Network { sites: cells.sites, wires, links: plan.links.len() })
}

/// The sites of a plan: its routers, and its switches, hubs and regions of clouds, each once for every VLAN or tag that passes it.
struct Cells<'a> {
    plan: &'a Plan,
    /// The tags that frames of routers can get on their way, and none.
    tags: Vec<u16>,
    sites: Vec<Site<'a>>,
    at: BTreeMap<(usize, u16), u32>,
}

impl<'a> Cells<'a> {
    fn new(plan: &'a Plan) -> Cells<'a> {
        let switches = plan.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Switch(spec) => spec.vlans.as_ref(),
            _ => None,
        });
        let own = switches.flatten().filter_map(PortVlans::own).map(VlanId::get);
        let tags: BTreeSet<u16> = own.chain([UNTAGGED]).collect();
        Cells { plan, tags: tags.into_iter().collect(), sites: Vec::new(), at: BTreeMap::new() }
    }

    /// The site that frames with this tag on a link are in at one of its ends; `None` if they go no further there.
    fn site(&mut self, link: &LinkPlan, end: usize, port: u32, tag: u16) -> Option<u32> {
        let node = link.ends[end];
        let (cell, site) = match &self.plan.nodes[node].kind {
            // no way leads through it, but the link to it is what the router there needs
            NodeKind::Port if tag == UNTAGGED => (UNTAGGED, Site::Host),
            NodeKind::Port => return None,
            NodeKind::Router(plan) if tag == UNTAGGED => (UNTAGGED, Site::Router { node: node as u32, plan }),
            NodeKind::Router(_) => return None,
            NodeKind::Hub => (tag, Site::Bridge),
            NodeKind::Edge(plan) => (tag, Site::Region { cloud: plan.cloud }),
            NodeKind::Switch(spec) => {
                let vlan = match spec.vlans.as_ref().and_then(|vlans| vlans.get(port as usize)) {
                    None => tag,
                    Some(vlans) if tag == UNTAGGED => vlans.own()?.get(),
                    Some(vlans) => VlanId::new(tag).filter(|vlan| vlans.tags(*vlan) == Some(true))?.get(),
                };
                (vlan, Site::Bridge)
            }
        };
        let next = self.sites.len() as u32;
        let at = *self.at.entry((node, cell)).or_insert(next);
        if at == next {
            self.sites.push(site);
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::*;
    use crate::engine::{DirectionSpec, NodePlan};
    use crate::node::{RouterInterface, RouterPlan, SwitchSpec, VlanSet};
    use crate::units::Duration;

    fn router(name: &str, addresses: &[&str]) -> NodePlan {
        let interfaces = addresses.iter().enumerate().map(|(port, address)| RouterInterface {
            name: format!("eth{port}"),
            mac: [2, 0, 0, 0, 0, port as u8].into(),
            addresses: vec![address.parse().unwrap()],
            neighbours: Vec::new(),
        });
        let plan = RouterPlan { interfaces: interfaces.collect(), ..RouterPlan::default() };
        NodePlan { name: name.into(), kind: NodeKind::Router(plan) }
    }

    fn switch(vlans: Option<Vec<PortVlans>>) -> NodePlan {
        NodePlan { name: "s".into(), kind: NodeKind::Switch(SwitchSpec { vlans, ..SwitchSpec::default() }) }
    }

    fn plan(nodes: Vec<NodePlan>, links: &[([usize; 2], u64)]) -> Plan {
        let links = links.iter().map(|(ends, ms)| {
            let mut direction = DirectionSpec::default();
            direction.delay.mean = Duration::from_millis(*ms);
            LinkPlan { name: "l".into(), ends: *ends, directions: [direction.clone(), direction] }
        });
        Plan { seed: 1, coalesce: Duration::ZERO, convergence: Duration::ZERO, links: links.collect(), nodes }
    }

    fn next(routes: &mut Routes, router: u32, to: &str) -> Option<IpAddr> {
        routes.lookup(router, to.parse().unwrap()).and_then(|(_, hop)| hop.via)
    }

    #[test]
    fn routers_in_different_vlans_of_a_switch_are_no_neighbours() {
        let vlan = |id| VlanId::new(id).unwrap();
        let access = |id| PortVlans::Access(vlan(id));
        let trunk = || PortVlans::Trunk { allowed: VlanSet::All, native: None };
        // 0 and 1 in VLAN 10, 2 in VLAN 20, each behind one of two switches that a trunk joins; 0 has a stub
        let nodes = vec![
            router("r0", &["10.0.0.1/24", "10.9.0.1/24"]),
            router("r1", &["10.0.0.2/24"]),
            router("r2", &["10.0.0.3/24"]),
            switch(Some(vec![access(10), trunk()])),
            switch(Some(vec![access(10), access(20), trunk()])),
            NodePlan { name: "h".into(), kind: NodeKind::Port },
        ];
        let links = [([0, 3], 1), ([3, 4], 1), ([1, 4], 1), ([2, 4], 1), ([0, 5], 1)];
        // the trunk is the second port of one switch and the third of the other, as the plan's links have it
        let order = [links[0], links[2], links[3], links[1], links[4]];
        let mut routes = routes(&plan(nodes, &order));
        assert_eq!(next(&mut routes, 1, "10.9.0.7"), Some("10.0.0.1".parse().unwrap()));
        assert_eq!(next(&mut routes, 2, "10.9.0.7"), None);
    }

    #[test]
    fn a_link_that_goes_down_takes_only_what_is_behind_it() {
        let nodes = vec![
            NodePlan { name: "a".into(), kind: NodeKind::Port },
            router("r0", &["10.1.0.1/24", "10.2.0.1/31"]),
            router("r1", &["10.2.0.0/31", "10.3.0.1/24"]),
            NodePlan { name: "b".into(), kind: NodeKind::Port },
        ];
        let mut routes = routes(&plan(nodes, &[([0, 1], 1), ([1, 2], 1), ([2, 3], 1)]));
        assert_eq!(next(&mut routes, 1, "10.3.0.7"), Some("10.2.0.0".parse().unwrap()));
        routes.converge([(0, false)]);
        assert_eq!(next(&mut routes, 1, "10.3.0.7"), Some("10.2.0.0".parse().unwrap()));
        assert_eq!(next(&mut routes, 2, "10.1.0.7"), None);
        routes.converge([(0, true), (2, false)]);
        assert_eq!(next(&mut routes, 1, "10.3.0.7"), None);
        assert_eq!(next(&mut routes, 2, "10.1.0.7"), Some("10.2.0.1".parse().unwrap()));
    }

    #[test]
    fn the_shortest_way_is_that_of_the_least_delay() {
        let nodes = vec![
            router("r0", &["10.1.0.0/31", "10.1.1.0/31"]),
            router("r1", &["10.1.0.1/31", "10.1.2.0/31"]),
            router("r2", &["10.1.1.1/31", "10.1.2.1/31", "10.9.2.1/24"]),
            NodePlan { name: "h".into(), kind: NodeKind::Port },
        ];
        let links = |direct| [([0, 1], 2), ([0, 2], direct), ([1, 2], 2), ([2, 3], 1)];
        let mut far = routes(&plan(nodes.clone(), &links(5)));
        assert_eq!(next(&mut far, 0, "10.9.2.7"), Some("10.1.0.1".parse().unwrap()));
        // of equal delays fewer links
        let mut near = routes(&plan(nodes, &links(4)));
        assert_eq!(next(&mut near, 0, "10.9.2.7"), Some("10.1.1.1".parse().unwrap()));
    }
}

//! Firewalls of routers: from rules with names to the node's plan, once addresses are known.

mod directory;
mod plan;
#[cfg(test)]
mod tests;

use indexmap::IndexMap;

use directory::Directory;
use plan::{Wall, plan};

use super::network::HostPlan;
use crate::diag::Diagnostics;
use crate::node::RouterPlan;
use crate::node::router::firewall::RulePlan;
use crate::node::router::nat::Ipv6;
use crate::topology::ends::NodeEntry;
use crate::topology::expand::Groups;
use crate::topology::link::Draft;
use crate::topology::members::Members;
use crate::topology::node::NodeSpec;
use crate::topology::router::RouterSpec;

/// Plans the firewalls of all routers, whose addresses and whose neighbours' addresses are known by now.
pub(crate) fn plan_all(
    nodes: &IndexMap<String, NodeEntry>,
    groups: &Groups,
    links: &[Draft],
    members: &Members<'_>,
    hosts: &[HostPlan],
    routers: &mut [RouterPlan],
    diagnostics: &mut Diagnostics,
) {
    let specs = members.routers.iter().enumerate().filter_map(|(at, router)| match router.spec {
        NodeSpec::Router(RouterSpec { firewall: Some(spec), .. }) => Some((at, router, spec)),
        _ => None,
    });
    let specs: Vec<_> = specs.collect();
    if specs.is_empty() {
        return;
    }
    let directory = Directory::new(nodes, groups, links, members, hosts, routers);
    let plans = specs.into_iter().map(|(at, router, spec)| {
        let interfaces = router.attachments.iter().map(|a| (a.interface.as_str(), a.link)).collect();
        (at, plan(spec, &Wall { router: router.name, interfaces, directory: &directory }, diagnostics))
    });
    let plans: Vec<_> = plans.collect();
    for (at, mut plan) in plans {
        // behind its own rules: what they let in comes in
        if let Some(nat) = routers[at].nat.as_ref().filter(|nat| nat.spec.ipv6 == Ipv6::Filtered) {
            plan.rules.push(RulePlan::unsolicited_ipv6(nat.port, routers[at].interfaces.len() as u32));
        }
        routers[at].firewall = Some(plan);
    }
}

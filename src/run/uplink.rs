//! What of an uplink's firewall is known only when a run begins: which addresses are the machine's own.

use std::borrow::Cow;
use std::io;

use ipnet::IpNet;

use crate::addressing::network::{NetworkPlan, Place};
use crate::engine::{NodeKind, Plan};
use crate::host;
use crate::node::router::firewall::RulePlan;
use crate::node::router::firewall::matching::Destination;
use crate::topology::uplink::{MACHINE, RULE, by_nat64};

/// The plan with the machine's own addresses among what an uplink's firewall denies, where there is one.
///
/// # Errors
/// They cannot be read.
pub(super) fn deny_machine<'a>(plan: &'a Plan, network: &NetworkPlan) -> io::Result<Cow<'a, Plan>> {
    if network.hosts.iter().all(|host| host.place != Place::Uplink) {
        return Ok(Cow::Borrowed(plan));
    }
    let own = host::own_networks()?;
    let nat64 = own.iter().filter_map(|net| by_nat64(*net));
    let own: Vec<IpNet> = own.iter().copied().chain(nat64).collect();
    let is_machine = |rule: &&mut RulePlan| rule.name.strip_prefix(RULE) == Some(MACHINE);
    let mut plan = plan.clone();
    let routers = plan.nodes.iter_mut().filter_map(|node| match &mut node.kind {
        NodeKind::Router(router) => router.firewall.as_mut(),
        _ => None,
    });
    for rule in routers.flat_map(|firewall| &mut firewall.rules).filter(is_machine) {
        let networks = rule.matches.to.take().map(|to| to.networks).unwrap_or_default().with(own.iter().copied());
        rule.matches.to = Some(Destination { router: false, networks });
    }
    Ok(Cow::Owned(plan))
}

//! `firewall:` of a router as it stands in a file.

mod directory;
mod plan;
mod rule;

use schemars::JsonSchema;
use serde::Deserialize;

use indexmap::IndexMap;

use directory::Directory;
use plan::{Wall, plan};
use rule::RuleSpec;

use super::build::Draft;
use super::expand::Groups;
use super::hosts::Members;
use super::network::HostPlan;
use super::node::NodeSpec;
use super::router::RouterSpec;
use super::spanned::Spanned;
use super::topology::NodeEntry;
use crate::diag::Diagnostics;
use crate::node::RouterPlan;
use crate::node::router::firewall::{Policy, RulePlan, Timeouts};
use crate::node::router::nat::Ipv6;

/// Connections that a firewall remembers at once, unless the scenario says: nf_conntrack's maximum on a machine of 2 GiB.
const CONNECTIONS: u32 = 65_536;
/// The most that it may be told to: nothing that frames claim may take more memory than a machine has.
const MOST_CONNECTIONS: u32 = 1 << 20;

/// A firewall: ordered rules, of which the first that matches decides. Replies to what was let through pass unless a rule
/// matches them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FirewallSpec {
    /// What becomes of packets that no rule matches.
    default: Policy,
    /// Rules in their order.
    #[serde(default)]
    rules: Vec<Spanned<RuleSpec>>,
    /// After how much silence a connection is forgotten.
    #[serde(default)]
    timeouts: Timeouts,
    /// How many connections are remembered at once, from 1 to 1,048,576: 65,536 unless said otherwise. Of a full table those
    /// give way that were not answered yet; if there are none, what would be `new` is `invalid`.
    #[serde(default = "connections", deserialize_with = "limit")]
    #[schemars(range(min = 1, max = 1_048_576))]
    limit: u32,
}

/// Plans the firewalls of all routers, whose addresses and whose neighbours' addresses are known by now.
pub(super) fn plan_all(
    nodes: &IndexMap<String, NodeEntry>,
    groups: &Groups,
    links: &[Draft],
    members: &Members<'_>,
    hosts: &[HostPlan],
    routers: &mut [RouterPlan],
    told: &mut Diagnostics,
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
        (at, plan(spec, &Wall { router: router.name, interfaces, directory: &directory }, told))
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

fn connections() -> u32 {
    CONNECTIONS
}

fn limit<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    match u32::deserialize(deserializer)? {
        limit @ 1..=MOST_CONNECTIONS => Ok(limit),
        limit => Err(serde::de::Error::custom(format!("`limit` is {limit}, and goes from 1 to 1,048,576 connections"))),
    }
}

#[cfg(test)]
mod tests;

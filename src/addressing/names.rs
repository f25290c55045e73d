//! Names of the machines behind an external one, `names`: they stand in the hosts' /etc/hosts, and can be pinged.

use std::collections::BTreeMap;

use super::network::HostPlan;
use crate::diag::{Diagnostics, Span};
use crate::language::names::check_one;
use crate::topology::members::Members;
use crate::topology::node::NodeSpec;

/// Gives each external machine's plan the names that the file has for it, if nobody else has them.
pub(crate) fn give(members: &Members<'_>, plans: &mut [HostPlan], diagnostics: &mut Diagnostics) {
    let nodes = members.hosts.iter().chain(&members.routers);
    let mut taken: BTreeMap<&str, Span> = nodes.map(|node| (node.name, node.span)).collect();
    for (host, plan) in members.hosts.iter().zip(plans) {
        let NodeSpec::External(external) = host.spec else { continue };
        for (name, addresses) in &external.names {
            if let Err(reason) = check_one(name) {
                let message = format!("`{}` cannot be a name: {reason}", name.value);
                diagnostics.error(name.span, message).help("letters, digits, `-` and `_`, at most 63 bytes");
            }
            if let Some(first) = taken.insert(name, name.span) {
                diagnostics
                    .error(name.span, format!("`{}` is already the name of another machine", name.value))
                    .related(first, "the first")
                    .help("choose another name");
            }
            plan.names.push((name.value.clone(), addresses.iter().map(|address| address.0.addr()).collect()));
        }
    }
}

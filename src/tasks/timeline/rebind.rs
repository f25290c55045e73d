//! Routers whose address translation forgets its mappings: `rebind: [home]`, `home.nat=rebind`.

use crate::diag::suggestion;
use crate::engine::{NodeId, NodePlan, Plan};

/// The router of a name, if it translates addresses.
///
/// # Errors
/// What is wrong with the name, and what helps.
pub fn find(plan: &Plan, name: &str) -> Result<NodeId, (String, String)> {
    let translates = |node: &NodePlan| node.router().is_some_and(|router| router.nat.is_some());
    let names: Vec<&str> = plan.nodes.iter().filter(|node| translates(node)).map(|node| &*node.name).collect();
    let help = || match names[..] {
        [] => "there is no router with `nat`".to_owned(),
        _ => suggestion(name, names.iter().copied()),
    };
    match plan.nodes.iter().position(|node| node.name == name) {
        Some(at) if translates(&plan.nodes[at]) => Ok(NodeId(at as u32)),
        Some(_) => Err((format!("`{name}` translates no addresses: it has no `nat`"), help())),
        None => Err((format!("unknown router `{name}`"), help())),
    }
}

//! Live changes of nodes as people write them: `home=rebind`, or `home.nat=rebind`.

use crate::diag::suggestion;
use crate::engine::{Command, NodeId, NodePlan, Plan};
use crate::node::NodeCommand;

/// Reads a change of a node; `None` if it is not one.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(plan: &Plan, text: &str) -> Result<Option<Command>, String> {
    let Some((name, "rebind")) = text.split_once('=').map(|(name, what)| (name.trim(), what.trim())) else {
        return Ok(None);
    };
    let name = name.strip_suffix(".nat").unwrap_or(name);
    let translates = |node: &NodePlan| node.router().is_some_and(|router| router.nat.is_some());
    match plan.nodes.iter().position(|node| node.name == name) {
        Some(at) if translates(&plan.nodes[at]) => Ok(Some(Command::Node(NodeId(at as u32), NodeCommand::Rebind))),
        Some(_) => Err(format!("`{text}`: `{name}` translates no addresses: it has no `nat`")),
        None => {
            let known: Vec<_> = plan.nodes.iter().filter(|node| translates(node)).map(|node| &*node.name).collect();
            Err(format!("`{text}`: no router `{name}` with `nat`: {}", suggestion(name, known.iter().copied())))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::{MemoryFiles, Overrides, load};

    #[test]
    fn a_router_with_nat_is_rebound_and_nothing_else() {
        let text = "longwire: 1\nnodes: { a: host, home: { router: { nat: wan } }, r: router, b: host }\nlinks:\n  \
                    l: { ends: [a, home.lan] }\n  m: { ends: [home.wan, r] }\n  n: { ends: [r, b] }\n";
        let resolved = load(Path::new("t"), &MemoryFiles::one("t", text), &Overrides::default()).unwrap();
        let read = |text: &str| read(&resolved.plan, text);
        let home = resolved.plan.nodes.iter().position(|node| node.name == "home").unwrap();
        let rebind = Command::Node(NodeId(home as u32), NodeCommand::Rebind);
        assert_eq!(read("home.nat=rebind"), Ok(Some(rebind.clone())));
        assert_eq!(read("home = rebind"), Ok(Some(rebind)));
        assert_eq!(read("l.loss=1%"), Ok(None));
        assert_eq!(read("r=rebind").unwrap_err(), "`r=rebind`: `r` translates no addresses: it has no `nat`");
        let error = read("hom.nat=rebind").unwrap_err();
        assert_eq!(error, "`hom.nat=rebind`: no router `hom` with `nat`: did you mean `home`?");
    }
}

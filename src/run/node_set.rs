//! Live changes of nodes as people write them: `home.nat=rebind`, or `home=rebind`.

use crate::engine::{Command, Plan};
use crate::node::NodeCommand;
use crate::tasks::timeline::find_translator;

/// Reads a change of a node; `None` if it is not one.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(plan: &Plan, text: &str) -> Result<Option<Command>, String> {
    let Some((name, "rebind")) = text.split_once('=').map(|(name, what)| (name.trim(), what.trim())) else {
        return Ok(None);
    };
    let name = name.strip_suffix(".nat").unwrap_or(name);
    match find_translator(plan, name) {
        Ok(node) => Ok(Some(Command::Node(node, NodeCommand::Rebind))),
        Err((message, help)) => Err(format!("`{text}`: {message} ({help})")),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::engine::NodeId;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};

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
        assert!(read("r=rebind").unwrap_err().starts_with("`r=rebind`: `r` translates no addresses"));
        let error = read("hom.nat=rebind").unwrap_err();
        assert_eq!(error, "`hom.nat=rebind`: unknown router `hom` (did you mean `home`?)");
    }
}

//! Hosts that are kept apart: `partition: [[a, b], [c]]`, `block: [db1 -> db2]`.

use super::directory::{Directory, Wrong};
use crate::engine::NodeId;

/// The ports of each side, and all of it in words; or what is wrong, by its side and place there.
type Sides = Result<(Vec<Vec<NodeId>>, String), (Option<(usize, usize)>, Wrong)>;

/// Reads sides, each a list of hosts, groups of hosts, or single interfaces. The sides' ports, and all of it in words.
///
/// # Errors
/// What is wrong, by its side and place there; no place where it is the sides as a whole.
pub(super) fn sides(directory: &Directory<'_>, sides: &[Vec<&str>]) -> Sides {
    if sides.len() < 2 {
        let message = format!("a partition has two sides or more, not {}", sides.len());
        return Err((None, (message, "as in `partition: [[a, b], [c]]`".into())));
    }
    let mut ports: Vec<Vec<NodeId>> = Vec::new();
    for (at, side) in sides.iter().enumerate() {
        if side.is_empty() {
            return Err((None, ("a side of the partition is empty".into(), "name a host, or take it away".into())));
        }
        let mut here: Vec<NodeId> = Vec::new();
        for (place, name) in side.iter().enumerate() {
            let found = directory.host_ports(name).map_err(|wrong| (Some((at, place)), wrong))?;
            if found.iter().any(|port| ports.iter().flatten().chain(&here).any(|other| other == port)) {
                let wrong = (format!("`{name}` is on a side already"), "name each host once".to_owned());
                return Err((Some((at, place)), wrong));
            }
            here.extend(found);
        }
        ports.push(here);
    }
    let words: Vec<String> = sides.iter().map(|side| side.join(",")).collect();
    Ok((ports, format!("partition={}", words.join("|"))))
}

/// Reads `db1 -> db2`: pairs of ports, and it in words.
///
/// # Errors
/// What is wrong, and what to write instead.
pub(super) fn arrow(directory: &Directory<'_>, text: &str) -> Result<(Vec<(NodeId, NodeId)>, String), Wrong> {
    let Some((from, to)) = text.split_once("->").map(|(from, to)| (from.trim(), to.trim())) else {
        let message = format!("`{text}` does not say from which host to which");
        return Err((message, "as in `db1 -> db2`: db2 then hears nothing from db1".into()));
    };
    let (sources, targets) = (directory.host_ports(from)?, directory.host_ports(to)?);
    if let Some(both) = sources.iter().find(|port| targets.contains(port)) {
        let name = directory.plan.nodes.get(both.0 as usize).map_or("", |node| node.name.as_str());
        return Err((format!("`{name}` is on both ends of `{from} -> {to}`"), "name two different hosts".into()));
    }
    let pairs = sources.iter().flat_map(|from| targets.iter().map(|to| (*from, *to))).collect();
    Ok((pairs, format!("{from}->{to}")))
}

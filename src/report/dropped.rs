//! What nodes inside the network dropped, on a terminal.

use super::json::Node;
use super::terminal::grouped;
use crate::diag::printable::{Page, TITLE, putln};

/// A line for each node that dropped frames; nothing where none did.
pub(crate) fn write(out: &mut Page, nodes: &[Node]) -> std::fmt::Result {
    let dropping: Vec<_> = nodes.iter().filter(|node| node.dropped.values().any(|frames| *frames > 0)).collect();
    if dropping.is_empty() {
        return Ok(());
    }
    out.blank();
    putln!(out, "{TITLE}dropped by nodes{TITLE:#}")?;
    let width = dropping.iter().map(|node| node.name.chars().count()).max().unwrap_or(0);
    for Node { name, received, dropped, .. } in dropping {
        let causes: Vec<String> = dropped.iter().map(|(cause, n)| format!("{cause} {}", grouped(*n))).collect();
        putln!(out, "{name:width$}  {} of {} frames received", causes.join(", "), grouped(*received))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::NodeCounters;
    use crate::frame::DropCause;

    fn node(name: &str, dropped: &[(DropCause, u64)]) -> Node {
        let mut counters = NodeCounters { received: 12_345, ..NodeCounters::default() };
        dropped.iter().for_each(|(cause, frames)| counters.dropped.add(*cause, *frames, 60 * frames));
        Node::new(name.into(), &counters, 0)
    }

    #[test]
    fn each_node_that_dropped_frames_has_a_line_with_its_causes() {
        let nodes = [
            node("r1", &[]),
            node("r2", &[(DropCause::NoRoute, 301)]),
            node("core", &[(DropCause::TtlExceeded, 2), (DropCause::NoRoute, 4_000)]),
        ];
        let mut out = Page::new();
        write(&mut out, &nodes).unwrap();
        insta::assert_snapshot!(out.finish().plain().trim_start(), @r"
        dropped by nodes
        r2    no_route 301 of 12,345 frames received
        core  ttl_exceeded 2, no_route 4,000 of 12,345 frames received
        ");
    }

    #[test]
    fn without_drops_there_is_nothing_to_say() {
        let mut out = Page::new();
        write(&mut out, &[node("r1", &[])]).unwrap();
        assert!(out.is_empty());
    }
}

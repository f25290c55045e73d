//! What routers' address translations did, on a terminal.

use super::json::Node;
use crate::diag::printable::{Page, TITLE, put, putln};

/// A line for each router with NAT; nothing where there is none.
pub(crate) fn write(out: &mut Page, nodes: &[Node]) -> std::fmt::Result {
    let all: Vec<_> = nodes.iter().filter_map(|node| Some((&node.name, node.nat?))).collect();
    if all.is_empty() {
        return Ok(());
    }
    out.blank();
    putln!(out, "{TITLE}nat{TITLE:#}")?;
    let width = all.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, nat) in all {
        put!(out, "{name:width$}  {} mappings made, {} live, at most {}", nat.made, nat.live, nat.peak)?;
        if nat.expired > 0 {
            put!(out, ", {} expired", nat.expired)?;
        }
        match nat.rebinds {
            0 => {}
            1 => put!(out, ", rebound once")?,
            times => put!(out, ", rebound {times} times")?,
        }
        out.blank();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::NodeCounters;
    use crate::node::NatCounters;

    #[test]
    fn routers_with_nat_have_a_line_each() {
        let mut nodes = ["home", "carrier", "switch"].map(|name| Node::new(name.into(), &NodeCounters::default(), 0));
        let mut out = Page::new();
        write(&mut out, &nodes).unwrap();
        assert!(out.is_empty());
        nodes[0].nat = Some(NatCounters { made: 3, live: 2, peak: 3, ..NatCounters::default() });
        nodes[1].nat = Some(NatCounters { made: 9, live: 0, peak: 5, expired: 4, rebinds: 1, translated: 7, ipv6: 0 });
        write(&mut out, &nodes).unwrap();
        let out = out.finish().plain();
        let lines: Vec<_> = out.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "home     3 mappings made, 2 live, at most 3",
                "carrier  9 mappings made, 0 live, at most 5, 4 expired, rebound once"
            ]
        );
    }
}

//! What routers' address translations did, on a terminal.

use std::fmt::Write;

use super::report::Node;
use super::terminal::TITLE;

/// A line for each router with NAT; nothing where there is none.
pub(super) fn write(out: &mut String, nodes: &[Node]) -> std::fmt::Result {
    let all: Vec<_> = nodes.iter().filter_map(|node| Some((&node.name, node.nat?))).collect();
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{TITLE}nat{TITLE:#}")?;
    let width = all.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, nat) in all {
        write!(out, "{name:width$}  {} mappings made, {} live, at most {}", nat.made, nat.live, nat.peak)?;
        if nat.expired > 0 {
            write!(out, ", {} expired", nat.expired)?;
        }
        match nat.rebinds {
            0 => {}
            1 => write!(out, ", rebound once")?,
            times => write!(out, ", rebound {times} times")?,
        }
        writeln!(out)?;
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
        let mut out = String::new();
        write(&mut out, &nodes).unwrap();
        assert_eq!(out, "");
        nodes[0].nat = Some(NatCounters { made: 3, live: 2, peak: 3, ..NatCounters::default() });
        nodes[1].nat = Some(NatCounters { made: 9, live: 0, peak: 5, expired: 4, rebinds: 1, translated: 7, ipv6: 0 });
        write(&mut out, &nodes).unwrap();
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

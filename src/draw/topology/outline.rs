//! A network of any size as lines of text: a tree where it is one, or nearly, else each node with its links.

use std::fmt::Write as _;

use super::{Edge, Graph};

/// A tree that is deeper stands too far to the right.
const DEEPEST: usize = 12;

/// The network as text. Each link stands in it once.
pub(super) fn outline(graph: &Graph) -> String {
    let adjacency = graph.adjacency();
    let mut out = String::new();
    for part in graph.components() {
        let tree = Tree::new(graph, &adjacency, &part);
        if tree.deepest <= DEEPEST && tree.beside * 3 <= part.len() {
            tree.write(graph, &adjacency, part[0], &mut out);
        } else {
            list(graph, &adjacency, &part, &mut out);
        }
    }
    out
}

/// The links of each node to those that come later.
fn list(graph: &Graph, adjacency: &[Vec<usize>], part: &[usize], out: &mut String) {
    let mut told = vec![false; graph.edges.len()];
    for &node in part {
        let _ = writeln!(out, "{}  {}", graph.nodes[node].name, graph.nodes[node].what());
        let own: Vec<usize> =
            adjacency[node].iter().copied().filter(|e| !std::mem::replace(&mut told[*e], true)).collect();
        let far = |e: usize| graph.nodes[graph.edges[e].other(node)].name.as_str();
        let width = own.iter().map(|e| far(*e).chars().count()).max().unwrap_or(0);
        for e in own {
            let _ = writeln!(out, "  — {:width$}  {}", far(e), link(graph, &graph.edges[e], node));
        }
    }
}

/// A link from one of its ends: interfaces, its name, what it does.
fn link(graph: &Graph, edge: &Edge, from: usize) -> String {
    let [near, far] =
        if edge.ends[0].node == from { [0, 1] } else { [1, 0] }.map(|end| edge.ends[end].interface.as_deref());
    let interfaces = match (near, far) {
        (None, None) => String::new(),
        (near, far) => format!("  ({} – {})", near.unwrap_or("·"), far.unwrap_or("·")),
    };
    let ways = edge.ways(graph).join(", ");
    let ways = if ways.is_empty() { ways } else { format!("  {ways}") };
    format!("{}{ways}{interfaces}", edge.name)
}

/// The tree of a search in breadth.
struct Tree {
    /// The link that each node was found by.
    by: Vec<Option<usize>>,
    deepest: usize,
    /// Links that are not part of it.
    beside: usize,
}

impl Tree {
    fn new(graph: &Graph, adjacency: &[Vec<usize>], part: &[usize]) -> Tree {
        let mut depth = vec![usize::MAX; graph.nodes.len()];
        let mut by = vec![None; graph.nodes.len()];
        depth[part[0]] = 0;
        let mut ends = 0;
        for &node in part {
            ends += adjacency[node].len();
            for &e in &adjacency[node] {
                let other = graph.edges[e].other(node);
                if depth[other] == usize::MAX {
                    depth[other] = depth[node] + 1;
                    by[other] = Some(e);
                }
            }
        }
        let deepest = part.iter().map(|node| depth[*node]).max().unwrap_or(0);
        Tree { by, deepest, beside: ends / 2 - (part.len() - 1) }
    }

    fn write(&self, graph: &Graph, adjacency: &[Vec<usize>], root: usize, out: &mut String) {
        struct Line {
            node: usize,
            by: Option<usize>,
            /// What stands before it, and before what is below it.
            before: [String; 2],
            /// A link that is not part of the tree.
            beside: bool,
        }
        let mut told = vec![false; graph.edges.len()];
        let mut stack = vec![Line { node: root, by: None, before: [String::new(), String::new()], beside: false }];
        while let Some(Line { node, by, before: [own, below], beside }) = stack.pop() {
            let name = &graph.nodes[node].name;
            let what = if beside { "(see there)".into() } else { graph.nodes[node].what() };
            let link = by.map(|e| format!("  — {}", link(graph, &graph.edges[e], graph.edges[e].other(node))));
            let _ = writeln!(out, "{own}{name}  {what}{}", link.unwrap_or_default());
            if beside {
                continue;
            }
            let mut children: Vec<(usize, usize, bool)> = Vec::new();
            for &e in adjacency[node].iter() {
                let other = graph.edges[e].other(node);
                let child = self.by[other] == Some(e);
                if !std::mem::replace(&mut told[e], true) {
                    children.push((other, e, !child));
                }
            }
            let last = children.len();
            for (n, (other, e, beside)) in children.into_iter().enumerate().rev() {
                let (turn, line) = if n + 1 == last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
                let before = [format!("{below}{turn}"), format!("{below}{line}")];
                stack.push(Line { node: other, by: Some(e), before, beside });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{network, tangle};
    use super::*;

    #[test]
    fn a_network_that_is_nearly_a_tree_is_one() {
        let graph = network(
            &["a", "core:switch", "r1:router", "b", "c", "r2:router", "alone"],
            &["x a.eth0 core 5ms", "u r1 core 1ms|2ms", "y b.eth0 r1", "z r1 c.eth1", "v core r2", "w r1 r2 9ms"],
        );
        insta::assert_snapshot!(outline(&graph));
    }

    #[test]
    fn other_networks_are_lists() {
        let graph =
            network(&["a:router", "b:router", "c:router"], &["x a b 5ms", "y b c.eth0 1ms", "z c a |9ms", "w a b"]);
        insta::assert_snapshot!(outline(&graph));
        let chain: Vec<String> = (0..2000).map(|n| format!("s{n}:switch")).collect();
        let links: Vec<String> = (1..2000).map(|n| format!("l{n} s{} s{n}", n - 1)).collect();
        let [nodes, links] = [&chain, &links].map(|list| list.iter().map(String::as_str).collect::<Vec<_>>());
        let text = outline(&network(&nodes, &links));
        assert_eq!(text.lines().filter(|line| line.contains("  — ")).count(), 1999);
        assert!(text.lines().all(|line| line.chars().count() < 40));
    }

    #[test]
    fn each_link_stands_in_it_once() {
        for graph in [tangle(40, 44), tangle(40, 200)] {
            let text = outline(&graph);
            for e in 0..graph.edges.len() {
                assert_eq!(text.matches(&format!("l{e}  ")).count(), 1, "l{e} in\n{text}");
            }
        }
    }
}

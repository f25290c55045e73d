//! Many alike as one: leaves whose names are numbered, at the same node by links that do the same.

use indexmap::IndexMap;

use super::{Edge, Graph, Node};
use crate::report::alike::{FEWEST, numbered};

/// What leaves have in common that may be drawn as one: the node that they are at, what they are, the text before the
/// number, their interface, and what the link does toward them and back.
type Likeness<'a> = (usize, &'static str, &'a str, Option<&'a str>, [&'a str; 2]);

/// The network with rows of `clients-1`, `clients-2`, … drawn as one node each.
pub(super) fn folded(graph: &Graph) -> Graph {
    let adjacency = graph.adjacency();
    let mut rows: IndexMap<Likeness<'_>, Vec<(u64, usize)>> = IndexMap::new();
    for (n, node) in graph.nodes.iter().enumerate() {
        let ([e], Some((prefix, number))) = (&adjacency[n][..], numbered(&node.name)) else { continue };
        let edge = &graph.edges[*e];
        let own = usize::from(edge.ends[1].node == n);
        let [toward, from] = if own == 1 { [0, 1] } else { [1, 0] }.map(|way| edge.words[way].as_str());
        let interface = edge.ends[own].interface.as_deref();
        let like = (edge.other(n), node.kind, prefix, interface, [toward, from]);
        rows.entry(like).or_default().push((number, n));
    }
    let mut stands_for: Vec<Option<Vec<usize>>> = vec![None; graph.nodes.len()];
    let mut gone = vec![false; graph.nodes.len()];
    for mut row in rows.into_values() {
        row.sort_unstable();
        for run in row.chunk_by(|a, b| a.0 + 1 == b.0).filter(|run| run.len() >= FEWEST) {
            let members: Vec<usize> = run.iter().map(|(_, n)| *n).collect();
            let first = members[0];
            members[1..].iter().for_each(|n| gone[*n] = true);
            stands_for[first] = Some(members);
        }
    }
    rebuilt(graph, &adjacency, &stands_for, &gone)
}

fn rebuilt(graph: &Graph, adjacency: &[Vec<usize>], stands_for: &[Option<Vec<usize>>], gone: &[bool]) -> Graph {
    let mut place = vec![usize::MAX; graph.nodes.len()];
    let mut out = Graph { title: graph.title.clone(), ..Graph::default() };
    for (n, node) in graph.nodes.iter().enumerate().filter(|(n, _)| !gone[*n]) {
        place[n] = out.nodes.len();
        let members: Vec<String> =
            stands_for[n].iter().flatten().map(|member| graph.nodes[*member].name.clone()).collect();
        let name = from_to(&members).unwrap_or_else(|| node.name.clone());
        out.nodes.push(Node { name, members, ..node.clone() });
    }
    for edge in &graph.edges {
        let leaf = edge.ends.iter().map(|end| end.node).find(|n| gone[*n] || stands_for[*n].is_some());
        if leaf.is_some_and(|n| gone[n]) {
            continue;
        }
        let members: Vec<String> = leaf
            .and_then(|n| stands_for[n].as_ref())
            .map(|members| members.iter().map(|n| graph.edges[adjacency[*n][0]].name.clone()).collect())
            .unwrap_or_default();
        let name = from_to(&members).unwrap_or_else(|| edge.name.clone());
        let mut ends = edge.ends.clone();
        ends.iter_mut().for_each(|end| end.node = place[end.node]);
        out.edges.push(Edge { name, ends, words: edge.words.clone(), members });
    }
    out
}

fn from_to(members: &[String]) -> Option<String> {
    let (first, last) = (members.first()?, members.last()?);
    Some(format!("{first} … {last}"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::network;
    use super::*;

    #[test]
    fn rows_of_alike_leaves_become_one() {
        let graph = network(
            &["c-1", "c-2", "c-3", "c-5", "c-6", "sw:switch", "d1", "d2", "d3", "e-1", "e-2", "e-3"],
            &[
                "l1 c-1 sw 1ms|2ms",
                "l2 sw c-2 2ms|1ms",
                "l3 c-3 sw 1ms|2ms",
                "l5 c-5 sw 1ms|2ms",
                "l6 c-6 sw 1ms|2ms",
                "m1 d1 sw 1ms",
                "m2 d2 sw 1ms",
                "m3 d3 sw 9ms",
                "n1 e-1 sw",
                "n2 e-2 sw",
                "n3 e-3 sw",
            ],
        );
        let folded = folded(&graph);
        let names: Vec<&str> = folded.nodes.iter().map(|node| node.name.as_str()).collect();
        assert_eq!(names, ["c-1 … c-3", "c-5", "c-6", "sw", "d1", "d2", "d3", "e-1 … e-3"]);
        assert_eq!(folded.nodes[0].members, ["c-1", "c-2", "c-3"]);
        assert_eq!(folded.nodes[0].what(), "3 hosts");
        let links: Vec<&str> = folded.edges.iter().map(|edge| edge.name.as_str()).collect();
        assert_eq!(links, ["l1 … l3", "l5", "l6", "m1", "m2", "m3", "n1 … n3"]);
        assert!(folded.edges.iter().all(|edge| edge.ends.iter().any(|end| end.node == 3)));
        assert_eq!(folded.summary(), graph.summary());
    }

    #[test]
    fn what_is_between_others_stays() {
        let graph = network(&["r1:router", "r2:router", "r3:router"], &["a r1 r2", "b r2 r3", "c r3 r1"]);
        assert_eq!(folded(&graph), graph);
    }
}

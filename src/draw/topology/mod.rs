//! A scenario's network as a picture: nodes and links as plain values, and text, SVG and DOT made of them.
//!
//! `graph` reads a resolved scenario. Everything else takes a [`Graph`], whatever it came from: [`text`] for a terminal,
//! [`svg`] for a browser, [`dot`] for Graphviz, [`json()`] for programs.

mod branches;
mod channel;
pub mod dot;
mod fold;
mod graph;
mod layered;
mod outline;
pub mod svg;
pub mod text;

use serde_json::{Value, json};

pub use graph::graph;

/// A network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// The scenario's name.
    pub title: String,
    /// Nodes in file order.
    pub nodes: Vec<Node>,
    /// Links in file order.
    pub edges: Vec<Edge>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name; of several that are drawn as one, `first … last`.
    pub name: String,
    /// What it is, as the scenario writes it: `host`, `switch`.
    pub kind: &'static str,
    /// More about it, in lines: a host's addresses, with the interface where it has several; what a cloud does between
    /// its regions.
    pub about: Vec<String>,
    /// The names of several alike that are drawn as one; empty for one node.
    pub members: Vec<String>,
}

/// A link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// Its name; of several that are drawn as one, `first … last`.
    pub name: String,
    /// The ends in the order of the file.
    pub ends: [End; 2],
    /// What each direction does, in a few words: from the first end to the second, and back.
    pub words: [String; 2],
    /// The names of several alike that are drawn as one; empty for one link.
    pub members: Vec<String>,
}

/// One end of a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Position in [`Graph::nodes`].
    pub node: usize,
    /// The interface, where the node's ends have names.
    pub interface: Option<String>,
}

/// How a kind of node is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// A plain box.
    Box,
    /// A box with a heavy line.
    Heavy,
    /// A box with round sides.
    Round,
    /// A box with a dashed line: what longwire does not make.
    Dashed,
    /// Round and dashed: what stands for more than it shows.
    Cloud,
}

/// The shape of each kind that is not a plain box.
const SHAPES: [(&str, Shape); 5] = [
    ("switch", Shape::Heavy),
    ("hub", Shape::Heavy),
    ("router", Shape::Round),
    ("external", Shape::Dashed),
    ("cloud", Shape::Cloud),
];

impl Node {
    fn shape(&self) -> Shape {
        SHAPES.iter().find(|(kind, _)| *kind == self.kind).map_or(Shape::Box, |(_, shape)| *shape)
    }

    /// What it is and how many: `host`, `50 hosts`.
    fn what(&self) -> String {
        match self.members.len() {
            0 => self.kind.to_owned(),
            n => format!("{n} {}", plural(self.kind)),
        }
    }

    /// The lines in its box.
    fn lines(&self) -> [String; 2] {
        [self.name.clone(), self.what()]
    }
}

impl Edge {
    /// What it does, in one line or two: both ways where they differ, each named after the end that it goes toward.
    fn ways(&self, graph: &Graph) -> Vec<String> {
        let [there, back] = &self.words;
        if there == back {
            return [there].into_iter().filter(|words| !words.is_empty()).cloned().collect();
        }
        let toward = |end: usize, words: &str| {
            let words = if words.is_empty() { "nothing" } else { words };
            format!("→ {}: {words}", graph.nodes[self.ends[end].node].name)
        };
        vec![toward(1, there), toward(0, back)]
    }

    /// Its name, and what it does.
    fn lines(&self, graph: &Graph) -> Vec<String> {
        [vec![self.name.clone()], self.ways(graph)].concat()
    }

    /// Position of the other end's node.
    fn other(&self, node: usize) -> usize {
        if self.ends[0].node == node { self.ends[1].node } else { self.ends[0].node }
    }
}

impl Graph {
    /// The edges of each node, in file order.
    fn adjacency(&self) -> Vec<Vec<usize>> {
        let mut at = vec![Vec::new(); self.nodes.len()];
        for (e, edge) in self.edges.iter().enumerate() {
            at[edge.ends[0].node].push(e);
            if edge.ends[1].node != edge.ends[0].node {
                at[edge.ends[1].node].push(e);
            }
        }
        at
    }

    /// Its parts that hang together, each in the order of a search in breadth from its middle: the node with the most
    /// links that is no host, if there is one.
    fn components(&self) -> Vec<Vec<usize>> {
        let adjacency = self.adjacency();
        let search = |from: usize, seen: &mut Vec<bool>| {
            let mut order = vec![from];
            seen[from] = true;
            let mut next = 0;
            while let Some(&node) = order.get(next) {
                next += 1;
                for other in adjacency[node].iter().map(|e| self.edges[*e].other(node)) {
                    if !std::mem::replace(&mut seen[other], true) {
                        order.push(other);
                    }
                }
            }
            order
        };
        let [mut seen, mut again] = [(); 2].map(|()| vec![false; self.nodes.len()]);
        let mut found = Vec::new();
        for node in 0..self.nodes.len() {
            if seen[node] {
                continue;
            }
            let part = search(node, &mut seen);
            let weight = |node: &usize| {
                let between = !["host", "external"].contains(&self.nodes[*node].kind);
                (between, adjacency[*node].len(), usize::MAX - node)
            };
            let middle = part.iter().copied().max_by_key(weight).unwrap_or(node);
            found.push(search(middle, &mut again));
        }
        found
    }

    /// `3 hosts, 1 switch, 3 links`, members counted.
    fn summary(&self) -> String {
        let mut counts: Vec<(&str, usize)> = Vec::new();
        for node in &self.nodes {
            let more = node.members.len().max(1);
            match counts.iter_mut().find(|(kind, _)| *kind == node.kind) {
                Some((_, count)) => *count += more,
                None => counts.push((node.kind, more)),
            }
        }
        let links: usize = self.edges.iter().map(|edge| edge.members.len().max(1)).sum();
        counts.push(("link", links));
        let word = |(kind, count): &(&str, usize)| match count {
            1 => format!("1 {kind}"),
            n => format!("{n} {}", plural(kind)),
        };
        counts.iter().map(word).collect::<Vec<_>>().join(", ")
    }
}

fn plural(kind: &str) -> String {
    match kind {
        "switch" => "switches".into(),
        "external" => "external".into(),
        kind => format!("{kind}s"),
    }
}

/// The network for programs, version 1. `file` is the scenario's, as it was given.
pub fn json(graph: &Graph, file: &str) -> Value {
    let nodes: Vec<Value> =
        graph.nodes.iter().map(|node| json!({ "name": node.name, "kind": node.kind, "about": node.about })).collect();
    let links: Vec<Value> = graph
        .edges
        .iter()
        .map(|edge| {
            let end = |end: &End| json!({ "node": graph.nodes[end.node].name, "interface": end.interface });
            let [there, back] = &edge.words;
            json!({ "name": edge.name, "ends": edge.ends.each_ref().map(end), "forward": there, "backward": back })
        })
        .collect();
    json!({ "longwire": 1, "scenario": graph.title, "file": file, "nodes": nodes, "links": links })
}

/// Networks for the tests of what draws them.
#[cfg(test)]
mod testing {
    use super::*;

    /// Nodes as `NAME:KIND`, a host where no kind stands; links as `NAME A B WORDS` or `NAME A.if B.if WORDS|WORDS BACK`.
    pub(crate) fn network(nodes: &[&str], links: &[&str]) -> Graph {
        let mut graph = Graph { title: "Test".into(), ..Graph::default() };
        for node in nodes {
            let (name, kind) = node.split_once(':').unwrap_or((node, "host"));
            let kind = ["switch", "router", "external", "hub", "cloud"].into_iter().find(|k| *k == kind);
            let (kind, members) = (kind.unwrap_or("host"), Vec::new());
            graph.nodes.push(Node { name: name.into(), kind, about: Vec::new(), members });
        }
        for link in links {
            let mut parts = link.splitn(4, ' ');
            let mut next = || parts.next().unwrap_or_default();
            let (name, a, b, words) = (next(), next(), next(), next());
            let end = |text: &str| {
                let (name, interface) = text.split_once('.').map_or((text, None), |(n, i)| (n, Some(i.to_owned())));
                let node = graph.nodes.iter().position(|node| node.name == name).expect("a node of the test");
                End { node, interface }
            };
            let (there, back) = words.split_once('|').unwrap_or((words, words));
            let ends = [end(a), end(b)];
            let words = [there.to_owned(), back.to_owned()];
            graph.edges.push(Edge { name: name.into(), ends, words, members: Vec::new() });
        }
        graph
    }

    /// A network of `n` nodes and `links` links that look drawn at random, always the same.
    pub(crate) fn tangle(n: usize, links: usize) -> Graph {
        let names: Vec<String> = (0..n).map(|i| format!("r{i}:router")).collect();
        let nodes: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut state = 7usize;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let texts: Vec<String> = (0..links)
            .map(|i| {
                // the first ones join all
                let (a, b) = if i + 1 < n { (next(i + 1), i + 1) } else { (next(n), next(n - 1)) };
                let b = if a == b { n - 1 } else { b };
                format!("l{i} r{a} r{} {i}ms", if a == b { 0 } else { b })
            })
            .collect();
        network(&nodes, &texts.iter().map(String::as_str).collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::testing::network;
    use super::*;

    #[test]
    fn parts_begin_in_their_middle() {
        let graph = network(&["a", "b", "sw:switch", "c", "d", "e"], &["x a sw", "y b sw", "z c d"]);
        assert_eq!(graph.components(), [vec![2, 0, 1], vec![3, 4], vec![5]]);
        assert_eq!(graph.summary(), "5 hosts, 1 switch, 3 links");
    }

    #[test]
    fn directions_that_differ_are_named_after_their_ends() {
        let graph = network(&["a", "b"], &["x a b 5ms|9ms", "y a b 5ms", "z a b", "w a b 5ms|"]);
        let lines = |e: usize| graph.edges[e].lines(&graph);
        assert_eq!(lines(0), ["x", "→ b: 5ms", "→ a: 9ms"]);
        assert_eq!(lines(1), ["y", "5ms"]);
        assert_eq!(lines(2), ["z"]);
        assert_eq!(lines(3), ["w", "→ b: 5ms", "→ a: nothing"]);
    }

    #[test]
    fn programs_get_names_not_positions() {
        let graph = network(&["a", "s:switch"], &["x a.eth0 s 5ms|6ms"]);
        let value = json(&graph, "t.yaml");
        assert_eq!((&value["file"], &value["nodes"][1]["kind"]), (&json!("t.yaml"), &json!("switch")));
        let ends = json!([{"node": "a", "interface": "eth0"}, {"node": "s", "interface": null}]);
        assert_eq!(value["links"][0], json!({"name": "x", "ends": ends, "forward": "5ms", "backward": "6ms"}));
    }
}

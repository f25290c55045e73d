//! Edges → links. An undirected edge is a link; of a directed graph, an edge and one back are the two directions of one.

use std::collections::{BTreeMap, VecDeque};

use super::super::{Entry, Expansion};
use super::graph::{Edge, Graph, wrong};
use super::naming::LinkNames;
use super::{ImportSpec, quantity, tell_kinds};
use crate::language::merge;
use crate::language::tree::{Node, Origin, Value};

/// A link on its way: its ends, the edge in the direction of its ends, and the one back if there is one of its own.
struct Pair<'g> {
    ends: [usize; 2],
    there: &'g Edge,
    back: Option<&'g Edge>,
}

/// The links of a graph whose nodes have these names; `None` after a mistake.
pub(super) fn links(
    graph: &Graph,
    names: &[String],
    prefix: &str,
    base: &Node,
    spec: &ImportSpec,
    to: &mut Expansion<'_>,
) -> Option<Vec<Entry>> {
    let pairs = pairs(graph, spec, to)?;
    let mut wrongs = Vec::new();
    let mut link_names = LinkNames::default();
    let mut links = Vec::with_capacity(pairs.len());
    for Pair { ends, there, back } in pairs {
        let ends_by_name = ends.map(|end| names[end].as_str());
        let mut own = Node::empty_map(there.span, Origin::File);
        let fields = quantity::fields(&there.attributes, spec.units, &mut wrongs);
        match back {
            None => own.value = Value::Map(fields),
            Some(back) => {
                let others = quantity::fields(&back.attributes, spec.units, &mut wrongs);
                let side = |end: usize, edge: &Edge, fields: Vec<Entry>| Entry {
                    key: ends_by_name[end].to_owned(),
                    key_span: edge.span,
                    value: Node::new(Value::Map(fields), edge.span, Origin::File),
                };
                let sides = vec![side(1, there, fields), side(0, back, others)];
                let value = Node::new(Value::Map(sides), there.span, Origin::File);
                own.set(Entry { key: "toward".into(), key_span: there.span, value });
            }
        }
        let mut value = merge::link(base.clone(), own);
        let texts = [0, 1].map(|end| Node::text(ends_by_name[end], there.ends[end].1, Origin::File));
        let ends_node = Node::new(Value::Seq(texts.into()), there.span, Origin::File);
        value.set(Entry { key: "ends".into(), key_span: there.span, value: ends_node });
        links.push(Entry { key: link_names.next(ends, ends_by_name, prefix), key_span: there.span, value });
    }
    let fine = wrongs.is_empty();
    tell_kinds(wrongs, to.diagnostics);
    fine.then_some(links)
}

/// Edges by their links.
fn pairs<'g>(graph: &'g Graph, spec: &ImportSpec, to: &mut Expansion<'_>) -> Option<Vec<Pair<'g>>> {
    let mut by_id: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, vertex) in graph.nodes.iter().enumerate() {
        if let Some(first) = by_id.insert(&vertex.id, at) {
            to.diagnostics
                .error(vertex.span, format!("a second node has the id `{}`", vertex.id))
                .related(graph.nodes[first].span, "the first")
                .help("ids are of one node each");
            return None;
        }
    }
    let mut wrongs = Vec::new();
    let mut loops: Vec<&Edge> = Vec::new();
    let mut pairs: Vec<Pair<'g>> = Vec::new();
    // Directed edges that still have none back, by their ends.
    let mut waiting: BTreeMap<(usize, usize), VecDeque<usize>> = BTreeMap::new();
    for edge in &graph.edges {
        let [Some(from), Some(into)] = [0, 1].map(|end| by_id.get(edge.ends[end].0.as_str()).copied()) else {
            let (id, span) = edge.ends.iter().find(|(id, _)| !by_id.contains_key(id.as_str()))?;
            wrongs.push(wrong(*span, format!("no node has the id `{id}`"), "an edge joins nodes of the same graph"));
            continue;
        };
        if from == into {
            loops.push(edge);
            continue;
        }
        if edge.directed
            && let Some(at) = waiting.get_mut(&(into, from)).and_then(VecDeque::pop_front)
        {
            pairs[at].back = Some(edge);
            continue;
        }
        if edge.directed {
            waiting.entry((from, into)).or_default().push_back(pairs.len());
        }
        pairs.push(Pair { ends: [from, into], there: edge, back: None });
    }
    if spec.one_way.is_none() {
        for pair in pairs.iter().filter(|pair| pair.there.directed && pair.back.is_none()) {
            let [from, into] = [0, 1].map(|end| &pair.there.ends[end].0);
            let help = "a link has two directions: add the other edge, or write `one_way: both` in the scenario if an \
                        edge stands for both";
            wrongs.push(wrong(pair.there.span, format!("the edge from `{from}` to `{into}` has none back"), help));
        }
    }
    if let (Some(first), None) = (loops.first(), spec.self_loops) {
        let (count, id) = (loops.len(), &first.ends[0].0);
        let message = match count {
            1 => format!("the edge from `{id}` to itself is left out"),
            _ => format!("{count} edges from a node to itself are left out, the first that of `{id}`"),
        };
        let help = "what it says of hosts at one node belongs to their own links there, half to each; write \
                    `self_loops: ignore` in the scenario to be diagnostics no more";
        to.diagnostics.warning(first.span, message).help(help);
    }
    let fine = wrongs.is_empty();
    tell_kinds(wrongs, to.diagnostics);
    fine.then_some(pairs)
}

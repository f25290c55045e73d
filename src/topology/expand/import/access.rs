//! What a graph says of the hosts at its nodes: `host_bandwidth_up` and `host_bandwidth_down`, as Shadow has them.

use std::collections::BTreeMap;

use super::super::links::ends;
use super::super::split;
use crate::language::tree::{Entry, Node, Origin, Value};

/// The rates of a host's own link, at a node.
#[derive(Debug, Default)]
pub(super) struct Access {
    /// From the host.
    pub up: Option<Node>,
    /// Toward the host.
    pub down: Option<Node>,
}

/// Gives links from other nodes to imported ones the rates that the graph names, unless the scenario says how fast
/// they are.
pub(super) fn limit(links: &mut [Entry], access: &BTreeMap<String, Access>) {
    if access.is_empty() {
        return;
    }
    for link in links {
        let [a, b] = &ends(&link.value)[..] else { continue };
        let (host, node) = match (access.contains_key(split(a).0), access.contains_key(split(b).0)) {
            (false, true) => (a, b),
            (true, false) => (b, a),
            _ => continue,
        };
        let Some(rates) = access.get(split(node).0) else { continue };
        let said = |key: &str| link.value.get(key).is_some();
        if said("rate") || said("profile") || link.value.pruned {
            continue;
        }
        let sides = [(node.clone(), &rates.up), (host.clone(), &rates.down)];
        for (end, rate) in sides {
            if let Some(rate) = rate {
                toward(&mut link.value, &end, rate);
            }
        }
    }
}

/// Puts a rate into the direction toward an end, unless it has one.
fn toward(link: &mut Node, end: &str, rate: &Node) {
    if link.get("toward").is_none() {
        let value = Node::empty_map(rate.span, Origin::File);
        link.set(Entry { key: "toward".into(), key_span: rate.span, value });
    }
    let Value::Map(fields) = &mut link.value else { return };
    let Some(Value::Map(sides)) = fields.iter_mut().find(|e| e.key == "toward").map(|e| &mut e.value.value) else {
        return;
    };
    let entry = Entry { key: "rate".into(), key_span: rate.span, value: rate.clone() };
    match sides.iter_mut().find(|side| split(&side.key).0 == split(end).0) {
        Some(side) if side.value.get("rate").is_none() => side.value.set(entry),
        Some(_) => {}
        None => {
            let mut value = Node::empty_map(rate.span, Origin::File);
            value.set(entry);
            sides.push(Entry { key: end.to_owned(), key_span: rate.span, value });
        }
    }
}

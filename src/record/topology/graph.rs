//! A resolved scenario → its network: a host is one node, though the engine has a port for each of its interfaces.

use std::collections::BTreeMap;

use indexmap::IndexMap;

use super::{Edge, End, Graph, Node};
use crate::engine::{DirectionSpec, NodeKind};
use crate::model::RateSpec;
use crate::record::terminal;
use crate::scenario::Resolved;
use crate::scenario::network::{HostPlan, Place};

/// The network of a scenario.
pub fn graph(resolved: &Resolved) -> Graph {
    let mut nodes: IndexMap<String, Node> = IndexMap::new();
    let hosts = &resolved.network.hosts;
    let host_of: BTreeMap<usize, usize> = resolved.ports.iter().map(|port| (port.node, port.host)).collect();
    for (at, node) in resolved.plan.nodes.iter().enumerate() {
        match word(&node.kind) {
            Some(kind) => {
                let (name, addresses, members) = (node.name.clone(), Vec::new(), Vec::new());
                nodes.entry(name.clone()).or_insert(Node { name, kind, addresses, members });
            }
            None => {
                if let Some(host) = host_of.get(&at).map(|host| &hosts[*host]) {
                    nodes.entry(host.name.clone()).or_insert_with(|| drawn(host));
                }
            }
        }
    }
    // hosts without a link have no port
    for host in hosts {
        nodes.entry(host.name.clone()).or_insert_with(|| drawn(host));
    }
    let end = |text: &str| {
        // `alice.wlan0`; a node's name has no point in it
        let (name, interface) = text.split_once('.').map_or((text, None), |(name, i)| (name, Some(i.to_owned())));
        nodes.get_index_of(name).map(|node| End { node, interface })
    };
    let edges = resolved
        .links
        .iter()
        .zip(&resolved.plan.links)
        .filter_map(|(link, plan)| {
            let ends = [end(&link.ends[0])?, end(&link.ends[1])?];
            let words = plan.directions.each_ref().map(words);
            Some(Edge { name: link.name.clone(), ends, words, members: Vec::new() })
        })
        .collect();
    Graph { title: resolved.scenario.name.clone(), nodes: nodes.into_values().collect(), edges }
}

/// What the scenario calls a kind; `None` of a host's interface.
fn word(kind: &NodeKind) -> Option<&'static str> {
    match kind {
        NodeKind::Port => None,
        NodeKind::Switch(_) => Some("switch"),
    }
}

fn drawn(host: &HostPlan) -> Node {
    let several = host.interfaces.len() > 1;
    let addresses = host
        .interfaces
        .iter()
        .flat_map(|interface| interface.addresses.iter().map(move |address| (interface, address)))
        .map(|(interface, address)| if several { format!("{} {address}", interface.name) } else { address.to_string() })
        .collect();
    let kind = if host.place == Place::Namespace { "host" } else { "external" };
    Node { name: host.name.clone(), kind, addresses, members: Vec::new() }
}

/// What matters most of a direction, in the words of the report; empty where it does nothing.
fn words(spec: &DirectionSpec) -> String {
    let mut words: Vec<String> = terminal::delay(&spec.delay).into_iter().collect();
    if !spec.loss.is_none() {
        words.push(format!("loss {}", spec.loss));
    }
    if spec.rate != RateSpec::Unlimited {
        words.push(spec.rate.words());
    }
    if spec.half_duplex {
        words.push("half-duplex".into());
    }
    words.extend(spec.mtu.map(|mtu| format!("mtu {mtu}")));
    let more = [
        ("corrupt", spec.corrupt.is_none()),
        ("duplicate", spec.duplicate.is_none()),
        ("reorder", spec.reorder.is_none()),
    ];
    words.extend(more.iter().filter(|(_, none)| !none).map(|(name, _)| (*name).to_owned()));
    words.join(" · ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::scenario::{MemoryFiles, Overrides, load};

    #[test]
    fn a_host_is_one_node_and_links_end_at_its_interfaces() {
        let text = "\
longwire: 1
addressing: { ipv6: none }
nodes: { phone: host, sw: switch, alone: host, vm: { external: { tap: lw0 } }, server: host }
links:
  wifi: { ends: [phone.wlan0, server], delay: { mean: 5ms, jitter: 1ms }, loss: 1%, rate: 20Mbit, mtu: 1400 }
  cell: { ends: [phone, sw], toward: { phone: { delay: 50ms, duplicate: 1% } } }
  tap: { ends: [sw, vm] }
";
        let resolved = load(Path::new("t.yaml"), &MemoryFiles::one("t.yaml", text), &Overrides::default());
        let graph =
            graph(&resolved.map_err(|(told, _)| told.iter().map(ToString::to_string).collect::<String>()).unwrap());
        let nodes: Vec<_> = graph.nodes.iter().map(|node| (node.name.as_str(), node.kind)).collect();
        let expected = [("phone", "host"), ("sw", "switch"), ("vm", "external"), ("server", "host"), ("alone", "host")];
        assert_eq!(nodes, expected);
        assert_eq!(graph.nodes[0].addresses, ["wlan0 10.0.0.1/24", "eth0 10.0.1.1/24"]);
        assert_eq!(graph.nodes[3].addresses, ["10.0.0.2/24"]);
        let [wifi, cell, tap] = &graph.edges[..] else { panic!("{:?}", graph.edges) };
        assert_eq!(wifi.ends[0], End { node: 0, interface: Some("wlan0".into()) });
        assert_eq!(wifi.words[0], "5ms ±1ms · loss 1% · 20Mbit · mtu 1400");
        assert_eq!(cell.words, ["", "50ms · duplicate"]);
        assert_eq!(tap.ends, [End { node: 1, interface: None }, End { node: 2, interface: Some("lw0".into()) }]);
    }
}

//! A resolved scenario → its network: a host is one node, though the engine has a port for each of its interfaces.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use ipnet::IpNet;

use super::{Edge, End, Graph, Node};
use crate::addressing::network::{HostPlan, Place};
use crate::engine::{DirectionSpec, NodeKind};
use crate::model::RateSpec;
use crate::report::asked;
use crate::tasks::resolved::Resolved;

/// The network of a scenario.
pub fn graph(resolved: &Resolved) -> Graph {
    let hosts = &resolved.network.hosts;
    let host_of: BTreeMap<usize, usize> = resolved.ports.iter().map(|port| (port.node, port.host)).collect();
    let mut nodes: IndexMap<String, Node> = IndexMap::new();
    // where each node of the plan is drawn
    let mut place = Vec::with_capacity(resolved.plan.nodes.len());
    for (at, node) in resolved.plan.nodes.iter().enumerate() {
        let drawn = match &node.kind {
            NodeKind::Port => {
                host_of.get(&at).map_or_else(|| plain(&node.name, "host"), |host| self::host(&hosts[*host]))
            }
            NodeKind::Switch(_) => plain(&node.name, "switch"),
            NodeKind::Hub => plain(&node.name, "hub"),
            NodeKind::Router(plan) => {
                let interfaces = plan.interfaces.iter().map(|i| (i.name.as_str(), &i.addresses[..]));
                Node { about: addresses(interfaces), ..plain(&node.name, "router") }
            }
            // all its regions are one node
            NodeKind::Edge(_) => plain(node.name.split('.').next().unwrap_or(&node.name), "cloud"),
        };
        place.push(nodes.insert_full(drawn.name.clone(), drawn).0);
    }
    // hosts without a link have no port
    for host in hosts {
        nodes.entry(host.name.clone()).or_insert_with(|| self::host(host));
    }
    let mut edges = Vec::with_capacity(resolved.links.len());
    for (link, plan) in resolved.links.iter().zip(&resolved.plan.links) {
        let words = plan.directions.each_ref().map(words);
        let [a, b] = plan.ends.map(|end| place[end]);
        if a == b {
            // a path inside a cloud
            let [from, to] = &link.ends;
            let about = [format!("{from} → {to}: {}", words[0]), format!("{to} → {from}: {}", words[1])];
            nodes[a].about.extend(about);
            continue;
        }
        // `alice.wlan0`; a node's name has no point in it
        let end = |node: usize, text: &str| End { node, interface: text.split_once('.').map(|(_, i)| i.to_owned()) };
        let ends = [end(a, &link.ends[0]), end(b, &link.ends[1])];
        edges.push(Edge { name: link.name.clone(), ends, words, members: Vec::new() });
    }
    Graph { title: resolved.scenario.name.clone(), nodes: nodes.into_values().collect(), edges }
}

fn plain(name: &str, kind: &'static str) -> Node {
    Node { name: name.to_owned(), kind, about: Vec::new(), members: Vec::new() }
}

fn host(host: &HostPlan) -> Node {
    let kind = if host.place == Place::Namespace { "host" } else { "external" };
    let interfaces = host.interfaces.iter().map(|i| (i.name.as_str(), &i.addresses[..]));
    Node { about: addresses(interfaces), ..plain(&host.name, kind) }
}

/// Addresses, with the interface where there are several.
fn addresses<'a>(interfaces: impl ExactSizeIterator<Item = (&'a str, &'a [IpNet])>) -> Vec<String> {
    let several = interfaces.len() > 1;
    let all = interfaces.flat_map(|(name, addresses)| addresses.iter().map(move |address| (name, address)));
    all.map(|(name, address)| if several { format!("{name} {address}") } else { address.to_string() }).collect()
}

/// What matters most of a direction, in the words of the report; empty where it does nothing.
fn words(spec: &DirectionSpec) -> String {
    let mut words: Vec<String> = asked::delay(&spec.delay).into_iter().collect();
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
    words.extend(spec.impairments.active().map(|(name, _)| name.to_owned()));
    words.join(" · ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};

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
        assert_eq!(graph.nodes[0].about, ["wlan0 10.0.0.1/24", "eth0 10.0.1.1/24"]);
        assert_eq!(graph.nodes[3].about, ["10.0.0.2/24"]);
        let [wifi, cell, tap] = &graph.edges[..] else { panic!("{:?}", graph.edges) };
        assert_eq!(wifi.ends[0], End { node: 0, interface: Some("wlan0".into()) });
        assert_eq!(wifi.words[0], "5ms ±1ms · loss 1% · 20Mbit · mtu 1400");
        assert_eq!(cell.words, ["", "50ms · duplicate"]);
        assert_eq!(tap.ends, [End { node: 1, interface: None }, End { node: 2, interface: Some("lw0".into()) }]);
    }
}

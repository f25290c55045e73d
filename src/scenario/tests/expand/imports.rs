//! Graphs from files.

use super::{links, members, rate, try_with};
use crate::language::files::MemoryFiles;
use crate::scenario::listing;
use crate::tasks::resolved::Resolved;
use crate::units::Duration;

const GML: &str = "graph [
  directed 0
  node [ id 1 label \"New York\" host_bandwidth_up \"20 Mbit\" host_bandwidth_down \"100 Mbit\" ]
  node [ id 2 label \"Paris\" ]
  node [ id 3 label \"Paris\" ]
  edge [ source 1 target 2 latency \"35 ms\" packet_loss 0.001 ]
  edge [ source 2 target 3 latency \"1 ms\" bandwidth \"1 Gbit\" ]
  edge [ source 2 target 1 latency \"40 ms\" ]
]
";

fn imported(scenario: &str, graph: &str) -> Result<Resolved, Vec<String>> {
    let files = MemoryFiles::one("test.yaml", &format!("longwire: 1\n{scenario}")).with("net/g.gml", graph);
    try_with(&files)
}

#[test]
fn a_graph_becomes_nodes_and_links() {
    let text = "import: { graph: net/g.gml, nodes: host, links: { rate: 10Gbit, queue: codel } }\n\
                nodes: { alice: host, bob: host }\nlinks:\n  a: { ends: [alice, New-York] }\n  b: { ends: [bob, New-York], rate: 5Mbit }\n";
    let resolved = imported(text, GML).unwrap();
    assert_eq!(
        links(&resolved),
        [
            "a: alice.eth0 New-York.eth0",
            "b: bob.eth0 New-York.eth1",
            "New-York--Paris-2: New-York.eth2 Paris-2.eth0",
            "Paris-2--Paris-3: Paris-2.eth1 Paris-3.eth0",
            "New-York--Paris-2-2: Paris-2.eth2 New-York.eth3"
        ]
    );
    assert_eq!(members(&resolved, "g"), ["New-York", "Paris-2", "Paris-3"]);
    assert_eq!(members(&resolved, "g-links").len(), 3);
    let rates = |at: usize| resolved.plan.links[at].directions.clone().map(|direction| rate(&direction.rate));
    assert_eq!(rates(0), ["20Mbit", "100Mbit"], "up toward the node, down toward the host");
    assert_eq!(rates(1), ["5Mbit", "5Mbit"], "the scenario says how fast it is");
    assert_eq!((rates(2), rates(3)), (["10Gbit", "10Gbit"].map(String::from), ["1Gbit", "1Gbit"].map(String::from)));
    let [direction, _] = &resolved.plan.links[2].directions;
    assert_eq!(direction.delay.mean, Duration::from_millis(35));
    assert!(direction.queue.is_some());
    assert!(listing(&resolved).contains("# net/g.gml:6"), "{}", listing(&resolved));
}

#[test]
fn a_directed_graph_has_two_edges_a_link() {
    let graph = "graph [ directed 1 node [ id 1 ] node [ id 2 ] edge [ source 1 target 2 latency \"3 ms\" ] \
                 edge [ source 2 target 1 latency \"5 ms\" ] edge [ source 1 target 2 latency \"7 ms\" ] ]";
    let text = "import: { graph: net/g.gml, nodes: host, prefix: n-, name: net, one_way: both }\n";
    let resolved = imported(text, graph).unwrap();
    assert_eq!(
        links(&resolved),
        ["n-node-1--node-2: n-node-1.eth0 n-node-2.eth0", "n-node-1--node-2-2: n-node-1.eth1 n-node-2.eth1"]
    );
    let delays = |at: usize| resolved.plan.links[at].directions.clone().map(|direction| direction.delay.mean);
    assert_eq!(delays(0), [3, 5].map(Duration::from_millis));
    assert_eq!(delays(1), [7, 7].map(Duration::from_millis));
    let told = imported("import: { graph: net/g.gml, nodes: host }\n", graph).unwrap_err();
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].starts_with("1:132: the edge from `1` to `2` has none back"), "{told:#?}");
}

#[test]
fn self_loops_are_left_out_with_a_word() {
    let graph = GML.replace("]\n]", "]\n  edge [ source 1 target 1 latency \"2 ms\" ]\n]");
    let resolved = imported("import: { graph: net/g.gml, nodes: host }\n", &graph).unwrap();
    let warnings: Vec<_> = resolved.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warnings.len(), 1, "{warnings:#?}");
    assert!(warnings[0].starts_with("9:3: the edge from `1` to itself is left out"), "{warnings:#?}");
    let resolved = imported("import: { graph: net/g.gml, nodes: host, self_loops: ignore }\n", &graph).unwrap();
    assert!(resolved.warnings.is_empty());
}

#[test]
fn mistakes_in_graphs_have_places() {
    let told = |scenario: &str, graph: &str| {
        let mut told = imported(&format!("{scenario}\n"), graph).unwrap_err();
        told.retain(|told| !told.contains("without a link"));
        assert_eq!(told.len(), 1, "{scenario}: {told:#?}");
        told[0].clone()
    };
    let import = "import: { graph: net/g.gml, nodes: host }";
    for (graph, words) in [
        (GML.replace("\"35 ms\"", "35"), "6:36: `latency` is a number without a unit: 35"),
        (GML.replace("0.001", "2"), "`packet_loss`: `2` is too large: at most `100%` (a fraction is at most 1"),
        (GML.replace("target 3", "target 4"), "7:26: no node has the id `4`"),
        (GML.replace("id 3", "id 2"), "5:3: a second node has the id `2`"),
        ("graph [ ]".into(), "2:18: this graph has no nodes"),
        (GML.replace("\"20 Mbit\"", "\"20\""), "without a unit"),
    ] {
        assert!(told(import, &graph).contains(words), "{}", told(import, &graph));
    }
    let both = GML.replace("\"35 ms\"", "35").replace("\"40 ms\"", "40");
    assert_eq!(told(import, &both).matches("without a unit").count(), 1);
    for (scenario, words) in [
        ("import: { graph: net/x.gml }", "2:18: cannot read net/x.gml"),
        ("import: { graph: net/g.txt }", "the ending of `net/g.txt` does not say"),
        ("import: { graph: net/g.gml, format: graphml }", "1:1: not XML"),
        ("import: { graph: net/g.gml, grahp: x }", "unknown field `grahp`"),
        ("import: { graph: net/g.gml, nodes: hots }", "`hots` is not known here"),
        ("import: { graph: net/g.gml, nodes: host, links: { ends: [a, b] } }", "unknown field `ends`"),
        ("import: { graph: net/g.gml, nodes: host, name: a.b }", "`a.b` cannot be a name"),
        ("import: { graph: net/g.gml, nodes: host, prefix: .x }", "`.x` cannot be a name"),
        (
            "nodes: { Paris-2: switch }\nimport: { graph: net/g.gml, nodes: host }",
            "`g` makes `Paris-2`, a name that is taken",
        ),
        // nothing follows from a graph that could not be read
        ("import: { graph: net/x.gml }\nnodes: { a: host }\nlinks: { l: { ends: [a, Paris] } }", "cannot read"),
    ] {
        assert!(told(scenario, GML).contains(words), "{scenario}: {}", told(scenario, GML));
    }
    assert!(
        told("import: [{ graph: net/g.gml, nodes: host }, { graph: net/g.gml, nodes: host }]", GML).contains("taken")
    );
}

#[test]
fn a_used_file_names_graphs_beside_itself() {
    let files = MemoryFiles::one("test.yaml", "longwire: 1\nuse: lib/core.yaml\n")
        .with("lib/core.yaml", "import: { graph: g.gml, nodes: host }\n")
        .with("lib/g.gml", GML);
    assert_eq!(links(&try_with(&files).unwrap()).len(), 3);
}

//! Link patterns.

use super::{bad, good, links, members, rate};
use crate::engine::NodeKind;
use crate::tasks::resolved::Resolved;
use crate::units::Duration;

fn pattern(text: &str) -> Resolved {
    good(&format!(
        "nodes: {{ a: {{ host: {{ count: 3 }} }}, sw: switch }}\nlinks:\n  base: {{ star: {{ of: a, center: sw }} }}\n  {text}\n"
    ))
}

#[test]
fn a_star_has_its_leaves_at_the_centre() {
    let resolved = pattern("p: { star: 2, delay: 3ms, toward: { outer: { rate: 1Mbit } } }");
    assert_eq!(
        links(&resolved),
        [
            "base-link-1: sw a-1.eth0",
            "base-link-2: sw a-2.eth0",
            "base-link-3: sw a-3.eth0",
            "p-link-1: p-center p-host-1.eth0",
            "p-link-2: p-center p-host-2.eth0"
        ]
    );
    assert_eq!(members(&resolved, "p"), ["p-link-1", "p-link-2"]);
    assert_eq!(members(&resolved, "p-host"), ["p-host-1", "p-host-2"]);
    let [out, back] = &resolved.plan.links[4].directions;
    assert_eq!((rate(&out.rate), rate(&back.rate)), ("1Mbit".into(), "none".into()));
    assert_eq!(out.delay.mean, Duration::from_millis(3));
}

#[test]
fn rings_and_full_meshes_join_what_is_there_or_made() {
    let resolved = pattern("p: { ring: { count: 3, nodes: host, hosts: 1, host_links: { delay: 1ms } }, delay: 9ms }");
    assert_eq!(
        links(&resolved)[3..],
        [
            "p-link-1: p-node-1.eth0 p-node-2.eth0",
            "p-link-2: p-node-2.eth1 p-node-3.eth0",
            "p-link-3: p-node-3.eth1 p-node-1.eth1",
            "p-link-host-1: p-node-1.eth2 p-host-1.eth0",
            "p-link-host-2: p-node-2.eth2 p-host-2.eth0",
            "p-link-host-3: p-node-3.eth2 p-host-3.eth0"
        ]
    );
    let delay = |at: usize| resolved.plan.links[at].directions[0].delay.mean;
    assert_eq!((delay(3), delay(6)), (Duration::from_millis(9), Duration::from_millis(1)));
    assert_eq!(members(&resolved, "p").len(), 6);
    assert_eq!(members(&resolved, "p-link-host").len(), 3);
    let resolved = pattern("p: { full: [a, sw] }");
    assert_eq!(
        links(&resolved)[3..6],
        ["p-link-1-2: a-1.eth1 a-2.eth1", "p-link-1-3: a-1.eth2 a-3.eth1", "p-link-1-4: a-1.eth3 sw"]
    );
    assert_eq!(links(&resolved).len(), 3 + 6);
}

#[test]
fn a_mesh_is_a_grid_and_a_torus_if_it_wraps() {
    let names = |text: &str| links(&pattern(text))[3..].to_vec();
    assert_eq!(
        names("p: { mesh: { width: 2, height: 2, nodes: host } }"),
        [
            "p-link-1-1-right: p-node-1-1.eth0 p-node-2-1.eth0",
            "p-link-1-1-down: p-node-1-1.eth1 p-node-1-2.eth0",
            "p-link-2-1-down: p-node-2-1.eth1 p-node-2-2.eth0",
            "p-link-1-2-right: p-node-1-2.eth1 p-node-2-2.eth1"
        ]
    );
    let torus = names("p: { mesh: { width: 3, height: 2, nodes: host, wrap: true } }");
    assert_eq!(torus.len(), 6 + 3);
    assert!(
        torus.iter().any(|link| link.starts_with("p-link-3-2-right: p-node-3-2.eth2 p-node-1-2.eth2")),
        "{torus:?}"
    );
    assert_eq!(names("p: { mesh: { width: 1, height: 1, nodes: host, hosts: 2 } }").len(), 2);
}

#[test]
fn trees_have_hosts_as_leaves() {
    let resolved = pattern("p: { tree: { depth: 2, fan_out: 2 }, rate: 10Mbit }");
    assert_eq!(
        links(&resolved)[3..],
        [
            "p-link-2-1: p-node-1-1 p-node-2-1",
            "p-link-2-2: p-node-1-1 p-node-2-2",
            "p-link-host-1: p-node-2-1 p-host-1.eth0",
            "p-link-host-2: p-node-2-1 p-host-2.eth0",
            "p-link-host-3: p-node-2-2 p-host-3.eth0",
            "p-link-host-4: p-node-2-2 p-host-4.eth0"
        ]
    );
    let switches = resolved.plan.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Switch(_))).count();
    assert_eq!(switches, 1 + 3);
}

#[test]
fn a_fat_tree_has_the_papers_numbers() {
    // hosts as inner nodes: they may form loops
    let resolved = pattern("p: { fat_tree: { k: 4, nodes: host } }");
    let group = |name: &str| resolved.scenario.groups.get(name).unwrap().members.len();
    assert_eq!(
        ["p-core", "p-aggregation", "p-edge", "p-host", "p", "p-link-core", "p-link-edge", "p-link-host"].map(group),
        [4, 8, 8, 16, 48, 16, 16, 16]
    );
    let ends = |name: &str| {
        let link = resolved.links.iter().find(|link| link.name == name).unwrap_or_else(|| panic!("{name}"));
        link.ends.clone().map(|end| end.split('.').next().unwrap().to_owned())
    };
    assert_eq!(ends("p-link-pod-3-aggregation-2-core-4"), ["p-core-4", "p-pod-3-aggregation-2"]);
    assert_eq!(ends("p-link-pod-3-edge-1-aggregation-2"), ["p-pod-3-aggregation-2", "p-pod-3-edge-1"]);
    assert_eq!(ends("p-link-host-16"), ["p-pod-4-edge-2", "p-host-16"]);
    // every core node reaches every pod once, every inner node has k links
    for (name, links) in [("p-core-1", 4), ("p-pod-1-aggregation-1", 4), ("p-pod-4-edge-2", 4), ("p-host-1", 1)] {
        let host = resolved.network.hosts.iter().find(|host| host.name == name).unwrap();
        assert_eq!(host.interfaces.len(), links, "{name}");
    }
}

#[test]
fn a_dumbbell_shares_one_link() {
    let resolved = pattern(
        "p: { dumbbell: { left: 2, right: a, nodes: host, bottleneck: { rate: 1Mbit, queue: codel } }, rate: 1Gbit }",
    );
    assert_eq!(
        links(&resolved)[3..],
        [
            "p-link-left-1: p-node-1.eth0 p-left-1.eth0",
            "p-link-left-2: p-node-1.eth1 p-left-2.eth0",
            "p-link-right-1: p-node-2.eth0 a-1.eth1",
            "p-link-right-2: p-node-2.eth1 a-2.eth1",
            "p-link-right-3: p-node-2.eth2 a-3.eth1",
            "p-bottleneck: p-node-1.eth2 p-node-2.eth3"
        ]
    );
    let rates: Vec<_> = resolved.plan.links[3..].iter().map(|link| rate(&link.directions[0].rate)).collect();
    assert_eq!(rates, ["1Gbit", "1Gbit", "1Gbit", "1Gbit", "1Gbit", "1Mbit"]);
    assert_eq!(members(&resolved, "p-link-right").len(), 3);
}

#[test]
fn patterns_have_limits_and_say_so() {
    let told = |text: &str| {
        let mut told = bad(&format!("nodes: {{ a: host, b: host }}\nlinks:\n  p: {{ {text} }}\n"));
        told.retain(|told| !told.contains("without a link"));
        assert_eq!(told.len(), 1, "{text}: {told:#?}");
        told[0].clone()
    };
    for (text, words) in [
        ("fat_tree: 5", "4:18: a fat tree cannot have a `k` of 5 (write an even number from 2 to 50)"),
        ("fat_tree: 52", "4:18: a fat tree cannot have a `k` of 52"),
        ("fat_tree: { k: 4, kk: 4 }", "unknown field `kk`"),
        ("ring: 2", "4:14: `p` joins 2: too few (this pattern has at least 3)"),
        ("full: [a]", "`p` joins 1: too few (this pattern has at least 2)"),
        ("full: 448", "100128 more links make 100129, which is too many"),
        ("full: 18446744073709551615", "too many"),
        ("ring: {}", "`p` does not say who is joined"),
        ("ring: { count: 3, of: [a] }", "both say who is joined"),
        ("ring: { of: [a, b, c], nodes: host }", "`of` names some that are there"),
        ("mesh: { width: 0, height: 3 }", "a `width` of 0 leaves nothing"),
        ("mesh: { width: 18446744073709551615, height: 18446744073709551615 }", "too many"),
        ("tree: { depth: 90000, fan_out: 90000 }", "too many"),
        ("tree: { depth: 0, fan_out: 2 }", "a `depth` of 0 is out of range"),
        ("tree: { depth: 2 }", "`fan_out` is missing"),
        ("star: 3, ring: 3", "has both `star` and `ring`"),
        ("ends: [a, b], ring: 3", "has both `ends` and `ring`"),
        ("star: { count: 3, nodes: { switch: { count: 2 } } }", "`count` cannot be said of all nodes"),
        ("star: { count: 3, nodes: { external: { tap: x } } }", "cannot stand between links"),
        ("star: { of: [b], center: a, nodes: switch }", "names one that is there"),
        ("tree: { depth: 1, fan_out: 2, host_links: { ends: [a, b] } }", "unknown field `ends`"),
        ("tree: { depth: 1, fan_out: 2, host_links: 5 }", "expected the fields of a link, found"),
        ("tree: { depth: 1, fan_out: 2 }, dealy: 5ms", "unknown field `dealy` (did you mean `delay`?)"),
        ("tree: { depth: 1, fan_out: 2 }, delay: 5", "`5` has no unit"),
        ("star: [a, c]", "4:18: unknown node `c`"),
        ("star: 2, toward: { inside: { rate: 1Mbit } }", "`inside` is not an end of this link"),
    ] {
        assert!(told(text).contains(words), "{text}: {}", told(text));
    }
    let told = bad(&format!("links: {{ {}: {{ star: 2 }} }}\n", "x".repeat(60)));
    assert!(told[0].contains("a name of 67 bytes"), "{told:#?}");
    let told = bad("nodes: { p-host-1: host, a: host, b: host }\nlinks: { p: { star: 2 }, q: { ends: [a, b] } }\n");
    assert_eq!(told, ["3:10: `p` makes `p-host-1`, a name that is taken (give one of the two another name)"]);
}

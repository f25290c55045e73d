//! Whole scenarios with routers: what they come to, and what is said of their mistakes.

use std::path::Path;

use super::{MemoryFiles, Overrides, Resolved, load};
use crate::engine::NodePlan;
use crate::node::RouterPlan;

fn try_load(text: &str) -> Result<Resolved, Vec<String>> {
    load(Path::new("test.yaml"), &MemoryFiles::one("test.yaml", text), &Overrides::default())
        .map_err(|(told, _)| told.iter().map(ToString::to_string).collect())
}

fn good(text: &str) -> Resolved {
    try_load(text).unwrap_or_else(|told| panic!("{told:#?}"))
}

fn bad(text: &str) -> Vec<String> {
    try_load(text).expect_err("mistakes")
}

fn routers(resolved: &Resolved) -> Vec<&RouterPlan> {
    resolved.plan.nodes.iter().filter_map(NodePlan::router).collect()
}

fn addresses(router: &RouterPlan) -> Vec<String> {
    let list = |nets: &[ipnet::IpNet]| nets.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    router.interfaces.iter().map(|interface| format!("{}: {}", interface.name, list(&interface.addresses))).collect()
}

/// a — r1 — r2 — b, with these fields of the nodes.
fn line(a: &str, r1: &str, r2: &str, b: &str) -> String {
    format!(
        "longwire: 1\nnodes: {{ a: {a}, r1: {r1}, r2: {r2}, b: {b} }}\nlinks:\n  one: {{ ends: [a, r1.lan] }}\n  \
         two: {{ ends: [r1.wan, r2] }}\n  three: {{ ends: [r2, b] }}\n"
    )
}

#[test]
fn a_router_is_one_node_with_an_interface_for_each_link() {
    let resolved = good(&line("host", "router", "router", "host"));
    let names: Vec<_> = resolved.plan.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["a.eth0", "r1", "r2", "b.eth0"]);
    assert_eq!(resolved.plan.links[1].ends, [1, 2]);
    let [r1, r2] = routers(&resolved)[..] else { panic!() };
    assert_eq!(addresses(r1), ["lan: 10.0.0.1/24 fd00::1/64", "wan: 10.0.1.0/31 fd00:0:0:1::/127"]);
    assert_eq!(addresses(r2), ["eth0: 10.0.1.1/31 fd00:0:0:1::1/127", "eth1: 10.0.2.1/24 fd00:0:0:2::1/64"]);
    assert_eq!(resolved.network.hosts[0].interfaces[0].addresses[0].to_string(), "10.0.0.2/24");
    assert!(r1.interfaces[0].mac.is_local() && r1.interfaces[0].mac != r1.interfaces[1].mac);
}

#[test]
fn neighbours_of_each_segment_know_each_other() {
    let resolved = good(&line("host", "router", "{ router: { neighbours: dynamic } }", "host"));
    let [r1, r2] = routers(&resolved)[..] else { panic!() };
    let a = &resolved.network.hosts[0].interfaces[0];
    let wanted = [
        ("10.0.0.1".parse().unwrap(), r1.interfaces[0].mac.octets()),
        ("fd00::1".parse().unwrap(), r1.interfaces[0].mac.octets()),
        (r1.interfaces[0].mac.link_local().into(), r1.interfaces[0].mac.octets()),
    ];
    assert_eq!(a.neighbours, wanted);
    let of_r1: Vec<_> = r1.interfaces.iter().map(|i| i.neighbours[0].0.to_string()).collect();
    assert_eq!(of_r1, ["10.0.0.2", "10.0.1.1"]);
    assert_eq!(r1.interfaces[1].neighbours[1].1, r2.interfaces[0].mac);
    assert!(r2.interfaces.iter().all(|i| i.neighbours.is_empty()));
}

#[test]
fn every_host_finds_routers_by_name() {
    let resolved = good(&line("host", "router", "router", "host"));
    let text = &resolved.network.hosts[1].hosts_file.text();
    let of_r2: Vec<_> = text.lines().filter(|line| line.contains("r2.")).collect();
    // the near address first, IPv4 before IPv6
    assert!(of_r2[0].starts_with("10.0.2.1 ") && of_r2[1].starts_with("fd00:0:0:2::1 "), "{text}");
    // those, and then all that everybody knows
    assert_eq!(of_r2.len(), 2 + 4);
}

#[test]
fn explicit_addresses_win_and_conflicts_are_told() {
    let resolved = good(&line("host", "{ router: { addresses: { lan: [192.168.1.254/24] } } }", "router", "host"));
    assert_eq!(addresses(routers(&resolved)[0])[0], "lan: 192.168.1.254/24 fd00::1/64");
    assert_eq!(resolved.network.hosts[0].interfaces[0].addresses[0].to_string(), "192.168.1.1/24");
    let told = bad(&line(
        "{ host: { addresses: [10.1.0.5/16] } }",
        "router",
        "router",
        "{ host: { addresses: [10.1.3.5/24] } }",
    ));
    assert_eq!(
        told,
        [
            "2:102: the segment of `r2.eth1` is in 10.1.3.0/24, which overlaps with 10.1.0.0/16 of another that routers join to it (give each segment a subnet of its own)"
        ]
    );
    let told = bad(&line(
        "{ host: { addresses: [10.1.0.5/16] } }",
        "{ router: { addresses: { wan: [10.1.0.5/16] } } }",
        "router",
        "host",
    ));
    assert!(told[0].contains("10.1.0.5 is also the address of"), "{told:?}");
    let told = bad(&line("host", "{ router: { addresses: [10.1.0.5/16] } }", "router", "host"));
    assert!(told[0].contains("`r1` has 2 interfaces"), "{told:?}");
}

#[test]
fn thousands_of_links_between_routers_fit_into_the_pool() {
    let mut text = "longwire: 1\nnodes:\n".to_owned();
    (0..=600).for_each(|n| text += &format!("  r{n}: router\n"));
    text += "links:\n";
    (0..600).for_each(|n| text += &format!("  l{n}: {{ ends: [r{n}, r{}] }}\n", n + 1));
    let resolved = good(&text);
    let last = addresses(routers(&resolved)[600]);
    assert_eq!(last, ["eth0: 10.0.4.175/31 fd00::4af/127"]);
}

#[test]
fn a_translating_router_is_a_border_with_its_outside_addresses() {
    let resolved = good(&line("host", "{ router: { nat: { outside: wan, type: symmetric } } }", "router", "host"));
    let [r1, r2] = routers(&resolved)[..] else { panic!("two routers") };
    let nat = r1.nat.as_ref().expect("it translates");
    assert_eq!((nat.port, r1.border, r2.border, &r2.nat), (1, Some(1), None, &None));
    assert_eq!(nat.spec.kind(), Some(crate::node::router::nat::NatType::Symmetric));
    // another seed draws other ports
    let again = good(&line("host", "{ router: { nat: wan } }", "router", "host").replace(": 1\n", ": 1\nseed: 9\n"));
    assert_ne!(routers(&again)[0].nat.as_ref().map(|nat| nat.random), Some(nat.random));
}

#[test]
fn mistakes_of_a_translation_are_told_with_their_places() {
    let with = |nat: &str| bad(&line("host", &format!("{{ router: {{ nat: {nat} }} }}"), "router", "host"));
    assert_eq!(with("wam"), ["2:40: `r1` has no interface `wam`, which is to be its outside (did you mean `wan`?)"]);
    assert!(with("{ outside: wan, type: cone }")[0].contains("`cone` is not known here"));
    assert!(with("{ outside: wan, prots: 1-2 }")[0].contains("did you mean `ports`"));
    assert!(with("{ outside: wan, forward: [{ port: 80, to: bob }] }")[0].contains("as in `10.0.0.2:80`"));
    assert!(with("{ outside: wan, timeouts: { udp: 5 } }")[0].contains("has no unit"));
    let no_ipv4 = line("host", "{ router: { nat: wan } }", "router", "host")
        .replace(": 1\n", ": 1\naddressing: { ipv4: none }\n");
    assert!(bad(&no_ipv4)[0].contains("`r1.wan` has no IPv4 address to translate to"));
}

#[test]
fn check_shows_what_a_translation_comes_to() {
    let text = line("host", "{ router: { nat: { outside: wan, timeouts: { udp: 30s } } } }", "router", "host");
    let listing = super::listing(&good(&text));
    for part in ["nat:", "outside: wan", "mapping: endpoint_independent", "udp: 30s", "ports: 1024-65535"] {
        assert!(listing.contains(part), "{part}: {listing}");
    }
}

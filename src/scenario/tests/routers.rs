//! Whole scenarios with routers: what they come to, and what is said of their mistakes.

use std::path::Path;

use super::{Overrides, listing, load};
use crate::engine::NodePlan;
use crate::language::files::MemoryFiles;
use crate::node::RouterPlan;
use crate::tasks::resolved::Resolved;
use crate::tasks::spec::WorkloadKind;

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
    assert!(a.neighbours.iter().eq(wanted));
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

fn routes(resolved: &Resolved, host: usize) -> Vec<String> {
    let routes = resolved.network.hosts[host].routes.iter().filter(|route| route.via.is_some());
    let text = |route: &crate::addressing::network::RoutePlan| {
        let (via, interface) = (route.via.unwrap(), route.interface.as_deref().unwrap());
        format!("{} via {via} dev {interface} table {}", route.to, route.table)
    };
    routes.map(text).collect()
}

#[test]
fn hosts_have_the_first_router_on_their_segment_as_gateway() {
    let resolved = good(&line("host", "router", "router", "host"));
    let both = ["0.0.0.0/0 via 10.0.0.1 dev eth0 table 254", "::/0 via fd00::1 dev eth0 table 254"];
    assert_eq!(routes(&resolved, 0), both);
    assert_eq!(resolved.network.hosts[1].interfaces[0].gateways.len(), 2);
    let two = "longwire: 1\nnodes: { a: { host: { KEY } }, s: switch, q: router, r: router, b: host }\nlinks:\n  \
               l: { ends: [a, s] }\n  m: { ends: [q, s] }\n  n: { ends: [r, s] }\n  o: { ends: [q, b] }\n";
    assert_eq!(routes(&good(&two.replace("KEY", "")), 0), both, "of two the first in the file");
    // what the file says wins, in its family
    let resolved = good(&two.replace("KEY", "routes: [{ to: default, via: 10.0.0.2 }]"));
    assert_eq!(routes(&resolved, 0), ["0.0.0.0/0 via 10.0.0.2 dev eth0 table 254", both[1]]);
    assert_eq!(routes(&good(&two.replace("KEY", "default_route: none")), 0), [""; 0]);
    let told = bad(&two.replace("KEY", "default_route: none, routes: [{ to: default, via: 10.0.0.2 }]"));
    assert!(told[0].contains("beside a default route"), "{told:?}");
    // without a router nothing is added
    let alone = "longwire: 1\nnodes: { a: host, b: host }\nlinks: { l: { ends: [a, b] } }\n";
    assert_eq!(routes(&good(alone), 0), [""; 0]);
}

/// A phone with three interfaces, two of them behind routers of their own.
fn phone(key: &str) -> String {
    format!(
        "longwire: 1\nnodes:\n  phone: {{ host: {{ {key} }} }}\n  ap: router\n  tower: router\n  watch: host\n  server: host\n  core: router\n\
         links:\n  body: {{ ends: [phone.bt0, watch] }}\n  wifi: {{ ends: [phone.wlan0, ap] }}\n  cell: {{ ends: [phone.wwan0, tower] }}\n  \
         one: {{ ends: [ap, core] }}\n  two: {{ ends: [tower, core] }}\n  three: {{ ends: [core, server] }}\n"
    )
}

#[test]
fn each_interface_has_its_gateway_and_one_is_the_default() {
    let v4 = |resolved: &Resolved| {
        routes(resolved, 0).into_iter().filter(|route| route.starts_with("0.0.0.0/0")).collect::<Vec<_>>()
    };
    let tables = ["0.0.0.0/0 via 10.0.1.1 dev wlan0 table 102", "0.0.0.0/0 via 10.0.2.1 dev wwan0 table 103"];
    assert_eq!(v4(&good(&phone(""))), ["0.0.0.0/0 via 10.0.1.1 dev wlan0 table 254", tables[0], tables[1]]);
    let resolved = good(&phone("default_route: wwan0"));
    assert_eq!(v4(&resolved), ["0.0.0.0/0 via 10.0.2.1 dev wwan0 table 254", tables[0], tables[1]]);
    let gateways = |at: usize| resolved.network.hosts[0].interfaces[at].gateways.clone();
    assert!(gateways(0).is_empty());
    assert_eq!(gateways(2)[0].to_string(), "10.0.2.1");

    let told = |key: &str| bad(&phone(key))[0].clone();
    assert!(told("default_route: wlan1").contains("`phone` has no interface `wlan1` (did you mean `wlan0`?)"));
    assert!(told("default_route: bt0").contains("there is no gateway behind `phone.bt0`"));
    let both = told("default_route: wlan0, routes: [{ to: default, via: 10.0.2.1 }]");
    assert!(both.contains("`routes` have a default route by 10.0.2.1"), "{both}");
}

#[test]
fn workloads_go_where_routes_lead() {
    let text = |nodes: (&str, &str), workload: &str| {
        let text = line("host", nodes.0, nodes.1, "host");
        format!("{text}workloads: {{ w: {{ {workload} }} }}\n")
    };
    let ping = |resolved: &Resolved| match &resolved.scenario.workloads["w"].kind {
        WorkloadKind::Ping(ping) => (ping.path.to, ping.path.destination.to_string()),
        other => panic!("{other:?}"),
    };
    let both = ("router", "router");
    assert_eq!(ping(&good(&text(both, "ping: { from: a, to: b, count: 1 }"))), (Some(1), "10.0.2.2".into()));
    let six = good(&text(both, "ping: { from: a.eth0, to: r2.eth1, count: 1, family: ipv6 }"));
    assert_eq!(ping(&six), (None, "fd00:0:0:2::1".into()));
    // the near address of a router first
    assert_eq!(ping(&good(&text(both, "ping: { from: b, to: r2, count: 1 }"))), (None, "10.0.2.1".into()));

    let says = |nodes, workload, part: &str| {
        let told = bad(&text(nodes, workload));
        assert!(told.len() == 1 && told[0].contains(part), "{told:?}");
    };
    says(both, "ping: { from: a, to: 192.0.2.1, count: 1 }", "`r1`, on the way, has no route to 192.0.2.1");
    says(both, "ping: { from: a, to: r1.wlan0, count: 1 }", "`r1` has no interface `wlan0`");
    says(both, "ping: { from: r1, to: a, count: 1 }", "`r1` is a router: it runs no programs (name a host: `a`, `b`)");
    says(both, "udp: { from: a, to: r1, count: 1, every: 1s }", "`r1` is a router");
    says(both, "in: r1, shell: x", "`r1` is a router");
    let circle = (
        "{ router: { routes: [{ to: 192.0.2.0/24, via: 10.0.1.1 }] } }",
        "{ router: { routes: [{ to: 192.0.2.0/24, via: 10.0.1.0 }] } }",
    );
    says(circle, "ping: { from: a, to: 192.0.2.1, count: 1 }", "go in a circle, by way of `r");
    let no_way_back = line("host", "router", "router", "{ host: { default_route: none } }");
    let told = bad(&format!("{no_way_back}workloads: {{ w: {{ ping: {{ from: a, to: b, count: 1 }} }} }}\n"));
    assert!(told[0].contains("`b` has no route back to 10.0.0.2 (join it to a router"), "{told:?}");
}

#[test]
fn a_gateway_is_there_and_forwards() {
    let text = |routes: &str| line(&format!("{{ host: {{ routes: [{routes}] }} }}"), "router", "router", "host");
    let told = bad(&text("{ to: 10.9.0.0/16, via: 10.0.0.7 }"));
    let expected = "nobody has the gateway's address 10.0.0.7 (the routers on its segment: `10.0.0.1`)";
    assert!(told[0].contains(expected), "{told:?}");
    let of_router = line("host", "{ router: { routes: [{ to: default, via: 10.0.1.9 }] } }", "router", "host");
    assert!(bad(&of_router)[0].contains("`r1` cannot reach the gateway 10.0.1.9 directly"));

    // a host takes what is for itself only
    let hosts = "longwire: 1\nnodes: { a: { host: { routes: [{ to: default, via: 10.0.0.2 }] } }, b: host, c: host }\n\
                 links: { l: { ends: [a, b] }, m: { ends: [b, c] } }\n";
    let warned: Vec<_> = good(hosts).warnings.iter().map(ToString::to_string).collect();
    assert_eq!(warned.len(), 1);
    assert!(warned[0].contains("the gateway 10.0.0.2 is `b`, a host: what is for others ends there"), "{warned:?}");
    let with = |to: &str| format!("{hosts}workloads: {{ w: {{ ping: {{ from: a, to: {to}, count: 1 }} }} }}\n");
    assert!(bad(&with("c")).iter().any(|told| told.contains("is `b`, a host: it forwards nothing")));
    let _ = good(&with("b.eth1"));
}

#[test]
fn external_machines_get_routes_to_the_scenarios_networks_alone() {
    let text = "longwire: 1\nnodes:\n  box: { external: { netns: 4711, interface: net1, addresses: [10.5.0.9/24] } }\n  \
                vm: { external: { tap: lw0 } }\n  s: switch\n  r1: router\n  r2: router\n  b: host\n\
                links: { l: { ends: [box, s] }, k: { ends: [vm, s] }, m: { ends: [s, r1] }, n: { ends: [r1, r2] }, o: { ends: [r2, b] } }\n";
    let resolved = good(text);
    assert_eq!(
        routes(&resolved, 0),
        ["10.0.0.0/31 via 10.5.0.1 dev net1 table 254", "10.0.1.0/24 via 10.5.0.1 dev net1 table 254"]
    );
    assert!(resolved.network.hosts[1].routes.is_empty());
    let shown = listing(&resolved);
    assert!(shown.contains("gateways: [10.5.0.1, fd00::1]"), "{shown}");
}

#[test]
fn what_routers_compute_is_shown() {
    let given = "{ router: { addresses: { up: [10.0.2.1/24] }, routes: [{ to: default, via: 10.0.2.2 }] } }";
    let text = line("host", "router", given, "{ external: { tap: lw0 } }").replace("[r2, b]", "[r2.up, b]");
    let shown = listing(&good(&text));
    let lines: Vec<&str> = shown.lines().map(|line| line.split('#').next().unwrap_or("").trim()).collect();
    assert!(lines.contains(&"route: 10.0.2.0/24, 0.0.0.0/0 via 10.0.1.1 dev wan"), "{shown}");
    assert!(lines.contains(&"route: 0.0.0.0/0 via 10.0.2.2 dev up"), "{shown}");
    assert!(lines.contains(&"route: 0.0.0.0/0 via 10.0.0.1 dev eth0"), "{shown}");
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

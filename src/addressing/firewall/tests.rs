//! Firewalls from text to plan, with names and mistakes.

use ipnet::IpNet;

use super::directory::Station;
use super::*;
use crate::diag::Sources;
use crate::language::parse::parse;
use crate::language::read::read;
use crate::language::tree::Origin;
use crate::node::router::firewall::testing::{tcp, with_packet};
use crate::node::router::firewall::{Action, Firewall, FirewallPlan};
use crate::topology::firewall::FirewallSpec;
use crate::units::Instant;
use crate::wire::tcp::Flags;

/// A firewall on `gw`, which joins `lan` (alice, bob), `dmz` (web) and `wan` (far).
fn plan_text(text: &str) -> (Option<FirewallPlan>, Vec<String>) {
    let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpNet>>();
    let addresses = [
        ("alice", nets(&["10.0.1.1/24", "fd00:1::1/64"])),
        ("bob", nets(&["10.0.1.2/24", "fd00:1::2/64"])),
        ("web", nets(&["10.0.2.1/24"])),
        ("far", nets(&["192.0.2.1/24"])),
        ("vm", nets(&[])),
    ];
    let clients = ["alice", "bob"].map(String::from);
    let mut directory = Directory {
        segments: [("lan", nets(&["10.0.1.0/24", "fd00:1::/64"])), ("dmz", nets(&["10.0.2.0/24"]))].into(),
        groups: [("clients", &clients[..])].into(),
        silent: vec!["odd"],
        ..Directory::default()
    };
    for (name, addresses) in &addresses {
        directory.stations.insert(name, Station { interfaces: vec![("eth0", addresses)] });
    }
    let gateway = nets(&["10.0.1.254/24"]);
    directory.stations.insert("gw", Station { interfaces: vec![("eth0", &gateway), ("eth1", &[]), ("wan", &[])] });
    let interfaces = vec![("eth0", "lan"), ("eth1", "dmz"), ("wan", "uplink")];
    let wall = Wall { router: "gw", interfaces, directory: &directory };
    let (mut sources, mut told) = (Sources::default(), Diagnostics::default());
    let source = sources.add("test.yaml", text);
    let mut node = parse(&sources, source, &Origin::File, &mut told).unwrap();
    let spec = read::<FirewallSpec>(&mut node, &mut told);
    let plan = spec.map(|spec| plan(&spec, &wall, &mut told));
    told.sort();
    (plan, told.iter().map(ToString::to_string).collect())
}

fn good(text: &str) -> FirewallPlan {
    let (plan, told) = plan_text(text);
    assert_eq!(told, [""; 0]);
    plan.unwrap()
}

/// The one mistake in a list of rules.
fn told(rules: &str) -> String {
    let (_, told) = plan_text(&format!("default: drop\nrules:\n{rules}"));
    assert_eq!(told.len(), 1, "{told:#?}");
    told.into_iter().next().unwrap()
}

/// Whether a SYN passes that comes in at a port and leaves by another.
fn passes(wall: &mut Firewall, src: [u8; 4], dst: [u8; 4], port: u16, from: u32, to: Option<u32>) -> bool {
    let frame = tcp(src, 4000, dst, port, Flags::SYN);
    let packet = |packet: &crate::node::router::firewall::Packet<'_>| {
        wall.check(Instant::ZERO, &crate::node::router::firewall::Packet { from, to, ..*packet })
    };
    with_packet(&frame, packet) == Action::Allow
}

#[test]
fn names_stand_for_addresses_and_interfaces() {
    let plan = good(
        "default: drop\n\
         rules:\n\
         - { name: web, allow: { in: lan, from: clients, to: web, tcp: [80, 443] } }\n\
         - allow: { from: [far, 198.51.100.0/24], to: dmz, tcp: 22 }\n\
         - allow: { in: [eth0, uplink], to: router, tcp: 179 }\n\
         - reject: { out: wan, from: lan }\n",
    );
    let names: Vec<&str> = plan.rules.iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "web",
            "{ from: [far, 198.51.100.0/24], to: dmz, tcp: 22 }",
            "{ in: [eth0, uplink], to: router, tcp: 179 }",
            "{ out: wan, from: lan }"
        ]
    );
    let mut wall = Firewall::new(&plan);
    let (alice, bob, carol, web, far) = ([10, 0, 1, 1], [10, 0, 1, 2], [10, 0, 1, 3], [10, 0, 2, 1], [192, 0, 2, 1]);
    for (src, dst, port, from, to, expected) in [
        (alice, web, 443, 0, Some(1), true),
        (bob, web, 80, 0, Some(1), true),
        (bob, web, 81, 0, Some(1), false),
        (bob, web, 80, 2, Some(1), false),
        (carol, web, 80, 0, Some(1), false),
        (far, web, 22, 2, Some(1), true),
        ([198, 51, 100, 7], [10, 0, 2, 200], 22, 2, Some(1), true),
        (far, alice, 22, 2, Some(0), false),
        (alice, [10, 0, 1, 254], 179, 0, None, true),
        (alice, far, 179, 0, Some(2), false),
        (far, [10, 0, 1, 254], 179, 2, None, true),
        (web, [10, 0, 2, 254], 179, 1, None, false),
    ] {
        assert_eq!(passes(&mut wall, src, dst, port, from, to), expected, "{src:?} → {dst:?}:{port}");
    }
    let counts: Vec<u64> = wall.counts().map(|count| count.counted.frames).collect();
    assert_eq!(counts, [2, 2, 2, 1, 0, 5]);
}

#[test]
fn defaults_and_what_may_be_said_beside_rules() {
    let plan = good("default: reject\n");
    assert_eq!(
        (plan.default, plan.limit, plan.rules.len()),
        (crate::node::router::firewall::Policy::Reject, 65_536, 0)
    );
    let plan = good("default: allow\nlimit: 10\ntimeouts: { udp: 5s }\n");
    assert_eq!((plan.limit, plan.timeouts.udp.as_nanos()), (10, 5_000_000_000));
    assert_eq!(plan_text("rules: []\n").1, ["1:1: `default` is missing"]);
    assert!(plan_text("default: drop\nlimit: 0\n").1[0].contains("goes from 1 to 1,048,576"));
    assert!(plan_text("default: deny\n").1[0].contains("`deny` is not known here"));
}

#[test]
fn unknown_names_are_told_with_suggestions() {
    assert!(told("- allow: { from: alcie }").contains("nothing here is called `alcie` (did you mean `alice`?"));
    assert!(told("- allow: { to: alice.eth1 }").contains("`alice` has no interface `eth1` (did you mean `eth0`?)"));
    assert!(told("- allow: { in: lann }").contains("`gw` has no interface and no link `lann` (did you mean `lan`?)"));
    assert!(told("- allow: { to: vm }").contains("`vm` has no address that the scenario knows"));
    assert!(told("- allow: { from: 10.0.1.5/24 }").contains("write `10.0.1.5` for the host alone"));
    assert!(told("- allow: { from: 10.0.1.0/33 }").contains("no address and no network"));
    assert!(told("- allow: { from: router }").contains("what the router itself sends"));
    assert!(told("- allow: { from: gw }").contains("what the router itself sends"));
    let two = plan_text("default: drop\nrules: [{ allow: { from: [x1, y1], to: z1 } }]\n").1;
    assert_eq!(two.len(), 3, "{two:#?}");
    assert!(
        plan_text("default: drop\nrules: [{ allow: { from: odd } }]\n").1.is_empty(),
        "something else is told of it"
    );
}

#[test]
fn what_no_packet_has_is_a_mistake() {
    assert!(told("- allow: { protocol: icmp, port: 80 }").contains("protocol `icmp` has no ports"));
    assert!(told("- allow: { from: 10.0.0.1, to: fd00::1 }").contains("`from` is of IPv4 alone, `to` of IPv6"));
    assert!(
        told("- allow: { to: web, protocol: icmpv6 }").contains("`to` is of IPv4 alone, the rest of the rule of IPv6")
    );
    assert!(told("- allow: { from: web, family: ipv6 }").contains("`from` is of IPv4 alone"));
    assert!(told("- allow: { to: router, out: wan }").contains("leaves by no interface"));
    good("default: drop\nrules: [{ allow: { from: alice, to: web, protocol: icmp } }]\n");
}

#[test]
fn a_rule_that_an_earlier_one_covers_is_warned_of() {
    let covered = told("- drop: { from: lan }\n- allow: { from: alice, tcp: 80 }");
    assert!(covered.contains("no packet reaches this rule") && covered.contains("put the narrower rule first"));
    assert!(told("- drop: any\n- allow: tcp").contains("no packet reaches"));
    good("default: drop\nrules: [{ drop: { from: alice } }, { allow: { from: lan } }, { allow: { to: lan } }]\n");
}

#[test]
fn names_of_rules_differ() {
    let twice = told("- { name: a, allow: tcp }\n- { name: a, allow: udp }");
    assert!(twice.contains("`a` is already the name of a rule"), "{twice}");
    assert!(told("- { name: default, allow: tcp }").contains("cannot name a rule"));
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_and_what_follows_is_not() {
    let (_, told) = plan_text(
        "default: drop\n\
         rules:\n\
         - allow: { tpc: 80 }\n\
         - allow: { tcp: 99999 }\n\
         - { name: x }\n\
         - allow: { from: nobody }\n",
    );
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told[0].contains("did you mean `tcp`?") && told[1].contains("no port") && told[2].contains("says `allow`"));
    assert!(told[3].contains("nothing here is called `nobody`"));
}

/// Through the whole reader: names of groups, switches, links and hosts become the addresses that they were given.
#[test]
fn a_whole_scenario_has_its_firewall_planned() {
    use std::path::Path;

    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};
    let scenario = |rules: &str| {
        format!(
            "longwire: 1\n\
             nodes:\n  pcs: {{ host: {{ count: 2 }} }}\n  s1: switch\n  s2: switch\n  web: host\n  \
             gw: {{ router: {{ firewall: {{ default: drop, rules: [{rules}] }} }} }}\n\
             links:\n  access: {{ ends: [pcs, s1] }}\n  trunk: {{ ends: [s1, s2] }}\n  up: {{ ends: [s2, gw.lan] }}\n  \
             dmz: {{ ends: [web, gw] }}\n"
        )
    };
    let load = |rules: &str| {
        let files = MemoryFiles::one("t", &scenario(rules));
        load(Path::new("t"), &files, &Overrides::default())
            .map_err(|(told, _)| told.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    };
    for from in ["pcs", "s1", "s2", "trunk", "up", "pcs-2", "10.0.0.0/24"] {
        let resolved = load(&format!("{{ allow: {{ in: up, from: {from}, to: web, tcp: 80 }} }}")).unwrap();
        assert!(resolved.warnings.is_empty());
        let router = resolved.plan.nodes.iter().find_map(crate::engine::NodePlan::router).unwrap();
        let web = resolved.network.hosts.iter().find(|host| host.name == "web").unwrap();
        let pc = resolved.network.hosts.iter().find(|host| host.name == "pcs-2").unwrap();
        let v4 = |host: &crate::addressing::network::HostPlan| match host.interfaces[0].addresses[0].addr() {
            core::net::IpAddr::V4(address) => address.octets(),
            other => panic!("{other}"),
        };
        let mut wall = Firewall::new(router.firewall.as_ref().unwrap());
        assert!(passes(&mut wall, v4(pc), v4(web), 80, 0, Some(1)), "{from}");
        assert!(!passes(&mut wall, v4(web), v4(pc), 80, 1, Some(0)), "{from}");
    }
    assert!(load("{ allow: { from: pcx } }").unwrap_err().contains("did you mean `pcs`?"));
    assert!(load("{ allow: { in: dmzz } }").unwrap_err().contains("did you mean `dmz`?"));
}

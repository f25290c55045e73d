//! Groups of nodes, links, services and workloads.

use super::{bad, good, links, nodes, rate};
use crate::scenario::listing;
use crate::tasks::spec::{Start, WorkloadKind};
use crate::topology::expand::GroupKind;
use crate::units::Duration;

const OFFICE: &str = "\
params: { n: 3 }
duration: 10s
nodes:
  clients: { host: { count: $n, mtu: 1400 } }
  ap: switch
  server: host
links:
  wifi: { ends: [clients.wlan0, ap], profile: dsl, user: clients, toward: { clients: { rate: 9Mbit }, ap: { rate: 2Mbit } } }
  lan: { ends: [ap, server], delay: 1ms }
services:
  agent: { in: clients, command: [sleep, 60] }
workloads:
  rtt: { at: 1s, stagger: 100ms, ping: { from: clients, to: server, count: 5 } }
  back: { after: rtt, ping: { from: server, to: clients.wlan0, count: 5 } }
  work: { after: [rtt-2, back], in: clients, shell: x }
";

#[test]
fn a_group_is_its_members_wherever_its_name_stands() {
    let resolved = good(OFFICE);
    assert_eq!(nodes(&resolved), ["clients-1.wlan0", "clients-2.wlan0", "clients-3.wlan0", "ap", "server.eth0"]);
    assert_eq!(
        links(&resolved),
        [
            "wifi-1: clients-1.wlan0 ap",
            "wifi-2: clients-2.wlan0 ap",
            "wifi-3: clients-3.wlan0 ap",
            "lan: ap server.eth0"
        ]
    );
    let hosts = &resolved.network.hosts;
    let addresses: Vec<_> = hosts.iter().map(|host| host.interfaces[0].addresses[0].to_string()).collect();
    assert_eq!(addresses, ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.3/24", "10.0.0.4/24"]);
    assert!(hosts[..3].iter().all(|host| host.interfaces[0].mtu == 1400));
    for link in &resolved.plan.links[..3] {
        let rates: Vec<_> = link.directions.iter().map(|direction| rate(&direction.rate)).collect();
        assert_eq!(rates, ["2Mbit", "9Mbit"]);
    }
    let scenario = &resolved.scenario;
    assert_eq!(scenario.services.keys().collect::<Vec<_>>(), ["agent-1", "agent-2", "agent-3"]);
    assert_eq!(scenario.services["agent-2"].program.host, 1);
    for k in 1..=3u64 {
        let rtt = &scenario.workloads[&format!("rtt-{k}")];
        assert_eq!(rtt.start, Start::At(Duration::from_millis(900 + 100 * k)));
        let WorkloadKind::Ping(ping) = &rtt.kind else { panic!() };
        assert_eq!((ping.path.from, ping.path.to), (k as usize - 1, Some(3)));
        let WorkloadKind::Ping(ping) = &scenario.workloads[&format!("back-{k}")].kind else { panic!() };
        assert_eq!((ping.path.from, ping.path.to), (3, Some(k as usize - 1)));
    }
    let Start::After(names) = &scenario.workloads["work-3"].start else { panic!() };
    assert_eq!(names, &["rtt-2", "back-1", "back-2", "back-3"]);
    let kinds: Vec<_> = scenario.groups.iter().map(|(name, group)| (name, group.kind, group.members.len())).collect();
    assert_eq!(
        kinds,
        [
            ("clients", GroupKind::Nodes, 3),
            ("wifi", GroupKind::Links, 3),
            ("agent", GroupKind::Services, 3),
            ("rtt", GroupKind::Workloads, 3),
            ("back", GroupKind::Workloads, 3),
            ("work", GroupKind::Workloads, 3)
        ]
    );
}

#[test]
fn a_listing_shows_equal_members_once() {
    let text = listing(&good(OFFICE));
    let line = |part: &str| text.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {text}"));
    assert!(line("clients-1 … clients-3:").ends_with("# host"), "{text}");
    assert!(line("addresses:").contains("[10.0.0.1/24 … 10.0.0.3/24, fd00::1/64 … fd00::3/64]"), "{text}");
    assert!(line("wifi-1 … wifi-3:").contains("test.yaml:9"), "{text}");
    assert!(text.contains("clients.wlan0 → ap:"), "{text}");
    assert!(line("rtt-1 … rtt-3:").contains("ping clients → server (10.0.0.4)"), "{text}");
    assert!(line("rtt-1 … rtt-3:").ends_with("# at 1s … 1.2s"), "{text}");
    assert!(line("back-1 … back-3:").contains("ping server → clients (10.0.0.1 … 10.0.0.3)"), "{text}");
    assert!(!text.contains("clients-2"), "{text}");
}

#[test]
fn two_groups_of_one_size_are_joined_by_number() {
    let nodes = "nodes: { a: { host: { count: 2 } }, b: { switch: { count: 2 } }, c: { host: { count: 3 } } }\n";
    let resolved = good(&format!("{nodes}links: {{ l: {{ ends: [a, b] }}, m: {{ ends: [c, b-1] }} }}\n"));
    assert_eq!(links(&resolved)[..2], ["l-1: a-1.eth0 b-1", "l-2: a-2.eth0 b-2"]);
    assert_eq!(
        bad(&format!("{nodes}links: {{ l: {{ ends: [a, c] }}, m: {{ ends: [c, c] }} }}\n")),
        [
            "3:21: `a` has 2 members, `c` has 3 (groups of one size are joined by number; others meet at a switch, a link \
             from each to it)",
            "3:42: both ends are `c` (a pattern joins the members of a group with each other, as in `full: GROUP` or \
             `ring: GROUP`)"
        ]
    );
    let base = format!("{nodes}links: {{ l: {{ star: [a, b-1, b-2, c] }} }}\nworkloads:\n");
    assert_eq!(
        bad(&format!(
            "{base}  w: {{ ping: {{ from: a, to: c, count: 1 }} }}\n  v: {{ ping: {{ from: a, to: a, count: 1 }} }}\n"
        )),
        [
            "5:29: `a` has 2 members, `c` has 3 (groups of one size are paired by number; otherwise one of the two is a \
             host)",
            "6:29: from each member of `a` to itself: nothing of it would cross a link (name one host, or another group)"
        ]
    );
}

#[test]
fn mistakes_in_groups_are_told_once() {
    assert_eq!(
        bad("\
nodes:
  a: { host: { count: 50, mut: 1400 } }
  b: { host: { count: 0 } }
  c: { host: { count: many } }
  d: { host: { count: 200000 } }
  e: { host: { count: 2, addresses: [10.0.0.5/24] } }
  f: { host: { count: 2 } }
  f-2: host
  sw: switch
links:
  l: { ends: [a, ws], dealy: 5ms }
  m: { ends: [f, sw] }
  n: { ends: [b, sw] }
  o: { ends: [sw, c], toward: { d: {} } }
workloads:
  w: { in: a, shel: x }
  v: { stagger: 5ms, in: sw, shell: x }
  u: { in: e, shell: x }
"),
        [
            "3:27: unknown field `mut` (did you mean `mtu`?)",
            "4:23: `b` has no members: its `count` is 0 (write 1 to 100000)",
            "5:23: expected a whole number from 0, found `many`",
            "6:23: 199999 more nodes make 200056, which is too many (a scenario has at most 100000 nodes)",
            "7:26: the members of `e` cannot share addresses (leave `addresses` out: each member gets its own, from the \
             subnet that others on its segment name, else from the pool under `addressing`)",
            "8:3: `f` makes `f-2`, a name that is taken (give one of the two another name)",
            "12:18: unknown node `ws` (did you mean `sw`?)",
            "12:23: unknown field `dealy` (did you mean `delay`?)",
            "17:15: unknown field `shel` (did you mean `shell`?)",
            "18:8: `stagger` is for groups, and `v` is one workload (name a group where it runs, or take `stagger` away)",
        ]
    );
    let told = bad("\
nodes: { a: { host: { count: 40, routes: [{ to: default, via: 192.168.0.1 }] } }, sw: switch }
links: { l: { ends: [a, sw] } }
workloads: { w: { after: v, stagger: 5ms, in: a, shell: x }, v: { in: a, shell: x } }
");
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told[0].contains("`a-1` cannot reach the gateway"), "{told:#?}");
    assert!(told[1].contains("`stagger` counts from `at`"), "{told:#?}");
}

#[test]
fn external_machines_in_a_group_are_numbered() {
    let resolved = good(
        "nodes: { vm: { external: { count: 2, tap: lw } }, box: { external: { count: 2, netns: /run/netns/b, interface: \
         e0 } }, sw: switch }\nlinks: { v: { ends: [vm, sw] }, b: { ends: [box, sw] } }\n",
    );
    assert_eq!(links(&resolved), ["v-1: vm-1.lw-1 sw", "v-2: vm-2.lw-2 sw", "b-1: box-1.e0 sw", "b-2: box-2.e0 sw"]);
    assert!(bad("nodes: { b: { external: { count: 2, netns: 17, interface: e0 } } }\n")[0].contains("in one process"));
}

#[test]
fn waiting_for_a_group_may_not_go_round() {
    let base = "nodes: { a: { host: { count: 3 } }, sw: switch }\nlinks: { l: { ends: [a, sw] } }\nworkloads:\n";
    let told = bad(&format!("{base}  v: {{ in: a, shell: x, after: w }}\n  w: {{ in: a, shell: x, after: v }}\n"));
    assert!(told[0].contains("workloads wait for each other: `v-1` after `w-1` after `v-1`"), "{told:#?}");
    let many = "nodes: { a: { host: { count: 1500 } }, sw: switch }\nlinks: { l: { ends: [a, sw] } }\nworkloads:\n";
    let told = bad(&format!("{many}  v: {{ in: a, shell: x }}\n  w: {{ in: a, shell: x, after: v }}\n"));
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("wait for too many of another"), "{told:#?}");
}

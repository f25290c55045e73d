//! Whole scenarios: what they come to, and what is said of their mistakes.

mod expand;
mod routers;
mod serving;
mod sites;

use std::path::Path;

use super::{Overrides, listing, load};
use crate::diag::Severity;
use crate::engine::NodeKind;
use crate::language::files::MemoryFiles;
use crate::model::{DelaySpec, LossSpec};
use crate::queue::QueueSpec;
use crate::tasks::resolved::Resolved;
use crate::tasks::spec::{Amount, Command, Pace, Start, WorkloadKind};
use crate::units::Duration;

const GOOD: &str = include_str!("good.yaml");

fn try_load(text: &str) -> Result<Resolved, Vec<String>> {
    load(Path::new("test.yaml"), &MemoryFiles::one("test.yaml", text), &Overrides::default())
        .map_err(|(told, _)| told.iter().map(ToString::to_string).collect())
}

pub(crate) fn good(text: &str) -> Resolved {
    try_load(text).unwrap_or_else(|told| panic!("{told:#?}"))
}

pub(crate) fn bad(text: &str) -> Vec<String> {
    try_load(text).expect_err("mistakes")
}

pub(crate) fn warnings(resolved: &Resolved) -> Vec<String> {
    assert!(resolved.warnings.iter().all(|d| d.severity == Severity::Warning));
    resolved.warnings.iter().map(ToString::to_string).collect()
}

#[test]
fn the_resolved_plan_shows_every_value_and_its_origin() {
    let resolved = good(GOOD);
    assert_eq!(warnings(&resolved), [""; 0]);
    insta::assert_snapshot!(listing(&resolved));
}

#[test]
fn five_mistakes_are_five_messages() {
    let told = bad("\
longwire: 1
nodes: { alice: host, bob: host }
links:
  wifi: { ends: [alice, bbo], dealy: 5ms, loss: 0.5, queue: { fifo: { packets: 5 } }, mtu: 40 }
");
    assert_eq!(
        told,
        [
            "4:25: unknown node `bbo` (did you mean `bob`?)",
            "4:31: unknown field `dealy` (did you mean `delay`?)",
            "4:49: `0.5` has no unit, and could mean 0.5 % or a fraction of one: write `0.5%` for the first, with `ppm` for parts per million",
            "4:54: `queue` without `rate`: a wire that takes no time has no queue (name a `rate`, or take `queue` away)",
            "4:92: an mtu of 40 is out of range: 68 to 65535 bytes",
        ]
    );
}

#[test]
fn a_dozen_mistakes_are_told_at_once_and_nothing_that_follows_from_them() {
    let told = bad("\
longwire: 2
duraton: 5s
seed: seven
params: { loss: 1% }
nodes:
  alice: host
  bob: hots
  ap: { switch: { ageing: 5 } }
  al.ice: host
  eve: host
links:
  wifi: { ends: [alice, ap], loss: $los, profile: wifi-por }
  lan: { ends: [ap, bob], rtt: 10ms, delay: { mean: 5ms }, toward: { bbo: { rate: 5Mbps } } }
  far: { ends: [eve], delay: 1ms }
  alice: { ends: [alice.wlan0, eve.averyveryverylongname] }
services:
  web: { in: bob, comand: [x] }
workloads:
  fetch: { in: alcie, shell: x }
  rtt: { ping: { from: alice, to: bob, evry: 1s } }
  two: { shell: x, ping: { from: ap, to: alice, count: 5 } }
  three: { in: alice, command: [], after: [rtt, fuor] }
expct: []
");
    assert_eq!(
        told,
        [
            "1:11: version 2 of the language is not known here (this longwire reads `longwire: 1`)",
            "2:1: unknown field `duraton` (did you mean `duration`?)",
            "3:7: expected a whole number from 0, found `seven`",
            "7:8: `hots` is not known here (did you mean `host`?)",
            "8:27: `5` has no unit: write `5ms` (units: ns us µs ms s m h)",
            "9:3: `al.ice` cannot be a name: it has `.` in it (letters, digits, `-` and `_`, a letter or digit first, at most 63 bytes)",
            "12:36: unknown parameter `$los` (did you mean `loss`?)",
            "12:51: unknown profile `wifi-por` (did you mean `wifi-poor`?)",
            "13:27: `rtt` and `delay` both say how long a frame travels (keep one: `rtt` is there and back, half for each direction; `delay` is one way)",
            "13:83: `Mbps` is not a unit of a rate, did you mean `5Mbit`? (units: bit kbit Mbit Gbit)",
            "14:16: a link has two ends, not 1 (as in `ends: [alice, bob]`; more than two meet at a switch)",
            "15:3: `alice` is already the name of one of the nodes (nodes, links, services and workloads share one name space: choose another name)",
            "15:32: `averyveryverylongname` is too long for an interface: at most 15 bytes (as in `alice.wlan0`)",
            "17:19: unknown field `comand` (did you mean `command`?)",
            "19:16: unknown host `alcie` (did you mean `alice`?)",
            "20:40: unknown field `evry` (did you mean `every`?)",
            "21:26: `two` is both `shell` and `ping` (make two workloads of it)",
            "22:32: the `command` of `three` is empty",
            "22:49: unknown workload `fuor` (known here: `fetch`, `rtt`, `two`, `three`)",
            "23:1: unknown field `expct` (did you mean `expect`?)",
        ]
    );
}

/// Two hosts and a link, with these fields of the link.
fn with_link(fields: &str) -> String {
    format!("longwire: 1\nnodes: {{ a: host, b: host }}\nlinks:\n  l: {{ ends: [a, b], {fields} }}\n")
}

#[test]
fn half_duplex_is_said_of_a_link_and_needs_a_rate_in_both_directions() {
    let resolved = good(&with_link("half_duplex: true, rate: 1Mbit, toward: { b: { rate: 2Mbit } }"));
    assert!(resolved.plan.links[0].directions.iter().all(|direction| direction.half_duplex));
    assert!(listing(&resolved).contains("half_duplex: true"));
    let full = good(&with_link("half_duplex: false, rate: 1Mbit"));
    assert!(full.plan.links[0].directions.iter().all(|direction| !direction.half_duplex));
    assert!(!listing(&full).contains("half_duplex"));
    let lacking = "`half_duplex` without a `rate` in each direction: what takes no time never waits for its turn \
                   (name a `rate`, or take `half_duplex` away)";
    assert_eq!(bad(&with_link("half_duplex: true")), [format!("4:22: {lacking}")]);
    assert_eq!(bad(&with_link("half_duplex: true, toward: { a: { rate: 1Mbit } }")), [format!("4:22: {lacking}")]);
    assert_eq!(
        bad(&with_link("rate: 1Mbit, toward: { a: { half_duplex: true } }")),
        ["4:50: unknown field `half_duplex` (`half_duplex` is of both directions: it stands beside `ends`)"]
    );
    assert_eq!(bad(&with_link("half_duplex: 1, rate: 1Mbit")).len(), 1);
}

#[test]
fn rates_of_every_kind_are_read_and_shown() {
    let files = |rate: &str| {
        MemoryFiles::one("test.yaml", &with_link(&format!("rate: {{ {rate} }}")))
            .with("cell.up", "1\n5\n")
            .with("back.up", "5\n1\n")
            .with("drive.csv", "s,Mbit\n0,8\n5,0\n")
    };
    let try_rate = |rate: &str| {
        load(Path::new("test.yaml"), &files(rate), &Overrides::default())
            .map_err(|(told, _)| told.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    for (rate, shown) in [
        ("trace: cell.up", "trace: cell.up"),
        ("schedule: { file: drive.csv, repeat: 9s }", "file: drive.csv"),
        ("schedule: [{ for: 1s, rate: 8Mbit }, { rate: 1Mbit }]", "steps: [{ for: 1s, rate: 8Mbit }, { rate: 1Mbit }]"),
        ("slots: { min: 1ms, packets: 4 }", "packets: 4"),
        ("token_bucket: { rate: 8Mbit, burst: 3kB }", "burst: 3kB"),
    ] {
        let resolved = try_rate(rate).unwrap_or_else(|told| panic!("{rate}: {told:#?}"));
        let text = listing(&resolved);
        assert!(text.contains(shown), "{text}");
        let spec = &resolved.plan.links[0].directions[0];
        assert!(spec.queue.is_some() && spec.rate.nominal().is_some());
        // a trace counts what Mahimahi counts, unless the file says otherwise
        assert_eq!(text.contains("framing: -10B"), rate.contains("trace"), "{text}");
    }
    let told = |rate: &str| try_rate(rate).unwrap_err();
    // once for each direction or for both
    let once = |mut told: Vec<String>| {
        told.dedup();
        told
    };
    assert_eq!(once(told("trace: back.up")), ["4:37: back.up: line 2: the trace goes back in time, from 5 ms to 1 ms"]);
    assert_eq!(once(told("trace: none.up")).len(), 1);
    assert_eq!(once(told("schedule: drive.csv")).len(), 1, "its last rate is 0, and it does not repeat");
    assert_eq!(
        once(told("token_bucket: { rate: 8Mbit, burst: 3kB, peak: 1Mbit }")),
        ["4:44: a `peak` of 1Mbit is not above the `rate` of 8Mbit: raise it, or take it away"]
    );
}

#[test]
fn a_rate_alone_has_the_default_queue_and_a_queue_alone_is_an_error() {
    let resolved = good(&with_link("rate: 1Mbit"));
    assert_eq!(resolved.plan.links[0].directions[0].queue, Some(QueueSpec::DEFAULT));
    assert_eq!(good(&with_link("loss: none")).plan.links[0].directions[0].queue, None);
    let resolved = good(&with_link("profile: wifi-good, rate: none"));
    assert_eq!(resolved.plan.links[0].directions[0].queue, None);
    assert_eq!(bad(&with_link("rate: none, queue: { fifo: { packets: 5 } }")).len(), 1);
    assert_eq!(bad(&with_link("rate: fast, queue: { fifo: { packets: 5 } }")).len(), 1);
}

#[test]
fn the_users_fields_win_over_a_presets_side() {
    let resolved = good(&with_link("profile: dsl, user: a, rate: 1Mbit, toward: { b: { loss: 5% } }"));
    let [forward, backward] = &resolved.plan.links[0].directions;
    assert_eq!(forward.rate, backward.rate);
    assert_eq!(forward.rate.to_owned(), crate::model::RateSpec::Constant("1Mbit".parse().unwrap()));
    assert_ne!(forward.queue, backward.queue); // the sides' own queues stay: dsl up 200 ms, down 100 ms
    assert_eq!(forward.loss, LossSpec::random("5%".parse().unwrap()));
    assert_eq!(backward.loss, LossSpec::default());
    let down = good(&with_link("profile: dsl, user: b"));
    assert_eq!(down.plan.links[0].directions[0].rate, crate::model::RateSpec::Constant("50Mbit".parse().unwrap()));
    assert_eq!(down.plan.links[0].directions[1].rate, crate::model::RateSpec::Constant("10Mbit".parse().unwrap()));
}

#[test]
fn profiles_and_their_users() {
    assert_eq!(
        bad(&with_link("profile: dsl")),
        ["4:31: the profile `dsl` is faster one way than the other (say which end downloads, as in `user: a`)"]
    );
    assert_eq!(
        bad(&with_link("profile: dsl, user: c")),
        ["4:42: `c` is not an end of this link (known here: `a`, `b`)"]
    );
    assert_eq!(bad(&with_link("user: a")).len(), 1);
    assert_eq!(
        warnings(&good(&with_link("profile: lan, user: a"))),
        ["4:42: `user` changes nothing: the profile `lan` is the same both ways"]
    );
}

#[test]
fn round_trips_are_halved_and_displace_only_the_mean() {
    let resolved = good(&with_link("profile: wifi-poor, rtt: 7ns, toward: { a: { delay: { jitter: 1ns } } }"));
    let [forward, backward] = &resolved.plan.links[0].directions;
    assert_eq!((forward.delay.mean, backward.delay.mean), (Duration::from_nanos(4), Duration::from_nanos(3)));
    assert_eq!((forward.delay.jitter, backward.delay.jitter), (Duration::from_millis(10), Duration::from_nanos(1)));
    assert_eq!(bad(&with_link("rtt: 5")), ["4:27: `5` has no unit: write `5ms` (units: ns us µs ms s m h)"]);
    assert_eq!(
        bad(&with_link("toward: { a: { rtt: 5ms } }")),
        ["4:37: unknown field `rtt` (`rtt` is of both directions: write `delay`, one way)"]
    );
    let jitter = good(&with_link("rtt: 10ms, delay: { jitter: 1ms }")).plan.links[0].directions[0].delay.clone();
    let expected = DelaySpec { jitter: Duration::from_millis(1), ..DelaySpec::constant(Duration::from_millis(5)) };
    assert_eq!(jitter, expected);
}

#[test]
fn mtu_bounds_and_ipv6() {
    let mtu =
        |fields: &str| good(&with_link(fields)).network.hosts.iter().map(|h| h.interfaces[0].mtu).collect::<Vec<_>>();
    assert_eq!(mtu("mtu: 1280"), [1280, 1280]);
    assert_eq!(mtu("mtu: 9000, toward: { b: { mtu: 1300 } }"), [1300, 9000]);
    assert_eq!(mtu("mtu: 65535"), [65_521, 65_521]);
    assert_eq!(bad(&with_link("mtu: 1279")).len(), 1); // once, although both hosts have it
    assert_eq!(bad(&with_link("toward: { b: { mtu: 1279 } }")).len(), 1);
    assert_eq!(bad(&with_link("mtu: 65536")), ["4:27: an mtu of 65536 is out of range: 68 to 65535 bytes"]);
    let without = format!("{}addressing: {{ ipv6: none }}\n", with_link("mtu: 68"));
    assert_eq!(good(&without).network.hosts[0].interfaces[0].mtu, 68);
    let own =
        "longwire: 1\nnodes: { a: { host: { mtu: 1400 } }, b: host }\nlinks: { l: { ends: [a, b], mtu: 9000 } }\n";
    assert_eq!(good(own).network.hosts[0].interfaces[0].mtu, 1400);
}

#[test]
fn a_loop_that_nobody_breaks_is_named() {
    let ring = |s3: &str, s1: &str| {
        format!(
            "\
longwire: 1
nodes: {{ a: host, s1: {s1}, s2: hub, s3: {s3} }}
links:
  x: {{ ends: [s1, s2] }}
  y: {{ ends: [s2, s3] }}
  z: {{ ends: [s3, s1] }}
  h: {{ ends: [a, s1] }}
"
        )
    };
    let off = "{ switch: { spanning_tree: off } }";
    for others in ["hub", off] {
        assert_eq!(
            bad(&ring(others, off)),
            [
                "6:3: `z` closes a loop that no spanning tree breaks: s3 (z) s1 (x) s2 (y) s3 (frames would go round it for ever: take one of its links away, or let a switch in it take part in the spanning tree)"
            ]
        );
        assert!(listing(&good(&ring(others, "switch"))).contains("blocked by the spanning tree"));
    }
}

#[test]
fn a_host_without_a_link_is_listed_among_the_nodes() {
    let listed = listing(&good("longwire: 1\nnodes: { a: host }"));
    assert!(listed.contains("\nnodes:\n  a:"), "{listed}");
}

#[test]
fn the_listing_shows_what_the_spanning_tree_does() {
    let listed = listing(&good("\
longwire: 1
nodes: { a: host, s1: switch, s2: { switch: { priority: 8192, storm_control: off } }, s3: { switch: { spanning_tree: off } }, s4: switch }
links:
  x: { ends: [s1, s2], rate: 1Gbit }
  y: { ends: [s2, s4], rate: 1Gbit }
  z: { ends: [s4, s1], rate: 1Gbit }
  u: { ends: [s3, s1] }
  h: { ends: [a, s1] }
"));
    let line = |start: &str| {
        let line = listed.lines().find(|line| line.trim_start().starts_with(start)).expect(start);
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        line("s2:"),
        "s2: { switch: { ageing: 5m, priority: 8192, storm_control: off } } # root of the spanning tree"
    );
    assert_eq!(line("s3:"), "s3: { switch: { ageing: 5m, spanning_tree: off, storm_control: 100000 } }");
    assert!(!line("s1:").contains('#'), "{}", line("s1:"));
    assert_eq!(line("z:"), "z: # test.yaml:6, blocked by the spanning tree");
    assert_eq!((line("x:").as_str(), line("h:").as_str()), ("x: # test.yaml:4", "h: # test.yaml:8"));
}

/// Three hosts at one switch and two links to another, with this said of the first.
fn vlans(switch: &str) -> String {
    format!(
        "longwire: 1\nnodes: {{ a: host, b: host, c: host, t: {{ switch: {{ trunks: [t1, t2] }} }}, s: {{ switch: {switch} }} }}\n\
         links: {{ la: {{ ends: [a, s] }}, lb: {{ ends: [b, s] }}, lc: {{ ends: [c, t] }}, t1: {{ ends: [s, t] }}, t2: {{ ends: [t, s] }} }}\n"
    )
}

#[test]
fn vlans_are_segments_of_their_own() {
    let resolved =
        good(&vlans("{ vlans: { 10: [a], 20: [lb] }, trunks: { t1: { native: 10 }, t2: { allowed: [1, 20-22] } } }"));
    let subnets: Vec<_> =
        resolved.network.hosts.iter().map(|host| host.interfaces[0].addresses[0].trunc().to_string()).collect();
    // c is in VLAN 1 of its switch, which is native on t1 there, and here t1's native VLAN is 10
    assert_eq!(subnets, ["10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/24"]);
    assert!(resolved.network.hosts[1].interfaces[0].neighbours.is_empty());
    let listed = listing(&resolved);
    for words in [
        "la: access 10",
        "lb: access 20",
        "t1: trunk { allowed: all, native: 10 }",
        "t2: trunk { allowed: [1, 20-22], native: 1 }",
        "lc: access 1",
    ] {
        assert!(listed.contains(words), "{words} in\n{listed}");
    }
    // by neighbour, by interface, and ports that are not named
    let resolved = good(&vlans("{ vlans: { 20: [b.eth0] } }"));
    let NodeKind::Switch(spec) = &resolved.plan.nodes[4].kind else { panic!("a switch") };
    let own: Vec<_> = spec.vlans.iter().flatten().map(|port| port.own().map(|vlan| vlan.get())).collect();
    assert_eq!(own, [Some(1), Some(20), Some(1), Some(1)]);
    let NodeKind::Switch(plain) = &good(&vlans("{ ageing: 5s }")).plan.nodes[4].kind.clone() else {
        panic!("a switch")
    };
    assert_eq!(plain.vlans, None);
}

#[test]
fn mistakes_in_vlans_have_their_places() {
    let says = |switch: &str, expected: &[&str]| assert_eq!(bad(&vlans(switch)), expected, "{switch}");
    says("{ vlans: { 10: [aa] } }", &["2:103: no link of `s` is or leads to `aa` (did you mean `a`?)"]);
    says("{ vlans: { 10: [t] } }", &["2:103: several links lead to `t` (name the link: `t1`, `t2`)"]);
    says(
        "{ vlans: { 10: [a], 20: [la] } }",
        &["2:112: the port at `la` stands here twice (a port is in one VLAN, or a trunk: keep one of them)"],
    );
    says(
        "{ vlans: { 10: [a] }, trunks: [a] }",
        &["2:118: the port at `la` stands here twice (a port is in one VLAN, or a trunk: keep one of them)"],
    );
    says(
        "{ vlans: { 0: [a] } }",
        &["2:98: there is no VLAN 0, they are 1 to 4094: 0 is what frames say that are in none"],
    );
    says("{ vlans: { 4095: [a] } }", &["2:98: there is no VLAN 4095, they are 1 to 4094: 4095 is reserved"]);
    says(
        "{ trunks: { t1: { allowed: [10], native: 20 } } }",
        &[
            "2:128: the native VLAN 20 is not among those that this trunk allows (add it to `allowed`, or write `native: none`)",
        ],
    );
    says("{ trunks: t1 }", &["2:97: trunks are a list: write `[t1]`"]);
    says("{ priority: 5000 }", &["2:99: a priority is 0 to 61440 in steps of 4096 (IEEE 802.1D): write `4096`"]);
    says("{ storm_control: 0 }", &["2:104: `0` is not a limit of storms: 1 to 1000000000 frames per second, or `off`"]);
    says("{ spanning_tree: no }", &["2:104: `no` is not known here (did you mean `on`?)"]);
    // a link that could not be read may be the one that is meant
    let told = bad(&vlans("{ vlans: { 10: [lx] } }").replace("lc: {", "lx: { ends: [c] }, lc: {"));
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn ends_and_interfaces() {
    let link = |ends: &str| {
        format!(
            "longwire: 1\nnodes: {{ a: host, s: switch, v: {{ external: {{ tap: t }} }} }}\nlinks: {{ l: {{ ends: {ends} }}, m: {{ ends: [a.eth0, s] }} }}\n"
        )
    };
    assert_eq!(bad(&link("[a, a]"))[0], "3:25: both ends are `a` (a link joins two different nodes)");
    assert_eq!(bad(&link("[a, s.p0]"))[0], "3:25: `s` is a switch: its ports have no names (write it alone)");
    assert_eq!(bad(&link("[s, v.eth0]")).len(), 1);
    assert_eq!(
        bad(&link("[a.eth0, s]"))[1],
        "3:48: `a.eth0` is the end of two links (give one of them another interface)"
    );
    assert_eq!(bad(&link("[a, s, v]")).len(), 1);
    assert_eq!(bad(&link("a")), ["3:21: expected a list, found `a`"]);
    // eth0 is taken by the later link
    let resolved = good(&link("[a, s]"));
    let names: Vec<_> =
        resolved.network.hosts[0].interfaces.iter().map(|i| (i.name.as_str(), i.link.as_str())).collect();
    assert_eq!(names, [("eth1", "l"), ("eth0", "m")]);
    assert_eq!(warnings(&resolved), ["2:30: `v` is an external machine without a link"]);
}

#[test]
fn ports_join_the_plan_to_the_hosts() {
    let resolved = good(GOOD);
    let nodes: Vec<_> =
        resolved.plan.nodes.iter().map(|node| (node.name.as_str(), node.kind == NodeKind::Port)).collect();
    assert_eq!(
        nodes,
        [
            ("alice.wlan0", true),
            ("bob.eth0", true),
            ("ap", false),
            ("vm.lw0", true),
            ("phone.wlan0", true),
            ("phone.lte0", true),
            ("core.eth0", true)
        ]
    );
    for port in &resolved.ports {
        let host = &resolved.network.hosts[port.host];
        let name = format!("{}.{}", host.name, host.interfaces[port.interface].name);
        assert_eq!(resolved.plan.nodes[port.node].name, name);
        let link = resolved.plan.links.iter().find(|link| link.ends.contains(&port.node)).unwrap();
        assert_eq!(link.name, host.interfaces[port.interface].link);
    }
    assert_eq!(resolved.ports.len(), 6);
}

#[test]
fn neighbours_are_all_others_of_the_segment_whose_mac_is_known() {
    let resolved = good(GOOD);
    let alice = &resolved.network.hosts[0];
    let addresses: Vec<_> = alice.interfaces[0].neighbours.iter().map(|(address, _)| address.to_string()).collect();
    assert_eq!(
        addresses,
        ["10.0.0.2", "fd00::2", "fe80::5c18:baff:fe94:64c", "10.0.0.9", "fd00::3", "fe80::4c9e:d5ff:fe09:210f",]
    );
    assert_eq!(alice.interfaces[0].neighbours.iter().next().unwrap().1, resolved.network.hosts[1].interfaces[0].mac);
    let core = resolved.network.hosts.iter().find(|host| host.name == "core").unwrap();
    assert!(core.interfaces[0].neighbours.is_empty(), "it asked for dynamic ones");
}

#[test]
fn every_host_finds_every_name_the_near_address_first() {
    let resolved = good(GOOD);
    insta::assert_snapshot!(resolved.network.hosts[0].hosts_file.text(), @r"
    127.0.0.1 localhost
    ::1       localhost ip6-localhost ip6-loopback
    10.0.0.9  phone phone.wlan0
    fd00::3   phone phone.wlan0
    10.0.0.1      alice alice.wlan0
    fd00::1       alice alice.wlan0
    10.0.0.2      bob bob.eth0
    fd00::2       bob bob.eth0
    10.0.0.9      phone phone.wlan0
    172.16.0.1    phone phone.lte0
    fd00::3       phone phone.wlan0
    fd00:0:0:1::1 phone phone.lte0
    172.16.0.2    core core.eth0
    fd00:0:0:1::2 core core.eth0
    ");
    let core = resolved.network.hosts.iter().find(|host| host.name == "core").unwrap();
    let text = core.hosts_file.text();
    let phone: Vec<_> = text.lines().filter(|line| line.contains("phone")).collect();
    assert!(phone[0].contains("phone.lte0") && phone[2].contains("phone.wlan0"), "{phone:?}");
}

#[test]
fn workloads_have_their_defaults_and_hosts() {
    let resolved = good(GOOD);
    let workloads = &resolved.scenario.workloads;
    let fetch = &workloads["fetch"];
    assert_eq!(fetch.start, Start::After(vec!["call".into()]));
    let WorkloadKind::Program { program, exit: 22 } = &fetch.kind else { panic!("{fetch:?}") };
    assert_eq!((program.host, &program.run), (0, &Command::Shell("curl -sf http://bob/ -o $loss".into())));
    let WorkloadKind::Ping(ping) = &workloads["rtt"].kind else { panic!() };
    assert_eq!((ping.path.to, ping.amount, ping.path.source), (Some(1), Amount::Whole, None));
    let WorkloadKind::Udp(udp) = &workloads["call"].kind else { panic!() };
    assert_eq!(udp.pace, Pace::Rate("2Mbit".parse().unwrap()));
    assert_eq!(udp.path.source, Some("10.0.0.9".parse().unwrap()));
    let WorkloadKind::Tcp(tcp) = &workloads["bulk"].kind else { panic!() };
    assert!(tcp.path.destination.is_ipv6());
    let service = &resolved.scenario.services["web"];
    assert_eq!(service.program.run, Command::Command(["python3", "-m", "http.server", "80"].map(String::from).into()));
}

/// Two joined hosts, a switch and an external machine, with these workloads.
fn with_workloads(workloads: &str) -> String {
    format!(
        "longwire: 1\nnodes: {{ a: host, b: host, s: switch, v: {{ external: {{ tap: t }} }} }}\n\
         links: {{ l: {{ ends: [a, s] }}, m: {{ ends: [b, s] }}, n: {{ ends: [v, s] }} }}\nworkloads: {{ {workloads} }}\n"
    )
}

#[test]
fn workloads_that_cannot_be_are_told() {
    let one = |workload: &str| {
        let told = bad(&with_workloads(workload));
        assert_eq!(told.len(), 1, "{told:?}");
        told[0].split_once(": ").unwrap().1.to_owned()
    };
    let says = |workload: &str, part: &str| {
        let told = one(workload);
        assert!(told.contains(part), "{told}");
    };
    says("w: { ping: { from: a, to: b } }", "`w` would never end");
    says("w: { timeout: 5s }", "the workload `w` does nothing");
    says("w: ", "`w` is empty");
    says("w: { shell: x }", "does not say where it runs");
    says("w: { in: v, shell: x }", "cannot run programs in it");
    says("w: { in: s, shell: x }", "`s` is a switch");
    says("w: { in: a, shell: x, command: [x] }", "both `command` and `shell`");
    says("w: { in: a, ping: { from: a, to: b, count: 1 } }", "`in` is for programs");
    says("w: { ping: { from: a, to: a, count: 1 } }", "from `a` to itself");
    says("w: { ping: { from: v, to: a, count: 1 } }", "cannot send from it");
    says("w: { udp: { from: a, to: v, count: 1, every: 1s } }", "cannot receive in it");
    says("w: { ping: { from: a, to: v, count: 1 } }", "`v` has no address");
    says("w: { ping: { from: a, to: 192.0.2.1, count: 1 } }", "no route to 192.0.2.1");
    says("w: { tcp: { from: a, to: 10.0.0.77, bytes: 1MB } }", "not an address of a host");
    says("w: { ping: { from: a.eth7, to: b, count: 1 } }", "`a` has no interface `eth7`");
    says("w: { ping: { from: a, to: b, count: 1, for: 1s } }", "both say when it ends");
    says("w: { ping: { from: a, to: b, count: 0 } }", "`count` is 0");
    says("w: { ping: { from: a, to: b, count: 1, every: 0s } }", "`every` is 0");
    says("w: { udp: { from: a, to: b, count: 1 } }", "does not say how often");
    says("w: { udp: { from: a, to: b, count: 1, every: 1s, rate: 1Mbit } }", "both say how often");
    says("w: { udp: { from: a, to: b, count: 1, every: 1s, size: 23B } }", "out of range");
    says("w: { in: a, shell: x, at: 1s, after: x }, x: { in: a, shell: x }", "`at` and `after`");
    says("w: { in: a, shell: x, after: w }", "wait for each other: `w` after `w`");
    says(
        "u: { in: a, shell: x, after: w }, w: { in: a, shell: x, after: [v2, x] }, v2: { in: a, shell: x, after: w }, x: { in: a, shell: x }",
        "wait for each other: `w` after `v2` after `w`",
    );
    let whole = with_workloads("w: { ping: { from: a, to: b } }, x: { in: a, shell: x, after: w }");
    assert!(bad(&format!("{whole}duration: 5s\n"))[0].contains("`x` waits for `w`, which runs to the end"));
    // the address of a host stands for the host
    let resolved = good(&with_workloads("w: { tcp: { from: a, to: 10.0.0.2, bytes: 1MB } }"));
    let WorkloadKind::Tcp(tcp) = &resolved.scenario.workloads["w"].kind else { panic!() };
    assert_eq!(tcp.path.to, Some(1));
}

#[test]
fn addresses_of_a_host_with_several_interfaces() {
    let text = |addresses: &str| {
        format!(
            "longwire: 1\nnodes: {{ a: {{ host: {{ addresses: {addresses} }} }}, b: host, c: host }}\nlinks: {{ l: {{ ends: [a, b] }}, m: {{ ends: [a, c] }} }}\n"
        )
    };
    assert_eq!(
        bad(&text("[10.0.0.1/24]")),
        ["2:34: `a` has 2 interfaces: say which one has which addresses (write `addresses: { eth0: […], eth1: […] }`)"]
    );
    assert_eq!(bad(&text("{ eth2: [10.0.0.1/24] }"))[0], "2:36: `a` has no interface `eth2` (did you mean `eth0`?)");
    assert!(bad(&text("10.0.0.1/24"))[0].contains("write `[10.0.0.1/24]`"));
    let resolved = good(&text("{ eth1: [10.0.0.1/24] }"));
    assert_eq!(resolved.network.hosts[0].interfaces[0].addresses[0].to_string(), "10.0.1.1/24");
    let tables: Vec<_> = resolved.network.hosts[0].rules.iter().map(|(_, table)| *table).collect();
    assert_eq!(tables, [101, 101, 102, 102]);
    assert!(resolved.network.hosts[1].rules.is_empty());
}

#[test]
fn gateways_are_neighbours() {
    let text = |route: &str| {
        format!(
            "longwire: 1\nnodes: {{ a: {{ host: {{ routes: [{{ {route} }}] }} }}, b: router }}\nlinks: {{ l: {{ ends: [a, b] }} }}\n"
        )
    };
    let routes = |route: &str| good(&text(route)).network.hosts[0].routes.clone();
    let route = &routes("to: default, via: \"fd00::1\"")[0];
    assert_eq!((route.to.to_string().as_str(), route.table, route.interface.as_deref()), ("::/0", 254, Some("eth0")));
    assert!(bad(&text("to: default, via: 192.0.2.1"))[0].contains("cannot reach the gateway 192.0.2.1"));
    assert!(bad(&text("to: default, via: 10.0.0.2"))[0].contains("is `a` itself"));
    assert!(bad(&text("to: default, via: 10.0.0.9"))[0].contains("nobody has the gateway's address 10.0.0.9"));
    assert!(bad(&text("to: 10.1.0.0/16, via: \"fd00::1\""))[0].contains("two families"));
    assert!(bad(&text("to: 10.1.0.0/16"))[0].contains("`via` is missing"));
}

#[test]
fn external_machines_say_where_they_are() {
    let text = |external: &str| {
        format!(
            "longwire: 1\nnodes: {{ a: host, v: {{ external: {external} }} }}\nlinks: {{ l: {{ ends: [a, v] }} }}\n"
        )
    };
    assert!(bad(&text("{}"))[0].contains("does not say where it is"));
    assert!(bad(&text("{ tap: t, netns: 1 }"))[0].contains("both say where"));
    assert!(bad(&text("{ netns: 1 }"))[0].contains("what its interface is called"));
    // behind a TAP, addresses are those that the machine has: it can be named, and is asked for its MAC address
    let ping = "workloads: { p: { ping: { from: a, to: v, count: 1 } } }\n";
    let declared = good(&format!("{}{ping}", text("{ tap: t, addresses: [10.5.0.9/24] }")));
    let [a, v] = &declared.network.hosts[..] else { panic!("two") };
    assert!(a.hosts_file.text().contains("10.5.0.9 v"), "{}", a.hosts_file.text());
    assert!(a.interfaces[0].neighbours.is_empty() && v.interfaces[0].addresses.len() == 1);
    let two = "longwire: 1\nnodes: { s: switch, v: { external: { tap: t } }, w: { external: { tap: t } } }\n\
               links: { l: { ends: [v, s] }, m: { ends: [w, s] } }\n";
    assert_eq!(
        bad(two),
        [
            "2:72: `w` and `v` are both at `t` (an interface is one machine's: name another interface, or put both machines on \
          a bridge behind one external machine)"
        ]
    );
    let sockets = |one: &str| bad(&two.replace("tap: t", one))[0].clone();
    assert!(sockets("qemu: /run/vm").ends_with("(a socket is one machine's: give one of them another path)"));
    let sites = sockets("udp: { peer: 192.0.2.7, vni: 1 }");
    assert!(sites.ends_with("(a socket is one site's: give one of them another `listen`)"), "{sites}");
    let both = |one: &str, other: &str| {
        let place = |netns: &str, named: &str| format!("{{ external: {{ netns: \"{netns}\", interface: {named} }} }}");
        let nodes = format!("s: switch, v: {}, w: {}", place(one, "t"), place(other, "t"));
        format!("longwire: 1\nnodes: {{ {nodes} }}\nlinks: {{ l: {{ ends: [v, s] }}, m: {{ ends: [w, s] }} }}\n")
    };
    for (one, other) in [("box", "/run/netns/box"), ("/var/run/netns/box", "box"), ("12", "/proc/12/ns/net")] {
        assert!(bad(&both(one, other))[0].contains("an interface is one machine's"), "{one} {other}");
    }
    good(&both("box", "bax"));
    assert!(bad(&text("{ tap: averyveryverylongname }"))[0].contains("at most 15"));
    assert!(bad("longwire: 1\nnodes: { v: external }\n")[0].contains("does not say where it is"));
    // a container has addresses and a name as a host has
    let contained = good(&text("{ container: web }"));
    let [a, v] = &contained.network.hosts[..] else { panic!("two") };
    assert_eq!((v.interfaces[0].name.as_str(), v.interfaces[0].addresses.len()), ("lw0", 2));
    assert!(a.hosts_file.text().contains(" v v.lw0\n") && v.hosts_file.names().contains(" a a.eth0\n"));
    assert!(!v.hosts_file.names().contains("localhost") && v.routes.is_empty());
    for (external, told) in [
        ("{ container: web, tap: t }", "two keys say where the machine is"),
        ("{ container: web, netns: 1 }", "two keys say where the machine is"),
        ("{ container: web/exec }", "cannot name a container"),
        ("{ container: web, interface: lo }", "loopback"),
        ("{ container: web, dhcp: on }", "`dhcp` does not go with `container`"),
        ("{ container: web, default_route: true }", "there is no gateway behind `v.lw0`"),
        ("{ netns: 1, interface: e, default_route: true }", "`default_route` goes with `container`"),
        ("{ tap: t, engine_network: closed }", "`engine_network` goes with `container`"),
        ("{ container: web, engine_network: shut }", "expected `open` or `closed`"),
    ] {
        assert!(bad(&text(external))[0].contains(told), "{external}: {:?}", bad(&text(external)));
    }
    let inside = |external: &str| {
        let work = "services: { s: { in: v, command: [x] } }\n\
                    workloads: { u: { udp: { from: v, to: a, every: 1ms, count: 1 } }, t: { tcp: { from: a, to: v, bytes: 1kB } } }\n";
        format!("{}{work}", text(external))
    };
    let contained = good(&inside("{ container: web }"));
    assert_eq!(contained.inhabited().into_iter().collect::<Vec<_>>(), [0, 1]);
    assert_eq!(good(&text("{ container: web }")).inhabited().len(), 0);
    let told = bad(&inside("{ tap: t, addresses: [10.5.0.9/24] }")).join("\n");
    for what in
        ["run programs in it (start it there yourself, or name a `host` or a container)", "send from", "receive in"]
    {
        assert!(told.contains(&format!("longwire cannot {what}")), "{told}");
    }
    let twice = both("1", "2").replace("netns: \"1\"", "container: c").replace("netns: \"2\"", "container: c");
    assert!(bad(&twice)[0].contains("an interface is one machine's"));
    let routed = "longwire: 1\nnodes: { a: host, r: router, v: { external: { container: web, default_route: true } } }\n\
                  links: { l: { ends: [a, r] }, m: { ends: [r, v] } }\n";
    let routes: Vec<String> = good(routed).network.hosts[1].routes.iter().map(|route| route.to.to_string()).collect();
    for half in ["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"] {
        assert!(routes.iter().any(|to| to == half), "{routes:?}");
    }
    let resolved = good(&text("{ netns: 4711, interface: net1, addresses: [10.5.0.9/24] }"));
    assert_eq!(resolved.network.hosts[0].interfaces[0].addresses[0].to_string(), "10.5.0.1/24");
    assert_eq!(resolved.network.hosts[1].interfaces[0].addresses.len(), 1);
    assert!(resolved.network.hosts[1].interfaces[0].neighbours.is_empty());
    assert!(resolved.network.hosts[0].interfaces[0].neighbours.iter().any(|(a, _)| a.to_string() == "10.5.0.9"));
}

#[test]
fn overrides_replace_what_the_file_says() {
    let files = MemoryFiles::one(
        "dir/test.yaml",
        &with_link("loss: $x").replace("longwire: 1", "longwire: 1\nparams: { x: 1% }"),
    );
    let overrides = Overrides { params: vec![("x".into(), "5%".into())], seed: Some(99), ..Overrides::default() };
    let resolved = load(Path::new("dir/test.yaml"), &files, &overrides).unwrap();
    assert_eq!((resolved.plan.seed, resolved.scenario.name.as_str()), (99, "test"));
    assert_eq!(resolved.scenario.folder, Path::new("dir"));
    assert_eq!(resolved.plan.links[0].directions[0].loss, LossSpec::random("5%".parse().unwrap()));
    let overrides = Overrides { params: vec![("x".into(), "5".into())], seed: None, ..Overrides::default() };
    let (told, sources) = load(Path::new("dir/test.yaml"), &files, &overrides).unwrap_err();
    let first = told.iter().next().unwrap();
    assert!(first.message.contains("write `5%`"), "{first}");
    assert_eq!(sources.name(first.span.unwrap().source), "--param x");
    assert_eq!(first.related[0].0.line, 5);
}

#[test]
fn an_added_link_changes_nothing_else() {
    let before = good(GOOD);
    let after = good(&GOOD.replace("services:", "  zz: { ends: [core.x0, alice.x1] }\nservices:"));
    for (a, b) in before.plan.links.iter().zip(&after.plan.links) {
        assert_eq!((&a.name, &a.directions), (&b.name, &b.directions));
    }
    for (a, b) in before.network.hosts.iter().zip(&after.network.hosts) {
        assert_eq!(a.interfaces[0].mac, b.interfaces[0].mac);
        assert_eq!(a.interfaces[0].addresses, b.interfaces[0].addresses);
    }
}

proptest::proptest! {
    #[test]
    fn mangled_scenarios_never_panic(
        edits in proptest::collection::vec((0usize..2_000, 0usize..12, proptest::sample::select(vec![
            "", "{", "}", "[", "]", ":", ": ", "\n", " ", "\"", "'", "&a ", "*a", "$loss", "none", "0", "-1", "5ms", "~", "#",
            "<<: ", "é", "\t", "host", "switch", "1e400", "999999999999999999999999", "rtt: ",
        ])), 1..8),
    ) {
        let mut text: Vec<char> = GOOD.chars().collect();
        for (at, cut, put) in edits {
            let at = at % (text.len() + 1);
            let end = (at + cut).min(text.len());
            text.splice(at..end, put.chars());
        }
        let text: String = text.into_iter().collect();
        match load(Path::new("test.yaml"), &MemoryFiles::one("test.yaml", &text), &Overrides::default()) {
            Ok(resolved) => { listing(&resolved); }
            Err((told, sources)) => {
                proptest::prop_assert!(told.has_errors());
                for diagnostic in told.iter() {
                    if let Some(span) = diagnostic.span {
                        proptest::prop_assert!(sources.text(span.source).get(span.start..span.start + span.len).is_some());
                    }
                }
            }
        }
    }
}

#[test]
fn delays_from_files_are_read_and_their_mistakes_have_places() {
    let text =
        |delay: &str| format!("longwire: 1\nnodes: {{ a: host, b: host }}\nlinks:\n  l: {{ ends: [a, b], {delay} }}\n");
    let try_load = |delay: &str| {
        let files = MemoryFiles::one("test.yaml", &text(delay))
            .with("s.csv", "delay_ms\n12\n10\n")
            .with("t.csv", "time_s,delay_ms\n0,10\n2,20\n1,30\n")
            .with("d.dist", "-8192 0 8192");
        load(Path::new("test.yaml"), &files, &Overrides::default())
            .map_err(|(told, _)| told.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    let good =
        |delay| try_load(delay).unwrap_or_else(|told| panic!("{told:#?}")).plan.links[0].directions[0].delay.clone();
    let samples = good("profile: wifi-poor, delay: { samples: s.csv }").samples.expect("a preset's mean gives way");
    assert_eq!(samples.table().expect("it is read").least(), Duration::from_millis(10));
    good("rtt: 20ms, delay: { jitter: 1ms, distribution: { table: d.dist } }");
    assert_eq!(
        try_load("delay: { trace: t.csv }").unwrap_err(),
        ["4:38: t.csv: line 4, column 1: the table goes back in time, from 2s to 1s: sort it by time"]
    );
    assert_eq!(
        try_load("delay: { samples: none.csv }").unwrap_err(),
        ["4:40: cannot read none.csv: No such file or directory"]
    );
    for both in ["rtt: 20ms, delay: { samples: s.csv }", "rtt: 20ms, delay: { trace: { file: t.csv } }"] {
        let told = try_load(both).unwrap_err();
        assert!(told[0].starts_with("4:22: `rtt` and `delay` both say how long a frame travels"), "{told:#?}");
    }
    let told = try_load("delay: { mean: 1ms, jitter: 2ms, distribution: exponential }").unwrap_err();
    assert!(told[0].starts_with("4:29: `exponential` with a jitter of 2ms begins 2ms below its mean"), "{told:#?}");
    let told = try_load("delay: { mean: 1ms, jitter: 2ms, distribution: { pareto: { shape: 2 } } }").unwrap_err();
    assert!(told[0].starts_with("4:88: a shape of 2 is out of range: 2.1 to 100"), "{told:#?}");
    let told = try_load("delay: { mean: 1ms, jitter: 1ms, correlation: 100% }").unwrap_err();
    assert!(told[0].starts_with("4:68: a correlation of 100% would draw once"), "{told:#?}");
}

#[test]
fn words_of_other_tools_lead_to_ours() {
    let link = |fields: &str| bad(&with_link(fields));
    assert_eq!(
        link("latency: 5ms, jitter: 2ms, bandwidth: 5Mbit, packet_loss: 1%"),
        [
            "4:22: unknown field `latency` (it is called `delay` here)",
            "4:36: unknown field `jitter` (write `delay: { mean: 20ms, jitter: 5ms }`)",
            "4:49: unknown field `bandwidth` (it is called `rate` here)",
            "4:67: unknown field `packet_loss` (it is called `loss` here)",
        ]
    );
    let two = |text: &str| {
        let told = format!(
            "expected one duration, as in `100ms`, found `{text}`; a delay with jitter is `{{ mean: 100ms, jitter: 20ms }}`"
        );
        assert_eq!(link(&format!("delay: {text}")), [format!("4:29: {told}")]);
    };
    two("100ms 20ms");
    two("100ms±20ms");
    let service = |rest: &str| bad(&format!("{}services: {{ s: {{ in: b, {rest} }} }}\n", with_link("delay: 1ms")));
    assert_eq!(
        service("command: \"python3 -m http.server 80\", ready: 80"),
        [
            "5:34: expected a list, found the text `python3 -m http.server 80`: \
             write `[python3, -m, http.server, \"80\"]`",
            "5:70: expected a map, as in `ready: { tcp: 80 }`, found `80`",
        ]
    );
}

#[test]
fn a_colon_without_a_space_is_the_only_mistake_told() {
    let text = "longwire: 1\nnodes: { a:host, b: host }\nlinks: { w: { ends: [a, b] } }\n";
    assert_eq!(bad(text), ["2:10: `a:host` has no space behind its colon (write `a: host`)"]);
    let text = "longwire: 1\nnodes:\n  a:host\n  b:host\n";
    assert_eq!(
        bad(text),
        ["3:3: expected a map of nodes by name, found `a:host b:host` \
          (a colon needs a space behind it: write `a: host`)"]
    );
}

#[test]
fn hosts_of_one_segment_share_what_they_know_of_each_other() {
    let many = |kind: &str, count: usize| {
        format!(
            "longwire: 1\nnodes: {{ s: switch, h: {{ {kind}: {{ count: {count} }} }} }}\nlinks: {{ w: {{ ends: [h, s] }} }}\n"
        )
    };
    let resolved = good(&many("host", 3_000));
    let tables: Vec<_> = resolved.network.hosts.iter().map(|host| &host.interfaces[0].neighbours).collect();
    assert!(tables.iter().all(|table| std::sync::Arc::ptr_eq(table.all(), tables[0].all())));
    // IPv4, IPv6 and link-local of each other host
    assert!(tables.iter().all(|table| table.len() == 3 * 2_999 && table.is_on_demand()));
    assert!(listing(&resolved).contains("neighbours: 8997 permanent, on demand"));
    let few = good(&many("host", 300));
    assert!(few.network.hosts.iter().all(|host| !host.interfaces[0].neighbours.is_on_demand()));
    // routers hold tables of their own
    assert_eq!(
        bad(&many("router", 2_000)),
        ["2:21: 2000 routers would know 12000000 addresses of neighbours, which is too many (at most 10000000: put \
          fewer of them on one segment, or say `neighbours: dynamic`)"]
    );
}

use std::path::Path;

use super::*;
use crate::language::files::MemoryFiles;
use crate::scenario::{Overrides, load};

fn resolved(text: &str) -> Resolved {
    load(Path::new("t.yaml"), &MemoryFiles::one("t.yaml", text), &Overrides::default()).unwrap_or_else(|(wrong, _)| {
        panic!("{:?}", wrong.iter().map(ToString::to_string).collect::<Vec<_>>());
    })
}

fn shown(text: &str, width: usize) -> String {
    let resolved = resolved(text);
    let styled = text::render(&Summary::new("t.yaml", &resolved), &resolved.scenario.groups, width);
    crate::diag::printable::Printable::styled(&styled).plain()
}

const HOME: &str = "\
longwire: 1
name: Home
nodes:
  desk: host
  sofa: host
  lan: switch
  home: { router: { nat: wan } }
  isp: router
  server: host
links:
  one: { ends: [desk, lan] }
  two: { ends: [sofa, lan], delay: 2ms }
  three: { ends: [lan, home] }
  dsl: { ends: [home.wan, isp], delay: 8ms, rate: 50Mbit, toward: { isp: { rate: 10Mbit, loss: 1% } } }
  web: { ends: [isp, server], delay: 3ms, rate: 1Gbit }
workloads:
  mail: { ping: { from: desk, to: server, count: 20 } }
  near: { ping: { from: desk, to: sofa, count: 1 }, at: 2s }
  six: { ping: { from: desk, to: server, count: 1, family: ipv6 } }
  run: { in: desk, command: [sleep, '1'] }
timeline: [ { at: 1s, set: { dsl: { loss: 5% } }, mark: worse } ]
expect: [ mail.loss < 5% ]
";

#[test]
fn routes_are_those_of_the_packets() {
    let summary = Summary::new("t.yaml", &resolved(HOME));
    let route = |name: &str| summary.workloads.iter().find(|work| work.name == name).unwrap().route.clone();
    let mail = route("mail").unwrap();
    assert_eq!(mail.there.links, ["one", "three", "dsl", "web"]);
    assert_eq!(mail.back.links, ["web", "dsl", "three", "one"]);
    assert_eq!((mail.there.delay_ns, mail.nat), (11_000_000, vec!["home".to_owned()]));
    let slowest = |way: &OneWay| way.bottleneck.as_ref().map(|at| (at.link.clone(), at.rate_bps));
    assert_eq!(slowest(&mail.there), Some(("dsl".to_owned(), 10_000_000)));
    assert_eq!(slowest(&mail.back), Some(("dsl".to_owned(), 50_000_000)));
    let near = route("near").unwrap();
    assert_eq!((near.there.links, near.there.delay_ns), (vec!["one".to_owned(), "two".to_owned()], 2_000_000));
    assert!(near.there.bottleneck.is_none() && near.nat.is_empty());
    // what is sent over IPv6 goes the same way, and is not translated
    assert_eq!(route("six").unwrap().there.links, mail.there.links);
    assert_eq!(summary.workloads[2].around_nat.as_deref(), Some("home"));
    assert!(route("run").is_none());
}

#[test]
fn routes_follow_the_spanning_tree() {
    let ring = "\
longwire: 1
nodes: { a: host, b: host, x: { switch: { priority: 0 } }, y: switch, z: switch }
links:
  xy: { ends: [x, y] }
  yz: { ends: [y, z] }
  zx: { ends: [z, x] }
  la: { ends: [a, y] }
  lb: { ends: [b, z] }
workloads: { w: { ping: { from: a, to: b, count: 1 } } }
";
    let summary = Summary::new("t.yaml", &resolved(ring));
    assert_eq!(summary.workloads[0].route.as_ref().unwrap().there.links, ["la", "xy", "zx", "lb"], "yz is blocked");
}

#[test]
fn a_summary_fits_its_columns_and_says_what_was_chosen() {
    for width in [80, 200] {
        let text = shown(HOME, width);
        let copied = text.lines().skip_while(|line| !line.starts_with("defaults")).count();
        let wide = text.lines().count() - copied;
        assert!(text.lines().take(wide).all(|line| line.chars().count() <= width), "{text}");
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            text.contains("by one, three, dsl, web: 11ms, 10Mbit at dsl; back 11ms, 50Mbit at dsl"),
            "{width}: {text}"
        );
    }
    insta::assert_snapshot!(shown(HOME, 100));
}

#[test]
fn a_group_is_one_line_and_a_long_section_is_cut() {
    let group = "\
longwire: 1
nodes: { c: { host: { count: 40 } }, sw: switch, s: host }
links: { l: { ends: [c, sw], delay: 1ms }, up: { ends: [sw, s], rate: 10Mbit } }
";
    let text = shown(group, 100);
    assert!(text.contains("c-1 … c-40  10.0.0.1 … 10.0.0.40"), "{text}");
    assert!(text.contains("stays up until Ctrl-C"), "{text}");
    assert!(text.lines().count() < 12, "{text}");
    let long = shown("longwire: 1\nnodes: { the-machine-of-the-customer: host }\n", 80);
    assert!(long.contains("the-machine-of-the-customer  no link"), "{long}");
    let nodes: String = (0..40).map(|n| format!("n{n}x: {{ host: {{ mtu: {} }} }}, ", 1000 + n)).collect();
    let many = shown(&format!("longwire: 1\nnodes: {{ {nodes} }}\n"), 100);
    assert!(many.contains("… and 29 more: `--plan` lists all"), "{many}");
}

#[test]
fn lines_to_paste_are_whole() {
    let vm = "\
longwire: 1
nodes: { vm: { external: { qemu: /run/user/1000/a-rather-long-path/that-goes-on/and-on/vm.sock } }, s: host }
links: { l: { ends: [vm, s] } }
";
    let text = shown(vm, 80);
    let line = text.lines().find(|line| line.contains("qemu-system-x86_64")).unwrap();
    assert!(
        line.contains("addr.path=/run/user/1000/a-rather-long-path/that-goes-on/and-on/vm.sock -device virtio-net-pci")
    );
}

#[test]
fn programs_read_the_same() {
    let value = serde_json::to_value(Summary::new("t.yaml", &resolved(HOME))).unwrap();
    assert_eq!(value["ok"], true);
    assert_eq!(value["workloads"][0]["route"]["there"]["bottleneck"]["link"], "dsl");
    assert_eq!(value["timeline"][0]["what"][0], "dsl.loss=5%");
    let warning = &value["warnings"][0];
    assert_eq!((warning["severity"].as_str(), warning["line"].as_u64()), (Some("warning"), Some(19)), "{value:#}");
}

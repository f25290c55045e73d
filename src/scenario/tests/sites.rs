//! Other sites: where they are, who shares a port, and MAC addresses that do not meet.

use super::{bad, good, warnings};
use crate::addressing::network::Place;
use crate::topology::site::{Encapsulation, PathDelay, PathSpec};
use crate::units::Duration;

fn text(external: &str) -> String {
    format!(
        "longwire: 1\nnodes: {{ a: {{ host: {{ addresses: [10.0.0.1/24] }} }}, b: {{ external: {{ {external} }} }} }}\n\
         links: {{ l: {{ ends: [a, b], mtu: 1400 }} }}\n"
    )
}

#[test]
fn ports_and_listen_have_defaults() {
    let place = |udp: &str, name: &str| {
        let network = good(&text(&format!("udp: {udp}, addresses: [10.0.0.2/24]"))).network;
        let host = network.hosts.into_iter().find(|host| host.name == "b").expect("b");
        assert_eq!(host.interfaces[0].name, name);
        host.place
    };
    for (udp, listen, peer) in [
        ("{ peer: 192.0.2.7, vni: 42 }", "0.0.0.0:4789", "192.0.2.7:4789"),
        ("{ peer: 192.0.2.7, vni: 42, encapsulation: vxlan }", "0.0.0.0:4789", "192.0.2.7:4789"),
        ("{ peer: \"192.0.2.7:9\", vni: 42, listen: 0.0.0.0:4790 }", "0.0.0.0:4790", "192.0.2.7:9"),
        ("{ peer: \"2001:db8::7\", vni: 42 }", "[::]:4789", "[2001:db8::7]:4789"),
        ("{ peer: \"[2001:db8::7]:5\", vni: 42, listen: \"::1\" }", "[::1]:4789", "[2001:db8::7]:5"),
    ] {
        let (listen, peer) = (listen.parse().unwrap(), peer.parse().unwrap());
        let encapsulation = Encapsulation::Vxlan;
        assert_eq!(place(udp, "vxlan0"), Place::ExternalUdp { listen, peer, vni: 42, encapsulation });
    }
    let ms = Duration::from_millis(1);
    for (encapsulation, path_delay, clock_error) in [
        ("longwire", PathDelay::Added, None),
        ("{ longwire: {} }", PathDelay::Added, None),
        ("{ longwire: { path_delay: included, clock_error: 1ms } }", PathDelay::Included, Some(ms)),
    ] {
        let (listen, peer) = ("0.0.0.0:4793".parse().unwrap(), "192.0.2.7:4793".parse().unwrap());
        let udp = format!("{{ peer: 192.0.2.7, vni: 42, encapsulation: {encapsulation} }}");
        let encapsulation = Encapsulation::Longwire(PathSpec { path_delay, clock_error });
        assert_eq!(place(&udp, "udp0"), Place::ExternalUdp { listen, peer, vni: 42, encapsulation });
    }
}

#[test]
fn what_cannot_be_a_site_is_refused() {
    for (external, said) in [
        ("udp: { vni: 1 }", "`peer` is missing"),
        ("udp: { peer: 192.0.2.7 }", "`vni` is missing"),
        ("udp: { peer: 192.0.2.7, vni: 16777216 }", "more than 24 bits"),
        ("udp: { peer: example.org, vni: 1 }", "no address and UDP port"),
        ("udp: { peer: 192.0.2.7:0, vni: 1 }", "no address and UDP port"),
        ("udp: { peer: 239.1.1.1, vni: 1 }", "no machine's address"),
        ("udp: { peer: 0.0.0.0, vni: 1, listen: 0.0.0.0:5 }", "no machine's address"),
        ("udp: { peer: 192.0.2.7, vni: 1, listen: \"[::]:4789\" }", "two families"),
        ("udp: { peer: 127.0.0.1:4789, vni: 1, listen: 127.0.0.1 }", "`listen` and `peer` are both 127.0.0.1:4789"),
        ("udp: { peer: 192.0.2.7, vni: 1 }, tap: lw0", "two keys say where"),
        ("udp: { peer: 192.0.2.7, vni: 1 }, qemu: vm.sock", "two keys say where"),
        ("udp: { peer: 192.0.2.7, vni: 1, site: x }", "unknown field `site`"),
        ("udp: { peer: 192.0.2.7, vni: 1, encapsulation: geneve }", "expected `vxlan`, `longwire`"),
        ("udp: { peer: 192.0.2.7, vni: 1, encapsulation: { vxlan: {} } }", "unknown field `vxlan`"),
        ("udp: { peer: 192.0.2.7, vni: 1, encapsulation: { longwire: { path_delay: half } } }", "`half`"),
        ("udp: { peer: 192.0.2.7, vni: 1, encapsulation: { longwire: { clock_error: 1 } } }", "`1` has no unit"),
    ] {
        let told = bad(&text(external)).join("\n");
        assert!(told.contains(said), "{external}: {told}");
    }
}

#[test]
fn two_sites_have_two_places_to_listen_at() {
    let both = |listen: &str| {
        format!(
            "longwire: 1\nnodes: {{ s: switch, a: {{ external: {{ udp: {{ peer: 192.0.2.7, vni: 1 }} }} }}, \
             b: {{ external: {{ udp: {{ peer: 192.0.2.8, vni: 1{listen} }} }} }} }}\n\
             links: {{ l: {{ ends: [a, s] }}, m: {{ ends: [b, s] }} }}\n"
        )
    };
    let told = bad(&both("")).join("\n");
    assert!(told.contains("`b` and `a` are both at `0.0.0.0:4789`"), "{told}");
    good(&both(", listen: 0.0.0.0:4790"));
}

#[test]
fn mac_addresses_are_others_at_each_site() {
    let macs = |more: &str| {
        let network = good(&format!("{more}{}", text("tap: lw0"))).network;
        network.hosts.iter().map(|host| host.interfaces[0].mac).collect::<Vec<_>>()
    };
    let to = |peer: &str, more: &str| {
        let network = good(&format!("{more}{}", text(&format!("udp: {{ peer: {peer}, vni: 1 }}")))).network;
        network.hosts[0].interfaces[0].mac
    };
    let plain = macs("")[0];
    let site = |name: &str| format!("site: {name}\n");
    assert_ne!(plain, macs(&site("berlin"))[0]);
    assert_ne!(plain, to("192.0.2.7", ""));
    assert_ne!(to("192.0.2.8", ""), to("192.0.2.7", ""));
    // a name says it alone
    assert_ne!(to("192.0.2.7", &site("berlin")), to("192.0.2.7", &site("tokyo")));
    assert_eq!(to("192.0.2.7", &site("berlin")), to("192.0.2.8", &site("berlin")));
}

#[test]
fn an_address_that_the_other_site_may_give_out_too_is_warned_of() {
    let told = |addressing: &str, alice: &str| {
        let site = text("udp: { peer: 192.0.2.7, vni: 1 }, addresses: [10.0.0.2/24]");
        let site = site.replace("addresses: [10.0.0.1/24]", alice);
        warnings(&good(&format!("{addressing}\n{site}"))).join("\n")
    };
    let named = "addresses: [10.0.0.1/24]";
    assert!(told("", named).contains("`a.eth0` was given fd00::1, which the site behind `b` may give out too"));
    assert_eq!(told("addressing: { ipv6: none }", named), "");
    assert_eq!(told("addressing: { ipv6: \"fd00:1::/48\" }", named), "");
    assert_eq!(told("", "addresses: [10.0.0.1/24, \"fd00::1/64\"]"), "");
    // out of the subnet of an address that is named, and not of the pool
    assert!(told("addressing: { ipv4: 10.1.0.0/16, ipv6: none }", "mtu: 1400").contains("`a.eth0` was given 10.0.0.1"));
}

#[test]
fn machines_behind_a_site_have_names() {
    let names = "names: { bob: [10.0.0.3/24], carol: [10.0.0.4/24, \"fd00::4/64\"] }";
    let site = |more: &str| text(&format!("udp: {{ peer: 192.0.2.7, vni: 1 }}, addresses: [10.0.0.2/24], {more}"));
    let ping = |to: &str, more: &str| {
        format!("{}workloads: {{ p: {{ ping: {{ from: a, to: {to}, count: 1{more} }} }} }}\n", site(names))
    };
    let resolved = good(&ping("carol", ""));
    let file = resolved.network.hosts[0].hosts_file.text();
    let lines: Vec<Vec<&str>> = file.lines().map(|line| line.split_whitespace().collect()).collect();
    for line in [["10.0.0.3", "bob"], ["10.0.0.4", "carol"], ["fd00::4", "carol"]] {
        assert!(lines.contains(&line.into()), "{file}");
    }
    assert!(lines.contains(&vec!["10.0.0.2", "b", "b.vxlan0"]) && file.matches("b.vxlan0").count() == 1, "{file}");
    good(&ping("carol", ", family: ipv6"));
    assert!(bad(&ping("bob", ", family: ipv6")).join("\n").contains("10.0.0.3 is not an IPv6 address"));
    for (more, said) in [
        ("names: { a: [10.0.0.3/24] }", "already the name of another machine"),
        ("names: { bob: [10.0.0.2/24] }", "10.0.0.2 is also the address of"),
        ("names: { b.c: [10.0.0.3/24] }", "cannot be a name"),
    ] {
        let told = bad(&site(more)).join("\n");
        assert!(told.contains(said), "{more}: {told}");
    }
    let told = bad(&text(&format!("qemu: vm.sock, {names}"))).join("\n");
    assert!(told.contains("there is nothing behind `b`"), "{told}");
}

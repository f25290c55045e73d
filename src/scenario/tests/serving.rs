//! Scenarios whose routers give addresses to machines that longwire does not make.

use super::{bad, good};
use crate::engine::NodePlan;
use crate::node::{DhcpPlan, RouterPlan};
use crate::scenario::listing;
use crate::tasks::resolved::Resolved;
use crate::tasks::spec::AwaitedCheck;

/// a — r — s, and at the switch what `nodes` say, each by a link of its own.
fn around(nodes: &[(&str, &str)]) -> String {
    let named: String = nodes.iter().map(|(name, spec)| format!("  {name}: {spec}\n")).collect();
    let links: String = nodes.iter().map(|(name, _)| format!("  to_{name}: {{ ends: [s, {name}] }}\n")).collect();
    format!(
        "longwire: 1\nnodes:\n  a: host\n  r: router\n  s: switch\n{named}\
         links:\n  lan: {{ ends: [a, r] }}\n  up: {{ ends: [r, s] }}\n{links}"
    )
}

fn router(resolved: &Resolved) -> &RouterPlan {
    resolved.plan.nodes.iter().find_map(NodePlan::router).expect("a router")
}

fn addresses(resolved: &Resolved, host: &str) -> Vec<String> {
    let plan = resolved.network.hosts.iter().find(|plan| plan.name == host).expect("a host");
    plan.interfaces[0].addresses.iter().map(ToString::to_string).collect()
}

fn leased(dhcp: &DhcpPlan) -> Vec<String> {
    dhcp.reserved.iter().map(|reserved| reserved.address.to_string()).collect()
}

const VM: (&str, &str) = ("vm", "{ external: { qemu: vm.sock } }");

#[test]
fn a_virtual_machine_gets_addresses_that_everybody_knows() {
    let resolved = good(&around(&[VM, ("b", "host")]));
    let [dhcp] = &router(&resolved).dhcp[..] else { panic!("one server") };
    assert_eq!(
        (dhcp.port, dhcp.server.to_string(), dhcp.net.to_string()),
        (1, "10.0.1.1".into(), "10.0.1.0/24".into())
    );
    assert_eq!((leased(dhcp), dhcp.foreign, dhcp.free()), (vec!["10.0.1.2".to_owned()], false, 251));
    assert_eq!(dhcp.open.as_ref().map(|options| options.name.clone()), Some(None));
    // the IPv6 address is the one that the machine makes from the MAC address of QEMU's options
    let mac = dhcp.reserved[0].mac.octets();
    let own = crate::topology::mac::link_local(mac).to_string().replace("fe80::", "fd00:0:0:1:");
    let own: core::net::Ipv6Addr = own.parse().expect("an address");
    assert_eq!(addresses(&resolved, "vm"), ["10.0.1.2/24".to_owned(), format!("{own}/64")]);
    assert_eq!(addresses(&resolved, "b"), ["10.0.1.3/24", "fd00:0:0:1::2/64"]);
    let file = resolved.network.hosts[0].hosts_file.text();
    assert!(file.lines().any(|line| line.split_whitespace().take(2).eq(["10.0.1.2", "vm"])), "{file}");
    let [advert] = &router(&resolved).advertises[..] else { panic!("one interface advertises") };
    assert_eq!((advert.port, advert.prefixes[0].to_string(), advert.mtu), (1, "fd00:0:0:1::/64".into(), 1500));
    let shown = listing(&resolved);
    for part in
        ["- 10.0.1.2", "for vm at ", "- 251 free addresses of 10.0.1.0/24", "ra: [fd00:0:0:1::/64]", "by DHCP and"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn what_it_is_told_is_what_the_file_says() {
    let spec = "{ external: { qemu: vm.sock, addresses: [10.9.0.7/24], dns: [a, \"fd00::53\"], dhcp: { lease: 90s, domain: lab.example } } }";
    let text = around(&[("vm", spec)]).replace("ends: [s, vm]", "ends: [s, vm], mtu: 1400");
    let resolved = good(&text);
    let [dhcp] = &router(&resolved).dhcp[..] else { panic!("one server") };
    assert_eq!((leased(dhcp), dhcp.server.to_string()), (vec!["10.9.0.7".to_owned()], "10.9.0.1".into()));
    let options = &dhcp.reserved[0].options;
    assert_eq!((options.name.as_deref(), options.domain.as_deref()), (Some("vm"), Some("lab.example")));
    assert_eq!(
        (options.lease, options.mtu, options.dns[0].to_string()),
        (crate::units::Duration::from_secs(90), 1400, "10.0.0.2".into())
    );
    let advert = &router(&resolved).advertises[0];
    assert_eq!((advert.dns[0].to_string(), advert.mtu), ("fd00::53".into(), 1400));
}

#[test]
fn a_network_that_longwire_did_not_make_is_served_on_demand_alone() {
    let tap = |more: &str| format!("{{ external: {{ tap: lw0{more} }} }}");
    let none = good(&around(&[("lab", &tap(""))]));
    assert!(router(&none).dhcp.is_empty() && router(&none).advertises.is_empty());
    let asked = good(&around(&[("lab", &tap(", dhcp: on, ra: on"))]));
    let [dhcp] = &router(&asked).dhcp[..] else { panic!("one server") };
    assert!(dhcp.foreign && dhcp.open.is_some() && dhcp.reserved.is_empty());
    assert_eq!((router(&asked).advertises.len(), addresses(&asked, "lab").len()), (1, 0));
    assert!(listing(&asked).contains("unless another DHCP server answers"));
    // beside a virtual machine: that is served, and nobody behind the TAP
    let both = good(&around(&[VM, ("lab", &tap(""))]));
    let [dhcp] = &router(&both).dhcp[..] else { panic!("one server") };
    assert_eq!((dhcp.foreign, &dhcp.open, dhcp.reserved.len()), (true, &None, 1));
    assert!(router(&both).advertises.is_empty(), "an advertisement would reach the TAP too");
    assert_eq!(addresses(&both, "vm"), ["10.0.1.2/24"]);
    // nobody is served who does not want it
    let off = good(&around(&[("vm", "{ external: { qemu: vm.sock, dhcp: off, ra: off } }")]));
    assert!(router(&off).dhcp.is_empty() && router(&off).advertises.is_empty() && addresses(&off, "vm").is_empty());
}

#[test]
fn without_a_router_a_virtual_machine_is_as_ever() {
    let text =
        "longwire: 1\nnodes: { a: host, vm: { external: { qemu: vm.sock } } }\nlinks: { l: { ends: [a, vm] } }\n";
    assert!(addresses(&good(text), "vm").is_empty());
    let told = bad(&text.replace("vm.sock", "vm.sock, dhcp: on"));
    assert!(told[0].contains("no router is on the network of `vm`, and only a router gives addresses"), "{told:?}");
    // without IPv4 there is no DHCP, and without IPv6 there are no advertisements
    let six = good(&around(&[VM]).replace(": 1\n", ": 1\naddressing: { ipv4: none }\n"));
    assert!(router(&six).dhcp.is_empty() && router(&six).advertises.len() == 1);
    let four = good(&around(&[VM]).replace(": 1\n", ": 1\naddressing: { ipv6: none }\n"));
    assert!(router(&four).dhcp.len() == 1 && router(&four).advertises.is_empty());
}

#[test]
fn mistakes_are_told_with_their_places() {
    let of =
        |spec: &str| bad(&around(&[("vm", &format!("{{ external: {{ qemu: vm.sock, {spec} }} }}"))])).swap_remove(0);
    assert!(of("dhcp: { lease: 0s }").contains("`lease` must be from 1s to 8760h, found 0ms"));
    assert!(of("dhcp: { lease: 8761h }").contains("found 8761h"));
    assert!(of("dhcp: { domain: a..b }").contains("`a..b` is no domain that can be told"));
    assert!(of("dhcp: maybe").contains("`on`, `off`, or a map with `lease` and `domain`"));
    assert!(of("ra: maybe").contains("`maybe`"));
    assert!(of("dhcp: off, ra: off, dns: [a]").contains("nothing tells `vm` its name servers"));
    assert!(of("dns: [nobody]").contains("`nobody` is no name server"));
    let many: Vec<String> = (1..=9).map(|n| format!("192.0.2.{n}")).collect();
    assert!(of(&format!("dns: [{}]", many.join(", "))).contains("`dns` has 9 servers, and a machine is told 8"));
    let mixed = around(&[("vm", "{ external: { qemu: vm.sock, ra: on } }"), ("lab", "{ external: { tap: lw0 } }")]);
    assert!(bad(&mixed)[0].contains("`lab` is on the network of `vm`: it would get its advertisements too"));
    let strangers = [("lab", "{ external: { tap: lw0, dhcp: on } }"), ("old", "{ external: { tap: lw1 } }")];
    assert!(bad(&around(&strangers))[0].contains("`old` is on the network of `lab`: it would get addresses too"));
    // what is asked for and cannot be is no default that is left out
    for (family, key) in [("ipv4", "dhcp"), ("ipv6", "ra")] {
        let file = around(&[("vm", &format!("{{ external: {{ qemu: vm.sock, {key}: on }} }}"))]);
        let file = file.replace("longwire: 1\n", &format!("longwire: 1\naddressing: {{ {family}: none }}\n"));
        assert!(bad(&file)[0].contains("no router on the network of `vm` has an IPv"), "{:?}", bad(&file));
    }
}

/// All but QEMU's line is the same.
#[test]
fn a_virtual_machine_may_join_by_datagrams() {
    let of = |path: &str| around(&[("vm", &format!("{{ external: {{ qemu: {path} }} }}"))]);
    let [stream, datagrams] = ["vm.sock", "{ dgram: vm.sock }"].map(|path| good(&of(path)));
    assert_eq!(addresses(&stream, "vm"), addresses(&datagrams, "vm"));
    let shown = listing(&datagrams);
    let line =
        "-netdev dgram,id=to_vm,local.type=unix,local.path=vm.sock.vm,remote.type=unix,remote.path=vm.sock -device";
    assert!(shown.contains(line), "{shown}");
    assert!(bad(&of("{ stream: vm.sock }")).concat().contains("unknown field `stream`"));
    // the machine's own path is the longer one
    let long = "x".repeat(105);
    assert!(bad(&of(&format!("{{ dgram: {long} }}")))[0].contains("too long for a socket: at most 107 bytes"));
    good(&of(&long));
}

#[test]
fn a_machine_that_is_to_get_no_address_gets_none_beside_another() {
    let resolved = good(&around(&[VM, ("quiet", "{ external: { qemu: quiet.sock, dhcp: off } }")]));
    let [dhcp] = &router(&resolved).dhcp[..] else { panic!("one server") };
    let mac = resolved.network.hosts.iter().find(|host| host.name == "quiet").expect("a host").interfaces[0].mac;
    assert_eq!((dhcp.silent.len(), dhcp.silent[0].octets(), dhcp.reserved.len()), (1, mac, 1));
}

#[test]
fn a_machine_may_be_waited_for() {
    let of =
        |ready: &str| around(&[("vm", &format!("{{ external: {{ qemu: vm.sock, ready: {ready} }} }}")), ("b", "host")]);
    let resolved = good(&of("ping"));
    let awaited = &resolved.scenario.awaited["vm"];
    assert_eq!((awaited.path.from, awaited.path.destination.to_string()), (0, "10.0.1.2".into()));
    assert_eq!((awaited.check, awaited.within.to_string()), (AwaitedCheck::Ping, "2m".into()));
    let resolved = good(&of("{ tcp: 22, from: b, within: 5s }"));
    let awaited = &resolved.scenario.awaited["vm"];
    assert_eq!((awaited.path.from, awaited.check), (2, AwaitedCheck::Tcp(22)));
    let shown = listing(&resolved);
    assert!(shown.contains("vm: when it answers a connection to TCP port 22 from b, within 5s"), "{shown}");
    assert!(bad(&of("{ tcp: 0 }"))[0].contains("port 0 is no port"));
    assert!(bad(&of("pong"))[0].contains("`ping`, `arp`, or a map with `tcp`, `arp`, `from` and `within`"));
    assert!(bad(&of("{ from: nobody }"))[0].contains("unknown host `nobody`"));
    let unknown = around(&[("lab", "{ external: { tap: lw0, ready: ping } }")]);
    assert!(bad(&unknown)[0].contains("no host reaches `lab`, so none can ask it whether it is ready"));
}

/// ARP stays on one network, so one of its hosts asks.
#[test]
fn a_machine_may_be_waited_for_by_arp_from_its_own_network() {
    let of = |ready: &str, other: &str| {
        around(&[("vm", &format!("{{ external: {{ qemu: vm.sock, ready: {ready} }} }}")), ("b", other)])
    };
    for (ready, within) in [("arp", "2m"), ("{ arp: true, from: b, within: 5s }", "5s")] {
        let resolved = good(&of(ready, "host"));
        let awaited = &resolved.scenario.awaited["vm"];
        assert_eq!((awaited.path.from, awaited.check), (2, AwaitedCheck::Arp));
        let shown = listing(&resolved);
        assert!(shown.contains(&format!("vm: when it answers ARP from b, within {within}")), "{shown}");
    }
    let told = |text: &str| bad(text).swap_remove(0);
    assert!(told(&of("{ arp: true, from: a }", "host")).contains("`a` is not on the network of `vm`"));
    assert!(told(&of("arp", "router")).contains("no host is on the network of `vm`, and ARP stays on one"));
    assert!(told(&of("{ arp: true, tcp: 22 }", "host")).contains("`ready` looks for one thing"));
    let entered = [("box", "{ external: { netns: box, interface: lw0, ready: arp } }"), ("b", "host")];
    assert!(told(&around(&entered)).contains("`box` answers ARP from the start"));
}

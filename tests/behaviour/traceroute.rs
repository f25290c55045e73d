//! Five routers as real programs see them: traceroute, tracepath, arping, ping, TCP with path MTU discovery.

use crate::support::capture;
use crate::support::report::{assert_works, dropped, number};
use crate::support::{Lab, has, has_of, is_root};
use serde_json::Value;

/// a - r1 - r2 - r3 - r4 - r5 - b, with one-way delays of 1, 2, 3, 4, 5 and 6 ms.
const CHAIN: &str = "\
longwire: 1
nodes: { a: host, r1: router, r2: router, r3: router, r4: router, r5: router, b: host }
links:
  l1: { ends: [a, r1], delay: 1ms }
  l2: { ends: [r1, r2], delay: 2ms }
  l3: { ends: [r2, r3], delay: 3ms }
  l4: { ends: [r3, r4], delay: 4ms }
  l5: { ends: [r4, r5], delay: 5ms }
  l6: { ends: [r5, b], delay: 6ms }
";

/// Round trips to each router and to `b`, in ms: twice the delays so far.
const ROUND_TRIPS: [f64; 6] = [2.0, 6.0, 12.0, 20.0, 30.0, 42.0];

fn lines(work: &Value) -> Vec<String> {
    work["output"].as_array().expect("lines").iter().map(|line| line.as_str().expect("text").to_owned()).collect()
}

/// What `traceroute -n -q 1` says of each hop: its address, and the round trip in ms.
fn hops(work: &Value) -> Vec<(String, f64)> {
    let hops = lines(work);
    let words = hops.iter().filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit()));
    words
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, address, time, "ms", ..] = words[..] else { panic!("{hops:#?}") };
            (address.to_owned(), time.parse().expect("milliseconds"))
        })
        .collect()
}

#[test]
fn traceroute_lists_five_routers_whose_round_trips_are_sums_of_links() {
    if !has("traceroute") || !is_root() {
        return;
    }
    let mut scenario = format!("{CHAIN}workloads:\n");
    for (name, way) in [("icmp4", "-4, -I"), ("udp4", "-4, -U"), ("icmp6", "-6, -I"), ("udp6", "-6, -U")] {
        let command = format!("[traceroute, {way}, -n, -q, '1', -w, '5', b]");
        scenario += &format!("  {name}: {{ in: a, command: {command}, root: true, timeout: 50s }}\n");
    }
    let Some(lab) = Lab::on_any_clock(&scenario) else { return };
    let plan = lab.run(&["check", "--plan", "scenario.yaml"]).stdout;
    let (code, report) = lab.report();
    assert_works(code, &report);
    for name in ["icmp4", "udp4", "icmp6", "udp6"] {
        let hops = hops(&report["workloads"][name]);
        assert_eq!(hops.len(), 6, "{name}: {hops:?}");
        let mut addresses: Vec<_> = hops.iter().map(|(address, _)| address).collect();
        addresses.dedup();
        assert_eq!(addresses.len(), 6, "{name}: each hop is another router: {hops:?}");
        for ((address, time), expected) in hops.iter().zip(ROUND_TRIPS) {
            assert!(plan.contains(&format!("{address}/")), "{name}: {address} is in the plan:\n{plan}");
            assert!((expected..expected + 1000.0).contains(time), "{name}: {hops:?}");
        }
    }
    let ttl: u64 = report["nodes"].as_array().unwrap().iter().map(|node| dropped(node, "ttl_exceeded")).sum();
    assert!(ttl >= 20, "four programs, five routers: {ttl}");
}

#[test]
fn tracepath_finds_the_small_link_and_tcp_gets_through_it() {
    if !has_of("tracepath", "iputils") {
        return;
    }
    let scenario = CHAIN.replace("l4: { ends: [r3, r4]", "l4: { ends: [r3, r4], mtu: 1280")
        + "\
workloads:
  tcp4:  { tcp: { from: a, to: b, bytes: 4MB, family: ipv4 } }
  tcp6:  { tcp: { from: b, to: a, bytes: 4MB, family: ipv6 }, after: [tcp4] }
  path4: { in: b, command: [tracepath, -4, -n, a], timeout: 50s, after: [tcp6] }
  path6: { in: a, command: [tracepath, -6, -n, b], timeout: 50s, after: [path4] }
  parts: { ping: { from: b, to: a, count: 3, every: 10ms, size: 3000B }, after: [path6] }
";
    let Some(lab) = Lab::on_any_clock(&scenario) else { return };
    let (code, report) = lab.report();
    assert_works(code, &report);
    for name in ["path4", "path6"] {
        let told = lines(&report["workloads"][name]).join("\n");
        assert!(told.contains("pmtu 1280") && told.contains("hops 6"), "{name}:\n{told}");
    }
    let routers = report["nodes"].as_array().expect("nodes");
    let router = |name: &str| routers.iter().find(|node| node["name"] == name).expect("a router");
    // of the TCP connections from both sides, before either host knew
    assert!(dropped(router("r3"), "mtu") > 0 && dropped(router("r4"), "mtu") > 0, "{routers:#?}");
    assert_eq!(report["workloads"]["parts"]["received"], 3);
}

#[test]
fn a_host_accepts_the_answers_of_its_router_and_no_capture_has_a_malformed_packet() {
    if !["python3", "tshark"].into_iter().all(has)
        || !["arping", "ping"].into_iter().all(|name| has_of(name, "iputils"))
        || !is_root()
    {
        return;
    }
    let scenario = "\
longwire: 1
nodes: { a: { host: { neighbours: dynamic } }, r: router, b: { host: { neighbours: dynamic } } }
links:
  near: { ends: [a, r] }
  far: { ends: [r, b], mtu: 1400 }
services:
  capture: { in: a, command: [python3, capture.py, a.capture], ready: { log: capturing }, root: true }
workloads:
  arping: { in: a, root: true, timeout: 20s, shell: \"arping -f -w 10 -I eth0 $(ip -4 route show default | awk '{print $3}')\" }
  all:    { in: a, command: [ping, -6, -c, '1', -W, '5', 'ff02::1%eth0'], root: true }
  routers: { in: a, command: [ping, -6, -c, '1', -W, '5', 'ff02::2%eth0'], root: true }
  v4:     { in: a, command: [ping, -4, -c, '3', -i, '0.2', -W, '5', b], root: true }
  v6:     { in: a, command: [ping, -6, -c, '3', -i, '0.2', -W, '5', b], root: true }
  small:  { in: a, command: [ping, -6, -c, '2', -i, '0.2', -W, '5', -s, '1452', b], root: true }
  parts:  { in: a, command: [ping, -4, -M, dont, -c, '2', -i, '0.2', -W, '5', -s, '1472', b], root: true }
  nobody: { in: a, command: [ping, -4, -c, '1', -W, '8', 192.0.2.1], root: true, exit: 1 }
  closed: { in: a, shell: \"curl -s --max-time 5 http://$(ip -4 route show default | awk '{print $3}'):81/\", exit: 7 }
";
    let Some(lab) = Lab::on_any_clock(scenario) else { return };
    lab.write("capture.py", capture::PROGRAM);
    let (code, report) = lab.report();
    assert_works(code, &report);
    let file = std::fs::read(lab.path("a.capture")).expect("a capture");
    let (frames, missed) = capture::read(&file);
    assert_eq!(missed, 0);
    assert!(frames.iter().filter(|frame| !frame.outgoing).count() > 15, "{} frames", frames.len());
    std::fs::write(lab.path("a.pcap"), capture::pcap(&frames)).expect("written");
    let wrong = "_ws.malformed || ip.checksum.status == 0 || icmp.checksum.status == 0 || icmpv6.checksum.status == 0 \
                 || tcp.checksum.status == 0 || udp.checksum.status == 0";
    let checks = ["ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"].map(|name| format!("{name}:TRUE"));
    let mut arguments = vec!["-r", "a.pcap", "-Y", wrong];
    checks.iter().for_each(|check| arguments.extend(["-o", check]));
    let told = lab.other("tshark", &arguments).output().expect("tshark");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert_eq!(String::from_utf8_lossy(&told.stdout), "", "frames that tshark finds fault with");
    let seen = lab.other("tshark", &["-r", "a.pcap", "-T", "fields", "-e", "_ws.col.Protocol", "-e", "_ws.col.Info"]);
    let seen = String::from_utf8_lossy(&{ seen }.output().expect("tshark").stdout).into_owned();
    for kind in ["is at", "Neighbor Advertisement", "Echo (ping) reply", "Packet Too Big", "RST"] {
        assert!(seen.contains(kind), "no {kind} in\n{seen}");
    }
}

#[test]
fn iperf3_crosses_routers_and_switches() {
    if !has("iperf3") {
        return;
    }
    let scenario = "\
longwire: 1
nodes: { a: host, left: switch, r1: router, r2: router, right: switch, b: host }
links:
  l1: { ends: [a, left] }
  l2: { ends: [left, r1] }
  l3: { ends: [r1, r2], delay: 2ms }
  l4: { ends: [r2, right] }
  l5: { ends: [right, b] }
services:
  server: { in: b, command: [iperf3, -s], ready: { tcp: 5201 } }
workloads:
  up: { in: a, command: [iperf3, -c, b, -n, 50M, -J], timeout: 50s }
";
    let Some(lab) = Lab::on_any_clock(scenario) else { return };
    let (code, report) = lab.report();
    assert_works(code, &report);
    let routers = report["nodes"].as_array().expect("nodes");
    for node in routers {
        assert!(number(&node["sent"]) > 50_000_000 / 1500, "{node:#}");
        assert_eq!(dropped(node, "malformed") + dropped(node, "unsupported"), 0, "{node:#}");
    }
}

//! VLANs and the spanning tree with the real stack at both ends.

mod support;

use nix::sys::signal::Signal;
use serde_json::Value;
use support::report::{direction, dropped, number};
use support::{Lab, has};

fn frames(report: &Value, link: &str, to: &str) -> u64 {
    number(&direction(report, link, to)["delivered"]["frames"])
}

#[test]
fn a_trunk_carries_two_vlans_that_do_not_hear_each_other() {
    if !has("ping") {
        return;
    }
    // Neighbours are asked for, so that there are broadcasts; IPv6 is off, so that nothing else is sent.
    let Some(lab) = Lab::new(
        "\
longwire: 1
addressing: { ipv6: none }
nodes:
  a: { host: { neighbours: dynamic } }
  b: { host: { neighbours: dynamic } }
  c: { host: { neighbours: dynamic, addresses: [10.0.0.1/24] } }
  d: { host: { neighbours: dynamic, addresses: [10.0.0.3/24] } }
  s1: { switch: { vlans: { 10: [a], 20: [c] }, trunks: [s2] } }
  s2: { switch: { vlans: { 10: [b], 20: [d] }, trunks: { trunk: { allowed: [10, 20], native: none } } } }
links:
  la: { ends: [a, s1] }
  lb: { ends: [b, s2] }
  lc: { ends: [c, s1] }
  ld: { ends: [d, s2] }
  trunk: { ends: [s1, s2] }
workloads:
  ten:    { ping: { from: a, to: b, count: 5, every: 10ms } }
  nobody: { in: c, shell: \"ping -c 3 -i 0.2 -W 1 10.0.0.77\", exit: 1, after: ten }
  twenty: { ping: { from: c, to: 10.0.0.3, count: 5, every: 10ms }, after: nobody }
",
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert!(matches!(code, 0 | 3), "{:#}", report["workloads"]);
    for name in ["ten", "twenty"] {
        assert_eq!(report["workloads"][name]["received"], 5, "{name}: {:#}", report["workloads"][name]);
    }
    // 5 requests and 5 replies, and one question each way for an address; of the other VLAN's questions nothing
    for (link, host) in [("la", "a"), ("lb", "b")] {
        let heard = frames(&report, link, host);
        assert!((6..=8).contains(&heard), "{host} heard {heard} frames");
    }
    let asked = frames(&report, "ld", "d");
    assert!(asked >= 3 + 6, "d heard {asked} frames: the questions for nobody, and its own");
    // 42 bytes of ARP and 98 of ping have 4 more where they are tagged
    let bytes = |link, to| number(&direction(&report, link, to)["delivered"]["bytes"]);
    let (tagged, plain) = (bytes("trunk", "s2"), bytes("la", "s1") + bytes("lc", "s1"));
    assert_eq!(tagged, plain + 4 * frames(&report, "trunk", "s2"), "every frame is tagged once");
    assert!(report["nodes"].as_array().expect("nodes").iter().all(|node| node["dropped"]["vlan"].is_null()));
}

#[test]
fn super_frames_pass_a_trunk_whole_and_hosts_may_have_tags_of_their_own() {
    if !["ip", "timeout", "python3"].into_iter().all(has) {
        return;
    }
    // `deep` is at a trunk: it makes itself an interface for VLAN 10.
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes:
  a: { host: { addresses: [10.1.0.1/24, \"fd00:1::1/64\"] } }
  b: { host: { addresses: [10.1.0.2/24, \"fd00:1::2/64\"] } }
  deep: host
  s1: { switch: { vlans: { 10: [a] }, trunks: [s2] } }
  s2: { switch: { vlans: { 10: [b] }, trunks: [s1, deep] } }
links:
  la: { ends: [a, s1] }
  lb: { ends: [b, s2] }
  ld: { ends: [deep, s2] }
  trunk: { ends: [s1, s2], delay: 100us }
workloads:
  vlan: { in: deep, root: true, shell: \"ip link add link eth0 name eth0.10 type vlan id 10 && ip addr add 10.1.0.9/24 dev eth0.10 && ip link set eth0.10 up && ip -d link show eth0.10\" }
  four: { tcp: { from: a, to: b, bytes: 100MB }, timeout: 40s, after: vlan }
  six:  { tcp: { from: a, to: b, bytes: 30MB, family: ipv6 }, timeout: 40s, after: four }
  serve: { in: deep, command: [timeout, 20, python3, serve.py], after: six }
  fetch: { in: a, command: [timeout, 20, python3, fetch.py], after: six }
",
    ) else {
        return;
    };
    // sends what was asked for once all has come, and says how much that was
    let count = "n = 0\nwhile True:\n  d = c.recv(1 << 20)\n  if not d: break\n  n += len(d)\n";
    let listen = "import socket\ns = socket.create_server(('10.1.0.9', 5000))\nopen('up', 'w')\nc = s.accept()[0]\n";
    let connect = "import os, socket, time\nwhile not os.path.exists('up'): time.sleep(0.02)\n\
                   c = socket.create_connection(('10.1.0.9', 5000))\n";
    let send = "c.sendall(b'x' * 30000000)\nc.shutdown(socket.SHUT_WR)\n";
    lab.write("serve.py", &format!("{listen}{count}{send}print(n)\n"));
    lab.write("fetch.py", &format!("{connect}{send}{count}print(n)\n"));
    let (code, report) = lab.report();
    assert!(matches!(code, 0 | 3), "{:#}", report["workloads"]);
    for name in ["four", "six"] {
        let work = &report["workloads"][name];
        assert!(work["receiver"]["first_difference"].is_null(), "{work:#}");
        assert_eq!(work["sender"]["hash"], work["receiver"]["hash"]);
    }
    for name in ["serve", "fetch"] {
        let work = &report["workloads"][name];
        assert!(work["output"].to_string().contains("30000000"), "{work:#}");
    }
    // on the wire each frame is one of 1,514 bytes at most, and its tag
    let trunk = &direction(&report, "trunk", "s2")["delivered"];
    let (frames, bytes) = (number(&trunk["frames"]), number(&trunk["bytes"]));
    assert!(frames >= 130_000_000 / 1448 && bytes <= frames * 1518, "{trunk:#}");
    let access = &direction(&report, "lb", "b")["delivered"];
    assert!(number(&access["bytes"]) <= number(&access["frames"]) * 1514, "{access:#}");
    println!("{:#}", report["workloads"]["four"]["receiver"]["goodput_bps"]);
}

#[test]
fn when_a_link_of_a_ring_goes_down_traffic_comes_back_by_the_other_way() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
convergence: 500ms
nodes: { a: host, b: host, s1: switch, s2: switch, s3: switch }
links:
  la: { ends: [a, s1] }
  lb: { ends: [b, s2] }
  near: { ends: [s1, s2], delay: 1ms }
  far1: { ends: [s1, s3], delay: 5ms }
  far2: { ends: [s3, s2], delay: 5ms }
workloads:
  rtt:  { ping: { from: a, to: b, every: 10ms, timeout: 200ms } }
  here: { in: a, shell: \"touch up\" }
duration: 30s
",
    ) else {
        return;
    };
    let run = lab.start_run(&["--json", "-"]);
    lab.until_file("up");
    let pid = run.pid().to_string();
    let set = |change: &str| {
        let output = lab.longwire(&["set", &pid, change]).output().expect("run");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let pause = |ms| std::thread::sleep(std::time::Duration::from_millis(ms));
    pause(400);
    set("near=down");
    pause(1200);
    set("near=up");
    pause(1200);
    run.signal(Signal::SIGINT);
    let ended = run.wait();
    assert_eq!(ended.code, 130, "{}", ended.told());
    let report = ended.json();
    let samples = report["workloads"]["rtt"]["samples"].as_array().expect("samples");
    let rtts: Vec<Option<u64>> = samples.iter().map(|sample| sample[1].as_u64()).collect();
    let is_long = |rtt: &&Option<u64>| rtt.is_some_and(|ns| ns >= 20_000_000);
    let is_short = |rtt: &&Option<u64>| rtt.is_some_and(|ns| (2_000_000..20_000_000).contains(&ns));
    let first_lost = rtts.iter().position(Option::is_none).expect("some are lost");
    let first_long = rtts.iter().position(|rtt| is_long(&rtt)).expect("some take the other way");
    let last_long = rtts.iter().rposition(|rtt| is_long(&rtt)).expect("some take the other way");
    assert!(first_lost < first_long && rtts[..first_lost].iter().filter(is_short).count() > 5, "{rtts:?}");
    // half a second in which nobody had noticed, at one ping in 10 ms; a stalled sender skips some
    let lost = rtts[first_lost..first_long].iter().filter(|rtt| rtt.is_none()).count();
    assert!((10..=60).contains(&lost), "{lost} lost: {rtts:?}");
    assert!(rtts[first_long..=last_long].iter().filter(is_long).count() > 10, "{rtts:?}");
    assert!(rtts[last_long..].iter().filter(is_short).count() > 5, "the short way again: {rtts:?}");
    let near = |to| dropped(direction(&report, "near", to), "link_down");
    assert!(near("s1") + near("s2") >= 10);
    // nothing goes round: no more frames than hosts sent, twice for what was flooded
    let sent = frames(&report, "la", "s1") + frames(&report, "lb", "s2");
    assert!(frames(&report, "far1", "s3") + frames(&report, "far1", "s1") <= 2 * sent);
}

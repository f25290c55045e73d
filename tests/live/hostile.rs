//! A network of every kind of node in which most hosts do harm: what the others measure stands, or the run says INVALID.

use crate::support::report::{assert_passed, number};
use crate::support::{Lab, has};

/// What longwire's main process may hold at most.
const MEMORY: u64 = 100 << 20;

#[test]
fn what_others_measure_stands_or_the_run_says_that_it_does_not() {
    if !["python3", "ip", "unshare"].into_iter().all(has) {
        return;
    }
    let Some(lab) = Lab::new(
        "\
longwire: 1
duration: 6s
nodes:
  v: host
  w: host
  interfaces: host
  kill: host
  fork: { host: { limits: { processes: 100 } } }
  flood: host
  frames: host
  headers: host
  sw: switch
  hub: hub
  gate: { router: { nat: out, firewall: { default: allow, rules: [{ name: web, drop: { tcp: 80 } }] } } }
links:
  l-v:          { ends: [v, sw] }
  l-interfaces: { ends: [interfaces, sw] }
  l-kill:       { ends: [kill, sw], loss: 1% }
  l-frames:     { ends: [frames, sw], duplicate: 1% }
  l-headers:    { ends: [headers, sw], corrupt: 1% }
  l-in:         { ends: [sw, gate.in], delay: 2ms }
  l-out:        { ends: [gate.out, hub], delay: 2ms }
  l-w:          { ends: [w, hub] }
  l-fork:       { ends: [fork, hub] }
  l-flood:      { ends: [flood, hub], rate: 100Mbit }
workloads: { rtt: { ping: { from: v, to: w, every: 50ms } } }
services:
  s-interfaces: { in: interfaces, root: true, command: [python3, hostile.py, interfaces] }
  s-kill:       { in: kill, root: true, command: [python3, hostile.py, kill] }
  s-fork:       { in: fork, root: true, command: [python3, hostile.py, fork] }
  s-flood:      { in: flood, root: true, command: [python3, hostile.py, flood] }
  s-frames:     { in: frames, root: true, command: [python3, hostile.py, frames] }
  s-headers:    { in: headers, root: true, command: [python3, hostile.py, headers] }
expect:
  - rtt.loss < 5%
  - rtt.p50 < 50ms
",
    ) else {
        return;
    };
    lab.write("hostile.py", include_str!("../support/programs/hostile.py"));
    let mut run = lab.start_run(&["--json", "-"]);
    let peak = run.peak_memory();
    let ended = run.wait();
    let report = ended.json();
    assert_passed(ended.code, &report);
    assert!(number(&report["workloads"]["rtt"]["sent"]) >= 110, "{:#}", report["workloads"]["rtt"]);
    assert!(peak < MEMORY, "{peak} bytes");
    let received = |name: &str| {
        let port = report["ports"].as_array().expect("ports").iter().find(|port| port["host"] == name).expect("a port");
        number(&port["received"])
    };
    // far fewer than they send on an idle machine, far more than any other host
    for (host, least) in [("flood", 1_000), ("frames", 500), ("headers", 500)] {
        assert!(received(host) > least, "{host} did no harm: {:#}", report["ports"]);
    }
}

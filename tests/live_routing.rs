//! Routes with the real stack at both ends: pings across routers, and what a link that goes down does to them.

mod support;

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;
use support::report::{direction, dropped, number};
use support::{Lab, has, is_root, until};

/// A short way of 5 ms and a long one of 20 ms between `a` and `b`.
const TWO_WAYS: &str = "\
longwire: 1
convergence: 200ms
nodes: { a: host, west: router, south: router, east: router, b: host }
links:
  office-a: { ends: [a, west] }
  short:    { ends: [west, east], delay: 5ms }
  long-1:   { ends: [west, south], delay: 10ms }
  long-2:   { ends: [south, east], delay: 10ms }
  office-b: { ends: [east, b] }
";

fn frames(report: &Value, link: &str, to: &str) -> u64 {
    number(&direction(report, link, to)["delivered"]["frames"])
}

fn no_circle(report: &Value) {
    let nodes = report["nodes"].as_array().expect("nodes");
    assert!(nodes.iter().all(|node| dropped(node, "ttl_exceeded") == 0), "{nodes:#?}");
}

#[test]
fn pings_cross_routers_in_both_families_and_find_routers_by_name() {
    let Some(lab) = Lab::new(&format!(
        "{TWO_WAYS}\
workloads:
  v4: {{ ping: {{ from: a, to: b, count: 20, every: 20ms, family: ipv4 }} }}
  v6: {{ ping: {{ from: b, to: a, count: 20, every: 20ms, family: ipv6 }} }}
  router: {{ ping: {{ from: a, to: south, count: 5, every: 20ms }} }}
  name: {{ in: b, shell: 'getent hosts west | grep -q . && getent hosts west.eth0' }}
  one-way: {{ in: a, shell: 'test $(ip -4 route show default | wc -l) = 1 && test $(ip -6 route show default | wc -l) = 1' }}
"
    )) else {
        return;
    };
    let (code, report) = lab.report();
    assert!(matches!(code, 0 | 3), "{:#}", report["workloads"]);
    for (name, count) in [("v4", 20), ("v6", 20), ("router", 5)] {
        assert_eq!(report["workloads"][name]["received"], count, "{name}: {:#}", report["workloads"][name]);
    }
    let least = number(&report["workloads"]["v4"]["rtt_ns"]["min"]);
    assert!((10_000_000..100_000_000).contains(&least), "the short way, there and back: {least} ns");
    for name in ["name", "one-way"] {
        assert_eq!(report["workloads"][name]["ok"], true, "{:#}", report["workloads"][name]);
    }
    assert_eq!(frames(&report, "long-2", "east"), 0, "nothing takes the long way");
    no_circle(&report);
}

#[test]
fn traffic_moves_when_a_link_goes_down_by_hand_and_comes_back() {
    let Some(lab) = Lab::new(&format!(
        "{TWO_WAYS}\
workloads:
  rtt: {{ ping: {{ from: a, to: b, every: 10ms, timeout: 1s }} }}
  here: {{ in: a, shell: 'touch up' }}
duration: 8s
"
    )) else {
        return;
    };
    let run = lab.start_run(&["--json", "-"]);
    lab.until_file("up");
    let pid = run.pid().to_string();
    // These tests end everything that is marked when a command of theirs ends, so what runs beside is waited for by hand.
    let set = |change: &str| {
        let output = lab.longwire(&["set", &pid, change]).output().expect("run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    sleep(Duration::from_millis(500));
    set("short=down");
    sleep(Duration::from_millis(1500));
    set("short=up");
    let report = run.wait().json();
    let rtt = &report["workloads"]["rtt"];
    let ways = ["east", "west"].map(|to| dropped(direction(&report, "short", to), "link_down"));
    let lost: u64 = ways.iter().sum();
    // those of the 200 ms in which routers did not know, and what was under way, as far as it was not late
    let events = report["events"].as_array().expect("events");
    let down = events.iter().find(|event| event["what"] == "short=down").expect("it went down");
    let down = down["at_ns"].as_i64().expect("a time");
    let gaps = report["validity"]["gaps"]["list"].as_array().expect("a list").iter();
    let late = gaps.filter_map(|gap| Some(gap[1].as_i64()? - gap[0].as_i64()?)).max().unwrap_or(0);
    let asked = (down - 50_000_000 - late)..(down + 250_000_000 + late);
    let began = rtt["began_ns"].as_i64().expect("a time");
    let samples = rtt["samples"].as_array().expect("samples").iter();
    let asked = samples.filter(|sample| sample[0].as_i64().is_some_and(|at| asked.contains(&(began + at)))).count();
    assert!(lost >= 1 && lost <= asked as u64, "{ways:?} lost on the link of {asked}");
    let (sent, received) = (number(&rtt["sent"]), number(&rtt["received"]));
    assert!(received + lost + 3 >= sent, "lost elsewhere: {sent} sent, {received} received, {lost} lost on the link");
    let there = frames(&report, "long-2", "east");
    assert!(there > 50, "{there} frames took the long way");
    let times = &rtt["rtt_ns"];
    assert!(number(&times["min"]) < 30_000_000 && number(&times["max"]) >= 40_000_000, "{times:#}");
    no_circle(&report);
}

#[test]
fn an_existing_namespace_gets_routes_to_the_networks_and_keeps_its_own() {
    if !is_root() || !["ip", "unshare"].into_iter().all(has) {
        return;
    }
    let Some(lab) = Lab::new("") else { return };
    // This test ends everything that is marked when a command of it ends; this one is not.
    let mut container =
        Command::new("unshare").args(["--net", "sleep", "55"]).current_dir(lab.path(".")).spawn().expect("unshare");
    let pid = container.id().to_string();
    // in the namespace as soon as the program that it became is the one that sleeps
    until("the namespace is there", || {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "sleep")
    });
    lab.write(
        "scenario.yaml",
        &format!(
            "longwire: 1\nnodes:\n  box: {{ external: {{ netns: {pid}, interface: lw0, addresses: [10.5.0.9/24] }} }}\n  \
             r1: router\n  r2: router\n  b: host\n\
             links: {{ l: {{ ends: [box, r1] }}, m: {{ ends: [r1, r2] }}, n: {{ ends: [r2, b] }} }}\n\
             workloads:\n  there: {{ ping: {{ from: b, to: box, count: 5, every: 20ms }} }}\n"
        ),
    );
    let output = lab.longwire(&["run", "scenario.yaml", "--json", "-"]).output().expect("run");
    container.kill().expect("our child");
    container.wait().expect("our child");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    // answered by way of two routers: it has a route back, though nobody gave it one
    assert_eq!(report["workloads"]["there"]["received"], 5, "{:#}\n{told}", report["workloads"]["there"]);
}

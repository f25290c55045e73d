//! What is changed by hand while a network is up, and what is said of a timeline that a run did not come to.

use std::time::Duration;

use crate::support::scenarios::PHONE;
use crate::support::{Lab, has};
use nix::sys::signal::Signal;

#[test]
fn a_route_moves_by_hand_and_a_run_says_what_it_ended_too_early_for() {
    if !has("ip") {
        return;
    }
    let Some(lab) = Lab::new(&format!(
        "{PHONE}\
workloads:
  here: {{ in: phone, shell: \"touch up; exec sleep 60\" }}
timeline:
  - {{ at: 50s, set: {{ wifi: {{ delay: 5ms }} }}, route: {{ phone: wlan0 }} }}
"
    )) else {
        return;
    };
    let run = lab.start_run(&["--json", "-", "--out", "out"]);
    lab.until_file("up");
    let pid = run.pid().to_string();
    let beside = |arguments: &[&str]| {
        let output = lab.longwire(arguments).output().expect("run");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let route = || beside(&["exec", &format!("{pid}/phone"), "--", "ip", "route", "show", "default"]).1;
    assert!(route().contains("192.168.1.1 dev wlan0"), "{}", route());
    for (change, part) in
        [("phone.route=eth9", "wwan0"), ("phon.route=wwan0", "phone"), ("lone.route=eth0", "no gateway")]
    {
        let (code, told) = beside(&["set", &pid, change, "wifi.loss=1%"]);
        assert!(code == Some(2) && told.contains(part) && told.contains(change), "{change}: {told}");
    }
    let (code, told) = beside(&["set", &pid, "wifi.delay.jitter=1ms", "phone.route=wwan0", "wifi=down"]);
    assert_eq!(code, Some(0), "{told}");
    assert!(route().contains("10.64.0.1 dev wwan0"), "{}", route());
    std::thread::sleep(Duration::from_millis(150));
    run.signal(Signal::SIGINT);
    let ended = run.wait();
    assert_eq!(ended.code, 130, "{}", ended.told());
    let report = ended.json();
    let set: Vec<_> = report["events"].as_array().expect("events").iter().filter(|e| e["kind"] == "set").collect();
    let what: Vec<_> = set.iter().map(|event| event["what"].as_str().expect("words")).collect();
    assert_eq!(what, ["wifi.delay.jitter=1ms", "phone.route=wwan0", "wifi=down"]);
    assert!(set.iter().all(|event| event["at_ns"] == set[0]["at_ns"]), "{set:#?}");
    let left: Vec<_> =
        report["not_reached"].as_array().expect("a list").iter().map(|left| left["what"].clone()).collect();
    assert_eq!(left, ["wifi.delay=5ms", "phone.route=wlan0"]);
    let text = lab.read("out/report.txt");
    assert!(text.contains("the run ended before the timeline came to 50 s: wifi.delay=5ms"), "{text}");
}

#[test]
fn a_route_that_cannot_move_in_one_family_moves_in_neither() {
    if !has("ip") {
        return;
    }
    let Some(lab) = Lab::new(&format!(
        "{PHONE}\
workloads:
  here: {{ in: phone, root: true, shell: \"echo 1 > /proc/sys/net/ipv6/conf/wwan0/disable_ipv6; touch up; exec sleep 60\" }}
"
    )) else {
        return;
    };
    let run = lab.start_run(&[]);
    lab.until_file("up");
    let pid = run.pid().to_string();
    let beside = |arguments: &[&str]| {
        let output = lab.longwire(arguments).output().expect("run");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let routes = || {
        let of = |family| beside(&["exec", &format!("{pid}/phone"), "--", "ip", family, "route", "show", "default"]).1;
        format!("{}{}", of("-4"), of("-6"))
    };
    let before = routes();
    assert!(before.contains("via 192.168.1.1 dev wlan0"), "{before}");
    let (code, told) = beside(&["set", &pid, "phone.route=wwan0", "wifi.loss=1%"]);
    assert!(code == Some(2) && told.contains("fd02::1"), "exit {code:?}: {told}");
    assert_eq!(routes(), before);
    run.signal(Signal::SIGINT);
    assert_eq!(run.wait().code, 130);
}

#[test]
fn hosts_are_cut_off_and_nodes_taken_down_by_hand() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, b: host, s: switch }
links: { la: { ends: [a, s], loss: 1% }, lb: { ends: [b, s] } }
workloads:
  here: { in: a, shell: \"touch up; exec sleep 60\" }
",
    ) else {
        return;
    };
    let run = lab.start_run(&["--json", "-"]);
    lab.until_file("up");
    let pid = run.pid().to_string();
    let set = |changes: &[&str]| {
        let arguments: Vec<&str> = ["set", &pid].into_iter().chain(changes.iter().copied()).collect();
        let output = lab.longwire(&arguments).output().expect("run");
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    for (change, part) in
        [("block=a->x", "unknown host `x`"), ("t=down", "unknown link or node `t`"), ("s=reset", "is a node")]
    {
        let (code, told) = set(&[change]);
        assert!(code == Some(2) && told.contains(part), "{change}: {told}");
    }
    let changes =
        ["la.loss=9%", "s=down", "block=a->b", "partition=a|b", "lb=no-carrier", "la=reset", "s=up", "heal=all"];
    let (code, told) = set(&changes);
    assert_eq!(code, Some(0), "{told}");
    run.signal(Signal::SIGINT);
    let ended = run.wait();
    assert_eq!(ended.code, 130, "{}", ended.told());
    let report = ended.json();
    let what: Vec<_> = report["events"].as_array().expect("events").iter().filter(|e| e["kind"] == "set").collect();
    assert_eq!(what.iter().map(|event| event["what"].as_str().expect("words")).collect::<Vec<_>>(), changes);
}

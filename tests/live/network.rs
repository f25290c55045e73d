//! Machines that longwire does not make, and changes by hand while a network is up.

use std::process::Command;
use std::time::Duration;

use crate::support::report::{assert_works, direction, dropped, number};
use crate::support::{Lab, has, is_root, until};
use nix::sys::signal::Signal;
use serde_json::Value;

#[test]
fn an_external_tap_is_in_the_callers_namespace_and_goes_with_the_run() {
    if !is_root() || !["unshare", "nsenter", "ip"].into_iter().all(has) {
        return;
    }
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: { host: { addresses: [10.0.0.1/24] } }, vm: { external: { tap: lwtest0 } } }
links: { wire: { ends: [a, vm], delay: 2ms } }
workloads:
  stay: { in: a, shell: \"touch up; until test -e enough; do sleep 0.05; done\" }
  rtt:  { ping: { from: a, to: 10.0.0.9, count: 5, every: 10ms }, after: stay }
",
    ) else {
        return;
    };
    // A namespace of the test's own stands for the machine.
    let mut unshare = lab.other("unshare", &["-n", "sh", "-c", "ip link set lo up; touch ready; exec sleep 60"]);
    let mut machine = unshare.spawn().expect("started");
    lab.until_file("ready");
    let pid = machine.id().to_string();
    let devices = || std::fs::read_to_string(format!("/proc/{pid}/net/dev")).expect("the helper's");
    let run = lab
        .other("nsenter", &["-t", &pid, "-n", env!("CARGO_BIN_EXE_longwire"), "run", "scenario.yaml", "--json", "-"]);
    let run = std::process::Command::stdout(&mut { run }, std::process::Stdio::piped()).spawn().expect("started");
    lab.until_file("up");
    let during = devices();
    // The machine behind the TAP has its own addresses.
    let own = "ip addr add 10.0.0.9/24 dev lwtest0 && ip link set lwtest0 up";
    let addressed = lab.other("nsenter", &["-t", &pid, "-n", "sh", "-c", own]).status().expect("run");
    lab.write("enough", "");
    let output = run.wait_with_output().expect("run");
    let after = devices();
    machine.kill().expect("our child");
    machine.wait().expect("our child");
    let code = output.status.code().expect("a code");
    let report: Value = serde_json::from_slice(&output.stdout).expect("a report");
    crate::support::report::check(&report, code);
    assert_works(code, &report);
    assert_eq!(report["workloads"]["rtt"]["received"], 5, "{:#}", report["workloads"]["rtt"]);
    assert!(addressed.success());
    assert!(during.contains("lwtest0") && !after.contains("lwtest0"), "{during}\n{after}");
}

#[test]
fn an_external_machine_without_a_link_is_left_alone() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { a: host, vm: { external: { tap: lwtest1 } } }
workloads: { work: { in: a, command: [test, \"!\", -e, /sys/class/net/lwtest1] } }
",
    ) else {
        return;
    };
    let ended = lab.run(&["run", "scenario.yaml", "--json", "-"]);
    assert_works(ended.code, &ended.json());
    assert!(ended.stderr.contains("`vm` is an external machine without a link"), "{}", ended.told());
}

#[test]
fn an_interface_is_put_into_a_namespace_that_exists() {
    if !is_root() || !["unshare", "ip"].into_iter().all(has) {
        return;
    }
    let Some(lab) = Lab::new("") else { return };
    let mut unshare = lab.other("unshare", &["-n", "sh", "-c", "ip link set lo up; touch ready; exec sleep 60"]);
    let mut container = unshare.spawn().expect("started");
    lab.until_file("ready");
    let pid = container.id();
    lab.write(
        "scenario.yaml",
        &format!(
            "\
longwire: 1
nodes: {{ a: host, box: {{ external: {{ netns: \"{pid}\", interface: lw7, addresses: [10.0.0.9/24] }} }} }}
links: {{ wire: {{ ends: [a, box], delay: 2ms }} }}
workloads:
  rtt: {{ ping: {{ from: a, to: box, count: 5, every: 10ms }} }}
"
        ),
    );
    let output = lab.longwire(&["run", "scenario.yaml", "--json", "-"]).output().expect("run");
    let after = std::fs::read_to_string(format!("/proc/{pid}/net/dev")).expect("the helper's");
    // The same with a process that is not there.
    container.kill().expect("our child");
    container.wait().expect("our child");
    let gone = lab.run(&["run", "scenario.yaml"]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    assert_works(output.status.code().expect("a code"), &report);
    assert_eq!(report["workloads"]["rtt"]["received"], 5, "{:#}", report["workloads"]["rtt"]);
    assert!(!after.contains("lw7"), "{after}");
    assert_eq!(gone.code, 2, "{}", gone.told());
    assert!(gone.stderr.contains(&pid.to_string()), "{}", gone.stderr);
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

#[test]
fn a_network_that_is_up_can_be_changed_and_entered() {
    let Some(lab) = Lab::new(
        "\
longwire: 1
nodes: { alice: host, bob: host }
links: { wifi: { ends: [alice, bob], delay: 1ms } }
workloads:
  rtt:  { ping: { from: alice, to: bob, every: 10ms, timeout: 200ms } }
  here: { in: alice, shell: \"touch up\" }
duration: 30s
",
    ) else {
        return;
    };
    assert_eq!(lab.run(&["exec", "bob", "--", "true"]).code, 2, "no run is up");
    assert_eq!(lab.run(&["set", "wifi.loss=1%"]).code, 2, "no run is up");
    // other runs of this user may have the usual name
    let name = format!("entered-{}", std::process::id());
    let file = format!("{name}.yaml");
    lab.write(&file, &lab.read("scenario.yaml"));
    let run = lab.start(lab.longwire(&["run", &file, "--json", "-", "--out", "out"]));
    lab.until_file("up");
    let target = |host: &str| format!("{}/{host}", run.pid());
    // These tests end everything that is marked when a command of theirs ends, so what runs beside is waited for by hand.
    let beside = |arguments: &[&str]| {
        let output = lab.longwire(arguments).output().expect("run");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) = beside(&["exec", &target("bob"), "--", "cat", "/proc/net/dev"]);
    assert_eq!(code, Some(0), "{err}");
    assert!(out.contains("eth0") && out.contains("lo:"), "{out}");
    assert_eq!(beside(&["exec", &format!("{name}/bob"), "--", "sh", "-c", "exit 42"]).0, Some(42));
    assert_eq!(beside(&["exec", &target("bob"), "--", "no-such-program"]).0, Some(127));
    assert_eq!(beside(&["exec", &target("bob"), "--", "sh", "-c", "kill -TERM $$"]).0, Some(128 + 15));
    let (code, out, _) = beside(&["exec", &target("bob"), "--", "id", "-u"]);
    assert_eq!((code, out.trim()), (Some(0), nix::unistd::getuid().to_string().as_str()));
    let (code, _, err) = beside(&["exec", &target("carol"), "--", "true"]);
    assert_eq!(code, Some(2), "{err}");
    assert!(err.contains("carol"), "{err}");

    let pid = run.pid().to_string();
    for (change, part) in [
        ("wifi.loss=lots", "lots"),
        ("wifi.dealy=1ms", "delay"),
        ("wfii.loss=1%", "wifi"),
        ("wifi.toward.carol.loss=1%", "carol"),
        ("wifi.loss=0.5", "0.5%"),
        ("wifi=sideways", "wifi=sideways"),
    ] {
        let (code, out, err) = beside(&["set", &pid, change]);
        assert_eq!(code, Some(2), "{change}: {out}{err}");
        assert!(err.contains(part) && err.contains(change) && !err.contains("1:1"), "{change}: {err}");
    }
    // None takes effect if one is wrong.
    assert_eq!(beside(&["set", &pid, "wifi.delay=9ms", "wifi.loss=lots"]).0, Some(2));
    let (code, _, err) = beside(&["set", &pid, "wifi.loss=100%"]);
    assert_eq!(code, Some(0), "{err}");
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(beside(&["set", &pid, "wifi.toward.bob.loss=none", "wifi.toward.alice.loss=none"]).0, Some(0));
    std::thread::sleep(Duration::from_millis(300));
    run.signal(Signal::SIGINT);
    let ended = run.wait();
    assert_eq!(ended.code, 130, "{}", ended.told());
    let report = ended.json();
    let rtt = &report["workloads"]["rtt"];
    // 60 were due in that time; a stalled sender skips some
    assert!(number(&rtt["lost"]) > 5 && number(&rtt["received"]) > 5, "{rtt:#}");
    let samples: Vec<bool> =
        rtt["samples"].as_array().expect("samples").iter().map(|sample| sample[1].is_null()).collect();
    let (first, last) = (samples.iter().position(|lost| *lost), samples.iter().rposition(|lost| !*lost));
    assert!(first > Some(0) && last > first, "answered before and after: {samples:?}");
    let wire = direction(&report, "wifi", "bob");
    assert_eq!(wire["delay_ns"]["max"], 1_000_000, "{wire:#}");
    assert!(dropped(wire, "loss") > 5);
    let events = report["events"].to_string();
    assert!(events.contains("wifi.loss=100%") && !events.contains("lots"), "{events}");
    assert!(lab.read("out/events.jsonl").contains("wifi.loss=100%"));
    until("the run is not to be found", || lab.run(&["set", "wifi.loss=1%"]).code == 2);
}

//! `longwire wire`: two network interfaces as a bump in the wire, from the machine's own stack and back to it.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::process::{Command, Stdio};

use crate::machine::Machine;
use crate::support::report::{direction, number};
use crate::support::{Lab, Started, has, is_root, until};
use nix::sys::signal::Signal;

/// A machine with two cables, and what is at their other ends.
struct Bench {
    left: Machine,
    middle: Machine,
    right: Machine,
    lab: Lab,
}

impl Bench {
    fn new() -> Option<Bench> {
        let able = is_root() && ["unshare", "nsenter", "ip", "ping", "python3"].into_iter().all(has);
        let lab = able.then(|| Lab::new("")).flatten()?;
        lab.write("frame_kinds.py", include_str!("../support/programs/frame_kinds.py"));
        let bench = Bench { left: Machine::start(), middle: Machine::start(), right: Machine::start(), lab };
        for (machine, interface, address, cable) in
            [(&bench.left, "l0", "10.9.0.1/24", "eth1"), (&bench.right, "r0", "10.9.0.2/24", "eth2")]
        {
            let (own, middle) = (machine.pid(), bench.middle.pid());
            let cables = [
                "ip", "link", "add", interface, "mtu", "9000", "netns", &own, "type", "veth", "peer", "name", cable,
                "mtu", "9000", "netns", &middle,
            ];
            assert!(Command::new(cables[0]).args(&cables[1..]).status().unwrap().success());
            machine.prints(&bench.lab, &["ip", "addr", "add", address, "dev", interface]);
            machine.prints(&bench.lab, &["ip", "link", "set", interface, "up"]);
        }
        bench.middle.prints(&bench.lab, &["ip", "link", "set", "eth1", "up"]);
        Some(bench)
    }

    /// `longwire wire eth1 eth2 …`, up: eth2 was down before.
    fn start(&self, options: &[&str]) -> Started {
        let longwire = env!("CARGO_BIN_EXE_longwire");
        let words = [&[longwire, "wire", "eth1", "eth2", "--json", "-"][..], options].concat();
        let run = self.lab.start(self.middle.command(&self.lab, &words));
        until("it is up", || self.settings().contains("eth2: NOARP UP"));
        run
    }

    /// What longwire changes of both interfaces.
    fn settings(&self) -> String {
        let of = |interface: &str| {
            let shown = self.middle.prints(&self.lab, &["ip", "-o", "link", "show", interface]);
            let flags =
                shown.split(['<', '>']).nth(1).unwrap().split(',').filter(|flag| ["NOARP", "UP"].contains(flag));
            let path = format!("/proc/sys/net/ipv6/conf/{interface}/disable_ipv6");
            let ipv6 = self.middle.prints(&self.lab, &["sh", "-c", &format!("cat {path} 2> /dev/null || echo none")]);
            format!("{interface}: {} disable_ipv6={}", flags.collect::<Vec<_>>().join(" "), ipv6.trim())
        };
        format!("{}\n{}\n", of("eth1"), of("eth2"))
    }
}

#[test]
fn two_interfaces_carry_every_kind_of_frame_late_and_are_given_back() {
    let Some(bench) = Bench::new() else { return };
    let before = bench.settings();
    assert!(before.contains("eth1: UP") && !before.contains("eth2: UP"), "{before}");
    let run = bench.start(&["--delay", "10ms"]);
    let ping = ["ping", "-n", "-c", "20", "-i", "0.05", "10.9.0.2"];
    let pinged = bench.left.prints(&bench.lab, &ping);
    let least = pinged.split("min/avg/max/mdev = ").nth(1).and_then(|times| times.split('/').next()).unwrap();
    assert!(least.parse::<f64>().unwrap() >= 20.0, "{pinged}");

    let receive = ["python3", "frame_kinds.py", "receive", "r0"];
    let receiver = bench.right.command(&bench.lab, &receive).stdout(Stdio::piped()).spawn().unwrap();
    bench.lab.until_file("listening");
    bench.left.prints(&bench.lab, &["python3", "frame_kinds.py", "send", "l0"]);
    let got = String::from_utf8(receiver.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(got.split_whitespace().count(), 21, "{got}");
    assert!(!got.contains('-'), "these did not come: {got}");

    run.signal(Signal::SIGINT);
    let ended = run.wait();
    assert_eq!(ended.code, 130, "{}", ended.told());
    let report = ended.json();
    let there = direction(&report, "wire", "right");
    assert!(number(&there["delivered"]["frames"]) >= 41, "{there:#}");
    assert_eq!(there["offered"]["frames"], there["delivered"]["frames"], "{there:#}");
    until("both are as they were", || bench.settings() == before);
}

/// The keeper gives back what a killed run had; and `longwire doctor --restore` what a killed keeper had.
#[test]
fn interfaces_are_given_back_whoever_is_killed() {
    let Some(bench) = Bench::new() else { return };
    let before = bench.settings();
    let longwire = env!("CARGO_BIN_EXE_longwire");
    // not the lab's: what it looks for would be the middle machine itself
    let start = || {
        let run = bench.middle.command(&bench.lab, &[longwire, "wire", "eth1", "eth2"]).spawn().expect("started");
        until("it is up", || bench.settings().contains("eth2: NOARP UP"));
        run
    };
    let mut run = start();
    run.kill().unwrap();
    run.wait().unwrap();
    until("both are as they were", || bench.settings() == before);

    let mut run = start();
    // Its processes, the keeper among them: they are in the middle machine's network, and are longwire. All are stopped first, so that none
    // can do anything about the end of another.
    let script = format!(
        "for signal in STOP KILL; do for p in /proc/[0-9]*; do \
           test \"$(readlink $p/exe)\" = {longwire} && test \"$(readlink $p/ns/net)\" = \"$(readlink /proc/self/ns/net)\" && \
           kill -$signal ${{p#/proc/}}; done; done; true"
    );
    bench.middle.prints(&bench.lab, &["sh", "-c", &script]);
    run.wait().unwrap();
    assert_ne!(bench.settings(), before);
    let again = bench.middle.command(&bench.lab, &[longwire, "wire", "eth1", "eth2"]).output().unwrap();
    let told = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.code() == Some(4) && told.contains("longwire doctor --restore"), "{told}");
    let restored = bench.middle.prints(&bench.lab, &[longwire, "doctor", "--restore"]);
    assert_eq!(restored.lines().count(), 2, "{restored}");
    assert_eq!(bench.settings(), before);
    assert_eq!(
        bench.middle.prints(&bench.lab, &[longwire, "doctor", "--restore"]).trim(),
        "no interface is to be given back"
    );
}

#[test]
fn an_interface_that_the_machine_uses_is_refused() {
    let Some(bench) = Bench::new() else { return };
    bench.middle.prints(&bench.lab, &["ip", "addr", "add", "10.8.0.1/24", "dev", "eth2"]);
    let before = bench.settings();
    let longwire = env!("CARGO_BIN_EXE_longwire");
    for (right, words) in
        [("eth2", "the machine itself uses it, with the address 10.8.0.1"), ("lo", "loopback"), ("eth9", "no such")]
    {
        let refused = bench.middle.command(&bench.lab, &[longwire, "wire", "eth1", right]).output().unwrap();
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(2) && told.contains(words), "{told}");
        // the other one was taken by then
        until("both are as they were", || bench.settings() == before);
    }
}

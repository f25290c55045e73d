//! External machines that go away while a run is under way, and come back: the port is down meanwhile, and the run goes on.

use std::os::unix::fs::symlink;
use std::process::{Child, Command};
use std::time::Instant;

use crate::support::report::{direction, dropped, number};
use crate::support::{Ended, Lab, Started, has, is_root, open_copy, until};
use nix::sys::signal::Signal;
use serde_json::Value;

/// A run that stays up until it is interrupted, with a ping every 20 ms from `a` to the external machine, by its name.
struct Up<'a> {
    lab: &'a Lab,
    run: Started,
    /// What goes before a command that is to be in the run's network namespace.
    enter: Vec<String>,
}

impl<'a> Up<'a> {
    /// `external`: what the machine is, in the scenario's words. `enter`: a command line that the run is started by.
    fn start(lab: &'a Lab, external: &str, enter: &[&str], longwire: &str) -> Up<'a> {
        lab.write(
            "scenario.yaml",
            &format!(
                "\
longwire: 1
nodes: {{ a: {{ host: {{ addresses: [10.0.0.1/24] }} }}, box: {{ external: {{ {external} }} }} }}
links: {{ wire: {{ ends: [a, box], delay: 1ms }} }}
workloads:
  here: {{ in: a, shell: \"touch up\" }}
  rtt:  {{ ping: {{ from: a, to: box, every: 20ms, timeout: 200ms }} }}
duration: 60s
"
            ),
        );
        let words: Vec<&str> = enter.iter().copied().chain([longwire, "run", "scenario.yaml", "--json", "-"]).collect();
        let run = lab.start(lab.other(words[0], &words[1..]));
        lab.until_file("up");
        Up { lab, run, enter: enter.iter().map(|word| (*word).to_owned()).collect() }
    }

    /// What the link toward a node has counted so far.
    fn toward(&self, node: &str) -> Value {
        direction(&self.status(), "wire", node).clone()
    }

    /// What `longwire status` says.
    fn status(&self) -> Value {
        let pid = self.run.pid().to_string();
        let words = [env!("CARGO_BIN_EXE_longwire"), "status", "--json", &pid].map(String::from);
        let words: Vec<&str> = self.enter.iter().chain(&words).map(String::as_str).collect();
        let output = self.lab.other(words[0], &words[1..]).output().expect("run");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {told}"))
    }

    /// Waits until the machine answers, or does so again.
    fn until_answered(&self) {
        let answered = || number(&self.toward("a")["delivered"]["frames"]);
        let before = answered();
        // more than what it asks by itself
        until("the machine answers", || answered() > before + 20);
    }

    /// Waits until frames are dropped since the port is down.
    fn until_down(&self) {
        let down = || dropped(&self.toward("box"), "port_down");
        let before = down();
        until("the port is down", || down() > before + 5);
        assert_eq!(self.status()["ports_down"], serde_json::json!(["box.lw9"]));
    }

    /// Interrupts it; the outages of the machine's port.
    fn end(self) -> (Ended, Vec<Value>) {
        self.run.signal(Signal::SIGINT);
        let ended = self.run.wait();
        assert_eq!(ended.code, 130, "{}", ended.told());
        let report = ended.json();
        assert!(report["ports"][0]["outages"].is_null(), "{:#}", report["ports"]);
        assert!(number(&report["workloads"]["rtt"]["received"]) > 0, "{:#}", report["workloads"]);
        let toward = direction(&report, "wire", "box");
        // and nothing else
        assert!(dropped(toward, "port_down") > 5, "{toward:#}");
        assert_eq!(toward["dropped"].as_object().map(serde_json::Map::len), Some(1), "{toward:#}");
        let outages = report["ports"][1]["outages"].as_array().cloned().unwrap_or_default();
        (ended, outages)
    }
}

/// A machine: a process in a network namespace of its own. Killed when dropped.
struct Machine(Child);

impl Machine {
    fn start(lab: &Lab) -> Machine {
        let _ = std::fs::remove_file(lab.path("ready"));
        let script = "ip link set lo up; touch ready; exec sleep 100";
        // not this lab's: it is there when the run has ended
        let mut unshare = Command::new("unshare");
        unshare.args(["-n", "sh", "-c", script]).current_dir(lab.path(""));
        let machine = Machine(unshare.spawn().expect("started"));
        lab.until_file("ready");
        machine
    }

    fn pid(&self) -> String {
        self.0.id().to_string()
    }

    /// A shell's commands in it.
    fn shell(&self, commands: &str) {
        let status = Command::new("nsenter").args(["-t", &self.pid(), "-n", "sh", "-ec", commands]).status();
        assert!(status.expect("run").success(), "{commands}");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lab() -> Option<Lab> {
    (is_root() && ["unshare", "nsenter", "ip"].into_iter().all(has)).then(|| Lab::new("")).flatten()
}

/// One MAC address always, so that nobody waits until neighbours have forgotten another.
const ADDRESSED: &str =
    "ip link set lw9 address 02:00:00:00:00:09; ip addr add 10.0.0.9/24 dev lw9; ip link set lw9 up";

#[test]
fn a_tap_that_is_deleted_comes_back_with_its_name() {
    let Some(lab) = lab() else { return };
    let machine = Machine::start(&lab);
    let longwire = env!("CARGO_BIN_EXE_longwire");
    let up = Up::start(&lab, "tap: lw9, addresses: [10.0.0.9/24]", &["nsenter", "-t", &machine.pid(), "-n"], longwire);
    machine.shell(ADDRESSED);
    up.until_answered();
    for _ in 0..2 {
        machine.shell("ip link del lw9");
        up.until_down();
        machine.shell(&format!("ip tuntap add lw9 mode tap; {ADDRESSED}"));
        up.until_answered();
    }
    // Over and over, while longwire tries to take it.
    let add = "until ip tuntap add lw9 mode tap 2> /dev/null; do :; done";
    machine.shell(&format!("for n in $(seq 30); do ip link del lw9; {add}; sleep 0.03; done; {ADDRESSED}"));
    up.until_answered();
    let (ended, outages) = up.end();
    assert!(outages.len() > 2, "{}", ended.told());
    for outage in &outages {
        assert_eq!(outage["reason"], "`lw9` was deleted");
        assert!(outage["to_ns"].as_i64() > outage["from_ns"].as_i64(), "{outage:#}");
    }
}

#[test]
fn killed_while_a_port_is_down_it_leaves_nothing() {
    let Some(lab) = lab() else { return };
    let machine = Machine::start(&lab);
    let external = format!("netns: {}, interface: lw9, addresses: [10.0.0.9/24]", machine.pid());
    let up = Up::start(&lab, &external, &["env"], env!("CARGO_BIN_EXE_longwire"));
    up.until_answered();
    machine.shell("ip link del lw9");
    up.until_down();
    let (traces, when) = (lab.traces(), Instant::now());
    up.run.signal(Signal::SIGKILL);
    traces.assert_gone(when);
    assert_eq!(up.run.wait().code, 128 + 9);
}

#[test]
fn where_a_tap_may_not_be_taken_again_the_report_says_so() {
    let Some(lab) = lab().filter(|_| has("setpriv")) else { return };
    let machine = Machine::start(&lab);
    let copy = open_copy(&lab);
    machine.shell(&format!("ip tuntap add lw9 mode tap user 65534; {ADDRESSED}"));
    let pid = machine.pid();
    let user = ["nsenter", "-t", &pid, "-n", "setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
    let up = Up::start(&lab, "tap: lw9, addresses: [10.0.0.9/24]", &user, copy.to_str().expect("a path"));
    up.until_answered();
    // made again by somebody who does not give it to the user
    machine.shell(&format!("ip link del lw9; ip tuntap add lw9 mode tap user 0; {ADDRESSED}"));
    up.until_down();
    std::thread::sleep(std::time::Duration::from_millis(500));
    let (ended, outages) = up.end();
    let [outage] = &outages[..] else { panic!("{}", ended.told()) };
    assert_eq!(outage["to_ns"], Value::Null);
    assert!(outage["refused"].as_str().is_some_and(|why| why.contains("not permitted")), "{outage:#}");
}

#[test]
fn a_machine_whose_process_has_ended_does_not_answer() {
    let Some(lab) = lab() else { return };
    let machine = Machine::start(&lab);
    let external = format!("netns: {}, interface: lw9, addresses: [10.0.0.9/24]", machine.pid());
    let up = Up::start(&lab, &external, &["env"], env!("CARGO_BIN_EXE_longwire"));
    up.until_answered();
    drop(machine);
    up.until_down();
    let (ended, outages) = up.end();
    let [outage] = &outages[..] else { panic!("{}", ended.told()) };
    assert_eq!((outage["reason"].as_str(), &outage["to_ns"]), (Some("its process has ended"), &Value::Null));
}

#[test]
fn a_machine_that_comes_back_under_its_path_is_attached_again() {
    let Some(lab) = lab() else { return };
    let path = lab.path("box");
    // as a container's runtime replaces the namespace behind a path
    let lead_to = |machine: &Machine| {
        symlink(format!("/proc/{}/ns/net", machine.pid()), lab.path("new")).expect("made");
        std::fs::rename(lab.path("new"), &path).expect("renamed");
    };
    let first = Machine::start(&lab);
    lead_to(&first);
    let external = format!("netns: {}, interface: lw9, addresses: [10.0.0.9/24]", path.display());
    let up = Up::start(&lab, &external, &["env"], env!("CARGO_BIN_EXE_longwire"));
    up.until_answered();
    // An interface that goes without its machine is the machine's affair, and comes back as one.
    first.shell("ip link del lw9");
    up.until_down();
    first.shell("ip tuntap add lw9 mode tap");
    up.until_answered();
    // whoever makes it anew may give it its address
    first.shell("ip link del lw9");
    up.until_down();
    first.shell("ip tuntap add lw9 mode tap; ip addr add 10.0.0.9/24 dev lw9");
    up.until_answered();
    drop(first);
    up.until_down();
    let second = Machine::start(&lab);
    lead_to(&second);
    up.until_answered();
    // at once, without a time in which there is none
    let third = Machine::start(&lab);
    lead_to(&third);
    up.until_answered();
    third.shell("ip link show lw9 > /dev/null");
    let (ended, outages) = up.end();
    assert_eq!(outages.len(), 4, "{}", ended.told());
    assert!(outages[..2].iter().all(|outage| outage["reason"] == "`lw9` was deleted"), "{outages:#?}");
    for outage in &outages[2..] {
        assert_eq!(outage["reason"].as_str(), Some(&*format!("its network namespace {} is gone", path.display())));
    }
    assert!(outages.iter().all(|outage| outage["to_ns"].is_i64()), "{outages:#?}");
}

//! The same scenario, seed, programs and kernel give the same bytes in virtual time, whatever the machine does.

use std::process::Command;

use crate::support::sim::{Outcome, Sim, differences};
use crate::support::{Ended, has, is_root, open_copy};

/// A program that draws random bytes and reads the clock, a service, all built-in workloads, and random losses.
const MIXED: &str = "\
longwire: 1
nodes: { a: host, b: host, sw: switch }
links:
  wire: { ends: [a, sw], delay: 5ms, rate: 10Mbit, loss: 2% }
  lan:  { ends: [b, sw], delay: { mean: 1ms, jitter: 300us } }
services:
  ready: { in: b, shell: \"echo up; sleep 100\", ready: { log: up } }
workloads:
  draw: { in: a, shell: \"head -c 16 /dev/urandom | od -An -tx1; date -u +%s%N; echo $$\" }
  rtt:  { ping: { from: a, to: b, every: 20ms, for: 500ms } }
  call: { udp: { from: a, to: b, rate: 1Mbit, size: 500B, for: 500ms } }
  up:   { tcp: { from: b, to: a, bytes: 100kB } }
";

fn ended(sim: &Sim, command: Command) -> Ended {
    let ended = sim.lab.start(command).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    ended
}

fn run(sim: &Sim, out: &str, more: &[&str]) -> Outcome {
    let arguments: Vec<&str> = ["--out", out, "--capture", "all"].iter().chain(more).copied().collect();
    ended(sim, sim.command(&arguments));
    sim.outcome(out)
}

#[track_caller]
fn assert_same(one: &Outcome, other: &Outcome, what: &str) {
    assert_eq!(differences(one, other), [""; 0], "{what}");
}

#[test]
fn the_quickstart_passes_and_repeats() {
    let Some(sim) = Sim::new(include_str!("../../scenarios/quickstart.yaml")) else { return };
    let report = ended(&sim, sim.command(&["--json", "-"])).json();
    assert_eq!(report["mode"], "virtual");
    assert_eq!(report["verdict"], "pass");
    let again = ended(&sim, sim.command(&["--json", "-"])).json();
    assert_eq!(report, again);
    sim.assert_home_is_empty();
}

#[test]
fn environment_and_processor_change_nothing() {
    let Some(sim) = Sim::new(MIXED) else { return };
    let first = run(&sim, "first", &[]);
    for name in ["report.json", "report.txt", "events.jsonl", "captures/wire.pcapng", "programs/draw.log"] {
        assert!(first.contains_key(name), "{name}");
    }

    // beside a busy loop, on the last processor, with other texts, places and capabilities of the processor
    let mut busy = Command::new("sh").args(["-c", "while :; do :; done"]).spawn().expect("started");
    let cpu = (std::thread::available_parallelism().map_or(1, usize::from) - 1).to_string();
    let mut command = sim.command(&["--out", "second", "--capture", "all", "--cpu", &cpu]);
    command.env("TZ", "Asia/Tokyo").env("LANG", "de_DE.UTF-8").env("LC_ALL", "de_DE.UTF-8");
    command.env("SOMETHING_ELSE", "x".repeat(3000)).env_remove("OLDPWD");
    command.env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX2_Usable,-AVX512F,-AVX512VL,-ERMS");
    ended(&sim, command);
    busy.kill().expect("our child");
    busy.wait().expect("our child");
    assert_same(&first, &sim.outcome("second"), "another environment");
    sim.assert_home_is_empty();
}

#[test]
fn user_directory_mask_and_hostname_change_nothing() {
    if !is_root() || !["setpriv", "unshare"].into_iter().all(has) {
        return;
    }
    let Some(sim) = Sim::new(MIXED) else { return };
    let first = run(&sim, "first", &[]);
    let folder = sim.lab.path("an/other/folder");
    std::fs::create_dir_all(&folder).expect("made");
    std::fs::write(folder.join("scenario.yaml"), MIXED).expect("written");
    std::os::unix::fs::chown(&folder, Some(65534), Some(65534)).expect("ours");
    let program = open_copy(&sim.lab).display().to_string();
    let script = "echo other >/proc/sys/kernel/hostname && umask 077 && exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
    let words = ["--uts", "sh", "-c", script, "sh"];
    let run = [program.as_str(), "sim", "scenario.yaml", "--out", "out", "--capture", "all"];
    let mut command = sim.other("unshare", &[&words[..], &run[..]].concat());
    command.current_dir(&folder);
    ended(&sim, command);
    assert_same(&first, &sim.outcome("an/other/folder/out"), "another user, folder, mask and hostname");
}

#[test]
fn another_seed_gives_other_random_bytes_to_programs_too() {
    let Some(sim) = Sim::new(
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\n\
         workloads: { draw: { in: a, shell: \"head -c 16 /dev/urandom | od -An -tx1\" } }\n",
    ) else {
        return;
    };
    let drawn = |out: &str, seed: &str| {
        ended(&sim, sim.command(&["--out", out, "--seed", seed]));
        sim.lab.read(&format!("{out}/programs/draw.log"))
    };
    let (one, again, other) = (drawn("one", "1"), drawn("again", "1"), drawn("other", "2"));
    assert_eq!(one.split_whitespace().count(), 16, "{one}");
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[test]
fn runs_at_the_same_time_do_not_collide() {
    let Some(sim) = Sim::new(MIXED) else { return };
    let outs = ["one", "two", "three"];
    let started = outs.map(|out| sim.lab.start(sim.command(&["--out", out, "--capture", "all"])));
    let mut outcomes = Vec::new();
    // each waits until nothing with the lab's mark is left, so all must have ended
    let mut started = Vec::from(started);
    while started.iter_mut().any(crate::support::Started::runs) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    for (out, run) in outs.iter().zip(started) {
        let ended = run.wait();
        assert_eq!(ended.code, 0, "{}", ended.told());
        outcomes.push(sim.outcome(out));
    }
    assert_same(&outcomes[0], &outcomes[1], "beside others");
    assert_same(&outcomes[0], &outcomes[2], "beside others");
    sim.assert_home_is_empty();
}

//! Runs that are killed at random moments, as a whole or one process alone, as root and as a normal user: nothing is left of them.
//!
//! `LONGWIRE_KILLS=300 cargo test --test live kills:: -- --ignored --nocapture`: so many as each user, 40 by default. A run takes about
//! a second and a half.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::support::traces::surroundings;
use crate::support::{Lab, is_root, open_copy};

/// Every kind of process that a run has: services, programs and workloads, captures, a machine's socket.
const SCENARIO: &str = "\
longwire: 1
nodes:
  a: host
  b: host
  c: host
  sw: switch
  gw: { router: { nat: out } }
  vm: { external: { qemu: vm.sock } }
links:
  la: { ends: [a, sw], delay: 1ms }
  lb: { ends: [b, sw], loss: 5%, rate: 10Mbit }
  lv: { ends: [vm, sw] }
  up: { ends: [sw, gw.in] }
  out: { ends: [gw.out, c], delay: 1ms }
capture: { links: [la, out] }
services:
  stay: { in: c, shell: \"trap '' TERM INT HUP; echo up; setsid sleep 100 & sleep 100\", ready: { log: up } }
workloads:
  here: { in: a, shell: \"touch up; sleep 100\" }
  rtt: { ping: { from: a, to: c, every: 10ms, count: 100000 } }
  call: { udp: { from: b, to: a, rate: 1Mbit, count: 1000000 } }
  bulk: { tcp: { from: b, to: c, bytes: 100GB } }
timeline:
  - { every: 200ms, from: 100ms, to: 60s, set: { la: { loss: 1% } } }
";

/// What a user's runs came to.
#[derive(Debug, Default)]
struct Killed {
    /// Killed as a whole before it was up, and after.
    whole: [u32; 2],
    /// Of those of which one process was killed: its name, and how often.
    alone: BTreeMap<String, u32>,
    /// With a program that `exec` had started.
    joined: u32,
}

fn nothing_is_in(folder: &Path) -> bool {
    fs::read_dir(folder).expect("the test's own").next().is_none()
}

fn name_of(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim().to_owned()
}

fn killed(lab: &Lab, count: u32, random: &mut Xoshiro256PlusPlus, run: impl Fn(&[&str]) -> Command) -> Killed {
    let mut killed = Killed::default();
    let before = surroundings();
    for round in 0..count {
        let _ = fs::remove_file(lab.path("up"));
        // a third while it is being set up, close together: that is where the most happens
        let delay = Duration::from_micros(random.random_range(0..if round % 3 == 0 { 120_000 } else { 1_500_000 }));
        let begin = Instant::now();
        let mut started = lab.start(run(&["run", "scenario.yaml", "--out", "out"]));
        let mut shell = None;
        while begin.elapsed() < delay {
            if round % 4 == 1 && shell.is_none() && lab.path("up").exists() {
                let target = format!("{}/a", started.pid());
                shell = Some(lab.start(run(&["exec", &target, "--", "sleep", "1000"])));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(started.runs(), "round {round}: it ended by itself before {delay:?}");
        let traces = lab.traces();
        let up = lab.path("up").exists();
        let others: Vec<u32> = traces.processes.iter().copied().filter(|pid| *pid != started.pid()).collect();
        let when = Instant::now();
        let mut who = "all of it".to_owned();
        if round % 2 == 0 || others.is_empty() {
            killed.whole[usize::from(up)] += 1;
            started.signal(Signal::SIGKILL);
        } else {
            let victim = others[random.random_range(0..others.len())];
            who = format!("process {victim} ({}) of {others:?}", name_of(victim));
            *killed.alone.entry(name_of(victim)).or_default() += 1;
            // it may have ended meanwhile
            let _ = kill(Pid::from_raw(victim as i32), Signal::SIGKILL);
            // it may notice, and end by itself
            std::thread::sleep(Duration::from_millis(100));
            if started.runs() {
                started.signal(Signal::SIGINT);
            }
        }
        let ended = started.wait();
        traces.assert_gone(when);
        if let Some(shell) = shell {
            shell.wait();
            killed.joined += 1;
        }
        let how = format!("round {round}, {who} killed after {delay:?}, exit {}: {}", ended.code, ended.stderr);
        assert_eq!(surroundings(), before, "{how}");
        assert!(!lab.path("vm.sock").exists(), "the socket of `vm` is left, {how}");
        assert!(nothing_is_in(&lab.path("tmp")), "files are left, {how}");
    }
    killed
}

#[test]
#[ignore = "takes minutes: LONGWIRE_KILLS=300"]
fn killed_at_random_moments_a_run_leaves_nothing() {
    let count = std::env::var("LONGWIRE_KILLS").map_or(40, |count| count.parse().expect("LONGWIRE_KILLS is a number"));
    let Some(lab) = Lab::new(SCENARIO) else { return };
    fs::create_dir(lab.path("tmp")).expect("the test's own");
    fs::set_permissions(lab.path("tmp"), fs::Permissions::from_mode(0o777)).expect("the test's own");
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("it is later");
    let seed = since.as_nanos() as u64;
    println!("seed {seed}");
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let copy = open_copy(&lab);
    let mut command = |user: Option<u32>| {
        let (lab, copy) = (&lab, &copy);
        let run = move |arguments: &[&str]| {
            let mut command = lab.other(copy, arguments);
            command.env("TMPDIR", lab.path("tmp")).env("HOME", "/");
            if let Some(id) = user {
                command.uid(id).gid(id);
            }
            command
        };
        let begin = Instant::now();
        let killed = killed(lab, count, &mut random, run);
        println!("{} times: {killed:?}, {:.0} s", count, begin.elapsed().as_secs_f64());
        let _ = fs::remove_dir_all(lab.path("out"));
        killed
    };
    let mine = command(None);
    assert!(mine.whole.iter().all(|count| *count > 0) && mine.alone.len() > 2 && mine.joined > 0, "{mine:?}");
    if is_root() {
        let users = command(Some(65_534));
        assert!(users.whole.iter().all(|count| *count > 0) && users.alone.len() > 2 && users.joined > 0, "{users:?}");
    }
}

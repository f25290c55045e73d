//! However a run in virtual time is ended, nothing of it is left: no process, no directory, no file in the home directory.

use std::time::{Duration, Instant};

use crate::support::sim::{Parts, Sim};
use crate::support::{Started, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// It would take minutes.
const LONG: &str = "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], delay: 1ms } }
services:
  stay: { in: b, shell: \"trap '' TERM INT HUP; setsid sleep 100000 & sleep 100000\" }
workloads:
  here: { in: a, shell: \"sleep 1; touch up; while :; do sleep 0.01; done\", timeout: 100000s }
  rtt:  { ping: { from: a, to: b, every: 10ms, for: 100000s } }
";

/// How often each kind of process is killed, at other moments each time.
const TIMES: u64 = 8;

fn start(sim: &Sim, arguments: &[&str]) -> Started {
    let run = sim.lab.start(sim.command(arguments));
    sim.lab.until_file("up");
    run
}

#[test]
fn interrupted_it_reports_what_there_was() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let Some(sim) = Sim::new(LONG) else { return };
        let run = start(&sim, &["--json", "-", "--out", "out"]);
        let parts = Parts::wait(&run);
        run.signal(signal);
        // as `timeout` does, which signals its child and then the group: one request
        std::thread::sleep(Duration::from_millis(20));
        run.signal(signal);
        let ended = run.wait();
        parts.assert_gone(Instant::now(), "interrupted");
        assert_eq!(ended.code, 130, "{}", ended.told());
        let report = ended.json();
        assert_eq!(report["verdict"], "interrupted");
        assert!(report["workloads"]["rtt"]["sent"].as_u64() >= Some(90), "{:#}", report["workloads"]["rtt"]);
        assert!(sim.lab.read("out/report.txt").contains("INTERRUPTED"));
        sim.assert_home_is_empty();
    }
}

#[test]
fn asked_twice_or_by_quit_it_ends_at_once() {
    for signals in [&[Signal::SIGINT, Signal::SIGINT][..], &[Signal::SIGQUIT]] {
        let Some(sim) = Sim::new(LONG) else { return };
        let run = start(&sim, &[]);
        let parts = Parts::wait(&run);
        let when = Instant::now();
        for signal in signals {
            run.signal(*signal);
            // two that wait are delivered as one
            std::thread::sleep(Duration::from_millis(150));
        }
        let ended = run.wait();
        parts.assert_gone(Instant::now(), "ended at once");
        assert_eq!(ended.code, 130, "{}", ended.told());
        assert!(when.elapsed() < Duration::from_secs(60), "{:?}", when.elapsed());
        sim.assert_home_is_empty();
    }
}

/// Picks a process of a run.
type Which = fn(&Parts) -> Option<u32>;

/// Kills one process of a run, as `which` picks it, a while after its kernel has started.
fn kill_one(sim: &Sim, n: u64, which: Which) -> Option<(Started, Parts)> {
    let mut run = sim.lab.start(sim.command(&[]));
    let parts = Parts::wait(&run);
    // from the first moment to well within the run, in steps that are no multiple of anything
    std::thread::sleep(Duration::from_millis(n * 1237 / TIMES));
    let parts = Parts::of(&run).unwrap_or(parts);
    assert!(run.runs(), "it takes minutes");
    let Some(victim) = which(&parts) else {
        run.signal(Signal::SIGKILL);
        return None;
    };
    if kill(Pid::from_raw(victim as i32), Signal::SIGKILL).is_err() {
        // a program of the guest has ended meanwhile, and its process with it
        run.signal(Signal::SIGKILL);
        return None;
    }
    Some((run, parts))
}

#[test]
fn killed_the_launcher_or_the_kernel_takes_everything_along() {
    let Some(sim) = Sim::new(LONG) else { return };
    let victims: [(&str, Which); 2] =
        [("launcher", |parts| Some(parts.launcher)), ("kernel", |parts| Some(parts.kernel))];
    for (name, which) in victims {
        for n in 0..TIMES {
            let when = Instant::now();
            let (run, parts) = kill_one(&sim, n, which).expect("there is one");
            let killed = Instant::now();
            let ended = run.wait();
            parts.assert_gone(killed, &format!("{name}, {:?} after its start", killed - when));
            match name {
                "launcher" => assert_eq!(ended.code, 137, "{}", ended.told()),
                _ => assert!(ended.code == 4 && ended.stderr.contains("signal 9"), "{}", ended.told()),
            }
        }
    }
    sim.assert_home_is_empty();
}

#[test]
fn killed_a_janitor_or_a_stub_leaves_nothing_either() {
    let Some(sim) = Sim::new(LONG) else { return };
    let victims: [(&str, Which); 2] =
        [("janitor", |parts| parts.janitors.first().copied()), ("stub", |parts| parts.stubs.last().copied())];
    for (name, which) in victims {
        for n in 0..TIMES {
            let Some((mut run, parts)) = kill_one(&sim, n, which) else { continue };
            // it goes on, or says what happened: in both cases its launcher can be ended, and cleans up
            std::thread::sleep(Duration::from_millis(50));
            if run.runs() {
                run.signal(if n % 2 == 0 { Signal::SIGKILL } else { Signal::SIGQUIT });
            }
            let killed = Instant::now();
            let ended = run.wait();
            parts.assert_gone(killed, name);
            assert!([137, 130, 4].contains(&ended.code), "{name}: {}", ended.told());
        }
    }
    sim.assert_home_is_empty();
}

#[test]
fn a_launcher_that_is_killed_while_it_starts_leaves_nothing() {
    let Some(sim) = Sim::new(LONG) else { return };
    for n in 0..TIMES * 2 {
        let run = sim.lab.start(sim.command(&[]));
        std::thread::sleep(Duration::from_millis(n * 5));
        let parts = Parts::of(&run);
        run.signal(Signal::SIGKILL);
        let (killed, pid) = (Instant::now(), run.pid());
        // that nothing with its mark lives soon after is held here; the kernel has no environment
        run.wait();
        if let Some(parts) = parts {
            parts.assert_gone(killed, "at its start");
        }
        until("no kernel of this lab lives", || {
            std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok).all(|entry| {
                std::fs::read_link(entry.path().join("exe")).map_or(true, |exe| exe != sim.lab.path("linux"))
            })
        });
        assert!(killed.elapsed() < Duration::from_secs(60), "{pid}");
    }
    sim.assert_home_is_empty();
}

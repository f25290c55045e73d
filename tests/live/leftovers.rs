//! However a run ends, nothing of it is left; and a machine that could not keep up is told from a network that did not.

use std::fs;
use std::time::{Duration, Instant};

use crate::support::report::{assert_passed, reasons};
use crate::support::traces::surroundings;
use crate::support::{Lab, has, until};
use nix::sys::signal::Signal;

/// Four hosts at a switch, with services, programs of all kinds and traffic.
const BUSY: &str = "\
longwire: 1
nodes: { h1: host, h2: host, h3: host, h4: host, sw: switch }
links:
  l1: { ends: [h1, sw], delay: 1ms }
  l2: { ends: [h2, sw], delay: 1ms, loss: 10% }
  l3: { ends: [h3, sw], delay: 1ms, rate: 10Mbit }
  l4: { ends: [h4, sw], delay: 1ms }
services:
  stay: { in: h4, shell: \"trap '' TERM INT HUP; echo up; setsid sleep 100 & sleep 100\", ready: { log: up } }
workloads:
  here: { in: h1, shell: \"touch up; sleep 100\" }
  rtt:  { ping: { from: h1, to: h2, every: 10ms, count: 100000, timeout: 300ms } }
  call: { udp: { from: h2, to: h3, rate: 1Mbit, count: 1000000 } }
  bulk: { tcp: { from: h3, to: h4, bytes: 100GB } }
";

#[test]
fn after_kill_nothing_is_left() {
    let Some(lab) = Lab::new(BUSY) else { return };
    let before = surroundings();
    let (mut random, mut up, mut joined) = (0x2545_f491_u64, 0, 0);
    for round in 0_u64..10 {
        // xorshift64
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Half of them early and close together, while it is being set up: that is where the most happens.
        let delay = Duration::from_micros(if round < 5 { round * 8_000 + random % 8_000 } else { random % 1_500_000 });
        let _ = fs::remove_file(lab.path("up"));
        let begin = Instant::now();
        let mut run = lab.start_run(&["--out", "out"]);
        // The last two are up for certain, however slow the machine.
        if round >= 8 {
            lab.until_file("up");
        }
        let is_up = |lab: &Lab| lab.path("up").exists();
        let mut shell = None;
        while begin.elapsed() < delay || round >= 8 && shell.is_none() {
            if is_up(&lab) && shell.is_none() {
                let target = format!("{}/h1", run.pid());
                shell = Some(lab.start(lab.longwire(&["exec", &target, "--", "sh", "-c", "touch joined; sleep 1000"])));
                if round >= 8 {
                    lab.until_file("joined");
                }
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(run.runs(), "it ended by itself before {delay:?}");
        let traces = lab.traces();
        let when = Instant::now();
        run.signal(Signal::SIGKILL);
        traces.assert_gone(when);
        assert_eq!(run.wait().code, 128 + 9);
        up += u32::from(is_up(&lab));
        if let Some(shell) = shell {
            let ended = shell.wait();
            assert_ne!(ended.code, 0, "{}", ended.told());
            joined += u32::from(lab.path("joined").exists());
            let _ = fs::remove_file(lab.path("joined"));
        }
        assert_eq!(surroundings(), before, "killed after {delay:?}");
    }
    println!("{up} of 10 were up, {joined} with a joined program");
    assert!(up >= 2 && joined >= 2);
}

#[test]
fn a_directory_whose_run_was_killed_at_any_call_that_makes_it_is_taken_by_the_next_run() {
    if !has("strace") {
        return;
    }
    let Some(lab) = Lab::new(
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\ncapture: { links: [wire] }\n\
         workloads: { rtt: { ping: { from: a, to: b, count: 1 } } }\n\
         validity: { lateness_p99: 100s, stall: 100s, run_delay: 100%, gaps: 100% }\n",
    ) else {
        return;
    };
    let mut killed = 0;
    for call in 1..=6 {
        let inject = format!("inject=/^(mkdirat|renameat2?|unlinkat)$:signal=KILL:when={call}");
        let traced = ["-o", "/dev/null", "-e", &inject, env!("CARGO_BIN_EXE_longwire"), "run", "scenario.yaml"];
        let ended = lab.start(lab.other("strace", &[&traced[..], &["--out", "out"]].concat())).wait();
        killed += u32::from(ended.code == 128 + 9);
        let ended = lab.run(&["run", "scenario.yaml", "--out", "out"]);
        assert_eq!(ended.code, 0, "killed at call {call}: {}", ended.told());
        fs::remove_dir_all(lab.path("out")).expect("the run's own");
    }
    assert!(killed >= 4, "{killed} of 6 came so far");
}

/// Processes whose parent is this one, with their names: fields 1, 2 and 4 of proc_pid_stat(5).
fn children(parent: u32) -> Vec<(u32, String)> {
    let entries = fs::read_dir("/proc").expect("/proc").flatten();
    let stats = entries.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let child = |stat: String| {
        let (before, after) = stat.rsplit_once(") ")?;
        let (pid, name) = before.split_once(" (")?;
        (after.split(' ').nth(1)? == parent.to_string()).then(|| Some((pid.parse().ok()?, name.to_owned())))?
    };
    stats.filter_map(child).collect()
}

#[test]
fn killing_any_one_process_of_a_run_leaves_nothing() {
    let Some(lab) = Lab::new(BUSY) else { return };
    let before = surroundings();
    for (victim, code) in [("main", 128 + 9), ("init", 4), ("forker", 130), ("host", 4)] {
        let _ = fs::remove_file(lab.path("up"));
        let run = lab.start_run(&["--out", "out"]);
        lab.until_file("up");
        let traces = lab.traces();
        let init = children(run.pid()).into_iter().find(|(_, name)| name == "longwire").expect("it has an init").0;
        let of_hosts = |pid| children(pid).into_iter().filter(|(_, name)| name == "longwire-host").map(|(pid, _)| pid);
        let forker = children(init).into_iter().map(|(pid, _)| pid).find(|pid| of_hosts(*pid).count() > 0);
        let forker = forker.expect("a process that has forked those of the hosts");
        let firsts = || of_hosts(forker);
        assert_eq!(firsts().count(), 4, "a process 1 for each host");
        let pid = match victim {
            "main" => run.pid(),
            "init" => init,
            "forker" => forker,
            _ => firsts().next().expect("four"),
        };
        let when = Instant::now();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid as i32), Signal::SIGKILL).expect("the run's own");
        if victim == "forker" {
            // All that it was for is there, and the run goes on until it is interrupted.
            std::thread::sleep(Duration::from_millis(300));
            run.signal(Signal::SIGINT);
        }
        let ended = run.wait();
        traces.assert_gone(when);
        assert_eq!(ended.code, code, "{victim}: {}", ended.told());
        if victim == "host" {
            assert!(
                ended.stderr.contains("host `h") && ended.stderr.contains("process 1 was killed"),
                "{}",
                ended.told()
            );
        }
        assert_eq!(surroundings(), before, "{victim} killed");
    }
}

#[test]
fn interrupted_runs_end_cleanly_and_tell_what_there_was() {
    let Some(lab) = Lab::new(BUSY) else { return };
    let before = surroundings();
    for (signal, round) in [(Signal::SIGINT, 0), (Signal::SIGTERM, 1)] {
        let _ = fs::remove_file(lab.path("up"));
        let out = format!("out{round}");
        let run = lab.start_run(&["--json", "-", "--out", &out]);
        lab.until_file("up");
        let log = lab.path(&format!("{out}/programs/stay.log"));
        until("the service has said something", || fs::read_to_string(&log).is_ok_and(|text| text.contains("up")));
        std::thread::sleep(Duration::from_millis(200));
        let (traces, when) = (lab.traces(), Instant::now());
        run.signal(signal);
        // as `timeout` does, which signals its child and then the group: one request
        std::thread::sleep(Duration::from_millis(20));
        run.signal(signal);
        let ended = run.wait();
        let took = when.elapsed();
        traces.assert_gone(Instant::now());
        assert_eq!(ended.code, 130, "{}", ended.told());
        // programs that mind no signal get two seconds, and are killed then
        assert!(took < Duration::from_secs(60), "{took:?}");
        let report = ended.json();
        assert_eq!(report["verdict"], "interrupted");
        assert!(report["workloads"]["rtt"]["sent"].as_u64() > Some(0), "{:#}", report["workloads"]["rtt"]);
        assert!(
            report["workloads"]["call"]["receiver"]["received"].as_u64() > Some(0),
            "{:#}",
            report["workloads"]["call"]
        );
        assert_eq!(surroundings(), before);

        let report_files = ["report.json", "report.txt", "report.html"];
        for name in report_files.into_iter().chain(["plan.yaml", "events.jsonl", "command.txt", "programs/here.log"]) {
            assert!(lab.path(&format!("{out}/{name}")).is_file(), "{name} is missing");
        }
        let stored: serde_json::Value = serde_json::from_str(&lab.read(&format!("{out}/report.json"))).expect("JSON");
        assert_eq!(stored, report);
        assert!(lab.read(&format!("{out}/report.txt")).contains("INTERRUPTED"));
        let command = lab.read(&format!("{out}/command.txt"));
        assert!(
            command.starts_with("longwire run /") && command.contains("scenario.yaml") && command.contains("--seed 1"),
            "{command}"
        );
        let events = lab.read(&format!("{out}/events.jsonl"));
        let events: Vec<serde_json::Value> =
            events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert!(events.iter().any(|event| event["cause"] == "loss" && event["link"] == "l2"), "{events:?}");
    }
}

#[test]
fn interrupted_while_services_start_it_ends_too() {
    let Some(lab) = Lab::new(
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\n\
         services: { slow: { in: a, shell: \"touch up; sleep 100\", ready: { tcp: 80, within: 50s } } }\n\
         workloads: { w: { in: a, command: [\"true\"] } }\n",
    ) else {
        return;
    };
    let run = lab.start_run(&["--json", "-"]);
    lab.until_file("up");
    run.signal(Signal::SIGINT);
    let ended = run.wait();
    assert_eq!(ended.json()["verdict"], "interrupted");
    assert!(ended.took < Duration::from_secs(40));
}

const MEASURED: &str = "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b], delay: 5ms, rate: 50Mbit } }
workloads:
  here: { in: a, shell: \"touch up\" }
  rtt:  { ping: { from: a, to: b, every: 20ms, for: 1500ms } }
  bulk: { tcp: { from: a, to: b, for: 1500ms } }
";

#[test]
fn a_run_that_was_stopped_is_invalid_and_says_why() {
    let Some(lab) = Lab::new(MEASURED) else { return };
    let run = lab.start_run(&["--json", "-"]);
    lab.until_file("up");
    std::thread::sleep(Duration::from_millis(300));
    run.signal(Signal::SIGSTOP);
    std::thread::sleep(Duration::from_millis(200));
    run.signal(Signal::SIGCONT);
    let ended = run.wait();
    assert_eq!(ended.code, 3, "{}", ended.told());
    let report = ended.json();
    assert!(reasons(&report).contains("longwire did not run for"), "{}", reasons(&report));
    assert!(report["validity"]["measured"]["stall_ns"].as_u64() >= Some(150_000_000));
}

#[test]
fn busy_processors_give_pass_or_invalid() {
    let Some(lab) = Lab::new(MEASURED) else { return };
    let spin = || {
        let mut command = lab.other("sh", &["-c", "while :; do :; done"]);
        command.spawn().expect("started")
    };
    let mut spinners = [spin(), spin()];
    let (code, report) = {
        let run = lab.longwire(&["run", "scenario.yaml", "--json", "-"]);
        let output = std::process::Command::output(&mut { run }).expect("run");
        spinners.iter_mut().for_each(|spinner| {
            spinner.kill().expect("our child");
            spinner.wait().expect("our child");
        });
        (output.status.code().expect("a code"), serde_json::from_slice(&output.stdout).expect("a report"))
    };
    crate::support::report::check(&report, code);
    assert_passed(code, &report);
    lab.traces().assert_gone(Instant::now());
}

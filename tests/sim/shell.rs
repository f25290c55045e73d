//! `longwire sim --shell`: time stands still while nobody types.

use std::process::Stdio;
use std::time::Duration;

use crate::support::sim::Sim;
use crate::support::{has, until};
use nix::sys::signal::Signal;

const SCENARIO: &str = "longwire: 1\nduration: 3s\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b], delay: 10ms } }\n\
                        workloads: { rtt: { ping: { from: a, to: b, every: 100ms } } }\nexpect: [rtt.loss == 0%]\n";

#[test]
fn time_stands_still_while_a_shell_waits_for_a_line() {
    if !has("ping") {
        return;
    }
    let Some(sim) = Sim::new(SCENARIO) else { return };
    let mut command = sim.command(&["--shell", "a"]);
    command.stdin(Stdio::piped());
    let mut run = sim.lab.start(command);
    run.write("cut -d ' ' -f 1 /proc/uptime; hostname; touch begun\n");
    until("the first line was read", || sim.lab.path("begun").exists());
    std::thread::sleep(Duration::from_millis(1500));
    run.write("cut -d ' ' -f 1 /proc/uptime\nping -q -c 2 -i 0.5 b\ncut -d ' ' -f 1 /proc/uptime\nexit\n");
    let ended = run.wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    let times: Vec<f64> = ended.stdout.lines().filter_map(|line| line.parse().ok()).collect();
    let [begun, waited, pinged] = times[..] else { panic!("{}", ended.told()) };
    assert!((1.0..1.1).contains(&begun), "the run begins at 1 s: {begun}");
    assert!(waited - begun < 0.1, "{begun} {waited}");
    assert!((0.5..0.6).contains(&(pinged - waited)), "{waited} {pinged}");
    assert!(ended.stdout.contains("2 received") && ended.stdout.contains("\na\n"), "{}", ended.told());
    assert!(ended.stdout.trim_end().ends_with("PASS"), "the run goes on to its end: {}", ended.told());
}

#[test]
fn a_run_can_be_interrupted_while_a_shell_waits() {
    let Some(sim) = Sim::new(SCENARIO) else { return };
    let mut command = sim.command(&["--shell", "a"]);
    command.stdin(Stdio::piped());
    let mut run = sim.lab.start(command);
    run.write("touch begun\n");
    until("the first line was read", || sim.lab.path("begun").exists());
    run.signal(Signal::SIGINT);
    let ended = run.wait();
    assert_eq!(ended.code, 130, "{}", ended.told());
    assert!(ended.stdout.contains("INTERRUPTED"), "the report so far: {}", ended.told());
}

#[test]
fn the_run_ends_as_the_file_says_and_the_shell_with_it() {
    let Some(sim) = Sim::new(SCENARIO) else { return };
    sim.lab.write("script", "echo begun\nsleep 100\necho never\n");
    let mut command = sim.command(&["--shell", "b"]);
    command.stdin(std::fs::File::open(sim.lab.path("script")).expect("written"));
    let ended = sim.lab.start(command).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert!(ended.stdout.starts_with("begun\n") && !ended.stdout.contains("never"), "{}", ended.told());
}

#[test]
fn a_shell_in_a_host_that_there_is_not_is_refused() {
    let Some(sim) = Sim::new(SCENARIO) else { return };
    let ended = sim.lab.start(sim.command(&["--shell", "c"])).wait();
    assert_eq!(ended.code, 2, "{}", ended.told());
    assert!(ended.stderr.contains("there is no host `c`: known here: `a`, `b`"), "{}", ended.told());
}

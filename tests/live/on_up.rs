//! `--on-up`: a command on the machine itself, as long as the network stands.

use std::fs;

use nix::sys::signal::Signal;

use crate::support::{Ended, Lab, as_nobody};

const SCENARIO: &str = "\
longwire: 1
nodes: { a: { host: { addresses: [10.0.0.1/24] } }, b: host }
links: { wire: { ends: [a, b] } }
workloads: { w: { in: a, shell: \"until test -e go; do sleep 0.02; done\", timeout: 20s } }
validity: { gaps: 100%, stall: 10s, lateness_p99: 10s, run_delay: 100% }
";

/// Stays until it is ended.
const COMMAND: &str = "\
echo \"$LONGWIRE_RUN $LONGWIRE_HOST_A\" > told
readlink /proc/self/ns/net > where
trap 'touch bye; exit' TERM
sleep 100 &
touch go
wait
";

const ARGUMENTS: [&str; 6] = ["run", "scenario.yaml", "--on-up", "sh up.sh", "--out", "out"];

fn lab(scenario: &str) -> Option<Lab> {
    let lab = Lab::new(scenario)?;
    lab.write("up.sh", COMMAND);
    Some(lab)
}

fn assert_ran(lab: &Lab, ended: &Ended) {
    assert_eq!(ended.code, 0, "{}", ended.told());
    let told = lab.read("told");
    assert!(told.starts_with("scenario-") && told.ends_with(" 10.0.0.1\n"), "{told}");
    let own = fs::read_link("/proc/self/ns/net").expect("a namespace");
    assert_eq!(lab.read("where").trim(), own.to_str().expect("text"), "not in a host");
    assert!(lab.path("bye").exists(), "it was asked to end");
    assert!(lab.read("out/command.txt").contains(" --on-up 'sh up.sh'"), "{}", lab.read("out/command.txt"));
}

#[test]
fn a_command_runs_on_the_machine_until_the_run_ends() {
    let Some(lab) = lab(SCENARIO) else { return };
    assert_ran(&lab, &lab.run(&ARGUMENTS));
    let lab = lab.beside();
    lab.write("scenario.yaml", SCENARIO);
    lab.write("up.sh", COMMAND);
    let Some(run) = as_nobody(&lab) else { return };
    assert_ran(&lab, &run(&ARGUMENTS));
}

#[test]
fn a_command_that_fails_ends_the_run_and_one_that_is_done_does_not() {
    let Some(lab) = lab("longwire: 1\nnodes: { a: host }\nservices: { s: { in: a, command: [sleep, \"100\"] } }\n")
    else {
        return;
    };
    for (command, how) in [("sleep 0.2; exit 3", "exited with 3"), ("kill -9 $$", "was ended by signal 9")] {
        let ended = lab.run(&["run", "scenario.yaml", "--on-up", command]);
        assert_eq!(ended.code, 4, "{}", ended.told());
        assert!(ended.stderr.contains(&format!("the command of `--on-up` {how}")), "{}", ended.told());
    }
    lab.write("scenario.yaml", SCENARIO);
    let ended = lab.run(&["run", "scenario.yaml", "--on-up", "touch go; echo it says so"]);
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert!(ended.stderr.contains("it says so") && !ended.stdout.contains("it says so"), "{}", ended.told());
}

#[test]
fn a_command_ends_with_a_run_that_is_killed() {
    let Some(lab) = lab(&SCENARIO.replace("until test -e go; do sleep 0.02; done", "sleep 100")) else { return };
    let run = lab.start(lab.longwire(&ARGUMENTS));
    lab.until_file("go");
    run.signal(Signal::SIGKILL);
    assert_eq!(run.wait().code, 137);
    assert!(lab.path("bye").exists(), "it was asked to end");
}

#[test]
fn no_command_runs_beside_a_network_in_virtual_time() {
    let lab = Lab::without_hosts();
    lab.write("scenario.yaml", SCENARIO);
    let ended = lab.run(&["sim", "scenario.yaml", "--on-up", "touch go"]);
    assert_eq!(ended.code, 2, "{}", ended.told());
    assert!(!lab.path("go").exists());
}

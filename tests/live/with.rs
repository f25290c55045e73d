//! `longwire with`: a program behind an impaired link, in one line, on the caller's own terminal.

use std::process::Stdio;

use crate::support::{Lab, as_nobody, has};
use nix::sys::signal::Signal;

const SERVER: &str = "server: python3 -m http.server 80";

#[test]
fn streams_and_the_exit_code_pass_through_and_the_link_changes_meanwhile() {
    let Some(lab) = Lab::new("") else { return };
    let longwire = env!("CARGO_BIN_EXE_longwire");
    let script = format!(
        "cat; echo to stderr >&2; '{longwire}' set link.delay=80ms; hostname; \
         curl -4 -s -o /dev/null -w '%{{http_code}} %{{time_connect}}\\n' http://server/; exit 7"
    );
    let words = ["with", "--delay", "50ms", "--between", SERVER, "--json", "report", "--", "sh", "-c", &script];
    let mut command = lab.longwire(&words);
    command.stdin(Stdio::piped());
    let mut started = lab.start(command);
    started.write("to stdin\n");
    started.close();
    let ended = started.wait();
    let lines: Vec<&str> = ended.stdout.lines().collect();
    assert_eq!((ended.code, &lines[..3]), (7, &["to stdin", "link.delay=80ms", "client"][..]), "{}", ended.told());
    let (code, connect) = lines[3].split_once(' ').unwrap();
    assert!(code == "200" && connect.parse::<f64>().unwrap() >= 0.16, "{}", ended.told());
    assert!(ended.stderr.contains("to stderr") && !ended.stderr.contains("requested"), "no report: {}", ended.told());
    let report: serde_json::Value = serde_json::from_str(&lab.read("report")).unwrap();
    assert_eq!(report["directions"][0]["requested"]["delay"]["mean"], "50ms", "{report:#}");
}

/// A key of the terminal is for the program: a shell has it to itself, with its jobs.
#[test]
fn without_a_program_it_is_a_shell_on_the_terminal() {
    let Some(lab) = Lab::new("").filter(|_| has("script") && has("bash")) else { return };
    let line = format!("'{}' with --delay 1ms --between b", env!("CARGO_BIN_EXE_longwire"));
    let mut command = lab.other("script", &["-qec", &line, "/dev/null"]);
    command.env("SHELL", "/bin/bash").stdin(Stdio::piped());
    let mut started = lab.start(command);
    started.write("tty; hostname; sleep 60 & jobs; kill %1; exit 3\n");
    let ended = started.wait();
    assert_eq!(ended.code, 3, "{}", ended.told());
    assert!(ended.stdout.contains("/dev/pts/") && ended.stdout.contains("client\r\n"), "{}", ended.told());
    assert!(ended.stdout.contains("Running") && !ended.stdout.contains("no job control"), "{}", ended.told());
}

#[test]
fn nothing_is_left_of_it_whoever_is_killed() {
    let Some(lab) = Lab::new("") else { return };
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        let words = ["with", "--between", "server: sleep 999 & exec python3 -m http.server 80", "--", "sh", "-c"];
        let started = lab.start(lab.longwire(&[&words[..], &["touch up; exec sleep 999"]].concat()));
        lab.until_file("up");
        started.signal(signal);
        let ended = started.wait();
        assert_eq!(ended.code, 128 + signal as i32, "{}", ended.told());
        std::fs::remove_file(lab.path("up")).unwrap();
    }
}

#[test]
fn a_normal_user_needs_nothing_else() {
    let Some(lab) = Lab::new("") else { return };
    let Some(run) = as_nobody(&lab) else { return };
    let ended = run(&[
        "with",
        "wifi-good",
        "--between",
        SERVER,
        "--",
        "curl",
        "-s",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code}",
        "http://server/",
    ]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, "200"), "{}", ended.told());
}

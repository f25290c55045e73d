//! What can go wrong with a run in virtual time is said clearly, is never taken for a result, and leaves nothing.

use std::collections::BTreeMap;
use std::process::Command;

use crate::support::report::reasons;
use crate::support::sim::Sim;
use crate::support::{Ended, Started, has, is_root, open_copy};
use longwire::host::confine;
use nix::sys::prctl;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

fn scenario(head: &str, program: &str) -> String {
    format!(
        "longwire: 1\n{head}nodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], delay: 10ms }} }}\n\
         workloads:\n  rtt: {{ ping: {{ from: a, to: b, every: 20ms, count: 5 }} }}\n  it: {{ in: a, {program} }}\n"
    )
}

fn sane() -> String {
    scenario("", "command: [\"true\"]")
}

#[track_caller]
fn assert_refused(ended: &Ended, code: i32, words: &[&str]) {
    assert_eq!(ended.code, code, "{}", ended.told());
    assert!(words.iter().all(|word| ended.stderr.contains(word)), "{words:?} in {}", ended.told());
    assert!(!ended.stdout.contains("FAIL") && !ended.stdout.contains("PASS"), "{}", ended.told());
}

/// Runs it; while it runs its directory exists, afterwards it does not.
fn to_its_end(sim: &Sim, command: Command) -> Ended {
    let ended = sim.lab.start(command).wait();
    sim.assert_home_is_empty();
    ended
}

/// A program of the scenario that does this, with an output directory that explains it.
fn broken(head: &str, program: &str, arguments: &[&str]) -> Option<(Sim, Ended)> {
    let sim = Sim::new(&scenario(head, program))?;
    let ended = to_its_end(&sim, sim.command(&[&["--out", "out"], arguments].concat()));
    Some((sim, ended))
}

#[test]
fn a_program_that_never_waits_is_named() {
    let Some((sim, ended)) = broken("", "shell: \"while :; do :; done\"", &["--wall-limit", "3s"]) else { return };
    assert_refused(&ended, 4, &["stood still for 3s", "`sh` keeps the processor", "--wall-limit"]);
    assert!(sim.lab.read("out/report.txt").starts_with("ERROR\n"));
    assert!(sim.lab.path("out/console.txt").is_file());
}

#[test]
fn a_panic_of_the_guest_is_told() {
    let crash = "root: true, shell: \"echo c > /proc/sysrq-trigger; sleep 9\"";
    let privileged = scenario("", crash).replace("a: host", "a: { host: { privileged: true } }");
    let Some(sim) = Sim::new(&privileged) else { return };
    let ended = to_its_end(&sim, sim.command(&["--out", "out"]));
    assert_refused(&ended, 4, &["the guest's kernel panicked: sysrq triggered crash"]);
    assert!(sim.lab.read("out/console.txt").contains("Kernel panic"));
}

#[test]
fn no_program_of_a_host_stops_the_guests_kernel() {
    let refused =
        "root: true, shell: \"echo c > /proc/sysrq-trigger || echo 0 > /proc/sys/kernel/panic; test $? -ne 0\"";
    let Some(sim) = Sim::new(&scenario("", refused)) else { return };
    let ended = to_its_end(&sim, sim.command(&["--json", "-"]));
    assert_eq!(ended.code, 0, "{}", ended.told());
}

#[test]
fn memory_that_is_used_up_is_an_error_and_not_a_failure() {
    let hungry = "shell: \"head -c 500M /dev/zero | tail -n 1 > /dev/null\"";
    let Some(sim) = Sim::new(&scenario("sim: { memory: 128MiB }\n", hungry)) else { return };
    let ended = to_its_end(&sim, sim.command(&["--json", "-"]));
    assert_eq!(ended.code, 4, "{}", ended.told());
    let report = ended.json();
    assert_eq!(report["verdict"], "error");
    let why = reasons(&report);
    assert!(why.contains("ran out of memory") && why.contains("`tail`") && why.contains("memory: 2GiB"), "{why}");
}

#[test]
fn frames_of_one_instant_do_not_overflow_a_ring() {
    if !has("python3") {
        return;
    }
    // all at one instant, and more than a ring holds: the socket's buffer is free again as soon as a frame is in the ring. The
    // engine goes before the program.
    let Some(sim) = Sim::new(&scenario("", "command: [python3, burst.py]")) else { return };
    sim.lab.write(
        "burst.py",
        "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
         for n in range(9000): s.sendto(b'x', ('b', 9))\nraise SystemExit(1)\n",
    );
    let ended = to_its_end(&sim, sim.command(&["--json", "-"]));
    assert_eq!(ended.code, 1, "its exit code counts: {}", ended.told());
    let report = ended.json();
    assert_eq!(report["verdict"], "fail");
    assert_eq!(report["validity"]["measured"]["ring_drops"], 0);
    assert!(report["directions"][0]["offered"]["frames"].as_u64().is_some_and(|frames| frames >= 9_000), "{report:#}");
}

#[test]
fn what_is_no_kernel_is_refused() {
    let Some(sim) = Sim::new(&sane()) else { return };
    let with = |kernel: &str| {
        let mut command = sim.command(&[]);
        command.env("LONGWIRE_KERNEL", kernel).env_remove("XDG_CACHE_HOME");
        to_its_end(&sim, command)
    };
    assert_refused(
        &with("/bin/true"),
        4,
        &["LONGWIRE_KERNEL=/bin/true", "is not a user-mode Linux kernel", "kernel/build"],
    );
    assert_refused(&with("/no/such"), 4, &["LONGWIRE_KERNEL=/no/such", "is not a file"]);
    if !std::path::Path::new("/usr/lib/longwire/kernel").exists() {
        assert_refused(&with(""), 4, &["none was found", "apt-get install", "kernel/build", "/usr/lib/longwire"]);
    }
}

/// Starts it where system calls are forbidden: the filter of a thread holds for what the thread starts.
fn start_under(sim: &Sim, filter: BpfProgram, command: Command) -> Started {
    std::thread::scope(|scope| {
        let start = || {
            prctl::set_no_new_privs().expect("always");
            confine::apply(&filter).expect("a filter");
            sim.lab.start(command)
        };
        scope.spawn(start).join().expect("started")
    })
}

fn forbid(rules: BTreeMap<i64, Vec<SeccompRule>>) -> BpfProgram {
    let arch = std::env::consts::ARCH.try_into().expect("known");
    let refuse = SeccompAction::Errno(nix::errno::Errno::EPERM as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).expect("sound").try_into().expect("it fits")
}

#[test]
fn forbidden_ptrace_is_said_to_be_what_is_missing() {
    let Some(sim) = Sim::new(&sane()) else { return };
    let filter = forbid(BTreeMap::from([(libc::SYS_ptrace, Vec::new())]));
    let ended = start_under(&sim, filter, sim.command(&[])).wait();
    assert_refused(&ended, 4, &["needs ptrace(2)", "seccomp"]);
    sim.assert_home_is_empty();
}

#[test]
fn a_normal_user_without_tun_and_user_namespaces_runs_it() {
    if !is_root() || !has("setpriv") || !has("unshare") {
        return;
    }
    let Some(sim) = Sim::new(&sane()) else { return };
    // any namespace but of mounts, which this test needs to hide the device, and that a normal user cannot have either
    let flags = [libc::CLONE_NEWUSER, libc::CLONE_NEWNET, libc::CLONE_NEWPID, libc::CLONE_NEWUTS, libc::CLONE_NEWIPC];
    let with = |flag: i32| {
        let flag = flag as u64;
        let set = SeccompCondition::new(0, SeccompCmpArgLen::Qword, SeccompCmpOp::MaskedEq(flag), flag);
        SeccompRule::new(vec![set.expect("sound")]).expect("sound")
    };
    let rules = || flags.iter().copied().map(with).collect::<Vec<_>>();
    let filter = forbid(BTreeMap::from([
        (libc::SYS_unshare, rules()),
        (libc::SYS_clone, rules()),
        (libc::SYS_setns, Vec::new()),
    ]));
    sim.lab.write("closed", "");
    let hide = "[ ! -e /dev/net/tun ] || mount --bind closed /dev/net/tun; chmod 0 closed\n\
                exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";
    let program = open_copy(&sim.lab).display().to_string();
    let command = sim.other(
        "unshare",
        &["-m", "--propagation", "private", "sh", "-ec", hide, "sh", &program, "sim", "scenario.yaml", "--json", "-"],
    );
    let ended = start_under(&sim, filter, command).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert_eq!(ended.json()["verdict"], "pass");
}

/// `longwire sim` where these commands have changed what is mounted, and how many directories of runs are left there.
fn in_other_mounts(sim: &Sim, mounts: &str, arguments: &[&str]) -> Ended {
    let script = format!(
        "small() {{ mount -t tmpfs -o \"$1\" none \"$2\"; }}\n{mounts}\n\
         code=0; \"$@\" || code=$?\nfor place in /dev/shm /tmp /var/tmp ${{TMPDIR:-}}; do\n  \
         ls -d $place/longwire-????????  2>/dev/null | sed 's/^/left: /' >&2 || :\ndone\nexit $code"
    );
    let program = sim.lab.path("longwire").display().to_string();
    let words = ["-m", "--propagation", "private", "sh", "-ec", &script, "sh", &program, "sim", "scenario.yaml"];
    let command = sim.other("unshare", &[&words[..], arguments].concat());
    let ended = to_its_end(sim, command);
    assert!(!ended.stderr.contains("left: "), "{}", ended.told());
    ended
}

/// The lab in a place that the mounts do not cover, with a copy of the program.
fn movable(scenario: &str) -> Option<Sim> {
    if !is_root() || !has("unshare") {
        return None;
    }
    let sim = Sim::new(scenario)?;
    open_copy(&sim.lab);
    std::fs::create_dir(sim.lab.path("temporary")).expect("made");
    Some(sim)
}

#[test]
fn places_without_room_are_passed_over_and_named() {
    let Some(sim) = movable(&sane()) else { return };
    let ended = in_other_mounts(&sim, "small size=1M /dev/shm", &[]);
    assert_eq!(ended.code, 0, "{}", ended.told());
    let ended =
        in_other_mounts(&sim, "small size=1M /dev/shm; small noexec temporary; export TMPDIR=$PWD/temporary", &[]);
    assert_eq!(ended.code, 0, "{}", ended.told());
    // The lab itself is in one of these: it is mounted again, into the small one.
    let all = "here=$PWD; mkdir -p /mnt; small size=4M /mnt; mkdir /mnt/lab; mount --bind $here /mnt/lab\n\
               small noexec /dev/shm; small size=1M /var/tmp; small size=1M /tmp; mkdir -p $here; mount --move /mnt/lab $here\n\
               cd $here";
    let ended = in_other_mounts(&sim, all, &[]);
    assert_refused(&ended, 4, &["/dev/shm: it is mounted `noexec`", "/var/tmp: 1 MiB are free", "TMPDIR"]);
}

#[test]
fn a_disk_that_fills_up_meanwhile_is_named() {
    let grow = "timeout: 100000s, shell: \"touch started; until ls | grep -q filled; do sleep 1; done; \
                head -c 90M /dev/zero | tail -n 1 > /dev/null\"";
    let Some(sim) = movable(&scenario("sim: { memory: 128MiB }\n", grow)) else { return };
    let fill = "small size=1M /dev/shm; small size=450M temporary; export TMPDIR=$PWD/temporary\n\
                (until [ -e started ]; do sleep 0.05; done; head -c 450M /dev/zero > temporary/fill 2>/dev/null || :; \
                touch filled) &";
    let ended = in_other_mounts(&sim, fill, &["--out", "out"]);
    assert_refused(&ended, 4, &["the guest's memory is full", "TMPDIR"]);
}

//! What one host's programs can do to another host, to the run and to the machine: nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use longwire::addressing::network::Limits;
use longwire::host::{Event, ExitStatus, Init, Program, Spawn, Stdio, What};
use longwire::port::tap::Framing;
use longwire::units::Duration;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{as_root, build, builtin, native, or_skip, output, segment, shell, skip, start, until};

/// Ends of programs, by their numbers.
fn ends(init: &mut Init) -> Vec<(u64, ExitStatus)> {
    std::iter::from_fn(|| init.next_event().expect("init lives"))
        .filter_map(|event| match event {
            Event::Exited { id, status, .. } => Some((id, status)),
            _ => None,
        })
        .collect()
}

pub(crate) fn signals() {
    let (mut init, _ports) = build(&segment(2));
    let beats = tempfile::NamedTempFile::new().expect("a temporary file");
    let path = beats.path().display().to_string();
    fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o666)).expect("ours");
    start(&mut init, 1, "h2", shell(&format!("while :; do echo >> {path}; sleep 0.02; done"))).expect("started");
    start(&mut init, 2, "h2", native("echo", "127.0.0.1:7777")).expect("started");
    start(&mut init, 3, "h1", shell("trap '' TERM; while :; do sleep 0.05; done")).expect("started");
    let length = || fs::metadata(&path).expect("it is there").len();
    until("the other host's program runs", || length() > 0);
    // To everybody, to process 1 by its number, and to every number that there may be.
    let attack = "for s in STOP TERM KILL; do kill -$s -1; kill -$s 1; done; \
                  for p in $(seq 2 400); do [ $p = $$ ] || kill -KILL $p; done; echo done";
    for what in [as_root(shell(attack)), shell(attack)] {
        assert_eq!(output_among(&mut init, 4, "h1", what), "done\n");
    }
    let mut all = Vec::new();
    until("both attackers and their neighbour have ended", || {
        all.extend(ends(&mut init));
        all.iter().filter(|(id, _)| *id == 4).count() == 2 && all.iter().any(|(id, _)| *id == 3)
    });
    assert!(all.iter().all(|(id, _)| [3, 4].contains(id)), "of the attacker's own host alone: {all:?}");
    assert!(all.contains(&(3, ExitStatus::Signal(libc::SIGKILL))), "{all:?}");
    let before = length();
    until("the other host's program goes on", || length() > before + 3);
    assert_eq!(output(&mut init, 5, "h2", native("ask", "127.0.0.1:7777")).1, ExitStatus::Code(0));
    // The attacker's host goes on too.
    assert_eq!(output(&mut init, 6, "h1", shell("echo here")).0, "here\n");
}

/// As [`output`], where other programs may end meanwhile.
fn output_among(init: &mut Init, id: u64, host: &str, what: longwire::host::What) -> String {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let stdio = Stdio { stdout: Some(OwnedFd::from(writer)), ..Stdio::default() };
    init.spawn(Spawn { id, host: host.into(), what, stdio }).expect("started");
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    text
}

pub(crate) fn namespaces() {
    let (mut init, _ports) = build(&segment(2));
    let kinds = ["net", "mnt", "uts", "ipc", "pid", "user"];
    let look = format!("for k in {}; do readlink /proc/self/ns/$k; done", kinds.join(" "));
    let mut seen = BTreeSet::new();
    let own = kinds.map(|kind| fs::read_link(format!("/proc/self/ns/{kind}")).expect("ours").display().to_string());
    seen.extend(own);
    for host in ["h1", "h2"] {
        for line in output(&mut init, 1, host, as_root(shell(&look))).0.lines() {
            assert!(seen.insert(line.to_owned()), "{host} shares {line}");
        }
    }
    assert_eq!(seen.len(), 3 * kinds.len());
    // /proc has the host's own processes: its first, the shell, and what the shell starts.
    let found = output(&mut init, 2, "h1", shell("cat /proc/1/comm; ls /proc | grep -c '^[0-9]'")).0;
    let (first, count) = found.trim().split_once('\n').expect("two lines");
    if first != "longwire-host" {
        skip("a container keeps hosts from having a /proc of their own");
    }
    assert!(count.parse::<u32>().expect("a number") <= 4, "{found}");
    // No name that a host gives itself is the machine's.
    let machine = nix::unistd::gethostname().expect("a name");
    let name = "printf elsewhere > /proc/sys/kernel/hostname 2>/dev/null; hostname elsewhere; \
                cat /proc/sys/kernel/hostname";
    let renamed = output(&mut init, 3, "h1", as_root(shell(name))).0;
    assert!(renamed == "elsewhere\n" || !std::path::Path::new("/bin/hostname").exists(), "{renamed}");
    assert_eq!(nix::unistd::gethostname().expect("a name"), machine);
    assert_eq!(output(&mut init, 4, "h2", shell("cat /proc/sys/kernel/hostname")).0, "h2\n");
}

pub(crate) fn orphans() {
    let (mut init, _ports) = build(&segment(1));
    let many = "for n in $(seq 30); do (sleep 0.0$n &) ; done; exit 7";
    assert_eq!(output(&mut init, 1, "h1", shell(many)).1, ExitStatus::Code(7));
    let zombies = "grep -l '^State:.*zombie' /proc/[0-9]*/status 2>/dev/null | wc -l; \
                   grep -l '^Name:.*sleep' /proc/[0-9]*/status 2>/dev/null | wc -l";
    until("all orphans are taken in", || output(&mut init, 2, "h1", shell(zombies)).0 == "0\n0\n");

    // When all ends, one that a program has left gets as much time as the program itself.
    let folder = tempfile::tempdir().expect("a temporary directory");
    fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("ours");
    let path = folder.path().display();
    let daemon =
        format!("trap 'sleep 0.1; echo > {path}/ended; exit' TERM; echo > {path}/up; while :; do sleep 0.02; done");
    let leave = format!("setsid sh -c \"{daemon}\" >/dev/null 2>&1 </dev/null & exit 0");
    assert_eq!(output(&mut init, 3, "h1", shell(&leave)).1, ExitStatus::Code(0));
    until("the orphan is up", || folder.path().join("up").exists());
    init.shutdown(Duration::from_secs(5)).expect("down");
    assert!(folder.path().join("ended").exists());
}

/// The processes of a PID namespace that live, by their numbers here.
fn members(processes: &OwnedFd) -> Vec<Pid> {
    let wanted = nix::sys::stat::fstat(processes).expect("a namespace").st_ino;
    let all = fs::read_dir("/proc").expect("/proc").filter_map(|e| e.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_member = |pid: &i32| {
        let lives = fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with(['Z', 'X'])));
        lives && fs::metadata(format!("/proc/{pid}/ns/pid")).is_ok_and(|found| found.ino() == wanted)
    };
    all.filter(is_member).map(Pid::from_raw).collect()
}

pub(crate) fn first_is_killed() {
    let (mut init, _ports) = build(&segment(2));
    let namespaces = init.namespaces("h1").expect("a host of this run");
    if !nix::unistd::getuid().is_root() {
        return; // only root sees whose process 1 a process is
    }
    start(&mut init, 1, "h1", shell("trap '' TERM; setsid sleep 60 & sleep 60")).expect("started");
    start(&mut init, 2, "h2", shell("exec sleep 60")).expect("started");
    until("they are there", || members(&namespaces.processes).len() >= 4);
    let first = members(&namespaces.processes)
        .into_iter()
        .find(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm == "longwire-host\n"));
    kill(first.expect("it has one"), Signal::SIGKILL).expect("it lives");
    let (mut ended, mut died) = (None, false);
    until("it is told", || {
        match init.next_event().expect("init lives") {
            Some(Event::HostEnded { host }) => died = host == "h1",
            Some(Event::Exited { id, status, .. }) => ended = Some((id, status)),
            _ => {}
        }
        died && ended.is_some()
    });
    assert_eq!(ended, Some((1, ExitStatus::Signal(libc::SIGKILL))));
    until("nothing is left in the host", || members(&namespaces.processes).is_empty());
    let error = start(&mut init, 3, "h1", shell("true")).expect_err("it has ended");
    assert!(error.to_string().contains("h1"), "{error}");
    assert_eq!(output(&mut init, 4, "h2", shell("echo here")).0, "here\n");
    assert_eq!(init.next_event().expect("init lives"), None);
}

/// Forks as often as it can, at most 300 times, and says how often it could.
const FORK: &str = "
import os, sys, time
n = 0
for _ in range(300):
    try:
        if os.fork() == 0:
            os.close(1); time.sleep(60); os._exit(0)
    except OSError:
        break
    n += 1
print(n, flush=True)
time.sleep(60 if sys.argv[1:] else 0)
";

pub(crate) fn limits() {
    let python = |argv: &[&str], root: bool| {
        let argv = ["python3", "-c"].iter().chain(argv).map(|word| (*word).to_owned()).collect();
        What::Program(Program { argv, env: vec![], cwd: None, root })
    };
    let mut plan = segment(3);
    plan.hosts[0].limits = Limits { processes: Some(40), open_files: Some(64), ..Limits::default() };
    let mut init = or_skip(Init::start(builtin));
    let _ports = match init.build(&plan, Framing::Plain) {
        Err(error) if error.to_string().contains("control group") => {
            // a limit that this machine cannot hold is refused
            assert!(
                error.cause == longwire::host::Cause::Machine && error.to_string().contains("processes"),
                "{error}"
            );
            return;
        }
        built => or_skip(built),
    };
    if output(&mut init, 1, "h1", shell("command -v python3")).0.is_empty() {
        skip("no python3 here to fork with");
    }
    assert_eq!(output(&mut init, 2, "h1", shell("ulimit -S -n; ulimit -H -n")).0, "64\n64\n");
    // As two users, whose processes count together.
    let count = |text: String| text.trim().parse::<u32>().expect("a number");
    let first = said(&mut init, 3, "h1", python(&[FORK, "stay"], true));
    let second = output(&mut init, 4, "h2", shell("echo here")).0;
    assert_eq!(second, "here\n");
    // The program itself is one of them, and another user's programs count with it.
    assert_eq!(count(first), 39);
    assert_ne!(output(&mut init, 5, "h1", shell("/bin/true; /bin/true")).1, ExitStatus::Code(0));
    // What longwire measures with is not limited, and neither are the others.
    assert_eq!(output(&mut init, 6, "h1", native("icmp", "")).1, ExitStatus::Code(0));
    assert_eq!(count(output(&mut init, 7, "h2", python(&[FORK], false)).0), 300);
    assert!(init.signal(3, Signal::SIGKILL).expect("a known program"));
}

pub(crate) fn memory() {
    let mut plan = segment(2);
    plan.hosts[0].limits.memory = Some(64 << 20);
    let mut init = or_skip(Init::start(builtin));
    let _ports = match init.build(&plan, Framing::Plain) {
        Err(error) if error.to_string().contains("control group") => {
            // a limit that this machine cannot hold is refused
            assert!(error.cause == longwire::host::Cause::Machine && error.to_string().contains("memory"), "{error}");
            return;
        }
        built => or_skip(built),
    };
    let groups = || {
        let found = Command::new("find").args(["/sys/fs/cgroup", "-type", "d", "-name", "host-h1"]).output();
        found.is_ok_and(|found| !found.stdout.is_empty())
    };
    assert!(groups());
    let hungry = "head -c 300M /dev/zero | tail -n 1 | wc -c";
    assert_eq!(output(&mut init, 1, "h1", shell(hungry)).0, "0\n");
    assert_eq!(output(&mut init, 2, "h2", shell(hungry)).0, "314572800\n");
    drop(init);
    assert!(!groups(), "a group is left");
}

/// The first line of a program that goes on.
fn said(init: &mut Init, id: u64, host: &str, what: What) -> String {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    init.spawn(Spawn { id, host: host.into(), what, stdio: Stdio { stdout: Some(writer.into()), ..Stdio::default() } })
        .expect("started");
    let mut line = Vec::new();
    let mut byte = [0];
    while reader.read(&mut byte).is_ok_and(|n| n == 1) && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8(line).expect("text")
}

pub(crate) fn machine() {
    let (mut init, _ports) = build(&segment(1));
    let mut may = |script: &str| output(&mut init, 1, "h1", as_root(shell(script)));
    // Each writes what is there already, should it be let.
    for path in ["kernel/core_pattern", "kernel/printk", "vm/swappiness", "fs/file-max"] {
        let path = format!("/proc/sys/{path}");
        if fs::metadata(&path).is_ok() {
            let (_, status) = may(&format!("cat {path} > /dev/null && cat {path} 2>/dev/null > {path}"));
            assert_ne!(status, ExitStatus::Code(0), "{path}");
        }
    }
    assert_ne!(may(": >> /proc/sysrq-trigger").1, ExitStatus::Code(0));
    // What the kernel does not let go of stays, whatever root in the host tries.
    if nix::unistd::getuid().is_root() {
        for script in [
            "mount -o remount,rw,bind /proc/sys",
            "umount /proc/sys",
            "umount -l /proc/sysrq-trigger",
            "mount -o remount,rw,bind /sys",
            "mkdir -p /run/p && mount -t proc proc /run/p",
            "mkdir -p /run/p && unshare -pf mount -t proc proc /run/p",
            "umount -l /proc",
        ] {
            assert_ne!(may(script).1, ExitStatus::Code(0), "{script}");
        }
        assert_eq!(
            may("test -w /sys/fs/cgroup || test -w /sys/kernel || test -w /proc/sys/kernel").1,
            ExitStatus::Code(1)
        );
    }
    // What is the host's own can be set, and the tools of a network work.
    let own = may("echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward");
    assert_eq!(own, ("1\n".into(), ExitStatus::Code(0)));
    if may("ip -V").1 == ExitStatus::Code(0) {
        let script = "ip tuntap add dev t0 mode tap && ip link set t0 up && ip link add v0 type veth peer name v1 && \
                      ip link set eth0 mtu 1300 && ip netns add x && ip link set v1 netns x && \
                      ip netns exec x ip link set v1 up && mkdir /run/m && mount -t tmpfs none /run/m && echo all";
        assert_eq!(may(script).0, "all\n");
    }
}

pub(crate) fn privileged() {
    let mut plan = segment(2);
    plan.hosts[0].privileged = true;
    let mut init = or_skip(Init::start(builtin));
    if !nix::unistd::getuid().is_root() {
        let error = init.build(&plan, Framing::Plain).expect_err("refused");
        assert!(error.to_string().contains("root") && error.cause == longwire::host::Cause::Machine, "{error}");
        return;
    }
    let _ports = or_skip(init.build(&plan, Framing::Plain));
    let own = fs::read_link("/proc/self/ns/user").expect("ours").display().to_string();
    let status = "readlink /proc/self/ns/user; grep CapBnd /proc/self/status";
    let own_bounds = fs::read_to_string("/proc/self/status").expect("ours");
    let own_bounds = own_bounds.lines().find(|line| line.starts_with("CapBnd")).expect("a line");
    let found = output(&mut init, 1, "h1", as_root(shell(status))).0;
    assert_eq!(found, format!("{own}\n{own_bounds}\n"));
    assert!(!output(&mut init, 1, "h2", as_root(shell(status))).0.contains(&own));
    // It has its own processes all the same.
    assert_eq!(output(&mut init, 2, "h1", shell("cat /proc/1/comm")).0, "longwire-host\n");
    let namespaces = init.namespaces("h1").expect("a host of this run");
    assert!(namespaces.users.is_none());
}

//! Programs in hosts: how they start and end, who they are, what they see.

use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use longwire::host::{
    Event, ExitStatus, Identity, NamespaceFds, Program, SpawnError, Transport, What, join_and_run, message,
};
use longwire::units::Duration;
use nix::sys::signal::Signal;

use crate::harness::{as_root, build, end_of, native, output, segment, shell, skip, start, until};
use crate::private::assert_bounded;

pub(crate) fn ends() {
    let (mut init, _ports) = build(&segment(1));
    assert_eq!(output(&mut init, 1, "h1", shell("echo hello; exit 3")), ("hello\n".into(), ExitStatus::Code(3)));
    assert_eq!(output(&mut init, 2, "h1", shell("kill -9 $$")).1, ExitStatus::Signal(libc::SIGKILL));
    assert_eq!(output(&mut init, 3, "h1", native("panic", "")).1, ExitStatus::Code(101));
    assert_eq!(output(&mut init, 4, "h1", shell("cat; pwd; echo $FOO")).0, "/\n\n");

    let program = |argv: &[&str], cwd: Option<&str>| {
        let argv = argv.iter().map(|&a| a.to_owned()).collect();
        What::Program(Program { argv, env: vec![("FOO".into(), "a b".into())], cwd: cwd.map(Into::into), root: false })
    };
    assert_eq!(output(&mut init, 5, "h1", program(&["sh", "-c", "pwd; echo \"$FOO\""], Some("/usr"))).0, "/usr\na b\n");
    let mut refused = |what: What| start(&mut init, 6, "h1", what).expect_err("refused");
    let errno = |error: SpawnError| match error {
        SpawnError::Program { errno, .. } => errno,
        other => panic!("{other}"),
    };
    assert_eq!(errno(refused(program(&["no-such-program"], None))), libc::ENOENT);
    assert_eq!(errno(refused(program(&["/etc/hosts"], None))), libc::EACCES);
    let error = refused(program(&["true"], Some("/no/such/place")));
    assert!(
        matches!(&error, SpawnError::Directory { directory, errno: libc::ENOENT } if directory == "/no/such/place")
    );
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("text");
    std::fs::write(&file, "no program").expect("written");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("ours");
    assert_eq!(errno(refused(program(&[file.to_str().expect("text")], None))), libc::ENOEXEC);
    assert!(matches!(start(&mut init, 7, "nobody", shell("true")), Err(SpawnError::Host { .. })));
    // Nothing of those that did not start is left to be reported.
    assert_eq!(init.next_event().expect("init lives"), None);

    // A signal reaches the whole process group, and nobody afterwards.
    start(&mut init, 8, "h1", shell("sleep 60 & sleep 60")).expect("started");
    assert!(init.signal(8, Signal::SIGTERM).expect("a known program"));
    assert_eq!(end_of(&mut init, 8), ExitStatus::Signal(libc::SIGTERM));
    until("the group is gone", || !init.signal(8, Signal::SIGCONT).expect("a known program"));
    assert!(init.signal(99, Signal::SIGTERM).is_err());
}

pub(crate) fn identity() {
    let (mut init, _ports) = build(&segment(1));
    let (uid, gid) = (nix::unistd::getuid(), nix::unistd::getgid());
    let mut run = |what| output(&mut init, 1, "h1", what).0;
    assert_eq!(run(shell("echo $(id -u) $(id -g)")), format!("{uid} {gid}\n"));
    assert_eq!(run(as_root(shell("echo $(id -u) $(id -g)"))), "0 0\n");
    if run(shell("ip -V")).is_empty() {
        skip("no `ip` here to try rights with");
    }
    let down = "ip link set eth0 down 2>/dev/null && echo may || echo may not; ip link set eth0 up 2>/dev/null";
    assert_eq!(run(as_root(shell(down))), "may\n");
    assert_eq!(run(shell(down)), if uid.is_root() { "may\n" } else { "may not\n" });
    // Privileged ports are for everybody.
    assert_eq!(start(&mut init, 2, "h1", native("echo", "127.0.0.1:53")), Ok(()));
    until("port 53 is bound", || init.listening("h1", Transport::Udp, Some(53)).expect("a host of this run"));
}

pub(crate) fn through_sudo() {
    // SAFETY: this process has one thread.
    unsafe {
        std::env::set_var("SUDO_UID", "12345");
        std::env::set_var("SUDO_GID", "23456");
    }
    let (mut init, _ports) = build(&segment(1));
    let uid = nix::unistd::getuid();
    if !uid.is_root() {
        // Only root can have come through sudo: anybody may set a variable.
        assert_eq!(output(&mut init, 1, "h1", shell("id -u")).0, format!("{uid}\n"));
        return;
    }
    assert_eq!((init.identity().uid, init.identity().gid), (12_345, 23_456));
    let script = "echo $(id -u) $(id -g) $(id -G); grep CapEff /proc/self/status";
    let (text, _) = output(&mut init, 1, "h1", shell(script));
    assert_eq!(text, "12345 23456 23456\nCapEff:\t0000000000000000\n");
    assert_eq!(output(&mut init, 2, "h1", as_root(shell("id -u"))).0, "0\n");
}

pub(crate) fn inheritance() {
    // A descriptor that is left open across exec, as a careless parent does.
    let (reader, _writer) = std::io::pipe().expect("a pipe");
    // SAFETY: dup takes and returns plain descriptors; the copy stays open for the life of this test.
    assert!(unsafe { libc::dup2(reader.as_raw_fd(), 77) } == 77);
    let soft = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).expect("a limit").0;
    let (mut init, _ports) = build(&segment(1));
    // 3 is the directory that `ls` reads.
    assert_eq!(output(&mut init, 1, "h1", shell("exec ls /proc/self/fd")).0, "0\n1\n2\n3\n");
    assert_eq!(output(&mut init, 2, "h1", shell("env | grep -v -e ^PATH= -e ^PWD= -e ^_= -e ^SHLVL=")).0, "");
    assert_eq!(output(&mut init, 3, "h1", shell("ulimit -S -n")).0, format!("{soft}\n"));
    let (signals, _) = output(&mut init, 4, "h1", shell("exec grep -E 'Sig(Blk|Ign)' /proc/self/status"));
    // Signals 32 and 33 are the C library's own, and it lets nobody touch them.
    let others = !(1_u64 << 31 | 1 << 32);
    for line in signals.lines() {
        let set = line.split('\t').nth(1).and_then(|text| u64::from_str_radix(text, 16).ok()).expect("a set");
        assert_eq!(set & others, 0, "{signals}");
    }
    assert_eq!(signals.lines().count(), 2);
    // Its own process group, in a session that is not the terminal's. Fields 5 and 7 of proc_pid_stat(5).
    let (stat, _) = output(&mut init, 5, "h1", shell("exec cat /proc/self/stat"));
    let fields: Vec<&str> = stat.split_whitespace().collect();
    assert_eq!(fields[0], fields[4], "{stat}");
    assert_eq!(fields[6], "0", "{stat}");
}

pub(crate) fn listening() {
    let (mut init, _ports) = build(&segment(2));
    let server = "import socket,time
a=socket.create_server(('127.0.0.1',80)); b=socket.create_server(('::1',81),family=socket.AF_INET6); time.sleep(60)";
    let python = What::Program(Program {
        argv: ["python3", "-c", server].map(String::from).to_vec(),
        env: vec![],
        cwd: None,
        root: false,
    });
    let mut sees = |host, port| init.listening(host, Transport::Tcp, Some(port)).expect("a host of this run");
    assert!(!sees("h1", 80));
    match start(&mut init, 1, "h1", python) {
        Err(SpawnError::Program { errno: libc::ENOENT, .. }) => skip("no python3 here to listen with"),
        other => other.expect("started"),
    }
    let mut sees = |host: &str, port| init.listening(host, Transport::Tcp, Some(port)).expect("a host of this run");
    until("IPv4 listens", || sees("h1", 80));
    until("IPv6 listens", || sees("h1", 81));
    assert!(!sees("h1", 82) && !sees("h2", 80));
    assert!(!init.listening("h1", Transport::Udp, Some(80)).expect("a host of this run"));
    assert!(init.listening("nobody", Transport::Tcp, Some(80)).is_err());
}

pub(crate) fn shutdown() {
    let (mut init, _ports) = build(&segment(1));
    let (mut ready, writer) = std::io::pipe().expect("a pipe");
    for (id, script) in [(1, "trap 'exit 3' TERM"), (2, "trap '' TERM"), (3, "true")] {
        let stdio = longwire::host::Stdio { stdout: writer.try_clone().ok().map(OwnedFd::from), ..Default::default() };
        let what = shell(&format!("{script}; echo; while :; do sleep 0.05; done"));
        init.spawn(longwire::host::Spawn { id, host: "h1".into(), what, stdio }).expect("started");
    }
    ready.read_exact(&mut [0; 3]).expect("three programs are ready");
    let begin = std::time::Instant::now();
    let events = init.shutdown(Duration::from_millis(500)).expect("down");
    let took = begin.elapsed();
    assert!((0.5..1.5).contains(&took.as_secs_f64()), "{took:?}");
    let exited = events.into_iter().filter_map(|event| match event {
        Event::Exited { id, status, waited_ns } => Some((id, status, waited_ns)),
        Event::HostEnded { .. } | Event::InterfaceGone { .. } => None,
    });
    let mut exited: Vec<_> = exited.collect();
    exited.sort_by_key(|(id, ..)| *id);
    let how = [ExitStatus::Code(3), ExitStatus::Signal(libc::SIGKILL), ExitStatus::Signal(libc::SIGTERM)];
    let ended: Vec<_> = exited.iter().map(|(id, status, _)| (*id, *status)).collect();
    assert_eq!(ended, (1..).zip(how).collect::<Vec<_>>());
    let waited: Vec<_> = exited.iter().filter_map(|(.., waited_ns)| *waited_ns).collect();
    assert!(waited.len() == 3 && waited.iter().all(|ns| *ns < 2_000_000_000), "{waited:?}");
}

/// The other process: takes namespaces from descriptor 3, and joins.
pub(crate) fn joiner() {
    // SAFETY: the parent left its socket open at this number.
    let socket = unsafe { BorrowedFd::borrow_raw(3) };
    let ((program, identity), fds) =
        message::receive::<(Program, Identity)>(socket).expect("whole").expect("a message");
    let namespaces = NamespaceFds::from_fds(fds).expect("all of them");
    match join_and_run(&namespaces, &program, &identity) {
        Ok(code) => std::process::exit(code),
        Err(error) => {
            println!("{error}");
            std::process::exit(55);
        }
    }
}

/// A run that lends its host's namespaces out over descriptor 3, until its standard input is closed.
pub(crate) fn lender() {
    let (mut init, _ports) = build(&segment(1));
    let namespaces = init.namespaces("h1").expect("a host of this run");
    // SAFETY: the parent left its socket open at this number.
    let socket = unsafe { BorrowedFd::borrow_raw(3) };
    message::send(socket, init.identity(), &namespaces.as_fds()).expect("sent");
    let _ = std::io::stdin().read(&mut [0]);
}

/// This program again, with a socket to it at its descriptor 3.
fn part(name: &str) -> (Command, OwnedFd) {
    let (ours, theirs) = message::pair().expect("a socket pair");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg(name);
    // SAFETY: dup2 may be called between fork and exec; a plain copy loses close-on-exec. The descriptor moves into the
    // closure and so stays open.
    unsafe {
        command.pre_exec(move || match libc::dup2(theirs.as_raw_fd(), 3) {
            3 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        });
    }
    (command, ours)
}

pub(crate) fn joining_as_root() {
    if !nix::unistd::getuid().is_root() {
        // The other way round: what belongs to root cannot be joined, since it cannot even be opened.
        assert!(std::fs::File::open("/proc/1/ns/net").is_err());
        return;
    }
    let (mut command, ours) = part("--lender");
    let mut lender = command.uid(65_534).gid(65_534).stdin(std::process::Stdio::piped()).spawn().expect("started");
    drop(command);
    let Some((identity, fds)) = message::receive::<Identity>(&ours).expect("whole") else {
        skip("a normal user cannot make hosts here");
    };
    assert_eq!((identity.uid, identity.nested, fds.len()), (65_534, true, 6));
    for (what, wanted) in
        [(shell("id -u; cat /sys/class/net/eth0/mtu"), "65534\n1400\n"), (as_root(shell("id -u")), "0\n")]
    {
        let What::Program(program) = what else { panic!("a program") };
        let (mut command, ours) = part("--joiner");
        let child = command.stdout(std::process::Stdio::piped()).spawn().expect("started");
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        message::send(&ours, &(program, &identity), &fds).expect("sent");
        let found = child.wait_with_output().expect("our child");
        assert_eq!(String::from_utf8_lossy(&found.stdout), wanted);
    }
    drop(lender.stdin.take());
    assert!(lender.wait().expect("our child").success());
}

pub(crate) fn terminal() {
    use std::io::Write;
    let (mut init, _ports) = build(&segment(1));
    let namespaces = init.namespaces("h1").expect("a host of this run");
    let pty = nix::pty::openpty(None, None).expect("a terminal");
    let (ours, theirs) = message::pair().expect("a socket pair");
    let theirs_raw = theirs.as_raw_fd();
    let copy = || pty.slave.try_clone().expect("a descriptor");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.arg("--joiner").stdin(copy()).stdout(copy()).stderr(copy());
    // SAFETY: dup2, setsid and ioctl may be called between fork and exec; TIOCSCTTY takes an integer.
    unsafe {
        command.pre_exec(move || {
            let done = libc::dup2(theirs_raw, 3) == 3 && libc::setsid() > 0 && libc::ioctl(0, libc::TIOCSCTTY, 0) == 0;
            if done { Ok(()) } else { Err(std::io::Error::last_os_error()) }
        });
    }
    let mut child = command.spawn().expect("started");
    drop(pty.slave);
    let argv = ["sh", "-i"].map(String::from).to_vec();
    let env = vec![("PATH".into(), "/usr/bin:/bin".into()), ("PS1".into(), "ready> ".into())];
    let shell = Program { argv, env, cwd: None, root: false };
    message::send(ours.as_fd(), &(shell, init.identity().clone()), &namespaces.as_fds()).expect("sent");

    let mut screen = std::fs::File::from(pty.master);
    let mut seen = String::new();
    let mut expect = |screen: &mut std::fs::File, wanted: &str| {
        let mut bytes = [0; 1_000];
        while !seen.contains(wanted) {
            let length = screen.read(&mut bytes).unwrap_or(0);
            assert!(length > 0, "the terminal closed before {wanted:?} after {seen:?}");
            seen += &String::from_utf8_lossy(&bytes[..length]);
        }
        assert!(!seen.contains("job control"), "{seen}");
        seen.clear();
    };
    let mut key = |keys: &str, wanted: &str| {
        screen.write_all(keys.as_bytes()).expect("typed");
        expect(&mut screen, wanted);
    };
    key("", "ready> ");
    key("echo $((6*7)); grep -c eth0 /proc/net/dev\n", "42\r\n1\r\nready> ");
    // The interrupt key ends the shell's job, not the shell nor what joined it.
    key("echo go; sleep 60\n", "\ngo\r\n");
    std::thread::sleep(std::time::Duration::from_millis(100));
    key("\x03", "ready> ");
    key("echo $?\n", "130\r\nready> ");
    // The stop key stops the job, and it can be taken up again.
    key("echo go; sleep 0.3\n", "\ngo\r\n");
    std::thread::sleep(std::time::Duration::from_millis(100));
    key("\x1a", "ready> ");
    key("fg; echo up $((1+1))\n", "up 2\r\nready> ");
    screen.write_all(b"exit 9\n").expect("typed");
    assert_eq!(child.wait().expect("our child").code(), Some(9));
}

pub(crate) fn joining() {
    let (mut init, _ports) = build(&segment(2));
    let namespaces = init.namespaces("h2").expect("a host of this run");
    let identity = init.identity().clone();
    assert!(init.namespaces("nobody").is_err());
    let join = |what: What| {
        let What::Program(program) = what else { panic!("a program") };
        let (mut command, ours) = part("--joiner");
        let child = command.stdout(std::process::Stdio::piped()).spawn().expect("started");
        message::send(ours.as_fd(), &(program, identity.clone()), &namespaces.as_fds()).expect("sent");
        child
    };
    let output = |what: What| {
        let found = join(what).wait_with_output().expect("our child");
        (String::from_utf8(found.stdout).expect("text"), found.status.code())
    };
    let uid = nix::unistd::getuid();
    let script = "id -u; grep -o '10.0.0.2 h2' /etc/hosts; grep -c eth0 /proc/net/dev; exit 4";
    assert_eq!(output(shell(script)), (format!("{uid}\n10.0.0.2 h2\n1\n"), Some(4)));
    assert_eq!(output(as_root(shell("id -u"))), ("0\n".into(), Some(0)));
    // It is in all of the host's namespaces, and has no more rights than the run's own programs.
    assert_eq!(output(shell("cat /proc/sys/kernel/hostname")).0, "h2\n");
    assert_bounded(&output(as_root(shell("exec cat /proc/self/status"))).0, true);
    assert_eq!(output(shell("kill -TERM $$")).1, Some(128 + libc::SIGTERM));
    let missing = Program { argv: vec!["no-such-program".into()], env: vec![], cwd: None, root: false };
    let (text, code) = output(What::Program(missing));
    assert!(code == Some(55) && text.contains("no-such-program"), "{text}");
    // A signal to the joined process reaches its program.
    let mut child = join(shell("trap 'exit 6' TERM; echo; while :; do sleep 0.05; done"));
    child.stdout.as_mut().expect("piped").read_exact(&mut [0]).expect("ready");
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    nix::sys::signal::kill(pid, Signal::SIGTERM).expect("our child");
    assert_eq!(child.wait().expect("our child").code(), Some(6));
    // The program dies with the run, and nobody can join afterwards.
    let mut child = join(shell("echo; exec sleep 60"));
    child.stdout.as_mut().expect("piped").read_exact(&mut [0]).expect("ready");
    drop(init);
    assert_eq!(child.wait().expect("our child").code(), Some(128 + libc::SIGKILL));
    let (text, code) = output(shell("true"));
    assert!(code == Some(55) && text.contains("ended"), "{text}");
}

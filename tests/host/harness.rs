//! Runs each test in a process of its own, and makes the plans and programs that tests share.

use std::fs;
use std::io::{IoSlice, Read};
use std::net::{ToSocketAddrs, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, exit};
use std::time::{Duration, Instant};

use longwire::addressing::network::{HostPlan, HostsFile, InterfacePlan, NetworkPlan};
use longwire::host::{Cause, Event, ExitStatus, HostError, Init, Program, ProgramId, Spawn, SpawnError, Stdio, What};
use longwire::port::Port;
use longwire::port::tap::{Framing, TapPort};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

const SKIPPED: i32 = 77;
const LIMIT: Duration = Duration::from_secs(60);

type Test = (&'static str, fn());

/// Runs what the arguments ask for, as the standard harness does: `--list`, a filter, or everything.
pub(crate) fn main(tests: &[Test], parts: &[Test]) {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, name] = &arguments[..]
        && flag == "--run"
    {
        return tests.iter().find(|(known, _)| known == name).expect("a known test").1();
    }
    if let Some((_, part)) = arguments.first().and_then(|flag| parts.iter().find(|(known, _)| known == flag)) {
        return part();
    }
    if arguments.iter().any(|flag| flag == "--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return;
    }
    let filters: Vec<_> = arguments.iter().filter(|a| !a.starts_with('-')).collect();
    let chosen =
        tests.iter().filter(|(name, _)| filters.is_empty() || filters.iter().any(|f| name.contains(f.as_str())));
    let users: &[Option<u32>] = if nix::unistd::getuid().is_root() { &[None, Some(65_534)] } else { &[None] };
    let directory = tempfile::tempdir().expect("a temporary directory");
    // The build's own directory may be closed to others.
    let program = directory.path().join("host");
    fs::copy(std::env::current_exe().expect("this program"), &program).expect("copied");
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("ours");
    let mut failed = 0;
    for (name, _) in chosen {
        for user in users {
            let mut command = Command::new(&program);
            command.args(["--run", name]).env_remove("SUDO_UID").current_dir("/");
            if let Some(user) = user {
                command.uid(*user).gid(*user);
            }
            let label = format!("{name} ({})", user.map_or("as is".into(), |user| format!("user {user}")));
            let start = Instant::now();
            let result = match wait(&mut command) {
                Some(0) => "ok".to_owned(),
                Some(SKIPPED) if std::env::var_os("LONGWIRE_TEST_ALL").is_none() => "skipped".to_owned(),
                other => {
                    failed += 1;
                    format!("FAILED ({})", other.map_or("too long, or killed".into(), |code| format!("code {code}")))
                }
            };
            println!("test {label} ... {result} [{} ms]", start.elapsed().as_millis());
        }
    }
    drop(directory);
    exit(if failed > 0 { 101 } else { 0 });
}

fn wait(command: &mut Command) -> Option<i32> {
    let mut child = command.spawn().expect("this program can be started");
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("our child") {
            return status.code();
        }
        if start.elapsed() > LIMIT {
            child.kill().expect("our child");
            child.wait().expect("our child");
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Ends the test as skipped.
pub(crate) fn skip(reason: &str) -> ! {
    println!("  skipped: {reason}");
    exit(SKIPPED)
}

/// The value, or a skipped test where this machine lacks what it needs.
pub(crate) fn or_skip<T>(result: Result<T, HostError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) if error.cause == Cause::Machine && lacking(error.errno) => skip(&error.to_string()),
        Err(error) => panic!("{error}"),
    }
}

fn lacking(errno: Option<i32>) -> bool {
    matches!(errno, Some(libc::EPERM | libc::EACCES | libc::ENOENT | libc::ENOSPC | libc::EROFS))
}

/// Waits until `done`, at most a minute.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// `count` hosts named h1, h2, … on one segment: 10.0.0.n/16 and fd00::n/64, MAC 02:00:00:00:hi:lo, all neighbours.
pub(crate) fn segment(count: u16) -> NetworkPlan {
    let mac = |n: u16| [2, 0, 0, 0, n.to_be_bytes()[0], n.to_be_bytes()[1]];
    let v4 = |n: u16| std::net::Ipv4Addr::new(10, 0, n.to_be_bytes()[0], n.to_be_bytes()[1]);
    let v6 = |n: u16| std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n);
    let lines = (1..=count).map(|n| format!("{} h{n} four{n}\n{} h{n} six{n}\n", v4(n), v6(n)));
    let hosts_file: String = ["127.0.0.1 localhost\n".to_owned()].into_iter().chain(lines).collect();
    let hosts = (1..=count).map(|n| HostPlan {
        name: format!("h{n}"),
        offloads: true,
        interfaces: vec![InterfacePlan {
            gateways: Vec::new(),
            name: "eth0".into(),
            link: "lan".into(),
            mac: mac(n),
            mtu: 1400,
            addresses: vec![format!("{}/16", v4(n)).parse().expect("v4"), format!("{}/64", v6(n)).parse().expect("v6")],
            neighbours: (1..=count)
                .filter(|other| *other != n)
                .flat_map(|other| {
                    let local = longwire::host::link_local(mac(other));
                    [(v4(other).into(), mac(other)), (v6(other).into(), mac(other)), (local.into(), mac(other))]
                })
                .collect(),
        }],
        restores_routes: true,
        hosts_file: HostsFile { all: hosts_file.as_str().into(), ..HostsFile::default() },
        ..HostPlan::default()
    });
    NetworkPlan { hosts: hosts.collect() }
}

/// Makes a segment's hosts, or skips.
pub(crate) fn build(plan: &NetworkPlan) -> (Init, Vec<Vec<TapPort>>) {
    let mut init = or_skip(Init::start(builtin));
    let ports = or_skip(init.build(plan, Framing::Plain));
    (init, ports.into_iter().map(|host| host.into_iter().filter_map(Port::into_tap).collect()).collect())
}

/// Copies frames between the first interfaces of two hosts, for as long as this process lives.
pub(crate) fn connect(ports: Vec<Vec<TapPort>>) {
    let ports: Vec<TapPort> = ports.into_iter().flatten().collect();
    assert_eq!(ports.len(), 2);
    std::thread::spawn(move || {
        let mut frame = vec![0; 70_000];
        loop {
            let mut polled: Vec<_> = ports.iter().map(|port| PollFd::new(port.as_fd(), PollFlags::POLLIN)).collect();
            poll(&mut polled, PollTimeout::NONE).expect("two TAPs");
            for (from, to) in [(0, 1), (1, 0)] {
                while let Ok(length) = ports[from].read(&mut frame) {
                    let _ = ports[to].write(&[IoSlice::new(&frame[..length])]);
                }
            }
        }
    });
}

/// `sh -c script`, as the caller.
pub(crate) fn shell(script: &str) -> What {
    What::Program(Program {
        argv: ["sh", "-c", script].map(String::from).to_vec(),
        env: vec![("PATH".into(), "/usr/sbin:/usr/bin:/sbin:/bin".into())],
        cwd: None,
        root: false,
    })
}

/// As root of the run.
pub(crate) fn as_root(what: What) -> What {
    match what {
        What::Program(program) => What::Program(Program { root: true, ..program }),
        other => other,
    }
}

pub(crate) fn native(name: &str, job: &str) -> What {
    What::Builtin { name: name.into(), job: job.into() }
}

/// Starts a program whose output goes to this test's error output.
pub(crate) fn start(init: &mut Init, id: ProgramId, host: &str, what: What) -> Result<(), SpawnError> {
    let stderr = || std::io::stderr().as_fd().try_clone_to_owned().ok();
    let stdio = Stdio { stdin: None, stdout: stderr(), stderr: stderr() };
    init.spawn(Spawn { id, host: host.into(), what, stdio })
}

/// Runs a program to its end; its standard output and how it ended.
pub(crate) fn output(init: &mut Init, id: ProgramId, host: &str, what: What) -> (String, ExitStatus) {
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let stdio = Stdio { stdout: Some(OwnedFd::from(writer)), ..Stdio::default() };
    init.spawn(Spawn { id, host: host.into(), what, stdio }).expect("started");
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    (text, end_of(init, id))
}

/// How a program ended, once it has.
pub(crate) fn end_of(init: &mut Init, wanted: ProgramId) -> ExitStatus {
    let mut found = None;
    until("a program ends", || {
        if let Some(Event::Exited { id, status, .. }) = init.next_event().expect("init lives") {
            assert_eq!(id, wanted);
            found = Some(status);
        }
        found.is_some()
    });
    found.expect("just found")
}

/// In-host code of these tests.
pub(crate) fn builtin(name: &str, job: &str) -> i32 {
    match name {
        // Sends every datagram back.
        "echo" => {
            let socket = UdpSocket::bind(job).expect("an address to bind to");
            let mut buffer = [0; 2_000];
            loop {
                let (length, from) = socket.recv_from(&mut buffer).expect("a datagram");
                socket.send_to(&buffer[..length], from).expect("sent back");
            }
        }
        // Asks an echo five times.
        "ask" => {
            let Some(target) = job.to_socket_addrs().ok().and_then(|mut found| found.next()) else { return 2 };
            let socket = UdpSocket::bind(if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" }).expect("bound");
            socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
            for n in 0_u8..5 {
                let mut buffer = [0; 8];
                let asked = socket.send_to(&[n, 1, 2, 3], target);
                if asked.is_err() || !socket.recv(&mut buffer).is_ok_and(|length| buffer[..length] == [n, 1, 2, 3]) {
                    return 1;
                }
            }
            0
        }
        // Sends datagrams to nobody.
        "flood" => {
            let socket = UdpSocket::bind("0.0.0.0:0").expect("bound");
            let count: u32 = job.parse().expect("a number");
            for _ in 0..count {
                // A full ring is not told to the sender.
                socket.send_to(&[0; 100], "10.0.0.2:9").expect("sent");
            }
            0
        }
        // Whether an ICMP echo socket may be opened without privilege.
        "icmp" => {
            // SAFETY: plain integer arguments.
            let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM, libc::IPPROTO_ICMP) };
            i32::from(fd < 0)
        }
        // Reaches a socket of the machine.
        "connect" => i32::from(std::os::unix::net::UnixStream::connect(job).is_err()),
        "status" => {
            print!("{}", fs::read_to_string("/proc/self/status").expect("ours"));
            0
        }
        "panic" => panic!("as asked"),
        _ => 99,
    }
}

//! `exec`, `set`, `ps` and `status`: whom they believe, which run they take, and from where they reach it.
#![allow(unsafe_code)]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::support::{Lab, has, is_root, open_copy, skip, until};
use nix::sys::signal::Signal;
use serde_json::Value;

const STRANGER: u32 = 65_534;

const STAYS_UP: &str = "\
longwire: 1
name: It stays up
nodes: { alice: host, bob: host }
links: { wire: { ends: [alice, bob], delay: 5ms, rate: 10Mbit } }
workloads:
  here: { in: alice, shell: \"touch up; exec sleep 60\" }
";

/// A network namespace of its own, where no other run of this machine is to be found. Killed when dropped.
struct Apart {
    holder: Child,
}

impl Apart {
    fn new() -> Option<Apart> {
        if !is_root() || !has("unshare") || !has("nsenter") || !has("setpriv") {
            return None;
        }
        let mut command = Command::new("unshare");
        let holder = command.args(["-n", "sleep", "300"]).spawn().expect("unshare");
        let apart = Apart { holder };
        let own = fs::read_link("/proc/self/ns/net").expect("a namespace");
        until("the namespace stands", || fs::read_link(apart.path()).is_ok_and(|other| other != own));
        Some(apart)
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// A program in here.
    fn command(&self, lab: &Lab, program: &str, arguments: &[&str]) -> Command {
        let net = format!("--net={}", self.path());
        let all: Vec<&str> = [net.as_str(), program].iter().chain(arguments).copied().collect();
        lab.other("nsenter", &all)
    }

    fn longwire(&self, lab: &Lab, arguments: &[&str]) -> Told {
        told(self.command(lab, env!("CARGO_BIN_EXE_longwire"), arguments))
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        end(&mut self.holder);
    }
}

fn end(child: &mut Child) {
    // one that has ended already is as well
    let _ = child.kill();
    let _ = child.wait();
}

/// What a command said, beside a run that goes on.
#[derive(Debug)]
struct Told {
    code: Option<i32>,
    out: String,
    err: String,
}

fn told(mut command: Command) -> Told {
    let output = command.output().expect("run");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Told { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
}

/// Namespaces of a stranger's own making, in which a program of the machine is another one.
struct Trap {
    holder: Child,
}

impl Trap {
    /// In it, /usr/bin/true leaves `pwned` in the lab's folder.
    fn set(lab: &Lab) -> Option<Trap> {
        lab.write("evil", &format!("#!/bin/sh\ntouch {}\n", lab.path("pwned").display()));
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(lab.path("evil"), mode).expect("ours");
        let user = STRANGER.to_string();
        let as_stranger = ["--reuid", &user, "--regid", &user, "--clear-groups"];
        let script = "mount --bind evil /usr/bin/true && echo set && exec sleep 300";
        let mut command = Command::new("setpriv");
        command.args(as_stranger).args(["unshare", "-Urmnpui", "--fork", "--kill-child", "sh", "-c", script]);
        let folder = lab.path(".");
        let mut holder = command.current_dir(folder).stdout(Stdio::piped()).spawn().expect("setpriv");
        let mut line = [0; 4];
        let set = holder.stdout.take().expect("piped").read_exact(&mut line);
        let trap = Trap { holder };
        if set.is_err() {
            skip("a normal user can make no namespaces here, so no trap");
            return None;
        }
        Some(trap)
    }

    /// In the order in which a run hands them over; without the user namespace, which a stranger need not tell of.
    fn namespaces(&self) -> Vec<OwnedFd> {
        let open = |kind| File::open(format!("/proc/{}/ns/{kind}", self.holder.id())).expect("a namespace").into();
        ["net", "mnt", "uts", "ipc", "pid_for_children"].map(open).into_iter().collect()
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        end(&mut self.holder);
    }
}

/// A program that says it is a run. It says of itself that its programs are root's.
struct Fake {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Heard>,
}

/// What came to it.
#[derive(Debug, Default)]
struct Heard {
    connections: u32,
    bytes: usize,
}

impl Fake {
    /// `name` with the user `uid`, in a network namespace. It greets with `greeting` and hands over what it has.
    fn up(name: &str, uid: u32, net: Option<&str>, greeting: &str, fds: Vec<OwnedFd>) -> Fake {
        let over = Arc::new(AtomicBool::new(false));
        let (name, greeting, ends) = (format!("longwire.run.{name}"), greeting.to_owned(), Arc::clone(&over));
        let net = net.map(|path| File::open(path).expect("a namespace"));
        let (ready, is_ready) = std::sync::mpsc::channel();
        let thread = std::thread::spawn(move || {
            if let Some(net) = net {
                nix::sched::setns(net, nix::sched::CloneFlags::CLONE_NEWNET).expect("root");
            }
            // SAFETY: plain integer arguments. The call itself and not the library's, which would change the user of all
            // threads; this one runs nothing but what follows.
            unsafe { nix::libc::syscall(nix::libc::SYS_setresuid, uid, uid, uid) };
            let address = SocketAddr::from_abstract_name(name).expect("a name");
            let listener = UnixListener::bind_addr(&address).expect("a socket");
            listener.set_nonblocking(true).expect("a socket");
            ready.send(()).expect("the test waits");
            let mut heard = Heard::default();
            while !ends.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        heard.connections += 1;
                        heard.bytes += serve(stream, &greeting, &fds);
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(2)),
                }
            }
            heard
        });
        is_ready.recv().expect("the socket stands");
        Fake { over, thread }
    }

    fn down(self) -> Heard {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic")
    }
}

/// Plays a run; how many bytes came.
fn serve(mut stream: std::os::unix::net::UnixStream, greeting: &str, fds: &[OwnedFd]) -> usize {
    let limit = Some(Duration::from_secs(5));
    stream.set_read_timeout(limit).and_then(|()| stream.set_write_timeout(limit)).expect("a socket");
    if stream.write_all(greeting.as_bytes()).is_err() {
        return 0;
    }
    let mut bytes = 0;
    let mut byte = [0];
    while stream.read(&mut byte).is_ok_and(|n| n == 1) {
        bytes += 1;
        if byte == *b"\n" {
            break;
        }
    }
    if let Ok(Some((_, _))) = longwire::host::message::receive::<Value>(&stream) {
        bytes += 1;
        let identity = serde_json::json!({ "uid": 0, "gid": 0, "groups": [], "nested": false });
        let reply = serde_json::json!({ "exec": { "environment": [], "nested": false, "identity": identity } });
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        let _ = longwire::host::message::send(&stream, &reply, &fds);
    }
    bytes
}

fn this_version() -> String {
    format!("longwire {}\n", env!("CARGO_PKG_VERSION"))
}

#[test]
fn a_strangers_run_is_sent_nothing_and_neither_listed_nor_counted() {
    let Some(apart) = Apart::new() else { return };
    let Some(lab) = Lab::new(STAYS_UP) else { return };
    let Some(trap) = Trap::set(&lab) else { return };
    // the trap is set: whoever enters it and runs `true` runs the stranger's program
    let mount = format!("--mount=/proc/{}/ns/mnt", trap.holder.id());
    assert_eq!(told(lab.other("nsenter", &[&mount, "/usr/bin/true"])).code, Some(0));
    assert!(lab.path("pwned").exists());
    fs::remove_file(lab.path("pwned")).expect("ours");

    let fake = Fake::up("server-1", STRANGER, Some(&apart.path()), &this_version(), trap.namespaces());
    // alone
    for arguments in [
        &["exec", "alice", "--", "/usr/bin/true"][..],
        &["exec", "--root", "server-1/alice", "--", "/usr/bin/true"],
        &["exec", "server/alice", "--", "/usr/bin/true"],
        &["set", "wire.loss=1%"],
        &["set", "server-1", "wire.loss=1%"],
        &["status", "server-1"],
    ] {
        let told = apart.longwire(&lab, arguments);
        assert!(told.code == Some(2) && told.err.contains("no run of yours is up"), "{arguments:?}: {told:?}");
    }
    let ps = apart.longwire(&lab, &["ps", "--json"]);
    let list: Value = serde_json::from_str(&ps.out).expect("JSON");
    assert_eq!((ps.code, &list["runs"]), (Some(0), &serde_json::json!([])));

    // beside a run of root's: it does not get in the way
    let run = lab.start(apart.command(&lab, env!("CARGO_BIN_EXE_longwire"), &["run", "scenario.yaml", "--json", "-"]));
    lab.until_file("up");
    let name = format!("scenario-{}", run.pid());
    let set = apart.longwire(&lab, &["set", "wire.loss=1%"]);
    assert_eq!((set.code, set.err), (Some(0), format!("run {name}\n")));
    let exec = apart.longwire(&lab, &["exec", "alice", "--", "/usr/bin/true"]);
    assert_eq!((exec.code, exec.err), (Some(0), format!("run {name}\n")));
    let named = apart.longwire(&lab, &["exec", "scenario/alice", "--", "id", "-u"]);
    assert_eq!((named.code, named.out.trim(), named.err.as_str()), (Some(0), "0", ""));
    // who a program runs as is its caller's matter: here through sudo, and not as the run's own programs
    let mut through_sudo = apart.command(&lab, env!("CARGO_BIN_EXE_longwire"), &["exec", "alice", "--", "id", "-u"]);
    through_sudo.env("SUDO_UID", "12345").env("SUDO_GID", "12345");
    assert_eq!(told(through_sudo).out.trim(), "12345");
    let told_by_name = apart.longwire(&lab, &["set", "server-1", "wire.loss=2%"]);
    assert!(told_by_name.err.contains(&format!("no run is called `server-1`; up now: {name}")), "{told_by_name:?}");
    let heard = fake.down();
    assert!(heard.connections >= 10 && heard.bytes == 0, "they all found it, and none spoke to it: {heard:?}");
    assert!(!lab.path("pwned").exists());

    // and root's run hears no stranger
    let copy = open_copy(&lab);
    let as_stranger = |arguments: &[&str]| {
        let user = STRANGER.to_string();
        let copy = copy.to_str().expect("text");
        let own = ["--reuid", &user, "--regid", &user, "--clear-groups", copy];
        told(apart.command(&lab, "setpriv", &[&own[..], arguments].concat()))
    };
    let ps = as_stranger(&["ps"]);
    assert!(ps.code == Some(0) && ps.out.is_empty(), "{ps:?}");
    let set = as_stranger(&["set", "scenario", "wire.loss=99%"]);
    assert!(set.code == Some(2) && set.err.contains(&format!("`{name}` belongs to root: use sudo")), "{set:?}");
    run.signal(Signal::SIGINT);
    let report = run.wait().json();
    let changes: Vec<_> = report["events"].as_array().expect("events").iter().filter(|e| e["kind"] == "set").collect();
    assert!(changes.len() == 1 && changes[0]["what"] == "wire.loss=1%", "{changes:?}");
}

#[test]
fn namespaces_of_others_are_not_entered_whoever_hands_them_over() {
    let Some(apart) = Apart::new() else { return };
    let lab = Lab::without_hosts();
    let Some(trap) = Trap::set(&lab) else { return };
    // a run of root's own that was talked into it
    let fake = Fake::up("gate-1", 0, Some(&apart.path()), &this_version(), trap.namespaces());
    let exec = apart.longwire(&lab, &["exec", "gate-1/alice", "--", "/usr/bin/true"]);
    assert!(exec.code == Some(2) && exec.err.contains("`gate-1` is not believed"), "{exec:?}");
    assert!(exec.err.contains("its namespaces belong to another user namespace"), "{exec:?}");
    fake.down();
    let mut all = trap.namespaces();
    all.push(File::open(format!("/proc/{}/ns/user", trap.holder.id())).expect("a namespace").into());
    let fake = Fake::up("gate-1", 0, Some(&apart.path()), &this_version(), all);
    let exec = apart.longwire(&lab, &["exec", "--root", "gate-1/alice", "--", "/usr/bin/true"]);
    let why = format!("its user namespace belongs to user {STRANGER}, and the run to user 0");
    assert!(exec.code == Some(2) && exec.err.contains(&why), "{exec:?}");
    fake.down();
    // no namespaces at all
    let null = || File::open("/dev/null").expect("there").into();
    let fake =
        Fake::up("gate-1", 0, Some(&apart.path()), &this_version(), std::iter::repeat_with(null).take(5).collect());
    let exec = apart.longwire(&lab, &["exec", "gate-1/alice", "--", "/usr/bin/true"]);
    assert!(exec.code == Some(2) && exec.err.contains("is no namespace"), "{exec:?}");
    fake.down();
    assert!(!lab.path("pwned").exists());
}

#[test]
fn a_run_of_another_version_is_refused_in_plain_words() {
    let lab = Lab::without_hosts();
    let uid = nix::unistd::geteuid().as_raw();
    let name = format!("future-{}", std::process::id());
    let old_reply = format!("{}{}{{\"refused\":\"?\"}}", "\u{f}\0\0\0", "\0\0\0\0");
    for (greeting, theirs) in [("longwire 99.0.0\n", "longwire 99.0.0"), (&old_reply, "another version of longwire")] {
        let fake = Fake::up(&name, uid, None, greeting, Vec::new());
        let words = format!(
            "the run `{name}` is of {theirs}, and this is longwire {}: use the longwire that started it",
            env!("CARGO_PKG_VERSION")
        );
        let target = format!("{name}/alice");
        for arguments in
            [&["set", &name, "wire.loss=1%"][..], &["exec", &target, "--", "true"], &["status", &name, "--json"]]
        {
            let told = told(lab.longwire(arguments));
            assert!(told.code == Some(2) && told.err.contains(&words), "{arguments:?}: {told:?}");
        }
        // it is listed all the same
        let ps = told(lab.longwire(&["ps"]));
        assert!(ps.code == Some(0) && ps.out.contains(&words), "{ps:?}");
        fake.down();
    }
}

#[test]
fn runs_are_listed_and_their_links_shown_as_they_are_now() {
    let Some(lab) = Lab::new(STAYS_UP) else { return };
    let run = lab.start_run(&["--json", "-"]);
    lab.until_file("up");
    let (pid, name) = (run.pid().to_string(), format!("scenario-{}", run.pid()));
    let longwire = |arguments: &[&str]| {
        let told = told(lab.longwire(arguments));
        assert_eq!(told.code, Some(0), "{arguments:?}: {told:?}");
        told.out
    };
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&longwire(arguments)).expect("JSON") };
    let list = json(&["ps", "--json"]);
    assert_eq!(list["longwire"], 1);
    let listed = list["runs"].as_array().expect("runs").iter().find(|run| run["name"] == name.as_str()).expect("ours");
    let file = lab.path("scenario.yaml").canonicalize().expect("there");
    assert_eq!(
        (&listed["pid"], &listed["hosts"], &listed["file"], &listed["scenario"], &listed["version"]),
        (
            &run.pid().into(),
            &serde_json::json!(["alice", "bob"]),
            &file.display().to_string().into(),
            &"It stays up".into(),
            &env!("CARGO_PKG_VERSION").into()
        )
    );
    assert!(listed["since"].as_str().is_some_and(|since| since.starts_with("20") && since.ends_with('Z')), "{listed}");
    assert!(listed["up_ns"].as_u64() > listed["elapsed_ns"].as_u64() && listed["elapsed_ns"].is_u64(), "{listed}");
    let text = longwire(&["ps"]);
    assert!(text.lines().any(|line| line.starts_with(&name) && line.contains("alice, bob")), "{text}");

    let direction = |status: &Value, to: &str| {
        let all = status["directions"].as_array().expect("directions");
        all.iter().find(|d| d["to"].as_str().is_some_and(|end| end.starts_with(to))).expect("a direction").clone()
    };
    let before = json(&["status", &pid, "--json"]);
    let bob = direction(&before, "bob");
    assert_eq!((&bob["link"], &bob["up"], &bob["now"]["delay"]["mean"]), (&"wire".into(), &true.into(), &"5ms".into()));
    longwire(&["set", &pid, "wire.toward.bob.delay=7ms", "wire.toward.bob.loss=100%", "wire.toward.alice.rate=1Mbit"]);
    longwire(&[
        "exec",
        &format!("{pid}/alice"),
        "--",
        "sh",
        "-c",
        "echo x >/dev/udp/bob/9 || ping -c1 -W1 bob || true",
    ]);
    let now = json(&["status", &pid, "--json"]);
    let (bob, alice) = (direction(&now, "bob"), direction(&now, "alice"));
    assert_eq!(
        (&bob["now"]["delay"]["mean"], &bob["now"]["loss"]),
        (&"7ms".into(), &serde_json::json!({ "random": "100%" })),
        "{bob:#}"
    );
    assert_eq!((&alice["now"]["rate"], &bob["now"]["rate"]), (&"1Mbit".into(), &"10Mbit".into()), "{alice:#}");
    let text = longwire(&["status", &pid]);
    assert!(text.contains("up, 7ms, 10Mbit, loss 100%") && text.contains("1Mbit"), "{text}");
    longwire(&["set", &pid, "wire=down"]);
    assert_eq!(direction(&json(&["status", &pid, "--json"]), "bob")["up"], false);
    assert!(longwire(&["status", &pid]).contains("down, 7ms"));
    run.signal(Signal::SIGINT);
    let report = run.wait().json();
    // frames are counted as in the report
    let offered = |d: &Value| d["offered"]["frames"].as_u64().expect("a count");
    let last = report["directions"].as_array().expect("directions").iter().find(|d| d["to"] == bob["to"]);
    assert!(last.is_some_and(|last| offered(last) >= offered(&bob)), "{bob:#}");
}

#[test]
fn in_a_host_its_run_is_reached_through_a_socket_of_the_hosts_own() {
    let Some(lab) = Lab::new("") else { return };
    let copy = open_copy(&lab);
    let copy = copy.display();
    lab.write(
        "inside.sh",
        &format!(
            "test -S /run/longwire/$LONGWIRE_RUN.sock && touch socket\n\
             {copy} set wire.toward.bob.delay=7ms >set.out 2>set.err\n\
             {copy} set $LONGWIRE_RUN wire.loss=1% >named.out 2>named.err\n\
             {copy} status --json >status.json 2>status.err\n\
             {copy} ps --json >ps.json 2>ps.err\n\
             {copy} exec bob -- true 2>exec.err\n\
             ls /run >run.out; id -u >id.out; echo $LONGWIRE_RUN >name.out\n"
        ),
    );
    lab.write(
        "scenario.yaml",
        "longwire: 1\nnodes: { alice: host, bob: host }\nlinks: { wire: { ends: [alice, bob], delay: 1ms } }\n\
         workloads:\n  inside: { in: alice, shell: \"sh inside.sh\" }\n  \
         other: { in: bob, root: true, shell: \"sh other.sh\" }\n",
    );
    // somebody else in a host: not the user that the run's programs run as
    lab.write(
        "other.sh",
        &format!(
            "test $(id -u) = 0 && setpriv --reuid 4321 --clear-groups {copy} set wire.loss=9% >other.out 2>&1 || true\n"
        ),
    );
    let had = fs::exists("/run/longwire").expect("a path");
    let machines: Vec<String> = fs::read_dir("/run")
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let mut run = lab.longwire(&["run", "scenario.yaml", "--json", "-"]);
    // as through sudo: root's run, whose programs are somebody else's
    let root = nix::unistd::geteuid().is_root();
    let user = if root { 12_345 } else { nix::unistd::geteuid().as_raw() };
    if root {
        run.env("SUDO_UID", user.to_string()).env("SUDO_GID", user.to_string());
    }
    let report = lab.start(run).wait().json();
    let read = |name: &str| lab.read(name).trim().to_owned();
    assert_eq!(read("id.out"), user.to_string());
    let name = read("name.out");
    assert!(lab.path("socket").exists() && name.starts_with("scenario-"), "{name}: {report:#}");
    assert_eq!((read("set.out"), read("set.err")), ("wire.toward.bob.delay=7ms".into(), format!("run {name}")));
    assert_eq!((read("named.out"), read("named.err")), ("wire.loss=1%".into(), String::new()));
    let status: Value = serde_json::from_str(&lab.read("status.json")).expect("JSON");
    let delays: Vec<&Value> =
        status["directions"].as_array().expect("directions").iter().map(|d| &d["now"]["delay"]["mean"]).collect();
    assert_eq!((delays, status["run"]["name"].as_str()), (vec![&"7ms".into(), &"1ms".into()], Some(name.as_str())));
    let ps: Value = serde_json::from_str(&lab.read("ps.json")).expect("JSON");
    assert!(ps["runs"].as_array().is_some_and(|runs| runs.len() == 1 && runs[0]["name"] == name.as_str()), "{ps:#}");
    if root && has("setpriv") {
        let other = read("other.out");
        assert!(other.contains(&format!("the run `{name}` belongs to root: use sudo")), "{other}");
    }
    assert!(read("exec.err").contains("a program in a host cannot enter hosts"), "{}", read("exec.err"));
    let events = report["events"].to_string();
    assert!(events.contains("wire.toward.bob.delay=7ms") && events.contains("wire.loss=1%"), "{events}");
    assert!(!events.contains("wire.loss=9%"), "{events}");
    // everything else in /run is the machine's, and the machine gets nothing
    let seen = lab.read("run.out");
    let lacking: Vec<_> = machines.iter().filter(|name| !seen.lines().any(|line| line == *name)).collect();
    assert!(lacking.is_empty() && seen.contains("longwire"), "{lacking:?} of {seen}");
    assert_eq!(fs::exists("/run/longwire").expect("a path"), had);
}

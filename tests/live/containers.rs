//! Containers by name: runc makes them, and a stand-in answers for their engine over its socket, with answers as Docker and Podman
//! give them.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::support::report::{direction, dropped, number};
use crate::support::{Ended, Lab, Started, as_nobody, has, is_root, until};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

const SCENARIO: &str = "\
longwire: 1
nodes:
  a: host
  r: router
  web: { external: { container: web, default_route: true } }
links:
  lan: { ends: [a, r] }
  wire: { ends: [r, web], delay: 1ms }
workloads:
  here: { in: a, shell: \"touch up\" }
  rtt: { ping: { from: a, to: web, every: 20ms, timeout: 200ms } }
duration: 60s
";

/// [`SCENARIO`] with more at its end.
fn with(more: &str) -> String {
    SCENARIO.replace("duration: 60s\n", &format!("{more}duration: 60s\n"))
}

pub(crate) const HOSTS: &str = "127.0.0.1\tlocalhost\n172.17.0.2\t3949fff2e8dd\n";

/// What is asked for about the container of most tests.
const WEB: &str = "/containers/web/json";

/// An engine: it answers with what it was last told to, and knows nothing of everything else.
pub(crate) struct Engine {
    pub(crate) socket: PathBuf,
    /// By what is asked for.
    answers: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Engine {
    pub(crate) fn start(lab: &Lab) -> Engine {
        Engine::at(lab.path("engine.sock"))
    }

    fn at(socket: PathBuf) -> Engine {
        let listener = UnixListener::bind(&socket).unwrap();
        fs::set_permissions(&socket, fs::Permissions::from_mode(0o666)).unwrap();
        let answers = Arc::new(Mutex::new(BTreeMap::new()));
        let told = Arc::clone(&answers);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = vec![0; 4096];
                let read = stream.read(&mut request).unwrap_or(0);
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                let target = request.strip_prefix("GET ").and_then(|rest| rest.split_once(" HTTP/1.0\r\n"));
                let target = target.unwrap_or_else(|| panic!("{request}")).0;
                let unknown = || answer("404 Not Found", br#"{"message":"No such container"}"#);
                let _ = stream.write_all(&told.lock().unwrap().get(target).cloned().unwrap_or_else(unknown));
            }
        });
        Engine { socket, answers }
    }

    fn says(&self, status: &str, body: &[u8]) {
        self.says_of(WEB, status, body);
    }

    pub(crate) fn says_of(&self, target: &str, status: &str, body: &[u8]) {
        self.answers.lock().unwrap().insert(target.to_owned(), answer(status, body));
    }

    /// The container runs as this process, or does not run.
    fn knows(&self, lab: &Lab, pid: Option<u32>) {
        self.says("200 OK", inspected(lab, "bundle", pid).to_string().as_bytes());
    }

    /// `longwire` with these arguments, which finds this engine.
    pub(crate) fn longwire(&self, lab: &Lab, arguments: &[&str]) -> Command {
        let mut command = lab.longwire(arguments);
        command.env("DOCKER_HOST", format!("unix://{}", self.socket.display()));
        command
    }

    fn run(&self, lab: &Lab, scenario: &str) -> Started {
        lab.write("scenario.yaml", scenario);
        let run = lab.start(self.longwire(lab, &["run", "scenario.yaml", "--json", "-"]));
        lab.until_file("up");
        run
    }
}

fn answer(status: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.0 {status}\r\nContent-Type: application/json\r\n\r\n").as_bytes(), body].concat()
}

/// What an engine says of a container that runs as this process, or does not run. `bundle`: the folder that it was made in.
pub(crate) fn inspected(lab: &Lab, bundle: &str, pid: Option<u32>) -> Value {
    let mut answer: Value = serde_json::from_str(include_str!("../fixtures/containers/docker-running.json")).unwrap();
    answer["HostsPath"] = json!(lab.path(&format!("{bundle}/hosts")));
    answer["Config"]["User"] = json!("app");
    answer["Config"]["WorkingDir"] = json!("/usr");
    answer["Config"]["Env"] = json!(["PATH=/usr/sbin:/usr/bin", "FLAVOUR=vanilla"]);
    answer["State"]["Pid"] = json!(pid.unwrap_or(0));
    answer["State"]["Running"] = json!(pid.is_some());
    answer["State"]["Status"] = json!(if pid.is_some() { "running" } else { "exited" });
    answer
}

/// A container that sleeps, with the machine's /usr and nothing else. Deleted when dropped.
pub(crate) struct Container<'a> {
    lab: &'a Lab,
    user: u32,
    name: String,
    pub(crate) pid: u32,
}

/// A user who is nobody in particular.
const NOBODY: u32 = 65_534;

impl<'a> Container<'a> {
    fn start(lab: &'a Lab) -> Container<'a> {
        Container::of(lab, "bundle", 0)
    }

    /// Made in this folder, as this user, who is root in it.
    pub(crate) fn of(lab: &'a Lab, bundle: &str, user: u32) -> Container<'a> {
        let root = lab.path(&format!("{bundle}/rootfs"));
        if !root.exists() {
            for folder in ["usr", "etc", "proc", "dev", "tmp"] {
                fs::create_dir_all(root.join(folder)).unwrap();
            }
            for folder in ["bin", "lib", "lib64"] {
                symlink(format!("usr/{folder}"), root.join(folder)).unwrap();
            }
            fs::write(root.join("etc/hosts"), "").unwrap();
            // as in every Debian image: of a name all addresses are taken
            fs::write(root.join("etc/host.conf"), "multi on\n").unwrap();
            fs::write(root.join("etc/passwd"), "root:x:0:0::/:\napp:x:1234:1235::/tmp:\n").unwrap();
        }
        // as its engine does, each time
        fs::write(lab.path(&format!("{bundle}/hosts")), HOSTS).unwrap();
        let capabilities = json!(["CAP_CHOWN", "CAP_NET_RAW"]);
        let own_users = if user == 0 { None } else { Some("user") };
        let namespaces = ["pid", "network", "ipc", "uts", "mount"].into_iter().chain(own_users);
        let namespaces: Vec<Value> = namespaces.map(|kind| json!({ "type": kind })).collect();
        let mapped = own_users.map(|_| json!([{ "containerID": 0, "hostID": user, "size": 1 }]));
        let config = json!({
            "ociVersion": "1.0.2",
            "process": {
                "user": { "uid": 0, "gid": 0 }, "args": ["sleep", "1000"], "cwd": "/", "noNewPrivileges": true,
                "env": ["PATH=/usr/sbin:/usr/bin"],
                "capabilities": { "bounding": capabilities, "effective": capabilities, "permitted": capabilities },
            },
            "root": { "path": "rootfs", "readonly": true },
            "hostname": "web-inside",
            "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs" },
                { "destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"] },
                { "destination": "/etc/hosts", "type": "bind", "source": "./hosts", "options": ["rbind", "rw"] },
            ],
            "linux": {
                // as Docker has it
                "sysctl": { "net.ipv6.conf.default.disable_ipv6": "1" },
                "namespaces": namespaces,
                "uidMappings": mapped,
                "gidMappings": mapped,
            },
        });
        lab.write(&format!("{bundle}/config.json"), &config.to_string());
        fs::create_dir_all(lab.path("runc")).unwrap();
        for path in [bundle, &format!("{bundle}/hosts"), "runc"] {
            chown(lab.path(path), Some(user), Some(user)).unwrap();
        }
        let name = format!("lw-test-{}-{bundle}", std::process::id());
        let mut container = Container { lab, user, name, pid: 0 };
        container.runc(&["run", "--detach", "--bundle", &lab.path(bundle).display().to_string(), &container.name]);
        let state = container.runc(&["state", &container.name]);
        let state: Value = serde_json::from_str(&state).unwrap();
        container.pid = u32::try_from(number(&state["pid"])).unwrap();
        container
    }

    fn runc(&self, arguments: &[&str]) -> String {
        let out = fs::File::create(self.lab.path("runc.out")).unwrap();
        let mut runc = Command::new("runc");
        runc.arg("--root").arg(self.lab.path("runc")).args(arguments).stdin(Stdio::null());
        if self.user != 0 {
            runc.uid(self.user).gid(self.user).env("XDG_RUNTIME_DIR", self.lab.path("")).env("HOME", "/");
        }
        let status = runc.stdout(out.try_clone().unwrap()).stderr(out).status().unwrap();
        let said = self.lab.read("runc.out");
        assert!(status.success() || arguments[0] == "delete", "{arguments:?}: {said}");
        said
    }

    /// The command lines of its processes, but for its first, which sleeps too.
    fn programs(&self) -> String {
        self.shell(
            "for p in /proc/[0-9]*; do [ $p = /proc/1 ] || cat $p/cmdline | tr '\\0' ' '; echo; done 2> /dev/null",
        )
    }

    /// What a shell in it says.
    pub(crate) fn shell(&self, commands: &str) -> String {
        let pid = self.pid.to_string();
        let output = Command::new("nsenter").args(["-t", &pid, "-a", "sh", "-ec", commands]).output().unwrap();
        assert!(output.status.success(), "{commands}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

impl Drop for Container<'_> {
    fn drop(&mut self) {
        self.runc(&["delete", "--force", &self.name]);
    }
}

pub(crate) fn lab() -> Option<Lab> {
    (is_root() && ["runc", "ping", "nsenter", "ip"].into_iter().all(has)).then(|| Lab::new("")).flatten()
}

/// A container that runs, and an engine that knows it.
fn known(lab: &Lab) -> (Engine, Container<'_>) {
    let (engine, container) = (Engine::start(lab), Container::start(lab));
    engine.knows(lab, Some(container.pid));
    (engine, container)
}

/// The same, and a run that has begun.
fn up<'a>(lab: &'a Lab, scenario: &str) -> (Engine, Container<'a>, Started) {
    let (engine, container) = known(lab);
    let run = engine.run(lab, scenario);
    (engine, container, run)
}

fn children(pid: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().map(|child| child.parse().unwrap()).collect()
}

fn kill_with_helpers(run: &Started) {
    for child in children(run.pid()) {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.try_into().unwrap()), Signal::SIGKILL);
    }
    run.signal(Signal::SIGKILL);
}

/// A field of proc_pid_status(5).
fn status(pid: u32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value.unwrap_or_else(|| panic!("{field}: {status}")).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What `longwire status` says of the link toward a node.
fn toward(lab: &Lab, run: &Started, node: &str) -> Value {
    let output = lab.longwire(&["status", "--json", &run.pid().to_string()]).output().unwrap();
    let status: Value = serde_json::from_slice(&output.stdout).unwrap();
    direction(&status, "wire", node).clone()
}

fn until_answered(lab: &Lab, run: &Started) {
    let answered = || number(&toward(lab, run, "r")["delivered"]["frames"]);
    let before = answered();
    until("the container answers", || answered() > before + 20);
}

fn hosts(lab: &Lab) -> String {
    lab.read("bundle/hosts")
}

pub(crate) fn interrupt(run: Started) -> Ended {
    run.signal(Signal::SIGINT);
    let ended = run.wait();
    assert_eq!(ended.code, 130, "{}", ended.told());
    ended
}

#[test]
fn a_container_is_reached_by_name_and_reaches_the_network() {
    let Some(lab) = lab() else { return };
    let (engine, container) = known(&lab);
    let before = container.shell("ip route; ip -6 route");
    let run = engine.run(&lab, SCENARIO);
    until_answered(&lab, &run);
    for family in ["-4", "-6"] {
        container.shell(&format!("ping {family} -c 1 -w 20 a; ping {family} -c 1 -w 20 a.eth0"));
    }
    let named = hosts(&lab);
    assert!(named.starts_with(HOSTS) && named.contains(" a a.eth0\n") && named.contains(" web web.lw0\n"), "{named}");
    assert_eq!(named.matches("localhost").count(), 1, "{named}");
    // everything else too, and yet its own default route would be untouched
    for address in ["192.0.2.1", "2001:db8::1"] {
        let route = container.shell(&format!("ip route get {address}"));
        assert!(route.contains("dev lw0"), "{route}");
    }
    let ended = interrupt(run);
    assert!(number(&ended.json()["workloads"]["rtt"]["received"]) > 20, "{}", ended.told());
    assert_eq!(hosts(&lab), HOSTS);
    assert_eq!(container.shell("ip route; ip -6 route"), before);
}

#[test]
fn exec_runs_programs_as_the_container_would() {
    let Some(lab) = lab() else { return };
    let (_engine, container, run) = up(&lab, SCENARIO);
    let web = format!("{}/web", run.pid());
    let exec = |options: &[&str], command: &str| {
        let words = [&["exec"], options, &[&*web, "--", "sh", "-c", command]].concat();
        lab.longwire(&words).output().unwrap()
    };
    let said = |options: &[&str], command: &str| {
        let ended = exec(options, command);
        assert_eq!(ended.status.code(), Some(0), "{command}: {ended:?}");
        String::from_utf8(ended.stdout).unwrap().trim().to_owned()
    };
    for kind in ["net", "mnt", "pid", "ipc", "uts"] {
        let inside = container.shell(&format!("readlink /proc/self/ns/{kind}"));
        assert_eq!(said(&[], &format!("readlink /proc/self/ns/{kind}")), inside.trim(), "{kind}");
    }
    // its user, by name, from its own files; its capabilities and its groups; the run's names
    assert_eq!(said(&[], "id -u; id -g; pwd; echo $HOME $FLAVOUR"), "1234\n1235\n/usr\n/tmp vanilla");
    assert_eq!(said(&["--root"], "id -u; hostname"), "0\nweb-inside");
    let status = said(&["--root"], "grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs' /proc/self/status");
    // CAP_CHOWN and CAP_NET_RAW
    let values: Vec<&str> = status.split_whitespace().filter(|word| !word.ends_with(':')).collect();
    assert_eq!(values, ["0000000000002001", "0000000000002001", "0000000000002001", "1"]);
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", container.pid)).unwrap();
    let named = |text: &str| text.lines().filter(|line| line.ends_with(&container.name)).count();
    assert!(named(&groups) > 0, "{groups}");
    assert_eq!(named(&said(&[], "cat /proc/self/cgroup")), named(&groups), "{groups}");
    assert!(said(&[], "echo $LONGWIRE_HOST_A; grep -c ' a a.eth0' /etc/hosts").ends_with('2'));
    assert_eq!(exec(&[], "exit 7").status.code(), Some(7));
    assert_eq!(exec(&[], "kill -9 $$").status.code(), Some(128 + 9));
    let missing = lab.longwire(&["exec", &web, "--", "no-such-program"]).output().unwrap();
    assert_eq!(missing.status.code(), Some(127), "{missing:?}");
    let unknown = lab.longwire(&["exec", &web.replace("web", "wep"), "--", "true"]).output().unwrap();
    let told = String::from_utf8_lossy(&unknown.stderr);
    assert!(unknown.status.code() == Some(2) && told.contains("`web`"), "{told}");
    interrupt(run);
}

#[test]
fn a_normal_user_joins_a_container_of_their_own() {
    let Some(lab) = lab() else { return };
    let Some(_) = as_nobody(&lab) else { return };
    fs::create_dir(lab.path("podman")).unwrap();
    // where Podman's own client looks
    let (engine, container) = (Engine::at(lab.path("podman/podman.sock")), Container::of(&lab, "bundle", NOBODY));
    engine.knows(&lab, Some(container.pid));
    lab.write("scenario.yaml", &with(IN_OWN_USERS));
    let longwire = |arguments: &[&str]| {
        let mut command = lab.other(lab.path("longwire"), arguments);
        command.env_remove("DOCKER_HOST").env_remove("CONTAINER_HOST").env("XDG_RUNTIME_DIR", lab.path(""));
        command.env("HOME", "/").uid(NOBODY).gid(NOBODY);
        command
    };
    let run = lab.start(longwire(&["run", "scenario.yaml", "--json", "-"]));
    until("the container has the network's names", || hosts(&lab).contains(" a a.eth0\n"));
    container.shell("ping -c 1 -w 20 a");
    let ended = longwire(&["exec", "--root", &format!("{}/web", run.pid()), "--", "hostname"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stdout), "web-inside\n", "{ended:?}");
    until("its pings are answered", || {
        let output = longwire(&["status", "--json", &run.pid().to_string()]).output().unwrap();
        serde_json::from_slice(&output.stdout)
            .is_ok_and(|status: Value| number(&direction(&status, "wire", "r")["delivered"]["frames"]) > 20)
    });
    lab.until_file("done");
    assert!(container.programs().contains("sleep 4711"), "{}", container.programs());
    let ended = interrupt(run);
    let report = ended.json();
    assert!(number(&report["workloads"]["rtt"]["received"]) > 0, "{}", ended.told());
    for work in ["inside", "ask", "send", "fetch"] {
        assert_eq!(report["workloads"][work]["ok"], true, "{work}: {}", ended.told());
    }
    assert_eq!(report["workloads"]["inside"]["output"], json!(["0", "web-inside"]));
    assert!(!container.programs().contains("sleep"), "{}", container.programs());
    assert_eq!(hosts(&lab), HOSTS);
}

/// Added to [`SCENARIO`], for a container with users of its own.
const IN_OWN_USERS: &str = "  inside: { in: web, root: true, shell: \"id -u; hostname\" }
  ask: { ping: { from: web, to: a, every: 10ms, count: 20 } }
  send: { udp: { from: web, to: a, every: 10ms, count: 20 } }
  fetch: { tcp: { from: a, to: web, bytes: 100kB } }
  end: { in: a, shell: \"touch done\", after: [inside, ask, send, fetch] }
services:
  stays: { in: web, root: true, shell: \"setsid sleep 4711 & exec sleep 1000000\" }
";

#[test]
fn a_container_that_is_restarted_is_attached_again() {
    let Some(lab) = lab() else { return };
    let (engine, container, run) = up(&lab, SCENARIO);
    until_answered(&lab, &run);
    engine.knows(&lab, None);
    drop(container);
    let down = || dropped(&toward(&lab, &run, "web"), "port_down");
    until("the port is down", || down() > 5);
    let container = Container::start(&lab);
    assert_eq!(hosts(&lab), HOSTS);
    engine.knows(&lab, Some(container.pid));
    until_answered(&lab, &run);
    container.shell("ping -c 1 -w 20 a");
    let ended = interrupt(run);
    let outages = ended.json()["ports"].as_array().unwrap().iter().find_map(|port| port["outages"].as_array().cloned());
    let [outage] = &outages.unwrap_or_default()[..] else { panic!("{}", ended.told()) };
    assert_eq!(outage["reason"], "the container has ended");
    assert!(outage["to_ns"].as_i64() > outage["from_ns"].as_i64(), "{outage:#}");
    assert_eq!(hosts(&lab), HOSTS);
}

#[test]
fn killed_with_its_keeper_it_leaves_the_hosts_file_as_it_was() {
    let Some(lab) = lab() else { return };
    let (_engine, container, run) = up(&lab, SCENARIO);
    assert_ne!(hosts(&lab), HOSTS);
    kill_with_helpers(&run);
    run.wait();
    until("the hosts file is as it was", || hosts(&lab) == HOSTS);
    container.shell("while ip link show lw0 > /dev/null 2>&1; do sleep 0.05; done");
}

/// Built-in workloads both ways, a service and a program: in a container and from it.
const INSIDE: &str = "\
longwire: 1
nodes:
  a: host
  r: router
  web: { external: { container: web } }
links:
  lan: { ends: [a, r] }
  wire: { ends: [r, web], delay: 1ms }
services:
  listens: { in: web, command: [perl, \"-MIO::Socket::INET\", \"-e\", \"@s = IO::Socket::INET->new(Listen => 1, LocalPort => 8000); sleep\"], ready: { tcp: 8000, within: 60s } }
  asked: { in: web, command: [sleep, \"1000\"], ready: { exec: [test, -e, /usr/bin/env], within: 60s } }
workloads:
  ask: { ping: { from: web, to: a, every: 5ms, count: 30 } }
  answer: { ping: { from: a, to: web, every: 5ms, count: 30 } }
  send: { udp: { from: web, to: a, every: 5ms, count: 30 } }
  take: { udp: { from: a, to: web, every: 5ms, count: 30, port: 53 } }
  put: { tcp: { from: web, to: a, bytes: 300kB } }
  fetch: { tcp: { from: a, to: web, bytes: 300kB, port: 80 } }
  who: { in: web, cwd: bin, env: { OWN: mine }, exit: 7, shell: \"id -u; id -g; pwd; echo $HOME $FLAVOUR $OWN; hostname; exit 7\" }
  root: { in: web, root: true, shell: \"id -u; grep -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs' /proc/self/status; readlink /proc/self/ns/pid; grep -c lw-test- /proc/self/cgroup\" }
  missing: { in: web, command: [no-such-program] }
  here: { in: a, shell: \"echo $LONGWIRE_HOST_WEB; touch up\" }
";

#[test]
fn what_a_scenario_runs_it_runs_in_a_container_too() {
    let Some(lab) = lab() else { return };
    let (_engine, container, run) = up(&lab, INSIDE);
    let ended = run.wait();
    let report = ended.json();
    let work = |name: &str| &report["workloads"][name];
    // one program is not there, and nothing else may have failed
    assert!(matches!(ended.code, 1 | 3), "{}", ended.told());
    for name in ["ask", "answer", "send", "take", "put", "fetch", "who", "root", "here"] {
        assert_eq!(work(name)["ok"], true, "{name}: {}", ended.told());
    }
    for name in ["ask", "answer"] {
        assert_eq!(work(name)["received"], 30, "{name}: {}", ended.told());
    }
    for name in ["send", "take"] {
        assert_eq!(work(name)["receiver"]["received"], 30, "{name}: {}", ended.told());
    }
    assert_eq!(work("who")["output"], json!(["1234", "1235", "/usr/bin", "/tmp vanilla mine", "web-inside"]));
    let root: Vec<String> = serde_json::from_value(work("root")["output"].clone()).unwrap();
    assert_eq!(root[0], "0");
    // CAP_CHOWN and CAP_NET_RAW
    let rights: Vec<_> = root[1..5].iter().map(|line| line.split_whitespace().last().unwrap()).collect();
    assert_eq!(rights, ["0000000000002001", "0000000000002001", "0000000000002001", "1"]);
    assert_eq!(root[5], container.shell("readlink /proc/self/ns/pid").trim());
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", container.pid)).unwrap();
    assert_eq!(root[6], groups.matches("lw-test-").count().to_string(), "{groups}");
    let reason = work("missing")["reason"].as_str().unwrap();
    assert!(reason.contains("`no-such-program`: no such program"), "{reason}");
    assert!(!container.programs().contains("sleep"), "{}", container.programs());
}

/// In its own session, in the background and in front.
const STAYS: &str = "\
services:
  stays: { in: web, shell: \"setsid sleep 4711 & sleep 4712 & exec sleep 4713\" }
";

#[test]
fn nothing_stays_in_a_container_after_a_run_however_that_ends() {
    let Some(lab) = lab() else { return };
    let (engine, container) = known(&lab);
    let programs = || container.programs();
    let left = || programs().contains("sleep 47");
    // longwire among them: whoever ends a moment later would not be waited for
    let all_gone = || until("nothing is left", || !left() && lab.traces().processes.is_empty());
    let run = || {
        let _ = fs::remove_file(lab.path("up"));
        let run = engine.run(&lab, &with(STAYS));
        until("all of them run", || [1, 2, 3].iter().all(|n| programs().contains(&format!("sleep 471{n}"))));
        run
    };
    interrupt(run());
    assert!(!left(), "{}", programs());
    // who starts programs there is killed: the run says so and ends
    let killed = run();
    let launcher = launcher(&killed);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(launcher.try_into().unwrap()), Signal::SIGKILL).unwrap();
    all_gone();
    let ended = killed.wait();
    assert_eq!(ended.code, 4, "{}", ended.told());
    assert!(ended.stderr.contains("the process that starts programs in `web`: it was killed"), "{}", ended.told());
    // the run, and the run with all that it has beside it
    for kill in [(|run| run.signal(Signal::SIGKILL)) as fn(&Started), kill_with_helpers] {
        let killed = run();
        kill(&killed);
        all_gone();
        killed.wait();
    }
    assert_eq!(hosts(&lab), HOSTS);
}

/// Capabilities, by the bit.
fn bits(numbers: &[u32]) -> String {
    format!("{:016x}", numbers.iter().fold(0_u64, |all, number| all | 1 << number))
}

/// What it takes to enter a container and to become its user: DAC_OVERRIDE, KILL, SETGID, SETUID, SETPCAP, SYS_CHROOT, SYS_PTRACE,
/// SYS_ADMIN; to measure: NET_BIND_SERVICE, NET_RAW; and what the container has, CHOWN and NET_RAW.
const LAUNCHER: [u32; 11] = [0, 1, 5, 6, 7, 8, 10, 13, 18, 19, 21];

/// The process that starts programs in the container.
fn launcher(run: &Started) -> u32 {
    let all = children(run.pid()).into_iter().filter(|pid| status(*pid, "CapPrm") == bits(&LAUNCHER));
    let [launcher] = all.collect::<Vec<_>>()[..] else { panic!("one process starts programs in the container") };
    launcher
}

/// What can be looked at while it runs.
const SEEN: &str = "  measures: { ping: { from: web, to: a, every: 20ms } }
services:
  plain: { in: web, command: [sleep, \"4711\"] }
  rooted: { in: web, root: true, command: [sleep, \"4712\"] }
";

#[test]
fn nobody_in_a_container_meets_more_rights_than_its_own() {
    let Some(lab) = lab() else { return };
    let (_engine, container, run) = up(&lab, &with(SEEN));
    until_answered(&lab, &run);
    let launcher = launcher(&run);
    assert_eq!((status(launcher, "CapEff"), status(launcher, "CapBnd")), (bits(&LAUNCHER), bits(&LAUNCHER)));
    let is_inside = |pid: &u32| status(*pid, "NSpid").split_whitespace().count() > 1;
    let (reapers, outside): (Vec<u32>, Vec<u32>) = children(launcher).into_iter().partition(is_inside);
    // the built-in workload: in the container's network, and nowhere else
    let [measures] = outside[..] else { panic!("{outside:?}") };
    assert_eq!(status(measures, "CapPrm"), bits(&[10, 13]));
    assert_eq!(status(measures, "NoNewPrivs"), "1");
    let [plain, rooted] = reapers[..] else { panic!("{reapers:?}") };
    for (reaper, user, rights) in [(plain, 1234, &[][..]), (rooted, 0, &[0, 13][..])] {
        for (set, rights) in [("CapPrm", rights), ("CapEff", rights), ("CapInh", &[]), ("CapAmb", &[])] {
            assert_eq!(status(reaper, set), bits(rights), "{set}");
        }
        assert_eq!((status(reaper, "CapBnd"), status(reaper, "NoNewPrivs")), (bits(&[0, 13]), "1".into()));
        assert_eq!(status(reaper, "Uid"), [user; 4].map(|user: u32| user.to_string()).join(" "));
        let open = |fd: std::io::Result<fs::DirEntry>| fs::read_link(fd.unwrap().path()).unwrap().display().to_string();
        let open: Vec<String> = fs::read_dir(format!("/proc/{reaper}/fd")).unwrap().map(open).collect();
        let harmless = |what: &&String| !matches!(what.as_str(), "/dev/null" | "anon_inode:[signalfd]");
        let others: Vec<_> = open.iter().filter(harmless).collect();
        assert!(matches!(&others[..], [one] if one.starts_with("socket:")), "{open:?}");
        // root in there without CAP_SYS_PTRACE cannot look into it
        let number = status(reaper, "NSpid").split_whitespace().last().unwrap().to_owned();
        let exec = ["exec", "--root", &format!("{}/web", run.pid()), "--", "readlink", &format!("/proc/{number}/exe")];
        let looked = lab.longwire(&exec).output().unwrap();
        assert_eq!((looked.status.code(), &looked.stdout[..]), (Some(1), &b""[..]), "{looked:?}");
    }
    interrupt(run);
    drop(container);
}

/// What runs when the container is killed; what begins while it is down; what begins when it is back.
const RESTARTED: &str = "  job: { in: web, command: [sleep, \"1000\"] }
  down: { in: web, shell: \"exit 0\", after: job }
  waits: { in: a, shell: \"until [ -e go ]; do sleep 0.05; done\" }
  again: { in: web, shell: \"hostname\", after: waits }
  flow: { udp: { from: a, to: web, every: 10ms, count: 20 }, after: waits }
  end: { in: a, shell: \"touch done\", after: [again, flow] }
";

#[test]
fn what_runs_in_a_container_ends_with_it_and_what_comes_later_finds_the_next() {
    let Some(lab) = lab() else { return };
    let (engine, container, run) = up(&lab, &with(RESTARTED));
    until_answered(&lab, &run);
    until("its program runs", || container.programs().contains("sleep 1000"));
    engine.knows(&lab, None);
    drop(container);
    until("the port is down", || dropped(&toward(&lab, &run, "web"), "port_down") > 5);
    let container = Container::start(&lab);
    engine.knows(&lab, Some(container.pid));
    until_answered(&lab, &run);
    lab.write("go", "");
    lab.until_file("done");
    let ended = interrupt(run);
    let report = ended.json();
    let work = |name: &str| &report["workloads"][name];
    let reason = |name: &str| work(name)["reason"].as_str().unwrap_or_default().to_owned();
    assert_eq!(reason("job"), "it was ended by signal 9", "{}", ended.told());
    assert!(reason("down").contains("cannot reach the container `web`"), "{}", ended.told());
    assert_eq!(work("again")["output"], json!(["web-inside"]), "{}", ended.told());
    assert_eq!(work("flow")["receiver"]["received"], 20, "{}", ended.told());
}

/// Listens, until its standard input ends.
const STRANGE: &str = "\
import os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1] + '.new')
s.listen()
os.rename(sys.argv[1] + '.new', sys.argv[1])
sys.stdin.read()
";

#[test]
fn what_cannot_be_entered_is_refused_and_the_error_says_why() {
    let Some(lab) = lab() else { return };
    let engine = Engine::start(&lab);
    lab.write("scenario.yaml", SCENARIO);
    let refused = |code: i32, what: &str| {
        let ended = lab.start(engine.longwire(&lab, &["run", "scenario.yaml"])).wait();
        assert_eq!(ended.code, code, "{}", ended.told());
        assert!(ended.stderr.contains(what), "expected `{what}`: {}", ended.told());
    };
    engine.says("404 Not Found", br#"{"message":"No such container: web"}"#);
    refused(2, "has no container of that name");
    engine.knows(&lab, None);
    refused(2, "it is exited");
    engine.knows(&lab, Some(1 << 23));
    refused(4, "no such process is here");
    engine.knows(&lab, Some(std::process::id()));
    refused(2, "its network is the machine's own");
    engine.says("500 Internal Server Error", br#"{"message":"out of order"}"#);
    refused(4, "it answered 500: out of order");
    engine.says("200 OK", b"<html>");
    refused(4, "is not understood");
    engine.says("200 OK", &vec![b' '; (16 << 20) + 1]);
    refused(4, "at most 16 MiB");
    fs::remove_file(&engine.socket).unwrap();
    refused(4, "no container engine is there");
    if has("python3") {
        let mut strange = Command::new("python3");
        strange.args(["-c", STRANGE]).arg(&engine.socket).stdin(Stdio::piped()).uid(NOBODY).gid(NOBODY);
        let mut strange = strange.spawn().unwrap();
        until("somebody else listens", || engine.socket.exists());
        refused(4, "it is one of user 65534");
        drop(strange.stdin.take());
        strange.wait().unwrap();
    }
}

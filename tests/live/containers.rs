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
    let (engine, container) = (Engine::start(&lab), Container::start(&lab));
    let before = container.shell("ip route; ip -6 route");
    engine.knows(&lab, Some(container.pid));
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
    let (engine, container) = (Engine::start(&lab), Container::start(&lab));
    engine.knows(&lab, Some(container.pid));
    let run = engine.run(&lab, SCENARIO);
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
    lab.write("scenario.yaml", SCENARIO);
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
    let ended = interrupt(run);
    assert!(number(&ended.json()["workloads"]["rtt"]["received"]) > 0, "{}", ended.told());
    assert_eq!(hosts(&lab), HOSTS);
}

#[test]
fn a_container_that_is_restarted_is_attached_again() {
    let Some(lab) = lab() else { return };
    let (engine, container) = (Engine::start(&lab), Container::start(&lab));
    engine.knows(&lab, Some(container.pid));
    let run = engine.run(&lab, SCENARIO);
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
    let (engine, container) = (Engine::start(&lab), Container::start(&lab));
    engine.knows(&lab, Some(container.pid));
    let run = engine.run(&lab, SCENARIO);
    assert_ne!(hosts(&lab), HOSTS);
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.pid())).unwrap();
    for child in children.split_whitespace() {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.parse().unwrap()), Signal::SIGKILL);
    }
    run.signal(Signal::SIGKILL);
    run.wait();
    until("the hosts file is as it was", || hosts(&lab) == HOSTS);
    container.shell("while ip link show lw0 > /dev/null 2>&1; do sleep 0.05; done");
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

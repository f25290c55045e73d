//! Sites that are joined by VXLAN: two runs at two ends of a cable, as root and as a normal user; and a kernel's `vxlan` interface.

use std::process::{Child, Command};

use crate::machine::Machine;
use crate::support::report::{direction, number};
use crate::support::{Ended, Lab, Started, has, is_root, open_copy, skip, until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Both sites have a host of this name, with this interface.
fn scenario(host: &str, delay: &str, mtu: u32, peer: &str, other: &str, work: &str) -> String {
    format!(
        "\
longwire: 1
addressing: {{ ipv6: none }}
nodes:
  alice: {{ host: {{ addresses: [{host}/24] }} }}
  other: {{ external: {{ udp: {{ peer: \"{peer}\", vni: 42 }}, names: {{ server: [{other}/24] }} }} }}
links: {{ wire: {{ ends: [alice, other], delay: {delay}, mtu: {mtu} }} }}
{work}
duration: 120s
"
    )
}

const WEB: &str = "services: { web: { in: alice, command: [python3, -m, http.server, '80'], ready: { tcp: 80 } } }
workloads: { up: { in: alice, shell: touch up } }";

const FETCH: &str = "workloads:
  rtt: { ping: { from: alice, to: server, every: 10ms, timeout: 5s } }
  fetch: { in: alice, shell: 'curl -sf http://server/blob -o got && ip neigh show > neighbours && ip link show > own && touch fetched', timeout: 100s }";

/// Two machines with a cable between.
pub(crate) struct Sites {
    pub(crate) near: Machine,
    pub(crate) far: Machine,
    pub(crate) longwire: String,
    pub(crate) lab: Lab,
}

impl Sites {
    /// Without the cable.
    pub(crate) fn apart() -> Option<Sites> {
        let able = is_root() && ["unshare", "nsenter", "setpriv", "ip", "python3", "curl"].into_iter().all(has);
        let lab = able.then(|| Lab::new("")).flatten()?;
        let longwire = open_copy(&lab).display().to_string();
        Some(Sites { near: Machine::start(), far: Machine::start(), longwire, lab })
    }

    fn new(addresses: [&str; 2]) -> Option<Sites> {
        let sites = Sites::apart()?;
        let blob: Vec<u8> = (0..300_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        std::fs::write(sites.lab.path("blob"), blob).expect("written");
        let cable =
            ["link", "add", "eth0", "netns", &sites.near.pid(), "type", "veth", "peer", "name", "eth0", "netns"];
        assert!(Command::new("ip").args(cable).arg(sites.far.pid()).status().expect("ip").success());
        for (machine, address) in [&sites.near, &sites.far].into_iter().zip(addresses) {
            let nodad = if address.contains(':') { "nodad" } else { "" };
            let up = format!("ip addr add {address} dev eth0 {nodad}; ip link set eth0 up");
            machine.prints(&sites.lab, &["sh", "-ec", &up]);
        }
        Some(sites)
    }

    /// `longwire` on a machine, as root or as a normal user.
    fn longwire(&self, machine: &Machine, root: bool, arguments: &[&str]) -> Command {
        let user = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"];
        let user: &[&str] = if root { &[] } else { &user };
        machine.command(&self.lab, &[user, &[&self.longwire], arguments].concat())
    }

    fn command(&self, machine: &Machine, file: &str, root: bool) -> Command {
        self.longwire(machine, root, &["run", file, "--json", &format!("{file}.json")])
    }

    /// The run that is looked at.
    pub(crate) fn start(&self, scenario: &str, root: bool) -> Started {
        self.lab.write("near.yaml", scenario);
        self.lab.start(self.command(&self.near, "near.yaml", root))
    }

    fn ended(&self, run: Started) -> (Ended, Value) {
        run.signal(Signal::SIGINT);
        let ended = run.wait();
        assert_eq!(ended.code, 130, "{}", ended.told());
        let report = serde_json::from_str(&self.lab.read("near.yaml.json")).expect("a report");
        (ended, report)
    }
}

/// The run at the other end. It is not marked as the lab's: it lives on when that one has ended.
pub(crate) struct Far(pub(crate) Child);

impl Far {
    fn start(sites: &Sites, scenario: &str, root: bool) -> Far {
        sites.lab.write("far.yaml", scenario);
        let mut command = sites.command(&sites.far, "far.yaml", root);
        let far = Far(command.env_remove("LAB_OF_A_TEST").spawn().expect("started"));
        sites.lab.until_file("up");
        far
    }

    fn end(mut self, sites: &Sites) -> Value {
        kill(Pid::from_raw(self.0.id() as i32), Signal::SIGINT).expect("our child");
        assert_eq!(self.0.wait().expect("our child").code(), Some(130));
        serde_json::from_str(&sites.lab.read("far.yaml.json")).expect("a report")
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Of the only external machine of a report.
pub(crate) fn port(report: &Value) -> &Value {
    report["ports"].as_array().expect("ports").iter().find(|port| port["host"] == "other").expect("the other site")
}

/// What both ends say of a blob that crossed, a ping by name, and hosts of one name.
fn assert_joined(sites: &Sites, report: &Value, peer: &str, delays_ms: u64) {
    assert!(
        std::fs::read(sites.lab.path("got")).expect("fetched") == std::fs::read(sites.lab.path("blob")).expect("blob")
    );
    let rtt = &report["workloads"]["rtt"]["rtt_ns"];
    assert!(number(&rtt["min"]) >= delays_ms * 1_000_000, "{rtt:#}");
    let port = port(report);
    let (tunnel, nothing) = (&port["tunnel"], Value::from(0));
    assert_eq!((&tunnel["peer"], &tunnel["vni"]), (&Value::from(peer), &Value::from(42)), "{port:#}");
    for cause in ["wrong_peer", "wrong_vni", "too_long"] {
        assert_eq!(tunnel[cause], nothing, "{cause}: {port:#}");
    }
    // 300,000 bytes are more than 200 frames of 1,400
    assert!(number(&port["received"]) > 200 && number(&port["sent"]) > 50, "{port:#}");
    assert!(port["malformed"] == nothing && port["ring_drops"].is_u64(), "{port:#}");
    let toward = direction(report, "wire", "alice");
    assert_eq!(toward["offered"]["frames"], port["received"], "{toward:#}");
    assert_eq!(report["confinement"]["refused_calls"], Value::Null, "{}", report["confinement"]);
}

#[test]
fn two_runs_are_joined_and_their_delays_add_up() {
    for (ends, peers, mtu) in [
        (["192.0.2.1/24", "192.0.2.2/24"], ["192.0.2.2", "192.0.2.1"], 1450),
        (["2001:db8::1/64", "2001:db8::2/64"], ["2001:db8::2", "2001:db8::1"], 1430),
    ] {
        let Some(sites) = Sites::new(ends) else { return };
        let far = Far::start(&sites, &scenario("10.0.0.2", "7ms", mtu, peers[1], "10.0.0.1", WEB), false);
        let run = sites.start(&scenario("10.0.0.1", "5ms", mtu, peers[0], "10.0.0.2", FETCH), true);
        sites.lab.until_file("fetched");
        // two hosts of one name, with one interface: their addresses differ, or neither would reach the other
        let (_, report) = sites.ended(run);
        let far = far.end(&sites);
        let listed = if mtu == 1450 { format!("{}:4789", peers[0]) } else { format!("[{}]:4789", peers[0]) };
        assert_joined(&sites, &report, &listed, 24);
        assert!(number(&port(&far)["received"]) > 50, "{far:#}");
        let (neighbours, own) = (sites.lab.read("neighbours"), sites.lab.read("own"));
        let mac = neighbours.split("lladdr ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a neighbour");
        assert!(!own.contains(mac), "{mac}: {own}");
    }
}

/// A kernel's end of a tunnel, on the machine at the other end of the cable.
fn kernel_end(sites: &Sites) -> bool {
    // `ethtool -K vx0 tx off`, ETHTOOL_STXCSUM of linux/ethtool.h: on a veth nobody else finishes checksums
    let finish = "import array, fcntl, socket, struct
value = array.array('B', struct.pack('II', 0x17, 0))
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8946, struct.pack('16sP', b'vx0', value.buffer_info()[0]) + bytes(16))
";
    sites.lab.write("finish.py", finish);
    let add = "ip link add vx0 type vxlan id 42 remote 192.0.2.1 local 192.0.2.2 dstport 4789 dev eth0";
    if !sites.far.command(&sites.lab, &["sh", "-c", add]).status().expect("run").success() {
        skip("this kernel has no vxlan");
        return false;
    }
    let up = "python3 finish.py; ip addr add 10.0.0.2/24 dev vx0; ip link set vx0 up";
    sites.far.prints(&sites.lab, &["sh", "-ec", up]);
    true
}

#[test]
fn a_run_is_joined_to_a_kernel() {
    let Some(sites) = Sites::new(["192.0.2.1/24", "192.0.2.2/24"]) else { return };
    if !kernel_end(&sites) {
        return;
    }
    let mut server = sites.far.command(&sites.lab, &["python3", "-m", "http.server", "--bind", "10.0.0.2", "80"]);
    let server = Far(server.env_remove("LAB_OF_A_TEST").spawn().expect("started"));
    let listens = ["sh", "-c", "ss -Hltn sport = :80 | grep -c :"];
    until("the server listens", || {
        sites.far.command(&sites.lab, &listens).output().is_ok_and(|out| out.status.success())
    });
    let run = sites.start(&scenario("10.0.0.1", "5ms", 1450, "192.0.2.2", "10.0.0.2", FETCH), false);
    sites.lab.until_file("fetched");
    let back =
        sites.far.prints(&sites.lab, &["ping", "-n", "-c", "5", "-i", "0.05", "-s", "1422", "-M", "do", "10.0.0.1"]);
    assert!(back.contains("5 received"), "{back}");
    let (_, report) = sites.ended(run);
    drop(server);
    assert_joined(&sites, &report, "192.0.2.2:4789", 10);
}

const STRANGER: &str = "import socket, sys
def to(near, source, datagrams):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((source, 0))
    for d in datagrams:
        s.sendto(d, (near, 4789))
header = lambda vni, flags=8: bytes([flags, 0, 0, 0]) + vni.to_bytes(3, 'big') + b'\\0'
frame = bytes([255] * 6 + [2, 0, 0, 0, 0, 9, 0x88, 0xb5]) + bytes(46)
to('192.0.2.1', '192.0.2.3', [header(42) + frame] * 5)
to('192.0.2.1', '192.0.2.2', [header(7) + frame] * 3)
to('192.0.2.1', '192.0.2.2', [header(42, 0) + frame, header(42) + frame[:13], b''])
to('192.0.2.1', '192.0.2.2', [header(42) + frame])
";

#[test]
fn what_strangers_send_goes_no_further_and_a_peer_that_is_not_there_is_told() {
    let Some(sites) = Sites::new(["192.0.2.1/24", "192.0.2.2/24"]) else { return };
    sites.far.prints(&sites.lab, &["ip", "addr", "add", "192.0.2.3/24", "dev", "eth0"]);
    sites.lab.write("stranger.py", STRANGER);
    let work = "workloads: { rtt: { ping: { from: alice, to: server, every: 10ms, timeout: 1s } }, up: { in: alice, shell: touch up } }";
    let run = sites.start(&scenario("10.0.0.1", "5ms", 1450, "192.0.2.2", "10.0.0.2", work), false);
    sites.lab.until_file("up");
    sites.far.prints(&sites.lab, &["python3", "stranger.py"]);
    let pid = run.pid().to_string();
    let status = || {
        let output = sites.longwire(&sites.near, false, &["status", "--json", &pid]).output().expect("run");
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    };
    until("the frame of the peer came, the last of all", || {
        number(&direction(&status(), "wire", "alice")["offered"]["frames"]) == 1
    });
    let (ended, report) = sites.ended(run);
    let (port, tunnel) = (port(&report), &port(&report)["tunnel"]);
    for (cause, count) in [("wrong_peer", 5), ("wrong_vni", 3), ("too_long", 0)] {
        assert_eq!(number(&tunnel[cause]), count, "{cause}: {port:#}");
    }
    assert_eq!((number(&port["malformed"]), number(&port["received"])), (3, 1), "{port:#}");
    // nobody listens at the peer: it says so, and the run goes on
    assert!(number(&tunnel["unreachable"]) > 0 && tunnel["reason"] == "Connection refused", "{port:#}");
    assert!(
        ended.stdout.contains("`other.vxlan0` dropped 5 datagrams from addresses other than 192.0.2.2:4789"),
        "{}",
        ended.told()
    );
}

#[test]
fn what_cannot_work_is_refused_before_the_run() {
    let Some(sites) = Sites::new(["192.0.2.1/24", "192.0.2.2/24"]) else { return };
    let run = |scenario: &str| {
        sites.lab.write("near.yaml", scenario);
        sites.lab.start(sites.command(&sites.near, "near.yaml", false)).wait()
    };
    let with = |mtu: u32, peer: &str| scenario("10.0.0.1", "5ms", mtu, peer, "10.0.0.2", "");
    let measuring = |mtu: u32| with(mtu, "192.0.2.2").replace("vni: 42", "vni: 42, encapsulation: longwire");
    for (scenario, code, words) in [
        (
            with(1500, "192.0.2.2"),
            2,
            "packets of 1500 bytes become 1550 bytes with VXLAN, and the path there carries at most 1500",
        ),
        (with(1451, "192.0.2.2"), 2, "write `mtu: 1450`"),
        (measuring(1419), 2, "packets of 1419 bytes become 1501 bytes with longwire's encapsulation"),
        (measuring(1419), 2, "write `mtu: 1418`"),
        (with(1450, "192.0.2.1"), 2, "that is this very socket"),
        (with(1450, "198.51.100.1"), 4, "no route there"),
    ] {
        let ended = run(&scenario);
        assert!(ended.code == code && ended.told().contains(words), "{words}: {}", ended.told());
    }
    let holder = [
        "python3",
        "-c",
        "import socket, time\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\ns.bind(('', 4789))\nopen('held', 'w')\ntime.sleep(60)",
    ];
    let held = Far(sites.near.command(&sites.lab, &holder).env_remove("LAB_OF_A_TEST").spawn().expect("started"));
    sites.lab.until_file("held");
    let ended = run(&with(1450, "192.0.2.2"));
    drop(held);
    assert!(ended.code == 4 && ended.told().contains("another program has UDP port 4789"), "{}", ended.told());
}

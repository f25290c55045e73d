//! Virtual machines behind a Unix socket: a stand-in speaks QEMU's `-netdev stream`, another `-netdev dgram`, so no VM is needed, and no root and no bridge.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::report::{delivered, direction, dropped, number};
use crate::support::{Lab, Started, until};
use nix::sys::signal::Signal;
use serde_json::Value;

const SCENARIO: &str = "\
longwire: 1
nodes:
  a: { host: { addresses: [10.0.0.1/24] } }
  vm: { external: { qemu: vm.sock, addresses: [10.0.0.9/24] } }
links: { wire: { ends: [a, vm], delay: 5ms } }
workloads: { rtt: { ping: { from: a, to: vm, every: 10ms, timeout: 500ms } } }
duration: 60s
";

const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];
const ADDRESS: [u8; 4] = [10, 0, 0, 9];

/// A machine that answers ARP and echo requests until its connection ends.
struct StandIn(UnixStream);

impl StandIn {
    fn connect(socket: &Path) -> StandIn {
        StandIn::at(UnixStream::connect(socket).unwrap(), MAC, ADDRESS)
    }

    fn at(stream: UnixStream, mac: [u8; 6], address: [u8; 4]) -> StandIn {
        StandIn::with(stream, move |frame| answer(frame, mac, address))
    }

    fn with(stream: UnixStream, answer: impl Fn(&mut [u8]) -> bool + Send + 'static) -> StandIn {
        let mut own = stream.try_clone().unwrap();
        thread::spawn(move || {
            while let Some(mut frame) = receive(&mut own) {
                if answer(&mut frame) && send(&mut own, &frame).is_err() {
                    return;
                }
            }
        });
        StandIn(stream)
    }
}

/// The next frame; `None` at the end of the connection.
fn receive(stream: &mut UnixStream) -> Option<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len).ok()?;
    let mut frame = vec![0; u32::from_be_bytes(len) as usize];
    stream.read_exact(&mut frame).ok()?;
    Some(frame)
}

fn send(stream: &mut UnixStream, frame: &[u8]) -> std::io::Result<()> {
    stream.write_all(&[&(frame.len() as u32).to_be_bytes(), frame].concat())
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

/// Turns a request into its answer, in place.
fn answer(frame: &mut [u8], mac: [u8; 6], address: [u8; 4]) -> bool {
    let back = |frame: &mut [u8]| {
        frame.copy_within(6..12, 0);
        frame[6..12].copy_from_slice(&mac);
    };
    match frame[12..14] {
        // ARP (RFC 826): who has the address?
        [8, 6] if frame[20..22] == [0, 1] && frame[38..42] == address => {
            back(frame);
            frame[21] = 2;
            frame.copy_within(22..32, 32);
            frame[22..28].copy_from_slice(&mac);
            frame[28..32].copy_from_slice(&address);
            true
        }
        // an echo request (RFC 792) becomes a reply: 8 less in the type, 8 more in the checksum, with its carry (RFC 1624)
        [8, 0] if frame[23] == 1 && frame[34] == 8 => {
            back(frame);
            let sender: [u8; 4] = frame[26..30].try_into().unwrap();
            frame[30..34].copy_from_slice(&sender);
            frame[26..30].copy_from_slice(&address);
            frame[34] = 0;
            let sum = u32::from(u16::from_be_bytes([frame[36], frame[37]])) + 0x0800;
            frame[36..38].copy_from_slice(&((sum + (sum >> 16)) as u16).to_be_bytes());
            true
        }
        _ => false,
    }
}

/// What `longwire status` says of a run; null before that answers.
fn status(lab: &Lab, run: &Started) -> Value {
    let output = lab.longwire(&["status", "--json", &run.pid().to_string()]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

/// What it says of a link toward a node.
fn toward(lab: &Lab, run: &Started, link: &str, node: &str) -> Value {
    let status = status(lab, run);
    if status.is_null() { Value::Null } else { direction(&status, link, node).clone() }
}

/// The machine was waited for, went for this reason, came again, and answered pings both times.
fn assert_came_twice(report: &Value, went: &str) {
    let port = &report["ports"].as_array().unwrap()[1];
    let outages = port["outages"].as_array().unwrap();
    let reasons: Vec<_> = outages.iter().map(|outage| outage["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["no virtual machine has connected", went], "{port:#}");
    assert!(outages.iter().all(|outage| outage["to_ns"].is_u64() || outage["to_ns"].is_i64()), "{port:#}");
    assert!(number(&port["sent"]) > 70 && number(&port["received"]) > 70, "{port:#}");
    // both directions of 5 ms: no reply is younger than 10 ms
    assert!(number(&report["workloads"]["rtt"]["rtt_ns"]["min"]) >= 10_000_000, "{:#}", report["workloads"]);
}

#[test]
fn a_machine_behind_a_socket_comes_answers_goes_and_comes_back() {
    let Some(lab) = Lab::new(SCENARIO) else { return };
    let run = lab.start_run(&["--json", "-"]);
    let socket = lab.path("vm.sock");
    until("the socket is there", || socket.exists());
    assert_eq!(fs::symlink_metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let status = || status(&lab, &run);
    let answered = || delivered(&toward(&lab, &run, "wire", "a"));
    until("the run is up, and nobody has come", || status()["ports_down"] == serde_json::json!(["vm.eth0"]));

    let machine = StandIn::connect(&socket);
    until("the machine answers", || answered() > 50);
    // a second one is sent away
    let mut second = UnixStream::connect(&socket).unwrap();
    assert_eq!(second.read(&mut [0; 64]).unwrap(), 0);
    let before = answered();
    until("the first one answers still", || answered() > before + 20);

    drop(machine);
    until("it is down again", || status()["ports_down"] == serde_json::json!(["vm.eth0"]));
    let _again = StandIn::connect(&socket);
    let before = answered();
    until("the next one answers", || answered() > before + 20);

    run.signal(Signal::SIGINT);
    let ended = run.wait();
    assert_eq!(ended.code, 130, "{}", ended.told());
    let report = ended.json();
    assert_came_twice(&report, "the other side has closed the connection");
    let events = report["events"].to_string();
    assert!(events.contains("sent a second virtual machine away"), "{events}");
    assert!(!socket.exists());
}

/// The same machine by datagrams, until it is dropped.
struct Joined(UnixDatagram);

impl Joined {
    fn new(lab: &Lab) -> Joined {
        let own = lab.path("vm.sock.vm");
        // as QEMU does
        let _ = fs::remove_file(&own);
        let socket = UnixDatagram::bind(&own).unwrap();
        let (answers, there) = (socket.try_clone().unwrap(), lab.path("vm.sock"));
        thread::spawn(move || {
            let mut buffer = vec![0; 70_000];
            while let Ok(len @ 1..) = answers.recv(&mut buffer) {
                let frame = &mut buffer[..len];
                if answer(frame, MAC, ADDRESS) {
                    let _ = answers.send_to(frame, &there);
                }
            }
        });
        Joined(socket)
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

#[test]
fn a_machine_by_datagrams_comes_answers_goes_and_comes_back() {
    let Some(lab) = Lab::new(&SCENARIO.replace("qemu: vm.sock", "qemu: { dgram: vm.sock }")) else { return };
    let listing = lab.run(&["check", "scenario.yaml"]).stdout;
    let (own, ours) = ("local.type=unix,local.path=vm.sock.vm", "remote.type=unix,remote.path=vm.sock");
    assert!(listing.contains(&format!("-netdev dgram,id=wire,{own},{ours} -device")), "{listing}");
    // it may be there before the run
    let machine = Joined::new(&lab);
    let run = lab.start_run(&["--json", "-"]);
    let socket = lab.path("vm.sock");
    until("the socket is there", || socket.exists());
    assert_eq!(fs::symlink_metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let status = || status(&lab, &run);
    let answered = || delivered(&toward(&lab, &run, "wire", "a"));
    until("the machine answers", || answered() > 50);
    let refused = UnixDatagram::unbound().unwrap().send_to(&[0; 60], &socket).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::PermissionDenied, "it has its machine");

    drop(machine);
    until("it is down", || status()["ports_down"] == serde_json::json!(["vm.eth0"]));
    let _again = Joined::new(&lab);
    let before = answered();
    until("the next one answers", || answered() > before + 20);

    run.signal(Signal::SIGINT);
    let ended = run.wait();
    assert_eq!(ended.code, 130, "{}", ended.told());
    assert_came_twice(&ended.json(), "the virtual machine has closed its socket");
    assert!(!socket.exists() && lab.path("vm.sock.vm").exists(), "the machine's own socket is its own");
}

#[test]
fn what_stands_at_the_path_stays() {
    let Some(lab) = Lab::new(SCENARIO) else { return };
    lab.write("vm.sock", "a file");
    let ended = lab.run_scenario(&[]);
    assert_eq!(ended.code, 2, "{}", ended.told());
    assert!(ended.told().contains("something that is no socket stands there"), "{}", ended.told());
    assert_eq!(lab.read("vm.sock"), "a file");
}

const SERVED: &str = "\
longwire: 1
nodes:
  a: host
  r: router
  s: switch
  vm: { external: { qemu: vm.sock, dns: [a], dhcp: { lease: 2m, domain: lab } } }
links:
  lan: { ends: [a, r] }
  up: { ends: [r, s] }
  wire: { ends: [s, vm], delay: 5ms, mtu: 1400 }
workloads: { rtt: { ping: { from: a, to: vm, every: 10ms, timeout: 500ms } } }
duration: 60s
";

/// A client's message to all (RFC 2131 §2), behind its headers.
fn dhcp(mac: [u8; 6], kind: u8, options: &[u8]) -> Vec<u8> {
    let mut message = vec![0; 236];
    message[..8].copy_from_slice(&[1, 1, 6, 0, 1, 2, 3, 4]);
    message[28..34].copy_from_slice(&mac);
    message.extend([99, 130, 83, 99, 53, 1, kind]);
    message.extend(options);
    message.push(255);
    let len = 8 + message.len() as u16;
    let mut ip =
        [&[0x45, 0][..], &(20 + len).to_be_bytes(), &[0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0], &[255; 4]].concat();
    let sum = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum::<u32>();
    ip[10..12].copy_from_slice(&(!((sum & 0xffff) + (sum >> 16)) as u16).to_be_bytes());
    // without a UDP checksum
    [&[255; 6][..], &mac, &[8, 0], &ip, &[0, 68, 0, 67], &len.to_be_bytes(), &[0, 0], &message].concat()
}

/// A router solicitation without a source address (RFC 4861 §4.1). All of it is zero but what its checksum is about.
fn solicitation(mac: [u8; 6]) -> Vec<u8> {
    let mut ip = vec![0; 40];
    ip[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 8, 58, 255]);
    ip[24..40].copy_from_slice(&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    let sum = 0xff02 + 2 + 8 + 58 + 0x8500_u32;
    let sum = !((sum & 0xffff) + (sum >> 16)) as u16;
    [&[0x33, 0x33, 0, 0, 0, 2][..], &mac, &[0x86, 0xdd], &ip, &[133, 0], &sum.to_be_bytes(), &[0; 4]].concat()
}

/// The value of an option of DHCP.
fn option(frame: &[u8], code: u8) -> Option<&[u8]> {
    let mut options = &frame[14 + 28 + 240..];
    while let [found, len, rest @ ..] = options {
        let (value, rest) = rest.split_at(usize::from(*len));
        if *found == code {
            return Some(value);
        }
        options = rest;
    }
    None
}

/// The next answer of the server to this machine.
fn answered(stream: &mut UnixStream, mac: [u8; 6]) -> Vec<u8> {
    loop {
        let frame = receive(stream).expect("it is connected");
        if frame[..6] == mac && frame[12..14] == [8, 0] && frame[23] == 17 && frame[36..38] == [0, 68] {
            return frame;
        }
    }
}

#[test]
fn a_machine_gets_its_addresses_from_a_router_behind_a_switch() {
    let Some(lab) = Lab::new(SERVED) else { return };
    let listing = lab.run(&["check", "--plan", "scenario.yaml"]).stdout;
    let mac = listing.split("mac=").nth(1).expect("QEMU's options").split('"').next().unwrap();
    let mac: Vec<u8> = mac.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
    let mac: [u8; 6] = mac.try_into().unwrap();
    assert!(listing.contains("252 free addresses of 10.0.1.0/24"), "{listing}");
    let run = lab.start_run(&["--json", "-"]);
    let socket = lab.path("vm.sock");
    until("the socket is there", || socket.exists());

    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    send(&mut stream, &dhcp(mac, 1, &[])).unwrap();
    let offer = answered(&mut stream, mac);
    let address: [u8; 4] = offer[14 + 28 + 16..][..4].try_into().unwrap();
    assert_eq!((option(&offer, 53), address), (Some(&[2][..]), [10, 0, 1, 2]));
    let router = option(&offer, 54).unwrap().to_vec();
    send(&mut stream, &dhcp(mac, 3, &[&[50, 4][..], &address, &[54, 4], &router].concat())).unwrap();
    let ack = answered(&mut stream, mac);
    for (code, value) in [
        (53, &[5][..]),
        (51, &[0, 0, 0, 120]),
        (1, &[255, 255, 255, 0]),
        (3, &[10, 0, 1, 1]),
        (6, &[10, 0, 0, 2]),
        (26, &[5, 0x78]),
        (12, b"vm"),
        (15, b"lab"),
    ] {
        assert_eq!(option(&ack, code), Some(value), "option {code}");
    }

    send(&mut stream, &solicitation(mac)).unwrap();
    let advertised = |frame: &[u8]| frame[12..14] == [0x86, 0xdd] && frame[20] == 58 && frame[54] == 134;
    let advertisement = loop {
        let frame = receive(&mut stream).expect("it is connected");
        if advertised(&frame) {
            break frame;
        }
    };
    let prefix: [u8; 16] = std::net::Ipv6Addr::new(0xfd00, 0, 0, 1, 0, 0, 0, 0).octets();
    assert!(advertisement[70..].windows(16).any(|bytes| bytes == prefix), "{advertisement:02x?}");
    assert!(advertisement[70..].windows(8).any(|bytes| bytes == [5, 1, 0, 0, 0, 0, 5, 0x78]), "{advertisement:02x?}");

    let _machine = StandIn::at(stream, mac, address);
    until("the machine answers by its name", || delivered(&toward(&lab, &run, "lan", "a")) > 50);
    run.signal(Signal::SIGINT);
    let report = run.wait().json();
    let node = report["nodes"].as_array().unwrap().iter().find(|node| node["name"] == "r").unwrap();
    assert_eq!(
        node["dhcp"],
        serde_json::json!([{ "interface": "eth1", "leases": 1, "offers": 1, "acks": 1, "naks": 0, "exhausted": 0 }])
    );
    assert!(number(&node["consumed"]) >= 3, "two messages and a solicitation: {node:#}");
}

#[test]
fn a_run_begins_when_the_machine_answers() {
    let Some(lab) = Lab::new(&SCENARIO.replace("10.0.0.9/24]", "10.0.0.9/24], ready: { within: 20s }")) else { return };
    let run = lab.start_run(&["--json", "-"]);
    let socket = lab.path("vm.sock");
    until("the socket is there", || socket.exists());
    until("somebody asks for the machine", || dropped(&toward(&lab, &run, "wire", "vm"), "port_down") >= 2);
    let status = status(&lab, &run);
    assert!(status["run"]["elapsed_ns"].is_null(), "{status:#}");
    let _machine = StandIn::connect(&socket);
    until("the run has begun", || delivered(&toward(&lab, &run, "wire", "a")) > 50);
    run.signal(Signal::SIGINT);
    let report = run.wait().json();
    let ready = &report["services"]["vm"];
    assert_eq!((&ready["kind"], &ready["ok"]), (&"external".into(), &true.into()), "{ready:#}");
    assert!(ready["started_ns"].as_i64().unwrap() < 0, "{ready:#}");
}

#[test]
fn a_machine_that_drops_pings_may_be_waited_for_by_arp() {
    let text = SCENARIO.replace("10.0.0.9/24]", "10.0.0.9/24], ready: arp").replace("duration: 60s", "duration: 300ms");
    let Some(lab) = Lab::new(&text) else { return };
    let run = lab.start_run(&["--json", "-"]);
    let socket = lab.path("vm.sock");
    until("the socket is there", || socket.exists());
    let machine = UnixStream::connect(&socket).unwrap();
    let _machine = StandIn::with(machine, |frame| frame[12..14] == [8, 6] && answer(frame, MAC, ADDRESS));
    let report = run.wait().json();
    assert_eq!(report["services"]["vm"]["ok"], true, "{:#}", report["services"]);
    let rtt = &report["workloads"]["rtt"];
    assert!(number(&rtt["sent"]) > 0 && number(&rtt["received"]) == 0, "{rtt:#}");
}

#[test]
fn a_command_of_the_machine_runs_before_machines_are_waited_for() {
    let text =
        SCENARIO.replace("10.0.0.9/24]", "10.0.0.9/24], ready: ping").replace("duration: 60s", "duration: 300ms");
    let Some(lab) = Lab::new(&text) else { return };
    let run = lab.start_run(&["--on-up", "test -S vm.sock && touch stands", "--json", "-"]);
    lab.until_file("stands");
    let _machine = StandIn::connect(&lab.path("vm.sock"));
    let report = run.wait().json();
    assert_eq!(report["services"]["vm"]["ok"], true, "{:#}", report["services"]);
}

#[test]
fn a_machine_that_does_not_answer_in_time_fails_the_run() {
    for (ready, reason) in [
        ("{ within: 1s }", "vm: it was not ready within 1s: it did not answer ping"),
        ("{ tcp: 22, within: 1s }", "vm: it was not ready within 1s: it took no connection to TCP port 22"),
        ("{ arp: true, within: 1s }", "vm: it was not ready within 1s: it did not answer ARP"),
    ] {
        let text = SCENARIO.replace("10.0.0.9/24]", &format!("10.0.0.9/24], ready: {ready}"));
        let Some(lab) = Lab::new(&text) else { return };
        let ended = lab.run_scenario(&[]);
        assert_eq!(ended.code, 1, "{}", ended.told());
        assert!(ended.told().contains(reason), "{}", ended.told());
    }
}

const GUEST: &str = "\
longwire: 1
nodes:
  a: host
  r: router
  vm: { external: { qemu: vm.sock } }
links:
  lan: { ends: [a, r] }
  wire: { ends: [r, vm], delay: 20ms, loss: 1%, rate: 5Mbit }
services: { web: { in: a, command: [python3, -m, http.server, '80'], ready: { tcp: 80 } } }
";

/// What the guest does each time that it boots.
const INIT: &str = "\
#!/bin/busybox sh
B=/bin/busybox
$B mkdir /proc /sys
$B mount -t proc p /proc
$B mount -t devtmpfs d /dev
for m in virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci failover net_failover virtio_net; do
  $B insmod /lib/$m.ko
done
$B ip link set lo up
$B ip link set eth0 up
$B udhcpc -i eth0 -n -q -t 8 -s /bin/lease
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
  $B ip -6 addr show dev eth0 | $B grep 'scope global' && break
  $B sleep 1
done
$B ping -c 20 -i 0.2 10.0.0.2
$B wget -q -O /blob http://10.0.0.2/blob
$B md5sum /blob
echo GUEST DONE
$B sleep 1
$B reboot -f
";

/// What udhcpc runs.
const LEASE: &str = "\
#!/bin/busybox sh
B=/bin/busybox
[ $1 = bound ] || exit 0
$B ip addr add $ip/$mask dev $interface
$B ip route add default via $router
echo LEASE $ip $router $hostname
";

/// An archive of files for the kernel's first root (cpio's `newc`): names, modes, contents.
fn archive(files: &[(String, u32, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    let end = ("TRAILER!!!".to_owned(), 0, Vec::new());
    for (number, (name, mode, contents)) in files.iter().chain([&end]).enumerate() {
        let fields = [number, *mode as usize, 0, 0, 1, 0, contents.len(), 0, 0, 0, 0, name.len() + 1, 0];
        let fields: String = fields.iter().map(|field| format!("{field:08x}")).collect();
        out.extend(format!("070701{fields}{name}\0").bytes());
        out.resize(out.len().next_multiple_of(4), 0);
        out.extend(contents);
        out.resize(out.len().next_multiple_of(4), 0);
    }
    out
}

/// The file of this name somewhere below a folder.
fn found(folder: &Path, is: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    let mut entries: Vec<_> = fs::read_dir(folder).ok()?.filter_map(Result::ok).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    entries.iter().find_map(|entry| match entry.file_type().ok()? {
        kind if kind.is_dir() => found(&entry.path(), is),
        _ => is(&entry.file_name().to_string_lossy()).then(|| entry.path()),
    })
}

/// A guest at work; it ends with the test.
struct Guest(Child);

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A real guest. `LONGWIRE_GUEST` names a folder in which Debian's kernel for clouds (`linux-image-6.…-cloud-amd64`) and `busybox-static`
/// are unpacked: `LONGWIRE_GUEST=DIR cargo test --test live a_guest_boots -- --ignored`.
#[test]
#[ignore = "boots a real guest in QEMU: LONGWIRE_GUEST names its files"]
fn a_guest_boots_gets_addresses_fetches_a_file_and_does_it_again() {
    boot(GUEST);
}

#[test]
#[ignore = "boots a real guest in QEMU: LONGWIRE_GUEST names its files"]
fn a_guest_boots_and_does_the_same_by_datagrams() {
    boot(&GUEST.replace("qemu: vm.sock", "qemu: { dgram: vm.sock }"));
}

fn boot(scenario: &str) {
    let root = PathBuf::from(std::env::var_os("LONGWIRE_GUEST").expect("LONGWIRE_GUEST names a folder"));
    let Some(lab) = Lab::new(scenario) else { return };
    let find = |is: &dyn Fn(&str) -> bool| found(&root, is).expect("a file of the guest's packages");
    let kernel = find(&|name| name.starts_with("vmlinuz"));
    let read = |name: &str| fs::read(find(&|found| found == name)).unwrap();
    let mut files: Vec<_> = ["bin", "lib"].map(|name| (name.to_owned(), 0o040_755, Vec::new())).into();
    files.push(("bin/busybox".into(), 0o100_755, read("busybox")));
    files.push(("init".into(), 0o100_755, INIT.into()));
    files.push(("bin/lease".into(), 0o100_755, LEASE.into()));
    for module in ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci"] {
        files.push((format!("lib/{module}.ko"), 0o100_644, read(&format!("{module}.ko"))));
    }
    for module in ["failover", "net_failover", "virtio_net"] {
        files.push((format!("lib/{module}.ko"), 0o100_644, read(&format!("{module}.ko"))));
    }
    fs::write(lab.path("initrd"), archive(&files)).unwrap();
    let blob: Vec<u8> = (0..300_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(lab.path("blob"), blob).unwrap();
    let sum = lab.other("md5sum", &["blob"]).output().unwrap().stdout;
    let sum = String::from_utf8(sum).unwrap().split(' ').next().unwrap().to_owned();

    let listing = lab.run(&["check", "--plan", "scenario.yaml"]).stdout;
    let options = listing.split('"').find(|text| text.starts_with("-netdev")).expect("QEMU's options").to_owned();
    let run = lab.start_run(&["--json", "-"]).within(Duration::from_secs(300));
    until("the socket is there", || lab.path("vm.sock").exists());
    let mut qemu = lab.other("qemu-system-x86_64", &["-M", "q35", "-m", "256", "-nographic", "-initrd", "initrd"]);
    qemu.arg("-kernel").arg(kernel).args(["-append", "console=ttyS0 quiet panic=1"]).args(options.split(' '));
    qemu.stdout(fs::File::create(lab.path("console")).unwrap()).stderr(Stdio::inherit());
    let guest = Guest(qemu.spawn().unwrap());
    let begin = Instant::now();
    let said = || String::from_utf8_lossy(&fs::read(lab.path("console")).unwrap()).replace('\r', "");
    while said().matches("GUEST DONE").count() < 2 {
        assert!(begin.elapsed() < Duration::from_secs(240), "it takes too long: {}", said());
        thread::sleep(Duration::from_millis(200));
    }
    drop(guest);
    run.signal(Signal::SIGINT);
    let (said, report) = (said(), run.wait().json());
    assert!(said.matches("LEASE 10.0.1.2 10.0.1.1 vm").count() >= 2, "{said}");
    assert!(said.matches(&format!("{sum}  /blob")).count() >= 2, "{said}");
    let address =
        listing.split("10.0.1.2/24, ").nth(1).and_then(|rest| rest.split('/').next()).expect("its own address");
    assert!(said.matches(address).count() >= 2, "{address}: {said}");
    let node = report["nodes"].as_array().unwrap().iter().find(|node| node["name"] == "r").unwrap();
    assert!(number(&node["dhcp"][0]["acks"]) >= 2 && number(&node["dhcp"][0]["naks"]) == 0, "{node:#}");
    // both directions of 20 ms: no reply is younger than 40 ms
    let fastest = said.split("min/avg/max = ").nth(1).and_then(|rest| rest.split('/').next()).expect("ping's summary");
    assert!(fastest.parse::<f64>().unwrap() >= 40.0, "{fastest}");
}

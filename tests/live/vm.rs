//! Virtual machines behind a Unix socket: a stand-in speaks QEMU's `-netdev stream`, so no VM is needed, and no root and no bridge.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread;

use crate::support::report::{direction, number};
use crate::support::{Lab, until};
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
        let stream = UnixStream::connect(socket).unwrap();
        let mut own = stream.try_clone().unwrap();
        thread::spawn(move || {
            let mut len = [0; 4];
            while own.read_exact(&mut len).is_ok() {
                let mut frame = vec![0; u32::from_be_bytes(len) as usize];
                if own.read_exact(&mut frame).is_err() {
                    return;
                }
                if answer(&mut frame) && own.write_all(&[&len[..], &frame].concat()).is_err() {
                    return;
                }
            }
        });
        StandIn(stream)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

/// Turns a request into its answer, in place.
fn answer(frame: &mut [u8]) -> bool {
    let back = |frame: &mut [u8]| {
        frame.copy_within(6..12, 0);
        frame[6..12].copy_from_slice(&MAC);
    };
    match frame[12..14] {
        // ARP (RFC 826): who has the address?
        [8, 6] if frame[20..22] == [0, 1] && frame[38..42] == ADDRESS => {
            back(frame);
            frame[21] = 2;
            frame.copy_within(22..32, 32);
            frame[22..28].copy_from_slice(&MAC);
            frame[28..32].copy_from_slice(&ADDRESS);
            true
        }
        // an echo request (RFC 792) becomes a reply: 8 less in the type, 8 more in the checksum, with its carry (RFC 1624)
        [8, 0] if frame[23] == 1 && frame[34] == 8 => {
            back(frame);
            let sender: [u8; 4] = frame[26..30].try_into().unwrap();
            frame[30..34].copy_from_slice(&sender);
            frame[26..30].copy_from_slice(&ADDRESS);
            frame[34] = 0;
            let sum = u32::from(u16::from_be_bytes([frame[36], frame[37]])) + 0x0800;
            frame[36..38].copy_from_slice(&((sum + (sum >> 16)) as u16).to_be_bytes());
            true
        }
        _ => false,
    }
}

#[test]
fn a_machine_behind_a_socket_comes_answers_goes_and_comes_back() {
    let Some(lab) = Lab::new(SCENARIO) else { return };
    let run = lab.start_run(&["--json", "-"]);
    let socket = lab.path("vm.sock");
    until("the socket is there", || socket.exists());
    assert_eq!(std::fs::symlink_metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let status = || -> Value {
        let output = lab.longwire(&["status", "--json", &run.pid().to_string()]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    };
    let answered = || number(&direction(&status(), "wire", "a")["delivered"]["frames"]);
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
    let port = &report["ports"].as_array().unwrap()[1];
    let outages = port["outages"].as_array().unwrap();
    let reasons: Vec<_> = outages.iter().map(|outage| outage["reason"].as_str().unwrap()).collect();
    assert_eq!(
        reasons,
        ["no virtual machine has connected", "the virtual machine has closed its connection"],
        "{port:#}"
    );
    assert!(outages.iter().all(|outage| outage["to_ns"].is_u64() || outage["to_ns"].is_i64()), "{port:#}");
    assert!(number(&port["sent"]) > 70 && number(&port["received"]) > 70, "{port:#}");
    // both directions of 5 ms: no reply is younger than 10 ms
    assert!(number(&report["workloads"]["rtt"]["rtt_ns"]["min"]) >= 10_000_000, "{:#}", report["workloads"]);
    let events = report["events"].to_string();
    assert!(events.contains("sent a second virtual machine away"), "{events}");
    assert!(!socket.exists());
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

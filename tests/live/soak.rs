//! A long run of every kind of node, with everything coming and going: memory, descriptors, threads and processes stay flat.
//!
//! `LONGWIRE_SOAK=2h cargo test --release --test live soak:: -- --ignored --nocapture`; by default twenty minutes. The first half, or
//! the first ten minutes of a longer run, is for warming up: workloads keep up to 100,000 samples each, and all of them have
//! that many by then. Needs root.

use std::collections::BTreeMap;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::report::{assert_passed, direction, number};
use crate::support::{Lab, Started, has, is_root};
use serde_json::Value;

/// Time from one look at the processes to the next.
const LOOK: Duration = Duration::from_secs(5);
/// Whatever the length of the run, so much is for warming up at most.
const WARM: Duration = Duration::from_secs(600);
/// Memory that a process may gain beside its 5 %: pages of an allocator, not of a leak.
const SLACK_KIB: f64 = 512.0;

/// `2h`, `20m`, `90s`.
fn length() -> Duration {
    let text = std::env::var("LONGWIRE_SOAK").unwrap_or_else(|_| "20m".into());
    let length: longwire::units::Duration = text.parse().expect("LONGWIRE_SOAK is a duration, as in 2h");
    Duration::from_nanos(length.as_nanos())
}

fn scenario(seconds: u64, other: &str) -> String {
    format!(
        "\
longwire: 1
seed: 13
duration: {seconds}s
nodes:
  a: host
  b: host
  c: host
  d: host
  e: {{ host: {{ addresses: [10.99.0.1/24] }} }}
  sw: {{ switch: {{ vlans: {{}} }} }}
  box: {{ external: {{ netns: {other}, interface: lw9, addresses: [10.99.0.9/24] }} }}
  vm: {{ external: {{ tap: lw8, addresses: [10.99.0.8/24] }} }}
  hub: hub
  edge: switch
  r: router
  gw: {{ router: {{ nat: out, firewall: {{ default: drop, rules: [{{ allow: {{ in: in }} }}, {{ allow: {{ protocol: icmp }} }}] }} }} }}
  net: {{ cloud: {{ regions: [x, y], delay: {{ x: {{ y: 5ms }} }}, loss: {{ x: {{ y: 0.1% }} }} }} }}
links:
  la: {{ ends: [a, sw], rate: 20Mbit, queue: fq_codel, delay: {{ mean: 2ms, jitter: 1ms }} }}
  lb: {{ ends: [b, sw], rate: 20Mbit, queue: {{ red: {{ limit: 400kB }} }}, loss: 0.1% }}
  up: {{ ends: [sw, gw.in], rate: 50Mbit, queue: pie, duplicate: 0.1%, corrupt: 0.01% }}
  out: {{ ends: [gw.out, r], delay: 3ms, reorder: 0.1% }}
  lc: {{ ends: [c, hub], rate: 10Mbit, half_duplex: true }}
  lh: {{ ends: [hub, r] }}
  rx: {{ ends: [r, net.x] }}
  ld: {{ ends: [d, net.y], rate: 10Mbit, queue: codel }}
  le: {{ ends: [e, edge], delay: 1ms }}
  lbox: {{ ends: [box, edge], delay: 1ms }}
  lvm: {{ ends: [vm, edge], delay: 1ms }}
capture: {{ links: [la, le], size: 16MiB, snap: 96B }}
services:
  programs: {{ in: b, shell: \"while sleep 0.3; do sh -c 'echo gone'; done\" }}
  web: {{ in: d, command: [python3, -m, http.server, '80'], ready: {{ tcp: 80 }} }}
  pages: {{ in: c, shell: \"while sleep 1; do curl -s -m 5 -o /dev/null http://d/; done\" }}
workloads:
  near: {{ ping: {{ from: a, to: b, every: 5ms }} }}
  far: {{ ping: {{ from: a, to: d, every: 5ms }} }}
  box-rtt: {{ ping: {{ from: e, to: 10.99.0.9, every: 5ms }} }}
  vm-rtt: {{ ping: {{ from: e, to: 10.99.0.8, every: 5ms }} }}
  call: {{ udp: {{ from: c, to: d, rate: 1Mbit, size: 500B }} }}
  bulk: {{ tcp: {{ from: b, to: a }} }}
timeline:
  - {{ from: 7s, to: {end}s, flap: {{ link: lc, every: 20s, for: 500ms }} }}
  - {{ every: 15s, from: 4s, run: {{ name: tick, in: a, shell: date }} }}
  - {{ every: 60s, from: 10s, rebind: gw }}
expect:
  - near.received > 0
  - far.received > 0
  - call.received > 0
  - bulk.goodput > 1Mbit
",
        end = seconds - 3,
    )
}

/// A process in a network namespace of its own, for as long as the test.
struct Machine(Child);

impl Machine {
    fn start(lab: &Lab) -> Machine {
        let _ = fs::remove_file(lab.path("ready"));
        let mut unshare = Command::new("unshare");
        unshare
            .args(["-n", "sh", "-c", "ip link set lo up; touch ready; exec sleep 1000000"])
            .current_dir(lab.path(""));
        let machine = Machine(unshare.spawn().expect("started"));
        lab.until_file("ready");
        machine
    }

    /// What goes before a command that is to be in it.
    fn enter(&self) -> [String; 4] {
        ["nsenter", "-t", &self.0.id().to_string(), "-n"].map(String::from)
    }

    /// A shell's commands in it, whatever becomes of them: interfaces come and go.
    fn shell(&self, commands: &str) {
        let [program, arguments @ ..] = self.enter();
        let mut command = Command::new(program);
        command.args(arguments).args(["sh", "-c", commands]).stderr(Stdio::null());
        command.status().expect("run");
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes interface `name` with the machine's address `last` usable.
fn addressed(name: &str, last: u8) -> String {
    format!(
        "ip link set {name} address 02:00:00:00:00:0{last}; ip addr add 10.99.0.{last}/24 dev {name}; ip link set {name} up"
    )
}

/// What one process holds.
#[derive(Clone, Debug, Default)]
struct Held {
    kib: f64,
    descriptors: usize,
    threads: usize,
}

impl Held {
    /// `None` where it has just ended.
    fn of(pid: u32) -> Option<(String, Held)> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let kib = line("VmRSS:")?.strip_suffix("kB")?.trim().parse().ok()?;
        let threads = line("Threads:")?.parse().ok()?;
        let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
        let name = format!("{} {pid}", line("Name:")?);
        Some((name, Held { kib, descriptors, threads }))
    }
}

/// All processes of the run at one time.
struct Look {
    at: Duration,
    held: BTreeMap<String, Held>,
}

impl Look {
    fn at(lab: &Lab, begin: Instant) -> Look {
        let held = lab.traces().processes.into_iter().filter_map(Held::of).collect();
        Look { at: begin.elapsed(), held }
    }
}

/// Does what people do, one round a second, and looks every few seconds, until the run has ended; the looks, and how many rounds.
fn disturb(lab: &Lab, run: &mut Started, here: &Machine, there: &Machine) -> (Vec<Look>, u64) {
    let (begin, pid, longwire) = (Instant::now(), run.pid().to_string(), env!("CARGO_BIN_EXE_longwire"));
    let host = format!("{pid}/a");
    let [program, enter @ ..] = here.enter();
    let ask = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.args(&enter).arg(longwire).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().expect("run").success()
    };
    let (mut looks, mut looked, mut answered) = (Vec::new(), Instant::now(), 0_u64);
    for round in 0_u64.. {
        let (loss, rate) = (format!("lb.loss={}%", round % 5), format!("la.rate={}Mbit", 15 + round % 10));
        answered += u64::from(ask(&["set", &pid, &loss, &rate]));
        match round % 20 {
            3 => here.shell("ip link del lw8"),
            8 => here.shell(&format!("ip tuntap add lw8 mode tap; {}", addressed("lw8", 8))),
            13 => there.shell("ip link del lw9"),
            18 => there.shell(&format!("ip tuntap add lw9 mode tap; {}", addressed("lw9", 9))),
            n if n % 5 == 0 => drop(ask(&["exec", &host, "--", "true"])),
            n if n % 5 == 1 => drop(ask(&["status", &pid])),
            _ => {}
        }
        sleep(Duration::from_secs(1));
        if !run.runs() {
            println!("{answered} of {} changes were made", round + 1);
            assert!(answered + 5 > round, "{answered} of {round} changes were made");
            return (looks, round);
        }
        if looked.elapsed() > LOOK {
            looked = Instant::now();
            looks.push(Look::at(lab, begin));
        }
    }
    unreachable!("rounds do not end by themselves")
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Two windows: the beginning and the end of what is left after warming up, without the looks at a run that ends.
fn windows(looks: &[Look]) -> (&[Look], &[Look]) {
    let whole = looks.last().expect("it was looked at").at.saturating_sub(3 * LOOK);
    let looks = &looks[..looks.partition_point(|look| look.at < whole)];
    let warm = looks.partition_point(|look| look.at < WARM.min(whole / 2));
    let rest = &looks[warm..];
    let quarter = rest.len().div_ceil(4);
    (&rest[..quarter], &rest[rest.len() - quarter..])
}

/// Memory of each process that was there from beginning to end: in five places, and what it gains.
fn assert_memory_is_flat(looks: &[Look]) {
    let (first, last) = windows(looks);
    let kib = |looks: &[Look], name: &str| median(looks.iter().filter_map(|l| Some(l.held.get(name)?.kib)).collect());
    let mut grown = Vec::new();
    for name in first[0].held.keys().filter(|name| last.iter().all(|look| look.held.contains_key(*name))) {
        let course = looks.chunks(looks.len().div_ceil(8)).map(|part| format!("{:.1}", kib(part, name) / 1024.0));
        let (from, to) = (kib(first, name), kib(last, name));
        println!("{name}: {} MiB; {:+.2} %", course.collect::<Vec<_>>().join(" "), (to / from - 1.0) * 100.0);
        if to > from * 1.05 + SLACK_KIB {
            grown.push(format!("{name} from {from} to {to} KiB"));
        }
    }
    assert!(grown.is_empty(), "memory grows: {grown:?}");
}

/// Of processes that were there at the look before as well: those that a service or the timeline starts again and again are gone by then,
/// and those that were left behind are not.
fn assert_counts_are_flat(looks: &[Look]) {
    let (first, last) = windows(looks);
    type Count = fn(&Held) -> usize;
    let counts: [(&str, Count); 3] =
        [("processes", |_| 1), ("threads", |held| held.threads), ("descriptors", |held| held.descriptors)];
    let mut grown = Vec::new();
    for (what, count) in counts {
        let of = |pair: &[Look]| {
            let stayed = pair[1].held.iter().filter(|(name, _)| pair[0].held.contains_key(*name));
            stayed.map(|(_, held)| count(held)).sum::<usize>()
        };
        let least = |looks: &[Look]| looks.windows(2).map(of).min().expect("looks");
        let (from, to) = (least(first), least(last));
        println!("{what}: at least {from}, then {to}");
        if to > from {
            grown.push(format!("{what} from {from} to {to}"));
        }
    }
    assert!(grown.is_empty(), "grown: {grown:?}");
}

#[test]
#[ignore = "takes minutes to hours: LONGWIRE_SOAK=2h"]
fn everything_stays_flat() {
    if !is_root() || !["unshare", "nsenter", "ip", "python3", "curl"].into_iter().all(has) {
        return;
    }
    let Some(lab) = Lab::new("") else { return };
    let (here, there) = (Machine::start(&lab), Machine::start(&lab));
    let seconds = length().as_secs();
    lab.write("scenario.yaml", &scenario(seconds, &there.0.id().to_string()));
    let enter = here.enter();
    let longwire = [env!("CARGO_BIN_EXE_longwire"), "run", "scenario.yaml", "--json", "report.json", "--out", "out"];
    let words: Vec<&str> = enter[1..].iter().map(String::as_str).chain(longwire).collect();
    let mut run = lab.start(lab.other(&enter[0], &words)).within(length() + Duration::from_secs(60));
    crate::support::until("the first captures are there", || lab.path("out/captures/la.pcapng").exists());
    here.shell(&addressed("lw8", 8));
    let (looks, rounds) = disturb(&lab, &mut run, &here, &there);
    let ended = run.wait();
    assert_memory_is_flat(&looks);
    assert_counts_are_flat(&looks);
    let report: Value = serde_json::from_str(&lab.read("report.json")).expect("a report");
    crate::support::report::check(&report, ended.code);
    assert_passed(ended.code, &report);
    // what came and went did so
    for (port, name) in [("box", "lw9"), ("vm", "lw8")] {
        let ports = report["ports"].as_array().expect("ports");
        let port = ports.iter().find(|p| p["host"] == port && p["interface"] == name).expect("a port");
        let outages = port["outages"].as_array().map_or(0, Vec::len) as u64;
        assert!(outages + 2 >= rounds / 20, "{outages} outages of {name} in {rounds} rounds");
    }
    assert!(number(&direction(&report, "lc", "c")["dropped"]["link_down"]) > 0);
    println!("{} KiB of report after {seconds} s", lab.read("report.json").len() / 1024);
}

//! One measurement through a counterpart of longwire: hosts, carrier, traffic, all in this process and its children.

use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use longwire::host::NamespaceFds;
use longwire::port::tap::TapPort;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::hosts::{ADDRESSES, Hosts, NAMES, Running, program};
use super::job::{Carrier, Job, Measured, Raw, Stop, Traffic};
use super::{emulator, raw, tcp, udp};

/// Carries out a job. This process must have one thread.
pub(crate) fn run(job: &Job) -> Result<Measured, Stop> {
    match &job.carrier {
        Carrier::Raw(raw) => through_loop(*raw, &job.traffic),
        Carrier::Wire(options) => through_wire(options, &job.traffic),
        Carrier::Veth(netem) => through_veth(netem.as_deref(), &job.traffic),
        Carrier::Wirefilter(arguments) => through_wirefilter(arguments, &job.traffic),
        Carrier::Longwire(_) => Err(Stop::Failed("longwire is measured through its own program".into())),
    }
}

fn send(hosts: &mut Hosts, traffic: &Traffic) -> Result<Measured, Stop> {
    match traffic {
        Traffic::Udp(flow) => udp::run(hosts, flow),
        Traffic::Tcp(flow) => {
            let [sender, receiver] = tcp::ends(ADDRESSES[1], flow);
            let mut receiver = hosts.start(NAMES[1], program(super::part("tcp", &receiver)?))?;
            let _sender = hosts.start(NAMES[0], program(super::part("tcp", &sender)?))?;
            let received: tcp::Received = receiver.line()?;
            Ok(Measured { goodput_bps: Some(received.goodput_bps()), ..Measured::default() })
        }
    }
}

fn through_loop(raw: Raw, traffic: &Traffic) -> Result<Measured, Stop> {
    let (mut hosts, taps) = Hosts::make(Some(raw.framing))?;
    let taps: [TapPort; 2] = taps.try_into().map_err(|_| Stop::Failed("two TAPs were asked for".into()))?;
    let stop = EventFd::from_flags(EfdFlags::EFD_CLOEXEC).map_err(Stop::at("making an eventfd"))?;
    let (measured, carried) = std::thread::scope(|scope| {
        let carrying = scope.spawn(|| raw::carry(&taps, raw, &stop));
        let measured = send(&mut hosts, traffic);
        stop.write(1).map_err(Stop::at("ending the loop"))?;
        let carried = carrying.join().expect("the loop does not panic").map_err(Stop::at("copying frames"))?;
        Ok::<_, Stop>((measured?, carried))
    })?;
    let measured = Measured {
        cpu_ns: carried.cpu_ns,
        frames: Some(carried.frames),
        ring_drops: Some(hosts.ring_drops()?),
        ..measured
    };
    drop(taps);
    hosts.end()?;
    Ok(measured)
}

/// In a network of its own, which holds the ends that longwire takes.
fn through_wire(options: &[String], traffic: &Traffic) -> Result<Measured, Stop> {
    const ENDS: [&str; 2] = ["eth1", "eth2"];
    need_veth()?;
    let (mut hosts, _) = Hosts::make(None)?;
    let namespaces = hosts.namespaces()?;
    unshare(CloneFlags::CLONE_NEWNET).map_err(Stop::at("making a network"))?;
    for (end, host) in ENDS.iter().zip(&namespaces) {
        add_veth(end, host)?;
    }
    drop(namespaces);
    hosts.configure()?;
    let words = ["wire", ENDS[0], ENDS[1], "--json", "-"].into_iter().chain(options.iter().map(String::as_str));
    let mut command = emulator::command(&words.collect::<Vec<_>>());
    let mut longwire = command.stdout(Stdio::null()).spawn().map_err(Stop::at("starting longwire"))?;
    let measured = ping(&mut hosts).and_then(|()| send(&mut hosts, traffic));
    // our own child, not waited for
    kill(Pid::from_raw(longwire.id().cast_signed()), Signal::SIGINT).map_err(Stop::at("ending longwire"))?;
    longwire.wait().map_err(Stop::at("waiting for longwire"))?;
    hosts.end()?;
    measured
}

fn need_veth() -> Result<(), Stop> {
    need(&["ip"])?;
    match nix::unistd::geteuid().is_root() {
        true => Ok(()),
        false => Err(Stop::Missing("a veth pair between two namespaces needs root".into())),
    }
}

fn through_veth(netem: Option<&str>, traffic: &Traffic) -> Result<Measured, Stop> {
    need_veth()?;
    let (mut hosts, _) = Hosts::make(None)?;
    let namespaces = hosts.namespaces()?;
    std::thread::scope(|scope| scope.spawn(|| join_by_veth(&namespaces)).join().expect("it does not panic"))?;
    drop(namespaces);
    hosts.configure()?;
    if let Some(arguments) = netem {
        need(&["tc"])?;
        for host in NAMES {
            let complaint = hosts.run(host, &format!("tc qdisc add dev eth0 root netem {arguments}"))?;
            match complaint.trim() {
                "" => {}
                unknown if unknown.contains("unknown") => {
                    return Err(Stop::Missing("this kernel has no sch_netem".into()));
                }
                other => return Err(Stop::Failed(format!("tc: {other}"))),
            }
        }
    }
    ping(&mut hosts)?;
    let measured = send(&mut hosts, traffic)?;
    hosts.end()?;
    Ok(measured)
}

/// Makes `eth0` in both hosts. The thread stays in the first one's network, and should end.
fn join_by_veth([a, b]: &[NamespaceFds; 2]) -> Result<(), Stop> {
    setns(&a.network, CloneFlags::CLONE_NEWNET).map_err(Stop::at("entering a host"))?;
    add_veth("eth0", b)
}

/// Makes a pair: `end` in this thread's network, and `eth0` in a host.
fn add_veth(end: &str, host: &NamespaceFds) -> Result<(), Stop> {
    let other = format!("/proc/{}/fd/{}", std::process::id(), host.network.as_raw_fd());
    let status = Command::new("ip")
        .args(["link", "add", end, "type", "veth", "peer", "name", "eth0", "netns", &other])
        .status()
        .map_err(Stop::at("starting ip"))?;
    if status.success() { Ok(()) } else { Err(Stop::Missing("this kernel makes no veth pair".into())) }
}

fn through_wirefilter(arguments: &[String], traffic: &Traffic) -> Result<Measured, Stop> {
    need(&["vde_switch", "wirefilter", "ip"])?;
    let directory = super::scratch();
    let (mut hosts, _) = Hosts::make(None)?;
    let mut kept: Vec<Running> = Vec::new();
    for host in NAMES {
        let command = format!("vde_switch -n 4 -s {directory}/{host} -t eth0");
        kept.push(start_and_wait(&mut hosts, host, &command, &format!("{directory}/{host}/ctl"))?);
    }
    hosts.configure()?;
    let plugs = format!("{directory}/{}:{directory}/{}", NAMES[0], NAMES[1]);
    let words: Vec<&str> =
        ["wirefilter", "-v", &plugs].into_iter().chain(arguments.iter().map(String::as_str)).collect();
    kept.push(hosts.start_program(NAMES[0], &words)?);
    ping(&mut hosts)?;
    let measured = send(&mut hosts, traffic)?;
    // All of them end when their standard input does.
    drop(kept);
    hosts.end()?;
    Ok(measured)
}

/// Waits until the hosts reach each other.
fn ping(hosts: &mut Hosts) -> Result<(), Stop> {
    for _ in 0..10 {
        let report = udp::ping(hosts, 500_000_000)?;
        if report.received > 0 {
            return Ok(());
        }
    }
    Err(Stop::Failed("nothing comes through".into()))
}

/// Starts a program that makes `file` once it is ready.
fn start_and_wait(hosts: &mut Hosts, host: &str, command: &str, file: &str) -> Result<Running, Stop> {
    let running = hosts.start_program(host, &command.split_whitespace().collect::<Vec<_>>())?;
    let begun = std::time::Instant::now();
    while !std::fs::exists(file).unwrap_or(false) {
        if begun.elapsed().as_secs() >= 5 {
            return Err(Stop::Failed(format!("`{command}` did not get ready")));
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    Ok(running)
}

/// Looks for programs in `PATH`.
fn need(programs: &[&str]) -> Result<(), Stop> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    for program in programs {
        if !std::env::split_paths(&path).any(|directory| directory.join(program).is_file()) {
            return Err(Stop::Missing(format!("`{program}` is not installed here")));
        }
    }
    Ok(())
}

//! Two hosts, `a` and `b`, made through the library for the counterparts, and what runs in them.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, OwnedFd};

use longwire::addressing::network::{HostPlan, HostsFile, InterfacePlan, NetworkPlan, Place};
use longwire::host::{Init, NamespaceFds, Program, Spawn, Stdio, What};
use longwire::port::Port;
use longwire::port::tap::{Framing, TapPort};
use longwire::units::Duration;
use longwire::workload;
use serde::de::DeserializeOwned;

use super::job::Stop;

/// Names of the two hosts. Traffic goes from the first to the second.
pub(crate) const NAMES: [&str; 2] = ["a", "b"];
/// Their addresses, in a network of 24 bits.
pub(crate) const ADDRESSES: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(10, 77, 0, 1)), IpAddr::V4(Ipv4Addr::new(10, 77, 0, 2))];
/// Their hardware addresses.
const MACS: [[u8; 6]; 2] = [[2, 0, 0, 77, 0, 1], [2, 0, 0, 77, 0, 2]];

/// The two hosts.
pub(crate) struct Hosts {
    init: Init,
    next: u64,
}

/// A program in a host.
pub(crate) struct Running {
    input: File,
    output: BufReader<File>,
}

impl Hosts {
    /// Makes them, each with a TAP `eth0`; with no interface where the carrier brings its own.
    pub(crate) fn make(framing: Option<Framing>) -> Result<(Hosts, Vec<TapPort>), Stop> {
        let mut init = Init::start(workload::main)?;
        let hosts = (0..2).map(|n| HostPlan {
            name: NAMES[n].into(),
            place: Place::Namespace,
            offloads: true,
            interfaces: framing.map(|_| interface(n)).into_iter().collect(),
            hosts_file: HostsFile { all: "127.0.0.1 localhost\n".into(), ..HostsFile::default() },
            ..HostPlan::default()
        });
        let taps = init.build(&NetworkPlan { hosts: hosts.collect() }, framing.unwrap_or_default())?;
        Ok((Hosts { init, next: 1 }, taps.into_iter().flatten().filter_map(Port::into_tap).collect()))
    }

    /// Starts traffic in a host. Its error output is this process's.
    pub(crate) fn start(&mut self, host: &str, what: What) -> Result<Running, Stop> {
        let stderr = std::io::stderr().as_fd().try_clone_to_owned().map_err(Stop::at("keeping standard error"))?;
        self.spawn(host, what, Some(stderr))
    }

    /// Starts a program of the machine, given as words, in a host. Its error output is part of its output.
    pub(crate) fn start_program(&mut self, host: &str, words: &[&str]) -> Result<Running, Stop> {
        self.spawn(host, program(words.iter().map(|&word| word.into()).collect()), None)
    }

    fn spawn(&mut self, host: &str, what: What, stderr: Option<OwnedFd>) -> Result<Running, Stop> {
        let (input, ours) = pipe()?;
        let (output, theirs) = pipe()?;
        let stderr = match stderr {
            Some(stderr) => stderr,
            None => theirs.try_clone().map_err(Stop::at("joining a program's outputs"))?,
        };
        let stdio = Stdio { stdin: Some(input), stdout: Some(theirs), stderr: Some(stderr) };
        self.init
            .spawn(Spawn { id: self.next, host: host.into(), what, stdio })
            .map_err(Stop::at(&format!("starting a program in `{host}`")))?;
        self.next += 1;
        Ok(Running { input: ours.into(), output: BufReader::new(output.into()) })
    }

    /// Runs a program of the machine to its end, and returns all that it wrote.
    pub(crate) fn run(&mut self, host: &str, command: &str) -> Result<String, Stop> {
        self.start_program(host, &command.split_whitespace().collect::<Vec<_>>())?.rest()
    }

    /// Gives each host's `eth0`, which stands there, its address, and switches it on.
    pub(crate) fn configure(&mut self) -> Result<(), Stop> {
        for (host, address) in NAMES.iter().zip(ADDRESSES) {
            for command in [format!("ip address add {address}/24 dev eth0"), "ip link set eth0 up".into()] {
                let complaint = self.run(host, &command)?;
                if !complaint.is_empty() {
                    return Err(Stop::Failed(format!("`{command}`: {}", complaint.trim())));
                }
            }
        }
        Ok(())
    }

    /// The namespaces of both.
    pub(crate) fn namespaces(&mut self) -> Result<[NamespaceFds; 2], Stop> {
        Ok([self.init.namespaces(NAMES[0])?, self.init.namespaces(NAMES[1])?])
    }

    /// Frames that the hosts' TAPs have dropped since their rings were full.
    pub(crate) fn ring_drops(&mut self) -> Result<u64, Stop> {
        Ok(self.init.statistics()?.iter().flatten().flatten().map(|interface| interface.tx_dropped).sum())
    }

    /// Takes them away.
    pub(crate) fn end(self) -> Result<(), Stop> {
        self.init.shutdown(Duration::ZERO)?;
        Ok(())
    }
}

fn interface(n: usize) -> InterfacePlan {
    InterfacePlan {
        gateways: Vec::new(),
        name: "eth0".into(),
        link: "wire".into(),
        mac: MACS[n],
        mtu: 1500,
        addresses: vec![format!("{}/24", ADDRESSES[n]).parse().expect("an address")],
        neighbours: [(ADDRESSES[1 - n], MACS[1 - n])].into_iter().collect(),
    }
}

/// A program of the machine, as the run's root.
pub(crate) fn program(argv: Vec<String>) -> What {
    let env = vec![("PATH".into(), "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into())];
    What::Program(Program { argv, env, cwd: None, root: true })
}

fn pipe() -> Result<(OwnedFd, OwnedFd), Stop> {
    nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(Stop::at("making a pipe"))
}

impl Running {
    /// Writes a line to it.
    pub(crate) fn tell(&mut self, line: &str) -> Result<(), Stop> {
        writeln!(self.input, "{line}").map_err(Stop::at("telling a program"))
    }

    /// The next line that it writes, as JSON.
    pub(crate) fn line<T: DeserializeOwned>(&mut self) -> Result<T, Stop> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(0) => Err(Stop::Failed("a program in a host ended without an answer".into())),
            Ok(_) => serde_json::from_str(&line).map_err(Stop::at(&format!("reading {:?}", line.trim_end()))),
            Err(error) => Err(Stop::at("hearing from a program")(error)),
        }
    }

    /// All that it writes until its end.
    pub(crate) fn rest(mut self) -> Result<String, Stop> {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut self.output, &mut text).map_err(Stop::at("hearing from a program"))?;
        Ok(text)
    }
}

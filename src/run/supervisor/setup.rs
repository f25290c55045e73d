//! What stands before anything runs in it: hosts, sockets, the engine, captures.

use std::path::Path;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use super::{Log, Options, RunError, asked};
use crate::engine::NodeId;
use crate::host::{Hook, Init, Presence};
use crate::port::Port;
use crate::port::tap::Framing;
use crate::report::confinement::Confinement;
use crate::report::json::Machine;
use crate::report::status::RunInfo;
use crate::run::captures::{Captures, Prepared};
use crate::run::control::Control;
use crate::run::forward::Forwards;
use crate::run::live::{Live, LivePort, LogSender, Pace};
use crate::run::{conclusion, confinement, ports, uplink};
use crate::tasks::resolved::Resolved;

/// What a run works with.
pub(super) struct Parts<'a> {
    pub(super) init: Init,
    /// What runs on the machine itself while the network stands.
    pub(super) hook: Option<Hook>,
    pub(super) signals: SignalFd,
    /// The processes whose namespaces are joined, by host.
    pub(super) machines: Vec<Option<Presence>>,
    pub(super) forwards: Forwards<'a>,
    pub(super) control: Control,
    pub(super) info: RunInfo,
    pub(super) live: Live,
    pub(super) log: Option<Log>,
}

/// What only its report needs.
pub(super) struct ForReport {
    pub(super) captures: Option<Captures>,
    /// By port.
    pub(super) offloads: Vec<Vec<&'static str>>,
    pub(super) machine: Machine,
    /// What the run has given up; `None` in a guest.
    pub(super) confinement: Option<Confinement>,
}

/// Makes the network, at rest. Must be called while the process has one thread.
pub(super) fn network<'a>(resolved: &'a Resolved, options: &Options) -> Result<(Parts<'a>, ForReport), RunError> {
    let user = options.inside.as_ref().map(|inside| inside.user.clone());
    // as the caller has made this process: with its signals, and its limit of open files
    let hook = options.on_up.as_deref().map(Hook::new).transpose()?;
    let mut init = Init::start_for(crate::workload::main, user)?;
    let signals = take_signals()?;
    let mut machines = ports::watch(&resolved.network);
    // Processes that serve a run without rights are forked while it has them.
    if let (Some(out), None) = (&options.out, &options.inside) {
        out.give_up()?;
    }
    let forwards = Forwards::listen(resolved)?;
    let taps = init.build(&resolved.network, Framing::VirtioNet)?;
    ports::watch_containers(&resolved.network, &mut init, &mut machines);
    init.enter_containers(&resolved.network, resolved.inhabited())?;
    let stem = Path::new(&options.file).file_stem().map_or_else(|| "run".into(), |s| s.to_string_lossy().into_owned());
    let control = asked::listen(resolved, &stem, &mut init)?;
    let (live_ports, offloads) = live_ports(resolved, taps);
    let (sender, log) = match &options.out {
        Some(out) => {
            let (sender, batches) = LogSender::new();
            (Some(sender), Some(Log::new(out.clone(), batches)))
        }
        None => (None, None),
    };
    let (prepared, tape) = match (&resolved.scenario.capture, &options.out) {
        (Some(capture), Some(out)) => {
            let made = Prepared::new(resolved, capture, out).map_err(RunError::machine("write the captures"))?;
            (Some(made.0), Some(made.1))
        }
        _ => (None, None),
    };
    // users' names come from files and services that a run may not ask
    let info = asked::info(resolved, &options.file, &control.name);
    let machine = conclusion::machine();
    let pace = match options.inside {
        Some(_) => Pace::Virtual,
        None => Pace::Live(resolved.scenario.timing),
    };
    // a guest is confined as a whole
    let confine = || options.inside.is_none().then(|| confinement::begin(&init)).transpose();
    let plan = uplink::deny_machine(&resolved.plan, &resolved.network);
    let plan = plan.map_err(RunError::machine("read the machine's own addresses"))?;
    let (live, confinement) =
        Live::start(&plan, pace, live_ports, (sender, tape), confine).map_err(RunError::machine("start the engine"))?;
    let captures = prepared.map(|prepared| prepared.start(resolved, live.clock)).transpose();
    let captures = captures.map_err(RunError::machine("write the captures"))?;
    let parts = Parts { init, hook, signals, machines, forwards, control, info, live, log };
    Ok((parts, ForReport { captures, offloads, machine, confinement }))
}

/// What the engine reads from and writes to, and what each of them offloads.
fn live_ports(resolved: &Resolved, devices: Vec<Vec<Port>>) -> (Vec<LivePort>, Vec<Vec<&'static str>>) {
    let mut devices: Vec<Vec<Option<Port>>> =
        devices.into_iter().map(|host| host.into_iter().map(Some).collect()).collect();
    let ports = resolved.ports.iter().map(|port| {
        let name = resolved.network.hosts[port.host].interfaces[port.interface].name.clone();
        let device = devices[port.host].get_mut(port.interface).and_then(Option::take);
        let offloads = device.as_ref().map(Port::offloads).unwrap_or_default();
        (LivePort { node: NodeId(port.node as u32), name, device }, offloads)
    });
    ports.unzip()
}

/// From here on signals are read, not delivered. A second one while the run is being taken down ends it at once.
fn take_signals() -> Result<SignalFd, RunError> {
    let mut mask = SigSet::empty();
    mask.extend([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]);
    let take = || {
        mask.thread_block()?;
        SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
    };
    take().map_err(|errno: nix::errno::Errno| RunError::Machine { doing: "take signals", error: errno.into() })
}

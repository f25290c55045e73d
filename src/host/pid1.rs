//! Init: process 1 of the run's PID namespace. It makes the hosts, forks the programs, and takes everything along when it
//! ends.
//!
//! It has one thread for life, so it may fork and change namespaces as it likes. Between two requests it stands in an empty
//! network namespace of its own.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::CloneFlags;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use super::configure::{self, InterfaceStatistics};
use super::error::{HostError, SpawnError};
use super::first::{self, First, Forker};
use super::identity::{self, Identity};
use super::namespace::NamespaceFds;
use super::netlink::Netlink;
use super::programs::Programs;
use super::protocol::{DefaultRoute, Event, ProgramId, Reply, Request, RouteBefore};
use super::restore::Restorer;
use super::spawn::{self, Builtin, Launch, What, Who};
use super::{message, mount, namespace, run_dir, sockets, sysctl};
use crate::addressing::neighbour_table::Neighbour;
use crate::addressing::network::{HostPlan, Limits};
use crate::port::tap::{Framing, TapInfo, TapPort};

/// TAPs that one process closes when the run ends, one after the other: each waits for a grace period of RCU, 10 to 20 ms.
const TAPS_PER_HOLDER: usize = 8;

/// How long killed programs get to be gone; only one that hangs inside the kernel needs any of it.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

/// What init is born with.
pub(crate) struct Birth {
    pub(crate) socket: OwnedFd,
    pub(crate) identity: Identity,
    /// The main process's user and group, to be mapped to root; `None` without a user namespace of its own.
    pub(crate) outside: Option<(u32, u32)>,
    pub(crate) builtin: Builtin,
    pub(crate) builtins_as_root: bool,
    pub(crate) open_files: Option<u64>,
}

/// Where init itself stands.
struct Base {
    network: OwnedFd,
    mounts: OwnedFd,
    processes: OwnedFd,
    forker: Forker,
}

struct Host {
    own: NamespaceFds,
    first: First,
    netlink: Netlink,
    indices: Vec<u32>,
    restorer: Restorer,
    limits: Limits,
    /// The control groups that its programs join.
    groups: Vec<OwnedFd>,
}

struct Pid1 {
    birth: Birth,
    base: Base,
    children: SignalFd,
    /// Tells which hosts' interfaces have changed, and whose process 1 has ended: [`Change`].
    changes: Epoll,
    watched: Vec<String>,
    hosts: BTreeMap<String, Host>,
    /// The neighbours on each segment, by its number.
    segments: BTreeMap<usize, Arc<[Neighbour]>>,
    programs: Programs,
    ipv6: bool,
    /// Programs may be the machine's user 0, who owns the kernel's settings.
    guarded: bool,
    /// TAPs that no holder has yet.
    held: Vec<OwnedFd>,
}

/// What is known about a host's TAPs, and their descriptors.
type Taps = (Vec<TapInfo>, Vec<OwnedFd>);

/// What init woke up for.
#[derive(Default)]
struct Woken {
    /// The main process asks for something.
    asked: bool,
    /// A child has died.
    died: bool,
    /// An interface or a route of a host is no more what it was.
    changed: bool,
}

/// What is told by an event of [`Pid1::changes`]: a host by its position in `watched`, and what of it.
#[derive(Clone, Copy)]
enum Change {
    Interface(usize),
    FirstEnded(usize),
}

impl Change {
    const fn to_data(self) -> u64 {
        match self {
            Change::Interface(host) => (host as u64) << 1,
            Change::FirstEnded(host) => (host as u64) << 1 | 1,
        }
    }

    const fn from_data(data: u64) -> Change {
        let host = (data >> 1) as usize;
        if data & 1 == 0 { Change::Interface(host) } else { Change::FirstEnded(host) }
    }
}

/// The socket is closed or broken: the main process is gone.
struct MainIsGone;

/// Lives as init, in the child that [`namespace::fork_into`] made.
pub(crate) fn live(birth: Birth) -> ! {
    // The main process's end of the socket among them: otherwise its end would never be seen.
    spawn::close_all_but(&[birth.socket.as_fd()]);
    let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if let Ok(mut pid1) = Pid1::set_up(birth) {
            let MainIsGone = pid1.serve();
        }
    }));
    // SAFETY: _exit takes no pointers and does not return. The kernel kills every process of the namespace with init.
    unsafe { libc::_exit(if ended.is_ok() { 0 } else { 101 }) }
}

impl Pid1 {
    fn set_up(birth: Birth) -> Result<Pid1, MainIsGone> {
        match Pid1::prepare(&birth) {
            Ok((base, children, changes, proc)) => {
                message::send(&birth.socket, &Reply::Ready, &[]).map_err(|_| MainIsGone)?;
                let (hosts, segments) = Default::default();
                let ipv6 = sysctl::has_ipv6();
                let guarded = birth.outside.map_or_else(|| identity::effective().0, |(uid, _)| uid) == 0;
                Ok(Pid1 {
                    birth,
                    base,
                    children,
                    changes,
                    watched: Vec::new(),
                    hosts,
                    segments,
                    programs: Programs::new(proc),
                    ipv6,
                    guarded,
                    held: Vec::new(),
                })
            }
            Err(error) => {
                let _ = message::send(&birth.socket, &Reply::Failed(error), &[]);
                Err(MainIsGone)
            }
        }
    }

    fn prepare(birth: &Birth) -> Result<(Base, SignalFd, Epoll, bool), HostError> {
        if let Some(outside) = birth.outside {
            identity::map_to_root(outside)
                .map_err(|e| HostError::user_namespace("map this user into a user namespace", e))?;
        }
        // After the changes of credentials, which would clear it (prctl(2)).
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(|e| HostError::os("tie init to its parent", e))?;
        // The parent may have died before: its end of the socket then reads as closed.
        if message::is_closed(&birth.socket) {
            return Err(HostError::ended("the main process ended"));
        }
        // No key of the terminal reaches it.
        nix::unistd::setsid().map_err(|e| HostError::os("leave the terminal's session", e))?;
        spawn::mute().map_err(|e| HostError::os("open /dev/null", e))?;
        spawn::reset_signals();
        let mut set = SigSet::empty();
        set.add(Signal::SIGCHLD);
        set.thread_block().map_err(|e| HostError::os("block SIGCHLD", e))?;
        let children = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map_err(|e| HostError::os("watch for children", e))?;
        mount::isolate()?;
        let proc = mount::fresh_proc();
        let mounts = namespace::own("mnt").map_err(|e| HostError::os("open the mount namespace", e))?;
        let processes = namespace::own("pid").map_err(|e| HostError::os("open the PID namespace", e))?;
        let changes =
            Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(|e| HostError::os("watch the hosts' interfaces", e))?;
        let forker = Forker::start()?;
        Ok((Base { network: namespace::new_network()?, mounts, processes, forker }, children, changes, proc))
    }

    /// Answers requests, reports ends and restores what went with an interface, until the main process is gone.
    fn serve(&mut self) -> MainIsGone {
        loop {
            match self.wait(PollTimeout::NONE).and_then(|Woken { asked, died, changed }| {
                if died {
                    self.reap()?;
                }
                if changed {
                    self.keep()?;
                }
                if asked { self.answer() } else { Ok(()) }
            }) {
                Ok(()) => {}
                Err(gone) => return gone,
            }
        }
    }

    /// Waits until something has happened.
    fn wait(&self, timeout: PollTimeout) -> Result<Woken, MainIsGone> {
        let mut polled = [
            PollFd::new(self.birth.socket.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.children.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.changes.0.as_fd(), PollFlags::POLLIN),
        ];
        match poll(&mut polled, timeout) {
            Err(Errno::EINTR) => return Ok(Woken::default()),
            other => other.map_err(|_| MainIsGone)?,
        };
        let flags = |at: usize| polled[at].revents().unwrap_or(PollFlags::empty());
        if flags(0).intersects(PollFlags::POLLHUP | PollFlags::POLLERR) {
            return Err(MainIsGone);
        }
        let [asked, died, changed] = [0, 1, 2].map(|at| flags(at).contains(PollFlags::POLLIN));
        Ok(Woken { asked, died, changed })
    }

    /// Reads what happened to the hosts' interfaces, restores what the kernel took with those that were down, and reports those
    /// that are gone.
    fn keep(&mut self) -> Result<(), MainIsGone> {
        let mut ready = [EpollEvent::empty(); 16];
        let count = self.changes.wait(&mut ready, EpollTimeout::ZERO).unwrap_or(0);
        for change in ready[..count].iter().map(|event| Change::from_data(event.data())) {
            let (Change::Interface(at) | Change::FirstEnded(at)) = change;
            let name = &self.watched[at];
            let Some(host) = self.hosts.get_mut(name) else { continue };
            if let Change::FirstEnded(_) = change {
                let _ = self.changes.delete(&host.first);
                let ended = Event::HostEnded { host: name.clone() };
                message::send(&self.birth.socket, &Reply::Event(ended), &[]).map_err(|_| MainIsGone)?;
                continue;
            }
            host.restorer.keep(&mut host.netlink);
            for interface in host.restorer.take_gone() {
                let gone = Event::InterfaceGone { host: name.clone(), interface };
                message::send(&self.birth.socket, &Reply::Event(gone), &[]).map_err(|_| MainIsGone)?;
            }
        }
        Ok(())
    }

    /// Takes in the dead and reports programs among them; whether any child is left.
    fn reap(&mut self) -> Result<bool, MainIsGone> {
        while let Ok(Some(_)) = self.children.read_signal() {}
        let socket = &self.birth.socket;
        self.programs.reap(|ended| message::send(socket, &Reply::Event(ended), &[]).map_err(|_| MainIsGone))
    }

    fn answer(&mut self) -> Result<(), MainIsGone> {
        let (request, fds) = match message::receive::<Request>(&self.birth.socket) {
            Ok(Some(received)) => received,
            Err(error) if error.raw_os_error() == Some(libc::EMFILE) => {
                let error = HostError::os("hand descriptors to the process that holds the hosts", error);
                return self.send(&Reply::Failed(error), &[]);
            }
            Ok(None) | Err(_) => return Err(MainIsGone),
        };
        match request {
            Request::Segment { number, entries } => {
                self.segments.insert(number, entries.into());
                self.send(&Reply::Noted, &[])
            }
            Request::Build { mut host, framing } => {
                for interface in &mut host.interfaces {
                    if let Some(all) = self.segments.get(&interface.neighbours.segment()) {
                        interface.neighbours.refer_to(all);
                    }
                }
                self.answer_build(&host, framing, fds)
            }
            Request::Spawn { id, host, what } => match self.spawn(id, &host, &what, &fds) {
                Ok(()) => self.send(&Reply::Spawned, &[]),
                Err(error) => self.send(&Reply::NotSpawned(error), &[]),
            },
            Request::Signal { id, signal } => {
                let reply = self.programs.signal(id, signal).map_or_else(Reply::Failed, Reply::Signalled);
                self.send(&reply, &[])
            }
            Request::Listening { host, transport, port } => {
                let found = self.inside(&host, || sockets::listening("self", transport, port));
                self.send(&found.map_or_else(Reply::Failed, Reply::Listening), &[])
            }
            Request::Attach { host, interface, framing } => match self.attach(&host, interface, framing) {
                Ok(None) => self.send(&Reply::NotThere, &[]),
                Ok(Some(None)) => self.send(&Reply::Attached { tap: None }, &[]),
                Ok(Some(Some(tap))) => {
                    let (fd, info) = tap.into_parts();
                    self.send(&Reply::Attached { tap: Some(info) }, &[fd.as_fd()])
                }
                Err(error) => self.send(&Reply::Failed(error.at(&host)), &[]),
            },
            Request::Statistics => {
                let statistics = self.statistics();
                self.send(&Reply::Statistics(statistics), &[])
            }
            Request::Routes(moves) => {
                let reply = self.route(&moves).map_or_else(Reply::Failed, Reply::Routed);
                self.send(&reply, &[])
            }
            Request::PutBack(routes) => {
                let reply = self.put_back(routes).map_or_else(Reply::Failed, |()| Reply::Routed(Vec::new()));
                self.send(&reply, &[])
            }
            Request::Namespaces { host } => match self.hosts.get(&host) {
                Some(host) => self.send(&Reply::Namespaces, &host.own.as_fds()),
                None => {
                    let doing = format!("hand out the namespaces of `{host}`");
                    self.send(&Reply::Failed(unknown_host(&doing)), &[])
                }
            },
            Request::ControlSocket { host, name } => match self.control_socket(&host, &name) {
                Ok(listener) => self.send(&Reply::ControlSocket, &[listener.as_fd()]),
                Err(error) => self.send(&Reply::Failed(error.at(&host)), &[]),
            },
            Request::Shutdown { grace_ns } => {
                self.shut_down(Duration::from_nanos(grace_ns))?;
                self.send(&Reply::Down, &[])?;
                Err(MainIsGone)
            }
        }
    }

    fn answer_build(&mut self, host: &HostPlan, framing: Framing, groups: Vec<OwnedFd>) -> Result<(), MainIsGone> {
        match self.build(host, framing, groups) {
            Ok((infos, taps)) => {
                let fds: Vec<_> = taps.iter().map(AsFd::as_fd).collect();
                self.send(&Reply::Built(infos), &fds)?;
                self.hold(taps);
                Ok(())
            }
            Err(error) => self.send(&Reply::Failed(error.at(&host.name)), &[]),
        }
    }

    fn send(&self, reply: &Reply, fds: &[BorrowedFd<'_>]) -> Result<(), MainIsGone> {
        message::send(&self.birth.socket, reply, fds).map_err(|_| MainIsGone)
    }

    /// Makes a host and comes back to the empty network namespace, whatever happened.
    fn build(&mut self, plan: &HostPlan, framing: Framing, groups: Vec<OwnedFd>) -> Result<Taps, HostError> {
        let built = self.build_inside(plan, framing, groups);
        namespace::enter_network(self.base.network.as_fd())
            .map_err(|e| HostError::os("leave a host's network namespace", e))?;
        let (host, taps) = built?;
        let at = self.watched.len();
        let watch = |fd: BorrowedFd<'_>, change: Change| {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, change.to_data());
            self.changes.add(fd, event).map_err(|e| HostError::os("watch a host", e))
        };
        watch(host.restorer.as_fd(), Change::Interface(at))?;
        watch(host.first.as_fd(), Change::FirstEnded(at))?;
        self.watched.push(plan.name.clone());
        self.hosts.insert(plan.name.clone(), host);
        Ok(taps)
    }

    fn build_inside(&self, plan: &HostPlan, framing: Framing, groups: Vec<OwnedFd>) -> Result<(Host, Taps), HostError> {
        let (first, begun) = self.base.forker.fork(plan)?;
        namespace::enter_network(begun.network.as_fd())
            .map_err(|e| HostError::os("enter a host's network namespace", e))?;
        sysctl::apply(plan.interfaces.len() > 1)?;
        sysctl::apply_asked(&plan.sysctl, false)?;
        let mut taps = (Vec::new(), Vec::new());
        for interface in &plan.interfaces {
            let port = TapPort::open(&interface.name, framing).map_err(|e| HostError::tap(&interface.name, e))?;
            let (fd, info) = port.into_parts();
            taps.0.push(info);
            taps.1.push(fd);
        }
        let mut netlink = Netlink::open()?;
        let indices = configure::host(&mut netlink, plan, self.ipv6)?;
        sysctl::apply_asked(&plan.sysctl, true)?;
        let restorer = Restorer::new(plan, &indices, self.ipv6)?;
        let furnish = || first::furnish(plan, &begun, self.guarded);
        let mounts =
            self.among(begun.processes.as_fd(), furnish).map_err(|e| HostError::os("enter a PID namespace", e))??;
        let own = begun.with_mounts(mounts);
        Ok((Host { own, first, netlink, indices, restorer, limits: plan.limits, groups }, taps))
    }

    /// Does `work` while children of this process are members of another PID namespace.
    fn among<T>(&self, processes: BorrowedFd<'_>, work: impl FnOnce() -> T) -> Result<T, Errno> {
        namespace::bear_children_in(processes)?;
        let done = work();
        namespace::bear_children_in(self.base.processes.as_fd())?;
        Ok(done)
    }

    /// Keeps second descriptors of TAPs in small processes of their own. A process that is killed closes its descriptors
    /// one by one, and the last descriptor of a TAP waits while the interface goes; so many processes, which die together
    /// with init, make 200 interfaces go in the time of 8.
    fn hold(&mut self, taps: Vec<OwnedFd>) {
        self.held.extend(taps);
        if self.held.len() < TAPS_PER_HOLDER {
            return;
        }
        // Without a signal at its end: waiting for programs passes over it.
        // SAFETY: init has one thread for life.
        match unsafe { namespace::fork_into(CloneFlags::empty(), None) } {
            Ok(None) => {
                let kept: Vec<_> = self.held.iter().map(AsFd::as_fd).collect();
                spawn::close_all_but(&kept);
                // Only SIGKILL ends it, which init's end sends.
                let _ = SigSet::all().thread_block();
                loop {
                    nix::unistd::pause();
                }
            }
            Ok(Some(_)) => self.held.clear(),
            // Init holds them itself, and closes them a little later.
            Err(_) => {}
        }
    }

    fn spawn(&mut self, id: ProgramId, host: &str, what: &What, fds: &[OwnedFd]) -> Result<(), SpawnError> {
        let name = host;
        let host = self.hosts.get(name).ok_or_else(|| SpawnError::Host { host: name.into() })?;
        let [stdin, stdout, stderr] = fds else {
            return Err(SpawnError::Prepare { doing: "pass three descriptors".into(), errno: libc::EMFILE });
        };
        let launch = Launch {
            what,
            who: Who::Host {
                identity: &self.birth.identity,
                limits: host.limits,
                privileged: host.own.are_privileged(),
                builtins_as_root: self.birth.builtins_as_root,
            },
            stdio: Some([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]),
            enter: &|| {
                // Before it enters the host, where the groups are not its own to join. What longwire measures with is not limited.
                if let What::Program(_) = what {
                    host.groups
                        .iter()
                        .try_for_each(|group| nix::unistd::write(group, b"0").map(drop))
                        .map_err(|e| ("join a control group", e))?;
                }
                host.own.enter()
            },
            own_group: true,
            builtin: self.birth.builtin,
            open_files: self.birth.open_files,
        };
        let launched = self.among(host.own.processes.as_fd(), || spawn::launch(&launch));
        let pid = match launched.map_err(|e| HostError::os("enter a PID namespace", e))? {
            // What fork says when the namespace's process 1 is dead (pid_namespaces(7)).
            Err(SpawnError::Prepare { doing, errno: libc::ENOMEM }) if doing == "fork" && host.first.has_ended() => {
                return Err(HostError::host_ended(name).into());
            }
            other => other?,
        };
        self.programs.started(id, pid);
        Ok(())
    }

    /// Runs `look` in a host's network namespace.
    fn inside<T>(&self, name: &str, look: impl FnOnce() -> std::io::Result<T>) -> Result<T, HostError> {
        let doing = format!("look into the host `{name}`");
        let host = self.hosts.get(name).ok_or_else(|| unknown_host(&doing))?;
        namespace::enter_network(host.own.network.as_fd()).map_err(|e| HostError::os(&*doing, e))?;
        let seen = look();
        namespace::enter_network(self.base.network.as_fd()).map_err(|e| HostError::os(&*doing, e))?;
        seen.map_err(|e| HostError::os(doing, e))
    }

    /// Sets an interface up that is there again; see [`Restorer::attach`].
    fn attach(&mut self, name: &str, at: usize, framing: Framing) -> Result<Option<Option<TapPort>>, HostError> {
        let doing = "attach an interface again";
        let host = self.hosts.get_mut(name).ok_or_else(|| unknown_host(doing))?;
        namespace::enter_network(host.own.network.as_fd()).map_err(|e| HostError::os(doing, e))?;
        let attached = host.restorer.attach(&mut host.netlink, at, framing);
        namespace::enter_network(self.base.network.as_fd()).map_err(|e| HostError::os(doing, e))?;
        let Some((index, tap)) = attached? else { return Ok(None) };
        host.indices[at] = index;
        Ok(Some(tap))
    }

    fn statistics(&mut self) -> Vec<(String, Vec<Option<InterfaceStatistics>>)> {
        let all = self.hosts.iter_mut().map(|(name, host)| {
            let Host { indices, netlink, .. } = host;
            let counters = indices.iter().map(|index| configure::statistics(netlink, *index).ok());
            (name.clone(), counters.collect())
        });
        all.collect()
    }

    /// All of the moves, or none.
    fn route(&mut self, moves: &[DefaultRoute]) -> Result<Vec<RouteBefore>, HostError> {
        let mut done = Vec::new();
        for to in moves {
            if let Err(error) = self.route_one(to, &mut done) {
                return match self.put_back(done) {
                    Ok(()) => Err(error),
                    Err(stuck) => Err(HostError { reason: format!("{}; and it {stuck}", error.reason), ..error }),
                };
            }
        }
        Ok(done)
    }

    fn route_one(&mut self, to: &DefaultRoute, done: &mut Vec<RouteBefore>) -> Result<(), HostError> {
        let doing = format!("move the default route of `{}`", to.host);
        let host = self.hosts.get_mut(&to.host).ok_or_else(|| unknown_host(&doing))?;
        let index = host.indices.get(to.interface).copied();
        let index = index.ok_or_else(|| HostError::lacking(doing, "it has no such interface"))?;
        for via in &to.gateways {
            let kept = host.restorer.default_route(&mut host.netlink, *via);
            let request = configure::move_default(&mut host.netlink, index, *via).map_err(|e| e.at(&to.host))?;
            host.restorer.moved(&mut host.netlink, to.interface, *via);
            done.push(RouteBefore { host: to.host.clone(), request, kept });
        }
        Ok(())
    }

    /// The last that moved goes back first.
    fn put_back(&mut self, routes: Vec<RouteBefore>) -> Result<(), HostError> {
        let mut first = Ok(());
        for before in routes.into_iter().rev() {
            first = first.and(self.put_one_back(&before));
        }
        first
    }

    fn put_one_back(&mut self, RouteBefore { host: name, request, kept }: &RouteBefore) -> Result<(), HostError> {
        let doing = format!("put the default route of `{name}` back");
        let host = self.hosts.get_mut(name).ok_or_else(|| unknown_host(&doing))?;
        host.netlink.repeat(request, doing).map_err(|e| e.at(name))?;
        if let Some((interface, via)) = kept {
            host.restorer.moved(&mut host.netlink, *interface, *via);
        }
        Ok(())
    }

    /// The run's socket in a host's own /run/longwire.
    fn control_socket(&self, name: &str, run: &str) -> Result<OwnedFd, HostError> {
        let doing = "make the socket to the run";
        let host = self.hosts.get(name).ok_or_else(|| unknown_host(doing))?;
        namespace::enter_mounts(host.own.mounts.as_fd()).map_err(|e| HostError::os(doing, e))?;
        let made = run_dir::listen(run);
        namespace::enter_mounts(self.base.mounts.as_fd()).map_err(|e| HostError::os(doing, e))?;
        made.map_err(|e| HostError::os(doing, e))
    }

    /// Asks all programs to end, waits for at most `grace`, then kills them and waits for that.
    fn shut_down(&mut self, grace: Duration) -> Result<(), MainIsGone> {
        let everyone = Pid::from_raw(-1);
        for (signals, patience) in
            [([Some(Signal::SIGTERM), Some(Signal::SIGCONT)], grace), ([Some(Signal::SIGKILL), None], KILLED_WITHIN)]
        {
            for signal in signals.into_iter().flatten() {
                let _ = kill(everyone, signal);
            }
            let end = Instant::now() + patience;
            // Programs first: what they leave is each host's process 1's to wait for.
            while self.reap()? || self.dismiss() {
                let left = end.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                // Rounded up, so that the last millisecond is not spun away.
                let milliseconds = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
                if self.wait(milliseconds.into())?.changed {
                    self.keep()?;
                }
            }
        }
        Ok(())
    }
}

impl Pid1 {
    /// Lets each host's process 1 go once its host has no orphan left; whether one is there still.
    fn dismiss(&mut self) -> bool {
        let mut any = false;
        for host in self.hosts.values_mut() {
            any |= host.first.dismiss();
        }
        any
    }
}

fn unknown_host(doing: &str) -> HostError {
    HostError::lacking(doing, "it is not a host of this run's own making")
}

//! The main process's handle on init, and so on all hosts.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::Arc;

use nix::sched::CloneFlags;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::configure::InterfaceStatistics;
use super::container::Interior;
use super::error::{HostError, SpawnError};
use super::external::{External, Outside};
use super::groups::{Controller, Groups};
use super::identity::{self, Identity};
use super::keeper::Keeper;
use super::launcher::{self, Launcher};
use super::line::{Line, unexpected};
use super::namespace::NamespaceFds;
use super::pid1::{self, Birth};
use super::presence::Seen;
use super::protocol::{DefaultRoute, Event, ProgramId, Reply, Request, RouteBefore};
use super::sockets::Transport;
use super::spawn::{self, Builtin, What};
use super::vm_socket::Listener;
use super::{helper, message, namespace, site};
use crate::addressing::neighbour_table::Neighbour;
use crate::addressing::network::{HostPlan, InterfacePlan, NetworkPlan, Place};
use crate::port::Port;
use crate::port::datagram::DatagramPort;
use crate::port::stream::StreamPort;
use crate::port::tap::{Framing, TapPort};
use crate::units::Duration;

/// The main process's handle on init. Dropping it ends every program and takes every host away at once;
/// [`Init::shutdown`] is the gentle way.
///
/// [`AsFd`] gives the descriptor that becomes readable when an [`Event`] waits, and [`Init::waiting_for`] those of containers. Events
/// that came in between an answer and its question are kept inside, so take all from [`Init::next_event`] before polling it.
///
/// Init holds every TAP open as well. To end quickly, drop the TAPs first: then many processes close them together.
#[derive(Debug)]
pub struct Init {
    line: Line,
    identity: Identity,
    hosts: Vec<(String, Made)>,
    /// Where there are external machines, with the position in `hosts` of the first host of its plan. Dropped after what it has handed
    /// out.
    keeper: Option<(usize, Keeper)>,
    /// Where programs are limited by them. They go after init, with which the last process goes.
    groups: Option<Groups>,
    /// First processes of containers, for whoever watches them.
    processes: Vec<(String, OwnedFd)>,
    /// The segments whose neighbours init knows, by their numbers.
    told: BTreeMap<usize, Arc<[Neighbour]>>,
    /// /dev/null. A run that has given up its rights opens nothing.
    null: OwnedFd,
    builtin: Builtin,
    /// Soft limit of open files before it was raised.
    open_files: Option<u64>,
    /// Of containers in which something runs.
    launchers: Vec<Launcher>,
    /// Programs in containers, by the positions of their launchers.
    contained: BTreeMap<ProgramId, usize>,
}

/// Who made a host's interfaces, and so who reads their counters.
enum Made {
    ByInit,
    /// `None` of one that is gone.
    Outside(Vec<Option<Outside>>),
    /// By whoever comes.
    Waited(Listener),
    /// By whoever is at the other end of datagrams.
    Datagrams(UnixDatagram),
    /// By nobody: it is this machine, at the other side of a NAT.
    Reached,
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Made::ByInit => "ByInit",
            Made::Outside(_) => "Outside",
            Made::Waited(_) => "Waited",
            Made::Datagrams(_) => "Datagrams",
            Made::Reached => "Reached",
        })
    }
}

/// An interface that was gone and is there again.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, on its way to the engine")]
pub enum Attached {
    /// The one that it was, by the same TAP.
    Same,
    /// Another one.
    Other(Port),
}

/// Where a program's standard streams lead. Every one is the program's alone: this process's copies are closed.
#[derive(Debug, Default)]
pub struct Stdio {
    /// Standard input; `None` for /dev/null.
    pub stdin: Option<OwnedFd>,
    /// Standard output; `None` for /dev/null.
    pub stdout: Option<OwnedFd>,
    /// Standard error; `None` for /dev/null.
    pub stderr: Option<OwnedFd>,
}

/// A program to be started.
#[derive(Debug)]
pub struct Spawn {
    /// The number that its end will be reported under; not used before in this run.
    pub id: ProgramId,
    /// The host it runs in.
    pub host: String,
    /// What runs.
    pub what: What,
    /// Its standard streams.
    pub stdio: Stdio,
}

impl Init {
    /// Forks init into namespaces of its own. Must be called while this process has one thread, since init goes on in
    /// ordinary code; init is killed when that thread ends. Raises this process's soft limit of open files to the hard one (programs get the old one back).
    ///
    /// # Errors
    /// What this machine lacks or forbids, with its cure: namespaces, user namespaces for a normal user.
    pub fn start(builtin: Builtin) -> Result<Init, HostError> {
        Init::start_for(builtin, None)
    }

    /// The same for somebody who is not this process's caller: programs run as `user`, built-in ones as root.
    ///
    /// # Errors
    /// As [`Init::start`].
    pub fn start_for(builtin: Builtin, user: Option<Identity>) -> Result<Init, HostError> {
        let doing = "start init";
        helper::require_one_thread(doing)?;
        // What waits in the buffer would otherwise be printed by the child as well.
        let _ = io::stdout().flush();
        // In a guest built-in programs do the same whoever the caller is: root's sockets may have larger buffers.
        let builtins_as_root = user.is_some();
        let rootless = !namespace::is_privileged();
        let identity = user.map_or_else(|| Identity::caller(rootless), Ok)?;
        let open_files = raise_open_files();
        let null = spawn::null().map_err(|e| HostError::os("open /dev/null", e))?;
        let (socket, theirs) = message::pair().map_err(|e| HostError::os(doing, e))?;
        let mut flags = CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
        if rootless {
            flags |= CloneFlags::CLONE_NEWUSER;
        }
        let birth = Birth {
            socket: theirs,
            identity: identity.clone(),
            outside: rootless.then(identity::effective),
            builtin,
            builtins_as_root,
            open_files,
        };
        // SAFETY: this process has one thread, which was just checked.
        let forked = unsafe { namespace::fork_into(flags, Some(Signal::SIGCHLD)) }.map_err(|error| match rootless {
            true => HostError::user_namespace("make a user namespace", error),
            false => HostError::os("make a PID and a mount namespace", error)
                .cure("a container must allow it: start it with `--cap-add SYS_ADMIN`, or with `--privileged`"),
        })?;
        let Some(pid) = forked else { pid1::live(birth) };
        drop(birth);
        let line = Line::new(socket, pid, "the process that holds the hosts");
        let (hosts, processes, told, launchers, contained) = Default::default();
        let (keeper, groups) = (None, None);
        let mut init = Init {
            line,
            identity,
            hosts,
            keeper,
            groups,
            processes,
            told,
            null,
            builtin,
            open_files,
            launchers,
            contained,
        };
        match init.line.reply()? {
            (Reply::Ready, _) => Ok(init),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// Makes every host of a plan, in order. Returns, host by host and interface by interface, the open TAPs.
    ///
    /// Must be called before threads start where a host is an external machine: a keeper is forked for those.
    ///
    /// # Errors
    /// The first thing that could not be made, with its host, and its cure where one is known. The run cannot go on then.
    pub fn build(&mut self, plan: &NetworkPlan, framing: Framing) -> Result<Vec<Vec<Port>>, HostError> {
        if let Some(host) = plan.hosts.iter().find(|host| host.privileged && self.identity.nested) {
            let reason = "it needs root, and this is a normal user's run";
            return Err(HostError::lacking("make a host `privileged`", reason)
                .at(&host.name)
                .cure("run it with sudo, or take `privileged` away"));
        }
        self.groups = self.limit(plan)?;
        self.keeper = Keeper::start(plan, framing, &self.identity)?.map(|keeper| (self.hosts.len(), keeper));
        plan.hosts.iter().map(|host| self.build_host(host, framing_of(host, framing))).collect()
    }

    /// Makes ready to start programs and built-in workloads in containers of a plan that has been built: those of `hosts`, by their
    /// positions. Must be called before threads start: a process is forked for each.
    ///
    /// # Errors
    /// A container does not run, or cannot be entered.
    pub fn enter_containers(
        &mut self,
        plan: &NetworkPlan,
        hosts: impl IntoIterator<Item = usize>,
    ) -> Result<(), HostError> {
        for host in hosts.into_iter().map(|at| &plan.hosts[at]) {
            let Place::ExternalContainer { container, .. } = &host.place else { continue };
            let birth = launcher::Birth {
                host: host.name.clone(),
                container: container.clone(),
                identity: self.identity.clone(),
                builtin: self.builtin,
                open_files: self.open_files,
            };
            self.launchers.push(Launcher::start(birth).map_err(|e| e.at(&host.name))?);
        }
        Ok(())
    }

    /// Attaches an interface of a host again that was deleted or moved away, if it is there; `None` where it is not. With `fresh` an
    /// external machine's network namespace is another one, and the interface is made in it.
    ///
    /// # Errors
    /// It is there and cannot be attached, or init has ended.
    pub fn attach(
        &mut self,
        host: &HostPlan,
        interface: usize,
        framing: Framing,
        fresh: bool,
    ) -> Result<Option<Attached>, HostError> {
        let framing = framing_of(host, framing);
        let plan = &host.interfaces[interface];
        let position = self.hosts.iter().position(|(name, _)| *name == host.name);
        if let Some((_, Made::Waited(listener))) = position.map(|at| &self.hosts[at]) {
            let accepted = listener.accept().map_err(|reason| HostError::lacking("take a virtual machine", reason))?;
            return Ok(accepted.map(|stream| Attached::Other(Port::Stream(stream))));
        }
        if let Some((position, (_, Made::Datagrams(socket)))) = position.map(|at| (at, &self.hosts[at])) {
            let (first, keeper) = self.keeper()?;
            let joined = keeper.join(position - first).map_err(|e| e.at(&host.name))?;
            let socket = joined.then(|| socket.try_clone()).transpose();
            let socket = socket.map_err(|e| HostError::os("take a virtual machine", e))?;
            return Ok(socket.map(|socket| Attached::Other(Port::Datagram(DatagramPort::new(socket)))));
        }
        if let Some((position, (_, Made::Reached))) = position.map(|at| (at, &self.hosts[at])) {
            return self.reach(position).map(|port| Some(Attached::Other(port)));
        }
        let Some((position, (_, Made::Outside(outside)))) = position.map(|at| (at, &mut self.hosts[at])) else {
            let request = Request::Attach { host: host.name.clone(), interface, framing };
            let reply = self.ask(&request, &[])?;
            // What came before the answer is about what was there before.
            let gone = Event::InterfaceGone { host: host.name.clone(), interface };
            self.line.forget(&gone);
            return match reply {
                (Reply::NotThere, _) => Ok(None),
                (Reply::Attached { tap: None }, _) => Ok(Some(Attached::Same)),
                (Reply::Attached { tap: Some(info) }, mut fds) if fds.len() == 1 => {
                    Ok(fds.pop().map(|fd| Attached::Other(Port::Tap(TapPort::from_parts(fd, info)))))
                }
                (other, _) => Err(unexpected(other)),
            };
        };
        let name = if let Place::ExternalTap { tap } = &host.place { tap } else { &plan.name };
        if !fresh && !outside[interface].as_mut().is_some_and(|outside| outside.has(name)) {
            return Ok(None);
        }
        let Some((first, keeper)) = &self.keeper else { return Ok(None) };
        let attached = keeper.attach(position - first, interface, fresh).map_err(|e| e.at(&host.name))?;
        let Some(External { port, outside: new, process, .. }) = attached else { return Ok(None) };
        outside[interface] = Some(new);
        self.processes.extend(process.map(|process| (host.name.clone(), process)));
        Ok(Some(Attached::Other(port)))
    }

    /// Sends away all who wait at the socket of a virtual machine that has come already. Returns how many that were.
    pub fn send_away(&self, host: &str) -> usize {
        match self.hosts.iter().find(|(name, _)| name == host) {
            Some((_, Made::Waited(listener))) => std::iter::from_fn(|| listener.accept().transpose()).count(),
            _ => 0,
        }
    }

    /// Becomes readable when a virtual machine comes, or when an [`Event`] of a container waits.
    pub fn waiting_for(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let machines = self.hosts.iter().filter_map(|(_, made)| match made {
            Made::Waited(listener) => Some(listener.as_fd()),
            _ => None,
        });
        machines.chain(self.launchers.iter().map(|launcher| launcher.line.as_fd()))
    }

    /// Lets go of an external machine's network namespace, which would otherwise stay alive without its machine.
    pub fn let_go(&mut self, host: &str) {
        let mut hosts = self.hosts.iter_mut().enumerate();
        if let Some((position, (_, Made::Outside(outside)))) = hosts.find(|(_, (name, _))| name == host) {
            outside.iter_mut().for_each(|interface| *interface = None);
            if let Some((first, keeper)) = &self.keeper {
                keeper.release(position - first);
            }
        }
    }

    /// The first processes of containers that have been attached since the last call, by their hosts' names.
    pub fn take_processes(&mut self) -> Vec<(String, OwnedFd)> {
        std::mem::take(&mut self.processes)
    }

    /// Which network namespace the path of an external machine leads to now, by the machine's position in the plan; the outer `None`
    /// where that cannot be told any more.
    pub fn see(&self, host: usize) -> Option<Option<Seen>> {
        self.keeper.as_ref()?.1.see(host)
    }

    /// Makes the control groups that the limits of hosts need.
    fn limit(&self, plan: &NetworkPlan) -> Result<Option<Groups>, HostError> {
        let by_user = spawn::counts_processes(&self.identity);
        let limits = plan.hosts.iter().map(|host| {
            let processes = host.limits.processes.filter(|_| !by_user).map(u64::from);
            let all = [(Controller::Processes, processes), (Controller::Memory, host.limits.memory)];
            (host, all.into_iter().filter_map(|(controller, limit)| Some((controller, limit?))).collect())
        });
        Groups::make(&limits.collect::<Vec<_>>())
    }

    fn build_host(&mut self, host: &HostPlan, framing: Framing) -> Result<Vec<Port>, HostError> {
        let (ports, made) = match &host.place {
            Place::Namespace => {
                self.tell_segments(host)?;
                let request = Request::Build { host: Box::new(host.clone()), framing };
                let doors = self.groups.as_ref().map_or_else(|| Ok(Vec::new()), |groups| groups.doors(&host.name));
                let doors = doors.map_err(|e| HostError::os("open a control group", e).at(&host.name))?;
                match self.ask(&request, &doors.iter().map(AsFd::as_fd).collect::<Vec<_>>())? {
                    (Reply::Built(infos), fds) if infos.len() == fds.len() => {
                        let ports =
                            fds.into_iter().zip(infos).map(|(fd, info)| Port::Tap(TapPort::from_parts(fd, info)));
                        (ports.collect(), Made::ByInit)
                    }
                    (other, _) => return Err(unexpected(other)),
                }
            }
            Place::ExternalTap { tap } | Place::ExternalInterface { interface: tap } if host.interfaces.len() > 1 => {
                let reason = format!("a TAP is one interface, and {} links end there", host.interfaces.len());
                return Err(HostError::input(format!("attach TAP `{tap}`"), reason).at(&host.name));
            }
            Place::ExternalQemu { .. } if host.interfaces.is_empty() => (Vec::new(), Made::Outside(Vec::new())),
            Place::ExternalQemu { dgram, .. } => {
                let (first, keeper) = self.keeper()?;
                let socket = keeper.listen(self.hosts.len() - first).map_err(|e| e.at(&host.name))?;
                let made = match dgram {
                    true => Made::Datagrams(socket.into()),
                    false => Made::Waited(Listener::new(socket, self.identity.uid)),
                };
                (Vec::new(), made)
            }
            Place::Uplink => (vec![self.reach(self.hosts.len())?], Made::Reached),
            Place::ExternalUdp { listen, peer, vni, encapsulation } => {
                let open = |interface: &InterfacePlan| {
                    let port = site::open(*listen, *peer, *vni, *encapsulation, interface.mtu);
                    port.map(Port::Site).map_err(|e| e.at(&host.name))
                };
                let ports = host.interfaces.iter().map(open).collect::<Result<Vec<_>, _>>()?;
                (ports, Made::Outside(host.interfaces.iter().map(|_| None).collect()))
            }
            Place::ExternalTap { .. }
            | Place::ExternalInterface { .. }
            | Place::ExternalNetns { .. }
            | Place::ExternalContainer { .. } => {
                let attach = |interface| {
                    let (first, keeper) = self.keeper()?;
                    let attached = keeper.attach(self.hosts.len() - first, interface, true);
                    let attached = attached.map_err(|e| e.at(&host.name))?;
                    attached.ok_or_else(|| HostError::lacking("attach it", "it has ended").at(&host.name))
                };
                let made = (0..host.interfaces.len()).map(attach).collect::<Result<Vec<_>, _>>()?;
                let (mut ports, mut outside) = (Vec::new(), Vec::new());
                for external in made {
                    ports.push(external.port);
                    outside.push(Some(external.outside));
                    self.processes.extend(external.process.map(|process| (host.name.clone(), process)));
                }
                (ports, Made::Outside(outside))
            }
        };
        self.hosts.push((host.name.clone(), made));
        Ok(ports)
    }

    /// A port to the machine's own network, for the host at this position that stands for it.
    fn reach(&self, position: usize) -> Result<Port, HostError> {
        let (first, keeper) = self.keeper()?;
        let socket = UnixStream::from(keeper.reach(position - first)?);
        StreamPort::new(socket).map(Port::Stream).map_err(|e| HostError::os("reach the Internet", e))
    }

    /// The keeper, and the first host that it counts. An external machine that has an interface has one.
    fn keeper(&self) -> Result<&(usize, Keeper), HostError> {
        self.keeper.as_ref().ok_or_else(|| HostError::lacking("attach it", "nobody keeps it"))
    }

    /// Tells init the neighbours of a host, a segment at a time, unless it knows them.
    fn tell_segments(&mut self, host: &HostPlan) -> Result<(), HostError> {
        for table in host.interfaces.iter().map(|interface| &interface.neighbours) {
            let (number, all) = (table.segment(), table.all());
            if all.is_empty() || self.told.get(&number).is_some_and(|told| Arc::ptr_eq(told, all)) {
                continue;
            }
            match self.ask(&Request::Segment { number, entries: all.to_vec() }, &[])? {
                (Reply::Noted, _) => self.told.insert(number, Arc::clone(all)),
                (other, _) => return Err(unexpected(other)),
            };
        }
        Ok(())
    }

    /// Starts a program and waits until it has been executed.
    ///
    /// # Errors
    /// What kept it from being executed; nothing of it is left then.
    pub fn spawn(&mut self, spawn: Spawn) -> Result<(), SpawnError> {
        let Spawn { id, host, what, stdio } = spawn;
        let or_null = |fd: Option<OwnedFd>| match fd {
            Some(fd) => Ok(fd),
            None => self.null.try_clone().map_err(|e| HostError::os("hand /dev/null on", e)),
        };
        let fds = [or_null(stdio.stdin)?, or_null(stdio.stdout)?, or_null(stdio.stderr)?];
        let launcher = self.launcher(&host);
        let request = Request::Spawn { id, host, what };
        match self.line_of(launcher).ask(&request, &fds.each_ref().map(AsFd::as_fd))? {
            (Reply::Spawned, _) => {
                self.contained.extend(launcher.map(|at| (id, at)));
                Ok(())
            }
            (Reply::NotSpawned(error), _) => Err(error),
            (other, _) => Err(unexpected(other).into()),
        }
    }

    /// Sends a signal to a program's process group; `false` where no process of it is left.
    ///
    /// # Errors
    /// No program was started under that number, or there is no such signal.
    pub fn signal(&mut self, id: ProgramId, signal: Signal) -> Result<bool, HostError> {
        let launcher = self.contained.get(&id).copied();
        match self.line_of(launcher).ask(&Request::Signal { id, signal: signal as i32 }, &[])? {
            (Reply::Signalled(heard), _) => Ok(heard),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// The next event, without waiting for one.
    ///
    /// # Errors
    /// Init has ended, or the process for a container.
    pub fn next_event(&mut self) -> Result<Option<Event>, HostError> {
        let containers = self.launchers.iter_mut().map(|launcher| &mut launcher.line);
        for line in std::iter::once(&mut self.line).chain(containers) {
            if let Some(event) = line.next_event()? {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// Whether a socket waits at `port`, or at any, in a host: listening (TCP) or bound (UDP), IPv4 or IPv6. Nothing is connected.
    ///
    /// # Errors
    /// Not a host that this run made.
    pub fn listening(&mut self, host: &str, transport: Transport, port: Option<u16>) -> Result<bool, HostError> {
        let launcher = self.launcher(host);
        match self.line_of(launcher).ask(&Request::Listening { host: host.into(), transport, port }, &[])? {
            (Reply::Listening(found), _) => Ok(found),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// The counters of every interface, host by host in the order of the plan; `None` of one that is gone.
    ///
    /// # Errors
    /// Init has ended.
    pub fn statistics(&mut self) -> Result<Vec<Vec<Option<InterfaceStatistics>>>, HostError> {
        let mut made = match self.ask(&Request::Statistics, &[])? {
            (Reply::Statistics(hosts), _) => hosts.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            (other, _) => return Err(unexpected(other)),
        };
        let hosts = self.hosts.iter_mut().map(|(name, host)| match host {
            Made::ByInit => made.remove(name).unwrap_or_default(),
            Made::Waited(_) | Made::Datagrams(_) | Made::Reached => vec![None],
            Made::Outside(interfaces) => {
                interfaces.iter_mut().map(|interface| interface.as_mut()?.counters().ok()).collect()
            }
        });
        Ok(hosts.collect())
    }

    /// Moves default routes of hosts in the main table. A family of which no gateway is given keeps its route. Returns what puts
    /// all of them back.
    ///
    /// # Errors
    /// Not a host that this run made, or the kernel refused. Then no route has moved.
    pub fn route(&mut self, moves: Vec<DefaultRoute>) -> Result<Vec<RouteBefore>, HostError> {
        match self.ask(&Request::Routes(moves), &[])? {
            (Reply::Routed(before), _) => Ok(before),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// Puts default routes back as they were before a move.
    ///
    /// # Errors
    /// The kernel refused one of them; the others are back.
    pub fn put_back(&mut self, routes: Vec<RouteBefore>) -> Result<(), HostError> {
        match self.ask(&Request::PutBack(routes), &[])? {
            (Reply::Routed(_), _) => Ok(()),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// Handles on a host's namespaces, for [`super::join_and_run`] in another process.
    ///
    /// # Errors
    /// Not a host that this run made.
    pub fn namespaces(&mut self, host: &str) -> Result<NamespaceFds, HostError> {
        match self.ask(&Request::Namespaces { host: host.into() }, &[])? {
            (Reply::Namespaces, fds) => NamespaceFds::from_fds(fds),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// Opens the container that a host is, for [`super::join_container_and_run`] in another process.
    ///
    /// # Errors
    /// It does not run, or is no container.
    pub fn container(&self, host: &str) -> Result<Interior, HostError> {
        let position = self.hosts.iter().position(|(name, _)| name == host);
        let (first, keeper) = self.keeper()?;
        let at = position.and_then(|at| at.checked_sub(*first));
        keeper.enter(at.ok_or_else(|| HostError::lacking("enter it", "there is no such host"))?)
    }

    /// Listens, for programs in a host, on /run/longwire/NAME.sock there; the listener does not block.
    ///
    /// # Errors
    /// Not a host that this run made, or the socket cannot be made.
    pub fn control_socket(&mut self, host: &str, name: &str) -> Result<OwnedFd, HostError> {
        match self.ask(&Request::ControlSocket { host: host.into(), name: name.into() }, &[])? {
            (Reply::ControlSocket, fds) => fds.into_iter().next().ok_or_else(|| unexpected(Reply::ControlSocket)),
            (other, _) => Err(unexpected(other)),
        }
    }

    /// Who starts programs in a host, if it is a container: a position in `launchers`.
    fn launcher(&self, host: &str) -> Option<usize> {
        self.launchers.iter().position(|launcher| launcher.host == host)
    }

    fn line_of(&mut self, launcher: Option<usize>) -> &mut Line {
        match launcher {
            Some(at) => &mut self.launchers[at].line,
            None => &mut self.line,
        }
    }

    /// Init's process.
    pub fn pid(&self) -> Pid {
        self.line.pid()
    }

    /// Who the programs run as.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Ends all programs (SIGTERM, after `grace` SIGKILL), then takes the hosts away. Returns the events that were not
    /// taken yet, every program's end among them.
    ///
    /// # Errors
    /// Init had ended before; everything is gone in that case too.
    pub fn shutdown(mut self, grace: Duration) -> Result<Vec<Event>, HostError> {
        let request = Request::Shutdown { grace_ns: grace.as_nanos() };
        let containers = self.launchers.iter_mut().map(|launcher| &mut launcher.line);
        let mut events = Vec::new();
        for line in containers.chain(std::iter::once(&mut self.line)) {
            match line.ask(&request, &[])? {
                (Reply::Down, _) => events.extend(line.take_events()),
                (other, _) => return Err(unexpected(other)),
            }
        }
        Ok(events)
    }

    fn ask(&mut self, request: &Request, fds: &[BorrowedFd<'_>]) -> Result<(Reply, Vec<OwnedFd>), HostError> {
        self.line.ask(request, fds)
    }
}

impl AsFd for Init {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }
}

impl Drop for Init {
    fn drop(&mut self) {
        if self.line.is_alive() {
            // Not waited for until here, so the number is still init's.
            let _ = kill(self.line.pid(), Signal::SIGKILL);
            self.line.wait();
        }
    }
}

/// What stands before a host's frames.
pub(crate) fn framing_of(host: &HostPlan, framing: Framing) -> Framing {
    if host.offloads { framing } else { Framing::Plain }
}

/// Raises the soft limit of open files to the hard one; returns what it was.
pub fn raise_open_files() -> Option<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok()?;
    Some(soft)
}

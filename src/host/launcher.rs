//! A process beside the run for each container in which a scenario runs something. It starts programs in the container, by an
//! [intermediate process](entry), beneath a [`reaper`](super::reaper), and built-in workloads in its network, which need nothing else of
//! it: no shell, no C library, no file.
//!
//! It is forked while the run has its rights. It keeps those that it takes to enter the container and to become its user, and those
//! that the container's programs may have: it could not give them on otherwise. It hears the requests that init hears about
//! programs, for the one container that the scenario names, and never sees a frame. When the run is over, or killed, it ends what it has
//! started.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use caps::Capability;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::getpid;

use super::container::{self, ANSWERS_AGAIN_WITHIN, ANSWERS_WITHIN, Container, Interior, MEASURES};
use super::error::{HostError, SpawnError};
use super::identity::Identity;
use super::line::{Line, unexpected};
use super::presence::has_ended;
use super::programs::{self, Programs};
use super::protocol::{Event, ExitStatus, ProgramId, Reply, Request};
use super::reaper::{Heard, Reaper};
use super::spawn::{self, Builtin, Launch, What, Who};
use super::{beside, confine, entry, message, sockets};

const DOING: &str = "start a process for a container's programs";

/// What it takes to look into a container, to enter it, and to become its user (capabilities(7)); to end its programs.
const ENTERS: [Capability; 8] = [
    Capability::CAP_SYS_ADMIN,
    Capability::CAP_SYS_CHROOT,
    Capability::CAP_SYS_PTRACE,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_SETUID,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_KILL,
];

/// How long a program may take to be executed: a container that is paused stops whoever enters it.
const STARTS_WITHIN: Duration = Duration::from_secs(5);
/// How long what was killed may take to be gone, and how often it is looked for.
const KILLED_WITHIN: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(20);

/// What it is born with.
pub(super) struct Birth {
    /// The name of the host that the container is in the scenario.
    pub(super) host: String,
    /// The container's own name.
    pub(super) container: String,
    pub(super) identity: Identity,
    pub(super) builtin: Builtin,
    pub(super) open_files: Option<u64>,
}

/// The main process's handle. Dropped, it ends the process, which ends all that it has started.
#[derive(Debug)]
pub(super) struct Launcher {
    pub(super) line: Line,
    /// The name of its host.
    pub(super) host: String,
}

impl Launcher {
    /// Forks it. This process must have one thread.
    ///
    /// # Errors
    /// There are several threads, or no process can be made; the container cannot be entered.
    pub(super) fn start(birth: Birth) -> Result<Launcher, HostError> {
        let host = birth.host.clone();
        let who = format!("the process that starts programs in `{host}`");
        let (socket, pid) = beside::fork(DOING, |socket| live(birth, socket))?;
        let mut line = Line::new(socket, pid, who);
        match line.reply()? {
            (Reply::Ready, _) => Ok(Launcher { line, host }),
            (other, _) => Err(unexpected(other)),
        }
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        self.line.hang_up();
    }
}

/// The main process is gone.
struct MainIsGone;

/// Its life; the exit code.
fn live(birth: Birth, socket: &OwnedFd) -> i32 {
    match State::set_up(birth, socket) {
        Ok(mut state) => {
            if state.say(&Reply::Ready, &[]).is_ok() {
                let MainIsGone = state.serve();
                state.end_all(Duration::ZERO);
            }
            0
        }
        Err(error) => {
            let _ = message::send(socket, &Reply::Failed(error), &[]);
            1
        }
    }
}

struct State<'a> {
    birth: Birth,
    socket: &'a OwnedFd,
    deaths: SignalFd,
    /// The capabilities that programs can be given: a bit each.
    held: u64,
    /// The container as it runs; `None` where it did not when it was last looked at.
    inside: Option<(Container, Interior)>,
    /// Built-in workloads.
    programs: Programs,
    supervised: Vec<Supervised>,
}

/// A program in the container, and the reaper above it.
struct Supervised {
    id: ProgramId,
    reaper: Reaper,
    /// The program has not been heard to end.
    runs: bool,
}

impl State<'_> {
    fn set_up(birth: Birth, socket: &OwnedFd) -> Result<State<'_>, HostError> {
        let failed = |errno: Errno| HostError::os(DOING, errno);
        // Neither is what it forks, until that executes something.
        prctl::set_dumpable(false).map_err(failed)?;
        let mut set = SigSet::empty();
        set.add(Signal::SIGCHLD);
        set.thread_block().map_err(failed)?;
        let deaths = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK).map_err(failed)?;
        let (container, interior) = open(&birth.container, ANSWERS_WITHIN)?;
        let given = caps::all().into_iter().filter(|one| interior.facts.bounding & one.bitmask() != 0);
        let kept: Vec<Capability> = given.chain(ENTERS).chain(MEASURES).collect();
        confine::drop_all_but(&kept).map_err(|e| HostError::os(DOING, e))?;
        Ok(State {
            birth,
            socket,
            deaths,
            held: kept.iter().fold(0, |all, one| all | one.bitmask()),
            inside: Some((container, interior)),
            programs: Programs::new(true),
            supervised: Vec::new(),
        })
    }

    fn say(&self, reply: &Reply, fds: &[BorrowedFd<'_>]) -> Result<(), MainIsGone> {
        message::send(self.socket, reply, fds).map_err(|_| MainIsGone)
    }

    fn serve(&mut self) -> MainIsGone {
        loop {
            match self.wait(PollTimeout::NONE).and_then(|asked| if asked { self.answer() } else { Ok(()) }) {
                Ok(()) => {}
                Err(gone) => return gone,
            }
        }
    }

    /// Waits until something has happened, and takes it in; whether the main process asks for something.
    fn wait(&mut self, timeout: PollTimeout) -> Result<bool, MainIsGone> {
        let process = self.inside.as_ref().map(|(container, _)| container.process.as_fd());
        let reapers = self.supervised.iter().map(|one| one.reaper.as_fd());
        let all = [self.socket.as_fd(), self.deaths.as_fd()].into_iter().chain(process).chain(reapers);
        let mut polled: Vec<PollFd<'_>> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        let asked = match poll(&mut polled, timeout) {
            Ok(_) => polled[0].revents().is_some_and(|events| !events.is_empty()),
            Err(Errno::EINTR) => false,
            Err(_) => return Err(MainIsGone),
        };
        // What is not there any more is not held: its namespaces go with the last who does.
        self.inside.take_if(|(container, _)| has_ended(&container.process));
        self.take_in()?;
        Ok(asked)
    }

    /// Takes in the dead, and tells of programs among them.
    fn take_in(&mut self) -> Result<(), MainIsGone> {
        while let Ok(Some(_)) = self.deaths.read_signal() {}
        let socket = self.socket;
        let tell = |ended: Event| message::send(socket, &Reply::Event(ended), &[]).map_err(|_| MainIsGone);
        self.programs.reap(tell)?;
        let mut gone = Vec::new();
        for (at, Supervised { id, reaper, runs }) in self.supervised.iter_mut().enumerate() {
            let (status, waited_ns) = match reaper.hear() {
                Heard::Nothing => continue,
                Heard::Ended(ended) => (ended.status, ended.waited_ns),
                Heard::Gone => {
                    gone.push(at);
                    // killed, with its container or by somebody in there
                    (ExitStatus::Signal(Signal::SIGKILL as i32), None)
                }
            };
            if std::mem::replace(runs, false) {
                tell(Event::Exited { id: *id, status, waited_ns })?;
            }
        }
        for at in gone.into_iter().rev() {
            self.supervised.remove(at);
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<(), MainIsGone> {
        let (request, fds) = match message::receive::<Request>(self.socket) {
            Ok(Some(received)) => received,
            Err(error) if message::is_whole(&error) => {
                return self.say(&Reply::Failed(HostError::os(DOING, error)), &[]);
            }
            Ok(None) | Err(_) => return Err(MainIsGone),
        };
        let reply = match request {
            Request::Spawn { id, what, .. } => {
                self.spawn(id, &what, &fds).map_or_else(Reply::NotSpawned, |()| Reply::Spawned)
            }
            Request::Signal { id, signal } => self.signal(id, signal).map_or_else(Reply::Failed, Reply::Signalled),
            Request::Listening { transport, port, .. } => {
                let found = self.inside.as_ref().map_or(Ok(false), |(container, _)| {
                    let found = sockets::listening(container.pid, transport, port);
                    // whose number it was
                    if has_ended(&container.process) { Ok(false) } else { found }
                });
                let failed = |e| HostError::os(format!("look into `{}`", self.birth.host), e);
                found.map_err(failed).map_or_else(Reply::Failed, Reply::Listening)
            }
            Request::Shutdown { grace_ns } => {
                self.end_all(Duration::from_nanos(grace_ns));
                self.say(&Reply::Down, &[])?;
                return Err(MainIsGone);
            }
            _ => Reply::Failed(HostError::lacking(DOING, "it starts programs, and does nothing else")),
        };
        self.say(&reply, &[])
    }

    /// The container, as it runs now.
    fn enter(&mut self) -> Result<(), HostError> {
        self.inside.take_if(|(container, _)| has_ended(&container.process));
        if self.inside.is_some() {
            return Ok(());
        }
        let (container, interior) = open(&self.birth.container, ANSWERS_AGAIN_WITHIN)?;
        // In a user namespace of its own a container has what this process has not.
        if !interior.facts.own_users && interior.facts.bounding & !self.held != 0 {
            let reason = "its programs may have more capabilities now than when the run began";
            return Err(HostError::lacking(format!("enter the container `{}`", self.birth.container), reason)
                .cure("start the run again"));
        }
        self.inside = Some((container, interior));
        Ok(())
    }

    fn spawn(&mut self, id: ProgramId, what: &What, fds: &[OwnedFd]) -> Result<(), SpawnError> {
        let [stdin, stdout, stderr] = fds else {
            return Err(SpawnError::Prepare { doing: "pass three descriptors".into(), errno: libc::EMFILE });
        };
        self.enter()?;
        let Some((container, interior)) = &self.inside else { return Err(gone(&self.birth.container)) };
        let launch = Launch {
            what,
            who: Who::Network(interior, &self.birth.identity),
            stdio: Some([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()]),
            enter: &|| Ok(()),
            own_group: true,
            builtin: self.birth.builtin,
            open_files: self.birth.open_files,
        };
        let launched = match what {
            What::Builtin { .. } => spawn::launch(&launch).map(|pid| self.programs.started(id, pid)),
            What::Program(program) => {
                let root = program.root;
                let (reaper, theirs) = Reaper::pair().map_err(|e| spawn::prepare_error("make a socket", e))?;
                let what = What::Program(interior.facts.complete(program));
                let launch = Launch { what: &what, who: Who::Container(interior), ..launch };
                let end = Instant::now() + STARTS_WITHIN;
                entry::launch(interior, root, &launch, Some(theirs), Some(end))
                    .map(|_| self.supervised.push(Supervised { id, reaper, runs: true }))
            }
        };
        launched.map_err(|error| match &error {
            // What fork says when the namespace's process 1 is dead (pid_namespaces(7)).
            SpawnError::Prepare { doing, errno: libc::ENOMEM } if doing == "fork" => gone(&self.birth.container),
            _ if has_ended(&container.process) => gone(&self.birth.container),
            _ => error,
        })
    }

    fn signal(&self, id: ProgramId, signal: i32) -> Result<bool, HostError> {
        let Some(Supervised { reaper, runs, .. }) = self.supervised.iter().find(|one| one.id == id) else {
            return self.programs.signal(id, signal);
        };
        let signal = Signal::try_from(signal).map_err(|e| HostError::os(format!("send signal {signal}"), e))?;
        if *runs {
            reaper.signal(signal);
        }
        Ok(*runs)
    }

    /// Asks all programs to end, waits for at most `grace`, then kills them and all that came of them, and waits for that.
    fn end_all(&mut self, grace: Duration) {
        for (signals, patience) in
            [(&[Signal::SIGTERM, Signal::SIGCONT][..], grace), (&[Signal::SIGKILL][..], KILLED_WITHIN)]
        {
            for signal in signals {
                self.programs.signal_all(*signal);
                self.supervised.iter().filter(|one| one.runs).for_each(|one| one.reaper.signal(*signal));
            }
            self.wait_until(patience, |state| {
                state.programs.is_empty() && state.supervised.iter().all(|one| !one.runs)
            });
        }
        // Each kills what its program has left, and ends. What has other rights than its program takes this process's.
        self.supervised.clear();
        let all_gone = |state: &mut Self| {
            for child in programs::children(getpid()).into_iter().flat_map(programs::children) {
                let _ = kill(child, Signal::SIGKILL);
            }
            state.programs.reap(|_| Ok::<_, MainIsGone>(())).is_ok_and(|left| !left)
        };
        self.wait_until(KILLED_WITHIN, all_gone);
    }

    fn wait_until(&mut self, patience: Duration, mut done: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + patience;
        while !done(self) {
            let left = end.saturating_duration_since(Instant::now());
            // not for the whole time: of what is beneath others no end is told
            let timeout = PollTimeout::try_from(left.min(LOOK) + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
            if left.is_zero() || self.wait_for_deaths(timeout).is_err() {
                return;
            }
        }
    }

    /// As [`State::wait`], whether or not the main process is still there.
    fn wait_for_deaths(&mut self, timeout: PollTimeout) -> Result<(), Errno> {
        let reapers = self.supervised.iter().map(|one| one.reaper.as_fd());
        let all = std::iter::once(self.deaths.as_fd()).chain(reapers);
        let mut polled: Vec<PollFd<'_>> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        match poll(&mut polled, timeout) {
            Err(errno) if errno != Errno::EINTR => return Err(errno),
            _ => {}
        }
        // nobody may be there who could be told
        let _ = self.take_in();
        Ok(())
    }
}

fn gone(container: &str) -> SpawnError {
    container::not_running(container, "it ended at that moment").into()
}

/// A container that runs, and its handles.
fn open(name: &str, within: Duration) -> Result<(Container, Interior), HostError> {
    let container = container::find(name, within)?;
    let interior = Interior::of(name, &container)?;
    Ok((container, interior))
}

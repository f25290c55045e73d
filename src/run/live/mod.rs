//! The live loop: a thread that carries frames from TAPs through the engine to TAPs, by the kernel's clock.
//!
//! It sleeps in epoll until a frame comes, an event is due or somebody asks something; reads what is there, up to a burst
//! per port; lets the engine run what is due. `live/real_time.rs` and `live/virtual_time.rs` are the loops by either clock.

mod real_time;
mod virtual_time;

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::agenda::{Agenda, Keep, Kept, Scheduled};
use super::clock::Clock;
use super::plugs::{self, Heard, Lost};
use super::scheduling;
use super::spin::Spin;
use super::standing::Standing;
use super::taps::{Taps, Wake};
use crate::capture::Tape;
use crate::engine::{
    Command, DirectionCounters, DirectionId, Engine, NodeCounters, NodeId, Plan, Rejected, TimeStatistics,
};
use crate::model::Only;
use crate::node::NatCounters;
use crate::port::Port;
use crate::port::path;
use crate::port::site;
use crate::port::tap::TapPort;
use crate::report::event_log::Entry;
use crate::report::gaps as record;
use crate::report::json::{Dhcp, Rule};
use crate::tasks::timing::TimingSpec;
use crate::units::{Duration, Instant};

/// Log entries on their way to the writer, in batches. When the writer falls behind so far, entries are counted and let go.
const LOG_BATCHES: usize = 4096;

/// A port of the network and what is behind it.
pub struct LivePort {
    /// The port.
    pub node: NodeId,
    /// The interface's name, for messages.
    pub name: String,
    /// What is behind it; `None` of one that is down until something comes.
    pub device: Option<Port>,
}

impl LivePort {
    /// A port with a TAP.
    pub fn tap(node: NodeId, tap: TapPort) -> LivePort {
        LivePort { node, name: tap.info().name.clone(), device: Some(Port::Tap(tap)) }
    }
}

/// Which clock it runs by.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// The machine's, kept as the scenario says.
    Live(TimingSpec),
    /// A guest's, which waits for everybody: no spin, no tick, and nothing is ever late.
    Virtual,
}

/// A live network: the thread that runs it, and the way to talk to it.
pub struct Live {
    requests: Sender<Request>,
    wake: Arc<EventFd>,
    thread: Option<JoinHandle<io::Result<()>>>,
    lost: Heard,
    /// The clock that the engine runs by.
    pub clock: Clock,
}

enum Request {
    Apply(Vec<Command>, String, Option<Rest>, Sender<Result<Instant, Refusal>>),
    Begin(Begin, Sender<Instant>),
    Replace(Rest, Sender<Result<(), Refusal>>),
    Note(Instant, String),
    End(Sender<Kept>),
    Standing(Sender<Vec<Standing>>),
    Progress(Sender<Progress>),
    Unplug(usize, bool, Sender<Unplugged>),
    Plug(usize, Option<Port>, Sender<io::Result<Unplugged>>),
    Stop(Sender<Outcome>),
}

/// When something changed at a port, and what was behind it before, if that is of no use any more.
type Unplugged = (Instant, Option<Port>);

/// What begins at t = 0.
pub struct Begin {
    /// Steps inside the network, in the order of their times.
    pub steps: Vec<Scheduled>,
    /// What is kept of it.
    pub keep: Keep,
    /// Hears the model time of each step when it has taken effect, in their order.
    pub tell: Sender<Instant>,
}

/// The steps that come after a live change, as they are once it is made.
pub struct Rest {
    /// How many steps were before them, as far as the asker knows.
    pub after: usize,
    /// The steps.
    pub steps: Vec<Scheduled>,
}

/// Why a live change was not made.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A step of the timeline took effect meanwhile: the asker must reckon again.
    #[error("the timeline has moved on")]
    Overtaken,
    /// The engine refused it.
    #[error(transparent)]
    Rejected(#[from] Rejected),
}

/// How a run is doing: cheap enough to ask often.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// Wire frames delivered in all directions.
    pub delivered: u64,
    /// Wire bytes delivered in all directions.
    pub bytes: u64,
    /// Wire frames dropped in all directions.
    pub dropped: u64,
}

/// All that a run has counted.
#[derive(Debug)]
pub struct Outcome {
    /// By direction: counters, and frames still inside.
    pub directions: Vec<(DirectionCounters, u64)>,
    /// By direction: models with an `only` that no frame has matched, as people write them.
    pub unmatched: Vec<Vec<String>>,
    /// By node: counters, and frames that it still holds.
    pub nodes: Vec<(NodeCounters, u64)>,
    /// By node: what its address translation did, if it has one.
    pub nats: Vec<Option<NatCounters>>,
    /// What the DHCP servers of each node did.
    pub dhcps: Vec<Vec<Dhcp>>,
    /// By node: what its firewall decided about, if it has one.
    pub firewalls: Vec<Vec<Rule>>,
    /// By port, in the order in which they were given.
    pub ports: Vec<PortOutcome>,
    /// When switches and routers followed a link that went down or came up beside another way, and in which words.
    pub converged: Vec<(Instant, String)>,
    /// The longest time between two drains of the ports.
    pub stall: Duration,
    /// When the ports were not read, by the engine's clock.
    pub gaps: record::Gaps,
    /// Time that the thread was ready to run and waited for a processor; `None` where the kernel does not tell.
    pub run_delay: Option<Duration>,
    /// How long the thread ran.
    pub ran: Duration,
    /// How often the machine was found so short of processor time that spinning was left off.
    pub spin_rests: u64,
    /// What the machine refused of the scenario's `timing:`, in words.
    pub refused: Vec<String>,
    /// Log entries that the writer was too slow for.
    pub log_lost: u64,
}

impl Outcome {
    /// What a direction has counted.
    pub fn of(&self, direction: DirectionId) -> &DirectionCounters {
        &self.directions[direction.0 as usize].0
    }
}

/// What a port has counted.
#[derive(Debug, Default)]
pub struct PortOutcome {
    /// Frames read from the host.
    pub received: u64,
    /// Frames written to the host.
    pub sent: u64,
    /// Frames from the host whose virtio-net header, or that of a tunnel, did not fit them; they went no further.
    pub malformed: u64,
    /// Frames that the host's kernel refused.
    pub refused: u64,
    /// Frames from the host that found no room before they were read, where the port itself counts them.
    pub overflowed: u64,
    /// What a port to another site has counted by itself.
    pub tunnel: Option<site::Counted>,
    /// What it has measured of the path there, where its encapsulation does.
    pub path: Option<path::Measured>,
    /// Delivered by the clock − delivered by the model.
    pub lateness: TimeStatistics,
    /// How long frames may have waited before they were read; zero where the ports were read all the time.
    pub unread: TimeStatistics,
    /// Its host had no carrier for some time: what its kernel dropped then is no fault of the ring.
    pub lost_carrier: bool,
    /// Why the kernel did not change the carrier as it was told to.
    pub carrier_refused: Option<String>,
}

impl Live {
    /// Starts the network. Dropped frames and commands go to `log`, what happens on captured links to `tape`, where there
    /// is one. `confine` gives up what is not needed to run, before the thread starts that reads the first frame.
    ///
    /// # Errors
    /// Those of making an epoll instance and a thread, and those of `confine`.
    pub fn start<C>(
        plan: &Plan,
        pace: Pace,
        ports: Vec<LivePort>,
        (log, tape): (Option<LogSender>, Option<Tape>),
        confine: impl FnOnce() -> io::Result<C>,
    ) -> io::Result<(Live, C)> {
        let (requests, inbox) = unbounded();
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?);
        let clock = Clock::start();
        let mut engine = Engine::new(plan);
        for port in ports.iter().filter(|port| port.device.is_none()) {
            engine.apply(Instant::ZERO, Command::PortDown(port.node)).map_err(io::Error::other)?;
        }
        for port in ports.iter().filter(|port| port.device.as_ref().is_some_and(Port::includes_path)) {
            engine.include_path(port.node);
        }
        let epoll = Arc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?);
        epoll.add(wake.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, Wake::REQUEST))?;
        let (tell, lost) = plugs::pair()?;
        let taps = Taps::new(ports, plan.nodes.len(), Arc::clone(&epoll), tell, (log, tape))?;
        let mut state = Loop {
            engine,
            taps,
            agenda: Agenda::empty(),
            epoll,
            wake: Arc::clone(&wake),
            inbox,
            clock,
            stall: Duration::ZERO,
            pace,
            spin: Spin::new(match pace {
                Pace::Live(timing) => timing.spin.0,
                Pace::Virtual => Duration::ZERO,
            }),
            refused: Vec::new(),
        };
        let begin = || {
            let confined = confine()?;
            let thread = std::thread::Builder::new().name("longwire-engine".into()).spawn(move || state.run())?;
            Ok::<_, io::Error>((thread, confined))
        };
        let (thread, confined) = match pace {
            Pace::Live(timing) => scheduling::hand_down(&timing, begin),
            Pace::Virtual => begin(),
        }?;
        Ok((Live { requests, wake, thread: Some(thread), lost, clock }, confined))
    }

    /// Applies commands at the present instant, all at once. `what` is how people would write them. Where a timeline is under
    /// way, `rest` is what is still to come of it. The instant that it was.
    pub fn apply(&self, commands: Vec<Command>, what: String, rest: Option<Rest>) -> Result<Instant, LiveError> {
        self.ask(|reply| Request::Apply(commands, what, rest, reply))?.map_err(LiveError::Refused)
    }

    /// From here on it is t = 0, and the timeline and the series run. The instant that it is.
    pub fn begin(&self, begin: Begin) -> Result<Instant, LiveError> {
        self.ask(|reply| Request::Begin(begin, reply))
    }

    /// What is still to come of the timeline is something else from here on.
    pub fn replace(&self, rest: Rest) -> Result<(), LiveError> {
        self.ask(|reply| Request::Replace(rest, reply))?.map_err(LiveError::Refused)
    }

    /// Logs a change that was made outside the network.
    pub fn note(&self, at: Instant, what: String) -> Result<(), LiveError> {
        self.tell(Request::Note(at, what))
    }

    /// The timeline ends here, and what is kept of it; the network goes on. What was kept.
    pub fn end(&self) -> Result<Kept, LiveError> {
        self.ask(Request::End)
    }

    /// Ports whose TAPs have been found deleted since the last call, which are down from then on.
    pub(super) fn lost(&self) -> Vec<Lost> {
        self.lost.take()
    }

    /// Becomes readable when a port has ended.
    pub(super) fn lost_fd(&self) -> BorrowedFd<'_> {
        self.lost.as_fd()
    }

    /// The port at a position is down from here on: its interface is gone, `for_good` with its descriptor. The instant that it is.
    pub(super) fn unplug(&self, position: usize, for_good: bool) -> Result<Instant, LiveError> {
        let (at, _closed_here) = self.ask(|reply| Request::Unplug(position, for_good, reply))?;
        Ok(at)
    }

    /// The port at a position is up from here on, by a new `device` if there is one. The instant that it is.
    pub(super) fn plug(&self, position: usize, device: Option<Port>) -> Result<Instant, LiveError> {
        let (at, _closed_here) = self.ask(|reply| Request::Plug(position, device, reply))?.map_err(LiveError::Loop)?;
        Ok(at)
    }

    /// How each direction stands.
    pub(super) fn standing(&self) -> Result<Vec<Standing>, LiveError> {
        self.ask(Request::Standing)
    }

    /// How it is doing.
    pub fn progress(&self) -> Result<Progress, LiveError> {
        self.ask(Request::Progress)
    }

    /// Ends the network and hands out what it has counted.
    pub fn stop(mut self) -> Result<Outcome, LiveError> {
        let outcome = self.ask(Request::Stop);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => Err(LiveError::Loop(error)),
            _ => outcome,
        }
    }

    fn ask<T>(&self, request: impl FnOnce(Sender<T>) -> Request) -> Result<T, LiveError> {
        let (reply, answer) = bounded(1);
        self.tell(request(reply))?;
        answer.recv().map_err(|_| LiveError::Ended)
    }

    fn tell(&self, request: Request) -> Result<(), LiveError> {
        self.requests.send(request).map_err(|_| LiveError::Ended)?;
        self.wake.write(1).map(drop).map_err(|errno| LiveError::Loop(errno.into()))
    }
}

/// Why a live network did not answer.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The thread that carries the frames is gone.
    #[error("the engine has ended")]
    Ended,
    /// Epoll or a TAP failed.
    #[error("the engine's loop failed: {0}")]
    Loop(io::Error),
    /// A change was not made.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Where the engine's thread puts log entries. It never waits for the writer.
pub struct LogSender {
    batches: Sender<Vec<Entry>>,
    batch: Vec<Entry>,
    lost: u64,
}

const BATCH: usize = 256;

impl LogSender {
    /// The two ends of a log.
    pub fn new() -> (LogSender, Receiver<Vec<Entry>>) {
        let (batches, receiver) = bounded(LOG_BATCHES);
        (LogSender { batches, batch: Vec::new(), lost: 0 }, receiver)
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.batch.push(entry);
        if self.batch.len() >= BATCH {
            self.flush();
        }
    }

    pub(super) fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        // most have a few entries: a batch keeps no more room than it needs
        let batch = std::mem::take(&mut self.batch);
        match self.batches.try_send(batch) {
            Ok(()) => {}
            Err(TrySendError::Full(batch) | TrySendError::Disconnected(batch)) => self.lost += batch.len() as u64,
        }
    }

    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

struct Loop {
    engine: Engine,
    taps: Taps,
    agenda: Agenda,
    epoll: Arc<Epoll>,
    wake: Arc<EventFd>,
    inbox: Receiver<Request>,
    clock: Clock,
    stall: Duration,
    pace: Pace,
    spin: Spin,
    refused: Vec<String>,
}

impl Loop {
    fn run(&mut self) -> io::Result<()> {
        match self.pace {
            Pace::Live(timing) => self.run_live(&timing),
            Pace::Virtual => self.run_virtual(),
        }
    }

    /// When something is to happen next, if nothing comes before.
    fn due(&self) -> Instant {
        self.engine.next_deadline().into_iter().chain(self.agenda.next_step()).min().unwrap_or(Instant::MAX)
    }

    /// Does what the timeline wants up to `now`, before the engine hears of anything of `now`.
    fn release(&mut self, now: Instant) {
        self.taps.set_now(now);
        self.agenda.release(now, &mut self.engine, &mut self.taps, Taps::command);
    }

    /// Answers what was asked; returns whom to give the outcome when it is to end.
    fn answer(&mut self, now: Instant) -> Option<Sender<Outcome>> {
        // Whatever it says, what was asked is in the inbox.
        let _ = self.wake.read();
        while let Ok(request) = self.inbox.try_recv() {
            // An asker that is gone does not need its answer.
            match request {
                Request::Apply(commands, what, rest, reply) => {
                    let result = self.apply(now, commands, what, rest);
                    self.engine.advance(now, &mut self.taps);
                    let _ = reply.send(result);
                }
                Request::Begin(Begin { steps, keep, tell }, reply) => {
                    self.engine.advance(now, &mut self.taps);
                    self.agenda = Agenda::begin(&self.engine, now, steps, keep, tell);
                    let _ = reply.send(now);
                }
                Request::Replace(rest, reply) => {
                    let _ = reply.send(self.replace(now, rest));
                }
                Request::Note(at, what) => self.taps.command(at, what),
                Request::End(reply) => {
                    self.engine.advance(now, &mut self.taps);
                    let _ = reply.send(self.agenda.end(&self.engine, now));
                }
                Request::Standing(reply) => {
                    self.engine.advance(now, &mut self.taps);
                    let standing = self.engine.directions().map(|d| Standing::of(&self.engine, d));
                    let _ = reply.send(standing.collect());
                }
                Request::Progress(reply) => {
                    let _ = reply.send(self.progress());
                }
                Request::Unplug(position, for_good, reply) => {
                    let tap = self.taps.unplug(position, for_good, now, &mut self.engine);
                    let _ = reply.send((now, tap));
                }
                Request::Plug(position, tap, reply) => {
                    let old = self.taps.plug(position, tap, now, &mut self.engine);
                    let _ = reply.send(old.map(|old| (now, old)));
                }
                Request::Stop(reply) => {
                    // what was just read is offered to its link, and counted there
                    self.engine.advance(now, &mut self.taps);
                    return Some(reply);
                }
            }
        }
        None
    }

    fn apply(
        &mut self,
        now: Instant,
        commands: Vec<Command>,
        what: String,
        rest: Option<Rest>,
    ) -> Result<Instant, Refusal> {
        if rest.as_ref().is_some_and(|rest| rest.after != self.agenda.done()) {
            return Err(Refusal::Overtaken);
        }
        self.engine.apply_all(now, commands)?;
        self.taps.command(now, what);
        if let Some(rest) = rest {
            self.agenda.replace(rest.steps, now);
        }
        Ok(now)
    }

    fn replace(&mut self, now: Instant, rest: Rest) -> Result<(), Refusal> {
        if rest.after != self.agenda.done() {
            return Err(Refusal::Overtaken);
        }
        self.agenda.replace(rest.steps, now);
        self.release(now);
        Ok(())
    }

    fn progress(&self) -> Progress {
        self.engine.directions().map(|d| self.engine.counters(d)).fold(Progress::default(), |sum, c| Progress {
            delivered: sum.delivered + c.delivered.frames,
            bytes: sum.bytes + c.delivered.bytes,
            dropped: sum.dropped + c.dropped.frames(),
        })
    }

    fn outcome(&mut self, started: Instant, run_delay: Option<Duration>) -> Outcome {
        let engine = &self.engine;
        Outcome {
            directions: engine.directions().map(|d| (engine.counters(d).clone(), engine.inside(d))).collect(),
            unmatched: engine.directions().map(|d| engine.unmatched(d).map(unmatched_words).collect()).collect(),
            firewalls: engine.nodes().map(|n| engine.firewall(n).map(Rule::from).collect()).collect(),
            nodes: engine.nodes().map(|n| (engine.node_counters(n).clone(), engine.held(n))).collect(),
            dhcps: engine.nodes().map(|n| engine.dhcp(n).map(Dhcp::from).collect()).collect(),
            nats: engine.nodes().map(|n| engine.nat_counters(n)).collect(),
            log_lost: self.taps.log_lost(),
            converged: self.taps.take_converged(),
            ports: self.taps.take_outcomes(),
            stall: self.stall,
            gaps: record::Gaps::default(),
            run_delay,
            spin_rests: self.spin.rests,
            refused: std::mem::take(&mut self.refused),
            ran: self.clock.now() - started,
        }
    }
}

fn unmatched_words((model, only): (&str, &Only)) -> String {
    format!("{model} with only: {only}")
}

/// Sleeps until something is ready or `timeout` is over. A signal, such as one that ends a stop, ends the sleep; what is
/// ready by then is told, since what is not told is taken not to be there.
fn wait(epoll: &Epoll, ready: &mut [EpollEvent], timeout: Duration) -> io::Result<usize> {
    match crate::port::epoll::wait(epoll, ready, timeout) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {
            crate::port::epoll::wait(epoll, ready, Duration::ZERO)
        }
        result => result,
    }
}

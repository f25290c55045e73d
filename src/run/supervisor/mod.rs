//! One live run from beginning to end: hosts, engine, services, workloads, signals, control socket, teardown, report.
//!
//! Everything here happens on the main thread, which polls: the hosts' init, the programs' pipes, signals and the control
//! socket. The engine has a thread of its own.

mod asked;
mod changes;
mod ending;
mod log;
mod options;
mod owned;
mod setup;

use std::os::fd::{AsFd, BorrowedFd};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signalfd::SignalFd;
use nix::sys::time::TimeSpec;

use self::log::Log;
pub use self::options::{Inside, Options, RunError, Watcher};
use self::setup::Parts;
use super::agenda::{Keep, Kept};
use super::conclusion;
use super::control::Control;
use super::forward::Forwards;
use super::gate::Gate;
use super::given::Given;
use super::happened::Happened;
use super::live::{Begin, Live, LiveError, Refusal, Rest};
use super::owner::Owner;
use super::ports::Ports;
use super::process::Processes;
use super::programs::Surroundings;
use super::service::{self, Service};
use super::timeline::{self, Timeline};
use super::workload::{EndReason, RunningWorkload};
use crate::host::signals::Requests;
use crate::host::{Hook, InterfaceStatistics};
use crate::report::event_log::Names;
use crate::report::json::{EventKind, Report};
use crate::report::status::RunInfo;
use crate::tasks::resolved::Resolved;
use crate::tasks::set::LiveLinks;
use crate::units::{Duration, Instant};

/// What the run does from t = 0 on, as a watcher hears it.
pub const RUNNING: &str = "running";

/// How often a watcher hears how the run is doing.
const WATCH: Duration = Duration::from_millis(250);
/// The same in virtual time, where waking up is work and nobody looks.
const WATCH_VIRTUAL: Duration = Duration::from_secs(3600);

/// Runs a scenario live. Must be called while the process has one thread.
///
/// # Errors
/// The hosts cannot be made, or the run broke down on the way. Nothing is left behind in either case.
pub fn run(resolved: &Resolved, options: Options, watcher: &mut dyn Watcher) -> Result<Report, RunError> {
    run_for(resolved, options, watcher, None)
}

/// The same for an owner: a process that starts programs in the hosts, makes live changes, and says when it ends.
///
/// # Errors
/// As [`run`]; and the owner is gone.
pub(crate) fn run_for(
    resolved: &Resolved,
    options: Options,
    watcher: &mut dyn Watcher,
    owner: Option<&mut Owner>,
) -> Result<Report, RunError> {
    watcher.phase("making hosts");
    let (parts, for_report) = setup::network(resolved, &options)?;
    let files = Given::new(resolved.files.clone());
    let mut run = Run::new(resolved, &options, &files, parts, owner);
    run.carry_out(watcher)?;
    // what programs take to end is not part of what was asked to happen
    let lasted = run.zero.map_or(Duration::ZERO, |zero| run.live.clock.now() - zero);
    run.kept = run.live.end()?;
    run.timeline.take_in(&mut run.links, &mut run.events);
    watcher.phase("taking everything down");
    run.end_programs()?;
    run.conclude(lasted, for_report, &options)
}

/// Names of directions and nodes in the event log, whose times count from `zero`.
fn names(resolved: &Resolved, zero: Instant) -> Names {
    Names {
        directions: resolved.links.iter().flat_map(conclusion::direction_names).collect(),
        nodes: resolved.plan.nodes.iter().map(|node| node.name.clone()).collect(),
        zero,
    }
}

struct Run<'a> {
    resolved: &'a Resolved,
    /// What run it is.
    info: RunInfo,
    around: Surroundings<'a>,
    /// The links as they stand after live changes.
    links: LiveLinks,
    signals: SignalFd,
    /// What signals have asked for.
    requests: Requests,
    control: Control,
    live: Live,
    /// A command on the machine itself; taken away when the programs are ended.
    hook: Option<Hook>,
    /// What goes to `events.jsonl`, if there is a directory for it.
    log: Option<Log>,
    processes: Processes,
    ports: Ports<'a>,
    /// What listens on the machine, until t = 0.
    forwards: Option<Forwards<'a>>,
    /// Machines that t = 0 waits for.
    gates: Vec<Gate>,
    services: Vec<Service>,
    work: Vec<RunningWorkload>,
    events: Vec<Happened>,
    events_omitted: u64,
    timeline: Timeline<'a>,
    /// Files that live changes name.
    files: &'a Given,
    /// Programs that the timeline starts, by the names of the report.
    runs: Vec<(String, RunningWorkload)>,
    kept: Kept,
    /// t = 0: when all services and machines were ready.
    zero: Option<Instant>,
    interrupted: bool,
    owner: Option<&'a mut Owner>,
    /// How often the watcher hears how the run is doing.
    watch: Duration,
}

impl<'a> Run<'a> {
    fn new(
        resolved: &'a Resolved,
        options: &'a Options,
        files: &'a Given,
        parts: Parts<'a>,
        owner: Option<&'a mut Owner>,
    ) -> Run<'a> {
        let Parts { init, hook, signals, machines, forwards, control, info, live, log } = parts;
        let scenario = &resolved.scenario;
        let inherited = options.inside.as_ref().map(|inside| inside.environment.clone());
        let work = scenario.workloads.iter().zip(1..);
        Run {
            resolved,
            log,
            info,
            around: Surroundings::new(scenario, &resolved.network, options.out.as_ref(), &control.name, inherited),
            links: LiveLinks::new(resolved),
            signals,
            requests: Requests::default(),
            control,
            live,
            hook,
            processes: Processes::new(init),
            ports: Ports::new(resolved, machines),
            forwards: Some(forwards),
            gates: scenario.awaited.iter().map(|(name, spec)| Gate::new(name, spec)).collect(),
            services: scenario.services.iter().map(|(name, spec)| Service::new(name, spec)).collect(),
            work: work.map(|((name, spec), number)| RunningWorkload::new(name, spec, number)).collect(),
            events: Vec::new(),
            events_omitted: 0,
            timeline: Timeline::new(&resolved.timeline, &resolved.network, files),
            files,
            runs: timeline::runs(&resolved.timeline),
            kept: Kept::default(),
            zero: None,
            interrupted: false,
            owner,
            watch: if options.inside.is_some() { WATCH_VIRTUAL } else { WATCH },
        }
    }

    fn begin_log(&mut self, zero: Instant) {
        let resolved = self.resolved;
        if let Some(log) = &mut self.log {
            log.begin(|| names(resolved, zero));
        }
    }

    /// Services up, workloads through, or whatever ends a run before.
    fn carry_out(&mut self, watcher: &mut dyn Watcher) -> Result<(), RunError> {
        if let Some(hook) = &self.hook {
            hook.begin(&self.around.environment).map_err(RunError::machine("start the command of `--on-up`"))?;
        }
        if !self.services.is_empty() {
            watcher.phase("starting services");
        }
        let awaited: Vec<&str> = self.gates.iter().map(|gate| gate.name.as_str()).collect();
        if !awaited.is_empty() {
            watcher.phase(&format!("waiting for {}", awaited.join(", ")));
        }
        for gate in &mut self.gates {
            gate.start(self.live.clock.now());
        }
        for service in &mut self.services {
            service.start(self.live.clock.now(), &mut self.processes, &self.around);
        }
        while !self.interrupted
            && self.services.iter().all(|s| s.failure().is_none())
            && self.gates.iter().all(|gate| gate.failure().is_none())
        {
            if self.services.iter().all(Service::is_ready) && self.gates.iter().all(Gate::is_open) {
                let steps =
                    self.timeline.schedule(&self.links).map_err(|impossible| RunError::Timeline(impossible.reason))?;
                let keep = Keep { series: self.resolved.scenario.series.0, phases: self.timeline.has_marks() };
                let zero = self.live.begin(Begin { steps, keep, tell: self.timeline.listener() })?;
                self.timeline.begin(zero);
                self.zero = Some(zero);
                self.begin_log(zero);
                if let Some(forwards) = self.forwards.take() {
                    let started = forwards.start(self.resolved, &mut self.processes.init);
                    started
                        .map_err(|error| RunError::machine("start port forwarding")(std::io::Error::other(error)))?;
                }
                self.tell_owner_of_begin()?;
                watcher.phase(RUNNING);
                watcher.up(&self.info);
                return self.main_part(watcher);
            }
            self.turn(service::LOOK)?;
            let now = self.live.clock.now();
            for gate in &mut self.gates {
                gate.step(now, &mut self.processes, &self.around);
            }
        }
        Ok(())
    }

    fn main_part(&mut self, watcher: &mut dyn Watcher) -> Result<(), RunError> {
        let zero = self.zero.expect("the main part begins at t = 0");
        let duration = self.resolved.scenario.duration;
        let end = duration.map(|duration| zero + duration);
        let mut watched = zero;
        loop {
            let now = self.live.clock.now();
            self.start_due(zero, now);
            self.act()?;
            let service_failed = self.services.iter().any(|s| s.failure().is_some());
            let runs = self.runs.iter().any(|(_, run)| run.is_running());
            let all_done =
                self.may_end() && !self.work.is_empty() && self.work.iter().all(RunningWorkload::is_done) && !runs;
            let over = end.map_or(all_done, |end| now >= end);
            let stop = match (self.interrupted, service_failed, over) {
                (true, ..) => Some(EndReason::Interrupted),
                (_, true, _) => Some(EndReason::Service),
                (.., true) => Some(EndReason::Over),
                (.., false) => self.is_stopped().then_some(EndReason::Stopped),
            };
            if let Some(reason) = stop {
                self.stop_work(now, reason);
            }
            let none_runs =
                !self.work.iter().chain(self.runs.iter().map(|(_, run)| run)).any(RunningWorkload::is_running);
            if none_runs && stop.is_some() {
                return Ok(());
            }
            if now - watched >= self.watch {
                watched = now;
                watcher.progress(now - zero, duration, &self.live.progress()?);
            }
            let next = self.next_timer(zero).into_iter().chain(end).filter(|at| *at > now).min();
            self.turn(next.map_or(self.watch, |at| (at - now).min(self.watch)))?;
        }
    }

    /// Starts the workloads whose time has come, and notes it.
    fn start_due(&mut self, zero: Instant, now: Instant) {
        let ended: Vec<(String, Option<Instant>)> =
            self.work.iter().map(|work| (work.name.clone(), work.ended.or(work.is_done().then_some(now)))).collect();
        let ended = |name: &str| ended.iter().find(|(other, _)| other == name).and_then(|(_, at)| *at);
        for work in &mut self.work {
            if work.starts_at(zero, ended).is_some_and(|at| at <= now) {
                work.start(now, &mut self.processes, &self.around);
                self.events.push(Happened::new(now, EventKind::Work, format!("{} started", work.name)));
            }
        }
    }

    /// Makes the timeline's changes in hosts, and takes in what has changed inside the network.
    fn act(&mut self) -> Result<(), RunError> {
        let clock = self.live.clock;
        if self.timeline.hear(&self.work) {
            self.reschedule()?;
        }
        let mut runs: Vec<&mut RunningWorkload> = self.runs.iter_mut().map(|(_, run)| run).collect();
        for done in self.timeline.act(|| clock.now(), &mut self.processes, &mut runs, &self.around) {
            self.live.note(done.at, done.what.clone())?;
            self.events.push(done);
        }
        self.timeline.take_in(&mut self.links, &mut self.events);
        Ok(())
    }

    /// There is more to come of the timeline than the engine has been told.
    fn reschedule(&mut self) -> Result<(), RunError> {
        loop {
            self.timeline.take_in(&mut self.links, &mut self.events);
            let steps = match self.timeline.schedule(&self.links) {
                Ok(steps) => steps,
                Err(impossible) => {
                    self.timeline.leave_out(impossible);
                    continue;
                }
            };
            match self.live.replace(Rest { after: self.timeline.inside(), steps }) {
                Err(LiveError::Refused(Refusal::Overtaken)) => {}
                result => return Ok(result?),
            }
        }
    }

    fn next_timer(&self, zero: Instant) -> Option<Instant> {
        let starts = self.work.iter().filter_map(|work| work.starts_at(zero, |_| None));
        let work = self.work.iter().chain(self.runs.iter().map(|(_, run)| run));
        let timers = work.filter_map(RunningWorkload::next_timer);
        starts.chain(timers).chain(self.timeline.next_timer()).min()
    }

    fn stop_work(&mut self, now: Instant, reason: EndReason) {
        for work in &mut self.work {
            work.stop(now, reason, &mut self.processes);
        }
        for (_, run) in self.runs.iter_mut().filter(|(_, run)| run.is_running()) {
            run.stop(now, reason, &mut self.processes);
        }
    }

    /// Waits for something to happen, up to `at_most`, and takes it in.
    fn turn(&mut self, at_most: Duration) -> Result<(), RunError> {
        self.wait(at_most)?;
        if let Some(how) = self.hook.as_ref().and_then(Hook::failed) {
            return Err(RunError::OnUp(how));
        }
        let now = self.live.clock.now();
        self.processes.take_in(now)?;
        for happened in self.ports.look(now, &self.live, &mut self.processes)? {
            self.live.note(happened.at, happened.what.clone())?;
            self.events.push(happened);
        }
        while let Ok(Some(signal)) = self.signals.read_signal() {
            if !self.requests.counts(signal.ssi_signo, std::time::Instant::now()) {
                continue;
            }
            let what = format!("interrupted by signal {}", signal.ssi_signo);
            self.events.push(Happened::new(now, EventKind::Signal, what));
            if std::mem::replace(&mut self.interrupted, true) {
                // asked twice: the kernel takes everything away
                std::process::exit(130);
            }
        }
        for (request, peer) in self.control.accept() {
            self.serve(request, peer);
        }
        self.serve_owner(now)?;
        for service in &mut self.services {
            service.step(now, &mut self.processes, &self.around);
        }
        for work in &mut self.work {
            let before = work.is_done();
            work.step(now, &mut self.processes, &self.around);
            if work.is_done() && !before {
                let how = work.failure().map_or("ended".into(), |f| format!("failed: {}", f.reason));
                self.events.push(Happened::new(now, EventKind::Work, format!("{} {how}", work.name)));
            }
        }
        for (name, run) in &mut self.runs {
            let before = run.is_done();
            run.step(now, &mut self.processes, &self.around);
            if run.is_done() && !before {
                let how = run.failure().map_or("ended".into(), |f| format!("failed: {}", f.reason));
                self.events.push(Happened::new(now, EventKind::Work, format!("run {name} {how}")));
            }
        }
        Ok(())
    }

    fn wait(&self, at_most: Duration) -> Result<(), RunError> {
        let fixed: [BorrowedFd<'_>; 3] = [self.processes.init.as_fd(), self.signals.as_fd(), self.live.lost_fd()];
        let others = self.control.fds().chain(self.processes.fds()).chain(self.ports.fds()).chain(self.owner_fd());
        let others = others.chain(self.processes.init.waiting_for()).chain(self.hook.as_ref().and_then(Hook::fd));
        let all = fixed.into_iter().chain(others);
        let mut fds: Vec<PollFd<'_>> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
        fds.extend(self.control.writing().map(|fd| PollFd::new(fd, PollFlags::POLLOUT)));
        // to the nanosecond: what the timeline changes in hosts has its time
        let at_most = self.ports.patience().map_or(at_most, |patience| patience.min(at_most));
        let timeout = TimeSpec::from_duration(at_most.into());
        match ppoll(&mut fds, Some(timeout), None) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
            Err(errno) => Err(RunError::Machine { doing: "wait for the hosts", error: errno.into() }),
        }
    }
}

/// Kernel counters, indexed `[host][interface]`; `None` of an interface that is gone.
pub(super) type Statistics = Vec<Vec<Option<InterfaceStatistics>>>;

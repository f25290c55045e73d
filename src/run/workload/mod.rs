//! Running workloads: each waits for its time, runs one or two programs in hosts, and ends with a result or a reason.

use nix::sys::signal::Signal;

use super::process::{Processes, Start, StartError};
use super::programs::{self, Surroundings};
use crate::host::ProgramId;
use crate::measured::{Measured, ProcessReport};
use crate::tasks::expect::values::Extractor;
use crate::tasks::spec::{Amount, Start as When, Workload, WorkloadKind};
use crate::units::{Duration, Instant};

mod ending;
mod inside;
mod jobs;
mod outcome;
mod silence;

use ending::{DRAIN, Ending, LAST_WORDS, Stage};
pub(super) use ending::{EndReason, GRACE};
pub(super) use jobs::builtin;
use jobs::{ping_job, receiver, tcp_receive_job, tcp_send_job, udp_receive_job, udp_send_job};
pub(super) use outcome::{since, unexpected_exit};

/// One workload of a run.
pub(super) struct RunningWorkload {
    pub(super) name: String,
    spec: Workload,
    /// A number of its own, for streams and seeds.
    number: u32,
    state: State,
    pub(super) started: Option<Instant>,
    pub(super) ended: Option<Instant>,
    exit: Option<i32>,
    /// The longest that the main thread of one of its programs waited for a processor.
    waited: Option<Duration>,
    measured: Measured,
    output: Vec<String>,
}

enum State {
    Waiting,
    Running(Running),
    Done(Result<(), Failure>),
}

/// Why a workload failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) reason: String,
    /// Whether it would have failed however fast the machine: it is claimed even where the machine did not keep up.
    pub(super) certain: bool,
}

struct Running {
    /// The program; or the receiver, which starts first.
    first: ProgramId,
    /// The sender, once the receiver is ready.
    second: Option<ProgramId>,
    /// The receiver has been told how the sender ended.
    told: bool,
    /// The sender has been told that there is no receiver any more.
    alone: bool,
    ending: Option<Ending>,
}

impl RunningWorkload {
    pub(super) fn new(name: &str, spec: &Workload, number: u32) -> RunningWorkload {
        RunningWorkload {
            name: name.into(),
            spec: spec.clone(),
            number,
            state: State::Waiting,
            started: None,
            ended: None,
            exit: None,
            waited: None,
            measured: match spec.kind {
                WorkloadKind::Program { .. } => Measured::default(),
                WorkloadKind::Ping(_) => Measured::Ping(None),
                WorkloadKind::Udp(_) => Measured::Udp(Box::default()),
                WorkloadKind::Tcp(_) => Measured::Tcp(Box::default()),
            },
            output: Vec::new(),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// Whether it is a program, and no workload of our own.
    pub(super) fn is_program(&self) -> bool {
        matches!(self.spec.kind, WorkloadKind::Program { .. })
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.state {
            State::Done(Err(failure)) => Some(failure),
            _ => None,
        }
    }

    /// When it is to start, if that is known by now.
    pub(super) fn starts_at(&self, zero: Instant, ended: impl Fn(&str) -> Option<Instant>) -> Option<Instant> {
        if !matches!(self.state, State::Waiting) {
            return None;
        }
        match &self.spec.start {
            When::At(at) => Some(zero + *at),
            When::After(others) => {
                others.iter().map(|other| ended(other)).try_fold(zero, |last, at| Some(last.max(at?)))
            }
        }
    }

    /// When something is due that no program announces: a timeout, the end of a grace.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        let State::Running(running) = &self.state else { return None };
        match &running.ending {
            None => Some(self.started? + self.spec.timeout?),
            Some(ending) => ending.due(),
        }
    }

    pub(super) fn start(&mut self, now: Instant, processes: &mut Processes, around: &Surroundings<'_>) {
        self.started = Some(now);
        let (host, what) = match &self.spec.kind {
            WorkloadKind::Program { program, .. } => (program.host, programs::program(program, around)),
            WorkloadKind::Ping(ping) => (ping.path.from, builtin("ping", &ping_job(ping, &self.spec.percentiles))),
            WorkloadKind::Udp(udp) => {
                let job = udp_receive_job(udp, self.number, &self.spec.percentiles);
                (receiver(&udp.path), builtin("udp-receive", &job))
            }
            WorkloadKind::Tcp(tcp) => (receiver(&tcp.path), builtin("tcp-receive", &tcp_receive_job(tcp, around.seed))),
        };
        let start = Start { host: around.host_name(host), what, log_name: &self.name };
        match processes.start(start, around.out) {
            Ok(first) => {
                processes.get_mut(first).output.extract(Extractor::new(&self.spec.values));
                self.state = State::Running(Running { first, second: None, told: false, alone: false, ending: None });
            }
            Err(error) => self.fail(now, not_started(&error)),
        }
    }

    /// Moves on as far as its programs have come.
    pub(super) fn step(&mut self, now: Instant, processes: &mut Processes, around: &Surroundings<'_>) {
        let State::Running(running) = &mut self.state else { return };
        if running.second.is_none()
            && running.ending.is_none()
            && let Some(port) = processes.get(running.first).said().and_then(|said| said.port)
        {
            let (host, what) = match &self.spec.kind {
                WorkloadKind::Udp(udp) => {
                    let job = udp_send_job(udp, port, (self.number, around.seed), &self.spec.percentiles);
                    (udp.path.from, builtin("udp-send", &job))
                }
                WorkloadKind::Tcp(tcp) => (tcp.path.from, builtin("tcp-send", &tcp_send_job(tcp, port, around.seed))),
                WorkloadKind::Program { .. } | WorkloadKind::Ping(_) => return,
            };
            let log_name = format!("{}.sender", self.name);
            match processes.start(Start { host: around.host_name(host), what, log_name: &log_name }, around.out) {
                Ok(id) => running.second = Some(id),
                Err(error) => {
                    processes.signal(running.first, Signal::SIGKILL);
                    return self.fail(now, not_started(&error));
                }
            }
        }
        self.watch_time(now, processes);
        self.tell_receiver(processes);
        self.tell_sender(processes);
        self.conclude(now, processes);
    }

    /// A UDP receiver cannot know how many were sent, nor can any receiver know that nothing more will come from a sender
    /// that failed or gave up: the end of the stream may be lost on the way.
    fn tell_receiver(&mut self, processes: &mut Processes) {
        let State::Running(running) = &mut self.state else { return };
        let Some(sender) = running.second.filter(|_| !running.told) else { return };
        let sender = processes.get(sender);
        let Some(said) = sender.said() else { return };
        let mut lines = Vec::new();
        match (&said.result, &said.error, sender.exit) {
            (Some(ProcessReport::UdpSend(report)), ..) => {
                lines.push(format!("sent {}", report.sent));
                if running.ending.as_ref().is_some_and(|ending| ending.stage != Stage::Gently) {
                    lines.push("finish".into());
                }
            }
            // it has seen the end of the stream
            (Some(ProcessReport::TcpSend(report)), ..) if report.complete => return,
            (None, None, None) => return,
            _ => lines.push("finish".into()),
        }
        running.told = true;
        let receiver = processes.get_mut(running.first);
        lines.iter().for_each(|line| receiver.tell(line));
    }

    /// Nor does a sender always hear that its receiver is gone.
    fn tell_sender(&mut self, processes: &mut Processes) {
        let State::Running(running) = &mut self.state else { return };
        let Some(sender) = running.second.filter(|_| !running.alone) else { return };
        let receiver = processes.get(running.first);
        if receiver.exit.is_some() && receiver.said().is_some_and(|said| said.result.is_none()) {
            running.alone = true;
            tell_at_once(processes, sender);
        }
    }

    fn watch_time(&mut self, now: Instant, processes: &mut Processes) {
        if let (Some(started), Some(timeout)) = (self.started, self.spec.timeout)
            && now >= started + timeout
        {
            self.end(now, EndReason::Timeout, processes);
        }
        let State::Running(Running { ending: Some(ending), .. }) = &mut self.state else { return };
        if let Some(stage) = ending.advance(now) {
            self.tell_end(stage, processes);
        }
    }

    /// How long it may wait for what is under way when it ends as planned.
    fn gently(&self) -> Duration {
        match &self.spec.kind {
            WorkloadKind::Program { .. } => Duration::ZERO,
            WorkloadKind::Ping(ping) => ping.timeout + DRAIN,
            WorkloadKind::Udp(udp) => udp.linger + DRAIN,
            WorkloadKind::Tcp(_) => DRAIN,
        }
    }

    /// The run does not go on.
    pub(super) fn stop(&mut self, now: Instant, reason: EndReason, processes: &mut Processes) {
        match self.state {
            State::Waiting => {
                let reason = format!("it had not started when {}", reason.words());
                self.fail(now, Failure { reason, certain: false });
            }
            State::Running(_) => self.end(now, reason, processes),
            State::Done(_) => {}
        }
    }

    fn end(&mut self, now: Instant, reason: EndReason, processes: &mut Processes) {
        let gently = self.ends_as_planned(reason).then(|| self.gently());
        let patience = if matches!(self.spec.kind, WorkloadKind::Program { .. }) { GRACE } else { LAST_WORDS };
        let State::Running(running) = &mut self.state else { return };
        if let Some(ending) = &mut running.ending {
            if matches!(reason, EndReason::Interrupted | EndReason::Service) {
                ending.hurry(now);
            }
            return;
        }
        let ending = running.ending.insert(Ending::new(now, reason, gently, patience));
        let stage = ending.stage;
        self.tell_end(stage, processes);
    }

    /// Tells its processes how urgently they are to end.
    fn tell_end(&mut self, stage: Stage, processes: &mut Processes) {
        let State::Running(running) = &self.state else { return };
        let (first, second) = (running.first, running.second);
        match (stage, &self.spec.kind) {
            (Stage::Killed, _) => [Some(first), second].into_iter().flatten().for_each(|id| {
                processes.signal(id, Signal::SIGKILL);
            }),
            (_, WorkloadKind::Program { .. }) => processes.signal(first, Signal::SIGTERM),
            // The sender: the receiver is told what it sent. Before there is a sender, the receiver alone.
            (Stage::Gently, _) => processes.get_mut(second.unwrap_or(first)).tell("finish"),
            // A UDP receiver waits for the number that its sender sent, which the sender tells at once.
            (Stage::AtOnce, WorkloadKind::Udp(_)) if second.is_some() && !running.told => {
                second.into_iter().for_each(|sender| tell_at_once(processes, sender));
            }
            // The receiver first: what arrives from now on does not count.
            (Stage::AtOnce, _) => {
                [Some(first), second].into_iter().flatten().for_each(|id| tell_at_once(processes, id))
            }
        }
    }

    fn conclude(&mut self, now: Instant, processes: &mut Processes) {
        let State::Running(running) = &self.state else { return };
        let ids = [Some(running.first), running.second];
        if !ids.iter().flatten().all(|id| processes.get(*id).is_done(now)) {
            return;
        }
        for id in ids.into_iter().flatten() {
            let process = processes.get(id);
            self.output.extend(process.output.last_lines());
            self.waited = self.waited.max(process.waited);
        }
        let ended_by = running.ending.as_ref().map(|ending| ending.reason);
        let outcome = if let WorkloadKind::Program { exit, .. } = self.spec.kind {
            let first = processes.get(running.first);
            let code = first.exit.map_or(-1, |status| status.shell_code());
            self.take_values(&first.output);
            self.exit = Some(code);
            match ended_by {
                Some(reason) => Err(self.cut_short(reason)),
                None if code == exit => Ok(()),
                None => Err(Failure { reason: unexpected_exit(code, exit), certain: false }),
            }
        } else {
            let reported = self.take_reports(ids.into_iter().rev().flatten(), processes);
            match ended_by {
                Some(reason) if self.ends_as_planned(reason) => reported,
                // What it says of an end that it was told to come to is not why.
                Some(reason) => Err(self.cut_short(reason)),
                None => reported.and_then(|()| self.judge()),
            }
        };
        self.ended = Some(now);
        self.state = State::Done(outcome);
    }

    /// A workload without an amount of its own ends with the scenario's duration, or when nobody needs it any more.
    fn ends_as_planned(&self, reason: EndReason) -> bool {
        matches!(reason, EndReason::Over | EndReason::Stopped) && self.is_open_ended()
    }

    fn is_open_ended(&self) -> bool {
        let amount = match &self.spec.kind {
            WorkloadKind::Program { .. } => return false,
            WorkloadKind::Ping(ping) => ping.amount,
            WorkloadKind::Udp(udp) => udp.amount,
            WorkloadKind::Tcp(tcp) => tcp.amount,
        };
        amount == Amount::Whole
    }

    fn cut_short(&self, reason: EndReason) -> Failure {
        let reason = match (reason, self.spec.timeout) {
            (EndReason::Timeout, Some(timeout)) => format!("it timed out after {timeout}"),
            (EndReason::Timeout, None) => "it timed out".into(),
            (reason, _) => format!("it had not ended when {}", reason.words()),
        };
        Failure { reason, certain: false }
    }

    fn fail(&mut self, now: Instant, failure: Failure) {
        self.ended = self.started.map(|_| now);
        self.state = State::Done(Err(failure));
    }
}

pub(super) fn not_started(error: &StartError) -> Failure {
    Failure { reason: error.to_string(), certain: true }
}

/// Said twice, `finish` means at once.
fn tell_at_once(processes: &mut Processes, id: ProgramId) {
    let process = processes.get_mut(id);
    process.tell("finish");
    process.tell("finish");
}

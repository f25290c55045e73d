//! Workloads at work: each waits for its time, runs one or two programs in hosts, and ends with a result or a reason.

use indexmap::IndexMap;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::process::{Processes, Start, StartError};
use super::programs::{self, Surroundings};
use super::validity::Effort;
use super::workload::job;
use super::workload::job::{PingJob, TcpReceiveJob, TcpSendJob, UdpReceiveJob, UdpSendJob};
use crate::host::{ProgramId, What};
use crate::record::report;
use crate::scenario::spec::{Amount, Pace, Path, Ping, Start as When, Tcp, Udp, Workload, WorkloadKind};
use crate::units::{Duration, Instant};

/// How long a program may take to end after SIGTERM.
pub(super) const GRACE: Duration = Duration::from_secs(2);
/// How long a built-in workload may take to report after it was told to finish.
const LAST_WORDS: Duration = Duration::from_secs(15);

/// One workload of a run.
pub(super) struct Work {
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
    results: IndexMap<String, Value>,
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
    /// The receiver has been told how many were sent.
    told: bool,
    ending: Option<Ending>,
}

/// It was told to end.
struct Ending {
    at: Instant,
    reason: EndReason,
    killed: bool,
}

/// Why a workload was told to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum EndReason {
    /// Its own `timeout`.
    Timeout,
    /// The scenario's duration is over.
    Over,
    /// The program that the run belongs to has had enough.
    Stopped,
    /// A service has failed.
    Service,
    /// Somebody ended the run.
    Interrupted,
}

impl EndReason {
    /// Completes "it had not ended when …".
    fn words(self) -> &'static str {
        match self {
            EndReason::Timeout => "its time was up",
            EndReason::Over => "the scenario's duration was over",
            EndReason::Stopped => "the run was stopped",
            EndReason::Service => "a service failed",
            EndReason::Interrupted => "the run was interrupted",
        }
    }
}

impl Work {
    pub(super) fn new(name: &str, spec: &Workload, number: u32) -> Work {
        Work {
            name: name.into(),
            spec: spec.clone(),
            number,
            state: State::Waiting,
            started: None,
            ended: None,
            exit: None,
            waited: None,
            results: IndexMap::new(),
            output: Vec::new(),
        }
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_))
    }

    pub(super) fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
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
            Some(ending) if !ending.killed => Some(ending.at + self.patience()),
            Some(_) => None,
        }
    }

    pub(super) fn start(&mut self, now: Instant, processes: &mut Processes, around: &Surroundings<'_>) {
        self.started = Some(now);
        let (host, what) = match &self.spec.kind {
            WorkloadKind::Program { program, .. } => (program.host, programs::program(program, around)),
            WorkloadKind::Ping(ping) => (ping.path.from, builtin("ping", &ping_job(ping))),
            WorkloadKind::Udp(udp) => (receiver(&udp.path), builtin("udp-receive", &udp_receive_job(udp, self.number))),
            WorkloadKind::Tcp(tcp) => (receiver(&tcp.path), builtin("tcp-receive", &tcp_receive_job(tcp, around.seed))),
        };
        let start = Start { host: around.host_name(host), what, log_name: &self.name };
        match processes.start(start, around.out) {
            Ok(first) => self.state = State::Running(Running { first, second: None, told: false, ending: None }),
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
                    (udp.path.from, builtin("udp-send", &udp_send_job(udp, port, self.number, around.seed)))
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
        self.conclude(now, processes);
    }

    /// A UDP receiver cannot know how many were sent, nor a receiver whose sender failed that nothing more will come.
    fn tell_receiver(&mut self, processes: &mut Processes) {
        let State::Running(running) = &mut self.state else { return };
        let Some(sender) = running.second.filter(|_| !running.told) else { return };
        let sender = processes.get(sender);
        let Some(said) = sender.said() else { return };
        let line = match (&said.result, &said.error, sender.exit) {
            (Some(report), ..) if matches!(self.spec.kind, WorkloadKind::Udp(_)) => {
                format!("sent {}", report["sent"].as_u64().unwrap_or(0))
            }
            (Some(_), ..) => return, // a TCP receiver sees the end of the stream
            (None, None, None) => return,
            (None, ..) => "finish".into(),
        };
        running.told = true;
        let receiver = running.first;
        processes.get_mut(receiver).tell(&line);
    }

    fn watch_time(&mut self, now: Instant, processes: &mut Processes) {
        if let (Some(started), Some(timeout)) = (self.started, self.spec.timeout)
            && now >= started + timeout
        {
            self.end(now, EndReason::Timeout, processes);
        }
        let patience = self.patience();
        let State::Running(Running { first, second, ending: Some(ending), .. }) = &mut self.state else { return };
        if !ending.killed && now >= ending.at + patience {
            ending.killed = true;
            for id in [Some(*first), *second].into_iter().flatten() {
                processes.signal(id, Signal::SIGKILL);
            }
        }
    }

    fn patience(&self) -> Duration {
        match self.spec.kind {
            WorkloadKind::Program { .. } => GRACE,
            _ => LAST_WORDS,
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
        let as_planned = self.ends_as_planned(reason);
        let State::Running(running) = &mut self.state else { return };
        if running.ending.is_some() {
            return;
        }
        running.ending = Some(Ending { at: now, reason, killed: false });
        match self.spec.kind {
            WorkloadKind::Program { .. } => processes.signal(running.first, Signal::SIGTERM),
            // The sender first: the receiver is told what it sent. Before there is a sender, the receiver alone.
            _ => {
                let end = processes.get_mut(running.second.unwrap_or(running.first));
                end.tell("finish");
                // Said again it means at once: what has failed need not connect or deliver any more.
                if !as_planned {
                    end.tell("finish");
                }
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
        let first = processes.get(running.first);
        let ended_by = running.ending.as_ref().map(|ending| ending.reason);
        let outcome = match &self.spec.kind {
            WorkloadKind::Program { exit, .. } => {
                let code = first.exit.map_or(-1, |status| status.shell_code());
                self.exit = Some(code);
                match ended_by {
                    Some(reason) => Err(self.cut_short(reason)),
                    None if code == *exit => Ok(()),
                    None => Err(Failure { reason: unexpected_exit(code, *exit), certain: false }),
                }
            }
            _ => {
                let roles = match (&self.spec.kind, running.second) {
                    (WorkloadKind::Ping(_), _) => vec![(running.first, "")],
                    (_, None) => vec![(running.first, "receiver")],
                    (_, Some(second)) => vec![(second, "sender"), (running.first, "receiver")],
                };
                let reported = self.take_reports(&roles, processes);
                match ended_by {
                    Some(reason) if self.ends_as_planned(reason) => reported,
                    // What it says of an end that it was told to come to is not why.
                    Some(reason) => Err(self.cut_short(reason)),
                    None => reported.and_then(|()| self.judge()),
                }
            }
        };
        self.ended = Some(now);
        self.state = State::Done(outcome);
    }

    /// Takes the reports of built-in workloads; fails with the first that has none.
    fn take_reports(&mut self, roles: &[(ProgramId, &str)], processes: &Processes) -> Result<(), Failure> {
        let mut failure = None;
        for (id, role) in roles {
            let process = processes.get(*id);
            let said = process.said().expect("built-in workloads report in lines");
            match (&said.result, &said.error) {
                (Some(result), _) if role.is_empty() => {
                    if let Value::Object(fields) = result {
                        // A workload's own `started_ns` counts from t = 0; a report with two of them would not be JSON
                        // that all readers take alike.
                        self.results.extend(fields.clone().into_iter().filter(|(name, _)| name != "started_ns"));
                    }
                }
                (Some(result), _) => drop(self.results.insert((*role).into(), result.clone())),
                (None, error) => {
                    let reason = error.clone().unwrap_or_else(|| {
                        let code = process.exit.map_or(-1, |status| status.shell_code());
                        format!("it ended without a report (exit code {code})")
                    });
                    failure.get_or_insert(Failure { reason, certain: false });
                }
            }
        }
        failure.map_or(Ok(()), Err)
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

    /// Whether what a built-in workload measured is what was asked for.
    fn judge(&self) -> Result<(), Failure> {
        let WorkloadKind::Tcp(_) = &self.spec.kind else { return Ok(()) };
        let (sender, receiver) = (&self.results["sender"], &self.results["receiver"]);
        let fail = |reason: String| Err(Failure { reason, certain: false });
        if let Some(offset) = receiver["first_difference"].as_u64() {
            return fail(format!("byte {offset} of the stream arrived changed"));
        }
        if let Some(broken) = sender["broken"].as_str() {
            return fail(format!("the connection broke: {broken}"));
        }
        if sender["hash"] != receiver["hash"] || sender["complete"] != Value::Bool(true) {
            return fail(format!("{} bytes were sent, and {} arrived", sender["bytes"], receiver["bytes"]));
        }
        Ok(())
    }

    fn fail(&mut self, now: Instant, failure: Failure) {
        self.ended = self.started.map(|_| now);
        self.state = State::Done(Err(failure));
    }

    /// How well the machine let it do its work, once it has ended.
    pub(super) fn effort(&self) -> Option<Effort> {
        let sender = self.results.get("sender");
        // a full socket is the host's doing, not the machine's
        let paced = sender.filter(|sender| sender["blocked"] == 0 && sender["no_buffers"] == 0);
        Some(Effort {
            name: self.name.clone(),
            ran: self.ended? - self.started?,
            waited: self.waited,
            lateness_p99: paced.and_then(|sender| sender["lateness_ns"]["p99"].as_u64()).map(Duration::from_nanos),
        })
    }

    pub(super) fn report(&self, zero: Instant, hosts: &[String]) -> report::Work {
        let (kind, place) = match &self.spec.kind {
            WorkloadKind::Program { program, .. } => (programs::kind(program), hosts[program.host].clone()),
            WorkloadKind::Ping(ping) => ("ping", route(&ping.path, hosts)),
            WorkloadKind::Udp(udp) => ("udp", route(&udp.path, hosts)),
            WorkloadKind::Tcp(tcp) => ("tcp", route(&tcp.path, hosts)),
        };
        report::Work {
            kind: kind.into(),
            place,
            ok: matches!(self.state, State::Done(Ok(()))),
            reason: match &self.state {
                // the run was over before it began: a service was never ready, or somebody ended it
                State::Waiting => Some("it never started".into()),
                _ => self.failure().map(|failure| failure.reason.clone()),
            },
            started_ns: self.started.map(|at| since(at, zero)),
            ended_ns: self.ended.map(|at| since(at, zero)),
            exit: self.exit,
            output: self.output.clone(),
            results: self.results.clone(),
        }
    }
}

pub(super) fn since(at: Instant, zero: Instant) -> i64 {
    at.as_nanos() as i64 - zero.as_nanos() as i64
}

pub(super) fn not_started(error: &StartError) -> Failure {
    Failure { reason: error.to_string(), certain: true }
}

pub(super) fn unexpected_exit(code: i32, expected: i32) -> String {
    match (code, expected) {
        (code, 0) if code > 128 => format!("it was ended by signal {}", code - 128),
        (code, 0) => format!("it exited with {code}"),
        (code, expected) => format!("it exited with {code} instead of {expected}"),
    }
}

fn receiver(path: &Path) -> usize {
    path.to.expect("the checks have found the receiving host of udp and tcp")
}

fn route(path: &Path, hosts: &[String]) -> String {
    let to = path.to.map_or_else(|| path.destination.to_string(), |host| hosts[host].clone());
    format!("{} → {to}", hosts[path.from])
}

fn builtin<J: serde::Serialize>(name: &str, job: &J) -> What {
    What::Builtin { name: name.into(), job: serde_json::to_string(job).expect("jobs are plain data") }
}

fn count(amount: Amount) -> Option<u64> {
    if let Amount::Count(n) = amount { Some(n) } else { None }
}

fn for_ns(amount: Amount) -> Option<u64> {
    if let Amount::For(time) = amount { Some(time.as_nanos()) } else { None }
}

fn bytes_u32(size: crate::units::ByteSize) -> u32 {
    u32::try_from(size.as_bytes()).unwrap_or(u32::MAX)
}

fn ping_job(ping: &Ping) -> PingJob {
    PingJob {
        to: ping.path.destination,
        interface: None,
        source: ping.path.source,
        every_ns: ping.every.as_nanos(),
        count: count(ping.amount),
        for_ns: for_ns(ping.amount),
        size: bytes_u32(ping.size),
        timeout_ns: ping.timeout.as_nanos(),
    }
}

fn udp_receive_job(udp: &Udp, number: u32) -> UdpReceiveJob {
    UdpReceiveJob {
        bind: Some(udp.path.destination),
        port: udp.port.unwrap_or(0),
        interface: None,
        stream: number,
        linger_ns: udp.linger.as_nanos(),
    }
}

fn udp_send_job(udp: &Udp, port: u16, number: u32, seed: u64) -> UdpSendJob {
    UdpSendJob {
        to: udp.path.destination,
        port,
        interface: None,
        source: udp.path.source,
        pace: match udp.pace {
            Pace::Every(time) => job::Pace::EveryNs(time.as_nanos()),
            Pace::Rate(rate) => job::Pace::RateBps(rate.as_bps()),
        },
        size: bytes_u32(udp.size),
        count: count(udp.amount),
        for_ns: for_ns(udp.amount),
        seed,
        stream: number,
    }
}

fn tcp_receive_job(tcp: &Tcp, seed: u64) -> TcpReceiveJob {
    TcpReceiveJob {
        bind: Some(tcp.path.destination),
        port: tcp.port.unwrap_or(0),
        interface: None,
        receive_buffer: tcp.sockbuf.map(bytes_u32),
        congestion: tcp.congestion.clone(),
        seed,
    }
}

fn tcp_send_job(tcp: &Tcp, port: u16, seed: u64) -> TcpSendJob {
    let defaults: TcpSendJob = serde_json::from_value(serde_json::json!({ "to": tcp.path.destination, "port": port }))
        .expect("the rest has defaults");
    TcpSendJob {
        interface: None,
        source: tcp.path.source,
        bytes: if let Amount::Bytes(bytes) = tcp.amount { Some(bytes.as_bytes()) } else { None },
        for_ns: for_ns(tcp.amount),
        congestion: tcp.congestion.clone(),
        send_buffer: tcp.sockbuf.map(bytes_u32),
        seed,
        ..defaults
    }
}

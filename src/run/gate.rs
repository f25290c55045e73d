//! Machines that the run waits for: it begins when they answer.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::process::{Process, Processes, Start};
use super::programs::Surroundings;
use super::workload::{Failure, builtin, not_started, since};
use crate::host::{ExitStatus, ProgramId};
use crate::measured::{Measured, ProcessReport};
use crate::report::json::WorkloadReport;
use crate::tasks::spec::{Awaited, AwaitedCheck};
use crate::units::{Duration, Instant};
use crate::workload;

/// How long one question waits for its answer, and how long after it the next is asked at the least.
const ANSWER: Duration = Duration::from_secs(2);
const APART: Duration = Duration::from_millis(500);

/// One machine that is waited for.
pub(super) struct Gate {
    pub(super) name: String,
    spec: Awaited,
    state: State,
    started: Option<Instant>,
    ended: Option<Instant>,
}

enum State {
    New,
    /// The program that asks now, and when it was started.
    Asks(ProgramId, Instant),
    /// When to ask again.
    Pauses(Instant),
    Done(Result<(), Failure>),
}

impl Gate {
    pub(super) fn new(name: &str, spec: &Awaited) -> Gate {
        Gate { name: name.into(), spec: spec.clone(), state: State::New, started: None, ended: None }
    }

    pub(super) fn start(&mut self, now: Instant) {
        self.started = Some(now);
        self.state = State::Pauses(now);
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Done(Ok(())))
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.state {
            State::Done(Err(failure)) => Some(failure),
            _ => None,
        }
    }

    /// Moves on: asks, hears the answer, gives up.
    pub(super) fn step(&mut self, now: Instant, processes: &mut Processes, around: &Surroundings<'_>) {
        let over = self.started.is_some_and(|started| now >= started + self.spec.within);
        match self.state {
            State::Asks(id, began) if processes.get(id).is_done(now) => {
                if is_answered(processes.get(id)) {
                    self.end(now, Ok(()));
                } else if over {
                    self.give_up(now);
                } else {
                    self.state = State::Pauses(now.max(began + APART));
                }
            }
            State::Asks(id, _) if over => {
                processes.signal(id, Signal::SIGKILL);
                self.give_up(now);
            }
            State::Pauses(_) if over => self.give_up(now),
            State::Pauses(until) if until <= now => self.ask(now, processes, around),
            _ => {}
        }
    }

    fn ask(&mut self, now: Instant, processes: &mut Processes, around: &Surroundings<'_>) {
        let (to, source) = (self.spec.path.destination, self.spec.path.source);
        let wait = ANSWER.as_nanos();
        let what = match self.spec.check {
            AwaitedCheck::Ping => {
                let job = json!({ "to": to, "source": source, "count": 1, "timeout_ns": wait });
                builtin("ping", &job)
            }
            AwaitedCheck::Tcp(port) => {
                let ends = json!({ "to": to, "port": port, "source": source, "bytes": 0 });
                builtin("tcp-send", &within(ends, wait))
            }
            AwaitedCheck::Arp => builtin(workload::ARP, &json!({ "to": to, "source": source, "timeout_ns": wait })),
        };
        let log_name = format!("{}.ready", self.name);
        let start = Start { host: around.host_name(self.spec.path.from), what, log_name: &log_name };
        match processes.start(start, around.out) {
            Ok(id) => self.state = State::Asks(id, now),
            Err(error) => self.end(now, Err(not_started(&error))),
        }
    }

    fn give_up(&mut self, now: Instant) {
        let what = match self.spec.check {
            AwaitedCheck::Ping => "it did not answer ping".to_owned(),
            AwaitedCheck::Tcp(port) => format!("it took no connection to TCP port {port}"),
            AwaitedCheck::Arp if self.spec.path.destination.is_ipv6() => {
                "it did not answer neighbour discovery".to_owned()
            }
            AwaitedCheck::Arp => "it did not answer ARP".to_owned(),
        };
        let reason = format!("it was not ready within {}: {what}", self.spec.within);
        self.end(now, Err(Failure { reason, certain: false }));
    }

    fn end(&mut self, now: Instant, how: Result<(), Failure>) {
        self.ended = Some(now);
        self.state = State::Done(how);
    }

    pub(super) fn report(&self, zero: Instant, hosts: &[String]) -> WorkloadReport {
        WorkloadReport {
            kind: "external".into(),
            place: hosts[self.spec.path.from].clone(),
            ok: self.failure().is_none(),
            reason: self.failure().map(|failure| failure.reason.clone()),
            started_ns: self.started.map(|at| since(at, zero)),
            ended_ns: self.ended.map(|at| since(at, zero)),
            exit: None,
            output: Vec::new(),
            measured: Measured::default(),
        }
    }
}

/// A connection that takes no longer than that to be there. A machine that takes it need not end it.
fn within(mut job: Value, nanos: u64) -> Value {
    job["connect_timeout_ns"] = nanos.into();
    job["drain_timeout_ns"] = 0.into();
    job
}

/// Whether the program that asked was answered: it has ended well, which of a ping says nothing.
fn is_answered(process: &Process) -> bool {
    let result = process.said().and_then(|said| said.result.as_ref());
    let lost = matches!(result, Some(ProcessReport::Ping(ping)) if ping.received == 0);
    process.exit == Some(ExitStatus::Code(0)) && !lost
}

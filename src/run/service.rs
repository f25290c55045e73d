//! Services: programs that run for the whole time, and when they are ready.

use nix::sys::signal::Signal;

use super::process::{Processes, Start};
use super::programs::{self, Surroundings};
use super::workload::{Failure, GRACE, not_started, since};
use crate::host::{ExitStatus, ProgramId, Transport};
use crate::measured::Measured;
use crate::report::json::WorkloadReport;
use crate::tasks::spec::{ReadyCheck, Service as Spec};
use crate::units::{Duration, Instant};

/// How often readiness is looked for.
pub(super) const LOOK: Duration = Duration::from_millis(10);

/// One service of a run.
pub(super) struct Service {
    pub(super) name: String,
    spec: Spec,
    state: State,
    started: Option<Instant>,
    ended: Option<Instant>,
    exit: Option<i32>,
    output: Vec<String>,
    /// The program of `ready: { exec: … }` that runs now.
    probe: Option<ProgramId>,
}

enum State {
    New,
    Starting(ProgramId),
    Ready(ProgramId),
    /// The run is over, and it was told to end at this instant.
    Ending(ProgramId, Instant),
    Done(Result<(), Failure>),
}

impl Service {
    pub(super) fn new(name: &str, spec: &Spec) -> Service {
        Service {
            name: name.into(),
            spec: spec.clone(),
            state: State::New,
            started: None,
            ended: None,
            exit: None,
            output: Vec::new(),
            probe: None,
        }
    }

    pub(super) fn start(&mut self, now: Instant, processes: &mut Processes, around: &Surroundings<'_>) {
        self.started = Some(now);
        let start = Start {
            host: around.host_name(self.spec.program.host),
            what: programs::program(&self.spec.program, around),
            log_name: &self.name,
        };
        match processes.start(start, around.out) {
            Ok(id) => {
                if let Some(ReadyCheck::Log(text)) = self.spec.ready.as_ref().map(|ready| &ready.check) {
                    processes.get_mut(id).output.wait_for(text);
                }
                self.state = State::Starting(id);
            }
            Err(error) => self.state = State::Done(Err(not_started(&error))),
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready(_))
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done(_) | State::New)
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.state {
            State::Done(Err(failure)) => Some(failure),
            _ => None,
        }
    }

    /// Moves on: ready, died early, ended.
    pub(super) fn step(&mut self, now: Instant, processes: &mut Processes, around: &Surroundings<'_>) {
        let (id, ending) = match self.state {
            State::Starting(id) | State::Ready(id) => (id, None),
            State::Ending(id, at) => (id, Some(at)),
            State::New | State::Done(_) => return,
        };
        if processes.get(id).is_done(now) {
            let process = processes.get(id);
            self.exit = process.exit.map(ExitStatus::shell_code);
            self.output = process.output.last_lines();
            self.ended = Some(now);
            self.state = State::Done(match ending {
                Some(_) => Ok(()),
                None => {
                    let when = if self.is_ready() { "while the run needed it" } else { "before it was ready" };
                    let how = match process.exit {
                        Some(ExitStatus::Code(code)) => format!("it exited with {code} {when}"),
                        Some(ExitStatus::Signal(signal)) => format!("it was ended by signal {signal} {when}"),
                        None => format!("it ended {when}"),
                    };
                    Err(Failure { reason: how, certain: false })
                }
            });
            return;
        }
        match (&self.state, ending) {
            (_, Some(at)) if now >= at + GRACE => processes.signal(id, Signal::SIGKILL),
            (State::Starting(_), _) => self.look(id, now, processes, around),
            _ => {}
        }
    }

    fn look(&mut self, id: ProgramId, now: Instant, processes: &mut Processes, around: &Surroundings<'_>) {
        let Some(ready) = self.spec.ready.clone() else {
            self.state = State::Ready(id);
            return;
        };
        let host = around.host_name(self.spec.program.host);
        let mut waits = |transport, port| processes.init.listening(host, transport, port).unwrap_or(false);
        let is_ready = match &ready.check {
            ReadyCheck::Tcp(port) => waits(Transport::Tcp, Some(*port)),
            ReadyCheck::Udp(port) => waits(Transport::Udp, Some(*port)),
            ReadyCheck::AnyPort => waits(Transport::Tcp, None) || waits(Transport::Udp, None),
            ReadyCheck::Log(_) => processes.get(id).output.has_come(),
            ReadyCheck::Exec(argv) => self.exec(argv, host, now, processes, around),
        };
        if is_ready {
            self.state = State::Ready(id);
        } else if self.started.is_some_and(|started| now >= started + ready.within) {
            let what = match &ready.check {
                ReadyCheck::Tcp(port) => format!("no program listened on TCP port {port}"),
                ReadyCheck::Udp(port) => format!("no program was bound to UDP port {port}"),
                ReadyCheck::AnyPort => "no program listened on a TCP port or was bound to a UDP port".to_owned(),
                ReadyCheck::Log(text) => format!("its output did not say {text:?}"),
                ReadyCheck::Exec(argv) => format!("`{}` did not succeed", argv.join(" ")),
            };
            processes.signal(id, Signal::SIGKILL);
            self.output = processes.get(id).output.last_lines();
            self.ended = Some(now);
            let reason = format!("it was not ready within {}: {what}", ready.within);
            self.state = State::Done(Err(Failure { reason, certain: false }));
        }
    }

    /// Runs the probe again and again until one succeeds.
    fn exec(
        &mut self,
        argv: &[String],
        host: &str,
        now: Instant,
        processes: &mut Processes,
        around: &Surroundings<'_>,
    ) -> bool {
        if let Some(probe) = self.probe {
            if !processes.get(probe).is_done(now) {
                return false;
            }
            self.probe = None;
            if processes.get(probe).exit == Some(ExitStatus::Code(0)) {
                return true;
            }
        }
        let program = crate::tasks::spec::Program {
            run: crate::tasks::spec::Command::Command(argv.to_vec()),
            ..self.spec.program.clone()
        };
        let log_name = format!("{}.ready", self.name);
        let start = Start { host, what: programs::program(&program, around), log_name: &log_name };
        // A probe that cannot be executed is one that does not succeed; the report names it.
        self.probe = processes.start(start, around.out).ok();
        false
    }

    /// The run is over: from now on its end, which its caller asks for, is no failure.
    pub(super) fn stop(&mut self, now: Instant) {
        if let State::Starting(id) | State::Ready(id) = self.state {
            self.state = State::Ending(id, now);
        }
    }

    pub(super) fn report(&self, zero: Instant, hosts: &[String]) -> WorkloadReport {
        WorkloadReport {
            kind: programs::kind(&self.spec.program).into(),
            place: hosts[self.spec.program.host].clone(),
            ok: self.failure().is_none(),
            reason: self.failure().map(|failure| failure.reason.clone()),
            started_ns: self.started.map(|at| since(at, zero)),
            ended_ns: self.ended.map(|at| since(at, zero)),
            exit: self.exit,
            output: self.output.clone(),
            measured: Measured::default(),
        }
    }
}

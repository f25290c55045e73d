//! What a workload came to: what its processes measured, whether that is what was asked for, its report.

use super::super::clock::Clock;
use super::super::output::Output;
use super::super::process::Processes;
use super::super::programs;
use super::super::validity::Effort;
use super::jobs::route;
use super::{Failure, RunningWorkload, State, inside, silence};
use crate::host::ProgramId;
use crate::measured::{Measured, Part, ProgramValues};
use crate::report::json::WorkloadReport;
use crate::tasks::spec::WorkloadKind;
use crate::units::{Duration, Instant};

impl RunningWorkload {
    /// Takes the numbers that a scenario asked for out of a program's output.
    pub(super) fn take_values(&mut self, output: &Output) {
        let asked = &self.spec.values;
        if !asked.is_empty() {
            self.measured = Measured::Program(ProgramValues {
                values: Some(output.extracted()),
                value_units: Some(asked.iter().map(|(name, value)| (name.clone(), value.unit)).collect()),
            });
        }
    }

    /// Takes the reports of built-in workloads; fails with the first that has none.
    pub(super) fn take_reports(
        &mut self,
        programs: impl Iterator<Item = ProgramId>,
        processes: &Processes,
    ) -> Result<(), Failure> {
        let mut failure = None;
        for id in programs {
            let process = processes.get(id);
            let said = process.said().expect("built-in workloads report in lines");
            if let Some(report) = &said.result {
                self.measured.take(report.clone());
                continue;
            }
            let reason = said.error.clone().unwrap_or_else(|| {
                let code = process.exit.map_or(-1, |status| status.shell_code());
                format!("it ended without a report (exit code {code})")
            });
            failure.get_or_insert(Failure { reason, certain: false });
        }
        // what a UDP receiver could not have heard yet is not lost
        if let (WorkloadKind::Udp(spec), Measured::Udp(udp)) = (&self.spec.kind, &mut self.measured)
            && let (Some(sender), Some(receiver)) = (&udp.sender, &mut udp.receiver)
        {
            inside::set_aside(sender, receiver, spec.transit);
        }
        silence::reckon(&mut self.measured);
        failure.map_or(Ok(()), Err)
    }

    /// Whether what a built-in workload measured is what was asked for.
    pub(super) fn judge(&self) -> Result<(), Failure> {
        let (Some(sender), Some(receiver)) = (self.measured.tcp_sender(), self.measured.tcp_receiver()) else {
            return Ok(());
        };
        let fail = |reason: String| Err(Failure { reason, certain: false });
        if let Some(offset) = receiver.first_difference {
            return fail(format!("byte {offset} of the stream arrived changed"));
        }
        if let Some(broken) = &sender.broken {
            return fail(format!("the connection broke: {broken}"));
        }
        if sender.hash != receiver.hash || !sender.complete {
            return fail(format!("{} bytes were sent, and {} arrived", sender.bytes, receiver.bytes));
        }
        Ok(())
    }

    /// How well the machine let it do its work, once it has ended.
    pub(in super::super) fn effort(&self) -> Option<Effort> {
        // a full socket is the host's doing, not the machine's
        let paced = self.measured.udp_sender().filter(|sender| sender.blocked == 0 && sender.no_buffers == 0);
        let lateness = paced.and_then(|sender| sender.lateness_ns.as_ref()?.get(Part::P99));
        Some(Effort {
            name: self.name.clone(),
            ran: self.ended? - self.started?,
            waited: self.waited,
            lateness_p99: lateness.map(Duration::from_nanos),
        })
    }

    pub(in super::super) fn report(&self, zero: Instant, clock: Clock, hosts: &[String]) -> WorkloadReport {
        let (kind, place) = match &self.spec.kind {
            WorkloadKind::Program { program, .. } => (programs::kind(program), hosts[program.host].clone()),
            WorkloadKind::Ping(ping) => ("ping", route(&ping.path, hosts)),
            WorkloadKind::Udp(udp) => ("udp", route(&udp.path, hosts)),
            WorkloadKind::Tcp(tcp) => ("tcp", route(&tcp.path, hosts)),
        };
        let mut measured = self.measured.clone();
        measured.tell_own_times(|at| since(clock.at(at), zero));
        WorkloadReport {
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
            measured,
        }
    }
}

pub(in super::super) fn since(at: Instant, zero: Instant) -> i64 {
    at.as_nanos() as i64 - zero.as_nanos() as i64
}

pub(in super::super) fn unexpected_exit(code: i32, expected: i32) -> String {
    match (code, expected) {
        (code, 0) if code > 128 => format!("it was ended by signal {}", code - 128),
        (code, 0) => format!("it exited with {code}"),
        (code, expected) => format!("it exited with {code} instead of {expected}"),
    }
}

//! From the last workload's end to the report.

use nix::sys::signal::Signal;

use super::setup::ForReport;
use super::{Log, Options, Run, RunError};
use crate::report::json::{Mode, Report};
use crate::run::conclusion::{self, Ended};
use crate::run::service::Service;
use crate::run::workload::GRACE;
use crate::run::{captures, confinement};
use crate::units::Duration;

impl Run<'_> {
    /// Ends services, and whatever programs are left, gently first.
    pub(super) fn end_programs(&mut self) -> Result<(), RunError> {
        // as long as all that it may talk to is there
        self.hook = None;
        let begun = self.live.clock.now();
        for service in &mut self.services {
            service.stop(begun);
        }
        for id in self.processes.running() {
            self.processes.signal(id, Signal::SIGTERM);
        }
        self.end_owners_programs(Signal::SIGTERM);
        loop {
            let now = self.live.clock.now();
            let running = self.processes.running();
            let none = running.is_empty() && self.owners_programs_are_gone();
            if none && self.services.iter().all(Service::is_done) || now > begun + GRACE * 2 {
                return Ok(());
            }
            if now > begun + GRACE {
                for id in running {
                    self.processes.signal(id, Signal::SIGKILL);
                }
                self.end_owners_programs(Signal::SIGKILL);
            }
            self.turn(Duration::from_millis(50))?;
        }
    }

    /// Takes the network down and says what the run came to. `lasted`: from t = 0.
    pub(super) fn conclude(
        mut self,
        lasted: Duration,
        for_report: ForReport,
        options: &Options,
    ) -> Result<Report, RunError> {
        let ForReport { captures, offloads, machine, confinement } = for_report;
        let resolved = self.resolved;
        let statistics = self.processes.init.statistics()?;
        let lacking = self.processes.outputs_lacking();
        if let (Some(captures), Some(zero)) = (&captures, self.zero) {
            captures.span(zero, zero + lasted);
        }
        let zero = self.zero.unwrap_or_else(|| self.live.clock.now());
        self.begin_log(zero);
        let outages = self.ports.outages(zero, zero + lasted);
        let clock = self.live.clock;
        let mut outcome = self.live.stop()?;
        // Everything is counted by now, and gone if init is.
        let last = self.processes.init.shutdown(Duration::ZERO).unwrap_or_default();
        if let Some(owner) = self.owner {
            owner.tell_ends(&last)?;
        }
        let log_failed = match self.log.map_or(Ok(0), Log::finish) {
            Ok(beyond) => {
                outcome.log_lost += beyond;
                None
            }
            Err(error) => Some(format!("the event log could not be written: {error}")),
        };
        let ended = Ended {
            zero,
            clock,
            duration: lasted,
            interrupted: self.interrupted,
            gates: self.gates,
            services: self.services,
            work: self.work,
            runs: self.runs,
            events: self.events,
            events_omitted: self.events_omitted,
            timeline: self.timeline,
            kept: self.kept,
            statistics,
            offloads,
            outages,
            machine,
            confinement: confinement.map(confinement::end),
        };
        let mode = if options.inside.is_some() { Mode::Virtual } else { Mode::Live };
        let mut report = conclusion::report(resolved, &options.file, mode, &outcome, ended);
        report.unwritten.extend(log_failed);
        report.unwritten.extend(lacking.unwritten);
        report.warnings.extend(report.unwritten.iter().cloned().chain(lacking.cut));
        report.captures = match captures {
            Some(captures) => captures.conclude(report.verdict),
            None => captures::not_written(resolved),
        };
        report
            .unwritten
            .extend(report.captures.iter().filter(|_| options.out.is_some()).filter_map(captures::unwritten));
        Ok(report)
    }
}

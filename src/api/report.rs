//! What programs and tests look up in a report.

use super::{Error, ErrorKind};
use crate::diag::suggestion;
use crate::report::json::{Direction, Port, Report, Verdict, WorkloadReport};
use crate::report::terminal;

impl Report {
    /// The direction of a link toward an end: a node, with or without its interface.
    ///
    /// # Errors
    /// There is none; the message says which there are.
    pub fn direction(&self, link: &str, toward: &str) -> Result<&Direction, Error> {
        let leads_there = |d: &&Direction| {
            let node = d.to.split('.').next();
            d.link == link && (d.to == toward || node == Some(toward))
        };
        self.directions.iter().find(leads_there).ok_or_else(|| {
            let ends: Vec<&str> = self.directions.iter().filter(|d| d.link == link).map(|d| d.to.as_str()).collect();
            let text = if ends.is_empty() {
                let links = self.directions.iter().map(|d| d.link.as_str());
                format!("no link `{link}` in the report: {}", suggestion(link, links))
            } else {
                format!("`{link}` does not lead to `{toward}`: {}", suggestion(toward, ends))
            };
            Error::new(ErrorKind::Unknown, text)
        })
    }

    /// How a workload fared.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn workload(&self, name: &str) -> Result<&WorkloadReport, Error> {
        self.workloads.get(name).ok_or_else(|| unknown("workload", name, self.workloads.keys()))
    }

    /// How a service fared.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn service(&self, name: &str) -> Result<&WorkloadReport, Error> {
        self.services.get(name).ok_or_else(|| unknown("service", name, self.services.keys()))
    }

    /// An interface of a host.
    ///
    /// # Errors
    /// There is none.
    pub fn port(&self, host: &str, interface: &str) -> Result<&Port, Error> {
        self.ports.iter().find(|port| port.host == host && port.interface == interface).ok_or_else(|| {
            let all: Vec<String> = self.ports.iter().map(|port| format!("{}.{}", port.host, port.interface)).collect();
            unknown("interface", &format!("{host}.{interface}"), all.iter())
        })
    }

    /// Whether the machine did not keep up, so that the run says neither pass nor fail of the scenario.
    pub fn is_invalid(&self) -> bool {
        self.verdict == Verdict::Invalid
    }

    /// Panics unless all that the scenario expected holds, with the whole report as the message. A scenario that expected
    /// nothing, and in which nothing failed, passes.
    ///
    /// # Panics
    /// Something failed; or the machine did not keep up: then nothing is known, and a test that says so is not a pass.
    #[track_caller]
    pub fn assert_pass(&self) {
        assert!(matches!(self.verdict, Verdict::Pass | Verdict::None), "{}", self.explain());
    }

    /// The report as people read it on a terminal, without colours.
    pub fn explain(&self) -> String {
        terminal::render(self, terminal::View::default()).plain()
    }
}

impl Direction {
    /// Frames that were dropped for a cause, in the report's words: `loss`, `queue_full`, `aqm`, `link_down`, `mtu`; 0 where
    /// none were.
    pub fn dropped_by(&self, cause: &str) -> u64 {
        self.dropped.get(cause).copied().unwrap_or(0)
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> Error {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let text = match known.is_empty() {
        true => format!("no {what} `{name}`: the scenario has none"),
        false => format!("no {what} `{name}`: {}", suggestion(name, known)),
    };
    Error::new(ErrorKind::Unknown, text)
}

//! A network that is up.

use core::net::IpAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use super::command::InHost;
use super::connection::Connection;
use super::{Error, ErrorKind, Host};
use crate::addressing::network::Place;
use crate::diag::suggestion;
use crate::engine::DirectionSpec;
use crate::report::json::Report;
use crate::run::given::Texts;
use crate::run::owner::{Answer, Ask};
use crate::tasks::resolved::Resolved;

/// A network that is up, from t = 0 on: its hosts are made, its services are ready, its workloads begin.
///
/// It belongs to this process and ends with it, however that ends. Dropping it takes everything down at once and waits
/// until it is gone; [`Network::wait`] and [`Network::stop`] give the report. `longwire exec` and `longwire set` find it
/// too.
#[derive(Debug)]
pub struct Network {
    held: Held,
    hosts: Vec<HostEntry>,
    environment: Arc<[(String, String)]>,
    asked: Asked,
    /// Whether the scenario's own end is one: it has workloads, or a duration.
    ends: bool,
}

#[derive(Debug)]
struct HostEntry {
    name: String,
    /// `None` for a machine that longwire did not make.
    addresses: Option<Vec<IpAddr>>,
}

/// What the scenario asks of each direction, in the order of reports: what a report that comes as text says in words alone.
#[derive(Debug)]
pub(super) struct Asked(Vec<DirectionSpec>);

impl Asked {
    pub(super) fn of(resolved: &Resolved) -> Asked {
        Asked(resolved.plan.links.iter().flat_map(|link| link.directions.clone()).collect())
    }

    /// Puts it back into a report.
    pub(super) fn restore(self, mut report: Report) -> Report {
        for (direction, spec) in report.directions.iter_mut().zip(self.0) {
            direction.requested = spec.into();
        }
        report
    }
}

/// The process that holds the network, and its end.
pub(super) struct Held {
    pub(super) connection: Arc<Connection>,
    pub(super) thread: Option<JoinHandle<()>>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.connection.close();
        if let Some(thread) = self.thread.take() {
            // It says nothing by a panic that the connection has not said.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Held")
    }
}

impl Network {
    pub(super) fn new(held: Held, resolved: &Resolved, environment: Vec<(String, String)>) -> Network {
        let hosts = resolved.network.hosts.iter().map(|host| {
            let addresses = || host.interfaces.iter().flat_map(|i| &i.addresses).map(|net| net.addr()).collect();
            HostEntry { name: host.name.clone(), addresses: (host.place == Place::Namespace).then(addresses) }
        });
        let scenario = &resolved.scenario;
        Network {
            held,
            hosts: hosts.collect(),
            environment: environment.into(),
            asked: Asked::of(resolved),
            ends: !scenario.workloads.is_empty() || scenario.duration.is_some(),
        }
    }

    /// A host.
    ///
    /// # Errors
    /// There is none of that name, or longwire did not make it, so that no program can be run there.
    pub fn host(&self, name: &str) -> Result<Host, Error> {
        let unknown = |text| Error::new(ErrorKind::Unknown, text);
        let entry = self.hosts.iter().find(|host| host.name == name).ok_or_else(|| {
            let known = self.hosts.iter().filter(|host| host.addresses.is_some()).map(|host| host.name.as_str());
            unknown(format!("no host `{name}`: {}", suggestion(name, known)))
        })?;
        let Some(addresses) = &entry.addresses else {
            return Err(unknown(format!(
                "`{name}` is a machine that longwire did not make: no program can be run there"
            )));
        };
        let inner = InHost {
            name: name.into(),
            connection: Arc::clone(&self.held.connection),
            environment: Arc::clone(&self.environment),
        };
        Ok(Host::new(inner, addresses.clone()))
    }

    /// Changes the network while it is up, in the words of `longwire set`: `wifi.loss=10%`, `wifi.toward.ap.rate=5Mbit`,
    /// `wifi=down`, `phone.route=wwan0`. When it returns, the change has taken effect.
    ///
    /// # Errors
    /// The change is wrong ([`ErrorKind::Scenario`]), or the network is not up any more.
    pub fn set(&self, change: &str) -> Result<(), Error> {
        self.set_all([change])
    }

    /// Makes several changes at the same instant; none if one of them is wrong.
    ///
    /// # Errors
    /// As [`Network::set`].
    pub fn set_all(&self, changes: impl IntoIterator<Item = impl Into<String>>) -> Result<(), Error> {
        let changes: Vec<String> = changes.into_iter().map(Into::into).collect();
        let mut files = Texts::new();
        loop {
            let ask = Ask::Set { changes: changes.clone(), files: files.clone() };
            match self.held.connection.ask(ask, &[])? {
                (_, Answer::Needs(needed)) => files.extend(needed.read()),
                (_, answer) => return done(answer),
            }
        }
    }

    /// Waits until the scenario is over — its workloads are done, or its duration is — and takes everything down.
    ///
    /// # Errors
    /// The scenario has no end of its own: then [`Network::stop`] it. Something broke down on the way. That something
    /// failed, or that the machine did not keep up, is no error: see [`Report::verdict`](crate::report::json::Report).
    pub fn wait(self) -> Result<Report, Error> {
        if !self.ends {
            let reason = "the scenario has neither workloads nor a duration, so it never ends: stop() the network";
            return Err(Error::new(ErrorKind::Scenario, reason));
        }
        self.conclude(Ask::Wait)
    }

    /// Takes everything down now. Built-in workloads that were to go on for the whole time have done so; others that
    /// have not ended fail.
    ///
    /// # Errors
    /// Something broke down on the way.
    pub fn stop(self) -> Result<Report, Error> {
        self.conclude(Ask::Stop)
    }

    fn conclude(self, ask: Ask) -> Result<Report, Error> {
        match self.ask(ask) {
            // Its duration was over before; or why it ended is what comes of asking for the report.
            Err(error) if error.kind() != ErrorKind::Over && error.kind() != ErrorKind::Machine => Err(error),
            _ => self.held.connection.report().map(|report| self.asked.restore(report)),
        }
    }

    fn ask(&self, ask: Ask) -> Result<(), Error> {
        self.held.connection.ask(ask, &[]).and_then(|(_, answer)| done(answer))
    }
}

fn done(answer: Answer) -> Result<(), Error> {
    match answer {
        Answer::Done(_) => Ok(()),
        Answer::Refused(reason) => Err(Error::new(ErrorKind::Scenario, reason)),
        Answer::NotSpawned(error) => Err(error.into()),
        Answer::Needs(_) => Err(Error::new(ErrorKind::Machine, "the run asked for files that nothing named")),
    }
}

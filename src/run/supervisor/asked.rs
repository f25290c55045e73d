//! What a run is asked over its control sockets.

use std::path::Path;

use super::Run;
use crate::addressing::network::Place;
use crate::diag::suggestion;
use crate::host::{Interior, NamespaceFds, user_name};
use crate::report::status;
use crate::report::status::{RunInfo, Status};
use crate::run::conclusion::direction_names;
use crate::run::control::{Control, Peer, Reply, Request};
use crate::run::supervisor::RunError;
use crate::tasks::resolved::Resolved;

/// Opens the run's sockets: one on the machine, and one in each host that it makes.
pub(super) fn listen(resolved: &Resolved, stem: &str, init: &mut crate::host::Init) -> Result<Control, RunError> {
    let made = Control::listen(stem, init.identity().uid);
    let mut control = made.map_err(RunError::machine("listen on the control socket"))?;
    for host in resolved.network.hosts.iter().filter(|host| host.place == Place::Namespace) {
        control.add_host(init.control_socket(&host.name, &control.name)?);
    }
    Ok(control)
}

/// What does not change about a run.
pub(super) fn info(resolved: &Resolved, file: &str, name: &str) -> RunInfo {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    // What a program has as a text only has no file.
    let path = Path::new(file).exists().then(|| std::path::absolute(file).ok()).flatten();
    RunInfo {
        name: name.into(),
        pid: std::process::id(),
        user: user_name(nix::unistd::geteuid().as_raw()),
        version: env!("CARGO_PKG_VERSION").into(),
        scenario: resolved.scenario.name.clone(),
        file: path.map_or_else(|| file.into(), |path| path.display().to_string()),
        since: status::utc(since.as_secs()),
        up_ns: 0,
        elapsed_ns: None,
        hosts: resolved.network.hosts.iter().map(|host| host.name.clone()).collect(),
    }
}

impl Run<'_> {
    pub(super) fn serve(&mut self, request: Request, peer: Peer) {
        let (mut namespaces, mut inside) = (None, None);
        let answered = match request {
            Request::Info => Ok(Reply::Info(self.info_now())),
            Request::Status => self.status().map(Box::new).map(Reply::Status).map_err(|error| error.to_string()),
            Request::Exec { .. } if peer.inside => {
                Err("a program in a host cannot enter hosts: use `longwire exec` on the machine".into())
            }
            Request::Exec { host } if self.is_container(&host) => match self.processes.init.container(&host) {
                Ok(found) => {
                    let (environment, nested) =
                        (self.around.environment.clone(), self.processes.init.identity().nested);
                    let container = Some(found.facts.clone());
                    inside = Some(found);
                    Ok(Reply::Exec { environment, nested, container })
                }
                Err(error) => Err(error.to_string()),
            },
            Request::Exec { host } if !self.is_made_here(&host) => {
                let made = self.resolved.network.hosts.iter().filter(|h| h.place.runs_programs());
                let known = made.map(|h| h.name.as_str());
                Err(format!("no host `{host}` in this run: {}", suggestion(&host, known)))
            }
            Request::Exec { host } => match self.processes.init.namespaces(&host) {
                Ok(found) => {
                    namespaces = Some(found);
                    let nested = self.processes.init.identity().nested;
                    Ok(Reply::Exec { environment: self.around.environment.clone(), nested, container: None })
                }
                Err(error) => Err(error.to_string()),
            },
            Request::Set { changes, files } => match self.set_with(&changes, files) {
                Ok(()) => Ok(Reply::Set(changes)),
                Err((_, Some(needed))) => Ok(Reply::Needs(needed)),
                Err((reason, None)) => Err(reason),
            },
        };
        let fds =
            namespaces.as_ref().map(NamespaceFds::as_fds).or(inside.as_ref().map(Interior::as_fds)).unwrap_or_default();
        self.control.answer(peer, &answered.unwrap_or_else(Reply::Refused), &fds);
    }

    fn is_made_here(&self, host: &str) -> bool {
        self.resolved.network.hosts.iter().any(|h| h.name == host && h.place == Place::Namespace)
    }

    fn is_container(&self, host: &str) -> bool {
        let mut hosts = self.resolved.network.hosts.iter();
        hosts.any(|h| h.name == host && matches!(h.place, Place::ExternalContainer { .. }))
    }

    fn info_now(&self) -> RunInfo {
        let now = self.live.clock.now();
        RunInfo {
            // the clock starts with the engine
            up_ns: now.as_nanos(),
            elapsed_ns: self.zero.map(|zero| (now - zero).as_nanos()),
            ..self.info.clone()
        }
    }

    fn status(&self) -> Result<Status, RunError> {
        let standing = self.live.standing()?;
        let names = self.resolved.links.iter().flat_map(direction_names);
        let directions = names.zip(standing).map(|(names, standing)| standing.direction(names)).collect();
        let ports_down = self.ports.all_down();
        Ok(Status { longwire: status::FORM, run: self.info_now(), directions, ports_down })
    }
}

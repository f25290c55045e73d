//! Interfaces that go away and come back while a run is under way. Their ports are down meanwhile.
//!
//! | what happens | who notices | when it is back |
//! |---|---|---|
//! | a TAP is deleted | the engine's thread, which reads it | when there is a TAP of its name again |
//! | a host moves an interface away | the host's init | when it is in the host again |
//! | passt ends | the engine's thread, which reads its socket | when another has been started |
//! | a virtual machine closes its connection | the engine's thread, which reads it | when one connects |
//! | one that joins by datagrams closes its socket | the keeper, which looks ten times a second | when there is another |
//! | an external machine ends | its process or its path is watched | when its path leads to another namespace |
//! | a container ends | its first process is watched | when its engine has another, which is asked once a second |

use std::os::fd::BorrowedFd;

use super::happened::Happened;
use super::live::{Live, LiveError};
use super::plugs::Lost;
use super::process::Processes;
use super::supervisor::RunError;
use super::workload::since;
use crate::addressing::network::{NetworkPlan, Place, machines_socket};
use crate::host::{Attached, Init, Presence, Sight};
use crate::port::tap::Framing;
use crate::report::json::{EventKind, Outage};
use crate::tasks::resolved::Resolved;
use crate::units::{Duration, Instant};

/// How often it is looked for what does not tell by itself: paths, and interfaces that are to come back.
const LOOK: Duration = Duration::from_millis(100);
/// The same where an interface was there and could not be attached.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// The external machines of a scenario whose network namespaces or sockets are watched, by the positions of their hosts.
pub(super) fn watch(network: &NetworkPlan) -> Vec<Option<Presence>> {
    let presence = |place: &Place| match place {
        Place::ExternalNetns { netns } => Some(Presence::of(netns)),
        Place::ExternalQemu { path, dgram: true } => Some(Presence::of_socket(machines_socket(path))),
        _ => None,
    };
    network.hosts.iter().map(|host| presence(&host.place)).collect()
}

/// Watches containers too, those that have been attached since the last call.
pub(super) fn watch_containers(network: &NetworkPlan, init: &mut Init, machines: &mut [Option<Presence>]) {
    for (name, process) in init.take_processes() {
        if let Some(at) = network.hosts.iter().position(|host| host.name == name) {
            machines[at] = Some(Presence::of_container(process));
        }
    }
}

/// All ports of a run.
pub(super) struct Ports<'a> {
    resolved: &'a Resolved,
    /// By host.
    machines: Vec<Option<Presence>>,
    /// By port.
    outages: Vec<Vec<Down>>,
    /// By port: how many descriptors it has had after the first.
    replaced: Vec<u32>,
    looked: Instant,
    happened: Vec<Happened>,
}

/// An outage of a port.
struct Down {
    from: Instant,
    to: Option<Instant>,
    reason: String,
    refused: Option<String>,
    /// Its namespace is gone, so that the interface is to be made anew.
    fresh: bool,
    /// Not to be looked for before.
    next_look: Instant,
}

impl<'a> Ports<'a> {
    pub(super) fn new(resolved: &'a Resolved, machines: Vec<Option<Presence>>) -> Ports<'a> {
        let outages = resolved.ports.iter().map(|_| Vec::new()).collect();
        let replaced = vec![0; resolved.ports.len()];
        let mut ports = Ports { resolved, machines, outages, replaced, looked: Instant::ZERO, happened: Vec::new() };
        for position in 0..resolved.ports.len() {
            let host = &resolved.network.hosts[resolved.ports[position].host];
            if let Place::ExternalQemu { .. } = host.place {
                ports.down(position, Instant::ZERO, "no virtual machine has connected".into(), false);
            }
        }
        ports
    }

    /// Whether a virtual machine connects to this port by itself.
    fn is_waited_for(&self, position: usize) -> bool {
        let host = &self.resolved.network.hosts[self.resolved.ports[position].host];
        matches!(host.place, Place::ExternalQemu { dgram: false, .. })
    }

    /// Descriptors that become readable when an external machine has ended.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.machines.iter().flatten().filter_map(Presence::fd)
    }

    /// How long it may be until [`Ports::look`] is called again; `None` where everything tells by itself.
    pub(super) fn patience(&self) -> Option<Duration> {
        let watched = self.machines.iter().flatten().any(|machine| machine.can_return() && machine.fd().is_none());
        let down = (0..self.outages.len()).any(|port| self.is_down(port) && !self.is_waited_for(port));
        (watched || down).then_some(LOOK)
    }

    /// Takes in what has gone, and attaches what is there again. What happened, for the report.
    ///
    /// # Errors
    /// The engine or init has ended.
    pub(super) fn look(
        &mut self,
        now: Instant,
        live: &Live,
        processes: &mut Processes,
    ) -> Result<Vec<Happened>, RunError> {
        for Lost { position, replaced, at, device } in live.lost() {
            let reason = device.ended();
            if replaced == self.replaced[position] {
                self.down(position, at, reason, false);
            } else if let Some(over) = self.outages[position].last_mut() {
                // Its successor is there already, since init was quicker to tell that it had gone.
                over.reason = reason;
            }
        }
        for (host, interface) in processes.take_gone() {
            let mut ports = self.resolved.ports.iter();
            let hosts = &self.resolved.network.hosts;
            let position = ports.position(|p| (&hosts[p.host].name, p.interface) == (&host, interface));
            if let Some(position) = position.filter(|position| !self.is_down(*position)) {
                let at = live.unplug(position, false)?;
                let name = &self.resolved.network.hosts[self.resolved.ports[position].host].interfaces[interface].name;
                self.down(position, at, format!("`{name}` is no longer in its host"), false);
            }
        }
        for position in (0..self.outages.len()).filter(|position| self.is_waited_for(*position)).collect::<Vec<_>>() {
            if !self.is_down(position) {
                let name = &self.resolved.network.hosts[self.resolved.ports[position].host].name;
                for _ in 0..processes.init.send_away(name) {
                    self.tell(position, now, "sent a second virtual machine away: it has one".into());
                }
            }
            self.look_for(position, now, live, &mut processes.init)?;
        }
        let all = now - self.looked >= LOOK;
        self.look_for_machines(all, live, &mut processes.init)?;
        if all {
            self.looked = now;
            for position in
                (0..self.outages.len()).filter(|position| !self.is_waited_for(*position)).collect::<Vec<_>>()
            {
                self.look_for(position, now, live, &mut processes.init)?;
            }
        }
        Ok(std::mem::take(&mut self.happened))
    }

    /// Whether external machines are still there: `all` of them, or those that tell by themselves.
    fn look_for_machines(&mut self, all: bool, live: &Live, init: &mut Init) -> Result<(), RunError> {
        for host in 0..self.machines.len() {
            let Some(machine) = self.machines[host].as_mut().filter(|machine| all || machine.fd().is_some()) else {
                continue;
            };
            if matches!(machine.look(|| init.see(host)), Sight::Unchanged | Sight::Back) {
                continue;
            }
            let words = machine.words();
            init.let_go(&self.resolved.network.hosts[host].name);
            let resolved = self.resolved;
            let ports = resolved.ports.iter().enumerate().filter(|(_, port)| port.host == host);
            for (position, _) in ports {
                let at = live.unplug(position, true)?;
                self.down(position, at, words.clone(), true);
            }
        }
        Ok(())
    }

    /// Attaches the interface of a port that is down, if it is there again.
    fn look_for(&mut self, position: usize, now: Instant, live: &Live, init: &mut Init) -> Result<(), RunError> {
        let port = &self.resolved.ports[position];
        let host = &self.resolved.network.hosts[port.host];
        let machine = self.machines[port.host].as_ref();
        let waited = self.is_waited_for(position);
        let Some(down) = self.outages[position].last_mut().filter(|down| down.to.is_none()) else { return Ok(()) };
        let absent = machine.is_some_and(|machine| !machine.may_be_there());
        if absent || now < down.next_look && !waited {
            return Ok(());
        }
        let refused = match init.attach(host, port.interface, Framing::VirtioNet, down.fresh) {
            Ok(None) => {
                if let Place::ExternalContainer { .. } = host.place {
                    down.next_look = now + LOOK_AGAIN;
                }
                return Ok(());
            }
            Ok(Some(attached)) => {
                watch_containers(&self.resolved.network, init, &mut self.machines);
                let device = match attached {
                    Attached::Same => None,
                    Attached::Other(device) => Some(device),
                };
                let other = u32::from(device.is_some());
                match live.plug(position, device) {
                    Ok(at) => {
                        self.replaced[position] += other;
                        down.to = Some(at);
                        down.refused = None;
                        self.tell(position, at, "is back".into());
                        return Ok(());
                    }
                    Err(LiveError::Loop(error)) => error.to_string(),
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) if error.cause == crate::host::Cause::Ended => return Err(error.into()),
            Err(error) => error.to_string(),
        };
        down.next_look = now + LOOK_AGAIN;
        if down.refused.replace(refused.clone()).as_ref() != Some(&refused) {
            self.tell(position, now, format!("is not attached again: {refused}"));
        }
        Ok(())
    }

    /// Ports that are down, as `host.interface`.
    pub(super) fn all_down(&self) -> Vec<String> {
        (0..self.outages.len()).filter(|position| self.is_down(*position)).map(|position| self.name(position)).collect()
    }

    fn is_down(&self, position: usize) -> bool {
        self.outages[position].last().is_some_and(|down| down.to.is_none())
    }

    /// A port is down, if it was not before. A later reason says more than an earlier one.
    fn down(&mut self, position: usize, at: Instant, reason: String, fresh: bool) {
        match self.outages[position].last_mut().filter(|down| down.to.is_none()) {
            Some(down) => {
                down.fresh |= fresh;
                down.next_look = Instant::ZERO;
                down.reason = reason;
            }
            None => {
                self.tell(position, at, format!("is down: {reason}"));
                let (to, refused, next_look) = (None, None, Instant::ZERO);
                self.outages[position].push(Down { from: at, to, reason, refused, fresh, next_look });
            }
        }
    }

    fn tell(&mut self, position: usize, at: Instant, what: String) {
        let what = format!("{} {what}", self.name(position));
        self.happened.push(Happened::new(at, EventKind::Port, what));
    }

    fn name(&self, position: usize) -> String {
        let port = &self.resolved.ports[position];
        let host = &self.resolved.network.hosts[port.host];
        format!("{}.{}", host.name, host.interfaces[port.interface].name)
    }

    /// For the report, by port, with times from t = 0: what began before `end`.
    pub(super) fn outages(self, zero: Instant, end: Instant) -> Vec<Vec<Outage>> {
        let outage = |down: Down| Outage {
            from_ns: since(down.from, zero),
            to_ns: down.to.map(|to| since(to, zero)),
            reason: down.reason,
            refused: down.refused,
        };
        let before = |ports: Vec<Down>| ports.into_iter().filter(|down| down.from <= end).map(outage).collect();
        self.outages.into_iter().map(before).collect()
    }
}

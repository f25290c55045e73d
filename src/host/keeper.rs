//! The keeper: a process beside the run that does what still needs rights once the run has given up its own. It attaches
//! interfaces of machines that longwire does not make, when the run begins and when they are back: deleted and made again, or in
//! another network namespace. It gives TAPs that it borrowed back as they were. It makes the sockets on which virtual machines are
//! waited for, and takes them away; and it starts passt, which reaches the machine's own network for an uplink.
//!
//! Requests are numbers: positions in the scenario, as it was when the keeper was forked. So it can be asked for nothing that
//! the scenario does not name, and it never sees a frame. It holds the capabilities that the scenario's external machines need; a
//! run without any has no keeper.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use caps::Capability;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::beside::{Answer, Beside};
use super::configure::MAIN_TABLE;
use super::confine;
use super::container::{self, ANSWERS_AGAIN_WITHIN, ANSWERS_WITHIN, Container, Facts, Interior, Names};
use super::error::HostError;
use super::external::{self, Borrowed, Entered, External, Passed};
use super::identity::Identity;
use super::init::framing_of;
use super::janitor::Janitor;
use super::passt::{self, Passt};
use super::presence::{self, Seen};
use super::vm_socket::{self, SocketFile};
use crate::addressing::network::{HostPlan, NetworkPlan, Place, RoutePlan, machines_socket, netns_path};
use crate::port::tap::Framing;

const DOING: &str = "attach an interface";

/// The main process's handle. Dropped, it ends the process, which gives back what it borrowed.
#[derive(Debug)]
pub(crate) struct Keeper {
    beside: Beside,
    /// Removes sockets of virtual machines, should the keeper have been killed.
    _janitor: Option<Janitor>,
}

/// What it can be asked. `host` is a position in the plan, `interface` one in the host.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// Attach an interface of an external machine. With `make` in a namespace that does not have it, otherwise the one that is there.
    Attach { host: usize, interface: usize, make: bool },
    /// Make the socket on which the host, a virtual machine, is waited for.
    Listen { host: usize },
    /// Connect that socket, one of datagrams, to the machine's.
    Join { host: usize },
    /// Start what reaches the machine's own network, for the host that stands for it.
    Reach { host: usize },
    /// Give back the host's TAPs, as their owner had them.
    Release { host: usize },
    /// Open a container, for a program that is to run there.
    Enter { host: usize },
    /// Look which namespace, or which machine's socket, the host's path leads to.
    See { host: usize },
}

#[derive(Debug, Serialize, Deserialize)]
enum Reply {
    /// `None` where the machine has ended and is not back.
    Attached(Result<Option<Passed>, HostError>),
    Socket(Result<(), HostError>),
    /// `false` where there is no machine.
    Joined(Result<bool, HostError>),
    Interior(Result<Facts, HostError>),
    Released,
    Seen(Option<Seen>),
}

impl Keeper {
    /// Forks it for a plan, if that has external machines. This process must have one thread.
    ///
    /// # Errors
    /// There are several threads, or no process can be made.
    pub(crate) fn start(plan: &NetworkPlan, framing: Framing, user: &Identity) -> Result<Option<Keeper>, HostError> {
        let hosts: Vec<HostPlan> = plan.hosts.clone();
        let (rights, user) = (rights(&hosts), user.clone());
        if rights.is_empty() {
            return Ok(None);
        }
        let sockets = hosts.iter().filter_map(|host| match &host.place {
            Place::ExternalQemu { path, .. } => Some(path.clone()),
            _ => None,
        });
        let sockets: Vec<PathBuf> = sockets.collect();
        let janitor = (!sockets.is_empty()).then(|| Janitor::start_for_sockets(sockets)).transpose()?;
        let beside = Beside::start(DOING, move || {
            confine::keep_only(&rights)?;
            let mut state = State {
                hosts,
                framing,
                user,
                borrowed: BTreeMap::new(),
                sockets: BTreeMap::new(),
                datagrams: BTreeMap::new(),
                uplink: None,
                names: BTreeMap::new(),
            };
            Ok(move |request| state.answer(request))
        })?;
        Ok(Some(Keeper { beside, _janitor: janitor }))
    }

    /// Attaches an interface; `None` where its machine, which was there, has not come back yet.
    ///
    /// # Errors
    /// What cannot be attached, and why; and the keeper is gone.
    pub(crate) fn attach(&self, host: usize, interface: usize, make: bool) -> Result<Option<External>, HostError> {
        let answer = self.beside.ask::<_, Reply>(&Request::Attach { host, interface, make });
        match answer.map_err(|e| HostError::os(DOING, e))? {
            (Reply::Attached(passed), fds) => passed?.map(|passed| External::from_parts(passed, fds)).transpose(),
            _ => Err(HostError::lacking(DOING, "the process for it answered something else")),
        }
    }

    /// Makes the socket of a virtual machine. It is taken away when the keeper ends.
    ///
    /// # Errors
    /// Why it cannot be made; and the keeper is gone.
    pub(crate) fn listen(&self, host: usize) -> Result<OwnedFd, HostError> {
        const DOING: &str = "wait for a virtual machine";
        let other = || HostError::lacking(DOING, "the process for it answered something else");
        match self.beside.ask::<_, Reply>(&Request::Listen { host }).map_err(|e| HostError::os(DOING, e))? {
            (Reply::Socket(made), mut fds) => made.and_then(|()| fds.pop().ok_or_else(other)),
            _ => Err(other()),
        }
    }

    /// Connects the socket of a virtual machine that joins by datagrams to the machine's own; `false` where there is none.
    ///
    /// # Errors
    /// Why it cannot be connected; and the keeper is gone.
    pub(crate) fn join(&self, host: usize) -> Result<bool, HostError> {
        const DOING: &str = "join a virtual machine";
        match self.beside.ask::<_, Reply>(&Request::Join { host }).map_err(|e| HostError::os(DOING, e))? {
            (Reply::Joined(joined), _) => joined,
            _ => Err(HostError::lacking(DOING, "the process for it answered something else")),
        }
    }

    /// Starts what reaches the machine's own network; the socket to it. It ends when the socket is closed, or the keeper ends.
    ///
    /// # Errors
    /// Why it cannot be started; and the keeper is gone.
    pub(crate) fn reach(&self, host: usize) -> Result<OwnedFd, HostError> {
        const DOING: &str = "reach the Internet";
        let other = || HostError::lacking(DOING, "the process for it answered something else");
        match self.beside.ask::<_, Reply>(&Request::Reach { host }).map_err(|e| HostError::os(DOING, e))? {
            (Reply::Socket(made), mut fds) => made.and_then(|()| fds.pop().ok_or_else(other)),
            _ => Err(other()),
        }
    }

    /// Opens a container, for a program that is to run there.
    ///
    /// # Errors
    /// It does not run, or may not be entered; and the keeper is gone.
    pub(crate) fn enter(&self, host: usize) -> Result<Interior, HostError> {
        const DOING: &str = "enter a container";
        match self.beside.ask::<_, Reply>(&Request::Enter { host }).map_err(|e| HostError::os(DOING, e))? {
            (Reply::Interior(facts), fds) => Interior::from_fds(facts?, fds),
            _ => Err(HostError::lacking(DOING, "the process for it answered something else")),
        }
    }

    /// Lets go of a host. Best effort: a keeper that is gone cannot.
    pub(crate) fn release(&self, host: usize) {
        let _ = self.beside.ask::<_, Reply>(&Request::Release { host });
    }

    /// The namespace that a host's path leads to; the outer `None` where the keeper is gone.
    pub(crate) fn see(&self, host: usize) -> Option<Option<Seen>> {
        match self.beside.ask::<_, Reply>(&Request::See { host }) {
            Ok((Reply::Seen(seen), _)) => Some(seen),
            _ => None,
        }
    }
}

/// What it takes for the external machines of a plan (capabilities(7)).
fn rights(hosts: &[HostPlan]) -> Vec<Capability> {
    let mut rights = Vec::new();
    for host in hosts.iter().filter(|host| !host.interfaces.is_empty()) {
        let needed: &[Capability] = match host.place {
            // a socket of UDP takes no right, and no keeper
            Place::Namespace | Place::ExternalUdp { .. } => &[],
            // to make a TAP, and to set it up
            Place::ExternalTap { .. } => &[Capability::CAP_NET_ADMIN],
            // to read and send frames there, and to set it up
            Place::ExternalInterface { .. } => &[Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW],
            // to make a socket in the caller's folder and to take it away, and to give it to the caller
            Place::ExternalQemu { .. } => {
                &[Capability::CAP_DAC_OVERRIDE, Capability::CAP_FOWNER, Capability::CAP_CHOWN]
            }
            // to start passt as somebody without rights
            Place::Uplink => &[Capability::CAP_SETUID, Capability::CAP_SETGID],
            // the engine's socket and the hosts file may be another user's
            Place::ExternalContainer { .. } => &[
                Capability::CAP_NET_ADMIN,
                Capability::CAP_SYS_ADMIN,
                Capability::CAP_SYS_PTRACE,
                Capability::CAP_DAC_READ_SEARCH,
                Capability::CAP_DAC_OVERRIDE,
            ],
            Place::ExternalNetns { .. } => &[
                Capability::CAP_NET_ADMIN,
                // to enter its network namespace
                Capability::CAP_SYS_ADMIN,
                // to open the namespace of another user's process, or of one with more rights
                Capability::CAP_SYS_PTRACE,
                // paths of containers lead through directories that are closed to others
                Capability::CAP_DAC_READ_SEARCH,
            ],
        };
        rights.extend(needed);
    }
    rights.sort_by_key(Capability::index);
    rights.dedup();
    rights
}

/// In the keeper's process.
struct State {
    hosts: Vec<HostPlan>,
    framing: Framing,
    /// By host and interface: TAPs that somebody else made.
    borrowed: BTreeMap<(usize, usize), Borrowed>,
    /// Whose sockets are.
    user: Identity,
    /// By host.
    sockets: BTreeMap<usize, SocketFile>,
    /// By host: those of them that are to be connected.
    datagrams: BTreeMap<usize, OwnedFd>,
    /// What reaches the machine's own network. Another takes its place when it has ended.
    uplink: Option<Passt>,
    /// By host, of containers that were attached: the network's names in their hosts files.
    names: BTreeMap<usize, Option<Names>>,
}

impl State {
    fn answer(&mut self, request: Request) -> Answer<Reply> {
        match request {
            Request::Attach { host, interface, make } => match self.attach(host, interface, make) {
                Ok(Some((passed, fds))) => (Reply::Attached(Ok(Some(passed))), fds),
                Ok(None) => (Reply::Attached(Ok(None)), Vec::new()),
                Err(error) => (Reply::Attached(Err(error)), Vec::new()),
            },
            Request::Listen { host } => socket(self.listen(host)),
            Request::Join { host } => (Reply::Joined(self.join(host)), Vec::new()),
            Request::Reach { host } => socket(self.reach(host)),
            Request::Release { host } => {
                self.borrowed.retain(|(other, _), _| *other != host);
                (Reply::Released, Vec::new())
            }
            Request::Enter { host } => match self.enter(host) {
                Ok((facts, fds)) => (Reply::Interior(Ok(facts)), fds),
                Err(error) => (Reply::Interior(Err(error)), Vec::new()),
            },
            Request::See { host } => (Reply::Seen(self.see(host)), Vec::new()),
        }
    }

    fn attach(&mut self, host: usize, interface: usize, make: bool) -> Result<Option<Answer<Passed>>, HostError> {
        let nothing = || HostError::lacking(DOING, "the scenario has no such interface");
        let plan = self.hosts.get(host).ok_or_else(nothing)?;
        let interface_plan = plan.interfaces.get(interface).ok_or_else(nothing)?;
        let framing = framing_of(plan, self.framing);
        let attached = match &plan.place {
            Place::ExternalTap { tap } => external::tap(tap, interface_plan, framing, make)?,
            Place::ExternalInterface { interface } => {
                // before it is taken once more, it is given back
                self.borrowed.remove(&(host, 0));
                external::network_interface(interface)?
            }
            Place::ExternalNetns { netns } => {
                external::open_namespace(netns)?.interface(interface_plan, &plan.routes, framing, make)?
            }
            Place::ExternalContainer { container, closed } => {
                let before = self.names.get(&host);
                let within = if before.is_some() { ANSWERS_AGAIN_WITHIN } else { ANSWERS_WITHIN };
                let Container { process, network, hosts, addresses, .. } = match container::find(container, within) {
                    // it has ended, and may be started again as long as the run lasts
                    Err(_) if before.is_some() => return Ok(None),
                    found => found?,
                };
                let mut routes = plan.routes.clone();
                if *closed {
                    routes.extend(self.closing_routes(host, within)?);
                }
                self.close_toward(host, addresses)?;
                let entered = Entered::of_container(container, network, process);
                let attached = entered.interface(interface_plan, &routes, framing, make)?;
                let names = self.names.remove(&host).flatten();
                let names = write_names(plan, hosts.as_deref(), names)?;
                self.names.insert(host, names);
                attached
            }
            Place::Namespace | Place::ExternalQemu { .. } | Place::ExternalUdp { .. } | Place::Uplink => {
                return Err(nothing());
            }
        };
        let (passed, fds, borrowed) = attached.into_parts()?;
        // the one that it replaces is given back now
        match borrowed {
            Some(borrowed) => drop(self.borrowed.insert((host, interface), borrowed)),
            None => drop(self.borrowed.remove(&(host, interface))),
        }
        Ok(Some((passed, fds)))
    }

    /// Routes that keep a container from the others by their engine's networks.
    fn closing_routes(&self, host: usize, within: Duration) -> Result<Vec<RoutePlan>, HostError> {
        let others = self.hosts.iter().enumerate().filter(|(other, _)| *other != host);
        let names = others.filter_map(|(_, plan)| Some(container_of(plan)?.0));
        let addresses = names.map(|name| container::addresses(name, within)).collect::<Result<Vec<_>, _>>()?;
        Ok(by_simulated_network(addresses.concat()))
    }

    /// Closes the way from containers that are attached to one that comes, or comes back at other addresses.
    fn close_toward(&self, host: usize, addresses: Vec<IpAddr>) -> Result<(), HostError> {
        let routes = by_simulated_network(addresses);
        for other in self.names.keys().filter(|other| **other != host) {
            let Some(plan) = self.hosts.get(*other) else { continue };
            let (Some((name, true)), Some(interface)) = (container_of(plan), plan.interfaces.first()) else { continue };
            // one that has ended gets them when it is attached again
            if let Ok(Container { network, process, .. }) = container::find(name, ANSWERS_AGAIN_WITHIN) {
                match Entered::of_container(name, network, process).route(&interface.name, &routes) {
                    // Its own programs took the interface down: then they have no way over the links either.
                    Err(error) if error.errno != Some(libc::ENETDOWN) => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn listen(&mut self, host: usize) -> Result<OwnedFd, HostError> {
        let Some(Place::ExternalQemu { path, dgram }) = self.hosts.get(host).map(|host| &host.place) else {
            return Err(HostError::lacking(DOING, "the scenario has no such socket"));
        };
        if self.sockets.contains_key(&host) {
            return Err(HostError::lacking(DOING, "it is there already"));
        }
        let (fd, file) = match dgram {
            true => SocketFile::hear(path, &self.user)?,
            false => SocketFile::listen(path, &self.user)?,
        };
        if *dgram {
            self.datagrams.insert(host, fd.try_clone().map_err(|e| HostError::os(DOING, e))?);
        }
        self.sockets.insert(host, file);
        Ok(fd)
    }

    fn join(&self, host: usize) -> Result<bool, HostError> {
        match (self.hosts.get(host).map(|host| &host.place), self.datagrams.get(&host)) {
            (Some(Place::ExternalQemu { path, .. }), Some(socket)) => {
                vm_socket::join(socket, &machines_socket(path), self.user.uid)
            }
            _ => Err(HostError::lacking(DOING, "the scenario has no such socket")),
        }
    }

    fn reach(&mut self, host: usize) -> Result<OwnedFd, HostError> {
        let nothing = || HostError::lacking(DOING, "the scenario has no such uplink");
        let plan = self.hosts.get(host).filter(|plan| plan.place == Place::Uplink).ok_or_else(nothing)?;
        let interface = plan.interfaces.first().ok_or_else(nothing)?;
        let within = if self.uplink.is_some() { passt::STARTS_AGAIN_WITHIN } else { passt::STARTS_WITHIN };
        let (socket, passt) = passt::start(interface.mac, interface.mtu, &self.user, within)?;
        self.uplink = Some(passt);
        Ok(socket)
    }

    fn enter(&self, host: usize) -> Result<Answer<Facts>, HostError> {
        let Some((container, _)) = self.hosts.get(host).and_then(container_of) else {
            return Err(HostError::lacking(DOING, "the scenario has no such container"));
        };
        let inside = Interior::of(container, &container::find(container, ANSWERS_AGAIN_WITHIN)?)?;
        let fds = inside.as_fds().into_iter().map(|fd| fd.try_clone_to_owned()).collect::<Result<_, _>>();
        Ok((inside.facts, fds.map_err(|e| HostError::os(DOING, e))?))
    }

    fn see(&self, host: usize) -> Option<Seen> {
        match &self.hosts.get(host)?.place {
            Place::ExternalNetns { netns } => presence::namespace_at(Path::new(&netns_path(netns))),
            Place::ExternalQemu { path, dgram: true } => vm_socket::machine_at(&machines_socket(path)),
            _ => None,
        }
    }
}

/// A container's name, and whether its engine's network is closed to it.
fn container_of(plan: &HostPlan) -> Option<(&str, bool)> {
    match &plan.place {
        Place::ExternalContainer { container, closed } => Some((container, *closed)),
        _ => None,
    }
}

/// Routes to containers' addresses in their engine's network, over the simulated one: nearer than the network that they are in, and gone
/// with the interface. A route of type `unreachable` would stay when everything is killed. On one segment such a container answers there for
/// its IPv4 address (ip-sysctl, arp_ignore), and what is sent to it passes the links; elsewhere nobody answers.
fn by_simulated_network(addresses: Vec<IpAddr>) -> Vec<RoutePlan> {
    let addresses: BTreeSet<IpAddr> = addresses.into_iter().collect();
    let route = |address| RoutePlan { to: IpNet::from(address), via: None, interface: None, table: MAIN_TABLE };
    addresses.into_iter().map(route).collect()
}

/// Writes the network's names into a container's hosts file, if it has one. `before`: those of its last.
fn write_names(plan: &HostPlan, path: Option<&Path>, before: Option<Names>) -> Result<Option<Names>, HostError> {
    let Some(path) = path else { return Ok(None) };
    let before = before.filter(|names| names.are_in(path));
    let names = before.map_or_else(|| Names::begin(path, std::process::id()), Ok)?;
    let failed = |e| HostError::os(format!("write the network's names to {}", path.display()), e);
    names.write(&plan.hosts_file.names()).map_err(failed)?;
    Ok(Some(names))
}

/// What is answered to whoever asks for a socket.
fn socket(made: Result<OwnedFd, HostError>) -> Answer<Reply> {
    match made {
        Ok(fd) => (Reply::Socket(Ok(())), vec![fd]),
        Err(error) => (Reply::Socket(Err(error)), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{message, takeover};
    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};

    fn plan(nodes: &str) -> NetworkPlan {
        let text = format!(
            "longwire: 1\nnodes: {{ {nodes}, sw: switch, own: host }}\n\
             links: {{ l: {{ ends: [m, sw] }}, o: {{ ends: [own, sw] }} }}\n"
        );
        load(Path::new("t"), &MemoryFiles::one("t", &text), &Overrides::default()).unwrap().network
    }

    #[test]
    fn a_keeper_has_the_rights_that_its_machines_need_and_no_other() {
        let of = |nodes: &str| rights(&plan(nodes).hosts);
        assert!(of("m: host").is_empty());
        assert_eq!(of("m: { external: { tap: lw0 } }"), [Capability::CAP_NET_ADMIN]);
        let netns = of("m: { external: { netns: box, interface: e } }");
        assert!(netns.contains(&Capability::CAP_SYS_ADMIN) && netns.len() == 4, "{netns:?}");
        let container = of("m: { external: { container: box } }");
        assert!(container.contains(&Capability::CAP_DAC_OVERRIDE) && container.len() == 5, "{container:?}");
        assert!(!netns.contains(&Capability::CAP_DAC_OVERRIDE) && !netns.contains(&Capability::CAP_SYS_MODULE));
    }

    /// In a process of its own: forking takes one thread.
    #[test]
    fn garbage_does_nothing_and_an_unknown_number_is_refused() {
        let (mut child, socket) = takeover::copy(COPY, WHAT, "keeper").unwrap();
        let told = message::receive::<Vec<String>>(&socket).unwrap().map(|(told, _)| told);
        assert_eq!(told, Some(Vec::new()), "what does not hold");
        assert!(child.wait().unwrap().success());
    }

    const WHAT: &str = "keeper";
    takeover::before_main!(COPY: WHAT => copy);

    fn copy(socket: OwnedFd) -> i32 {
        message::send(&socket, &wrong(), &[]).map_or(1, |()| 0)
    }

    fn wrong() -> Vec<String> {
        let mut wrong = Vec::new();
        let mut hold = |what: &str, holds: bool| {
            if !holds {
                wrong.push(what.to_owned());
            }
        };
        let plan = plan("m: { external: { tap: lw-garbage } }");
        let at = |name: &str| plan.hosts.iter().position(|host| host.name == name).unwrap();
        let keeper = Keeper::start(&plan, Framing::Plain, &Identity::caller(false).unwrap()).unwrap().unwrap();
        let status = |key: &str| {
            let text = std::fs::read_to_string(format!("/proc/{}/status", keeper.beside.pid())).unwrap();
            text.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("?").trim().to_owned()
        };
        // answered, so it is set up
        hold("it answers", keeper.see(at("m")).is_some());
        hold("no_new_privs", status("NoNewPrivs:") == "1");
        let effective = u64::from_str_radix(&status("CapEff:"), 16).unwrap();
        hold("at most CAP_NET_ADMIN", effective & !(1 << 12) == 0);
        for garbage in
            ["[]", "null", "{\"attach\":1}", "{\"Attach\":{\"host\":-1}}", "{\"See\":{}}", "{\"Run\":\"sh\"}"]
        {
            let value: serde_json::Value = serde_json::from_str(garbage).unwrap();
            message::send(keeper.beside.socket(), &value, &[]).unwrap();
        }
        hold("it answers after garbage", keeper.see(at("m")).is_some());
        for (host, interface) in [(at("own"), 0), (99, 0), (at("m"), 9)] {
            hold("what is not in the scenario is refused", keeper.attach(host, interface, true).is_err());
        }
        hold("no interface was made", !Path::new("/sys/class/net/lw-garbage").exists());
        // a head that announces more than any message has: nothing after it can be told apart
        nix::unistd::write(keeper.beside.socket(), &[0xff; 8]).unwrap();
        hold("it ends after noise", keeper.see(at("m")).is_none());
        let told = keeper.attach(at("m"), 0, true).err().map(|error| error.to_string()).unwrap_or_default();
        hold("and says so", told.contains("has ended"));
        wrong
    }
}

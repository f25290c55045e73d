//! Finding a run and asking it.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, connect, socket};
use nix::unistd::geteuid;

use super::address::{self, Address};
use super::greeting::{self, Greeting, Incoming};
use super::{ControlError, Reply, Request};
use crate::host::{Credentials, Interior, NamespaceFds, message};
use crate::report::status::{RunInfo, Status};
use crate::run::given::Texts;

/// How long a socket may be too busy to take a connection.
const BUSY: Duration = Duration::from_secs(2);
/// How long a run may take for its greeting: it looks at what it is asked between two turns.
const GREETING: Duration = Duration::from_secs(3);
/// How long a run may take for its answer.
const ANSWER: Duration = Duration::from_secs(10);

/// A run of this user's own or of root's, and a connection over which it was asked nothing yet.
#[derive(Debug)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Who it is.
    pub server: Credentials,
    state: State,
    stream: UnixStream,
}

/// How it greeted.
#[derive(Debug)]
enum State {
    Ready,
    /// It hears only root.
    TurnedAway,
    Version(Option<String>),
    Silent(io::Error),
}

/// All runs that are up in this network namespace and hear this user, by name. Those of other users are none.
///
/// # Errors
/// /proc/net/unix cannot be read.
pub fn runs() -> Result<Vec<Found>, ControlError> {
    let found = look(|_| true)?;
    Ok(found.into_iter().filter(|run| !matches!(run.state, State::TurnedAway)).collect())
}

/// The run that `name` means: its whole name, its name without the process id, or the process id. Without a name, the
/// only one there is.
///
/// # Errors
/// None, several, or none of that name.
pub fn find(name: Option<&str>) -> Result<Found, ControlError> {
    // Others are not bothered, and one that is stopped not waited for, where a run is named.
    let named = look(|run| is_meant(run, name))?;
    choose(if named.is_empty() { look(|_| true)? } else { named }, name)
}

/// Whether `name` means the run: its whole name, its stem or its process id. Without a name every run may be meant.
fn is_meant(run: &str, name: Option<&str>) -> bool {
    let (stem, pid) = run.rsplit_once('-').unwrap_or((run, ""));
    name.is_none_or(|name| name == run || name == stem || name == pid)
}

pub(super) fn choose(all: Vec<Found>, name: Option<&str>) -> Result<Found, ControlError> {
    let names = |runs: &[Found]| runs.iter().map(|run| run.name.clone()).collect::<Vec<_>>();
    let is_meant = |run: &Found| is_meant(&run.name, name);
    let (of_root, known): (Vec<Found>, Vec<Found>) =
        all.into_iter().partition(|run| matches!(run.state, State::TurnedAway));
    if let (Some(_), Some(run)) = (name, of_root.iter().find(|run| is_meant(run)))
        && !known.iter().any(is_meant)
    {
        return Err(ControlError::TurnedAway { run: run.name.clone() });
    }
    if known.is_empty() {
        return Err(ControlError::NoRun { of_root: names(&of_root) });
    }
    let all_known = names(&known);
    let mut meant: Vec<Found> = known.into_iter().filter(is_meant).collect();
    match (meant.len(), name) {
        (1, _) => Ok(meant.remove(0)),
        (0, Some(name)) => Err(ControlError::NoSuchRun { name: name.into(), known: all_known }),
        _ => Err(ControlError::Several { known: names(&meant) }),
    }
}

/// All runs of names that are `wanted`, behind whose sockets this user's own or root's processes listen, and how they greet.
fn look(wanted: impl Fn(&str) -> bool) -> Result<Vec<Found>, ControlError> {
    let mut addresses = address::all().map_err(ControlError::Look)?;
    addresses.retain(|address| wanted(address.run()));
    let reached = reach(addresses, BUSY).into_iter();
    let mut found: Vec<Found> =
        reached.filter_map(|(address, server, stream)| greet(&address, server, stream)).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

/// Connects to sockets, and keeps those whose listener may be believed. Not one is waited for by itself: whoever made it may
/// let it be full for ever.
pub(super) fn reach(mut addresses: Vec<Address>, patience: Duration) -> Vec<(Address, Credentials, UnixStream)> {
    let begin = Instant::now();
    let mut found = Vec::new();
    loop {
        let mut busy = Vec::new();
        for address in addresses {
            match try_connect(&address) {
                Ok(stream) => {
                    if let Ok(server) = Credentials::of(&stream)
                        && server.are_trusted()
                    {
                        found.push((address, server, stream));
                    }
                }
                Err(Errno::EAGAIN) => busy.push(address),
                // gone, or no listener
                Err(_) => {}
            }
        }
        if busy.is_empty() || begin.elapsed() > patience {
            return found;
        }
        addresses = busy;
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn try_connect(address: &Address) -> nix::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    connect(socket.as_raw_fd(), &address.to_unix()?)?;
    Ok(socket.into())
}

/// Exchanges greetings with a listener that may be believed; `None` where the run has just ended.
fn greet(address: &Address, server: Credentials, stream: UnixStream) -> Option<Found> {
    let exchange = || {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(GREETING))?;
        stream.set_write_timeout(Some(GREETING))?;
        match greeting::send(&stream) {
            // closed already: it says why in not saying anything
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            other => other?,
        }
        let greeting = Incoming::default().receive(&stream)?;
        stream.set_read_timeout(Some(ANSWER))?;
        Ok(greeting)
    };
    let state = match exchange() {
        Ok(Greeting::Version(version)) if version == greeting::VERSION => State::Ready,
        Ok(Greeting::Version(version)) => State::Version(Some(version)),
        Ok(Greeting::Other) => State::Version(None),
        Ok(Greeting::Closed) if server.uid == geteuid().as_raw() => return None,
        Ok(Greeting::Closed) => State::TurnedAway,
        Err(error) => State::Silent(error),
    };
    Some(Found { name: address.run().into(), server, state, stream })
}

impl Found {
    /// What run it is.
    ///
    /// # Errors
    /// It is gone, silent, or of another version.
    pub fn info(self) -> Result<RunInfo, ControlError> {
        let run = self.name.clone();
        match self.ask(&Request::Info)? {
            (Reply::Info(info), _) => Ok(info),
            _ => Err(misunderstood(&run)),
        }
    }

    /// What each of its links does now.
    ///
    /// # Errors
    /// It is gone, silent, of another version, or not able to.
    pub fn status(self) -> Result<Status, ControlError> {
        let run = self.name.clone();
        match self.ask(&Request::Status)? {
            (Reply::Status(status), _) => Ok(*status),
            _ => Err(misunderstood(&run)),
        }
    }

    /// Makes live changes; what changed, in words. Files that they name are read here.
    ///
    /// # Errors
    /// It is gone, silent, of another version, or refuses.
    pub fn set(self, changes: Vec<String>) -> Result<Vec<String>, ControlError> {
        let run = self.name.clone();
        let (mut found, mut files) = (self, Texts::new());
        loop {
            let request = Request::Set { changes: changes.clone(), files: files.clone() };
            match found.ask(&request)? {
                (Reply::Set(done), _) => return Ok(done),
                (Reply::Needs(needed), _) => files.extend(needed.read()),
                _ => return Err(misunderstood(&run)),
            }
            found = find(Some(&run))?;
        }
    }

    /// The namespaces of a host and the environment of its programs. The namespaces have been checked to be the run's user's.
    ///
    /// # Errors
    /// It is gone, silent, of another version, not to be believed, or refuses: there is no such host.
    pub fn enter(self, host: &str) -> Result<Entrance, ControlError> {
        let (run, uid) = (self.name.clone(), self.server.uid);
        match self.ask(&Request::Exec { host: host.into() })? {
            (Reply::Exec { environment, nested, container }, fds) => {
                let door = match container {
                    None => NamespaceFds::from_fds(fds)
                        .and_then(|namespaces| namespaces.check_owner(uid).map(|()| Door::Host(namespaces))),
                    Some(facts) => Interior::from_fds(facts, fds)
                        .and_then(|inside| inside.check_owner(uid).map(|()| Door::Container(inside))),
                };
                let door = door.map_err(|error| ControlError::NotBelieved { run, error })?;
                Ok(Entrance { door, environment, nested })
            }
            _ => Err(misunderstood(&run)),
        }
    }

    fn ask(self, request: &Request) -> Result<(Reply, Vec<OwnedFd>), ControlError> {
        let Found { name: run, state, stream, .. } = self;
        match state {
            State::Ready => {}
            State::TurnedAway => return Err(ControlError::TurnedAway { run }),
            State::Version(theirs) => return Err(ControlError::Version { run, theirs }),
            State::Silent(error) => return Err(ControlError::Silent { run, error }),
        }
        let silent = |error| ControlError::Silent { run: run.clone(), error };
        message::send(&stream, request, &[]).map_err(silent)?;
        match message::receive::<Reply>(&stream).map_err(silent)? {
            Some((Reply::Refused(reason), _)) => Err(ControlError::Refused(reason)),
            Some(answer) => Ok(answer),
            None => Err(silent(io::ErrorKind::UnexpectedEof.into())),
        }
    }
}

/// An answer to another question.
fn misunderstood(run: &str) -> ControlError {
    ControlError::Silent { run: run.into(), error: io::ErrorKind::InvalidData.into() }
}

/// What a program is run in.
#[derive(Debug)]
pub enum Door {
    /// A host that the run made.
    Host(NamespaceFds),
    /// A container.
    Container(Interior),
}

/// What it takes to run a program in a host of a run.
#[derive(Debug)]
pub struct Entrance {
    /// Where it leads.
    pub door: Door,
    /// The environment of programs.
    pub environment: Vec<(String, String)>,
    /// Whether the run is a normal user's: see [`crate::host::Identity::nested`].
    pub nested: bool,
}

#[cfg(test)]
impl Found {
    /// One that was never reached.
    pub(super) fn called(name: &str, heard: bool) -> Found {
        let (stream, _) = UnixStream::pair().unwrap();
        let state = if heard { State::Ready } else { State::TurnedAway };
        Found { name: name.into(), server: Credentials { uid: 0, pid: 1 }, state, stream }
    }
}

//! The run's end of its control sockets.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, bind, listen, socket};

use super::address::{self, Address};
use super::greeting::{self, Greeting, Incoming};
use super::{Reply, Request};
use crate::host::{Credentials, message};

/// A connection over which nothing is asked for so long is closed, and one over which an answer is not taken.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest request, in bytes of JSON.
const LONGEST: usize = 256 * 1024;
/// Connections that may wait at a time; of more, the oldest are closed.
const MOST: usize = 64;
/// Connections of one socket that are looked at before the run goes on: strangers may connect as fast as they like.
const AT_A_TIME: usize = 16;

/// The run's end.
#[derive(Debug)]
pub struct Control {
    machine: UnixListener,
    hosts: Vec<UnixListener>,
    /// Those who have not asked yet.
    connections: Vec<Connection>,
    /// Answers that their peers have not taken yet.
    answers: Vec<Answer>,
    /// Who programs in hosts run as.
    programs: u32,
    /// The run's name, as `exec` and `set` take it.
    pub name: String,
}

impl Control {
    /// Listens under a name made of `stem` and this process's id. `programs`: the user that programs in hosts run as.
    ///
    /// # Errors
    /// Those of binding a socket.
    pub fn listen(stem: &str, programs: u32) -> io::Result<Control> {
        let name = address::run_name(stem);
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let socket = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        let mut at = Address::Abstract(name.clone());
        // Whoever guesses the name could have taken it. Nobody guesses this number.
        loop {
            match bind(std::os::fd::AsRawFd::as_raw_fd(&socket), &at.to_unix()?) {
                Err(Errno::EADDRINUSE) => at = Address::Abstract(format!("{name}.{}", random())),
                other => break other?,
            }
        }
        listen(&socket, Backlog::MAXCONN)?;
        Ok(Control {
            machine: socket.into(),
            hosts: Vec::new(),
            connections: Vec::new(),
            answers: Vec::new(),
            programs,
            name,
        })
    }

    /// Listens on a socket inside a host too.
    pub fn add_host(&mut self, listener: OwnedFd) {
        self.hosts.push(listener.into());
    }

    /// Descriptors that become readable when somebody connects or says something.
    pub fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let listeners = [&self.machine].into_iter().chain(&self.hosts).map(AsFd::as_fd);
        listeners.chain(self.connections.iter().map(|connection| connection.peer.stream.as_fd()))
    }

    /// Descriptors that become writable when a peer takes more of its answer.
    pub fn writing(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.answers.iter().map(|answer| answer.stream.as_fd())
    }

    /// Answers. A peer that is gone does not need it, and one that takes its time is not waited for.
    pub fn answer(&mut self, peer: Peer, reply: &Reply, fds: &[BorrowedFd<'_>]) {
        // so much has room in a socket over which nothing was sent but the greeting
        let Ok(body) = message::begin(&peer.stream, reply, fds) else { return };
        let mut answer = Answer { stream: peer.stream, body, sent: 0, since: Instant::now() };
        if !answer.is_over() {
            self.answers.push(answer);
            self.answers.drain(..self.answers.len().saturating_sub(MOST));
        }
    }

    /// The requests that have come, or some of them. Peers that have no say here are turned away; those that say nothing
    /// are not waited for.
    pub fn accept(&mut self) -> Vec<(Request, Peer)> {
        let listeners = [(&self.machine, false)].into_iter().chain(self.hosts.iter().map(|host| (host, true)));
        for (listener, inside) in listeners {
            for _ in 0..AT_A_TIME {
                match listener.accept() {
                    Ok((stream, _)) => self.connections.extend(Connection::new(stream, inside, self.programs)),
                    // An error of one connection is that connection's matter.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                    Err(_) => break,
                }
            }
        }
        self.answers.retain_mut(|answer| !answer.is_over());
        let mut heard = Vec::new();
        let mut waiting = Vec::new();
        for mut connection in std::mem::take(&mut self.connections) {
            match connection.listen() {
                State::Waits if connection.since.elapsed() < PATIENCE => waiting.push(connection),
                State::Asks(request) => heard.push((request, connection.peer)),
                State::Refused(why) => self.answer(connection.peer, &Reply::Refused(why), &[]),
                State::Waits | State::Over => {}
            }
        }
        waiting.drain(..waiting.len().saturating_sub(MOST));
        self.connections = waiting;
        heard
    }
}

/// Somebody who may ask and has not done so yet.
#[derive(Debug)]
struct Connection {
    peer: Peer,
    since: Instant,
    incoming: Incoming,
    greeted: bool,
    /// What has come of the request.
    request: Vec<u8>,
}

/// What has come of a connection.
enum State {
    Waits,
    Asks(Request),
    /// It asked for something that cannot be: why.
    Refused(String),
    Over,
}

impl Connection {
    /// A connection that has been greeted; `None` for peers that have no say.
    fn new(stream: UnixStream, inside: bool, programs: u32) -> Option<Connection> {
        let peer = Credentials::of(&stream).ok()?;
        // The run's programs reach it from within hosts, also where root started it for somebody else.
        if !(peer.are_trusted() || inside && peer.uid == programs) {
            return None;
        }
        stream.set_nonblocking(true).ok()?;
        greeting::send(&stream).ok()?;
        let incoming = Incoming::default();
        Some(Connection {
            peer: Peer { stream, inside },
            since: Instant::now(),
            incoming,
            greeted: false,
            request: Vec::new(),
        })
    }

    fn listen(&mut self) -> State {
        if !self.greeted {
            match self.incoming.receive(&self.peer.stream) {
                Ok(Greeting::Version(version)) if version == greeting::VERSION => self.greeted = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return State::Waits,
                // One of another version knows what to say to its user: it has been greeted.
                Ok(_) | Err(_) => return State::Over,
            }
        }
        self.receive()
    }

    /// Takes in what there is of the request. Descriptors beside it are closed by the kernel: nothing here has room for them.
    fn receive(&mut self) -> State {
        loop {
            let length = match self.request.first_chunk().map(message::head) {
                None => 0,
                Some((_, 1..)) => return State::Refused("a request has no descriptors beside it".into()),
                Some((length, 0)) if length > LONGEST => {
                    return State::Refused(format!("a request has at most {LONGEST} bytes, this one has {length}"));
                }
                Some((length, 0)) => length,
            };
            let missing = message::HEAD + length - self.request.len();
            if missing == 0 {
                return match serde_json::from_slice(&self.request[message::HEAD..]) {
                    Ok(request) => State::Asks(request),
                    Err(error) => State::Refused(format!("the request is not understood: {error}")),
                };
            }
            let mut buffer = [0; 4096];
            match (&self.peer.stream).read(&mut buffer[..missing.min(4096)]) {
                Ok(0) => return State::Over,
                Ok(n) => self.request.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return State::Waits,
                Err(_) => return State::Over,
            }
        }
    }
}

/// What is still to be sent to a peer.
#[derive(Debug)]
struct Answer {
    stream: UnixStream,
    body: Vec<u8>,
    sent: usize,
    since: Instant,
}

impl Answer {
    /// Sends what the peer takes now. Whether nothing more is to be sent.
    fn is_over(&mut self) -> bool {
        while self.sent < self.body.len() {
            match (&self.stream).write(&self.body[self.sent..]) {
                Ok(n) => self.sent += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return error.kind() != io::ErrorKind::WouldBlock || self.since.elapsed() > PATIENCE,
            }
        }
        true
    }
}

fn random() -> u32 {
    // Hashing keys are random for each process, and count up.
    use std::hash::BuildHasher;
    std::hash::RandomState::new().hash_one(0) as u32
}

/// Whoever asked.
#[derive(Debug)]
pub struct Peer {
    stream: UnixStream,
    /// Whether it asked from within a host.
    pub inside: bool,
}

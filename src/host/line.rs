//! The main process's end of its talk with a process that starts programs: init, and one for each container.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{Shutdown, shutdown};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use super::error::{HostError, SpawnError};
use super::message;
use super::protocol::{Event, Reply, Request};

/// A socket to a child of this process, with the events that came in between an answer and its question.
#[derive(Debug)]
pub(super) struct Line {
    socket: OwnedFd,
    pid: Pid,
    alive: bool,
    /// Who is at the other end: "the process that …".
    who: String,
    events: VecDeque<Event>,
}

impl Line {
    pub(super) fn new(socket: OwnedFd, pid: Pid, who: impl Into<String>) -> Line {
        Line { socket, pid, alive: true, who: who.into(), events: VecDeque::new() }
    }

    /// The process.
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Whether it has not been seen to end.
    pub(super) fn is_alive(&self) -> bool {
        self.alive
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        fds: &[BorrowedFd<'_>],
    ) -> Result<(Reply, Vec<OwnedFd>), HostError> {
        match message::send(&self.socket, request, fds) {
            Ok(()) => self.reply(),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(self.ended()),
            Err(error) => Err(HostError::os(format!("ask {}", self.who), error)),
        }
    }

    /// The next answer.
    pub(super) fn reply(&mut self) -> Result<(Reply, Vec<OwnedFd>), HostError> {
        loop {
            match self.receive()? {
                (Reply::Event(event), _) => self.events.push_back(event),
                (Reply::Failed(error), _) => return Err(error),
                other => return Ok(other),
            }
        }
    }

    /// The next event, without waiting for one.
    pub(super) fn next_event(&mut self) -> Result<Option<Event>, HostError> {
        while self.events.is_empty() {
            let mut polled = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
            match poll(&mut polled, PollTimeout::ZERO) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(Errno::EINTR) => continue,
                Err(error) => return Err(HostError::os(format!("wait for {}", self.who), error)),
            }
            match self.receive()? {
                (Reply::Event(event), _) => self.events.push_back(event),
                (other, _) => return Err(unexpected(other)),
            }
        }
        Ok(self.events.pop_front())
    }

    /// Forgets events that have not been taken.
    pub(super) fn forget(&mut self, event: &Event) {
        self.events.retain(|other| other != event);
    }

    /// All events that have not been taken.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events).into()
    }

    /// Says no more: the process ends by itself, and is waited for.
    pub(super) fn hang_up(&mut self) {
        if std::mem::replace(&mut self.alive, false) {
            let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Both);
            self.wait();
        }
    }

    /// Waits for its end.
    pub(super) fn wait(&mut self) {
        while waitpid(self.pid, None) == Err(Errno::EINTR) {}
        self.alive = false;
    }

    fn receive(&mut self) -> Result<(Reply, Vec<OwnedFd>), HostError> {
        match message::receive(&self.socket) {
            Ok(Some(received)) => Ok(received),
            Ok(None) => Err(self.ended()),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(self.ended()),
            Err(error) => Err(HostError::os(format!("hear from {}", self.who), error)),
        }
    }

    fn ended(&mut self) -> HostError {
        // Its end of the socket closes a moment before it can be waited for.
        let reason = match self.alive.then(|| waitpid(self.pid, None)) {
            Some(Ok(WaitStatus::Signaled(_, signal, _))) => format!("it was killed by {signal}"),
            Some(Ok(WaitStatus::Exited(_, code))) => format!("it ended with code {code}"),
            _ => "it has ended".into(),
        };
        self.alive = false;
        HostError { doing: format!("reach {}", self.who), ..HostError::ended(reason) }
    }
}

impl AsFd for Line {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// An answer to another question than was asked.
pub(super) fn unexpected(reply: Reply) -> HostError {
    match reply {
        Reply::Failed(error) | Reply::NotSpawned(SpawnError::Hosts(error)) => error,
        _ => HostError::ended("it answered something else than was asked"),
    }
}

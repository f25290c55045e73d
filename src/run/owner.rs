//! A run that belongs to another process, over a socket: what that process asks, what it is told, and the run's end of it.
//!
//! The owner is a program that uses the library. It starts programs in the hosts with pipes of its own, makes live changes,
//! and says when the run may end. The end of the socket is the end of the run.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::given::{Needed, Texts};
use super::supervisor::RunError;
use crate::host::{Event, ExitStatus, Init, Program, ProgramId, Spawn, SpawnError, Stdio, What, message};
use crate::report::json::Report;

/// The owner's programs count from here, so that they are none of the run's own.
const FIRST: ProgramId = 1 << 32;

/// From the owner: a question with a number that its answer bears.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Question {
    pub(crate) number: u64,
    pub(crate) ask: Ask,
}

/// What an owner can ask.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    /// Start a program in a host under the question's number; its standard input, output and error come beside it.
    Spawn { host: String, program: Program },
    /// Send a signal to the process group of the program that was started under this number.
    Signal { program: u64, signal: i32 },
    /// Make live changes, as people write them, at one instant; with files that they name, as far as the run has asked for them.
    Set { changes: Vec<String>, files: Texts },
    /// From now on the run ends when its workloads are done.
    Wait,
    /// End the run.
    Stop,
}

/// What an owner is told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Told {
    /// First of all: this is a run, and not the program that it is a copy of.
    Hello,
    /// What a machine lacks for runs, if anything: the answer to a run that was only to be tried.
    Lacks(Option<String>),
    /// t = 0: all services are ready. What programs get in their environment beyond the owner's own.
    Began { environment: Vec<(String, String)> },
    /// The answer to the question of this number.
    Answer { number: u64, answer: Answer },
    /// The program that was started under this number has ended.
    Exited { program: u64, status: ExitStatus },
    /// The run is over. Nothing comes after it.
    Over(Box<Report>),
    /// The run could not be carried out. Nothing comes after it.
    Failed { cause: Cause, reason: String },
}

/// Whose matter it is that a run could not be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cause {
    /// The scenario's.
    Input,
    /// The machine lacks something, or forbids it.
    Lacking,
    /// Something broke down.
    Broken,
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// Done; of a signal, whether there was anybody to hear it.
    Done(bool),
    /// The program does not run.
    NotSpawned(SpawnError),
    /// Not done yet: these files are to come along.
    Needs(Needed),
    /// Not done, and why.
    Refused(String),
}

/// The run's end.
#[derive(Debug)]
pub(crate) struct Owner {
    socket: OwnedFd,
    /// Numbers of its programs that have not ended.
    running: BTreeSet<u64>,
    /// Whether the run may end when its workloads are done.
    pub(super) waits: bool,
    /// Whether the run is to end.
    pub(super) stops: bool,
    /// Whether it is over, so that nothing new begins.
    pub(super) over: bool,
}

impl Owner {
    pub(crate) fn new(socket: OwnedFd) -> Owner {
        Owner { socket, running: BTreeSet::new(), waits: false, stops: false, over: false }
    }

    /// Tells the owner something.
    ///
    /// # Errors
    /// It is gone.
    pub(crate) fn tell(&self, told: &Told) -> Result<(), RunError> {
        message::send(&self.socket, told, &[]).map_err(gone)
    }

    /// The next question, without waiting for one, and the descriptors beside it.
    ///
    /// # Errors
    /// The owner is gone.
    pub(super) fn next(&mut self) -> Result<Option<(Question, Vec<OwnedFd>)>, RunError> {
        let mut polled = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        match poll(&mut polled, PollTimeout::ZERO) {
            Ok(0) | Err(Errno::EINTR) => return Ok(None),
            Ok(_) => {}
            Err(errno) => return Err(gone(errno.into())),
        }
        match message::receive(&self.socket) {
            Ok(Some(question)) => Ok(Some(question)),
            Ok(None) => Err(gone(io::ErrorKind::UnexpectedEof.into())),
            Err(error) => Err(gone(error)),
        }
    }

    /// Starts a program under the number of the question that asks for it.
    pub(super) fn spawn(
        &mut self,
        number: u64,
        (host, program): (String, Program),
        fds: Vec<OwnedFd>,
        init: &mut Init,
    ) -> Answer {
        if self.over {
            return Answer::Refused("the run is over".into());
        }
        let Ok([stdin, stdout, stderr]) = <[OwnedFd; 3]>::try_from(fds) else {
            return Answer::Refused("a program needs three descriptors".into());
        };
        let stdio = Stdio { stdin: Some(stdin), stdout: Some(stdout), stderr: Some(stderr) };
        match init.spawn(Spawn { id: FIRST + number, host, what: What::Program(program), stdio }) {
            Ok(()) => {
                self.running.insert(number);
                Answer::Done(true)
            }
            Err(error) => Answer::NotSpawned(error),
        }
    }

    /// Sends a signal to one of its programs and what that has started.
    pub(super) fn signal(&self, number: u64, signal: i32, init: &mut Init) -> Answer {
        let Ok(signal) = Signal::try_from(signal) else {
            return Answer::Refused(format!("there is no signal {signal}"));
        };
        match init.signal(FIRST + number, signal) {
            Ok(heard) => Answer::Done(heard),
            Err(error) => Answer::Refused(error.to_string()),
        }
    }

    /// Sends a signal to all of its programs that run.
    pub(super) fn signal_all(&self, signal: Signal, init: &mut Init) {
        for number in &self.running {
            // One that has ended meanwhile does not mind.
            let _ = init.signal(FIRST + number, signal);
        }
    }

    /// Whether none of its programs runs.
    pub(super) fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Tells of the end of a program, if it is one of the owner's; its number.
    ///
    /// # Errors
    /// The owner is gone.
    pub(super) fn tell_end(&mut self, id: ProgramId, status: ExitStatus) -> Result<Option<u64>, RunError> {
        let Some(program) = id.checked_sub(FIRST).filter(|number| self.running.remove(number)) else {
            return Ok(None);
        };
        self.tell(&Told::Exited { program, status })?;
        Ok(Some(program))
    }

    /// Tells of programs that ended with the hosts.
    ///
    /// # Errors
    /// The owner is gone.
    pub(super) fn tell_ends(&mut self, events: &[Event]) -> Result<(), RunError> {
        for event in events {
            if let Event::Exited { id, status, .. } = event {
                self.tell_end(*id, *status)?;
            }
        }
        Ok(())
    }
}

impl AsFd for Owner {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn gone(error: io::Error) -> RunError {
    RunError::Machine { doing: "reach the program that the run belongs to", error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_arrive_with_their_numbers_and_an_end_is_told() {
        let (ours, theirs) = message::pair().unwrap();
        let mut owner = Owner::new(theirs);
        assert!(owner.next().unwrap().is_none(), "it does not wait");
        let question = Question { number: 4, ask: Ask::Set { changes: vec!["x.loss=1%".into()], files: Texts::new() } };
        message::send(&ours, &question, &[]).unwrap();
        let (question, fds) = owner.next().unwrap().unwrap();
        assert!(matches!(question, Question { number: 4, ask: Ask::Set { .. } }) && fds.is_empty());
        drop(ours);
        assert!(owner.next().unwrap_err().to_string().contains("belongs to"));
    }

    #[test]
    fn only_its_own_programs_are_told_and_each_end_once() {
        let (ours, theirs) = message::pair().unwrap();
        let mut owner = Owner::new(theirs);
        owner.running.insert(3);
        assert_eq!(owner.tell_end(3, ExitStatus::Code(0)).unwrap(), None, "one of the run's own");
        assert_eq!(owner.tell_end(FIRST + 3, ExitStatus::Signal(9)).unwrap(), Some(3));
        assert_eq!(owner.tell_end(FIRST + 3, ExitStatus::Signal(9)).unwrap(), None);
        assert!(owner.is_idle());
        let (told, _) = message::receive::<Told>(&ours).unwrap().unwrap();
        assert!(matches!(told, Told::Exited { program: 3, status: ExitStatus::Signal(9) }), "{told:?}");
    }
}

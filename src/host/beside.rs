//! A process beside the run: forked while this one has a single thread and all of its rights, it answers typed requests over a
//! socket, one at a time, until the other end of that is closed. So a run that has given up its rights can still have a few
//! things done that need them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::error::HostError;
use super::{helper, message, spawn};

/// An answer, and the descriptors that go with it.
pub(crate) type Answer<A> = (A, Vec<OwnedFd>);

/// The main process's handle. Dropped, it ends the process and waits for that.
#[derive(Debug)]
pub(crate) struct Beside {
    /// `None` only while it is dropped.
    socket: Option<OwnedFd>,
    pid: Pid,
}

impl Beside {
    /// Forks it. This process must have one thread. In the new one `prepare` gives up what is not needed and returns what answers
    /// a request.
    ///
    /// # Errors
    /// There are several threads, or no process can be made. Where `prepare` fails, the first request does.
    pub(crate) fn start<Q, A, F>(doing: &str, prepare: impl FnOnce() -> io::Result<F>) -> Result<Beside, HostError>
    where
        Q: DeserializeOwned,
        A: Serialize,
        F: FnMut(Q) -> Answer<A>,
    {
        let (socket, pid) = fork(doing, |socket| prepare().map_or(1, |answer| serve(socket, answer)))?;
        Ok(Beside { socket: Some(socket), pid })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// The process is gone.
    pub(crate) fn ask<Q: Serialize, A: DeserializeOwned>(&self, question: &Q) -> io::Result<Answer<A>> {
        let gone = || io::Error::new(io::ErrorKind::BrokenPipe, "the process for it has ended");
        let socket = self.socket.as_ref().ok_or_else(gone)?;
        message::send(socket, question, &[]).map_err(|_| gone())?;
        message::receive(socket)?.ok_or_else(gone)
    }

    /// Its process.
    #[cfg(test)]
    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The socket, for tests that send what no run sends.
    #[cfg(test)]
    pub(crate) fn socket(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_ref().expect("not dropped").as_fd()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        drop(self.socket.take());
        while waitpid(self.pid, None) == Err(nix::errno::Errno::EINTR) {}
    }
}

/// Forks a process that has nothing of this one's open but its end of a socket, and ends with what `live` returns; the other end, and
/// its number. This process must have one thread.
///
/// # Errors
/// There are several threads, or no process can be made.
pub(super) fn fork(doing: &str, live: impl FnOnce(&OwnedFd) -> i32) -> Result<(OwnedFd, Pid), HostError> {
    let (ours, theirs) = message::pair().map_err(|e| HostError::os(doing, e))?;
    let pid = helper::fork_child(doing, || {
        // The other end of the socket among them: otherwise the end of the main process would never be seen.
        spawn::close_all_but(&[theirs.as_fd()]);
        // No key of the terminal reaches it.
        if nix::unistd::setsid().is_err() || spawn::mute().is_err() {
            return 1;
        }
        spawn::reset_signals();
        live(&theirs)
    })?;
    Ok((ours, pid))
}

/// Answers until the other end is closed, or sends what cannot be told apart any more; returns the exit code. A message that is
/// whole and is not one of the requests changes nothing and gets no answer.
fn serve<Q: DeserializeOwned, A: Serialize>(socket: &OwnedFd, mut answer: impl FnMut(Q) -> Answer<A>) -> i32 {
    loop {
        match message::receive::<Q>(socket) {
            Ok(Some((question, _))) => {
                let (answer, fds) = answer(question);
                let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
                if message::send(socket, &answer, &fds).is_err() {
                    return 1;
                }
            }
            Ok(None) => return 0,
            Err(error) if message::is_whole(&error) => {}
            Err(_) => return 1,
        }
    }
}

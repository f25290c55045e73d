//! A process beside the run that attaches machines again which longwire did not make: their interface was deleted and made
//! again, or their network namespace is another one.
//!
//! To enter namespaces and to come back takes a process with one thread, and the run has several by then. So this one is
//! forked before. It takes typed orders over a socket, answers each with descriptors, and never sees a frame.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, OwnedFd};

use nix::sys::signal::Signal;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::error::HostError;
use super::external::{self, External, Passed};
use super::{helper, message, spawn};
use crate::port::tap::Framing;
use crate::scenario::network::{InterfacePlan, Place, RoutePlan};

const DOING: &str = "attach an interface again";

/// The main process's handle. Dropped, it ends the process.
#[derive(Debug)]
pub(crate) struct Attendant {
    /// `None` only while it is dropped.
    socket: Option<OwnedFd>,
    pid: Pid,
}

/// What it can be asked for: an interface of an external machine.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) place: Place,
    pub(crate) interface: InterfacePlan,
    pub(crate) routes: Vec<RoutePlan>,
    pub(crate) framing: Framing,
    /// Make it, in a namespace that does not have it; otherwise take the one that is there.
    pub(crate) make: bool,
}

impl Attendant {
    /// Forks it. This process must have one thread.
    pub(crate) fn start() -> Result<Attendant, HostError> {
        let (ours, theirs) = message::pair().map_err(|e| HostError::os(DOING, e))?;
        let pid = helper::fork_child(DOING, || {
            // The other end of the socket among them: otherwise the end of the main process would never be seen.
            spawn::close_all_but(&[theirs.as_fd()]);
            serve(&theirs)
        })?;
        Ok(Attendant { socket: Some(ours), pid })
    }

    /// Attaches an interface.
    ///
    /// # Errors
    /// As when the run began; and the process is gone.
    pub(crate) fn attach(&self, order: &Order) -> Result<External, HostError> {
        let gone = || HostError::lacking(DOING, "the process for it has ended");
        let socket = self.socket.as_ref().ok_or_else(gone)?;
        message::send(socket, order, &[]).map_err(|_| gone())?;
        let answer = message::receive::<Result<Passed, HostError>>(socket).map_err(|e| HostError::os(DOING, e))?;
        let (passed, fds) = answer.ok_or_else(gone)?;
        External::from_parts(passed?, fds)
    }
}

impl Drop for Attendant {
    fn drop(&mut self) {
        drop(self.socket.take());
        let _ = waitpid(self.pid, None);
    }
}

/// Its life. Returns its exit code.
fn serve(socket: &OwnedFd) -> i32 {
    // No key of the terminal reaches it, and it dies with the main process; that may have died before this.
    let tied = nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).and_then(|()| nix::unistd::setsid());
    if tied.is_err() || spawn::mute().is_err() || message::is_closed(socket) {
        return 1;
    }
    spawn::reset_signals();
    while let Ok(Some((order, _))) = message::receive::<Order>(socket) {
        let (answer, fds) = match carry_out(&order).and_then(External::into_parts) {
            Ok((passed, fds)) => (Ok(passed), fds),
            Err(error) => (Err(error), Vec::new()),
        };
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        if message::send(socket, &answer, &fds).is_err() {
            return 1;
        }
    }
    0
}

fn carry_out(Order { place, interface, routes, framing, make }: &Order) -> Result<External, HostError> {
    match place {
        Place::ExternalTap { tap } => external::tap(tap, interface, *framing, *make),
        Place::ExternalNetns { netns } => external::interface(netns, interface, routes, *framing, *make),
        Place::Namespace => Err(HostError::lacking(DOING, "it is of this run's own making")),
    }
}

//! A command of the caller's that runs on the machine itself, outside of every host, while the network stands. A process beside the
//! run starts it: it is forked while the run has all of its rights, and ends the command when the run ends, however that is.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, getpid, setpgid};

use super::error::HostError;
use super::protocol::ExitStatus;
use super::{helper, message, spawn};

const DOING: &str = "start the process for a command of this machine";
/// How long the command may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(2);
/// Time between two looks whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// How a command ended; the reason where it could not be started.
type Ended = Result<ExitStatus, String>;

/// The main process's handle. Dropped, it ends the command, and waits for that.
#[derive(Debug)]
pub struct Hook {
    /// `None` only while it is dropped.
    socket: Option<OwnedFd>,
    pid: Pid,
}

impl Hook {
    /// Forks the process for `line`, which goes to `sh -c`. This process must have one thread.
    ///
    /// # Errors
    /// There are several threads, or no process can be made.
    pub fn new(line: &str) -> Result<Hook, HostError> {
        let (ours, theirs) = message::pair().map_err(|e| HostError::os(DOING, e))?;
        let pid = helper::fork_child(DOING, || {
            // The other end of the socket among them: otherwise the end of the main process would never be seen.
            spawn::close_all_but(&[theirs.as_fd()]);
            // Keys of the terminal are the run's, which ends the command. Orphans of it are this process's to wait for.
            let _ = setpgid(Pid::from_raw(0), Pid::from_raw(0));
            let _ = prctl::set_child_subreaper(true);
            serve(&theirs, line)
        })?;
        Ok(Hook { socket: Some(ours), pid })
    }

    /// Starts the command, in the current directory and with the caller's environment, to which those of the given variables are
    /// added that are longwire's own. It writes to standard error.
    ///
    /// # Errors
    /// The process for it is gone.
    pub fn begin(&self, environment: &[(String, String)]) -> io::Result<()> {
        self.socket.as_ref().map_or(Ok(()), |socket| message::send(socket, &environment, &[]))
    }

    /// Becomes readable when the command ends.
    pub fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.socket.as_ref().map(AsFd::as_fd)
    }

    /// How the command failed, if it has: completes "the command …". One that has ended well, or has not ended, has not.
    pub fn failed(&self) -> Option<String> {
        let socket = self.fd()?;
        let mut polled = [PollFd::new(socket, PollFlags::POLLIN)];
        if !matches!(poll(&mut polled, PollTimeout::ZERO), Ok(1..)) {
            return None;
        }
        match message::receive::<Ended>(socket) {
            Ok(Some((Ok(ExitStatus::Code(0)), _))) => None,
            Ok(Some((Ok(ExitStatus::Code(code)), _))) => Some(format!("exited with {code}")),
            Ok(Some((Ok(ExitStatus::Signal(signal)), _))) => Some(format!("was ended by signal {signal}")),
            Ok(Some((Err(reason), _))) => Some(format!("could not be started: {reason}")),
            Ok(None) | Err(_) => Some("was lost: its supervising process has ended".into()),
        }
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        drop(self.socket.take());
        while waitpid(self.pid, None) == Err(Errno::EINTR) {}
    }
}

/// In the process beside the run: waits for the word, runs the command until the other end is closed; returns the exit code.
fn serve(socket: &OwnedFd, line: &str) -> i32 {
    let Ok(Some((environment, _))) = message::receive::<Vec<(String, String)>>(socket) else { return 0 };
    let started = socket.try_clone().and_then(|socket| Ok((socket, start(line, environment)?)));
    let (told, group) = match started {
        Ok(started) => started,
        Err(error) => {
            let _ = message::send(socket, &Ended::Err(error.to_string()), &[]);
            return 1;
        }
    };
    thread::spawn(move || {
        // It is not taken away yet, so its number stays its own.
        let how = match waitid(Id::Pid(group), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) {
            Ok(WaitStatus::Exited(_, code)) => ExitStatus::Code(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => ExitStatus::Signal(signal as i32),
            // the run is over
            _ => return,
        };
        let _ = message::send(&told, &Ended::Ok(how), &[]);
    });
    let _ = message::receive::<()>(socket);
    end(group);
    0
}

/// Starts the command, and returns its process, which leads a group.
fn start(line: &str, environment: Vec<(String, String)>) -> io::Result<Pid> {
    // no others: the run, which has given up its rights by now, is not to choose PATH or LD_PRELOAD for root, or a kernel of longwire's
    let is_told = |name: &str| {
        matches!(name, "LONGWIRE_RUN" | "LONGWIRE_SEED" | "LONGWIRE_DIR")
            || name.starts_with("LONGWIRE_PARAM_")
            || name.starts_with("LONGWIRE_HOST_")
    };
    let added = environment.into_iter().filter(|(name, _)| is_told(name));
    let output = io::stderr().as_fd().try_clone_to_owned()?;
    let mut command = Command::new("sh");
    command.args(["-c", line]).envs(added).stdin(Stdio::null()).stdout(output).process_group(0);
    let own = getpid();
    // SAFETY: prctl(2) and getppid(2) are all that it calls, and both may be called between fork and exec.
    unsafe { command.pre_exec(move || Ok(spawn::end_with(own)?)) };
    Ok(Pid::from_raw(command.spawn()?.id() as i32))
}

/// Ends all of a process group, gently first.
fn end(group: Pid) {
    let until = Instant::now() + GRACE;
    let _ = killpg(group, Signal::SIGTERM);
    while Instant::now() < until {
        while matches!(waitpid(None, Some(WaitPidFlag::WNOHANG)), Ok(status) if status != WaitStatus::StillAlive) {}
        if killpg(group, None) == Err(Errno::ESRCH) {
            return;
        }
        thread::sleep(LOOK);
    }
    let _ = killpg(group, Signal::SIGKILL);
}

//! Processes that remove directories, sockets and names when this one has gone, however it went.

use std::fs;
use std::io::{self, Read, Write, pipe};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use caps::Capability;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::SigSet;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, setsid};

use super::error::HostError;
use super::presence::open_process;
use super::{confine, container, groups, helper, spawn, vm_socket};

/// How long the process that uses the directory may take to die once it was killed.
const DEATH_MS: u16 = 900;

/// How long the members of a control group, or whoever has a socket, may take to die.
const OTHERS_DEATH: Duration = Duration::from_secs(2);

/// Time from one attempt to the next.
const PAUSE: Duration = Duration::from_millis(5);

/// What a janitor removes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    /// Directories with all that is in them.
    Files,
    /// Control groups, with those in them.
    Groups,
    /// Sockets, on which nobody listens any more.
    Sockets,
    /// From hosts files of containers, the lines that are marked so.
    Names(String),
}

/// What it takes to connect to a socket in the caller's folder, and to remove it (capabilities(7)).
const SOCKET_RIGHTS: [Capability; 2] = [Capability::CAP_DAC_OVERRIDE, Capability::CAP_FOWNER];

/// Two processes that remove what a run leaves once this handle is dropped or this process has died, so that killing any one process
/// leaves somebody to do it. They outlive this process by less than a second.
#[derive(Debug)]
pub struct Janitor {
    /// The end of its pipe is the sign.
    copies: Vec<(io::PipeWriter, Pid)>,
    paths: Vec<PathBuf>,
    kind: Kind,
}

impl Janitor {
    /// Starts it. Must be called while this process has one thread.
    ///
    /// # Errors
    /// No process or pipe can be made.
    pub fn start(directory: &Path) -> Result<Janitor, HostError> {
        Janitor::start_for(vec![directory.to_path_buf()], Kind::Files)
    }

    /// The same for control groups, which may not be there yet.
    ///
    /// # Errors
    /// No process or pipe can be made.
    pub(crate) fn start_for_groups(groups: &[PathBuf]) -> Result<Janitor, HostError> {
        Janitor::start_for(groups.to_vec(), Kind::Groups)
    }

    /// The same for sockets in the file system, which need not be there yet.
    ///
    /// # Errors
    /// No process or pipe can be made.
    pub(crate) fn start_for_sockets(sockets: Vec<PathBuf>) -> Result<Janitor, HostError> {
        Janitor::start_for(sockets, Kind::Sockets)
    }

    /// The same for lines of a hosts file.
    ///
    /// # Errors
    /// No process or pipe can be made.
    pub(crate) fn start_for_names(file: &Path, mark: &str) -> Result<Janitor, HostError> {
        Janitor::start_for(vec![file.to_owned()], Kind::Names(mark.to_owned()))
    }

    fn start_for(paths: Vec<PathBuf>, kind: Kind) -> Result<Janitor, HostError> {
        let mut janitor = Janitor { copies: Vec::new(), paths, kind };
        for _ in 0..2 {
            let doing = "start a process that cleans up";
            let (ours, theirs) = pipe().map_err(|e| HostError::os(doing, e))?;
            // Both ends are the child's too until it closes one.
            let pid = helper::fork_child(doing, || {
                if janitor.kind == Kind::Sockets && confine::keep_only(&SOCKET_RIGHTS).is_err() {
                    return 1;
                }
                clean_up_after(&ours, &janitor.paths, &janitor.kind);
                0
            })?;
            janitor.copies.push((theirs, pid));
        }
        Ok(janitor)
    }

    /// The directory is removed only after the end of this process, for which somebody else sees.
    ///
    /// # Errors
    /// No copy is left.
    pub fn wait_for(&mut self, user: Pid) -> io::Result<()> {
        let mut told = Err(io::Error::from(io::ErrorKind::BrokenPipe));
        for (life, _) in &mut self.copies {
            // one of them may have been killed
            told = told.or(life.write_all(&user.as_raw().to_ne_bytes()));
        }
        told
    }
}

/// A private directory that is gone after this process, however that ends.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    /// Removes it.
    pub(crate) janitor: Janitor,
}

impl Scratch {
    /// Makes one in a directory. Must be called while this process has one thread.
    ///
    /// # Errors
    /// It cannot be made, or no process or pipe.
    pub fn make(parent: &Path) -> io::Result<Scratch> {
        let folder = tempfile::Builder::new().prefix("longwire-").rand_bytes(8).tempdir_in(parent)?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
        let janitor = Janitor::start(folder.path()).map_err(io::Error::other)?;
        Ok(Scratch { path: folder.keep(), janitor })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        let pids: Vec<Pid> = self.copies.drain(..).map(|(_, pid)| pid).collect();
        for pid in pids {
            while waitpid(pid, None) == Err(Errno::EINTR) {}
        }
        // Both may have been killed before they could do their work. A run has no right to connect to a socket.
        for path in self.paths.iter().filter(|_| self.kind != Kind::Sockets) {
            let _ = remove(path, &self.kind);
        }
    }
}

fn remove(path: &Path, kind: &Kind) -> io::Result<()> {
    match kind {
        Kind::Files => fs::remove_dir_all(path),
        Kind::Groups => groups::remove(path),
        Kind::Sockets => vm_socket::remove_unused(path),
        Kind::Names(mark) => container::take_away(path, mark),
    }
}

/// What a copy does. Signals from a terminal or a suite are for the process that it watches.
fn clean_up_after(mut life: &io::PipeReader, paths: &[PathBuf], kind: &Kind) {
    let _ = SigSet::all().thread_block();
    let _ = setsid();
    spawn::close_all_but(&[life.as_fd()]);
    let mut user = [0; 4];
    let user = life.read_exact(&mut user).ok().and_then(|()| open_process(i32::from_ne_bytes(user)).ok());
    // Blocks until nobody holds the other end.
    let _ = io::copy(&mut life, &mut io::sink());
    if let Some(user) = user {
        let _ = poll(&mut [PollFd::new(user.as_fd(), PollFlags::POLLIN)], DEATH_MS);
    }
    // The other copy does the same now, and each may stumble over what the other has just removed.
    let patience = if *kind == Kind::Files { 10 * PAUSE } else { OTHERS_DEATH };
    let end = Instant::now() + patience;
    let is_left = |path: &&PathBuf| remove(path, kind).is_err() && path.exists();
    while paths.iter().filter(is_left).count() > 0 && Instant::now() < end {
        sleep(PAUSE);
    }
}

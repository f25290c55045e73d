//! A process that removes a directory when this one has gone, however it went.

use std::fs;
use std::io::{self, Read, Write, pipe};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, setsid};

use super::error::HostError;
use super::{helper, spawn};

/// How long the process that uses the directory may take to die once it was killed.
const DEATH: Duration = Duration::from_millis(900);

/// A process that removes a directory once this handle is dropped or this process has died. It outlives neither by more
/// than a second.
#[derive(Debug)]
pub struct Janitor {
    /// Its end is the sign.
    life: Option<io::PipeWriter>,
    pid: Pid,
    directory: PathBuf,
}

impl Janitor {
    /// Starts it. Must be called while this process has one thread.
    ///
    /// # Errors
    /// No process or pipe can be made.
    pub fn start(directory: &Path) -> Result<Janitor, HostError> {
        let doing = "start a process that cleans up";
        let (ours, theirs) = pipe().map_err(|e| HostError::os(doing, e))?;
        // Both ends are the child's too until it closes one.
        let pid = helper::fork_child(doing, || {
            clean_up_after(&ours, directory);
            0
        })?;
        Ok(Janitor { life: Some(theirs), pid, directory: directory.to_path_buf() })
    }

    /// The directory is removed only after the end of this process, for which somebody else sees.
    ///
    /// # Errors
    /// The janitor has ended.
    pub fn wait_for(&mut self, user: Pid) -> io::Result<()> {
        self.life.as_mut().map_or(Ok(()), |life| life.write_all(&user.as_raw().to_ne_bytes()))
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.life.take());
        while waitpid(self.pid, None) == Err(Errno::EINTR) {}
        // It may have been killed before it could do its work.
        let _ = fs::remove_dir_all(&self.directory);
    }
}

/// What the janitor does. Signals from a terminal or a suite are for the process that it watches.
fn clean_up_after(mut life: &io::PipeReader, directory: &Path) {
    let _ = SigSet::all().thread_block();
    let _ = setsid();
    spawn::close_all_but(&[life.as_fd()]);
    let mut user = [0; 4];
    let known = life.read_exact(&mut user).is_ok();
    // Blocks until nobody holds the other end.
    let _ = io::copy(&mut life, &mut io::sink());
    let mut waited = Duration::ZERO;
    while known && waited < DEATH && kill(Pid::from_raw(i32::from_ne_bytes(user)), None) != Err(Errno::ESRCH) {
        sleep(Duration::from_millis(10));
        waited += Duration::from_millis(10);
    }
    let _ = fs::remove_dir_all(directory);
}

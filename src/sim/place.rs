//! The private directory of a run in virtual time.

use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

use super::{SimError, console};
use crate::host::Janitor;
use crate::units::ByteSize;

/// Room that a run needs beside the guest's memory: its outputs. They are bounded by nothing, this is what a usual run leaves.
const OUTPUTS: u64 = 256 << 20;

/// A directory that nobody else may enter. It is removed when this is dropped, or when this process has died.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    pub(super) janitor: Janitor,
}

impl Place {
    /// Makes one where the guest's memory has room: in memory (/dev/shm) if possible, else in `$TMPDIR`, /tmp or /var/tmp.
    pub(super) fn make(memory: ByteSize) -> Result<Place, SimError> {
        let temporary = env::var_os("TMPDIR").map(PathBuf::from).filter(|path| path.is_absolute());
        let candidates = [Some("/dev/shm".into()), temporary, Some("/tmp".into()), Some("/var/tmp".into())];
        let mut refused = Vec::new();
        for parent in candidates.into_iter().flatten() {
            match fits(&parent, memory).and_then(|()| Place::inside(&parent)) {
                Ok(place) => return Ok(place),
                Err(why) => refused.push(format!("\n  {}: {why}", parent.display())),
            }
        }
        Err(SimError::Lacks(format!(
            "the guest's memory ({memory}, `sim: {{ memory: … }}` in the scenario) has no place:{}\n  \
             free some room, or name a directory in TMPDIR",
            refused.concat()
        )))
    }

    fn inside(parent: &Path) -> Result<Place, String> {
        let folder = tempfile::Builder::new().prefix("longwire-").rand_bytes(8).tempdir_in(parent);
        let folder = folder.map_err(|error| error.to_string())?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).map_err(|error| error.to_string())?;
        let janitor = Janitor::start(folder.path()).map_err(|error| error.to_string())?;
        Ok(Place { path: folder.keep(), janitor })
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the guest's kernel has printed.
    pub fn console(&self) -> String {
        console::read(&self.path)
    }

    /// Copies a directory of it, with all that is in it.
    ///
    /// # Errors
    /// It is not there, or something cannot be written.
    pub fn copy(&self, name: &str, to: &Path) -> io::Result<()> {
        copy(&self.path.join(name), to)
    }

    /// What a file in it says; empty if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        match fs::read(self.path.join(name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other,
        }
    }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// Whether a directory can hold the guest's memory, from which it also executes.
fn fits(parent: &Path, memory: ByteSize) -> Result<(), String> {
    let about = statvfs(parent).map_err(|errno| errno.desc().to_owned())?;
    if about.flags().contains(FsFlags::ST_NOEXEC) {
        return Err("it is mounted `noexec`".into());
    }
    let free = about.blocks_available() * about.fragment_size();
    let needed = memory.as_bytes().saturating_add(OUTPUTS);
    if free < needed {
        return Err(format!("{} MiB are free, and {} MiB are needed", free >> 20, needed >> 20));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_says_so() {
        let much = ByteSize::from_bytes(1 << 60);
        assert!(fits(Path::new("/tmp"), much).unwrap_err().contains("MiB are needed"));
        assert!(fits(Path::new("/no/such/place"), much).unwrap_err().contains("No such file"));
        assert!(fits(Path::new("/proc"), ByteSize::from_bytes(0)).is_err());
    }
}

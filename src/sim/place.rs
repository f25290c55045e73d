//! The private directory of a run in virtual time.

use std::env;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};

use super::{SimError, console};
use crate::host::{Folder, Scratch, folder};
use crate::run::out_dir::{MANIFEST, OutDir};
use crate::units::ByteSize;

/// Room that a run needs beside the guest's memory: its outputs. They are bounded by nothing, this is what a usual run leaves.
const OUTPUTS: u64 = 256 << 20;

/// A directory that nobody else may enter. It is removed when this is dropped, or when this process has died.
#[derive(Debug)]
pub struct Place(pub(super) Scratch);

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
        Scratch::make(parent).map(Place).map_err(|error| error.to_string())
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// What the guest's kernel has printed.
    pub fn console(&self) -> String {
        console::read(self.path())
    }

    /// Copies a directory of it, with all files in it, into that of `--out`. What is neither a file nor a directory is left out, and
    /// returned: programs in the guest may have made it.
    ///
    /// # Errors
    /// Something cannot be read or written.
    pub fn copy(&self, name: &str, out: &OutDir) -> io::Result<Vec<PathBuf>> {
        match Folder::open(self.path())?.directory(name) {
            // the manifest is of this directory
            Ok(inside) => folder::copy(&inside, out.folder(), &[MANIFEST]),
            // the run has not come so far
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// A file in it, if there is one.
    pub fn open(&self, name: &str) -> Option<File> {
        Folder::open(self.path()).and_then(|folder| folder.read(name)).ok()
    }

    /// What a file in it says, by its path there; empty if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let (folders, name) = name.rsplit_once('/').map_or((None, name), |(folders, name)| (Some(folders), name));
        let mut folders = folders.into_iter().flat_map(|folders| folders.split('/'));
        let folder = folders.try_fold(Folder::open(self.path())?, |folder, name| folder.directory(name));
        match folder.and_then(|folder| folder.read(name)) {
            Ok(mut file) => file.read_to_end(&mut bytes).map(|_| bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(bytes),
            Err(error) => Err(error),
        }
    }
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

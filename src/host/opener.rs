//! A process beside the run that opens, renames and removes files in one directory: that of `--out`. Root that has given up its
//! capabilities may not write into the directory of another user, and a confined run opens no files at all. This process keeps the
//! right to do so, and by Landlock nothing outside the directory.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::{Component, Path, PathBuf};

use caps::Capability;
use serde::{Deserialize, Serialize};

use super::beside::{Answer, Beside};
use super::confine;
use super::error::HostError;
use super::folder::Folder;

/// What root's rights over files of others come to: writing, and renaming and removing in directories like /tmp.
const RIGHTS: [Capability; 2] = [Capability::CAP_DAC_OVERRIDE, Capability::CAP_FOWNER];

/// The main process's handle. Dropped, it ends the process.
#[derive(Debug)]
pub struct Opener(Beside);

/// What it can be asked. Names are relative to the directory, and lead nowhere else.
#[derive(Debug, Serialize, Deserialize)]
enum Request {
    /// Make a file, which must not be there.
    Create(PathBuf),
    /// Open a regular file for reading.
    Read(PathBuf),
    /// Open whatever is there for looking at it alone.
    Look(PathBuf),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

/// Why it failed: the system's error, or words.
type Refused = (Option<i32>, String);

impl Opener {
    /// Forks it for a directory. This process must have one thread.
    ///
    /// # Errors
    /// There are several threads, or no process can be made.
    pub fn start(directory: &Path) -> Result<Opener, HostError> {
        let directory = directory.to_path_buf();
        let opener = Beside::start("start a process that opens output files", move || {
            confine::keep_only(&RIGHTS)?;
            confine::keep_files_beneath(&directory)?;
            let folder = Folder::open(&directory)?;
            Ok(move |request: Request| answer(&folder, &request))
        })?;
        Ok(Opener(opener))
    }

    /// Makes a file, which must not be there, to read and write.
    ///
    /// # Errors
    /// Those of open(2); the process is gone.
    pub fn create(&self, name: &Path) -> io::Result<File> {
        self.open(Request::Create(name.into()))
    }

    /// Opens a file for reading.
    ///
    /// # Errors
    /// Those of open(2); the process is gone.
    pub fn read(&self, name: &Path) -> io::Result<File> {
        self.open(Request::Read(name.into()))
    }

    /// A descriptor by which whatever has a name, a link among it, can be looked at and nothing else.
    ///
    /// # Errors
    /// There is nothing of that name; the process is gone.
    pub fn look(&self, name: &Path) -> io::Result<File> {
        self.open(Request::Look(name.into()))
    }

    /// Renames a file.
    ///
    /// # Errors
    /// Those of rename(2); the process is gone.
    pub fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.ask(Request::Rename(from.into(), to.into())).map(drop)
    }

    /// Removes a file.
    ///
    /// # Errors
    /// Those of unlink(2); the process is gone.
    pub fn remove(&self, name: &Path) -> io::Result<()> {
        self.ask(Request::Remove(name.into())).map(drop)
    }

    fn open(&self, request: Request) -> io::Result<File> {
        self.ask(request)?.ok_or_else(|| io::Error::other("the process that opens output files sent none"))
    }

    fn ask(&self, request: Request) -> io::Result<Option<File>> {
        let (answer, fds) = self.0.ask::<_, Result<(), Refused>>(&request)?;
        match answer {
            Ok(()) => Ok(fds.into_iter().next().map(File::from)),
            Err((Some(errno), _)) => Err(io::Error::from_raw_os_error(errno)),
            Err((None, words)) => Err(io::Error::other(words)),
        }
    }
}

/// In the opener's process.
fn answer(directory: &Folder, request: &Request) -> Answer<Result<(), Refused>> {
    match carry_out(directory, request) {
        Ok(file) => (Ok(()), file.into_iter().map(Into::into).collect()),
        Err(error) => (Err((error.raw_os_error(), error.to_string())), Vec::new()),
    }
}

fn carry_out(directory: &Folder, request: &Request) -> io::Result<Option<File>> {
    match request {
        Request::Create(name) => inside(directory, name, |folder, name| folder.create(name)).map(Some),
        Request::Read(name) => inside(directory, name, |folder, name| folder.read(name)).map(Some),
        Request::Look(name) => inside(directory, name, |folder, name| folder.reach(name)).map(Some),
        Request::Remove(name) => inside(directory, name, |folder, name| folder.remove(name)).map(|()| None),
        Request::Rename(from, to) if from.parent() == to.parent() => {
            let to = to.file_name().ok_or_else(outside)?;
            inside(directory, from, |folder, from| folder.rename(from, to)).map(|()| None)
        }
        Request::Rename(..) => Err(outside()),
    }
}

/// Does something in the folder that a name is in: the directory, or one in it.
fn inside<T>(directory: &Folder, name: &Path, work: impl FnOnce(&Folder, &OsStr) -> io::Result<T>) -> io::Result<T> {
    let mut parts = name.components().map(|part| match part {
        Component::Normal(part) => Some(part),
        _ => None,
    });
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Some(name)), None, None) => work(directory, name),
        (Some(Some(folder)), Some(Some(name)), None) => work(&directory.directory(folder)?, name),
        _ => Err(outside()),
    }
}

fn outside() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "expected a name inside the run's directory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    #[test]
    fn names_lead_nowhere_else() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("programs")).unwrap();
        std::os::unix::fs::symlink("/", place.path().join("root")).unwrap();
        let folder = Folder::open(place.path()).unwrap();
        let ask = |request: Request| carry_out(&folder, &request);
        let path = |name: &str| PathBuf::from(name);
        ask(Request::Create(path("a"))).unwrap().unwrap().write_all(b"text").unwrap();
        assert!(ask(Request::Create(path("programs/a.log"))).unwrap().is_some());
        assert_eq!(ask(Request::Look(path("a"))).unwrap().unwrap().metadata().unwrap().len(), 4);
        for name in ["../a", "/etc/passwd", "programs/../a", "a/b/c", "", ".", "root/etc"] {
            assert!(ask(Request::Create(path(name))).is_err(), "{name}");
            assert!(ask(Request::Read(path(name))).is_err(), "{name}");
            assert!(ask(Request::Rename(path("a"), path(name))).is_err(), "{name}");
        }
        assert!(ask(Request::Read(path("root"))).is_err(), "a link");
        assert!(ask(Request::Rename(path("a"), path("programs/a"))).is_err(), "another folder");
        ask(Request::Rename(path("a"), path("b"))).unwrap();
        ask(Request::Remove(path("b"))).unwrap();
        assert_eq!(ask(Request::Look(path("b"))).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}

//! Files that options name for writing, opened before anything runs: a run of an hour does not end with a folder that is
//! not there.

use std::io;
use std::path::{Path, PathBuf};

use super::{Exit, paint};
use crate::host::Destination;
use crate::host::open::plain;
use crate::run::out_dir::OutDirError;

/// A file to write, open. Whoever looks at it before the end finds it empty, and takes no older one for this run's.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    file: Destination,
}

impl Output {
    /// Opens the file of an option such as `--html`; there is none where the option is not given, or says `-`.
    ///
    /// # Errors
    /// [`Exit::Input`], with what is wrong told.
    pub(super) fn open(option: &str, path: Option<&Path>) -> Result<Option<Output>, Exit> {
        let Some(path) = path.filter(|path| path.as_os_str() != "-") else { return Ok(None) };
        match Destination::open(path) {
            Ok(file) => Ok(Some(Output { path: path.to_owned(), file })),
            Err(error) => Err(refuse(option, path, &error)),
        }
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// What could not be written, and why.
    pub(super) fn write(self, text: &str) -> Result<(), String> {
        self.write_with(|file| file.write_all(text.as_bytes()))
    }

    /// The same by a writer of many small pieces.
    ///
    /// # Errors
    /// What could not be written, and why.
    pub(super) fn write_with(self, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> Result<(), String> {
        let Output { path, file } = self;
        file.write_with(write).map_err(|error| format!("cannot write to {}: {}", path.display(), plain(&error)))
    }
}

/// Tells that the file or directory of an option cannot be written.
pub(super) fn refuse(option: &str, path: &Path, error: &io::Error) -> Exit {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let cure = match folder {
        Some(folder) => format!("make {} first, or name another path with {option}", folder.display()),
        None => format!("name another path with {option}"),
    };
    paint::complain(&format!("cannot write to {}: {}; {cure}", path.display(), plain(error)));
    Exit::Input
}

/// Tells that the directory of `--out` cannot be used.
pub(super) fn refuse_out(path: &Path, error: &OutDirError) -> Exit {
    let cure = match error.is_about_others() {
        true => {
            "name another directory with --out; or empty it, as one that an older longwire wrote; or add --force, which \
             replaces files of the names that longwire needs and leaves the others alone"
        }
        false => "name another path with --out",
    };
    paint::complain(&format!("cannot write to {}: {error}; {cure}", path.display()));
    Exit::Input
}

//! Scenario files, and the tables that they name, on the disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::host::open;
use crate::language::files;
use crate::language::files::{FileKind, Files};

/// Files on the disk: regular ones, no longer than their kind may be.
#[derive(Clone, Copy, Debug)]
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path, kind: FileKind) -> Result<String, String> {
        open::read(path, kind.limit()).map_err(|error| open::plain(&error)).and_then(files::text)
    }
}

/// The disk, perhaps with one more file in front of it. It remembers what was read: what was checked is what runs, whatever becomes of
/// the files.
#[derive(Debug, Default)]
pub struct Remembering<'a> {
    inline: Option<(&'a Path, &'a str)>,
    read: RefCell<BTreeMap<PathBuf, String>>,
}

impl<'a> Remembering<'a> {
    /// `inline`: a path, and the text that stands there instead of what the disk has.
    pub fn new(inline: Option<(&'a Path, &'a str)>) -> Remembering<'a> {
        Remembering { inline, read: RefCell::default() }
    }

    /// All that was read.
    pub fn into_read(self) -> BTreeMap<PathBuf, String> {
        self.read.into_inner()
    }
}

impl Files for Remembering<'_> {
    fn read(&self, path: &Path, kind: FileKind) -> Result<String, String> {
        let text = match self.inline {
            Some((inline, text)) if inline == path => text.to_owned(),
            _ => Disk.read(path, kind)?,
        };
        self.read.borrow_mut().insert(path.to_path_buf(), text.clone());
        Ok(text)
    }
}

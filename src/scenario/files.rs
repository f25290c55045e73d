//! How scenario files are read: through a trait, so that this layer touches no file system.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Reads files.
pub trait Files {
    /// The text of a file.
    ///
    /// # Errors
    /// Why it cannot be read, in a few words ("No such file or directory").
    fn read(&self, path: &Path) -> Result<String, String>;
}

/// Reads each file once: what it was at first, it stays, whatever becomes of it on the disk.
pub struct Once<'a> {
    files: &'a dyn Files,
    read: RefCell<BTreeMap<PathBuf, String>>,
}

impl<'a> Once<'a> {
    /// Nothing of these files has been read yet.
    pub fn new(files: &'a dyn Files) -> Once<'a> {
        Once::after(MemoryFiles::default(), files)
    }

    /// What has been read before stays; all else comes from `files`.
    pub fn after(read: MemoryFiles, files: &'a dyn Files) -> Once<'a> {
        Once { files, read: RefCell::new(read.0) }
    }

    /// All that was read.
    pub fn into_read(self) -> MemoryFiles {
        MemoryFiles(self.read.into_inner())
    }
}

impl Files for Once<'_> {
    fn read(&self, path: &Path) -> Result<String, String> {
        if let Some(text) = self.read.borrow().get(path) {
            return Ok(text.clone());
        }
        let text = self.files.read(path)?;
        self.read.borrow_mut().insert(path.to_owned(), text.clone());
        Ok(text)
    }
}

/// Files in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryFiles(pub BTreeMap<PathBuf, String>);

impl MemoryFiles {
    /// One file.
    pub fn one(path: &str, text: &str) -> MemoryFiles {
        MemoryFiles::default().with(path, text)
    }

    /// One more file.
    #[must_use]
    pub fn with(mut self, path: &str, text: &str) -> MemoryFiles {
        self.0.insert(path.into(), text.into());
        self
    }
}

impl Files for MemoryFiles {
    fn read(&self, path: &Path) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| "No such file or directory".into())
    }
}

/// The path that `name`, found in the file `from`, means: relative to the folder of that file, `.` and `x/..` taken out.
pub fn beside(from: &Path, name: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in from.parent().unwrap_or(Path::new("")).join(name).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(path.components().next_back(), Some(Component::Normal(_))) => {
                path.pop();
            }
            part => path.push(part),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_read_stays_as_it_was() {
        let disk = MemoryFiles::one("a", "1").with("b", "2");
        let once = Once::new(&disk);
        assert_eq!((once.read(Path::new("a")), once.read(Path::new("c")).is_err()), (Ok("1".into()), true));
        let read = once.into_read();
        let later = MemoryFiles::one("a", "changed").with("c", "3");
        let once = Once::after(read, &later);
        let text = |name: &str| once.read(Path::new(name));
        assert_eq!((text("a"), text("c")), (Ok("1".into()), Ok("3".into())));
        assert!(text("b").is_err(), "it was not read, and is gone");
    }

    #[test]
    fn names_are_relative_to_the_file_they_stand_in() {
        let path = |from: &str, name: &str| beside(Path::new(from), name).to_string_lossy().into_owned();
        assert_eq!(path("a.yaml", "lib/b.yaml"), "lib/b.yaml");
        assert_eq!(path("x/a.yaml", "../b.yaml"), "b.yaml");
        assert_eq!(path("a.yaml", "../b.yaml"), "../b.yaml");
        assert_eq!(path("x/a.yaml", "./b.yaml"), "x/b.yaml");
        assert_eq!(path("x/a.yaml", "/b.yaml"), "/b.yaml");
        assert_eq!(path("../x/a.yaml", "../../b.yaml"), "../../b.yaml");
    }
}

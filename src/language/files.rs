//! How scenario files are read: through a trait, so that this layer touches no file system.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::units::ByteSize;

/// What a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A scenario, or a part of one under `use`.
    Scenario,
    /// A trace, samples, or another table.
    Table,
    /// A graph to import.
    Graph,
}

impl FileKind {
    /// The longest file of this kind.
    pub const fn limit(self) -> ByteSize {
        match self {
            FileKind::Scenario => ByteSize::from_bytes(16 << 20),
            FileKind::Table | FileKind::Graph => ByteSize::from_bytes(64 << 20),
        }
    }
}

/// Reads files.
pub trait Files {
    /// The text of a file, which is no longer than its kind may be.
    ///
    /// # Errors
    /// Why it cannot be read, in a few words ("No such file or directory").
    fn read(&self, path: &Path, kind: FileKind) -> Result<String, String>;
}

/// Bytes as text.
///
/// # Errors
/// Where they are no UTF-8, and how to convert them.
pub fn text(bytes: Vec<u8>) -> Result<String, String> {
    let utf_16 = || "line 1, column 1: expected UTF-8, found UTF-16: convert it with `iconv -f UTF-16 -t UTF-8`".into();
    // without a byte-order mark every other byte of plain English is 0
    if bytes.first() == Some(&0) || bytes.get(1) == Some(&0) {
        return Err(utf_16());
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        let before = String::from_utf8_lossy(&bytes[..at]);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        // a byte-order mark (RFC 2781 §3.2)
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return utf_16();
        }
        format!(
            "line {line}, column {column}: expected UTF-8, found the byte 0x{:02X}: convert it with \
             `iconv -f ISO-8859-1 -t UTF-8`, or whatever it is written in",
            bytes[at]
        )
    })
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
    fn read(&self, path: &Path, kind: FileKind) -> Result<String, String> {
        if let Some(text) = self.read.borrow().get(path) {
            return Ok(text.clone());
        }
        let text = self.files.read(path, kind)?;
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
    fn read(&self, path: &Path, _: FileKind) -> Result<String, String> {
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

    const KIND: FileKind = FileKind::Scenario;

    #[test]
    fn what_is_no_text_has_a_place_and_a_cure() {
        let told = |bytes: &[u8]| text(bytes.to_vec()).unwrap_err();
        assert_eq!(
            told(b"a: 1\nb: \xc3\xa4 caf\xe9\n"),
            "line 2, column 9: expected UTF-8, found the byte 0xE9: convert it with `iconv -f ISO-8859-1 -t UTF-8`, or \
             whatever it is written in"
        );
        for start in [&b"\xff\xfe"[..], b"\xfe\xff", b"", b"\0"] {
            let told = told(&[start, b"a\0"].concat());
            assert!(told.starts_with("line 1, column 1: expected UTF-8, found UTF-16"), "{told}");
        }
        assert_eq!(text(b"\xc3\xa4".to_vec()).unwrap(), "ä");
    }

    #[test]
    fn a_file_that_was_read_stays_as_it_was() {
        let disk = MemoryFiles::one("a", "1").with("b", "2");
        let once = Once::new(&disk);
        assert_eq!((once.read(Path::new("a"), KIND), once.read(Path::new("c"), KIND).is_err()), (Ok("1".into()), true));
        let read = once.into_read();
        let later = MemoryFiles::one("a", "changed").with("c", "3");
        let once = Once::after(read, &later);
        let text = |name: &str| once.read(Path::new(name), KIND);
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

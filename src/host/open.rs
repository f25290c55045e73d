//! Opens what users name for reading: all paths inside scenarios, and those that the command line names.
//!
//! Opening a FIFO waits for a writer, opening a device may do anything, and `/dev/zero` has no end. So a path is looked at
//! before it is opened (`O_PATH`, open(2)), and what was looked at is what is read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::sys::statfs::{FsType, fstatfs};

use crate::units::ByteSize;

/// The file system of namespaces (`NSFS_MAGIC`, linux/magic.h); libc does not have it.
const NSFS: FsType = FsType(0x6e73_6673);

/// What a path must lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A regular file, of so many bytes at most.
    Regular(ByteSize),
    /// A namespace, as in /proc/PID/ns, or one bound to a path.
    Namespace,
}

/// Opens a path for reading, if it leads to what is expected. It never waits.
///
/// # Errors
/// Those of opening; `InvalidInput`, with words that say what was expected and what was found.
pub fn open(path: &Path, expected: Expected) -> io::Result<File> {
    let seen = see(path, expected)?;
    File::open(format!("/proc/self/fd/{}", seen.as_raw_fd()))
}

/// This process's descriptors in /proc: kept for when the /proc that it sees does not show it any more.
#[derive(Debug)]
pub(crate) struct Descriptors(File);

impl Descriptors {
    /// Opens them.
    ///
    /// # Errors
    /// /proc is not there.
    pub(crate) fn open() -> io::Result<Descriptors> {
        File::open("/proc/self/fd").map(Descriptors)
    }

    /// As [`read`].
    ///
    /// # Errors
    /// As [`read`].
    pub(crate) fn read(&self, path: &Path, limit: ByteSize) -> io::Result<Vec<u8>> {
        let seen = see(path, Expected::Regular(limit))?;
        let number = seen.as_raw_fd().to_string();
        let opened = openat(&self.0, number.as_str(), OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        read_all(opened, limit)
    }
}

/// Looks at a path without opening it.
fn see(path: &Path, expected: Expected) -> io::Result<File> {
    let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
    let seen = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let wrong = |text: String| Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    let kind = seen.metadata()?;
    match expected {
        Expected::Regular(_) if !kind.is_file() => {
            return wrong(format!("expected a regular file, found {}", describe(kind.file_type())));
        }
        Expected::Regular(limit) if kind.len() > limit.as_bytes() => return wrong(too_long(limit)),
        Expected::Namespace if fstatfs(&seen)?.filesystem_type() != NSFS => {
            let found = if kind.is_file() { "a regular file" } else { describe(kind.file_type()) };
            return wrong(format!("expected a namespace, found {found}"));
        }
        Expected::Regular(_) | Expected::Namespace => {}
    }
    Ok(seen)
}

/// Reads a regular file whole.
///
/// # Errors
/// Those of [`open`] and of reading; `InvalidInput` for one that is longer.
pub fn read(path: &Path, limit: ByteSize) -> io::Result<Vec<u8>> {
    read_all(open(path, Expected::Regular(limit))?, limit)
}

/// Reads a pipe, a device or a file to its end. It waits for whoever writes; a signal that ends this process ends that, too.
///
/// # Errors
/// Those of reading; `InvalidInput` for one that is longer.
pub fn read_all(from: impl Into<OwnedFd>, limit: ByteSize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // files of /proc have no length until they are read
    File::from(from.into()).take(limit.as_bytes() + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > limit.as_bytes() {
        true => Err(io::Error::new(io::ErrorKind::InvalidInput, too_long(limit))),
        false => Ok(bytes),
    }
}

/// Why something could not be done, without "(os error 2)", and with the cure where the limit of open files is the cause.
pub fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    match super::error::open_files(error) {
        Some(cure) => format!("{text}: {cure}"),
        None => text.to_owned(),
    }
}

fn too_long(limit: ByteSize) -> String {
    format!("expected at most {limit}, found more")
}

fn describe(kind: std::fs::FileType) -> &'static str {
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_char_device() || kind.is_block_device() => "a device",
        kind if kind.is_socket() => "a socket",
        _ => "something else",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: ByteSize = ByteSize::from_bytes(4);

    #[test]
    fn only_regular_files_up_to_the_limit_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("four"), "1234").unwrap();
        std::fs::write(at("five"), "12345").unwrap();
        nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        std::os::unix::fs::symlink("four", at("link")).unwrap();
        assert_eq!(read(&at("four"), LIMIT).unwrap(), b"1234");
        assert_eq!(read(&at("link"), LIMIT).unwrap(), b"1234");
        for (path, told) in [
            (at("five"), "expected at most 4B, found more"),
            // its length is 0 until it is read
            ("/proc/self/status".into(), "expected at most 4B, found more"),
            (at("fifo"), "expected a regular file, found a FIFO"),
            (at("socket"), "expected a regular file, found a socket"),
            (folder.path().to_owned(), "expected a regular file, found a directory"),
            ("/dev/zero".into(), "expected a regular file, found a device"),
            ("/dev/tty".into(), "expected a regular file, found a device"),
        ] {
            assert_eq!(plain(&read(&path, LIMIT).unwrap_err()), told, "{}", path.display());
        }
        assert_eq!(plain(&read(&at("none"), LIMIT).unwrap_err()), "No such file or directory");
    }

    #[test]
    fn namespaces_are_told_from_files() {
        let open = |path: &str| open(Path::new(path), Expected::Namespace);
        assert!(open("/proc/self/ns/net").is_ok());
        for (path, found) in [("/proc/self/status", "a regular file"), ("/dev/zero", "a device"), ("/", "a directory")]
        {
            assert_eq!(plain(&open(path).unwrap_err()), format!("expected a namespace, found {found}"));
        }
    }

    #[test]
    fn a_stream_is_read_to_its_end_or_to_the_limit() {
        let pipe = |text: &str| {
            use std::io::Write as _;
            let (reader, mut writer) = std::io::pipe().unwrap();
            writer.write_all(text.as_bytes()).unwrap();
            drop(writer);
            read_all(reader, LIMIT)
        };
        assert_eq!(pipe("1234").unwrap(), b"1234");
        assert_eq!(plain(&pipe("12345").unwrap_err()), "expected at most 4B, found more");
        assert!(read_all(File::open("/dev/zero").unwrap(), LIMIT).is_err());
    }
}

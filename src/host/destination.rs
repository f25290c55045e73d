//! Single files that users name for writing, such as that of `--json`: opened before a run, written at its end.
//!
//! A regular file is empty until then, so that nobody takes an older one for this run's; it is written under another name and renamed, so
//! that nobody sees a part of it. A pipe or a device is written in place. So is a file whose directory cannot be written to, or not any
//! more: by then this process may have given up its privileges.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, fchown};
use std::path::Path;

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, SFlag};

use super::folder::{Folder, Located, Temporary, locate};

/// A file to write, open.
#[derive(Debug)]
pub struct Destination {
    file: File,
    /// Where a regular file has its name.
    place: Option<(Folder, std::ffi::OsString)>,
}

impl Destination {
    /// Opens what a path names, or makes a file there. Links are followed, but none that another user has put into a directory that
    /// everybody may write to, such as /tmp.
    ///
    /// # Errors
    /// Those of opening for writing.
    pub fn open(path: &Path) -> io::Result<Destination> {
        let Located { folder, name, found, magic } = locate(path)?;
        let open =
            |flags: OFlag| openat(&folder, name.as_os_str(), flags | OFlag::O_CLOEXEC, Mode::from_bits_truncate(0o666));
        let kind = found.map(|found| SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits()));
        let file = match kind {
            _ if magic => File::from(open(OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC)?),
            None => folder.create(&name)?,
            Some(SFlag::S_IFREG) => {
                let file = File::from(open(OFlag::O_WRONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK)?);
                file.set_len(0)?;
                file
            }
            // it may wait for whoever reads
            Some(_) => File::from(open(OFlag::O_WRONLY | OFlag::O_NOFOLLOW)?),
        };
        let place = (!magic && matches!(kind, None | Some(SFlag::S_IFREG))).then_some((folder, name));
        Ok(Destination { file, place })
    }

    /// Writes all of it.
    ///
    /// # Errors
    /// Those of writing; a regular file is then empty.
    pub fn write_with(mut self, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
        let place = self.place.take();
        let temporary = place.as_ref().and_then(|(folder, name)| Some((folder.temporary().ok()?, name)));
        let Some((mut temporary, name)) = temporary else { return written(&self.file, write) };
        written(&temporary.file, write)?;
        self.pass_on(&temporary)?;
        match temporary.try_rename(name) {
            Ok(()) => Ok(()),
            // a file that is mounted there, as in a container, keeps its name
            Err(_) => {
                temporary.file.rewind()?;
                self.file.set_len(0)?;
                io::copy(&mut temporary.file, &mut self.file).map(drop)
            }
        }
    }

    /// Who may read the file stays as it was.
    fn pass_on(&self, temporary: &Temporary<'_>) -> io::Result<()> {
        let (before, now) = (self.file.metadata()?, temporary.file.metadata()?);
        if (before.uid(), before.gid()) != (now.uid(), now.gid()) {
            // only root can, and nobody else needs it
            let _ = fchown(&temporary.file, Some(before.uid()), Some(before.gid()));
        }
        if before.mode() != now.mode() {
            temporary.file.set_permissions(before.permissions())?;
        }
        Ok(())
    }
}

fn written(file: &File, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::new(file);
    write(&mut file).and_then(|()| file.flush())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn write(path: &Path, text: &str) -> io::Result<()> {
        Destination::open(path)?.write_with(|file| file.write_all(text.as_bytes()))
    }

    #[test]
    fn a_file_is_empty_and_then_whole_and_keeps_its_mode() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("report.json");
        fs::write(&path, "older").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        let open = Destination::open(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"");
        let seen = path.clone();
        open.write_with(|file| {
            file.write_all(&[b'x'; 100_000])?;
            assert_eq!(fs::read(&seen)?, b"", "nobody sees a part of it");
            Ok(())
        })
        .unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!((after.len(), after.mode() & 0o777), (100_000, 0o640));
        assert_ne!(after.ino(), before);
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_empty() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("f");
        let open = Destination::open(&path).unwrap();
        let error = open.write_with(|file| {
            file.write_all(b"half")?;
            Err(io::Error::from_raw_os_error(libc::ENOSPC))
        });
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_of_ones_own_is_followed_and_stays() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        symlink("real.json", at("link.json")).unwrap();
        write(&at("link.json"), "one").unwrap();
        write(&at("link.json"), "two").unwrap();
        assert!(fs::symlink_metadata(at("link.json")).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(at("real.json")).unwrap(), "two");
    }

    #[test]
    fn pipes_and_devices_are_written_in_place_and_their_errors_told() {
        let place = tempfile::tempdir().unwrap();
        let fifo = place.path().join("fifo");
        nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).unwrap();
        let reader = std::thread::spawn({
            let fifo = fifo.clone();
            move || fs::read_to_string(fifo).unwrap()
        });
        write(&fifo, "through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert_eq!(write(Path::new("/dev/full"), "x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        write(Path::new("/dev/null"), "x").unwrap();
        let file = tempfile::tempfile().unwrap();
        write(Path::new(&format!("/dev/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&file))), "by number").unwrap();
        assert_eq!(file.metadata().unwrap().len(), 9);
        assert!(write(place.path(), "x").is_err(), "a directory");
        assert!(write(&place.path().join("none/x"), "x").is_err());
    }
}

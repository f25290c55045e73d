//! Directories that longwire writes into. One that is open is used by single names relative to its descriptor, and no symbolic link in it
//! is followed: nothing that somebody else puts there leads a write elsewhere.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat, readlinkat, renameat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat, mkdirat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, fstatfs};
use nix::unistd::{UnlinkatFlags, geteuid, unlinkat};

use super::confine;
use super::opener::Opener;

/// Symbolic links on the way to a name: as many as the kernel follows (path_resolution(7)).
const LINKS: usize = 40;

/// How the name of a file begins until it has its own. The number of a process follows.
const TEMPORARY: &str = ".longwire-";

/// An open directory.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    /// Where this process may not use it any more: who does, and the directory's name there.
    served: OnceLock<(Arc<Opener>, PathBuf)>,
}

/// Where a path leads: a directory, and the name in it, which may be free.
#[derive(Debug)]
pub(super) struct Located {
    pub(super) folder: Folder,
    pub(super) name: OsString,
    /// What stands there.
    pub(super) found: Option<FileStat>,
    /// The name is one of /proc's own, behind which there may be no path, as /dev/stdout is.
    pub(super) magic: bool,
}

impl Folder {
    fn of(fd: OwnedFd) -> Folder {
        Folder { fd, served: OnceLock::new() }
    }

    /// From here on another process does what is asked of this directory, which is `name` in that of the opener.
    pub fn serve(&self, opener: &Arc<Opener>, name: &str) {
        // one process is enough
        let _ = self.served.set((Arc::clone(opener), name.into()));
    }

    /// Who does it, and a name in this directory as it is called there; `None` where this process does.
    fn other(&self, name: &OsStr) -> Option<(&Opener, PathBuf)> {
        self.served.get().map(|(opener, at)| (&**opener, at.join(name)))
    }

    /// Opens the directory that a path names. It is made, with those above it, if there is none.
    ///
    /// # Errors
    /// Those of making and opening directories; a link of somebody else in a directory that everybody may write to.
    pub fn make(path: &Path) -> io::Result<Folder> {
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            fs::create_dir_all(parent).map_err(|error| match error.kind() {
                // what is there is a file
                io::ErrorKind::AlreadyExists => Errno::ENOTDIR.into(),
                _ => error,
            })?;
        }
        let Located { folder, name, .. } = locate(path)?;
        folder.inside(&name)
    }

    /// Opens the directory that a path names.
    ///
    /// # Errors
    /// There is none; a link of somebody else in a directory that everybody may write to.
    pub fn open(path: &Path) -> io::Result<Folder> {
        let Located { folder, name, .. } = locate(path)?;
        folder.directory(&name)
    }

    /// A directory in it, which is made if there is none.
    ///
    /// # Errors
    /// Something else stands there, or it cannot be made.
    pub fn inside(&self, name: impl AsRef<OsStr>) -> io::Result<Folder> {
        match mkdirat(&self.fd, name.as_ref(), Mode::from_bits_truncate(0o777)) {
            Ok(()) | Err(Errno::EEXIST) => self.directory(name),
            // "." has no place to be made in
            Err(_) if name.as_ref() == "." => self.directory(name),
            Err(errno) => Err(errno.into()),
        }
    }

    /// A directory in it.
    ///
    /// # Errors
    /// There is none, or something else of that name.
    pub fn directory(&self, name: impl AsRef<OsStr>) -> io::Result<Folder> {
        if let Some((opener, _)) = self.served.get() {
            let (fd, place) = (self.fd.try_clone()?, self.other(name.as_ref()));
            let folder = Folder::of(fd);
            place.map(|(_, at)| folder.served.set((Arc::clone(opener), at)));
            return Ok(folder);
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(Folder::of(openat(&self.fd, name.as_ref(), flags, Mode::empty())?))
    }

    /// What stands under a name, without following a link.
    ///
    /// # Errors
    /// Those of looking.
    pub fn look(&self, name: impl AsRef<OsStr>) -> io::Result<Option<FileStat>> {
        if let Some((opener, name)) = self.other(name.as_ref()) {
            return match opener.look(&name) {
                Ok(seen) => Ok(Some(fstat(&seen)?)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            };
        }
        match fstatat(&self.fd, name.as_ref(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(seen) => Ok(Some(seen)),
            Err(Errno::ENOENT) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// A descriptor by which what stands under a name, a link too, can be looked at.
    pub(super) fn reach(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.fd, name.as_ref(), flags, Mode::empty())?.into())
    }

    /// All names in it, in their order.
    ///
    /// # Errors
    /// Those of reading a directory.
    pub fn names(&self) -> io::Result<Vec<OsString>> {
        use std::os::unix::ffi::OsStrExt as _;
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut names = Vec::new();
        for entry in Dir::openat(&self.fd, ".", flags, Mode::empty())?.iter() {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Opens a regular file for reading. It never waits.
    ///
    /// # Errors
    /// There is none, or it is something else.
    pub fn read(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        if let Some((opener, name)) = self.other(name.as_ref()) {
            return opener.read(&name);
        }
        let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let file = File::from(openat(&self.fd, name.as_ref(), flags, Mode::empty())?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a regular file, found something else")),
        }
    }

    /// Makes a file, which must not be there, to read and write.
    ///
    /// # Errors
    /// Something of that name is there; those of making a file.
    pub fn create(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        if let Some((opener, name)) = self.other(name.as_ref()) {
            return opener.create(&name);
        }
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        Ok(openat(&self.fd, name.as_ref(), flags, Mode::from_bits_truncate(0o666))?.into())
    }

    /// Makes a file in place of whatever is there, which is not a directory.
    ///
    /// # Errors
    /// Those of removing and making a file.
    pub fn replace(&self, name: impl AsRef<OsStr>) -> io::Result<File> {
        self.remove(&name)?;
        self.create(name)
    }

    /// Writes a whole file: nobody ever sees a part of it under its name.
    ///
    /// # Errors
    /// Those of writing. What was there before then still is.
    pub fn write(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> io::Result<()> {
        let mut file = self.temporary()?;
        file.file.write_all(bytes)?;
        file.rename(name)
    }

    /// Removes what processes that were killed had not yet given a name.
    ///
    /// # Errors
    /// Those of reading a directory and of removing.
    pub fn sweep(&self) -> io::Result<()> {
        let is_stale = |name: &&OsString| {
            let of = maker(name);
            of.is_some_and(|pid| pid == std::process::id() || !Path::new(&format!("/proc/{pid}")).exists())
        };
        self.names()?.iter().filter(is_stale).try_for_each(|name| self.remove(name))
    }

    /// Makes a file and removes it again.
    ///
    /// # Errors
    /// No file can be made.
    pub fn try_out(&self) -> io::Result<()> {
        self.temporary().map(drop)
    }

    /// A file under a name that nobody uses, until it is renamed.
    pub(super) fn temporary(&self) -> io::Result<Temporary<'_>> {
        if self.served.get().is_none() && confine::is_in_force() {
            return Err(Errno::EACCES.into());
        }
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{TEMPORARY}{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        // that of a process of the same number, which was killed
        let file = self.replace(&name)?;
        Ok(Temporary { folder: self, name: Some(name), file })
    }

    /// Gives a file another name, in place of what may have that.
    ///
    /// # Errors
    /// Those of renaming.
    pub fn rename(&self, from: impl AsRef<OsStr>, to: impl AsRef<OsStr>) -> io::Result<()> {
        if let (Some((opener, from)), Some((_, to))) = (self.other(from.as_ref()), self.other(to.as_ref())) {
            return opener.rename(&from, &to);
        }
        Ok(renameat(&self.fd, from.as_ref(), &self.fd, to.as_ref())?)
    }

    /// Removes what is no directory, if it is there.
    ///
    /// # Errors
    /// Those of removing.
    pub fn remove(&self, name: impl AsRef<OsStr>) -> io::Result<()> {
        if let Some((opener, name)) = self.other(name.as_ref()) {
            return opener.remove(&name);
        }
        match unlinkat(&self.fd, name.as_ref(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether what another user has put here is not to be trusted: the rule of `fs.protected_symlinks` and its like (proc(5)), which not
    /// every machine has switched on.
    fn is_trap(&self, found: &FileStat) -> io::Result<bool> {
        let here = fstat(&self.fd)?;
        let shared = here.st_mode & 0o1002 == 0o1002;
        Ok(shared && found.st_uid != geteuid().as_raw() && found.st_uid != here.st_uid)
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether longwire calls a file so until it has its name.
pub fn is_temporary(name: &OsStr) -> bool {
    maker(name).is_some()
}

/// The process that made a file under such a name.
fn maker(name: &OsStr) -> Option<u32> {
    let (pid, number) = name.to_str()?.strip_prefix(TEMPORARY)?.split_once('-')?;
    number.parse::<u32>().ok().and_then(|_| pid.parse().ok())
}

/// A file that goes away unless it gets its name.
#[derive(Debug)]
pub(super) struct Temporary<'a> {
    folder: &'a Folder,
    name: Option<String>,
    pub(super) file: File,
}

impl Temporary<'_> {
    pub(super) fn rename(mut self, to: impl AsRef<OsStr>) -> io::Result<()> {
        self.try_rename(to)
    }

    pub(super) fn try_rename(&mut self, to: impl AsRef<OsStr>) -> io::Result<()> {
        let Some(name) = &self.name else { return Ok(()) };
        self.folder.rename(name, to)?;
        self.name = None;
        Ok(())
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if let Some(name) = &self.name {
            // something else has failed, which is told
            let _ = self.folder.remove(name);
        }
    }
}

/// Follows a path to the directory and the name that it means. Links are followed, as people make them, but not those which another user
/// has put into a directory that everybody may write to; other files there of other users are refused too.
pub(super) fn locate(path: &Path) -> io::Result<Located> {
    let mut path = path.to_owned();
    let mut at: Option<Folder> = None;
    for _ in 0..LINKS {
        let (parent, name) = match path.file_name() {
            Some(name) => (path.parent().unwrap_or(Path::new("")), name),
            // `/`, `..`
            None => (path.as_path(), OsStr::new(".")),
        };
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let folder = Folder::of(match &at {
            Some(at) => openat(&at.fd, parent, flags, Mode::empty())?,
            None => openat(AT_FDCWD, parent, flags, Mode::empty())?,
        });
        let name = name.to_owned();
        let magic = fstatfs(&folder.fd)?.filesystem_type() == PROC_SUPER_MAGIC;
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let seen = match openat(&folder.fd, name.as_os_str(), flags, Mode::empty()) {
            Err(Errno::ENOENT) => return Ok(Located { folder, name, found: None, magic }),
            seen => seen?,
        };
        let found = fstat(&seen)?;
        let kind = SFlag::from_bits_truncate(found.st_mode & SFlag::S_IFMT.bits());
        if magic || kind == SFlag::S_IFDIR {
            return Ok(Located { folder, name, found: Some(found), magic });
        }
        if folder.is_trap(&found)? {
            let text = format!("it belongs to user {}, in a directory that everybody may write to", found.st_uid);
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        if kind != SFlag::S_IFLNK {
            return Ok(Located { folder, name, found: Some(found), magic });
        }
        path = PathBuf::from(readlinkat(&seen, "")?);
        at = Some(folder);
    }
    Err(Errno::ELOOP.into())
}

/// Copies all directories and regular files, which take the place of files of their names. Other kinds are left out, and returned; `skip`
/// are names at the top that are not looked at.
///
/// # Errors
/// Those of reading and writing.
pub fn copy(from: &Folder, to: &Folder, skip: &[&str]) -> io::Result<Vec<PathBuf>> {
    let mut left_out = Vec::new();
    for name in from.names()?.into_iter().filter(|name| !skip.iter().any(|skip| name == skip)) {
        let Some(seen) = from.look(&name)? else { continue };
        match SFlag::from_bits_truncate(seen.st_mode & SFlag::S_IFMT.bits()) {
            SFlag::S_IFDIR => {
                let inside = copy(&from.directory(&name)?, &to.inside(&name)?, &[])?;
                left_out.extend(inside.into_iter().map(|path| Path::new(&name).join(path)));
            }
            SFlag::S_IFREG => {
                let mut file = from.read(&name)?;
                let mut copy = to.temporary()?;
                io::copy(&mut file, &mut copy.file)?;
                let bits = file.metadata()?.mode() & 0o777;
                let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(bits);
                copy.file.set_permissions(mode)?;
                copy.rename(&name)?;
            }
            _ => left_out.push(name.into()),
        }
    }
    Ok(left_out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn a_whole_file_takes_the_place_of_a_link_and_nothing_is_left_of_it_if_it_fails() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::write(at("victim"), "precious").unwrap();
        fs::create_dir(at("out")).unwrap();
        symlink(at("victim"), at("out/report")).unwrap();
        let folder = Folder::make(&at("out")).unwrap();
        folder.write("report", b"new").unwrap();
        assert_eq!(fs::read_to_string(at("victim")).unwrap(), "precious");
        assert_eq!(fs::read_to_string(at("out/report")).unwrap(), "new");
        assert!(fs::symlink_metadata(at("out/report")).unwrap().is_file());
        fs::create_dir(at("out/taken")).unwrap();
        assert!(folder.write("taken", b"x").is_err());
        assert_eq!(folder.names().unwrap(), ["report", "taken"]);
    }

    #[test]
    fn links_are_not_followed_inside() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir(at("elsewhere")).unwrap();
        fs::write(at("elsewhere/secret"), "s").unwrap();
        let folder = Folder::make(&at("out/deep")).unwrap();
        symlink(at("elsewhere"), at("out/deep/programs")).unwrap();
        symlink(at("elsewhere/secret"), at("out/deep/log")).unwrap();
        assert!(folder.inside("programs").is_err() && folder.read("log").is_err() && folder.create("log").is_err());
        folder.replace("log").unwrap();
        assert_eq!(fs::read_to_string(at("elsewhere/secret")).unwrap(), "s");
        nix::unistd::mkfifo(&at("out/deep/fifo"), Mode::S_IRWXU).unwrap();
        assert!(folder.read("fifo").is_err(), "and it does not wait");
    }

    #[test]
    fn a_path_may_lead_over_links_and_round_is_an_error() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        fs::create_dir_all(at("real/out")).unwrap();
        symlink("real/out", at("link")).unwrap();
        symlink("link", at("link2")).unwrap();
        symlink("round", at("round")).unwrap();
        Folder::make(&at("link2")).unwrap().write("f", b"x").unwrap();
        assert!(at("real/out/f").is_file());
        assert_eq!(locate(&at("round")).unwrap_err().raw_os_error(), Some(libc::ELOOP));
        assert!(Folder::make(Path::new(".")).is_ok() && Folder::open(Path::new("/")).is_ok());
        assert!(Folder::make(&at("link/..")).is_ok());
    }

    #[test]
    fn what_others_put_into_a_shared_directory_is_no_way() {
        let place = tempfile::tempdir().unwrap();
        let shared = place.path().join("tmp");
        fs::create_dir(&shared).unwrap();
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
        symlink("/etc", shared.join("out")).unwrap();
        assert!(locate(&shared.join("out")).is_ok(), "one's own is");
        if !geteuid().is_root() {
            return;
        }
        let stranger = Some(nix::unistd::Uid::from_raw(65_534));
        let give = |name: &str| {
            nix::unistd::fchownat(AT_FDCWD, &shared.join(name), stranger, None, AtFlags::AT_SYMLINK_NOFOLLOW).unwrap();
        };
        give("out");
        let refused = |name: &str| locate(&shared.join(name)).unwrap_err().to_string();
        assert_eq!(refused("out"), "it belongs to user 65534, in a directory that everybody may write to");
        fs::write(shared.join("report.json"), "").unwrap();
        give("report.json");
        assert!(refused("report.json").contains("user 65534"));
        // in a directory of that user's own it is that user's matter
        let own = place.path().join("home");
        fs::create_dir(&own).unwrap();
        fs::write(own.join("f"), "").unwrap();
        nix::unistd::chown(&own.join("f"), stranger, None).unwrap();
        assert!(locate(&own.join("f")).is_ok());
    }

    #[test]
    fn what_is_no_file_is_not_copied_and_named() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| from.path().join(name);
        fs::create_dir(at("programs")).unwrap();
        fs::write(at("programs/a.log"), "a").unwrap();
        fs::write(at("skipped"), "").unwrap();
        fs::write(at("script"), "s").unwrap();
        fs::set_permissions(at("script"), fs::Permissions::from_mode(0o750)).unwrap();
        symlink("/etc/passwd", at("programs/link")).unwrap();
        nix::unistd::mkfifo(&at("fifo"), Mode::S_IRWXU).unwrap();
        symlink(from.path(), to.path().join("script")).unwrap();
        let left_out =
            copy(&Folder::open(from.path()).unwrap(), &Folder::open(to.path()).unwrap(), &["skipped"]).unwrap();
        assert_eq!(left_out, [Path::new("fifo"), Path::new("programs/link")]);
        assert_eq!(fs::read_to_string(to.path().join("programs/a.log")).unwrap(), "a");
        let script = fs::symlink_metadata(to.path().join("script")).unwrap();
        assert!(script.is_file() && script.mode() & 0o777 == 0o750);
        assert_eq!(Folder::open(to.path()).unwrap().names().unwrap(), ["programs", "script"]);
    }
}

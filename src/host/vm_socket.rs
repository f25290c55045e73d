//! Unix sockets on which virtual machines are waited for: made for the caller alone, taken away with the run.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, lchown};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, UnixAddr, connect, recv};
use nix::sys::stat::{Mode, umask};

use super::error::{Cause, HostError};
use super::identity::Identity;
use super::peer::Credentials;
use super::presence::Seen;
use crate::port::stream::StreamPort;

/// A socket's name in the file system. Dropped, it is taken away, unless something else stands there by then.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    made: (u64, u64),
}

impl SocketFile {
    /// Listens at `path`, for `user` alone. A socket there on which nobody listens any more is replaced; nothing else is.
    pub(crate) fn listen(path: &Path, user: &Identity) -> Result<(OwnedFd, SocketFile), HostError> {
        SocketFile::make(path, user, |path| {
            let listener = UnixListener::bind(path)?;
            listener.set_nonblocking(true)?;
            Ok(listener.into())
        })
    }

    /// The same for datagrams.
    pub(crate) fn hear(path: &Path, user: &Identity) -> Result<(OwnedFd, SocketFile), HostError> {
        SocketFile::make(path, user, |path| {
            let socket = UnixDatagram::bind(path)?;
            socket.set_nonblocking(true)?;
            Ok(socket.into())
        })
    }

    fn make(
        path: &Path,
        user: &Identity,
        bind: impl FnOnce(&Path) -> io::Result<OwnedFd>,
    ) -> Result<(OwnedFd, SocketFile), HostError> {
        let doing = || format!("listen on {}", path.display());
        if let Ok(found) = fs::symlink_metadata(path) {
            if !found.file_type().is_socket() {
                return Err(HostError::input(doing(), "something that is no socket stands there")
                    .cure("name a path where nothing is, or take that file away"));
            }
            if !is_unused(path) {
                return Err(HostError::input(doing(), "a socket that is in use stands there")
                    .cure("end that program, or name another path"));
            }
            fs::remove_file(path)
                .map_err(|e| HostError::os(format!("replace the old socket {}", path.display()), e))?;
        }
        // Nobody else may connect before the mode is set. This process has one thread.
        let before = umask(Mode::from_bits_truncate(0o177));
        let socket = bind(path);
        umask(before);
        let socket = socket.map_err(|error| {
            let missing = error.kind() == io::ErrorKind::NotFound;
            let error = HostError::os(doing(), error);
            if missing { HostError { cause: Cause::Input, ..error }.cure("make its directory first") } else { error }
        })?;
        let made = fs::symlink_metadata(path).map_err(|e| HostError::os(doing(), e))?;
        let file = SocketFile { path: path.to_owned(), made: (made.dev(), made.ino()) };
        if made.uid() != user.uid && !user.nested {
            lchown(path, Some(user.uid), Some(user.gid)).map_err(|e| HostError::os(doing(), e))?;
        }
        debug_assert_eq!(made.permissions().mode() & 0o777, 0o600);
        Ok((socket, file))
    }
}

/// Whether nobody has a socket open any more: one of another kind than a stream's that somebody has says EPROTOTYPE.
fn is_unused(path: &Path) -> bool {
    UnixStream::connect(path).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Removes a socket on which nobody listens any more. What is no socket stays.
///
/// # Errors
/// Somebody listens; those of removing.
pub(super) fn remove_unused(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Ok(()),
        Ok(_) if is_unused(path) => fs::remove_file(path),
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let is_ours = |found: fs::Metadata| (found.dev(), found.ino()) == self.made;
        if fs::symlink_metadata(&self.path).is_ok_and(is_ours) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// What stands at a path, opened for nothing but to be reached: also when something else stands there by then.
fn reach(path: &Path) -> io::Result<(UnixAddr, fs::Metadata, File)> {
    let file = File::options().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(path)?;
    let address = UnixAddr::new(format!("/proc/self/fd/{}", file.as_raw_fd()).as_str())?;
    Ok((address, file.metadata()?, file))
}

/// The socket of a virtual machine that joins by datagrams, if it has it open. The number of a file that is gone may be given to
/// the next one, so its time counts too.
pub(crate) fn machine_at(path: &Path) -> Option<Seen> {
    let (address, found, _open) = reach(path).ok()?;
    let probe = UnixDatagram::unbound().ok()?;
    let there = connect(probe.as_raw_fd(), &address) != Err(Errno::ECONNREFUSED);
    let changed = (found.ctime() as u64).wrapping_mul(1_000_000_000).wrapping_add(found.ctime_nsec() as u64);
    there.then_some((changed, found.ino()))
}

/// Connects a socket of datagrams to that of the virtual machine, so that the kernel lets no other process send to it. `false`
/// where there is no machine.
///
/// # Errors
/// The machine's socket belongs to another user, or cannot be reached.
pub(crate) fn join(socket: &OwnedFd, path: &Path, user: u32) -> Result<bool, HostError> {
    let doing = || format!("send to {}", path.display());
    let Ok((address, found, _open)) = reach(path) else { return Ok(false) };
    if found.uid() != user && found.uid() != 0 {
        return Err(HostError::lacking(doing(), format!("it belongs to user {}", found.uid())));
    }
    // what came before is of nobody who is known
    while recv(socket.as_raw_fd(), &mut [], MsgFlags::MSG_DONTWAIT).is_ok() {}
    match connect(socket.as_raw_fd(), &address) {
        Ok(()) => Ok(true),
        Err(Errno::ECONNREFUSED) => Ok(false),
        Err(errno) => Err(HostError::os(doing(), errno)),
    }
}

/// Who is waited for.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: UnixListener,
    user: u32,
}

/// Somebody who came and was sent away, and why.
pub(crate) type Refused = String;

impl Listener {
    pub(crate) fn new(fd: OwnedFd, user: u32) -> Listener {
        Listener { socket: UnixListener::from(fd), user }
    }

    /// Takes the next connection; `None` where nobody waits.
    ///
    /// # Errors
    /// Somebody came who is neither the run's user nor root.
    pub(crate) fn accept(&self) -> Result<Option<StreamPort>, Refused> {
        use io::ErrorKind::{ConnectionAborted, WouldBlock};
        let stream = match self.socket.accept() {
            Ok((stream, _)) => stream,
            Err(error) if matches!(error.kind(), WouldBlock | ConnectionAborted) => return Ok(None),
            Err(error) => return Err(format!("a connection could not be accepted: {error}")),
        };
        match Credentials::of(&stream) {
            Ok(peer) if peer.uid == self.user || peer.are_trusted() => {}
            Ok(peer) => return Err(format!("a connection of user {} was refused", peer.uid)),
            Err(error) => return Err(format!("a connection was refused: {error}")),
        }
        StreamPort::new(stream).map(Some).map_err(|error| format!("a connection could not be used: {error}"))
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user() -> Identity {
        Identity::caller(false).unwrap()
    }

    #[test]
    fn a_socket_is_the_users_alone_and_goes_with_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm.sock");
        let (fd, file) = SocketFile::listen(&path, &user()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let listener = Listener::new(fd, user().uid);
        assert!(listener.accept().unwrap().is_none());
        let _vm = UnixStream::connect(&path).unwrap();
        assert!(listener.accept().unwrap().is_some());
        let error = SocketFile::listen(&path, &user()).unwrap_err().to_string();
        assert!(error.contains("a socket that is in use"), "{error}");
        drop(file);
        assert!(!path.exists());
    }

    /// Such as /dev/log.
    #[test]
    fn a_socket_of_another_kind_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.sock");
        let _log = UnixDatagram::bind(&path).unwrap();
        let error = SocketFile::listen(&path, &user()).unwrap_err();
        assert!(error.cause == Cause::Input && path.exists(), "{error}");
    }

    #[test]
    fn datagrams_come_from_the_machine_that_was_joined_and_from_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let [path, own] = ["vm.sock", "vm.sock.vm"].map(|name| folder.path().join(name));
        let uid = user().uid;
        let (fd, file) = SocketFile::hear(&path, &user()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let join = || join(&fd, &own, uid).unwrap();
        assert!(machine_at(&own).is_none() && !join(), "there is no machine");
        let stranger = UnixDatagram::unbound().unwrap();
        stranger.send_to(b"early", &path).unwrap();
        let machine = UnixDatagram::bind(&own).unwrap();
        let seen = machine_at(&own);
        assert!(seen.is_some() && machine_at(&own) == seen && join());
        let ours = UnixDatagram::from(fd.try_clone().unwrap());
        let mut buffer = [0; 16];
        assert!(ours.recv(&mut buffer).is_err(), "what came before is gone");
        assert_eq!(stranger.send_to(b"late", &path).unwrap_err().kind(), io::ErrorKind::PermissionDenied);
        machine.send_to(b"in", &path).unwrap();
        ours.send(b"out").unwrap();
        assert_eq!((ours.recv(&mut buffer).unwrap(), machine.recv(&mut buffer).unwrap()), (2, 3));
        // it ends, its file stays, and another takes its place
        drop(machine);
        assert!(machine_at(&own).is_none() && !join() && own.exists());
        fs::remove_file(&own).unwrap();
        // files have the time of the last tick
        std::thread::sleep(std::time::Duration::from_millis(20));
        let machine = UnixDatagram::bind(&own).unwrap();
        assert!(machine_at(&own).is_some() && machine_at(&own) != seen && join());
        machine.send_to(b"in", &path).unwrap();
        assert_eq!(ours.recv(&mut buffer).unwrap(), 2);
        assert_eq!(super::join(&fd, &own, uid + 1).is_ok(), uid == 0, "root's alone may be another user's");
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn what_nobody_listens_on_is_removed_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let [socket, log, file] = ["vm.sock", "log.sock", "notes"].map(|name| folder.path().join(name));
        let listener = UnixListener::bind(&socket).unwrap();
        let _log = UnixDatagram::bind(&log).unwrap();
        fs::write(&file, "mine").unwrap();
        assert!(remove_unused(&socket).is_err() && socket.exists(), "somebody listens");
        drop(listener);
        for path in [&socket, &log, &file] {
            let _ = remove_unused(path);
        }
        assert_eq!([&socket, &log, &file].map(|path| path.exists()), [false, true, true]);
        assert!(remove_unused(&socket).is_ok(), "it is gone");
    }

    #[test]
    fn an_old_socket_is_replaced_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vm.sock");
        drop(UnixListener::bind(&path).unwrap());
        let (_fd, file) = SocketFile::listen(&path, &user()).unwrap();
        // somebody else's by now: it stays
        fs::remove_file(&path).unwrap();
        fs::write(&path, "a file").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a file");
        let error = SocketFile::listen(&path, &user()).unwrap_err();
        assert!(error.cause == Cause::Input && error.to_string().contains("no socket"), "{error}");
        let nowhere = SocketFile::listen(&folder.path().join("none/vm.sock"), &user()).unwrap_err();
        assert!(nowhere.cause == Cause::Input, "{nowhere}");
    }
}

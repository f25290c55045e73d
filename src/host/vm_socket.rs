//! Unix sockets on which virtual machines are waited for: made for the caller alone, taken away with the run.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};

use super::error::{Cause, HostError};
use super::identity::Identity;
use super::peer::Credentials;
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
        let listener = UnixListener::bind(path);
        umask(before);
        let listener = listener.map_err(|error| {
            let missing = error.kind() == io::ErrorKind::NotFound;
            let error = HostError::os(doing(), error);
            if missing { HostError { cause: Cause::Input, ..error }.cure("make its directory first") } else { error }
        })?;
        let made = fs::symlink_metadata(path).map_err(|e| HostError::os(doing(), e))?;
        let file = SocketFile { path: path.to_owned(), made: (made.dev(), made.ino()) };
        if made.uid() != user.uid && !user.nested {
            lchown(path, Some(user.uid), Some(user.gid)).map_err(|e| HostError::os(doing(), e))?;
        }
        listener.set_nonblocking(true).map_err(|e| HostError::os(doing(), e))?;
        debug_assert_eq!(made.permissions().mode() & 0o777, 0o600);
        Ok((listener.into(), file))
    }
}

/// Whether nobody listens on a socket any more. Nothing but a stream socket refuses so: one of another kind says EPROTOTYPE.
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
    use std::os::unix::net::UnixDatagram;

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

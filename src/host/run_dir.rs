//! The socket by which programs in a host reach their run, in the host's own /run/longwire.
//!
//! Abstract sockets end at the network namespace, so a host needs one in its file system. It goes with the host's mounts.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

/// Where a host's socket is: `NAME.sock`, after the run's name.
pub const RUN_DIR: &str = "/run/longwire";

/// Listens on the socket of the run `name` in the /run/longwire of this process's mount namespace. Anybody in the host may
/// connect; the run looks at who it is.
pub(crate) fn listen(name: &str) -> io::Result<OwnedFd> {
    let path = Path::new(RUN_DIR).join(format!("{name}.sock"));
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o666))?;
    listener.set_nonblocking(true)?;
    Ok(listener.into())
}

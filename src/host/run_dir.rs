//! Each host's own /run/longwire, with the socket that programs in it reach their run by.
//!
//! Abstract sockets end at the network namespace, so a host needs one in its file system. It goes with the host's mounts.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// Where a host's socket is: `NAME.sock`, after the run's name.
pub const RUN_DIR: &str = "/run/longwire";

const NONE: Option<&str> = None;

/// Gives this process's mount namespace a /run/longwire of its own, empty; `false` where that cannot be. All else in /run
/// stays the machine's.
pub(crate) fn private_run_dir() -> bool {
    (Path::new(RUN_DIR).is_dir() || make_room().is_ok()) && own_tmpfs(RUN_DIR).is_ok()
}

/// Listens on the socket of the run `name` in the /run/longwire of this process's mount namespace. Anybody in the host may
/// connect; the run looks at who it is.
pub(crate) fn listen(name: &str) -> io::Result<OwnedFd> {
    let path = Path::new(RUN_DIR).join(format!("{name}.sock"));
    let listener = UnixListener::bind(&path)?;
    fs::set_permissions(&path, Permissions::from_mode(0o666))?;
    listener.set_nonblocking(true)?;
    Ok(listener.into())
}

fn own_tmpfs(place: &str) -> nix::Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), place, Some("tmpfs"), flags, Some("mode=755"))
}

/// Puts a directory in the place of /run that holds the same, and an empty `longwire`: a place to mount at, which the
/// machine does not have and must not be left with.
fn make_room() -> io::Result<()> {
    const RUN: &str = "/run";
    const STAGE: &str = "/tmp";
    own_tmpfs(STAGE)?;
    let copied = copy_tree(Path::new(RUN), Path::new(STAGE))
        .and_then(|()| fs::create_dir(Path::new(STAGE).join("longwire")))
        .and_then(|()| {
            let all = MsFlags::MS_BIND | MsFlags::MS_REC;
            mount(Some(STAGE), RUN, NONE, all, NONE).map_err(io::Error::from)
        });
    // What was bound to /run stays there; the rest leaves the tree, and with it /tmp is as before.
    umount2(STAGE, MntFlags::MNT_DETACH)?;
    copied
}

/// Makes each entry of `from` in `to` as well: the same file or directory, with what is mounted in it, or the same link.
fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            symlink(fs::read_link(&old)?, &new)?;
            continue;
        }
        if kind.is_dir() {
            fs::create_dir(&new)?;
        } else {
            File::create(&new)?;
        }
        match mount(Some(&old), &new, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE) {
            // gone meanwhile, as files in /run go
            Err(nix::Error::ENOENT) if kind.is_dir() => fs::remove_dir(&new)?,
            Err(nix::Error::ENOENT) => fs::remove_file(&new)?,
            other => other?,
        }
    }
    Ok(())
}

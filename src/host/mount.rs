//! A host's own view of the file system: its names in /etc/hosts, its interfaces in /sys, its processes in /proc.
//!
//! Sources: mount_namespaces(7), mount(2).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::error::HostError;

const NONE: Option<&str> = None;

/// Cuts this process's new mount namespace off: what is mounted in it is seen nowhere else. What the machine mounts or
/// unmounts later still arrives, so a run does not keep a stick or a share busy.
pub(crate) fn isolate() -> Result<(), HostError> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE)
        .map_err(|e| HostError::user_namespace("cut the mount namespace off from the machine's", e))
}

/// A /proc that shows the run's own processes. A container that masks parts of /proc forbids it, and the machine's /proc
/// then stays: `ps` shows more than it should, everything else works.
pub(crate) fn fresh_proc() -> bool {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, NONE).is_ok()
}

/// A /sys that shows the interfaces of the network namespace that this process is in, /sys/fs/cgroup kept. Where a
/// container forbids it, the machine's stays.
pub(crate) fn fresh_sys() -> bool {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    let had_cgroups = Path::new("/sys/fs/cgroup/cgroup.procs").exists();
    if mount(Some("sysfs"), "/sys", Some("sysfs"), flags, NONE).is_err() {
        return false;
    }
    // Runtimes read their limits of memory and processors there; only the unified hierarchy can be mounted afresh.
    if had_cgroups {
        let _ = mount(Some("cgroup2"), "/sys/fs/cgroup", Some("cgroup2"), flags, NONE);
    }
    true
}

/// Where names and their addresses stand.
pub(crate) const HOSTS: &str = "/etc/hosts";
/// What glibc's getaddrinfo goes by (gai.conf(5)).
pub(crate) const ADDRESS_SELECTION: &str = "/etc/gai.conf";

/// Puts `text` in the place of /etc/hosts, in this process's mount namespace only.
pub(crate) fn replace_hosts_file(text: &str) -> Result<(), HostError> {
    replace_file(HOSTS, text)
}

/// Puts `text` in the place of a file of /etc, in this process's mount namespace only.
pub(crate) fn replace_file(target: &str, text: &str) -> Result<(), HostError> {
    const STAGE: &str = "/tmp";
    let doing = format!("give a host its own {target}");
    if !Path::new(target).exists() {
        return Err(HostError::lacking(&doing, format!("{target} does not exist, so nothing can be mounted over it"))
            .cure(format!("make an empty one: `sudo touch {target}`")));
    }
    if !Path::new(STAGE).is_dir() {
        return Err(HostError::lacking(&doing, "/tmp does not exist, and the file is staged there for a moment")
            .cure("make it: `sudo mkdir -m 1777 /tmp`"));
    }
    let failed = |e: nix::Error| HostError::user_namespace(&doing, e);
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), STAGE, Some("tmpfs"), flags, Some("mode=755,nr_inodes=16")).map_err(failed)?;
    let file = Path::new(STAGE).join("file");
    let placed = fs::write(&file, text)
        // Everybody reads it, whatever the caller's umask.
        .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o644)))
        .map_err(|e| HostError::os(&doing, e))
        .and_then(|()| mount(Some(&file), target, NONE, MsFlags::MS_BIND, NONE).map_err(failed));
    // The file stays where it is bound to; the rest of the tmpfs leaves the tree, and with it /tmp is as before.
    umount2(STAGE, MntFlags::MNT_DETACH).map_err(failed)?;
    placed
}

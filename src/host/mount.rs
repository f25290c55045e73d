//! Mounts: this process's own mount namespace, /proc and /sys of its own, and single mounts by their purpose.
//!
//! Sources: mount_namespaces(7), mount(2).

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statvfs::{FsFlags, statvfs};

use super::error::HostError;

const NONE: Option<&str> = None;
/// Flags of what holds no programs and no devices.
const DATA: MsFlags = MsFlags::MS_NOSUID.union(MsFlags::MS_NODEV);
/// Flags of file systems that show the kernel's state.
const KERNEL: MsFlags = DATA.union(MsFlags::MS_NOEXEC);

/// Cuts this process's new mount namespace off: what is mounted in it is seen nowhere else. What the machine mounts or
/// unmounts later still arrives, so a run does not keep a stick or a share busy.
pub(crate) fn isolate() -> Result<(), HostError> {
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_SLAVE, NONE)
        .map_err(|e| HostError::user_namespace("cut the mount namespace off from the machine's", e))
}

/// A /proc that shows the run's own processes. A container that masks parts of /proc forbids it, and the machine's /proc
/// then stays: `ps` shows more than it should, everything else works.
pub(crate) fn fresh_proc() -> bool {
    mount(Some("proc"), "/proc", Some("proc"), KERNEL, NONE).is_ok()
}

/// A /sys that shows the interfaces of the network namespace that this process is in. What else is mounted there is kept:
/// runtimes read their limits of memory and processors in /sys/fs/cgroup, which has one mount for each controller in
/// version 1. Where a container forbids a /sys, the machine's stays.
pub(crate) fn fresh_sys() -> bool {
    let kept: Vec<(String, File)> = mounts_below("/sys")
        .into_iter()
        .filter_map(|path| Some((path.clone(), handle(Path::new(&path)).ok()?)))
        .collect();
    if mount(Some("sysfs"), "/sys", Some("sysfs"), KERNEL, NONE).is_err() {
        return false;
    }
    for (path, handle) in kept {
        // What the fresh /sys has no folder for is not shown.
        let _ = mount(Some(&*by_descriptor(&handle)), &*path, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE);
    }
    true
}

/// All mount points below a folder.
pub(crate) fn all_below(folder: &str) -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = text.lines().filter_map(|line| line.split(' ').nth(4));
    points.filter(|path| is_below(path, folder)).map(str::to_owned).collect()
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// The mount points below a folder that are below no other one.
fn mounts_below(folder: &str) -> Vec<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    outermost(&text, folder)
}

/// As [`mounts_below`], from proc_pid_mountinfo(5), whose fifth field is the mount point.
fn outermost(mountinfo: &str, folder: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut paths: Vec<&str> = mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    paths.sort_unstable();
    for path in paths.into_iter().filter(|path| is_below(path, folder)) {
        if found.last().is_none_or(|last| last != path && !is_below(path, last)) {
            found.push(path.to_owned());
        }
    }
    found
}

/// A handle on a place, whatever is mounted over it later. A symbolic link is the place itself.
pub(crate) fn handle(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW | libc::O_CLOEXEC).open(path)
}

fn by_descriptor(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Mounts an empty tmpfs with these permissions.
pub(crate) fn empty(at: &Path, mode: u32) -> nix::Result<()> {
    mount(Some("tmpfs"), at, Some("tmpfs"), DATA, Some(&*format!("mode={mode:o}")))
}

/// Shows a file or a folder, with all that is mounted in it, at a second place too.
pub(crate) fn bind(from: &Path, to: &Path) -> nix::Result<()> {
    mount(Some(from), to, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE)
}

/// Shows what a handle leads to, as it is mounted there, at a second place too.
pub(crate) fn bind_handle(from: &File, to: &Path) -> nix::Result<()> {
    bind(Path::new(&by_descriptor(from)), to)
}

/// Lets nobody write through the mount at a place. Its other flags stay: a less privileged mount namespace may not clear them.
/// Those about access times stay by themselves where a remount names none of them (mount(2)).
pub(crate) fn read_only(at: &Path) -> nix::Result<()> {
    let has = statvfs(at)?.flags();
    let kept = [
        (FsFlags::ST_NOSUID, MsFlags::MS_NOSUID),
        (FsFlags::ST_NODEV, MsFlags::MS_NODEV),
        (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC),
    ];
    let kept = kept.into_iter().filter(|(flag, _)| has.contains(*flag)).map(|(_, flag)| flag);
    let flags = kept.fold(MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY, MsFlags::union);
    mount(NONE, at, NONE, flags, NONE)
}

/// Puts a file in the place of another. In the place of a symbolic link, not of what it leads to: otherwise a program that
/// renames another file to that name would replace the link.
pub(crate) fn replace_file(with: &Path, at: &Path) -> io::Result<()> {
    let link = at.symlink_metadata()?.is_symlink();
    if link && let Ok(()) = bind(with, Path::new(&by_descriptor(&handle(at)?))) {
        return Ok(());
    }
    Ok(bind(with, at)?)
}

/// Takes the mount at a place out of the tree. What is bound elsewhere stays there.
pub(crate) fn detach(at: &Path) -> nix::Result<()> {
    umount2(at, MntFlags::MNT_DETACH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_in_mounts_are_not_listed() {
        let text = "\
23 27 0:22 / /sys rw,relatime - sysfs sysfs rw
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu
33 23 0:30 / /sys/fs/bpf rw - bpf bpf rw
34 33 0:31 / /sys/fs/bpf rw - bpf bpf rw
35 27 0:32 / /system rw - tmpfs tmpfs rw
";
        assert_eq!(outermost(text, "/sys"), ["/sys/fs/bpf", "/sys/fs/cgroup"]);
        assert_eq!(outermost("", "/sys"), [""; 0]);
    }
}

//! What of the kernel's own files root in a host may not write.
//!
//! Root in a host is the machine's user 0 without its capabilities, so what a file's owner may do it still may: and user 0
//! owns /proc/sys, /proc/sysrq-trigger, /sys and the trees of cgroups, where a write changes the whole machine. So they are
//! read-only in hosts, but for /proc/sys/net, which is each network namespace's own. Set up in a mount namespace that does
//! not belong to the host, and then copied into one that does, this cannot be undone (mount_namespaces(7), "Restrictions").

use std::path::Path;

use nix::errno::Errno;

use super::error::HostError;
use super::mount;

/// Files and folders of /proc through which a machine is changed: those that container runtimes protect too.
const IN_PROC: &[&str] = &[
    "/proc/sys",
    "/proc/sysrq-trigger",
    "/proc/irq",
    "/proc/bus",
    "/proc/fs",
    "/proc/acpi",
    "/proc/scsi",
    "/proc/driver",
];

/// Settings of the network namespace.
const NETWORK: &str = "/proc/sys/net";

/// Guards /proc and /sys of this process's mount namespace.
pub(crate) fn set_up() -> Result<(), HostError> {
    let doing = "keep a host's programs from changing the kernel's settings";
    let failed = |e| HostError::os(doing, e);
    let network = mount::handle(Path::new(NETWORK)).ok();
    for path in IN_PROC.iter().map(Path::new).filter(|path| path.exists()) {
        mount::bind(path, path).map_err(failed)?;
        mount::read_only(path).map_err(failed)?;
    }
    if let Some(network) = &network {
        mount::bind_handle(network, Path::new(NETWORK)).map_err(failed)?;
    }
    for path in std::iter::once("/sys".to_owned()).chain(mount::all_below("/sys")) {
        match mount::read_only(Path::new(&path)) {
            // It is mounted in a /sys that another one hides.
            Err(Errno::ENOENT) => {}
            other => other.map_err(failed)?,
        }
    }
    Ok(())
}

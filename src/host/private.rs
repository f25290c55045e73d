//! What a host has to itself of the file system. Everything else is the machine's.
//!
//! Nothing is made on the machine's own file system: where a mount point is missing, the folder around it is the host's own
//! and shows the machine's entries (/run), or the host does without.

use std::fs::{self, DirEntry, File};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use super::error::HostError;
use super::mount;
use crate::addressing::network::{HostPlan, HostsFile};

/// Folders of a host's own /run, empty at the start, with their permissions.
const RUN_FOLDERS: &[(&str, u32)] = &[("netns", 0o755), ("longwire", 0o755), ("lock", 0o1777)];

/// Entries of the machine's /run that a host does not see, by how they begin: state of DHCP clients, and the resolvers
/// that would answer with the machine's names.
const HIDDEN_IN_RUN: &[&str] =
    &["dhclient", "dhcpcd", "udhcpc", "resolvconf", "NetworkManager", "nscd", "avahi-daemon"];

/// Folders with the state of DHCP and of resolvers, where the machine has them.
const STATE_FOLDERS: &[&str] = &[
    "/run/systemd/resolve",
    "/run/systemd/netif",
    "/var/lib/dhcp",
    "/var/lib/dhclient",
    "/var/lib/dhcpcd",
    "/var/lib/dhcpcd5",
    "/var/db/dhcpcd",
    "/var/lib/dnsmasq",
    "/var/lib/misc",
    "/var/lib/NetworkManager",
];

/// Where things are made before they are put into their places.
const STAGE: &str = "/tmp";

/// Gives this process's mount namespace all that the plan's host has to itself.
pub(crate) fn make(plan: &HostPlan) -> Result<(), HostError> {
    let servers = plan.dns.iter().map(|server| format!("nameserver {server}\n")).collect();
    let mut texts = names(&plan.hosts_file);
    texts.extend([("hostname", format!("{}\n", plan.name)), ("resolv.conf", servers)]);
    staged(|stage| {
        run(stage)?;
        texts.iter().try_for_each(|(name, text)| file(stage, name, text))
    })?;
    for folder in STATE_FOLDERS.iter().map(Path::new).filter(|folder| folder.is_dir()) {
        empty_over(folder).map_err(|e| HostError::os(format!("give a host its own {}", folder.display()), e))?;
    }
    plan.private.iter().try_for_each(|path| asked_for(Path::new(path)))
}

/// The files by which a host's names have addresses. IPv4 comes first where IPv6 would go around a NAT: where glibc's
/// resolver cannot be told so, because its file is not there, names do not lead to such addresses at all.
fn names(plan: &HostsFile) -> Vec<(&'static str, String)> {
    match plan.address_selection() {
        None => vec![("hosts", plan.text())],
        Some(rules) if Path::new("/etc/gai.conf").exists() => vec![("hosts", plan.text()), ("gai.conf", rules)],
        Some(_) => vec![("hosts", plan.text_by_ipv4())],
    }
}

/// Puts `text` in the place of /etc/hosts, and nothing more.
pub(crate) fn hosts_file(text: &str) -> Result<(), HostError> {
    staged(|stage| file(stage, "hosts", text))
}

/// Works with an empty file system, which then leaves the tree: what it holds stays where it was bound to.
fn staged(work: impl FnOnce(&Path) -> Result<(), HostError>) -> Result<(), HostError> {
    let doing = "make what a host has to itself";
    let stage = Path::new(STAGE);
    if !stage.is_dir() {
        return Err(HostError::lacking(doing, "/tmp does not exist, and things are staged there for a moment")
            .cure("make it: `sudo mkdir -m 1777 /tmp`"));
    }
    mount::empty(stage, 0o755).map_err(|e| HostError::user_namespace(doing, e))?;
    let done = work(stage);
    mount::detach(stage).map_err(|e| HostError::user_namespace(doing, e))?;
    done
}

/// A /run of the host's own, in which the machine's entries stand as they are now. So a program's socket, lock or number
/// of a process that it puts there is the host's, and the machine's sockets can be reached.
fn run(stage: &Path) -> Result<(), HostError> {
    let doing = "give a host its own /run";
    let at = Path::new("/run");
    if !at.is_dir() {
        return Err(HostError::lacking(doing, "/run does not exist, so nothing can be mounted over it")
            .cure("make it: `sudo mkdir /run`"));
    }
    let failed = |e: io::Error| HostError::os(doing, e);
    let own = folder(&stage.join("run"), 0o755).map_err(failed)?;
    for entry in fs::read_dir(at).map_err(failed)?.flatten() {
        let name = entry.file_name();
        let hidden = name.to_str().is_some_and(|name| HIDDEN_IN_RUN.iter().any(|start| name.starts_with(start)));
        if !hidden && RUN_FOLDERS.iter().all(|(own, _)| name != *own) {
            // What has vanished by now, or may not be shown, is left out.
            let _ = show(&entry, &own.join(&name));
        }
    }
    for (name, mode) in RUN_FOLDERS {
        folder(&own.join(name), *mode).map_err(failed)?;
    }
    mount::bind(&own, at).map_err(|e| HostError::user_namespace(doing, e))
}

/// Shows an entry of a folder at another place.
fn show(entry: &DirEntry, at: &Path) -> io::Result<()> {
    let kind = entry.file_type()?;
    if kind.is_symlink() {
        return symlink(fs::read_link(entry.path())?, at);
    }
    if kind.is_dir() {
        fs::create_dir(at)?;
        return mount::bind(&entry.path(), at).or_else(|error| fs::remove_dir(at).and(Err(error.into())));
    }
    File::create(at)?;
    mount::bind(&entry.path(), at).or_else(|error| fs::remove_file(at).and(Err(error.into())))
}

/// A file of /etc. One that the machine does not have cannot be replaced, and only what the host needs is missed.
fn file(stage: &Path, name: &str, text: &str) -> Result<(), HostError> {
    let at = Path::new("/etc").join(name);
    let doing = format!("give a host its own {}", at.display());
    if at.symlink_metadata().is_err() {
        if text.is_empty() || name == "hostname" {
            return Ok(());
        }
        let reason = format!("{} does not exist, so nothing can be mounted over it", at.display());
        return Err(HostError::lacking(doing, reason).cure(format!("make an empty one: `sudo touch {}`", at.display())));
    }
    let own = stage.join(name);
    fs::write(&own, text)
        // Everybody reads it, whatever the caller's umask.
        .and_then(|()| fs::set_permissions(&own, fs::Permissions::from_mode(0o644)))
        .and_then(|()| mount::replace_file(&own, &at))
        .map_err(|e| HostError::os(doing, e))
}

/// A folder that the scenario wants to be the host's own.
fn asked_for(path: &Path) -> Result<(), HostError> {
    let doing = format!("make {} private", path.display());
    // Only there is it the host's own folder that gets a new entry.
    if path.parent() == Some(Path::new("/run")) && path.symlink_metadata().is_err() {
        folder(path, 0o755).map_err(|e| HostError::os(&*doing, e))?;
    }
    match fs::metadata(path) {
        Ok(found) if !found.is_dir() => Err(HostError::input(doing, "it is not a folder").cure("name its folder")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(HostError { cause: super::Cause::Input, ..HostError::os(doing, error) }
                .cure(format!("make it on this machine (`mkdir -p {}`), or take it out of `private`", path.display())))
        }
        _ => empty_over(path).map_err(|e| HostError::os(doing, e)),
    }
}

/// Mounts an empty file system over a folder, with the folder's owner and permissions.
fn empty_over(path: &Path) -> io::Result<()> {
    let found = fs::metadata(path)?;
    mount::empty(path, found.mode() & 0o7777)?;
    // A normal user's run can give it to nobody else, and the user is its owner.
    let _ = chown(path, Some(found.uid()), Some(found.gid()));
    Ok(())
}

fn folder(path: &Path, mode: u32) -> io::Result<PathBuf> {
    fs::create_dir(path)?;
    // Whatever the caller's umask.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(path.to_owned())
}

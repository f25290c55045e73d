//! What this machine can do: each thing that a run needs, tried for real in a child of its own.

use std::fs;

use nix::sched::{CloneFlags, unshare};

use super::confine::{self, Rules};
use super::error::HostError;
use super::{helper, identity, mount, namespace, private, sysctl};
use crate::port::tap::{Framing, TapPort};

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What was tried, in a few words.
    pub name: &'static str,
    /// What it is needed for.
    pub purpose: &'static str,
    /// Whether a run works without it.
    pub optional: bool,
    /// What was found, or why it does not work and what cures it.
    pub outcome: Result<String, HostError>,
}

/// Tries everything. This process must have one thread.
pub fn all() -> Vec<Probe> {
    let privileged = namespace::is_privileged();
    let probe = |name, purpose, optional, outcome| Probe { name, purpose, optional, outcome };
    vec![
        probe("user namespace", "the walls of hosts", false, user_namespace()),
        probe("AppArmor", "hosts without root", true, apparmor(privileged)),
        probe("network namespace", "hosts", false, in_new(|| namespace::new_network().map(|_| "can be made".into()))),
        probe("PID namespace", "nothing left behind", false, pid_namespace()),
        probe("mount namespace", "names in /etc/hosts", false, hosts_file()),
        probe("/proc/sys", "settings of hosts", false, settings()),
        probe("TAP", "frames of the hosts", false, tap(|_| Ok("can be opened".into()))),
        probe("confinement", "the engine without rights: seccomp, Landlock", true, confinement()),
        probe("TAP offloads", "speed: super-frames instead of single ones", true, tap(offloads)),
    ]
}

/// Runs `work` in a child that has the rights that init will have.
fn in_new(work: impl FnOnce() -> Result<String, HostError>) -> Result<String, HostError> {
    helper::in_child("try it", || {
        if !namespace::is_privileged() {
            enter_user_namespace()?;
        }
        work().map(|found| (found, Vec::new()))
    })
    .map(|(found, _)| found)
}

fn enter_user_namespace() -> Result<(), HostError> {
    let outside = identity::effective();
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|e| HostError::user_namespace("make a user namespace", e))?;
    identity::map_to_root(outside).map_err(|e| HostError::user_namespace("map this user into a user namespace", e))
}

fn user_namespace() -> Result<String, HostError> {
    helper::in_child("make a user namespace", || {
        enter_user_namespace()?;
        // AppArmor lets it be made and takes its capabilities away: only using one shows that.
        namespace::new_network().map(|_| ("can be made and used".to_owned(), Vec::new()))
    })
    .map(|(found, _)| found)
}

fn apparmor(privileged: bool) -> Result<String, HostError> {
    match fs::read_to_string("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") {
        Ok(text) if text.trim() != "0" => {
            let found = "restricts user namespaces of programs without a profile";
            match user_namespace() {
                _ if privileged => Ok(format!("{found}; root is not concerned")),
                Ok(_) => Ok(format!("{found}; longwire has one")),
                Err(error) => Err(error),
            }
        }
        _ => Ok("does not restrict user namespaces".into()),
    }
}

fn pid_namespace() -> Result<String, HostError> {
    in_new(|| {
        let doing = "make a PID namespace";
        unshare(CloneFlags::CLONE_NEWPID).map_err(|e| HostError::user_namespace(doing, e))?;
        let (pid, _) = helper::in_child(doing, || Ok((nix::unistd::getpid().as_raw(), Vec::new())))?;
        if pid == 1 {
            Ok("can be made".into())
        } else {
            Err(HostError::lacking(doing, format!("its first process is number {pid} and not 1")))
        }
    })
}

fn hosts_file() -> Result<String, HostError> {
    in_new(|| {
        namespace::new_mounts()?;
        mount::isolate()?;
        let text = "127.0.0.1 longwire-probe\n";
        private::hosts_file(text)?;
        let doing = "read the /etc/hosts that was put in place";
        match fs::read_to_string("/etc/hosts") {
            Ok(found) if found == text => Ok("/etc/hosts can be replaced".into()),
            Ok(_) => Err(HostError::lacking(doing, "it is not the one that was put there")),
            Err(error) => Err(HostError::os(doing, error)),
        }
    })
}

/// A container may mount /proc/sys read-only, and keep a process without CAP_SYS_ADMIN from mounting another /proc.
fn settings() -> Result<String, HostError> {
    in_new(|| {
        let doing = "try the settings of a host";
        unshare(CloneFlags::CLONE_NEWPID).map_err(|e| HostError::user_namespace(doing, e))?;
        // A /proc shows a PID namespace, so it is mounted by a process inside: init does.
        let (found, _) = helper::in_child(doing, || {
            namespace::new_mounts()?;
            mount::isolate()?;
            mount::fresh_proc();
            namespace::new_network()?;
            sysctl::apply(true)?;
            Ok(("can be written".to_owned(), Vec::new()))
        })?;
        Ok(found)
    })
}

fn tap(look: impl FnOnce(&TapPort) -> std::io::Result<String>) -> Result<String, HostError> {
    in_new(|| {
        namespace::new_network()?;
        let name = "lw-probe";
        let port = TapPort::open(name, Framing::VirtioNet).map_err(|e| HostError::tap(name, e))?;
        look(&port).map_err(|e| HostError::tap(name, e))
    })
}

/// What a run gives up before it reads the first frame.
fn confinement() -> Result<String, HostError> {
    let doing = "give up all rights";
    helper::in_child(doing, || {
        let in_force = confine::try_out().map_err(|e| HostError::os(doing, e))?;
        let lacks = [
            (!in_force.filter).then_some("no seccomp filters (CONFIG_SECCOMP_FILTER)"),
            (in_force.rules == Rules::None)
                .then_some("no Landlock (Linux 5.13, CONFIG_SECURITY_LANDLOCK, `lsm=landlock,…`)"),
        ];
        let lacks: Vec<_> = lacks.into_iter().flatten().collect();
        if !lacks.is_empty() {
            return Err(HostError::lacking(
                "confine the engine wholly",
                format!("this kernel has {}", lacks.join(" and ")),
            ));
        }
        let rules = if in_force.rules == Rules::All { "Landlock" } else { "Landlock of an older kernel" };
        Ok((format!("no capabilities, no_new_privs, seccomp, {rules}"), Vec::new()))
    })
    .map(|(found, _)| found)
}

fn offloads(port: &TapPort) -> std::io::Result<String> {
    let known = port.known_offloads()?;
    let names: Vec<_> = known.iter().map(|offload| offload.name()).collect();
    Ok(if names.is_empty() { "none: all frames come one by one".into() } else { names.join(", ") })
}

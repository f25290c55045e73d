//! What a process gives up before it does something that it need not trust: privileges, files, system calls.
//!
//! Sources: no_new_privs of prctl(2), capabilities(7), landlock(7), seccomp(2), personality(2), sched_setaffinity(2).
#![allow(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::io;
use std::os::fd::IntoRawFd as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use caps::{CapSet, Capability};
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetStatus, Scope,
};
use nix::errno::Errno;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::personality::{self, Persona};
use nix::sys::prctl;
use nix::unistd::Pid;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

use super::{filter, helper, peer};

/// Set by [`run`].
static IN_FORCE: AtomicBool = AtomicBool::new(false);

/// The newest rules that this code knows; older kernels apply those that they know.
const RULES: ABI = ABI::V6;

/// Gives up for good: privileges that programs could gain on execution, every capability, and writing to files outside
/// `writable` (directories with all that is beneath them, or single files). Holds for all processes that this one starts.
///
/// Returns whether the kernel restricts writes: one without Landlock (before 5.13, or switched off) does not, and file
/// permissions alone decide then.
///
/// # Errors
/// The kernel refused, or a path of `writable` cannot be opened.
pub fn confine(writable: &[PathBuf]) -> io::Result<bool> {
    keep_only(&[])?;
    restrict_writes(writable)
}

/// What is in force of a confinement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InForce {
    /// Programs that this process might execute gain no privileges.
    pub no_new_privs: bool,
    /// Capabilities in any set but the bounding one, which gives nothing without new privileges.
    pub capabilities: Vec<String>,
    /// System calls are filtered.
    pub filter: bool,
    /// Files are closed, and the network: all of the rules that this code knows, some of them, or none.
    pub rules: Rules,
}

/// How much of the Landlock rules the kernel knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// All that this code asks for.
    All,
    /// Those of an older kernel.
    Some,
    /// The kernel has no Landlock (before 5.13, or switched off).
    None,
}

/// Confines this process to what a run needs once it is set up: no privilege and no way to gain one, no file but its own in
/// /proc, no connection, and the system calls of `filter`. `init` is the one process that it may kill. Threads that start from here
/// on are confined alike; descriptors that are open stay usable.
///
/// What the kernel does not have is left out, and told. This process must have one thread.
///
/// # Errors
/// There are several threads, or the kernel refused something that it has.
pub fn run(init: Pid) -> io::Result<InForce> {
    helper::require_one_thread("give up rights").map_err(io::Error::other)?;
    peer::learn();
    prctl::set_no_new_privs().map_err(io::Error::from)?;
    let rules = close_files()?;
    keep_only(&[])?;
    let mut held = BTreeSet::new();
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable, CapSet::Ambient] {
        held.extend(caps::read(None, set).map_err(io::Error::other)?.iter().map(ToString::to_string));
    }
    let (no_new_privs, capabilities) = (prctl::get_no_new_privs()?, held.into_iter().collect());
    IN_FORCE.store(true, Ordering::Relaxed);
    // last of all: from here on not even this can be asked
    Ok(InForce { no_new_privs, capabilities, filter: filter::apply(init)?, rules })
}

/// Whether this process has been confined by [`run`].
pub(crate) fn is_in_force() -> bool {
    IN_FORCE.load(Ordering::Relaxed)
}

/// Numbers of the system calls that were refused since [`run`].
pub fn refused_calls() -> Vec<u32> {
    filter::refused()
}

/// Whether a process can be confined here: tried for good, so for a child.
pub(crate) fn try_out() -> io::Result<InForce> {
    run(Pid::this())
}

/// Gives up for good the privileges that programs gain on execution, and all capabilities but some, as far as this process has
/// them; also those that root would get back.
///
/// # Errors
/// The kernel refused.
pub(crate) fn keep_only(kept: &[Capability]) -> io::Result<()> {
    prctl::set_no_new_privs().map_err(io::Error::from)?;
    drop_all_but(kept)
}

/// Gives up for good all capabilities but some, as far as this process has them. Unlike [`keep_only`] it leaves to programs what
/// they gain on execution: it is for a process that starts those of others.
///
/// # Errors
/// The kernel refused.
pub(crate) fn drop_all_but(kept: &[Capability]) -> io::Result<()> {
    let all = |error: caps::errors::CapsError| io::Error::other(format!("dropping capabilities: {error}"));
    // Without CAP_SETPCAP there is nothing in the bounding set that this process could use: it is no root.
    if caps::has_cap(None, CapSet::Effective, Capability::CAP_SETPCAP).map_err(all)? {
        for capability in caps::runtime::thread_all_supported().into_iter().filter(|one| !kept.contains(one)) {
            caps::drop(None, CapSet::Bounding, capability).map_err(all)?;
        }
    }
    let had = caps::read(None, CapSet::Permitted).map_err(all)?;
    let kept: HashSet<Capability> = kept.iter().copied().filter(|one| had.contains(one)).collect();
    for set in [CapSet::Ambient, CapSet::Inheritable] {
        caps::clear(None, set).map_err(all)?;
    }
    for set in [CapSet::Effective, CapSet::Permitted] {
        caps::set(None, set, &kept).map_err(all)?;
    }
    Ok(())
}

/// Closes everything that Landlock can close, but for reading what /proc says of this process.
fn close_files() -> io::Result<Rules> {
    let refused = |error: landlock::RulesetError| io::Error::other(format!("closing files: {error}"));
    let own = File::open("/proc/self")?;
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(RULES))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(RULES)))
        // not of signals, since the run ends its init by one
        .and_then(|rules| rules.scope(Scope::AbstractUnixSocket))
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rule(PathBeneath::new(&own, AccessFs::from_read(RULES))))
        .map_err(refused)?;
    let status = rules.restrict_self().map_err(refused)?.ruleset;
    // A rule is about an inode, and those of /proc last as long as somebody holds them.
    let _ = own.into_raw_fd();
    Ok(match status {
        RulesetStatus::FullyEnforced => Rules::All,
        RulesetStatus::PartiallyEnforced => Rules::Some,
        RulesetStatus::NotEnforced => Rules::None,
    })
}

/// Closes all files but those beneath a directory.
pub(crate) fn keep_files_beneath(directory: &Path) -> io::Result<()> {
    let refused = |error: landlock::RulesetError| io::Error::other(format!("closing files: {error}"));
    let all = AccessFs::from_all(RULES);
    let opened = File::open(directory)?;
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(all)
        .and_then(Ruleset::create)
        .and_then(|rules| rules.add_rule(PathBeneath::new(&opened, all)))
        .and_then(landlock::RulesetCreated::restrict_self)
        .map(drop)
        .map_err(refused)
}

fn restrict_writes(writable: &[PathBuf]) -> io::Result<bool> {
    let refused = |error: landlock::RulesetError| io::Error::other(format!("restricting writes: {error}"));
    let writes = AccessFs::from_write(RULES);
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(writes)
        .map_err(refused)?
        .create()
        .map_err(refused)?;
    for path in writable.iter().map(PathBuf::as_path).chain([Path::new("/dev/null")]) {
        let opened =
            PathFd::new(path).map_err(|error| io::Error::other(format!("cannot open {}: {error}", path.display())))?;
        // Some rights exist for directories only.
        let access = if path.is_dir() { writes } else { writes & AccessFs::from_file(RULES) };
        rules = rules.add_rule(PathBeneath::new(opened, access)).map_err(refused)?;
    }
    Ok(rules.restrict_self().map_err(refused)?.ruleset != RulesetStatus::NotEnforced)
}

/// A seccomp filter under which getrandom(2) fails with `ENOSYS`, as in Linux before 3.17.
///
/// # Errors
/// This architecture is unknown to the filter's compiler.
pub fn no_entropy() -> io::Result<BpfProgram> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let rules = BTreeMap::from([(libc::SYS_getrandom, Vec::new())]);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32), arch);
    filter.and_then(TryInto::try_into).map_err(io::Error::other)
}

/// Puts a filter into force for this process. It needs no_new_privs or root.
///
/// # Errors
/// The kernel refused.
pub fn apply(filter: &BpfProgram) -> io::Result<()> {
    seccompiler::apply_filter(filter).map_err(io::Error::other)
}

/// Runs this process, and those it starts, on one processor.
///
/// # Errors
/// There is no such processor, or this process may not use it.
pub fn pin(cpu: usize) -> Result<(), Errno> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    sched_setaffinity(Pid::from_raw(0), &set)
}

/// Asks for the same address-space layout every time. Some containers refuse that; `false` then.
pub fn fix_addresses() -> bool {
    personality::get().and_then(|now| personality::set(now | Persona::ADDR_NO_RANDOMIZE)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::{message, takeover};
    use super::*;
    use std::fs;

    /// In a process of its own: a confinement cannot be taken back.
    #[test]
    fn what_is_given_up_stays_away() {
        let (mut child, socket) = takeover::copy(COPY, WHAT, "confined").unwrap();
        let told = message::receive::<Vec<String>>(&socket).unwrap().map(|(told, _)| told);
        assert_eq!(told, Some(Vec::new()), "what does not hold");
        assert!(child.wait().unwrap().success());
    }

    const WHAT: &str = "confined";
    takeover::before_main!(COPY: WHAT => copy);

    fn copy(socket: std::os::fd::OwnedFd) -> i32 {
        message::send(&socket, &wrong(), &[]).map_or(1, |()| 0)
    }

    fn wrong() -> Vec<String> {
        let mut wrong = Vec::new();
        let open = tempfile::tempdir().unwrap();
        let closed = tempfile::tempdir().unwrap();
        let single = closed.path().join("single");
        fs::write(&single, "before").unwrap();
        let restricted = confine(&[open.path().to_path_buf(), single.clone()]).unwrap();
        let mut hold = |what: &str, holds: bool| {
            if !holds {
                wrong.push(what.to_owned());
            }
        };
        hold("write beneath", fs::write(open.path().join("a"), "x").is_ok());
        hold("write a single file", fs::write(&single, "x").is_ok());
        hold("write elsewhere", !restricted || fs::write(closed.path().join("a"), "x").is_err());
        hold("make a directory elsewhere", !restricted || fs::create_dir(closed.path().join("d")).is_err());
        hold("remove elsewhere", !restricted || fs::remove_file(&single).is_err());
        hold("read anywhere", fs::read("/proc/self/status").is_ok());
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let value = |key: &str| status.lines().find_map(|l| l.strip_prefix(key)).unwrap_or("?").trim().to_owned();
        hold("no_new_privs", value("NoNewPrivs:") == "1");
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            hold(set, value(set).trim_start_matches('0').is_empty());
        }
        apply(&no_entropy().unwrap()).unwrap();
        let mut byte = [0_u8; 1];
        // SAFETY: the buffer is one byte long.
        let n = unsafe { libc::syscall(libc::SYS_getrandom, byte.as_mut_ptr(), 1, 0) };
        hold("no entropy", n == -1 && Errno::last() == Errno::ENOSYS);
        wrong
    }
}

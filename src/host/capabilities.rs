//! What root in a host may not do: change what is not the host's but the machine's.
//!
//! Source: capabilities(7).
#![allow(unsafe_code)]

use nix::errno::Errno;

/// Capabilities over the machine that no host needs, by number and name. What network tools need stays: CAP_NET_ADMIN,
/// CAP_NET_RAW, and CAP_SYS_ADMIN for `ip netns`.
const DENIED: &[(u8, &str)] = &[
    (9, "CAP_LINUX_IMMUTABLE"),
    (16, "CAP_SYS_MODULE"),
    (17, "CAP_SYS_RAWIO"),
    (20, "CAP_SYS_PACCT"),
    (22, "CAP_SYS_BOOT"),
    (25, "CAP_SYS_TIME"),
    (26, "CAP_SYS_TTY_CONFIG"),
    (27, "CAP_MKNOD"),
    (30, "CAP_AUDIT_CONTROL"),
    (32, "CAP_MAC_OVERRIDE"),
    (33, "CAP_MAC_ADMIN"),
    (34, "CAP_SYSLOG"),
    (35, "CAP_WAKE_ALARM"),
    (36, "CAP_BLOCK_SUSPEND"),
    (37, "CAP_AUDIT_READ"),
    (38, "CAP_PERFMON"),
    (39, "CAP_BPF"),
];

/// Version 3 of the capability calls: 64 bits in two words (linux/capability.h).
const VERSION: u32 = 0x2008_0522;

#[repr(C)]
struct Header {
    version: u32,
    pid: libc::c_int,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Word {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Takes the denied capabilities from this process and from every program that it becomes or starts, those with the
/// set-user-ID bit included: none of them is left in the bounding set.
///
/// # Errors
/// What could not be done, to complete "cannot …".
pub(crate) fn drop_denied() -> Result<(), (&'static str, Errno)> {
    for (number, _) in DENIED {
        // SAFETY: prctl with plain integer arguments.
        let dropped = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(*number), 0, 0, 0) };
        match Errno::result(dropped).map_err(|e| ("drop capabilities", e)) {
            // A kernel that does not know it does not give it.
            Ok(_) | Err((_, Errno::EINVAL)) => {}
            // Without CAP_SETPCAP this process is no full root, and what it starts gains no more than it would elsewhere.
            Err((_, Errno::EPERM)) => break,
            Err(error) => return Err(error),
        }
    }
    hold_within(!DENIED.iter().fold(0, |all, (number, _)| all | 1 << number))
}

/// Takes all capabilities but these from this process itself. A bit each, as in all of these functions.
///
/// # Errors
/// What could not be done, to complete "cannot …".
pub(crate) fn hold_within(kept: u64) -> Result<(), (&'static str, Errno)> {
    let mut header = Header { version: VERSION, pid: 0 };
    let mut words = [Word::default(); 2];
    // SAFETY: version 3 reads a header and writes two words; both live for the call, and pid 0 is this thread.
    let got = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, words.as_mut_ptr()) };
    Errno::result(got).map_err(|e| ("read its capabilities", e))?;
    for (word, kept) in words.iter_mut().zip([kept as u32, (kept >> 32) as u32]) {
        word.effective &= kept;
        word.permitted &= kept;
        word.inheritable &= kept;
    }
    // SAFETY: as above; the words are only read.
    let set = unsafe { libc::syscall(libc::SYS_capset, &raw mut header, words.as_ptr()) };
    Errno::result(set).map(drop).map_err(|e| ("drop capabilities", e))
}

/// Takes all capabilities but these from every program that this process becomes or starts. What it has itself stays: see
/// [`hold_within`].
///
/// # Errors
/// What could not be done, to complete "cannot …".
pub(crate) fn keep_within(bounding: u64) -> Result<(), (&'static str, Errno)> {
    for number in (0..64_u8).filter(|number| bounding & (1 << number) == 0) {
        drop_from_bounding_set(number).map_err(|error| ("drop capabilities", error))?;
    }
    Ok(())
}

fn drop_from_bounding_set(number: u8) -> Result<(), Errno> {
    // SAFETY: prctl with plain integer arguments.
    let dropped = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(number), 0, 0, 0) };
    match Errno::result(dropped) {
        // A kernel that does not know it does not give it.
        Ok(_) | Err(Errno::EINVAL) => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_network_tools_need_is_kept() {
        // CAP_NET_BIND_SERVICE, CAP_NET_BROADCAST, CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_CHROOT, CAP_SYS_PTRACE, CAP_SYS_ADMIN
        for needed in [10, 11, 12, 13, 18, 19, 21] {
            assert!(DENIED.iter().all(|(number, _)| *number != needed), "{needed}");
        }
        assert!(DENIED.is_sorted() && DENIED.iter().all(|(number, name)| *number < 64 && name.starts_with("CAP_")));
    }
}

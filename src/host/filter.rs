//! The system calls of a run that is set up, and a seccomp filter that lets no other through.
//!
//! A call that is not on the list fails with `ENOSYS`, as in a kernel that does not have it: that is what libraries are prepared
//! for when they try newer calls first, where `EPERM` would be taken for an answer. It is also noted, by the signal that the
//! kernel sends instead of making the call, so that a list which a newer library has outgrown shows in the report
//! ([`refused`]). Nothing ends: a report is worth more than a process that broke off.
//!
//! Sources: seccomp(2); Linux `Documentation/userspace-api/seccomp_filter.rst`; for what threads and allocation need, glibc 2.31 to
//! 2.42 and musl 1.2.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::Pid;
use seccompiler::SeccompCmpArgLen::{Dword, Qword};
use seccompiler::SeccompCmpOp::{Eq, MaskedEq};
use seccompiler::{BackendError, BpfProgram, SeccompAction, SeccompCondition, SeccompFilter, SeccompRule, TargetArch};

/// Calls that are let through whatever their arguments.
const FREE: &[libc::c_long] = &[
    // frames, pipes, sockets and files that are open
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_lseek,
    libc::SYS_ftruncate,
    libc::SYS_close,
    libc::SYS_fstat,
    libc::SYS_statx,
    libc::SYS_newfstatat,
    libc::SYS_getdents64,
    libc::SYS_readlinkat,
    libc::SYS_getcwd,
    libc::SYS_fcntl,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_pipe2,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendto,
    libc::SYS_recvfrom,
    libc::SYS_accept4,
    libc::SYS_getsockopt,
    libc::SYS_setsockopt,
    libc::SYS_getsockname,
    libc::SYS_shutdown,
    // waiting
    libc::SYS_ppoll,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_restart_syscall,
    // threads and memory
    libc::SYS_futex,
    libc::SYS_futex_waitv,
    libc::SYS_set_robust_list,
    libc::SYS_rseq,
    libc::SYS_membarrier,
    libc::SYS_sched_yield,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_getscheduler,
    libc::SYS_sched_setscheduler,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getattr,
    libc::SYS_sched_setattr,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_getpid,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_brk,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_sigaltstack,
    libc::SYS_getrandom,
    // answered by NEWER below
    libc::SYS_clone3,
    // who and where this is
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrusage,
];

/// The same, by the older calls that only this architecture has.
#[cfg(target_arch = "x86_64")]
const OLDER: &[libc::c_long] =
    &[libc::SYS_poll, libc::SYS_epoll_wait, libc::SYS_stat, libc::SYS_lstat, libc::SYS_readlink, libc::SYS_time];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[libc::c_long] = &[];

/// What may be asked of a device or terminal.
#[allow(clippy::unnecessary_cast, reason = "the type of the numbers depends on the C library")]
const IOCTLS: &[u64] = &[
    libc::TUNGETIFF as u64,
    libc::TUNSETCARRIER as u64,
    libc::TCGETS as u64,
    // TCGETS2 of asm-generic/termbits.h, which glibc 2.42 asks for
    0x802c_542a,
    libc::TIOCGWINSZ as u64,
    libc::FIONBIO as u64,
];

/// `PR_SET_VMA` of linux/prctl.h, by which libraries name memory.
const PR_SET_VMA: u64 = 0x5356_4d41;

/// What may be asked of prctl(2).
const PRCTLS: &[u64] = &[libc::PR_SET_NAME as u64, libc::PR_SET_TIMERSLACK as u64, PR_SET_VMA];

/// Opening a file for anything but reading.
const WRITES: u64 = (libc::O_ACCMODE | libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u64;

/// Every namespace that clone(2) can make, and whether it makes a thread.
const CLONES: u64 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_THREAD) as u64;

/// By number: the calls that were refused. Numbers are far below.
static REFUSED: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];

/// Puts the filter into force for all threads of this process; no_new_privs must be set. `false` where the kernel has no seccomp
/// filters, or this architecture is unknown.
///
/// # Errors
/// The kernel refused.
pub(crate) fn apply(init: Pid) -> io::Result<bool> {
    let Ok(arch) = TargetArch::try_from(std::env::consts::ARCH) else { return Ok(false) };
    let programs = [newer(arch), list(init, arch)].into_iter().collect::<Result<Vec<_>, _>>();
    take_note()?;
    for program in programs.map_err(io::Error::other)? {
        match install(&program) {
            // Linux says so where CONFIG_SECCOMP_FILTER is off
            Err(Errno::ENOSYS | Errno::EINVAL) => return Ok(false),
            other => other?,
        }
    }
    Ok(true)
}

/// Numbers of system calls that were refused since the filter is in force; see `ausyscall NUMBER` for their names.
pub(crate) fn refused() -> Vec<u32> {
    let set = |number: &u32| REFUSED[*number as usize / 64].load(Ordering::Relaxed) & (1 << (number % 64)) != 0;
    (0..REFUSED.len() as u32 * 64).filter(set).collect()
}

/// The arguments of clone3(2) are in memory, where a filter cannot look. Libraries take clone(2) where it is not there.
fn newer(arch: TargetArch) -> Result<BpfProgram, BackendError> {
    let rules = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let absent = SeccompAction::Errno(libc::ENOSYS as u32);
    SeccompFilter::new(rules, SeccompAction::Allow, absent, arch)?.try_into()
}

fn list(init: Pid, arch: TargetArch) -> Result<BpfProgram, BackendError> {
    let one = |argument, length, operator, value| -> Result<SeccompRule, BackendError> {
        SeccompRule::new(vec![SeccompCondition::new(argument, length, operator, value)?])
    };
    let any = |argument, values: &[u64]| -> Result<Vec<SeccompRule>, BackendError> {
        values.iter().map(|value| one(argument, Dword, Eq, *value)).collect()
    };
    let own = u64::from(std::process::id());
    let not_executable = |argument| one(argument, Qword, MaskedEq(libc::PROT_EXEC as u64), 0);
    let mut rules: BTreeMap<libc::c_long, Vec<SeccompRule>> =
        FREE.iter().chain(OLDER).map(|number| (*number, Vec::new())).collect();
    rules.extend([
        (libc::SYS_openat, vec![one(2, Dword, MaskedEq(WRITES), 0)?]),
        (libc::SYS_mmap, vec![not_executable(2)?]),
        (libc::SYS_mprotect, vec![not_executable(2)?]),
        (libc::SYS_clone, vec![one(0, Qword, MaskedEq(CLONES), libc::CLONE_THREAD as u64)?]),
        (libc::SYS_kill, any(0, &[init.as_raw() as u64])?),
        (libc::SYS_tgkill, any(0, &[own])?),
        (libc::SYS_ioctl, any(1, IOCTLS)?),
        (libc::SYS_prctl, any(0, PRCTLS)?),
        // to read limits, not to set them
        (libc::SYS_prlimit64, vec![one(2, Qword, Eq, 0)?]),
    ]);
    SeccompFilter::new(rules, SeccompAction::Trap, SeccompAction::Allow, arch)?.try_into()
}

/// Own code and not seccompiler's, which does not pass the flag that keeps Linux before 5.16 from slowing a filtered process down
/// against Spectre: that is for processes that run code of others.
fn install(program: &BpfProgram) -> nix::Result<()> {
    let length = libc::c_ushort::try_from(program.len()).map_err(|_| Errno::EINVAL)?;
    let filter = libc::sock_fprog { len: length, filter: program.as_ptr().cast_mut().cast() };
    let flags = libc::SECCOMP_FILTER_FLAG_TSYNC | libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    let set = |flags: libc::c_ulong| {
        // SAFETY: the kernel reads a sock_fprog and `len` instructions behind its pointer, which `program` holds for the call;
        // seccompiler's instructions have the layout of the kernel's.
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const filter) }
    };
    let done = match Errno::result(set(flags)) {
        // Linux before 4.17 has no such flag
        Err(Errno::EINVAL) => Errno::result(set(libc::SECCOMP_FILTER_FLAG_TSYNC)),
        other => other,
    };
    // the number of a thread that has a filter of its own
    if done? == 0 { Ok(()) } else { Err(Errno::EBUSY) }
}

/// From here on a refused call is noted and fails.
fn take_note() -> nix::Result<()> {
    let handler = SigHandler::SigAction(note);
    // SAFETY: the handler is async-signal-safe: it touches an atomic, and the registers that it is given.
    unsafe { sigaction(Signal::SIGSYS, &SigAction::new(handler, SaFlags::SA_SIGINFO, SigSet::empty())) }.map(drop)
}

/// The part of siginfo_t that belongs to SIGSYS on 64-bit Linux (asm-generic/siginfo.h).
#[repr(C)]
struct Refusal {
    _signal: libc::c_int,
    _errno: libc::c_int,
    code: libc::c_int,
    _padding: libc::c_int,
    _address: *const libc::c_void,
    number: libc::c_int,
    _arch: libc::c_uint,
}

/// `SYS_SECCOMP` of asm-generic/siginfo.h: a filter is the cause, and nobody's kill(2).
const SYS_SECCOMP: libc::c_int = 1;

extern "C" fn note(_: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel passes a siginfo_t, which is longer than a Refusal and aligned as one.
    let Refusal { code, number, .. } = unsafe { info.cast::<Refusal>().read() };
    if code != SYS_SECCOMP {
        return;
    }
    if let Some(word) = REFUSED.get(number as usize / 64) {
        word.fetch_or(1 << (number % 64), Ordering::Relaxed);
    }
    // SAFETY: with SA_SIGINFO the context is a ucontext_t of the interrupted thread, which is this one.
    unsafe { fail(&mut *context.cast::<libc::ucontext_t>()) };
}

/// Makes the interrupted call fail.
#[cfg(target_arch = "x86_64")]
fn fail(context: &mut libc::ucontext_t) {
    context.uc_mcontext.gregs[libc::REG_RAX as usize] = -i64::from(libc::ENOSYS);
}

#[cfg(target_arch = "aarch64")]
fn fail(context: &mut libc::ucontext_t) {
    context.uc_mcontext.regs[0] = i64::from(-libc::ENOSYS) as u64;
}

#[cfg(target_arch = "riscv64")]
fn fail(context: &mut libc::ucontext_t) {
    context.uc_mcontext.__gregs[libc::REG_A0] = i64::from(-libc::ENOSYS) as _;
}

/// No filter is made for others.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "riscv64")))]
fn fail(_: &mut libc::ucontext_t) {}

//! Programs: what to run, and the child that becomes it.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::signal::SigSet;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork};
use serde::{Deserialize, Serialize};

use super::container::Interior;
use super::error::SpawnError;
use super::identity::Identity;
use crate::addressing::network::Limits;

/// Where a program without a `PATH` of its own is looked for.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program to run in a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Its name or path, then its arguments. A name without `/` is looked for in the `PATH` of `env`.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// Its working directory; `None` for `/`.
    pub cwd: Option<String>,
    /// Whether it runs as the run's root instead of as the caller.
    pub root: bool,
}

/// In-host code of the built-in workloads: gets the workload's name and its job, returns an exit code. It runs in a forked
/// child inside the host, as the caller, with standard input, output and error and no other descriptor.
pub type Builtin = fn(name: &str, job: &str) -> i32;

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A program of the machine.
    Program(Program),
    /// A built-in workload, handed to the [`Builtin`] that the run started with.
    Builtin {
        /// Its name.
        name: String,
        /// Its job as text, JSON by custom.
        job: String,
    },
}

/// What is forked where: all that a child needs to become its program.
pub(crate) struct Launch<'a> {
    pub(crate) what: &'a What,
    pub(crate) identity: &'a Identity,
    /// Standard input, output and error; `None` keeps this process's own.
    pub(crate) stdio: Option<[BorrowedFd<'a>; 3]>,
    /// Moves the child into the host, where it is not there by birth.
    pub(crate) enter: &'a dyn Fn() -> Result<(), (&'static str, Errno)>,
    /// Whether the child leads a process group of its own.
    pub(crate) own_group: bool,
    pub(crate) builtin: Builtin,
    /// Built-in programs run as the run's root and not as the caller.
    pub(crate) builtins_as_root: bool,
    /// What a program may use, where a limit concerns a process or a user.
    pub(crate) limits: Limits,
    /// The container that it is in, which says who it is and what it may.
    pub(crate) container: Option<&'a Interior>,
    /// Whether it keeps all of the capabilities that its user has here.
    pub(crate) privileged: bool,
    /// Soft limit of open files that the program gets back.
    pub(crate) open_files: Option<u64>,
}

/// A failure inside the child, on its way to the parent.
#[derive(Serialize, Deserialize)]
enum Failure {
    Prepare(String, i32),
    Directory(i32),
    Program(i32),
}

/// What an execve needs, made before the fork.
struct Arguments {
    candidates: Vec<CString>,
    argv: Vec<CString>,
    env: Vec<CString>,
    cwd: CString,
}

/// Forks, and waits until the child has become its program (or has reported why it cannot).
///
/// # Errors
/// What kept the child from becoming its program. Then no child is left.
pub(crate) fn launch(launch: &Launch<'_>) -> Result<Pid, SpawnError> {
    let arguments = match &launch.what {
        What::Program(program) => Some(arguments(program)?),
        What::Builtin { .. } => None,
    };
    let prepare = |doing: &str, errno: Errno| SpawnError::Prepare { doing: doing.into(), errno: errno as i32 };
    // Close-on-exec: it reads as closed, without a word, once the program runs.
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|e| prepare("make a pipe", e))?;
    // SAFETY: this process has one thread, so the child may go on in ordinary code.
    match unsafe { fork() }.map_err(|e| prepare("fork", e))? {
        ForkResult::Child => {
            drop(reader);
            child(launch, arguments.as_ref(), writer)
        }
        ForkResult::Parent { child } => {
            drop(writer);
            if launch.own_group {
                // Both sides do it, so that it is done whichever runs first; the child may already have executed.
                let _ = nix::unistd::setpgid(child, child);
            }
            let mut report = Vec::new();
            let read = File::from(reader).read_to_end(&mut report);
            if report.is_empty() && read.is_ok() {
                return Ok(child);
            }
            let _ = waitpid(child, None);
            let program = match launch.what {
                What::Program(program) => program,
                What::Builtin { name, .. } => {
                    &Program { argv: vec![name.clone()], env: vec![], cwd: None, root: false }
                }
            };
            Err(match serde_json::from_slice(&report) {
                Ok(Failure::Directory(errno)) => {
                    SpawnError::Directory { directory: program.cwd.clone().unwrap_or_else(|| "/".into()), errno }
                }
                Ok(Failure::Program(errno)) => SpawnError::Program { program: program.argv[0].clone(), errno },
                Ok(Failure::Prepare(doing, errno)) => SpawnError::Prepare { doing, errno },
                Err(_) => prepare("hear from the child", Errno::EIO),
            })
        }
    }
}

/// The child: becomes the program, or reports and ends.
fn child(launch: &Launch<'_>, arguments: Option<&Arguments>, report: OwnedFd) -> ! {
    let failure = match prepare(launch, arguments) {
        Ok(()) => match (&launch.what, arguments) {
            (What::Builtin { name, job }, _) => {
                drop(report);
                run_builtin(launch.builtin, name, job)
            }
            (What::Program(program), Some(arguments)) => {
                mark_close_on_exec();
                let home = launch.container.and_then(|container| container.home(program.root));
                Failure::Program(execute(arguments, home) as i32)
            }
            (What::Program(_), None) => Failure::Program(libc::EINVAL),
        },
        Err(failure) => failure,
    };
    if let Ok(text) = serde_json::to_vec(&failure) {
        let _ = File::from(report).write_all(&text);
    }
    // SAFETY: _exit takes no pointers and does not return; no destructor or exit handler of the parent's runs.
    unsafe { libc::_exit(127) }
}

fn prepare(launch: &Launch<'_>, arguments: Option<&Arguments>) -> Result<(), Failure> {
    let failed = |(doing, errno): (&str, Errno)| Failure::Prepare(doing.into(), errno as i32);
    if launch.own_group {
        nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(|e| failed(("make a process group", e)))?;
    }
    (launch.enter)().map_err(failed)?;
    if let Some([stdin, stdout, stderr]) = launch.stdio {
        nix::unistd::dup2_stdin(stdin).map_err(|e| failed(("set standard input", e)))?;
        nix::unistd::dup2_stdout(stdout).map_err(|e| failed(("set standard output", e)))?;
        nix::unistd::dup2_stderr(stderr).map_err(|e| failed(("set standard error", e)))?;
    }
    let root = match launch.what {
        What::Program(program) => program.root,
        What::Builtin { .. } => launch.builtins_as_root,
    };
    if let Some(soft) = launch.open_files {
        // Best effort: a limit that cannot be lowered again harms nobody.
        let resource = nix::sys::resource::Resource::RLIMIT_NOFILE;
        if let Ok((_, hard)) = nix::sys::resource::getrlimit(resource) {
            let _ = nix::sys::resource::setrlimit(resource, soft.min(hard), hard);
        }
    }
    if let What::Program(_) = launch.what {
        limit(launch.limits, launch.identity).map_err(failed)?;
    }
    match launch.container {
        Some(container) => container.assume(root),
        None => launch.identity.assume(root, launch.privileged),
    }
    .map_err(failed)?;
    // As the user who runs it: root may be able to enter where the user is not.
    let cwd = arguments.map_or(c"/", |arguments| &arguments.cwd);
    nix::unistd::chdir(cwd).map_err(|e| Failure::Directory(e as i32))?;
    // Where root runs longwire, programs gain nothing by what they execute. Those of a normal user may: ping with file capabilities,
    // sudo. In a guest everybody is a normal user.
    if launch.container.is_none() && !launch.identity.nested && !launch.builtins_as_root && !launch.privileged {
        nix::sys::prctl::set_no_new_privs().map_err(|e| failed(("give up new privileges", e)))?;
    }
    reset_signals();
    Ok(())
}

/// Whether the kernel counts the processes of a host's programs by their user, in the host's own user namespace: from Linux
/// 5.14 on, and never those of the machine's user 0 (RLIMIT_NPROC in getrlimit(2); `copy_process` in Linux kernel/fork.c).
pub(crate) fn counts_processes(identity: &Identity) -> bool {
    let release = || std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    identity.nested && identity.uid != 0 && is_since(&release(), (5, 14))
}

fn is_since(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse::<u32>().ok());
    numbers.next().zip(numbers.next()).is_some_and(|version| version >= wanted)
}

fn limit(limits: Limits, identity: &Identity) -> Result<(), (&'static str, Errno)> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    if let Some(files) = limits.open_files.map(u64::from) {
        let hard = getrlimit(Resource::RLIMIT_NOFILE).map_or(files, |(_, hard)| hard.min(files));
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(|e| ("limit open files", e))?;
    }
    if let Some(processes) = limits.processes.map(u64::from).filter(|_| counts_processes(identity)) {
        // The host's process 1 counts as well.
        setrlimit(Resource::RLIMIT_NPROC, processes + 1, processes + 1).map_err(|e| ("limit processes", e))?;
    }
    Ok(())
}

/// Default action and no mask for every signal: programs start as from a shell.
pub(crate) fn reset_signals() {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL is no code of ours; the numbers that cannot be changed are refused with EINVAL.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    let _ = SigSet::empty().thread_set_mask();
}

/// Marks everything but standard input, output and error close-on-exec: what this program opened is so anyway, and what
/// it inherited must not leak into the hosts' programs either.
fn mark_close_on_exec() {
    // SAFETY: plain integer arguments. Linux before 5.11 refuses, and then only the inherited ones stay.
    unsafe { libc::syscall(libc::SYS_close_range, 3_u32, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
}

/// Closes every descriptor above standard error but some.
pub(crate) fn close_all_but(kept: &[BorrowedFd<'_>]) {
    let close = |first: u32, last: u32| {
        if first > last {
            return;
        }
        // SAFETY: plain integer arguments. The caller owns the whole process (it has just been forked) and never touches
        // nor drops what is closed here.
        if unsafe { libc::syscall(libc::SYS_close_range, first, last, 0_u32) } == 0 {
            return;
        }
        // Linux before 5.9.
        let numbers = std::fs::read_dir("/proc/self/fd").map(|entries| {
            let names = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
            names.filter(|fd| (first..=last).contains(fd)).collect::<Vec<_>>()
        });
        for fd in numbers.unwrap_or_default() {
            // SAFETY: as above.
            unsafe { libc::close(fd as libc::c_int) };
        }
    };
    let mut kept: Vec<u32> = kept.iter().filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok()).collect();
    kept.sort_unstable();
    let mut first = 3;
    for fd in kept.into_iter().filter(|fd| *fd >= 3) {
        close(first, fd - 1);
        first = fd + 1;
    }
    close(first, u32::MAX);
}

fn run_builtin(builtin: Builtin, name: &str, job: &str) -> ! {
    close_all_but(&[]);
    let code = std::panic::catch_unwind(|| builtin(name, job)).unwrap_or(101);
    let _ = std::io::stdout().flush();
    // SAFETY: _exit takes no pointers and does not return.
    unsafe { libc::_exit(code) }
}

fn arguments(program: &Program) -> Result<Arguments, SpawnError> {
    let text = |text: &str| {
        let what = || format!("a program with a zero byte in `{}`", text.replace('\0', "\\0"));
        CString::new(text).map_err(|_| SpawnError::Text { what: what() })
    };
    let Some(name) = program.argv.first().filter(|name| !name.is_empty()) else {
        return Err(SpawnError::Text { what: "a program without a name".into() });
    };
    let candidates = if name.contains('/') {
        vec![text(name)?]
    } else {
        let path = program.env.iter().find(|(key, _)| key == "PATH").map_or(DEFAULT_PATH, |(_, value)| value);
        // An empty entry is the working directory (execvp(3)).
        let directories = path.split(':').map(|entry| if entry.is_empty() { "." } else { entry });
        directories.map(|directory| text(&format!("{directory}/{name}"))).collect::<Result<_, _>>()?
    };
    Ok(Arguments {
        candidates,
        argv: program.argv.iter().map(|argument| text(argument)).collect::<Result<_, _>>()?,
        env: program.env.iter().map(|(key, value)| text(&format!("{key}={value}"))).collect::<Result<_, _>>()?,
        cwd: text(program.cwd.as_deref().unwrap_or("/"))?,
    })
}

/// Tries the candidates in order; returns only where none could be executed. As execvp(3), a file that may not be executed
/// is told rather than one that is not there.
fn execute(arguments: &Arguments, home: Option<CString>) -> Errno {
    let env: Vec<&CString> = arguments.env.iter().chain(&home).collect();
    let mut told = Errno::ENOENT;
    for candidate in &arguments.candidates {
        match nix::unistd::execve(candidate, &arguments.argv, &env) {
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(Errno::EACCES) => told = Errno::EACCES,
            Err(other) => return other,
            Ok(never) => match never {},
        }
    }
    told
}

/// /dev/null, for reading or for writing.
pub(crate) fn null() -> std::io::Result<OwnedFd> {
    Ok(File::options().read(true).write(true).open("/dev/null")?.into())
}

/// Puts /dev/null in the place of standard input and output.
pub(crate) fn mute() -> std::io::Result<()> {
    let null = null()?;
    nix::unistd::dup2_stdin(null.as_fd())?;
    nix::unistd::dup2_stdout(null.as_fd())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(argv: &[&str], path: Option<&str>) -> Program {
        let env = path.map(|path| ("PATH".to_owned(), path.to_owned())).into_iter().collect();
        Program { argv: argv.iter().map(|&a| a.to_owned()).collect(), env, cwd: None, root: false }
    }

    #[test]
    fn names_are_looked_for_in_the_programs_own_path() {
        let candidates = |p: &Program| {
            let arguments = arguments(p).expect("valid");
            arguments.candidates.into_iter().map(|c| c.into_string().expect("text")).collect::<Vec<_>>()
        };
        assert_eq!(candidates(&program(&["ls"], Some("/a:/b"))), ["/a/ls", "/b/ls"]);
        assert_eq!(candidates(&program(&["ls"], Some(":/b"))), ["./ls", "/b/ls"]);
        assert_eq!(candidates(&program(&["./ls"], Some("/a"))), ["./ls"]);
        assert_eq!(candidates(&program(&["ls"], None)).len(), DEFAULT_PATH.split(':').count());
    }

    #[test]
    fn a_release_is_read_as_the_kernel_writes_it() {
        for (release, since) in
            [("5.14.0", true), ("5.13.19-2-amd64", false), ("6.1.0", true), ("10.0", true), ("x", false)]
        {
            assert_eq!(is_since(release, (5, 14)), since, "{release}");
        }
    }

    #[test]
    fn what_no_program_can_be_given_is_refused_before_the_fork() {
        assert!(matches!(arguments(&program(&[], None)), Err(SpawnError::Text { .. })));
        assert!(matches!(arguments(&program(&[""], None)), Err(SpawnError::Text { .. })));
        assert!(matches!(arguments(&program(&["ls", "a\0b"], None)), Err(SpawnError::Text { .. })));
    }
}

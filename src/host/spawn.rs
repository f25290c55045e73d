//! Programs: what to run, and the child that becomes it.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getpid, getppid};
use serde::{Deserialize, Serialize};

use super::container::Interior;
use super::error::{HostError, SpawnError};
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
    /// Its working directory; `None` for `/`. In a container relative to the container's own, which `None` stands for.
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
    pub(crate) who: Who<'a>,
    /// Standard input, output and error; `None` keeps this process's own.
    pub(crate) stdio: Option<[BorrowedFd<'a>; 3]>,
    /// Moves the child into the host, where it is not there by birth.
    pub(crate) enter: &'a dyn Fn() -> Result<(), (&'static str, Errno)>,
    /// Whether the child leads a process group of its own.
    pub(crate) own_group: bool,
    pub(crate) builtin: Builtin,
    /// Soft limit of open files that the program gets back.
    pub(crate) open_files: Option<u64>,
}

/// Who it is, and what it may.
#[derive(Clone, Copy)]
pub(crate) enum Who<'a> {
    /// The caller, or the run's root, in a host.
    Host {
        identity: &'a Identity,
        /// What a program may use, where a limit concerns a process or a user.
        limits: Limits,
        /// Whether it keeps all of the capabilities that its user has here.
        privileged: bool,
        /// Built-in programs run as the run's root and not as the caller.
        builtins_as_root: bool,
    },
    /// A program in a container, whose user its parent is already.
    Container(&'a Interior),
    /// A built-in program in a container's network, for the caller. It ends with its parent.
    Network(&'a Interior, &'a Identity),
}

impl Who<'_> {
    fn is_root(self, what: &What) -> bool {
        match (what, self) {
            (What::Program(program), _) => program.root,
            (What::Builtin { .. }, Who::Host { builtins_as_root, .. }) => builtins_as_root,
            (What::Builtin { .. }, _) => false,
        }
    }
}

/// A failure inside the child, on its way to the parent.
#[derive(Serialize, Deserialize)]
pub(super) enum Failure {
    Prepare(String, i32),
    Directory(i32),
    Program(i32),
}

impl Failure {
    pub(super) fn prepare((doing, errno): (&str, Errno)) -> Failure {
        Failure::Prepare(doing.into(), errno as i32)
    }
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
    let Begun { report, beginning } = begin(launch)?;
    // SAFETY: this process has one thread, so the child may go on in ordinary code.
    match unsafe { fork() }.map_err(|e| prepare_error("fork", e))? {
        ForkResult::Child => {
            drop(report);
            beginning.child()
        }
        ForkResult::Parent { child } => {
            drop(beginning);
            lead_group(launch, child);
            hear(launch, report, None).inspect_err(|_| {
                let _ = waitpid(child, None);
            })?;
            Ok(child)
        }
    }
}

/// A launch before its fork: what its child needs, and the end at which the child is heard.
pub(super) struct Begun<'a> {
    pub(super) report: OwnedFd,
    pub(super) beginning: Beginning<'a>,
}

/// What a child goes on with.
pub(super) struct Beginning<'a> {
    launch: &'a Launch<'a>,
    arguments: Option<Arguments>,
    /// Who has prepared it.
    parent: Pid,
    /// Close-on-exec: it reads as closed, without a word, once the program runs.
    pub(super) report: OwnedFd,
}

/// Prepares a launch.
///
/// # Errors
/// There is nothing to be executed, or no pipe can be made.
pub(super) fn begin<'a>(launch: &'a Launch<'a>) -> Result<Begun<'a>, SpawnError> {
    let arguments = match &launch.what {
        What::Program(program) => Some(arguments(program)?),
        What::Builtin { .. } => None,
    };
    let (reader, writer) =
        nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(|e| prepare_error("make a pipe", e))?;
    Ok(Begun { report: reader, beginning: Beginning { launch, arguments, parent: getpid(), report: writer } })
}

/// Both sides do it, so that it is done whichever runs first; the child may already have executed.
pub(super) fn lead_group(launch: &Launch<'_>, child: Pid) {
    if launch.own_group {
        let _ = nix::unistd::setpgid(child, child);
    }
}

/// Waits until the child has become its program, up to `end`.
///
/// # Errors
/// What kept it from that.
pub(super) fn hear(launch: &Launch<'_>, report: OwnedFd, end: Option<Instant>) -> Result<(), SpawnError> {
    let program = match launch.what {
        What::Program(program) => program,
        What::Builtin { name, .. } => &Program { argv: vec![name.clone()], env: vec![], cwd: None, root: false },
    };
    let report = read_within(report, end)?;
    if report.is_empty() {
        return Ok(());
    }
    Err(match serde_json::from_slice(&report) {
        Ok(Failure::Directory(errno)) => {
            SpawnError::Directory { directory: program.cwd.clone().unwrap_or_else(|| "/".into()), errno }
        }
        Ok(Failure::Program(errno)) => SpawnError::Program { program: program.argv[0].clone(), errno },
        Ok(Failure::Prepare(doing, errno)) => SpawnError::Prepare { doing, errno },
        Err(_) => prepare_error("hear from the child", Errno::EIO),
    })
}

/// All that comes out of a pipe before `end`, if there is one.
///
/// # Errors
/// It is still open then.
pub(super) fn read_within(pipe: OwnedFd, end: Option<Instant>) -> Result<Vec<u8>, SpawnError> {
    let late = || HostError::lacking("start a program", "it did not start in time").cure("unpause its container");
    let mut pipe = File::from(pipe);
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = end {
            let left = end.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
            let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)], timeout) {
                Ok(0) => return Err(late().into()),
                Err(Errno::EINTR) if Instant::now() < end => continue,
                _ => {}
            }
        }
        match pipe.read(&mut buffer) {
            Ok(0) => return Ok(all),
            Ok(n) => all.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return Err(prepare_error("hear from the child", Errno::EIO)),
        }
    }
}

pub(super) fn prepare_error(doing: &str, errno: Errno) -> SpawnError {
    SpawnError::Prepare { doing: doing.into(), errno: errno as i32 }
}

impl Beginning<'_> {
    /// The child: becomes the program, or reports and ends.
    pub(super) fn child(self) -> ! {
        let Beginning { launch, arguments, parent, report } = self;
        let failure = match prepare(launch, arguments.as_ref(), parent) {
            Ok(()) => match (&launch.what, arguments) {
                (What::Builtin { name, job }, _) => {
                    drop(report);
                    run_builtin(launch.builtin, name, job)
                }
                (What::Program(program), Some(arguments)) => {
                    mark_close_on_exec();
                    let home = match launch.who {
                        Who::Container(interior) if program.env.iter().all(|(name, _)| name != "HOME") => {
                            interior.home(program.root)
                        }
                        _ => None,
                    };
                    Failure::Program(execute(&arguments, home) as i32)
                }
                (What::Program(_), None) => Failure::Program(libc::EINVAL),
            },
            Err(failure) => failure,
        };
        fail(report, &failure)
    }
}

/// Tells the parent, and ends.
pub(super) fn fail(report: OwnedFd, failure: &Failure) -> ! {
    if let Ok(text) = serde_json::to_vec(failure) {
        let _ = File::from(report).write_all(&text);
    }
    // SAFETY: _exit takes no pointers and does not return; no destructor or exit handler of the parent's runs.
    unsafe { libc::_exit(127) }
}

fn prepare(launch: &Launch<'_>, arguments: Option<&Arguments>, parent: Pid) -> Result<(), Failure> {
    let failed = Failure::prepare;
    if launch.own_group {
        nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0)).map_err(|e| failed(("make a process group", e)))?;
    }
    (launch.enter)().map_err(failed)?;
    if let Some([stdin, stdout, stderr]) = launch.stdio {
        nix::unistd::dup2_stdin(stdin).map_err(|e| failed(("set standard input", e)))?;
        nix::unistd::dup2_stdout(stdout).map_err(|e| failed(("set standard output", e)))?;
        nix::unistd::dup2_stderr(stderr).map_err(|e| failed(("set standard error", e)))?;
    }
    if let Some(soft) = launch.open_files {
        // Best effort: a limit that cannot be lowered again harms nobody.
        let resource = nix::sys::resource::Resource::RLIMIT_NOFILE;
        if let Ok((_, hard)) = nix::sys::resource::getrlimit(resource) {
            let _ = nix::sys::resource::setrlimit(resource, soft.min(hard), hard);
        }
    }
    match launch.who {
        Who::Host { identity, limits, privileged, .. } => {
            if let What::Program(_) = launch.what {
                limit(limits, identity).map_err(failed)?;
            }
            identity.assume(launch.who.is_root(launch.what), privileged).map_err(failed)?;
        }
        Who::Container(_) => {}
        Who::Network(interior, caller) => {
            interior.measure(caller).map_err(failed)?;
            end_with(parent).map_err(|e| failed(("tie a process to its parent", e)))?;
        }
    }
    // As the user who runs it: root may be able to enter where the user is not.
    let cwd = arguments.map_or(c"/", |arguments| &arguments.cwd);
    nix::unistd::chdir(cwd).map_err(|e| Failure::Directory(e as i32))?;
    // Where root runs longwire, programs gain nothing by what they execute. Those of a normal user may: ping with file capabilities,
    // sudo. In a guest everybody is a normal user.
    if let Who::Host { identity, privileged: false, builtins_as_root: false, .. } = launch.who
        && !identity.nested
    {
        nix::sys::prctl::set_no_new_privs().map_err(|e| failed(("give up new privileges", e)))?;
    }
    reset_signals();
    Ok(())
}

/// Has this process killed when its parent ends. After changes of credentials, which would clear it (prctl(2)).
pub(super) fn end_with(parent: Pid) -> Result<(), Errno> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // it may have ended before that
    if getppid() == parent { Ok(()) } else { Err(Errno::ESRCH) }
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

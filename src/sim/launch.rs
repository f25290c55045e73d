//! The kernel's process: how it is started, what it gives up, and how it is watched.

use std::env;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileExt as _, symlink};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration as WallDuration, Instant as WallInstant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::sched_getcpu;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Pid, getuid};

use super::kernel::Kernel;
use super::{Ended, Job, Order, Place, SimError, User, Watcher, console, guest};
use crate::host::signals::Requests;
use crate::host::{Identity, confine, raise_open_files, sys};
use crate::units::{Duration, Instant};

/// The guest's clock at boot, in ns since 1970: the same in every run, since programs see it.
const BOOT: u64 = 1_795_000_000_000_000_000;
/// Time between two looks at the guest's clock.
const LOOK_MS: u16 = 100;
/// How long a guest may take to end by itself once it was asked to.
const GRACE: WallDuration = WallDuration::from_secs(10);
/// A launcher that did not run for so long was stopped, as by Ctrl-Z, and the guest with it.
const STOPPED: WallDuration = WallDuration::from_secs(2);

/// Where a shell's output goes: the kernel's descriptor for it (kernel/longwire_terminal.c).
const TERMINAL: i32 = 3;

/// Files that the guest's kernel has open before anything runs in it, and some to spare.
const OPEN_FILES: u64 = 64;

/// Every file that is open in the guest is open in its kernel's process too.
fn enough_open_files() -> Result<(), SimError> {
    raise_open_files();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(|errno| SimError::Lacks(errno.desc().to_owned()))?;
    match hard < OPEN_FILES {
        true => Err(SimError::Lacks(format!(
            "virtual time needs {OPEN_FILES} open files at least, and this shell's limit is {hard}: raise it (`ulimit -n \
             65536`; the hard limit is in limits.conf)"
        ))),
        false => Ok(()),
    }
}

/// Through sudo, this process becomes the person behind it, who is returned: nothing here needs root. What it makes from then on is that
/// person's, such as the directory of `--out`.
///
/// # Errors
/// The kernel refuses, or nobody can tell who that is.
pub fn become_caller() -> Result<Identity, SimError> {
    let identity = Identity::caller(false).map_err(|error| SimError::Input(error.to_string()))?;
    if getuid().is_root() {
        identity
            .become_caller()
            .map_err(|(what, errno)| SimError::Lacks(format!("cannot {what}: {}", errno.desc())))?;
    }
    Ok(identity)
}

/// Runs a scenario in virtual time. Must be called while this process has one thread; afterwards it has no capability and writes to
/// the order's folder and `--out` only.
///
/// # Errors
/// This machine lacks something, the guest died, or its time stood still for too long. Nothing is left behind in any case.
pub fn simulate(kernel: &Kernel, order: Order, watcher: &mut dyn Watcher) -> Result<Ended, SimError> {
    let identity = become_caller()?;
    enough_open_files()?;
    let signals = take_signals().map_err(|errno| SimError::Lacks(format!("cannot take signals: {}", errno.desc())))?;
    let mut place = Place::make(order.memory)?;
    let lacks = |what: &str, error: io::Error| SimError::Lacks(format!("cannot {what}: {error}"));
    prepare(place.path(), &order, identity).map_err(|error| lacks("prepare the guest", error))?;
    let writable: Vec<PathBuf> =
        [place.path().to_path_buf(), order.folder.clone()].into_iter().chain(order.out.iter().cloned()).collect();
    confine::confine(&writable).map_err(|error| lacks("give up privileges", error))?;
    let child = start(kernel, place.path(), &order)
        .map_err(|error| SimError::Lacks(format!("cannot start the kernel {}: {error}", kernel.path.display())))?;
    let mut guest = Guest::new(child, kernel);
    place.0.janitor.wait_for(guest.pid()).map_err(|error| lacks("tell the process that cleans up", error))?;
    let status = if order.shell.is_some() {
        // a person takes the time that it takes, and what is typed is seen
        guest.watch(&signals, place.path(), Duration::MAX, &mut Silent)?
    } else {
        guest.watch(&signals, place.path(), order.wall_limit, watcher)?
    };
    conclude(place, status, guest.now)
}

/// Does not say how the run is doing.
struct Silent;

impl Watcher for Silent {
    fn progress(&mut self, _: &str, _: Option<Duration>, _: f64) {}
}

/// From here on signals are read, not delivered; the end of a child is one of them.
fn take_signals() -> nix::Result<SignalFd> {
    let mut mask = SigSet::empty();
    mask.extend([Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGCHLD]);
    mask.thread_block()?;
    SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

fn prepare(place: &Path, order: &Order, identity: Identity) -> io::Result<()> {
    let mask = umask(Mode::from_bits_truncate(0o077));
    umask(mask);
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let job = Job {
        arguments: order.arguments.clone(),
        files: order.files.clone(),
        folder: order.folder.clone(),
        seed: order.seed,
        user: User { uid: identity.uid, gid: identity.gid, groups: identity.groups },
        environment: env::vars_os().filter_map(text).collect(),
        directory: env::current_dir()?,
        umask: mask.bits(),
        colour: order.colour,
        out: order.out.clone(),
        shell: order.shell.clone(),
    };
    fs::write(place.join(guest::JOB), serde_json::to_vec(&job)?)?;
    symlink(env::current_exe()?, place.join(guest::INIT))
}

fn start(kernel: &Kernel, place: &Path, order: &Order) -> io::Result<Child> {
    let console = File::create(place.join(console::CONSOLE))?;
    let filter = confine::no_entropy()?;
    let cpu = order.cpu.or_else(|| sched_getcpu().ok());
    let terminal = order.shell.as_ref().map(|_| io::stdout().as_fd().try_clone_to_owned()).transpose()?;
    let mut command = Command::new(&kernel.path);
    command
        .args(arguments(order))
        .current_dir(place)
        .env_clear()
        // where the guest's memory lies, and what else user-mode Linux would look for
        .env("TMPDIR", place)
        .env("HOME", place)
        .stdin(if terminal.is_some() { Stdio::inherit() } else { Stdio::null() })
        .stdout(console.try_clone()?)
        .stderr(console);
    sys::before_exec(&mut command, move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // every system call of the guest switches between two processes: on one processor that costs a third
        if let Some(cpu) = cpu {
            confine::pin(cpu)?;
        }
        if let Some(terminal) = &terminal {
            sys::pass_on(terminal.as_fd(), TERMINAL)?;
        }
        confine::fix_addresses();
        confine::apply(&filter)
    });
    command.spawn()
}

/// The kernel's command line. It seeds the guest's random numbers, so nothing is on it that differs between two runs of the same
/// scenario and seed.
fn arguments(order: &Order) -> Vec<String> {
    let mut arguments = vec![
        format!("mem={}M", order.memory.as_bytes() >> 20),
        format!("init=/proc/self/cwd/{}", guest::INIT),
        "time-travel=inf-cpu".into(),
        format!("time-travel-start={BOOT}"),
        format!("umid={}", console::NAME),
        // a parameter of a module that there is not: ignored, and part of the seed
        format!("longwire.seed={}", order.seed),
        // read by `is_first_process`: the kernel puts what it does not know into its first process's environment
        format!("{}=1", super::MARK),
    ];
    if order.shell.is_some() {
        arguments.push("longwire_terminal".into());
    }
    arguments.extend(
        [
            "rootfstype=hostfs",
            "rw",
            "uml_dir=./",
            "con=null",
            "con0=null,fd:1",
            "ssl=null",
            "quiet",
            // the run's directory may be in the machine's /dev/shm
            "devtmpfs.mount=0",
            "panic=-1",
            "noreboot",
            // hangs in virtual time: it measures the jitter of a clock that has none
            "initcall_blacklist=jent_mod_init",
        ]
        .map(String::from),
    );
    arguments
}

/// The kernel's process at work.
struct Guest {
    child: Child,
    time: Option<File>,
    time_at: u64,
    now: Instant,
    moved: WallInstant,
    began: WallInstant,
}

impl Guest {
    fn new(child: Child, kernel: &Kernel) -> Guest {
        let now = WallInstant::now();
        Guest { child, time: None, time_at: kernel.time_at, now: Instant::ZERO, moved: now, began: now }
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// Until the kernel's process has ended; how it did.
    fn watch(
        &mut self,
        signals: &SignalFd,
        place: &Path,
        wall_limit: Duration,
        watcher: &mut dyn Watcher,
    ) -> Result<ExitStatus, SimError> {
        let limit = WallDuration::from_nanos(wall_limit.as_nanos());
        let mut asked: Option<WallInstant> = None;
        let mut requests = Requests::default();
        let mut looked = WallInstant::now();
        loop {
            let mut fds = [PollFd::new(signals.as_fd(), PollFlags::POLLIN)];
            // an error is that of a signal that came meanwhile
            let _ = poll(&mut fds, PollTimeout::from(LOOK_MS));
            while let Ok(Some(signal)) = signals.read_signal() {
                let counts = requests.counts(signal.ssi_signo, WallInstant::now());
                if signal.ssi_signo == Signal::SIGCHLD as u32 || !counts {
                    continue;
                }
                let at_once = signal.ssi_signo == Signal::SIGQUIT as u32 || asked.is_some();
                asked = Some(WallInstant::now());
                if at_once || console::tell(place, "cad").is_err() {
                    self.kill();
                    return Err(SimError::Interrupted);
                }
            }
            self.look();
            if looked.elapsed() > STOPPED {
                self.moved = WallInstant::now();
            }
            looked = WallInstant::now();
            if let Ok(Some(status)) = self.child.try_wait() {
                return Ok(status);
            }
            if asked.is_some() {
                // the interrupt may have come just before the guest stopped to wait for a shell's line: here is another
                let _ = console::tell(place, "version");
            }
            if asked.is_some_and(|at| at.elapsed() > GRACE) {
                self.kill();
                return Err(SimError::Interrupted);
            }
            if self.moved.elapsed() > limit {
                return Err(self.stuck(place, wall_limit));
            }
            self.tell(place, watcher);
        }
    }

    /// Reads the guest's clock from its kernel's memory.
    fn look(&mut self) {
        if self.time.is_none() {
            // before it has been executed, its memory is still a copy of this process's
            self.time = File::open(format!("/proc/{}/mem", self.child.id())).ok();
        }
        let mut bytes = [0; 8];
        let Some(file) = &self.time else { return };
        match file.read_exact_at(&mut bytes, self.time_at) {
            Ok(()) => {
                let now = Instant::from_nanos(u64::from_ne_bytes(bytes));
                if now != self.now {
                    self.moved = WallInstant::now();
                    self.now = now;
                }
            }
            Err(_) => self.time = None,
        }
    }

    fn tell(&self, place: &Path, watcher: &mut dyn Watcher) {
        let console = console::read(place);
        let (zero, phase) = console::phase(&console).unwrap_or((None, "booting"));
        let elapsed = zero.map(|zero| self.now - Instant::from_nanos(zero));
        let speed = self.now.as_nanos() as f64 / self.began.elapsed().as_nanos().max(1) as f64;
        watcher.progress(phase, elapsed, speed);
    }

    /// Virtual time stands still: names the program that keeps it, and ends the guest.
    fn stuck(&mut self, place: &Path, limit: Duration) -> SimError {
        // first all that the kernel has to say is let through to the console
        for request in ["sysrq 9", "sysrq p"] {
            let _ = console::tell(place, request);
        }
        std::thread::sleep(WallDuration::from_millis(300));
        self.kill();
        let console = console::read(place);
        let what = match console::running(&console) {
            Some(name) => format!("`{name}` keeps the processor"),
            None => "a program keeps the processor".into(),
        };
        let why = format!(
            "virtual time stood still for {limit} of the machine's (`--wall-limit`): {what}. Time passes only while every program \
             waits: one that polls without reading the clock never lets it. Let it sleep or wait, or use `longwire run`"
        );
        SimError::Broken { why, console }
    }

    fn kill(&mut self) {
        // it may have ended just now
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.kill();
    }
}

fn conclude(place: Place, status: ExitStatus, now: Instant) -> Result<Ended, SimError> {
    let console = console::read(place.path());
    let code = place.read(guest::CODE).ok().and_then(|text| String::from_utf8(text).ok()?.parse().ok());
    match code {
        Some(code) => Ok(Ended { code, virtual_time: now, place }),
        None => Err(SimError::Broken { why: console::cause(&console, &ended_with(status)), console }),
    }
}

fn ended_with(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no status".into(),
    }
}

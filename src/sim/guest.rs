//! The first process of the guest: it makes the guest's file systems, runs the scenario in a child, and switches the guest off.
//!
//! The kernel starts this very program, through a link in the run's directory: hostfs shows the machine's files, and until the guest
//! has a /proc of its own, /proc/self is the kernel's process on the machine, whose working directory is that of the run. So neither
//! the program's path nor the directory's is on the kernel's command line, which seeds its random numbers.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sys::reboot::{RebootMode, reboot, set_cad_enabled};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::stat::{Mode, umask};
use nix::sys::time::TimeSpec;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};
use nix::unistd::{Pid, chdir, chroot, dup2_stderr, dup2_stdin, dup2_stdout, sethostname, setsid, sync};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::{Job, Shell};
use crate::host;

/// Where the run's directory is seen in the guest.
pub const EXCHANGE: &str = "/longwire";
/// The job's file in the run's directory.
pub(super) const JOB: &str = "job.json";
/// The link to this program in the run's directory.
pub(super) const INIT: &str = "init";
/// The run's exit code, once it is over.
pub(super) const CODE: &str = "code";
/// What the run wrote to standard output.
pub const STDOUT: &str = "stdout";
/// What the run wrote to standard error.
pub const STDERR: &str = "stderr";

/// When the run begins: late enough for any boot, and the same instant for all. Until its first tick the kernel's timers are coarse.
const BEGIN: TimeSpec = TimeSpec::new(1, 0);
/// Soft and hard limit of open files, as systemd gives them.
const OPEN_FILES: (u64, u64) = (1024, 524_288);

/// Settings that would depend on the guest's memory: their values on a machine of 8 GiB. And memory may be asked for beyond what
/// there is, as programs do that use little of it: the kernel says when it is used up, and an allocation that fails does not.
const SETTINGS: [(&str, &str); 5] = [
    ("vm/overcommit_memory", "1"),
    ("net/ipv4/tcp_rmem", "4096 131072 6291456"),
    ("net/ipv4/tcp_wmem", "4096 16384 4194304"),
    ("net/ipv4/tcp_mem", "92160 122880 184320"),
    ("net/ipv4/udp_mem", "184320 245760 368640"),
];

/// The terminal of `--shell` (kernel/longwire_terminal.c).
const TERMINAL: &str = "/proc/longwire_terminal";

/// Is the guest's first process, and never returns. `run` runs a job and returns its exit code; `shell` is a shell beside it.
pub fn main(run: fn(&Job) -> i32, shell: fn(&Job, &Shell) -> i32) -> ! {
    let error = match live(run, shell) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    // the console is what the launcher reads when there is no exit code
    let _ = fs::write("/dev/console", format!("longwire: the guest could not be set up: {error}\n"));
    let _ = reboot(RebootMode::RB_POWER_OFF);
    std::process::exit(1)
}

fn live(run: fn(&Job) -> i32, shell: fn(&Job, &Shell) -> i32) -> io::Result<Infallible> {
    // Otherwise Ctrl-Alt-Del, which is how the launcher asks for an end, reboots.
    set_cad_enabled(false)?;
    let mut mask = SigSet::empty();
    mask.extend([Signal::SIGINT, Signal::SIGCHLD]);
    mask.thread_block()?;

    let place = fs::read_link("/proc/self/cwd").map_err(doing("find the run's directory"))?;
    let job = fs::read(place.join(JOB)).map_err(doing("read the job"))?;
    let job: Job = serde_json::from_slice(&job)?;
    file_systems(&place, &job.folder)?;
    for (name, value) in SETTINGS {
        fs::write(Path::new("/proc/sys").join(name), value).map_err(doing("apply a setting"))?;
    }
    // not the machine's: the kernel stirs it into its random numbers
    sethostname("longwire")?;
    if job.shell.is_some() && !Path::new(TERMINAL).exists() {
        return Err(io::Error::other("this kernel has no terminal for `--shell`: build it anew, by kernel/build"));
    }
    let mut entropy = [0; 64];
    Xoshiro256PlusPlus::seed_from_u64(job.seed).fill_bytes(&mut entropy);
    host::sys::add_entropy(&entropy)?;
    let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &BEGIN);

    let child = host::fork_child("start the run", || match prepare(&job) {
        Ok(()) => run(&job),
        Err(error) => {
            eprint_line(&format!("error: cannot run in the guest: {error}"));
            4
        }
    });
    if let Some(wanted) = &job.shell {
        host::fork_child("start the shell", || match take_terminal(&job) {
            Ok(()) => shell(&job, wanted),
            Err(error) => {
                let _ = fs::write("/dev/console", format!("longwire: no shell: {error}\n"));
                4
            }
        })
        .map_err(io::Error::other)?;
    }
    let code = watch(child.map_err(io::Error::other)?, &mask)?;
    fs::write(Path::new(EXCHANGE).join(CODE), code.to_string())?;
    sync();
    reboot(RebootMode::RB_POWER_OFF).map_err(io::Error::from)
}

fn doing(what: &'static str) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("cannot {what}: {error}"))
}

/// The standard error of the run: this crate prints nowhere else than in `cli`, and that is not reached here.
fn eprint_line(text: &str) {
    let _ = io::Write::write_all(&mut io::stderr(), format!("{text}\n").as_bytes());
}

const NONE: Option<&str> = None;

/// Turns the machine's files, which the kernel has mounted as its root, into the lower layer of a root whose upper layer is memory.
/// The scenario's folder and the run's directory stay the machine's.
fn file_systems(place: &Path, folder: &Path) -> io::Result<()> {
    // a directory that every machine has, and that is not needed any more
    const STAGE: &str = "/proc";
    mount(Some("tmpfs"), STAGE, Some("tmpfs"), MsFlags::empty(), Some("mode=755"))?;
    for name in ["upper", "work", "root"] {
        fs::create_dir(Path::new(STAGE).join(name))?;
    }
    let root = Path::new(STAGE).join("root");
    let layers = "lowerdir=/,upperdir=/proc/upper,workdir=/proc/work";
    mount(Some("root"), &root, Some("overlay"), MsFlags::empty(), Some(layers))
        .map_err(io::Error::from)
        .map_err(doing("mount the root"))?;
    let bind = |from: &Path, to: PathBuf| {
        mount(Some(from), &to, NONE, MsFlags::MS_BIND, NONE).map_err(io::Error::from).map_err(doing("bind a directory"))
    };
    let exchange = inside(&root, Path::new(EXCHANGE));
    fs::create_dir_all(&exchange)?;
    bind(place, exchange)?;
    // It may be in a directory that is mounted anew below, as /dev/shm is.
    let machines = fs::File::open(folder).map_err(doing("open the scenario's folder"))?;

    chdir(&root)?;
    mount(Some("."), "/", NONE, MsFlags::MS_MOVE, NONE)?;
    chroot(".")?;
    chdir("/")?;

    let secure = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), secure, NONE)?;
    mount(Some("sysfs"), "/sys", Some("sysfs"), secure, NONE)?;
    mount(Some("devtmpfs"), "/dev", Some("devtmpfs"), MsFlags::MS_NOSUID, NONE)?;
    for (name, kind, options) in [
        ("/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=620,gid=5"),
        ("/dev/shm", "tmpfs", "mode=1777"),
        ("/sys/fs/cgroup", "cgroup2", ""),
    ] {
        let _ = fs::create_dir(name);
        mount(Some(kind), name, Some(kind), MsFlags::MS_NOSUID, Some(options))
            .map_err(io::Error::from)
            .map_err(doing("mount /dev/pts, /dev/shm or /sys/fs/cgroup"))?;
    }
    for (name, to) in [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2")] {
        // devtmpfs may have it
        let _ = symlink(to, Path::new("/dev").join(name));
    }
    let _ = fs::remove_file("/dev/ptmx");
    symlink("pts/ptmx", "/dev/ptmx")?;
    for device in ["null", "zero", "full", "random", "urandom", "tty", "net/tun"] {
        let path = Path::new("/dev").join(device);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).map_err(doing("make a device usable"))?;
    }
    fs::create_dir_all(folder).map_err(doing("find the scenario's folder"))?;
    bind(Path::new(&format!("/proc/self/fd/{}", machines.as_raw_fd())), folder.to_owned())
}

/// `path` as it is seen beneath `root`.
fn inside(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Makes the child the run's process.
fn prepare(job: &Job) -> io::Result<()> {
    SigSet::empty().thread_set_mask()?;
    setsid()?;
    let exchange = Path::new(EXCHANGE);
    dup2_stdin(fs::File::open("/dev/null")?)?;
    dup2_stdout(fs::File::create(exchange.join(STDOUT))?)?;
    dup2_stderr(fs::File::create(exchange.join(STDERR))?)?;
    setrlimit(Resource::RLIMIT_NOFILE, OPEN_FILES.0, OPEN_FILES.1)?;
    umask(Mode::from_bits_truncate(job.umask));
    // what lies in /dev/shm on the machine is not seen here
    fs::create_dir_all(&job.directory)?;
    chdir(&job.directory)?;
    Ok(())
}

/// Makes the child the shell's process.
fn take_terminal(job: &Job) -> io::Result<()> {
    SigSet::empty().thread_set_mask()?;
    setsid()?;
    let terminal = fs::File::options().read(true).write(true).open(TERMINAL).map_err(doing("open the terminal"))?;
    dup2_stdin(&terminal)?;
    dup2_stdout(&terminal)?;
    dup2_stderr(&terminal)?;
    umask(Mode::from_bits_truncate(job.umask));
    chdir(&job.directory)?;
    Ok(())
}

/// Until the run is over: reaps what is left of others, and passes on that an end is asked for.
fn watch(child: Pid, mask: &SigSet) -> io::Result<i32> {
    loop {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::Exited(pid, code)) if pid == child => return Ok(code),
                Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => return Ok(128 + signal as i32),
                Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => break,
                Ok(_) | Err(Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        if mask.wait()? == Signal::SIGINT {
            // it may just have ended, which is seen next
            let _ = kill(child, Signal::SIGINT);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_beneath_the_new_root() {
        assert_eq!(inside(Path::new("/proc/root"), Path::new("/a/b")), Path::new("/proc/root/a/b"));
        assert_eq!(inside(Path::new("/proc/root"), Path::new("/")), Path::new("/proc/root"));
    }
}

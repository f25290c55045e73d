//! Running a program in a host of a run that another process holds: `longwire exec`.
#![allow(unsafe_code)]

use std::io::IsTerminal;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill, killpg, pthread_sigmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpgrp, getpid, tcgetpgrp, tcsetpgrp};

use super::container::Interior;
use super::error::{HostError, SpawnError};
use super::identity::Identity;
use super::namespace::{self, NamespaceFds};
use super::protocol::ExitStatus;
use super::spawn::{self, Launch, Program, What, Who};
use super::{entry, helper, peer};
use crate::addressing::network::Limits;

impl NamespaceFds {
    /// Checks that they are what a run of the user `uid` hands out: its user namespace is that user's own, and all others
    /// belong to it; without one, all belong to this process's. Who can make a namespace decides what is mounted in it.
    ///
    /// # Errors
    /// They are somebody else's, or no namespaces.
    pub fn check_owner(&self, uid: u32) -> Result<(), HostError> {
        const DOING: &str = "enter the host";
        let failed = |e: Errno| match e {
            // NS_GET_USERNS: the owner is not within this process's user namespace.
            Errno::EPERM => HostError::lacking(DOING, "its namespaces belong to another user namespace")
                .cure("use the user and the container that started the run"),
            Errno::ENOTTY => HostError::lacking(DOING, "what the run handed over is no namespace"),
            other => HostError::os(DOING, other),
        };
        let own;
        let users = match &self.users {
            Some(users) => {
                let owner = peer::owner_of_users(users.as_fd()).map_err(failed)?;
                if owner != uid {
                    let reason = format!("its user namespace belongs to user {owner}, and the run to user {uid}");
                    return Err(HostError::lacking(DOING, reason));
                }
                users
            }
            None => {
                own = namespace::own("user").map_err(|e| HostError::os(DOING, e))?;
                &own
            }
        };
        // Of a user namespace, which comes last, this would be the parent.
        let all = self.as_fds();
        for part in &all[..all.len() - usize::from(self.users.is_some())] {
            let owner = peer::users_of(*part).map_err(failed)?;
            if !peer::is_same(owner.as_fd(), users.as_fd()).map_err(failed)? {
                return Err(failed(Errno::EPERM));
            }
        }
        Ok(())
    }
}

/// Joins a host, runs a program there with this process's standard streams and terminal, and returns its code (128 + n for
/// signal n). Signals that reach this process are passed on. The program dies with the run.
///
/// This process must have one thread, and stays in the host's namespaces: it should end afterwards.
///
/// # Errors
/// The namespaces cannot be joined (they are somebody else's, or the run has ended), or the program cannot be executed.
pub fn join_and_run(namespaces: &NamespaceFds, program: &Program, identity: &Identity) -> Result<i32, SpawnError> {
    helper::require_one_thread("join a host")?;
    namespaces.enter().map_err(|(doing, errno)| not_joined("host", doing, errno))?;
    let privileged = namespaces.are_privileged();
    let who = Who::Host { identity, limits: Limits::default(), privileged, builtins_as_root: false };
    let ended = run(program, who, spawn::launch);
    ended.map_err(
        |error| {
            if namespace_has_ended(&error) { HostError::ended("the run has ended").into() } else { error }
        },
    )
}

/// The same in a container, as its own user and with its rights, or as its root. The program ends with the container at the latest,
/// and not with the run.
///
/// # Errors
/// As [`join_and_run`].
pub fn join_container_and_run(interior: &Interior, program: &Program) -> Result<i32, SpawnError> {
    helper::require_one_thread("join a container")?;
    let launch = |launch: &Launch<'_>| entry::launch(interior, program.root, launch, None, None);
    run(program, Who::Container(interior), launch).map_err(|error| match error {
        _ if namespace_has_ended(&error) => HostError::ended("the container has ended").into(),
        SpawnError::Prepare { doing, errno: libc::EPERM } => not_joined("container", &doing, Errno::EPERM).into(),
        _ => error,
    })
}

fn not_joined(what: &str, doing: &str, errno: Errno) -> HostError {
    HostError::os(format!("join the {what}: {doing}"), errno).cure("use the user who started the run, or run with sudo")
}

/// What fork says when the process 1 of a PID namespace is dead (pid_namespaces(7)).
fn namespace_has_ended(error: &SpawnError) -> bool {
    matches!(error, SpawnError::Prepare { doing, errno: libc::ENOMEM } if doing == "fork")
}

/// Runs a program with this process's standard streams. `launch` makes it a child of this process.
fn run(
    program: &Program,
    who: Who<'_>,
    launch: impl FnOnce(&Launch<'_>) -> Result<Pid, SpawnError>,
) -> Result<i32, SpawnError> {
    let terminal = Terminal::take();
    let passed = [
        Signal::SIGCHLD,
        Signal::SIGTERM,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGQUIT,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
    ];
    let mut set: SigSet = passed.into_iter().collect();
    // Taking the terminal back from the background would stop this process otherwise.
    set.add(Signal::SIGTTOU);
    let prepare = |doing: &str, errno: Errno| SpawnError::Prepare { doing: doing.into(), errno: errno as i32 };
    pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&set), None).map_err(|e| prepare("block signals", e))?;
    set.remove(Signal::SIGTTOU);
    let signals = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC).map_err(|e| prepare("watch signals", e))?;
    let enter = || {
        // By the child itself and before it runs, so that it never reads the terminal from the background.
        if terminal.is_some() {
            tcsetpgrp(std::io::stdin(), getpgrp()).map_err(|e| ("take the terminal", e))
        } else {
            Ok(())
        }
    };
    let launched = launch(&Launch {
        what: &What::Program(program.clone()),
        who,
        stdio: None,
        enter: &enter,
        own_group: terminal.is_some(),
        builtin: |_, _| 127,
        open_files: None,
    });
    let status = launched.map(|child| follow(child, &signals, terminal.as_ref()));
    if let Some(terminal) = &terminal {
        terminal.give_back();
    }
    status.map(ExitStatus::shell_code)
}

/// A terminal that the program gets to itself, as a shell's foreground job does.
struct Terminal {
    own: Pid,
}

impl Terminal {
    /// Only where this process is a job of its own in the foreground, both ends on the terminal: inside a pipeline or a
    /// script the program stays in the group that it was started in, as any other program would.
    fn take() -> Option<Terminal> {
        let own = getpgrp();
        let interactive = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        (interactive && own == getpid() && tcgetpgrp(std::io::stdin()) == Ok(own)).then_some(Terminal { own })
    }

    fn give_to(&self, group: Pid) {
        let _ = tcsetpgrp(std::io::stdin(), group);
    }

    fn give_back(&self) {
        self.give_to(self.own);
    }
}

/// Waits for the program, passing signals on.
fn follow(child: Pid, signals: &SignalFd, terminal: Option<&Terminal>) -> ExitStatus {
    let flags = WaitPidFlag::WUNTRACED | WaitPidFlag::WNOHANG;
    loop {
        match waitpid(child, Some(flags)) {
            Ok(WaitStatus::Exited(_, code)) => return ExitStatus::Code(code),
            Ok(WaitStatus::Signaled(_, signal, _)) => return ExitStatus::Signal(signal as i32),
            Ok(WaitStatus::Stopped(..)) => {
                // As a shell's job: the shell sees this process stop, and continues it.
                if let Some(terminal) = terminal {
                    terminal.give_back();
                    let _ = kill(getpid(), Signal::SIGSTOP);
                    terminal.give_to(child);
                    let _ = killpg(child, Signal::SIGCONT);
                }
                continue;
            }
            Err(Errno::EINTR) => continue,
            Err(_) => return ExitStatus::Code(127),
            Ok(_) => {}
        }
        let Ok(Some(info)) = signals.read_signal() else { continue };
        let Ok(signal) = Signal::try_from(info.ssi_signo as i32) else { continue };
        // What a key sent (SI_KERNEL) has reached the program too where both are in one group.
        let from_key = info.ssi_code == libc::SI_KERNEL && terminal.is_none();
        if signal != Signal::SIGCHLD && !from_key {
            let _ = if terminal.is_some() { killpg(child, signal) } else { kill(child, signal) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn handles_are_namespaces_of_the_runs_own_user() {
        let own = |kind| namespace::own(kind).expect("a namespace");
        let fds = |users: bool| NamespaceFds {
            network: own("net"),
            mounts: own("mnt"),
            name: own("uts"),
            ipc: own("ipc"),
            processes: own("pid"),
            users: users.then(|| own("user")),
        };
        // those of this process, as a run without a user namespace of its own has them
        assert_eq!(fds(false).check_owner(0), Ok(()));
        let uid = peer::owner_of_users(own("user").as_fd()).expect("a user namespace");
        assert_eq!(fds(true).check_owner(uid), Ok(()));
        let refused = |fds: NamespaceFds, uid| fds.check_owner(uid).expect_err("refused").reason;
        assert!(refused(fds(true), uid + 1).contains("belongs to user"));
        let null = || spawn::null().expect("/dev/null");
        assert!(refused(NamespaceFds { mounts: null(), ..fds(false) }, 0).contains("no namespace"));
        assert!(refused(NamespaceFds { users: Some(null()), ..fds(false) }, 0).contains("no namespace"));
        // a user namespace that is right, and others that do not belong to it
        let uid = nix::unistd::geteuid();
        let made = std::process::Command::new("unshare").args(["-U", "readlink", "/proc/self/ns/user"]).output();
        if made.is_ok_and(|made| made.status.success()) {
            let mut child = std::process::Command::new("unshare")
                .args(["-U", "sh", "-c", "echo; exec cat"])
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .expect("unshare");
            let mut line = [0];
            std::io::Read::read_exact(&mut child.stdout.take().expect("piped"), &mut line).expect("it is up");
            let path = format!("/proc/{}/ns/user", child.id());
            let users: OwnedFd = std::fs::File::open(path).expect("a namespace").into();
            assert_eq!(peer::owner_of_users(users.as_fd()), Ok(uid.as_raw()));
            let strange = NamespaceFds { users: Some(users), ..fds(false) };
            assert!(refused(strange, uid.as_raw()).contains("another user namespace"));
            drop(child.stdin.take());
            child.wait().expect("our child");
        }
    }
}

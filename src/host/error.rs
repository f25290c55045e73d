//! Why the hosts' side could not do something, and what cures it.

use std::io;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// Whose matter an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// This machine lacks something, or forbids it (exit code 4).
    Machine,
    /// The scenario asks for what does not exist or cannot be: an external interface, an address (exit code 2).
    Input,
    /// The process that holds the hosts ended before it was told to.
    Ended,
}

/// Something that could not be set up: what, why, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("cannot {doing}: {reason}{}", .cure.as_ref().map_or(String::new(), |cure| format!("; {cure}")))]
pub struct HostError {
    /// Whose matter it is.
    pub cause: Cause,
    /// What was being done, to which host or interface: completes "cannot …".
    pub doing: String,
    /// Why it failed, in words.
    pub reason: String,
    /// The system's error number, where there is one.
    pub errno: Option<i32>,
    /// What to do about it, one sentence.
    pub cure: Option<String>,
}

impl HostError {
    /// A failed system call: the machine's matter, with the cures that hold wherever that number turns up.
    pub(crate) fn os(doing: impl Into<String>, error: impl Into<io::Error>) -> HostError {
        let error = error.into();
        let errno = error.raw_os_error();
        let reason = errno.map_or_else(|| error.to_string(), |n| Errno::from_raw(n).desc().to_owned());
        let cure = match errno.map(Errno::from_raw) {
            _ if open_files(&error).is_some() => open_files(&error),
            Some(Errno::ENOSPC) => {
                Some("raise the limits on namespaces (`sysctl user.max_net_namespaces user.max_mnt_namespaces`)")
            }
            Some(Errno::ENOMEM) => Some("free some memory, or use fewer hosts"),
            Some(Errno::EROFS) => Some(
                "this container mounts it read-only: start it with `--cap-add SYS_ADMIN --cap-add NET_ADMIN`, or with \
                 `--privileged` (Docker, Podman)",
            ),
            _ => None,
        };
        HostError { cause: Cause::Machine, doing: doing.into(), reason, errno, cure: cure.map(Into::into) }
    }

    /// Something that the scenario asks for and that cannot be.
    pub(crate) fn input(doing: impl Into<String>, reason: impl Into<String>) -> HostError {
        HostError { cause: Cause::Input, doing: doing.into(), reason: reason.into(), errno: None, cure: None }
    }

    /// Something that this machine lacks and that no system call reported.
    pub(crate) fn lacking(doing: impl Into<String>, reason: impl Into<String>) -> HostError {
        HostError { cause: Cause::Machine, ..HostError::input(doing, reason) }
    }

    /// The process that holds the hosts is gone.
    pub(crate) fn ended(reason: impl Into<String>) -> HostError {
        HostError { cause: Cause::Ended, ..HostError::input("reach the process that holds the hosts", reason) }
    }

    /// A host's process 1 is gone, and all programs with it.
    pub(crate) fn host_ended(host: &str) -> HostError {
        let reason = "its process 1 was killed, and with it all of its programs";
        HostError { cause: Cause::Ended, ..HostError::input(format!("go on with host `{host}`"), reason) }
    }

    /// Replaces the cure, unless files ran out: that has only one.
    #[must_use]
    pub(crate) fn cure(mut self, cure: impl Into<String>) -> HostError {
        if self.errno.and_then(|errno| open_files(&io::Error::from_raw_os_error(errno))).is_none() {
            self.cure = Some(cure.into());
        }
        self
    }

    /// Names the host that it happened to.
    #[must_use]
    pub(crate) fn at(mut self, host: &str) -> HostError {
        self.doing = format!("{} (host `{host}`)", self.doing);
        self
    }

    /// A TAP that could not be opened.
    pub(crate) fn tap(interface: &str, error: io::Error) -> HostError {
        let cure = match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENODEV | libc::ENXIO) => Some(
                "load the driver (`sudo modprobe tun`); a container needs `--device /dev/net/tun`, which also hands \
                 the device in",
            ),
            Some(libc::EACCES) => Some("give access to the device: `sudo chmod 666 /dev/net/tun`"),
            Some(libc::EPERM) => Some(
                "a container's device rules may forbid it: start it with `--device /dev/net/tun`; otherwise run as \
                 root, or allow user namespaces",
            ),
            Some(libc::EBUSY) => Some("another process holds this TAP: end it, or name another one"),
            Some(libc::EINVAL) => Some("the name belongs to an interface that is not a TAP: name another one"),
            _ => None,
        };
        let error = HostError::os(format!("open TAP `{interface}` through /dev/net/tun"), error);
        match cure {
            Some(cure) => error.cure(cure),
            None => error,
        }
    }

    /// Something that a user namespace was needed for, or that was refused inside one.
    pub(crate) fn user_namespace(doing: impl Into<String>, error: impl Into<io::Error>) -> HostError {
        let error = HostError::os(doing, error);
        match user_namespace_cure(|path| std::fs::read_to_string(path).ok()) {
            Some(cure) => error.cure(cure),
            None => error.cure(
                "run it with sudo, or allow user namespaces (a container: `--cap-add SYS_ADMIN --cap-add NET_ADMIN`, or \
                 `--privileged`)",
            ),
        }
    }
}

/// What to do about an error that a limit of open files causes.
pub(crate) fn open_files(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE | Errno::ETOOMANYREFS) => {
            Some("raise this shell's limit of open files (`ulimit -n 65536`; the hard limit is in limits.conf)")
        }
        Some(Errno::ENFILE) => Some("raise the machine's limit of open files (`sysctl fs.file-max`)"),
        _ => None,
    }
}

/// Which of the known switches forbids user namespaces to normal users here, and how to turn it.
fn user_namespace_cure(read: impl Fn(&str) -> Option<String>) -> Option<String> {
    let value = |path| read(path).and_then(|text| text.trim().parse::<u64>().ok());
    if value("/proc/sys/user/max_user_namespaces") == Some(0) {
        return Some(
            "user namespaces are switched off: `sudo sysctl user.max_user_namespaces=15000`, or run with sudo".into(),
        );
    }
    if value("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        return Some(
            "user namespaces are for root only: `sudo sysctl kernel.unprivileged_userns_clone=1`, or run with sudo"
                .into(),
        );
    }
    if value("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return Some(
            "AppArmor restricts user namespaces: give longwire a profile with `userns,` in /etc/apparmor.d, or `sudo \
             sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or run with sudo"
                .into(),
        );
    }
    None
}

/// Why a program did not start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
pub enum SpawnError {
    /// The working directory cannot be entered.
    #[error("cannot enter the working directory `{directory}`: {}", describe(*errno))]
    Directory {
        /// As it was asked for.
        directory: String,
        /// The system's error number.
        errno: i32,
    },
    /// The program cannot be executed: not found (`ENOENT`), not executable (`EACCES`), no known format (`ENOEXEC`).
    #[error("cannot execute `{program}`: {}", describe_exec(*errno))]
    Program {
        /// As it was asked for.
        program: String,
        /// The system's error number.
        errno: i32,
    },
    /// The child could not be prepared: its namespaces, its user, its descriptors.
    #[error("cannot {doing} for a program: {}", describe(*errno))]
    Prepare {
        /// Completes "cannot …".
        doing: String,
        /// The system's error number.
        errno: i32,
    },
    /// No such host, or one that longwire did not make.
    #[error("cannot run a program in `{host}`: it is not a host of this run's own making")]
    Host {
        /// As it was asked for.
        host: String,
    },
    /// A program name, an argument or a variable that no program can be given: empty list, NUL byte.
    #[error("cannot run {what}")]
    Text {
        /// What is wrong with it.
        what: String,
    },
    /// The hosts' side itself failed.
    #[error(transparent)]
    Hosts(#[from] HostError),
}

fn describe(errno: i32) -> String {
    super::open::plain(&io::Error::from_raw_os_error(errno))
}

fn describe_exec(errno: i32) -> String {
    match errno {
        libc::ENOENT => "no such program (nor its interpreter, if it is a script)".into(),
        libc::ENOEXEC => "not a program: no known format and no `#!` line".into(),
        other => describe(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_what_why_and_what_to_do() {
        let error = HostError::tap("eth0", io::Error::from_raw_os_error(libc::EACCES)).at("alice");
        assert_eq!(
            error.to_string(),
            "cannot open TAP `eth0` through /dev/net/tun (host `alice`): Permission denied; give access to the device: \
             `sudo chmod 666 /dev/net/tun`"
        );
        assert_eq!(error.cause, Cause::Machine);
        let open_files = HostError::os("make a namespace", Errno::EMFILE);
        assert!(open_files.cure.is_some_and(|cure| cure.contains("ulimit -n")));
        let mapping = HostError::user_namespace("map users", Errno::EMFILE);
        assert!(mapping.cure.is_some_and(|cure| cure.contains("ulimit -n")));
    }

    #[test]
    fn the_switch_that_forbids_user_namespaces_is_named() {
        let only = |name: &'static str, value: &'static str| {
            move |path: &str| if path.ends_with(name) { Some(format!("{value}\n")) } else { None }
        };
        let cure = |name, value| user_namespace_cure(only(name, value));
        assert!(cure("max_user_namespaces", "0").is_some_and(|c| c.contains("user.max_user_namespaces")));
        assert!(cure("unprivileged_userns_clone", "0").is_some_and(|c| c.contains("unprivileged_userns_clone=1")));
        assert!(cure("apparmor_restrict_unprivileged_userns", "1").is_some_and(|c| c.contains("profile")));
        assert_eq!(cure("max_user_namespaces", "15000"), None);
        assert_eq!(cure("apparmor_restrict_unprivileged_userns", "0"), None);
    }

    #[test]
    fn errors_survive_the_way_between_the_processes() {
        let error = SpawnError::Hosts(HostError::user_namespace("make a user namespace", Errno::EPERM));
        let text = serde_json::to_string(&error).expect("plain data");
        assert_eq!(serde_json::from_str::<SpawnError>(&text).expect("the same shape"), error);
    }
}

//! What can go wrong with a network, in the words of the command line.

use std::fmt;

use crate::host::{Cause as HostCause, HostError, SpawnError};
use crate::run::RunError;
use crate::run::owner::Cause;

/// What went wrong, where, and what to do about it.
///
/// `Debug` prints what `Display` prints, so that a test or a `main` that returns it shows it readably.
#[derive(Clone, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    text: String,
}

/// Whose matter an [`Error`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The scenario is wrong, or a live change is. The text has every mistake with its place, as `longwire check` prints it.
    Scenario,
    /// This machine cannot make hosts: no access to /dev/net/tun, no namespaces; or it has no kernel for virtual time. The text names
    /// the cure; a test may [skip](crate::skip).
    Unsupported,
    /// The network, or a report, has nothing of that name.
    Unknown,
    /// A program could not be started: it is not there, or what it was given is not text.
    Program,
    /// A program did not end in the time that it was given, and was killed.
    TimedOut,
    /// The network is not up any more.
    Over,
    /// A service failed before the network was ready.
    Failed,
    /// Something of the machine broke down on the way.
    Machine,
}

impl Error {
    pub(super) fn new(kind: ErrorKind, text: impl Into<String>) -> Error {
        Error { kind, text: text.into() }
    }

    /// Whose matter it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether this machine cannot make hosts, or has no kernel for virtual time, so that a test that needs them may be skipped.
    pub fn is_unsupported(&self) -> bool {
        self.kind == ErrorKind::Unsupported
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Several lines, as diagnostics are, begin below "Error: ".
        if self.text.contains('\n') {
            f.write_str("\n")?;
        }
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

impl From<(Cause, String)> for Error {
    fn from((cause, reason): (Cause, String)) -> Error {
        let kind = match cause {
            Cause::Input => ErrorKind::Scenario,
            Cause::Lacking => ErrorKind::Unsupported,
            Cause::Broken => ErrorKind::Machine,
        };
        Error::new(kind, reason)
    }
}

impl From<SpawnError> for Error {
    fn from(error: SpawnError) -> Error {
        let kind = match &error {
            SpawnError::Host { .. } => ErrorKind::Unknown,
            SpawnError::Hosts(_) => ErrorKind::Machine,
            _ => ErrorKind::Program,
        };
        Error::new(kind, error.to_string())
    }
}

/// Whose matter it is that a run could not be carried out.
pub(super) fn cause_of(error: &RunError) -> Cause {
    match error {
        RunError::Host(error) => cause_of_host(error),
        RunError::Timeline(_) => Cause::Input,
        RunError::Live(_) | RunError::OnUp(_) | RunError::Machine { .. } => Cause::Broken,
    }
}

/// A machine that has no memory or descriptors left lacks nothing that another one would have: a test that was skipped
/// for it would hide that.
pub(super) fn cause_of_host(error: &HostError) -> Cause {
    let exhausted = [libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::ETOOMANYREFS];
    match error.cause {
        HostCause::Input => Cause::Input,
        HostCause::Machine if error.errno.is_none_or(|errno| !exhausted.contains(&errno)) => Cause::Lacking,
        HostCause::Machine | HostCause::Ended => Cause::Broken,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(errno: Option<i32>) -> HostError {
        let (doing, reason) = ("open TAP `eth0`".to_owned(), "because".to_owned());
        HostError { cause: HostCause::Machine, doing, reason, errno, cure: None }
    }

    #[test]
    fn what_a_machine_lacks_is_told_from_what_it_ran_out_of() {
        assert_eq!(cause_of_host(&machine(Some(libc::EPERM))), Cause::Lacking);
        assert_eq!(cause_of_host(&machine(None)), Cause::Lacking);
        assert_eq!(cause_of_host(&machine(Some(libc::EMFILE))), Cause::Broken);
        let input = RunError::Host(HostError { cause: HostCause::Input, ..machine(None) });
        assert_eq!(cause_of(&input), Cause::Input);
    }

    #[test]
    fn it_reads_alike_however_it_is_printed() {
        let error = Error::new(ErrorKind::Unknown, "no host `bop`: did you mean `bob`?");
        assert_eq!(format!("{error:?}"), error.to_string());
        let several = Error::new(ErrorKind::Scenario, "one\ntwo");
        assert_eq!(format!("Error: {several:?}"), "Error: \none\ntwo");
    }
}

//! Tests on machines that cannot make hosts: skipped with a message, unless hosts are required.

use std::io::Write;
use std::sync::OnceLock;

use super::connection::Connection;
use super::copy::Order;
use super::{Error, ErrorKind};

/// Set to `1` where tests must not be skipped.
const REQUIRED: &str = "LONGWIRE_REQUIRED";

/// What this machine lacks for networks, with its cure; `None` where it lacks nothing. It is tried once a process.
pub fn unsupported() -> Option<Error> {
    static FOUND: OnceLock<Option<Error>> = OnceLock::new();
    FOUND.get_or_init(tried).clone()
}

fn tried() -> Option<Error> {
    let lacks = Connection::open(Order::Try, "try").and_then(|(connection, thread)| {
        let lacks = connection.lacks();
        connection.close();
        let _ = thread.join();
        lacks
    });
    match lacks {
        Ok(None) => None,
        Ok(Some(what)) => Some(Error::new(ErrorKind::Unsupported, what)),
        // It would not work later either, and what is not the machine's fault must not be skipped: `start` says it.
        Err(_) => None,
    }
}

/// Whether a test has to be skipped, since this machine cannot make hosts. Says why, to standard error, past a test
/// harness that keeps what tests print to itself. [`skip_unless_supported!`](crate::skip_unless_supported) returns as well.
///
/// # Panics
/// It would have to be, and `LONGWIRE_REQUIRED=1` is set, as it should be in CI.
#[track_caller]
pub fn skip() -> bool {
    let Some(lacking) = unsupported() else { return false };
    assert!(!is_required(), "{REQUIRED} is set, and this machine cannot make hosts: {lacking}");
    tell(&lacking);
    true
}

/// Whether skipping is failing here.
pub(super) fn is_required() -> bool {
    std::env::var_os(REQUIRED).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Nothing, with a message, where this machine lacks something and that may be.
pub(super) fn or_skip<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(error) if error.is_unsupported() && !is_required() => {
            tell(&error);
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// Says why a test is skipped.
pub(super) fn tell(lacking: &Error) {
    let thread = std::thread::current();
    let test = thread.name().filter(|name| *name != "main").map(|name| format!("{name} is ")).unwrap_or_default();
    // There is nobody left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "{test}skipped: {lacking}");
}

/// Returns from a test where this machine cannot make hosts, with a message to standard error that says why; with
/// `LONGWIRE_REQUIRED=1` in the environment, as in CI, it panics instead.
///
/// ```no_run
/// # #[allow(clippy::needless_doctest_main)]
/// #[test]
/// fn pages_arrive_over_bad_wifi() {
///     longwire::skip_unless_supported!();
///     // …
/// }
///
/// #[test]
/// fn pages_arrive_over_satellite() -> Result<(), longwire::Error> {
///     longwire::skip_unless_supported!(Ok(()));
///     // …
///     Ok(())
/// }
/// ```
#[macro_export]
macro_rules! skip_unless_supported {
    () => {
        if $crate::skip() {
            return;
        }
    };
    ($returned:expr) => {
        if $crate::skip() {
            return $returned;
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_tried_once_and_says_the_same_afterwards() {
        let first = unsupported();
        assert_eq!(unsupported(), first);
        assert!(first.is_none_or(|error| error.is_unsupported()));
    }
}

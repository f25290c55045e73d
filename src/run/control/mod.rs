//! The control sockets of a running network: how `longwire exec`, `set`, `ps` and `status` reach it.
//!
//! On the machine an abstract Unix socket, which lives exactly as long as the run: nothing is left in the file system. In
//! each host one in its own /run/longwire. Anybody can make a socket of that name, so each side looks at the other's user
//! (`SO_PEERCRED`) before it sends or believes a byte: its own, or root.
//!
//! | file | idea |
//! |---|---|
//! | `address` | names of sockets, and where they are looked for |
//! | `greeting` | the first line of both sides: the version |
//! | `server` | the run's end |
//! | `client` | the other end: finding a run and asking it |

use std::io;

use serde::{Deserialize, Serialize};

use crate::host::Facts;
use crate::report::status::{RunInfo, Status};
use crate::run::given::{Needed, Texts};

mod address;
mod client;
mod greeting;
mod server;

pub use client::{Door, Entrance, Found, find, runs};
pub use server::{Control, Peer};

/// What a run can be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// What run it is.
    Info,
    /// What each link does now.
    Status,
    /// The namespaces of a host, to run a program in it.
    Exec {
        /// The host's name.
        host: String,
    },
    /// A live change, as people write it: `wifi.loss=10%`.
    Set {
        /// One change an entry; they take effect at one instant.
        changes: Vec<String>,
        /// Files that they name, as far as the run has asked for them.
        files: Texts,
    },
}

/// What a run answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// What run it is.
    Info(RunInfo),
    /// What each link does now.
    Status(Box<Status>),
    /// The namespaces come beside it.
    Exec {
        /// The environment of programs.
        environment: Vec<(String, String)>,
        /// As [`crate::host::Identity::nested`].
        nested: bool,
        /// Set of a container, whose handles come beside it then.
        container: Option<Facts>,
    },
    /// Done: what changed, in words, one a direction.
    Set(Vec<String>),
    /// Not done yet: these files are to come along.
    Needs(Needed),
    /// Not done, and why.
    Refused(String),
}

/// Why a run could not be reached.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No run at all.
    #[error("no run of yours is up: start one with `longwire run FILE`{}", roots(of_root))]
    NoRun {
        /// Those that root has up, and that do not hear this user.
        of_root: Vec<String>,
    },
    /// None of that name.
    #[error("no run is called `{name}`; up now: {}", known.join(", "))]
    NoSuchRun {
        /// As it was asked for.
        name: String,
        /// Those that are up.
        known: Vec<String>,
    },
    /// Several, and none was named.
    #[error("several runs are up, name one of them: {}", known.join(", "))]
    Several {
        /// Those that are up.
        known: Vec<String>,
    },
    /// It hears only its own user and root.
    #[error("the run `{run}` belongs to root: use sudo")]
    TurnedAway {
        /// Its name.
        run: String,
    },
    /// It is of another version of longwire.
    #[error(
        "the run `{run}` is of {}, and this is longwire {}: use the longwire that started it",
        theirs.as_ref().map_or("another version of longwire".into(), |theirs| format!("longwire {theirs}")),
        greeting::VERSION
    )]
    Version {
        /// Its name.
        run: String,
        /// Its version, where it told one.
        theirs: Option<String>,
    },
    /// The run refused.
    #[error("{0}")]
    Refused(String),
    /// It did not answer as a run does.
    #[error("the run `{run}` did not answer: {}", silence(error))]
    Silent {
        /// Its name.
        run: String,
        /// Why.
        error: io::Error,
    },
    /// It handed over what it does not own.
    #[error("the run `{run}` is not believed: {error}")]
    NotBelieved {
        /// Its name.
        run: String,
        /// Why.
        error: crate::host::HostError,
    },
    /// The list of sockets cannot be read.
    #[error("cannot look for runs in /proc/net/unix: {0}")]
    Look(io::Error),
}

fn silence(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => "it said nothing for seconds; is it stopped?".into(),
        io::ErrorKind::InvalidData => format!("what it said is not understood: {error}"),
        _ => error.to_string(),
    }
}

fn roots(runs: &[String]) -> String {
    if runs.is_empty() { String::new() } else { format!("; root has {} up: use sudo", runs.join(", ")) }
}

#[cfg(test)]
mod tests;

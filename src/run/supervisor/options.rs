//! What a live run is given, who watches it, and why it can break down.

use std::io;
use std::path::PathBuf;

use crate::host::{HostError, Identity, open};
use crate::report::status::RunInfo;
use crate::run::live::{LiveError, Progress};
use crate::run::out_dir::OutDir;
use crate::units::Duration;

/// What a live run needs besides its scenario.
#[derive(Debug, Default)]
pub struct Options {
    /// Where all that explains the run is left.
    pub out: Option<OutDir>,
    /// The scenario's file as it was given.
    pub file: String,
    /// A line for `sh -c` on the machine itself, which runs from when the network stands until the run ends.
    pub on_up: Option<String>,
    /// The run happens in a guest, in virtual time.
    pub inside: Option<Inside>,
}

/// What a run in a guest is told by whoever started the guest.
#[derive(Clone, Debug)]
pub struct Inside {
    /// Who programs run as.
    pub user: Identity,
    /// What programs find in their environment.
    pub environment: Vec<(String, String)>,
    /// What the directory of `--out` is called on the machine.
    pub out: Option<PathBuf>,
}

/// Hears how a run is doing.
pub trait Watcher {
    /// What the run does now: "starting services".
    fn phase(&mut self, what: &str);
    /// The network is up, and its services and machines are ready: t = 0.
    fn up(&mut self, _run: &RunInfo) {}
    /// How far it is, a few times a second: time since t = 0, the whole duration if there is one, frames so far.
    fn progress(&mut self, elapsed: Duration, of: Option<Duration>, progress: &Progress);
}

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The hosts could not be made or have failed.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The engine failed.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A step of the timeline is not possible any more: a file that it reads is gone.
    #[error("{0}")]
    Timeline(String),
    /// The command that the caller wants while the network stands has failed.
    #[error("the command of `--on-up` {0}")]
    OnUp(String),
    /// Something of the machine failed on the way.
    #[error("cannot {doing}: {}", open::plain(error))]
    Machine {
        /// What was being done: completes "cannot …".
        doing: &'static str,
        /// Why it failed.
        error: io::Error,
    },
}

impl RunError {
    pub(super) fn machine(doing: &'static str) -> impl Fn(io::Error) -> RunError {
        move |error| RunError::Machine { doing, error }
    }
}

//! Virtual time: a scenario run inside user-mode Linux in its time-travel mode.
//!
//! User-mode Linux is Linux as an ordinary process. In time-travel mode its clock stands still while any task can run, and jumps to
//! the next timer when all wait. The whole run happens inside: `longwire run`, hosts, TAPs, engine, programs. So its times are exact,
//! whatever the machine does meanwhile, and the same file, seed, programs and kernel give the same bytes.
//!
//! | file | idea |
//! |---|---|
//! | `kernel` | where the kernel is looked for |
//! | `place` | the run's private directory, which holds the guest's memory and all that is exchanged with it |
//! | `launch` | the kernel's process: command line, what it gives up, how it is watched |
//! | `console` | what the kernel prints, what it is told, and why a guest died |
//! | `guest` | the first process of the guest: its file systems, then the run |
//!
//! The machine's files are the guest's root, overlaid with memory: programs read what they read outside, and what they write is gone
//! with the guest, except in the scenario's folder and in the run's directory.

mod console;
pub mod guest;
pub mod kernel;
mod launch;
mod place;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::tasks::resolved::Resolved;
use crate::units::{ByteSize, Duration, Instant};

pub use console::announce;
pub use launch::{become_caller, simulate};
pub use place::Place;

/// In the environment of the guest's first process.
const MARK: &str = "LONGWIRE_GUEST";

/// How long virtual time may stand still by the machine's clock, unless told otherwise.
pub const WALL_LIMIT: Duration = Duration::from_secs(60);

/// The scenario's folder as the guest sees it, which programs may write to.
///
/// # Errors
/// It is not there; or it is the root, which holds all files.
pub fn folder(resolved: &Resolved) -> Result<PathBuf, String> {
    own_folder(&resolved.scenario.folder)
}

fn own_folder(of: &Path) -> Result<PathBuf, String> {
    // the current folder's name is empty
    let folder = if of.as_os_str().is_empty() { Path::new(".") } else { of };
    let found = folder.canonicalize();
    let found = found.map_err(|error| format!("cannot find the scenario's folder {}: {error}", folder.display()))?;
    if found.parent().is_none() {
        return Err(
            "expected the scenario in a folder of its own, since programs may write to that folder, found it in /: \
                    move it to another one"
                .into(),
        );
    }
    Ok(found)
}

/// Whether this process is the first of a guest that a launcher has started.
pub fn is_first_process() -> bool {
    std::process::id() == 1 && std::env::var_os(MARK).is_some()
}

/// A run in virtual time, as the launcher is asked for it.
#[derive(Clone, Debug)]
pub struct Order {
    /// Arguments of `longwire run` inside the guest; files that it writes lie in [`guest::EXCHANGE`].
    pub arguments: Vec<String>,
    /// Scenario files by the path that names them: what was checked is what runs.
    pub files: BTreeMap<PathBuf, String>,
    /// The scenario's folder, the only one of the machine's that programs can write to.
    pub folder: PathBuf,
    /// Seed of the guest's entropy.
    pub seed: u64,
    /// The guest's memory.
    pub memory: ByteSize,
    /// How long the machine's clock may go on without the guest's, before the run is given up.
    pub wall_limit: Duration,
    /// The processor to use; by default the one that the launcher is on.
    pub cpu: Option<usize>,
    /// Whether what the run prints for people has colours.
    pub colour: bool,
    /// The directory of `--out`, which exists and which the launcher fills afterwards.
    pub out: Option<PathBuf>,
    /// A shell on the launcher's standard input and output; nothing else is printed meanwhile, and no limit is on the machine's clock.
    pub shell: Option<Shell>,
}

/// What the guest needs to know.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Arguments of `longwire run`.
    pub arguments: Vec<String>,
    /// Scenario files by the path that names them.
    pub files: BTreeMap<PathBuf, String>,
    /// The scenario's folder.
    pub folder: PathBuf,
    /// Seed of the guest's entropy.
    pub seed: u64,
    /// Who programs run as.
    pub user: User,
    /// Their environment.
    pub environment: Vec<(String, String)>,
    /// Where relative paths begin.
    pub directory: PathBuf,
    /// File mode creation mask.
    pub umask: u32,
    /// Whether what the run prints for people has colours.
    pub colour: bool,
    /// What the directory of `--out` is called on the machine.
    pub out: Option<PathBuf>,
    /// A shell on the machine's terminal.
    pub shell: Option<Shell>,
}

/// A shell in a host, from when the run is up. Virtual time stands still while it waits for a line to be typed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Shell {
    /// The host's name.
    pub host: String,
    /// Whether it prints prompts.
    pub prompts: bool,
}

/// A user and the groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

/// Hears how a run in virtual time is doing.
pub trait Watcher {
    /// A few times a second of the machine's clock. `phase`: what the run does, in words; `elapsed`: virtual time since t = 0,
    /// once it has come; `speed`: virtual seconds for each second of the machine's.
    fn progress(&mut self, phase: &str, elapsed: Option<Duration>, speed: f64);
}

/// A run in virtual time that has come to its end by itself.
#[derive(Debug)]
pub struct Ended {
    /// The exit code of `longwire run` inside.
    pub code: i32,
    /// Virtual time from boot to power-off.
    pub virtual_time: Instant,
    /// What the run left, until this is dropped.
    pub place: Place,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// This machine lacks something.
    #[error("{0}")]
    Lacks(String),
    /// What was asked for cannot be.
    #[error("{0}")]
    Input(String),
    /// The guest did not come to an end by itself.
    #[error("{why}")]
    Broken {
        /// Why, and what to do about it.
        why: String,
        /// What its kernel printed.
        console: String,
    },
    /// Somebody ended it, and it could not end by itself any more.
    #[error("interrupted: the guest did not end by itself, and was killed")]
    Interrupted,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scenario_has_a_folder_of_its_own() {
        assert_eq!(own_folder(Path::new("")).unwrap(), std::env::current_dir().unwrap().canonicalize().unwrap());
        assert!(own_folder(Path::new("/")).unwrap_err().contains("in a folder of its own"));
        assert!(own_folder(Path::new("/no/such")).unwrap_err().contains("/no/such"));
    }
}

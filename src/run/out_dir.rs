//! The run's directory (`--out DIR`): all that explains a run, on every exit.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use crossbeam_channel::Receiver;

use crate::record::event_log::{self, Entry, Names};

/// What every run leaves.
const FILES: [&str; 6] = ["report.json", "report.txt", "report.html", "plan.yaml", "command.txt", "events.jsonl"];

/// Lines of `events.jsonl` at most: about 200 MB.
const LOGGED: u64 = 1 << 20;

/// Where a run leaves its files.
#[derive(Clone, Debug)]
pub struct OutDir {
    path: PathBuf,
}

impl OutDir {
    /// Makes the directory, and those inside it. What an earlier run left must be writable: that shows before the run.
    ///
    /// # Errors
    /// Those of making directories and of opening files.
    pub fn create(path: &Path) -> io::Result<OutDir> {
        let programs = path.join("programs");
        fs::create_dir_all(&programs)?;
        for folder in [path, &programs] {
            tempfile::tempfile_in(folder)?;
        }
        for name in FILES {
            match File::options().append(true).open(path.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(io::Error::new(error.kind(), format!("{name}: {error}")));
                }
                _ => {}
            }
        }
        Ok(OutDir { path: path.canonicalize()? })
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a whole file.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        fs::write(self.path.join(name), text)
    }

    /// The file for all that a program writes.
    ///
    /// # Errors
    /// Those of making a file.
    pub fn program_output(&self, name: &str) -> io::Result<File> {
        File::create(self.path.join("programs").join(format!("{name}.log")))
    }

    /// Starts the thread that writes `events.jsonl`; it ends with the log. It gives how many entries did not fit.
    ///
    /// # Errors
    /// Those of making a file or a thread.
    pub fn event_log(&self, names: Names, log: Receiver<Vec<Entry>>) -> io::Result<JoinHandle<io::Result<u64>>> {
        let mut file = BufWriter::new(File::create(self.path.join("events.jsonl"))?);
        std::thread::Builder::new().name("longwire-log".into()).spawn(move || {
            let beyond = event_log::write_up_to(LOGGED, log, &names, &mut file)?;
            file.flush().map(|()| beyond)
        })
    }
}

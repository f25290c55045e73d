//! The event log of a run on its way to `events.jsonl`. Its times count from t = 0, so it is written from then on; what
//! happened before waits.

use std::io;
use std::thread::JoinHandle;

use crossbeam_channel::Receiver;

use crate::report::event_log::{Entry, Names};
use crate::run::out_dir::OutDir;

/// The log: waiting, or being written.
pub(super) struct Log {
    out: OutDir,
    batches: Receiver<Vec<Entry>>,
    writer: Option<io::Result<JoinHandle<io::Result<u64>>>>,
}

impl Log {
    pub(super) fn new(out: OutDir, batches: Receiver<Vec<Entry>>) -> Log {
        Log { out, batches, writer: None }
    }

    /// Starts writing, unless it has been. What goes wrong is told at the end: the run is what it is.
    pub(super) fn begin(&mut self, names: impl FnOnce() -> Names) {
        if self.writer.is_none() {
            self.writer = Some(self.out.event_log(names(), self.batches.clone()));
        }
    }

    /// Waits until all is written, once the engine's end is gone; how many entries did not fit.
    ///
    /// # Errors
    /// Those of making the file and of writing.
    pub(super) fn finish(self) -> io::Result<u64> {
        let Log { batches, writer, .. } = self;
        drop(batches);
        let Some(writer) = writer else { return Ok(0) };
        writer?.join().unwrap_or_else(|_| Err(io::Error::other("its thread ended")))
    }
}

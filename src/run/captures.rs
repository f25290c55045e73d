//! Captures of a live run: the thread that writes them, and their files below `--out DIR`.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::clock::Clock;
use super::out_dir::{CAPTURES, OutDir};
use crate::capture::{CaptureFile, CaptureTitle, Next, Reel, Tape, Totals, tape};
use crate::engine::LinkId;
use crate::report::json::Capture as CaptureReport;
use crate::report::json::Verdict;
use crate::tasks::capture::{Capture, Keep};
use crate::tasks::resolved::Resolved;
use crate::units::Instant;

/// What has been captured is in the file after so long at the latest, if nothing more comes.
const PATIENCE: Duration = Duration::from_millis(200);

/// Begins the reason of a capture that breaks off.
const BROKEN: &str = "it could not be written: ";

/// Files that are open, and what will be written to them on its way.
pub(super) struct Prepared {
    capture: Capture,
    out: OutDir,
    places: Vec<Place>,
    files: Vec<File>,
    reel: Reel,
}

/// Where the capture of a link is.
#[derive(Clone, Debug)]
struct Place {
    link: String,
    /// Its name while it is being written.
    during: String,
    /// Its name if it is kept.
    kept: String,
}

/// Captures that are being written. Dropped, they are ended and kept: a run that broke down is to be explained.
pub(super) struct Captures {
    thread: Option<JoinHandle<Vec<io::Result<Totals>>>>,
    /// Nothing more is to be waited for.
    stop: Arc<AtomicBool>,
    span: Arc<OnceLock<Span>>,
    out: OutDir,
    places: Vec<Place>,
    keep: Keep,
}

/// What the scenario calls t = 0, and when the run was over but for taking it down.
#[derive(Clone, Copy, Debug)]
struct Span {
    zero: Instant,
    end: Instant,
}

impl Prepared {
    /// Makes the files, and the tape for the engine's thread.
    ///
    /// # Errors
    /// Those of making files.
    pub(super) fn new(resolved: &Resolved, capture: &Capture, out: &OutDir) -> io::Result<(Prepared, Tape)> {
        let places: Vec<Place> = capture
            .links
            .iter()
            .map(|link| {
                let link = resolved.links[*link].name.clone();
                let kept = format!("{link}.pcapng");
                let during = match capture.keep {
                    Keep::Always => kept.clone(),
                    Keep::OnFail => format!("{kept}.part"),
                };
                Place { link, during, kept }
            })
            .collect();
        let files = places.iter().map(|place| out.capture(&place.during)).collect::<io::Result<_>>()?;
        let links: Vec<LinkId> = capture.links.iter().map(|link| LinkId(*link as u32)).collect();
        let (tape, reel) = tape(resolved.plan.links.len() * 2, &links);
        Ok((Prepared { capture: capture.clone(), out: out.clone(), places, files, reel }, tape))
    }

    /// Starts the thread that writes. `clock` is the engine's.
    ///
    /// # Errors
    /// Those of making a thread.
    pub(super) fn start(self, resolved: &Resolved, clock: Clock) -> io::Result<Captures> {
        let Prepared { capture, out, places, files, reel } = self;
        let epoch = epoch(clock);
        let os = os();
        let mut open = Vec::new();
        for (file, link) in files.into_iter().zip(&capture.links) {
            let title = CaptureTitle {
                scenario: &resolved.scenario.name,
                seed: resolved.scenario.seed,
                link: &resolved.links[*link].name,
                ends: &resolved.links[*link].ends,
                directions: &resolved.plan.links[*link].directions,
                os: &os,
                size: capture.size,
                snap: capture.snap,
                epoch,
            };
            open.push(CaptureFile::new(file, &title));
        }
        let (stop, span) = (Arc::new(AtomicBool::new(false)), Arc::new(OnceLock::new()));
        let writer = Writer { files: open, reel, stop: Arc::clone(&stop), span: Arc::clone(&span), clock };
        let thread = std::thread::Builder::new().name("longwire-capture".into()).spawn(move || writer.run())?;
        Ok(Captures { thread: Some(thread), stop, span, out, places, keep: capture.keep })
    }
}

impl Captures {
    /// Says what the scenario calls t = 0, and when the run was over. Only the first call counts.
    pub(super) fn span(&self, zero: Instant, end: Instant) {
        let _ = self.span.set(Span { zero, end });
    }

    /// Ends the files, once the engine's thread has ended, and keeps them or not. One that cannot be written is a matter of its
    /// own: the others, and the run, are what they are.
    pub(super) fn conclude(mut self, verdict: Verdict) -> Vec<CaptureReport> {
        let totals = self.end();
        let nothing_failed = matches!(verdict, Verdict::Pass | Verdict::None);
        let kept = self.keep == Keep::Always || !nothing_failed;
        let places = std::mem::take(&mut self.places);
        places.into_iter().zip(totals).map(|(place, totals)| place.conclude(&self.out, kept, totals)).collect()
    }

    fn end(&mut self) -> Vec<io::Result<Totals>> {
        let ended = || self.places.iter().map(|_| Err(io::Error::other("its thread ended"))).collect();
        self.thread.take().map_or_else(Vec::new, |thread| thread.join().unwrap_or_else(|_| ended()))
    }
}

impl Drop for Captures {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // something else has failed before, which is told
            self.stop.store(true, Ordering::Relaxed);
            self.end();
            for place in &self.places {
                let _ = place.keep(&self.out);
            }
        }
    }
}

impl Place {
    fn keep(&self, out: &OutDir) -> io::Result<()> {
        match out.captures() {
            Some(folder) if self.during != self.kept => folder.rename(&self.during, &self.kept),
            _ => Ok(()),
        }
    }

    fn conclude(self, out: &OutDir, kept: bool, totals: io::Result<Totals>) -> CaptureReport {
        let moved = match out.captures() {
            Some(folder) if !kept => folder.remove(&self.during),
            _ => self.keep(out),
        };
        let broken = |error: &io::Error| format!("{BROKEN}{error}");
        let reason = match (&totals, &moved) {
            (Err(error), _) | (_, Err(error)) => Some(broken(error)),
            (Ok(_), Ok(())) => (!kept).then(|| "not kept: nothing failed (`keep: on-fail`)".into()),
        };
        // of one that broke off, what is there
        let there = || {
            let seen = out.captures().and_then(|folder| folder.look(&self.kept).ok().flatten());
            seen.map_or(0, |file| file.st_size.max(0) as u64)
        };
        let Totals { frames, bytes, missed, beyond, complete } =
            totals.unwrap_or_else(|_| Totals { bytes: there(), ..Totals::default() });
        CaptureReport {
            file: (kept && moved.is_ok()).then(|| format!("{CAPTURES}/{}", self.kept)),
            link: self.link,
            reason,
            frames,
            bytes,
            missed,
            beyond,
            complete,
        }
    }
}

/// What could not be written of a capture, in a sentence.
pub(super) fn unwritten(capture: &CaptureReport) -> Option<String> {
    let reason = capture.reason.as_ref().filter(|reason| reason.starts_with(BROKEN))?;
    Some(format!("the capture of `{}`: {reason}", capture.link))
}

/// What a report says of captures that the scenario asks for, where there is no directory for them.
pub(super) fn not_written(resolved: &Resolved) -> Vec<CaptureReport> {
    let links = resolved.scenario.capture.iter().flat_map(|capture| &capture.links);
    links
        .map(|link| CaptureReport {
            link: resolved.links[*link].name.clone(),
            file: None,
            reason: Some("not written: there is no --out DIR".into()),
            frames: 0,
            bytes: 0,
            missed: 0,
            beyond: 0,
            complete: false,
        })
        .collect()
}

struct Writer {
    /// By link; one that could not be written any further is its error.
    files: Vec<io::Result<CaptureFile<File>>>,
    reel: Reel,
    stop: Arc<AtomicBool>,
    span: Arc<OnceLock<Span>>,
    clock: Clock,
}

impl Writer {
    fn run(mut self) -> Vec<io::Result<Totals>> {
        let mut last = Instant::ZERO;
        loop {
            match self.reel.next(PATIENCE) {
                Next::Chunk(chunk) => {
                    for (record, bytes) in chunk.iter() {
                        last = last.max(record.at);
                        let link = record.slot as usize / 2;
                        let Ok(file) = &mut self.files[link] else { continue };
                        let was_full = file.is_full();
                        let taken = file.take(record.slot as usize % 2, record, bytes);
                        if taken.is_err() || file.is_full() && !was_full {
                            self.reel.set_full(link);
                        }
                        break_off(&mut self.files[link], taken);
                    }
                    self.reel.give_back(chunk);
                }
                Next::Idle => {
                    for file in &mut self.files {
                        let flushed = file.as_mut().map_or(Ok(()), CaptureFile::flush);
                        break_off(file, flushed);
                    }
                    if self.stop.load(Ordering::Relaxed) {
                        break;
                    }
                }
                Next::End => break,
            }
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        // not the present: how long programs take to end is no part of what was captured
        let (zero, end) = match self.span.get() {
            Some(span) => (Some(span.zero), span.end.max(last)),
            None => (None, self.clock.now()),
        };
        let Writer { files, reel, .. } = self;
        let files = files.into_iter().enumerate();
        files.map(|(link, file)| Ok(file?.finish(reel.missing(link), zero, end)?.1)).collect()
    }
}

/// A file that could not be written is its error from then on.
fn break_off<T>(file: &mut io::Result<T>, written: io::Result<()>) {
    if let Err(error) = written {
        *file = Err(error);
    }
}

/// The wall clock's reading, in ns since 1970, when the engine's clock read zero. Both run alike from there on: steps of the
/// wall clock meanwhile do not show.
fn epoch(clock: Clock) -> u64 {
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    wall.saturating_sub(clock.now().as_nanos())
}

fn os() -> String {
    nix::sys::utsname::uname().map_or_else(
        |_| String::new(),
        |name| format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};
    use std::fs;

    fn resolved(keep: &str) -> Resolved {
        let text = format!(
            "longwire: 1\nduration: 1s\nnodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b] }} }}\n\
             capture: {{ links: [wire], keep: {keep} }}\n"
        );
        let loaded = load(std::path::Path::new("t"), &MemoryFiles::one("t", &text), &Overrides::default());
        loaded.unwrap_or_else(|(told, _)| panic!("{:?}", told.iter().next()))
    }

    fn files(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path().join(CAPTURES)).unwrap();
        let mut names: Vec<_> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Starts captures in a folder, with the engine's end of them gone.
    fn start(folder: &tempfile::TempDir, keep: &str) -> Captures {
        let resolved = resolved(keep);
        let out = OutDir::create(folder.path(), &resolved, false).unwrap();
        let capture = resolved.scenario.capture.clone().unwrap();
        let (prepared, tape) = Prepared::new(&resolved, &capture, &out).unwrap();
        drop(tape);
        let captures = prepared.start(&resolved, Clock::start()).unwrap();
        captures.span(Instant::ZERO, Instant::ZERO);
        captures
    }

    #[test]
    fn what_is_kept_on_failure_is_not_there_after_a_pass() {
        let folder = tempfile::tempdir().unwrap();
        for (keep, verdict, there) in [
            ("on-fail", Verdict::Fail, true),
            ("on-fail", Verdict::Invalid, true),
            ("on-fail", Verdict::Interrupted, true),
            ("on-fail", Verdict::Pass, false),
            ("always", Verdict::Pass, true),
            ("on-fail", Verdict::None, false),
        ] {
            let captures = start(&folder, keep);
            let during = if keep == "always" { "wire.pcapng" } else { "wire.pcapng.part" };
            assert_eq!(files(&folder), [during], "what an earlier run left is gone");
            let report = captures.conclude(verdict);
            let expected = if there { vec!["wire.pcapng".to_owned()] } else { Vec::new() };
            assert_eq!(files(&folder), expected, "{keep} {verdict:?}");
            assert_eq!(report[0].file.is_some(), there);
            assert!(report[0].complete && report[0].frames == 0 && report[0].bytes > 0);
        }
    }

    #[test]
    fn a_file_that_cannot_be_written_is_the_reports_matter_and_not_the_runs() {
        let resolved = resolved("always");
        let folder = tempfile::tempdir().unwrap();
        let out = OutDir::create(folder.path(), &resolved, false).unwrap();
        let capture = resolved.scenario.capture.clone().unwrap();
        let (mut prepared, tape) = Prepared::new(&resolved, &capture, &out).unwrap();
        drop(tape);
        prepared.files = vec![File::options().write(true).open("/dev/full").unwrap()];
        let captures = prepared.start(&resolved, Clock::start()).unwrap();
        captures.span(Instant::ZERO, Instant::ZERO);
        let [report] = &captures.conclude(Verdict::Pass)[..] else { panic!("one for each link") };
        let reason = report.reason.as_deref().unwrap();
        assert!(reason.starts_with("it could not be written: No space left"), "{reason}");
        assert!(!report.complete && report.file.is_some() && report.bytes == 0);
    }

    #[test]
    fn a_run_that_breaks_down_leaves_its_captures() {
        let folder = tempfile::tempdir().unwrap();
        drop(start(&folder, "on-fail"));
        assert_eq!(files(&folder), ["wire.pcapng"]);
        assert!(fs::metadata(folder.path().join("captures/wire.pcapng")).unwrap().len() > 100);
        let report = not_written(&resolved("always"));
        assert_eq!((report.len(), report[0].file.as_ref()), (1, None));
    }
}

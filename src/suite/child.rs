//! One run as a process of its own: a run begins with one thread, and must not take the suite with it when it dies.

use std::fs::{self, File};
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::case::Case;
use super::outcome::{Outcome, Said, end_of};
use crate::run::clock::Clock;
use crate::run::out_dir;
use crate::units::{Duration, Instant};

/// How runs are started.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The `longwire` to start.
    pub program: PathBuf,
    /// How often an INVALID run is run again.
    pub retry_invalid: u32,
    /// A directory of the suite's own, for what runs leave that is not kept.
    pub scratch: PathBuf,
    /// Runs may write into folders with files that longwire did not write.
    pub beside: bool,
}

/// What a run leaves behind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The folder that explains it.
    pub(super) out: Option<PathBuf>,
    /// Its page for people.
    pub(super) page: Option<PathBuf>,
}

/// A run at work.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) case: Case,
    /// The processor that it is bound to.
    pub(super) cpu: Option<usize>,
    child: Child,
    began: Instant,
    /// Its report and output where the suite keeps none.
    temporary: TempDir,
    place: Place,
}

impl Running {
    /// Starts a run. `cpu`: the processor to bind it to, which only virtual time knows.
    pub(super) fn start(
        case: Case,
        launch: &Launch,
        place: Place,
        cpu: Option<usize>,
        clock: &Clock,
    ) -> Result<Running, Box<Outcome>> {
        match Running::try_start(&case, launch, &place, cpu, clock) {
            Ok((child, temporary, began)) => Ok(Running { case, cpu, child, began, temporary, place }),
            Err(error) => Err(Box::new(Outcome::not_started(case, format!("it cannot be started: {error}")))),
        }
    }

    fn try_start(
        case: &Case,
        launch: &Launch,
        place: &Place,
        cpu: Option<usize>,
        clock: &Clock,
    ) -> io::Result<(Child, TempDir, Instant)> {
        let temporary = tempfile::Builder::new().prefix("run-").tempdir_in(&launch.scratch)?;
        let mut command = Command::new(&launch.program);
        command.args(case.arguments()).arg("--json").arg(temporary.path().join("report.json"));
        if let Some(out) = &place.out {
            // what an earlier run left must not be taken for this one's
            out_dir::forget(out).map_err(io::Error::other)?;
            command.arg("--out").arg(out);
            if launch.beside {
                command.arg("--force");
            }
        }
        if let Some(page) = &place.page {
            gone(page)?;
            command.arg("--html").arg(page);
        }
        if launch.retry_invalid > 0 {
            command.args(["--retry-invalid".to_owned(), launch.retry_invalid.to_string()]);
        }
        if let Some(cpu) = cpu {
            command.arg(format!("--cpu={cpu}"));
        }
        // Should the suite be killed, its runs end too, and take their networks down.
        command.arg(format!("--parent={}", std::process::id()));
        command
            .stdin(Stdio::null())
            .stdout(File::create(temporary.path().join("stdout"))?)
            .stderr(File::create(temporary.path().join("stderr"))?)
            // Ctrl-C is the suite's to pass on: twice means something else to a run.
            .process_group(0);
        let began = clock.now();
        let child = command
            .spawn()
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", launch.program.display())))?;
        Ok((child, temporary, began))
    }

    /// How long it has been at work.
    pub(super) fn runs_for(&self, now: Instant) -> Duration {
        now - self.began
    }

    /// Ends it: `SIGINT` cleanly, `SIGKILL` at once.
    pub(super) fn signal(&self, signal: Signal) {
        // it is our child and not yet waited for, so the number is its own; it may be over already
        let _ = kill(Pid::from_raw(self.child.id() as i32), signal);
    }

    /// What it came to, if it is over.
    pub(super) fn try_finish(&mut self, now: Instant) -> Option<Outcome> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(self.finish(status, now)),
            Err(error) => Some(Outcome::not_started(self.case.clone(), format!("it cannot be waited for: {error}"))),
        }
    }

    fn finish(&self, status: ExitStatus, now: Instant) -> Outcome {
        let read = |name: &str| fs::read(self.temporary.path().join(name)).unwrap_or_default();
        let report = fs::read_to_string(self.temporary.path().join("report.json")).ok();
        let said = Said { stdout: end_of(&read("stdout")), stderr: end_of(&read("stderr")) };
        if let (Some(out), false) = (&self.place.out, said.stderr.is_empty()) {
            // what a run says besides its report belongs to what explains it; if that fails the summary still has its end
            let _ = out_dir::add(out, "messages.txt", &read("stderr"));
        }
        let took = now - self.began;
        let page = self.place.page.clone().filter(|page| page.is_file());
        let out = self.place.out.clone();
        Outcome { out, page, ..Outcome::ended(self.case.clone(), status, report.as_deref(), said, took) }
    }
}

fn gone(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::outcome::Status;
    use std::os::unix::fs::PermissionsExt as _;

    /// A program in place of `longwire`.
    fn stand_in(folder: &Path, script: &str) -> Launch {
        let program = folder.join("stand-in");
        fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        Launch { program, retry_invalid: 2, scratch: folder.to_path_buf(), beside: false }
    }

    fn run(script: &str, out: Option<&str>) -> (Outcome, TempDir) {
        run_on(script, out, None)
    }

    fn run_on(script: &str, out: Option<&str>, cpu: Option<usize>) -> (Outcome, TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let launch = stand_in(folder.path(), script);
        let clock = Clock::start();
        let case = Case { file: "a.yaml".into(), seed: 3, virtual_time: cpu.is_some(), ..Case::default() };
        let place = out.map(|out| Place {
            out: Some(folder.path().join(out)),
            page: Some(folder.path().join(format!("{out}.html"))),
        });
        let mut running = Running::start(case, &launch, place.unwrap_or_default(), cpu, &clock).unwrap();
        loop {
            if let Some(outcome) = running.try_finish(clock.now()) {
                return (outcome, folder);
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }

    #[test]
    fn a_run_is_told_what_to_do_and_its_report_read() {
        let script = r#"
            echo "$@"
            echo told >&2
            while [ "$1" != --json ]; do shift; done
            echo '{ "verdict": "fail", "reasons": ["too slow"] }' > "$2"
            exit 1"#;
        let (outcome, folder) = run(script, Some("out"));
        assert_eq!((outcome.status, &outcome.reasons[..]), (Status::Fail, &["too slow".to_owned()][..]));
        let said = &outcome.stdout;
        assert!(said.starts_with("run a.yaml --seed 3 --json ") && said.contains("--retry-invalid 2"), "{said}");
        assert!(said.contains(&format!("--parent={}", std::process::id())), "{said}");
        assert!(said.contains(" --out ") && said.contains("/out.html --retry"), "{said}");
        assert!(outcome.page.is_none(), "none was written");
        assert_eq!(outcome.stderr, "told\n");
        assert_eq!(fs::read_to_string(folder.path().join("out/messages.txt")).unwrap(), "told\n");
    }

    #[test]
    fn a_run_in_virtual_time_is_bound_to_a_processor() {
        let (outcome, _folder) = run_on("echo \"$@\"", None, Some(5));
        assert!(outcome.stdout.starts_with("sim a.yaml --seed 3 --json "), "{}", outcome.stdout);
        assert!(outcome.stdout.contains(" --cpu=5 "), "{}", outcome.stdout);
        let (outcome, _folder) = run("echo \"$@\"", None);
        assert!(!outcome.stdout.contains("--cpu"), "{}", outcome.stdout);
    }

    #[test]
    fn a_run_that_dies_is_never_lost() {
        let (outcome, _folder) = run("kill -SEGV $$", None);
        assert_eq!(outcome.status, Status::Error);
        assert!(outcome.reasons[0].contains("SIGSEGV"), "{:?}", outcome.reasons);
        let clock = Clock::start();
        let folder = tempfile::tempdir().unwrap();
        let scratch = folder.path().to_path_buf();
        let launch = Launch { program: "/no/such/program".into(), retry_invalid: 0, scratch, beside: false };
        let lost = Running::start(Case::default(), &launch, Place::default(), None, &clock).unwrap_err();
        assert_eq!(lost.status, Status::Error);
        assert!(lost.reasons[0].contains("/no/such/program"), "{:?}", lost.reasons);
    }

    #[test]
    fn an_older_report_is_not_taken_for_this_ones() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        out_dir::add(&out, "report.json", b"old").unwrap();
        fs::write(out.join("mine.txt"), "mine").unwrap();
        let launch = stand_in(folder.path(), "echo told >&2; exit 1");
        let clock = Clock::start();
        let place = Place { out: Some(out.clone()), page: None };
        let mut running = Running::start(Case::default(), &launch, place, None, &clock).unwrap();
        while running.try_finish(clock.now()).is_none() {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        assert!(!out.join("report.json").exists() && out.join("mine.txt").exists());
        assert_eq!(fs::read_to_string(out.join("messages.txt")).unwrap(), "told\n");
    }
}

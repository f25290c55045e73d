//! `longwire run FILE`.

use std::fs::File;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::Exit;
use super::again::{self, Attempts};
use super::html;
use super::input::{self, OverrideArgs, Source};
use super::output::{self, Output};
use super::paint::{self, StatusLine};
use crate::diag::printable::Printable;
use crate::host::{Cause, sys};
use crate::language::files::Files;
use crate::report::json::{Report, Verdict};
use crate::report::series::Series;
use crate::report::status::RunInfo;
use crate::report::terminal::{self, View};
use crate::run::clock::Clock;
use crate::run::live::Progress;
use crate::run::out_dir::OutDir;
use crate::run::owner::Owner;
use crate::run::supervisor::{RUNNING, run_for};
use crate::run::{Inside, Options, RunError, Watcher};
use crate::scenario::{Overrides, listing};
use crate::sim;
use crate::suite::case::shell_words;
use crate::tasks::capture::Capture;
use crate::tasks::resolved::Resolved;
use crate::tasks::timing::TimingSpec;
use crate::units::{Duration, Rate};

/// Run a scenario against the machine's clock, with real hosts
///
/// Makes the hosts, starts services, then workloads, and reports. Without workloads it stays up until Ctrl-C. Runs as root,
/// and as a normal user where user namespaces are allowed and /dev/net/tun may be opened (`longwire doctor` tells).
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct LiveArgs {
    #[command(flatten)]
    pub(super) run: Args,
    /// When the network and its services are up, write one line of JSON to this descriptor, which is open for writing, and close
    /// it: `{"event":"up","run":NAME,"pid":N,"hosts":[…]}`
    #[arg(long, value_name = "FD")]
    ready_fd: Option<i32>,
    /// Once the network is up, run COMMAND with `sh -c` on this machine, outside all hosts, as the user longwire runs as (root under
    /// `sudo`). It is stopped when the run ends; if it fails, the run ends
    #[arg(long, value_name = "COMMAND")]
    on_up: Option<String>,
}

/// What a run has beside its scenario and [`Args`].
#[derive(Default)]
struct Beside<'a> {
    inside: Option<Inside>,
    /// Hears that the run is up.
    ready: Option<File>,
    on_up: Option<&'a str>,
    owner: Option<&'a mut Owner>,
}

/// What a run takes against either clock.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Args {
    /// The scenario; `-` is standard input
    pub(super) file: PathBuf,
    #[command(flatten)]
    pub(super) overrides: OverrideArgs,
    /// Write the JSON report to FILE; `-` for standard output, instead of the report for people
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Leave all that explains the run in DIR: report, resolved plan, full output of every program, event log
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Write into DIR although there are files that longwire did not write: those of names that it needs are replaced, the
    /// others stay
    #[arg(long, requires = "out")]
    pub(super) force: bool,
    /// Write what went through each direction over time to FILE, as CSV: a line an interval and direction
    #[arg(long, value_name = "FILE")]
    pub(super) series: Option<PathBuf>,
    /// Leave what goes through these links in DIR/captures, for Wireshark, in place of those that the scenario names; it
    /// goes with --out
    #[arg(long, value_name = "LINK[,LINK]|all", requires = "out")]
    pub(super) capture: Option<String>,
    /// Write the report for people to FILE, as one HTML page that needs nothing beside it; `--out` has it too
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Show every direction by itself, and what went through it over time
    #[arg(long, short)]
    pub(super) verbose: bool,
    /// Columns of the terminal that shows the report
    #[arg(long, hide = true)]
    pub(super) columns: Option<usize>,
    /// Run again, with the same seed, while the run is INVALID: up to N times
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(super) retry_invalid: u32,
    /// The process that this run must not outlive
    #[arg(long, hide = true, value_name = "PID")]
    pub(super) parent: Option<i32>,
    /// Print no more than what failed and what is asked for: the terminal is a program's
    #[arg(skip)]
    pub(super) quiet: bool,
}

/// Returns the exit code.
pub(super) fn main(LiveArgs { run: args, ready_fd, on_up }: &LiveArgs) -> i32 {
    if args.parent.is_some_and(|parent| !again::end_with(parent)) {
        return Exit::Interrupted as i32;
    }
    // First of all: as long as nothing has been opened, its number is what the caller means.
    let mut ready = match ready_fd.map(sys::take_inherited).transpose() {
        Ok(ready) => ready,
        Err(error) => {
            paint::complain(&format!("--ready-fd: {error}"));
            return Exit::Input as i32;
        }
    };
    let read = Source::open(&args.file).and_then(|source| {
        let resolved = input::read(source.path(), &source.files(), &args.overrides.overrides()?)?;
        if source.text().is_some() && args.retry_invalid > 0 {
            paint::complain("--retry-invalid reads the scenario again, and a pipe is read once: save it to a file");
            return Err(Exit::Input);
        }
        Ok((source.path().to_owned(), resolved))
    });
    let (file, resolved) = match read {
        Ok(read) => read,
        Err(exit) => return exit as i32,
    };
    let on_up = on_up.as_deref();
    if args.retry_invalid == 0 {
        let beside = Beside { ready, on_up, ..Beside::default() };
        return carry_out(&file, resolved, args, 1, beside).unwrap_or(Exit::Invalid) as i32;
    }
    let mut attempts = match Attempts::begin() {
        Ok(attempts) => attempts,
        Err(errno) => {
            paint::complain(&format!("cannot take signals: {}", errno.desc()));
            return Exit::Machine as i32;
        }
    };
    for attempt in 1.. {
        // the first that comes up says so
        let (resolved, beside) = (resolved.clone(), Beside { ready: ready.take(), on_up, ..Beside::default() });
        let run = || carry_out(&file, resolved, args, attempt, beside);
        if let Some(code) = attempts.make(run) {
            return code;
        }
    }
    Exit::Invalid as i32
}

/// The same for a scenario that a command has made itself, and perhaps for the process that the run belongs to.
pub(super) fn made(name: &str, text: String, args: &Args, owner: Option<&mut Owner>) -> i32 {
    let source = Source::made(name, text);
    let read = args.overrides.overrides().and_then(|overrides| input::read(source.path(), &source.files(), &overrides));
    match read {
        Ok(resolved) => {
            let beside = Beside { owner, ..Beside::default() };
            carry_out(source.path(), resolved, args, 1, beside).unwrap_or(Exit::Invalid) as i32
        }
        Err(exit) => exit as i32,
    }
}

/// The same inside a guest, in virtual time. `files`: the scenario's, as the launcher has checked them.
pub(super) fn inside_guest(args: &Args, files: &dyn Files, inside: Inside) -> Exit {
    let read = args.overrides.overrides().and_then(|overrides| {
        let overrides = Overrides { virtual_time: true, ..overrides };
        input::read(&args.file, files, &overrides)
    });
    match read {
        Ok(resolved) => {
            let beside = Beside { inside: Some(inside), ..Beside::default() };
            carry_out(&args.file, resolved, args, 1, beside).unwrap_or(Exit::Invalid)
        }
        Err(exit) => exit,
    }
}

/// Takes what the command line says beside the scenario, if it goes with it.
pub(super) fn applied(args: &Args, mut resolved: Resolved) -> Result<Resolved, Exit> {
    if args.series.is_some() && resolved.scenario.series.0.is_none() {
        paint::complain("there is nothing for --series: the scenario says `series: none`");
        return Err(Exit::Input);
    }
    if let Some(text) = &args.capture {
        match Capture::asked(text, &resolved) {
            Ok(capture) => resolved.scenario.capture = Some(capture),
            Err(error) => {
                paint::complain(&format!("--capture: {error}"));
                return Err(Exit::Input);
            }
        }
    }
    Ok(resolved)
}

/// `file`: what the scenario is called. `None`: it was INVALID, and is to be run again.
fn carry_out(file: &Path, resolved: Resolved, args: &Args, attempt: u32, beside: Beside<'_>) -> Option<Exit> {
    let Beside { inside, ready, on_up, owner } = beside;
    let resolved = match applied(args, resolved) {
        Ok(resolved) => resolved,
        Err(exit) => return Some(exit),
    };
    if inside.is_some() && resolved.scenario.timing != TimingSpec::default() {
        paint::note("note: `timing` is for live runs, and does nothing in virtual time\n");
    }
    if resolved.scenario.capture.is_some() && args.out.is_none() {
        paint::note("warning: the scenario asks for captures, and none is written: add --out DIR\n");
    }
    let combinations = resolved.scenario.matrix.combinations();
    if combinations > 1 {
        paint::note(&format!(
            "note: this runs the values of `params`; `longwire test` runs all {combinations} combinations of the matrix\n"
        ));
    }
    let command = command(file, args, &resolved, inside.is_some(), on_up);
    let called = inside.as_ref().and_then(|inside| inside.out.clone());
    let outputs = match Outputs::open(args, file, &resolved, &command) {
        Ok(outputs) => Outputs { called: called.unwrap_or(outputs.called), ..outputs },
        Err(exit) => return Some(exit),
    };
    let out = outputs.out.clone();
    let virtual_time = inside.is_some();
    let options =
        Options { out: out.clone(), file: file.display().to_string(), on_up: on_up.map(str::to_owned), inside };
    let mut status = Status { line: StatusLine::new(), name: resolved.scenario.name.clone(), ready };
    let watcher: &mut dyn Watcher = match (virtual_time, args.quiet) {
        (true, _) => &mut Announced,
        (_, true) => &mut Silent,
        _ => &mut status,
    };
    let result = run_for(&resolved, options, watcher, owner);
    drop(status);
    match result {
        Ok(report) if report.verdict == Verdict::Invalid && attempt <= args.retry_invalid => {
            paint::note(&format!("INVALID, attempt {attempt}: {}; running again\n", report.reasons.join("; ")));
            None
        }
        Ok(report) => Some(conclude(&Report { attempts: attempt, ..report }, &resolved, args, &command, outputs)),
        Err(error) => {
            let text = error.to_string();
            if let Some(out) = &out {
                // the directory explains this exit too; the error is printed in any case
                let told = Printable::lines(&format!("ERROR\n  {}\n", text.replace('\n', "\n  ")));
                let _ = out.write("report.txt", told.as_str()).and_then(|()| out.conclude());
            }
            paint::complain(&text);
            Some(exit_of(&error))
        }
    }
}

/// What the options name for writing, open.
struct Outputs {
    json: Option<Output>,
    series: Option<Output>,
    html: Option<Output>,
    out: Option<OutDir>,
    /// What its reader calls the directory of `--out`.
    called: PathBuf,
}

impl Outputs {
    /// Opens all of it, and writes what can be written before anything runs.
    fn open(args: &Args, file: &Path, resolved: &Resolved, command: &str) -> Result<Outputs, Exit> {
        let explain = |out: OutDir| {
            out.write("plan.yaml", Printable::lines(&listing(resolved)).as_str())?;
            let stream = resolved.sources.files().find(|(name, _)| input::is_stream(file) && Path::new(name) == file);
            if let Some((_, text)) = stream {
                out.write(STREAM, text)?;
            }
            out.write("command.txt", &format!("{command}\n"))?;
            Ok::<_, io::Error>(out)
        };
        let out = args.out.as_ref().map(|path| {
            let made = OutDir::create(path, resolved, args.force).and_then(|out| Ok(explain(out)?));
            made.map_err(|error| output::refuse_out(path, &error))
        });
        let out = out.transpose()?;
        Ok(Outputs {
            called: out.as_ref().map(|out| out.path().to_owned()).unwrap_or_default(),
            json: Output::open("--json", args.json.as_deref())?,
            series: Output::open("--series", args.series.as_deref())?,
            html: Output::open("--html", args.html.as_deref())?,
            out,
        })
    }
}

/// In `--out`, a scenario that was read from a pipe.
const STREAM: &str = "scenario.yaml";

fn command(file: &Path, args: &Args, resolved: &Resolved, virtual_time: bool, on_up: Option<&str>) -> String {
    let subcommand = if virtual_time { "sim" } else { "run" };
    let stream = input::is_stream(file);
    let named = if stream { Path::new("-").to_owned() } else { std::path::absolute(file).unwrap_or(file.to_owned()) };
    let mut command =
        html::command(subcommand, &named, &args.overrides, args.capture.as_deref(), resolved.scenario.seed);
    if let Some(on_up) = on_up {
        command += &format!(" --on-up {}", shell_words(&[on_up.to_owned()]));
    }
    match args.out {
        Some(_) if stream => format!("{command} < {STREAM}"),
        _ => command,
    }
}

fn conclude(report: &Report, resolved: &Resolved, args: &Args, command: &str, outputs: Outputs) -> Exit {
    let json = serde_json::to_string_pretty(report).expect("a report is plain data") + "\n";
    let json = Printable::json(&json);
    let view = View { verbose: args.verbose, columns: args.columns.or_else(paint::columns) };
    let to_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let text = terminal::render(report, view);
    match (to_stdout, args.quiet, report.verdict) {
        (true, ..) => paint::print(&json),
        (_, false, _) => paint::print(&text),
        _ if args.verbose => paint::aside(&text),
        (.., Verdict::Invalid) => paint::note(&format!("INVALID: {}\n", report.reasons.join("; "))),
        (.., Verdict::Fail | Verdict::Error) => paint::aside(&text),
        (.., Verdict::Pass | Verdict::None | Verdict::Interrupted) => {}
    }
    let out = outputs.out.as_ref();
    let mut written = outputs.json.map_or(Ok(()), |file| file.write(json.as_str()));
    if let Some(file) = outputs.series {
        written = written.and(file.write_with(|file| write_series(file, report)));
    }
    if let Some(file) = outputs.html {
        written = written.and(file.write(&html::page(report, resolved, command, out, &outputs.called)));
    }
    if let Some(out) = out {
        written = written.and(
            out.write("report.json", json.as_str())
                .and_then(|()| {
                    let text = terminal::render(report, View { columns: None, ..view });
                    out.write("report.txt", &text.plain())
                })
                .and_then(|()| {
                    let page = html::page(report, resolved, command, Some(out), Path::new(""));
                    out.write("report.html", &page)
                })
                .and_then(|()| out.conclude())
                .map_err(|e| format!("cannot write the report to {}: {e}", out.path().display())),
        );
    }
    if let Err(error) = written {
        paint::complain(&error);
        return Exit::Machine;
    }
    report.unwritten.iter().for_each(|unwritten| paint::complain(unwritten));
    if !args.quiet && !to_stdout && io::stdout().is_terminal() {
        paint::note(&format!("\n{}\n", deeper(args, command, resolved)));
    }
    match report.verdict {
        Verdict::Pass | Verdict::None if !report.unwritten.is_empty() => Exit::Machine,
        Verdict::Pass | Verdict::None => Exit::Pass,
        Verdict::Fail => Exit::Fail,
        Verdict::Invalid => Exit::Invalid,
        Verdict::Error => Exit::Machine,
        Verdict::Interrupted => Exit::Interrupted,
    }
}

/// Where the report is, or which command leaves one.
fn deeper(args: &Args, command: &str, resolved: &Resolved) -> String {
    match (&args.out, &args.html) {
        (Some(out), _) => format!("the page: {}", out.join("report.html").display()),
        (None, Some(page)) => format!("the page: {}", page.display()),
        // a scenario of a command's own has no name to run it by
        (None, None) if resolved.sources.files().any(|(name, _)| name.starts_with('<')) => {
            "--html FILE writes this as a page".to_owned()
        }
        (None, None) => format!("page, captures and outputs of programs: {command} --out DIR"),
    }
}

/// A run that never came to t = 0 leaves the head of the table.
fn write_series(mut file: &mut dyn io::Write, report: &Report) -> io::Result<()> {
    let empty = Series { every_ns: 0, asked_ns: 0, end_ns: 0, directions: Vec::new() };
    report.series.as_ref().unwrap_or(&empty).write_csv(&mut file)
}

fn exit_of(error: &RunError) -> Exit {
    match error {
        RunError::Host(error) if error.cause == Cause::Input => Exit::Input,
        _ => Exit::Machine,
    }
}

/// Tells the launcher outside the guest.
struct Announced;

impl Watcher for Announced {
    fn phase(&mut self, what: &str) {
        let zero = (what == RUNNING).then(|| Clock::start().at_start());
        sim::announce(what, zero);
    }

    fn progress(&mut self, _: Duration, _: Option<Duration>, _: &Progress) {}
}

/// Says nothing.
struct Silent;

impl Watcher for Silent {
    fn phase(&mut self, _: &str) {}

    fn progress(&mut self, _: Duration, _: Option<Duration>, _: &Progress) {}
}

struct Status {
    line: StatusLine,
    name: String,
    /// Hears that the run is up.
    ready: Option<File>,
}

impl Watcher for Status {
    fn phase(&mut self, what: &str) {
        self.line.show(&format!("{}: {what} …", self.name));
    }

    fn up(&mut self, run: &RunInfo) {
        if let Some(mut ready) = self.ready.take() {
            let line = json!({ "event": "up", "run": run.name, "pid": run.pid, "hosts": run.hosts });
            // whoever wanted to know may be gone
            let _ = writeln!(ready, "{line}");
        }
    }

    fn progress(&mut self, elapsed: Duration, of: Option<Duration>, progress: &Progress) {
        let elapsed_s = elapsed.as_secs_f64();
        let of = of.map(|of| format!(" of {of}")).unwrap_or_default();
        let bps = (progress.bytes as f64 * 8.0 / elapsed_s.max(0.001)) as u64;
        let rate = Rate::from_bps(bps / 1000 * 1000).map(|r| format!(", {r}/s")).unwrap_or_default();
        self.line.show(&format!(
            "{}: {elapsed_s:.0} s{of}, {} frames delivered{rate}, {} dropped",
            self.name, progress.delivered, progress.dropped
        ));
    }
}

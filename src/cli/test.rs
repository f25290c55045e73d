//! `longwire test [PATH…]`.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Exit;
use super::input::name_and_value;
use super::output::{self, Output};
use super::paint::{self, StatusLine};
use crate::diag::printable::{Page, Printable, putln};
use crate::host::Scratch;
use crate::run::Disk;
use crate::sim::kernel;
use crate::suite::table::Form;
use crate::suite::{self, Case, Ended, Launch, Options, Outcome, Plan, Room, Selection, Shard, Watcher};
use crate::units::Duration;

/// Run many scenarios, and say which failed
///
/// Takes scenario files, folders (of which it takes the scenarios) and patterns. All of them are checked before anything runs.
/// A scenario with a `matrix` is run once for each combination. Each run is a process of its own: live one after the other, in
/// virtual time (--sim) one for each processor.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes over all runs: 130 interrupted, else 2 wrong input (nothing ran), else 1 something failed, \
    else 4 this machine lacks something, else 3 INVALID (the machine could not keep up), else 0."
)]
pub(super) struct Args {
    /// Scenario files, folders, patterns such as 'ci/**/*.yaml'
    #[arg(default_value = "scenarios", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Value of a parameter, for the scenarios that have it; given several times for one name, each value is run
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    params: Vec<(String, String)>,
    /// Seed of every random draw, instead of the files'
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Run only what has TEXT in its file, name or `[parameters]`; given several times: any of them
    #[arg(long, value_name = "TEXT")]
    filter: Vec<String>,
    /// Run only the I-th of N shares, from 1; all shares together run everything once
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Run in virtual time, as `longwire sim` does: exact, repeatable, without privileges, whatever else the machine does
    #[arg(long)]
    sim: bool,
    /// Run so many at a time. Live: 1 unless said, since runs disturb each other. In virtual time: one for each processor, as far
    /// as memory goes
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    jobs: Option<u16>,
    /// With --sim and --repeat: run everything with the same seed, and fail where two runs are not identical to the byte
    #[arg(long)]
    identical: bool,
    /// Run everything N times, with the seed, the seed + 1, …; with --identical, with the same seed
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    repeat: u32,
    /// Start nothing more once a run has failed (INVALID is no failure)
    #[arg(long)]
    fail_fast: bool,
    /// Run what is INVALID again, with the same seed, up to N times
    #[arg(long, value_name = "N", default_value_t = 0)]
    retry_invalid: u32,
    /// List what would run, and the command of each, without running it
    #[arg(long)]
    list: bool,
    /// Write JUnit XML to FILE
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a summary as JSON to FILE; `-` for standard output, and what people read to standard error
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write a table to FILE, of each scenario what was measured by parameters: FILE ends in .csv or .md
    #[arg(long, value_name = "FILE", value_parser = table)]
    table: Option<PathBuf>,
    /// Leave a folder in DIR for each run, with all that explains it, as `run --out` does
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write into folders of --out although there are files that longwire did not write: those of names that it needs are
    /// replaced, the others stay
    #[arg(long, requires = "out")]
    force: bool,
    /// Write a page for each run into DIR, and index.html over all of them
    #[arg(long, value_name = "DIR")]
    html: Option<PathBuf>,
}

fn table(text: &str) -> Result<PathBuf, String> {
    Form::of(text.as_ref()).map(|_| text.into())
}

pub(super) fn main(args: &Args) -> i32 {
    match test(args) {
        Ok(code) => code,
        Err(exit) => exit as i32,
    }
}

/// What the options are together.
fn fit(args: &Args) -> Result<(), &'static str> {
    if args.identical && (!args.sim || args.repeat < 2) {
        return Err("--identical compares runs in virtual time with each other: write `--sim --repeat 2 --identical`");
    }
    if args.sim && args.retry_invalid > 0 {
        return Err("--retry-invalid is for live runs: in virtual time a run comes out the same again. Leave it out");
    }
    Ok(())
}

fn test(args: &Args) -> Result<i32, Exit> {
    fit(args).map_err(|wrong| {
        paint::complain(wrong);
        Exit::Input
    })?;
    let (plan, others) = planned(args)?;
    let say = if args.json.as_ref().is_some_and(|path| path.as_os_str() == "-") { paint::aside } else { paint::print };
    if args.list {
        list(&plan, say);
        return Ok(0);
    }
    if args.sim {
        // once for all of them
        kernel::find().map_err(machine)?;
    }
    let scratch = Scratch::make(&std::env::temp_dir())
        .map_err(|error| machine(format!("cannot make a directory for what runs leave: {error}")))?;
    let outputs = Outputs::open(args)?;
    let options = options(args, &plan, &scratch)?;
    let refused = suite::refused(&plan.cases, &options);
    if !refused.is_empty() {
        for (path, error) in &refused {
            output::refuse_out(path, error);
        }
        return Err(Exit::Input);
    }
    let shard = args.shard.map(|shard| shard.to_string());
    say(&suite::summary::begin(&plan, others, shard, args.sim.then_some(options.jobs)));
    let mut progress = Progress { line: StatusLine::new(), say };
    let ended = suite::run(&plan.cases, &options, &mut progress).map_err(machine)?;
    drop(progress);
    say(&suite::summary::end(&ended));
    let code = suite::exit_code(&ended.outcomes, ended.interrupted);
    let written = write(args, outputs, &plan, &ended);
    github(&plan, &ended, say);
    match written {
        Ok(()) => Ok(code),
        Err(error) => {
            paint::complain(&error);
            Ok(if code == 0 { Exit::Machine as i32 } else { code })
        }
    }
}

/// Says what the machine lacks.
fn machine(error: impl ToString) -> Exit {
    paint::complain(&error.to_string());
    Exit::Machine
}

/// The runs that the options choose, and how many files that are no scenarios were passed over.
fn planned(args: &Args) -> Result<(Plan, usize), Exit> {
    let found = suite::discover(&args.paths).map_err(|wrong| {
        wrong.iter().for_each(|line| paint::complain(line));
        Exit::Input
    })?;
    let selection = Selection {
        params: args.params.clone(),
        seed: args.seed,
        repeat: args.repeat,
        identical: args.identical,
        virtual_time: args.sim,
        filters: args.filter.clone(),
        shard: args.shard,
    };
    let plan = suite::plan(&found, &Disk, &selection).map_err(|wrong| {
        wrong.told.iter().for_each(|(told, sources)| paint::diagnose(told, sources));
        wrong.words.iter().for_each(|line| paint::complain(line));
        Exit::Input
    })?;
    plan.warnings.iter().for_each(|(told, sources)| paint::diagnose(told, sources));
    Ok((plan, found.others))
}

fn list(plan: &Plan, say: fn(&Printable)) {
    for case in &plan.cases {
        let mut out = Page::new();
        // writing into a page cannot fail
        let _ = putln!(out, "{case}").and_then(|()| putln!(out, "    {}", case.command()));
        say(&out.finish());
    }
}

/// How the runs are started.
fn options(args: &Args, plan: &Plan, scratch: &Scratch) -> Result<Options, Exit> {
    let program = std::env::current_exe()
        .map_err(|error| machine(format!("cannot find this program on the disk, to start runs with it: {error}")))?;
    let room = args.sim.then(Room::find);
    let jobs = args.jobs.map(usize::from).or(room.as_ref().map(|room| room.guests(plan.guest_memory))).unwrap_or(1);
    let launch =
        Launch { program, retry_invalid: args.retry_invalid, scratch: scratch.path().to_owned(), beside: args.force };
    Ok(Options {
        launch,
        jobs,
        cpus: room.map(|room| room.cpus).unwrap_or_default(),
        fail_fast: args.fail_fast,
        out: args.out.clone(),
        html: args.html.clone(),
    })
}

/// What the options name for writing, open.
struct Outputs {
    junit: Option<Output>,
    json: Option<Output>,
    table: Option<Output>,
    index: Option<Output>,
}

impl Outputs {
    /// Opens the files, with the folders that they lie in.
    fn open(args: &Args) -> Result<Outputs, Exit> {
        // `path`: what the option names; `folder`: what has to be there for it
        let make = |option: &str, path: &Path, folder: &Path| {
            fs::create_dir_all(folder).map_err(|error| output::refuse(option, path, &error))
        };
        let file = |option: &str, path: Option<&Path>| {
            if let Some(path) = path
                && let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty())
            {
                make(option, path, parent)?;
            }
            Output::open(option, path)
        };
        args.out.as_deref().map_or(Ok(()), |path| make("--out", path, path))?;
        Ok(Outputs {
            junit: file("--junit", args.junit.as_deref())?,
            json: file("--json", args.json.as_deref())?,
            table: file("--table", args.table.as_deref())?,
            index: file("--html", args.html.as_ref().map(|folder| folder.join("index.html")).as_deref())?,
        })
    }
}

fn write(args: &Args, outputs: Outputs, plan: &Plan, ended: &Ended) -> Result<(), String> {
    let junit = outputs.junit.map(|file| file.write(&suite::junit::document(ended, &plan.skipped)));
    let index = outputs.index.map(|file| file.write(&suite::html::index(ended)));
    let mut written = junit.unwrap_or(Ok(())).and(index.unwrap_or(Ok(())));
    if let (Some(file), Some(form)) = (outputs.table, args.table.as_deref().and_then(|path| Form::of(path).ok())) {
        let table = form.write(&suite::matrix::matrices(&ended.outcomes));
        written = written.and(file.write(Printable::lines(&table).as_str()));
    }
    if let Some(path) = &args.json {
        let summary = suite::json::summary(plan, args.shard, ended);
        let text = serde_json::to_string_pretty(&summary).expect("a summary is plain data") + "\n";
        let text = Printable::json(&text);
        if path.as_os_str() == "-" {
            paint::print(&text);
        } else {
            written = written.and(outputs.json.map_or(Ok(()), |file| file.write(text.as_str())));
        }
    }
    written
}

/// Where GitHub runs this: what it shows at the files, and on the page of the job.
fn github(plan: &Plan, ended: &Ended, say: fn(&Printable)) {
    if std::env::var_os("GITHUB_ACTIONS").is_none_or(|value| value != "true") {
        return;
    }
    say(&Printable::lines(&suite::github::annotations(&ended.outcomes)));
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return };
    let text = suite::github::job_summary(ended, &plan.skipped);
    let text = Printable::lines(&text);
    let append = || -> io::Result<()> {
        OpenOptions::new().create(true).append(true).open(&path)?.write_all(text.as_str().as_bytes())
    };
    if let Err(error) = append() {
        // the runs are what counts; this page is there for convenience
        paint::complain(&format!("cannot write the summary of the job to {}: {error}", Path::new(&path).display()));
    }
}

struct Progress {
    line: StatusLine,
    say: fn(&Printable),
}

impl Watcher for Progress {
    fn runs(&mut self, now: &[(&Case, Duration)], done: usize, of: usize) {
        let runs: Vec<String> =
            now.iter().map(|(case, time)| format!("{case} {:.0} s", time.as_secs_f64().floor())).collect();
        let text = format!("{done} of {of} done: {}", runs.join(", "));
        // a line that wraps cannot be written over
        let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
        self.line.show(&text.chars().take(width.saturating_sub(1)).collect::<String>());
    }

    fn ended(&mut self, outcome: &Outcome) {
        self.line = StatusLine::new();
        (self.say)(&suite::summary::line(outcome));
    }
}

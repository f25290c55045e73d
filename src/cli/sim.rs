//! `longwire sim FILE`.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use super::input::Source;
use super::output::{self, Output};
use super::paint::{self, StatusLine};
use super::{Exit, again, input, run};
use crate::diag::{self, printable::Printable};
use crate::run::out_dir::OutDir;
use crate::run::{Remembering, memory};
use crate::scenario::Overrides;
use crate::sim::guest::{EXCHANGE, STDERR, STDOUT};
use crate::sim::{self, Ended, Order, Shell, SimError, Watcher, kernel};
use crate::tasks::resolved::Resolved;
use crate::units::Duration;

/// Run a scenario in virtual time: exact, repeatable, without privileges
///
/// Everything happens inside user-mode Linux, whose clock stands still while any program works, and jumps ahead when all
/// wait. So a busy machine only makes it slower, and the same file and seed give the same report, byte for byte. It needs
/// the kernel that kernel/build makes (docs/virtual-time.md).
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Args {
    #[command(flatten)]
    run: run::Args,
    /// Give up when virtual time stands still for so long by the machine's clock: a program that never waits holds it
    #[arg(long, value_name = "TIME", default_value_t = sim::WALL_LIMIT)]
    wall_limit: Duration,
    /// A shell in a host on this terminal, from the beginning of the run: time stands still while it waits for a line
    ///
    /// So a command at the prompt meets the network at the instant at which the one before it ended. Lines may also come from a
    /// pipe. The run ends when the file says, and with it the shell; after `exit` it goes on to its end.
    #[arg(long, value_name = "HOST")]
    shell: Option<String>,
    /// The processor that the guest runs on, counted from 0; by default the one that is used right now
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// The workload whose output is wanted.
    #[arg(skip)]
    program: Option<String>,
}

/// Where the run inside leaves what was asked for.
const REPORT: &str = "report.json";
const PAGE: &str = "page.html";
const SERIES: &str = "series.csv";
const OUT: &str = "out";
/// What the guest's kernel printed, in `--out`.
const CONSOLE: &str = "console.txt";

pub(super) fn main(args: &Args) -> Exit {
    if args.run.parent.is_some_and(|parent| !again::end_with(parent)) {
        return Exit::Interrupted;
    }
    let source = Source::open(&args.run.file);
    source.and_then(|source| simulate(args, &source, conclude)).unwrap_or_else(|exit| exit)
}

/// The same for a scenario that a command has made itself.
pub(super) fn run_made(name: &str, text: &str, run: run::Args) -> Exit {
    let args = Args::made(run, None);
    simulate(&args, &Source::made(name, text.to_owned()), conclude).unwrap_or_else(|exit| exit)
}

/// The same for a scenario that a command has made itself, for one program in it: prints what that printed, and returns its exit code.
pub(super) fn run_program(name: &str, text: String, run: run::Args, program: &str) -> i32 {
    let args = Args::made(run, Some(program.to_owned()));
    let to_stdout = args.run.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    let concluded = simulate(&args, &Source::made(name, text), |claimed, ended| {
        let read = |name: &str| ended.place.read(&format!("{OUT}/{name}")).unwrap_or_default();
        let report: serde_json::Value = serde_json::from_slice(&read("report.json")).unwrap_or_default();
        let code = report["workloads"][program]["exit"].as_i64().and_then(|code| i32::try_from(code).ok());
        // the program's own word counts where the network around it held, as in a live run
        let services = report["services"].as_object().into_iter().flatten();
        let broken = ended.code == Exit::Machine as i32 || services.clone().any(|(_, service)| service["ok"] == false);
        let code = code.filter(|_| !broken);
        let mut printed = io::stdout().lock();
        // a reader that has gone away is no error
        let _ = printed.write_all(&read(&format!("programs/{program}.log"))).and_then(|()| printed.flush());
        drop(printed);
        let (for_people, stderr) = (read("report.txt"), ended.place.read(STDERR).unwrap_or_default());
        paint::aside(&Printable::styled(&String::from_utf8_lossy(&stderr)));
        if args.run.verbose || code.is_none() {
            paint::aside(&Printable::styled(&String::from_utf8_lossy(&for_people)));
        }
        if to_stdout {
            paint::print(&Printable::json(&String::from_utf8_lossy(&read("report.json"))));
        }
        match claimed.fill(ended, &ended.place.console()) {
            Ok(()) => code.unwrap_or(ended.code),
            Err(error) => {
                paint::complain(&error);
                Exit::Machine as i32
            }
        }
    });
    concluded.unwrap_or_else(|exit| exit as i32)
}

impl Args {
    fn made(run: run::Args, program: Option<String>) -> Args {
        Args { run, wall_limit: sim::WALL_LIMIT, shell: None, cpu: None, program }
    }
}

fn simulate<T>(args: &Args, source: &Source, conclude: impl FnOnce(Claimed, &Ended) -> T) -> Result<T, Exit> {
    let files = source.files();
    let overrides = Overrides { virtual_time: true, ..args.run.overrides.overrides()? };
    let resolved = input::read_quietly(source.path(), &files, &overrides)?;
    let resolved = run::applied(&args.run, resolved)?;
    shell_fits(args, source, &resolved)?;
    let kernel = kernel::find().map_err(|error| failed(&error, None))?;
    let claimed = Claimed::claim(&args.run, &resolved)?;
    let folder = sim::folder(&resolved).map_err(|error| {
        paint::complain(&error);
        Exit::Input
    })?;
    let order = order(args, source, &resolved, files, folder, claimed.out.as_ref());
    let mut status =
        Status { line: StatusLine::new(), name: resolved.scenario.name.clone(), of: resolved.scenario.duration };
    let result = sim::simulate(&kernel, order, &mut status);
    drop(status);
    match result {
        Ok(ended) => Ok(conclude(claimed, &ended)),
        Err(error) => Err(failed(&error, claimed.out.as_ref())),
    }
}

/// Whether there is such a host, and standard input is free for its shell.
fn shell_fits(args: &Args, source: &Source, resolved: &Resolved) -> Result<(), Exit> {
    let Some(host) = &args.shell else { return Ok(()) };
    let hosts = resolved.network.hosts.iter().map(|host| host.name.as_str());
    if !hosts.clone().any(|name| name == host) {
        paint::complain(&format!("--shell: there is no host `{host}`: {}", diag::suggestion(host, hosts)));
        return Err(Exit::Input);
    }
    if source.is_stdin() {
        paint::complain("--shell reads standard input, which the scenario came from: save the scenario to a file");
        return Err(Exit::Input);
    }
    Ok(())
}

/// Says why there is no result, to `--out` too.
fn failed(error: &SimError, out: Option<&OutDir>) -> Exit {
    let text = error.to_string();
    paint::complain(&text);
    if let Some(out) = out {
        // the directory explains this exit too; the error is printed in any case
        let told = Printable::lines(&format!("ERROR\n  {}\n", text.replace('\n', "\n  ")));
        let _ = out.write("report.txt", told.as_str());
        if let SimError::Broken { console, .. } = error {
            let _ = out.write(CONSOLE, console);
        }
        let _ = out.conclude();
    }
    match error {
        SimError::Lacks(_) | SimError::Broken { .. } => Exit::Machine,
        SimError::Input(_) => Exit::Input,
        SimError::Interrupted => Exit::Interrupted,
    }
}

fn order(
    args: &Args,
    source: &Source,
    resolved: &Resolved,
    files: Remembering<'_>,
    folder: PathBuf,
    out: Option<&OutDir>,
) -> Order {
    Order {
        arguments: arguments(&args.run, source.path(), args.program.is_some()),
        files: files.into_read(),
        folder,
        seed: resolved.scenario.seed,
        memory: resolved.scenario.sim.memory,
        wall_limit: args.wall_limit,
        cpu: args.cpu,
        colour: paint::colours(),
        out: out.map(|out| out.path().to_owned()),
        shell: args.shell.clone().map(|host| Shell { host, prompts: io::stdin().is_terminal() }),
    }
}

/// The same words for the run inside, but that files go into the exchange.
fn arguments(run: &run::Args, file: &Path, outputs: bool) -> Vec<String> {
    let inside = |name: &str| format!("{EXCHANGE}/{name}");
    let mut words = run.overrides.words();
    let files = [
        ("--html", run.html.is_some(), PAGE),
        ("--series", run.series.is_some(), SERIES),
        ("--out", run.out.is_some() || outputs, OUT),
    ];
    for (option, _, name) in files.iter().filter(|(_, wanted, _)| *wanted) {
        words.extend([(*option).to_owned(), inside(name)]);
    }
    if let Some(path) = &run.json {
        words.extend(["--json".to_owned(), if path.as_os_str() == "-" { "-".to_owned() } else { inside(REPORT) }]);
    }
    if let Some(links) = &run.capture {
        words.extend(["--capture".to_owned(), links.clone()]);
    }
    if run.verbose {
        words.push("--verbose".to_owned());
    }
    // a guest has no terminal
    words.extend(paint::columns().iter().flat_map(|columns| ["--columns".to_owned(), columns.to_string()]));
    words.extend(["--".to_owned(), file.display().to_string()]);
    words
}

/// The files that single options name, and what they are called inside.
fn single(run: &run::Args) -> [(&'static str, &'static str, Option<&Path>); 3] {
    [
        ("--json", REPORT, run.json.as_deref()),
        ("--html", PAGE, run.html.as_deref()),
        ("--series", SERIES, run.series.as_deref()),
    ]
}

/// What is to be written, opened beforehand, so that a mistake shows before the run: later nothing can be opened elsewhere.
struct Claimed {
    /// What each is called inside, and the file.
    files: Vec<(&'static str, Output)>,
    out: Option<OutDir>,
}

impl Claimed {
    fn claim(run: &run::Args, resolved: &Resolved) -> Result<Claimed, Exit> {
        let mut files = Vec::new();
        for (option, name, path) in single(run) {
            files.extend(Output::open(option, path)?.map(|file| (name, file)));
        }
        if run.out.is_some() {
            sim::become_caller().map_err(|error| failed(&error, None))?;
        }
        let create = |path: &PathBuf| {
            OutDir::create(path, resolved, run.force).map_err(|error| output::refuse_out(path, &error))
        };
        Ok(Claimed { files, out: run.out.as_ref().map(create).transpose()? })
    }

    /// Takes over what the run left.
    fn fill(self, ended: &Ended, console: &str) -> Result<(), String> {
        for (name, file) in self.files {
            if let Some(mut from) = ended.place.open(name) {
                file.write_with(|mut file| io::copy(&mut from, &mut file).map(drop))?;
            }
        }
        let Some(out) = self.out else { return Ok(()) };
        let copied = ended.place.copy(OUT, &out);
        let written = copied.and_then(|left_out| {
            out.write(CONSOLE, console)?;
            out.conclude()?;
            Ok(left_out)
        });
        let left_out =
            written.map_err(|error| format!("cannot write to the directory {}: {error}", out.path().display()))?;
        for path in left_out {
            paint::note(&format!("note: {} is no regular file, and was not copied to --out\n", path.display()));
        }
        Ok(())
    }
}

fn conclude(claimed: Claimed, ended: &Ended) -> Exit {
    let stderr = ended.place.read(STDERR).unwrap_or_default();
    paint::aside(&Printable::styled(&String::from_utf8_lossy(&stderr)));
    let stdout = ended.place.read(STDOUT).unwrap_or_default();
    paint::print(&Printable::styled(&String::from_utf8_lossy(&stdout)));
    let console = ended.place.console();
    if let Err(error) = claimed.fill(ended, &console) {
        paint::complain(&error);
        return Exit::Machine;
    }
    match ended.code {
        0 => Exit::Pass,
        1 => Exit::Fail,
        2 => Exit::Input,
        3 => Exit::Invalid,
        130 => Exit::Interrupted,
        4 => {
            // an error on the way may come from it, and a report says so itself
            if let Some(why) = memory::out_of_memory(&console).filter(|_| stdout.is_empty()) {
                paint::complain(&why);
            }
            Exit::Machine
        }
        code => {
            paint::complain(&format!("the run inside the guest ended with code {code}"));
            Exit::Machine
        }
    }
}

struct Status {
    line: StatusLine,
    name: String,
    of: Option<Duration>,
}

impl Watcher for Status {
    fn progress(&mut self, phase: &str, elapsed: Option<Duration>, speed: f64) {
        let of = self.of.map(|of| format!(" of {of}")).unwrap_or_default();
        let when = elapsed.map(|at| format!(", {:.1} s{of} of virtual time, ×{speed:.1}", at.as_secs_f64()));
        self.line.show(&format!("{}: {phase}{} …", self.name, when.unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cli;
    use clap::CommandFactory as _;

    /// Options of `run` that make no sense here: no command reaches a network that is up in virtual time.
    const LIVE_ONLY: &[&str] = &["ready_fd", "on_up"];

    #[test]
    fn every_option_of_run_is_one_of_sim() {
        let cli = Cli::command();
        let arguments = |name: &str| {
            let command = cli.find_subcommand(name).unwrap();
            let all = command.get_arguments().map(|argument| {
                let takes = (argument.get_value_names().map(<[_]>::to_vec), argument.get_action().takes_values());
                (argument.get_id().to_string(), argument.get_long().map(str::to_owned), argument.get_short(), takes)
            });
            all.collect::<Vec<_>>()
        };
        let (run, sim) = (arguments("run"), arguments("sim"));
        assert!(run.len() > 10);
        for argument in run.into_iter().filter(|argument| !LIVE_ONLY.contains(&argument.0.as_str())) {
            assert!(sim.contains(&argument), "`sim` lacks {argument:?}");
        }
    }
}

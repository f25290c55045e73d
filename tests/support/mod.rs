//! What the end-to-end tests share: a folder with a scenario, `longwire` started on it, and the report read back.
//!
//! One run at a time in real time, within a test program and beside it: a second run would only measure the first. A lock on a file
//! gives each [`Lab`] its turn. Every run must leave nothing behind and, with `--json`, a report whose sums add up.
#![allow(dead_code)] // each test program uses its own part

pub(crate) mod capture;
pub(crate) mod documents;
pub(crate) mod junit;
pub(crate) mod report;
pub(crate) mod scenarios;
pub(crate) mod scenes;
pub(crate) mod sim;
pub(crate) mod traces;
pub(crate) mod verdicts;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use traces::Traces;

/// No run of these tests takes nearly as long: what does hangs.
const LIMIT: Duration = Duration::from_secs(300);
/// In virtual time the processor's speed is all that counts, and others may need it too.
const SIMULATED_LIMIT: Duration = Duration::from_secs(600);

/// With `LONGWIRE_TEST_ALL=1`, as in CI, skipping is failing.
fn skips_nothing() -> bool {
    std::env::var_os("LONGWIRE_TEST_ALL").is_some()
}

/// Says why a test is skipped.
pub(crate) fn skip(reason: &str) {
    assert!(!skips_nothing(), "not to be skipped: {reason}");
    // Past the harness, which keeps what passing tests print to itself.
    let _ = writeln!(std::io::stderr(), "  skipped: {reason}");
}

/// Whether a program is there, or the reason is said why the test is skipped.
pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    if !there {
        skip(&format!("there is no `{program}` here"));
    }
    there
}

/// The browser, or the reason is said why the test is skipped.
pub(crate) fn browser() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |name: &&str| std::env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(there);
    if found.is_none() {
        skip("there is no chromium, chromium-browser or google-chrome here");
    }
    found
}

/// Whether a program is there and is the one that is meant: several programs share its name, and take other options. Its
/// first line for `-V` names it.
pub(crate) fn has_of(program: &str, package: &str) -> bool {
    if !has(program) {
        return false;
    }
    let said = Command::new(program).arg("-V").output().ok();
    let said = said.map(|out| [out.stdout, out.stderr].concat()).unwrap_or_default();
    let meant = String::from_utf8_lossy(&said).contains(package);
    if !meant {
        skip(&format!("the `{program}` here is not that of {package}"));
    }
    meant
}

/// Whether there is a kernel for virtual time, or the reason is said why the test is skipped.
pub(crate) fn has_kernel() -> bool {
    let kernel = longwire::sim::kernel::find();
    if let Err(error) = &kernel {
        skip(&error.to_string());
    }
    kernel.is_ok()
}

/// Whether these tests are root, or the reason is said why the test is skipped.
pub(crate) fn is_root() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        skip("only root can become another user, or mount");
    }
    root
}

/// A folder of its own with a scenario in it, and the turn to run it.
pub(crate) struct Lab {
    folder: TempDir,
    /// In the environment of everything that is started here.
    mark: String,
    /// Whether its runs are in virtual time.
    simulates: bool,
    _turn: File,
}

const MARK: &str = "LAB_OF_A_TEST";

impl Lab {
    /// A folder with `scenario.yaml`; `None`, with the reason said, where this machine can make no hosts.
    pub(crate) fn new(scenario: &str) -> Option<Lab> {
        let lab = Lab::without_hosts();
        lab.write("scenario.yaml", scenario);
        // once is enough: with a kernel for virtual time it takes seconds
        static LACKING: OnceLock<Option<String>> = OnceLock::new();
        let lacking = LACKING.get_or_init(|| {
            let doctor = lab.run(&["doctor"]);
            (doctor.code != 0).then_some(doctor.stdout)
        });
        if let Some(lacking) = lacking {
            skip(&format!("this machine lacks something:\n{lacking}"));
            return None;
        }
        Some(lab)
    }

    /// As [`Lab::new`], but its runs are in virtual time where there is a kernel for it: no machine is too slow there.
    pub(crate) fn on_any_clock(scenario: &str) -> Option<Lab> {
        if let Err(error) = longwire::sim::kernel::find() {
            assert!(!skips_nothing(), "virtual time is wanted here: {error}");
            return Lab::new(scenario);
        }
        let lab = Lab::simulating();
        lab.write("scenario.yaml", scenario);
        Some(lab)
    }

    /// A folder for runs in virtual time alone: they do not disturb each other.
    pub(crate) fn simulating() -> Lab {
        Lab::in_folder(true)
    }

    /// A folder without a scenario.
    pub(crate) fn without_hosts() -> Lab {
        Lab::in_folder(false)
    }

    fn in_folder(simulates: bool) -> Lab {
        let turn = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("live-tests.lock")).expect("a lock file");
        if simulates { turn.lock_shared() } else { turn.lock() }.expect("our turn");
        Lab::in_turn(simulates, turn)
    }

    /// Another folder in the same turn, for a run beside others.
    pub(crate) fn beside(&self) -> Lab {
        Lab::in_turn(self.simulates, self._turn.try_clone().expect("another hold of the lock"))
    }

    fn in_turn(simulates: bool, turn: File) -> Lab {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let folder = tempfile::Builder::new().prefix("longwire-test-").tempdir().expect("a temporary folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("ours");
        let mark = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Lab { folder, mark, simulates, _turn: turn }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Another program, as this lab's: in its folder, and marked.
    pub(crate) fn other(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).env(MARK, &self.mark).stdin(Stdio::null());
        command.env_remove("NO_COLOR");
        command
    }

    /// `longwire` with these arguments, in the folder.
    pub(crate) fn longwire(&self, arguments: &[&str]) -> Command {
        self.other(env!("CARGO_BIN_EXE_longwire"), arguments)
    }

    /// Starts a command of this lab, with pipes for what it writes.
    pub(crate) fn start(&self, mut command: Command) -> Started {
        let begin = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started");
        let stdout = gather(child.stdout.take().expect("piped"));
        let stderr = gather(child.stderr.take().expect("piped"));
        let limit = if self.simulates { SIMULATED_LIMIT } else { LIMIT };
        Started { child, outputs: Some([stdout, stderr]), begin, limit, mark: self.mark.clone() }
    }

    /// `longwire run scenario.yaml` with more arguments, started.
    pub(crate) fn start_run(&self, arguments: &[&str]) -> Started {
        let all: Vec<&str> = ["run", "scenario.yaml"].iter().chain(arguments).copied().collect();
        self.start(self.longwire(&all))
    }

    /// `longwire` with these arguments, to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(self.longwire(arguments)).wait()
    }

    /// Runs the scenario by the lab's clock with more arguments, to its end.
    pub(crate) fn run_scenario(&self, arguments: &[&str]) -> Ended {
        let verb = if self.simulates { "sim" } else { "run" };
        let all: Vec<&str> = [verb, "scenario.yaml"].iter().chain(arguments).copied().collect();
        self.run(&all)
    }

    /// Runs the scenario; its exit code and its report, whose sums were checked.
    pub(crate) fn report(&self) -> (i32, Value) {
        let ended = self.run_scenario(&["--json", "-"]);
        let report = ended.json();
        (ended.code, report)
    }

    /// Runs another scenario text, in the same way.
    pub(crate) fn report_of(&self, scenario: &str) -> (i32, Value) {
        self.write("scenario.yaml", scenario);
        self.report()
    }

    /// Everything that lives of this lab.
    pub(crate) fn traces(&self) -> Traces {
        Traces::of(MARK, &self.mark)
    }

    /// Waits until a file is there, which a program of the scenario makes.
    pub(crate) fn until_file(&self, name: &str) {
        until(&format!("{name} is there"), || self.path(name).exists());
    }
}

/// Waits until `done`, at most a minute: what takes longer hangs.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !done() {
        assert!(begin.elapsed() < Duration::from_secs(60), "waited too long until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A command at work. Dropped on the way, as by a failing test, it is killed.
pub(crate) struct Started {
    child: Child,
    /// Taken when it is waited for.
    outputs: Option<[JoinHandle<String>; 2]>,
    begin: Instant,
    limit: Duration,
    mark: String,
}

fn gather(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Started {
    /// It may take so long.
    pub(crate) fn within(mut self, limit: Duration) -> Started {
        self.limit = limit;
        self
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).expect("our child");
    }

    /// Writes to its standard input, where that is a pipe.
    pub(crate) fn write(&mut self, text: &str) {
        self.child.stdin.as_mut().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    }

    /// There is no more to come on its standard input.
    pub(crate) fn close(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Whether it still runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_none()
    }

    /// Waits until it has ended or is about to; the most memory that it ever had resident, in bytes. That is of the
    /// process that was started alone, the one with the engine: programs and workloads are others.
    pub(crate) fn peak_memory(&mut self) -> u64 {
        let mut peak = 0;
        while self.runs() && self.begin.elapsed() < self.limit {
            // proc_pid_status(5); the line is gone once the process has let go of its memory
            let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
            peak = peak.max(kib.unwrap_or(0) * 1024);
            std::thread::sleep(Duration::from_millis(10));
        }
        peak
    }

    /// Waits for its end, and that nothing is left of it a second later.
    pub(crate) fn wait(mut self) -> Ended {
        while self.runs() {
            if self.begin.elapsed() > self.limit {
                self.child.kill().expect("our child");
                panic!("it hangs; stderr so far: {}", self.output()[1]);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        let status = self.child.wait().expect("our child");
        let took = self.begin.elapsed();
        Traces::of(MARK, &self.mark).assert_gone(Instant::now());
        let [stdout, stderr] = self.output();
        assert!(!stderr.contains("panicked at"), "{stderr}");
        // As a shell has it.
        let code = status.code().unwrap_or_else(|| 128 + status.signal().expect("it has ended"));
        Ended { code, stdout, stderr, took }
    }

    /// What it wrote until its end.
    fn output(&mut self) -> [String; 2] {
        self.outputs.take().expect("it is waited for once").map(|output| output.join().expect("read"))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // both say that it has ended already, or it ends now
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ended {
    /// The report on standard output, and nothing beside it; its sums and its verdict checked.
    pub(crate) fn json(&self) -> Value {
        let report: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no report on standard output: {error}\n{}\n{}", self.stdout, self.stderr));
        report::check(&report, self.code);
        report
    }

    /// Whether it passed, or said INVALID for a reason that names what a slow machine did.
    pub(crate) fn passed_or_was_late(&self) -> bool {
        self.code == 0 || (self.code == 3 && report::names_lateness(&(self.stdout.clone() + &self.stderr)))
    }

    /// Asserts that, where only the machine's own clock will do. What is counted must hold in both cases.
    #[track_caller]
    pub(crate) fn assert_passed_or_late(&self) {
        assert!(self.passed_or_was_late(), "{}", self.told());
    }

    /// What it exited with and what it said, for messages.
    pub(crate) fn told(&self) -> String {
        format!("exit {}\n{}\n{}", self.code, self.stdout, self.stderr)
    }
}

/// Runs `longwire` as a user without any right. `None`, with the reason said, where such a user can make no hosts.
pub(crate) fn as_nobody(lab: &Lab) -> Option<impl Fn(&[&str]) -> Ended> {
    let copy = open_copy(lab);
    let run = move |arguments: &[&str]| {
        let mut command = lab.other(&copy, arguments);
        command.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/").uid(65_534).gid(65_534);
        lab.start(command).wait()
    };
    let doctor = run(&["doctor"]);
    if doctor.code != 0 {
        skip(&format!("a normal user lacks something here:\n{}", doctor.stdout));
        return None;
    }
    Some(run)
}

/// A copy of `longwire` that other users may start; the build's own folder may be closed to them.
pub(crate) fn open_copy(lab: &Lab) -> PathBuf {
    let copy = lab.path("longwire");
    // by another process: a test beside this one may fork meanwhile, and no file can be started while someone has it open to write
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_longwire")).arg(&copy).status().expect("cp is there");
    assert!(copied.success(), "copied");
    copy
}

//! The live benchmark: longwire on real TAPs between two hosts, against counterparts on the same machine, in turn.
//!
//! `cargo bench --bench live` runs all of it in about a quarter of an hour; `-- --quick` in half a minute, `-- --help` tells
//! the rest. It needs root, or user namespaces and an open /dev/net/tun; without them it says so and measures nothing, which
//! is a failure with `LONGWIRE_TEST_ALL=1`. Every measurement is a process of its own, whose hosts end with it.
//!
//! | file | idea |
//! |---|---|
//! | `options` `machine` `table` `statistics` | what is asked, where it ran, how it is shown |
//! | `throughput` `small_frames` `delay` `rate` `startup` | one section each |
//! | `turns` `child` `job` | variants in turn; a process each; what it is told and answers |
//! | `emulator` | a measurement through longwire's own program |
//! | `carry` `raw` `hosts` | a measurement through a counterpart |
//! | `tcp` `udp` | the traffic |

#[path = "live/carry.rs"]
mod carry;
#[path = "live/child.rs"]
mod child;
#[path = "live/delay.rs"]
mod delay;
#[path = "live/emulator.rs"]
mod emulator;
#[path = "live/hosts.rs"]
mod hosts;
#[path = "live/job.rs"]
mod job;
#[path = "live/machine.rs"]
mod machine;
#[path = "live/options.rs"]
mod options;
#[path = "live/rate.rs"]
mod rate;
#[path = "live/raw.rs"]
mod raw;
#[path = "live/small_frames.rs"]
mod small_frames;
#[path = "live/startup.rs"]
mod startup;
#[path = "live/statistics.rs"]
mod statistics;
#[path = "live/table.rs"]
mod table;
#[path = "live/tcp.rs"]
mod tcp;
#[path = "live/throughput.rs"]
mod throughput;
#[path = "live/turns.rs"]
mod turns;
#[path = "live/udp.rs"]
mod udp;

use std::io::{Read, Write};
use std::process::{Command, ExitCode};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use job::{Job, Outcome, Stop};
use options::{Options, Section};

/// Environment variable with the directory for what has to have a path.
pub(crate) const SCRATCH: &str = "LONGWIRE_BENCH_SCRATCH";
/// Environment variable with longwire's program.
const LONGWIRE: &str = "LONGWIRE_BENCH_PROGRAM";

fn main() -> ExitCode {
    let options = Options::read();
    let result = match options.part.clone() {
        Some(name) => play(&name, options.job.as_deref().unwrap_or("null")).map(|()| true),
        None => bench(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// Everything that is asked for; `false` if something broke.
fn bench(options: &Options) -> Result<bool, Stop> {
    if let Some(lacking) = lacking() {
        eprintln!("nothing is measured: {lacking}");
        return Ok(std::env::var_os("LONGWIRE_TEST_ALL").is_none());
    }
    let program = std::path::absolute(&options.longwire).map_err(Stop::at("finding longwire"))?;
    PROGRAM.set(program).map_err(|_| Stop::Failed("the benchmark runs once".into()))?;
    let machine = machine::Machine::here();
    let mut whole = Map::new();
    whole.insert("machine".into(), json!(machine));
    println!("{}", machine.line(options.repeat(), options.quick));
    let mut failures = 0;
    type Run = fn(&Options) -> (table::Table, Vec<turns::Series>);
    let sections: [(Section, &str, Run); 4] = [
        (Section::Throughput, "throughput", throughput::run),
        (Section::SmallFrames, "small_frames", small_frames::run),
        (Section::Delay, "delay", delay::run),
        (Section::Rate, "rate", rate::run),
    ];
    for (section, name, run) in sections {
        if options.wants(section) {
            let (table, series) = run(options);
            println!("{}", table.render());
            failures += series.iter().map(turns::Series::failures).sum::<usize>();
            whole.insert(name.into(), series.iter().map(turns::Series::json).collect());
        }
    }
    if options.wants(Section::Startup) {
        let (table, json, failed) = startup::run(options);
        println!("{}", table.render());
        failures += failed;
        whole.insert("startup".into(), json);
    }
    if let Some(path) = &options.json {
        let text = format!("{:#}\n", Value::Object(whole));
        std::fs::write(path, text).map_err(Stop::at(&format!("writing {}", path.display())))?;
    }
    if failures > 0 {
        eprintln!("{failures} measurements failed");
    }
    Ok(failures == 0)
}

/// What keeps hosts from being made here.
fn lacking() -> Option<String> {
    let mut probe = own_program();
    probe.args(["--part", "probe"]);
    match child::run(probe, "", std::time::Duration::from_secs(10), false) {
        Ok(ended) if ended.code == Some(0) => None,
        Ok(ended) => Some(ended.output.trim().to_owned()),
        Err(why) => Some(why.to_string()),
    }
}

/// Plays a part of a measurement.
fn play(name: &str, job: &str) -> Result<(), Stop> {
    match name {
        "carry" => {
            child::end_with(read(job)?)?;
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map_err(Stop::at("reading a job"))?;
            say(&Outcome::from(carry::run(&read::<Job>(&text)?)));
            Ok(())
        }
        "longwire" => {
            let program = std::env::var(LONGWIRE).map_err(Stop::at("finding longwire"))?;
            emulator::become_longwire(&program, read(job)?)
        }
        "tcp" => tcp::run(&read(job)?),
        "clock" => startup::monotonic_ns().map(|ns| say(&ns)),
        "probe" => match hosts::Hosts::make(Some(longwire::port::tap::Framing::Plain)) {
            Ok((hosts, taps)) => {
                drop(taps);
                hosts.end()
            }
            Err(why) => {
                println!("{why}");
                Err(why)
            }
        },
        other => Err(Stop::Failed(format!("there is no part `{other}`"))),
    }
}

fn read<T: DeserializeOwned>(job: &str) -> Result<T, Stop> {
    serde_json::from_str(job).map_err(Stop::at("reading a job"))
}

/// Writes one line of JSON to standard output.
pub(crate) fn say(what: &impl Serialize) {
    let line = serde_json::to_string(what).expect("plain data");
    // If nobody reads, the measurement is over.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// This program, to play a part.
pub(crate) fn own_program() -> Command {
    let mut command = Command::new("/proc/self/exe");
    if let Some(program) = PROGRAM.get() {
        command.env(LONGWIRE, program);
    }
    command
}

static PROGRAM: std::sync::OnceLock<std::path::PathBuf> = std::sync::OnceLock::new();

/// The command line of this program playing a part.
pub(crate) fn part(name: &str, job: &impl Serialize) -> Result<Vec<String>, Stop> {
    let program = std::env::current_exe().map_err(Stop::at("finding this program"))?;
    let job = serde_json::to_string(job).map_err(Stop::at("writing a job"))?;
    Ok(vec![program.to_string_lossy().into_owned(), "--part".into(), name.into(), "--job".into(), job])
}

/// The directory for what has to have a path; it goes with the measurement.
pub(crate) fn scratch() -> String {
    std::env::var(SCRATCH).unwrap_or_default()
}

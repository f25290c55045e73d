//! A measurement's process: started, watched, ended after its time. It ends with this program, and all of its own with it.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::job::Stop;

/// How often a child is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// What a child left.
pub(crate) struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote to standard output.
    pub(crate) output: String,
    /// Processor time of its busiest thread, as last seen, when that was asked for.
    pub(crate) cpu_ns: Option<u64>,
    /// From its start to its end.
    pub(crate) wall: Duration,
}

/// Runs a child to its end, at most `limit`, with `input` as its standard input.
pub(crate) fn run(mut command: Command, input: &str, limit: Duration, watch: bool) -> Result<Ended, Stop> {
    let started = Instant::now();
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(Stop::at(&format!("starting {:?}", command.get_program())))?;
    // Smaller than a pipe, so that it cannot block; a child that ended already says so below.
    drop(child.stdin.take().map(|mut pipe| pipe.write_all(input.as_bytes())));
    let mut pipe = child.stdout.take().expect("it was asked for");
    let reader = std::thread::spawn(move || {
        let mut output = Vec::new();
        pipe.read_to_end(&mut output).map(|_| String::from_utf8_lossy(&output).into_owned())
    });
    let threads = format!("/proc/{}/task", child.id());
    let mut cpu = HashMap::new();
    let status = loop {
        if watch {
            note_cpu(threads.as_ref(), &mut cpu);
        }
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if started.elapsed() < limit => std::thread::sleep(LOOK),
            other => {
                // Our own child, not waited for: its number is still its own.
                let _ = child.kill();
                let _ = child.wait();
                return Err(match other {
                    Err(error) => Stop::at("waiting for a measurement")(error),
                    Ok(_) => Stop::Failed(format!("it had not ended after {} s", limit.as_secs())),
                });
            }
        }
    };
    let wall = started.elapsed();
    let output = reader.join().expect("the reader does not panic").map_err(Stop::at("reading a measurement"))?;
    Ok(Ended { code: status.code(), output, cpu_ns: cpu.into_values().max(), wall })
}

/// Notes the processor time of every thread; of one that has ended, the last that was seen stays.
fn note_cpu(threads: &Path, cpu: &mut HashMap<std::ffi::OsString, u64>) {
    for thread in fs::read_dir(threads).into_iter().flatten().flatten() {
        if let Some(ns) = schedstat(&thread.path().join("schedstat")) {
            cpu.insert(thread.file_name(), ns);
        }
    }
}

/// Time on a processor, in ns.
pub(crate) fn schedstat(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.split_whitespace().next()?.parse().ok()
}

/// Lets the kernel end this process with the one that started it, whose number is `parent`.
pub(crate) fn end_with(parent: u32) -> Result<(), Stop> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(Stop::at("tying it to its parent"))?;
    // It may have ended before that.
    match nix::unistd::getppid().as_raw() {
        now if now.unsigned_abs() == parent => Ok(()),
        _ => Err(Stop::Failed("the benchmark has ended".into())),
    }
}

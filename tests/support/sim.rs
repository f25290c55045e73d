//! Runs in virtual time, seen from the machine: the processes of one, and what it leaves.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use longwire::sim::kernel;

use super::{Lab, Started, skip};

/// A folder with a scenario, a copy of the kernel that every user may start, and an empty home.
pub(crate) struct Sim {
    pub(crate) lab: Lab,
}

/// What two runs of the same are compared by, by name: all of `--out` but the kernel's console, which the machine speaks to, and what
/// names the folder.
pub(crate) type Outcome = BTreeMap<String, Vec<u8>>;

impl Sim {
    /// `None`, with the reason said, where there is no kernel.
    pub(crate) fn new(scenario: &str) -> Option<Sim> {
        let kernel = match kernel::find() {
            Ok(kernel) => kernel,
            Err(error) => {
                skip(&error.to_string());
                return None;
            }
        };
        let lab = Lab::simulating();
        lab.write("scenario.yaml", scenario);
        fs::copy(kernel.path, lab.path("linux")).expect("copied");
        fs::create_dir(lab.path("home")).expect("made");
        Some(Sim { lab })
    }

    /// A program on its way to `longwire sim`, with this lab's kernel and home.
    pub(crate) fn other(&self, program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
        let mut command = self.lab.other(program, arguments);
        command.env(kernel::VARIABLE, self.lab.path("linux")).env("HOME", self.lab.path("home"));
        command
    }

    /// `longwire sim scenario.yaml` with more arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let words: Vec<&str> = ["sim", "scenario.yaml"].iter().chain(arguments).copied().collect();
        self.other(env!("CARGO_BIN_EXE_longwire"), &words)
    }

    /// Nothing was written to the home directory.
    pub(crate) fn assert_home_is_empty(&self) {
        let left: Vec<_> = fs::read_dir(self.lab.path("home")).expect("there").collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// What a run left in a directory of the lab.
    pub(crate) fn outcome(&self, out: &str) -> Outcome {
        let mut found = Outcome::new();
        gather(&self.lab.path(out), "", &mut found);
        for varying in ["console.txt", "command.txt", "report.html"] {
            assert!(found.remove(varying).is_some(), "{out} has no {varying}");
        }
        found
    }
}

fn gather(folder: &Path, within: &str, into: &mut Outcome) {
    for entry in fs::read_dir(folder).expect("a directory") {
        let entry = entry.expect("readable");
        let name = format!("{within}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            gather(&entry.path(), &format!("{name}/"), into);
        } else {
            into.insert(name, fs::read(entry.path()).expect("readable"));
        }
    }
}

/// The first line in which two outcomes differ, file by file.
pub(crate) fn differences(one: &Outcome, other: &Outcome) -> Vec<String> {
    let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
    names
        .filter(|name| one.get(*name) != other.get(*name))
        .map(|name| {
            let text = |outcome: &Outcome| {
                outcome.get(name).map_or("(missing)".to_owned(), |bytes| String::from_utf8_lossy(bytes).into_owned())
            };
            let (a, b) = (text(one), text(other));
            let lines = a.lines().zip(b.lines()).find(|(a, b)| a != b);
            format!("{name}: {:?}", lines.unwrap_or(("one is longer", "")))
        })
        .collect()
}

/// The processes of a run, on the machine, and its directory.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) launcher: u32,
    pub(crate) janitors: Vec<u32>,
    pub(crate) kernel: u32,
    /// In which the guest's programs run.
    pub(crate) stubs: Vec<u32>,
    pub(crate) place: PathBuf,
}

fn stat(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut rest = stat.rsplit_once(") ")?.1.split(' ');
    Some((rest.next()?.to_owned(), rest.next()?.parse().ok()?))
}

fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|(state, of)| of == parent && state != "Z" && state != "X")).collect()
}

impl Parts {
    /// `None` while there is no kernel yet, or not any more.
    pub(crate) fn of(run: &Started) -> Option<Parts> {
        let launcher = run.pid();
        let is_kernel = |pid: &u32| {
            fs::read_link(format!("/proc/{pid}/exe"))
                .is_ok_and(|exe| exe.file_name().is_some_and(|name| name == "linux"))
        };
        let (kernels, janitors): (Vec<u32>, Vec<u32>) = children(launcher).into_iter().partition(is_kernel);
        let kernel = *kernels.first()?;
        let place = fs::read_link(format!("/proc/{kernel}/cwd")).ok()?;
        let mut stubs = Vec::new();
        let mut parents = vec![kernel];
        while let Some(parent) = parents.pop() {
            let found = children(parent);
            stubs.extend(&found);
            parents.extend(found);
        }
        Some(Parts { launcher, janitors, kernel, stubs, place })
    }

    /// Waits for the kernel.
    pub(crate) fn wait(run: &Started) -> Parts {
        let mut found = None;
        super::until("the kernel runs", || {
            found = Parts::of(run);
            found.is_some()
        });
        found.expect("it was waited for")
    }

    /// What of it is there now.
    fn left(&self) -> (Vec<u32>, bool) {
        let all = [self.launcher, self.kernel]
            .into_iter()
            .chain(self.janitors.iter().copied())
            .chain(self.stubs.iter().copied());
        let lives = |pid: &u32| stat(*pid).is_some_and(|(state, _)| state != "Z" && state != "X");
        (all.filter(lives).collect(), self.place.exists())
    }

    /// No process of it lives, and its directory is gone: soon after `since`, and a minute on a slow machine.
    pub(crate) fn assert_gone(&self, since: Instant, what: &str) {
        loop {
            let left = self.left();
            if left == (Vec::new(), false) {
                return;
            }
            assert!(since.elapsed() < Duration::from_secs(60), "{what}: left of {self:?}: {left:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

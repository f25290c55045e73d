//! Running the same once more, and ending with whoever asked for a run.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::getppid;

/// From now on this process is ended, cleanly, when its parent dies. `false` if `parent` is gone already.
pub(super) fn end_with(parent: i32) -> bool {
    // a kernel that refuses leaves a run that ends by itself, a little later
    let _ = prctl::set_pdeathsig(Signal::SIGTERM);
    // it may have died before we asked (prctl(2))
    getppid().as_raw() == parent
}

/// Becomes the same program with the same arguments anew: a run begins with a process that has one thread and no history.
/// Returns only if that fails.
pub(super) fn run_again(attempt: u32) -> io::Error {
    match std::env::current_exe() {
        Ok(program) => Command::new(program).args(arguments(std::env::args_os().skip(1), attempt)).exec(),
        Err(error) => error,
    }
}

/// The arguments behind the program's name, with the number of the attempt behind the subcommand.
fn arguments(given: impl Iterator<Item = OsString>, attempt: u32) -> Vec<OsString> {
    const OPTION: &str = "--attempt=";
    let mut all: Vec<OsString> = given.collect();
    // ours stands right behind the subcommand, where no file can be
    if all.get(1).is_some_and(|word| word.to_string_lossy().starts_with(OPTION)) {
        all.remove(1);
    }
    all.insert(all.len().min(1), format!("{OPTION}{attempt}").into());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_the_attempt_is_replaced_and_nothing_else() {
        let words = |given: &[&str], attempt| {
            let all = arguments(given.iter().map(OsString::from), attempt);
            all.into_iter().map(|word| word.into_string().unwrap()).collect::<Vec<_>>()
        };
        let first = words(&["run", "--retry-invalid", "3", "--", "--attempt=1"], 2);
        assert_eq!(first, ["run", "--attempt=2", "--retry-invalid", "3", "--", "--attempt=1"]);
        let first: Vec<&str> = first.iter().map(String::as_str).collect();
        assert_eq!(words(&first, 3), ["run", "--attempt=3", "--retry-invalid", "3", "--", "--attempt=1"]);
    }
}

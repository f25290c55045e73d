//! A whole scenario in virtual time: what the copy of a program does outside of the guest, and as its first process.

use super::copy::{Failure, Orders, unwritten};
use crate::cli;
use crate::host::takeover;
use crate::report::json::Report;
use crate::run::out_dir::OutDir;
use crate::run::owner::Cause;
use crate::sim::guest::{EXCHANGE, STDERR};
use crate::sim::{self, Ended, Order, SimError, Watcher, kernel};
use crate::units::Duration;

/// Where the run inside leaves its report, and all that explains it.
const REPORT: &str = "report.json";
const OUT: &str = "out";

// The kernel starts this very program, whatever that is.
takeover::before_main!(GUEST: if sim::is_first_process => first_process);

fn first_process() -> i32 {
    cli::be_guest()
}

/// Runs the scenario. This process must have one thread.
pub(super) fn carry_out(orders: &Orders) -> Result<Report, Failure> {
    // The mention that holds it in the program: see `before_main`.
    std::hint::black_box(GUEST);
    let resolved = orders.resolved(true)?;
    let kernel = kernel::find().map_err(failure)?;
    sim::become_caller().map_err(failure)?;
    let out = orders
        .out
        .as_ref()
        .map(|path| OutDir::create(path, &resolved, false).map_err(|e| unwritten(path, &e)))
        .transpose()?;
    let folder = sim::folder(&resolved).map_err(|error| (Cause::Input, error))?;
    let order = Order {
        arguments: arguments(orders),
        files: orders.files.clone(),
        folder,
        seed: resolved.scenario.seed,
        memory: resolved.scenario.sim.memory,
        wall_limit: sim::WALL_LIMIT,
        cpu: None,
        colour: false,
        out: out.as_ref().map(|out| out.path().to_owned()),
        shell: None,
    };
    let ended = sim::simulate(&kernel, order, &mut Quiet).map_err(failure)?;
    if let Some(out) = &out {
        let copied = ended.place.copy(OUT, out).and_then(|_left_out| out.write("console.txt", &ended.place.console()));
        copied.and_then(|()| out.conclude()).map_err(|e| unwritten(out.path(), &e))?;
    }
    conclude(&ended)
}

/// Those of `longwire run` inside.
fn arguments(orders: &Orders) -> Vec<String> {
    let mut words = vec!["--json".to_owned(), format!("{EXCHANGE}/{REPORT}")];
    if orders.out.is_some() {
        words.extend(["--out".to_owned(), format!("{EXCHANGE}/{OUT}")]);
    }
    words.extend(orders.seed.iter().flat_map(|seed| ["--seed".to_owned(), seed.to_string()]));
    words.extend(orders.params.iter().flat_map(|(name, value)| ["--param".to_owned(), format!("{name}={value}")]));
    words.extend(["--".to_owned(), orders.path.display().to_string()]);
    words
}

fn conclude(ended: &Ended) -> Result<Report, Failure> {
    let report = ended.place.read(REPORT).unwrap_or_default();
    serde_json::from_slice(&report).map_err(|_| {
        let said = ended.place.read(STDERR).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        (Cause::Broken, format!("the run in the guest left no report (exit code {})\n{}", ended.code, said.trim()))
    })
}

fn failure(error: SimError) -> Failure {
    let cause = if matches!(error, SimError::Lacks(_)) { Cause::Lacking } else { Cause::Broken };
    (cause, error.to_string())
}

/// Nobody looks.
struct Quiet;

impl Watcher for Quiet {
    fn progress(&mut self, _: &str, _: Option<Duration>, _: f64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_inside_gets_all_that_was_set() {
        let mut orders = Orders {
            path: "-a.yaml".into(),
            files: Default::default(),
            params: vec![("loss".into(), "5%".into())],
            seed: Some(7),
            out: Some("there".into()),
        };
        assert_eq!(
            arguments(&orders).join(" "),
            "--json /longwire/report.json --out /longwire/out --seed 7 --param loss=5% -- -a.yaml"
        );
        (orders.seed, orders.out) = (None, None);
        orders.params.clear();
        assert_eq!(arguments(&orders).join(" "), "--json /longwire/report.json -- -a.yaml");
    }
}

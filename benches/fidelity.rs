//! What virtual time gives, against theory: delays, TCP under loss, fairness, standing queues.
//!
//! `cargo bench --bench fidelity` runs all of it in under an hour on two cores and prints the tables of docs/fidelity.md; `-- --quick`
//! takes a few minutes with shorter runs, `-- SECTION…` runs some sections. `-- --live` runs six cells and the scenarios of scenarios/ci against the machine's clock
//! instead. It needs the kernel of virtual time (docs/virtual-time.md); without it, it says so and measures nothing.
//!
//! | file | idea |
//! |---|---|
//! | `sim` | one run, as JSON; several at a time, in order |
//! | `delay` `loss` `sharing` `queues` | a section each |
//! | `beside` | the scenarios of scenarios/ci by both clocks |

#[path = "fidelity/beside.rs"]
mod beside;
#[path = "fidelity/delay.rs"]
mod delay;
#[path = "fidelity/loss.rs"]
mod loss;
#[path = "fidelity/queues.rs"]
mod queues;
#[path = "fidelity/sharing.rs"]
mod sharing;
#[path = "fidelity/sim.rs"]
mod sim;

use std::process::ExitCode;

/// A section: its name, and what prints it. `true`: with shorter runs.
type Section = (&'static str, fn(bool) -> Result<(), String>);

const SECTIONS: [Section; 5] = [
    ("delay", delay::run),
    ("loss", loss::run),
    ("bbr", loss::bbr),
    ("sharing", sharing::run),
    ("queues", queues::run),
];

/// Sections that run against the machine's clock as well, and want it quiet.
const LIVE: [Section; 2] = [("cells", loss::live), ("beside", beside::run)];

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench" && word != "--test").collect();
    let quick = arguments.iter().any(|word| word == "--quick") || std::env::args().any(|word| word == "--test");
    let live = arguments.iter().any(|word| word == "--live");
    let named: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    let known: Vec<&str> = SECTIONS.iter().chain(&LIVE).map(|(name, _)| *name).collect();
    if let Some(unknown) = named.iter().find(|name| !known.contains(name)) {
        eprintln!("no section `{unknown}`: there are {}", known.join(", "));
        return ExitCode::from(2);
    }
    if let Some(lacking) = sim::lacking() {
        eprintln!("nothing is measured: {lacking}");
        return if std::env::var_os("LONGWIRE_TEST_ALL").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    let of_theory = SECTIONS.iter().filter(|(name, _)| named.contains(name) || (named.is_empty() && !live));
    let by_both = LIVE.iter().filter(|(name, _)| named.contains(name) || (named.is_empty() && live));
    for (name, section) in of_theory.chain(by_both) {
        if let Err(error) = section(quick) {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

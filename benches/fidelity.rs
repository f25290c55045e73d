//! What virtual time gives, against theory: delays, TCP under loss, fairness, standing queues.
//!
//! `cargo bench --bench fidelity` runs all of it in under an hour on two cores and prints the tables of docs/fidelity.md; `-- --quick`
//! takes a few minutes with shorter runs, `-- SECTION…` runs some sections. `-- --live` adds six cells and the scenarios of scenarios/ci against the machine's clock. It
//! needs the kernel of virtual time (docs/virtual-time.md); without it, it says so and measures nothing.
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

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|word| word != "--bench" && word != "--test").collect();
    let quick = arguments.iter().any(|word| word == "--quick") || std::env::args().any(|word| word == "--test");
    let live = arguments.iter().any(|word| word == "--live");
    let named: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    if let Some(unknown) = named.iter().find(|name| SECTIONS.iter().all(|(known, _)| known != *name)) {
        eprintln!("no section `{unknown}`: there are {}", SECTIONS.map(|(name, _)| name).join(", "));
        return ExitCode::from(2);
    }
    if let Some(lacking) = sim::lacking() {
        eprintln!("nothing is measured: {lacking}");
        return if std::env::var_os("LONGWIRE_TEST_ALL").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    }
    for (name, section) in SECTIONS.iter().filter(|(name, _)| named.is_empty() || named.contains(name)) {
        if let Err(error) = section(quick) {
            eprintln!("{name}: {error}");
            return ExitCode::FAILURE;
        }
    }
    if live && let Err(error) = loss::live(quick).and_then(|()| beside::run()) {
        eprintln!("live: {error}");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

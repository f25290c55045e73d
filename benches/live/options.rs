//! What the benchmark may be asked.

use std::path::PathBuf;

/// Measures longwire live, between hosts that exist only for that, against counterparts on the same machine.
///
/// Prints Markdown on standard output. Variants are measured in turn, repetition by repetition; the numbers are medians.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "live")]
pub(crate) struct Options {
    /// One short repetition of everything, to see that it works; its numbers say little
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only this section; may be given several times
    #[arg(long, value_enum, value_name = "SECTION")]
    pub(crate) only: Vec<Section>,
    /// Repetitions; 5, or 1 with --quick
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    repeat: Option<u32>,
    /// Write every single measurement to FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// The program to measure, instead of the one built with the benchmark
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_longwire"))]
    pub(crate) longwire: PathBuf,
    /// What cargo adds to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
    /// A part of a measurement, in a process of its own
    #[arg(long, hide = true)]
    pub(crate) part: Option<String>,
    /// What that part is to do
    #[arg(long, hide = true)]
    pub(crate) job: Option<String>,
}

/// Sections by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Section {
    /// TCP throughput
    Throughput,
    /// What small frames cost
    SmallFrames,
    /// How far a delay strays
    Delay,
    /// How far a rate strays
    Rate,
    /// How long it takes until a network runs
    Startup,
}

impl Options {
    /// From the command line. `cargo test --benches` gives none: then it is a quick look at whether all works.
    pub(crate) fn read() -> Options {
        let mut options = <Options as clap::Parser>::parse();
        options.quick |= std::env::args_os().len() == 1;
        options
    }

    /// How often everything is measured.
    pub(crate) fn repeat(&self) -> u32 {
        self.repeat.unwrap_or(if self.quick { 1 } else { 5 })
    }

    /// Whether a section is asked for.
    pub(crate) fn wants(&self, section: Section) -> bool {
        self.only.is_empty() || self.only.contains(&section)
    }
}

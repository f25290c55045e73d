//! `longwire plot REPORT --chart NAME --svg FILE`.

use std::path::PathBuf;

use super::output::Output;
use super::{Exit, compare, paint};
use crate::diag::printable::Printable;
use crate::page::figure;

/// Draw one chart of a report into a picture of its own, for documents
///
/// Without --chart it lists the charts that the report has: of links throughput, delay, queue and drops, of workloads what they
/// measured over time, and histograms of delays.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The report: a file of `--json`, or a folder of `--out`
    report: PathBuf,
    /// Which chart, as in `call.delay`
    #[arg(long, value_name = "NAME", requires = "svg")]
    chart: Option<String>,
    /// Write it to FILE as SVG; `-` for standard output
    #[arg(long, value_name = "FILE", requires = "chart")]
    svg: Option<PathBuf>,
}

pub(super) fn main(args: &Args) -> Exit {
    plot(args).unwrap_or_else(|exit| exit)
}

fn plot(args: &Args) -> Result<Exit, Exit> {
    let told = |wrong: String| {
        paint::complain(&wrong);
        Exit::Input
    };
    let path = if args.report.is_dir() { args.report.join("report.json") } else { args.report.clone() };
    let report = compare::report(&path).map_err(told)?;
    let Some(name) = &args.chart else {
        paint::print(&Printable::lines(&(figure::names(&report).join("\n") + "\n")));
        return Ok(Exit::Pass);
    };
    let drawn = figure::figure(&report, name).map_err(told)?;
    let Some(file) = Output::open("--svg", args.svg.as_deref())? else {
        paint::print(&Printable::lines(&drawn));
        return Ok(Exit::Pass);
    };
    file.write(&drawn).map_err(|error| {
        paint::complain(&error);
        Exit::Machine
    })?;
    Ok(Exit::Pass)
}

//! `longwire plot REPORT --chart NAME --svg FILE`, or `--png FILE`.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

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
    #[arg(long, value_name = "NAME", requires = "form")]
    chart: Option<String>,
    /// Write it to FILE as SVG; `-` for standard output
    #[arg(long, value_name = "FILE", requires = "chart", group = "form")]
    svg: Option<PathBuf>,
    /// Write it to FILE as PNG, two pixels per SVG unit; `-` for standard output. Requires rsvg-convert (librsvg)
    #[arg(long, value_name = "FILE", requires = "chart", group = "form")]
    png: Option<PathBuf>,
}

/// What draws an SVG in pixels: a renderer of our own would bring fonts and a rasterizer into every build.
const RENDERER: &str = "rsvg-convert";
/// Pixels for each unit of the SVG.
const ZOOM: &str = "--zoom=2";

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
    let failed = |wrong: String| {
        paint::complain(&wrong);
        Exit::Machine
    };
    if let Some(path) = &args.png {
        let pixels = rendered(drawn).map_err(failed)?;
        let file = Output::open("--png", Some(path))?;
        let written = match file {
            Some(file) => file.write_with(|file| file.write_all(&pixels)),
            None => match io::stdout().write_all(&pixels).and_then(|()| io::stdout().flush()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Err(format!("cannot write the picture: {error}"))
                }
                _ => Ok(()),
            },
        };
        return written.map(|()| Exit::Pass).map_err(failed);
    }
    let Some(file) = Output::open("--svg", args.svg.as_deref())? else {
        paint::print(&Printable::lines(&drawn));
        return Ok(Exit::Pass);
    };
    file.write(&drawn).map(|()| Exit::Pass).map_err(failed)
}

/// An SVG as PNG.
fn rendered(svg: String) -> Result<Vec<u8>, String> {
    let mut renderer = Command::new(RENDERER)
        .args(["--format=png", ZOOM])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!(
                "cannot find {RENDERER}, which PNG output needs: install librsvg2-bin (Debian, Ubuntu), librsvg2-tools (Fedora) \
                 or rsvg-convert (Alpine), or use --svg"
            ),
            _ => format!("cannot run {RENDERER}: {error}"),
        })?;
    let mut input = renderer.stdin.take().expect("it was asked for");
    // its own thread, so that neither waits for the other; an early end is told by its exit code
    let feed = thread::spawn(move || drop(input.write_all(svg.as_bytes())));
    let output = renderer.wait_with_output().map_err(|error| format!("cannot run {RENDERER}: {error}"))?;
    feed.join().expect("it does not panic");
    if !output.status.success() {
        return Err(format!("{RENDERER} failed: {}", String::from_utf8_lossy(&output.stderr).trim()));
    }
    Ok(output.stdout)
}

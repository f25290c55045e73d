//! `longwire show FILE`: what frames meet in the links, or with `--topology` the network.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::input::{self, OverrideArgs, Source};
use super::output::{self, Output};
use super::{Exit, paint};
use crate::diag::printable::Printable;
use crate::draw::show::{Name, Show, svg, text};
use crate::draw::topology;
use crate::host::Folder;
use crate::run::show::{self, LARGEST, Options, SMALLEST};
use crate::tasks::resolved::Resolved;
use crate::units::ByteSize;

/// Show what frames meet in each link, in virtual time, or the network
///
/// Offers frames to each direction of each link, in the engine that a run uses, and shows delays (as drawn, and as they
/// arrive), loss and its bursts, and the rate over time. Nothing is made and nothing runs. Directions of which the same
/// is asked are shown once.
///
/// With `--topology` draws the network: on the terminal where it is small, else as an outline; into files as SVG and DOT.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scenario; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    overrides: OverrideArgs,
    /// Draw the network instead
    #[arg(long, conflicts_with_all = ["links", "frames", "size"])]
    topology: bool,
    /// Show this link; may be given several times [default: the first 20 different directions]
    #[arg(long = "link", value_name = "NAME")]
    links: Vec<String>,
    /// Frames offered to each direction
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    frames: u64,
    /// Size of each packet from the IP header on, as an MTU counts [default: 1500B, or the MTU where that is less]
    #[arg(long, value_name = "BYTES", value_parser = packet)]
    size: Option<u64>,
    /// Draw each direction into the directory PATH, as LINK-toward-END.svg; with `--topology` the network into the file PATH
    #[arg(long, value_name = "PATH")]
    svg: Option<PathBuf>,
    /// With `--topology`: write the network to FILE in the language of Graphviz
    #[arg(long, value_name = "FILE", requires = "topology")]
    dot: Option<PathBuf>,
    /// Write what was found to FILE as JSON; `-` for standard output, instead of the text for people
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn packet(text: &str) -> Result<u64, String> {
    let bytes = match text.parse::<u64>() {
        Ok(bytes) => bytes,
        Err(_) => text.parse::<ByteSize>().map_err(|error| error.to_string())?.as_bytes(),
    };
    if (SMALLEST..=LARGEST).contains(&bytes) {
        return Ok(bytes);
    }
    Err(format!("a packet has {SMALLEST} to {LARGEST} bytes"))
}

pub(super) fn main(args: &Args) -> Exit {
    show(args).unwrap_or_else(|exit| exit)
}

fn show(args: &Args) -> Result<Exit, Exit> {
    let source = Source::open(&args.file)?;
    let resolved = input::read(source.path(), &source.files(), &args.overrides.overrides()?)?;
    let name = source.path().display().to_string();
    let json = Output::open("--json", args.json.as_deref())?;
    if args.topology {
        return draw_network(args, &resolved, &name, json);
    }
    if let Some(folder) = &args.svg {
        Folder::make(folder).map_err(|error| output::refuse("--svg", folder, &error))?;
    }
    Ok(draw_directions(args, &resolved, &name, json))
}

fn draw_directions(args: &Args, resolved: &Resolved, name: &str, json: Option<Output>) -> Exit {
    let options = Options { frames: args.frames, packet: args.size, links: args.links.clone() };
    let show = match show::show(resolved, name, &options) {
        Ok(show) => show,
        Err(error) => {
            paint::complain(&error.to_string());
            return Exit::Input;
        }
    };
    let text = || serde_json::to_string_pretty(&show).expect("what is shown is plain data") + "\n";
    let to_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    paint::print(&if to_stdout { Printable::json(&text()) } else { Printable::styled(&text::render(&show)) });
    let mut written = json.map_or(Ok(()), |file| file.write(&text()));
    if let Some(folder) = &args.svg {
        written = written.and_then(|()| draw(&show, folder)).map(|told| match to_stdout {
            // standard output is the JSON's
            true => paint::note(&told),
            false => paint::print(&Printable::lines(&told)),
        });
    }
    match written {
        Ok(()) => Exit::Pass,
        Err(error) => {
            paint::complain(&error);
            Exit::Input
        }
    }
}

fn draw_network(args: &Args, resolved: &Resolved, name: &str, json: Option<Output>) -> Result<Exit, Exit> {
    let svg = Output::open("--svg", args.svg.as_deref())?;
    let dot = Output::open("--dot", args.dot.as_deref())?;
    let graph = topology::graph(resolved);
    let text = || {
        let value = topology::json(&graph, name);
        serde_json::to_string_pretty(&value).expect("a network is plain data") + "\n"
    };
    let to_stdout = args.json.as_ref().is_some_and(|path| path.as_os_str() == "-");
    paint::print(&match to_stdout {
        true => Printable::json(&text()),
        false => Printable::styled(&topology::text::render(&graph, paint::width())),
    });
    let files = [
        svg.map(|file| file.write(&topology::svg::draw(&graph, topology::svg::WIDTH))),
        dot.map(|file| file.write(&topology::dot::draw(&graph))),
        json.map(|file| file.write(&text())),
    ];
    let mut exit = Exit::Pass;
    for error in files.into_iter().flatten().filter_map(Result::err) {
        paint::complain(&error);
        exit = Exit::Input;
    }
    Ok(exit)
}

/// Draws all that is shown into a folder, and says which files it wrote and which it replaced.
fn draw(show: &Show, folder: &Path) -> Result<String, String> {
    let place = Folder::open(folder).map_err(|e| format!("cannot open {}: {e}", folder.display()))?;
    let mut told = String::from("\n");
    let mut taken = BTreeSet::new();
    for shown in &show.directions {
        let met = &shown.met;
        let name = svg::file_name(&Name { link: met.link.clone(), from: met.from.clone(), to: met.to.clone() });
        let name = free(name, &mut taken);
        let path = folder.join(&name);
        let picture = svg::draw(shown).map_err(|e| format!("cannot draw {}: {e}", path.display()))?;
        let word = if place.look(&name).is_ok_and(|found| found.is_some()) { "replaced" } else { "wrote" };
        place.write(&name, picture.as_bytes()).map_err(|e| format!("cannot write {}: {e}", path.display()))?;
        told += &format!("{word} {}\n", path.display());
    }
    Ok(told)
}

/// A name that no other picture of this folder has: two directions may differ only in what a file's name cannot hold.
fn free(name: String, taken: &mut BTreeSet<String>) -> String {
    let stem = name.trim_end_matches(".svg").to_owned();
    let mut chosen = name;
    for n in 2.. {
        if taken.insert(chosen.clone()) {
            break;
        }
        chosen = format!("{stem}-{n}.svg");
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_of_packets() {
        assert_eq!((packet("1500"), packet("1.2kB"), packet("28")), (Ok(1500), Ok(1200), Ok(28)));
        assert!(packet("27").unwrap_err().contains("28 to 65535"));
        assert!(packet("65536").is_err() && packet("x").is_err() && packet("-1").is_err());
    }

    #[test]
    fn no_picture_takes_the_place_of_another() {
        let mut taken = BTreeSet::new();
        let names: Vec<String> = (0..3).map(|_| free("a.svg".into(), &mut taken)).collect();
        assert_eq!(names, ["a.svg", "a-2.svg", "a-3.svg"]);
    }
}

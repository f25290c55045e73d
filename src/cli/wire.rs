//! `longwire wire LEFT RIGHT`: two network interfaces of this machine, joined by an impaired link. No scenario file.

use std::path::PathBuf;

use super::input::OverrideArgs;
use super::run::{self, Args as RunArgs};
use crate::units::Duration;

/// What the scenario is called in messages.
const NAME: &str = "<wire>";

/// Join two network interfaces by an impaired link, as a bump in the wire
///
/// Every frame that comes in by one interface leaves by the other, delayed, lost or slowed as the options say. Both are taken from this
/// machine's own stack meanwhile, and are given back as they were. It runs until Ctrl-C and reports then; `longwire set` changes it
/// meanwhile. Values are written as in a scenario's link, so `--loss '{ random: 1%, only: { protocol: udp } }'` is one too.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// One interface: the node `left`
    left: String,
    /// The other: the node `right`
    right: String,
    /// One-way delay, in each direction, as in `20ms` or `{ mean: 20ms, jitter: 5ms }`
    #[arg(long, value_name = "DELAY")]
    delay: Option<String>,
    /// Loss, as in `1%`
    #[arg(long, value_name = "LOSS")]
    loss: Option<String>,
    /// Rate, as in `10Mbit`
    #[arg(long, value_name = "RATE")]
    rate: Option<String>,
    /// Queue before the rate, as in `codel` or `{ fifo: { packets: 100 } }`
    #[arg(long, value_name = "QUEUE")]
    queue: Option<String>,
    /// Any other field of a link, as in `reorder=1%`, `corrupt=0.1%` or `toward.right.rate=1Mbit`; may be given several times
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = assignment)]
    set: Vec<String>,
    /// A preset of `longwire profiles`; the other options change it
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The side that downloads, for a preset that is not the same both ways
    #[arg(long, value_name = "left|right", requires = "profile", value_parser = ["left", "right"])]
    user: Option<String>,
    /// End after this time, instead of at Ctrl-C
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<Duration>,
    /// Seed of every random draw; 1 unless said
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write the JSON report to FILE; `-` for standard output, instead of the report for people
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave all that explains the run in DIR
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave what goes through the link in DIR/captures, for Wireshark; it goes with --out
    #[arg(long, requires = "out")]
    capture: bool,
    /// Write the report for people to FILE, as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// Without a value the scenario would say nothing of the field, and nobody would hear of it.
fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((field, value)) if !field.is_empty() && !value.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(format!("expected FIELD=VALUE, found `{text}`: as in `reorder=1%`")),
    }
}

/// Returns the exit code.
pub(super) fn main(args: &Args) -> i32 {
    let run = RunArgs {
        file: NAME.into(),
        overrides: OverrideArgs::seeded(args.seed),
        json: args.json.clone(),
        out: args.out.clone(),
        capture: args.capture.then(|| "all".to_owned()),
        html: args.html.clone(),
        ..RunArgs::default()
    };
    run::made(NAME, scenario(args), &run)
}

fn scenario(args: &Args) -> String {
    let mut text = String::from("longwire: 1\n");
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    text += &format!("name: {}\n", quoted(&format!("{} – {}", args.left, args.right)));
    if let Some(duration) = args.duration {
        text += &format!("duration: {duration}\n");
    }
    text += "nodes:\n";
    for (name, interface) in [("left", &args.left), ("right", &args.right)] {
        text += &format!("  {name}: {{ external: {{ interface: {} }} }}\n", quoted(interface));
    }
    text += "links:\n  wire:\n    ends: [left, right]\n";
    let fields = [
        ("profile", &args.profile),
        ("user", &args.user),
        ("delay", &args.delay),
        ("loss", &args.loss),
        ("rate", &args.rate),
        ("queue", &args.queue),
    ];
    for (field, value) in fields {
        if let Some(value) = value {
            text += &format!("    {field}: {value}\n");
        }
    }
    for field in &args.set {
        // `toward.right.rate=1Mbit` is a map in a map in a map
        let (path, value) = field.split_once('=').unwrap_or((field, ""));
        let keys: Vec<&str> = path.split('.').collect();
        let (first, inner) = keys.split_first().unwrap_or((&"", &[]));
        let nested = inner.iter().rev().fold(value.to_owned(), |value, key| format!("{{ {key}: {value} }}"));
        text += &format!("    {first}: {nested}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn options_become_a_scenario() {
        let words = [
            "wire",
            "eth1",
            "eth2",
            "--delay",
            "20ms",
            "--loss",
            "{ random: 1%, only: { protocol: udp } }",
            "--rate",
            "5Mbit",
            "--set",
            "toward.right.rate=1Mbit",
            "--set",
            "reorder=1%",
            "--for",
            "10s",
        ];
        let text = scenario(&Line::try_parse_from(words).unwrap().args);
        assert_eq!(
            text,
            "longwire: 1\nname: \"eth1 – eth2\"\nduration: 10s\nnodes:\n  \
             left: { external: { interface: \"eth1\" } }\n  right: { external: { interface: \"eth2\" } }\n\
             links:\n  wire:\n    ends: [left, right]\n    delay: 20ms\n    loss: { random: 1%, only: { protocol: udp } }\n    \
             rate: 5Mbit\n    toward: { right: { rate: 1Mbit } }\n    reorder: 1%\n"
        );
        let files = crate::language::files::MemoryFiles::one("wire.yaml", &text);
        for text in ["reorder", "reorder=", "=1%", "reorder= "] {
            assert!(Line::try_parse_from(["wire", "eth1", "eth2", "--set", text]).is_err(), "{text}");
        }
        let read = crate::scenario::load(std::path::Path::new("wire.yaml"), &files, &Default::default());
        assert!(read.is_ok(), "{:?}", read.err().map(|(told, _)| told));
    }
}

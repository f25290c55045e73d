//! `longwire wire LEFT RIGHT`: two network interfaces of this machine, joined by an impaired link. No scenario file.

use super::link::{LinkArgs, ReportArgs, given, quoted};
use super::run;
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
    #[command(flatten)]
    link: LinkArgs,
    /// A preset of `longwire profiles`; the other options change it
    #[arg(long, value_name = "NAME", value_parser = given)]
    profile: Option<String>,
    /// The side that downloads, for a preset that is not the same both ways
    #[arg(long, value_name = "left|right", requires = "profile", value_parser = ["left", "right"])]
    user: Option<String>,
    /// End after this time, instead of at Ctrl-C
    #[arg(long = "for", value_name = "TIME")]
    duration: Option<Duration>,
    #[command(flatten)]
    report: ReportArgs,
}

/// Returns the exit code.
pub(super) fn main(args: &Args) -> i32 {
    run::made(NAME, scenario(args), &args.report.run(NAME), None)
}

fn scenario(args: &Args) -> String {
    let mut text = String::from("longwire: 1\n");
    text += &format!("name: {}\n", quoted(&format!("{} – {}", args.left, args.right)));
    if let Some(duration) = args.duration {
        text += &format!("duration: {duration}\n");
    }
    text += "nodes:\n";
    for (name, interface) in [("left", &args.left), ("right", &args.right)] {
        text += &format!("  {name}: {{ external: {{ interface: {} }} }}\n", quoted(interface));
    }
    text += "links:\n  wire:\n    ends: [left, right]\n";
    text + &args.link.lines(args.profile.as_deref(), args.user.as_deref())
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
        // as `--delay "$DELAY"` without such a variable
        for option in ["--delay", "--loss", "--rate", "--queue", "--profile"] {
            assert!(Line::try_parse_from(["wire", "eth1", "eth2", option, ""]).is_err(), "{option}");
        }
        let read = crate::scenario::load(std::path::Path::new("wire.yaml"), &files, &Default::default());
        assert!(read.is_ok(), "{:?}", read.err().map(|(told, _)| told));
    }
}

//! What the commands without a scenario file share: a link by its fields, and what is left of the run.

use std::path::PathBuf;

use super::input::OverrideArgs;
use super::run::Args as RunArgs;

/// A link by its fields. Values are written as in a scenario.
#[derive(Debug, clap::Args)]
pub(super) struct LinkArgs {
    /// One-way delay, in each direction, as in `20ms` or `{ mean: 20ms, jitter: 5ms }`
    #[arg(long, value_name = "DELAY", value_parser = given)]
    delay: Option<String>,
    /// Loss, as in `1%`
    #[arg(long, value_name = "LOSS", value_parser = given)]
    loss: Option<String>,
    /// Rate, as in `10Mbit`
    #[arg(long, value_name = "RATE", value_parser = given)]
    rate: Option<String>,
    /// Queue before the rate, as in `codel` or `{ fifo: { packets: 100 } }`
    #[arg(long, value_name = "QUEUE", value_parser = given)]
    queue: Option<String>,
    /// Any other field of a link, as in `reorder=1%`, `corrupt=0.1%` or `toward.END.rate=1Mbit`; may be given several times
    #[arg(long = "set", value_name = "FIELD=VALUE", value_parser = assignment)]
    set: Vec<String>,
}

/// Without a value the scenario would say nothing of the field, and nobody would hear of it.
pub(super) fn given(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("expected a value, found nothing".into()) } else { Ok(text.to_owned()) }
}

/// The same, with the field's name before it.
fn assignment(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((field, value)) if !field.is_empty() && !value.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(format!("expected FIELD=VALUE, found `{text}`: as in `reorder=1%`")),
    }
}

impl LinkArgs {
    /// The link's lines in a scenario, behind its ends.
    pub(super) fn lines(&self, profile: Option<&str>, user: Option<&str>) -> String {
        let fields = [
            ("profile", profile.map(str::to_owned)),
            ("user", user.map(str::to_owned)),
            ("delay", self.delay.clone()),
            ("loss", self.loss.clone()),
            ("rate", self.rate.clone()),
            ("queue", self.queue.clone()),
        ];
        let named = fields.into_iter().filter_map(|(field, value)| Some(format!("    {field}: {}\n", value?)));
        named.chain(self.set.iter().map(|field| nested(field))).collect()
    }
}

/// `toward.right.rate=1Mbit` is a map in a map in a map.
fn nested(assignment: &str) -> String {
    let (path, value) = assignment.split_once('=').unwrap_or((assignment, ""));
    let keys: Vec<&str> = path.split('.').collect();
    let (first, inner) = keys.split_first().unwrap_or((&"", &[]));
    let value = inner.iter().rev().fold(value.to_owned(), |value, key| format!("{{ {key}: {value} }}"));
    format!("    {first}: {value}\n")
}

/// A text in YAML.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// What is left of the run.
#[derive(Debug, clap::Args)]
pub(super) struct ReportArgs {
    /// Seed of every random draw; 1 unless said
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Write the JSON report to FILE; `-` for standard output, instead of the report for people
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Leave all that explains the run in DIR
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Leave what goes through the links in DIR/captures, for Wireshark; it goes with --out
    #[arg(long, requires = "out")]
    capture: bool,
    /// Write the report for people to FILE, as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

impl ReportArgs {
    /// The arguments of a run of the scenario `name` that says so.
    pub(super) fn run(&self, name: &str) -> RunArgs {
        RunArgs {
            file: name.into(),
            overrides: OverrideArgs::seeded(self.seed),
            json: self.json.clone(),
            out: self.out.clone(),
            capture: self.capture.then(|| "all".to_owned()),
            html: self.html.clone(),
            ..RunArgs::default()
        }
    }
}

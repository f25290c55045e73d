//! Configurations of netem-trace 0.4 as JSON, with its feature `human` and without it: docs.rs/netem-trace, src/model/bw.rs,
//! src/model/delay.rs and src/model/trace_serde.rs of stack-rs/netem-trace.

use serde::Deserialize;

use super::format::Rows;
use super::lines::{BadTable, Read};
use super::{Series, Wanted};
use crate::units::{Dimension, NANOS_PER_SEC, foreign};

/// Those that are not random.
#[derive(Deserialize)]
#[expect(clippy::enum_variant_names, reason = "they are netem-trace's")]
enum Config {
    StaticBwConfig {
        bw: Quantity,
        duration: Quantity,
    },
    StaticDelayConfig {
        delay: Quantity,
        duration: Quantity,
    },
    /// Milliseconds, and Mbit/s for so long each.
    TraceBwConfig(Vec<(f64, Vec<f64>)>),
    RepeatedBwPatternConfig(Pattern),
    RepeatedDelayPatternConfig(Pattern),
}

#[derive(Deserialize)]
struct Pattern {
    pattern: Vec<Config>,
    /// 0 is for ever.
    #[serde(default)]
    count: u64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Quantity {
    Text(String),
    Time { secs: u64, nanos: u64 },
    Rate { gbps: u64, bps: u64 },
}

impl Quantity {
    fn read(&self, dimension: Dimension) -> Result<u64, String> {
        let sum = |large: u64, factor: u64, small: u64| large.checked_mul(factor)?.checked_add(small);
        let parts = match self {
            Quantity::Text(text) => return Ok(dimension.nearest(text, None, foreign)?),
            Quantity::Time { secs, nanos } => {
                sum(*secs, NANOS_PER_SEC, *nanos).filter(|_| dimension == Dimension::Time)
            }
            Quantity::Rate { gbps, bps } => sum(*gbps, 1_000_000_000, *bps).filter(|_| dimension == Dimension::Rate),
        };
        parts.ok_or_else(|| format!("expected a {}, found something else or too much", dimension.what()))
    }
}

/// More steps than this fill the memory.
const MOST_STEPS: usize = 1_000_000;

/// A pattern that repeats without end is one round here: `repeat: true` says the same.
pub(super) fn series(text: &str, wanted: Wanted) -> Read<Series> {
    let config: Config = serde_json::from_str(text).map_err(|error| BadTable {
        line: error.line(),
        column: error.column(),
        message: format!("expected JSON of netem-trace: {error}"),
    })?;
    let mut rows = Rows::default();
    steps(&config, wanted, &mut rows).map_err(BadTable::whole)?;
    Ok(rows.until_end())
}

fn steps(config: &Config, wanted: Wanted, rows: &mut Rows) -> Result<(), String> {
    match (config, wanted) {
        (Config::StaticBwConfig { bw: value, duration }, Wanted::Rate)
        | (Config::StaticDelayConfig { delay: value, duration }, Wanted::Delay) => {
            push(rows, duration.read(Dimension::Time)?, value.read(wanted.dimension())?)
        }
        (Config::TraceBwConfig(steps), Wanted::Rate) => steps.iter().try_for_each(|(ms, levels)| {
            let number = |dimension: Dimension, number: f64| {
                dimension.nearest(&dimension.example(&number.to_string()), None, foreign).map_err(String::from)
            };
            levels
                .iter()
                .try_for_each(|level| push(rows, number(Dimension::Time, *ms)?, number(Dimension::Rate, *level)?))
        }),
        (Config::RepeatedBwPatternConfig(Pattern { pattern, count }), Wanted::Rate)
        | (Config::RepeatedDelayPatternConfig(Pattern { pattern, count }), Wanted::Delay) => (0..(*count).max(1))
            .try_for_each(|_| {
                let before = rows.len();
                pattern.iter().try_for_each(|inner| steps(inner, wanted, rows))?;
                if rows.len() == before { Err("a pattern has no steps".into()) } else { Ok(()) }
            }),
        _ => Err(format!("the file holds no {}", wanted.name())),
    }
}

fn push(rows: &mut Rows, length: u64, value: u64) -> Result<(), String> {
    if rows.len() == MOST_STEPS {
        return Err(format!("more than {MOST_STEPS} steps: use `repeat: true`"));
    }
    rows.lasting(length, value)
}

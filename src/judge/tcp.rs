//! What is asked of the bytes that arrived over a TCP connection.

use serde_json::Value;

use super::grid::Grid;
use super::reading::Reading;
use super::work::{at, number, why};
use super::{Readings, Stretch};
use crate::report::json::Work;
use crate::tasks::expect::catalogue::Arrived;

/// While there was something to send: up to the last byte that arrived, or, if not all did, until the sender gave up.
fn active(work: &Work) -> Option<Stretch> {
    let number = |role: &str, name: &str| at(work, &[role, name]).and_then(Value::as_i64);
    let accepted =
        number("receiver", "began_ns")? + number("receiver", "accepted_at_ns")? - number("receiver", "started_ns")?;
    let end = if at(work, &["sender", "complete"]) == Some(&Value::Bool(true)) {
        number("receiver", "began_ns")? + number("receiver", "last_at_ns")? - number("receiver", "started_ns")?
    } else {
        number("sender", "began_ns")? + number("sender", "connect_ns")? + number("sender", "duration_ns")?
    };
    Some((accepted, end))
}

/// How many bytes arrived, or how fast.
pub(super) fn arrived(of: Arrived, work: &Work, stretch: Option<Stretch>) -> Readings {
    let whole = match of {
        Arrived::Bytes => number(work, &["receiver", "bytes"]),
        _ => number(work, &["receiver", "goodput_bps"]),
    };
    if stretch.is_none() && of != Arrived::GoodputOverTime {
        let lacking = || match number(work, &["receiver", "bytes"]) {
            Some(0.0) => "no byte arrived".into(),
            Some(_) => "all bytes arrived at once".into(),
            None => why(work),
        };
        return Ok(vec![Reading::at(whole.ok_or_else(lacking)?, work.ended_ns)]);
    }
    let mut grid = Grid::of(work, &["receiver"], Some("accepted_at_ns"))?;
    if of != Arrived::Bytes {
        grid.keep(active(work));
    }
    let within = grid.within(stretch)?;
    let rate = |bytes: u64, intervals: usize| bytes as f64 * 8e9 / (grid.width as f64 * intervals as f64);
    if of == Arrived::GoodputOverTime {
        return Ok(within.map(|(_, one)| Reading::at(rate(one.bytes, 1), Some(one.at))).collect());
    }
    let bytes: u64 = within.clone().map(|(_, one)| one.bytes).sum();
    let value = if of == Arrived::Bytes { bytes as f64 } else { rate(bytes, within.clone().count()) };
    let slowest = within.min_by_key(|(_, one)| one.bytes).map(|(_, one)| one.at);
    Ok(vec![Reading::at(value, slowest)])
}

//! What is asked of the bytes that arrived over a TCP connection.

use super::grid::Grid;
use super::work::{number, why};
use super::{Reading, Readings, Stretch};
use crate::record::report::Work;
use crate::scenario::expect::catalogue::Arrived;

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
    let grid = Grid::of(work, "receiver", Some("accepted_at_ns"))?;
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

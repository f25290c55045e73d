//! What is asked of a stream of datagrams: what was sent when, what of it did not come, and what came when.

use serde_json::Value;

use super::doubt::Doubt;
use super::grid::{Grid, Interval};
use super::reading::Reading;
use super::work::{at, number, whole, why};
use super::{Readings, Stretch};
use crate::report::json::Work;
use crate::tasks::expect::Percentile;
use crate::tasks::expect::catalogue::Stream;

/// Counts and rates of a stream.
pub(super) fn stream(of: Stream, work: &Work, stretch: Option<Stretch>) -> Readings {
    match of {
        Stream::Sent | Stream::Lost | Stream::Loss | Stream::LossOverTime => sent(of, work, stretch),
        _ => received(of, work, stretch),
    }
}

fn sent(of: Stream, work: &Work, stretch: Option<Stretch>) -> Readings {
    if let (None, Stream::Sent) = (stretch, of) {
        return Ok(vec![Reading::at(number(work, &["sender", "sent"]).ok_or_else(|| why(work))?, work.ended_ns)]);
    }
    let grid = Grid::of(work, &["sender"], None);
    let worst = grid.as_ref().ok().and_then(|grid| worst(grid, &losses(grid, work).ok()?, stretch));
    if let (None, Stream::Lost | Stream::Loss) = (stretch, of) {
        let sent = whole(work, &["sender", "sent"]).ok_or_else(|| why(work))?;
        let lost = whole(work, &["receiver", "lost"]).ok_or_else(|| why(work))?;
        if sent == 0 {
            return Err("no datagram was sent".into());
        }
        let inside = whole(work, &["receiver", "inside"]).unwrap_or(0);
        if inside >= sent {
            return Err(format!("all {sent} datagrams were still on their way"));
        }
        let value = if of == Stream::Lost { lost as f64 } else { lost as f64 / (sent - inside) as f64 };
        return Ok(vec![Reading::at(value, worst)]);
    }
    let grid = grid?;
    let within = grid.within(stretch)?;
    let sent: u64 = within.clone().map(|(_, one)| one.frames).sum();
    if sent == 0 {
        return Err("no datagram was sent then".into());
    }
    if of == Stream::Sent {
        return Ok(vec![Reading::of(sent as f64)]);
    }
    let losses = losses(&grid, work)?;
    if let Some((known, _)) = losses.unknown
        && within.clone().any(|(n, _)| n >= known)
    {
        return Err("it lost datagrams in more stretches than a report keeps".into());
    }
    if of == Stream::LossOverTime {
        let sending = within.filter(|(_, one)| one.frames > 0);
        let share = |(n, one): (usize, &Interval)| Reading::at(losses.lost[n] as f64 / one.frames as f64, Some(one.at));
        return Ok(sending.map(share).collect());
    }
    let lost: u64 = within.map(|(n, _)| losses.lost[n]).sum();
    let value = if of == Stream::Lost { lost as f64 } else { lost as f64 / sent as f64 };
    Ok(vec![Reading::at(value, worst)])
}

/// Datagrams of each interval of the sender that did not come.
struct Losses {
    lost: Vec<u64>,
    /// The first interval of which they are not all known, and how many ranges were left out.
    unknown: Option<(usize, u64)>,
}

/// The receiver names numbers, the sender counts them by interval.
fn losses(grid: &Grid, work: &Work) -> Result<Losses, String> {
    let missing = at(work, &["receiver", "missing"]).and_then(Value::as_array).ok_or_else(|| why(work))?;
    let ranges: Vec<(u64, u64)> =
        missing.iter().filter_map(|range| Some((range.get(0)?.as_u64()?, range.get(1)?.as_u64()?))).collect();
    let omitted = whole(work, &["receiver", "missing_omitted"]).unwrap_or(0);
    let known = ranges.last().map_or(0, |(_, last)| last + 1);
    let (mut first, mut unknown, mut at) = (0u64, None, 0);
    let mut lost = Vec::with_capacity(grid.all.len());
    for (n, one) in grid.all.iter().enumerate() {
        let behind = first + one.frames;
        while ranges.get(at).is_some_and(|(_, last)| *last < first) {
            at += 1;
        }
        let here = ranges[at..].iter().take_while(|(from, _)| *from < behind);
        lost.push(here.map(|(from, last)| (last + 1).min(behind) - (*from).max(first)).sum());
        if omitted > 0 && behind > known && unknown.is_none() {
            unknown = Some((n, omitted));
        }
        first = behind;
    }
    Ok(Losses { lost, unknown })
}

/// When most was lost.
fn worst(grid: &Grid, losses: &Losses, stretch: Option<Stretch>) -> Option<i64> {
    let within = grid.within(stretch).ok()?;
    // the first of several that are alike
    let most = within.max_by_key(|(n, _)| (losses.lost[*n], std::cmp::Reverse(*n)))?;
    (losses.lost[most.0] > 0).then_some(most.1.at)
}

fn received(of: Stream, work: &Work, stretch: Option<Stretch>) -> Readings {
    let field = match of {
        Stream::Received => "received",
        Stream::Bytes => "bytes",
        _ => "throughput_bps",
    };
    if let (None, Stream::Received | Stream::Bytes | Stream::Throughput) = (stretch, of) {
        let value = number(work, &["receiver", field]);
        let lacking = || match whole(work, &["receiver", "received"]) {
            Some(n @ 0..2) => format!("{n} datagrams arrived"),
            _ => why(work),
        };
        return Ok(vec![Reading::at(value.ok_or_else(lacking)?, work.ended_ns)]);
    }
    let mut grid = Grid::of(work, &["receiver"], None)?;
    if matches!(of, Stream::Throughput | Stream::ThroughputOverTime) {
        grid.keep(sending(work));
    }
    let within = grid.within(stretch)?;
    let rate = |bytes: u64, intervals: usize| bytes as f64 * 8e9 / (grid.width as f64 * intervals as f64);
    let delay = |pick: fn(&Interval) -> Option<u64>| {
        let all: Vec<Reading> =
            within.clone().filter_map(|(_, one)| Some(Reading::at(pick(one)? as f64, Some(one.at)))).collect();
        if all.is_empty() { Err("no datagram arrived then".to_owned()) } else { Ok(all) }
    };
    let slowest = || within.clone().min_by_key(|(_, one)| one.bytes).map(|(_, one)| one.at);
    Ok(vec![match of {
        Stream::Received => Reading::at(within.clone().map(|(_, one)| one.frames).sum::<u64>() as f64, slowest()),
        Stream::Bytes => Reading::at(within.clone().map(|(_, one)| one.bytes).sum::<u64>() as f64, slowest()),
        Stream::ThroughputOverTime => {
            return Ok(within.map(|(_, one)| Reading::at(rate(one.bytes, 1), Some(one.at))).collect());
        }
        Stream::MeanDelayOverTime => return delay(|one| one.mean),
        Stream::MaxDelayOverTime => return delay(|one| one.max),
        _ => Reading::at(rate(within.clone().map(|(_, one)| one.bytes).sum(), within.clone().count()), slowest()),
    }])
}

/// While the sender was active, as the receiver sees it: later by the quickest transit.
fn sending(work: &Work) -> Option<Stretch> {
    let began = at(work, &["sender", "began_ns"])?.as_i64()?;
    let length = at(work, &["sender", "duration_ns"])?.as_i64()?;
    let transit = at(work, &["receiver", "delay_ns", "min"]).and_then(Value::as_i64).unwrap_or(0);
    Some((began + transit, began + length + transit))
}

/// One-way delays: of all datagrams, or of those that arrived in a stretch, of which the percentiles are to one in a
/// hundred. Each as it is, and without its own lateness where gaps made it late.
pub(super) fn delays(part: &str, work: &Work, stretch: Option<Stretch>, doubt: &Doubt<'_>) -> Readings {
    let grid = Grid::of(work, &["receiver"], None);
    let longest = |within: &mut dyn Iterator<Item = (usize, &Interval)>| {
        within.filter_map(|(_, one)| Some((one.max?, one.at))).max_by_key(|(max, at)| (*max, -at)).map(|(_, at)| at)
    };
    let reading = match stretch {
        None => {
            let value = number(work, &["receiver", "delay_ns", part]);
            let none = || whole(work, &["receiver", "unique"]) == Some(0);
            let lacking = || if none() { "no datagram arrived".into() } else { why(work) };
            let at = grid.ok().and_then(|grid| longest(&mut grid.within(None).ok()?));
            Reading::at(value.ok_or_else(lacking)?, at)
        }
        Some(stretch) => {
            let grid = grid?;
            let at = longest(&mut grid.within(Some(stretch))?);
            Reading::at(spread(&grid, part, stretch)?, at)
        }
    };
    if part == "count" || at(work, &["receiver", "corrected"]).is_none() {
        return Ok(vec![reading]);
    }
    let floor =
        work.place.split_once(" → ").map_or(0, |(from, to)| doubt.floor(from, to, doubt.on_their_way(stretch))) as f64;
    let least = match stretch {
        None => number(work, &["receiver", "corrected", "delay_ns", part]),
        Some(stretch) => Some(spread(&Grid::of(work, &["receiver", "corrected"], None)?, part, stretch)?),
    };
    // of datagrams that are not known one by one, all of the delay may be lateness
    let all = whole(work, &["receiver", "corrected", "omitted"]) == Some(0);
    let least = least.filter(|_| all).unwrap_or(0.0);
    let least = if part == "stddev" { least } else { least.max(floor) };
    let most = if doubt.may_be_longer() { f64::INFINITY } else { least };
    Ok(vec![reading.between(least, most)])
}

/// A part of the distribution of the delays of a stretch.
fn spread(grid: &Grid, part: &str, stretch: Stretch) -> Result<f64, String> {
    let within = grid.within(Some(stretch))?;
    let mut delays: Vec<(u64, u64)> = within.clone().flat_map(|(_, one)| one.delays.iter().copied()).collect();
    delays.sort_unstable();
    let count: u64 = delays.iter().map(|(_, count)| count).sum();
    if count == 0 {
        return Err("no datagram arrived then".into());
    }
    let max = within.filter_map(|(_, one)| one.max).max().unwrap_or(0);
    let at_share = |share: f64| {
        let rank = ((share * count as f64).ceil() as u64).clamp(1, count);
        let mut below = 0;
        let found = delays.iter().find(|(_, count)| {
            below += count;
            below >= rank
        });
        found.map_or(max, |(delay, _)| (*delay).min(max)) as f64
    };
    let mean = delays.iter().map(|(delay, count)| *delay as f64 * *count as f64).sum::<f64>() / count as f64;
    Ok(match part {
        "min" => at_share(0.0),
        "max" => max as f64,
        "mean" => mean,
        "stddev" => {
            let squares =
                delays.iter().map(|(delay, count)| (*delay as f64 - mean).powi(2) * *count as f64).sum::<f64>();
            (squares / count as f64).sqrt()
        }
        part => Percentile::parse(part).map_or(count as f64, |percentile| at_share(percentile.share())),
    })
}

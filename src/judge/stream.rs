//! What is asked of a stream of datagrams: what was sent when, what of it did not come, and what came when.

use super::doubt::Doubt;
use super::grid::{Cell, Grid, slowest, sum};
use super::reading::Reading;
use super::workload::why;
use super::{Readings, Stretch};
use crate::measured::catalogue::Stream;
use crate::measured::{Interval, Part, UdpReceive, UdpSend, losses};
use crate::report::json::WorkloadReport;

/// Counts and rates of a stream.
pub(super) fn stream(of: Stream, work: &WorkloadReport, stretch: Option<Stretch>) -> Readings {
    match of {
        Stream::Sent | Stream::Lost | Stream::Loss | Stream::LossOverTime => sent(of, work, stretch),
        _ => received(of, work, stretch),
    }
}

fn sender(work: &WorkloadReport) -> Result<&UdpSend, String> {
    work.measured.udp_sender().ok_or_else(|| why(work))
}

fn receiver(work: &WorkloadReport) -> Result<&UdpReceive, String> {
    work.measured.udp_receiver().ok_or_else(|| why(work))
}

fn sent(of: Stream, work: &WorkloadReport, stretch: Option<Stretch>) -> Readings {
    let sender = sender(work)?;
    if let (None, Stream::Sent) = (stretch, of) {
        return Ok(vec![Reading::at(sender.sent as f64, work.ended_ns)]);
    }
    let grid = Grid::of(work, sender.began_ns, &sender.intervals);
    let losses = receiver(work).and_then(|receiver| Ok(Losses::of(grid.as_ref().map_err(Clone::clone)?, receiver)));
    let worst = || losses.as_ref().ok()?.worst(&grid.as_ref().ok()?.within(stretch).ok()?);
    if let (None, Stream::Lost | Stream::Loss) = (stretch, of) {
        return Ok(vec![Reading::at(lost(of, sender.sent, receiver(work)?)?, worst())]);
    }
    let within = grid.as_ref().map_err(Clone::clone)?.within(stretch)?;
    let sent = sum(&within, |one| one.frames);
    if sent == 0.0 {
        return Err("no datagram was sent then".into());
    }
    if of == Stream::Sent {
        return Ok(vec![Reading::of(sent)]);
    }
    let losses = losses.as_ref().map_err(Clone::clone)?;
    if losses.unknown_from.is_some_and(|known| within.iter().any(|cell| cell.n >= known)) {
        return Err("it lost datagrams in more stretches than a report keeps".into());
    }
    let lost = |cells: &[&Cell]| cells.iter().map(|cell| losses.lost[cell.n]).sum::<u64>() as f64;
    if of == Stream::LossOverTime {
        let sending = within.iter().filter(|cell| cell.of.frames > 0);
        let share = |cell: &&Cell| Reading::at(lost(&[*cell]) / cell.of.frames as f64, Some(cell.at));
        return Ok(sending.map(share).collect());
    }
    let value = if of == Stream::Lost { lost(&within) } else { lost(&within) / sent };
    Ok(vec![Reading::at(value, worst())])
}

/// How many were lost in the whole run, or the share of them.
fn lost(of: Stream, sent: u64, receiver: &UdpReceive) -> Result<f64, String> {
    let UdpReceive { lost, inside, .. } = *receiver;
    match sent.checked_sub(inside) {
        _ if sent == 0 => Err("no datagram was sent".into()),
        None | Some(0) => Err(format!("all {sent} datagrams were still on their way")),
        Some(_) if of == Stream::Lost => Ok(lost as f64),
        Some(over) => Ok(lost as f64 / over as f64),
    }
}

/// Datagrams of each interval of the sender that did not come.
struct Losses {
    lost: Vec<u64>,
    /// The first interval of which they are not all known.
    unknown_from: Option<usize>,
}

impl Losses {
    fn of(grid: &Grid, receiver: &UdpReceive) -> Losses {
        let (lost, unknown_from) = losses::by_interval(grid.all.iter().map(|cell| &cell.of), receiver);
        Losses { lost, unknown_from }
    }

    /// When most was lost; the first of several that are alike.
    fn worst(&self, within: &[&Cell]) -> Option<i64> {
        let most = within.iter().max_by_key(|cell| (self.lost[cell.n], std::cmp::Reverse(cell.n)))?;
        (self.lost[most.n] > 0).then_some(most.at)
    }
}

fn received(of: Stream, work: &WorkloadReport, stretch: Option<Stretch>) -> Readings {
    let receiver = receiver(work)?;
    if let (None, Stream::Received | Stream::Bytes | Stream::Throughput) = (stretch, of) {
        let value = match of {
            Stream::Received => Some(receiver.received),
            Stream::Bytes => Some(receiver.bytes),
            _ => receiver.throughput_bps,
        };
        let lacking = || match receiver.received {
            n @ 0..2 => format!("{n} datagrams arrived"),
            _ => why(work),
        };
        return Ok(vec![Reading::at(value.ok_or_else(lacking)? as f64, work.ended_ns)]);
    }
    let mut grid = Grid::of(work, receiver.began_ns, &receiver.intervals)?;
    if matches!(of, Stream::Throughput | Stream::ThroughputOverTime) {
        grid.keep(work.measured.udp_sender().and_then(|sender| sending(sender, receiver)));
    }
    let within = grid.within(stretch)?;
    let delay = |pick: fn(&Interval) -> Option<u64>| {
        let reading = |cell: &&Cell| Some(Reading::at(pick(&cell.of)? as f64, Some(cell.at)));
        let all: Vec<Reading> = within.iter().filter_map(reading).collect();
        if all.is_empty() { Err("no datagram arrived then".to_owned()) } else { Ok(all) }
    };
    let value = match of {
        Stream::Received => sum(&within, |one| one.frames),
        Stream::Bytes => sum(&within, |one| one.bytes),
        Stream::ThroughputOverTime => return grid.rates(stretch),
        Stream::MeanDelayOverTime => return delay(|one| one.mean_ns),
        Stream::MaxDelayOverTime => return delay(|one| one.max_ns),
        _ => grid.rate(&within),
    };
    Ok(vec![Reading::at(value, slowest(&within))])
}

/// While the sender was active, as the receiver sees it: later by the quickest transit.
pub(super) fn sending(sender: &UdpSend, receiver: &UdpReceive) -> Option<Stretch> {
    let transit = receiver.delay_ns.as_ref().map_or(0, |delay| delay.min()) as i64;
    let began = sender.began_ns? + transit;
    Some((began, began + sender.duration_ns as i64))
}

/// One-way delays: of all datagrams, or of those that arrived in a stretch, of which the percentiles are to one in a
/// hundred. Each as it is, and without its own lateness where gaps made it late.
pub(super) fn delays(
    part: Option<Part>,
    work: &WorkloadReport,
    stretch: Option<Stretch>,
    doubt: &Doubt<'_>,
) -> Readings {
    let (part, receiver) = (part.ok_or_else(|| why(work))?, receiver(work)?);
    let grid = |intervals| Grid::of(work, receiver.began_ns, intervals);
    let measured = grid(&receiver.intervals);
    let within = measured.as_ref().map_err(Clone::clone).and_then(|grid| grid.within(stretch));
    let longest = |within: &[&Cell]| {
        let all = within.iter().filter_map(|cell| Some((cell.of.max_ns?, cell.at)));
        all.max_by_key(|(max, at)| (*max, -at)).map(|(_, at)| at)
    };
    let at = within.as_ref().ok().and_then(|within| longest(within));
    let value = match stretch {
        None => {
            let value = receiver.delay_ns.as_ref().and_then(|delay| delay.get(part)).map(|ns| ns as f64);
            value.ok_or_else(|| if receiver.unique == 0 { "no datagram arrived".into() } else { why(work) })?
        }
        Some(_) => spread(&within?, part)?,
    };
    let reading = Reading::at(value, at);
    let Some(corrected) = receiver.corrected.as_ref().filter(|_| part != Part::Count) else { return Ok(vec![reading]) };
    let floor =
        work.place.split_once(" → ").map_or(0, |(from, to)| doubt.floor(from, to, doubt.on_their_way(stretch))) as f64;
    let least = match stretch {
        None => corrected.delay_ns.as_ref().and_then(|delay| delay.get(part)).map(|ns| ns as f64),
        Some(_) => Some(spread(&grid(&corrected.intervals)?.within(stretch)?, part)?),
    };
    // of datagrams that are not known one by one, all of the delay may be lateness
    let least = least.filter(|_| corrected.omitted == 0).unwrap_or(0.0);
    let least = if part == Part::Stddev { least } else { least.max(floor) };
    let most = if doubt.may_be_longer() { f64::INFINITY } else { least };
    Ok(vec![reading.between(least, most)])
}

/// A part of the distribution of the delays of some intervals. None is longer than the longest, which is exact.
fn spread(within: &[&Cell], part: Part) -> Result<f64, String> {
    let max = within.iter().filter_map(|cell| cell.of.max_ns).max().unwrap_or(u64::MAX);
    let all = within.iter().flat_map(|cell| &cell.of.delays);
    let mut delays: Vec<(u64, u64)> = all.map(|(delay, count)| ((*delay).min(max), *count)).collect();
    delays.sort_unstable();
    part.of(&delays).ok_or_else(|| "no datagram arrived then".into())
}

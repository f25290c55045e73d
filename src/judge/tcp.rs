//! What is asked of the bytes that arrived over a TCP connection.

use super::grid::{Grid, slowest, sum};
use super::reading::Reading;
use super::workload::why;
use super::{Readings, Stretch};
use crate::measured::catalogue::Arrived;
use crate::measured::{TcpReceive, TcpSend};
use crate::report::json::WorkloadReport;

/// An instant of the receiver's own clock, from t = 0.
fn own(receiver: &TcpReceive, at: Option<u64>) -> Option<i64> {
    Some(receiver.began_ns? + (at? as i64) - receiver.started_ns as i64)
}

/// While there was something to send: up to the last byte that arrived, or, if not all did, until the sender gave up.
pub(super) fn active(sender: &TcpSend, receiver: &TcpReceive) -> Option<Stretch> {
    let end = if sender.complete {
        own(receiver, receiver.last_at_ns)?
    } else {
        sender.began_ns? + (sender.connect_ns + sender.duration_ns) as i64
    };
    Some((own(receiver, receiver.accepted_at_ns)?, end))
}

/// How many bytes arrived, or how fast.
pub(super) fn arrived(of: Arrived, work: &WorkloadReport, stretch: Option<Stretch>) -> Readings {
    let receiver = work.measured.tcp_receiver().ok_or_else(|| why(work))?;
    if stretch.is_none() && of != Arrived::GoodputOverTime {
        let whole = if of == Arrived::Bytes { Some(receiver.bytes) } else { receiver.goodput_bps };
        let lacking = || if receiver.bytes == 0 { "no byte arrived" } else { "all bytes arrived at once" };
        return Ok(vec![Reading::at(whole.ok_or_else(lacking)? as f64, work.ended_ns)]);
    }
    let mut grid = Grid::of(work, own(receiver, receiver.accepted_at_ns), &receiver.intervals)?;
    if of != Arrived::Bytes {
        grid.keep(work.measured.tcp_sender().and_then(|sender| active(sender, receiver)));
    }
    if of == Arrived::GoodputOverTime {
        return grid.rates(stretch);
    }
    let within = grid.within(stretch)?;
    let value = if of == Arrived::Bytes { sum(&within, |one| one.bytes) } else { grid.rate(&within) };
    Ok(vec![Reading::at(value, slowest(&within))])
}

//! The accounts of a received stream: every datagram is in order, reordered, a duplicate or foreign, and has a delay.

use super::super::clock::{Reading, ReceiveClock};
use super::super::distribution::Distribution;
use super::super::series::Series;
use super::datagram::Head;
use super::jitter::JitterEstimator;
use super::sequence::{Arrival, Sequence};
use crate::measured::gap::Silences;
use crate::measured::{Histogram, Percentile, UdpReceive};

/// Ranges of missing numbers in a report.
const MISSING: usize = 10_000;
/// Delays that are kept one by one.
const SAMPLES: usize = 100_000;

/// One datagram as far as it is read: only its head is, the kernel having checked all of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Datagram {
    pub(super) head: Option<Head>,
    pub(super) length: u64,
    /// The kernel's receive timestamp.
    pub(super) stamp: Option<i64>,
}

/// The stream as it comes in.
pub(super) struct Accounts {
    stream: u32,
    clock: ReceiveClock,
    pub(super) sequence: Sequence,
    jitter: JitterEstimator,
    delay: Distribution,
    wakeup: Distribution,
    series: Series,
    silences: Silences,
    first_length: u64,
    /// The report in the making.
    pub(super) report: UdpReceive,
}

impl Accounts {
    /// No datagrams yet. Times of the report count from `started`. `by_interval`: delays are kept by interval too.
    pub(super) fn new(stream: u32, started: u64, reading: Reading, by_interval: bool) -> Accounts {
        Accounts {
            stream,
            clock: ReceiveClock::new(reading),
            sequence: Sequence::default(),
            jitter: JitterEstimator::default(),
            delay: Distribution::of_delays(),
            wakeup: Distribution::of_lateness(),
            series: Series::new(by_interval),
            silences: Silences::default(),
            first_length: 0,
            report: UdpReceive { started_ns: started, ..UdpReceive::default() },
        }
    }

    /// Takes in a datagram that was read just before `reading`.
    pub(super) fn take(&mut self, datagram: Datagram, reading: Reading) {
        let report = &mut self.report;
        let Some(head) = datagram.head.filter(|head| head.stream == self.stream) else {
            report.foreign += 1;
            return;
        };
        let arrival = self.sequence.arrived(head.number);
        let first_copy = match arrival {
            Arrival::Impossible => {
                report.foreign += 1;
                return;
            }
            Arrival::Duplicate => {
                report.duplicates += 1;
                false
            }
            Arrival::Reordered { extent } => {
                report.reordered += 1;
                report.reorder_extent_max = report.reorder_extent_max.max(extent);
                true
            }
            Arrival::InOrder => true,
        };
        let arrived = match datagram.stamp {
            Some(stamp) => self.clock.received(stamp, head.sent_at, reading),
            None => reading.after(),
        };
        let delay = arrived.saturating_sub(head.sent_at);
        report.received += 1;
        report.bytes += datagram.length;
        if report.first_at_ns.is_none() {
            report.first_at_ns = Some(arrived);
            self.first_length = datagram.length;
        }
        report.last_at_ns = report.last_at_ns.max(Some(arrived));
        self.silences.arrived(arrived);
        self.wakeup.record(reading.after().saturating_sub(arrived));
        let since = arrived.saturating_sub(report.started_ns);
        self.series.add(since, 1, datagram.length, first_copy.then_some(delay));
        if first_copy {
            self.delay.record(delay);
            self.jitter.record(delay);
            if report.samples.len() < SAMPLES {
                report.samples.push((since, delay));
            }
        }
    }

    /// The report, given the number sent if it is known.
    pub(super) fn finish(mut self, sent: Option<u64>, percentiles: &[Percentile]) -> UdpReceive {
        let report = &mut self.report;
        report.sent = sent;
        report.unique = self.sequence.unique();
        report.lost = self.sequence.lost(sent);
        (report.missing, report.missing_omitted) = self.sequence.missing(sent, MISSING);
        report.jitter_ns = self.jitter.jitter();
        report.delay_ns = self.delay.times(percentiles);
        report.delay_histogram = Histogram::of(&self.delay.values());
        report.wakeup_ns = self.wakeup.times(percentiles);
        report.throughput_bps = report.first_at_ns.zip(report.last_at_ns).and_then(|(first, last)| {
            // As arrivals are by the kernel's clock and copies may overtake, the first read need not be the earliest.
            crate::workload::rate(report.bytes - self.first_length, last.saturating_sub(first))
        });
        report.intervals = self.series.intervals();
        report.heard = Some(self.silences.heard());
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throughput_leaves_the_first_datagram_out() {
        let mut accounts = Accounts::new(1, 0, Reading::take(), false);
        let base = Reading::take().after();
        accounts.report.first_at_ns = Some(base);
        accounts.report.last_at_ns = Some(base + 1_000_000_000);
        accounts.report.bytes = 300;
        accounts.first_length = 100;
        assert_eq!(accounts.finish(None, &[]).throughput_bps, Some(1600));
    }
}

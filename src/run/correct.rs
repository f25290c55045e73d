//! Takes the lateness that gaps made out of what udp workloads measured: the second opinion that delays are judged by.

use crate::judge::queueing;
use crate::measured::{Measured, UdpReceive};
use crate::report::gaps::Gaps;
use crate::report::json::Report;
use crate::workload::corrected;

/// Puts what receivers would have measured at the least beside what they measured, and takes away what they kept one by one.
pub(super) fn correct(report: &mut Report) {
    let rated = report.directions.iter().filter(|direction| !direction.requested.json()["rate"].is_null());
    let queued = queueing(&rated.cloned().collect::<Vec<_>>());
    for work in report.workloads.values_mut() {
        if let Measured::Udp(udp) = &mut work.measured {
            udp.receiver.iter_mut().for_each(|receiver| stream(receiver, &report.validity.gaps, queued));
        }
        work.measured.forget_arrivals();
    }
}

/// `queued`: the longest that a frame may have stood in queues.
fn stream(receiver: &mut UdpReceive, gaps: &Gaps, queued: u64) {
    let samples = std::mem::take(&mut receiver.samples);
    let Some(began) = receiver.began_ns.filter(|_| !gaps.list.is_empty()) else { return };
    let late = |at: u64, delay: u64| {
        let arrived = began + at as i64;
        let sent = arrived - delay as i64;
        let behind_bursts = gaps.aftermath(sent).max(gaps.aftermath(arrived)).min(queued);
        gaps.one_way(sent, arrived) + behind_bursts
    };
    // those that were asked for stand beside those that are always there
    let more = receiver.delay_ns.as_ref().map(|delays| delays.asked()).unwrap_or_default();
    receiver.corrected = corrected(&samples, receiver.unique, &more, late);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_go_and_what_they_were_late_by_stays() {
        let samples = vec![(9_000_000, 1_000_000), (99_000_000, 60_000_000)];
        let receiver = UdpReceive { began_ns: Some(1_000_000), unique: 2, samples, ..UdpReceive::default() };
        let mut on_time = receiver.clone();
        stream(&mut on_time, &Gaps::default(), 0);
        assert_eq!(on_time, UdpReceive { samples: Vec::new(), ..receiver.clone() });
        let mut late = receiver;
        stream(&mut late, &Gaps { least_ns: 0, list: vec![(30_000_000, 95_000_000)] }, 0);
        assert!(late.samples.is_empty());
        let delays = late.corrected.and_then(|corrected| corrected.delay_ns).expect("delays");
        // sent at 40 ms, read at 95 ms at the latest
        assert_eq!((delays.min(), delays.max()), (1_000_000, 5_000_000));
    }
}

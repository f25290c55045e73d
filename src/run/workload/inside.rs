//! Datagrams that may still be on their way when their receiver stops listening: they are not lost.

use crate::measured::{UdpReceive, UdpSend};
use crate::units::Duration;

/// Takes them out of what the receiver counts as lost. `transit`: how long a datagram may be on its way.
pub(super) fn set_aside(sender: &UdpSend, receiver: &mut UdpReceive, transit: Duration) {
    let Some(until) = receiver.until_ns else { return };
    let first = overdue_before(sender, until.saturating_sub(transit.as_nanos()));
    let listed: u64 = receiver.missing.iter().map(|(from, to)| to - from + 1).sum();
    // those that were left out come behind those that are listed
    let omitted = receiver.lost.saturating_sub(listed);
    let all_behind = receiver.missing.last().is_some_and(|(_, to)| *to >= first);
    if all_behind {
        receiver.missing_omitted = 0;
        receiver.inside += omitted;
    }
    for (from, to) in std::mem::take(&mut receiver.missing) {
        receiver.inside += (to + 1).saturating_sub(from.max(first));
        if from < first {
            receiver.missing.push((from, to.min(first - 1)));
        }
    }
    receiver.lost -= receiver.inside;
}

/// The first number that may have been sent after this time.
fn overdue_before(sender: &UdpSend, time: u64) -> u64 {
    let last = sender.started_ns.saturating_add(sender.duration_ns);
    let mut number = 0;
    for (n, interval) in sender.intervals.list.iter().enumerate() {
        let end = sender.started_ns.saturating_add(sender.intervals.width_ns.saturating_mul(n as u64 + 1));
        if end.min(last) > time {
            break;
        }
        number += interval.frames;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measured::{Interval, Intervals};

    const MS: u64 = 1_000_000;

    /// Ten datagrams in each 100 ms from 1 s on, the last at 1,990 ms.
    fn sender() -> UdpSend {
        let list = (0..10).map(|_| Interval { frames: 10, ..Interval::default() }).collect();
        let intervals = Intervals { list, width_ns: 100 * MS };
        UdpSend { started_ns: 1000 * MS, duration_ns: 990 * MS, sent: 100, intervals, ..UdpSend::default() }
    }

    fn receiver(until: u64, missing: &[(u64, u64)], omitted: u64) -> UdpReceive {
        UdpReceive {
            until_ns: Some(until * MS),
            sent: Some(100),
            missing: missing.to_vec(),
            missing_omitted: u64::from(omitted > 0),
            lost: missing.iter().map(|(from, to)| to - from + 1).sum::<u64>() + omitted,
            ..UdpReceive::default()
        }
    }

    fn counted(mut receiver: UdpReceive, transit: u64) -> (u64, u64, Vec<(u64, u64)>) {
        set_aside(&sender(), &mut receiver, Duration::from_millis(transit));
        (receiver.lost, receiver.inside, receiver.missing)
    }

    #[test]
    fn only_what_was_sent_too_late_to_arrive_is_on_its_way() {
        // at 2 s, with half a second of way: sent from 1.5 s on
        assert_eq!(counted(receiver(2000, &[(3, 5), (48, 51), (99, 99)], 0), 500), (5, 3, vec![(3, 5), (48, 49)]));
        assert_eq!(counted(receiver(2000, &[(0, 99)], 0), 3000), (0, 100, vec![]), "none has had the time");
        assert_eq!(counted(receiver(4000, &[(0, 99)], 0), 3000), (0, 100, vec![]));
        assert_eq!(counted(receiver(4989, &[(0, 99)], 0), 3000), (90, 10, vec![(0, 89)]));
        assert_eq!(
            counted(receiver(4990, &[(0, 99)], 0), 3000),
            (100, 0, vec![(0, 99)]),
            "all that waited long enough"
        );
    }

    #[test]
    fn numbers_that_are_not_listed_come_last() {
        assert_eq!(counted(receiver(2000, &[(3, 5), (60, 61)], 7), 500), (3, 9, vec![(3, 5)]));
        assert_eq!(counted(receiver(2000, &[(3, 5)], 7), 500), (10, 0, vec![(3, 5)]), "nobody knows");
    }
}

//! Lost datagrams by interval of their sender: the receiver names numbers, the sender counts them by interval.

use super::{Interval, UdpReceive};

/// Datagrams of each interval that did not come, and the first interval of which they are not all known.
pub(crate) fn by_interval<'a>(
    intervals: impl Iterator<Item = &'a Interval>,
    receiver: &UdpReceive,
) -> (Vec<u64>, Option<usize>) {
    let ranges = &receiver.missing;
    let known = ranges.last().map_or(0, |(_, last)| last + 1);
    let (mut first, mut unknown_from, mut at) = (0u64, None, 0);
    let mut lost = Vec::new();
    for (n, interval) in intervals.enumerate() {
        let behind = first + interval.frames;
        while ranges.get(at).is_some_and(|(_, last)| *last < first) {
            at += 1;
        }
        let here = ranges[at..].iter().take_while(|(from, _)| *from < behind);
        lost.push(here.map(|(from, last)| (last + 1).min(behind) - (*from).max(first)).sum());
        if receiver.missing_omitted > 0 && behind > known {
            unknown_from.get_or_insert(n);
        }
        first = behind;
    }
    (lost, unknown_from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_at_the_ends_of_intervals() {
        let intervals = [3, 0, 4, 3].map(|frames| Interval { frames, ..Interval::default() });
        let receiver = UdpReceive { missing: vec![(1, 1), (2, 4), (9, 9)], ..UdpReceive::default() };
        assert_eq!(by_interval(intervals.iter(), &receiver), (vec![2, 0, 2, 1], None));
        let cut = UdpReceive { missing: vec![(1, 1)], missing_omitted: 1, ..UdpReceive::default() };
        assert_eq!(by_interval(intervals.iter(), &cut), (vec![1, 0, 0, 0], Some(0)));
    }
}

//! Links whose wire was busy, or whose queue dropped.

use std::cmp::Reverse;

use crate::report::json::{Direction, Report};
use crate::report::series::DirectionSeries;
use crate::report::terminal::{grouped, percent, seconds};

/// A wire that is busy for this share of the time is what limits, where its queue drops one frame of so many or more.
const BUSY: f64 = 0.5;
const ONE_OF: u64 = 100;
/// So is one that drops nothing, from this share on.
const FULL: f64 = 0.9;

/// A wire and how busy it was.
struct Load<'a> {
    direction: &'a Direction,
    /// Frames that its queue dropped.
    dropped: u64,
    /// The share of the time, from its first frame to its last.
    busy: f64,
    /// From when to when that was, in ns.
    stretch: (u64, u64),
}

pub(super) fn sentences(report: &Report) -> Vec<String> {
    let mut loads: Vec<Load<'_>> = report.directions.iter().filter_map(|one| load(one, report)).collect();
    loads.retain(|load| load.dropped > 0 || load.busy >= FULL);
    // the busiest explains most
    loads.sort_by_key(|load| Reverse((load.busy * 1e6) as u64));
    let alone = loads.iter().filter(|load| load.limits()).count() == 1;
    loads.iter().map(|load| load.sentence(alone, report.duration_ns)).collect()
}

fn load<'a>(direction: &'a Direction, report: &Report) -> Option<Load<'a>> {
    if direction.busy_ns == 0 {
        return None;
    }
    let dropped = ["queue_full", "aqm"].iter().filter_map(|cause| direction.dropped.get(*cause)).sum();
    let series = report.series.as_ref();
    let of = |one: &&DirectionSeries| one.link == direction.link && one.to == direction.to;
    let used = series.and_then(|series| {
        let one = series.directions.iter().find(of)?;
        let used = |n: &usize| one.delivered_frames[*n] > 0 || one.dropped[*n] > 0 || one.waiting[*n] > 0;
        let count = one.delivered_frames.len();
        let (first, last) = ((0..count).find(used)?, (0..count).rfind(used)?);
        Some((series.every_ns * first as u64, (series.every_ns * (last as u64 + 1)).min(series.end_ns)))
    });
    let stretch = used.unwrap_or((0, report.duration_ns));
    let length = stretch.1.checked_sub(stretch.0).filter(|length| *length > 0)?;
    let busy = (direction.busy_ns as f64 / length as f64).min(1.0);
    Some(Load { direction, dropped, busy, stretch })
}

impl Load<'_> {
    fn limits(&self) -> bool {
        self.busy >= FULL || (self.busy >= BUSY && self.dropped * ONE_OF >= self.direction.offered.frames.max(1))
    }

    fn sentence(&self, alone: bool, duration_ns: u64) -> String {
        let Load { direction, dropped, busy, stretch: (from, to) } = self;
        let (link, end, offered) = (&direction.link, &direction.to, grouped(direction.offered.frames));
        let when = match to - from >= duration_ns / 10 * 9 {
            true => "of the time".to_owned(),
            false => format!("of the time from {} to {}", seconds(*from as i64), seconds(*to as i64)),
        };
        let busy = percent(*busy);
        if !self.limits() {
            let dropped = grouped(*dropped);
            return format!(
                "the queue of `{link}` toward {end} dropped {dropped} of {offered}; the link was busy {busy} {when}"
            );
        }
        let article = if alone { "the" } else { "a" };
        let queue = match (dropped, direction.marked) {
            (0, 0) => "its queue dropped nothing".to_owned(),
            (0, marked) => format!("its queue marked {} of {offered}", grouped(marked)),
            (dropped, _) => format!("its queue dropped {} of {offered}", grouped(*dropped)),
        };
        format!("{article} bottleneck was `{link}` toward {end}: busy {busy} {when}, {queue}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::diagnosis::testing::quiet;
    use crate::report::json::Count;

    fn loaded(busy_percent: u64, cause: Option<(&'static str, u64)>) -> Report {
        let mut report = quiet();
        let direction = &mut report.directions[0];
        (direction.link, direction.to) = ("dsl".into(), "home".into());
        direction.busy_ns = busy_percent * 100_000_000;
        direction.offered = Count { frames: 2_978, bytes: 0 };
        direction.dropped = cause.into_iter().map(|(cause, n)| (cause.into(), n)).collect();
        report
    }

    #[test]
    fn a_busy_wire_that_drops_at_its_queue_is_the_bottleneck() {
        for (busy, cause, said) in [
            (
                92,
                Some(("queue_full", 471)),
                Some("the bottleneck was `dsl` toward home: busy 92 % of the time, its queue dropped 471 of 2,978"),
            ),
            (97, None, Some("the bottleneck was `dsl` toward home: busy 97 % of the time, its queue dropped nothing")),
            (
                12,
                Some(("aqm", 5)),
                Some("the queue of `dsl` toward home dropped 5 of 2,978; the link was busy 12 % of the time"),
            ),
            // neither drops by chance nor a wire that is merely used prove anything
            (
                97,
                Some(("loss", 9)),
                Some("the bottleneck was `dsl` toward home: busy 97 % of the time, its queue dropped nothing"),
            ),
            (
                74,
                Some(("queue_full", 1)),
                Some("the queue of `dsl` toward home dropped 1 of 2,978; the link was busy 74 % of the time"),
            ),
            (60, None, None),
            (60, Some(("loss", 471)), None),
            (0, Some(("queue_full", 3)), None),
        ] {
            assert_eq!(sentences(&loaded(busy, cause)).first().map(String::as_str), said, "{busy} {cause:?}");
        }
    }

    #[test]
    fn the_time_is_that_in_which_the_link_was_used() {
        let mut report = loaded(19, Some(("queue_full", 471)));
        let mut series = crate::report::testing::report().series.unwrap();
        series.directions.truncate(1);
        let way = &mut series.directions[0];
        (way.link, way.to) = ("dsl".into(), "home".into());
        way.delivered_frames = (0..90).map(|n| u32::from((10..30).contains(&n))).collect();
        (way.dropped, way.waiting) = (vec![0; 90], vec![0; 90]);
        report.series = Some(series);
        assert_eq!(
            sentences(&report),
            [
                "the bottleneck was `dsl` toward home: busy 95 % of the time from 1 s to 3 s, its queue dropped 471 of 2,978"
            ]
        );
    }

    #[test]
    fn of_several_none_is_the_one() {
        let mut report = loaded(92, Some(("queue_full", 471)));
        let other = Direction { link: "lte".into(), ..report.directions[0].clone() };
        report.directions.push(other);
        assert!(sentences(&report).iter().all(|sentence| sentence.starts_with("a bottleneck was `")));
    }
}

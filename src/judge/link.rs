//! What is asked of links: of one direction, or of each.

use super::reading::Reading;
use super::{Readings, Stretch, words};
use crate::measured::catalogue::{Direction as Of, Source};
use crate::report::json::{Direction, Report};
use crate::report::series::{DirectionSeries, Series};
use crate::tasks::expect::Measure;

/// A measure of the directions of a link, or of that toward `to`. Of two, one that nobody sent anything into says nothing.
pub(super) fn directions(
    measure: &Measure,
    (link, to): (&str, Option<&str>),
    stretch: Option<Stretch>,
    report: &Report,
) -> Readings {
    let meant = report.directions.iter().filter(|d| d.link == link && to.is_none_or(|to| d.to == to));
    let (mut all, mut lack) = (Vec::new(), None);
    for direction in meant {
        match one(measure, direction, stretch, report) {
            Ok(readings) => {
                let label = to.is_none().then(|| format!("{} → {}", direction.from, direction.to));
                all.extend(readings.into_iter().map(|reading| Reading { label: label.clone(), ..reading }));
            }
            Err(why) => lack = lack.or(Some(why)),
        }
    }
    match lack {
        Some(why) if all.is_empty() => Err(why),
        _ => Ok(all),
    }
}

fn one(measure: &Measure, direction: &Direction, stretch: Option<Stretch>, report: &Report) -> Readings {
    let dropped: u64 = direction.dropped.values().sum();
    let idle = || Err("nothing was sent this way".to_owned());
    let track = Track::of(direction, report);
    let of = match measure.source {
        Source::Delay if direction.delay_ns.is_none() => return Err("nothing arrived this way".into()),
        Source::Delay => {
            let delay = measure.part().and_then(|part| direction.delay(part));
            let delay = delay.ok_or_else(|| format!("the report has no `{}`", measure.path))?;
            return Ok(vec![Reading::of(delay as f64)]);
        }
        Source::Direction(of) => of,
        _ => return Err("a link has no such measure".into()),
    };
    if direction.offered.frames == 0
        && !matches!(
            of,
            Of::Offered | Of::OfferedBytes | Of::Delivered | Of::DeliveredBytes | Of::Rate | Of::RateOverTime
        )
    {
        return idle();
    }
    let whole = |count: u64| Ok(vec![Reading::of(count as f64)]);
    match (of, stretch) {
        (Of::Offered, _) => whole(direction.offered.frames),
        (Of::OfferedBytes, _) => whole(direction.offered.bytes),
        (Of::Delivered, None) => whole(direction.delivered.frames),
        (Of::DeliveredBytes, None) => whole(direction.delivered.bytes),
        (Of::Rate, None) if report.duration_ns > 0 => {
            let slowest = track.and_then(|track| track.least(None, |s, n| cell(&s.delivered_bytes, n)));
            Ok(vec![Reading::at(direction.delivered.bytes as f64 * 8e9 / report.duration_ns as f64, slowest)])
        }
        (Of::Dropped, None) => Ok(vec![Reading::at(dropped as f64, track.and_then(|track| track.most_dropped(None)))]),
        (Of::DroppedBy, _) => {
            let count = measure.cause().and_then(|cause| direction.dropped.get(cause.name())).copied().unwrap_or(0);
            let at = track.filter(|_| count > 0).and_then(|track| track.most_dropped(None));
            Ok(vec![Reading::at(count as f64, at)])
        }
        (Of::Loss, None) => match dropped + direction.delivered.frames {
            0 => Err("nothing was dropped or delivered this way".into()),
            all => Ok(vec![Reading::at(dropped as f64 / all as f64, track.and_then(|track| track.most_dropped(None)))]),
        },
        (Of::Originated, _) => whole(direction.originated),
        (Of::Duplicated, _) => whole(direction.duplicated),
        (Of::Corrupted, _) => whole(direction.corrupted),
        (Of::Marked, _) => whole(direction.marked),
        (Of::Reordered, _) => whole(direction.reordered),
        (Of::Clamped, _) => whole(direction.clamped),
        (Of::Inside, _) => whole(direction.inside),
        _ => track.ok_or_else(|| "the run has no series".to_owned())?.measure(of, stretch),
    }
}

/// A number of a column, of which what nobody counted is 0.
fn cell<T: Copy + Default>(column: &[T], n: usize) -> T {
    column.get(n).copied().unwrap_or_default()
}

/// A direction over time.
#[derive(Clone, Copy)]
struct Track<'a> {
    series: &'a Series,
    /// `None` where nothing happened in the direction.
    columns: Option<&'a DirectionSeries>,
}

impl<'a> Track<'a> {
    /// `None` where the run has no series.
    fn of(direction: &Direction, report: &'a Report) -> Option<Track<'a>> {
        let series = report.series.as_ref()?;
        let same = |d: &&DirectionSeries| d.link == direction.link && d.from == direction.from && d.to == direction.to;
        Some(Track { series, columns: series.directions.iter().find(same) })
    }

    /// When an interval begins and ends.
    fn bounds(&self, n: usize) -> Stretch {
        let at = |n: usize| (self.series.every_ns.saturating_mul(n as u64)).min(self.series.end_ns) as i64;
        (at(n), at(n + 1))
    }

    /// The intervals that lie within a stretch.
    fn within(&self, stretch: Option<Stretch>) -> Vec<usize> {
        let (from, to) = stretch.unwrap_or((i64::MIN, i64::MAX));
        let inside = |n: &usize| self.bounds(*n).0 >= from && self.bounds(*n).1 <= to;
        (0..self.series.len()).filter(inside).collect()
    }

    fn value(&self, n: usize, column: impl Fn(&DirectionSeries, usize) -> u64) -> u64 {
        self.columns.map_or(0, |columns| column(columns, n))
    }

    fn least(&self, stretch: Option<Stretch>, column: impl Fn(&DirectionSeries, usize) -> u64) -> Option<i64> {
        self.within(stretch).into_iter().min_by_key(|n| self.value(*n, &column)).map(|n| self.bounds(n).0)
    }

    /// When most was dropped.
    fn most_dropped(&self, stretch: Option<Stretch>) -> Option<i64> {
        let dropped = |n: usize| self.value(n, |s, n| u64::from(cell(&s.dropped, n)));
        let most = self.within(stretch).into_iter().max_by_key(|n| (dropped(*n), std::cmp::Reverse(*n)))?;
        (dropped(most) > 0).then(|| self.bounds(most).0)
    }

    fn measure(&self, of: Of, stretch: Option<Stretch>) -> Readings {
        let within = self.within(stretch);
        if within.is_empty() {
            let every = words::time(self.series.every_ns as f64);
            return Err(format!("no whole interval of the series, {every} each, lies in that time"));
        }
        let frames = |n: usize| self.value(n, |s, n| u64::from(cell(&s.delivered_frames, n)));
        let bytes = |n: usize| self.value(n, |s, n| cell(&s.delivered_bytes, n));
        let dropped = |n: usize| self.value(n, |s, n| u64::from(cell(&s.dropped, n)));
        let waiting = |n: usize| self.value(n, |s, n| u64::from(cell(&s.waiting, n)));
        let length = |n: usize| (self.bounds(n).1 - self.bounds(n).0).max(1);
        let sum = |of: &dyn Fn(usize) -> u64| within.iter().map(|n| of(*n)).sum::<u64>();
        let each = |of: &dyn Fn(usize) -> f64| {
            Ok(within.iter().map(|n| Reading::at(of(*n), Some(self.bounds(*n).0))).collect())
        };
        let at = |n: usize, value: f64| Reading::at(value, Some(self.bounds(n).0));
        let whole: Vec<usize> = within.iter().copied().filter(|n| length(*n) as u64 == self.series.every_ns).collect();
        let total = |value: f64, at: Option<i64>| Ok(vec![Reading::at(value, at)]);
        let slowest = || self.least(stretch, |s, n| cell(&s.delivered_bytes, n));
        match of {
            Of::Delivered => total(sum(&frames) as f64, slowest()),
            Of::DeliveredBytes => total(sum(&bytes) as f64, slowest()),
            Of::Rate => {
                total(sum(&bytes) as f64 * 8e9 / within.iter().map(|n| length(*n)).sum::<i64>() as f64, slowest())
            }
            // the last interval of a run may be a part of one, which says nothing of a rate
            Of::RateOverTime | Of::DeliveredOverTime if whole.is_empty() => {
                let every = words::time(self.series.every_ns as f64);
                Err(format!("no whole interval of the series, {every} each, lies in that time"))
            }
            Of::RateOverTime => Ok(whole.iter().map(|n| at(*n, bytes(*n) as f64 * 8e9 / length(*n) as f64)).collect()),
            Of::DeliveredOverTime => Ok(whole.iter().map(|n| at(*n, frames(*n) as f64)).collect()),
            Of::DroppedOverTime => each(&|n| dropped(n) as f64),
            Of::Queue => each(&|n| waiting(n) as f64),
            Of::QueueMax => {
                let longest = within.iter().copied().max_by_key(|n| (waiting(*n), std::cmp::Reverse(*n)));
                total(longest.map_or(0, waiting) as f64, longest.map(|n| self.bounds(n).0))
            }
            Of::QueueMean => {
                let longest = within.iter().copied().max_by_key(|n| (waiting(*n), std::cmp::Reverse(*n)));
                total(sum(&waiting) as f64 / within.len() as f64, longest.map(|n| self.bounds(n).0))
            }
            Of::LossOverTime => {
                let busy = within.iter().filter(|n| frames(**n) + dropped(**n) > 0);
                let share = |n: usize| dropped(n) as f64 / (frames(n) + dropped(n)) as f64;
                let all: Vec<Reading> = busy.map(|n| Reading::at(share(*n), Some(self.bounds(*n).0))).collect();
                if all.is_empty() { Err("nothing was dropped or delivered this way then".into()) } else { Ok(all) }
            }
            _ => {
                let (gone, arrived) = (sum(&dropped), sum(&frames));
                if gone + arrived == 0 {
                    return Err("nothing was dropped or delivered this way then".into());
                }
                let value = if of == Of::Loss { gone as f64 / (gone + arrived) as f64 } else { gone as f64 };
                total(value, self.most_dropped(stretch))
            }
        }
    }
}

//! How far a single run's numbers may be off, by what is within the run. It knows nothing of what another seed would do.
//!
//! Shares: Wilson, *Probable inference, the law of succession, and statistical inference*, 1927; their difference: Newcombe,
//! *Interval estimation for the difference between independent proportions*, 1998, method 10. Both take losses as independent.
//! Delays: the standard error by a circular block bootstrap (Politis and Romano, 1992) with blocks of n^⅓ samples (Hall,
//! Horowitz and Jing, 1995), and the normal interval of it (Efron and Tibshirani, *An Introduction to the Bootstrap*, 1993, §13.2).

use rand::SeedableRng as _;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::Rng as _;

use crate::measured::catalogue::{Direction as Of, Requests, Source, Stream};
use crate::measured::{Interval, Part};
use crate::report::Report;
use crate::stats::normal;
use crate::tasks::expect::{Measure, Subject};

/// Resamples: enough for a standard error.
const RESAMPLES: usize = 999;
/// Fewer samples say nothing of their spread.
const FEWEST: usize = 20;
/// So that a comparison repeats itself.
const SEED: u64 = 0x626f_6f74;

/// What a number of a run was taken from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sample {
    /// So many of so many.
    Share { part: f64, whole: f64 },
    /// Values in the order of time, each of so many frames, and which part of them the number is.
    Times { values: Vec<(f64, f64)>, part: Part },
}

/// An interval around a number, and its half width below and above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Around {
    below: f64,
    above: f64,
}

impl Around {
    /// Of this number.
    pub(super) fn interval(self, value: f64) -> [f64; 2] {
        [value - self.below, value + self.above]
    }

    /// Of the second number minus the first: Newcombe's for shares, and for normal intervals the usual root of squares.
    pub(super) fn of_difference(first: Around, second: Around) -> Around {
        Around { below: second.below.hypot(first.above), above: second.above.hypot(first.below) }
    }
}

impl Sample {
    /// What a measure's number in a report was taken from; `None` where that is not known.
    pub(super) fn of(measure: &Measure, report: &Report) -> Option<Sample> {
        let share =
            |part: u64, whole: u64| (whole > 0).then_some(Sample::Share { part: part as f64, whole: whole as f64 });
        let times = |values: Vec<(f64, f64)>| {
            let part = measure.part()?;
            (values.len() >= FEWEST).then_some(Sample::Times { values, part })
        };
        match &measure.subject {
            Subject::Workload(name) => {
                let measured = &report.workloads.get(name)?.measured;
                match measure.source {
                    Source::Requests(Requests::Loss) => {
                        let ping = measured.ping()?;
                        share(ping.lost, ping.received + ping.lost)
                    }
                    // a number of all requests has no interval by the first of them
                    Source::RoundTrips => times(
                        measured
                            .ping()
                            .filter(|ping| ping.samples_omitted == 0)?
                            .samples
                            .iter()
                            .filter_map(|(_, rtt)| Some(((*rtt)? as f64, 1.0)))
                            .collect(),
                    ),
                    Source::Stream(Stream::Loss) => {
                        let (sender, receiver) = (measured.udp_sender()?, measured.udp_receiver()?);
                        share(receiver.lost, sender.sent.checked_sub(receiver.inside)?)
                    }
                    Source::OneWay if measure.part() == Some(Part::Mean) => {
                        let mean = |one: &Interval| Some((one.mean_ns? as f64, one.frames as f64));
                        times(measured.udp_receiver()?.intervals.list.iter().filter_map(mean).collect())
                    }
                    _ => None,
                }
            }
            Subject::Link { name, to } => {
                let is = |link: &str, end: &str| link == name && to.as_deref() == Some(end);
                match measure.source {
                    Source::Direction(Of::Loss) => {
                        let direction = report.directions.iter().find(|d| is(&d.link, &d.to))?;
                        let dropped: u64 = direction.dropped.values().sum();
                        share(dropped, dropped + direction.delivered.frames)
                    }
                    Source::Delay if measure.part() == Some(Part::Mean) => {
                        let columns = report.series.as_ref()?.directions.iter().find(|d| is(&d.link, &d.to))?;
                        let each = columns.delay_mean_ns.iter().zip(&columns.delivered_frames);
                        let each = each.map(|(mean, frames)| (*mean as f64, f64::from(*frames)));
                        times(each.filter(|(_, frames)| *frames > 0.0).collect())
                    }
                    _ => None,
                }
            }
            Subject::Node(_) => None,
        }
    }

    /// The interval that has the number in this share of cases.
    pub(super) fn around(&self, confidence: f64) -> Around {
        let z = normal::quantile(0.5 + confidence / 2.0);
        match self {
            Sample::Share { part, whole } => {
                let [low, high] = wilson(*part, *whole, z);
                let share = part / whole;
                Around { below: share - low, above: high - share }
            }
            Sample::Times { values, part } => {
                let half = z * standard_error(values, *part);
                Around { below: half, above: half }
            }
        }
    }
}

/// Wilson's interval of a share.
fn wilson(part: f64, whole: f64, z: f64) -> [f64; 2] {
    let (share, z2) = (part / whole, z * z);
    let centre = share + z2 / (2.0 * whole);
    let half = z * (share * (1.0 - share) / whole + z2 / (4.0 * whole * whole)).sqrt();
    [-half, half].map(|half| ((centre + half) / (1.0 + z2 / whole)).clamp(0.0, 1.0))
}

/// By resampling blocks, which keep what neighbours have in common.
fn standard_error(values: &[(f64, f64)], part: Part) -> f64 {
    let block = (values.len() as f64).cbrt().ceil() as usize;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut resample = || {
        let mut drawn = Vec::with_capacity(values.len() + block);
        while drawn.len() < values.len() {
            // the bias of a remainder of 2⁶⁴ is beyond any sample
            let from = (random.next_u64() % values.len() as u64) as usize;
            drawn.extend(values.iter().cycle().skip(from).take(block));
        }
        drawn.truncate(values.len());
        number(drawn, part)
    };
    let numbers: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    let mean = numbers.iter().sum::<f64>() / numbers.len() as f64;
    (numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / (numbers.len() - 1) as f64).sqrt()
}

/// A percentile, or the mean.
fn number(mut values: Vec<(f64, f64)>, part: Part) -> f64 {
    let Part::Percentile(percentile) = part else {
        let weight: f64 = values.iter().map(|(_, weight)| weight).sum();
        return values.iter().map(|(value, weight)| value * weight).sum::<f64>() / weight;
    };
    let rank = ((percentile.share() * values.len() as f64).ceil() as usize).clamp(1, values.len()) - 1;
    values.select_nth_unstable_by(rank, |a, b| a.0.total_cmp(&b.0)).1.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilsons_interval_is_the_published_one() {
        // Newcombe, *… for the single proportion*, 1998, table I: 81 of 263 and 15 of 148, 95 %
        let z = normal::quantile(0.975);
        for (part, whole, low, high) in
            [(81.0, 263.0, 0.2553, 0.3662), (15.0, 148.0, 0.0624, 0.1605), (0.0, 20.0, 0.0, 0.1611)]
        {
            let [found_low, found_high] = wilson(part, whole, z);
            assert!(
                (found_low - low).abs() < 5e-5 && (found_high - high).abs() < 5e-5,
                "{part}: {found_low} {found_high}"
            );
        }
    }

    #[test]
    fn newcombes_interval_of_a_difference_is_the_published_one() {
        // Newcombe 1998, table II, method 10: 56/70 − 48/80
        let around = |part, whole| Sample::Share { part, whole }.around(0.95);
        let [low, high] = Around::of_difference(around(48.0, 80.0), around(56.0, 70.0)).interval(0.2);
        assert!((low - 0.0524).abs() < 5e-5 && (high - 0.3339).abs() < 5e-5, "{low} {high}");
    }

    #[test]
    fn neighbours_that_are_alike_make_the_interval_wider() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
        let mut uniform = || (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let independent: Vec<(f64, f64)> = (0..1_000).map(|_| (uniform(), 1.0)).collect();
        let expected = (1.0f64 / 12.0 / 1_000.0).sqrt();
        let found = standard_error(&independent, Part::Mean);
        assert!((found / expected - 1.0).abs() < 0.15, "{found} {expected}");
        let alike: Vec<(f64, f64)> = independent.iter().flat_map(|one| [*one; 5]).take(1_000).collect();
        assert!(standard_error(&alike, Part::Mean) > 1.6 * found);
        let median = standard_error(&independent, Part::P50);
        assert!((1.2..2.5).contains(&(median / found)), "√3 in theory: {}", median / found);
    }
}

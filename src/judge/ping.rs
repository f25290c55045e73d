//! What is asked of a ping's requests, each of which is known by the time at which it was sent.

use super::doubt::Doubt;
use super::reading::Reading;
use super::work::{at, number, whole, why};
use super::{Readings, Stretch};
use crate::report::json::Work;
use crate::tasks::expect::Percentile;
use crate::tasks::expect::catalogue::Requests;

/// Losses over time are of so long intervals.
const INTERVAL: i64 = 100_000_000;
/// A reply that comes this late has come too late, unless the scenario says otherwise.
const TIMEOUT: i64 = 2_000_000_000;

/// A request.
struct Request {
    /// When it was sent.
    at: i64,
    /// Its round-trip time, if it was answered in time.
    rtt: Option<u64>,
    /// The same without its own lateness.
    least: u64,
    /// Gaps can have decided whether it was answered.
    unsure: bool,
}

impl Request {
    fn is_lost(&self) -> bool {
        self.rtt.is_none()
    }
}

/// The requests that were sent in a stretch, or all.
fn sent(work: &Work, stretch: Option<Stretch>, doubt: &Doubt<'_>) -> Result<Vec<Request>, String> {
    let samples = at(work, &["samples"]).and_then(serde_json::Value::as_array).ok_or_else(|| why(work))?;
    let began = at(work, &["began_ns"]).and_then(serde_json::Value::as_i64).ok_or_else(|| why(work))?;
    let floor = |stretch: Stretch| {
        let ends = work.place.split_once(" → ");
        ends.map_or(0, |(from, to)| doubt.floor(from, to, stretch) + doubt.floor(to, from, stretch))
    };
    let slowest = samples.iter().filter_map(|sample| sample.get(1)?.as_u64()).max().unwrap_or(0) as i64;
    let too_late = whole(work, &["late"]).unwrap_or(0) > 0;
    let given_up = slowest + doubt.gaps.longest().as_nanos() as i64;
    let request = |sample: &serde_json::Value| {
        let at = began.saturating_add(i64::try_from(sample.get(0)?.as_u64()?).ok()?);
        let rtt = sample.get(1)?.as_u64();
        let over = at.saturating_add(rtt.map_or(given_up, |rtt| rtt as i64));
        let late = rtt.map_or(0, |_| doubt.gaps.round_trip(at, over) + doubt.queueing(at, over));
        let timed_out = rtt.is_none() && too_late && !doubt.gaps.touching(at, at.saturating_add(TIMEOUT)).is_empty();
        Some(Request {
            at,
            rtt,
            least: rtt.map_or(0, |rtt| {
                if late == 0 { rtt } else { rtt.saturating_sub(late).max(floor((at, over)).min(rtt)) }
            }),
            unsure: timed_out || doubt.unsure(at, over, rtt.is_some()),
        })
    };
    let all: Vec<Request> = samples.iter().filter_map(request).collect();
    let last = all.last().map_or(i64::MIN, |request| request.at);
    if whole(work, &["samples_omitted"]).unwrap_or(0) > 0 && stretch.is_none_or(|(_, to)| to > last) {
        return Err(format!("only its first {} requests are kept one by one", all.len()));
    }
    let (from, to) = stretch.unwrap_or((i64::MIN, i64::MAX));
    let within: Vec<Request> = all.into_iter().filter(|request| (from..to).contains(&request.at)).collect();
    if within.is_empty() { Err("no request was sent then".into()) } else { Ok(within) }
}

/// Lost requests: as measured, at least and at most.
fn lost(some: &[Request]) -> [f64; 3] {
    let count = |which: fn(&Request) -> bool| some.iter().filter(|request| which(request)).count() as f64;
    [
        count(Request::is_lost),
        count(|request| request.is_lost() && !request.unsure),
        count(|request| request.is_lost() || request.unsure),
    ]
}

fn first_lost(some: &[Request]) -> Option<i64> {
    some.iter().find(|request| request.is_lost()).map(|request| request.at)
}

/// Counts and shares of requests, or each by itself.
pub(super) fn requests(of: Requests, work: &Work, stretch: Option<Stretch>, doubt: &Doubt<'_>) -> Readings {
    if let (None, Requests::Sent | Requests::Received | Requests::Lost | Requests::Loss) = (stretch, of) {
        return counted(of, work, doubt);
    }
    let sent = sent(work, stretch, doubt)?;
    let longest = |rtt: u64| if doubt.may_be_longer() { f64::INFINITY } else { rtt as f64 };
    match of {
        Requests::Each => {
            let each = sent.iter().filter_map(|one| {
                let rtt = one.rtt?;
                Some(Reading::at(rtt as f64, Some(one.at)).between(one.least as f64, longest(rtt)))
            });
            let each: Vec<Reading> = each.collect();
            if each.is_empty() { Err("no request was answered".into()) } else { Ok(each) }
        }
        Requests::LossOverTime => {
            let interval = |request: &Request| request.at.div_euclid(INTERVAL);
            let chunks = sent.chunk_by(|a, b| interval(a) == interval(b));
            let reading = |some: &[Request]| {
                let [value, low, high] = lost(some).map(|lost| lost / some.len() as f64);
                Reading::at(value, Some(interval(&some[0]) * INTERVAL)).between(low, high)
            };
            Ok(chunks.map(reading).collect())
        }
        of => {
            let [value, low, high] = lost(&sent).map(|lost| part(of, lost, sent.len() as f64));
            Ok(vec![Reading::at(value, first_lost(&sent)).between(low.min(high), high.max(low))])
        }
    }
}

/// Of so many requests and so many lost.
fn part(of: Requests, lost: f64, sent: f64) -> f64 {
    match of {
        Requests::Sent => sent,
        Requests::Received => sent - lost,
        Requests::Loss => lost / sent,
        _ => lost,
    }
}

fn counted(of: Requests, work: &Work, doubt: &Doubt<'_>) -> Readings {
    let count = |name: &str| number(work, &[name]).ok_or_else(|| why(work));
    let all = sent(work, None, doubt).ok();
    let at = all.as_deref().and_then(first_lost);
    if of == Requests::Sent {
        return Ok(vec![Reading::at(count("sent")?, at)]);
    }
    let (received, measured) = (count("received")?, count("lost")?);
    if received + measured == 0.0 && of == Requests::Loss {
        return Err("no request was sent".into());
    }
    let value = |lost: f64| part(of, lost, received + measured);
    // of what is not known one by one, all is in doubt
    let [low, high] = match &all {
        Some(all) => {
            let [known, low, high] = lost(all);
            [measured - known + low, measured - known + high]
        }
        None if doubt.gaps.list.is_empty() => [measured, measured],
        None => [0.0, received + measured],
    };
    let [low, high] = [value(low), value(high.min(received + measured))];
    Ok(vec![Reading::at(value(measured), at).between(low.min(high), high.max(low))])
}

/// Round-trip times of the whole run.
pub(super) fn whole_times(part: &str, work: &Work, doubt: &Doubt<'_>) -> Readings {
    let value = number(work, &["rtt_ns", part]);
    let Some(value) = value else {
        let sent = whole(work, &["sent"]).unwrap_or(0);
        return Err(if sent > 0 { format!("none of {sent} requests was answered") } else { why(work) });
    };
    match sent(work, None, doubt) {
        Ok(all) => Ok(vec![ranged(Reading::at(value, extreme(&all, part == "min")), &all, part, doubt)]),
        Err(_) if doubt.gaps.list.is_empty() => Ok(vec![Reading::of(value)]),
        // not all of them are kept one by one
        Err(_) => Ok(vec![Reading::of(value).between(0.0, f64::INFINITY)]),
    }
}

/// A part of the distribution of round-trip times, with what it is without the lateness of each.
fn ranged(reading: Reading, requests: &[Request], part: &str, doubt: &Doubt<'_>) -> Reading {
    if doubt.gaps.list.is_empty() {
        return reading;
    }
    let mut times: Vec<u64> = requests.iter().filter(|one| !one.is_lost()).map(|one| one.least).collect();
    times.sort_unstable();
    // percentiles of the whole run are from a histogram: a sample that was on time must not seem to be late
    let on_time = requests.iter().all(|one| one.rtt.unwrap_or(0) == one.least);
    let least = if on_time { reading.value } else { part_of(&times, part).unwrap_or(0.0) };
    let most = if doubt.may_be_longer() && part != "count" { f64::INFINITY } else { least };
    reading.between(least, most)
}

/// When the longest round trip began, or the shortest.
fn extreme(requests: &[Request], least: bool) -> Option<i64> {
    let answered = requests.iter().filter_map(|one| Some((one.at, one.rtt?)));
    let found = if least {
        answered.min_by_key(|(_, rtt)| *rtt)
    } else {
        answered.max_by_key(|(at, rtt)| (*rtt, std::cmp::Reverse(*at)))
    };
    found.map(|(at, _)| at)
}

/// Round-trip times of the requests that were sent in a stretch, exactly.
pub(super) fn round_trips(part: &str, work: &Work, stretch: Option<Stretch>, doubt: &Doubt<'_>) -> Readings {
    let sent = sent(work, stretch, doubt)?;
    let mut times: Vec<u64> = sent.iter().filter_map(|one| one.rtt).collect();
    times.sort_unstable();
    let Some(value) = part_of(&times, part) else {
        return Err(format!("none of {} requests was answered", sent.len()));
    };
    Ok(vec![ranged(Reading::at(value, extreme(&sent, part == "min")), &sent, part, doubt)])
}

/// A part of the distribution of sorted values. Percentiles are the smallest value that so many are not above.
fn part_of(sorted: &[u64], part: &str) -> Option<f64> {
    let count = sorted.len() as f64;
    let at =
        |share: f64| sorted.get(((share * count).ceil() as usize).clamp(1, sorted.len().max(1)) - 1).map(|v| *v as f64);
    let mean = || (!sorted.is_empty()).then(|| sorted.iter().map(|value| *value as f64).sum::<f64>() / count);
    match part {
        "min" => at(0.0),
        "max" => at(1.0),
        "mean" => mean(),
        "stddev" => {
            let mean = mean()?;
            Some((sorted.iter().map(|value| (*value as f64 - mean).powi(2)).sum::<f64>() / count).sqrt())
        }
        "count" => (!sorted.is_empty()).then_some(count),
        part => at(Percentile::parse(part)?.share()),
    }
}

/// How many requests were sent in a stretch, and when the first answer to one of them came, if it came within it.
pub(super) fn answered(work: &Work, stretch: Stretch, doubt: &Doubt<'_>) -> Result<(usize, Option<i64>), String> {
    let sent = sent(work, Some(stretch), doubt)?;
    let came = |one: &Request| Some(one.at.saturating_add(i64::try_from(one.rtt?).ok()?));
    Ok((sent.len(), sent.iter().filter_map(came).filter(|at| *at <= stretch.1).min()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_distribution_are_those_of_its_values() {
        let values: Vec<u64> = (1..=1000).collect();
        for (part, value) in [
            ("min", 1.0),
            ("p50", 500.0),
            ("p95", 950.0),
            ("p99", 990.0),
            ("p999", 999.0),
            ("p0.1", 1.0),
            ("max", 1000.0),
        ] {
            assert_eq!(part_of(&values, part), Some(value), "{part}");
        }
        assert_eq!((part_of(&values, "mean"), part_of(&values, "count")), (Some(500.5), Some(1000.0)));
        assert_eq!(part_of(&[4, 8], "stddev"), Some(2.0));
        assert!(["min", "p50", "max", "mean", "count", "stddev"].iter().all(|part| part_of(&[], part).is_none()));
    }
}

//! What is asked of a ping's requests, each of which is known by the time at which it was sent.

use super::work::{at, number, whole, why};
use super::{Reading, Readings, Stretch};
use crate::record::report::Work;
use crate::scenario::expect::catalogue::Requests;

/// Losses over time are of so long intervals.
const INTERVAL: i64 = 100_000_000;

/// A request: when it was sent, and its round-trip time if it was answered in time.
type Request = (i64, Option<u64>);

/// The requests that were sent in a stretch, or all.
fn sent(work: &Work, stretch: Option<Stretch>) -> Result<Vec<Request>, String> {
    let samples = at(work, &["samples"]).and_then(serde_json::Value::as_array).ok_or_else(|| why(work))?;
    let began = at(work, &["began_ns"]).and_then(serde_json::Value::as_i64).ok_or_else(|| why(work))?;
    let request = |sample: &serde_json::Value| {
        let at = i64::try_from(sample.get(0)?.as_u64()?).ok()?;
        Some((began.saturating_add(at), sample.get(1)?.as_u64()))
    };
    let all: Vec<Request> = samples.iter().filter_map(request).collect();
    let last = all.last().map_or(i64::MIN, |(at, _)| *at);
    if whole(work, &["samples_omitted"]).unwrap_or(0) > 0 && stretch.is_none_or(|(_, to)| to > last) {
        return Err(format!("only its first {} requests are kept one by one", all.len()));
    }
    let (from, to) = stretch.unwrap_or((i64::MIN, i64::MAX));
    let within: Vec<Request> = all.into_iter().filter(|(at, _)| (from..to).contains(at)).collect();
    if within.is_empty() { Err("no request was sent then".into()) } else { Ok(within) }
}

/// Counts and shares of requests, or each by itself.
pub(super) fn requests(of: Requests, work: &Work, stretch: Option<Stretch>) -> Readings {
    if let (None, Requests::Sent | Requests::Received | Requests::Lost | Requests::Loss) = (stretch, of) {
        return counted(of, work);
    }
    let sent = sent(work, stretch)?;
    let lost = |some: &[Request]| some.iter().filter(|(_, rtt)| rtt.is_none()).count() as f64;
    let first_lost = sent.iter().find(|(_, rtt)| rtt.is_none()).map(|(at, _)| *at);
    let value = match of {
        Requests::Sent => sent.len() as f64,
        Requests::Received => sent.len() as f64 - lost(&sent),
        Requests::Lost => lost(&sent),
        Requests::Loss => lost(&sent) / sent.len() as f64,
        Requests::Each => {
            let each = sent.iter().filter_map(|(at, rtt)| Some(Reading::at((*rtt)? as f64, Some(*at))));
            let each: Vec<Reading> = each.collect();
            return if each.is_empty() { Err("no request was answered".into()) } else { Ok(each) };
        }
        Requests::LossOverTime => {
            let interval = |request: &Request| request.0.div_euclid(INTERVAL);
            let chunks = sent.chunk_by(|a, b| interval(a) == interval(b));
            let reading =
                |some: &[Request]| Reading::at(lost(some) / some.len() as f64, Some(interval(&some[0]) * INTERVAL));
            return Ok(chunks.map(reading).collect());
        }
    };
    Ok(vec![Reading::at(value, first_lost)])
}

fn counted(of: Requests, work: &Work) -> Readings {
    let count = |name: &str| number(work, &[name]).ok_or_else(|| why(work));
    let first_lost = sent(work, None).ok().and_then(|all| Some(all.iter().find(|(_, rtt)| rtt.is_none())?.0));
    let value = match of {
        Requests::Sent => count("sent")?,
        Requests::Received => count("received")?,
        Requests::Lost => count("lost")?,
        _ => {
            let (received, lost) = (count("received")?, count("lost")?);
            if received + lost == 0.0 {
                return Err("no request was sent".into());
            }
            lost / (received + lost)
        }
    };
    Ok(vec![Reading::at(value, first_lost)])
}

/// Round-trip times of the whole run.
pub(super) fn whole_times(part: &str, work: &Work) -> Readings {
    let value = number(work, &["rtt_ns", part]);
    let Some(value) = value else {
        let sent = whole(work, &["sent"]).unwrap_or(0);
        return Err(if sent > 0 { format!("none of {sent} requests was answered") } else { why(work) });
    };
    let extreme = sent(work, None).ok().and_then(|all| extreme(&all, part == "min"));
    Ok(vec![Reading::at(value, extreme)])
}

/// When the longest round trip began, or the shortest.
fn extreme(requests: &[Request], least: bool) -> Option<i64> {
    let answered = requests.iter().filter_map(|(at, rtt)| Some((*at, (*rtt)?)));
    let found = if least {
        answered.min_by_key(|(_, rtt)| *rtt)
    } else {
        answered.max_by_key(|(at, rtt)| (*rtt, std::cmp::Reverse(*at)))
    };
    found.map(|(at, _)| at)
}

/// Round-trip times of the requests that were sent in a stretch, exactly.
pub(super) fn round_trips(part: &str, work: &Work, stretch: Option<Stretch>) -> Readings {
    let sent = sent(work, stretch)?;
    let mut times: Vec<u64> = sent.iter().filter_map(|(_, rtt)| *rtt).collect();
    times.sort_unstable();
    let Some(value) = part_of(&times, part) else {
        return Err(format!("none of {} requests was answered", sent.len()));
    };
    Ok(vec![Reading::at(value, extreme(&sent, part == "min"))])
}

/// A part of the distribution of sorted values. Percentiles are the smallest value that so many are not above.
fn part_of(sorted: &[u64], part: &str) -> Option<f64> {
    let count = sorted.len() as f64;
    let at =
        |share: f64| sorted.get(((share * count).ceil() as usize).clamp(1, sorted.len().max(1)) - 1).map(|v| *v as f64);
    let mean = || (!sorted.is_empty()).then(|| sorted.iter().map(|value| *value as f64).sum::<f64>() / count);
    match part {
        "min" => at(0.0),
        "p50" => at(0.5),
        "p90" => at(0.9),
        "p99" => at(0.99),
        "p999" => at(0.999),
        "max" => at(1.0),
        "mean" => mean(),
        "stddev" => {
            let mean = mean()?;
            Some((sorted.iter().map(|value| (*value as f64 - mean).powi(2)).sum::<f64>() / count).sqrt())
        }
        "count" => (!sorted.is_empty()).then_some(count),
        _ => None,
    }
}

/// How many requests were sent in a stretch, and when the first answer to one of them came, if it came within it.
pub(super) fn answered(work: &Work, stretch: Stretch) -> Result<(usize, Option<i64>), String> {
    let sent = sent(work, Some(stretch))?;
    let came = |(at, rtt): &Request| Some(at.saturating_add(i64::try_from((*rtt)?).ok()?));
    Ok((sent.len(), sent.iter().filter_map(came).filter(|at| *at <= stretch.1).min()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_distribution_are_those_of_its_values() {
        let values: Vec<u64> = (1..=1000).collect();
        for (part, value) in
            [("min", 1.0), ("p50", 500.0), ("p90", 900.0), ("p99", 990.0), ("p999", 999.0), ("max", 1000.0)]
        {
            assert_eq!(part_of(&values, part), Some(value), "{part}");
        }
        assert_eq!((part_of(&values, "mean"), part_of(&values, "count")), (Some(500.5), Some(1000.0)));
        assert_eq!(part_of(&[4, 8], "stddev"), Some(2.0));
        assert!(["min", "p50", "max", "mean", "count", "stddev"].iter().all(|part| part_of(&[], part).is_none()));
    }
}

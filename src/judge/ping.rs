//! What is asked of a ping's requests, each of which is known by the time at which it was sent.

use super::doubt::Doubt;
use super::reading::Reading;
use super::workload::why;
use super::{Readings, Stretch};
use crate::measured::catalogue::Requests;
use crate::measured::{Part, Ping};
use crate::report::json::WorkloadReport;

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

fn ping(work: &WorkloadReport) -> Result<&Ping, String> {
    work.measured.ping().ok_or_else(|| why(work))
}

/// The requests that were sent in a stretch, or all.
fn sent(work: &WorkloadReport, stretch: Option<Stretch>, doubt: &Doubt<'_>) -> Result<Vec<Request>, String> {
    let ping = ping(work)?;
    let began = ping.began_ns.ok_or_else(|| why(work))?;
    let floor = |stretch: Stretch| {
        let ends = work.place.split_once(" → ");
        ends.map_or(0, |(from, to)| doubt.floor(from, to, stretch) + doubt.floor(to, from, stretch))
    };
    let slowest = ping.samples.iter().filter_map(|(_, rtt)| *rtt).max().unwrap_or(0) as i64;
    let given_up = slowest + doubt.gaps.longest().as_nanos() as i64;
    let request = |(sent, rtt): &(u64, Option<u64>)| {
        let (at, rtt) = (began.saturating_add(i64::try_from(*sent).ok()?), *rtt);
        let over = at.saturating_add(rtt.map_or(given_up, |rtt| rtt as i64));
        let late = rtt.map_or(0, |_| doubt.gaps.round_trip(at, over) + doubt.queueing(at, over));
        let too_late = rtt.is_none() && ping.late > 0;
        let timed_out = too_late && !doubt.gaps.touching(at, at.saturating_add(TIMEOUT)).is_empty();
        Some(Request {
            at,
            rtt,
            least: rtt.map_or(0, |rtt| {
                if late == 0 { rtt } else { rtt.saturating_sub(late).max(floor((at, over)).min(rtt)) }
            }),
            unsure: timed_out || doubt.unsure(at, over, rtt.is_some()),
        })
    };
    let all: Vec<Request> = ping.samples.iter().filter_map(request).collect();
    let last = all.last().map_or(i64::MIN, |request| request.at);
    if ping.samples_omitted > 0 && stretch.is_none_or(|(_, to)| to > last) {
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
pub(super) fn requests(of: Requests, work: &WorkloadReport, stretch: Option<Stretch>, doubt: &Doubt<'_>) -> Readings {
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

fn counted(of: Requests, work: &WorkloadReport, doubt: &Doubt<'_>) -> Readings {
    let ping = ping(work)?;
    let all = sent(work, None, doubt).ok();
    let at = all.as_deref().and_then(first_lost);
    if of == Requests::Sent {
        return Ok(vec![Reading::at(ping.sent as f64, at)]);
    }
    let (received, measured) = (ping.received as f64, ping.lost as f64);
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

/// A part of the distribution of round-trip times: of the whole run, or exactly of the requests that were sent in a stretch.
pub(super) fn round_trips(
    part: Option<Part>,
    work: &WorkloadReport,
    stretch: Option<Stretch>,
    doubt: &Doubt<'_>,
) -> Readings {
    let part = part.ok_or_else(|| why(work))?;
    let none_of = |sent: u64| format!("none of {sent} requests was answered");
    let value = match stretch {
        Some(_) => None,
        None => {
            let ping = ping(work)?;
            let value = ping.rtt_ns.as_ref().and_then(|rtt| rtt.get(part)).map(|ns| ns as f64);
            Some(value.ok_or_else(|| if ping.sent > 0 { none_of(ping.sent) } else { why(work) })?)
        }
    };
    let requests = match (sent(work, stretch, doubt), value) {
        (Ok(requests), _) => requests,
        (Err(_), Some(value)) if doubt.gaps.list.is_empty() => return Ok(vec![Reading::of(value)]),
        // not all of them are kept one by one
        (Err(_), Some(value)) => return Ok(vec![Reading::of(value).between(0.0, f64::INFINITY)]),
        (Err(why), None) => return Err(why),
    };
    let exact = || part_of(requests.iter().filter_map(|one| one.rtt), part);
    let value = value.or_else(exact).ok_or_else(|| none_of(requests.len() as u64))?;
    Ok(vec![ranged(Reading::at(value, extreme(&requests, part == Part::Min)), &requests, part, doubt)])
}

/// A part of the distribution of round-trip times, with what it is without the lateness of each.
fn ranged(reading: Reading, requests: &[Request], part: Part, doubt: &Doubt<'_>) -> Reading {
    if doubt.gaps.list.is_empty() {
        return reading;
    }
    let times = requests.iter().filter(|one| !one.is_lost()).map(|one| one.least);
    // percentiles of the whole run are from a histogram: a sample that was on time must not seem to be late
    let on_time = requests.iter().all(|one| one.rtt.unwrap_or(0) == one.least);
    let least = if on_time { reading.value } else { part_of(times, part).unwrap_or(0.0) };
    let most = if doubt.may_be_longer() && part != Part::Count { f64::INFINITY } else { least };
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

/// A part of the distribution of some times.
fn part_of(times: impl Iterator<Item = u64>, part: Part) -> Option<f64> {
    let mut times: Vec<(u64, u64)> = times.map(|time| (time, 1)).collect();
    times.sort_unstable();
    part.of(&times)
}

/// How many requests were sent in a stretch, and when the first answer to one of them came, if it came within it.
pub(super) fn answered(
    work: &WorkloadReport,
    stretch: Stretch,
    doubt: &Doubt<'_>,
) -> Result<(usize, Option<i64>), String> {
    let sent = sent(work, Some(stretch), doubt)?;
    let came = |one: &Request| Some(one.at.saturating_add(i64::try_from(one.rtt?).ok()?));
    Ok((sent.len(), sent.iter().filter_map(came).filter(|at| *at <= stretch.1).min()))
}

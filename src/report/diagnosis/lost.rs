//! Where frames ended, and of which workload they were.

use std::cmp::Reverse;

use indexmap::IndexMap;

use super::silent;
use crate::measured::Measured;
use crate::report::alike::{FEWEST, from_to, stem};
use crate::report::happened::outages;
use crate::report::json::{Direction, Report, WorkloadReport};
use crate::report::terminal::{grouped, seconds, share};

/// Places that are named.
const NAMED: usize = 4;

/// What switches do with copies that nobody is to have is no loss.
const HARMLESS: [&str; 4] = ["same_port", "reserved", "blocked", "other_host"];

/// Where frames ended, for one cause.
#[derive(Debug)]
struct Place {
    /// `` `r2` ``, or `` `wifi` toward ap ``.
    name: String,
    cause: String,
    frames: u64,
    /// Of so many that came there.
    of: u64,
}

pub(super) fn sentences(report: &Report) -> Vec<String> {
    let places = places(report);
    if places.is_empty() {
        return Vec::new();
    }
    if let Some(one) = OneWorkload::of(report, &places) {
        return vec![one.sentence(report)];
    }
    let told = |place: &Place| {
        let Place { name, frames, of, .. } = place;
        let of = if *of > 0 { format!(" of {} ({})", grouped(*of), share(*frames, *of)) } else { String::new() };
        format!("{}{of} on {name}: {}", grouped(*frames), why(place, report))
    };
    let mut named: Vec<String> = places.iter().take(NAMED).map(told).collect();
    let rest: u64 = places.iter().skip(NAMED).map(|place| place.frames).sum();
    named.extend((rest > 0).then(|| format!("{} elsewhere", grouped(rest))));
    vec![format!("frames ended: {}", named.join("; "))]
}

/// A direction, and frames that it dropped.
type Dropped<'a> = (&'a Direction, u64);

/// All of them, the most frames first. Members of a group are one.
fn places(report: &Report) -> Vec<Place> {
    let mut groups: IndexMap<(String, String, String), Vec<Dropped<'_>>> = IndexMap::new();
    for direction in &report.directions {
        for (cause, frames) in counted(&direction.dropped) {
            let like = (stem(&direction.link), stem(&direction.to), cause.to_owned());
            groups.entry(like).or_default().push((direction, frames));
        }
    }
    let mut places = Vec::new();
    for ((_, to, cause), members) in groups {
        let one = |name: String, members: &[Dropped<'_>]| Place {
            name,
            cause: cause.clone(),
            frames: members.iter().map(|(_, frames)| frames).sum(),
            of: members.iter().map(|(direction, _)| direction.offered.frames).sum(),
        };
        if members.len() >= FEWEST {
            let links = from_to(members.iter().map(|(direction, _)| direction.link.as_str()));
            places.push(one(format!("`{links}` toward {to}"), &members));
        } else {
            let alone = members.iter().map(|member| {
                let (direction, _) = member;
                one(format!("`{}` toward {}", direction.link, direction.to), std::slice::from_ref(member))
            });
            places.extend(alone);
        }
    }
    for node in &report.nodes {
        let name = format!("`{}`", node.name);
        places.extend(counted(&node.dropped).map(|(cause, frames)| Place {
            name: name.clone(),
            cause: cause.to_owned(),
            frames,
            of: node.received,
        }));
    }
    places.sort_by_key(|place| Reverse(place.frames));
    places
}

fn counted<K: AsRef<str>>(dropped: &IndexMap<K, u64>) -> impl Iterator<Item = (&str, u64)> {
    let all = dropped.iter().map(|(cause, frames)| (cause.as_ref(), *frames));
    all.filter(|(cause, frames)| *frames > 0 && !HARMLESS.contains(cause))
}

/// The only workload that lost anything, where as many frames were dropped as it lost, all in one place.
struct OneWorkload<'a> {
    name: &'a String,
    work: &'a WorkloadReport,
    place: &'a Place,
    what: &'static str,
    lost: u64,
    sent: u64,
}

impl<'a> OneWorkload<'a> {
    fn of(report: &'a Report, places: &'a [Place]) -> Option<OneWorkload<'a>> {
        let [place] = places else { return None };
        let mut losing = report.workloads.iter().filter_map(|(name, work)| Some((name, work, lost(work)?)));
        let (name, work, (what, lost, sent)) = losing.next()?;
        (lost == place.frames && losing.next().is_none()).then_some(OneWorkload { name, work, place, what, lost, sent })
    }

    fn sentence(&self, report: &Report) -> String {
        let OneWorkload { name, work, place, what, lost, sent } = self;
        let why = match silent::when(work, report) {
            Some(when) => format!("{}, {when}", words(&place.cause)),
            None => why(place, report),
        };
        let (lost, sent) = (grouped(*lost), grouped(*sent));
        format!("of {sent} {what} of `{name}` {lost} ended on {}: {why}", place.name)
    }
}

/// The workload of which it is said where all that it lost ended.
pub(super) fn of_one_workload(report: &Report) -> Option<String> {
    let places = places(report);
    OneWorkload::of(report, &places).map(|one| one.name.clone())
}

/// What a workload lost in the network: what they are, how many, and of how many. A ping is a request with its answer, since it cannot
/// tell which of them was lost. `None` where nothing was lost.
fn lost(work: &WorkloadReport) -> Option<(&'static str, u64, u64)> {
    let (what, lost, sent) = match &work.measured {
        Measured::Ping(Some(ping)) => ("pings", ping.lost.checked_sub(ping.unsent)?, ping.sent),
        Measured::Udp(udp) => {
            let (sender, receiver) = (udp.sender.as_ref()?, udp.receiver.as_ref()?);
            let in_hosts = sender.unsent + receiver.socket_dropped.unwrap_or(0);
            ("datagrams", receiver.lost.checked_sub(in_hosts)?, sender.sent)
        }
        _ => return None,
    };
    (lost > 0).then_some((what, lost, sent))
}

/// The cause in words, and when that was, as far as that is known.
fn why(place: &Place, report: &Report) -> String {
    let words = words(&place.cause);
    if place.cause != "link_down" {
        return words;
    }
    let of = |name: &str| place.name.starts_with(&format!("`{name}`"));
    let times: Vec<String> = outages(&report.events)
        .iter()
        .filter(|outage| of(&outage.name))
        .map(|outage| match outage.to_ns {
            Some(to) => format!("from {} to {}", seconds(outage.from_ns), seconds(to)),
            None => format!("from {} on", seconds(outage.from_ns)),
        })
        .collect();
    match &times[..] {
        [] => words,
        [one] => format!("{words} {one}"),
        [first, rest @ ..] => format!("{words} {first}, and {} more times", rest.len()),
    }
}

/// Causes as people say them; others by their names.
fn words(cause: &str) -> String {
    let words = match cause {
        "loss" => "lost on the wire by its `loss`",
        "queue_full" => "its queue was full",
        "aqm" => "dropped by its queue's control law",
        "queue_resized" => "its queue shrank",
        "link_down" => "the link was down",
        "mtu" => "larger than the MTU",
        "partition" => "a partition or a block kept the hosts apart",
        "node_down" => "the node was down",
        "port_down" => "the interface was gone",
        "no_route" => "no route",
        "ttl_exceeded" => "the TTL was used up",
        "unreachable" => "the next hop did not answer",
        "firewall" => "dropped by the firewall",
        "nat_no_mapping" => "the NAT had no mapping",
        "nat_filtered" => "the NAT's filter did not let the sender in",
        "nat_full" => "the NAT had no port left",
        "nat_unsolicited" => "nobody inside had asked for it",
        other => return format!("`{other}`"),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::report::diagnosis::testing::{quiet, with};
    use crate::report::json::Count;
    use crate::report::testing::{event, work};

    fn stream(sent: u64, lost: u64) -> WorkloadReport {
        let gap = json!({ "from_ns": 995_000_000, "max_ns": 900_000_000, "to_ns": 1_895_000_000 });
        let sender = json!({ "sent": sent, "duration_ns": 6_000_000_000u64 });
        work("udp", "a → b", json!({ "sender": sender, "receiver": { "lost": lost }, "gap": gap }))
    }

    #[test]
    fn all_that_a_workload_lost_ended_where_as_many_frames_did() {
        let mut report = with("u", stream(600, 301));
        report.nodes[0].name = "r2".into();
        report.nodes[0].dropped = [("no_route".into(), 301)].into_iter().collect();
        assert_eq!(sentences(&report), ["of 600 datagrams of `u` 301 ended on `r2`: no route"]);
        report.events = vec![event(1_000, "l1=down")];
        assert_eq!(
            sentences(&report),
            ["of 600 datagrams of `u` 301 ended on `r2`: no route, for 900 ms from `l1=down` at 1 s on"]
        );
        // another frame ended there too: it is not known whose it was
        report.nodes[0].dropped = [("no_route".into(), 302)].into_iter().collect();
        report.nodes[0].received = 604;
        assert_eq!(sentences(&report), ["frames ended: 302 of 604 (50 %) on `r2`: no route"]);
    }

    #[test]
    fn places_are_named_with_the_most_frames_first() {
        let mut report = quiet();
        report.directions = ["wifi-1", "wifi-2", "wifi-3", "dsl"]
            .into_iter()
            .map(|link| Direction {
                link: link.into(),
                to: if link == "dsl" { "home".into() } else { "ap".into() },
                offered: Count { frames: 100, bytes: 0 },
                dropped: [("loss".into(), 5), ("same_port".into(), 50)].into_iter().collect(),
                ..report.directions[0].clone()
            })
            .collect();
        report.directions[3].dropped = [("link_down".into(), 7)].into_iter().collect();
        report.events = vec![event(1_000, "dsl=down"), event(2_000, "dsl=up")];
        assert_eq!(
            sentences(&report),
            ["frames ended: 15 of 300 (5 %) on `wifi-1 … wifi-3` toward ap: lost on the wire by its `loss`; \
                 7 of 100 (7 %) on `dsl` toward home: the link was down from 1 s to 2 s"]
        );
    }

    #[test]
    fn without_drops_nothing_is_said() {
        assert_eq!(sentences(&with("u", stream(600, 301))), [""; 0], "it was lost where no counter saw it");
    }
}

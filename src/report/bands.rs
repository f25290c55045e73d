//! Directions of links as people look at them: those that were changed or dropped frames first, members of a group as one.

use indexmap::IndexMap;

use super::alike::{FEWEST, from_to, stem};
use super::asked::requested;
use super::happened::outages;
use super::json::{Direction, Report};
use super::phase_table::changed_links;
use super::terminal::{four_digits, grouped, seconds};
use crate::stats::median;

/// So many changes of a direction are told.
const CHANGES: usize = 5;

/// A direction, or those of a group's links that go the same way.
#[derive(Clone, Debug)]
pub(crate) struct Band<'a> {
    /// In file order; never empty.
    pub(crate) members: Vec<&'a Direction>,
    /// Something was changed, dropped, or done to frames.
    pub(crate) notable: bool,
    /// What was asked, and what from when on.
    pub(crate) asked: Vec<String>,
}

/// All of them, notable ones first. `alone`: members of groups too.
pub(crate) fn bands(report: &Report, alone: bool) -> Vec<Band<'_>> {
    let changed = changed_links(report);
    let mut groups: IndexMap<[String; 4], Vec<&Direction>> = IndexMap::new();
    for direction in &report.directions {
        let like =
            [stem(&direction.link), stem(&direction.from), stem(&direction.to), asked(direction, report).join("\n")];
        groups.entry(like).or_default().push(direction);
    }
    let mut bands: Vec<Band<'_>> = Vec::new();
    for members in groups.into_values() {
        let parts: Vec<Vec<&Direction>> = if alone || members.len() < FEWEST {
            members.into_iter().map(|one| vec![one]).collect()
        } else {
            vec![members]
        };
        for members in parts {
            let notable = members.iter().any(|one| is_notable(one) || changed.contains(one.link.as_str()));
            let asked = asked(members[0], report);
            bands.push(Band { members, notable, asked });
        }
    }
    // file order among those alike; a group stands where its first member does
    bands.sort_by_key(|band| (!changed.contains(band.members[0].link.as_str()), !band.notable));
    bands
}

fn is_notable(direction: &Direction) -> bool {
    let fates =
        [direction.duplicated, direction.corrupted, direction.reordered, direction.marked, direction.originated];
    direction.dropped.values().any(|n| *n > 0) || fates.iter().any(|n| *n > 0) || !direction.unmatched.is_empty()
}

/// What was asked of a direction first, and what from when on: changes, and when its link was down.
fn asked(direction: &Direction, report: &Report) -> Vec<String> {
    let Direction { changes, changes_omitted, .. } = direction;
    let shown = changes.iter().take(CHANGES);
    let mut later: Vec<(i64, String)> = shown
        .map(|change| (change.at_ns, format!("from {} s: {}", four_digits(change.at_ns as f64 / 1e9), change.words)))
        .collect();
    let down = outages(&report.events).into_iter().filter(|outage| outage.name == direction.link);
    later.extend(down.take(CHANGES).map(|outage| {
        let to = outage.to_ns.map_or("the end".to_owned(), seconds);
        (outage.from_ns, format!("down from {} to {to}", seconds(outage.from_ns)))
    }));
    later.sort_by_key(|(at, _)| *at);
    let more = changes.len().saturating_sub(CHANGES) as u64 + changes_omitted;
    let more = (more > 0).then(|| format!("… and {} more changes", grouped(more)));
    let first = requested(&direction.requested);
    // what was asked first was not in force all the time
    let first = if later.is_empty() { first } else { format!("at first: {first}") };
    [first].into_iter().chain(later.into_iter().map(|(_, words)| words)).chain(more).collect()
}

impl Band<'_> {
    /// `short west.eth1 → east.eth0`, or `wifi-1 … wifi-12 staff-*.wlan0 → ap`.
    pub(crate) fn name(&self) -> String {
        let first = self.members[0];
        match self.members.len() {
            1 => format!("{} {} → {}", first.link, first.from, first.to),
            _ => format!("{} {} → {}", self.links(), stem(&first.from), stem(&first.to)),
        }
    }

    /// The names of its links.
    pub(crate) fn links(&self) -> String {
        from_to(self.members.iter().map(|one| one.link.as_str()))
    }

    /// Minimum, median and maximum of a number; of one direction, that. Empty where there is none.
    pub(crate) fn spread(&self, of: impl Fn(&Direction) -> Option<u64>, words: impl Fn(u64) -> String) -> String {
        let mut all: Vec<f64> = self.members.iter().filter_map(|one| Some(of(one)? as f64)).collect();
        all.sort_by(f64::total_cmp);
        let words = |value: f64| words(value as u64);
        match (all.first(), median(&all), all.last()) {
            (Some(min), _, Some(max)) if min == max => words(*min),
            (Some(min), Some(median), Some(max)) => {
                format!("{} … {} … {}", words(*min), words(median), words(*max))
            }
            _ => String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::json::Count;
    use crate::report::testing;

    #[test]
    fn members_are_one_band_and_what_dropped_comes_first() {
        let mut report = testing::report();
        let quiet = Direction { unmatched: Vec::new(), ..report.directions[1].clone() };
        let busy = report.directions[0].clone();
        report.events.clear();
        report.directions = (1..=12)
            .map(|n| Direction {
                link: format!("lan-{n}"),
                from: format!("pc-{n}.eth0"),
                delivered: Count { frames: n * 10, bytes: 0 },
                ..quiet.clone()
            })
            .chain([busy])
            .collect();
        let all = bands(&report, false);
        assert_eq!(
            all.iter().map(Band::name).collect::<Vec<_>>(),
            ["wifi phone.wlan0 → home.lan", "lan-1 … lan-12 pc-*.eth0 → server"]
        );
        assert_eq!(all[1].spread(|one| Some(one.delivered.frames), grouped), "10 … 65 … 120");
        assert_eq!(bands(&report, true).len(), 13);
    }

    #[test]
    fn what_was_asked_first_is_not_shown_as_if_it_had_been_in_force() {
        let mut report = testing::report();
        report.events = vec![testing::event(5_000, "wifi=down"), testing::event(8_000, "wifi=up")];
        let asked = &bands(&report, false)[0].asked;
        assert!(asked[0].starts_with("at first: ") && asked[1] == "down from 5 s to 8 s", "{asked:?}");
        report.events.clear();
        assert!(!bands(&report, false)[0].asked[0].starts_with("at first"));
    }
}

//! What was changed during a run, as pictures and sentences tell it.

use super::json::{Event, EventKind, Report};

/// Changes of the network, in order of time: no marks, and not what workloads did.
pub(crate) fn changes(report: &Report) -> impl Iterator<Item = &Event> {
    report.events.iter().filter(|event| event.kind != EventKind::Work && event.mark.is_none())
}

/// A time in which something was down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outage {
    /// The link or node.
    pub(crate) name: String,
    /// From t = 0.
    pub(crate) from_ns: i64,
    /// `None`: to the end.
    pub(crate) to_ns: Option<i64>,
}

/// From `X=down` to `X=up`, in order of time. That routers and switches follow is no outage of its own.
pub(crate) fn outages(events: &[Event]) -> Vec<Outage> {
    let mut found: Vec<Outage> = Vec::new();
    for event in events.iter().filter(|event| !matches!(event.kind, EventKind::Work | EventKind::Network)) {
        let down = event.what.strip_suffix("=down").or(event.what.strip_suffix("=no-carrier"));
        let is_open = |name: &str| found.iter().any(|outage| outage.name == name && outage.to_ns.is_none());
        if let Some(name) = down {
            // what is down already stays down
            if is_open(name) {
                continue;
            }
            found.push(Outage { name: name.to_owned(), from_ns: event.at_ns, to_ns: None });
        } else if let Some(name) = event.what.strip_suffix("=up")
            && let Some(outage) = found.iter_mut().rfind(|outage| outage.name == name && outage.to_ns.is_none())
        {
            outage.to_ns = Some(event.at_ns);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn outages_last_from_down_to_up_or_to_the_end() {
        let events = [
            testing::event(1_000, "wifi=down"),
            testing::event(1_500, "wifi=down"),
            testing::event(2_000, "wifi=up"),
            testing::event(3_000, "lte=no-carrier"),
            testing::event(4_000, "wifi=up"),
            testing::event(5_000, "wifi=down"),
            Event { kind: EventKind::Network, ..testing::event(5_500, "routers and switches follow wifi=down") },
        ];
        let found: Vec<_> = outages(&events).into_iter().map(|o| (o.name, o.from_ns, o.to_ns)).collect();
        let s = 1_000_000_000;
        assert_eq!(
            found,
            [("wifi".to_owned(), s, Some(2 * s)), ("lte".to_owned(), 3 * s, None), ("wifi".to_owned(), 5 * s, None)]
        );
    }
}

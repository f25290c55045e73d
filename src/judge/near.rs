//! What had been changed last before something went wrong.

use crate::report::expectation::Near;
use crate::report::json::{Event, EventKind};

/// The last change at or before an instant. Of those of one instant a change of the network comes before the name of a mark.
pub(super) fn before(events: &[Event], at: i64) -> Option<Near> {
    let change = |event: &&Event| {
        matches!(event.kind, EventKind::Timeline | EventKind::Set | EventKind::Port) && event.at_ns <= at
    };
    let last = events.iter().filter(change).map(|event| event.at_ns).max()?;
    let mut of_it = events.iter().filter(change).filter(|event| event.at_ns == last);
    let first = of_it.clone().find(|event| event.mark.is_none()).or_else(|| of_it.next())?;
    Some(Near { what: first.what.clone(), at_ns: last, before_ns: at - last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_before_is_named_and_marks_only_where_they_stand_alone() {
        let event = |at_ns, kind, what: &str, mark: Option<&str>| Event {
            at_ns,
            planned_ns: None,
            kind,
            what: what.into(),
            mark: mark.map(str::to_owned),
        };
        let events = [
            event(5, EventKind::Timeline, "mark worse", Some("worse")),
            event(5, EventKind::Timeline, "wifi.loss=10%", None),
            event(7, EventKind::Work, "fetch started", None),
            event(9, EventKind::Timeline, "mark later", Some("later")),
            event(11, EventKind::Port, "b.eth0 is down: `eth0` was deleted", None),
        ];
        let near = |at| before(&events, at).map(|near| (near.what, near.before_ns));
        assert_eq!(near(4), None);
        assert_eq!(near(5), Some(("wifi.loss=10%".into(), 0)));
        assert_eq!(near(8), Some(("wifi.loss=10%".into(), 3)));
        assert_eq!(near(10), Some(("mark later".into(), 1)));
        assert_eq!(near(12), Some(("b.eth0 is down: `eth0` was deleted".into(), 1)));
    }
}

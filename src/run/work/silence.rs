//! The longest time in which nothing of a stream arrived, while its sender was active.

use indexmap::IndexMap;
use serde_json::Value;

use crate::workload::report::Heard;

/// What a receiver says of its arrivals, for the run alone.
const HEARD: &str = "heard";

/// Puts `gap` beside what sender and receiver of a stream measured.
pub(super) fn reckon(kind: &str, results: &mut IndexMap<String, Value>) {
    let heard = results.get_mut("receiver").and_then(Value::as_object_mut).and_then(|receiver| receiver.remove(HEARD));
    let Some(heard) = heard.and_then(|heard| serde_json::from_value::<Heard>(heard).ok()) else { return };
    let number = |path: [&str; 2]| results.get(path[0])?.get(path[1])?.as_u64();
    let Some((from, to)) = (if kind == "udp" { datagrams(number, results) } else { connection(number, results) })
    else {
        return;
    };
    let gap = heard.longest(from, to);
    results.insert("gap".into(), serde_json::json!(gap));
}

/// From the first datagram to the last as they were sent, later by the quickest transit.
fn datagrams(number: impl Fn([&str; 2]) -> Option<u64>, results: &IndexMap<String, Value>) -> Option<(u64, u64)> {
    if number(["sender", "sent"])? == 0 {
        return None;
    }
    let transit = results.get("receiver").and_then(|receiver| receiver["delay_ns"]["min"].as_u64()).unwrap_or(0);
    let from = number(["sender", "started_ns"])?.saturating_add(transit);
    Some((from, from.saturating_add(number(["sender", "duration_ns"])?)))
}

/// From the accepted connection to the last byte; where not all arrived, until the sender gave up.
fn connection(number: impl Fn([&str; 2]) -> Option<u64>, results: &IndexMap<String, Value>) -> Option<(u64, u64)> {
    let from = number(["receiver", "accepted_at_ns"])?;
    let complete = results.get("sender").is_some_and(|sender| sender["complete"] == Value::Bool(true));
    let to = match number(["receiver", "last_at_ns"]) {
        Some(last) if complete => last,
        _ => {
            let stood = number(["sender", "started_ns"])? + number(["sender", "connect_ns"])?;
            stood + number(["sender", "duration_ns"])?
        }
    };
    Some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn gap(kind: &str, sender: Value, receiver: Value) -> Option<Value> {
        let mut results: IndexMap<String, Value> =
            [("sender".to_owned(), sender), ("receiver".to_owned(), receiver)].into_iter().collect();
        reckon(kind, &mut results);
        assert!(results["receiver"].get(HEARD).is_none());
        results.get("gap").cloned()
    }

    #[test]
    fn a_stream_is_heard_later_by_its_quickest_transit() {
        let sender = json!({ "started_ns": 1000, "duration_ns": 500, "sent": 6 });
        let receiver = json!({ "delay_ns": { "min": 50 }, "heard": { "first": 1050, "last": 1350,
            "silences": [[1050, 1150], [1150, 1350]] } });
        let found = json!({ "max_ns": 200, "from_ns": 1150, "to_ns": 1350 });
        assert_eq!(gap("udp", sender.clone(), receiver), Some(found));
        let nothing = json!({ "heard": { "first": null, "last": null, "silences": [] } });
        let all = json!({ "max_ns": 500, "from_ns": 1000, "to_ns": 1500 });
        assert_eq!(gap("udp", sender, nothing.clone()), Some(all));
        assert_eq!(gap("udp", json!({ "started_ns": 1000, "duration_ns": 0, "sent": 0 }), nothing), None);
    }

    #[test]
    fn a_connection_is_active_until_its_last_byte_or_until_the_sender_gave_up() {
        let receiver = json!({ "accepted_at_ns": 100, "last_at_ns": 300, "heard": { "first": 110, "last": 300,
            "silences": [[110, 300]] } });
        let sender =
            |complete: bool| json!({ "started_ns": 50, "connect_ns": 40, "duration_ns": 900, "complete": complete });
        let found = |max: u64, from: u64| Some(json!({ "max_ns": max, "from_ns": from, "to_ns": from + max }));
        assert_eq!(gap("tcp", sender(true), receiver.clone()), found(190, 110));
        assert_eq!(gap("tcp", sender(false), receiver), found(690, 300));
        let none = json!({ "accepted_at_ns": null, "heard": { "first": null, "last": null, "silences": [] } });
        assert_eq!(gap("tcp", sender(false), none), None);
    }
}

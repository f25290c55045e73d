//! Words that other tools use for what the scenario language calls something else.

/// A foreign word, our word for it, and how our word is written where the name alone does not say it.
type Synonym = (&'static str, &'static str, Option<&'static str>);

/// From `tc`, toxiproxy, Mininet, Compose files, Kubernetes, iperf, and plain English.
const SYNONYMS: &[Synonym] = &[
    ("latency", "delay", None),
    ("latency", "rtt", None),
    ("lag", "delay", None),
    ("ping", "delay", None),
    ("owd", "delay", None),
    ("jitter", "delay", Some("delay: { mean: 20ms, jitter: 5ms }")),
    ("variation", "delay", Some("delay: { mean: 20ms, jitter: 5ms }")),
    ("distribution", "delay", Some("delay: { mean: 20ms, jitter: 5ms, distribution: normal }")),
    ("round_trip", "rtt", None),
    ("bandwidth", "rate", None),
    ("bw", "rate", None),
    ("bitrate", "rate", None),
    ("speed", "rate", None),
    ("throughput", "rate", None),
    ("throughput", "goodput", None),
    ("capacity", "rate", None),
    ("packet_loss", "loss", None),
    ("plr", "loss", None),
    ("drop", "loss", None),
    ("drop_rate", "loss", None),
    ("ber", "loss", Some("loss: { bit_error_rate: 1e-6 }")),
    ("reset_peer", "reset", None),
    ("rst", "reset", None),
    ("corruption", "corrupt", None),
    ("duplication", "duplicate", None),
    ("dup", "duplicate", None),
    ("reordering", "reorder", None),
    ("buffer", "queue", Some("queue: { fifo: { packets: 100 } }")),
    ("limit", "queue", Some("queue: { fifo: { packets: 100 } }")),
    ("qdisc", "queue", None),
    ("aqm", "queue", None),
    ("upload", "toward", Some("toward: { END: { rate: 5Mbit } }")),
    ("download", "toward", Some("toward: { END: { rate: 5Mbit } }")),
    ("preset", "profile", None),
    ("endpoints", "ends", None),
    ("between", "ends", None),
    ("from", "ends", Some("ends: [alice, bob]")),
    ("hosts", "nodes", None),
    ("machines", "nodes", None),
    ("switches", "nodes", None),
    ("routers", "nodes", None),
    ("edges", "links", None),
    ("connections", "links", None),
    ("networks", "links", None),
    ("include", "use", None),
    ("imports", "use", None),
    ("variables", "params", None),
    ("vars", "params", None),
    ("parameters", "params", None),
    ("version", "longwire", None),
    ("title", "name", None),
    ("length", "duration", None),
    ("time", "duration", None),
    ("events", "timeline", None),
    ("schedule", "timeline", None),
    ("assert", "expect", None),
    ("checks", "expect", None),
    ("expectations", "expect", None),
    ("tests", "workloads", None),
    ("tasks", "workloads", None),
    ("servers", "services", None),
    ("on_up", "services", Some("longwire run FILE --on-up COMMAND")),
    ("cmd", "command", None),
    ("args", "command", Some("command: [PROGRAM, ARGUMENT, …]")),
    ("exec", "command", None),
    ("run", "shell", None),
    ("script", "shell", None),
    ("environment", "env", None),
    ("host", "in", None),
    ("node", "in", None),
    ("on", "in", None),
    ("interval", "every", None),
    ("workdir", "cwd", None),
    ("working_dir", "cwd", None),
    ("depends_on", "after", None),
    ("ip", "addresses", None),
    ("address", "addresses", None),
    ("host", "from", None),
    ("target", "to", None),
    ("bandwidth", "goodput", None),
];

/// What to write for a foreign word, if one of the known words means the same.
pub(super) fn help<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    let word = word.to_lowercase().replace('-', "_");
    let meant = SYNONYMS.iter().filter(|(foreign, ..)| *foreign == word);
    let (_, ours, form) =
        meant.into_iter().find(|(_, ours, _)| known.clone().into_iter().any(|known| known == *ours))?;
    Some(match form {
        Some(form) => format!("write `{form}`"),
        None => format!("it is called `{ours}` here"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_of_another_tool_leads_to_ours_where_ours_is_known() {
        let link = ["ends", "rtt", "delay", "loss", "rate", "queue"];
        assert_eq!(help("latency", link).as_deref(), Some("it is called `delay` here"));
        assert_eq!(help("Packet-Loss", link).as_deref(), Some("it is called `loss` here"));
        assert_eq!(help("jitter", link).as_deref(), Some("write `delay: { mean: 20ms, jitter: 5ms }`"));
        assert_eq!(help("bandwidth", ["goodput", "bytes"]).as_deref(), Some("it is called `goodput` here"));
        assert_eq!(help("bandwidth", ["alice", "bob"]), None);
        assert_eq!(help("dealy", link), None);
    }

    #[test]
    fn no_synonym_is_listed_twice_for_the_same_word() {
        for (at, (foreign, ours, _)) in SYNONYMS.iter().enumerate() {
            assert!(!SYNONYMS[..at].iter().any(|(other, word, _)| (other, word) == (foreign, ours)), "{foreign}");
            assert_ne!(foreign, ours);
        }
    }
}

//! How long workloads wait for what is under way: at least as long as it may take.

use indexmap::IndexMap;

use super::spec::{Amount, Path, Start, Workload, WorkloadKind};
use super::transit::Transit;
use super::workload::WorkloadSpec;
use crate::diag::Diagnostics;
use crate::language::section::Named;
use crate::units::Duration;

/// How long a receiver waits for datagrams at least.
pub(crate) const LINGER: Duration = Duration::from_secs(1);
/// How long a reply may take at least: longer than a satellite link with a full queue.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// Beyond what the path may take.
const MARGIN: Duration = Duration::from_millis(500);

/// Gives workloads their patience, unless they say what it is: `None` for those of the run's own making.
pub(crate) fn follow(specs: &[Named<WorkloadSpec>], workloads: &mut IndexMap<String, Workload>, transit: &Transit<'_>) {
    let built_in: Vec<(usize, Path)> = workloads.values().enumerate().filter_map(path).collect();
    let times = transit.of(built_in.iter().map(|(_, path)| path));
    for ((at, _), times) in built_in.iter().zip(times) {
        let Some((name, workload)) = workloads.get_index_mut(*at) else { continue };
        let Some((there, back)) = times else { continue };
        let spec = specs.iter().find(|spec| spec.name == *name).and_then(|named| named.spec.as_ref());
        match &mut workload.kind {
            WorkloadKind::Ping(ping) => {
                let least = if spec.is_some() { PING_TIMEOUT } else { ping.timeout };
                if spec.and_then(|spec| spec.ping.as_ref()).is_none_or(|ping| ping.value.timeout.is_none()) {
                    ping.timeout = least.max(sum(&[there, back, MARGIN]));
                }
            }
            WorkloadKind::Udp(udp) => {
                udp.transit = there;
                if spec.and_then(|spec| spec.udp.as_ref()).is_none_or(|udp| udp.value.linger.is_none()) {
                    udp.linger = LINGER.max(sum(&[there, MARGIN]));
                }
            }
            WorkloadKind::Tcp(tcp) => tcp.round_trip = sum(&[there, back]),
            WorkloadKind::Program { .. } => {}
        }
    }
}

/// Warns of workloads that do not wait long enough, or longer than the run.
pub(crate) fn warn(
    specs: &[Named<WorkloadSpec>],
    workloads: &IndexMap<String, Workload>,
    duration: Option<Duration>,
    diagnostics: &mut Diagnostics,
) {
    for Named { name, span, spec, .. } in specs {
        let (Some(spec), Some(workload)) = (spec, workloads.get(name)) else { continue };
        let (amount, patience, what, written) = match &workload.kind {
            WorkloadKind::Udp(udp) => {
                if udp.linger < udp.transit {
                    let message = format!(
                        "`{name}` waits {} for datagrams that may be on their way for {}: those do not count",
                        udp.linger, udp.transit
                    );
                    let help = format!("leave `linger` out, or write `linger: {}`", sum(&[udp.transit, MARGIN]));
                    diagnostics.warning(*span, message).help(help);
                }
                let written = spec.udp.as_ref().and_then(|udp| udp.value.length.as_ref());
                (udp.amount, udp.linger, "datagrams", written)
            }
            WorkloadKind::Ping(ping) => {
                let written = spec.ping.as_ref().and_then(|ping| ping.value.length.as_ref());
                (ping.amount, ping.timeout, "replies", written)
            }
            WorkloadKind::Tcp(_) | WorkloadKind::Program { .. } => continue,
        };
        let (Start::At(at), Amount::For(length), Some(duration)) = (&workload.start, amount, duration) else {
            continue;
        };
        let end = sum(&[*at, length, patience]);
        if end > duration {
            let span = written.map_or(*span, |length| length.span);
            let message = format!(
                "`{name}` may need until {end}, with {patience} for the last {what}, and the `duration` is {duration}: if one is \
                 lost, it fails"
            );
            let help = format!("write `duration: {end}`, or leave `for` out: it then sends for the whole duration");
            diagnostics.warning(span, message).help(help);
        }
    }
}

fn path((at, workload): (usize, &Workload)) -> Option<(usize, Path)> {
    Some((at, workload.path()?.clone()))
}

fn sum(all: &[Duration]) -> Duration {
    Duration::from_nanos(all.iter().fold(0, |sum, one| sum.saturating_add(one.as_nanos())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::files::MemoryFiles;
    use crate::scenario::{Overrides, load};
    use crate::tasks::resolved::Resolved;

    fn resolved(rest: &str) -> Resolved {
        let text = format!("longwire: 1\nnodes: {{ a: host, b: host }}\n{rest}");
        load(std::path::Path::new("t"), &MemoryFiles::one("t", &text), &Overrides::default())
            .unwrap_or_else(|(told, _)| panic!("{:?}", told.iter().map(ToString::to_string).collect::<Vec<_>>()))
    }

    fn waits(resolved: &Resolved, name: &str) -> String {
        match &resolved.scenario.workloads[name].kind {
            WorkloadKind::Ping(ping) => ping.timeout.to_string(),
            WorkloadKind::Udp(udp) => udp.linger.to_string(),
            WorkloadKind::Tcp(tcp) => tcp.round_trip.to_string(),
            WorkloadKind::Program { .. } => String::new(),
        }
    }

    const ALL: &str = "workloads:\n  u: { udp: { from: a, to: b, every: 1s, count: 1 } }\n  p: { ping: { from: a, to: b, count: 1 } }\n  \
                       t: { tcp: { from: a, to: b, bytes: 1kB } }\n  v: { udp: { from: a, to: b, every: 1s, count: 1, linger: 2s } }\n  \
                       q: { ping: { from: a, to: b, count: 1, timeout: 1s } }\n";

    #[test]
    fn a_slow_link_is_waited_for_and_what_was_said_stands() {
        let slow = resolved(&format!("links: {{ l: {{ ends: [a, b], delay: 3s }} }}\n{ALL}"));
        assert_eq!(["u", "p", "t", "v", "q"].map(|name| waits(&slow, name)), ["3.5s", "6.5s", "6s", "2s", "1s"]);
        let warnings: Vec<&str> = slow.warnings.iter().map(|told| told.message.as_str()).collect();
        assert_eq!(warnings, ["`v` waits 2s for datagrams that may be on their way for 3s: those do not count"]);
        let quick = resolved(&format!("links: {{ l: {{ ends: [a, b], delay: 3ms }} }}\n{ALL}"));
        assert_eq!(["u", "p"].map(|name| waits(&quick, name)), ["1s", "3s"]);
    }

    #[test]
    fn a_link_that_becomes_slow_is_waited_for_too() {
        let steps = "timeline: [{ at: 1s, set: { l: { toward: { b: { delay: 2s } } } } }, { at: 2s, reset: l }]\nduration: 9s\n";
        let later = resolved(&format!("links: {{ l: {{ ends: [a, b] }} }}\n{ALL}{steps}"));
        assert_eq!(["u", "p", "t"].map(|name| waits(&later, name)), ["2.5s", "3s", "2s"]);
        let probe = "expect: [a reaches b within 5s after 2s]\n";
        let later = resolved(&format!("links: {{ l: {{ ends: [a, b] }} }}\n{ALL}{steps}{probe}"));
        assert_eq!(waits(&later, "reach.1"), "2.5s", "an answer that is in time is waited for");
    }

    #[test]
    fn a_stream_that_may_outlast_the_run_is_warned_of() {
        let of = |kind: &str, length: &str, duration: &str| {
            let network = "links: { l: { ends: [a, b], delay: 1ms } }\n";
            let stream =
                format!("workloads: {{ u: {{ at: 1s, {kind}: {{ from: a, to: b, every: 9ms, {length} }} }} }}\n");
            let made = resolved(&format!("{network}{stream}{duration}"));
            made.warnings.iter().map(|told| told.message.clone()).collect::<Vec<_>>()
        };
        let warnings = |length: &str, duration: &str| of("udp", length, duration);
        let told = warnings("for: 3s", "duration: 4s\n");
        assert!(told.len() == 1 && told[0].starts_with("`u` may need until 5s, with 1s for the last"), "{told:?}");
        assert_eq!(warnings("for: 3s", "duration: 5s\n"), [""; 0]);
        assert_eq!(warnings("for: 3s", ""), [""; 0]);
        assert_eq!(warnings("count: 3", "duration: 4s\n"), [""; 0]);
        let pings = of("ping", "for: 3s", "duration: 6s\n");
        assert!(
            pings.len() == 1 && pings[0].starts_with("`u` may need until 7s, with 3s for the last replies"),
            "{pings:?}"
        );
        assert_eq!(of("ping", "for: 3s, timeout: 1s", "duration: 5s\n"), [""; 0]);
    }
}

//! Measured paths to other sites, on a terminal, and what they put in doubt.

use super::json::{Port, SitePath, Tunnel};
use super::terminal::time;
use crate::diag::printable::{Page, TITLE, putln};

/// A line for each path; nothing where none was measured.
pub(crate) fn write(out: &mut Page, ports: &[Port]) -> std::fmt::Result {
    let mut all = lines(ports).peekable();
    if all.peek().is_none() {
        return Ok(());
    }
    out.blank();
    putln!(out, "{TITLE}paths{TITLE:#}")?;
    all.try_for_each(|line| putln!(out, "{line}"))
}

/// A line for each path.
pub(crate) fn lines(ports: &[Port]) -> impl Iterator<Item = String> {
    measured(ports)
        .map(|(port, Tunnel { peer, .. }, path)| format!("{}.{} to {peer}: {}", port.host, port.interface, words(path)))
}

fn measured(ports: &[Port]) -> impl Iterator<Item = (&Port, &Tunnel, &SitePath)> {
    ports.iter().filter_map(|port| {
        let tunnel = port.tunnel.as_ref()?;
        Some((port, tunnel, tunnel.path.as_ref()?))
    })
}

/// In one line.
fn words(path: &SitePath) -> String {
    let (Some(round_trip), Some(offset), Some(error)) = (path.round_trip_ns, path.offset_ns, path.error_ns) else {
        return "nothing came back".into();
    };
    let mut parts = vec![format!("round trip {}", time(round_trip))];
    if let Some(delay) = path.delay_ns.as_ref().map(|delay| delay.min()) {
        let included = if path.included { ", a part of the link's delay" } else { "" };
        parts.push(format!("{} ± {} one way to here{included}", time(delay), time(error)));
    }
    let drift = path.drift_ppb.map_or(String::new(), |ppb| format!(", drifts {:.1} ppm", ppb as f64 / 1e3));
    let side = if offset < 0 { "behind" } else { "ahead" };
    parts.push(format!("its clock {} {side} ± {}{drift}", time(offset.unsigned_abs()), time(error)));
    if path.lost > 0 {
        parts.push(format!("{} datagrams lost", path.lost));
    }
    parts.join("; ")
}

/// What of the paths puts a run in doubt: one sentence each.
pub fn doubts(ports: &[Port]) -> Vec<String> {
    measured(ports).flat_map(|(port, tunnel, path)| of(port, &tunnel.peer, path)).collect()
}

fn of(port: &Port, peer: &str, path: &SitePath) -> Vec<String> {
    let mut doubts = Vec::new();
    // as of lateness, one frame in a hundred may be an exception
    let too_many = |frames: u64| frames * 100 > path.frames;
    if let Some(limit) = path.clock_error_limit_ns {
        let asked = format!("limit {}, `clock_error`", time(limit));
        match path.error_ns {
            None => doubts.push(format!("the clock of {peer} is not known: no answer came from there ({asked})")),
            Some(error) if too_many(path.uncertain) || path.frames == 0 && error > limit => doubts.push(format!(
                "the error of the clock of {peer} exceeded its limit for {} of {} frames, and was ± {} at the end, half of the path's round trip \
                 ({asked}): raise `clock_error`",
                path.uncertain,
                path.frames,
                time(error)
            )),
            Some(_) => {}
        }
    }
    let depends = path.included || path.clock_error_limit_ns.is_some();
    if depends && too_many(path.unknown) {
        doubts.push(format!(
            "{} of {} frames from {peer} came before its clock was known: write `ready: ping` at `{}`, so that the run waits for it",
            path.unknown, path.frames, port.host
        ));
    }
    if depends && path.steps > 0 {
        doubts.push(format!("steps of the clock of {peer} or of this machine: {}", path.steps));
    }
    if path.included && too_many(path.late) {
        doubts.push(format!(
            "{} of {} frames from {peer} took longer on the path than the link's `delay`, which includes it: increase that \
             `delay`",
            path.late, path.frames
        ));
    }
    doubts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing::{self, site_path};

    fn ports(path: SitePath) -> Vec<Port> {
        let mut ports = testing::report().ports;
        ports.truncate(1);
        ports[0].tunnel = Some(testing::tunnel(Some(path)));
        ports
    }

    #[test]
    fn a_path_is_one_line() {
        let told = |ports: &[Port]| {
            let mut out = Page::new();
            write(&mut out, ports).unwrap();
            out.finish().plain()
        };
        assert_eq!(told(&testing::report().ports), "");
        let all = told(&ports(site_path()));
        let line = "phone.wlan0 to 192.0.2.7:4793: round trip 20 ms; 10 ms ± 10.02 ms one way to here, a part of the link's delay; its clock \
                    3.003 s ahead ± 10.02 ms, drifts 50.0 ppm";
        assert_eq!(all.lines().last(), Some(line));
        let silent = SitePath { round_trip_ns: None, ..site_path() };
        assert!(told(&ports(silent)).trim_end().ends_with("nothing came back"));
    }

    #[test]
    fn each_doubt_is_named_and_only_then() {
        let doubts = |path| doubts(&ports(path));
        assert_eq!(doubts(site_path()), [""; 0]);
        let at_the_limit = SitePath { unknown: 10, uncertain: 10, late: 10, ..site_path() };
        assert_eq!(doubts(at_the_limit), [""; 0]);
        for (path, words) in [
            (SitePath { error_ns: None, ..site_path() }, "is not known: no answer came"),
            (
                SitePath { error_ns: Some(13_000_000), frames: 0, ..site_path() },
                "± 13 ms at the end, half of the path's round trip",
            ),
            (SitePath { uncertain: 11, ..site_path() }, "exceeded its limit for 11 of 1000 frames"),
            (SitePath { unknown: 11, ..site_path() }, "`ready: ping` at `phone`"),
            (SitePath { steps: 1, ..site_path() }, "steps of the clock of 192.0.2.7:4793 or of this machine: 1"),
            (SitePath { late: 11, ..site_path() }, "11 of 1000 frames from 192.0.2.7:4793 took longer on the path"),
        ] {
            let told = doubts(path);
            assert!(told.len() == 1 && told[0].contains(words), "{words}: {told:?}");
        }
        // nothing was asked that they could put in doubt
        let added = SitePath { included: false, clock_error_limit_ns: None, ..site_path() };
        assert_eq!(doubts(SitePath { unknown: 11, steps: 1, late: 11, error_ns: None, ..added }), [""; 0]);
    }
}

//! Ports that were down since their interface was gone, on a terminal.

use super::json::{Outage, Port};
use super::terminal::time;
use crate::diag::printable::{Page, TITLE, put, putln};

/// A line for each outage; nothing where there was none.
pub(crate) fn write(out: &mut Page, ports: &[Port]) -> std::fmt::Result {
    let mut all = ports.iter().flat_map(|port| port.outages.iter().map(move |outage| (port, outage))).peekable();
    if all.peek().is_none() {
        return Ok(());
    }
    out.blank();
    putln!(out, "{TITLE}ports{TITLE:#}")?;
    all.try_for_each(|(port, outage)| {
        let Outage { from_ns, to_ns, reason, refused } = outage;
        put!(out, "{}.{} was down from {}", port.host, port.interface, signed(*from_ns))?;
        match to_ns {
            Some(to) => put!(out, " to {}", signed(*to))?,
            None => put!(out, " on")?,
        }
        put!(out, ": {reason}")?;
        match refused {
            Some(refused) => putln!(out, "; it was not attached again: {refused}"),
            None => putln!(out, ""),
        }
    })
}

/// A time from t = 0; services start before.
fn signed(ns: i64) -> String {
    format!("{}{}", if ns < 0 { "-" } else { "" }, time(ns.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outage_has_a_line() {
        let mut ports = crate::report::testing::report().ports;
        let mut out = Page::new();
        write(&mut out, &ports).unwrap();
        assert!(out.is_empty());
        let outage = |from_ns, to_ns, refused: Option<&str>| Outage {
            from_ns,
            to_ns,
            reason: "its process has ended".into(),
            refused: refused.map(Into::into),
        };
        ports[0].outages = vec![outage(-5_000_000, Some(1_250_000_000), None), outage(2_000_000_000, None, Some("no"))];
        write(&mut out, &ports).unwrap();
        let out = out.finish().plain();
        let lines: Vec<_> = out.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "phone.wlan0 was down from -5 ms to 1.25 s: its process has ended",
                "phone.wlan0 was down from 2 s on: its process has ended; it was not attached again: no"
            ]
        );
    }
}

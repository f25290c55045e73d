//! Whether the machine kept up: what was measured beside its limits.

use super::markup::Markup;
use super::table::{self, Cell, Column};
use crate::report::json::Report;
use crate::report::terminal::{grouped, time};

/// The section.
pub(super) fn write(out: &mut Markup, report: &Report) {
    let (measured, limits) = (&report.validity.measured, &report.validity.limits);
    let late = measured.lateness_p99_ns;
    let rows = [
        (
            "99 % of the frames left a port at most so late",
            late.map_or("no frame left one".to_owned(), time),
            limits.lateness_p99.to_string(),
            late.is_none_or(|ns| ns <= limits.lateness_p99.as_nanos()),
        ),
        (
            "Longest time between two looks at the ports",
            time(measured.stall_ns),
            limits.stall.to_string(),
            measured.stall_ns <= limits.stall.as_nanos(),
        ),
        (
            "In gaps in which the ports were not read, of the run",
            format!("{:.1} %", measured.gap_share * 100.0),
            limits.gaps.to_string(),
            measured.gap_share <= limits.gaps.as_f64(),
        ),
        (
            "Waited for a processor, of the run",
            measured.run_delay.map_or("the kernel does not tell".to_owned(), |share| format!("{:.1} %", share * 100.0)),
            limits.run_delay.to_string(),
            measured.run_delay.is_none_or(|share| share <= limits.run_delay.as_f64()),
        ),
        (
            "Frames dropped by TAP rings while the link's queue had room",
            grouped(measured.ring_drops),
            limits.ring_drops.to_string(),
            measured.ring_drops <= limits.ring_drops,
        ),
    ];
    let columns = [Column::Words("What"), Column::Number("Measured"), Column::Number("Limit"), Column::Words("")];
    let rows: Vec<Vec<Cell>> = rows
        .into_iter()
        .map(|(what, measured, limit, ok)| {
            vec![
                what.into(),
                measured.into(),
                limit.into(),
                Cell::Sign(ok, if ok { "within" } else { "beyond" }.into()),
            ]
        })
        .collect();
    table::write(out, "Limits beyond which neither pass nor fail is claimed", &columns, &rows, "");
    let timing = &report.timing;
    let mut notes: Vec<String> = report.validity.reasons.clone();
    notes.extend(timing.refused.iter().cloned());
    if timing.spin_rests > 0 {
        notes.push(format!("Spinning was left off {} times, for a second each.", grouped(timing.spin_rests)));
    }
    if timing.log_lost > 0 {
        notes.push(format!("{} entries of the event log were lost.", grouped(timing.log_lost)));
    }
    if !notes.is_empty() {
        out.element("ul", &[], |out| notes.iter().for_each(|note| out.leaf("li", &[], note)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn what_is_beyond_its_limit_says_so() {
        let mut report = testing::report();
        let written = |report: &Report| {
            let mut out = Markup::default();
            write(&mut out, report);
            out.finish()
        };
        assert_eq!(written(&report).matches("✓ within").count(), 5);
        report.validity.measured.stall_ns = report.validity.limits.stall.as_nanos() + 1;
        report.validity.measured.lateness_p99_ns = None;
        report.validity.measured.run_delay = None;
        let html = written(&report);
        assert_eq!((html.matches("✓ within").count(), html.matches("✗ beyond").count()), (4, 1), "{html}");
        assert!(html.contains("no frame left one") && html.contains("the kernel does not tell"));
    }
}

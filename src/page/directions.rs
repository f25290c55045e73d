//! What was asked of each direction, and what from when on, beside what it delivered and what it dropped. Those that were changed or
//! dropped frames come first, quiet ones are folded, members of a group are one row.

use super::markup::Markup;
use super::table::{self, Cell, Column};
use crate::measured::Part;
use crate::report::bands::{Band, bands};
use crate::report::json::{Direction, Report};
use crate::report::network::{bps, causes, others, unmatched};
use crate::report::terminal::{four_digits, grouped, rate, share, time};

/// Quiet rows stay in view up to so many.
const QUIET: usize = 6;
const LEFT_OUT: &str = "the JSON report has them all";

/// The tables.
pub(super) fn write(out: &mut Markup, report: &Report) {
    let columns = [
        Column::Words("Link"),
        Column::Words("Requested"),
        Column::Number("Delivered"),
        Column::Number("Dropped"),
        Column::Number("Rate"),
        Column::Number("Delay p50"),
        Column::Number("p99"),
        Column::Number("max"),
        Column::Words("Also"),
    ];
    let put = |out: &mut Markup, caption: &str, some: &[Band<'_>]| {
        let rows: Vec<Vec<Cell>> = some.iter().map(|band| row(band, report.duration_ns)).collect();
        // what seldom has anything in it takes no room then
        let bare = rows.iter().all(|row| row.last().is_none_or(Cell::is_empty));
        table::write(out, caption, &columns[..columns.len() - usize::from(bare)], &rows, LEFT_OUT);
    };
    let all = bands(report, false);
    let (notable, quiet) = all.split_at(all.iter().filter(|band| band.notable).count());
    let open = if quiet.len() <= QUIET { &all[..] } else { notable };
    if !open.is_empty() {
        put(out, "Requested beside delivered, in wire frames; what was changed or dropped comes first", open);
    }
    if open.len() < all.len() {
        let count: usize = quiet.iter().map(|band| band.members.len()).sum();
        out.element("details", &[], |out| {
            out.leaf("summary", &[], &format!("{} directions without changes and drops", grouped(count as u64)));
            put(out, "Without changes and drops", quiet);
        });
    }
}

fn name(band: &Band<'_>) -> Cell {
    let first = band.members[0];
    let ends = format!("{} → {}", first.from, first.to);
    match band.members.len() {
        1 => Cell::Lines(vec![first.link.clone(), ends]),
        n => {
            let whole = band.name();
            let ends = whole.strip_prefix(&band.links()).unwrap_or_default().trim().to_owned();
            Cell::Lines(vec![format!("{} ({n})", band.links()), ends, "least … median … most of each".into()])
        }
    }
}

fn row(band: &Band<'_>, duration_ns: u64) -> Vec<Cell> {
    let delay = |part: Part| text(band.spread(|one| one.delay(part), time));
    vec![
        name(band),
        Cell::Lines(band.asked.clone()),
        delivered(band),
        dropped(band),
        text(band.spread(|one| bps(one, duration_ns), rate)),
        delay(Part::P50),
        delay(Part::P99),
        delay(Part::Max),
        match band.members[..] {
            [one] => Cell::Lines(others(one).chain(unmatched(one)).collect()),
            _ => Cell::from(""),
        },
    ]
}

/// Several numbers each on its line.
fn text(words: String) -> Cell {
    match words.is_empty() {
        true => Cell::from("–"),
        false => Cell::Lines(words.split(" … ").map(str::to_owned).collect()),
    }
}

fn delivered(band: &Band<'_>) -> Cell {
    match band.members[..] {
        [Direction { offered, delivered, .. }] => {
            Cell::Lines(vec![grouped(delivered.frames), format!("of {}", grouped(offered.frames))])
        }
        _ => text(band.spread(|one| Some(one.delivered.frames), grouped)),
    }
}

/// The share of what was offered, and how many for which cause.
fn dropped(band: &Band<'_>) -> Cell {
    let all = |one: &Direction| one.dropped.values().sum::<u64>();
    if band.members.iter().all(|one| all(one) == 0) {
        return Cell::from("–");
    }
    match band.members[..] {
        [one] => Cell::Lines(
            [share(all(one), one.offered.frames)].into_iter().chain(causes(&one.dropped, one.offered.frames)).collect(),
        ),
        _ => {
            let share = |one: &Direction| (one.offered.frames > 0).then(|| all(one) * 100_000 / one.offered.frames);
            text(band.spread(share, |share| format!("{} %", four_digits(share as f64 / 1e3))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    fn written(report: &Report) -> String {
        let mut out = Markup::default();
        write(&mut out, report);
        out.finish()
    }

    #[test]
    fn each_direction_has_its_row_with_what_it_dropped_and_why() {
        let html = written(&testing::report());
        for text in
            ["loss 5%", "of 20,000", "19,000", ">5 %<", "loss 900 (4.5 %)", "queue_full 100 (0.5 %)", "marked 12"]
        {
            assert!(html.contains(text), "{text}: {html}");
        }
    }

    #[test]
    fn quiet_ones_are_folded_and_groups_are_one() {
        let mut report = testing::report();
        report.events.clear();
        let busy = report.directions[0].clone();
        let quiet = Direction { unmatched: vec![], ..report.directions[1].clone() };
        let named = |name: String| Direction { link: name, ..quiet.clone() };
        report.directions = (1..=20).map(|n| named(format!("pc-{n}"))).chain([busy]).collect();
        let html = written(&report);
        assert!(html.contains("pc-1 … pc-20 (20)") && !html.contains("<details"), "{html}");
        report.directions = ["a", "b", "c", "d", "e", "f", "g"].map(|name| named(name.into())).to_vec();
        report.directions.push(testing::report().directions.swap_remove(0));
        let html = written(&report);
        let (view, folded) = html.split_once("<details").expect("folded");
        assert!(view.contains(">wifi<") && folded.contains("7 directions without changes and drops"), "{html}");
    }
}

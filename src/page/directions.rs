//! What was asked of each direction beside what it delivered, and what was dropped for which cause.

use indexmap::IndexSet;

use super::markup::Markup;
use super::table::{self, Cell, Column};
use crate::measured::Part;
use crate::report::asked::requested;
use crate::report::json::{Direction, Report};
use crate::report::terminal::{grouped, others, rate, share, time, unmatched};

/// With more directions, the busiest come first.
const FILE_ORDER: usize = 40;
const LEFT_OUT: &str = "the JSON report has them all";

/// Both tables.
pub(super) fn write(out: &mut Markup, report: &Report) {
    let mut directions: Vec<&Direction> = report.directions.iter().collect();
    if directions.len() > FILE_ORDER {
        directions.sort_by_key(|direction| std::cmp::Reverse(direction.offered.bytes));
        out.leaf("p", &[("class", "note")], "Directions that were offered most come first.");
    }
    let columns = [
        Column::Words("Direction"),
        Column::Words("Requested"),
        Column::Number("Offered"),
        Column::Number("Delivered"),
        Column::Number("Rate"),
        Column::Number("Delay min"),
        Column::Number("p50"),
        Column::Number("p99"),
        Column::Number("max"),
        Column::Words("Also"),
    ];
    let rows: Vec<Vec<Cell>> = directions.iter().map(|direction| row(direction, report.duration_ns)).collect();
    table::write(out, "Requested beside delivered, in wire frames", &columns, &rows, LEFT_OUT);
    drops(out, &directions);
}

fn name(direction: &Direction) -> Cell {
    Cell::Lines(vec![direction.link.clone(), format!("{} → {}", direction.from, direction.to)])
}

fn row(direction: &Direction, duration_ns: u64) -> Vec<Cell> {
    let Direction { offered, delivered, .. } = direction;
    let bps = match duration_ns {
        0 => 0,
        ns => (u128::from(delivered.bytes) * 8_000_000_000 / u128::from(ns)) as u64,
    };
    let delay = |part: Part| Cell::from(direction.delay(part).map_or("–".to_owned(), time));
    vec![
        name(direction),
        requested(&direction.requested).into(),
        grouped(offered.frames).into(),
        Cell::Lines(vec![grouped(delivered.frames), share(delivered.frames, offered.frames)]),
        rate(bps).into(),
        delay(Part::Min),
        delay(Part::P50),
        delay(Part::P99),
        delay(Part::Max),
        Cell::Lines(others(direction).chain(unmatched(direction)).collect()),
    ]
}

/// A row for each cause of each direction that dropped frames, the most first within a direction.
fn drops(out: &mut Markup, directions: &[&Direction]) {
    out.leaf("h3", &[], "Drops by cause");
    let dropping: Vec<&&Direction> = directions.iter().filter(|direction| !direction.dropped.is_empty()).collect();
    if dropping.is_empty() {
        out.leaf("p", &[("class", "note")], "No link dropped a frame.");
        return;
    }
    let causes: IndexSet<&str> = dropping
        .iter()
        .copied()
        .copied()
        .flat_map(|direction| direction.dropped.keys())
        .map(|cause| &**cause)
        .collect();
    let columns: Vec<Column<'_>> = [Column::Words("Direction"), Column::Number("all")]
        .into_iter()
        .chain(causes.iter().map(|cause| Column::Number(cause)))
        .collect();
    let rows: Vec<Vec<Cell>> = dropping
        .iter()
        .map(|direction| {
            let offered = direction.offered.frames;
            let count = |n: u64| match n {
                0 => Cell::from("–"),
                n => Cell::Lines(vec![grouped(n), share(n, offered)]),
            };
            let all = direction.dropped.values().sum();
            let by_cause = causes.iter().map(|cause| count(direction.dropped.get(*cause).copied().unwrap_or(0)));
            [name(direction), count(all)].into_iter().chain(by_cause).collect()
        })
        .collect();
    table::write(out, "Dropped frames, and their share of those offered", &columns, &rows, LEFT_OUT);
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
    fn each_direction_has_its_row_and_each_cause_its_column() {
        let html = written(&testing::report());
        for text in
            ["loss 5%", "20,000", "19,000", "95 %", "<th scope=\"col\" class=\"n\">queue_full</th>", "marked 12"]
        {
            assert!(html.contains(text), "{text}: {html}");
        }
    }

    #[test]
    fn without_drops_that_is_said() {
        let mut report = testing::report();
        report.directions.iter_mut().for_each(|direction| direction.dropped.clear());
        assert!(written(&report).contains("No link dropped a frame."));
    }

    #[test]
    fn of_many_the_busiest_come_first() {
        let mut report = testing::report();
        let one = report.directions[0].clone();
        report.directions = (0..300)
            .map(|n| {
                let mut direction = one.clone();
                (direction.link, direction.offered.bytes) = (format!("link{n}"), n);
                direction
            })
            .collect();
        let html = written(&report);
        assert!(html.find(">link299<").unwrap() < html.find(">link298<").unwrap() && html.contains("260 more rows"));
    }
}

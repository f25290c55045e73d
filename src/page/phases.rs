//! Phases beside each other: from one mark to the next, for each workload and each link that was changed.

use super::markup::Markup;
use super::table::{self, Cell, Column};
use crate::report::json::Report;
use crate::report::phase_table::{COLUMNS, blocks};

/// The section; nothing where nothing was marked.
pub(super) fn write(out: &mut Markup, report: &Report) {
    let blocks = blocks(report);
    if blocks.is_empty() {
        return;
    }
    let columns: Vec<Column<'_>> = [Column::Words("Workload or link"), Column::Words("Phase")]
        .into_iter()
        .chain(COLUMNS.iter().map(|(name, ..)| Column::Number(name)))
        .collect();
    let rows = blocks.iter().flat_map(|block| {
        block.rows.iter().enumerate().map(|(n, row)| {
            let name = if n == 0 { block.name.as_str() } else { "" };
            let cells = row.cells.iter().map(|cell| Cell::from(if cell.is_empty() { "–" } else { cell.as_str() }));
            let phase = Cell::Lines(vec![row.phase.clone(), row.time.clone()]);
            [Cell::from(name), phase].into_iter().chain(cells).collect()
        })
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    table::write(
        out,
        "From mark to mark; delays are round trips of pings, one way otherwise",
        &columns,
        &rows,
        "the JSON report has them all",
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::phases::{Phase, PhaseWorkload};
    use crate::report::testing;

    #[test]
    fn each_workload_has_a_row_a_phase() {
        let mut report = testing::report();
        let phase = |from: u64, to: u64, mark: Option<&str>, lost: u64| Phase {
            from_ns: from * 1_000_000_000,
            to_ns: to * 1_000_000_000,
            marks: mark.into_iter().map(str::to_owned).collect(),
            directions: vec![],
            workloads: [(
                "rtt".to_owned(),
                PhaseWorkload {
                    sent: Some(200),
                    lost: Some(lost),
                    gap_ns: Some(550_000_000),
                    ..PhaseWorkload::default()
                },
            )]
            .into_iter()
            .collect(),
        };
        report.phases = vec![phase(0, 2, None, 0), phase(2, 9, Some("cut"), 25)];
        let mut out = Markup::default();
        write(&mut out, &report);
        let html = out.finish();
        for text in [">before<", ">0 – 2 s<", ">cut<", ">2 – 9 s<", ">12.5 %<", ">550 ms<", ">rtt<"] {
            assert!(html.contains(text), "{text}: {html}");
        }
        assert_eq!(html.matches(">rtt<").count(), 1);
        report.phases.truncate(1);
        let mut out = Markup::default();
        write(&mut out, &report);
        assert!(out.is_empty());
    }
}

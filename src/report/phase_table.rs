//! Phases beside each other: for each workload and each link that was changed, a row from one mark to the next.

use indexmap::{IndexMap, IndexSet};

use super::alike::{FEWEST, from_to, stem};
use super::happened::outages;
use super::json::Report;
use super::phases::{Phase, PhaseDirection, PhaseWorkload};
use super::terminal::{exact_percent, grouped, rate, time};
use crate::diag::printable::{FAINT, Page, TITLE, putln};
use crate::measured::{Part, Times};
use crate::stats::median;

/// So many blocks on a terminal at most.
const BLOCKS: usize = 24;
/// What a row is called that begins at t = 0, before any mark.
const BEFORE: &str = "before";

/// The columns, each with its width on a terminal, and whether only a wide one has it.
pub(crate) const COLUMNS: [(&str, usize, bool); 8] = [
    ("sent", 9, true),
    ("loss", 8, false),
    ("p50", 9, false),
    ("p95", 9, false),
    ("p99", 9, false),
    ("max", 9, true),
    ("goodput", 12, false),
    ("silence", 9, false),
];

/// A workload or a direction of a link, with a row a phase.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
}

/// What it came to in a phase.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The marks that the phase begins with.
    pub(crate) phase: String,
    /// From when to when.
    pub(crate) time: String,
    /// In the order of [`COLUMNS`]; empty where nothing was measured.
    pub(crate) cells: [String; 8],
}

/// Numbers of a row.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    sent: Option<u64>,
    /// A share of what was sent.
    loss: Option<f64>,
    delays: [Option<u64>; 4],
    bps: Option<u64>,
    gap: Option<u64>,
}

/// All blocks; none where nothing was marked.
pub(crate) fn blocks(report: &Report) -> Vec<Block> {
    let phases = &report.phases;
    if phases.len() < 2 {
        return Vec::new();
    }
    let names: IndexSet<&String> = phases.iter().flat_map(|phase| phase.workloads.keys()).collect();
    let mut groups: IndexMap<String, Vec<&String>> = IndexMap::new();
    names.into_iter().for_each(|name| groups.entry(stem(name)).or_default().push(name));
    let mut blocks = Vec::new();
    for members in groups.values() {
        let of = |phase: &Phase, members: &[&String]| {
            let all: Vec<Numbers> =
                members.iter().filter_map(|name| phase.workloads.get(*name)).map(Numbers::of_workload).collect();
            Numbers::median(&all)
        };
        if members.len() >= FEWEST {
            let name = format!("{} (medians)", from_to(members.iter().map(|name| name.as_str())));
            blocks.push(block(name, phases, |phase| of(phase, members)));
        } else {
            blocks.extend(members.iter().map(|name| block((*name).clone(), phases, |phase| of(phase, &[*name]))));
        }
    }
    let changed = changed_links(report);
    for direction in report.directions.iter().filter(|direction| changed.contains(direction.link.as_str())) {
        let name = format!("{} → {}", direction.link, direction.to);
        blocks.push(block(name, phases, |phase| {
            let found = phase.directions.iter().find(|one| one.link == direction.link && one.to == direction.to);
            found.map(|one| Numbers::of_direction(one, phase.to_ns - phase.from_ns))
        }));
    }
    blocks.iter_mut().for_each(|block| block.rows.retain(|row| row.cells.iter().any(|cell| !cell.is_empty())));
    blocks.retain(|block| !block.rows.is_empty());
    blocks
}

/// Links that a timeline or somebody changed.
pub(crate) fn changed_links(report: &Report) -> IndexSet<&str> {
    let down: IndexSet<String> = outages(&report.events).into_iter().map(|outage| outage.name).collect();
    let changed = |direction: &&super::json::Direction| !direction.changes.is_empty() || down.contains(&direction.link);
    report.directions.iter().filter(changed).map(|direction| direction.link.as_str()).collect()
}

fn block(name: String, phases: &[Phase], numbers: impl Fn(&Phase) -> Option<Numbers>) -> Block {
    let row = |phase: &Phase| Row {
        phase: if phase.marks.is_empty() { BEFORE.into() } else { phase.marks.join(", ") },
        time: format!("{} – {} s", hundredths(phase.from_ns), hundredths(phase.to_ns)),
        cells: numbers(phase).map(Numbers::cells).unwrap_or_default(),
    };
    Block { name, rows: phases.iter().map(row).collect() }
}

/// Seconds, to a hundredth.
fn hundredths(ns: u64) -> String {
    let text = format!("{:.2}", ns as f64 / 1e9);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl Numbers {
    fn of_workload(work: &PhaseWorkload) -> Numbers {
        let PhaseWorkload { sent, lost, goodput_bps, gap_ns, .. } = *work;
        Numbers { sent, loss: loss(lost, sent), delays: parts(work.delay_ns.as_ref()), bps: goodput_bps, gap: gap_ns }
    }

    fn of_direction(one: &PhaseDirection, length_ns: u64) -> Numbers {
        let lost: u64 = one.dropped.values().sum();
        let sent = Some(lost + one.delivered.frames);
        let bits = u128::from(one.delivered.bytes) * 8_000_000_000;
        Numbers {
            sent,
            loss: loss(Some(lost), sent),
            delays: parts(one.delay_ns.as_ref()),
            bps: (length_ns > 0).then(|| (bits / u128::from(length_ns)) as u64),
            gap: None,
        }
    }

    /// Each of several by its median; `None` of none.
    fn median(all: &[Numbers]) -> Option<Numbers> {
        let middle = |pick: &dyn Fn(&Numbers) -> Option<f64>| {
            let mut values: Vec<f64> = all.iter().filter_map(pick).collect();
            values.sort_by(f64::total_cmp);
            median(&values)
        };
        let of =
            |pick: &dyn Fn(&Numbers) -> Option<u64>| middle(&|one| Some(pick(one)? as f64)).map(|value| value as u64);
        (!all.is_empty()).then(|| Numbers {
            sent: of(&|one| one.sent),
            loss: middle(&|one| one.loss),
            delays: [0, 1, 2, 3].map(|n| of(&|one| one.delays[n])),
            bps: of(&|one| one.bps),
            gap: of(&|one| one.gap),
        })
    }

    fn cells(self) -> [String; 8] {
        let text = |value: Option<u64>, words: fn(u64) -> String| value.map(words).unwrap_or_default();
        let [p50, p95, p99, max] = self.delays.map(|delay| text(delay, time));
        [
            text(self.sent, grouped),
            self.loss.map(exact_percent).unwrap_or_default(),
            p50,
            p95,
            p99,
            max,
            text(self.bps, rate),
            text(self.gap, time),
        ]
    }
}

fn loss(lost: Option<u64>, sent: Option<u64>) -> Option<f64> {
    let (lost, sent) = lost.zip(sent).filter(|(_, sent)| *sent > 0)?;
    Some(lost as f64 / sent as f64)
}

fn parts(times: Option<&Times>) -> [Option<u64>; 4] {
    [Part::P50, Part::P95, Part::P99, Part::Max].map(|part| times?.get(part))
}

/// The table on a terminal of so many columns.
pub(crate) fn write(out: &mut Page, report: &Report, width: usize) -> std::fmt::Result {
    let blocks = blocks(report);
    if blocks.is_empty() {
        return Ok(());
    }
    let all: usize = COLUMNS.iter().map(|(_, width, _)| width).sum();
    let longest = blocks.iter().flat_map(|block| &block.rows).map(|row| label(row).chars().count()).max().unwrap_or(0);
    let wide = width >= longest + all;
    let shown = || (0..COLUMNS.len()).filter(move |n| wide || !COLUMNS[*n].2);
    let numbers: usize = shown().map(|n| COLUMNS[n].1).sum();
    // a label that is too long has a line of its own
    let label_width = longest.min(width.saturating_sub(numbers));
    out.blank();
    let head: String = shown().map(|n| format!("{:>1$}", COLUMNS[n].0, COLUMNS[n].1)).collect();
    putln!(out, "{TITLE}{:label_width$}{head}{TITLE:#}", "phases")?;
    for block in blocks.iter().take(BLOCKS) {
        putln!(out, "{}", block.name)?;
        for row in &block.rows {
            let mut label = label(row);
            if label.chars().count() > label_width {
                putln!(out, "{label}")?;
                label.clear();
            }
            let cell = |n: usize| {
                let text = if row.cells[n].is_empty() { "–" } else { row.cells[n].as_str() };
                format!("{text:>0$}", COLUMNS[n].1)
            };
            putln!(out, "{label:label_width$}{}", shown().map(cell).collect::<String>())?;
        }
    }
    match blocks.len().saturating_sub(BLOCKS) {
        0 => Ok(()),
        more => putln!(out, "{FAINT}and {more} more, which are in the JSON report{FAINT:#}"),
    }
}

fn label(row: &Row) -> String {
    format!("  {}  {}", row.phase, row.time)
}

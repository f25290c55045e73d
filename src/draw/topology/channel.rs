//! Lines between two layers: down, across in a track of their own, and down again.

/// How lines run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Routed {
    /// Rows that are needed.
    pub(super) tracks: usize,
    /// For each line the rows in which it runs across, and the column that it then has.
    pub(super) turns: Vec<Vec<(usize, usize)>>,
}

/// A run across one row.
struct Run {
    line: usize,
    from: usize,
    to: usize,
}

/// What it takes of the row.
#[derive(Clone, Copy)]
struct Across {
    low: usize,
    high: usize,
    leftward: bool,
}

/// Routes lines, each from a column above to a column below; no two share a column above, and no two below. Columns from
/// `free` on are free.
///
/// Runs in one row do not touch. Where one line comes down at the column at which another goes on, the first turns away in a
/// row above, so that they do not meet. Where lines want that of each other in a circle, one makes way around the outside.
pub(super) fn route(pairs: &[[usize; 2]], free: usize) -> Routed {
    let mut runs: Vec<Run> = pairs
        .iter()
        .enumerate()
        .filter(|(_, [from, to])| from != to)
        .map(|(line, [from, to])| Run { line, from: *from, to: *to })
        .collect();
    // of those that go the same way side by side the foremost turns away first, so that they do not cross
    runs.sort_by_key(|run| if run.to < run.from { run.from } else { usize::MAX - run.from });
    let mut outside = free + 1;
    let mut rows: Vec<Vec<Across>> = Vec::new();
    let mut turns: Vec<Vec<(usize, usize)>> = vec![Vec::new(); pairs.len()];
    // the row in which the line that came from a column turned away from it
    let mut left: Vec<(usize, usize)> = Vec::new();
    // the row of the first half of a line that goes around
    let mut behind: Vec<(usize, usize)> = Vec::new();
    while !runs.is_empty() {
        let waits = |run: &Run| {
            runs.iter().any(|other| match other.line == run.line {
                true => other.to == run.from,
                false => other.from == run.to,
            })
        };
        let next = runs.iter().position(|run| !waits(run));
        let Some(next) = next else {
            // they wait for each other in a circle
            let run = runs.remove(0);
            runs.insert(0, Run { to: outside, ..run });
            runs.push(Run { line: run.line, from: outside, to: run.to });
            outside += 2;
            continue;
        };
        let Run { line, from, to } = runs.remove(next);
        let lowest =
            |list: &[(usize, usize)], key: usize| list.iter().filter(|(k, _)| *k == key).map(|(_, row)| row + 1).max();
        let first = lowest(&left, to).max(lowest(&behind, line)).unwrap_or(0);
        let own = Across { low: from.min(to), high: from.max(to), leftward: to < from };
        let meets = |other: &&Across| own.low <= other.high && other.low <= own.high;
        let beside = |other: &Across| other.leftward == own.leftward && meets(&other);
        let first = rows.iter().rposition(|row| row.iter().any(beside)).map_or(first, |row| first.max(row + 1));
        let is_free = |row: &usize| !rows[*row].iter().any(|other| meets(&other));
        let row = (first..rows.len()).find(is_free).unwrap_or_else(|| first.max(rows.len()));
        rows.resize(rows.len().max(row + 1), Vec::new());
        rows[row].push(own);
        left.push((from, row));
        behind.push((line, row));
        turns[line].push((row, to));
    }
    Routed { tracks: rows.len(), turns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn straight_lines_need_no_row_and_distant_ones_share_one() {
        assert_eq!(route(&[[3, 3], [9, 9]], 20), Routed { tracks: 0, turns: vec![vec![], vec![]] });
        let routed = route(&[[0, 4], [10, 6]], 20);
        assert_eq!(routed, Routed { tracks: 1, turns: vec![vec![(0, 4)], vec![(0, 6)]] });
        // they would touch
        assert_eq!(route(&[[0, 6], [10, 5]], 20).tracks, 2);
    }

    #[test]
    fn lines_that_go_the_same_way_do_not_cross() {
        let rows = |pairs: &[[usize; 2]]| route(pairs, 30).turns.iter().map(|turns| turns[0].0).collect::<Vec<_>>();
        assert_eq!(rows(&[[10, 1], [12, 5], [14, 20], [16, 25]]), [0, 1, 1, 0]);
    }

    #[test]
    fn a_line_turns_away_before_another_comes_to_its_column() {
        let routed = route(&[[0, 8], [8, 16]], 20);
        assert!(routed.turns[1][0].0 < routed.turns[0][0].0, "{routed:?}");
    }

    #[test]
    fn lines_that_change_places_go_around() {
        let routed = route(&[[0, 8], [8, 0]], 20);
        assert_eq!(routed.turns.iter().map(Vec::len).sum::<usize>(), 3, "{routed:?}");
        let around = routed.turns.iter().find(|turns| turns.len() == 2).unwrap();
        assert!(around[0].1 > 20 && around[0].0 < around[1].0, "{routed:?}");
    }
}

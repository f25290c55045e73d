//! Series with more points than a picture has pixels: thinned, with every peak and every trough kept.

/// A value at a place; `None` where there is nothing to show.
pub(super) type Point = (f64, Option<f64>);

/// The points of a series in unbroken pieces, at most about `most` of them: of each stretch the lowest and the highest, in
/// their order. A piece ends where a stretch has no value.
pub(super) fn thin(points: &[Point], most: usize) -> Vec<Vec<(f64, f64)>> {
    let stretch = if points.len() <= most { 1 } else { points.len().div_ceil((most / 2).max(1)) };
    let mut pieces: Vec<Vec<(f64, f64)>> = Vec::new();
    let mut broken = true;
    for part in points.chunks(stretch) {
        let there: Vec<(f64, f64)> = part.iter().filter_map(|(x, y)| Some((*x, (*y)?))).collect();
        let Some((low, high)) = extremes(&there) else {
            broken = true;
            continue;
        };
        if std::mem::take(&mut broken) {
            pieces.push(Vec::new());
        }
        let piece = pieces.last_mut().expect("there is one since the series went on");
        piece.push(there[low.min(high)]);
        if low != high {
            piece.push(there[low.max(high)]);
        }
    }
    pieces
}

/// The positions of the lowest and of the highest point, the first of equals.
fn extremes(points: &[(f64, f64)]) -> Option<(usize, usize)> {
    let best = |beats: fn(f64, f64) -> bool| {
        (1..points.len()).fold(0, |best, at| if beats(points[at].1, points[best].1) { at } else { best })
    };
    (!points.is_empty()).then(|| (best(|a, b| a < b), best(|a, b| a > b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: impl IntoIterator<Item = Option<f64>>) -> Vec<Point> {
        values.into_iter().enumerate().map(|(n, value)| (n as f64, value)).collect()
    }

    #[test]
    fn few_points_stay_as_they_are_and_gaps_stay_open() {
        let with_gap = points([Some(1.0), Some(2.0), None, None, Some(3.0)]);
        assert_eq!(thin(&with_gap, 100), [vec![(0.0, 1.0), (1.0, 2.0)], vec![(4.0, 3.0)]]);
        assert!(thin(&[], 100).is_empty() && thin(&points([None, None]), 100).is_empty());
    }

    #[test]
    fn peaks_and_troughs_are_kept_in_order() {
        let mut many = points((0..3_000).map(|n| Some(f64::from(n % 7))));
        many[1_234].1 = Some(99.0);
        many[2_345].1 = Some(-99.0);
        many[77].1 = None;
        let [thinned] = &thin(&many, 300)[..] else { panic!("a gap of one point is no gap in a stretch") };
        assert!(thinned.len() <= 300 && thinned.is_sorted_by(|a, b| a.0 < b.0), "{}", thinned.len());
        assert!(thinned.contains(&(1_234.0, 99.0)) && thinned.contains(&(2_345.0, -99.0)));
    }
}

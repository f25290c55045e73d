//! Bins of one round width, and round numbers.

/// Bins of one width, side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bins {
    /// Where the first begins.
    pub from: u64,
    /// The width of each: 1, 2 or 5 times a power of ten.
    pub width: u64,
    /// How many there are.
    pub count: usize,
}

impl Bins {
    /// From `low` to `high`, both included, in about `most` bins: two more at most. `most` is 2 or more.
    pub fn over(low: u64, high: u64, most: u64) -> Bins {
        let width = round_up((high - low) / (most - 1) + 1);
        let from = low / width * width;
        Bins { from, width, count: ((high - from) / width + 1) as usize }
    }

    /// Counts values, each with how often it occurred: those below the first bin, those in each, those above the last.
    pub fn fill(&self, values: impl IntoIterator<Item = (u64, u64)>) -> (u64, Vec<u64>, u64) {
        let (mut below, mut bins, mut above) = (0, vec![0; self.count], 0);
        for (value, times) in values {
            match value.checked_sub(self.from).map(|over| bins.get_mut((over / self.width) as usize)) {
                None => below += times,
                Some(Some(bin)) => *bin += times,
                Some(None) => above += times,
            }
        }
        (below, bins, above)
    }
}

/// The next of 1, 2, 5, 10, 20, 50, …; `least` itself where there is none.
pub fn round_up(least: u64) -> u64 {
    let steps = (0..20).filter_map(|power| 10u64.checked_pow(power));
    steps
        .flat_map(|step| [1, 2, 5].map(|factor| step.checked_mul(factor)))
        .flatten()
        .find(|n| *n >= least)
        .unwrap_or(least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_widths() {
        assert_eq!([0, 1, 2, 3, 6, 10, 11, 101].map(round_up), [1, 1, 2, 5, 10, 10, 20, 200]);
        assert_eq!((round_up(u64::MAX), round_up(10u64.pow(19))), (u64::MAX, 10u64.pow(19)));
    }

    #[test]
    fn what_lies_on_an_edge_opens_the_next_bin() {
        let bins = Bins::over(13, 29, 4);
        assert_eq!(bins, Bins { from: 10, width: 10, count: 2 });
        assert_eq!(bins.fill([(9, 1), (10, 2), (19, 3), (20, 4), (29, 5), (30, 6)]), (1, vec![5, 9], 6));
    }
}

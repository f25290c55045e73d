//! A share of a suite: `2/3` is the second of three, which together run everything exactly once.

use std::fmt;
use std::str::FromStr;

/// One of several shares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u32,
    of: u32,
}

impl Shard {
    /// Share `index` of `of`; `None` unless 1 ≤ `index` ≤ `of`.
    pub fn new(index: u32, of: u32) -> Option<Shard> {
        (1..=of).contains(&index).then_some(Shard { index, of })
    }

    /// Whether the run at this position of the whole list, from 0, is in this share. Every third of three: neighbours, which are
    /// often alike, go to different shares, and no two shares differ by more than one run.
    pub fn takes(self, position: usize) -> bool {
        position % self.of as usize == self.index as usize - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let help = "write I/N, as in 1/3: the first of three shares";
        let (index, of) = text.split_once('/').ok_or(help)?;
        let number = |text: &str| text.parse().map_err(|_| help.to_owned());
        let (index, of) = (number(index)?, number(of)?);
        Shard::new(index, of).ok_or_else(|| format!("there is no share {index} of {of}: {help}"))
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shares_are_written_from_one() {
        assert_eq!("2/3".parse::<Shard>().unwrap(), Shard { index: 2, of: 3 });
        assert_eq!("1/1".parse::<Shard>().unwrap().to_string(), "1/1");
        for wrong in ["", "1", "0/2", "3/2", "1/0", "a/2", "1/2/3", "-1/2", "1/4294967296"] {
            assert!(wrong.parse::<Shard>().unwrap_err().contains("write I/N"), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn all_shares_together_take_everything_once(runs in 0usize..200, of in 1u32..20) {
            let mut taken = vec![0; runs];
            let mut sizes = Vec::new();
            for index in 1..=of {
                let shard = Shard::new(index, of).unwrap();
                let mine: Vec<usize> = (0..runs).filter(|n| shard.takes(*n)).collect();
                mine.iter().for_each(|n| taken[*n] += 1);
                sizes.push(mine.len());
            }
            prop_assert!(taken.iter().all(|times| *times == 1));
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }
}

//! Units as other tools write them.

use super::grammar::{Dimension, Unit};

/// The unit behind a number in a file of another tool: those of the scenario language, Shadow's (`milliseconds`, `Mibit`) and
/// those that network operators write (`Gbps`, `Mb/s`).
pub fn foreign(word: &str) -> Option<Unit> {
    Unit::find(word).or_else(|| Unit::find(time(word)?)).or_else(|| rate(word))
}

fn time(word: &str) -> Option<&'static str> {
    Some(match word {
        "nanosecond" | "nanoseconds" => "ns",
        "μs" | "microsecond" | "microseconds" => "us",
        "millisecond" | "milliseconds" => "ms",
        "sec" | "secs" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "m",
        "hr" | "hrs" | "hour" | "hours" => "h",
        _ => return None,
    })
}

fn rate(word: &str) -> Option<Unit> {
    let bits = ["bits", "bit", "bps", "b/s"].iter().find_map(|end| word.trim_end_matches("/s").strip_suffix(end));
    let factor = match bits.or_else(|| word.strip_suffix("b/s"))? {
        "" => 1,
        "k" | "K" | "kilo" => 1_000,
        "M" | "mega" => 1_000_000,
        "G" | "giga" => 1_000_000_000,
        "T" | "tera" => 1_000_000_000_000,
        "Ki" | "kibi" => 1 << 10,
        "Mi" | "mebi" => 1 << 20,
        "Gi" | "gibi" => 1 << 30,
        "Ti" | "tebi" => 1 << 40,
        _ => return None,
    };
    Some(Unit::named(Dimension::Rate, "bit", factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_spellings_are_one_unit() {
        let factor = |word| foreign(word).map(Unit::factor);
        for word in ["ms", "millisecond", "milliseconds"] {
            assert_eq!(factor(word), Some(1_000_000), "{word}");
        }
        for word in ["Mbit", "Mbit/s", "Mbps", "Mb/s", "megabit", "Mbits/s"] {
            assert_eq!(factor(word), Some(1_000_000), "{word}");
        }
        assert_eq!([factor("Tbit"), factor("Kibit")], [Some(1_000_000_000_000), Some(1024)]);
        assert!(["parsec", "Xbit", "MBps", "", "bits per second"].iter().all(|word| foreign(word).is_none()));
    }
}

//! Delays, loss and rates as graph files write them: `10 ms`, `0.01`, `100 Mbit`, `LinkSpeedRaw 1e10`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::graph::{Attribute, Wrong, find, wrong};
use crate::language::tree::{Entry, Node, Origin};
use crate::units::{Duration, Probability, Rate};

/// What numbers without a unit mean in this file. Without it they are mistakes.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UnitsSpec {
    /// The unit of delays and jitter.
    delay: Option<DelayUnit>,
    /// The unit of rates.
    rate: Option<RateUnit>,
    /// The unit of `loss`. That of `packet_loss` is always a fraction of one.
    loss: Option<LossUnit>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum DelayUnit {
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum RateUnit {
    /// Bits a second.
    #[serde(rename = "bit")]
    Bit,
    /// Thousands of bits a second.
    #[serde(rename = "kbit")]
    Kbit,
    /// Millions of bits a second.
    #[serde(rename = "Mbit")]
    Mbit,
    /// Milliards of bits a second.
    #[serde(rename = "Gbit")]
    Gbit,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
enum LossUnit {
    /// Of one: 0.01 is 1 %.
    #[serde(rename = "fraction")]
    Fraction,
    /// Of a hundred.
    #[serde(rename = "%")]
    Percent,
}

/// Names of the attributes that say the same; the first are Shadow's.
const DELAY: [&str; 2] = ["latency", "delay"];
const LOSS: [&str; 3] = ["packet_loss", "packetloss", "loss"];
const RATE: [&str; 4] = ["bandwidth", "capacity", "rate", "LinkSpeedRaw"];

/// What an edge says of a direction: `delay`, `loss` and `rate` as a link has them.
pub(super) fn fields(edge: &[Attribute], units: UnitsSpec, wrongs: &mut Vec<Wrong>) -> Vec<Entry> {
    let mut fields = Vec::new();
    let mut delay = Vec::new();
    if let Some(attribute) = one_of(edge, &DELAY, wrongs) {
        delay.extend(entry("mean", attribute, duration(attribute, units), wrongs));
    }
    if let Some(attribute) = find(edge, "jitter") {
        let jitter = duration(attribute, units);
        // Graphs name a jitter of 0 where they have none.
        if !matches!(jitter, Ok(Duration::ZERO)) {
            delay.extend(entry("jitter", attribute, jitter, wrongs));
        }
    }
    if let Some(first) = delay.first() {
        let (span, key_span) = (first.value.span, first.key_span);
        let mut map = Node::empty_map(span, Origin::File);
        delay.into_iter().for_each(|entry| map.set(entry));
        fields.push(Entry { key: "delay".into(), key_span, value: map });
    }
    if let Some(attribute) = one_of(edge, &LOSS, wrongs) {
        let loss = probability(attribute, units);
        if !matches!(loss, Ok(Probability::NEVER)) {
            fields.extend(entry("loss", attribute, loss, wrongs));
        }
    }
    match one_of(edge, &RATE, wrongs) {
        Some(attribute) => fields.extend(entry("rate", attribute, rate(attribute, units), wrongs)),
        None => fields.extend(link_speed(edge)),
    }
    fields
}

fn one_of<'a>(edge: &'a [Attribute], names: &[&str], wrongs: &mut Vec<Wrong>) -> Option<&'a Attribute> {
    let mut found = names.iter().filter_map(|name| find(edge, name));
    let first = found.next()?;
    if let Some(second) = found.next() {
        let message = format!("`{}` and `{}` both say it", first.name, second.name);
        wrongs.push(wrong(second.span, message, "keep one of them"));
    }
    Some(first)
}

fn entry<T: ToString>(
    key: &str,
    attribute: &Attribute,
    value: Result<T, Wrong>,
    wrongs: &mut Vec<Wrong>,
) -> Option<Entry> {
    match value {
        Ok(value) => {
            let value = Node::text(value.to_string(), attribute.span, Origin::File);
            Some(Entry { key: key.to_owned(), key_span: attribute.span, value })
        }
        Err(wrong) => {
            wrongs.push(wrong);
            None
        }
    }
}

/// A number, and what stands behind it.
fn split(attribute: &Attribute) -> Result<(f64, &str), Wrong> {
    let text = attribute.text.trim();
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    let part = |at: usize| match bytes[at] {
        b'0'..=b'9' | b'.' => true,
        b'+' | b'-' => at == 0 || matches!(bytes[at - 1], b'e' | b'E'),
        b'e' | b'E' => at > 0 && (digit(at + 1) || (matches!(bytes.get(at + 1), Some(b'+' | b'-')) && digit(at + 2))),
        _ => false,
    };
    let end = (0..bytes.len()).find(|at| !part(*at)).unwrap_or(bytes.len());
    let (number, unit) = text.split_at(end);
    match number.parse::<f64>() {
        Ok(number) if number.is_finite() && number >= 0.0 => Ok((number, unit.trim_start())),
        Ok(_) => Err(wrong(attribute.span, format!("a `{}` cannot be `{text}`", attribute.name), "write 0 or more")),
        Err(_) => Err(wrong(
            attribute.span,
            format!("`{text}` is not a number with a unit, which `{}` should be", attribute.name),
            "as in `10 ms` or `100 Mbit`",
        )),
    }
}

fn no_unit(attribute: &Attribute, key: &str, example: &str) -> Wrong {
    let message = format!("`{}` is a number without a unit: {}", attribute.name, attribute.text);
    wrong(attribute.span, message, format!("say in the scenario what is meant: `units: {{ {key}: {example} }}`"))
}

fn unknown(attribute: &Attribute, unit: &str, known: &str) -> Wrong {
    let message = format!("`{unit}` is not a unit that `{}` can have", attribute.name);
    wrong(attribute.span, message, format!("units: {known}"))
}

/// The units that Shadow takes, and their names spelled out.
fn duration(attribute: &Attribute, units: UnitsSpec) -> Result<Duration, Wrong> {
    let (number, unit) = split(attribute)?;
    let factor = match unit {
        "ns" | "nanosecond" | "nanoseconds" => 1.0,
        "us" | "µs" | "μs" | "microsecond" | "microseconds" => 1e3,
        "ms" | "millisecond" | "milliseconds" => 1e6,
        "s" | "sec" | "secs" | "second" | "seconds" => 1e9,
        "m" | "min" | "mins" | "minute" | "minutes" => 60e9,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600e9,
        "" => match units.delay.ok_or_else(|| no_unit(attribute, "delay", "ms"))? {
            DelayUnit::Ns => 1.0,
            DelayUnit::Us => 1e3,
            DelayUnit::Ms => 1e6,
            DelayUnit::S => 1e9,
        },
        other => return Err(unknown(attribute, other, "ns us ms s m h")),
    };
    match (number * factor).round() {
        ns if ns < u64::MAX as f64 => Ok(Duration::from_nanos(ns as u64)),
        _ => Err(wrong(attribute.span, format!("`{}` is too long", attribute.text), "at most 584 years")),
    }
}

fn probability(attribute: &Attribute, units: UnitsSpec) -> Result<Probability, Wrong> {
    let (number, unit) = split(attribute)?;
    let fraction = match unit {
        "%" => number / 100.0,
        "" if attribute.name.eq_ignore_ascii_case("loss") => {
            match units.loss.ok_or_else(|| no_unit(attribute, "loss", "fraction"))? {
                LossUnit::Fraction => number,
                LossUnit::Percent => number / 100.0,
            }
        }
        "" => number,
        other => return Err(unknown(attribute, other, "%, or a fraction of one")),
    };
    let parts = (fraction.min(2.0) * Probability::ALWAYS.as_parts() as f64).round() as u64;
    Probability::from_parts(parts).ok_or_else(|| {
        let message = format!("a `{}` of {} is more than everything", attribute.name, attribute.text);
        wrong(attribute.span, message, "a fraction is at most 1; write `1%` for percent")
    })
}

/// A rate with the units that Shadow takes, and those that network operators write (`Gbps`, `Mb/s`).
pub(super) fn rate(attribute: &Attribute, units: UnitsSpec) -> Result<Rate, Wrong> {
    let (number, unit) = split(attribute)?;
    let factor = if unit.is_empty() {
        match units.rate {
            _ if attribute.name.eq_ignore_ascii_case("LinkSpeedRaw") => 1.0,
            None => return Err(no_unit(attribute, "rate", "Mbit")),
            Some(RateUnit::Bit) => 1.0,
            Some(RateUnit::Kbit) => 1e3,
            Some(RateUnit::Mbit) => 1e6,
            Some(RateUnit::Gbit) => 1e9,
        }
    } else {
        let bits = ["bits", "bit", "bps", "b/s"].iter().find_map(|end| unit.trim_end_matches("/s").strip_suffix(end));
        let bits = bits.or_else(|| unit.strip_suffix("b/s"));
        let known = bits.and_then(prefix);
        known.ok_or_else(|| unknown(attribute, unit, "bit kbit Mbit Gbit Tbit Kibit Mibit Gibit"))?
    };
    let bits = (number * factor).round();
    let rate = if bits < u64::MAX as f64 { Rate::from_bps(bits as u64) } else { None };
    rate.ok_or_else(|| {
        wrong(
            attribute.span,
            format!("no wire has a rate of `{}`", attribute.text),
            "at least 1 bit/s, at most 18 Ebit/s",
        )
    })
}

/// The factor of what stands before `bit`.
fn prefix(text: &str) -> Option<f64> {
    Some(match text {
        "" => 1.0,
        "k" | "K" | "kilo" => 1e3,
        "M" | "mega" => 1e6,
        "G" | "giga" => 1e9,
        "T" | "tera" => 1e12,
        "Ki" | "kibi" => 1024.0,
        "Mi" | "mebi" => 1024.0 * 1024.0,
        "Gi" | "gibi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" | "tebi" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

/// The Topology Zoo's `LinkSpeed "2.5"` with `LinkSpeedUnits "G"`. What it could not read (`"155-622"`) says nothing.
fn link_speed(edge: &[Attribute]) -> Option<Entry> {
    let (speed, unit) = (find(edge, "LinkSpeed")?, find(edge, "LinkSpeedUnits")?);
    let number = speed.text.trim().parse::<f64>().ok()?;
    let bits = (number * prefix(unit.text.trim())?).round();
    let rate = if bits < u64::MAX as f64 { Rate::from_bps(bits as u64) } else { None }?;
    let value = Node::text(rate.to_string(), speed.span, Origin::File);
    Some(Entry { key: "rate".into(), key_span: speed.span, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Span;

    fn edge(list: &[(&str, &str)]) -> Vec<Attribute> {
        let one = |(name, text): &(&str, &str)| Attribute {
            name: (*name).to_owned(),
            text: (*text).to_owned(),
            span: Span::default(),
        };
        list.iter().map(one).collect()
    }

    fn said(list: &[(&str, &str)], units: UnitsSpec) -> (String, Vec<String>) {
        let mut wrongs = Vec::new();
        let fields = fields(&edge(list), units, &mut wrongs);
        fn text(entry: &Entry) -> String {
            match entry.value.entries() {
                Some(inner) => format!("{} {{{}}}", entry.key, inner.iter().map(text).collect::<Vec<_>>().join(", ")),
                None => format!("{} {}", entry.key, entry.value.as_text().unwrap()),
            }
        }
        (fields.iter().map(text).collect::<Vec<_>>().join(", "), wrongs.iter().map(ToString::to_string).collect())
    }

    fn fine(list: &[(&str, &str)]) -> String {
        let (fields, wrongs) = said(list, UnitsSpec::default());
        assert_eq!(wrongs, [""; 0], "{list:?}");
        fields
    }

    #[test]
    fn shadows_attributes() {
        assert_eq!(fine(&[("latency", "10 ms"), ("jitter", "0 ms"), ("packet_loss", "0.0")]), "delay {mean 10ms}");
        assert_eq!(
            fine(&[("latency", "1.5 seconds"), ("jitter", "2ms"), ("packet_loss", "0.003")]),
            "delay {mean 1.5s, jitter 2ms}, loss 0.3%"
        );
        assert_eq!(fine(&[("packet_loss", "1e-3"), ("bandwidth", "100 Mbit")]), "loss 0.1%, rate 100Mbit");
    }

    #[test]
    fn rates_of_many_spellings() {
        for (text, rate) in [
            ("1 Gbit", "1Gbit"),
            ("2.5 Gbps", "2.5Gbit"),
            ("100 Mb/s", "100Mbit"),
            ("8 Mbit/s", "8Mbit"),
            ("1 Kibit", "1.024kbit"),
            ("10 kilobit", "10kbit"),
            ("56 kbps", "56kbit"),
        ] {
            assert_eq!(fine(&[("capacity", text)]), format!("rate {rate}"), "{text}");
        }
        assert_eq!(
            fine(&[("LinkSpeedRaw", "10000000000.0"), ("LinkSpeed", "10"), ("LinkSpeedUnits", "G")]),
            "rate 10Gbit"
        );
        assert_eq!(fine(&[("LinkSpeed", "155"), ("LinkSpeedUnits", "M")]), "rate 155Mbit");
        assert_eq!(fine(&[("LinkSpeed", "155-622"), ("LinkSpeedUnits", "M"), ("LinkLabel", "x")]), "");
    }

    #[test]
    fn bare_numbers_need_a_word_about_them() {
        let bare = [("delay", "12.5"), ("loss", "2"), ("bandwidth", "10")];
        let (fields, wrongs) = said(&bare, UnitsSpec::default());
        assert_eq!((fields.as_str(), wrongs.len()), ("", 3));
        assert_eq!(
            wrongs[0],
            "`delay` is a number without a unit: 12.5 (say in the scenario what is meant: `units: { delay: ms }`)"
        );
        let units = UnitsSpec { delay: Some(DelayUnit::Ms), rate: Some(RateUnit::Mbit), loss: Some(LossUnit::Percent) };
        assert_eq!(said(&bare, units), ("delay {mean 12.5ms}, loss 2%, rate 10Mbit".into(), vec![]));
    }

    #[test]
    fn mistakes() {
        for (name, text, word) in [
            ("latency", "-1 ms", "cannot be"),
            ("latency", "10 parsec", "not a unit"),
            ("latency", "soon", "not a number"),
            ("latency", "1e300 h", "too long"),
            ("packet_loss", "1.5", "more than everything"),
            ("packet_loss", "0.5 ms", "not a unit"),
            ("bandwidth", "0 Mbit", "no wire"),
            ("bandwidth", "1e30 Gbit", "no wire"),
            ("bandwidth", "5 ms", "not a unit"),
            ("bandwidth", "", "not a number"),
        ] {
            let (fields, wrongs) = said(&[(name, text)], UnitsSpec::default());
            assert!(wrongs.len() == 1 && wrongs[0].contains(word), "{name} {text}: {wrongs:?}");
            assert_eq!(fields, "");
        }
        let twice = said(&[("latency", "1 ms"), ("delay", "2 ms")], UnitsSpec::default());
        assert!(twice.1[0].contains("`latency` and `delay` both say it"));
    }
}

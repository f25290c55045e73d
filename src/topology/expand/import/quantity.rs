//! Delays, loss and rates as graph files write them: `10 ms`, `0.01`, `100 Mbit`, `LinkSpeedRaw 1e10`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::graph::{Attribute, Wrong, find, wrong};
use crate::language::tree::{Entry, Node, Origin};
use crate::units::{Dimension, Duration, Probability, Rate, RateUnit, ShareUnit, TimeUnit, Unit, foreign};

/// What numbers without a unit mean in this file. Without it they are mistakes.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct UnitsSpec {
    /// The unit of delays and jitter.
    delay: Option<TimeUnit>,
    /// The unit of rates.
    rate: Option<RateUnit>,
    /// The unit of `loss`. That of `packet_loss` is always a fraction of one.
    loss: Option<ShareUnit>,
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

/// A number with a unit of its own, or with the one that the scenario says for the file.
fn quantity(attribute: &Attribute, dimension: Dimension, unit: Option<Unit>) -> Result<u64, Wrong> {
    let text = attribute.text.trim();
    let bare = text.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    dimension.nearest(text, unit, foreign).map_err(|error| {
        let (key, unit_of_it, help) = match dimension {
            Dimension::Rate => ("rate", "Mbit", "as in `100 Mbit`"),
            Dimension::Share => ("loss", "fraction", "a fraction is at most 1; write `1%` for percent"),
            Dimension::Time | Dimension::Size => ("delay", "ms", "as in `10 ms`"),
        };
        if bare && unit.is_none() {
            let message = format!("`{}` is a number without a unit: {text}", attribute.name);
            let help = format!("say in the scenario what is meant: `units: {{ {key}: {unit_of_it} }}`");
            return wrong(attribute.span, message, help);
        }
        wrong(attribute.span, format!("`{}`: {error}", attribute.name), help)
    })
}

/// The units that Shadow takes, and their names spelled out.
fn duration(attribute: &Attribute, units: UnitsSpec) -> Result<Duration, Wrong> {
    quantity(attribute, Dimension::Time, units.delay.map(Unit::from)).map(Duration::from_nanos)
}

fn probability(attribute: &Attribute, units: UnitsSpec) -> Result<Probability, Wrong> {
    let is_loss = attribute.name.eq_ignore_ascii_case("loss");
    let unit = if is_loss { units.loss.map(Unit::from) } else { Some(Unit::FRACTION) };
    let parts = quantity(attribute, Dimension::Share, unit)?;
    Ok(Probability::from_parts(parts).expect("the grammar knows the largest share"))
}

/// A rate with the units that Shadow takes, and those that network operators write (`Gbps`, `Mb/s`).
pub(super) fn rate(attribute: &Attribute, units: UnitsSpec) -> Result<Rate, Wrong> {
    let raw = attribute.name.eq_ignore_ascii_case("LinkSpeedRaw");
    let unit = if raw { Unit::find("bit") } else { units.rate.map(Unit::from) };
    let bps = quantity(attribute, Dimension::Rate, unit)?;
    Rate::from_bps(bps)
        .ok_or_else(|| wrong(attribute.span, format!("no wire has a rate of `{}`", attribute.text), "at least 1 bit/s"))
}

/// The Topology Zoo's `LinkSpeed "2.5"` with `LinkSpeedUnits "G"`. What it could not read (`"155-622"`) says nothing.
fn link_speed(edge: &[Attribute]) -> Option<Entry> {
    let (speed, unit) = (find(edge, "LinkSpeed")?, find(edge, "LinkSpeedUnits")?);
    let unit = foreign(&format!("{}bit", unit.text.trim()))?;
    let rate = Rate::from_bps(Dimension::Rate.nearest(&speed.text, Some(unit), foreign).ok()?)?;
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
        let units = serde_json::from_str(r#"{ "delay": "ms", "rate": "Mbit", "loss": "%" }"#).unwrap();
        assert_eq!(said(&bare, units), ("delay {mean 12.5ms}, loss 2%, rate 10Mbit".into(), vec![]));
    }

    #[test]
    fn mistakes() {
        for (name, text, word) in [
            ("latency", "-1 ms", "negative"),
            ("latency", "10 parsec", "not a unit"),
            ("latency", "soon", "not a duration"),
            ("latency", "1e300 h", "too large"),
            ("packet_loss", "1.5", "at most `100%`"),
            ("packet_loss", "0.5 ms", "not a unit"),
            ("bandwidth", "0 Mbit", "no wire"),
            ("bandwidth", "1e30 Gbit", "too large"),
            ("bandwidth", "5 ms", "not a unit"),
            ("bandwidth", "", "not a rate"),
        ] {
            let (fields, wrongs) = said(&[(name, text)], UnitsSpec::default());
            assert!(wrongs.len() == 1 && wrongs[0].contains(word), "{name} {text}: {wrongs:?}");
            assert_eq!(fields, "");
        }
        let twice = said(&[("latency", "1 ms"), ("delay", "2 ms")], UnitsSpec::default());
        assert!(twice.1[0].contains("`latency` and `delay` both say it"));
    }
}

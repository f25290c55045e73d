//! Names that differ in a number at their end: members of a group.

/// Fewer nodes or links of a group are shown one by one.
pub(crate) const FEWEST: usize = 3;
/// Fewer workloads of a group are: what each measured is what people look for.
pub(crate) const FEWEST_WORKLOADS: usize = 4;

/// A name that ends in a number, and the number.
pub(crate) fn numbered(name: &str) -> Option<(&str, u64)> {
    let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
    // `a-01` and `a-1` are two names
    let digits = &name[stem.len()..];
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some((stem, number))
}

/// What members of a group share: the name without its number, and the end likewise: `staff-12.wlan0` is of `staff-`.
pub(crate) fn stem(name: &str) -> String {
    let part = |part: &str| numbered(part).map_or_else(|| part.to_owned(), |(stem, _)| format!("{stem}*"));
    let mut parts = name.splitn(2, '.');
    let (first, rest) = (parts.next().unwrap_or_default(), parts.next());
    // an interface's number says which one, not which member
    rest.map_or_else(|| part(first), |rest| format!("{}.{rest}", part(first)))
}

/// `wifi-1 … wifi-12`, or the name itself.
pub(crate) fn from_to<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    let first = names.next().unwrap_or_default();
    names.last().map_or_else(|| first.to_owned(), |last| format!("{first} … {last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_share_a_stem() {
        assert_eq!(
            ["staff-12.wlan0", "staff-1.wlan0", "ap", "r2.eth1"].map(stem),
            ["staff-*.wlan0", "staff-*.wlan0", "ap", "r*.eth1"]
        );
        assert_eq!(numbered("a-01"), None);
        assert_eq!(numbered("7"), Some(("", 7)));
        assert_eq!(numbered("x99999999999999999999999"), None);
        assert_eq!([from_to(["a"].into_iter()), from_to(["a-1", "a-2", "a-3"].into_iter())], ["a", "a-1 … a-3"]);
    }
}

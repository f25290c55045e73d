//! What stands behind `icmp_type` in a rule.

use schemars::{Schema, json_schema};

use crate::diag::suggestion;
use crate::model::only::value::{Term, Written};
use crate::wire::icmp::{v4, v6};

/// A type of ICMP, perhaps with a code.
type Type = (u8, Option<u8>);

/// A type of ICMP, by a name that both versions share or by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IcmpType {
    /// In each version, if it has such a type.
    Named(&'static str, Option<Type>, Option<Type>),
    /// In the version that `protocol` says.
    Number(u8),
}

impl IcmpType {
    const NAMES: [(&'static str, Option<Type>, Option<Type>); 7] = [
        ("echo_request", Some((v4::ECHO_REQUEST, None)), Some((v6::ECHO_REQUEST, None))),
        ("echo_reply", Some((v4::ECHO_REPLY, None)), Some((v6::ECHO_REPLY, None))),
        ("unreachable", Some((v4::UNREACHABLE, None)), Some((v6::UNREACHABLE, None))),
        // what path MTU discovery lives on: RFC 1191, RFC 8201
        (
            "packet_too_big",
            Some((v4::UNREACHABLE, Some(v4::CODE_FRAGMENTATION_NEEDED))),
            Some((v6::PACKET_TOO_BIG, None)),
        ),
        ("time_exceeded", Some((v4::TIME_EXCEEDED, None)), Some((v6::TIME_EXCEEDED, None))),
        ("parameter_problem", Some((v4::PARAMETER_PROBLEM, None)), Some((v6::PARAMETER_PROBLEM, None))),
        ("redirect", Some((v4::REDIRECT, None)), Some((v6::REDIRECT, None))),
    ];

    fn names() -> impl Iterator<Item = &'static str> + Clone {
        IcmpType::NAMES.iter().map(|(name, ..)| *name)
    }

    /// Whether it has a number alone, which means something else in each version.
    pub(crate) fn is_number(self) -> bool {
        matches!(self, IcmpType::Number(_))
    }

    /// Whether a message of this type and code is meant.
    pub(super) fn is(self, is_v4: bool, kind: u8, code: u8) -> bool {
        match self {
            IcmpType::Number(number) => number == kind,
            IcmpType::Named(_, four, six) => (if is_v4 { four } else { six })
                .is_some_and(|(wanted, only)| wanted == kind && only.is_none_or(|only| only == code)),
        }
    }
}

impl Term for IcmpType {
    const EXPECTED: &'static str = "a type of ICMP: `echo_request`, `packet_too_big`, …, or its number";
    fn from_text(text: &str) -> Result<IcmpType, String> {
        let known = IcmpType::NAMES.iter().find(|(name, ..)| *name == text);
        known.map(|(name, four, six)| IcmpType::Named(name, *four, *six)).ok_or_else(|| {
            let help = suggestion(text, IcmpType::names());
            format!("`{text}` is no type of ICMP with a name here: {help}; any other goes by its number, 0 to 255")
        })
    }
    fn from_number(number: u64) -> Result<IcmpType, String> {
        let number = u8::try_from(number).map_err(|_| format!("{number} is no type of ICMP: they go from 0 to 255"))?;
        Ok(IcmpType::Number(number))
    }
    fn written(&self) -> Written {
        match self {
            IcmpType::Named(name, ..) => Written::Text((*name).into()),
            IcmpType::Number(number) => Written::Number((*number).into()),
        }
    }
    fn schema() -> Schema {
        let names: Vec<_> = IcmpType::names().collect();
        json_schema!({ "anyOf": [{ "enum": names }, { "type": "integer", "minimum": 0, "maximum": 255 }] })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::form::from_json;
    use crate::model::only::value::{Many, flow};

    fn again<T: Term>(value: serde_json::Value) -> Result<String, String> {
        from_json::<Many<T>>(value).map(|many| flow(&many.written()))
    }

    #[test]
    fn types_of_icmp_by_name_mean_both_versions() {
        assert_eq!(
            again::<IcmpType>(json!(["echo_request", 13, "packet_too_big"])).unwrap(),
            "[echo_request, 13, packet_too_big]"
        );
        let ping = IcmpType::from_text("echo_request").unwrap();
        assert!(ping.is(true, 8, 0) && ping.is(false, 128, 0) && !ping.is(false, 8, 0) && !ping.is(true, 0, 0));
        let large = IcmpType::from_text("packet_too_big").unwrap();
        assert!(large.is(true, 3, 4) && !large.is(true, 3, 1) && large.is(false, 2, 0) && !large.is(false, 3, 4));
        assert!(IcmpType::Number(13).is(true, 13, 7) && IcmpType::Number(13).is_number() && !ping.is_number());
        assert!(again::<IcmpType>(json!("echo-request")).unwrap_err().contains("did you mean `echo_request`?"));
        assert!(again::<IcmpType>(json!(256)).unwrap_err().contains("0 to 255"));
    }
}

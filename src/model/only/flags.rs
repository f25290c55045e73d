//! Flags of TCP, as rules name them: `syn`, `syn+ack`, `syn+!ack`.

use schemars::{Schema, json_schema};

use super::value::{Term, Written};
use crate::diag::suggestion;
use crate::wire::tcp::Flags;

/// Flags of TCP that are set, and flags that are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlagTest {
    set: Flags,
    unset: Flags,
}

impl FlagTest {
    const NAMES: [(&'static str, Flags); 8] = [
        ("fin", Flags::FIN),
        ("syn", Flags::SYN),
        ("rst", Flags::RST),
        ("psh", Flags::PSH),
        ("ack", Flags::ACK),
        ("urg", Flags::URG),
        ("ece", Flags::ECE),
        ("cwr", Flags::CWR),
    ];

    /// Whether it asks for no flag that is set.
    pub(super) fn is_negative(self) -> bool {
        self.set.0 == 0
    }

    /// Whether a segment with these flags is meant.
    #[inline]
    pub(crate) fn holds(self, flags: Flags) -> bool {
        flags.contains(self.set) && (flags & self.unset).0 == 0
    }
}

impl Term for FlagTest {
    const EXPECTED: &'static str = "flags of TCP, as in `rst`, `syn+ack` or `syn+!ack`";
    fn from_text(text: &str) -> Result<FlagTest, String> {
        let mut test = FlagTest { set: Flags(0), unset: Flags(0) };
        for word in text.split('+').map(str::trim) {
            let (name, wanted) = match word.strip_prefix('!') {
                Some(name) => (name.trim(), &mut test.unset),
                None => (word, &mut test.set),
            };
            let Some((_, flag)) = FlagTest::NAMES.iter().find(|(known, _)| *known == name) else {
                let help = suggestion(name, FlagTest::NAMES.iter().map(|(name, _)| *name));
                return Err(format!("`{name}` is no flag of TCP: {help}; several as in `syn+ack` or `syn+!ack`"));
            };
            *wanted = *wanted | *flag;
        }
        match (test.set & test.unset).0 {
            0 => Ok(test),
            _ => Err(format!("no segment has and lacks the same flag, as `{text}` asks: take one of them away")),
        }
    }
    fn from_number(number: u64) -> Result<FlagTest, String> {
        FlagTest::from_text(&number.to_string())
    }
    fn written(&self) -> Written {
        let words = FlagTest::NAMES.iter().filter_map(|(name, flag)| {
            let plain = self.set.contains(*flag).then(|| (*name).to_owned());
            plain.or_else(|| self.unset.contains(*flag).then(|| format!("!{name}")))
        });
        Written::Text(words.collect::<Vec<_>>().join("+").into())
    }
    fn schema() -> Schema {
        let flag = "!?(fin|syn|rst|psh|ack|urg|ece|cwr)";
        json_schema!({ "type": "string", "pattern": format!("^{flag}(\\+{flag})*$") })
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
    fn flags_that_are_set_and_flags_that_are_not() {
        assert_eq!(again::<FlagTest>(json!(["rst", "ack+ syn", "syn+!ack"])).unwrap(), "[rst, syn+ack, syn+!ack]");
        let opens = FlagTest::from_text("syn+!ack").unwrap();
        assert!(opens.holds(Flags::SYN) && !opens.holds(Flags::SYN | Flags::ACK) && !opens.holds(Flags::RST));
        assert!(FlagTest::from_text("syn").unwrap().holds(Flags::SYN | Flags::ACK));
        assert!(again::<FlagTest>(json!("syn,ack")).unwrap_err().contains("as in `syn+ack`"));
        assert!(again::<FlagTest>(json!("sny")).unwrap_err().contains("did you mean `syn`?"));
        assert!(again::<FlagTest>(json!("syn+!syn")).unwrap_err().contains("has and lacks"));
    }
}

//! The words of an expectation, each with its place in the text.

use indexmap::IndexMap;

/// A stretch of an expectation's text, in bytes. Where something stands does not say what it is: any two are equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// The first byte.
    pub start: usize,
    /// Behind the last byte.
    pub end: usize,
}

impl PartialEq for Place {
    fn eq(&self, _: &Place) -> bool {
        true
    }
}

impl Place {
    /// From the beginning of one to the end of another.
    pub fn to(self, other: Place) -> Place {
        Place { start: self.start, end: other.end.max(self.end) }
    }
}

/// What is wrong with a text, and where in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
}

impl Fault {
    /// A fault at a place.
    pub fn new(place: Place, message: impl Into<String>) -> Fault {
        Fault { place, message: message.into(), help: None }
    }

    /// Adds what to write instead.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Fault {
        self.help = Some(help.into());
        self
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
}

impl Op {
    /// All of them, longer ones first.
    pub const ALL: [(&'static str, Op); 6] = [
        ("==", Op::Equal),
        ("!=", Op::Unequal),
        ("<=", Op::AtMost),
        (">=", Op::AtLeast),
        ("<", Op::Less),
        (">", Op::More),
    ];

    /// As it is written.
    pub fn sign(self) -> &'static str {
        Op::ALL.iter().find(|(_, op)| *op == self).map_or("", |(sign, _)| sign)
    }
}

/// A word of the text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A path, a keyword, a quantity, or part of one.
    Word(String),
    /// A comparison.
    Op(Op),
    /// `+`
    Plus,
}

/// A word with its place.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) place: Place,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '%' | '/' | ':' | 'µ' | '$')
}

/// Splits a text into words. `$NAME` becomes the parameter's value.
pub(super) fn split(text: &str, params: &IndexMap<String, String>) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        }
        let (kind, len) = if let Some((sign, op)) = Op::ALL.iter().find(|(sign, _)| rest.starts_with(sign)) {
            (Kind::Op(*op), sign.len())
        } else if first == '+' {
            (Kind::Plus, 1)
        } else if is_word(first) {
            let len = word(text, at)?;
            (Kind::Word(rest[..len].to_owned()), len)
        } else {
            let place = Place { start: at, end: at + first.len_utf8() };
            let fault = Fault::new(place, format!("`{first}` has no meaning in an expectation"));
            return Err(match first {
                '=' => fault.help("equality is written `==`"),
                '≤' => fault.help("write `<=`"),
                '≥' => fault.help("write `>=`"),
                '"' | '\'' => fault.help("quotes stand around a rule's name only, as in `gw.firewall.\"no mail\"`"),
                _ => fault.help("as in `rtt.p99 < 60ms`"),
            });
        };
        let place = Place { start: at, end: at + len };
        at += len;
        match kind {
            Kind::Word(name) if name.starts_with('$') => tokens.extend(parameter(&name[1..], place, params)?),
            kind => tokens.push(Token { kind, place }),
        }
    }
    Ok(tokens)
}

/// The length of the word at `at`; a quoted part of a path belongs to it.
fn word(text: &str, at: usize) -> Result<usize, Fault> {
    let mut end = at;
    while let Some(c) = text[end..].chars().next() {
        if is_word(c) {
            end += c.len_utf8();
        } else if c == '"' && text[at..end].ends_with('.') {
            match text[end + 1..].find('"') {
                Some(inner) => end += inner + 2,
                None => {
                    let place = Place { start: end, end: text.len() };
                    return Err(Fault::new(place, "this quote does not end").help("close it with another `\"`"));
                }
            }
        } else {
            break;
        }
    }
    Ok(end - at)
}

/// What a parameter stands for: `60ms`, or `100 packets`.
fn parameter(name: &str, place: Place, params: &IndexMap<String, String>) -> Result<Vec<Token>, Fault> {
    let Some(value) = params.get(name) else {
        let help = if params.is_empty() {
            format!("name its value at the top: `params: {{ {name}: … }}`")
        } else {
            crate::diag::suggestion(name, params.keys().map(String::as_str))
        };
        return Err(Fault::new(place, format!("unknown parameter `${name}`")).help(help));
    };
    let words = value.split_whitespace();
    Ok(words.map(|word| Token { kind: Kind::Word(word.to_owned()), place }).collect())
}

/// A text with the values of parameters in place of their names, as reports show it.
pub(super) fn with_parameters(text: &str, params: &IndexMap<String, String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        let end = from[1..].find(|c: char| !is_word(c)).map_or(from.len(), |end| end + 1);
        out.push_str(params.get(&from[1..end]).map_or(&from[..end], String::as_str));
        rest = &from[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let params = IndexMap::from([("most".to_owned(), "100 packets".to_owned())]);
        let show = |token: Token| match token.kind {
            Kind::Word(word) => word,
            Kind::Op(op) => op.sign().to_owned(),
            Kind::Plus => "+".to_owned(),
        };
        match split(text, &params) {
            Ok(tokens) => tokens.into_iter().map(show).collect(),
            Err(fault) => vec![format!("{}..{} {}", fault.place.start, fault.place.end, fault.message)],
        }
    }

    #[test]
    fn texts_are_split_with_and_without_spaces() {
        assert_eq!(words("rtt.p99<60ms"), ["rtt.p99", "<", "60ms"]);
        assert_eq!(
            words("a.loss from worse+2s to 15 s >= 0.5%"),
            ["a.loss", "from", "worse", "+", "2s", "to", "15", "s", ">=", "0.5%"]
        );
        assert_eq!(words(r#"gw.firewall."no mail".bytes == 0"#), [r#"gw.firewall."no mail".bytes"#, "==", "0"]);
        assert_eq!(words("x.y != -5"), ["x.y", "!=", "-5"]);
        assert_eq!(words("wifi.queue.max < $most"), ["wifi.queue.max", "<", "100", "packets"]);
    }

    #[test]
    fn mistakes_have_places() {
        assert_eq!(words("a = 5"), ["2..3 `=` has no meaning in an expectation"]);
        assert_eq!(words(r#"a."b == 5"#), ["2..9 this quote does not end"]);
        assert_eq!(words("a < $mots"), ["4..9 unknown parameter `$mots`"]);
    }

    #[test]
    fn reports_show_what_parameters_stood_for() {
        let params = IndexMap::from([("x".to_owned(), "5%".to_owned())]);
        assert_eq!(with_parameters("a.loss < $x or $y", &params), "a.loss < 5% or $y");
    }
}

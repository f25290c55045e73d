//! Words → [`Statement`].
//!
//! ```text
//! expectation = [ "all" ] ( comparison | reach )
//! comparison  = [ "always" | "never" ] PATH [ window ] relation
//! relation    = OP operand | "within" VALUE "of" operand
//! reach       = HOST ( "reaches" | "does" "not" "reach" ) HOST [ "within" DURATION ] [ window ]
//! window      = "from" time "to" time | "between" time "and" time | "after" time | "before" time
//! time        = DURATION | ( MARK | WORKLOAD ".started" | WORKLOAD ".ended" | "end" ) [ "+" DURATION ]
//! ```
//! A window may also stand at the end.

use indexmap::IndexMap;

use super::quantity::Quantity;
use super::syntax::{Base, Form, Operand, Path, Quantifier, Relation, Statement, Time, Window};
use super::token::{Fault, Kind, Place, Token, split};
use crate::units::Duration;

/// Reads an expectation.
///
/// # Errors
/// What is wrong, and where in the text.
pub fn parse(text: &str, params: &IndexMap<String, String>) -> Result<Statement, Fault> {
    let mut parser = Parser { tokens: split(text, params)?, at: 0, end: text.trim_end().len() };
    let statement = parser.statement()?;
    match parser.tokens.get(parser.at) {
        None => Ok(statement),
        Some(token) => {
            let place = token.place.to(parser.tokens[parser.tokens.len() - 1].place);
            let extra = &text[place.start..place.end];
            let fault = Fault::new(place, format!("`{extra}` is too much: the expectation has ended before it"));
            Err(fault.help(match &token.kind {
                Kind::Word(word) if word == "and" || word == "or" => "write two expectations",
                _ => "take it away",
            }))
        }
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    end: usize,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn peek_word(&self) -> Option<&str> {
        match &self.peek()?.kind {
            Kind::Word(word) => Some(word),
            _ => None,
        }
    }

    fn place(&self) -> Place {
        self.peek().map_or(Place { start: self.end, end: self.end }, |token| token.place)
    }

    fn accept(&mut self, keyword: &str) -> bool {
        let there = self.peek_word() == Some(keyword);
        self.at += usize::from(there);
        there
    }

    fn expect(&mut self, keyword: &str, help: &str) -> Result<(), Fault> {
        if self.accept(keyword) {
            return Ok(());
        }
        Err(Fault::new(self.place(), format!("expected `{keyword}`, found {}", self.describe())).help(help))
    }

    /// What stands here, for messages.
    fn describe(&self) -> String {
        match self.peek().map(|token| &token.kind) {
            None => "nothing".into(),
            Some(Kind::Word(word)) => format!("`{word}`"),
            Some(Kind::Op(op)) => format!("`{}`", op.sign()),
            Some(Kind::Plus) => "`+`".into(),
        }
    }

    fn word(&mut self, wanted: &str, help: &str) -> Result<(String, Place), Fault> {
        let place = self.place();
        match self.peek_word() {
            Some(word) => {
                let word = word.to_owned();
                self.at += 1;
                Ok((word, place))
            }
            None => Err(Fault::new(place, format!("expected {wanted}, found {}", self.describe())).help(help)),
        }
    }

    fn statement(&mut self) -> Result<Statement, Fault> {
        let all = self.accept("all");
        let quantifier = if self.accept("always") {
            Some(Quantifier::Always)
        } else if self.accept("never") {
            Some(Quantifier::Never)
        } else {
            None
        };
        let (word, place) = self.word("a path", "an expectation begins with a path, as in `rtt.p99 < 60ms`")?;
        if Quantity::parse(&word).is_some() {
            let fault = Fault::new(place, format!("expected a path, found `{word}`"));
            return Err(fault.help("what is measured comes first, as in `rtt.p99 < 60ms`"));
        }
        let left = path(&word, place);
        let not = match self.peek_word() {
            Some("reaches" | "reach") => false,
            Some("does" | "do") => true,
            _ => return Ok(Statement { all, form: self.compare(quantifier, left)? }),
        };
        if quantifier.is_some() {
            let fault = Fault::new(place, "`always` and `never` are about measures, not about who reaches whom");
            return Err(fault.help("write `alice reaches bob from 0s to 10s`, or `alice does not reach bob …`"));
        }
        self.at += 1;
        if not {
            self.expect("not", "as in `alice does not reach bob from cut to heal`")?;
            self.expect("reach", "as in `alice does not reach bob from cut to heal`")?;
        }
        Ok(Statement { all, form: self.reach(left, not)? })
    }

    fn reach(&mut self, from: Path, not: bool) -> Result<Form, Fault> {
        let (word, place) = self.word("a host", "as in `alice reaches bob within 2s after heal`")?;
        let to = path(&word, place);
        let within = if self.accept("within") { Some(self.duration()?) } else { None };
        let window = self.window()?;
        Ok(Form::Reach { from, to, not, within, window })
    }

    fn compare(&mut self, quantifier: Option<Quantifier>, left: Path) -> Result<Form, Fault> {
        let mut window = self.window()?;
        let place = self.place();
        let relation = if self.accept("within") {
            let tolerance = self.quantity("how far it may be off, as in `within 5% of 20Mbit`")?;
            self.expect("of", "as in `within 5% of 20Mbit`")?;
            match tolerance {
                Quantity::Share(share) => Relation::WithinShare(share, place),
                other => Relation::Within(other, place),
            }
        } else if let Some(Kind::Op(op)) = self.peek().map(|token| &token.kind) {
            let op = *op;
            self.at += 1;
            Relation::Op(op, place)
        } else {
            let message = format!("expected a comparison, found {}", self.describe());
            return Err(Fault::new(place, message).help("one of `==` `!=` `<` `<=` `>` `>=`, or `within 5% of`"));
        };
        let right = self.operand()?;
        if window.is_none() {
            window = self.window()?;
        }
        Ok(Form::Compare { quantifier, left, window, relation, right })
    }

    fn operand(&mut self) -> Result<Operand, Fault> {
        let start = self.at;
        let (word, place) = self.word("a value", "as in `60ms`, `5Mbit`, `2%` or `0`")?;
        if Quantity::parse(&word).is_none() {
            return Ok(Operand::Path(path(&word, place)));
        }
        self.at = start;
        let quantity = self.quantity("a value")?;
        let place = place.to(self.tokens[self.at - 1].place);
        Ok(Operand::Value(quantity, place))
    }

    /// A quantity, in one word or in two.
    fn quantity(&mut self, wanted: &str) -> Result<Quantity, Fault> {
        let (mut text, mut place) = self.word(wanted, "as in `60ms`, `5Mbit`, `2%` or `0`")?;
        let bare = text.ends_with(|c: char| c.is_ascii_digit());
        if let Some(unit) = self.peek_word().filter(|word| bare && Quantity::is_unit(word)) {
            text = format!("{text} {unit}");
            place = place.to(self.place());
            self.at += 1;
        }
        match Quantity::parse(&text) {
            Some(Ok(quantity)) => Ok(quantity),
            Some(Err(message)) => Err(Fault::new(place, message)),
            None => Err(Fault::new(place, format!("expected {wanted}, found `{text}`"))),
        }
    }

    fn duration(&mut self) -> Result<Duration, Fault> {
        let place = self.place();
        match self.quantity("a time")? {
            Quantity::Time(time) => Ok(time),
            Quantity::Number(number) => {
                let fault = Fault::new(place, format!("`{number}` has no unit"));
                Err(fault.help(format!("write `{number}s` or `{number}ms`")))
            }
            other => Err(Fault::new(place, format!("`{other}` is not a time")).help("as in `2s`")),
        }
    }

    fn window(&mut self) -> Result<Option<Window>, Fault> {
        Ok(Some(if self.accept("from") {
            let from = self.time()?;
            self.expect("to", "as in `from 10s to 15s`; `after 10s` goes to the end of the run")?;
            Window::FromTo(from, self.time()?)
        } else if self.accept("between") {
            let from = self.time()?;
            self.expect("and", "as in `between cut and heal`")?;
            Window::FromTo(from, self.time()?)
        } else if self.accept("after") {
            Window::After(self.time()?)
        } else if self.accept("before") {
            Window::Before(self.time()?)
        } else {
            return Ok(None);
        }))
    }

    fn time(&mut self) -> Result<Time, Fault> {
        let start = self.at;
        let (word, place) = self.word("a time", "as in `10s`, `worse`, `worse + 2s` or `fetch.ended`")?;
        if Quantity::parse(&word).is_some() {
            self.at = start;
            let offset = self.duration()?;
            return Ok(Time { base: Base::Zero, offset, place });
        }
        let base = match (word.strip_suffix(".started"), word.strip_suffix(".ended")) {
            (Some(workload), _) => Base::Started(workload.to_owned()),
            (_, Some(workload)) => Base::Ended(workload.to_owned()),
            _ if word == "end" => Base::End,
            _ => Base::Mark(word),
        };
        let mut offset = Duration::ZERO;
        if matches!(self.peek(), Some(Token { kind: Kind::Plus, .. })) {
            self.at += 1;
            offset = self.duration()?;
        }
        Ok(Time { base, offset, place })
    }
}

/// Splits a word at its points; what stands in quotes is one part.
fn path(word: &str, place: Place) -> Path {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in word.chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => parts.last_mut().expect("there is one").push(c),
        }
    }
    Path { parts, place }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::token::Op;
    use super::*;
    use crate::units::{ByteSize, Probability};

    fn read(text: &str) -> Result<Statement, Fault> {
        parse(text, &IndexMap::new())
    }

    #[test]
    fn every_form_reads_and_prints() {
        for (text, printed) in [
            ("fetch.exit == 0", ""),
            ("rtt.p99 from 0s to 10s < 60ms", "rtt.p99 from 0ms to 10s < 60ms"),
            ("rtt.p99 < 60 ms from 1s to 10s", "rtt.p99 from 1s to 10s < 60ms"),
            ("call.loss from worse to 15s < 12%", ""),
            ("call.loss between worse+2s and fetch.ended <= 12%", "call.loss from worse + 2s to fetch.ended <= 12%"),
            ("wifi.toward.ap.dropped.queue_full == 0", ""),
            ("fast.goodput > slow.goodput", ""),
            ("fast.goodput within 5% of 20Mbit", ""),
            ("rtt.p50 within 5ms of other.p50", ""),
            ("alice reaches bob within 2s after heal", ""),
            ("alice does not reach bob from cut to heal", ""),
            ("all clients reach 10.0.0.1 within 1s", "all clients reaches 10.0.0.1 within 1s"),
            ("alice.wlan0 reaches fd00::2 within 1s", ""),
            ("always wifi.queue < 100 packets", ""),
            ("never call.interval.loss before end > 50%", ""),
            ("all rtt.p99 after fetch.started < 60ms", ""),
            (r#"gw.firewall."no mail".bytes == 0B"#, ""),
            ("call.ok == true", ""),
        ] {
            let statement = read(text).unwrap_or_else(|fault| panic!("{text}: {fault:?}"));
            assert_eq!(statement.to_string(), if printed.is_empty() { text } else { printed });
            assert_eq!(read(&statement.to_string()), Ok(statement), "{text}");
        }
    }

    #[test]
    fn mistakes_have_a_place_and_a_cure() {
        for (text, from, part) in [
            ("", 0, "expected a path, found nothing"),
            ("60ms > rtt.p99", 0, "expected a path, found"),
            ("rtt.p99", 7, "expected a comparison, found nothing"),
            ("rtt.p99 <", 9, "expected a value, found nothing"),
            ("rtt.p99 from 0s 10s < 5ms", 16, "expected `to`, found"),
            ("rtt.p99 from 0 to 10s < 5ms", 13, "has no unit"),
            ("rtt.p99 < 5ms and rtt.p50 < 2ms", 14, "is too much"),
            ("rtt.p99 within 5% 20ms", 18, "expected `of`, found"),
            ("alice does reach bob", 11, "expected `not`, found"),
            ("always alice reaches bob", 7, "about measures"),
            ("rtt.loss < 101%", 11, "at most `100%`"),
        ] {
            let fault = read(text).expect_err(text);
            assert!(fault.place.start == from && fault.message.contains(part), "{text}: {fault:?}");
        }
    }

    fn name() -> impl Strategy<Value = String> {
        // no digit first, so that it is no quantity; no word of the grammar
        "[a-z][a-z0-9_-]{0,6}x"
    }

    fn some_path() -> impl Strategy<Value = Path> {
        (name(), prop::collection::vec("[a-z][a-z0-9 :_-]{0,8}", 1..4)).prop_map(|(first, rest)| Path {
            parts: std::iter::once(first).chain(rest).collect(),
            place: Place::default(),
        })
    }

    fn duration() -> impl Strategy<Value = Duration> {
        (0u64..10_000_000_000_000).prop_map(Duration::from_nanos)
    }

    fn quantity() -> impl Strategy<Value = Quantity> {
        prop_oneof![
            duration().prop_map(Quantity::Time),
            (0u64..1_000_000_000_000).prop_map(Quantity::Rate),
            (0u64..=1_000_000_000_000).prop_map(|p| Quantity::Share(Probability::from_parts(p).expect("a share"))),
            any::<u64>().prop_map(|n| Quantity::Size(ByteSize::from_bytes(n))),
            (any::<u64>(), prop::sample::select(vec!["packets", "mapping"]))
                .prop_map(|(n, noun)| Quantity::Count(n, noun)),
            (-1e12..1e12).prop_map(Quantity::Number),
            any::<bool>().prop_map(Quantity::Truth),
        ]
    }

    fn time() -> impl Strategy<Value = Time> {
        let base = prop_oneof![
            Just(Base::Zero),
            Just(Base::End),
            name().prop_map(Base::Mark),
            name().prop_map(Base::Started),
            name().prop_map(Base::Ended),
        ];
        (base, duration()).prop_map(|(base, offset)| Time { base, offset, place: Place::default() })
    }

    fn window() -> impl Strategy<Value = Option<Window>> {
        prop::option::of(prop_oneof![
            (time(), time()).prop_map(|(a, b)| Window::FromTo(a, b)),
            time().prop_map(Window::After),
            time().prop_map(Window::Before),
        ])
    }

    fn form() -> impl Strategy<Value = Form> {
        let place = Place::default();
        let op = prop::sample::select(Op::ALL.map(|(_, op)| op).to_vec());
        let relation = prop_oneof![
            op.prop_map(move |op| Relation::Op(op, place)),
            quantity().prop_map(move |q| match q {
                Quantity::Share(share) => Relation::WithinShare(share, place),
                other => Relation::Within(other, place),
            }),
        ];
        let right =
            prop_oneof![quantity().prop_map(move |q| Operand::Value(q, place)), some_path().prop_map(Operand::Path)];
        let quantifier = prop::option::of(prop::sample::select(vec![Quantifier::Always, Quantifier::Never]));
        let compare = (quantifier, some_path(), window(), relation, right).prop_map(
            |(quantifier, left, window, relation, right)| Form::Compare { quantifier, left, window, relation, right },
        );
        let reach = (some_path(), some_path(), any::<bool>(), prop::option::of(duration()), window())
            .prop_map(|(from, to, not, within, window)| Form::Reach { from, to, not, within, window });
        prop_oneof![compare, reach]
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same(all in any::<bool>(), form in form()) {
            let statement = Statement { all, form };
            let text = statement.to_string();
            prop_assert_eq!(read(&text), Ok(statement), "{}", text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a-z0-9 .+<>=!%\"$µ-]{0,40}") {
            let _ = read(&text);
        }
    }
}

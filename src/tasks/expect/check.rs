//! Expectations against the scenario: that what they name is there, can be compared so, and lies within the run.

use indexmap::IndexMap;

use super::measure::{Measure, Names, over_time_beside};
use super::probe::{Probe, Probes};
use super::quantity::Quantity;
use super::spec::{Item, items};
use super::syntax::{Base, Form, Operand, Path, Quantifier, Relation, Statement, Time, Window};
use super::token::{Fault, Op, Place, with_parameters};
use super::{Check, Claim, Compare, Expectation, Reach, Right, grammar};
use crate::diag::{Diagnostics, Sources, suggestion};
use crate::language::tree::Node;
use crate::measured::Unit;
use crate::measured::catalogue::{Requests, Source};
use crate::tasks::reach::Hosts;
use crate::tasks::spec::{Workload, WorkloadKind};
use crate::units::Duration;

/// Intervals of built-in workloads; a window shorter than two need not hold a whole one.
const SHORTEST: Duration = Duration::from_millis(200);

/// What expectations may name.
pub(crate) struct Surroundings<'a> {
    /// Workloads, links and nodes.
    pub names: Names<'a>,
    /// Who can reach whom.
    pub hosts: &'a Hosts<'a>,
    /// Marks of the timeline, with their times where those are known beforehand.
    pub marks: IndexMap<String, Option<Duration>>,
    /// Values of parameters.
    pub params: &'a IndexMap<String, String>,
    /// How often directions are looked at; `None`: never.
    pub series: Option<Duration>,
    /// How long the run lasts, if the scenario says.
    pub duration: Option<Duration>,
    /// Names of what could not be read: nothing more is told of them.
    pub silent: Vec<&'a str>,
    /// The texts that spans point into.
    pub sources: &'a Sources,
}

/// Reads and checks `expect:`. The expectations, and the probes that they need.
pub(crate) fn plan(
    section: Option<&Node>,
    around: &Surroundings<'_>,
    diagnostics: &mut Diagnostics,
) -> (Vec<Expectation>, IndexMap<String, Workload>) {
    let mut probes = Probes::default();
    let mut all = Vec::new();
    for item in items(section, around.sources, diagnostics) {
        let mut check = Checker { around, item: &item, probes: &mut probes, diagnostics };
        match grammar::parse(item.text, around.params).and_then(|statement| check.claims(&statement)) {
            Ok(claims) if claims.is_empty() => {} // what is wrong has been told
            Ok(claims) => all.push(Expectation {
                name: item.name.clone(),
                text: with_parameters(item.text.trim(), around.params),
                span: item.span,
                claims,
            }),
            Err(fault) => item.tell(fault, around.sources, diagnostics),
        }
    }
    (all, probes.workloads)
}

struct Checker<'a> {
    around: &'a Surroundings<'a>,
    item: &'a Item<'a>,
    probes: &'a mut Probes,
    diagnostics: &'a mut Diagnostics,
}

impl Checker<'_> {
    /// What is claimed: once, or for each member of a group. Nothing where a mistake elsewhere has been told.
    fn claims(&mut self, statement: &Statement) -> Result<Vec<Claim>, Fault> {
        match &statement.form {
            Form::Compare { quantifier, left, window, relation, right } => {
                let mut names = vec![left.parts[0].as_str()];
                if let Operand::Path(path) = right {
                    names.push(&path.parts[0]);
                }
                if names.iter().any(|name| self.around.silent.contains(name)) {
                    return Ok(Vec::new());
                }
                let one = |member: Option<&str>, other: Option<&str>| {
                    let check = self.compare(*quantifier, (left, member), window.as_ref(), relation, (right, other))?;
                    Ok(Claim { member: member.map(str::to_owned), check: Check::Compare(Box::new(check)) })
                };
                self.each(statement.all, left, if let Operand::Path(path) = right { Some(path) } else { None }, one)
            }
            Form::Reach { from, to, not, within, window } => {
                let silent = |path: &Path| self.around.silent.contains(&path.parts[0].as_str());
                if silent(from) || silent(to) {
                    return Ok(Vec::new());
                }
                self.reach(statement.all, [from, to], *not, *within, window.as_ref())
            }
        }
    }

    /// Pairs the members of one group, or of two.
    fn each(
        &self,
        all: bool,
        left: &Path,
        right: Option<&Path>,
        one: impl Fn(Option<&str>, Option<&str>) -> Result<Claim, Fault>,
    ) -> Result<Vec<Claim>, Fault> {
        if !all {
            return Ok(vec![one(None, None)?]);
        }
        let members = self.group(left)?;
        let others = right.and_then(|right| self.around.names.members(&right.parts[0]));
        if let (Some(others), Some(right)) = (others, right)
            && others.len() != members.len()
        {
            let message =
                format!("`{}` has {} members, `{}` has {}", left.parts[0], members.len(), right.parts[0], others.len());
            return Err(Fault::new(right.place, message).help("groups of one size are paired by number"));
        }
        let other = |n: usize| others.and_then(|others| others.get(n)).map(String::as_str);
        let members = members.iter().enumerate().filter(|(_, member)| !self.around.silent.contains(&member.as_str()));
        members.map(|(n, member)| one(Some(member), other(n))).collect()
    }

    fn group(&self, path: &Path) -> Result<&[String], Fault> {
        let name = &path.parts[0];
        self.around.names.members(name).ok_or_else(|| {
            let names = self.around.names.groups.iter().map(|(name, _)| name).collect::<Vec<_>>();
            let fault = Fault::new(path.place, format!("`{name}` is not a group, of which `all` could be expected"));
            fault.help(if names.is_empty() { "take `all` away".to_owned() } else { suggestion(name, names) })
        })
    }

    fn compare(
        &self,
        quantifier: Option<Quantifier>,
        (left, member): (&Path, Option<&str>),
        window: Option<&Window>,
        relation: &Relation,
        (right, other): (&Operand, Option<&str>),
    ) -> Result<Compare, Fault> {
        let measure = self.around.names.measure(left, member)?;
        let window = window.map(|window| self.own_times(window, left, member));
        self.quantified(quantifier, &measure, left.place)?;
        self.fits_window(&measure, window.as_ref(), left.place)?;
        let is_op = |wanted: &[Op]| matches!(relation, Relation::Op(op, _) if wanted.contains(op));
        let (Relation::Op(_, place) | Relation::WithinShare(_, place) | Relation::Within(_, place)) = relation;
        if measure.unit == Unit::Truth && !is_op(&[Op::Equal, Op::Unequal]) {
            let fault = Fault::new(*place, format!("`{}` is true or false: it is neither more nor less", measure.path));
            return Err(fault.help("write `== true` or `== false`"));
        }
        if let Relation::Within(tolerance, place) = relation {
            self.same_unit(&measure, tolerance, *place)?;
        }
        let (shown, right) = match right {
            Operand::Value(quantity, place) => {
                self.same_unit(&measure, quantity, *place)?;
                (quantity.to_string(), Right::Value(quantity.value()))
            }
            Operand::Path(path) => {
                let right = self.right(path, other, &measure, quantifier, window.as_ref())?;
                (right.path.clone(), Right::Measure(right))
            }
        };
        let expected = match relation {
            Relation::Op(op, _) => format!("{} {shown}", op.sign()),
            Relation::WithinShare(share, _) => format!("within {share} of {shown}"),
            Relation::Within(quantity, _) => format!("within {quantity} of {shown}"),
        };
        Ok(Compare { quantifier, measure, window, relation: relation.clone(), right, expected })
    }

    fn right(
        &self,
        path: &Path,
        member: Option<&str>,
        left: &Measure,
        quantifier: Option<Quantifier>,
        window: Option<&Window>,
    ) -> Result<Measure, Fault> {
        if path.parts.len() == 1 && !self.around.names.known().contains(&path.parts[0].as_str()) {
            let fault = Fault::new(path.place, format!("`{}` is neither a value nor a path", path.parts[0]));
            return Err(fault.help(format!(
                "`{}` is {}: as in `{}`",
                left.path,
                left.unit.word(),
                left.unit.example()
            )));
        }
        let right = self.around.names.measure(path, member)?;
        if quantifier.is_some() || right.over_time {
            let fault =
                Fault::new(path.place, "what changes over time is compared with a value, not with another measure");
            return Err(fault.help(format!("as in `{}`", left.unit.example())));
        }
        if !left.unit.fits(right.unit) {
            let message = format!(
                "`{}` is {}, `{}` is {}: they cannot be compared",
                left.path,
                left.unit.word(),
                right.path,
                right.unit.word()
            );
            return Err(Fault::new(path.place, message));
        }
        if right.subject.is_both_ways() {
            let fault = Fault::new(path.place, format!("`{}` has two values, one for each direction", right.path));
            return Err(fault.help(format!("say which: `{}.toward.END.…`", path.parts[0])));
        }
        self.fits_window(&right, window, path.place)?;
        Ok(right)
    }

    fn quantified(&self, quantifier: Option<Quantifier>, measure: &Measure, place: Place) -> Result<(), Fault> {
        let path = &measure.path;
        if quantifier.is_some() == measure.over_time {
            return Ok(());
        }
        if measure.over_time {
            let fault = Fault::new(place, format!("`{path}` has a value for each instant, not one for all"));
            return Err(fault.help(format!("write `always {path} < …` or `never {path} > …`")));
        }
        let beside = over_time_beside(measure);
        let fault = Fault::new(
            place,
            format!("`{path}` is one value for the whole run or window: `always` and `never` are for those over time"),
        );
        Err(fault.help(match beside[..] {
            [] => "take the word away".to_owned(),
            _ => format!("take the word away, or name one of `{}`", beside.join("`, `")),
        }))
    }

    fn same_unit(&self, measure: &Measure, quantity: &Quantity, place: Place) -> Result<(), Fault> {
        if measure.unit.fits(quantity.unit()) {
            return Ok(());
        }
        let (path, example) = (&measure.path, measure.unit.example());
        if let Quantity::Number(number) = quantity {
            let fault = Fault::new(place, format!("`{path}` is {}, and `{number}` has no unit", measure.unit.word()));
            return Err(match measure.unit {
                Unit::Time => fault.help(format!("write `{number}ms` (units: ns us ms s m h)")),
                Unit::Rate => fault.help(format!("write `{number}Mbit` (units: bit kbit Mbit Gbit)")),
                Unit::Share => fault.help(format!("write `{number}%` (units: % ppm)")),
                Unit::Size => fault.help(format!("write `{number}B` (units: B kB MB GB KiB MiB GiB)")),
                _ => fault.help(format!("as in `{example}`")),
            });
        }
        let message = format!("`{path}` is {}, `{quantity}` is {}", measure.unit.word(), quantity.unit().word());
        Err(Fault::new(place, message).help(format!("compare it with {}, as in `{example}`", measure.unit.word())))
    }

    fn fits_window(&self, measure: &Measure, window: Option<&Window>, place: Place) -> Result<(), Fault> {
        if measure.needs_series[usize::from(window.is_some())] && self.around.series.is_none() {
            let fault = Fault::new(
                place,
                format!("`{}` is taken from the series, and the scenario says `series: none`", measure.path),
            );
            return Err(fault.help("write `series: 100ms`, or take that line away"));
        }
        let Some(window) = window else { return Ok(()) };
        if !measure.windows {
            let path = &measure.path;
            let fault =
                Fault::new(place, format!("`{path}` is known for the whole run only, not from one time to another"));
            return Err(match measure.source {
                Source::Delay => fault.help("take the window away, or ask a `ping` or `udp` workload over this link"),
                _ => fault.help("take the window away"),
            });
        }
        let (from, to) = self.bounds(window)?;
        let shortest = match measure.source {
            Source::Direction(_) => self.around.series,
            Source::Requests(of) if of != Requests::LossOverTime => None,
            Source::RoundTrips => None,
            _ => Some(SHORTEST),
        };
        if let (Some(from), Some(to), Some(shortest)) = (from, to, shortest)
            && to.saturating_sub(from) < shortest
        {
            let message = format!(
                "this window is shorter than {shortest}: it need not hold one whole interval of `{}`",
                measure.path
            );
            return Err(Fault::new(window_place(window), message).help("make it longer"));
        }
        Ok(())
    }

    /// `all fetch.goodput after fetch.started`: of each member its own.
    fn own_times(&self, window: &Window, path: &Path, member: Option<&str>) -> Window {
        let own = |time: &Time| {
            let name = |name: &String| match member {
                Some(member) if *name == path.parts[0] => member.to_owned(),
                _ => name.clone(),
            };
            let base = match &time.base {
                Base::Started(workload) => Base::Started(name(workload)),
                Base::Ended(workload) => Base::Ended(name(workload)),
                Base::End if self.around.marks.contains_key("end") => Base::Mark("end".into()),
                other => other.clone(),
            };
            Time { base, ..time.clone() }
        };
        match window {
            Window::FromTo(from, to) => Window::FromTo(own(from), own(to)),
            Window::After(time) => Window::After(own(time)),
            Window::Before(time) => Window::Before(own(time)),
        }
    }

    /// When a window begins and ends, as far as that is known beforehand.
    fn bounds(&self, window: &Window) -> Result<(Option<Duration>, Option<Duration>), Fault> {
        let duration = self.around.duration;
        let (from, to) = match window {
            Window::FromTo(from, to) => (self.time(from)?, self.time(to)?),
            Window::After(time) => (self.time(time)?, duration),
            Window::Before(time) => (Some(Duration::ZERO), self.time(time)?),
        };
        let place = window_place(window);
        if let (Some(from), Some(duration)) = (from, duration)
            && from >= duration
        {
            let fault = Fault::new(place, format!("at {from} the run is over: its duration is {duration}"));
            return Err(fault.help("name an earlier time, or let the run last longer"));
        }
        if let (Some(to), Some(duration)) = (to, duration)
            && to > duration
        {
            let fault = Fault::new(place, format!("it goes on until {to}, and the run's duration is {duration}"));
            return Err(fault.help("write `after …` for the rest of the run, or let the run last longer"));
        }
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(
                Fault::new(place, format!("it ends at {to}, and begins at {from}")).help("put the earlier time first")
            );
        }
        Ok((from, to))
    }

    /// When an instant is, if that is known beforehand.
    fn time(&self, time: &Time) -> Result<Option<Duration>, Fault> {
        let known = match &time.base {
            Base::Zero => Some(Duration::ZERO),
            Base::End => match self.around.marks.get("end") {
                Some(mark) => *mark,
                None if time.offset > Duration::ZERO => {
                    return Err(Fault::new(time.place, "nothing is after the end of the run").help("write `end`"));
                }
                None => self.around.duration,
            },
            Base::Mark(name) => match self.around.marks.get(name) {
                Some(known) => *known,
                None => {
                    let marks: Vec<&str> = self.around.marks.keys().map(String::as_str).collect();
                    let fault = Fault::new(time.place, format!("there is no mark `{name}` on the timeline"));
                    let name = name.split('.').next().unwrap_or_default();
                    return Err(fault.help(if self.around.names.workloads.contains_key(name) {
                        format!("a workload has two times, `{name}.started` and `{name}.ended`")
                    } else if marks.is_empty() {
                        "there are no marks: write a time, as in `10s`, or put `mark: NAME` on a step".to_owned()
                    } else {
                        suggestion(name, marks)
                    }));
                }
            },
            Base::Started(name) | Base::Ended(name) => {
                if !self.around.names.workloads.contains_key(name) {
                    let names: Vec<&str> = self.around.names.workloads.keys().map(String::as_str).collect();
                    let fault = Fault::new(time.place, format!("there is no workload `{name}`"));
                    return Err(fault.help(suggestion(name, names)));
                }
                None
            }
        };
        Ok(known.map(|known| known + time.offset))
    }

    fn reach(
        &mut self,
        all: bool,
        [from, to]: [&Path; 2],
        not: bool,
        within: Option<Duration>,
        window: Option<&Window>,
    ) -> Result<Vec<Claim>, Fault> {
        let zero = || Time { base: Base::Zero, offset: Duration::ZERO, place: from.place };
        let window = reach_window([from, to], within, window)?;
        let bounds = self.bounds(&window)?;
        let pairs = self.reach_pairs(all, [from, to])?;
        let start = match &window {
            Window::FromTo(from, _) | Window::After(from) => from.clone(),
            Window::Before(_) => zero(),
        };
        let end = match &window {
            Window::FromTo(_, to) => to.clone(),
            _ => Time { base: Base::End, ..zero() },
        };
        let probe = Probe { bounds, start: &start, within, duration: self.around.duration };
        let places = [from.place, to.place].map(|place| self.item.place(place, self.around.sources));
        let mut claims = Vec::new();
        for (member, from, to) in pairs {
            let texts = [&from, &to];
            let Some(probe) = self.probes.add(&probe, texts, places, self.around.hosts, self.diagnostics)? else {
                continue;
            };
            let reach = Reach { probe, not, from: start.clone(), to: end.clone() };
            claims.push(Claim { member, check: Check::Reach(reach) });
        }
        Ok(claims)
    }

    /// Who is to reach whom: of groups, each member with its number's, after its name.
    fn reach_pairs(&self, all: bool, [from, to]: [&Path; 2]) -> Result<Vec<(Option<String>, String, String)>, Fault> {
        let groups = &self.around.names.groups;
        let hosts = |path: &Path| groups.members(crate::topology::expand::GroupKind::Nodes, &path.parts[0]);
        let text = |path: &Path, member: Option<&String>| {
            let first = member.unwrap_or(&path.parts[0]);
            std::iter::once(first).chain(&path.parts[1..]).cloned().collect::<Vec<_>>().join(".")
        };
        match (all, hosts(from), hosts(to)) {
            (true, None, None) => Err(self.group(from).expect_err("it names no group of nodes")),
            (true, Some(a), Some(b)) if a.len() != b.len() => {
                let message = format!("`{}` has {} members, `{}` has {}", from.parts[0], a.len(), to.parts[0], b.len());
                Err(Fault::new(to.place, message).help("groups of one size are paired by number"))
            }
            (true, a, b) => {
                let members = a.or(b).unwrap_or_default().iter().enumerate();
                let of = |list: Option<&'_ [String]>, n: usize| list.and_then(|list| list.get(n)).cloned();
                let pair = |(n, member): (usize, &String)| {
                    (Some(member.clone()), text(from, of(a, n).as_ref()), text(to, of(b, n).as_ref()))
                };
                Ok(members.map(pair).collect())
            }
            (false, a, b) => match a.map(|a| (from, a)).or(b.map(|b| (to, b))) {
                Some((path, members)) => {
                    let message = format!("`{}` is a group of {}", path.parts[0], members.len());
                    let fault = Fault::new(path.place, message);
                    Err(fault.help(format!("begin with `all`, or name one: `{}`", members[0])))
                }
                None => Ok(vec![(None, text(from, None), text(to, None))]),
            },
        }
    }
}

/// When something is to be reached, from `within` and a window.
fn reach_window([from, to]: [&Path; 2], within: Option<Duration>, window: Option<&Window>) -> Result<Window, Fault> {
    let zero = |offset| Time { base: Base::Zero, offset, place: from.place };
    match (within, window) {
        (None, None) => {
            let fault = Fault::new(from.place.to(to.place), "it does not say when");
            Err(fault.help("as in `within 2s after heal`, or `from cut to heal`"))
        }
        (Some(_), Some(Window::FromTo(..) | Window::Before(_))) => {
            let fault = Fault::new(from.place.to(to.place), "`within` and `from … to` both say by when");
            Err(fault.help("keep one, or write `within 2s after heal`"))
        }
        (Some(within), Some(Window::After(time))) => {
            let end = Time { offset: time.offset + within, ..time.clone() };
            Ok(Window::FromTo(time.clone(), end))
        }
        (Some(within), None) => Ok(Window::FromTo(zero(Duration::ZERO), zero(within))),
        (None, Some(Window::Before(time))) => Ok(Window::FromTo(zero(Duration::ZERO), time.clone())),
        (None, Some(window)) => Ok(window.clone()),
    }
}

fn window_place(window: &Window) -> Place {
    match window {
        Window::FromTo(from, to) => from.place.to(to.place),
        Window::After(time) | Window::Before(time) => time.place,
    }
}

/// Has workloads keep what expectations ask of them: UDP workloads their delays by interval, where they are asked of a part of the
/// run, and all of them further percentiles.
pub(crate) fn keep_what_is_asked(expectations: &[Expectation], workloads: &mut IndexMap<String, Workload>) {
    for (measure, percentile) in super::percentiles(expectations) {
        let super::Subject::Workload(name) = &measure.subject else { continue };
        if let Some(Workload { percentiles, .. }) = workloads.get_mut(name)
            && !percentiles.contains(&percentile)
        {
            percentiles.push(percentile);
        }
    }
    for claim in expectations.iter().flat_map(|expectation| &expectation.claims) {
        if !matches!(&claim.check, Check::Compare(compare) if compare.window.is_some()) {
            continue;
        }
        for measure in claim.check.measures() {
            if let (Source::OneWay, super::Subject::Workload(name)) = (measure.source, &measure.subject)
                && let Some(Workload { kind: WorkloadKind::Udp(udp), .. }) = workloads.get_mut(name)
            {
                udp.delays_by_interval = true;
            }
        }
    }
}

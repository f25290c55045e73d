//! From `timeline:` as it stands in a file to steps in the order of their times: when each happens.

use std::collections::BTreeMap;

use super::at::{self, At, Happening, Phase};
use super::ramp::{self, Ramp};
use super::repeat::{MOST, Repeat};
use super::run;
use super::spec::{FlapSpec, StepSpec};
use super::useless::{self, Traffic};
use super::{Action, Directory, Step};
use crate::addressing::network::NetworkPlan;
use crate::addressing::network::PortPlan;
use crate::diag::{Diagnostics, Sources, Span, suggestion};
use crate::engine::{Command, Plan};
use crate::language::files::Files;
use crate::language::presets::Presets;
use crate::language::read::read;
use crate::language::spanned::Spanned;
use crate::language::tree::{Node, Value};
use crate::tasks::reach::Hosts;
use crate::tasks::set::LiveLinks;
use crate::tasks::transit::Transit;
use crate::topology::expand::Groups;
use crate::units::Duration;

/// The keys that say what a step does.
const DEEDS: [&str; 14] = [
    "set",
    "ramp",
    "reset",
    "down",
    "up",
    "flap",
    "partition",
    "heal",
    "block",
    "unblock",
    "run",
    "route",
    "rebind",
    "mark",
];

/// What steps may name.
pub(crate) struct Surroundings<'a, 'b> {
    /// The links that could be read, as the scenario has them.
    pub links: LiveLinks,
    /// The network inside.
    pub plan: &'a Plan,
    /// The hosts that could be read.
    pub network: &'a NetworkPlan,
    /// Which port of the plan is which interface.
    pub ports: &'a [PortPlan],
    /// Names that stand for several.
    pub groups: &'a Groups,
    /// Who may run programs.
    pub hosts: &'a Hosts<'a>,
    /// Names of all workloads of the file.
    pub workloads: Vec<&'a str>,
    /// What is known of the traffic.
    pub traffic: Traffic<'a>,
    /// Presets.
    pub presets: Presets,
    /// The texts that presets are added to.
    pub sources: &'a mut Sources,
    /// Names of which nothing more is told: what they name could not be read.
    pub silent: Vec<&'a str>,
    /// How long the run lasts, if the scenario says.
    pub duration: Option<Duration>,
    /// Where tables are read from.
    pub files: &'a dyn Files,
    /// Is told how links will be.
    pub transit: &'a mut Transit<'b>,
}

/// Reads and checks a timeline: first the steps that come after t = 0, in the order of their times, those of one time in the
/// order of the file; then those that come after something that happens to a workload.
pub(crate) fn plan(section: Option<&Node>, around: Surroundings<'_, '_>, diagnostics: &mut Diagnostics) -> Vec<Step> {
    let Some(section) = section.filter(|section| !section.pruned) else { return Vec::new() };
    let nodes = match &section.value {
        Value::Seq(nodes) => nodes.as_slice(),
        Value::Null => &[],
        _ => {
            let message = format!("expected a list of steps, found {}", section.describe());
            diagnostics.error(section.span, message).help("as in `- { at: 10s, down: [wifi] }`");
            &[]
        }
    };
    let later = later_marks(nodes);
    let mut check = Check { around, diagnostics, marks: BTreeMap::new(), later, ramps: 0 };
    let mut steps: Vec<(Step, Span)> = Vec::new();
    for node in nodes {
        let made = check.step(node);
        if steps.len() + made.len() > MOST {
            check
                .diagnostics
                .error(node.span, format!("the timeline comes to more than {MOST} steps here"))
                .help("repeat less often, or make ramps of fewer `steps`");
            return Vec::new();
        }
        steps.extend(made.into_iter().map(|step| (step, node.span)));
    }
    steps.sort_by(|(a, _), (b, _)| (&a.after, a.at).cmp(&(&b.after, b.at)));
    let Check { around, diagnostics, .. } = check;
    if !diagnostics.has_errors() {
        useless::warn(&steps, &around.traffic, &around.links, around.plan, diagnostics);
    }
    let mut steps: Vec<Step> = steps.into_iter().map(|(step, _)| step).collect();
    run::name_all(&mut steps);
    let Surroundings { links, files, transit, .. } = around;
    try_all(&steps, links, files, transit, diagnostics);
    steps
}

/// What a change comes to depends on those before it. Of steps whose time only the run knows either order must do: at the
/// beginning, or behind all others.
fn try_all(
    steps: &[Step],
    mut links: LiveLinks,
    files: &dyn Files,
    transit: &mut Transit<'_>,
    diagnostics: &mut Diagnostics,
) {
    let known = steps.partition_point(|step| step.after.is_none());
    let first = links.clone();
    for step in &steps[..known] {
        match step.commands(&mut links, files) {
            Ok(commands) => meets(transit, &commands, &links),
            Err(wrong) => diagnostics.append(wrong),
        }
    }
    for chain in steps[known..].chunk_by(|a, b| a.after == b.after) {
        let mut run = |mut links: LiveLinks| {
            let mut wrong = Diagnostics::default();
            for step in chain {
                match step.commands(&mut links, files) {
                    Ok(commands) => meets(transit, &commands, &links),
                    Err(more) => wrong.append(more),
                }
            }
            wrong
        };
        let early = run(first.clone());
        if early.has_errors() && run(links.clone()).has_errors() {
            diagnostics.append(early);
        }
    }
}

/// Tells how links are after a step.
fn meets(transit: &mut Transit<'_>, commands: &[Command], links: &LiveLinks) {
    for command in commands {
        if let Command::Set(direction, _) = command
            && let Some(spec) = links.direction(*direction)
        {
            transit.meets(*direction, spec);
        }
    }
}

/// All marks of the file, to tell those that stand further down from those that are nowhere.
fn later_marks(nodes: &[Node]) -> Vec<String> {
    nodes.iter().filter_map(|node| node.get("mark")?.as_text().map(str::to_owned)).collect()
}

/// A time on the timeline: what it comes after, and how long after that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) after: Option<Happening>,
    pub(super) at: Duration,
}

pub(super) struct Check<'a, 'b, 'd> {
    pub(super) around: Surroundings<'a, 'b>,
    pub(super) diagnostics: &'d mut Diagnostics,
    /// When marks are, and where they stand; no time where that could not be told.
    marks: BTreeMap<String, (Option<Moment>, Span)>,
    later: Vec<String>,
    /// How many ramps there are so far.
    ramps: usize,
}

impl Check<'_, '_, '_> {
    pub(super) fn directory(&self) -> Directory<'_> {
        let Surroundings { links, plan, network, ports, groups, .. } = &self.around;
        Directory { links, plan, network, ports, groups }
    }

    pub(super) fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.diagnostics.error(span, message).help(help);
    }

    /// Whether a text names something that could not be read, so that nothing more is told of it.
    pub(super) fn is_silent(&self, text: &str) -> bool {
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        text.split("->")
            .flat_map(|part| part.split(|c| !is_name(c)))
            .any(|word| !word.is_empty() && self.around.silent.contains(&word))
    }

    fn step(&mut self, node: &Node) -> Vec<Step> {
        let mut node = node.clone();
        if node.entries().is_none() {
            let message = format!("expected a step, found {}", node.describe());
            self.error(node.span, message, "as in `{ at: 10s, down: [wifi] }`");
            return Vec::new();
        }
        let spec: Option<StepSpec> = read(&mut node, self.diagnostics);
        let clean = !node.has_pruned();
        let Some(spec) = spec else {
            // whoever refers to its mark has not made a mistake
            if let Some(mark) = node.get("mark").and_then(Node::as_text) {
                self.marks.entry(mark.to_owned()).or_insert((None, node.span));
            }
            return Vec::new();
        };
        let says = |key: &&str| {
            node.get(key).is_some_and(|node| match &node.value {
                Value::Null => false,
                Value::Seq(list) => !list.is_empty(),
                Value::Map(entries) => !entries.is_empty(),
                Value::Scalar(_) => true,
            })
        };
        let deeds: Vec<&str> = DEEDS.into_iter().filter(says).collect();
        if deeds.is_empty() && clean {
            let span = spec.at.as_ref().map_or(node.span, |at| at.span);
            let list = DEEDS.map(|deed| format!("`{deed}`")).join(", ");
            self.error(span, "the step does nothing", format!("write one of {list} beside `at`"));
        }
        self.forbid_strays(&spec, &node, clean);
        match (deeds.contains(&"ramp"), &spec.flap, &spec.every) {
            (true, ..) => self.ramps(&spec, &node, &deeds),
            (_, Some(flap), None) => self.flap(&spec, flap, &node, clean),
            (.., Some(every)) => self.again_and_again(&spec, every, &node, clean),
            (.., None) => {
                let at = match &spec.at {
                    Some(at) => self.time(at),
                    None => {
                        if clean && spec.from.is_none() {
                            self.error(node.span, "the step does not say when", "write `at: 10s`, or `every: 2s`");
                        }
                        None
                    }
                };
                let actions = self.actions(&spec, &node, clean);
                let mark = self.mark(&spec, at.as_ref());
                let actions = actions.into_iter().chain(mark).collect();
                at.map(|Moment { after, at }| Step { after, at, actions }).into_iter().collect()
            }
        }
    }

    /// Keys that go with others only.
    fn forbid_strays(&mut self, spec: &StepSpec, node: &Node, clean: bool) {
        let ramp = node.get("ramp").is_some_and(|ramp| ramp.value != Value::Null);
        let mut stray = |is: bool, key: &str, help: &str| {
            if let Some(entry) = node.entry(key).filter(|entry| !is && clean && entry.value.value != Value::Null) {
                self.diagnostics.error(entry.key_span, format!("`{key}` does not go with this step")).help(help);
            }
        };
        let (flap, every) = (spec.flap.is_some(), spec.every.is_some());
        let spans = "`from` and `to` go with `every`, `ramp` and `flap`; write `at` for one instant";
        stray(ramp || flap || every, "from", spans);
        stray(ramp || flap || every, "to", spans);
        stray(every && !ramp && !flap, "times", "`times` goes with `every`; of `flap` it stands inside");
        stray(!(ramp || flap), "every", "`every` repeats what happens at one instant; that of `flap` stands inside");
        stray(ramp, "steps", "`steps` goes with `ramp`");
        stray(!every && !ramp, "at", "write `from`, and `to`");
        stray(!every || spec.mark.is_none(), "mark", "a mark names one instant: put it into a step of its own");
    }

    /// A step of `every`.
    fn again_and_again(&mut self, spec: &StepSpec, every: &Spanned<Duration>, node: &Node, clean: bool) -> Vec<Step> {
        let actions = self.actions(spec, node, clean);
        if every.value == Duration::ZERO {
            self.error(every.span, "`every` is 0: it would never end", "as in `every: 2s`");
            return Vec::new();
        }
        let first = match &spec.from {
            Some(from) => self.time(from),
            None => Some(Moment { after: None, at: every.value }),
        };
        let Some(Moment { after, at: first }) = first else { return Vec::new() };
        let last = match &spec.to {
            Some(to) => match self.end(to, &after) {
                Some(to) => Some(to),
                None => return Vec::new(),
            },
            // what happens when the run is over does not happen
            None if after.is_none() => {
                self.around.duration.map(|end| Duration::from_nanos(end.as_nanos().saturating_sub(1)))
            }
            None => None,
        };
        if last == Some(Duration::from_nanos(u64::MAX - 1)) && spec.times.is_none() {
            return Vec::new(); // the duration could not be read
        }
        let repeat = Repeat { first, every: every.value, times: spec.times.as_ref().map(|t| t.value), last };
        match repeat.all() {
            Some(times) if times.is_empty() => {
                self.error(every.span, "it never happens", "let `to` be later than `from`, and `times` not 0");
                Vec::new()
            }
            Some(times) => {
                times.into_iter().map(|at| Step { after: after.clone(), at, actions: actions.clone() }).collect()
            }
            None => {
                let message = format!("nothing says when it ends, or it is more often than {MOST} times");
                self.error(every.span, message, "write `times: 10`, or `to: 60s`");
                Vec::new()
            }
        }
    }

    fn flap(&mut self, spec: &StepSpec, flap: &Spanned<FlapSpec>, node: &Node, clean: bool) -> Vec<Step> {
        let FlapSpec { link, every, length, times, carrier } = &flap.value;
        let others = self.actions(spec, node, clean);
        let begin = spec.from.as_ref().or(spec.at.as_ref()).map(|at| self.time(at));
        let Some(begin) = begin else {
            self.error(flap.span, "it does not say when the flapping begins", "write `at: 10s`, or `from` and `to`");
            return Vec::new();
        };
        let mark = self.mark(spec, begin.as_ref());
        let Some(Moment { after, at: first }) = begin else { return Vec::new() };
        let length = match length {
            Some(length) if length.value >= every.value || length.value == Duration::ZERO => {
                self.error(length.span, "`for` is not between 0 and `every`", "it says how long the link stays down");
                return Vec::new();
            }
            Some(length) => length.value,
            None if every.value < Duration::from_nanos(2) => {
                self.error(every.span, "`every` is 0: it would never end", "as in `every: 2s`");
                return Vec::new();
            }
            None => every.value / 2,
        };
        // the last outage ends by then
        let last = match &spec.to {
            Some(to) => match self.end(to, &after) {
                Some(to) => Some(to.saturating_sub(length)),
                None => return Vec::new(),
            },
            None => None,
        };
        let downs = self.targets(Some(link), true);
        let carrier = carrier.is_none_or(|carrier| carrier.0);
        let repeat = Repeat { first, every: every.value, times: times.as_ref().map(|times| times.value), last };
        let Some(times) = repeat.all().filter(|times| !times.is_empty()) else {
            let help = "write `times: 5` inside, or `from` and `to` far enough apart";
            self.error(flap.span, "nothing says how often it flaps, or it never does", help);
            return Vec::new();
        };
        let (down, up) = self.down_and_up(downs, carrier);
        let mut steps =
            vec![Step { after: after.clone(), at: first, actions: mark.into_iter().chain(others).collect() }];
        for at in times {
            let Some(back) = at.as_nanos().checked_add(length.as_nanos()) else { break };
            steps.push(Step { after: after.clone(), at, actions: down.clone() });
            steps.push(Step { after: after.clone(), at: Duration::from_nanos(back), actions: up.clone() });
        }
        steps.retain(|step| !step.actions.is_empty());
        steps
    }

    fn ramps(&mut self, spec: &StepSpec, node: &Node, deeds: &[&str]) -> Vec<Step> {
        let span = node.entry("ramp").map_or(node.span, |entry| entry.key_span);
        if let Some(other) = deeds.iter().find(|deed| !["ramp", "mark"].contains(deed)) {
            let place = node.entry(other).map_or(span, |entry| entry.key_span);
            self.error(place, format!("`{other}` cannot stand beside `ramp`"), "make two steps of it");
        }
        let (Some(from), Some(to)) = (&spec.from, &spec.to) else {
            self.error(span, "it does not say from when to when it goes over", "write `from: 10s` and `to: 15s`");
            return Vec::new();
        };
        let begin = self.time(from);
        let mark = self.mark(spec, begin.as_ref());
        let changes = self.changes_of(node.get("ramp"), "ramp");
        let Some(Moment { after, at: begin }) = begin else { return Vec::new() };
        let Some(end) = self.end(to, &after) else { return Vec::new() };
        if end <= begin {
            self.error(to.span, "it ends before it begins", "let `to` be later than `from`");
            return Vec::new();
        }
        let takes = end.saturating_sub(begin);
        let steps = match &spec.steps {
            Some(steps) if !(1..=ramp::MOST).contains(&steps.value) => {
                let message = format!("{} steps are out of range: 1 to {}", steps.value, ramp::MOST);
                self.error(steps.span, message, "by default there are 100");
                return Vec::new();
            }
            Some(steps) => steps.value,
            None => ramp::usual_steps(takes),
        };
        let mut made: BTreeMap<Duration, Vec<Action>> = BTreeMap::new();
        for (links, fields, words) in changes {
            if !ramp::check(&fields, self.diagnostics) {
                continue;
            }
            if links.len() as u64 * u64::from(steps) > MOST as u64 {
                let message = format!("{} links in {steps} steps are more than {MOST} changes", links.len());
                self.error(fields.span, message, "write fewer `steps`");
                continue;
            }
            let ramp = Ramp { number: self.ramps, links, fields, words, takes, steps };
            self.ramps += 1;
            for (offset, action) in Ramp::parts(ramp) {
                made.entry(offset).or_default().push(action);
            }
        }
        if let Some(mark) = mark {
            made.entry(Duration::ZERO).or_default().push(mark);
        }
        let step = |(offset, actions): (Duration, Vec<Action>)| {
            let at = Duration::from_nanos(begin.as_nanos() + offset.as_nanos());
            Step { after: after.clone(), at, actions }
        };
        made.into_iter().map(step).collect()
    }

    /// The end of something that begins after `after`.
    fn end(&mut self, to: &Spanned<At>, after: &Option<Happening>) -> Option<Duration> {
        let end = self.time_of(to, true)?;
        if end.after != *after {
            let from = after.as_ref().map_or("t = 0".to_owned(), ToString::to_string);
            self.error(to.span, format!("`from` is counted from {from}, and `to` is not"), "count both from the same");
            return None;
        }
        Some(end.at)
    }

    fn time(&mut self, at: &Spanned<At>) -> Option<Moment> {
        self.time_of(at, false)
    }

    /// What lasts may last to the very end.
    fn time_of(&mut self, at: &Spanned<At>, is_end: bool) -> Option<Moment> {
        let (after, base, offset) = match &at.value {
            At::Zero(time) => (None, Duration::ZERO, *time),
            At::Happening(happening, offset) => {
                let known = &self.around.workloads;
                if !known.contains(&happening.workload.as_str()) {
                    let help = match self.around.groups.get(&happening.workload) {
                        Some(_) => "it is a group: name one of its members".to_owned(),
                        None => suggestion(&happening.workload, known.to_vec()),
                    };
                    self.error(at.span, format!("unknown workload `{}`", happening.workload), help);
                    return None;
                }
                (Some(happening.clone()), Duration::ZERO, *offset)
            }
            At::Mark(label, offset) => match self.marks.get(label) {
                Some((Some(moment), _)) => (moment.after.clone(), moment.at, *offset),
                Some((None, _)) => return None,
                None => {
                    let help = if self.later.contains(label) {
                        "it is set further down: a step comes after the mark that it names".to_owned()
                    } else {
                        suggestion(label, self.marks.keys().map(String::as_str).collect::<Vec<_>>())
                    };
                    self.error(at.span, format!("unknown mark `{label}`"), help);
                    return None;
                }
            },
        };
        let Some(ns) = base.as_nanos().checked_add(offset.as_nanos()) else {
            self.diagnostics.error(at.span, "that is later than longwire can count");
            return None;
        };
        let time = Duration::from_nanos(ns);
        let too_late = |end: &Duration| if is_end { time > *end } else { time >= *end };
        if let Some(duration) = self.around.duration.filter(|end| after.is_none() && too_late(end)) {
            let message = format!("at {time} the run is over: its duration is {duration}");
            self.error(at.span, message, "let it last longer, or take the step away");
        }
        Some(Moment { after, at: time })
    }

    fn mark(&mut self, spec: &StepSpec, at: Option<&Moment>) -> Option<Action> {
        let mark = spec.mark.as_ref()?;
        if !at::is_mark(mark) {
            let message = format!("`{}` cannot be a mark", mark.value);
            self.error(mark.span, message, "a letter first, then letters, digits, `-` and `_`");
            return None;
        }
        if let Some((_, first)) = self.marks.get(&mark.value) {
            self.diagnostics
                .error(mark.span, format!("there is a mark `{}` already", mark.value))
                .related(*first, "the first")
                .help("choose another name");
            return None;
        }
        self.marks.insert(mark.value.clone(), (at.cloned(), mark.span));
        Some(Action::Mark(mark.value.clone()))
    }
}

impl Happening {
    /// What happens to a workload.
    pub fn of(workload: &str, phase: Phase) -> Happening {
        Happening { workload: workload.to_owned(), phase }
    }
}

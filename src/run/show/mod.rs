//! What frames meet in each direction of a scenario's links (`longwire show`), in virtual time: the engine that a run uses,
//! on a plan of the one link, so that what is shown is what a run does.

mod offer;
mod statistics;
mod traffic;

use crate::diag;
use crate::draw::show::{Lost, Name, RateOverTime, Show, Shown, Traffic};
use crate::engine::{DirectionSpec, LinkPlan};
use crate::frame::DropCause;
use crate::measured::Times;
use crate::model::{LossSpec, Order, RateSpec};
use crate::report::json::Direction;
use crate::rng::Way;
use crate::tasks::resolved::Resolved;
use crate::units::{Duration, NANOS_PER_SEC};
use offer::{Lone, Outcome};

/// At most so many different directions are shown, unless links are named.
pub const MOST: usize = 20;
/// The smallest packet, in bytes: the headers of IPv4 and UDP.
pub const SMALLEST: u64 = 28;
/// The largest packet, in bytes, that IPv4 has.
pub const LARGEST: u64 = 65_535;
/// At most so many slices of time.
const MOST_SLICES: u64 = 80;
/// Fewer frames than this in a slice make a rate of steps.
const FRAMES_OF_SLICE: u64 = 20;

/// What is asked for beside the scenario.
#[derive(Clone, Debug)]
pub struct Options {
    /// Frames offered to each direction, 1 or more.
    pub frames: u64,
    /// Bytes of each packet, [`SMALLEST`] to [`LARGEST`]; `None` for 1,500, or the MTU where that is less.
    pub packet: Option<u64>,
    /// Links by name; all if there is none.
    pub links: Vec<String>,
}

/// A link is asked for that the scenario does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no link `{name}`: {help}")]
pub struct NoSuchLink {
    /// As it was written.
    pub name: String,
    /// What to write instead.
    pub help: String,
}

/// Shows a scenario's links.
///
/// # Errors
/// The first of the asked links that is not there.
pub fn show(resolved: &Resolved, file: &str, options: &Options) -> Result<Show, NoSuchLink> {
    let links = &resolved.plan.links;
    let names = || links.iter().map(|link| link.name.as_str());
    if let Some(name) = options.links.iter().find(|asked| !names().any(|name| name == asked.as_str())) {
        let known: Vec<&str> = names().collect();
        return Err(NoSuchLink { name: name.clone(), help: diag::suggestion(name, known) });
    }
    let mut groups = groups(resolved, &options.links);
    let most = if options.links.is_empty() { MOST } else { usize::MAX };
    let left_out = groups.split_off(most.min(groups.len())).into_iter().flat_map(|group| group.names).collect();
    let seed = resolved.plan.seed;
    Ok(Show {
        longwire: 1,
        scenario: resolved.scenario.name.clone(),
        file: file.to_owned(),
        seed: resolved.scenario.seed,
        params: resolved.scenario.params.clone(),
        directions: groups.into_iter().map(|group| shown(seed, group, options)).collect(),
        left_out,
    })
}

/// Directions of which the same is asked.
struct Group<'a> {
    /// The first of them.
    link: &'a LinkPlan,
    way: Way,
    /// What is compared: the link of the first, without its name and ends, and with the direction both ways.
    asked: LinkPlan,
    names: Vec<Name>,
}

fn groups<'a>(resolved: &'a Resolved, links: &[String]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let node = |at: usize| resolved.plan.nodes[at].name.clone();
    for link in resolved.plan.links.iter().filter(|link| links.is_empty() || links.contains(&link.name)) {
        for way in [Way::Forward, Way::Backward] {
            let mut asked = link.clone();
            asked.name.clear();
            asked.ends = [0, 1];
            asked.directions[1 - way as usize] = asked.directions[way as usize].clone();
            let [from, to] = [link.ends[way as usize], link.ends[1 - way as usize]].map(node);
            let name = Name { link: link.name.clone(), from, to };
            match groups.iter_mut().find(|group| group.asked == asked) {
                Some(group) => group.names.push(name),
                None => groups.push(Group { link, way, asked, names: vec![name] }),
            }
        }
    }
    groups
}

fn shown(seed: u64, group: Group<'_>, options: &Options) -> Shown {
    let Group { link, way, names, .. } = group;
    let spec = &link.directions[way as usize];
    let mtu = spec.largest().map_or(LARGEST, u64::from);
    let packet = options.packet.unwrap_or(traffic::PACKET.min(mtu)).clamp(SMALLEST, LARGEST);
    let traffic = traffic::traffic(seed, link, way, options.frames, packet);
    let lone = |spec: &DirectionSpec| {
        let mut link = link.clone();
        link.directions[way as usize] = spec.clone();
        Lone::new(seed, link, way, traffic::datagram(packet))
    };
    let every = Duration::from_nanos(traffic.every_ns);
    let mut met = lone(spec).steadily(options.frames, every);
    let drawn = lone(&as_drawn(spec)).steadily(options.frames, every);
    let rate = match spec.rate {
        RateSpec::Unlimited => over_time(&met, &traffic, false),
        _ => {
            let (frames, most) = (options.frames, traffic::most(options.frames));
            over_time(&lone(spec).greedily(frames, traffic::span(spec), most), &traffic, true)
        }
    };
    let delays = |outcome: &Outcome| outcome.seen.arrived.iter().map(|(_, delay)| *delay).collect::<Vec<u64>>();
    let mut names = names.into_iter();
    let Name { link, from, to } = names.next().expect("a group has a first direction");
    Shown {
        alike: names.collect(),
        traffic,
        drawn_ns: Times::of(&drawn.counters.delay),
        delay_histogram: statistics::histogram(&mut delays(&drawn), &mut delays(&met)),
        lost: lost(&mut met, closed_form(&spec.loss, traffic.frame_bytes * 8), options.frames),
        met: Direction::new([link, from, to], &met.counters, met.inside, spec.clone()),
        rate,
    }
}

/// The delay alone, each frame by its own draw. Draws belong to frames by number, so they are those of the whole direction.
fn as_drawn(spec: &DirectionSpec) -> DirectionSpec {
    let mut alone = DirectionSpec { delay: spec.delay.clone(), ..DirectionSpec::default() };
    alone.delay.order = Order::Free;
    alone
}

fn lost(met: &mut Outcome, asked: Option<f64>, frames: u64) -> Lost {
    /// What became of a frame, as far as the loss model is concerned.
    #[derive(Clone, Copy, PartialEq)]
    enum Met {
        Passed,
        Taken,
        NeverCame,
    }
    let mut all = vec![Met::Passed; frames as usize];
    for (number, cause) in &met.seen.dropped {
        // a copy has the number of its original, and a mark on it
        if let Some(frame) = all.get_mut(usize::try_from(*number).unwrap_or(usize::MAX)) {
            *frame = if *cause == DropCause::Loss { Met::Taken } else { Met::NeverCame };
        }
    }
    let hits: Vec<bool> = all.iter().filter(|met| **met != Met::NeverCame).map(|met| *met == Met::Taken).collect();
    let statistics::Share { share, bounds } = statistics::share(&hits);
    let mut numbers = met.seen.dropped.iter().map(|(number, _)| *number).filter(|number| *number < frames).collect();
    Lost { asked, share, bounds, runs: statistics::runs(&mut numbers) }
}

/// The share of frames of so many bits that a direction loses in the long run: that any of its rules does, which are
/// independent of each other. `None` where a rule has no such share, or chooses its frames.
fn closed_form(loss: &LossSpec, bits: u64) -> Option<f64> {
    loss.0.iter().try_fold(0.0, |others, rule| {
        let own = rule.model.long_run(bits).loss.filter(|_| rule.only.is_none())?;
        Some(others + own - others * own)
    })
}

/// Slices of the time in which frames were offered.
fn over_time(outcome: &Outcome, traffic: &Traffic, greedy: bool) -> RateOverTime {
    let arrived = &outcome.seen.arrived;
    let span = outcome.end.as_nanos().max(1);
    let slices = (arrived.len() as u64 / FRAMES_OF_SLICE).clamp(1, MOST_SLICES).min(span);
    let slice_ns = span.div_ceil(slices);
    let shortest = arrived.iter().map(|(_, delay)| *delay).min().unwrap_or(0);
    let mut counts = vec![0u64; span.div_ceil(slice_ns) as usize];
    for at in arrived.iter().map(|(at, _)| at - shortest).filter(|at| *at < span) {
        counts[(at / slice_ns) as usize] += 1;
    }
    let bps = |frames: u64, ns: u64| {
        let bits = u128::from(frames) * u128::from(traffic.frame_bytes) * 8 * u128::from(NANOS_PER_SEC);
        u64::try_from(bits / u128::from(ns)).unwrap_or(u64::MAX)
    };
    let last = span - slice_ns * (counts.len() as u64 - 1);
    let length = |n: usize| if n + 1 == counts.len() { last } else { slice_ns };
    RateOverTime {
        greedy,
        slice_ns,
        mean_bps: bps(counts.iter().sum(), span),
        bps: counts.iter().enumerate().map(|(n, count)| bps(*count, length(n))).collect(),
    }
}

#[cfg(test)]
mod tests;

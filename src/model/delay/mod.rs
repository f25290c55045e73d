//! Propagation delay with jitter, one way.
//!
//! Sources: delay, jitter, correlation and tables as in tc-netem(8), except that jitter does not reorder unless
//! `order: free` asks for it, and that a correlation leaves the distribution as it is. Negative draws clamp to zero and are
//! counted.

mod correlation;
mod distribution;
mod gamma;
mod law;
mod samples;
mod spec;
mod table;
#[cfg(test)]
mod tests;
mod weibull;

use rand_distr::{Distribution as _, StandardNormal};

use self::correlation::Chain;
use self::law::Law;
use crate::model::Only;
use crate::model::over_time::Course;
use crate::model::table::FileOf;
use crate::rng::FrameRng;
use crate::units::{Duration, Instant};

pub use correlation::Correlation;
pub use distribution::{Distribution, MinSpec, ParetoShape, ParetoSpec};
pub use samples::Samples;
pub use spec::{DelaySpec, Order};
pub use table::DistTable;

/// A file of delays over time.
pub type TraceFile = FileOf<Course<Duration>>;

/// Draws delays.
#[derive(Clone, Debug)]
pub struct Delay(Kind);

/// Most directions are plain, and small.
#[derive(Clone, Debug)]
enum Kind {
    Plain(Plain),
    Rich(Box<Rich>),
}

/// Constant, uniform or normal around one mean, each frame by itself.
#[derive(Clone, Copy, Debug)]
struct Plain {
    mean: Duration,
    jitter: Duration,
    normal: bool,
    order: Order,
}

/// All else.
#[derive(Clone, Debug)]
struct Rich {
    spec: DelaySpec,
    /// `None` without jitter.
    law: Option<Law>,
    /// `None` without correlation, and without jitter that could be correlated.
    chain: Option<Chain>,
    least: Duration,
    may_clamp: bool,
}

/// One frame's delay as drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The delay, not negative.
    pub delay: Duration,
    /// The draw was negative and became zero.
    pub clamped: bool,
}

impl Drawn {
    #[inline]
    fn new(mean: Duration, stray: i128) -> Drawn {
        let delay = i128::from(mean.as_nanos()) + stray;
        let clamped = delay < 0;
        let delay = u64::try_from(delay.max(0)).unwrap_or(u64::MAX);
        Drawn { delay: Duration::from_nanos(delay), clamped }
    }
}

impl Delay {
    /// A delay as asked.
    ///
    /// # Panics
    /// If the spec names a file that was not read.
    pub fn new(spec: DelaySpec) -> Delay {
        let DelaySpec { mean, jitter, order, .. } = spec;
        let normal = match spec.distribution {
            Distribution::Uniform => Some(false),
            Distribution::Normal => Some(true),
            _ => None,
        };
        let plain = spec.samples.is_none() && spec.trace.is_none() && spec.correlation.is_none() && spec.only.is_none();
        match normal.filter(|_| plain) {
            Some(normal) => Delay(Kind::Plain(Plain { mean, jitter, normal, order })),
            None => Delay(Kind::Rich(Box::new(Rich::new(spec)))),
        }
    }

    /// Changes the parameters in place: a chain of correlated delays goes on from where it is.
    ///
    /// # Panics
    /// As [`Delay::new`].
    pub fn set(&mut self, spec: DelaySpec) {
        let mut new = Delay::new(spec);
        if let (Kind::Rich(old), Kind::Rich(new)) = (&mut self.0, &mut new.0)
            && let (Some(mut chain), Some(_)) = (old.chain.take(), &new.chain)
        {
            chain.set(new.spec.correlation);
            new.chain = Some(chain);
        }
        *self = new;
    }

    /// What it was made from.
    pub fn spec(&self) -> DelaySpec {
        match &self.0 {
            Kind::Plain(Plain { mean, jitter, normal, order }) => DelaySpec {
                mean: *mean,
                jitter: *jitter,
                distribution: if *normal { Distribution::Normal } else { Distribution::Uniform },
                order: *order,
                ..DelaySpec::default()
            },
            Kind::Rich(rich) => rich.spec.clone(),
        }
    }

    /// Whether every frame meets the same delay.
    #[inline]
    pub fn is_constant(&self) -> bool {
        match &self.0 {
            Kind::Plain(plain) => plain.jitter == Duration::ZERO,
            Kind::Rich(rich) => rich.law.is_none() && rich.spec.trace.is_none(),
        }
    }

    /// Whether frames may overtake each other.
    #[inline]
    pub fn order(&self) -> Order {
        match &self.0 {
            Kind::Plain(plain) => plain.order,
            Kind::Rich(rich) => rich.spec.order,
        }
    }

    /// The mean of a frame that is sent at this instant. With samples it is 0: what strays is the whole delay.
    #[inline]
    pub fn mean_at(&self, at: Instant) -> Duration {
        match &self.0 {
            Kind::Plain(plain) => plain.mean,
            Kind::Rich(rich) => rich.mean_at(at),
        }
    }

    /// The shortest delay that can be drawn, at any time.
    pub fn least(&self) -> Duration {
        match &self.0 {
            Kind::Plain(plain) if plain.jitter == Duration::ZERO => plain.mean,
            Kind::Plain(plain) if plain.normal => Duration::ZERO,
            Kind::Plain(plain) => plain.mean.saturating_sub(plain.jitter),
            Kind::Rich(rich) => rich.least,
        }
    }

    /// Whether a draw may be negative.
    #[inline]
    pub fn may_clamp(&self) -> bool {
        match &self.0 {
            Kind::Plain(plain) if plain.normal => plain.jitter > Duration::ZERO,
            Kind::Plain(plain) => plain.jitter > plain.mean,
            Kind::Rich(rich) => rich.may_clamp,
        }
    }

    /// The frames that it applies to, if not to all.
    pub fn only(&self) -> Option<&Only> {
        match &self.0 {
            Kind::Plain(_) => None,
            Kind::Rich(rich) => rich.spec.only.as_ref(),
        }
    }

    /// Whether delays are correlated, so that every frame must be admitted.
    #[inline]
    pub fn is_correlated(&self) -> bool {
        matches!(&self.0, Kind::Rich(rich) if rich.chain.is_some())
    }

    /// The place in the chain of the frame whose generator this is, for [`Delay::draw_correlated`]; `None`, and `rng` is not
    /// called, without correlation. To be called once for each frame that the model applies to, in the order of their
    /// numbers, whether or not they are dropped later.
    #[inline]
    pub fn admit(&mut self, rng: impl FnOnce() -> FrameRng) -> Option<f64> {
        match &mut self.0 {
            Kind::Plain(_) => None,
            Kind::Rich(rich) => rich.chain.as_mut().map(|chain| chain.next(rng())),
        }
    }

    /// The delay of a frame that is sent at this instant, by itself; `rng` is the frame's generator. A delay without jitter
    /// does not call `rng`.
    #[inline]
    pub fn draw(&self, at: Instant, rng: impl FnOnce() -> FrameRng) -> Drawn {
        match &self.0 {
            Kind::Plain(plain) if plain.jitter == Duration::ZERO => Drawn { delay: plain.mean, clamped: false },
            Kind::Plain(plain) => plain.draw(rng()),
            Kind::Rich(rich) => Drawn::new(rich.mean_at(at), rich.law.as_ref().map_or(0, |law| law.draw(rng()))),
        }
    }

    /// The delay of a frame that is sent at this instant and was [admitted](Delay::admit) to the place `z` of the chain.
    ///
    /// A copy of it (`copy` above 0) is not part of the chain: it draws its own delay from its own generator, `rng`, as if
    /// there were no correlation. Only a copy calls `rng`.
    pub fn draw_correlated(&self, at: Instant, z: f64, copy: u32, rng: impl FnOnce() -> FrameRng) -> Drawn {
        let z = match copy {
            0 => z,
            _ => StandardNormal.sample(&mut rng()),
        };
        match &self.0 {
            Kind::Plain(plain) => plain.at(z),
            Kind::Rich(rich) => Drawn::new(rich.mean_at(at), rich.law.as_ref().map_or(0, |law| law.at(z))),
        }
    }
}

impl Plain {
    fn draw(&self, mut rng: FrameRng) -> Drawn {
        let stray = match self.normal {
            false => law::uniform(&mut rng, self.jitter),
            true => law::normal(StandardNormal.sample(&mut rng), self.jitter),
        };
        Drawn::new(self.mean, stray)
    }

    /// After a change that took the correlation away, of a frame that was admitted before it.
    fn at(&self, z: f64) -> Drawn {
        let law = match self.normal {
            _ if self.jitter == Duration::ZERO => return Drawn { delay: self.mean, clamped: false },
            false => Law::Uniform { half: self.jitter },
            true => Law::Normal { sigma: self.jitter },
        };
        Drawn::new(self.mean, law.at(z))
    }
}

impl Rich {
    fn new(spec: DelaySpec) -> Rich {
        let correlated = !spec.correlation.is_none();
        let law = Law::new(&spec, correlated);
        let chain = (law.is_some() && correlated).then(|| Chain::new(spec.correlation));
        let mean = spec.trace.as_ref().map_or(spec.mean, |trace| table(trace).least());
        let Drawn { delay: least, clamped: may_clamp } = match law.as_ref().map_or(Some(0), Law::lowest) {
            Some(stray) => Drawn::new(mean, stray),
            None => Drawn { delay: Duration::ZERO, clamped: true },
        };
        Rich { spec, law, chain, least, may_clamp }
    }

    fn mean_at(&self, at: Instant) -> Duration {
        match &self.spec.trace {
            None => self.spec.mean,
            Some(trace) => table(trace).at(at),
        }
    }
}

fn table(trace: &TraceFile) -> &Course<Duration> {
    trace.table().expect("the files of a scenario are read before its plan is made")
}

//! Whether the machine kept up: measured against limits, never mixed into a verdict.

use super::live::Outcome;
use crate::port::tap::QUEUE_LENGTH;
use crate::report::gaps::Gaps;
use crate::report::json::{Mode, Timeliness, Validity};
use crate::tasks::validity::ValiditySpec;
use crate::units::Duration;

/// How well a workload could do what it was there for.
#[derive(Clone, Debug, Default)]
pub struct Effort {
    /// The workload's name.
    pub name: String,
    /// How long it ran.
    pub ran: Duration,
    /// How long its main thread was ready to run and waited for a processor; `None` where the kernel does not tell.
    pub waited: Option<Duration>,
    /// The 99th percentile of how late it sent its datagrams; `None` where it sent none, or the host held them up.
    pub lateness_p99: Option<Duration>,
}

impl Effort {
    fn share(&self) -> Option<f64> {
        let waited = self.waited.filter(|_| self.ran > Duration::ZERO)?;
        Some(waited.as_nanos() as f64 / self.ran.as_nanos() as f64)
    }

    /// What a short-lived program waits is a large share of its time, and nothing that matters.
    fn waited_long(&self, limits: ValiditySpec) -> bool {
        self.waited.is_some_and(|waited| waited > limits.stall)
    }
}

/// What a run knows of its machine besides what the engine has counted.
#[derive(Clone, Debug, Default)]
pub struct Machine {
    /// When the ports were not read, from t = 0.
    pub gaps: Gaps,
    /// How long the run took from t = 0.
    pub duration: Duration,
    /// Frames that TAP rings dropped while the queue of the link behind them had room.
    pub ring_drops: u64,
    /// The workloads' own.
    pub efforts: Vec<Effort>,
    /// What about paths to other sites was not as asked: one sentence each.
    pub path_doubts: Vec<String>,
}

impl Machine {
    /// The share of the run in gaps.
    fn gap_share(&self) -> f64 {
        match self.gaps.within(0, self.duration.as_nanos() as i64) {
            0 => 0.0,
            in_gaps => in_gaps as f64 / self.duration.as_nanos() as f64,
        }
    }
}

/// Holds what a run measured against its limits. In virtual time nothing is late, and frames that a ring drops are all that can go
/// wrong.
pub fn judge(outcome: &Outcome, machine: Machine, limits: ValiditySpec, mode: Mode) -> Validity {
    let (measured, reasons) = match mode {
        Mode::Virtual => {
            let measured = Timeliness { ring_drops: machine.ring_drops, ..Timeliness::default() };
            (measured, overrun(machine.ring_drops, limits).into_iter().collect())
        }
        Mode::Live => {
            let measured = measured(outcome, &machine, limits);
            let late = late(&measured, machine.gaps.longest(), limits);
            let reasons = [late, machine.path_doubts.clone(), disturbed(&machine.efforts, limits)].concat();
            (measured, reasons)
        }
    };
    Validity { ok: reasons.is_empty(), reasons, measured, limits, gaps: machine.gaps }
}

/// The worst of each kind.
fn measured(outcome: &Outcome, machine: &Machine, limits: ValiditySpec) -> Timeliness {
    let efforts = &machine.efforts;
    let waited = efforts.iter().filter(|effort| effort.waited_long(limits));
    Timeliness {
        lateness_p99_ns: lateness(outcome).map(Duration::as_nanos),
        stall_ns: outcome.stall.as_nanos(),
        gap_share: machine.gap_share(),
        run_delay: run_delay(outcome),
        ring_drops: machine.ring_drops,
        workload_run_delay: waited.filter_map(Effort::share).reduce(f64::max),
        workload_lateness_p99_ns: efforts.iter().filter_map(|e| e.lateness_p99).max().map(Duration::as_nanos),
        path_doubts: machine.path_doubts.len() as u64,
    }
}

/// The 99th percentile of lateness, at the port where it was worst.
fn lateness(outcome: &Outcome) -> Option<Duration> {
    let times = outcome.ports.iter().flat_map(|port| [&port.lateness, &port.unread]);
    times.filter_map(|times| times.quantile(0.99)).max()
}

/// The share of the run in which the engine waited for a processor.
fn run_delay(outcome: &Outcome) -> Option<f64> {
    let delay = outcome.run_delay.filter(|_| outcome.ran > Duration::ZERO)?;
    Some(delay.as_nanos() as f64 / outcome.ran.as_nanos() as f64)
}

/// How longwire itself was late. `longest`: of its gaps.
fn late(measured: &Timeliness, longest: Duration, limits: ValiditySpec) -> Vec<String> {
    let mut reasons = Vec::new();
    let worst = measured.lateness_p99_ns.map(Duration::from_nanos);
    if let Some(worst) = worst.filter(|worst| *worst > limits.lateness_p99) {
        reasons.push(format!(
            "1 % of the frames at a port were read or delivered more than {} late (limit {}, `validity: {{ lateness_p99: … }}`)",
            rounded(worst),
            limits.lateness_p99
        ));
    }
    let stall = Duration::from_nanos(measured.stall_ns);
    if stall > limits.stall {
        reasons.push(format!(
            "longwire did not run for {} (limit {}, `validity: {{ stall: … }}`): it was stopped, or had no processor",
            rounded(stall),
            limits.stall
        ));
    }
    if measured.gap_share > limits.gaps.as_f64() {
        reasons.push(format!(
            "longwire did not read its ports for {:.1} % of the run, in gaps of up to {} (limit {}, `validity: {{ gaps: … }}`)",
            measured.gap_share * 100.0,
            rounded(longest),
            limits.gaps
        ));
    }
    if let Some(share) = measured.run_delay.filter(|share| *share > limits.run_delay.as_f64()) {
        reasons.push(format!(
            "longwire waited for a processor for {:.0} % of the run (limit {}, `validity: {{ run_delay: … }}`)",
            share * 100.0,
            limits.run_delay
        ));
    }
    if measured.ring_drops > limits.ring_drops {
        reasons.push(format!(
            "{} frames were dropped by TAP rings before longwire could read them (limit {}, `validity: {{ ring_drops: … }}`)",
            measured.ring_drops, limits.ring_drops
        ));
    }
    reasons
}

/// What kept workloads from doing their work.
fn disturbed(efforts: &[Effort], limits: ValiditySpec) -> Vec<String> {
    let mut reasons = Vec::new();
    for effort in efforts.iter().filter(|effort| effort.waited_long(limits)) {
        if let Some(share) = effort.share().filter(|share| *share > limits.workload_run_delay.as_f64()) {
            reasons.push(format!(
                "the workload `{}` waited for a processor for {:.0} % of its time (limit {}, `validity: {{ workload_run_delay: … }}`)",
                effort.name,
                share * 100.0,
                limits.workload_run_delay
            ));
        }
    }
    for effort in efforts {
        if let Some(late) = effort.lateness_p99.filter(|late| *late > limits.workload_lateness_p99) {
            reasons.push(format!(
                "the workload `{}` sent 1 % of its datagrams more than {} late (limit {}, `validity: {{ workload_lateness_p99: … }}`)",
                effort.name,
                rounded(late),
                limits.workload_lateness_p99
            ));
        }
    }
    reasons
}

/// What a program sends at one instant of virtual time, and a ring does not hold.
fn overrun(ring_drops: u64, limits: ValiditySpec) -> Option<String> {
    (ring_drops > limits.ring_drops).then(|| {
        format!(
            "{ring_drops} frames were dropped by TAP rings, which hold {QUEUE_LENGTH} (limit {}, `validity: {{ ring_drops: … }}`). In \
             virtual time a program sends all that it has at one instant: let it pause between its frames, or shape its traffic \
             by a `rate` of its workload",
            limits.ring_drops
        )
    })
}

/// To a microsecond, for people.
fn rounded(time: Duration) -> Duration {
    Duration::from_micros(time.as_nanos() / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::live::PortOutcome;

    fn outcome() -> Outcome {
        Outcome {
            converged: Vec::new(),
            unmatched: Vec::new(),
            directions: Vec::new(),
            nodes: Vec::new(),
            nats: Vec::new(),
            dhcps: Vec::new(),
            firewalls: Vec::new(),
            ports: vec![PortOutcome::default(), PortOutcome::default()],
            stall: Duration::from_millis(3),
            gaps: Gaps::default(),
            run_delay: Some(Duration::from_millis(10)),
            ran: Duration::from_secs(1),
            spin_rests: 0,
            refused: Vec::new(),
            log_lost: 0,
        }
    }

    #[test]
    fn each_limit_is_named_when_it_is_exceeded_and_only_then() {
        let limits = ValiditySpec::default();
        let machine = |ring_drops, gap_ms: i64| Machine {
            duration: Duration::from_secs(1),
            ring_drops,
            gaps: Gaps { least_ns: 2_000_000, list: vec![(500_000_000, 500_000_000 + gap_ms * 1_000_000)] },
            ..Machine::default()
        };
        assert!(judge(&outcome(), Machine::default(), limits, Mode::Live).ok);
        assert!(judge(&outcome(), machine(0, 50), limits, Mode::Live).ok, "at the limit");

        let mut late = outcome();
        late.ports[1].lateness.record(limits.lateness_p99, 98);
        assert!(judge(&late, machine(0, 0), limits, Mode::Live).ok, "at the limit");
        late.ports[1].lateness.record(limits.lateness_p99 * 2, 2);
        let mut stopped = outcome();
        stopped.stall = limits.stall + Duration::from_nanos(1);
        let mut starved = outcome();
        starved.run_delay = Some(Duration::from_millis(501));
        let mut unread = outcome();
        unread.ports[0].unread.record(limits.lateness_p99 * 2, 1);
        for (outcome, machine, word, late) in [
            (&late, machine(0, 0), "lateness_p99", true),
            (&unread, machine(0, 0), "lateness_p99", true),
            (&stopped, machine(0, 0), "stall", true),
            (&outcome(), machine(0, 51), "gaps", true),
            (&starved, machine(0, 0), "run_delay", true),
            (&outcome(), machine(1, 0), "ring_drops", false),
        ] {
            let apart = judge(outcome, machine.clone(), limits, Mode::Virtual);
            assert_eq!(apart.ok, machine.ring_drops == 0, "in virtual time nothing is late: {:?}", apart.reasons);
            assert!(!apart.is_late() && !apart.is_starved(), "{word}");
            let validity = judge(outcome, machine, limits, Mode::Live);
            assert_eq!((validity.is_late(), validity.is_broken()), (late, !late), "{word}");
            assert_eq!(validity.reasons.len(), 1, "{word}: {:?}", validity.reasons);
            assert!(!validity.ok && validity.reasons[0].contains(word), "{:?}", validity.reasons);
        }
    }

    #[test]
    fn a_path_that_was_not_as_asked_puts_everything_in_doubt() {
        let machine = Machine { path_doubts: vec!["the clock".into()], ..Machine::default() };
        let validity = judge(&outcome(), machine, ValiditySpec::default(), Mode::Live);
        assert!(!validity.ok && validity.is_broken() && !validity.is_late(), "{validity:?}");
        assert_eq!(validity.reasons, ["the clock"]);
    }

    #[test]
    fn a_workload_that_could_not_do_its_work_is_named() {
        let ms = Duration::from_millis;
        let effort = |waited, late| Effort {
            name: "call".into(),
            ran: ms(1_000),
            waited: Some(ms(waited)),
            lateness_p99: Some(ms(late)),
        };
        let judged = |effort| {
            let machine = Machine { efforts: vec![effort], ..Machine::default() };
            judge(&outcome(), machine, ValiditySpec::default(), Mode::Live)
        };
        let reasons = |effort: Effort| judged(effort).reasons;
        assert_eq!(reasons(effort(500, 100)), [""; 0], "at the limits");
        assert!(!judged(effort(500, 100)).is_starved() && judged(effort(510, 0)).is_starved());
        assert!(judged(effort(0, 101)).is_starved());
        assert!(
            matches!(&reasons(effort(510, 0))[..], [one] if one.contains("`call` waited for a processor for 51 %"))
        );
        assert!(
            matches!(&reasons(effort(0, 101))[..], [one] if one.contains("`call` sent 1 % of its datagrams more than 101ms"))
        );
        // a program that lived for a moment and waited for most of it
        let brief = Effort { ran: ms(3), ..effort(2, 0) };
        assert!(reasons(brief.clone()).is_empty());
        assert_eq!(judged(brief).measured.workload_run_delay, None);
    }

    #[test]
    fn a_kernel_that_does_not_tell_is_not_held_against_the_run() {
        let silent = Outcome { run_delay: None, ..outcome() };
        let validity = judge(&silent, Machine::default(), ValiditySpec::default(), Mode::Live);
        assert!(validity.ok && validity.measured.run_delay.is_none());
    }
}

//! Whether the machine kept up: measured against limits, never mixed into a verdict.

use super::live::Outcome;
use crate::record::report::{Measured, Validity};
use crate::scenario::validity::ValiditySpec;
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
}

/// Holds what a run measured against its limits. `ring_drops`: frames that TAP rings dropped while the queue of the link
/// behind them had room.
pub fn judge(outcome: &Outcome, ring_drops: u64, efforts: &[Effort], limits: ValiditySpec) -> Validity {
    let worst = outcome.ports.iter().filter_map(|port| port.lateness.quantile(0.99)).max();
    let run_delay = outcome
        .run_delay
        .filter(|_| outcome.ran > Duration::ZERO)
        .map(|delay| delay.as_nanos() as f64 / outcome.ran.as_nanos() as f64);
    let mut reasons = Vec::new();
    if let Some(worst) = worst.filter(|worst| *worst > limits.lateness_p99) {
        reasons.push(format!(
            "1 % of the frames at a port left more than {} late (limit {}, `validity: {{ lateness_p99: … }}`)",
            rounded(worst),
            limits.lateness_p99
        ));
    }
    if outcome.stall > limits.stall {
        reasons.push(format!(
            "longwire did not run for {} (limit {}, `validity: {{ stall: … }}`): it was stopped, or had no processor",
            rounded(outcome.stall),
            limits.stall
        ));
    }
    if let Some(share) = run_delay.filter(|share| *share > limits.run_delay.as_f64()) {
        reasons.push(format!(
            "longwire waited for a processor for {:.0} % of the run (limit {}, `validity: {{ run_delay: … }}`)",
            share * 100.0,
            limits.run_delay
        ));
    }
    if ring_drops > limits.ring_drops {
        reasons.push(format!(
            "{ring_drops} frames were dropped by TAP rings before longwire could read them (limit {}, `validity: {{ ring_drops: … }}`)",
            limits.ring_drops
        ));
    }
    // What a short-lived program waits is a large share of its time, and nothing that matters.
    let waited_long = |effort: &&Effort| effort.waited.is_some_and(|waited| waited > limits.stall);
    for effort in efforts.iter().filter(waited_long) {
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
    let measured = Measured {
        lateness_p99_ns: worst.map(|d| d.as_nanos()),
        stall_ns: outcome.stall.as_nanos(),
        run_delay,
        ring_drops,
        workload_run_delay: efforts.iter().filter(waited_long).filter_map(Effort::share).reduce(f64::max),
        workload_lateness_p99_ns: efforts.iter().filter_map(|e| e.lateness_p99).max().map(|d| d.as_nanos()),
    };
    Validity { ok: reasons.is_empty(), reasons, measured, limits }
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
            unmatched: Vec::new(),
            directions: Vec::new(),
            nodes: Vec::new(),
            nats: Vec::new(),
            firewalls: Vec::new(),
            ports: vec![PortOutcome::default(), PortOutcome::default()],
            stall: Duration::from_millis(3),
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
        assert!(judge(&outcome(), 0, &[], limits).ok);

        let mut late = outcome();
        late.ports[1].lateness.record(limits.lateness_p99, 98);
        assert!(judge(&late, 0, &[], limits).ok, "at the limit");
        late.ports[1].lateness.record(limits.lateness_p99 * 2, 2);
        let mut stopped = outcome();
        stopped.stall = limits.stall + Duration::from_nanos(1);
        let mut starved = outcome();
        starved.run_delay = Some(Duration::from_millis(501));
        for (outcome, drops, word) in [
            (&late, 0, "lateness_p99"),
            (&stopped, 0, "stall"),
            (&starved, 0, "run_delay"),
            (&outcome(), 1, "ring_drops"),
        ] {
            let validity = judge(outcome, drops, &[], limits);
            assert_eq!(validity.reasons.len(), 1, "{word}: {:?}", validity.reasons);
            assert!(!validity.ok && validity.reasons[0].contains(word), "{:?}", validity.reasons);
        }
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
        let reasons = |effort: Effort| judge(&outcome(), 0, &[effort], ValiditySpec::default()).reasons;
        assert_eq!(reasons(effort(500, 100)), [""; 0], "at the limits");
        assert!(
            matches!(&reasons(effort(510, 0))[..], [one] if one.contains("`call` waited for a processor for 51 %"))
        );
        assert!(
            matches!(&reasons(effort(0, 101))[..], [one] if one.contains("`call` sent 1 % of its datagrams more than 101ms"))
        );
        // a program that lived for a moment and waited for most of it
        let brief = Effort { ran: ms(3), ..effort(2, 0) };
        assert!(reasons(brief.clone()).is_empty());
        assert_eq!(judge(&outcome(), 0, &[brief], ValiditySpec::default()).measured.workload_run_delay, None);
    }

    #[test]
    fn a_kernel_that_does_not_tell_is_not_held_against_the_run() {
        let silent = Outcome { run_delay: None, ..outcome() };
        let validity = judge(&silent, 0, &[], ValiditySpec::default());
        assert!(validity.ok && validity.measured.run_delay.is_none());
    }
}

//! Whether the machine kept up: measured against limits, never mixed into a verdict.

use super::live::Outcome;
use crate::record::report::{Measured, Validity};
use crate::scenario::validity::ValiditySpec;
use crate::units::Duration;

/// Holds what a run measured against its limits. `ring_drops`: frames that TAP rings dropped while the queue of the link
/// behind them had room.
pub fn judge(outcome: &Outcome, ring_drops: u64, limits: ValiditySpec) -> Validity {
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
    let measured = Measured {
        lateness_p99_ns: worst.map(|d| d.as_nanos()),
        stall_ns: outcome.stall.as_nanos(),
        run_delay,
        ring_drops,
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
        assert!(judge(&outcome(), 0, limits).ok);

        let mut late = outcome();
        late.ports[1].lateness.record(limits.lateness_p99, 98);
        assert!(judge(&late, 0, limits).ok, "at the limit");
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
            let validity = judge(outcome, drops, limits);
            assert_eq!(validity.reasons.len(), 1, "{word}: {:?}", validity.reasons);
            assert!(!validity.ok && validity.reasons[0].contains(word), "{:?}", validity.reasons);
        }
    }

    #[test]
    fn a_kernel_that_does_not_tell_is_not_held_against_the_run() {
        let silent = Outcome { run_delay: None, ..outcome() };
        let validity = judge(&silent, 0, ValiditySpec::default());
        assert!(validity.ok && validity.measured.run_delay.is_none());
    }
}

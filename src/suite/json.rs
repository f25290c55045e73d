//! A suite as JSON, version 1: how each run ended, and where its report is.

use serde_json::{Map, Value, json};

use super::outcome::{Outcome, Status, exit_code};
use super::plan::Plan;
use super::runner::Ended;
use super::shard::Shard;
use crate::report::json::Mode;

/// The whole summary. Fields are added, never changed.
pub fn summary(plan: &Plan, shard: Option<Shard>, ended: &Ended) -> Value {
    let count = |status: Status| ended.outcomes.iter().filter(|outcome| outcome.status == status).count();
    let counts: Map<String, Value> =
        Status::ALL.into_iter().map(|status| (status.key().to_owned(), json!(count(status)))).collect();
    let skipped: Vec<Value> =
        plan.skipped.iter().map(|s| json!({ "file": s.file.display().to_string(), "why": s.why })).collect();
    json!({
        "longwire": 1,
        "mode": if plan.cases.iter().any(|case| case.virtual_time) { Mode::Virtual } else { Mode::Live },
        "exit": exit_code(&ended.outcomes, ended.interrupted),
        "interrupted": ended.interrupted,
        "took_ns": ended.took.as_nanos(),
        "shard": shard.map(|shard| shard.to_string()),
        "of_all_shards": plan.of_all_shards,
        "counts": counts,
        "runs": ended.outcomes.iter().map(run).collect::<Vec<_>>(),
        "skipped": skipped,
    })
}

fn run(outcome: &Outcome) -> Value {
    let case = &outcome.case;
    let params: Map<String, Value> = case.params.iter().map(|p| (p.name.clone(), json!(p.text))).collect();
    let out = outcome.out.as_ref().filter(|_| outcome.status != Status::NotRun);
    let report = out.map(|out| out.join("report.json")).filter(|path| path.is_file());
    json!({
        "scenario": case.scenario,
        "file": case.file.display().to_string(),
        "params": params,
        "seed": case.seed,
        "mode": case.mode(),
        "verdict": outcome.status.key(),
        "reasons": outcome.reasons,
        "took_ns": outcome.took.as_nanos(),
        "attempts": outcome.attempts,
        "command": case.command(),
        "out": out.map(|out| out.display().to_string()),
        "html": outcome.page.as_ref().map(|page| page.display().to_string()),
        "report": report.map(|path| path.display().to_string()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::junit::tests::{of_everything, skipped};

    #[test]
    fn every_run_is_there_with_what_repeats_it() {
        let plan = Plan { skipped: skipped(), of_all_shards: 16, ..Plan::default() };
        let value = summary(&plan, Shard::new(1, 2), &of_everything());
        assert_eq!(
            (&value["exit"], &value["shard"], &value["of_all_shards"]),
            (&json!(130), &json!("1/2"), &json!(16))
        );
        assert_eq!(value["counts"]["fail"], 1);
        assert_eq!(value["runs"].as_array().map(Vec::len), Some(8));
        let failed = &value["runs"][2];
        assert_eq!(failed["params"], json!({ "loss": "5%" }));
        assert_eq!(
            (&failed["verdict"], &failed["seed"], &failed["out"]),
            (&json!("fail"), &json!(7), &json!("out/chat"))
        );
        assert_eq!(failed["report"], Value::Null, "there is none on the disk");
        assert_eq!(value["runs"][7]["verdict"], "not_run");
        assert_eq!((&value["runs"][0]["mode"], &value["runs"][1]["mode"]), (&json!("virtual"), &json!("live")));
        assert_eq!(value["skipped"][0]["file"], "ci/by-hand.yaml");
    }
}

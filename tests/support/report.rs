//! What holds of every report.

use serde_json::Value;

use super::verdicts;

/// A number of a report.
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A direction, by its link and where it goes.
pub(crate) fn direction<'a>(report: &'a Value, link: &str, to: &str) -> &'a Value {
    let directions = report["directions"].as_array().expect("directions");
    directions
        .iter()
        .find(|d| {
            d["link"] == link && d["to"].as_str().is_some_and(|end| end == to || end.starts_with(&format!("{to}.")))
        })
        .unwrap_or_else(|| panic!("no direction of {link} to {to} in {directions:#?}"))
}

/// Frames that a direction delivered.
pub(crate) fn delivered(direction: &Value) -> u64 {
    direction["delivered"]["frames"].as_u64().unwrap_or(0)
}

/// Frames of a direction dropped for a cause.
pub(crate) fn dropped(direction: &Value, cause: &str) -> u64 {
    direction["dropped"][cause].as_u64().unwrap_or(0)
}

/// A column of a direction's series, summed from one time to another. The direction is named by its link and the beginning of the end
/// that it goes to.
pub(crate) fn between(report: &Value, (link, to): (&str, &str), column: &str, from_ms: u64, to_ms: u64) -> u64 {
    let series = &report["series"];
    let every = number(&series["every_ns"]) / 1_000_000;
    let directions = series["directions"].as_array().expect("directions");
    let found =
        directions.iter().find(|d| d["link"] == link && d["to"].as_str().is_some_and(|end| end.starts_with(to)));
    // a direction that carried nothing, or a column of zeros, is left out
    let Some(column) = found.and_then(|direction| direction[column].as_array()) else { return 0 };
    let within = |n: u64| n * every >= from_ms && (n + 1) * every <= to_ms;
    (0..).zip(column).filter(|(n, _)| within(*n)).map(|(_, n)| number(n)).sum()
}

fn all_dropped(place: &Value) -> u64 {
    place["dropped"].as_object().expect("causes").values().map(number).sum()
}

/// Why a run is not a pass, as one text.
pub(crate) fn reasons(report: &Value) -> String {
    report["reasons"].as_array().expect("reasons").iter().map(|r| format!("{}\n", r.as_str().expect("text"))).collect()
}

/// What a machine that was too slow is said to have done.
const LATENESS: [&str; 6] =
    [" late", "did not run for", "did not read its ports", "waited for a processor", "dropped by TAP rings", "gaps"];

/// Whether a text says what a slow machine did.
pub(crate) fn names_lateness(text: &str) -> bool {
    LATENESS.iter().any(|word| text.contains(word))
}

/// INVALID by a slow machine. In virtual time none is, and other reasons are no excuse.
fn is_excused(code: i32, report: &Value) -> bool {
    let reasons = report["reasons"].as_array().expect("reasons").iter();
    let mut reasons = reasons.map(|reason| reason.as_str().expect("text"));
    code == 3 && report["mode"] == "live" && reasons.any(names_lateness)
}

/// The run passed, or the machine was too slow for it, of which [`verdicts`] keep count.
pub(crate) fn assert_passed(code: i32, report: &Value) {
    assert!(code == 0 || is_excused(code, report), "exit {code}: {}\n{:#}", reasons(report), report["workloads"]);
}

/// The run failed, or the machine was too slow for a verdict.
pub(crate) fn assert_failed(code: i32, report: &Value) {
    assert!(code == 1 || is_excused(code, report), "exit {code}: {}\n{:#}", reasons(report), report["workloads"]);
}

/// The run passed as [`assert_passed`] has it, and each workload did what it should: INVALID speaks of times.
pub(crate) fn assert_works(code: i32, report: &Value) {
    assert_passed(code, report);
    let work = report["workloads"].as_object().expect("workloads");
    assert!(work.values().all(|work| work["ok"] == true), "{work:#?}");
}

/// Both conservation equations; verdict and exit code agree; so do verdict and validity; the engine's system calls were all allowed.
pub(crate) fn check(report: &Value, code: i32) {
    assert_eq!(report["longwire"], 1);
    for direction in report["directions"].as_array().expect("directions") {
        let made = number(&direction["originated"]) + number(&direction["duplicated"]);
        let entered = number(&direction["offered"]["frames"]) + made;
        let left = number(&direction["delivered"]["frames"]) + all_dropped(direction) + number(&direction["inside"]);
        assert_eq!(entered, left, "{direction:#}");
        assert!(number(&direction["delivered"]["bytes"]) >= 14 * number(&direction["delivered"]["frames"]));
    }
    for port in report["ports"].as_array().expect("ports") {
        let name = ["host", "interface"].map(|key| port[key].as_str().expect("a name")).join(".");
        let directions = report["directions"].as_array().expect("directions").iter();
        for direction in directions.filter(|direction| direction["from"] == name.as_str()) {
            assert_eq!(
                direction["offered"]["frames"], port["received"],
                "what a port reads, its link is offered: {port:#}"
            );
        }
    }
    for node in report["nodes"].as_array().expect("nodes") {
        let sum = |names: &[&str]| names.iter().map(|name| number(&node[*name])).sum::<u64>();
        let entered = sum(&["received", "originated", "replicated"]);
        assert_eq!(entered, sum(&["sent", "consumed", "held"]) + all_dropped(node), "{node:#}");
    }
    assert_eq!(report["confinement"]["refused_calls"], Value::Null, "{}", report["confinement"]);
    let expected = match report["verdict"].as_str().expect("a verdict") {
        "pass" | "none" => 0,
        "fail" => 1,
        "invalid" => 3,
        "error" => 4,
        "interrupted" => 130,
        other => panic!("verdict {other}"),
    };
    assert_eq!(code, expected, "{:#} {}", report["verdict"], reasons(report));
    assert!(code != 3 || is_excused(code, report), "INVALID, and not by lateness: {}", reasons(report));
    let valid = report["validity"]["ok"].as_bool().expect("a truth");
    match code {
        0 => assert!(reasons(report).is_empty(), "{report:#}"),
        1 | 3 | 4 => assert!(!reasons(report).is_empty()),
        _ => {}
    }
    if report["mode"] == "live" && matches!(code, 0 | 3) {
        verdicts::note(code == 0);
    }
    let works = ["workloads", "services"].map(|key| report[key].as_object().expect("a map").values());
    let runs = report["runs"].as_object().into_iter().flat_map(|runs| runs.values());
    let failed: Vec<_> = works.into_iter().flatten().chain(runs).filter(|work| work["ok"] == false).collect();
    assert!(failed.iter().all(|work| work["reason"].is_string()), "{failed:#?}");
    let expectations = report["expectations"].as_array().expect("a list");
    // a late machine passes by expectations that lateness cannot have decided, and is INVALID by its limits or one of them
    assert!(code != 0 || valid || !expectations.is_empty(), "{report:#}");
    assert!(code != 3 || !valid || expectations.iter().any(|one| one["invalid"].is_string()), "{report:#}");
    let broken: Vec<_> = expectations.iter().filter(|one| one["pass"] == false).collect();
    assert!(broken.iter().all(|one| one["measured"].is_string() || one["reason"].is_string()), "{broken:#?}");
    assert!(code != 0 || (failed.is_empty() && broken.is_empty()), "{failed:#?} {broken:#?}");
    let idle_nat = reasons(report).contains("its NAT is `required`");
    assert!(code != 1 || !failed.is_empty() || !broken.is_empty() || idle_nat);
}

/// How many of `n` draws, each with probability `p`, may come true: all but one in 10⁸ of such counts, as far as a normal
/// distribution tells, and five more, since where few are expected it tells too little.
pub(crate) fn draws(n: u64, p: f64) -> std::ops::RangeInclusive<u64> {
    let (mean, sigma) = (n as f64 * p, (n as f64 * p * (1.0 - p)).sqrt());
    (mean - 5.73 * sigma - 5.0).max(0.0) as u64..=(mean + 5.73 * sigma + 5.0) as u64
}

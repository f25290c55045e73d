//! One file of each kind, made by hand.

use super::*;
use crate::units::{Duration, Probability, Rate};

/// Times and values as texts, and the end.
fn read(format: &str, text: &str, wanted: Wanted) -> Result<(Vec<String>, Option<String>), String> {
    let series =
        serde_json::from_value::<Format>(format.into()).unwrap().series(text, wanted).map_err(|e| e.to_string())?;
    let time = |ns: u64| Duration::from_nanos(ns).to_string();
    let value = |value: u64| match wanted {
        Wanted::Rate => Rate::from_bps(value).map_or("0".into(), |rate| rate.to_string()),
        Wanted::Loss => Probability::from_parts(value).unwrap().to_string(),
        _ => time(value),
    };
    let rows = series.rows.iter().map(|(at, level)| format!("{} {}", time(*at), value(*level)));
    Ok((rows.collect(), series.end.map(time)))
}

fn expect(format: &str, text: &str, wanted: Wanted, rows: &[&str], end: Option<&str>) {
    let (found, found_end) = read(format, text, wanted).unwrap();
    assert_eq!(found, rows, "{format}");
    assert_eq!(found_end.as_deref(), end, "{format}");
}

const PENSIEVE: &str = include_str!("../../../tests/fixtures/tables/pensieve.txt");
const FCC: &str = include_str!("../../../tests/fixtures/tables/fcc.csv");
const HSDPA: &str = include_str!("../../../tests/fixtures/tables/hsdpa.log");
const OBOE: &str = include_str!("../../../tests/fixtures/tables/oboe.txt");
const PUFFER: &str = include_str!("../../../tests/fixtures/tables/puffer.csv");
const LENS_IRTT: &str = include_str!("../../../tests/fixtures/tables/lens-irtt.csv");
const LENS_PING: &str = include_str!("../../../tests/fixtures/tables/lens-ping.csv");
const STARLINK: &str = include_str!("../../../tests/fixtures/tables/starlink.csv");
const NETEM_TRACE: &str = include_str!("../../../tests/fixtures/tables/netem_trace.json");

#[test]
fn rates() {
    expect("pensieve", PENSIEVE, Wanted::Rate, &["0ms 4Mbit", "1s 2.5Mbit", "2.5s 0"], Some("4s"));
    expect("fcc", FCC, Wanted::Rate, &["0ms 8Mbit", "5s 4Mbit", "10s 12Mbit"], Some("15s"));
    expect("hsdpa", HSDPA, Wanted::Rate, &["0ms 2Mbit", "1s 1Mbit", "2.5s 0"], Some("3.5s"));
    expect("oboe", OBOE, Wanted::Rate, &["0ms 4Mbit", "400ms 2.5005Mbit"], Some("1s"));
    expect("puffer", PUFFER, Wanted::Rate, &["0ms 8Mbit", "2.002s 6Mbit"], None);
    let rates = ["0ms 12Mbit", "1s 24Mbit", "2s 12Mbit", "3s 24Mbit", "4s 2Mbit", "4.001s 4Mbit", "4.002s 1Mbit"];
    expect("netem_trace", NETEM_TRACE, Wanted::Rate, &rates, Some("4.004s"));
}

#[test]
fn delays_and_loss() {
    expect("lens", LENS_IRTT, Wanted::Delay, &["0ms 20ms", "30ms 25.5ms"], None);
    expect("lens", LENS_PING, Wanted::Delay, &["0ms 30.5ms", "20ms 40ms"], None);
    expect("starlink", STARLINK, Wanted::Delay, &["0ms 15ms", "3s 20ms"], None);
    expect("starlink", STARLINK, Wanted::Loss, &["0ms 0%", "1s 100%", "2s 100%", "3s 5%"], None);
    let plain = r#"{"StaticDelayConfig":{"delay":{"secs":0,"nanos":20000000},"duration":{"secs":1,"nanos":5}}}"#;
    expect("netem_trace", plain, Wanted::Delay, &["0ms 20ms"], Some("1.000000005s"));
}

#[test]
fn both_spellings_of_netem_trace() {
    let plain = r#"{"RepeatedBwPatternConfig":{"count":0,"pattern":[{"StaticBwConfig":{"bw":{"gbps":0,"bps":12000000},
        "duration":{"secs":1,"nanos":0}}},{"TraceBwConfig":[[25.0,[2.5]]]}]}}"#;
    expect("netem_trace", plain, Wanted::Rate, &["0ms 12Mbit", "1s 2.5Mbit"], Some("1.025s"));
}

#[test]
fn what_is_no_such_file_is_an_error_with_its_place() {
    for (format, text, wanted, part) in [
        ("pensieve", "0 4\n1 5,5", Wanted::Rate, "line 2, column 2: `5,5` has a decimal comma"),
        ("pensieve", "0 4\n2 4\n1 4", Wanted::Rate, "line 3, column 1: the table goes back in time, from 2s to 1s"),
        ("pensieve", "0 4", Wanted::Rate, "a trace needs two rows"),
        ("pensieve", "", Wanted::Rate, "no rows of this `format`"),
        ("pensieve", "0s 4\n1s 5", Wanted::Rate, "`s` is not a unit"),
        ("pensieve", PENSIEVE, Wanted::Delay, "this `format` holds no delay: those that do are lens, starlink"),
        ("starlink", STARLINK, Wanted::Rate, "this `format` holds no rate: those that do are pensieve"),
        ("fcc", &FCC.replacen("\n7", "\n8", 2).replacen("\n8", "\n7", 1), Wanted::Rate, "is another source than `7"),
        ("hsdpa", "1 2 59.8 10.7 1000 0", Wanted::Rate, "line 1, column 6: a row lasts 0 s"),
        ("hsdpa", "1 2 59.8 10.7 1000", Wanted::Rate, "line 1, column 6: a value is missing"),
        ("oboe", "0 100\n50 200", Wanted::Rate, "line 2, column 2: both rows of a chunk"),
        ("oboe", "0 100\n50 100\n60 100", Wanted::Rate, "the last chunk has no second row"),
        ("oboe", "0 100\n50 100\n40 100\n60 100", Wanted::Rate, "line 3, column 1: the chunk starts before"),
        ("puffer", "1,2,3,4", Wanted::Rate, "expected a first line that names the columns"),
        ("puffer", "time (ns GMT),session_id,index\n", Wanted::Rate, "no column is called `delivery_rate`"),
        ("starlink", &STARLINK.replace("12:00:01", "12.01"), Wanted::Loss, "line 3, column 1: expected a date"),
        ("lens", &LENS_PING.replace("1700000000.02", "1600000000"), Wanted::Delay, "goes back in time"),
        ("netem_trace", "{", Wanted::Rate, "line 1, column 1: expected JSON"),
        (
            "netem_trace",
            r#"{"SawtoothBwConfig":{}}"#,
            Wanted::Rate,
            "unknown variant `SawtoothBwConfig`, expected one of `StaticBwConfig`",
        ),
        ("netem_trace", r#"{"StaticBwConfig":{"bw":"1Mbps"}}"#, Wanted::Rate, "missing field `duration`"),
        ("netem_trace", r#"{"StaticBwConfig":{"bw":"1","duration":"1s"}}"#, Wanted::Rate, "has no unit"),
        ("netem_trace", r#"{"StaticBwConfig":{"bw":"1Mbps","duration":"1s"}}"#, Wanted::Delay, "holds no delay"),
        ("netem_trace", r#"{"RepeatedBwPatternConfig":{"count":9999999999,"pattern":[]}}"#, Wanted::Rate, "no steps"),
    ] {
        let error = read(format, text, wanted).unwrap_err();
        assert!(error.contains(part), "{format}: {error}");
    }
}

#[test]
fn days_are_counted_from_1970() {
    let seconds = |text| date_and_time(text).map(|ns| ns / NANOS_PER_SEC);
    assert_eq!(seconds("1970-01-01T00:00:00"), Some(0));
    assert_eq!(seconds("2000-02-29T23:59:59"), Some(951_868_799));
    assert_eq!(seconds("2000-03-01T00:00:00"), Some(951_868_800));
    assert_eq!(seconds("2026-01-31T12:00:00"), Some(1_769_860_800));
    assert_eq!(date_and_time("1970-01-01T00:00:01.5"), Some(1_500_000_000));
    for wrong in
        ["", "2026-01-31", "2026-13-01T00:00:00", "2026-01-31T24:00:00", "2026-1-1-1T0:0:0", "+2026-01-01T00:00:00"]
    {
        assert_eq!(date_and_time(wrong), None, "{wrong}");
    }
}

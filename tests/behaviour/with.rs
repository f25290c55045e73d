//! `longwire with --between … --sim`: a program and a server behind one link, without a file, to the nanosecond.

use crate::support::sim::Sim;

fn with(arguments: &[&str]) -> Option<crate::support::Ended> {
    let sim = Sim::new("")?;
    let words = [&["with", "--sim"], arguments].concat();
    Some(sim.lab.start(sim.other(env!("CARGO_BIN_EXE_longwire"), &words)).wait())
}

const SERVER: &str = "server: python3 -m http.server 80";

#[test]
fn the_program_meets_the_server_behind_the_link_and_its_code_is_passed_on() {
    let script = "curl -4 -s -o page -w '%{http_code} %{time_connect}' http://server/; echo; cat; exit 7";
    let Some(ended) = with(&["--delay", "50ms", "--between", SERVER, "--", "sh", "-c", script]) else { return };
    // a round trip, and nothing of the machine's own
    assert_eq!((ended.code, ended.stdout.as_str()), (7, "200 0.100000\n"), "{}", ended.told());
    assert!(!ended.stderr.contains("link"), "no report: {}", ended.told());
}

#[test]
fn several_hosts_share_the_link_and_a_preset_favours_the_program() {
    let script = "ping -c 1 -q a && ping -c 1 -q b";
    let line = ["lte", "--delay", "10ms", "--json", "-", "--between", "a", "--between", "b", "--", "sh", "-c", script];
    let Some(ended) = with(&line) else { return };
    let (pings, report) = ended.stdout.split_at(ended.stdout.find('{').expect("a report behind the output"));
    assert_eq!((ended.code, pings.matches("0% packet loss").count()), (0, 2), "{}", ended.told());
    let report: serde_json::Value = serde_json::from_str(report).expect("JSON");
    let link: Vec<_> = report["directions"].as_array().unwrap().iter().filter(|d| d["link"] == "link").collect();
    let rates: Vec<&str> = link.iter().map(|d| d["requested"]["rate"].as_str().unwrap()).collect();
    assert_eq!((link[0]["from"].as_str(), rates), (Some("client.eth0"), vec!["10Mbit", "30Mbit"]), "{link:#?}");
}

#[test]
fn a_service_that_ends_is_told_with_its_output() {
    let Some(ended) = with(&["--between", "server: echo no file; exit 9", "--", "true"]) else { return };
    assert_eq!(ended.code, 1, "{}", ended.told());
    assert!(ended.stderr.contains("exited with 9 before it was ready") && ended.stderr.contains("no file"));
}

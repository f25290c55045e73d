//! The page of a run: whole, by itself, safe whatever programs write, and right in a browser.

use std::fs;
use std::path::Path;

use crate::support::report::assert_failed;
use crate::support::{Lab, browser};

/// Everything hostile that a scenario can say of itself, a timeline, failures, and drops.
const SCENARIO: &str = r#"
longwire: 1
name: "</title><script>alert('name')</script> & more"
seed: 5
duration: 4s
params: { loss: 2% }
nodes: { phone: host, home: { router: { nat: wan } }, server: host }
links:
  wifi: { ends: [phone.wlan0, home.lan], delay: { mean: 8ms, jitter: 3ms }, loss: $loss, rate: 5Mbit }
  dsl:  { ends: [home.wan, server], delay: 4ms, rate: 20Mbit }
services:
  sleeper: { in: server, shell: "echo '<b>up</b>'; exec sleep 60", ready: { log: up } }
workloads:
  rtt:   { ping: { from: phone, to: server, every: 50ms, for: 3s } }
  call:  { udp: { from: phone, to: server, every: 10ms, size: 400B, for: 3s } }
  evil:  { in: phone, shell: "printf '</pre></main><script>alert(1)</script>\\033[31mred\\n'; exit 9" }
timeline:
  - { at: 1s, mark: worse, set: { wifi: { loss: 40%, delay: 30ms } } }
  - { at: 2s, down: wifi }
  - { at: 2500ms, up: wifi }
"#;

/// The page after its doctype, read as XML: every element is closed, every text escaped.
fn read(page: &str) -> roxmltree::Document<'_> {
    let xml = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    roxmltree::Document::parse(xml).unwrap_or_else(|error| panic!("{error}"))
}

fn run(lab: &Lab) -> String {
    let options = ["--html", "page.html", "--out", "out", "--param", "loss=3%"];
    let ended = lab.run_scenario(&options);
    let report = serde_json::from_str(&lab.read("out/report.json")).expect("a report");
    assert_failed(ended.code, &report);
    lab.read("page.html")
}

#[test]
fn a_run_leaves_a_page_that_needs_nothing_and_lets_nothing_out() {
    let Some(lab) = Lab::on_any_clock(SCENARIO) else { return };
    let page = run(&lab);
    let document = read(&page);
    for heading in [
        "What was tested",
        "Phases",
        "Services and workloads",
        "Network",
        "Links over time",
        "How delays were distributed",
        "Nodes and interfaces",
        "Validity",
        "Machine, seed and command",
    ] {
        assert!(page.contains(&format!(">{heading}</h2>")), "{heading}");
    }
    assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{1b}'));
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        for attribute in node.attributes() {
            let (name, value) = (attribute.name(), attribute.value());
            let stays = name != "src" && !name.starts_with("on");
            assert!(stays && (name != "href" || value.starts_with('#') || value == "data:,"), "{name}={value}");
        }
    }
    let text: String = document.descendants().filter_map(|node| node.text()).collect();
    for seen in [
        "</title><script>alert('name')</script> & more",
        "</pre></main><script>alert(1)</script>red",
        "it exited with 9",
        "wifi.loss=40%",
        "Throughput in ",
        "Mean delay in ",
        "link_down",
        "--param loss=3% --seed 5",
        "loss: $loss",
    ] {
        assert!(text.contains(seen), "{seen}");
    }
    // both directions of the busy link are lines of its picture
    let lines = |class: &str| document.descendants().filter(|node| node.attribute("class") == Some(class)).count();
    assert!(lines("s-1") >= 4 && lines("s-2") >= 2 && lines("mark") >= 6, "{} {}", lines("s-1"), lines("s-2"));
    // the page in the run's directory names files as they are seen from there
    let inside = lab.read("out/report.html");
    read(&inside);
    assert!(inside.contains("All of it, as in programs/evil.log."), "{inside}");
    assert!(
        page.contains(&format!(
            "{}/out/programs/evil.log",
            lab.path("").canonicalize().expect("it is there").display()
        ))
    );
    assert!(lab.read("out/command.txt").contains("--param loss=3% --seed 5"));
    let report: serde_json::Value = serde_json::from_str(&lab.read("out/report.json")).expect("JSON");
    let histogram = &report["directions"][0]["delay_histogram"];
    let binned: u64 = histogram["counts"].as_array().expect("bins").iter().filter_map(serde_json::Value::as_u64).sum();
    let delivered = &report["directions"][0]["delivered"]["frames"];
    assert_eq!(binned + histogram["longer"].as_u64().expect("a count"), delivered.as_u64().expect("a count"));
}

/// What a headless browser says while it makes a picture of a page. `scheme`: 1 for light, 0 for dark.
fn screenshot(lab: &Lab, browser: &str, page: &Path, scheme: u8, picture: &str) -> String {
    let profile = format!("--user-data-dir={}", lab.path(&format!("profile-{scheme}")).display());
    let scheme = format!("--blink-settings=preferredColorScheme={scheme}");
    let screenshot = format!("--screenshot={}", lab.path(picture).display());
    let url = format!("file://{}", page.display());
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--hide-scrollbars",
        "--enable-logging=stderr",
        "--window-size=1100,1600",
        &profile,
        &scheme,
        &screenshot,
        &url,
    ];
    let output = lab.other(browser, &arguments).output().expect("started");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{told}");
    told
}

#[test]
fn a_browser_shows_it_in_light_and_dark_without_a_complaint() {
    let Some(browser) = browser() else { return };
    let Some(lab) = Lab::on_any_clock(SCENARIO) else { return };
    run(&lab);
    let sizes = [(1, "light.png"), (0, "dark.png")].map(|(scheme, picture)| {
        let told = screenshot(&lab, browser, &lab.path("page.html"), scheme, picture);
        assert!(!told.contains("CONSOLE"), "the console is to be empty: {told}");
        fs::read(lab.path(picture)).expect("a picture")
    });
    // PNG packs what is blank: a page of text and lines takes many times as much
    fs::write(lab.path("blank.html"), "<!DOCTYPE html><html lang=\"en\"><title>blank</title></html>").expect("written");
    screenshot(&lab, browser, &lab.path("blank.html"), 1, "blank.png");
    let blank = fs::read(lab.path("blank.png")).expect("a picture").len();
    for picture in &sizes {
        assert!(picture.len() > 5 * blank, "{} bytes, a blank page has {blank}", picture.len());
    }
    assert_ne!(sizes[0], sizes[1], "light and dark differ");
}

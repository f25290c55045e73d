//! Where each command of the pages is run: scenes, which are shells in a folder of their own with a copy of scenarios/ in it.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use regex::Regex;

use super::documents::{commands, pages, repository, shape, text};
use super::{Ended, Lab, report, verdicts};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// As root, in a network namespace of its own: no scene sees the runs of another.
    Live,
    Virtual,
}

/// Commands that one shell runs in this order.
pub(crate) struct Scene {
    pub(crate) clock: Clock,
    /// What the folder has beside scenarios/: its name, and a text that only this block of YAML of the pages has.
    files: &'static [(&'static str, &'static str)],
    /// Shell, before the first of them. `stay COMMAND` starts a run that stays up, and waits until it is.
    before: &'static str,
    pub(crate) steps: &'static [Step],
}

const fn live(before: &'static str, steps: &'static [Step]) -> Scene {
    Scene { clock: Clock::Live, files: &[], before, steps }
}

const fn simulated(before: &'static str, steps: &'static [Step]) -> Scene {
    Scene { clock: Clock::Virtual, files: &[], before, steps }
}

pub(crate) struct Step {
    /// As it stands in a page.
    pub(crate) line: &'static str,
    /// Options that make it short.
    more: &'static str,
    stays: bool,
    code: i32,
}

const fn run(line: &'static str) -> Step {
    Step { line, more: "", stays: false, code: 0 }
}

/// It stays up until the scene is over, and then ends as by Ctrl-C.
const fn stay(line: &'static str) -> Step {
    Step { line, more: "", stays: true, code: 0 }
}

impl Step {
    const fn with(self, more: &'static str) -> Step {
        Step { more, ..self }
    }

    const fn ends(self, code: i32) -> Step {
        Step { code, ..self }
    }
}

/// Runs of a second that pass, in the folders that docs/test.md names.
const SUITE: &str = "rm -r scenarios; mkdir -p scenarios ci/net ci/deep
printf '%s\\n' 'longwire: 1' 'nodes: { a: host, b: host }' 'links: { wire: { ends: [a, b], delay: 1ms } }' \
 'workloads: { rtt: { ping: { from: a, to: b, every: 50ms, count: 4 } } }' 'expect: [rtt.loss == 0%]' > scenarios/one.yaml
for copy in ci/dns.yaml ci/net/two.yaml ci/deep/bulk-1.yaml; do cp scenarios/one.yaml $copy; done";

/// Two interfaces with something at their other ends.
const CABLES: &str =
    "for n in 1 2; do ip link add eth$n type veth peer name far$n; ip link set eth$n up; ip link set far$n up; done";

/// What commands of the machine need that start with a network.
const STARTS: &str = "cp scenarios/link-outage-by-hand.yaml net.yaml
printf '#!/bin/sh\\nexec sleep 60\\n' > vm.sh; chmod +x vm.sh; cp vm.sh start-vm.sh
ip link add br0 type bridge; ip tuntap add lw0 mode tap";

/// All of them. Live scenes run beside each other: each takes some ten seconds by the clock, and hardly a processor.
pub(crate) const SCENES: &[Scene] = &[
    live("", &[run("cargo run --release -- run scenarios/quickstart.yaml")]),
    live("", &[run("longwire run scenarios/first.yaml")]),
    live("", &[run("longwire run scenarios/bad-wifi.yaml")]),
    live("", &[run("longwire demo"), run("longwire doctor")]),
    live("", &[run("longwire test scenarios/ci --filter outage --repeat 2 --junit results.xml --html pages")]),
    live(
        "",
        &[
            stay("longwire run scenarios/link-outage-by-hand.yaml").ends(130),
            run("longwire exec client -- ping -q -c 3 server"),
            run("longwire set wan=down"),
            run("longwire exec client -- ping -q -c 3 -W 1 server").ends(1),
            run("longwire set wan=up wan.delay=200ms wan.toward.client.loss=5%"),
            run("longwire status"),
            run("longwire set wan.dealy=5ms").ends(2),
            run("longwire exec client"),
            run("longwire ps"),
        ],
    ),
    live(
        "cp scenarios/link-outage-by-hand.yaml net.yaml",
        &[
            run("mkfifo up"),
            run("longwire run net.yaml --ready-fd 3 3>up &"),
            run("read -r line <up"),
            run("longwire exec client -- ping -c 3 server"),
            run("kill -INT $!"),
        ],
    ),
    live(STARTS, &[stay("longwire run net.yaml --on-up ./start-vm.sh").ends(130)]),
    live(STARTS, &[stay("longwire run net.yaml --on-up 'ip link set lw0 master br0'").ends(130)]),
    Scene {
        files: &[("vm.yaml", "qemu: vm.sock }")],
        ..live(STARTS, &[stay("longwire run vm.yaml --on-up ./vm.sh").ends(130)])
    },
    live(
        SUITE,
        &[run("longwire test"), run("longwire test ci/dns.yaml ci/net"), run("longwire test 'ci/**/bulk-*.yaml'")],
    ),
    live(
        CABLES,
        &[
            run("longwire wire eth1 eth2 --delay 20ms --loss 1%").with("--for 200ms"),
            stay("longwire wire eth1 eth2 --delay 20ms").ends(130),
            run("longwire set wire.loss=5%"),
        ],
    ),
    live("", &[run("longwire with lte --between 'server: python3 -m http.server 80' -- curl http://server/")]),
    live("stay longwire with lte --between server -- sleep 60", &[run("longwire set link.loss=5%")]),
    Scene {
        files: &[("vm.yaml", "qemu: vm.sock }")],
        ..live("", &[run("longwire check vm.yaml"), stay("longwire run vm.yaml").ends(130)])
    },
    live(
        "stay longwire run scenarios/bad-wifi.yaml",
        &[run("longwire set wifi.loss=10%"), run("longwire set wifi.loss=5%")],
    ),
    live(
        "stay longwire run scenarios/regions.yaml",
        &[
            run("longwire set internet-frankfurt-tokyo.loss=2%"),
            run("longwire set internet-frankfurt-tokyo.rate=50Mbit"),
        ],
    ),
    live("stay longwire run scenarios/nat.yaml", &[run("longwire set home.nat=rebind")]),
    simulated(
        "",
        &[
            run("longwire sim scenarios/first.yaml"),
            run("longwire sim scenarios/quickstart.yaml").with("--json report.json"),
            run("longwire plot report.json --chart rtt.delay --svg rtt.svg"),
            run("longwire sim --shell alice scenarios/quickstart.yaml"),
            run("longwire demo --sim --html page.html"),
        ],
    ),
    simulated(
        "",
        &[
            run("longwire test --sim scenarios/ci").with("--filter outage"),
            run("longwire test --sim --repeat 2 --identical scenarios/ci").with("--filter outage"),
        ],
    ),
    simulated(SUITE, &[run("longwire test --sim"), run("longwire test --sim --repeat 3 --identical")]),
    Scene {
        files: &[("call.yaml", "name: Call\n")],
        ..simulated(
            "",
            &[
                run("longwire test call.yaml --sim --repeat 5 --out before/"),
                run("longwire test call.yaml --sim --repeat 5 --seed 101 --param loss=3% --out after/").ends(1),
                run("longwire compare before/ --to after/").ends(1),
            ],
        )
    },
    simulated(
        "longwire sim scenarios/quickstart.yaml --out out > text\ncp -r out OUT",
        &[
            run("longwire plot out/"),
            run("longwire plot out/ --chart call.delay --svg delay.svg"),
            run("longwire plot out/ --chart call.delay --png delay.png"),
            run("jq -c '.directions[0] | .offered, .delivered, .dropped' OUT/report.json"),
            run("head -1 OUT/events.jsonl"),
            run("cat OUT/programs/names.log"),
        ],
    ),
    simulated(
        "longwire sim scenarios/capture.yaml --out DIR > text",
        &[
            run("tshark -r DIR/captures/wifi.pcapng -Y 'frame.comment contains \"dropped: loss\"'"),
            run(
                "tshark -r DIR/captures/wifi.pcapng -T fields -e frame.number -e frame.interface_name -e frame.time_epoch -e frame.comment",
            ),
        ],
    ),
    simulated(
        "",
        &[
            run("mkdir -p ~/.local/share/bash-completion/completions ~/.local/share/man/man1"),
            run("longwire completions bash > ~/.local/share/bash-completion/completions/longwire"),
            run("longwire man ~/.local/share/man/man1"),
            run("longwire schema"),
            run("longwire profiles"),
        ],
    ),
];

/// What is not run here: how these lines begin, and why not.
pub(crate) const NOT_RUN: &[(&str, &str)] = &[
    ("cargo ", "builds: CI does"),
    ("LONGWIRE_TEST_ALL=1 cargo test", "this is a part of it"),
    ("LONGWIRE_SOAK=2h cargo test", "takes two hours"),
    ("MIRIFLAGS=", "needs another compiler"),
    ("rustup ", "installs another compiler"),
    ("fuzz/seed", "writes into the repository; a part of fuzzing"),
    ("cd fuzz", "for the fuzzers, which need another compiler"),
    (".ci/run", "runs this"),
    ("kernel/build", "builds a kernel"),
    ("docker ", "needs Docker"),
    ("apt-get install ", "needs a released package; packaging/try-deb installs one"),
    ("tar --extract ", "needs a release"),
    ("longwire sim /usr/share/", "needs an installed package; packaging/try-deb runs it"),
    ("longwire run /usr/share/", "needs an installed package; packaging/try-deb runs it"),
    ("longwire with lte -- curl ", "needs the Internet"),
    ("longwire doctor --calibrate", "measures for ten seconds; tests/live/suite.rs runs it"),
    ("longwire doctor --restore", "is about the machine's own interfaces; tests/live/wire.rs runs it"),
    ("longwire run web.yaml", "needs a container engine; tests/live/containers.rs has one that stands in"),
    ("longwire compose ", "needs a container engine; tests/live/compose.rs has one that stands in"),
    ("longwire exec web ", "needs a container engine; tests/live/containers.rs has one that stands in"),
    ("longwire check ", "tests/offline/documents.rs runs it"),
];

/// Before the first command of a scene.
const PRELUDE: &str = r#"exec 2>&1
stay() {
    "$@" > stays.txt &
    stays=$!
    until longwire status > status.txt; do kill -0 $stays || exit 99; sleep 0.05; done
}
"#;

impl Scene {
    /// All of it for a shell, with a line `@@ CODE` after each step.
    fn script(&self) -> String {
        let mut script = format!("{PRELUDE}{}\nprintf '\\n@@ %s\\n' $?\n", self.before);
        for step in self.steps {
            // the program under test is what `cargo run` would build
            let line = step.line.replace("cargo run --release --", "longwire");
            let stay = if step.stays { "stay " } else { "" };
            let typed = typed(step.line);
            let pipe = if typed.is_empty() { "" } else { " < typed.txt" };
            if !typed.is_empty() {
                script += &format!("cat > typed.txt <<'END'\n{typed}END\n");
            }
            script += &format!("{stay}{line} {}{pipe}\nprintf '\\n@@ %s\\n' $?\n", step.more);
        }
        script + "[ -z \"$stays\" ] || { kill -INT $stays; wait $stays; printf '\\n@@ %s\\n' $?; }\n"
    }

    /// Runs it in the lab's folder, which is empty; each command ends and prints as its page says.
    pub(crate) fn play(&self, lab: &Lab, mut shell: Command) {
        copy(&repository().join("scenarios"), &lab.path("scenarios"));
        for (name, only) in self.files {
            lab.write(name, &block(only));
        }
        let path = Path::new(env!("CARGO_BIN_EXE_longwire")).parent().expect("a folder").to_path_buf();
        let others = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([path].into_iter().chain(std::env::split_paths(&others))).expect("a path");
        shell.arg(self.script()).env("PATH", path).env("HOME", lab.path(""));
        let ended = lab.start(shell).wait();
        self.judge(&ended, &lab.path("").display().to_string());
    }

    fn judge(&self, ended: &Ended, folder: &str) {
        static MARK: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\n@@ (\d+)\n").expect("a pattern"));
        let codes: Vec<i32> =
            MARK.captures_iter(&ended.stdout).map(|found| found[1].parse().expect("a code")).collect();
        let outputs: Vec<&str> = MARK.split(&ended.stdout).collect();
        let stays = self.steps.iter().any(|step| step.stays) || self.before.contains("stay ");
        let marks = 1 + self.steps.len() + usize::from(stays);
        assert_eq!((codes.len(), codes.first()), (marks, Some(&0)), "{}", ended.told());
        for ((step, code), output) in self.steps.iter().zip(&codes[1..]).zip(&outputs[1..]) {
            let ends = if step.stays { 0 } else { step.code };
            let late = self.clock == Clock::Live && *code == 3 && ends == 0 && report::names_lateness(output);
            assert!(*code == ends || late, "{} ends with {code}: {}", step.line, ended.told());
            if step.line.contains(" run ") || step.line.contains(" test ") {
                verdicts::note(!late);
            }
            if late {
                continue;
            }
            if step.stays {
                assert_eq!(codes.last(), Some(&step.code), "{}: {}", step.line, ended.told());
                continue;
            }
            let output = output.replace(folder.trim_end_matches('/'), "/home/ann");
            for shown in commands().iter().filter(|shown| shown.line == step.line && !shown.prints.is_empty()) {
                let prints: String = said(&shown.prints).map(|line| format!("{line}\n")).collect();
                let (printed, prints_there) = (shape(&output), shape(&prints));
                // after its shell a run goes on, which the page leaves out
                let alike =
                    printed == prints_there || !typed(step.line).is_empty() && printed.starts_with(&prints_there);
                assert!(alike, "{}: {prints_there}\n{}", shown.place, ended.told());
                if self.clock == Clock::Virtual && typed(step.line).is_empty() {
                    assert_eq!(judged(&output), judged(&prints), "{}", shown.place);
                }
            }
        }
    }
}

/// The lines of expectations, which are the same to the digit in virtual time.
fn judged(text: &str) -> Vec<&str> {
    text.lines().filter(|line| line.contains(" < ") || line.contains(" >= ")).collect()
}

/// A line behind the prompt of a host's shell.
fn behind_a_prompt(line: &str) -> Option<&str> {
    line.split_once(" $ ").filter(|(host, _)| host.chars().all(char::is_alphanumeric)).map(|(_, typed)| typed)
}

/// What the page types into a command.
fn typed(line: &str) -> String {
    let shown = commands().iter().filter(|shown| shown.line == line);
    shown
        .flat_map(|shown| {
            shown.prints.lines().filter_map(behind_a_prompt).map(|typed| format!("{typed}\n")).collect::<Vec<_>>()
        })
        .collect()
}

fn said(prints: &str) -> impl Iterator<Item = &str> {
    prints.lines().filter(|line| behind_a_prompt(line).is_none())
}

/// The one block of YAML of all pages with this in it.
fn block(only: &str) -> String {
    static BLOCK: LazyLock<Regex> = LazyLock::new(|| Regex::new("(?s)```yaml\n(.*?)```").expect("a pattern"));
    let texts: String = pages().iter().map(|page| text(page)).collect();
    let found: Vec<&str> = BLOCK
        .captures_iter(&texts)
        .map(|found| found.get(1).expect("a group").as_str())
        .filter(|block| block.contains(only))
        .collect();
    assert_eq!(found.len(), 1, "blocks with {only:?}");
    found[0].to_owned()
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").args([from, to]).status().expect("cp is there");
    assert!(copied.success(), "copied");
}

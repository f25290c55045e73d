//! What a run in virtual time can change on the machine: the scenario's folder and `--out`, nothing else.

use std::fs;

use crate::support::sim::{Parts, Sim};

const WRITER: &str = "\
longwire: 1
nodes: { a: host, b: host }
links: { wire: { ends: [a, b] } }
workloads:
  write:
    in: a
    root: true
    shell: \"echo mark > NAME && cat NAME && echo mark > ../FOLDER-neighbour/file && cat ../FOLDER-neighbour/file && echo mark > inside\"
  wait: { in: b, after: write, shell: \"touch up; while :; do sleep 0.01; done\", timeout: 100000s }
";

#[test]
fn writes_beside_the_folder_stay_in_the_guest() {
    let Some(sim) = Sim::new("") else { return };
    let folder = sim.lab.path("");
    let folder = folder.file_name().expect("it has one").to_string_lossy().into_owned();
    let name = format!("/etc/{folder}-of-a-test");
    let neighbour = sim.lab.path("").with_file_name(format!("{folder}-neighbour"));
    fs::create_dir(&neighbour).expect("made");
    fs::write(neighbour.join("file"), "before").expect("written");
    sim.lab.write("scenario.yaml", &WRITER.replace("NAME", &name).replace("FOLDER", &folder));

    let mut run = sim.lab.start(sim.command(&["--out", "out"]));
    let mut seen = false;
    crate::support::until("it runs or has ended", || {
        seen = sim.lab.path("up").exists();
        seen || !run.runs()
    });
    assert!(seen, "{}", run.wait().told());
    let parts = Parts::wait(&run);
    for pid in [parts.launcher, parts.kernel] {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("ours");
        let value = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or("?").trim().to_owned();
        for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
            assert_eq!(value(set).trim_start_matches('0'), "", "{set} of {pid}");
        }
        assert_eq!(value("NoNewPrivs:"), "1", "of {pid}");
    }
    run.signal(nix::sys::signal::Signal::SIGINT);
    let ended = run.wait();
    assert_eq!(ended.code, 130, "{}", ended.told());

    assert_eq!(sim.lab.read("out/programs/write.log"), "mark\nmark\n", "the guest sees what it wrote");
    assert!(!fs::exists(&name).expect("readable"), "{name} on the machine");
    assert_eq!(fs::read_to_string(neighbour.join("file")).expect("there"), "before");
    assert_eq!(sim.lab.read("inside"), "mark\n");
    fs::remove_dir_all(neighbour).expect("ours");
    sim.assert_home_is_empty();
}

#[test]
fn through_sudo_what_is_left_belongs_to_the_caller() {
    let Some(sim) = Sim::new("") else { return };
    if !crate::support::is_root() {
        crate::support::skip("only root can do as sudo does");
        return;
    }
    sim.lab.write(
        "scenario.yaml",
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\n\
         workloads: { w: { in: a, shell: \"echo said\" } }\n",
    );
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(sim.lab.path(""), open).expect("ours");
    let mut command = sim.other(crate::support::open_copy(&sim.lab), &["sim", "scenario.yaml", "--out", "out"]);
    command.env("SUDO_UID", "65534").env("SUDO_GID", "65534");
    let ended = sim.lab.start(command).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert_eq!(sim.lab.read("out/programs/w.log"), "said\n");
    let owner = std::os::unix::fs::MetadataExt::uid(&fs::metadata(sim.lab.path("out/report.json")).expect("there"));
    assert_eq!(owner, 65_534);
}

#[test]
fn a_folder_in_memory_is_the_machines_too() {
    let Some(sim) = Sim::new("") else { return };
    let Ok(folder) = tempfile::Builder::new().prefix("folder-of-a-test-").tempdir_in("/dev/shm") else {
        crate::support::skip("there is no /dev/shm here");
        return;
    };
    let scenario = "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\n\
                    workloads: { w: { in: a, root: true, shell: \"cat before && echo mark > inside\" } }\n";
    for (name, text) in [("scenario.yaml", scenario), ("before", "there")] {
        fs::write(folder.path().join(name), text).expect("written");
    }
    let mut command = sim.command(&[]);
    command.current_dir(folder.path());
    let ended = sim.lab.start(command).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert_eq!(fs::read_to_string(folder.path().join("inside")).expect("written inside"), "mark\n");
}

#[test]
fn outputs_go_where_they_are_asked_for() {
    let Some(sim) = Sim::new(
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\n\
         workloads: { rtt: { ping: { from: a, to: b, every: 100ms, count: 5 } } }\n",
    ) else {
        return;
    };
    let elsewhere = tempfile::tempdir().expect("made");
    let path = |name: &str| elsewhere.path().join(name).display().to_string();
    fs::write(path("report.json"), "x".repeat(100_000)).expect("written");
    let (json, page, series) = (path("report.json"), path("page.html"), path("series.csv"));
    let ended = sim.lab.start(sim.command(&["--json", &json, "--html", &page, "--series", &series])).wait();
    assert_eq!(ended.code, 0, "{}", ended.told());
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&json).expect("there")).expect("JSON");
    assert_eq!(report["verdict"], "pass");
    assert!(fs::read_to_string(page).expect("there").contains("<html"));
    assert!(fs::read_to_string(series).expect("there").lines().count() > 1);
    // a pipe cannot be opened by its name once privileges are gone
    let ended = sim.lab.start(sim.command(&["--json", "/dev/stdout"])).wait();
    assert!(ended.code == 0 && ended.stdout.contains("\"verdict\": \"pass\""), "{}", ended.told());
    let ended = sim.lab.start(sim.command(&["--json", "/no/such/directory/report.json"])).wait();
    assert!(ended.code == 2 && ended.stderr.contains("/no/such/directory"), "{}", ended.told());
}

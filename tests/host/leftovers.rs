//! Nothing is left behind, whenever the main process is killed.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use longwire::host::Init;
use longwire::port::tap::Framing;

use crate::harness::{build, builtin, or_skip, segment, shell, start};

const HOSTS: &str = "LONGWIRE_TEST_VICTIM_HOSTS";
const MARK: &str = "LONGWIRE_TEST_MARK";

/// A main process that gets killed: makes hosts, starts programs in them, stays.
pub(crate) fn victim() {
    let mut init = or_skip(Init::start(builtin));
    let hosts = std::env::var(HOSTS).ok().and_then(|n| n.parse().ok()).unwrap_or(6);
    let ports = or_skip(init.build(&segment(hosts), Framing::Plain));
    let mark = std::env::var(MARK).expect("a mark");
    for n in 1..=6 {
        // One that ends at nobody's word, in a session of its own.
        let script = format!("export {MARK}={mark}; trap '' TERM HUP INT; setsid sleep 60 & sleep 60");
        start(&mut init, n, &format!("h{n}"), shell(&script)).expect("started");
    }
    println!("up");
    std::thread::sleep(Duration::from_secs(60));
    drop(ports);
}

/// All living processes, with the namespaces they are in.
fn processes() -> Vec<(u32, Vec<u8>, BTreeSet<String>)> {
    let entries =
        fs::read_dir("/proc").expect("/proc").filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let namespaces = |pid: u32| {
        let links = ["net", "mnt", "pid", "user"].map(|kind| fs::read_link(format!("/proc/{pid}/ns/{kind}")));
        links.into_iter().flatten().map(|link| link.to_string_lossy().into_owned()).collect()
    };
    // A zombie holds nothing any more; whoever inherited it will take it in.
    let lives = |pid: &u32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        stat.rsplit(") ").next().is_some_and(|rest| !rest.starts_with(['Z', 'X']))
    };
    entries
        .filter(lives)
        .map(|pid| (pid, fs::read(format!("/proc/{pid}/environ")).unwrap_or_default(), namespaces(pid)))
        .collect()
}

fn marked(mark: &str) -> (Vec<u32>, BTreeSet<String>) {
    let wanted = format!("{MARK}={mark}");
    let found = processes().into_iter().filter(|(_, environment, _)| {
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    });
    found.fold((Vec::new(), BTreeSet::new()), |(mut pids, mut all), (pid, _, namespaces)| {
        pids.push(pid);
        all.extend(namespaces);
        (pids, all)
    })
}

fn assert_gone(mark: &str, namespaces: &BTreeSet<String>, when: &str) {
    let own: BTreeSet<String> =
        processes().into_iter().filter(|(pid, ..)| *pid == std::process::id()).flat_map(|(_, _, all)| all).collect();
    let begin = Instant::now();
    loop {
        let (left, _) = marked(mark);
        let held: Vec<_> = processes()
            .into_iter()
            .filter(|(_, _, all)| {
                all.iter().any(|namespace| namespaces.contains(namespace) && !own.contains(namespace))
            })
            .map(|(pid, ..)| pid)
            .collect();
        if left.is_empty() && held.is_empty() {
            return;
        }
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "left {when}: processes {left:?}, in its namespaces {held:?}"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn killed() {
    // Skips here where hosts cannot be made at all.
    drop(build(&segment(1)));
    let mounts = || fs::read_to_string("/proc/self/mountinfo").expect("our own");
    let (mounts_before, mut with_hosts, mut during) = (mounts(), 0, 0);
    for round in 0_u64..40 {
        let mark = format!("{}-{round}", std::process::id());
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg("--victim")
            .env(MARK, &mark)
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        // From before it is born to long after it is up, close together where the most happens.
        let delay = Duration::from_micros(round * round * 150);
        std::thread::sleep(delay);
        // The last few are up for certain, however slow the machine.
        let waited = round >= 36;
        if waited {
            child.stdout.as_mut().expect("piped").read_exact(&mut [0; 3]).expect("up");
        }
        let (pids, namespaces) = marked(&mark);
        child.kill().expect("our child");
        let output = child.wait_with_output();
        let when = format!("killed after {delay:?}");
        assert_gone(&mark, &namespaces, &when);
        // The victim's output closes with its last process.
        let up = waited || output.is_ok_and(|output| output.stdout == b"up\n");
        match (up, pids.len()) {
            (true, processes) => {
                // of the others the last may have been started since they were counted
                assert!(processes > 6 || !waited, "{pids:?}");
                with_hosts += 1;
            }
            (false, 2..) => during += 1,
            (false, _) => {}
        }
    }
    println!("  killed {during} times in the middle of setting up, {with_hosts} times with all hosts up");
    assert!(with_hosts > 0 && during > 0, "the moments were not spread over the whole life");
    assert_eq!(mounts(), mounts_before);
}

pub(crate) fn killed_with_many_hosts() {
    drop(build(&segment(1)));
    let mark = std::process::id().to_string();
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .arg("--victim")
        .env(MARK, &mark)
        .env(HOSTS, "150")
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    let mut up = [0; 3];
    child.stdout.as_mut().expect("piped").read_exact(&mut up).expect("up");
    let (pids, namespaces) = marked(&mark);
    assert!(pids.len() > 6, "{pids:?}");
    child.kill().expect("our child");
    let begin = Instant::now();
    // The interfaces go while the processes that held them end.
    assert_gone(&mark, &namespaces, "of 150 hosts");
    println!("  150 hosts were gone {} ms after the kill", begin.elapsed().as_millis());
    child.wait().expect("our child");
}

pub(crate) fn dropped() {
    let mark = std::process::id().to_string();
    let (mut init, _ports) = build(&segment(2));
    for n in 1..=2 {
        let script = format!("export {MARK}={mark}; setsid sleep 60 & exec sleep 60");
        start(&mut init, n, &format!("h{n}"), shell(&script)).expect("started");
    }
    let mut found = (Vec::new(), BTreeSet::new());
    crate::harness::until("the programs run", || {
        found = marked(&mark);
        !found.0.is_empty()
    });
    drop(init);
    assert_gone(&mark, &found.1, "dropped");
}

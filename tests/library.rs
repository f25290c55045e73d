//! Networks from Rust, as programs that use the library see them. As root, all of it once more as a normal user: the test program
//! starts itself again, so it holds nothing else.

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use longwire::{Error, ErrorKind, Network, Report, Stdio};
use support::traces::Traces;
use support::{has, is_root, skip, until};

const TWO: &str = "\
longwire: 1
params: { loss: 0% }
nodes: { alice: host, bob: host }
links: { wire: { ends: [alice, bob], delay: 5ms, loss: $loss } }
";

/// Two hosts and what more the scenario says; `None` where this machine can make no hosts.
fn network(more: &str) -> Result<Option<Network>, Error> {
    up(longwire::scenario(format!("{TWO}{more}"))?)
}

fn up(setup: longwire::Setup) -> Result<Option<Network>, Error> {
    match setup.start() {
        Err(error) if error.is_unsupported() => {
            skip(&error.to_string());
            Ok(None)
        }
        other => other.map(Some),
    }
}

/// Asserts a pass, unless the machine was too slow for one.
fn assert_passes(report: &Report) {
    if !report.is_invalid() {
        report.assert_pass();
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

#[test]
fn commands_run_in_their_host_as_the_caller() -> Result<(), Error> {
    let Some(net) = network("")? else { return Ok(()) };
    let (alice, bob) = (net.host("alice")?, net.host("bob")?);
    assert_ne!(alice.address(), bob.address());
    assert!(bob.ipv4().is_some() && bob.ipv6().is_some() && bob.addresses().len() == 2);

    let hosts = alice.command("cat").arg("/etc/hosts").output()?;
    assert!(hosts.status.success());
    assert!(text(&hosts.stdout).contains(&format!("{}", bob.address())), "{}", text(&hosts.stdout));

    let line = "id -u; pwd; echo $LONGWIRE_HOST_BOB $OWN; cat /proc/net/dev | grep -c eth0";
    let seen = alice.shell(line).env("OWN", "mine").current_dir("/usr").output()?;
    let expected = format!("{}\n/usr\n{} mine\n1", nix::unistd::getuid(), bob.address());
    assert_eq!(text(&seen.stdout), expected, "{}", text(&seen.stderr));

    let own = std::env::current_dir().expect("a directory");
    assert_eq!(text(&alice.command("pwd").output()?.stdout), own.to_str().expect("text"));
    let environment = alice.command("/usr/bin/env").env_clear().env("ONLY", "this").output()?;
    assert_eq!(text(&environment.stdout), "ONLY=this");
    let root = alice.command("id").arg("-u").root().output()?;
    assert_eq!(text(&root.stdout), "0");
    assert_passes(&net.stop()?);
    Ok(())
}

#[test]
fn programs_end_as_the_standard_library_has_it() -> Result<(), Error> {
    let Some(net) = network("")? else { return Ok(()) };
    let alice = net.host("alice")?;
    assert_eq!(alice.shell("exit 28").status()?.code(), Some(28));
    assert_eq!(alice.shell("kill -9 $$").status()?.signal(), Some(9));

    // Both pipes, more than either holds.
    let much = alice.shell("for n in $(seq 30000); do echo out $n; echo err $n >&2; done").output()?;
    assert_eq!(text(&much.stdout).lines().last(), Some("out 30000"));
    assert_eq!(text(&much.stderr).lines().last(), Some("err 30000"));

    let mut cat = alice.command("cat").stdin(Stdio::Piped).stdout(Stdio::Piped).spawn()?;
    assert_eq!(cat.try_wait()?, None);
    cat.stdin.as_mut().expect("piped").write_all(b"through").expect("written");
    let said = cat.wait_with_output()?;
    assert_eq!((text(&said.stdout).as_str(), said.status.code()), ("through", Some(0)));

    let mut sleep = alice.command("sleep").arg("1000").spawn()?;
    assert!(sleep.signal(15)?);
    assert_eq!(sleep.wait()?.signal(), Some(15));
    assert_eq!(sleep.wait()?.signal(), Some(15), "asked again");
    assert!(!sleep.signal(15)?, "nobody hears it any more");

    let file = tempfile::tempfile().expect("a file");
    alice.shell("echo kept").stdout(file.try_clone().expect("a file")).status()?;
    let mut kept = String::new();
    let mut file = file;
    std::io::Seek::rewind(&mut file).expect("a file");
    file.read_to_string(&mut kept).expect("a file");
    assert_eq!(kept, "kept\n");
    Ok(())
}

#[test]
fn a_command_that_takes_too_long_is_killed_with_what_it_started() -> Result<(), Error> {
    let Some(net) = network("")? else { return Ok(()) };
    let alice = net.host("alice")?;
    let begun = Instant::now();
    let line = "echo first words; sleep 1000 & sleep 1000";
    let error = alice.shell(line).timeout(Duration::from_millis(300)).output().expect_err("it hangs");
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert!(error.to_string().contains("300ms") && error.to_string().contains("first words"), "{error}");
    until("nothing of it is left", || alice.command("pgrep").args(["-x", "sleep"]).output().is_ok_and(is_empty));

    // It has ended in time, and left something behind that holds its output.
    let line = "echo done; sleep 1000 &";
    let error = alice.shell(line).timeout(Duration::from_millis(300)).output().expect_err("it stays open");
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    assert!(alice.shell("sleep 1000 &").timeout(Duration::from_secs(20)).status()?.success(), "no pipe, no wait");
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "handed on by is_ok_and")]
fn is_empty(output: Output) -> bool {
    output.stdout.is_empty()
}

#[test]
fn what_cannot_run_says_why() -> Result<(), Error> {
    let Some(net) = network("")? else { return Ok(()) };
    let alice = net.host("alice")?;
    let error = alice.command("no-such-program").spawn().expect_err("not there");
    assert!(error.kind() == ErrorKind::Program && error.to_string().contains("`no-such-program`"), "{error}");
    let error = alice.command("true").current_dir("/no/such").status().expect_err("not there");
    assert!(error.kind() == ErrorKind::Program && error.to_string().contains("/no/such"), "{error}");
    let error = net.host("alcie").expect_err("not there");
    assert!(error.kind() == ErrorKind::Unknown && error.to_string().contains("did you mean `alice`?"), "{error}");
    let error = net.set("wire.dealy=5ms").expect_err("misspelt");
    assert!(error.kind() == ErrorKind::Scenario && error.to_string().contains("did you mean `delay`?"), "{error}");
    assert!(alice.command("true").status()?.success(), "the network is as before");
    let error = net.wait().expect_err("it has no end");
    assert!(error.to_string().contains("stop()"), "{error}");
    Ok(())
}

#[test]
fn a_change_takes_effect_and_the_report_counts_it() -> Result<(), Error> {
    if !has("ping") {
        return Ok(());
    }
    let Some(net) = network("")? else { return Ok(()) };
    let alice = net.host("alice")?;
    let ping = |count: &str, more: &[&str]| {
        alice.command("ping").args(["-n", "-q", "-i", "0.05", "-W", "1", "-c", count]).args(more).arg("bob").output()
    };
    assert!(ping("2", &[])?.status.success());
    net.set_all(["wire.toward.bob.loss=100%", "wire.delay=1ms"])?;
    assert!(!ping("3", &[])?.status.success());
    net.set("wire.toward.bob.loss=0%")?;
    assert!(ping("2", &[])?.status.success());
    let report = net.stop()?;
    let there = report.direction("wire", "bob")?;
    // Hosts say a word of their own now and then.
    assert!(there.dropped_by("loss") >= 3, "{}", report.explain());
    let shown = report.explain();
    assert!(shown.contains("wire alice.eth0 → bob.eth0\n  at first: 5ms\n"), "as `longwire run` shows it:\n{shown}");
    assert!(shown.contains(" s: 1ms, loss 100%\n"), "and what was asked later:\n{shown}");
    assert_eq!(report.direction("wire", "alice")?.dropped_by("loss"), 0);
    assert!(report.direction("wire", "carol").is_err_and(|e| e.to_string().contains("alice.eth0")));
    let told: Vec<&str> = report.events.iter().map(|event| event.what.as_str()).collect();
    assert!(told.contains(&"wire.toward.bob.loss=100%"), "{told:?}");
    assert!(told.iter().any(|what| what.starts_with("command 1 started in alice: ping")), "{told:?}");
    assert_passes(&report);
    Ok(())
}

#[test]
fn the_scenarios_own_work_is_waited_for_and_read() -> Result<(), Error> {
    let more = "\
services:
  shop: { in: bob, shell: \"echo open; exec sleep 1000\", ready: { log: open, within: 20s } }
workloads:
  rtt: { ping: { from: alice, to: bob, count: 20, every: 10ms } }
  two: { in: alice, shell: \"echo two; exit 2\", exit: 2 }
";
    let setup = longwire::scenario(format!("{TWO}{more}"))?.param("loss", "10%").seed(3);
    let Some(net) = up(setup)? else { return Ok(()) };
    let report = net.wait()?;
    assert_passes(&report);
    assert_eq!((report.seed, report.params["loss"].as_str()), (3, "10%"));
    assert_eq!(report.workload("two")?.output, ["two"]);
    assert_eq!(report.workload("two")?.exit, Some(2));
    let rtt = report.workload("rtt")?;
    let times = rtt.measured.ping().and_then(|ping| ping.rtt_ns.as_ref()).expect("round trips");
    assert!(times.min() >= 10_000_000, "{times:?}");
    assert!(report.service("shop")?.ok);
    assert!(report.workload("rttt").is_err_and(|e| e.to_string().contains("did you mean `rtt`?")));
    let frames = report.series.as_ref().expect("by default").directions[0].delivered_frames.iter().sum::<u32>();
    assert!(frames > 0);
    // It reads and writes alike.
    let json = serde_json::to_value(&report).expect("plain data");
    support::report::check(&json, if report.is_invalid() { 3 } else { 0 });
    let again: Report = serde_json::from_value(json.clone()).expect("the same shape");
    assert_eq!(serde_json::to_value(again).expect("plain data"), json);
    Ok(())
}

#[test]
fn a_failure_is_a_report_and_its_message_explains() -> Result<(), Error> {
    let Some(net) = network("workloads: { bad: { in: alice, shell: \"echo so it is; exit 4\" } }")? else {
        return Ok(());
    };
    let report = net.wait()?;
    if report.is_invalid() {
        return Ok(());
    }
    let message = std::panic::catch_unwind(|| report.assert_pass()).expect_err("it failed");
    let message = message.downcast_ref::<String>().expect("a text");
    for part in ["FAIL", "bad", "exited with 4", "so it is"] {
        assert!(message.contains(part), "{part} in:\n{message}");
    }

    let broken = "services: { shop: { in: bob, shell: \"echo no room; exit 1\", ready: { tcp: 80, within: 20s } } }";
    let error = network(broken).expect_err("the service failed");
    assert_eq!(error.kind(), ErrorKind::Failed);
    assert!(error.to_string().contains("shop") && error.to_string().contains("no room"), "{error}");
    Ok(())
}

#[test]
fn what_was_to_go_on_has_done_so_when_it_is_stopped() -> Result<(), Error> {
    let more = "workloads: { call: { udp: { from: alice, to: bob, every: 10ms, size: 100B, for: 1h } } }";
    let Some(net) = network(more)? else { return Ok(()) };
    let report = net.stop()?;
    assert!(!report.workload("call")?.ok, "it was to take an hour");
    let more = "duration: 1h\nworkloads: { call: { udp: { from: alice, to: bob, every: 10ms, size: 100B } } }";
    let Some(net) = network(more)? else { return Ok(()) };
    net.host("alice")?.command("sleep").arg("0.3").status()?;
    let report = net.stop()?;
    assert!(report.workload("call")?.ok, "{}", report.explain());
    assert!(report.duration_ns < 3_600_000_000_000);
    assert_passes(&report);
    Ok(())
}

#[test]
fn several_networks_are_up_at_once_and_a_host_goes_to_another_thread() -> Result<(), Error> {
    let Some(first) = network("")? else { return Ok(()) };
    let namespaces: BTreeSet<String> = std::thread::scope(|scope| {
        let others: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let net = network("").expect("as the first").expect("as the first");
                    let alice = net.host("alice").expect("there");
                    // The network is this thread's, the host another's.
                    let thread = std::thread::spawn(move || {
                        alice.command("readlink").arg("/proc/self/ns/net").output().expect("run")
                    });
                    text(&thread.join().expect("no panic").stdout)
                })
            })
            .collect();
        others.into_iter().map(|other| other.join().expect("no panic")).collect()
    });
    assert_eq!(namespaces.len(), 3, "{namespaces:?}");
    let own = text(&first.host("alice")?.command("readlink").arg("/proc/self/ns/net").output()?.stdout);
    assert!(!namespaces.contains(&own));
    Ok(())
}

#[test]
fn nothing_is_left_when_it_is_dropped_and_commands_say_so() -> Result<(), Error> {
    let Some(net) = network("")? else { return Ok(()) };
    let mark = format!("dropped-{}", std::process::id());
    let alice = net.host("alice")?;
    let line = "trap '' TERM; setsid sleep 1000 & sleep 1000";
    let mut child = alice.shell(line).env("LIBRARY_TEST", &mark).spawn()?;
    until("both run", || Traces::of("LIBRARY_TEST", &mark).processes.len() >= 2);
    let traces = Traces::of("LIBRARY_TEST", &mark);
    assert!(!traces.namespaces.is_empty());
    let waiting = std::thread::spawn(move || child.wait());
    drop(net);
    traces.assert_gone(Instant::now());
    let ended = waiting.join().expect("no panic");
    assert!(ended.as_ref().is_err_and(|e| e.kind() == ErrorKind::Over), "{ended:?}");
    let error = alice.command("true").status().expect_err("it is gone");
    assert_eq!(error.kind(), ErrorKind::Over, "{error}");
    Ok(())
}

#[test]
fn the_run_is_explained_in_a_directory() -> Result<(), Error> {
    let folder = tempfile::tempdir().expect("a folder");
    let more = "workloads: { hello: { in: alice, shell: \"echo hello\" } }";
    let Some(net) = up(longwire::scenario(format!("{TWO}{more}"))?.out(folder.path().join("out")))? else {
        return Ok(());
    };
    assert_passes(&net.wait()?);
    let read = |name: &str| fs::read_to_string(folder.path().join("out").join(name)).expect(name);
    let report: Report = serde_json::from_str(&read("report.json")).expect("a report");
    assert!(report.workload("hello")?.ok);
    assert_eq!(read("programs/hello.log"), "hello\n");
    assert!(read("report.txt").contains("hello") && read("plan.yaml").contains("wire"));
    Ok(())
}

/// Whether there is a kernel for virtual time, or the reason is said why the test is skipped.
fn has_kernel() -> bool {
    let kernel = longwire::sim::kernel::find();
    if let Err(error) = &kernel {
        skip(&error.to_string());
    }
    kernel.is_ok()
}

const CALL: &str = "\
workloads:
  rtt: { ping: { from: alice, to: bob, count: 20, every: 10ms } }
  who: { in: alice, shell: \"id -u; pwd; echo $LONGWIRE_TAKEOVER\" }
expect: [rtt.min >= 10ms]
";

#[test]
fn a_scenario_in_virtual_time_is_the_same_every_time_and_from_any_thread() -> Result<(), Error> {
    if !has_kernel() {
        return Ok(());
    }
    let run = |seed| longwire::scenario(format!("{TWO}{CALL}"))?.param("loss", "10%").seed(seed).simulate();
    let (first, second, other) = std::thread::scope(|scope| {
        let second = scope.spawn(|| run(3));
        (run(3), second.join().expect("no panic"), run(4))
    });
    let (first, second, other) = (first?, second?, other?);
    first.assert_pass();
    assert_eq!(first.mode, longwire::report::json::Mode::Virtual);
    assert_eq!((first.seed, first.params["loss"].as_str()), (3, "10%"));
    let json = |report: &Report| serde_json::to_value(report).expect("plain data");
    assert_eq!(json(&first), json(&second));
    assert_ne!(json(&first)["directions"], json(&other)["directions"]);
    assert!(
        first.explain().contains("wire alice.eth0 → bob.eth0   5ms, loss 10%"),
        "as it was asked:\n{}",
        first.explain()
    );
    let who = &first.workload("who")?.output;
    let own = std::env::current_dir().expect("a directory");
    assert_eq!(who[..], [&nix::unistd::getuid().to_string(), own.to_str().expect("text"), ""]);
    Ok(())
}

#[test]
fn a_run_in_virtual_time_is_explained_in_a_directory() -> Result<(), Error> {
    if !has_kernel() {
        return Ok(());
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(
        folder.path().join("a.yaml"),
        format!("{TWO}workloads: {{ bad: {{ in: alice, shell: \"echo so > kept; cat kept; exit 4\" }} }}"),
    )
    .expect("written");
    let report = longwire::up(folder.path().join("a.yaml"))?.out(folder.path().join("out")).simulate()?;
    let message = std::panic::catch_unwind(|| report.assert_pass()).expect_err("it failed");
    assert!(message.downcast_ref::<String>().is_some_and(|text| text.contains("exited with 4")));
    let read = |name: &str| fs::read_to_string(folder.path().join("out").join(name)).expect(name);
    let kept: Report = serde_json::from_str(&read("report.json")).expect("a report");
    assert_eq!(kept.verdict, report.verdict);
    assert_eq!(read("programs/bad.log"), "so\n");
    assert_eq!(read("../kept"), "so\n", "the scenario's folder is the machine's");
    assert!(read("report.txt").contains("FAIL") && read("plan.yaml").contains("wire"));
    assert!(read("console.txt").contains("longwire-phase"));
    Ok(())
}

/// What is asked without a kernel, below.
#[test]
#[ignore = "a part of another test"]
fn part_without_a_kernel() -> Result<(), Error> {
    let setup = longwire::scenario(format!("{TWO}{CALL}"))?;
    let error = setup.clone().simulate().expect_err("there is none");
    assert!(error.is_unsupported() && error.to_string().contains("LONGWIRE_KERNEL=/no/such"), "{error}");
    assert!(setup.simulate_or_skip()?.is_none());
    Ok(())
}

#[test]
fn without_a_kernel_virtual_time_is_skipped_unless_it_is_required() {
    let without = |required: &str| {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--ignored", "--exact", "part_without_a_kernel"]);
        command.env("LONGWIRE_KERNEL", "/no/such").env("LONGWIRE_REQUIRED", required).output().expect("started")
    };
    let skipped = without("0");
    let told = text(&skipped.stderr);
    assert!(skipped.status.success(), "{}\n{told}", text(&skipped.stdout));
    assert!(told.contains("part_without_a_kernel is skipped: LONGWIRE_KERNEL=/no/such is not a file"), "{told}");
    assert!(!without("1").status.success());
}

/// The process that is killed below.
#[test]
#[ignore = "a part of another test"]
fn part_hold_a_network() -> Result<(), Error> {
    let mark = std::env::var("LIBRARY_PART").expect("what the other test looks for");
    let net = network("")?.expect("as the one who asks");
    net.host("bob")?.command("sleep").arg("1000").env("LIBRARY_TEST", mark).status()?;
    unreachable!("it is killed before");
}

#[test]
fn a_program_that_is_killed_takes_its_network_along() -> Result<(), Error> {
    let Some(net) = network("")? else { return Ok(()) };
    drop(net);
    let mark = format!("killed-{}", std::process::id());
    let mut holder = Command::new(std::env::current_exe().expect("this program"))
        .args(["--ignored", "--exact", "part_hold_a_network"])
        .env("LIBRARY_PART", &mark)
        .spawn()
        .expect("started");
    until("its command runs", || {
        assert!(holder.try_wait().expect("our child").is_none(), "it ended by itself");
        !Traces::of("LIBRARY_TEST", &mark).processes.is_empty()
    });
    let traces = Traces::of("LIBRARY_TEST", &mark);
    holder.kill().expect("our child");
    traces.assert_gone(Instant::now());
    holder.wait().expect("our child");
    Ok(())
}

/// This test program where a normal user may start it.
fn open_copy(folder: &Path) -> std::path::PathBuf {
    let copy = folder.join("library");
    fs::copy(std::env::current_exe().expect("this program"), &copy).expect("copied");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).expect("ours");
    copy
}

#[test]
fn all_of_it_holds_for_a_normal_user() {
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut all = Command::new(open_copy(folder.path()));
    all.args(["--skip", "a_normal_user", "--skip", "that_cannot_make_hosts"]);
    all.uid(65_534).gid(65_534).current_dir(folder.path()).env_remove("SUDO_UID").env_remove("LONGWIRE_TEST_ALL");
    all.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("HOME", "/").env("TMPDIR", folder.path());
    if let Ok(kernel) = longwire::sim::kernel::find() {
        let copy = folder.path().join("kernel");
        fs::copy(kernel.path, &copy).expect("copied");
        all.env("LONGWIRE_KERNEL", copy);
    }
    let ended = all.output().expect("started");
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    assert!(ended.status.success(), "{stdout}\n{stderr}");
    if let Some(why) = stderr.lines().find(|line| line.contains("skipped: ")) {
        skip(&format!("a normal user lacks something here: {why}"));
    }
}

/// What is asked of a machine that lacks something, below.
#[test]
#[ignore = "a part of another test"]
fn part_skip() -> Result<(), Error> {
    assert!(longwire::scenario(TWO)?.start_or_skip()?.is_none());
    longwire::skip_unless_supported!(Ok(()));
    unreachable!("this machine lacks /dev/net/tun");
}

#[test]
fn tests_are_skipped_on_a_machine_that_cannot_make_hosts_unless_they_are_required() {
    if !is_root() || !["unshare", "mount"].into_iter().all(has) {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let program = open_copy(folder.path());
    let without_tun = |required: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", "mount -t tmpfs none /dev/net && exec \"$0\" \"$@\""]);
        command.arg(&program).args(["--ignored", "--exact", "part_skip"]);
        command.env("LONGWIRE_REQUIRED", required).output().expect("started")
    };
    let skipped = without_tun("0");
    let told = text(&skipped.stderr);
    assert!(skipped.status.success(), "{}\n{told}", text(&skipped.stdout));
    assert_eq!(told.matches("part_skip is skipped: cannot open TAP").count(), 2, "{told}");
    assert!(told.contains("modprobe tun"), "with its cure: {told}");
    let failed = without_tun("1");
    assert!(!failed.status.success());
    assert!(text(&failed.stdout).contains("cannot open TAP"), "{}", text(&failed.stdout));
}

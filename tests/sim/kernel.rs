//! What longwire's own code in the guest's kernel does for programs: kernel/longwire_time.c and kernel/longwire_stub.c.
//!
//! All but the last, which holds an optimization, fail with a kernel that was built without them (`kernel/build --plain`).

use crate::support::{Lab, skip};

/// Runs a Python program on a host in virtual time; what it printed. `None`, with the reason said, where there is no kernel.
fn printed(program: &str) -> Option<String> {
    if !crate::support::has("python3") {
        return None;
    }
    let lab = Lab::without_hosts();
    lab.write("program.py", program);
    lab.write(
        "scenario.yaml",
        "longwire: 1\nnodes: { a: host, b: host }\nlinks: { wire: { ends: [a, b] } }\n\
         workloads: { program: { in: a, command: [python3, program.py] } }\nexpect: [program.exit == 0]\n",
    );
    let path = |name: &str| -> String { lab.path(name).display().to_string() };
    // a loop that never ends is found after ten seconds in which no time passed
    let ended = lab.run(&["sim", &path("scenario.yaml"), "--out", &path("out"), "--wall-limit", "10s"]);
    if ended.code == 4 && ended.stderr.contains("kernel/build") {
        skip(&ended.stderr);
        return None;
    }
    assert_eq!(ended.code, 0, "{}", ended.told());
    Some(lab.read("out/programs/program.log"))
}

/// Many threads of several processes, which wait for each other in every way that Linux has.
#[test]
fn a_headless_browser_fetches_a_page_from_a_host() {
    let Some(browser) = crate::support::browser() else { return };
    if !crate::support::has_kernel() {
        return;
    }
    let Some(lab) = Lab::on_any_clock(&format!(
        "longwire: 1\nsim: {{ memory: 2GiB }}\nnodes: {{ a: host, b: host }}\nlinks: {{ wire: {{ ends: [a, b], delay: 10ms }} }}\n\
         services: {{ web: {{ in: b, command: [python3, -m, http.server, '80'], ready: {{ tcp: 80, within: 60s }} }} }}\n\
         workloads: {{ page: {{ in: a, timeout: 100s, shell: \"{browser} --headless --no-sandbox --disable-gpu --disable-quic \
         --no-first-run --disable-background-networking --disable-component-update --disable-sync \
         --user-data-dir=/tmp/longwire-browser --dump-dom http://b/\" }} }}\nexpect: [page.exit == 0]\n"
    )) else {
        return;
    };
    lab.write("index.html", "<html><body><script>document.title = 'scripts run: ' + (1 + 1)</script></body></html>");
    let ended = lab.run_scenario(&["--out", "out"]);
    assert_eq!(ended.code, 0, "{}", ended.told());
    assert!(lab.read("out/programs/page.log").contains("scripts run: 2"));
}

fn numbers(text: &str) -> Vec<u64> {
    text.split_whitespace().map(|word| word.parse().unwrap_or_else(|_| panic!("no number: {word} in {text}"))).collect()
}

/// Waits for another thread's flag, 100 ms later, by doing something again and again; prints how long that took, in µs.
fn spinning(what: &str) -> String {
    format!(
        "import os, threading, time\nflag = []\nstart = time.monotonic_ns()\n\
         threading.Timer(0.1, flag.append, [1]).start()\nwhile not flag:\n    {what}\n\
         print((time.monotonic_ns() - start) // 1000)\n"
    )
}

#[test]
fn a_loop_of_sched_yield_ends() {
    let Some(text) = printed(&spinning("os.sched_yield()")) else { return };
    let took = numbers(&text)[0];
    // Python hands its lock over every 5 ms, and the scheduler looks every 10 ms
    assert!((100_000..130_000).contains(&took), "{took} µs");
}

#[test]
fn a_loop_of_calls_that_neither_wait_nor_read_the_clock_ends() {
    let Some(text) = printed(&spinning("os.getppid()")) else { return };
    let took = numbers(&text)[0];
    assert!((100_000..130_000).contains(&took), "{took} µs");
}

/// Reads the counter around a sleep of 250 ms, then waits by it for 1 ms: by RDTSC, then by RDTSCP.
const COUNTER: &str = r"
import ctypes, mmap, time
def function(code):
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex(code))
    call = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(page)))
    call.page = page
    return call
rest = '48c1e2204809d0c3'  # shl rdx, 32; or rax, rdx; ret
for code in ['0f31' + rest, '0f01f9' + rest]:
    read = function(code)
    first = read()
    time.sleep(0.25)
    print(first, read() - first)
    end = read() + 1000000
    times = 0
    while read() < end:
        times += 1
    print(times)
";

#[test]
fn the_time_stamp_counter_is_virtual_time() {
    let Some(text) = printed(COUNTER) else { return };
    let told = numbers(&text);
    let &[first, slept, polls, again, slept_again, polls_again] = told.as_slice() else { panic!("{text}") };
    for slept in [slept, slept_again] {
        assert!((250_000_000..251_000_000).contains(&slept), "a counter of 1 GHz: {text}");
    }
    assert!(again - first >= 251_000_000, "it goes on: {text}");
    // the first 1,024 readings take 16 ns each, further ones more and more, so that nobody polls for long
    for polls in [polls, polls_again] {
        assert!((1_025..4_000).contains(&polls), "{text}");
    }
    assert_eq!(Some(text), printed(COUNTER), "the same in every run");
}

/// Keeps a pattern in a vector register while it yields to other threads, in each of several threads and processes, with signals in
/// between; prints how often the register had changed. The registers stay in the process that the kernel traces while its task
/// goes on, so a switch, a signal or a fork must not mix them up.
const REGISTERS: &str = r"
import ctypes, mmap, os, signal, threading
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex(
    '0f103f4531c0'              # movups xmm7, [rdi]; xor r8d, r8d
    '5756b8180000000f055e5f'    # again: push rdi, rsi; sched_yield; pop rsi, rdi
    '0f1037660f74f7660fd7c6'    # movups xmm6, [rdi]; pcmpeqb xmm6, xmm7; pmovmskb eax, xmm6
    '3dffff0000740349ffc0'      # cmp eax, 0xffff; je +3; inc r8
    '48ffce75db4c89c0c3'))      # dec rsi; jnz again; mov rax, r8; ret
changed = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_char_p, ctypes.c_uint64)(
    ctypes.addressof(ctypes.c_char.from_buffer(page)))
counts = []
def work(byte):
    counts.append(changed(bytes([byte]) * 16, 500))
signal.signal(signal.SIGALRM, lambda *_: None)
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
threads = [threading.Thread(target=work, args=[byte]) for byte in range(1, 5)]
for thread in threads:
    thread.start()
children = []
for byte in range(11, 14):
    child = os.fork()
    if child == 0:
        work(byte)
        os._exit(min(counts[-1], 255))
    children.append(child)
for thread in threads:
    thread.join()
lost = sum(counts) + sum(os.waitpid(child, 0)[1] for child in children)
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(counts), lost)
";

#[test]
fn vector_registers_survive_switches_signals_and_forks() {
    let Some(text) = printed(REGISTERS) else { return };
    assert_eq!(numbers(&text), [4, 0]);
}

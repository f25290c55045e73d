//! Services and workloads in a few words, for listings and summaries.

use super::spec::{Amount, Command, Pace, Path, Program, Ready, ReadyCheck, Start, Workload, WorkloadKind};

/// What a workload does. `host` gives the name of a host by its position.
pub(crate) fn workload<'a>(kind: &WorkloadKind, host: impl Fn(usize) -> &'a str) -> String {
    match kind {
        WorkloadKind::Program { program: run, .. } => program(run, host),
        WorkloadKind::Ping(ping) => {
            format!("ping {}, every {}, {}", path(&ping.path, host), ping.every, amount(ping.amount))
        }
        WorkloadKind::Udp(udp) => {
            let pace = match udp.pace {
                Pace::Every(every) => format!("{} every {every}", udp.size),
                Pace::Rate(rate) => format!("{rate} in packets of {}", udp.size),
            };
            format!("udp {}, {pace}, {}", path(&udp.path, host), amount(udp.amount))
        }
        WorkloadKind::Tcp(tcp) => format!("tcp {}, {}", path(&tcp.path, host), amount(tcp.amount)),
    }
}

/// When a workload starts, and when it is stopped.
pub(crate) fn start(workload: &Workload) -> String {
    let start = match &workload.start {
        Start::At(at) => format!("at {at}"),
        Start::After(names) => format!("after {}", names.join(", ")),
    };
    let timeout = workload.timeout.map(|timeout| format!(", at most {timeout}")).unwrap_or_default();
    start + &timeout
}

/// When a service is ready.
pub(crate) fn ready(ready: Option<&Ready>) -> String {
    let Some(Ready { check, within }) = ready else { return "ready as soon as it has started".to_owned() };
    let what = match check {
        ReadyCheck::Tcp(port) => format!("TCP port {port} listens"),
        ReadyCheck::AnyPort => "a TCP port listens or a UDP port is bound".to_owned(),
        ReadyCheck::Udp(port) => format!("UDP port {port} is bound"),
        ReadyCheck::Log(text) => format!("it prints {text:?}"),
        ReadyCheck::Exec(command) => format!("{} succeeds", words(command)),
    };
    format!("ready when {what}, within {within}")
}

/// A program and the host that it runs in.
pub(crate) fn program<'a>(program: &Program, host: impl Fn(usize) -> &'a str) -> String {
    let what = match &program.run {
        Command::Command(command) => words(command),
        Command::Shell(line) => format!("sh -c {line:?}"),
    };
    let root = if program.root { " as root" } else { "" };
    format!("in {}{root}: {what}", host(program.host))
}

fn words(command: &[String]) -> String {
    let plain =
        |word: &String| !word.is_empty() && word.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\'');
    let quoted = command.iter().map(|word| if plain(word) { word.clone() } else { format!("{word:?}") });
    quoted.collect::<Vec<_>>().join(" ")
}

fn path<'a>(path: &Path, host: impl Fn(usize) -> &'a str) -> String {
    let source = path.source.map(|source| format!(" ({source})")).unwrap_or_default();
    match path.to {
        Some(to) => format!("{}{source} → {} ({})", host(path.from), host(to), path.destination),
        None => format!("{}{source} → {}", host(path.from), path.destination),
    }
}

fn amount(amount: Amount) -> String {
    match amount {
        Amount::Count(1) => "once".to_owned(),
        Amount::Count(count) => format!("{count} times"),
        Amount::For(length) => format!("for {length}"),
        Amount::Bytes(bytes) => bytes.to_string(),
        Amount::Whole => "to the end".to_owned(),
    }
}

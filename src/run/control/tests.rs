//! Both ends, over real sockets.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::time::{Duration, Instant};

use nix::unistd::geteuid;

use super::client::{choose, reach};
use super::*;
use crate::host::message;
use crate::run::control::address::Address;

/// Tests run beside each other in one process, and look at each other's sockets: each has its own name.
fn listen(stem: &str) -> Control {
    Control::listen(stem, geteuid().as_raw()).unwrap()
}

fn connect(name: &str) -> UnixStream {
    UnixStream::connect_addr(&SocketAddr::from_abstract_name(format!("longwire.run.{name}")).unwrap()).unwrap()
}

/// Answers the next request with its own words, in a thread that ends then.
fn answer_one(mut control: Control) -> std::thread::JoinHandle<Control> {
    std::thread::spawn(move || {
        loop {
            if let Some((request, peer)) = control.accept().into_iter().next() {
                control.answer(peer, &Reply::Refused(format!("{request:?}")), &[]);
                return control;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    })
}

#[test]
fn a_run_is_meant_by_its_name_its_stem_or_its_process() {
    let known = || ["a-1", "a-2", "b-c-3"].map(|name| Found::called(name, true)).into_iter().collect();
    let choose = |name| choose(known(), name).map(|run| run.name).map_err(|e| e.to_string());
    assert_eq!(choose(Some("a-2")), Ok("a-2".into()));
    assert_eq!(choose(Some("b-c")), Ok("b-c-3".into()));
    assert_eq!(choose(Some("3")), Ok("b-c-3".into()));
    assert!(choose(Some("a")).unwrap_err().contains("a-1, a-2"));
    assert!(choose(Some("x")).unwrap_err().contains("b-c-3"));
    assert!(choose(None).unwrap_err().contains("name one"));
    assert!(matches!(super::client::choose(vec![], None), Err(ControlError::NoRun { .. })));
}

#[test]
fn a_run_that_does_not_hear_this_user_is_not_counted() {
    let all = || vec![Found::called("mine-1", true), Found::called("roots-2", false)];
    assert_eq!(choose(all(), None).unwrap().name, "mine-1");
    assert!(choose(all(), Some("x")).unwrap_err().to_string().ends_with("up now: mine-1"));
    assert!(choose(all(), Some("roots")).unwrap_err().to_string().contains("`roots-2` belongs to root: use sudo"));
    let alone = choose(vec![Found::called("roots-2", false)], None).unwrap_err().to_string();
    assert!(alone.starts_with("no run of yours is up") && alone.contains("root has roots-2 up"), "{alone}");
}

#[test]
fn a_request_is_answered_and_those_that_say_nothing_are_not_waited_for() {
    let mut control = listen("a test");
    assert!(control.accept().is_empty());
    let name = control.name.clone();
    assert!(name.starts_with("a-test-"));
    // says nothing, and goes
    drop(connect(&name));
    let run = answer_one(control);
    let error = find(Some(&name)).unwrap().set(vec!["x.loss=1%".into()]).unwrap_err();
    assert_eq!(error.to_string(), "Set { changes: [\"x.loss=1%\"], files: {} }");
    run.join().unwrap();
}

#[test]
fn a_run_gets_its_socket_whoever_has_taken_the_name() {
    let first = listen("taken");
    let second = listen("taken");
    assert_eq!(first.name, second.name, "both are of this process");
    drop(first);
    let run = answer_one(second);
    assert!(find(Some("taken")).unwrap().status().unwrap_err().to_string().contains("Status"));
    run.join().unwrap();
}

#[test]
fn a_socket_that_is_full_for_ever_is_given_up_and_does_not_hold_up_others() {
    let full = SocketAddr::from_abstract_name(format!("longwire.run.full-{}", std::process::id())).unwrap();
    let listener = UnixListener::bind_addr(&full).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let _first = UnixStream::connect_addr(&full).unwrap();
    let control = listen("not-full");
    let addresses = || {
        let full = Address::Abstract(format!("full-{}", std::process::id()));
        vec![full, Address::Abstract(control.name.clone()), Address::Abstract("there-is-none-1".into())]
    };
    let begin = Instant::now();
    let reached = reach(addresses(), Duration::from_millis(100));
    assert_eq!(reached.iter().map(|(address, ..)| address.run()).collect::<Vec<_>>(), [control.name.as_str()]);
    assert!(begin.elapsed() < Duration::from_secs(10), "a connect that blocks never ends");
}

#[test]
fn connections_without_end_leave_the_run_its_turn() {
    let mut control = listen("besieged");
    let name = control.name.clone();
    let all: Vec<UnixStream> = (0..64).map(|_| connect(&name)).collect();
    // each says nothing; one turn looks at some of them only, and waits for none
    assert!(control.accept().is_empty());
    let greeted = |stream: &UnixStream| {
        stream.set_nonblocking(true).unwrap();
        let greeting = greeting::Incoming::default().receive(stream);
        matches!(greeting, Ok(greeting::Greeting::Version(_)))
    };
    let looked_at = all.iter().filter(|stream| greeted(stream)).count();
    // other tests may connect as well
    assert!((1..=16).contains(&looked_at), "{looked_at}");
}

#[test]
fn a_client_of_another_version_is_greeted_and_heard_no_further() {
    use std::io::{Read, Write};
    let mut control = listen("current");
    let mut stream = connect(&control.name);
    stream.write_all(b"longwire 0.0.1\n").unwrap();
    message::send(&stream, &Request::Set { changes: vec!["x.loss=1%".into()], files: Texts::new() }, &[]).unwrap();
    assert!(control.accept().is_empty());
    let mut said = Vec::new();
    // then the connection is reset: what it had sent beyond its greeting was not read
    let _ = stream.read_to_end(&mut said);
    assert_eq!(String::from_utf8_lossy(&said), format!("longwire {}\n", greeting::VERSION));
    assert!(control.accept().is_empty());
}

/// Sends a greeting and the beginning of a request, with descriptors on every byte of it.
fn half_a_request(name: &str, fds: &[std::os::fd::RawFd]) -> UnixStream {
    use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
    use std::os::fd::AsRawFd;
    let stream = connect(name);
    let head = [100_u32.to_ne_bytes(), 0_u32.to_ne_bytes()].concat();
    let bytes = [format!("longwire {}\n", greeting::VERSION).as_bytes(), &head, b"{\"set\":"].concat();
    for byte in &bytes {
        let rights = [ControlMessage::ScmRights(fds)];
        let rights = if fds.is_empty() { &[][..] } else { &rights };
        let byte = [std::io::IoSlice::new(std::slice::from_ref(byte))];
        sendmsg::<()>(stream.as_raw_fd(), &byte, rights, MsgFlags::empty(), None).unwrap();
    }
    stream
}

#[test]
fn those_that_stop_in_mid_request_are_not_waited_for() {
    let control = listen("patient");
    let name = control.name.clone();
    let stopped: Vec<UnixStream> = (0..20).map(|_| half_a_request(&name, &[])).collect();
    let silent: Vec<UnixStream> = (0..20).map(|_| connect(&name)).collect();
    let run = answer_one(control);
    let begin = Instant::now();
    find(Some(&name)).unwrap().set(vec!["x.loss=1%".into()]).unwrap_err();
    // one after the other, half a second for each, they took ten
    assert!(begin.elapsed() < Duration::from_secs(3), "{:?}", begin.elapsed());
    run.join().unwrap();
    drop((stopped, silent));
}

#[test]
fn an_answer_that_is_not_taken_holds_up_nobody_and_comes_whole() {
    let mut control = listen("unhurried");
    let name = control.name.clone();
    let long = "x".repeat(4 << 20);
    let client = std::thread::spawn({
        let name = name.clone();
        move || {
            let found = find(Some(&name)).unwrap();
            std::thread::sleep(Duration::from_millis(50));
            found.status().unwrap_err().to_string()
        }
    });
    let (_, peer) = loop {
        if let Some(asked) = control.accept().into_iter().next() {
            break asked;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    control.answer(peer, &Reply::Refused(long.clone()), &[]);
    while control.writing().next().is_some() {
        assert!(control.accept().is_empty());
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(client.join().unwrap() == long);
}

#[test]
fn descriptors_beside_a_request_are_closed() {
    use std::io::Read;
    use std::os::fd::AsRawFd;
    let mut control = listen("closing");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let stream = half_a_request(&control.name, &[writer.as_raw_fd(); 20]);
    drop(writer);
    for _ in 0..3 {
        assert!(control.accept().is_empty());
    }
    // the connection is still there, and none of its descriptors: the end of the pipe comes when no writer is left
    assert_eq!(control.fds().count(), 2);
    assert_eq!(reader.read(&mut [0]).unwrap(), 0);
    drop(stream);
    // announced, they are refused
    let stream = connect(&control.name);
    let head = [2_u32.to_ne_bytes(), 1_u32.to_ne_bytes()].concat();
    let bytes = [format!("longwire {}\n", greeting::VERSION).as_bytes(), &head, b"\0{}"].concat();
    std::io::Write::write_all(&mut &stream, &bytes).unwrap();
    while control.fds().count() > 1 {
        assert!(control.accept().is_empty());
    }
    greeting::Incoming::default().receive(&stream).unwrap();
    let (reply, _) = message::receive::<Reply>(&stream).unwrap().unwrap();
    assert!(matches!(reply, Reply::Refused(why) if why.contains("no descriptors")));
}

//! What comes through control sockets: bytes to a run's own socket, answers to a client, and changes as `set` takes them.
#![no_main]

use std::cell::RefCell;
use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixStream};

use libfuzzer_sys::fuzz_target;
use longwire::host::message;
use longwire::report::mistakes;
use longwire::run::control::{Control, Reply, Request};
use longwire::tasks::set::LiveLinks;
use longwire_fuzz::check::{check, with_files};
use longwire_fuzz::count;

const SCENARIO: &str = "
longwire: 1
nodes: { a: host, b: host, c: { host: { count: 3 } }, r: router, s: switch }
links:
  wifi: { ends: [a, r], delay: 5ms, loss: 1%, rate: 10Mbit }
  lan: { ends: [b, s], rate: { schedule: [{ for: 1s, rate: 1Mbit }, { rate: 2Mbit }] } }
  many: { ends: [c, s], delay: { trace: delay-trace.csv } }
  up: { ends: [r, s], queue: codel, rate: 1Gbit, half_duplex: true }
";

thread_local! {
    static SERVER: RefCell<Control> = RefCell::new(Control::listen("fuzz", u32::MAX).expect("a socket"));
    static LINKS: LiveLinks = LiveLinks::new(&check(&with_files(SCENARIO)).expect("a scenario that may run"));
}

fuzz_target!(|bytes: &[u8]| {
    let Some((form, rest)) = bytes.split_first() else { return };
    match form % 4 {
        0 => set(&String::from_utf8_lossy(rest)),
        1 => reply(rest),
        // a length that is right
        2 => server(&framed(rest), true),
        _ => server(rest, rest.len() % 2 == 0),
    }
});

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32).to_ne_bytes()[..], &[0; 4], body].concat()
}

/// Says `bytes` to a run, perhaps behind the right greeting, and hangs up. Nothing of it stays.
fn server(bytes: &[u8], greets: bool) {
    SERVER.with_borrow_mut(|server| {
        let before = server.fds().count();
        let address = SocketAddr::from_abstract_name(format!("longwire.run.{}", server.name)).expect("a name");
        let mut client = UnixStream::connect_addr(&address).expect("a server that listens");
        // more than a socket's buffer would wait for ever
        let bytes = &bytes[..bytes.len().min(100_000)];
        assert!(server.accept().is_empty(), "nothing was said");
        let mut greeting = [0; 64];
        let len = client.read(&mut greeting).expect("the server greets first");
        assert!(greeting[..len].starts_with(b"longwire "));
        let greeting = if greets { &greeting[..len] } else { &[] };
        client.write_all(&[greeting, bytes].concat()).expect("a socket's buffer");
        drop(client);
        let heard = server.accept();
        assert!(heard.len() <= 1, "one connection, and {} requests", heard.len());
        for (request, peer) in heard {
            count::taken();
            assert!(!peer.inside);
            server.answer(peer, &Reply::Refused("no".into()), &[]);
            if let Request::Set { changes, .. } = request {
                changes.iter().for_each(|text| set(text));
            }
        }
        assert_eq!(server.fds().count(), before, "the connection is closed");
    });
}

/// An answer, as a client reads it.
fn reply(bytes: &[u8]) {
    for bytes in [bytes, &framed(bytes)] {
        let (mut theirs, ours) = UnixStream::pair().expect("a pair of sockets");
        theirs.write_all(&bytes[..bytes.len().min(100_000)]).expect("a socket's buffer");
        drop(theirs);
        if let Ok(Some((reply, fds))) = message::receive::<Reply>(&ours) {
            count::taken();
            assert!(fds.is_empty());
            match reply {
                Reply::Status(status) => drop(status.text()),
                Reply::Info(_) | Reply::Exec { .. } | Reply::Set(_) | Reply::Needs(_) | Reply::Refused(_) => {}
            }
        }
    }
}

fn set(text: &str) {
    let mut links = LINKS.with(LiveLinks::clone);
    match links.set(text, &with_files("")) {
        Ok(changes) => {
            count::taken();
            drop(changes);
        }
        Err((told, sources)) => {
            assert!(told.has_errors());
            mistakes::render(&told, &sources, false);
        }
    }
    if let Err((told, sources)) = links.directions(text) {
        mistakes::render(&told, &sources, false);
    }
}

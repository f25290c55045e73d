//! Connections that the network resets, as the kernels at both ends see it.

use crate::support::report::{assert_works, direction, dropped, number};
use crate::support::{Lab, has};

/// One side waits, one receives what is on its way to it, and one is opening.
#[test]
fn both_ends_of_a_connection_are_reset() {
    if !has("python3") {
        return;
    }
    let Some(lab) = Lab::on_any_clock(
        r#"
longwire: 1
duration: 20s
nodes: { client: host, server: host }
links:
  wire:
    ends: [client, server]
    delay: 20ms
    toward:
      client: { rate: 10Mbit, queue: { fifo: { packets: 20 } } }
      server:
        reset:
          probability: 100%
          only: [{ destination_port: [7000, 7001], tcp_flags: psh }, { destination_port: 7002, tcp_flags: syn+!ack }]
workloads:
  waits:
    in: server
    command:
      - python3
      - -c
      - |
        import socket
        connection, _ = socket.create_server(('', 7000)).accept()
        try:
            connection.recv(1)
        except ConnectionResetError:
            print('the server was reset')
  asks:
    in: client
    at: 500ms
    command:
      - python3
      - -c
      - |
        import socket
        connection = socket.create_connection((socket.gethostbyname('server'), 7000))
        connection.sendall(b'x')
        try:
            connection.recv(1)
        except ConnectionResetError:
            print('the client was reset')
  streams:
    in: server
    command:
      - python3
      - -c
      - |
        import socket
        connection, _ = socket.create_server(('', 7001), family=socket.AF_INET6).accept()
        try:
            while True:
                connection.sendall(b'y' * 10000)
        except ConnectionResetError:
            print('the server was reset')
  receives:
    in: client
    at: 500ms
    command:
      - python3
      - -c
      - |
        import socket, time
        address = socket.getaddrinfo('server', 7001, socket.AF_INET6)[0][4]
        connection = socket.create_connection(address[:2])
        got = 0
        while got < 500000:
            got += len(connection.recv(65536))
        asked = time.monotonic()
        connection.sendall(b'x')
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            print('the client was reset after %d ms' % ((time.monotonic() - asked) * 1000))
  opens:
    in: client
    at: 500ms
    command:
      - python3
      - -c
      - |
        import socket
        try:
            socket.create_connection((socket.gethostbyname('server'), 7002))
        except ConnectionRefusedError:
            print('the client was refused')
"#,
    ) else {
        return;
    };
    let (code, report) = lab.report();
    assert_works(code, &report);
    let said = |name: &str| report["workloads"][name]["output"].to_string();
    for (name, what) in [
        ("waits", "the server was reset"),
        ("asks", "the client was reset"),
        ("streams", "the server was reset"),
        ("receives", "the client was reset after "),
        ("opens", "the client was refused"),
    ] {
        assert!(said(name).contains(what), "{name}: {}", said(name));
    }
    let (there, back) = (direction(&report, "wire", "server"), direction(&report, "wire", "client"));
    assert_eq!((dropped(there, "reset"), dropped(back, "reset")), (3, 0), "{there:#}");
    assert_eq!((number(&there["originated"]), number(&back["originated"])), (3, 3));
    if report["mode"] == "virtual" {
        // behind what was on its way, and not by an answer of the server's kernel, which is 40 ms away
        let line = said("receives");
        let after: u64 = line.split("after ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
        assert!((20..40).contains(&after), "{line}");
    }
}

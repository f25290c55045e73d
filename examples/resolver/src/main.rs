//! The program under test: asks a server what a name stands for, again and again until an answer comes.
//!
//! `resolver serve` answers on UDP port 7000; `resolver ask SERVER NAME` asks, and gives up after five attempts.

use std::io::{self, ErrorKind};
use std::net::UdpSocket;
use std::process::ExitCode;
use std::time::Duration;

const ATTEMPTS: u32 = 5;
const PATIENCE: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve(),
        ["ask", server, name] => ask(server, name),
        _ => Err(io::Error::new(ErrorKind::InvalidInput, "usage: resolver serve | resolver ask SERVER NAME")),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("resolver: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let socket = UdpSocket::bind("[::]:7000")?;
    let mut packet = [0; 256];
    loop {
        let (length, from) = socket.recv_from(&mut packet)?;
        let answer = format!("{} is 192.0.2.7", String::from_utf8_lossy(&packet[..length]));
        socket.send_to(answer.as_bytes(), from)?;
    }
}

fn ask(server: &str, name: &str) -> io::Result<()> {
    let socket = UdpSocket::bind("[::]:0")?;
    socket.connect((server, 7000))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut packet = [0; 256];
    for attempt in 1..=ATTEMPTS {
        socket.send(name.as_bytes())?;
        match socket.recv(&mut packet) {
            Ok(length) => {
                println!("{} (attempt {attempt})", String::from_utf8_lossy(&packet[..length]));
                return Ok(());
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(ErrorKind::TimedOut, format!("no answer from {server} in {ATTEMPTS} attempts")))
}

//! How often does a name resolve when the network loses frames? A small resolver, which asks three times, against losses
//! from 0 to 60 %: `cargo run --example dns_under_loss`.
//!
//! This program is also what runs in the hosts: `serve` is the name server, `resolve NAME` the resolver.

use std::net::{ToSocketAddrs, UdpSocket};
use std::process::ExitCode;
use std::time::Duration;

const NETWORK: &str = "
longwire: 1
name: DNS under loss
params: { loss: 0% }
nodes: { phone: host, dns: host }
links:
  radio: { ends: [phone, dns], rtt: 20ms, rate: 2Mbit, loss: $loss }
";

const QUERIES: usize = 20;
const ATTEMPTS: usize = 3;
const PATIENCE: Duration = Duration::from_millis(100);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done: Result<(), Box<dyn std::error::Error>> = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..]
    {
        [] => experiment().map_err(Into::into),
        ["serve"] => serve().map_err(Into::into),
        ["resolve", name] => resolve(name).map_err(Into::into),
        _ => Err("usage: dns_under_loss [serve | resolve NAME]".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn experiment() -> Result<(), longwire::Error> {
    let program = std::env::current_exe().expect("this program has a path");
    println!("loss   resolved    queries lost on the way");
    for loss in ["0%", "10%", "30%", "60%"] {
        let net = longwire::scenario(NETWORK)?.param("loss", loss).seed(7).start()?;
        let mut server = net.host("dns")?.command(&program).arg("serve").stdout(longwire::Stdio::Piped).spawn()?;
        // It says so when it is ready.
        let mut ready = [0];
        std::io::Read::read_exact(server.stdout.as_mut().expect("piped"), &mut ready).expect("the server is ready");

        let phone = net.host("phone")?;
        let mut resolved = 0;
        for _ in 0..QUERIES {
            let status =
                phone.command(&program).args(["resolve", "example.org"]).stderr(longwire::Stdio::Null).status()?;
            resolved += usize::from(status.success());
        }

        let report = net.stop()?;
        let up = report.direction("radio", "dns")?;
        let lost = up.dropped.get("loss").copied().unwrap_or(0);
        println!("{loss:>4}   {resolved:>2} of {QUERIES}    {lost} of {}", up.offered.frames);
    }
    Ok(())
}

/// A name server that knows one address, for whatever name (RFC 1035, section 4.1).
fn serve() -> std::io::Result<()> {
    let socket = UdpSocket::bind("[::]:53")?;
    println!("ready");
    let mut packet = [0; 512];
    loop {
        let (length, from) = socket.recv_from(&mut packet)?;
        if length < 12 {
            continue;
        }
        let mut answer = packet[..length].to_vec();
        answer[2] |= 0x80; // QR: a response
        answer[7] = 1; // ANCOUNT
        // The name at offset 12, type A, class IN, one minute, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
        socket.send_to(&answer, from)?;
    }
}

fn resolve(name: &str) -> std::io::Result<()> {
    let server = ("dns", 53).to_socket_addrs()?.next().ok_or(std::io::ErrorKind::NotFound)?;
    let socket = UdpSocket::bind("[::]:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut query = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend(label.bytes());
    }
    query.extend([0, 0, 1, 0, 1]);
    let mut answer = [0; 512];
    for _ in 0..ATTEMPTS {
        socket.send(&query)?;
        if let Ok(length @ 16..) = socket.recv(&mut answer) {
            println!("{name} is {:?}", &answer[length - 4..length]);
            return Ok(());
        }
    }
    Err(std::io::Error::new(std::io::ErrorKind::TimedOut, format!("no answer for {name} in {ATTEMPTS} attempts")))
}

//! The resolver on a mobile network. Needs what longwire needs, and says what is missing where it skips.

use std::time::{Duration, Instant};

use longwire::{Error, Network};

const RESOLVER: &str = env!("CARGO_BIN_EXE_resolver");

/// The network, with the name server in it; `None` on a machine that cannot make one.
fn mobile(loss: &str) -> Result<Option<Network>, Error> {
    longwire::up("tests/mobile.yaml")?.param("resolver", RESOLVER).param("loss", loss).seed(7).start_or_skip()
}

fn ask(net: &Network) -> Result<String, Error> {
    let asked = net.host("phone")?.command(RESOLVER).args(["ask", "dns", "example.org"]).output()?;
    let said = if asked.status.success() { asked.stdout } else { asked.stderr };
    Ok(String::from_utf8_lossy(&said).trim().to_owned())
}

#[test]
fn names_resolve_although_a_third_of_the_frames_is_lost() -> Result<(), Error> {
    let Some(net) = mobile("33%")? else { return Ok(()) };
    let resolved = (0..10).map(|_| ask(&net)).filter(|said| said.as_ref().is_ok_and(|s| s.contains("192.0.2.7")));
    assert!(resolved.count() >= 8, "five attempts are to be enough, nearly always");

    let report = net.stop()?;
    assert!(report.direction("radio", "dns")?.dropped["loss"] > 0, "{}", report.explain());
    Ok(())
}

#[test]
fn it_gives_up_when_nothing_gets_through_and_works_again_afterwards() -> Result<(), Error> {
    let Some(net) = mobile("0%")? else { return Ok(()) };
    net.set("radio=down")?;
    let begun = Instant::now();
    assert_eq!(ask(&net)?, "resolver: no answer from dns in 5 attempts");
    assert!(begun.elapsed() >= Duration::from_secs(1), "five times 200 ms");

    net.set("radio=up")?;
    assert!(ask(&net)?.contains("192.0.2.7"));
    Ok(())
}

#[test]
fn no_answer_comes_before_it_can() -> Result<(), Error> {
    let Some(net) = mobile("0%")? else { return Ok(()) };
    net.set_all(["radio.delay=40ms", "radio.delay.jitter=0ms"])?;
    let begun = Instant::now();
    assert!(ask(&net)?.contains("192.0.2.7"));
    assert!(begun.elapsed() >= Duration::from_millis(80), "there and back");
    Ok(())
}

//! A machine of its own, as far as its network goes.

use std::process::{Child, Command, Stdio};

use crate::support::Lab;

/// A network and a mount namespace. Killed when dropped.
pub(crate) struct Machine(Child);

impl Machine {
    pub(crate) fn start() -> Machine {
        Machine::prepared("true")
    }

    /// One in which this line of a shell has been run before anything else.
    pub(crate) fn prepared(line: &str) -> Machine {
        let script = format!("ip link set lo up && {line} && echo && exec sleep 200");
        let mut unshare = Command::new("unshare");
        unshare.args(["-n", "-m", "sh", "-c", &script]).stdout(Stdio::piped());
        let mut machine = Machine(unshare.spawn().expect("started"));
        let mut line = [0];
        let stdout = machine.0.stdout.as_mut().expect("piped");
        std::io::Read::read_exact(stdout, &mut line).expect("it is up");
        machine
    }

    pub(crate) fn pid(&self) -> String {
        self.0.id().to_string()
    }

    /// A program in it.
    pub(crate) fn command(&self, lab: &Lab, words: &[&str]) -> Command {
        let pid = self.pid();
        let folder = lab.path(".").display().to_string();
        let enter = ["-t", &pid, "-n", "-m", &format!("--wdns={folder}")];
        lab.other("nsenter", &[&enter[..], words].concat())
    }

    /// What a program in it prints.
    pub(crate) fn prints(&self, lab: &Lab, words: &[&str]) -> String {
        let output = self.command(lab, words).output().expect("run");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

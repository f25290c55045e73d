//! Port forwarding: listening sockets of the machine, relayed by a process inside a host.

use std::net::TcpListener;
use std::os::fd::OwnedFd;

use crate::host::{HostError, Init, ProgramId, Spawn, SpawnError, Stdio, What};
use crate::tasks::forward::Forward;
use crate::tasks::resolved::Resolved;

/// Numbers of the processes begin here, so that they are nobody else's.
const FIRST: ProgramId = 1 << 48;

/// What listens, until it is handed over.
pub(super) struct Forwards<'a>(Vec<(&'a Forward, OwnedFd)>);

impl<'a> Forwards<'a> {
    /// Listens, while the run may.
    ///
    /// # Errors
    /// A port that cannot be had.
    pub(super) fn listen(resolved: &'a Resolved) -> Result<Forwards<'a>, HostError> {
        let all = resolved.scenario.forward.iter().map(|forward| {
            let listener = TcpListener::bind(forward.listen).map_err(|error| {
                HostError::os(format!("listen on {}", forward.listen), error).cure("name another port in `forward`")
            });
            Ok((forward, listener?.into()))
        });
        all.collect::<Result<_, _>>().map(Forwards)
    }

    /// Hands what listens over to the hosts.
    ///
    /// # Errors
    /// A process cannot be started.
    pub(super) fn start(self, resolved: &Resolved, init: &mut Init) -> Result<(), SpawnError> {
        for ((forward, listener), id) in self.0.into_iter().zip(FIRST..) {
            let job = serde_json::to_string(&forward.to).expect("an address is plain data");
            let what = What::Builtin { name: crate::workload::FORWARD.into(), job };
            let host = resolved.network.hosts[forward.host].name.clone();
            init.spawn(Spawn { id, host, what, stdio: Stdio { stdin: Some(listener), ..Stdio::default() } })?;
        }
        Ok(())
    }
}

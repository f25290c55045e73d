//! What a run gives up once it is set up, before the engine reads its first frame: from then on the whole process has no
//! privilege, opens no files and makes few system calls. What still needs more is done by processes beside it: init in the hosts,
//! the keeper at external machines, the opener in the directory of `--out`.

use crate::host::Init;
use crate::host::confine::{self, InForce, Rules};
use crate::report::confinement::{Confinement, Landlock};

/// Confines this process, which must have one thread; threads that start from here on are confined alike.
///
/// # Errors
/// There are several threads, or the kernel refused what it has.
pub(super) fn begin(init: &Init) -> std::io::Result<Confinement> {
    let InForce { no_new_privs, capabilities, filter, rules } = confine::run(init.pid())?;
    Ok(Confinement {
        no_new_privs,
        capabilities,
        seccomp: filter,
        landlock: match rules {
            Rules::All => Landlock::Full,
            Rules::Some => Landlock::Partial,
            Rules::None => Landlock::None,
        },
        refused_calls: Vec::new(),
    })
}

/// The same, with what has been refused until now.
pub(super) fn end(confinement: Confinement) -> Confinement {
    Confinement { refused_calls: confine::refused_calls(), ..confinement }
}

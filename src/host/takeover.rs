//! A second process of this very program, which becomes something else before its `main`.
//!
//! Hosts are made by forking, which only a process with one thread may do; a program that uses the library, and a test
//! harness above all, has many. So a copy of the program is executed with a mark in its environment; a constructor
//! (`.init_array`, System V gABI "Initialization and Termination Functions") that [`before_main`] puts into every program
//! sees the mark and takes the copy over, before any code of the program itself runs.
//!
//! The constructor also runs in the program itself, where it notes that it was there. So a program that was linked
//! without it is found out before a copy is started, and not when the copy's `main` starts another.
#![allow(unsafe_code)]

use std::os::fd::{AsFd, AsRawFd as _, IntoRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt;
use std::panic::{UnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigHandler, Signal};

use super::error::HostError;
use super::{message, spawn};

/// Set in the environment of a copy that is to be taken over: what it becomes.
const MARK: &str = "LONGWIRE_TAKEOVER";

/// Whether the constructor has run in this process.
static ARMED: AtomicBool = AtomicBool::new(false);

/// A constructor: what [`before_main`] makes, and what [`copy`] wants to see.
pub(crate) type Constructor = extern "C" fn();

/// Defines a constructor that takes over copies of the program that are to become `$what`, with a function
/// `fn(OwnedFd) -> i32`. The code that starts copies must name it, so that a linker that takes one from a library takes
/// the other too. With `if $condition`, a `fn() -> bool`, in place of `$what` it takes over a process of which that is true, by a
/// function `fn() -> i32`.
macro_rules! before_main {
    ($name:ident: if $condition:path => $run:path) => {
        $crate::host::takeover::before_main!(@ $name, $crate::host::takeover::enter_if($condition, $run));
    };
    ($name:ident: $what:expr => $run:path) => {
        $crate::host::takeover::before_main!(@ $name, $crate::host::takeover::enter($what, $run));
    };
    (@ $name:ident, $enter:expr) => {
        #[allow(unsafe_code)]
        #[used]
        // After the standard library's own, which has 99, and before those that programs have, which have none: a copy
        // that is taken over does not begin to be the program.
        // SAFETY: the section is an array of pointers to functions with the C calling convention; arguments that glibc
        // passes and the function does not take are the caller's to clean up.
        #[unsafe(link_section = ".init_array.00150")]
        static $name: $crate::host::takeover::Constructor = {
            extern "C" fn enter() {
                $enter;
            }
            enter
        };
    };
}
pub(crate) use before_main;

/// What the constructor does: nothing but a note, unless this process is a copy that is to be taken over. Then `run` gets
/// the socket to the process that started it, and this process ends with its result.
pub(crate) fn enter(what: &str, run: fn(OwnedFd) -> i32) {
    ARMED.store(true, Ordering::Relaxed);
    if std::env::var_os(MARK).is_none_or(|mark| mark != what) {
        return;
    }
    // SAFETY: no other thread exists yet. Programs that are started from here are no copies.
    unsafe { std::env::remove_var(MARK) };
    end(|| match tie_to_parent() {
        Ok(Some(socket)) => run(socket),
        Ok(None) => 0,
        Err(_) => 1,
    })
}

/// What the constructor does for a process that nobody of us has started: nothing, unless `condition` is true. Then this process
/// ends with the result of `run`.
pub(crate) fn enter_if(condition: fn() -> bool, run: fn() -> i32) {
    if !condition() {
        return;
    }
    end(|| match stand_in().and_then(|()| ignore_broken_pipes()) {
        Ok(()) => run(),
        Err(_) => 1,
    })
}

/// Ends this process with the result of `run`, before the program has begun.
fn end(run: impl FnOnce() -> i32 + UnwindSafe) -> ! {
    // An unwinding panic must not leave a function with the C calling convention.
    let code = catch_unwind(run);
    // SAFETY: _exit takes no pointers and does not return. No exit handler of the program that was not begun runs.
    unsafe { libc::_exit(code.unwrap_or(101)) }
}

/// Opens /dev/null for those of standard input, output and error that are closed, as the standard library does on the way to `main`:
/// otherwise the next file would become one of them.
fn stand_in() -> std::io::Result<()> {
    loop {
        let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
        if null.as_raw_fd() > 2 {
            return Ok(());
        }
        let _ = null.into_raw_fd();
    }
}

/// The standard library does it on the way to `main`: writing to a program that has ended is an error, and not the end.
fn ignore_broken_pipes() -> std::io::Result<()> {
    // SAFETY: SIG_IGN is no code of ours.
    unsafe { nix::sys::signal::signal(Signal::SIGPIPE, SigHandler::SigIgn) }?;
    Ok(())
}

/// Takes the socket, and sees to it that this process ends with its parent; `None` where the parent is gone already.
fn tie_to_parent() -> std::io::Result<Option<OwnedFd>> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    // Otherwise the socket would be the standard input of programs.
    spawn::mute()?;
    ignore_broken_pipes()?;
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    // The parent may have died before that: its end of the socket then reads as closed.
    Ok((!message::is_closed(&socket)).then_some(socket))
}

/// Starts a copy of this program that becomes `what`, and the socket to it. The copy dies with the thread that calls this,
/// at the latest. `name` is what process listings show.
///
/// # Errors
/// The constructor is not in this program, or no process can be started.
pub(crate) fn copy(constructor: Constructor, what: &str, name: &str) -> Result<(Child, OwnedFd), HostError> {
    let doing = "start a network from this program";
    // The mention that holds it in the program; see `before_main`.
    std::hint::black_box(constructor);
    if !ARMED.load(Ordering::Relaxed) {
        return Err(HostError::lacking(doing, "its constructors (.init_array) did not run before `main`")
            .cure("link it as cargo does, without `-nostartfiles` and without a linker script that drops them"));
    }
    if std::env::var_os(MARK).is_some() {
        // This process was to be taken over and was not; whatever it starts would not be either.
        return Err(HostError::lacking(doing, format!("{MARK} is set, which only the library itself may do"))
            .cure(format!("unset {MARK}")));
    }
    let (ours, theirs) = message::pair().map_err(|e| HostError::os(doing, e))?;
    let child = Command::new("/proc/self/exe")
        .arg0(name)
        .env(MARK, what)
        .stdin(Stdio::from(theirs))
        .stdout(Stdio::null())
        // Ctrl-C is this program's matter: the copy hears of its end.
        .process_group(0)
        .spawn()
        .map_err(|e| HostError::os(doing, e).cure("mount /proc"))?;
    Ok((child, ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHAT: &str = "echo";
    before_main!(ECHO: WHAT => echo);

    /// Says what it hears twice.
    fn echo(socket: OwnedFd) -> i32 {
        match message::receive::<String>(&socket) {
            Ok(Some((text, _))) if text == "mark" => i32::from(std::env::var_os(MARK).is_some()),
            Ok(Some((text, _))) if text == "panic" => {
                std::panic::set_hook(Box::new(|_| {}));
                panic!("as asked")
            }
            Ok(Some((text, _))) => message::send(&socket, &format!("{text} {text}"), &[]).map_or(2, |()| 7),
            _ => 3,
        }
    }

    #[test]
    fn a_copy_is_taken_over_before_main_and_its_code_comes_back() {
        let (mut child, socket) = copy(ECHO, WHAT, "echo").unwrap();
        message::send(&socket, &"hear", &[]).unwrap();
        let (said, _) = message::receive::<String>(&socket).unwrap().unwrap();
        assert_eq!(said, "hear hear");
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }

    #[test]
    fn several_threads_start_copies_and_each_ends_with_its_socket() {
        let one = || {
            let (mut child, socket) = copy(ECHO, WHAT, "echo").unwrap();
            drop(socket);
            // the end of the socket, or its absence from the beginning
            assert!(matches!(child.wait().unwrap().code(), Some(0 | 3)));
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(one);
            }
        });
    }

    #[test]
    fn what_a_copy_starts_is_no_copy() {
        let (mut child, socket) = copy(ECHO, WHAT, "echo").unwrap();
        message::send(&socket, &"mark", &[]).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }

    #[test]
    fn a_panic_of_a_copy_is_its_end() {
        let (mut child, socket) = copy(ECHO, WHAT, "echo").unwrap();
        message::send(&socket, &"panic", &[]).unwrap();
        assert!(message::receive::<String>(&socket).unwrap().is_none());
        assert_eq!(child.wait().unwrap().code(), Some(101));
    }
}

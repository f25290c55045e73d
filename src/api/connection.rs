//! The process that holds a network, as seen from here: questions and answers by number, ends of programs, the report.
//!
//! One thread a network starts the process, reads what it says, and waits for its end: the process dies with that thread
//! at the latest, so it must be one that stays.

use std::collections::HashMap;
use std::net::Shutdown;
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::copy::{self, Order};
use super::error::cause_of_host;
use super::{Error, ErrorKind};
use crate::host::{ExitStatus, message, takeover};
use crate::report::json::Report;
use crate::run::owner::{Answer, Ask, Cause, Question, Told};

/// How long the copy of the program may take to say that it is one. What waits longer has not been taken over.
const HELLO_WITHIN: Duration = Duration::from_secs(30);

/// How long the process may take to go once its socket is closed: it ends every program, then all hosts.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// A way to the process that holds a network.
pub(super) struct Connection {
    socket: UnixStream,
    /// The number of the next question. Whoever holds it may write.
    next: Mutex<u64>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answers: HashMap<u64, Answer>,
    exits: HashMap<u64, ExitStatus>,
    began: Option<Vec<(String, String)>>,
    end: Option<End>,
}

/// What came of starting a network.
#[derive(Debug)]
pub(super) enum Beginning {
    /// It is up.
    Up {
        /// What programs get in their environment beyond this process's own.
        environment: Vec<(String, String)>,
    },
    /// It was over before t = 0.
    Over(Box<Report>),
}

/// How a network ended.
#[derive(Clone)]
enum End {
    Over(Box<Report>),
    Failed(Cause, String),
    Lacks(Option<String>),
    /// Nobody here needs it any more.
    Closed,
    /// Without a word.
    Gone,
}

impl Connection {
    /// Starts the process and gives it its order.
    pub(super) fn open(order: Order, name: &str) -> Result<(Arc<Connection>, JoinHandle<()>), Error> {
        let (sender, opened) = mpsc::channel();
        let name = format!("longwire {name}");
        let thread = std::thread::Builder::new()
            .name("longwire".into())
            .spawn(move || live(&order, &name, &sender))
            .map_err(|e| Error::new(ErrorKind::Machine, format!("cannot start a thread: {e}")))?;
        match opened.recv() {
            Ok(Ok(connection)) => Ok((connection, thread)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(Error::new(ErrorKind::Machine, "the thread that holds a network ended")),
        }
    }

    /// Asks, and waits for the answer; the question's number is what a program is known by afterwards.
    pub(super) fn ask(&self, ask: Ask, fds: &[BorrowedFd<'_>]) -> Result<(u64, Answer), Error> {
        let number = {
            let mut next = lock(&self.next);
            let number = *next;
            *next += 1;
            message::send(&self.socket, &Question { number, ask }, fds).map_err(|_| over())?;
            number
        };
        let answer = self.wait(None, |state| state.answers.remove(&number).map(Ok).or_else(|| state.is_over()));
        answer.ok_or_else(over)?.map(|answer| (number, answer))
    }

    /// Waits until t = 0, or for an end before it.
    pub(super) fn began(&self) -> Result<Beginning, Error> {
        self.wait(None, |state| match (&state.began, &state.end) {
            (Some(environment), _) => Some(Ok(Beginning::Up { environment: environment.clone() })),
            (None, Some(End::Over(report))) => Some(Ok(Beginning::Over(report.clone()))),
            (None, Some(end)) => Some(Err(end.error())),
            (None, None) => None,
        })
        .ok_or_else(over)?
    }

    /// Waits for the end of a program, at most until `deadline`; `None` where it has not ended by then.
    pub(super) fn exit(&self, number: u64, deadline: Option<Instant>) -> Result<Option<ExitStatus>, Error> {
        let exit = self.wait(deadline, |state| state.exits.get(&number).copied().map(Ok).or_else(|| state.is_over()));
        exit.transpose()
    }

    /// Waits for the report.
    pub(super) fn report(&self) -> Result<Report, Error> {
        self.wait(None, |state| match state.end.as_ref()? {
            End::Over(report) => Some(Ok((**report).clone())),
            end => Some(Err(end.error())),
        })
        .ok_or_else(over)?
    }

    /// Waits for the answer to [`Order::Try`].
    pub(super) fn lacks(&self) -> Result<Option<String>, Error> {
        self.wait(None, |state| match state.end.as_ref()? {
            End::Lacks(what) => Some(Ok(what.clone())),
            end => Some(Err(end.error())),
        })
        .ok_or_else(over)?
    }

    /// Tells the process that nobody needs the network any more.
    pub(super) fn close(&self) {
        lock(&self.state).end.get_or_insert(End::Closed);
        self.changed.notify_all();
        // It may have gone by itself.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Waits until `found` finds something; `None` where the deadline passes first.
    fn wait<T>(&self, deadline: Option<Instant>, mut found: impl FnMut(&mut State) -> Option<T>) -> Option<T> {
        let mut state = lock(&self.state);
        loop {
            if let Some(found) = found(&mut state) {
                return Some(found);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            state = match left {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(Duration::ZERO) => return None,
                Some(left) => self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
            };
        }
    }

    fn take_in(&self, told: Told) {
        let mut state = lock(&self.state);
        match told {
            Told::Hello => {}
            Told::Began { environment } => state.began = Some(environment),
            Told::Answer { number, answer } => drop(state.answers.insert(number, answer)),
            Told::Exited { program, status } => drop(state.exits.insert(program, status)),
            Told::Lacks(what) => state.end = Some(End::Lacks(what)),
            Told::Over(report) => state.end = Some(End::Over(report)),
            Told::Failed { cause, reason } => state.end = Some(End::Failed(cause, reason)),
        }
        self.changed.notify_all();
    }

    fn ended(&self) {
        lock(&self.state).end.get_or_insert(End::Gone);
        self.changed.notify_all();
    }
}

impl State {
    /// For those who wait for something that cannot come any more.
    fn is_over<T>(&self) -> Option<Result<T, Error>> {
        self.end.as_ref().map(|end| Err(end.error()))
    }
}

impl End {
    fn error(&self) -> Error {
        match self {
            End::Failed(cause, reason) => Error::from((*cause, reason.clone())),
            End::Gone => Error::new(ErrorKind::Machine, "the process that held the network ended without a word"),
            End::Over(_) | End::Lacks(_) | End::Closed => over(),
        }
    }
}

fn over() -> Error {
    Error::new(ErrorKind::Over, "the network is not up any more")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics while it holds a lock in the middle of a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread of a network.
fn live(order: &Order, name: &str, opened: &Sender<Result<Arc<Connection>, Error>>) {
    let (child, socket) = match start(order, name) {
        Ok(started) => started,
        Err(error) => return drop(opened.send(Err(error))),
    };
    let connection = Arc::new(Connection {
        socket,
        next: Mutex::new(1),
        state: Mutex::new(State::default()),
        changed: Condvar::new(),
    });
    // Whoever opened it waits.
    let _ = opened.send(Ok(Arc::clone(&connection)));
    while let Ok(Some((told, _))) = message::receive(&connection.socket) {
        connection.take_in(told);
    }
    connection.ended();
    reap(child);
}

fn start(order: &Order, name: &str) -> Result<(Child, UnixStream), Error> {
    let (child, socket) = takeover::copy(copy::constructor(), copy::WHAT, name)
        .map_err(|error| Error::from((cause_of_host(&error), error.to_string())))?;
    let socket = UnixStream::from(socket);
    let greet = || {
        socket.set_read_timeout(Some(HELLO_WITHIN))?;
        let hello = message::receive::<Told>(&socket)?;
        socket.set_read_timeout(None)?;
        if !matches!(hello, Some((Told::Hello, _))) {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        message::send(&socket, order, &[])
    };
    match greet() {
        Ok(()) => Ok((child, socket)),
        Err(error) => {
            drop(socket);
            reap_now(child);
            let reason = "a copy of this program did not become one: is the library part of the program itself, and not of \
                 something that it loads later?";
            Err(Error::new(ErrorKind::Machine, format!("cannot start a network: {reason} ({error})")))
        }
    }
}

/// Waits for the process, which ends by itself when its socket is closed.
fn reap(mut child: Child) {
    let begun = Instant::now();
    let mut pause = Duration::from_micros(500);
    while begun.elapsed() < GONE_WITHIN {
        match child.try_wait() {
            Ok(None) => std::thread::sleep(pause),
            _ => return,
        }
        pause = (pause * 2).min(Duration::from_millis(20));
    }
    reap_now(child);
}

fn reap_now(mut child: Child) {
    // It may have ended by itself; and it is this process's child until it is waited for.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_tried_answers_and_goes() {
        let (connection, thread) = Connection::open(Order::Try, "try").unwrap();
        // whatever this machine has: it is an answer
        let lacks = connection.lacks().unwrap();
        assert!(lacks.is_none_or(|what| what.starts_with("cannot ")));
        thread.join().unwrap();
        let error = connection.ask(Ask::Stop, &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Over);
        assert!(connection.exit(1, Some(Instant::now())).is_err(), "no program can end any more");
    }

    #[test]
    fn a_closed_connection_ends_those_who_wait() {
        // With an order that never begins, since its scenario is not there.
        let orders = copy::Orders {
            path: "nowhere.yaml".into(),
            files: Default::default(),
            params: Vec::new(),
            seed: None,
            out: None,
        };
        let (connection, thread) = Connection::open(Order::Run(orders), "none").unwrap();
        let error = connection.began().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Machine, "{error}");
        connection.close();
        thread.join().unwrap();
        assert_eq!(connection.report().unwrap_err(), error);
    }
}

//! The one place where a call waits: for a socket, for a look-up, for time to pass. It asks the interrupt callback and
//! notices that the client was closed, wherever the call stands.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::ffi::sys::{self, Interest, MOST_INTERESTS, Ready};
use crate::hooks::Hooks;
use crate::verdict::Fault;

/// How often the interrupt callback is asked, at the least, while a call waits.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// Why a wait ended without what it waited for.
#[derive(Debug)]
pub(crate) enum Stop {
    Deadline,
    Cancelled,
    Closed,
    System(io::Error),
}

impl Stop {
    /// As the fault of an attempt; `what` it waited for, as in "before an answer came".
    pub fn into_fault(self, what: &'static str) -> Fault {
        match self {
            Stop::Deadline => Fault::Deadline(what),
            Stop::Cancelled => Fault::Cancelled,
            Stop::Closed => Fault::Closed,
            Stop::System(error) => Fault::Internal(format!("poll failed: {error}")),
        }
    }
}

/// Wakes every wait of a client when it is closed. One pair of sockets a process: the child of a fork has its own.
#[derive(Debug)]
pub(crate) struct Bell {
    closed: AtomicBool,
    ours: UnixStream,
    theirs: UnixStream,
}

impl Bell {
    pub fn new() -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        theirs.set_nonblocking(true)?;
        Ok(Bell { closed: AtomicBool::new(false), ours, theirs })
    }

    /// From here on every wait ends with [`Stop::Closed`].
    pub fn ring(&self) {
        self.closed.store(true, Ordering::SeqCst);
        // What was written is never read, so that it wakes all. Full means that it was written before.
        let _ = io::Write::write(&mut &self.theirs, &[1]);
    }

    pub fn has_rung(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Waiter {
    hooks: Arc<Hooks>,
    bell: Arc<Bell>,
}

impl Waiter {
    pub fn new(hooks: Arc<Hooks>, bell: Arc<Bell>) -> Self {
        Waiter { hooks, bell }
    }

    pub fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// Waits until one of `interests` is ready. What is ready at the deadline still counts: it may be the answer.
    pub fn until_ready(&self, interests: &[Interest], deadline: Instant) -> Result<Ready, Stop> {
        let mut all = [Interest::read(&self.bell.ours); MOST_INTERESTS];
        all[..interests.len()].copy_from_slice(interests);
        let all = &all[..=interests.len()];
        loop {
            if self.bell.has_rung() {
                return Err(Stop::Closed);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let slice = if self.hooks.interrupt.is_some() { left.min(ASK_EVERY) } else { left };
            match sys::poll(all, slice) {
                Ok(ready) if ready.has(interests.len()) => return Err(Stop::Closed),
                Ok(ready) if ready.any() => return Ok(ready),
                Ok(_) if left == slice && Instant::now() >= deadline => return Err(Stop::Deadline),
                Ok(_) => self.ask()?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.ask()?,
                Err(error) => return Err(Stop::System(error)),
            }
        }
    }

    /// Waits until `moment`.
    pub fn until(&self, moment: Instant) -> Result<(), Stop> {
        match self.until_ready(&[], moment) {
            Err(Stop::Deadline) | Ok(_) => Ok(()),
            Err(stop) => Err(stop),
        }
    }

    /// Asks the interrupt callback, as after every signal.
    pub fn ask(&self) -> Result<(), Stop> {
        if self.hooks.interrupted() { Err(Stop::Cancelled) } else { Ok(()) }
    }
}

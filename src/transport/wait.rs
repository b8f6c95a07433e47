//! The one place where a call waits: for a socket, for a look-up, for time to pass. It asks the interrupt callback and
//! notices that the client was closed, wherever the call stands.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use crate::ffi::sys::{self, Interest, MOST_INTERESTS, Pair, Ready};
use crate::hooks::Hooks;
use crate::verdict::Fault;

/// How often the interrupt callback is asked, at the least, while a call waits.
pub(crate) const ASK_EVERY: Duration = Duration::from_millis(100);

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
            Stop::Deadline => Fault::Deadline(what.into()),
            Stop::Cancelled => Fault::Cancelled,
            Stop::Closed => Fault::Closed,
            Stop::System(error) => Fault::Internal(format!("poll failed: {error}")),
        }
    }
}

/// Ends every wait of a client when it is closed, or of a batch when it is stopped. One pair of sockets a process: the
/// child of a fork has its own.
#[derive(Debug)]
pub(crate) struct Bell {
    rung: AtomicU8,
    ours: Pair,
    theirs: Pair,
}

/// Why a bell is rung.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Closed = 1,
    Cancelled = 2,
}

impl Bell {
    pub fn new() -> io::Result<Self> {
        let (ours, theirs) = sys::pair()?;
        theirs.set_nonblocking(true)?;
        Ok(Bell { rung: AtomicU8::new(0), ours, theirs })
    }

    /// From here on every wait ends with `end`, or with that of an earlier ring.
    pub fn ring(&self, end: End) {
        let _ = self.rung.compare_exchange(0, end as u8, Ordering::SeqCst, Ordering::SeqCst);
        // What was written is never read, so that it wakes all. Full means that it was written before.
        let _ = io::Write::write(&mut &self.theirs, &[1]);
    }

    /// `Err` once it has rung.
    pub fn check(&self) -> Result<(), Stop> {
        match self.rung.load(Ordering::SeqCst) {
            0 => Ok(()),
            rung if rung == End::Closed as u8 => Err(Stop::Closed),
            _ => Err(Stop::Cancelled),
        }
    }
}

/// Where a call waits. To clone it is to count once.
#[derive(Clone, Debug)]
pub(crate) struct Waiter(Arc<Ears>);

#[derive(Debug)]
struct Ears {
    hooks: Arc<Hooks>,
    bell: Arc<Bell>,
}

impl Waiter {
    pub fn new(hooks: Arc<Hooks>, bell: Arc<Bell>) -> Self {
        Waiter(Arc::new(Ears { hooks, bell }))
    }

    pub fn hooks(&self) -> &Hooks {
        &self.0.hooks
    }

    pub fn bell(&self) -> &Bell {
        &self.0.bell
    }

    /// Waits until one of `interests` is ready. What is ready at the deadline still counts: it may be the answer.
    pub fn until_ready(&self, interests: &[Interest], deadline: Instant) -> Result<Ready, Stop> {
        let mut all = [Interest::read(&self.bell().ours); MOST_INTERESTS];
        all[..interests.len()].copy_from_slice(interests);
        let all = &all[..=interests.len()];
        loop {
            self.bell().check()?;
            let left = deadline.saturating_duration_since(Instant::now());
            let slice = if self.hooks().interrupt.is_some() { left.min(ASK_EVERY) } else { left };
            match sys::poll(all, slice) {
                Ok(ready) if ready.has(interests.len()) => {} // the bell, which is looked at above
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
        if self.hooks().interrupted() { Err(Stop::Cancelled) } else { Ok(()) }
    }
}

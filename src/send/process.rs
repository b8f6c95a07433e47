//! The state of a client that belongs to one process: connections, locks, the count of calls in flight. After a fork
//! the child makes a state of its own and never touches its parent's.

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::http::{CallContext, Settings, Transport};
use crate::model::hooks::Hooks;
use crate::model::outcome::{Error, Outcome, Status};
use crate::send::rate_limit::Limiter;
use crate::send::retry::Jitter;
use crate::sys::{self, CancelReason, CancelSignal};

/// What a process must not share with its parent or its child: sockets, idle connections and locks.
#[derive(Debug)]
pub(crate) struct ProcessState {
    /// The context of every call: the hooks, and the signal that cancels the calls in flight.
    pub context: CallContext,
    /// The connection pool, and how to connect.
    pub transport: Transport,
    pub limiter: Limiter,
    pub calls: Calls,
    jitter: Mutex<Jitter>,
}

impl ProcessState {
    pub fn new(settings: &Settings, hooks: &Arc<Hooks>, max_per_second: Option<u32>) -> Result<Self, Error> {
        let signal = CancelSignal::new().map_err(|error| no_sockets(&error))?;
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
        Ok(ProcessState {
            context: CallContext::new(hooks.clone(), Arc::new(signal)),
            transport: Transport::new(settings),
            limiter: Limiter::new(max_per_second),
            calls: Calls::default(),
            jitter: Mutex::new(Jitter::new(time ^ u64::from(std::process::id()) << 32)),
        })
    }

    /// A random number for the jitter of a backoff, uniform in [0, 1).
    pub fn roll(&self) -> f64 {
        self.jitter.lock().unwrap_or_else(PoisonError::into_inner).roll()
    }

    /// Cancels the calls in flight and closes the idle connections.
    pub fn close(&self) {
        self.context.signal().cancel(CancelReason::Closed);
        self.transport.close();
    }
}

/// The error where the cancel signal cannot be made: the process has no descriptors left.
pub(super) fn no_sockets(error: &io::Error) -> Error {
    Error::new(Outcome::not_sent(
        Status::Connect,
        format!(
            "No pair of sockets could be made: {error}. The message was not delivered. Check how many files this process \
             has open, then send it again."
        ),
    ))
}

/// Counts the calls from C in flight, so that `ue_free` can wait for their end.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    state: Mutex<CallsState>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct CallsState {
    in_flight: usize,
    /// Whether a thread waits for the last call to end.
    has_waiter: bool,
}

/// One call from C in flight. Dropping it ends the count of it.
pub(crate) struct Call<'a> {
    calls: &'a Calls,
    generation: u64,
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, CallsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begin(&self) -> Call<'_> {
        self.state().in_flight += 1;
        Call { calls: self, generation: sys::forks() }
    }

    /// Blocks until no call is in flight.
    pub fn wait_for_none(&self) {
        let mut state = self.state();
        state.has_waiter = true;
        while state.in_flight > 0 {
            state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.generation != sys::forks() {
            return; // The call belongs to the parent. Another thread may have held the lock at the fork.
        }
        let mut state = self.calls.state();
        state.in_flight -= 1;
        if state.has_waiter {
            self.calls.ended.notify_all(); // costs a system call even where nobody waits
        }
    }
}

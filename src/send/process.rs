//! What belongs to one process: connections, locks, the calls that `ue_free` waits for. The child of a fork gets a state of its own
//! and leaves its parent's alone.

use std::io;
use std::mem;
use std::ops::Deref;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use once_cell::race::OnceBox;

use crate::http::{CallContext, CancelReason, CancelSignal, Failure, Fault, Settings, Transport};
use crate::model::hooks::Hooks;
use crate::model::outcome::Error;
use crate::send::assess;
use crate::send::explain::{self, History};
use crate::send::rate_limit::Limiter;
use crate::send::retry::Jitter;
use crate::sys;

/// What belongs to one process: connections, locks, calls under way.
#[derive(Debug)]
pub(super) struct ProcessState {
    forks: u64,
    own: Arc<ProcessResources>,
    /// That of this process's child, in its memory.
    next: OnceBox<ProcessState>,
}

#[derive(Debug)]
pub(super) struct ProcessResources {
    pub context: CallContext,
    pub transport: Transport,
    pub limiter: Limiter,
    pub calls: Calls,
    jitter: Mutex<Jitter>,
}

impl ProcessState {
    pub fn new(settings: &Settings, hooks: &Arc<Hooks>, max_per_second: Option<u32>) -> Result<Self, Error> {
        let signal = CancelSignal::new().map_err(|error: io::Error| {
            let fault = Fault::Connect(format!("no pair of sockets could be made: {error}"));
            let assessment = assess::of_failure(&Failure { fault, request_complete: false });
            let history = History {
                attempts: 0,
                unknown_before: false,
                elapsed: Duration::ZERO,
                api_key: "",
                content: "",
                source_context: None,
            };
            Error::new(explain::outcome(assessment, None, history))
        })?;
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
        let own = Arc::new(ProcessResources {
            context: CallContext::new(hooks.clone(), Arc::new(signal)),
            transport: Transport::new(settings),
            limiter: Limiter::new(max_per_second),
            calls: Calls::default(),
            jitter: Mutex::new(Jitter::new(time ^ u64::from(std::process::id()) << 32)),
        });
        Ok(ProcessState { forks: sys::forks(), own, next: OnceBox::new() })
    }

    /// The state of the process that asks: the last link of a chain that grows by one with every fork. `make` makes a link.
    pub fn current(&self, make: impl Fn() -> Result<ProcessState, Error>) -> Result<&ProcessState, Error> {
        let mut process = self;
        while process.forks != sys::forks() {
            process = process.next.get_or_try_init(|| make().map(Box::new))?;
        }
        Ok(process)
    }
}

impl Deref for ProcessState {
    type Target = ProcessResources;

    fn deref(&self) -> &ProcessResources {
        &self.own
    }
}

impl Drop for ProcessState {
    /// A parent's connections are not the child's to touch, nor its locks, which a thread may have held at the fork.
    fn drop(&mut self) {
        if self.forks != sys::forks() {
            mem::forget(self.own.clone());
        }
    }
}

impl ProcessResources {
    pub fn roll(&self) -> f64 {
        self.jitter.lock().unwrap_or_else(PoisonError::into_inner).roll()
    }

    pub fn close(&self) {
        self.context.signal().cancel(CancelReason::Closed);
        self.transport.close();
    }
}

/// How many calls from C are under way, and whether anybody waits for their end.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    state: Mutex<CallsState>,
    none: Condvar,
}

#[derive(Debug, Default)]
struct CallsState {
    under_way: usize,
    awaited: bool,
}

pub(crate) struct Call<'a> {
    calls: &'a Calls,
    forks: u64,
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, CallsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begin(&self) -> Call<'_> {
        self.state().under_way += 1;
        Call { calls: self, forks: sys::forks() }
    }

    pub fn wait_for_none(&self) {
        let mut state = self.state();
        state.awaited = true;
        while state.under_way > 0 {
            state = self.none.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.forks != sys::forks() {
            return; // the parent's: another thread may have held the lock at the fork
        }
        let mut state = self.calls.state();
        state.under_way -= 1;
        if state.awaited {
            self.calls.none.notify_all(); // a system call, whether anybody waits or not
        }
    }
}

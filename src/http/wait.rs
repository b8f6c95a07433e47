//! The one place where a call waits: for a socket, for a DNS lookup, for a backoff to pass. Every wait checks the
//! deadline, the cancel signals and the interrupt callback. Work that does not wait calls [`CallContext::check_time`]
//! to do the same.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::http::Fault;
use crate::model::hooks::Hooks;
use crate::sys::{self, CancelReason, CancelSignal, Interest, MOST_INTERESTS, Ready, Watch};

/// The longest time between two calls of the interrupt callback, while a call waits or is busy.
pub(crate) const ASK_EVERY: Duration = Duration::from_millis(100);

/// How often a wait checks the cancel signals even if nothing wakes it: other code of the process may have closed the
/// descriptor that would wake it.
const RECHECK_EVERY: Duration = Duration::from_secs(1);

/// Why a wait ended early.
#[derive(Debug)]
pub(crate) enum Stop {
    Deadline,
    Cancelled,
    Closed,
    /// A callback forked, and this is the child. The call goes on in the parent.
    Forked,
    System(io::Error),
}

impl Stop {
    /// The fault of an attempt that was stopped. `what` says when, as in "before an answer came".
    pub fn into_fault(self, what: &'static str) -> Fault {
        match self {
            Stop::Deadline => Fault::Deadline(what.into()),
            Stop::Cancelled => Fault::Cancelled,
            Stop::Closed => Fault::Closed,
            Stop::Forked => Fault::Forked,
            Stop::System(error) => Fault::Internal(format!(
                "it could not wait ({error}); has other code of this process closed descriptors that it did not open?"
            )),
        }
    }
}

impl From<CancelReason> for Stop {
    fn from(reason: CancelReason) -> Self {
        match reason {
            CancelReason::Closed => Stop::Closed,
            CancelReason::Cancelled => Stop::Cancelled,
            CancelReason::Broken => Stop::System(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// The context of a call: its hooks and the cancel signals that can end it. All waits go through it. Cheap to clone:
/// one Arc increment.
#[derive(Clone)]
pub(crate) struct CallContext(Arc<Shared>);

impl fmt::Debug for CallContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallContext").field("hooks", &self.0.hooks).finish_non_exhaustive()
    }
}

struct Shared {
    hooks: Arc<Hooks>,
    /// The client's cancel signal.
    signal: Arc<CancelSignal>,
    /// The cancel signals of the call alone: that of the worker that makes it, and that of its message.
    own: [Option<Arc<CancelSignal>>; 2],
    forks: u64,
    started: Instant,
    /// When the interrupt callback was called last, in nanoseconds after `started`.
    last_asked: AtomicU64,
    /// The deadline that had passed at the last poll, in the same unit. `u64::MAX` if none had.
    passed_deadline: AtomicU64,
}

impl CallContext {
    pub fn new(hooks: Arc<Hooks>, signal: Arc<CancelSignal>) -> Self {
        CallContext::with(hooks, signal, [None, None])
    }

    fn with(hooks: Arc<Hooks>, signal: Arc<CancelSignal>, own: [Option<Arc<CancelSignal>>; 2]) -> Self {
        let (forks, started) = (sys::forks(), Instant::now());
        CallContext(Arc::new(Shared {
            hooks,
            signal,
            own,
            forks,
            started,
            last_asked: AtomicU64::new(0),
            passed_deadline: AtomicU64::new(u64::MAX),
        }))
    }

    /// A context for a single call, which `cancel` ends, too. The times in it (last interrupt, passed deadline) belong to
    /// this call alone.
    pub fn for_call(&self, cancel: Option<Arc<CancelSignal>>) -> Self {
        let worker = self.0.own[0].clone();
        CallContext::with(self.0.hooks.clone(), self.0.signal.clone(), [worker, cancel])
    }

    /// A context for a worker, which `signal` ends, too.
    pub fn for_worker(&self, hooks: Arc<Hooks>, signal: Arc<CancelSignal>) -> Self {
        CallContext::with(hooks, self.0.signal.clone(), [Some(signal), None])
    }

    /// Whether a worker of a queue makes the call.
    pub fn is_of_worker(&self) -> bool {
        self.0.own[0].is_some()
    }

    pub fn hooks(&self) -> &Hooks {
        &self.0.hooks
    }

    /// The client's cancel signal.
    pub fn signal(&self) -> &CancelSignal {
        &self.0.signal
    }

    /// Every cancel signal that ends the call.
    fn signals(&self) -> impl Iterator<Item = &CancelSignal> {
        [&self.0.signal].into_iter().chain(self.0.own.iter().flatten()).map(|signal| &**signal)
    }

    /// Whether this is the child of a fork that happened during the call. The child must not use anything of the call:
    /// the connection belongs to the parent, and another thread may have held a lock at the fork.
    pub fn has_forked(&self) -> bool {
        self.0.forks != sys::forks()
    }

    /// `Err` if the call must end at once: the process has forked, or a cancel signal was given.
    pub fn check(&self) -> Result<(), Stop> {
        if self.has_forked() {
            return Err(Stop::Forked);
        }
        // Called often, and mostly for nothing.
        if self.signals().all(CancelSignal::is_quiet) {
            return Ok(());
        }
        self.signals().find_map(CancelSignal::reason).map_or(Ok(()), |reason| Err(reason.into()))
    }

    /// As [`CallContext::check`], and also checks the deadline and, if due, the interrupt callback. For work that does
    /// not wait, and before bytes of a request are written.
    pub fn check_time(&self, deadline: Instant) -> Result<(), Stop> {
        self.check()?;
        if self.now()? < deadline { Ok(()) } else { Err(Stop::Deadline) }
    }

    /// Waits until one of `interests` is ready. A socket that is ready at the deadline still counts, because it may
    /// hold the answer; but only once per deadline.
    pub fn until_ready(&self, interests: &[Interest], deadline: Instant) -> Result<Ready, Stop> {
        let own = interests.len();
        let mut all = [Interest::NONE; MOST_INTERESTS];
        all[..own].copy_from_slice(interests);
        let (mut total, mut all_watched) = (own, true);
        for signal in self.signals() {
            match signal.watch() {
                Watch::Poll(interest) => (all[total], total) = (interest, total + 1),
                Watch::Woken => {}
                Watch::AtIntervals => all_watched = false,
            }
        }
        // The descriptors to poll. If a cancel signal is readable though nobody cancelled, other code of this process
        // has closed its descriptor and opened another file under its number. Then the cancel signals are no longer
        // polled, but checked at intervals.
        let mut watched = &all[..total];
        loop {
            self.check()?;
            let now = self.now()?;
            let left = deadline.saturating_duration_since(now);
            if left.is_zero() && self.passed_before(deadline) {
                return Err(Stop::Deadline);
            }
            let timeout = match self.hooks().interrupt {
                Some(_) => left.min(self.until_next_ask(now)),
                None if watched.len() == own || !all_watched => left.min(ASK_EVERY),
                None => left.min(RECHECK_EVERY),
            };
            let found =
                if self.is_of_worker() { sys::wait(watched, timeout, now) } else { sys::poll(watched, timeout) };
            match found {
                Ok(ready) if ready.any_below(own) => return Ok(ready),
                Ok(ready) if ready.any() && self.check().is_ok() => watched = &all[..own],
                Ok(_) if left.is_zero() => return Err(Stop::Deadline),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => self.ask_interrupt()?,
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

    /// Records that `deadline` has passed. Returns whether that was recorded before.
    fn passed_before(&self, deadline: Instant) -> bool {
        let deadline = self.nanos(deadline);
        self.0.passed_deadline.swap(deadline, Ordering::Relaxed) == deadline
    }

    /// Calls the interrupt callback. Also done whenever a signal interrupts the poll.
    fn ask_interrupt(&self) -> Result<(), Stop> {
        if self.hooks().interrupt.is_none() {
            return Ok(());
        }
        self.0.last_asked.store(self.nanos(Instant::now()), Ordering::Relaxed);
        if self.hooks().interrupted() { Err(Stop::Cancelled) } else { Ok(()) }
    }

    /// Calls the interrupt callback if it is due, and returns the time after that.
    fn now(&self) -> Result<Instant, Stop> {
        let now = Instant::now();
        if self.hooks().interrupt.is_none() || !self.until_next_ask(now).is_zero() {
            return Ok(now);
        }
        self.ask_interrupt()?;
        self.check()?; // the callback may have forked, or the client may be closed by now
        Ok(Instant::now())
    }

    /// How long until the interrupt callback is due.
    fn until_next_ask(&self, now: Instant) -> Duration {
        let since = Duration::from_nanos(self.nanos(now).saturating_sub(self.0.last_asked.load(Ordering::Relaxed)));
        ASK_EVERY.saturating_sub(since)
    }

    fn nanos(&self, moment: Instant) -> u64 {
        u64::try_from(moment.saturating_duration_since(self.0.started).as_nanos()).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests;

//! The one place where a call waits: for a socket, for a look-up, for time to pass. It looks at the deadline, asks the
//! interrupt callback and notices that the client was closed, wherever the call stands and however busy it is.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::http::Fault;
use crate::model::hooks::Hooks;
use crate::sys::{self, Interest, MOST_INTERESTS, Pair, Ready};

/// How often the interrupt callback is asked, at the least, while a call waits or is busy.
pub(crate) const ASK_EVERY: Duration = Duration::from_millis(100);

/// How often a wait looks whether it was ended though nothing woke it: other code may have closed the descriptor that would.
const RECHECK_EVERY: Duration = Duration::from_secs(1);

/// Why a wait ended without what it waited for.
#[derive(Debug)]
pub(crate) enum Stop {
    Deadline,
    Cancelled,
    Closed,
    /// A callback forked, and this is the child: the call goes on in the parent.
    Forked,
    System(io::Error),
}

impl Stop {
    /// As the fault of an attempt; `what` it waited for, as in "before an answer came".
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

/// Ends every wait of a client when it is closed, or of a batch when it is stopped. One pair of sockets a process: the
/// child of a fork has its own.
#[derive(Debug)]
pub(crate) struct CancelSignal {
    reason: AtomicU8,
    reader: Pair,
    writer: Pair,
}

/// Why the calls in flight end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelReason {
    Closed = 1,
    Cancelled = 2,
    /// The descriptors on which it would be heard of are gone.
    Broken = 3,
}

impl CancelSignal {
    pub fn new() -> io::Result<Self> {
        let (reader, writer) = sys::pair()?;
        writer.get()?.set_nonblocking(true)?;
        Ok(CancelSignal { reason: AtomicU8::new(0), reader, writer })
    }

    /// From here on every wait ends with `reason`, or with that of an earlier ring.
    pub fn cancel(&self, reason: CancelReason) {
        let _ = self.reason.compare_exchange(0, reason as u8, Ordering::SeqCst, Ordering::SeqCst);
        // What was written is never read, so that it wakes all. Full means that it was written before.
        if self.writer.is_intact() {
            let _ = self.writer.get().and_then(|mut writer| io::Write::write(&mut writer, &[1]));
        }
    }

    /// `Err` once it has cancelled.
    pub fn check(&self) -> Result<(), Stop> {
        match self.reason.load(Ordering::SeqCst) {
            0 => Ok(()),
            reason if reason == CancelReason::Closed as u8 => Err(Stop::Closed),
            reason if reason == CancelReason::Cancelled as u8 => Err(Stop::Cancelled),
            _ => Err(Stop::System(io::ErrorKind::BrokenPipe.into())),
        }
    }
}

/// Where a call waits, with all that can end it before its time. Cheap to clone: one Arc increment.
#[derive(Clone, Debug)]
pub(crate) struct CallContext(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    hooks: Arc<Hooks>,
    /// The client's.
    signal: Arc<CancelSignal>,
    /// That of the batch that the call belongs to.
    batch: Option<Arc<CancelSignal>>,
    forks: u64,
    started: Instant,
    /// When the interrupt callback was asked last, in nanoseconds since `since`.
    last_asked: AtomicU64,
    /// The deadline that passed before the last look at what is ready, in the same unit.
    passed_deadline: AtomicU64,
}

impl CallContext {
    pub fn new(hooks: Arc<Hooks>, signal: Arc<CancelSignal>) -> Self {
        CallContext::with(hooks, signal, None)
    }

    fn with(hooks: Arc<Hooks>, signal: Arc<CancelSignal>, batch: Option<Arc<CancelSignal>>) -> Self {
        let (forks, started) = (sys::forks(), Instant::now());
        CallContext(Arc::new(Shared {
            hooks,
            signal,
            batch,
            forks,
            started,
            last_asked: AtomicU64::new(0),
            passed_deadline: AtomicU64::new(u64::MAX),
        }))
    }

    /// One for a single call: what it remembers (when it asked, that its time is over) is the call's own.
    pub fn for_call(&self) -> Self {
        CallContext::with(self.0.hooks.clone(), self.0.signal.clone(), self.0.batch.clone())
    }

    /// One for the workers of a batch, which `batch` ends before the client's own does.
    pub fn for_batch(&self, hooks: Arc<Hooks>, batch: Arc<CancelSignal>) -> Self {
        CallContext::with(hooks, self.0.signal.clone(), Some(batch))
    }

    pub fn hooks(&self) -> &Hooks {
        &self.0.hooks
    }

    /// The client's cancel signal.
    pub fn signal(&self) -> &CancelSignal {
        &self.0.signal
    }

    /// Whether this is the child of a fork that came after the call had begun. Nothing of the call is the child's to use:
    /// neither the connection nor a lock, which another thread may have held at the fork.
    pub fn has_forked(&self) -> bool {
        self.0.forks != sys::forks()
    }

    /// `Err` when the call is to end at once.
    pub fn check(&self) -> Result<(), Stop> {
        if self.has_forked() {
            return Err(Stop::Forked);
        }
        self.0.signal.check()?;
        self.0.batch.as_ref().map_or(Ok(()), |batch| batch.check())
    }

    /// `Err` when the call is to end or its deadline has passed; asks the interrupt callback when it is time to. For work
    /// that goes on without a wait, and before the first byte of a request leaves.
    pub fn check_time(&self, deadline: Instant) -> Result<(), Stop> {
        self.check()?;
        if self.now()? < deadline { Ok(()) } else { Err(Stop::Deadline) }
    }

    /// Waits until one of `interests` is ready. What is ready at the deadline still counts, for it may be the answer: once.
    pub fn until_ready(&self, interests: &[Interest], deadline: Instant) -> Result<Ready, Stop> {
        let mut all = [Interest::read(&self.signal().reader); MOST_INTERESTS];
        let signals = match &self.0.batch {
            Some(batch) => &[Interest::read(&self.signal().reader), Interest::read(&batch.reader)][..],
            None => &[Interest::read(&self.signal().reader)][..],
        };
        let (own, total) = (interests.len(), interests.len() + signals.len());
        all[..own].copy_from_slice(interests);
        all[own..total].copy_from_slice(signals);
        // What a wait looks at. Without the cancel signals where one is ready that nobody triggered: other code of this process has
        // closed its descriptor and opened another file under its number. They are then looked at by the clock.
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
                None if watched.len() == own => left.min(ASK_EVERY),
                None => left.min(RECHECK_EVERY),
            };
            match sys::poll(watched, timeout) {
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

    /// Notes that `deadline` has passed; whether that was noted before.
    fn passed_before(&self, deadline: Instant) -> bool {
        let deadline = self.nanos(deadline);
        self.0.passed_deadline.swap(deadline, Ordering::Relaxed) == deadline
    }

    /// Asks the interrupt callback, as after every signal that the process gets.
    fn ask_interrupt(&self) -> Result<(), Stop> {
        if self.hooks().interrupt.is_none() {
            return Ok(());
        }
        self.0.last_asked.store(self.nanos(Instant::now()), Ordering::Relaxed);
        if self.hooks().interrupted() { Err(Stop::Cancelled) } else { Ok(()) }
    }

    /// The time, after the interrupt callback was asked if that was due.
    fn now(&self) -> Result<Instant, Stop> {
        let now = Instant::now();
        if self.hooks().interrupt.is_none() || !self.until_next_ask(now).is_zero() {
            return Ok(now);
        }
        self.ask_interrupt()?;
        self.check()?; // the callback may have taken its time, or forked
        Ok(Instant::now())
    }

    /// How long until the interrupt callback is to be asked.
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

//! [`Queue`]: sends messages without waiting for them. One thread sends all of them; finished outcomes wait to be taken,
//! behind a descriptor that is readable while there are any. A batch is a queue that is filled and emptied.
//!
//! A push copies its message. The thread reads nothing that the host owns, and runs no callback of C: log lines wait in
//! the queue, too.

mod driver;
mod failure_row;
mod order;
mod state;
mod submission;
mod worker;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{ASK_EVERY, CallContext, Stop};
use crate::model::message::Message;
use crate::model::options::{QueueOptions, TimeoutFrom};
use crate::model::outcome::{Error, Outcome, Status};
use crate::send::attempts;
use crate::send::client::Core;
use crate::send::process::{ProcessState, no_sockets};
use crate::sys::{self, CancelReason, CancelSignal, Interest, Lease, Owner, PerProcess, Wakeup, panic};

pub(crate) use self::order::Backlog;
use self::order::Job;
use self::state::State;
use self::submission::Slot;
pub use self::submission::Submission;

/// Sends messages without waiting for them, over at most [`Options::max_connections`](crate::Options::max_connections)
/// connections at once, with one thread for all of them. Made by [`Client::queue`](crate::Client::queue).
///
/// Messages to one `client_user_id` are sent in order, also if an earlier one fails. Retries, the rate limit and the
/// pause after a 429 work as for single messages. Threads may share a queue.
///
/// After `fork()` the child has an empty queue: what was pushed before stays with the parent. Dropping a queue ends what
/// is in flight and waits for its thread, which takes milliseconds; each [`Submission`] gets its outcome.
pub struct Queue {
    options: QueueOptions,
    /// Whether a panic in a worker is reported to nobody: the queue was made from C.
    is_guarded: bool,
    process: PerProcess<Shared>,
    core: Lease<Core>,
    /// Keeps the core in the child of a fork, too. `None` for the queue of a call, which the client outlives.
    _owner: Option<Owner<Core>>,
}

/// What the outcome of a message is returned to.
#[derive(Clone)]
pub(crate) enum Tag {
    /// The caller takes it from the queue, and knows the message by this value.
    Value(usize),
    Submission(Arc<Slot>),
}

impl Queue {
    pub(crate) fn new(core: &Owner<Core>, options: QueueOptions) -> Result<Self, Error> {
        Queue::with(core.lease(), Some(core.clone()), options)
    }

    /// A queue that the client outlives.
    pub(super) fn lent(core: Lease<Core>, options: QueueOptions) -> Result<Self, Error> {
        Queue::with(core, None, options)
    }

    fn with(core: Lease<Core>, owner: Option<Owner<Core>>, options: QueueOptions) -> Result<Self, Error> {
        options.check()?;
        let is_guarded = panic::is_guarded();
        let process = PerProcess::new(Shared::new(&core, &options, is_guarded)?);
        Ok(Queue { options, is_guarded, process, core, _owner: owner })
    }

    /// Copies `message`, and returns at once. The [`Submission`] is a `Future`, on no runtime in particular, of what
    /// [`Client::send_conversation`](crate::Client::send_conversation) returns; [`Submission::wait`] waits for it.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] if the message cannot be sent. [`Status::QueueFull`], [`Status::Suspended`], and
    /// [`Status::Closed`] after [`Queue::stop`] or [`Client::close`](crate::Client::close). The message is not sent then.
    pub fn submit(&self, message: &Message<'_>) -> Result<Submission, Error> {
        let shared = self.shared()?;
        let slot = Arc::new(Slot::default());
        shared.push(message, Tag::Submission(slot.clone()))?;
        Ok(Submission::new(shared.clone(), slot))
    }

    /// Waits until no message waits or is in flight, at most `timeout`. Returns whether that is so. Blocks this thread; never
    /// call it in a log callback or a waker, which run on the queue's own thread.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.wait_until_idle(timeout) == Status::Ok
    }

    /// Begins no more: messages that wait end as [`Status::Cancelled`], not delivered. Those in flight go on. Further
    /// messages are refused with [`Status::Closed`].
    pub fn stop(&self) {
        if let Ok(shared) = self.shared() {
            shared.stop(CancelReason::Cancelled);
        }
    }

    /// Goes on after `max_failures_in_a_row` has suspended the queue.
    pub fn resume(&self) {
        if let Ok(shared) = self.shared() {
            shared.resume();
        }
    }

    /// Like [`Queue::submit`]; the outcome is to be taken.
    pub(crate) fn push(&self, message: &Message<'_>, tag: usize) -> Result<(), Error> {
        self.shared()?.push(message, Tag::Value(tag)).map(|_| ())
    }

    /// Passes at most `most` finished outcomes to `on_outcome`, without waiting. Before that the log lines of the workers
    /// go to the log callback, on this thread.
    pub(crate) fn take(&self, most: usize, on_outcome: &mut dyn FnMut(usize, Outcome)) -> Result<(), Error> {
        self.shared()?.take(most, on_outcome);
        Ok(())
    }

    /// Ends every message with this tag. Returns how many those were.
    pub(crate) fn cancel(&self, tag: usize) -> usize {
        self.shared().map_or(0, |shared| shared.cancel(|of| matches!(of, Tag::Value(value) if *value == tag)))
    }

    /// Waits until no message waits or is in flight. `Timeout` if that takes longer; `Cancelled` if the interrupt callback
    /// says so.
    pub(crate) fn wait_until_idle(&self, timeout: Duration) -> Status {
        self.shared().map_or_else(|error| error.status(), |shared| shared.wait_until_idle(timeout))
    }

    /// Waits until something can be taken. `Timeout` if that takes longer; `Cancelled` if the interrupt callback says so;
    /// `Internal` if other code has closed the descriptor.
    pub(crate) fn wait_until_takeable(&self, timeout: Duration) -> Status {
        self.shared().map_or_else(|error| error.status(), |shared| shared.wait_until_takeable(timeout))
    }

    /// What is readable while something is finished.
    pub(crate) fn raw(&self) -> Result<sys::Raw, Error> {
        Ok(self.shared()?.takeable.raw())
    }

    pub(super) fn shared(&self) -> Result<&Arc<Shared>, Error> {
        self.process.current(|| Shared::new(&self.core, &self.options, self.is_guarded))
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        if let Some(shared) = self.process.existing() {
            shared.end();
        }
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The queue of one process: what its host, its driver and its submissions share.
pub(super) struct Shared {
    core: Lease<Core>,
    process: Arc<ProcessState>,
    capacity: usize,
    timeout_from: TimeoutFrom,
    is_guarded: bool,
    hasher: RandomState,
    state: Mutex<State>,
    /// Wakes those who wait until nothing waits or is in flight.
    became_idle: Condvar,
    /// Its descriptor is readable while something can be taken.
    takeable: Wakeup,
    /// Wakes the driver.
    wake: Wakeup,
    /// Where hosts wait until something can be taken. A close of the client does not end that: what it brings is to be taken.
    waits_of_hosts: CallContext,
    #[cfg(test)]
    panics: std::sync::atomic::AtomicBool,
}

impl Shared {
    fn new(core: &Lease<Core>, options: &QueueOptions, is_guarded: bool) -> Result<Self, Error> {
        let process = core.process()?.clone();
        if core.is_closed() {
            return Err(closed("The client was closed"));
        }
        let wakeup = || Wakeup::new().map_err(|error| no_sockets(&error));
        let never = Arc::new(CancelSignal::without_wake());
        Ok(Shared {
            core: core.clone(),
            process,
            capacity: options.capacity as usize,
            timeout_from: options.timeout_from,
            is_guarded,
            hasher: RandomState::new(),
            state: Mutex::new(State::new(options.max_failures_in_a_row, core.max_connections())),
            became_idle: Condvar::new(),
            takeable: wakeup()?,
            wake: wakeup()?,
            waits_of_hosts: CallContext::new(core.hooks().clone(), never),
            #[cfg(test)]
            panics: false.into(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies `message` into the queue, and sees to it that it is begun as soon as a connection is free. Returns what waits
    /// then.
    pub fn push(self: &Arc<Self>, message: &Message<'_>, tag: Tag) -> Result<Backlog, Error> {
        let timeout = message.checked_timeout(self.core.timeout())?;
        message.check()?;
        if self.core.is_closed() {
            return Err(closed("The client was closed"));
        }
        let message = message.to_owned().map_err(|_| no_memory(&io::ErrorKind::OutOfMemory.into()))?;
        let user = self.hasher.hash_one(message.recipient());
        let pushed = Instant::now();
        let deadline = (self.timeout_from == TimeoutFrom::Push).then(|| pushed + timeout);
        let mut state = self.lock();
        if state.is_stopped {
            return Err(closed("The queue was stopped"));
        }
        if let Some(error) = state.failures.suspended() {
            return Err(error.clone());
        }
        if state.load() >= self.capacity {
            return Err(full(self.capacity));
        }
        let is_first = deadline.is_some_and(|deadline| state.watch(deadline));
        if !state.order.has_memory_for_one() {
            return Err(no_memory(&io::ErrorKind::OutOfMemory.into()));
        }
        state.order.add(Job { message, tag, user, pushed, deadline });
        if state.driver.is_none() {
            driver::start(self, &mut state)?;
        }
        let waiting = state.order.waiting();
        if is_first || state.can_begin() {
            self.wake_driver(state);
        }
        Ok(waiting)
    }

    /// Ends the messages that wait and that `which` selects, each with the outcome that `why` makes.
    fn end_waiting(&self, state: &mut State, which: impl Fn(&Job) -> bool, why: impl Fn(&Job) -> Outcome) -> Finish {
        let mut finish = Finish::default();
        for job in state.order.remove(which) {
            let outcome = why(&job);
            finish.add(state, job.tag, outcome);
        }
        self.set_readable(state);
        self.check_idle(state);
        finish
    }

    /// The outcome of a message that is stopped before it has begun.
    fn not_begun(&self, job: &Job, stop: Stop) -> Outcome {
        attempts::not_begun(stop, &job.message, self.core.api_key(), job.pushed.elapsed())
    }

    fn check_idle(&self, state: &State) {
        if state.idle_waiters > 0 && state.is_idle() {
            self.became_idle.notify_all(); // costs a system call even where nobody waits
        }
    }

    /// Makes the descriptor readable. Done with the lock, so that it is readable exactly while there is something to take.
    fn set_readable(&self, state: &mut State) {
        let has_any = !state.finished.outcomes.is_empty() || !state.log.is_empty();
        if has_any && !mem::replace(&mut state.finished.is_readable, true) {
            state.finished.readable_since = Instant::now();
            self.takeable.set();
        }
    }

    /// See [`Queue::take`].
    pub fn take(&self, most: usize, on_outcome: &mut dyn FnMut(usize, Outcome)) {
        let mut state = self.lock();
        let lines = state.log.take();
        let count = most.min(state.finished.outcomes.len());
        let taken: Vec<_> = state.finished.outcomes.drain(..count).collect();
        if state.finished.outcomes.is_empty() && mem::take(&mut state.finished.is_readable) {
            self.takeable.clear();
        }
        drop(state);
        let forks = sys::forks();
        for (level, text) in lines {
            self.core.hooks().log(level, || text);
            if sys::forks() != forks {
                return; // the callback forked: what was taken belongs to the parent
            }
        }
        for (value, outcome) in taken {
            on_outcome(value, outcome);
        }
    }

    /// Ends the messages that `which` selects. Those that wait have their outcome when this returns; those in flight are
    /// ended by their workers. Returns how many those were.
    pub fn cancel(&self, which: impl Fn(&Tag) -> bool) -> usize {
        let mut state = self.lock();
        let in_flight = state.cancel_in_flight(CancelReason::Cancelled, &which);
        let cancelled = |job: &Job| self.not_begun(job, Stop::Cancelled);
        let finish = self.end_waiting(&mut state, |job| which(&job.tag), cancelled);
        self.wake_driver(state);
        in_flight + finish.wake()
    }

    /// See [`Queue::stop`]. `reason` becomes that of the messages that wait.
    pub fn stop(&self, reason: CancelReason) {
        let mut state = self.lock();
        state.is_stopped = true;
        let finish = self.end_waiting(&mut state, |_| true, |job| self.not_begun(job, reason.into()));
        drop(state);
        finish.wake();
    }

    /// See [`Queue::resume`].
    fn resume(&self) {
        let mut state = self.lock();
        state.failures.resume();
        self.wake_driver(state);
    }

    /// Like [`Shared::stop`], and ends the messages in flight, too.
    pub fn abort(&self, reason: CancelReason) {
        self.stop(reason);
        let mut state = self.lock();
        state.cancel_in_flight(reason, |_| true);
        self.wake_driver(state);
    }

    fn wake_driver(&self, mut state: MutexGuard<'_, State>) {
        let must_wake = state.must_wake_driver();
        drop(state);
        if must_wake {
            self.wake.set();
        }
    }

    /// Ends everything, and waits for the thread.
    fn end(&self) {
        self.abort(CancelReason::Cancelled);
        let mut state = self.lock();
        state.has_ended = true;
        let driver = state.driver.take();
        self.wake_driver(state);
        // A waker of the host may drop the queue on the driver: that ends by itself.
        if let Some(driver) = driver.filter(|driver| driver.thread().id() != thread::current().id()) {
            let _ = driver.join();
        }
    }

    /// See [`Queue::wait_until_idle`].
    fn wait_until_idle(&self, timeout: Duration) -> Status {
        let deadline = Instant::now().checked_add(timeout); // `None`: too far away to be reached
        loop {
            let mut state = self.lock();
            if state.is_idle() {
                return Status::Ok;
            }
            let left = deadline.map_or(ASK_EVERY, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Status::Timeout;
            }
            // Condvars know no signals: look again as often as the interrupt callback is to be asked.
            state.idle_waiters += 1;
            let waited = self.became_idle.wait_timeout(state, left.min(ASK_EVERY));
            let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
            state.idle_waiters -= 1;
            drop(state);
            let forks = sys::forks();
            // If the callback forked, this is the child: the queue belongs to the parent.
            if self.core.hooks().interrupted() || sys::forks() != forks {
                return Status::Cancelled;
            }
        }
    }

    /// See [`Queue::wait_until_takeable`].
    fn wait_until_takeable(&self, timeout: Duration) -> Status {
        // A context for the waits of all threads, so that many short ones do not put the interrupt callback off.
        match self.waits_of_hosts.until_ready(&[self.interest()], Instant::now() + timeout) {
            Ok(_) if self.has_lost_its_descriptor() => Status::Internal,
            Ok(_) => Status::Ok,
            Err(Stop::Deadline) => Status::Timeout,
            Err(Stop::System(_)) => Status::Internal,
            Err(Stop::Cancelled | Stop::Closed | Stop::Forked) => Status::Cancelled,
        }
    }

    /// Whether other code has closed the descriptor and opened a file under its number: that may always be readable.
    pub fn has_lost_its_descriptor(&self) -> bool {
        !self.takeable.is_intact()
    }

    /// What to wait for until something can be taken.
    pub fn interest(&self) -> Interest {
        self.takeable.interest()
    }

    /// Begins no further message while the caller was not told of the outcomes of so many: see [`Shared::told`].
    pub fn limit_untold(&self, most: usize) {
        self.lock().most_untold = most;
    }

    /// The caller was told of so many outcomes that it took.
    pub fn told(&self, count: usize) {
        let mut state = self.lock();
        state.told(count);
        if state.can_begin() {
            self.wake_driver(state);
        }
    }

    pub fn waiting(&self) -> Backlog {
        self.lock().order.waiting()
    }

    #[cfg(test)]
    fn panic_if_told(&self) {
        if self.panics.swap(false, std::sync::atomic::Ordering::SeqCst) {
            std::panic::resume_unwind(Box::new("a fault for a test"));
        }
    }
}

/// Messages that have their outcome.
#[derive(Default)]
#[must_use]
struct Finish {
    count: usize,
    wakers: Vec<Waker>,
}

impl Finish {
    /// Returns an outcome to where it belongs. The descriptor becomes readable for it before the driver sleeps.
    fn add(&mut self, state: &mut State, tag: Tag, outcome: Outcome) {
        self.count += 1;
        match tag {
            Tag::Value(value) => state.finished.outcomes.push_back((value, outcome)),
            Tag::Submission(slot) => self.wakers.extend(slot.finish(outcome)),
        }
    }

    fn extend(&mut self, other: Finish) {
        self.count += other.count;
        self.wakers.extend(other.wakers);
    }

    fn has_wakers(&self) -> bool {
        !self.wakers.is_empty()
    }

    /// Wakes the wakers, which are the host's: call it without the lock. Returns how many messages were finished.
    fn wake(self) -> usize {
        self.wakers.into_iter().for_each(submission::wake);
        self.count
    }
}

fn closed(what: &str) -> Error {
    let text = format!("{what}. The message was not delivered. Make a new one and send it again.");
    Error::new(Outcome::not_sent(Status::Closed, text))
}

fn full(capacity: usize) -> Error {
    let text = format!(
        "The queue holds {capacity} messages, which is its capacity. The message was not delivered. Take finished ones, \
         then push it again."
    );
    Error::new(Outcome::not_sent(Status::QueueFull, text))
}

/// The error if there is no memory for the stack of a fiber.
fn no_memory(error: &io::Error) -> Error {
    let text = format!(
        "There is no memory for the message to be sent: {error}. The message was not delivered. Give the process more memory, \
         or send it again later."
    );
    Error::new(Outcome::not_sent(Status::Connect, text))
}

/// The error if the driver could not be started.
fn not_started(error: &io::Error) -> Error {
    let text = format!("No thread could be started: {error}. The message was not delivered. Send it again later.");
    Error::new(Outcome::not_sent(Status::Connect, text))
}

#[cfg(test)]
mod tests;

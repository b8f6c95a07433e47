//! [`Queue`]: sends messages without waiting for them. One thread sends all of them; finished outcomes wait to be taken,
//! behind a descriptor that is readable while there are any. A batch is a queue that is filled and emptied.
//!
//! A push copies its message. The thread reads nothing that the host owns, and runs no callback of C: log lines wait in
//! the queue, too.

mod driver;
mod state;
mod submission;

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread;
use std::time::{Duration, Instant};

use crate::http::{ASK_EVERY, CallContext, Stop};
use crate::model::hooks::{self, Hooks, Level};
use crate::model::message::Message;
use crate::model::options::{QueueOptions, TimeoutFrom};
use crate::model::outcome::{Error, Outcome, Status};
use crate::send::attempts::{self, Clock};
use crate::send::client::Core;
use crate::send::process::{ProcessState, no_sockets};
use crate::sys::{self, CancelReason, CancelSignal, Interest, Lease, Owner, Pair, PerProcess, panic};

use self::driver::{Driver, LONGEST_SLEEP};
use self::state::{Job, State, Worker};
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
    process: PerProcess<Running>,
    core: Lease<Core>,
    /// Keeps the core in the child of a fork, too, unless the queue is that of a call on the client.
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
        let mut queue = Queue::lent(core.lease(), options)?;
        queue._owner = Some(core.clone());
        Ok(queue)
    }

    /// A queue that the client outlives.
    pub(super) fn lent(core: Lease<Core>, options: QueueOptions) -> Result<Self, Error> {
        if options.capacity == 0 {
            return Err(Error::invalid("capacity is 0, with which nothing can be sent: give 1 or more"));
        }
        let is_guarded = panic::is_guarded();
        let running = Running::new(&core, &options, is_guarded)?;
        Ok(Queue { options, is_guarded, process: PerProcess::new(running), core, _owner: None })
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

    /// Waits until no message waits or is in flight, at most `timeout`. Returns whether that is so.
    pub fn wait(&self, timeout: Duration) -> bool {
        self.wait_in(timeout) == Status::Ok
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
            shared.lock().resume();
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
    pub(crate) fn wait_in(&self, timeout: Duration) -> Status {
        self.shared().map_or_else(|error| error.status(), |shared| shared.wait(timeout, self.core.hooks()))
    }

    /// Waits until something can be taken. `Timeout` if that takes longer; `Cancelled` if the interrupt callback says so.
    pub(crate) fn poll(&self, timeout: Duration) -> Status {
        let shared = match self.shared() {
            Ok(shared) => shared,
            Err(error) => return error.status(),
        };
        // A close of the client ends no wait here: the outcomes that it brings are to be taken.
        let never = Arc::new(CancelSignal::without_wake());
        let context = CallContext::new(self.core.hooks().clone(), never);
        match context.until_ready(&[shared.interest()], Instant::now() + timeout) {
            Ok(_) => Status::Ok,
            Err(Stop::Deadline) => Status::Timeout,
            Err(_) => Status::Cancelled,
        }
    }

    /// What is readable while something is finished.
    pub(crate) fn raw(&self) -> Result<sys::Raw, Error> {
        Ok(sys::Pollable::raw(&self.shared()?.told.reader))
    }

    pub(super) fn shared(&self) -> Result<&Arc<Shared>, Error> {
        let running = self.process.current(|| Running::new(&self.core, &self.options, self.is_guarded))?;
        Ok(&running.shared)
    }
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The queue of one process. Dropping it ends the workers.
struct Running {
    shared: Arc<Shared>,
}

impl Running {
    fn new(core: &Lease<Core>, options: &QueueOptions, is_guarded: bool) -> Result<Self, Error> {
        let process = core.process()?.clone();
        if core.is_closed() {
            return Err(closed("The client was closed"));
        }
        let signal = || Signal::new().map_err(|error| no_sockets(&error));
        let shared = Shared {
            core: core.clone(),
            process,
            capacity: options.capacity as usize,
            timeout_from: options.timeout_from,
            is_guarded,
            hasher: RandomState::new(),
            state: Mutex::new(State::new(options.max_failures_in_a_row, core.max_connections())),
            became_idle: Condvar::new(),
            told: signal()?,
            wake: signal()?,
        };
        Ok(Running { shared: Arc::new(shared) })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.end();
    }
}

/// What the queue of one process, its workers and its submissions share.
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
    /// Readable while something can be taken.
    told: Signal,
    /// Wakes the driver.
    wake: Signal,
}

/// A pair of sockets, of which the one becomes readable when a byte is written to the other.
struct Signal {
    reader: Pair,
    writer: Pair,
}

impl Signal {
    fn new() -> io::Result<Self> {
        let (reader, writer) = sys::pair()?;
        reader.get()?.set_nonblocking(true)?;
        writer.get()?.set_nonblocking(true)?;
        Ok(Signal { reader, writer })
    }

    fn give(&self) {
        if self.writer.is_intact() {
            let _ = self.writer.get().and_then(|mut writer| io::Write::write(&mut writer, &[1]));
        }
    }

    /// `false` if the descriptor belongs to other code by now.
    fn take(&self) -> bool {
        let is_intact = self.reader.is_intact();
        if is_intact {
            let _ = self.reader.get().and_then(|mut reader| io::Read::read(&mut reader, &mut [0; 64]));
        }
        is_intact
    }
}

/// How long outcomes may wait until the descriptor tells of them, while messages enough wait to keep all connections busy.
/// To wake the thread that takes them costs as much as a fifth of sending a message.
const GATHER: Duration = Duration::from_millis(1);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies `message` into the queue, and sees to it that it is begun as soon as a connection is free. Returns how many messages wait then, and how many bytes these are.
    pub fn push(self: &Arc<Self>, message: &Message<'_>, tag: Tag) -> Result<(usize, usize), Error> {
        let timeout = message.checked_timeout(self.core.timeout())?;
        message.check()?;
        if self.core.is_closed() {
            return Err(closed("The client was closed"));
        }
        let message = message.to_owned()?;
        let user = self.hasher.hash_one(message.recipient());
        let pushed = Instant::now();
        let deadline = (self.timeout_from == TimeoutFrom::Push).then(|| pushed + timeout);
        let mut state = self.lock();
        if state.is_stopped() {
            return Err(closed("The queue was stopped"));
        }
        if let Some(error) = state.suspended() {
            return Err(error);
        }
        if state.load() >= self.capacity {
            return Err(full(self.capacity));
        }
        let is_first = deadline.is_some_and(|deadline| state.watch(deadline));
        state.add(Box::new(Job { message, tag, user, pushed, deadline }));
        if state.driver.is_none() {
            self.start_driver(&mut state)?;
        }
        let must_wake = (is_first || state.can_begin()) && state.must_wake_driver();
        let waiting = state.waiting();
        drop(state);
        if must_wake {
            self.wake.give();
        }
        Ok(waiting)
    }

    /// An error if no thread can be started: then the message that was added last is taken out again.
    fn start_driver(self: &Arc<Self>, state: &mut State) -> Result<(), Error> {
        let shared = self.clone();
        let drive = move || {
            if panic::contain(shared.is_guarded, || Driver::new(shared.clone()).run()).is_none() {
                shared.fail();
            }
        };
        match sys::start_thread("userengage", drive) {
            Ok(driver) => {
                state.driver = Some(driver);
                Ok(())
            }
            Err(error) => {
                state.remove_last_added();
                Err(not_started(&error))
            }
        }
    }

    /// The driver has panicked, which is a bug. Every message gets its outcome, and the next one starts another driver.
    fn fail(&self) {
        let mut state = self.lock();
        let not_sent = "A fault of libuserengage was contained. The message was not delivered. Please report this.";
        let mut ended = self.end_waiting(&mut state, |_| true, |_| Outcome::not_sent(Status::Internal, not_sent));
        for tag in state.reset() {
            ended.add(&mut state, tag, Outcome::panicked());
        }
        self.tell(&mut state);
        self.check_idle(&state);
        drop(state);
        ended.tell();
    }

    fn can_begin(&self) -> bool {
        self.lock().can_begin()
    }

    fn add_worker(&self) -> Arc<CancelSignal> {
        let worker = Worker::new();
        let signal = worker.signal.clone();
        self.lock().workers.push(worker);
        signal
    }

    /// There is no memory for more fibers than `count`. If there is none at all, no message can be sent.
    fn limit_in_flight(&self, count: usize, error: &io::Error) {
        let mut state = self.lock();
        state.most_in_flight = count;
        if count > 0 {
            return;
        }
        state.most_in_flight = 1; // try again with the next message
        state.workers.clear();
        let ended = self.end_waiting(&mut state, |_| true, |_| not_started(error).into_outcome());
        drop(state);
        ended.tell();
    }

    /// Called by the driver before it sleeps: ends what is due, and tells of what is finished. Returns until when it may
    /// sleep; `None` if the queue has ended.
    fn sleep(&self) -> Option<Instant> {
        let mut state = self.lock();
        if state.has_ended() {
            return None;
        }
        let now = Instant::now();
        if state.next_expiry.is_some_and(|at| at <= now) {
            let is_due = |job: &Job| job.deadline.is_some_and(|deadline| deadline <= now);
            let ended = self.end_waiting(&mut state, is_due, |job| self.not_begun(job, Stop::Deadline));
            state.find_next_expiry();
            drop(state);
            ended.tell();
            state = self.lock();
        }
        let mut until = state.next_expiry.unwrap_or(now + LONGEST_SLEEP);
        if state.has_enough_waiting() && now < state.told_at + GATHER {
            until = until.min(state.told_at + GATHER);
        } else {
            self.tell(&mut state);
        }
        if state.keeps_driver_awake() {
            return Some(now);
        }
        state.let_driver_sleep();
        Some(until)
    }

    /// Called by the driver after a sleep. Returns whether a message in flight was cancelled meanwhile.
    fn wake_up(&self) -> bool {
        self.lock().driver_woke_up()
    }

    fn wake_interest(&self) -> Interest {
        Interest::read(&self.wake.reader)
    }

    /// `false` if the descriptor belongs to other code by now.
    fn take_wake(&self) -> bool {
        self.wake.take()
    }

    /// The life of a worker, which is a fiber of the driver.
    fn work(self: Arc<Self>, number: usize, signal: &Arc<CancelSignal>) {
        let context = |log| {
            let hooks = Arc::new(Hooks { log, interrupt: None });
            self.process.context.for_worker(hooks, signal.clone())
        };
        // The log lines of a submission are not kept: nobody takes them. Its host is Rust, whose log is `Sync`.
        let (keeps_log, logs) = (context(self.log_of_workers()), context(self.core.hooks().log.clone()));
        let mut job = self.next(number, None);
        while let Some(begun) = job {
            let context = if matches!(begun.tag, Tag::Value(_)) { &keeps_log } else { &logs };
            let sent = panic::contain(self.is_guarded, || self.send(&begun, context));
            if context.has_forked() {
                return; // the log callback forked, and this is the child: the queue is the parent's
            }
            let outcome = sent.unwrap_or_else(Outcome::panicked);
            job = self.next(number, Some((begun, outcome)));
        }
    }

    /// A log that keeps the lines of workers for [`Shared::take`].
    fn log_of_workers(self: &Arc<Self>) -> Option<(Level, hooks::Log)> {
        let (level, _) = self.core.hooks().log.as_ref()?;
        let shared = self.clone();
        let log: hooks::Log = Arc::new(move |level, text: &str| shared.lock().add_log(level, text));
        Some((*level, log))
    }

    fn send(&self, job: &Job, context: &CallContext) -> Outcome {
        let context = context.for_call(job.message.cancel_signal().map(|cancel| cancel.signal().clone()));
        let (clock, started) = match self.timeout_from {
            TimeoutFrom::Turn => (Clock::FromTurn, Instant::now()),
            TimeoutFrom::Push => (Clock::FromCall, job.pushed),
        };
        let sent = self.core.send_in(&self.process, context, &job.message, clock, started);
        sent.unwrap_or_else(Error::into_outcome)
    }

    /// Hands in the outcome of the last job of a worker, and takes the next one. Waits for one; `None` if the worker is to
    /// end.
    fn next(&self, number: usize, finished: Option<(Box<Job>, Outcome)>) -> Option<Box<Job>> {
        let mut state = self.lock();
        if let Some((job, outcome)) = finished {
            state.workers[number].release();
            state.release(job.user);
            let has_suspended = state.count(&outcome);
            let mut ended = Ended::default();
            ended.add(&mut state, job.tag, outcome);
            if has_suspended && let Some(error) = state.suspended() {
                ended.extend(self.end_waiting(&mut state, |_| true, |_| Outcome::clone(&error)));
            }
            if ended.has_wakers() {
                drop(state);
                ended.tell();
                state = self.lock();
            }
        }
        loop {
            if state.has_ended() {
                return None;
            }
            if state.may_begin()
                && let Some(job) = state.begin(number)
            {
                return Some(job);
            }
            self.check_idle(&state);
            drop(state);
            sys::park();
            state = self.lock();
        }
    }

    /// Ends the messages that wait and that `which` selects, each with the outcome that `why` makes.
    fn end_waiting(&self, state: &mut State, which: impl Fn(&Job) -> bool, why: impl Fn(&Job) -> Outcome) -> Ended {
        let mut ended = Ended::default();
        for job in state.remove(which) {
            let outcome = why(&job);
            ended.add(state, job.tag, outcome);
        }
        self.tell(state);
        self.check_idle(state);
        ended
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
    fn tell(&self, state: &mut State) {
        if (!state.done.is_empty() || state.has_logs()) && !mem::replace(&mut state.is_told, true) {
            state.told_at = Instant::now();
            self.told.give();
        }
    }

    /// See [`Queue::take`].
    pub fn take(&self, most: usize, on_outcome: &mut dyn FnMut(usize, Outcome)) {
        let mut state = self.lock();
        let logs = state.take_logs();
        let count = most.min(state.done.len());
        let taken: Vec<_> = state.done.drain(..count).collect();
        if state.done.is_empty() && mem::take(&mut state.is_told) {
            self.told.take();
        }
        drop(state);
        let forks = sys::forks();
        for (level, text) in logs {
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
        let ended = self.end_waiting(&mut state, |job| which(&job.tag), cancelled);
        self.wake_driver(state);
        in_flight + ended.tell()
    }

    /// See [`Queue::stop`]. `reason` becomes that of the messages that wait.
    pub fn stop(&self, reason: CancelReason) {
        let mut state = self.lock();
        state.stop();
        let ended = self.end_waiting(&mut state, |_| true, |job| self.not_begun(job, reason.into()));
        drop(state);
        ended.tell();
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
            self.wake.give();
        }
    }

    /// Ends everything, and waits for the thread.
    fn end(&self) {
        self.abort(CancelReason::Cancelled);
        let mut state = self.lock();
        let driver = state.end();
        self.wake_driver(state);
        // A waker of the host may drop the queue on the driver: that ends by itself.
        if let Some(driver) = driver.filter(|driver| driver.thread().id() != thread::current().id()) {
            let _ = driver.join();
        }
    }

    fn wait(&self, timeout: Duration, hooks: &Hooks) -> Status {
        let deadline = Instant::now() + timeout;
        loop {
            let mut state = self.lock();
            let left = deadline.saturating_duration_since(Instant::now());
            if state.is_idle() {
                return Status::Ok;
            }
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
            if hooks.interrupted() {
                return Status::Cancelled;
            }
            if sys::forks() != forks {
                return Status::Cancelled; // the callback forked: the queue belongs to the parent
            }
        }
    }

    /// What to wait for until something can be taken.
    pub fn interest(&self) -> Interest {
        Interest::read(&self.told.reader)
    }

    /// How many messages wait, and how many bytes these are.
    pub fn waiting(&self) -> (usize, usize) {
        self.lock().waiting()
    }
}

/// Messages that have their outcome.
#[derive(Default)]
#[must_use]
struct Ended {
    count: usize,
    wakers: Vec<Waker>,
}

impl Ended {
    /// Returns an outcome to where it belongs. The driver tells of those to be taken before it sleeps.
    fn add(&mut self, state: &mut State, tag: Tag, outcome: Outcome) {
        self.count += 1;
        match tag {
            Tag::Value(value) => state.done.push_back((value, outcome)),
            Tag::Submission(slot) => self.wakers.extend(slot.finish(outcome)),
        }
    }

    fn extend(&mut self, other: Ended) {
        self.count += other.count;
        self.wakers.extend(other.wakers);
    }

    fn has_wakers(&self) -> bool {
        !self.wakers.is_empty()
    }

    /// Wakes the wakers, which are the host's: call it without the lock. Returns how many messages ended.
    fn tell(self) -> usize {
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

/// The error if not even one worker could be started.
fn not_started(error: &io::Error) -> Error {
    let text = format!("No thread could be started: {error}. The message was not delivered. Send it again later.");
    Error::new(Outcome::not_sent(Status::Connect, text))
}

#[cfg(test)]
mod tests;

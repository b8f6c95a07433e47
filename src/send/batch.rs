//! Sends many messages over several connections: worker threads send, the calling thread runs the callbacks.
//!
//! Messages to one user keep their order. Both queues are bounded: apart from the caller's own arrays, memory grows
//! only with the number of connections, not with the number of messages.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::http::{CallContext, CancelReason, CancelSignal, Stop};
use crate::model::hooks::{self, Hooks, Level};
use crate::model::message::Message;
use crate::model::outcome::{Delivery, Error, Outcome, Status};
use crate::sys::panic;
use crate::sys::{self, Interest, Pair};

/// The messages of a batch, by index.
pub(crate) trait Messages: Sync {
    fn count(&self) -> usize;

    /// The id of the user who gets the message, not validated. `None` if it cannot be read: then [`Messages::get`]
    /// fails, too. Must be cheap: it is called under the queue's lock.
    fn recipient(&self, index: usize) -> Option<&[u8]>;

    /// The message. An error if it cannot be read.
    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error>;
}

impl Messages for [Message<'_>] {
    fn count(&self) -> usize {
        self.len()
    }

    fn recipient(&self, index: usize) -> Option<&[u8]> {
        Some(self[index].recipient().as_bytes())
    }

    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error> {
        Ok(Cow::Borrowed(&self[index]))
    }
}

impl<M: Messages + ?Sized> Messages for &M {
    fn count(&self) -> usize {
        (**self).count()
    }

    fn recipient(&self, index: usize) -> Option<&[u8]> {
        (**self).recipient(index)
    }

    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error> {
        (**self).get(index)
    }
}

/// Sends every message with `send`, at most `connections` at once, and passes each outcome to `on_outcome`, on this
/// thread. Then calls `should_stop`; `true` stops the batch. A stop cancels the messages in flight and does not send
/// the rest: each still gets its outcome, but `should_stop` is not called again.
///
/// # Errors
/// The outcome of every message that was not passed to `on_outcome`.
pub(crate) fn run(
    messages: &dyn Messages,
    connections: usize,
    context: &CallContext,
    send: &(dyn Fn(&Message<'_>, &CallContext) -> Result<Outcome, Error> + Sync),
    on_outcome: &mut dyn FnMut(usize, Outcome),
    should_stop: &mut dyn FnMut() -> bool,
) -> Result<(), Error> {
    let connections = connections.clamp(1, messages.count().max(1));
    let made = EventQueue::new(connections).and_then(|events| Ok((Arc::new(events), Arc::new(CancelSignal::new()?))));
    let (events, signal) = made.map_err(|error| not_started(&error))?;
    let queue = Queue::new(messages, connections);
    let log = context.hooks().log.as_ref().map(|(level, _)| {
        let events = events.clone();
        let log: hooks::Log = Arc::new(move |level, text: &str| events.push(Event::Log(level, text.to_owned())));
        (*level, log)
    });
    let worker_context = context.for_batch(Arc::new(Hooks { log, interrupt: None }), signal.clone());
    let is_guarded = panic::is_guarded();
    let work = || {
        while let Some((index, user)) = queue.take() {
            let sent =
                panic::contain(is_guarded, || messages.get(index).and_then(|message| send(&message, &worker_context)));
            let outcome = sent.map_or_else(Outcome::panicked, |sent| sent.unwrap_or_else(Error::into_outcome));
            queue.release(user);
            events.push(Event::Done(index, outcome));
        }
    };
    sys::with_workers(|workers| {
        let _end_workers = EndWorkers { signal: &signal, events: &events, context };
        for number in 0..connections {
            match workers.start("userengage-send", work) {
                Err(error) if number == 0 => return Err(not_started(&error)),
                Err(_) => break, // go on with the workers that could be started
                Ok(()) => {}
            }
        }
        dispatch(messages.count(), context, &signal, &events, on_outcome, should_stop)
    })
}

/// Takes the events of the workers and runs the callbacks, until every message has its outcome.
///
/// A callback may fork. The child returns at once: it has no workers, and their events belong to the parent.
fn dispatch(
    mut left: usize,
    context: &CallContext,
    signal: &CancelSignal,
    events: &EventQueue,
    on_outcome: &mut dyn FnMut(usize, Outcome),
    should_stop: &mut dyn FnMut() -> bool,
) -> Result<(), Error> {
    // The longest wait before the queue is looked at again. Other code may have closed the descriptor and opened
    // another file under its number; then no event wakes this thread.
    const LONGEST_WAIT: Duration = Duration::from_secs(1);
    let interests = [Interest::read(&events.reader)];
    let mut stopped = false;
    while left > 0 {
        let waited = if stopped {
            // The messages in flight end by themselves. The interrupt callback is not called any more.
            if sys::poll(&interests, LONGEST_WAIT).is_err() {
                let _ = sys::poll(&[], Duration::from_millis(10)); // a signal arrived, or the descriptor is closed
            }
            Ok(())
        } else {
            context.until_ready(&interests, Instant::now() + LONGEST_WAIT).map(|_| ())
        };
        cancel_after(waited, context, signal, &mut stopped)?;
        for event in events.take() {
            match event {
                Event::Log(level, text) => context.hooks().log(level, || text),
                Event::Done(index, outcome) => {
                    left -= 1;
                    on_outcome(index, outcome);
                    if !stopped && should_stop() {
                        signal.cancel(CancelReason::Cancelled);
                        stopped = true;
                    }
                }
            }
            // Check after each event: a callback may take long, and there may be many.
            let waited = if stopped { Ok(()) } else { context.check_time(Instant::now() + LONGEST_WAIT) };
            cancel_after(waited, context, signal, &mut stopped)?;
        }
    }
    Ok(())
}

/// Cancels the messages in flight if something other than an event or the time ended a wait.
fn cancel_after(
    waited: Result<(), Stop>,
    context: &CallContext,
    signal: &CancelSignal,
    stopped: &mut bool,
) -> Result<(), Error> {
    if context.has_forked() {
        return Err(forked());
    }
    let reason = match waited {
        Ok(()) | Err(Stop::Deadline) => return Ok(()),
        Err(Stop::Closed) => CancelReason::Closed,
        Err(Stop::Cancelled | Stop::Forked) => CancelReason::Cancelled,
        Err(Stop::System(_)) => CancelReason::Broken,
    };
    signal.cancel(reason);
    *stopped = true;
    Ok(())
}

/// Ends the workers when the calling thread leaves the batch, also by a panic in a callback of the host.
struct EndWorkers<'a> {
    signal: &'a CancelSignal,
    events: &'a EventQueue,
    context: &'a CallContext,
}

impl Drop for EndWorkers<'_> {
    fn drop(&mut self) {
        if !self.context.has_forked() {
            self.signal.cancel(CancelReason::Cancelled);
            self.events.close();
        }
    }
}

/// The messages that wait to be sent. Holds back a message while another one to the same user is in flight.
struct Queue<'a> {
    messages: &'a dyn Messages,
    hasher: RandomState,
    /// How many messages may be deferred, while later ones to other users go first.
    max_deferred: usize,
    state: Mutex<QueueState>,
    released: Condvar,
}

#[derive(Default)]
struct QueueState {
    /// The index of the first message that was not looked at yet.
    next: usize,
    /// The hashes of the users with a message in flight. Two users with the same hash only wait for each other.
    busy: Vec<u64>,
    /// The messages that wait for an earlier one to the same user: index and user.
    deferred: VecDeque<(usize, u64)>,
}

impl<'a> Queue<'a> {
    fn new(messages: &'a dyn Messages, connections: usize) -> Self {
        Queue {
            messages,
            hasher: RandomState::new(),
            max_deferred: 4 * connections,
            state: Mutex::default(),
            released: Condvar::new(),
        }
    }

    /// Takes the next message that may be sent, and marks its user as busy. Waits for one; `None` after the last.
    fn take(&self) -> Option<(usize, u64)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(taken) = self.try_take(&mut state) {
                state.busy.push(taken.1);
                return Some(taken);
            }
            if state.next == self.messages.count() && state.deferred.is_empty() {
                return None;
            }
            state = self.released.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn try_take(&self, state: &mut QueueState) -> Option<(usize, u64)> {
        // The deferred messages of one user are in order, so this finds the first of them.
        if let Some(at) = state.deferred.iter().position(|(_, user)| !state.busy.contains(user)) {
            return state.deferred.remove(at);
        }
        while state.next < self.messages.count() && state.deferred.len() < self.max_deferred {
            let index = state.next;
            state.next += 1;
            let user = self.user(index);
            if !state.busy.contains(&user) {
                return Some((index, user)); // no earlier one to this user is deferred: the user would be busy
            }
            state.deferred.push_back((index, user));
        }
        None
    }

    /// Marks a user as not busy: the message to it has its outcome.
    fn release(&self, user: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy.retain(|busy| *busy != user);
        self.released.notify_all();
    }

    /// The hash of the user who gets a message.
    fn user(&self, index: usize) -> u64 {
        match self.messages.recipient(index) {
            Some(recipient) => self.hasher.hash_one(recipient),
            None => self.hasher.hash_one(index), // the message is refused on its turn
        }
    }
}

/// What a worker reports to the calling thread.
enum Event {
    Log(Level, String),
    Done(usize, Outcome),
}

/// A bounded queue of events, with a descriptor that is readable while the queue is not empty.
struct EventQueue {
    state: Mutex<EventQueueState>,
    taken: Condvar,
    capacity: usize,
    reader: Pair,
    writer: Pair,
}

#[derive(Default)]
struct EventQueueState {
    events: VecDeque<Event>,
    closed: bool,
}

impl EventQueue {
    fn new(connections: usize) -> io::Result<Self> {
        let (reader, writer) = sys::pair()?;
        reader.get()?.set_nonblocking(true)?;
        writer.get()?.set_nonblocking(true)?;
        Ok(EventQueue { state: Mutex::default(), taken: Condvar::new(), capacity: 4 * connections, reader, writer })
    }

    fn state(&self) -> MutexGuard<'_, EventQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an event. Blocks while the queue is full.
    fn push(&self, event: Event) {
        let mut state = self.state();
        while state.events.len() >= self.capacity && !state.closed {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let first = state.events.is_empty();
        state.events.push_back(event);
        drop(state);
        if first {
            let _ = self.writer.get().and_then(|mut writer| io::Write::write(&mut writer, &[1]));
        }
    }

    /// Takes all events, without waiting.
    fn take(&self) -> VecDeque<Event> {
        let mut state = self.state();
        let _ = self.reader.get().and_then(|mut reader| io::Read::read(&mut reader, &mut [0; 64]));
        let events = std::mem::take(&mut state.events);
        self.taken.notify_all();
        events
    }

    /// Lifts the bound: nobody takes events any more, so no worker must wait for that.
    fn close(&self) {
        self.state().closed = true;
        self.taken.notify_all();
    }
}

/// The outcome in the child of a fork, for every message that the parent still sends.
fn forked() -> Error {
    let mut outcome = Outcome::new(Status::Cancelled, Delivery::Unknown);
    outcome.text = "This process is a copy that fork() made during the call, which goes on in the parent. Whether the \
                    message was delivered is unknown. The parent gets the outcome."
        .into();
    Error::new(outcome)
}

/// The outcome of every message if not even one worker could be started.
fn not_started(error: &io::Error) -> Error {
    let text = format!("No thread could be started: {error}. The message was not delivered. Send it again later.");
    Error::new(Outcome::not_sent(Status::Connect, text))
}

#[cfg(test)]
mod tests;

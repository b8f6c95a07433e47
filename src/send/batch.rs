//! Many messages over several connections: worker threads send, the calling thread hears of it.
//!
//! Messages to one user keep their order. Beyond the caller's own arrays, memory grows with the number of connections
//! alone: neither what waits its turn nor what is done and not yet told piles up.

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

/// The messages of a batch, by their index.
pub(crate) trait Messages: Sync {
    fn count(&self) -> usize;
    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error>;
}

impl Messages for [Message<'_>] {
    fn count(&self) -> usize {
        self.len()
    }

    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error> {
        Ok(Cow::Borrowed(&self[index]))
    }
}

impl<M: Messages + ?Sized> Messages for &M {
    fn count(&self) -> usize {
        (**self).count()
    }

    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error> {
        (**self).get(index)
    }
}

/// Sends every message with `send`, at most `connections` at once, and tells each outcome to `told`, on this thread. After
/// each, `stops` is asked whether to stop. After a stop, what is under way ends and the rest comes to nothing, each with its
/// outcome; `stops` is not asked any more. `Err` with what became of every message that was not told of.
pub(crate) fn run(
    messages: &dyn Messages,
    connections: usize,
    context: &CallContext,
    send: &(dyn Fn(&Message<'_>, &CallContext) -> Result<Outcome, Error> + Sync),
    told: &mut dyn FnMut(usize, Outcome),
    stops: &mut dyn FnMut() -> bool,
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
    let theirs = context.for_batch(Arc::new(Hooks { log, interrupt: None }), signal.clone());
    let is_guarded = panic::is_guarded();
    let work = || {
        while let Some((index, user)) = queue.take() {
            let sent = panic::contain(is_guarded, || messages.get(index).and_then(|message| send(&message, &theirs)));
            let outcome = sent.map_or_else(Outcome::panicked, |sent| sent.unwrap_or_else(Error::into_outcome));
            queue.release(user);
            events.push(Event::Done(index, outcome));
        }
    };
    sys::with_workers(|workers| {
        let _end = EndOfBatch { signal: &signal, events: &events, context };
        for number in 0..connections {
            match workers.start("userengage-send", work) {
                Err(error) if number == 0 => return Err(not_started(&error)),
                Err(_) => break, // those that could be started do it
                Ok(()) => {}
            }
        }
        listen(messages.count(), context, &signal, &events, told, stops)
    })
}

/// Hands on what the workers tell until all is told.
///
/// A callback may fork. The child has no workers, and no part in what the workers tell the parent: it leaves at once.
fn listen(
    mut left: usize,
    context: &CallContext,
    signal: &CancelSignal,
    events: &EventQueue,
    told: &mut dyn FnMut(usize, Outcome),
    stops: &mut dyn FnMut() -> bool,
) -> Result<(), Error> {
    // Should other code have closed the descriptor and opened another file under its number, this is how long news waits.
    const LONG: Duration = Duration::from_secs(1);
    let news = [Interest::read(&events.reader)];
    let mut stopped = false;
    while left > 0 {
        let waited = if stopped {
            // What is under way ends by itself; nobody is asked any more.
            if sys::poll(&news, LONG).is_err() {
                let _ = sys::poll(&[], Duration::from_millis(10)); // a signal, or the descriptor is gone
            }
            Ok(())
        } else {
            context.until_ready(&news, Instant::now() + LONG).map(|_| ())
        };
        heed(waited, context, signal, &mut stopped)?;
        for event in events.take() {
            match event {
                Event::Log(level, text) => context.hooks().log(level, || text),
                Event::Done(index, outcome) => {
                    left -= 1;
                    told(index, outcome);
                    if !stopped && stops() {
                        signal.cancel(CancelReason::Cancelled);
                        stopped = true;
                    }
                }
            }
            // Anew for each: a callback may take its time, and there may be many.
            let waited = if stopped { Ok(()) } else { context.check_time(Instant::now() + LONG) };
            heed(waited, context, signal, &mut stopped)?;
        }
    }
    Ok(())
}

/// Stops the workers for whatever ended a wait.
fn heed(
    waited: Result<(), Stop>,
    context: &CallContext,
    signal: &CancelSignal,
    stopped: &mut bool,
) -> Result<(), Error> {
    if context.has_forked() {
        return Err(forked());
    }
    let end = match waited {
        Ok(()) | Err(Stop::Deadline) => return Ok(()),
        Err(Stop::Closed) => CancelReason::Closed,
        Err(Stop::Cancelled | Stop::Forked) => CancelReason::Cancelled,
        Err(Stop::System(_)) => CancelReason::Broken,
    };
    signal.cancel(end);
    *stopped = true;
    Ok(())
}

/// However the calling thread leaves, also by a panic of the host's callback, the workers end.
struct EndOfBatch<'a> {
    signal: &'a CancelSignal,
    events: &'a EventQueue,
    context: &'a CallContext,
}

impl Drop for EndOfBatch<'_> {
    fn drop(&mut self) {
        if !self.context.has_forked() {
            self.signal.cancel(CancelReason::Cancelled);
            self.events.close();
        }
    }
}

/// What is to be sent, in the order in which it may be.
struct Queue<'a> {
    messages: &'a dyn Messages,
    hasher: RandomState,
    /// How many messages may wait for an earlier one to the same user, while later ones go first.
    most_deferred: usize,
    state: Mutex<QueueState>,
    released: Condvar,
}

#[derive(Default)]
struct QueueState {
    next: usize,
    /// The users to whom a message is under way, as hashes: two that fall together only wait for each other.
    busy: Vec<u64>,
    deferred: VecDeque<(usize, u64)>,
}

impl<'a> Queue<'a> {
    fn new(messages: &'a dyn Messages, connections: usize) -> Self {
        Queue {
            messages,
            hasher: RandomState::new(),
            most_deferred: 4 * connections,
            state: Mutex::default(),
            released: Condvar::new(),
        }
    }

    /// The next message that may be sent, and its user, which is busy from now on. Waits; `None` when all are taken.
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
        // The first deferred one of a user stands before its others, so their order holds.
        if let Some(at) = state.deferred.iter().position(|(_, user)| !state.busy.contains(user)) {
            return state.deferred.remove(at);
        }
        while state.next < self.messages.count() && state.deferred.len() < self.most_deferred {
            let index = state.next;
            state.next += 1;
            let user = self.user(index);
            if !state.busy.contains(&user) {
                return Some((index, user)); // nobody's earlier one is deferred: its user would be busy
            }
            state.deferred.push_back((index, user));
        }
        None
    }

    fn release(&self, user: u64) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy.retain(|busy| *busy != user);
        self.released.notify_all();
    }

    fn user(&self, index: usize) -> u64 {
        match self.messages.get(index) {
            Ok(message) => self.hasher.hash_one(message.recipient()),
            Err(_) => self.hasher.hash_one(index), // refused on its turn
        }
    }
}

enum Event {
    Log(Level, String),
    Done(usize, Outcome),
}

/// What the workers have to tell, and a descriptor that is readable while there is something.
struct EventQueue {
    state: Mutex<EventQueueState>,
    taken: Condvar,
    most: usize,
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
        Ok(EventQueue { state: Mutex::default(), taken: Condvar::new(), most: 4 * connections, reader, writer })
    }

    fn state(&self) -> MutexGuard<'_, EventQueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while too much is untold.
    fn push(&self, event: Event) {
        let mut state = self.state();
        while state.events.len() >= self.most && !state.closed {
            state = self.taken.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let first = state.events.is_empty();
        state.events.push_back(event);
        drop(state);
        if first {
            let _ = self.writer.get().and_then(|mut writer| io::Write::write(&mut writer, &[1]));
        }
    }

    fn take(&self) -> VecDeque<Event> {
        let mut state = self.state();
        let _ = self.reader.get().and_then(|mut reader| io::Read::read(&mut reader, &mut [0; 64]));
        let events = std::mem::take(&mut state.events);
        self.taken.notify_all();
        events
    }

    /// Nobody takes any more: whoever pushes goes on.
    fn close(&self) {
        self.state().closed = true;
        self.taken.notify_all();
    }
}

/// What the child of a fork is told of the messages that the parent goes on with.
fn forked() -> Error {
    let mut outcome = Outcome::new(Status::Cancelled, Delivery::Unknown);
    outcome.text = "This process is a copy that fork() made during the call, which goes on in the parent. Whether the \
                    message was delivered is unknown. The parent is told."
        .into();
    Error::new(outcome)
}

/// What becomes of every message where not one worker could be started.
fn not_started(error: &io::Error) -> Error {
    let mut outcome = Outcome::new(Status::Connect, Delivery::NotDelivered);
    outcome.text = format!("No thread could be started: {error}. The message was not delivered. Send it again later.");
    Error::new(outcome)
}

#[cfg(test)]
mod tests;

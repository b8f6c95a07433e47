//! Many messages over several connections: worker threads send, the calling thread hears of it.
//!
//! Messages to one user keep their order. Beyond the caller's own arrays, memory grows with the number of connections
//! alone: neither what waits its turn nor what is done and not yet told piles up.

use std::collections::VecDeque;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::error::{Delivery, Error, Outcome, Status};
use crate::ffi::guard::guard;
use crate::ffi::sys::{self, Interest, Pair};
use crate::hooks::{Hooks, Level};
use crate::message::Message;
use crate::transport::{ASK_EVERY, Bell, End, Stop, Waiter};

/// The messages of a batch, by their index.
pub(crate) trait Messages: Sync {
    fn count(&self) -> usize;
    fn get(&self, index: usize) -> Result<Message<'_>, Error>;
}

impl Messages for [Message<'_>] {
    fn count(&self) -> usize {
        self.len()
    }

    fn get(&self, index: usize) -> Result<Message<'_>, Error> {
        Ok(self[index].clone())
    }
}

impl<M: Messages + ?Sized> Messages for &M {
    fn count(&self) -> usize {
        (**self).count()
    }

    fn get(&self, index: usize) -> Result<Message<'_>, Error> {
        (**self).get(index)
    }
}

/// Sends every message with `send`, at most `connections` at once, and tells each outcome to `done`, on this thread;
/// `done` returns whether to stop. After a stop, what is under way ends and the rest comes to nothing, each with its
/// outcome.
pub(crate) fn run(
    messages: &dyn Messages,
    connections: usize,
    waiter: &Waiter,
    send: &(dyn Fn(&Message<'_>, &Waiter) -> Result<Outcome, Error> + Sync),
    done: &mut dyn FnMut(usize, Outcome) -> bool,
) -> io::Result<()> {
    let connections = connections.clamp(1, messages.count().max(1));
    let (outbox, bell) = (Arc::new(Outbox::new(connections)?), Arc::new(Bell::new()?));
    if waiter.bell().check().is_err() {
        bell.ring(End::Closed); // a worker could be quicker than this thread to notice
    }
    let queue = Queue::new(messages, connections);
    let log = waiter.hooks().log.as_ref().map(|(level, _)| {
        let outbox = outbox.clone();
        let log: crate::Log = Arc::new(move |level, text: &str| outbox.push(Event::Log(level, text.to_owned())));
        (*level, log)
    });
    let theirs = Waiter::new(Arc::new(Hooks { log, interrupt: None }), bell.clone());
    let work = || {
        while let Some((index, user)) = queue.take() {
            let sent = guard(|| messages.get(index).and_then(|message| send(&message, &theirs)));
            let outcome = sent.map_or_else(Outcome::panicked, |sent| sent.unwrap_or_else(Error::into_outcome));
            queue.release(user);
            outbox.push(Event::Done(index, outcome));
        }
    };
    thread::scope(|threads| {
        let _end = EndOfBatch { bell: &bell, outbox: &outbox };
        for number in 0..connections {
            let worker = thread::Builder::new().name("userengage-send".into());
            let started = sys::with_signals_blocked(|| worker.spawn_scoped(threads, work));
            match started {
                Err(error) if number == 0 => return Err(error),
                Err(_) => break, // those that could be started do it
                Ok(_) => {}
            }
        }
        listen(messages.count(), waiter, &bell, &outbox, done);
        Ok(())
    })
}

/// Hands on what the workers tell until all is told.
fn listen(
    mut left: usize,
    waiter: &Waiter,
    bell: &Bell,
    outbox: &Outbox,
    done: &mut dyn FnMut(usize, Outcome) -> bool,
) {
    const LONG: Duration = Duration::from_secs(3600);
    let news = [Interest::read(&outbox.reader)];
    let mut asked = Instant::now();
    let mut stopped = false;
    while left > 0 {
        let waited = if stopped {
            let _ = sys::poll(&news, LONG); // what is under way ends by itself; nobody is asked any more
            Ok(())
        } else if asked.elapsed() >= ASK_EVERY {
            asked = Instant::now();
            waiter.ask() // a busy batch never waits long enough to be asked in there
        } else {
            waiter.until_ready(&news, Instant::now() + LONG).map(|_| ())
        };
        if let Err(stop) = waited {
            bell.ring(if matches!(stop, Stop::Cancelled) { End::Cancelled } else { End::Closed });
            stopped = true;
        }
        for event in outbox.take() {
            match event {
                Event::Log(level, text) => waiter.hooks().log(level, || text),
                Event::Done(index, outcome) => {
                    left -= 1;
                    if done(index, outcome) && !stopped {
                        bell.ring(End::Cancelled);
                        stopped = true;
                    }
                }
            }
        }
    }
}

/// However the calling thread leaves, also by a panic of the host's callback, the workers end.
struct EndOfBatch<'a> {
    bell: &'a Bell,
    outbox: &'a Outbox,
}

impl Drop for EndOfBatch<'_> {
    fn drop(&mut self) {
        self.bell.ring(End::Cancelled);
        self.outbox.close();
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
struct Outbox {
    state: Mutex<OutboxState>,
    taken: Condvar,
    most: usize,
    reader: Pair,
    writer: Pair,
}

#[derive(Default)]
struct OutboxState {
    events: VecDeque<Event>,
    closed: bool,
}

impl Outbox {
    fn new(connections: usize) -> io::Result<Self> {
        let (reader, writer) = sys::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Outbox { state: Mutex::default(), taken: Condvar::new(), most: 4 * connections, reader, writer })
    }

    fn state(&self) -> MutexGuard<'_, OutboxState> {
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
            let _ = io::Write::write(&mut &self.writer, &[1]);
        }
    }

    fn take(&self) -> VecDeque<Event> {
        let mut state = self.state();
        let _ = io::Read::read(&mut &self.reader, &mut [0; 64]);
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

/// What becomes of every message where not one worker could be started.
pub(crate) fn not_started(error: &io::Error) -> Outcome {
    let mut outcome = Outcome::new(Status::Connect, Delivery::NotDelivered);
    outcome.text = format!("No thread could be started: {error}. The message was not delivered. Send it again later.");
    outcome
}

#[cfg(test)]
mod tests;

//! The workers of a queue: fibers of its driver, each of which sends one message at a time.

use std::sync::Arc;
use std::time::Instant;

use super::order::Job;
use super::{Finish, Shared, Tag};
use crate::http::CallContext;
use crate::model::hooks::{self, Hooks, Level};
use crate::model::options::TimeoutFrom;
use crate::model::outcome::{Error, Outcome};
use crate::sys::{self, CancelSignal, panic};

/// What the queue knows of a worker.
pub(super) struct Worker {
    /// Ends the message in flight. Only given with the lock, so that it never reaches the next message.
    pub signal: Arc<CancelSignal>,
    /// The tag of the message in flight.
    pub tag: Option<Tag>,
}

impl Worker {
    pub fn new() -> Self {
        Worker { signal: Arc::new(CancelSignal::without_wake()), tag: None }
    }

    /// Its message has ended: a cancel that came for that must not end the next one.
    pub fn release(&mut self) {
        self.tag = None;
        self.signal.reset();
    }
}

impl Shared {
    /// The life of a worker.
    pub(super) fn work(self: Arc<Self>, number: usize, signal: &Arc<CancelSignal>) {
        let context = |log| {
            let hooks = Arc::new(Hooks { log, interrupt: None });
            self.process.context.for_worker(hooks, signal.clone())
        };
        // The log lines of a submission are not kept: nobody takes them. Its host is Rust, whose log is `Sync`.
        let (keeps_log, logs) = (context(self.keeping_log()), context(self.log_of_host()));
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

    /// A log that keeps its lines until outcomes are taken.
    fn keeping_log(self: &Arc<Self>) -> Option<(Level, hooks::Log)> {
        let (level, _) = self.core.hooks().log.as_ref()?;
        let shared = self.clone();
        let log: hooks::Log = Arc::new(move |level, text: &str| shared.lock().log.add(level, text));
        Some((*level, log))
    }

    /// The log callback of the host, for a fiber.
    fn log_of_host(&self) -> Option<(Level, hooks::Log)> {
        let (level, log) = self.core.hooks().log.clone()?;
        Some((level, Arc::new(move |level, text: &str| sys::outside_of_fibers(|| log(level, text)))))
    }

    fn send(&self, job: &Job, context: &CallContext) -> Outcome {
        let context = context.for_call(job.message.cancel_signal().map(|cancel| cancel.signal().clone()));
        let started = match self.timeout_from {
            TimeoutFrom::Turn => Instant::now(),
            TimeoutFrom::Push => job.pushed,
        };
        let sent = self.core.send_in(&self.process, context, &job.message, self.timeout_from, started);
        sent.unwrap_or_else(Error::into_outcome)
    }

    /// Hands in the outcome of the last job of a worker, and takes the next one. Parks until there is one; `None` if the
    /// worker is to end.
    fn next(&self, number: usize, done: Option<(Job, Outcome)>) -> Option<Job> {
        let forks = sys::forks();
        let mut state = self.lock();
        if let Some((job, outcome)) = done {
            state.release(number, &job);
            let suspended = state.failures.add(&outcome);
            let mut finish = Finish::default();
            finish.add(&mut state, job.tag, outcome);
            if let Some(error) = suspended {
                finish.extend(self.end_waiting(&mut state, |_| true, |_| Outcome::clone(&error)));
            }
            if finish.has_wakers() {
                drop(state);
                finish.wake();
                if sys::forks() != forks {
                    return None; // a waker forked, and this is the child
                }
                state = self.lock();
            }
        }
        loop {
            if state.has_ended {
                return None;
            }
            if let Some(job) = state.begin(number) {
                return Some(job);
            }
            self.check_idle(&state);
            drop(state);
            sys::park();
            state = self.lock();
        }
    }
}

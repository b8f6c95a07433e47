//! The state of a queue: which message waits for what, who works on what, and what is finished. Plain data under one lock.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use super::Tag;
use crate::model::hooks::Level;
use crate::model::message::Message;
use crate::model::outcome::{Error, Outcome, Retry, Status};
use crate::sys::{CancelReason, CancelSignal};

/// How many log lines wait to be taken. Beyond that they are counted and dropped, so that a host that takes nothing does
/// not run out of memory.
const MOST_LOG_LINES: usize = 4096;

/// A message in the queue.
pub(super) struct Job {
    pub message: Message<'static>,
    pub tag: Tag,
    /// The hash of the user who gets the message. Two users with the same hash only wait for each other.
    pub user: u64,
    pub pushed: Instant,
    /// When it ends even if it was not begun.
    pub deadline: Option<Instant>,
}

/// A fiber that sends messages, one at a time.
pub(super) struct Worker {
    /// Ends the message in flight. Only given with the lock, so that it never reaches the next message.
    pub signal: Arc<CancelSignal>,
    /// The tag of the message in flight.
    tag: Option<Tag>,
}

impl Worker {
    pub fn new() -> Self {
        Worker { signal: Arc::new(CancelSignal::without_wake()), tag: None }
    }

    /// Ends the message in flight: a cancel that came for it must not end the next one.
    pub fn release(&mut self) {
        self.tag = None;
        self.signal.reset();
    }
}

pub(super) struct State {
    /// The messages that nobody has looked at since they were pushed, in order.
    pushed: VecDeque<Box<Job>>,
    /// The users with a message in flight or in `freed`. There are at most as many as messages may be in flight.
    busy: Vec<u64>,
    /// The messages whose turn came while their user was busy, for each user in order.
    behind: HashMap<u64, VecDeque<Box<Job>>>,
    /// The first message behind one that has ended. Their users stay busy.
    freed: VecDeque<Box<Job>>,
    /// The number of messages that wait, and the length of their texts.
    waiting: usize,
    waiting_bytes: usize,
    in_flight: usize,
    pub workers: Vec<Worker>,
    /// How many messages may be in flight at once.
    pub most_in_flight: usize,
    pub driver: Option<JoinHandle<()>>,
    /// Whether the driver sleeps, or is about to, and is to be woken for what it cannot know.
    driver_sleeps: bool,
    /// Whether a message in flight was cancelled, and the driver has not yet looked.
    was_cancelled: bool,
    /// Finished, and not yet taken.
    pub done: VecDeque<(usize, Outcome)>,
    logs: VecDeque<(Level, String)>,
    lost_logs: usize,
    /// Whether the descriptor is readable.
    pub is_told: bool,
    /// When it became readable last.
    pub told_at: Instant,
    max_failures: u32,
    /// How many messages failed in a row for reasons that are not theirs.
    failures: u32,
    suspended: Option<Error>,
    is_stopped: bool,
    has_ended: bool,
    /// How many threads wait until the queue is idle.
    pub idle_waiters: usize,
    /// No deadline of a message that waits is before this. It may be that of a message that was begun since.
    pub next_expiry: Option<Instant>,
}

impl State {
    pub fn new(max_failures: u32, most_in_flight: usize) -> Self {
        State {
            pushed: VecDeque::new(),
            busy: Vec::new(),
            behind: HashMap::new(),
            freed: VecDeque::new(),
            waiting: 0,
            waiting_bytes: 0,
            in_flight: 0,
            workers: Vec::new(),
            most_in_flight,
            driver: None,
            driver_sleeps: false,
            was_cancelled: false,
            done: VecDeque::new(),
            logs: VecDeque::new(),
            lost_logs: 0,
            is_told: false,
            told_at: Instant::now(),
            max_failures,
            failures: 0,
            suspended: None,
            is_stopped: false,
            has_ended: false,
            idle_waiters: 0,
            next_expiry: None,
        }
    }

    /// How many messages are in the queue.
    pub fn load(&self) -> usize {
        self.waiting + self.in_flight + self.done.len()
    }

    pub fn waiting(&self) -> (usize, usize) {
        (self.waiting, self.waiting_bytes)
    }

    pub fn is_idle(&self) -> bool {
        self.waiting + self.in_flight == 0
    }

    /// Whether messages wait for every worker. Then none is idle before the next outcome is taken.
    pub fn has_enough_waiting(&self) -> bool {
        self.pushed.len() >= self.workers.len()
    }

    /// Whether a message waits that may be begun now.
    pub fn can_begin(&self) -> bool {
        self.is_ready() && self.may_begin() && self.in_flight < self.most_in_flight
    }

    /// The driver is about to sleep.
    pub fn let_driver_sleep(&mut self) {
        self.driver_sleeps = true;
    }

    /// Whether the driver has to be woken. The caller does that, without the lock.
    pub fn must_wake_driver(&mut self) -> bool {
        mem::take(&mut self.driver_sleeps)
    }

    /// Whether the driver has something to do at once.
    pub fn keeps_driver_awake(&self) -> bool {
        self.can_begin() || self.was_cancelled
    }

    /// The driver is awake. Returns whether a message in flight was cancelled meanwhile.
    pub fn driver_woke_up(&mut self) -> bool {
        self.driver_sleeps = false;
        mem::take(&mut self.was_cancelled)
    }

    pub fn is_ready(&self) -> bool {
        !self.pushed.is_empty() || !self.freed.is_empty()
    }

    /// Adds a message.
    pub fn add(&mut self, job: Box<Job>) {
        self.waiting += 1;
        self.waiting_bytes += job.message.size();
        self.pushed.push_back(job);
    }

    /// Takes out the message that was added last.
    pub fn remove_last_added(&mut self) {
        if let Some(job) = self.pushed.pop_back() {
            self.no_longer_waits(&job);
        }
    }

    fn no_longer_waits(&mut self, job: &Job) {
        self.waiting -= 1;
        self.waiting_bytes -= job.message.size();
    }

    /// Whether a message may be begun. After a failure only so many are in flight as may still fail before the queue is
    /// suspended.
    pub fn may_begin(&self) -> bool {
        self.failures == 0
            || self.max_failures == 0
            || self.failures as usize + self.in_flight < self.max_failures as usize
    }

    /// Begins the next message on a worker. `None` if all that wait are to users who are busy.
    pub fn begin(&mut self, number: usize) -> Option<Box<Job>> {
        let job = self.next()?;
        self.no_longer_waits(&job);
        self.in_flight += 1;
        self.workers[number].tag = Some(job.tag.clone());
        Some(job)
    }

    fn next(&mut self) -> Option<Box<Job>> {
        if let Some(job) = self.freed.pop_front() {
            return Some(job);
        }
        while let Some(job) = self.pushed.pop_front() {
            if !self.busy.contains(&job.user) {
                self.busy.push(job.user);
                return Some(job);
            }
            self.behind.entry(job.user).or_default().push_back(job);
        }
        None
    }

    /// The message in flight to `user` has its outcome: the next one to that user may be begun.
    pub fn release(&mut self, user: u64) {
        self.in_flight -= 1;
        self.free(user);
    }

    fn free(&mut self, user: u64) {
        if !self.behind.is_empty()
            && let Entry::Occupied(mut behind) = self.behind.entry(user)
        {
            self.freed.extend(behind.get_mut().pop_front());
            if behind.get().is_empty() {
                behind.remove();
            }
        } else if let Some(place) = self.busy.iter().position(|busy| *busy == user) {
            self.busy.swap_remove(place);
        }
    }

    /// Takes the messages out that wait and that `which` selects, in no particular order.
    pub fn remove(&mut self, which: impl Fn(&Job) -> bool) -> VecDeque<Box<Job>> {
        let mut removed = VecDeque::new();
        let mut split = |jobs: &mut VecDeque<Box<Job>>| {
            if jobs.iter().any(|job| which(job)) {
                let (taken, left) = mem::take(jobs).into_iter().partition::<VecDeque<_>, _>(|job| which(job));
                *jobs = left;
                removed.extend(taken);
            }
        };
        split(&mut self.pushed);
        self.behind.retain(|_, behind| {
            split(behind);
            !behind.is_empty()
        });
        let freed = mem::take(&mut self.freed);
        let (taken, left) = freed.into_iter().partition::<VecDeque<_>, _>(|job| which(job));
        self.freed = left;
        for job in taken {
            self.free(job.user);
            removed.push_back(job);
        }
        removed.iter().for_each(|job| self.no_longer_waits(job));
        removed
    }

    /// Ends the messages in flight that `which` selects. Returns how many those are.
    pub fn cancel_in_flight(&mut self, reason: CancelReason, which: impl Fn(&Tag) -> bool) -> usize {
        let selected = self.workers.iter().filter(|worker| worker.tag.as_ref().is_some_and(&which));
        let count = selected.map(|worker| worker.signal.cancel(reason)).count();
        self.was_cancelled |= count > 0;
        count
    }

    /// Counts an outcome for `max_failures_in_a_row`. Returns whether it has suspended the queue.
    pub fn count(&mut self, outcome: &Outcome) -> bool {
        match (outcome.status, outcome.retry) {
            // The caller's doing, or that of its rate limit: they say nothing about the service.
            (Status::InvalidArgument | Status::Cancelled | Status::Closed, _) => {}
            (Status::RateLimited, _) if outcome.http_status.is_none() => {}
            (_, Retry::Never) => self.failures = 0,
            (_, Retry::Later | Retry::Decide) => {
                self.failures = self.failures.saturating_add(1);
                if self.max_failures != 0 && self.failures >= self.max_failures && self.suspended.is_none() {
                    self.suspended = Some(suspended(self.failures, outcome));
                    return true;
                }
            }
        }
        false
    }

    /// Why nothing is begun any more, after too many failures in a row.
    pub fn suspended(&self) -> Option<Error> {
        self.suspended.clone()
    }

    pub fn resume(&mut self) {
        (self.suspended, self.failures) = (None, 0);
    }

    pub fn stop(&mut self) {
        self.is_stopped = true;
    }

    pub fn is_stopped(&self) -> bool {
        self.is_stopped
    }

    /// Ends the driver, and returns it.
    pub fn end(&mut self) -> Option<JoinHandle<()>> {
        self.has_ended = true;
        self.driver.take()
    }

    /// Forgets the driver and its workers; no message waits any more. Returns the tags of the messages that were in flight.
    pub fn reset(&mut self) -> Vec<Tag> {
        (self.driver, self.in_flight, self.driver_sleeps) = (None, 0, false);
        self.busy.clear();
        mem::take(&mut self.workers).into_iter().filter_map(|worker| worker.tag).collect()
    }

    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    pub fn add_log(&mut self, level: Level, text: &str) {
        if self.logs.len() < MOST_LOG_LINES {
            self.logs.push_back((level, text.to_owned()));
        } else {
            self.lost_logs += 1;
        }
    }

    pub fn has_logs(&self) -> bool {
        !self.logs.is_empty()
    }

    pub fn take_logs(&mut self) -> VecDeque<(Level, String)> {
        let mut logs = mem::take(&mut self.logs);
        let lost = mem::take(&mut self.lost_logs);
        if lost > 0 {
            logs.push_back((Level::Warn, format!("{lost} log lines were lost: take from the queue more often")));
        }
        logs
    }

    /// Remembers the deadline of a message that waits. Returns whether it is the first of all.
    pub fn watch(&mut self, deadline: Instant) -> bool {
        let is_first = self.next_expiry.is_none_or(|first| deadline < first);
        if is_first {
            self.next_expiry = Some(deadline);
        }
        is_first
    }
    pub fn find_next_expiry(&mut self) {
        let waiting = self.pushed.iter().chain(&self.freed).chain(self.behind.values().flatten());
        self.next_expiry = waiting.filter_map(|job| job.deadline).min();
    }
}

/// The outcome of every message that is not begun because too many before it have failed. `last` is the last of those.
fn suspended(failures: u32, last: &Outcome) -> Error {
    let text = format!(
        "{failures} messages in a row failed for reasons that are not theirs (max_failures_in_a_row), the last with: {} \
         This message was not delivered. It is safe to send it again when the cause is gone.",
        last.text
    );
    Error::new(Outcome::not_sent(Status::Suspended, text))
}

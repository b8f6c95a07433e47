//! [`State`]: who works on what, what is finished, and what the driver has to know. Plain data under one lock.

use std::collections::VecDeque;
use std::mem;
use std::thread::JoinHandle;
use std::time::Instant;

use super::Tag;
use super::failure_row::FailureRow;
use super::order::{Job, Order};
use super::worker::Worker;
use crate::model::hooks::Level;
use crate::model::outcome::Outcome;
use crate::sys::CancelReason;

pub(super) struct State {
    pub order: Order,
    pub failures: FailureRow,
    pub finished: Finished,
    pub log: KeptLog,
    in_flight: usize,
    /// How many messages may be in flight at once.
    pub most_in_flight: usize,
    /// How many messages were begun of which the caller was not yet told. Counted for a batch alone: see `most_untold`.
    untold: usize,
    /// How many of those there may be before no further message is begun. So a program that is killed in a batch knows what
    /// became of all but these.
    pub most_untold: usize,
    /// One for each fiber of the driver.
    pub workers: Vec<Worker>,
    pub driver: Option<JoinHandle<()>>,
    /// Whether the driver sleeps, or is about to, and is to be woken for what it cannot know.
    driver_sleeps: bool,
    /// Whether a message in flight was cancelled, and the driver has not yet looked.
    was_cancelled: bool,
    pub is_stopped: bool,
    pub has_ended: bool,
    /// How many threads wait until the queue is idle.
    pub idle_waiters: usize,
    /// No deadline of a message that waits is before this. It may be that of a message that was begun since.
    pub next_expiry: Option<Instant>,
}

impl State {
    pub fn new(max_failures_in_a_row: u32, most_in_flight: usize) -> Self {
        State {
            order: Order::default(),
            failures: FailureRow::new(max_failures_in_a_row),
            finished: Finished::default(),
            log: KeptLog::default(),
            in_flight: 0,
            most_in_flight,
            untold: 0,
            most_untold: usize::MAX,
            workers: Vec::new(),
            driver: None,
            driver_sleeps: false,
            was_cancelled: false,
            is_stopped: false,
            has_ended: false,
            idle_waiters: 0,
            next_expiry: None,
        }
    }

    /// How many messages are in the queue.
    pub fn load(&self) -> usize {
        self.order.waiting().messages + self.in_flight + self.finished.outcomes.len()
    }

    /// Whether no message waits or is in flight.
    pub fn is_idle(&self) -> bool {
        self.order.waiting().messages + self.in_flight == 0
    }

    /// Whether messages wait for every worker, and may be begun. Then none is idle before the next outcome is taken.
    pub fn has_enough_waiting(&self) -> bool {
        self.order.has_many(self.workers.len()) && self.untold < self.most_untold
    }

    /// Whether a message waits that may be begun now.
    pub fn can_begin(&self) -> bool {
        self.order.has_next() && self.in_flight < self.most_in_flight && self.may_begin()
    }

    fn may_begin(&self) -> bool {
        self.untold < self.most_untold && self.failures.allows_another(self.in_flight)
    }

    /// The caller was told of so many outcomes.
    pub fn told(&mut self, count: usize) {
        self.untold = self.untold.saturating_sub(count);
    }

    /// Begins the next message on a worker.
    pub fn begin(&mut self, number: usize) -> Option<Job> {
        if !self.may_begin() {
            return None;
        }
        let job = self.order.begin()?;
        self.in_flight += 1;
        self.untold += 1;
        self.workers[number].tag = Some(job.tag.clone());
        Some(job)
    }

    /// A worker has the outcome of its message.
    pub fn release(&mut self, number: usize, job: &Job) {
        self.workers[number].release();
        self.in_flight -= 1;
        self.order.release(job.user);
    }

    /// Ends the messages in flight that `which` selects. Returns how many those are.
    pub fn cancel_in_flight(&mut self, reason: CancelReason, which: impl Fn(&Tag) -> bool) -> usize {
        let selected = self.workers.iter().filter(|worker| worker.tag.as_ref().is_some_and(&which));
        let count = selected.map(|worker| worker.signal.cancel(reason)).count();
        self.was_cancelled |= count > 0;
        count
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

    /// Forgets the driver and its workers, which are gone. Returns the tags of the messages that were in flight.
    pub fn forget_driver(&mut self) -> Vec<Tag> {
        (self.driver, self.in_flight, self.driver_sleeps) = (None, 0, false);
        self.order.release_all();
        mem::take(&mut self.workers).into_iter().filter_map(|worker| worker.tag).collect()
    }

    /// Remembers the deadline of a message that waits. Returns whether it is the first of all.
    pub fn watch(&mut self, deadline: Instant) -> bool {
        let is_first = self.next_expiry.is_none_or(|first| deadline < first);
        if is_first {
            self.next_expiry = Some(deadline);
        }
        is_first
    }
}

/// The outcomes that are finished and not yet taken.
pub(super) struct Finished {
    pub outcomes: VecDeque<(usize, Outcome)>,
    /// Whether the descriptor is readable.
    pub is_readable: bool,
    /// When it became readable last.
    pub readable_since: Instant,
}

impl Default for Finished {
    fn default() -> Self {
        Finished { outcomes: VecDeque::new(), is_readable: false, readable_since: Instant::now() }
    }
}

/// The log lines that wait to be taken.
#[derive(Default)]
pub(super) struct KeptLog {
    lines: VecDeque<(Level, String)>,
    lost: usize,
}

impl KeptLog {
    /// Beyond so many, lines are counted and dropped, so that a host that takes nothing does not run out of memory.
    const MOST: usize = 4096;

    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub fn add(&mut self, level: Level, text: &str) {
        if self.lines.len() < Self::MOST {
            self.lines.push_back((level, text.to_owned()));
        } else {
            self.lost += 1;
        }
    }

    pub fn take(&mut self) -> VecDeque<(Level, String)> {
        let mut lines = mem::take(&mut self.lines);
        let lost = mem::take(&mut self.lost);
        if lost > 0 {
            lines.push_back((Level::Warn, format!("{lost} log lines were lost: take from the queue more often")));
        }
        lines
    }
}

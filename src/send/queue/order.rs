//! [`Order`]: which message waits for what. Plain data.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::mem;
use std::time::Instant;

use super::Tag;
use crate::model::message::Message;

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

/// The messages that wait, in the order of the pushes. A message to a user who is busy waits behind the one before it.
#[derive(Default)]
pub(super) struct Order {
    /// The messages that nobody has looked at since they were pushed.
    pushed: VecDeque<Job>,
    /// The users with a message in flight or in `freed`. There are at most as many as messages may be in flight.
    busy: Vec<u64>,
    /// The messages whose turn came while their user was busy, for each user.
    behind: HashMap<u64, VecDeque<Job>>,
    /// The first message behind one that has ended. Their users stay busy.
    freed: VecDeque<Job>,
    waiting: Backlog,
}

/// How many messages wait, and how long their texts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Backlog {
    pub messages: usize,
    pub bytes: usize,
}

impl Order {
    pub fn waiting(&self) -> Backlog {
        self.waiting
    }

    /// Whether a message may be found that can be begun: [`Order::begin`] tells.
    pub fn has_next(&self) -> bool {
        !self.pushed.is_empty() || !self.freed.is_empty()
    }

    /// Whether at least `count` messages wait of which nobody knows that they have to.
    pub fn has_many(&self, count: usize) -> bool {
        self.pushed.len() >= count
    }

    /// Whether there is memory for one more message beside its texts. Without this look, a lack of it would end the process.
    pub fn has_memory_for_one(&mut self) -> bool {
        self.pushed.try_reserve(1).is_ok()
    }

    pub fn add(&mut self, job: Job) {
        self.waiting.messages += 1;
        self.waiting.bytes += job.message.size();
        self.pushed.push_back(job);
    }

    /// Takes out the message that was added last.
    pub fn remove_last_added(&mut self) {
        if let Some(job) = self.pushed.pop_back() {
            self.no_longer_waits(&job);
        }
    }

    /// Takes out the next message that may be begun. Its user is busy until [`Order::release`]. `None` if all that wait are
    /// to users who are busy.
    pub fn begin(&mut self) -> Option<Job> {
        let job = self.next()?;
        self.no_longer_waits(&job);
        Some(job)
    }

    fn next(&mut self) -> Option<Job> {
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

    /// The message that was begun to `user` has its outcome: the next one to that user may be begun.
    pub fn release(&mut self, user: u64) {
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

    /// Takes out the messages that wait and that `which` selects. Those to one user are in the order of the pushes.
    pub fn remove(&mut self, which: impl Fn(&Job) -> bool) -> VecDeque<Job> {
        let mut removed = VecDeque::new();
        let mut split = |jobs: &mut VecDeque<Job>| {
            if jobs.iter().any(&which) {
                let (taken, left) = mem::take(jobs).into_iter().partition::<VecDeque<_>, _>(&which);
                *jobs = left;
                removed.extend(taken);
            }
        };
        let users = |jobs: &VecDeque<Job>| jobs.iter().filter(|job| which(job)).map(|job| job.user).collect();
        let freed: Vec<_> = users(&self.freed);
        split(&mut self.freed);
        self.behind.retain(|_, behind| {
            split(behind);
            !behind.is_empty()
        });
        split(&mut self.pushed);
        freed.into_iter().for_each(|user| self.release(user));
        removed.iter().for_each(|job| self.no_longer_waits(job));
        removed
    }

    /// No message is in flight any more, though none was released.
    pub fn release_all(&mut self) {
        let freed: Vec<_> = self.freed.iter().map(|job| job.user).collect();
        let begun: Vec<_> = self.busy.iter().copied().filter(|user| !freed.contains(user)).collect();
        begun.into_iter().for_each(|user| self.release(user));
    }

    /// The first deadline of the messages that wait.
    pub fn first_deadline(&self) -> Option<Instant> {
        let waiting = self.pushed.iter().chain(&self.freed).chain(self.behind.values().flatten());
        waiting.filter_map(|job| job.deadline).min()
    }

    fn no_longer_waits(&mut self, job: &Job) {
        self.waiting.messages -= 1;
        self.waiting.bytes -= job.message.size();
    }
}

#[cfg(test)]
mod tests;

//! The rate limit of a client, over all its threads: at most `max_per_second` requests per second, and the pause after
//! a 429.
//!
//! Every request takes a ticket in a queue, and polls now and then whether its turn has come. Turns are evenly spaced,
//! so the place in the queue determines the time. If a ticket leaves the queue, all behind it move up; a pause moves
//! all of them back and keeps their order. This module takes the clock as an argument and never waits itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The interval between the requests that waited through a pause, if no rate limit is set.
const RELEASE: Duration = Duration::from_millis(10);

/// How late a thread may wake up and still count as on time. Up to this, the spacing counts from the planned time, so
/// that the rate holds on average. Beyond this, the lost time is not made up for, so that requests do not bunch.
const LATE: Duration = Duration::from_millis(10);

/// The longest pause of a whole client, even if the service asks for more. After it, one request at a time probes the
/// service.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// The upper limit of the pause that a service can ask for. It keeps sums with an `Instant` in range.
const LONGEST_ASKED: Duration = Duration::from_secs(365 * 24 * 3600);

/// The longest time between two polls of a ticket. A turn may come earlier than planned.
const POLL_EVERY: Duration = Duration::from_millis(100);

/// The rate limiter that all threads of a client share.
#[derive(Debug)]
pub(crate) struct Limiter {
    /// The time between two requests; zero if no rate limit is set.
    interval: Duration,
    /// Whether a rate limit is set, or there was a pause. Otherwise requests skip the lock.
    engaged: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The ids of the tickets that wait, ascending. A ticket that polls too late loses its place, until it polls again.
    queue: VecDeque<u64>,
    next_id: u64,
    /// Tickets with an id below this waited through a pause.
    held_below: u64,
    /// The earliest time of the next request: the time of the last one plus the interval.
    free_from: Option<Instant>,
    paused_until: Option<Instant>,
    /// Until then only one request at a time may go, as a probe. Set if a pause beyond the longest was asked for.
    probing_until: Option<Instant>,
    /// The ticket of the probe in flight.
    probe: Option<u64>,
}

/// A place in the queue. Dropping an unused ticket frees the place, and all behind it move up.
///
/// In the child of a `fork()` call `mem::forget` on it instead: another thread may have held the lock. It owns no
/// memory.
#[derive(Debug)]
pub(crate) struct Ticket<'a> {
    limiter: &'a Limiter,
    id: u64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Queued,
    Used,
    /// Used as a probe: no other request may go until its outcome is known.
    Probing,
}

/// Whether the request of a ticket may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Yes: the ticket is now used.
    Now,
    /// Not yet: poll again at this time.
    PollAt(Instant),
    /// Only after this wait, which ends past the latest useful time.
    TooLate(Duration),
}

impl Limiter {
    pub fn new(max_per_second: Option<u32>) -> Self {
        let interval = max_per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Limiter { interval, engaged: AtomicBool::new(!interval.is_zero()), state: Mutex::default() }
    }

    /// Whether requests may go without a ticket: no rate limit is set, and there was no pause yet.
    pub fn is_idle(&self) -> bool {
        !self.engaged.load(Ordering::Acquire)
    }

    /// Takes the next place in the queue.
    ///
    /// # Errors
    /// The wait for the turn, if it would end past `latest`. Then no place is taken.
    pub fn join(&self, now: Instant, latest: Option<Instant>) -> Result<Ticket<'_>, Duration> {
        let mut state = self.state();
        if state.queue.is_empty() {
            state.free_from = state.free_from.max(Some(now)); // idle time is not saved up
        }
        let turn = self.turn_of(&state, state.queue.len(), now);
        if latest.is_some_and(|latest| turn > latest) {
            return Err(turn - now);
        }
        let id = state.next_id;
        state.next_id += 1;
        // Behind tickets that leave a pause one by one a newcomer does so, too. Under load the queue then does not burst
        // into the limit that caused the pause; once it is empty, everything is as before.
        let follows_held = !state.queue.is_empty() && state.held() == state.queue.len();
        state.queue.push_back(id);
        if follows_held || state.paused_until.is_some_and(|end| now < end) {
            state.held_below = state.next_id;
        }
        Ok(Ticket { limiter: self, id, stage: Stage::Queued })
    }

    /// Holds back every request for the time `asked`, but at most [`LONGEST_PAUSE`]. For the rest of `asked` they go
    /// one at a time, as probes, until one of them is answered.
    pub fn pause(&self, now: Instant, asked: Duration) {
        let asked = asked.min(LONGEST_ASKED);
        let mut state = self.state();
        state.paused_until = state.paused_until.max(Some(now + asked.min(LONGEST_PAUSE)));
        if asked > LONGEST_PAUSE {
            state.probing_until = state.probing_until.max(Some(now + asked));
        }
        state.held_below = state.next_id;
        self.engaged.store(true, Ordering::Release);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the request at `place` in the queue may go; not before `now`.
    fn turn_of(&self, state: &State, place: usize, now: Instant) -> Instant {
        let planned = state.first().unwrap_or(now) + self.span(state, place);
        let open = if state.probe.is_some() && state.is_probing(now) { now + POLL_EVERY } else { now };
        planned.max(open)
    }

    /// How much time the first `places` of the queue take up.
    fn span(&self, state: &State, places: usize) -> Duration {
        let (interval, places) = match self.interval {
            // A request that joined after the pause only waits for those that waited through it.
            Duration::ZERO => (RELEASE, state.held().min(places)),
            interval => (interval, places),
        };
        interval.saturating_mul(u32::try_from(places).unwrap_or(u32::MAX))
    }
}

impl State {
    /// The turn of the first in the queue.
    fn first(&self) -> Option<Instant> {
        self.free_from.max(self.paused_until)
    }

    /// How many tickets in the queue waited through a pause. They are at the front.
    fn held(&self) -> usize {
        self.queue.partition_point(|id| *id < self.held_below)
    }

    /// The place of a ticket. Puts it back into the queue if it lost its place because it polled too late.
    fn enter(&mut self, id: u64) -> usize {
        self.queue.binary_search(&id).unwrap_or_else(|place| {
            self.queue.insert(place, id);
            place
        })
    }

    fn leave(&mut self, id: u64) {
        if let Ok(place) = self.queue.binary_search(&id) {
            self.queue.remove(place);
        }
    }

    fn is_probing(&self, now: Instant) -> bool {
        self.probing_until.is_some_and(|end| now < end)
    }
}

impl Ticket<'_> {
    /// Whether the request may go. Tickets in front that are late to poll do not delay it.
    pub fn turn(&mut self, now: Instant, latest: Option<Instant>) -> Turn {
        if self.stage != Stage::Queued {
            return Turn::Now;
        }
        let limiter = self.limiter;
        let mut state = limiter.state();
        let place = state.enter(self.id);
        let turn = limiter.turn_of(&state, place, now);
        // A thread that wakes up a little late keeps the turn that `join` granted.
        if latest.is_some_and(|latest| turn > latest + LATE) {
            return Turn::TooLate(turn - now);
        }
        if turn > now {
            return Turn::PollAt(turn.min(now + POLL_EVERY));
        }
        // Take the time slot of the first ticket in front that is not too late. Those that are too late lose their
        // place.
        let mut first = state.first();
        let on_time = now.checked_sub(LATE);
        while state.queue.front().is_some_and(|id| *id != self.id) && first < on_time {
            first = first.map(|first| first + limiter.span(&state, 1));
            state.queue.pop_front();
        }
        let place = state.enter(self.id);
        let span = limiter.span(&state, place + 1) - limiter.span(&state, place);
        state.free_from = first.max(on_time).map(|went| went + span);
        state.queue.remove(place);
        self.stage = Stage::Used;
        if state.is_probing(now) {
            state.probe = Some(self.id);
            self.stage = Stage::Probing;
        }
        Turn::Now
    }

    /// Reports that the request was answered, and not with a 429: this ends the probing. Without an answer, or after
    /// [`Limiter::pause`], drop the ticket instead.
    pub fn answered(self) {
        if self.stage == Stage::Probing {
            let mut state = self.limiter.state();
            if state.probe == Some(self.id) {
                state.probing_until = None;
            }
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        match self.stage {
            Stage::Used => {}
            Stage::Probing => {
                let mut state = self.limiter.state();
                state.probe.take_if(|probe| *probe == self.id);
            }
            Stage::Queued => self.limiter.state().leave(self.id),
        }
    }
}

#[cfg(test)]
mod tests;

//! When the next request may go: requests a second, and the pause that a 429 asks for, over all threads of a client.
//!
//! Every request takes a ticket, a place in one line, and looks now and then whether its turn has come. Where a place
//! stands in the line says when: turns are evenly spaced. So whoever leaves the line lets all behind move up, and a pause
//! moves all back in their order. Takes the clock as an argument and does no waiting itself.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The distance of the requests that waited through a pause, where no rate was set.
const RELEASE: Duration = Duration::from_millis(10);

/// How late a thread may wake up and still count as on time. Up to here the time that was planned counts for the spacing,
/// so that the rate holds on average; beyond it the time that was lost is not made up for, so that requests do not bunch.
const LATE: Duration = Duration::from_millis(10);

/// The longest pause of a whole client, whatever was asked. Past it, one request at a time probes.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(5 * 60);

/// What is asked for counts up to here: as good as for ever, and no clock overflows by it.
const LONGEST_ASKED: Duration = Duration::from_secs(365 * 24 * 3600);

/// How often a place in line is looked at, at the least: a turn may come earlier than it was planned.
const LOOK_EVERY: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Limiter {
    interval: Duration,
    /// Whether there is anything to look up: a rate, or a pause since the client was made.
    engaged: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The tickets that wait, by their ids, which grow. Without those that are late to look, where another one went.
    line: VecDeque<u64>,
    next_id: u64,
    /// The tickets below this id waited through a pause.
    held_below: u64,
    /// No request goes before: when the last one went, and its distance.
    free_from: Option<Instant>,
    paused_until: Option<Instant>,
    /// Where more than the longest pause was asked: until then requests go one at a time, each a probe.
    probing_until: Option<Instant>,
    /// The ticket of the probe in flight.
    probe: Option<u64>,
}

/// A place in line. One that is dropped unused goes back, and all behind it move up.
///
/// In the child of a `fork()` forget it (`mem::forget`; it owns no memory): another thread may have held the lock.
#[derive(Debug)]
pub(crate) struct Ticket<'a> {
    limiter: &'a Limiter,
    id: u64,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    InLine,
    Used,
    /// Used, and no other request goes until it is known what came of it.
    Probing,
}

/// Whether a ticket's request may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Now: the ticket is used.
    Now,
    /// Not yet: look again at this moment.
    LookAt(Instant),
    /// After so long, which is past the latest moment that is of use.
    TooLate(Duration),
}

impl Limiter {
    pub fn new(max_per_second: Option<u32>) -> Self {
        let interval = max_per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Limiter { interval, engaged: AtomicBool::new(!interval.is_zero()), state: Mutex::default() }
    }

    /// Whether a request may go at any time, without a ticket: no rate was set, and there was no pause yet.
    pub fn is_idle(&self) -> bool {
        !self.engaged.load(Ordering::Acquire)
    }

    /// Takes the next place in line. `Err` with how long its turn would take, and nothing taken, where that lies past
    /// `latest`.
    pub fn join(&self, now: Instant, latest: Option<Instant>) -> Result<Ticket<'_>, Duration> {
        let mut state = self.state();
        if state.line.is_empty() {
            state.free_from = state.free_from.max(Some(now)); // idle time is not saved up
        }
        let turn = self.turn_of(&state, state.line.len(), now);
        if latest.is_some_and(|latest| turn > latest) {
            return Err(turn - now);
        }
        let id = state.next_id;
        state.next_id += 1;
        state.line.push_back(id);
        if state.paused_until.is_some_and(|end| now < end) {
            state.held_below = state.next_id;
        }
        Ok(Ticket { limiter: self, id, stage: Stage::InLine })
    }

    /// Holds every request back for as long as was `asked`, at most [`LONGEST_PAUSE`]. From there on until what was asked
    /// has passed, they go one at a time, until one of them is answered.
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

    /// When the request at `place` in the line may go; not before `now`.
    fn turn_of(&self, state: &State, place: usize, now: Instant) -> Instant {
        let planned = state.first().unwrap_or(now) + self.span(state, place);
        let open = if state.probe.is_some() && state.is_probing(now) { now + LOOK_EVERY } else { now };
        planned.max(open)
    }

    /// How much time the first `places` of the line take up.
    fn span(&self, state: &State, places: usize) -> Duration {
        let (distance, places) = match self.interval {
            // Whoever came after the pause only waits for those that waited through it.
            Duration::ZERO => (RELEASE, state.held().min(places)),
            interval => (interval, places),
        };
        distance.saturating_mul(u32::try_from(places).unwrap_or(u32::MAX))
    }
}

impl State {
    /// The turn of the first in line.
    fn first(&self) -> Option<Instant> {
        self.free_from.max(self.paused_until)
    }

    /// How many of the line waited through a pause. They stand in front.
    fn held(&self) -> usize {
        self.line.partition_point(|id| *id < self.held_below)
    }

    /// The place of a ticket. One that was too late to look has left the line, and comes back.
    fn enter(&mut self, id: u64) -> usize {
        self.line.binary_search(&id).unwrap_or_else(|place| {
            self.line.insert(place, id);
            place
        })
    }

    fn leave(&mut self, id: u64) {
        if let Ok(place) = self.line.binary_search(&id) {
            self.line.remove(place);
        }
    }

    fn is_probing(&self, now: Instant) -> bool {
        self.probing_until.is_some_and(|end| now < end)
    }
}

impl Ticket<'_> {
    /// Whether its request may go. Those before it that are late to look do not hold it up.
    pub fn turn(&mut self, now: Instant, latest: Option<Instant>) -> Turn {
        if self.stage != Stage::InLine {
            return Turn::Now;
        }
        let limiter = self.limiter;
        let mut state = limiter.state();
        let place = state.enter(self.id);
        let turn = limiter.turn_of(&state, place, now);
        // A thread that wakes up a little late still has the turn that it was promised.
        if latest.is_some_and(|latest| turn > latest + LATE) {
            return Turn::TooLate(turn - now);
        }
        if turn > now {
            return Turn::LookAt(turn.min(now + LOOK_EVERY));
        }
        // It goes in the time of the first one before it that is not too late. Those that are leave the line until they look.
        let mut first = state.first();
        let on_time = now.checked_sub(LATE);
        while state.line.front().is_some_and(|id| *id != self.id) && first < on_time {
            first = first.map(|first| first + limiter.span(&state, 1));
            state.line.pop_front();
        }
        let place = state.enter(self.id);
        let span = limiter.span(&state, place + 1) - limiter.span(&state, place);
        state.free_from = first.max(on_time).map(|went| went + span);
        state.line.remove(place);
        self.stage = Stage::Used;
        if state.is_probing(now) {
            state.probe = Some(self.id);
            self.stage = Stage::Probing;
        }
        Turn::Now
    }

    /// Tells that the request was answered, and not by a 429. If nothing is known, or after [`Limiter::pause`], drop the
    /// ticket in the place of this.
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
            Stage::InLine => self.limiter.state().leave(self.id),
        }
    }
}

#[cfg(test)]
mod tests;

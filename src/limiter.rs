//! When the next request may go: requests a second, and the pause that a 429 asks for, over all threads of a client.
//!
//! Every request reserves a slot, in the order of arrival, and waits for it. Slots are evenly spaced, so nothing bunches
//! up, and what waited through a pause leaves it one by one. Takes the clock as an argument and does no waiting itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The distance of requests that leave a pause where no rate was set.
const RELEASE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(crate) struct Limiter {
    interval: Duration,
    /// Whether there is anything to look up: a rate, or a pause since the client was made.
    engaged: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The first slot that is free.
    next: Option<Instant>,
    paused_until: Option<Instant>,
    /// How many pauses there were.
    pauses: u64,
}

/// When a request may go, unless a pause comes before that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub at: Instant,
    /// Those that were known when it was reserved.
    pauses: u64,
}

impl Limiter {
    pub fn new(max_per_second: Option<u32>) -> Self {
        let interval = max_per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Limiter { interval, engaged: AtomicBool::new(!interval.is_zero()), state: Mutex::default() }
    }

    /// Whether a request may go at any time: no rate was set, and there was no pause yet.
    pub fn is_idle(&self) -> bool {
        !self.engaged.load(Ordering::Acquire)
    }

    /// Reserves the next slot: when the request may go. `Err` with how long that would take, and nothing reserved, where
    /// the slot lies past `deadline`.
    pub fn reserve(&self, now: Instant, deadline: Instant) -> Result<Slot, Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = [state.next, state.paused_until].into_iter().flatten().fold(now, Instant::max);
        if at > deadline {
            return Err(at - now);
        }
        let spacing = if at > now && self.interval.is_zero() { RELEASE } else { self.interval };
        state.next = Some(at + spacing);
        Ok(Slot { at, pauses: state.pauses })
    }

    /// Whether the slot still stands. A pause takes all that were reserved before it back, also those after its end: whoever
    /// reserves anew goes from its end on, and both together would be more than the rate.
    pub fn still_open(&self, slot: Slot) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.pauses == slot.pauses
    }

    /// Holds every request back until `until`.
    pub fn pause(&self, until: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.paused_until.is_none_or(|known| known < until) {
            state.paused_until = Some(until);
            state.next = None;
            state.pauses += 1;
        }
        self.engaged.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;

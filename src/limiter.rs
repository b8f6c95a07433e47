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
}

impl Limiter {
    pub fn new(max_per_second: Option<u32>) -> Self {
        let interval = max_per_second.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Limiter { interval, engaged: AtomicBool::new(!interval.is_zero()), state: Mutex::default() }
    }

    /// Reserves the next slot: when the request may go. `Err` with how long that would take, and nothing reserved, where
    /// the slot lies past `deadline`.
    pub fn reserve(&self, now: Instant, deadline: Instant) -> Result<Instant, Duration> {
        if !self.engaged.load(Ordering::Acquire) {
            return Ok(now);
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = [state.next, state.paused_until].into_iter().flatten().fold(now, Instant::max);
        if slot > deadline {
            return Err(slot - now);
        }
        let spacing = if slot > now && self.interval.is_zero() { RELEASE } else { self.interval };
        state.next = Some(slot + spacing);
        Ok(slot)
    }

    /// Whether the slot still stands: false when a pause came over it, and a new one is to be reserved.
    pub fn still_open(&self, slot: Instant) -> bool {
        if !self.engaged.load(Ordering::Acquire) {
            return true;
        }
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.paused_until.is_none_or(|until| until <= slot)
    }

    /// Holds every request back until `until`.
    pub fn pause(&self, until: Instant) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.paused_until.is_none_or(|known| known < until) {
            state.paused_until = Some(until);
            state.next = None; // whoever waits reserves again, from the end of the pause on
        }
        self.engaged.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests;

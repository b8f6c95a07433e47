//! The thread of a queue. It runs a fiber for each message in flight: what waits in one lets the others go on.

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Shared;
use crate::sys::{self, Fiber, Found, Interest, PollSet, Ready};

/// The longest sleep. Other code may have closed the descriptor that wakes the thread, and opened another file under its
/// number.
pub(super) const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The longest sleep where it is known that nothing wakes the thread.
const BLIND_SLEEP: Duration = Duration::from_millis(5);

pub(super) struct Driver {
    shared: Arc<Shared>,
    fibers: Vec<Fiber>,
    /// The fibers that have no message, the last one on top: its stack is in the caches.
    parked: Vec<usize>,
    has_no_more_fibers: bool,
    poll: PollSet,
    /// For each fiber that waits: its number, and the places of its interests in `poll`.
    places: Vec<(usize, Vec<usize>)>,
    /// Whether the descriptor that wakes this thread is still its own.
    can_be_woken: bool,
    forks: u64,
}

impl Driver {
    pub fn new(shared: Arc<Shared>) -> Self {
        Driver {
            shared,
            fibers: Vec::new(),
            parked: Vec::new(),
            has_no_more_fibers: false,
            poll: PollSet::default(),
            places: Vec::new(),
            can_be_woken: true,
            forks: sys::forks(),
        }
    }

    /// Runs until the queue ends and no message is in flight.
    pub fn run(mut self) {
        loop {
            self.begin();
            if sys::forks() != self.forks {
                // A callback or a waker forked, and this is the child. All of this belongs to the parent.
                return mem::forget(self);
            }
            match self.shared.sleep() {
                Some(until) => self.wait(until),
                None if self.parked.len() == self.fibers.len() => return self.end(),
                None => self.wait(Instant::now() + BLIND_SLEEP), // the last messages are being cancelled
            }
        }
    }

    /// Begins messages on parked and on new fibers, as long as there are any to begin.
    fn begin(&mut self) {
        while self.shared.can_begin() {
            let number = match self.parked.pop() {
                Some(number) => number,
                None if self.has_no_more_fibers => return,
                None => match self.add_fiber() {
                    Ok(()) => self.fibers.len() - 1,
                    Err(error) => {
                        self.has_no_more_fibers = true;
                        self.shared.limit_in_flight(self.fibers.len(), &error);
                        return;
                    }
                },
            };
            self.resume(number, Ok(Ready::default()));
        }
    }

    fn add_fiber(&mut self) -> io::Result<()> {
        let (shared, number) = (self.shared.clone(), self.fibers.len());
        let signal = shared.add_worker();
        self.fibers.push(Fiber::new(move || shared.work(number, &signal))?);
        Ok(())
    }

    fn resume(&mut self, number: usize, ready: io::Result<Ready>) {
        let fiber = &mut self.fibers[number];
        if !fiber.resume(ready) || fiber.waits_for().is_none() {
            self.parked.push(number);
        }
    }

    /// Waits until a fiber can go on, this thread is woken, or `until`. Then lets the fibers go on that can.
    fn wait(&mut self, until: Instant) {
        self.collect();
        let now = Instant::now();
        let longest = if self.can_be_woken { LONGEST_SLEEP } else { BLIND_SLEEP };
        let waits = self.fibers.iter().filter_map(|fiber| fiber.waits_for().map(|(_, until)| until));
        let until = waits.fold(until, Instant::min);
        self.poll.poll(until.saturating_duration_since(now).min(longest));
        let was_cancelled = self.shared.wake_up();
        if self.can_be_woken && self.poll.found(0) != Found::Nothing {
            self.can_be_woken = self.poll.found(0) == Found::Ready && self.shared.take_wake();
        }
        let now = Instant::now();
        for (number, places) in mem::take(&mut self.places) {
            let is_due = self.fibers[number].waits_for().is_none_or(|(_, until)| until <= now);
            match self.ready(&places) {
                Ok(ready) if !ready.any() && !is_due && !was_cancelled => {}
                ready => self.resume(number, ready),
            }
        }
    }

    /// Collects what all fibers wait for. The descriptor of the client's cancel signal, which all have, only once.
    fn collect(&mut self) {
        self.poll.clear();
        let wake = if self.can_be_woken { self.shared.wake_interest() } else { Interest::NONE };
        self.poll.add(wake);
        let mut common: Option<(Interest, usize)> = None;
        for (number, fiber) in self.fibers.iter().enumerate() {
            let Some((interests, _)) = fiber.waits_for() else {
                continue;
            };
            let mut places = Vec::with_capacity(interests.len());
            for (index, interest) in interests.iter().enumerate() {
                match common {
                    Some((same, place)) if same == *interest => places.push(place),
                    _ => {
                        let place = self.poll.len();
                        self.poll.add(*interest);
                        places.push(place);
                        if common.is_none() && index > 0 {
                            common = Some((*interest, place));
                        }
                    }
                }
            }
            self.places.push((number, places));
        }
    }

    fn ready(&self, places: &[usize]) -> io::Result<Ready> {
        let mut ready = Ready::default();
        for (index, place) in places.iter().enumerate() {
            match self.poll.found(*place) {
                Found::Nothing => {}
                Found::Ready => ready.set(index),
                Found::NotOpen => return Err(sys::not_open()),
            }
        }
        Ok(ready)
    }

    /// Lets every fiber return.
    fn end(mut self) {
        for number in mem::take(&mut self.parked) {
            self.fibers[number].resume(Ok(Ready::default()));
        }
    }
}

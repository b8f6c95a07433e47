//! The driver of a queue: its one thread. It runs a fiber for each message in flight; what waits in one lets the others
//! go on.

use std::io;
use std::mem::ManuallyDrop;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::order::Job;
use super::state::State;
use super::worker::Worker;
use super::{Finish, Shared, no_memory, not_started};
use crate::http::Stop;
use crate::model::outcome::{Error, Outcome, Status};
use crate::sys::{self, Fiber, Found, Interest, PollSet, Ready, Watch, panic};

/// How long outcomes may wait until the descriptor tells of them, while messages enough wait to keep all connections busy.
/// To wake the thread that takes them costs as much as a fifth of sending a message.
const GATHER: Duration = Duration::from_millis(1);

/// The longest sleep. Other code may have closed the descriptor that wakes the thread, and opened another file under its
/// number.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// The longest sleep where it is known that nothing wakes the thread.
const BLIND_SLEEP: Duration = Duration::from_millis(5);

struct Driver {
    shared: Arc<Shared>,
    fibers: Vec<Fiber>,
    /// The fibers that have no message, the last one on top: its stack is in the caches.
    parked: Vec<usize>,
    /// When to try to make further fibers, after there was no memory for one.
    try_again: Option<Instant>,
    poll: PollSet,
    /// The fibers that wait.
    waits: Vec<Wait>,
    /// The place in `poll` of each interest of these.
    places: Vec<usize>,
    /// Whether the descriptor that wakes this thread is still its own.
    can_be_woken: bool,
    forks: u64,
}

/// A fiber that waits: its number, and how many of the places are its own.
struct Wait {
    fiber: usize,
    places: usize,
}

/// Starts the driver, with its first message in the queue. An error if no thread can be started: then the message is taken
/// out again.
pub(super) fn start(shared: &Arc<Shared>, state: &mut State) -> Result<(), Error> {
    let shared = shared.clone();
    match sys::start_thread("userengage", move || drive(&shared)) {
        Ok(driver) => {
            state.driver = Some(driver);
            Ok(())
        }
        Err(error) => {
            state.order.remove_last_added();
            Err(not_started(&error))
        }
    }
}

/// The life of the thread.
fn drive(shared: &Arc<Shared>) {
    // To drop a fiber that waits unwinds its stack, and the code there would catch that as a panic of its own and go on. So
    // after a panic, and in the child of a fork, the fibers are leaked.
    let mut driver = ManuallyDrop::new(Driver::new(shared.clone()));
    match panic::contain(shared.is_guarded, || driver.run()) {
        Some(Ended::AllFibers) => drop(ManuallyDrop::into_inner(driver)),
        Some(Ended::InChild) => {}
        None => shared.fail(),
    }
}

enum Ended {
    AllFibers,
    /// A callback or a waker forked, and this is the child. All of this belongs to the parent.
    InChild,
}

impl Driver {
    fn new(shared: Arc<Shared>) -> Self {
        Driver {
            shared,
            fibers: Vec::new(),
            parked: Vec::new(),
            try_again: None,
            poll: PollSet::default(),
            waits: Vec::new(),
            places: Vec::new(),
            can_be_woken: true,
            forks: sys::forks(),
        }
    }

    fn is_in_child(&self) -> bool {
        self.forks != sys::forks()
    }

    /// Runs until the queue ends and no message is in flight.
    fn run(&mut self) -> Ended {
        while !self.is_in_child() {
            self.begin();
            if self.is_in_child() {
                break;
            }
            match self.shared.before_sleep() {
                Some(until) => self.wait(until),
                None if self.is_in_child() => break,
                None if self.parked.len() == self.fibers.len() => return self.end(),
                None => self.wait(Instant::now() + BLIND_SLEEP), // the last messages are being cancelled
            }
        }
        Ended::InChild
    }

    /// Begins messages on parked and on new fibers, as long as there are any to begin.
    fn begin(&mut self) {
        while !self.is_in_child() && self.shared.lock().can_begin() {
            #[cfg(test)]
            self.shared.panic_if_told();
            let number = match self.parked.pop() {
                Some(number) => number,
                None if self.try_again.is_some() => return,
                None => match self.add_fiber() {
                    Ok(()) => self.fibers.len() - 1,
                    Err(error) => return self.do_without_more_fibers(&error),
                },
            };
            self.resume(number, Ok(Ready::default()));
        }
    }

    fn add_fiber(&mut self) -> io::Result<()> {
        let (shared, number, worker) = (self.shared.clone(), self.fibers.len(), Worker::new());
        let signal = worker.signal.clone();
        self.fibers.push(Fiber::new(move || shared.work(number, &signal))?);
        self.shared.lock().workers.push(worker);
        Ok(())
    }

    /// There is no memory for another fiber: goes on with those it has, for a while. Without any, no message can be sent now;
    /// the next one is a new try.
    fn do_without_more_fibers(&mut self, error: &io::Error) {
        let mut state = self.shared.lock();
        if self.fibers.is_empty() {
            let finish = self.shared.end_waiting(&mut state, |_| true, |_| no_memory(error).into_outcome());
            drop(state);
            finish.wake();
        } else {
            self.try_again = Some(Instant::now() + LONGEST_SLEEP);
            state.most_in_flight = self.fibers.len();
        }
    }

    fn resume(&mut self, number: usize, ready: io::Result<Ready>) {
        let fiber = &mut self.fibers[number];
        if !fiber.resume(ready) || fiber.waits_for().is_none() {
            self.parked.push(number);
        }
    }

    /// Waits until a fiber can go on, this thread is woken, or `until`. Then lets the fibers go on that can.
    fn wait(&mut self, until: Instant) {
        let until = self.collect().map_or(until, |first| first.min(until));
        let longest = if self.can_be_woken { LONGEST_SLEEP } else { BLIND_SLEEP };
        let polled = self.poll.poll(until.saturating_duration_since(Instant::now()).min(longest));
        if polled.is_err() {
            thread::sleep(BLIND_SLEEP); // the host allows fewer descriptors than are to be polled
        }
        if self.try_again.is_some_and(|at| at <= Instant::now()) {
            self.try_again = None;
            self.shared.lock().most_in_flight = self.shared.core.max_connections();
        }
        let was_cancelled = self.shared.lock().driver_woke_up();
        if self.can_be_woken && self.poll.found(0) != Found::Nothing {
            self.can_be_woken = self.poll.found(0) == Found::Ready && self.shared.wake.clear();
        }
        let (now, mut place) = (Instant::now(), 0);
        for index in 0..self.waits.len() {
            let Wait { fiber, places } = self.waits[index];
            let ready = match &polled {
                Ok(()) => self.ready(place, places),
                Err(error) => Err(io::Error::from(error.kind())),
            };
            place += places;
            let is_due = || self.fibers[fiber].waits_for().is_some_and(|(_, until)| until <= now);
            match ready {
                Ok(ready) if !ready.any() && !was_cancelled && !is_due() => {}
                ready => self.resume(fiber, ready),
            }
            if self.is_in_child() {
                return;
            }
        }
    }

    /// Collects what all fibers wait for. Returns when the first of them wants to go on in any case.
    fn collect(&mut self) -> Option<Instant> {
        self.poll.clear();
        self.waits.clear();
        self.places.clear();
        self.poll.add(if self.can_be_woken { self.shared.wake.interest() } else { Interest::NONE });
        // Every fiber waits for the client's cancel signal, too: it is polled once.
        let Watch::Poll(of_client) = self.shared.process.context.signal().watch() else {
            return Some(Instant::now() + BLIND_SLEEP);
        };
        let (mut first, mut place_of_client) = (None, None);
        for (number, fiber) in self.fibers.iter().enumerate() {
            let Some((interests, until)) = fiber.waits_for() else {
                continue;
            };
            first = Some(first.map_or(until, |first: Instant| first.min(until)));
            self.waits.push(Wait { fiber: number, places: interests.len() });
            for interest in interests {
                let place = if *interest == of_client { place_of_client } else { None };
                let place = place.unwrap_or_else(|| self.poll.add(*interest));
                if *interest == of_client {
                    place_of_client = Some(place);
                }
                self.places.push(place);
            }
        }
        first
    }

    /// What was found for a fiber whose places begin at `first`.
    fn ready(&self, first: usize, count: usize) -> io::Result<Ready> {
        let mut ready = Ready::default();
        for (index, place) in self.places[first..first + count].iter().enumerate() {
            match self.poll.found(*place) {
                Found::Nothing => {}
                Found::Ready => ready.set(index),
                Found::NotOpen => return Err(sys::not_open()),
            }
        }
        Ok(ready)
    }

    /// Lets every fiber return.
    fn end(&mut self) -> Ended {
        for number in 0..self.fibers.len() {
            self.fibers[number].resume(Ok(Ready::default()));
        }
        Ended::AllFibers
    }
}

impl Shared {
    /// Ends what is due, and makes the descriptor readable for what is finished. Returns until when the driver may sleep;
    /// `None` if the queue has ended, or if a waker forked and this is the child.
    fn before_sleep(&self) -> Option<Instant> {
        let forks = sys::forks();
        let mut state = self.lock();
        if state.has_ended {
            return None;
        }
        let now = Instant::now();
        if state.next_expiry.is_some_and(|at| at <= now) {
            let is_due = |job: &Job| job.deadline.is_some_and(|deadline| deadline <= now);
            let finish = self.end_waiting(&mut state, is_due, |job| self.not_begun(job, Stop::Deadline));
            state.next_expiry = state.order.first_deadline();
            drop(state);
            finish.wake();
            if sys::forks() != forks {
                return None;
            }
            state = self.lock();
        }
        let mut until = state.next_expiry.unwrap_or(now + LONGEST_SLEEP);
        let gathered = state.finished.readable_since + GATHER;
        if state.has_enough_waiting() && now < gathered {
            until = until.min(gathered);
        } else {
            self.set_readable(&mut state);
        }
        if state.keeps_driver_awake() {
            return Some(now);
        }
        state.let_driver_sleep();
        Some(until)
    }

    /// The driver has panicked, which is a bug. Every message gets its outcome, and the next one starts another driver.
    fn fail(&self) {
        let mut state = self.lock();
        let mut finish = Finish::default();
        for tag in state.forget_driver() {
            finish.add(&mut state, tag, Outcome::panicked());
        }
        let text = "A fault of libuserengage was contained. The message was not delivered. Please report this.";
        finish.extend(self.end_waiting(&mut state, |_| true, |_| Outcome::not_sent(Status::Internal, text)));
        drop(state);
        finish.wake();
    }
}

#[cfg(test)]
mod tests;

//! [`Submission`]: one message of a queue, as a future.

use std::fmt;
use std::future::Future;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Shared, Tag};
use crate::model::outcome::{Delivery, Error, Outcome, Status};
use crate::sys;

/// A message that was submitted to a queue. Await it, on any runtime, or [`wait`](Submission::wait) for it. Dropping it
/// ends the message, as [`cancel`](Submission::cancel) does, and what became of it is then told to nobody.
///
/// The waker of a task that awaits it is woken on the queue's one thread: it must not block, nor wait for the queue.
#[must_use = "dropping it cancels the message"]
pub struct Submission {
    shared: Arc<Shared>,
    slot: Arc<Slot>,
    forks: u64,
}

/// Where the outcome of a submitted message is put.
#[derive(Default)]
pub(crate) struct Slot {
    state: Mutex<SlotState>,
    finished: Condvar,
}

#[derive(Default)]
struct SlotState {
    outcome: Option<Outcome>,
    is_finished: bool,
    waker: Option<Waker>,
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, SlotState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the outcome in, and wakes those who block. Returns the waker of a future, to be woken without a lock.
    pub fn finish(&self, outcome: Outcome) -> Option<Waker> {
        let mut state = self.lock();
        state.outcome = Some(outcome);
        state.is_finished = true;
        self.finished.notify_all();
        state.waker.take()
    }
}

/// Wakes a waker of the host. One that panics must not end the driver, which has more messages.
pub(super) fn wake(waker: Waker) {
    let woken = panic::catch_unwind(AssertUnwindSafe(|| sys::outside_of_fibers(|| waker.wake())));
    if let Err(payload) = woken {
        mem::forget(payload); // to drop it could panic again
    }
}

impl Submission {
    pub(super) fn new(shared: Arc<Shared>, slot: Arc<Slot>) -> Self {
        Submission { shared, slot, forks: sys::forks() }
    }

    /// Waits for the outcome, and blocks this thread.
    ///
    /// # Errors
    /// As [`Client::send_conversation`](crate::Client::send_conversation). In the child of a `fork()`
    /// [`Status::Cancelled`], with [`Delivery::Unknown`]: the message is the parent's.
    pub fn wait(self) -> Result<Outcome, Error> {
        if self.has_forked() {
            return Err(forked());
        }
        let mut state = self.slot.lock();
        while !state.is_finished {
            state = self.slot.finished.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        taken(&mut state)
    }

    /// Ends the message at once, unless it is finished: it becomes [`Status::Cancelled`], with what is known of it.
    pub fn cancel(&self) {
        if !self.has_forked() && !self.slot.lock().is_finished {
            self.shared.cancel(|tag| matches!(tag, Tag::Submission(slot) if Arc::ptr_eq(slot, &self.slot)));
        }
    }

    fn has_forked(&self) -> bool {
        self.forks != sys::forks()
    }
}

impl Future for Submission {
    type Output = Result<Outcome, Error>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.has_forked() {
            return Poll::Ready(Err(forked()));
        }
        let waker = context.waker().clone();
        let mut state = self.slot.lock();
        if state.is_finished {
            return Poll::Ready(taken(&mut state));
        }
        let before = state.waker.replace(waker);
        drop(state);
        drop(before); // without the lock: it is the host's code
        Poll::Pending
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl fmt::Debug for Submission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submission").finish_non_exhaustive()
    }
}

/// The outcome, once. A future that is polled again after its end gets an error.
fn taken(state: &mut SlotState) -> Result<Outcome, Error> {
    let again = || {
        let mut outcome = Outcome::new(Status::InvalidArgument, Delivery::Unknown);
        outcome.text = "The outcome of this submission was taken before: poll or wait for it once.".into();
        outcome
    };
    state.outcome.take().unwrap_or_else(again).into_result()
}

fn forked() -> Error {
    let mut outcome = Outcome::new(Status::Cancelled, Delivery::Unknown);
    outcome.text =
        "This process is a copy that fork() made after the message was submitted. Whether it was delivered is \
                    unknown. The parent gets the outcome."
            .into();
    Error::new(outcome)
}

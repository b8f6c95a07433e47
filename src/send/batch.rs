//! Sends many messages: fills a queue and empties it, on the calling thread, which also runs the callbacks.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::http::{CallContext, Stop};
use crate::model::message::Message;
use crate::model::options::{BatchFlow, BatchOptions, QueueOptions};
use crate::model::outcome::{Delivery, Error, Outcome, Status};
use crate::send::attempts;
use crate::send::client::Core;
use crate::send::queue::{Backlog, Queue, Shared, Tag};
use crate::sys::{self, CancelReason, Lease, panic};

/// The messages of a batch, by index.
pub(crate) trait Messages {
    fn count(&self) -> usize;

    /// The message. An error if it cannot be read.
    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error>;
}

impl Messages for [Message<'_>] {
    fn count(&self) -> usize {
        self.len()
    }

    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error> {
        Ok(Cow::Borrowed(&self[index]))
    }
}

impl<M: Messages + ?Sized> Messages for &M {
    fn count(&self) -> usize {
        (**self).count()
    }

    fn get<'a>(&'a self, index: usize) -> Result<Cow<'a, Message<'a>>, Error> {
        (**self).get(index)
    }
}

/// How many messages a batch keeps ready for each connection, so that no fiber waits for the calling thread.
const AHEAD: usize = 32;

/// How many outcomes may wait for the callback, if there are fewer connections than this. Then no further message is begun.
const UNTOLD: usize = 8;

/// After how many outcomes the queue hears that the callback was told of them: it takes its lock for that.
const TOLD_AT_ONCE: usize = 4;

/// How many bytes of messages a batch keeps ready. More only if a single message has more.
const AHEAD_BYTES: usize = 4 << 20;

/// Sends every message over a queue, and passes each outcome to `on_outcome`, on this thread, which says how the batch
/// goes on. Messages are copied into the queue shortly before their turn.
///
/// # Errors
/// The outcome of every message that was not passed to `on_outcome`.
pub(crate) fn run(
    core: Lease<Core>,
    messages: &dyn Messages,
    options: &BatchOptions,
    on_outcome: &mut dyn FnMut(usize, Outcome) -> BatchFlow,
) -> Result<(), Error> {
    let of_queue = QueueOptions {
        capacity: u32::MAX,
        max_failures_in_a_row: options.max_failures_in_a_row,
        ..QueueOptions::default()
    };
    let queue = Queue::lent(core.clone(), of_queue)?;
    let context = core.process()?.context.for_call(options.cancel.as_ref().map(|cancel| cancel.signal().clone()));
    let connections = core.max_connections();
    queue.shared()?.limit_untold(connections + connections.max(UNTOLD));
    let ahead = AHEAD * connections;
    let batch = Batch { core: &core, messages, queue: queue.shared()?, context: &context, ahead };
    batch.run(&mut Progress { left: messages.count(), next: 0, ending: None, on_outcome })
}

struct Batch<'a> {
    core: &'a Core,
    messages: &'a dyn Messages,
    queue: &'a Arc<Shared>,
    context: &'a CallContext,
    ahead: usize,
}

/// How far a batch is.
struct Progress<'a> {
    /// How many messages have no outcome yet.
    left: usize,
    /// The index of the first message that was not pushed.
    next: usize,
    /// Set when no further message is begun.
    ending: Option<Ending>,
    on_outcome: &'a mut dyn FnMut(usize, Outcome) -> BatchFlow,
}

/// Why a batch begins no more messages.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The messages in flight are finished.
    Finish,
    /// The messages in flight are ended, too.
    Abort(CancelReason),
}

impl Batch<'_> {
    /// A callback may fork. The child returns at once: it has no driver, and the outcomes belong to the parent.
    fn run(&self, progress: &mut Progress<'_>) -> Result<(), Error> {
        // The longest wait before the queue is looked at again. Other code may have closed the descriptor and opened
        // another file under its number; then nothing wakes this thread.
        const LONGEST_WAIT: Duration = Duration::from_secs(1);
        self.check(progress)?; // it may be cancelled already
        loop {
            self.fill(progress)?;
            if progress.left == 0 {
                return Ok(());
            }
            let interests = [self.queue.interest()];
            if matches!(progress.ending, Some(Ending::Abort(_))) {
                // The messages in flight end by themselves. The interrupt callback is not called any more.
                if sys::poll(&interests, LONGEST_WAIT).is_err() {
                    let _ = sys::poll(&[], Duration::from_millis(10)); // a signal arrived, or the descriptor is closed
                }
            } else {
                let waited = self.context.until_ready(&interests, Instant::now() + LONGEST_WAIT).map(|_| ());
                self.abort_after(waited, progress)?;
            }
            let (mut taken, before, mut told) = (Ok(()), progress.left, 0);
            self.queue.take(usize::MAX, &mut |index, outcome| {
                if taken.is_ok() {
                    taken = self.tell(index, outcome, progress);
                    told += 1;
                    if told % TOLD_AT_ONCE == 0 && taken.is_ok() {
                        self.queue.told(TOLD_AT_ONCE);
                    }
                }
            });
            if taken.is_ok() && !self.context.has_forked() {
                self.queue.told(told % TOLD_AT_ONCE);
            }
            taken?;
            if progress.left == before && self.queue.has_lost_its_descriptor() {
                let _ = sys::poll(&[], Duration::from_millis(10)); // another file under its number is always readable
            }
            self.check(progress)?; // a log callback may have forked
        }
    }

    /// Pushes messages until enough wait. If no further one is begun, the rest gets its outcome.
    fn fill(&self, progress: &mut Progress<'_>) -> Result<(), Error> {
        let count = self.messages.count();
        let mut waiting = self.queue.waiting();
        while progress.next < count && self.has_room(waiting) {
            let index = progress.next;
            progress.next += 1;
            let refused = match progress.ending {
                None => match self.push(index) {
                    Ok(backlog) => {
                        waiting = backlog;
                        continue;
                    }
                    Err(error) => error.into_outcome(),
                },
                Some(ending) => self.not_begun(index, ending),
            };
            self.tell(index, refused, progress)?;
        }
        Ok(())
    }

    fn has_room(&self, waiting: Backlog) -> bool {
        waiting.messages == 0 || waiting.messages < self.ahead && waiting.bytes < AHEAD_BYTES
    }

    fn push(&self, index: usize) -> Result<Backlog, Error> {
        // A panic of ours while a message is read must not end the batch.
        let message = panic::contain(panic::is_guarded(), || self.messages.get(index));
        let message = message.unwrap_or_else(|| Err(Error::new(Outcome::panicked())))?;
        self.queue.push(&message, Tag::Value(index))
    }

    /// The outcome of a message that was not pushed.
    fn not_begun(&self, index: usize, ending: Ending) -> Outcome {
        let stop = match ending {
            Ending::Finish => Stop::Cancelled,
            Ending::Abort(reason) => reason.into(),
        };
        match self.messages.get(index) {
            Ok(message) => attempts::not_begun(stop, &message, self.core.api_key(), Duration::ZERO),
            Err(error) => error.into_outcome(),
        }
    }

    /// Passes an outcome on, and does what the callback says.
    fn tell(&self, index: usize, outcome: Outcome, progress: &mut Progress<'_>) -> Result<(), Error> {
        progress.left -= 1;
        let flow = (progress.on_outcome)(index, outcome);
        // Check after each: a callback may take long, and there may be many.
        self.check(progress)?;
        match (flow, progress.ending) {
            (BatchFlow::Finish, None) => {
                progress.ending = Some(Ending::Finish);
                self.queue.stop(CancelReason::Cancelled);
            }
            (BatchFlow::Abort, None | Some(Ending::Finish)) => self.abort(CancelReason::Cancelled, progress),
            _ => {}
        }
        Ok(())
    }

    /// Checks for a fork, and whether something has ended the batch.
    fn check(&self, progress: &mut Progress<'_>) -> Result<(), Error> {
        let waited = match progress.ending {
            Some(Ending::Abort(_)) => Ok(()),
            _ => self.context.check_time(Instant::now() + Duration::from_secs(1)),
        };
        self.abort_after(waited, progress)
    }

    /// Ends the messages in flight if something other than an outcome or the time ended a wait.
    fn abort_after(&self, waited: Result<(), Stop>, progress: &mut Progress<'_>) -> Result<(), Error> {
        if self.context.has_forked() {
            return Err(forked());
        }
        match waited {
            Ok(()) | Err(Stop::Deadline) => {}
            Err(Stop::Closed) => self.abort(CancelReason::Closed, progress),
            Err(Stop::Cancelled | Stop::Forked) => self.abort(CancelReason::Cancelled, progress),
            Err(Stop::System(_)) => self.abort(CancelReason::Broken, progress),
        }
        Ok(())
    }

    fn abort(&self, reason: CancelReason, progress: &mut Progress<'_>) {
        progress.ending = Some(Ending::Abort(reason));
        self.queue.abort(reason);
    }
}

/// The outcome in the child of a fork, for every message that the parent still sends.
fn forked() -> Error {
    let mut outcome = Outcome::new(Status::Cancelled, Delivery::Unknown);
    outcome.text = "This process is a copy that fork() made during the call, which goes on in the parent. Whether the \
                    message was delivered is unknown. The parent gets the outcome."
        .into();
    Error::new(outcome)
}

#[cfg(test)]
mod tests;

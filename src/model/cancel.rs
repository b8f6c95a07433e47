//! [`Cancel`]: ends calls from another thread.

use std::fmt;
use std::sync::Arc;

use crate::model::outcome::{Error, Outcome, Status};
use crate::sys::{CancelReason, CancelSignal};

/// Ends the calls that send a message with it. Cheap to clone; the clones are one.
///
/// Costs two descriptors. A child that inherits one through `fork()` makes its own pair for it; to cancel in the one
/// process has no effect in the other.
#[derive(Clone)]
pub struct Cancel(Arc<CancelSignal>);

impl Cancel {
    /// Makes one that is not triggered.
    ///
    /// # Errors
    /// [`Status::Connect`] if the process has no descriptors left.
    pub fn new() -> Result<Self, Error> {
        match CancelSignal::new() {
            Ok(signal) => Ok(Cancel(Arc::new(signal))),
            Err(error) => Err(Error::new(Outcome::not_sent(
                Status::Connect,
                format!("No pair of sockets could be made: {error}. Check how many files this process has open."),
            ))),
        }
    }

    /// Ends the calls that have it, now and later, with [`Status::Cancelled`] and what is known of each message; a message
    /// that waits in a queue ends at its turn. From any
    /// thread, any number of times, also from a signal handler.
    pub fn trigger(&self) {
        self.0.cancel(CancelReason::Cancelled);
    }

    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        self.0.reason().is_some()
    }

    pub(crate) fn signal(&self) -> &Arc<CancelSignal> {
        &self.0
    }
}

/// Two are equal if one is a clone of the other.
impl PartialEq for Cancel {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Cancel {}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_triggered()).finish()
    }
}

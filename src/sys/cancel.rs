//! [`CancelSignal`]: ends waits from another thread, or from a signal handler.

use std::io;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Interest, PerProcess, Wakeup};

/// Ends all waits that watch it, now and later. It wakes them over a pair of sockets; the child of a fork makes its own.
#[derive(Debug)]
pub(crate) struct CancelSignal {
    reason: AtomicU8,
    /// `None` if who cancels also wakes the waits.
    wakeup: Option<PerProcess<Wakeup>>,
}

/// How a wait learns of a cancel signal.
pub(crate) enum Watch {
    Poll(Interest),
    /// Who cancels wakes the wait.
    Woken,
    /// The child of a fork has no descriptors left: check the signal at intervals.
    AtIntervals,
}

/// Why waits are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelReason {
    Closed = 1,
    Cancelled = 2,
    /// The descriptors that would wake the waits are gone.
    Broken = 3,
}

impl CancelSignal {
    pub fn new() -> io::Result<Self> {
        Ok(CancelSignal { reason: AtomicU8::new(0), wakeup: Some(PerProcess::new(Wakeup::new()?)) })
    }

    /// One that wakes nobody: for fibers, whose thread is woken another way.
    pub fn without_wake() -> Self {
        CancelSignal { reason: AtomicU8::new(0), wakeup: None }
    }

    /// Ends all waits. The reason of the first call counts. Safe in a signal handler: atomics, fstat(2) and write(2).
    pub fn cancel(&self, reason: CancelReason) {
        let is_first = self.reason.compare_exchange(0, reason as u8, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        // The byte stays unread, so it wakes every wait. One is enough.
        if is_first && let Some(wakeup) = self.wakeup.as_ref().and_then(PerProcess::existing) {
            wakeup.set();
        }
    }

    /// Takes back [`CancelSignal::cancel`], of a signal that wakes nobody. Nothing may cancel it meanwhile.
    pub fn reset(&self) {
        debug_assert!(self.wakeup.is_none());
        self.reason.store(0, Ordering::SeqCst);
    }

    /// Whether nobody has cancelled.
    #[inline]
    pub fn is_quiet(&self) -> bool {
        self.reason.load(Ordering::SeqCst) == 0
    }

    /// The reason of [`CancelSignal::cancel`]; `None` before it.
    pub fn reason(&self) -> Option<CancelReason> {
        match self.reason.load(Ordering::SeqCst) {
            0 => None,
            reason if reason == CancelReason::Closed as u8 => Some(CancelReason::Closed),
            reason if reason == CancelReason::Cancelled as u8 => Some(CancelReason::Cancelled),
            _ => Some(CancelReason::Broken),
        }
    }

    /// How to learn of the signal. Look at [`CancelSignal::reason`] after this, not before.
    pub fn watch(&self) -> Watch {
        match self.wakeup.as_ref().map(|wakeup| wakeup.current(Wakeup::new)) {
            None => Watch::Woken,
            Some(Ok(wakeup)) => Watch::Poll(wakeup.interest()),
            Some(Err(_)) => Watch::AtIntervals,
        }
    }

    /// Makes the descriptor readable without a cancel, as if other code had opened a file under its number.
    #[cfg(test)]
    pub fn disturb(&self) {
        self.wakeup.as_ref().and_then(PerProcess::existing).unwrap().disturb();
    }
}

#[cfg(test)]
mod tests;

//! [`CancelSignal`]: ends waits from another thread, or from a signal handler.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use super::{Interest, Pair, PerProcess, pair};

/// Ends all waits that watch it, now and later. It wakes them over a pair of sockets; the child of a fork makes its own.
#[derive(Debug)]
pub(crate) struct CancelSignal {
    reason: AtomicU8,
    /// `None` if who cancels also wakes the waits.
    ends: Option<PerProcess<Ends>>,
}

/// How a wait learns of a cancel signal.
pub(crate) enum Watch {
    Poll(Interest),
    /// Who cancels wakes the wait.
    Woken,
    /// The child of a fork has no descriptors left: check the signal at intervals.
    AtIntervals,
}

#[derive(Debug)]
struct Ends {
    reader: Pair,
    writer: Pair,
}

/// Why waits are ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CancelReason {
    Closed = 1,
    Cancelled = 2,
    /// The descriptors that would wake the waits are gone.
    Broken = 3,
}

impl Ends {
    fn new() -> io::Result<Self> {
        let (reader, writer) = pair()?;
        reader.get()?.set_nonblocking(true)?;
        writer.get()?.set_nonblocking(true)?;
        Ok(Ends { reader, writer })
    }
}

impl CancelSignal {
    pub fn new() -> io::Result<Self> {
        Ok(CancelSignal { reason: AtomicU8::new(0), ends: Some(PerProcess::new(Ends::new()?)) })
    }

    /// One that wakes nobody: for fibers, whose thread is woken another way.
    pub fn without_wake() -> Self {
        CancelSignal { reason: AtomicU8::new(0), ends: None }
    }

    fn existing_ends(&self) -> Option<&Arc<Ends>> {
        self.ends.as_ref()?.existing()
    }

    /// Ends all waits. The reason of the first call counts. Safe in a signal handler: atomics, fstat(2) and write(2).
    pub fn cancel(&self, reason: CancelReason) {
        let is_first = self.reason.compare_exchange(0, reason as u8, Ordering::SeqCst, Ordering::SeqCst).is_ok();
        // The byte stays unread until a reset, so it wakes every wait. One is enough: a reset must find no other.
        if is_first
            && let Some(ends) = self.existing_ends()
            && ends.writer.is_intact()
        {
            let _ = ends.writer.get().and_then(|mut writer| io::Write::write(&mut writer, &[1]));
        }
    }

    /// Takes back [`CancelSignal::cancel`]. Nothing may wait for the signal or cancel it meanwhile.
    pub fn reset(&self) {
        if self.reason.swap(0, Ordering::SeqCst) != 0
            && let Some(ends) = self.existing_ends()
            && ends.reader.is_intact()
        {
            let _ = ends.reader.get().and_then(|mut reader| io::Read::read(&mut reader, &mut [0; 8]));
        }
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
        match self.ends.as_ref().map(|ends| ends.current(Ends::new)) {
            None => Watch::Woken,
            Some(Ok(ends)) => Watch::Poll(Interest::read(&ends.reader)),
            Some(Err(_)) => Watch::AtIntervals,
        }
    }

    /// Makes the descriptor readable without a cancel, as if other code had opened a file under its number.
    #[cfg(test)]
    pub fn disturb(&self) {
        let ends = self.existing_ends().unwrap();
        io::Write::write_all(&mut ends.writer.get().unwrap(), b"x").unwrap();
    }
}

#[cfg(test)]
mod tests;

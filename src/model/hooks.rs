//! The callbacks into the host program: a log, and an interrupt that can cancel a call.

use std::fmt;
use std::sync::Arc;

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A message was not delivered, or its delivery is unknown.
    Error = 1,
    /// An attempt failed, and a retry follows.
    Warn = 2,
    /// A message was delivered.
    Info = 3,
    /// Connections, requests and answers.
    Debug = 4,
    /// Every read and write.
    Trace = 5,
}

/// Receives log lines, on the thread that made the call; those of a [`Submission`](crate::Submission) on the queue's one
/// thread, whose stack has 512 KiB: a callback that blocks there stops every message of the queue. The lines never hold the API key or a message's content.
pub type Log = Arc<dyn Fn(Level, &str) + Send + Sync>;

/// Asks the host whether to cancel the call. Called on the thread that made the call: at once after a signal, and
/// otherwise about every 100 ms while the call lasts. `true` ends it with
/// [`Status::Cancelled`](crate::Status::Cancelled).
pub type Interrupt = Arc<dyn Fn() -> bool + Send + Sync>;

/// The callbacks of one client.
#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub log: Option<(Level, Log)>,
    pub interrupt: Option<Interrupt>,
}

impl Hooks {
    /// Logs the line that `text` makes. `text` is not called if nobody listens to this level.
    pub fn log(&self, level: Level, text: impl FnOnce() -> String) {
        if let Some((_, log)) = &self.log
            && self.listen_to(level)
        {
            log(level, &text());
        }
    }

    /// Whether lines of this level are logged.
    pub fn listen_to(&self, level: Level) -> bool {
        self.log.as_ref().is_some_and(|(least_important, _)| level <= *least_important)
    }

    /// Calls the interrupt callback, if there is one. `true` cancels the call.
    pub fn interrupted(&self) -> bool {
        self.interrupt.as_ref().is_some_and(|interrupt| interrupt())
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks")
            .field("log", &self.log.as_ref().map(|(level, _)| level))
            .field("interrupt", &self.interrupt.is_some())
            .finish()
    }
}

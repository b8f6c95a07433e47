//! The two places where the library calls its host: a log, and a question whether to go on.

use std::fmt;
use std::sync::Arc;

/// How important a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// A message was not delivered, or it is unknown whether it was.
    Error = 1,
    /// An attempt failed and is repeated.
    Warn = 2,
    /// A message was delivered.
    Info = 3,
    /// Connections, requests and answers.
    Debug = 4,
    /// Every read and write.
    Trace = 5,
}

/// Receives log lines, on the thread that is inside a call. They never hold the API key or a message's content.
pub type Log = Arc<dyn Fn(Level, &str) + Send + Sync>;

/// Asked, on the thread that is inside a call, whether to end the call: at once when a signal came in, else about every
/// 100 ms that the call lasts. `true` ends it with [`Status::Cancelled`](crate::Status::Cancelled).
pub type Interrupt = Arc<dyn Fn() -> bool + Send + Sync>;

#[derive(Clone, Default)]
pub(crate) struct Hooks {
    pub log: Option<(Level, Log)>,
    pub interrupt: Option<Interrupt>,
}

impl Hooks {
    /// Logs what `text` makes, which is not called when nobody listens.
    pub fn log(&self, level: Level, text: impl FnOnce() -> String) {
        if let Some((_, log)) = &self.log
            && self.listen_to(level)
        {
            log(level, &text());
        }
    }

    pub fn listen_to(&self, level: Level) -> bool {
        self.log.as_ref().is_some_and(|(most, _)| level <= *most)
    }

    pub fn interrupted(&self) -> bool {
        self.interrupt.as_ref().is_some_and(|asked| asked())
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

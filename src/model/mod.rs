//! Plain values: what goes in (messages, options, callbacks) and what comes out (outcomes). No I/O.

pub(crate) mod hooks;
pub(crate) mod message;
pub(crate) mod options;
pub(crate) mod outcome;

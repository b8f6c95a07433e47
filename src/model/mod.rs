//! Plain values without I/O: messages, options and callbacks as input, outcomes as output.

pub(crate) mod cancel;
pub(crate) mod hooks;
pub(crate) mod message;
pub(crate) mod options;
pub(crate) mod outcome;

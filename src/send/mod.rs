//! From a message to its outcome: the client, the attempts, what each of them proves, and what follows it.

mod assess;
mod attempts;
pub(crate) mod batch;
pub(crate) mod client;
mod detail;
mod explain;
mod process;
mod rate_limit;
mod retry;

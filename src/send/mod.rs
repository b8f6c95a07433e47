//! From a message to its outcome: the client, the attempts, the assessment of each, retries with backoff, the rate
//! limit, batches, queues.

mod assess;
mod attempts;
pub(crate) mod batch;
pub(crate) mod client;
mod detail;
mod explain;
mod process;
pub(crate) mod queue;
mod rate_limit;
mod retry;

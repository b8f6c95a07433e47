//! Tests the library against the sandbox. The sandbox's journal is the truth.

mod answers;
mod batch;
mod bounds;
mod certainty;
mod close;
mod deadline;
mod early;
mod endless;
mod interrupt;
mod limits;
mod logging;
mod proxy;
mod raw;
mod request;
mod retries;
mod support;
mod tls;

//! The library against the sandbox, whose journal is the truth.

mod batch;
mod bounds;
mod certainty;
mod close;
mod interrupt;
mod limits;
mod logging;
mod proxy;
mod request;
mod retries;
mod support;
mod tls;

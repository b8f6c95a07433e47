//! A UserEngage that runs on this machine.
//!
//! It answers the API's one call as the service does, shows every message on a page, keeps a journal of requests, and
//! fails on order. Start the binary `ue-sandbox`, or a [`Sandbox`] within a Rust test:
//!
//! ```
//! use ue_sandbox::{Options, Sandbox};
//!
//! let sandbox = Sandbox::start(Options::default())?;
//! println!("send to {}", sandbox.base_url());
//! assert_eq!(sandbox.journal().stats().requests, 0);
//! # Ok::<(), ue_sandbox::StartError>(())
//! ```

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod answer;
mod api;
mod body;
mod connection;
mod conversation;
mod data;
mod exchange;
pub mod fault;
mod guard;
mod head;
mod journal;
mod options;
mod own;
mod pages;
mod preview;
mod python_json;
mod rest;
mod sandbox;
mod server;
mod service;
mod throttle;
mod tls;
mod validate;
mod wire;

pub use conversation::{Conversation, Message};
pub use exchange::Exchange;
pub use journal::{Journal, Span, Stats};
pub use options::{API_KEY, Options};
pub use sandbox::{Sandbox, StartError};
pub use tls::TlsVersion;

use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// The state that all connections of a sandbox share.
pub(crate) struct Shared {
    pub api: api::Api,
    pub journal: Journal,
    pub faults: fault::Faults,
    /// Connections accepted so far.
    pub connections: AtomicU64,
    /// Identifies this run of the sandbox, for a page that stays open across a restart.
    pub run: u64,
    /// The output of `--json`, for the page.
    pub announcement: std::sync::OnceLock<serde_json::Value>,
}

/// Locks, and ignores poisoning: the data stay usable after another thread's panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A time as RFC 3339 has it, to the millisecond.
pub(crate) fn timestamp(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

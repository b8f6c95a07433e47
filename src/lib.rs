//! Sends conversation messages to UserEngage (User.com) and says what became of each of them.
//!
//! The service has one call, a POST that is not idempotent: sent twice, the customer sees the message twice. So every
//! outcome carries a [`Delivery`]: delivered, not delivered, or unknown. A failed attempt is repeated only where that
//! cannot show a message twice, unless [`DeliveryPolicy::AtLeastOnce`] asks for it.
//!
//! ```no_run
//! use userengage::{Client, Message, Options, Source};
//!
//! let client = Client::new("<your_64_char_api_key>", Options::default())?;
//! let message = Message::new(42, "Hi <b>user</b>, enjoy our product!").user(926).source(Source::EMAIL);
//! match client.send_conversation(&message) {
//!     Ok(outcome) => println!("delivered, conversation {:?}", outcome.conversation_id()),
//!     Err(error) => eprintln!("{error} ({:?})", error.delivery()),
//! }
//! # Ok::<(), userengage::Error>(())
//! ```
//!
//! The same library is a C shared library: `include/userengage.h` is its face there, and the Python and PHP packages
//! stand on it.
//!
//! Secrets: this crate shows neither the key nor the content, and the crates beneath it never have the key. But
//! `ureq-proto` writes answers to the `log` facade at level TRACE, and a refusal may quote the content.

// A panic is a fault of ours, never the host's to suffer.
#![deny(clippy::unwrap_used, clippy::expect_used)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod capi;
mod http;
mod model;
mod send;
mod sys;

pub use model::hooks::{Interrupt, Level, Log};
pub use model::message::{ClientUserId, Message, Source};
pub use model::options::{ApiVersion, DeliveryPolicy, Options};
pub use model::outcome::{Delivery, Error, Outcome, Status};
pub use send::client::Client;

/// The version of this library, such as `"0.1.0"`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

//! Sends conversation messages to UserEngage (User.com) and reports for each whether it was delivered.
//!
//! The service has one call, a POST that is not idempotent: if it is sent twice, the customer sees the message twice.
//! So every outcome has a [`Delivery`]: delivered, not delivered, or unknown. A failed attempt is retried, with a
//! backoff, only if that cannot show a message twice, unless [`DeliveryPolicy::AtLeastOnce`] asks for it.
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
//! The same library is a C shared library with the header `include/userengage.h`. The Python and PHP packages use that.
//!
//! Secrets: this crate redacts the API key and the content from its texts and log lines, and does not pass the key to
//! the crates that it uses. But `ureq-proto` writes answers to the `log` facade at level TRACE, and an answer may quote
//! the content.

// A panic is a bug of this library. The host program must not suffer from it.
#![deny(clippy::unwrap_used, clippy::expect_used)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod capi;
mod http;
mod model;
mod send;
mod sys;

pub use model::cancel::Cancel;
pub use model::hooks::{Interrupt, Level, Log};
pub use model::message::{ClientUserId, Message, Source};
pub use model::options::{ApiVersion, BatchFlow, BatchOptions, DeliveryPolicy, Options, QueueOptions, TimeoutFrom};
pub use model::outcome::{Delivery, Error, Outcome, Retry, Status};
pub use send::client::Client;
pub use send::queue::{Queue, Submission};

/// The version of this library, such as `"0.1.0"`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

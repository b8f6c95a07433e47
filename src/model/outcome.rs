//! The result of a call: [`Status`], [`Delivery`], [`Outcome`], [`Error`]. No text of it shows the API key or the
//! content of a message; only [`Outcome::body`] is not redacted.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

/// The kind of an outcome. The numbers are those of the C API's `ue_status` and never change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The message was delivered.
    Ok = 0,
    /// Nothing was sent: the text names the field and the reason.
    InvalidArgument = 1,
    /// No connection: DNS, connect or proxy.
    Connect = 2,
    /// No secure connection: the certificate or the handshake.
    Tls = 3,
    /// The deadline passed.
    Timeout = 4,
    /// The connection was lost before an answer arrived.
    ConnectionLost = 5,
    /// The answer is not HTTP, or not this service's own answer to the request: a redirect, a 2xx with another server's
    /// body, or a 2xx that arrived before the whole request was sent.
    BadReply = 6,
    /// 401 or 403: the key was not accepted.
    Unauthorized = 7,
    /// 404: the user does not exist.
    NotFound = 8,
    /// Any other 4xx: the service refused the message. A 408 does not always prove that: see [`Outcome::delivery`].
    Rejected = 9,
    /// 429: too many requests. Without an [`Outcome::http_status`] nothing was sent: the rate limit (`max_per_second`),
    /// or the pause after a 429, does not let the request go before the deadline.
    RateLimited = 10,
    /// 5xx: the service failed.
    ServerError = 11,
    /// The client was closed.
    Closed = 12,
    /// The call was cancelled: by its [`Cancel`](crate::Cancel), the interrupt callback, or the end of its batch or queue.
    /// Or a callback forked and this is the child: then the call continues in the parent.
    Cancelled = 13,
    /// A bug in this library. It was caught.
    Internal = 14,
    /// The queue holds as many messages as its capacity allows: take finished ones, then push again.
    QueueFull = 15,
    /// Nothing was sent: `max_failures_in_a_row` messages before this one failed for reasons that are not theirs.
    Suspended = 16,
}

/// What is known about a message: can it be sent again without the risk of showing it twice?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Delivery {
    /// The request was sent, and nothing proves whether the service accepted it.
    Unknown = 100,
    /// The request was not sent completely, or it was refused: sending it again is safe.
    NotDelivered = 101,
    /// The service accepted the message: do not send it again.
    Delivered = 102,
}

/// Whether sending a message again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Retry {
    /// The customer may have seen the message: a person, or the application, has to decide.
    Decide = 200,
    /// The message was not delivered. Sending it again later is safe, and can help: the network, the service, the API
    /// key or the configuration was at fault, not the message.
    Later = 201,
    /// The message was delivered, or it will fail again: its content or its user is wrong.
    Never = 202,
}

/// The outcome of sending one message, with everything that is known about it.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    pub(crate) status: Status,
    pub(crate) delivery: Delivery,
    pub(crate) retry: Retry,
    pub(crate) may_be_duplicate: bool,
    pub(crate) http_status: Option<u16>,
    pub(crate) conversation_id: Option<i64>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) attempts: u32,
    pub(crate) elapsed: Duration,
    pub(crate) request_id: String,
    pub(crate) detail: String,
    pub(crate) text: String,
    pub(crate) body: Vec<u8>,
}

impl Outcome {
    pub(crate) fn new(status: Status, delivery: Delivery) -> Self {
        let retry = match (status, delivery) {
            (Status::Ok | Status::InvalidArgument, _) | (_, Delivery::Delivered) => Retry::Never,
            (_, Delivery::Unknown) => Retry::Decide,
            (_, Delivery::NotDelivered) => Retry::Later,
        };
        Outcome {
            status,
            delivery,
            retry,
            may_be_duplicate: false,
            http_status: None,
            conversation_id: None,
            retry_after: None,
            attempts: 0,
            elapsed: Duration::ZERO,
            request_id: String::new(),
            detail: String::new(),
            text: String::new(),
            body: Vec::new(),
        }
    }

    /// The outcome of a message for which no attempt was made.
    pub(crate) fn not_sent(status: Status, text: impl Into<String>) -> Self {
        let mut outcome = Outcome::new(status, Delivery::NotDelivered);
        outcome.text = text.into();
        outcome
    }

    /// The outcome reported after a caught panic. Delivery is Unknown: how far the call got is not known.
    pub(crate) fn panicked() -> Self {
        let mut outcome = Outcome::new(Status::Internal, Delivery::Unknown);
        outcome.text = "A fault of libuserengage was contained. Whether the message was delivered is unknown. \
                        Please report this."
            .into();
        outcome
    }

    /// `Err` unless the message was delivered.
    pub(crate) fn into_result(self) -> Result<Outcome, Error> {
        if self.status == Status::Ok { Ok(self) } else { Err(Error::new(self)) }
    }

    /// The kind of outcome.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What is known about the message.
    pub fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Whether sending the message again can help. A program that sends failed messages again does so for
    /// [`Retry::Later`] alone.
    pub fn retry(&self) -> Retry {
        self.retry
    }

    /// Whether the customer may see the message twice: it was delivered, and an earlier attempt may have delivered it,
    /// too. Happens only with [`DeliveryPolicy::AtLeastOnce`](crate::DeliveryPolicy::AtLeastOnce).
    pub fn may_be_duplicate(&self) -> bool {
        self.may_be_duplicate
    }

    /// The HTTP status of the last answer; `None` if no answer arrived.
    pub fn http_status(&self) -> Option<u16> {
        self.http_status
    }

    /// The conversation's id, if the answer has one (API version 2 does).
    pub fn conversation_id(&self) -> Option<i64> {
        self.conversation_id
    }

    /// How long the service asked to wait before the next request (as asked, up to 100 years), or how long this client
    /// would have had to wait past its deadline. It says nothing about the delivery.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// How many requests were started; 0 if none was.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// How long the call took, including every attempt and wait.
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// The id under which the service knows the request (`Cf-Ray`). Empty if the answer has none, or if it would show a
    /// part of the message or of the API key.
    pub fn request_id(&self) -> &str {
        &self.request_id
    }

    /// The service's own words (`detail`, `errors`, field errors, an HTML page's title). Empty if it gave none.
    /// Redacted to empty if they would show a part of the content, of the `source_context` or of the API key.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// One line for a person: what happened, what is known about the message, what to do. Empty for [`Status::Ok`].
    pub fn message(&self) -> &str {
        &self.text
    }

    /// The body of the last answer as received, at most 64 KiB of it. It is not redacted: if the service quotes the
    /// message or the API key, the body holds them. Do not log it where they must not appear.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("status", &self.status)
            .field("delivery", &self.delivery)
            .field("http_status", &self.http_status)
            .field("attempts", &self.attempts)
            .field("request_id", &self.request_id)
            .field("message", &self.text)
            .finish_non_exhaustive()
    }
}

/// The error of a call that did not deliver its message, or cannot tell whether it did. Dereferences to its
/// [`Outcome`].
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Outcome>);

impl Error {
    pub(crate) fn new(outcome: Outcome) -> Self {
        Error(Box::new(outcome))
    }

    /// The error for an argument that was refused before anything was sent.
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Error::new(Outcome::not_sent(Status::InvalidArgument, text))
    }

    /// Unwraps the outcome.
    pub fn into_outcome(self) -> Outcome {
        *self.0
    }
}

impl Deref for Error {
    type Target = Outcome;

    fn deref(&self) -> &Outcome {
        &self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Error").field(&self.0).finish()
    }
}

impl std::error::Error for Error {}

//! What one attempt came to: the table of certainty. Pure.
//!
//! Two facts decide: the answer, and whether the last byte of the request was handed to the kernel. A request that never
//! went out whole cannot have been processed.

use std::time::{Duration, SystemTime};

use crate::error::{Delivery, Status};

/// An HTTP answer, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub status: u16,
    pub location_host: Option<String>,
    pub content_type: ContentType,
    /// Whether the body was encoded (gzip and its like), which this library undoes for nobody: its bytes say nothing.
    pub content_encoded: bool,
    pub retry_after: Option<String>,
    /// The server's own time (`Date`), from which a `Retry-After` that is a date counts.
    pub date: Option<String>,
    pub request_id: String,
    /// The answer names itself Cloudflare's: its own statuses (520 to 530) then mean what Cloudflare documents.
    pub cloudflare: bool,
    /// The start of the body, decoded.
    pub body: Vec<u8>,
    pub body_end: BodyEnd,
    /// Whether the whole request went out before this answer came.
    pub request_complete: bool,
}

/// How the body of an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// It came to its end.
    #[default]
    Whole,
    /// It stopped before its end: the peer ended the connection, the deadline passed, or it was too large to read on.
    /// What came until then was sound.
    Cut,
    /// Its framing is broken, or bytes came that cannot be decoded: what it said cannot be told.
    Broken,
}

/// The media type of an answer's body, as far as it matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ContentType {
    Json,
    Html,
    #[default]
    Other,
}

impl ContentType {
    /// Of the value of a `Content-Type` header.
    pub fn of(value: &str) -> Self {
        let has = |kind: &str| value.as_bytes().windows(4).any(|word| word.eq_ignore_ascii_case(kind.as_bytes()));
        match (has("json"), has("html")) {
            (true, _) => ContentType::Json,
            (_, true) => ContentType::Html,
            _ => ContentType::Other,
        }
    }
}

/// An attempt that ended without an answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub fault: Fault,
    pub request_complete: bool,
}

/// Why there was no answer. The texts are for a person.
#[derive(Debug)]
pub(crate) enum Fault {
    /// No address for the host, no connection, or the proxy refused for now.
    Connect(String),
    /// The proxy refused, and will again: its credentials are wrong.
    ProxyRefused(String),
    /// The certificate does not prove that this is the service.
    Certificate(String),
    /// The handshake was cut off or made no sense.
    Handshake(String),
    /// The deadline of the call passed; what it waited for.
    Deadline(&'static str),
    /// The connection ended under the request.
    Lost(String),
    /// What came is no HTTP answer, or too large for one.
    Garbage(String),
    /// The interrupt callback asked for the end.
    Cancelled,
    /// The client was closed.
    Closed,
    /// This process is a copy that `fork()` made during the call, which goes on in the parent.
    Forked,
    /// A fault of this library.
    Internal(String),
}

/// What may follow an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Nothing: it is decided.
    Stop,
    /// Another attempt, under both policies: the message was not delivered.
    Retry,
    /// Another attempt where a duplicate is accepted: it is unknown whether the message was delivered.
    RetryAtLeastOnce,
    /// As `Retry`, and the whole client keeps quiet for a while.
    RetryAfterPause,
}

/// The judgement of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub status: Status,
    pub delivery: Delivery,
    pub then: Then,
    pub retry_after: Option<Duration>,
    /// What happened, as the start of a sentence.
    pub what: String,
}

impl Verdict {
    fn new(status: Status, delivery: Delivery, then: Then, what: String) -> Self {
        Verdict { status, delivery, then, retry_after: None, what }
    }

    /// Bytes prove it: without a whole request there is nothing that could have been processed.
    fn with_evidence(mut self, request_complete: bool) -> Self {
        if !request_complete && self.delivery == Delivery::Unknown {
            self.delivery = Delivery::NotDelivered;
            if self.then == Then::RetryAtLeastOnce {
                self.then = Then::Retry;
            }
        }
        self
    }
}

pub(crate) fn of_failure(failure: &Failure) -> Verdict {
    use Delivery::{NotDelivered, Unknown};
    let (status, delivery, then, what) = match &failure.fault {
        Fault::Connect(why) => (Status::Connect, NotDelivered, Then::Retry, why.clone()),
        Fault::ProxyRefused(why) => (Status::Connect, NotDelivered, Then::Stop, why.clone()),
        Fault::Certificate(why) => (Status::Tls, NotDelivered, Then::Stop, why.clone()),
        Fault::Handshake(why) => (Status::Tls, NotDelivered, Then::Retry, why.clone()),
        Fault::Deadline(what) => {
            (Status::Timeout, Unknown, Then::RetryAtLeastOnce, format!("the deadline passed {what}"))
        }
        Fault::Lost(why) => (Status::ConnectionLost, Unknown, Then::RetryAtLeastOnce, why.clone()),
        Fault::Garbage(why) => (Status::BadReply, Unknown, Then::RetryAtLeastOnce, why.clone()),
        Fault::Cancelled => (Status::Cancelled, Unknown, Then::Stop, "the call was cancelled".into()),
        Fault::Closed => (Status::Closed, Unknown, Then::Stop, "the client was closed".into()),
        Fault::Forked => {
            let what = "this process is a copy that fork() made during the call, which goes on in the parent";
            (Status::Cancelled, Unknown, Then::Stop, what.into())
        }
        Fault::Internal(why) => (Status::Internal, Unknown, Then::Stop, format!("a fault of libuserengage: {why}")),
    };
    let verdict = Verdict::new(status, delivery, then, what);
    match &failure.fault {
        // The bytes that left before the fork prove nothing of those that the parent writes after it.
        Fault::Forked => verdict,
        _ => verdict.with_evidence(failure.request_complete),
    }
}

pub(crate) fn of_answer(answer: &Answer, now: impl FnOnce() -> SystemTime) -> Verdict {
    use Delivery::{Delivered, NotDelivered, Unknown};
    use Then::{Retry, RetryAfterPause, RetryAtLeastOnce, Stop};
    let retry_after = answer.retry_after.as_deref().and_then(|value| parse_retry_after(value, now()));
    let cloudflare = answer.cloudflare;
    let (status, delivery, then) = match answer.status {
        200..=299 if answer.is_of_the_service() => (Status::Ok, Delivered, Stop),
        200..=299 => (Status::BadReply, Unknown, Stop),
        303 => (Status::BadReply, Unknown, Stop),
        300..=399 => (Status::BadReply, NotDelivered, Stop),
        401 | 403 => (Status::Unauthorized, NotDelivered, Stop),
        404 => (Status::NotFound, NotDelivered, Stop),
        408 | 425 => (Status::Rejected, NotDelivered, Retry),
        429 => (Status::RateLimited, NotDelivered, RetryAfterPause),
        400..=499 => (Status::Rejected, NotDelivered, Stop),
        503 if retry_after.is_some() => (Status::ServerError, NotDelivered, Retry),
        521 | 523 | 530 if cloudflare => (Status::ServerError, NotDelivered, Retry),
        525 | 526 if cloudflare => (Status::ServerError, NotDelivered, Stop),
        500 | 502..=504 | 520..=524 | 527 | 530 => (Status::ServerError, Unknown, RetryAtLeastOnce),
        500..=599 => (Status::ServerError, Unknown, Stop),
        _ => (Status::BadReply, Unknown, Stop),
    };
    let what = if status == Status::Ok { String::new() } else { answer.what(status) };
    let mut verdict = Verdict::new(status, delivery, then, what).with_evidence(answer.request_complete);
    verdict.retry_after = retry_after;
    verdict
}

impl Answer {
    /// Whether a 2xx can be the service's own: its bodies are empty or JSON. A captive portal's or a proxy's are not.
    fn is_of_the_service(&self) -> bool {
        if self.content_type == ContentType::Json {
            return true;
        }
        match self.body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            None => !(self.body_end != BodyEnd::Whole && self.content_type == ContentType::Html),
            Some(first) => matches!(first, b'{' | b'['),
        }
    }

    fn what(&self, status: Status) -> String {
        let code = self.status;
        let name = ureq::http::StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason());
        let named = name.map_or_else(|| code.to_string(), |name| format!("{code} {name}"));
        match (code, status) {
            (200..=299, Status::BadReply) => {
                format!("a {named} came that is not the service's own: its body is no JSON")
            }
            (300..=399, _) => match &self.location_host {
                Some(host) => {
                    format!("the service answered {named} and points to {host}; redirects are never followed")
                }
                None => format!("the service answered {named}; redirects are never followed"),
            },
            _ => format!("the service answered {named}"),
        }
    }
}

/// Seconds, or an HTTP date (RFC 9110, section 10.2.3). What is neither counts as not given.
fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(value.parse().map_or(LONGEST, Duration::from_secs).min(LONGEST));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default().min(LONGEST))
}

#[cfg(test)]
mod tests;

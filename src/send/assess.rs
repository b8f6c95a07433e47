//! Assesses one attempt: the table that maps an answer or a failure to a status, a delivery and a retry rule. No I/O.
//!
//! Two facts decide: the answer, and whether the last byte of the request was handed to the kernel. The service cannot
//! process a request of which a part is missing.

use std::time::{Duration, SystemTime};

use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::http::{Answer, BodyEnd, ContentType, Failure, Fault, KEPT_BODY};
use crate::model::outcome::{Delivery, Status};

/// Whether an attempt may be retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryRule {
    /// Do not retry: the outcome is final.
    Stop,
    /// Retry under both delivery policies: the message was not delivered.
    Retry,
    /// Retry only with `AtLeastOnce`, which accepts duplicates: it is unknown whether the message was delivered.
    RetryAtLeastOnce,
    /// Like `Retry`, after a pause of the whole client (429).
    RetryAfterPause,
}

/// What one attempt proves, and whether it may be retried.
#[derive(Clone, Debug)]
pub(crate) struct Assessment {
    pub status: Status,
    pub delivery: Delivery,
    pub retry_rule: RetryRule,
    pub retry_after: Option<Duration>,
    /// What happened, as the start of a sentence for a person.
    pub what: String,
}

impl Assessment {
    fn new(status: Status, delivery: Delivery, retry_rule: RetryRule, what: String) -> Self {
        Assessment { status, delivery, retry_rule, retry_after: None, what }
    }

    /// Turns `Unknown` into `NotDelivered` if the request was not sent completely: the service cannot process a part of
    /// it.
    fn with_evidence(mut self, request_complete: bool) -> Self {
        if !request_complete && self.delivery == Delivery::Unknown {
            self.delivery = Delivery::NotDelivered;
            if self.retry_rule == RetryRule::RetryAtLeastOnce {
                self.retry_rule = RetryRule::Retry;
            }
        }
        self
    }
}

pub(crate) fn of_failure(failure: &Failure) -> Assessment {
    use Delivery::{NotDelivered, Unknown};
    let (status, delivery, retry_rule) = match &failure.fault {
        Fault::Connect(_) => (Status::Connect, NotDelivered, RetryRule::Retry),
        Fault::ProxyRefused(_) => (Status::Connect, NotDelivered, RetryRule::Stop),
        Fault::Certificate(_) => (Status::Tls, NotDelivered, RetryRule::Stop),
        Fault::Handshake(_) => (Status::Tls, NotDelivered, RetryRule::Retry),
        Fault::Deadline(_) => (Status::Timeout, Unknown, RetryRule::RetryAtLeastOnce),
        Fault::Lost(_) => (Status::ConnectionLost, Unknown, RetryRule::RetryAtLeastOnce),
        Fault::Garbage(_) => (Status::BadReply, Unknown, RetryRule::RetryAtLeastOnce),
        Fault::Cancelled | Fault::Forked => (Status::Cancelled, Unknown, RetryRule::Stop),
        Fault::Closed => (Status::Closed, Unknown, RetryRule::Stop),
        Fault::Internal(_) => (Status::Internal, Unknown, RetryRule::Stop),
    };
    let assessment = Assessment::new(status, delivery, retry_rule, failure.fault.to_string());
    match &failure.fault {
        // The child cannot tell whether the parent sends the rest of the request.
        Fault::Forked => assessment,
        _ => assessment.with_evidence(failure.request_complete),
    }
}

pub(crate) fn of_answer(answer: &Answer, clock: impl FnOnce() -> SystemTime) -> Assessment {
    use Delivery::{Delivered, NotDelivered, Unknown};
    use RetryRule::{Retry, RetryAfterPause, RetryAtLeastOnce, Stop};
    let cloudflare = answer.cloudflare;
    let (status, delivery, retry_rule) = match answer.status {
        200..=299 => match answer.flaw() {
            None => (Status::Ok, Delivered, Stop),
            // Skip the evidence of the bytes: they contradict the answer, or another server gave the answer.
            Some(flaw) => return Assessment::new(Status::BadReply, Unknown, Stop, answer.what(Some(flaw))),
        },
        // Frameworks answer a POST that they have processed with these two (post, redirect, get).
        302 | 303 => (Status::BadReply, Unknown, Stop),
        300..=399 => (Status::BadReply, NotDelivered, Stop),
        401 | 403 => (Status::Unauthorized, NotDelivered, Stop),
        404 => (Status::NotFound, NotDelivered, Stop),
        // A timeout in the server can end a handler that has already started.
        408 => (Status::Rejected, Unknown, RetryAtLeastOnce),
        425 => (Status::Rejected, NotDelivered, Retry),
        429 => (Status::RateLimited, NotDelivered, RetryAfterPause),
        400..=499 => (Status::Rejected, NotDelivered, Stop),
        521 | 523 | 530 if cloudflare => (Status::ServerError, NotDelivered, Retry),
        525 | 526 if cloudflare => (Status::ServerError, NotDelivered, Stop),
        // Includes a 503 with Retry-After: that says when to retry, not whether the message was processed.
        500 | 502..=504 | 520..=524 | 527 | 530 => (Status::ServerError, Unknown, RetryAtLeastOnce),
        500..=599 => (Status::ServerError, Unknown, Stop),
        _ => (Status::BadReply, Unknown, Stop),
    };
    let what = if status == Status::Ok { String::new() } else { answer.what(None) };
    let mut assessment = Assessment::new(status, delivery, retry_rule, what).with_evidence(answer.request_complete);
    assessment.retry_after = answer.retry_after(clock);
    assessment
}

/// Why a 2xx does not count as a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    TooEarly,
    Broken,
    Encoded,
    HtmlCutOff,
    NotJson,
}

impl Answer {
    /// Why a 2xx does not count as this service's own answer to the request. The service answers with an empty body or
    /// JSON; a captive portal or a proxy does not.
    fn flaw(&self) -> Option<Flaw> {
        if !self.request_complete {
            return Some(Flaw::TooEarly);
        }
        if self.body_end == BodyEnd::Broken {
            return Some(Flaw::Broken);
        }
        let body = trimmed(&self.body);
        let (is_json, is_html) = (self.content_type == ContentType::Json, self.content_type == ContentType::Html);
        let Some(first) = body.first() else {
            return if is_html && self.body_end == BodyEnd::Cut { Some(Flaw::HtmlCutOff) } else { None };
        };
        if self.content_encoded || has_wide_bom(&self.body) {
            return if is_json { None } else { Some(Flaw::Encoded) };
        }
        let fits = match extent(body) {
            Extent::Value => is_json || matches!(first, b'{' | b'['),
            // The start of JSON is enough if the rest did not arrive, or was not kept.
            Extent::Prefix if self.body_end == BodyEnd::Whole && self.body.len() < KEPT_BODY => false,
            Extent::Prefix => is_json || !is_html && matches!(first, b'{' | b'['),
            Extent::Neither => false,
        };
        if fits { None } else { Some(Flaw::NotJson) }
    }

    /// What happened, as the start of a sentence for a person.
    fn what(&self, flaw: Option<Flaw>) -> String {
        let code = self.status;
        let name = ureq::http::StatusCode::from_u16(code).ok().and_then(|status| status.canonical_reason());
        let named = name.map_or_else(|| code.to_string(), |name| format!("{code} {name}"));
        match flaw {
            Some(Flaw::TooEarly) => format!("a {named} came before the whole request had gone out"),
            Some(Flaw::Broken) => format!("a {named} came, but its body cannot be decoded: its framing is broken"),
            Some(Flaw::Encoded) => {
                format!("a {named} came, but its body is encoded and not declared as JSON: it proves nothing")
            }
            Some(Flaw::HtmlCutOff) => {
                format!("a {named} came that is not the service's own: it declares HTML, which was cut off")
            }
            Some(Flaw::NotJson) => format!("a {named} came that is not the service's own: its body is not JSON"),
            None if (300..=399).contains(&code) => {
                format!("the service answered {named}; redirects are never followed")
            }
            None => format!("the service answered {named}"),
        }
    }

    /// How long the answer asks to wait. A date is compared with the server's own clock if the answer has a `Date`.
    fn retry_after(&self, clock: impl FnOnce() -> SystemTime) -> Option<Duration> {
        let now = || {
            let told = self.date.as_deref().and_then(|date| httpdate::parse_http_date(date.trim()).ok());
            told.unwrap_or_else(clock)
        };
        parse_retry_after(self.retry_after.as_deref()?, now)
    }
}

const BOM: &[u8] = "\u{feff}".as_bytes();

/// Whether a body starts with a byte order mark of UTF-16 or UTF-32.
pub(crate) fn has_wide_bom(body: &[u8]) -> bool {
    [&b"\xff\xfe"[..], b"\xfe\xff", b"\0\0\xfe\xff"].iter().any(|bom| body.starts_with(bom))
}

/// Trims a UTF-8 byte order mark, and the white space that JSON allows around a value.
pub(crate) fn trimmed(body: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    if BOM.starts_with(body) {
        return &[]; // also if the mark itself was cut off
    }
    let body = body.strip_prefix(BOM).unwrap_or(body);
    let Some(start) = body.iter().position(|byte| !is_space(byte)) else {
        return &[];
    };
    let end = body.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &body[start..end]
}

/// How much of a JSON value a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// One complete value.
    Value,
    /// The beginning of a value.
    Prefix,
    /// Not JSON.
    Neither,
}

/// Checks only the grammar (`RawValue`), and accepts any depth, numbers of any size and lone surrogates. Bytes that are
/// not UTF-8, such as a character that was cut off, become U+FFFD, which is valid in a string.
fn extent(text: &[u8]) -> Extent {
    let text = String::from_utf8_lossy(text);
    match grammar(&text) {
        // serde_json reports a number that is cut off as a syntax error: try again with one more digit.
        Extent::Neither if text.ends_with(['-', '+', '.', 'e', 'E']) => match grammar(&(text + "0")) {
            Extent::Neither => Extent::Neither,
            _ => Extent::Prefix,
        },
        extent => extent,
    }
}

fn grammar(text: &str) -> Extent {
    match serde_json::from_str::<&RawValue>(text) {
        Ok(_) => Extent::Value,
        Err(error) if error.classify() == Category::Eof => Extent::Prefix,
        Err(_) => Extent::Neither,
    }
}

/// Reads seconds, rounded up, or an HTTP date (RFC 9110, section 10.2.3); a date in the past gives 0. `None` for
/// anything else.
fn parse_retry_after(value: &str, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
    // Report the wait as the service asked. The limit only keeps sums with an `Instant` in range.
    const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    let value = value.trim();
    let (whole, fraction) = value.split_once('.').unwrap_or((value, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number(whole) && is_number(fraction) {
        let started = u64::from(fraction.bytes().any(|digit| digit != b'0'));
        let seconds = whole.parse().unwrap_or(u64::MAX).saturating_add(started);
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now()).unwrap_or_default().min(LONGEST))
}

#[cfg(test)]
mod tests;

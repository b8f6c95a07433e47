//! An answer of the API: status, headers and body, and how they look on the wire.

use std::borrow::Cow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

type Text = Cow<'static, str>;

/// An answer before it is written.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    /// The reason phrase, if it differs from the usual one.
    pub reason: Option<&'static str>,
    pub headers: Vec<(Text, Text)>,
    pub body: Cow<'static, [u8]>,
}

impl Answer {
    /// An answer without a body.
    pub fn empty(status: u16) -> Answer {
        Answer { status, reason: None, headers: Vec::with_capacity(12), body: Cow::Borrowed(b"") }
    }

    /// A JSON answer, as Django REST Framework sends it.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        let mut answer = Answer::empty(status).with("Content-Type", "application/json");
        answer.body = Cow::Owned(body.into());
        answer
    }

    /// `{"detail":"..."}`, the form of most of DRF's errors.
    pub fn detail(status: u16, detail: &str) -> Answer {
        Answer::json(status, serde_json::json!({ "detail": detail }).to_string())
    }

    /// An HTML answer.
    pub fn html(status: u16, body: impl Into<Vec<u8>>) -> Answer {
        let mut answer = Answer::empty(status).with("Content-Type", "text/html; charset=utf-8");
        answer.body = Cow::Owned(body.into());
        answer
    }

    /// Adds a header.
    pub fn with(mut self, name: impl Into<Text>, value: impl Into<Text>) -> Answer {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets a header and replaces those of the same name.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<Text>) {
        let name = name.into();
        self.headers.retain(|(key, _)| !key.eq_ignore_ascii_case(&name));
        self.headers.push((name, value.into()));
    }

    /// Whether a header was set.
    pub fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    /// Writes the status line.
    pub fn write_status_line(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"HTTP/1.1 ");
        out.extend_from_slice(self.status.to_string().as_bytes());
        out.push(b' ');
        out.extend_from_slice(self.reason.unwrap_or_else(|| reason(self.status)).as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// Writes the status line and the headers, without the empty line that ends a head.
    pub fn write_start(&self, out: &mut Vec<u8>) {
        self.write_status_line(out);
        for (name, value) in &self.headers {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Writes the whole answer with a `Content-Length`. `bodyless` leaves the body out, as for `HEAD`.
    pub fn write(&self, out: &mut Vec<u8>, bodyless: bool) {
        self.write_start(out);
        if !self.has("content-length") {
            out.extend_from_slice(b"Content-Length: ");
            out.extend_from_slice(self.body.len().to_string().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(b"\r\n");
        if !bodyless {
            out.extend_from_slice(&self.body);
        }
    }
}

/// The reason phrase of a status, Cloudflare's own ones included.
pub(crate) fn reason(status: u16) -> &'static str {
    match status {
        520 => "Web Server Returned an Unknown Error",
        521 => "Web Server Is Down",
        522 => "Connection Timed Out",
        523 => "Origin Is Unreachable",
        524 => "A Timeout Occurred",
        525 => "SSL Handshake Failed",
        526 => "Invalid SSL Certificate",
        527 => "Railgun Error",
        530 => "Origin DNS Error",
        _ => axum::http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Unknown"),
    }
}

/// Makes the `Cf-Ray` of each answer: the only request id that the service has.
pub(crate) struct Rays {
    start: u64,
    count: AtomicU64,
}

impl Rays {
    pub fn new() -> Rays {
        Rays { start: fastrand::u64(..), count: AtomicU64::new(0) }
    }

    /// The next one, unique in this sandbox.
    pub fn next(&self) -> String {
        // An odd factor makes each product unique and scatters the digits.
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{:016x}-SBX", self.start.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

/// The current `Date`, made once a second.
#[derive(Default)]
pub(crate) struct DateLine {
    second: u64,
    text: String,
}

impl DateLine {
    pub fn now(&mut self) -> &str {
        let now = SystemTime::now();
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = httpdate::fmt_http_date(now);
        }
        &self.text
    }
}

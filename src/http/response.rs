//! The result of an attempt in terms of HTTP: an [`Answer`], or a [`Failure`]. What it proves about the message is
//! decided in [`send`](crate::send).

use std::borrow::Cow;
use std::fmt;

/// An HTTP response, reduced to the parts that this library reads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub status: u16,
    pub location_host: Option<String>,
    pub content_type: ContentType,
    /// Whether the body is encoded (gzip, for example). This library does not decode it, so its bytes say nothing.
    pub content_encoded: bool,
    pub retry_after: Option<String>,
    /// The server's clock (`Date`). A `Retry-After` with a date is measured from it.
    pub date: Option<String>,
    pub request_id: String,
    /// Whether the `Server` field names Cloudflare. The statuses 520 to 530 then have the meaning that Cloudflare
    /// documents.
    pub cloudflare: bool,
    /// The body, decoded, up to [`KEPT_BODY`].
    pub body: Vec<u8>,
    pub body_end: BodyEnd,
    /// Whether the whole request went out before this answer came.
    pub request_complete: bool,
}

/// How many bytes of a body are kept.
pub(crate) const KEPT_BODY: usize = 64 * 1024;

/// How the body of an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// The body is complete.
    #[default]
    Whole,
    /// The end of the connection ended it. Whether the connection ended too early cannot be told.
    Closed,
    /// It stopped before its end: the peer closed the connection, the deadline passed, or the body was too large. The
    /// bytes until then are valid.
    Cut,
    /// Its framing is broken, or bytes came that cannot be decoded. The content is unknown.
    Broken,
}

/// The media type of an answer's body, reduced to the kinds that this library distinguishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ContentType {
    Json,
    Html,
    #[default]
    Other,
}

impl ContentType {
    /// Parses the value of a `Content-Type` header. Only the media type before the first `;` counts, not its
    /// parameters.
    pub fn of(value: &str) -> Self {
        let media_type = value.split(';').next().unwrap_or_default().trim();
        let is = |known: &str| media_type.eq_ignore_ascii_case(known);
        if is("application/json") || is("text/json") || has_json_suffix(media_type) {
            ContentType::Json
        } else if is("text/html") || is("application/xhtml+xml") {
            ContentType::Html
        } else {
            ContentType::Other
        }
    }
}

/// Whether a media type ends in `+json` (RFC 6839), as `application/problem+json` does.
fn has_json_suffix(media_type: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'/' | b',' | b'"');
    media_type
        .split_once('/')
        .and_then(|(_, subtype)| subtype.rsplit_once('+'))
        .is_some_and(|(name, suffix)| suffix.eq_ignore_ascii_case("json") && name.bytes().all(is_name))
}

/// An attempt that ended without an answer.
#[derive(Debug)]
pub(crate) struct Failure {
    pub fault: Fault,
    pub request_complete: bool,
}

/// Why there was no answer. The texts are written for a person.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The host has no address, no connection was made, or the proxy refused for now.
    Connect(String),
    /// The proxy refused, and will refuse again: its credentials are wrong, for example, or it does not allow the
    /// service.
    ProxyRefused(String),
    /// The server's certificate does not prove that it is the service, or the server demands a client certificate.
    Certificate(String),
    /// The TLS handshake was cut off or was invalid.
    Handshake(String),
    /// The deadline of the call passed. The text says when: "before an answer came".
    Deadline(Cow<'static, str>),
    /// The connection ended during the request.
    Lost(String),
    /// The received bytes are not an HTTP answer, or its head is too large.
    Garbage(String),
    /// The call was cancelled, by the interrupt callback or by the cancel signal of its batch.
    Cancelled,
    /// The client was closed.
    Closed,
    /// This process is a child that `fork()` made during the call. The call goes on in the parent.
    Forked,
    /// A bug in this library, or a system call that failed unexpectedly.
    Internal(String),
}

/// Prints what happened, as the start of a sentence.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Connect(why)
            | Fault::ProxyRefused(why)
            | Fault::Certificate(why)
            | Fault::Handshake(why)
            | Fault::Lost(why)
            | Fault::Garbage(why) => f.write_str(why),
            Fault::Deadline(when) => write!(f, "the deadline passed {when}"),
            Fault::Cancelled => f.write_str("the call was cancelled"),
            Fault::Closed => f.write_str("the client was closed"),
            Fault::Forked => {
                f.write_str("this process is a copy that fork() made during the call, which goes on in the parent")
            }
            Fault::Internal(why) => write!(f, "a fault of libuserengage: {why}"),
        }
    }
}

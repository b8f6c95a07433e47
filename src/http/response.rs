//! What an attempt came to, in the words of HTTP: an [`Answer`], or a [`Failure`] without one. What it proves of the message
//! is for [`send`](crate::send) to say.

use std::borrow::Cow;
use std::fmt;

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
    /// The body, decoded, up to [`KEPT_BODY`].
    pub body: Vec<u8>,
    pub body_end: BodyEnd,
    /// Whether the whole request went out before this answer came.
    pub request_complete: bool,
}

/// How much of an answer's body is kept.
pub(crate) const KEPT_BODY: usize = 64 * 1024;

/// How the body of an answer ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum BodyEnd {
    /// It came to its end.
    #[default]
    Whole,
    /// The end of the connection ended it, which nothing tells from a connection that ended too early.
    Closed,
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
    /// Of the value of a `Content-Type` header: the media type before the first `;` decides, not its parameters.
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

/// Why there was no answer. The texts are for a person.
#[derive(Debug)]
pub(crate) enum Fault {
    /// No address for the host, no connection, or the proxy refused for now.
    Connect(String),
    /// The proxy refused, and will again: its credentials are wrong, say, or the service is not on its list.
    ProxyRefused(String),
    /// The certificate does not prove that this is the service.
    Certificate(String),
    /// The handshake was cut off or made no sense.
    Handshake(String),
    /// The deadline of the call passed; what it waited for.
    Deadline(Cow<'static, str>),
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

/// What happened, as the start of a sentence.
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

//! The head of a request, borrowed from the received bytes.

use std::borrow::Cow;

/// The most header lines that a request may have. nginx and Cloudflare have similar limits.
const MAX_HEADERS: usize = 128;

/// The head of one request: its first line and its headers.
pub(crate) struct Head<'a> {
    pub method: &'a str,
    /// The target as it was sent: still percent-encoded, query included.
    pub target: &'a str,
    /// The minor version: 0 or 1.
    pub minor: u8,
    /// The headers, in the case and order of the wire.
    pub headers: Vec<(&'a str, &'a [u8])>,
}

/// How long the body of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A number of bytes. 0 if the head announces no body.
    Length(u64),
    /// Chunked.
    Chunked,
}

impl<'a> Head<'a> {
    /// Parses a complete head with its empty line. `None` if it is not an HTTP/1 request.
    pub fn parse(raw: &'a [u8]) -> Option<Head<'a>> {
        let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut request = httparse::Request::new(&mut lines);
        match request.parse(raw) {
            Ok(httparse::Status::Complete(_)) => Some(Head {
                method: request.method?,
                target: request.path?,
                minor: request.version?,
                headers: request.headers.iter().map(|line| (line.name, line.value)).collect(),
            }),
            _ => None,
        }
    }

    /// The value of a header; the case of its name does not matter. The first one if there are several.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// A header's value as text. `None` if it has bytes outside ASCII.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        self.header(name).and_then(|value| std::str::from_utf8(value).ok())
    }

    /// The path, still percent-encoded, without the query. A proxy's absolute form loses scheme and host.
    pub fn path(&self) -> &'a str {
        let mut path = self.target;
        if !path.starts_with('/')
            && let Some((_, rest)) = path.split_once("://")
        {
            path = rest.find('/').map_or("/", |slash| &rest[slash..]);
        }
        path.split('?').next().unwrap_or(path)
    }

    /// How long the body is. `None` if the head contradicts itself.
    pub fn framing(&self) -> Option<Framing> {
        let lengths = || self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case("content-length"));
        if let Some(coding) = self.text("transfer-encoding") {
            let chunked = coding.trim().eq_ignore_ascii_case("chunked");
            return (chunked && lengths().next().is_none()).then_some(Framing::Chunked);
        }
        let mut length = None;
        for (_, value) in lengths() {
            let digits =
                std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
            let value: u64 = digits.parse().ok()?;
            if length.is_some_and(|earlier| earlier != value) {
                return None;
            }
            length = Some(value);
        }
        Some(Framing::Length(length.unwrap_or(0)))
    }

    /// Whether the client wants to keep the connection alive.
    pub fn keep_alive(&self) -> bool {
        let asked = |token: &str| {
            self.text("connection")
                .is_some_and(|list| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(token)))
        };
        if self.minor == 0 { asked("keep-alive") } else { !asked("close") }
    }

    /// Whether the client waits for a `100 Continue` before it sends the body.
    pub fn expects_continue(&self) -> bool {
        self.minor == 1 && self.text("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }

    /// Whether this is a CORS preflight request.
    pub fn is_preflight(&self) -> bool {
        self.method == "OPTIONS" && self.header("access-control-request-method").is_some()
    }
}

/// The id that a path names, still percent-encoded: `/api/public/users/<id>/conversations/`.
pub(crate) fn client_segment(path: &str) -> Option<&str> {
    let segment = path.strip_prefix("/api/public/users/")?.strip_suffix("/conversations/")?;
    (!segment.is_empty() && !segment.contains('/')).then_some(segment)
}

/// The id that a path names, decoded.
pub(crate) fn client_user_id(path: &str) -> Option<Cow<'_, str>> {
    client_segment(path).map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy())
}

/// Finds the end of a head in `input`: the index after its empty line. `from` is where the last search stopped.
pub(crate) fn end_of_head(input: &[u8], from: usize) -> Option<usize> {
    let mut start = from.saturating_sub(3);
    while let Some(at) = memchr::memchr(b'\n', &input[start..]) {
        let next = start + at + 1;
        match &input[next..] {
            [b'\n', ..] => return Some(next + 1),
            [b'\r', b'\n', ..] => return Some(next + 2),
            _ => start = next,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_after_its_empty_line_wherever_the_search_went_on() {
        let whole = b"POST / HTTP/1.1\r\nHost: a\r\n\r\nbody";
        for from in 0..28 {
            assert_eq!(end_of_head(whole, from), Some(28), "from {from}");
        }
        assert_eq!(end_of_head(&whole[..27], 0), None);
    }

    #[test]
    fn an_id_is_one_decoded_segment() {
        assert_eq!(client_user_id("/api/public/users/a%2Fb%20c/conversations/").as_deref(), Some("a/b c"));
        assert_eq!(client_user_id("/api/public/users/a/b/conversations/"), None);
        assert_eq!(client_user_id("/api/public/users//conversations/"), None);
        assert_eq!(client_user_id("/api/public/users/42/conversations"), None);
    }

    #[test]
    fn contradictory_lengths_are_refused() {
        let parse = |lines: &str| Head::parse(format!("POST / HTTP/1.1\r\n{lines}\r\n").as_bytes()).unwrap().framing();
        assert_eq!(parse("Content-Length: 3\r\n"), Some(Framing::Length(3)));
        assert_eq!(parse("Content-Length: 3\r\nContent-Length: 4\r\n"), None);
        assert_eq!(parse("Content-Length: +3\r\n"), None);
        assert_eq!(parse("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n"), None);
        assert_eq!(parse("Transfer-Encoding: chunked\r\n"), Some(Framing::Chunked));
        assert_eq!(parse(""), Some(Framing::Length(0)));
    }
}

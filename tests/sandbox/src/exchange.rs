//! One request to the API as received, and its outcome.

use crate::head::{self, Head};
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use std::borrow::Cow;
use std::time::SystemTime;

/// Replaces a token, whatever its length.
const MASK: &str = "****************";

/// A request as the journal keeps it: the bytes of the head with the token masked, and the body.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The number of the request, from 1 on.
    pub id: u64,
    /// When the head was read.
    pub at: SystemTime,
    /// The number of its TCP connection.
    pub connection: u64,
    /// Whether the whole request was received, body included.
    pub complete: bool,
    /// The status that was answered, if any.
    pub status: Option<u16>,
    /// The fault that was played, if any.
    pub fault: Option<&'static str>,
    /// The conversation that it became, if any.
    pub conversation_id: Option<u64>,
    /// Whether the message was stored, that is, shown to the customer.
    pub stored: bool,
    /// The shortened body of an error answer: why the request was refused.
    pub(crate) answer: Option<Box<str>>,
    pub(crate) raw: Box<[u8]>,
    pub(crate) head_length: usize,
}

/// How much of an answer is kept.
const ANSWER_LENGTH: usize = 1024;

impl Exchange {
    /// Keeps a request. `raw_head` is what `head` was parsed from.
    pub(crate) fn new(
        connection: u64,
        at: SystemTime,
        raw_head: &[u8],
        head: Option<&Head<'_>>,
        body: &[u8],
    ) -> Exchange {
        let mut raw = Vec::with_capacity(raw_head.len() + body.len());
        // A head that could not be parsed may hold a token anywhere, so it is not kept.
        if let Some(head) = head {
            raw.extend_from_slice(raw_head);
            mask_tokens(&mut raw, raw_head, head);
        }
        let head_length = raw.len();
        raw.extend_from_slice(body);
        Exchange {
            id: 0,
            at,
            connection,
            complete: true,
            status: None,
            fault: None,
            conversation_id: None,
            stored: false,
            answer: None,
            raw: raw.into_boxed_slice(),
            head_length,
        }
    }

    /// Keeps the beginning of an answer's body.
    pub(crate) fn keep_answer(&mut self, body: &[u8]) {
        let start = String::from_utf8_lossy(&body[..body.len().min(ANSWER_LENGTH)]);
        self.answer = (!body.is_empty()).then(|| start.into());
    }

    /// The body as received, without the framing of chunks.
    pub fn body(&self) -> &[u8] {
        &self.raw[self.head_length..]
    }

    /// The method, the target and the headers. `None` if the request was not HTTP.
    fn head(&self) -> Option<Head<'_>> {
        Head::parse(&self.raw[..self.head_length])
    }

    /// The method. Empty if the request was not HTTP.
    pub fn method(&self) -> String {
        self.head().map_or_else(String::new, |head| head.method.to_owned())
    }

    /// The target as it was sent: still percent-encoded, query included.
    pub fn path(&self) -> String {
        self.head().map_or_else(String::new, |head| head.target.to_owned())
    }

    /// The headers, in the case and order of the wire, with the token masked.
    pub fn headers(&self) -> Vec<(String, String)> {
        let Some(head) = self.head() else { return Vec::new() };
        head.headers.iter().map(|(name, value)| ((*name).to_owned(), header_text(name, value).into_owned())).collect()
    }

    /// The customer that the path names, decoded.
    pub fn client_user_id(&self) -> Option<String> {
        head::client_user_id(self.head()?.path()).map(Cow::into_owned)
    }

    /// Its size in memory, in bytes.
    pub(crate) fn weight(&self) -> usize {
        self.raw.len() + self.answer.as_ref().map_or(0, |text| text.len()) + size_of::<Exchange>()
    }
}

/// Redacts the credentials of every `Authorization` header. The scheme before them stays.
fn mask_tokens(raw: &mut [u8], original: &[u8], head: &Head<'_>) {
    for (name, value) in &head.headers {
        if is_secret(name) {
            let start = value.as_ptr() as usize - original.as_ptr() as usize;
            let scheme = scheme_length(value);
            raw[start + scheme..start + value.len()].fill(b'*');
        }
    }
}

fn is_secret(name: &str) -> bool {
    name.eq_ignore_ascii_case("authorization") || name.eq_ignore_ascii_case("proxy-authorization")
}

/// How many bytes of an `Authorization` value may be shown: the scheme and its space.
fn scheme_length(value: &[u8]) -> usize {
    match value.iter().position(|byte| *byte == b' ') {
        Some(space) if space <= 10 && value[..space].iter().all(u8::is_ascii_alphabetic) => space + 1,
        _ => 0,
    }
}

fn header_text<'a>(name: &str, value: &'a [u8]) -> Cow<'a, str> {
    if is_secret(name) {
        let scheme = scheme_length(value);
        let shown = String::from_utf8_lossy(&value[..scheme]);
        return Cow::Owned(format!("{shown}{MASK}({})", value.len() - scheme));
    }
    String::from_utf8_lossy(value)
}

struct Headers<'a>(&'a Head<'a>);

impl Serialize for Headers<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.headers.len()))?;
        for (name, value) in &self.0.headers {
            list.serialize_element(&(name, header_text(name, value)))?;
        }
        list.end()
    }
}

impl Serialize for Exchange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("at", &crate::timestamp(self.at))?;
        map.serialize_entry("connection", &self.connection)?;
        match self.head() {
            Some(head) => {
                map.serialize_entry("method", head.method)?;
                map.serialize_entry("path", head.target)?;
                map.serialize_entry("http_version", if head.minor == 0 { "1.0" } else { "1.1" })?;
                map.serialize_entry("headers", &Headers(&head))?;
            }
            None => {
                map.serialize_entry("method", "")?;
                map.serialize_entry("path", "")?;
                map.serialize_entry("http_version", "")?;
                map.serialize_entry("headers", &[(); 0])?;
            }
        }
        match std::str::from_utf8(self.body()) {
            Ok(text) => map.serialize_entry("body", text)?,
            Err(_) => map.serialize_entry("body_base64", &base64(self.body()))?,
        }
        map.serialize_entry("complete", &self.complete)?;
        map.serialize_entry("status", &self.status)?;
        map.serialize_entry("answer", &self.answer)?;
        map.serialize_entry("fault", &self.fault)?;
        map.serialize_entry("conversation_id", &self.conversation_id)?;
        map.serialize_entry("stored", &self.stored)?;
        map.end()
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place > group.len() { '=' } else { char::from(digit) });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(head: &str, body: &[u8]) -> Exchange {
        Exchange::new(1, SystemTime::now(), head.as_bytes(), Head::parse(head.as_bytes()).as_ref(), body)
    }

    #[test]
    fn the_token_is_masked_in_what_is_kept_and_its_scheme_and_length_told() {
        let kept = exchange("POST / HTTP/1.1\r\nHOST: a\r\nauthorization: Token abcdefgh\r\n\r\n", b"");
        assert_eq!(kept.headers()[1], ("authorization".to_owned(), format!("Token {MASK}(8)")));
        assert!(!String::from_utf8_lossy(&kept.raw).contains("abc"));
        let bare = exchange("POST / HTTP/1.1\r\nAuthorization: abcdefgh\r\n\r\n", b"");
        assert_eq!(bare.headers()[0].1, format!("{MASK}(8)"));
    }

    #[test]
    fn a_body_that_is_no_text_is_given_in_base64() {
        for (bytes, text) in
            [(&b"\xff"[..], "/w=="), (b"\xff\xfe", "//4="), (b"\xff\xfe\xfd", "//79"), (b"\xff123", "/zEyMw==")]
        {
            let json = serde_json::to_value(exchange("POST / HTTP/1.1\r\n\r\n", bytes)).unwrap();
            assert_eq!(json["body_base64"], text);
        }
    }

    #[test]
    fn what_is_no_http_keeps_nothing_that_could_hold_a_token() {
        let raw = b"\x16\x03\x01 Token secret\r\n\r\n";
        let kept = Exchange::new(1, SystemTime::now(), raw, None, b"");
        assert!(kept.raw.is_empty());
        assert_eq!(serde_json::to_value(&kept).unwrap()["method"], "");
    }
}

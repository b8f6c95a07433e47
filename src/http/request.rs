//! The request: checks the base URL and builds the path, the headers and the fields that are spliced in beneath ureq.
//! No I/O.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::Range;
use std::sync::{Arc, Weak};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::http::uri::{self, Authority, PathAndQuery, Scheme};
use ureq::http::{HeaderMap, HeaderValue, Method, Uri, header};
use zeroize::Zeroizing;

use crate::model::message::Message;
use crate::model::options::{ApiVersion, Options};
use crate::model::outcome::Error;

/// The length of an API key by the service's specification. Keys of other lengths are sent as well.
pub(crate) const KEY_LENGTH: usize = 64;

/// The limit for each of the host's values in the head of a request, in bytes. It is far above real use, and keeps the
/// head within one buffer.
const LONGEST: usize = 1024;

/// The parts that all requests of a client share.
pub(crate) struct Endpoint {
    scheme: Scheme,
    authority: Authority,
    /// The path up to the user's id: `/api/public/users/`.
    users: String,
    /// The header fields that ureq itself needs: Host and Content-Length.
    headers: HeaderMap,
    fields: Fields,
}

/// The header fields that are the same in every request of a client, in their form on the wire: `name: value` lines.
///
/// [`connection`](super::connection) splices them into the head beneath ureq. So ureq never holds the API key and
/// cannot log it, and the fields are not copied, checked and formatted again for every request.
#[derive(Clone)]
pub(crate) struct Fields {
    text: Arc<Zeroizing<String>>,
    key_length: usize,
}

/// A weak reference to [`Fields`] for one attempt. It does not keep the key alive: the key is wiped when the client is
/// freed. In the child of a fork an attempt of another thread never ends, and would keep a strong reference for ever.
#[derive(Clone, Debug)]
pub(crate) struct WeakFields {
    text: Weak<Zeroizing<String>>,
    key_length: usize,
}

impl WeakFields {
    /// `None` after the client was freed.
    pub fn upgrade(&self) -> Option<Fields> {
        Some(Fields { text: self.text.upgrade()?, key_length: self.key_length })
    }
}

impl Fields {
    pub fn downgrade(&self) -> WeakFields {
        WeakFields { text: Arc::downgrade(&self.text), key_length: self.key_length }
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The position of the API key.
    pub fn secret(&self) -> Range<usize> {
        AUTHORIZATION.len()..AUTHORIZATION.len() + self.key_length
    }

    fn api_key(&self) -> &str {
        &self.text[self.secret()]
    }
}

/// Redacted: the API key is not shown.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fields")
    }
}

/// A checked message: the URI and the body of its requests.
pub(crate) struct Prepared {
    uri: Uri,
    body: Vec<u8>,
}

/// One request for a message.
pub(crate) type Request<'a> = ureq::http::Request<&'a [u8]>;

impl Endpoint {
    pub fn new(api_key: &str, options: &Options) -> Result<Self, Error> {
        let (scheme, authority, path) = parse_base_url(&options.base_url)?;
        let users = format!("{}/users/", path.trim_end_matches('/'));
        Ok(Endpoint { headers: headers(&authority)?, scheme, authority, users, fields: fields(api_key, options)? })
    }

    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    pub fn api_key(&self) -> &str {
        self.fields.api_key()
    }

    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    pub fn host(&self) -> &str {
        self.authority.host()
    }

    pub fn port(&self) -> u16 {
        // `new` has refused an invalid port.
        port_of(&self.authority).ok().flatten().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    pub fn prepare(&self, message: &Message<'_>) -> Result<Prepared, Error> {
        let id = message.checked_id()?;
        let body = message.body()?;
        let mut path = String::with_capacity(self.users.len() + id.len() + 48);
        path.push_str(&self.users);
        path.extend(utf8_percent_encode(id, ESCAPED));
        path.push_str("/conversations/");
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let uri = PathAndQuery::try_from(path).map_err(ureq::http::Error::from).and_then(|path| {
            parts.path_and_query = Some(path);
            Uri::from_parts(parts).map_err(ureq::http::Error::from)
        });
        let uri =
            uri.map_err(|error| Error::invalid(format!("client_user_id does not make a path ({error}): shorten it")))?;
        Ok(Prepared { uri, body })
    }

    /// A request for a message. Each attempt consumes one.
    pub fn request<'a>(&self, prepared: &'a Prepared) -> Request<'a> {
        let mut request = Request::new(&prepared.body[..]);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = prepared.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if let Some(length) = request.headers_mut().get_mut(header::CONTENT_LENGTH) {
            *length = HeaderValue::from(prepared.body.len());
        }
        request
    }
}

/// All characters except the unreserved ones of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn headers(authority: &Authority) -> Result<HeaderMap, Error> {
    let host = HeaderValue::from_str(authority.as_str())
        .map_err(|_| Error::invalid("base_url cannot stand in a header: use visible ASCII characters"))?;
    // Host comes first, as RFC 9110, section 7.2, asks. Content-Length is set per request; it is here so that the map
    // need not grow then.
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(header::HOST, host);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    Ok(headers)
}

/// The start of [`Fields`]. The API key follows it.
const AUTHORIZATION: &str = "authorization: Token ";

fn fields(api_key: &str, options: &Options) -> Result<Fields, Error> {
    if api_key.is_empty() {
        return Err(Error::invalid("api_key is empty: give the API key of your UserEngage application"));
    }
    if let Some(at) = api_key.bytes().position(|byte| !byte.is_ascii_graphic()) {
        return Err(Error::invalid(format!(
            "api_key has a character at byte {at} that no key has: check for spaces, line ends and quotes around it"
        )));
    }
    if api_key.len() > LONGEST {
        return Err(Error::invalid(format!(
            "api_key has {} characters, a key of the service has {KEY_LENGTH}",
            api_key.len()
        )));
    }
    let agent = options.user_agent.as_deref().unwrap_or_default();
    if agent.len() > LONGEST {
        return Err(Error::invalid(format!("user_agent has {} bytes, the most is {LONGEST}: shorten it", agent.len())));
    }
    if !agent.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(Error::invalid("user_agent cannot stand in a header: use visible ASCII characters"));
    }
    let accept = match options.api_version {
        ApiVersion::Specification => "*/*",
        ApiVersion::V2 => "*/*; version=2",
    };
    let parts = [
        AUTHORIZATION,
        api_key,
        "\r\ncontent-type: application/json\r\naccept: ",
        accept,
        "\r\nuser-agent: ",
        agent,
        if agent.is_empty() { "" } else { " " },
        concat!("userengage/", env!("CARGO_PKG_VERSION"), "\r\n"),
    ];
    // Allocated in full: growing would leave a copy of the key behind.
    let mut text = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
    parts.iter().for_each(|part| text.push_str(part));
    Ok(Fields { text: Arc::new(text), key_length: api_key.len() })
}

fn parse_base_url(url: &str) -> Result<(Scheme, Authority, String), Error> {
    let refuse = |fault: &str, remedy: &str| Err(Error::invalid(format!("base_url {fault}: {remedy}")));
    let example = "give an address such as https://app.userengage.com/api/public/";
    if url.contains('#') {
        return refuse("has a fragment", "remove what follows the #");
    }
    if url.len() > LONGEST {
        return refuse(&format!("has {} bytes, the most is {LONGEST}", url.len()), example);
    }
    let uri: Uri = match url.parse() {
        Ok(uri) => uri,
        Err(error) => return refuse(&format!("is not a valid URL ({error})"), example),
    };
    let parts = uri.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
        return refuse("has no scheme or no host", example);
    };
    if authority.as_str().contains('@') {
        return refuse("holds a user name", "remove it; the API key goes with the Authorization header");
    }
    if authority.host().is_empty() {
        return refuse("has no host", example);
    }
    if port_of(&authority).is_err() {
        return refuse("has an invalid port", "use a port from 1 to 65535, or leave it and its colon out");
    }
    if scheme == Scheme::HTTP && !is_loopback(authority.host()) {
        return refuse("is http", "use https; plain http would show the API key, and is for loopback hosts alone");
    }
    if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
        return refuse(&format!("has the scheme {scheme}"), "use https");
    }
    let path = parts.path_and_query.unwrap_or_else(|| PathAndQuery::from_static("/"));
    if path.query().is_some() {
        return refuse("has a query", "remove what follows the question mark");
    }
    Ok((scheme, authority, path.path().to_owned()))
}

/// The port in `authority`, if it has one. An error if the text after the host is not a port. The parser of the http
/// crate accepts such text (`:`, `:0`, `:+80`, `[::1]80`).
pub(crate) fn port_of(authority: &Authority) -> Result<Option<u16>, ()> {
    let after_user = authority.as_str().rsplit('@').next().unwrap_or_default();
    let after_host = &after_user[authority.host().len()..];
    if after_host.is_empty() {
        return Ok(None);
    }
    let digits = after_host.strip_prefix(':').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    match digits.and_then(|digits| digits.parse().ok()) {
        Some(port) if port > 0 => Ok(Some(port)),
        _ => Err(()),
    }
}

/// Whether `host` can only be this machine: `localhost` (see [`is_localhost`]), 127.0.0.0/8 or ::1, in their usual
/// forms.
///
/// Other spellings (`127.1`, `0x7f.1`, `[::ffff:127.0.0.1]`, `0.0.0.0`) do not count: systems read them differently.
pub(crate) fn is_loopback(host: &str) -> bool {
    is_localhost(host)
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()))
}

/// Whether `host` is `localhost` or ends in `.localhost`, with or without a final dot. Such a name always means this
/// machine and is never looked up (RFC 6761, section 6.3).
pub(crate) fn is_localhost(host: &str) -> bool {
    const NAME: &str = "localhost";
    let host = host.strip_suffix('.').unwrap_or(host).as_bytes();
    host.len().checked_sub(NAME.len()).is_some_and(|before| {
        host[before..].eq_ignore_ascii_case(NAME.as_bytes()) && (before == 0 || before > 1 && host[before - 1] == b'.')
    })
}

#[cfg(test)]
mod tests;

//! Where and how the service is asked: the base URL, the path, the headers. Pure.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ureq::http::uri::{self, Authority, PathAndQuery, Scheme};
use ureq::http::{HeaderMap, HeaderValue, Uri, header};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::message::Message;
use crate::options::{ApiVersion, Options};

/// The length of a key of the service, which the specification gives; other lengths are sent all the same.
pub(crate) const KEY_LENGTH: usize = 64;

/// The most bytes of what the host sets for every request's head. Ours: far above use, and the head fits one buffer.
const LONGEST: usize = 1024;

/// What every request of a client shares.
pub(crate) struct Endpoint {
    scheme: Scheme,
    authority: Authority,
    /// Path up to the user's id: `/api/public/users/`.
    users: String,
    headers: HeaderMap,
}

/// One message, ready to be sent any number of times.
pub(crate) struct Request {
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Endpoint {
    pub fn new(api_key: &str, options: &Options) -> Result<Self, Error> {
        let (scheme, authority, path) = parse_base_url(&options.base_url)?;
        let users = format!("{}/users/", path.trim_end_matches('/'));
        let headers = headers(api_key, &authority, options)?;
        Ok(Endpoint { scheme, authority, users, headers })
    }

    pub fn api_key(&self) -> &str {
        let token = self.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        token.and_then(|token| token.strip_prefix("Token ")).unwrap_or_default()
    }

    pub fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    pub fn host(&self) -> &str {
        self.authority.host()
    }

    pub fn request(&self, message: &Message<'_>) -> Result<Request, Error> {
        let id = message.checked_id()?;
        let body = message.body()?;
        let mut path = String::with_capacity(self.users.len() + id.len() + 48);
        path.push_str(&self.users);
        path.extend(utf8_percent_encode(id, ESCAPED));
        path.push_str("/conversations/");
        let mut parts = uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        let uri =
            PathAndQuery::from_maybe_shared(Bytes::from(path)).map_err(ureq::http::Error::from).and_then(|path| {
                parts.path_and_query = Some(path);
                Uri::from_parts(parts).map_err(ureq::http::Error::from)
            });
        let uri =
            uri.map_err(|error| Error::invalid(format!("client_user_id does not make a path ({error}): shorten it")))?;
        let mut headers = self.headers.clone();
        if let Some(length) = headers.get_mut(header::CONTENT_LENGTH) {
            *length = HeaderValue::from(body.len());
        }
        Ok(Request { uri, headers, body })
    }
}

/// Everything but RFC 3986's unreserved characters.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn headers(api_key: &str, authority: &Authority, options: &Options) -> Result<HeaderMap, Error> {
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
    let bad = |field: &str| Error::invalid(format!("{field} cannot stand in a header: use visible ASCII characters"));

    let mut token = Zeroizing::new(Vec::with_capacity("Token ".len() + api_key.len()));
    token.extend_from_slice(b"Token ");
    token.extend_from_slice(api_key.as_bytes());
    let mut authorization = HeaderValue::from_maybe_shared(Bytes::from_owner(token)).map_err(|_| bad("api_key"))?;
    authorization.set_sensitive(true);

    let ours = concat!("userengage/", env!("CARGO_PKG_VERSION"));
    let agent = match options.user_agent.as_deref().unwrap_or_default() {
        "" => HeaderValue::from_static(ours),
        theirs if theirs.len() > LONGEST => {
            return Err(Error::invalid(format!(
                "user_agent has {} bytes, the most is {LONGEST}: shorten it",
                theirs.len()
            )));
        }
        theirs if theirs.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) => {
            HeaderValue::from_str(&format!("{theirs} {ours}")).map_err(|_| bad("user_agent"))?
        }
        _ => return Err(bad("user_agent")),
    };
    let accept = match options.api_version {
        ApiVersion::Specification => "*/*",
        ApiVersion::V2 => "*/*; version=2",
    };

    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| bad("base_url"))?;

    // Host first, as RFC 9110, section 7.2, asks. Content-Length is set for each request; it stands here so that the map
    // need not grow then.
    let mut headers = HeaderMap::with_capacity(8);
    headers.insert(header::HOST, host);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(0));
    headers.insert(header::AUTHORIZATION, authorization);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    headers.insert(header::USER_AGENT, agent);
    Ok(headers)
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
        Err(error) => return refuse(&format!("is no URL ({error})"), example),
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
        return refuse("has a port that is none", "use a port from 1 to 65535, or leave it and its colon out");
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

/// The port that `authority` names, if it names one; an error where that is no port (which http's own parser lets pass).
pub(crate) fn port_of(authority: &Authority) -> Result<Option<u16>, ()> {
    let after_user = authority.as_str().rsplit('@').next().unwrap_or_default();
    match after_user[authority.host().len()..].strip_prefix(':') {
        None => Ok(None),
        Some(port) => match port.parse() {
            Ok(port) if port > 0 => Ok(Some(port)),
            _ => Err(()),
        },
    }
}

/// Whether `host` can only be this machine: `localhost`, 127.0.0.0/8 or ::1.
pub(crate) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
        || host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .is_some_and(|host| host.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback()))
}

#[cfg(test)]
mod tests;

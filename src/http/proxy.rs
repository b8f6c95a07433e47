//! HTTP proxies: chooses the proxy, and opens the tunnel through it (CONNECT).

mod no_proxy;
mod reply;

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use ureq::http::StatusCode;
use ureq::http::uri::Authority;
use zeroize::Zeroizing;

use self::reply::Reply;
use super::socket::Socket;
use super::wait::{CallContext, Stop};
use crate::http::Fault;
use crate::http::request::{is_loopback, port_of};
use crate::model::outcome::Error;
use crate::sys::Interest;

/// The largest answer of a proxy, interim answers (1xx) included.
const LARGEST_HEAD: usize = 16 * 1024;

/// The environment variables that name the proxy for https. The first one that is set and not empty counts, as in
/// libcurl.
const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

/// An HTTP proxy. Its `Debug` and `Display` forms redact the credentials.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub host: String,
    pub port: u16,
    authorization: Option<Zeroizing<String>>,
    source: Source,
}

/// Where the proxy's URL comes from.
#[derive(Clone, Copy)]
enum Source {
    Option,
    Variable(&'static str),
}

impl Proxy {
    /// Chooses the proxy for the host and port in `target`: the one in the option, or else, for https only, the one in
    /// the environment.
    ///
    /// `variable` reads an environment variable. `HTTP_PROXY` is not read: under CGI the `Proxy:` header of a request
    /// sets it.
    pub fn choose(
        option: Option<&str>,
        target: (&str, u16),
        is_https: bool,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, Error> {
        match option {
            Some("") => Ok(None),
            Some(url) => {
                let proxy = Proxy::parse(url, Source::Option)?;
                if !is_https && !is_loopback(&proxy.host) {
                    return Err(Error::invalid(format!(
                        "proxy is {proxy:?} and base_url is http, which would show the API key on the way to it: use an \
                         https base_url, a proxy on a loopback host, or \"\" for none"
                    )));
                }
                Ok(Some(proxy))
            }
            None if !is_https => Ok(None),
            None => Proxy::of_environment(target, variable),
        }
    }

    fn of_environment(
        (host, port): (&str, u16),
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, Error> {
        // Lower case takes precedence, and an empty variable counts as not set, as in libcurl.
        let first_of = |names: &[&'static str]| -> Result<Option<(&'static str, String)>, Error> {
            let mut set = names.iter().filter_map(|name| Some((*name, variable(name)?)));
            let Some((name, value)) = set.find(|(_, value)| !value.is_empty()) else {
                return Ok(None);
            };
            value.into_string().map(|value| Some((name, value))).map_err(|_| {
                Error::invalid(format!(
                    "the environment variable {name} is not UTF-8: correct it, or set the option proxy (\"\" for none)"
                ))
            })
        };
        let no_proxy = first_of(&["no_proxy", "NO_PROXY"])?;
        if no_proxy.is_some_and(|(_, list)| no_proxy::is_excepted(&list, host, port)) {
            return Ok(None);
        }
        first_of(&VARIABLES)?.map(|(name, url)| Proxy::parse(&url, Source::Variable(name))).transpose()
    }

    /// Parses a URL such as `http://user:password@proxy.example:3128`. The scheme may be omitted.
    ///
    /// A password that is not percent-encoded could make a part of it look like the host. So everything is checked
    /// before a part is taken as the host, and no error text quotes a part that may be a password.
    fn parse(url: &str, source: Source) -> Result<Self, Error> {
        let refuse =
            |fault: &str| Err(source.refuse(fault, "give an address such as http://user:password@proxy.example:3128"));
        let (scheme, rest) = split_scheme(url);
        if !scheme.eq_ignore_ascii_case("http") {
            let known = ["https", "socks", "socks4", "socks4a", "socks5", "socks5h"];
            let name = known.iter().find(|name| scheme.eq_ignore_ascii_case(name));
            let name = name.map_or_else(String::new, |name| format!(" ({name})"));
            return refuse(&format!("has a scheme other than http{name}, which is not supported"));
        }
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (credentials, host_and_port) = rest.rsplit_once('@').map_or((None, rest), |(credentials, host)| {
            (Some(credentials).filter(|credentials| !credentials.is_empty()), host)
        });
        if credentials.is_some_and(|credentials| !is_userinfo(credentials)) {
            return Err(source.refuse(
                "has a character in its user or password that cannot stand there",
                "percent-encode it (@ is %40, # is %23, / is %2F, % is %25)",
            ));
        }
        if host_and_port.contains(['/', '?', '#', '\\']) {
            return Err(source.refuse(
                "has a path, a query or a fragment",
                "remove it; what belongs to a user or password, percent-encode (# is %23, / is %2F, ? is %3F)",
            ));
        }
        if !host_and_port.starts_with('[') && host_and_port.matches(':').count() > 1 {
            return refuse("has more than one colon after its host (an IPv6 address needs brackets)");
        }
        if host_and_port.is_empty() || host_and_port.starts_with(':') {
            return refuse("has no host");
        }
        let Ok(authority) = host_and_port.parse::<Authority>() else {
            return refuse("is not a valid URL");
        };
        let Ok(port) = port_of(&authority) else {
            return refuse("has an invalid port");
        };
        let authorization = match credentials.map(basic_credentials) {
            None => None,
            Some(Some(credentials)) => Some(credentials),
            Some(None) => {
                return Err(source.refuse("has a user with a colon (%3A)", "proxies know no such user: correct it"));
            }
        };
        Ok(Proxy { host: authority.host().to_owned(), port: port.unwrap_or(80), authorization, source })
    }

    /// Names the proxy in a fault of its lookup or connect.
    pub fn name_in(&self, fault: Fault) -> Fault {
        match fault {
            Fault::Connect(why) => Fault::Connect(format!("{self} cannot be reached: {why}")),
            Fault::Deadline(what) => Fault::Deadline(format!("{what}, on the way to {self}").into()),
            other => other,
        }
    }

    /// Opens a tunnel to `host:port` over `socket`, which is connected to the proxy.
    pub fn tunnel(
        &self,
        host: &str,
        port: u16,
        socket: &Socket,
        context: &CallContext,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let target = format!("{host}:{port}");
        let wait = |interest| match context.until_ready(&[interest], deadline) {
            Ok(_) => Ok(()),
            Err(Stop::Deadline) => Err(self.too_late()),
            Err(stop) => Err(stop.into_fault("")),
        };
        let request = self.request(&target);
        let mut unsent = request.as_bytes();
        while !unsent.is_empty() {
            match socket.write(unsent) {
                Ok(count) => unsent = &unsent[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => wait(Interest::write(socket))?,
                Err(error) => return Err(Fault::Connect(format!("the connection to {self} broke: {error}"))),
            }
        }
        let mut answer = Vec::new();
        let mut buffer = [0; 1024];
        loop {
            wait(Interest::read(socket))?;
            // Set if no more bytes will come. An answer that was cut off may still say enough.
            let end = match socket.read(&mut buffer) {
                Ok(0) if answer.is_empty() => Some("closed the connection without an answer".into()),
                Ok(0) => Some("closed the connection in the middle of its answer".into()),
                Ok(count) => {
                    answer.extend_from_slice(&buffer[..count]);
                    (answer.len() > LARGEST_HEAD).then(|| format!("answered more than {LARGEST_HEAD} bytes"))
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => Some(format!("broke the connection: {error}")),
            };
            match (reply::read(&answer, end.is_some()), end) {
                (Some(Reply::Refused { status, schemes }), _) => return Err(self.refusal(&target, status, &schemes)),
                (_, Some(end)) => return Err(Fault::Connect(format!("{self} {end}"))),
                (Some(Reply::Open), _) => return Ok(()),
                (Some(Reply::TooEarly), _) => {
                    return Err(Fault::Connect(format!("{self} sent bytes that the service cannot have sent yet")));
                }
                (Some(Reply::NotHttp), _) => return Err(Fault::Connect(format!("{self} did not answer in HTTP/1.1"))),
                // Bytes that keep coming must not extend the deadline.
                (None, None) if Instant::now() >= deadline => return Err(self.too_late()),
                (None, None) => {}
            }
        }
    }

    fn request(&self, target: &str) -> Zeroizing<String> {
        let authorization = self.authorization.as_ref().map_or("", |authorization| authorization.as_str());
        let (name, end) = if authorization.is_empty() { ("", "") } else { ("Proxy-Authorization: Basic ", "\r\n") };
        let parts = ["CONNECT ", target, " HTTP/1.1\r\nHost: ", target, "\r\n", name, authorization, end, "\r\n"];
        // Allocated in full: growing would leave a copy of the credentials behind.
        let mut request = Zeroizing::new(String::with_capacity(parts.iter().map(|part| part.len()).sum()));
        parts.iter().for_each(|part| request.push_str(part));
        request
    }

    fn too_late(&self) -> Fault {
        Fault::Deadline(format!("before {self} answered").into())
    }

    /// The fault for an answer other than 2xx. Most statuses would be the same on the next try; the others allow a
    /// retry.
    fn refusal(&self, target: &str, status: u16, schemes: &[&str]) -> Fault {
        let name = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let named = name.map_or_else(|| status.to_string(), |name| format!("{status} {name}"));
        match status {
            407 => {
                let asks = if self.authorization.is_some() {
                    "refused the user and password that its URL has"
                } else {
                    "asks for a user and password, and its URL has none"
                };
                let remedy = if !schemes.is_empty() && !schemes.contains(&"Basic") {
                    format!(
                        "it accepts {}, which is not supported: let it accept Basic, or ask for nothing",
                        schemes.join(" or ")
                    )
                } else if self.authorization.is_some() {
                    "correct them, with special characters percent-encoded".into()
                } else {
                    "give an address such as http://user:password@proxy.example:3128".into()
                };
                Fault::ProxyRefused(format!("{self} {asks} ({named}): {remedy}"))
            }
            408 | 425 | 429 | 500 | 502..=504 => {
                Fault::Connect(format!("{self} made no connection to {target}: {named}"))
            }
            _ => Fault::ProxyRefused(format!(
                "{self} refused a connection to {target}: {named}; let it allow CONNECT to that address"
            )),
        }
    }
}

impl Source {
    fn refuse(self, fault: &str, remedy: &str) -> Error {
        Error::invalid(match self {
            Source::Option => format!("proxy {fault}: {remedy}, or \"\" for none"),
            Source::Variable(name) => format!(
                "the environment variable {name} {fault}: {remedy}, or do without a proxy (set the option proxy to \"\", \
                 or NO_PROXY to the service's host)"
            ),
        })
    }
}

/// Splits a URL into the scheme (`http` if there is none) and the rest.
fn split_scheme(url: &str) -> (&str, &str) {
    let is_scheme = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    url.split_once("://").filter(|(scheme, _)| is_scheme(scheme)).unwrap_or(("http", url))
}

/// Whether `text` is valid before the `@` (RFC 3986, section 3.2.1).
fn is_userinfo(text: &str) -> bool {
    let mut parts = text.split('%');
    let is_plain =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:".contains(&byte));
    let is_hex = |byte: &u8| byte.is_ascii_hexdigit();
    parts.next().is_none_or(is_plain)
        && parts.all(|part| is_plain(part) && part.as_bytes().iter().take(2).filter(|byte| is_hex(byte)).count() == 2)
}

/// The credentials in the form of RFC 7617. `None` if the user has a colon, which would end the user there.
fn basic_credentials(credentials: &str) -> Option<Zeroizing<String>> {
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let mut plain = Zeroizing::new(Vec::with_capacity(credentials.len() + 1));
    plain.extend(percent_decode_str(user));
    if plain.contains(&b':') {
        return None;
    }
    plain.push(b':');
    plain.extend(percent_decode_str(password));
    Some(Zeroizing::new(BASE64_STANDARD.encode(&*plain)))
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// The form for texts that a person reads.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::Option => "the option proxy",
            Source::Variable(name) => name,
        };
        write!(f, "the proxy {self:?} (from {source})")
    }
}

#[cfg(test)]
mod tests;

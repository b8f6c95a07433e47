//! Proxies: which one, and the tunnel through it (CONNECT).

use std::fmt;
use std::io;
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use ureq::http::Uri;
use zeroize::Zeroizing;

use super::socket::Socket;
use super::wait::Waiter;
use crate::endpoint::port_of;
use crate::error::Error;
use crate::ffi::sys::Interest;
use crate::verdict::Fault;

/// The largest head of a proxy's answer.
const LARGEST_HEAD: usize = 16 * 1024;

/// An HTTP proxy. Its `Debug` form leaves the credentials out.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub host: String,
    pub port: u16,
    authorization: Option<Zeroizing<String>>,
}

impl Proxy {
    /// The proxy for `target` (a host of an `https` address, or not): the option's; else, for https, the environment's.
    ///
    /// `variable` reads the environment. `HTTP_PROXY` is not read: under CGI a request's `Proxy:` header sets it.
    pub fn choose(
        option: Option<&str>,
        target: &str,
        is_https: bool,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        match option {
            Some("") => Ok(None),
            Some(url) => Proxy::parse(url, "proxy").map(Some),
            None if !is_https => Ok(None),
            None => {
                let variable = |names: [&'static str; 2]| {
                    let mut set = names.into_iter().filter_map(|name| Some((name, variable(name)?)));
                    set.find(|(_, value)| !value.is_empty())
                };
                let no_proxy = variable(["no_proxy", "NO_PROXY"]).map(|(_, list)| list).unwrap_or_default();
                match variable(["https_proxy", "HTTPS_PROXY"]) {
                    Some((name, url)) if !is_excepted(&no_proxy, target) => {
                        Proxy::parse(&url, &format!("the environment variable {name}")).map(Some)
                    }
                    _ => Ok(None),
                }
            }
        }
    }

    fn parse(url: &str, field: &str) -> Result<Self, Error> {
        let refuse = |fault: &str| {
            Err(Error::invalid(format!(
                "{field} {fault}: give an address such as http://user:password@proxy.example:3128"
            )))
        };
        let with_scheme = if url.contains("://") { url.to_owned() } else { format!("http://{url}") };
        let Ok(uri) = with_scheme.parse::<Uri>() else {
            return refuse("is no URL"); // the parser's own words could quote a password
        };
        let Some(authority) = uri.authority().filter(|authority| !authority.host().is_empty()) else {
            return refuse("has no host");
        };
        if uri.scheme_str() != Some("http") {
            return refuse("has a scheme other than http, which is not supported");
        }
        if uri.path() != "/" || uri.query().is_some() {
            return refuse("has a path");
        }
        let Ok(port) = port_of(authority) else {
            return refuse("has a port that is none");
        };
        let authorization = authority.as_str().rsplit_once('@').map(|(credentials, _)| {
            let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
            let mut plain = Zeroizing::new(Vec::new());
            plain.extend(percent_decode_str(user));
            plain.push(b':');
            plain.extend(percent_decode_str(password));
            Zeroizing::new(BASE64_STANDARD.encode(&*plain))
        });
        Ok(Proxy { host: authority.host().to_owned(), port: port.unwrap_or(80), authorization })
    }

    /// Opens a tunnel to `host:port` over `socket`, which is connected to the proxy.
    pub fn tunnel(
        &self,
        host: &str,
        port: u16,
        socket: &Socket,
        waiter: &Waiter,
        deadline: Instant,
    ) -> Result<(), Fault> {
        let mut request = Zeroizing::new(format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n"));
        if let Some(authorization) = &self.authorization {
            request.push_str("Proxy-Authorization: Basic ");
            request.push_str(authorization);
            request.push_str("\r\n");
        }
        request.push_str("\r\n");

        let broken = |error: io::Error| Fault::Connect(format!("the connection to the proxy {self:?} broke: {error}"));
        let wait = |interest| {
            waiter.until_ready(&[interest], deadline).map_err(|stop| stop.into_fault("while the proxy was asked"))
        };
        let mut unsent = request.as_bytes();
        while !unsent.is_empty() {
            match socket.write(unsent) {
                Ok(count) => unsent = &unsent[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => drop(wait(Interest::write(socket))?),
                Err(error) => return Err(broken(error)),
            }
        }
        let mut head = Vec::new();
        // In TLS and HTTP the client speaks first, so bytes after the head are a fault of the proxy.
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            let mut buffer = [0; 1024];
            match socket.read(&mut buffer) {
                Ok(0) => return Err(Fault::Connect(format!("the proxy {self:?} closed the connection"))),
                Ok(count) => head.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => drop(wait(Interest::read(socket))?),
                Err(error) => return Err(broken(error)),
            }
            if head.len() > LARGEST_HEAD {
                return Err(Fault::Connect(format!("the proxy {self:?} answered more than {LARGEST_HEAD} bytes")));
            }
        }
        match status_of(&head) {
            Some(200..=299) if head.ends_with(b"\r\n\r\n") => Ok(()),
            Some(200..=299) => Err(Fault::Connect(format!("the proxy {self:?} spoke before it was spoken to"))),
            Some(407) => Err(Fault::Connect(format!(
                "the proxy {self:?} refused: 407 Proxy Authentication Required; check the user and password in its URL"
            ))),
            Some(status) => Err(Fault::Connect(format!("the proxy {self:?} refused: {status}"))),
            None => Err(Fault::Connect(format!("the proxy {self:?} answered no HTTP"))),
        }
    }
}

fn status_of(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    std::str::from_utf8(rest.get(2..5)?).ok()?.parse().ok()
}

/// Whether `no_proxy` (names with commas between, a domain means its subdomains too, `*` all) excepts `host`.
fn is_excepted(no_proxy: &str, host: &str) -> bool {
    let bare = |name: &str| name.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    let host = bare(host);
    no_proxy.split(',').map(str::trim).filter(|name| !name.is_empty()).any(|name| {
        let domain = bare(name.trim_start_matches('*').trim_start_matches('.'));
        name == "*"
            || host == domain
            || host.strip_suffix(&domain).is_some_and(|rest| !domain.is_empty() && rest.ends_with('.'))
    })
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn none(_: &str) -> Option<String> {
        None
    }

    #[test]
    fn the_environment_counts_for_https_when_no_option_is_given() {
        let environment = |pairs: &'static [(&str, &str)]| {
            move |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        let chosen = |option, is_https, pairs| {
            Proxy::choose(option, "app.userengage.com", is_https, environment(pairs))
                .map(|proxy| proxy.map(|proxy| proxy.host))
        };
        assert_eq!(chosen(None, true, &[("HTTPS_PROXY", "http://up:1")]).unwrap().as_deref(), Some("up"));
        assert_eq!(
            chosen(None, true, &[("HTTPS_PROXY", "http://up:1"), ("https_proxy", "http://low:1")]).unwrap().as_deref(),
            Some("low")
        );
        assert_eq!(chosen(None, true, &[("HTTPS_PROXY", "")]).unwrap(), None);
        assert_eq!(
            chosen(None, true, &[("HTTPS_PROXY", "http://up:1"), ("NO_PROXY", "userengage.com")]).unwrap(),
            None
        );
        assert_eq!(chosen(None, false, &[("HTTPS_PROXY", "http://up:1")]).unwrap(), None);
        assert_eq!(chosen(None, true, &[("HTTP_PROXY", "http://cgi:1"), ("ALL_PROXY", "http://all:1")]).unwrap(), None);
        assert_eq!(chosen(Some(""), true, &[("HTTPS_PROXY", "http://up:1")]).unwrap(), None);
        let error = chosen(None, true, &[("HTTPS_PROXY", "socks5://u:s3cret@p")]).unwrap_err().to_string();
        assert!(
            error.starts_with("the environment variable HTTPS_PROXY has a scheme") && !error.contains("s3cret"),
            "{error}"
        );
    }

    #[test]
    fn a_proxy_url_is_read_with_its_credentials_which_are_never_shown() {
        let proxy =
            Proxy::choose(Some("http://us%40er:s3cret%3A@proxy.example:3128"), "h", true, none).unwrap().unwrap();
        assert_eq!((proxy.host.as_str(), proxy.port), ("proxy.example", 3128));
        assert_eq!(proxy.authorization.as_ref().unwrap().as_str(), BASE64_STANDARD.encode("us@er:s3cret:"));
        assert_eq!(format!("{proxy:?}"), "proxy.example:3128");
        assert_eq!(Proxy::choose(Some("proxy.example"), "h", true, none).unwrap().unwrap().port, 80);
    }

    #[test]
    fn an_empty_option_means_none() {
        assert!(Proxy::choose(Some(""), "h", true, none).unwrap().is_none());
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_never_direct() {
        for url in [
            "socks5://u:s3cret@p",
            "https://p",
            "http://",
            "http://u:s3cret@p:0",
            "http://p:99999",
            "http://p/path",
            "u s3cret",
        ] {
            let text = Proxy::choose(Some(url), "h", true, none).unwrap_err().to_string();
            assert!(text.starts_with("proxy ") && !text.contains("s3cret"), "{url}: {text}");
        }
    }

    #[test]
    fn no_proxy_excepts_hosts_domains_and_everything() {
        for (list, excepted) in [
            ("", false),
            ("app.userengage.com", true),
            (" APP.userengage.com ,x", true),
            ("userengage.com", true),
            (".userengage.com", true),
            ("*.userengage.com", true),
            ("*", true),
            ("x, *", true),
            ("engage.com", false),
            ("pp.userengage.com", false),
            (",", false),
        ] {
            assert_eq!(is_excepted(list, "app.userengage.com"), excepted, "{list:?}");
        }
        assert!(is_excepted("::1", "[::1]"));
    }

    #[test]
    fn a_status_is_read_from_a_head() {
        assert_eq!(status_of(b"HTTP/1.1 200 OK\r\n\r\n"), Some(200));
        assert_eq!(status_of(b"HTTP/1.0 407\r\n\r\n"), Some(407));
        for junk in [&b"HTTP/2 200"[..], b"", b"HTTP/1.1 xx", b"SSH-2.0"] {
            assert_eq!(status_of(junk), None);
        }
    }
}

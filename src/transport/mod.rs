//! The only I/O: a request goes out once, and what came of it comes back.
//!
//! A [`Transport`] belongs to one process; the child of a fork makes one of its own and leaves its parent's alone.

mod buffers;
mod dns;
mod head;
mod proxy;
#[allow(dead_code)] // until the connection reads its answers with it
mod response;
mod socket;
mod tls;
mod wait;
mod wire;

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, Response, Uri, header, uri::Scheme};
use ureq::{Agent, Body};

pub(crate) use proxy::Proxy;
pub(crate) use tls::Roots;
pub(crate) use wait::{ASK_EVERY, Bell, End, Stop, Waiter};

use self::dns::Dns;
use self::socket::Socket;
use self::tls::{Session, Tls};
use self::wire::{LARGEST_HEAD, Line, NoResolver, WireConnector};
use crate::endpoint::{Fields, Request};
use crate::hooks::Level;
use crate::verdict::{self, Answer, BodyEnd, ContentType, Failure, Fault};

/// How much of an answer's body is kept, and how much is read so that the connection can be used again.
const KEPT_BODY: usize = 64 * 1024;
const READ_BODY: usize = 1024 * 1024;

/// How long an idle connection is used again. Well below what servers grant, so that they seldom close first.
const MAX_IDLE: Duration = Duration::from_secs(15);

/// What the transport needs to know of its client.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub fields: Fields,
    pub proxy: Option<Proxy>,
    pub roots: Roots,
    pub connect_timeout: Duration,
    pub max_connections: usize,
}

/// Sends requests over connections that it keeps.
#[derive(Debug)]
pub(crate) struct Transport {
    net: Arc<Net>,
    config: ureq::config::Config,
    connect_timeout: Duration,
    max_idle: usize,
    /// Lanes that nobody uses, the most recently used one last.
    idle: Mutex<Vec<Lane>>,
}

/// A connection, or the place for one, and the agent that speaks HTTP over it. One request at a time.
#[derive(Debug)]
struct Lane {
    agent: Agent,
    line: Arc<Line>,
}

impl Transport {
    pub fn new(settings: &Settings) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None) // ours, in `Net`
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .max_response_header_size(LARGEST_HEAD)
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(MAX_IDLE)
            .build();
        Transport {
            net: Arc::new(Net {
                fields: settings.fields.clone(),
                dns: Dns::default(),
                tls: Tls::new(settings.roots.clone()),
                proxy: settings.proxy.clone(),
            }),
            config,
            connect_timeout: settings.connect_timeout,
            max_idle: settings.max_connections,
            idle: Mutex::default(),
        }
    }

    /// Sends `request` once and waits, in `waiter`, for its answer.
    pub fn exchange(&self, request: Request<'_>, waiter: &Waiter, deadline: Instant) -> Result<Answer, Failure> {
        let lane = self.lanes().pop().unwrap_or_else(|| self.new_lane());
        let result = lane.exchange(request, waiter, deadline, self.connect_timeout);
        let mut idle = self.lanes();
        if idle.len() < self.max_idle && waiter.bell().check().is_ok() {
            idle.push(lane);
        }
        result
    }

    /// Closes the connections that nobody uses.
    pub fn close_idle(&self) {
        let idle = std::mem::take(&mut *self.lanes());
        drop(idle); // without the lock
    }

    fn lanes(&self) -> std::sync::MutexGuard<'_, Vec<Lane>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_lane(&self) -> Lane {
        let line = Arc::new(Line::new());
        let connector = WireConnector { net: self.net.clone(), line: line.clone() };
        Lane { agent: Agent::with_parts(self.config.clone(), connector, NoResolver), line }
    }
}

impl Lane {
    fn exchange(
        &self,
        request: Request<'_>,
        waiter: &Waiter,
        deadline: Instant,
        connect_timeout: Duration,
    ) -> Result<Answer, Failure> {
        let hooks = waiter.hooks();
        hooks.log(Level::Debug, || format!("POST {} ({} bytes)", request.uri().path(), request.body().len()));
        self.line.begin(waiter, deadline, connect_timeout);
        match self.agent.run(request) {
            Ok(response) => {
                self.line.body_begins();
                let answer = read_answer(response, self.line.request_complete());
                hooks.log(Level::Debug, || {
                    format!(
                        "answered {} ({} bytes of {:?}, request id {:?})",
                        answer.status,
                        answer.body.len(),
                        answer.content_type,
                        answer.request_id
                    )
                });
                Ok(answer)
            }
            Err(error) => {
                let fault = self.line.take_fault().unwrap_or_else(|| fault_of(&error));
                let failure = Failure { fault, request_complete: self.line.request_complete() };
                hooks.log(Level::Debug, || {
                    let part = if failure.request_complete { "the whole" } else { "not the whole" };
                    format!("no answer: {}; {part} request went out", verdict::of_failure(&failure).what)
                });
                Err(failure)
            }
        }
    }
}

/// What ureq itself finds wrong with an exchange.
fn fault_of(error: &ureq::Error) -> Fault {
    match error {
        ureq::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Fault::Lost("the connection was closed before an answer came".into())
        }
        ureq::Error::Protocol(error) => Fault::Garbage(format!("what came is no HTTP/1.1 answer: {error}")),
        ureq::Error::LargeResponseHeader(..) => {
            Fault::Garbage(format!("the answer's head is larger than {LARGEST_HEAD} bytes"))
        }
        error => Fault::Internal(error.to_string()),
    }
}

fn read_answer(response: Response<Body>, request_complete: bool) -> Answer {
    let (head, mut body) = response.into_parts();
    let (kept, body_end) = read_body(&mut body);
    let text = |name| text_of(&head.headers, name);
    // What only an answer that is no success can mean something by.
    let reason = |name| if head.status.is_success() { None } else { text(name) };
    Answer {
        status: head.status.as_u16(),
        location_host: reason(header::LOCATION).and_then(|to| to.parse::<Uri>().ok()?.host().map(str::to_owned)),
        content_encoded: text(header::CONTENT_ENCODING).is_some(),
        date: reason(header::DATE).map(str::to_owned),
        content_type: text(header::CONTENT_TYPE).map(ContentType::of).unwrap_or_default(),
        retry_after: reason(header::RETRY_AFTER).map(str::to_owned),
        request_id: text_of(&head.headers, "cf-ray").map_or_else(String::new, |id| id[..id.len().min(128)].to_owned()),
        cloudflare: reason(header::SERVER).is_some_and(|server| server.eq_ignore_ascii_case("cloudflare")),
        body: kept,
        body_end,
        request_complete,
    }
}

/// The value of a header, where it is visible ASCII.
fn text_of(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Reads the body to its end, so that the connection can be used again, and keeps its start. The second tells whether it
/// ended too early, by the peer's or by our doing.
fn read_body(body: &mut Body) -> (Vec<u8>, BodyEnd) {
    let mut kept = Vec::new();
    let mut reader = body.as_reader();
    // Most bodies are smaller than this, and a larger buffer takes longer to clear than to read into.
    let mut buffer = [0; 1024];
    let mut read = 0;
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return (kept, BodyEnd::Whole),
            Ok(count) => {
                read += count;
                kept.extend_from_slice(&buffer[..count.min(KEPT_BODY - kept.len())]);
                if read > READ_BODY {
                    return (kept, BodyEnd::Cut);
                }
            }
            Err(_) => return (kept, BodyEnd::Cut),
        }
    }
}

/// What the connections of a transport share.
#[derive(Debug)]
struct Net {
    fields: Fields,
    dns: Dns,
    tls: Tls,
    proxy: Option<Proxy>,
}

impl Net {
    /// Connects to the host of `uri`, through the proxy where there is one, with TLS where it is https.
    fn connect(&self, uri: &Uri, waiter: &Waiter, deadline: Instant) -> Result<(Socket, Option<Session>), Fault> {
        let is_https = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let (first_host, first_port) = self.proxy.as_ref().map_or((host, port), |proxy| (&proxy.host, proxy.port));

        let addresses = self.dns.resolve(first_host, first_port, waiter, deadline);
        let connected = addresses.and_then(|addresses| {
            Socket::connect(&addresses, waiter, deadline).inspect_err(|_| self.dns.forget(first_host))
        });
        let socket = match &self.proxy {
            None => connected?,
            Some(proxy) => {
                let socket = connected.map_err(|fault| proxy.name_in(fault))?;
                proxy.tunnel(host, port, &socket, waiter, deadline)?;
                socket
            }
        };
        let session = if is_https { Some(self.tls.connect(host, &socket, waiter, deadline)?) } else { None };
        Ok((socket, session))
    }
}

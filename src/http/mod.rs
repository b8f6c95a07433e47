//! The only I/O: a request goes out once, and what came of it comes back.
//!
//! A [`Transport`] belongs to one process; the child of a fork makes one of its own and leaves its parent's alone.

mod buffers;
mod connection;
mod dns;
mod proxy;
pub(crate) mod request;
mod response;
mod response_reader;
mod socket;
mod tls;
mod wait;

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::{Uri, uri::Scheme};

pub(crate) use proxy::Proxy;
pub(crate) use response::{Answer, BodyEnd, ContentType, Failure, Fault, KEPT_BODY};
pub(crate) use tls::Roots;
pub(crate) use wait::{Bell, End, Stop, Waiter};

use self::connection::{Attempt, Line, NoResolver, WireConnector};
use self::dns::Dns;
use self::socket::Socket;
use self::tls::{Session, Tls};
use crate::http::request::{Fields, Request};
use crate::model::hooks::Level;

/// How long an idle connection is used again. Well below what servers grant, so that they seldom close first.
const MAX_IDLE: Duration = Duration::from_secs(15);

/// What the transport needs to know of its client.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
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
    idle: Mutex<Idle>,
}

/// The connection pool.
#[derive(Debug, Default)]
struct Idle {
    /// Lanes that nobody uses, the most recently used one last.
    lanes: Vec<Lane>,
    /// The client was closed: nothing is put back any more.
    closed: bool,
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
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(MAX_IDLE)
            .build();
        Transport {
            net: Arc::new(Net {
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

    /// Sends a request once, with `fields`, and waits, in `waiter`, for its answer. `request` makes it: anew where a kept
    /// connection turns out to be of no more use before anything was sent.
    pub fn exchange<'a>(
        &self,
        request: &dyn Fn() -> Request<'a>,
        fields: &Fields,
        waiter: &Waiter,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let lane = self.idle().lanes.pop().unwrap_or_else(|| self.new_lane());
        let result = lane.exchange(request, waiter, |body| Attempt {
            waiter: waiter.clone(),
            deadline,
            connect_timeout: self.connect_timeout,
            fields: fields.downgrade(),
            body,
        });
        if waiter.has_forked() {
            mem::forget(lane); // the parent's
            return Err(Failure { fault: Fault::Forked, request_complete: false });
        }
        let mut idle = self.idle();
        if idle.lanes.len() < self.max_idle && !idle.closed {
            idle.lanes.push(lane);
        }
        result
    }

    /// Closes the connections that nobody uses, and keeps none from now on.
    pub fn close(&self) {
        let mut idle = self.idle();
        idle.closed = true;
        let lanes = mem::take(&mut idle.lanes);
        drop(idle);
        drop(lanes); // without the lock
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_lane(&self) -> Lane {
        let line = Arc::new(Line::default());
        let connector = WireConnector { net: self.net.clone(), line: line.clone() };
        Lane { agent: Agent::with_parts(self.config.clone(), connector, NoResolver), line }
    }
}

impl Lane {
    fn exchange<'a>(
        &self,
        request: &dyn Fn() -> Request<'a>,
        waiter: &Waiter,
        attempt: impl Fn(usize) -> Attempt,
    ) -> Result<Answer, Failure> {
        let hooks = waiter.hooks();
        let run = |request: Request<'_>| {
            self.line.begin(attempt(request.body().len()));
            let run = self.agent.run(request);
            (run, self.line.end())
        };
        let first = request();
        hooks.log(Level::Debug, || format!("POST {} ({} bytes)", first.uri().path(), first.body().len()));
        let (mut ran, mut report) = run(first);
        if report.is_stale {
            hooks.log(Level::Debug, || "the kept connection is of no more use; nothing was sent on it".into());
            (ran, report) = run(request());
        }
        if let Some(answer) = report.answer {
            hooks.log(Level::Debug, || {
                // The request id stands in the outcome, where it is compared with what must not show.
                format!("answered {} ({} bytes of {:?})", answer.status, answer.body.len(), answer.content_type)
            });
            return Ok(answer);
        }
        let fault = report.fault.unwrap_or_else(|| {
            Fault::Internal(match ran {
                Ok(_) => "an answer without an answer".into(),
                Err(error) => error.to_string(),
            })
        });
        let failure = Failure { fault, request_complete: report.request_complete };
        hooks.log(Level::Debug, || {
            let part = if failure.request_complete { "the whole" } else { "not the whole" };
            format!("no answer: {}; {part} request went out", failure.fault)
        });
        Err(failure)
    }
}

/// What the connections of a transport share.
#[derive(Debug)]
struct Net {
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
            Socket::connect(&addresses, waiter, deadline).inspect_err(|fault| match fault {
                Fault::Connect(_) | Fault::Deadline(_) => self.dns.forget(first_host),
                _ => {} // the call ended; in the child of a fork the look-ups' lock is the parent's
            })
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

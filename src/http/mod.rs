//! The HTTP client: sends a request once and returns the answer, or why there is none. All network I/O of the library
//! is here.
//!
//! A [`Transport`] holds the connection pool. It belongs to one process: the child of a fork makes its own and does not
//! touch its parent's. How ureq is used is described in [`connection`].

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
pub(crate) use wait::{ASK_EVERY, CallContext, Stop};

use self::connection::{Attempt, AttemptState, ConnectionMaker, NoResolver};
use self::dns::Dns;
use self::socket::Socket;
use self::tls::{Session, Tls};
use crate::http::request::{Fields, Request};
use crate::model::hooks::Level;

/// A connection that was idle for longer is not reused. Servers usually allow more, so they seldom close first.
const MAX_IDLE_AGE: Duration = Duration::from_secs(15);

/// The client's options that the transport needs.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub proxy: Option<Proxy>,
    pub roots: Roots,
    pub connect_timeout: Duration,
    pub max_connections: usize,
}

/// Sends requests over pooled connections.
#[derive(Debug)]
pub(crate) struct Transport {
    dialer: Arc<Dialer>,
    config: ureq::config::Config,
    connect_timeout: Duration,
    max_idle: usize,
    pool: Mutex<Pool>,
}

/// The connection pool.
#[derive(Debug, Default)]
struct Pool {
    /// The idle connections, the most recently used one last.
    idle: Vec<PooledConnection>,
    /// The client was closed: connections are no longer put back.
    closed: bool,
}

/// A slot of the pool: a ureq agent that keeps at most one connection. It carries one request at a time.
#[derive(Debug)]
struct PooledConnection {
    agent: Agent,
    attempt_state: Arc<AttemptState>,
}

impl Transport {
    pub fn new(settings: &Settings) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None) // `Dialer` connects through the proxy
            .user_agent("")
            .accept("")
            .accept_encoding("")
            .max_idle_connections(1)
            .max_idle_connections_per_host(1)
            .max_idle_age(MAX_IDLE_AGE)
            .build();
        Transport {
            dialer: Arc::new(Dialer {
                dns: Dns::default(),
                tls: Tls::new(settings.roots.clone()),
                proxy: settings.proxy.clone(),
            }),
            config,
            connect_timeout: settings.connect_timeout,
            max_idle: settings.max_connections,
            pool: Mutex::default(),
        }
    }

    /// Takes a connection from the pool, sends one request with the header fields `fields`, and waits in `context` for
    /// the answer. `request` makes the request. It is called a second time if an idle connection turns out to be stale
    /// before any byte was sent.
    pub fn exchange<'a>(
        &self,
        request: &dyn Fn() -> Request<'a>,
        fields: &Fields,
        context: &CallContext,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let connection = self.pool().idle.pop().unwrap_or_else(|| self.new_connection());
        let result = connection.exchange(request, context, |body_length| Attempt {
            context: context.clone(),
            deadline,
            connect_timeout: self.connect_timeout,
            fields: fields.downgrade(),
            body_length,
        });
        if context.has_forked() {
            mem::forget(connection); // it belongs to the parent
            return Err(Failure { fault: Fault::Forked, request_complete: false });
        }
        let mut pool = self.pool();
        if pool.idle.len() < self.max_idle && !pool.closed {
            pool.idle.push(connection);
        }
        result
    }

    /// Closes the idle connections. From now on no connection is put back into the pool.
    pub fn close(&self) {
        let mut pool = self.pool();
        pool.closed = true;
        let idle = mem::take(&mut pool.idle);
        drop(pool);
        drop(idle); // after the lock is released
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn new_connection(&self) -> PooledConnection {
        let attempt_state = Arc::new(AttemptState::default());
        let connector = ConnectionMaker { dialer: self.dialer.clone(), attempt_state: attempt_state.clone() };
        PooledConnection { agent: Agent::with_parts(self.config.clone(), connector, NoResolver), attempt_state }
    }
}

impl PooledConnection {
    fn exchange<'a>(
        &self,
        request: &dyn Fn() -> Request<'a>,
        context: &CallContext,
        attempt: impl Fn(usize) -> Attempt,
    ) -> Result<Answer, Failure> {
        let hooks = context.hooks();
        let run = |request: Request<'_>| {
            self.attempt_state.begin(attempt(request.body().len()));
            let run = self.agent.run(request);
            (run, self.attempt_state.end())
        };
        let first = request();
        hooks.log(Level::Debug, || format!("POST {} ({} bytes)", first.uri().path(), first.body().len()));
        let (mut ran, mut report) = run(first);
        if report.is_stale {
            hooks.log(Level::Debug, || "the idle connection is stale; nothing was sent on it".into());
            (ran, report) = run(request());
        }
        if let Some(answer) = report.answer {
            hooks.log(Level::Debug, || {
                // Without the request id: only the outcome shows it, after a check that it does not reveal a secret.
                format!("answered {} ({} bytes of {:?})", answer.status, answer.body.len(), answer.content_type)
            });
            return Ok(answer);
        }
        let fault = report.fault.unwrap_or_else(|| {
            Fault::Internal(match ran {
                Ok(_) => "ureq returned an answer that the connection did not read".into(),
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

/// Opens connections: DNS, the proxy and TLS. All connections of a transport share it.
#[derive(Debug)]
struct Dialer {
    dns: Dns,
    tls: Tls,
    proxy: Option<Proxy>,
}

impl Dialer {
    /// Connects to the host of `uri`, through the proxy if one is set, and with TLS if the scheme is https.
    fn connect(&self, uri: &Uri, context: &CallContext, deadline: Instant) -> Result<(Socket, Option<Session>), Fault> {
        let is_https = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let (first_host, first_port) = self.proxy.as_ref().map_or((host, port), |proxy| (&proxy.host, proxy.port));

        let addresses = self.dns.resolve(first_host, first_port, context, deadline);
        let connected = addresses.and_then(|addresses| {
            Socket::connect(&addresses, context, deadline).inspect_err(|fault| match fault {
                Fault::Connect(_) | Fault::Deadline(_) => self.dns.forget(first_host),
                _ => {} // the call ended; in the child of a fork the lock of the DNS cache may never be released
            })
        });
        let socket = match &self.proxy {
            None => connected?,
            Some(proxy) => {
                let socket = connected.map_err(|fault| proxy.name_in(fault))?;
                proxy.tunnel(host, port, &socket, context, deadline)?;
                socket
            }
        };
        let session = if is_https { Some(self.tls.connect(host, &socket, context, deadline)?) } else { None };
        Ok((socket, session))
    }
}

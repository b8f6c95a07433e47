//! The seam with ureq. ureq calls [`ConnectionMaker`] to connect, and then writes to and reads from a [`Connection`]
//! instead of a socket of its own.
//!
//! ureq does three things: it writes the head and the body of a request, it keeps the connection for the next request,
//! and it drops a connection that is too old. This module does the rest, beneath ureq:
//!
//! Buffering. The output of ureq is kept in [`ConnectionBuffers`] until ureq waits for input. So head and body go out
//! in one write and one TLS record. A body that does not fit is sent in pieces.
//!
//! Fields. ureq gets only Host and Content-Length. The other header fields, the API key among them, are the same for
//! every request of a client; [`Fields`](crate::http::request::Fields) holds them as text. They are spliced in at the
//! end of the head when ureq hands it over, so ureq never holds the key and cannot log it. The key is wiped from the
//! buffer after the write.
//!
//! Counting. The connection knows which bytes the kernel took. [`Report::request_complete`] says whether the whole
//! request was among them. [`send`](crate::send) derives from it what is certain about the message.
//!
//! Stale connections. Right before the first byte of a request, the peer is checked. If it has closed the connection,
//! or has sent something, nothing is sent. [`Report::is_stale`] then allows a second try on a new connection.
//!
//! The answer. [`ResponseReader`] parses the bytes of the answer, and the result goes to the caller through
//! [`AttemptState`], past ureq. ureq reads a canned answer, `HTTP/1.1 204` or `HTTP/1.0 204`: it only says whether the
//! connection can be reused. The response fields that are read are listed once, in `response_reader/fields.rs`.
//!
//! Faults. ureq gets `ConnectionFailed` for every fault. The fault itself goes to the caller through [`AttemptState`],
//! too.

use std::fmt;
use std::io;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use super::Dialer;
use super::buffers::ConnectionBuffers;
use super::response_reader::ResponseReader;
use super::socket::Socket;
use super::tls::Session;
use super::wait::{CallContext, Stop};
use crate::http::request::WeakFields;
use crate::http::{Answer, Fault};
use crate::model::hooks::Level;
use crate::sys::Interest;

/// The channel between an attempt and its connection, past ureq: the attempt goes down, the [`Report`] comes up. Only
/// one thread uses a pooled connection at a time, so nobody ever waits for the lock.
#[derive(Debug, Default)]
pub(crate) struct AttemptState(Mutex<AttemptInner>);

#[derive(Debug, Default)]
struct AttemptInner {
    /// The attempt in flight. `None` while the connection is idle, so that an idle connection keeps no data of a call.
    attempt: Option<Attempt>,
    /// Whether ureq has written the head of the attempt's request.
    begun: bool,
    report: Report,
}

/// The data that a connection needs for one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub context: CallContext,
    pub deadline: Instant,
    pub connect_timeout: Duration,
    pub fields: WeakFields,
    /// The length of the request's body.
    pub body_length: usize,
}

/// What the connection reports after an attempt.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Whether the last byte of the request was handed to the kernel.
    pub request_complete: bool,
    pub answer: Option<Answer>,
    /// The idle connection was closed by the peer, or the peer had sent something unasked. Nothing was sent on it.
    pub is_stale: bool,
    /// Why there is no answer.
    pub fault: Option<Fault>,
}

impl AttemptState {
    fn lock(&self) -> MutexGuard<'_, AttemptInner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn begin(&self, attempt: Attempt) {
        *self.lock() = AttemptInner { attempt: Some(attempt), ..AttemptInner::default() };
    }

    /// Ends the attempt and returns the connection's report.
    pub fn end(&self) -> Report {
        let mut state = self.lock();
        state.attempt = None;
        mem::take(&mut state.report)
    }

    fn attempt(&self) -> Result<Attempt, Error> {
        // Always set: ureq uses a connection only during an attempt.
        self.lock().attempt.clone().ok_or(Error::ConnectionFailed)
    }

    /// Stores the first fault for the caller. Returns the error for ureq, which carries no details.
    fn fail(&self, fault: Fault) -> Error {
        self.lock().report.fault.get_or_insert(fault);
        Error::ConnectionFailed
    }
}

/// Makes the connection of one [`PooledConnection`](super::PooledConnection).
pub(crate) struct ConnectionMaker {
    pub dialer: Arc<Dialer>,
    pub attempt_state: Arc<AttemptState>,
}

impl Connector for ConnectionMaker {
    type Out = Connection;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Connection>, Error> {
        let Attempt { context, deadline: call_deadline, connect_timeout, .. } = self.attempt_state.attempt()?;
        context.check().map_err(|stop| self.attempt_state.fail(stop.into_fault("before it connected")))?;
        let started = Instant::now();
        let deadline = call_deadline.min(started + connect_timeout);
        match self.dialer.connect(details.uri, &context, deadline) {
            Ok((socket, session)) => {
                context.hooks().log(Level::Debug, || {
                    let tls = if session.is_some() { " with TLS" } else { "" };
                    format!(
                        "connected to {}{tls} in {} us",
                        details.uri.host().unwrap_or("?"),
                        started.elapsed().as_micros()
                    )
                });
                Ok(Some(Connection {
                    socket,
                    session,
                    buffers: ConnectionBuffers::default(),
                    input: Vec::new(),
                    reader: ResponseReader::new(),
                    attempt_state: self.attempt_state.clone(),
                    attempt: None,
                    trace_enabled: context.hooks().listen_to(Level::Trace),
                    broken: false,
                    unsent_may_be_tls: false,
                    was_reset: false,
                    body_left: 0,
                    is_new: true,
                    peer_checked: false,
                }))
            }
            // Only the connect timeout has passed, not the call's deadline, so another attempt may follow.
            Err(Fault::Deadline(what)) if deadline < call_deadline => Err(self.attempt_state.fail(Fault::Connect(
                format!("no connection within {} ms: it passed {what}", connect_timeout.as_millis()),
            ))),
            Err(fault) => Err(self.attempt_state.fail(fault)),
        }
    }
}

impl fmt::Debug for ConnectionMaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionMaker")
    }
}

/// Resolves nothing. [`Dialer::connect`] looks up the host, and only when it opens a new connection.
#[derive(Debug)]
pub(crate) struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

/// The end of a fault's text: when it happened.
const UNANSWERED: &str = "before the answer was complete";

/// A body up to this size and its head fill few TCP segments: a peer that answers has received all of them.
const SMALL_BODY: usize = 4 * 1024;

/// How many bytes are read at once.
const INPUT_CAPACITY: usize = 16 * 1024;

/// One connection: the socket, the TLS session on it, and the reader of its answers. ureq sees it as a [`Transport`].
pub(crate) struct Connection {
    socket: Socket,
    session: Option<Session>,
    /// The output of ureq, and the canned answer for it.
    buffers: ConnectionBuffers,
    /// The buffer for the next read.
    input: Vec<u8>,
    reader: ResponseReader,
    attempt_state: Arc<AttemptState>,
    /// The attempt in flight on this connection.
    attempt: Option<Attempt>,
    /// Whether the log takes level trace. All calls of a client share one log.
    trace_enabled: bool,
    /// The connection must not be reused: it failed, it ended, or the peer answered early. An answer may still come.
    broken: bool,
    /// The unsent bytes may be TLS's own records (alerts, key updates) and not the request: such records may have been
    /// queued behind it. Whether the whole request was sent is then not certain.
    unsent_may_be_tls: bool,
    /// The peer has reset the connection. Bytes still unsent at that moment will never be sent.
    was_reset: bool,
    /// How many bytes of the request's body ureq has not written yet.
    body_left: usize,
    /// No request was sent on this connection yet.
    is_new: bool,
    /// Whether [`Connection::check_peer`] has run for this request.
    peer_checked: bool,
}

impl Connection {
    /// The context in which the attempt waits, and its deadline.
    fn context(&self) -> Result<(CallContext, Instant), Error> {
        // Always set: ureq uses a connection only during an attempt.
        let attempt = self.attempt.as_ref().ok_or(Error::ConnectionFailed)?;
        Ok((attempt.context.clone(), attempt.deadline))
    }

    fn trace(&self, text: impl FnOnce() -> String) {
        if self.trace_enabled
            && let Some(attempt) = &self.attempt
        {
            attempt.context.hooks().log(Level::Trace, text);
        }
    }

    /// Writes the pending bytes. It is not an error if the peer takes no more of them: an answer may be there to read.
    ///
    /// The deadline and the cancel signals are checked right before every write. A request past its deadline, closed or
    /// cancelled is never sent, even if a callback took long or the process was suspended since the last check.
    fn flush(&mut self) -> Result<(), Error> {
        self.write().inspect_err(|_| self.attempt_state.lock().report.request_complete = self.unsent_may_be_tls)
    }

    fn write(&mut self) -> Result<(), Error> {
        let pending = self.buffers.take_pending();
        let (context, deadline) = self.context()?;
        let mut taken = 0;
        while !self.broken && (taken < pending || self.session.as_ref().is_some_and(Session::wants_write)) {
            context.check_time(deadline).map_err(|stop| self.stopped(stop))?;
            if !mem::replace(&mut self.peer_checked, true) {
                self.check_peer()?;
            }
            let rest = self.buffers.written(taken..pending);
            let wrote = match &mut self.session {
                None => self.socket.write(rest).map(|count| taken += count),
                Some(session) => session.push(rest).and_then(|count| {
                    taken += count;
                    session.flush(&self.socket)
                }),
            };
            match wrote {
                Ok(()) => self.trace(|| format!("wrote {taken} of {pending} bytes")),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let interest = [Interest::read_or_write(&self.socket)];
                    context.until_ready(&interest, deadline).map_err(|stop| self.stopped(stop))?;
                    self.read_while_writing(taken == pending && self.body_left == 0)?;
                }
                Err(_) => self.broken = true,
            }
        }
        self.buffers.wipe();
        Ok(())
    }

    /// Checks the peer before the first byte of a request. Fails if it has closed the connection, or has sent something
    /// that would be taken for the answer. Then nothing is sent.
    fn check_peer(&mut self) -> Result<(), Error> {
        let is_new = mem::take(&mut self.is_new);
        let is_idle = match &mut self.session {
            None => self.socket.is_idle(),
            Some(session) => session.is_idle(&self.socket),
        };
        if is_idle {
            return Ok(());
        }
        self.attempt_state.lock().report.is_stale = !is_new;
        Err(self
            .attempt_state
            .fail(Fault::Lost("the service closed the connection, or sent bytes, before it was asked".into())))
    }

    fn stopped(&self, stop: Stop) -> Error {
        self.attempt_state.fail(stop.into_fault("while the request was sent"))
    }

    /// Reads while the request is still being written. An interim answer (1xx) changes nothing. After a final one the
    /// rest of the request is not written: the peer has decided and may never read it. `encrypted`: the whole request
    /// is in TLS records already.
    fn read_while_writing(&mut self, encrypted: bool) -> Result<(), Error> {
        match self.read() {
            Ok(None) => self.unsent_may_be_tls |= encrypted,
            Ok(Some(0)) | Err(_) => self.broken = true,
            Ok(Some(count)) => {
                let pushed = self.reader.push(&self.input[..count]);
                pushed.map_err(|fault| self.attempt_state.fail(fault))?;
                self.broken |= self.reader.has_head();
            }
        }
        Ok(())
    }

    /// Reads the bytes of the answer that have arrived, and returns how many. 0 is the end of the connection, `None`
    /// means that nothing has arrived.
    fn read(&mut self) -> Result<Option<usize>, Fault> {
        self.input.resize(INPUT_CAPACITY, 0);
        let read = match &mut self.session {
            None => self.socket.read(&mut self.input),
            Some(session) => session.fill(&self.socket).and_then(|()| session.pull(&mut self.input)),
        };
        self.was_reset |= matches!(&read, Err(error) if error.kind() == io::ErrorKind::ConnectionReset);
        match (read, &self.session) {
            (Ok(count), _) => Ok(Some(count)),
            (Err(error), _) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            (Err(error), Some(session)) => Err(session.fault(&error, UNANSWERED)),
            (Err(error), None) => Err(Fault::Lost(format!("the connection broke {UNANSWERED}: {error}"))),
        }
    }

    /// Waits until a part of the answer has arrived, and reads it.
    fn read_within(&mut self, context: &CallContext, deadline: Instant) -> Result<usize, Fault> {
        let mut is_ready = self.session.as_mut().is_some_and(Session::has_input);
        loop {
            if !is_ready {
                context
                    .until_ready(&[Interest::read(&self.socket)], deadline)
                    .map_err(|stop| stop.into_fault(UNANSWERED))?;
            }
            if let Some(count) = self.read()? {
                return Ok(count);
            }
            is_ready = false;
        }
    }

    /// Reads the answer. A fault after the head, such as the deadline, does not discard the answer: it only cuts the
    /// body.
    fn read_answer(&mut self) -> Result<(), Fault> {
        let (context, deadline) =
            self.context().map_err(|_| Fault::Internal("an answer was awaited outside of an attempt".into()))?;
        while !self.reader.is_done() {
            match self.read_within(&context, deadline) {
                Ok(0) => {
                    self.reader.end(true);
                    break;
                }
                Ok(count) => {
                    self.trace(|| format!("read {count} bytes"));
                    self.reader.push(&self.input[..count])?;
                }
                Err(_) if self.reader.has_head() => {
                    self.reader.end(false);
                    break;
                }
                Err(fault) => return Err(fault),
            }
        }
        if self.reader.has_head() {
            return Ok(());
        }
        Err(Fault::Lost("the connection was closed before an answer came".into()))
    }
}

impl Transport for Connection {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    /// Keeps `amount` more bytes pending. Head and body go out in one write and one TLS record when ureq waits for
    /// input.
    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        self.buffers.add_pending(amount);
        if !mem::replace(&mut self.attempt_state.lock().begun, true) {
            let attempt = self.attempt_state.attempt()?;
            // ureq hands over the whole head at once. `Endpoint` limits its length, so head and fields fit the buffer.
            let fields = attempt.fields.upgrade();
            if !fields.is_some_and(|fields| self.buffers.add_to_head(fields.as_bytes(), fields.secret())) {
                return Err(self.attempt_state.fail(Fault::Internal("the request's head is not whole".into())));
            }
            self.body_left = attempt.body_length;
            self.attempt = Some(attempt);
            self.reader.begin();
            (self.unsent_may_be_tls, self.peer_checked) = (false, false);
        } else {
            self.body_left = self.body_left.saturating_sub(amount);
        }
        if self.buffers.is_nearly_full() { self.flush() } else { Ok(()) }
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        self.flush()?;
        let is_complete = !self.broken;
        self.attempt_state.lock().report.request_complete = is_complete || self.unsent_may_be_tls;
        if let Err(fault) = self.read_answer() {
            if self.was_reset && !self.unsent_may_be_tls && self.socket.has_unsent() {
                self.attempt_state.lock().report.request_complete = false;
            }
            return Err(self.attempt_state.fail(fault));
        }
        let is_large = self.attempt.take().is_some_and(|attempt| attempt.body_length > SMALL_BODY);
        self.broken |= !self.reader.can_reuse();
        let mut answer = self.reader.take(is_complete);
        match &mut answer {
            Some(answer) if matches!(answer.status, 200..=299) => {
                answer.request_complete &= !(is_large && self.socket.has_unacknowledged());
            }
            // If it is not certain, assume the cautious side: the request was incomplete for a 2xx (above), and
            // complete for any other status.
            Some(answer) => answer.request_complete |= self.unsent_may_be_tls,
            None => {}
        }
        self.attempt_state.lock().report.answer = answer;
        self.buffers.show_canned_answer(!self.broken);
        Ok(true)
    }

    /// ureq asks before a request and after an answer. The real check is [`Connection::check_peer`], right before the
    /// first byte.
    fn is_open(&mut self) -> bool {
        !self.broken
    }

    fn is_tls(&self) -> bool {
        self.session.is_some()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("socket", &self.socket).field("tls", &self.is_tls()).finish_non_exhaustive()
    }
}

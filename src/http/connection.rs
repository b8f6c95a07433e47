//! The seam with ureq: a connection of our own at the foot of its chain.
//!
//! ureq writes the request's head and body, and keeps the connection for the next one. The rest happens here. Its output is
//! held back for one write, the header fields that never change are added to the head, and the bytes that left are
//! counted. The answer is read by [`ResponseReader`]; ureq is shown a canned one, which says no more than whether the
//! connection can be used again.

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

/// What an attempt and its connection tell each other. A pooled connection belongs to one
/// thread at a time, so its lock is free.
#[derive(Debug, Default)]
pub(crate) struct AttemptState(Mutex<AttemptInner>);

#[derive(Debug, Default)]
struct AttemptInner {
    /// The attempt in flight. None between two: an idle connection holds on to nothing of a call.
    attempt: Option<Attempt>,
    /// Whether a part of the attempt's request was written.
    begun: bool,
    report: Report,
}

/// What an attempt gives its connection.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub context: CallContext,
    pub deadline: Instant,
    pub connect_timeout: Duration,
    pub fields: WeakFields,
    /// The length of the request's body.
    pub body_length: usize,
}

/// What the connection knows of the attempt.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Whether the last byte of the request was handed to the kernel.
    pub request_complete: bool,
    pub answer: Option<Answer>,
    /// Nothing was sent: the kept connection turned out to be closed, or had something to say that nobody asked for.
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

    /// Ends the attempt, and tells what the connection knows of it.
    pub fn end(&self) -> Report {
        let mut state = self.lock();
        state.attempt = None;
        mem::take(&mut state.report)
    }

    fn attempt(&self) -> Result<Attempt, Error> {
        // ureq uses connections within an attempt alone.
        self.lock().attempt.clone().ok_or(Error::ConnectionFailed)
    }

    /// Keeps the first fault for the attempt; ureq carries on its own error, which says less.
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
            // The connect timeout passed, but not the call's deadline: another attempt may follow.
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

/// The connector looks up what it needs: nothing is to be done before every request.
#[derive(Debug)]
pub(crate) struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        Ok(self.empty())
    }
}

/// When a fault came that leaves the call without an answer.
const UNANSWERED: &str = "before the answer was complete";

/// A body up to here, with the head before it, is one segment or few: a peer that answers has them all.
const SMALL_BODY: usize = 4 * 1024;

/// How much is read at once.
const INPUT_CAPACITY: usize = 16 * 1024;

/// One connection.
pub(crate) struct Connection {
    socket: Socket,
    session: Option<Session>,
    /// What ureq writes, and the canned answer that it reads.
    buffers: ConnectionBuffers,
    /// Room for what is read next.
    input: Vec<u8>,
    reader: ResponseReader,
    attempt_state: Arc<AttemptState>,
    /// The attempt whose request is written or whose answer is read.
    attempt: Option<Attempt>,
    /// Whether anybody listens to level trace. Every call of a client has the same log.
    trace_enabled: bool,
    /// The connection is not to be used again: it took no more of the request, or ended. An answer may still come.
    broken: bool,
    /// TLS records of the protocol's own may stand behind the last of the request, so that what was not written need not
    /// be a part of it.
    unsent_may_be_tls: bool,
    /// The peer has reset the connection: what had not left by then never will.
    was_reset: bool,
    /// How much of the request's body ureq has yet to hand over.
    body_left: usize,
    /// No request has gone out on it yet.
    is_new: bool,
    /// Whether the peer was looked at before the first byte of this request.
    peer_checked: bool,
}

impl Connection {
    /// Where and until when the attempt waits.
    fn context(&self) -> Result<(CallContext, Instant), Error> {
        // ureq uses connections within an attempt alone.
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

    /// Writes what is held back. A peer that wants no more of it is no error here: its answer may be there to read.
    ///
    /// The call is looked at before the first byte leaves: what is past its deadline, closed or cancelled is never sent,
    /// however long a callback took, or the process stood still, since it was looked at last.
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

    /// Looks, before the first byte of a request leaves, whether the peer has closed the connection, or said something that
    /// would be taken for the answer. Then nothing is sent.
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
            .fail(Fault::Lost("the service ended the connection, or spoke, before it was asked".into())))
    }

    fn stopped(&self, stop: Stop) -> Error {
        self.attempt_state.fail(stop.into_fault("while the request was sent"))
    }

    /// Takes in what the peer says while the request is still being written. An interim answer (1xx) changes nothing; with
    /// a final one the peer has decided, and may never read the rest. `encrypted`: all of the request is in TLS records.
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

    /// Reads what is there of the answer: how many bytes, 0 at the end of the connection. `None` when that is nothing.
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

    /// Waits until there is something to read of the answer, and reads it.
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

    /// Reads the answer. What ends the wait for its body once the head is there does not undo the answer: it cuts the body.
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

    /// Holds `amount` more bytes back: head and body go out in one write, and one TLS record, once input is awaited.
    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        self.buffers.add_pending(amount);
        if !mem::replace(&mut self.attempt_state.lock().begun, true) {
            let attempt = self.attempt_state.attempt()?;
            // The first bytes of a request are its head, whole: `Endpoint` keeps it far below the room there is.
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
            // Where that is not certain, a success is taken for one that came too early, and a failure for one that did not.
            Some(answer) => answer.request_complete |= self.unsent_may_be_tls,
            None => {}
        }
        self.attempt_state.lock().report.answer = answer;
        self.buffers.show_canned_answer(!self.broken);
        Ok(true)
    }

    /// For ureq, which asks before a request and after an answer. The look itself comes later, right before the first byte.
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

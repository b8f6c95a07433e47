//! The foot of ureq's chain: a connection of our own, where bytes are counted, held back for one write, and waited for.

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

use super::Net;
use super::buffers::WireBuffers;
use super::head;
use super::socket::Socket;
use super::tls::Session;
use super::wait::Waiter;
use crate::ffi::sys::Interest;
use crate::hooks::Level;
use crate::verdict::Fault;

/// The largest head of an answer, everything before it (1xx) included.
pub(crate) const LARGEST_HEAD: usize = 64 * 1024;
/// What may have come beyond a head of that size before it is looked at: the start of a body.
const LEEWAY: usize = 16 * 1024;

/// What an attempt and its connection tell each other. A lane belongs to one thread at a time, so its lock is free.
#[derive(Debug)]
pub(crate) struct Line(Mutex<LineState>);

#[derive(Debug)]
struct LineState {
    /// Of the call that the lane serves; none before the first.
    waiter: Option<Waiter>,
    deadline: Instant,
    connect_timeout: Duration,
    stage: Stage,
    request_complete: bool,
    received: usize,
    fault: Option<Fault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing was asked of the connection yet.
    Idle,
    /// The request is on its way.
    Request,
    /// The request is out; the head of the answer is awaited.
    Head,
    /// The head is there; the body is awaited.
    Body,
}

impl Line {
    pub fn new() -> Self {
        Line(Mutex::new(LineState::new(None, Instant::now(), Duration::ZERO)))
    }

    fn state(&self) -> MutexGuard<'_, LineState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins an attempt.
    pub fn begin(&self, waiter: &Waiter, deadline: Instant, connect_timeout: Duration) {
        *self.state() = LineState::new(Some(waiter.clone()), deadline, connect_timeout);
    }

    /// Where and until when the attempt waits.
    fn waiter(&self) -> Result<(Waiter, Instant), Error> {
        let state = self.state();
        // ureq asks for connections within an attempt alone.
        let waiter = state.waiter.clone().ok_or(Error::ConnectionFailed)?;
        Ok((waiter, state.deadline))
    }

    /// The head of the answer came: what follows is its body.
    pub fn body_begins(&self) {
        self.state().stage = Stage::Body;
    }

    /// Whether the last byte of the request was handed to the kernel.
    pub fn request_complete(&self) -> bool {
        self.state().request_complete
    }

    /// Why the attempt failed, where the connection knows.
    pub fn take_fault(&self) -> Option<Fault> {
        self.state().fault.take()
    }

    /// Keeps the first fault for the attempt; ureq carries on its own error, which says less.
    fn fail(&self, fault: Fault) -> Error {
        self.state().fault.get_or_insert(fault);
        Error::ConnectionFailed
    }
}

impl LineState {
    fn new(waiter: Option<Waiter>, deadline: Instant, connect_timeout: Duration) -> Self {
        let (stage, request_complete, received, fault) = (Stage::Idle, false, 0, None);
        LineState { waiter, deadline, connect_timeout, stage, request_complete, received, fault }
    }
}

/// Makes connections for the one lane that it belongs to.
pub(crate) struct WireConnector {
    pub net: Arc<Net>,
    pub line: Arc<Line>,
}

impl Connector for WireConnector {
    type Out = Wire;

    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Wire>, Error> {
        let (waiter, call_deadline) = self.line.waiter()?;
        let (started, timeout) = (Instant::now(), self.line.state().connect_timeout);
        let deadline = call_deadline.min(started + timeout);
        match self.net.connect(details.uri, &waiter, deadline) {
            Ok((socket, session)) => {
                waiter.hooks().log(Level::Debug, || {
                    let tls = if session.is_some() { " with TLS" } else { "" };
                    format!(
                        "connected to {}{tls} in {} us",
                        details.uri.host().unwrap_or("?"),
                        started.elapsed().as_micros()
                    )
                });
                Ok(Some(Wire {
                    socket,
                    session,
                    buffers: WireBuffers::default(),
                    net: self.net.clone(),
                    line: self.line.clone(),
                    traced: waiter.hooks().listen_to(Level::Trace),
                    broken: false,
                }))
            }
            // The connect timeout passed, but not the call's deadline: another attempt may follow.
            Err(Fault::Deadline(what)) if deadline < call_deadline => Err(self
                .line
                .fail(Fault::Connect(format!("no connection within {} ms: it passed {what}", timeout.as_millis())))),
            Err(fault) => Err(self.line.fail(fault)),
        }
    }
}

impl fmt::Debug for WireConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WireConnector")
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

/// One connection.
pub(crate) struct Wire {
    socket: Socket,
    session: Option<Session>,
    buffers: WireBuffers,
    net: Arc<Net>,
    line: Arc<Line>,
    /// Whether anybody listens to level trace. Every call of a client has the same log.
    traced: bool,
    /// The connection took no more of the request: an answer may still come, but it is not to be used again.
    broken: bool,
}

impl Wire {
    /// Waits on the connection for the rest of the call's time.
    fn wait(&self, interest: Interest, what: &'static str) -> Result<(), Error> {
        let (waiter, deadline) = self.line.waiter()?;
        match waiter.until_ready(&[interest], deadline) {
            Ok(_) => Ok(()),
            Err(stop) => Err(self.line.fail(stop.into_fault(what))),
        }
    }

    fn trace(&self, text: impl FnOnce() -> String) {
        if self.traced
            && let Ok((waiter, _)) = self.line.waiter()
        {
            waiter.hooks().log(Level::Trace, text);
        }
    }

    /// Writes what is held back. A peer that wants no more of it is no error here: its answer may be there to read.
    fn flush(&mut self) -> Result<(), Error> {
        let held = self.buffers.take_held();
        let mut taken = 0;
        while !self.broken {
            let rest = self.buffers.written(taken..held);
            let wrote = match &mut self.session {
                None if rest.is_empty() => break,
                None => self.socket.write(rest).map(|count| taken += count),
                Some(session) if rest.is_empty() && !session.wants_write() => break,
                Some(session) => session.push(rest).and_then(|count| {
                    taken += count;
                    session.flush(&self.socket)
                }),
            };
            match wrote {
                Ok(()) => self.trace(|| format!("wrote {taken} of {held} bytes")),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_to_write()?,
                Err(_) => self.broken = true,
            }
        }
        Ok(())
    }

    fn wait_to_write(&mut self) -> Result<(), Error> {
        let what = "while the request was sent";
        if self.session.is_some() {
            return self.wait(Interest::write(&self.socket), what);
        }
        self.wait(Interest::read_or_write(&self.socket), what)?;
        // An answer before the end of the request: the peer has decided, and may never read the rest. (With TLS, what
        // comes may be the protocol's own; there the peer's close is what tells.)
        if !self.socket.is_quiet() {
            self.broken = true;
        }
        Ok(())
    }

    /// Waits for bytes and takes in what has come; 0 at the end of the connection.
    fn receive(&mut self) -> Result<usize, Error> {
        let what = "before the answer was complete";
        loop {
            if let Some(session) = &mut self.session {
                match session.pull(self.buffers.free()) {
                    Ok(count) => return Ok(count),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(self.lost(&error, what)),
                }
            }
            self.wait(Interest::read(&self.socket), what)?;
            let got = match &mut self.session {
                None => self.socket.read(self.buffers.free()).map(Some),
                Some(session) => session.fill(&self.socket).map(|()| None),
            };
            match got {
                Ok(Some(count)) => return Ok(count),
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(self.lost(&error, what)),
            }
        }
    }

    fn lost(&self, error: &io::Error, what: &str) -> Error {
        self.line.fail(match &self.session {
            Some(session) => session.fault(error, what),
            None => Fault::Lost(format!("the connection broke {what}: {error}")),
        })
    }
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    /// Holds `amount` more bytes back: head and body go out in one write, and one TLS record, once input is awaited.
    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let before = mem::replace(&mut self.line.state().stage, Stage::Request);
        self.buffers.hold(amount);
        // The first bytes of a request are its head, whole: `Endpoint` keeps it far below the room there is.
        if before == Stage::Idle && !self.buffers.add_to_head(self.net.fields.as_bytes()) {
            return Err(self.line.fail(Fault::Internal("the request's head is not whole".into())));
        }
        if self.buffers.is_nearly_full() { self.flush() } else { Ok(()) }
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let request_ends = self.line.state().stage == Stage::Request;
        if request_ends {
            self.flush()?;
            let mut state = self.line.state();
            state.stage = Stage::Head;
            state.request_complete = !self.broken;
        }
        let count = self.receive()?;
        self.trace(|| format!("read {count} bytes"));
        let mut state = self.line.state();
        let is_first = state.received == 0;
        state.received += count;
        if state.stage == Stage::Head && state.received > LARGEST_HEAD + LEEWAY {
            state.fault = Some(Fault::Garbage(format!("the answer's head is larger than {LARGEST_HEAD} bytes")));
            return Err(Error::ConnectionFailed);
        }
        drop(state);
        let left = if is_first { head::leave_out_unread(self.buffers.received(count)) } else { count };
        self.buffers.input_appended(left);
        Ok(count > 0)
    }

    /// Looked at before a request: has the peer closed, or said what nobody asked for? After an answer there is no need.
    fn is_open(&mut self) -> bool {
        if self.broken || !self.buffers.input().is_empty() {
            return false;
        }
        if self.line.state().stage != Stage::Idle {
            return true;
        }
        match &mut self.session {
            None => self.socket.is_quiet(),
            Some(session) => session.is_quiet(&self.socket),
        }
    }

    fn is_tls(&self) -> bool {
        self.session.is_some()
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("socket", &self.socket).field("tls", &self.is_tls()).finish_non_exhaustive()
    }
}

//! A TCP connection that never blocks. It connects to the first address that answers; it writes and reads once per
//! call.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::wait::{CallContext, Stop};
use crate::http::Fault;
use crate::sys::{self, Interest, Pollable, ProcessSocket};

/// The delay before the next address is tried in parallel (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(crate) struct Socket(ProcessSocket<TcpStream>);

impl Socket {
    /// Tries the `addresses` in order and partly in parallel, and keeps the first connection that succeeds.
    pub fn connect(addresses: &[SocketAddr], context: &CallContext, deadline: Instant) -> Result<Self, Fault> {
        let mut next = addresses.iter();
        let mut in_flight: Vec<(SocketAddr, ProcessSocket<TcpStream>)> = Vec::new();
        let mut last_error = None;
        loop {
            if let Some(address) = next.next() {
                match sys::start_connect(address) {
                    Ok(stream) => in_flight.push((*address, stream)),
                    Err(error) => last_error = Some((*address, error)),
                }
            } else if in_flight.is_empty() {
                return Err(Fault::Connect(match last_error {
                    Some((address, error)) => format!("no connection to {address}: {error}"),
                    None => "the host has no address".into(),
                }));
            }
            if in_flight.is_empty() {
                continue;
            }
            let until = if next.len() > 0 { deadline.min(Instant::now() + HEAD_START) } else { deadline };
            let interests: Vec<_> = in_flight.iter().map(|(_, stream)| Interest::write(stream)).collect();
            let ready = match context.until_ready(&interests, until) {
                Ok(ready) => ready,
                Err(Stop::Deadline) if until < deadline => continue,
                Err(stop) => return Err(stop.into_fault("while connecting")),
            };
            for index in (0..in_flight.len()).rev().filter(|index| ready.has(*index)) {
                let (address, stream) = in_flight.remove(index);
                match connected(&stream) {
                    Ok(()) => return Ok(Socket(stream)),
                    Err(error) => last_error = Some((address, error)),
                }
            }
        }
    }

    /// Writes as much as the kernel takes at once; `WouldBlock` if it takes nothing. Does not raise SIGPIPE.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        retry_interrupted(|| sys::send(&self.0, bytes))
    }

    /// Reads the bytes that have arrived; `WouldBlock` if there are none, 0 at the end of the connection.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        retry_interrupted(|| sys::receive(&self.0, buffer, false))
    }

    /// Whether the peer's system has not acknowledged a part of the written bytes. An answer that has arrived
    /// nevertheless does not rest on the whole request: a peer that has read all of it acknowledges all of it with the
    /// answer (RFC 9293, section 3.4).
    pub fn has_unacknowledged(&self) -> bool {
        sys::unacknowledged(&self.0) > 0
    }

    /// Whether a part of the written bytes was never sent. After a reset it never will be.
    pub fn has_unsent(&self) -> bool {
        sys::unsent(&self.0) > 0
    }

    /// Whether the connection looks idle: it is open and has no byte to read.
    pub fn is_idle(&self) -> bool {
        let peeked = retry_interrupted(|| sys::receive(&self.0, &mut [0], true));
        matches!(peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

/// Checks the result of a connect that has ended.
///
/// A socket that is connected to itself counts as refused. That can happen with a local port that nobody listens on: if
/// the system chooses the same port for this end, TCP connects the socket to itself, and the request would come back as
/// its own answer.
fn connected(stream: &ProcessSocket<TcpStream>) -> io::Result<()> {
    let stream = stream.get()?;
    match stream.take_error()? {
        Some(error) => Err(error),
        None if stream.local_addr()? == stream.peer_addr()? => Err(io::ErrorKind::ConnectionRefused.into()),
        None => Ok(()),
    }
}

impl Pollable for Socket {
    fn raw(&self) -> sys::Raw {
        self.0.raw()
    }
}

/// Repeats `call` while a signal interrupts it. The calls do not block; the waits ask the interrupt callback.
fn retry_interrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests;

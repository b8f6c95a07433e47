//! A TCP connection that never blocks: connecting to the first address that answers, one write, one read.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use super::wait::{Stop, Waiter};
use crate::ffi::sys::{self, Interest, Pollable};
use crate::verdict::Fault;

/// How long an address has before the next one is tried beside it (RFC 8305, section 5).
const HEAD_START: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(crate) struct Socket(TcpStream);

impl Socket {
    /// Connects to whichever of `addresses` answers first.
    pub fn connect(addresses: &[SocketAddr], waiter: &Waiter, deadline: Instant) -> Result<Self, Fault> {
        let mut next = addresses.iter();
        let mut under_way: Vec<(SocketAddr, TcpStream)> = Vec::new();
        let mut last_error = None;
        loop {
            if let Some(address) = next.next() {
                match sys::start_connect(address) {
                    Ok(stream) => under_way.push((*address, stream)),
                    Err(error) => last_error = Some((*address, error)),
                }
            } else if under_way.is_empty() {
                return Err(Fault::Connect(match last_error {
                    Some((address, error)) => format!("no connection to {address}: {error}"),
                    None => "the host has no address".into(),
                }));
            }
            if under_way.is_empty() {
                continue;
            }
            let until = if next.len() > 0 { deadline.min(Instant::now() + HEAD_START) } else { deadline };
            let interests: Vec<_> = under_way.iter().map(|(_, stream)| Interest::write(stream)).collect();
            let ready = match waiter.until_ready(&interests, until) {
                Ok(ready) => ready,
                Err(Stop::Deadline) if until < deadline => continue,
                Err(stop) => return Err(stop.into_fault("while connecting")),
            };
            for index in (0..under_way.len()).rev().filter(|index| ready.has(*index)) {
                let (address, stream) = under_way.remove(index);
                match stream.take_error() {
                    Ok(None) => return Ok(Socket(stream)),
                    Ok(Some(error)) | Err(error) => last_error = Some((address, error)),
                }
            }
        }
    }

    /// Writes what the kernel takes at once; `WouldBlock` when that is nothing. Raises no SIGPIPE.
    pub fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        uninterrupted(|| (&self.0).write(bytes))
    }

    /// Reads what is there; `WouldBlock` when that is nothing, 0 at the end.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        uninterrupted(|| (&self.0).read(buffer))
    }

    /// Whether there is neither an end nor a byte to read: what an idle connection looks like.
    pub fn is_quiet(&self) -> bool {
        matches!(uninterrupted(|| self.0.peek(&mut [0])), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Pollable for Socket {
    fn raw(&self) -> sys::Raw {
        self.0.raw()
    }
}

/// The calls do not block, so a signal is no reason to stop: the waits ask the caller.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests;

//! The Windows part: `WSAPoll`, and a pair of sockets over the loopback. Windows has neither forks nor signals.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::windows::io::{AsRawSocket, FromRawSocket, RawSocket};
use std::time::Duration;

use super::{Found, Interest, MOST_INTERESTS, Pair, ProcessSocket, Ready};

pub(crate) type Local = TcpStream;
pub(crate) type Raw = RawSocket;

pub(crate) trait Socket: AsRawSocket {}
impl Socket for TcpStream {}

pub(super) fn raw(socket: &impl Socket) -> Raw {
    socket.as_raw_socket()
}

/// Nothing to do: on Windows a socket never has the handle of a standard stream.
pub(super) fn above_standard<T: Socket>(socket: T) -> io::Result<T> {
    Ok(socket)
}

/// Not tracked on Windows: code there does not close handles that it did not open (there is no `closefrom`).
#[derive(PartialEq, Eq)]
pub(crate) struct Identity;

pub(super) fn identity(_: &impl Socket) -> io::Result<Identity> {
    Ok(Identity)
}

pub(super) fn track(_: &impl Socket) -> io::Result<Identity> {
    Ok(Identity)
}

pub(super) fn untrack(_: &impl Socket) {}

pub(crate) const NO_SOCKET: Raw = RawSocket::MAX;
pub(super) const READ: i16 = 0x0100; // POLLRDNORM
pub(super) const WRITE: i16 = 0x0010; // POLLWRNORM

#[cfg(test)]
impl super::Pollable for TcpStream {
    fn raw(&self) -> Raw {
        self.as_raw_socket()
    }
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct PollFd {
    socket: RawSocket,
    events: i16,
    found: i16,
}

#[link(name = "ws2_32")]
unsafe extern "system" {
    fn WSAPoll(fds: *mut PollFd, count: u32, timeout: i32) -> i32;
    fn WSAGetLastError() -> i32;
    fn socket(family: i32, kind: i32, protocol: i32) -> RawSocket;
    fn connect(socket: RawSocket, address: *const u8, length: i32) -> i32;
}

fn last_error() -> io::Error {
    // SAFETY: no pointers are passed.
    io::Error::from_raw_os_error(unsafe { WSAGetLastError() })
}

/// Accepts only the connection that was made here: any other program on this machine could connect first.
pub(crate) fn pair() -> io::Result<(Pair, Pair)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let ours = TcpStream::connect(listener.local_addr()?)?;
    loop {
        let (theirs, from) = listener.accept()?;
        if from == ours.local_addr()? {
            return Ok((ProcessSocket::new(ours)?, ProcessSocket::new(theirs)?));
        }
    }
}

pub(crate) fn send(mut socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    io::Write::write(&mut socket, bytes)
}

pub(crate) fn receive(mut socket: &TcpStream, buffer: &mut [u8], peek: bool) -> io::Result<usize> {
    if peek { socket.peek(buffer) } else { io::Read::read(&mut socket, buffer) }
}

pub(crate) fn unacknowledged(_: &TcpStream) -> usize {
    0
}

pub(crate) fn unsent(_: &TcpStream) -> usize {
    0
}

const INVALID: i16 = 0x0004; // POLLNVAL

pub(crate) fn not_open() -> io::Error {
    io::Error::from_raw_os_error(10038) // WSAENOTSOCK
}

pub(crate) fn poll_fd(interest: Interest) -> PollFd {
    PollFd { socket: interest.raw, events: interest.events, found: 0 }
}

pub(crate) fn poll_all(fds: &mut [PollFd], timeout: Duration) -> io::Result<()> {
    // SAFETY: `fds` is valid for its length for the duration of the call.
    if unsafe { WSAPoll(fds.as_mut_ptr(), fds.len() as u32, super::milliseconds(timeout)) } >= 0 {
        return Ok(());
    }
    fds.iter_mut().for_each(|fd| fd.found = 0);
    Err(last_error())
}

pub(crate) fn found(fd: &PollFd) -> Found {
    match fd.found {
        0 => Found::Nothing,
        events if events & INVALID != 0 => Found::NotOpen,
        _ => Found::Ready,
    }
}

pub(crate) fn poll(interests: &[Interest], timeout: Duration) -> io::Result<Ready> {
    if interests.is_empty() {
        std::thread::sleep(timeout); // WSAPoll fails without sockets
        return Ok(Ready::default());
    }
    let mut fds = [PollFd { socket: RawSocket::MAX, events: 0, found: 0 }; MOST_INTERESTS];
    let fds = &mut fds[..interests.len()];
    for (fd, interest) in fds.iter_mut().zip(interests) {
        (fd.socket, fd.events) = (interest.raw, interest.events);
    }
    // SAFETY: `fds` is valid for its length for the duration of the call.
    if unsafe { WSAPoll(fds.as_mut_ptr(), fds.len() as u32, super::milliseconds(timeout)) } < 0 {
        return Err(last_error());
    }
    if fds.iter().any(|fd| fd.found & INVALID != 0) {
        return Err(not_open());
    }
    Ok(Ready::of(fds.iter().map(|fd| fd.found != 0)))
}

pub(crate) fn start_connect(address: &SocketAddr) -> io::Result<ProcessSocket<TcpStream>> {
    const AF_INET: i32 = 2;
    const AF_INET6: i32 = 23;
    const SOCK_STREAM: i32 = 1;
    const WSAEWOULDBLOCK: i32 = 10035;
    let family = if address.is_ipv4() { AF_INET } else { AF_INET6 };
    // SAFETY: no pointers are passed. A client has made a pair of sockets before, so Winsock is started.
    let raw = unsafe { socket(family, SOCK_STREAM, 0) };
    if raw == RawSocket::MAX {
        return Err(last_error());
    }
    // SAFETY: `raw` was just opened and belongs to nobody else.
    let connecting = ProcessSocket::new(unsafe { TcpStream::from_raw_socket(raw) })?;
    let stream = connecting.get()?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let bytes = sockaddr(address, family as u16);
    // SAFETY: the pointer is valid for the length.
    if unsafe { connect(raw, bytes.as_ptr(), bytes.len() as i32) } < 0 {
        let error = last_error();
        if error.raw_os_error() != Some(WSAEWOULDBLOCK) {
            return Err(error);
        }
    }
    Ok(connecting)
}

/// A `sockaddr_in` or a `sockaddr_in6`, byte by byte.
fn sockaddr(address: &SocketAddr, family: u16) -> Vec<u8> {
    let mut bytes = family.to_ne_bytes().to_vec();
    bytes.extend(address.port().to_be_bytes());
    match address {
        SocketAddr::V4(address) => {
            bytes.extend(address.ip().octets());
            bytes.extend([0; 8]);
        }
        SocketAddr::V6(address) => {
            bytes.extend(address.flowinfo().to_ne_bytes());
            bytes.extend(address.ip().octets());
            bytes.extend(address.scope_id().to_ne_bytes());
        }
    }
    bytes
}

pub(crate) fn with_thread_cancel_disabled<T>(call: impl FnOnce() -> T) -> T {
    call()
}

/// Windows has no signals that interrupt a thread.
pub(crate) fn with_errno_kept(call: impl FnOnce()) {
    call();
}

pub(crate) fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    start()
}

pub(crate) fn forks() -> u64 {
    0
}

pub(crate) fn count_forks() {}

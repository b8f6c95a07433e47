//! What the standard library lacks of the system: waiting for several sockets, a connect that does not block, and a few
//! manners of a guest in somebody else's process.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// One end of a pair of sockets, by which one thread wakes another that waits in [`poll`]; and what the system calls one.
pub(crate) use system::{Pair, Raw};

/// What can be waited for.
pub(crate) trait Pollable {
    fn raw(&self) -> Raw;
}

/// What to wait for on a socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interest {
    raw: Raw,
    events: i16,
}

impl Interest {
    pub fn read(on: &impl Pollable) -> Self {
        Interest { raw: on.raw(), events: system::READ }
    }

    pub fn write(on: &impl Pollable) -> Self {
        Interest { raw: on.raw(), events: system::WRITE }
    }

    pub fn read_or_write(on: &impl Pollable) -> Self {
        Interest { raw: on.raw(), events: system::READ | system::WRITE }
    }
}

/// What a wait found: one bit for each interest, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready(u32);

impl Ready {
    fn of(ready: impl Iterator<Item = bool>) -> Self {
        Ready(ready.enumerate().map(|(index, ready)| u32::from(ready) << index).sum())
    }

    pub fn has(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    pub fn any(self) -> bool {
        self.0 != 0
    }
}

/// The most interests of one [`poll`].
pub(crate) const MOST_INTERESTS: usize = 20;

/// Waits until something is ready or `timeout` has passed, rounded up to a millisecond. Is never restarted after a
/// signal: that is `ErrorKind::Interrupted`.
pub(crate) fn poll(interests: &[Interest], timeout: Duration) -> io::Result<Ready> {
    system::poll(interests, timeout)
}

fn milliseconds(timeout: Duration) -> i32 {
    timeout.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32
}

/// Makes a pair of connected sockets.
pub(crate) fn pair() -> io::Result<(Pair, Pair)> {
    system::pair()
}

/// Begins to connect to `address` and returns at once. The socket does not block and is closed on exec; it is connected
/// when it becomes writable and `TcpStream::take_error` gives none.
pub(crate) fn start_connect(address: &SocketAddr) -> io::Result<TcpStream> {
    system::start_connect(address)
}

/// Runs `call` with `pthread_cancel` held back until it has ended. No system call.
pub(crate) fn uncancelled<T>(call: impl FnOnce() -> T) -> T {
    system::uncancelled(call)
}

/// Runs `start`, which starts a thread, so that the thread gets no signal: they are for the host's own threads.
pub(crate) fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    system::with_signals_blocked(start)
}

/// How many forks lie between this process and the one that first called [`count_forks`].
///
/// A counter, not the process id: reading it is no system call.
pub(crate) fn forks() -> u64 {
    system::forks()
}

/// Begins to count. Any number of calls count once.
pub(crate) fn count_forks() {
    system::count_forks();
}

/// An address that takes no connection and refuses none, as long as the first part lives: its backlog is full.
#[cfg(all(test, unix))]
pub(crate) fn black_hole() -> ((std::net::TcpListener, Vec<TcpStream>), SocketAddr) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    system::shorten_backlog(&listener);
    let address = listener.local_addr().unwrap();
    let mut full = Vec::new();
    loop {
        let stream = start_connect(&address).unwrap();
        let connected = poll(&[Interest::write(&stream)], Duration::from_millis(100)).unwrap().any();
        full.push(stream);
        if !connected {
            return ((listener, full), address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};

    #[test]
    fn poll_tells_what_is_ready_and_what_is_not() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        let interests = [Interest::read(&theirs), Interest::write(&ours)];
        let ready = poll(&interests, Duration::ZERO).unwrap();
        assert!(!ready.has(0) && ready.has(1));
        ours.write_all(b"x").unwrap();
        assert!(poll(&interests[..1], Duration::from_secs(5)).unwrap().has(0));
    }

    #[test]
    fn start_connect_reaches_ipv4_and_ipv6() {
        let mut addresses = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok() {
            addresses.push(SocketAddr::from((Ipv6Addr::LOCALHOST, 0)));
        }
        for address in addresses {
            let listener = TcpListener::bind(address).unwrap();
            let stream = start_connect(&listener.local_addr().unwrap()).unwrap();
            assert!(poll(&[Interest::write(&stream)], Duration::from_secs(5)).unwrap().any());
            assert!(stream.take_error().unwrap().is_none());
            assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        }
    }
}

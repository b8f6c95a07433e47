//! System calls that the standard library lacks: `poll` for several sockets, a non-blocking connect, and what a library
//! needs to behave well in its host's process (forks, signals, thread cancellation, descriptors).

#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

mod cancel;
mod fiber;
mod lease;
pub(crate) mod panic;
mod per_process;
mod wakeup;

pub(crate) use cancel::{CancelReason, CancelSignal, Watch};
pub(crate) use fiber::{Fiber, outside_of_fibers, park, wait};
pub(crate) use lease::{Lease, Owner};
pub(crate) use per_process::PerProcess;
pub(crate) use wakeup::Wakeup;

#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// One end of a pair of connected sockets. With a pair, one thread wakes another that waits in [`poll`].
pub(crate) type Pair = ProcessSocket<system::Local>;
#[cfg(all(test, unix))]
pub(crate) use system::connected_to_itself;
/// The system's handle of a socket.
pub(crate) use system::{NO_SOCKET, Raw};

/// A socket that belongs to the process that made it.
///
/// In the child of a fork its descriptor is closed as soon as the child starts. So it neither uses up descriptors there
/// nor keeps the parent's connection open. After that the number may belong to another file. So in the child
/// [`ProcessSocket::get`] returns an error, and dropping the value does nothing.
///
/// The drop closes the descriptor only if it still refers to this socket. Other code of the process may have closed it
/// (`closefrom`) and opened a file of its own under the same number.
///
/// The descriptor is always above 2. If the host has closed 0, 1 or 2, a socket could get that number, and the host's
/// output would be sent over it.
pub(crate) struct ProcessSocket<T: system::Socket> {
    socket: ManuallyDrop<T>,
    /// The identity of the socket when it was made.
    identity: system::Identity,
    forks: u64,
}

impl<T: system::Socket> ProcessSocket<T> {
    pub fn new(socket: T) -> io::Result<Self> {
        let socket = system::above_standard(socket)?;
        let identity = system::track(&socket)?;
        Ok(ProcessSocket { socket: ManuallyDrop::new(socket), identity, forks: forks() })
    }

    /// Whether this process made the socket, and the descriptor still refers to it.
    pub fn is_intact(&self) -> bool {
        self.forks == forks() && system::identity(&*self.socket).is_ok_and(|identity| identity == self.identity)
    }

    /// The socket. An error in any process other than the one that made it.
    pub fn get(&self) -> io::Result<&T> {
        if self.forks == forks() { Ok(&self.socket) } else { Err(io::Error::other("it belongs to the parent process")) }
    }
}

impl<T: system::Socket> Drop for ProcessSocket<T> {
    fn drop(&mut self) {
        if self.forks != forks() {
            return;
        }
        let is_intact = self.is_intact();
        system::untrack(&*self.socket);
        if is_intact {
            // SAFETY: the socket is not used after this drop.
            unsafe { ManuallyDrop::drop(&mut self.socket) };
        }
    }
}

impl<T: system::Socket> fmt::Debug for ProcessSocket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ProcessSocket").field(&self.raw()).finish()
    }
}

impl<T: system::Socket> Pollable for ProcessSocket<T> {
    fn raw(&self) -> Raw {
        system::raw(&*self.socket)
    }
}

/// A socket that [`poll`] can wait for.
pub(crate) trait Pollable {
    fn raw(&self) -> Raw;
}

/// A socket and the events to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    raw: Raw,
    events: i16,
}

impl Interest {
    /// Nothing: a place in an array that is not filled yet.
    pub const NONE: Interest = Interest { raw: system::NO_SOCKET, events: 0 };

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

/// The result of [`poll`]: one bit for each interest, in order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready(u32);

impl Ready {
    fn of(ready: impl Iterator<Item = bool>) -> Self {
        Ready(ready.enumerate().map(|(index, ready)| u32::from(ready) << index).sum())
    }

    pub fn has(self, index: usize) -> bool {
        self.0 & (1 << index) != 0
    }

    /// Sets the bit of an interest.
    pub fn set(&mut self, index: usize) {
        self.0 |= 1 << index;
    }

    pub fn any(self) -> bool {
        self.0 != 0
    }

    /// Whether one of the first `count` interests is ready.
    pub fn any_below(self, count: usize) -> bool {
        self.0 & ((1 << count) - 1) != 0
    }
}

/// The largest number of interests in one [`poll`].
pub(crate) const MOST_INTERESTS: usize = 20;

/// Writes as much as the kernel takes at once; `WouldBlock` if it takes nothing. Does not raise SIGPIPE.
pub(crate) fn send(socket: &ProcessSocket<TcpStream>, bytes: &[u8]) -> io::Result<usize> {
    system::send(socket.get()?, bytes)
}

/// Reads the bytes that have arrived; `WouldBlock` if there are none, 0 at the end. With `peek` the bytes stay unread.
pub(crate) fn receive(socket: &ProcessSocket<TcpStream>, buffer: &mut [u8], peek: bool) -> io::Result<usize> {
    system::receive(socket.get()?, buffer, peek)
}

/// How many of the written bytes the peer's system has not acknowledged; 0 if this system cannot tell.
pub(crate) fn unacknowledged(socket: &ProcessSocket<TcpStream>) -> usize {
    socket.get().map_or(0, system::unacknowledged)
}

/// How many of the written bytes were never sent; 0 if this system cannot tell.
pub(crate) fn unsent(socket: &ProcessSocket<TcpStream>) -> usize {
    socket.get().map_or(0, system::unsent)
}

/// Waits until an interest is ready or `timeout` has passed, rounded up to a millisecond. A signal ends it with
/// `ErrorKind::Interrupted`. A descriptor that is not open is an error: other code of this process has closed it.
pub(crate) fn poll(interests: &[Interest], timeout: Duration) -> io::Result<Ready> {
    system::poll(interests, timeout)
}

/// Interests of any number, to be polled again and again. Unlike [`poll`] it tells which descriptor is not open.
#[derive(Default)]
pub(crate) struct PollSet(Vec<system::PollFd>);

/// What a [`PollSet`] found out about an interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    Ready,
    /// Other code of this process has closed the descriptor.
    NotOpen,
}

impl PollSet {
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds an interest. Returns its place.
    pub fn add(&mut self, interest: Interest) -> usize {
        self.0.push(system::poll_fd(interest));
        self.0.len() - 1
    }

    /// Waits until an interest is ready or `timeout` has passed, rounded up to a millisecond. An error if there are more
    /// interests than the process may have descriptors.
    pub fn poll(&mut self, timeout: Duration) -> io::Result<()> {
        system::poll_all(&mut self.0, timeout)
    }

    pub fn found(&self, index: usize) -> Found {
        system::found(&self.0[index])
    }
}

/// The error of a wait for a descriptor that other code of this process has closed.
pub(crate) fn not_open() -> io::Error {
    system::not_open()
}

fn milliseconds(timeout: Duration) -> i32 {
    timeout.as_micros().div_ceil(1000).min(i32::MAX as u128) as i32
}

/// Makes a pair of connected sockets.
pub(crate) fn pair() -> io::Result<(Pair, Pair)> {
    count_forks(); // a pair that a child shares with its parent would wake both
    system::pair()
}

/// Starts to connect to `address` and returns at once. The socket is non-blocking and is closed on exec. It is
/// connected when it is writable and `TcpStream::take_error` returns `None`.
pub(crate) fn start_connect(address: &SocketAddr) -> io::Result<ProcessSocket<TcpStream>> {
    system::start_connect(address)
}

/// Runs `call` with thread cancellation disabled: a `pthread_cancel` takes effect after it. Costs no system call.
pub(crate) fn with_thread_cancel_disabled<T>(call: impl FnOnce() -> T) -> T {
    system::with_thread_cancel_disabled(call)
}

/// Runs `call` and then restores the `errno` of before: for a signal handler.
pub(crate) fn with_errno_kept(call: impl FnOnce()) {
    system::with_errno_kept(call);
}

/// Runs `start`, which starts a thread, with all signals blocked. The thread inherits the mask, so signals go to the
/// host's own threads.
pub(crate) fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    system::with_signals_blocked(start)
}

/// The stack size of a queue's thread, far above what sending needs, even in a debug build. The system's default is often 8 MiB
/// of address space per thread.
const STACK: usize = 512 * 1024;

/// Starts a thread that runs `work`, with all signals blocked.
pub(crate) fn start_thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    with_signals_blocked(|| thread::Builder::new().name(name.into()).stack_size(STACK).spawn(work))
}

/// How many forks there are between the process that first called [`count_forks`] and this one.
///
/// A counter instead of the process id, because reading it needs no system call.
pub(crate) fn forks() -> u64 {
    system::forks()
}

/// Registers the fork handler, which counts forks and closes this library's sockets in the child. Only the first call
/// has an effect.
pub(crate) fn count_forks() {
    system::count_forks();
}

/// An address that neither accepts nor refuses connections, because its backlog is full. Valid while the first part
/// lives.
#[cfg(all(test, unix))]
pub(crate) fn black_hole() -> ((std::net::TcpListener, Vec<ProcessSocket<TcpStream>>), SocketAddr) {
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
mod tests;

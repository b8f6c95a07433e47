//! What the standard library lacks of the system: waiting for several sockets, a connect that does not block, and a few
//! manners of a guest in somebody else's process.

#![allow(unsafe_code)]

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::net::{SocketAddr, TcpStream};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub(crate) mod panic;

#[cfg(unix)]
#[path = "unix.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

/// One end of a pair of sockets, by which one thread wakes another that waits in [`poll`].
pub(crate) type Pair = ProcessSocket<system::Local>;
/// What the system calls a socket.
pub(crate) use system::Raw;
#[cfg(all(test, unix))]
pub(crate) use system::connected_to_itself;

/// A socket that belongs to this process.
///
/// Other code of the process may close the descriptor (`closefrom`) and open a file of its own under the number: that file is
/// not this library's to close.
///
/// Its descriptor lies above 2: were it 0, 1 or 2, because the host had closed those, what the host prints would go out on
/// it. In the child of a fork it is closed as soon as the child begins, so that it neither uses up descriptors there nor
/// keeps the parent's connection open. Its number may then be another file's: in the child [`ProcessSocket::get`] is an error, and
/// to drop it does nothing.
pub(crate) struct ProcessSocket<T: system::Socket> {
    socket: ManuallyDrop<T>,
    /// Which socket it was when it was made.
    identity: system::Identity,
    forks: u64,
}

impl<T: system::Socket> ProcessSocket<T> {
    pub fn new(socket: T) -> io::Result<Self> {
        let socket = system::above_standard(socket)?;
        let identity = system::track(&socket)?;
        Ok(ProcessSocket { socket: ManuallyDrop::new(socket), identity, forks: forks() })
    }

    /// Whether it is this process's, and the descriptor still means the socket that was made.
    pub fn is_intact(&self) -> bool {
        self.forks == forks() && system::identity(&*self.socket).is_ok_and(|identity| identity == self.identity)
    }

    /// The socket, in the process that made it.
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
            // SAFETY: nothing uses it after its drop.
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

    /// Whether one of the first `count` is ready.
    pub fn any_below(self, count: usize) -> bool {
        self.0 & ((1 << count) - 1) != 0
    }
}

/// The most interests of one [`poll`].
pub(crate) const MOST_INTERESTS: usize = 20;

/// Writes what the kernel takes at once; `WouldBlock` when that is nothing. Raises no SIGPIPE.
pub(crate) fn send(socket: &ProcessSocket<TcpStream>, bytes: &[u8]) -> io::Result<usize> {
    system::send(socket.get()?, bytes)
}

/// Reads what is there; `WouldBlock` when that is nothing, 0 at the end. `peek` leaves it there.
pub(crate) fn receive(socket: &ProcessSocket<TcpStream>, buffer: &mut [u8], peek: bool) -> io::Result<usize> {
    system::receive(socket.get()?, buffer, peek)
}

/// How much of what was written the peer's system has not acknowledged; 0 where this system does not tell.
pub(crate) fn unacknowledged(socket: &ProcessSocket<TcpStream>) -> usize {
    socket.get().map_or(0, system::unacknowledged)
}

/// How much of what was written has never left this machine; 0 where this system does not tell.
pub(crate) fn unsent(socket: &ProcessSocket<TcpStream>) -> usize {
    socket.get().map_or(0, system::unsent)
}

/// Waits until something is ready or `timeout` has passed, rounded up to a millisecond. Is never restarted after a
/// signal: that is `ErrorKind::Interrupted`. An interest whose descriptor is not open is an error: other code of this process
/// closed it.
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
pub(crate) fn start_connect(address: &SocketAddr) -> io::Result<ProcessSocket<TcpStream>> {
    system::start_connect(address)
}

/// Runs `call` with `pthread_cancel` held back until it has ended. No system call.
pub(crate) fn with_thread_cancel_disabled<T>(call: impl FnOnce() -> T) -> T {
    system::with_thread_cancel_disabled(call)
}

/// Runs `start`, which starts a thread, so that the thread gets no signal: they are for the host's own threads.
pub(crate) fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    system::with_signals_blocked(start)
}

/// Threads that may borrow whatever outlives the call of [`with_workers`].
pub(crate) struct Workers<'env> {
    threads: Vec<JoinHandle<()>>,
    forks: u64,
    env: PhantomData<&'env mut &'env ()>,
}

/// Runs `body`, which starts threads, and waits for those threads, also when it panics.
///
/// As `std::thread::scope`, but the child of a fork, which has none of the threads, does not wait for them.
pub(crate) fn with_workers<'env, T>(body: impl FnOnce(&mut Workers<'env>) -> T) -> T {
    body(&mut Workers { threads: Vec::new(), forks: forks(), env: PhantomData })
}

/// Far above what sending takes, in a debug build, too. The system's default would be 8 MiB of address space each.
const STACK: usize = 512 * 1024;

impl<'env> Workers<'env> {
    /// Starts a thread that does `work`. It gets no signals: they are for the host's own threads.
    pub fn start(&mut self, name: &str, work: impl FnOnce() + Send + 'env) -> io::Result<()> {
        let builder = thread::Builder::new().name(name.into()).stack_size(STACK);
        // SAFETY: `drop` waits for the thread before 'env can end; `with_workers` never leaks the Workers.
        let thread = with_signals_blocked(|| unsafe { builder.spawn_unchecked(work) })?;
        self.threads.push(thread);
        Ok(())
    }
}

impl Drop for Workers<'_> {
    fn drop(&mut self) {
        for thread in mem::take(&mut self.threads) {
            if self.forks == forks() {
                let _ = thread.join();
            } else {
                mem::forget(thread); // there is no such thread here
            }
        }
    }
}

/// How many forks lie between this process and the one that first called [`count_forks`].
///
/// A counter, not the process id: reading it is no system call.
pub(crate) fn forks() -> u64 {
    system::forks()
}

/// Begins to count, and to close this library's sockets in every child. Any number of calls count once.
pub(crate) fn count_forks() {
    system::count_forks();
}

/// An address that takes no connection and refuses none, as long as the first part lives: its backlog is full.
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
            let stream = stream.get().unwrap();
            assert!(stream.take_error().unwrap().is_none());
            assert_eq!(stream.peer_addr().unwrap(), listener.local_addr().unwrap());
        }
    }
}

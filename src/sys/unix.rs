//! The Unix part: `poll`, sockets made by system calls, `pthread_atfork`.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

#[cfg(test)]
use super::Pollable;
use super::{Found, Interest, MOST_INTERESTS, Pair, ProcessSocket, Ready};

pub(crate) type Local = UnixStream;
pub(crate) type Raw = RawFd;

pub(crate) trait Socket: AsRawFd + From<OwnedFd> + Into<OwnedFd> {}
impl Socket for UnixStream {}
impl Socket for TcpStream {}

pub(super) fn raw(socket: &impl Socket) -> Raw {
    socket.as_raw_fd()
}

pub(super) fn above_standard<T: Socket>(socket: T) -> io::Result<T> {
    if socket.as_raw_fd() > libc::STDERR_FILENO {
        return Ok(socket);
    }
    // SAFETY: no pointers are passed, and `socket` is open.
    let above = owned(unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_DUPFD_CLOEXEC, libc::STDERR_FILENO + 1) })?;
    Ok(T::from(above)) // the flags of the socket itself (non-blocking) are shared
}

pub(crate) const NO_SOCKET: Raw = -1;
pub(super) const READ: libc::c_short = libc::POLLIN;
pub(super) const WRITE: libc::c_short = libc::POLLOUT;

/// The inode number. It distinguishes a socket from another file under the same descriptor.
pub(crate) type Identity = u64;

pub(super) fn identity(socket: &impl Socket) -> io::Result<Identity> {
    identity_of(socket.as_raw_fd()).ok_or_else(io::Error::last_os_error)
}

/// `None` if the descriptor is not open, or is not a socket. Safe in the child of a fork.
fn identity_of(fd: RawFd) -> Option<Identity> {
    // SAFETY: all zero is a valid stat.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is valid for the call.
    let is_known = unsafe { libc::fstat(fd, &mut stat) } == 0;
    (is_known && stat.st_mode & libc::S_IFMT == libc::S_IFSOCK).then_some(stat.st_ino as Identity)
}

/// The open sockets of this library: for each descriptor the identity of its socket, or 0. Higher descriptors are not
/// tracked and stay open in the child of a fork.
static OPEN: [AtomicU64; 65536] = [const { AtomicU64::new(0) }; 65536];
/// All slots of [`OPEN`] from this index on are unused.
static OPEN_UP_TO: AtomicUsize = AtomicUsize::new(0);

fn slot_of(socket: &impl Socket) -> Option<(usize, &'static AtomicU64)> {
    let index = usize::try_from(socket.as_raw_fd()).ok()?;
    Some((index, OPEN.get(index)?))
}

pub(super) fn track(socket: &impl Socket) -> io::Result<Identity> {
    let identity = identity(socket)?;
    if let Some((index, slot)) = slot_of(socket) {
        slot.store(identity, Ordering::SeqCst);
        OPEN_UP_TO.fetch_max(index + 1, Ordering::SeqCst);
    }
    Ok(identity)
}

/// Must run before the descriptor is closed: afterwards the number may belong to other code.
pub(super) fn untrack(socket: &impl Socket) {
    if let Some((_, slot)) = slot_of(socket) {
        slot.store(0, Ordering::SeqCst);
    }
}

/// Closes the parent's sockets in the child of a fork. The connections stay up, because the parent's descriptors stay
/// open.
fn close_parents_sockets() {
    for (fd, slot) in OPEN.iter().enumerate().take(OPEN_UP_TO.load(Ordering::SeqCst)) {
        let identity = slot.swap(0, Ordering::SeqCst);
        if identity != 0 && identity_of(fd as RawFd) == Some(identity) {
            // SAFETY: the descriptor refers to a socket of this library, and this process does not use it again.
            unsafe { libc::close(fd as RawFd) };
        }
    }
}

#[cfg(test)]
impl super::Pollable for TcpStream {
    fn raw(&self) -> Raw {
        self.as_raw_fd()
    }
}

pub(crate) fn pair() -> io::Result<(Pair, Pair)> {
    let (one, other) = UnixStream::pair()?;
    Ok((ProcessSocket::new(one)?, ProcessSocket::new(other)?))
}

/// Each call passes MSG_DONTWAIT. It must not rely on O_NONBLOCK: if other code has closed the socket, the descriptor
/// may refer to a file without that flag.
pub(crate) fn send(socket: &TcpStream, bytes: &[u8]) -> io::Result<usize> {
    #[cfg(not(target_vendor = "apple"))]
    const FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    #[cfg(target_vendor = "apple")]
    const FLAGS: libc::c_int = libc::MSG_DONTWAIT;
    // SAFETY: `bytes` is valid for its length.
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), FLAGS) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

pub(crate) fn receive(socket: &TcpStream, buffer: &mut [u8], peek: bool) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | if peek { libc::MSG_PEEK } else { 0 };
    // SAFETY: `buffer` can be written for its length.
    let received = unsafe { libc::recv(socket.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), flags) };
    usize::try_from(received).map_err(|_| io::Error::last_os_error())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn unacknowledged(socket: &TcpStream) -> usize {
    queued(socket, 0x5411) // SIOCOUTQ, tcp(7)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn unsent(socket: &TcpStream) -> usize {
    queued(socket, 0x894B) // SIOCOUTQNSD: the part of the above that was never sent
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn queued(socket: &TcpStream, which: u32) -> usize {
    let mut count: libc::c_int = 0;
    // SAFETY: both requests write an int, which `count` is.
    let asked = unsafe { libc::ioctl(socket.as_raw_fd(), which as _, &raw mut count) };
    if asked == 0 { usize::try_from(count).unwrap_or(0) } else { 0 }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn unacknowledged(_: &TcpStream) -> usize {
    0
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn unsent(_: &TcpStream) -> usize {
    0
}

pub(crate) fn poll(interests: &[Interest], timeout: Duration) -> io::Result<Ready> {
    let mut fds = [libc::pollfd { fd: -1, events: 0, revents: 0 }; MOST_INTERESTS];
    let fds = &mut fds[..interests.len()];
    for (fd, interest) in fds.iter_mut().zip(interests) {
        (fd.fd, fd.events) = (interest.raw, interest.events);
    }
    // SAFETY: `fds` is valid for its length for the duration of the call.
    if unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, super::milliseconds(timeout)) } < 0 {
        return Err(io::Error::last_os_error());
    }
    if fds.iter().any(|fd| fd.revents & libc::POLLNVAL != 0) {
        return Err(not_open());
    }
    Ok(Ready::of(fds.iter().map(|fd| fd.revents != 0)))
}

pub(crate) fn not_open() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}

pub(crate) type PollFd = libc::pollfd;

pub(crate) fn poll_fd(interest: Interest) -> PollFd {
    libc::pollfd { fd: interest.raw, events: interest.events, revents: 0 }
}

pub(crate) fn poll_all(fds: &mut [PollFd], timeout: Duration) -> io::Result<()> {
    // SAFETY: `fds` is valid for its length for the duration of the call.
    if unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, super::milliseconds(timeout)) } >= 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    fds.iter_mut().for_each(|fd| fd.revents = 0);
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

pub(crate) fn found(fd: &PollFd) -> Found {
    match fd.revents {
        0 => Found::Nothing,
        events if events & libc::POLLNVAL != 0 => Found::NotOpen,
        _ => Found::Ready,
    }
}

pub(crate) fn start_connect(address: &SocketAddr) -> io::Result<ProcessSocket<TcpStream>> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let connecting = ProcessSocket::new(TcpStream::from(new_socket(family)?))?;
    let stream = connecting.get()?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let (storage, length) = sockaddr(address);
    let pointer = (&raw const storage).cast::<libc::sockaddr>();
    // SAFETY: `pointer` is valid for `length` bytes, which `sockaddr` wrote.
    if unsafe { libc::connect(stream.as_raw_fd(), pointer, length) } < 0 {
        let error = io::Error::last_os_error();
        // After EINTR the connect goes on, as with EINPROGRESS.
        if !matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) {
            return Err(error);
        }
    }
    Ok(connecting)
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
fn new_socket(family: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    owned(unsafe { libc::socket(family, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
fn new_socket(family: libc::c_int) -> io::Result<OwnedFd> {
    // SAFETY: no pointers are passed.
    let socket = owned(unsafe { libc::socket(family, libc::SOCK_STREAM, 0) })?;
    // SAFETY: `socket` is open.
    if unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_SETFD, libc::FD_CLOEXEC) } < 0 {
        return Err(io::Error::last_os_error());
    }
    #[cfg(target_vendor = "apple")]
    {
        let on: libc::c_int = 1;
        let length = size_of_val(&on) as libc::socklen_t;
        // SAFETY: `on` is valid for `length` bytes. These systems have no MSG_NOSIGNAL.
        let done = unsafe {
            libc::setsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_NOSIGPIPE, (&raw const on).cast(), length)
        };
        if done < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(socket)
}

fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just opened and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn sockaddr(address: &SocketAddr) -> (libc::sockaddr_storage, libc::socklen_t) {
    // SAFETY: all zero is a valid sockaddr_storage.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    let length = match address {
        SocketAddr::V4(address) => {
            // SAFETY: sockaddr_storage is larger than, and aligned for, every sockaddr.
            let v4 = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_in>() };
            v4.sin_family = libc::AF_INET as libc::sa_family_t;
            v4.sin_port = address.port().to_be();
            v4.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
            size_of::<libc::sockaddr_in>()
        }
        SocketAddr::V6(address) => {
            // SAFETY: as above.
            let v6 = unsafe { &mut *(&raw mut storage).cast::<libc::sockaddr_in6>() };
            v6.sin6_family = libc::AF_INET6 as libc::sa_family_t;
            v6.sin6_port = address.port().to_be();
            v6.sin6_flowinfo = address.flowinfo();
            v6.sin6_addr.s6_addr = address.ip().octets();
            v6.sin6_scope_id = address.scope_id();
            size_of::<libc::sockaddr_in6>()
        }
    };
    (storage, length as libc::socklen_t)
}

pub(crate) fn with_thread_cancel_disabled<T>(call: impl FnOnce() -> T) -> T {
    unsafe extern "C" {
        fn pthread_setcancelstate(state: libc::c_int, before: *mut libc::c_int) -> libc::c_int;
    }
    const DISABLE: libc::c_int = if cfg!(target_vendor = "apple") { 0 } else { 1 };
    let mut before = 0;
    // SAFETY: the pointer is valid for the call; the state is this thread's own.
    unsafe { pthread_setcancelstate(DISABLE, &mut before) };
    let result = call();
    // SAFETY: as above, with the state that was found.
    unsafe { pthread_setcancelstate(before, &mut 0) };
    result
}

pub(crate) fn with_errno_kept(call: impl FnOnce()) {
    #[cfg(any(target_os = "android", target_os = "netbsd", target_os = "openbsd"))]
    use libc::__errno as location;
    #[cfg(any(target_os = "linux", target_os = "emscripten", target_os = "hurd"))]
    use libc::__errno_location as location;
    #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
    use libc::__error as location;
    // SAFETY: the location of this thread's errno is always valid.
    let before = unsafe { *location() };
    call();
    // SAFETY: as above.
    unsafe { *location() = before };
}

pub(crate) fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: all zero is a valid sigset_t, and the pointers are valid for the calls.
    let before = unsafe {
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        before
    };
    let result = start();
    // SAFETY: `before` was filled in above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut()) };
    result
}

static FORKS: AtomicU64 = AtomicU64::new(0);

pub(crate) fn forks() -> u64 {
    FORKS.load(Ordering::Relaxed)
}

pub(crate) fn count_forks() {
    extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
        close_parents_sockets();
    }
    // No lock: in the child of a fork it could stay locked for ever.
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.swap(true, Ordering::SeqCst) {
        // SAFETY: `in_child` uses only atomics, fstat(2) and close(2), which are safe in the child of a process with
        // threads. The C library removes the handler when this library is unloaded. The call fails only without memory;
        // forks are then not counted.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    }
}

/// Calls listen(2) again with the shortest backlog.
#[cfg(test)]
pub(super) fn shorten_backlog(listener: &std::net::TcpListener) {
    // SAFETY: no pointers are passed.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
}

/// A socket that is connected to itself. TCP does that when a socket connects to its own port.
#[cfg(test)]
pub(crate) fn connected_to_itself() -> ProcessSocket<TcpStream> {
    use std::net::{Ipv4Addr, TcpListener};
    let socket = ProcessSocket::new(TcpStream::from(new_socket(libc::AF_INET).unwrap())).unwrap();
    let bind_and_connect = |address: SocketAddr| {
        let (storage, length) = sockaddr(&address);
        let pointer = (&raw const storage).cast::<libc::sockaddr>();
        // SAFETY: `pointer` is valid for `length` bytes, which `sockaddr` wrote.
        unsafe { libc::bind(socket.raw(), pointer, length) == 0 && libc::connect(socket.raw(), pointer, length) == 0 }
    };
    let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr()).unwrap();
    assert!(bind_and_connect(free()));
    socket
}

//! On Unix: `poll`, sockets made by hand, `pthread_atfork`.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use super::{Interest, MOST_INTERESTS, Ready};

pub(crate) type Pair = UnixStream;
pub(crate) type Raw = RawFd;

pub(super) const READ: libc::c_short = libc::POLLIN;
pub(super) const WRITE: libc::c_short = libc::POLLOUT;

impl super::Pollable for TcpStream {
    fn raw(&self) -> Raw {
        self.as_raw_fd()
    }
}

impl super::Pollable for UnixStream {
    fn raw(&self) -> Raw {
        self.as_raw_fd()
    }
}

pub(crate) fn pair() -> io::Result<(Pair, Pair)> {
    UnixStream::pair()
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
    Ok(Ready::of(fds.iter().map(|fd| fd.revents != 0)))
}

pub(crate) fn start_connect(address: &SocketAddr) -> io::Result<TcpStream> {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let stream = TcpStream::from(new_socket(family)?);
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let (storage, length) = sockaddr(address);
    let pointer = (&raw const storage).cast::<libc::sockaddr>();
    // SAFETY: `pointer` is valid for `length` bytes, which `sockaddr` wrote.
    if unsafe { libc::connect(stream.as_raw_fd(), pointer, length) } < 0 {
        let error = io::Error::last_os_error();
        // Interrupted: the connect goes on, as with EINPROGRESS.
        if !matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EINTR)) {
            return Err(error);
        }
    }
    Ok(stream)
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

pub(crate) fn uncancelled<T>(call: impl FnOnce() -> T) -> T {
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
    }
    static BEGUN: AtomicBool = AtomicBool::new(false); // no lock, which a child could find held for ever
    if !BEGUN.swap(true, Ordering::SeqCst) {
        // SAFETY: `in_child` only adds to an atomic, which is safe in the child of a process with threads; the C library
        // forgets the handler when this library is unloaded. It fails only without memory: then nothing is counted.
        unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    }
}

/// Listens again, with the shortest backlog there is.
#[cfg(test)]
pub(super) fn shorten_backlog(listener: &std::net::TcpListener) {
    // SAFETY: no pointers are passed.
    assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
}

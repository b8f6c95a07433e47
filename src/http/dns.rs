//! Addresses of a host: a cache, and a helper thread for a look-up that it lacks.
//!
//! The system's look-up can neither be interrupted nor be given a deadline, hence the thread. One look-up a host is under
//! way at a time; whoever comes meanwhile waits for the same one, so a resolver that never answers costs one thread.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::panic;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::wait::CallContext;
use crate::http::Fault;
use crate::http::request::is_localhost;
use crate::sys::{self, Interest, Pair};

/// How long an answer is kept, as libcurl does: the system does not tell the record's own time to live.
const CACHE_TIME: Duration = Duration::from_secs(60);

/// The most addresses of a host that are tried.
const MAX_ADDRESSES: usize = 16;

/// What `localhost` and its subdomains mean.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

#[derive(Debug)]
pub(crate) struct Dns {
    look_up: LookUpFn,
    /// A client asks for one host alone, its proxy's or its base URL's, so nothing but `CACHE_TIME` bounds it.
    hosts: Mutex<HashMap<String, Entry>>,
}

/// The addresses of a host, in the order of preference.
type LookUpFn = fn(&str) -> io::Result<Vec<IpAddr>>;

fn ask_the_system(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

#[derive(Debug)]
enum Entry {
    Known { addresses: Arc<[IpAddr]>, at: Instant },
    InFlight(Arc<LookUp>),
}

/// A look-up under way. `done` becomes readable (end of file) when the thread has ended, however it ended.
#[derive(Debug)]
struct LookUp {
    done: Pair,
    answer: Mutex<Option<Answer>>,
}

#[derive(Debug)]
struct Answer {
    found: io::Result<Arc<[IpAddr]>>,
    at: Instant,
}

impl LookUp {
    fn answer(&self) -> MutexGuard<'_, Option<Answer>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a call may wait for it that comes only now. Its answer may have come long ago, and nobody fetched it.
    fn serves_newcomers(&self) -> bool {
        match &*self.answer() {
            None => true,
            Some(answer) => answer.found.is_ok() && answer.at.elapsed() < CACHE_TIME,
        }
    }
}

impl Default for Dns {
    fn default() -> Self {
        Dns::new(ask_the_system)
    }
}

impl Dns {
    fn new(look_up: LookUpFn) -> Self {
        Dns { look_up, hosts: Mutex::default() }
    }

    /// The addresses of `host` in the order to try them: the families take turns, the system's favourite first.
    pub fn resolve(
        &self,
        host: &str,
        port: u16,
        context: &CallContext,
        deadline: Instant,
    ) -> Result<Vec<SocketAddr>, Fault> {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        if is_localhost(host) {
            return Ok(with_port(&LOOPBACK, port));
        }
        let look_up = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            match hosts.get(host) {
                Some(Entry::Known { addresses, at }) if at.elapsed() < CACHE_TIME => {
                    return Ok(with_port(addresses, port));
                }
                Some(Entry::InFlight(look_up)) if look_up.serves_newcomers() => look_up.clone(),
                _ => {
                    let look_up = start(host, self.look_up)
                        .map_err(|error| Fault::Connect(format!("no look-up of {host} could be started: {error}")))?;
                    hosts.insert(host.to_owned(), Entry::InFlight(look_up.clone()));
                    look_up
                }
            }
        };
        context
            .until_ready(&[Interest::read(&look_up.done)], deadline)
            .map_err(|stop| stop.into_fault("while the host's address was looked up"))?;

        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = look_up.answer();
        let is_current = matches!(hosts.get(host), Some(Entry::InFlight(current)) if Arc::ptr_eq(current, &look_up));
        match &*answer {
            Some(Answer { found: Ok(addresses), at }) => {
                if is_current {
                    hosts.insert(host.to_owned(), Entry::Known { addresses: addresses.clone(), at: *at });
                }
                Ok(with_port(addresses, port))
            }
            failed => {
                if is_current {
                    hosts.remove(host);
                }
                let why = match failed {
                    Some(Answer { found: Err(error), .. }) => error.to_string(),
                    _ => NO_ANSWER.into(),
                };
                Err(Fault::Connect(format!("no address was found for {host}: {why}")))
            }
        }
    }

    /// Drops a cached answer of which no address connected.
    pub fn forget(&self, host: &str) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(hosts.get(host), Some(Entry::Known { .. })) {
            hosts.remove(host);
        }
    }
}

/// What is said of a look-up that panicked.
const NO_ANSWER: &str = "the look-up ended without an answer";

fn start(host: &str, look_up: LookUpFn) -> io::Result<Arc<LookUp>> {
    let (done, ended) = sys::pair()?;
    let in_flight = Arc::new(LookUp { done, answer: Mutex::new(None) });
    let (host, slot) = (host.to_owned(), in_flight.clone());
    let body = move || {
        // A panic is an answer, too: else the next call would wait for a look-up that is over.
        let found = match panic::catch_unwind(|| look_up(&host)) {
            Ok(Ok(addresses)) if addresses.is_empty() => Err(io::Error::new(io::ErrorKind::NotFound, "it has none")),
            Ok(found) => found.map(interleave_families),
            Err(_) => Err(io::Error::other(NO_ANSWER)),
        };
        *slot.answer() = Some(Answer { found, at: Instant::now() });
        drop(ended);
    };
    sys::with_signals_blocked(|| thread::Builder::new().name("userengage-dns".into()).spawn(body))?;
    Ok(in_flight)
}

/// The families in turns, so that a dead one costs one attempt (RFC 8305, section 4).
fn interleave_families(found: Vec<IpAddr>) -> Arc<[IpAddr]> {
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in found {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    let first_is_v4 = addresses.first().is_some_and(IpAddr::is_ipv4);
    let (favoured, other): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv4() == first_is_v4);
    let mut other = other.into_iter();
    let mut turns = Vec::new();
    for address in favoured {
        turns.push(address);
        turns.extend(other.next());
    }
    turns.extend(other);
    turns.truncate(MAX_ADDRESSES);
    turns.into()
}

fn with_port(addresses: &[IpAddr], port: u16) -> Vec<SocketAddr> {
    addresses.iter().map(|address| SocketAddr::new(*address, port)).collect()
}

#[cfg(test)]
mod tests;

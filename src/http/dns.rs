//! DNS: looks up the addresses of a host in a helper thread, and caches them.
//!
//! The system's lookup (`getaddrinfo`) can neither be interrupted nor given a deadline, hence the thread. Only one lookup
//! per host is in flight at a time. Other calls wait for the same one, so a resolver that never answers costs one thread.

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

/// How long an answer stays in the cache, as in libcurl. The system does not tell the TTL of the record.
const CACHE_TIME: Duration = Duration::from_secs(60);

/// At most so many addresses of a host are tried.
const MAX_ADDRESSES: usize = 16;

/// The addresses of `localhost` and its subdomains.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

#[derive(Debug)]
pub(crate) struct Dns {
    lookup: LookupFn,
    /// Not bounded in size: a client looks up one host only, its proxy or the host of its base URL.
    hosts: Mutex<HashMap<String, Entry>>,
}

/// The addresses of a host, in the order of preference.
type LookupFn = fn(&str) -> io::Result<Vec<IpAddr>>;

fn ask_the_system(host: &str) -> io::Result<Vec<IpAddr>> {
    Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
}

#[derive(Debug)]
enum Entry {
    Known { addresses: Arc<[IpAddr]>, at: Instant },
    InFlight(Arc<Lookup>),
}

/// A lookup in flight. `done` becomes readable (end of file) when the thread has ended, even by a panic.
#[derive(Debug)]
struct Lookup {
    done: Pair,
    answer: Mutex<Option<Answer>>,
}

#[derive(Debug)]
struct Answer {
    found: io::Result<Arc<[IpAddr]>>,
    at: Instant,
}

impl Lookup {
    fn answer(&self) -> MutexGuard<'_, Option<Answer>> {
        self.answer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a new call may use this lookup. If nobody fetched its answer, that may be too old by now.
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
    fn new(lookup: LookupFn) -> Self {
        Dns { lookup, hosts: Mutex::default() }
    }

    /// The addresses of `host` in the order to try them: IPv4 and IPv6 alternate, the family that the system prefers
    /// first.
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
        let lookup = {
            let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
            match hosts.get(host) {
                Some(Entry::Known { addresses, at }) if at.elapsed() < CACHE_TIME => {
                    return Ok(with_port(addresses, port));
                }
                Some(Entry::InFlight(lookup)) if lookup.serves_newcomers() => lookup.clone(),
                _ => {
                    let lookup = start(host, self.lookup)
                        .map_err(|error| Fault::Connect(format!("no lookup of {host} could be started: {error}")))?;
                    hosts.insert(host.to_owned(), Entry::InFlight(lookup.clone()));
                    lookup
                }
            }
        };
        context
            .until_ready(&[Interest::read(&lookup.done)], deadline)
            .map_err(|stop| stop.into_fault("while the host's address was looked up"))?;

        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = lookup.answer();
        let is_current = matches!(hosts.get(host), Some(Entry::InFlight(current)) if Arc::ptr_eq(current, &lookup));
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

    /// Drops the cached addresses of `host`, after none of them connected.
    pub fn forget(&self, host: &str) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(hosts.get(host), Some(Entry::Known { .. })) {
            hosts.remove(host);
        }
    }
}

/// The error text for a lookup that panicked.
const NO_ANSWER: &str = "the lookup ended without an answer";

fn start(host: &str, lookup: LookupFn) -> io::Result<Arc<Lookup>> {
    let (done, ended) = sys::pair()?;
    let in_flight = Arc::new(Lookup { done, answer: Mutex::new(None) });
    let (host, slot) = (host.to_owned(), in_flight.clone());
    let body = move || {
        // A panic counts as an answer. Otherwise the next call would wait for a lookup that has ended.
        let found = match panic::catch_unwind(|| lookup(&host)) {
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

/// Alternates IPv4 and IPv6, so that a family without a route costs one attempt (RFC 8305, section 4).
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

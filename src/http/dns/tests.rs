use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::http::request::is_loopback;
use crate::model::hooks::Hooks;
use crate::sys::CancelSignal;

fn context() -> CallContext {
    CallContext::new(Arc::new(Hooks::default()), Arc::new(CancelSignal::new().unwrap()))
}

fn resolve(dns: &Dns, host: &str, wait: Duration) -> Result<Vec<SocketAddr>, Fault> {
    dns.resolve(host, 443, &context(), Instant::now() + wait)
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn an_address_needs_no_lookup() {
    let dns = Dns::new(|_| unreachable!());
    assert_eq!(resolve(&dns, "127.0.0.1", LONG).unwrap(), ["127.0.0.1:443".parse().unwrap()]);
    assert_eq!(resolve(&dns, "[::1]", LONG).unwrap(), ["[::1]:443".parse().unwrap()]);
}

#[test]
fn an_answer_is_cached_until_it_is_forgotten() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let dns = Dns::new(|_| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    });
    for _ in 0..3 {
        assert_eq!(resolve(&dns, "h", LONG).unwrap().len(), 1);
    }
    assert_eq!(ASKED.load(Ordering::Relaxed), 1);
    dns.forget("h");
    resolve(&dns, "h", LONG).unwrap();
    assert_eq!(ASKED.load(Ordering::Relaxed), 2);
}

#[test]
fn a_failure_is_not_cached() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let dns = Dns::new(|_| match ASKED.fetch_add(1, Ordering::Relaxed) {
        0 => Err(io::Error::other("no such host")),
        1 => Ok(Vec::new()),
        _ => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
    });
    for words in ["no such host", "it has none"] {
        let Err(Fault::Connect(text)) = resolve(&dns, "h", LONG) else { panic!("it was found") };
        assert_eq!(text, format!("no address was found for h: {words}"));
    }
    assert!(resolve(&dns, "h", LONG).is_ok());
}

#[test]
fn a_resolver_that_never_answers_costs_one_thread_and_no_more_than_the_deadline() {
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    static GO_ON: Mutex<()> = Mutex::new(());
    let blocker = GO_ON.lock().unwrap();
    let dns = Dns::new(|_| {
        STARTED.fetch_add(1, Ordering::SeqCst);
        drop(GO_ON.lock());
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    });
    thread::scope(|threads| {
        for _ in 0..50 {
            threads.spawn(|| {
                assert!(matches!(resolve(&dns, "h", Duration::from_millis(100)), Err(Fault::Deadline(_))));
            });
        }
    });
    assert!(matches!(resolve(&dns, "h", Duration::ZERO), Err(Fault::Deadline(_))));
    assert_eq!(STARTED.load(Ordering::SeqCst), 1);
    drop(blocker);
    // The next call uses the late answer.
    assert!(resolve(&dns, "h", LONG).is_ok());
    assert_eq!(STARTED.load(Ordering::SeqCst), 1);
}

#[test]
fn a_lookup_that_panics_is_an_error() {
    let dns = Dns::new(|_| panic!("inside the lookup"));
    assert!(matches!(resolve(&dns, "h", LONG), Err(Fault::Connect(text)) if text.ends_with("without an answer")));
}

#[test]
fn localhost_and_its_subdomains_are_this_machine_and_never_looked_up() {
    let dns = Dns::new(|host| unreachable!("{host} was looked up"));
    let this_machine: [SocketAddr; 2] = ["127.0.0.1:443".parse().unwrap(), "[::1]:443".parse().unwrap()];
    for host in ["localhost", "LOCALHOST", "localhost.", "shop.localhost", "a.b.Localhost."] {
        assert_eq!(resolve(&dns, host, LONG).unwrap(), this_machine, "{host}");
    }
}

#[test]
fn loopback_hosts_connect_to_loopback_without_a_lookup() {
    let dns = Dns::new(|_| Ok(vec![Ipv4Addr::new(192, 0, 2, 1).into()]));
    for host in [
        "localhost",
        "localhost.",
        "x.localhost",
        "x..localhost",
        ".localhost",
        "localhost..",
        "127.0.0.1",
        "127.1",
        "127.0.0.1.",
        "0127.0.0.1",
        "0x7f.1",
        "2130706433",
        "[::1]",
        "[0:0::1]",
        "[::ffff:127.0.0.1]",
        "[127.0.0.1]",
        "[localhost]",
        "[[::1]]",
        "0.0.0.0",
        "[::]",
        "127.255.255.255",
        "128.0.0.1",
    ] {
        if is_loopback(host) {
            assert!(resolve(&dns, host, LONG).unwrap().iter().all(|address| address.ip().is_loopback()), "{host}");
        }
    }
}

/// Leaves a lookup of "h" that ended `age` ago and whose answer no call has fetched.
fn leave_unfetched(dns: &Dns, age: Duration) {
    let lookup = start("h", dns.lookup).unwrap();
    context().until_ready(&[Interest::read(&lookup.done)], Instant::now() + LONG).unwrap();
    lookup.answer().as_mut().unwrap().at -= age;
    dns.hosts.lock().unwrap().insert("h".into(), Entry::InFlight(lookup));
}

#[test]
fn an_unfetched_answer_expires_like_any_other() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let dns = Dns::new(|_| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    });
    for (age, asked) in
        [(Duration::ZERO, 1), (CACHE_TIME - Duration::from_secs(20), 1), (CACHE_TIME, 2), (CACHE_TIME * 10, 2)]
    {
        ASKED.store(0, Ordering::Relaxed);
        leave_unfetched(&dns, age);
        resolve(&dns, "h", LONG).unwrap();
        assert_eq!(ASKED.load(Ordering::Relaxed), asked, "{age:?}");
    }
}

#[test]
fn an_answer_is_as_old_as_its_lookup_not_as_its_first_use() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let dns = Dns::new(|_| {
        ASKED.fetch_add(1, Ordering::Relaxed);
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    });
    leave_unfetched(&dns, CACHE_TIME - Duration::from_secs(20));
    resolve(&dns, "h", LONG).unwrap();
    let hosts = dns.hosts.lock().unwrap();
    assert!(matches!(&hosts["h"], Entry::Known { at, .. } if at.elapsed() >= CACHE_TIME - Duration::from_secs(20)));
}

#[test]
fn an_unfetched_failure_is_not_returned_to_a_later_caller() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    for fail in [0, 1] {
        ASKED.store(fail, Ordering::Relaxed);
        let dns = Dns::new(|_| match ASKED.fetch_add(2, Ordering::Relaxed) {
            0 => Err(io::Error::other("no such host")),
            1 => panic!("inside the lookup"),
            _ => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
        });
        leave_unfetched(&dns, Duration::ZERO);
        assert_eq!(resolve(&dns, "h", LONG).unwrap().len(), 1);
    }
}

#[test]
fn all_callers_of_a_failing_lookup_get_the_failure() {
    static GO_ON: Mutex<()> = Mutex::new(());
    let blocker = GO_ON.lock().unwrap();
    let dns = Dns::new(|_| {
        drop(GO_ON.lock());
        Err(io::Error::other("no such host"))
    });
    thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| assert!(matches!(resolve(&dns, "h", LONG), Err(Fault::Connect(_)))));
        }
        drop(blocker);
    });
    assert!(dns.hosts.lock().unwrap().is_empty());
}

#[test]
fn the_families_take_turns() {
    let v4 = |last| IpAddr::from(Ipv4Addr::new(192, 0, 2, last));
    let v6 = |last| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
    let found = vec![v6(1), v6(2), v6(2), v6(3), v4(1)];
    assert_eq!(interleave_families(found)[..], [v6(1), v4(1), v6(2), v6(3)]);
    assert_eq!(interleave_families((0..99).map(v4).collect()).len(), MAX_ADDRESSES);
}

#[test]
fn the_interrupt_callback_ends_a_lookup() {
    static GO_ON: Mutex<()> = Mutex::new(());
    let _held = GO_ON.lock().unwrap();
    let dns = Dns::new(|_| {
        drop(GO_ON.lock());
        Ok(Vec::new())
    });
    let hooks = Hooks { log: None, interrupt: Some(Arc::new(|| true)) };
    let context = CallContext::new(Arc::new(hooks), Arc::new(CancelSignal::new().unwrap()));
    let found = dns.resolve("h", 443, &context, Instant::now() + LONG);
    assert!(matches!(found, Err(Fault::Cancelled)));
}

#[test]
fn a_cancel_ends_the_wait_for_a_resolver_that_never_answers() {
    static GO_ON: Mutex<()> = Mutex::new(());
    static STARTED: AtomicUsize = AtomicUsize::new(0);
    let _blocker = GO_ON.lock().unwrap();
    let dns = Dns::new(|_| {
        STARTED.fetch_add(1, Ordering::SeqCst);
        drop(GO_ON.lock());
        Ok(vec![Ipv4Addr::LOCALHOST.into()])
    });
    let cancel = Arc::new(CancelSignal::new().unwrap());
    let context = context().for_call(Some(cancel.clone()));
    thread::scope(|threads| {
        let call = threads.spawn(|| dns.resolve("h", 443, &context, Instant::now() + LONG));
        while STARTED.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        cancel.cancel(crate::sys::CancelReason::Cancelled);
        assert!(matches!(call.join().unwrap(), Err(Fault::Cancelled)));
    });
}

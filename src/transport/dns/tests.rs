use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::hooks::Hooks;
use crate::transport::Bell;

fn waiter() -> Waiter {
    Waiter::new(Arc::new(Hooks::default()), Arc::new(Bell::new().unwrap()))
}

fn resolve(dns: &Dns, host: &str, wait: Duration) -> Result<Vec<SocketAddr>, Fault> {
    dns.resolve(host, 443, &waiter(), Instant::now() + wait)
}

const LONG: Duration = Duration::from_secs(20);

#[test]
fn an_address_needs_no_look_up() {
    let dns = Dns::new(|_| unreachable!());
    assert_eq!(resolve(&dns, "127.0.0.1", LONG).unwrap(), ["127.0.0.1:443".parse().unwrap()]);
    assert_eq!(resolve(&dns, "[::1]", LONG).unwrap(), ["[::1]:443".parse().unwrap()]);
}

#[test]
fn an_answer_is_kept_until_it_is_forgotten() {
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
fn a_failure_is_not_kept() {
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
    static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
    static GO_ON: Mutex<()> = Mutex::new(());
    let held = GO_ON.lock().unwrap();
    let dns = Dns::new(|_| {
        UNDER_WAY.fetch_add(1, Ordering::SeqCst);
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
    assert_eq!(UNDER_WAY.load(Ordering::SeqCst), 1);
    drop(held);
    // The late answer serves whoever comes next.
    assert!(resolve(&dns, "h", LONG).is_ok());
    assert_eq!(UNDER_WAY.load(Ordering::SeqCst), 1);
}

#[test]
fn a_look_up_that_dies_is_an_error() {
    let dns = Dns::new(|_| panic!("inside the look-up"));
    assert!(matches!(resolve(&dns, "h", LONG), Err(Fault::Connect(text)) if text.ends_with("without an answer")));
}

#[test]
fn the_system_knows_localhost() {
    assert!(resolve(&Dns::default(), "localhost", LONG).unwrap().iter().all(|address| address.ip().is_loopback()));
}

#[test]
fn the_families_take_turns() {
    let v4 = |last| IpAddr::from(Ipv4Addr::new(192, 0, 2, last));
    let v6 = |last| IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
    let found = vec![v6(1), v6(2), v6(2), v6(3), v4(1)];
    assert_eq!(in_turns(found)[..], [v6(1), v4(1), v6(2), v6(3)]);
    assert_eq!(in_turns((0..99).map(v4).collect()).len(), MOST_ADDRESSES);
}

#[test]
fn the_interrupt_callback_ends_a_look_up() {
    static GO_ON: Mutex<()> = Mutex::new(());
    let _held = GO_ON.lock().unwrap();
    let dns = Dns::new(|_| {
        drop(GO_ON.lock());
        Ok(Vec::new())
    });
    let hooks = Hooks { log: None, interrupt: Some(Arc::new(|| true)) };
    let waiter = Waiter::new(Arc::new(hooks), Arc::new(Bell::new().unwrap()));
    let found = dns.resolve("h", 443, &waiter, Instant::now() + LONG);
    assert!(matches!(found, Err(Fault::Cancelled)));
}

//! The rate over all threads of a client, and the pause that a 429 asks for.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use userengage::{Delivery, Policy, Status};

use super::support::*;

#[test]
fn max_per_second_holds_over_all_threads() {
    let client = client_with(|options| options.max_per_second = Some(50));
    let user = User::new();
    let ((), took) = timed(|| {
        thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| (0..5).for_each(|_| drop(client.send_conversation(&user.message()).unwrap())));
            }
        });
    });
    // 20 slots of 20 ms, the first at once.
    assert!(took >= Duration::from_millis(380), "{took:?}");
    assert_eq!(user.shown(), 20);
}

#[test]
fn a_429_holds_every_thread_back() {
    let sandbox = own_sandbox(|_| ());
    sandbox.order(&json!({"fault": "status", "status": 429, "headers": {"Retry-After": "1"}})).unwrap();
    let client = userengage::Client::new(sandbox.api_key(), options_for(&sandbox)).unwrap();
    let first = User::new();
    let users: Vec<_> = (0..4).map(|_| User::new()).collect();
    let ((), took) = timed(|| {
        thread::scope(|threads| {
            threads.spawn(|| client.send_conversation(&first.message()).unwrap());
            until(|| !first.requests_in(&sandbox).is_empty());
            // The 429 is out; give the first thread time to read it by sending from this one what it must hold back.
            until(|| first.requests_in(&sandbox)[0].status == Some(429));
            for user in &users {
                threads.spawn(|| client.send_conversation(&user.message()).unwrap());
            }
        });
    });
    assert!(took >= Duration::from_secs(1), "{took:?}");
    assert_eq!(sandbox.journal().stats().stored, 5);
    assert_eq!(sandbox.journal().stats().statuses[&429], 1);
}

#[test]
fn where_the_turn_comes_too_late_nothing_is_sent() {
    let client = client_with(|options| {
        options.max_per_second = Some(1);
        options.timeout = Duration::from_millis(500);
    });
    let user = User::new();
    client.send_conversation(&user.message()).unwrap();
    let (outcome, took) = timed(|| outcome(client.send_conversation(&user.message())));
    assert_eq!(
        (outcome.status(), outcome.delivery(), outcome.attempts()),
        (Status::RateLimited, Delivery::NotDelivered, 0)
    );
    assert!(outcome.retry_after().unwrap() <= Duration::from_secs(1));
    assert!(took < Duration::from_millis(400), "{took:?}");
}

#[test]
fn a_client_serves_sixteen_threads_at_once() {
    let client = client(Policy::AtMostOnce);
    let delivered = AtomicUsize::new(0);
    let users: Vec<_> = (0..16).map(|_| User::new()).collect();
    thread::scope(|threads| {
        for user in &users {
            threads.spawn(|| {
                for _ in 0..50 {
                    client.send_conversation(&user.message()).unwrap();
                    delivered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(delivered.into_inner(), 800);
    assert!(users.iter().all(|user| user.shown() == 50));
}

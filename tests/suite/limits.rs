//! The rate limit over all threads of a client, and the pause after a 429.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use userengage::{Delivery, DeliveryPolicy, Level, Status};

use super::send;
use crate::support::*;

#[test]
fn max_per_second_holds_over_all_threads() {
    let client = client_with(|options| options.max_per_second = Some(50));
    let user = User::new();
    let ((), took) = timed(|| {
        thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| (0..5).for_each(|_| drop(send(&client, &user.message()).unwrap())));
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
    let paused = Arc::new(AtomicBool::new(false));
    let told = paused.clone();
    let mut options = options_for(&sandbox);
    options.log = Some((Level::Warn, Arc::new(move |_, _: &str| told.store(true, Ordering::SeqCst))));
    let client = userengage::Client::new(sandbox.api_key(), options).unwrap();
    let users: Vec<_> = (0..5).map(|_| User::new()).collect();
    thread::scope(|threads| {
        threads.spawn(|| send(&client, &users[0].message()).unwrap());
        until(|| paused.load(Ordering::SeqCst));
        for user in &users[1..] {
            threads.spawn(|| send(&client, &user.message()).unwrap());
        }
    });
    let requests = sandbox.journal().requests(0);
    assert_eq!((requests.len(), requests[0].status), (6, Some(429)));
    for request in &requests[1..] {
        let waited = request.at.duration_since(requests[0].at).unwrap();
        assert!(waited >= Duration::from_secs(1), "{:?} came {waited:?} after the 429", request.client_user_id());
    }
}

#[test]
fn where_the_turn_comes_too_late_nothing_is_sent() {
    let client = client_with(|options| {
        options.max_per_second = Some(1);
        options.timeout = Duration::from_millis(500);
    });
    let user = User::new();
    send(&client, &user.message()).unwrap();
    let (outcome, took) = timed(|| outcome(send(&client, &user.message())));
    assert_eq!(
        (outcome.status(), outcome.delivery(), outcome.attempts()),
        (Status::RateLimited, Delivery::NotDelivered, 0)
    );
    // It is refused because the wait is longer than the timeout less the quarter that is kept for an answer.
    let wait = outcome.retry_after().unwrap();
    assert!(wait > Duration::from_millis(375) && wait <= Duration::from_secs(1), "{wait:?}");
    assert!(took < Duration::from_millis(400), "{took:?}");
}

#[test]
fn a_client_serves_sixteen_threads_at_once() {
    let client = client(DeliveryPolicy::AtMostOnce);
    let delivered = AtomicUsize::new(0);
    let users: Vec<_> = (0..16).map(|_| User::new()).collect();
    thread::scope(|threads| {
        for user in &users {
            threads.spawn(|| {
                for _ in 0..50 {
                    send(&client, &user.message()).unwrap();
                    delivered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(delivered.into_inner(), 800);
    assert!(users.iter().all(|user| user.shown() == 50));
}

#[test]
fn a_429_without_a_retry_to_follow_leaves_the_rate_as_it_is() {
    let sandbox = own_sandbox(|_| ());
    sandbox.order(&json!({"fault": "status", "status": 429, "times": 5})).unwrap();
    let mut options = options_for(&sandbox);
    (options.max_per_second, options.max_attempts) = (Some(20), 1);
    let client = userengage::Client::new(sandbox.api_key(), options).unwrap();
    let user = User::new();
    let ((), took) = timed(|| {
        for _ in 0..5 {
            assert_eq!(outcome(send(&client, &user.message())).status(), Status::RateLimited);
        }
    });
    assert!(took >= Duration::from_millis(190), "5 requests in {took:?} at 20 a second");
    assert_eq!(sandbox.journal().requests(0).len(), 5);
}

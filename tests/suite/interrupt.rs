//! The interrupt callback is called wherever a call waits.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use userengage::{Client, Delivery, Options, Status};

use super::support::*;

/// Options whose callback ends the call at the third time, and the count of its calls.
fn interrupting(mut options: Options) -> (Options, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    options.interrupt = Some(Arc::new(move || count.fetch_add(1, Ordering::Relaxed) >= 2));
    (options, asked)
}

fn assert_cancelled(options: Options, user: &User, delivery: Delivery) {
    let (options, asked) = interrupting(options);
    let client = Client::new(sandbox().api_key(), options).unwrap();
    let (outcome, took) = timed(|| outcome(client.send_conversation(&user.message())));
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Cancelled, delivery), "{outcome:?}");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    assert!(took >= Duration::from_millis(200) && took < Duration::from_millis(900), "{took:?}");
}

#[test]
fn during_the_wait_for_the_answer() {
    let user = User::new();
    user.order([json!({"fault": "hang"})]);
    assert_cancelled(options_for(sandbox()), &user, Delivery::Unknown);
}

#[test]
fn in_a_pause_between_attempts() {
    let user = User::new();
    user.order([json!({"fault": "status", "status": 425, "headers": {"Retry-After": "10"}})]);
    assert_cancelled(options_for(sandbox()), &user, Delivery::NotDelivered);
}

#[test]
fn in_the_pause_of_a_429() {
    let user = User::new();
    user.order([json!({"fault": "status", "status": 429, "headers": {"Retry-After": "10"}})]);
    assert_cancelled(options_for(sandbox()), &user, Delivery::NotDelivered);
}

#[test]
fn during_the_tls_handshake() {
    // Accepts the connection and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options_for(sandbox());
    options.base_url = format!("https://{}/", listener.local_addr().unwrap());
    assert_cancelled(options, &User::new(), Delivery::NotDelivered);
}

#[test]
fn during_the_wait_for_the_proxy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut options = options_for(sandbox());
    options.proxy = Some(format!("http://{}", listener.local_addr().unwrap()));
    assert_cancelled(options, &User::new(), Delivery::NotDelivered);
}

#[test]
fn during_the_sending_of_the_request() {
    let user = User::new();
    user.order([json!({"fault": "slow-read", "ms": 30_000})]);
    let (options, _) = interrupting(options_for(sandbox()));
    let client = Client::new(sandbox().api_key(), options).unwrap();
    let content = "x".repeat(32 * 1024 * 1024);
    let message = userengage::Message::new(user.0.as_str(), &*content);
    let outcome = outcome(client.send_conversation(&message));
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Cancelled, Delivery::NotDelivered), "{outcome:?}");
}

#[test]
fn during_the_wait_for_a_turn() {
    let mut options = options_for(sandbox());
    options.max_per_second = Some(1);
    let (options, _) = interrupting(options);
    let client = Client::new(sandbox().api_key(), options).unwrap();
    let user = User::new();
    client.send_conversation(&user.message()).unwrap();
    let outcome = outcome(client.send_conversation(&user.message()));
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Cancelled, Delivery::NotDelivered));
    assert_eq!(user.shown(), 1);
}

#[test]
fn a_callback_that_says_no_changes_nothing() {
    let user = User::new();
    user.order([json!({"fault": "delay", "ms": 350})]);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let client = client_with(|options| {
        options.interrupt = Some(Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            false
        }));
    });
    assert_eq!(outcome(client.send_conversation(&user.message())).status(), Status::Ok);
    assert!(asked.load(Ordering::Relaxed) >= 2);
}

#[test]
fn calls_that_were_cancelled_in_line_cost_the_next_one_nothing() {
    let cancelled = Arc::new(AtomicBool::new(false));
    let asked = cancelled.clone();
    let client = client_with(|options| {
        options.max_per_second = Some(2);
        options.interrupt = Some(Arc::new(move || asked.load(Ordering::SeqCst)));
    });
    let user = User::new();
    client.send_conversation(&user.message()).unwrap();
    thread::scope(|threads| {
        let calls: Vec<_> = (0..12).map(|_| threads.spawn(|| client.send_conversation(&user.message()))).collect();
        cancelled.store(true, Ordering::SeqCst);
        for call in calls {
            assert_eq!(outcome(call.join().unwrap()).status(), Status::Cancelled);
        }
    });
    cancelled.store(false, Ordering::SeqCst);
    let (sent, took) = timed(|| client.send_conversation(&user.message()));
    sent.unwrap();
    assert!(took < Duration::from_millis(1500), "12 cancelled calls, and the next one took {took:?}");
}

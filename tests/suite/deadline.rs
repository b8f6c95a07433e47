//! A call that is past its deadline, closed or cancelled sends nothing, and always ends.

use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use serde_json::json;
use userengage::{Client, Delivery, Level, Status};

use super::send;
use crate::support::*;

/// A client whose log callback calls `act` at the line that contains `part`.
fn client_that(part: &'static str, act: impl Fn(&Client) + Send + Sync + 'static) -> Arc<Client> {
    let own: Arc<OnceLock<Weak<Client>>> = Arc::default();
    let client = own.clone();
    let log = move |_: Level, text: &str| {
        if text.contains(part)
            && let Some(client) = client.get().and_then(Weak::upgrade)
        {
            act(&client);
        }
    };
    let client = Arc::new(client_with(|options| {
        options.timeout = Duration::from_millis(300);
        options.log = Some((Level::Trace, Arc::new(log)));
    }));
    own.set(Arc::downgrade(&client)).unwrap();
    client
}

#[test]
fn a_log_callback_that_outlasts_the_deadline_before_the_request_leaves_nothing_sent() {
    for part in ["connected to", "POST "] {
        let (user, client) = (User::new(), client_that(part, |_| thread::sleep(Duration::from_millis(350))));
        let outcome = outcome(send(&client, &user.message()));
        assert_eq!((outcome.status(), outcome.delivery()), (Status::Timeout, Delivery::NotDelivered), "{outcome:?}");
        assert_eq!(user.requests().len(), 0);
    }
}

#[test]
fn a_client_that_is_closed_before_the_request_leaves_sends_nothing() {
    for part in ["connected to", "POST "] {
        let (user, client) = (User::new(), client_that(part, Client::close));
        let outcome = outcome(send(&client, &user.message()));
        assert_eq!((outcome.status(), outcome.delivery()), (Status::Closed, Delivery::NotDelivered), "{outcome:?}");
        assert_eq!(user.requests().len(), 0);
    }
}

#[test]
fn an_answer_that_came_while_a_log_callback_outlasted_the_deadline_counts() {
    let (user, client) = (User::new(), client_that("wrote ", |_| thread::sleep(Duration::from_millis(350))));
    let outcome = outcome(send(&client, &user.message()));
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Ok, Delivery::Delivered), "{outcome:?}");
}

#[test]
fn a_turn_that_leaves_no_time_for_an_answer_is_not_taken() {
    let client = client_with(|options| {
        options.max_per_second = Some(5);
        options.timeout = Duration::from_secs(1);
    });
    let users: Vec<_> = (0..12).map(|_| User::new()).collect();
    for user in &users {
        user.order([json!({"fault": "delay", "ms": 100})]);
    }
    let outcomes: Vec<_> = thread::scope(|threads| {
        let client = &client;
        let calls: Vec<_> = users.iter().map(|user| threads.spawn(|| outcome(send(client, &user.message())))).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let count = |status| outcomes.iter().filter(|outcome| outcome.status() == status).count();
    // The turns are at 0, 200, 400 and 600 ms. The turn at 800 ms would leave no time for an answer.
    assert_eq!((count(Status::Ok), count(Status::RateLimited)), (4, 8), "{outcomes:?}");
    for (user, outcome) in users.iter().zip(&outcomes) {
        assert_eq!(user.requests().len(), outcome.attempts() as usize);
        let delivered = outcome.status() == Status::Ok;
        let expected = if delivered { (1, Delivery::Delivered) } else { (0, Delivery::NotDelivered) };
        assert_eq!((outcome.attempts(), outcome.delivery()), expected, "{outcome:?}");
    }
}

#[test]
fn a_message_may_have_a_timeout_of_its_own() {
    let (short, long) = (Duration::from_millis(300), Duration::from_secs(20));
    for (of_client, own, fault, expected) in [
        (long, short, json!({"fault": "hang"}), (Status::Timeout, Delivery::Unknown)),
        (short, long, json!({"fault": "delay", "ms": 600}), (Status::Ok, Delivery::Delivered)),
    ] {
        let user = User::new();
        user.order([fault]);
        let client = client_with(|options| options.timeout = of_client);
        let (outcome, took) = timed(|| outcome(send(&client, &user.message().timeout(own))));
        assert_eq!((outcome.status(), outcome.delivery()), expected, "{outcome:?}");
        assert!(took >= short && took < Duration::from_secs(5), "{took:?}");
    }
}

#[test]
fn a_timeout_of_a_message_that_is_none_is_refused_by_name() {
    let (user, client) = (User::new(), client_with(|_| ()));
    for (timeout, start) in [
        (Duration::ZERO, "timeout is 0, "),
        (Duration::from_millis(1 << 31), "timeout is 2147483648 ms: give at most "),
    ] {
        let outcome = outcome(send(&client, &user.message().timeout(timeout)));
        assert_eq!((outcome.status(), outcome.delivery()), (Status::InvalidArgument, Delivery::NotDelivered));
        assert!(outcome.message().starts_with(start), "{}", outcome.message());
    }
    assert_eq!(user.requests().len(), 0);
}

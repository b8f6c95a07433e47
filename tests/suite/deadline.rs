//! A call that is past its deadline, closed or cancelled sends nothing, and always ends.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use userengage::{Client, Delivery, Level, Message, Status};

use super::support::*;

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
        let outcome = outcome(client.send_conversation(&user.message()));
        assert_eq!((outcome.status(), outcome.delivery()), (Status::Timeout, Delivery::NotDelivered), "{outcome:?}");
        assert_eq!(user.requests().len(), 0);
    }
}

#[test]
fn a_client_that_is_closed_before_the_request_leaves_sends_nothing() {
    for part in ["connected to", "POST "] {
        let (user, client) = (User::new(), client_that(part, Client::close));
        let outcome = outcome(client.send_conversation(&user.message()));
        assert_eq!((outcome.status(), outcome.delivery()), (Status::Closed, Delivery::NotDelivered), "{outcome:?}");
        assert_eq!(user.requests().len(), 0);
    }
}

#[test]
fn an_answer_that_came_while_a_log_callback_outlasted_the_deadline_counts() {
    let (user, client) = (User::new(), client_that("wrote ", |_| thread::sleep(Duration::from_millis(350))));
    let outcome = outcome(client.send_conversation(&user.message()));
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
        let calls: Vec<_> =
            users.iter().map(|user| threads.spawn(|| outcome(client.send_conversation(&user.message())))).collect();
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
fn in_a_batch_the_time_until_its_turn_does_not_count_for_a_message() {
    let client = client_with(|options| {
        options.max_per_second = Some(20);
        options.timeout = Duration::from_millis(400);
    });
    let users: Vec<_> = (0..20).map(|_| User::new()).collect();
    let messages: Vec<_> = users.iter().map(User::message).collect();
    let (results, took) = timed(|| client.send_conversations(&messages, |_, _| ControlFlow::Continue(())));
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(took >= Duration::from_millis(19 * 50), "{took:?}");
}

#[test]
fn a_batch_waits_out_a_pause_that_is_longer_than_its_timeout() {
    let sandbox = own_sandbox(|_| ());
    sandbox.order(&json!({"fault": "status", "status": 429, "headers": {"Retry-After": "2"}})).unwrap();
    let mut options = options_for(&sandbox);
    options.timeout = Duration::from_millis(500);
    let client = Client::new(sandbox.api_key(), options).unwrap();
    let messages: Vec<_> = (1..=200).map(|user: u64| Message::new(user, "Hi")).collect();
    let (results, took) = timed(|| client.send_conversations(&messages, |_, _| ControlFlow::Continue(())));
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(took >= Duration::from_secs(2), "{took:?}");
}

#[test]
fn closing_reaches_a_batch_whose_progress_callback_is_slow() {
    let sandbox = own_sandbox(|_| ());
    let client = Client::new(sandbox.api_key(), options_for(&sandbox)).unwrap();
    let messages: Vec<_> = (1..=2000).map(|user: u64| Message::new(user, "Hi")).collect();
    let mut closed_at = None;
    let results = client.send_conversations(&messages, |done, _| {
        thread::sleep(Duration::from_millis(1));
        if done == 50 {
            thread::scope(|threads| threads.spawn(|| client.close()).join().unwrap());
            closed_at = Some((Instant::now(), sandbox.journal().requests(0).len()));
        }
        ControlFlow::Continue(())
    });
    let (_, requests) = closed_at.unwrap();
    let delivered = results.iter().filter(|result| result.is_ok()).count();
    assert!(delivered < 200, "{delivered} were delivered after 50 had been");
    // At most the requests that were in flight as it closed, one on each connection.
    assert!(sandbox.journal().requests(0).len() <= requests + 8);
    for result in results.into_iter().filter_map(Result::err) {
        assert_eq!(result.status(), Status::Closed);
    }
}

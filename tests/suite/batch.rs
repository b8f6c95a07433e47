//! Many messages at once.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::thread;
use std::time::Duration;

use serde_json::json;
use userengage::{Client, Delivery, DeliveryPolicy, Message, Options, Status};

use super::support::*;

fn go_on(_: usize, _: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn results_stand_in_order_each_with_its_certainty() {
    let users: Vec<_> = (0..40).map(|_| User::new()).collect();
    users[3].order([json!({"fault": "status", "status": 404})]);
    users[5].order([json!({"fault": "close", "store": true})]);
    let mut messages: Vec<_> = users.iter().map(User::message).collect();
    messages[7] = Message::new("", "to nobody");
    let results = client(DeliveryPolicy::AtMostOnce).send_conversations(&messages, go_on);
    for (index, result) in results.into_iter().enumerate() {
        let outcome = outcome(result);
        let expected = match index {
            3 => (Status::NotFound, Delivery::NotDelivered),
            5 => (Status::ConnectionLost, Delivery::Unknown),
            7 => (Status::InvalidArgument, Delivery::NotDelivered),
            _ => (Status::Ok, Delivery::Delivered),
        };
        assert_eq!((outcome.status(), outcome.delivery()), expected, "{index}");
        assert_eq!(users[index].shown(), usize::from(index != 3 && index != 7), "{index}");
    }
}

#[test]
fn connections_are_bounded_used_again_and_the_order_to_a_user_kept() {
    let sandbox = own_sandbox(|_| ());
    let mut options = options_for(&sandbox);
    options.max_connections = 4;
    let client = Client::new(sandbox.api_key(), options).unwrap();
    let contents: Vec<String> = (0..200).map(|index| index.to_string()).collect();
    let messages: Vec<_> =
        contents.iter().enumerate().map(|(index, content)| Message::new(1 + (index % 7) as u64, content)).collect();
    let mut told = Vec::new();
    let results = client.send_conversations(&messages, |done, count| {
        told.push((done, count));
        ControlFlow::Continue(())
    });
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(told, (1..=200).map(|done| (done, 200)).collect::<Vec<_>>());

    let requests = sandbox.journal().requests(0);
    let connections: std::collections::HashSet<_> = requests.iter().map(|request| request.connection).collect();
    assert!(connections.len() <= 4, "{connections:?}");
    let mut last: HashMap<String, i64> = HashMap::new();
    for conversation in sandbox.journal().conversations(0) {
        let index: i64 = conversation.message.content.parse().unwrap();
        let before = last.insert(conversation.message.client_user_id.to_string(), index).unwrap_or(-1);
        assert!(before < index, "{index} came after {before}");
    }
}

#[test]
fn progress_stops_a_batch_and_the_rest_is_not_delivered() {
    let users: Vec<_> = (0..200).map(|_| User::new()).collect();
    let messages: Vec<_> = users.iter().map(User::message).collect();
    let results = client(DeliveryPolicy::AtMostOnce).send_conversations(&messages, |done, _| {
        if done == 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let mut delivered = 0;
    for (user, result) in users.iter().zip(results) {
        let outcome = outcome(result);
        assert!(matches!(outcome.status(), Status::Ok | Status::Cancelled), "{outcome:?}");
        assert_honest(&outcome, user.shown(), "a stopped batch");
        delivered += usize::from(outcome.status() == Status::Ok);
    }
    assert!((20..150).contains(&delivered), "{delivered}");
}

#[test]
fn closing_the_client_ends_a_batch() {
    let users: Vec<_> = (0..8).map(|_| User::new()).collect();
    for user in &users {
        user.order([json!({"fault": "hang"})]);
    }
    let messages: Vec<_> = users.iter().map(User::message).collect();
    let client = client(DeliveryPolicy::AtMostOnce);
    thread::scope(|threads| {
        let batch = threads.spawn(|| client.send_conversations(&messages, go_on));
        until(|| users.iter().all(|user| user.requests().len() == 1));
        client.close();
        for result in batch.join().unwrap() {
            let outcome = outcome(result);
            assert_eq!((outcome.status(), outcome.delivery()), (Status::Closed, Delivery::Unknown));
        }
    });
}

#[test]
fn the_rate_holds_and_a_429_pauses_the_whole_batch() {
    let sandbox = own_sandbox(|_| ());
    sandbox.order(&json!({"fault": "status", "status": 429, "headers": {"Retry-After": "1"}})).unwrap();
    let mut options = options_for(&sandbox);
    options.max_per_second = Some(100);
    let client = Client::new(sandbox.api_key(), options).unwrap();
    let messages: Vec<_> = (1..=50).map(|user: u64| Message::new(user, "Hi")).collect();
    assert!(client.send_conversations(&messages, go_on).iter().all(Result::is_ok));
    let requests = sandbox.journal().requests(0);
    let after = |request: &ue_sandbox::Exchange| request.at.duration_since(requests[0].at).unwrap();
    assert_eq!((requests.len(), requests[0].status), (51, Some(429)));
    // Except for the requests in flight as the 429 came: silence for its second, then one by one.
    let in_the_pause = requests.iter().filter(|request| (300..950).contains(&after(request).as_millis())).count();
    assert_eq!(in_the_pause, 0);
    let last = after(&requests[50]);
    assert!(last >= Duration::from_millis(1000 + 10 * 15), "the last of the rest came {last:?} after the 429");
}

#[test]
fn more_connections_than_a_batch_should_have_threads_are_refused_by_name() {
    let with = |connections| {
        let mut options = Options::default();
        options.max_connections = connections;
        Client::new("key", options)
    };
    assert!(with(256).is_ok());
    for connections in [257, 3000, u32::MAX] {
        let error = with(connections).unwrap_err();
        assert_eq!(error.status(), Status::InvalidArgument);
        let expected = format!("max_connections is {connections}: give at most 256");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[test]
fn an_empty_batch_has_no_results() {
    assert!(client(DeliveryPolicy::AtMostOnce).send_conversations(&[], go_on).is_empty());
}

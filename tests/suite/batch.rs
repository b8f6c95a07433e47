//! Many messages at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use ue_sandbox::Sandbox;
use userengage::{
    BatchFlow, BatchOptions, Cancel, Client, Delivery, DeliveryPolicy, Error, Level, Message, Options, Outcome, Status,
};

use super::support::*;

fn go_on(_: usize, _: &Outcome) -> BatchFlow {
    BatchFlow::Continue
}

fn send(client: &Client, messages: &[Message<'_>]) -> Vec<Result<Outcome, Error>> {
    client.send_conversations(messages, &BatchOptions::default(), go_on)
}

/// A client of a sandbox of its own.
fn client_of(sandbox: &Sandbox, configure: impl FnOnce(&mut Options)) -> Client {
    let mut options = options_for(sandbox);
    configure(&mut options);
    Client::new(sandbox.api_key(), options).unwrap()
}

/// Messages to the users 1 to `users`, in turn, each with its index as the content.
fn numbered(count: usize, users: usize) -> Vec<Message<'static>> {
    (0..count).map(|index| Message::new(1 + (index % users) as u64, index.to_string())).collect()
}

/// The contents that each user was shown, in order.
fn shown_to_each(sandbox: &Sandbox) -> HashMap<String, Vec<usize>> {
    let mut shown: HashMap<String, Vec<usize>> = HashMap::new();
    for conversation in sandbox.journal().conversations(0) {
        let index = conversation.message.content.parse().unwrap();
        shown.entry(conversation.message.client_user_id.to_string()).or_default().push(index);
    }
    shown
}

#[test]
fn results_stand_in_order_each_with_its_certainty() {
    let users: Vec<_> = (0..40).map(|_| User::new()).collect();
    users[3].order([json!({"fault": "status", "status": 404})]);
    users[5].order([json!({"fault": "close", "store": true})]);
    let mut messages: Vec<_> = users.iter().map(User::message).collect();
    messages[7] = Message::new("", "to nobody");
    let results = send(&client(DeliveryPolicy::AtMostOnce), &messages);
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
fn every_message_is_sent_once_and_told_once() {
    for (count, connections) in [(0, 4), (1, 4), (3, 1), (1000, 16)] {
        let sandbox = own_sandbox(|_| ());
        let client = client_of(&sandbox, |options| options.max_connections = connections);
        let mut told = vec![0; count];
        let results =
            client.send_conversations(&numbered(count, count.max(1)), &BatchOptions::default(), |index, _| {
                told[index] += 1;
                BatchFlow::Continue
            });
        assert!(results.len() == count && results.iter().all(Result::is_ok));
        assert!(told.iter().all(|times| *times == 1));
        let mut shown: Vec<_> = shown_to_each(&sandbox).into_values().flatten().collect();
        shown.sort_unstable();
        assert_eq!(shown, (0..count).collect::<Vec<_>>());
        assert_eq!(sandbox.journal().requests(0).len(), count);
    }
}

#[test]
fn connections_are_bounded_and_used_again() {
    let sandbox = own_sandbox(|_| ());
    let client = client_of(&sandbox, |options| options.max_connections = 4);
    assert!(send(&client, &numbered(200, 7)).iter().all(Result::is_ok));
    let requests = sandbox.journal().requests(0);
    let connections: std::collections::HashSet<_> = requests.iter().map(|request| request.connection).collect();
    assert!(connections.len() <= 4, "{connections:?}");
}

#[test]
fn messages_to_one_user_keep_their_order() {
    for users in [1, 2, 7] {
        let sandbox = own_sandbox(|_| ());
        assert!(send(&client_of(&sandbox, |_| ()), &numbered(500, users)).iter().all(Result::is_ok));
        for (user, shown) in shown_to_each(&sandbox) {
            assert!(shown.is_sorted() && shown.len() >= 500 / users, "{user}: {shown:?}");
        }
    }
}

/// Each answer comes 5 ms after its request: a second request to the user within that time was in flight beside it.
#[test]
fn no_two_messages_to_one_user_are_in_flight_at_once() {
    let sandbox = own_sandbox(|_| ());
    sandbox.order(&json!({"fault": "delay", "ms": 5, "times": 60})).unwrap();
    assert!(send(&client_of(&sandbox, |_| ()), &numbered(60, 3)).iter().all(Result::is_ok));
    let requests = sandbox.journal().requests(0);
    for user in ["1", "2", "3"] {
        let to_user = requests.iter().filter(|request| request.client_user_id().as_deref() == Some(user));
        let at: Vec<_> = to_user.map(|request| request.at).collect();
        assert_eq!(at.len(), 20);
        for two in at.windows(2) {
            let apart = two[1].duration_since(two[0]).unwrap();
            assert!(apart >= Duration::from_millis(5), "the second request came {apart:?} after the first");
        }
    }
}

#[test]
fn outcomes_and_log_lines_come_on_the_calling_thread() {
    let caller = thread::current().id();
    let lines = Arc::new(AtomicUsize::new(0));
    let count = lines.clone();
    let client = client_with(|options| {
        options.log = Some((
            Level::Info,
            Arc::new(move |_, _: &str| {
                assert_eq!(thread::current().id(), caller);
                count.fetch_add(1, Ordering::Relaxed);
            }),
        ));
        options.interrupt = Some(Arc::new(move || {
            assert_eq!(thread::current().id(), caller);
            false
        }));
    });
    let users: Vec<_> = (0..100).map(|_| User::new()).collect();
    let messages: Vec<_> = users.iter().map(User::message).collect();
    let results = client.send_conversations(&messages, &BatchOptions::default(), |_, _| {
        assert_eq!(thread::current().id(), caller);
        BatchFlow::Continue
    });
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(lines.load(Ordering::Relaxed), 100, "a line for each delivery");
}

#[test]
fn finish_begins_no_more_and_makes_nothing_unknown() {
    let users: Vec<_> = (0..200).map(|_| User::new()).collect();
    let messages: Vec<_> = users.iter().map(User::message).collect();
    let (mut told, mut told_after) = (0, 0);
    let client = client(DeliveryPolicy::AtMostOnce);
    let results = client.send_conversations(&messages, &BatchOptions::default(), |_, outcome| {
        told += 1;
        told_after += usize::from(told > 20 && outcome.status() == Status::Ok);
        if told < 20 { BatchFlow::Continue } else { BatchFlow::Finish }
    });
    assert_eq!(told, 200);
    let mut delivered = 0;
    for (user, result) in users.iter().zip(results) {
        let outcome = outcome(result);
        let expected = match user.shown() {
            1 => (Status::Ok, Delivery::Delivered),
            _ => (Status::Cancelled, Delivery::NotDelivered),
        };
        assert_eq!((outcome.status(), outcome.delivery()), expected, "{outcome:?}");
        delivered += user.shown();
    }
    assert_eq!(delivered, 20 + told_after, "the ones in flight were finished");
    assert!((20..150).contains(&delivered), "{delivered}");
}

/// The outcomes of a batch of 8 messages that hang and 100 behind them. `end` is called when the 8 are in flight.
fn ended(options: &BatchOptions, client: &Client, end: impl Fn() + Sync) -> Vec<Outcome> {
    let users: Vec<_> = (0..108).map(|_| User::new()).collect();
    for user in &users[..8] {
        user.order([json!({"fault": "hang"})]);
    }
    let messages: Vec<_> = users.iter().map(User::message).collect();
    let results = thread::scope(|threads| {
        threads.spawn(|| {
            until(|| users[..8].iter().all(|user| user.requests().len() == 1));
            end();
        });
        client.send_conversations(&messages, options, go_on)
    });
    assert!(users[8..].iter().all(|user| user.requests().is_empty()), "a message was begun after the end");
    results.into_iter().map(outcome).collect()
}

fn assert_ended(outcomes: &[Outcome], status: Status) {
    for (index, outcome) in outcomes.iter().enumerate() {
        let delivery = if index < 8 { Delivery::Unknown } else { Delivery::NotDelivered };
        assert_eq!((outcome.status(), outcome.delivery()), (status, delivery), "{index}: {outcome:?}");
    }
}

#[test]
fn closing_the_client_ends_a_batch() {
    let client = client(DeliveryPolicy::AtMostOnce);
    assert_ended(&ended(&BatchOptions::default(), &client, || client.close()), Status::Closed);
}

#[test]
fn the_cancel_of_a_batch_ends_it() {
    let cancel = Cancel::new().unwrap();
    let mut options = BatchOptions::default();
    options.cancel = Some(cancel.clone());
    assert_ended(&ended(&options, &client(DeliveryPolicy::AtMostOnce), || cancel.trigger()), Status::Cancelled);
}

#[test]
fn the_interrupt_callback_ends_a_batch() {
    let is_to_end = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let asked = is_to_end.clone();
    let client = client_with(|options| options.interrupt = Some(Arc::new(move || asked.load(Ordering::SeqCst))));
    let end = || is_to_end.store(true, Ordering::SeqCst);
    assert_ended(&ended(&BatchOptions::default(), &client, end), Status::Cancelled);
}

#[test]
fn a_batch_that_is_cancelled_before_it_begins_sends_nothing() {
    let cancel = Cancel::new().unwrap();
    cancel.trigger();
    let mut options = BatchOptions::default();
    options.cancel = Some(cancel);
    let sandbox = own_sandbox(|_| ());
    let client = client_of(&sandbox, |_| ());
    // More than a batch keeps ready.
    for result in client.send_conversations(&numbered(1000, 1000), &options, go_on) {
        let outcome = outcome(result);
        let got = (outcome.status(), outcome.delivery(), outcome.attempts());
        assert_eq!(got, (Status::Cancelled, Delivery::NotDelivered, 0), "{outcome:?}");
    }
    assert_eq!(sandbox.journal().requests(0).len(), 0);
}

#[test]
fn on_a_closed_client_a_batch_sends_nothing() {
    let client = client(DeliveryPolicy::AtMostOnce);
    client.close();
    let users: Vec<_> = (0..100).map(|_| User::new()).collect();
    let messages: Vec<_> = users.iter().map(User::message).collect();
    for result in send(&client, &messages) {
        let outcome = outcome(result);
        assert_eq!((outcome.status(), outcome.delivery()), (Status::Closed, Delivery::NotDelivered), "{outcome:?}");
    }
    assert!(users.iter().all(|user| user.requests().is_empty()));
}

#[test]
fn abort_ends_what_is_in_flight_and_what_it_returns_later_changes_nothing() {
    let users: Vec<_> = (0..108).map(|_| User::new()).collect();
    for user in &users[1..8] {
        user.order([json!({"fault": "hang"})]);
    }
    let messages: Vec<_> = users.iter().map(User::message).collect();
    let mut told = 0;
    let client = client(DeliveryPolicy::AtMostOnce);
    let results = client.send_conversations(&messages, &BatchOptions::default(), |index, _| {
        told += 1;
        // All seven are in flight before the batch ends.
        until(|| users[1..8].iter().all(|user| user.requests().len() == 1));
        if index == 0 { BatchFlow::Abort } else { BatchFlow::Finish }
    });
    assert_eq!(told, 108);
    for (index, (user, result)) in users.iter().zip(results).enumerate() {
        let outcome = outcome(result);
        assert!(matches!(outcome.status(), Status::Ok | Status::Cancelled), "{outcome:?}");
        assert_honest(&outcome, user.shown(), "an aborted batch");
        if (1..8).contains(&index) {
            assert_eq!((outcome.status(), outcome.delivery()), (Status::Cancelled, Delivery::Unknown));
        }
    }
}

#[test]
fn abort_ends_what_finish_has_left_in_flight() {
    let users: Vec<_> = (0..3).map(|_| User::new()).collect();
    users[2].order([json!({"fault": "hang"})]);
    let messages: Vec<_> = users.iter().map(User::message).collect();
    let mut told = 0;
    let results = client(DeliveryPolicy::AtMostOnce).send_conversations(&messages, &BatchOptions::default(), |_, _| {
        until(|| users[2].requests().len() == 1);
        told += 1;
        if told == 1 { BatchFlow::Finish } else { BatchFlow::Abort }
    });
    let statuses: Vec<_> = results.into_iter().map(|result| outcome(result).status()).collect();
    assert_eq!(statuses, [Status::Ok, Status::Ok, Status::Cancelled]);
}

#[test]
fn a_panic_of_the_callback_ends_the_batch() {
    let sandbox = own_sandbox(|_| ());
    let client = client_of(&sandbox, |_| ());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        client.send_conversations(&numbered(1000, 1000), &BatchOptions::default(), |_, _| panic!("a host's callback"))
    }));
    assert!(panicked.is_err());
    let sent = sandbox.journal().requests(0).len();
    assert!(sent < 600, "{sent} were sent after the first outcome was told");
    // Nothing goes out any more, and the client still works.
    client.send_conversation(&Message::new(1, "Hi")).unwrap();
    assert_eq!(sandbox.journal().requests(0).len(), sent + 1);
}

#[test]
fn a_batch_with_a_slow_callback_still_asks_the_interrupt_callback() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let client = client_with(|options| {
        options.interrupt = Some(Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            false
        }));
    });
    let users: Vec<_> = (0..300).map(|_| User::new()).collect();
    let messages: Vec<_> = users.iter().map(User::message).collect();
    let (_, took) = timed(|| {
        client.send_conversations(&messages, &BatchOptions::default(), |_, _| {
            let begun = Instant::now();
            until(|| begun.elapsed() >= Duration::from_millis(2));
            BatchFlow::Continue
        })
    });
    let least = took.as_millis() as usize / 200;
    assert!(asked.load(Ordering::Relaxed) >= least, "{asked:?} times in {took:?}");
}

/// No message of it is ever in flight, so that nothing waits.
#[test]
fn a_batch_that_never_waits_asks_the_interrupt_callback_too() {
    let client = client_with(|options| options.interrupt = Some(Arc::new(|| true)));
    let messages = vec![Message::new("", "to nobody"); 300_000];
    let results = send(&client, &messages);
    let count =
        |status| results.iter().filter(|result| result.as_ref().is_err_and(|error| error.status() == status)).count();
    let (invalid, cancelled) = (count(Status::InvalidArgument), count(Status::Cancelled));
    assert!(cancelled > 0 && invalid + cancelled == 300_000, "{invalid} invalid, {cancelled} cancelled");
}

#[test]
fn closing_reaches_a_batch_whose_callback_is_slow() {
    let sandbox = own_sandbox(|_| ());
    let client = client_of(&sandbox, |_| ());
    let messages: Vec<_> = (1..=2000).map(|user: u64| Message::new(user, "Hi")).collect();
    let (mut told, mut requests) = (0, 0);
    let results = client.send_conversations(&messages, &BatchOptions::default(), |_, _| {
        told += 1;
        if told == 50 {
            thread::scope(|threads| threads.spawn(|| client.close()).join().unwrap());
            requests = sandbox.journal().requests(0).len();
        }
        BatchFlow::Continue
    });
    // At most the requests that were in flight as it closed, one on each connection.
    assert!(sandbox.journal().requests(0).len() <= requests + 8);
    let delivered = results.iter().filter(|result| result.is_ok()).count();
    assert!(delivered <= requests + 8, "{delivered} of {requests}");
    for result in results.into_iter().filter_map(Result::err) {
        assert_eq!(result.status(), Status::Closed);
    }
}

/// The outcomes of 1,000 messages in an outage, and how many requests arrived.
fn in_an_outage(fault: serde_json::Value, most: u32, connections: u32) -> (Vec<Outcome>, usize) {
    let sandbox = own_sandbox(|_| ());
    let mut fault = fault;
    fault["times"] = json!(1000);
    sandbox.order(&fault).unwrap();
    let client = client_of(&sandbox, |options| {
        options.max_connections = connections;
        options.max_attempts = 1;
        if fault["fault"] == "hang" {
            options.timeout = Duration::from_millis(500);
        }
    });
    let mut options = BatchOptions::default();
    options.max_failures_in_a_row = most;
    let results = client.send_conversations(&numbered(1000, 1000), &options, go_on);
    (results.into_iter().map(outcome).collect(), sandbox.journal().requests(0).len())
}

#[test]
fn an_outage_makes_no_more_messages_unknown_than_may_fail_in_a_row() {
    for (fault, status) in [
        (json!({"fault": "status", "status": 502}), Status::ServerError),
        (json!({"fault": "hang"}), Status::Timeout),
        (json!({"fault": "close"}), Status::ConnectionLost),
    ] {
        for (most, connections) in [(10, 8), (10, 1), (8, 8), (1, 1)] {
            let (outcomes, requests) = in_an_outage(fault.clone(), most, connections);
            let context = format!("{fault}, {most} in a row, {connections} connections");
            let unknown = outcomes.iter().filter(|outcome| outcome.delivery() == Delivery::Unknown).count();
            assert_eq!((unknown, requests), (most as usize, most as usize), "{context}");
            for outcome in outcomes {
                if outcome.delivery() == Delivery::Unknown {
                    assert_eq!(outcome.status(), status, "{context}");
                } else {
                    let got = (outcome.status(), outcome.delivery(), outcome.attempts());
                    assert_eq!(got, (Status::Suspended, Delivery::NotDelivered, 0), "{context}");
                    let text = outcome.message();
                    assert!(text.contains("max_failures_in_a_row") && text.contains("not delivered"), "{text}");
                }
            }
        }
    }
}

/// A refused key fails every message, though none is unknown.
#[test]
fn a_refused_key_suspends_a_batch_and_messages_that_are_wrong_do_not() {
    let (outcomes, requests) = in_an_outage(json!({"fault": "status", "status": 401}), 10, 8);
    assert_eq!(requests, 10);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.status() == Status::Suspended).count(), 990);
    for code in [400, 404, 422] {
        let (outcomes, requests) = in_an_outage(json!({"fault": "status", "status": code}), 1, 8);
        assert_eq!(requests, 1000, "{code}");
        assert!(outcomes.iter().all(|outcome| outcome.http_status() == Some(code)), "{code}");
    }
}

#[test]
fn the_rate_holds_and_a_429_pauses_the_whole_batch() {
    let sandbox = own_sandbox(|_| ());
    sandbox.order(&json!({"fault": "status", "status": 429, "headers": {"Retry-After": "1"}})).unwrap();
    let client = client_of(&sandbox, |options| options.max_per_second = Some(100));
    let messages: Vec<_> = (1..=50).map(|user: u64| Message::new(user, "Hi")).collect();
    assert!(send(&client, &messages).iter().all(Result::is_ok));
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
fn in_a_batch_the_time_until_its_turn_does_not_count_for_a_message() {
    let client = client_with(|options| {
        options.max_per_second = Some(20);
        options.timeout = Duration::from_millis(400);
    });
    let users: Vec<_> = (0..20).map(|_| User::new()).collect();
    let messages: Vec<_> = users.iter().map(User::message).collect();
    let (results, took) = timed(|| send(&client, &messages));
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
    let (results, took) = timed(|| send(&client, &messages));
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(took >= Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_timeout_of_a_message_is_its_own_and_a_cancel_too() {
    let users: Vec<_> = (0..3).map(|_| User::new()).collect();
    for user in &users {
        user.order([json!({"fault": "hang"})]);
    }
    let cancel = Cancel::new().unwrap();
    let mut messages: Vec<_> = users.iter().map(User::message).collect();
    messages[0] = users[0].message().timeout(Duration::from_millis(200));
    messages[1] = users[1].message().cancel(&cancel);
    messages[2] = users[2].message().timeout(Duration::from_millis(300));
    let results = thread::scope(|threads| {
        threads.spawn(|| {
            until(|| users[1].requests().len() == 1);
            cancel.trigger();
        });
        send(&client(DeliveryPolicy::AtMostOnce), &messages)
    });
    let got: Vec<_> = results.into_iter().map(|result| outcome(result).status()).collect();
    assert_eq!(got, [Status::Timeout, Status::Cancelled, Status::Timeout]);
}

#[test]
fn more_connections_than_a_client_may_have_are_refused_by_name() {
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
    assert!(send(&client(DeliveryPolicy::AtMostOnce), &[]).is_empty());
}

/// A program that is killed in the callback knows all but these.
#[test]
fn a_batch_begins_no_more_than_a_few_messages_before_the_callback_was_told_of_others() {
    let sandbox = own_sandbox(|_| ());
    let mut options = options_for(&sandbox);
    options.max_connections = 4;
    let client = Client::new(sandbox.api_key(), options).unwrap();
    let messages: Vec<_> = (1..=60u64).map(|user| Message::new(user, "Hi")).collect();
    let (mut told, most) = (0usize, 4 + 8);
    let results = client.send_conversations(&messages, &BatchOptions::default(), |_, _| {
        // As many as may be begun are begun; no more come, however long the callback takes.
        // The queue hears of four at once.
        until(|| sandbox.journal().requests(0).len() >= 60.min((told - told % 4).saturating_sub(4) + most));
        (0..1000).for_each(|_| thread::yield_now());
        assert!(sandbox.journal().requests(0).len() <= told + most, "after {told}");
        told += 1;
        BatchFlow::Continue
    });
    assert!(results.iter().all(Result::is_ok));
}

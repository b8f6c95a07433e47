//! Sending without waiting: what a queue begins, refuses, suspends and ends.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use userengage::{
    Client, Delivery, DeliveryPolicy, Error, Level, Message, Outcome, Queue, QueueOptions, Retry, Status, Submission,
    TimeoutFrom,
};

use super::support::*;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

fn queue(client: &Client) -> Queue {
    client.queue(QueueOptions::default()).unwrap()
}

fn queue_with(client: &Client, configure: impl FnOnce(&mut QueueOptions)) -> Queue {
    let mut options = QueueOptions::default();
    configure(&mut options);
    client.queue(options).unwrap()
}

/// A client with one connection.
fn one_by_one() -> Client {
    client_with(|options| options.max_connections = 1)
}

/// A customer whose next requests never are answered.
fn hanging() -> User {
    let user = User::new();
    user.order([json!({"fault": "hang"})]);
    user
}

fn known(sent: Result<Outcome, Error>) -> (Status, Delivery) {
    let outcome = outcome(sent);
    (outcome.status(), outcome.delivery())
}

const DELIVERED: (Status, Delivery) = (Status::Ok, Delivery::Delivered);

#[test]
fn a_push_returns_before_the_message_is_sent() {
    let user = hanging();
    let queue = queue(&one_by_one());
    let (submissions, took) = timed(|| (0..100).map(|_| queue.submit(&user.message()).unwrap()).collect::<Vec<_>>());
    assert!(took < Duration::from_secs(1), "{took:?}");
    drop(submissions);
}

#[test]
fn messages_to_one_user_are_sent_in_order_also_after_one_that_fails() {
    let (user, other) = (User::new(), User::new());
    user.order([json!({"fault": "delay", "ms": 50}), json!({"fault": "status", "status": 404})]);
    let queue = queue(&client(DeliveryPolicy::AtMostOnce));
    let contents: Vec<String> = (0..20).map(|index| index.to_string()).collect();
    let to_user: Vec<_> =
        contents.iter().map(|content| queue.submit(&Message::new(user.0.as_str(), content)).unwrap()).collect();
    queue.submit(&other.message()).unwrap().wait().unwrap(); // is not held up
    let statuses: Vec<_> = to_user.into_iter().map(|submission| outcome(submission.wait()).status()).collect();
    assert!(statuses[1] == Status::NotFound && statuses.iter().filter(|status| **status == Status::Ok).count() == 19);
    let bodies: Vec<Value> =
        user.requests().iter().map(|request| serde_json::from_slice(request.body()).unwrap()).collect();
    assert_eq!(bodies.iter().map(|body| body["content"].as_str().unwrap()).collect::<Vec<_>>(), contents);
}

#[test]
fn no_more_connections_are_used_than_the_client_has() {
    let sandbox = own_sandbox(|_| ());
    sandbox.order(&json!({"fault": "delay", "ms": 5, "times": 100})).unwrap();
    let mut options = options_for(&sandbox);
    options.max_connections = 3;
    let queue = queue(&Client::new(sandbox.api_key(), options).unwrap());
    let submissions: Vec<_> = (1..=100_u64).map(|user| queue.submit(&Message::new(user, "Hi")).unwrap()).collect();
    assert!(submissions.into_iter().all(|submission| submission.wait().is_ok()));
    let connections: std::collections::HashSet<_> =
        sandbox.journal().requests(0).iter().map(|request| request.connection).collect();
    assert_eq!(connections.len(), 3);
}

#[test]
fn a_message_that_cannot_be_sent_is_refused_by_the_push() {
    let queue = queue(&client(DeliveryPolicy::AtMostOnce));
    for (message, start) in [
        (Message::new("", "Hi"), "client_user_id is empty"),
        (Message::new(1, ""), "content is empty"),
        (Message::new(1, "Hi").source_context("7"), "source_context is JSON, but "),
        (Message::new(1, "Hi").timeout(Duration::ZERO), "timeout is 0"),
    ] {
        let error = queue.submit(&message).unwrap_err();
        let got = (error.status(), error.delivery(), error.retry());
        assert_eq!(got, (Status::InvalidArgument, Delivery::NotDelivered, Retry::Never));
        assert!(error.to_string().starts_with(start), "{error}");
    }
}

#[test]
fn a_push_beyond_the_capacity_is_refused_at_once_and_takes_nothing_away() {
    let user = hanging();
    let client = one_by_one();
    let queue = queue_with(&client, |options| options.capacity = 3);
    let mut accepted: Vec<_> = (0..3).map(|_| queue.submit(&user.message()).unwrap()).collect();
    let error = queue.submit(&user.message()).unwrap_err();
    let got = (error.status(), error.delivery(), error.retry(), error.attempts());
    assert_eq!(got, (Status::QueueFull, Delivery::NotDelivered, Retry::Later, 0));
    assert!(error.to_string().contains("holds 3 messages"), "{error}");
    drop(accepted.pop()); // makes room
    accepted.push(queue.submit(&user.message()).unwrap());
    assert_eq!(queue.submit(&user.message()).unwrap_err().status(), Status::QueueFull);
    until(|| user.requests().len() == 1);
    accepted[0].cancel(); // and the rest is sent
    let got: Vec<_> = accepted.into_iter().map(|submission| known(submission.wait())).collect();
    assert_eq!(got, [(Status::Cancelled, Delivery::Unknown), DELIVERED, DELIVERED]);
    assert_eq!(user.requests().len(), 3);
}

#[test]
fn a_capacity_of_0_is_refused_by_name() {
    let mut options = QueueOptions::default();
    options.capacity = 0;
    let error = client(DeliveryPolicy::AtMostOnce).queue(options).unwrap_err();
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.to_string().starts_with("capacity is 0"), "{error}");
}

#[test]
fn a_timeout_from_the_push_ends_a_message_that_waits_though_all_connections_hang() {
    for order in [[300, 10_000], [10_000, 300]] {
        let (first, users) = (hanging(), [User::new(), User::new()]);
        let queue = queue_with(&one_by_one(), |options| options.timeout_from = TimeoutFrom::Push);
        let in_flight = queue.submit(&first.message()).unwrap();
        until(|| first.requests().len() == 1);
        let started = Instant::now();
        let mut waiting: HashMap<u64, Submission> = (0..2)
            .map(|index| {
                (
                    order[index],
                    queue.submit(&users[index].message().timeout(Duration::from_millis(order[index]))).unwrap(),
                )
            })
            .collect();
        let outcome = outcome(waiting.remove(&300).unwrap().wait());
        let took = started.elapsed();
        let got = (outcome.status(), outcome.delivery(), outcome.retry(), outcome.attempts());
        assert_eq!(got, (Status::Timeout, Delivery::NotDelivered, Retry::Later, 0), "{outcome:?}");
        assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{took:?}");
        assert!(outcome.elapsed() >= Duration::from_millis(300), "{outcome:?}");
        in_flight.cancel();
        waiting.remove(&10_000).unwrap().wait().unwrap();
    }
}

/// Also where it is a failure that holds a message back, and not a lack of connections.
#[test]
fn a_timeout_from_the_push_ends_a_message_that_may_not_be_begun() {
    let (hangs, fails, user) = (hanging(), User::new(), User::new());
    fails.order([json!({"fault": "status", "status": 502})]);
    let client = client_with(|options| (options.max_connections, options.max_attempts) = (3, 1));
    let queue = queue_with(&client, |options| {
        (options.timeout_from, options.max_failures_in_a_row) = (TimeoutFrom::Push, 2);
    });
    let in_flight = queue.submit(&hangs.message()).unwrap();
    until(|| hangs.requests().len() == 1);
    assert_eq!(known(queue.submit(&fails.message()).unwrap().wait()), (Status::ServerError, Delivery::Unknown));
    // One has failed and one is in flight: no third one may be begun.
    let held_back = queue.submit(&user.message().timeout(Duration::from_millis(200))).unwrap();
    assert_eq!(known(held_back.wait()), (Status::Timeout, Delivery::NotDelivered));
    assert_eq!(user.requests().len(), 0);
    drop(in_flight);
}

#[test]
fn a_timeout_from_the_turn_does_not_count_the_wait_for_it() {
    let (first, user) = (User::new(), User::new());
    first.order([json!({"fault": "delay", "ms": 600})]);
    let queue = queue(&one_by_one());
    let _in_flight = queue.submit(&first.message()).unwrap();
    let waiting = queue.submit(&user.message().timeout(Duration::from_millis(300))).unwrap();
    assert_eq!(known(waiting.wait()), DELIVERED);
}

/// Submits messages to 1,000 users, as far as the queue takes them. Returns what became of each.
fn submit_1000(queue: &Queue, timeout: Duration) -> Vec<Outcome> {
    let message = |user: u64| Message::new(user, "Hi").timeout(timeout);
    let submitted: Vec<_> = (1..=1000).map(|user| queue.submit(&message(user))).collect();
    submitted.into_iter().map(|submitted| outcome(submitted.and_then(Submission::wait))).collect()
}

#[test]
fn an_outage_makes_few_messages_unknown_until_resume() {
    for (fault, timeout) in
        [(json!({"fault": "status", "status": 502}), LONG), (json!({"fault": "hang"}), Duration::from_millis(500))]
    {
        let sandbox = own_sandbox(|_| ());
        let mut order = fault.clone();
        order["times"] = json!(10);
        sandbox.order(&order).unwrap();
        let mut options = options_for(&sandbox);
        options.max_attempts = 1;
        let queue = queue_with(&Client::new(sandbox.api_key(), options).unwrap(), |options| {
            options.max_failures_in_a_row = 10;
        });
        let outcomes = submit_1000(&queue, timeout);
        let count = |delivery| outcomes.iter().filter(|outcome| outcome.delivery() == delivery).count();
        assert_eq!((count(Delivery::Unknown), count(Delivery::NotDelivered)), (10, 990), "{fault}");
        for outcome in outcomes.iter().filter(|outcome| outcome.delivery() == Delivery::NotDelivered) {
            assert_eq!((outcome.status(), outcome.retry()), (Status::Suspended, Retry::Later), "{outcome:?}");
        }
        assert_eq!(sandbox.journal().requests(0).len(), 10, "{fault}");
        assert_eq!(queue.submit(&Message::new(1, "Hi")).unwrap_err().status(), Status::Suspended);
        assert!(queue.wait(LONG));
        queue.resume();
        assert!(submit_1000(&queue, LONG).iter().all(|outcome| outcome.status() == Status::Ok), "{fault}");
    }
}

/// Each is submitted when the one before it has failed.
#[test]
fn a_failure_counts_before_it_is_told() {
    for _ in 0..50 {
        let user = User::new();
        user.order([json!({"fault": "status", "status": 502, "times": 3})]);
        let client = client_with(|options| options.max_attempts = 1);
        let queue = queue_with(&client, |options| options.max_failures_in_a_row = 2);
        let sent = (0..10).map(|_| outcome(queue.submit(&user.message()).and_then(Submission::wait)).status());
        let statuses: Vec<_> = sent.collect();
        assert_eq!(statuses[..2], [Status::ServerError; 2]);
        assert_eq!(statuses[2..], [Status::Suspended; 8]);
    }
}

#[test]
fn a_delivery_between_failures_ends_the_row() {
    let users: Vec<_> = (0..20).map(|_| User::new()).collect();
    for user in users.iter().step_by(2) {
        user.order([json!({"fault": "status", "status": 502})]);
    }
    let client = client_with(|options| (options.max_connections, options.max_attempts) = (1, 1));
    let queue = queue_with(&client, |options| options.max_failures_in_a_row = 2);
    let submissions: Vec<_> = users.iter().map(|user| queue.submit(&user.message()).unwrap()).collect();
    let statuses: Vec<_> = submissions.into_iter().map(|submission| outcome(submission.wait()).status()).collect();
    assert_eq!(statuses, [Status::ServerError, Status::Ok].repeat(10));
}

#[test]
fn a_delivery_lets_as_many_begin_as_before() {
    let (fails, late) = (User::new(), User::new());
    fails.order([json!({"fault": "status", "status": 502})]);
    late.order([json!({"fault": "delay", "ms": 100})]);
    let client = client_with(|options| (options.max_connections, options.max_attempts) = (4, 1));
    let queue = queue_with(&client, |options| options.max_failures_in_a_row = 2);
    assert_eq!(known(queue.submit(&fails.message()).unwrap().wait()), (Status::ServerError, Delivery::Unknown));
    let after = queue.submit(&late.message()).unwrap();
    let users: Vec<_> = (0..4).map(|_| hanging()).collect();
    let _held_back: Vec<_> = users.iter().map(|user| queue.submit(&user.message()).unwrap()).collect();
    assert_eq!(known(after.wait()), DELIVERED);
    until(|| queue_has_begun(&users));
}

#[test]
fn stop_finishes_what_is_in_flight_and_makes_nothing_unknown() {
    let users: Vec<_> = (0..50).map(|_| User::new()).collect();
    for user in &users[..8] {
        user.order([json!({"fault": "delay", "ms": 2000, "store": "after"})]);
    }
    let queue = queue(&client(DeliveryPolicy::AtMostOnce));
    let submissions: Vec<_> = users.iter().map(|user| queue.submit(&user.message()).unwrap()).collect();
    until(|| queue_has_begun(&users[..8]));
    queue.stop();
    let refused = queue.submit(&users[0].message()).unwrap_err();
    assert_eq!((refused.status(), refused.delivery()), (Status::Closed, Delivery::NotDelivered));
    assert!(refused.to_string().starts_with("The queue was stopped"), "{refused}");
    for (index, submission) in submissions.into_iter().enumerate() {
        let known = known(submission.wait());
        let was_begun = users[index].requests().len() == 1;
        let expected = if was_begun { DELIVERED } else { (Status::Cancelled, Delivery::NotDelivered) };
        assert_eq!(known, expected, "{index}");
        assert!((was_begun || index >= 8) && users[index].shown() == usize::from(was_begun), "{index}");
    }
    assert!(users[49].requests().is_empty());
    assert!(queue.wait(LONG));
}

fn queue_has_begun(users: &[User]) -> bool {
    users.iter().all(|user| user.requests().len() == 1)
}

/// 8 messages in flight that hang, and 100 behind them.
fn full_of_work(client: &Client) -> (Queue, Vec<Submission>) {
    let users: Vec<_> = (0..108).map(|index| if index < 8 { hanging() } else { User::new() }).collect();
    let queue = queue(client);
    let submissions: Vec<_> = users.iter().map(|user| queue.submit(&user.message()).unwrap()).collect();
    until(|| queue_has_begun(&users[..8]));
    (queue, submissions)
}

fn assert_all_ended(submissions: Vec<Submission>, status: Status) {
    for (index, submission) in submissions.into_iter().enumerate() {
        let delivery = if index < 8 { Delivery::Unknown } else { Delivery::NotDelivered };
        assert_eq!(known(submission.wait()), (status, delivery), "{index}");
    }
}

#[test]
fn a_queue_that_is_dropped_with_work_in_it_ends_it_and_each_message_gets_its_outcome() {
    let (queue, submissions) = full_of_work(&client(DeliveryPolicy::AtMostOnce));
    let ((), took) = timed(|| drop(queue));
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_all_ended(submissions, Status::Cancelled);
}

#[test]
fn closing_the_client_ends_what_is_in_its_queues() {
    let client = client(DeliveryPolicy::AtMostOnce);
    let (queue, submissions) = full_of_work(&client);
    client.close();
    assert_all_ended(submissions, Status::Closed);
    assert!(queue.wait(LONG));
    let refused = queue.submit(&User::new().message()).unwrap_err();
    assert_eq!((refused.status(), refused.delivery()), (Status::Closed, Delivery::NotDelivered));
    assert_eq!(client.queue(QueueOptions::default()).unwrap_err().status(), Status::Closed);
}

#[test]
fn a_queue_outlives_its_client() {
    let (user, client) = (User::new(), client(DeliveryPolicy::AtMostOnce));
    let queue = queue(&client);
    drop(client);
    assert_eq!(known(queue.submit(&user.message()).unwrap().wait()), DELIVERED);
}

#[test]
fn wait_says_whether_all_is_finished() {
    let user = hanging();
    let queue = queue(&one_by_one());
    assert!(queue.wait(Duration::ZERO), "there is nothing");
    let submission = queue.submit(&user.message()).unwrap();
    let (finished, took) = timed(|| queue.wait(Duration::from_millis(250)));
    assert!(!finished && took >= Duration::from_millis(250) && took < Duration::from_secs(2), "{took:?}");
    assert!(!queue.wait(Duration::ZERO));
    submission.cancel();
    assert!(queue.wait(LONG));
}

#[test]
fn the_interrupt_callback_ends_a_wait_and_no_message() {
    let (user, asked) = (hanging(), Arc::new(AtomicUsize::new(0)));
    let count = asked.clone();
    let client = client_with(|options| {
        options.interrupt = Some(Arc::new(move || count.fetch_add(1, Ordering::SeqCst) >= 1));
    });
    let queue = queue(&client);
    let submission = queue.submit(&user.message()).unwrap();
    let (finished, took) = timed(|| queue.wait(LONG));
    assert!(!finished && took < Duration::from_secs(5), "{took:?}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    until(|| user.requests().len() == 1);
    submission.cancel();
    assert_eq!(known(submission.wait()), (Status::Cancelled, Delivery::Unknown));
}

/// Nobody takes them from the queue: they must come all the same.
#[test]
fn log_lines_of_submissions_come_from_the_queues_thread_without_the_key_or_the_content() {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let record = lines.clone();
    let client = client_with(|options| {
        let log =
            move |level, text: &str| record.lock().unwrap().push((level, thread::current().id(), text.to_owned()));
        options.log = Some((Level::Trace, Arc::new(log)));
    });
    let user = User::new();
    user.order([json!({"fault": "status", "status": 400, "body": json!({"content": ["s3cret content"]}).to_string()})]);
    let queue = queue(&client);
    let message = Message::new(user.0.as_str(), "s3cret content");
    assert!(queue.submit(&message).unwrap().wait().is_err());
    assert!(queue.submit(&message).unwrap().wait().is_ok());
    let lines = lines.lock().unwrap();
    for level in [Level::Error, Level::Info, Level::Debug, Level::Trace] {
        assert!(lines.iter().any(|(at, ..)| *at == level), "no line of {level:?}: {lines:?}");
    }
    for (_, id, text) in lines.iter() {
        assert_ne!(*id, thread::current().id());
        assert!(!text.contains("s3cret") && !text.contains(sandbox().api_key()), "{text}");
    }
    assert!(!format!("{queue:?}").contains(sandbox().api_key()));
}

#[test]
fn a_panic_on_the_queues_thread_is_that_messages_outcome_and_ends_no_other() {
    let is_to_panic = Arc::new(AtomicBool::new(true));
    let asked = is_to_panic.clone();
    let client = client_with(|options| {
        options.max_connections = 1;
        let log = move |_: Level, text: &str| {
            assert!(!text.starts_with("POST ") || !asked.swap(false, Ordering::SeqCst), "contained");
        };
        options.log = Some((Level::Debug, Arc::new(log)));
    });
    let (queue, user) = (queue(&client), User::new());
    let submissions: Vec<_> = (0..3).map(|_| queue.submit(&user.message()).unwrap()).collect();
    let got: Vec<_> = submissions.into_iter().map(|submission| known(submission.wait())).collect();
    assert_eq!(got, [(Status::Internal, Delivery::Unknown), DELIVERED, DELIVERED]);
    assert!(queue.wait(LONG));
}

#[test]
fn sixteen_threads_push_wait_cancel_and_drop_at_once_and_every_push_gets_one_outcome() {
    let sandbox = own_sandbox(|_| ());
    let client = Client::new(sandbox.api_key(), options_for(&sandbox)).unwrap();
    let queue = queue_with(&client, |options| options.capacity = 100);
    let outcomes = Mutex::new(Vec::new());
    thread::scope(|threads| {
        for thread in 0..16_usize {
            let (queue, outcomes) = (&queue, &outcomes);
            threads.spawn(move || {
                for number in 0..60_usize {
                    let content = (thread * 60 + number).to_string();
                    let message = Message::new(1 + (number % 30) as u64, &*content);
                    let submission = loop {
                        match queue.submit(&message) {
                            Ok(submission) => break submission,
                            Err(error) => assert_eq!(error.status(), Status::QueueFull),
                        }
                        thread::yield_now();
                    };
                    if number % 4 == 1 {
                        submission.cancel();
                    }
                    if number % 4 != 2 {
                        outcomes.lock().unwrap().push((content, number % 4 == 1, outcome(submission.wait())));
                    }
                }
            });
        }
    });
    assert!(queue.wait(LONG));
    let outcomes = outcomes.into_inner().unwrap();
    assert_eq!(outcomes.len(), 16 * 45);
    let mut shown: HashMap<String, usize> = HashMap::new();
    for conversation in sandbox.journal().conversations(0) {
        *shown.entry(conversation.message.content.to_string()).or_default() += 1;
    }
    assert!(shown.values().all(|times| *times == 1), "shown twice");
    for (content, was_cancelled, outcome) in outcomes {
        assert_honest(&outcome, shown.get(&content).copied().unwrap_or_default(), &content);
        assert!(
            was_cancelled && outcome.status() == Status::Cancelled || outcome.status() == Status::Ok,
            "{outcome:?}"
        );
    }
}

#[test]
fn the_rate_holds_in_a_queue_and_a_429_pauses_all_of_it() {
    let sandbox = own_sandbox(|_| ());
    sandbox.order(&json!({"fault": "status", "status": 429, "headers": {"Retry-After": "1"}})).unwrap();
    let mut options = options_for(&sandbox);
    options.max_per_second = Some(50);
    let queue = queue(&Client::new(sandbox.api_key(), options).unwrap());
    let submissions: Vec<_> = (1..=30_u64).map(|user| queue.submit(&Message::new(user, "Hi")).unwrap()).collect();
    assert!(submissions.into_iter().all(|submission| submission.wait().is_ok()));
    let requests = sandbox.journal().requests(0);
    let after = |request: &ue_sandbox::Exchange| request.at.duration_since(requests[0].at).unwrap();
    assert_eq!((requests.len(), requests[0].status), (31, Some(429)));
    let in_the_pause = requests.iter().filter(|request| (300..950).contains(&after(request).as_millis())).count();
    assert_eq!(in_the_pause, 0);
    let last = after(&requests[30]);
    assert!(last >= Duration::from_millis(1000 + 20 * 20), "the last of the rest came {last:?} after the 429");
}

#![allow(clippy::field_reassign_with_default)] // as a program outside of the crate does it

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::model::options::Options;
use crate::model::outcome::Delivery;
use crate::send::client::Client;
use ue_sandbox::Sandbox;

fn sandbox() -> Sandbox {
    Sandbox::start(ue_sandbox::Options::default()).unwrap()
}

fn client_of(base_url: String, connections: u32, change: impl FnOnce(&mut Options)) -> Client {
    let mut options = Options::default();
    (options.base_url, options.max_connections) = (base_url, connections);
    change(&mut options);
    Client::new(ue_sandbox::API_KEY, options).unwrap()
}

fn queue(client: &Client) -> Queue {
    client.queue(QueueOptions::default()).unwrap()
}

fn queue_for(client: &Client, capacity: u32, max_failures_in_a_row: u32) -> Queue {
    client.queue(QueueOptions { capacity, max_failures_in_a_row, ..QueueOptions::default() }).unwrap()
}

/// A listener that accepts connections and never answers.
struct Silent(TcpListener);

impl Silent {
    fn new() -> Self {
        Silent(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    fn base_url(&self) -> String {
        format!("http://{}/", self.0.local_addr().unwrap())
    }

    fn accept(&self) -> TcpStream {
        self.0.accept().unwrap().0
    }
}

fn message(user: u64) -> Message<'static> {
    Message::new(user, "Hi")
}

fn is_readable(queue: &Queue) -> bool {
    sys::poll(&[queue.shared().unwrap().interest()], Duration::ZERO).unwrap().any()
}

/// Waits until something can be taken, and takes at most `most`.
fn take(queue: &Queue, most: usize) -> Vec<(usize, Outcome)> {
    let ready = sys::poll(&[queue.shared().unwrap().interest()], Duration::from_secs(20)).unwrap();
    assert!(ready.any(), "nothing was finished within 20 s");
    let mut taken = Vec::new();
    queue.take(most, &mut |value, outcome| taken.push((value, outcome))).unwrap();
    taken
}

#[test]
fn the_descriptor_is_readable_exactly_while_something_can_be_taken() {
    let (sandbox, mut taken) = (sandbox(), 0);
    let client = client_of(sandbox.base_url(), 4, |_| ());
    let queue = queue(&client);
    assert!(!is_readable(&queue));
    for value in 0..100 {
        queue.push(&message(1 + value as u64), value).unwrap();
    }
    assert_eq!(queue.wait_until_idle(Duration::from_secs(20)), Status::Ok);
    assert!(is_readable(&queue));
    while taken < 100 {
        let count = take(&queue, 7).len();
        assert_eq!(count, 7.min(100 - taken));
        taken += count;
        assert_eq!(is_readable(&queue), taken < 100, "after {taken}");
    }
    // An edge: it becomes readable anew.
    queue.push(&message(1), 7).unwrap();
    assert_eq!(take(&queue, 7)[0].0, 7);
    assert!(!is_readable(&queue));
}

/// Outcomes are gathered for a moment while all workers are busy. A worker that then has nothing to do must not leave it
/// to the others, which may be in a wait that began before.
#[test]
fn an_outcome_is_told_at_once_also_if_no_further_message_may_be_begun() {
    for _ in 0..20 {
        let sandbox = sandbox();
        sandbox.order(&serde_json::json!({"fault": "hang", "client_user_id": "1"})).unwrap();
        for user in ["2", "3"] {
            sandbox.order(&serde_json::json!({"fault": "status", "status": 502, "client_user_id": user})).unwrap();
        }
        let client = client_of(sandbox.base_url(), 2, |options| options.max_attempts = 1);
        let queue = queue_for(&client, 100, 3);
        queue.push(&message(1), 1).unwrap();
        while sandbox.journal().requests(0).is_empty() {
            thread::yield_now();
        }
        let started = Instant::now();
        (2..10).for_each(|user| queue.push(&message(user), user as usize).unwrap());
        let mut taken = Vec::new();
        while taken.len() < 2 {
            taken.extend(take(&queue, 10));
        }
        let values: Vec<_> = taken.iter().map(|(value, _)| *value).collect();
        assert_eq!(values, [2, 3]);
        assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    }
}

/// The workers are in a wait that began long before, and will not tell of it.
#[test]
fn what_is_cancelled_while_it_waits_can_be_taken_at_once() {
    let silent = Silent::new();
    let queue = queue(&client_of(silent.base_url(), 2, |_| ()));
    for value in 0..50 {
        queue.push(&message(1 + value as u64), value).unwrap();
    }
    let _connections = [silent.accept(), silent.accept()];
    for value in 10..50 {
        assert_eq!(queue.cancel(value), 1);
        assert!(is_readable(&queue), "{value}");
        assert_eq!(take(&queue, 1)[0].0, value);
    }
}

#[test]
fn the_failure_that_suspends_a_queue_comes_first_and_all_can_be_taken_when_nothing_is_left() {
    for _ in 0..20 {
        let sandbox = sandbox();
        sandbox.order(&serde_json::json!({"fault": "status", "status": 502})).unwrap();
        let queue = queue_for(&client_of(sandbox.base_url(), 1, |_| ()), 100, 1);
        let pushed = (0..50).take_while(|value| queue.push(&message(1 + *value as u64), *value).is_ok()).count();
        assert_eq!(queue.wait_until_idle(Duration::from_secs(20)), Status::Ok);
        let mut statuses = Vec::new();
        queue.take(usize::MAX, &mut |_, outcome| statuses.push(outcome.status())).unwrap();
        assert_eq!((statuses.len(), statuses[0]), (pushed, Status::ServerError));
        assert!(statuses[1..].iter().all(|status| *status == Status::Suspended));
    }
}

#[test]
fn values_come_back_as_they_were_given_also_if_they_are_given_twice() {
    let sandbox = sandbox();
    let queue = queue(&client_of(sandbox.base_url(), 4, |_| ()));
    for value in [0, usize::MAX, 7, 7] {
        queue.push(&message(1), value).unwrap();
    }
    assert!(queue.wait(Duration::from_secs(20)));
    let mut values: Vec<_> = take(&queue, usize::MAX).into_iter().map(|(value, _)| value).collect();
    values.sort_unstable();
    assert_eq!(values, [0, 7, 7, usize::MAX]);
}

#[test]
fn capacity_counts_what_was_not_taken() {
    let sandbox = sandbox();
    let queue = queue_for(&client_of(sandbox.base_url(), 1, |_| ()), 3, 0);
    (0..3).for_each(|value| queue.push(&message(1), value).unwrap());
    assert!(queue.wait(Duration::from_secs(20)));
    let refused = queue.push(&message(1), 3).unwrap_err();
    assert_eq!((refused.status(), refused.delivery()), (Status::QueueFull, Delivery::NotDelivered));
    assert!(refused.to_string().contains("holds 3 messages, which is its capacity"), "{refused}");
    assert_eq!(take(&queue, 1).len(), 1);
    queue.push(&message(1), 4).unwrap();
    assert!(queue.wait(Duration::from_secs(20)));
    assert_eq!(take(&queue, usize::MAX).len(), 3);
    assert_eq!(sandbox.journal().requests(0).len(), 4);
}

#[test]
fn cancelling_ends_those_that_wait_at_once_and_tells_how_many_it_ended() {
    let silent = Silent::new();
    let client = client_of(silent.base_url(), 2, |_| ());
    let queue = queue(&client);
    for (user, value) in [(1, 10), (2, 20), (3, 30), (3, 20), (1, 10), (4, 40)] {
        queue.push(&message(user), value).unwrap();
    }
    let _connections = [silent.accept(), silent.accept()];
    assert_eq!(queue.cancel(99), 0);
    // One in flight, one behind another message to its user.
    assert_eq!(queue.cancel(20), 2);
    assert_eq!(queue.cancel(30), 1);
    let mut taken = take(&queue, usize::MAX);
    while taken.len() < 3 {
        taken.extend(take(&queue, usize::MAX));
    }
    for (value, outcome) in &taken {
        assert_eq!((outcome.status(), outcome.attempts() <= 1), (Status::Cancelled, true), "{value}: {outcome:?}");
    }
    assert_eq!(queue.cancel(20), 0, "it is finished");
    // Both messages with this value: the one in flight and the one behind it.
    assert_eq!(queue.cancel(10), 2);
    assert!(queue.cancel(40) == 1 && queue.wait(Duration::from_secs(20)));
}

#[test]
fn a_cancel_is_never_late_for_the_next_message_of_the_worker() {
    let sandbox = sandbox();
    let client = client_of(sandbox.base_url(), 1, |_| ());
    let queue = queue(&client);
    let mut cancelled = 0;
    for round in 0..300 {
        queue.push(&message(1), 0).unwrap();
        queue.push(&message(1), 1).unwrap();
        // At another moment of the first message in each round, and more than once. In some it has ended by then.
        (0..round * 7).for_each(|_| thread::yield_now());
        while round % 10 == 9 && !is_readable(&queue) {
            thread::yield_now();
        }
        for _ in 0..3 {
            queue.cancel(0);
        }
        let mut taken: HashMap<usize, Outcome> = HashMap::new();
        while taken.len() < 2 {
            taken.extend(take(&queue, usize::MAX));
        }
        assert_eq!(taken[&1].status(), Status::Ok, "round {round}: {:?}", taken[&1]);
        cancelled += usize::from(taken[&0].status() == Status::Cancelled);
    }
    assert!((1..300).contains(&cancelled), "{cancelled} of 300: the moments differ too little");
}

/// Whatever a worker was cancelled with before, the next cancel wakes it at once and not at the next look.
#[test]
fn many_cancels_of_one_message_do_not_delay_that_of_the_next() {
    let silent = Silent::new();
    let client = client_of(silent.base_url(), 1, |_| ());
    let queue = queue(&client);
    let mut quickest = Duration::MAX;
    for _ in 0..5 {
        queue.push(&message(1), 0).unwrap();
        queue.push(&message(2), 1).unwrap();
        let _first = silent.accept();
        for _ in 0..1000 {
            queue.cancel(0);
        }
        let _second = silent.accept();
        let started = Instant::now();
        assert_eq!(queue.cancel(1), 1);
        assert!(queue.wait(Duration::from_secs(20)));
        quickest = quickest.min(started.elapsed());
        assert_eq!(take(&queue, usize::MAX).len(), 2);
    }
    assert!(quickest < Duration::from_millis(50), "{quickest:?}");
}

#[test]
fn log_lines_are_kept_until_they_are_taken_on_the_thread_that_takes() {
    let sandbox = sandbox();
    let (lines, own) = (Arc::new(Mutex::new(Vec::new())), thread::current().id());
    let record = lines.clone();
    let log: crate::model::hooks::Log = Arc::new(move |level, text: &str| {
        assert_eq!(thread::current().id(), own);
        record.lock().unwrap().push((level, text.to_owned()));
    });
    let client =
        client_of(sandbox.base_url(), 4, |options| options.log = Some((crate::model::hooks::Level::Trace, log)));
    let queue = queue(&client);
    for user in 1..=1500 {
        queue.push(&Message::new(user, "s3cret"), 0).unwrap();
    }
    assert!(queue.wait(Duration::from_secs(60)));
    assert!(lines.lock().unwrap().is_empty() && is_readable(&queue));
    assert_eq!(take(&queue, 0).len(), 0);
    let lines = lines.lock().unwrap();
    // Beyond a number they are counted and dropped.
    assert!(lines.len() > 4000 && lines.len() < 4200, "{}", lines.len());
    assert!(lines.last().unwrap().1.ends_with(" log lines were lost: take from the queue more often"));
    assert!(lines.iter().all(|(_, text)| !text.contains("s3cret") && !text.contains(ue_sandbox::API_KEY)));
}

#[test]
fn sixteen_threads_push_take_and_cancel_at_once_and_every_push_gets_one_outcome() {
    const EACH: usize = 150;
    let sandbox = sandbox();
    let client = client_of(sandbox.base_url(), 8, |_| ());
    let queue = queue_for(&client, 200, 0);
    let (accepted, finished) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let is_done = AtomicBool::new(false);
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while !is_done.load(Ordering::SeqCst) || is_readable(&queue) {
                    queue.take(5, &mut |value, outcome| finished.lock().unwrap().push((value, outcome))).unwrap();
                    thread::yield_now();
                }
            });
        }
        let pushing: Vec<_> = (0..12)
            .map(|thread| {
                let (queue, accepted) = (&queue, &accepted);
                threads.spawn(move || {
                    for number in 0..EACH {
                        let value = thread * EACH + number;
                        // Many wait behind others to their user.
                        let message = Message::new(1 + (value % 40) as u64, value.to_string());
                        loop {
                            match queue.push(&message, value) {
                                Ok(()) => break accepted.lock().unwrap().push(value),
                                Err(error) => assert_eq!(error.status(), Status::QueueFull),
                            }
                            thread::yield_now();
                        }
                        if value.is_multiple_of(3) {
                            queue.cancel(value);
                        }
                    }
                })
            })
            .collect();
        pushing.into_iter().for_each(|thread| thread.join().unwrap());
        assert!(queue.wait(Duration::from_secs(60)));
        is_done.store(true, Ordering::SeqCst);
    });
    let mut finished = finished.into_inner().unwrap();
    finished.sort_by_key(|(value, _)| *value);
    let mut accepted = accepted.into_inner().unwrap();
    accepted.sort_unstable();
    assert_eq!(finished.iter().map(|(value, _)| *value).collect::<Vec<_>>(), accepted);
    let mut shown: HashMap<usize, usize> = HashMap::new();
    for conversation in sandbox.journal().conversations(0) {
        *shown.entry(conversation.message.content.parse().unwrap()).or_default() += 1;
    }
    for (value, outcome) in finished {
        let shown = shown.get(&value).copied().unwrap_or_default();
        let is_true = match outcome.delivery() {
            Delivery::Delivered => shown == 1,
            Delivery::NotDelivered => shown == 0,
            Delivery::Unknown => shown <= 1 && outcome.status() == Status::Cancelled,
        };
        assert!(is_true, "{value} was shown {shown} times: {outcome:?}");
        assert!(value % 3 == 0 || outcome.status() == Status::Ok, "{value} was not cancelled: {outcome:?}");
    }
}

#[test]
fn a_call_to_a_black_hole_is_cancelled_at_once() {
    let (_hole, address) = sys::black_hole();
    let client = client_of(format!("http://{address}/"), 1, |_| ());
    let queue = queue(&client);
    queue.push(&message(1), 1).unwrap();
    // It is in flight as soon as it does not wait any more.
    while queue.shared().unwrap().waiting().messages > 0 {
        thread::yield_now();
    }
    assert_eq!(queue.cancel(1), 1);
    let (_, outcome) = take(&queue, 1).remove(0);
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Cancelled, Delivery::NotDelivered));
}

#[test]
fn what_was_not_taken_is_freed_with_the_queue_and_what_is_in_it_ends() {
    let silent = Silent::new();
    let client = client_of(silent.base_url(), 2, |_| ());
    let queue = queue(&client);
    for value in 0..1000 {
        queue.push(&message(1 + value as u64), value).unwrap();
    }
    let _connections = [silent.accept(), silent.accept()];
    let shared = queue.shared().unwrap().clone();
    drop(queue);
    assert_eq!(Arc::strong_count(&shared), 1, "the threads have ended");
    let mut state = shared.lock();
    assert!(state.is_idle());
    let statuses = state.finished.outcomes.drain(..).map(|(_, outcome)| (outcome.status(), outcome.delivery()));
    let (unknown, rest): (Vec<_>, Vec<_>) = statuses.partition(|(_, delivery)| *delivery == Delivery::Unknown);
    assert!(unknown.len() <= 2 && unknown.len() + rest.len() == 1000);
    assert!(rest.iter().all(|outcome| *outcome == (Status::Cancelled, Delivery::NotDelivered)));
}

/// A fault of ours in the driver must leave no message without its outcome, and the queue works on.
#[test]
fn a_driver_that_panics_leaves_no_message_without_its_outcome_and_the_next_one_works() {
    let (silent, sandbox) = (Silent::new(), sandbox());
    for base_url in [silent.base_url(), sandbox.base_url()] {
        let client = client_of(base_url.clone(), 2, |_| ());
        let queue = queue(&client);
        let hangs = base_url == silent.base_url();
        let _connection = hangs.then(|| {
            queue.push(&message(1), 10).unwrap();
            silent.accept()
        });
        queue.shared().unwrap().panics.store(true, Ordering::SeqCst);
        queue.push(&message(1), 11).unwrap(); // wakes the driver only if it can be begun
        queue.push(&message(2), 20).unwrap();
        let mut taken = Vec::new();
        while taken.len() < if hangs { 3 } else { 2 } {
            taken.extend(take(&queue, usize::MAX));
        }
        assert!(queue.wait(Duration::ZERO), "nothing is left");
        for (value, outcome) in taken.iter().filter(|(_, outcome)| outcome.status() != Status::Ok) {
            let expected = if *value == 10 { Delivery::Unknown } else { Delivery::NotDelivered };
            assert_eq!((outcome.status(), outcome.delivery()), (Status::Internal, expected), "{value}");
        }
        if !hangs {
            queue.push(&message(3), 30).unwrap();
            assert!(queue.wait(Duration::from_secs(20)));
            assert_eq!(take(&queue, 1)[0].1.status(), Status::Ok);
        }
    }
}

#[test]
fn a_wait_may_have_no_end_and_resume_begins_at_once_what_failures_held_back() {
    let sandbox = sandbox();
    sandbox.order(&serde_json::json!({"fault": "status", "status": 502, "client_user_id": "1"})).unwrap();
    sandbox.order(&serde_json::json!({"fault": "hang", "client_user_id": "2"})).unwrap();
    let client = client_of(sandbox.base_url(), 8, |options| options.max_attempts = 1);
    let mut options = QueueOptions::default();
    options.max_failures_in_a_row = 2;
    let queue = client.queue(options).unwrap();
    queue.push(&message(1), 1).unwrap();
    assert_eq!(take(&queue, 1)[0].1.delivery(), Delivery::Unknown);
    // One has failed, so one may be in flight: the other waits.
    queue.push(&message(2), 2).unwrap();
    while sandbox.journal().requests(0).len() < 2 {
        thread::yield_now();
    }
    queue.push(&message(3), 3).unwrap();
    let resumed = Instant::now();
    queue.resume();
    assert_eq!(take(&queue, 1)[0].0, 3);
    assert!(resumed.elapsed() < Duration::from_millis(700), "{:?}", resumed.elapsed());
    queue.cancel(2);
    assert!(queue.wait(Duration::MAX));
}

/// A message that has waited for too long is not begun: without time for an answer it could only become unknown.
#[test]
fn with_the_timeout_from_the_push_no_message_is_begun_too_late_for_an_answer() {
    let sandbox = sandbox();
    sandbox.order(&serde_json::json!({"fault": "delay", "ms": 300, "times": 100})).unwrap();
    let client = client_of(sandbox.base_url(), 1, |options| options.timeout = Duration::from_secs(1));
    let mut options = QueueOptions::default();
    options.timeout_from = TimeoutFrom::Push;
    let queue = client.queue(options).unwrap();
    (0..6).for_each(|value| queue.push(&message(1 + value as u64), value).unwrap());
    assert!(queue.wait(Duration::from_secs(20)));
    for (value, outcome) in take(&queue, usize::MAX) {
        assert_ne!(outcome.delivery(), Delivery::Unknown, "{value}: {outcome:?}");
    }
}

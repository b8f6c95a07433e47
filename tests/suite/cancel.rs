//! Cancelling one message: in whatever state it is, it ends at once, with what is known of it.

use std::any::Any;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use serde_json::json;
use userengage::{Cancel, Client, Delivery, DeliveryPolicy, Level, Message, Options, Outcome, QueueOptions, Status};

use super::raw::{Raw, Then};
use super::support::*;

/// A message that is about to be sent, and how to see that it has come to the state in question.
struct Scene {
    client: Client,
    message: Message<'static>,
    is_reached: Box<dyn Fn() -> bool>,
    /// What must live on until the message has ended.
    _kept: Box<dyn Any>,
}

impl Scene {
    fn new(client: Client, message: Message<'static>, is_reached: impl Fn() -> bool + 'static) -> Self {
        Scene { client, message, is_reached: Box::new(is_reached), _kept: Box::new(()) }
    }

    fn keep(mut self, kept: impl Any) -> Self {
        self._kept = Box::new(kept);
        self
    }
}

/// A way to send a message and to cancel it: waits for the state, cancels, and returns the outcome and how long it took
/// from the cancel to the outcome.
type Way = fn(&Scene) -> (Outcome, Duration);

const WAYS: [(&str, Way); 3] = [
    ("the cancel of a call", cancelled_call),
    ("the cancel of a queue's message", cancelled_in_queue),
    ("a submission", cancelled_submission),
];

fn cancelled_call(scene: &Scene) -> (Outcome, Duration) {
    let cancel = Cancel::new().unwrap();
    let (client, message) = (&scene.client, scene.message.clone().cancel(&cancel));
    thread::scope(|threads| {
        let call = threads.spawn(|| outcome(client.send_conversation(&message)));
        until(&scene.is_reached);
        timed(|| {
            cancel.trigger();
            call.join().unwrap()
        })
    })
}

fn cancelled_in_queue(scene: &Scene) -> (Outcome, Duration) {
    let cancel = Cancel::new().unwrap();
    let queue = scene.client.queue(QueueOptions::default()).unwrap();
    let submission = queue.submit(&scene.message.clone().cancel(&cancel)).unwrap();
    until(&scene.is_reached);
    timed(|| {
        cancel.trigger();
        outcome(submission.wait())
    })
}

fn cancelled_submission(scene: &Scene) -> (Outcome, Duration) {
    let queue = scene.client.queue(QueueOptions::default()).unwrap();
    let submission = queue.submit(&scene.message).unwrap();
    until(&scene.is_reached);
    timed(|| {
        submission.cancel();
        outcome(submission.wait())
    })
}

/// Whoever only looked now and then would need up to 100 ms. The quickest of a few counts: the machine may be busy.
const AT_ONCE: Duration = Duration::from_millis(20);

/// Cancels a message in the state that `scene` brings about, in every way.
fn assert_cancelled_at_once(delivery: Delivery, scene: impl Fn() -> Scene) {
    for (way, cancelled) in WAYS {
        let quickest = (0..10).find_map(|_| {
            let (outcome, took) = cancelled(&scene());
            assert_eq!((outcome.status(), outcome.delivery()), (Status::Cancelled, delivery), "{way}: {outcome:?}");
            assert!(took < Duration::from_secs(2), "{way}: {took:?}");
            (took < AT_ONCE).then_some(took)
        });
        assert!(quickest.is_some(), "{way}: none of 10 ended within {AT_ONCE:?}");
    }
    // The message of a submission that is dropped ends, too.
    let scene = scene();
    let queue = scene.client.queue(QueueOptions::default()).unwrap();
    let submission = queue.submit(&scene.message).unwrap();
    until(&scene.is_reached);
    drop(submission);
    assert!(queue.wait(Duration::from_secs(2)), "a dropped submission is still in flight");
}

/// Counts the log lines that contain `part`.
fn counting(options: &mut Options, part: &'static str) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let lines = count.clone();
    let log = move |_: Level, text: &str| {
        if text.contains(part) {
            lines.fetch_add(1, Ordering::SeqCst);
        }
    };
    options.log = Some((Level::Trace, Arc::new(log)));
    count
}

fn to(user: &User) -> Message<'static> {
    Message::new(user.0.clone(), "Hi")
}

/// An address that neither accepts nor refuses a connection: the backlog of its listener is full.
fn black_hole() -> (SocketAddr, impl Any) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut full = Vec::new();
    while let Ok(connection) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        full.push(connection);
    }
    (address, (listener, full))
}

#[test]
fn while_it_connects() {
    let (address, _kept) = black_hole();
    assert_cancelled_at_once(Delivery::NotDelivered, || {
        let mut options = Options::default();
        options.base_url = format!("http://{address}/");
        let begun = counting(&mut options, "POST ");
        Scene::new(Client::new("key", options).unwrap(), to(&User::new()), move || begun.load(Ordering::SeqCst) > 0)
    });
}

/// A peer that takes one connection and one byte of it, and then neither reads nor answers.
fn silent() -> (SocketAddr, Arc<OnceLock<TcpStream>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let connection = Arc::new(OnceLock::new());
    let taken = connection.clone();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.read_exact(&mut [0]).unwrap();
        taken.set(socket)
    });
    (address, connection)
}

#[test]
fn in_the_tls_handshake() {
    assert_cancelled_at_once(Delivery::NotDelivered, || {
        let (address, connection) = silent();
        let mut options = Options::default();
        options.base_url = format!("https://{address}/");
        options.proxy = Some(String::new());
        Scene::new(Client::new("key", options).unwrap(), to(&User::new()), move || connection.get().is_some())
    });
}

#[test]
fn while_it_waits_for_the_proxy() {
    assert_cancelled_at_once(Delivery::NotDelivered, || {
        let (address, connection) = silent();
        let mut options = options_for(sandbox());
        options.proxy = Some(format!("http://{address}"));
        Scene::new(Client::new("key", options).unwrap(), to(&User::new()), move || connection.get().is_some())
    });
}

#[test]
fn while_a_request_is_written_that_nobody_reads() {
    let content = "x".repeat(16 * 1024 * 1024);
    assert_cancelled_at_once(Delivery::NotDelivered, || {
        let (address, connection) = silent();
        let mut options = Options::default();
        options.base_url = format!("http://{address}/");
        let message = Message::new(1, content.clone());
        Scene::new(Client::new("key", options).unwrap(), message, move || connection.get().is_some())
    });
}

#[test]
fn while_it_waits_for_the_answer() {
    for base_url in [sandbox().base_url(), sandbox().tls_base_url().unwrap()] {
        assert_cancelled_at_once(Delivery::Unknown, || {
            let user = User::new();
            user.order([json!({"fault": "hang"})]);
            let client = client_with(|options| {
                options.base_url = base_url.clone();
                options.ca_file = sandbox().ca_file().map(Into::into);
            });
            Scene::new(client, to(&user), move || user.requests().len() == 1)
        });
    }
}

/// The answer comes at full speed and never ends: the call is busy, and does not wait.
#[test]
fn while_it_reads_an_endless_answer() {
    assert_cancelled_at_once(Delivery::Unknown, || {
        let server =
            Arc::new(Raw::start(["HTTP/1.1 201 "], Then::Repeat(b"Created ".to_vec(), Duration::from_millis(1))));
        let client = Client::new("key", server.options()).unwrap();
        let seen = server.clone();
        Scene::new(client, to(&User::new()), move || seen.requests() == 1).keep(server)
    });
}

#[test]
fn while_it_waits_for_another_attempt() {
    assert_cancelled_at_once(Delivery::NotDelivered, || {
        let user = User::new();
        user.order([json!({"fault": "status", "status": 425, "headers": {"Retry-After": "10"}})]);
        let mut options = options_for(sandbox());
        let waits = counting(&mut options, "attempt 2 follows");
        let client = Client::new(sandbox().api_key(), options).unwrap();
        Scene::new(client, to(&user), move || waits.load(Ordering::SeqCst) == 1)
    });
}

/// What is known of the attempt before stays known.
#[test]
fn while_it_waits_for_another_attempt_after_one_that_is_unknown() {
    assert_cancelled_at_once(Delivery::Unknown, || {
        let user = User::new();
        user.order([json!({"fault": "status", "status": 503, "headers": {"Retry-After": "10"}, "store": true})]);
        let mut options = options_for(sandbox());
        options.delivery_policy = DeliveryPolicy::AtLeastOnce;
        let waits = counting(&mut options, "attempt 2 follows");
        let client = Client::new(sandbox().api_key(), options).unwrap();
        Scene::new(client, to(&user), move || waits.load(Ordering::SeqCst) == 1)
    });
}

#[test]
fn in_the_pause_after_a_429() {
    assert_cancelled_at_once(Delivery::NotDelivered, || {
        let user = User::new();
        user.order([json!({"fault": "status", "status": 429, "headers": {"Retry-After": "10"}})]);
        let mut options = options_for(sandbox());
        let waits = counting(&mut options, "attempt 2 follows");
        let client = Client::new(sandbox().api_key(), options).unwrap();
        Scene::new(client, to(&user), move || waits.load(Ordering::SeqCst) == 1)
    });
}

#[test]
fn while_it_waits_for_its_turn_under_the_rate_limit() {
    let user = User::new();
    assert_cancelled_at_once(Delivery::NotDelivered, || {
        let client = client_with(|options| options.max_per_second = Some(1));
        client.send_conversation(&user.message()).unwrap();
        Scene::new(client, to(&user), || true)
    });
    let first_ones = user.requests().len();
    assert_eq!(user.shown(), first_ones, "nothing of the cancelled ones");
}

#[test]
fn a_message_that_is_cancelled_before_it_is_sent_never_is() {
    let (user, cancel) = (User::new(), Cancel::new().unwrap());
    let client = client(DeliveryPolicy::AtMostOnce);
    cancel.trigger();
    let message = user.message().cancel(&cancel);
    let queue = client.queue(QueueOptions::default()).unwrap();
    for sent in [client.send_conversation(&message), queue.submit(&message).unwrap().wait()] {
        let outcome = outcome(sent);
        let got = (outcome.status(), outcome.delivery(), outcome.attempts());
        assert_eq!(got, (Status::Cancelled, Delivery::NotDelivered, 0));
        assert!(outcome.message().to_lowercase().contains("cancelled"), "{}", outcome.message());
    }
    assert_eq!(user.requests().len(), 0);
}

#[test]
fn one_cancel_ends_all_calls_that_have_it_and_no_other() {
    let users: Vec<_> = (0..6).map(|_| User::new()).collect();
    for user in &users[..5] {
        user.order([json!({"fault": "hang"})]);
    }
    users[5].order([json!({"fault": "delay", "ms": 300})]);
    let (client, cancel) = (client(DeliveryPolicy::AtMostOnce), Cancel::new().unwrap());
    thread::scope(|threads| {
        let calls: Vec<_> = users[..5]
            .iter()
            .map(|user| threads.spawn(|| outcome(client.send_conversation(&user.message().cancel(&cancel.clone())))))
            .collect();
        let other = threads.spawn(|| outcome(client.send_conversation(&users[5].message())));
        until(|| users.iter().all(|user| user.requests().len() == 1));
        (0..1000).for_each(|_| cancel.trigger());
        for call in calls {
            let outcome = call.join().unwrap();
            assert_eq!((outcome.status(), outcome.delivery()), (Status::Cancelled, Delivery::Unknown));
        }
        assert_eq!(other.join().unwrap().status(), Status::Ok);
    });
    assert!(cancel.is_triggered() && cancel == cancel.clone() && cancel != Cancel::new().unwrap());
}

#[test]
fn a_cancel_after_the_end_changes_nothing_and_the_connection_is_used_again() {
    let (user, client, cancel) = (User::new(), client(DeliveryPolicy::AtMostOnce), Cancel::new().unwrap());
    client.send_conversation(&user.message().cancel(&cancel)).unwrap();
    cancel.trigger();
    client.send_conversation(&user.message()).unwrap();
    let requests = user.requests();
    assert_eq!((requests.len(), requests[0].connection), (2, requests[1].connection));
}

/// `Cancel` reaches a message in a queue from its turn on; before that the submission itself ends it.
#[test]
fn in_a_queue_behind_others() {
    let (blocking, user) = (User::new(), User::new());
    blocking.order([json!({"fault": "hang"})]);
    let client = client_with(|options| options.max_connections = 1);
    let queue = client.queue(QueueOptions::default()).unwrap();
    let cancel = Cancel::new().unwrap();
    let first = queue.submit(&blocking.message()).unwrap();
    let [waiting, dropped] = [(); 2].map(|()| queue.submit(&user.message()).unwrap());
    let with_cancel = queue.submit(&user.message().cancel(&cancel)).unwrap();
    until(|| blocking.requests().len() == 1);
    waiting.cancel();
    let outcome_of_waiting = outcome(waiting.wait());
    let got = (outcome_of_waiting.status(), outcome_of_waiting.delivery(), outcome_of_waiting.attempts());
    assert_eq!(got, (Status::Cancelled, Delivery::NotDelivered, 0));
    drop(dropped);
    cancel.trigger();
    first.cancel();
    let outcome_of_last = outcome(with_cancel.wait());
    assert_eq!((outcome_of_last.status(), outcome_of_last.delivery()), (Status::Cancelled, Delivery::NotDelivered));
    assert_eq!(outcome(first.wait()).delivery(), Delivery::Unknown);
    assert!(queue.wait(Duration::from_secs(5)));
    assert_eq!(user.requests().len(), 0);
}

#[test]
fn the_debug_form_says_whether_it_was_triggered() {
    let cancel = Cancel::new().unwrap();
    assert_eq!(format!("{cancel:?}"), "Cancel(false)");
    cancel.trigger();
    assert_eq!(format!("{cancel:?}"), "Cancel(true)");
}

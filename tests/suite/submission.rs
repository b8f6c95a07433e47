//! A submission is a future, on no runtime in particular.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use serde_json::json;
use userengage::{Cancel, Client, Delivery, DeliveryPolicy, Error, Outcome, Queue, QueueOptions, Status, Submission};

use super::support::*;

/// An executor of one future: it polls, and parks until it is woken.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current(), AtomicUsize::new(0))));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Counts how often it wakes its thread.
struct Unpark(Thread, AtomicUsize);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.1.fetch_add(1, Ordering::SeqCst);
        self.0.unpark();
    }
}

fn counting() -> (Arc<Unpark>, Waker) {
    let unpark = Arc::new(Unpark(thread::current(), AtomicUsize::new(0)));
    let waker = Waker::from(unpark.clone());
    (unpark, waker)
}

fn poll(submission: &mut Submission, waker: &Waker) -> Poll<Result<Outcome, Error>> {
    Pin::new(submission).poll(&mut Context::from_waker(waker))
}

fn queue() -> Queue {
    client(DeliveryPolicy::AtMostOnce).queue(QueueOptions::default()).unwrap()
}

/// A message in flight that ends, as unknown, when the cancel is triggered.
fn in_flight(queue: &Queue) -> (User, Submission, Cancel) {
    let (user, cancel) = (User::new(), Cancel::new().unwrap());
    user.order([json!({"fault": "hang"})]);
    let submission = queue.submit(&user.message().cancel(&cancel)).unwrap();
    until(|| user.requests().len() == 1);
    (user, submission, cancel)
}

fn status(sent: Result<Outcome, Error>) -> Status {
    outcome(sent).status()
}

#[test]
fn it_resolves_to_what_the_call_returns() {
    let (queue, users) = (queue(), [User::new(), User::new(), User::new()]);
    users[0].order([json!({"fault": "delay", "ms": 50})]);
    users[1].order([json!({"fault": "status", "status": 404})]);
    let outcomes = block_on(async {
        // All are submitted before the first is awaited.
        let submissions = [0, 1, 2].map(|index| queue.submit(&users[index].message()).unwrap());
        let mut outcomes = Vec::new();
        for submission in submissions {
            outcomes.push(submission.await);
        }
        outcomes
    });
    let statuses: Vec<_> = outcomes.into_iter().map(|sent| sent.map(|_| ()).map_err(|error| error.status())).collect();
    assert_eq!(statuses, [Ok(()), Err(Status::NotFound), Ok(())]);
}

#[test]
fn its_waker_is_called_once_and_only_the_last_one() {
    let queue = queue();
    let (user, mut submission, cancel) = in_flight(&queue);
    let ((first, of_first), (last, of_last)) = (counting(), counting());
    for waker in [&of_first, &of_first, &of_last] {
        assert!(poll(&mut submission, waker).is_pending());
    }
    cancel.trigger();
    until(|| last.1.load(Ordering::SeqCst) > 0);
    assert!(poll(&mut submission, &of_last).is_ready());
    assert!(queue.wait(Duration::from_secs(20)));
    assert_eq!((first.1.load(Ordering::SeqCst), last.1.load(Ordering::SeqCst)), (0, 1));
    assert_eq!(user.requests().len(), 1);
}

#[test]
fn it_need_not_be_polled_to_be_sent() {
    let (queue, user) = (queue(), User::new());
    let mut submission = queue.submit(&user.message()).unwrap();
    assert!(queue.wait(Duration::from_secs(20)));
    assert!(poll(&mut submission, Waker::noop()).is_ready());
    assert_eq!(user.shown(), 1);
}

#[test]
fn polled_again_after_its_end_it_says_so() {
    let (queue, user) = (queue(), User::new());
    let mut submission = queue.submit(&user.message()).unwrap();
    block_on(&mut submission).unwrap();
    let Poll::Ready(Err(error)) = poll(&mut submission, Waker::noop()) else { panic!("it has an outcome again") };
    assert_eq!(error.status(), Status::InvalidArgument);
    assert!(error.to_string().contains("was taken before"), "{error}");
    assert_eq!(submission.wait().unwrap_err().status(), Status::InvalidArgument);
    assert_eq!(user.requests().len(), 1);
}

#[test]
fn dropped_early_it_ends_its_message_and_wakes_nobody() {
    let user = User::new();
    user.order([json!({"fault": "hang"})]);
    let queue = queue();
    let mut submission = queue.submit(&user.message()).unwrap();
    let behind = queue.submit(&user.message()).unwrap();
    let (count, waker) = counting();
    assert!(poll(&mut submission, &waker).is_pending());
    until(|| user.requests().len() == 1);
    drop(submission);
    assert_eq!(outcome(behind.wait()).status(), Status::Ok);
    assert!(queue.wait(Duration::from_secs(20)));
    assert!(count.1.load(Ordering::SeqCst) <= 1);
    assert_eq!(user.requests().len(), 2);
}

#[test]
fn it_may_be_polled_on_one_thread_and_finished_on_another() {
    let queue = queue();
    let (_user, mut submission, cancel) = in_flight(&queue);
    thread::scope(|threads| {
        let first = threads.spawn(move || (poll(&mut submission, Waker::noop()).is_pending(), submission));
        let (is_pending, submission) = first.join().unwrap();
        assert!(is_pending);
        let second = threads.spawn(|| status(block_on(submission)));
        cancel.trigger();
        assert_eq!(second.join().unwrap(), Status::Cancelled);
    });
}

#[test]
fn it_ends_with_its_queue_and_with_its_client() {
    for closes in [true, false] {
        let users = [User::new(), User::new()];
        users[0].order([json!({"fault": "hang"})]);
        let client = client_with(|options| options.max_connections = 1);
        let queue = client.queue(QueueOptions::default()).unwrap();
        let submissions = [0, 1].map(|index| queue.submit(&users[index].message()).unwrap());
        until(|| users[0].requests().len() == 1);
        let status = if closes {
            client.close();
            Status::Closed
        } else {
            drop(queue);
            Status::Cancelled
        };
        let outcomes = submissions.map(|submission| outcome(block_on(submission)));
        let got = outcomes.map(|outcome| (outcome.status(), outcome.delivery()));
        assert_eq!(got, [(status, Delivery::Unknown), (status, Delivery::NotDelivered)]);
    }
}

/// What a host's waker does: it drops the queue, or panics.
struct Waking<F: Fn() + Send + Sync>(F);

impl<F: Fn() + Send + Sync> Wake for Waking<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

#[test]
fn a_waker_may_drop_the_queue_on_the_queues_own_thread() {
    let queue = Arc::new(Mutex::new(Some(queue())));
    let hanging = || in_flight(queue.lock().unwrap().as_ref().unwrap());
    let ((_first, mut submission, cancel), (_other, other_in_flight, _)) = (hanging(), hanging());
    let dropped = queue.clone();
    let waker = Waker::from(Arc::new(Waking(move || drop(dropped.lock().unwrap().take()))));
    assert!(poll(&mut submission, &waker).is_pending());
    cancel.trigger();
    assert_eq!(status(other_in_flight.wait()), Status::Cancelled, "it ends with the queue");
    until(|| queue.lock().unwrap().is_none());
    assert_eq!(status(submission.wait()), Status::Cancelled);
}

#[test]
fn a_waker_that_panics_ends_nothing_else() {
    let client: Client = client_with(|options| options.max_connections = 1);
    let queue = client.queue(QueueOptions::default()).unwrap();
    let (user, mut submission, cancel) = in_flight(&queue);
    let waker = Waker::from(Arc::new(Waking(|| panic!("a host's waker"))));
    assert!(poll(&mut submission, &waker).is_pending());
    let behind = queue.submit(&user.message()).unwrap();
    cancel.trigger();
    assert_eq!(status(behind.wait()), Status::Ok);
    assert!(queue.wait(Duration::from_secs(20)));
    assert_eq!(status(submission.wait()), Status::Cancelled);
}

#[test]
fn its_debug_form_shows_nothing_of_the_message() {
    let (queue, user) = (queue(), User::new());
    let submission = queue.submit(&userengage::Message::new(user.0.as_str(), "s3cret")).unwrap();
    assert_eq!(format!("{submission:?}"), "Submission { .. }");
    submission.wait().unwrap();
}

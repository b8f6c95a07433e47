use std::net::TcpListener;

use super::*;
use crate::model::message::Message;
use crate::model::options::{Options, QueueOptions};
use crate::send::client::Client;
use crate::send::queue::Queue;

/// A queue of a client of a server that never answers. It lives as long as the listener.
fn silent_queue() -> (TcpListener, Client, Queue) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/", listener.local_addr().unwrap());
    let options = Options { base_url, ..Options::default() };
    let client = Client::new(ue_sandbox::API_KEY, options).unwrap();
    let queue = client.queue(QueueOptions::default()).unwrap();
    (listener, client, queue)
}

#[test]
fn a_message_without_memory_for_a_fiber_is_not_delivered_and_the_next_one_is_a_new_try() {
    let (_listener, _client, queue) = silent_queue();
    let shared = queue.shared().unwrap();
    let mut driver = Driver::new(shared.clone());
    let mut state = shared.lock();
    let message = Message::new(1, "Hi").to_owned().unwrap();
    state.order.add(Job {
        message,
        tag: crate::send::queue::Tag::Value(7),
        user: 1,
        pushed: Instant::now(),
        deadline: None,
    });
    drop(state);
    driver.do_without_more_fibers(&io::ErrorKind::OutOfMemory.into());
    assert!(driver.try_again.is_none() && queue.wait(Duration::ZERO));
    let mut taken = Vec::new();
    queue.take(9, &mut |value, outcome| taken.push((value, outcome.status(), outcome.message().to_owned()))).unwrap();
    assert_eq!((taken[0].0, taken[0].1), (7, Status::Connect));
    assert!(taken[0].2.contains("no memory"), "{}", taken[0].2);
}

#[test]
fn with_some_fibers_the_driver_does_without_more() {
    let (_listener, _client, queue) = silent_queue();
    let shared = queue.shared().unwrap();
    let mut driver = Driver::new(shared.clone());
    driver.add_fiber().unwrap();
    driver.do_without_more_fibers(&io::ErrorKind::OutOfMemory.into());
    let state = shared.lock();
    assert!(driver.try_again.is_some(), "for a while");
    assert_eq!((state.most_in_flight, state.workers.len()), (1, 1));
}

#[test]
fn a_driver_that_nothing_wakes_looks_at_intervals() {
    let (listener, _client, queue) = silent_queue();
    queue.push(&Message::new(1, "Hi"), 1).unwrap();
    let _connection = listener.accept().unwrap();
    // As if other code had closed the descriptor and opened a file under its number: no byte comes any more.
    queue.shared().unwrap().wake.disturb();
    assert_eq!(queue.cancel(1), 1);
    assert!(queue.wait(Duration::from_secs(20)));
}

//! Closing a client from another thread.

use std::thread;
use std::time::Duration;

use serde_json::json;
use userengage::{Delivery, DeliveryPolicy, Status};

use super::support::*;

#[test]
fn close_ends_the_calls_in_flight_promptly() {
    let client = client(DeliveryPolicy::AtMostOnce);
    let users: Vec<_> = (0..4).map(|_| User::new()).collect();
    for user in &users {
        user.order([json!({"fault": "hang"})]);
    }
    thread::scope(|threads| {
        let calls: Vec<_> =
            users.iter().map(|user| threads.spawn(|| outcome(client.send_conversation(&user.message())))).collect();
        until(|| users.iter().all(|user| user.requests().len() == 1));
        let ((), took) = timed(|| {
            client.close();
            for call in calls {
                let outcome = call.join().unwrap();
                assert_eq!((outcome.status(), outcome.delivery()), (Status::Closed, Delivery::Unknown));
            }
        });
        assert!(took < Duration::from_millis(300), "{took:?}");
    });
}

#[test]
fn close_ends_a_pause_between_attempts() {
    let (user, client) = (User::new(), client(DeliveryPolicy::AtMostOnce));
    user.order([json!({"fault": "status", "status": 425, "headers": {"Retry-After": "20"}})]);
    thread::scope(|threads| {
        let call = threads.spawn(|| outcome(client.send_conversation(&user.message())));
        until(|| user.requests().len() == 1);
        client.close();
        let outcome = call.join().unwrap();
        assert_eq!((outcome.status(), outcome.delivery()), (Status::Closed, Delivery::NotDelivered));
    });
}

#[test]
fn after_close_nothing_is_sent() {
    // With an idle connection in the pool and without one.
    for sends in [0, 1] {
        let (user, client) = (User::new(), client(DeliveryPolicy::AtMostOnce));
        (0..sends).for_each(|_| drop(client.send_conversation(&user.message()).unwrap()));
        client.close();
        client.close();
        let outcome = outcome(client.send_conversation(&user.message()));
        let got = (outcome.status(), outcome.delivery(), outcome.attempts());
        assert_eq!(got, (Status::Closed, Delivery::NotDelivered, 0));
        assert_eq!(user.requests().len(), sends);
    }
}

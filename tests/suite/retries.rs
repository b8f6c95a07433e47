//! How often and when a message is repeated, and that this ends.

use std::time::Duration;

use serde_json::json;
use userengage::{Delivery, DeliveryPolicy, Status};

use super::send;
use crate::support::*;

#[test]
fn max_attempts_1_makes_one_request() {
    let user = User::new();
    user.order([json!({"fault": "status", "status": 425, "times": 9})]);
    let client = client_with(|options| options.max_attempts = 1);
    let outcome = outcome(send(&client, &user.message()));
    let got = (outcome.status(), outcome.delivery(), outcome.attempts());
    assert_eq!(got, (Status::Rejected, Delivery::NotDelivered, 1));
    assert_eq!(user.requests().len(), 1);
}

#[test]
fn attempts_end_at_their_number() {
    let user = User::new();
    user.order([json!({"fault": "status", "status": 500, "times": 9})]);
    let client =
        client_with(|options| (options.delivery_policy, options.max_attempts) = (DeliveryPolicy::AtLeastOnce, 3));
    let outcome = outcome(send(&client, &user.message()));
    assert_eq!((outcome.status(), outcome.delivery(), outcome.attempts()), (Status::ServerError, Delivery::Unknown, 3));
    assert_eq!(user.requests().len(), 3);
}

#[test]
fn a_retry_after_in_seconds_is_waited_out() {
    for (policy, code) in
        [(DeliveryPolicy::AtMostOnce, 425), (DeliveryPolicy::AtLeastOnce, 503), (DeliveryPolicy::AtLeastOnce, 408)]
    {
        let user = User::new();
        user.order([json!({"fault": "status", "status": code, "headers": {"Retry-After": "1"}})]);
        let (outcome, took) = timed(|| outcome(send(&client(policy), &user.message())));
        assert_eq!((outcome.status(), outcome.attempts()), (Status::Ok, 2), "{code}");
        assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(3), "{code}: {took:?}");
    }
}

#[test]
fn a_retry_after_as_a_date_is_understood() {
    let user = User::new();
    user.order([
        json!({"fault": "status", "status": 425, "headers": {"Retry-After": "Fri, 01 Jan 2100 00:00:00 GMT"}}),
    ]);
    let outcome = outcome(send(&client(DeliveryPolicy::AtMostOnce), &user.message()));
    assert_eq!(
        (outcome.status(), outcome.delivery(), outcome.attempts()),
        (Status::Rejected, Delivery::NotDelivered, 1)
    );
    assert!(outcome.retry_after().unwrap() > Duration::from_secs(3600));
}

#[test]
fn no_wait_is_begun_that_would_pass_the_deadline() {
    for (policy, code) in [
        (DeliveryPolicy::AtMostOnce, 425),
        (DeliveryPolicy::AtMostOnce, 429),
        (DeliveryPolicy::AtMostOnce, 503),
        (DeliveryPolicy::AtLeastOnce, 503),
        (DeliveryPolicy::AtLeastOnce, 408),
    ] {
        let user = User::new();
        user.order([json!({"fault": "status", "status": code, "headers": {"Retry-After": "2"}})]);
        let client =
            client_with(|options| (options.delivery_policy, options.timeout) = (policy, Duration::from_secs(1)));
        let (outcome, took) = timed(|| outcome(send(&client, &user.message())));
        let got = (outcome.http_status(), outcome.attempts(), outcome.retry_after());
        assert_eq!(got, (Some(code), 1, Some(Duration::from_secs(2))));
        let delivery = if matches!(code, 408 | 503) { Delivery::Unknown } else { Delivery::NotDelivered };
        assert_eq!(outcome.delivery(), delivery, "{code}");
        assert!(took < Duration::from_millis(900), "{code}: {took:?}");
    }
}

#[test]
fn one_deadline_covers_attempts_and_waits() {
    let user = User::new();
    user.order([json!({"fault": "status", "status": 425, "times": 100}), json!({"fault": "hang"})]);
    let client = client_with(|options| (options.timeout, options.max_attempts) = (Duration::from_secs(1), 100));
    let (outcome, took) = timed(|| outcome(send(&client, &user.message())));
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Rejected, Delivery::NotDelivered), "{outcome:?}");
    assert!(outcome.attempts() >= 2, "{outcome:?}");
    assert_eq!(user.requests().len(), outcome.attempts() as usize);
    assert!(took < Duration::from_millis(1500), "{took:?}");
}

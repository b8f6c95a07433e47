//! Endless and slow answers end at a limit or at the deadline.

use std::time::Duration;

use serde_json::{Value, json};
use userengage::{Delivery, Outcome, Status};

use super::send;
use crate::support::*;

fn sent(fault: Value) -> (Outcome, Duration, User) {
    let user = User::new();
    user.order([fault]);
    let client = client_with(|options| {
        options.timeout = Duration::from_secs(2);
        options.max_attempts = 1;
    });
    let (outcome, took) = timed(|| outcome(send(&client, &user.message())));
    assert!(took < Duration::from_millis(2500), "{took:?}");
    assert_honest(&outcome, user.shown(), "bounds");
    (outcome, took, user)
}

#[test]
fn an_endless_head_is_given_up() {
    let (outcome, ..) = sent(json!({"fault": "endless-head"}));
    assert_eq!((outcome.status(), outcome.delivery()), (Status::BadReply, Delivery::Unknown), "{outcome:?}");
}

#[test]
fn a_flood_of_1xx_is_given_up() {
    for status in [100, 102, 103] {
        let (outcome, ..) = sent(json!({"fault": "endless-1xx", "status": status}));
        assert_eq!((outcome.status(), outcome.delivery()), (Status::BadReply, Delivery::Unknown), "{outcome:?}");
    }
}

#[test]
fn an_endless_body_is_read_to_its_limit_and_kept_to_64_kib() {
    let (outcome, took, _) = sent(json!({"fault": "endless-body"}));
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Ok, Delivery::Delivered), "{outcome:?}");
    assert_eq!(outcome.body().len(), 64 * 1024);
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_dripping_head_ends_at_the_deadline() {
    let (outcome, ..) = sent(json!({"fault": "drip", "bytes": 1, "ms": 50}));
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Timeout, Delivery::Unknown), "{outcome:?}");
}

#[test]
fn a_large_answer_is_kept_to_64_kib() {
    let body = format!("{{\"detail\":\"{}\"}}", "x".repeat(200_000));
    let (outcome, ..) = sent(json!({"fault": "status", "status": 400, "body": body}));
    assert_eq!((outcome.status(), outcome.body().len()), (Status::Rejected, 64 * 1024));
    assert!(outcome.message().len() < 2000);
}

#[test]
fn answers_in_chunks_are_read() {
    let (outcome, ..) = sent(json!({"fault": "chunked"}));
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Ok, Delivery::Delivered), "{outcome:?}");
    assert_eq!(outcome.http_status(), Some(201));
}

use super::*;
use crate::model::outcome::Delivery::{Delivered, NotDelivered, Unknown};

#[test]
fn after_a_failure_only_so_many_are_in_flight_as_may_still_fail() {
    let mut row = FailureRow::new(5);
    let unknown = Outcome::new(Status::ServerError, Unknown);
    assert!(row.allows_another(100), "nothing has failed yet");
    for failed in 1..5 {
        assert!(row.add(&unknown).is_none());
        assert!(row.allows_another(4 - failed) && !row.allows_another(5 - failed), "after {failed}");
    }
    let why = row.add(&unknown).expect("the fifth");
    assert_eq!((why.status(), why.delivery()), (Status::Suspended, NotDelivered));
    assert!(row.suspended().is_some() && !row.allows_another(0));
    assert!(row.add(&unknown).is_none(), "it is told once");
    row.resume();
    assert!(row.suspended().is_none() && row.allows_another(100));
}

#[test]
fn what_is_no_sign_of_an_outage_neither_counts_nor_ends_a_row() {
    let mut limited = Outcome::new(Status::RateLimited, NotDelivered);
    let neither = [
        Outcome::new(Status::InvalidArgument, NotDelivered),
        Outcome::new(Status::Cancelled, Unknown),
        Outcome::new(Status::Cancelled, NotDelivered),
        Outcome::new(Status::Closed, Unknown),
        limited.clone(),
    ];
    limited.http_status = Some(429);
    let failures = [
        limited,
        Outcome::new(Status::Connect, NotDelivered),
        Outcome::new(Status::Tls, NotDelivered),
        Outcome::new(Status::Unauthorized, NotDelivered),
        Outcome::new(Status::Timeout, Unknown),
        Outcome::new(Status::Internal, Unknown),
    ];
    let mut wrong = Outcome::new(Status::NotFound, NotDelivered);
    wrong.retry = Retry::Never;
    let fills = |outcomes: &[&Outcome]| {
        let mut row = FailureRow::new(2);
        outcomes.iter().map(|outcome| row.add(outcome).is_some()).collect::<Vec<_>>()
    };
    for failure in &failures {
        for between in &neither {
            assert_eq!(fills(&[failure, between, failure]), [false, false, true], "{failure:?} {between:?}");
            assert_eq!(fills(&[failure, between, between]), [false; 3], "{failure:?} {between:?}");
        }
        for end in [&wrong, &Outcome::new(Status::Ok, Delivered)] {
            assert_eq!(fills(&[failure, end, failure]), [false; 3], "{failure:?} {end:?}");
        }
    }
    let mut off = FailureRow::new(0);
    assert!((0..1000).all(|_| off.add(&failures[1]).is_none() && off.allows_another(1000)), "0 is off");
}

#[test]
fn the_text_of_a_suspended_message_tells_the_cause_and_nothing_that_is_true_of_another_message_alone() {
    let mut unknown = Outcome::new(Status::ServerError, Unknown);
    unknown.text =
        "The service answered 502 Bad Gateway: down. Whether the message was delivered is unknown. Sending it \
                    again may show it twice: look at the conversation first."
            .into();
    let why = FailureRow::new(1).add(&unknown).unwrap();
    assert!(why.message().contains("the last: The service answered 502 Bad Gateway: down. This message"), "{why}");
    assert!(!why.message().contains("unknown") && !why.message().contains("twice"), "{why}");
}

//! The table of certainty: each row is tested under both policies, and the outcome is compared with what arrived.

use std::time::Duration;

use serde_json::{Value, json};
use userengage::Delivery::{self, Delivered, NotDelivered, Unknown};
use userengage::Status::{
    self, BadReply, ConnectionLost, NotFound, Ok, RateLimited, Rejected, ServerError, Timeout, Unauthorized,
};
use userengage::{Client, DeliveryPolicy};

use super::send;
use crate::raw::{Raw, Then};
use crate::support::*;

/// Larger than the kernel's buffers, so that a request of this size cannot be sent completely without a reader.
const LARGE: usize = 16 * 1024 * 1024;

/// One fault, then a normal service: the expected outcomes.
struct Row {
    fault: Value,
    /// At most once: the status, the delivery, the number of requests.
    at_most_once: (Status, Delivery, u32),
    at_least_once: (Status, Delivery, u32),
}

fn row(fault: Value, at_most_once: (Status, Delivery, u32), at_least_once: (Status, Delivery, u32)) -> Row {
    Row { fault, at_most_once, at_least_once }
}

/// Final after one request, under both policies.
fn decided(fault: Value, status: Status, delivery: Delivery) -> Row {
    row(fault, (status, delivery, 1), (status, delivery, 1))
}

/// Repeated with success, under both policies.
fn repeated(fault: Value) -> Row {
    row(fault, (Ok, Delivered, 2), (Ok, Delivered, 2))
}

/// Unknown: only at least once repeats.
fn parting(fault: Value, status: Status) -> Row {
    row(fault, (status, Unknown, 1), (Ok, Delivered, 2))
}

fn status(status: u16) -> Value {
    json!({"fault": "status", "status": status})
}

fn check(rows: &[Row]) {
    for (policy, at_least_once) in [(DeliveryPolicy::AtMostOnce, false), (DeliveryPolicy::AtLeastOnce, true)] {
        let client = client_with(|options| {
            options.delivery_policy = policy;
            options.timeout = Duration::from_secs(20);
        });
        for row in rows {
            check_row(&client, row, at_least_once);
        }
    }
}

fn check_row(client: &Client, row: &Row, at_least_once: bool) {
    let user = User::new();
    user.order([row.fault.clone()]);
    let outcome = outcome(send(client, &user.message()));
    let expected = if at_least_once { row.at_least_once } else { row.at_most_once };
    let context = format!("{} at {} once", row.fault, if at_least_once { "least" } else { "most" });
    assert_eq!((outcome.status(), outcome.delivery(), outcome.attempts()), expected, "{context}: {outcome:?}");
    assert_honest(&outcome, user.shown(), &context);
    if !at_least_once {
        assert!(user.shown() <= 1, "{context}: shown twice");
    }
    assert_eq!(user.requests().len(), outcome.attempts() as usize, "{context}: requests and attempts differ");
    let was_unknown = row.at_most_once.1 == Unknown;
    assert_eq!(outcome.may_be_duplicate(), was_unknown && outcome.delivery() == Delivered, "{context}");
}

#[test]
fn answers_that_refuse() {
    let mut rows = vec![
        decided(status(401), Unauthorized, NotDelivered),
        decided(status(403), Unauthorized, NotDelivered),
        decided(status(404), NotFound, NotDelivered),
    ];
    rows.extend(
        [400, 402, 405, 406, 409, 410, 413, 415, 418, 422, 451]
            .map(|code| decided(status(code), Rejected, NotDelivered)),
    );
    check(&rows);
}

#[test]
fn answers_that_ask_to_come_again() {
    check(&[
        repeated(status(425)),
        repeated(json!({"fault": "status", "status": 425, "headers": {"Retry-After": "0"}})),
        repeated(json!({"fault": "status", "status": 429, "headers": {"Retry-After": "0"}})),
    ]);
}

/// `Retry-After` says when, not whether: a cache that did not wait for the service sends it too.
#[test]
fn a_503_proves_nothing_with_and_without_retry_after() {
    let mut rows = Vec::new();
    for store in [false, true] {
        rows.push(parting(json!({"fault": "status", "status": 503, "store": store}), ServerError));
        for when in ["0", "soon", "Thu, 01 Jan 1970 00:00:00 GMT"] {
            let headers = json!({"Retry-After": when});
            rows.push(parting(
                json!({"fault": "status", "status": 503, "headers": headers, "store": store}),
                ServerError,
            ));
        }
    }
    rows.push(parting(json!({"fault": "store-then-503", "retry_after": 0}), ServerError));
    check(&rows);
}

/// A server's timeout may pass after the handler has begun.
#[test]
fn a_408_after_the_whole_request_proves_nothing() {
    check(&[
        parting(status(408), Rejected),
        parting(json!({"fault": "status", "status": 408, "store": true}), Rejected),
        parting(json!({"fault": "status", "status": 408, "headers": {"Retry-After": "0"}}), Rejected),
        parting(json!({"fault": "store-then-408"}), Rejected),
    ]);
}

#[test]
fn the_advice_for_a_408_is_to_look_first_and_not_to_correct_the_message() {
    let user = User::new();
    user.order([json!({"fault": "store-then-408"})]);
    let outcome = outcome(send(&client(DeliveryPolicy::AtMostOnce), &user.message()));
    let text = outcome.message();
    assert!(text.contains("unknown") && !text.to_lowercase().contains("correct"), "{text}");
}

#[test]
fn a_408_before_the_end_of_the_request_is_not_delivered_and_repeated() {
    let (user, content) = (User::new(), "x".repeat(LARGE));
    let message = userengage::Message::new(user.0.as_str(), &*content);
    user.order([json!({"fault": "early-answer", "status": 408, "times": 2})]);
    let outcome = outcome(send(&client_with(|options| options.max_attempts = 2), &message));
    let got = (outcome.status(), outcome.delivery(), outcome.attempts());
    assert_eq!(got, (Rejected, NotDelivered, 2), "{outcome:?}");
    assert!(!outcome.message().to_lowercase().contains("correct"), "{}", outcome.message());
    assert_eq!((user.requests().len(), user.shown()), (2, 0));
}

#[test]
fn answers_of_a_server_that_failed() {
    let mut rows = Vec::new();
    for code in [500, 502, 503, 504, 520, 522, 524, 527] {
        rows.push(parting(status(code), ServerError));
        rows.push(parting(json!({"fault": "status", "status": code, "store": true}), ServerError));
    }
    for code in [501, 505, 511, 599] {
        rows.push(decided(status(code), ServerError, Unknown));
    }
    rows.push(parting(json!({"fault": "store-then-fail"}), ServerError));
    check(&rows);
}

#[test]
fn answers_of_cloudflare_about_its_origin() {
    let mut rows =
        vec![decided(status(525), ServerError, NotDelivered), decided(status(526), ServerError, NotDelivered)];
    for code in [521, 523, 530] {
        rows.push(repeated(status(code)));
        rows.push(parting(json!({"fault": "status", "status": code, "headers": {"Server": "nginx"}}), ServerError));
    }
    check(&rows);
}

#[test]
fn redirects_are_never_followed() {
    let trap = User::new();
    let location = format!("{}users/{}/conversations/", sandbox().base_url(), trap.0);
    let to = |code: u16| json!({"fault": "redirect", "status": code, "location": location});
    check(&[
        decided(to(301), BadReply, NotDelivered),
        decided(to(307), BadReply, NotDelivered),
        decided(to(308), BadReply, NotDelivered),
        decided(status(304), BadReply, NotDelivered),
    ]);
    assert_eq!(trap.requests().len(), 0, "the target saw a request");
}

/// Frameworks answer a processed POST with 302 or 303 (post, redirect, get).
#[test]
fn a_302_or_303_proves_nothing_and_is_never_followed_or_repeated() {
    let trap = User::new();
    let location = format!("{}users/{}/conversations/", sandbox().base_url(), trap.0);
    let mut rows = Vec::new();
    for code in [302, 303] {
        for store in [false, true] {
            let fault = json!({"fault": "redirect", "status": code, "location": location, "store": store});
            rows.push(decided(fault, BadReply, Unknown));
        }
    }
    check(&rows);
    assert_eq!(trap.requests().len(), 0, "the target saw a request");
}

#[test]
fn a_2xx_is_believed_when_it_is_the_services_own() {
    let with = |code: u16, content_type: &str, body: &str| json!({"fault": "status", "status": code, "store": true, "headers": {"Content-Type": content_type}, "body": body});
    check(&[
        decided(with(200, "application/json", "{}"), Ok, Delivered),
        decided(with(201, "application/json", ""), Ok, Delivered),
        decided(with(202, "application/json", " {\"id\": 7}\r\n"), Ok, Delivered),
        decided(json!({"fault": "status", "status": 204, "store": true, "body": ""}), Ok, Delivered),
        decided(with(200, "text/html", "<html>Log in to the network</html>"), BadReply, Unknown),
        decided(with(200, "text/plain", "welcome"), BadReply, Unknown),
        decided(json!({"fault": "html", "status": 200, "title": "Portal"}), BadReply, Unknown),
        decided(with(200, "text/html; profile=\"json\"", "<html>Log in</html>"), BadReply, Unknown),
        decided(with(200, "text/html; charset=utf-8", "[Welcome] <html>"), BadReply, Unknown),
        decided(with(200, "text/html", "{{ portal }}"), BadReply, Unknown),
        decided(json!({"fault": "chunked", "bad": true}), BadReply, Unknown),
    ]);
}

#[test]
fn a_whole_request_without_an_answer_is_unknown() {
    let mut rows = Vec::new();
    for fault in ["close", "reset"] {
        for store in [false, true] {
            rows.push(parting(json!({"fault": fault, "where": "before-status", "store": store}), ConnectionLost));
        }
        rows.push(parting(json!({"fault": fault, "where": "in-status"}), ConnectionLost));
        rows.push(parting(json!({"fault": fault, "where": "in-head"}), ConnectionLost));
    }
    check(&rows);
}

#[test]
fn a_2xx_whose_body_is_cut_is_delivered() {
    check(&[
        decided(json!({"fault": "close", "where": "in-body"}), Ok, Delivered),
        decided(json!({"fault": "reset", "where": "in-body"}), Ok, Delivered),
    ]);
}

#[test]
fn junk_for_an_answer_is_unknown() {
    check(&[
        parting(json!({"fault": "garbage"}), BadReply),
        parting(json!({"fault": "garbage", "form": "http09"}), BadReply),
        decided(status(101), BadReply, Unknown),
        decided(status(600), BadReply, Unknown),
        decided(status(999), BadReply, Unknown),
    ]);
}

#[test]
fn a_server_that_never_answers_is_a_timeout_and_unknown() {
    for (policy, store) in
        [(DeliveryPolicy::AtMostOnce, false), (DeliveryPolicy::AtMostOnce, true), (DeliveryPolicy::AtLeastOnce, true)]
    {
        let user = User::new();
        user.order([json!({"fault": "hang", "store": store})]);
        let client = client_with(|options| {
            options.delivery_policy = policy;
            options.timeout = Duration::from_millis(300);
        });
        let (outcome, took) = timed(|| outcome(send(&client, &user.message())));
        assert_eq!((outcome.status(), outcome.delivery(), outcome.attempts()), (Timeout, Unknown, 1));
        assert!(took >= Duration::from_millis(300) && took < Duration::from_millis(800), "{took:?}");
    }
}

#[test]
fn an_answer_before_the_end_of_the_request_is_heard() {
    let content = "x".repeat(LARGE);
    let user = User::new();
    user.order([json!({"fault": "early-answer", "status": 401})]);
    let message = userengage::Message::new(user.0.as_str(), &*content);
    let outcome = outcome(send(&client(DeliveryPolicy::AtMostOnce), &message));
    assert_eq!((outcome.status(), outcome.delivery()), (Unauthorized, NotDelivered), "{outcome:?}");
}

/// The service cannot have accepted a message that it has not received: the answer contradicts the bytes.
#[test]
fn a_2xx_before_the_end_of_the_request_is_not_a_delivery() {
    let content = "x".repeat(LARGE);
    for (policy, code) in
        [(DeliveryPolicy::AtMostOnce, 201), (DeliveryPolicy::AtLeastOnce, 201), (DeliveryPolicy::AtMostOnce, 204)]
    {
        let user = User::new();
        user.order([json!({"fault": "early-answer", "status": code})]);
        let message = userengage::Message::new(user.0.as_str(), &*content);
        let outcome = outcome(send(&client(policy), &message));
        let got = (outcome.status(), outcome.delivery(), outcome.attempts());
        assert_eq!(got, (BadReply, Unknown, 1), "{code}: {outcome:?}");
        assert_eq!((user.requests().len(), user.shown()), (1, 0));
    }
}

#[test]
fn cut_off_before_the_last_byte_is_not_delivered() {
    let content = "x".repeat(LARGE);
    let user = User::new();
    user.order([json!({"fault": "reset", "where": "request-head"})]);
    let message = userengage::Message::new(user.0.as_str(), &*content);
    let outcome = outcome(send(&client_with(|options| options.max_attempts = 1), &message));
    assert_eq!((outcome.status(), outcome.delivery()), (ConnectionLost, NotDelivered), "{outcome:?}");
    assert_eq!(user.shown(), 0);
}

#[test]
fn a_refused_connection_is_not_delivered_and_tried_again() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let mut options = options_for(sandbox());
    options.base_url = base_url;
    options.max_attempts = 2;
    let client = Client::new(sandbox().api_key(), options).unwrap();
    let outcome = outcome(send(&client, &User::new().message()));
    assert_eq!((outcome.status(), outcome.delivery(), outcome.attempts()), (Status::Connect, NotDelivered, 2));
}

#[test]
fn closed_at_accept_is_unknown_once_the_request_went_out_and_else_it_is_sent_again() {
    for fault in ["close", "reset"] {
        let sandbox = own_sandbox(|_| ());
        sandbox.order(&json!({"fault": fault, "where": "accept"})).unwrap();
        let client = Client::new(sandbox.api_key(), options_for(&sandbox)).unwrap();
        let user = User::new();
        let outcome = outcome(send(&client, &user.message()));
        let shown = user.requests_in(&sandbox).iter().filter(|request| request.stored).count();
        let got = (outcome.status(), outcome.delivery(), outcome.attempts(), shown);
        // If the connection's end is noticed before the request is sent, the request is not sent on it, but repeated.
        let sent_again = outcome.attempts() == 2;
        let expected = if sent_again { (Ok, Delivered, 2, 1) } else { (ConnectionLost, Unknown, 1, 0) };
        assert_eq!(got, expected, "{fault}: {outcome:?}");
        assert!(!outcome.may_be_duplicate());
    }
}

#[test]
fn reset_with_the_whole_request_unread_is_unknown() {
    let server = Raw::start([""; 0], Then::Reset);
    let client = Client::new(sandbox().api_key(), server.options()).unwrap();
    let outcome = outcome(send(&client, &User::new().message()));
    let got = (outcome.status(), outcome.delivery(), outcome.attempts());
    assert_eq!(got, (ConnectionLost, Unknown, 1), "{outcome:?}");
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_kept_connection_that_died_is_noticed_before_use() {
    let (user, client) = (User::new(), client(DeliveryPolicy::AtMostOnce));
    user.order([json!({"fault": "close-kept"})]);
    let first = outcome(send(&client, &user.message()));
    assert_eq!(first.status(), Ok);
    // The close follows the answer. Until it has arrived, a request can still be lost on the connection.
    until(|| {
        let outcome = outcome(send(&client, &user.message()));
        let got = (outcome.status(), outcome.delivery());
        let requests = user.requests();
        let is_new = requests.last().map(|last| last.connection) != Some(requests[0].connection);
        let expected = if is_new { (Ok, Delivered) } else { (ConnectionLost, Unknown) };
        assert_eq!(got, expected, "a request as the connection closes: {outcome:?}");
        is_new
    });
}

#[test]
fn a_kept_connection_that_dies_under_the_request_is_unknown_never_a_silent_second_request() {
    let (user, client) = (User::new(), client(DeliveryPolicy::AtMostOnce));
    user.order([json!({"fault": "close-kept", "when": "on-next"})]);
    assert_eq!(outcome(send(&client, &user.message())).status(), Ok);
    let second = outcome(send(&client, &user.message()));
    assert_eq!((second.status(), second.delivery(), second.attempts()), (ConnectionLost, Unknown, 1));
    assert_eq!(user.requests().len(), 1);
}

#[test]
fn an_unsolicited_answer_is_never_taken_for_the_next_one() {
    let (user, client) = (User::new(), client(DeliveryPolicy::AtMostOnce));
    user.order([json!({"fault": "extra-answer"}), json!({"fault": "status", "status": 404})]);
    assert_eq!(outcome(send(&client, &user.message())).status(), Ok);
    assert_eq!(outcome(send(&client, &user.message())).status(), NotFound);
}

#[test]
fn unknown_sticks_through_a_later_refusal() {
    let (user, client) = (User::new(), client(DeliveryPolicy::AtLeastOnce));
    user.order([json!({"fault": "close", "store": true}), status(404)]);
    let outcome = outcome(send(&client, &user.message()));
    assert_eq!((outcome.status(), outcome.delivery(), outcome.attempts()), (NotFound, Unknown, 2));
}

#[test]
fn a_rate_limit_that_lasts_past_the_deadline_is_told_at_once() {
    let (user, client) = (User::new(), client(DeliveryPolicy::AtMostOnce));
    user.order([json!({"fault": "status", "status": 429, "headers": {"Retry-After": "60"}})]);
    let (outcome, took) = timed(|| outcome(send(&client, &user.message())));
    assert_eq!((outcome.status(), outcome.delivery(), outcome.attempts()), (RateLimited, NotDelivered, 1));
    assert_eq!(outcome.retry_after(), Some(Duration::from_secs(60)));
    assert!(took < Duration::from_secs(5), "{took:?}");
}

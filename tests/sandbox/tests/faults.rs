//! Faults happen as ordered, and the journal says truthfully what was stored.

mod common;

use common::{Client, End, eventually, sandbox};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};
use ue_sandbox::{Exchange, Sandbox};

const MESSAGE: &str = r#"{"content": "Hi"}"#;

/// Orders a fault and sends a message into it.
fn send_into(sandbox: &Sandbox, fault: Value) -> Client {
    sandbox.order(&fault).unwrap();
    let mut client = Client::connect(sandbox);
    let request = client.request("42", "", MESSAGE);
    client.write(&request);
    client
}

fn last(sandbox: &Sandbox) -> Arc<Exchange> {
    sandbox.journal().requests(0).pop().expect("an entry in the journal")
}

/// What the journal says of the last request: status, stored; and whether the inbox agrees.
fn fate(sandbox: &Sandbox) -> (Option<u16>, bool) {
    let entry = last(sandbox);
    let shown = sandbox.journal().conversations(0).iter().any(|conversation| conversation.request == entry.id);
    assert_eq!(entry.stored, shown, "the journal and the inbox disagree");
    assert!(entry.fault.is_some());
    (entry.status, entry.stored)
}

#[test]
fn a_status_comes_with_its_headers_and_body() {
    let sandbox = sandbox();
    let headers = json!({"Retry-After": "7", "Server": null, "X-Two": ["a", "b"]});
    let answer = send_into(&sandbox, json!({"fault": "status", "status": 503, "headers": headers, "body": {"a": 1}}))
        .read_answer();
    assert_eq!((answer.status, answer.body.as_str()), (503, r#"{"a":1}"#));
    assert_eq!((answer.header("Retry-After"), answer.header("Server")), (Some("7"), None));
    assert_eq!(answer.head.matches("X-Two: ").count(), 2);
    assert_eq!(fate(&sandbox), (Some(503), false));
}

#[test]
fn a_status_alone_has_the_body_that_the_service_gives_it() {
    let sandbox = sandbox();
    for (status, part) in [
        (401, "Invalid token."),
        (429, "throttled"),
        (500, "Server Error (500)"),
        (502, "Bad Gateway"),
        (521, "Web Server Is Down"),
    ] {
        let answer = send_into(&sandbox, json!({"fault": "status", "status": status})).read_answer();
        assert_eq!(answer.status, status);
        assert!(answer.body.contains(part), "{answer:?}");
    }
    let answer = send_into(&sandbox, json!({"fault": "status", "status": 500, "store": true})).read_answer();
    assert_eq!((answer.status, fate(&sandbox)), (500, (Some(500), true)));
}

#[test]
fn a_delay_comes_before_the_answer_and_the_message_is_stored_when_told() {
    let sandbox = sandbox();
    for (store, early) in [("before", true), ("after", false)] {
        let start = Instant::now();
        let mut client = send_into(&sandbox, json!({"fault": "delay", "ms": 300, "store": store}));
        let count = if early { 1 } else { 2 };
        eventually("the request is in the journal", || sandbox.journal().stats().requests == count);
        assert_eq!(fate(&sandbox), (None, early));
        assert_eq!(client.read_answer().status, 201);
        assert!(start.elapsed() >= Duration::from_millis(300));
        assert_eq!(fate(&sandbox), (Some(201), true));
    }
}

#[test]
fn a_delay_ends_when_the_client_gives_up() {
    let sandbox = sandbox();
    let client = send_into(&sandbox, json!({"fault": "delay", "ms": 200, "store": "after"}));
    eventually("the request is in the journal", || sandbox.journal().stats().requests == 1);
    drop(client);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(fate(&sandbox), (None, false));
}

#[test]
fn a_drip_gives_the_normal_answer_slowly() {
    let sandbox = sandbox();
    let start = Instant::now();
    let answer = send_into(&sandbox, json!({"fault": "drip", "bytes": 50, "ms": 10})).read_answer();
    assert_eq!((answer.status, fate(&sandbox)), (201, (Some(201), true)));
    assert!(start.elapsed() >= Duration::from_millis(40));
}

#[test]
fn a_hang_never_answers() {
    let sandbox = sandbox();
    for store in [false, true] {
        let mut client = send_into(&sandbox, json!({"fault": "hang", "store": store}));
        let count = if store { 2 } else { 1 };
        eventually("the request is in the journal", || sandbox.journal().stats().requests == count);
        assert!(client.is_silent());
        assert_eq!(fate(&sandbox), (None, store));
    }
}

#[test]
fn a_connection_is_cut_exactly_where_it_was_ordered() {
    let sandbox = sandbox();
    for (fault, end) in [("close", End::Fin), ("reset", End::Reset)] {
        for (place, complete, status, stored) in [
            ("request-head", false, None, false),
            ("before-status", true, None, false),
            ("in-status", true, None, false),
            ("in-head", true, Some(201), true),
            ("in-body", true, Some(201), true),
        ] {
            let (text, seen) = send_into(&sandbox, json!({"fault": fault, "where": place})).read_to_end();
            assert_eq!(seen, end, "{fault} {place}");
            assert_eq!(fate(&sandbox), (status, stored), "{fault} {place}");
            assert_eq!(last(&sandbox).complete, complete, "{fault} {place}");
            let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
            match place {
                "in-status" => assert!(text.starts_with("HTTP/1.1 ") && !text.contains("\r\n"), "{text}"),
                "in-head" => {
                    assert!(text.starts_with("HTTP/1.1 201 Created\r\n") && !text.contains("\r\n\r\n"), "{text}")
                }
                "in-body" => {
                    let length: usize = head.split("Content-Length: ").nth(1).unwrap().parse().unwrap();
                    assert!(!body.is_empty() && body.len() < length, "{text}");
                }
                _ => assert_eq!(text, ""),
            }
        }
    }
}

#[test]
fn a_cut_stores_the_message_when_told() {
    let sandbox = sandbox();
    send_into(&sandbox, json!({"fault": "reset", "where": "before-status", "store": true})).read_to_end();
    assert_eq!(fate(&sandbox), (None, true));
    send_into(&sandbox, json!({"fault": "close", "where": "in-body", "store": false})).read_to_end();
    assert_eq!(fate(&sandbox), (Some(201), false));
}

#[test]
fn a_bad_message_is_stored_by_no_fault() {
    let sandbox = sandbox();
    for fault in ["store-then-fail", "store-then-503", "store-then-408", "hang"] {
        sandbox.order(&json!({"fault": fault, "client_user_id": "43"})).unwrap();
        let mut client = Client::connect(&sandbox);
        let request = client.request("43", "", r#"{"content": ""}"#);
        client.write(&request);
        eventually("the request is in the journal", || {
            sandbox.journal().requests(0).iter().any(|entry| entry.fault == Some(fault))
        });
    }
    assert_eq!(sandbox.journal().stats().stored, 0);
}

#[test]
fn a_connection_is_cut_before_anything_is_read() {
    let sandbox = sandbox();
    for (fault, end) in [("close", End::Fin), ("reset", End::Reset)] {
        sandbox.order(&json!({"fault": fault, "where": "accept"})).unwrap();
        assert_eq!(Client::connect(&sandbox).read_to_end(), (String::new(), end));
    }
    sandbox.order(&json!({"fault": "hang", "where": "accept"})).unwrap();
    let mut client = Client::connect(&sandbox);
    let request = client.request("42", "", MESSAGE);
    client.write(&request);
    assert!(client.is_silent());
    assert_eq!(sandbox.journal().stats().requests, 0);
}

#[test]
fn garbage_is_no_http() {
    let sandbox = sandbox();
    let (text, end) = send_into(&sandbox, json!({"fault": "garbage"})).read_to_end();
    assert!(!text.contains("HTTP/1") && !text.is_empty());
    assert_eq!(end, End::Fin);
    let (text, _) = send_into(&sandbox, json!({"fault": "garbage", "form": "http09"})).read_to_end();
    assert!(text.starts_with("<html>"));
    let (text, _) = send_into(&sandbox, json!({"fault": "garbage", "bytes": "+OK hello\r\n"})).read_to_end();
    assert_eq!(text, "+OK hello\r\n");
    assert_eq!(fate(&sandbox), (None, false));
}

#[test]
fn what_is_endless_ends_when_the_client_goes() {
    let sandbox = sandbox();
    for (fault, status, stored, start) in [
        ("endless-head", Some(201), true, "HTTP/1.1 201 Created\r\n"),
        ("endless-body", Some(201), true, "HTTP/1.1 201 Created\r\n"),
        ("endless-1xx", None, false, "HTTP/1.1 103 Early Hints\r\n"),
    ] {
        let mut client = send_into(&sandbox, json!({"fault": fault}));
        let text = String::from_utf8(client.read_at_least(3_000_000)).unwrap();
        assert!(text.starts_with(start), "{fault}");
        match fault {
            "endless-head" => assert!(!text.contains("\r\n\r\n")),
            "endless-body" => assert!(text.contains("Transfer-Encoding: chunked\r\n") && !text.contains("\r\n0\r\n")),
            _ => assert!(!text.contains("HTTP/1.1 2")),
        }
        assert_eq!(fate(&sandbox), (status, stored), "{fault}");
    }
}

#[test]
fn interim_answers_can_come_before_the_normal_one() {
    let sandbox = sandbox();
    let mut client = send_into(&sandbox, json!({"fault": "endless-1xx", "status": 100, "count": 3}));
    let statuses: Vec<u16> = (0..4).map(|_| client.read_answer().status).collect();
    assert_eq!(statuses, [100, 100, 100, 201]);
    assert_eq!(fate(&sandbox), (Some(201), true));
}

#[test]
fn an_early_answer_cuts_off_a_large_body() {
    let sandbox = sandbox();
    sandbox.order(&json!({"fault": "early-answer", "times": 2})).unwrap();
    let mut client = Client::connect(&sandbox);
    let request = client.request("42", "", &format!(r#"{{"content": "{}"}}"#, "x".repeat(12_000_000)));
    assert!(client.try_write(request.as_bytes()).is_err(), "twelve megabytes fit nowhere unread");
    assert_eq!(fate(&sandbox), (Some(413), false));
    assert!(!last(&sandbox).complete);
    assert_eq!(Client::connect(&sandbox).send("42", MESSAGE).status, 413);
}

#[test]
fn an_extra_answer_comes_unasked() {
    let sandbox = sandbox();
    let mut client = send_into(&sandbox, json!({"fault": "extra-answer"}));
    assert_eq!((client.read_answer().body.as_str(), client.read_answer().status), ("", 201));
    assert_eq!((sandbox.journal().stats().requests, fate(&sandbox)), (1, (Some(201), true)));
}

#[test]
fn a_kept_connection_is_closed_at_once_or_on_the_next_request() {
    let sandbox = sandbox();
    let mut client = send_into(&sandbox, json!({"fault": "close-kept"}));
    let answer = client.read_answer();
    assert_eq!((answer.status, answer.header("Connection")), (201, Some("keep-alive")));
    assert_eq!(client.read_to_end(), (String::new(), End::Fin));

    let mut client = send_into(&sandbox, json!({"fault": "close-kept", "when": "on-next"}));
    assert_eq!(client.read_answer().status, 201);
    assert!(client.is_silent());
    let request = client.request("42", "", MESSAGE);
    client.write(&request);
    assert_eq!(client.read_to_end(), (String::new(), End::Reset));
    assert_eq!(sandbox.journal().stats().requests, 2);
}

#[test]
fn chunks_are_good_or_bad() {
    let sandbox = sandbox();
    let mut client = send_into(&sandbox, json!({"fault": "chunked"}));
    assert_eq!(client.read_answer().header("Transfer-Encoding"), Some("chunked"));
    let (text, end) = send_into(&sandbox, json!({"fault": "chunked", "bad": true})).read_to_end();
    assert!(text.ends_with("what?\r\n"), "{text}");
    assert_eq!((end, fate(&sandbox)), (End::Fin, (Some(201), true)));
}

#[test]
fn a_redirect_a_page_and_a_failure_after_storing() {
    let sandbox = sandbox();
    let answer = send_into(&sandbox, json!({"fault": "redirect", "status": 302, "location": "https://a.example/"}))
        .read_answer();
    assert_eq!((answer.status, answer.header("Location")), (302, Some("https://a.example/")));
    assert_eq!(fate(&sandbox), (Some(302), false));
    let answer = send_into(&sandbox, json!({"fault": "html", "status": 200, "title": "Log in <here>"})).read_answer();
    assert!(answer.body.contains("<title>Log in &lt;here></title>"));
    assert_eq!(fate(&sandbox), (Some(200), false));
    let answer = send_into(&sandbox, json!({"fault": "store-then-fail"})).read_answer();
    assert_eq!((answer.status, fate(&sandbox)), (500, (Some(500), true)));
}

#[test]
fn a_stored_message_can_be_answered_by_those_who_did_not_wait_for_it() {
    let sandbox = sandbox();
    let mut client = send_into(&sandbox, json!({"fault": "store-then-503", "times": 2}));
    let answer = client.read_answer();
    assert!(answer.head.starts_with("HTTP/1.1 503 Backend fetch failed\r\n"), "{answer:?}");
    assert_eq!((answer.header("Server"), answer.header("Retry-After")), (Some("Varnish"), Some("5")));
    assert_eq!((answer.header("Content-Type"), answer.header("Cf-Ray")), (Some("text/html; charset=utf-8"), None));
    assert!(answer.body.contains("Guru Meditation"), "{answer:?}");
    assert_eq!(fate(&sandbox), (Some(503), true));
    assert_eq!(client.send("42", MESSAGE).status, 503, "the connection is kept");

    let answer = send_into(&sandbox, json!({"fault": "store-then-503", "retry_after": 0})).read_answer();
    assert_eq!(answer.header("Retry-After"), Some("0"));

    let answer = send_into(&sandbox, json!({"fault": "store-then-408"})).read_answer();
    assert_eq!((answer.status, answer.body.as_str()), (408, ""));
    assert_eq!((answer.header("Server"), answer.header("Content-Type")), (None, None));
    assert_eq!(fate(&sandbox), (Some(408), true));
}

#[test]
fn a_form_is_ended_by_a_redirect_when_told_to_store() {
    let sandbox = sandbox();
    let answer = send_into(&sandbox, json!({"fault": "redirect", "status": 302, "store": true})).read_answer();
    assert_eq!((answer.status, fate(&sandbox)), (302, (Some(302), true)));
}

#[test]
fn slow_reading_and_stalled_writing_take_their_time() {
    let sandbox = sandbox();
    let start = Instant::now();
    let answer = send_into(&sandbox, json!({"fault": "slow-read", "ms": 200})).read_answer();
    assert_eq!((answer.status, fate(&sandbox)), (201, (Some(201), true)));
    let answer = send_into(&sandbox, json!({"fault": "stall-write", "ms": 200})).read_answer();
    assert_eq!((answer.status, fate(&sandbox)), (201, (Some(201), true)));
    assert!(start.elapsed() >= Duration::from_millis(400));
    let mut client = send_into(&sandbox, json!({"fault": "stall-write", "bytes": 30}));
    assert_eq!(client.read_at_least(30).len(), 30);
    assert!(client.is_silent());
}

#[test]
fn faults_are_ordered_listed_and_taken_back_by_rest() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    let answer =
        client.ask("POST", "/_sandbox/faults", Some(json!({"fault": "hang", "times": 2, "client_user_id": 7})));
    assert_eq!((answer.status, answer.json()["id"].clone()), (201, json!(1)));
    client.ask("POST", "/_sandbox/faults", Some(json!({"fault": "status", "status": 418, "share": 1})));
    client.ask("POST", "/_sandbox/faults", Some(json!({"fault": "drip"})));
    let refusal = client.ask("POST", "/_sandbox/faults", Some(json!({"fault": "status", "status": 5})));
    assert_eq!((refusal.status, refusal.json()["field"].clone()), (400, json!("status")));
    assert_eq!(refusal.json()["remedy"], "write one from 100 to 999");
    assert_eq!(client.send("42", MESSAGE).status, 418);
    let list = client.get("/_sandbox/faults");
    assert_eq!(list[0], json!({"id": 1, "fault": "hang", "times": 2, "client_user_id": "7", "played": 0}));
    assert_eq!(list[1], json!({"id": 2, "fault": "status", "status": 418, "share": 1.0, "played": 1}));
    assert_eq!(client.ask("DELETE", "/_sandbox/faults/2", None).status, 204);
    assert_eq!(client.ask("DELETE", "/_sandbox/faults/2", None).status, 404);
    assert_eq!(client.ask("DELETE", "/_sandbox/faults?client_user_id=7", None).json(), json!({"cleared": 1}));
    assert_eq!(client.ask("DELETE", "/_sandbox/faults", None).json(), json!({"cleared": 1}));
    assert_eq!(client.send("42", MESSAGE).status, 201);
}

#[test]
fn a_preflight_uses_up_no_fault() {
    let sandbox = sandbox();
    sandbox.order(&json!({"fault": "status", "status": 418})).unwrap();
    let mut client = Client::connect(&sandbox);
    let path = "/api/public/users/42/conversations/";
    client.write(&format!(
        "OPTIONS {path} HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\nAccess-Control-Request-Method: POST\r\n\r\n"
    ));
    assert_eq!(client.read_answer().status, 200);
    assert_eq!(client.send("42", MESSAGE).status, 418);
}

//! Whether a message can be sent again, for each thing that can happen to it.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use userengage::Delivery::{self, Delivered, NotDelivered, Unknown};
use userengage::{Client, Message, Options, Retry};

use super::send;
use crate::support::*;

#[test]
fn the_advice_whether_to_send_it_again() {
    let status = |code: u16| json!({"fault": "status", "status": code});
    let body = |code: u16, media: &str, body: &str| json!({"fault": "status", "status": code, "headers": {"Content-Type": media}, "body": body});
    let of_sandbox: Vec<(&str, Value, (Delivery, Retry))> = vec![
        ("delivered", json!({"fault": "delay", "ms": 0}), (Delivered, Retry::Never)),
        ("400", status(400), (NotDelivered, Retry::Never)),
        ("401", status(401), (NotDelivered, Retry::Later)),
        ("402", status(402), (NotDelivered, Retry::Later)),
        ("403", status(403), (NotDelivered, Retry::Later)),
        ("403 as HTML", json!({"fault": "html", "status": 403}), (NotDelivered, Retry::Later)),
        ("404 as JSON", body(404, "application/json", "{\"detail\": \"Not found.\"}"), (NotDelivered, Retry::Never)),
        ("404 as HTML", body(404, "text/html", "<h1>Not Found</h1>"), (NotDelivered, Retry::Later)),
        ("405", status(405), (NotDelivered, Retry::Later)),
        ("408", status(408), (Unknown, Retry::Decide)),
        ("413", status(413), (NotDelivered, Retry::Never)),
        ("422", status(422), (NotDelivered, Retry::Never)),
        ("425", status(425), (NotDelivered, Retry::Later)),
        (
            "429",
            json!({"fault": "status", "status": 429, "headers": {"Retry-After": "60"}}),
            (NotDelivered, Retry::Later),
        ),
        ("500", status(500), (Unknown, Retry::Decide)),
        ("502", status(502), (Unknown, Retry::Decide)),
        ("503", status(503), (Unknown, Retry::Decide)),
        ("521 of Cloudflare", status(521), (NotDelivered, Retry::Later)),
        ("301", json!({"fault": "redirect", "status": 301}), (NotDelivered, Retry::Later)),
        ("302", json!({"fault": "redirect", "status": 302}), (Unknown, Retry::Decide)),
        ("200 of a portal", json!({"fault": "html", "status": 200}), (Unknown, Retry::Decide)),
        ("closed after the request", json!({"fault": "close"}), (Unknown, Retry::Decide)),
        ("a timeout after the request", json!({"fault": "hang"}), (Unknown, Retry::Decide)),
    ];
    let one_attempt = |options: &mut Options| options.max_attempts = 1;
    // Those that are to be a timeout need not last long.
    let timeout = |what: &str| Duration::from_millis(if what.contains("timeout") { 500 } else { 20_000 });
    for (what, fault, expected) in of_sandbox {
        let user = User::new();
        user.order([fault]);
        assert_advice(&client_with(one_attempt), &user.message().timeout(timeout(what)), what, expected);
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = listener.local_addr().unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let user = User::new();
    for (what, base_url) in [
        ("refused", format!("http://{refusing}/")),
        ("a certificate that is not trusted", sandbox().tls_base_url().unwrap()),
        ("a timeout before the request", format!("https://{silent}/")),
    ] {
        let client = client_with(|options| {
            one_attempt(options);
            options.base_url = base_url;
        });
        assert_advice(&client, &user.message().timeout(timeout(what)), what, (NotDelivered, Retry::Later));
    }
    let client = client_with(one_attempt);
    assert_advice(&client, &Message::new("", "Hi"), "an invalid argument", (NotDelivered, Retry::Never));
    client.close();
    assert_advice(&client, &user.message(), "closed", (NotDelivered, Retry::Later));
}

fn assert_advice(client: &Client, message: &Message<'_>, what: &str, expected: (Delivery, Retry)) {
    let outcome = outcome(send(client, message));
    assert_eq!((outcome.delivery(), outcome.retry()), expected, "{what}: {outcome:?}");
    // Only a message that is wrong is to be corrected.
    let text = outcome.message();
    assert!(outcome.retry() == Retry::Never || !text.contains("Correct the message"), "{what}: {text}");
}

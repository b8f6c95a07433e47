//! What the page is made of, and the policies that keep messages harmless.

mod common;

use common::{Client, sandbox};
use serde_json::Value;

#[test]
fn the_page_and_all_that_it_names_are_served_with_a_strict_policy() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    let page = client.ask("GET", "/", None);
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
    let mut wanted: Vec<String> =
        page.body.split('"').filter(|part| part.starts_with("/_sandbox/page/")).map(str::to_owned).collect();
    assert!(wanted.len() >= 3);
    let mut seen = Vec::new();
    while let Some(path) = wanted.pop() {
        let part = client.ask("GET", &path, None);
        assert_eq!(part.status, 200, "{path}");
        let policy = part.header("Content-Security-Policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("script-src 'self'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert!(!part.body.contains("https://") && !part.body.contains("innerHTML"), "{path}");
        let imports = part
            .body
            .split('"')
            .filter_map(|text| text.strip_prefix("./"))
            .map(|name| format!("/_sandbox/page/{name}"));
        wanted.extend(imports.filter(|path| !seen.contains(path)));
        seen.push(path);
    }
}

#[test]
fn a_message_is_served_so_that_nothing_in_it_can_act() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    client.send("42", r#"{"content": "<script>alert(1)</script>Hi"}"#);
    let message = client.ask("GET", "/_sandbox/conversations/1/content", None);
    assert!(message.body.ends_with("<script>alert(1)</script>Hi"));
    let policy = message.header("Content-Security-Policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox allow-same-origin"), "{policy}");
    assert!(
        !policy.contains("script-src") && !policy.contains("allow-scripts") && !policy.contains("allow-forms"),
        "{policy}"
    );
    assert_eq!(message.header("X-Content-Type-Options"), Some("nosniff"));
    assert_eq!(client.ask("GET", "/_sandbox/conversations/2/content", None).status, 404);
}

#[test]
fn events_tell_what_there_is_at_once_and_after_every_change() {
    let sandbox = sandbox();
    let mut events = Client::connect(&sandbox);
    events.write("GET /_sandbox/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut text = String::new();
    let mut state = |wanted: u64| loop {
        text += &String::from_utf8(events.read_at_least(1)).unwrap();
        let last = text.lines().rev().find_map(|line| line.strip_prefix("data: "));
        if let Some(state) = last.and_then(|json| serde_json::from_str::<Value>(json).ok())
            && state["conversations"]["newest"] == wanted
        {
            return state;
        }
    };
    assert_eq!(state(0)["conversations"]["kept"], 0);
    Client::connect(&sandbox).send("42", r#"{"content": "Hi"}"#);
    assert_eq!(state(1)["requests"]["newest"], 1);
    for _ in 0..50 {
        Client::connect(&sandbox).send("42", r#"{"content": "Hi"}"#);
    }
    assert_eq!(state(51)["conversations"]["kept"], 51);
}

//! The journal has every request as it came, and what became of it.

mod common;

use common::{Client, eventually, sandbox, sandbox_with};
use serde_json::{Value, json};

const MESSAGE: &str = r#"{"content": "Hi"}"#;

#[test]
fn a_request_is_kept_as_it_came_with_its_token_masked() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    let request =
        client.request("a%2Fb", "X-Odd-CASE: Värde\r\n", MESSAGE).replace("/conversations/", "/conversations/?x=%20");
    client.write(&request);
    client.read_answer();
    let list = client.get("/_sandbox/requests");
    let entry = &list[0];
    assert_eq!(entry["method"], "POST");
    assert_eq!(entry["path"], "/api/public/users/a%2Fb/conversations/?x=%20");
    assert_eq!(entry["http_version"], "1.1");
    assert_eq!(
        entry["headers"],
        json!([
            ["Host", "localhost"],
            ["Authorization", "Token ****************(64)"],
            ["Content-Type", "application/json"],
            ["X-Odd-CASE", "Värde"],
            ["Content-Length", "17"],
        ])
    );
    assert_eq!((&entry["body"], &entry["status"], &entry["complete"]), (&json!(MESSAGE), &json!(201), &json!(true)));
    assert_eq!((&entry["fault"], &entry["conversation_id"], &entry["stored"]), (&Value::Null, &json!(1), &json!(true)));
    assert!(!list.to_string().contains(sandbox.api_key()));
    let conversation = &client.get("/_sandbox/conversations")[0];
    assert_eq!((&conversation["client_user_id"], &conversation["request"]), (&json!("a/b"), &entry["id"]));
}

#[test]
fn an_answer_that_was_read_has_its_entry() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    for count in 1..=500 {
        client.send("42", MESSAGE);
        assert_eq!(sandbox.journal().stats().requests, count);
    }
}

#[test]
fn connections_are_told_apart() {
    let sandbox = sandbox();
    let (mut one, mut other) = (Client::connect(&sandbox), Client::connect(&sandbox));
    for client in [&mut one, &mut other] {
        client.send("42", MESSAGE);
    }
    one.send("42", MESSAGE);
    let numbers: Vec<u64> = sandbox.journal().requests(0).iter().map(|entry| entry.connection).collect();
    assert_eq!(numbers[0], numbers[2]);
    assert_ne!(numbers[0], numbers[1]);
}

#[test]
fn a_request_that_is_cut_off_is_kept_but_not_stored() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    let request = client.request("42", "", MESSAGE);
    client.write(&request[..request.len() - 3]);
    client.finish();
    assert_eq!(client.read_to_end().0, "");
    eventually("the cut request is in the journal", || sandbox.journal().stats().requests == 1);
    let entry = &sandbox.journal().requests(0)[0];
    assert_eq!((entry.complete, entry.stored, entry.status), (false, false, None));
    assert_eq!(entry.body(), br#"{"content": "H"#);
}

#[test]
fn lists_can_be_narrowed_paged_and_cleared() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    for id in ["1", "2", "1", "3", "1"] {
        client.send(id, MESSAGE);
    }
    let mut ids = |path: &str| -> Vec<u64> {
        client.get(path).as_array().unwrap().iter().map(|entry| entry["id"].as_u64().unwrap()).collect()
    };
    for list in ["requests", "conversations"] {
        assert_eq!(ids(&format!("/_sandbox/{list}?client_user_id=1")), [1, 3, 5]);
        assert_eq!(ids(&format!("/_sandbox/{list}?after=3")), [4, 5]);
        assert_eq!(ids(&format!("/_sandbox/{list}?after=1&limit=2")), [2, 3]);
        assert_eq!(ids(&format!("/_sandbox/{list}?before=5&limit=2")), [3, 4]);
    }
    assert_eq!(client.ask("DELETE", "/_sandbox/requests", None).status, 204);
    assert_eq!(client.get("/_sandbox/requests"), json!([]));
    assert_eq!(client.get("/_sandbox/conversations").as_array().unwrap().len(), 5);
    assert_eq!(client.get("/_sandbox/conversations/5/request")["id"], 5);
    assert_eq!(client.ask("DELETE", "/_sandbox/conversations", None).status, 204);
    client.send("1", MESSAGE);
    assert_eq!(client.get("/_sandbox/conversations")[0]["id"], 6);
    let stats = client.get("/_sandbox/stats");
    assert_eq!((&stats["requests"], &stats["stored"], &stats["statuses"]["201"]), (&json!(6), &json!(6), &json!(6)));
}

#[test]
fn the_oldest_are_forgotten_when_there_are_too_many() {
    let sandbox = sandbox_with(|options| options.keep = 3);
    let mut client = Client::connect(&sandbox);
    for _ in 0..10 {
        client.send("42", MESSAGE);
    }
    let kept: Vec<u64> = sandbox.journal().requests(0).iter().map(|entry| entry.id).collect();
    assert_eq!(kept, [8, 9, 10]);
    assert_eq!(sandbox.journal().conversations(0).len(), 3);
    assert_eq!(sandbox.journal().stats().stored, 10);
}

#[test]
fn the_bytes_that_are_kept_are_bounded_too() {
    let sandbox = sandbox_with(|options| options.keep_bytes = 100_000);
    let mut client = Client::connect(&sandbox);
    for _ in 0..10 {
        client.send("42", &format!(r#"{{"content": "{}"}}"#, "x".repeat(30_000)));
    }
    let kept: usize = sandbox.journal().requests(0).iter().map(|entry| entry.body().len()).sum();
    assert!((30_000..100_000).contains(&kept), "{kept}");
}

#[test]
fn a_refusal_is_kept_with_its_reason() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    client.send("42", "{}");
    assert_eq!(client.get("/_sandbox/requests")[0]["answer"], r#"{"content":["This field is required."]}"#);
}

#[test]
fn other_sites_in_the_same_browser_are_kept_away() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    client.write("GET /_sandbox/requests HTTP/1.1\r\nHost: rebound.example:8025\r\n\r\n");
    assert_eq!(client.read_answer().status, 403);
    client.write("DELETE /_sandbox/requests HTTP/1.1\r\nHost: localhost:1\r\nOrigin: https://evil.example\r\n\r\n");
    assert_eq!(client.read_answer().status, 403);
    client.write("DELETE /_sandbox/requests HTTP/1.1\r\nHost: localhost:1\r\nOrigin: http://localhost:1\r\n\r\n");
    assert_eq!(client.read_answer().status, 204);
}

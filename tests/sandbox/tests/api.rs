//! The API answers as the service does.

mod common;

use common::{Client, sandbox, sandbox_with};
use serde_json::json;
use std::collections::HashSet;

const MESSAGE: &str = r#"{"content": "Hi <b>user</b>", "user": 926, "source": 2, "source_context": {"id": 123}}"#;

#[test]
fn the_specifications_request_is_answered_with_201_and_no_body() {
    let sandbox = sandbox();
    let answer = Client::connect(&sandbox).send("42", MESSAGE);
    assert_eq!((answer.status, answer.body.as_str()), (201, ""));
    assert_eq!(answer.header("Server"), Some("cloudflare"));
    assert_eq!(answer.header("Allow"), Some("POST, OPTIONS"));
    assert_eq!(answer.header("Content-Length"), Some("0"));
    assert_eq!(answer.header("Content-Type"), None);
    let stored = &sandbox.journal().conversations(0)[0];
    assert_eq!(&*stored.message.content, "Hi <b>user</b>");
    assert_eq!((stored.message.user, stored.message.source), (Some(926), Some(2)));
    assert_eq!(stored.message.source_context.as_ref().unwrap().get(), r#"{"id": 123}"#);
}

#[test]
fn version_2_is_answered_with_the_conversation() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    let request = client.request("322842", "Accept: */*; version=2\r\n", MESSAGE);
    client.write(&request);
    let answer = client.read_answer();
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let body = answer.json();
    assert_eq!(
        (&body["id"], &body["user"]["id"], &body["active"], &body["messages"]),
        (&json!(1), &json!(322842), &json!(true), &json!(1))
    );
    let request = client.request("1", "Accept: */*; version=9\r\n", MESSAGE);
    client.write(&request);
    assert_eq!(client.read_answer().status, 406);
}

#[test]
fn every_answer_has_a_ray_of_its_own() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    let rays: HashSet<String> =
        (0..200).map(|_| client.send("42", MESSAGE).header("Cf-Ray").unwrap().to_owned()).collect();
    assert_eq!(rays.len(), 200);
    for ray in rays {
        let (digits, place) = ray.split_once('-').unwrap();
        assert!(digits.len() == 16 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) && place == "SBX", "{ray}");
    }
}

#[test]
fn the_token_is_checked_before_anything_else() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    for (value, detail) in [
        (None, "Authentication credentials were not provided."),
        (Some("Basic abc"), "Authentication credentials were not provided."),
        (Some("Token"), "Invalid token header. No credentials provided."),
        (Some("Token a b"), "Invalid token header. Token string should not contain spaces."),
        (Some("Token wrong"), "Invalid token."),
    ] {
        let line = value.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
        client.write(&format!("GET /api/public/users/missing/conversations/ HTTP/1.1\r\nHost: a\r\n{line}\r\n"));
        let answer = client.read_answer();
        assert_eq!((answer.status, &answer.json()["detail"]), (401, &json!(detail)));
        assert_eq!(answer.header("WWW-Authenticate"), Some("Token"));
    }
    let lower = client.request("42", "", MESSAGE).replace("Authorization: Token", "authorization: token");
    client.write(&lower);
    assert_eq!(client.read_answer().status, 201);
}

#[test]
fn another_key_can_be_the_right_one() {
    let sandbox = sandbox_with(|options| options.api_key = "my-own-key".to_owned());
    assert_eq!(Client::connect(&sandbox).send("42", MESSAGE).status, 201);
}

#[test]
fn integers_up_to_the_bound_and_names_exist() {
    let sandbox = sandbox_with(|options| options.users = 100);
    let mut client = Client::connect(&sandbox);
    for id in ["1", "100", "0042", "anna%40example.com", "a%2Fb", "%C5%BCaba", ":client_user_id", "not-missing"] {
        assert_eq!(client.send(id, MESSAGE).status, 201, "{id}");
    }
    for id in ["0", "101", "-1", "99999999999999999999999", "missing", "missing-7"] {
        let answer = client.send(id, MESSAGE);
        assert_eq!((answer.status, &answer.json()["detail"]), (404, &json!("Not found.")), "{id}");
    }
    let names: Vec<_> =
        sandbox.journal().conversations(0).iter().map(|entry| entry.message.client_user_id.to_string()).collect();
    assert_eq!(names, ["1", "100", "0042", "anna@example.com", "a/b", "żaba", ":client_user_id", "not-missing"]);
}

#[test]
fn a_path_without_its_trailing_slash_leads_to_a_page_of_html() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    for path in [
        "/api/public/users/42/conversations",
        "/api/public/users//conversations/",
        "/api/public/users/a/b/conversations/",
        "/x",
    ] {
        client.write(&format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}"));
        let answer = client.read_answer();
        assert_eq!((answer.status, answer.header("Content-Type")), (404, Some("text/html; charset=utf-8")), "{path}");
        assert!(answer.body.contains("<h1>Not Found</h1>"));
    }
    assert_eq!(sandbox.journal().stats().requests, 4);
}

#[test]
fn other_methods_are_not_allowed() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        let request = client.request("42", "", MESSAGE).replace("POST", method);
        client.write(&request);
        let answer = client.read_answer();
        assert_eq!((answer.status, answer.header("Allow")), (405, Some("POST, OPTIONS")));
        assert_eq!(answer.json()["detail"], format!("Method \"{method}\" not allowed."));
    }
}

#[test]
fn only_json_is_taken() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    for (kind, status) in [
        ("application/json", 201),
        ("application/json; charset=utf-8", 201),
        ("Application/JSON", 201),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ] {
        let request = client.request("42", "", MESSAGE).replace("application/json", kind);
        client.write(&request);
        let answer = client.read_answer();
        assert_eq!(answer.status, status, "{kind}");
        if status == 415 {
            assert_eq!(answer.json()["detail"], format!("Unsupported media type \"{kind}\" in request."));
        }
    }
}

#[test]
fn a_bad_body_is_refused_in_drfs_words_and_not_stored() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    let answer = client.send("42", r#"{"content": }"#);
    assert_eq!(answer.json()["detail"], "JSON parse error - Expecting value: line 1 column 13 (char 12)");
    let answer = client.send("42", r#"{"user": "x", "source": 9}"#);
    assert_eq!(
        answer.json(),
        json!({
            "content": ["This field is required."],
            "user": ["A valid integer is required."],
            "source": ["\"9\" is not a valid choice."],
        })
    );
    assert_eq!(sandbox.journal().stats().stored, 0);
    assert_eq!(sandbox.journal().stats().statuses[&400], 2);
}

#[test]
fn above_the_rate_limit_requests_are_throttled_and_never_stored() {
    let sandbox = sandbox_with(|options| options.rate_limit = Some(2.0));
    let mut client = Client::connect(&sandbox);
    let statuses: Vec<u16> = (0..3).map(|_| client.send("42", MESSAGE).status).collect();
    assert_eq!(statuses, [201, 201, 429]);
    sandbox.set_rate_limit(Some(0.01));
    client.send("42", MESSAGE);
    let answer = client.send("missing", "{");
    assert_eq!((answer.status, answer.header("Retry-After")), (429, Some("100")));
    assert_eq!(answer.json()["detail"], "Request was throttled. Expected available in 100 seconds.");
    assert_eq!(sandbox.journal().stats().stored, 3);
    assert_eq!(client.ask("PUT", "/_sandbox/rate-limit", Some(json!({"per_second": null}))).status, 200);
    assert_eq!(client.send("42", MESSAGE).status, 201);
}

#[test]
fn a_browser_of_any_origin_may_send() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    client.write(
        "OPTIONS /api/public/users/42/conversations/ HTTP/1.1\r\nHost: a\r\nOrigin: https://shop.example\r\n\
         Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-type\r\n\r\n",
    );
    let answer = client.read_answer();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Access-Control-Allow-Origin"), Some("https://shop.example"));
    assert_eq!(answer.header("Access-Control-Allow-Credentials"), Some("true"));
    assert!(answer.header("Access-Control-Allow-Headers").unwrap().contains("authorization"));
    let request = client.request("42", "Origin: https://shop.example\r\n", MESSAGE);
    client.write(&request);
    assert_eq!(client.read_answer().header("Access-Control-Allow-Origin"), Some("https://shop.example"));
}

#[test]
fn requests_may_come_in_chunks_one_behind_the_other_and_after_a_continue() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    let chunked = client
        .request("42", "Transfer-Encoding: chunked\r\n", "")
        .replace("Content-Length: 0\r\n\r\n", "\r\n5\r\n{\"con\r\nc\r\ntent\": \"Hi\"}\r\n0\r\n\r\n");
    let plain = client.request("43", "", MESSAGE);
    client.write(&format!("{chunked}{plain}"));
    assert_eq!((client.read_answer().status, client.read_answer().status), (201, 201));
    let request = client.request("44", "Expect: 100-continue\r\n", MESSAGE);
    let (head, body) = request.split_at(request.find("\r\n\r\n").unwrap() + 4);
    client.write(head);
    assert_eq!(client.read_answer().status, 100);
    client.write(body);
    assert_eq!(client.read_answer().status, 201);
    assert_eq!(sandbox.journal().requests(0)[0].body(), br#"{"content": "Hi"}"#);
}

#[test]
fn a_connection_ends_when_the_client_asks_for_it() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    let request = client.request("42", "Connection: close\r\n", MESSAGE);
    client.write(&request);
    assert_eq!(client.read_answer().header("Connection"), Some("close"));
    assert_eq!(client.read_to_end(), (String::new(), common::End::Fin));
}

#[test]
fn what_is_no_http_and_what_is_too_large_is_refused() {
    let sandbox = sandbox();
    let mut client = Client::connect(&sandbox);
    client.write("\x16\x03\x01 what\r\n\r\n");
    assert_eq!(client.read_answer().status, 400);
    let mut client = Client::connect(&sandbox);
    let request = client.request("42", "", "").replace("Content-Length: 0", "Content-Length: 20000000");
    client.write(&request);
    assert_eq!(client.read_answer().status, 413);
    let mut client = Client::connect(&sandbox);
    client.write(&format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(70_000)));
    assert_eq!(client.read_answer().status, 400);
}

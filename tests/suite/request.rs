//! The request on the wire follows the specification.

use serde_json::json;
use userengage::{ApiVersion, Client, Delivery, DeliveryPolicy, Message, Source, Status};

use super::send;
use crate::support::*;

#[test]
fn the_request_follows_the_specification() {
    let user = User::new();
    let context = r#"{"name": "This is source_context used in API", "id": 123}"#;
    let message = user.message().user(926).source(Source::EMAIL).source_context(context);
    let outcome = send(&client(DeliveryPolicy::AtMostOnce), &message).unwrap();
    assert_eq!((outcome.http_status(), outcome.attempts()), (Some(201), 1));
    assert!(outcome.request_id().ends_with("-SBX"));

    let requests = user.requests();
    let [request] = &requests[..] else { panic!("one request, not {}", requests.len()) };
    assert_eq!(request.method(), "POST");
    assert_eq!(request.path(), format!("/api/public/users/{}/conversations/", user.0));
    assert_eq!(
        std::str::from_utf8(request.body()).unwrap(),
        format!(
            r#"{{"content":"Hi <b>user</b>, enjoy our product!","user":926,"source":2,"source_context":{context}}}"#
        )
    );
    let headers = request.headers();
    let header = |name: &str| {
        let mut values =
            headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} stands once");
        value
    };
    assert!(header("authorization").unwrap().starts_with("Token "));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("accept"), Some("*/*"));
    assert_eq!(header("content-length").unwrap().parse(), Ok(request.body().len()));
    for absent in ["transfer-encoding", "expect", "cookie", "accept-encoding"] {
        assert_eq!(header(absent), None, "{absent}");
    }
}

#[test]
fn integers_and_strings_of_any_kind_reach_the_customer_they_name() {
    let sandbox = own_sandbox(|_| ());
    let client = Client::new(sandbox.api_key(), options_for(&sandbox)).unwrap();
    send(&client, &Message::new(999_999, "Hi")).unwrap();
    for id in ["a/b", "ä ö?#%", "..%2f", "<&>\"'", "-", "%00"] {
        send(&client, &Message::new(id, "Hi")).unwrap();
        assert_eq!(User(id.into()).requests_in(&sandbox).len(), 1, "{id}");
    }
    assert_eq!(User("999999".into()).requests_in(&sandbox).len(), 1);
    assert!(sandbox.journal().requests(0).iter().all(|request| request.stored));
}

#[test]
fn version_2_gives_the_conversations_id() {
    let user = User::new();
    let outcome = send(&client_with(|options| options.api_version = ApiVersion::V2), &user.message()).unwrap();
    let stored = user.requests()[0].conversation_id.map(|id| id as i64);
    assert!(stored.is_some());
    assert_eq!(outcome.conversation_id(), stored);
    assert_eq!(send(&client(DeliveryPolicy::AtMostOnce), &user.message()).unwrap().conversation_id(), None);
}

#[test]
fn a_kept_connection_is_used_again_also_after_a_refusal() {
    let (user, client) = (User::new(), client(DeliveryPolicy::AtMostOnce));
    user.order([json!({"fault": "status", "status": 404})]);
    let statuses = [(); 3].map(|()| outcome(send(&client, &user.message())).status());
    assert_eq!(statuses, [Status::NotFound, Status::Ok, Status::Ok]);
    let requests = user.requests();
    assert_eq!(requests.len(), 3);
    assert!(requests.iter().all(|request| request.connection == requests[0].connection));
}

#[test]
fn a_large_message_arrives_whole() {
    let user = User::new();
    let content = "<p>żółć 👋</p>".repeat(100_000);
    send(&client(DeliveryPolicy::AtMostOnce), &Message::new(user.0.as_str(), content.as_str())).unwrap();
    let requests = user.requests();
    let body: serde_json::Value = serde_json::from_slice(requests[0].body()).unwrap();
    assert!(body["content"] == content);
}

#[test]
fn a_message_with_an_invalid_argument_is_never_sent() {
    let (user, client) = (User::new(), client(DeliveryPolicy::AtMostOnce));
    let error = send(&client, &user.message().source_context("7")).unwrap_err();
    let got = (error.status(), error.delivery(), error.attempts());
    assert_eq!(got, (Status::InvalidArgument, Delivery::NotDelivered, 0));
    assert_eq!(user.requests().len(), 0);
}

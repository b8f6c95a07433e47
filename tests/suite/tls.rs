//! Certificates and hosts are always verified.

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::thread;

use serde_json::json;
use userengage::{Client, Delivery, Options, Outcome, Policy, Status};

use super::support::*;

fn options(base_url: String, ca_file: Option<PathBuf>) -> Options {
    let mut options = Options::default();
    options.base_url = base_url;
    options.ca_file = ca_file;
    options.max_attempts = 2;
    options
}

fn ca_file() -> Option<PathBuf> {
    sandbox().ca_file().map(PathBuf::from)
}

fn sent(options: Options) -> (Outcome, User) {
    let user = User::new();
    let client = Client::new(sandbox().api_key(), options).unwrap();
    (outcome(client.send_conversation(&user.message())), user)
}

fn bad(kind: &str) -> String {
    sandbox().announcement()["bad_tls"][kind].as_str().expect("--bad-certs was given").into()
}

#[test]
fn a_certificate_of_the_ca_file_is_trusted_and_the_connection_kept() {
    let client = Client::new(sandbox().api_key(), options(sandbox().tls_base_url().unwrap(), ca_file())).unwrap();
    let user = User::new();
    for _ in 0..3 {
        assert_eq!(outcome(client.send_conversation(&user.message())).status(), Status::Ok);
    }
    let requests = user.requests();
    assert!(requests.len() == 3 && requests.iter().all(|request| request.connection == requests[0].connection));
}

#[test]
fn both_versions_of_tls_work() {
    for version in [ue_sandbox::TlsVersion::Tls12, ue_sandbox::TlsVersion::Tls13] {
        let sandbox = own_sandbox(|options| options.tls_version = version);
        let options = options(sandbox.tls_base_url().unwrap(), sandbox.ca_file().map(PathBuf::from));
        let client = Client::new(sandbox.api_key(), options).unwrap();
        for _ in 0..2 {
            assert_eq!(outcome(client.send_conversation(&User::new().message())).status(), Status::Ok);
        }
    }
}

#[test]
fn a_certificate_that_proves_nothing_is_refused_before_a_byte_of_the_request() {
    let mut cases: Vec<_> = ["expired", "wrong_host", "untrusted"].map(|kind| (bad(kind), ca_file())).into();
    cases.push((sandbox().tls_base_url().unwrap(), None)); // the built-in roots do not know the sandbox
    for (base_url, ca_file) in cases {
        let (outcome, user) = sent(options(base_url.clone(), ca_file));
        let got = (outcome.status(), outcome.delivery(), outcome.attempts());
        assert_eq!(got, (Status::Tls, Delivery::NotDelivered, 1), "{base_url}: {outcome:?}");
        assert!(user.requests().is_empty());
    }
}

#[test]
fn a_ca_file_that_is_none_is_refused_with_its_name() {
    for path in ["/nonexistent/ca.pem", "/dev/null"] {
        let options = options(sandbox().tls_base_url().unwrap(), Some(path.into()));
        let error = Client::new(sandbox().api_key(), options).unwrap_err();
        assert!(error.to_string().starts_with(&format!("ca_file {path}")), "{error}");
    }
}

#[test]
fn a_handshake_that_is_cut_off_is_tried_again() {
    let sandbox = own_sandbox(|_| ());
    sandbox.order(&json!({"fault": "handshake-close"})).unwrap();
    let options = options(sandbox.tls_base_url().unwrap(), sandbox.ca_file().map(PathBuf::from));
    let client = Client::new(sandbox.api_key(), options).unwrap();
    let outcome = outcome(client.send_conversation(&User::new().message()));
    assert_eq!((outcome.status(), outcome.attempts()), (Status::Ok, 2), "{outcome:?}");
}

#[test]
fn plain_http_where_tls_is_meant_is_a_tls_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("https://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let (outcome, _) = sent(options(base_url, ca_file()));
    let got = (outcome.status(), outcome.delivery(), outcome.attempts());
    assert_eq!(got, (Status::Tls, Delivery::NotDelivered, 2), "{outcome:?}");
}

#[test]
fn the_certainties_hold_over_tls_too() {
    for (fault, expected) in [
        (
            json!({"fault": "close", "where": "before-status", "store": true}),
            (Status::ConnectionLost, Delivery::Unknown),
        ),
        (json!({"fault": "reset", "where": "in-head"}), (Status::ConnectionLost, Delivery::Unknown)),
        (json!({"fault": "close", "where": "in-body"}), (Status::Ok, Delivery::Delivered)),
        (json!({"fault": "garbage"}), (Status::BadReply, Delivery::Unknown)),
        (json!({"fault": "status", "status": 503}), (Status::ServerError, Delivery::Unknown)),
    ] {
        let user = User::new();
        user.order([fault.clone()]);
        let mut options = options(sandbox().tls_base_url().unwrap(), ca_file());
        options.policy = Policy::AtMostOnce;
        let client = Client::new(sandbox().api_key(), options).unwrap();
        let outcome = outcome(client.send_conversation(&user.message()));
        assert_eq!((outcome.status(), outcome.delivery()), expected, "{fault}: {outcome:?}");
        assert_honest(&outcome, user.shown(), &fault.to_string());
    }
}

#[test]
fn a_large_message_goes_over_tls() {
    let user = User::new();
    let content = "<p>żółć</p>".repeat(100_000);
    let client = Client::new(sandbox().api_key(), options(sandbox().tls_base_url().unwrap(), ca_file())).unwrap();
    client.send_conversation(&userengage::Message::new(user.0.as_str(), &*content)).unwrap();
    let body: serde_json::Value = serde_json::from_slice(user.requests()[0].body()).unwrap();
    assert!(body["content"] == content);
}

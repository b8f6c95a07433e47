//! Other HTTP clients in Rust: `peers ureq`, `peers reqwest`. Each makes its body anew for each message.

use std::env;
use std::fs;
use std::time::Duration;

use contenders::{CLIENT_USER_ID, CONTENT, SOURCE, Server, USER, take_turns};

const TIMEOUT: Duration = Duration::from_secs(30);

#[derive(serde::Serialize)]
struct Body {
    content: &'static str,
    user: i64,
    source: i32,
    source_context: Context,
}

#[derive(serde::Serialize)]
struct Context {
    name: &'static str,
    id: u32,
}

fn body() -> String {
    let source_context = Context { name: "This is source_context used in API", id: 123 };
    serde_json::to_string(&Body { content: CONTENT, user: USER, source: SOURCE, source_context }).expect("JSON")
}

fn main() {
    let server = Server::from_env();
    let url = format!("{}users/{CLIENT_USER_ID}/conversations/", server.base_url);
    let authorization = format!("Token {}", server.api_key);
    let ca = server.ca_file.map(|file| fs::read(file).expect("the CA file"));
    match env::args().nth(1).as_deref() {
        Some("ureq") => ureq(&url, &authorization, ca),
        Some("reqwest") => reqwest(&url, &authorization, ca),
        _ => panic!("name one: ureq, reqwest"),
    }
}

/// ureq as it comes, with a deadline: for its sake each message looks the host up, in a thread of its own.
fn ureq(url: &str, authorization: &str, ca: Option<Vec<u8>>) {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};

    let mut config = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT));
    if let Some(pem) = ca {
        let roots = RootCerts::new_with_certs(&[Certificate::from_pem(&pem).expect("a certificate")]);
        config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    let agent = config.build().new_agent();
    take_turns(|| {
        let request = agent.post(url).header("Authorization", authorization).content_type("application/json");
        let mut answer = request.send(body()).expect("an answer");
        assert_eq!(answer.status(), 201);
        answer.body_mut().read_to_vec().expect("a body");
    });
}

/// reqwest's blocking client, over OpenSSL.
fn reqwest(url: &str, authorization: &str, ca: Option<Vec<u8>>) {
    use reqwest::header::{AUTHORIZATION, CONTENT_TYPE};
    use reqwest::{Certificate, blocking::Client};

    let mut builder = Client::builder().timeout(TIMEOUT);
    if let Some(pem) = ca {
        builder = builder.tls_certs_only([Certificate::from_pem(&pem).expect("a certificate")]);
    }
    let client = builder.build().expect("a client");
    take_turns(|| {
        let request = client.post(url).header(AUTHORIZATION, authorization).header(CONTENT_TYPE, "application/json");
        let answer = request.body(body()).send().expect("an answer");
        assert_eq!(answer.status(), 201);
        answer.bytes().expect("a body");
    });
}

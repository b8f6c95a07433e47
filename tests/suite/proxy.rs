//! Proxies: the tunnel, its refusals, and that credentials go to the proxy alone.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use userengage::{Client, Delivery, Options, Outcome, Status};

use super::support::*;

/// A proxy that records the heads it gets, answers `answer`, and on a 200 connects the two ends.
struct Proxy {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://us%40er:s3cret@{}", listener.local_addr().unwrap());
        let heads = Arc::new(Mutex::new(Vec::new()));
        let record = heads.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let record = record.clone();
                thread::spawn(move || serve(client, answer, &record));
            }
        });
        Proxy { url, heads }
    }
}

fn serve(mut client: TcpStream, answer: &str, record: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte).unwrap_or(0) == 0 {
            return;
        }
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap().to_owned();
    record.lock().unwrap().push(head);
    client.write_all(answer.as_bytes()).unwrap();
    if !answer.starts_with("HTTP/1.1 200") {
        return;
    }
    let server = TcpStream::connect(target).unwrap();
    let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Both);
    });
    let _ = std::io::copy(&mut &server, &mut &client);
    let _ = client.shutdown(Shutdown::Both);
}

fn sent(proxy: &str, configure: impl FnOnce(&mut Options)) -> (Outcome, User) {
    let user = User::new();
    let mut options = options_for(sandbox());
    options.proxy = Some(proxy.into());
    options.max_attempts = 2;
    configure(&mut options);
    let client = Client::new(sandbox().api_key(), options).unwrap();
    (outcome(client.send_conversation(&user.message())), user)
}

#[test]
fn a_message_goes_through_the_tunnel_with_and_without_tls() {
    let proxy = Proxy::start("HTTP/1.1 200 Connection established\r\n\r\n");
    let (outcome, user) = sent(&proxy.url, |_| ());
    assert_eq!((outcome.status(), user.shown()), (Status::Ok, 1), "{outcome:?}");
    let (outcome, user) = sent(&proxy.url, |options| {
        options.base_url = sandbox().tls_base_url().unwrap();
        options.ca_file = sandbox().ca_file().map(PathBuf::from);
    });
    assert_eq!((outcome.status(), user.shown()), (Status::Ok, 1), "{outcome:?}");
    let heads = proxy.heads.lock().unwrap();
    assert_eq!(heads.len(), 2);
    for head in heads.iter() {
        assert!(
            head.starts_with("CONNECT ") && head.contains("Proxy-Authorization: Basic dXNAZXI6czNjcmV0\r\n"),
            "{head}"
        );
        assert!(!head.contains(sandbox().api_key()), "the key went to the proxy");
    }
    for request in user.requests() {
        assert!(request.headers().iter().all(|(name, _)| !name.to_ascii_lowercase().starts_with("proxy-")));
    }
}

#[test]
fn a_proxy_that_refuses_means_not_delivered_and_its_credentials_stay_secret() {
    for answer in [
        "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        "SSH-2.0-OpenSSH\r\n\r\n",
        "",
    ] {
        let proxy = Proxy::start(answer);
        let (outcome, user) = sent(&proxy.url, |_| ());
        let got = (outcome.status(), outcome.delivery(), outcome.attempts());
        assert_eq!(got, (Status::Connect, Delivery::NotDelivered, 2), "{answer}: {outcome:?}");
        assert!(!outcome.message().contains("s3cret") && outcome.message().contains("proxy"), "{}", outcome.message());
        assert!(user.requests().is_empty());
    }
}

#[test]
fn a_proxy_that_is_not_there_is_an_error_never_direct() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (outcome, user) = sent(&url, |_| ());
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Connect, Delivery::NotDelivered));
    assert!(user.requests().is_empty());
}

//! Proxies: the tunnel, its refusals, and credentials that only the proxy gets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use userengage::{Client, Delivery, Options, Outcome, Status};

use super::send;
use crate::support::*;

/// A proxy that records the heads of requests and sends `answer`. After a complete 2xx it connects the two ends.
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
    let _ = client.write_all(answer.as_bytes()); // the client may close before the end of a long answer
    let is_end_of_2xx = (answer.contains(" 200") || answer.contains(" 299")) && answer.ends_with('\n');
    if !is_end_of_2xx || !(answer.ends_with("\n\n") || answer.ends_with("\n\r\n")) {
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
    (outcome(send(&client, &user.message())), user)
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
fn every_sound_answer_of_2xx_opens_the_tunnel() {
    for answer in [
        "HTTP/1.0 200 OK\r\n\r\n",
        "HTTP/1.1 200\n\n",
        "HTTP/1.1 299 Whatever\r\nVia: 1.1 x\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nServer: x\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nX: folded\r\n over\r\n\tlines\r\nno colon\r\n: no name\r\nbad name : x\r\n\r\n",
    ] {
        let (outcome, user) = sent(&Proxy::start(answer).url, |_| ());
        assert_eq!((outcome.status(), user.shown()), (Status::Ok, 1), "{answer:?}: {outcome:?}");
    }
}

#[test]
fn a_final_refusal_of_a_proxy_is_not_repeated_and_the_credentials_stay_secret() {
    for (answer, words) in [
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "refused the user and password that its URL has"),
        (
            "HTTP/1.1 407 x\r\nProxy-Authenticate: Negotiate\r\nproxy-authenticate:\r\n NTLM\r\n\r\n",
            "it accepts Negotiate or NTLM, which is not supported",
        ),
        ("HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\nCut", "it accepts NTLM, which is not supported"),
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "403 Forbidden"),
        ("HTTP/1.0 405 x\n", "405 Method Not Allowed"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n<html>", "400 Bad Request"),
        ("HTTP/1.1 501 x\r\n\r\n", "501 Not Implemented"),
        ("HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n", "302 Found"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 x\r\n\r\n", "404 Not Found"),
    ] {
        let proxy = Proxy::start(answer);
        assert_refused(&proxy, 1, words, answer);
    }
}

#[test]
fn a_temporary_failure_of_a_proxy_is_repeated() {
    for (answer, words) in [
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "502 Bad Gateway"),
        ("HTTP/1.1 503 x\r\nRetry-After: 9\r\n\r\n", "503 Service Unavailable"),
        ("HTTP/1.1 429 x\r\n\r\n", "429 Too Many Requests"),
        ("SSH-2.0-OpenSSH\r\n", "did not answer in HTTP/1.1"),
        ("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 201 Created\r\n\r\n{}", "cannot have sent yet"),
        ("HTTP/1.1 200 OK\r\nVia: x\r\n", "closed the connection in the middle of its answer"),
        ("HTTP/1.1 2", "closed the connection in the middle of its answer"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "closed the connection in the middle of its answer"),
        ("", "closed the connection without an answer"),
    ] {
        assert_refused(&Proxy::start(answer), 2, words, answer);
    }
}

#[test]
fn a_proxys_answer_is_bounded() {
    let endless: &str = Box::leak(format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(8 * 1024)).into());
    let interim: &str = Box::leak("HTTP/1.1 100 Continue\r\n\r\n".repeat(8 * 1024).into());
    for answer in [endless, interim] {
        assert_refused(&Proxy::start(answer), 2, "answered more than 16384 bytes", &answer[..40]);
    }
}

fn assert_refused(proxy: &Proxy, attempts: u32, words: &str, answer: &str) {
    let (outcome, user) = sent(&proxy.url, |_| ());
    let got = (outcome.status(), outcome.delivery(), outcome.attempts());
    assert_eq!(got, (Status::Connect, Delivery::NotDelivered, attempts), "{answer:?}: {outcome:?}");
    let text = outcome.message();
    let place = proxy.url.rsplit('@').next().unwrap();
    assert!(text.starts_with(&format!("The proxy {place} (from the option proxy) ")), "{text}");
    assert!(text.contains(words) && !text.contains("s3cret"), "{answer:?}: {text}");
    assert!(user.requests().is_empty());
}

#[test]
fn a_proxy_without_a_users_name_says_so_when_it_needs_one() {
    let proxy = Proxy::start("HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n");
    let (outcome, _) = sent(&proxy.url.replace("us%40er:s3cret@", ""), |_| ());
    assert_eq!((outcome.status(), outcome.attempts()), (Status::Connect, 1));
    assert!(outcome.message().contains("asks for a user and password, and its URL has none"), "{}", outcome.message());
    assert!(!proxy.heads.lock().unwrap()[0].contains("Proxy-Authorization"));
}

#[test]
fn an_unreachable_proxy_is_named_and_never_bypassed() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    // The second has an empty label, which every look-up refuses.
    for (url, named) in [(format!("http://{address}"), address.to_string()), ("a..b:1".into(), "a..b:1".into())] {
        let user = User::new();
        let mut options = options_for(sandbox());
        options.base_url = "https://app.invalid/".into();
        options.proxy = Some(url);
        options.max_attempts = 2;
        let outcome = outcome(send(&Client::new(sandbox().api_key(), options).unwrap(), &user.message()));
        let got = (outcome.status(), outcome.delivery(), outcome.attempts());
        assert_eq!(got, (Status::Connect, Delivery::NotDelivered, 2));
        let start = format!("The proxy {named} (from the option proxy) cannot be reached: ");
        assert!(outcome.message().starts_with(&start), "{}", outcome.message());
    }
}

#[test]
fn a_proxy_that_never_answers_is_named_at_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let named = format!("the proxy {} (from the option proxy)", listener.local_addr().unwrap());
    let (outcome, _) = sent(&url, |options| options.timeout = Duration::from_millis(200));
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Timeout, Delivery::NotDelivered));
    assert!(outcome.message().contains(&named), "{}", outcome.message());
    let (outcome, _) = sent(&url, |options| {
        options.connect_timeout = Duration::from_millis(100);
        options.max_attempts = 1;
    });
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Connect, Delivery::NotDelivered));
    assert!(outcome.message().contains(&named), "{}", outcome.message());
}

#[test]
fn a_proxy_whose_bytes_keep_coming_does_not_put_the_deadline_off() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        // Reads that time out set the pace.
        client.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        let _ = client.write_all(b"HTTP/1.1 200 OK\r\n");
        while client.write_all(b"X").is_ok() {
            let _ = client.read(&mut [0; 1024]);
        }
    });
    let ((outcome, _), took) = timed(|| sent(&url, |options| options.timeout = Duration::from_millis(300)));
    assert_eq!((outcome.status(), outcome.delivery()), (Status::Timeout, Delivery::NotDelivered), "{outcome:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn an_http_base_url_goes_through_no_proxy_of_another_machine() {
    let mut options = options_for(sandbox());
    options.proxy = Some("http://user:s3cret@proxy.example:3128".into());
    let text = Client::new(sandbox().api_key(), options).unwrap_err().to_string();
    assert!(text.starts_with("proxy is proxy.example:3128 and base_url is http"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn subdomains_of_localhost_are_this_machine() {
    let user = User::new();
    let mut options = options_for(sandbox());
    options.base_url = options.base_url.replace("127.0.0.1", "shop.localhost");
    assert!(options.base_url.contains("shop.localhost"));
    let outcome = outcome(send(&Client::new(sandbox().api_key(), options).unwrap(), &user.message()));
    assert_eq!((outcome.status(), user.shown()), (Status::Ok, 1), "{outcome:?}");
}

#[test]
#[cfg(unix)]
fn the_environment_of_the_process_is_read() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = format!("http://user:s3cret@{}", listener.local_addr().unwrap());
    drop(listener);
    let named = |variable: &str| format!("The proxy {} (from {variable})", dead.rsplit('@').next().unwrap());
    type Variables<'a> = &'a [(&'a str, &'a [u8])];
    let cases: [(Variables<'_>, String); 6] = [
        (&[("HTTPS_PROXY", dead.as_bytes())], named("HTTPS_PROXY")),
        (&[("ALL_PROXY", dead.as_bytes())], named("ALL_PROXY")),
        (&[("HTTPS_PROXY", dead.as_bytes()), ("NO_PROXY", b"x [::1]/128 localhost")], "No connection to ".into()),
        (&[("HTTP_PROXY", dead.as_bytes())], "No connection to ".into()),
        (&[("HTTPS_PROXY", b"\xff")], "the environment variable HTTPS_PROXY is not UTF-8".into()),
        (&[("HTTPS_PROXY", dead.as_bytes()), ("no_proxy", b"\xff")], "the environment variable no_proxy is not".into()),
    ];
    for (variables, start) in cases {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap());
        let module = module_path!().split_once("::").unwrap().1; // by call or by queue
        let printing = format!("{module}::prints_the_outcome_of_a_send");
        child.args(["--exact", &printing, "--ignored", "--nocapture"]);
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            child.env_remove(name).env_remove(name.to_uppercase());
        }
        child.envs(variables.iter().map(|(name, value)| (name, OsStr::from_bytes(value))));
        let output = String::from_utf8(child.output().unwrap().stdout).unwrap();
        assert!(output.lines().any(|line| line.starts_with(&start)), "{start:?} is not in {output}");
        assert!(!output.contains("s3cret"), "{output}");
    }
}

#[test]
#[ignore = "run by the test of the environment, in a process of its own"]
fn prints_the_outcome_of_a_send() {
    let mut options = Options::default();
    options.base_url = "https://localhost:1/".into();
    options.max_attempts = 1;
    let sent = Client::new("key", options).and_then(|client| send(&client, &User::new().message()));
    println!("\n{}", outcome(sent).message());
}

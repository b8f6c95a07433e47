//! The peer answers or closes before the whole request was sent.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use userengage::{Client, Delivery, Level, Message, Status};

use super::send;
use crate::support::*;

const LARGE: usize = 12 * 1024 * 1024;

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base_url = format!("http://{}/", listener.local_addr().unwrap());
    (listener, base_url)
}

/// Reads the head of a request and returns the length of the body.
fn take_head(socket: &mut TcpStream) -> usize {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap()
}

/// Reads `count` bytes.
fn take(socket: &mut TcpStream, count: usize) {
    std::io::copy(&mut socket.take(count as u64), &mut std::io::sink()).unwrap();
}

#[test]
fn interim_answers_during_a_large_request_do_not_stop_it() {
    let (listener, base_url) = listen();
    thread::scope(|threads| {
        threads.spawn(|| {
            let (mut socket, _) = listener.accept().unwrap();
            let length = take_head(&mut socket);
            for _ in 0..4 {
                take(&mut socket, 1024 * 1024);
                socket.write_all(b"HTTP/1.1 100 Continue\r\nServer: IIS\r\n\r\nHTTP/1.1 103 Early Hints\r\n").unwrap();
                take(&mut socket, 1024 * 1024);
                socket.write_all(b"Link: </a>\r\n\r\n").unwrap();
            }
            take(&mut socket, length - 8 * 1024 * 1024);
            socket.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        });
        let mut options = options_for(sandbox());
        options.base_url = base_url;
        options.max_attempts = 1;
        let client = Client::new("key", options).unwrap();
        let content = "x".repeat(LARGE);
        let outcome = outcome(send(&client, &Message::new(1, &*content)));
        assert_eq!((outcome.status(), outcome.delivery()), (Status::Ok, Delivery::Delivered), "{outcome:?}");
        assert_eq!(outcome.http_status(), Some(201));
    });
}

#[test]
fn bytes_before_the_request_are_not_an_answer() {
    for said in [&b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"[..], b"SSH-2.0-OpenSSH_9.2\r\n", b""] {
        let (listener, base_url) = listen();
        let (has_said, heard) = mpsc::channel();
        let heard = Mutex::new(heard);
        let mut options = options_for(sandbox());
        options.base_url = base_url;
        options.max_attempts = 1;
        options.log = Some((
            Level::Debug,
            Arc::new(move |_, text: &str| {
                if text.starts_with("connected") {
                    heard.lock().unwrap().recv().unwrap();
                }
            }),
        ));
        let client = Client::new("key", options).unwrap();
        thread::scope(|threads| {
            threads.spawn(|| {
                let (mut socket, _) = listener.accept().unwrap();
                socket.write_all(said).unwrap();
                if said.is_empty() {
                    socket.shutdown(Shutdown::Write).unwrap();
                }
                has_said.send(()).unwrap();
                let mut request = Vec::new();
                let _ = socket.read_to_end(&mut request); // fails with an RST: the client left these bytes unread
                assert_eq!(request, b"");
            });
            let outcome = outcome(send(&client, &Message::new(1, "Hi")));
            assert_eq!(
                (outcome.status(), outcome.delivery()),
                (Status::ConnectionLost, Delivery::NotDelivered),
                "{outcome:?}"
            );
        });
    }
}

/// Forwards one connection at a time to `to`, and cuts it after `most` bytes.
fn cut_off_after(most: usize, to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let (mut client, mut server) = (socket.unwrap(), TcpStream::connect(to).unwrap());
            let (mut back_from, mut back_to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let back = thread::spawn(move || drop(std::io::copy(&mut back_from, &mut back_to)));
            // Small reads, so that the client has to wait before it can write more.
            let (mut handed_on, mut buffer) = (0, [0; 4096]);
            while handed_on < most {
                let count = client.read(&mut buffer).unwrap_or(0);
                if count == 0 || server.write_all(&buffer[..count]).is_err() {
                    break;
                }
                handed_on += count;
            }
            let _ = server.shutdown(Shutdown::Both);
            let _ = client.shutdown(Shutdown::Both);
            back.join().unwrap();
        }
    });
    address
}

#[test]
fn a_large_request_that_is_cut_off_is_not_delivered_over_tls_as_in_plain_http() {
    let content = "x".repeat(LARGE);
    for base_url in [sandbox().base_url(), sandbox().tls_base_url().unwrap()] {
        let (scheme, rest) = base_url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let to: SocketAddr = authority.replace("localhost", "127.0.0.1").parse().unwrap();
        let mut options = options_for(sandbox());
        options.base_url = format!("{scheme}://{}/{path}", cut_off_after(2 * 1024 * 1024, to));
        options.ca_file = sandbox().ca_file().map(Into::into);
        options.max_attempts = 1;
        let user = User::new();
        let client = Client::new(sandbox().api_key(), options).unwrap();
        let outcome = outcome(send(&client, &Message::new(user.0.as_str(), &*content)));
        assert_eq!(
            (outcome.status(), outcome.delivery()),
            (Status::ConnectionLost, Delivery::NotDelivered),
            "{scheme}: {outcome:?}"
        );
        assert_eq!(user.shown(), 0);
    }
}

/// Reads the beginning of each request, answers, and closes the connection with the rest unread.
fn answering_the_head(answer: &'static [u8]) -> String {
    let (listener, base_url) = listen();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut head = [0; 512];
            socket.read_exact(&mut head).unwrap();
            // Wait until this end's buffer is full: the rest of the request is then still in the client's.
            let mut seen = (0, vec![0; 1024 * 1024]);
            while socket.peek(&mut seen.1).is_ok_and(|count| count > seen.0) {
                seen.0 = socket.peek(&mut seen.1).unwrap();
                (0..1000).for_each(|_| thread::yield_now());
            }
            socket.write_all(answer).unwrap();
        }
    });
    base_url
}

#[cfg(target_os = "linux")]
#[test]
fn a_success_while_the_kernel_still_holds_part_of_the_request_is_not_a_delivery() {
    let content = "x".repeat(800 * 1024);
    for (answer, status, delivery) in [
        (&b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}"[..], Status::BadReply, Delivery::Unknown),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", Status::NotFound, Delivery::NotDelivered),
        (b"", Status::ConnectionLost, Delivery::NotDelivered),
    ] {
        let mut options = options_for(sandbox());
        options.base_url = answering_the_head(answer);
        options.max_attempts = 1;
        let client = Client::new("key", options).unwrap();
        let outcome = outcome(send(&client, &Message::new(1, &*content)));
        assert_eq!((outcome.status(), outcome.delivery()), (status, delivery), "{outcome:?}");
    }
}

//! What the tests share: a client that sees every byte.

#![allow(dead_code)] // Each test file uses its part.

use serde_json::Value;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use ue_sandbox::{Options, Sandbox};

/// Longer than anything here should take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A sandbox on a free port.
pub fn sandbox() -> Sandbox {
    Sandbox::start(Options::default()).unwrap()
}

/// A sandbox on a free port that is told more.
pub fn sandbox_with(change: impl FnOnce(&mut Options)) -> Sandbox {
    let mut options = Options::default();
    change(&mut options);
    Sandbox::start(options).unwrap()
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Fin,
    Reset,
}

/// An answer as it was read.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }
}

/// A connection to a sandbox.
pub struct Client {
    socket: TcpStream,
    unread: Vec<u8>,
    key: String,
}

impl Client {
    pub fn connect(sandbox: &Sandbox) -> Client {
        let socket = TcpStream::connect(sandbox.address()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Client { socket, unread: Vec::new(), key: sandbox.api_key().to_owned() }
    }

    /// The bytes of a request with the headers of the specification and more.
    pub fn request(&self, id: &str, more: &str, body: &str) -> String {
        format!(
            "POST /api/public/users/{id}/conversations/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {}\r\n\
             Content-Type: application/json\r\n{more}Content-Length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        )
    }

    pub fn write(&mut self, text: &str) {
        self.socket.write_all(text.as_bytes()).unwrap();
    }

    /// Writes as much as the sandbox takes.
    pub fn try_write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.socket.write_all(bytes)
    }

    /// Sends a message and reads the answer.
    pub fn send(&mut self, id: &str, body: &str) -> Answer {
        let request = self.request(id, "", body);
        self.write(&request);
        self.read_answer()
    }

    /// Sends a request without a body, or with one of the REST's.
    pub fn ask(&mut self, method: &str, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|json| json.to_string()).unwrap_or_default();
        self.write(&format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ));
        self.read_answer()
    }

    pub fn get(&mut self, path: &str) -> Value {
        self.ask("GET", path, None).json()
    }

    /// Reads one answer, its body by `Content-Length`.
    pub fn read_answer(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            assert!(
                self.read_more().is_ok_and(|count| count > 0),
                "no answer, only {:?}",
                String::from_utf8_lossy(&self.unread)
            );
        };
        let head = String::from_utf8(self.unread.drain(..end).collect()).unwrap();
        let mut answer = Answer { status: head[9..12].parse().unwrap(), head, body: String::new() };
        let length: usize = answer.header("content-length").map_or(0, |length| length.parse().unwrap());
        while self.unread.len() < length {
            assert!(self.read_more().is_ok_and(|count| count > 0), "the body is cut");
        }
        answer.body = String::from_utf8(self.unread.drain(..length).collect()).unwrap();
        answer
    }

    fn read_more(&mut self) -> std::io::Result<usize> {
        let mut buffer = [0; 65_536];
        let count = self.socket.read(&mut buffer)?;
        self.unread.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    /// Reads until at least so many bytes came, and gives them.
    pub fn read_at_least(&mut self, count: usize) -> Vec<u8> {
        while self.unread.len() < count {
            assert!(self.read_more().is_ok_and(|count| count > 0), "it ended early");
        }
        std::mem::take(&mut self.unread)
    }

    /// Reads all that comes, and how it ends.
    pub fn read_to_end(&mut self) -> (String, End) {
        let end = loop {
            match self.read_more() {
                Ok(0) => break End::Fin,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break End::Reset,
                Err(error) => panic!("neither FIN nor RST: {error}"),
            }
        };
        (String::from_utf8_lossy(&std::mem::take(&mut self.unread)).into_owned(), end)
    }

    /// Whether nothing comes for a moment.
    pub fn is_silent(&mut self) -> bool {
        self.socket.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
        let silent = matches!(self.read_more(), Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        silent
    }

    /// Ends the sending side.
    pub fn finish(&mut self) {
        self.socket.shutdown(std::net::Shutdown::Write).unwrap();
    }
}

/// Waits until something holds that another thread brings about.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "still not so: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

//! A server that answers every request with the same bytes, and counts the requests.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use userengage::Options;

/// What the server does after the answer.
#[derive(Clone)]
pub enum Then {
    /// Keeps the connection open for another request.
    Keep,
    /// Closes it (FIN).
    Close,
    /// Closes it with the request still unread (RST).
    Reset,
    /// Repeats these bytes, with a pause between them, until the client disconnects.
    Repeat(Vec<u8>, Duration),
}

/// An endless answer ends after this time, so that a client that never gives up fails its test instead of blocking it.
const LONGEST: Duration = Duration::from_secs(6);

/// A listener on a free port. Serves until it is dropped.
pub struct Raw {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    pieces: Vec<Vec<u8>>,
    then: Then,
    requests: AtomicUsize,
    dropped: AtomicBool,
}

impl Raw {
    /// Writes each piece separately, so that a fast client gets it in a separate read.
    pub fn start(pieces: impl IntoIterator<Item: Into<Vec<u8>>>, then: Then) -> Raw {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            pieces: pieces.into_iter().map(Into::into).collect(),
            then,
            requests: AtomicUsize::new(0),
            dropped: AtomicBool::new(false),
        });
        let served = shared.clone();
        thread::spawn(move || {
            for socket in listener.incoming() {
                if served.dropped.load(Ordering::SeqCst) {
                    return;
                }
                let served = served.clone();
                thread::spawn(move || served.serve(socket.unwrap()));
            }
        });
        Raw { address, shared }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Options for this server, with the defaults for everything else.
    pub fn options(&self) -> Options {
        let mut options = Options::default();
        options.base_url = self.base_url();
        options
    }

    /// How many complete requests arrived.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.shared.dropped.store(true, Ordering::SeqCst);
        // Wakes the listener.
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    /// Returns when the client disconnects.
    fn serve(&self, mut socket: TcpStream) -> Option<()> {
        socket.set_nodelay(true).unwrap();
        loop {
            let length = await_request(&socket)?;
            self.requests.fetch_add(1, Ordering::SeqCst);
            if !matches!(self.then, Then::Reset) {
                socket.read_exact(&mut vec![0; length]).ok()?;
            }
            for piece in &self.pieces {
                socket.write_all(piece).ok()?;
                (0..20).for_each(|_| thread::yield_now());
            }
            match &self.then {
                Then::Keep => {}
                Then::Close | Then::Reset => return None,
                Then::Repeat(bytes, pause) => return repeat(&mut socket, bytes, *pause),
            }
        }
    }
}

/// Waits for a complete request without reading it, and returns its length. `None` if the client disconnects.
fn await_request(socket: &TcpStream) -> Option<usize> {
    let mut seen = vec![0; 64 * 1024];
    loop {
        let count = socket.peek(&mut seen).ok().filter(|count| *count > 0)?;
        match length_of_request(&seen[..count]) {
            Some(length) if length <= count => return Some(length),
            _ => thread::yield_now(),
        }
    }
}

/// The length of head and body, once the head is complete.
fn length_of_request(seen: &[u8]) -> Option<usize> {
    let head = String::from_utf8_lossy(seen).split_once("\r\n\r\n")?.0.to_ascii_lowercase();
    let body = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    Some(head.len() + 4 + body.unwrap_or(0))
}

fn repeat(socket: &mut TcpStream, bytes: &[u8], pause: Duration) -> Option<()> {
    let started = Instant::now();
    // A client that stops reading but stays connected must not block this thread without end.
    socket.set_write_timeout(Some(LONGEST)).unwrap();
    while started.elapsed() < LONGEST {
        match socket.write_all(bytes) {
            Err(error) if error.kind() != ErrorKind::Interrupted => return None,
            _ => thread::sleep(pause),
        }
    }
    None
}

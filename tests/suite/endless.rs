//! Answers that never end, at full speed and in a trickle. The deadline and the interrupt callback still work, and
//! memory stays bounded. Each message is sent from its own process, so that its memory can be measured.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use userengage::{Client, Delivery, Options, Status};

use super::{ASKS, send};
use crate::raw::{Raw, Then};
use crate::support::*;

const TIMEOUT: Duration = Duration::from_secs(1);
const SLACK: Duration = Duration::from_millis(500);
const MEMORY_KIB: u64 = 10 * 1024;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The report of the sending process.
struct Found {
    status: Status,
    delivery: Delivery,
    took: Duration,
    /// How often the interrupt callback was called.
    asked: u32,
    /// The growth of the peak memory.
    grown_kib: u64,
}

/// The full name of a test of this module: by call or by queue.
fn this_module(test: &str) -> String {
    format!("{}::{test}", module_path!().split_once("::").unwrap().1)
}

/// Sends one message to `server` from another process. Its callback cancels the call at the `cancel_at`th time, if not
/// 0.
fn send_to(server: &Raw, cancel_at: u32) -> Found {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &this_module("the_sending_process"), "--ignored", "--nocapture"])
        .env("UE_SUITE_SEND", format!("{} {cancel_at}", server.base_url()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.split_once("found: ").and_then(|(_, found)| found.lines().next());
    let found = found.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    let fields: Vec<&str> = found.split(' ').collect();
    let number = |place: usize| fields[place].parse::<u64>().unwrap();
    Found {
        status: [Status::Ok, Status::Timeout, Status::BadReply, Status::Cancelled]
            .into_iter()
            .find(|status| format!("{status:?}") == fields[0])
            .unwrap_or_else(|| panic!("an endless answer came to {found}")),
        delivery: [Delivery::Unknown, Delivery::NotDelivered, Delivery::Delivered]
            .into_iter()
            .find(|delivery| *delivery as u64 == number(1))
            .unwrap(),
        took: Duration::from_millis(number(2)),
        asked: number(3) as u32,
        grown_kib: number(4),
    }
}

#[test]
#[ignore = "the other half of the tests of this file, which start it in a process of its own"]
fn the_sending_process() {
    let Ok(told) = std::env::var("UE_SUITE_SEND") else { return };
    let (base_url, cancel_at) = told.split_once(' ').unwrap();
    let cancel_at: u32 = cancel_at.parse().unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    let mut options = Options::default();
    options.base_url = base_url.to_owned();
    options.timeout = TIMEOUT;
    options.max_attempts = 1;
    options.interrupt = Some(Arc::new(move || count.fetch_add(1, Ordering::Relaxed) + 1 == cancel_at));
    let client = Client::new("0123456789abcdef", options).unwrap();
    let (before, started) = (peak_kib(), Instant::now());
    let outcome = outcome(send(&client, &User::new().message()));
    println!(
        "found: {:?} {} {} {} {}",
        outcome.status(),
        outcome.delivery() as u32,
        started.elapsed().as_millis(),
        asked.load(Ordering::Relaxed),
        peak_kib() - before
    );
}

/// The peak memory of this process.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// A server that answers with `start`, then repeats `piece` without end.
fn endless(start: &str, piece: &[u8], pause: Duration) -> Raw {
    Raw::start([start], Then::Repeat(piece.to_vec(), pause))
}

fn check_bounded(name: &str, server: &Raw) -> Found {
    let found = send_to(server, 0);
    let Found { took, asked, grown_kib, .. } = found;
    assert!(took < TIMEOUT + SLACK, "{name}: took {took:?}");
    assert!(grown_kib < MEMORY_KIB, "{name}: memory grew by {grown_kib} KiB");
    // Every 100 ms. On a busy machine, half as often.
    assert!(!ASKS || u128::from(asked) >= took.as_millis() / 200, "{name}: asked {asked} times in {took:?}");
    assert_eq!(server.requests(), 1, "{name}");
    found
}

/// A success whose body is being read is a delivery, cancelled or not. So at the deadline and after a cancellation the
/// same is known.
fn check_cancelled(name: &str, server: &Raw, delivery: Delivery) {
    let found = send_to(server, 3);
    let Found { took, asked, .. } = found;
    let status = if delivery == Delivery::Delivered { Status::Ok } else { Status::Cancelled };
    assert_eq!((found.status, found.delivery), (status, delivery), "{name}: cancelled");
    assert_eq!(asked, 3, "{name}");
    assert!(took < Duration::from_millis(900), "{name}: took {took:?}");
}

/// A body of JSON that is read to its limit or to the deadline, at full speed and in a trickle.
const DELIVERED: [(Status, Delivery); 2] = [(Status::Ok, Delivery::Delivered); 2];
/// A success in broken framing.
const BROKEN: [(Status, Delivery); 2] = [(Status::BadReply, Delivery::Unknown); 2];
/// A head that reaches its limit at full speed, and the deadline in a trickle.
const HEAD: [(Status, Delivery); 2] = [(Status::BadReply, Delivery::Unknown), (Status::Timeout, Delivery::Unknown)];

/// Checks an endless answer at full speed and in a trickle, up to the deadline and with a callback that cancels.
/// Returns the outcomes without the callback.
fn check(name: &str, start: &str, piece: &str) -> [(Status, Delivery); 2] {
    let many = piece.repeat((64 * 1024_usize).div_ceil(piece.len()));
    let few = piece.repeat(250_usize.div_ceil(piece.len()));
    [(many, Duration::ZERO), (few, Duration::from_millis(20))].map(|(piece, pause)| {
        let server = endless(start, piece.as_bytes(), pause);
        let found = check_bounded(name, &server);
        if ASKS && found.took >= TIMEOUT {
            check_cancelled(name, &endless(start, piece.as_bytes(), pause), found.delivery);
        }
        (found.status, found.delivery)
    })
}

#[test]
fn a_chunk_size() {
    assert_eq!(check("a chunk size", CHUNKED, "0"), BROKEN);
}

#[test]
fn a_chunk_extension() {
    assert_eq!(check("a chunk extension", &format!("{CHUNKED}2;note="), "x"), BROKEN);
}

#[test]
fn a_trailer() {
    assert_eq!(check("a trailer field", &format!("{CHUNKED}2\r\n{{}}\r\n0\r\nX-A: "), "a"), DELIVERED);
}

#[test]
fn trailers() {
    assert_eq!(check("trailer fields", &format!("{CHUNKED}2\r\n{{}}\r\n0\r\n"), "X-A: b\r\n"), DELIVERED);
}

#[test]
fn chunks_of_a_byte() {
    assert_eq!(check("chunks of a byte", &format!("{CHUNKED}1\r\n[\r\n"), "1\r\n \r\n"), DELIVERED);
}

#[test]
fn a_body_without_a_length() {
    assert_eq!(check("a body", "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[", " "), DELIVERED);
}

#[test]
fn a_field_of_the_head() {
    assert_eq!(check("a field", "HTTP/1.1 201 Created\r\nX-A: ", "a"), HEAD);
}

#[test]
fn fields_of_the_head() {
    assert_eq!(check("fields", "HTTP/1.1 201 Created\r\n", "X-A: b\r\n"), HEAD);
}

#[test]
fn interim_answers() {
    assert_eq!(check("interim answers", "", "HTTP/1.1 100 Continue\r\nServer: IIS\r\n\r\n"), HEAD);
}

#[test]
fn a_reason_phrase() {
    assert_eq!(check("a reason phrase", "HTTP/1.1 201 ", "Created "), HEAD);
}

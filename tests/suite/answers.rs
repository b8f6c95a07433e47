//! Answers byte by byte, whole and cut into two at several places, and the outcome that each must have. Most are
//! answers of real servers, proxies and portals.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use userengage::Delivery::{self, Delivered, NotDelivered, Unknown};
use userengage::Status::{self, BadReply, Ok, RateLimited, Rejected, ServerError};
use userengage::{Client, Level};

use super::send;
use crate::raw::{Raw, Then};
use crate::support::*;

/// An answer and its expected outcome, with at most once.
struct Case {
    name: &'static str,
    answer: Vec<u8>,
    then: Then,
    status: Status,
    delivery: Delivery,
    /// How many requests arrive if two attempts are allowed.
    requests: u32,
    timeout: Duration,
    retry_after: Option<Duration>,
    detail: Option<&'static str>,
    /// Words that must not appear in any text or log line.
    never: Option<&'static str>,
}

impl Case {
    fn new(name: &'static str, answer: impl Into<Vec<u8>>, status: Status, delivery: Delivery) -> Case {
        Case {
            name,
            answer: answer.into(),
            then: Then::Keep,
            status,
            delivery,
            requests: 1,
            timeout: Duration::from_secs(10),
            retry_after: None,
            detail: None,
            never: None,
        }
    }

    /// The server closes the connection after its answer.
    fn closed(mut self) -> Case {
        self.then = Then::Close;
        self
    }

    /// The answer asks to wait this long, which is past the deadline.
    fn asks_to_wait(mut self, seconds: u64) -> Case {
        self.retry_after = Some(Duration::from_secs(seconds));
        self.timeout = Duration::from_secs(1);
        self
    }

    fn says(mut self, detail: &'static str) -> Case {
        self.detail = Some(detail);
        self
    }

    fn never_says(mut self, words: &'static str) -> Case {
        self.never = Some(words);
        self
    }

    fn repeated(mut self) -> Case {
        self.requests = 2;
        self
    }

    fn check_in(&self, pieces: &[&[u8]]) {
        let context = format!("{} in {:?}", self.name, pieces.iter().map(|piece| piece.len()).collect::<Vec<_>>());
        let server = Raw::start(pieces.iter().copied(), self.then.clone());
        let lines = Arc::new(Mutex::new(String::new()));
        let log = lines.clone();
        let mut options = server.options();
        options.max_attempts = 2;
        options.timeout = self.timeout;
        options.log = Some((Level::Trace, Arc::new(move |_, text: &str| log.lock().unwrap().push_str(text))));
        let client = Client::new(sandbox().api_key(), options).unwrap();
        let outcome = outcome(send(&client, &User::new().message()));
        let got = (outcome.status(), outcome.delivery(), outcome.attempts());
        assert_eq!(got, (self.status, self.delivery, self.requests), "{context}: {outcome:?}");
        assert_eq!(server.requests(), self.requests as usize, "{context}");
        if self.retry_after.is_some() {
            assert_eq!(outcome.retry_after(), self.retry_after, "{context}");
        }
        if let Some(detail) = self.detail {
            assert_eq!(outcome.detail(), detail, "{context}");
        }
        if let Some(words) = self.never {
            let lines = lines.lock().unwrap();
            for text in [outcome.message(), outcome.detail(), &format!("{outcome:?}"), &**lines] {
                assert!(!text.contains(words), "{context}: {text}");
            }
        }
    }
}

fn delivered(name: &'static str, answer: impl Into<Vec<u8>>) -> Case {
    Case::new(name, answer, Ok, Delivered)
}

/// A 2xx that is not the service's.
fn stranger(name: &'static str, answer: impl Into<Vec<u8>>) -> Case {
    Case::new(name, answer, BadReply, Unknown)
}

/// Checks every case whole and cut at a dozen places. The unit tests of the reader cut at every byte.
fn check(cases: &[Case]) {
    for case in cases {
        case.check_in(&[&case.answer]);
        let length = case.answer.len();
        for place in (1..=12).map(|part| (part * length / 13).max(1)) {
            let (first, second) = case.answer.split_at(place);
            case.check_in(&[first, second]);
        }
    }
}

/// A 201 with a body of the service and with `fields`, after `before`: interim answers or nothing.
fn created(before: &str, fields: &str) -> String {
    format!("{before}HTTP/1.1 201 Created\r\n{fields}Content-Length: 9\r\n\r\n{{\"id\": 7}}")
}

/// A 200 in chunks, without a media type.
fn chunked(chunks: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
}

/// A 200 with a media type.
fn typed(media_type: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// An answer with these fields and without a body.
fn empty(status_line: &str, fields: &str) -> String {
    format!("HTTP/1.1 {status_line}\r\n{fields}Content-Length: 0\r\n\r\n")
}

#[test]
fn interim_answers_of_any_form_are_passed_over() {
    check(&[
        delivered("100", created("HTTP/1.1 100 Continue\r\n\r\n", "")),
        delivered("100 with a field", created("HTTP/1.1 100 Continue\r\nServer: IIS\r\n\r\n", "")),
        delivered("103 with fields", created("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\n", "")),
        delivered(
            "a 102 and a 100 with fields",
            created("HTTP/1.1 102 Processing\r\nA: b\r\n\r\nHTTP/1.1 100 Continue\r\nC: d\r\n\r\n", ""),
        ),
        delivered("100 with a folded field", created("HTTP/1.1 100 Continue\r\nA: b\r\n c\r\n\r\n", "")),
    ]);
}

#[test]
fn odd_fields_that_are_not_read_change_nothing() {
    let cookies: String = (0..200).map(|count| format!("Set-Cookie: c{count}={}\r\n", "x".repeat(90))).collect();
    check(&[
        delivered("a folded field line", created("", "X-Policy: a\r\n  b\r\n")),
        delivered("a field line folded by a tab, twice", created("", "X-Policy: a\r\n\tb\r\n\tc\r\n")),
        delivered("a space before the colon", created("", "X-A : b\r\n")),
        delivered("an empty name", created("", ": b\r\n")),
        delivered("an empty value", created("", "X-A:\r\n")),
        delivered("200 fields", created("", &cookies)),
        delivered("2,000 fields", created("", &"a: b\r\n".repeat(2000))),
    ]);
}

#[test]
fn a_success_in_broken_chunks_is_not_a_delivery() {
    check(&[
        stranger("a page in a chunk of the wrong size", chunked("6\r\n<html>X\r\n0\r\n\r\n")).closed(),
        stranger("json in a chunk of the wrong size", chunked("2\r\n{}X\r\n0\r\n\r\n")).closed(),
        stranger("a size that is not a number", chunked("what?\r\n{}\r\n0\r\n\r\n")).closed(),
        stranger("json, then a size that is not a number", chunked("2\r\n{}\r\nwhat?\r\n")).closed(),
        stranger("a negative size", chunked("-2\r\n{}\r\n0\r\n\r\n")).closed(),
        stranger("a size of 80 bits", chunked("fffffffffffffffffffff\r\n{}\r\n0\r\n\r\n")).closed(),
        stranger("a page in lines that end in LF alone", chunked("6\n<html>\n0\n\n")).closed(),
        stranger(
            "a page that is chunked and more",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, identity\r\n\r\n6\r\n<html>\r\n0\r\n\r\n",
        )
        .closed(),
        stranger(
            "a page in a chunk with a long extension",
            chunked("6;note=\"a portal of somebody\"\r\n<html>\r\n0\r\n\r\n"),
        ),
    ]);
}

#[test]
fn a_success_in_sound_chunks_is_a_delivery() {
    check(&[
        delivered("one chunk", chunked("2\r\n{}\r\n0\r\n\r\n")),
        delivered("no chunk", chunked("0\r\n\r\n")),
        delivered("an extension and a trailer", chunked("2;a=b\r\n{}\r\n0\r\nX-A: b\r\n\r\n")),
        delivered("a long extension", chunked("2;note=\"a word of somebody\"\r\n{}\r\n0\r\n\r\n")),
    ]);
}

#[test]
fn a_success_that_is_cut_is_judged_by_the_part_that_came() {
    check(&[
        delivered("json, cut", "HTTP/1.1 201 Created\r\nContent-Length: 99\r\n\r\n{\"id\": 7").closed(),
        delivered("json in a chunk, cut", chunked("9\r\n{\"id\"")).closed(),
        delivered("json in chunks, the last missing", chunked("2\r\n{}\r\n")).closed(),
        delivered("no byte of it came", "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n").closed(),
        stranger("a page, cut", "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n<html>").closed(),
    ]);
}

#[test]
fn a_success_that_is_not_json_is_not_a_delivery() {
    check(&[
        stranger("json as a parameter of html", typed("text/html; profile=\"json\"", "<html>login")),
        stranger("json in a comment of the type", typed("text/html;charset=application/json", "<html>")),
        stranger("a page that is declared as json", typed("application/json", "<html>login")),
        stranger("json and a page", typed("application/json", "{\"id\": 7}<html>")),
        stranger("two jsons", typed("application/json", "{} {}")),
        stranger("a page that begins with a bracket", typed("text/html", "[Welcome] <html>")),
        stranger("a page that begins with a brace", typed("text/html", "{{ portal }}")),
        stranger("a page of no stated type", "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n[Welcome] <html>"),
    ]);
}

#[test]
fn a_success_that_is_empty_or_json_is_a_delivery() {
    check(&[
        delivered("nothing", typed("application/json", "")),
        delivered("nothing, declared as html", typed("text/html", "")),
        delivered("json, declared as html", typed("text/html", "{\"id\": 7}")),
        delivered("json with white space around it", typed("application/json", "\n {\"id\": 7}\r\n")),
        delivered("no content", "HTTP/1.1 204 No Content\r\n\r\n"),
    ]);
}

#[test]
fn a_503_a_408_and_a_302_prove_nothing() {
    check(&[
        Case::new("503", empty("503 Service Unavailable", ""), ServerError, Unknown),
        Case::new("503, 5 s", empty("503 Backend fetch failed", "Retry-After: 5\r\n"), ServerError, Unknown),
        Case::new("503, at once", empty("503 Service Unavailable", "Retry-After: 0\r\n"), ServerError, Unknown),
        Case::new("408", empty("408 Request Timeout", ""), Rejected, Unknown),
        Case::new("302", empty("302 Found", "Location: /login\r\n"), BadReply, Unknown),
        Case::new("303", empty("303 See Other", "Location: /done\r\n"), BadReply, Unknown),
        Case::new("302 without a place", empty("302 Found", ""), BadReply, Unknown),
    ]);
}

#[test]
fn a_301_a_307_and_a_308_prove_that_nothing_was_processed() {
    for status_line in ["301 Moved Permanently", "307 Temporary Redirect", "308 Permanent Redirect"] {
        let answer = empty(status_line, "Location: https://x.example/\r\n");
        check(&[Case::new("moved", answer, BadReply, NotDelivered)]);
    }
}

#[test]
fn how_long_to_wait_is_read_as_the_server_means_it() {
    let limited =
        |name, fields: &str| Case::new(name, empty("429 Too Many Requests", fields), RateLimited, NotDelivered);
    check(&[
        limited("in seconds", "Retry-After: 7\r\n").asks_to_wait(7),
        limited("a fraction is rounded up", "Retry-After: 1.5\r\n").asks_to_wait(2),
        limited("a small one too", "Retry-After: 2.001\r\n").asks_to_wait(3),
        limited(
            "by the server's clock, an hour ahead",
            "Date: Thu, 26 Nov 2026 13:00:00 GMT\r\nRetry-After: Thu, 26 Nov 2026 13:00:03 GMT\r\n",
        )
        .asks_to_wait(3),
        limited(
            "by the server's clock, years behind",
            "Date: Sat, 01 Jan 2000 00:00:00 GMT\r\nRetry-After: Sat, 01 Jan 2000 00:01:00 GMT\r\n",
        )
        .asks_to_wait(60),
    ]);
}

#[test]
fn an_invalid_retry_after_counts_as_not_given() {
    let answer = |when: &str| empty("425 Too Early", &format!("Retry-After: {when}\r\n"));
    for when in ["soon", "-1", "1e3", "1.", ".5.", "0x10"] {
        Case::new("no time", answer(when), Rejected, NotDelivered).repeated().check_in(&[answer(when).as_bytes()]);
    }
}

#[test]
fn the_services_words_are_shown_and_the_content_never() {
    let refused = |name, fields: &str, body: &str| {
        let length = body.len();
        let head = format!("HTTP/1.1 400 Bad Request\r\nContent-Type: {fields}\r\nContent-Length: {length}\r\n\r\n");
        Case::new(name, head + body, Rejected, NotDelivered)
    };
    check(&[
        refused(
            "the content comes back escaped",
            "text/plain",
            r#"content "Hi \u003cb\u003euser\u003c/b\u003e, enjoy" refused"#,
        )
        .never_says("enjoy"),
        refused("a BOM before json", "application/json", "\u{feff}{\"detail\": \"Too long\"}\n").says("Too long"),
        refused("no BOM", "application/json", r#"{"detail": "Too long"}"#).says("Too long"),
    ]);
}

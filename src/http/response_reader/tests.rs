use super::*;
use crate::http::ContentType;
use BodyEnd::{Broken, Closed, Cut, Whole};

mod corpus;
mod splits;

/// The result of reading an answer.
#[derive(Debug, PartialEq)]
struct Outcome {
    fault: Option<String>,
    /// Before the end of the connection was reported.
    is_done: bool,
    can_reuse: bool,
    answer: Option<Seen>,
}

#[derive(Debug, PartialEq)]
struct Seen {
    status: u16,
    location_host: Option<String>,
    content_type: ContentType,
    content_encoded: bool,
    retry_after: Option<String>,
    date: Option<String>,
    request_id: String,
    cloudflare: bool,
    body: Vec<u8>,
    body_end: BodyEnd,
    request_complete: bool,
}

impl From<Answer> for Seen {
    fn from(answer: Answer) -> Self {
        Seen {
            status: answer.status,
            location_host: answer.location_host,
            content_type: answer.content_type,
            content_encoded: answer.content_encoded,
            retry_after: answer.retry_after,
            date: answer.date,
            request_id: answer.request_id,
            cloudflare: answer.cloudflare,
            body: answer.body,
            body_end: answer.body_end,
            request_complete: answer.request_complete,
        }
    }
}

/// Reads `parts`, and then the end of the connection unless the answer is complete before.
fn outcome_of<'a>(parts: impl IntoIterator<Item = &'a [u8]>, clean: bool) -> Outcome {
    let mut reader = ResponseReader::new();
    let fault = parts.into_iter().find_map(|part| match reader.push(part) {
        Ok(()) => None,
        Err(Fault::Garbage(text)) => Some(text),
        Err(fault) => panic!("{fault:?}"),
    });
    let (is_done, can_reuse) = (reader.is_done(), reader.can_reuse());
    if !is_done {
        reader.end(clean);
    }
    assert!(reader.is_done());
    assert_eq!(reader.can_reuse(), can_reuse);
    let has_head = reader.has_head();
    let answer = reader.take(true).map(Seen::from);
    assert_eq!(answer.is_some(), has_head);
    assert!(answer.is_none() || fault.is_none());
    Outcome { fault, is_done, can_reuse, answer }
}

fn outcome(bytes: impl AsRef<[u8]>) -> Outcome {
    outcome_of([bytes.as_ref()], true)
}

/// The answer in `bytes`. The connection ends after them.
fn seen(bytes: impl AsRef<[u8]>) -> Seen {
    outcome(bytes.as_ref()).answer.unwrap_or_else(|| panic!("no answer: {}", bytes.as_ref().escape_ascii()))
}

/// The body of an answer with the given fields.
fn body(fields: &str, body: impl AsRef<[u8]>) -> (BodyEnd, Vec<u8>) {
    let seen = seen([format!("HTTP/1.1 201 Created\r\n{fields}\r\n").as_bytes(), body.as_ref()].concat());
    (seen.body_end, seen.body)
}

fn chunked(coded: impl AsRef<[u8]>) -> (BodyEnd, Vec<u8>) {
    body("Transfer-Encoding: chunked\r\n", coded)
}

const ANSWER: &str = "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{\"id\": 7}";

#[test]
fn a_usual_answer_is_read_whole() {
    let outcome = outcome(
        "HTTP/1.1 429 Too Many Requests\r\nDate: Thu, 26 Nov 2026 12:00:00 GMT\r\nContent-Type: application/json\r\n\
         Content-Length: 2\r\nConnection: keep-alive\r\nCF-RAY: 8a1-FRA\r\nServer: cloudflare\r\nRetry-After: 7\r\n\
         Content-Encoding: gzip\r\nLocation: https://x.example/y\r\n\r\n{}",
    );
    let answer = Seen {
        status: 429,
        location_host: Some("x.example".into()),
        content_type: ContentType::Json,
        content_encoded: true,
        retry_after: Some("7".into()),
        date: Some("Thu, 26 Nov 2026 12:00:00 GMT".into()),
        request_id: "8a1-FRA".into(),
        cloudflare: true,
        body: b"{}".into(),
        body_end: Whole,
        request_complete: true,
    };
    assert_eq!(outcome, Outcome { fault: None, is_done: true, can_reuse: true, answer: Some(answer) });
}

#[test]
fn fields_that_only_matter_on_errors_are_skipped_on_success() {
    for (status, is_read) in [(199, true), (200, false), (299, false), (300, true), (503, true)] {
        let head = format!(
            "HTTP/1.1 {status} X\r\nDate: a\r\nLocation: https://h/\r\nRetry-After: b\r\nServer: Cloudflare\r\nCF-Ray: c\r\n\r\n"
        );
        let last = if status < 200 { "HTTP/1.1 200 X\r\n\r\n" } else { "" };
        let seen = seen(format!("{head}{last}"));
        if status < 200 {
            assert_eq!((seen.status, seen.request_id.as_str()), (200, ""));
            continue;
        }
        assert_eq!(seen.request_id, "c");
        assert_eq!(seen.cloudflare, is_read, "{status}");
        for field in [seen.date, seen.retry_after, seen.location_host] {
            assert_eq!(field.is_some(), is_read, "{status}");
        }
    }
}

#[test]
fn an_interim_head_is_skipped_whatever_it_holds() {
    for interim in [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 100 Continue\r\nServer: IIS\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100\nDate: x\n\n",
        "HTTP/1.1 102 Processing\r\nContent-Length: 3\r\nTransfer-Encoding: gzip\r\nConnection: close\r\nCF-Ray: x\r\n\r\n",
        "HTTP/1.0 199 X\r\nno field\r\n\r\n\r\n\r\n",
    ] {
        assert_eq!(outcome(format!("{interim}{ANSWER}")), outcome(ANSWER), "{interim}");
        let alone = outcome(interim);
        assert_eq!((alone.fault, alone.is_done, alone.answer), (None, false, None), "{interim}");
    }
}

#[test]
fn switching_protocols_is_the_last_head_and_has_no_body() {
    let outcome = outcome("HTTP/1.1 101 Switching Protocols\r\nContent-Length: 5\r\n\r\n");
    assert!(outcome.is_done && !outcome.can_reuse);
    let answer = outcome.answer.unwrap();
    assert_eq!((answer.status, answer.body, answer.body_end), (101, vec![], Whole));
}

#[test]
fn a_folded_field_is_unfolded() {
    let head = "HTTP/1.1 503 X\r\nX-Policy: a\r\n  b\r\nRetry-After:\r\n\t5\r\nDate: Thu, \r\n \t 26 Nov\r\n \r\n 2026\r\n\
                Content-Length: \r\n 2\r\nX: y\r\n Content-Length: 9\r\n\r\n{}";
    let seen = seen(head);
    assert_eq!(seen.retry_after.as_deref(), Some("5"));
    assert_eq!(seen.date.as_deref(), Some("Thu, 26 Nov 2026"));
    assert_eq!((seen.body_end, seen.body.as_slice()), (Whole, &b"{}"[..]));
}

#[test]
fn a_line_that_is_not_a_field_is_skipped_with_its_continuations() {
    for line in [
        "X-A : b",
        "X-A\t: b",
        "no field",
        ": no name",
        ":",
        "Two Words: b",
        "a\r\n b",
        "no field\r\n Content-Length: 4",
        " first line continues nothing: a",
        "\tContent-Length: 4",
        "X: a\0b",
        "X: a\rb",
        "X: a\x7fb",
        "\0",
        "\x01\r\n\tContent-Length: 4",
        "\r\r",
        "\u{e9}: b",
        "(Content-Length: 4",
        "Content-Lengths: 4",
        "Content-Lengt: 4",
    ] {
        for end in ["\r\n", "\n"] {
            let answer = format!("HTTP/1.1 201 Created{end}{line}{end}Content-Length: 9{end}{end}{{\"id\": 7}}");
            assert_eq!(outcome(&answer), outcome(ANSWER), "{line:?}");
        }
    }
    // A malformed field counts as missing, and the next one of its name as the first.
    let answer = seen(
        "HTTP/1.1 503 X\r\nRetry-After: 5\0\r\n 6\r\nRetry-After: 7\r\nCF-Ray x: y\r\nCF-Ray: a\rb\r\nDate (x): y\r\n\r\n",
    );
    assert_eq!((answer.retry_after.as_deref(), answer.date, answer.request_id.as_str()), (Some("7"), None, ""));
}

#[test]
fn many_fields_are_accepted() {
    let cookies: String = (0..200).map(|n| format!("Set-Cookie: c{n}={}\r\n", "x".repeat(90))).collect();
    let answer = format!("HTTP/1.1 201 Created\r\n{cookies}Content-Length: 9\r\n\r\n{{\"id\": 7}}");
    assert_eq!(outcome(answer), outcome(ANSWER));
}

#[test]
fn status_lines_of_all_kinds_are_read() {
    for (line, status) in [
        ("HTTP/1.1 200 OK", 200),
        ("HTTP/1.0 200 OK", 200),
        ("HTTP/1.1 200", 200),
        ("HTTP/1.1 200 ", 200),
        ("HTTP/1.1   404   Not  Found ", 404),
        ("HTTP/1.1 999 \u{e9}t\u{e9}\t!", 999),
        ("\r\n\n\r\nHTTP/1.1 201 Created", 201),
    ] {
        for end in ["\r\n", "\n"] {
            assert_eq!(seen(format!("{line}{end}{end}")).status, status, "{line:?}");
        }
    }
}

#[test]
fn bytes_that_cannot_begin_a_status_line_are_refused_at_once() {
    // All bytes but the last could still begin a status line.
    for garbage in [
        "<",
        "S",
        " ",
        "\r ",
        "\r\n\r\r",
        "h",
        "HTTP/2",
        "HTTP/1.2",
        "HTTP/1.11",
        "HTTP/1.1\t",
        "HTTP/1.1\r",
        "HTTP/1.1 0",
        "HTTP/1.1 2x",
        "HTTP/1.1 20\r",
        "HTTP/1.1 2000",
        "HTTP/1.1 200\t",
        "HTTP/1.1 200 a\0",
        "HTTP/1.1 200 a\x7f",
        "HTTP/1.1 200 a\rb",
        "HTTP/1.1 100 Continue\r\n\r\n<",
    ] {
        let outcome = outcome(format!("{garbage}tml>\r\n\r\n"));
        let fault = outcome.fault.unwrap_or_else(|| panic!("{garbage:?}"));
        assert!(fault.starts_with("what came is not an HTTP/1.1 answer"), "{fault}");
        assert!(outcome.is_done && !outcome.can_reuse && outcome.answer.is_none());
        for end in 0..garbage.len() {
            let mut reader = ResponseReader::new();
            assert!(reader.push(&garbage.as_bytes()[..end]).is_ok(), "{garbage:?}");
            assert!(!reader.has_head() && !reader.is_done());
        }
    }
}

#[test]
fn heads_have_a_bound_together() {
    let padded = |interim: &str, size: usize| {
        let empty = format!("{interim}HTTP/1.1 201 X\r\nContent-Length: 2\r\nX: \r\n\r\n").len();
        format!("{interim}HTTP/1.1 201 X\r\nContent-Length: 2\r\nX: {}\r\n\r\n{{}}", "x".repeat(size - empty))
    };
    for interim in ["", "\r\n\r\n", "HTTP/1.1 100 X\r\nA: b\r\n\r\n", &"HTTP/1.1 102 X\r\n\r\n".repeat(3000)] {
        assert_eq!(seen(padded(interim, LARGEST_HEAD)).body, b"{}");
        let outcome = outcome(padded(interim, LARGEST_HEAD + 1));
        assert_eq!(outcome.fault.as_deref(), Some("the answer's head is larger than 65536 bytes"));
        assert!(outcome.is_done && outcome.answer.is_none());
    }
}

#[test]
fn the_first_of_a_single_field_counts_if_it_is_visible_ascii() {
    let seen = seen(
        "HTTP/1.1 503 X\r\nRetry-After: 5\r\nretry-after: 6\r\nDate: \u{e9}\r\nDate: x\r\nCONTENT-TYPE: text/html\r\n\
         Content-Type: application/json\r\nLocation: https://[\r\nLocation: https://x.example\r\nServer: nginx\r\n\
         Server: cloudflare\r\n\r\n",
    );
    assert_eq!((seen.retry_after.as_deref(), seen.date, seen.location_host), (Some("5"), None, None));
    assert_eq!((seen.content_type, seen.cloudflare), (ContentType::Html, false));
}

#[test]
fn a_request_id_that_is_more_than_a_plain_id_is_not_kept() {
    let of = |id: &str| seen(format!("HTTP/1.1 201 X\r\nCF-Ray: {id}\r\n\r\n")).request_id;
    for (length, kept) in [(1, 1), (64, 64), (65, 0), (60_000, 0)] {
        assert_eq!(of(&"r".repeat(length)).len(), kept);
    }
    assert_eq!(of("8a1b2c3d4e5f6789-FRA"), "8a1b2c3d4e5f6789-FRA");
    for odd in ["Hi user, enjoy our product", "a_b", "a.b", "a/b", "a=", "é", "a\tb", "\"a\""] {
        assert_eq!(of(odd), "", "{odd}");
    }
}

#[test]
fn a_body_is_encoded_if_a_coding_other_than_identity_is_named() {
    for (fields, encoded) in [
        ("", false),
        ("Content-Encoding:\r\n", false),
        ("Content-Encoding: Identity\r\n", false),
        ("Content-Encoding: gzip\r\n", true),
        ("Content-Encoding: \u{e9}\r\n", true),
        ("Content-Encoding: identity, br\r\n", true),
        ("Content-Encoding: identity\r\nContent-Encoding: gzip\r\n", true),
    ] {
        assert_eq!(seen(format!("HTTP/1.1 201 X\r\n{fields}\r\n")).content_encoded, encoded, "{fields}");
    }
}

#[test]
fn statuses_without_a_body_end_with_their_head() {
    for (status, reused) in [(101, false), (204, true), (304, true)] {
        for fields in ["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n"] {
            let outcome = outcome(format!("HTTP/1.1 {status} X\r\n{fields}\r\n"));
            assert_eq!((outcome.is_done, outcome.can_reuse), (true, reused));
            assert_eq!(outcome.answer.unwrap().body_end, Whole);
        }
    }
}

#[test]
fn a_length_frames_the_body() {
    for fields in [
        "Content-Length: 9\r\n",
        "content-length:9\r\n",
        "Content-Length \t: \t9 \t\r\n",
        "Content-Length: 9, 9\r\n",
        "Content-Length: 9\r\nContent-Length: 009 ,9\r\n",
        "Content-Length: 9\r\nTransfer-Encoding: Identity\r\n",
    ] {
        let head = format!("HTTP/1.1 201 Created\r\n{fields}\r\n");
        assert_eq!(outcome(format!("{head}{{\"id\": 7}}")), outcome(ANSWER), "{fields}");
        assert_eq!(body(fields, "{\"id\":"), (Cut, b"{\"id\":".into()));
        assert_eq!(body(fields, ""), (Cut, vec![]));
    }
    assert_eq!(body("Content-Length: 18446744073709551615\r\n", "ab"), (Cut, b"ab".into()));
    assert_eq!(body("Content-Length: 0\r\n", ""), (Whole, vec![]));
}

#[test]
fn without_a_length_the_end_of_the_connection_ends_the_body() {
    for (fields, sent) in [("", ""), ("", "{}"), ("Transfer-Encoding: identity\r\n", "{}")] {
        let answer = format!("HTTP/1.1 201 Created\r\n{fields}\r\n{sent}");
        for (clean, end) in [(true, Closed), (false, Cut)] {
            let outcome = outcome_of([answer.as_bytes()], clean);
            assert!(!outcome.is_done && !outcome.can_reuse);
            let seen = outcome.answer.unwrap();
            assert_eq!((seen.body_end, seen.body.as_slice()), (end, sent.as_bytes()));
        }
    }
}

#[test]
fn a_body_with_unknown_framing_is_broken_and_not_read() {
    for fields in [
        "Content-Length: \r\n",
        "Content-Length: -9\r\n",
        "Content-Length: +9\r\n",
        "Content-Length: 0x9\r\n",
        "Content-Length: 9 9\r\n",
        "Content-Length: 9,\r\n",
        "Content-Length: 9, 8\r\n",
        "Content-Length: 9\r\nContent-Length: 8\r\n",
        "Content-Length: 8\r\nContent-Length: x\r\nContent-Length: 8\r\n",
        "Content-Length: 18446744073709551616\r\n",
        "Content-Length: \u{e9}\r\n",
        "Content-Length: 9\0\r\n",
        "Content-Length: 9\r9\r\n",
        "Content-Length: 9\r\n 9\r\n",
        "Content-Length: 9\r\nContent-Length\0: 9\r\n",
        "Content-Length 9\r\n",
        "Content-Length\r\n",
        "\x01Content-Length: 9\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding: gzip\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked,\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 9\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: chunked\0\r\nContent-Length: 9\r\n",
        "Transfer-Encoding\x0b: chunked\r\nContent-Length: 9\r\n",
        "Transfer-Encoding chunked\r\n",
    ] {
        for coded in ["", "9\r\n{\"id\": 7}\r\n0\r\n\r\n"] {
            let outcome = outcome(format!("HTTP/1.1 201 Created\r\n{fields}\r\n{coded}"));
            assert!(outcome.is_done && !outcome.can_reuse, "{fields:?}");
            let seen = outcome.answer.unwrap();
            assert_eq!((seen.body_end, seen.body), (Broken, vec![]), "{fields:?}");
        }
    }
}

#[test]
fn chunks_are_decoded() {
    let nine = b"{\"id\": 7}".to_vec();
    for coded in [
        "9\r\n{\"id\": 7}\r\n0\r\n\r\n",
        "4\r\n{\"id\r\n5\r\n\": 7}\r\n0\r\n\r\n",
        "0009 \t \r\n{\"id\": 7}\r\n000\r\n\r\n",
        "9;a=b;c=\"d e\"\r\n{\"id\": 7}\r\n0;x\r\n\r\n",
        "9 ; \u{e9}\t\r\n{\"id\": 7}\r\n0\r\nX: a\r\n b\r\nY:\r\n\r\n",
        "00000000000000000000000000009\r\n{\"id\": 7}\r\n0\r\nX: y\n\r\n",
    ] {
        let outcome = outcome(format!("HTTP/1.1 201 Created\r\nTRANSFER-ENCODING: Chunked\r\n\r\n{coded}"));
        assert!(outcome.is_done && outcome.can_reuse, "{coded:?}");
        let seen = outcome.answer.unwrap();
        assert_eq!((seen.body_end, seen.body), (Whole, nine.clone()), "{coded:?}");
    }
    assert_eq!(chunked(format!("aB\r\n{}\r\n0\r\n\r\n", "x".repeat(0xab))), (Whole, vec![b'x'; 0xab]));
    let longest = format!("9;{}\r\n{{\"id\": 7}}\r\n0\r\n\r\n", "x".repeat(8 * 1024 - 2));
    assert_eq!(chunked(longest), (Whole, nine));
}

#[test]
fn broken_chunks_keep_what_came_before() {
    let too_long = format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "x".repeat(8 * 1024 - 1));
    for coded in [
        "\r\n",
        "\n",
        "x\r\n",
        " 2\r\n{}\r\n",
        "-2\r\n{}\r\n",
        "+2\r\n{}\r\n",
        "0x2\r\n{}\r\n",
        "2\n{}\r\n0\r\n\r\n",
        "2\r{}\r\n0\r\n\r\n",
        "2;a\n{}\r\n0\r\n\r\n",
        "2;a\rb\r\n{}\r\n0\r\n\r\n",
        "2;a\0\r\n{}\r\n0\r\n\r\n",
        "2 2\r\n{}\r\n",
        "2,\r\n{}\r\n",
        ";a\r\n",
        "<html>\r\n",
        "10000000000000000\r\n",
        "fffffffffffffffff\r\n",
        &too_long,
    ] {
        assert_eq!(chunked(coded), (Broken, vec![]), "{coded:?}");
        assert_eq!(chunked(format!("1\r\n[\r\n{coded}")), (Broken, b"[".into()), "{coded:?}");
    }
    for coded in ["6\r\n<html>X\r\n0\r\n\r\n", "6\r\n<html>\n0\r\n\r\n", "6\r\n<html>\rX", "6\r\n<html>0\r\n\r\n"] {
        let outcome = outcome(format!("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n{coded}"));
        assert!(outcome.is_done && !outcome.can_reuse);
        let seen = outcome.answer.unwrap();
        assert_eq!((seen.body_end, seen.body.as_slice()), (Broken, &b"<html>"[..]), "{coded:?}");
    }
}

#[test]
fn the_last_chunk_ends_the_body_whatever_its_trailer() {
    for (trailer, is_done) in [
        ("", false),
        ("\r", false),
        ("X: y", false),
        ("X: y\r\n", false),
        ("no end of line", false),
        ("\n", true),
        ("\r\nbeyond", true),
        ("X: y\r\n\r\n\r\n", true),
    ] {
        let outcome =
            outcome(format!("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n{trailer}"));
        assert_eq!((outcome.is_done, outcome.can_reuse), (is_done, false), "{trailer:?}");
        let seen = outcome.answer.unwrap();
        assert_eq!((seen.body_end, seen.body.as_slice()), (Whole, &b"{}"[..]), "{trailer:?}");
    }
    for trailer in ["<html>\r\n", "X: y\r\n<html>\r\n\r\n", " <html>\r\n", "\r\r\n"] {
        assert_eq!(chunked(format!("2\r\n{{}}\r\n0\r\n{trailer}")), (Broken, b"{}".into()), "{trailer:?}");
    }
}

#[test]
fn a_body_that_stops_early_is_cut_unless_bytes_came_that_say_nothing() {
    for (coded, expected) in [
        ("", (Cut, "")),
        ("2", (Broken, "")),
        ("2;x", (Broken, "")),
        ("2\r\n", (Broken, "")),
        ("0\r", (Broken, "")),
        ("2\r\n{", (Cut, "{")),
        ("2\r\n{}", (Cut, "{}")),
        ("2\r\n{}\r\n", (Cut, "{}")),
        ("2\r\n{}\r\n0\r", (Cut, "{}")),
    ] {
        let answer = format!("HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n{coded}");
        for clean in [true, false] {
            let outcome = outcome_of([answer.as_bytes()], clean);
            assert!(!outcome.is_done);
            let seen = outcome.answer.unwrap();
            assert_eq!((seen.body_end, seen.body.as_slice()), (expected.0, expected.1.as_bytes()), "{coded:?}");
        }
        let mut given_up = ResponseReader::new();
        given_up.push(answer.as_bytes()).unwrap();
        assert_eq!(given_up.take(false).unwrap().body_end, expected.0);
        assert!(given_up.is_done() && !given_up.can_reuse() && given_up.take(false).is_none());
    }
}

#[test]
fn a_connection_is_reused_after_a_whole_answer_that_says_so() {
    for (head, reused) in [
        ("HTTP/1.1 201 X\r\n", true),
        ("HTTP/1.1 201 X\r\nConnection: keep-alive\r\n", true),
        ("HTTP/1.1 201 X\r\nConnection: x, CLOSE\r\n", false),
        ("HTTP/1.1 201 X\r\nConnection: x\r\nConnection: close\r\n", false),
        ("HTTP/1.1 201 X\r\nConnection: keep-alive, close\r\n", false),
        ("HTTP/1.1 201 X\r\nConnection: closed\r\n", true),
        ("HTTP/1.1 201 X\r\nConnection: clo\0se\r\n", false),
        ("HTTP/1.0 201 X\r\n", false),
        ("HTTP/1.0 201 X\r\nConnection: Keep-Alive\r\n", true),
        ("HTTP/1.0 201 X\r\nConnection: keep-alive\r\nConnection: close\r\n", false),
    ] {
        let whole = format!("{head}Content-Length: 2\r\n\r\n{{}}");
        assert_eq!(outcome(&whole).can_reuse, reused, "{head}");
        assert!(!outcome(&whole[..whole.len() - 1]).can_reuse);
        assert!(!outcome(format!("{whole}\r\n")).can_reuse);
        let coded = format!("{head}Transfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n");
        assert_eq!(outcome(&coded).can_reuse, reused && !head.starts_with("HTTP/1.0"), "{head}");
        assert!(!outcome(format!("{coded}H")).can_reuse);
        assert!(!outcome(&coded[..coded.len() - 1]).can_reuse);
    }
    let two_lengths = "HTTP/1.1 201 X\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let outcome = outcome(two_lengths);
    assert!(outcome.is_done && !outcome.can_reuse);
    assert_eq!(outcome.answer.unwrap().body, b"{}");
}

#[test]
fn bytes_after_the_end_spoil_the_connection_but_not_the_answer() {
    let mut reader = ResponseReader::new();
    reader.push(ANSWER.as_bytes()).unwrap();
    assert!(reader.is_done() && reader.can_reuse());
    reader.push(b"").unwrap();
    assert!(reader.can_reuse());
    reader.push(b"HTTP/1.1 500 X\r\n\r\n").unwrap();
    assert!(!reader.can_reuse());
    let answer = reader.take(true).unwrap();
    assert_eq!((answer.status, answer.body_end), (201, Whole));

    let mut closed = ResponseReader::new();
    closed.push(ANSWER.as_bytes()).unwrap();
    closed.end(true);
    assert!(!closed.can_reuse());
    assert_eq!(closed.take(true).unwrap().body_end, Whole);
}

#[test]
fn a_reader_begins_anew() {
    let mut reader = ResponseReader::new();
    for before in [ANSWER, "", "HTTP/1.1 200 X\r\nContent-Length: 5\r\n\r\n", "HTTP/1.1 201", "<html>"] {
        let _ = reader.push(before.as_bytes());
        reader.begin();
        assert!(!reader.has_head() && !reader.is_done() && !reader.can_reuse());
        assert!(reader.take(true).is_none());
        reader.push(ANSWER.as_bytes()).unwrap();
        assert!(reader.has_head() && reader.is_done() && reader.can_reuse());
        let answer = reader.take(false).unwrap();
        assert_eq!((answer.status, answer.body.as_slice(), answer.request_complete), (201, &b"{\"id\": 7}"[..], false));
        assert!(reader.can_reuse());
        reader.begin();
    }
    assert_eq!(ResponseReader::new().head.capacity(), 0);
}

#[test]
fn the_start_of_a_body_is_kept_and_no_more_than_a_bound_is_read() {
    let length = |size: usize| (format!("Content-Length: {size}\r\n"), vec![b' '; size]);
    for (size, end) in [(KEPT_BODY, Whole), (KEPT_BODY + 1, Whole), (READ_BODY, Whole), (READ_BODY + 1, Cut)] {
        let (fields, data) = length(size);
        let until_end = if end == Whole { Closed } else { end };
        for (fields, data, end) in [(fields.as_str(), &data[..], end), ("", &data, until_end)] {
            let (ended, kept) = body(fields, data);
            assert_eq!((ended, kept.len()), (end, size.min(KEPT_BODY)), "{size}");
        }
    }
    let mut reader = ResponseReader::new();
    reader.push(format!("HTTP/1.1 200 X\r\n{}\r\n", length(READ_BODY + 1).0).as_bytes()).unwrap();
    reader.push(&[b' '; READ_BODY]).unwrap();
    assert!(!reader.is_done());
    reader.push(b" ").unwrap();
    assert!(reader.is_done() && !reader.can_reuse());
    // Framing counts towards the limit, too.
    let chunk = "1;extension\r\n \r\n".repeat(READ_BODY / 16 + 1);
    let (end, kept) = chunked(chunk);
    assert_eq!((end, kept.len()), (Cut, KEPT_BODY));
}

/// Pushes `start`, then 20 MB of `more` in parts of several sizes (less of it in single bytes), and checks the memory.
fn endless(start: &str, more: &[u8]) -> (Option<Fault>, Option<Answer>) {
    let mut last = None;
    for (part, total) in [(1, 200_000), (1460, 20_000_000), (64 * 1024, 20_000_000), (20_000_000, 20_000_000)] {
        let mut reader = ResponseReader::new();
        reader.push(start.as_bytes()).unwrap();
        let parts = more.repeat((part / more.len()).max(1));
        let (mut pushed, mut fault) = (0, None);
        while pushed < total && fault.is_none() {
            fault =
                parts.chunks(part.max(more.len() * usize::from(part > 1))).find_map(|bytes| reader.push(bytes).err());
            pushed += parts.len();
            assert!(reader.head.capacity() <= 2 * LARGEST_HEAD && reader.answer.body.capacity() <= 2 * KEPT_BODY);
        }
        assert!(reader.is_done() || part == 1, "{start:?}");
        assert!(!reader.can_reuse());
        last = Some((fault, reader.take(true)));
    }
    last.unwrap()
}

#[test]
fn an_endless_answer_is_stopped_in_bounded_memory() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (start, more, end) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "a", Cut),
        ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "a", Cut),
        (chunked, "0", Broken),
        (&format!("{chunked}2"), " ", Broken),
        (&format!("{chunked}2;"), "a", Broken),
        (chunked, "1\r\na\r\n", Cut),
        (&format!("{chunked}2\r\n{{}}\r\n0\r\nX: "), "a", Whole),
        (&format!("{chunked}2\r\n{{}}\r\n0\r\n"), "X: y\r\n", Whole),
    ] {
        let (fault, answer) = endless(start, more.as_bytes());
        assert!(fault.is_none());
        assert_eq!(answer.unwrap().body_end, end, "{start:?}");
    }
    for (start, more) in [
        ("", "\r\n"),
        ("HTTP/1.1", " "),
        ("HTTP/1.1 200 ", "a"),
        ("HTTP/1.1 200 OK\r\n", "a"),
        ("HTTP/1.1 200 OK\r\nX: ", "a"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1", "\r\n 1"),
        ("HTTP/1.1 200 OK\r\n", "X: y\r\n"),
        ("HTTP/1.1 200 OK\r\n", "Content-Length: 1\n"),
        ("", "HTTP/1.1 100 Continue\r\n\r\n"),
    ] {
        let (fault, answer) = endless(start, more.as_bytes());
        assert!(matches!(fault, Some(Fault::Garbage(why)) if why.ends_with("65536 bytes")), "{start:?}");
        assert!(answer.is_none());
    }
}

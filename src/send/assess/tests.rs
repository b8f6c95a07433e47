use super::*;
use Delivery::{Delivered, NotDelivered, Unknown};
use RetryRule::{Retry, RetryAfterPause, RetryAtLeastOnce, Stop};

fn answer(status: u16) -> Answer {
    Answer { status, request_complete: true, ..Answer::default() }
}

fn judged(answer: &Answer) -> (Status, Delivery, RetryRule) {
    let assessment = of_answer(answer, || SystemTime::UNIX_EPOCH);
    (assessment.status, assessment.delivery, assessment.retry_rule)
}

#[test]
fn every_status_without_hints() {
    for (range, expected) in [
        (100..=199, (Status::BadReply, Unknown, Stop)),
        (200..=299, (Status::Ok, Delivered, Stop)),
        (300..=301, (Status::BadReply, NotDelivered, Stop)),
        (302..=303, (Status::BadReply, Unknown, Stop)),
        (304..=399, (Status::BadReply, NotDelivered, Stop)),
        (400..=400, (Status::Rejected, NotDelivered, Stop)),
        (401..=401, (Status::Unauthorized, NotDelivered, Stop)),
        (402..=402, (Status::Rejected, NotDelivered, Stop)),
        (403..=403, (Status::Unauthorized, NotDelivered, Stop)),
        (404..=404, (Status::NotFound, NotDelivered, Stop)),
        (405..=407, (Status::Rejected, NotDelivered, Stop)),
        (408..=408, (Status::Rejected, Unknown, RetryAtLeastOnce)),
        (409..=424, (Status::Rejected, NotDelivered, Stop)),
        (425..=425, (Status::Rejected, NotDelivered, Retry)),
        (426..=428, (Status::Rejected, NotDelivered, Stop)),
        (429..=429, (Status::RateLimited, NotDelivered, RetryAfterPause)),
        (430..=499, (Status::Rejected, NotDelivered, Stop)),
        (500..=500, (Status::ServerError, Unknown, RetryAtLeastOnce)),
        (501..=501, (Status::ServerError, Unknown, Stop)),
        (502..=504, (Status::ServerError, Unknown, RetryAtLeastOnce)),
        (505..=519, (Status::ServerError, Unknown, Stop)),
        (520..=524, (Status::ServerError, Unknown, RetryAtLeastOnce)),
        (525..=526, (Status::ServerError, Unknown, Stop)),
        (527..=527, (Status::ServerError, Unknown, RetryAtLeastOnce)),
        (528..=529, (Status::ServerError, Unknown, Stop)),
        (530..=530, (Status::ServerError, Unknown, RetryAtLeastOnce)),
        (531..=599, (Status::ServerError, Unknown, Stop)),
        (600..=999, (Status::BadReply, Unknown, Stop)),
    ] {
        for status in range {
            assert_eq!(judged(&answer(status)), expected, "{status}");
        }
    }
}

#[test]
fn cloudflares_own_statuses_count_only_in_answers_of_cloudflare() {
    for (status, retry_rule) in [(521, Retry), (523, Retry), (530, Retry), (525, Stop), (526, Stop)] {
        let answer = Answer { cloudflare: true, ..answer(status) };
        assert_eq!(judged(&answer), (Status::ServerError, NotDelivered, retry_rule), "{status}");
    }
    for status in [520, 522, 524, 527] {
        let answer = Answer { cloudflare: true, ..answer(status) };
        assert_eq!(judged(&answer), (Status::ServerError, Unknown, RetryAtLeastOnce), "{status}");
    }
}

#[test]
fn a_503_with_retry_after_proves_nothing_and_says_when_to_come_back() {
    for (asked, told) in [("2", Some(2)), ("0", Some(0)), ("soon", None)] {
        let answer = Answer { retry_after: Some(asked.into()), ..answer(503) };
        assert_eq!(judged(&answer), (Status::ServerError, Unknown, RetryAtLeastOnce), "{asked}");
        let assessment = of_answer(&answer, || SystemTime::UNIX_EPOCH);
        assert_eq!(assessment.retry_after.map(|wait| wait.as_secs()), told);
    }
}

fn typed(content_type: &str, body: &[u8], body_end: BodyEnd) -> Answer {
    Answer { content_type: ContentType::of(content_type), body: body.into(), body_end, ..answer(201) }
}

const OURS: (Status, Delivery, RetryRule) = (Status::Ok, Delivered, Stop);
const NOT_OURS: (Status, Delivery, RetryRule) = (Status::BadReply, Unknown, Stop);

#[test]
fn the_media_type_before_the_semicolon_decides() {
    for json in [
        "application/json",
        "Application/JSON ; charset=utf-8",
        "text/json",
        "application/problem+json",
        " application/vnd.api+JSON;x=y",
        "application/json;profile=\"text/html\"",
    ] {
        assert_eq!(ContentType::of(json), ContentType::Json, "{json:?}");
    }
    for html in ["text/html", "TEXT/HTML; profile=\"json\"", "application/xhtml+xml;q=1", "text/html;a+json"] {
        assert_eq!(ContentType::of(html), ContentType::Html, "{html:?}");
    }
    for other in [
        "",
        "json",
        "text/plain; charset=json",
        "application/jsonp",
        "application/json-patch",
        "application/xml+html",
        "text/html, application/x+json",
        "application/x-json+zip",
        "+json",
    ] {
        assert_eq!(ContentType::of(other), ContentType::Other, "{other:?}");
    }
}

#[test]
fn a_2xx_is_the_services_own_when_its_body_is_empty_or_json_as_far_as_it_came() {
    for body in [
        &b""[..],
        b" \r\n\t",
        b"\xef\xbb\xbf",
        b"\xef\xbb",
        b"{\"id\":1}",
        b" \n{\"id\":1}\n",
        b"\xef\xbb\xbf{\"id\":1}",
        b"[]",
        b"{\"cut of",
        b"{\"id\":7,\"a\":[1,{\"b\":tru",
        b"{\"a\":-",
        b"{\"a\":1.",
        b"{\"a\":1e",
        b"{\"a\":1E+",
        b"{\"a\":1e-",
        b"{\"cut in a character \xc5",
        b"{\"cut in an escape \\",
        b"{\"cut in an escape \\u00",
        b"{\"a\":\"\\ud800\",\"\\udc00\":1}",
        b"{\"a\":1e999,\"a\":-1e-999}",
        b"{\"not UTF-8 \xff\xfe\":\"\x80\"}",
    ] {
        for content_type in ["", "text/plain", "application/json"] {
            for body_end in [BodyEnd::Cut, BodyEnd::Closed] {
                let answer = typed(content_type, body, body_end);
                assert_eq!(judged(&answer), OURS, "{content_type:?} {:?}", String::from_utf8_lossy(body));
            }
        }
    }
    for deep in ["[".repeat(60_000), format!("{}{}", "[".repeat(30_000), "]".repeat(30_000)), "{\"a\":".repeat(10_000)]
    {
        assert_eq!(judged(&typed("", deep.as_bytes(), BodyEnd::Cut)), OURS);
    }
}

#[test]
fn a_body_that_came_to_its_end_must_be_json_to_its_end() {
    for (body, is_whole) in
        [("{", false), ("[\"Welcome to the portal", false), ("{\"id\":1", false), ("{}", true), ("", true)]
    {
        let expected = if is_whole { OURS } else { NOT_OURS };
        assert_eq!(judged(&typed("application/json", body.as_bytes(), BodyEnd::Whole)), expected, "{body:?}");
        assert_eq!(judged(&typed("application/json", body.as_bytes(), BodyEnd::Cut)), OURS, "{body:?}");
    }
    // The rest of it was not kept.
    let long = format!("[\"{}", "x".repeat(KEPT_BODY - 2));
    assert_eq!(judged(&typed("application/json", long.as_bytes(), BodyEnd::Whole)), OURS);
}

#[test]
fn a_2xx_whose_body_is_not_json_is_not_the_services_own() {
    for body in [
        "[Welcome] <html>",
        "{{ portal }}",
        "{\"id\":7} <html>",
        "{\"id\":7}{\"id\":8}",
        "{'a':1}",
        "{\"a\":1,}",
        "[1 2",
        "[--",
        "[1..",
        "[.e",
        "{a-",
        "{\"a\":01",
        "<html>Log in to the hotel's network",
        "<!doctype html>",
        "OK",
        "\u{b}{}",
        "\u{feff}\u{feff}{}",
    ] {
        for content_type in ["", "text/plain", "text/html", "application/json", "application/x+json"] {
            for body_end in [BodyEnd::Whole, BodyEnd::Cut] {
                let answer = typed(content_type, body.as_bytes(), body_end);
                assert_eq!(judged(&answer), NOT_OURS, "{content_type:?} {body:?}");
            }
        }
    }
}

#[test]
fn only_what_is_declared_as_json_may_be_another_value_than_an_object_or_an_array() {
    for body in ["\"ok\"", "7", "null", "tru", "-", "\"o"] {
        assert_eq!(judged(&typed("application/json", body.as_bytes(), BodyEnd::Cut)), OURS, "{body}");
        assert_eq!(judged(&typed("text/plain", body.as_bytes(), BodyEnd::Whole)), NOT_OURS, "{body}");
        assert_eq!(judged(&typed("", body.as_bytes(), BodyEnd::Cut)), NOT_OURS, "{body}");
    }
}

#[test]
fn a_2xx_that_is_declared_as_html_must_be_empty_or_json_as_a_whole() {
    for (body, end, expected) in [
        ("", BodyEnd::Whole, OURS),
        ("", BodyEnd::Cut, NOT_OURS),
        ("\n", BodyEnd::Cut, NOT_OURS),
        ("{\"id\":1}", BodyEnd::Whole, OURS),
        ("{\"id\":1}", BodyEnd::Cut, OURS),
        ("{\"id\":1", BodyEnd::Whole, NOT_OURS),
        ("[", BodyEnd::Cut, NOT_OURS),
        ("7", BodyEnd::Whole, NOT_OURS),
    ] {
        assert_eq!(judged(&typed("text/html", body.as_bytes(), end)), expected, "{body:?} {end:?}");
    }
    assert_eq!(judged(&typed("application/json", b"", BodyEnd::Cut)), OURS);
}

#[test]
fn a_2xx_whose_framing_broke_is_not_the_services_own() {
    for (content_type, body) in [("", ""), ("application/json", "{\"id\":1}"), ("text/html", "")] {
        assert_eq!(judged(&typed(content_type, body.as_bytes(), BodyEnd::Broken)), NOT_OURS);
        let encoded = Answer { content_encoded: true, ..typed(content_type, body.as_bytes(), BodyEnd::Broken) };
        assert_eq!(judged(&encoded), NOT_OURS);
    }
}

#[test]
fn an_encoded_2xx_is_the_services_own_where_it_is_declared_as_json() {
    for (content_type, expected) in [("application/json", OURS), ("text/html", NOT_OURS), ("", NOT_OURS)] {
        for body in [&b"\x1f\x8b\x08"[..], b"[\x8b", b"{}"] {
            let encoded = Answer { content_encoded: true, ..typed(content_type, body, BodyEnd::Whole) };
            assert_eq!(judged(&encoded), expected, "{content_type}");
        }
        for body in [&b"\xff\xfe{\0}\0"[..], b"\xfe\xff\0{\0}", b"\0\0\xfe\xff\0\0\0{"] {
            assert_eq!(judged(&typed(content_type, body, BodyEnd::Cut)), expected, "{content_type}");
        }
    }
}

#[test]
fn a_2xx_before_the_whole_request_went_out_is_unknown() {
    for body in ["", "{\"id\":1}", "<html>"] {
        let answer = Answer { request_complete: false, ..typed("application/json", body.as_bytes(), BodyEnd::Whole) };
        assert_eq!(judged(&answer), NOT_OURS, "{body}");
    }
}

#[test]
fn each_flaw_of_a_2xx_has_its_text() {
    let broken = typed("", b"", BodyEnd::Broken);
    let early = Answer { request_complete: false, ..broken.clone() };
    let encoded = Answer { content_encoded: true, body: vec![0x1f, 0x8b], ..answer(201) };
    for (answer, words) in [
        (early, "a 201 Created came before the whole request had gone out"),
        (broken, "a 201 Created came, but its body cannot be decoded: its framing is broken"),
        (encoded, "a 201 Created came, but its body is encoded and not declared as JSON: it proves nothing"),
        (
            typed("text/html", b"", BodyEnd::Cut),
            "a 201 Created came that is not the service's own: it declares HTML, which was cut off",
        ),
        (
            typed("text/html", b"<html>", BodyEnd::Cut),
            "a 201 Created came that is not the service's own: its body is not JSON",
        ),
    ] {
        assert_eq!(of_answer(&answer, || SystemTime::UNIX_EPOCH).what, words);
    }
}

#[test]
fn an_answer_to_half_a_request_cannot_mean_that_it_was_processed() {
    for (status, retry_rule) in [(302, Stop), (303, Stop), (408, Retry), (500, Retry), (501, Stop), (503, Retry)] {
        let answer = Answer { request_complete: false, ..answer(status) };
        assert_eq!((judged(&answer).1, judged(&answer).2), (NotDelivered, retry_rule), "{status}");
    }
}

#[test]
fn failures_with_and_without_a_whole_request() {
    for (fault, status, half, whole) in [
        (Fault::Connect("".into()), Status::Connect, (NotDelivered, Retry), (NotDelivered, Retry)),
        (Fault::Certificate("".into()), Status::Tls, (NotDelivered, Stop), (NotDelivered, Stop)),
        (Fault::Handshake("".into()), Status::Tls, (NotDelivered, Retry), (NotDelivered, Retry)),
        (Fault::Deadline("".into()), Status::Timeout, (NotDelivered, Retry), (Unknown, RetryAtLeastOnce)),
        (Fault::Lost("".into()), Status::ConnectionLost, (NotDelivered, Retry), (Unknown, RetryAtLeastOnce)),
        (Fault::Garbage("".into()), Status::BadReply, (NotDelivered, Retry), (Unknown, RetryAtLeastOnce)),
        (Fault::Cancelled, Status::Cancelled, (NotDelivered, Stop), (Unknown, Stop)),
        (Fault::Closed, Status::Closed, (NotDelivered, Stop), (Unknown, Stop)),
        (Fault::Internal("".into()), Status::Internal, (NotDelivered, Stop), (Unknown, Stop)),
    ] {
        let mut failure = Failure { fault, request_complete: false };
        let judged = |failure: &Failure| {
            let assessment = of_failure(failure);
            (assessment.status, (assessment.delivery, assessment.retry_rule))
        };
        assert_eq!(judged(&failure), (status, half), "{failure:?}");
        failure.request_complete = true;
        assert_eq!(judged(&failure), (status, whole), "{failure:?}");
    }
}

fn asked(retry_after: &str, date: Option<&str>) -> Option<u64> {
    let answer = Answer { retry_after: Some(retry_after.into()), date: date.map(str::to_owned), ..answer(429) };
    let clock = || httpdate::parse_http_date("Mon, 23 Nov 2026 12:00:00 GMT").unwrap();
    of_answer(&answer, clock).retry_after.map(|wait| wait.as_secs())
}

#[test]
fn retry_after_is_read_in_seconds_rounded_up_and_as_a_date() {
    for (value, seconds) in [
        ("3", 3),
        (" 0 ", 0),
        ("1.5", 2),
        ("1.0", 1),
        ("0.000001", 1),
        ("007.10", 8),
        ("Mon, 23 Nov 2026 12:00:07 GMT", 7),
        ("Monday, 23-Nov-26 12:01:00 GMT", 60),
        ("Mon, 23 Nov 2026 11:59:00 GMT", 0),
        ("1795000000", 1_795_000_000),
    ] {
        assert_eq!(asked(value, None), Some(seconds), "{value}");
    }
    for no_time in ["", "-1", "1.", ".5", "1.5.2", "1,5", "1e3", "soon", "+3", "3 s"] {
        assert_eq!(asked(no_time, None), None, "{no_time}");
    }
}

#[test]
fn a_date_counts_from_the_servers_own_clock_where_that_is_told() {
    let later = "Mon, 23 Nov 2026 13:00:03 GMT";
    assert_eq!(asked(later, Some("Mon, 23 Nov 2026 13:00:00 GMT")), Some(3));
    assert_eq!(asked(later, Some("Mon, 23 Nov 2026 13:00:04 GMT")), Some(0));
    assert_eq!(asked(later, Some("now")), Some(3603));
    assert_eq!(asked(later, None), Some(3603));
    assert_eq!(asked("5", Some("Mon, 23 Nov 2026 13:00:00 GMT")), Some(5));
}

#[test]
fn the_longest_wait_that_is_told_fits_every_clock() {
    const CENTURY: u64 = 100 * 365 * 24 * 3600;
    for forever in ["99999999999999999999", "18446744073709551615.5", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        assert_eq!(asked(forever, None), Some(CENTURY), "{forever}");
    }
    assert!(std::time::Instant::now().checked_add(Duration::from_secs(2 * CENTURY)).is_some());
}

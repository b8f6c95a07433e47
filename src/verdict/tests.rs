use super::*;
use Delivery::{Delivered, NotDelivered, Unknown};
use Then::{Retry, RetryAfterPause, RetryAtLeastOnce, Stop};

fn answer(status: u16) -> Answer {
    Answer { status, request_complete: true, ..Answer::default() }
}

fn judged(answer: &Answer) -> (Status, Delivery, Then) {
    let verdict = of_answer(answer, || SystemTime::UNIX_EPOCH);
    (verdict.status, verdict.delivery, verdict.then)
}

#[test]
fn every_status_without_hints() {
    for (range, expected) in [
        (100..=199, (Status::BadReply, Unknown, Stop)),
        (200..=299, (Status::Ok, Delivered, Stop)),
        (300..=302, (Status::BadReply, NotDelivered, Stop)),
        (303..=303, (Status::BadReply, Unknown, Stop)),
        (304..=399, (Status::BadReply, NotDelivered, Stop)),
        (400..=400, (Status::Rejected, NotDelivered, Stop)),
        (401..=401, (Status::Unauthorized, NotDelivered, Stop)),
        (402..=402, (Status::Rejected, NotDelivered, Stop)),
        (403..=403, (Status::Unauthorized, NotDelivered, Stop)),
        (404..=404, (Status::NotFound, NotDelivered, Stop)),
        (405..=407, (Status::Rejected, NotDelivered, Stop)),
        (408..=408, (Status::Rejected, NotDelivered, Retry)),
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
fn cloudflares_own_statuses_count_when_cloudflare_says_them() {
    for (status, then) in [(521, Retry), (523, Retry), (530, Retry), (525, Stop), (526, Stop)] {
        let answer = Answer { cloudflare: true, ..answer(status) };
        assert_eq!(judged(&answer), (Status::ServerError, NotDelivered, then), "{status}");
    }
    for status in [520, 522, 524, 527] {
        let answer = Answer { cloudflare: true, ..answer(status) };
        assert_eq!(judged(&answer), (Status::ServerError, Unknown, RetryAtLeastOnce), "{status}");
    }
}

#[test]
fn a_503_that_names_a_time_was_not_delivered() {
    let answer = Answer { retry_after: Some("2".into()), ..answer(503) };
    assert_eq!(judged(&answer), (Status::ServerError, NotDelivered, Retry));
    let answer = Answer { retry_after: Some("soon".into()), ..answer };
    assert_eq!(judged(&answer), (Status::ServerError, Unknown, RetryAtLeastOnce));
}

#[test]
fn a_2xx_is_the_services_own_when_its_body_is_empty_or_json() {
    for (content_type, body, ours) in [
        ("", "", true),
        ("application/json", "{\"id\":1}", true),
        ("application/json; charset=utf-8", "", true),
        ("application/problem+json", "{\"cut of", true),
        ("", " \n{\"id\":1}", true),
        ("text/plain", "[]", true),
        ("text/html", "", true),
        ("Application/JSON", "", true),
        ("text/html", "<html>Log in to the hotel's network", false),
        ("", "<!doctype html>", false),
        ("text/plain", "OK", false),
    ] {
        let answer = Answer { content_type: ContentType::of(content_type), body: body.into(), ..answer(201) };
        let expected = if ours { (Status::Ok, Delivered, Stop) } else { (Status::BadReply, Unknown, Stop) };
        assert_eq!(judged(&answer), expected, "{content_type:?} {body:?}");
    }
}

#[test]
fn a_2xx_whose_html_never_came_is_not_the_services_own() {
    let answer = Answer { content_type: ContentType::Html, body_end: BodyEnd::Cut, ..answer(201) };
    assert_eq!(judged(&answer), (Status::BadReply, Unknown, Stop));
    let answer = Answer { content_type: ContentType::Json, ..answer };
    assert_eq!(judged(&answer), (Status::Ok, Delivered, Stop));
}

#[test]
fn an_answer_to_half_a_request_cannot_mean_that_it_was_processed() {
    for (status, then) in [(500, Retry), (501, Stop), (303, Stop)] {
        let answer = Answer { request_complete: false, ..answer(status) };
        assert_eq!((judged(&answer).1, judged(&answer).2), (NotDelivered, then), "{status}");
    }
}

#[test]
fn failures_with_and_without_a_whole_request() {
    for (fault, status, half, whole) in [
        (Fault::Connect("".into()), Status::Connect, (NotDelivered, Retry), (NotDelivered, Retry)),
        (Fault::Certificate("".into()), Status::Tls, (NotDelivered, Stop), (NotDelivered, Stop)),
        (Fault::Handshake("".into()), Status::Tls, (NotDelivered, Retry), (NotDelivered, Retry)),
        (Fault::Deadline(""), Status::Timeout, (NotDelivered, Retry), (Unknown, RetryAtLeastOnce)),
        (Fault::Lost("".into()), Status::ConnectionLost, (NotDelivered, Retry), (Unknown, RetryAtLeastOnce)),
        (Fault::Garbage("".into()), Status::BadReply, (NotDelivered, Retry), (Unknown, RetryAtLeastOnce)),
        (Fault::Cancelled, Status::Cancelled, (NotDelivered, Stop), (Unknown, Stop)),
        (Fault::Closed, Status::Closed, (NotDelivered, Stop), (Unknown, Stop)),
        (Fault::Internal("".into()), Status::Internal, (NotDelivered, Stop), (Unknown, Stop)),
    ] {
        let mut failure = Failure { fault, request_complete: false };
        let judged = |failure: &Failure| {
            let verdict = of_failure(failure);
            (verdict.status, (verdict.delivery, verdict.then))
        };
        assert_eq!(judged(&failure), (status, half), "{failure:?}");
        failure.request_complete = true;
        assert_eq!(judged(&failure), (status, whole), "{failure:?}");
    }
}

#[test]
fn retry_after_is_read_in_seconds_and_as_a_date() {
    let now = httpdate::parse_http_date("Mon, 23 Nov 2026 12:00:00 GMT").unwrap();
    let parsed = |value| parse_retry_after(value, now).map(|wait| wait.as_secs());
    assert_eq!(parsed("3"), Some(3));
    assert_eq!(parsed(" 0 "), Some(0));
    assert_eq!(parsed("Mon, 23 Nov 2026 12:00:07 GMT"), Some(7));
    assert_eq!(parsed("Monday, 23-Nov-26 12:01:00 GMT"), Some(60));
    assert_eq!(parsed("Mon, 23 Nov 2026 11:59:00 GMT"), Some(0));
    assert_eq!(parsed("99999999999999999999"), Some(365 * 24 * 3600));
    for no_time in ["", "-1", "1.5", "soon", "+3"] {
        assert_eq!(parsed(no_time), None, "{no_time}");
    }
}

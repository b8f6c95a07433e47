use super::*;
use crate::http::{Failure, Fault};
use crate::send::assess;
use std::time::SystemTime;

const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const HISTORY: History<'_> = History {
    attempts: 1,
    unknown_before: false,
    elapsed: Duration::from_millis(5),
    api_key: KEY,
    content: "Hi",
    source_context: None,
};

fn answered(status: u16, body: &str, history: History<'_>) -> Outcome {
    let answer = Answer { status, body: body.into(), request_complete: true, ..Answer::default() };
    outcome(assess::of_answer(&answer, || SystemTime::UNIX_EPOCH), Some(answer), history)
}

#[test]
fn the_line_says_what_happened_what_is_known_and_what_to_do() {
    let refused = answered(404, r#"{"detail":"Not found."}"#, HISTORY);
    assert_eq!(
        refused.message(),
        "The service answered 404 Not Found: Not found. The message was not delivered. Check client_user_id and base_url."
    );
    let failed = answered(500, "<title>Server Error</title>", HISTORY);
    assert_eq!(
        failed.message(),
        "The service answered 500 Internal Server Error: Server Error. Whether the message was delivered is unknown. \
         Sending it again may show it twice: look at the conversation first."
    );
}

#[test]
fn a_401_names_a_wrong_length_of_the_key() {
    let refused = answered(401, "", History { api_key: &KEY[..12], ..HISTORY });
    assert!(refused.message().ends_with("Check the API key: it has 12 characters, a key of the service has 64."));
    assert!(!answered(401, "", HISTORY).message().contains("64"));
}

#[test]
fn unknown_sticks_and_a_success_after_it_may_be_a_duplicate() {
    let history = History { attempts: 2, unknown_before: true, ..HISTORY };
    assert_eq!(answered(429, "", history).delivery(), Delivery::Unknown);
    let delivered = answered(201, r#"{"id":7}"#, history);
    assert_eq!((delivered.delivery(), delivered.may_be_duplicate()), (Delivery::Delivered, true));
    assert_eq!((delivered.message(), delivered.conversation_id()), ("", Some(7)));
    assert!(!answered(201, "", HISTORY).may_be_duplicate());
}

/// The advice: the part of the line after the delivery.
fn advised(assessment: Assessment, answer: Option<Answer>) -> String {
    let line = outcome(assessment, answer, HISTORY).text;
    let (_, advice) = line.split_once("The message was not delivered. ").expect(&line);
    advice.to_owned()
}

#[test]
fn the_advice_fits_each_answer_that_proves_that_nothing_was_delivered() {
    const SAFE: &str = "It is safe to send it again.";
    const LATER: &str = "It is safe to send it again later.";
    const CORRECT: &str = "Correct the message before you send it again.";
    const BASE_URL: &str = "Check base_url and what stands between this machine and the service.";
    for (status, whole, cloudflare, retry_after, advice) in [
        (301, true, false, None, BASE_URL),
        (302, false, false, None, BASE_URL),
        (400, true, false, None, CORRECT),
        (402, true, false, None, "Check what the account of this API key may do."),
        (403, true, false, None, "Check the API key and what it may do."),
        (404, true, false, None, "Check client_user_id and base_url."),
        (405, true, false, None, "Check base_url and api_version."),
        (407, true, false, None, "Check the proxy and its credentials, then send it again."),
        (408, false, false, None, SAFE),
        (408, false, false, Some("3"), "It is safe to send it again in 3 s."),
        (413, true, false, None, CORRECT),
        (422, true, false, None, CORRECT),
        (425, true, false, None, SAFE),
        (429, true, false, None, LATER),
        (429, true, false, Some("0"), SAFE),
        (429, true, false, Some("1.5"), "It is safe to send it again in 2 s."),
        (500, false, false, None, LATER),
        (503, false, false, Some("9"), "It is safe to send it again in 9 s."),
        (521, true, true, None, LATER),
        (526, true, true, None, LATER),
    ] {
        let answer = Answer {
            status,
            cloudflare,
            request_complete: whole,
            retry_after: retry_after.map(str::to_owned),
            ..Answer::default()
        };
        let assessment = assess::of_answer(&answer, || SystemTime::UNIX_EPOCH);
        assert_eq!(advised(assessment, Some(answer)), advice, "{status}");
    }
}

#[test]
fn the_advice_fits_each_failure_that_proves_that_nothing_was_delivered() {
    const TLS: &str = "Check base_url, ca_file, this machine's clock, and what stands between it and the service, \
                       then send it again.";
    let why = || "why".to_owned();
    for (fault, advice) in [
        (Fault::Connect(why()), "Check the network, base_url and proxy, then send it again."),
        (Fault::ProxyRefused(why()), "Check the proxy and its credentials, then send it again."),
        (Fault::Certificate(why()), TLS),
        (Fault::Handshake(why()), TLS),
        (Fault::Deadline("before".into()), "It is safe to send it again."),
        (Fault::Lost(why()), "It is safe to send it again."),
        (Fault::Garbage(why()), "Check base_url and what stands between this machine and the service."),
        (Fault::Cancelled, "It is safe to send it again."),
        (Fault::Closed, "Make a new client and send it again."),
        (Fault::Internal(why()), "It is safe to send it again. Please report this."),
    ] {
        let assessment = assess::of_failure(&Failure { fault, request_complete: false });
        assert_eq!(advised(assessment, None), advice);
    }
}

#[test]
fn what_is_unknown_is_never_advised_to_be_corrected_or_sent_again_unseen() {
    let look = "Whether the message was delivered is unknown. Sending it again may show it twice: look at the \
                conversation first.";
    for status in [200, 302, 303, 408, 500, 503, 521] {
        let line = answered(status, "<html>", HISTORY).text;
        assert!(line.ends_with(look), "{line}");
    }
    let fault = Failure { fault: Fault::Internal("x".into()), request_complete: true };
    let line = outcome(assess::of_failure(&fault), None, HISTORY).text;
    assert!(line.ends_with(&format!("{look} Please report this.")), "{line}");
}

#[test]
fn no_text_shows_the_content_the_source_context_or_the_key() {
    let body = r#"{"detail":"No: Enjoy our product!"}"#;
    for history in [
        History { content: "Hi, <b>enjoy</b> our product!", ..HISTORY },
        History { source_context: Some(r#"{"note":"ENJOY OUR PRODUCT"}"#), ..HISTORY },
        History { api_key: "enjoy-our-product", ..HISTORY },
    ] {
        let refused = answered(400, body, history);
        assert_eq!((refused.detail(), refused.body()), ("", body.as_bytes()));
        assert!(refused.message().starts_with("The service answered 400 Bad Request. The message"));
    }
    assert_eq!(answered(400, body, HISTORY).detail(), "No: Enjoy our product!");
}

#[test]
fn a_request_id_and_a_host_that_show_a_secret_are_left_out() {
    const CONTENT: &str = "Hi user, enjoy our product 4711";
    let answered = |status: u16, id: &str, host: &str| {
        let answer = Answer {
            status,
            request_id: id.into(),
            location_host: Some(host.into()),
            request_complete: true,
            ..Answer::default()
        };
        let assessment = assess::of_answer(&answer, || SystemTime::UNIX_EPOCH);
        outcome(assessment, Some(answer), History { content: CONTENT, ..HISTORY })
    };
    let secrets = [KEY, &KEY[20..30], &KEY.to_uppercase()[..63], "hi-user-enjoy-our-product-4711", "x-ENJOYOUR-x"];
    for status in [302, 400, 503] {
        for secret in secrets {
            let refused = answered(status, secret, &format!("{secret}.example"));
            assert_eq!(refused.request_id(), "", "{status} {secret}");
            assert!(!format!("{refused:?}").contains(secret), "{refused:?}");
        }
        assert_eq!(answered(status, "8a1b2c3d4e5f6789-FRA", "h").request_id(), "8a1b2c3d4e5f6789-FRA");
    }
    assert_eq!(answered(201, KEY, "h").request_id(), "");
    assert_eq!(answered(201, "8a1b2c3d4e5f6789-FRA", "h").request_id(), "8a1b2c3d4e5f6789-FRA");
    let redirected = answered(302, "", "login.example");
    assert_eq!(
        redirected.message(),
        "The service answered 302 Found; redirects are never followed (this one points to login.example). Whether the \
         message was delivered is unknown. Sending it again may show it twice: look at the conversation first."
    );
    assert!(!answered(400, "", "login.example").message().contains("login"));
}

#[test]
fn a_failure_has_no_answers_facts() {
    let failure =
        Failure { fault: Fault::Connect("no connection to 127.0.0.1:1: refused".into()), request_complete: false };
    let outcome = outcome(assess::of_failure(&failure), None, HISTORY);
    assert_eq!(outcome.http_status(), None);
    assert_eq!(
        outcome.message(),
        "No connection to 127.0.0.1:1: refused. The message was not delivered. \
         Check the network, base_url and proxy, then send it again."
    );
}

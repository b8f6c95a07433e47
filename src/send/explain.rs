//! Turns the assessment of the last attempt into the [`Outcome`] of the call, with one line for a person. No I/O.

use std::time::Duration;

use crate::http::Answer;
use crate::http::request::KEY_LENGTH;
use crate::model::outcome::{Delivery, Outcome, Status};
use crate::send::assess::{Assessment, RetryRule};
use crate::send::detail::{self, Secrets};

/// The facts about the call that the last assessment does not know: earlier attempts, time, and the secrets to redact.
#[derive(Clone, Copy)]
pub(crate) struct History<'a> {
    pub attempts: u32,
    /// Whether the delivery of an earlier attempt is unknown. A later refusal proves nothing about that attempt.
    pub unknown_before: bool,
    pub elapsed: Duration,
    pub api_key: &'a str,
    pub content: &'a str,
    pub source_context: Option<&'a str>,
}

pub(crate) fn outcome(assessment: Assessment, answer: Option<Answer>, history: History<'_>) -> Outcome {
    /// The length up to which an id counts as the service's own; longer ones are checked for secrets.
    const LONGEST_ID: usize = 32;
    let delivered = assessment.delivery == Delivery::Delivered;
    let delivery = if history.unknown_before && !delivered { Delivery::Unknown } else { assessment.delivery };
    let mut outcome = Outcome::new(assessment.status, delivery);
    outcome.may_be_duplicate = delivered && history.unknown_before;
    outcome.retry_after = assessment.retry_after;
    outcome.attempts = history.attempts;
    outcome.elapsed = history.elapsed;
    let mut location = None;
    if let Some(answer) = answer {
        let History { api_key, content, source_context, .. } = history;
        let secrets = Secrets { api_key, content, source_context };
        outcome.http_status = Some(answer.status);
        if delivered {
            outcome.conversation_id = detail::conversation_id(&answer.body);
        } else {
            outcome.detail = detail::of_answer(&answer, &secrets);
            let is_redirect = (300..=399).contains(&answer.status);
            location = answer.location_host.filter(|host| is_redirect && !secrets.show_in(host));
        }
        // Redact the id only if it is unusual: the check costs more than all the rest of a successful call.
        let is_usual = delivered && answer.request_id.len() <= LONGEST_ID;
        if is_usual || !secrets.show_in(&answer.request_id) {
            outcome.request_id = answer.request_id;
        }
        outcome.body = answer.body;
    }
    if !delivered {
        outcome.text = line(&assessment, &outcome, location.as_deref(), history);
    }
    outcome
}

/// The line for a person: what happened, what is known about the message, what to do.
fn line(assessment: &Assessment, outcome: &Outcome, location: Option<&str>, history: History<'_>) -> String {
    let mut line = capitalised(&assessment.what);
    if let Some(host) = location {
        line.push_str(&format!(" (this one points to {host})"));
    }
    let detail = outcome.detail.trim_end_matches('.');
    if says_more(detail, &assessment.what) {
        line.push_str(": ");
        line.push_str(detail);
    }
    if history.attempts > 1 {
        line.push_str(&format!(" (attempt {})", history.attempts));
    }
    line.push_str(match outcome.delivery {
        Delivery::Unknown => ". Whether the message was delivered is unknown. ",
        Delivery::NotDelivered => ". The message was not delivered. ",
        Delivery::Delivered => ". The message was delivered. ",
    });
    line.push_str(&advice(assessment, outcome, history.api_key.len()));
    line
}

/// Whether `detail` adds anything to `what`. The title of an error page often only repeats the status and its name.
fn says_more(detail: &str, what: &str) -> bool {
    let bare = detail.trim_start_matches(|letter: char| letter.is_ascii_digit() || matches!(letter, ':' | ' ' | '-'));
    let end = what.len().checked_sub(bare.len()).and_then(|start| what.get(start..));
    let repeats = bare.len() < detail.len() && end.is_some_and(|end| end.eq_ignore_ascii_case(bare));
    !detail.is_empty() && !repeats
}

/// What to do, as a sentence for a person.
fn advice(assessment: &Assessment, outcome: &Outcome, key_length: usize) -> String {
    if outcome.delivery == Delivery::Unknown {
        let advice = "Sending it again may show it twice: look at the conversation first.";
        return if outcome.status == Status::Internal {
            format!("{advice} Please report this.")
        } else {
            advice.into()
        };
    }
    let repeats = assessment.retry_rule != RetryRule::Stop;
    match (outcome.status, outcome.http_status) {
        (Status::Connect, _) if !repeats => "Check the proxy and its credentials, then send it again.",
        (Status::Connect, _) => "Check the network, base_url and proxy, then send it again.",
        (Status::Tls, _) => {
            "Check base_url, ca_file, this machine's clock, and what stands between it and the service, then send it again."
        }
        (Status::BadReply, _) => "Check base_url and what stands between this machine and the service.",
        (Status::Unauthorized, _) if key_length != KEY_LENGTH => {
            return format!(
                "Check the API key: it has {key_length} characters, a key of the service has {KEY_LENGTH}."
            );
        }
        (Status::Unauthorized, _) => "Check the API key and what it may do.",
        (Status::NotFound, _) => "Check client_user_id and base_url.",
        (Status::Rejected, Some(402)) => "Check what the account of this API key may do.",
        (Status::Rejected, Some(405 | 406 | 410 | 421 | 426)) => "Check base_url and api_version.",
        (Status::Rejected, Some(407)) => "Check the proxy and its credentials, then send it again.",
        (Status::Rejected, _) if !repeats => "Correct the message before you send it again.",
        (Status::Closed, _) => "Make a new client and send it again.",
        (Status::Internal, _) => "It is safe to send it again. Please report this.",
        (status, _) => match outcome.retry_after {
            Some(wait) if !wait.is_zero() => {
                return format!("It is safe to send it again in {} s.", wait.as_millis().div_ceil(1000));
            }
            None if matches!(status, Status::RateLimited | Status::ServerError) => {
                "It is safe to send it again later."
            }
            _ => "It is safe to send it again.",
        },
    }
    .into()
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + letters.as_str())
}

#[cfg(test)]
mod tests {
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
}

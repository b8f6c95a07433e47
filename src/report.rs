//! An attempt's verdict becomes the call's [`Outcome`], with its line for a person. Pure.

use std::time::Duration;

use crate::detail;
use crate::endpoint::KEY_LENGTH;
use crate::error::{Delivery, Outcome, Status};
use crate::verdict::{Answer, Verdict};

/// What the attempts before the last one, and the call itself, add to the last verdict.
#[derive(Clone, Copy)]
pub(crate) struct History<'a> {
    pub attempts: u32,
    /// The fate of an earlier attempt is unknown. It stays so: a later refusal proves nothing about that one.
    pub unknown_before: bool,
    pub elapsed: Duration,
    pub api_key: &'a str,
    pub content: &'a str,
}

pub(crate) fn outcome(verdict: Verdict, answer: Option<Answer>, history: History<'_>) -> Outcome {
    let delivered = verdict.delivery == Delivery::Delivered;
    let delivery = if history.unknown_before && !delivered { Delivery::Unknown } else { verdict.delivery };
    let mut outcome = Outcome::new(verdict.status, delivery);
    outcome.may_be_duplicate = delivered && history.unknown_before;
    outcome.retry_after = verdict.retry_after;
    outcome.attempts = history.attempts;
    outcome.elapsed = history.elapsed;
    if let Some(answer) = answer {
        outcome.http_status = Some(answer.status);
        if delivered {
            outcome.conversation_id = detail::conversation_id(&answer.body);
        } else {
            outcome.detail = detail::of_body(&answer.body, &secrets(history));
        }
        outcome.request_id = answer.request_id;
        outcome.body = answer.body;
    }
    if !delivered {
        outcome.text = line(&verdict.what, &outcome, history);
    }
    outcome
}

/// What no text may show. Of a content this short nothing is given away, and replacing it would garble other words.
fn secrets(history: History<'_>) -> Vec<&str> {
    [history.api_key, history.content].into_iter().filter(|secret| secret.len() >= 8).collect()
}

/// What happened, what is known of the message, what to do.
fn line(what: &str, outcome: &Outcome, history: History<'_>) -> String {
    let mut line = capitalised(what);
    if !outcome.detail.is_empty() {
        line.push_str(": ");
        line.push_str(outcome.detail.trim_end_matches('.'));
    }
    if history.attempts > 1 {
        line.push_str(&format!(" (attempt {})", history.attempts));
    }
    line.push_str(match outcome.delivery {
        Delivery::Unknown => ". Whether the message was delivered is unknown. ",
        Delivery::NotDelivered => ". The message was not delivered. ",
        Delivery::Delivered => ". The message was delivered. ",
    });
    line.push_str(&advice(outcome, history.api_key.len()));
    line
}

fn advice(outcome: &Outcome, key_length: usize) -> String {
    if outcome.delivery == Delivery::Unknown {
        return "Sending it again may show it twice: look at the conversation first.".into();
    }
    match outcome.status {
        Status::Connect => "Check the network, base_url and proxy, then send it again.",
        Status::Tls => "Check base_url, ca_file and this machine's clock, then send it again.",
        Status::BadReply => "Check base_url and what stands between this machine and the service.",
        Status::Unauthorized if key_length != KEY_LENGTH => {
            return format!(
                "Check the API key: it has {key_length} characters, a key of the service has {KEY_LENGTH}."
            );
        }
        Status::Unauthorized => "Check the API key and what it may do.",
        Status::NotFound => "Check client_user_id and base_url.",
        Status::Rejected => "Correct the message before you send it again.",
        Status::RateLimited => match outcome.retry_after {
            Some(wait) => return format!("Send it again in {} s.", wait.as_millis().div_ceil(1000)),
            None => "Send it again later.",
        },
        Status::Closed => "Make a new client and send it again.",
        Status::Internal => "Please report this.",
        _ => "It is safe to send it again.",
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
    use crate::verdict::{self, Failure, Fault};
    use std::time::SystemTime;

    const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const HISTORY: History<'_> =
        History { attempts: 1, unknown_before: false, elapsed: Duration::from_millis(5), api_key: KEY, content: "Hi" };

    fn answered(status: u16, body: &str, history: History<'_>) -> Outcome {
        let answer = Answer { status, body: body.into(), request_complete: true, ..Answer::default() };
        outcome(verdict::of_answer(&answer, || SystemTime::UNIX_EPOCH), Some(answer), history)
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

    #[test]
    fn a_failure_has_no_answers_facts() {
        let failure =
            Failure { fault: Fault::Connect("no connection to 127.0.0.1:1: refused".into()), request_complete: false };
        let outcome = outcome(verdict::of_failure(&failure), None, HISTORY);
        assert_eq!(outcome.http_status(), None);
        assert_eq!(
            outcome.message(),
            "No connection to 127.0.0.1:1: refused. The message was not delivered. \
             Check the network, base_url and proxy, then send it again."
        );
    }
}

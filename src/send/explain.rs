//! Turns the assessment of the last attempt into the [`Outcome`] of the call, with one line for a person. No I/O.

use std::time::Duration;

use crate::http::request::KEY_LENGTH;
use crate::http::{Answer, ContentType};
use crate::model::outcome::{Delivery, Outcome, Retry, Status};
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
        if delivery == Delivery::NotDelivered {
            outcome.retry = retry(&assessment, &answer);
        }
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

/// Whether sending a message again can help, after an answer that refuses it.
fn retry(assessment: &Assessment, answer: &Answer) -> Retry {
    match (assessment.status, answer.status) {
        // A page of HTML does not come from the API: base_url, or what stands between, is wrong, and not the user.
        (Status::NotFound, _) if answer.content_type == ContentType::Html => Retry::Later,
        // These refuse the account, the proxy, the address or the time; all others refuse the message.
        (Status::Rejected, 402 | 405 | 406 | 407 | 408 | 410 | 421 | 425 | 426) => Retry::Later,
        (Status::NotFound | Status::Rejected, _) => Retry::Never,
        _ => Retry::Later,
    }
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
mod tests;

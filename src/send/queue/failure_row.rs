//! [`FailureRow`]: counts failures in a row, so that an outage ends a queue and not all its messages. Plain data.

use crate::model::outcome::{Error, Outcome, Retry, Status};

/// Counts for `max_failures_in_a_row`.
pub(super) struct FailureRow {
    /// 0: off.
    max: usize,
    count: usize,
    suspended: Option<Error>,
}

impl FailureRow {
    pub fn new(max: u32) -> Self {
        FailureRow { max: max as usize, count: 0, suspended: None }
    }

    /// Whether another message may be begun beside those in flight. After a failure only so many are in flight as may
    /// still fail.
    pub fn allows_another(&self, in_flight: usize) -> bool {
        self.count == 0 || self.max == 0 || self.count + in_flight < self.max
    }

    /// Counts an outcome. Returns the outcome of all messages that wait, if this one has filled the row.
    pub fn add(&mut self, outcome: &Outcome) -> Option<Error> {
        if self.max == 0 || !self.counts(outcome) || self.count < self.max || self.suspended.is_some() {
            return None;
        }
        self.suspended = Some(suspended(self.count, outcome));
        self.suspended.clone()
    }

    /// Whether the outcome has made the row longer.
    fn counts(&mut self, outcome: &Outcome) -> bool {
        match outcome.status {
            // The caller's doing, or that of its rate limit: they say nothing about the service.
            Status::InvalidArgument | Status::Cancelled | Status::Closed | Status::QueueFull | Status::Suspended => {
                false
            }
            Status::RateLimited if outcome.http_status.is_none() => false,
            Status::Ok
            | Status::Connect
            | Status::Tls
            | Status::Timeout
            | Status::ConnectionLost
            | Status::BadReply
            | Status::Unauthorized
            | Status::NotFound
            | Status::Rejected
            | Status::RateLimited
            | Status::ServerError
            | Status::Internal => {
                self.count = if outcome.retry == Retry::Never { 0 } else { self.count.saturating_add(1) };
                self.count > 0
            }
        }
    }

    /// Why no message is begun any more.
    pub fn suspended(&self) -> Option<&Error> {
        self.suspended.as_ref()
    }

    pub fn resume(&mut self) {
        (self.suspended, self.count) = (None, 0);
    }
}

/// The outcome of every message that is not begun because too many before it have failed. `last` is the last of those.
fn suspended(failures: usize, last: &Outcome) -> Error {
    // What happened to the last one, without what is known of it and what to do: those are not true of this message.
    let cause = [". Whether the message", ". The message was"].iter().find_map(|rest| last.text.split_once(rest));
    let cause = cause.map_or(&*last.text, |(cause, _)| cause);
    let text = format!(
        "{failures} messages in a row failed for reasons that are not theirs (max_failures_in_a_row); the last: {cause}. \
         This message was not delivered. It is safe to send it again when the cause is gone."
    );
    Error::new(Outcome::not_sent(Status::Suspended, text))
}

#[cfg(test)]
mod tests;

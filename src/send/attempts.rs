//! The attempts at one message: each waits for its turn, is sent once, is assessed, and is followed by another or not.

use std::mem;
use std::time::{Duration, Instant, SystemTime};

use crate::http::request::{Endpoint, Prepared};
use crate::http::{Answer, CallContext, Failure, Fault, Stop};
use crate::model::hooks::Level;
use crate::model::message::Message;
use crate::model::options::DeliveryPolicy;
use crate::model::outcome::{Delivery, Outcome, Status};
use crate::send::assess::{self, Assessment, RetryRule};
use crate::send::explain::{self, History};
use crate::send::process::ProcessState;
use crate::send::rate_limit::{self, Ticket};
use crate::send::retry;

/// By which rules, where and until when the attempts at one message are made.
pub(super) struct Attempts<'a> {
    pub endpoint: &'a Endpoint,
    pub policy: DeliveryPolicy,
    pub max_attempts: u32,
    pub timeout: Duration,
    pub clock: Clock,
    pub process: &'a ProcessState,
    pub context: &'a CallContext,
}

impl<'a> Attempts<'a> {
    /// Makes attempts until the fate of `message` is decided, or nothing further can be done about it.
    pub fn until_decided(&self, message: &Message<'_>, prepared: &Prepared, started: Instant) -> Outcome {
        let (process, context) = (self.process, self.context);
        let mut deadline = started + self.timeout;
        let (mut attempts, mut unknown_before) = (0, false);
        let mut last: Option<(Assessment, Option<Answer>)> = None;
        let (assessment, answer) = loop {
            // An attempt that begins later leaves no time for an answer, and could only make the message unknown.
            let latest = |deadline: Instant| deadline - time_for_an_answer(self.timeout);
            let ticket = match self.wait_for_turn(latest(deadline)) {
                Ok(Turn { ticket, waited }) => {
                    deadline += waited;
                    ticket
                }
                Err(held) => break held.after(last),
            };
            unknown_before |= last.is_some_and(|(assessment, _)| assessment.delivery == Delivery::Unknown);
            attempts += 1;
            let request = || self.endpoint.request(prepared);
            let (assessment, answer) =
                match process.transport.exchange(&request, self.endpoint.fields(), context, deadline) {
                    Ok(answer) => (assess::of_answer(&answer, SystemTime::now), Some(answer)),
                    Err(failure) => (assess::of_failure(&failure), None),
                };
            if context.has_forked() {
                mem::forget(ticket);
                break (assessment, answer);
            }
            let wait = retry::wait(&assessment, self.policy, attempts, self.max_attempts, || process.roll());
            let pauses_all = assessment.then == RetryRule::RetryAfterPause;
            match (ticket, wait.or(assessment.retry_after)) {
                (ticket, Some(asked)) if pauses_all => {
                    process.limiter.pause(Instant::now(), asked);
                    drop(ticket); // after the pause: the next probe waits for its end
                }
                (Some(ticket), _) if answer.is_some() && !pauses_all => ticket.answered(),
                _ => {}
            }
            let Some(wait) = wait else {
                break (assessment, answer);
            };
            // A pause of all is waited for in line with all, above.
            let until = if pauses_all { Ok(None) } else { end_of(wait, latest(deadline)).map(Some) };
            let held = until.and_then(|until| {
                context.hooks().log(Level::Warn, || {
                    format!("{}; attempt {} follows in {} ms", assessment.what, attempts + 1, wait.as_millis())
                });
                until.map_or(Ok(()), |until| context.until(until).map_err(NotAttempted::Stopped))
            });
            if let Err(held) = held {
                break held.after(Some((assessment, answer)));
            }
            last = Some((assessment, answer));
        };
        // A callback forked, and this is the child. Whatever came of the attempts so far, the parent may make further ones.
        let (assessment, answer) = if context.has_forked() { forked() } else { (assessment, answer) };
        let history = History {
            attempts,
            unknown_before,
            elapsed: started.elapsed(),
            api_key: self.endpoint.api_key(),
            content: message.content(),
            source_context: message.context(),
        };
        explain::outcome(assessment, answer, history)
    }

    /// Waits until the limiter lets the next request go.
    fn wait_for_turn(&self, latest: Instant) -> Result<Turn<'a>, NotAttempted> {
        let (limiter, context, clock) = (&self.process.limiter, self.context, self.clock);
        context.check().map_err(NotAttempted::Stopped)?;
        if limiter.is_idle() {
            return Ok(Turn { ticket: None, waited: Duration::ZERO });
        }
        let joined = Instant::now();
        let (mut now, latest) = (joined, (clock == Clock::FromCall).then_some(latest));
        let mut ticket = limiter.join(now, latest).map_err(NotAttempted::TooLong)?;
        loop {
            match ticket.turn(now, latest) {
                rate_limit::Turn::Now => break,
                rate_limit::Turn::TooLate(wait) => return Err(NotAttempted::TooLong(wait)),
                rate_limit::Turn::LookAt(moment) => {
                    if let Err(stop) = context.until(moment) {
                        if context.has_forked() {
                            mem::forget(ticket); // the lock is the parent's
                        }
                        return Err(NotAttempted::Stopped(stop));
                    }
                }
            }
            now = Instant::now();
        }
        let waited = if clock == Clock::FromTurn { now - joined } else { Duration::ZERO };
        Ok(Turn { ticket: Some(ticket), waited })
    }
}

/// From when on a message's timeout counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// From the call on.
    FromCall,
    /// From its turn on, and not while it waits for one: a message of a batch, which is not late because others go first.
    FromTurn,
}

/// How much of `timeout` must be left for an attempt to be worth its risk.
fn time_for_an_answer(timeout: Duration) -> Duration {
    (timeout / 4).min(Duration::from_secs(1))
}

/// What the child of a fork knows of a call that goes on in the parent.
fn forked() -> (Assessment, Option<Answer>) {
    (assess::of_failure(&Failure { fault: Fault::Forked, request_complete: false }), None)
}

/// Why the next attempt was not begun.
enum NotAttempted {
    /// It would have to wait this long, past the deadline.
    TooLong(Duration),
    Stopped(Stop),
}

impl NotAttempted {
    /// What the call comes to, after `last`.
    fn after(self, last: Option<(Assessment, Option<Answer>)>) -> (Assessment, Option<Answer>) {
        match (self, last) {
            (NotAttempted::TooLong(wait), Some((mut assessment, answer))) => {
                assessment.retry_after.get_or_insert(wait);
                (assessment, answer)
            }
            (NotAttempted::TooLong(wait), None) => {
                let assessment = Assessment {
                    status: Status::RateLimited,
                    delivery: Delivery::NotDelivered,
                    then: RetryRule::Stop,
                    retry_after: Some(wait),
                    what: "nothing was sent: max_per_second, or a pause that the service asked for, leaves this client no turn in time"
                        .into(),
                };
                (assessment, None)
            }
            (NotAttempted::Stopped(stop), last) => {
                let fault = stop.into_fault("before an attempt");
                let mut assessment = assess::of_failure(&Failure { fault, request_complete: false });
                let Some((before, answer)) = last else {
                    return (assessment, None);
                };
                assessment.delivery = before.delivery;
                assessment.what = format!("{} before another attempt; before that, {}", assessment.what, before.what);
                (assessment, answer)
            }
        }
    }
}

/// A turn to send a request.
struct Turn<'a> {
    ticket: Option<Ticket<'a>>,
    /// How long it was waited for, as far as the message's timeout does not count that.
    waited: Duration,
}

/// When `wait` ends, where that is not beyond `latest`: else it is not even begun.
fn end_of(wait: Duration, latest: Instant) -> Result<Instant, NotAttempted> {
    let end = Instant::now().checked_add(wait);
    end.filter(|end| *end <= latest).ok_or(NotAttempted::TooLong(wait))
}

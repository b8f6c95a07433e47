//! The attempts at one message. Each attempt waits for the rate limit, sends one request, and is assessed. Then a
//! backoff and another attempt follow, or the outcome is final. All of it ends at the message's deadline.

use std::mem;
use std::time::{Duration, Instant, SystemTime};

use crate::http::request::{Endpoint, Prepared};
use crate::http::{Answer, CallContext, Failure, Fault, Stop};
use crate::model::hooks::Level;
use crate::model::message::Message;
use crate::model::options::{DeliveryPolicy, TimeoutFrom};
use crate::model::outcome::{Delivery, Outcome, Status};
use crate::send::assess::{self, Assessment, RetryRule};
use crate::send::explain::{self, History};
use crate::send::process::ProcessState;
use crate::send::rate_limit::{self, Ticket};
use crate::send::retry;

/// The rules, the limits and the connections for the attempts at one message.
pub(super) struct Attempts<'a> {
    pub endpoint: &'a Endpoint,
    pub policy: DeliveryPolicy,
    pub max_attempts: u32,
    pub timeout: Duration,
    pub timeout_from: TimeoutFrom,
    pub process: &'a ProcessState,
    pub context: &'a CallContext,
}

impl<'a> Attempts<'a> {
    /// Makes attempts until the outcome of `message` is decided, or no further attempt is allowed or in time.
    pub fn until_decided(&self, message: &Message<'_>, prepared: &Prepared, started: Instant) -> Outcome {
        let (process, context) = (self.process, self.context);
        let mut deadline = started + self.timeout;
        let (mut attempts, mut unknown_before) = (0, false);
        let mut last: Option<(Assessment, Option<Answer>)> = None;
        let (assessment, answer) = loop {
            // Do not start an attempt later than this: without time for an answer, it could only make the delivery
            // unknown.
            let latest = |deadline: Instant| deadline - time_for_an_answer(self.timeout);
            let ticket = match self.wait_for_turn(latest(deadline)) {
                Ok(Turn { ticket, waited }) => {
                    deadline += waited;
                    ticket
                }
                Err(reason) => break reason.after(last),
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
            let pauses_all = assessment.retry_rule == RetryRule::RetryAfterPause;
            match (ticket, wait.or(assessment.retry_after)) {
                (ticket, Some(asked)) if pauses_all => {
                    process.limiter.pause(Instant::now(), asked);
                    drop(ticket); // only now: the next probe then waits for the end of the pause
                }
                (Some(ticket), _) if answer.is_some() && !pauses_all => ticket.answered(),
                _ => {}
            }
            let Some(wait) = wait else {
                break (assessment, answer);
            };
            // A pause of the whole client is waited for in the queue of the rate limiter, above.
            let until = if pauses_all { Ok(None) } else { end_of(wait, latest(deadline)).map(Some) };
            let backoff = until.and_then(|until| {
                context.hooks().log(Level::Warn, || {
                    format!("{}; attempt {} follows in {} ms", assessment.what, attempts + 1, wait.as_millis())
                });
                until.map_or(Ok(()), |until| context.until(until).map_err(NotAttempted::Stopped))
            });
            if let Err(reason) = backoff {
                break reason.after(Some((assessment, answer)));
            }
            last = Some((assessment, answer));
        };
        // In the child of a fork that a callback made: ignore the result so far, the parent may make further attempts.
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

    /// Waits until the rate limiter lets the next request go.
    fn wait_for_turn(&self, latest: Instant) -> Result<Turn<'a>, NotAttempted> {
        let (limiter, context) = (&self.process.limiter, self.context);
        let counts_waits = self.timeout_from == TimeoutFrom::Push;
        context.check().map_err(NotAttempted::Stopped)?;
        if limiter.is_idle() {
            // A message of a queue may have waited for long. That of a direct call has not.
            if counts_waits && context.is_of_worker() && Instant::now() > latest {
                return Err(NotAttempted::Stopped(Stop::Deadline));
            }
            return Ok(Turn { ticket: None, waited: Duration::ZERO });
        }
        let joined = Instant::now();
        let (mut now, latest) = (joined, counts_waits.then_some(latest));
        let mut ticket = limiter.join(now, latest).map_err(NotAttempted::TooLong)?;
        loop {
            match ticket.turn(now, latest) {
                rate_limit::Turn::Now => break,
                rate_limit::Turn::TooLate(wait) => return Err(NotAttempted::TooLong(wait)),
                rate_limit::Turn::PollAt(time) => {
                    if let Err(stop) = context.until(time) {
                        if context.has_forked() {
                            mem::forget(ticket); // dropping it takes a lock that another thread may have held
                        }
                        return Err(NotAttempted::Stopped(stop));
                    }
                }
            }
            now = Instant::now();
        }
        let waited = if counts_waits { Duration::ZERO } else { now - joined };
        Ok(Turn { ticket: Some(ticket), waited })
    }
}

/// The outcome of a message whose call is stopped before it has begun.
pub(super) fn not_begun(stop: Stop, message: &Message<'_>, api_key: &str, elapsed: Duration) -> Outcome {
    let (assessment, answer) = NotAttempted::Stopped(stop).after(None);
    let (content, source_context) = (message.content(), message.context());
    let history = History { attempts: 0, unknown_before: false, elapsed, api_key, content, source_context };
    explain::outcome(assessment, answer, history)
}

/// How much of `timeout` must be left to start an attempt: enough for the answer to arrive before the deadline.
fn time_for_an_answer(timeout: Duration) -> Duration {
    (timeout / 4).min(Duration::from_secs(1))
}

/// The result in the child of a fork, for a call that continues in the parent: cancelled, delivery unknown.
fn forked() -> (Assessment, Option<Answer>) {
    (assess::of_failure(&Failure { fault: Fault::Forked, request_complete: false }), None)
}

/// Why the next attempt was not started.
enum NotAttempted {
    /// The wait would last this long, which is past the deadline.
    TooLong(Duration),
    /// The wait was stopped, for example because the call was cancelled.
    Stopped(Stop),
}

impl NotAttempted {
    /// The final result of the call. `last` is the last attempt; `None` if this would have been the first.
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
                    retry_rule: RetryRule::Stop,
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

/// The permission to send one request now.
struct Turn<'a> {
    /// The place in the queue of the rate limiter; `None` if there is no limit.
    ticket: Option<Ticket<'a>>,
    /// How far the wait for this turn moves the deadline.
    waited: Duration,
}

/// The end of `wait`. An error if that is after `latest`: then do not even start to wait.
fn end_of(wait: Duration, latest: Instant) -> Result<Instant, NotAttempted> {
    let end = Instant::now().checked_add(wait);
    end.filter(|end| *end <= latest).ok_or(NotAttempted::TooLong(wait))
}

//! The attempts at one message: each waits for its turn, is sent once, is assessed, and is followed by another or not.

use std::mem;
use std::time::{Duration, Instant, SystemTime};

use crate::http::request::{Endpoint, Prepared};
use crate::http::{Answer, Failure, Fault, Stop, Waiter};
use crate::model::hooks::Level;
use crate::model::message::Message;
use crate::model::options::Policy;
use crate::model::outcome::{Delivery, Outcome, Status};
use crate::send::assess::{self, Then, Verdict};
use crate::send::explain::{self, History};
use crate::send::process::Epoch;
use crate::send::rate_limit::{self, Ticket};
use crate::send::retry;

/// By which rules, where and until when the attempts at one message are made.
pub(super) struct Attempts<'a> {
    pub endpoint: &'a Endpoint,
    pub policy: Policy,
    pub max_attempts: u32,
    pub timeout: Duration,
    pub clock: Clock,
    pub epoch: &'a Epoch,
    pub waiter: &'a Waiter,
}

impl<'a> Attempts<'a> {
    /// Makes attempts until the fate of `message` is decided, or nothing further can be done about it.
    pub fn until_decided(&self, message: &Message<'_>, prepared: &Prepared, started: Instant) -> Outcome {
        let (epoch, waiter) = (self.epoch, self.waiter);
        let mut deadline = started + self.timeout;
        let (mut attempts, mut unknown_before) = (0, false);
        let mut last: Option<(Verdict, Option<Answer>)> = None;
        let (verdict, answer) = loop {
            // An attempt that begins later leaves no time for an answer, and could only make the message unknown.
            let latest = |deadline: Instant| deadline - time_for_an_answer(self.timeout);
            let ticket = match self.wait_for_turn(latest(deadline)) {
                Ok(Turn { ticket, waited }) => {
                    deadline += waited;
                    ticket
                }
                Err(held) => break held.after(last),
            };
            unknown_before |= last.is_some_and(|(verdict, _)| verdict.delivery == Delivery::Unknown);
            attempts += 1;
            let request = || self.endpoint.request(prepared);
            let (verdict, answer) = match epoch.transport.exchange(&request, self.endpoint.fields(), waiter, deadline) {
                Ok(answer) => (assess::of_answer(&answer, SystemTime::now), Some(answer)),
                Err(failure) => (assess::of_failure(&failure), None),
            };
            if waiter.has_forked() {
                mem::forget(ticket);
                break (verdict, answer);
            }
            let wait = retry::wait(&verdict, self.policy, attempts, self.max_attempts, || epoch.roll());
            let pauses_all = verdict.then == Then::RetryAfterPause;
            match (ticket, wait.or(verdict.retry_after)) {
                (ticket, Some(asked)) if pauses_all => {
                    epoch.limiter.pause(Instant::now(), asked);
                    drop(ticket); // after the pause: the next probe waits for its end
                }
                (Some(ticket), _) if answer.is_some() && !pauses_all => ticket.answered(),
                _ => {}
            }
            let Some(wait) = wait else {
                break (verdict, answer);
            };
            // A pause of all is waited for in line with all, above.
            let until = if pauses_all { Ok(None) } else { end_of(wait, latest(deadline)).map(Some) };
            let held = until.and_then(|until| {
                waiter.hooks().log(Level::Warn, || {
                    format!("{}; attempt {} follows in {} ms", verdict.what, attempts + 1, wait.as_millis())
                });
                until.map_or(Ok(()), |until| waiter.until(until).map_err(Held::Stopped))
            });
            if let Err(held) = held {
                break held.after(Some((verdict, answer)));
            }
            last = Some((verdict, answer));
        };
        // A callback forked, and this is the child. Whatever came of the attempts so far, the parent may make further ones.
        let (verdict, answer) = if waiter.has_forked() { forked() } else { (verdict, answer) };
        let history = History {
            attempts,
            unknown_before,
            elapsed: started.elapsed(),
            api_key: self.endpoint.api_key(),
            content: message.content(),
            source_context: message.context(),
        };
        explain::outcome(verdict, answer, history)
    }

    /// Waits until the limiter lets the next request go.
    fn wait_for_turn(&self, latest: Instant) -> Result<Turn<'a>, Held> {
        let (limiter, waiter, clock) = (&self.epoch.limiter, self.waiter, self.clock);
        waiter.check().map_err(Held::Stopped)?;
        if limiter.is_idle() {
            return Ok(Turn { ticket: None, waited: Duration::ZERO });
        }
        let joined = Instant::now();
        let (mut now, latest) = (joined, (clock == Clock::FromCall).then_some(latest));
        let mut ticket = limiter.join(now, latest).map_err(Held::TooLong)?;
        loop {
            match ticket.turn(now, latest) {
                rate_limit::Turn::Now => break,
                rate_limit::Turn::TooLate(wait) => return Err(Held::TooLong(wait)),
                rate_limit::Turn::LookAt(moment) => {
                    if let Err(stop) = waiter.until(moment) {
                        if waiter.has_forked() {
                            mem::forget(ticket); // the lock is the parent's
                        }
                        return Err(Held::Stopped(stop));
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
fn forked() -> (Verdict, Option<Answer>) {
    (assess::of_failure(&Failure { fault: Fault::Forked, request_complete: false }), None)
}

/// Why the next attempt was not begun.
enum Held {
    /// It would have to wait this long, past the deadline.
    TooLong(Duration),
    Stopped(Stop),
}

impl Held {
    /// What the call comes to, after `last`.
    fn after(self, last: Option<(Verdict, Option<Answer>)>) -> (Verdict, Option<Answer>) {
        match (self, last) {
            (Held::TooLong(wait), Some((mut verdict, answer))) => {
                verdict.retry_after.get_or_insert(wait);
                (verdict, answer)
            }
            (Held::TooLong(wait), None) => {
                let verdict = Verdict {
                    status: Status::RateLimited,
                    delivery: Delivery::NotDelivered,
                    then: Then::Stop,
                    retry_after: Some(wait),
                    what: "nothing was sent: max_per_second, or a pause that the service asked for, leaves this client no turn in time"
                        .into(),
                };
                (verdict, None)
            }
            (Held::Stopped(stop), last) => {
                let fault = stop.into_fault("before an attempt");
                let mut verdict = assess::of_failure(&Failure { fault, request_complete: false });
                let Some((before, answer)) = last else {
                    return (verdict, None);
                };
                verdict.delivery = before.delivery;
                verdict.what = format!("{} before another attempt; before that, {}", verdict.what, before.what);
                (verdict, answer)
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
fn end_of(wait: Duration, latest: Instant) -> Result<Instant, Held> {
    let end = Instant::now().checked_add(wait);
    end.filter(|end| *end <= latest).ok_or(Held::TooLong(wait))
}

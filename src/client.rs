//! [`Client`]: takes a message from validation through attempts to its outcome. The only orchestration.

use std::fmt;
use std::io;
use std::mem;
use std::ops::{ControlFlow, Deref};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use once_cell::race::OnceBox;

use crate::batch::{self, Messages};
use crate::endpoint::{Endpoint, Prepared};
use crate::error::{Delivery, Error, Outcome, Status};
use crate::ffi::sys;
use crate::hooks::{Hooks, Level};
use crate::limiter::{self, Limiter, Ticket};
use crate::message::Message;
use crate::options::{MOST_CONNECTIONS, Options, Policy};
use crate::report::{self, History};
use crate::retry::{self, Dice};
use crate::transport::{Bell, End, Proxy, Roots, Settings, Stop, Transport, Waiter};
use crate::verdict::{self, Answer, Failure, Fault, Then, Verdict};

/// Sends messages. Share one among any number of threads: connections are kept and used again.
///
/// After `fork()` the child may go on using it, on connections of its own; the parent's are closed there. A call under way
/// stays the parent's: where a callback forks, the call ends in the child as [`Status::Cancelled`], unknown. Dropping a
/// client closes its connections.
pub struct Client {
    endpoint: Endpoint,
    settings: Settings,
    hooks: Arc<Hooks>,
    policy: Policy,
    max_attempts: u32,
    timeout: Duration,
    max_per_second: Option<u32>,
    closed: AtomicBool,
    first: Epoch,
}

impl Client {
    /// Makes a client for the API key `api_key`. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] names the option that cannot be used, and why.
    pub fn new(api_key: &str, options: Options) -> Result<Self, Error> {
        sys::count_forks();
        check(&options)?;
        let endpoint = Endpoint::new(api_key, &options)?;
        let target = (endpoint.host(), endpoint.port());
        let variable = |name: &str| std::env::var_os(name);
        let proxy = Proxy::choose(options.proxy.as_deref(), target, endpoint.is_https(), variable)?;
        let settings = Settings {
            proxy,
            roots: Roots::new(options.ca_file.as_deref())?,
            connect_timeout: options.connect_timeout,
            max_connections: options.max_connections as usize,
        };
        let hooks = Arc::new(Hooks { log: options.log, interrupt: options.interrupt });
        let first = Epoch::new(&settings, &hooks, options.max_per_second)?;
        Ok(Client {
            endpoint,
            settings,
            hooks,
            policy: options.policy,
            max_attempts: options.max_attempts,
            timeout: options.timeout,
            max_per_second: options.max_per_second,
            closed: AtomicBool::new(false),
            first,
        })
    }

    /// Sends `message` and waits for what becomes of it.
    ///
    /// # Errors
    /// Everything but a delivery: see [`Status`] for the kinds. [`Outcome::delivery`] says whether it may be sent again.
    pub fn send_conversation(&self, message: &Message<'_>) -> Result<Outcome, Error> {
        let epoch = self.epoch()?;
        self.send_in(epoch, epoch.waiter.for_call(), message, Clock::FromCall)
    }

    /// Sends many messages over at most [`Options::max_connections`] connections at once, and waits for all.
    ///
    /// The results stand in the messages' order. Messages to one `client_user_id` keep their order, also where an earlier
    /// one fails. Retries, `max_per_second` and the pause of a 429 are as for single ones. [`Options::timeout`] counts for
    /// each message from its turn on, and not while it waits for one.
    ///
    /// `progress` is called on this thread after each message, with how many are done and how many there are; `Break`
    /// stops the batch: what is under way ends, and the rest is [`Status::Cancelled`] and not delivered. It is not called
    /// any more once the batch was stopped, by it or otherwise.
    pub fn send_conversations(
        &self,
        messages: &[Message<'_>],
        mut progress: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Vec<Result<Outcome, Error>> {
        let mut results: Vec<Option<Outcome>> = vec![None; messages.len()];
        let mut done = 0;
        let mut stops = || {
            done += 1;
            progress(done, messages.len()).is_break()
        };
        let sent = self.send_each(messages, &mut |index, outcome| results[index] = Some(outcome), &mut stops);
        let missing = |sent: &Result<(), Error>| match sent {
            Err(error) => Outcome::clone(error),
            Ok(()) => Outcome::new(Status::Internal, Delivery::Unknown),
        };
        let outcome = |result: Option<Outcome>| result.unwrap_or_else(|| missing(&sent));
        let result =
            |outcome: Outcome| if outcome.status == Status::Ok { Ok(outcome) } else { Err(Error::new(outcome)) };
        results.into_iter().map(|found| result(outcome(found))).collect()
    }

    /// As [`Client::send_conversations`], but tells each outcome to `told` at once. Until the batch is stopped, `stops` is
    /// then asked whether to stop it.
    ///
    /// # Errors
    /// What became of every message that was not told of.
    pub(crate) fn send_each<M: Messages + ?Sized>(
        &self,
        messages: &M,
        told: &mut dyn FnMut(usize, Outcome),
        stops: &mut dyn FnMut() -> bool,
    ) -> Result<(), Error> {
        let epoch = self.epoch()?;
        let send =
            |message: &Message<'_>, waiter: &Waiter| self.send_in(epoch, waiter.for_call(), message, Clock::FromTurn);
        batch::run(&messages, self.settings.max_connections, &epoch.waiter.for_call(), &send, told, stops)
    }

    /// As [`Client::send_conversation`], waiting in `waiter`.
    fn send_in(&self, epoch: &Epoch, waiter: Waiter, message: &Message<'_>, clock: Clock) -> Result<Outcome, Error> {
        let started = Instant::now();
        let prepared = self.endpoint.prepare(message)?;
        let outcome = self.attempt_until_decided(epoch, &waiter, message, &prepared, started, clock);
        if outcome.status == Status::Ok {
            waiter.hooks().log(Level::Info, || {
                format!("delivered in {} us, attempts {}", outcome.elapsed.as_micros(), outcome.attempts)
            });
            Ok(outcome)
        } else {
            // Once a batch is stopped, its log would be as long as what is left of it.
            let was_stopped = outcome.attempts == 0 && matches!(outcome.status, Status::Cancelled | Status::Closed);
            if clock == Clock::FromCall || !was_stopped {
                waiter.hooks().log(Level::Error, || outcome.text.clone());
            }
            Err(Error::new(outcome))
        }
    }

    /// Ends the calls under way, in other threads, and every later one with [`Status::Closed`], and closes the idle
    /// connections. Does not wait.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Ok(epoch) = self.epoch() {
            epoch.close();
        }
    }

    /// Counts a call from C, which `ue_free` waits for, until what this returns is dropped. That outlives the use of the
    /// client by the call: at its end another thread may free the client.
    pub(crate) fn begin_call(&self) -> Result<Call<'_>, Error> {
        Ok(self.epoch()?.calls.begin())
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Waits until no call from C is under way.
    pub(crate) fn wait_for_calls(&self) {
        if let Ok(epoch) = self.epoch() {
            epoch.calls.wait_for_none();
        }
    }

    /// What belongs to this process: the last link of the chain, which grows by one with every fork.
    fn epoch(&self) -> Result<&Epoch, Error> {
        let mut epoch = &self.first;
        while epoch.forks != sys::forks() {
            epoch = epoch.next.get_or_try_init(|| -> Result<_, Error> {
                let next = Epoch::new(&self.settings, &self.hooks, self.max_per_second)?;
                if self.closed.load(Ordering::SeqCst) {
                    next.close();
                }
                Ok(Box::new(next))
            })?;
        }
        Ok(epoch)
    }

    fn attempt_until_decided(
        &self,
        epoch: &Epoch,
        waiter: &Waiter,
        message: &Message<'_>,
        prepared: &Prepared,
        started: Instant,
        clock: Clock,
    ) -> Outcome {
        let mut deadline = started + self.timeout;
        let (mut attempts, mut unknown_before) = (0, false);
        let mut last: Option<(Verdict, Option<Answer>)> = None;
        let (verdict, answer) = loop {
            // An attempt that begins later leaves no time for an answer, and could only make the message unknown.
            let latest = |deadline: Instant| deadline - time_for_an_answer(self.timeout);
            let ticket = match epoch.wait_for_turn(waiter, latest(deadline), clock) {
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
                Ok(answer) => (verdict::of_answer(&answer, SystemTime::now), Some(answer)),
                Err(failure) => (verdict::of_failure(&failure), None),
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
        report::outcome(verdict, answer, history)
    }
}

/// From when on a message's timeout counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Clock {
    /// From the call on.
    FromCall,
    /// From its turn on, and not while it waits for one: a message of a batch, which is not late because others go first.
    FromTurn,
}

/// How much of `timeout` must be left for an attempt to be worth its risk.
fn time_for_an_answer(timeout: Duration) -> Duration {
    (timeout / 4).min(Duration::from_secs(1))
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}

/// The API key does not show.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.endpoint.host()).finish_non_exhaustive()
    }
}

fn check(options: &Options) -> Result<(), Error> {
    // What a C caller's -1 would become lies above it.
    const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
    let refuse = |text: String| Err(Error::invalid(text));
    for (field, value) in [("timeout", options.timeout), ("connect_timeout", options.connect_timeout)] {
        if value.is_zero() {
            return refuse(format!("{field} is 0, in which nothing can be sent: give a longer one"));
        }
        if value > LONGEST {
            return refuse(format!(
                "{field} is {} ms: give at most {} (24 days)",
                value.as_millis(),
                LONGEST.as_millis()
            ));
        }
    }
    for (field, value) in [
        ("max_attempts", options.max_attempts),
        ("max_connections", options.max_connections),
        ("max_per_second", options.max_per_second.unwrap_or(1)),
    ] {
        if value == 0 {
            return refuse(format!("{field} is 0, with which nothing can be sent: give 1 or more"));
        }
    }
    let connections = options.max_connections;
    if connections > MOST_CONNECTIONS {
        return refuse(format!(
            "max_connections is {connections}: give at most {MOST_CONNECTIONS}, a batch has a thread for each"
        ));
    }
    Ok(())
}

/// What the child of a fork knows of a call that goes on in the parent.
fn forked() -> (Verdict, Option<Answer>) {
    (verdict::of_failure(&Failure { fault: Fault::Forked, request_complete: false }), None)
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
                let mut verdict = verdict::of_failure(&Failure { fault, request_complete: false });
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

/// What belongs to one process: connections, locks, calls under way.
#[derive(Debug)]
struct Epoch {
    forks: u64,
    own: Arc<Own>,
    /// That of this process's child, in its memory.
    next: OnceBox<Epoch>,
}

#[derive(Debug)]
struct Own {
    waiter: Waiter,
    transport: Transport,
    limiter: Limiter,
    calls: Calls,
    dice: Mutex<Dice>,
}

impl Epoch {
    fn new(settings: &Settings, hooks: &Arc<Hooks>, max_per_second: Option<u32>) -> Result<Self, Error> {
        let bell = Bell::new().map_err(|error: io::Error| {
            let fault = Fault::Connect(format!("no pair of sockets could be made: {error}"));
            let verdict = verdict::of_failure(&Failure { fault, request_complete: false });
            let history = History {
                attempts: 0,
                unknown_before: false,
                elapsed: Duration::ZERO,
                api_key: "",
                content: "",
                source_context: None,
            };
            Error::new(report::outcome(verdict, None, history))
        })?;
        let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos() as u64;
        let own = Arc::new(Own {
            waiter: Waiter::new(hooks.clone(), Arc::new(bell)),
            transport: Transport::new(settings),
            limiter: Limiter::new(max_per_second),
            calls: Calls::default(),
            dice: Mutex::new(Dice::new(time ^ u64::from(std::process::id()) << 32)),
        });
        Ok(Epoch { forks: sys::forks(), own, next: OnceBox::new() })
    }
}

impl Deref for Epoch {
    type Target = Own;

    fn deref(&self) -> &Own {
        &self.own
    }
}

impl Drop for Epoch {
    /// A parent's connections are not the child's to touch, nor its locks, which a thread may have held at the fork.
    fn drop(&mut self) {
        if self.forks != sys::forks() {
            mem::forget(self.own.clone());
        }
    }
}

impl Own {
    fn roll(&self) -> f64 {
        self.dice.lock().unwrap_or_else(PoisonError::into_inner).roll()
    }

    fn close(&self) {
        self.waiter.bell().ring(End::Closed);
        self.transport.close();
    }

    /// Waits until the limiter lets the next request go.
    fn wait_for_turn(&self, waiter: &Waiter, latest: Instant, clock: Clock) -> Result<Turn<'_>, Held> {
        waiter.check().map_err(Held::Stopped)?;
        if self.limiter.is_idle() {
            return Ok(Turn { ticket: None, waited: Duration::ZERO });
        }
        let joined = Instant::now();
        let (mut now, latest) = (joined, (clock == Clock::FromCall).then_some(latest));
        let mut ticket = self.limiter.join(now, latest).map_err(Held::TooLong)?;
        loop {
            match ticket.turn(now, latest) {
                limiter::Turn::Now => break,
                limiter::Turn::TooLate(wait) => return Err(Held::TooLong(wait)),
                limiter::Turn::LookAt(moment) => {
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

/// How many calls from C are under way, and whether anybody waits for their end.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    state: Mutex<CallsState>,
    none: Condvar,
}

#[derive(Debug, Default)]
struct CallsState {
    under_way: usize,
    awaited: bool,
}

pub(crate) struct Call<'a> {
    calls: &'a Calls,
    forks: u64,
}

impl Calls {
    fn state(&self) -> MutexGuard<'_, CallsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self) -> Call<'_> {
        self.state().under_way += 1;
        Call { calls: self, forks: sys::forks() }
    }

    fn wait_for_none(&self) {
        let mut state = self.state();
        state.awaited = true;
        while state.under_way > 0 {
            state = self.none.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        if self.forks != sys::forks() {
            return; // the parent's: another thread may have held the lock at the fork
        }
        let mut state = self.calls.state();
        state.under_way -= 1;
        if state.awaited {
            self.calls.none.notify_all(); // a system call, whether anybody waits or not
        }
    }
}

//! [`Client`]: validates messages, one or many, makes the attempts and returns the outcomes.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::http::request::Endpoint;
use crate::http::{CallContext, Proxy, Roots, Settings};
use crate::model::hooks::{Hooks, Level};
use crate::model::message::Message;
use crate::model::options::{DeliveryPolicy, Options};
use crate::model::outcome::{Delivery, Error, Outcome, Status};
use crate::send::attempts::{Attempts, Clock};
use crate::send::batch::{self, Messages};
use crate::send::process::{Call, ProcessState};
use crate::sys;

/// Sends messages. Share one client among any number of threads: it keeps idle connections in a pool and reuses them.
///
/// After `fork()` the child may use the client, too. It opens its own connections, and closes its copies of the
/// parent's. A call in flight belongs to the parent: if a callback forks, the call ends in the child as
/// [`Status::Cancelled`], with [`Delivery::Unknown`]. Dropping a client closes its connections.
pub struct Client {
    endpoint: Endpoint,
    settings: Settings,
    hooks: Arc<Hooks>,
    policy: DeliveryPolicy,
    max_attempts: u32,
    timeout: Duration,
    max_per_second: Option<u32>,
    closed: AtomicBool,
    first: ProcessState,
}

impl Client {
    /// Creates a client for the API key `api_key`. Does not connect yet.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] if an argument cannot be used: the text names it and the reason. [`Status::Connect`]
    /// if the process has no descriptors left.
    pub fn new(api_key: &str, options: Options) -> Result<Self, Error> {
        sys::count_forks();
        options.check()?;
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
        let first = ProcessState::new(&settings, &hooks, options.max_per_second)?;
        Ok(Client {
            endpoint,
            settings,
            hooks,
            policy: options.delivery_policy,
            max_attempts: options.max_attempts,
            timeout: options.timeout,
            max_per_second: options.max_per_second,
            closed: AtomicBool::new(false),
            first,
        })
    }

    /// Sends `message` and waits for the outcome, at most [`Options::timeout`].
    ///
    /// # Errors
    /// Every outcome except a delivery: see [`Status`] for the kinds. [`Outcome::delivery`] says whether it is safe to
    /// send the message again.
    pub fn send_conversation(&self, message: &Message<'_>) -> Result<Outcome, Error> {
        let process = self.process()?;
        self.send_in(process, process.context.for_call(), message, Clock::FromCall)
    }

    /// Sends many messages over at most [`Options::max_connections`] connections at once, and waits for all of them.
    ///
    /// The results have the order of the messages. Messages to one `client_user_id` are sent in order, also if an
    /// earlier one fails. Retries, the rate limit (`max_per_second`) and the pause after a 429 work as for single
    /// messages. Each message has its own deadline: [`Options::timeout`] starts at its turn, and does not include the
    /// wait for a turn.
    ///
    /// `progress` is called on this thread after each message, with the number of messages that are done and the number
    /// of all messages. `Break` stops the batch: the messages in flight are cancelled, and the rest is
    /// [`Status::Cancelled`] and not delivered. After a stop, `progress` is not called again.
    pub fn send_conversations(
        &self,
        messages: &[Message<'_>],
        mut progress: impl FnMut(usize, usize) -> ControlFlow<()>,
    ) -> Vec<Result<Outcome, Error>> {
        let mut results: Vec<Option<Outcome>> = vec![None; messages.len()];
        let mut done = 0;
        let mut should_stop = || {
            done += 1;
            progress(done, messages.len()).is_break()
        };
        let sent = self.send_each(messages, &mut |index, outcome| results[index] = Some(outcome), &mut should_stop);
        let missing = |sent: &Result<(), Error>| match sent {
            Err(error) => Outcome::clone(error),
            Ok(()) => Outcome::new(Status::Internal, Delivery::Unknown),
        };
        let outcome = |result: Option<Outcome>| result.unwrap_or_else(|| missing(&sent));
        let result =
            |outcome: Outcome| if outcome.status == Status::Ok { Ok(outcome) } else { Err(Error::new(outcome)) };
        results.into_iter().map(|found| result(outcome(found))).collect()
    }

    /// Like [`Client::send_conversations`], but passes each outcome to `on_outcome` as soon as it is known. Then calls
    /// `should_stop`, unless the batch was stopped already; `true` stops it.
    ///
    /// # Errors
    /// The outcome of every message that was not passed to `on_outcome`.
    pub(crate) fn send_each<M: Messages + ?Sized>(
        &self,
        messages: &M,
        on_outcome: &mut dyn FnMut(usize, Outcome),
        should_stop: &mut dyn FnMut() -> bool,
    ) -> Result<(), Error> {
        let process = self.process()?;
        let send = |message: &Message<'_>, context: &CallContext| {
            self.send_in(process, context.for_call(), message, Clock::FromTurn)
        };
        batch::run(
            &messages,
            self.settings.max_connections,
            &process.context.for_call(),
            &send,
            on_outcome,
            should_stop,
        )
    }

    /// Like [`Client::send_conversation`], but waits in `context`.
    fn send_in(
        &self,
        process: &ProcessState,
        context: CallContext,
        message: &Message<'_>,
        clock: Clock,
    ) -> Result<Outcome, Error> {
        let started = Instant::now();
        let prepared = self.endpoint.prepare(message)?;
        let attempts = Attempts {
            endpoint: &self.endpoint,
            policy: self.policy,
            max_attempts: self.max_attempts,
            timeout: self.timeout,
            clock,
            process,
            context: &context,
        };
        let outcome = attempts.until_decided(message, &prepared, started);
        if outcome.status == Status::Ok {
            context.hooks().log(Level::Info, || {
                format!("delivered in {} us, attempts {}", outcome.elapsed.as_micros(), outcome.attempts)
            });
            Ok(outcome)
        } else {
            // Skip the messages of a batch that was stopped before they were sent: one line for each would flood the
            // log.
            let was_stopped = outcome.attempts == 0 && matches!(outcome.status, Status::Cancelled | Status::Closed);
            if clock == Clock::FromCall || !was_stopped {
                context.hooks().log(Level::Error, || outcome.text.clone());
            }
            Err(Error::new(outcome))
        }
    }

    /// Closes the client: cancels the calls in flight in other threads, makes every later call fail, both with
    /// [`Status::Closed`], and closes the idle connections. Does not wait.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Ok(process) = self.process() {
            process.close();
        }
    }

    /// Counts a call from C as in flight until the returned [`Call`] is dropped; `ue_free` waits for that. Drop it
    /// after the last use of the client: another thread may free the client as soon as the count is 0.
    pub(crate) fn begin_call(&self) -> Result<Call<'_>, Error> {
        Ok(self.process()?.calls.begin())
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Blocks until no call from C is in flight.
    pub(crate) fn wait_for_calls(&self) {
        if let Ok(process) = self.process() {
            process.calls.wait_for_none();
        }
    }

    /// The state of the current process. Makes one on the first use after a fork.
    fn process(&self) -> Result<&ProcessState, Error> {
        self.first.current(|| {
            let next = ProcessState::new(&self.settings, &self.hooks, self.max_per_second)?;
            if self.closed.load(Ordering::SeqCst) {
                next.close();
            }
            Ok(next)
        })
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
    }
}

/// Omits the API key.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.endpoint.host()).finish_non_exhaustive()
    }
}

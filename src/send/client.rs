//! [`Client`]: takes messages, one or many, from validation through attempts to their outcomes.

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

/// Sends messages. Share one among any number of threads: connections are kept and used again.
///
/// After `fork()` the child may go on using it, on connections of its own; the parent's are closed there. A call under way
/// stays the parent's: where a callback forks, the call ends in the child as [`Status::Cancelled`], unknown. Dropping a
/// client closes its connections.
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
    /// Makes a client for the API key `api_key`. Connects to nothing yet.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] names the option that cannot be used, and why.
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

    /// Sends `message` and waits for what becomes of it.
    ///
    /// # Errors
    /// Everything but a delivery: see [`Status`] for the kinds. [`Outcome::delivery`] says whether it may be sent again.
    pub fn send_conversation(&self, message: &Message<'_>) -> Result<Outcome, Error> {
        let process = self.process()?;
        self.send_in(process, process.context.for_call(), message, Clock::FromCall)
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
        let process = self.process()?;
        let send = |message: &Message<'_>, context: &CallContext| {
            self.send_in(process, context.for_call(), message, Clock::FromTurn)
        };
        batch::run(&messages, self.settings.max_connections, &process.context.for_call(), &send, told, stops)
    }

    /// As [`Client::send_conversation`], waiting in `context`.
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
            // Once a batch is stopped, its log would be as long as what is left of it.
            let was_stopped = outcome.attempts == 0 && matches!(outcome.status, Status::Cancelled | Status::Closed);
            if clock == Clock::FromCall || !was_stopped {
                context.hooks().log(Level::Error, || outcome.text.clone());
            }
            Err(Error::new(outcome))
        }
    }

    /// Ends the calls under way, in other threads, and every later one with [`Status::Closed`], and closes the idle
    /// connections. Does not wait.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Ok(process) = self.process() {
            process.close();
        }
    }

    /// Counts a call from C, which `ue_free` waits for, until what this returns is dropped. That outlives the use of the
    /// client by the call: at its end another thread may free the client.
    pub(crate) fn begin_call(&self) -> Result<Call<'_>, Error> {
        Ok(self.process()?.calls.begin())
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.hooks
    }

    /// Waits until no call from C is under way.
    pub(crate) fn wait_for_calls(&self) {
        if let Ok(process) = self.process() {
            process.calls.wait_for_none();
        }
    }

    /// What belongs to this process.
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

/// The API key does not show.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.endpoint.host()).finish_non_exhaustive()
    }
}

//! [`Client`]: validates messages, one or many, makes the attempts and returns the outcomes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::http::request::Endpoint;
use crate::http::{CallContext, Proxy, Roots, Settings};
use crate::model::hooks::{Hooks, Level};
use crate::model::message::Message;
use crate::model::options::{BatchFlow, BatchOptions, DeliveryPolicy, Options, QueueOptions, TimeoutFrom};
use crate::model::outcome::{Delivery, Error, Outcome, Status};
use crate::send::attempts::Attempts;
use crate::send::batch::{self, Messages};
use crate::send::process::{Call, ProcessState};
use crate::send::queue::Queue;
use crate::sys::{self, Owner, PerProcess};

/// Sends messages. Share one client among any number of threads: it keeps idle connections in a pool and reuses them.
///
/// After `fork()` the child may use the client, too. It opens its own connections, and closes its copies of the
/// parent's. A call in flight belongs to the parent: if a callback forks, the call ends in the child as
/// [`Status::Cancelled`], with [`Delivery::Unknown`]. Dropping a client and its queues closes its connections.
pub struct Client {
    core: Owner<Core>,
}

/// A client, as its queues share it.
pub(crate) struct Core {
    endpoint: Endpoint,
    settings: Settings,
    hooks: Arc<Hooks>,
    policy: DeliveryPolicy,
    max_attempts: u32,
    timeout: Duration,
    max_per_second: Option<u32>,
    closed: AtomicBool,
    process: PerProcess<ProcessState>,
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
        let process = PerProcess::new(ProcessState::new(&settings, &hooks, options.max_per_second)?);
        let core = Core {
            endpoint,
            settings,
            hooks,
            policy: options.delivery_policy,
            max_attempts: options.max_attempts,
            timeout: options.timeout,
            max_per_second: options.max_per_second,
            closed: AtomicBool::new(false),
            process,
        };
        Ok(Client { core: Owner::new(core) })
    }

    /// Sends `message` and waits for the outcome, at most [`Options::timeout`].
    ///
    /// # Errors
    /// Every outcome except a delivery: see [`Status`] for the kinds. [`Outcome::delivery`] says whether it is safe to
    /// send the message again.
    pub fn send_conversation(&self, message: &Message<'_>) -> Result<Outcome, Error> {
        let started = Instant::now();
        let core = &*self.core;
        let process = core.process()?;
        let context = process.context.for_call(message.cancel_signal().map(|cancel| cancel.signal().clone()));
        core.send_in(process, context, message, TimeoutFrom::Push, started)
    }

    /// Sends many messages over at most [`Options::max_connections`] connections at once, and waits for all of them.
    ///
    /// The results have the order of the messages. Messages to one `client_user_id` are sent in order, also if an
    /// earlier one fails. Retries, the rate limit (`max_per_second`) and the pause after a 429 work as for single
    /// messages. Each message has its own deadline: its timeout starts at its turn, and does not include the wait for a
    /// turn.
    ///
    /// `on_outcome` is called on this thread with the index and the outcome of each message as soon as it is known, and
    /// says how the batch goes on. Messages that are then not begun are [`Status::Cancelled`] and not delivered;
    /// `on_outcome` gets these, too, but can no longer change anything.
    pub fn send_conversations(
        &self,
        messages: &[Message<'_>],
        options: &BatchOptions,
        mut on_outcome: impl FnMut(usize, &Outcome) -> BatchFlow,
    ) -> Vec<Result<Outcome, Error>> {
        let mut results: Vec<Option<Outcome>> = vec![None; messages.len()];
        let sent = self.send_each(messages, options, &mut |index, outcome| {
            let flow = on_outcome(index, &outcome);
            results[index] = Some(outcome);
            flow
        });
        let missing = |sent: &Result<(), Error>| match sent {
            Err(error) => Outcome::clone(error),
            Ok(()) => Outcome::new(Status::Internal, Delivery::Unknown),
        };
        let outcome = |result: Option<Outcome>| result.unwrap_or_else(|| missing(&sent));
        results.into_iter().map(|found| outcome(found).into_result()).collect()
    }

    /// Like [`Client::send_conversations`], but passes each outcome on instead of keeping it.
    ///
    /// # Errors
    /// The outcome of every message that was not passed to `on_outcome`.
    pub(crate) fn send_each<M: Messages + ?Sized>(
        &self,
        messages: &M,
        options: &BatchOptions,
        on_outcome: &mut dyn FnMut(usize, Outcome) -> BatchFlow,
    ) -> Result<(), Error> {
        batch::run(self.core.lease(), &messages, options, on_outcome)
    }

    /// Makes a queue, which sends messages without waiting for them.
    ///
    /// # Errors
    /// [`Status::InvalidArgument`] if an option cannot be used. [`Status::Connect`] if the process has no descriptors
    /// left. [`Status::Closed`] after [`Client::close`].
    pub fn queue(&self, options: QueueOptions) -> Result<Queue, Error> {
        Queue::new(&self.core, options)
    }

    /// Closes the client: cancels the calls in flight in other threads and in queues, makes every later call fail, both
    /// with [`Status::Closed`], and closes the idle connections. Does not wait.
    pub fn close(&self) {
        self.core.close();
    }

    /// Counts a call from C as in flight until the returned [`Call`] is dropped; `ue_free` waits for that. Drop it
    /// after the last use of the client: another thread may free the client as soon as the count is 0.
    pub(crate) fn begin_call(&self) -> Result<Call<'_>, Error> {
        Ok(self.core.process()?.calls.begin())
    }

    pub(crate) fn hooks(&self) -> &Hooks {
        &self.core.hooks
    }

    /// Blocks until no call from C is in flight.
    pub(crate) fn wait_for_calls(&self) {
        if let Ok(process) = self.core.process() {
            process.calls.wait_for_none();
        }
    }
}

impl Core {
    /// Sends `message` and waits for the outcome in `context`. The call has begun at `started`.
    pub fn send_in(
        &self,
        process: &ProcessState,
        context: CallContext,
        message: &Message<'_>,
        timeout_from: TimeoutFrom,
        started: Instant,
    ) -> Result<Outcome, Error> {
        let timeout = message.checked_timeout(self.timeout)?;
        let prepared = self.endpoint.prepare(message)?;
        let attempts = Attempts {
            endpoint: &self.endpoint,
            policy: self.policy,
            max_attempts: self.max_attempts,
            timeout,
            timeout_from,
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
            // Skip the messages of a queue that was stopped before they were sent: one line for each would flood the log.
            let was_stopped = outcome.attempts == 0 && matches!(outcome.status, Status::Cancelled | Status::Closed);
            if !context.is_of_worker() || !was_stopped {
                context.hooks().log(Level::Error, || outcome.text.clone());
            }
            Err(Error::new(outcome))
        }
    }

    /// See [`Client::close`].
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        if let Ok(process) = self.process() {
            process.close();
        }
    }

    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    pub fn max_connections(&self) -> usize {
        self.settings.max_connections
    }

    /// The time limit of a message that has none of its own.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    pub fn hooks(&self) -> &Arc<Hooks> {
        &self.hooks
    }

    pub fn api_key(&self) -> &str {
        self.endpoint.api_key()
    }

    /// The state of the current process. Makes one on the first use after a fork.
    pub fn process(&self) -> Result<&Arc<ProcessState>, Error> {
        self.process.current(|| {
            let next = ProcessState::new(&self.settings, &self.hooks, self.max_per_second)?;
            if self.is_closed() {
                next.close();
            }
            Ok(next)
        })
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.close();
    }
}

/// Omits the API key.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("host", &self.core.endpoint.host()).finish_non_exhaustive()
    }
}

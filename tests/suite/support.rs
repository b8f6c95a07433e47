//! One sandbox for all tests of this binary. Each test sends to its own users, so that tests do not disturb each other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ue_sandbox::{Exchange, Sandbox};
use userengage::{Client, Delivery, DeliveryPolicy, Error, Message, Options, Outcome};

pub fn sandbox() -> &'static Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| own_sandbox(|_| ()))
}

/// A separate sandbox for a test that would disturb others: faults at accept, a rate limit.
pub fn own_sandbox(configure: impl FnOnce(&mut ue_sandbox::Options)) -> Sandbox {
    let mut options =
        <ue_sandbox::Options as clap::Parser>::parse_from(["ue-sandbox", "--port", "0", "--tls", "--bad-certs"]);
    configure(&mut options);
    Sandbox::start(options).expect("a sandbox starts on a free port")
}

/// Options for `sandbox`, with the defaults for everything else.
pub fn options_for(sandbox: &Sandbox) -> Options {
    let mut options = Options::default();
    options.base_url = sandbox.base_url();
    options
}

pub fn client_with(configure: impl FnOnce(&mut Options)) -> Client {
    let mut options = options_for(sandbox());
    configure(&mut options);
    Client::new(sandbox().api_key(), options).expect("the options are valid")
}

pub fn client(policy: DeliveryPolicy) -> Client {
    client_with(|options| options.delivery_policy = policy)
}

/// A customer that no other test writes to.
pub struct User(pub String);

impl User {
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        User(format!("user-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// Orders faults for the next requests to this customer, in this order.
    pub fn order(&self, faults: impl IntoIterator<Item = Value>) -> &Self {
        for mut fault in faults {
            fault["client_user_id"] = json!(self.0);
            sandbox().order(&fault).expect("the fault is known");
        }
        self
    }

    pub fn message(&self) -> Message<'_> {
        Message::new(self.0.as_str(), "Hi <b>user</b>, enjoy our product!")
    }

    /// The requests that arrived for this customer.
    pub fn requests(&self) -> Vec<Arc<Exchange>> {
        self.requests_in(sandbox())
    }

    pub fn requests_in(&self, sandbox: &Sandbox) -> Vec<Arc<Exchange>> {
        let all = sandbox.journal().requests(0);
        all.into_iter().filter(|request| request.client_user_id().as_deref() == Some(&self.0)).collect()
    }

    /// How many messages this customer was shown.
    pub fn shown(&self) -> usize {
        self.requests().iter().filter(|request| request.stored).count()
    }
}

/// The outcome of a send, successful or not.
pub fn outcome(sent: Result<Outcome, Error>) -> Outcome {
    sent.unwrap_or_else(Error::into_outcome)
}

/// Compares the outcome with the truth. It may say unknown, but it must not be wrong.
pub fn assert_honest(outcome: &Outcome, shown: usize, context: &str) {
    match outcome.delivery() {
        Delivery::Delivered => assert!(shown >= 1, "{context}: called delivered, but shown {shown} times: {outcome:?}"),
        Delivery::NotDelivered => {
            assert_eq!(shown, 0, "{context}: called not delivered, but it was shown: {outcome:?}")
        }
        Delivery::Unknown => {}
    }
    assert!(
        shown <= 1 || outcome.may_be_duplicate() || outcome.delivery() == Delivery::Unknown,
        "{context}: {outcome:?}"
    );
}

/// Runs `work` and returns its result and duration.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    let result = work();
    (result, started.elapsed())
}

/// Waits until `what` is true.
pub fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !what() {
        assert!(Instant::now() < deadline, "the condition was not met within 20 s");
        std::thread::yield_now();
    }
}

//! [`Options`]: how a client sends. This is the only place that defines the defaults.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::cancel::Cancel;
use crate::model::hooks::{Interrupt, Level, Log};
use crate::model::outcome::Error;

/// The upper limit of `max_connections`.
pub(crate) const MOST_CONNECTIONS: u32 = 256;

/// The version of the API to request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiVersion {
    /// As in the specification: the request names no version.
    #[default]
    Specification,
    /// Sends `Accept: */*; version=2`. The answer then has the conversation's id.
    V2,
}

/// What to do when it is unknown whether an attempt delivered the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryPolicy {
    /// Stop and report it as unknown: the customer never sees a message twice.
    #[default]
    AtMostOnce,
    /// Send again: the customer may see a message twice.
    AtLeastOnce,
}

/// How a [`Client`](crate::Client) sends. Start from `Options::default()` and set what differs.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// The URL of the API, with or without a trailing slash. `https`, or `http` on a loopback host: 127.0.0.0/8,
    /// `[::1]`, `localhost` and its subdomains, which always mean this machine. Defaults to
    /// `https://app.userengage.com/api/public/`.
    pub base_url: String,
    /// The version of the API. Defaults to the specification's.
    pub api_version: ApiVersion,
    /// What to do when it is unknown whether an attempt delivered the message. Defaults to
    /// [`DeliveryPolicy::AtMostOnce`].
    pub delivery_policy: DeliveryPolicy,
    /// The maximum number of requests for one message; 1 means no retries. Defaults to 4.
    pub max_attempts: u32,
    /// The time limit for DNS, TCP, proxy and TLS of one attempt. Defaults to 10 s.
    pub connect_timeout: Duration,
    /// The time limit for the whole call, including every attempt and backoff: sets its deadline. In a batch each
    /// message has its own deadline, which starts at its turn; waits for the rate limit or the pause after a 429 extend
    /// it. Defaults to 30 s.
    pub timeout: Duration,
    /// The rate limit: the maximum number of requests per second over all threads of the client. Defaults to no limit.
    pub max_per_second: Option<u32>,
    /// The maximum number of connections that a batch or a queue uses at once, and the maximum number of idle connections in
    /// the connection pool. At most 256. Defaults to 8.
    pub max_connections: u32,
    /// The proxy, such as `http://user:password@proxy:3128`; `""` for none. Percent-encode special characters in user
    /// and password. The default port is 80. With an `http` base URL the proxy must be on a loopback host, too.
    ///
    /// Defaults, for `https`, to the environment variables `HTTPS_PROXY` (else `ALL_PROXY`) and `NO_PROXY`; the names
    /// in lower case take precedence. A proxy that cannot be used is an error; the message is never sent around it.
    pub proxy: Option<String>,
    /// A PEM file with the certificate authorities to trust, and no others. Defaults to Mozilla's, which are built in.
    pub ca_file: Option<PathBuf>,
    /// The text before `userengage/<version>` in the `User-Agent` header. Defaults to nothing.
    pub user_agent: Option<String>,
    /// The least important level to log, and the callback that receives the lines. Defaults to nowhere.
    pub log: Option<(Level, Log)>,
    /// The callback that can cancel a call. Defaults to never.
    pub interrupt: Option<Interrupt>,
}

impl Options {
    /// Checks the values. The error names the field.
    pub(crate) fn check(&self) -> Result<(), Error> {
        check_time_limit("timeout", self.timeout)?;
        check_time_limit("connect_timeout", self.connect_timeout)?;
        let refuse = |text: String| Err(Error::invalid(text));
        for (field, value) in [
            ("max_attempts", self.max_attempts),
            ("max_connections", self.max_connections),
            ("max_per_second", self.max_per_second.unwrap_or(1)),
        ] {
            if value == 0 {
                return refuse(format!("{field} is 0, with which nothing can be sent: give 1 or more"));
            }
        }
        let connections = self.max_connections;
        if connections > MOST_CONNECTIONS {
            return refuse(format!(
                "max_connections is {connections}: give at most {MOST_CONNECTIONS}, more at once are of no use to one service"
            ));
        }
        Ok(())
    }
}

/// Checks a time limit. The error names `field`.
pub(crate) fn check_time_limit(field: &str, limit: Duration) -> Result<(), Error> {
    // A -1 from C becomes a larger value, and is refused.
    const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
    if limit.is_zero() {
        return Err(Error::invalid(format!("{field} is 0, in which nothing can be sent: give a longer one")));
    }
    if limit > LONGEST {
        let (given, most) = (limit.as_millis(), LONGEST.as_millis());
        return Err(Error::invalid(format!("{field} is {given} ms: give at most {most} (24 days)")));
    }
    Ok(())
}

/// How a batch is sent. Start from `BatchOptions::default()` and set what differs.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BatchOptions {
    /// After so many failures in a row that are no fault of a message (the delivery is unknown, no connection, 401, 403,
    /// 429, 5xx) no further message is begun: the rest is [`Status::Suspended`](crate::Status::Suspended) and not
    /// delivered. After a failure, only so many are in flight as may still fail, so that no more fail than this, or than
    /// `max_connections` if that is more. A 429 is a failure only of a message that has used up its attempts: before, it
    /// pauses all of them. Defaults to 0, off.
    pub max_failures_in_a_row: u32,
    /// Ends the whole batch: the messages in flight are cancelled, and the rest is not sent. Defaults to none.
    pub cancel: Option<Cancel>,
}

/// What a batch does after an outcome was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchFlow {
    /// Go on.
    Continue,
    /// Finish the messages in flight, and begin no more. No message becomes unknown by it.
    Finish,
    /// End the messages in flight, too. The delivery of those may be unknown.
    Abort,
}

/// How a [`Queue`](crate::Queue) works. Start from `QueueOptions::default()` and set what differs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueueOptions {
    /// The maximum number of messages in the queue: those that wait, those in flight, and those whose outcome nobody
    /// has taken. A push beyond it is [`Status::QueueFull`](crate::Status::QueueFull). Defaults to 10000.
    pub capacity: u32,
    /// As in [`BatchOptions::max_failures_in_a_row`]. A suspended queue refuses further messages, until
    /// [`Queue::resume`](crate::Queue::resume). Defaults to 0, off.
    pub max_failures_in_a_row: u32,
    /// When the timeout of a message starts. Defaults to [`TimeoutFrom::Turn`].
    pub timeout_from: TimeoutFrom,
}

/// When the timeout of a message in a queue starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeoutFrom {
    /// When the message is begun. The wait for its turn does not count, because other messages cause it.
    #[default]
    Turn,
    /// When the message is pushed: for a caller who waits for this one message.
    Push,
}

impl QueueOptions {
    /// Checks the values. The error names the field.
    pub(crate) fn check(&self) -> Result<(), Error> {
        if self.capacity == 0 {
            return Err(Error::invalid("capacity is 0, with which nothing can be sent: give 1 or more"));
        }
        Ok(())
    }
}

impl Default for QueueOptions {
    fn default() -> Self {
        QueueOptions { capacity: 10_000, max_failures_in_a_row: 0, timeout_from: TimeoutFrom::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Options {
            base_url: "https://app.userengage.com/api/public/".into(),
            api_version: ApiVersion::default(),
            delivery_policy: DeliveryPolicy::default(),
            max_attempts: 4,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(30),
            max_per_second: None,
            max_connections: 8,
            proxy: None,
            ca_file: None,
            user_agent: None,
            log: None,
            interrupt: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("base_url", &self.base_url)
            .field("api_version", &self.api_version)
            .field("delivery_policy", &self.delivery_policy)
            .field("max_attempts", &self.max_attempts)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("max_per_second", &self.max_per_second)
            .field("max_connections", &self.max_connections)
            .field("proxy", &self.proxy.as_ref().map(|_| "…")) // may hold a password
            .field("ca_file", &self.ca_file)
            .field("user_agent", &self.user_agent)
            .finish_non_exhaustive()
    }
}

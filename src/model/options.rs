//! [`Options`]: how a client sends. Every default stands here, once.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::hooks::{Interrupt, Level, Log};
use crate::model::outcome::Error;

/// The most that `max_connections` may be.
pub(crate) const MOST_CONNECTIONS: u32 = 256;

/// The form of the API that is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ApiVersion {
    /// As the specification: no version is named.
    #[default]
    Specification,
    /// `Accept: */*; version=2`, whose answer carries the conversation's id.
    V2,
}

/// What to do when it is unknown whether an attempt delivered the message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeliveryPolicy {
    /// Stop and say so: the customer never sees a message twice.
    #[default]
    AtMostOnce,
    /// Send again: the customer may see a message twice.
    AtLeastOnce,
}

/// How a [`Client`](crate::Client) sends. Start from `Options::default()` and set what differs.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Where the API is, with or without its trailing slash. `https`, or `http` on a loopback host: 127.0.0.0/8, `[::1]`,
    /// `localhost` and its subdomains, which always mean this machine.
    /// Defaults to `https://app.userengage.com/api/public/`.
    pub base_url: String,
    /// The form of the API. Defaults to the specification's.
    pub api_version: ApiVersion,
    /// What to do when an attempt's fate is unknown. Defaults to [`DeliveryPolicy::AtMostOnce`].
    pub delivery_policy: DeliveryPolicy,
    /// The most requests for one message; 1 means exactly one on the wire. Defaults to 4.
    pub max_attempts: u32,
    /// For DNS, TCP, proxy and TLS of one attempt. Defaults to 10 s.
    pub connect_timeout: Duration,
    /// For the whole call, every attempt and wait included. In a batch it counts for each message from its turn on: the
    /// time that it waits for `max_per_second` or in the pause of a 429 does not count. Defaults to 30 s.
    pub timeout: Duration,
    /// The most requests a second over all threads of the client. Defaults to no limit.
    pub max_per_second: Option<u32>,
    /// The most connections that a batch uses at once, a thread each, and that are kept for reuse; at most 256.
    /// Defaults to 8.
    pub max_connections: u32,
    /// The proxy, such as `http://user:password@proxy:3128`; `""` for none. Special characters in user and password are
    /// percent-encoded; without a port it is 80. With an `http` base URL it has to be on a loopback host, too.
    ///
    /// Defaults, for `https`, to what the environment variables `HTTPS_PROXY` (else `ALL_PROXY`) and `NO_PROXY` say, the
    /// names in lower case first. A proxy that cannot be used is an error; the message never goes around it.
    pub proxy: Option<String>,
    /// A PEM file with the only certificate authorities to trust. Defaults to Mozilla's, which are built in.
    pub ca_file: Option<PathBuf>,
    /// Put before `userengage/<version>` in the `User-Agent` header. Defaults to nothing.
    pub user_agent: Option<String>,
    /// Where log lines go, and down to which level. Defaults to nowhere.
    pub log: Option<(Level, Log)>,
    /// Asked whether to end a call. Defaults to never.
    pub interrupt: Option<Interrupt>,
}

impl Options {
    /// Refuses what cannot be used, by the field's name.
    pub(crate) fn check(&self) -> Result<(), Error> {
        // What a C caller's -1 would become lies above it.
        const LONGEST: Duration = Duration::from_millis(i32::MAX as u64);
        let refuse = |text: String| Err(Error::invalid(text));
        for (field, value) in [("timeout", self.timeout), ("connect_timeout", self.connect_timeout)] {
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
                "max_connections is {connections}: give at most {MOST_CONNECTIONS}, a batch has a thread for each"
            ));
        }
        Ok(())
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

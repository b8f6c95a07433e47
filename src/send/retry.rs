//! Retries: whether another attempt follows, and the backoff before it. Exponential backoff with full jitter. No I/O:
//! takes the random number as an argument.

use std::time::Duration;

use crate::model::options::DeliveryPolicy;
use crate::send::assess::{Assessment, RetryRule};

/// The upper limit of the first backoff.
const FIRST: Duration = Duration::from_millis(500);

/// The upper limit of every backoff.
const LONGEST: Duration = Duration::from_secs(30);

/// The backoff before the next attempt, after `attempts` of at most `max_attempts`. `None` if no further attempt
/// follows.
///
/// The backoff is a random time from 0 up to a limit, which starts at 0.5 s and doubles up to 30 s ("full jitter").
/// After a `Retry-After` it is the time that the service asked for, plus up to 0.5 s, so that not all clients return at
/// the same instant. `jitter` returns a random number, uniform in [0, 1).
pub(crate) fn wait(
    assessment: &Assessment,
    policy: DeliveryPolicy,
    attempts: u32,
    max_attempts: u32,
    jitter: impl FnOnce() -> f64,
) -> Option<Duration> {
    let may_retry = match assessment.retry_rule {
        RetryRule::Stop => false,
        RetryRule::Retry | RetryRule::RetryAfterPause => true,
        RetryRule::RetryAtLeastOnce => policy == DeliveryPolicy::AtLeastOnce,
    };
    if !may_retry || attempts >= max_attempts {
        return None;
    }
    Some(match assessment.retry_after {
        Some(asked) => asked.saturating_add(FIRST.mul_f64(jitter())),
        None => FIRST.saturating_mul(1 << (attempts - 1).min(16)).min(LONGEST).mul_f64(jitter()),
    })
}

/// Random numbers for the jitter of a backoff: splitmix64. The seed differs by process, client and time. Not for
/// secrets.
#[derive(Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub fn new(seed: u64) -> Self {
        Jitter(seed)
    }

    /// The next number, uniform in [0, 1).
    pub fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests;

//! What to do after an attempt. Pure: takes the jitter as an argument.

use std::time::Duration;

use crate::model::options::DeliveryPolicy;
use crate::send::assess::{Assessment, RetryRule};

const FIRST: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);

/// How long to wait before the next attempt after `attempts` of at most `max_attempts`; `None` for no further one.
///
/// `jitter` rolls uniform numbers in [0, 1). A `Retry-After` is waited out in full, with up to half a second on top so that not every
/// client comes back at the same instant; else the wait is anything up to 0.5 s, doubling to 30 s ("full jitter").
pub(crate) fn wait(
    assessment: &Assessment,
    policy: DeliveryPolicy,
    attempts: u32,
    max_attempts: u32,
    jitter: impl FnOnce() -> f64,
) -> Option<Duration> {
    let again = match assessment.then {
        RetryRule::Stop => false,
        RetryRule::Retry | RetryRule::RetryAfterPause => true,
        RetryRule::RetryAtLeastOnce => policy == DeliveryPolicy::AtLeastOnce,
    };
    if !again || attempts >= max_attempts {
        return None;
    }
    Some(match assessment.retry_after {
        Some(asked) => asked.saturating_add(FIRST.mul_f64(jitter())),
        None => FIRST.saturating_mul(1 << (attempts - 1).min(16)).min(LONGEST).mul_f64(jitter()),
    })
}

/// Numbers uniform in [0, 1), for jitter alone: splitmix64 over a seed that differs by process, client and time.
#[derive(Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub fn new(seed: u64) -> Self {
        Jitter(seed)
    }

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

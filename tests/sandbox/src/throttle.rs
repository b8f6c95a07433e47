//! The rate limit: a token bucket for the tokens of one second.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// The rate limit of the API. It can be changed while the sandbox runs.
///
/// A token bucket: it starts full, holds the tokens of one second (at least one), and each request takes one.
pub(crate) struct Throttle {
    /// Without a limit, a request need not take the lock.
    limited: AtomicBool,
    bucket: Mutex<Option<Bucket>>,
}

struct Bucket {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Throttle {
    pub fn new(per_second: Option<f64>) -> Throttle {
        let throttle = Throttle { limited: AtomicBool::new(false), bucket: Mutex::new(None) };
        throttle.set(per_second);
        throttle
    }

    /// Sets the requests a second, or lifts the limit. The bucket starts full.
    pub fn set(&self, per_second: Option<f64>) {
        let mut bucket = crate::lock(&self.bucket);
        *bucket = per_second.map(|rate| Bucket { per_second: rate, tokens: rate.max(1.0), filled: Instant::now() });
        self.limited.store(bucket.is_some(), Ordering::Release);
    }

    /// The limit in force.
    pub fn per_second(&self) -> Option<f64> {
        crate::lock(&self.bucket).as_ref().map(|bucket| bucket.per_second)
    }

    /// Admits a request, or returns the number of seconds until the next one is admitted.
    pub fn admit(&self) -> Result<(), u64> {
        if !self.limited.load(Ordering::Acquire) {
            return Ok(());
        }
        match crate::lock(&self.bucket).as_mut() {
            Some(bucket) => bucket.take(Instant::now()),
            None => Ok(()),
        }
    }
}

impl Bucket {
    fn take(&mut self, now: Instant) -> Result<(), u64> {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + gained).min(self.per_second.max(1.0));
        self.filled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        Err((((1.0 - self.tokens) / self.per_second).ceil() as u64).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_full_bucket_lets_one_seconds_worth_pass_and_fills_again() {
        let start = Instant::now();
        let mut bucket = Bucket { per_second: 2.0, tokens: 2.0, filled: start };
        assert_eq!(bucket.take(start), Ok(()));
        assert_eq!(bucket.take(start), Ok(()));
        assert_eq!(bucket.take(start), Err(1));
        assert_eq!(bucket.take(start + Duration::from_millis(500)), Ok(()));
        assert_eq!(bucket.take(start + Duration::from_millis(600)), Err(1));
        assert_eq!(bucket.take(start + Duration::from_secs(60)), Ok(()));
    }

    #[test]
    fn a_limit_below_one_a_second_tells_the_real_wait() {
        let start = Instant::now();
        let mut bucket = Bucket { per_second: 0.25, tokens: 1.0, filled: start };
        assert_eq!(bucket.take(start), Ok(()));
        assert_eq!(bucket.take(start), Err(4));
        assert_eq!(bucket.take(start + Duration::from_secs(4)), Ok(()));
    }
}

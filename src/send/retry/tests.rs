use super::*;
use crate::model::outcome::{Delivery, Status};
use DeliveryPolicy::{AtLeastOnce, AtMostOnce};

fn assessment(retry_rule: RetryRule, retry_after: Option<u64>) -> Assessment {
    Assessment {
        status: Status::ServerError,
        delivery: Delivery::Unknown,
        retry_rule,
        retry_after: retry_after.map(Duration::from_secs),
        what: String::new(),
    }
}

#[test]
fn each_policy_retries_by_the_retry_rule() {
    for (retry_rule, at_most_once, at_least_once) in [
        (RetryRule::Stop, false, false),
        (RetryRule::Retry, true, true),
        (RetryRule::RetryAfterPause, true, true),
        (RetryRule::RetryAtLeastOnce, false, true),
    ] {
        let retries = |policy| wait(&assessment(retry_rule, None), policy, 1, 4, || 0.5).is_some();
        assert_eq!((retries(AtMostOnce), retries(AtLeastOnce)), (at_most_once, at_least_once), "{retry_rule:?}");
    }
}

#[test]
fn max_attempts_1_means_one_request() {
    assert_eq!(wait(&assessment(RetryRule::Retry, Some(0)), AtLeastOnce, 1, 1, || 0.0), None);
}

#[test]
fn no_attempt_follows_the_last_one() {
    assert!(wait(&assessment(RetryRule::Retry, None), AtMostOnce, 3, 4, || 0.0).is_some());
    assert_eq!(wait(&assessment(RetryRule::Retry, None), AtMostOnce, 4, 4, || 0.0), None);
}

#[test]
fn waits_are_full_jitter_from_half_a_second_doubling_to_thirty() {
    let most = |attempts| {
        wait(&assessment(RetryRule::Retry, None), AtMostOnce, attempts, u32::MAX, || 0.999_999).unwrap().as_secs_f64()
    };
    for (attempts, expected) in [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (1000, 30.0), (u32::MAX - 1, 30.0)]
    {
        assert!((most(attempts) - expected).abs() < 0.001, "{attempts}: {}", most(attempts));
    }
    assert_eq!(wait(&assessment(RetryRule::Retry, None), AtMostOnce, 5, 9, || 0.0), Some(Duration::ZERO));
}

#[test]
fn a_retry_after_is_waited_out_in_full() {
    let wait = |jitter| wait(&assessment(RetryRule::RetryAfterPause, Some(3)), AtMostOnce, 1, 4, || jitter).unwrap();
    assert_eq!(wait(0.0), Duration::from_secs(3));
    assert!(wait(0.999) < Duration::from_millis(3500));
}

#[test]
fn a_retry_after_without_end_overflows_nothing() {
    let assessment = Assessment { retry_after: Some(Duration::MAX), ..assessment(RetryRule::RetryAfterPause, None) };
    assert_eq!(wait(&assessment, AtMostOnce, 1, 4, || 0.999), Some(Duration::MAX));
}

#[test]
fn the_jitter_is_uniform() {
    let mut jitter = Jitter::new(1);
    let rolls: Vec<f64> = (0..10_000).map(|_| jitter.roll()).collect();
    assert!(rolls.iter().all(|roll| (0.0..1.0).contains(roll)));
    for tenth in 0..10 {
        let count = rolls.iter().filter(|roll| (**roll * 10.0) as i32 == tenth).count();
        assert!((850..1150).contains(&count), "{tenth}: {count}");
    }
}

use std::time::Duration;

use super::*;
use crate::sys;

fn is_readable(signal: &CancelSignal) -> bool {
    let Watch::Poll(interest) = signal.watch() else { panic!("it has descriptors") };
    sys::poll(&[interest], Duration::ZERO).unwrap().any()
}

#[test]
fn the_reason_of_the_first_cancel_counts() {
    let signal = CancelSignal::new().unwrap();
    assert!(signal.reason().is_none() && !is_readable(&signal));
    for reason in [CancelReason::Closed, CancelReason::Cancelled, CancelReason::Broken] {
        signal.cancel(reason);
        assert_eq!(signal.reason(), Some(CancelReason::Closed));
        assert!(is_readable(&signal));
    }
}

#[test]
fn a_signal_that_was_cancelled_many_times_is_taken_back_whole_and_wakes_again() {
    let signal = CancelSignal::new().unwrap();
    for _ in 0..3 {
        (0..10_000).for_each(|_| signal.cancel(CancelReason::Cancelled));
        assert!(is_readable(&signal));
        signal.reset();
        assert!(signal.reason().is_none() && !is_readable(&signal));
    }
}

#[test]
fn taking_back_what_was_not_cancelled_does_nothing() {
    let signal = CancelSignal::new().unwrap();
    signal.reset();
    signal.cancel(CancelReason::Broken);
    assert_eq!(signal.reason(), Some(CancelReason::Broken));
}

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
fn a_signal_that_wakes_nobody_can_be_taken_back() {
    let signal = CancelSignal::without_wake();
    for reason in [CancelReason::Cancelled, CancelReason::Broken] {
        signal.cancel(reason);
        assert_eq!(signal.reason(), Some(reason));
        signal.reset();
        assert!(signal.reason().is_none() && matches!(signal.watch(), Watch::Woken));
    }
}

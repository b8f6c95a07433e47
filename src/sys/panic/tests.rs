use std::sync::atomic::AtomicUsize;

use super::*;

#[test]
fn a_panic_becomes_none_and_the_next_call_works() {
    assert_eq!(guard(|| panic!("contained")), None::<i32>);
    assert_eq!(guard(|| 7), Some(7));
}

#[test]
fn a_panic_outside_the_c_api_is_reported_by_the_hosts_own_hook() {
    static REPORTED: AtomicUsize = AtomicUsize::new(0);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if info.payload_as_str() == Some("of this test") {
            REPORTED.fetch_add(1, Ordering::SeqCst);
        } else {
            before(info);
        }
    }));
    assert_eq!(contain(is_guarded(), || panic!("of this test")), None::<i32>);
    assert_eq!(REPORTED.load(Ordering::SeqCst), 1);
}

#[test]
fn guards_nest() {
    assert_eq!(guard(|| guard(|| panic!("inner")).unwrap_or(1) + 1), Some(2));
    assert!(!GUARDED.get());
}

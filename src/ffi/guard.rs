//! No panic crosses into C, and none writes to the host's standard error. A thread that is cancelled ends after its call:
//! to be unwound by the C library within it would end the process.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use super::sys;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs the body of an entry point; `None` when it panicked, which is a fault of this library.
pub(crate) fn guard<T>(body: impl FnOnce() -> T) -> Option<T> {
    keep_quiet();
    let before = GUARDED.replace(true);
    let result = sys::uncancelled(|| panic::catch_unwind(AssertUnwindSafe(body)).ok());
    GUARDED.set(before);
    result
}

/// Leaves the report of a guarded panic out, and every other one as it is.
fn keep_quiet() {
    static DONE: AtomicBool = AtomicBool::new(false);
    if !DONE.load(Ordering::Relaxed) && !DONE.swap(true, Ordering::SeqCst) {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !GUARDED.get() {
                before(info);
            }
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_none_and_the_next_call_works() {
        assert_eq!(guard(|| panic!("contained")), None::<i32>);
        assert_eq!(guard(|| 7), Some(7));
    }

    #[test]
    fn guards_nest() {
        assert_eq!(guard(|| guard(|| panic!("inner")).unwrap_or(1) + 1), Some(2));
        assert!(!GUARDED.get());
    }
}

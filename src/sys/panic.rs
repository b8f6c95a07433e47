//! Guards the entry points of the C API: catches panics, so that none unwinds into C or prints to the host's standard
//! error. Thread cancellation is disabled during a call: if the C library unwound the thread within it, the process
//! would abort.

use std::cell::Cell;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::sys;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Runs the body of an entry point of the C API. `None` if it panicked, which is a bug in this library.
pub(crate) fn guard<T>(body: impl FnOnce() -> T) -> Option<T> {
    keep_quiet();
    sys::with_thread_cancel_disabled(|| contain(true, body))
}

/// Runs `body`. `None` if it panicked. With `quiet` the panic is not reported; only a guarded call may ask for that. All
/// fibers of a thread must ask for the same: they may pause in `body`, and the thread is quiet or not.
pub(crate) fn contain<T>(quiet: bool, body: impl FnOnce() -> T) -> Option<T> {
    let before = GUARDED.replace(quiet);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    GUARDED.set(before);
    // The payload is leaked: to drop it could panic again.
    result.map_err(mem::forget).ok()
}

/// Whether this thread is in a guarded call. Threads that it starts for the call should then be quiet, too.
pub(crate) fn is_guarded() -> bool {
    GUARDED.get()
}

/// Installs a panic hook that is silent in guarded calls and passes every other panic to the hook before it. Only the
/// entry points of the C API do this. The hook of a Rust host is never replaced.
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
mod tests;

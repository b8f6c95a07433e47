//! Another Rust library in a program that has libuserengage.a too, with a standard library and a panic hook of its own.

use std::cell::Cell;
use std::panic::{catch_unwind, set_hook};
use std::thread;

thread_local! {
    static PANICS: Cell<i32> = const { Cell::new(0) };
}

/// How many panics of this thread the hook has seen, this call's included; 0 where one is not caught, here or in a thread.
#[unsafe(no_mangle)]
pub extern "C" fn ue_other_panics() -> i32 {
    set_hook(Box::new(|_| PANICS.set(PANICS.get() + 1)));
    let panic = || -> () { panic!("of this library") };
    let caught = move || catch_unwind(panic).is_err();
    let elsewhere = thread::spawn(move || caught() && PANICS.get() == 1).join();
    if caught() && elsewhere.is_ok_and(|caught| caught) { PANICS.get() } else { 0 }
}

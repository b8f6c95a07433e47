//! [`Fiber`]: runs several calls on one thread. A call that waits pauses its fiber, and its thread runs another one.
//!
//! Code in a fiber is written as if it had a thread of its own. It must not block in any other way than [`wait`] and
//! [`park`], and must hold no lock meanwhile.

use std::cell::Cell;
use std::io;
use std::ptr;
use std::rc::Rc;
use std::slice;
use std::time::{Duration, Instant};

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};

use super::{Interest, Ready, poll};

/// The stack size of a fiber, far above what sending needs, even in a debug build. The system gives memory for the part
/// that is used.
const STACK: usize = 512 * 1024;

type Resumed = io::Result<Ready>;

thread_local! {
    /// The way out of the fiber that runs on this thread. NULL outside of fibers.
    static CURRENT: Cell<*const Yielder<Resumed, Pause>> = const { Cell::new(ptr::null()) };
}

/// What a fiber waits for.
enum Pause {
    /// One of these, or the moment. They lie on the stack of the fiber, and stay there until it is resumed.
    Poll {
        interests: *const Interest,
        count: usize,
        until: Instant,
    },
    Parked,
}

/// A fiber. It belongs to the thread that made it.
///
/// Drop it only when it has ended, or has never run: a drop unwinds its stack by a panic, which code in it could catch.
pub(crate) struct Fiber {
    coroutine: Coroutine<Resumed, Pause, ()>,
    yielder: Rc<Cell<*const Yielder<Resumed, Pause>>>,
    pause: Pause,
}

impl Fiber {
    /// Makes a fiber, which begins with `work` when it is first resumed. An error if there is no memory for its stack.
    pub fn new(work: impl FnOnce() + 'static) -> io::Result<Self> {
        let yielder = Rc::new(Cell::new(ptr::null()));
        let own = yielder.clone();
        let body = move |yielder: &Yielder<Resumed, Pause>, _: Resumed| {
            own.set(yielder);
            CURRENT.set(yielder);
            work();
        };
        Ok(Fiber { coroutine: Coroutine::with_stack(DefaultStack::new(STACK)?, body), yielder, pause: Pause::Parked })
    }

    /// Runs the fiber until it pauses again; a wait of it then returns `ready`. `false` if it has ended, also before.
    pub fn resume(&mut self, ready: io::Result<Ready>) -> bool {
        if self.coroutine.done() {
            return false;
        }
        self.pause = Pause::Parked; // what it waited for lies on its stack, and is gone if it ends or panics
        let _restores = Restore(CURRENT.replace(self.yielder.get()));
        match self.coroutine.resume(ready) {
            CoroutineResult::Yield(pause) => {
                self.pause = pause;
                true
            }
            CoroutineResult::Return(()) => false,
        }
    }

    /// What the fiber waits for, and until when. `None` if it is parked.
    pub fn waits_for(&self) -> Option<(&[Interest], Instant)> {
        match self.pause {
            Pause::Poll { interests, count, until } => {
                // SAFETY: `wait` was given the slice, and returns only when the fiber is resumed, for which `self` must be
                // borrowed anew.
                let interests = unsafe { slice::from_raw_parts(interests, count) };
                Some((interests, until))
            }
            Pause::Parked => None,
        }
    }
}

/// Restores the way out of the fiber that resumed another one, also after a panic of the latter.
struct Restore(*const Yielder<Resumed, Pause>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0);
    }
}

/// Pauses the fiber that runs on this thread. `None` outside of fibers.
fn pause(pause: Pause) -> Option<Resumed> {
    let current = CURRENT.get();
    // SAFETY: the yielder lives as long as the body of its fiber, which runs right now.
    let yielder = unsafe { current.as_ref() }?;
    Some(yielder.suspend(pause))
}

/// Like [`poll`]. In a fiber, the thread runs other fibers meanwhile. `now` is the time of the call.
pub(crate) fn wait(interests: &[Interest], timeout: Duration, now: Instant) -> io::Result<Ready> {
    let until = now + timeout;
    let paused = pause(Pause::Poll { interests: interests.as_ptr(), count: interests.len(), until });
    paused.unwrap_or_else(|| poll(interests, timeout))
}

/// Runs a callback of the host, in which no wait pauses the fiber. The host may hold a lock in it that the callback takes in
/// another fiber of this thread, too.
pub(crate) fn outside_of_fibers<T>(callback: impl FnOnce() -> T) -> T {
    let _restores = Restore(CURRENT.replace(ptr::null()));
    callback()
}

/// Pauses the fiber until it is resumed.
pub(crate) fn park() {
    let _ = pause(Pause::Parked);
}

#[cfg(test)]
mod tests;

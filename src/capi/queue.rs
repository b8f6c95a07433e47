//! The entry points of a queue.

use std::ffi::c_void;
use std::ptr;
use std::time::Duration;

use super::client::{self, ue_client};
use super::input;
use super::result::{self, ue_result};
use super::types::{ue_fd, ue_message, ue_queue_options, ue_status};
use crate::sys::panic::guard;
use crate::{Delivery, Error, Outcome, Queue, Status};

/// Sends messages without waiting for them. Created by ue_queue_new, freed by ue_queue_free.
pub struct ue_queue {
    queue: Queue,
}

/// Borrows the queue of a handle. An error for NULL.
///
/// # Safety
/// `queue` is NULL or came from [`ue_queue_new`], is not yet freed, and outlives `'a`.
unsafe fn shared<'a>(queue: *const ue_queue) -> Result<&'a Queue, Error> {
    // SAFETY: the caller's promise.
    match unsafe { queue.as_ref() } {
        Some(handle) => Ok(&handle.queue),
        None => Err(Error::invalid("queue is NULL: make one with ue_queue_new and look at its result")),
    }
}

/// Creates a queue that sends messages of a client without waiting for them, over at most max_connections connections. It
/// has one thread, which is started with the first message and ended with the queue. options: NULL for the defaults.
///
/// A queue keeps what it needs of its client; free the two in any order. Once the client is closed or freed, the queue's
/// messages end as UE_CLOSED. After fork() the child has an empty queue, with a thread and a descriptor of its own: ask
/// ue_queue_fd again. What was pushed before stays with the parent.
///
/// Returns NULL if an argument cannot be used (UE_INVALID_ARGUMENT), the client is closed (UE_CLOSED), or the process has
/// no descriptors left (UE_CONNECT). Free the queue with ue_queue_free.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn ue_queue_new(
    client: *mut ue_client,
    options: *const ue_queue_options,
    result: *mut *mut ue_result,
) -> *mut ue_queue {
    // SAFETY: what the header asks of the caller.
    let made = guard(|| unsafe { client::shared(client) }?.queue(unsafe { input::queue_options(options) }?));
    let (queue, outcome) = match made {
        Some(Ok(queue)) => {
            (Box::into_raw(Box::new(ue_queue { queue })), Outcome::new(Status::Ok, Delivery::NotDelivered))
        }
        Some(Err(error)) => (ptr::null_mut(), error.into_outcome()),
        None => (ptr::null_mut(), Outcome::panicked()),
    };
    // SAFETY: what the header asks of the caller.
    unsafe { result::set_result(result, outcome, ptr::null_mut()) };
    queue
}

/// Copies a message into the queue, and returns at once. Messages to one client_user_id are sent in order.
///
/// result: NULL, or set in both cases: free it. That of an accepted message is not the message's own, and says
/// UE_RETRY_NEVER.
///
/// Returns UE_OK if the message was accepted: then its own result comes from ue_queue_take, exactly once, and has the
/// message's user_data. Otherwise the message is not sent, and result says why: UE_INVALID_ARGUMENT, UE_QUEUE_FULL,
/// UE_SUSPENDED, UE_CLOSED (the queue was stopped, or the client closed), UE_CONNECT (no thread could be started).
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn ue_queue_push(
    queue: *mut ue_queue,
    message: *const ue_message,
    result: *mut *mut ue_result,
) -> ue_status {
    // SAFETY: what the header asks of the caller.
    let user_data = unsafe { input::user_data(message) };
    let pushed = guard(|| {
        // SAFETY: what the header asks of the caller.
        unsafe { shared(queue)?.push(&input::message(message)?, user_data.expose_provenance()) }
    });
    let outcome = match pushed {
        Some(Ok(())) => Outcome::new(Status::Ok, Delivery::Unknown), // it may be delivered by now
        Some(Err(error)) => error.into_outcome(),
        None => Outcome::panicked(),
    };
    let status = outcome.status().into();
    if status != ue_status::UE_OK || !result.is_null() {
        // SAFETY: what the header asks of the caller.
        unsafe { result::set_result(result, outcome, user_data) };
    }
    status
}

/// The descriptor that is readable exactly while something can be taken: a result, or log lines. For poll, select, epoll
/// (level or edge), kqueue and every event loop. Only wait for it: never read from it or close it. With an edge, take until
/// ue_queue_take returns less than asked for.
///
/// Returns -1 (on Windows INVALID_SOCKET) for NULL, or if the process has no descriptors left.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_queue_fd(queue: *mut ue_queue) -> ue_fd {
    // SAFETY: what the header asks of the caller.
    let raw = guard(|| unsafe { shared(queue) }.and_then(Queue::raw).ok());
    raw.flatten().unwrap_or(crate::sys::NO_SOCKET)
}

/// Waits until something can be taken, at most timeout_ms milliseconds; 0 only looks. For programs without an event loop.
///
/// Returns UE_OK if so, UE_TIMEOUT if not, UE_CANCELLED if the interrupt callback says so, which is also asked at once
/// after a signal.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_queue_poll(queue: *mut ue_queue, timeout_ms: u32) -> ue_status {
    let poll = |queue: &Queue| queue.wait_until_takeable(Duration::from_millis(timeout_ms.into()));
    // SAFETY: what the header asks of the caller.
    let polled = guard(|| unsafe { shared(queue) }.map_or_else(|error| error.status(), poll));
    polled.unwrap_or(Status::Internal).into()
}

/// Takes the results of finished messages, without waiting. First the log lines of the queue's messages go to the client's
/// log callback, on this thread.
///
/// results: an array with room for `most` results; the caller frees each of them. ue_result_user_data tells whose a result
/// is. NULL: they are freed at once.
///
/// Returns how many were taken; 0 if nothing is finished, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_queue_take(queue: *mut ue_queue, results: *mut *mut ue_result, most: usize) -> usize {
    let mut count = 0;
    guard(|| {
        // SAFETY: what the header asks of the caller.
        let Ok(queue) = (unsafe { shared(queue) }) else {
            return;
        };
        let _ = queue.take(most, &mut |value, outcome| {
            if !results.is_null() {
                // SAFETY: what the header asks of the caller; no more than `most` come.
                unsafe { result::set_result(results.add(count), outcome, ptr::with_exposed_provenance_mut(value)) };
            }
            count += 1;
        });
    });
    count
}

/// Ends every message in the queue that has this user_data; NULL: every one that has none. One that waits is finished when this returns: UE_CANCELLED,
/// not delivered. One in flight ends at once: UE_CANCELLED, with what is known of it. Every message still
/// gets its result.
///
/// Returns how many messages were ended. 0: they are finished, or there are none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_queue_cancel(queue: *mut ue_queue, user_data: *mut c_void) -> usize {
    // SAFETY: what the header asks of the caller.
    guard(|| unsafe { shared(queue) }.map_or(0, |queue| queue.cancel(user_data.addr()))).unwrap_or(0)
}

/// Waits until no message waits or is in flight, at most timeout_ms milliseconds; 0 only looks. Results are not taken.
///
/// Returns UE_OK if that is so, UE_TIMEOUT if not, UE_CANCELLED if the interrupt callback says so, or forked and this is the
/// child.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_queue_wait(queue: *mut ue_queue, timeout_ms: u32) -> ue_status {
    let wait = |queue: &Queue| queue.wait_until_idle(Duration::from_millis(timeout_ms.into()));
    // SAFETY: what the header asks of the caller.
    let waited = guard(|| unsafe { shared(queue) }.map_or_else(|error| error.status(), wait));
    waited.unwrap_or(Status::Internal).into()
}

/// Begins no more: messages that wait end as UE_CANCELLED, not delivered. Those in flight go on. Further messages are
/// refused with UE_CLOSED. For a service that shuts down: then ue_queue_wait, ue_queue_take, ue_queue_free.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_queue_stop(queue: *mut ue_queue) {
    // SAFETY: what the header asks of the caller.
    guard(|| unsafe { shared(queue) }.map_or((), Queue::stop));
}

/// Goes on after max_failures_in_a_row has suspended the queue.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_queue_resume(queue: *mut ue_queue) {
    // SAFETY: what the header asks of the caller.
    guard(|| unsafe { shared(queue) }.map_or((), Queue::resume));
}

/// Frees a queue: ends the messages in flight and waits for the queue's thread, which takes milliseconds. Results that
/// were not taken are freed. Must be the last use of the queue. Must not be called from a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ue_queue_free(queue: *mut ue_queue) {
    if !queue.is_null() {
        // SAFETY: what the header asks of the caller.
        guard(|| drop(unsafe { Box::from_raw(queue) }));
    }
}
